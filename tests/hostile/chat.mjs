// SPDX-License-Identifier: Apache-2.0
// Good clients that chat while others attack: they must lose nothing and never be disconnected.
import { connected, event_of, new_client, subscribed } from '../conformance/support/client.mjs';
import { check, check_equal, eventually, sleep } from '../conformance/support/report.mjs';

const CLIENTS = 20;
const PAUSE_MS = 100;
const TOO_MANY_REQUESTS = 111;

export class Chat {
  #fault = null;
  #talking = true;
  #talkers = [];
  #said = new Array(CLIENTS).fill(0);
  #heard = [];
  retries = 0;

  static async open(node) {
    const chat = new Chat();
    const scope = { defer: () => {} };
    chat.clients = await Promise.all(Array.from({ length: CLIENTS },
      () => connected(new_client(scope, node))));
    const rooms = await Promise.all(chat.clients.map((client) => subscribed(client, 'chat')));
    rooms.forEach((room, listener) => chat.#listen(room, listener));
    chat.clients.forEach((client, i) => client.on('connecting', (ctx) => {
      chat.#fault ??= `client ${i} was disconnected: ${ctx.code} ${ctx.reason}`;
    }));
    chat.#talkers = chat.clients.map((client, i) => chat.#talk(client, i));
    return chat;
  }

  #listen(room, listener) {
    const next = new Array(CLIENTS).fill(0);
    this.#heard[listener] = next;
    room.on('publication', ({ data: [talker, number] }) => {
      if (number !== next[talker]) {
        this.#fault ??= `client ${listener} heard ${number} of ${talker}, not ${next[talker]}`;
      }
      next[talker] = number + 1;
    });
  }

  async #talk(client, talker) {
    await sleep(Math.random() * PAUSE_MS);
    while (this.#talking) {
      try {
        await client.publish('chat', [talker, this.#said[talker]]);
        this.#said[talker] += 1;
      } catch (error) {
        // A node under a flood may ask to come again, which loses nothing.
        if (error.code !== TOO_MANY_REQUESTS) {
          this.#fault ??= `client ${talker} could not publish: ${error.code} ${error.message}`;
          return;
        }
        this.retries += 1;
      }
      await sleep(PAUSE_MS);
    }
  }

  // Everything said until now was heard by everybody, and the chat goes on.
  async check() {
    const said = [...this.#said];
    await eventually(() => this.#fault !== null
      || (this.#heard.every((next) => next.every((number, talker) => number >= said[talker]))
        && this.#said.some((number, talker) => number > said[talker])),
    'hearing all that was said, and more');
    check(this.#fault === null, `the chat suffered: ${this.#fault}`);
  }

  async close() {
    this.#talking = false;
    await Promise.all(this.#talkers);
    await this.check_final();
    this.clients.forEach((client) => client.disconnect());
    await Promise.all(this.clients.map((client) => event_of(client.events, 'disconnected')));
  }

  async check_final() {
    await eventually(() => this.#heard.every((next) => next.every(
      (number, talker) => number >= this.#said[talker])), 'hearing the last words');
    check_equal(this.#fault, null, 'faults of the chat');
  }
}
