// SPDX-License-Identifier: Apache-2.0
// Attacks after the upgrade: frames that lie, bombs, readers that stop, storms of commands.
import { randomBytes } from 'node:crypto';
import zlib from 'node:zlib';
import { RawClient } from '../conformance/support/client.mjs';
import { RawWebSocket, frame } from '../conformance/support/raw_websocket.mjs';
import { WAIT_MS_MAX, check, check_equal, eventually, sleep } from '../conformance/support/report.mjs';

const CLOSES = 'roost_transport_outgoing_close_count';
const DISCONNECTS = 'roost_client_num_server_disconnects';
const WEBSOCKET = '/connection/websocket';

async function open(context, node, options = {}) {
  const ws = await RawWebSocket.open(node.port, options.path ?? WEBSOCKET, options);
  context.defer(() => ws.destroy());
  return ws;
}

function add_frames(attacks) {
  const bad = {
    'unmasked frames': [1002, frame(1, '{"id":1,"connect":{}}', { masked: false })],
    'a reserved opcode': [1002, frame(5, 'x')],
    'reserved bits': [1002, frame(1, 'x', { rsv: 3 })],
    'a length of 2^63': [1002, frame(2, 'x', { length_form: 8, declared: 1n << 63n })],
    'a length of 2^63-1': [1009, frame(2, 'x', { length_form: 8, declared: (1n << 63n) - 1n })],
    'a length of 2^32+1': [1009, frame(2, 'x', { length_form: 8, declared: (1n << 32n) + 1n })],
    'a length above the limit': [1009, frame(1, 'x', { length_form: 8, declared: 70000 })],
    'a long control frame': [1002, frame(9, Buffer.alloc(1000))],
    'text that is not UTF-8': [1007, frame(1, Buffer.from('7bff', 'hex'))],
  };
  for (const [name, [code, bytes]] of Object.entries(bad)) {
    attacks.add(`${name} (${code})`, { counts: [[CLOSES, `code="${code}"`, 50]] },
      async (context, node) => {
        await Promise.all(Array.from({ length: 50 }, async () => {
          const ws = await open(context, node);
          ws.write(bytes);
          check_equal((await ws.next_close())?.code, code, 'the code');
          ws.destroy();
        }));
      });
  }
  attacks.add('garbage after the upgrade', { counts: [] }, async (context, node) => {
    await Promise.all(Array.from({ length: 100 }, async () => {
      const ws = await open(context, node);
      ws.write(randomBytes(2000));
      await ws.socket.read_to_end();
    }));
  });
  attacks.add('garbage in well-formed frames (3501)',
    { counts: [[DISCONNECTS, 'code="3501"', 100]] }, async (context, node) => {
      await Promise.all(Array.from({ length: 100 }, async (_, i) => {
        const ws = await open(context, node);
        ws.send(2, randomBytes(500 + i));
        check_equal((await ws.next_close())?.code, 3501, 'the code');
        ws.destroy();
      }));
    });
  attacks.add('frames a byte at a time are served', { counts: [] }, async (context, node) => {
    await Promise.all(Array.from({ length: 30 }, async () => {
      const raw = await RawClient.open(context, node);
      for (const byte of frame(1, '{"id":1,"connect":{}}')) {
        raw.ws.write(Buffer.from([byte]));
        await sleep(1);
      }
      check((await raw.next()).connect, 'connect');
      raw.ws.destroy();
    }));
  });
}

