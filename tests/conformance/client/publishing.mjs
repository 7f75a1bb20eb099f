// SPDX-License-Identifier: Apache-2.0
// Publishing by clients: who may, what arrives, and that payloads arrive as they were sent.
import {
  RawClient, event_of, open_client, open_user, publications_of, subscribed, unique,
} from '../support/client.mjs';
import { API_KEY } from '../support/node.mjs';
import { check, check_equal, check_rejected, sleep } from '../support/report.mjs';
import { PUBLISH_OPTIONS, combinations } from './nodes.mjs';

function add_permissions(report, node) {
  for (const namespace of combinations('pub', PUBLISH_OPTIONS)) {
    for (const user of ['', 'ann']) {
      for (const is_subscribed of [false, true]) {
        const known = user !== '' || namespace.allow_publish_for_anonymous;
        const allowed = known && (namespace.allow_publish_for_client
          || (namespace.allow_publish_for_subscriber && is_subscribed));
        const who = `${user || 'anonymous'}${is_subscribed ? ', subscribed,' : ''}`;
        report.test(`publish: ${who} in ${namespace.name}: ${allowed}`, async (context) => {
          const client = user ? await open_user(context, node, user)
            : await open_client(context, node);
          const channel = unique(`${namespace.name}:`);
          const subscription = is_subscribed ? await subscribed(client, channel) : null;
          if (!allowed) {
            const error = await check_rejected(client.publish(channel, 1), 'publishing');
            check_equal(error.code, 103, 'the code');
            return;
          }
          await client.publish(channel, 1);
          if (subscription) {
            const { info } = await event_of(subscription.events, 'publication');
            check_equal([info.client, info.user], [client.id, user], 'the publisher');
          }
        });
      }
    }
  }
  report.test('publish: into an unknown namespace is 102', async (context) => {
    const client = await open_client(context, node);
    check_equal((await check_rejected(client.publish('unknown:x', 1), 'it')).code, 102, 'the code');
  });
  report.test('publish: the publisher and its info come with the publication', async (context) => {
    const ann = await open_user(context, node, 'ann', { claims: { info: { name: 'Ann' } } });
    const bob = await open_client(context, node);
    const channel = unique('plain:');
    const subscription = await subscribed(bob, channel);
    await ann.publish(channel, 'hi');
    const { info, offset, channel: told } = await event_of(subscription.events, 'publication');
    check_equal(info, { client: ann.id, user: 'ann', connInfo: { name: 'Ann' } }, 'the info');
    check_equal([told, offset], [channel, undefined], 'the channel and offset');
  });
}

function add_formats(report, node) {
  // namespace -> raw data of a publish command -> is it taken?
  const cases = [
    ['plain', '1', true], ['plain', 'null', true], ['plain', '""', true],
    ['json', '{"a":[1,2,{}]}', true], ['json', '"text"', true], ['json', '0', true],
    ['object', '{"a":1}', true], ['object', '{}', true], ['object', '[1]', false],
    ['object', '"{}"', false], ['object', '1', false],
    ['binary', '"x"', true], ['binary', '{"a":1}', true],
  ];
  for (const [namespace, data, allowed] of cases) {
    report.test(`publish: ${data} into ${namespace}: ${allowed}`, async (context) => {
      const raw = await RawClient.connected(context, node);
      const channel = unique(`${namespace}:`);
      raw.send_text(`{"id":2,"publish":{"channel":"${channel}","data":${data}}}`);
      const reply = await raw.next();
      check_equal(reply.error?.code, allowed ? undefined : 107, 'the code');
    });
  }
  report.test('publish: without data is 107', async (context) => {
    const raw = await RawClient.connected(context, node);
    check_equal((await raw.call({ id: 2, publish: { channel: 'plain:x' } })).error?.code, 107,
      'the code');
  });
}

// Text of the data as it is sent -> what must be between "data": and } at the subscriber.
const PAYLOADS = {
  'numbers beyond doubles': '12345678901234567890.123456789012345678901e+400',
  'a negative zero': '-0.0e-0',
  'escapes as they were': '"\\u00e9\\/\\"\\\\\\n\\ud83d\\ude00"',
  'unicode': '"é€𐍈 \u2028\u2029 <&>"',
  'duplicate keys': '{"a":1,"a":2,"":null}',
  'spaces': '{ "a" :  [ 1 ,\t2 ] }',
  'deep nesting': `${'['.repeat(60)}1${']'.repeat(60)}`,
  'true': 'true',
  'zero': '0',
  'an empty string': '""',
  'an empty object': '{}',
  'a key named channel': '{"channel":"x","push":{"pub":{}},"id":5}',
};

