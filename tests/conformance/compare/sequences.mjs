// SPDX-License-Identifier: Apache-2.0
// What is played to both servers. A step is something said on a connection (`on`, `send`), a call
// of the server API (`api`, `body`), or `open`, `close` and `wait_ms`. `$epoch1` and the like stand
// for names that the server made up before.

import { MAP_CLIENT_NAMESPACES, map_clients } from './map_clients.mjs';
import { MAP_NAMESPACES, maps } from './maps.mjs';
import { NAME_NAMESPACES, names } from './names.mjs';

export const CONFIG = {
  client: {
    token: { hmac_secret_key: 'the-token-key-of-the-tests' },
    subscription_token: { enabled: true, hmac_secret_key: 'another-key-of-the-tests' },
    allow_anonymous_connect_without_token: true,
    channel_limit: 8,
  },
  channel: {
    without_namespace: {
      allow_subscribe_for_client: true,
      allow_subscribe_for_anonymous: true,
      allow_publish_for_subscriber: true,
      allow_publish_for_anonymous: true,
      presence: true,
      allow_presence_for_subscriber: true,
      allow_presence_for_anonymous: true,
      join_leave: true,
    },
    namespaces: [
      {
        name: 'stream',
        allow_subscribe_for_client: true,
        allow_subscribe_for_anonymous: true,
        allow_publish_for_client: true,
        allow_publish_for_anonymous: true,
        allow_history_for_client: true,
        allow_history_for_anonymous: true,
        history_size: 5,
        history_ttl: '300s',
        force_recovery: true,
      },
      {
        name: 'cache',
        allow_subscribe_for_client: true,
        allow_subscribe_for_anonymous: true,
        history_size: 3,
        history_ttl: '300s',
        force_recovery: true,
        force_recovery_mode: 'cache',
      },
      {
        name: 'pos',
        allow_subscribe_for_client: true,
        allow_subscribe_for_anonymous: true,
        history_size: 5,
        history_ttl: '300s',
        force_positioning: true,
      },
      { name: 'closed' },
      ...MAP_NAMESPACES,
      ...MAP_CLIENT_NAMESPACES,
      ...NAME_NAMESPACES,
    ],
  },
};

function connected(who = 'a', connect = {}) {
  return [{ open: who }, { on: who, send: { id: 1, connect } }];
}

function said(...send) {
  return send.map((one) => ({ on: 'a', send: one }));
}

function session(name, ...commands) {
  return { name, steps: [...connected(), ...said(...commands)] };
}

function unconnected(name, ...commands) {
  return { name, steps: [{ open: 'a' }, ...said(...commands)] };
}

const publish = (channel, data, more = {}) => ({ api: 'publish', body: { channel, data, ...more } });

function connecting({ make_token, now_s }) {
  const with_token = (name, claims, options) => (
    unconnected(`connect: ${name}`, { id: 1, connect: { token: make_token(claims, options) } }));
  return [
    unconnected('connect: anonymous', { id: 1, connect: {} }),
    unconnected('connect: with name, version, data', {
      id: 1, connect: { name: 'js', version: '1.2', data: { a: 1 } } }),
    unconnected('connect: twice', { id: 1, connect: {} }, { id: 2, connect: {} }),
    unconnected('connect: id 0', { connect: {} }),
    unconnected('connect: garbage token', { id: 1, connect: { token: 'garbage' } }),
    with_token('a token', { sub: 'u', exp: now_s() + 3600 }),
    with_token('a token that never expires', { sub: 'u' }),
    with_token('an expired token', { sub: 'u', exp: now_s() - 100 }),
    with_token('a token not yet good', { sub: 'u', nbf: now_s() + 100 }),
    with_token('a wrong key', { sub: 'u' }, { key: 'wrong' }),
    with_token('HS512', { sub: 'u' }, { alg: 'HS512' }),
    with_token('info and subs', { sub: 'u', info: { n: 1 }, subs: { x: {}, 'stream:y': {} } }),
    with_token('channels', { sub: 'u', channels: ['c1', 'stream:c2'] }),
    with_token('channels that do not exist', { sub: 'u', channels: ['nons:c1'] }),
    with_token('expire_at', { sub: 'u', exp: now_s() + 60, expire_at: now_s() + 600 }),
    with_token('expire_at 0', { sub: 'u', exp: now_s() + 60, expire_at: 0 }),
    with_token('a user of number type', { sub: 5 }),
    with_token('no user', {}),
    unconnected('connect: a command before it', { id: 1, subscribe: { channel: 'x' } }),
    unconnected('connect: publish before it', { id: 1, publish: { channel: 'x', data: {} } }),
    unconnected('connect: a ping before it', {}),
    unconnected('connect: two commands in a frame', [
      { id: 1, connect: {} }, { id: 2, subscribe: { channel: 'x' } }]),
    unconnected('connect: with subscriptions asked for', {
      id: 1, connect: { subs: { 'stream:x': { recover: true, epoch: 'none', offset: 3 } } } }),
    unconnected('connect: null', '{"id":1,"connect":null}'),
    unconnected('connect: a wrong type', '{"id":1,"connect":{"token":5}}'),
  ];
}

