// SPDX-License-Identifier: Apache-2.0
// Sections 12 and 13: permessage-deflate (RFC 7692), spoken byte by byte with Node's zlib.
import zlib from 'node:zlib';
import {
  BINARY, CLOSE, CONTINUATION, PING, RawWebSocket, TEXT, close_payload, frame,
} from '../support/raw_websocket.mjs';
import { check, check_equal } from '../support/report.mjs';
import {
  close_cleanly, expect_failure, expect_message, expect_pong, noise_of, open_echo, text_of,
} from './echo.mjs';

const TAIL = Buffer.from('0000ffff', 'hex');
const BOTH = 'server_no_context_takeover; client_no_context_takeover';
const ANSWER = `permessage-deflate; ${BOTH}`;

// The payload of a compressed message (section 7.2.1).
export function deflate(bytes, options = {}) {
  const all = zlib.deflateRawSync(bytes, { finishFlush: zlib.constants.Z_SYNC_FLUSH, ...options });
  check(all.subarray(-4).equals(TAIL), 'zlib did not flush');
  return all.subarray(0, -4);
}

export function inflate(bytes, options = {}) {
  return zlib.inflateRawSync(Buffer.concat([bytes, TAIL]),
    { finishFlush: zlib.constants.Z_SYNC_FLUSH, ...options });
}

function open_offering(context, target, offer) {
  return open_echo(context, target, { headers: { 'Sec-WebSocket-Extensions': offer } });
}

async function expect_deflated(ws, opcode, payload, options) {
  const got = await ws.next_message();
  check_equal(got?.opcode, opcode, `the opcode of the echo (${got?.code} ${got?.reason})`);
  const plain = got.compressed ? inflate(got.payload, options) : got.payload;
  check(plain.equals(Buffer.from(payload)), 'other bytes came back');
  return got;
}

// offer -> the answer's parameters, or null when the extension must be declined.
const OFFERS = {
  'permessage-deflate': ANSWER,
  'permessage-deflate; client_max_window_bits': ANSWER,
  'permessage-deflate; client_max_window_bits=15': ANSWER,
  'permessage-deflate; client_max_window_bits=9': ANSWER,
  'permessage-deflate; client_no_context_takeover': ANSWER,
  'permessage-deflate; server_no_context_takeover': ANSWER,
  'permessage-deflate; server_no_context_takeover; client_no_context_takeover': ANSWER,
  'permessage-deflate ;client_no_context_takeover ; client_max_window_bits': ANSWER,
  'permessage-deflate; server_max_window_bits=9': `${ANSWER}; server_max_window_bits=9`,
  'permessage-deflate; server_max_window_bits=12': `${ANSWER}; server_max_window_bits=12`,
  'permessage-deflate; server_max_window_bits=15': `${ANSWER}; server_max_window_bits=15`,
  'permessage-deflate; server_max_window_bits="10"': `${ANSWER}; server_max_window_bits=10`,
  'x-unknown, permessage-deflate': ANSWER,
  'permessage-deflate; server_max_window_bits=99, permessage-deflate': ANSWER,
  'permessage-deflate; server_max_window_bits=7': null,
  'permessage-deflate; server_max_window_bits=8': null,
  'permessage-deflate; server_max_window_bits=16': null,
  'permessage-deflate; server_max_window_bits=0': null,
  'permessage-deflate; server_max_window_bits=010': null,
  'permessage-deflate; server_max_window_bits=ten': null,
  'permessage-deflate; server_max_window_bits': null,
  'permessage-deflate; client_max_window_bits=7': null,
  'permessage-deflate; client_max_window_bits=16': null,
  'permessage-deflate; client_no_context_takeover=1': null,
  'permessage-deflate; server_no_context_takeover=true': null,
  'permessage-deflate; unknown_parameter': null,
  'permessage-deflate; constructor': null,
  'permessage-deflate; server_max_window_bits=10; server_max_window_bits=10': null,
  'permessage-deflate; client_no_context_takeover; client_no_context_takeover': null,
  'x-webkit-deflate-frame': null,
  constructor: null,
  '__proto__; hasOwnProperty=1': null,
};

function parameters_of(value) {
  return value === undefined ? null : value.split(';').map((one) => one.trim()).sort();
}

