// SPDX-License-Identifier: Apache-2.0
// Wildcards over nodes: subscribers, channels and homes are anywhere.
import { open_user, publications_of, subscribed, unique } from '../../conformance/support/client.mjs';
import { check_equal, eventually } from '../../conformance/support/report.mjs';

export const WILDCARD_NAMESPACE = {
  name: 'wild', wildcard_max_depth: 2, allow_wildcard_subscribe_for_client: true,
  history_size: 1000, history_ttl: '60s', force_recovery: true,
};

function heard(subscription) {
  return publications_of(subscription).map(({ data, tags }) => `${tags.channel} ${data}`);
}

export function add_wildcards(report, nodes) {
  report.test('a wildcard hears what is published anywhere, at all nodes in one order', async (context) => {
    const top = unique('wild:');
    const subs = [];
    for (const [i, node] of nodes.entries()) {
      subs.push(await subscribed(await open_user(context, node, `w-${i}`), `${top}.*`));
    }
    const channels = Array.from({ length: 8 }, (_, i) => `${top}.${i}`);
    const texts = [];
    await Promise.all(channels.map(async (channel, i) => {
      for (let n = 0; n < 20; n += 1) {
        texts.push(`${channel} ${n}`);
        await nodes[(i + n) % nodes.length].api_result('publish', { channel, data: n });
      }
    }));
    await eventually(() => subs.every((sub) => heard(sub).length >= texts.length), 'all of it').catch(() => {});
    for (const sub of subs) {
      check_equal(heard(sub), heard(subs[0]), 'one order');
    }
    check_equal([...heard(subs[0])].sort(), [...texts].sort(), 'each once');
    for (const channel of channels) {
      check_equal(heard(subs[0]).filter((text) => text.startsWith(`${channel} `)),
        texts.filter((text) => text.startsWith(`${channel} `)), 'in the order of each channel');
    }
    check_equal(publications_of(subs[0]).map(({ offset }) => offset), texts.map((_, i) => i + 1), 'offsets');
  });
}
