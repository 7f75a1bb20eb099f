// SPDX-License-Identifier: Apache-2.0
// Whoever has the key of the API, or a bug, and revokes without an end; and whoever has no key.
import { event_of, make_token, new_client, open_user } from '../conformance/support/client.mjs';
import { Node, TOKEN_KEY } from '../conformance/support/node.mjs';
import { check, check_equal, eventually } from '../conformance/support/report.mjs';

const METHODS = ['revoke_token', 'invalidate_user_tokens', 'block_user', 'unblock_user'];
const ENTRIES_MAX = 131_072;
const BATCH = 4000;
const LIMIT_EXCEEDED = 106;

async function is_kept_out(context, node, user) {
  const client = new_client(context, node, { token: make_token({ sub: user }) });
  client.connect();
  check_equal((await event_of(client.events, 'disconnected', 1, 20_000)).code, 3507, `${user} is told`);
}

// The codes of a batch, and how often each came.
async function block_many(node, first, codes) {
  const commands = Array.from({ length: BATCH }, (_, i) => ({ block_user: { user: `user ${first + i}` } }));
  const { replies } = await node.api('batch', { commands, parallel: true }, false, 30_000);
  for (const { error } of replies) {
    const code = error?.code ?? 0;
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
}

export function add_revocations(report, program) {
  report.test('revocations without a key, and without an end', { ms_max: 120_000 }, async (context) => {
    const node = await Node.start({ client: { token: { hmac_secret_key: TOKEN_KEY } },
      http_api: { max_request_body_size: 1 << 20 } }, { shards: 2, program });
    context.defer(() => node.stop_cleanly());
    const good = await open_user(context, node, 'good');
    for (const method of METHODS) {
      for (const headers of [{}, { 'X-API-Key': 'no' }, { Authorization: 'apikey ' }]) {
        const { status } = await node.request('POST', `/api/${method}`,
          { headers, body: '{"user":"good","uid":"x"}' });
        check_equal(status, 401, method);
      }
    }
    check_equal(await node.metric('roost_revocations'), 0, 'what strangers have revoked');
    await node.api_result('block_user', { user: 'first' });
    const rss_kib = node.rss_kib();
    const codes = new Map();
    const wanted = program ? 3 * BATCH : ENTRIES_MAX; // Sanitizers see as much in the first of them.
    for (let first = 0; first <= wanted; first += BATCH) {
      await block_many(node, first, codes);
    }
    if (!program) {
      check_equal([...codes.keys()].sort(), [0, LIMIT_EXCEEDED], 'the codes');
      check_equal(codes.get(0), ENTRIES_MAX - 1, 'those that found room');
      check_equal(await node.metric('roost_revocations'), ENTRIES_MAX, 'entries');
    }
    await is_kept_out(context, node, 'first');
    await is_kept_out(context, node, 'user 7');
    await node.api_result('unblock_user', { user: 'first' }); // Its entry is there.
    check_equal(good.state, 'connected', 'who was never blocked');
    await eventually(async () => { // Shards hear of it one after the other.
      const client = new_client(context, node, { token: make_token({ sub: 'first' }) });
      client.connect();
      return new Promise((resolve) => {
        client.on('connected', () => resolve(true));
        client.on('disconnected', () => resolve(false));
      });
    }, 'the first to be let in again', 20_000);
    check(program || node.rss_kib() < rss_kib + 256 * 1024,
      `${rss_kib} KiB before, ${node.rss_kib()} KiB after`);
  });
}
