// SPDX-License-Identifier: Apache-2.0
// Clients of each transport, a backend and the server API do what there is to do; then /metrics has
// what dashboards of Centrifugo ask for, under its names.
import { Backend } from '../proxies/backend.mjs';
import { event_of, new_subscription, open_client, subscribed } from '../support/client.mjs';
import { Node } from '../support/node.mjs';
import { add_listeners } from './listeners.mjs';
import { Report, STILL_MS_MAX, check, check_equal, eventually } from '../support/report.mjs';

const NAMESPACE = 'channel_namespace';
const CLIENT = 'accept_protocol client_name client_version transport';
const FRAME = `${NAMESPACE} frame_type transport`;
const PROXY = 'name protocol type';

// name: type, labels.
const METRICS = {
  node_num_clients: ['gauge', ''],
  node_num_users: ['gauge', ''],
  node_num_subscriptions: ['gauge', ''],
  node_num_channels: ['gauge', ''],
  node_num_nodes: ['gauge', ''],
  node_build: ['gauge', 'version'],
  node_messages_sent_count: ['counter', `${NAMESPACE} type`],
  node_messages_received_count: ['counter', `${NAMESPACE} type`],
  node_action_count: ['counter', `action ${NAMESPACE}`],
  node_survey_duration_seconds: ['summary', 'op'],
  node_survey_duration_seconds_histogram: ['histogram', 'op'],
  node_pub_sub_lag_seconds: ['histogram', NAMESPACE],
  node_broadcast_duration_seconds: ['histogram', `${NAMESPACE} type`],
  node_tags_filter_dropped_publications: ['counter', NAMESPACE],
  node_client_connection_limit: ['counter', ''],
  node_incoming_http_requests_total: ['counter', 'method path status'],
  client_connections_inflight: ['gauge', CLIENT],
  client_connections_accepted: ['counter', CLIENT],
  client_subscriptions_inflight: ['gauge', `${NAMESPACE} client_name`],
  client_subscriptions_accepted: ['counter', `${NAMESPACE} client_name`],
  client_command_duration_seconds: ['summary', `${NAMESPACE} method`],
  client_command_duration_seconds_histogram: ['histogram', `${NAMESPACE} method`],
  client_num_reply_errors: ['counter', `${NAMESPACE} code method`],
  client_num_server_disconnects: ['counter', 'code'],
  client_num_server_unsubscribes: ['counter', `${NAMESPACE} code`],
  client_recover: ['counter', `${NAMESPACE} has_recovered_publications recovered`],
  client_recovered_publications: ['histogram', NAMESPACE],
  client_ping_pong_duration_seconds: ['histogram', 'transport'],
  transport_messages_sent: ['counter', FRAME],
  transport_messages_sent_size: ['counter', FRAME],
  transport_messages_received: ['counter', FRAME],
  transport_messages_received_size: ['counter', FRAME],
  transport_outgoing_close_count: ['counter', 'code transport'],
  api_command_duration_seconds: ['summary', 'method protocol'],
  api_command_duration_seconds_histogram: ['histogram', 'method protocol'],
  api_command_errors_total: ['counter', 'error method protocol'],
  proxy_duration_seconds: ['summary', PROXY],
  proxy_duration_seconds_histogram: ['histogram', PROXY],
  proxy_errors: ['counter', PROXY],
  proxy_inflight_requests: ['gauge', PROXY],
  broker_publish_suppressed_count: ['counter', `${NAMESPACE} reason`],
  shared_poll_cycle_duration_seconds: ['histogram', NAMESPACE],
  shared_poll_cycle_work_duration_seconds: ['histogram', NAMESPACE],
};

const PROCESS = {
  process_cpu_seconds_total: 'counter',
  process_resident_memory_bytes: 'gauge',
  process_virtual_memory_bytes: 'gauge',
  process_start_time_seconds: 'gauge',
  process_open_fds: 'gauge',
  process_max_fds: 'gauge',
};

