// SPDX-License-Identifier: Apache-2.0
// Sections 1 to 4: lengths, pings and pongs, reserved bits, reserved opcodes, masking.
import {
  BINARY, CONTINUATION, PING, PONG, TEXT, frame,
} from '../support/raw_websocket.mjs';
import { check_equal, sleep } from '../support/report.mjs';
import {
  close_cleanly, expect_failure, expect_message, expect_pong, name_of, open_echo, payload_of,
} from './echo.mjs';

const LENGTHS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 124, 125, 126, 127, 128, 129, 255, 256, 257, 1023,
  4095, 4096, 65535, 65536, 65537, 131072, 262143];

export function write_chopped(ws, bytes, step) {
  for (let at = 0; at < bytes.length; at += step) {
    ws.write(bytes.subarray(at, at + step));
  }
}

function add_lengths(report, target) {
  for (const opcode of [TEXT, BINARY]) {
    for (const len of LENGTHS) {
      report.test(`1 ${name_of(opcode)} of ${len} bytes`, async (context) => {
        const ws = await open_echo(context, target);
        const payload = payload_of(opcode, len);
        ws.send(opcode, payload);
        await expect_message(ws, opcode, payload);
        await close_cleanly(ws);
      });
    }
    for (const [len, step] of [[125, 1], [300, 1], [65536, 997], [65536, 1], [70000, 4096]]) {
      report.test(`1 ${name_of(opcode)} of ${len} bytes in writes of ${step}`, async (context) => {
        const ws = await open_echo(context, target);
        const payload = payload_of(opcode, len);
        write_chopped(ws, frame(opcode, payload), step);
        await expect_message(ws, opcode, payload);
        await close_cleanly(ws);
      });
    }
    report.test(`1 ${name_of(opcode)} messages of all small lengths in one write`,
      async (context) => {
        const ws = await open_echo(context, target);
        const payloads = Array.from({ length: 200 }, (_, len) => payload_of(opcode, len));
        ws.write(Buffer.concat(payloads.map((payload) => frame(opcode, payload))));
        for (const payload of payloads) {
          await expect_message(ws, opcode, payload);
        }
        await close_cleanly(ws);
      });
    for (let cut = 1; cut < 14; cut += 1) {
      report.test(`1 ${name_of(opcode)} frame header cut after ${cut} bytes`, async (context) => {
        const ws = await open_echo(context, target);
        const payload = payload_of(opcode, 66000);
        const bytes = frame(opcode, payload);
        ws.write(bytes.subarray(0, cut));
        await sleep(5);
        ws.write(bytes.subarray(cut));
        await expect_message(ws, opcode, payload);
        await close_cleanly(ws);
      });
    }
  }
  for (const mask of ['00000000', 'ffffffff', '01020304', '80000000']) {
    report.test(`1 mask ${mask}`, async (context) => {
      const ws = await open_echo(context, target);
      ws.send(TEXT, 'Hello, world', { mask: Buffer.from(mask, 'hex') });
      await expect_message(ws, TEXT, 'Hello, world');
      await close_cleanly(ws);
    });
  }
}

function add_pings(report, target) {
  const payloads = [['empty', ''], ['short', 'Hello, world!'],
    ['binary', Buffer.from('00fffefdfcfb00ff', 'hex')], ['125 bytes', Buffer.alloc(125, 0xfe)],
    ['124 bytes', Buffer.alloc(124, 'x')]];
  for (const [name, payload] of payloads) {
    for (const step of [1000, 1]) {
      report.test(`2 ping, ${name} payload, in writes of ${step}`, async (context) => {
        const ws = await open_echo(context, target);
        write_chopped(ws, frame(PING, payload), step);
        await expect_pong(ws, payload);
        await close_cleanly(ws);
      });
    }
    report.test(`2 unsolicited pong, ${name} payload, is passed over`, async (context) => {
      const ws = await open_echo(context, target);
      ws.send(PONG, payload);
      ws.send(PING, 'after');
      await expect_pong(ws, 'after');
      await close_cleanly(ws);
    });
  }
  for (const opcode of [PING, PONG]) {
    for (const [len, form] of [[126, 2], [65536, 8], [5, 2], [5, 8]]) {
      report.test(`2 opcode ${opcode} with ${len} bytes in length form ${form} is refused`,
        async (context) => {
          const ws = await open_echo(context, target);
          ws.send(opcode, Buffer.alloc(len, 'x'), { length_form: form });
          await expect_failure(ws, 1002);
        });
    }
  }
  for (const [count, step] of [[10, 100000], [10, 1], [500, 100000]]) {
    report.test(`2 ${count} pings in writes of ${step}`, async (context) => {
      const ws = await open_echo(context, target);
      const all = Array.from({ length: count }, (_, i) => frame(PING, `payload-${i}`));
      write_chopped(ws, Buffer.concat(all), step);
      for (let i = 0; i < count; i += 1) {
        await expect_pong(ws, `payload-${i}`);
      }
      await close_cleanly(ws);
    });
  }
}

