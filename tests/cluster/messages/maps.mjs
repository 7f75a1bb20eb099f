// SPDX-License-Identifier: Apache-2.0
// Maps of a cluster: whichever node is asked, it is the same map; also after its home has moved.
import { event_of, open_user, unique } from '../../conformance/support/client.mjs';
import { follow, has_map } from '../../conformance/support/maps.mjs';
import { check, check_equal, eventually } from '../../conformance/support/report.mjs';

const CHANNELS = 12; // Names enough that every node is home of some.
const KEYS = 30;
const MODES = ['mape', 'mapr', 'mapp'];

const MAP = { subscription_type: 'map', allow_subscribe_for_client: true };

export const MAP_NAMESPACES = [
  { name: 'mape', ...MAP, map: { mode: 'ephemeral', key_ttl: '300s', min_page_size: 4 } },
  { name: 'mapr', ...MAP, map: { mode: 'recoverable', key_ttl: '300s', stream_ttl: '300s', min_page_size: 4 } },
  { name: 'mapp', ...MAP, map: { mode: 'persistent', stream_ttl: '300s', min_page_size: 4 } },
  { name: 'seen', ...MAP, map: { mode: 'persistent' }, map_clients_presence_channel_prefix: 'mapwho:' },
  { name: 'mapwho', ...MAP, subscription_type: 'map_clients', map: { mode: 'ephemeral', key_ttl: '60s' } },
  { name: 'brief', subscription_type: 'map', map: { mode: 'recoverable', key_ttl: '2s' } },
];

function channels_of(prefix, count = CHANNELS) {
  const name = unique(prefix);
  return Array.from({ length: count }, (_, i) => `${name}-${i}`);
}

function key_of(n) {
  return `key-${String(n).padStart(3, '0')}`;
}

// All of a map, by pages.
async function state_of(node, channel, limit = 7) {
  const entries = [];
  let page = await node.api_result('map_read_state', { channel, limit });
  const { epoch } = page;
  for (;;) {
    entries.push(...(page.entries ?? []));
    if (page.cursor === undefined) {
      return Object.fromEntries(entries.map(({ key, data }) => [key, data]));
    }
    page = await node.api_result('map_read_state', { channel, limit, cursor: page.cursor, revision_epoch: epoch });
  }
}

async function fill(nodes, channel) {
  const wanted = {};
  for (let n = 0; n < KEYS; n += 1) {
    await nodes[n % nodes.length].api_result('map_publish', { channel, key: key_of(n), data: { n } });
    wanted[key_of(n)] = { n };
  }
  await nodes[0].api_result('map_remove', { channel, key: key_of(3) });
  await nodes[1].api_result('map_publish', { channel, key: key_of(5), data: 'new' });
  delete wanted[key_of(3)];
  wanted[key_of(5)] = 'new';
  return wanted;
}

function add_same(report, nodes) {
  for (const mode of MODES) {
    report.test(`a map is the same on all nodes: ${mode}`, async () => {
      for (const channel of channels_of(`${mode}:same`)) {
        const wanted = await fill(nodes, channel);
        for (const node of nodes.slice(0, 3)) {
          check_equal(await state_of(node, channel), wanted, 'the state');
          check_equal((await node.api_result('map_stats', { channel })).num_keys, KEYS - 1, 'keys');
        }
      }
    });
  }
}

