// SPDX-License-Identifier: Apache-2.0
// A thread that connects and disconnects as fast as it can, in four manners.
import net from 'node:net';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { frame, upgrade_request } from '../conformance/support/raw_websocket.mjs';
import { WAIT_MS_MAX } from '../conformance/support/report.mjs';

const HANDSHAKE = Buffer.from(upgrade_request('/connection/websocket'));
const CONNECT = Buffer.concat([HANDSHAKE, frame(1,
  '{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"storm"}}')]);

// What is sent, and the answer after which the connection is cut.
const MANNERS = {
  'connect and reset': [null, null],
  'connect, half a head and reset': [HANDSHAKE.subarray(0, 40), null],
  'upgrade and reset': [HANDSHAKE, 'HTTP/1.1 101'],
  'connect, subscribe and reset': [CONNECT, '"id":2'],
};

function one(port, [bytes, answer], index) {
  return new Promise((resolve) => {
    // Many local addresses, so that no port runs out.
    const socket = net.connect({ port, host: '127.0.0.1',
      localAddress: `127.0.${1 + (index % 200)}.1` });
    let seen = '';
    let is_served = answer === null;
    const cut = () => socket.resetAndDestroy();
    socket.on('connect', () => {
      if (bytes !== null) {
        socket.write(bytes);
      }
      if (is_served) {
        setImmediate(cut);
      }
    });
    socket.on('data', (text) => {
      seen += text.toString('latin1');
      if (answer !== null && seen.includes(answer)) {
        is_served = true;
        cut();
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(is_served));
    socket.setTimeout(WAIT_MS_MAX, cut);
  });
}

async function storm({ port, manner, count, at_once }) {
  let started = 0;
  let served = 0;
  const worker = async () => {
    while (started < count) {
      started += 1;
      const is_served = await one(port, MANNERS[manner], started);
      served += is_served ? 1 : 0;
    }
  };
  await Promise.all(Array.from({ length: at_once }, worker));
  return served;
}

if (!isMainThread) {
  parentPort.postMessage(await storm(workerData));
}

export const manners = Object.keys(MANNERS);

// Runs a storm in a thread of its own; returns how many connections got their answers.
export function run_storm(options) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: options });
    worker.on('message', resolve);
    worker.on('error', reject);
  });
}
