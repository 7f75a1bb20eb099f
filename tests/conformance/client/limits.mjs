// SPDX-License-Identifier: Apache-2.0
// Limits and time: pings, tokens that expire, slow readers, too many connections.
import {
  RawClient, event_of, make_token, new_client, now_s, open_client, open_user, subscribed, unique,
} from '../support/client.mjs';
import { RawSocket, upgrade_request } from '../support/raw_websocket.mjs';
import { STILL_MS_MAX, WAIT_MS_MAX, check, check_equal, eventually, sleep } from '../support/report.mjs';
import { start_for } from './nodes.mjs';

// Until a token expires: longer than a busy machine takes to use it.
const SOON_S = 3;
const QUICK_PINGS = { client: { ping_interval: '1s', pong_timeout: '900ms' } };
const QUICK_END = { client: { expired_close_delay: '1s' } };
const TIMED = { still_ms_max: STILL_MS_MAX };

function add_pings(report) {
  report.test('ping: the client answers and stays', TIMED, async (context) => {
    const node = await start_for(context, QUICK_PINGS);
    const client = await open_client(context, node, { maxServerPingDelay: 300 });
    await eventually(async () => (
      await node.metric('roost_transport_messages_sent', 'frame_type="server_ping"') >= 4
      && await node.metric('roost_transport_messages_received', 'frame_type="client_pong"') >= 4),
    'pings and pongs in /metrics');
    check_equal(client.events.map(([name]) => name), ['connecting', 'connected'], 'the events');
  });
  report.test('ping: no pong is 3012', async (context) => {
    const node = await start_for(context, QUICK_PINGS);
    const at = Date.now();
    const raw = await RawClient.connected(context, node);
    check_equal(await raw.next_line({ pong: false }), '{}', 'the ping');
    check_equal(await raw.closed(), 3012, 'the code');
    // The first ping comes after half an interval to a whole one.
    check(Date.now() - at > 1200, 'the pong was not waited for');
  });
  report.test('ping: the interval is told, and a second pong is 3501', TIMED, async (context) => {
    const node = await start_for(context, QUICK_PINGS);
    const raw = await RawClient.open(context, node);
    const { connect } = await raw.call({ id: 1, connect: {} });
    check_equal([connect.ping, connect.pong], [1, true], 'ping and pong');
    await raw.next_line({ pong: false });
    raw.send_text('{}');
    await raw.next_line({ pong: false });
    raw.send_text('{}');
    raw.send_text('{}');
    check_equal(await raw.closed(), 3501, 'the code');
  });
  report.test('stale: without connect the connection ends with 3502', async (context) => {
    const node = await start_for(context, { client: { stale_close_delay: '1s' } });
    const raw = await RawClient.open(context, node);
    check_equal(await raw.closed(), 3502, 'the code');
    check_equal(raw.close.reason, 'stale', 'the reason');
  });
}

