// SPDX-License-Identifier: Apache-2.0
// Maps and shared polls: keys that are too long or too many, pages that are never read to their end,
// signatures of somebody else, and one who tracks all that he may and does not read.
import { RawClient, make_token, open_client } from '../conformance/support/client.mjs';
import { Node, TOKEN_KEY } from '../conformance/support/node.mjs';
import { POLL_KEY, PollBackend, poll_signature, tracker, updates_of } from '../conformance/support/polls.mjs';
import { WAIT_MS_MAX, check, check_equal, eventually, sleep } from '../conformance/support/report.mjs';
import { Chat } from './chat.mjs';

const KEYS_MAX = 80;
const MAP_BYTES_MAX = 512 * 1024;
const TRACKED_MAX = 100;
const QUEUE_MAX = 256 * 1024;
const OPEN = { allow_subscribe_for_client: true, allow_subscribe_for_anonymous: true };
const PUBLISHABLE = { allow_publish_for_client: true, allow_publish_for_anonymous: true };
const WRITABLE = { ...PUBLISHABLE, allow_remove_for_client: true, allow_remove_for_anonymous: true };

const CONFIG = (url) => ({
  client: { allow_anonymous_connect_without_token: true, token: { hmac_secret_key: TOKEN_KEY },
    ping_interval: '100s', pong_timeout: '90s', queue_max_size: QUEUE_MAX },
  shared_poll: { hmac_secret_key: POLL_KEY },
  proxies: [{ name: 'polls', endpoint: `${url}/refresh` }],
  channel: {
    map_max_keys: KEYS_MAX,
    map_max_size: MAP_BYTES_MAX,
    without_namespace: { ...OPEN, ...PUBLISHABLE },
    namespaces: [
      { name: 'map', ...OPEN, subscription_type: 'map', map: { mode: 'persistent', ...WRITABLE,
        min_page_size: 2, default_page_size: 5, max_page_size: 10, subscribe_catch_up_timeout: '1s' } },
      { name: 'poll', ...OPEN, subscription_type: 'shared_poll', shared_poll: { proxy_name: 'polls',
        mode: 'versioned', refresh_interval: '100ms', max_keys_per_connection: TRACKED_MAX } },
    ],
  },
});
// A client whose calls end with an error's code, or 0.
async function open_asking(context, node, options = {}) {
  const raw = await RawClient.connected(context, node, options);
  let id = 100;
  raw.ask = (method, params) => {
    id += 1;
    return raw.call({ id, [method]: params });
  };
  raw.code = async (method, params) => (await raw.ask(method, params)).error?.code ?? 0;
  // The same of many that leave together.
  raw.codes = async (method, list) => {
    raw.send(...list.map((params, i) => ({ id: 10_000 + i, [method]: params })));
    const codes = [];
    for (let i = 0; i < list.length; i += 1) {
      codes.push((await raw.next()).error?.code ?? 0);
    }
    return codes;
  };
  return raw;
}

const publish_of = (channel, key, data) => ({ channel, type: 1, key, data });

// ---- maps ----

async function attack_keys(context, node) {
  const raw = await open_asking(context, node);
  const put = (key, data = 1) => raw.code('publish', publish_of('map:keys', key, data));
  for (const key of ['x'.repeat(1025), 'x'.repeat(50_000), '\u{1f512}'.repeat(300)]) {
    check_equal(await put(key), 107, `a key of ${Buffer.byteLength(key)} bytes`);
    check_equal((await node.api('map_publish', { channel: 'map:keys', key, data: 1 })).error?.code,
      107, `the same by the API`);
  }
  const many = Array.from({ length: KEYS_MAX + 20 }, (_, i) => (
    publish_of('map:keys', `${i}${'k'.repeat(1000)}`, 1)));
  check_equal([...await raw.codes('publish', many.slice(0, 30)), ...await raw.codes('publish',
    many.slice(30, 60)), ...await raw.codes('publish', many.slice(60))],
  many.map((_, i) => (i < KEYS_MAX ? 0 : 106)), 'keys that found room');
  check_equal(await put(`0${'k'.repeat(1000)}`, 2), 0, 'a key that is there');
  // Few keys that are large: the bytes of a map are bounded, too.
  const large = 'y'.repeat(50_000);
  let taken = 0;
  while (taken < 20 && (await raw.code('publish', publish_of('map:large', `${taken}`, large))) === 0) {
    taken += 1;
  }
  check(taken > 0 && taken * large.length <= MAP_BYTES_MAX, `${taken} large keys found room`);
  const bytes = await node.metric('roost_map_bytes');
  check(bytes <= 2 * MAP_BYTES_MAX, `${bytes} bytes of two maps`);
  check(await node.metric('roost_map_publish_refused_total') > 20, 'they are counted');
  for (const channel of ['map:keys', 'map:large']) {
    await node.api_result('map_clear', { channel });
  }
  check_equal(await node.metric('roost_map_keys'), 0, 'keys in the end');
}