// Messages of JSON that are hard on a parser.
function add_json(attacks) {
  const texts = {
    'deep arrays': '['.repeat(60_000),
    'deep objects': '{"a":'.repeat(12_000),
    'deep data': `{"id":2,"publish":{"channel":"elsewhere","data":${'['.repeat(30_000)}`
      + `${']'.repeat(30_000)}}}`,
    'many keys': `{${Array.from({ length: 6000 }, (_, i) => `"k${i}":1`).join()},"id":2,"x":{}}`,
    'the same key often': `{${'"id":2,'.repeat(8000)}"id":2}`,
    'a long number': `{"id":${'1'.repeat(60_000)}}`,
    'a long exponent': '{"id":1e999999999,"rpc":{}}',
    'an endless string': `{"id":"${'x'.repeat(60_000)}`,
    'broken escapes': `{"id":2,"subscribe":{"channel":"${'\\ud800'.repeat(1000)}"}}`,
    'half an escape': '{"id":2,"subscribe":{"channel":"\\u00',
    'thousands of empty lines': '\n'.repeat(60_000),
    'thousands of pongs': '{}\n'.repeat(20_000),
  };
  for (const [name, text] of Object.entries(texts)) {
    attacks.add(`JSON: ${name}`, { counts: [] }, async (context, node) => {
      await Promise.all(Array.from({ length: 10 }, async () => {
        const raw = await RawClient.connected(context, node);
        raw.send_text(text);
        const line = await raw.next_line();
        check(line === null ? raw.close?.code === 3501 : JSON.parse(line).id === 2,
          `answered ${line} ${raw.close?.code}`);
        raw.ws.destroy();
      }));
    });
  }
}

function deflated(bytes) {
  return zlib.deflateRawSync(bytes, { level: 9, finishFlush: zlib.constants.Z_SYNC_FLUSH })
    .subarray(0, -4);
}

function add_bombs(attacks) {
  const bombs = {
    'zeros': deflated(Buffer.alloc(60 << 20)).subarray(0, 60_000),
    'spaces': deflated(Buffer.alloc(60 << 20, ' ')).subarray(0, 60_000),
    'one byte above the limit': deflated(Buffer.alloc(655_361, 'x')),
  };
  for (const [name, bomb] of Object.entries(bombs)) {
    for (const [path, kind] of [[WEBSOCKET, 'the protocol'], ['/echo', 'the echo']]) {
      attacks.add(`a deflate bomb of ${name} at ${kind}`, { counts: [[CLOSES, 'code="1009"', 20]] },
        async (context, node) => {
          await Promise.all(Array.from({ length: 20 }, async () => {
            const ws = await open(context, node, { path,
              headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } });
            check(ws.deflate, 'nothing was negotiated');
            ws.send(2, bomb, { rsv: 4 });
            check_equal((await ws.next_close())?.code, 1009, 'the code');
            ws.destroy();
          }));
        });
    }
  }
  attacks.add('a deflate stream of empty blocks', { counts: [] }, async (context, node) => {
    const ws = await open(context, node, { path: '/echo',
      headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } });
    const blocks = Buffer.from(`${'000000ffff'.repeat(12_000)}00`, 'hex');
    for (let i = 0; i < 20; i += 1) {
      ws.send(2, blocks, { rsv: 4 });
      check_equal((await ws.next_message())?.payload.length, 0, 'the length of the echo');
    }
  });
}

async function deaf(context, node, channel) {
  const raw = await RawClient.connected(context, node);
  await raw.call({ id: 2, subscribe: { channel } });
  raw.ws.socket.tcp.pause();
  return raw;
}

function add_readers(attacks) {
  attacks.add('readers that stop reading (3008)', { counts: [[DISCONNECTS, 'code="3008"', 20]] },
    async (context, node) => {
      await Promise.all(Array.from({ length: 20 }, () => deaf(context, node, 'firehose')));
      const publisher = await RawClient.connected(context, node);
      const data = 'x'.repeat(60_000);
      const before = await node.metric(DISCONNECTS, 'code="3008"');
      let id = 2;
      await eventually(async () => {
        for (let i = 0; i < 10; i += 1) {
          id += 1;
          await publisher.call({ id, publish: { channel: 'firehose', data } });
        }
        return (await node.metric(DISCONNECTS, 'code="3008"')) - before >= 20;
      }, 'the disconnects', 2 * WAIT_MS_MAX);
    });
  attacks.add('an echo that nobody reads', { counts: [] }, async (context, node) => {
    const before = node.rss_kib();
    const sockets = await Promise.all(Array.from({ length: 8 },
      () => open(context, node, { path: '/echo' })));
    const bytes = frame(2, Buffer.alloc(60_000));
    for (const ws of sockets) {
      ws.socket.tcp.pause();
      for (let i = 0; i < 400; i += 1) {
        ws.write(bytes);
      }
    }
    await sleep(2000);
    const grown = node.rss_kib() - before;
    sockets.forEach((ws) => ws.destroy());
    check(grown < 100 * 1024, `the node grew by ${grown} KiB`);
  });
  attacks.add('pings whose pongs nobody reads', { counts: [] }, async (context, node) => {
    const ws = await open(context, node, { path: '/echo' });
    ws.socket.tcp.pause();
    const pings = Buffer.concat(Array.from({ length: 1000 }, () => frame(9, Buffer.alloc(125))));
    const before = node.rss_kib();
    for (let i = 0; i < 200; i += 1) {
      ws.write(pings);
      await sleep(1);
    }
    await sleep(500);
    const grown = node.rss_kib() - before;
    check(grown < 64 * 1024, `the node grew by ${grown} KiB`);
  });
}