function add_offers(report, target) {
  for (const [offer, wanted] of Object.entries(OFFERS)) {
    report.test(`13 offer ${offer}`, async (context) => {
      const ws = await open_offering(context, target, offer);
      const answer = parameters_of(ws.head.headers.get('sec-websocket-extensions'));
      // A bound of 15 is what holds anyway, so the answer may leave it out.
      const left_out = answer?.filter((one) => one !== 'server_max_window_bits=15');
      const expected = parameters_of(wanted ?? undefined)
        ?.filter((one) => one !== 'server_max_window_bits=15');
      check_equal(left_out ?? null, expected ?? null, 'the parameters of the answer');
      const payload = text_of(20000);
      if (wanted !== null) {
        ws.send(TEXT, deflate(payload), { rsv: 4 });
        const bits = Number(/server_max_window_bits=(\d+)/.exec(answer.join())?.[1] ?? 15);
        await expect_deflated(ws, TEXT, payload, { windowBits: bits });
      }
      ws.send(TEXT, payload);
      await expect_deflated(ws, TEXT, payload);
      await close_cleanly(ws);
    });
  }
  for (const offer of ['permessage-deflate; a=', 'permessage-deflate; =1', 'permessage-deflate;;',
    'permessage-deflate; a="', 'permessage deflate', ';', 'permessage-deflate; a b']) {
    report.test(`13 malformed offer ${offer}`, async () => {
      const error = await RawWebSocket.open(target.port, target.path ?? '/echo',
        { headers: { 'Sec-WebSocket-Extensions': offer } }).catch((caught) => caught);
      check_equal(error?.message, 'the handshake was answered 400', 'the handshake');
    });
  }
}

// The windows that a client demands are kept: a match from farther back breaks a smaller inflater.
function add_windows(report, target) {
  for (let bits = 9; bits <= 15; bits += 1) {
    report.test(`13 the server keeps a window of ${bits} bits`, async (context) => {
      const ws = await open_offering(context, target,
        `permessage-deflate; server_max_window_bits=${bits}`);
      const half = noise_of(20000, bits);
      const payload = Buffer.concat([half.map((byte) => byte & 0x1f), half.map((byte) => byte & 0x1f)]);
      ws.send(BINARY, deflate(payload), { rsv: 4 });
      const got = await expect_deflated(ws, BINARY, payload, { windowBits: bits });
      check(got.compressed, 'the echo is not compressed');
      await close_cleanly(ws);
    });
    report.test(`13 the client may use a window of ${bits} bits`, async (context) => {
      const ws = await open_offering(context, target,
        `permessage-deflate; client_max_window_bits=${bits}`);
      const payload = text_of(50000);
      ws.send(TEXT, deflate(payload, { windowBits: bits }), { rsv: 4 });
      await expect_deflated(ws, TEXT, payload);
      await close_cleanly(ws);
    });
  }
}

function add_streams(report, target) {
  const hello = Buffer.from('Hello');
  const encodings = {
    'one block (7.2.3.1)': ['f248cdc9c90700', hello],
    'a stored block (7.2.3.3)': ['000500faff48656c6c6f00', hello],
    'a final block (7.2.3.4)': ['f348cdc9c9070000', hello],
    'two blocks (7.2.3.5)': ['f24805000000ffffcac9c90700', hello],
    'an empty message': ['00', Buffer.alloc(0)],
    'an empty fixed block': ['0200', Buffer.alloc(0)],
    'many empty blocks': [`${'000000ffff'.repeat(50)}00`, Buffer.alloc(0)],
  };
  for (const [name, [hex, plain]] of Object.entries(encodings)) {
    report.test(`12 ${name}`, async (context) => {
      const ws = await open_offering(context, target, 'permessage-deflate');
      ws.send(TEXT, Buffer.from(hex, 'hex'), { rsv: 4 });
      await expect_deflated(ws, TEXT, plain);
      ws.send(TEXT, Buffer.from(hex, 'hex'), { rsv: 4 });
      await expect_deflated(ws, TEXT, plain);
      await close_cleanly(ws);
    });
  }
  for (const level of [0, 1, 6, 9]) {
    for (const strategy of ['Z_DEFAULT_STRATEGY', 'Z_HUFFMAN_ONLY', 'Z_RLE', 'Z_FIXED']) {
      report.test(`12 level ${level}, ${strategy}`, async (context) => {
        const ws = await open_offering(context, target, 'permessage-deflate');
        const payload = text_of(100000);
        const options = { level, strategy: zlib.constants[strategy] };
        ws.send(TEXT, deflate(payload, options), { rsv: 4 });
        await expect_deflated(ws, TEXT, payload);
        await close_cleanly(ws);
      });
    }
  }
}

