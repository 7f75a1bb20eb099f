// SPDX-License-Identifier: Apache-2.0
// What a backend says is what clients get, by whichever proxy; and a backend that fails costs
// nobody but those who wait for it.
import {
  CLIENT_EVENTS, bytes_of, event_of, new_client, new_subscription, now_s, open_client, publications_of,
  record, subscribed, unique,
} from '../support/client.mjs';
import { Node } from '../support/node.mjs';
import { Report, STILL_MS_MAX, check, check_equal, eventually, sleep } from '../support/report.mjs';
import { Backend } from './backend.mjs';
import { CERTIFICATE } from './certificate.mjs';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const report = new Report();

// Data as the application of a client has it: bytes, where it speaks Protobuf.
function to(context, value) {
  return context.protocol === 'protobuf' ? bytes_of(value) : value;
}

function from(context, value) {
  return context.protocol === 'protobuf' ? JSON.parse(new TextDecoder().decode(value)) : value;
}

// `limits`: how long the node waits for the backends of some proxies.
function config_of(url, limits = {}) {
  const proxy = (kind, over = {}) => ({ endpoint: `${url}/${kind}`, timeout: limits[kind] ?? '60s', ...over });
  return {
    client: { proxy: {
      connect: proxy('connect', { enabled: true, http_headers: ['Cookie', 'X-Trusted'],
        emulated_headers: ['X-Emulated'],
        http: { static_headers: { 'X-Static': 'always' },
          status_to_code_transforms: [
            { status_code: 404, to_error: { code: 404, message: 'nobody', temporary: false } },
            { status_code: 403, to_disconnect: { code: 4503, reason: 'forbidden' } },
          ] } }),
      refresh: proxy('refresh', { enabled: true, include_connection_meta: true }),
    } },
    rpc: {
      proxy: proxy('rpc', { include_connection_meta: true }),
      without_namespace: { proxy_enabled: true },
      namespaces: [{ name: 'named', proxy_enabled: true, proxy_name: 'other' }, { name: 'off' }],
    },
    channel: {
      proxy: { subscribe: proxy('subscribe'), publish: proxy('publish') },
      namespaces: [
        { name: 'asked', subscribe_proxy_enabled: true, publish_proxy_enabled: true,
          presence: true, allow_presence_for_client: true, allow_presence_for_anonymous: true },
        { name: 'open', allow_subscribe_for_client: true, allow_subscribe_for_anonymous: true,
          allow_publish_for_client: true, allow_publish_for_anonymous: true },
      ],
    },
    proxies: [{ name: 'other', ...proxy('other', { binary_encoding: true }) }],
  };
}

// A node and its backend, for one case.
async function start(context, options = {}) {
  const backend = await Backend.start(context, options);
  const node = await Node.start(options.config?.(backend.url) ?? config_of(backend.url),
    { shards: 2 });
  context.defer(() => node.stop_cleanly());
  backend.on('/connect', { result: { user: 'ann' } });
  return { node, backend };
}

async function refused(client) {
  const events = record(client, CLIENT_EVENTS);
  client.connect();
  return events;
}

