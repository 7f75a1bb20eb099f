// SPDX-License-Identifier: Apache-2.0
// Nodes with an internal port, as Centrifugo's Helm chart starts them: what backends and operators ask is there alone.
import net from 'node:net';
import { event_of, open_client, subscribed } from '../support/client.mjs';
import { API_KEY, Node } from '../support/node.mjs';
import { free_port } from '../support/ports.mjs';
import { check, check_equal } from '../support/report.mjs';

const OPEN = {
  client: { insecure: true },
  http_stream: { enabled: true },
  sse: { enabled: true },
  init: { enabled: true },
  uni_sse: { enabled: true },
  demo: { enabled: true },
};

async function start(context, config) {
  const node = await Node.start({ ...OPEN, ...config }, { shards: 2 });
  context.defer(() => node.stop_cleanly());
  return node;
}

async function expect_statuses(node, port, wanted) {
  for (const [request, status] of Object.entries(wanted)) {
    const [method, target] = request.split(' ');
    const headers = method === 'POST' ? { 'X-API-Key': API_KEY } : {};
    const answer = await node.request(method, target, { headers, body: method === 'POST' ? '{}' : null, port });
    check_equal(answer.status, status, `${request} on ${port === node.port ? 'the public' : 'the internal'} port`);
  }
}

export function add_listeners(report) {
  report.test('internal_port: the API, metrics and health are there alone', async (context) => {
    const node = await start(context, { http_server: { address: '127.0.0.1', internal_port: `${await free_port()}` } });
    await expect_statuses(node, node.port, {
      'POST /api/info': 404, 'POST /api': 404, 'GET /metrics': 404, 'GET /health': 404,
      'GET /connection/init': 200, 'GET /connection/websocket': 400, 'GET /emulation': 405, 'GET /': 200,
    });
    await expect_statuses(node, node.internal_port, {
      'POST /api/info': 200, 'POST /api': 200, 'GET /metrics': 200, 'GET /health': 200,
      'GET /connection/init': 404, 'GET /connection/websocket': 404, 'GET /connection/uni_sse': 404,
      'GET /emulation': 404, 'GET /': 404,
    });
  });
  for (const transport of ['websocket', 'http_stream', 'sse']) {
    report.test(`internal_port: a client of ${transport} hears what a backend publishes`, async (context) => {
      const node = await start(context, { http_server: { address: '127.0.0.1', internal_port: await free_port() } });
      const client = await open_client(context, node, { transport });
      const subscription = await subscribed(client, 'news');
      await node.api_result('publish', { channel: 'news', data: { a: 1 } });
      const { data } = await event_of(subscription.events, 'publication');
      check_equal(data, { a: 1 }, 'the publication');
    });
  }
  report.test('internal_port: an external API is public', async (context) => {
    const node = await start(context, { http_api: { key: API_KEY, external: true },
      http_server: { address: '127.0.0.1', internal_port: await free_port() } });
    await expect_statuses(node, node.port, { 'POST /api/info': 200, 'GET /metrics': 404 });
    await expect_statuses(node, node.internal_port, { 'POST /api/info': 404, 'GET /metrics': 200 });
  });
  report.test('internal_port: that of all is one listener', async (context) => {
    const port = await free_port();
    const node = await Node.start({ ...OPEN, http_server: { address: '127.0.0.1', internal_port: port } }, { port });
    context.defer(() => node.stop_cleanly());
    await expect_statuses(node, port, { 'POST /api/info': 200, 'GET /health': 200, 'GET /connection/init': 200 });
  });
  report.test('internal_port: one that is taken is told', async (context) => {
    const port = await free_port();
    const other = net.createServer((socket) => socket.destroy());
    context.defer(() => other.close());
    await new Promise((resolve) => { other.listen(port, '127.0.0.1', resolve); });
    const refused = await Node.start({ http_server: { address: '127.0.0.1', internal_port: port } })
      .then((node) => node.stop(), (error) => error.message);
    check(typeof refused === 'string' && refused.includes(`127.0.0.1:${port} is taken by another program`)
      && refused.includes('--http_server.internal_port chooses another'), `what it says: ${refused}`);
  });
}
