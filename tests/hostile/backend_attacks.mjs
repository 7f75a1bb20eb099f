// SPDX-License-Identifier: Apache-2.0
// Backends that mean harm, or are broken: whoever asks them gets an error soon, and nobody else
// notices.
import net from 'node:net';
import { open_client } from '../conformance/support/client.mjs';
import { Node } from '../conformance/support/node.mjs';
import { WAIT_MS_MAX, check, check_equal, eventually } from '../conformance/support/report.mjs';
import { Chat } from './chat.mjs';

const TIMEOUT_MS = 400;
const CLIENTS = 10; // Each asks once: its commands would wait for each other.
const INTERNAL = 100;
const GOOD = '{"result":{"data":1}}';
const MIB = Buffer.alloc(1 << 20, 'x');

function answer(status, body, head = '') {
  return `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n${head}\r\n${body}`;
}

// Says more and more, as long as somebody listens.
function endlessly(socket, first, piece) {
  socket.write(first);
  const more = () => {
    while (!socket.destroyed && socket.write(piece)) { /* More fits. */ }
  };
  socket.on('drain', more);
  more();
}

function slowly(socket, text, pause_ms) {
  let at = 0;
  const timer = setInterval(() => {
    if (socket.destroyed || at === text.length) {
      clearInterval(timer);
    } else {
      socket.write(text[at++]);
    }
  }, pause_ms);
}

// What each does with a request that it has read.
const MANNERS = {
  garbage: (socket) => socket.write(Buffer.from(Array.from({ length: 4096 }, (_, i) => i * 7 & 255))),
  'another protocol': (socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'),
  'a head that does not end': (socket) => endlessly(socket, 'HTTP/1.1 200 OK\r\n',
    `X-More: ${'y'.repeat(500)}\r\n`),
  'a line that does not end': (socket) => endlessly(socket, 'HTTP/1.1 200 ', 'z'.repeat(4096)),
  'a body that does not end': (socket) => endlessly(socket, 'HTTP/1.1 200 OK\r\n\r\n', MIB),
  'chunks that do not end': (socket) => endlessly(socket,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', `10000\r\n${'c'.repeat(65536)}\r\n`),
  'a chunk without a size': (socket) => socket.write(
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n'),
  'a length beyond every limit': (socket) => socket.write(
    'HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n'),
  'two lengths': (socket) => socket.write(
    `HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 21\r\n\r\n${GOOD}`),
  'endless interim answers': (socket) => endlessly(socket, '', 'HTTP/1.1 100 Continue\r\n\r\n'),
  'a byte now and then': (socket) => slowly(socket, answer('200 OK', GOOD), 50),
  silence: () => {},
  'an end at once': (socket) => socket.destroy(),
  'an end within the head': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-'),
  'an end within the body': (socket) => socket.end(answer('200 OK', GOOD).slice(0, -5)),
  'a redirect': (socket) => socket.write(answer('302 Found', '', 'Location: http://[::1]:1/\r\n')),
  'no JSON': (socket) => socket.write(answer('200 OK', '{"result":')),
  'JSON that is deep': (socket) => socket.write(answer('200 OK',
    `{"result":{"data":${'['.repeat(50_000)}${']'.repeat(50_000)}}}`)),
  'JSON of other types': (socket) => socket.write(answer('200 OK', '{"result":[1],"error":"x"}')),
};

class HostileBackend {
  manner = 'silence';
  #sockets = new Set();

  static async start(context) {
    const backend = new HostileBackend();
    backend.server = net.createServer((socket) => backend.#serve(socket));
    await new Promise((resolve) => { backend.server.listen(0, '127.0.0.1', resolve); });
    backend.url = `http://127.0.0.1:${backend.server.address().port}`;
    context.defer(() => {
      backend.server.close();
      backend.#sockets.forEach((socket) => socket.destroy());
    });
    return backend;
  }

  #serve(socket) {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    let read = '';
    socket.on('data', (bytes) => {
      read += bytes.toString('latin1');
      if (/\r\n\r\n[^]*\}$/.test(read)) {
        read = '';
        const behave = this.manner === 'good' ? (to) => to.write(answer('200 OK', GOOD))
          // What comes behind an answer is of no request.
          : this.manner === 'two answers' ? (to) => to.write(answer('200 OK', GOOD)
            + answer('200 OK', '{"result":{"data":"stolen"}}'))
            : MANNERS[this.manner];
        behave(socket);
      }
    });
  }
}

const CONFIG = (url) => ({
  client: { insecure: true, ping_interval: '100s', pong_timeout: '90s' },
  rpc: { proxy: { endpoint: `${url}/rpc`, timeout: `${TIMEOUT_MS}ms` },
    without_namespace: { proxy_enabled: true } },
});

async function errors_of(client, count) {
  const told = await Promise.allSettled(Array.from({ length: count }, () => client.rpc('x', {})));
  return told.map(({ status, reason, value }) => (
    status === 'rejected' ? reason.code : JSON.stringify(value.data)));
}

export function add_backends(report, program) {
  report.test('backends of every bad manner cost nobody else', { ms_max: 5 * WAIT_MS_MAX }, async (context) => {
    const backend = await HostileBackend.start(context);
    const node = await Node.start(CONFIG(backend.url), { shards: 2, program });
    context.defer(() => node.stop_cleanly());
    const chat = await Chat.open(node);
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => open_client(context, node,
      { protocol: 'json', transport: 'websocket' })));
    const rss_kib = node.rss_kib();
    for (const manner of Object.keys(MANNERS)) {
      backend.manner = manner;
      const before = await node.metric('roost_proxy_errors', 'type="rpc"');
      const told = (await Promise.all(clients.map((client) => errors_of(client, 1)))).flat();
      check(told.every((one) => one === INTERNAL), `${manner}: ${told.join(' ')}`);
      const failed = await node.metric('roost_proxy_errors', 'type="rpc"') - before;
      check_equal(failed, CLIENTS, `${manner}: requests that are counted`);
    }
    backend.manner = 'two answers';
    const twice = await errors_of(clients[0], 10);
    check(twice.every((one) => one === '1' || one === INTERNAL), `two answers: ${twice.join(' ')}`);
    backend.manner = 'good';
    await eventually(async () => (await errors_of(clients[0], 4)).every((one) => one === '1'),
      'a good backend to be believed again');
    await chat.check();
    await chat.close();
    await eventually(async () => (await node.metric('roost_proxy_inflight_requests')) === 0, 'no request under way');
    check(program || node.rss_kib() < rss_kib + 128 * 1024,
      `${rss_kib} KiB before, ${node.rss_kib()} KiB after`);
  });
}