function frames() {
  const bad = (name, text) => session(`frame: ${name}`, text);
  return [
    bad('not JSON', 'hello'),
    bad('an empty object', '{}'),
    bad('a list', '[]'),
    bad('a number', '5'),
    bad('null', 'null'),
    bad('cut off', '{"id":2,"subscribe":{"channel":"x"'),
    bad('an unknown field', '{"id":2,"subscribe":{"channel":"uf","what":[1,{"a":2}]},"more":1}'),
    bad('an id only', '{"id":2}'),
    bad('an id that is too large', '{"id":4294967296,"subscribe":{"channel":"x"}}'),
    bad('a negative id', '{"id":-2,"subscribe":{"channel":"x"}}'),
    bad('id as a string', '{"id":"2","subscribe":{"channel":"x"}}'),
    bad('id 0', '{"subscribe":{"channel":"x"}}'),
    bad('an id again', '{"id":1,"subscribe":{"channel":"again"}}'),
    bad('two requests', '{"id":2,"subscribe":{"channel":"two"},"publish":{"channel":"x","data":1}}'),
    bad('empty lines between', '{"id":2,"rpc":{"method":"m"}}\n\n{"id":3,"rpc":{"method":"m"}}\n'),
    bad('a ping', '{"id":2,"ping":{}}'),
    bad('a pong', '{}'),
    bad('trailing text', '{"id":2,"rpc":{"method":"m"}} x'),
    bad('two on a line', '{"id":2,"rpc":{"method":"m"}}{"id":3,"rpc":{"method":"m"}}'),
    { name: 'frame: JSON in a binary frame', steps: [...connected(),
      { on: 'a', binary: [...Buffer.from('{"id":2,"rpc":{"method":"m"}}')] }] },
    { name: 'frame: an empty one', steps: [...connected(), { on: 'a', send: '' }] },
    { name: 'frame: garbage in a binary frame', steps: [...connected(), { on: 'a', binary: [1, 2, 3] }] },
  ];
}

