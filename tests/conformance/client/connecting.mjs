// SPDX-License-Identifier: Apache-2.0
// Connecting: who is let in, with which token, what is told, and how it ends.
import {
  CLIENT_EVENTS, RawClient, connected, cut, event_of, make_token, new_client, now_s, open_client,
  open_user, record, subscribed, unique,
} from '../support/client.mjs';
import { WAIT_MS_MAX, check, check_equal, eventually, sleep } from '../support/report.mjs';
import { start_for } from './nodes.mjs';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

// The user that a client is to the others.
async function user_of(client) {
  const channel = unique('open:who');
  await subscribed(client, channel);
  return (await client.presence(channel)).clients[client.id];
}

async function expect_refused(client, code, reason) {
  client.connect();
  const ctx = await event_of(client.events, 'disconnected');
  check_equal([ctx.code, ctx.reason], [code, reason], 'the disconnect');
}

function add_identity(report, node) {
  report.test('connect: anonymous', async (context) => {
    const client = await open_client(context, node);
    check(UUID.test(client.id), `the client id ${client.id} is no UUIDv4`);
    check_equal(await user_of(client), { client: client.id, user: '' }, 'the info');
  });
  report.test('connect: each connection has an id of its own', async (context) => {
    const ids = new Set();
    for (let i = 0; i < 20; i += 1) {
      ids.add((await open_client(context, node)).id);
    }
    check_equal(ids.size, 20, 'different ids');
  });
  report.test('connect: a token names the user', async (context) => {
    const client = await open_user(context, node, 'ann');
    check_equal(await user_of(client), { client: client.id, user: 'ann' }, 'the info');
  });
  report.test('connect: a token brings info', async (context) => {
    const info = { name: 'Ann ❤', tags: [1, 2.5, null, true], deep: { a: {} } };
    const client = await open_user(context, node, 'ann', { claims: { info } });
    const { user, conn_info } = await user_of(client);
    check_equal([user, conn_info], ['ann', info], 'the info');
  });
  report.test('connect: a token with info in base64', async (context) => {
    const b64info = Buffer.from('{"name":"Ann"}').toString('base64');
    const client = await open_user(context, node, 'ann', { claims: { b64info } });
    check_equal((await user_of(client)).conn_info, { name: 'Ann' }, 'the info');
  });
  report.test('connect: a token without sub is anonymous', async (context) => {
    const client = await open_client(context, node, { token: make_token({}) });
    check_equal((await user_of(client)).user, '', 'the user');
  });
  report.test('connect: a user id of many characters', async (context) => {
    const user = 'ü€𐍈 "<&>\\\t'.repeat(10);
    const client = await open_user(context, node, user);
    check_equal((await user_of(client)).user, user, 'the user');
  });
  report.test('connect: the token comes from getToken', async (context) => {
    let asked = 0;
    const client = await open_client(context, node, {
      getToken: async () => {
        asked += 1;
        return make_token({ sub: 'got' });
      },
    });
    check_equal([(await user_of(client)).user, asked], ['got', 1], 'user and questions');
  });
}

function add_tokens(report, node) {
  report.test('token: expired, then a fresh one from getToken', async (context) => {
    const client = await open_client(context, node, {
      token: make_token({ sub: 'ann', exp: now_s() - 10 }),
      getToken: async () => make_token({ sub: 'ann', exp: now_s() + 100 }),
    });
    check_equal((await user_of(client)).user, 'ann', 'the user');
  });
  report.test('token: expired is error 109', async (context) => {
    const raw = await RawClient.open(context, node);
    const token = make_token({ sub: 'ann', exp: now_s() - 1 });
    check_equal(await raw.call({ id: 1, connect: { token } }),
      { id: 1, error: { code: 109, message: 'token expired' } }, 'the reply');
    raw.send({ id: 2, connect: {} });
    const code = await raw.closed();
    check([3501, 3502].includes(code), `a command after it ended with ${code}`);
  });
  report.test('token: not valid yet (nbf) is error 109', async (context) => {
    const raw = await RawClient.open(context, node);
    const token = make_token({ sub: 'ann', nbf: now_s() + 100 });
    check_equal((await raw.call({ id: 1, connect: { token } })).error?.code, 109, 'the code');
  });
  const good = make_token({ sub: 'ann' });
  const [head, claims, signature] = good.split('.');
  const flipped = signature.replace(/^./, (one) => (one === 'A' ? 'B' : 'A'));
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  const bad = {
    'another key': make_token({ sub: 'ann' }, { key: 'not the key' }),
    'an empty key': make_token({ sub: 'ann' }, { key: '' }),
    'a flipped bit': `${head}.${claims}.${flipped}`,
    'other claims': `${head}.${Buffer.from('{"sub":"eve"}').toString('base64url')}.${signature}`,
    'no signature': `${head}.${claims}.`,
    'two parts': `${head}.${claims}`,
    'four parts': `${good}.x`,
    'padding': `${good}=`,
    'alg none': `${none}.${claims}.`,
    'alg none with a signature': `${none}.${claims}.${signature}`,
    'alg RS256': make_token({ sub: 'ann' }, { alg: 'RS256' }),
    'alg in lower case': make_token({ sub: 'ann' }, { alg: 'hs256' }),
    'a channel claim': make_token({ sub: 'ann', channel: 'x' }),
    'claims that are no object': make_token('[1]'),
    'sub that is no string': make_token('{"sub":{}}'),
    'exp that is no number': make_token('{"sub":"ann","exp":"soon"}'),
    'garbage': 'garbage',
    'dots': '...',
  };
  for (const [name, token] of Object.entries(bad)) {
    report.test(`token: ${name} is 3500`, async (context) => {
      await expect_refused(new_client(context, node, { token }), 3500, 'invalid token');
    });
  }
}

