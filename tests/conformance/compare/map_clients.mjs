// SPDX-License-Identifier: Apache-2.0
// Maps, as clients come to follow them: page by page, and from a position that they have.

const OPEN = {
  allow_subscribe_for_client: true,
  allow_subscribe_for_anonymous: true,
  allow_tags_filter: true,
  allowed_delta_types: ['fossil'],
  delta_publish: true,
};
const MAP = {
  allow_publish_for_client: true,
  allow_publish_for_anonymous: true,
  allow_remove_for_subscriber: true,
  allow_remove_for_anonymous: true,
  default_page_size: 2,
  min_page_size: 1,
  max_page_size: 3,
};
const MODES = {
  mcle: { mode: 'ephemeral', key_ttl: '60s' },
  mclp: { mode: 'persistent', stream_size: 6 },
};

export const MAP_CLIENT_NAMESPACES = [
  ...Object.entries(MODES).map(([name, map]) => ({ name, ...OPEN, subscription_type: 'map', map: { ...MAP, ...map } })),
  { name: 'mclseen', ...OPEN, subscription_type: 'map', map: { ...MAP, ...MODES.mclp },
    map_clients_presence_channel_prefix: 'mclwho:' },
  { name: 'mclwho', ...OPEN, subscription_type: 'map_clients', map: { mode: 'ephemeral', key_ttl: '60s' } },
];

const call = (api, channel, body = {}) => ({ api, body: { channel, ...body } });
const connect = (who) => [{ open: who }, { on: who, send: { id: 1, connect: {} } }];
const LONG = 'a text that is long enough to be worth a difference '.repeat(3);

