// SPDX-License-Identifier: Apache-2.0
// Runs the cases of a suite and says of each on a line of its own whether it passed.
import { isDeepStrictEqual, inspect } from 'node:util';

const CASE_MS_MAX = 30_000;

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

  async close() {
    for (const closer of this.#closers.reverse()) {
      try {
        await closer();
      } catch (error) {
        process.stderr.write(`closing: ${error.stack}\n`);
      }
    }
  }
}

export class Report {
  #cases = [];
  passed = 0;
  failed = 0;

  constructor({ prefix = '', filter = process.env.CASES ?? '' } = {}) {
    this.prefix = prefix;
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
        protocol: this.protocol, transport: this.transport });
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

  async #run_case({ name, body, ms_max, protocol, transport }) {
    const context = new Context(protocol, transport);
    try {
      await within(ms_max, body(context), 'the case');
      this.ok(name);
    } catch (error) {
      this.not_ok(name, error);
    }
    await within(ms_max, context.close(), 'closing').catch((error) => this.not_ok(name, error));
  }

  ok(name) {
    this.passed += 1;
    console.log(`ok ${name}`);
  }

  not_ok(name, error) {
    this.failed += 1;
    const why = String(error?.message ?? error).replaceAll(/\s*\n\s*/g, ' ').slice(0, 600);
    console.log(`not ok ${name}: ${why}`);
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
export async function eventually(probe, what, ms_max = 10_000) {
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