function add_fragments(report, target) {
  for (const len of [1, 2, 3, 64, 1000]) {
    report.test(`12 a compressed message in fragments of ${len} with pings`, async (context) => {
      const ws = await open_offering(context, target, 'permessage-deflate');
      const payload = text_of(len * 200);
      const packed = deflate(payload);
      const frames = [];
      for (let at = 0; at < packed.length; at += len) {
        const is_last = at + len >= packed.length;
        frames.push(frame(at === 0 ? TEXT : CONTINUATION, packed.subarray(at, at + len),
          { fin: is_last, rsv: at === 0 ? 4 : 0 }));
      }
      frames.splice(frames.length - 1, 0, frame(PING, 'p'));
      ws.write(Buffer.concat(frames));
      await expect_pong(ws, 'p');
      await expect_deflated(ws, TEXT, payload);
      await close_cleanly(ws);
    });
  }
  report.test('12 compressed and plain messages in turn', async (context) => {
    const ws = await open_offering(context, target, 'permessage-deflate');
    for (let i = 0; i < 20; i += 1) {
      const payload = text_of(i * 37);
      if (i % 2 === 0) {
        ws.send(TEXT, deflate(payload), { rsv: 4 });
      } else {
        ws.send(TEXT, payload);
      }
      await expect_deflated(ws, TEXT, payload);
    }
    await close_cleanly(ws);
  });
  report.test('12 no message needs what an earlier one left behind', async (context) => {
    const ws = await open_offering(context, target, 'permessage-deflate');
    const payload = text_of(5000);
    for (let i = 0; i < 3; i += 1) {
      ws.send(TEXT, deflate(payload), { rsv: 4 });
      const got = await expect_deflated(ws, TEXT, payload);
      check(got.compressed, 'the echo is not compressed');
      check(got.payload.length < payload.length, 'compression made it longer');
    }
    await close_cleanly(ws);
  });
  report.test('12 an empty last fragment', async (context) => {
    const ws = await open_offering(context, target, 'permessage-deflate');
    ws.send(TEXT, deflate(Buffer.from('hello')), { rsv: 4, fin: false });
    ws.send(CONTINUATION, '');
    await expect_deflated(ws, TEXT, 'hello');
    await close_cleanly(ws);
  });
}

function add_refused(report, target) {
  const packed = deflate(text_of(1000));
  const refused = {
    'RSV1 on a continuation': [1002, frame(TEXT, packed.subarray(0, 5), { rsv: 4, fin: false }),
      frame(CONTINUATION, packed.subarray(5), { rsv: 4 })],
    'RSV1 on a ping': [1002, frame(PING, 'x', { rsv: 4 })],
    'RSV1 on a close': [1002, frame(CLOSE, close_payload(1000), { rsv: 4 })],
    'RSV2 on a message': [1002, frame(TEXT, packed, { rsv: 2 })],
    'RSV1 and RSV3 on a message': [1002, frame(TEXT, packed, { rsv: 5 })],
    'bytes that are no deflate stream': [1007, frame(BINARY, Buffer.alloc(100, 0xff), { rsv: 4 })],
    'a reserved block type': [1007, frame(BINARY, Buffer.from('07', 'hex'), { rsv: 4 })],
    'a match from before the start': [1007, frame(BINARY, Buffer.from('4b04a20000', 'hex'),
      { rsv: 4 })],
    'a stream that is cut': [1007, frame(TEXT, packed.subarray(0, packed.length >> 1), { rsv: 4 })],
    'a stored block with a wrong length': [1007, frame(BINARY,
      Buffer.from('000500ffff48656c6c6f00', 'hex'), { rsv: 4 })],
    'text that is not UTF-8': [1007, frame(TEXT, deflate(Buffer.from('ok \xff', 'latin1')),
      { rsv: 4 })],
    'text that ends inside of a character': [1007, frame(TEXT,
      deflate(Buffer.from('c3', 'hex')), { rsv: 4 })],
  };
  for (const [name, [code, ...frames]] of Object.entries(refused)) {
    report.test(`12 ${name} is refused`, async (context) => {
      const ws = await open_offering(context, target, 'permessage-deflate');
      ws.write(Buffer.concat([...frames, frame(PING, 'after')]));
      await expect_failure(ws, code);
    });
  }
  report.test('12 RSV1 is refused where nothing was negotiated', async (context) => {
    const ws = await open_echo(context, target);
    ws.send(TEXT, packed, { rsv: 4 });
    await expect_failure(ws, 1002);
  });
}

export function add_deflate(report, target) {
  add_offers(report, target);
  add_windows(report, target);
  add_streams(report, target);
  add_fragments(report, target);
  add_refused(report, target);
}

// Against a node whose limit on inflated messages is `limit`.
export function add_inflated_limit(report, target, limit) {
  for (const opcode of [TEXT, BINARY]) {
    report.test(`12 opcode ${opcode} inflated to exactly the limit`, async (context) => {
      const ws = await open_offering(context, target, 'permessage-deflate');
      ws.send(opcode, deflate(Buffer.alloc(limit, 'x')), { rsv: 4 });
      await expect_deflated(ws, opcode, Buffer.alloc(limit, 'x'));
      await close_cleanly(ws);
    });
    for (const len of [limit + 1, 50 * limit]) {
      report.test(`12 opcode ${opcode} inflated to ${len}, beyond the limit`, async (context) => {
        const ws = await open_offering(context, target, 'permessage-deflate');
        ws.send(opcode, deflate(Buffer.alloc(len, 'x')), { rsv: 4 });
        await expect_failure(ws, 1009);
      });
    }
  }
}
