// SPDX-License-Identifier: Apache-2.0
// Sections 9 and 10: large messages, many fragments, many messages, and the limit.
import { BINARY, CONTINUATION, PING, TEXT, frame } from '../support/raw_websocket.mjs';
import { check_equal } from '../support/report.mjs';
import {
  MIB, close_cleanly, expect_failure, expect_message, name_of, open_echo, payload_of,
} from './echo.mjs';
import { write_chopped } from './framing.mjs';
import { fragments } from './fragments.mjs';

function parts_of(payload, len) {
  const parts = [];
  for (let at = 0; at < payload.length; at += len) {
    parts.push(payload.subarray(at, at + len));
  }
  return parts;
}

function add_large(report, target, opcode) {
  const name = name_of(opcode);
  for (const len of [65536, 262144, MIB, 4 * MIB, 8 * MIB, 16 * MIB]) {
    report.test(`9 ${name} of ${len} bytes`, async (context) => {
      const ws = await open_echo(context, target);
      const payload = payload_of(opcode, len);
      ws.send(opcode, payload);
      await expect_message(ws, opcode, payload);
      await close_cleanly(ws);
    });
  }
  for (const len of [64, 256, 1024, 4096, 16384, 65536, 262144, MIB, 4 * MIB]) {
    report.test(`9 ${name} of 4 MiB in fragments of ${len}`, async (context) => {
      const ws = await open_echo(context, target);
      const payload = payload_of(opcode, 4 * MIB);
      ws.write(Buffer.concat(fragments(opcode, parts_of(payload, len))));
      await expect_message(ws, opcode, payload);
      await close_cleanly(ws);
    });
  }
  for (const step of [64, 128, 256, 512, 1024, 2048]) {
    report.test(`9 ${name} of 1 MiB in writes of ${step}`, async (context) => {
      const ws = await open_echo(context, target);
      const payload = payload_of(opcode, MIB);
      write_chopped(ws, frame(opcode, payload), step);
      await expect_message(ws, opcode, payload);
      await close_cleanly(ws);
    });
  }
  for (const len of [0, 16, 64, 256, 1024, 4096, 16384]) {
    report.test(`9 1000 ${name} messages of ${len} bytes`, async (context) => {
      const ws = await open_echo(context, target);
      const payload = payload_of(opcode, len);
      const bytes = frame(opcode, payload);
      for (let i = 0; i < 1000; i += 1) {
        ws.write(bytes);
      }
      for (let i = 0; i < 1000; i += 1) {
        await expect_message(ws, opcode, payload, `echo ${i}`);
      }
      await close_cleanly(ws);
    });
  }
  report.test(`10 ${name} of 65536 bytes in fragments of 1300`, async (context) => {
    const ws = await open_echo(context, target);
    const payload = payload_of(opcode, 65536);
    ws.write(Buffer.concat(fragments(opcode, parts_of(payload, 1300))));
    await expect_message(ws, opcode, payload);
    await close_cleanly(ws);
  });
}

export function add_limits(report, target) {
  for (const opcode of [TEXT, BINARY]) {
    add_large(report, target, opcode);
  }
  report.test('9 a message of 65536 fragments of one byte', async (context) => {
    const ws = await open_echo(context, target);
    const payload = payload_of(BINARY, 65536);
    ws.write(Buffer.concat(fragments(BINARY, parts_of(payload, 1))));
    await expect_message(ws, BINARY, payload);
    await close_cleanly(ws);
  });
  report.test('9 20000 pings in one write', async (context) => {
    const ws = await open_echo(context, target);
    ws.write(Buffer.concat(Array.from({ length: 20000 }, (_, i) => frame(PING, String(i)))));
    for (let i = 0; i < 20000; i += 1) {
      const got = await ws.next_message();
      check_equal(got.payload.toString(), String(i), 'the pong');
    }
    await close_cleanly(ws);
  });
}

// Against a node whose message limit is `limit`.
export function add_message_limit(report, target, limit) {
  for (const opcode of [TEXT, BINARY]) {
    const name = name_of(opcode);
    report.test(`9 ${name} of exactly the limit`, async (context) => {
      const ws = await open_echo(context, target);
      const payload = payload_of(opcode, limit);
      ws.send(opcode, payload);
      await expect_message(ws, opcode, payload);
      ws.write(Buffer.concat(fragments(opcode, parts_of(payload, 100))));
      await expect_message(ws, opcode, payload);
      await close_cleanly(ws);
    });
    report.test(`9 ${name} of one byte more than the limit`, async (context) => {
      const ws = await open_echo(context, target);
      ws.send(opcode, payload_of(opcode, limit + 1));
      await expect_failure(ws, 1009);
    });
    report.test(`9 ${name} in fragments of one byte more than the limit`, async (context) => {
      const ws = await open_echo(context, target);
      ws.send(opcode, payload_of(opcode, limit), { fin: false });
      ws.send(CONTINUATION, 'x', { fin: true });
      await expect_failure(ws, 1009);
    });
    report.test(`9 ${name} is refused at its header when that says too much`, async (context) => {
      const ws = await open_echo(context, target);
      ws.send(opcode, 'x', { declared: limit + 1 });
      await expect_failure(ws, 1009);
    });
    report.test(`9 ${name} limits the message, not the connection`, async (context) => {
      const ws = await open_echo(context, target);
      const payload = payload_of(opcode, limit);
      for (let i = 0; i < 5; i += 1) {
        ws.send(opcode, payload);
        await expect_message(ws, opcode, payload);
      }
      await close_cleanly(ws);
    });
  }
}