function add_connecting() {
  report.test('connect: the backend is told who comes and says who it is', async (context) => {
    const { node, backend } = await start(context);
    backend.on('/connect', { result: { user: 'ann', data: { hello: 'ann' }, info: { n: 1 } } });
    const client = new_client(context, node, { data: to(context, { a: 1 }), name: 'app', version: '7',
      headers: { 'X-Emulated': 'e', 'X-Trusted': 'me' } });
    const events = record(client, CLIENT_EVENTS);
    client.connect();
    check_equal((await event_of(events, 'connected')).data, { hello: 'ann' }, 'the data');
    const [{ method, headers, body }] = backend.asked('/connect');
    check_equal([method, headers['content-type'], headers['x-static'], headers['x-emulated'],
      headers['x-trusted']], ['POST', 'application/json', 'always', 'e', undefined], 'the head');
    check(UUID.test(body.client), `${body.client} is no client id`);
    check_equal({ ...body, client: '' }, { client: '', transport: 'websocket',
      protocol: context.protocol, encoding: 'json', data: { a: 1 }, name: 'app', version: '7' },
    'the request');
  });
  report.test('connect: errors, disconnects, statuses and silence', { still_ms_max: STILL_MS_MAX }, async (context) => {
    const { node, backend } = await start(context, { config: (url) => config_of(url, { connect: '500ms' }) });
    const cases = [
      [{ error: { code: 1000, message: 'custom' } }, 'disconnected', [1000, 'custom']],
      [{ disconnect: { code: 4500, reason: 'away' } }, 'disconnected', [4500, 'away']],
      [({ response }) => { response.writeHead(404).end(); }, 'disconnected', [404, 'nobody']],
      [({ response }) => { response.writeHead(403).end(); }, 'disconnected', [4503, 'forbidden']],
      [{}, 'disconnected', [3501, 'bad request']],
      [({ response }) => { response.writeHead(500).end('{}'); }, 'error', 100],
      [({ socket }) => { socket.destroy(); }, 'error', 100],
      [() => new Promise(() => {}), 'error', 100],
      [{ result: { user: 'ann', caps: [] } }, 'error', 100],
    ];
    for (const [answer, event, expected] of cases) {
      backend.on('/connect', answer);
      const client = new_client(context, node);
      const ctx = await event_of(await refused(client), event);
      const seen = event === 'error' ? ctx.error.code : [ctx.code, ctx.reason];
      check_equal(seen, expected, 'what the client is told');
      client.disconnect();
    }
    check(await node.metric('roost_proxy_errors', 'type="connect"') >= 4, 'they are counted');
  });
  report.test('connect: a token needs no backend', async (context) => {
    const { node, backend } = await start(context);
    const client = new_client(context, node, { token: 'none' });
    await event_of(await refused(client), 'disconnected');
    check_equal(backend.requests.length, 0, 'requests');
  });
  report.test('connect: https, and only to whom it is', async (context) => {
    const config = (url, tls) => ({ client: { proxy: { connect: { enabled: true,
      endpoint: `${url}/connect`, http: { tls } } } } });
    const trusted = { enabled: true, server_ca_pem: CERTIFICATE };
    const { node, backend } = await start(context, { tls: true,
      config: (url) => config(url, trusted) });
    await open_client(context, node);
    await open_client(context, node);
    for (const tls of [{ enabled: false }, { ...trusted, server_name: 'other' }]) {
      const wary = await Node.start(config(backend.url, tls), { shards: 1 });
      context.defer(() => wary.stop_cleanly());
      const client = new_client(context, wary);
      check_equal((await event_of(await refused(client), 'error')).error.code, 100, 'the error');
      client.disconnect();
    }
    check_equal(backend.asked('/connect').length, 2, 'requests that arrived');
  });
  report.test('refresh: the backend prolongs, and ends', { still_ms_max: 1000 }, async (context) => {
    const { node, backend } = await start(context);
    backend.on('/connect', () => ({ result: { user: 'ann', expire_at: now_s() + 3,
      meta: { secret: 1 } } }));
    backend.on('/refresh', () => (backend.asked('/refresh').length < 2
      ? { result: { expire_at: now_s() + 3 } } : { result: { expired: true } }));
    const client = await open_client(context, node);
    const ctx = await event_of(client.events, 'connecting', 2);
    check_equal([ctx.code, ctx.reason], [3005, 'connection expired'], 'the end');
    const asked = backend.asked('/refresh');
    check_equal([asked.length, asked[0].body.user, asked[0].body.meta], [2, 'ann', { secret: 1 }],
      'the requests');
    client.disconnect();
  });
}

