// SPDX-License-Identifier: Apache-2.0
// Presence, its statistics, join and leave.
import {
  cut, event_of, open_client, open_user, subscribed, unique,
} from '../support/client.mjs';
import { check, check_equal, check_rejected, eventually, sleep } from '../support/report.mjs';
import { PRESENCE_OPTIONS, combinations } from './nodes.mjs';

function add_permissions(report, node) {
  for (const namespace of combinations('pre', PRESENCE_OPTIONS)) {
    report.test(`presence: in ${namespace.name}`, async (context) => {
      for (const user of ['', 'ann']) {
        for (const is_subscribed of [false, true]) {
          const known = user !== '' || namespace.allow_presence_for_anonymous;
          const permitted = known && (namespace.allow_presence_for_client
            || (namespace.allow_presence_for_subscriber && is_subscribed));
          const code = !namespace.presence ? 108 : permitted ? undefined : 103;
          const client = user ? await open_user(context, node, user)
            : await open_client(context, node);
          const channel = unique(`${namespace.name}:`);
          if (is_subscribed) {
            await subscribed(client, channel);
          }
          for (const call of ['presence', 'presenceStats']) {
            const error = await client[call](channel).then(() => undefined, (caught) => caught);
            check_equal(error?.code, code, `${call} of "${user}", subscribed: ${is_subscribed}`);
          }
        }
      }
    });
  }
  report.test('presence: of an unknown namespace is 102', async (context) => {
    const client = await open_client(context, node);
    check_equal((await check_rejected(client.presence('unknown:x'), 'it')).code, 102, 'presence');
    check_equal((await check_rejected(client.presenceStats('unknown:x'), 'it')).code, 102, 'stats');
  });
}

function add_contents(report, node) {
  report.test('presence: of an empty channel', async (context) => {
    const client = await open_client(context, node);
    const channel = unique('open:');
    check_equal((await client.presence(channel)).clients, {}, 'presence');
    const { numClients, numUsers } = await client.presenceStats(channel);
    check_equal([numClients, numUsers], [0, 0], 'stats');
  });
  report.test('presence: clients and users are counted', async (context) => {
    const channel = unique('open:');
    const clients = [await open_user(context, node, 'ann'), await open_user(context, node, 'ann'),
      await open_user(context, node, 'bob'), await open_client(context, node),
      await open_client(context, node)];
    await Promise.all(clients.map((client) => subscribed(client, channel)));
    const { numClients, numUsers } = await clients[0].presenceStats(channel);
    check_equal([numClients, numUsers], [5, 3], 'clients and users');
    const told = (await clients[3].presence(channel)).clients;
    check_equal(Object.keys(told).sort(), clients.map((one) => one.id).sort(), 'the clients');
    clients[0].getSubscription(channel).unsubscribe();
    await event_of(clients[0].getSubscription(channel).events, 'unsubscribed');
    await clients[0].presenceStats(channel);
    clients[2].disconnect();
    await eventually(async () => {
      const left = await clients[1].presenceStats(channel);
      return left.numClients === 3 && left.numUsers === 2;
    }, 'presence without the two that left');
  });
  report.test('presence: is gone with the unsubscribe reply', { one_stream: true }, async (context) => {
    const channel = unique('open:');
    const client = await open_client(context, node);
    const subscription = await subscribed(client, channel);
    subscription.unsubscribe();
    check_equal((await client.presenceStats(channel)).numClients, 0, 'clients');
  });
}

async function join_and_leave(context, node, leave) {
  const channel = unique('open:');
  const watcher = await open_client(context, node);
  const watched = await subscribed(watcher, channel);
  const own = await event_of(watched.events, 'join');
  check_equal(own.info, { client: watcher.id, user: '' }, 'its own join');
  const ann = await open_user(context, node, 'ann', { claims: { info: { a: 1 } } });
  const subscription = await subscribed(ann, channel);
  const joined = await event_of(watched.events, 'join', 2);
  check_equal(joined.info, { client: ann.id, user: 'ann', connInfo: { a: 1 } }, 'the join');
  leave(ann, subscription);
  const left = await event_of(watched.events, 'leave');
  check_equal(left.info, { client: ann.id, user: 'ann', connInfo: { a: 1 } }, 'the leave');
}

function add_join_leave(report, node) {
  report.test('join: own and others\', leave by unsubscribe', async (context) => {
    await join_and_leave(context, node, (_client, subscription) => subscription.unsubscribe());
  });
  report.test('join: leave by disconnect', async (context) => {
    await join_and_leave(context, node, (client) => client.disconnect());
  });
  report.test('join: leave by a cut socket', async (context) => {
    await join_and_leave(context, node, (client) => {
      client.on('connecting', () => client.disconnect());
      cut(client);
    });
  });
  report.test('join: only to those who asked, where it is not forced', async (context) => {
    const channel = unique('room');
    const asking = await subscribed(await open_client(context, node), channel, { joinLeave: true });
    const silent = await subscribed(await open_client(context, node), channel);
    const third = await open_client(context, node);
    const subscription = await subscribed(third, channel);
    await event_of(asking.events, 'join', 3);
    subscription.unsubscribe();
    await event_of(asking.events, 'leave');
    await sleep(30);
    check_equal(silent.events.filter(([name]) => name === 'join' || name === 'leave'), [], 'events');
  });
  report.test('join: not where the namespace has none', async (context) => {
    const channel = unique('plain:');
    const asking = await subscribed(await open_client(context, node), channel, { joinLeave: true });
    await subscribed(await open_client(context, node), channel);
    await sleep(50);
    check_equal(asking.events.filter(([name]) => name === 'join'), [], 'joins');
  });
  report.test('join: each join has its leave, in order', async (context) => {
    const channel = unique('open:');
    const watched = await subscribed(await open_client(context, node), channel);
    const client = await open_client(context, node);
    const subscription = await subscribed(client, channel);
    for (let i = 0; i < 20; i += 1) {
      subscription.unsubscribe();
      subscription.subscribe();
      await event_of(subscription.events, 'subscribed', i + 2);
    }
    await event_of(watched.events, 'leave', 20);
    await event_of(watched.events, 'join', 22);
    const turns = watched.events.filter(([name, ctx]) => ['join', 'leave'].includes(name)
      && ctx.info.client === client.id).map(([name]) => name);
    check(turns.every((name, i) => name === (i % 2 === 0 ? 'join' : 'leave')), turns.join());
  });
}

export function add_presence(report, node) {
  add_permissions(report, node);
  add_contents(report, node);
  add_join_leave(report, node);
}
