// SPDX-License-Identifier: Apache-2.0
// Names of channels, in namespaces that say by an expression what they may be, and in those that do not.

const OPEN = {
  allow_subscribe_for_client: true,
  allow_subscribe_for_anonymous: true,
  allow_publish_for_client: true,
  allow_publish_for_anonymous: true,
  allow_presence_for_client: true,
  allow_presence_for_anonymous: true,
  allow_history_for_client: true,
  allow_history_for_anonymous: true,
  presence: true,
  join_leave: true,
  force_push_join_leave: true,
  history_size: 5,
  history_ttl: '300s',
  force_recovery: true,
};

export const NAME_NAMESPACES = [
  { name: 'words', ...OPEN, channel_regex: '^[a-z]+(?:-\\d{2})?$' },
  { name: 'inside', ...OPEN, channel_regex: '\\bx[\\w.:\\-]y' },
  { name: 'letters', ...OPEN, channel_regex: '^[а-яё]{2,4}$' },
  { name: 'folded', ...OPEN, channel_regex: '(?i)^[A-F0-9]+$' },
  { name: 'plainly', ...OPEN },
];

const CHANNELS = [
  'words:abc', 'words:abc-12', 'words:abc-123', 'words:Abc', 'words:', '$words:abc1', 'words:a:b', 'words:abc\n',
  'inside:a x:y', 'inside:ax:y', 'inside:xéy', 'letters:ёж', 'letters:ёжики', 'letters:hi', 'folded:DeadBeef',
  'folded:xyz',
  'plainly:abc', 'plainly:é', 'é', 'nowhere:é',
];

function asked_of(channel) {
  const asked = [['publish', { data: { a: 1 } }], ['presence'], ['presence_stats'], ['history', { limit: 2 }],
    ['subscribe'], ['presence'], ['unsubscribe']];
  return asked.map(([method, more], i) => ({ on: 'a', send: { id: 2 + i, [method]: { channel, ...more } } }));
}

export function names() {
  const connect = (subs = {}) => [{ open: 'a' }, { on: 'a', send: { id: 1, connect: { subs } } }];
  return [
    ...CHANNELS.map((channel) => (
      { name: `name: ${JSON.stringify(channel)}`, steps: [...connect(), ...asked_of(channel)] })),
    ...CHANNELS.filter((channel) => /^(words|letters|folded|inside):/.test(channel)).map((channel) => (
      { name: `name: ${JSON.stringify(channel)} by the API`, steps: [
        { api: 'publish', body: { channel, data: { a: 1 } } }, { api: 'history', body: { channel, limit: 2 } },
        { api: 'presence', body: { channel } }] })),
    { name: 'name: asked for by connect',
      steps: connect({ 'words:1': {}, 'letters:ёж': {}, 'letters:x': {} }) },
  ];
}
