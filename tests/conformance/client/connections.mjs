// SPDX-License-Identifier: Apache-2.0
// The server API's `connections`, which lists clients of npm centrifuge.
import {
  make_token, open_client, open_user, subscribed, unique,
} from '../support/client.mjs';
import { check, check_equal, eventually } from '../support/report.mjs';
import { start_for } from './nodes.mjs';

// All pages; `between` is called after each.
async function list(node, params, between = async () => {}) {
  const rows = [];
  let cursor;
  do {
    const page = await node.api_result('connections', { ...params, cursor });
    const found = Object.entries(page.connections);
    check(found.length <= (params.limit ?? 100), `${found.length} on a page of ${params.limit}`);
    check(page.cursor === undefined || found.length > 0, 'a page that others follow is not empty');
    rows.push(...found);
    cursor = page.cursor;
    await between(rows.length);
  } while (cursor !== undefined);
  const ids = rows.map(([id]) => id);
  check_equal(new Set(ids).size, ids.length, 'different clients');
  return new Map(rows);
}

async function lists(node, params, clients, what) {
  for (const limit of [1, 3, clients.length, 1000]) {
    if (limit > 0) {
      check_equal([...(await list(node, { ...params, limit })).keys()].sort(),
        clients.map(({ id }) => id).sort(), `${what}, ${limit} a page`);
    }
  }
}

function add_rows(report, node) {
  report.test('connections: all that is known of a client', async (context) => {
    const user = unique('user');
    const before = Date.now();
    const jti = unique('token');
    const client = await open_client(context, node, { name: 'listed', version: '1.2.3',
      token: make_token({ sub: user, jti, iat: 1234, meta: { plan: 'free' }, info: { n: 1 } }) });
    const [open, closed] = [unique('plain:'), unique('closed:')];
    await subscribed(client, open);
    await subscribed(client, closed,
      { token: make_token({ sub: user, channel: closed, jti: 's', iat: 77, info: { role: 'x' } }) });
    const rows = await list(node, { user });
    check_equal([...rows.keys()], [client.id], 'the client');
    const { connected_at_ms: connected_at, ping_pong_latency_ms: latency, ...row } =
      rows.get(client.id);
    check_equal(row, {
      app_name: 'listed',
      app_version: '1.2.3',
      transport: context.transport,
      protocol: context.protocol,
      user,
      state: {
        channels: { [open]: { source: 6 }, [closed]: { source: 3, info: { role: 'x' } } },
        connection_token: { uid: jti, issued_at: 1234 },
        subscription_tokens: { [closed]: { uid: 's', issued_at: 77 } },
        meta: { plan: 'free' },
      },
    }, 'the row');
    check(Number.isInteger(latency) && latency >= -1, `a latency of ${latency}`);
    // The node reads its clock once a turn, and in milliseconds.
    check(connected_at >= before - 1000 && connected_at <= Date.now() + 1000, 'the time');
  });
  report.test('connections: who unsubscribes or goes is listed no longer', async (context) => {
    const user = unique('user');
    const channel = unique('plain:');
    const clients = [await open_user(context, node, user), await open_user(context, node, user)];
    const subscriptions = [await subscribed(clients[0], channel),
      await subscribed(clients[1], channel)];
    await lists(node, { channel }, clients, 'both');
    subscriptions[0].unsubscribe();
    await eventually(async () => (await list(node, { channel })).size === 1, 'one subscriber');
    await lists(node, { channel }, [clients[1]], 'the other');
    await lists(node, { user }, clients, 'of the user');
    clients[1].disconnect();
    await eventually(async () => (await list(node, { user })).size === 1, 'one client');
    await lists(node, { user }, [clients[0]], 'the one that stays');
    await lists(node, { channel }, [], 'nobody');
  });
}

function add_filters(report, node) {
  report.test('connections: filters by user and channel', async (context) => {
    const [ann, bob] = [unique('ann'), unique('bob')];
    const [room, attic] = [unique('plain:'), unique('plain:')];
    const of = { ann: [], bob: [], nobody: [] };
    for (let i = 0; i < 4; i += 1) {
      of.ann.push(await open_user(context, node, ann));
      of.bob.push(await open_user(context, node, bob));
    }
    of.nobody.push(await open_client(context, node));
    const in_room = [...of.ann.slice(0, 3), ...of.bob.slice(0, 1), ...of.nobody];
    for (const client of in_room) {
      await subscribed(client, room);
    }
    await subscribed(of.bob[3], attic);
    await lists(node, { user: ann }, of.ann, 'ann');
    await lists(node, { user: bob }, of.bob, 'bob');
    await lists(node, { channel: room }, in_room, 'the room');
    await lists(node, { channel: attic }, [of.bob[3]], 'the attic');
    await lists(node, { channel: room, user: ann }, of.ann.slice(0, 3), 'ann in the room');
    await lists(node, { channel: attic, user: ann }, [], 'ann in the attic');
    await lists(node, { user: unique('user') }, [], 'an unknown user');
    await lists(node, { channel: unique('plain:') }, [], 'an unknown channel');
  });
}

function add_pages(report) {
  report.test('connections: pages of all, while others come and go', async (context) => {
    const node = await start_for(context, {});
    const stay = [];
    const go = [];
    for (let i = 0; i < 12; i += 1) {
      stay.push(await open_user(context, node, `user${i % 5}`));
      go.push(await open_client(context, node));
    }
    await lists(node, {}, [...stay, ...go], 'all');
    const rows = await list(node, { limit: 2 }, async () => {
      go.pop()?.disconnect();
      await open_client(context, node);
    });
    check_equal(stay.filter(({ id }) => !rows.has(id)), [], 'those that were not listed');
  });
  report.test('connections: what is refused', async (context) => {
    const node = await start_for(context, {});
    for (const [params, code] of [[{ expression: 'user == "x"' }, 108],
      [{ label_filter: { key: 'a' } }, 108], [{ limit: 1001 }, 107], [{ cursor: 'x' }, 107],
      [{ cursor: 'f'.repeat(39) }, 107], [{ user: 'x'.repeat(10_000) }, 107]]) {
      check_equal((await node.api('connections', params)).error?.code, code,
        JSON.stringify(params).slice(0, 60));
    }
    check_equal(await node.api_result('connections', { cursor: 'f'.repeat(40) }),
      { connections: {} }, 'behind the last');
  });
}

export function add_connections(report, node) {
  add_rows(report, node);
  add_filters(report, node);
  if (report.protocol === 'json' && report.transport === 'websocket') {
    add_pages(report);
  }
}
