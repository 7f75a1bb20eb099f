// SPDX-License-Identifier: Apache-2.0
// Sections 12 and 13 again, with npm ws as the peer that deflates and inflates.
import WebSocket from 'ws';
import { BINARY, TEXT } from '../support/raw_websocket.mjs';
import { WAIT_MS_MAX, check, check_equal, within } from '../support/report.mjs';
import { name_of, noise_of, text_of } from './echo.mjs';

// The seven kinds of offers of section 13.
const OFFERS = {
  '12 default': {},
  '13.1 nothing demanded': { clientMaxWindowBits: undefined },
  '13.2 no takeover by the server': { serverNoContextTakeover: true },
  '13.3 window of 9': { serverMaxWindowBits: 9 },
  '13.4 window of 15': { serverMaxWindowBits: 15 },
  '13.5 window of 9, no takeover': { serverMaxWindowBits: 9, serverNoContextTakeover: true },
  '13.6 window of 15, no takeover': { serverMaxWindowBits: 15, serverNoContextTakeover: true },
  '13.7 everything': { serverMaxWindowBits: 9, serverNoContextTakeover: true,
    clientNoContextTakeover: true, clientMaxWindowBits: 9 },
};

const LENGTHS = [16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072];

function json_of(len) {
  const parts = [];
  for (let i = 0, left = len; left > 0; i += 1) {
    const one = JSON.stringify({ id: i, user: `user-${(i * 7919) % 1000}`, text: 'hello there' });
    parts.push(one.slice(0, left));
    left -= one.length;
  }
  return Buffer.from(parts.join(''));
}

const CONTENTS = {
  json: [TEXT, json_of],
  text: [TEXT, text_of],
  noise: [BINARY, noise_of],
  zeros: [BINARY, (len) => Buffer.alloc(len)],
};

function open_peer(context, target, perMessageDeflate) {
  const url = `ws://127.0.0.1:${target.port}${target.path ?? '/echo'}`;
  const ws = new WebSocket(url, { perMessageDeflate: { threshold: 0, ...perMessageDeflate } });
  context.defer(() => ws.terminate());
  return new Promise((resolve, reject) => {
    ws.on('open', () => resolve(ws));
    ws.on('error', reject);
  });
}

// Sends all payloads and waits for all their echoes, in order.
function echo_all(ws, payloads, { binary, step }) {
  return within(2 * WAIT_MS_MAX, new Promise((resolve, reject) => {
    let next = 0;
    ws.on('error', reject);
    ws.on('close', (code) => reject(new Error(`closed with ${code} after ${next} echoes`)));
    ws.on('message', (data, is_binary) => {
      if (is_binary !== binary || !data.equals(payloads[next])) {
        reject(new Error(`echo ${next} differs (${data.length} bytes)`));
      }
      next += 1;
      if (next === payloads.length) {
        resolve();
      }
    });
    for (const payload of payloads) {
      for (let at = 0; at === 0 || at < payload.length; at += step) {
        ws.send(payload.subarray(at, at + step), { binary, fin: at + step >= payload.length });
      }
    }
  }), 'the echoes');
}

export function add_peer(report, target) {
  for (const [offer, options] of Object.entries(OFFERS)) {
    for (const [content, [opcode, make]] of Object.entries(CONTENTS)) {
      for (const len of LENGTHS) {
        const count = len <= 1024 ? 100 : len <= 8192 ? 30 : 8;
        const name = `${offer}: ${count} ${content} (${name_of(opcode)}) of ${len} bytes`;
        report.test(name, async (context) => {
          const ws = await open_peer(context, target, options);
          check_equal(ws.extensions, 'permessage-deflate', 'the extension');
          const payload = make(len);
          // Every other length is sent in fragments.
          const step = LENGTHS.indexOf(len) % 2 === 0 ? len : Math.ceil(len / 5);
          await echo_all(ws, Array(count).fill(payload), { binary: opcode === BINARY, step });
          const closed = new Promise((resolve) => {
            ws.removeAllListeners('close');
            ws.on('close', resolve);
          });
          ws.close(1000);
          check_equal(await within(WAIT_MS_MAX, closed, 'closing'), 1000, 'the close code');
        });
      }
    }
  }
  report.test('12 a message of 4 MiB', async (context) => {
    const ws = await open_peer(context, target, {});
    await echo_all(ws, [json_of(4 << 20)], { binary: false, step: 1 << 16 });
  });
  report.test('12 ws speaks without deflate', async (context) => {
    const url = `ws://127.0.0.1:${target.port}${target.path ?? '/echo'}`;
    const ws = new WebSocket(url, { perMessageDeflate: false });
    context.defer(() => ws.terminate());
    await within(WAIT_MS_MAX, new Promise((resolve, reject) => {
      ws.on('open', resolve);
      ws.on('error', reject);
    }), 'opening');
    check(ws.extensions === '', 'an extension was negotiated');
    await echo_all(ws, [text_of(100), text_of(70000)], { binary: false, step: 1 << 20 });
  });
}
