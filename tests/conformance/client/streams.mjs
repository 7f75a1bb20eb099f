// SPDX-License-Identifier: Apache-2.0
// Histories, positions and recovery, with npm centrifuge as applications use it.
import {
  RawClient, event_of, make_token, open_client, publications_of, subscribed, unique,
} from '../support/client.mjs';
import { check, check_equal, check_rejected, eventually, sleep } from '../support/report.mjs';
import { start_for } from './nodes.mjs';

// Publishes numbers one after the other; the positions that were answered.
async function publish(node, channel, numbers, more = {}) {
  const positions = [];
  for (const n of numbers) {
    positions.push(await node.api_result('publish', { channel, data: { n }, ...more }));
  }
  return positions;
}

function range(first, last) {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function numbers_of(publications) {
  return publications.map(({ data }) => data.n);
}

async function told(subscription, numbers) {
  await eventually(() => publications_of(subscription).length >= numbers.length,
    `${numbers.length} publications`).catch(() => {});
  check_equal(numbers_of(publications_of(subscription)), numbers, 'the publications');
  const offsets = publications_of(subscription).map(({ offset }) => offset);
  check(offsets.every((offset, i) => i === 0 || offset > offsets[i - 1]), `offsets ${offsets}`);
}

function add_recovery(report, node) {
  report.test('stream: a subscriber learns its position', async (context) => {
    const channel = unique('stream:');
    const client = await open_client(context, node);
    const subscription = await subscribed(client, channel);
    const ctx = await event_of(subscription.events, 'subscribed');
    check_equal([ctx.positioned, ctx.recoverable, ctx.wasRecovering, ctx.recovered],
      [true, true, false, false], 'what is on');
    check_equal(ctx.streamPosition.offset, 0, 'the offset');
    const [first, second] = await publish(node, channel, [1, 2]);
    check_equal([first.offset, second.offset], [1, 2], 'the offsets');
    check_equal(first.epoch, ctx.streamPosition.epoch, 'the epoch');
    await told(subscription, [1, 2]);
  });
  report.test('stream: who disconnects recovers what it missed', async (context) => {
    const channel = unique('stream:');
    const client = await open_client(context, node);
    const subscription = await subscribed(client, channel);
    await publish(node, channel, [1, 2]);
    await told(subscription, [1, 2]);
    client.disconnect();
    await publish(node, channel, range(3, 8));
    client.connect();
    const ctx = await event_of(subscription.events, 'subscribed', 2);
    check_equal([ctx.wasRecovering, ctx.recovered], [true, true], 'the recovery');
    await publish(node, channel, [9]);
    await told(subscription, range(1, 9));
  });
  report.test('stream: who is disconnected under publishing misses nothing', async (context) => {
    const channel = unique('stream:');
    const user = unique('user');
    const client = await open_client(context, node, { token: make_token({ sub: user }) });
    const subscription = await subscribed(client, channel);
    for (let round = 0; round < 10; round++) {
      const publishing = publish(node, channel, range(round * 8 + 1, round * 8 + 8));
      await node.api_result('disconnect',
        { user, disconnect: { code: 3011, reason: 'force reconnect' } });
      await publishing;
      await event_of(subscription.events, 'subscribed', round + 2);
    }
    await told(subscription, range(1, 80));
    check(subscription.events.every(([name, ctx]) => name !== 'subscribed'
      || ctx.wasRecovering === ctx.recovered), 'some recovery failed');
  });
  report.test('stream: who missed too much is told', async (context) => {
    const channel = unique('stream:');
    const client = await open_client(context, node);
    const subscription = await subscribed(client, channel);
    await publish(node, channel, [1]);
    await told(subscription, [1]);
    client.disconnect();
    await publish(node, channel, range(2, 12));
    client.connect();
    const ctx = await event_of(subscription.events, 'subscribed', 2);
    check_equal([ctx.wasRecovering, ctx.recovered, ctx.streamPosition.offset], [true, false, 12],
      'the recovery');
    await publish(node, channel, [13]);
    await told(subscription, [1, 13]);
  });
  report.test('stream: a new node is another epoch', async (context) => {
    const before = await start_for(context, {});
    const client = await open_client(context, before);
    const subscription = await subscribed(client, 'stream:x');
    await publish(before, 'stream:x', [1]);
    await told(subscription, [1]);
    await before.stop_cleanly();
    await start_for(context, {}, { port: before.port });
    const ctx = await event_of(subscription.events, 'subscribed', 2);
    check_equal([ctx.wasRecovering, ctx.recovered, ctx.streamPosition.offset], [true, false, 0],
      'the recovery');
  });
  report.test('stream: a position may come from elsewhere', async (context) => {
    const channel = unique('stream:');
    const [, position] = await publish(node, channel, range(1, 5));
    const client = await open_client(context, node);
    const subscription = await subscribed(client, channel, { since: position });
    check_equal((await event_of(subscription.events, 'subscribed')).recovered, true, 'recovered');
    await told(subscription, [3, 4, 5]);
  });
  report.test('stream: many come back at once', async (context) => {
    const channel = unique('stream:');
    const clients = await Promise.all(range(1, 30).map(() => open_client(context, node)));
    const subscriptions = await Promise.all(clients.map((one) => subscribed(one, channel)));
    await publish(node, channel, [1]);
    clients.forEach((one, i) => i % 2 === 0 && one.disconnect());
    await publish(node, channel, [2, 3]);
    clients.forEach((one) => one.connect());
    await publish(node, channel, [4, 5]);
    await Promise.all(subscriptions.map((one) => told(one, [1, 2, 3, 4, 5])));
  });
  report.test('stream: joins and presence go on beside it', async (context) => {
    const channel = unique('stream:');
    const client = await open_client(context, node);
    const other = await open_client(context, node);
    const subscription = await subscribed(client, channel);
    await subscribed(other, channel);
    check_equal((await event_of(subscription.events, 'join', 2)).info.client, other.id, 'the join');
    const { clients } = await subscription.presence();
    check_equal(Object.keys(clients).sort(), [client.id, other.id].sort(), 'the presence');
    other.disconnect();
    check_equal((await event_of(subscription.events, 'leave')).info.client, other.id, 'the leave');
  });
  report.test('stream: without history a subscriber is not positioned', async (context) => {
    const client = await open_client(context, node);
    const subscription = await subscribed(client, unique('plain:'),
      { positioned: true, recoverable: true });
    const ctx = await event_of(subscription.events, 'subscribed');
    check_equal([ctx.positioned, ctx.recoverable], [false, false], 'what is on');
  });
  report.test('stream: who asks for it recovers', async (context) => {
    const channel = unique('asked:');
    const client = await open_client(context, node);
    const plain = await subscribed(client, channel);
    check_equal((await event_of(plain.events, 'subscribed')).positioned, false, 'not asked for');
    const asking = await open_client(context, node);
    const subscription = await subscribed(asking, channel, { recoverable: true });
    check_equal((await event_of(subscription.events, 'subscribed')).recoverable, true, 'asked for');
    asking.disconnect();
    await publish(node, channel, [1, 2]);
    asking.connect();
    await told(subscription, [1, 2]);
    await told(plain, [1, 2]);
  });
  report.test('stream: who rejects what is unrecovered gets 112', async (context) => {
    const client = await RawClient.connected(context, node);
    const channel = unique('stream:');
    const reply = await client.call({ id: 2,
      subscribe: { channel, recover: true, offset: 5, epoch: 'x', flag: 3 } });
    check_equal(reply.error.code, 112, 'the code');
    check((await client.call({ id: 3, subscribe: { channel } })).subscribe.epoch, 'subscribing');
  });
}

function add_caches(report, node) {
  report.test('cache: who comes back gets the newest', async (context) => {
    const channel = unique('cache:');
    const client = await open_client(context, node);
    const subscription = await subscribed(client, channel);
    await publish(node, channel, [1]);
    await told(subscription, [1]);
    client.disconnect();
    await publish(node, channel, range(2, 20));
    client.connect();
    const ctx = await event_of(subscription.events, 'subscribed', 2);
    check_equal([ctx.wasRecovering, ctx.recovered], [true, true], 'the recovery');
    await told(subscription, [1, 20]);
    client.disconnect();
    client.connect();
    await event_of(subscription.events, 'subscribed', 3);
    await sleep(100);
    await told(subscription, [1, 20]);
  });
  report.test('cache: who subscribes with an empty position gets the newest', async (context) => {
    const channel = unique('cache:');
    await publish(node, channel, [1, 2]);
    const client = await open_client(context, node);
    await told(await subscribed(client, channel, { since: { offset: 0, epoch: '' } }), [2]);
  });
  report.test('cache: automatically, whoever subscribes', async (context) => {
    const channel = unique('auto:');
    await publish(node, channel, [1, 2]);
    const client = await open_client(context, node);
    const subscription = await subscribed(client, channel);
    await told(subscription, [2]);
    await publish(node, channel, [3]);
    await told(subscription, [2, 3]);
    await told(await subscribed(await open_client(context, node), channel), [3]);
  });
}

function add_histories(report, node) {
  report.test('history: by pages, there and back', async (context) => {
    const channel = unique('stream:');
    await publish(node, channel, range(1, 10));
    const client = await open_client(context, node);
    const seen = [];
    let since;
    for (;;) {
      const page = await client.history(channel, { limit: 3, since });
      check_equal(page.offset, 10, 'the offset');
      if (page.publications.length === 0) {
        break;
      }
      seen.push(...numbers_of(page.publications));
      since = { offset: page.publications.at(-1).offset, epoch: page.epoch };
    }
    check_equal(seen, range(1, 10), 'forward');
    const back = await client.history(channel, { limit: 3, reverse: true });
    check_equal(numbers_of(back.publications), [10, 9, 8], 'the newest');
    const further = await client.history(channel,
      { limit: 20, reverse: true, since: { offset: 3, epoch: back.epoch } });
    check_equal(numbers_of(further.publications), [2, 1], 'the oldest');
    check_equal((await client.history(channel)).publications, [], 'without a limit');
    const foreign = client.history(channel, { limit: 1, since: { offset: 1, epoch: 'x' } });
    check_equal((await check_rejected(foreign, 'another epoch')).code, 112, 'the code');
  });
  report.test('history: the first publication of a stream tells its epoch', async (context) => {
    const client = await RawClient.connected(context, node);
    const channel = unique('stream:');
    const [{ epoch }] = await publish(node, channel, [1, 2]);
    const { history } = await client.call({ id: 2, history: { channel, limit: 2 } });
    check_equal(history.publications.map((one) => one.epoch ?? ''), [epoch, ''], 'by history');
    const { subscribe } = await client.call({ id: 3, subscribe: { channel, recover: true } });
    check_equal(subscribe.publications.map((one) => one.epoch ?? ''), [epoch, ''], 'by recovery');
  });
  report.test('history: only who may', async (context) => {
    const client = await open_client(context, node);
    const error = await check_rejected(client.history(unique('kept:'), { limit: 1 }), 'history');
    check_equal(error.code, 103, 'the code');
  });
  report.test('history: a subscriber reads what it published', async (context) => {
    const channel = unique('stream:');
    const client = await open_client(context, node);
    const subscription = await subscribed(client, channel);
    await subscription.publish({ n: 1 });
    const { publications } = await subscription.history({ limit: 1 });
    check_equal([publications[0].data, publications[0].info.client], [{ n: 1 }, client.id],
      'the publication');
  });
  report.test('history: removed, its position stays', async () => {
    const channel = unique('kept:');
    const [{ epoch }] = await publish(node, channel, [1]);
    check_equal(await node.api_result('history_remove', { channel }), {}, 'removing');
    check_equal(await node.api_result('history', { channel, limit: -1 }),
      { publications: [], epoch, offset: 1 }, 'what is left');
    check_equal(await publish(node, channel, [2]), [{ offset: 2, epoch }], 'what comes next');
  });
  report.test('history: metrics tell what it takes', async () => {
    await publish(node, unique('kept:'), [1]);
    for (const name of ['bytes', 'publications', 'streams']) {
      check(await node.metric(`roost_history_${name}`) > 0, `roost_history_${name}`);
    }
  });
}

function add_publishing_once(report, node) {
  report.test('publish once: an idempotency key, also of a broadcast', async (context) => {
    const channels = [unique('stream:'), unique('stream:')];
    const client = await open_client(context, node);
    const subscriptions = [await subscribed(client, channels[0]),
      await subscribed(client, channels[1])];
    const call = { data: { n: 1 }, idempotency_key: 'k' };
    const first = await node.api_result('publish', { channel: channels[0], ...call });
    const again = await node.api_result('publish', { channel: channels[0], ...call });
    check_equal(again, first, 'the second answer');
    const { responses } = await node.api_result('broadcast', { channels, ...call });
    check_equal(responses[0].result, first, 'the first of the broadcast');
    check_equal(responses[1].result.offset, 1, 'the second of the broadcast');
    await publish(node, channels[0], [2]);
    await told(subscriptions[0], [1, 2]);
    await told(subscriptions[1], [1]);
  });
  report.test('publish once: older versions are dropped', async (context) => {
    const channel = unique('stream:');
    const client = await open_client(context, node);
    const subscription = await subscribed(client, channel);
    const offsets = [];
    for (const [n, version, version_epoch] of [[1, 5], [2, 5], [3, 4], [4, 6], [5, 1, 'b']]) {
      const params = { channel, data: { n }, version, version_epoch };
      offsets.push((await node.api_result('publish', params)).offset);
    }
    check_equal(offsets, [1, 1, 1, 2, 3], 'the offsets');
    await told(subscription, [1, 4, 5]);
  });
  report.test('publish: skipping the history', async (context) => {
    const channel = unique('stream:');
    const subscription = await subscribed(await open_client(context, node), channel);
    const answer = await node.api_result('publish',
      { channel, data: { n: 1 }, skip_history: true });
    check_equal(answer, {}, 'the answer');
    const { offset } = await event_of(subscription.events, 'publication');
    check_equal(offset, undefined, 'the offset');
    check_equal((await node.api_result('history', { channel, limit: -1 })).publications, [],
      'the history');
  });
}

export function add_streams(report, node) {
  add_recovery(report, node);
  add_caches(report, node);
  add_histories(report, node);
  add_publishing_once(report, node);
}
