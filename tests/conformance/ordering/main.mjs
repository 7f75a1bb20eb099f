// SPDX-License-Identifier: Apache-2.0
// 200 clients on one channel, every second in Protobuf, each receive 1,000 publications: in order,
// without gap or repeat.
import http from 'node:http';
import {
  connected, event_of, new_client, subscribed, unique,
} from '../support/client.mjs';
import { Node } from '../support/node.mjs';
import { Report, WAIT_MS_MAX, check, check_equal, eventually, sleep } from '../support/report.mjs';
import { churn } from './churn.mjs';

const SUBSCRIBERS = 200;
const PUBLICATIONS = 1000;
const PUBLISHERS = 5;
const SHARDS = [1, 2, 4, 8];
const CASE_MS_MAX = 5 * WAIT_MS_MAX;

// One process answers the pings of all clients behind what they have to read.
const CONFIG = {
  client: { allow_anonymous_connect_without_token: true, ping_interval: '600s', pong_timeout: '300s' },
  channel: { without_namespace: {
    allow_subscribe_for_client: true,
    allow_subscribe_for_anonymous: true,
    allow_publish_for_client: true,
    allow_publish_for_anonymous: true,
    presence: true,
  } },
};

// What one subscriber received: publisher -> the next number to come.
class Ledger {
  constructor(subscription) {
    this.received = 0;
    this.next = new Map();
    this.order = [];
    this.fault = null;
    subscription.on('publication', ({ data: [publisher, number] }) => {
      const wanted = this.next.get(publisher) ?? 0;
      if (number !== wanted) {
        this.fault ??= `${number} of publisher ${publisher} came instead of ${wanted}`;
      }
      this.next.set(publisher, number + 1);
      this.order.push(`${publisher}:${number}`);
      this.received += 1;
    });
    subscription.on('unsubscribed', (ctx) => {
      this.fault ??= `unsubscribed with ${ctx.code}`;
    });
    subscription.on('subscribing', (ctx) => {
      this.fault ??= `lost its subscription: ${ctx.code} ${ctx.reason}`;
    });
  }
}

async function open_ledgers(clients, channel) {
  return Promise.all(clients.map(async (client) => {
    const subscription = await subscribed(client, channel);
    return new Ledger(subscription);
  }));
}

// All ledgers are complete, and all tell the one order of the channel.
async function expect_complete(ledgers) {
  const state = () => {
    const fault = ledgers.find((one) => one.fault)?.fault;
    check(!fault, fault);
    return ledgers.every((one) => one.received >= PUBLICATIONS);
  };
  await eventually(() => {
    if (ledgers.some((one) => one.fault)) {
      return true;
    }
    return state();
  }, 'all publications at all subscribers', CASE_MS_MAX).catch((error) => {
    const counts = ledgers.map((one) => one.received).sort((a, b) => a - b);
    throw new Error(`${error.message}: from ${counts[0]} to ${counts.at(-1)}`);
  });
  state();
  await sleep(100);
  const order = ledgers[0].order.join();
  for (const ledger of ledgers) {
    check_equal(ledger.received, PUBLICATIONS, 'publications received');
    check_equal(ledger.fault, null, 'faults');
    check(ledger.order.join() === order, 'two subscribers saw two orders');
  }
}

async function publish_by_client(client, channel, publisher, count) {
  // So many are on their way at once.
  const window = 50;
  for (let at = 0; at < count; at += window) {
    const numbers = Array.from({ length: Math.min(window, count - at) }, (_, i) => at + i);
    await Promise.all(numbers.map((number) => client.publish(channel, [publisher, number])));
  }
}

function add_cases(report, node, clients, shards) {
  const with_shards = `with ${shards} shards`;
  const options = { ms_max: CASE_MS_MAX + 10_000 };
  const add = (name, publish) => {
    report.test(`order: ${name}, ${with_shards}`, options, async (context) => {
      const channel = unique('order-');
      const ledgers = await open_ledgers(clients, channel);
      await publish(context, channel);
      await expect_complete(ledgers);
      clients.forEach((client) => client.getSubscription(channel).removeAllListeners());
      clients.forEach((client) => client.removeSubscription(client.getSubscription(channel)));
    });
  };
  let publishers_opened = 0;
  const publisher = async (context) => {
    publishers_opened += 1;
    const protocol = publishers_opened % 2 === 0 ? 'json' : 'protobuf';
    return connected(new_client(context, node, { protocol }));
  };
  add('one client publishes', async (context, channel) => {
    await publish_by_client(await publisher(context), channel, 0, PUBLICATIONS);
  });
  add('five clients publish at once', async (context, channel) => {
    const publishers = await Promise.all(Array.from({ length: PUBLISHERS },
      () => publisher(context)));
    await Promise.all(publishers.map((client, i) => publish_by_client(client, channel, i,
      PUBLICATIONS / PUBLISHERS)));
  });
  add('the HTTP API publishes, one connection', async (_context, channel) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < PUBLICATIONS; i += 1) {
      await node.api_result('publish', { channel, data: ['api', i] }, agent);
    }
    agent.destroy();
  });
  add('the HTTP API publishes over five connections', async (_context, channel) => {
    await Promise.all(Array.from({ length: PUBLISHERS }, async (_, publisher_id) => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      for (let i = 0; i < PUBLICATIONS / PUBLISHERS; i += 1) {
        await node.api_result('publish', { channel, data: [publisher_id, i] }, agent);
      }
      agent.destroy();
    }));
  });
  report.test(`order: clients come and go, ${with_shards}`, options,
    (context) => churn(context, node));
  add('a client and the HTTP API publish at once', async (context, channel) => {
    const client = await publisher(context);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    await Promise.all([publish_by_client(client, channel, 'client', PUBLICATIONS / 2), (async () => {
      for (let i = 0; i < PUBLICATIONS / 2; i += 1) {
        await node.api_result('publish', { channel, data: ['api', i] }, agent);
      }
    })()]);
    agent.destroy();
  });
}

// A program under sanitizers needs longer, so it runs the hardest number of shards alone.
async function run_on(report, program, shards) {
  const node = await Node.start(CONFIG, { shards, program });
  const scope = { defer: () => {} };
  const clients = [];
  for (let i = 0; i < SUBSCRIBERS; i += 20) {
    const some = Array.from({ length: 20 }, (_, n) => new_client(scope, node,
      { protocol: n % 2 === 0 ? 'json' : 'protobuf' }));
    clients.push(...await Promise.all(some.map(connected)));
  }
  add_cases(report, node, clients, program ? `${shards} sanitized` : shards);
  await report.run();
  report.test(`order: no client was disconnected with ${shards} shards`, async () => {
    for (const client of clients) {
      check_equal(client.events.map(([name]) => name), ['connecting', 'connected'], 'the events');
    }
    clients.forEach((client) => client.disconnect());
    await Promise.all(clients.map((client) => event_of(client.events, 'disconnected')));
    await node.stop_cleanly();
  });
  await report.run();
}

const report = new Report();
for (const shards of SHARDS) {
  await run_on(report, undefined, shards);
}
if (process.env.ROOSTD_SANITIZED) {
  await run_on(report, process.env.ROOSTD_SANITIZED, 4);
}
report.exit();