function add_floods(attacks) {
  attacks.add('a hundred thousand commands of one client', { counts: [] },
    async (context, node) => {
      const raw = await RawClient.connected(context, node);
      let id = 2;
      for (let round = 0; round < 100; round += 1) {
        const commands = [];
        for (let i = 0; i < 500; i += 1) {
          commands.push({ id, subscribe: { channel: 'flood' } },
            { id: id + 1, unsubscribe: { channel: 'flood' } });
          id += 2;
        }
        raw.send(...commands);
        for (let seen = 0; seen < 1000; seen += 1) {
          const reply = await raw.next();
          check(reply.error === undefined, JSON.stringify(reply));
        }
      }
    });
  attacks.add('publishers that never read', { counts: [] }, async (context, node) => {
    const line = (id) => `{"id":${id},"publish":{"channel":"flood-${id % 7}","data":"${'x'.repeat(50)}"}}`;
    await Promise.all(Array.from({ length: 10 }, async () => {
      const raw = await RawClient.connected(context, node);
      raw.ws.socket.tcp.pause();
      for (let round = 0; round < 60; round += 1) {
        raw.send_text(Array.from({ length: 500 }, (_, i) => line(round * 500 + i + 2)).join('\n'));
        await sleep(5);
      }
    }));
  });
  attacks.add('a hundred thousand empty fragments', { counts: [] }, async (context, node) => {
    const before = node.rss_kib();
    await Promise.all(Array.from({ length: 10 }, async () => {
      const ws = await open(context, node);
      ws.send(2, '', { fin: false });
      const empty = Buffer.concat(Array.from({ length: 1000 },
        () => frame(0, '', { fin: false })));
      for (let i = 0; i < 10; i += 1) {
        ws.write(empty);
        await sleep(1);
      }
    }));
    const grown = node.rss_kib() - before;
    check(grown < 64 * 1024, `the node grew by ${grown} KiB`);
  });
}

// See patient_peers() of the HTTP attacks.
export function patient_websockets() {
  return [
    ['an upgrade and silence (3502)', [DISCONNECTS, 'code="3502"', 100],
      async (context, node) => {
        await Promise.all(Array.from({ length: 100 }, async () => {
          const ws = await open(context, node);
          check_equal((await ws.next_close())?.code, 3502, 'the code');
        }));
      }],
    ['half a message and silence', ['roost_transport_refused_count',
      'reason="assembly_timeout"', 30],
    async (context, node) => {
      await Promise.all(Array.from({ length: 30 }, async () => {
        const raw = await RawClient.connected(context, node);
        raw.ws.send(1, '{"id":', { fin: false });
        await raw.ws.socket.read_to_end(2 * WAIT_MS_MAX);
      }));
    }],
    ['half a frame, then a byte a second', ['roost_transport_refused_count',
      'reason="assembly_timeout"', 30],
    async (context, node) => {
      await Promise.all(Array.from({ length: 30 }, async () => {
        const raw = await RawClient.connected(context, node);
        raw.ws.write(frame(2, 'x', { declared: 5000 }));
        for (let i = 0; i < 120 && !raw.ws.socket.ended; i += 1) {
          await sleep(1000);
          raw.ws.write('x');
        }
        check(raw.ws.socket.ended, 'the node waited two minutes for a frame');
      }));
    }],
  ];
}

export function add_websocket(attacks) {
  add_frames(attacks);
  add_json(attacks);
  add_bombs(attacks);
  add_readers(attacks);
  add_floods(attacks);
}