function add_reserved(report, target) {
  for (let rsv = 1; rsv < 8; rsv += 1) {
    for (const opcode of [TEXT, BINARY, PING, PONG, CONTINUATION]) {
      report.test(`3 reserved bits ${rsv} on opcode ${opcode}`, async (context) => {
        const ws = await open_echo(context, target);
        ws.send(TEXT, 'before');
        await expect_message(ws, TEXT, 'before');
        if (opcode === CONTINUATION) {
          ws.send(TEXT, 'first', { fin: false });
        }
        ws.send(opcode, 'x', { rsv });
        ws.send(PING, 'after');
        await expect_failure(ws, 1002);
      });
    }
  }
  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    for (const len of [0, 11, 130]) {
      report.test(`4 reserved opcode ${opcode} with ${len} bytes`, async (context) => {
        const ws = await open_echo(context, target);
        ws.send(TEXT, 'before');
        await expect_message(ws, TEXT, 'before');
        ws.send(opcode, Buffer.alloc(len, 'x'));
        ws.send(PING, 'after');
        await expect_failure(ws, 1002);
      });
    }
  }
}

function add_refused_lengths(report, target) {
  const forms = [[0, 2], [5, 2], [125, 2], [0, 8], [5, 8], [126, 8], [65535, 8]];
  for (const [len, form] of forms) {
    report.test(`1 ${len} bytes in length form ${form} are refused`, async (context) => {
      const ws = await open_echo(context, target);
      ws.send(BINARY, Buffer.alloc(len), { length_form: form });
      await expect_failure(ws, 1002);
    });
  }
  for (const declared of ['8000000000000000', 'ffffffffffffffff', '8000000000000005']) {
    report.test(`1 declared length ${declared} is refused`, async (context) => {
      const ws = await open_echo(context, target);
      ws.send(BINARY, 'hello', { length_form: 8, declared: BigInt(`0x${declared}`) });
      await expect_failure(ws, 1002);
    });
  }
  for (const declared of ['7fffffffffffffff', '0000000100000005', '00000000ffffffff']) {
    report.test(`9 declared length ${declared} is too large`, async (context) => {
      const ws = await open_echo(context, target);
      ws.send(BINARY, 'hello', { length_form: 8, declared: BigInt(`0x${declared}`) });
      await expect_failure(ws, 1009);
    });
  }
}

function add_unmasked(report, target) {
  for (const opcode of [TEXT, BINARY, PING, PONG]) {
    report.test(`1 unmasked opcode ${opcode} is refused`, async (context) => {
      const ws = await open_echo(context, target);
      ws.send(opcode, 'hello', { masked: false });
      await expect_failure(ws, 1002);
    });
  }
  report.test('1 nothing is taken after a refused frame', async (context) => {
    const ws = await open_echo(context, target);
    ws.write(Buffer.concat([frame(TEXT, 'one'), frame(3, 'two'), frame(TEXT, 'three')]));
    await expect_message(ws, TEXT, 'one');
    const got = await ws.next_message();
    check_equal(got?.code, 1002, 'what follows the echo');
  });
}

export function add_framing(report, target) {
  add_lengths(report, target);
  add_refused_lengths(report, target);
  add_unmasked(report, target);
  add_pings(report, target);
  add_reserved(report, target);
}
