// SPDX-License-Identifier: Apache-2.0
// Starts nodes with an echo endpoint and runs the WebSocket cases against them.
import { Node } from '../support/node.mjs';
import { Report } from '../support/report.mjs';
import { add_closing } from './closing.mjs';
import { add_deflate, add_inflated_limit } from './deflate.mjs';
import { add_fragments } from './fragments.mjs';
import { add_framing } from './framing.mjs';
import { add_handshake } from './handshake.mjs';
import { add_limits, add_message_limit } from './limits.mjs';
import { add_peer } from './peer.mjs';
import { add_utf8 } from './utf8.mjs';

const LARGE = 16 << 20;
const SMALL = 5000;

// ECHO_PORT names an echo server that runs already, so that the cases themselves can be checked
// against another implementation.
async function start(limit) {
  const { ECHO_PORT: port, ECHO_PATH: path = '/' } = process.env;
  if (port) {
    return { port: Number(port), path, stop_cleanly: async () => {} };
  }
  const node = await Node.start({
    echo: { enabled: true, path: '/echo' },
    websocket: { message_size_limit: limit, compression: true },
  });
  node.path = '/echo';
  return node;
}

const report = new Report();
const node = await start(LARGE);

add_handshake(report, node);
add_framing(report, node);
add_fragments(report, node);
add_closing(report, node);
add_utf8(report, node);
add_deflate(report, node);
await report.run({ concurrency: 8 });
add_peer(report, node);
await report.run({ concurrency: 2 });
add_limits(report, node);
await report.run();

const small = await start(SMALL);
add_message_limit(report, small, SMALL);
// The limit on inflated messages is ten times the limit on the wire.
add_inflated_limit(report, small, 10 * SMALL);
await report.run();

report.test('the nodes of the WebSocket cases end well', async () => {
  await node.stop_cleanly();
  await small.stop_cleanly();
});
await report.run();
report.exit();
