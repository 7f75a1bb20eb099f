// SPDX-License-Identifier: Apache-2.0
// Runs the cases of messages between nodes.
import { open_client, open_user, event_of, publications_of, record, subscribed, unique,
  CLIENT_EVENTS } from '../../conformance/support/client.mjs';
import { Report, WAIT_MS_MAX, check, check_equal, eventually, sleep } from '../../conformance/support/report.mjs';
import { Cluster } from './cluster.mjs';
import { add_control, check_newcomer } from './control.mjs';
import { add_fallbacks } from './fallbacks.mjs';
import { add_maps } from './maps.mjs';
import { add_once } from './once.mjs';
import { add_polls, start_polls } from './polls.mjs';
import { add_protocols } from './protocols.mjs';
import { add_tailored } from './tailored.mjs';
import { add_wildcards } from './wildcards.mjs';

const INTERNAL = 100; // It may have happened or not.

// What nodes ask one another has limits of some seconds, and silence that is longer is death.
const report = new Report({ prefix: 'cluster: ', still_ms_max: 1000 });
const polls = await start_polls();
const cluster = await Cluster.start([1, 3, 2], polls.config);
const { nodes } = cluster;

// Names enough that every node is home of some.
function channels_of(prefix, count = 12) {
  const name = unique(prefix);
  return Array.from({ length: count }, (_, i) => `${name}-${i}`);
}

function data_of(subscription) {
  return publications_of(subscription).map(({ data }) => data);
}

async function clients_of_all(context, options) {
  const clients = [];
  for (const [i, node] of nodes.entries()) {
    clients.push(await open_user(context, node, `${options?.user ?? 'user'}-${i}`));
  }
  return clients;
}

report.test('what is published anywhere reaches everybody in one order', async (context) => {
  const clients = await clients_of_all(context);
  for (const channel of channels_of('c')) {
    const subs = await Promise.all(clients.map((client) => subscribed(client, channel)));
    const texts = [];
    await Promise.all(clients.map(async (client, i) => {
      for (let n = 0; n < 30; n += 1) {
        texts.push(`${i}-${n}`);
        await client.publish(channel, `${i}-${n}`);
      }
    }));
    await eventually(() => subs.every((sub) => data_of(sub).length >= texts.length),
      `all of ${channel}`);
    for (const sub of subs) {
      check_equal(data_of(sub), data_of(subs[0]), 'one order');
    }
    check_equal([...data_of(subs[0])].sort(), texts.sort(), 'each once');
    subs.forEach((sub) => { sub.unsubscribe(); clients.forEach((c) => c.removeSubscription(sub)); });
  }
});

report.test('a second subscriber of a node gets all that comes after its answer', async (context) => {
  const [first] = await clients_of_all(context);
  for (const channel of channels_of('late', 6)) {
    const sub = await subscribed(first, channel);
    let n = 0;
    let ends = false;
    const publishing = (async () => {
      for (; !ends; n += 1) {
        await nodes[n % 3].api_result('publish', { channel, data: n });
      }
    })();
    const late = [];
    for (let i = 0; i < 6; i += 1) {
      const client = await open_user(context, nodes[i % 3], `late-${i}`);
      late.push(await subscribed(client, channel));
    }
    ends = true;
    await publishing;
    await eventually(() => [sub, ...late].every((one) => data_of(one).at(-1) === n - 1
      || data_of(one).length === 0), 'the newest');
    check_equal(data_of(sub), Array.from({ length: n }, (_, i) => i), 'the first sees all');
    for (const one of late) {
      const got = data_of(one);
      check_equal(got, Array.from({ length: got.length }, (_, i) => n - got.length + i), 'no gap');
    }
  }
});

report.test('a client recovers on another node what it missed', async (context) => {
  for (const channel of channels_of('kept:r', 6)) {
    const client = await open_user(context, nodes[0], 'r');
    const sub = await subscribed(client, channel);
    await nodes[1].api_result('publish', { channel, data: 1 });
    await eventually(() => data_of(sub).length === 1, 'the first');
    const { epoch, offset } = publications_of(sub)[0].offset === 1
      ? { epoch: await epoch_of(channel), offset: 1 } : {};
    client.disconnect();
    await nodes[2].api_result('publish', { channel, data: 2 });
    await nodes[0].api_result('publish', { channel, data: 3 });
    const other = await open_user(context, nodes[1], 'r');
    const again = await subscribed(other, channel, { since: { epoch, offset } });
    const ctx = await event_of(again.events, 'subscribed');
    check_equal([ctx.wasRecovering, ctx.recovered], [true, true], 'recovered');
    await eventually(() => data_of(again).length === 2, 'what was missed');
    check_equal(data_of(again), [2, 3], 'in order');
    const page = await again.history({ limit: 10 });
    check_equal(page.publications.map(({ data }) => data), [1, 2, 3], 'history');
  }
});

