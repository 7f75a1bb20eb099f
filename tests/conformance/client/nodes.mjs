// SPDX-License-Identifier: Apache-2.0
// The nodes of the client cases: one with all that channels can be allowed, and small changes.
import { Node, TOKEN_KEY, merge } from '../support/node.mjs';
import { MAP_NAMESPACES } from './maps.mjs';

const OPEN = {
  allow_subscribe_for_client: true,
  allow_subscribe_for_anonymous: true,
  allow_publish_for_client: true,
  allow_publish_for_anonymous: true,
  allow_presence_for_client: true,
  allow_presence_for_anonymous: true,
};

const HISTORY = {
  history_size: 10,
  history_ttl: '60s',
  allow_history_for_client: true,
  allow_history_for_anonymous: true,
};

// All combinations of these options, one namespace each: prefix, then a 0 or 1 for each option.
export function combinations(prefix, names, common = {}) {
  return Array.from({ length: 1 << names.length }, (_, bits) => {
    const on = names.map((_name, i) => ((bits >> i) & 1) === 1);
    return {
      name: prefix + on.map(Number).join(''),
      ...common,
      ...Object.fromEntries(names.map((name, i) => [name, on[i]])),
    };
  });
}

export const PUBLISH_OPTIONS = ['allow_publish_for_client', 'allow_publish_for_subscriber',
  'allow_publish_for_anonymous'];
export const PRESENCE_OPTIONS = ['presence', 'allow_presence_for_client',
  'allow_presence_for_subscriber', 'allow_presence_for_anonymous'];
export const SUBSCRIBE_OPTIONS = ['allow_subscribe_for_client', 'allow_subscribe_for_anonymous'];

const WILDCARDS = {
  wildcard_max_depth: 2, allow_wildcard_subscribe_for_client: true, allow_wildcard_subscribe_for_anonymous: true,
};
const SUBSCRIBABLE = { allow_subscribe_for_client: true, allow_subscribe_for_anonymous: true };

export const MAIN = {
  client: {
    allow_anonymous_connect_without_token: true,
    allowed_origins: ['https://good.example', 'https://*.trusted.example'],
    token: { hmac_secret_key: TOKEN_KEY },
    stale_close_delay: '60s',
    channel_limit: 10,
  },
  http_stream: { enabled: true },
  sse: { enabled: true },
  uni_websocket: { enabled: true },
  uni_http_stream: { enabled: true },
  uni_sse: { enabled: true },
  init: { enabled: true },
  channel: {
    max_length: 100,
    without_namespace: { ...OPEN, presence: true, join_leave: true },
    namespaces: [
      { name: 'open', ...OPEN, presence: true, join_leave: true, force_push_join_leave: true },
      { name: 'plain', ...OPEN },
      { name: 'json', ...OPEN, publication_data_format: 'json' },
      { name: 'object', ...OPEN, publication_data_format: 'json_object' },
      { name: 'binary', ...OPEN, publication_data_format: 'binary' },
      { name: 'limited', allow_user_limited_channels: true },
      { name: 'closed' },
      { name: 'named', ...OPEN, presence: true, channel_regex: '^(?:[a-zа-я]+-?)+$' },
      { name: 'stream', ...OPEN, ...HISTORY, presence: true, join_leave: true,
        force_push_join_leave: true, force_recovery: true },
      { name: 'cache', ...OPEN, ...HISTORY, force_recovery: true, force_recovery_mode: 'cache' },
      { name: 'auto', ...OPEN, ...HISTORY, force_recovery: true, force_recovery_mode: 'cache',
        auto_cache_recover: true },
      { name: 'asked', ...OPEN, ...HISTORY, allow_positioning: true, allow_recovery: true },
      { name: 'delta', ...OPEN, ...HISTORY, force_recovery: true, allowed_delta_types: ['fossil'],
        delta_publish: true },
      { name: 'dcache', ...OPEN, ...HISTORY, force_recovery: true, force_recovery_mode: 'cache',
        auto_cache_recover: true, allowed_delta_types: ['fossil'] },
      { name: 'tags', ...OPEN, ...HISTORY, force_recovery: true, allow_tags_filter: true },
      { name: 'kept', ...OPEN, history_size: 10, history_ttl: '60s' },
      { name: 'wild', ...WILDCARDS, allow_publish_for_client: true, allow_publish_for_anonymous: true },
      { name: 'wildkept', ...WILDCARDS, ...HISTORY, force_recovery: true },
      { name: 'wildshut', ...SUBSCRIBABLE, wildcard_max_depth: 2 },
      ...MAP_NAMESPACES,
      ...combinations('pub', PUBLISH_OPTIONS, SUBSCRIBABLE),
      ...combinations('pre', PRESENCE_OPTIONS, SUBSCRIBABLE),
      ...combinations('sub', SUBSCRIBE_OPTIONS),
    ],
  },
};

export function start_main(over = {}, options = {}) {
  return Node.start(merge(MAIN, over), { shards: 4, ...options });
}

// Starts a node for one case alone.
export async function start_for(context, over, options) {
  const node = await start_main(over, options);
  context.defer(() => node.stop_cleanly());
  return node;
}
