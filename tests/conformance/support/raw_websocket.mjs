// SPDX-License-Identifier: Apache-2.0
// A WebSocket client that is made of bytes: it can say what no library would, and it checks every
// frame of the server (RFC 6455) by itself.
import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';
import { WAIT_MS_MAX, check, within } from './report.mjs';

export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export function mask_payload(payload, mask) {
  const out = Buffer.from(payload);
  for (let i = 0; i < out.length; i += 1) {
    out[i] ^= mask[i & 3];
  }
  return out;
}

// The bytes of one frame. `options`: fin, rsv (bits 4, 2, 1), masked, mask, length_form (1, 2 or 8
// bytes, longer than needed), declared (a length other than the payload's).
export function frame(opcode, payload = Buffer.alloc(0), options = {}) {
  const { fin = true, rsv = 0, masked = true, mask = randomBytes(4) } = options;
  const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(payload);
  const declared = BigInt(options.declared ?? bytes.length);
  const needed = declared < 126n ? 1 : declared < 65536n ? 2 : 8;
  const form = options.length_form ?? needed;
  const head = Buffer.alloc(2 + (form === 1 ? 0 : form));
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = masked ? 0x80 : 0;
  if (form === 1) {
    head[1] |= Number(declared);
  } else if (form === 2) {
    head[1] |= 126;
    head.writeUInt16BE(Number(declared), 2);
  } else {
    head[1] |= 127;
    head.writeBigUInt64BE(declared, 2);
  }
  return masked ? Buffer.concat([head, mask, mask_payload(bytes, mask)])
    : Buffer.concat([head, bytes]);
}

export function close_payload(code, reason = '') {
  const reason_bytes = Buffer.from(reason);
  const out = Buffer.alloc(2 + reason_bytes.length);
  out.writeUInt16BE(code, 0);
  reason_bytes.copy(out, 2);
  return out;
}

export function accept_of(key) {
  return createHash('sha1').update(key + GUID).digest('base64');
}

