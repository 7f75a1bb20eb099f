// SPDX-License-Identifier: Apache-2.0
// A backend that knows the versions of keys, signatures of them, and clients that track them.
import crypto from 'node:crypto';
import http from 'node:http';
import { event_of, now_s, record } from './client.mjs';

export const POLL_KEY = 'the-poll-key-of-the-tests';

// Says of each key that it is asked for what `items` has of it.
export class PollBackend {
  items = new Map();
  asked = []; // { channel, items }
  epoch = undefined;
  #server;

  static async start(context) {
    const backend = new PollBackend();
    backend.#server = http.createServer((request, response) => backend.#answer(request, response));
    await new Promise((resolve) => { backend.#server.listen(0, '127.0.0.1', resolve); });
    backend.url = `http://127.0.0.1:${backend.#server.address().port}`;
    context?.defer(() => backend.stop());
    return backend;
  }

  stop() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => { this.#server.close(resolve); });
  }

  async #answer(request, response) {
    const chunks = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    const asked = JSON.parse(Buffer.concat(chunks).toString());
    this.asked.push(asked);
    const items = asked.items.filter(({ key }) => this.items.has(key))
      .map(({ key }) => ({ key, ...this.items.get(key) }));
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ result: { items, epoch: this.epoch } }));
  }
}

export function poll_signature(channel, keys, { user = '', ttl_s = 3600, secret = POLL_KEY } = {}) {
  const issued = now_s();
  const digest = crypto.createHash('sha256').update(keys.join('\0')).digest('hex');
  const signed = [issued, issued + ttl_s, user, channel, digest].join('\0');
  const mac = crypto.createHmac('sha256', secret).update(signed).digest('hex');
  return `${issued}:${issued + ttl_s}:${mac}`;
}

// A subscription whose keys are signed as they are tracked; `signing` is of the signature.
export async function tracker(client, channel, { signing = {}, ...options } = {}) {
  const subscription = client.newSharedPollSubscription(channel, {
    getSignature: async ({ keys }) => ({ keys, signature: poll_signature(channel, keys, signing) }),
    minResubscribeDelay: 20,
    maxResubscribeDelay: 100,
    ...options,
  });
  subscription.events = record(subscription, ['subscribing', 'subscribed', 'unsubscribed', 'update', 'error']);
  subscription.subscribe();
  await event_of(subscription.events, 'subscribed');
  return subscription;
}

// What it was told of keys, in order: [key, version, data], or [key, 'removed'].
export function updates_of(subscription) {
  return subscription.events.filter(([name]) => name === 'update').map(([, { key, version, data, removed }]) => (
    removed ? [key, 'removed'] : [key, Number(version),
      data instanceof Uint8Array ? JSON.parse(new TextDecoder().decode(data)) : data]));
}
