// SPDX-License-Identifier: Apache-2.0
// Webhooks of a cluster: what each node tells adds up to what is true, also when homes move, a node
// stops and a node dies.
import { event_of, open_user, subscribed, unique } from '../../conformance/support/client.mjs';
import { Report, WAIT_MS_MAX, check, check_equal, eventually, sleep } from '../../conformance/support/report.mjs';
import { Receiver, SECRET } from '../../conformance/support/webhook_receiver.mjs';
import { Cluster } from '../messages/cluster.mjs';

const report = new Report({ prefix: 'cluster: ' });
const GONE_MS_MAX = 2 * WAIT_MS_MAX; // Of a node, until all agree on it and tell it.
const receivers = { stop: [], defer(closer) { this.stop.push(closer); } };
const told = { clients: await Receiver.start(receivers), channels: await Receiver.start(receivers) };
const cluster = await Cluster.start([2, 1, 2], {
  client: { proxy: { state: { enabled: true, endpoint: told.clients.url } } },
  webhooks: { secret: SECRET, vacated_event_delay: '300ms', batch_max_delay: '20ms' },
  channel: {
    proxy: { state: { endpoint: told.channels.url } },
    without_namespace: { state_proxy_enabled: true },
  },
});

function ids_of(clients) {
  return clients.map(({ id }) => id).sort().join();
}

async function holds(clients, channels, what) {
  await eventually(() => [...told.clients.clients.keys()].sort().join() === ids_of(clients)
    && told.channels.occupied.join() === [...channels].sort().join(), what, GONE_MS_MAX)
    .catch((error) => {
      throw new Error(`${error.message}; ${told.clients.clients.size} clients of `
        + `${clients.length}, [${told.channels.occupied}] of [${channels}]`);
    });
  check_equal([...told.clients.wrong, ...told.channels.wrong], [], 'what must not happen');
}

// Clients of all nodes, each with channels of its own and some of everybody's.
const clients = [];
const own = [];
const shared = Array.from({ length: 12 }, (_, i) => unique(`shared-${i}-`));

async function come(context) {
  for (const [i, node] of cluster.nodes.entries()) {
    const client = await open_user(context, node, `user-${i}`);
    client.on('connected', (ctx) => { client.id = ctx.client; });
    own[i] = Array.from({ length: 4 }, () => unique(`own-${i}-`));
    for (const channel of [...own[i], ...shared]) {
      await subscribed(client, channel);
    }
    clients.push(client);
  }
}

const kept = { closers: [], defer(closer) { this.closers.push(closer); } };

report.test('a channel is occupied once, by whichever nodes', async () => {
  await come(kept);
  await holds(clients, [...own.flat(), ...shared], 'all');
  check_equal(told.channels.events.length, own.flat().length + shared.length, 'events');
  check_equal(told.clients.nodes.filter(({ type }) => type === 'started').length, 3, 'starts');
});

report.test('homes that move to a node that comes tell nobody', { ms_max: 5 * WAIT_MS_MAX }, async () => {
  const before = told.channels.events.length;
  await cluster.add(1);
  await cluster.settled();
  await sleep(1500);
  check_equal(told.channels.events.length, before, 'events');
  await holds(clients, [...own.flat(), ...shared], 'all, as before');
});

report.test('a node that stops in order is gone, and nothing is missing', { ms_max: 5 * WAIT_MS_MAX },
  async () => {
    const leaving = cluster.nodes[0];
    const run = (await leaving.api_result('info')).nodes.find(({ name }) => name === 'node-1').uid;
    const client = clients.shift();
    client.disconnect();
    const sub_events = told.channels.events.length;
    await holds(clients, [...own.slice(1).flat(), ...shared], 'it has gone');
    const events = told.channels.events.slice(sub_events);
    check_equal(events.length, own[0].length, 'channels that others want are not told of');
    await leaving.stop_cleanly();
    await cluster.settled();
    await eventually(() => told.clients.nodes.some((event) => event.type === 'gone'
      && event.run === run), 'it is gone', GONE_MS_MAX);
    await holds(clients, [...own.slice(1).flat(), ...shared], 'all others');
    own.shift();
    check_equal([told.clients.lost, told.channels.lost], [0, 0], 'nothing was lost');
  });

report.test('a node that dies is told of once, and with it its clients', { ms_max: 5 * WAIT_MS_MAX },
  async () => {
    const mortal = cluster.nodes[1];
    const run = (await mortal.api_result('info')).nodes.find(({ name }) => name === 'node-2').uid;
    told.channels.is_to_compare = false;
    clients[0].removeAllListeners('connected');
    mortal.kill('SIGKILL');
    await mortal.exited;
    clients.shift().disconnect();
    own.shift();
    for (const receiver of [told.clients, told.channels]) {
      await eventually(() => receiver.runs.get(run) === null, 'it is gone', GONE_MS_MAX);
    }
    await cluster.settled();
    check_equal(told.channels.is_to_compare, true, 'who holds channels has to compare');
    await told.channels.compare(cluster.running[0]);
    await holds(clients, [...own.flat(), ...shared], 'those of other nodes');
    await sleep(500);
    for (const receiver of [told.clients, told.channels]) {
      check_equal(receiver.nodes.filter((event) => event.type === 'gone' && event.run === run).length,
        1, 'how often it is told');
    }
    check(await event_of(clients[0].events, 'connected'), 'the others are there');
    await holds(clients, [...own.flat(), ...shared], 'and it stays so');
  });

report.test('the nodes end well, and nothing is left', { ms_max: 5 * WAIT_MS_MAX }, async () => {
  clients.forEach((client) => client.disconnect());
  // What the dead node wanted is wanted for a minute: it might come back.
  await eventually(() => told.clients.clients.size === 0
    && told.channels.occupied.every((name) => shared.includes(name)), 'nothing else is left');
  await told.channels.compare(cluster.running[0]);
  await holds([], [], 'nothing is left');
  await cluster.stop();
  check_equal([...told.clients.wrong, ...told.channels.wrong], [], 'what must not happen');
});

await report.run();
[...kept.closers, ...receivers.stop].forEach((close) => close());
report.exit();
