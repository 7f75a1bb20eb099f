// SPDX-License-Identifier: Apache-2.0
// Publications that are repeated with their idempotency keys, also after the homes of their channels have moved.
import { open_user, publications_of, subscribed, unique } from '../../conformance/support/client.mjs';
import { check, check_equal, eventually } from '../../conformance/support/report.mjs';

const CHANNELS = 16; // Names enough that some move.

function channels_of(prefix) {
  const name = unique(prefix);
  return Array.from({ length: CHANNELS }, (_, i) => `${name}-${i}`);
}

function publish(node, channel) {
  return node.api_result('publish', { channel, data: 'once', idempotency_key: 'key' });
}

async function suppressed(nodes) {
  const counts = await Promise.all(nodes.map((node) =>
    node.metric('roost_broker_publish_suppressed_count', 'reason="idempotency"')));
  return counts.reduce((sum, count) => sum + count, 0);
}

// Homes move between this test and the one that what it returns adds.
export function add_once(report, cluster, how) {
  const answers = new Map();
  const lasting = { defer() {} }; // Beyond this case.
  let wild;
  let nobody;
  let sub;
  report.test(`publications have keys, before ${how}`, async () => {
    const [first, second] = cluster.running;
    wild = unique('wild:once');
    nobody = channels_of('once');
    sub = await subscribed(await open_user(lasting, first, 'once'), `${wild}.*`);
    const heard = Array.from({ length: CHANNELS }, (_, i) => `${wild}.${i}`);
    for (const channel of [...channels_of('kept:once'), ...nobody, ...heard]) {
      answers.set(channel, await publish(second, channel));
    }
  });
  return () => report.test(`a publication is known by its key, after ${how}`, async () => {
    const nodes = cluster.running;
    check(answers.size > 0, 'there are some');
    const before = await suppressed(nodes);
    for (const [channel, answer] of answers) {
      for (const node of nodes) {
        check_equal(await publish(node, channel), answer, channel);
      }
    }
    check_equal(await suppressed(nodes) - before, answers.size * nodes.length, 'all are known');
    for (let i = 0; i < CHANNELS; i += 1) {
      await nodes[0].api_result('publish', { channel: `${wild}.${i}`, data: 'after' });
    }
    const heard = () => publications_of(sub).map(({ data, tags }) => `${data} ${tags.channel}`);
    const is_whole = () => heard().filter((text) => text.startsWith('after')).length === CHANNELS;
    await eventually(is_whole, 'all of the wildcard');
    const wanted = Array.from({ length: CHANNELS }, (_, i) => [`after ${wild}.${i}`, `once ${wild}.${i}`]).flat();
    check_equal(heard().sort(), wanted.sort(), 'each once');
    sub.unsubscribe();
  });
}
