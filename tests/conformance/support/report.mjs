// SPDX-License-Identifier: Apache-2.0
// Runs the cases of a suite and says of each on a line of its own whether it passed.
import { isDeepStrictEqual, inspect } from 'node:util';

// Long enough for whatever a node does at once, also on a machine that is slow, busy or stands still for a while. What
// waits for longer has a reason in the node's own limits of time, and adds them to this.
export const WAIT_MS_MAX = 60_000;
const CASE_MS_MAX = 3 * WAIT_MS_MAX;

// Of the time for which this process may stand still before a case about short limits of time says nothing.
export const STILL_MS_MAX = 150;
const WATCH_MS = 10;
const ATTEMPTS_MAX = 5;

// The longest time for which this process did not run.
class StallWatch {
  #seen = Date.now();
  longest_ms = 0;
  #timer = setInterval(() => this.#look(), WATCH_MS);

  #look() {
    const now = Date.now();
    this.longest_ms = Math.max(this.longest_ms, now - this.#seen);
    this.#seen = now;
  }

  stop() {
    this.#look();
    clearInterval(this.#timer);
    return this.longest_ms;
  }
}

// Whoever waits for the promise is told, too; a case that was given up must not end those after it.
process.on('unhandledRejection', (error) => {
  process.stderr.write(`# nobody waited for: ${error?.stack ?? error}\n`);
});

// A case may register what has to be closed after it, whether it passed or not. `protocol` is what
// its clients of npm centrifuge speak, `transport` how they come.
class Context {
  #closers = [];

  constructor(protocol, transport) {
    this.protocol = protocol;
    this.transport = transport;
  }

  defer(closer) {
    this.#closers.push(closer);
  }

  // Closes all; what went wrong first is what it ends with.
  async close() {
    let wrong = null;
    for (const closer of this.#closers.reverse()) {
      try {
        await closer();
      } catch (error) {
        wrong ??= new Error(`closing: ${error.message}`);
      }
    }
    if (wrong !== null) {
      throw wrong;
    }
  }
}

function told(error) {
  return error ?? new Error('something without a name was thrown');
}

function one_line(error) {
  return String(error?.message ?? error).replaceAll(/\s*\n\s*/g, ' ').slice(0, 600);
}

export class Report {
  #cases = [];
  passed = 0;
  failed = 0;

  // `still_ms_max`: see test(), for all cases.
  constructor({ prefix = '', filter = process.env.CASES ?? '', still_ms_max = Infinity } = {}) {
    this.prefix = prefix;
    this.still_ms_max = still_ms_max;
    this.filter = filter;
    this.protocol = 'json';
    this.transport = 'websocket';
  }

  // The cases that are added from now on are for clients of this protocol and transport, and their
  // names say so.
  speak(protocol, transport = 'websocket') {
    this.protocol = protocol;
    this.transport = transport;
    this.prefix = (transport === 'websocket' ? '' : `${transport}: `)
      + (protocol === 'json' ? '' : `${protocol}: `);
  }

  // Adds a case; `options.ms_max` is the time it may take. `options.one_stream`: it is about what
  // commands that are sent apart have only where they come by one stream, their order for example.
  // `options.still_ms_max`: where the machine stands still for so long, limits of time of the node
  // pass that the case needs, so it is done again if it fails.
  test(name, options, body) {
    if (typeof options === 'function') {
      body = options;
      options = {};
    }
    const full = this.prefix + name;
    if (options.one_stream && this.transport !== 'websocket') {
      return;
    }
    if (this.filter === '' || full.includes(this.filter)) {
      this.#cases.push({ name: full, body, ms_max: options.ms_max ?? CASE_MS_MAX,
        still_ms_max: options.still_ms_max ?? this.still_ms_max, protocol: this.protocol, transport: this.transport });
    }
  }

  // Runs what was added since the last call, so many at a time, and prints a line for each.
  async run({ concurrency = 1 } = {}) {
    const cases = this.#cases.splice(0);
    const worker = async () => {
      for (let next = cases.shift(); next; next = cases.shift()) {
        await this.#run_case(next);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
  }

  async #run_case({ name, body, ms_max, still_ms_max, protocol, transport }) {
    let why = null;
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
      const watch = new StallWatch();
      const context = new Context(protocol, transport);
      const ended = await within(ms_max, body(context), 'the case').then(() => null, told);
      const closed = await within(ms_max, context.close(), 'closing').then(() => null, told);
      why = ended ?? closed;
      const still_ms = watch.stop();
      if (why === null || still_ms < still_ms_max) {
        break;
      }
      console.log(`# ${name}: again, as the machine stood still for ${still_ms} ms: ${one_line(why)}`);
    }
    if (why === null) {
      this.ok(name);
    } else {
      this.not_ok(name, why);
    }
  }

  ok(name) {
    this.passed += 1;
    console.log(`ok ${name}`);
  }

  not_ok(name, error) {
    this.failed += 1;
    console.log(`not ok ${name}: ${one_line(error)}`);
    if (process.env.VERBOSE && error?.stack) {
      process.stderr.write(`${error.stack}\n`);
    }
  }

  // Ends the process: 0 when all passed and there was something to pass.
  exit() {
    process.exit(this.failed === 0 && this.passed > 0 ? 0 : 1);
  }
}

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// The promise's outcome, or an error when it takes longer.
export async function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// Waits until `probe` returns something true, and returns that.
export async function eventually(probe, what, ms_max = WAIT_MS_MAX) {
  const end = Date.now() + ms_max;
  let last_error = null;
  for (;;) {
    try {
      const value = await probe();
      if (value) {
        return value;
      }
      last_error = null;
    } catch (error) {
      last_error = error;
    }
    if (Date.now() > end) {
      const hint = last_error ? ` (${last_error.message})` : '';
      throw new Error(`${what} did not come true within ${ms_max} ms${hint}`);
    }
    await sleep(20);
  }
}

function show(value) {
  return inspect(value, { depth: 8, breakLength: Infinity, maxStringLength: 200 });
}

export function check(condition, message) {
  if (!condition) {
    throw new Error(message);
  }
}

export function check_equal(actual, expected, what) {
  if (!isDeepStrictEqual(actual, expected)) {
    throw new Error(`${what}: expected ${show(expected)}, got ${show(actual)}`);
  }
}

// The error that the promise must end with.
export async function check_rejected(promise, what) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`${what}: expected an error, got ${show(value)}`);
}