function subscribing({ make_token, now_s }) {
  const sub = (channel, more = {}) => ({ id: 2, subscribe: { channel, ...more } });
  const token = (claims) => make_token(claims, { key: 'another-key-of-the-tests' });
  return [
    session('subscribe: and unsubscribe', sub('s1'), { id: 3, unsubscribe: { channel: 's1' } },
      { id: 4, unsubscribe: { channel: 's1' } }),
    session('subscribe: twice', sub('s2'), { id: 3, subscribe: { channel: 's2' } }),
    session('subscribe: no channel', sub('')),
    session('subscribe: a long channel', sub('x'.repeat(300))),
    session('subscribe: UTF-8', sub('кана́л')),
    session('subscribe: an unknown namespace', sub('nons:x')),
    session('subscribe: not allowed', sub('closed:x')),
    session('subscribe: private without a token', sub('$private')),
    session('subscribe: user-limited, not for us', sub('dialog#1,2')),
    session('subscribe: with data', sub('s3', { data: { a: 1 } })),
    session('subscribe: a wrong token', sub('$t1', { token: 'garbage' })),
    session('subscribe: a token of another channel', sub('$t2', { token: token({ sub: '', channel: '$t3' }) })),
    session('subscribe: a token', sub('$t4', { token: token({ sub: '', channel: '$t4' }) })),
    session('subscribe: an expiring token', sub('$t5', {
      token: token({ sub: '', channel: '$t5', exp: now_s() + 1000 }) })),
    session('subscribe: an expired token', sub('$t6', {
      token: token({ sub: '', channel: '$t6', exp: now_s() - 1000 }) })),
    session('subscribe: a token of another user', sub('$t7', { token: token({ sub: 'u', channel: '$t7' }) })),
    session('subscribe: a token with info', sub('$t8', {
      token: token({ sub: '', channel: '$t8', info: { a: 1 } }) }), { id: 3, presence: { channel: '$t8' } }),
    session('subscribe: too many', ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => (
      { id: n + 1, subscribe: { channel: `many${n}` } }))),
    session('subscribe: a stream', sub('stream:a')),
    session('subscribe: positioned', sub('pos:a', { positioned: true })),
    session('subscribe: asks for what is not allowed', sub('s4', {
      positioned: true, recoverable: true, join_leave: true })),
    session('subscribe: of an unknown type', sub('s5', { type: 9 })),
    session('subscribe: as a map', sub('s6', { type: 1, phase: 2 })),
    session('subscribe: as a shared poll', sub('s7', { type: 4 })),
    session('subscribe: an unknown delta', sub('s8', { delta: 'what' })),
    session('subscribe: a filter', sub('s9', { tf: { key: 'a', cmp: 'eq', val: 'b' } })),
    { name: 'subscribe: joins and leaves', steps: [...connected('a'), ...connected('b'),
      { on: 'a', send: sub('jl', { join_leave: true }) }, { on: 'b', send: sub('jl', { join_leave: true }) },
      { on: 'a', send: { id: 3, presence: { channel: 'jl' } } },
      { on: 'a', send: { id: 4, presence_stats: { channel: 'jl' } } },
      { on: 'b', send: { id: 3, unsubscribe: { channel: 'jl' } } }] },
    session('sub_refresh: no subscription', { id: 2, sub_refresh: { channel: 'x', token: 'x' } }),
    session('sub_refresh: without a token', sub('r1'), { id: 3, sub_refresh: { channel: 'r1' } }),
    session('sub_refresh: a garbage token', sub('r2'), { id: 3, sub_refresh: { channel: 'r2', token: 'x' } }),
    session('refresh: without a token', { id: 2, refresh: {} }),
    session('refresh: a garbage token', { id: 2, refresh: { token: 'x' } }),
    session('refresh: another user', { id: 2, refresh: { token: make_token({ sub: 'u' }) } }),
  ];
}

