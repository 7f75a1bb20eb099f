// SPDX-License-Identifier: Apache-2.0
// Attacks below and on HTTP: heads that are wrong, huge, slow or doubled, and what smuggling needs.
import { randomBytes } from 'node:crypto';
import { API_KEY } from '../conformance/support/node.mjs';
import { RawSocket, upgrade_request } from '../conformance/support/raw_websocket.mjs';
import { WAIT_MS_MAX, check, check_equal, sleep } from '../conformance/support/report.mjs';

const REFUSED = 'roost_transport_refused_count';
const WEBSOCKET = '/connection/websocket';

async function open(context, node) {
  const socket = await RawSocket.connect(node.port);
  context.defer(() => socket.destroy());
  return socket;
}

// The node refuses with one of these statuses, and ends the connection.
async function expect_refusal(socket, statuses) {
  const head = await socket.read_head();
  check(head !== null, 'closed without an answer');
  check(statuses.includes(head.status), `answered ${head.status}, not ${statuses}`);
  check_equal(head.headers.get('connection')?.toLowerCase(), 'close', 'Connection');
  const rest = (await socket.read_to_end()).toString('latin1');
  check(!rest.includes('HTTP/1.'), `a second answer: ${rest.slice(0, 200)}`);
}

function smuggled_publish(channel) {
  const body = JSON.stringify({ channel, data: 'smuggled' });
  return `POST /api/publish HTTP/1.1\r\nHost: a\r\nX-API-Key: ${API_KEY}\r\n`
    + `Content-Length: ${body.length}\r\n\r\n${body}`;
}

