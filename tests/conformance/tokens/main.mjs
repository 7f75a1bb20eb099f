// SPDX-License-Identifier: Apache-2.0
// Runs the cases of tokens, each against a node of its own.
import { Report } from '../support/report.mjs';
import { add_algorithms } from './algorithms.mjs';
import { add_key_sets } from './key_sets.mjs';
import { add_server_subs } from './server_subs.mjs';

const report = new Report();
add_algorithms(report);
add_key_sets(report);
add_server_subs(report);
await report.run({ concurrency: 3 });
// The cases of npm centrifuge once more, with its Protobuf client.
report.speak('protobuf');
add_server_subs(report);
await report.run({ concurrency: 3 });
report.exit();
