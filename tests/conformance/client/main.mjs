// SPDX-License-Identifier: Apache-2.0
// Runs the client cases against nodes of four shards.
import { Report } from '../support/report.mjs';
import { add_connecting } from './connecting.mjs';
import { add_connections } from './connections.mjs';
import { add_keeping_out } from './keeping_out.mjs';
import { add_client_limits } from './limits.mjs';
import { add_maps } from './maps.mjs';
import { start_main } from './nodes.mjs';
import { add_presence } from './presence.mjs';
import { add_protobuf } from './protobuf.mjs';
import { add_publishing } from './publishing.mjs';
import { add_rates, start_limiting } from './rates.mjs';
import { add_server_api } from './server_api.mjs';
import { add_server_subs } from './server_subs.mjs';
import { add_streams } from './streams.mjs';
import { add_subscribing } from './subscribing.mjs';
import { add_tailored } from './tailored.mjs';
import { add_unidirectional } from './unidirectional.mjs';
import { add_wildcards } from './wildcards.mjs';
import { add_wire } from './wire.mjs';

const report = new Report();
const node = await start_main();
const limiting = await start_limiting();

add_connecting(report, node);
add_subscribing(report, node);
add_publishing(report, node);
add_presence(report, node);
add_server_api(report, node);
add_streams(report, node);
add_tailored(report, node);
add_server_subs(report, node);
add_maps(report, node);
add_wildcards(report, node);
add_connections(report, node);
add_keeping_out(report, node);
add_rates(report, limiting);
add_wire(report, node);
add_unidirectional(report, node);
add_protobuf(report, node);
await report.run({ concurrency: 6 });
// The cases of npm centrifuge once more, with its Protobuf client.
report.speak('protobuf');
add_connecting(report, node);
add_subscribing(report, node);
add_publishing(report, node);
add_presence(report, node);
add_server_api(report, node);
add_streams(report, node);
add_tailored(report, node);
add_server_subs(report, node);
add_maps(report, node);
add_wildcards(report, node);
add_connections(report, node);
add_keeping_out(report, node);
add_rates(report, limiting);
await report.run({ concurrency: 6 });
// And where WebSocket does not get through: what a client does is the same.
for (const [protocol, transport] of [['json', 'http_stream'], ['protobuf', 'http_stream'],
  ['json', 'sse']]) {
  report.speak(protocol, transport);
  add_connecting(report, node);
  add_subscribing(report, node);
  add_publishing(report, node);
  add_presence(report, node);
  add_streams(report, node);
  add_tailored(report, node);
  add_connections(report, node);
  add_keeping_out(report, node);
  add_rates(report, limiting);
  if (transport === 'sse') {
    add_maps(report, node);
  }
  await report.run({ concurrency: 6 });
}
report.speak('json');
add_client_limits(report, node);
await report.run({ concurrency: 6 });

report.test('the nodes of the client cases end well', async () => {
  await node.stop_cleanly();
  await limiting.stop_cleanly();
});
await report.run();
report.exit();