function add_payloads(report, node) {
  for (const [name, data] of Object.entries(PAYLOADS)) {
    report.test(`publish: ${name} arrive as sent`, async (context) => {
      const raw = await RawClient.connected(context, node);
      const channel = unique('plain:');
      await raw.call({ id: 2, subscribe: { channel } });
      raw.send_text(`{"id":3,"publish":{"channel":"${channel}","data":${data}}}`);
      const lines = [await raw.next_line(), await raw.next_line()];
      const push = lines.find((line) => line.includes('"push"'));
      check(push.includes(`"data":${data}`), `the push is ${push}`);
    });
  }
  report.test('publish: a pretty-printed payload loses its line breaks', async (context) => {
    const raw = await RawClient.connected(context, node);
    const channel = unique('plain:');
    await raw.call({ id: 2, subscribe: { channel } });
    const data = { a: [1, { b: 'x\ny' }], c: {} };
    const body = JSON.stringify({ channel, data }, null, 2);
    const answer = await node.request('POST', '/api/publish',
      { headers: { 'X-API-Key': API_KEY }, body });
    check_equal(answer.status, 200, 'status');
    check_equal((await raw.next()).push.pub.data, data, 'the data');
  });
  report.test('publish: a big payload', async (context) => {
    const client = await open_client(context, node);
    const subscription = await subscribed(client, unique('plain:'));
    const data = { text: 'é€𐍈z'.repeat(6000) };
    await subscription.publish(data);
    check_equal((await event_of(subscription.events, 'publication')).data, data, 'the data');
  });
  report.test('publish: larger than the message limit is 1009', { one_stream: true }, async (context) => {
    const client = await open_client(context, node);
    client.publish('plain:x', 'x'.repeat(66000)).catch(() => {});
    const ctx = await event_of(client.events, 'disconnected');
    check_equal(ctx.code, 3, 'what the client makes of 1009');
    const raw = await RawClient.connected(context, node);
    raw.send_text(`{"id":2,"publish":{"channel":"plain:x","data":"${'x'.repeat(65536)}"}}`);
    check_equal(await raw.closed(), 1009, 'the code on the wire');
  });
}

function add_order(report, node) {
  report.test('publish: many in one frame arrive in order', async (context) => {
    const client = await open_client(context, node);
    const other = await open_client(context, node);
    const channel = unique('plain:');
    const subscription = await subscribed(other, channel);
    client.startBatching();
    const sent = Array.from({ length: 200 }, (_, i) => client.publish(channel, i));
    client.stopBatching();
    await Promise.all(sent);
    await event_of(subscription.events, 'publication', 200);
    check_equal(publications_of(subscription).map((ctx) => ctx.data),
      Array.from({ length: 200 }, (_, i) => i), 'the data');
  });
  report.test('publish: each subscriber gets each publication once', async (context) => {
    const clients = await Promise.all(Array.from({ length: 12 }, () => open_client(context, node)));
    const channel = unique('plain:');
    const all = await Promise.all(clients.map((client) => subscribed(client, channel)));
    await Promise.all(clients.map((client, i) => client.publish(channel, i)));
    await Promise.all(all.map((one) => event_of(one.events, 'publication', 12)));
    await sleep(50);
    const first = publications_of(all[0]).map((ctx) => ctx.data);
    check_equal([...first].sort((a, b) => a - b), Array.from({ length: 12 }, (_, i) => i), 'data');
    for (const one of all) {
      check_equal(publications_of(one).map((ctx) => ctx.data), first, 'the one order');
    }
  });
}

function add_others(report, node) {
  report.test('rpc: without a proxy is 108', async (context) => {
    const client = await open_client(context, node);
    const error = await check_rejected(client.rpc('method', {}), 'rpc');
    check_equal([error.code, error.message], [108, 'not available'], 'the error');
  });
  report.test('history: of a channel without one is 108', async (context) => {
    const client = await open_client(context, node);
    const error = await check_rejected(client.history('plain:x', { limit: 1 }), 'history');
    check_equal(error.code, 108, 'the code');
  });
  report.test('send: is 3508', async (context) => {
    const raw = await RawClient.connected(context, node);
    raw.send({ send: { data: 1 } });
    check_equal(await raw.closed(), 3508, 'the code');
  });
}

export function add_publishing(report, node) {
  add_permissions(report, node);
  add_formats(report, node);
  add_payloads(report, node);
  add_order(report, node);
  add_others(report, node);
}
