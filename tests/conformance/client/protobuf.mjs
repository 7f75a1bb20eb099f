// SPDX-License-Identifier: Apache-2.0
// Bytes: npm centrifuge's Protobuf client beside its JSON client on one channel.
import {
  bytes_of, event_of, open_client, open_user, publications_of, subscribed, unique,
} from '../support/client.mjs';
import { check, check_equal } from '../support/report.mjs';

const NO_JSON = Uint8Array.from([0, 255, 10, 13, 128]);

async function hear(subscription) {
  const { data } = await event_of(subscription.events, 'publication');
  return Buffer.from(data).toString('hex');
}

function hex(bytes) {
  return Buffer.from(bytes).toString('hex');
}

export function add_protobuf(report, node) {
  const open_bytes = (context) => open_client(context, node, { protocol: 'bytes' });

  for (const [name, bytes] of [
    ['that are no JSON', NO_JSON],
    ['that are JSON with line breaks around it', new TextEncoder().encode('\n{"a":\r\n1}\n')],
    ['of every value', Uint8Array.from({ length: 256 }, (_, i) => i)],
  ]) {
    report.test(`bytes: ${name} arrive as they were published`, async (context) => {
      const [one, other] = await Promise.all([open_bytes(context), open_bytes(context)]);
      const channel = unique('plain:');
      const subscription = await subscribed(other, channel);
      await one.publish(channel, bytes);
      check_equal(await hear(subscription), hex(bytes), 'the bytes');
    });
  }
  report.test('bytes: what a JSON client publishes is its JSON', async (context) => {
    const one = await open_client(context, node, { protocol: 'json' });
    const channel = unique('plain:');
    const subscription = await subscribed(await open_bytes(context), channel);
    await one.publish(channel, { a: [1, 'x'] });
    check_equal(await hear(subscription), hex(bytes_of({ a: [1, 'x'] })), 'the bytes');
  });
  report.test('bytes: b64data of the API arrives as bytes', async (context) => {
    const channel = unique('plain:');
    const subscription = await subscribed(await open_bytes(context), channel);
    await node.api_result('publish', { channel, b64data: Buffer.from(NO_JSON).toString('base64') });
    check_equal(await hear(subscription), hex(NO_JSON), 'the bytes');
  });
  report.test('bytes: JSON reaches a JSON client, what is none ends it with 3506', async (context) => {
    const json = await open_client(context, node, { protocol: 'json' });
    const bytes = await open_bytes(context);
    const channel = unique('plain:');
    const [in_json, in_bytes] = await Promise.all([json, bytes].map((one) => subscribed(one, channel)));
    await bytes.publish(channel, bytes_of({ n: 1 }));
    check_equal((await event_of(in_json.events, 'publication')).data, { n: 1 }, 'the data');
    await bytes.publish(channel, NO_JSON);
    const { code } = await event_of(json.events, 'disconnected');
    check_equal(code, 3506, 'the code');
    await event_of(in_bytes.events, 'publication', 2);
    check_equal(hex(publications_of(in_bytes)[1].data), hex(NO_JSON), 'the bytes');
  });
  report.test('bytes: the infos of a JSON client are JSON', async (context) => {
    const ann = await open_user(context, node, 'ann', { protocol: 'json', claims: { info: { a: 1 } } });
    const channel = unique('open:');
    await subscribed(ann, channel);
    const { clients } = await (await open_bytes(context)).presence(channel);
    check(clients[ann.id], 'the client is not present');
    check_equal(hex(clients[ann.id].connInfo), hex(bytes_of({ a: 1 })), 'its info');
  });
}
