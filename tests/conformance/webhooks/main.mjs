// SPDX-License-Identifier: Apache-2.0
// What a receiver of webhooks holds is what is true, however it fails and whatever the node goes
// through.
import { cut, make_token, new_client, open_user, subscribed, unique } from '../support/client.mjs';
import { Node, TOKEN_KEY, merge } from '../support/node.mjs';
import { Report, check, check_equal, eventually, sleep } from '../support/report.mjs';
import { Receiver, SECRET } from '../support/webhook_receiver.mjs';
import { random_of } from '../recovery/proxy.mjs';

const report = new Report();
const OPEN = { allow_subscribe_for_client: true };

function config_of(receiver, over = {}) {
  return merge({
    node: { name: 'told' },
    client: {
      token: { hmac_secret_key: TOKEN_KEY },
      proxy: { state: { enabled: true, endpoint: receiver.url, timeout: '300ms',
        include_connection_meta: true } },
    },
    webhooks: { secret: SECRET, vacated_event_delay: '200ms', batch_max_delay: '20ms',
      batch_max_events: 50 },
    channel: {
      proxy: { state: { endpoint: receiver.url, timeout: '300ms',
        http: { static_headers: { 'X-Static': 'ours' } } } },
      without_namespace: { ...OPEN, state_proxy_enabled: true },
      namespaces: [{ name: 'untold', ...OPEN }],
    },
  }, over);
}

async function start(context, over) {
  const receiver = await Receiver.start(context);
  const node = await Node.start(config_of(receiver, over), { shards: 3 });
  context.defer(() => node.stop_cleanly());
  return { receiver, node };
}

function check_right(receiver) {
  check_equal(receiver.wrong, [], 'what must not happen');
}

// What the receiver holds becomes exactly this.
async function holds(receiver, { clients, channels }, what) {
  const ids = clients.map(({ id }) => id).sort();
  const wanted = [...channels].sort();
  await eventually(() => [...receiver.clients.keys()].sort().join() === ids.join()
    && receiver.occupied.join() === wanted.join(), what).catch((error) => {
    throw new Error(`${error.message}; it holds ${receiver.clients.size} clients of `
      + `${ids.length}, [${receiver.occupied}] of [${wanted}], wrong: ${receiver.wrong}`);
  });
  check_right(receiver);
}

report.test('what is told of a client, and of a channel', async (context) => {
  const { receiver, node } = await start(context);
  const client = await open_user(context, node, 'ann', { name: 'app', version: '7',
    claims: { meta: { m: 1 } } });
  const channel = unique('c');
  const sub = await subscribed(client, channel);
  await subscribed(client, `untold:${channel}`);
  await holds(receiver, { clients: [client], channels: [channel] }, 'both');
  const connected = receiver.events.find(({ type }) => type === 'connected');
  check(Math.abs(connected.time_ms - Date.now()) < 60_000, 'the time');
  check_equal({ ...connected, time_ms: 0 }, { time_ms: 0, type: 'connected', client: client.id,
    user: 'ann', transport: 'websocket', protocol: 'json', name: 'app', version: '7',
    meta: { m: 1 } }, 'who came');
  sub.unsubscribe();
  await holds(receiver, { clients: [client], channels: [] }, 'the channel is vacated');
  await node.api_result('disconnect', { user: 'ann', disconnect: { code: 4321, reason: 'why' } });
  await holds(receiver, { clients: [], channels: [] }, 'the client has gone');
  const { code, reason, connected_ms } = receiver.events.at(-1);
  check_equal([code, reason, connected_ms], [4321, 'why', connected.time_ms], 'why it went');
  const other = await open_user(context, node, 'bob', { protocol: 'protobuf' });
  cut(other);
  await eventually(() => receiver.events.some((event) => event.user === 'bob'
    && event.type === 'disconnected' && event.code === 3000), 'a connection that just ends');
  check_equal(receiver.events.find((event) => event.user === 'bob').protocol, 'protobuf', 'how');
  check_right(receiver);
  check_equal(receiver.nodes.filter(({ type }) => type === 'started').length >= 1, true, 'started');
});

report.test('a subscriber that comes back soon was not away', async (context) => {
  const { receiver, node } = await start(context, { webhooks: { vacated_event_delay: '60s' } });
  const client = await open_user(context, node, 'ann');
  const channel = unique('c');
  const sub = await subscribed(client, channel);
  await holds(receiver, { clients: [client], channels: [channel] }, 'it is occupied');
  for (let i = 0; i < 5; i += 1) {
    sub.unsubscribe();
    await sleep(50);
    sub.subscribe();
    await sub.ready();
  }
  await sleep(300);
  check_equal(receiver.events.filter((event) => event.channel !== undefined).length, 1, 'events');
  check_right(receiver);
});

// Clients that come, go, are cut, and change what they are subscribed to; until `ends()`.
async function churn(context, node, { random, clients, channels, ends }) {
  while (!ends()) {
    const client = clients[Math.floor(random() * clients.length)];
    const channel = channels[Math.floor(random() * channels.length)];
    const sub = client.getSubscription(channel) ?? client.newSubscription(channel);
    const chance = random();
    if (chance < 0.1) {
      client.state === 'disconnected' ? client.connect() : client.disconnect();
    } else if (chance < 0.15 && client.state === 'connected') {
      cut(client);
    } else if (chance < 0.6) {
      sub.subscribe();
    } else {
      sub.unsubscribe();
    }
    await sleep(5);
  }
}

