// SPDX-License-Identifier: Apache-2.0
// client.rate_limit, as clients of npm centrifuge meet it. A bucket of these cases that has to be
// empty fills in an hour, so that no case depends on how fast it runs.
import {
  event_of, make_token, new_client, new_subscription, open_client, open_user, subscribed, unique,
} from '../support/client.mjs';
import { STILL_MS_MAX, check, check_equal, check_rejected, eventually } from '../support/report.mjs';
import { start_main } from './nodes.mjs';

const PUBLISHES = 3;
const REPORTS = 2;
const CONNECTS = 4;
const ERRORS = 6;

const an_hour = (rate) => ({ enabled: true, buckets: [{ interval: '1h', rate }] });
const SOON_MS = 2000;
const SOON = { enabled: true, buckets: [{ interval: `${SOON_MS}ms`, rate: 2 }] };
const in_namespace = (name, limit) => ({
  enabled: true, namespace_overrides: [{ namespace_name: name, ...limit }],
});

export function start_limiting() {
  return start_main({ client: { rate_limit: {
    client_command: {
      enabled: true,
      publish: in_namespace('plain', an_hour(PUBLISHES)),
      subscribe: in_namespace('asked', SOON),
      rpc: { enabled: true, method_overrides: [{ method: 'report', ...an_hour(REPORTS) }] },
    },
    user_command: {
      enabled: true,
      publish: in_namespace('kept', an_hour(PUBLISHES)),
      connect: an_hour(CONNECTS),
    },
    client_error: { enabled: true, total: an_hour(ERRORS) },
  } } });
}

// What each of these attempts ended with, one after the other: 0, or the error's code.
async function codes_of(times, attempt) {
  const codes = [];
  for (let i = 0; i < times; i += 1) {
    codes.push(await attempt().then(() => 0, (error) => error.code));
  }
  return codes;
}

function limited(node, by) {
  return node.metric('roost_client_rate_limited_count', `by="${by}"`);
}

function add_connection_limits(report, node) {
  report.test('rate: each connection has its own', async (context) => {
    const before = await limited(node, 'connection');
    const channel = unique('plain:');
    const user = unique('user');
    for (const client of [await open_user(context, node, user),
      await open_user(context, node, user)]) {
      check_equal(await codes_of(PUBLISHES + 2, () => client.publish(channel, 'x')),
        [0, 0, 0, 111, 111], 'publishing');
      check_equal(await codes_of(PUBLISHES + 2, () => client.publish(unique('json:'), {})),
        [0, 0, 0, 0, 0], 'in another namespace');
      await subscribed(client, channel);
      check_equal(client.state, 'connected', 'the state');
    }
    check(await limited(node, 'connection') >= before + 4, 'they are counted');
  });
  report.test('rate: of an RPC method', async (context) => {
    const client = await open_client(context, node);
    // No backend is there to answer.
    check_equal(await codes_of(REPORTS + 1, () => client.rpc('report', {})), [108, 108, 111],
      'the limited one');
    check_equal(await codes_of(2, () => client.rpc('another', {})), [108, 108], 'another');
  });
  report.test('rate: a refused subscription comes later', { still_ms_max: STILL_MS_MAX }, async (context) => {
    const client = new_client(context, node);
    const subscriptions = [];
    for (let i = 0; i < 3; i += 1) { // They leave together, with the connection.
      // Again when there is room: who goes on before that is thrown out after some errors.
      const subscription = new_subscription(client, unique('asked:'),
        { minResubscribeDelay: SOON_MS + 500, maxResubscribeDelay: 2 * SOON_MS });
      subscription.subscribe();
      subscriptions.push(subscription);
    }
    client.connect();
    const has_error = ({ events }) => events.some(([name]) => name === 'error');
    await eventually(() => subscriptions.filter(has_error).length === 1, 'one is refused');
    const [refused] = subscriptions.filter(has_error);
    check_equal((await event_of(refused.events, 'error')).error.code, 111, 'its error');
    for (const { events } of subscriptions) {
      await event_of(events, 'subscribed');
    }
    check(refused.events.every(([name]) => name !== 'unsubscribed'), 'it was never given up');
  });
}

function add_user_limits(report, node) {
  report.test('rate: of a user with all connections', async (context) => {
    const before = await limited(node, 'user');
    const user = unique('user');
    const clients = [await open_user(context, node, user), await open_user(context, node, user)];
    const other = await open_user(context, node, unique('user'));
    const nobody = await open_client(context, node);
    const channel = unique('kept:');
    let turn = 0;
    check_equal(await codes_of(PUBLISHES + 2, () => {
      turn += 1;
      return clients[turn % 2].publish(channel, turn);
    }), [0, 0, 0, 111, 111], 'publishing');
    check_equal(await codes_of(PUBLISHES, () => other.publish(channel, 'other')), [0, 0, 0],
      'another user');
    check_equal(await codes_of(PUBLISHES + 1, () => nobody.publish(channel, 'nobody')),
      [0, 0, 0, 0], 'nobody is no user');
    // What was refused was not published.
    const { publications } = await node.api_result('history', { channel, limit: 10 });
    check_equal(publications.map(({ data }) => data),
      [1, 2, 3, 'other', 'other', 'other', 'nobody', 'nobody', 'nobody', 'nobody'], 'published');
    check(await limited(node, 'user') >= before + 2, 'they are counted');
  });
  report.test('rate: of a user who connects', async (context) => {
    const user = unique('user');
    for (let i = 0; i < CONNECTS; i += 1) {
      (await open_user(context, node, user)).disconnect();
    }
    const refused = () => node.metric('roost_client_num_server_disconnects', 'code="3013"');
    const before = await refused();
    const client = new_client(context, node, { token: make_token({ sub: user }) });
    client.connect();
    await eventually(async () => (await refused()) >= before + 2, 'it comes back, and again');
    check_equal(client.state, 'connecting', 'the state');
    check(client.events.every(([name]) => name !== 'connected'), 'it was never connected');
    await open_user(context, node, unique('user'));
  });
}

function add_error_limits(report, node) {
  report.test('rate: errors beyond the limit end the connection (3509)', async (context) => {
    const client = await open_client(context, node);
    check_equal(await codes_of(ERRORS, () => client.publish('closed:x', 'x')),
      Array(ERRORS).fill(103), 'the errors');
    check_equal(client.state, 'connected', 'the state at the limit');
    await check_rejected(client.publish('closed:x', 'x'), 'the one too many');
    check_equal((await event_of(client.events, 'disconnected')).code, 3509, 'the code');
  });
  report.test('rate: who goes on where the limit is reached is thrown out', async (context) => {
    const client = await open_client(context, node);
    check_equal(await codes_of(PUBLISHES + ERRORS, () => client.publish('plain:x', 'x')),
      [0, 0, 0, ...Array(ERRORS).fill(111)], 'publishing');
    await check_rejected(client.publish('plain:x', 'x'), 'the one too many');
    check_equal((await event_of(client.events, 'disconnected')).code, 3509, 'the code');
  });
}

export function add_rates(report, node) {
  add_connection_limits(report, node);
  add_user_limits(report, node);
  add_error_limits(report, node);
}