function add_expiry(report, node) {
  report.test('expiry: the client refreshes its token', TIMED, async (context) => {
    const quick = await start_for(context, QUICK_END);
    let asked = 0;
    const client = await open_client(context, quick, {
      token: make_token({ sub: 'ann', exp: now_s() + SOON_S }),
      getToken: async () => {
        asked += 1;
        return make_token({ sub: 'ann', exp: now_s() + 100 });
      },
    });
    await sleep(SOON_S * 1000 + 2500);
    check_equal(client.events.map(([name]) => name), ['connecting', 'connected'], 'the events');
    check_equal(asked, 1, 'refreshes');
  });
  report.test('expiry: not refreshed is 3005', TIMED, async (context) => {
    const quick = await start_for(context, QUICK_END);
    const raw = await RawClient.connected(context, quick,
      { connect: { token: make_token({ sub: 'ann', exp: now_s() + SOON_S }) } });
    check_equal(await raw.closed(WAIT_MS_MAX, true), 3005, 'the code');
    check_equal(raw.close.reason, 'connection expired', 'the reason');
  });
  report.test('refresh: what is answered', async (context) => {
    const raw = await RawClient.connected(context, node,
      { connect: { token: make_token({ sub: 'ann', exp: now_s() + 600 }) } });
    const reply = await raw.call({ id: 2,
      refresh: { token: make_token({ sub: 'ann', exp: now_s() + 6000 }) } });
    check(reply.refresh?.expires === true && reply.refresh.ttl > 5000, JSON.stringify(reply));
  });
  for (const [name, claims, options, code] of [
    ['an expired token', { sub: 'ann', exp: 1 }, {}, 3005],
    ['another user', { sub: 'eve', exp: 9999999999 }, {}, 3500],
    ['a bad signature', { sub: 'ann', exp: 9999999999 }, { key: 'no' }, 3500]]) {
    report.test(`refresh: ${name} is ${code}`, async (context) => {
      const raw = await RawClient.connected(context, node,
        { connect: { token: make_token({ sub: 'ann', exp: now_s() + 600 }) } });
      raw.send({ id: 2, refresh: { token: make_token(claims, options) } });
      check_equal(await raw.closed(), code, 'the code');
    });
  }
  report.test('refresh: new info is what others see', async (context) => {
    const raw = await RawClient.connected(context, node,
      { connect: { token: make_token({ sub: 'ann', exp: now_s() + 600, info: { v: 1 } }) } });
    await raw.call({ id: 2,
      refresh: { token: make_token({ sub: 'ann', exp: now_s() + 600, info: { v: 2 } }) } });
    const channel = unique('open:');
    await raw.call({ id: 3, subscribe: { channel } });
    const { presence } = await raw.call({ id: 4, presence: { channel } });
    check_equal(presence.presence[raw.id].conn_info, { v: 2 }, 'the info');
  });
}

function add_subscription_expiry(report, node) {
  report.test('expiry: a subscription is refreshed', TIMED, async (context) => {
    const quick = await start_for(context, { client: { expired_sub_close_delay: '1s' } });
    const channel = unique('closed:');
    const ann = await open_user(context, quick, 'ann');
    const subscription = await subscribed(ann, channel, {
      token: make_token({ sub: 'ann', channel, exp: now_s() + SOON_S }),
      getToken: async () => make_token({ sub: 'ann', channel, exp: now_s() + 100 }),
    });
    await sleep(SOON_S * 1000 + 2500);
    check_equal(subscription.events.map(([name]) => name), ['subscribing', 'subscribed'], 'events');
  });
  report.test('expiry: a subscription that is not refreshed ends with 2501', TIMED, async (context) => {
    const quick = await start_for(context, { client: { expired_sub_close_delay: '1s' } });
    const channel = unique('closed:');
    const raw = await RawClient.connected(context, quick,
      { connect: { token: make_token({ sub: 'ann' }) } });
    const { subscribe } = await raw.call({ id: 2, subscribe: { channel,
      token: make_token({ sub: 'ann', channel, exp: now_s() + SOON_S }) } });
    check_equal(subscribe.expires, true, 'expires');
    const { push } = await raw.next();
    check_equal(push, { channel, unsubscribe: { code: 2501, reason: 'subscription expired' } },
      'the push');
  });
}

// A connection that subscribes and then never reads again.
async function open_deaf(context, node, channel) {
  const raw = await RawClient.connected(context, node);
  await raw.call({ id: 2, subscribe: { channel } });
  raw.ws.socket.tcp.pause();
  return raw;
}

function add_slow(report) {
  report.test('slow: who does not read is disconnected with 3008', async (context) => {
    const node = await start_for(context, { client: { queue_max_size: 100_000 } });
    const channel = unique('plain:');
    const good = await subscribed(await open_client(context, node), channel);
    await open_deaf(context, node, channel);
    const publisher = await open_client(context, node);
    const data = 'x'.repeat(50_000);
    let sent = 0;
    await eventually(async () => {
      await publisher.publish(channel, data);
      sent += 1;
      return (await node.metric('roost_client_num_server_disconnects', 'code="3008"')) === 1;
    }, 'a disconnect 3008 in /metrics');
    await event_of(good.events, 'publication', sent);
    await eventually(async () => (await node.metric('roost_node_num_clients')) === 2,
      'the clients that read');
  });
}

