// SPDX-License-Identifier: Apache-2.0
// Deltas and tags filters with npm centrifuge: its fossil implementation puts together what we tell it in parts.
import {
  event_of, make_token, open_client, publications_of, subscribed, unique,
} from '../support/client.mjs';
import { check, check_equal, eventually } from '../support/report.mjs';

// Numbers from a seed, so that a case that fails fails again.
function random_of(seed) {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

const WORDS = ['price', 'room', 'улица', 'дом', '日本', '€', '😀', '"', '\\', '\n', '\u2028', '\u007f', ''];

// A document that shares most with the one before it.
function changed(random, document) {
  const next = structuredClone(document);
  const words = next.words;
  for (let i = random(3); i >= 0; i--) {
    const word = WORDS[random(WORDS.length)].repeat(1 + random(3));
    const at = random(words.length + 1);
    words.splice(at, random(2), word);
  }
  next.n += 1;
  return next;
}

const START = { n: 0, words: Array.from({ length: 20 }, (_, i) => `word ${i}`), nested: { deep: [1, 2.5, null] } };

async function told(subscription, documents) {
  await eventually(() => publications_of(subscription).length >= documents.length,
    `${documents.length} publications`).catch(() => {});
  check_equal(publications_of(subscription).map(({ data }) => data), documents, 'the publications');
}

function add_deltas(report, node) {
  report.test('delta: random documents arrive as they were published', async (context) => {
    const channel = unique('delta:');
    const random = random_of(7);
    const one = await subscribed(await open_client(context, node), channel, { delta: 'fossil' });
    const plain = await subscribed(await open_client(context, node), channel);
    const documents = [];
    let document = START;
    for (let i = 0; i < 200; i++) {
      document = changed(random, document);
      documents.push(document);
      await node.api_result('publish', { channel, data: document });
    }
    await told(one, documents);
    await told(plain, documents);
    const stats = one.deltaStats();
    check(stats.numDeltaPayloads > 150, `${stats.numDeltaPayloads} deltas of 200`);
    check(stats.bytesReceived * 2 < stats.bytesDecoded,
      `${stats.bytesReceived} bytes for ${stats.bytesDecoded}`);
  });
  report.test('delta: publications that leave together', { one_stream: true }, async (context) => {
    const channel = unique('delta:');
    const random = random_of(8);
    const publisher = await open_client(context, node);
    const one = await subscribed(await open_client(context, node), channel, { delta: 'fossil' });
    const documents = [];
    let document = START;
    for (let i = 0; i < 100; i++) {
      document = changed(random, document);
      documents.push(document);
    }
    await Promise.all(documents.map((data) => publisher.publish(channel, data)));
    await told(one, documents);
    check(one.deltaStats().numDeltaPayloads > 70, 'deltas');
  });
  report.test('delta: who is disconnected under publishing has all of it', async (context) => {
    const channel = unique('delta:');
    const user = unique('user');
    const random = random_of(9);
    const client = await open_client(context, node, { token: make_token({ sub: user }) });
    const one = await subscribed(client, channel, { delta: 'fossil' });
    const other = await subscribed(await open_client(context, node), channel, { delta: 'fossil' });
    const documents = [];
    let document = START;
    for (let round = 0; round < 8; round++) {
      const publish = async () => {
        for (let i = 0; i < 8; i++) {
          document = changed(random, document);
          documents.push(document);
          await node.api_result('publish', { channel, data: document });
        }
      };
      const publishing = publish();
      await node.api_result('disconnect', { user, disconnect: { code: 3011, reason: 'force reconnect' } });
      await publishing;
      await event_of(one.events, 'subscribed', round + 2);
    }
    await told(one, documents);
    await told(other, documents);
  });
  report.test('delta: in cache mode, automatically', async (context) => {
    const channel = unique('dcache:');
    const random = random_of(10);
    let document = changed(random, START);
    const documents = [document];
    await node.api_result('publish', { channel, data: document, delta: true });
    const one = await subscribed(await open_client(context, node), channel, { delta: 'fossil' });
    for (let i = 0; i < 5; i++) {
      document = changed(random, document);
      documents.push(document);
      await node.api_result('publish', { channel, data: document, delta: true });
    }
    await told(one, documents);
    check(one.deltaStats().numDeltaPayloads >= 4, 'deltas');
  });
  report.test('delta: where it is not allowed all is plain', async (context) => {
    const channel = unique('stream:');
    const one = await subscribed(await open_client(context, node), channel, { delta: 'fossil' });
    await node.api_result('publish', { channel, data: START, delta: true });
    await node.api_result('publish', { channel, data: START, delta: true });
    await told(one, [START, START]);
    check_equal(one.deltaStats().numPublications, 0, 'publications under delta');
  });
}

const RED = { key: 'colour', cmp: 'eq', val: 'red' };

function add_filters(report, node) {
  const publish = (channel, n, tags) => node.api_result('publish', { channel, data: { n }, tags });
  const numbers = (subscription) => publications_of(subscription).map(({ data }) => data.n);

  report.test('filter: what passes comes, live and recovered', async (context) => {
    const channel = unique('tags:');
    const client = await open_client(context, node);
    const one = await subscribed(client, channel, { tagsFilter: RED });
    const some = await subscribed(await open_client(context, node), channel, {
      tagsFilter: { op: 'and', nodes: [{ op: 'not', nodes: [RED] }, { key: 'size', cmp: 'gt', val: '2.5' }] },
    });
    const all = await subscribed(await open_client(context, node), channel);
    for (let n = 1; n <= 6; n++) {
      await publish(channel, n, { colour: n % 2 ? 'red' : 'blue', size: `${n}.0` });
    }
    await eventually(() => numbers(all).length === 6 && numbers(one).length >= 3
      && numbers(some).length >= 2, 'all');
    check_equal(numbers(one), [1, 3, 5], 'the red ones');
    check_equal(numbers(some), [4, 6], 'the large ones that are not');
    client.disconnect();
    for (let n = 7; n <= 9; n++) {
      await publish(channel, n, { colour: n % 2 ? 'red' : 'blue' });
    }
    client.connect();
    const ctx = await event_of(one.events, 'subscribed', 2);
    check_equal([ctx.wasRecovering, ctx.recovered], [true, true], 'the recovery');
    await publish(channel, 10, { colour: 'red' });
    await eventually(() => numbers(one).length === 6, 'the rest').catch(() => {});
    check_equal(numbers(one), [1, 3, 5, 7, 9, 10], 'the red ones');
  });
  report.test('filter: one that is malformed, or not allowed', async (context) => {
    const client = await open_client(context, node);
    for (const [channel, tagsFilter] of [
      [unique('stream:'), RED],
      [unique('tags:'), { key: 'colour', cmp: 'like', val: 'red' }],
      [unique('tags:'), { op: 'and', nodes: [] }],
    ]) {
      const subscription = client.newSubscription(channel, { tagsFilter });
      const refused = new Promise((resolve) => subscription.on('unsubscribed', resolve));
      subscription.subscribe();
      check_equal((await refused).code, 107, JSON.stringify(tagsFilter));
    }
  });
}

export function add_tailored(report, node) {
  add_deltas(report, node);
  add_filters(report, node);
}
