// SPDX-License-Identifier: Apache-2.0
// Clients of each kind whose connections are cut again and again while the channels are published
// into. Each of them ends with every publication, in order and once, or was told that it missed
// some.
import { parseArgs } from 'node:util';
import { new_client } from '../support/client.mjs';
import { Node } from '../support/node.mjs';
import { Report, WAIT_MS_MAX, check, check_equal, eventually, sleep } from '../support/report.mjs';
import { Proxy, random_of } from './proxy.mjs';

const { values } = parseArgs({ options: {
  clients: { type: 'string', default: '90' },
  seconds: { type: 'string', default: '12' },
  seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
} });
const CLIENTS = Number(values.clients);
const CHANNELS = 10;
const PUBLICATIONS_A_SECOND = 50;
// What clients of the two namespaces can come back to: `long` keeps all that is published while one
// is away, `short` only the last two, so that there some are told that they missed something.
const NAMESPACES = ['long', 'short'];

const OPEN = {
  allow_subscribe_for_client: true, allow_subscribe_for_anonymous: true, history_ttl: '300s',
  force_recovery: true,
};
const CONFIG = {
  http_stream: { enabled: true },
  sse: { enabled: true },
  client: { allow_anonymous_connect_without_token: true, ping_interval: '2s', pong_timeout: '1s' },
  channel: { namespaces: [
    { name: 'long', ...OPEN, history_size: 5000 },
    { name: 'short', ...OPEN, history_size: 2 },
  ] },
};

// What one subscriber was given: the offset that it has, and whatever is wrong with how it got there.
class Ledger {
  offset = null;
  recovered = 0;
  told = 0;
  received = 0;
  fault = null;

  constructor(name, subscription) {
    this.name = name;
    subscription.on('subscribed', (ctx) => this.#on_subscribed(ctx));
    subscription.on('publication', (ctx) => this.#on_publication(ctx));
    subscription.on('unsubscribed', (ctx) => this.#wrong(`unsubscribed with ${ctx.code}`));
  }

  #wrong(what) {
    this.fault ??= `${this.name}: ${what}`;
  }

  // npm centrifuge tells of the subscription before what it recovered.
  #on_subscribed({ wasRecovering, recovered, streamPosition }) {
    if (this.offset === null || (wasRecovering && !recovered)) {
      this.told += this.offset === null ? 0 : 1;
      this.offset = streamPosition.offset;
    } else if (!wasRecovering) {
      this.#wrong('subscribed again without recovering');
    } else {
      this.recovered += 1;
    }
  }

  #on_publication({ offset, data }) {
    if (offset !== this.offset + 1) {
      this.#wrong(`publication ${offset} behind ${this.offset}`);
    }
    if (data.n !== offset) {
      this.#wrong(`publication ${offset} says ${data.n}`);
    }
    this.offset = offset;
    this.received += 1;
  }
}

function open_ledgers(context, node, port, kind, count, first) {
  return Array.from({ length: count }, (_, i) => {
    const client = new_client(context, node, { protocol: kind.protocol, transport: kind.transport,
      url: `ws://127.0.0.1:${port}/connection/websocket` });
    const channel = `${NAMESPACES[(first + i) % 2]}:${(first + i) % CHANNELS}`;
    const ledger = new Ledger(`${kind.name} ${i} of ${channel}`, client.newSubscription(channel));
    ledger.channel = channel;
    client.getSubscription(channel).subscribe();
    client.connect();
    return ledger;
  });
}

const KINDS = [
  ['json', 'websocket'], ['protobuf', 'websocket'], ['json', 'http_stream'],
  ['protobuf', 'http_stream'], ['json', 'sse'],
].map(([protocol, transport]) => ({ name: `${protocol} by ${transport}`, protocol, transport }));

// Publishes until it is told to stop; returns how many each channel got.
async function publish(node, random, state) {
  const counts = new Map();
  while (!state.is_over) {
    const channel = `${NAMESPACES[random() < 0.5 ? 0 : 1]}:${Math.floor(random() * CHANNELS)}`;
    const n = (counts.get(channel) ?? 0) + 1;
    const { offset } = await node.api_result('publish', { channel, data: { n } });
    check_equal(offset, n, `the offset in ${channel}`);
    counts.set(channel, n);
    await sleep(1000 / PUBLICATIONS_A_SECOND);
  }
  return counts;
}

async function storm(context, node) {
  const seed = Number(values.seed);
  const proxy = await Proxy.start(node.port, seed);
  context.defer(() => proxy.stop());
  const ledgers = KINDS.flatMap((kind, i) => open_ledgers(context, node, proxy.port, kind,
    Math.ceil(CLIENTS / KINDS.length), i));
  const state = { is_over: false };
  const publishing = publish(node, random_of(seed + 2), state);
  await sleep(Number(values.seconds) * 1000);
  await eventually(() => proxy.cuts > ledgers.length / 2, 'many are cut');
  proxy.is_calm = true;
  state.is_over = true;
  const counts = await publishing;
  const is_behind = (ledger) => ledger.offset !== (counts.get(ledger.channel) ?? 0);
  await eventually(() => !ledgers.some(is_behind), 'everybody at the end')
    .catch((error) => {
      const one = ledgers.find(is_behind);
      throw new Error(`${error.message}: ${one.name} has ${one.offset} of ${counts.get(one.channel)}`);
    });
  const sum = (what) => ledgers.reduce((all, one) => all + one[what], 0);
  console.log(`# seed ${seed}: ${ledgers.length} clients, ${proxy.cuts} cuts, ${proxy.stalls} stalls, `
    + `${proxy.splits} splits, ${sum('received')} publications received, `
    + `${sum('recovered')} recoveries, ${sum('told')} told that they missed some`);
  check_equal(ledgers.filter((one) => one.fault).map((one) => one.fault).slice(0, 3), [], 'faults');
  check(sum('recovered') > 0, 'nobody recovered anything');
  check(ledgers.every((one) => one.told === 0 || one.channel.startsWith('short:')),
    'somebody was told of a gap although nothing was forgotten');
}

const report = new Report();
report.test(`recovery: ${CLIENTS} clients behind a network that cuts, stalls and splits`,
  { ms_max: Number(values.seconds) * 1000 + 3 * WAIT_MS_MAX }, async (context) => {
    const node = await Node.start(CONFIG, { shards: 4 });
    context.defer(() => node.kill('SIGKILL'));
    await storm(context, node);
    check((await node.metric('roost_client_recover', 'recovered="yes"')) > 0,
      'recoveries are counted');
    await node.stop_cleanly();
  });
await report.run();
report.exit();
