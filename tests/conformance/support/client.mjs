// SPDX-License-Identifier: Apache-2.0
// Clients of the protocol: npm centrifuge as applications use it, and one that sees raw JSON.
import { createHmac, randomUUID } from 'node:crypto';
import { Centrifuge } from 'centrifuge';
import { Centrifuge as ProtobufCentrifuge } from 'centrifuge/build/protobuf';
import WebSocket from 'ws';
import { EventSource } from './event_source.mjs';
import { TOKEN_KEY } from './node.mjs';
import { CLOSE, PING, PONG, RawWebSocket, TEXT } from './raw_websocket.mjs';
import { WAIT_MS_MAX, check, check_equal, eventually, within } from './report.mjs';

// What npm centrifuge dials with.
export { WebSocket };

function base64url(value) {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
    .toString('base64url');
}

// A token of these claims; `options`: key, alg, head (more header fields), hash.
export function make_token(claims, options = {}) {
  const { key = TOKEN_KEY, alg = 'HS256', hash = `sha${alg.slice(2)}` } = options;
  const signed = `${base64url({ typ: 'JWT', alg, ...options.head })}.${base64url(claims)}`;
  return `${signed}.${createHmac(hash, key).update(signed).digest('base64url')}`;
}

export function now_s() {
  return Math.floor(Date.now() / 1000);
}

export function unique(prefix) {
  return `${prefix}${randomUUID().slice(0, 13)}`;
}

// What an emitter told, in order: [event, context].
export function record(emitter, names) {
  const events = [];
  for (const name of names) {
    emitter.on(name, (ctx) => events.push([name, ctx]));
  }
  return events;
}

export const CLIENT_EVENTS = ['connecting', 'connected', 'disconnected', 'error'];
export const SUBSCRIPTION_EVENTS = ['subscribing', 'subscribed', 'unsubscribed', 'publication',
  'join', 'leave', 'error'];

// The first recorded event of that name, waiting for it if need be.
export async function event_of(events, name, count = 1, ms_max = WAIT_MS_MAX) {
  const told = () => events.filter(([one]) => one === name);
  await eventually(() => told().length >= count, `${count} of the event "${name}"`, ms_max)
    .catch((error) => {
      const seen = events.map(([one, ctx]) => `${one} ${ctx?.code ?? ctx?.error?.code ?? ''}`);
      throw new Error(`${error.message}; seen: ${seen.join(', ')}`);
    });
  return told()[count - 1][1];
}

export function bytes_of(value) {
  return new TextEncoder().encode(JSON.stringify(value));
}

// A field that is not on the wire has the zero of its type.
function is_absent(key, value) {
  return typeof value === 'function' || (value instanceof Uint8Array && value.length === 0)
    || (key === 'tags' && Object.keys(value).length === 0);
}

// What applications of the Protobuf client get as bytes, as those of the JSON client have it.
function parsed(value) {
  if (value instanceof Uint8Array) {
    return JSON.parse(new TextDecoder().decode(value));
  }
  if (Array.isArray(value)) {
    return value.map(parsed);
  }
  if (value === null || typeof value !== 'object' || value instanceof Error) {
    return value;
  }
  const fields = {};
  for (const key in value) { // Zeros are its prototype's.
    if (!is_absent(key, value[key])) {
      fields[key] = parsed(value[key]);
    }
  }
  return fields;
}

function hear_parsed(emitter) {
  const on = emitter.on.bind(emitter);
  emitter.on = (name, listener) => on(name, (ctx) => listener(parsed(ctx)));
  return emitter;
}

// npm centrifuge's Protobuf client for applications that speak JSON, as the cases do.
class JsonOverProtobuf extends ProtobufCentrifuge {
  newSubscription(...args) {
    return hear_parsed(super.newSubscription(...args));
  }

  newMapSubscription(...args) {
    const subscription = hear_parsed(super.newMapSubscription(...args));
    const publish = subscription.publish.bind(subscription);
    subscription.publish = (key, data) => publish(key, bytes_of(data));
    return subscription;
  }

  newMapClientsSubscription(...args) {
    return hear_parsed(super.newMapClientsSubscription(...args));
  }

  publish(channel, data) {
    return super.publish(channel, bytes_of(data));
  }

  rpc(method, data) {
    return super.rpc(method, bytes_of(data));
  }

  async presence(channel) {
    return parsed(await super.presence(channel));
  }

  async history(channel, options) {
    return parsed(await super.history(channel, options));
  }
}

const CLIENTS = {
  json: Centrifuge,
  // What a case says and hears is JSON all the same, or bytes as they are.
  protobuf: JsonOverProtobuf,
  bytes: ProtobufCentrifuge,
};

// How the client reaches the node whose WebSocket is at `url`.
function endpoints_of(url, transport) {
  if (transport === 'websocket') {
    return [url, {}];
  }
  const { host } = new URL(url);
  return [[{ transport, endpoint: `http://${host}/connection/${transport}` }],
    { emulationEndpoint: `http://${host}/emulation`, eventsource: EventSource }];
}

