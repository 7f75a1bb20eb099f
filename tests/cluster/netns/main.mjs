// SPDX-License-Identifier: Apache-2.0
// The story of a cluster: one thing after the other goes wrong under steady publishing, and after each it is looked
// whether every client has got, or was told that it has not, what was acknowledged.
import { Report, check, check_equal, eventually, sleep } from '../../conformance/support/report.mjs';
import { TOKEN_KEY } from '../../conformance/support/node.mjs';
import { subscribed, unique } from '../../conformance/support/client.mjs';
import { Crowd, SESSIONS } from './crowd.mjs';
import { Machines } from './machines.mjs';
import { Truth } from './model.mjs';
import { Network } from './network.mjs';

const MS_MAX = 400_000;
const STOPPED_MS = 30_000;
// A home keeps a vanished node's presence for a minute, since the node may come back.
const FORGOTTEN_MS_MAX = 120_000;
const RIGHTS = {
  allow_subscribe_for_client: true,
  allow_publish_for_client: true,
  allow_presence_for_subscriber: true,
};
const HISTORY = { history_size: 2000, history_ttl: '300s' };
const CONFIG = {
  client: {
    token: { hmac_secret_key: TOKEN_KEY },
    ping_interval: '5s',
    pong_timeout: '4s',
  },
  channel: {
    without_namespace: RIGHTS,
    namespaces: [
      { name: 'kept', ...RIGHTS, ...HISTORY, force_recovery: true },
      { name: 'watched', ...RIGHTS, ...HISTORY, force_positioning: true },
      { name: 'who', ...RIGHTS, presence: true },
    ],
  },
};

// Names enough that every node is home of some.
function channels() {
  return ['kept:', 'watched:', 'who:', ''].flatMap((prefix) =>
    Array.from({ length: prefix === 'kept:' ? 8 : 4 }, (_, i) => `${prefix}${unique('n')}-${i}`));
}

const report = new Report({ prefix: 'machines: ' });
const network = new Network();

async function begin(numbers, protection) {
  const machines = new Machines(network, CONFIG, protection);
  await machines.start(numbers);
  const truth = new Truth();
  const crowd = new Crowd(machines, truth, channels());
  await Promise.all(numbers.map((number) => crowd.come_to(number)));
  return { machines, truth, crowd };
}

// A chapter: `happens` under steady publishing, then the reckoning. `judge`: a node that is there at its end.
function chapter(world, name, happens, judge = 1) {
  report.test(name, { ms_max: MS_MAX }, async () => {
    const { machines, crowd } = world;
    const since = performance.now();
    await crowd.begin_chapter();
    await happens(world);
    await machines.settled();
    const { errors, figures } = await crowd.judge(judge);
    console.log(`# ${name}: ${Math.round((performance.now() - since) / 1000)} s, `
      + `${figures.acknowledged} acknowledged, ${figures.heard} heard, told of a loss ${figures.told} times`);
    check(errors.length === 0, `${errors.length} wrong: ${errors.slice(0, 4).join('; ')}`);
  });
}

// Clients of nodes that nothing happened to are served all the time, by the connection that they have.
async function others_are_served({ machines, crowd }, numbers) {
  const others = machines.running.filter((number) => !numbers.includes(number));
  const spared = crowd.members.filter((member) => others.includes(member.home) && member.visited.size === 1);
  check(spared.length === others.length * SESSIONS, `only ${spared.length} have stayed where they were`);
  await crowd.reaches(others[0], spared);
  check_equal(spared.filter((member) => member.reconnects > 0).map(({ name }) => name), [],
    'reconnects of clients of other nodes');
}

// Nobody was told of a loss, but for what every change of a connection is to who does not recover.
function nobody_has_lost(crowd) {
  const told = crowd.members.flatMap((member) => [...member.stories.values()]
    .flatMap((story) => story.told.filter((how) => how === 'subscribing 2500' || how === 'not recovered')
      .map((how) => `${member.name} of ${story.channel}: ${how}`)));
  check(told.length === 0, `${told.length} were told of a loss: ${told.slice(0, 4).join('; ')}`);
}

// Three nodes, each killed once.
async function three_nodes() {
  const world = await begin([11, 12, 13]);
  chapter(world, 'three nodes serve everybody', async ({ crowd, machines }) => {
    for (const number of machines.running) {
      await crowd.reaches(number, crowd.members);
    }
  }, 11);
  for (const number of [11, 12, 13]) {
    chapter(world, `node ${number} of three is killed: one reconnect for its clients`,
      async ({ machines, crowd }) => {
        const own = crowd.on(number);
        machines.node(number).kill('SIGKILL');
        await machines.node(number).exited;
        await others_are_served(world, [number]);
        await machines.settled();
        await machines.start_node(number);
        await machines.settled();
        await Promise.all(own.map((member) => member.is_served()));
        check_equal(own.map((member) => member.reconnects), own.map(() => 1), 'reconnects of its clients');
        check_equal(crowd.members.filter((member) => !own.includes(member) && member.reconnects > 0).length,
          0, 'reconnects of others');
      }, 11);
  }
  await report.run();
  world.crowd.leave();
  await world.machines.stop();
}

