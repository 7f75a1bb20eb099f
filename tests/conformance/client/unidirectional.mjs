// SPDX-License-Identifier: Apache-2.0
// Clients that only listen, with nothing but what node brings: fetch, and npm ws.
import WebSocket from 'ws';
import { make_token, new_client, connected, unique } from '../support/client.mjs';
import { WAIT_MS_MAX, check, check_equal, within } from '../support/report.mjs';
import { start_for } from './nodes.mjs';

// A queue of pushes, ended by null.
class Pushes {
  #pushes = [];
  #wake = null;

  put(push) {
    this.#pushes.push(push);
    this.#wake?.();
  }

  async next() {
    await within(WAIT_MS_MAX, (async () => {
      while (this.#pushes.length === 0) {
        await new Promise((resolve) => {
          this.#wake = resolve;
        });
      }
    })(), 'a push');
    return this.#pushes.shift();
  }
}

async function read_stream(response, before, after, pushes) {
  let rest = '';
  const decoder = new TextDecoder();
  try {
    for await (const bytes of response.body) {
      const messages = (rest + decoder.decode(bytes, { stream: true })).split(after);
      rest = messages.pop();
      for (const message of messages.map((one) => one.replace(/^\r\n/, ''))) {
        check(message.startsWith(before), `not a message: ${JSON.stringify(message)}`);
        pushes.put(JSON.parse(message.slice(before.length)));
      }
    }
  } catch {
    // Cut by the case's end.
  }
  pushes.put(null);
}

async function open_by_fetch(context, node, { target, body, before, after }) {
  const pushes = new Pushes();
  const abort = new AbortController();
  context.defer(() => abort.abort());
  const response = await fetch(`http://127.0.0.1:${node.port}${target}`, {
    method: body === undefined ? 'GET' : 'POST', body, signal: abort.signal });
  pushes.status = response.status;
  pushes.type = response.headers.get('content-type');
  if (response.status === 200) {
    read_stream(response, before, after, pushes);
  }
  return pushes;
}

function open_websocket(context, node, request) {
  const pushes = new Pushes();
  const ws = new WebSocket(`ws://127.0.0.1:${node.port}/connection/uni_websocket`);
  context.defer(() => ws.terminate());
  ws.on('open', () => ws.send(JSON.stringify(request)));
  ws.on('message', (text) => pushes.put(JSON.parse(text)));
  ws.on('close', (code, reason) => {
    pushes.close = [code, reason.toString()];
    pushes.put(null);
  });
  ws.on('error', () => {});
  pushes.ws = ws;
  return pushes;
}

const OPEN = {
  'uni_sse by GET': (context, node, request) => open_by_fetch(context, node, {
    target: `/connection/uni_sse?cf_connect=${encodeURIComponent(JSON.stringify(request))}`,
    before: 'data: ', after: '\n\n' }),
  'uni_sse by POST': (context, node, request) => open_by_fetch(context, node, {
    target: '/connection/uni_sse', body: JSON.stringify(request), before: 'data: ',
    after: '\n\n' }),
  uni_http_stream: (context, node, request) => open_by_fetch(context, node, {
    target: '/connection/uni_http_stream', body: JSON.stringify(request), before: '',
    after: '\n' }),
  uni_websocket: open_websocket,
};

function add_listening(report, node, name, open) {
  report.test(`${name}: hears of channels that it may subscribe to, and the end`, async (context) => {
    const channel = unique('kept:');
    const pushes = await open(context, node, { name: 'me', subs: { [channel]: {}, 'closed:x': {} } });
    const { connect } = await pushes.next();
    check_equal(Object.keys(connect.subs), [channel], 'its subscriptions');
    check_equal([connect.ping, connect.pong], [25, undefined], 'pings, and nothing for them');
    check(connect.session, 'it has no session');
    await node.api_result('publish', { channel, data: { n: 1 } });
    const { pub, ...rest } = await pushes.next();
    check_equal([rest, pub.data, pub.offset], [{ channel }, { n: 1 }, 1], 'the push');
    await node.api_result('unsubscribe', { user: '', session: connect.session, channel });
    check_equal(await pushes.next(), { channel, unsubscribe: { code: 2000,
      reason: 'server unsubscribe' } }, 'the unsubscribe push');
    await node.api_result('disconnect', { user: '', session: connect.session,
      disconnect: { code: 4100, reason: 'enough' } });
    check_equal(await pushes.next(), { disconnect: { code: 4100, reason: 'enough' } }, 'the end');
    check_equal(await pushes.next(), null, 'what comes after it');
    if (pushes.close) {
      check_equal(pushes.close, [4100, 'enough'], 'the close frame');
    }
  });
  report.test(`${name}: recovers what it missed`, async (context) => {
    const channel = unique('stream:');
    await node.api_result('publish', { channel, data: 1 });
    const first = await open(context, node, { subs: { [channel]: {} } });
    const { epoch, offset } = (await first.next()).connect.subs[channel];
    check_equal(offset, 1, 'where it is');
    await node.api_result('publish', { channel, data: 2 });
    const again = await open(context, node, { subs: { [channel]: { recover: true, epoch, offset } } });
    const sub = (await again.next()).connect.subs[channel];
    check_equal([sub.recovered, sub.publications.map(({ data }) => data)], [true, [2]], 'recovery');
  });
  report.test(`${name}: tokens count, and refusals are disconnects`, async (context) => {
    const user = unique('user');
    const good = await open(context, node, { token: make_token({ sub: user,
      channels: ['closed:news'] }) });
    check_equal((await good.next()).connect.subs, { 'closed:news': {} }, 'what its token brings');
    for (const [token, code] of [[make_token({ sub: user, exp: 1 }), 3005], ['no.such.token', 3500]]) {
      const pushes = await open(context, node, { token });
      check_equal((await pushes.next()).disconnect.code, code, 'the code');
      check_equal(await pushes.next(), null, 'what comes after it');
    }
  });
}

