// SPDX-License-Identifier: Apache-2.0
// Subscribers that speak JSON and Protobuf, mixed over the nodes: what crosses a link is for both.
import { bytes_of, event_of, open_user, publications_of, subscribed, unique,
} from '../../conformance/support/client.mjs';
import { check, check_equal, eventually, sleep } from '../../conformance/support/report.mjs';

const NO_JSON = Uint8Array.from([0, 255, 10, 13, 128]);
const CHANNELS = 8; // Names enough that every node is home of some.

function channels_of(prefix) {
  const name = unique(prefix);
  return Array.from({ length: CHANNELS }, (_, i) => `${name}-${i}`);
}

// What was published, as JSON, whichever protocol brought it.
function data_of(subscription) {
  return publications_of(subscription).map(({ data }) => (data instanceof Uint8Array
    ? JSON.parse(new TextDecoder().decode(data)) : data));
}

function hex(bytes) {
  return Buffer.from(bytes).toString('hex');
}

export function add_protocols(report, nodes) {
  // A channel's first subscribers name what its home encodes; whoever comes later adds to it.
  report.test('JSON and Protobuf are heard on any node, whoever came first', async (context) => {
    const open = (node, protocol) => open_user(context, node, 'mixed', { protocol });
    const [json, bytes] = await Promise.all(['json', 'bytes'].map((protocol) =>
      Promise.all(nodes.slice(0, 3).map((node) => open(node, protocol)))));
    for (const channel of channels_of('mixed')) {
      const home = channel.at(-1) % 3; // Who comes first, not where it is.
      const order = [json[home], bytes[(home + 1) % 3], json[(home + 2) % 3],
        bytes[(home + 2) % 3], json[(home + 1) % 3], bytes[home]];
      const subs = [];
      for (let n = 0; n < order.length; n += 1) {
        subs.push(await subscribed(order[n], channel));
        await order[n].publish(channel, n % 2 === 0 ? { n } : bytes_of({ n }));
        await nodes[n % 3].api_result('publish', { channel, data: { n, by: 'api' } });
      }
      for (const [i, sub] of subs.entries()) {
        await eventually(() => data_of(sub).length === 2 * (order.length - i), `all of ${channel}`);
        check_equal(data_of(sub), data_of(subs[0]).slice(2 * i), 'one order');
      }
      // All of one protocol leave a node, and come again.
      subs[1].unsubscribe();
      await nodes[0].api_result('publish', { channel, data: 'meanwhile' });
      await eventually(() => data_of(subs[0]).at(-1) === 'meanwhile', 'the others go on');
      subs[1].subscribe();
      await event_of(subs[1].events, 'subscribed', 2);
      await subs[1].publish(bytes_of('again'));
      await eventually(() => subs.every((sub) => data_of(sub).at(-1) === 'again'), 'all hear it');
      check(!data_of(subs[1]).includes('meanwhile'), 'nothing while it was away');
    }
  });

  report.test('bytes that are no JSON end JSON clients of all nodes, and no others', async (context) => {
    for (const channel of channels_of('bytes').slice(0, 4)) {
      const json = await Promise.all(nodes.slice(0, 3).map((node) => open_user(context, node, 'j')));
      const bytes = await Promise.all(nodes.slice(0, 3).map((node) =>
        open_user(context, node, 'b', { protocol: 'bytes' })));
      const in_json = await Promise.all(json.map((client) => subscribed(client, channel)));
      const in_bytes = await Promise.all(bytes.map((client) => subscribed(client, channel)));
      await bytes[channel.at(-1) % 3].publish(channel, NO_JSON);
      for (const sub of in_bytes) {
        check_equal(hex((await event_of(sub.events, 'publication')).data), hex(NO_JSON), 'bytes');
      }
      for (const [i, client] of json.entries()) {
        check_equal((await event_of(client.events, 'disconnected')).code, 3506, 'the code');
        check_equal(publications_of(in_json[i]).length, 0, 'nothing but that');
      }
    }
  });

  report.test('joins and leaves reach both protocols on all nodes', async (context) => {
    for (const channel of channels_of('who:both').slice(0, 4)) {
      const json = await open_user(context, nodes[0], 'j');
      const bytes = await open_user(context, nodes[1], 'b', { protocol: 'bytes' });
      const subs = [await subscribed(json, channel), await subscribed(bytes, channel)];
      const third = await open_user(context, nodes[2], 'b', { protocol: 'bytes' });
      const last = await subscribed(third, channel);
      const told = (sub, name) => sub.events.some(([event, ctx]) =>
        event === name && ctx.info.client === third.id);
      await eventually(() => subs.every((sub) => told(sub, 'join')), 'the join');
      last.unsubscribe();
      await eventually(() => subs.every((sub) => told(sub, 'leave')), 'the leave');
    }
  });

  report.test('a payload crosses a link once, in however many protocols it is heard', async (context) => {
    const SIZE = 20_000;
    const COUNT = 12;
    const subs = [];
    const channels = channels_of('once');
    for (const protocol of ['json', 'json', 'bytes', 'bytes']) {
      const client = await open_user(context, nodes[2], 'b', { protocol });
      subs.push(...await Promise.all(channels.map((channel) => subscribed(client, channel))));
    }
    const came = () => nodes[2].metric('roost_link_bytes', 'direction="in"');
    // Figures of links are told now and then: they are those of now when hardly anything is added any more.
    let before = await came();
    await eventually(async () => {
      await sleep(1500);
      const last = before;
      before = await came();
      return before - last < SIZE;
    }, 'quiet');
    for (let n = 0; n < COUNT; n += 1) {
      const channel = channels[n % CHANNELS];
      await nodes[0].api_result('publish', { channel, data: 'x'.repeat(SIZE) });
    }
    await eventually(() => subs.reduce((sum, sub) => sum + data_of(sub).length, 0) === 4 * COUNT,
      'everybody has all');
    const crossed = async () => ((await came()) - before) / (COUNT * SIZE);
    await eventually(async () => (await crossed()) > 0.5, 'the payloads to be counted');
    await sleep(1500);
    check((await crossed()) < 1.3, `the payloads crossed ${(await crossed()).toFixed(2)} times`);
  });
}
