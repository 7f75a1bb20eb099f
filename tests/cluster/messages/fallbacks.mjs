// SPDX-License-Identifier: Apache-2.0
// Clients to whom one node streams, and whose commands reach another.
import { event_of, new_client, connected, publications_of, subscribed, unique,
} from '../../conformance/support/client.mjs';
import { check, check_equal, eventually } from '../../conformance/support/report.mjs';

// A client whose stream is at one node and whose requests go to another.
function open_split(context, stream, requests, options) {
  return connected(new_client(context, stream, {
    emulationEndpoint: `http://127.0.0.1:${requests.port}/emulation`, ...options }));
}

const KINDS = [['json', 'http_stream'], ['protobuf', 'http_stream'], ['json', 'sse']];

export function add_fallbacks(report, nodes) {
  for (const [protocol, transport] of KINDS) {
    report.test(`${transport} in ${protocol}: commands arrive at any node`, async (context) => {
      for (let at = 0; at < nodes.length; at += 1) {
        for (let by = 0; by < nodes.length; by += 1) {
          const client = await open_split(context, nodes[at], nodes[by], { protocol, transport });
          const sub = await subscribed(client, unique('kept:split'));
          await sub.publish({ at, by });
          await event_of(sub.events, 'publication');
          check_equal(publications_of(sub).map(({ data }) => data), [{ at, by }], 'what it hears');
          check_equal((await sub.history({ limit: 10 })).publications.length, 1, 'the history');
          client.disconnect();
        }
      }
      check((await nodes[0].metric('roost_emulation_requests_count', 'result="delivered"')) >= 9,
        'requests delivered');
    });
  }
  report.test('http_stream: who comes back by another node recovers', async (context) => {
    const client = await open_split(context, nodes[0], nodes[1], { transport: 'http_stream' });
    const sub = await subscribed(client, unique('kept:split'));
    await sub.publish(1);
    await event_of(sub.events, 'publication');
    client._transport.endpoint = `http://127.0.0.1:${nodes[2].port}/connection/http_stream`;
    client._transport._abortController.abort();
    await nodes[1].api_result('publish', { channel: sub.channel, data: 2 });
    await event_of(sub.events, 'publication', 2);
    check_equal(publications_of(sub).map(({ data }) => data), [1, 2], 'all of it');
  });
  report.test('emulation: no such node is 404, no such session 204', async () => {
    const nobody = '00000000-0000-4000-8000-000000000000';
    const uids = (await nodes[0].api_result('info')).nodes.map(({ uid }) => uid);
    for (const node of nodes) {
      const ask = (uid, session = nobody) => node.request('POST', '/emulation', {
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ node: uid, session, data: '{}' }) });
      check_equal((await ask(nobody)).status, 404, 'nobody\'s uid');
      for (const uid of uids) {
        check_equal((await ask(uid)).status, 204, 'a node without the session');
      }
      check_equal((await ask(uids[0], `ff${nobody.slice(2)}`)).status, 204, 'no such shard');
    }
    await eventually(async () => (await nodes[0].metric('roost_relay_requests')) === 0,
      'no request under way');
  });
}