async function epoch_of(channel) {
  return (await nodes[0].api_result('history', { channel })).epoch;
}

report.test('presence, joins and leaves are of all nodes', async (context) => {
  const clients = await clients_of_all(context, { user: 'p' });
  for (const channel of channels_of('who:p', 6)) {
    const subs = [];
    for (const client of clients) {
      subs.push(await subscribed(client, channel));
    }
    for (const sub of subs) {
      const { clients: present } = await sub.presence();
      check_equal(Object.keys(present).sort(), clients.map(({ id }) => id).sort(), 'who is there');
      check_equal(await sub.presenceStats(), { numClients: 3, numUsers: 3 }, 'how many');
    }
    await eventually(() => subs[0].events.filter(([name]) => name === 'join').length === 3, 'joins');
    subs[2].unsubscribe();
    await eventually(() => subs[0].events.some(([name]) => name === 'leave'), 'a leave');
    for (const node of nodes) {
      check_equal(await node.api_result('presence_stats', { channel }),
        { num_clients: 2, num_users: 2 }, 'fewer');
    }
  }
});

report.test('commands find a user on whichever node', async (context) => {
  for (let i = 0; i < 9; i += 1) {
    const user = unique('u');
    const client = await open_user(context, nodes[i % 3], user);
    const sub = await subscribed(client, unique('c'));
    await nodes[(i + 1) % 3].api_result('unsubscribe', { user, channel: sub.channel });
    check_equal((await event_of(sub.events, 'unsubscribed')).code, 2000, 'unsubscribed');
    await nodes[(i + 2) % 3].api_result('disconnect', { user });
    check_equal((await event_of(client.events, 'disconnected')).code, 3503, 'disconnected');
  }
  const anonymous = await open_client(context, nodes[2]);
  await nodes[0].api_result('disconnect', { user: '', client: anonymous.id });
  check_equal((await event_of(anonymous.events, 'disconnected')).code, 3503, 'anonymous');
});

report.test('channels and info are of all nodes', async (context) => {
  const clients = await clients_of_all(context);
  const [channel] = channels_of('survey', 1);
  await Promise.all(clients.map((client) => subscribed(client, channel)));
  for (const node of nodes) {
    const { channels } = await node.api_result('channels', { pattern: `${channel}*` });
    check_equal(channels, { [channel]: { num_clients: 3 } }, 'channels');
  }
  await eventually(async () => (await nodes[1].api_result('info')).nodes.length === 3, 'info');
});

report.test('a node without subscribers gets nothing', async (context) => {
  const client = await open_user(context, nodes[0], 'quiet');
  const [channel] = channels_of('quiet', 1);
  const sub = await subscribed(client, channel);
  const got = () => nodes[2].metric('roost_node_messages_received_count', 'type="publication"');
  const before = await got();
  for (let n = 0; n < 20; n += 1) {
    await nodes[1].api_result('publish', { channel, data: n });
  }
  await eventually(() => data_of(sub).length === 20, 'all');
  check_equal(await got(), before, 'the third node heard nothing');
});

add_protocols(report, nodes);
add_tailored(report, nodes);
add_wildcards(report, nodes);
add_fallbacks(report, nodes);
const revoked = {};
add_control(report, [...nodes], revoked);
const add_maps_that_moved = add_maps(report, nodes);
add_polls(report, [...nodes], polls.backend);

// Publishes one after the other until told to end. Of each channel: what was acknowledged, and what may have been
// published (100, or no answer). All other errors say that nothing has happened.
function keep_publishing(channels) {
  const published = new Map(channels.map((channel) => [channel, { acknowledged: [], unknown: [] }]));
  let ends = false;
  const done = (async () => {
    for (let n = 0; !ends; n += 1) {
      const channel = channels[n % channels.length];
      const { error } = await cluster.running[0].api('publish', { channel, data: n })
        .catch(() => ({ error: { code: INTERNAL } }));
      if (error === undefined) {
        published.get(channel).acknowledged.push(n);
      } else if (error.code === INTERNAL) {
        published.get(channel).unknown.push(n);
      }
    }
    return published;
  })();
  return { end: () => { ends = true; return done; } };
}

// Whoever is asked may wait for a home that moves, and be refused: nothing has happened, or who is told twice bears it.
function publish_surely(node, channel, data) {
  return eventually(async () => (await node.api('publish', { channel, data })).error === undefined,
    `the publication ${data}`);
}

// No gap and no repeat; after a loss that the client was told of, it goes on with what it recovers.
function check_all(sub, wanted) {
  const got = data_of(sub);
  const missing = wanted.filter((n) => !got.includes(n));
  const unrecovered = sub.events.filter(([name, ctx]) =>
    name === 'subscribed' && ctx.wasRecovering && !ctx.recovered).length;
  check(missing.length === 0 || unrecovered > 0,
    `${sub.channel}: not told of the loss of ${missing.slice(0, 5)}`);
  check_equal(got, [...new Set(got)].sort((a, b) => a - b), `${sub.channel}: order`);
  return { missing: missing.length, unrecovered };
}