// A client that is disconnected at the end of the case. Not connected yet. `options.protocol`: one
// of CLIENTS, `options.transport`: a transport; else those of the cases' clients.
export function new_client(context, node, options = {}) {
  const protocol = options.protocol ?? context.protocol ?? 'json';
  const transport = options.transport ?? context.transport ?? 'websocket';
  const [endpoint, more] = endpoints_of(options.url ?? node.url, transport);
  const client = new CLIENTS[protocol](endpoint, {
    websocket: WebSocket, minReconnectDelay: 50, maxReconnectDelay: 200, timeout: WAIT_MS_MAX,
    maxServerPingDelay: WAIT_MS_MAX, ...more, ...options });
  if (protocol === 'protobuf') {
    hear_parsed(client);
  }
  client.events = record(client, CLIENT_EVENTS);
  context.defer(() => client.disconnect());
  return client;
}

// Cuts the client's connection, of which neither side is told anything before.
export function cut(client) {
  const transport = client._transport;
  if (transport.name() === 'http_stream') {
    transport._abortController.abort();
  } else {
    transport._transport.terminate();
  }
}

export async function connected(client) {
  client.connect();
  client.id = (await event_of(client.events, 'connected')).client;
  return client;
}

export function open_client(context, node, options) {
  return connected(new_client(context, node, options));
}

// A client with a token of that user.
export function open_user(context, node, user, options = {}) {
  return open_client(context, node, { token: make_token({ sub: user, ...options.claims }),
    ...options });
}

export function new_subscription(client, channel, options) {
  const subscription = client.newSubscription(channel, options);
  subscription.events = record(subscription, SUBSCRIPTION_EVENTS);
  return subscription;
}

export async function subscribed(client, channel, options) {
  const subscription = new_subscription(client, channel, options);
  subscription.subscribe();
  await event_of(subscription.events, 'subscribed');
  return subscription;
}

export function publications_of(subscription) {
  return subscription.events.filter(([name]) => name === 'publication').map(([, ctx]) => ctx);
}

// A client that speaks raw lines of JSON.
export class RawClient {
  #lines = [];
  #is_closed = false;

  static async open(context, node, options = {}) {
    const target = `/connection/websocket${options.query ?? ''}`;
    const client = new RawClient();
    client.ws = await RawWebSocket.open(node.port, target, options);
    context.defer(() => client.ws.destroy());
    return client;
  }

  // Opens and connects; `options.connect` is the request.
  static async connected(context, node, options = {}) {
    const client = await RawClient.open(context, node, options);
    client.send({ id: 1, connect: options.connect ?? {} });
    const reply = await client.next();
    check(reply.connect, `connect was answered ${JSON.stringify(reply)}`);
    client.id = reply.connect.client;
    return client;
  }

  send(...commands) {
    this.send_text(commands.map((command) => JSON.stringify(command)).join('\n'));
  }

  send_text(text) {
    this.ws.send(TEXT, text);
  }

  // The next line as it was on the wire; pings are answered when `pong` is set. null: closed, and
  // `this.close` is the close frame.
  async next_line({ pong = true, ms_max = WAIT_MS_MAX } = {}) {
    for (;;) {
      if (this.#lines.length === 0 && !(await this.#read(ms_max))) {
        return null;
      }
      const line = this.#lines.shift();
      if (line !== '{}' || !pong) {
        return line;
      }
      this.send_text('{}');
    }
  }

  async #read(ms_max) {
    if (this.#is_closed) {
      return false;
    }
    let got;
    do {
      got = await this.ws.next_message(ms_max);
    } while (got !== null && (got.opcode === PING || got.opcode === PONG));
    if (got === null || got.opcode === CLOSE) {
      this.close = got;
      this.#is_closed = true;
      return false;
    }
    check_equal(got.opcode, TEXT, 'the opcode of a JSON frame');
    const text = got.payload.toString();
    this.#lines.push(...text.replace(/\n$/, '').split('\n'));
    return true;
  }

  async next(options) {
    const line = await this.next_line(options);
    check(line !== null, `closed with ${this.close?.code} "${this.close?.reason}"`);
    return JSON.parse(line);
  }

  // The reply to this command, passing over pushes.
  async call(command) {
    this.send(command);
    for (;;) {
      const reply = await this.next();
      if (reply.id === command.id) {
        return reply;
      }
    }
  }

  // Waits until the server closes; returns the code. The reason must be there.
  async closed(ms_max = WAIT_MS_MAX, pong = false) {
    await within(ms_max, (async () => {
      while ((await this.next_line({ pong, ms_max })) !== null);
    })(), 'waiting for the close');
    check(this.close !== null, 'the server closed without a close frame');
    check(this.close.reason !== '' || this.close.code < 3000, `the close ${this.close.code} has no reason`);
    return this.close.code;
  }
}
