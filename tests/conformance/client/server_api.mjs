// SPDX-License-Identifier: Apache-2.0
// The HTTP API as backends use it.
import {
  event_of, open_client, open_user, publications_of, subscribed, unique,
} from '../support/client.mjs';
import { API_KEY } from '../support/node.mjs';
import { check, check_equal, eventually, sleep } from '../support/report.mjs';
import { start_for } from './nodes.mjs';

function call(node, method, { key_header = { 'X-API-Key': API_KEY }, body = '{}', query = '',
  verb = 'POST', headers = {} } = {}) {
  return node.request(verb, `/api/${method}${query}`,
    { headers: { ...key_header, ...headers }, body });
}

function add_doors(report, node) {
  const accepted = {
    'X-API-Key': { key_header: { 'X-API-Key': API_KEY } },
    'Authorization': { key_header: { Authorization: `apikey ${API_KEY}` } },
    'Authorization, another case': { key_header: { Authorization: `APIKEY ${API_KEY}` } },
    'the query': { key_header: {}, query: `?api_key=${API_KEY}` },
    'the query among others': { key_header: {}, query: `?x=1&api_key=${API_KEY}&y` },
  };
  for (const [name, options] of Object.entries(accepted)) {
    report.test(`api: the key by ${name}`, async () => {
      const answer = await call(node, 'info', options);
      check_equal(answer.status, 200, 'status');
      check(answer.headers['content-type'].startsWith('application/json'), 'the content type');
    });
  }
  const refused = {
    'no key': { key_header: {} },
    'another key': { key_header: { 'X-API-Key': 'no' } },
    'a prefix of the key': { key_header: { 'X-API-Key': API_KEY.slice(0, -1) } },
    'more than the key': { key_header: { 'X-API-Key': `${API_KEY}x` } },
    'an empty key': { key_header: { 'X-API-Key': '' } },
    'another scheme': { key_header: { Authorization: `Bearer ${API_KEY}` } },
    'a wrong key in the query': { key_header: {}, query: '?api_key=no' },
  };
  for (const [name, options] of Object.entries(refused)) {
    report.test(`api: ${name} is 401`, async () => {
      const channel = unique('plain:');
      check_equal((await call(node, 'info', options)).status, 401, 'info');
      const body = JSON.stringify({ channel, data: 1 });
      check_equal((await call(node, 'publish', { ...options, body })).status, 401, 'publish');
    });
  }
  for (const verb of ['GET', 'PUT', 'DELETE', 'HEAD']) {
    report.test(`api: ${verb} is 405`, async () => {
      check_equal((await call(node, 'info', { verb, body: null })).status, 405, 'status');
    });
  }
  for (const body of ['', '{', '[]', '"x"', '{"channel":}', 'garbage', '{"channel":1,"data":1}',
    '{"channel":"plain:x","data":1}garbage', '{"channel":"plain:\xff","data":1}']) {
    report.test(`api: the body ${JSON.stringify(body)} is 400`, async () => {
      const answer = await call(node, 'publish', { body: Buffer.from(body, 'latin1') });
      check_equal(answer.status, 400, 'status');
    });
  }
  report.test('api: an unknown method is 404', async () => {
    check_equal((await call(node, 'no_such_method')).status, 404, 'status');
  });
  report.test('api: without a key configured all is 401', async (context) => {
    const keyless = await start_for(context, { http_api: { key: '' } });
    check_equal((await call(keyless, 'info')).status, 401, 'with a key');
    check_equal((await call(keyless, 'info', { key_header: { 'X-API-Key': '' } })).status, 401,
      'with an empty key');
  });
  report.test('api: insecure needs no key', async (context) => {
    const insecure = await start_for(context, { http_api: { insecure: true, key: '' } });
    check_equal((await call(insecure, 'info', { key_header: {} })).status, 200, 'status');
  });
}

