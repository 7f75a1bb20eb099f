// SPDX-License-Identifier: Apache-2.0
// Ports for nodes, of which none is taken between the choice and the node's start, nor while a node is restarted.
// Suites that run at once have blocks of their own: who listens on a block's first port has the block. The kernel gives
// connections ports that are even, and those who ask to listen anywhere the lower half of its range; so ours are odd,
// and in its upper half. tests/cluster/support/nodes.py does the same.
import dgram from 'node:dgram';
import net from 'node:net';
import { check } from './report.mjs';

const BLOCKS_FIRST = 47_001;
const BLOCKS_END = 60_601;
const BLOCK_PORTS = 400;

let block = null; // A promise of the first port of this process's block, and of its owner.
let given = 0;

// A server that listens on the port, or null: somebody else does.
function listen(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.on('error', () => resolve(null));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server));
  });
}

async function is_free(port) {
  const server = await listen(port);
  if (server === null) {
    return false;
  }
  await new Promise((resolve) => { server.close(resolve); });
  return new Promise((resolve) => {
    const socket = dgram.createSocket('udp4');
    socket.on('error', () => resolve(false));
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

async function claim_block() {
  for (let first = BLOCKS_FIRST; first < BLOCKS_END; first += BLOCK_PORTS) {
    const owner = await listen(first);
    if (owner !== null) {
      owner.unref();
      return { first, owner };
    }
  }
  return check(false, 'all blocks of ports are taken');
}

// A port on which nobody listens by TCP or UDP, and that this process is not given again soon.
export async function free_port() {
  block ??= claim_block();
  const { first } = await block;
  for (let tries = 1; tries < BLOCK_PORTS / 2; tries += 1) {
    const port = first + 2 * (1 + (given % (BLOCK_PORTS / 2 - 1)));
    given += 1;
    if (await is_free(port)) {
      return port;
    }
  }
  return check(false, 'all ports of the block are taken');
}
