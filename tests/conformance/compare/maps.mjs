// SPDX-License-Identifier: Apache-2.0
// Maps, as backends write and read them: the same sequence in each mode.

const MODES = {
  mape: { mode: 'ephemeral', key_ttl: '60s' },
  mapr: { mode: 'recoverable', key_ttl: '60s' },
  mapp: { mode: 'persistent' },
};

export const MAP_NAMESPACES = Object.entries(MODES).map(([name, map]) => (
  { name, subscription_type: 'map', map }));

const call = (api, channel, body = {}) => ({ api, body: { channel, ...body } });

function of_mode(namespace) {
  let count = 0;
  const sequence = (name, make) => {
    count += 1;
    const channel = `${namespace}:${count}`;
    const set = (key, data, more = {}) => call('map_publish', channel, { key, data, ...more });
    const state = (more = {}) => call('map_read_state', channel, { limit: 10, ...more });
    const stream = (more = {}) => call('map_read_stream', channel, { limit: 10, ...more });
    return { name: `map ${namespace}: ${name}`, steps: make({ channel, set, state, stream }) };
  };
  return [
    sequence('nothing yet', ({ channel, state, stream }) => [
      call('map_read_state', channel), state(), stream(), call('map_stats', channel),
      call('map_remove', channel, { key: 'a' })]),
    sequence('keys', ({ channel, set, state }) => [
      set('b', { x: 1 }), set('a', 2, { tags: { t: '1' } }), set('c', null), set('d', 'text'), set('b', 3),
      state(), state({ limit: 2 }), state({ limit: 2, cursor: 'b' }), state({ limit: -1 }), state({ limit: 0 }),
      state({ key: 'c' }), state({ key: 'zz' }), state({ cursor: 'bb' }), state({ cursor: 'z' }),
      state({ asc: true }), call('map_stats', channel)]),
    sequence('removals', ({ channel, set, state, stream }) => [
      set('a', 1, { tags: { t: '1' } }), set('b', 2), call('map_remove', channel, { key: 'a' }),
      call('map_remove', channel, { key: 'a' }), state(), stream(), set('a', 3), state()]),
    sequence('the stream', ({ set, stream }) => [
      set('a', 1), set('b', 2), set('a', 3), stream(), stream({ limit: 1 }), stream({ limit: 1, since_offset: 1 }),
      stream({ since_offset: 3 }), stream({ reverse: true }), stream({ reverse: true, since_offset: 2 }),
      stream({ since_offset: 1, since_epoch: 'other' }), stream({ since_offset: 1, since_epoch: '$epoch1' })]),
    sequence('the revision', ({ set, state }) => [
      set('a', 1), state({ revision_epoch: '$epoch1' }), state({ revision_offset: 7, revision_epoch: '$epoch1' }),
      state({ revision_offset: 1 }), state({ revision_epoch: 'other' })]),
    sequence('on condition', ({ set, state }) => [
      set('a', 1, { key_mode: 'if_exists' }), set('a', 1, { key_mode: 'if_new' }),
      set('a', 2, { key_mode: 'if_new' }), set('a', 3, { key_mode: 'if_exists' }), set('a', 4, { key_mode: '' }),
      set('a', 5, { key_mode: 'what' }), state()]),
    sequence('once', ({ channel, set, state }) => [
      set('a', 1, { idempotency_key: 'i' }), set('b', 2, { idempotency_key: 'i' }),
      call('map_remove', channel, { key: 'a', idempotency_key: 'r' }), set('a', 3),
      call('map_remove', channel, { key: 'a', idempotency_key: 'r' }), state()]),
    sequence('versions', ({ set, state }) => [
      set('a', 1, { version: 5 }), set('a', 2, { version: 5 }), set('b', 3, { version: 4 }), set('a', 4),
      set('a', 5, { version: 5 }), set('a', 6, { version: 5, version_epoch: 'e' }),
      set('a', 7, { version: 5, version_epoch: 'e' }), set('a', 8, { version: 6 }), state()]),
    sequence('cleared', ({ channel, set, state, stream }) => [
      set('a', 1), set('b', 2), call('map_clear', channel), state(), stream(), call('map_stats', channel),
      set('a', 3), state(), call('map_clear', channel), call('map_clear', `${namespace}:never`)]),
    sequence('once, cleared', ({ channel, set, state }) => [
      set('a', 1, { idempotency_key: 'i' }), call('map_clear', channel), set('a', 2, { idempotency_key: 'i' }),
      state()]),
    sequence('what is missing', ({ channel }) => [
      call('map_publish', channel, { data: 1 }), call('map_publish', '', { key: 'a', data: 1 }),
      call('map_publish', channel, { key: 'a' }), call('map_remove', channel), call('map_remove', '', { key: 'a' }),
      call('map_read_state', ''), call('map_read_stream', ''), call('map_stats', ''), call('map_clear', '')]),
    sequence('score', ({ set, state }) => [set('a', 1, { score: 5 }), set('b', 2, { score: -5 }), state()]),
    sequence('in a batch', ({ channel }) => [{ api: 'batch', body: { commands: [
      { map_publish: { channel, key: 'a', data: 1 } }, { map_publish: { channel: 'stream:x', key: 'a', data: 1 } },
      { map_stats: { channel } }, { map_read_state: { channel, limit: 1 } }, { map_remove: { channel, key: 'a' } },
      { map_read_stream: { channel, limit: 5 } }, { map_clear: { channel } }] } }]),
    sequence('by line', ({ channel }) => [{ api: 'map_publish', target: '/api', raw: [
      { method: 'map_publish', params: { channel, data: 1 } }, { method: 'map_remove', params: { channel, key: 'a' } },
      { method: 'map_stats', params: { channel } }, { method: 'map_clear', params: { channel } },
    ].map((line) => JSON.stringify(line)).join('\n') }]),
    sequence('not as a stream', ({ channel }) => [
      call('publish', channel, { data: 1 }), call('history', channel, { limit: 1 }),
      call('history_remove', channel)]),
    sequence('broadcast', ({ channel }) => [
      { api: 'broadcast', body: { channels: [channel, 'stream:bm'], data: 1 } }]),
  ];
}

const METHODS = ['map_read_state', 'map_read_stream', 'map_stats', 'map_clear'];

export function maps() {
  return [
    ...Object.keys(MODES).flatMap(of_mode),
    { name: 'map: of a stream', steps: [call('map_publish', 'stream:x', { key: 'a', data: 1 }),
      call('map_remove', 'stream:x', { key: 'a' }), ...METHODS.map((method) => call(method, 'stream:x'))] },
    { name: 'map: of no namespace', steps: [call('map_publish', 'nons:x', { key: 'a', data: 1 }),
      call('map_remove', 'nons:x', { key: 'a' }), ...METHODS.map((method) => call(method, 'nons:x'))] },
  ];
}
