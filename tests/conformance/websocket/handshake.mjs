// SPDX-License-Identifier: Apache-2.0
// The opening handshake (RFC 6455 section 4.2) as it is answered on the wire.
import {
  RawSocket, RawWebSocket, TEXT, accept_of, frame, upgrade_request,
} from '../support/raw_websocket.mjs';
import { check, check_equal } from '../support/report.mjs';
import { close_cleanly, expect_message, open_echo } from './echo.mjs';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

async function answer_to(context, target, bytes, step = 1 << 20) {
  const socket = await RawSocket.connect(target.port);
  context.defer(() => socket.destroy());
  for (let at = 0; at < bytes.length; at += step) {
    socket.write(bytes.slice(at, at + step));
  }
  const head = await socket.read_head();
  check(head !== null, 'the server closed without an answer');
  return { socket, head };
}

function add_accepted(report, target) {
  const { path } = target;
  const accepted = {
    'as the RFC shows it': {},
    'Connection with more tokens': { Connection: 'keep-alive, Upgrade' },
    'lower case tokens': { Connection: 'upgrade', Upgrade: 'websocket' },
    'upper case tokens': { Connection: 'UPGRADE', Upgrade: 'WebSocket' },
    'Upgrade with more tokens': { Upgrade: 'foo, websocket' },
    'Connection twice': { Connection: ['keep-alive', 'Upgrade'] },
    'an unknown subprotocol': { 'Sec-WebSocket-Protocol': 'chat, superchat' },
    'an unknown extension': { 'Sec-WebSocket-Extensions': 'x-unknown; a=1, x-other' },
    'many other headers': Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`X-Other-${i}`, `value ${i}`])),
    'a long cookie': { Cookie: `a=${'x'.repeat(3000)}` },
  };
  for (const [name, headers] of Object.entries(accepted)) {
    report.test(`handshake: ${name}`, async (context) => {
      const { socket, head } = await answer_to(context, target, upgrade_request(path, headers));
      check_equal(head.status, 101, 'status');
      check_equal(head.headers.get('sec-websocket-accept'), accept_of(KEY), 'accept');
      check_equal(head.headers.get('upgrade')?.toLowerCase(), 'websocket', 'Upgrade');
      check_equal(head.headers.get('connection')?.toLowerCase(), 'upgrade', 'Connection');
      check(!head.headers.has('sec-websocket-extensions'), 'an extension nobody knows');
      check(!head.headers.has('content-length'), 'a 101 with a Content-Length');
      const ws = new RawWebSocket(socket, head);
      ws.send(TEXT, 'hello');
      await expect_message(ws, TEXT, 'hello');
      await close_cleanly(ws);
    });
  }
  for (const step of [1, 2, 50]) {
    report.test(`handshake: in writes of ${step}`, async (context) => {
      const { socket, head } = await answer_to(context, target, upgrade_request(path), step);
      check_equal(head.status, 101, 'status');
      await close_cleanly(new RawWebSocket(socket, head));
    });
  }
  report.test('handshake: the first frames come with the request', async (context) => {
    const bytes = Buffer.concat([Buffer.from(upgrade_request(path)), frame(TEXT, 'one'),
      frame(TEXT, 'two')]);
    const { socket, head } = await answer_to(context, target, bytes);
    const ws = new RawWebSocket(socket, head);
    await expect_message(ws, TEXT, 'one');
    await expect_message(ws, TEXT, 'two');
    await close_cleanly(ws);
  });
  report.test('handshake: half of the first frame comes with the request', async (context) => {
    const first = frame(TEXT, 'x'.repeat(500));
    const bytes = Buffer.concat([Buffer.from(upgrade_request(path)), first.subarray(0, 100)]);
    const { socket, head } = await answer_to(context, target, bytes);
    const ws = new RawWebSocket(socket, head);
    ws.write(first.subarray(100));
    await expect_message(ws, TEXT, 'x'.repeat(500));
    await close_cleanly(ws);
  });
}

function add_refused(report, target) {
  const refused = {
    'no Upgrade': [{ Upgrade: null }, 400],
    'another Upgrade': [{ Upgrade: 'h2c' }, 400],
    'no Connection': [{ Connection: null }, 400],
    'another Connection': [{ Connection: 'keep-alive' }, 400],
    'no version': [{ 'Sec-WebSocket-Version': null }, 400],
    'version 8': [{ 'Sec-WebSocket-Version': '8' }, 400],
    'version 14': [{ 'Sec-WebSocket-Version': '14' }, 400],
    'no key': [{ 'Sec-WebSocket-Key': null }, 400],
    'an empty key': [{ 'Sec-WebSocket-Key': '' }, 400],
    'a key of 15 bytes': [{ 'Sec-WebSocket-Key': Buffer.alloc(15).toString('base64') }, 400],
    'a key of 17 bytes': [{ 'Sec-WebSocket-Key': Buffer.alloc(17).toString('base64') }, 400],
    'a key that is not base64': [{ 'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!==' }, 400],
    'two keys': [{ 'Sec-WebSocket-Key': [KEY, KEY] }, 400],
    'no Host': [{ Host: null }, 400],
    'two Hosts': [{ Host: ['a', 'b'] }, 400],
    'a body': [{ 'Content-Length': '5' }, 400],
    'a chunked body': [{ 'Transfer-Encoding': 'chunked' }, 400],
    'POST': [{}, 405, { method: 'POST' }],
    'PUT': [{}, 405, { method: 'PUT' }],
    'HTTP/1.0': [{}, 400, { version: '1.0' }],
    'HTTP/2.0': [{}, 505, { version: '2.0' }],
  };
  for (const [name, [headers, status, options]] of Object.entries(refused)) {
    report.test(`handshake: ${name} is refused`, async (context) => {
      const request = upgrade_request(target.path, headers, options);
      const { head } = await answer_to(context, target, request);
      check_equal(head.status, status, 'status');
      if (name.startsWith('version') || name === 'no version') {
        check_equal(head.headers.get('sec-websocket-version'), '13', 'the version we speak');
      }
    });
  }
  report.test('handshake: another path is not found', async (context) => {
    const { head } = await answer_to(context, target, upgrade_request('/no/such/path'));
    check_equal(head.status, 404, 'status');
  });
}

export function add_handshake(report, target) {
  add_accepted(report, target);
  add_refused(report, target);
  report.test('handshake: no extension is answered when none was offered', async (context) => {
    const ws = await open_echo(context, target);
    check(!ws.head.headers.has('sec-websocket-extensions'), 'an extension came');
    check(!ws.head.headers.has('sec-websocket-protocol'), 'a subprotocol came');
    await close_cleanly(ws);
  });
}
