// SPDX-License-Identifier: Apache-2.0
// Watches a node in steady fan-out with strace: which system calls its threads make, and how many.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { connected, new_client, subscribed } from '../../conformance/support/client.mjs';
import { Node } from '../../conformance/support/node.mjs';
import { Report, WAIT_MS_MAX, check, eventually, sleep, within } from '../../conformance/support/report.mjs';

const SHARDS = 4;
const SUBSCRIBERS = 200;
const PUBLICATIONS = 300;
const BURST = 20;
const CHANNEL = 'fan-out';
// A shard that has had nothing to do for two seconds gives memory back.
const OPTIONS = { ms_max: 5 * WAIT_MS_MAX, still_ms_max: 1000 };

const WAITS = ['epoll_wait', 'epoll_pwait', 'epoll_pwait2'];
const RECEIVES = ['read', 'readv', 'recvfrom', 'recvmsg'];
// One io_uring_enter makes the sends of many connections.
const SENDS = ['writev', 'sendto', 'sendmsg', 'io_uring_enter'];
// Eventfds between shards.
const DOORBELLS = ['write'];
// What strace itself causes by stopping a thread that waits.
const OF_THE_TRACER = ['restart_syscall'];
// Memory is taken until the longest queues of this traffic have been met, and no more after that.
const GROWS = 'mmap';
const GROWTHS_MAX = 5;
const ALLOWED = new Set([...WAITS, ...RECEIVES, ...SENDS, ...DOORBELLS, ...OF_THE_TRACER]);

function threads_of(pid) {
  return new Map(readdirSync(`/proc/${pid}/task`).map((id) => [id,
    readFileSync(`/proc/${pid}/task/${id}/comm`, 'utf8').trim()]));
}