function add_counts(report) {
  report.test('limit: connections of one user (3504)', async (context) => {
    const node = await start_for(context, { client: { user_connection_limit: 2 } });
    const [one] = [await open_user(context, node, 'ann'), await open_user(context, node, 'ann')];
    const third = new_client(context, node, { token: make_token({ sub: 'ann' }) });
    third.connect();
    const { code, reason } = await event_of(third.events, 'disconnected');
    check_equal([code, reason], [3504, 'connection limit'], 'what the third is told');
    await open_user(context, node, 'bob');
    one.disconnect();
    await eventually(async () => {
      const again = new_client(context, node, { token: make_token({ sub: 'ann' }) });
      again.connect();
      return new Promise((resolve) => {
        again.on('connected', () => resolve(true));
        again.on('disconnected', () => resolve(false));
      });
    }, 'room after one left');
  });
  report.test('limit: connections of the node (503)', async (context) => {
    const node = await start_for(context, { client: { connection_limit: 3 } });
    const clients = [];
    for (let i = 0; i < 3; i += 1) {
      clients.push(await open_client(context, node));
    }
    const status = async () => {
      const socket = await RawSocket.connect(node.port);
      context.defer(() => socket.destroy());
      socket.write(upgrade_request('/connection/websocket'));
      return (await socket.read_head())?.status;
    };
    check_equal(await status(), 503, 'the status for the fourth');
    clients[0].disconnect();
    await eventually(async () => (await status()) === 101, 'room after one left');
  });
  report.test('limit: a full node still answers its operator and its backend', async (context) => {
    const node = await start_for(context, { client: { connection_limit: 2 } });
    const client = await open_client(context, node);
    const subscription = await subscribed(client, unique('plain:'));
    await open_client(context, node);
    await eventually(async () => (await node.request('GET', '/health')).status === 200, 'its health');
    check_equal((await node.request('GET', '/metrics')).status, 200, '/metrics');
    await node.api_result('publish', { channel: subscription.channel, data: 'full' });
    check_equal((await event_of(subscription.events, 'publication')).data, 'full', 'the data');
  });
  report.test('limit: calls of a backend are no new connections of clients', async (context) => {
    const node = await start_for(context, { client: { connection_rate_limit: 5 } });
    for (let i = 0; i < 30; i += 1) {
      await node.api_result('publish', { channel: 'plain:x', data: i });
    }
    await open_client(context, node);
  });
  report.test('limit: new connections a second (503)', { still_ms_max: 500 }, async (context) => {
    const node = await start_for(context, { client: { connection_rate_limit: 10 } });
    const seen = new Map();
    await Promise.all(Array.from({ length: 40 }, async () => {
      const socket = await RawSocket.connect(node.port);
      context.defer(() => socket.destroy());
      socket.write(upgrade_request('/connection/websocket'));
      const { status } = await socket.read_head();
      seen.set(status, (seen.get(status) ?? 0) + 1);
    }));
    check((seen.get(101) ?? 0) >= 10 && (seen.get(503) ?? 0) >= 1, `seen ${[...seen].join(' ')}`);
    check_equal(seen.size, 2, 'different answers');
  });
  report.test('limit: a message of exactly the limit', async (context) => {
    const node = await start_for(context, { websocket: { message_size_limit: 2000 } });
    const raw = await RawClient.connected(context, node);
    const of_length = (len) => {
      const bare = '{"id":2,"publish":{"channel":"plain:x","data":""}}';
      return bare.replace('""', `"${'x'.repeat(len - bare.length)}"`);
    };
    raw.send_text(of_length(2000));
    check_equal(await raw.next(), { id: 2, publish: {} }, 'the reply');
    raw.send_text(of_length(2001));
    check_equal(await raw.closed(), 1009, 'the code');
  });
}

function add_compression(report) {
  report.test('compression: the client protocol over permessage-deflate', async (context) => {
    const node = await start_for(context, { websocket: { compression: true } });
    const client = await open_client(context, node);
    const subscription = await subscribed(client, unique('plain:'));
    const data = { text: 'hello '.repeat(3000) };
    await subscription.publish(data);
    check_equal((await event_of(subscription.events, 'publication')).data, data, 'the data');
  });
}

export function add_client_limits(report, node) {
  add_pings(report);
  add_expiry(report, node);
  add_subscription_expiry(report, node);
  add_slow(report);
  add_counts(report);
  add_compression(report);
}