// Whoever follows a channel gets all that was accepted, is told of nothing, and its epoch goes on.
async function moves_unnoticed(context, prefix, change) {
  const channels = [...channels_of(`kept:${prefix}`, 20), ...channels_of(prefix, 20)];
  const kept = channels.filter((channel) => channel.startsWith('kept:'));
  const clients = []; // Of the nodes that stay.
  for (const i of [0, 1, 2]) {
    clients.push(await open_user(context, nodes[i], `${prefix}-${i}`));
  }
  const subs = [];
  for (const client of clients) {
    subs.push(await Promise.all(channels.map((channel) => subscribed(client, channel))));
  }
  const publishing = keep_publishing(channels);
  await sleep(300);
  const epochs = await Promise.all(kept.map(epoch_of));
  // Of each node that is there afterwards.
  const taken = async () => new Map(await Promise.all(cluster.running.map(async (node) =>
    [node, await node.metric('roost_handover_channels', 'result="taken"')])));
  const before = await taken();
  await change();
  await cluster.settled();
  await sleep(1500);
  const published = await publishing.end();
  const known_of = (sub) => {
    const { unknown } = published.get(sub.channel);
    return data_of(sub).filter((n) => !unknown.includes(n));
  };
  const wanted = (sub) => published.get(sub.channel).acknowledged;
  const lacks = () => subs.flat().filter((sub) => known_of(sub).length < wanted(sub).length);
  await eventually(() => lacks().length === 0, 'everybody has all').catch(() => {});
  for (const sub of subs.flat()) {
    const told = sub.events.filter(([name]) => name !== 'publication')
      .map(([name, { code, reason }]) => [name, code, reason].join(' ').trim());
    check_equal(told.map((text) => text.split(' ')[0]), ['subscribing', 'subscribed'],
      `${sub.channel}: nobody is told of anything, but: ${told}`);
    check_equal(known_of(sub), wanted(sub), `${sub.channel}: all of it, once, in order`);
    check_equal(data_of(sub).length, new Set(data_of(sub)).size, `${sub.channel}: each once`);
  }
  check_equal(await Promise.all(kept.map(epoch_of)), epochs, 'the same epochs');
  check([...await taken()].some(([node, count]) => count > (before.get(node) ?? 0)), 'channels moved');
}

const add_known_where_one_came = add_once(report, cluster, 'a node comes');
report.test('a node that comes takes homes, and nobody notices', { ms_max: 5 * WAIT_MS_MAX },
  (context) => moves_unnoticed(context, 'come', () => cluster.add(2)));

add_known_where_one_came();
report.test('a node that comes knows what was revoked before',
  (context) => check_newcomer(context, nodes.at(-1), revoked));

const add_known_where_one_went = add_once(report, cluster, 'a node is stopped');
report.test('a node that is stopped leaves its homes, and nobody notices', { ms_max: 5 * WAIT_MS_MAX },
  async (context) => {
    if (cluster.running.length === 3) {
      await cluster.add(2);
      await cluster.settled();
    }
    await moves_unnoticed(context, 'go', () => cluster.running.at(-1).stop_cleanly());
  });

add_known_where_one_went();
add_maps_that_moved();

report.test('a node that dies costs nobody a silent loss', { ms_max: 5 * WAIT_MS_MAX }, async (context) => {
  const channels = channels_of('kept:die', 30);
  const clients = [];
  const mortal = await cluster.add(2);
  await cluster.settled();
  for (const i of [0, 1, 2]) {
    clients.push(await open_user(context, nodes[i], `d-${i}`));
  }
  const subs = [];
  for (const client of clients) {
    subs.push(await Promise.all(channels.map((channel) => subscribed(client, channel))));
  }
  const publishing = keep_publishing(channels);
  await sleep(500);
  mortal.kill('SIGKILL');
  await mortal.exited;
  await cluster.settled();
  await sleep(2000);
  const published = await publishing.end();
  const wanted = (sub) => published.get(sub.channel).acknowledged;
  const is_right = (sub) => {
    check_all(sub, wanted(sub));
    return true;
  };
  await eventually(() => subs.flat().every(is_right), 'everybody has all, or is told');
  let told = 0;
  for (const sub of subs.flat()) {
    told += check_all(sub, wanted(sub)).unrecovered;
  }
  for (const channel of channels) {
    const n = 1_000_000;
    await publish_surely(nodes[0], channel, n);
    await eventually(() => subs.flat().filter((sub) => sub.channel === channel)
      .every((sub) => data_of(sub).at(-1) === n), 'everybody goes on');
  }
  console.log(`# after a node died: ${told} subscriptions were told of a loss`);
});

report.test('the nodes end well', { ms_max: 5 * WAIT_MS_MAX }, () => cluster.stop());
await report.run();
await polls.backend.stop();
report.exit();
