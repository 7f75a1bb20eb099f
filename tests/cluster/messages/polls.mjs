// SPDX-License-Identifier: Apache-2.0
// Shared polls of a cluster: each node asks for what its own clients track, and what the server API says of a key
// reaches those who track it on all nodes.
import { open_client, unique } from '../../conformance/support/client.mjs';
import { POLL_KEY, PollBackend, tracker, updates_of } from '../../conformance/support/polls.mjs';
import { check_equal, eventually } from '../../conformance/support/report.mjs';
import { CONFIG } from './cluster.mjs';

const POLL_NAMESPACES = [{
  name: 'polled',
  subscription_type: 'shared_poll',
  allow_subscribe_for_client: true,
  allow_subscribe_for_anonymous: true,
  shared_poll: { proxy_name: 'polls', mode: 'versioned', refresh_interval: '200ms', publish_enabled: true },
}];

// Before the nodes: they are told where it is.
export async function start_polls() {
  const backend = await PollBackend.start();
  return {
    backend,
    config: {
      shared_poll: { hmac_secret_key: POLL_KEY },
      proxies: [{ name: 'polls', endpoint: `${backend.url}/refresh` }],
      channel: { namespaces: [...CONFIG.channel.namespaces, ...POLL_NAMESPACES] },
    },
  };
}

async function trackers_of_all(context, nodes, channel, key) {
  const subs = [];
  for (const node of nodes) {
    const sub = await tracker(await open_client(context, node), channel);
    sub.track([key]);
    subs.push(sub);
  }
  return subs;
}

async function are_told(subs, wanted) {
  await eventually(() => subs.every((sub) => updates_of(sub).length >= wanted.length), 'all are told');
  subs.forEach((sub) => check_equal(updates_of(sub), wanted, 'the same'));
}

export function add_polls(report, nodes, backend) {
  report.test('what a backend says of a key reaches its trackers on all nodes', async (context) => {
    const channel = unique('polled:all');
    const key = unique('k');
    backend.items.set(key, { data: 'one', version: 1 });
    const subs = await trackers_of_all(context, nodes, channel, key);
    await are_told(subs, [[key, 1, 'one']]);
    backend.items.set(key, { data: 'two', version: 2 });
    await are_told(subs, [[key, 1, 'one'], [key, 2, 'two']]);
  });

  report.test('what the server API says of a key does, too, from any node', async (context) => {
    for (let i = 0; i < 6; i += 1) {
      const channel = unique('polled:api');
      const key = unique('k');
      const subs = await trackers_of_all(context, nodes, channel, key);
      await eventually(() => backend.asked.filter((each) => each.channel === channel).length >= nodes.length,
        'all nodes have asked');
      const wanted = [];
      for (const [n, node] of nodes.entries()) {
        await node.api_result('shared_poll_publish', { channel, key, data: { n }, version: n + 1 });
        wanted.push([key, n + 1, { n }]);
      }
      await are_told(subs, wanted);
    }
  });
}
