// SPDX-License-Identifier: Apache-2.0
// Section 6: UTF-8 in text messages, over all borders of fragments, and refused at the first byte
// that cannot be right. The sequences are made from the ranges of Unicode's table 3-7.
import { CONTINUATION, PING, TEXT, frame } from '../support/raw_websocket.mjs';
import { check } from '../support/report.mjs';
import {
  close_cleanly, expect_failure, expect_message, expect_pong, open_echo,
} from './echo.mjs';
import { fragments } from './fragments.mjs';

// First byte from..to, then the range of each further byte.
const WELL_FORMED = [
  [[0x00, 0x7f]],
  [[0xc2, 0xdf], [0x80, 0xbf]],
  [[0xe0, 0xe0], [0xa0, 0xbf], [0x80, 0xbf]],
  [[0xe1, 0xec], [0x80, 0xbf], [0x80, 0xbf]],
  [[0xed, 0xed], [0x80, 0x9f], [0x80, 0xbf]],
  [[0xee, 0xef], [0x80, 0xbf], [0x80, 0xbf]],
  [[0xf0, 0xf0], [0x90, 0xbf], [0x80, 0xbf], [0x80, 0xbf]],
  [[0xf1, 0xf3], [0x80, 0xbf], [0x80, 0xbf], [0x80, 0xbf]],
  [[0xf4, 0xf4], [0x80, 0x8f], [0x80, 0xbf], [0x80, 0xbf]],
];

function row_of(byte) {
  return WELL_FORMED.find(([[low, high]]) => byte >= low && byte <= high);
}

// The index of the first byte after which the text cannot become valid any more; the length when
// it only lacks its end; -1 when it is valid.
export function first_bad(bytes) {
  let row = null;
  let at = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    if (row === null) {
      row = row_of(bytes[i]);
      at = 1;
      if (!row) {
        return i;
      }
    } else {
      const [low, high] = row[at];
      if (bytes[i] < low || bytes[i] > high) {
        return i;
      }
      at += 1;
    }
    if (at === row.length) {
      row = null;
    }
  }
  return row === null ? -1 : bytes.length;
}

function replaced(bytes, at, byte) {
  const out = [...bytes];
  out[at] = byte;
  return out;
}

function hex(bytes) {
  return Buffer.from(bytes).toString('hex');
}

// The borders of each row: the first and the last of each byte's range.
function valid_sequences() {
  const out = new Set();
  for (const row of WELL_FORMED) {
    const lowest = row.map(([low]) => low);
    const highest = row.map(([, high]) => high);
    out.add(hex(lowest)).add(hex(highest));
    for (let i = 0; i < row.length; i += 1) {
      out.add(hex(replaced(lowest, i, row[i][1])));
      out.add(hex(replaced(highest, i, row[i][0])));
    }
  }
  // Whole words, noncharacters, a byte order mark, and characters that combine.
  for (const text of ['κόσμε', 'Hello-µ@ßöäüàá-UTF-8!!', '\ufeffbom', '\ufffe\uffff', '\u{1fffe}',
    '\u{10ffff}', '\ufdd0', 'e\u0301', '\u0000nul', '\u{1f469}\u200d\u{1f4bb}']) {
    out.add(hex(Buffer.from(text)));
  }
  return [...out];
}

// What lies one beside each border, what is cut, what is too long, and what never was UTF-8.
function invalid_sequences() {
  const out = new Set();
  for (const row of WELL_FORMED.slice(1)) {
    const lowest = row.map(([low]) => low);
    for (let i = 1; i < row.length; i += 1) {
      out.add(hex(replaced(lowest, i, row[i][0] - 1)));
      out.add(hex(replaced(lowest, i, row[i][1] + 1)));
      out.add(hex(lowest.slice(0, i)));
      out.add(hex([...lowest.slice(0, i), 0x20]));
    }
  }
  const more = ['80', 'bf', '8080', '80bf80bf80bf', 'c0', 'c1', 'c080', 'c1bf', 'c0af', 'e080af',
    'f08080af', 'f8', 'fb', 'fc', 'fd', 'fe', 'ff', 'feff', 'fffe', 'f888808080', 'f880808080',
    'fc8080808080', 'fc8480808080', 'fdbfbfbfbfbf', 'f7bfbfbf', 'f5808080', 'f4908080',
    'eda080', 'edadbf', 'edae80', 'edaf80', 'edb080', 'edbe80', 'edbfbf', 'eda080edb080',
    'edadbfedbfbf', 'e282ac80', 'c3a9a9', 'f09f98', 'e282', 'c3'];
  for (const one of more) {
    out.add(one);
  }
  return [...out].filter((one) => first_bad(Buffer.from(one, 'hex')) !== -1);
}

