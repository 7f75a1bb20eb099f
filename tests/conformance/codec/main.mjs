// SPDX-License-Identifier: Apache-2.0
// What our codecs made, read by npm centrifuge's own: its fossil implementation and its two builds.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { Report, check, check_equal } from '../support/report.mjs';

const require = createRequire(import.meta.url);
const options = { websocket: class {} };
const json_codec = new (require('centrifuge').Centrifuge)('ws://127.0.0.1', options)._codec;
const protobuf_codec = new (require('centrifuge/build/protobuf').Centrifuge)('ws://127.0.0.1', options)._codec;

const vectors = execFileSync(process.argv[2], { maxBuffer: 1 << 26 })
  .toString()
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));
const of_kind = (kind) => vectors.filter((vector) => vector.kind === kind);
const bytes_of = (hex) => new Uint8Array(Buffer.from(hex, 'hex'));
const text_of = (bytes) => new TextDecoder('utf-8', { fatal: true }).decode(bytes);

// Lists and maps are there even when nothing is in them; a message without fields has a class of its own.
function is_empty(field) {
  const is_map = typeof field === 'object' && Object.getPrototypeOf(field) === Object.prototype;
  return (Array.isArray(field) || is_map) && Object.keys(field).length === 0;
}

// A message of protobufjs as the JSON codec would have it: payloads parsed, numbers as numbers.
function plain(value) {
  if (value instanceof Uint8Array) {
    return JSON.parse(text_of(value));
  }
  if (typeof value?.toNumber === 'function') {
    return value.toNumber();
  }
  if (Array.isArray(value)) {
    return value.map(plain);
  }
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).filter(([, field]) => !is_empty(field));
    return Object.fromEntries(fields.map(([name, field]) => [name, plain(field)]));
  }
  return value;
}

// As a JSON subscriber gets it, inside of a string; as a Protobuf subscriber, as bytes.
function apply(vector) {
  const source = bytes_of(vector.source);
  const delta = bytes_of(vector.delta);
  if (!vector.aligned) {
    return protobuf_codec.applyDeltaIfNeeded({ data: delta, delta: true }, source).newPrevValue;
  }
  const wire = JSON.parse(JSON.stringify(text_of(delta)));
  return json_codec.applyDeltaIfNeeded({ data: wire, delta: true }, source).newPrevValue;
}

const report = new Report({ prefix: 'codec: ' });
report.test('its fossil implementation applies our deltas', () => {
  let applied = 0;
  for (const vector of of_kind('delta')) {
    if (vector.result === 'delta not shorter than its target') {
      continue;
    }
    check_equal(vector.result, 'no error', vector.name);
    check_equal(Buffer.from(apply(vector)).toString('hex'), vector.target, vector.name);
    check(vector.delta.length < vector.target.length, `${vector.name}: the delta is shorter`);
    applied += 1;
  }
  check(applied > 300, `only ${applied} deltas were applied`);
});
for (const vector of of_kind('reply')) {
  report.test(`its JSON and Protobuf codecs read one ${vector.name}`, () => {
    const from_json = json_codec.decodeReplies(text_of(bytes_of(vector.json)));
    const from_protobuf = protobuf_codec.decodeReplies(bytes_of(vector.protobuf));
    check_equal(from_protobuf.map(plain), from_json, vector.name);
    check_equal(from_json.length, 1, 'replies');
  });
}
await report.run();
report.exit();
