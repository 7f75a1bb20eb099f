// SPDX-License-Identifier: Apache-2.0
// Subscribing and unsubscribing: who may, what is answered, and in which order things come.
import {
  RawClient, event_of, make_token, new_client, new_subscription, now_s, open_client, open_user,
  publications_of, subscribed, unique,
} from '../support/client.mjs';
import { check, check_equal, eventually, sleep } from '../support/report.mjs';
import { SUBSCRIBE_OPTIONS, combinations } from './nodes.mjs';

async function expect_unsubscribed(client, channel, code, options) {
  const subscription = new_subscription(client, channel, options);
  subscription.subscribe();
  const ctx = await event_of(subscription.events, 'unsubscribed');
  check_equal(ctx.code, code, `the code for ${channel}`);
}

function add_permissions(report, node) {
  for (const namespace of combinations('sub', SUBSCRIBE_OPTIONS)) {
    for (const user of ['', 'ann']) {
      const who = user || 'anonymous';
      const allowed = namespace.allow_subscribe_for_client
        && (user !== '' || namespace.allow_subscribe_for_anonymous);
      report.test(`subscribe: ${who} in ${namespace.name}: ${allowed}`, async (context) => {
        const client = user ? await open_user(context, node, user)
          : await open_client(context, node);
        if (allowed) {
          await subscribed(client, `${namespace.name}:x`);
        } else {
          await expect_unsubscribed(client, `${namespace.name}:x`, 103);
        }
      });
    }
  }
  report.test('subscribe: an unknown namespace is 102', async (context) => {
    await expect_unsubscribed(await open_client(context, node), 'unknown:x', 102);
  });
  report.test('subscribe: user-limited channels', async (context) => {
    const ann = await open_user(context, node, 'ann');
    await subscribed(ann, 'limited:room#ann');
    await subscribed(ann, 'limited:room#bob,ann');
    await expect_unsubscribed(ann, 'limited:room#bob', 103);
    await expect_unsubscribed(ann, 'limited:room#anna', 103);
    await expect_unsubscribed(ann, 'limited:room#', 103);
    await expect_unsubscribed(ann, 'limited:room', 103);
    const anonymous = await open_client(context, node);
    await expect_unsubscribed(anonymous, 'limited:room#ann', 103);
    await expect_unsubscribed(anonymous, 'limited:room#', 103);
  });
  report.test('subscribe: a private channel wants a token', async (context) => {
    await expect_unsubscribed(await open_user(context, node, 'ann'), '$plain:x', 103);
  });
}

function add_subscription_tokens(report, node) {
  const good = { sub: 'ann', channel: '$closed:x' };
  report.test('subscribe: a token opens a private channel', async (context) => {
    const ann = await open_user(context, node, 'ann');
    await subscribed(ann, '$closed:x', { token: make_token(good) });
    await subscribed(ann, 'closed:y', { token: make_token({ sub: 'ann', channel: 'closed:y' }) });
  });
  report.test('subscribe: an expired token is renewed by getToken', async (context) => {
    const ann = await open_user(context, node, 'ann');
    await subscribed(ann, '$closed:x', {
      token: make_token({ ...good, exp: now_s() - 5 }),
      getToken: async () => make_token({ ...good, exp: now_s() + 100 }),
    });
  });
  report.test('subscribe: a bad token is 103', async (context) => {
    const ann = await open_user(context, node, 'ann');
    await expect_unsubscribed(ann, '$closed:x', 103, { token: make_token(good, { key: 'no' }) });
  });
  for (const [name, claims] of Object.entries({
    'another channel': { ...good, channel: '$closed:y' },
    'another user': { ...good, sub: 'eve' },
  })) {
    report.test(`subscribe: a token of ${name} is 3500`, async (context) => {
      const ann = await open_user(context, node, 'ann');
      new_subscription(ann, '$closed:x', { token: make_token(claims) }).subscribe();
      check_equal((await event_of(ann.events, 'disconnected')).code, 3500, 'the code');
    });
  }
  report.test('subscribe: a token of no channel is refused', async (context) => {
    const raw = await RawClient.connected(context, node,
      { connect: { token: make_token({ sub: 'ann' }) } });
    raw.send({ id: 2, subscribe: { channel: '$closed:x', token: make_token({ sub: 'ann' }) } });
    const line = await raw.next_line();
    check_equal(line === null ? raw.close.code : JSON.parse(line).error?.code,
      line === null ? 3500 : 103, 'the refusal');
  });
  report.test('subscribe: a token brings channel info', async (context) => {
    const ann = await open_user(context, node, 'ann', { claims: { info: { a: 1 } } });
    const channel = unique('$open:info');
    await subscribed(ann, channel, {
      token: make_token({ sub: 'ann', channel, info: { role: 'host' } }) });
    const { conn_info, chan_info } = (await ann.presence(channel)).clients[ann.id];
    check_equal([conn_info, chan_info], [{ a: 1 }, { role: 'host' }], 'the info');
  });
}

