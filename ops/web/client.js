// SPDX-License-Identifier: Apache-2.0
// A client of the protocol in a page: connects over WebSocket with JSON, answers pings, comes back after a loss with
// growing and random delays, and subscribes again to what it was subscribed to.

const DELAY_MS_MIN = 200;
const DELAY_MS_MAX = 20000;
const COMMAND_MS_MAX = 5000;
const CONNECT_MS_MAX = 10000;
// How much later than announced a ping may come before the connection counts as dead.
const PING_MS_EXTRA = 10000;

// From these codes no new attempt leads anywhere: the server means it.
function isTerminal(code) {
  return (code >= 3500 && code < 4000) || (code >= 4500 && code < 5000) || code === 1009;
}

export class ProtocolError extends Error {
  constructor({ code, message, temporary }) {
    super(message || "error " + code);
    this.code = code;
    this.temporary = Boolean(temporary);
  }
}

export class Client {
  // Handlers: status(text, detail), publication(channel, pub), join(channel, info), leave(channel, info),
  // subscribed(channel), failed(channel, error)
  constructor(url, handlers) {
    this.url = url;
    this.handlers = handlers;
    this.channels = new Set();
    this.waiting = new Map();
    this.nextId = 1;
    this.attempts = 0;
    this.id = "";
    this.isConnected = false;
  }

  connect() {
    clearTimeout(this.retryTimer);
    this.retryTimer = null;
    this.tell("connecting");
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.watch(CONNECT_MS_MAX);
    socket.onopen = () => this.greet();
    socket.onmessage = (event) => this.read(event.data);
    socket.onclose = (event) => this.lost(event.code, event.reason);
  }

  // The connect command and all subscriptions travel in one frame: the server takes them in this order.
  greet() {
    const commands = [this.command({ connect: { name: "roost-demo" } }, (reply) => this.greeted(reply))];
    for (const channel of this.channels) {
      commands.push(this.subscription(channel));
    }
    this.send(commands);
  }

  greeted(reply) {
    if (reply.error) {
      this.tell("connecting", reply.error.message);
      this.socket.close();
      return;
    }
    this.id = reply.connect.client;
    this.pingMs = (reply.connect.ping || 0) * 1000;
    this.mustPong = Boolean(reply.connect.pong);
    this.attempts = 0;
    this.isConnected = true;
    this.watch();
    this.tell("connected");
  }

  // Anything that arrives proves that the connection lives.
  watch(ms = this.pingMs ? this.pingMs + PING_MS_EXTRA : 0) {
    clearTimeout(this.deathTimer);
    if (ms > 0) {
      const socket = this.socket;
      this.deathTimer = setTimeout(() => {
        socket.onclose = null;
        socket.onmessage = null;
        socket.close();
        this.lost(0, "no ping");
      }, ms);
    }
  }

  read(frame) {
    if (this.isConnected) {
      this.watch();
    }
    for (const line of frame.split("\n")) {
      if (line !== "") {
        this.dispatch(JSON.parse(line));
      }
    }
  }

  dispatch(reply) {
    if (reply.id) {
      const done = this.waiting.get(reply.id);
      this.waiting.delete(reply.id);
      if (done) {
        clearTimeout(done.timer);
        done.call(reply);
      }
    } else if (reply.push) {
      this.push(reply.push);
    } else if (this.mustPong) {
      this.send([{}]);
    }
  }

  push({ channel, pub, join, leave, unsubscribe }) {
    if (pub) {
      this.handlers.publication(channel, pub);
    } else if (join) {
      this.handlers.join(channel, join.info);
    } else if (leave) {
      this.handlers.leave(channel, leave.info);
    } else if (unsubscribe && this.channels.has(channel)) {
      if (unsubscribe.code >= 2500) {
        this.send([this.subscription(channel)]);
      } else {
        this.channels.delete(channel);
        this.handlers.failed(channel, new ProtocolError({ code: unsubscribe.code, message: unsubscribe.reason }));
      }
    }
  }

  lost(code, reason) {
    clearTimeout(this.deathTimer);
    this.isConnected = false;
    this.id = "";
    for (const done of this.waiting.values()) {
      clearTimeout(done.timer);
      done.call({ error: { code: 0, message: "the connection was lost", temporary: true } });
    }
    this.waiting.clear();
    if (isTerminal(code)) {
      this.tell("disconnected", reason);
      return;
    }
    // The whole range is drawn from, so that many clients of a node that ended do not come back in step.
    const most = Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** this.attempts++);
    const delay = DELAY_MS_MIN / 2 + Math.random() * most;
    this.tell("connecting", reason);
    this.retryTimer = setTimeout(() => this.connect(), delay);
  }

  // For a page that comes back to the foreground: there is no need to sit out the delay.
  hurry() {
    if (this.retryTimer) {
      this.connect();
    }
  }

  command(body, call) {
    const id = this.nextId++;
    const timer = setTimeout(() => {
      this.waiting.delete(id);
      call({ error: { code: 0, message: "the server did not answer", temporary: true } });
    }, COMMAND_MS_MAX);
    this.waiting.set(id, { call, timer });
    return { id, ...body };
  }

  subscription(channel) {
    return this.command({ subscribe: { channel } }, ({ error }) => {
      if (!this.channels.has(channel)) {
        return;
      }
      if (!error) {
        this.handlers.subscribed(channel);
      } else if (!error.temporary) {
        this.channels.delete(channel);
        this.handlers.failed(channel, new ProtocolError(error));
      } else if (this.isConnected) {
        setTimeout(() => this.isConnected && this.send([this.subscription(channel)]), 500 + Math.random() * 1000);
      }
    });
  }

  send(commands) {
    if (this.socket.readyState === WebSocket.OPEN) {
      this.socket.send(commands.map((command) => JSON.stringify(command)).join("\n"));
    }
  }

  call(body) {
    return new Promise((resolve, reject) => {
      if (!this.isConnected) {
        reject(new ProtocolError({ code: 0, message: "not connected", temporary: true }));
        return;
      }
      const settle = (reply) => (reply.error ? reject(new ProtocolError(reply.error)) : resolve(reply));
      this.send([this.command(body, settle)]);
    });
  }

  subscribe(channel) {
    this.channels.add(channel);
    if (this.isConnected) {
      this.send([this.subscription(channel)]);
    }
  }

  unsubscribe(channel) {
    if (this.channels.delete(channel) && this.isConnected) {
      this.call({ unsubscribe: { channel } }).catch(() => {});
    }
  }

  publish(channel, data) {
    return this.call({ publish: { channel, data } });
  }

  async presence(channel) {
    return (await this.call({ presence: { channel } })).presence.presence || {};
  }

  tell(status, detail) {
    this.handlers.status(status, detail || "");
  }
}
