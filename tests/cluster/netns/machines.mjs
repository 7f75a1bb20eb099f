// SPDX-License-Identifier: Apache-2.0
// One cluster whose nodes run on machines of a network of namespaces.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Node } from '../../conformance/support/node.mjs';
import { check, eventually } from '../../conformance/support/report.mjs';

const HTTP_PORT = 8000;
const CLUSTER_PORT = 8400;
const SLOTS = 16384;
const SETTLE_MS_MAX = 90_000;
// Whom nobody answers doubts itself first: 48 s on average and 72 s at most in 3,000 simulated cuts
// (tests/sim/membership --one-sided 3000), and machines are slower than that.
const ALONE_MS_MAX = 180_000;
const CERTIFICATES = new URL('../support/certificates.py', import.meta.url).pathname;

export class Machines {
  #nodes = new Map(); // By number.

  // `has_tls`: their links are encrypted, each end with a certificate of one authority.
  constructor(network, config, { has_tls = false } = {}) {
    this.network = network;
    this.config = config;
    this.folder = has_tls ? mkdtempSync(join(tmpdir(), 'roost-netns-')) : null;
    this.protection = has_tls
      ? { tls: JSON.parse(execFileSync('python3', ['-B', CERTIFICATES, this.folder, 'node'])) }
      : { insecure: true };
  }

  // Numbers of the machines; their nodes know the first two.
  async start(numbers) {
    this.seeds = numbers.slice(0, 2);
    await Promise.all(numbers.map((number) => {
      this.network.add_machine(number);
      return this.start_node(number);
    }));
    await this.settled();
  }

  async add(number) {
    this.network.add_machine(number);
    await this.start_node(number);
  }

  // Again on a machine that had one.
  async start_node(number) {
    const host = this.network.address(number);
    this.#nodes.set(number, await Node.start({
      ...this.config,
      node: { name: `node-${number}` },
      http_server: { address: host },
      cluster: {
        enabled: true,
        ...this.protection,
        bind: `${host}:${CLUSTER_PORT}`,
        join: this.seeds.map((seed) => `${this.network.address(seed)}:${CLUSTER_PORT}`),
        keys: ['ab'.repeat(32)],
      },
    }, { host, port: HTTP_PORT, shards: 1 + (number % 2), wrap: this.network.on_machine(number) }));
  }

  node(number) {
    return this.#nodes.get(number);
  }

  get running() {
    return [...this.#nodes.keys()].filter((number) => this.node(number).exit === null);
  }

  url_of(number) {
    return `ws://${this.network.address(number)}:${HTTP_PORT}/connection/websocket`;
  }

  // Where a client goes that cannot stay at this one.
  after(number) {
    const all = [...this.#nodes.keys()].sort((a, b) => a - b);
    return all[(all.indexOf(number) + 1) % all.length];
  }

  // What nodes say: how many are alive, how many links are up, how many slots have their home there.
  views(numbers) {
    return Promise.all(numbers.map(async (number) => {
      const samples = await this.node(number).metrics();
      return {
        number,
        alive: samples.get('roost_cluster_members{state="alive"}'),
        links: samples.get('roost_link_up'),
        slots: samples.get('roost_cluster_placement_slots'),
      };
    }));
  }

  // These see each other and nobody else, have links to each other, and each slot has one home.
  async settled(numbers = this.running, links = numbers.length - 1) {
    let views = [];
    await eventually(async () => {
      views = await this.views(numbers);
      return views.every((view) => view.alive === numbers.length && view.links === links)
        && views.reduce((sum, { slots }) => sum + slots, 0) === SLOTS;
    }, `nodes ${numbers} agree`, SETTLE_MS_MAX).catch((error) => {
      throw new Error(`${error.message}: ${JSON.stringify(views)}`);
    });
  }

  // It sees nobody else, and is the home of all slots.
  async alone(number) {
    await eventually(async () => {
      const [view] = await this.views([number]);
      return view.alive === 1 && view.slots === SLOTS;
    }, `node ${number} finds itself alone`, ALONE_MS_MAX);
  }

  // What this node sends to others, or they to it, or both, is lost.
  cut(number, { from_it = false, to_it = false }) {
    for (const other of this.running.filter((one) => one !== number)) {
      if (from_it) {
        this.network.cut(number, other);
      }
      if (to_it) {
        this.network.cut(other, number);
      }
    }
  }

  async stop() {
    await Promise.all(this.running.map((number) => this.node(number).stop_cleanly()));
    check(this.running.length === 0, 'all have ended');
    if (this.folder !== null) {
      rmSync(this.folder, { recursive: true });
    }
  }
}