function add_valid(report, target) {
  for (const one of valid_sequences()) {
    const bytes = Buffer.from(one, 'hex');
    check(first_bad(bytes) === -1, `the table contradicts itself about ${one}`);
    report.test(`6 valid ${one}, whole and a byte a fragment`, async (context) => {
      const ws = await open_echo(context, target);
      ws.send(TEXT, bytes);
      await expect_message(ws, TEXT, bytes);
      const padded = Buffer.concat([Buffer.from('before '), bytes, Buffer.from(' after')]);
      ws.send(TEXT, padded);
      await expect_message(ws, TEXT, padded);
      ws.write(Buffer.concat(fragments(TEXT, [...padded].map((byte) => Buffer.from([byte])))));
      await expect_message(ws, TEXT, padded);
      await close_cleanly(ws);
    });
    for (let cut = 1; cut < Math.min(bytes.length, 4); cut += 1) {
      report.test(`6 valid ${one}, cut after ${cut} with a ping between`, async (context) => {
        const ws = await open_echo(context, target);
        const [first, last] = fragments(TEXT, [bytes.subarray(0, cut), bytes.subarray(cut)]);
        ws.write(Buffer.concat([first, frame(PING, 'p'), last]));
        await expect_pong(ws, 'p');
        await expect_message(ws, TEXT, bytes);
        await close_cleanly(ws);
      });
    }
  }
}

// The server must not wait for more once a byte cannot be right.
async function fails_fast(context, target, bytes, bad) {
  const in_frame = await open_echo(context, target);
  const whole = frame(TEXT, Buffer.concat([bytes, Buffer.alloc(100, 'x')]));
  in_frame.write(whole.subarray(0, whole.length - 100 - bytes.length + bad + 1));
  await expect_failure(in_frame, 1007);

  const in_message = await open_echo(context, target);
  in_message.send(TEXT, bytes.subarray(0, bad), { fin: false });
  in_message.send(CONTINUATION, bytes.subarray(bad, bad + 1), { fin: false });
  await expect_failure(in_message, 1007);
}

function add_invalid(report, target) {
  for (const one of invalid_sequences()) {
    const bytes = Buffer.from(one, 'hex');
    const bad = first_bad(bytes);
    const is_cut = bad === bytes.length;
    report.test(`6 invalid ${one}, whole`, async (context) => {
      const ws = await open_echo(context, target);
      ws.send(TEXT, bytes);
      await expect_failure(ws, 1007);
    });
    report.test(`6 invalid ${one}, a byte a fragment after valid text`, async (context) => {
      const ws = await open_echo(context, target);
      ws.send(TEXT, 'valid €');
      await expect_message(ws, TEXT, 'valid €');
      const parts = [Buffer.from('κόσμε'), ...[...bytes].map((byte) => Buffer.from([byte]))];
      ws.write(Buffer.concat(fragments(TEXT, parts)));
      await expect_failure(ws, 1007);
    });
    if (!is_cut) {
      report.test(`6 invalid ${one}, refused at byte ${bad}`, async (context) => {
        await fails_fast(context, target, Buffer.concat([Buffer.from('ok '), bytes]), bad + 3);
      });
    }
  }
}

export function add_utf8(report, target) {
  add_valid(report, target);
  add_invalid(report, target);
  report.test('6 any bytes are good in a binary message', async (context) => {
    const ws = await open_echo(context, target);
    for (const one of invalid_sequences()) {
      ws.send(2, Buffer.from(one, 'hex'));
      await expect_message(ws, 2, Buffer.from(one, 'hex'));
    }
    await close_cleanly(ws);
  });
  report.test('6 empty fragments of a text', async (context) => {
    const ws = await open_echo(context, target);
    ws.write(Buffer.concat(fragments(TEXT, ['', Buffer.from('c3', 'hex'), '',
      Buffer.from('a9', 'hex'), ''])));
    await expect_message(ws, TEXT, 'é');
    await close_cleanly(ws);
  });
}