export function add_unidirectional(report, node) {
  for (const [name, open] of Object.entries(OPEN)) {
    add_listening(report, node, name, open);
  }
  report.test('unidirectional: pings are empty pushes', async (context) => {
    const quick = await start_for(context, { client: { ping_interval: '1s', pong_timeout: '500ms' } });
    const all = await Promise.all(Object.values(OPEN).map((open) => open(context, quick, {})));
    for (const pushes of all) {
      check((await pushes.next()).connect, 'connect comes first');
      check_equal(await pushes.next(), {}, 'a ping');
      check_equal(await pushes.next(), {}, 'another, for which nobody had to answer');
    }
  });
  report.test('unidirectional: errors of connect end as the configuration says', async (context) => {
    const strict = await start_for(context, { client: { connect_code_to_unidirectional_disconnect: {
      enabled: true, transforms: [{ code: 109, to: { code: 4109, reason: 'come back' } }] } } });
    for (const open of Object.values(OPEN)) {
      const pushes = await open(context, strict, { token: make_token({ sub: 'u', exp: 1 }) });
      check_equal(await pushes.next(), { disconnect: { code: 4109, reason: 'come back' } }, 'the end');
    }
  });
  report.test('unidirectional: outcomes of connect may be statuses of HTTP', async (context) => {
    const answers = { connect_code_to_http_response: { enabled: true, transforms: [
      { code: 109, to: { status_code: 401, body: '{"again":true}' } },
      { code: 3500, to: { status_code: 403 } }] } };
    const strict = await start_for(context, { uni_sse: answers, uni_http_stream: answers });
    for (const target of ['/connection/uni_sse', '/connection/uni_http_stream']) {
      const by = (request) => fetch(`http://127.0.0.1:${strict.port}${target}`,
        { method: 'POST', body: JSON.stringify(request) });
      const expired = await by({ token: make_token({ sub: 'u', exp: 1 }) });
      check_equal([expired.status, await expired.text()], [401, '{"again":true}'], 'expired');
      const wrong = await by({ token: 'x' });
      check_equal([wrong.status, await wrong.text()], [403, 'invalid token'], 'no token');
      const other = await by({ token: make_token({ sub: 'u', channels: ['nowhere:a'] }) });
      check_equal([other.status, await other.text()], [500, 'Internal Server Error'], 'any other');
      const let_in = await by({ token: make_token({ sub: 'u' }) });
      check_equal(let_in.status, 200, 'who is let in');
      await let_in.body.cancel();
    }
  });
  report.test('unidirectional: requests that are none get a status', async (context) => {
    const by = (target, body) => open_by_fetch(context, node, { target, body });
    check_equal((await by('/connection/uni_sse?cf_connect=%7B')).status, 400, 'half of JSON');
    check_equal((await by('/connection/uni_http_stream', 'x'.repeat(70_000))).status, 413, 'too much');
    check_equal((await by('/connection/uni_http_stream')).status, 405, 'a GET');
    check_equal((await by('/connection/init')).status, 200, 'init');
  });
  report.test('fallbacks: the list of a client is gone through', async (context) => {
    const url = `http://127.0.0.1:${node.port}`;
    const client = await connected(new_client(context, { url: [
      { transport: 'websocket', endpoint: `${url.replace('http', 'ws')}/nowhere` },
      { transport: 'http_stream', endpoint: `${url}/connection/http_stream` },
    ] }, { emulationEndpoint: `${url}/emulation` }));
    check_equal(client._transport.name(), 'http_stream', 'what it came to');
  });
}