function add_error_mode(report, node) {
  const unknown = { body: '{"channel":"unknown:x","data":1}' };
  const error = { code: 102, message: 'unknown channel' };
  report.test('api: errors come with status 200', async () => {
    const answer = await call(node, 'publish', unknown);
    check_equal([answer.status, JSON.parse(answer.body)], [200, { error }], 'the answer');
  });
  report.test('api: error mode transport by header', async () => {
    const headers = { 'X-Centrifugo-Error-Mode': 'transport' };
    const answer = await call(node, 'publish', { ...unknown, headers });
    check_equal([answer.status, JSON.parse(answer.body)], [404, error], 'the answer to 102');
    const bad = await call(node, 'publish', { body: '{"channel":"","data":1}', headers });
    check_equal([bad.status, JSON.parse(bad.body).code], [400, 107], 'the answer to 107');
    const off = await call(node, 'presence', { body: '{"channel":"plain:x"}', headers });
    check_equal([off.status, JSON.parse(off.body).code], [400, 108], 'the answer to 108');
  });
  report.test('api: error mode transport by configuration', async (context) => {
    const transport = await start_for(context, { http_api: { error_mode: 'transport' } });
    const answer = await call(transport, 'publish', unknown);
    check_equal([answer.status, JSON.parse(answer.body)], [404, error], 'the answer');
  });
  const errors = [
    ['publish', { channel: '', data: 1 }, 107], ['publish', { channel: 'plain:x' }, 107],
    ['publish', { channel: 'object:x', data: [1] }, 107],
    ['broadcast', { channels: [], data: 1 }, 107],
    ['presence', { channel: '' }, 107], ['presence', { channel: 'unknown:x' }, 102],
    ['presence', { channel: 'plain:x' }, 108], ['presence_stats', { channel: '' }, 107],
    ['presence_stats', { channel: 'unknown:x' }, 102],
    ['presence_stats', { channel: 'plain:x' }, 108],
    ['unsubscribe', { user: 'ann', channel: 'unknown:x' }, 102],
  ];
  for (const [method, params, code] of errors) {
    report.test(`api: ${method} of ${JSON.stringify(params)} is ${code}`, async () => {
      check_equal((await node.api(method, params)).error?.code, code, 'the code');
    });
  }
}

function add_publishing(report, node) {
  report.test('api: publish reaches subscribers, without info', async (context) => {
    const channel = unique('plain:');
    const subscription = await subscribed(await open_client(context, node), channel);
    check_equal(await node.api('publish', { channel, data: { a: 'é' } }), { result: {} }, 'answer');
    const { data, info, tags } = await event_of(subscription.events, 'publication');
    check_equal([data, info, tags], [{ a: 'é' }, undefined, undefined], 'the publication');
  });
  report.test('api: publish carries tags', async (context) => {
    const channel = unique('plain:');
    const subscription = await subscribed(await open_client(context, node), channel);
    const tags = { a: '1', 'ключ': 'ß' };
    await node.api_result('publish', { channel, data: 1, tags });
    check_equal((await event_of(subscription.events, 'publication')).tags, tags, 'the tags');
  });
  report.test('api: publish takes base64', async (context) => {
    const channel = unique('plain:');
    const subscription = await subscribed(await open_client(context, node), channel);
    const b64data = Buffer.from('{"from":"base64"}').toString('base64');
    await node.api_result('publish', { channel, b64data });
    check_equal((await event_of(subscription.events, 'publication')).data, { from: 'base64' }, 'it');
  });
  report.test('api: broadcast reaches each channel', async (context) => {
    const channels = Array.from({ length: 20 }, () => unique('plain:'));
    const client = await open_client(context, node);
    const other = await open_client(context, node);
    const all = [];
    for (const [i, channel] of channels.entries()) {
      all.push(await subscribed(i % 2 ? client : other, channel));
    }
    const answer = await node.api('broadcast', { channels, data: 'all' });
    check_equal(answer, { result: { responses: channels.map(() => ({ result: {} })) } }, 'answer');
    for (const one of all) {
      check_equal((await event_of(one.events, 'publication')).data, 'all', 'the data');
    }
  });
  report.test('api: broadcast tells errors by channel', async () => {
    const { responses } = await node.api_result('broadcast',
      { channels: ['plain:a', 'unknown:b', 'plain:c'], data: 1 });
    check_equal(responses.map((one) => one.error?.code), [undefined, 102, undefined], 'codes');
  });
  report.test('api: publications of one connection keep their order', async (context) => {
    const channel = unique('plain:');
    const subscription = await subscribed(await open_client(context, node), channel);
    for (let i = 0; i < 100; i += 1) {
      await node.api_result('publish', { channel, data: i });
    }
    await event_of(subscription.events, 'publication', 100);
    check_equal(publications_of(subscription).map((ctx) => ctx.data),
      Array.from({ length: 100 }, (_, i) => i), 'the data');
  });
}