function publishing() {
  const channel = (name) => ({ id: 2, subscribe: { channel: name } });
  return [
    session('publish: to a subscribed channel', channel('p1'),
      { id: 3, publish: { channel: 'p1', data: { text: 'hi' } } }),
    session('publish: without a subscription', { id: 2, publish: { channel: 'p2', data: {} } }),
    session('publish: no data', channel('p3'), { id: 3, publish: { channel: 'p3' } }),
    session('publish: null', channel('p4'), { id: 3, publish: { channel: 'p4', data: null } }),
    session('publish: a number', channel('p5'), { id: 3, publish: { channel: 'p5', data: 1.5e3 } }),
    session('publish: spaces are kept', channel('p6'),
      '{"id":3,"publish":{"channel":"p6","data":{ "a" :  1 }}}'),
    session('publish: no channel', { id: 3, publish: { data: {} } }),
    session('publish: not allowed', { id: 3, publish: { channel: 'closed:x', data: {} } }),
    session('publish: unknown namespace', { id: 3, publish: { channel: 'nons:x', data: {} } }),
    session('publish: into a stream', channel('stream:p'),
      { id: 3, publish: { channel: 'stream:p', data: 1 } }, { id: 4, publish: { channel: 'stream:p', data: 2 } }),
    session('rpc: nobody answers', { id: 2, rpc: { method: 'x', data: {} } }),
    session('rpc: without a method', { id: 2, rpc: { data: {} } }),
    session('send: nobody listens', { send: { data: {} } }, { id: 2, rpc: { method: 'm' } }),
    session('presence: not subscribed', { id: 2, presence: { channel: 'x' } }),
    session('presence: not allowed', { id: 2, presence: { channel: 'closed:x' } }),
    session('presence: no channel', { id: 2, presence: {} }),
    session('presence_stats: not subscribed', { id: 2, presence_stats: { channel: 'x' } }),
    session('history: not available', channel('h0'), { id: 3, history: { channel: 'h0' } }),
    session('history: not allowed', { id: 3, history: { channel: 'cache:h' } }),
    session('history: no channel', { id: 3, history: {} }),
  ];
}

function streams() {
  const fill = (channel, count) => Array.from({ length: count }, (_, i) => publish(channel, { n: i }));
  const ask = (channel, more) => ({ on: 'a', send: { id: 9, history: { channel, ...more } } });
  const recover = (channel, more) => ({ on: 'a', send: { id: 2, subscribe: { channel, recover: true, ...more } } });
  const top = (channel) => ({ api: 'history', body: { channel } });
  return [
    { name: 'history: pages', steps: [...connected(), ...fill('stream:h1', 4), ask('stream:h1', {}),
      ask('stream:h1', { limit: 2 }), ask('stream:h1', { limit: -1 }),
      ask('stream:h1', { limit: 2, since: { offset: 1, epoch: '$epoch1' } }),
      ask('stream:h1', { limit: 2, since: { offset: 3, epoch: '$epoch1' }, reverse: true }),
      ask('stream:h1', { limit: 2, since: { offset: 9, epoch: '$epoch1' } }),
      ask('stream:h1', { limit: 2, since: { offset: 1, epoch: 'wrong' } }),
      ask('stream:h1', { limit: -1, reverse: true })] },
    { name: 'history: of an empty channel', steps: [...connected(), ask('stream:h2', { limit: 5 })] },
    { name: 'history: beyond its size', steps: [...connected(), ...fill('stream:h3', 7),
      ask('stream:h3', { limit: -1 }), ask('stream:h3', { limit: 3, since: { offset: 1, epoch: '$epoch1' } })] },
    { name: 'recovery: all that was missed', steps: [...connected(), ...fill('stream:r1', 4), top('stream:r1'),
      recover('stream:r1', { offset: 2, epoch: '$epoch1' })] },
    { name: 'recovery: nothing was missed', steps: [...connected(), ...fill('stream:r2', 2), top('stream:r2'),
      recover('stream:r2', { offset: 2, epoch: '$epoch1' })] },
    { name: 'recovery: too far behind', steps: [...connected(), ...fill('stream:r3', 8), top('stream:r3'),
      recover('stream:r3', { offset: 1, epoch: '$epoch1' })] },
    { name: 'recovery: beyond the top', steps: [...connected(), ...fill('stream:r4', 2), top('stream:r4'),
      recover('stream:r4', { offset: 7, epoch: '$epoch1' })] },
    { name: 'recovery: another epoch', steps: [...connected(), ...fill('stream:r5', 2),
      recover('stream:r5', { offset: 1, epoch: 'wrong' })] },
    { name: 'recovery: from nothing, no epoch', steps: [...connected(), ...fill('stream:r6', 2),
      recover('stream:r6', { offset: 0, epoch: '' })] },
    { name: 'recovery: rejected', steps: [...connected(), ...fill('stream:r7', 2),
      recover('stream:r7', { offset: 1, epoch: 'wrong', flag: 2 })] },
    { name: 'recovery: cache', steps: [...connected(), ...fill('cache:r1', 4), recover('cache:r1', {})] },
    { name: 'recovery: empty cache', steps: [...connected(), recover('cache:r2', {})] },
    { name: 'recovery: cache that is known', steps: [...connected(), ...fill('cache:r3', 4), top('cache:r3'),
      recover('cache:r3', { offset: 4, epoch: '$epoch1' })] },
    { name: 'recovery: positioned only', steps: [...connected(), ...fill('pos:r1', 4), top('pos:r1'),
      recover('pos:r1', { offset: 2, epoch: '$epoch1' })] },
    { name: 'live: of a stream',
      steps: [...connected(), { on: 'a', send: { id: 2, subscribe: { channel: 'stream:l' } } },
      publish('stream:l', 1), publish('stream:l', 2, { tags: { a: 'b' } }), publish('stream:l', 3,
        { skip_history: true })] },
    { name: 'live: history removed',
      steps: [...connected(), { on: 'a', send: { id: 2, subscribe: { channel: 'stream:m' } } },
      publish('stream:m', 1), { api: 'history_remove', body: { channel: 'stream:m' } }, top('stream:m'),
      publish('stream:m', 2), { api: 'history', body: { channel: 'stream:m', limit: 5 } }] },
  ];
}

