// SPDX-License-Identifier: Apache-2.0
// Tokens that were revoked and users that were blocked, as clients of npm centrifuge meet it.
import {
  event_of, make_token, new_client, new_subscription, now_s, open_client, open_user, subscribed,
  unique,
} from '../support/client.mjs';
import { check_equal, eventually } from '../support/report.mjs';

function open_with(context, node, claims) {
  return open_client(context, node, { token: make_token(claims) });
}

async function is_ended(client, code) {
  check_equal((await event_of(client.events, 'disconnected')).code, code, 'the end');
}

async function is_refused(context, node, claims, code) {
  const client = new_client(context, node, { token: make_token(claims) });
  client.connect();
  await is_ended(client, code); // Where a shard hears of it only then, at once.
}

function names_of(events) {
  return events.map(([name]) => name);
}

function add_blocks(report, node) {
  report.test('block: the user is out until the block is lifted', async (context) => {
    const [user, other] = [unique('user'), unique('user')];
    const clients = [await open_user(context, node, user), await open_user(context, node, user)];
    const stays = await open_user(context, node, other);
    const nobody = await open_client(context, node);
    await subscribed(clients[0], unique('plain:'));
    await node.api_result('block_user', { user });
    for (const client of clients) {
      await is_ended(client, 3507);
    }
    await is_refused(context, node, { sub: user, jti: unique('t') }, 3507);
    await open_user(context, node, other);
    check_equal([stays.state, nobody.state], ['connected', 'connected'], 'others');
    await node.api_result('unblock_user', { user });
    // Shards hear of it one after the other.
    await eventually(async () => {
      const client = new_client(context, node, { token: make_token({ sub: user }) });
      client.connect();
      return new Promise((resolve) => {
        client.on('connected', () => resolve(true));
        client.on('disconnected', () => resolve(false));
      });
    }, 'the user may come again');
  });
  report.test('block: what is under way of the user is cut off', async (context) => {
    const user = unique('user');
    const channel = unique('stream:');
    const blocked = await subscribed(await open_user(context, node, user), channel);
    const watcher = await subscribed(await open_client(context, node), channel);
    await node.api_result('publish', { channel, data: 'before' });
    await event_of(blocked.events, 'publication');
    await node.api_result('block_user', { user });
    const { info } = await event_of(watcher.events, 'leave');
    check_equal(info.user, user, 'who left');
    await node.api_result('publish', { channel, data: 'after' });
    await event_of(watcher.events, 'publication', 2);
    check_equal(names_of(blocked.events).filter((name) => name === 'publication').length, 1,
      'what the blocked user heard');
  });
}

function add_revocations(report, node) {
  report.test('revoke: a token by its id', async (context) => {
    const user = unique('user');
    const claims = { sub: user, jti: unique('token') };
    const clients = [await open_with(context, node, claims),
      await open_with(context, node, claims)];
    const stays = await open_with(context, node, { sub: user, jti: unique('token') });
    await node.api_result('revoke_token', { uid: claims.jti });
    for (const client of clients) {
      await is_ended(client, 3500);
    }
    await is_refused(context, node, claims, 3500);
    check_equal(stays.state, 'connected', 'the same user with another token');
  });
  report.test('revoke: a refresh brings another token, or the revoked one', { still_ms_max: 1000 }, async (context) => {
    const user = unique('user');
    const [old, fresh] = [unique('token'), unique('token')];
    let asked = 0;
    const options = (jti, then) => ({
      token: make_token({ sub: user, jti, exp: now_s() + 3 }),
      getToken: async () => {
        asked += 1;
        return make_token({ sub: user, jti: then, exp: now_s() + 600 });
      },
    });
    const good = await open_client(context, node, options(old, fresh));
    await eventually(async () => {
      const { connections } = await node.api_result('connections', { user });
      return Object.values(connections).some(({ state }) => state.connection_token.uid === fresh);
    }, 'the refresh');
    const bad = await open_client(context, node, options(fresh, old));
    await node.api_result('revoke_token', { uid: old });
    await is_ended(bad, 3500);
    check_equal(asked, 2, 'tokens');
    check_equal(good.state, 'connected', 'the one that has left the token behind');
  });
  report.test('revoke: a user\'s tokens of before', async (context) => {
    const user = unique('user');
    const at = now_s() - 1000;
    const older = await open_with(context, node, { sub: user, iat: at - 1 });
    const undated = await open_with(context, node, { sub: user });
    const newer = await open_with(context, node, { sub: user, iat: at });
    const other = await open_with(context, node, { sub: unique('user'), iat: at - 1 });
    await node.api_result('invalidate_user_tokens', { user, issued_before: at });
    await is_ended(older, 3500);
    await is_ended(undated, 3500);
    await is_refused(context, node, { sub: user, iat: at - 1 }, 3500);
    await open_with(context, node, { sub: user, iat: at });
    check_equal([newer.state, other.state], ['connected', 'connected'], 'others');
    await node.api_result('invalidate_user_tokens', { user });
    await is_ended(newer, 3500);
  });
}

