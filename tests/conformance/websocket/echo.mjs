// SPDX-License-Identifier: Apache-2.0
// What the WebSocket cases say and expect, in a few verbs.
import {
  BINARY, CLOSE, PONG, RawWebSocket, TEXT, close_payload,
} from '../support/raw_websocket.mjs';
import { check, check_equal } from '../support/report.mjs';

export const MIB = 1 << 20;

// Opens a connection to the echo endpoint that is closed with the case.
export async function open_echo(context, target, options = {}) {
  const ws = await RawWebSocket.open(target.port, target.path ?? '/echo', options);
  context.defer(() => ws.destroy());
  return ws;
}

export async function expect_message(ws, opcode, payload, what = 'the echo') {
  const got = await ws.next_message();
  check(got !== null, `${what}: the server closed`);
  const close = got.opcode === CLOSE ? ` (close ${got.code} ${got.reason})` : '';
  check_equal(got.opcode, opcode, `${what}: opcode${close}`);
  const wanted = Buffer.from(payload);
  check_equal(got.payload.length, wanted.length, `${what}: length`);
  check(got.payload.equals(wanted), `${what}: other bytes came back`);
  return got;
}

export async function expect_pong(ws, payload) {
  await expect_message(ws, PONG, payload, 'the pong');
}

// The server ends the connection with this code, after which it must not say anything.
export async function expect_failure(ws, code) {
  const got = await ws.next_close();
  check(got !== null, 'the server closed the stream without a close frame');
  check_equal(got.code, code, `the code of the close frame ("${got.reason}")`);
  await expect_end(ws);
}

// Answers the server's close and waits until the server ends the stream.
export async function expect_end(ws) {
  if (!ws.socket.ended) {
    ws.send(CLOSE, close_payload(1000));
  }
  const rest = await ws.socket.read_to_end();
  check_equal(rest.length, 0, 'bytes after the close frame');
}

// Closes as the client: the server echoes the code and ends the stream.
export async function close_cleanly(ws, code = 1000) {
  ws.send(CLOSE, close_payload(code));
  const got = await ws.next_message();
  check(got?.opcode === CLOSE, `no close frame came back, but ${JSON.stringify(got)}`);
  check_equal(got.code, code, 'the echoed close code');
  const rest = await ws.socket.read_to_end();
  check_equal(rest.length, 0, 'bytes after the close frame');
}

export function name_of(opcode) {
  return opcode === TEXT ? 'text' : opcode === BINARY ? 'binary' : `opcode ${opcode}`;
}

// Text of exactly `len` bytes with characters of one to four bytes.
export function text_of(len) {
  const alphabet = ['a', 'é', '€', '𐍈', ' ', 'z', '"', 'ß', '語'];
  const parts = [];
  let left = len;
  for (let i = 0; left > 0; i = (i * 5 + 3) % 1009) {
    const character = alphabet[i % alphabet.length];
    const bytes = Buffer.byteLength(character);
    const fits = bytes <= left;
    parts.push(fits ? character : 'x');
    left -= fits ? bytes : 1;
  }
  return Buffer.from(parts.join(''));
}

// Bytes without a pattern that a cheap compressor finds, the same at each run.
export function noise_of(len, seed = 1) {
  const out = Buffer.alloc(len);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < len; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    out[i] = state & 0xff;
  }
  return out;
}

export function payload_of(opcode, len) {
  return opcode === TEXT ? text_of(len) : noise_of(len);
}
