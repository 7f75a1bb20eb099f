// SPDX-License-Identifier: Apache-2.0
// What only some subscribers are sent is made on their own node: deltas, what a filter lets pass,
// batches, publications without their echo. A home elsewhere must not be noticed.
import { cut, event_of, open_user, publications_of, subscribed, unique,
} from '../../conformance/support/client.mjs';
import { check, check_equal, eventually } from '../../conformance/support/report.mjs';

const CHANNELS = 6; // Names enough that every node is home of some.

function channels_of(prefix) {
  const name = unique(prefix);
  return Array.from({ length: CHANNELS }, (_, i) => `${name}-${i}`);
}

function data_of(subscription) {
  return publications_of(subscription).map(({ data }) => data);
}

// Documents that share most with the one before.
function documents_of(count) {
  return Array.from({ length: count }, (_, n) => ({ n,
    words: Array.from({ length: 30 }, (_unused, i) => `word ${i}${i === n % 30 ? ` of ${n}` : ''}`) }));
}

async function hear_all(subscription, wanted, what) {
  await eventually(() => publications_of(subscription).length >= wanted.length, what)
    .catch(() => {});
  check_equal(data_of(subscription), wanted, what);
}

function add_deltas(report, nodes) {
  report.test('deltas are told on any node, whoever is home, and after an interruption', async (context) => {
    const documents = documents_of(24);
    await Promise.all(channels_of('part:delta').map(async (channel) => {
      const clients = await Promise.all(nodes.slice(0, 3).map((node) => open_user(context, node, 'd')));
      const subs = await Promise.all(clients.map((client) => (
        subscribed(client, channel, { delta: 'fossil' }))));
      for (const [i, data] of documents.entries()) {
        await nodes[i % 3].api_result('publish', { channel, data });
        if (i === 11) {
          await eventually(() => data_of(subs[0]).length === 12, 'the first half');
          cut(clients[0]);
        }
      }
      for (const sub of subs) {
        await hear_all(sub, documents, `all of ${channel}`);
      }
      const stats = subs[1].deltaStats();
      check(stats.numDeltaPayloads >= 20, `${stats.numDeltaPayloads} deltas of ${documents.length}`);
    }));
  });
}

function add_filters(report, nodes) {
  report.test('a filter lets pass the same on any node', async (context) => {
    await Promise.all(channels_of('part:tags').map(async (channel) => {
      const open = async (node, options) => subscribed(await open_user(context, node, 'f'), channel,
        options);
      const tagsFilter = { key: 'team', cmp: 'eq', val: 'red' };
      const filtered = await Promise.all(nodes.slice(0, 3).map((node) => open(node, { tagsFilter })));
      const plain = await open(nodes[1]);
      for (let n = 0; n < 12; n += 1) {
        await nodes[n % 3].api_result('publish', { channel, data: n,
          tags: { team: n % 4 === 0 ? 'red' : 'blue' } });
      }
      await hear_all(plain, Array.from({ length: 12 }, (_, n) => n), 'all');
      for (const sub of filtered) {
        await hear_all(sub, [0, 4, 8], 'the red ones');
      }
    }));
  });
}

function add_batches(report, nodes) {
  report.test('batches and latest values leave on any node', async (context) => {
    await Promise.all(channels_of('x').map(async (name) => {
      const open = async (node, channel) => subscribed(await open_user(context, node, 'b'), channel);
      const batched = await Promise.all(nodes.slice(0, 3).map((node) => open(node, `batch:${name}`)));
      const latest = await Promise.all(nodes.slice(0, 3).map((node) => open(node, `latest:${name}`)));
      const numbers = Array.from({ length: 20 }, (_, n) => n);
      await Promise.all(['batch', 'latest'].map((kind) => nodes[2].api_result('batch', {
        commands: numbers.map((data) => ({ publish: { channel: `${kind}:${name}`, data } })) })));
      for (const sub of batched) {
        await hear_all(sub, numbers, 'all, in order');
      }
      for (const sub of latest) {
        await eventually(() => data_of(sub).at(-1) === 19, 'the latest');
        check(data_of(sub).length < 20, `${data_of(sub).length} values of 20`);
      }
    }));
  });
}

function add_echoes(report, nodes) {
  report.test('who publishes does not hear itself, others on its node and elsewhere do', async (context) => {
    await Promise.all(channels_of('mute:x').map(async (channel) => {
      const all = [nodes[0], nodes[0], nodes[1], nodes[2]];
      const clients = await Promise.all(all.map((node) => open_user(context, node, 'e')));
      const subs = await Promise.all(clients.map((client) => subscribed(client, channel)));
      await clients[0].publish(channel, 'mine');
      await clients[3].publish(channel, 'last');
      for (const sub of subs.slice(1, 3)) {
        await hear_all(sub, ['mine', 'last'], 'both');
      }
      await event_of(subs[0].events, 'publication');
      check_equal([data_of(subs[0]), data_of(subs[3])], [['last'], ['mine']], 'those who published');
    }));
  });
}

export function add_tailored(report, nodes) {
  add_deltas(report, nodes);
  add_filters(report, nodes);
  add_batches(report, nodes);
  add_echoes(report, nodes);
}
