// SPDX-License-Identifier: Apache-2.0
// Starts and stops a node with a configuration of its own, and asks it what an operator would ask.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { free_port } from './ports.mjs';
import { WAIT_MS_MAX, check, eventually, within } from './report.mjs';

export const API_KEY = 'the-api-key-of-the-tests';
export const TOKEN_KEY = 'the-token-key-of-the-tests';

const LOG_BYTES_MAX = 1 << 20;
const running = new Set();

process.on('exit', () => {
  for (const node of running) {
    node.kill('SIGKILL');
  }
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => process.exit(1));
}

export function roostd_path() {
  check(process.env.ROOSTD, 'set ROOSTD to the path of roostd');
  return process.env.ROOSTD;
}

// Objects are merged key by key, everything else is replaced.
export function merge(base, over) {
  const out = { ...base };
  for (const [key, value] of Object.entries(over ?? {})) {
    const is_object = value !== null && typeof value === 'object' && !Array.isArray(value);
    out[key] = is_object && typeof out[key] === 'object' ? merge(out[key], value) : value;
  }
  return out;
}

const BASE = {
  http_server: { address: '127.0.0.1' },
  http_api: { key: API_KEY },
  health: { enabled: true },
  prometheus: { enabled: true },
};

export class Node {
  #child;
  #folder;
  exit = null; // What the process ended with, once it did.

  // Starts a node and waits until it answers. `options`: shards, host (where it is reached), port,
  // program, wrap (a command line that the node's is appended to), env, flags (instead of a
  // configuration file).
  static async start(config, options = {}) {
    const node = new Node();
    node.shards = options.shards ?? 4;
    node.host = options.host ?? '127.0.0.1';
    node.port = options.port ?? (await free_port());
    node.#folder = mkdtempSync(path.join(os.tmpdir(), 'roost-test-'));
    const file = path.join(node.#folder, 'config.json');
    const own = { http_server: { port: node.port }, runtime: { shards: node.shards } };
    const whole = merge(merge(BASE, config), own);
    node.internal_port = Number(whole.http_server.internal_port ?? node.port);
    writeFileSync(file, JSON.stringify(whole, null, 2));
    const flags = options.flags
      ? [...options.flags, '--port', `${node.port}`, '--shards', `${node.shards}`]
      : ['--config', file];
    node.#spawn([...(options.wrap ?? []), options.program ?? roostd_path(), ...flags],
      options.env);
    const ended = node.exited.then((exit) => {
      throw new Error(`the node ended: ${JSON.stringify(exit)}`);
    });
    await Promise.race([eventually(() => node.#is_ready(), `the node's /health`), ended]).catch((error) => {
      node.kill('SIGKILL');
      throw new Error(`${error.message}; its log: ${node.log.slice(-1500)}`);
    });
    return node;
  }

  #spawn(command, env) {
    this.log = '';
    this.#child = spawn(command[0], command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    const keep = (bytes) => {
      this.log = (this.log + bytes).slice(-LOG_BYTES_MAX);
      if (process.env.VERBOSE) {
        process.stderr.write(bytes);
      }
    };
    this.#child.stdout.on('data', keep);
    this.#child.stderr.on('data', keep);
    running.add(this);
    this.exited = new Promise((resolve) => {
      const ended = (code, signal) => {
        running.delete(this);
        this.exit = { code, signal };
        rmSync(this.#folder, { recursive: true, force: true });
        resolve(this.exit);
      };
      this.#child.on('error', (error) => {
        this.log += error.message;
        ended(-1, null);
      });
      this.#child.on('exit', ended);
    });
  }

  async #is_ready() {
    const { status } = await this.request('GET', '/health', { port: this.internal_port });
    return status === 200;
  }

  get pid() {
    return this.#child.pid;
  }

  get url() {
    return `ws://${this.host}:${this.port}/connection/websocket`;
  }

  kill(signal) {
    if (this.exit === null) {
      this.#child.kill(signal);
    }
  }

  // Stops the node as an operator does and returns what its process ended with.
  async stop(signal = 'SIGTERM') {
    this.kill(signal);
    try {
      return await within(2 * WAIT_MS_MAX, this.exited, 'stopping the node');
    } catch (error) {
      this.kill('SIGKILL');
      throw error;
    }
  }

  // Stops the node and checks that it ended well, which a sanitizer's report prevents.
  async stop_cleanly() {
    const { code, signal } = await this.stop();
    check(code === 0, `the node ended with ${code ?? signal}: ${this.log.slice(-3000)}`);
  }

  request(method, target, options = {}) {
    const { headers = {}, body = null, ms_max = WAIT_MS_MAX, agent = false, port = this.port } = options;
    const answer = new Promise((resolve, reject) => {
      const request = http.request(
        { host: this.host, port, method, path: target, headers, agent },
        (response) => {
          const parts = [];
          response.on('data', (bytes) => parts.push(bytes));
          response.on('error', reject);
          response.on('end', () => resolve({
            status: response.statusCode,
            headers: response.headers,
            body: Buffer.concat(parts).toString(),
          }));
        });
      request.on('error', reject);
      request.end(body ?? undefined);
    });
    return within(ms_max, answer, `${method} ${target}`);
  }

  api_key = API_KEY;

  // A call of the server API as a backend makes it; returns the parsed answer.
  async api(method, params = {}, agent = false, ms_max = WAIT_MS_MAX) {
    const answer = await this.request('POST', `/api/${method}`, {
      headers: { 'X-API-Key': this.api_key, 'Content-Type': 'application/json' },
      body: JSON.stringify(params),
      agent,
      ms_max,
      port: this.internal_port,
    });
    check(answer.status === 200, `${method} answered ${answer.status}: ${answer.body}`);
    return JSON.parse(answer.body);
  }

  // The result of a call that must succeed.
  async api_result(method, params = {}, agent = false) {
    const answer = await this.api(method, params, agent);
    check(answer.error === undefined, `${method}: ${JSON.stringify(answer.error)}`);
    return answer.result;
  }

  // All samples of /metrics: 'name{labels}' -> number.
  async metrics() {
    const { status, body } = await this.request('GET', '/metrics', { port: this.internal_port });
    check(status === 200, `/metrics answered ${status}`);
    const samples = new Map();
    for (const line of body.split('\n')) {
      const match = /^([a-zA-Z_:][\w:]*(?:\{[^}]*\})?) (\S+)$/.exec(line);
      if (match) {
        samples.set(match[1], (samples.get(match[1]) ?? 0) + Number(match[2]));
      }
    }
    return samples;
  }

  // The sum over all samples of a metric that carry the labels (written as in the exposition).
  async metric(name, labels = '') {
    return sum_metric(await this.metrics(), name, labels);
  }

  // Resident memory in KiB.
  rss_kib() {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))[1]);
  }
}

export function sum_metric(samples, name, labels = '') {
  const wanted = labels === '' ? [] : labels.split(',');
  let sum = 0;
  for (const [key, value] of samples) {
    const [, sample, rest = ''] = /^([^{]+)(?:\{(.*)\})?$/.exec(key);
    if (sample === name && wanted.every((label) => rest.split(',').includes(label))) {
      sum += value;
    }
  }
  return sum;
}
