// SPDX-License-Identifier: Apache-2.0
// The browser's own EventSource and fetch streams: pages of other origins, with npm centrifuge as
// it is.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { start_main } from '../client/nodes.mjs';
import { WAIT_MS_MAX, check, check_equal, eventually } from '../support/report.mjs';

const entry = createRequire(import.meta.url).resolve('centrifuge');
const MODULE = readFileSync(path.join(path.dirname(entry), 'index.mjs'));

// A server of a page that does nothing by itself, and of the client.
function serve_pages(context) {
  const server = http.createServer((request, response) => {
    const is_module = request.url === '/centrifuge.mjs';
    response.setHeader('Content-Type', is_module ? 'text/javascript' : 'text/html');
    response.end(is_module ? MODULE
      : '<!doctype html><title>page</title><link rel="icon" href="data:,">');
  });
  context.defer(() => server.close());
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });
}

async function open_page(context, browser, port) {
  const own = await browser.newContext();
  own.setDefaultTimeout(WAIT_MS_MAX);
  context.defer(() => own.close());
  const page = await own.newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  return page;
}

async function start_node(context, origins) {
  const node = await start_main({ client: { allowed_origins: origins, ping_interval: '1s',
    pong_timeout: '900ms' } });
  context.defer(() => node.stop_cleanly());
  return node;
}

// In the page: a client that keeps what it is told.
async function connect_in_page({ base, transports, channel }) {
  const { Centrifuge } = await import('/centrifuge.mjs');
  const endpoints = transports.map((transport) => ({ transport,
    endpoint: `${base}/connection/${transport}` }));
  const client = new Centrifuge(endpoints, { emulationEndpoint: `${base}/emulation`,
    minReconnectDelay: 50, maxReconnectDelay: 200 });
  window.told = [];
  for (const name of ['connected', 'connecting', 'disconnected', 'error']) {
    client.on(name, (ctx) => window.told.push([name, ctx.transport ?? ctx.code ?? '']));
  }
  window.client = client;
  window.subscription = client.newSubscription(channel);
  window.publications = [];
  window.subscription.on('publication', (ctx) => window.publications.push(ctx.data));
  window.subscription.on('subscribed', (ctx) => window.told.push(['subscribed', ctx.recovered]));
  window.subscription.subscribe();
  client.connect();
}

function told(page, name, value) {
  return eventually(() => page.evaluate(([a, b]) => window.told.some(
    ([one, other]) => one === a && (b === undefined || other === b)), [name, value]),
  `${name} ${value} in the page`);
}

function publications(page, wanted) {
  return eventually(async () => {
    check_equal(await page.evaluate(() => window.publications), wanted, 'the publications');
    return true;
  }, 'the publications in the page');
}

function add_transport(report, browser, transport) {
  report.test(`${transport}: a page of another origin talks and comes back`, async (context) => {
    const port = await serve_pages(context);
    const node = await start_node(context, [`http://127.0.0.1:${port}`]);
    const page = await open_page(context, browser, port);
    await page.evaluate(connect_in_page, { base: `http://127.0.0.1:${node.port}`,
      transports: [transport], channel: 'stream:x' });
    await told(page, 'connected', transport);
    await told(page, 'subscribed');
    await page.evaluate(() => window.subscription.publish({ n: 1 }));
    await publications(page, [{ n: 1 }]);
    // Two pings at least, which are answered.
    await eventually(async () => (await node.metric('roost_transport_messages_received',
      'frame_type="client_pong"')) >= 2, 'two pongs');
    check_equal(await page.evaluate(() => window.client.state), 'connected', 'the state');
    // What it misses while it is away comes after it.
    await node.api_result('disconnect', { user: '', client: await page.evaluate(
      () => window.client._client), disconnect: { code: 3011, reason: 'come again' } });
    await node.api_result('publish', { channel: 'stream:x', data: { n: 2 } });
    await told(page, 'connecting', 3011);
    await publications(page, [{ n: 1 }, { n: 2 }]);
    await told(page, 'subscribed', true);
  });
}

function add_falling_back(report, browser) {
  report.test('a page whose WebSocket is refused falls back by itself', async (context) => {
    const port = await serve_pages(context);
    const node = await start_node(context, ['*']);
    const page = await open_page(context, browser, port);
    await page.evaluate(async (base) => {
      window.told = [];
      const { Centrifuge } = await import('/centrifuge.mjs');
      const client = new Centrifuge([
        { transport: 'websocket', endpoint: `${base.replace('http', 'ws')}/nowhere` },
        { transport: 'sse', endpoint: `${base}/connection/sse` },
      ], { emulationEndpoint: `${base}/emulation`, minReconnectDelay: 50, maxReconnectDelay: 200 });
      client.on('connected', (ctx) => window.told.push(['connected', ctx.transport]));
      client.connect();
    }, `http://127.0.0.1:${node.port}`);
    await told(page, 'connected', 'sse');
  });
  report.test('a page of an origin that is not allowed reads nothing', async (context) => {
    const port = await serve_pages(context);
    const node = await start_node(context, ['https://elsewhere.example']);
    const page = await open_page(context, browser, port);
    const base = `http://127.0.0.1:${node.port}`;
    const outcomes = await page.evaluate(async (url) => {
      const by_fetch = await fetch(`${url}/connection/http_stream`, { method: 'POST',
        headers: { 'Content-Type': 'application/json' }, body: '{"id":1,"connect":{}}' })
        .then(() => 'read', () => 'refused');
      const by_events = await new Promise((resolve) => {
        const source = new EventSource(`${url}/connection/uni_sse`);
        source.onmessage = () => resolve('read');
        source.onerror = () => {
          source.close();
          resolve('refused');
        };
      });
      return [by_fetch, by_events];
    }, base);
    check_equal(outcomes, ['refused', 'refused'], 'what the page can read');
    await eventually(async () => (await node.metric('roost_node_incoming_http_requests_total',
      'path="/connection/uni_sse"')) >= 1, 'the request of the EventSource');
  });
}

function add_unidirectional(report, browser) {
  report.test('uni_sse: an EventSource of the browser listens', async (context) => {
    const port = await serve_pages(context);
    const node = await start_node(context, ['*']);
    const page = await open_page(context, browser, port);
    await page.evaluate((url) => {
      window.events = [];
      window.source = new EventSource(`${url}/connection/uni_sse`, { withCredentials: true });
      window.source.onmessage = (event) => window.events.push(JSON.parse(event.data));
    }, `http://127.0.0.1:${node.port}`);
    const events = () => page.evaluate(() => window.events);
    await eventually(async () => (await events())[0]?.connect?.client, 'connect');
    // A ping, and then the end, from which the browser comes back by itself.
    await eventually(async () => (await events()).some((one) => Object.keys(one).length === 0),
      'a ping');
    await node.api_result('disconnect', { user: '', client: (await events())[0].connect.client,
      disconnect: { code: 4000, reason: 'enough' } });
    await eventually(async () => (await events()).some(
      (one) => one.disconnect?.code === 4000), 'the disconnect');
    await eventually(async () => (await events()).filter((one) => one.connect).length === 2,
      'the next connect');
  });
}

export function add_fallbacks(report, browser) {
  add_transport(report, browser, 'http_stream');
  add_transport(report, browser, 'sse');
  add_falling_back(report, browser);
  add_unidirectional(report, browser);
}