const COMMAND_BOUNDS = ['0.0001', '0.00025', '0.0005', '0.001', '0.005', '0.01', '0.025', '0.05',
  '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '+Inf'];

function config_of(url) {
  return {
    metrics: { prefix: 'centrifugo' },
    prometheus: { additional_client_names: ['shop'], instrument_http_handlers: true },
    client: { insecure: true, ping_interval: '1s', pong_timeout: '900ms',
      proxy: { refresh: { enabled: true, endpoint: `${url}/refresh` } } },
    http_stream: { enabled: true },
    sse: { enabled: true },
    rpc: { proxy: { endpoint: `${url}/rpc` }, without_namespace: { proxy_enabled: true },
      namespaces: [{ name: 'named', proxy_enabled: true, proxy_name: 'other' }] },
    proxies: [{ name: 'other', endpoint: `${url}/other` }],
    channel: { without_namespace: { presence: true, history_size: 10, history_ttl: '60s',
      force_recovery: true } },
  };
}

// What /metrics says, by families: type, and samples of their labels.
async function scrape(node) {
  const { status, body } = await node.request('GET', '/metrics');
  check_equal(status, 200, 'the status of /metrics');
  const families = new Map();
  let family = null;
  for (const line of body.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (type) {
      family = { type: type[2], samples: [] };
      families.set(type[1], family);
    } else if (sample) {
      const labels = Object.fromEntries([...(sample[2] ?? '').matchAll(/(\w+)="([^"]*)"/g)]
        .map(([, name, value]) => [name, value]));
      family.samples.push({ name: sample[1], labels, value: Number(sample[3]) });
    }
  }
  return families;
}

function value_of(families, name, labels) {
  const family = families.get(`centrifugo_${name}`)
    ?? families.get(`centrifugo_${name.replace(/_(count|sum|bucket)$/, '')}`);
  const found = family.samples.filter((sample) => sample.name === `centrifugo_${name}`
    && Object.entries(labels).every(([label, value]) => sample.labels[label] === value));
  return found.reduce((sum, sample) => sum + sample.value, 0);
}

async function be_busy(context, node, backend) {
  backend.on('/rpc', { result: { data: {} } });
  backend.on('/other', { result: { data: {} } });
  const clients = [];
  for (const transport of ['websocket', 'http_stream', 'sse']) {
    const name = { websocket: 'js', http_stream: 'shop', sse: 'not registered' }[transport];
    const client = await open_client(context, node, { transport, name, version: '1' });
    const subscription = await subscribed(client, 'news');
    clients.push({ client, subscription });
  }
  const [{ client }] = clients;
  for (let i = 0; i < 5; i++) {
    await client.publish('news', { i });
  }
  for (const { subscription } of clients) {
    await event_of(subscription.events, 'publication', 5);
  }
  await client.rpc('plain', {});
  await client.rpc('named:one', {});
  backend.on('/rpc', () => ({ error: 'no error has this form' }));
  await client.rpc('plain', {}).catch(() => {});
  await client.presence('news');
  const again = new_subscription(client, 'elsewhere', { since: { offset: 0, epoch: 'other' } });
  again.subscribe();
  await event_of(again.events, 'subscribed');
  await node.api_result('channels');
  await node.api('publish', { channel: 'news' });
  await node.api_result('unsubscribe', { user: '', client: client.id, channel: 'elsewhere' });
  const last = await open_client(context, node);
  await node.api_result('disconnect', { user: '', client: last.id });
  await event_of(last.events, 'disconnected');
  await eventually(async () => value_of(await scrape(node), 'client_ping_pong_duration_seconds_count',
    { transport: 'sse' }) > 0, 'a pong of each');
}

function check_names(families) {
  for (const [name, [type, labels]] of Object.entries(METRICS)) {
    const family = families.get(`centrifugo_${name}`);
    check(family !== undefined, `there is no ${name}`);
    check_equal(family.type, type, `the type of ${name}`);
    check(family.samples.length > 0, `${name} has no sample`);
    for (const sample of family.samples) {
      const own = Object.keys(sample.labels).filter((label) => !['le', 'quantile'].includes(label));
      check_equal(own.sort().join(' '), labels.split(' ').sort().join(' '), `labels of ${name}`);
    }
  }
  for (const [name, type] of Object.entries(PROCESS)) {
    check_equal(families.get(name)?.type, type, `the type of ${name}`);
    check(families.get(name).samples[0].value > 0, `${name} is 0`);
  }
}

const FIGURES = [
  ['client_connections_inflight', { transport: 'websocket' }, 1],
  ['client_connections_inflight', { transport: 'websocket', client_name: 'js',
    client_version: 'unregistered' }, 1],
  ['client_connections_inflight', { transport: 'http_stream', client_name: 'shop' }, 1],
  ['client_connections_inflight', { transport: 'sse', client_name: 'unregistered' }, 1],
  ['client_subscriptions_inflight', { client_name: 'shop' }, 1],
  ['client_subscriptions_accepted', { client_name: 'js' }, 2],
  ['node_incoming_http_requests_total', { path: '/connection/websocket', method: 'GET',
    status: '101' }, 2],
  ['node_incoming_http_requests_total', { path: '/api/publish', method: 'POST',
    status: '200' }, 1],
  ['client_connections_inflight', { transport: 'http_stream' }, 1],
  ['client_connections_inflight', { transport: 'sse' }, 1],
  ['client_connections_accepted', { transport: 'websocket' }, 2],
  ['transport_messages_sent', { transport: 'websocket', frame_type: 'push_publication' }, 5],
  ['transport_messages_sent', { transport: 'http_stream', frame_type: 'push_publication' }, 5],
  ['transport_messages_sent', { transport: 'sse', frame_type: 'push_publication' }, 5],
  ['transport_messages_sent', { transport: 'sse', frame_type: 'connect' }, 1],
  ['transport_messages_received', { transport: 'sse', frame_type: 'subscribe' }, 1],
  ['transport_messages_received', { frame_type: 'publish' }, 5],
  ['client_command_duration_seconds_count', { method: 'publish' }, 5],
  ['client_command_duration_seconds_histogram_count', { method: 'rpc' }, 3],
  ['client_num_reply_errors', { method: 'rpc', code: '100' }, 1],
  ['client_num_server_unsubscribes', { code: '2000' }, 1],
  ['client_num_server_disconnects', { code: '3503' }, 1],
  ['transport_outgoing_close_count', { transport: 'websocket', code: '3503' }, 1],
  ['client_recover', { recovered: 'no', has_recovered_publications: 'no' }, 1],
  ['api_command_errors_total', { method: 'publish', error: '107' }, 1],
  ['api_command_duration_seconds_histogram_count', { method: 'channels' }, 1],
  ['node_survey_duration_seconds_count', { op: 'channels' }, 1],
  ['proxy_duration_seconds_histogram_count', { type: 'rpc', name: 'default' }, 2],
  ['proxy_duration_seconds_count', { type: 'rpc', name: 'other' }, 1],
  ['proxy_errors', { type: 'rpc', name: 'default' }, 1],
  ['proxy_inflight_requests', {}, 0],
  ['node_action_count', { action: 'add_client' }, 4],
  ['node_action_count', { action: 'presence' }, 1],
  ['node_action_count', { action: 'survey' }, 1],
];

const report = new Report();

const options = { still_ms_max: STILL_MS_MAX };
report.test('metrics have the names, types and labels of Centrifugo', options, async (context) => {
  const backend = await Backend.start(context);
  const node = await Node.start(config_of(backend.url), { shards: 2 });
  context.defer(() => node.stop_cleanly());
  await be_busy(context, node, backend);
  const families = await scrape(node);
  check_names(families);
  for (const [name, labels, wanted] of FIGURES) {
    check_equal(value_of(families, name, labels), wanted, `${name} ${JSON.stringify(labels)}`);
  }
  const sent = value_of(families, 'transport_messages_sent_size',
    { transport: 'websocket', frame_type: 'push_publication' });
  check_equal(sent, value_of(families, 'transport_messages_sent_size',
    { transport: 'sse', frame_type: 'push_publication' }), 'bytes, whatever the transport');
  const bounds = families.get('centrifugo_client_command_duration_seconds_histogram').samples
    .filter((sample) => sample.labels.method === 'publish' && sample.labels.le !== undefined)
    .map((sample) => sample.labels.le);
  check_equal(bounds.join(' '), COMMAND_BOUNDS.join(' '), 'bounds of command durations');
});

add_listeners(report);
await report.run();
report.exit();
