// SPDX-License-Identifier: Apache-2.0
// Plays each sequence to two servers and compares what they said, word by word but for names that
// a server makes up. Differences that README explains are listed in `known.mjs`.
import WebSocket from 'ws';
import { make_token, now_s } from '../support/client.mjs';
import { Node, TOKEN_KEY, merge, roostd_path } from '../support/node.mjs';
import { KNOWN } from './known.mjs';
import { CONFIG, SEQUENCES } from './sequences.mjs';

const QUIET_MS = 120; // A server that said nothing for so long has said all.
const NAMES = ['client', 'session', 'node', 'epoch', 'since_epoch'];
const DROPPED = ['time', 'version', 'uptime', 'message'];

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// Names made up by a server become $client1, $epoch1, ... in the order of their coming.
class Names {
  #known = new Map();
  #counts = new Map();

  of(kind, value) {
    if (!this.#known.has(value)) {
      const count = (this.#counts.get(kind) ?? 0) + 1;
      this.#counts.set(kind, count);
      this.#known.set(value, `$${kind}${count}`);
    }
    return this.#known.get(value);
  }

  // The value behind a placeholder, for sending it back.
  behind(placeholder) {
    for (const [value, name] of this.#known) {
      if (name === placeholder) {
        return value;
      }
    }
    return placeholder;
  }

  hide(value, key = '') {
    if (Array.isArray(value)) {
      return value.map((one) => this.hide(one));
    }
    if (value !== null && typeof value === 'object') {
      const fields = Object.entries(value)
        .filter(([name]) => !DROPPED.includes(name))
        .map(([name, one]) => [this.#known.get(name) ?? name, this.hide(one, name)]);
      return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)));
    }
    if (typeof value === 'string' && value !== '' && (NAMES.includes(key) || this.#known.has(value))) {
      return this.of(key, value);
    }
    return value;
  }

  show(value) {
    return JSON.parse(JSON.stringify(value, (_, one) => (
      typeof one === 'string' && one.startsWith('$') ? this.behind(one) : one)));
  }
}

// What one server says to one sequence.
class Play {
  constructor(node) {
    this.node = node;
    this.names = new Names();
    this.lines = [];
    this.sockets = new Map();
    this.heard_ms = 0;
  }

  say(who, what) {
    this.heard_ms = Date.now();
    this.lines.push(`${who}: ${what}`);
  }

  async settle() {
    this.heard_ms = Date.now();
    while (Date.now() - this.heard_ms < QUIET_MS) {
      await sleep(10);
    }
  }

  on_message(who, data, is_binary) {
    if (is_binary) {
      this.say(who, `binary ${data.length}`);
      return;
    }
    for (const line of data.toString().split('\n').filter((one) => one !== '')) {
      this.say(who, JSON.stringify(this.names.hide(JSON.parse(line))));
    }
  }

  async open(who, target = '/connection/websocket', headers = {}) {
    const socket = new WebSocket(`ws://127.0.0.1:${this.node.port}${target}`, { headers });
    this.sockets.set(who, socket);
    socket.on('message', (data, is_binary) => this.on_message(who, data, is_binary));
    socket.on('close', (code, reason) => this.say(who, `closed ${code} ${reason}`));
    socket.on('unexpected-response', (_, response) => this.say(who, `status ${response.statusCode}`));
    socket.on('error', () => {});
    await new Promise((resolve) => {
      socket.on('open', resolve);
      socket.on('close', resolve);
      socket.on('unexpected-response', resolve);
    });
  }

  async step(step) {
    if (step.open !== undefined) {
      await this.open(step.open, step.target, step.headers);
    } else if (step.close !== undefined) {
      this.sockets.get(step.close).close();
    } else if (step.wait_ms !== undefined) {
      await sleep(step.wait_ms);
    } else if (step.api !== undefined) {
      await this.call(step);
    } else if (step.binary !== undefined) {
      this.sockets.get(step.on).send(Buffer.from(step.binary));
    } else {
      const commands = [].concat(step.send).map((one) => (
        typeof one === 'string' ? one : JSON.stringify(this.names.show(one))));
      this.sockets.get(step.on).send(commands.join('\n'));
    }
    await this.settle();
  }

  async call({ api, body = {}, key = this.node.api_key, target = `/api/${api}`, raw = null }) {
    const answer = await this.node.request('POST', target, {
      headers: { 'X-API-Key': key, 'Content-Type': 'application/json' },
      body: raw ?? JSON.stringify(this.names.show(body)),
    });
    let said = answer.body;
    try {
      said = JSON.stringify(this.names.hide(JSON.parse(answer.body)));
    } catch {
      said = answer.status === 200 ? said : '';
    }
    this.say(`api ${api}`, `${answer.status} ${said}`);
  }

  async end() {
    for (const socket of this.sockets.values()) {
      socket.removeAllListeners('close');
      socket.terminate();
    }
  }
}

// Within one step, who of two connections hears first is chance.
function in_order(lines) {
  const by_who = new Map();
  for (const line of lines) {
    const who = line.slice(0, line.indexOf(':'));
    by_who.set(who, [...(by_who.get(who) ?? []), line]);
  }
  return [...by_who.keys()].sort().flatMap((who) => by_who.get(who));
}

async function play(node, sequence) {
  const one = new Play(node);
  const said = [];
  for (const step of sequence.steps) {
    one.lines = [];
    await one.step(step);
    said.push({ step, lines: in_order(one.lines) });
  }
  await one.end();
  return said;
}

function differences(ours, theirs) {
  const out = [];
  ours.forEach(({ step, lines }, i) => {
    const other = theirs[i].lines;
    if (lines.join('\n') !== other.join('\n')) {
      out.push(`  ${JSON.stringify(step)}`, ...other.map((line) => `    - ${line}`),
        ...lines.map((line) => `    + ${line}`));
    }
  });
  return out;
}

async function compare(sequences, program) {
  let different = 0;
  const groups = new Map();
  for (const sequence of sequences) {
    const config = JSON.stringify(sequence.config ?? {});
    groups.set(config, [...(groups.get(config) ?? []), sequence]);
  }
  for (const [over, group] of groups) {
    const config = merge(CONFIG, JSON.parse(over));
    const ours = await Node.start(config, { shards: 2 });
    const theirs = await Node.start(config, { program });
    for (const sequence of group) {
      const found = differences(...await Promise.all([play(ours, sequence), play(theirs, sequence)]));
      const reason = KNOWN[sequence.name];
      if (found.length === 0) {
        console.log(`${reason === undefined ? 'ok' : 'not ok'} ${sequence.name}`
          + `${reason === undefined ? '' : ': listed in known.mjs, but the same'}`);
        different += reason === undefined ? 0 : 1;
      } else {
        different += reason === undefined ? 1 : 0;
        console.log(`${reason === undefined ? 'not ok' : 'ok'} ${sequence.name}: ${reason ?? ''}`);
        if (reason === undefined || process.argv.includes('--all')) {
          console.log(found.join('\n'));
        }
      }
    }
    await Promise.all([ours.stop(), theirs.stop()]);
  }
  return different;
}

const program = process.argv[2];
roostd_path();
if (program === undefined) {
  console.error('usage: compare /path/to/centrifugo [--all]');
  process.exit(2);
}
const wanted = SEQUENCES({ make_token, now_s, TOKEN_KEY })
  .filter(({ name }) => name.includes(process.env.CASES ?? ''));
const different = await compare(wanted, program);
console.log(`${wanted.length} sequences, ${different} with a difference that is not explained`);
process.exit(different === 0 ? 0 : 1);
