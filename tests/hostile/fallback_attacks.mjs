// SPDX-License-Identifier: Apache-2.0
// Attacks by those who get HTTP streams: waves of them, readers that stop, floods and guesses of
// emulation.
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { RawSocket } from '../conformance/support/raw_websocket.mjs';
import { WAIT_MS_MAX, check, check_equal, eventually, sleep } from '../conformance/support/report.mjs';

const REFUSED = 'roost_transport_refused_count';
const EMULATION = 'roost_emulation_requests_count';
const STREAM = '/connection/http_stream';
const CONNECT = '{"id":1,"connect":{}}';

// What the nodes of this suite are told; so many streams fit.
export const FALLBACK_CONFIG = {
  http_stream: { enabled: true },
  sse: { enabled: true },
  fallback: { memory_limit: 8 << 20 },
};
const AT_ONCE = 100;
const STREAMS_MAX = (8 << 20) / 4096;

function post(target, body, head = '') {
  return `POST ${target} HTTP/1.1\r\nHost: a\r\n${head}Content-Length: ${body.length}\r\n\r\n${body}`;
}

async function open_stream(context, node, body = CONNECT) {
  const socket = await RawSocket.connect(node.port);
  context.defer(() => socket.destroy());
  socket.write(post(STREAM, body));
  const head = await socket.read_head();
  return { socket, status: head?.status };
}

async function read_line(socket) {
  while (socket.peek().indexOf('\n') < 0) {
    check(await socket.fill(socket.available + 1), 'the stream ended');
  }
  return socket.take(socket.peek().indexOf('\n') + 1).toString();
}

async function taken(node) {
  return node.metric('roost_transport_fallback_bytes');
}

function add_wave(attacks) {
  attacks.add('a wave of HTTP streams', { counts: [[REFUSED, 'reason="fallback_memory"', 400]] },
    async (context, node) => {
      const streams = [];
      for (let i = 0; i < STREAMS_MAX + 500; i += AT_ONCE) {
        streams.push(...await Promise.all(
          Array.from({ length: AT_ONCE }, () => open_stream(context, node))));
      }
      const open = streams.filter(({ status }) => status === 200).length;
      check(streams.every(({ status }) => status === 200 || status === 503), 'another status');
      // Each shard looks once a turn at what all have taken.
      check(Math.abs(open - STREAMS_MAX) < AT_ONCE, `${open} streams are open`);
      check((await taken(node)) < (8 << 20) * (1 + AT_ONCE / STREAMS_MAX), 'more than the limit');
      await attacks.chat.check();
      streams.forEach(({ socket }) => socket.destroy());
      await eventually(async () => (await taken(node)) === 0, 'their memory to be free');
    });
}

// What waits for them is in the limit too, so the slowest go, and the others' turns go on.
function add_slow(attacks) {
  attacks.add('readers of HTTP streams that stop', {
    counts: [['roost_client_num_server_disconnects', 'code="3008"', 10]] }, async (context, node) => {
    const channel = `slow-${randomUUID()}`;
    const subscribe = `${CONNECT}\n{"id":2,"subscribe":{"channel":"${channel}"}}`;
    const streams = await Promise.all(
      Array.from({ length: 60 }, () => open_stream(context, node, subscribe)));
    streams.forEach(({ socket }) => socket.tcp.pause());
    let most = 0;
    const data = 'x'.repeat(60_000);
    for (let i = 0; i < 120; i += 1) {
      await node.api('publish', { channel, data });
      most = Math.max(most, await taken(node));
    }
    check(most > 1 << 20, `only ${most} bytes ever waited`);
    // Each shard looks once a turn, and may then add what one turn brings.
    check(most <= 9 << 20, `${most} bytes waited`);
    await attacks.chat.check();
  });
}

function add_emulation(attacks) {
  attacks.add('guesses of sessions', { counts: [[EMULATION, 'result="no_session"', 2000]] },
    async (_context, node) => {
      const uid = (await node.api_result('info')).nodes[0].uid;
      const agent = new http.Agent({ keepAlive: true, maxSockets: 20 });
      for (let i = 0; i < 2000; i += 100) {
        const answers = await Promise.all(Array.from({ length: 100 }, () => node.request('POST',
          '/emulation', { agent, headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({ node: uid, session: randomUUID(), data: '{"id":2}' }) })));
        check(answers.every(({ status }) => status === 204), 'an answer that is not 204');
      }
      agent.destroy();
    });
  attacks.add('a flood of emulation', { counts: [[EMULATION, 'result="refused"', 1],
    ['roost_client_num_server_disconnects', 'code="3013"', 1]] }, async (context, node) => {
    const { socket } = await open_stream(context, node);
    const { connect } = JSON.parse(await read_line(socket));
    const body = JSON.stringify({ node: connect.node, session: connect.session,
      data: '{"id":2,"presence":{"channel":"x"}}' });
    const flood = await RawSocket.connect(node.port);
    context.defer(() => flood.destroy());
    for (let i = 0; i < 2000; i += 1) {
      flood.write(post('/emulation', body));
    }
    const said = (await socket.read_to_end()).toString();
    check(said.includes('"disconnect":{"code":3013'), `ended with ${said.slice(-200)}`);
  });
  attacks.add('emulation that is garbage', { counts: [[REFUSED, 'reason="body_invalid"', 5]] },
    async (_context, node) => {
      const bodies = ['', '{', '[1]', '{"data":{}}', '\xff\xfe', '"x"', '{"session":1}'];
      for (const body of bodies) {
        for (const type of ['application/json', 'application/octet-stream']) {
          const { status } = await node.request('POST', '/emulation', {
            headers: { 'Content-Type': type }, body });
          check([204, 400, 404].includes(status), `${JSON.stringify(body)}: ${status}`);
        }
      }
      const { status } = await node.request('POST', '/emulation', { body: 'x'.repeat(65_537) });
      check_equal(status, 413, 'the status of too much');
    });
  attacks.add('garbage behind the request of a stream', { counts: [] }, async (context, node) => {
    const { socket } = await open_stream(context, node);
    await read_line(socket);
    for (let i = 0; i < 50; i += 1) {
      socket.write(Buffer.alloc(60_000, 'GET / HTTP/1.1\r\n\r\n\x88\x80'));
    }
    await sleep(500);
    check(!socket.ended, 'the stream ended');
  });
}

export function add_fallbacks(attacks) {
  add_wave(attacks);
  add_slow(attacks);
  add_emulation(attacks);
}

// Requests whose body never comes to its end.
export function patient_posts() {
  const half = async (context, node, target, type) => {
    const socket = await RawSocket.connect(node.port);
    context.defer(() => socket.destroy());
    socket.write(`POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\n`
      + 'Content-Length: 60000\r\n\r\n{"id":1');
    await socket.read_to_end(2 * WAIT_MS_MAX);
  };
  return [['half a POST for a stream, or of emulation', [REFUSED, 'reason="body_timeout"', 200],
    async (context, node) => {
      await Promise.all(Array.from({ length: 100 }, async () => {
        await Promise.all([half(context, node, STREAM, 'application/json'),
          half(context, node, '/emulation', 'application/octet-stream')]);
      }));
    }]];
}