function server_api() {
  const call = (name, api, body, more = {}) => ({ name: `api: ${name}`, steps: [{ api, body, ...more }] });
  const as_user = (steps) => steps;
  return [
    call('publish', 'publish', { channel: 'x', data: {} }),
    call('publish into a stream', 'publish', { channel: 'stream:api1', data: {} }),
    call('publish without a channel', 'publish', { data: {} }),
    call('publish without data', 'publish', { channel: 'x' }),
    call('publish base64', 'publish', { channel: 'x', b64data: 'e30=' }),
    call('publish bad base64', 'publish', { channel: 'x', b64data: '!!' }),
    call('publish to an unknown namespace', 'publish', { channel: 'nons:x', data: {} }),
    call('publish to a long channel', 'publish', { channel: 'x'.repeat(300), data: {} }),
    call('publish null', 'publish', { channel: 'x', data: null }),
    call('an unknown field', 'publish', { channel: 'x', data: {}, what: 1 }),
    call('broadcast', 'broadcast', { channels: ['x', 'nons:x', 'stream:api2'], data: {} }),
    call('broadcast to nobody', 'broadcast', { channels: [], data: {} }),
    call('subscribe without a user', 'subscribe', { channel: 'x' }),
    call('subscribe', 'subscribe', { channel: 'x', user: 'nobody' }),
    call('unsubscribe', 'unsubscribe', { channel: 'x', user: 'nobody' }),
    call('unsubscribe without a user', 'unsubscribe', { channel: 'x' }),
    call('disconnect', 'disconnect', { user: 'nobody' }),
    call('disconnect without a user', 'disconnect', {}),
    call('refresh', 'refresh', { user: 'nobody' }),
    call('refresh without a user', 'refresh', {}),
    call('presence of nobody', 'presence', { channel: 'empty' }),
    call('presence where there is none', 'presence', { channel: 'stream:x' }),
    call('presence without a channel', 'presence', {}),
    call('presence_stats of nobody', 'presence_stats', { channel: 'empty' }),
    call('history where there is none', 'history', { channel: 'x' }),
    call('history of nothing', 'history', { channel: 'stream:none', limit: 3 }),
    call('history of a wrong epoch', 'history', { channel: 'stream:none', limit: 3, since: { offset: 1,
      epoch: 'x' } }),
    call('history_remove', 'history_remove', { channel: 'stream:none' }),
    call('history_remove where there is none', 'history_remove', { channel: 'x' }),
    call('rpc', 'rpc', { method: 'x', params: {} }),
    call('an unknown method', 'what', {}),
    call('not JSON', 'publish', {}, { raw: 'hello' }),
    call('an empty body', 'publish', {}, { raw: '' }),
    call('a list', 'publish', {}, { raw: '[]' }),
    call('a wrong type', 'publish', { channel: 5, data: {} }),
    call('a wrong key', 'publish', { channel: 'x', data: {} }, { key: 'wrong' }),
    call('batch', 'batch', { commands: [{ publish: { channel: 'x', data: {} } },
      { publish: { channel: 'nons:x', data: {} } }, { presence: { channel: 'empty' } }] }),
    call('batch of nothing', 'batch', { commands: [] }),
    call('batch of an empty command', 'batch', { commands: [{}] }),
    { name: 'api: idempotency', steps: [publish('stream:i1', 1, { idempotency_key: 'k' }),
      publish('stream:i1', 2, { idempotency_key: 'k' }), { api: 'history', body: { channel: 'stream:i1',
        limit: 9 } }] },
    { name: 'api: versions', steps: [publish('stream:v1', 1, { version: 5 }), publish('stream:v1', 2, { version: 5 }),
      publish('stream:v1', 3, { version: 4, version_epoch: 'x' }), publish('stream:v1', 4, { version: 6 }),
      { api: 'history', body: { channel: 'stream:v1', limit: 9 } }] },
    { name: 'api: to a connected user', steps: as_user([...connected('a'),
      { api: 'subscribe', body: { channel: 'stream:s', user: '' } },
      { api: 'disconnect', body: { user: '' } }]) },
  ];
}

