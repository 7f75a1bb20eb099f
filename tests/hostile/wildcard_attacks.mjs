// SPDX-License-Identifier: Apache-2.0
// Wildcards that one may not subscribe to, and names that have as many of them as a name can have.
import { RawClient } from '../conformance/support/client.mjs';
import { Node } from '../conformance/support/node.mjs';
import { check, check_equal, eventually } from '../conformance/support/report.mjs';

const OPEN = {
  allow_subscribe_for_client: true, allow_subscribe_for_anonymous: true,
  allow_publish_for_client: true, allow_publish_for_anonymous: true,
};
const CONFIG = {
  client: { allow_anonymous_connect_without_token: true, channel_limit: 1000 },
  channel: {
    without_namespace: { ...OPEN, wildcard_max_depth: 8 },
    namespaces: [{ name: 'shut', ...OPEN, wildcard_max_depth: 8, allow_user_limited_channels: true }],
  },
};
const WILDCARDS = [
  '*', 'a.*', '$*', 'shut:*', '$shut:*', 'shut:a.*', 'shut:.*', 'shut:*.*', 'shut:..*', `shut:${'a.'.repeat(100)}*`,
  `${'.'.repeat(254)}*`,
];
const OF_USERS = ['shut:a#*', 'shut:#*', 'shut:*#', 'shut:a#b.*'];
const DEEP = [`shut:${'a.'.repeat(120)}a`, '.'.repeat(255), `shut:${'.'.repeat(250)}`, 'shut:*.*.*.x', 'shut:*x'];

// Who may subscribe to every channel, and to no wildcard, tries them all.
export function add_wildcards(report, program) {
  report.test('who has no permission for wildcards hears none', async (context) => {
    const node = await Node.start(CONFIG, { shards: 2, program });
    context.defer(() => node.stop_cleanly());
    const raw = await RawClient.connected(context, node);
    let id = 10;
    const asks = async (method, channel, more = {}) => {
      id += 1;
      return (await raw.call({ id, [method]: { channel, ...more } })).error?.code ?? 0;
    };
    for (const channel of WILDCARDS) {
      check([102, 103].includes(await asks('subscribe', channel)), `subscribed to ${channel}`);
      check([102, 107].includes(await asks('publish', channel, { data: {} })), `published into ${channel}`);
    }
    for (const channel of OF_USERS) {
      check_equal(await asks('subscribe', channel), 103, channel);
    }
    for (const channel of DEEP) {
      check_equal(await asks('publish', channel, { data: {} }), 0, channel);
    }
    await eventually(async () => (await node.metric('roost_wildcard_publications_passed_on')) > 0
      && (await node.metric('roost_wildcard_channels_passed_on_to')) === 0, 'all to be passed on');
    check_equal(await asks('presence', 'a'), 108, 'the next line is no push');
    const passed_on = await node.metric('roost_wildcard_publications_passed_on');
    check(passed_on <= 8 * DEEP.length, `${passed_on} were passed on`);
    check_equal(await node.metric('roost_wildcard_publications_lost'), 0, 'lost');
  });
}
