// SPDX-License-Identifier: Apache-2.0
// Attacks a node while good clients chat; afterwards its memory and its counters are looked at.
import { RawClient } from '../conformance/support/client.mjs';
import { Node, sum_metric } from '../conformance/support/node.mjs';
import { RawWebSocket } from '../conformance/support/raw_websocket.mjs';
import { Report, WAIT_MS_MAX, check, check_equal, eventually, sleep } from '../conformance/support/report.mjs';
import { add_backends } from './backend_attacks.mjs';
import { Chat } from './chat.mjs';
import { FALLBACK_CONFIG, add_fallbacks, patient_posts } from './fallback_attacks.mjs';
import { add_http, add_smuggling, patient_peers } from './http_attacks.mjs';
import { add_keyed } from './keyed_attacks.mjs';
import { add_revocations } from './revocation_attacks.mjs';
import { manners, run_storm } from './storm.mjs';
import { add_wildcards } from './wildcard_attacks.mjs';
import { add_websocket, patient_websockets } from './websocket_attacks.mjs';

const STORM_CONNECTIONS = 10_000;
const ATTACK_MS_MAX = 5 * WAIT_MS_MAX;
// The node's limits of time for peers are a few seconds.
const STILL_MS_MAX = 1000;

const CONFIG = {
  client: { insecure: true, stale_close_delay: '5s', ping_interval: '100s', pong_timeout: '90s' },
  websocket: { compression: true },
  ...FALLBACK_CONFIG,
  http_api: { max_request_body_size: 200_000 },
  echo: { enabled: true, path: '/echo' },
};

// Runs attacks one after another; each has to leave the chat and the node as they were.
class Attacks {
  constructor(report, node, chat) {
    Object.assign(this, { report, node, chat });
    this.all = [];
  }

