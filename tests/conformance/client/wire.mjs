// SPDX-License-Identifier: Apache-2.0
// What is on the wire, byte by byte: which fields are written, framing, and what breaks a
// connection.
import {
  RawClient, make_token, now_s, unique,
} from '../support/client.mjs';
import { RawSocket, RawWebSocket, upgrade_request } from '../support/raw_websocket.mjs';
import { check, check_equal } from '../support/report.mjs';

const ID = '[0-9a-f-]{36}';

async function expect_line(raw, pattern) {
  const line = await raw.next_line();
  check(pattern.test(line), `expected ${pattern}, got ${line}`);
}

function escaped(text) {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function add_replies(report, node) {
  report.test('wire: connect', async (context) => {
    const raw = await RawClient.open(context, node);
    raw.send({ id: 1, connect: {} });
    await expect_line(raw, new RegExp(`^\\{"id":1,"connect":\\{"client":"${ID}","version":"[^"]+",`
      + '"ping":25,"pong":true\\}\\}$'));
  });
  report.test('wire: connect with a token that expires', async (context) => {
    const raw = await RawClient.open(context, node);
    raw.send({ id: 4294967295, connect: { token: make_token({ sub: 'a', exp: now_s() + 60 }) } });
    await expect_line(raw, new RegExp(`^\\{"id":4294967295,"connect":\\{"client":"${ID}",`
      + '"version":"[^"]+","expires":true,"ttl":(59|60),"ping":25,"pong":true\\}\\}$'));
  });
  report.test('wire: zero values are left out', async (context) => {
    const raw = await RawClient.connected(context, node);
    const channel = unique('open:');
    const name = escaped(channel);
    raw.send({ id: 2, subscribe: { channel } });
    await expect_line(raw, /^\{"id":2,"subscribe":\{\}\}$/);
    await expect_line(raw, new RegExp(`^\\{"push":\\{"channel":"${name}","join":\\{"info":`
      + `\\{"user":"","client":"${raw.id}"\\}\\}\\}\\}$`));
    raw.send({ id: 3, presence: { channel } });
    await expect_line(raw, new RegExp(`^\\{"id":3,"presence":\\{"presence":\\{"${raw.id}":`
      + `\\{"user":"","client":"${raw.id}"\\}\\}\\}\\}$`));
    raw.send({ id: 4, presence_stats: { channel } });
    await expect_line(raw, /^\{"id":4,"presence_stats":\{"num_clients":1,"num_users":1\}\}$/);
    raw.send({ id: 5, presence_stats: { channel: unique('open:') } });
    await expect_line(raw, /^\{"id":5,"presence_stats":\{"num_clients":0,"num_users":0\}\}$/);
    raw.send({ id: 6, presence: { channel: unique('open:') } });
    await expect_line(raw, /^\{"id":6,"presence":\{"presence":\{\}\}\}$/);
    raw.send({ id: 7, unsubscribe: { channel } });
    await expect_line(raw, /^\{"id":7,"unsubscribe":\{\}\}$/);
    raw.send({ id: 8, publish: { channel, data: {} } });
    await expect_line(raw, /^\{"id":8,"publish":\{\}\}$/);
    raw.send({ id: 9, rpc: { method: 'x' } });
    await expect_line(raw, /^\{"id":9,"error":\{"code":108,"message":"not available"\}\}$/);
  });
  report.test('wire: a publication of a client and of the API', async (context) => {
    const raw = await RawClient.connected(context, node,
      { connect: { token: make_token({ sub: 'ann', info: { a: 1 } }) } });
    const channel = unique('plain:');
    const name = escaped(channel);
    await raw.call({ id: 2, subscribe: { channel } });
    await node.api_result('publish', { channel, data: { x: 1 } });
    await expect_line(raw,
      new RegExp(`^\\{"push":\\{"channel":"${name}","pub":\\{"data":\\{"x": ?1\\}\\}\\}\\}$`));
    const publisher = await RawClient.connected(context, node,
      { connect: { token: make_token({ sub: 'bob', info: { b: 2 } }) } });
    await publisher.call({ id: 2, publish: { channel, data: 7 } });
    await expect_line(raw, new RegExp(`^\\{"push":\\{"channel":"${name}","pub":\\{"data":7,"info":`
      + `\\{"user":"bob","client":"${publisher.id}","conn_info":\\{"b":2\\}\\}\\}\\}\\}$`));
  });
  report.test('wire: a server unsubscribe', async (context) => {
    const user = unique('user-');
    const raw = await RawClient.connected(context, node,
      { connect: { token: make_token({ sub: user }) } });
    const channel = unique('plain:');
    await raw.call({ id: 2, subscribe: { channel } });
    await node.api_result('unsubscribe', { user, channel });
    check_equal(await raw.next_line(), `{"push":{"channel":"${channel}","unsubscribe":`
      + '{"code":2000,"reason":"server unsubscribe"}}}', 'the push');
  });
  report.test('wire: errors', async (context) => {
    const raw = await RawClient.connected(context, node);
    const errors = [
      [{ subscribe: { channel: 'unknown:x' } }, 102, 'unknown channel'],
      [{ subscribe: { channel: 'closed:x' } }, 103, 'permission denied'],
      [{ subscribe: { channel: 'x'.repeat(300) } }, 107, 'bad request'],
      [{ presence: { channel: 'plain:x' } }, 108, 'not available'],
      [{ history: { channel: 'plain:x' } }, 108, 'not available'],
    ];
    for (const [i, [command, code, message]] of errors.entries()) {
      raw.send({ id: i + 2, ...command });
      check_equal(await raw.next_line(),
        JSON.stringify({ id: i + 2, error: { code, message } }), 'the reply');
    }
  });
}

function add_framing(report, node) {
  report.test('wire: a trailing line break, null fields, unknown fields', async (context) => {
    const raw = await RawClient.open(context, node);
    raw.send_text('{"id":1,"connect":{"token":null,"unknown":{"a":[1]},"data":null},"more":[]}\n');
    check((await raw.next()).connect, 'connect');
    raw.send_text('{"id":2,"subscribe":{"channel":"plain:x","epoch":null}}\n'
      + '{"subscribe":null,"presence_stats":{"channel":"open:x"},"id":3}\n');
    const replies = [await raw.next(), await raw.next()].sort((a, b) => a.id - b.id);
    check_equal(replies[0], { id: 2, subscribe: {} }, 'the subscribe');
    check_equal(replies[1].id, 3, 'the second');
  });
  report.test('wire: escapes in names', async (context) => {
    const raw = await RawClient.connected(context, node);
    raw.send_text('{"\\u0069d":2,"subscribe":{"chann\\u0065l":"plain:\\u0061\\/b"}}');
    check_equal(await raw.next(), { id: 2, subscribe: {} }, 'the subscribe');
    await node.api_result('publish', { channel: 'plain:a/b', data: 1 });
    check_equal((await raw.next()).push.channel, 'plain:a/b', 'the channel');
  });
  report.test('wire: commands in a binary frame', async (context) => {
    const raw = await RawClient.open(context, node);
    raw.ws.send(2, '{"id":1,"connect":{}}');
    check((await raw.next()).connect, 'connect');
  });
  report.test('wire: a frame in fragments with a ping between', async (context) => {
    const raw = await RawClient.open(context, node);
    raw.ws.send(1, '{"id":1,"con', { fin: false });
    raw.ws.send(9, 'x');
    raw.ws.send(0, 'nect":{}}', { fin: true });
    check((await raw.next()).connect, 'connect');
  });
  report.test('wire: the first of several requests wins', async (context) => {
    const raw = await RawClient.connected(context, node);
    raw.send_text('{"id":2,"rpc":{"method":"x"},"subscribe":{"channel":"plain:x"}}');
    check_equal(await raw.next(), { id: 2, subscribe: {} }, 'the reply');
  });
  report.test('wire: 100 commands in one frame are answered', async (context) => {
    const raw = await RawClient.connected(context, node);
    raw.send(...Array.from({ length: 100 }, (_, i) => (
      { id: i + 2, presence_stats: { channel: `open:${i}` } })));
    const ids = [];
    while (ids.length < 100) {
      ids.push((await raw.next()).id);
    }
    check_equal(ids.sort((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i + 2), 'the ids');
  });
}

// What ends a connection that is connected (or not, where the name says so).
function add_breaks(report, node) {
  const after_connect = {
    'an empty line': '\n',
    'a blank': ' ',
    'garbage': 'garbage',
    'half an object': '{"id":2,"subscribe":{"channel":"plain:x"}',
    'an array': '[]',
    'a string': '"x"',
    'null': 'null',
    'a trailing comma': '{"id":2,}',
    'a bad command behind a good one': '{"id":2,"rpc":{}}\n{',
    'id 0': '{"id":0,"subscribe":{"channel":"plain:x"}}',
    'no id': '{"subscribe":{"channel":"plain:x"}}',
    'a negative id': '{"id":-1,"subscribe":{"channel":"plain:x"}}',
    'an id that is too large': '{"id":4294967296,"subscribe":{"channel":"plain:x"}}',
    'an id that is no integer': '{"id":1.5,"subscribe":{"channel":"plain:x"}}',
    'an id in a string': '{"id":"2","subscribe":{"channel":"plain:x"}}',
    'a channel that is no string': '{"id":2,"subscribe":{"channel":5}}',
    'a second connect': '{"id":2,"connect":{}}',
    'an unsolicited pong': '{}',
    'an id and nothing else': '{"id":2}',
    'an unknown command': '{"id":2,"fly":{}}',
    'ping': '{"id":2,"ping":{}}',
    'an empty channel to subscribe to': '{"id":2,"subscribe":{"channel":""}}',
    'an empty channel to unsubscribe from': '{"id":2,"unsubscribe":{"channel":""}}',
    'an empty channel to publish to': '{"id":2,"publish":{"channel":"","data":1}}',
    'an empty channel to see the presence of': '{"id":2,"presence":{"channel":""}}',
    'refresh without a token': '{"id":2,"refresh":{"token":""}}',
    'an unknown delta': '{"id":2,"subscribe":{"channel":"plain:x","delta":"other"}}',
  };
  for (const [name, text] of Object.entries(after_connect)) {
    report.test(`wire: ${name} is 3501`, async (context) => {
      const raw = await RawClient.connected(context, node);
      raw.send_text(text);
      check_equal(await raw.closed(), 3501, 'the code');
      check_equal(raw.close.reason, 'bad request', 'the reason');
    });
  }
  const before_connect = {
    'garbage': 'garbage',
    'an empty object': '{}',
    'subscribe': '{"id":1,"subscribe":{"channel":"plain:x"}}',
    'connect with id 0': '{"connect":{}}',
    'publish': '{"id":1,"publish":{"channel":"plain:x","data":1}}',
    'send': '{"send":{"data":1}}',
  };
  for (const [name, text] of Object.entries(before_connect)) {
    report.test(`wire: ${name} before connect is 3501`, async (context) => {
      const raw = await RawClient.open(context, node);
      raw.send_text(text);
      check_equal(await raw.closed(), 3501, 'the code');
    });
  }
  report.test('wire: two connects in one frame are 3501', async (context) => {
    const raw = await RawClient.open(context, node);
    raw.send({ id: 1, connect: {} }, { id: 2, connect: {} });
    check_equal(await raw.closed(), 3501, 'the code');
  });
  report.test('wire: what was answered before a bad command is delivered', async (context) => {
    const raw = await RawClient.connected(context, node);
    raw.send_text('{"id":2,"subscribe":{"channel":"plain:flush"}}\n{"id":0,"rpc":{}}');
    const line = await raw.next_line();
    check(line === null || line === '{"id":2,"subscribe":{}}', `got ${line}`);
    check_equal(await raw.closed(), 3501, 'the code');
  });
}

function add_handshake(report, node) {
  const path = '/connection/websocket';
  report.test('handshake: subprotocol centrifuge-json is echoed', async (context) => {
    for (const offer of ['centrifuge-json', 'other, centrifuge-json']) {
      const ws = await RawWebSocket.open(node.port, path,
        { headers: { 'Sec-WebSocket-Protocol': offer } });
      context.defer(() => ws.destroy());
      check_equal(ws.head.headers.get('sec-websocket-protocol'), 'centrifuge-json', 'the echo');
    }
    const none = await RawWebSocket.open(node.port, path,
      { headers: { 'Sec-WebSocket-Protocol': 'other' } });
    context.defer(() => none.destroy());
    check(!none.head.headers.has('sec-websocket-protocol'), 'an unknown protocol was echoed');
  });
  const origins = {
    'https://good.example': 101,
    'https://GOOD.example': 101,
    'https://a.trusted.example': 101,
    'https://evil.example': 403,
    'http://good.example': 403,
    'https://good.example.evil.example': 403,
    'https://xgood.example': 403,
    null: 403,
  };
  for (const [origin, status] of Object.entries(origins)) {
    report.test(`handshake: origin ${origin} is ${status}`, async (context) => {
      const socket = await RawSocket.connect(node.port);
      context.defer(() => socket.destroy());
      socket.write(upgrade_request(path, { Origin: origin }));
      check_equal((await socket.read_head()).status, status, 'status');
    });
  }
  for (const [name, method, headers, status] of [
    ['POST', 'POST', {}, 405], ['no upgrade', 'GET', { Upgrade: null, Connection: null }, 400],
    ['version 12', 'GET', { 'Sec-WebSocket-Version': '12' }, 400],
    ['no key', 'GET', { 'Sec-WebSocket-Key': null }, 400]]) {
    report.test(`handshake: ${name} is ${status}`, async (context) => {
      const socket = await RawSocket.connect(node.port);
      context.defer(() => socket.destroy());
      socket.write(upgrade_request(path, headers, { method }));
      check_equal((await socket.read_head()).status, status, 'status');
    });
  }
}

export function add_wire(report, node) {
  add_replies(report, node);
  add_framing(report, node);
  add_breaks(report, node);
  add_handshake(report, node);
}
