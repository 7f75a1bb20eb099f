// SPDX-License-Identifier: Apache-2.0
// Each client is told what is newer than what it has of the keys that it tracks, and nothing else.
import { event_of, open_client, unique } from '../support/client.mjs';
import { Node } from '../support/node.mjs';
import { POLL_KEY, PollBackend, poll_signature, tracker, updates_of } from '../support/polls.mjs';
import { Report, check, check_equal, eventually, sleep } from '../support/report.mjs';

const report = new Report();
const backend = await PollBackend.start();
const poll = { proxy_name: 'polls', refresh_interval: '100ms', max_keys_per_connection: 20 };
const space = { subscription_type: 'shared_poll', allow_subscribe_for_client: true,
  allow_subscribe_for_anonymous: true, allowed_delta_types: ['fossil'] };
const node = await Node.start({
  client: { allow_anonymous_connect_without_token: true },
  shared_poll: { hmac_secret_key: POLL_KEY },
  proxies: [{ name: 'polls', endpoint: `${backend.url}/refresh`, timeout: '60s' }],
  channel: { namespaces: [
    { name: 'poll', ...space, shared_poll: { ...poll, mode: 'versioned', publish_enabled: true } },
    { name: 'free', ...space, shared_poll: poll },
    { name: 'slow', ...space, shared_poll: { ...poll, mode: 'versioned', refresh_interval: '1h',
      refresh_batch_size: 3 } },
  ] },
}, { shards: 4 });

function key_of(name) {
  return unique(name);
}

async function is_told(subscription, wanted) {
  await eventually(() => updates_of(subscription).length >= wanted.length, 'what was to be told');
  check_equal(updates_of(subscription), wanted, 'what was told');
}

function add_cases() {
  report.test('a new key is told at once, and what is newer in time', async (context) => {
    const key = key_of('k');
    backend.items.set(key, { data: { v: 1 }, version: 3 });
    const sub = await tracker(await open_client(context, node), unique('poll:new'));
    sub.track([key, key_of('unknown')]);
    await is_told(sub, [[key, 3, { v: 1 }]]);
    await sleep(300);
    backend.items.set(key, { data: { v: 2 }, version: 4 });
    await is_told(sub, [[key, 3, { v: 1 }], [key, 4, { v: 2 }]]);
    backend.items.set(key, { data: null, version: 5, removed: true });
    await is_told(sub, [[key, 3, { v: 1 }], [key, 4, { v: 2 }], [key, 'removed']]);
  });

  report.test('who comes later has it at once, and is told no more than he lacks', async (context) => {
    const channel = unique('slow:later');
    const keys = Array.from({ length: 8 }, () => key_of('k'));
    keys.forEach((key, i) => backend.items.set(key, { data: i, version: i + 1 }));
    const first = await tracker(await open_client(context, node), channel);
    first.track(keys);
    await eventually(() => updates_of(first).length === 8, 'all keys');
    const asked = backend.asked.filter((each) => each.channel === channel);
    check_equal(asked.map(({ items }) => items.length), [3, 3, 2], 'batches');
    for (let i = 0; i < 4; i += 1) {
      const late = await tracker(await open_client(context, node), channel);
      late.track(keys.map((key, n) => ({ key, version: n < 6 ? n + 1 : 0 })), poll_signature(channel, keys));
      await is_told(late, [[keys[6], 7, 6], [keys[7], 8, 7]]);
    }
    check_equal(backend.asked.filter((each) => each.channel === channel).length, 3, 'no more requests');
  });

  report.test('without versions of the backend the node gives them', async (context) => {
    const key = key_of('k');
    backend.items.set(key, { data: 'a' });
    const sub = await tracker(await open_client(context, node), unique('free:v'));
    sub.track([key]);
    await eventually(() => updates_of(sub).length === 1, 'the first');
    await sleep(300);
    backend.items.set(key, { data: 'b' });
    await eventually(() => updates_of(sub).length === 2, 'the second');
    const [[, one], [, two]] = updates_of(sub);
    check(one > 0 && two > one, `versions ${one} and ${two} rise`);
  });

  report.test('deltas lead to what the backend said', async (context) => {
    const key = key_of('k');
    const text = (n) => ({ n, text: 'the same in all of them, ä and all, so that a difference is short' });
    backend.items.set(key, { data: text(1), version: 1 });
    const sub = await tracker(await open_client(context, node), unique('poll:delta'), { delta: 'fossil' });
    sub.track([key]);
    const wanted = [];
    for (let n = 1; n <= 5; n += 1) {
      backend.items.set(key, { data: text(n), version: n });
      wanted.push([key, n, text(n)]);
      await is_told(sub, wanted);
    }
    const made = (await node.metrics()).get('roost_client_deltas{outcome="made"}');
    check(made >= 4, `${made} deltas were made`);
  });

  report.test('the server API tells of a key before the backend is asked', async (context) => {
    const channel = unique('poll:api');
    const key = key_of('k');
    const subs = await Promise.all([1, 2, 3].map(async () => tracker(await open_client(context, node), channel)));
    subs.forEach((sub) => sub.track([key]));
    await eventually(() => backend.asked.some((each) => each.channel === channel), 'it is asked for');
    await node.api_result('shared_poll_publish', { channel, key, data: 'now', version: 7 });
    await Promise.all(subs.map((sub) => is_told(sub, [[key, 7, 'now']])));
  });

  report.test('signatures that are wrong or too many keys are refused', async (context) => {
    const client = await open_client(context, node);
    const channel = unique('poll:wrong');
    const sub = await tracker(client, channel, { signing: { secret: 'other' } });
    sub.track(['k']);
    check_equal((await event_of(sub.events, 'error')).error.code, 103, 'another secret');
    const many = await tracker(client, unique('poll:many'));
    many.track(Array.from({ length: 21 }, (_, i) => `k${i}`));
    check_equal((await event_of(many.events, 'error')).error.code, 106, 'too many keys');
  });

  report.test('a signature that has expired is refreshed, and the key goes on', async (context) => {
    const channel = unique('poll:expired');
    const key = key_of('k');
    backend.items.set(key, { data: 1, version: 1 });
    const sub = await tracker(await open_client(context, node), channel);
    sub.track([{ key, version: 0 }], poll_signature(channel, [key], { ttl_s: -60 }));
    await is_told(sub, [[key, 1, 1]]);
  });
}

for (const protocol of ['json', 'bytes']) {
  report.speak(protocol);
  add_cases();
}
await report.run({ concurrency: 4 });
report.speak('json');

report.test('a new epoch has clients begin anew', async (context) => {
  const channel = unique('poll:epoch');
  const key = key_of('k');
  backend.items.set(key, { data: 'old', version: 9 });
  backend.epoch = 'one';
  const sub = await tracker(await open_client(context, node), channel);
  sub.track([key]);
  await eventually(() => updates_of(sub).some(([, , data]) => data === 'old'), 'the first epoch');
  backend.items.set(key, { data: 'new', version: 1 });
  backend.epoch = 'two';
  await eventually(() => updates_of(sub).some(([, version, data]) => version === 1 && data === 'new'), 'the second');
  backend.epoch = undefined;
});

report.test('nothing is left when all have gone', async () => {
  await eventually(async () => await node.metric('roost_shared_poll_num_tracked') === 0 &&
    await node.metric('roost_shared_poll_num_channels') === 0 &&
    await node.metric('roost_shared_poll_kept_bytes') === 0, 'all gauges are zero');
});
report.test('the node ends well', () => node.stop_cleanly());
await report.run();
await backend.stop();
report.exit();