  // `counts`: [metric, labels, by how much it grows at least].
  add(name, { counts }, body) {
    this.all.push({ name, counts, body });
    this.report.test(name, { ms_max: ATTACK_MS_MAX }, (context) => (
      this.#attack(context, counts, body)));
  }

  async #attack(context, counts, body) {
    const { node, chat } = this;
    const before = await node.metrics();
    await body(context, node);
    await chat.check();
    await eventually(async () => {
      const after = await node.metrics();
      for (const [metric, labels, least] of counts) {
        const grown = sum_metric(after, metric, labels) - sum_metric(before, metric, labels);
        check(grown >= least, `${metric}{${labels}} grew by ${grown}, not ${least}`);
      }
      return true;
    }, 'counting it');
  }
}

// Listens to the channel into which smuggled calls publish.
async function open_watcher(node) {
  const watcher = { smuggled: 0 };
  const scope = { defer: () => {} };
  const raw = await RawClient.connected(scope, node);
  await raw.call({ id: 2, subscribe: { channel: 'smuggled' } });
  (async () => {
    while ((await raw.next_line({ ms_max: 3_600_000 }).catch(() => null)) !== null) {
      watcher.smuggled += 1;
    }
  })();
  return watcher;
}

function add_storms(attacks) {
  for (const manner of manners) {
    const counts = manner.includes('subscribe')
      ? [['roost_client_connections_accepted', '', STORM_CONNECTIONS]] : [];
    attacks.add(`${STORM_CONNECTIONS} times: ${manner}`, { counts }, async (_context, node) => {
      const at = Date.now();
      const served = await run_storm({ port: node.port, manner, count: STORM_CONNECTIONS,
        at_once: 100 });
      const rate = Math.round(STORM_CONNECTIONS / ((Date.now() - at) / 1000));
      console.log(`# ${manner}: ${rate} connections a second`);
      check_equal(served, STORM_CONNECTIONS, 'connections that were served');
    });
  }
}

// All that wait for a time limit wait together.
function add_patient(attacks) {
  const peers = [...patient_peers(), ...patient_posts(), ...patient_websockets()];
  const counts = new Map();
  for (const [, [metric, labels, least]] of peers) {
    const key = `${metric} ${labels}`;
    counts.set(key, [metric, labels, (counts.get(key)?.[2] ?? 0) + least]);
  }
  const names = peers.map(([name]) => name).join(', ');
  attacks.add(`together: ${names}`, { counts: [...counts.values()] }, async (context, node) => {
    await Promise.all(peers.map(async ([name, , body]) => {
      await body(context, node).catch((error) => {
        throw new Error(`${name}: ${error.message}`);
      });
    }));
  });
}

// Many peers that each leave a message unfinished, to a node of one shard.
function add_pinning(report, program) {
  report.test('unfinished messages of strangers are bounded together', { ms_max: ATTACK_MS_MAX },
    async (context) => {
      const node = await Node.start({ ...CONFIG, client: { ...CONFIG.client,
        stale_close_delay: '60s' } }, { shards: 1, program });
      context.defer(() => node.stop_cleanly());
      const chat = await Chat.open(node);
      for (let i = 0; i < 800; i += 50) {
        await Promise.all(Array.from({ length: 50 }, async () => {
          const ws = await RawWebSocket.open(node.port, '/connection/websocket');
          context.defer(() => ws.destroy());
          ws.send(1, Buffer.alloc(65_000, ' '), { fin: false });
        }));
      }
      await eventually(async () => (await node.metric('roost_transport_refused_count',
        'reason="pinned_bytes"')) > 0, 'somebody to be refused');
      const pinned = await node.metric('roost_transport_receive_pinned_unauthenticated_bytes');
      check(pinned <= 33 << 20, `${pinned} bytes are pinned`);
      await chat.check();
      await chat.close();
    });
}

async function quiet_rss(node, connections) {
  await eventually(async () => (await node.metric('roost_node_num_connections')) <= connections,
    'the attackers to be gone');
  await eventually(async () => (await node.metric('roost_transport_receive_pinned_unauthenticated_bytes')) === 0,
    'no byte to be pinned for strangers');
  await sleep(2000);
  return node.rss_kib();
}

async function attack_node(program, label) {
  const report = new Report({ prefix: label, still_ms_max: STILL_MS_MAX });
  const node = await Node.start(CONFIG, { shards: 4, program });
  const watcher = await open_watcher(node);
  const chat = await Chat.open(node);
  const connections = (await node.metric('roost_node_num_connections'));
  const attacks = new Attacks(report, node, chat);
  add_http(attacks);
  add_smuggling(attacks, watcher);
  add_websocket(attacks);
  add_fallbacks(attacks);
  add_storms(attacks);
  await report.run();

  // The first round warmed the node up; what a second round adds is what would be lost for ever.
  const rss = {};
  report.test('memory: the attackers leave nothing behind', { ms_max: ATTACK_MS_MAX }, async () => {
    rss.first = await quiet_rss(node, connections);
  });
  add_patient(attacks);
  await report.run();
  const silent = new Report({ prefix: `${label}second round: `, still_ms_max: STILL_MS_MAX });
  if (!program) {
    const again = new Attacks(silent, node, chat);
    attacks.all.forEach((attack) => !attack.name.startsWith('together')
      && again.add(attack.name, attack, attack.body));
    await silent.run();
    report.test('memory: comes back after a second round', { ms_max: ATTACK_MS_MAX }, async () => {
      rss.second = await quiet_rss(node, connections);
      console.log(`# resident after each round: ${rss.first} KiB, ${rss.second} KiB`);
      check(rss.second <= rss.first * 1.15 + 16 * 1024,
        `${rss.first} KiB after the first round, ${rss.second} KiB after the second`);
    });
  }
  report.test('the chat lost nothing, and the node ends well', { ms_max: ATTACK_MS_MAX }, async () => {
    check_equal(watcher.smuggled, 0, 'smuggled publications');
    await chat.close();
    console.log(`# the chat was asked ${chat.retries} times to come again`);
    await node.stop_cleanly();
  });
  add_pinning(report, program);
  add_backends(report, program);
  add_keyed(report, program);
  add_revocations(report, program);
  add_wildcards(report, program);
  await report.run();
  return { passed: report.passed + silent.passed, failed: report.failed + silent.failed };
}

// Most of it is waiting for the nodes' limits of time, so both wait at once.
const sanitized = process.env.ROOSTD_SANITIZED;
const totals = await Promise.all([attack_node(undefined, ''),
  ...(sanitized ? [attack_node(sanitized, 'sanitized: ')] : [])]);
process.exit(totals.every(({ passed, failed }) => failed === 0 && passed > 0) ? 0 : 1);
