// SPDX-License-Identifier: Apache-2.0
// Subscriptions that a client did not ask for, with npm centrifuge: its client tells of them itself.
import {
  event_of, make_token, new_client, connected, open_user, record, unique,
} from '../support/client.mjs';
import { check, check_equal, eventually } from '../support/report.mjs';
import { start_for } from './nodes.mjs';

const EVENTS = ['subscribed', 'subscribing', 'unsubscribed', 'publication', 'join', 'leave'];

// A client of that user whose token names channels; what its client tells of them is in `server`.
async function open_subscribed(context, node, claims) {
  const client = new_client(context, node, { token: make_token({ sub: unique('user'), ...claims }) });
  client.server = record(client, EVENTS);
  return connected(client);
}

function numbers_of(client, channel) {
  return client.server.filter(([name, ctx]) => name === 'publication' && ctx.channel === channel)
    .map(([, ctx]) => ctx.data.n);
}

async function publish(node, channel, first, last) {
  for (let n = first; n <= last; n++) {
    await node.api_result('publish', { channel, data: { n } });
  }
}

export function add_server_subs(report, node) {
  report.test('server subs: a token subscribes, and brings data and info', async (context) => {
    const [one, other] = [unique('stream:'), unique('plain:')];
    const client = await open_subscribed(context, node, {
      channels: [other], subs: { [one]: { data: { d: 1 }, info: { i: 2 } } },
    });
    await event_of(client.server, 'subscribed', 2);
    const told = Object.fromEntries(client.server.filter(([name]) => name === 'subscribed')
      .map(([, ctx]) => [ctx.channel, ctx]));
    check_equal([told[one].data, told[one].recoverable, told[other].recoverable], [{ d: 1 }, true, false],
      'what is told');
    await publish(node, other, 1, 3);
    await eventually(() => numbers_of(client, other).length === 3, 'the publications');
    const { presence } = await node.api_result('presence', { channel: one });
    check_equal(Object.values(presence)[0].chan_info, { i: 2 }, 'chan_info');
    const join = await event_of(client.server, 'join');
    check_equal([join.channel, join.info.client], [one, client.id], 'its own join');
  });
  report.test('server subs: who comes back recovers', async (context) => {
    const channels = [unique('stream:'), unique('stream:')];
    const client = await open_subscribed(context, node, { channels });
    await publish(node, channels[0], 1, 2);
    await eventually(() => numbers_of(client, channels[0]).length === 2, 'the publications');
    client.disconnect();
    await publish(node, channels[0], 3, 6);
    await publish(node, channels[1], 1, 1);
    client.connect();
    await event_of(client.server, 'subscribed', 4);
    await publish(node, channels[0], 7, 7);
    await eventually(() => numbers_of(client, channels[0]).length === 7, 'the rest').catch(() => {});
    check_equal(numbers_of(client, channels[0]), [1, 2, 3, 4, 5, 6, 7], 'the one');
    check_equal(numbers_of(client, channels[1]), [1], 'the other');
  });
  report.test('server subs: under publishing, with many that connect', async (context) => {
    const channels = Array.from({ length: 4 }, () => unique('stream:'));
    let is_over = false;
    const publishing = Promise.all(channels.map(async (channel) => {
      for (let n = 1; !is_over; n++) {
        await publish(node, channel, n, n);
      }
    }));
    const clients = await Promise.all(Array.from({ length: 20 }, () => open_subscribed(context, node, { channels })));
    is_over = true;
    await publishing;
    const tops = await Promise.all(channels.map((channel) => node.api_result('history', { channel, limit: 0 })));
    for (const client of clients) {
      for (const [i, channel] of channels.entries()) {
        const from = client.server.find(([name, ctx]) => name === 'subscribed' && ctx.channel === channel)[1]
          .streamPosition.offset;
        const wanted = Array.from({ length: tops[i].offset - from }, (_, k) => from + 1 + k);
        await eventually(() => numbers_of(client, channel).length >= wanted.length, 'all').catch(() => {});
        check_equal(numbers_of(client, channel), wanted, channel);
      }
    }
  });
  report.test('server subs: the API unsubscribes', async (context) => {
    const channel = unique('plain:');
    const user = unique('user');
    const client = await open_subscribed(context, node, { sub: user, channels: [channel] });
    await node.api_result('unsubscribe', { channel, user });
    check_equal((await event_of(client.server, 'unsubscribed')).channel, channel, 'the channel');
  });
  report.test('server subs: a user has a channel, and one connection', async (context) => {
    const own = await start_for(context, {
      client: { subscribe_to_user_personal_channel: { enabled: true, personal_channel_namespace: 'plain',
        single_connection: true } },
    });
    const user = unique('user');
    const first = await open_subscribed(context, own, { sub: user });
    check_equal((await event_of(first.server, 'subscribed')).channel, `plain:#${user}`, 'the channel');
    await publish(own, `plain:#${user}`, 1, 1);
    await eventually(() => numbers_of(first, `plain:#${user}`).length === 1, 'the publication');
    await open_user(context, own, user);
    const ended = await event_of(first.events, 'disconnected');
    check_equal(ended.code, 3504, 'the code');
    check(first.state === 'disconnected', 'it stays away');
  });
}