function add_commands() {
  report.test('rpc: to the proxy of its namespace, in order, over kept connections',
    async (context) => {
      const { node, backend } = await start(context);
      backend.on('/rpc', async ({ body }) => {
        await sleep(body.data.n % 2 === 0 ? 20 : 0);
        return { result: { data: { n: body.data.n, user: body.user } } };
      });
      backend.on('/other', ({ body }) => ({ result: { b64data: body.b64data } }));
      const client = await open_client(context, node);
      const done = [];
      await Promise.all(Array.from({ length: 20 }, async (_, n) => {
        const { data } = await client.rpc('do', { n });
        check_equal(from(context, data), { n, user: 'ann' }, 'the answer');
        done.push(n);
      }));
      check_equal(done, Array.from({ length: 20 }, (_, n) => n), 'the order');
      check_equal(backend.asked('/rpc').map(({ body }) => body.data.n), done, 'as asked');
      check(backend.sockets.size <= 3, `${backend.sockets.size} connections`);
      const { data } = await client.rpc('named:x', { bytes: 'é' });
      check_equal(from(context, data), { bytes: 'é' }, 'base64');
      for (const method of ['off:x', 'unknown:x']) {
        const error = await client.rpc(method, {}).then(() => null, (reason) => reason);
        check_equal(error?.code, 104, `the error of ${method}`);
      }
    });
  report.test('subscribe: the backend says who may, and as whom', async (context) => {
    const { node, backend } = await start(context);
    backend.on('/subscribe', ({ body }) => (body.channel.endsWith('no')
      ? { error: { code: 403, message: 'not you' } }
      : { result: { info: { role: 'r' }, data: { welcome: body.user } } }));
    const client = await open_client(context, node);
    const channel = unique('asked:');
    const subscription = new_subscription(client, channel, { data: to(context, { why: 1 }) });
    const told = record(subscription, ['subscribed']);
    subscription.subscribe();
    check_equal((await event_of(told, 'subscribed')).data, { welcome: 'ann' }, 'the data');
    check_equal(backend.asked('/subscribe')[0].body.data, { why: 1 }, 'what was asked');
    const { clients } = await client.presence(channel);
    check_equal(clients[client.id].chan_info, { role: 'r' }, 'the info');
    const other = new_subscription(client, 'asked:no');
    const end = record(other, ['unsubscribed']);
    other.subscribe();
    const ctx = await event_of(end, 'unsubscribed');
    check_equal([ctx.code, ctx.reason], [403, 'not you'], 'the refusal');
  });
  report.test('publish: the backend changes, tags and refuses', async (context) => {
    const { node, backend } = await start(context);
    backend.on('/publish', ({ body }) => (body.data.bad
      ? { error: { code: 400, message: 'bad' } }
      : { result: { data: { ...body.data, by: body.user }, tags: { t: '1' } } }));
    const client = await open_client(context, node);
    const subscription = await subscribed(client, unique('asked:'));
    await subscription.publish({ text: 'hi' });
    await eventually(() => publications_of(subscription).length === 1, 'the publication');
    const [got] = publications_of(subscription);
    check_equal([got.data, got.tags], [{ text: 'hi', by: 'ann' }, { t: '1' }], 'it');
    const error = await subscription.publish({ bad: 1 }).then(() => null, (reason) => reason);
    check_equal([error?.code, error?.message], [400, 'bad'], 'the refusal');
  });
}

// While some wait for a backend that is silent, floods or breaks off, others chat.
function add_failing() {
  const ways = {
    'is silent': () => new Promise(() => {}),
    'floods': ({ response }) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write(Buffer.alloc(256 * 1024)), 1);
      response.on('close', () => clearInterval(timer));
      response.on('error', () => {});
    },
    'breaks off': ({ response, socket }) => {
      response.writeHead(200, { 'Content-Length': 1000 });
      response.write('{"result":');
      setTimeout(() => socket.destroy(), 5);
    },
    'speaks another language': ({ socket }) => {
      socket.write('220 smtp.example.org ESMTP\r\n\r\n');
    },
  };
  for (const [name, way] of Object.entries(ways)) {
    report.test(`a backend that ${name} holds up nobody else`, async (context) => {
      const { node, backend } = await start(context, { config: (url) => config_of(url, { other: '300ms' }) });
      backend.on('/other', way);
      const waiting = await Promise.all(Array.from({ length: 30 },
        () => open_client(context, node)));
      const chatting = await open_client(context, node);
      const subscription = await subscribed(chatting, unique('open:'));
      const calls = waiting.map((client) => client.rpc('named:x', {}).then(() => 0,
        (error) => error.code));
      for (let i = 0; i < 100; i += 1) {
        await subscription.publish({ i });
      }
      await eventually(() => publications_of(subscription).length === 100, 'what was published');
      check_equal(new Set(await Promise.all(calls)), new Set([100]), 'the errors');
      check(await node.metric('roost_proxy_errors', 'type="rpc"') >= 30, 'they are counted');
      check_equal(await node.metric('roost_proxy_inflight_requests'), 0, 'requests under way');
      backend.on('/other', { result: {} });
      await eventually(() => waiting[0].rpc('named:x', {}), 'an answer of a good backend');
    });
  }
}

for (const protocol of ['json', 'protobuf']) {
  report.speak(protocol);
  add_connecting();
  add_commands();
}
report.speak('json');
add_failing();
await report.run({ concurrency: 4 });
report.exit();