function add_doors(report, node) {
  report.test('connect: without credentials is 3501', async (context) => {
    const strict = await start_for(context,
      { client: { allow_anonymous_connect_without_token: false } });
    await expect_refused(new_client(context, strict), 3501, 'bad request');
    const client = await open_user(context, strict, 'ann');
    check_equal((await user_of(client)).user, 'ann', 'the user with a token');
  });
  report.test('connect: tokens without sub may be disallowed (3507)', async (context) => {
    const strict = await start_for(context,
      { client: { disallow_anonymous_connection_tokens: true } });
    await expect_refused(new_client(context, strict, { token: make_token({}) }), 3507,
      'permission denied');
  });
  report.test('connect: without a key no token is valid', async (context) => {
    const keyless = await start_for(context, { client: { token: { hmac_secret_key: '' } } });
    await expect_refused(new_client(context, keyless, { token: make_token({ sub: 'a' }) }), 3500,
      'invalid token');
    await expect_refused(new_client(context, keyless,
      { token: make_token({ sub: 'a' }, { key: '' }) }), 3500, 'invalid token');
  });
  report.test('connect: insecure allows what needs permission', async (context) => {
    const insecure = await start_for(context, {
      client: { insecure: true, allow_anonymous_connect_without_token: false } });
    const client = await open_client(context, insecure);
    const subscription = await subscribed(client, 'closed:x');
    await subscription.publish({ a: 1 });
    check_equal((await event_of(subscription.events, 'publication')).data, { a: 1 }, 'the data');
    const user = await open_user(context, insecure, 'ann');
    await subscribed(user, 'open:x');
    check_equal((await user.presence('open:x')).clients[user.id].user, 'ann', 'the user');
  });
  report.test('connect: a node can tell its time', async (context) => {
    const timed = await start_for(context, { client: { connect_include_server_time: true } });
    const raw = await RawClient.open(context, timed);
    const { connect } = await raw.call({ id: 1, connect: {} });
    check(Math.abs(connect.time - Date.now()) < WAIT_MS_MAX, `the time ${connect.time}`);
  });
  report.test('connect: a user id from a header of the proxy', async (context) => {
    const proxied = await start_for(context, {
      client: { user_id_http_header: 'X-User', allow_anonymous_connect_without_token: false } });
    const raw = await RawClient.connected(context, proxied, { headers: { 'x-user': 'bob' } });
    await raw.call({ id: 2, subscribe: { channel: 'open:h' } });
    const { presence } = await raw.call({ id: 3, presence: { channel: 'open:h' } });
    check_equal(presence.presence[raw.id].user, 'bob', 'the user');
  });
}

function add_life(report, node) {
  report.test('connect: connect, disconnect, connect again', async (context) => {
    const client = await open_client(context, node);
    const first = client.id;
    client.disconnect();
    check_equal((await event_of(client.events, 'disconnected')).code, 0, 'the code');
    client.connect();
    const again = await event_of(client.events, 'connected', 2);
    check(again.client !== first, 'the same id twice');
  });
  report.test('connect: disconnected before the reply leaves nothing', async (context) => {
    const before = await node.metric('roost_node_num_clients');
    const clients = Array.from({ length: 20 }, () => new_client(context, node));
    for (const client of clients) {
      const subscription = client.newSubscription('open:leak');
      subscription.subscribe();
      client.connect();
    }
    await sleep(5);
    clients.forEach((client) => client.disconnect());
    const watcher = await open_client(context, node);
    await subscribed(watcher, 'open:leak');
    await eventually(async () => (await watcher.presenceStats('open:leak')).numClients === 1,
      'presence of the watcher alone');
    watcher.disconnect();
    await eventually(async () => (await node.metric('roost_node_num_clients')) <= before,
      'as many clients as before');
  });
  report.test('connect: the client reconnects after its socket is cut', async (context) => {
    const client = await open_client(context, node);
    const subscription = await subscribed(client, unique('open:cut'));
    cut(client);
    await event_of(client.events, 'connected', 2);
    await event_of(subscription.events, 'subscribed', 2);
    await subscription.publish(1);
    await event_of(subscription.events, 'publication');
  });
  report.test('connect: SIGTERM is 3001, and clients come back to the next node', async (context) => {
    const first = await start_for(context, {});
    const client = await open_client(context, first);
    const events = record(client, CLIENT_EVENTS);
    const subscription = await subscribed(client, 'open:restart');
    check_equal((await first.stop()).code, 0, 'the exit code of the node');
    const { code, reason } = await event_of(events, 'connecting');
    check_equal([code, reason], [3001, 'shutdown'], 'what the client is told');
    await start_for(context, {}, { port: first.port });
    await event_of(events, 'connected');
    await event_of(subscription.events, 'subscribed', 2);
    await subscription.publish('again');
    check_equal((await event_of(subscription.events, 'publication')).data, 'again', 'the data');
  });
  report.test('connect: commands of connected() and many at once', async (context) => {
    const clients = await Promise.all(Array.from({ length: 100 },
      () => connected(new_client(context, node))));
    check_equal(new Set(clients.map((client) => client.id)).size, 100, 'different ids');
  });
}

export function add_connecting(report, node) {
  add_identity(report, node);
  add_tokens(report, node);
  add_doors(report, node);
  add_life(report, node);
}