// A subscription whose tokens have the ids of this list, the last one as often as asked.
async function subscribed_with(client, user, channel, ids) {
  const left = [...ids];
  const subscription = new_subscription(client, channel, {
    minResubscribeDelay: 50,
    getToken: async () => {
      const id = left.length > 1 ? left.shift() : left[0];
      return make_token({ sub: user, channel, ...id });
    },
  });
  subscription.subscribe();
  await event_of(subscription.events, 'subscribed');
  return subscription;
}

function add_subscriptions(report, node) {
  const at = now_s() - 1000;
  const rows = {
    'by its id': (user, channel, jti) => ['revoke_token', { uid: jti }],
    'by user and channel': (user, channel) => ['invalidate_user_tokens',
      { user, channel, issued_before: at }],
  };
  for (const [name, call_of] of Object.entries(rows)) {
    report.test(`revoke: a subscription's token ${name}`, async (context) => {
      const user = unique('user');
      const [channel, another] = [unique('closed:'), unique('closed:')];
      const jti = unique('token');
      const old = { jti, iat: at - 1 };
      const client = await open_user(context, node, user, { claims: { iat: at - 1 } });
      const one = await subscribed_with(client, user, channel, [old, { iat: at }]);
      const refused = await subscribed_with(await open_user(context, node, user), user, channel,
        [old]);
      const stays = await subscribed_with(client, user, another, [{ iat: at - 1 }]);
      await node.api_result(...call_of(user, channel, jti));
      check_equal((await event_of(one.events, 'subscribing', 2)).code, 2502, 'what it is told');
      await event_of(one.events, 'subscribed', 2);
      check_equal((await event_of(refused.events, 'unsubscribed')).code, 103,
        'who has no other token');
      await node.api_result('publish', { channel, data: 'heard' });
      check_equal((await event_of(one.events, 'publication')).data, 'heard', 'by the other');
      check_equal(names_of(stays.events), ['subscribing', 'subscribed'], 'another channel');
      check_equal(client.state, 'connected', 'the connection');
    });
  }
}

function add_refusals(report, node) {
  const wrong = [
    ['block_user', {}],
    ['block_user', { user: '' }],
    ['block_user', { user: 'x', expire_at: 1 }],
    ['revoke_token', {}],
    ['revoke_token', { uid: '', expire_at: 0 }],
    ['revoke_token', { uid: 'x'.repeat(100_000) }],
    ['invalidate_user_tokens', { channel: 'plain:x' }],
    ['invalidate_user_tokens', { user: 'x', issued_before: -1 }],
    ['invalidate_user_tokens', { user: 'x', channel: `plain:${'x'.repeat(1000)}` }],
  ];
  report.test('revoke: what names nobody is refused (107)', async () => {
    for (const [method, params] of wrong) {
      const text = JSON.stringify(params).slice(0, 80);
      check_equal((await node.api(method, params)).error?.code, 107, `${method} ${text}`);
    }
  });
}

export function add_keeping_out(report, node) {
  add_blocks(report, node);
  add_revocations(report, node);
  add_subscriptions(report, node);
  if (report.protocol === 'json' && report.transport === 'websocket') {
    add_refusals(report, node);
  }
}