function of_mode(namespace) {
  const has_stream = namespace === 'mclp';
  let count = 0;
  const sequence = (name, make) => {
    count += 1;
    const channel = `${namespace}:${count}`;
    let id = 1;
    const say = (method, body, who = 'c') => {
      id += 1;
      return { on: who, send: { id, [method]: { channel, ...body } } };
    };
    const subscribe = (body = {}, who = 'c') => say('subscribe', { type: 1, phase: 2, ...body }, who);
    const publish = (key, data, more = {}) => say('publish', { type: 1, key, data, ...more });
    const set = (key, data, more = {}) => call('map_publish', channel, { key, data, ...more });
    const remove = (key) => call('map_remove', channel, { key });
    const fill = (keys) => [...keys].map((key, n) => set(key, { n }));
    return { name: `map client ${namespace}: ${name}`,
      steps: [...connect('c'), ...make({ channel, say, subscribe, publish, set, remove, fill })] };
  };
  const sequences = [
    sequence('an empty map', ({ say, subscribe, set, remove }) => [
      subscribe(), set('a', 1), set('a', 2, { tags: { t: 'x' } }), set('b', 'text'), remove('a'), remove('a'),
      subscribe(), say('unsubscribe'), say('unsubscribe'), set('c', 3), subscribe({ limit: 3 })]),
    sequence('types', ({ say, subscribe }) => [
      say('subscribe'), subscribe({ type: 2 }), subscribe({ type: 3 }), subscribe({ type: 4 }),
      subscribe({ phase: 5 }), subscribe({ phase: -1 }), subscribe({ cursor: 'a' }),
      subscribe({ phase: 1, cursor: 'a' }), subscribe({ delta: 'fossil' })]),
    sequence('pages', ({ subscribe, fill, set, remove }) => [
      ...fill('abcde'), subscribe({ limit: 2 }), set('d', 'new'), remove('a'), set('z', 'last'),
      subscribe({ limit: 2, cursor: 'b', offset: 5, epoch: '$epoch1' }),
      subscribe({ limit: 3, cursor: 'd', offset: 5, epoch: '$epoch1' }), set('e', 'live')]),
    sequence('page sizes', ({ say, subscribe, fill }) => [
      ...fill('abcdefgh'), subscribe(), say('unsubscribe'), subscribe({ limit: 1 }), say('unsubscribe'),
      subscribe({ limit: 100 }), say('unsubscribe'), subscribe({ limit: -5 })]),
    sequence('begun twice', ({ say, subscribe, fill }) => [
      ...fill('abc'), subscribe(), subscribe(), say('unsubscribe'), subscribe({ cursor: 'b' }), subscribe()]),
    sequence('another epoch', ({ subscribe, fill, channel }) => [
      ...fill('abc'), subscribe(), call('map_clear', channel), ...fill('x'),
      subscribe({ cursor: 'b', offset: 3, epoch: '$epoch1' }), subscribe()]),
    sequence('live at once', ({ say, subscribe, set }) => [
      set('a', 1), subscribe({ phase: 0 }), set('b', 2), say('unsubscribe'),
      subscribe({ phase: 0, recover: true, offset: 1, epoch: 'none' })]),
    sequence('filters', ({ say, subscribe, set, remove }) => [
      set('a', 1, { tags: { t: 'x' } }), set('b', 2, { tags: { t: 'y' } }), set('c', 3),
      subscribe({ limit: 3, tf: { key: 't', cmp: 'eq', val: 'x' } }), set('d', 4, { tags: { t: 'x' } }),
      set('e', 5), remove('a'), remove('b'), say('unsubscribe'), subscribe({ tf: { key: 't', cmp: 'odd' } })]),
    sequence('deltas', ({ subscribe, set, remove }) => [
      set('a', { n: 1, LONG }), set('b', { n: 1, LONG }), subscribe({ limit: 3, delta: 'fossil' }),
      set('a', { n: 2, LONG }), set('b', { n: 2, LONG }), set('a', { n: 3, LONG }), remove('a'),
      set('a', { n: 4, LONG }), set('new', { n: 5, LONG }), subscribe({ delta: 'odd' })]),
    sequence('keys of clients', ({ subscribe, publish }) => [
      publish('a', 1), publish('a', undefined, { removed: true }), publish('', 1),
      subscribe(), publish('', undefined, { removed: true }), publish('none', undefined, { removed: true })]),
  ];
  if (!has_stream) {
    return [...sequences, sequence('no stream', ({ subscribe, set }) => [
      set('a', 1), subscribe({ phase: 1 }), subscribe({ phase: 1, recover: true, offset: 1, epoch: 'x' }),
      subscribe({ phase: 0, recover: true, offset: 1 }), set('b', 2)])];
  }
  return [
    ...sequences,
    sequence('a stream in pages', ({ subscribe, fill, set }) => [
      ...fill('abc'), subscribe(), ...fill('vwxyz'), subscribe({ cursor: 'b', offset: 3, epoch: '$epoch1' }),
      subscribe({ cursor: 'w', offset: 3, epoch: '$epoch1' }), subscribe({ cursor: 'y', offset: 3, epoch: '$epoch1' }),
      subscribe({ phase: 1, offset: 3, epoch: '$epoch1' }), subscribe({ phase: 1, offset: 5, epoch: '$epoch1' }),
      subscribe({ phase: 1, offset: 7, epoch: '$epoch1' }), set('end', 1)]),
    sequence('recovery', ({ say, subscribe, fill, set, remove }) => [
      ...fill('ab'), subscribe({ limit: 3 }), say('unsubscribe'), set('c', 1), remove('a'),
      subscribe({ phase: 1, recover: true, offset: 2, epoch: '$epoch1' }), set('d', 1), say('unsubscribe'),
      subscribe({ phase: 1, recover: true, offset: 5, epoch: '$epoch1' }), say('unsubscribe'),
      subscribe({ phase: 0, recover: true, offset: 4, epoch: '$epoch1' }), say('unsubscribe'),
      subscribe({ phase: 1, recover: true, offset: 5, epoch: 'other' }),
      subscribe({ phase: 1, offset: 5, epoch: '$epoch1' })]),
    sequence('a position without an epoch', ({ subscribe, fill }) => [
      ...fill('abcde'), subscribe({ phase: 1, recover: true })]),
    sequence('a position that never was', ({ say, subscribe, fill }) => [
      ...fill('ab'), subscribe({ limit: 3 }), say('unsubscribe'),
      subscribe({ phase: 1, recover: true, offset: 9, epoch: '$epoch1' })]),
    sequence('too late', ({ say, subscribe, fill }) => [
      ...fill('ab'), subscribe({ limit: 3 }), say('unsubscribe'), ...fill('abcdefghij'),
      subscribe({ phase: 1, recover: true, offset: 2, epoch: '$epoch1' }),
      subscribe({ phase: 0, recover: true, offset: 2, epoch: '$epoch1' }), subscribe({ limit: 3 })]),
  ];
}

export function map_clients() {
  return [
    ...Object.keys(MODES).flatMap(of_mode),
    { name: 'map client: of a stream', steps: [...connect('c'),
      { on: 'c', send: { id: 2, subscribe: { channel: 'stream:m', type: 1, phase: 2 } } },
      { on: 'c', send: { id: 3, subscribe: { channel: 'nons:m', type: 1, phase: 2 } } },
      { on: 'c', send: { id: 4, subscribe: { type: 1, phase: 2 } } }] },
    { name: 'map client: presence', steps: [...connect('w'), ...connect('c'),
      { on: 'w', send: { id: 2, subscribe: { channel: 'mclwho:mclseen:1', type: 1, phase: 2 } } },
      { on: 'w', send: { id: 3, subscribe: { channel: 'mclwho:mclseen:1', type: 2, phase: 2 } } },
      { on: 'c', send: { id: 4, subscribe: { channel: 'mclseen:1', type: 1, phase: 2 } } },
      { on: 'c', send: { id: 5, unsubscribe: { channel: 'mclseen:1' } } },
      { on: 'c', send: { id: 6, subscribe: { channel: 'mclseen:1', type: 1, phase: 2 } } },
      { close: 'c' }] },
  ];
}
