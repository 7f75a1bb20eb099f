// SPDX-License-Identifier: Apache-2.0
// Section 5: messages in fragments, with control frames between them.
import {
  BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, frame,
} from '../support/raw_websocket.mjs';
import { check_equal } from '../support/report.mjs';
import {
  close_cleanly, expect_failure, expect_message, expect_pong, name_of, open_echo,
} from './echo.mjs';
import { write_chopped } from './framing.mjs';

// The frames of one message in these parts.
export function fragments(opcode, parts, options = {}) {
  return parts.map((part, i) => frame(i === 0 ? opcode : CONTINUATION, part,
    { ...options, fin: i === parts.length - 1 }));
}

const PARTS = {
  'two parts': ['fragment1', 'fragment2'],
  'an empty first part': ['', 'fragment2'],
  'an empty last part': ['fragment1', ''],
  'empty parts only': ['', '', ''],
  'an empty part in the middle': ['fragment1', '', 'fragment2'],
  'five parts': ['fragment1', 'fragment2', 'fragment3', 'fragment4', 'fragment5'],
  'parts of all length forms': ['x'.repeat(125), 'y'.repeat(126), 'z'.repeat(70000), '!'],
  'a hundred parts': Array.from({ length: 100 }, (_, i) => `part ${i}`),
};

function add_valid(report, target) {
  for (const opcode of [TEXT, BINARY]) {
    for (const [name, parts] of Object.entries(PARTS)) {
      for (const step of [1 << 20, 7, 1]) {
        if (step === 1 && parts.join('').length > 10000) {
          continue;
        }
        report.test(`5 ${name_of(opcode)} in ${name}, in writes of ${step}`, async (context) => {
          const ws = await open_echo(context, target);
          write_chopped(ws, Buffer.concat(fragments(opcode, parts)), step);
          await expect_message(ws, opcode, parts.join(''));
          await close_cleanly(ws);
        });
      }
      report.test(`5 ${name_of(opcode)} in ${name} with pings between`, async (context) => {
        const ws = await open_echo(context, target);
        const frames = fragments(opcode, parts)
          .flatMap((bytes, i) => (i === 0 ? [bytes] : [frame(PING, `ping ${i}`), bytes]));
        ws.write(Buffer.concat(frames));
        for (let i = 1; i < parts.length; i += 1) {
          await expect_pong(ws, `ping ${i}`);
        }
        await expect_message(ws, opcode, parts.join(''));
        await close_cleanly(ws);
      });
    }
  }
  report.test('5 a pong between fragments is passed over', async (context) => {
    const ws = await open_echo(context, target);
    const [first, last] = fragments(TEXT, ['one', 'two']);
    ws.write(Buffer.concat([first, frame(PONG, 'x'), last]));
    await expect_message(ws, TEXT, 'onetwo');
    await close_cleanly(ws);
  });
  report.test('5 a close between fragments ends the connection', async (context) => {
    const ws = await open_echo(context, target);
    ws.send(TEXT, 'one', { fin: false });
    await close_cleanly(ws, 1001);
  });
  report.test('5 the answer to a ping does not wait for the message', async (context) => {
    const ws = await open_echo(context, target);
    const [first, last] = fragments(TEXT, ['one', 'two']);
    ws.write(Buffer.concat([first, frame(PING, 'now')]));
    await expect_pong(ws, 'now');
    ws.write(last);
    await expect_message(ws, TEXT, 'onetwo');
    await close_cleanly(ws);
  });
  report.test('5 a ping inside of the bytes of a frame waits for it', async (context) => {
    const ws = await open_echo(context, target);
    const bytes = frame(BINARY, Buffer.alloc(1000, 7));
    ws.write(bytes.subarray(0, 500));
    ws.write(Buffer.concat([bytes.subarray(500), frame(PING, 'late')]));
    await expect_message(ws, BINARY, Buffer.alloc(1000, 7));
    await expect_pong(ws, 'late');
    await close_cleanly(ws);
  });
  report.test('5 fragmented messages one after another', async (context) => {
    const ws = await open_echo(context, target);
    const kinds = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? BINARY : TEXT));
    ws.write(Buffer.concat(kinds.flatMap((opcode, i) => fragments(opcode, [`a${i}`, `b${i}`]))));
    for (const [i, opcode] of kinds.entries()) {
      await expect_message(ws, opcode, `a${i}b${i}`);
    }
    await close_cleanly(ws);
  });
}

function add_refused(report, target) {
  const refused = {
    'a ping without FIN': [frame(PING, 'x', { fin: false })],
    'a pong without FIN': [frame(PONG, 'x', { fin: false })],
    'a close without FIN': [frame(CLOSE, close_payload(1000), { fin: false })],
    'a continuation of nothing, FIN set': [frame(CONTINUATION, 'x')],
    'a continuation of nothing, FIN unset': [frame(CONTINUATION, 'x', { fin: false })],
    'an empty continuation of nothing': [frame(CONTINUATION)],
    'a continuation after a whole message': [frame(TEXT, 'one'), frame(CONTINUATION, 'two')],
    'a continuation after the last fragment': [...fragments(TEXT, ['one', 'two']),
      frame(CONTINUATION, 'three')],
  };
  for (const first of [TEXT, BINARY]) {
    for (const second of [TEXT, BINARY]) {
      for (const fin of [true, false]) {
        refused[`${name_of(second)} (fin ${fin}) inside of an unfinished ${name_of(first)}`] = [
          frame(first, 'one', { fin: false }), frame(second, 'two', { fin })];
      }
    }
  }
  for (const [name, frames] of Object.entries(refused)) {
    for (const step of [100000, 1]) {
      report.test(`5 ${name} is refused, in writes of ${step}`, async (context) => {
        const ws = await open_echo(context, target);
        write_chopped(ws, Buffer.concat([...frames, frame(PING, 'after')]), step);
        await expect_failure(ws, 1002);
      });
    }
  }
  report.test('5 an interrupted message is not echoed', async (context) => {
    const ws = await open_echo(context, target);
    ws.write(Buffer.concat([frame(TEXT, 'one', { fin: false }), frame(TEXT, 'two')]));
    const got = await ws.next_message();
    check_equal(got?.code, 1002, 'the first thing that comes back');
  });
}

export function add_fragments(report, target) {
  add_valid(report, target);
  add_refused(report, target);
}
