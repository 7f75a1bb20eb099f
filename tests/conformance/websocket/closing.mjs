// SPDX-License-Identifier: Apache-2.0
// Section 7: the closing handshake, its codes and its reasons.
import {
  BINARY, CLOSE, PING, TEXT, close_payload, frame,
} from '../support/raw_websocket.mjs';
import { check, check_equal } from '../support/report.mjs';
import {
  close_cleanly, expect_failure, expect_message, noise_of, open_echo,
} from './echo.mjs';

const VALID = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001,
  3500, 3999, 4000, 4500, 4999];
const INVALID = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 5001, 65535];

function add_sequences(report, target) {
  report.test('7 a message, then close', async (context) => {
    const ws = await open_echo(context, target);
    ws.write(Buffer.concat([frame(TEXT, 'hello'), frame(CLOSE, close_payload(1000))]));
    await expect_message(ws, TEXT, 'hello');
    const got = await ws.next_message();
    check_equal(got?.code, 1000, 'the echoed code');
    check_equal((await ws.socket.read_to_end()).length, 0, 'bytes after the close');
  });
  const followers = {
    'a second close': frame(CLOSE, close_payload(1000)),
    'a ping': frame(PING, 'x'),
    'a text': frame(TEXT, 'x'),
    'a large binary': frame(BINARY, Buffer.alloc(200000)),
    'a reserved opcode': frame(5, 'x'),
    'garbage': noise_of(1000),
  };
  for (const [name, bytes] of Object.entries(followers)) {
    report.test(`7 ${name} after the close is passed over`, async (context) => {
      const ws = await open_echo(context, target);
      ws.write(Buffer.concat([frame(CLOSE, close_payload(1000)), bytes]));
      const got = await ws.next_message();
      check_equal(got?.code, 1000, 'the echoed code');
      // A reset may follow, as the server leaves bytes unread; what may not follow is data.
      check_equal((await ws.socket.read_to_end()).length, 0, 'bytes after the close');
    });
  }
  report.test('7 a large message, close, ping', async (context) => {
    const ws = await open_echo(context, target);
    const payload = noise_of(262144);
    ws.write(Buffer.concat([frame(BINARY, payload), frame(CLOSE, close_payload(1000)),
      frame(PING)]));
    await expect_message(ws, BINARY, payload);
    const got = await ws.next_message();
    check_equal(got?.code, 1000, 'the echoed code');
  });
  report.test('7 the client ends the stream without a close', async (context) => {
    const ws = await open_echo(context, target);
    ws.send(TEXT, 'hello');
    await expect_message(ws, TEXT, 'hello');
    ws.socket.tcp.end();
    await ws.socket.read_to_end();
  });
}

function add_payloads(report, target) {
  report.test('7 close without payload', async (context) => {
    const ws = await open_echo(context, target);
    ws.send(CLOSE);
    const got = await ws.next_message();
    check(got?.opcode === CLOSE, 'no close came back');
    check(got.code === null || got.code === 1000, `the answer has code ${got.code}`);
    check_equal((await ws.socket.read_to_end()).length, 0, 'bytes after the close');
  });
  report.test('7 close with one byte of payload is refused', async (context) => {
    const ws = await open_echo(context, target);
    ws.send(CLOSE, Buffer.from([3]));
    await expect_failure(ws, 1002);
  });
  const reasons = { short: 'bye', 'of 123 bytes': 'x'.repeat(123), 'in Greek': 'κόσμε' };
  for (const [name, reason] of Object.entries(reasons)) {
    report.test(`7 close with a reason ${name}`, async (context) => {
      const ws = await open_echo(context, target);
      ws.send(CLOSE, close_payload(1000, reason));
      const got = await ws.next_message();
      check_equal(got?.code, 1000, 'the echoed code');
      check_equal((await ws.socket.read_to_end()).length, 0, 'bytes after the close');
    });
  }
  report.test('7 close of 126 bytes is refused', async (context) => {
    const ws = await open_echo(context, target);
    ws.send(CLOSE, close_payload(1000, 'x'.repeat(124)));
    await expect_failure(ws, 1002);
  });
  for (const bad of ['ff', 'cebae1bdb9cf83cebceda080656469746564', 'c3', 'f4908080']) {
    report.test(`7 close with a reason that is not UTF-8 (${bad})`, async (context) => {
      const ws = await open_echo(context, target);
      ws.send(CLOSE, Buffer.concat([close_payload(1000), Buffer.from(bad, 'hex')]));
      await expect_failure(ws, 1007);
    });
  }
}

export function add_closing(report, target) {
  add_sequences(report, target);
  add_payloads(report, target);
  for (const code of VALID) {
    report.test(`7 close code ${code} is echoed`, async (context) => {
      await close_cleanly(await open_echo(context, target), code);
    });
  }
  for (const code of INVALID) {
    report.test(`7 close code ${code} is refused`, async (context) => {
      const ws = await open_echo(context, target);
      ws.send(CLOSE, close_payload(code));
      await expect_failure(ws, 1002);
    });
  }
}
