// SPDX-License-Identifier: Apache-2.0
// Who is kept out, and how often users may do something, on all nodes at once.
import { CLIENT_EVENTS, connected, event_of, make_token, new_client, open_user, record, subscribed,
  unique,
} from '../../conformance/support/client.mjs';
import { check, check_equal, eventually } from '../../conformance/support/report.mjs';

// A client with exactly that token.
async function open_with(context, node, claims) {
  const client = new_client(context, node, { token: make_token(claims) });
  client.events = record(client, CLIENT_EVENTS);
  return connected(client);
}

async function is_refused(context, node, claims, code) {
  const client = new_client(context, node, { token: make_token(claims) });
  const events = record(client, CLIENT_EVENTS);
  client.connect();
  check_equal((await event_of(events, 'disconnected')).code, code, 'the refusal');
}

// A node that came when all this had been said knows it too.
export async function check_newcomer(context, node, told) {
  await eventually(async () => (await node.metric('roost_revocations')) === told.count,
    'all that was revoked is known');
  await is_refused(context, node, told.token, 3500);
  await is_refused(context, node, told.blocked, 3507);
}

export function add_control(report, nodes, told) {
  report.test('what is revoked on one node ends and is refused on all', async (context) => {
    const uid = unique('token-');
    const user = unique('user-');
    told.token = { sub: user, jti: uid };
    told.blocked = { sub: unique('blocked-') };
    told.count = 3;
    const by_id = [];
    const by_date = [];
    const newer = [];
    const blocked = [];
    for (const node of nodes) {
      by_id.push(await open_with(context, node, told.token));
      by_date.push(await open_with(context, node, { sub: `${user}-2`, iat: 999 }));
      newer.push(await open_with(context, node, { sub: `${user}-2`, iat: 1000 }));
      blocked.push(await open_with(context, node, told.blocked));
    }
    await nodes[0].api_result('revoke_token', { uid });
    await nodes[1].api_result('invalidate_user_tokens', { user: `${user}-2`, issued_before: 1000 });
    await nodes[2].api_result('block_user', { user: told.blocked.sub });
    for (const [clients, code] of [[by_id, 3500], [by_date, 3500], [blocked, 3507]]) {
      for (const client of clients) {
        check_equal((await event_of(client.events, 'disconnected')).code, code, 'the end');
      }
    }
    for (const node of nodes) {
      await is_refused(context, node, told.token, 3500);
      await is_refused(context, node, { sub: `${user}-2` }, 3500);
      await is_refused(context, node, told.blocked, 3507);
      await eventually(async () => (await node.metric('roost_revocations')) === told.count, 'all are known');
    }
    check(newer.every((client) => client.state === 'connected'), 'others stay');
  });

  report.test('a block is lifted on all nodes', async (context) => {
    const user = unique('blocked-');
    await nodes[0].api_result('block_user', { user });
    for (const node of nodes) {
      await is_refused(context, node, { sub: user }, 3507);
    }
    await nodes[2].api_result('unblock_user', { user });
    told.count += 1;
    for (const node of nodes) {
      await eventually(async () => {
        const client = new_client(context, node, { token: make_token({ sub: user }) });
        client.connect();
        return client.ready().then(() => true, () => false);
      }, 'the user may come again');
    }
  });

  report.test('connections are listed of all nodes, in pages', async (context) => {
    const user = unique('listed-');
    const channel = unique('listed');
    const clients = [];
    for (let i = 0; i < 12; i += 1) {
      const client = new_client(context, nodes[i % 3],
        { token: make_token({ sub: user }), name: 'lister', version: '7' });
      clients.push(await connected(client));
      if (i % 2 === 0) {
        await subscribed(client, channel);
      }
    }
    const pages_of = async (node, params) => {
      const listed = [];
      let cursor;
      do {
        const page = await node.api_result('connections', { ...params, cursor });
        check(Object.keys(page.connections).length <= params.limit, 'no more than were asked for');
        listed.push(...Object.entries(page.connections));
        cursor = page.cursor;
      } while (cursor !== undefined);
      return listed;
    };
    const ids = new Set(clients.map((client) => client._client));
    for (const node of nodes) {
      for (const limit of [1, 5, 1000]) {
        const listed = await pages_of(node, { user, limit });
        check_equal(listed.length, clients.length, 'each once');
        check(listed.every(([id, one]) => ids.delete(id) || (one.user === user)), 'they are it');
        check(listed.every(([, one]) => one.app_name === 'lister' && one.app_version === '7'
          && one.transport === 'websocket' && one.protocol === 'json'), 'what they are');
        check_equal((await pages_of(node, { channel, limit })).length, 6, 'of the channel');
      }
    }
    check_equal(ids.size, 0, 'all of them');
    check_equal((await pages_of(nodes[1], { user: 'nobody', limit: 5 })).length, 0, 'of nobody');
  });

  report.test('a user\'s connections on all nodes have one limit', async (context) => {
    for (let round = 0; round < 4; round += 1) {
      const user = unique('eager-');
      const clients = [];
      for (const node of nodes) {
        clients.push(await open_user(context, node, user), await open_user(context, node, user));
      }
      const outcomes = await Promise.allSettled(Array.from({ length: 30 },
        (_, i) => clients[i % clients.length].publish('slow:a', i)));
      const refused = outcomes.filter(({ status }) => status === 'rejected');
      check_equal(outcomes.length - refused.length, 7, 'publications let through');
      check(refused.every(({ reason }) => reason.code === 111), 'the error');
    }
  });
}