function add_presence(report, node) {
  report.test('api: presence and presence_stats', async (context) => {
    const channel = unique('open:');
    const ann = await open_user(context, node, 'ann', { claims: { info: { a: 1 } } });
    const bob = await open_client(context, node);
    check_equal(await node.api('presence', { channel }), { result: { presence: {} } }, 'empty');
    check_equal(await node.api('presence_stats', { channel }),
      { result: { num_clients: 0, num_users: 0 } }, 'empty stats');
    await subscribed(ann, channel);
    await subscribed(bob, channel);
    check_equal((await node.api_result('presence', { channel })).presence, {
      [ann.id]: { user: 'ann', client: ann.id, conn_info: { a: 1 } },
      [bob.id]: { user: '', client: bob.id },
    }, 'presence');
    check_equal(await node.api_result('presence_stats', { channel }),
      { num_clients: 2, num_users: 2 }, 'stats');
  });
  report.test('api: channels, with patterns', async (context) => {
    const mark = unique('m');
    const client = await open_client(context, node);
    const other = await open_client(context, node);
    const names = ['a1', 'a2', 'b1', 'b1:deep'].map((name) => `plain:${mark}-${name}`);
    for (const name of names) {
      await subscribed(client, name);
    }
    await subscribed(other, names[0]);
    const matching = async (pattern) => (await node.api_result('channels', { pattern })).channels;
    check_equal(await matching(`plain:${mark}-a*`),
      { [names[0]]: { num_clients: 2 }, [names[1]]: { num_clients: 1 } }, 'a*');
    const keys = async (pattern) => Object.keys(await matching(pattern)).sort();
    check_equal(await keys(`plain:${mark}-?1`), [names[0], names[2]], '?1');
    check_equal(await keys(`plain:${mark}-[ab]1`), [names[0], names[2]], '[ab]1');
    check_equal(await keys(`plain:${mark}-{a2,b1}`), [names[1], names[2]], '{a2,b1}');
    check_equal(await keys(`*${mark}*`), names, '* on both sides');
    check_equal(await keys(`plain:${mark}-c*`), [], 'nothing');
    check_equal((await keys('')).filter((name) => name.includes(mark)), names, 'all');
    client.disconnect();
    await eventually(async () => (await keys(`*${mark}*`)).length === 1, 'one channel left');
  });
  report.test('api: info', async (context) => {
    const user = unique('user-');
    await subscribed(await open_user(context, node, user), unique('plain:'));
    await eventually(async () => {
      const { nodes } = await node.api_result('info');
      check_equal(nodes.length, 1, 'nodes');
      const [one] = nodes;
      for (const key of ['uid', 'name', 'version']) {
        check(typeof one[key] === 'string' && one[key] !== '', `info has no ${key}`);
      }
      for (const key of ['num_clients', 'num_users', 'num_channels', 'num_subs']) {
        check(Number.isInteger(one[key]), `info has no ${key}`);
      }
      return one.num_clients >= 1 && one.num_users >= 1 && one.num_channels >= 1
        && one.num_subs >= 1;
    }, 'the counts of info');
  });
}