// The lines of an upgrade request; `headers` replace or (null) remove the usual ones.
export function upgrade_request(target, headers = {}, { method = 'GET', version = '1.1' } = {}) {
  const all = {
    Host: '127.0.0.1',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    ...headers,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== null)
    .flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}\r\n`));
  return `${method} ${target} HTTP/${version}\r\n${lines.join('')}\r\n`;
}

export function parse_head(text) {
  const [status_line, ...lines] = text.split('\r\n');
  const match = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(status_line);
  check(match, `not a status line: ${JSON.stringify(status_line)}`);
  const headers = new Map();
  for (const line of lines) {
    const colon = line.indexOf(':');
    check(colon > 0, `not a header: ${JSON.stringify(line)}`);
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(match[1]), headers };
}

// A TCP connection whose input is awaited piece by piece.
export class RawSocket {
  #chunks = [];
  #len = 0;
  #waiting = null;
  ended = false; // The server will send nothing more.
  error = null;

  static async connect(port, options = {}) {
    const socket = new RawSocket();
    socket.tcp = net.connect({ port, host: options.host ?? '127.0.0.1', noDelay: true });
    socket.tcp.on('data', (bytes) => {
      socket.#chunks.push(bytes);
      socket.#len += bytes.length;
      socket.#wake();
    });
    const over = (error) => {
      socket.error ??= error ?? null;
      socket.ended = true;
      socket.#wake();
    };
    socket.tcp.on('end', () => over());
    socket.tcp.on('close', () => over());
    await within(WAIT_MS_MAX, new Promise((resolve, reject) => {
      socket.tcp.once('connect', resolve);
      socket.tcp.once('error', reject);
    }), 'connecting');
    socket.tcp.on('error', over);
    return socket;
  }

  #wake() {
    const wake = this.#waiting;
    this.#waiting = null;
    wake?.();
  }

  get available() {
    return this.#len;
  }

  write(bytes) {
    this.tcp.write(bytes);
  }

  // Waits until at least so many bytes can be looked at; false when the stream ends before.
  async fill(len, ms_max = WAIT_MS_MAX) {
    const wait = async () => {
      while (this.#len < len && !this.ended) {
        await new Promise((resolve) => {
          this.#waiting = resolve;
        });
      }
    };
    await within(ms_max, wait(), `waiting for ${len} bytes (have ${this.#len})`);
    return this.#len >= len;
  }

  peek() {
    if (this.#chunks.length > 1) {
      this.#chunks = [Buffer.concat(this.#chunks)];
    }
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  take(len) {
    const all = this.peek();
    const out = all.subarray(0, len);
    this.#chunks = len < all.length ? [all.subarray(len)] : [];
    this.#len -= out.length;
    return out;
  }

  // An HTTP head, or null when the server closed without one.
  async read_head(ms_max = WAIT_MS_MAX) {
    for (;;) {
      const at = this.peek().indexOf('\r\n\r\n');
      if (at >= 0) {
        return parse_head(this.take(at + 4).subarray(0, at).toString('latin1'));
      }
      if (!(await this.fill(this.#len + 1, ms_max))) {
        return null;
      }
    }
  }

  // Everything until the server closes.
  async read_to_end(ms_max = WAIT_MS_MAX) {
    await within(ms_max, (async () => {
      while (!this.ended) {
        await this.fill(this.#len + 1, ms_max);
      }
    })(), 'waiting for the end');
    return this.take(this.#len);
  }

  destroy() {
    this.tcp.destroy();
  }
}

export class RawWebSocket {
  // Connects and upgrades. `options`: headers, expect (the status, 101 by default).
  static async open(port, target, options = {}) {
    const socket = await RawSocket.connect(port);
    const key = randomBytes(16).toString('base64');
    socket.write(upgrade_request(target, { 'Sec-WebSocket-Key': key, ...options.headers }));
    const head = await socket.read_head();
    check(head !== null, 'the server closed instead of answering the handshake');
    check(head.status === 101, `the handshake was answered ${head.status}`);
    check(head.headers.get('sec-websocket-accept') === accept_of(key), 'a wrong accept value');
    return new RawWebSocket(socket, head);
  }

  constructor(socket, head) {
    this.socket = socket;
    this.head = head;
    this.deflate = (head.headers.get('sec-websocket-extensions') ?? '')
      .startsWith('permessage-deflate');
  }

  write(bytes) {
    this.socket.write(bytes);
  }

  send(opcode, payload, options) {
    this.socket.write(frame(opcode, payload, options));
  }

  // The server's next frame, checked for what every server frame must be; null at the end.
  async next_frame(ms_max = WAIT_MS_MAX) {
    const { socket } = this;
    if (!(await socket.fill(2, ms_max))) {
      check(socket.available === 0, 'the server closed inside of a frame');
      return null;
    }
    const start = socket.peek();
    const form = start[1] & 0x7f;
    const head_len = form < 126 ? 2 : form === 126 ? 4 : 10;
    check((start[1] & 0x80) === 0, 'the server masked a frame');
    check(await socket.fill(head_len, ms_max), 'the server closed inside of a frame header');
    const head = Buffer.from(socket.peek().subarray(0, head_len));
    const len = form < 126 ? form : form === 126 ? head.readUInt16BE(2)
      : Number(head.readBigUInt64BE(2));
    check(form !== 126 || len >= 126, 'the server used two bytes for a short length');
    check(form !== 127 || len >= 65536, 'the server used eight bytes for a short length');
    check(await socket.fill(head_len + len, ms_max), 'the server closed inside of a payload');
    const payload = socket.take(head_len + len).subarray(head_len);
    return this.#check_frame({
      fin: (head[0] & 0x80) !== 0,
      rsv: (head[0] >> 4) & 7,
      opcode: head[0] & 0xf,
      payload,
    });
  }

  #check_frame(got) {
    check((got.rsv & 3) === 0, 'the server set RSV2 or RSV3');
    check(got.rsv === 0 || this.deflate, 'the server set RSV1 without permessage-deflate');
    check([0, 1, 2, 8, 9, 10].includes(got.opcode), `the server sent opcode ${got.opcode}`);
    if (got.opcode >= 8) {
      check(got.fin && got.payload.length <= 125, 'the server sent a bad control frame');
      check(got.rsv === 0, 'the server compressed a control frame');
    }
    if (got.opcode === CLOSE) {
      check(got.payload.length !== 1, 'the server sent a close payload of one byte');
      got.code = got.payload.length ? got.payload.readUInt16BE(0) : null;
      got.reason = got.payload.subarray(2).toString();
      check(!got.reason.includes('\ufffd'), 'the server sent a close reason that is not UTF-8');
    }
    return got;
  }

  // The server's next whole message or control frame: {opcode, payload, compressed}.
  async next_message(ms_max = WAIT_MS_MAX) {
    const parts = [];
    let first = null;
    for (;;) {
      const got = await this.next_frame(ms_max);
      if (got === null || got.opcode >= 8) {
        check(first === null || got !== null, 'the server closed inside of a message');
        return got;
      }
      check((got.opcode === CONTINUATION) === (first !== null), 'the server mixed up fragments');
      first ??= got;
      parts.push(got.payload);
      if (got.fin) {
        return { opcode: first.opcode, compressed: first.rsv === 4, payload: Buffer.concat(parts) };
      }
    }
  }

  // Waits for the server's close frame, skipping what comes before it, and for the end of the
  // stream; returns {code, reason}, or null when the stream ended without one.
  async next_close(ms_max = WAIT_MS_MAX) {
    let got;
    do {
      got = await this.next_frame(ms_max);
    } while (got !== null && got.opcode !== CLOSE);
    return got;
  }

  destroy() {
    this.socket.destroy();
  }
}