function add_limits(report, node) {
  report.test('subscribe: a name of exactly the limit, and one byte more (107)', async (context) => {
    const client = await open_client(context, node);
    await subscribed(client, `plain:${'x'.repeat(94)}`);
    await expect_unsubscribed(client, `plain:${'x'.repeat(95)}`, 107);
  });
  report.test('subscribe: a name that is not ASCII is 107', async (context) => {
    await expect_unsubscribed(await open_client(context, node), 'plain:ü', 107);
  });
  report.test('subscribe: a name that its namespace does not want is 107', async (context) => {
    const client = await open_client(context, node);
    await expect_unsubscribed(client, 'named:Room', 107);
    await expect_unsubscribed(client, 'named:', 107);
    await expect_unsubscribed(client, 'named:a:b', 107);
    for (const ask of ['presence', 'history', 'publish']) {
      await client[ask]('named:room7', {}).then(() => { throw new Error(`${ask} was answered`); },
        ({ code }) => check_equal(code, 107, ask));
    }
  });
  report.test('subscribe: a name that is not ASCII, in a namespace that wants it', async (context) => {
    const channel = `named:комната-${unique('').replaceAll(/[^a-z]/g, '')}`;
    const client = await open_client(context, node);
    const subscription = await subscribed(client, channel);
    await node.api_result('publish', { channel, data: 'привет' });
    const ctx = await event_of(subscription.events, 'publication');
    check_equal([ctx.channel, ctx.data], [channel, 'привет'], 'the publication');
    check_equal(Object.keys((await client.presence(channel)).clients), [client.id], 'the presence');
    check(channel in (await node.api_result('channels', { pattern: 'named:*' })).channels, 'it is no channel');
  });
  report.test('subscribe: one more than the channel limit is 106', { one_stream: true }, async (context) => {
    const client = await open_client(context, node);
    for (let i = 0; i < 10; i += 1) {
      await subscribed(client, `plain:${i}`);
    }
    await expect_unsubscribed(client, 'plain:10', 106);
    client.getSubscription('plain:3').unsubscribe();
    await subscribed(client, 'plain:11');
  });
  report.test('subscribe: twice is 105', async (context) => {
    const raw = await RawClient.connected(context, node);
    check_equal(await raw.call({ id: 2, subscribe: { channel: 'plain:x' } }),
      { id: 2, subscribe: {} }, 'the first');
    check_equal(await raw.call({ id: 3, subscribe: { channel: 'plain:x' } }),
      { id: 3, error: { code: 105, message: 'already subscribed' } }, 'the second');
    raw.send({ id: 4, subscribe: { channel: 'plain:y' } }, { id: 5, subscribe: { channel: 'plain:y' } });
    const codes = [(await raw.next()).error?.code, (await raw.next()).error?.code];
    check_equal(codes.filter((code) => code === 105).length, 1, 'refusals of two in one frame');
  });
}

function add_unsubscribing(report, node) {
  report.test('unsubscribe: nothing comes after it', async (context) => {
    const client = await open_client(context, node);
    const other = await open_client(context, node);
    const channel = unique('plain:');
    const subscription = await subscribed(client, channel);
    await other.publish(channel, 1);
    await event_of(subscription.events, 'publication');
    subscription.unsubscribe();
    await event_of(subscription.events, 'unsubscribed');
    await client.publish(unique('plain:'), 'a round trip');
    await other.publish(channel, 2);
    await sleep(50);
    check_equal(publications_of(subscription).length, 1, 'publications');
  });
  report.test('unsubscribe: the reply is the same when not subscribed', async (context) => {
    const raw = await RawClient.connected(context, node);
    check_equal(await raw.call({ id: 2, unsubscribe: { channel: 'plain:never' } }),
      { id: 2, unsubscribe: {} }, 'the reply');
    check_equal(await raw.call({ id: 3, unsubscribe: { channel: 'unknown:ns' } }),
      { id: 3, unsubscribe: {} }, 'the reply');
  });
  report.test('unsubscribe: and subscribe again in one tick', async (context) => {
    const client = await open_client(context, node);
    const channel = unique('plain:');
    const subscription = await subscribed(client, channel);
    for (let i = 0; i < 5; i += 1) {
      subscription.unsubscribe();
      subscription.subscribe();
      await event_of(subscription.events, 'subscribed', i + 2);
    }
    await subscription.publish('here');
    await event_of(subscription.events, 'publication');
    await sleep(30);
    check_equal(publications_of(subscription).length, 1, 'publications');
  });
  report.test('unsubscribe: many turns in one frame', async (context) => {
    const raw = await RawClient.connected(context, node);
    const commands = [];
    for (let id = 2; id < 62; id += 2) {
      commands.push({ id, subscribe: { channel: 'plain:turn' } },
        { id: id + 1, unsubscribe: { channel: 'plain:turn' } });
    }
    commands.push({ id: 62, subscribe: { channel: 'plain:turn' } },
      { id: 63, publish: { channel: 'plain:turn', data: 'mine' } });
    raw.send(...commands);
    const seen = [];
    while (seen.length < 63) {
      seen.push(await raw.next());
    }
    const replies = seen.filter((one) => one.id).sort((a, b) => a.id - b.id);
    check_equal(replies.map((one) => [one.id, one.error?.code]),
      commands.map((one) => [one.id, undefined]), 'the replies');
    check_equal(seen.filter((one) => one.push).map((one) => one.push.pub.data), ['mine'], 'pushes');
  });
}