function add_answers(report, nodes) {
  report.test('what changes nothing in a map says why, from any node', async () => {
    for (const channel of channels_of('mapp:why')) {
      const [a, b, c] = nodes;
      const set = (node, more) => node.api_result('map_publish', { channel, key: 'k', data: 1, ...more });
      await set(a, { version: 7, idempotency_key: 'once' });
      check_equal((await set(b, { version: 7 })).suppress_reason, 'version', 'version');
      check_equal((await set(c, { key_mode: 'if_new' })).suppress_reason, 'key_exists', 'if_new');
      check_equal((await set(b, { key: 'x', key_mode: 'if_exists' })).suppress_reason, 'key_not_found', 'if_exists');
      check_equal((await set(c, { idempotency_key: 'once' })).suppress_reason, 'idempotency', 'once');
      const { suppressed } = await b.api_result('map_remove', { channel, key: 'x' });
      check_equal(suppressed, true, 'a removal of nothing');
    }
  });

  report.test('the stream of a map is read from any node, and ends with it', async () => {
    for (const channel of channels_of('mapr:stream', 6)) {
      const [a, b, c] = nodes;
      await a.api_result('map_publish', { channel, key: 'k', data: 1, tags: { t: '1' }, score: -7 });
      await b.api_result('map_remove', { channel, key: 'k' });
      const { entries, epoch } = await c.api_result('map_read_stream', { channel, limit: 10 });
      entries.forEach((entry) => { check(entry.time > 1e12, 'its time'); delete entry.time; });
      check_equal(entries, [{ key: 'k', data: 1, tags: { t: '1' }, offset: 1, score: -7 },
        { key: 'k', tags: { t: '1' }, offset: 2, removed: true }], 'both changes');
      await c.api_result('map_clear', { channel });
      check_equal((await a.api('map_read_stream', { channel, limit: 1, since_offset: 1, since_epoch: epoch }))
        .error.code, 112, 'it has begun anew');
    }
  });

  report.test('keys of a map end in time', async () => {
    const channels = channels_of('brief:ends', 6);
    for (const channel of channels) {
      await nodes[0].api_result('map_publish', { channel, key: 'k', data: 1 });
    }
    await eventually(async () => {
      const stats = await Promise.all(channels.map((channel) => nodes[1].api_result('map_stats', { channel })));
      return stats.every(({ num_keys }) => num_keys === undefined);
    }, 'no keys');
    for (const channel of channels) {
      const { entries } = await nodes[2].api_result('map_read_stream', { channel, limit: 10 });
      check_equal(entries.map(({ removed }) => removed === true), [false, true], 'the end is told');
    }
  });
}

// Clients of each node that come while keys change on another.
function add_followed(report, nodes) {
  for (const mode of MODES) {
    report.test(`a map is followed from all nodes: ${mode}`, async (context) => {
      for (const channel of channels_of(`${mode}:followed`, 4)) {
        await fill(nodes, channel);
        const followers = [];
        for (const [i, node] of nodes.slice(0, 3).entries()) {
          followers.push(follow(await open_user(context, node, `map-${i}`), channel, { pageSize: 4 }));
          for (let n = 0; n < KEYS; n += 1) {
            const key = key_of((n * 11) % (KEYS + 10));
            const writer = nodes[(i + n) % 3];
            await (n % 4 === 3 ? writer.api_result('map_remove', { channel, key })
              : writer.api_result('map_publish', { channel, key, data: { i, n } }));
          }
        }
        const wanted = await state_of(nodes[1], channel);
        for (const follower of followers) {
          await event_of(follower.events, 'subscribed');
          await has_map(follower, wanted);
        }
      }
    });
  }

  report.test('who is subscribed on one node is a key on the others', async (context) => {
    for (const channel of channels_of('seen:by', 6)) {
      const watchers = [];
      for (const [i, node] of nodes.slice(0, 2).entries()) {
        watchers.push(follow(await open_user(context, node, `w-${i}`), `mapwho:${channel}`, { clients: true }));
        await event_of(watchers[i].events, 'subscribed');
      }
      const client = await open_user(context, nodes[2], 'seen');
      await event_of(follow(client, channel).events, 'subscribed');
      for (const { map } of watchers) {
        await eventually(() => Object.keys(map).join() === client.id, 'its key');
      }
      client.disconnect();
      for (const { map } of watchers) {
        await eventually(() => Object.keys(map).length === 0, 'no key');
      }
    }
  });
}

// Before homes move; what it returns adds the test that the maps are the same after it.
export function add_maps(report, nodes) {
  const wanted = new Map();
  add_same(report, nodes);
  add_answers(report, nodes);
  add_followed(report, nodes);
  const followers = [];
  report.test('maps are filled', async () => {
    const lasting = { defer() {} }; // Beyond this case.
    const clients = [await open_user(lasting, nodes[0], 'map-a'), await open_user(lasting, nodes[1], 'map-b')];
    for (const channel of MODES.flatMap((mode) => channels_of(`${mode}:moves`))) {
      wanted.set(channel, await fill(nodes, channel));
      followers.push(follow(clients[followers.length % 2], channel));
    }
    await Promise.all(followers.map(({ events }) => event_of(events, 'subscribed')));
  });
  return () => report.test('maps have moved with their keys', async () => {
    check(wanted.size > 0, 'there are some');
    for (const [channel, state] of wanted) {
      check_equal(await state_of(nodes[1], channel), state, channel);
      const { offset = 0 } = await nodes[2].api_result('map_publish', { channel, key: 'later', data: 1 });
      check_equal(offset, channel.startsWith('mape') ? 0 : KEYS + 3, 'it goes on');
    }
    for (const follower of followers) {
      await has_map(follower, { ...wanted.get(follower.channel), later: 1 });
      follower.events.forEach(([name]) => check(name !== 'error', 'it has noticed'));
    }
    followers.forEach((follower) => follower.unsubscribe());
  });
}
