// SPDX-License-Identifier: Apache-2.0
// A bad network: a TCP proxy that passes bytes on in pieces, holds them back, and cuts connections,
// each for itself, until it is calmed. What it does is drawn from a seed.
import net from 'node:net';

const CUT_SHARE_A_TICK = 0.008; // Of the connections: each lives for some six seconds.
const STALL_SHARE_A_TICK = 0.006;
const STALL_MS_MAX = 2500;
const SPLIT_SHARE = 0.05; // Of what comes in one read.
const TICK_MS = 50;

// xorshift32: enough for chance, and the same everywhere.
export function random_of(seed) {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

class Pair {
  constructor(proxy, near) {
    this.proxy = proxy;
    this.near = near;
    this.far = net.connect(proxy.target, '127.0.0.1');
    this.#pipe(near, this.far);
    this.#pipe(this.far, near);
  }

  #pipe(from, to) {
    from.setNoDelay(true);
    from.on('data', (bytes) => this.#pass(bytes, to));
    from.on('error', () => this.cut());
    from.on('close', () => this.cut());
  }

  #pass(bytes, to) {
    if (!this.proxy.is_calm && bytes.length > 1 && this.proxy.random() < SPLIT_SHARE) {
      const at = 1 + Math.floor(this.proxy.random() * (bytes.length - 1));
      this.proxy.splits += 1;
      to.write(bytes.subarray(0, at));
      to.write(bytes.subarray(at));
    } else {
      to.write(bytes);
    }
  }

  stall(ms) {
    this.near.pause();
    this.far.pause();
    setTimeout(() => {
      this.near.resume();
      this.far.resume();
    }, ms);
  }

  // What is on its way is lost.
  cut() {
    this.proxy.pairs.delete(this);
    this.near.destroy();
    this.far.destroy();
  }
}

export class Proxy {
  pairs = new Set();
  is_calm = false;
  cuts = 0;
  stalls = 0;
  splits = 0;

  static async start(target, seed) {
    const proxy = new Proxy();
    proxy.target = target;
    proxy.random = random_of(seed);
    proxy.server = net.createServer((near) => proxy.pairs.add(new Pair(proxy, near)));
    await new Promise((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    proxy.port = proxy.server.address().port;
    proxy.timer = setInterval(() => proxy.tick(), TICK_MS);
    return proxy;
  }

  tick() {
    for (const pair of this.is_calm ? [] : this.pairs) {
      const drawn = this.random();
      if (drawn < CUT_SHARE_A_TICK) {
        this.cuts += 1;
        pair.cut();
      } else if (drawn < CUT_SHARE_A_TICK + STALL_SHARE_A_TICK) {
        this.stalls += 1;
        pair.stall(this.random() * STALL_MS_MAX);
      }
    }
  }

  stop() {
    clearInterval(this.timer);
    this.server.close();
    for (const pair of this.pairs) {
      pair.cut();
    }
  }
}