async function truth_of(node, clients) {
  const connected = clients.filter((client) => client.state !== 'disconnected');
  await Promise.all(connected.map((client) => client.ready()));
  const names = new Set();
  for (const client of connected) {
    for (const sub of Object.values(client.subscriptions())) {
      if (sub.state !== 'unsubscribed') {
        await sub.ready();
        names.add(sub.channel);
      }
    }
  }
  return { clients: connected, channels: [...names] };
}

function crowd(context, node, count) {
  const clients = Array.from({ length: count }, () => new_client(context, node,
    { token: make_token({ sub: 'crowd' }) }));
  for (const client of clients) {
    client.on('connected', (ctx) => { client.id = ctx.client; });
    client.connect();
  }
  return clients;
}

report.test('a receiver that fails, stalls, cuts and restarts holds what is true', async (context) => {
  const { receiver, node } = await start(context);
  const random = random_of(Date.now() % 1_000_000);
  const ways = ['cut', 'fail', 'error', 'stall', 'take and cut', 'take', 'take', 'take', 'empty'];
  receiver.misbehave = () => ways[Math.floor(random() * ways.length)];
  const channels = Array.from({ length: 12 }, () => unique('c'));
  const clients = crowd(context, node, 30);
  let is_over = false;
  const churning = churn(context, node, { random, clients, channels, ends: () => is_over });
  for (let i = 0; i < 3; i += 1) {
    await sleep(500);
    receiver.stop();
    await sleep(300);
    await receiver.listen();
  }
  await eventually(async () => receiver.again > 0
    && await node.metric('roost_webhook_batches_total', 'outcome="failed"') > 0, 'batches come again');
  is_over = true;
  await churning;
  receiver.misbehave = () => 'take';
  const truth = await truth_of(node, clients);
  check(truth.clients.length > 0, 'some clients are left');
  await holds(receiver, truth, 'what is true');
  check_equal([receiver.lost, receiver.is_to_compare], [0, false], 'nothing was lost');
  await eventually(async () => await node.metric('roost_webhook_queue_events') === 0
    && await node.metric('roost_webhook_queue_bytes') === 0, 'the queues are empty');
});

report.test('what a receiver that is away for too long misses is told', async (context) => {
  const { receiver, node } = await start(context,
    { webhooks: { queue_max_events: 1000, vacated_event_delay: '0s' } });
  const client = await open_user(context, node, 'ann');
  await subscribed(client, 'stays');
  await holds(receiver, { clients: [client], channels: ['stays'] }, 'the first');
  receiver.stop();
  for (let i = 0; i < 1000; i += 20) {
    const subs = await Promise.all(Array.from({ length: 20 },
      (_, j) => subscribed(client, `c-${i + j}`)));
    for (const sub of subs) {
      sub.unsubscribe();
      client.removeSubscription(sub);
    }
  }
  const [events, lost] = await Promise.all([node.metric('roost_webhook_queue_events'),
    node.metric('roost_webhook_events_lost_total')]);
  check(events <= 1003 && lost > 0, `${events} events wait, ${lost} are lost`);
  await receiver.listen();
  await eventually(async () => await node.metric('roost_webhook_queue_events') === 0
    && receiver.lost === await node.metric('roost_webhook_events_lost_total'), 'all that is left');
  check_equal(receiver.is_to_compare, true, 'it knows');
  await receiver.compare(node);
  await holds(receiver, { clients: [client], channels: ['stays'] }, 'after comparing');
});

report.test('a node that stops tells the rest', async (context) => {
  const receiver = await Receiver.start(context);
  const node = await Node.start(config_of(receiver, { webhooks: { vacated_event_delay: '60s' } }),
    { shards: 3 });
  const clients = [];
  for (let i = 0; i < 12; i += 1) {
    clients.push(await open_user(context, node, `user-${i}`));
    await subscribed(clients[i], `c-${i % 5}`);
  }
  await holds(receiver, { clients, channels: ['c-0', 'c-1', 'c-2', 'c-3', 'c-4'] }, 'all');
  let failures = 3;
  receiver.misbehave = () => (failures-- > 0 ? 'fail' : 'take');
  await node.stop_cleanly();
  check_right(receiver);
  check_equal([receiver.clients.size, receiver.occupied], [0, []], 'what is left');
  check_equal(receiver.events.filter(({ code }) => code === 3001).length, 12, 'shutdowns');
});

report.test('after a crash the next run says so', async (context) => {
  const receiver = await Receiver.start(context);
  const first = await Node.start(config_of(receiver), { shards: 3 });
  const old = await open_user(context, first, 'ann');
  await subscribed(old, 'a');
  await holds(receiver, { clients: [old], channels: ['a'] }, 'the first run');
  first.kill('SIGKILL');
  await first.exited;
  old.disconnect();
  const second = await Node.start(config_of(receiver), { shards: 3 });
  context.defer(() => second.stop_cleanly());
  await eventually(() => receiver.is_to_compare && receiver.clients.size === 0,
    'clients of the run before are gone');
  await receiver.compare(second);
  const client = await open_user(context, second, 'bob');
  await subscribed(client, 'b');
  await holds(receiver, { clients: [client], channels: ['b'] }, 'the second run');
});

await report.run({ concurrency: 3 });
report.exit();