// Runs `body` under strace; returns thread id -> system call -> how often.
async function trace(pid, body) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'roost-strace-'));
  const file = path.join(folder, 'calls');
  const threads = readdirSync(`/proc/${pid}/task`).length;
  const strace = spawn('strace', ['-f', '-s', '0', '-e', 'signal=none', '-o', file,
    '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  let told = '';
  strace.stderr.on('data', (text) => {
    told += text;
  });
  const ended = new Promise((resolve) => {
    strace.on('error', (error) => {
      told += error.message;
      resolve();
    });
    strace.on('exit', resolve);
  });
  try {
    await eventually(() => told.split(' attached').length > threads || /with \d+ threads/.test(told)
      || strace.exitCode !== null, 'strace to attach');
    check(strace.exitCode === null && strace.pid, `strace: ${told}`);
    await sleep(200);
    await body();
  } finally {
    strace.kill('SIGINT');
    await within(WAIT_MS_MAX, ended, 'ending strace');
  }
  const calls = count_calls(readFileSync(file, 'utf8'));
  rmSync(folder, { recursive: true, force: true });
  return calls;
}

function count_calls(text) {
  const threads = new Map();
  for (const line of text.split('\n')) {
    // A call that was interrupted in the log is counted where it began.
    const match = /^(\d+) +(\w+)\(/.exec(line);
    if (match) {
      const [, id, call] = match;
      const calls = threads.get(id) ?? new Map();
      threads.set(id, calls.set(call, (calls.get(call) ?? 0) + 1));
    }
  }
  return threads;
}

// The main thread waits for signals and the log writer writes: both are made for what shards may
// not do.
function is_shard(id, names) {
  return Number(id) !== node.pid && !/log/.test(names.get(id) ?? '');
}

function of_shards(calls, names) {
  return [...calls].filter(([id]) => is_shard(id, names));
}

function total(threads, wanted) {
  return threads.reduce((sum, [, calls]) => sum
    + wanted.reduce((part, call) => part + (calls.get(call) ?? 0), 0), 0);
}

function check_allowed(threads, names) {
  for (const [id, calls] of threads) {
    for (const [call, count] of calls) {
      // The router has no part in a fan-out of one node: it falls silent and gives memory back.
      const is_silent = names.get(id) === 'router' && call === 'madvise';
      check(is_silent || ALLOWED.has(call), `thread ${names.get(id)} made ${count} calls of ${call}`);
    }
  }
}

// What the shards call while `publish` runs, once their memory has stopped growing.
async function trace_steady(count, burst) {
  for (let growths = 0; ; growths += 1) {
    const threads = of_shards(await trace(node.pid, () => publish(count, burst)), names);
    const grown = total(threads, [GROWS]);
    if (grown === 0 || growths === GROWTHS_MAX) {
      return threads;
    }
    console.log(`# memory grew ${grown} times: once more`);
  }
}

function describe(what, threads, deliveries) {
  const parts = { waits: WAITS, receives: RECEIVES, sends: SENDS, doorbells: DOORBELLS };
  const counts = Object.entries(parts).map(([name, calls]) => `${total(threads, calls)} ${name}`);
  console.log(`# ${what}: ${deliveries} deliveries, ${counts.join(', ')}`);
}

const report = new Report();
const node = await Node.start({ client: { insecure: true, ping_interval: '1000s' } },
  { shards: SHARDS });
const scope = { defer: () => {} };
const clients = await Promise.all(Array.from({ length: SUBSCRIBERS },
  () => connected(new_client(scope, node))));
let delivered = 0;
await Promise.all(clients.map(async (client) => {
  const subscription = await subscribed(client, CHANNEL);
  subscription.on('publication', () => {
    delivered += 1;
  });
}));
const publisher = await connected(new_client(scope, node));
const names = threads_of(node.pid);

// Publishes so many, `burst` in one frame, and waits until all have arrived.
async function publish(count, burst) {
  const wanted = delivered + count * SUBSCRIBERS;
  for (let at = 0; at < count; at += burst) {
    publisher.startBatching();
    const sent = Array.from({ length: burst }, (_, i) => publisher.publish(CHANNEL, at + i));
    publisher.stopBatching();
    await Promise.all(sent);
  }
  await eventually(() => delivered >= wanted, 'all deliveries', 3 * WAIT_MS_MAX);
}

await publish(200, BURST);
await publish(50, 1);

report.test('budget: the shards have threads of their own', async () => {
  const shards = [...names.keys()].filter((id) => is_shard(id, names));
  // The router has one too.
  check(shards.length === SHARDS + 1, `the threads are ${[...names.values()]}`);
});
report.test('budget: fan-out makes only waits, receives, sends and doorbells', OPTIONS,
  async () => {
    const threads = await trace_steady(PUBLICATIONS, 1);
    const deliveries = PUBLICATIONS * SUBSCRIBERS;
    describe('one publication at a time', threads, deliveries);
    check_allowed(threads, names);
    const sends = total(threads, SENDS);
    // Each publication is answered to its publisher as well.
    check(sends <= deliveries + PUBLICATIONS, `${sends} sends for ${deliveries} deliveries`);
    check(sends >= SUBSCRIBERS, `only ${sends} sends were seen`);
    const doorbells = total(threads, DOORBELLS);
    check(doorbells <= PUBLICATIONS * 2 * SHARDS + 100, `${doorbells} doorbells`);
  });
report.test('budget: what a turn brings to a connection shares one send', OPTIONS,
  async () => {
    const threads = await trace_steady(PUBLICATIONS, BURST);
    const deliveries = PUBLICATIONS * SUBSCRIBERS;
    describe(`bursts of ${BURST}`, threads, deliveries);
    check_allowed(threads, names);
    const sends = total(threads, SENDS);
    check(sends <= deliveries / 4, `${sends} sends for ${deliveries} deliveries in bursts`);
  });
report.test('budget: an idle node only waits', OPTIONS, async () => {
  // Two seconds after its last work a shard gives free memory back; from then on it is idle.
  await sleep(4000);
  const threads = of_shards(await trace(node.pid, () => sleep(2000)), names);
  for (const [id, calls] of threads) {
    for (const call of calls.keys()) {
      check([...WAITS, ...OF_THE_TRACER].includes(call), `${names.get(id)} made ${call}`);
    }
    const waits = total([[id, calls]], WAITS);
    check(waits <= 100, `${names.get(id)} woke up ${waits} times in two seconds`);
  }
});
report.test('budget: the node ends well', async () => {
  clients.forEach((client) => client.disconnect());
  publisher.disconnect();
  await node.stop_cleanly();
});
await report.run();
report.exit();