// These nodes are cut off until the others, and what `settles` waits for, have found that out.
async function parted(world, numbers, { part, mend, settles = () => {} }) {
  const { machines, truth } = world;
  const others = machines.running.filter((number) => !numbers.includes(number));
  truth.parting = { nodes: numbers, from: performance.now(), to: Infinity };
  part();
  try {
    await machines.settled(others);
    await others_are_served(world, numbers);
    await settles();
  } finally {
    await mend();
  }
  await machines.settled();
  truth.parting.to = performance.now();
}

function add_cuts(world) {
  const { machines } = world;
  const mend = () => network.mend_cuts();
  chapter(world, 'a node is cut off from the others and let back', () => parted(world, [3], {
    part: () => machines.cut(3, { from_it: true, to_it: true }),
    mend,
  }));
  // Each part finds out whom it has lost; one that nobody answers doubts itself first, and so takes longer.
  chapter(world, 'a node that nobody hears, and one that hears nobody', () => parted(world, [4, 5], {
    part: () => {
      machines.cut(4, { from_it: true });
      machines.cut(5, { to_it: true });
    },
    settles: () => Promise.all([machines.alone(4), machines.alone(5)]),
    mend,
  }));
  chapter(world, "a machine's cable is drawn and plugged in again", () => parted(world, [3], {
    part: () => network.draw_cable(3),
    mend: () => network.plug_cable(3),
  }));
}

function add_stop(world) {
  chapter(world, `a node is stopped for ${STOPPED_MS / 1000} s and goes on`, async ({ machines }) => {
    const over = sleep(STOPPED_MS);
    await parted(world, [4], {
      part: () => machines.node(4).kill('SIGSTOP'),
      mend: () => over.then(() => machines.node(4).kill('SIGCONT')),
    });
  });
}

// As clusters are meant to be: with TLS between all nodes.
async function five_nodes() {
  const world = await begin([1, 2, 3, 4, 5], { has_tls: true });
  chapter(world, 'a node is killed and comes back', async ({ machines }) => {
    machines.node(2).kill('SIGKILL');
    await machines.node(2).exited;
    await others_are_served(world, [2]);
    await machines.start_node(2);
  });
  add_cuts(world);
  add_stop(world);
  chapter(world, 'two nodes come, and nobody loses anything', async ({ machines, crowd }) => {
    await Promise.all([machines.add(6), machines.add(7)]);
    await machines.settled();
    await Promise.all([crowd.come_to(6), crowd.come_to(7)]);
    nobody_has_lost(crowd);
  });
  chapter(world, 'a node is drained, and nobody loses anything', async ({ machines, crowd }) => {
    await machines.node(5).stop_cleanly();
    await others_are_served(world, [5]);
    nobody_has_lost(crowd);
  });
  report.test('at the end all agree', { ms_max: MS_MAX }, () => all_agree(world));
  await report.run();
  world.crowd.leave();
  report.test('the nodes end well', () => world.machines.stop());
  await report.run();
}

// What each node tells of all, and what reaches a user wherever she is.
async function all_agree({ machines, crowd }) {
  await crowd.rest();
  const names = machines.running.map((number) => `node-${number}`).sort();
  for (const number of machines.running) {
    await eventually(async () => JSON.stringify((await machines.node(number).api_result('info'))
      .nodes.map(({ name }) => name).sort()) === JSON.stringify(names), `info of node ${number}`);
  }
  const everywhere = crowd.members.filter(({ options }) => options.user === 'everywhere');
  for (const number of machines.running) {
    const channel = unique('hers');
    const subscriptions = await Promise.all(everywhere.map(({ client }) => subscribed(client, channel)));
    await machines.node(number).api_result('unsubscribe', { user: 'everywhere', channel });
    const lacks = () => everywhere.filter((_, i) =>
      !subscriptions[i].events.some(([name]) => name === 'unsubscribed'));
    await eventually(() => lacks().length === 0, 'it').catch(() => {
      throw new Error(`what node ${number} tells her does not reach her sessions on `
        + `${lacks().map(({ at }) => at)} of ${everywhere.map(({ at }) => at)}`);
    });
  }
  const users = new Set(crowd.members.map(({ options }) => options.user)).size;
  for (const channel of crowd.channels.filter((name) => name.startsWith('who:'))) {
    for (const number of machines.running) {
      const stats = () => machines.node(number).api_result('presence_stats', { channel });
      await eventually(async () => {
        const { num_clients, num_users } = await stats();
        return num_clients === crowd.members.length && num_users === users;
      }, `presence of ${channel} by node ${number}`, FORGOTTEN_MS_MAX).catch(async (error) => {
        throw new Error(`${error.message}: ${JSON.stringify(await stats())}, wanted `
          + `${crowd.members.length} ${users}`);
      });
    }
  }
}

const stories = { three: three_nodes, five: five_nodes };
for (const [name, story] of Object.entries(stories)) {
  if (process.argv.length === 2 || process.argv.includes(name)) {
    await story();
  }
}
report.exit();