function add_control(report, node) {
  report.test('api: disconnect a user', async (context) => {
    const user = unique('user-');
    const clients = [await open_user(context, node, user), await open_user(context, node, user)];
    const other = await open_user(context, node, unique('user-'));
    check_equal(await node.api('disconnect', { user }), { result: {} }, 'the answer');
    for (const client of clients) {
      const { code, reason } = await event_of(client.events, 'disconnected');
      check_equal([code, reason], [3503, 'force disconnect'], 'what is told');
    }
    await sleep(50);
    check_equal(other.state, 'connected', 'the other');
  });
  report.test('api: disconnect one client of a user', async (context) => {
    const user = unique('user-');
    const [one, two] = [await open_user(context, node, user), await open_user(context, node, user)];
    await node.api_result('disconnect', { user, client: one.id });
    await event_of(one.events, 'disconnected');
    await sleep(50);
    check_equal(two.state, 'connected', 'the other');
  });
  report.test('api: disconnect all but a whitelist, with a code', async (context) => {
    const user = unique('user-');
    const [one, two] = [await open_user(context, node, user), await open_user(context, node, user)];
    await node.api_result('disconnect', { user, whitelist: [two.id],
      disconnect: { code: 4321, reason: 'go away' } });
    const { code, reason } = await event_of(one.events, 'connecting', 2);
    check_equal([code, reason], [4321, 'go away'], 'what is told');
    await sleep(50);
    check_equal(two.state, 'connected', 'the other');
  });
  report.test('api: disconnect with a terminal code', async (context) => {
    const user = unique('user-');
    const client = await open_user(context, node, user);
    await node.api_result('disconnect', { user, disconnect: { code: 4500, reason: 'never again' } });
    check_equal((await event_of(client.events, 'disconnected')).code, 4500, 'the code');
  });
  report.test('api: disconnect an anonymous client by its id', async (context) => {
    const [one, two] = [await open_client(context, node), await open_client(context, node)];
    await node.api_result('disconnect', { user: '', client: one.id });
    await event_of(one.events, 'disconnected');
    await sleep(50);
    check_equal(two.state, 'connected', 'the other');
  });
  report.test('api: disconnect nobody is no error', async () => {
    check_equal(await node.api('disconnect', { user: unique('nobody-') }), { result: {} }, 'answer');
  });
  report.test('api: unsubscribe a user from a channel', async (context) => {
    const user = unique('user-');
    const channels = [unique('plain:'), unique('plain:')];
    const client = await open_user(context, node, user);
    const [one, two] = [await subscribed(client, channels[0]), await subscribed(client, channels[1])];
    check_equal(await node.api('unsubscribe', { user, channel: channels[0] }), { result: {} }, 'it');
    const { code, reason } = await event_of(one.events, 'unsubscribed');
    check_equal([code, reason], [2000, 'server unsubscribe'], 'what is told');
    await node.api_result('publish', { channel: channels[0], data: 'unheard' });
    await node.api_result('publish', { channel: channels[1], data: 'heard' });
    await event_of(two.events, 'publication');
    check_equal(publications_of(one), [], 'publications after it');
    one.subscribe();
    await event_of(one.events, 'subscribed', 2);
  });
  report.test('api: unsubscribe one client of a user', async (context) => {
    const user = unique('user-');
    const channel = unique('open:');
    const clients = [await open_user(context, node, user), await open_user(context, node, user)];
    const [one, two] = [await subscribed(clients[0], channel), await subscribed(clients[1], channel)];
    await node.api_result('unsubscribe', { user, channel, client: clients[0].id });
    await event_of(one.events, 'unsubscribed');
    await eventually(async () => (await node.api_result('presence_stats', { channel }))
      .num_clients === 1, 'presence of the other alone');
    check_equal(two.state, 'subscribed', 'the other');
  });
}

export function add_server_api(report, node) {
  add_doors(report, node);
  add_error_mode(report, node);
  add_publishing(report, node);
  add_presence(report, node);
  add_control(report, node);
}