const CURSORS = ['x'.repeat(5000), '\u0000', '-1', '{}', '//', '18446744073709551616'];

async function attack_pages(context, node) {
  const channel = 'map:pages';
  const late = () => node.metric('roost_client_map_catch_ups_late');
  const before = await late();
  await Promise.all(Array.from({ length: 30 }, (_, i) => (
    node.api_result('map_publish', { channel, key: `${i}`, data: i }))));
  const first = { channel, type: 1, phase: 2 };
  const raw = await open_asking(context, node);
  for (const limit of [-1, 0, 1, 2_147_483_647]) {
    const { subscribe, error } = await raw.ask('subscribe', { ...first, limit });
    const { length } = subscribe?.state ?? [];
    check(error?.code === 107 || (length >= 2 && length <= 10), `${length} keys for ${limit}`);
    await raw.ask('unsubscribe', { channel });
  }
  for (const cursor of CURSORS) { // Places that nobody was told.
    const { subscribe, error } = await raw.ask('subscribe', { ...first, cursor, offset: 7, epoch: 'none' });
    check(error !== undefined || (subscribe.state ?? []).length <= 10, `a page at ${cursor.slice(0, 20)}`);
    await raw.ask('unsubscribe', { channel });
  }
  // The same page again and again: for as long as one may be on the way, and no longer.
  const { subscribe: page } = await raw.ask('subscribe', first);
  check_equal(await raw.code('subscribe', first), 105, 'the first one once more');
  const same = { ...first, cursor: page.cursor, offset: page.offset, epoch: page.epoch };
  let line;
  do {
    raw.send({ id: 1, subscribe: same });
    line = await raw.next_line();
    check(line === null || JSON.parse(line).subscribe?.state.length === 5, `${line}`.slice(0, 200));
    await sleep(2);
  } while (line !== null);
  check_equal(raw.close?.code, 3008, 'what becomes of pages without an end');
  // Some that stop reading at their first page: they have so long for all of it, and no longer.
  const idle = await Promise.all(Array.from({ length: 20 }, () => open_asking(context, node)));
  for (const one of idle) {
    const { subscribe } = await one.ask('subscribe', first);
    check(subscribe.cursor !== undefined && subscribe.phase === 2, JSON.stringify(subscribe).slice(0, 80));
    one.goes_on = { ...first, cursor: subscribe.cursor, offset: subscribe.offset, epoch: subscribe.epoch };
  }
  await sleep(1100);
  for (const one of idle) {
    one.send({ id: 1, subscribe: one.goes_on });
    check_equal(await one.closed(), 3008, 'who goes on too late');
  }
  check_equal(await late() - before, 1 + idle.length, 'they are counted');
  await eventually(async () => (await node.metric('roost_client_map_catch_ups')) === 0,
    'nothing to be left of them');
  await node.api_result('map_clear', { channel });
}

// ---- polls ----

function track_of(channel, keys, signature) {
  return { channel, type: 1, track: [{ signature, items: keys.map((key) => ({ key })) }] };
}

async function attack_signatures(context, node, backend) {
  const channel = 'poll:signed';
  const keys = ['secret', 'other'];
  backend.items.set('secret', { data: 'of ann', version: 1 });
  const good = poll_signature(channel, keys, { user: 'ann' });
  const ann = await open_asking(context, node,
    { connect: { token: make_token({ sub: 'ann' }) } });
  const eve = await open_asking(context, node,
    { connect: { token: make_token({ sub: 'eve' }) } });
  const nobody = await open_asking(context, node);
  for (const raw of [ann, eve, nobody]) {
    check_equal(await raw.code('subscribe', { channel, type: 4 }), 0, 'subscribing');
  }
  check_equal(await eve.code('subscribe', { channel: 'poll:hers', type: 4 }), 0, 'subscribing');
  const replay = (raw, signature, over = keys, at = channel) => (
    raw.code('sub_refresh', track_of(at, over, signature)));
  check_equal(await replay(eve, good), 103, 'by somebody else');
  check_equal(await replay(nobody, good), 103, 'by nobody');
  check_equal(await replay(eve, poll_signature(channel, keys, { user: 'eve' }), keys, 'poll:hers'),
    103, 'in another channel');
  const [issued, expires, mac] = good.split(':');
  const flipped = `${mac.slice(0, -1)}${mac.endsWith('0') ? '1' : '0'}`;
  for (const [what, signature, of, code = 103] of [
    ['for less keys', good, ['secret']], ['for more keys', good, [...keys, 'third']],
    ['in another order', good, ['other', 'secret']], ['for keys that look alike', good, ['secret\0other'], 107],
    ['a longer life', `${issued}:${Number(expires) + 1}:${mac}`, keys],
    ['an earlier birth', `${issued - 1}:${expires}:${mac}`, keys],
    ['a sign before it', `+${issued}:${expires}:${mac}`, keys],
    ['a digit that differs', `${issued}:${expires}:${flipped}`, keys],
    ['half of it', `${issued}:${expires}:${mac.slice(0, 32)}`, keys],
    ['nothing of it', `${issued}:${expires}:`, keys], ['nothing at all', '', keys],
    ['something huge', `${issued}:${expires}:${mac.repeat(300)}`, keys],
    ['another secret', poll_signature(channel, keys, { user: 'ann', secret: '' }), keys]]) {
    check_equal(await replay(ann, signature, of), code, what);
  }
  const old = poll_signature(channel, keys, { user: 'ann', ttl_s: -60 });
  check_equal(await replay(ann, old), 109, 'an old one');
  check_equal(await replay(ann, good), 0, 'the good one, by whom it is for');
  check_equal(await replay(ann, good), 0, 'and again');
  const { push } = await ann.next();
  check_equal([push.pub.key, push.pub.data], ['secret', 'of ann'], 'what ann is told');
  await sleep(300); // Some polls.
  for (const [raw, id] of [[eve, 1000], [nobody, 1001]]) {
    raw.send({ id, presence: { channel } });
    check_equal((await raw.next()).id, id, 'others hear of their own commands alone');
  }
  [ann, eve, nobody].forEach((raw) => raw.ws.destroy());
}