function add_order(report, node) {
  report.test('subscribe: with connect in one frame', async (context) => {
    const raw = await RawClient.open(context, node);
    raw.send({ id: 1, connect: { name: 'js' } }, { id: 2, subscribe: { channel: 'plain:a', flag: 1 } },
      { id: 3, subscribe: { channel: 'plain:b', flag: 1 } },
      { id: 4, publish: { channel: 'plain:a', data: 'x' } });
    const seen = [];
    while (seen.length < 5) {
      seen.push(await raw.next());
    }
    check(seen[0].connect, `connect is answered first, not ${JSON.stringify(seen[0])}`);
    const at = (test) => seen.findIndex(test);
    check(at((one) => one.id === 2) < at((one) => one.push), 'a push before its subscribe reply');
    check_equal(seen.filter((one) => one.error), [], 'errors');
  });
  report.test('subscribe: what follows in the same frame finds it done', async (context) => {
    const raw = await RawClient.connected(context, node);
    const channel = unique('pub011:');
    const open = unique('open:');
    raw.send({ id: 2, subscribe: { channel } }, { id: 3, publish: { channel, data: 'mine' } },
      { id: 4, unsubscribe: { channel } }, { id: 5, publish: { channel, data: 'no more' } },
      { id: 6, subscribe: { channel: open } }, { id: 7, presence: { channel: open } },
      { id: 8, unsubscribe: { channel: open } }, { id: 9, presence_stats: { channel: open } });
    const replies = {};
    const pushes = [];
    while (Object.keys(replies).length < 8) {
      const got = await raw.next();
      if (got.id) {
        replies[got.id] = got;
      } else if (got.push.pub) {
        pushes.push(got.push.pub.data);
      }
    }
    check_equal(replies[3].error, undefined, 'publishing as a subscriber');
    check_equal(replies[5].error?.code, 103, 'publishing as no subscriber any more');
    check_equal(pushes, ['mine'], 'publications');
    check_equal(Object.keys(replies[7].presence.presence), [raw.id], 'presence');
    check_equal(replies[9].presence_stats, { num_clients: 0, num_users: 0 }, 'presence after it');
  });
  report.test('subscribe: before connect, by the client in one frame', async (context) => {
    const client = new_client(context, node);
    const subscriptions = Array.from({ length: 8 }, (_, i) => new_subscription(client, `plain:${i}`));
    subscriptions.forEach((one) => one.subscribe());
    client.connect();
    await Promise.all(subscriptions.map((one) => event_of(one.events, 'subscribed')));
  });
  report.test('subscribe: a subscriber of each shard hears each channel', async (context) => {
    const clients = await Promise.all(Array.from({ length: 24 }, () => open_client(context, node)));
    const channels = Array.from({ length: 8 }, (_, i) => `${unique('plain:')}${i}`);
    const all = await Promise.all(clients.flatMap((client) => channels
      .map((channel) => subscribed(client, channel))));
    await Promise.all(channels.map((channel, i) => clients[i].publish(channel, { channel })));
    await Promise.all(all.map((one) => event_of(one.events, 'publication')));
    await sleep(50);
    for (const one of all) {
      check_equal(publications_of(one).map((ctx) => ctx.data), [{ channel: one.channel }], 'data');
    }
    await eventually(async () => (await node.metric('roost_node_num_subscriptions')) >= 192,
      'the subscriptions in /metrics');
  });
}

export function add_subscribing(report, node) {
  add_permissions(report, node);
  add_subscription_tokens(report, node);
  add_limits(report, node);
  add_unsubscribing(report, node);
  add_order(report, node);
}
