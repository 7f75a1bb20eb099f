// SPDX-License-Identifier: Apache-2.0
// A receiver of webhooks that does what ops/WEBHOOKS.md says, on Node's own HTTP server: what it
// holds in the end has to be true. It fails as a case wants it to.
import { createHmac, timingSafeEqual } from 'node:crypto';
import http from 'node:http';
import { check, check_equal } from './report.mjs';

export const SECRET = 'the-secret-of-the-tests';
const AGE_S_MAX = 300;

export class Receiver {
  clients = new Map(); // Client id -> the event that told it, and its run and node.
  channels = new Map(); // Name -> the newest event about it.
  sources = new Map(); // Run and source -> the newest batch, as it came.
  runs = new Map(); // Run -> its node's name; of those that are gone: null.
  nodes = []; // What was told of nodes: { type, run, by }.
  events = []; // All, in the order in which they were taken.
  batches = 0;
  again = 0; // Batches that had been taken already.
  lost = 0;
  is_to_compare = false;
  wrong = []; // What must not happen.
  misbehave = () => 'take'; // What is done with a request: see #answer.

  static async start(context) {
    const receiver = new Receiver();
    await receiver.listen(0);
    receiver.port = receiver.server.address().port;
    receiver.url = `http://127.0.0.1:${receiver.port}/events`;
    context.defer(() => receiver.stop());
    return receiver;
  }

  // The process comes back, and knows what it knew.
  async listen(port = this.port) {
    this.server = http.createServer((request, response) => this.#serve(request, response));
    await new Promise((resolve) => { this.server.listen(port, '127.0.0.1', resolve); });
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }

  #serve(request, response) {
    const parts = [];
    request.on('data', (bytes) => parts.push(bytes));
    request.on('error', () => {});
    request.on('end', () => {
      this.#answer(this.misbehave(), Buffer.concat(parts), request, response);
    });
  }

  #answer(how, body, request, response) {
    if (how === 'cut') {
      request.socket.destroy();
    } else if (how === 'fail') {
      response.writeHead(503).end();
    } else if (how === 'error') {
      response.end('{"error":{"code":100,"message":"later"}}');
    } else if (how !== 'stall') {
      try {
        this.#check_signature(request.headers['x-roost-signature'], body);
        this.#take(body.toString());
      } catch (error) {
        this.wrong.push(error.message);
      }
      if (how === 'take and cut') {
        request.socket.destroy();
      } else {
        response.writeHead(how === 'take' ? 200 : 204).end();
      }
    }
  }

  #check_signature(header, body) {
    const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header ?? '') ?? [];
    check(v1 !== undefined, `no signature: ${header}`);
    const mac = createHmac('sha256', SECRET).update(`${t}.`).update(body).digest();
    check(timingSafeEqual(mac, Buffer.from(v1, 'hex')), 'the signature is of something else');
    check(Math.abs(Date.now() / 1000 - t) < AGE_S_MAX, 'the signature is old');
  }

  #take(text) {
    const batch = JSON.parse(text);
    const key = `${batch.run} ${batch.source}`;
    const before = this.sources.get(key);
    if (before !== undefined && batch.seq <= before.seq) {
      this.again += 1;
      if (batch.seq === before.seq) {
        check_equal(text, before.text, 'a batch that comes again');
      }
      return;
    }
    check_equal(batch.seq, (before?.seq ?? 0) + 1, `the number of a batch of ${key}`);
    check(batch.events.length + batch.nodes.length + batch.lost > 0, 'a batch of nothing');
    this.sources.set(key, { seq: batch.seq, text });
    this.batches += 1;
    this.lost += batch.lost;
    this.is_to_compare ||= batch.lost > 0;
    if (!this.runs.has(batch.run)) {
      this.runs.set(batch.run, batch.node);
    }
    batch.nodes.forEach((event) => this.#on_node(event, batch));
    batch.events.forEach((event) => this.#on_event(event, batch));
  }

  #on_node({ type, run }, batch) {
    this.nodes.push({ type, run, by: batch.run });
    if (type === 'started') {
      for (const [other, node] of this.runs) {
        if (node === batch.node && other !== run) {
          this.#forget_run(other);
        }
      }
    } else if (type === 'gone') {
      this.#forget_run(run);
    } else {
      check_equal(type, 'back', 'what is told of a node');
      this.is_to_compare = true;
    }
  }

  #forget_run(run) {
    this.is_to_compare = true;
    this.runs.set(run, null);
    for (const [id, client] of this.clients) {
      if (client.run === run) {
        this.clients.delete(id);
      }
    }
  }

  #on_event(event, batch) {
    this.events.push(event);
    if (event.channel !== undefined) {
      check(['occupied', 'vacated'].includes(event.type), `${event.type} of a channel`);
      const before = this.channels.get(event.channel);
      if (before === undefined || before.time_ms <= event.time_ms) {
        this.channels.set(event.channel, event);
      }
    } else if (event.type === 'connected') {
      check(!this.clients.has(event.client), `${event.client} connects twice`);
      if (this.runs.get(batch.run) !== null) {
        this.clients.set(event.client, { ...event, run: batch.run });
      }
    } else {
      check_equal(event.type, 'disconnected', 'what is told of a client');
      check(this.clients.delete(event.client) || this.lost > 0
        || this.runs.get(batch.run) === null, `${event.client} goes and never came`);
    }
  }

  get occupied() {
    return [...this.channels.values()].filter(({ type }) => type === 'occupied')
      .map(({ channel }) => channel).sort();
  }

  // A gap: channels as the server API names them.
  async compare(node) {
    const { channels } = await node.api_result('channels');
    this.is_to_compare = false;
    this.channels.clear();
    for (const channel of Object.keys(channels)) {
      this.channels.set(channel, { channel, type: 'occupied', time_ms: Date.now() });
    }
  }
}
