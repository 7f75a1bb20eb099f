// SPDX-License-Identifier: Apache-2.0
// Maps with npm centrifuge: pages, changes while they are read, recovery, deltas, presence.
import { cut, event_of, open_client, unique } from '../support/client.mjs';
import { follow, has_map, read_map } from '../support/maps.mjs';
import { check, check_equal, eventually } from '../support/report.mjs';

const LONG = 'a text that repeats itself and so makes a short difference '.repeat(3);
const OPEN = { allow_subscribe_for_client: true, allow_subscribe_for_anonymous: true };
const WRITABLE = {
  allow_publish_for_client: true,
  allow_publish_for_anonymous: true,
  allow_remove_for_client: true,
  allow_remove_for_anonymous: true,
};
const PAGED = { default_page_size: 5, min_page_size: 2, max_page_size: 20 };

function map_of(name, map, more = {}) {
  return { name, ...OPEN, subscription_type: 'map', map: { ...WRITABLE, ...PAGED, ...map }, ...more };
}

const FOSSIL = { allowed_delta_types: ['fossil'], delta_publish: true };

export const MAP_NAMESPACES = [
  map_of('mape', { mode: 'ephemeral', key_ttl: '60s' }, FOSSIL),
  map_of('mapr', { mode: 'recoverable', key_ttl: '60s', stream_size: 1000 }, FOSSIL),
  map_of('mapp', { mode: 'persistent', stream_size: 10 }, FOSSIL),
  map_of('mapt', { mode: 'persistent' }, { allow_tags_filter: true }),
  map_of('mapown', { mode: 'ephemeral', key_ttl: '60s', client_key: 'client_id', remove_client_on_unsubscribe: true }),
  map_of('mapseen', { mode: 'ephemeral', key_ttl: '60s' }, { map_clients_presence_channel_prefix: 'mapwho:' }),
  { name: 'mapwho', ...OPEN, subscription_type: 'map_clients', map: { mode: 'ephemeral', key_ttl: '60s' } },
  map_of('mapbrief', { mode: 'ephemeral', key_ttl: '1s' }),
];

function set(node, channel, key, data, more = {}) {
  return node.api_result('map_publish', { channel, key, data, ...more });
}

async function fill(node, channel, count) {
  for (let n = 0; n < count; n += 1) {
    await set(node, channel, `key ${String(n).padStart(3, '0')}`, { n, LONG });
  }
}

// One who keeps writing until it is stopped.
function start_writing(node, channel, keys) {
  let is_on = true;
  const writing = (async () => {
    for (let n = 0; is_on; n += 1) {
      const key = `key ${String((n * 7) % keys).padStart(3, '0')}`;
      if (n % 5 === 4) {
        await node.api_result('map_remove', { channel, key });
      } else {
        await set(node, channel, key, { written: n, LONG });
      }
    }
  })();
  return async () => {
    is_on = false;
    await writing;
  };
}

function add_following(report, node) {
  for (const mode of ['mape', 'mapr', 'mapp']) {
    for (const delta of [undefined, 'fossil']) {
      const name = `${mode} ${delta ?? 'whole'}`;
      report.test(`map: whoever comes, goes and is cut off has all of it: ${name}`, async (context) => {
        const channel = unique(`${mode}:`);
        await fill(node, channel, 30);
        const stop = start_writing(node, channel, 40);
        context.defer(stop);
        const followers = [];
        for (let i = 0; i < 4; i += 1) {
          const client = await open_client(context, node);
          followers.push(Object.assign(follow(client, channel, { pageSize: 4 + i, delta }), { client }));
          await event_of(followers[i].events, 'subscribed');
        }
        cut(followers[0].client);
        followers[1].unsubscribe();
        await event_of(followers[0].client.events, 'connected', 2);
        followers[1].subscribe();
        await event_of(followers[1].events, 'subscribed', 2);
        await event_of(followers[0].events, 'subscribed', 2);
        await stop();
        const wanted = await read_map(node, channel);
        for (const follower of followers) {
          await has_map(follower, wanted);
        }
      });
    }
  }
}

