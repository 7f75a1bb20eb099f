// SPDX-License-Identifier: Apache-2.0
// Clients come and go while others publish: between a subscribe and its unsubscribe nothing is
// missing and nothing comes twice, and what is left at the end is what the node says.
import {
  RawClient, connected, new_client, unique,
} from '../support/client.mjs';
import { WAIT_MS_MAX, check, check_equal, eventually } from '../support/report.mjs';

const CLIENTS = 40;
const CHANNELS = 6;
const TURNS = 60;

// One client's view: number of the newest publication of each channel it is subscribed to.
class Wanderer {
  constructor(raw) {
    this.raw = raw;
    this.open = new Map();
    this.waiting = new Map();
    this.received = 0;
    this.id = 1;
    this.done = this.#read();
  }

  async #read() {
    for (;;) {
      const line = await this.raw.next_line({ ms_max: 5 * WAIT_MS_MAX });
      if (line === null) {
        return;
      }
      this.#take(JSON.parse(line));
    }
  }

  #take(got) {
    if (got.id) {
      this.waiting.get(got.id)?.(got);
      this.waiting.delete(got.id);
      return;
    }
    const { channel, pub } = got.push;
    if (!pub) {
      return;
    }
    check(this.open.has(channel), `a publication of ${channel} outside of a subscription`);
    const last = this.open.get(channel);
    check(last === null || pub.data === last + 1, `${pub.data} came after ${last} in ${channel}`);
    this.open.set(channel, pub.data);
    this.received += 1;
  }

  call(name, channel) {
    this.id += 1;
    const { id } = this;
    const reply = new Promise((resolve) => {
      this.waiting.set(id, (got) => {
        check(!got.error, `${name} of ${channel}: ${JSON.stringify(got.error)}`);
        // Replies and pushes are taken in the order of the wire.
        if (name === 'subscribe') {
          this.open.set(channel, null);
        } else {
          this.open.delete(channel);
        }
        resolve();
      });
    });
    this.raw.send({ id, [name]: { channel } });
    return reply;
  }

  async wander(channels, random) {
    for (let turn = 0; turn < TURNS; turn += 1) {
      const channel = channels[Math.floor(random() * channels.length)];
      await this.call(this.open.has(channel) ? 'unsubscribe' : 'subscribe', channel);
    }
  }
}

// A small generator, so that a run can be repeated.
function random_of(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

async function publish_until(client, channel, is_over) {
  for (let number = 0; !is_over(); number += 1) {
    await client.publish(channel, number);
  }
}

export async function churn(context, node) {
  const channels = Array.from({ length: CHANNELS }, () => unique('churn-'));
  const wanderers = await Promise.all(Array.from({ length: CLIENTS }, async () => (
    new Wanderer(await RawClient.connected(context, node)))));
  const publishers = await Promise.all(channels.map(() => connected(new_client(context, node))));
  let over = false;
  const publishing = publishers.map((client, i) => publish_until(client, channels[i], () => over));
  const failed = Promise.race(wanderers.map((one) => one.done.then(() => {
    throw new Error('a client was disconnected');
  })));
  await Promise.race([failed, Promise.all(wanderers.map((one, i) => (
    one.wander(channels, random_of(i + 1)))))]);
  over = true;
  await Promise.all(publishing);
  check(wanderers.reduce((sum, one) => sum + one.received, 0) > CLIENTS, 'nothing was received');
  await eventually(async () => {
    for (const channel of channels) {
      const here = wanderers.filter((one) => one.open.has(channel)).length;
      const stats = await node.api_result('presence_stats', { channel });
      check_equal(stats.num_clients, here, `the presence of ${channel}`);
    }
    return true;
  }, 'presence that agrees with the subscriptions');
}