function users({ make_token }) {
  const as = (user) => connected('a', { token: make_token({ sub: user, info: { of: user } }) });
  return [
    { name: 'user: subscribed, published to, unsubscribed', steps: [...as('u1'),
      { api: 'subscribe', body: { channel: 'stream:u1', user: 'u1' } }, publish('stream:u1', 1),
      { api: 'unsubscribe', body: { channel: 'stream:u1', user: 'u1' } }, publish('stream:u1', 2)] },
    { name: 'user: subscribed with data and info', steps: [...as('u2'),
      { api: 'subscribe', body: { channel: 'su2', user: 'u2', data: { d: 1 }, info: { i: 1 } } },
      { api: 'presence', body: { channel: 'su2' } }] },
    { name: 'user: disconnected', steps: [...as('u3'), { api: 'disconnect', body: { user: 'u3' } }] },
    { name: 'user: disconnected with a code', steps: [...as('u4'),
      { api: 'disconnect', body: { user: 'u4', disconnect: { code: 4321, reason: 'why' } } }] },
    { name: 'user: kept by a whitelist', steps: [...as('u5'),
      { api: 'disconnect', body: { user: 'u5', whitelist: ['$client1'] } },
      { on: 'a', send: { id: 2, rpc: { method: 'm' } } }] },
    { name: 'user: refreshed',
      steps: [...as('u6'), { api: 'refresh', body: { user: 'u6', expire_at: 4102444800 } }] },
    { name: 'user: expired', steps: [...as('u7'), { api: 'refresh', body: { user: 'u7', expired: true } }] },
    { name: 'user: limited channel',
      steps: [...as('u8'), { on: 'a', send: { id: 2, subscribe: { channel: 'd#u8,u9' } } }] },
    { name: 'user: subscribed already',
      steps: [...as('u10'), { on: 'a', send: { id: 2, subscribe: { channel: 'su10' } } },
      { api: 'subscribe', body: { channel: 'su10', user: 'u10' } }] },
    { name: 'user: unsubscribed from all',
      steps: [...as('u11'), { on: 'a', send: { id: 2, subscribe: { channel: 'su11' } } },
      { on: 'a', send: { id: 3, subscribe: { channel: 'stream:su11' } } }, { api: 'unsubscribe',
        body: { user: 'u11', channel: '' } }] },
    { name: 'user: publishes with info',
      steps: [...as('u12'), { on: 'a', send: { id: 2, subscribe: { channel: 'su12' } } },
      { on: 'a', send: { id: 3, publish: { channel: 'su12', data: 1 } } }] },
  ];
}

export function SEQUENCES(tools) {
  return [connecting, frames, subscribing, publishing, streams, server_api, users, maps, map_clients, names]
    .flatMap((make) => make(tools));
}
