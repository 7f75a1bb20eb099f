// SPDX-License-Identifier: Apache-2.0
// Wildcard channels with npm centrifuge, which knows nothing of them: what was made where is in the tags.
import {
  event_of, make_token, new_subscription, open_client, open_user, publications_of, subscribed, unique,
} from '../support/client.mjs';
import { check_equal, eventually } from '../support/report.mjs';

function heard(subscription) {
  return publications_of(subscription).map(({ channel, data, tags }) => [channel, data, tags.channel]);
}

async function hears(subscription, expected) {
  await eventually(() => heard(subscription).length >= expected.length, 'the publications').catch(() => {});
  check_equal(heard(subscription), expected, `what ${subscription.channel} hears`);
}

async function refused(client, channel, code, options) {
  const subscription = new_subscription(client, channel, options);
  subscription.subscribe();
  check_equal((await event_of(subscription.events, 'unsubscribed')).code, code, `the code for ${channel}`);
}

export function add_wildcards(report, node) {
  report.test('wildcard: all that begins so, in the order of each channel', async (context) => {
    const top = unique('wild:');
    const client = await open_client(context, node);
    const all = await subscribed(client, 'wild:*');
    const some = await subscribed(client, `${top}.*`);
    const other = await subscribed(await open_client(context, node), `${unique('wild:')}.*`);
    const expected = [];
    for (let i = 0; i < 40; i += 1) {
      const channel = `${top}.${i % 2 === 0 ? 'a' : 'b.c'}`;
      await node.api_result('publish', { channel, data: i, tags: { channel: 'a lie' } });
      expected.push([`${top}.*`, i, channel]);
    }
    await node.api_result('publish', { channel: top, data: 'not below it' });
    await client.publish(`${top}.a`, 'mine');
    expected.push([`${top}.*`, 'mine', `${top}.a`]);
    await eventually(() => heard(some).length >= expected.length, 'the publications');
    // Of two channels with homes of their own: each in its order.
    for (const channel of [`${top}.a`, `${top}.b.c`]) {
      const of = (list) => list.filter(([, , made_in]) => made_in === channel);
      check_equal(of(heard(some)), of(expected), channel);
    }
    check_equal(heard(some).length, expected.length, 'and nothing else');
    await eventually(() => heard(all).some(([, data]) => data === 'not below it'), 'the other wildcard');
    check_equal(heard(other), [], 'who listens elsewhere');
  });
  report.test('wildcard: who comes back gets what was missed', async (context) => {
    const top = unique('wildkept:');
    const user = unique('user');
    const client = await open_client(context, node, { token: make_token({ sub: user }) });
    const one = await subscribed(client, `${top}.*`);
    await node.api_result('publish', { channel: `${top}.a`, data: 0 });
    await hears(one, [[`${top}.*`, 0, `${top}.a`]]);
    await node.api_result('disconnect', { user, disconnect: { code: 3011, reason: 'force reconnect' } });
    const expected = [[`${top}.*`, 0, `${top}.a`]];
    for (let i = 1; i < 6; i += 1) {
      await node.api_result('publish', { channel: `${top}.a`, data: i });
      expected.push([`${top}.*`, i, `${top}.a`]);
    }
    const ctx = await event_of(one.events, 'subscribed', 2);
    check_equal([ctx.wasRecovering, ctx.recovered], [true, true], 'recovered');
    await hears(one, expected);
    check_equal(publications_of(one).map(({ offset }) => offset), [1, 2, 3, 4, 5, 6], 'offsets of its own');
  });
  report.test('wildcard: permissions of their own', async (context) => {
    const client = await open_client(context, node);
    await refused(client, 'wildshut:*', 103);
    await refused(client, '$wild:*', 103);
    await refused(client, 'wild:a.b.*', 102);
    await subscribed(client, 'wildshut:x');
    const ann = await open_user(context, node, 'ann');
    await refused(ann, 'wildshut:*', 103);
    const channel = 'wildshut:*';
    const bob = await open_user(context, node, 'bob');
    await subscribed(bob, channel, { token: make_token({ sub: 'bob', channel }) });
    for (const name of ['wild:*', 'wild:a.*']) {
      await client.publish(name, 1).then(() => { throw new Error(`${name} was published`); },
        ({ code }) => check_equal(code, 107, name));
      check_equal((await node.api('publish', { channel: name, data: 1 })).error.code, 107, name);
    }
  });
}