// Requests that two servers may cut at different places; behind each stands a call of the API.
function ambiguous_heads() {
  const start = 'POST /api/info HTTP/1.1\r\nHost: a\r\n';
  const key = `X-API-Key: ${API_KEY}\r\n`;
  return {
    'two lengths': [`${start}${key}Content-Length: 2\r\nContent-Length: 20\r\n\r\n{}`, [400]],
    'the same length twice': [`${start}${key}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`, [400]],
    'a list of lengths': [`${start}${key}Content-Length: 2, 2\r\n\r\n{}`, [400]],
    'length and chunked': [`${start}${key}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n`
      + '2\r\n{}\r\n0\r\n\r\n', [400]],
    'chunked and length': [`${start}${key}Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n`
      + '2\r\n{}\r\n0\r\n\r\n', [400]],
    'chunked twice': [`${start}${key}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`
      + '2\r\n{}\r\n0\r\n\r\n', [400, 501]],
    'chunked, identity': [`${start}${key}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
      [400, 501]],
    'xchunked': [`${start}${key}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, [400, 501]],
    'chunked with a control character': [`${start}${key}Transfer-Encoding: \x0bchunked\r\n\r\n`,
      [400, 501]],
    'an empty transfer encoding': [`${start}${key}Transfer-Encoding:\r\n\r\n`, [400, 501]],
    'chunked in HTTP/1.0': ['POST /api/info HTTP/1.0\r\nHost: a\r\n'
      + `${key}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, [400]],
    'space before the colon': [`${start}${key}Content-Length : 2\r\n\r\n{}`, [400]],
    'a folded header': [`${start}${key}X-A: 1\r\n Content-Length: 2\r\n\r\n{}`, [400]],
    'a folded first header': ['POST /api/info HTTP/1.1\r\n Host: a\r\n\r\n', [400]],
    'a bare LF after the request line': ['POST /api/info HTTP/1.1\nHost: a\r\n\r\n', [400]],
    'a bare LF after a header': [`${start}X-A: 1\nContent-Length: 2\r\n\r\n{}`, [400]],
    'a bare LF for the empty line': [`${start}${key}Content-Length: 2\r\n\n{}`, [400]],
    'a bare CR in a value': [`${start}X-A: 1\rContent-Length: 2\r\n\r\n`, [400]],
    'a NUL in a value': [`${start}X-A: \0\r\n\r\n`, [400]],
    'a NUL in a name': [`${start}X\0A: 1\r\n\r\n`, [400]],
    'an empty name': [`${start}: 1\r\n\r\n`, [400]],
    'a line without a colon': [`${start}garbage\r\n\r\n`, [400]],
    'a length with a sign': [`${start}${key}Content-Length: +2\r\n\r\n{}`, [400]],
    'a negative length': [`${start}${key}Content-Length: -2\r\n\r\n`, [400]],
    'a length in hex': [`${start}${key}Content-Length: 0x2\r\n\r\n{}`, [400]],
    'an empty length': [`${start}${key}Content-Length:\r\n\r\n`, [400]],
    'a length beyond 64 bits': [`${start}${key}Content-Length: 18446744073709551618\r\n\r\n{}`,
      [400, 413]],
    'no Host': ['POST /api/info HTTP/1.1\r\n\r\n', [400]],
    'two Hosts': ['POST /api/info HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', [400]],
    'the absolute form': ['POST http://a/api/info HTTP/1.1\r\nHost: a\r\n\r\n', [400]],
    'CONNECT': ['CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n', [400, 405, 501]],
    'two spaces in the request line': ['POST  /api/info HTTP/1.1\r\nHost: a\r\n\r\n', [400]],
    'a tab in the request line': ['POST\t/api/info HTTP/1.1\r\nHost: a\r\n\r\n', [400, 501]],
    'a space in the target': ['POST /api /info HTTP/1.1\r\nHost: a\r\n\r\n', [400, 505]],
    'HTTP/1.10': ['POST /api/info HTTP/1.10\r\nHost: a\r\n\r\n', [400, 505]],
    'HTTP/0.9': ['GET /\r\n', [400, 505]],
    'a chunk size with a sign': [`${start}${key}Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n`
      + '0\r\n\r\n', [400]],
    'a chunk size in 0x': [`${start}${key}Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n`
      + '0\r\n\r\n', [400]],
    'a chunk size that overflows': [`${start}${key}Transfer-Encoding: chunked\r\n\r\n`
      + '10000000000000002\r\n{}\r\n0\r\n\r\n', [400, 413]],
    'a chunk longer than its size': [`${start}${key}Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n`
      + '0\r\n\r\n', [400]],
    'a chunk size ended by a bare LF': [`${start}${key}Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n`
      + '0\r\n\r\n', [400]],
  };
}

export function add_smuggling(attacks, watcher) {
  for (const [name, [head, statuses]] of Object.entries(ambiguous_heads())) {
    const reason = name.startsWith('a chunk') ? 'body_invalid' : 'head_invalid';
    // These are refused for what they ask, not for how they are written.
    const counts = ['CONNECT', 'a length beyond 64 bits', 'a chunk size that overflows']
      .includes(name) ? [] : [[REFUSED, `reason="${reason}"`, 1]];
    attacks.add(`smuggling: ${name}`, { counts }, async (context, node) => {
      const socket = await open(context, node);
      socket.write(head + smuggled_publish('smuggled'));
      await expect_refusal(socket, statuses);
      check_equal(watcher.smuggled, 0, 'smuggled publications');
    });
  }
  attacks.add('smuggling: a request behind an upgrade is no request',
    { counts: [] }, async (context, node) => {
      const socket = await open(context, node);
      socket.write(upgrade_request(WEBSOCKET) + smuggled_publish('smuggled'));
      check_equal((await socket.read_head()).status, 101, 'status');
      const rest = (await socket.read_to_end()).toString('latin1');
      check(!rest.includes('HTTP/1.'), 'an HTTP answer after 101');
      check_equal(watcher.smuggled, 0, 'smuggled publications');
    });
  attacks.add('smuggling: a body behind a refused upgrade is no request', { counts: [] },
    async (context, node) => {
      const socket = await open(context, node);
      const smuggled = smuggled_publish('smuggled');
      socket.write(upgrade_request(WEBSOCKET, { 'Content-Length': String(smuggled.length) })
        + smuggled);
      await expect_refusal(socket, [400]);
      check_equal(watcher.smuggled, 0, 'smuggled publications');
    });
}

function client_hello() {
  const body = Buffer.concat([Buffer.from('0303', 'hex'), randomBytes(32), Buffer.alloc(150)]);
  return Buffer.concat([Buffer.from('1603010200010001fc', 'hex'), body]);
}

function add_garbage(attacks) {
  const starts = {
    'noise': randomBytes(5000),
    'a TLS hello': client_hello(),
    'an HTTP/2 preface': Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    'a proxy header': Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\nGET / HTTP/1.1\r\n\r\n'),
    'zeros': Buffer.alloc(10000),
    'line breaks': Buffer.from('\r\n'.repeat(5000)),
  };
  for (const [name, bytes] of Object.entries(starts)) {
    attacks.add(`${name} instead of a request`,
      { counts: [[REFUSED, 'reason="head_invalid"', 10]] }, async (context, node) => {
        for (let i = 0; i < 10; i += 1) {
          const socket = await open(context, node);
          socket.write(bytes);
          await socket.read_to_end();
        }
      });
  }
}

function add_heads(attacks) {
  const long = 'x'.repeat(17_000);
  const many = Array.from({ length: 100 }, (_, i) => `X-${i}: 1\r\n`).join('');
  const heads = {
    'a long cookie': [`GET / HTTP/1.1\r\nHost: a\r\nCookie: ${long}\r\n\r\n`, [431]],
    'a long header name': [`GET / HTTP/1.1\r\nHost: a\r\n${long}: 1\r\n\r\n`, [431]],
    'a hundred headers': [`GET / HTTP/1.1\r\nHost: a\r\n${many}\r\n`, [431]],
    'a long target': [`GET /${long} HTTP/1.1\r\nHost: a\r\n\r\n`, [414]],
    'a long method': [`${long} / HTTP/1.1\r\nHost: a\r\n\r\n`, [400, 501]],
  };
  for (const [name, [head, statuses]] of Object.entries(heads)) {
    attacks.add(`a head with ${name}`, { counts: [[REFUSED, 'reason="head_invalid"', 1]] },
      async (context, node) => {
        const socket = await open(context, node);
        socket.write(head);
        await expect_refusal(socket, statuses);
      });
  }
  attacks.add('headers without an end', { counts: [[REFUSED, 'reason="head_invalid"', 20]] },
    async (context, node) => {
      await Promise.all(Array.from({ length: 20 }, async () => {
        const socket = await open(context, node);
        socket.write('GET / HTTP/1.1\r\nHost: a\r\n');
        for (let i = 0; i < 5000 && !socket.ended; i += 1) {
          socket.write(`X-Header-${i}: ${'v'.repeat(100)}\r\n`);
          if (i % 50 === 0) {
            await sleep(1);
          }
        }
        await socket.read_to_end(); // What was written beyond the limit is what it has not read.
      }));
    });
  attacks.add('a head that comes a byte at a time is served', { counts: [] },
    async (context, node) => {
      await Promise.all(Array.from({ length: 50 }, async () => {
        const socket = await open(context, node);
        for (const byte of upgrade_request(WEBSOCKET)) {
          socket.write(byte);
          await sleep(1);
        }
        check_equal((await socket.read_head()).status, 101, 'status');
        socket.destroy();
      }));
    });
}

function add_api(attacks) {
  const head = `POST /api/publish HTTP/1.1\r\nHost: a\r\nX-API-Key: ${API_KEY}\r\n`;
  attacks.add('an API body that is declared too large', { counts: [] }, async (context, node) => {
    for (const length of ['200001', '1000000000000', '18446744073709551615']) {
      const socket = await open(context, node);
      socket.write(`${head}Content-Length: ${length}\r\n\r\n{`);
      await expect_refusal(socket, [413]);
    }
  });
  attacks.add('an API body in chunks without an end', { counts: [] }, async (context, node) => {
    const socket = await open(context, node);
    socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = `1000\r\n${'x'.repeat(4096)}\r\n`;
    for (let i = 0; i < 1000 && !socket.ended; i += 1) {
      socket.write(chunk);
      await sleep(0);
    }
    const answer = (await socket.read_to_end()).toString('latin1');
    check(answer === '' || answer.startsWith('HTTP/1.1 413'), `answered ${answer.slice(0, 40)}`);
  });
  attacks.add('an API body a byte at a time is served', { counts: [] }, async (context, node) => {
    const socket = await open(context, node);
    const body = JSON.stringify({ channel: 'elsewhere', data: 'slow' });
    for (const byte of `${head}Content-Length: ${body.length}\r\n\r\n${body}`) {
      socket.write(byte);
      await sleep(1);
    }
    check_equal((await socket.read_head()).status, 200, 'status');
  });
  attacks.add('guessing the API key', { counts: [[REFUSED, 'reason="api_key"', 500]] },
    async (_context, node) => {
      for (let i = 0; i < 500; i += 25) {
        const answers = await Promise.all(Array.from({ length: 25 }, (_, j) => node.request('POST',
          '/api/info', { headers: { 'X-API-Key': `guess-${i + j}` }, body: '{}' })));
        check(answers.every(({ status }) => status === 401), 'an answer that is not 401');
      }
    });
  attacks.add('paths that do not exist', { counts: [[REFUSED, 'reason="not_found"', 100]] },
    async (_context, node) => {
      const paths = ['/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/..%2f..%2fetc/passwd',
        '/no/such', '//etc/passwd', '/api/../../etc/passwd', '/?../../etc/passwd%00', '/%00',
        '/%zz', '/health/../../etc/passwd'];
      for (let i = 0; i < 120; i += 1) {
        const { status, body } = await node.request('GET', paths[i % paths.length]);
        check(!body.includes('root:'), 'a file of the machine was served');
        check([200, 400, 401, 404, 405].includes(status), `answered ${status}`);
      }
    });
}

// Peers that take their time; they are all started together and waited for together.
export function patient_peers() {
  const wait_all = async (context, node, count, start) => {
    await Promise.all(Array.from({ length: count }, async () => {
      const socket = await open(context, node);
      await start(socket);
      await socket.read_to_end(2 * WAIT_MS_MAX);
    }));
  };
  return [
    ['saying nothing', [REFUSED, 'reason="head_timeout"', 100],
      (context, node) => wait_all(context, node, 100, () => {})],
    ['half a handshake and silence', [REFUSED, 'reason="head_timeout"', 100],
      (context, node) => wait_all(context, node, 100,
        (socket) => socket.write(upgrade_request(WEBSOCKET).slice(0, -10)))],
    ['a header a second (slowloris)', [REFUSED, 'reason="head_timeout"', 300],
      (context, node) => wait_all(context, node, 300, async (socket) => {
        socket.write('GET / HTTP/1.1\r\nHost: a\r\n');
        for (let i = 0; i < 60 && !socket.ended; i += 1) {
          await sleep(1000);
          socket.write(`X-${i}: 1\r\n`);
        }
        check(socket.ended, 'the node waited a minute for a head');
      })],
    ['half a body and silence', [REFUSED, 'reason="body_timeout"', 30],
      (context, node) => wait_all(context, node, 30, (socket) => socket.write(
        `POST /api/publish HTTP/1.1\r\nHost: a\r\nX-API-Key: ${API_KEY}\r\n`
        + 'Content-Length: 1000\r\n\r\n{"channel":'))],
  ];
}

export function add_http(attacks) {
  add_garbage(attacks);
  add_heads(attacks);
  add_api(attacks);
}
