// SPDX-License-Identifier: Apache-2.0
// Server-side subscriptions as npm centrifuge sees them.
import { event_of, make_token, new_client, record, unique } from '../support/client.mjs';
import { Node, TOKEN_KEY } from '../support/node.mjs';
import { check, check_equal, eventually } from '../support/report.mjs';

const SERVER_EVENTS = ['subscribed', 'subscribing', 'unsubscribed', 'publication', 'join', 'leave',
  'connected', 'disconnected'];

async function node_of(context, client = {}) {
  const node = await Node.start({
    client: { token: { hmac_secret_key: TOKEN_KEY }, ...client },
    channel: { namespaces: [
      { name: 'kept', history_size: 10, history_ttl: '1m', force_recovery: true },
      { name: 'seen', presence: true, join_leave: true, force_push_join_leave: true },
    ] },
  }, { shards: 3 });
  context.defer(() => node.stop_cleanly());
  return node;
}

function open(context, node, claims) {
  const client = new_client(context, node, { token: make_token(claims) });
  const events = record(client, SERVER_EVENTS);
  client.connect();
  return { client, events };
}

function add_of_tokens(report) {
  report.test('server-side: channels of a token are subscribed and heard', async (context) => {
    const node = await node_of(context);
    const { events } = open(context, node, { sub: 'ann', channels: ['a', 'kept:b'] });
    const channels = [(await event_of(events, 'subscribed', 1)).channel,
      (await event_of(events, 'subscribed', 2)).channel];
    check_equal(channels.sort(), ['a', 'kept:b'], 'the channels');
    await node.api_result('publish', { channel: 'a', data: { n: 1 } });
    const { channel, data } = await event_of(events, 'publication');
    check_equal([channel, data], ['a', { n: 1 }], 'the publication');
    await node.api_result('unsubscribe', { user: 'ann', channel: 'a' });
    check_equal((await event_of(events, 'unsubscribed')).channel, 'a', 'what ended');
  });
  report.test('server-side: what was missed comes after a reconnect', async (context) => {
    const node = await node_of(context);
    const { client, events } = open(context, node, { sub: 'ann', channels: ['kept:c'] });
    await event_of(events, 'subscribed');
    await node.api_result('publish', { channel: 'kept:c', data: 1 });
    await event_of(events, 'publication');
    client.disconnect();
    await event_of(events, 'disconnected');
    for (const data of [2, 3]) {
      await node.api_result('publish', { channel: 'kept:c', data });
    }
    client.connect();
    const again = await event_of(events, 'subscribed', 2);
    check_equal([again.wasRecovering, again.recovered], [true, true], 'the recovery');
    await event_of(events, 'publication', 3);
    check_equal(events.filter(([name]) => name === 'publication').map(([, ctx]) => ctx.data),
      [1, 2, 3], 'the publications');
  });
  report.test('server-side: presence and joins with info', async (context) => {
    const node = await node_of(context);
    const channel = `seen:${unique('')}`;
    const { events } = open(context, node,
      { sub: 'ann', info: { n: 1 }, subs: { [channel]: { info: { c: 2 } } } });
    await event_of(events, 'subscribed');
    open(context, node, { sub: 'bob', channels: [channel] });
    await eventually(() => events.some(([name, ctx]) => name === 'join'
      && ctx.info.user === 'bob'), 'the join of bob');
    const { presence } = await node.api_result('presence', { channel });
    const ann = Object.values(presence).find(({ user }) => user === 'ann');
    check_equal([ann?.conn_info, ann?.chan_info], [{ n: 1 }, { c: 2 }], 'the infos');
  });
}

function add_of_users(report) {
  report.test('server-side: a personal channel, on one connection', async (context) => {
    const node = await node_of(context,
      { subscribe_to_user_personal_channel: { enabled: true, single_connection: true } });
    const first = open(context, node, { sub: 'ann' });
    check_equal((await event_of(first.events, 'subscribed')).channel, '#ann', 'the channel');
    const second = open(context, node, { sub: 'ann' });
    check_equal((await event_of(first.events, 'disconnected')).code, 3504, 'the code');
    await node.api_result('publish', { channel: '#ann', data: 'hello' });
    check_equal((await event_of(second.events, 'publication')).data, 'hello', 'the publication');
    check(second.client.state === 'connected', 'the second connection');
  });
}

export function add_server_subs(report) {
  add_of_tokens(report);
  add_of_users(report);
}