async function attack_by_not_reading(context, node, backend) {
  const channel = 'poll:deaf';
  const keys = Array.from({ length: TRACKED_MAX }, (_, i) => `${i}${'k'.repeat(500)}`);
  const deaf = await open_asking(context, node);
  await deaf.ask('subscribe', { channel, type: 4 });
  const many = [...keys, 'one too many'];
  check_equal(await deaf.code('sub_refresh', track_of(channel, many, poll_signature(channel, many))),
    106, 'one too many');
  const long = ['k'.repeat(5000)];
  check_equal(await deaf.code('sub_refresh', track_of(channel, long, poll_signature(channel, long))),
    107, 'a key that is too long');
  const good = await tracker(await open_client(context, node), channel);
  good.track([keys[0]]);
  check_equal(await deaf.code('sub_refresh', track_of(channel, keys, poll_signature(channel, keys))),
    0, 'as many as one may');
  await eventually(async () => (await node.metric('roost_shared_poll_num_tracked'))
    === TRACKED_MAX + 1, 'what is tracked');
  const ended = () => node.metric('roost_client_num_server_disconnects', 'code="3008"');
  const before = await ended();
  deaf.ws.socket.tcp.pause();
  let version = 0;
  await eventually(async () => {
    version += 1;
    keys.forEach((key) => backend.items.set(key, { data: `${version} ${'d'.repeat(2000)}`, version }));
    await sleep(50);
    return (await ended()) === before + 1;
  }, 'the end of the one who does not read', 2 * WAIT_MS_MAX);
  await eventually(async () => (await node.metric('roost_shared_poll_num_tracked')) === 1,
    'only what is tracked to be asked for');
  await eventually(() => updates_of(good).some(([, told]) => told === version),
    'the other to hear the newest');
}

const ATTACKS = {
  'keys that are too long, or too many': attack_keys,
  'pages of a map that are never read to their end': attack_pages,
  'signatures of somebody else, and of something else': attack_signatures,
  'one who tracks all that he may and does not read': attack_by_not_reading,
};

// One node for all of them, beside whose chat they go.
async function open_world(program) {
  const backend = await PollBackend.start();
  const node = await Node.start(CONFIG(backend.url), { shards: 2, program });
  return { backend, node, chat: await Chat.open(node), rss_kib: node.rss_kib() };
}

export function add_keyed(report, program) {
  let opening = null;
  for (const [name, attack] of Object.entries(ATTACKS)) {
    // A map is to be read within a second.
    report.test(name, { ms_max: 5 * WAIT_MS_MAX, still_ms_max: 300 }, async (context) => {
      opening ??= open_world(program);
      const { backend, node, chat } = await opening;
      await attack(context, node, backend);
      await chat.check();
    });
  }
  report.test('keys that meant harm leave nothing behind', { ms_max: 5 * WAIT_MS_MAX }, async () => {
    opening ??= open_world(program);
    const { backend, node, chat, rss_kib } = await opening;
    await chat.close();
    await eventually(async () => (await node.metric('roost_shared_poll_num_tracked')) === 0,
      'nothing to be tracked');
    check(program || node.rss_kib() < rss_kib + 64 * 1024,
      `${rss_kib} KiB before, ${node.rss_kib()} KiB after`);
    await node.stop_cleanly();
    await backend.stop();
  });
}