function add_commands(report, node) {
  report.test('map: clients set and remove keys', async (context) => {
    const channel = unique('mapr:');
    const one = follow(await open_client(context, node), channel);
    const other = follow(await open_client(context, node), channel);
    await event_of(one.events, 'subscribed');
    await one.publish('a', { x: 1 });
    await one.publish('b', { y: 2 });
    await has_map(other, { a: { x: 1 }, b: { y: 2 } });
    await one.remove('a');
    await has_map(other, { b: { y: 2 } });
    await has_map(one, { b: { y: 2 } });
  });

  report.test('map: a key of the client\'s own goes with it', async (context) => {
    const channel = unique('mapown:');
    const client = await open_client(context, node);
    const one = follow(client, channel);
    const other = follow(await open_client(context, node), channel);
    await event_of(one.events, 'subscribed');
    await one.publish('any', 1);
    await has_map(other, { [client.id]: 1 });
    cut(client);
    await has_map(other, {});
  });

  report.test('map: keys expire', async (context) => {
    const channel = unique('mapbrief:');
    const one = follow(await open_client(context, node), channel);
    await event_of(one.events, 'subscribed');
    await set(node, channel, 'k', 'v');
    await has_map(one, { k: 'v' });
    await has_map(one, {});
  });
}

function add_recovery(report, node) {
  report.test('map: recovery brings changes, and all of it again where they are gone', async (context) => {
    const channel = unique('mapp:');
    await set(node, channel, 'a', 1);
    const one = follow(await open_client(context, node), channel);
    check_equal((await event_of(one.events, 'subscribed')).recoverable, true, 'recoverable');
    one.unsubscribe();
    await set(node, channel, 'b', 2);
    one.subscribe();
    check_equal((await event_of(one.events, 'subscribed', 2)).recovered, true, 'recovered');
    await has_map(one, { a: 1, b: 2 });
    check_equal(one.events.filter(([name]) => name === 'sync').length, 1, 'syncs');
    one.unsubscribe();
    for (let n = 0; n < 15; n += 1) {
      await set(node, channel, 'c', n);
    }
    await node.api_result('map_remove', { channel, key: 'a' });
    one.subscribe();
    await event_of(one.events, 'sync', 2);
    await has_map(one, { b: 2, c: 14 });
  });

  report.test('map: a filter holds for pages and for changes', async (context) => {
    const channel = unique('mapt:');
    for (let n = 0; n < 12; n += 1) {
      await set(node, channel, `k${n}`, n, { tags: { team: n % 2 === 0 ? 'even' : 'odd' } });
    }
    const one = follow(await open_client(context, node), channel,
      { tagsFilter: { key: 'team', cmp: 'eq', val: 'odd' } });
    await event_of(one.events, 'subscribed');
    await has_map(one, { k1: 1, k3: 3, k5: 5, k7: 7, k9: 9, k11: 11 });
    await set(node, channel, 'k1', 'one', { tags: { team: 'odd' } });
    await set(node, channel, 'k2', 'two', { tags: { team: 'even' } });
    await node.api_result('map_remove', { channel, key: 'k2' });
    await node.api_result('map_remove', { channel, key: 'k3' });
    await has_map(one, { k1: 'one', k5: 5, k7: 7, k9: 9, k11: 11 });
    check(!one.events.some(([name, ctx]) => name === 'update' && ctx.key === 'k2'), 'another was told');
  });
}

function add_map_presence(report, node) {
  report.test('map: who is subscribed, by client', async (context) => {
    const channel = unique('mapseen:');
    const watcher = follow(await open_client(context, node), `mapwho:${channel}`, { clients: true });
    await event_of(watcher.events, 'subscribed');
    const clients = [];
    for (let i = 0; i < 3; i += 1) {
      clients.push(await open_client(context, node));
      await event_of(follow(clients[i], channel).events, 'subscribed');
    }
    const keys = () => Object.keys(watcher.map).sort().join();
    await eventually(() => keys() === clients.map(({ id }) => id).sort().join(), 'all three keys');
    const told = watcher.events.filter(([name]) => name === 'update').map(([, ctx]) => ctx.info?.client);
    check_equal(told.sort(), clients.map(({ id }) => id).sort(), 'who they are');
    clients[0].disconnect();
    clients[1].disconnect();
    await eventually(() => keys() === clients[2].id, 'the third key');
  });
}

export function add_maps(report, node) {
  add_following(report, node);
  add_commands(report, node);
  add_recovery(report, node);
  add_map_presence(report, node);
}
