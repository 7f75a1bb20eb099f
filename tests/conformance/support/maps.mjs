// SPDX-License-Identifier: Apache-2.0
// Followers of maps: what an application holds that applies what npm centrifuge tells it.
import { record } from './client.mjs';
import { check_equal, eventually } from './report.mjs';

const MAP_EVENTS = ['subscribing', 'subscribed', 'unsubscribed', 'sync', 'update', 'error'];

// A subscription with `map`: its keys and their values, as the client was told them.
export function follow(client, channel, options = {}) {
  const { clients = false, ...more } = options;
  const subscription = clients ? client.newMapClientsSubscription(channel, more)
    : client.newMapSubscription(channel, more);
  subscription.map = {};
  subscription.on('sync', ({ entries }) => {
    subscription.map = Object.fromEntries(entries.map(({ key, data }) => [key, data]));
  });
  subscription.on('update', ({ key, data, removed }) => {
    if (removed) {
      delete subscription.map[key];
    } else {
      subscription.map[key] = data;
    }
  });
  subscription.events = record(subscription, MAP_EVENTS);
  subscription.subscribe();
  return subscription;
}

// All of a map, as the server API tells it.
export async function read_map(node, channel) {
  const map = {};
  let cursor;
  do {
    const page = await node.api_result('map_read_state', { channel, limit: 1000, cursor });
    for (const { key, data } of page.entries ?? []) {
      map[key] = data;
    }
    cursor = page.cursor;
  } while (cursor !== undefined && cursor !== '');
  return map;
}

function in_order(map) {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}

// Waits until the follower has exactly this.
export async function has_map(follower, wanted) {
  const text = JSON.stringify(in_order(wanted));
  await eventually(() => JSON.stringify(in_order(follower.map)) === text, 'the same map')
    .catch(() => {});
  check_equal(in_order(follower.map), in_order(wanted), 'the map that was told');
}
