// SPDX-License-Identifier: Apache-2.0
// A network of namespaces at one bridge: a machine each, whose cables can be drawn and cut. To be used in a namespace
// of the process's own (see run), where the bridge and the clients are.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { check } from '../../conformance/support/report.mjs';

const PREFIX = '10.77.0';
const BRIDGE = 'roost-bridge';
// A card that is in no machine: what is sent there arrives nowhere, and nobody is told.
const NOBODYS_CARD = '02:00:00:00:ff:ff';

function ip(...args) {
  try {
    return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    throw new Error(`ip ${args.join(' ')}: ${error.stderr}`);
  }
}

export class Network {
  #cuts = new Set(); // "from to".

  constructor() {
    // The only one that a namespace of its own has before anything is made.
    check(ip('-o', 'link').trim().split('\n').length === 1, 'this is not a namespace of its own');
    mkdirSync('/run/netns', { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run/netns']);
    ip('link', 'set', 'lo', 'up');
    ip('link', 'add', 'name', BRIDGE, 'type', 'bridge');
    ip('addr', 'add', `${PREFIX}.254/24`, 'dev', BRIDGE);
    ip('link', 'set', BRIDGE, 'up');
  }

  // Machines are numbered from 1.
  add_machine(number) {
    ip('netns', 'add', `m${number}`);
    ip('link', 'add', 'name', `cable${number}`, 'type', 'veth',
      'peer', 'name', 'eth0', 'netns', `m${number}`);
    ip('link', 'set', `cable${number}`, 'master', BRIDGE, 'up');
    ip('-n', `m${number}`, 'link', 'set', 'lo', 'up');
    ip('-n', `m${number}`, 'addr', 'add', `${PREFIX}.${number}/24`, 'dev', 'eth0');
    ip('-n', `m${number}`, 'link', 'set', 'eth0', 'up');
  }

  address(number) {
    return `${PREFIX}.${number}`;
  }

  // What a command line begins with that is to run on that machine.
  on_machine(number) {
    return ['ip', 'netns', 'exec', `m${number}`];
  }

  // What one machine sends to another one is lost; the other way is as it was.
  cut(from, to) {
    this.#cuts.add(`${from} ${to}`);
    ip('-n', `m${from}`, 'neigh', 'replace', this.address(to), 'lladdr', NOBODYS_CARD,
      'dev', 'eth0', 'nud', 'permanent');
  }

  mend_cuts() {
    for (const cut of this.#cuts) {
      const [from, to] = cut.split(' ');
      ip('-n', `m${from}`, 'neigh', 'del', this.address(to), 'dev', 'eth0');
    }
    this.#cuts.clear();
  }

  // Nothing comes or goes, also not from or to clients.
  draw_cable(number) {
    ip('link', 'set', `cable${number}`, 'down');
  }

  plug_cable(number) {
    ip('link', 'set', `cable${number}`, 'up');
  }
}
