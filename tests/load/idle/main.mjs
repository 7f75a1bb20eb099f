// SPDX-License-Identifier: Apache-2.0
// Holds the budget of memory: an idle connection that is subscribed to one channel, and a
// subscription more.
import { Node } from '../../conformance/support/node.mjs';
import { RawSocket, frame, upgrade_request } from '../../conformance/support/raw_websocket.mjs';
import { Report, WAIT_MS_MAX, check, check_equal, eventually, sleep } from '../../conformance/support/report.mjs';

const WARM_UP = 1000;
const CONNECTIONS = 8000;
const AT_ONCE = 100;
const BYTES_A_CONNECTION_MAX = 512;
const BYTES_A_SUBSCRIPTION_MAX = 48;
const MORE_SUBSCRIPTIONS = 20;
const CASE_MS_MAX = 5 * WAIT_MS_MAX;

const HELLO = Buffer.concat([Buffer.from(upgrade_request('/connection/websocket')),
  frame(1, '{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"idle"}}')]);

async function answered(socket, text) {
  let seen = '';
  while (!seen.includes(text)) {
    check(await socket.fill(socket.available + 1), `the node closed after ${seen}`);
    seen += socket.take(socket.available).toString('latin1');
  }
}

// Does it for all of them, some at a time.
async function each(count, action) {
  for (let at = 0; at < count; at += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => action(at + i)));
  }
}

async function open(node, sockets, count) {
  await each(count, async () => {
    const socket = await RawSocket.connect(node.port);
    sockets.push(socket);
    socket.write(HELLO);
    await answered(socket, '"id":2');
  });
}

async function settled_rss(node) {
  await sleep(1500);
  return node.rss_kib() * 1024;
}

const report = new Report();
const node = await Node.start({ client: { insecure: true, ping_interval: '1000s' } },
  { shards: 4 });
const sockets = [];
let before = 0;

report.test(`an idle connection costs ${BYTES_A_CONNECTION_MAX} bytes at most`,
  { ms_max: CASE_MS_MAX }, async () => {
    await open(node, sockets, WARM_UP);
    before = await settled_rss(node);
    await open(node, sockets, CONNECTIONS);
    const cost = ((await settled_rss(node)) - before) / CONNECTIONS;
    console.log(`# ${cost.toFixed(0)} bytes a connection`);
    check_equal(await node.metric('roost_node_num_subscriptions'), WARM_UP + CONNECTIONS,
      'subscriptions');
    check(cost <= BYTES_A_CONNECTION_MAX, `${cost.toFixed(0)} bytes a connection`);
  });

report.test(`one more subscription costs ${BYTES_A_SUBSCRIPTION_MAX} bytes at most`,
  { ms_max: CASE_MS_MAX }, async () => {
    const start = await settled_rss(node);
    const commands = Array.from({ length: MORE_SUBSCRIPTIONS }, (_, i) => (
      `{"id":${i + 3},"subscribe":{"channel":"more-${i}"}}`));
    await each(CONNECTIONS, async (i) => {
      sockets[i].write(frame(1, commands.join('\n')));
      await answered(sockets[i], `"id":${MORE_SUBSCRIPTIONS + 2}`);
    });
    const cost = ((await settled_rss(node)) - start) / (CONNECTIONS * MORE_SUBSCRIPTIONS);
    console.log(`# ${cost.toFixed(1)} bytes a subscription`);
    check(cost <= BYTES_A_SUBSCRIPTION_MAX, `${cost.toFixed(1)} bytes a subscription`);
  });

report.test('the memory of connections comes back', { ms_max: CASE_MS_MAX }, async () => {
  sockets.forEach((socket) => socket.destroy());
  await eventually(async () => (await node.metric('roost_node_num_connections')) <= 1,
    'the connections to be gone');
  check_equal(await node.metric('roost_node_num_subscriptions'), 0, 'subscriptions');
  await sleep(5000);
  const kept = (await settled_rss(node)) - before;
  console.log(`# ${Math.round(kept / 1024)} KiB more than after the warm-up`);
  check(kept <= 8 << 20, `${kept} bytes are kept`);
});

report.test('the node of idle connections ends well', () => node.stop_cleanly());
await report.run();
report.exit();
