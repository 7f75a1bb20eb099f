// SPDX-License-Identifier: Apache-2.0
// Nodes on this machine that are one cluster, for npm centrifuge's clients.
import { Node, TOKEN_KEY, merge } from '../../conformance/support/node.mjs';
import { free_port } from '../../conformance/support/ports.mjs';
import { MAP_NAMESPACES } from './maps.mjs';
import { WILDCARD_NAMESPACE } from './wildcards.mjs';
import { eventually } from '../../conformance/support/report.mjs';

const KEYS = ['ab'.repeat(32)];

export const CONFIG = {
  client: {
    allow_anonymous_connect_without_token: true,
    token: { hmac_secret_key: TOKEN_KEY },
    rate_limit: {
      user_command: {
        enabled: true,
        publish: {
          enabled: true,
          namespace_overrides: [{
            namespace_name: 'slow', enabled: true, buckets: [{ interval: '1h', rate: 7 }],
          }],
        },
      },
    },
  },
  http_stream: { enabled: true },
  sse: { enabled: true },
  channel: {
    without_namespace: {
      allow_subscribe_for_client: true,
      allow_publish_for_subscriber: true,
      allow_subscribe_for_anonymous: true,
      allow_publish_for_anonymous: true,
    },
    namespaces: [
      {
        name: 'who',
        presence: true,
        join_leave: true,
        force_push_join_leave: true,
        allow_subscribe_for_client: true,
        allow_presence_for_subscriber: true,
      },
      { name: 'slow', allow_publish_for_client: true },
      {
        name: 'kept',
        history_size: 1000,
        history_ttl: '300s',
        force_recovery: true,
        allow_subscribe_for_client: true,
        allow_subscribe_for_anonymous: true,
        allow_publish_for_client: true,
        allow_publish_for_anonymous: true,
        allow_history_for_subscriber: true,
        allow_history_for_anonymous: true,
      },
      {
        name: 'part',
        allowed_delta_types: ['fossil'],
        delta_publish: true,
        allow_tags_filter: true,
        history_size: 100,
        history_ttl: '300s',
        force_recovery: true,
        allow_subscribe_for_client: true,
        allow_publish_for_client: true,
      },
      {
        name: 'batch',
        batch_max_delay: '50ms',
        allow_subscribe_for_client: true,
      },
      {
        name: 'latest',
        batch_max_delay: '100ms',
        batch_flush_latest: true,
        allow_subscribe_for_client: true,
      },
      {
        name: 'mute',
        publish_without_echo: true,
        allow_subscribe_for_client: true,
        allow_publish_for_client: true,
      },
      WILDCARD_NAMESPACE,
      ...MAP_NAMESPACES,
    ],
  },
};

export class Cluster {
  nodes = [];
  #seed;

  // `sizes`: the shards of each node. `over`: of the configuration, more than what all have.
  static async start(sizes, over = {}) {
    const cluster = new Cluster();
    cluster.config = merge(CONFIG, over);
    cluster.#seed = `127.0.0.1:${await free_port()}`;
    for (const shards of sizes) {
      await cluster.add(shards);
    }
    await cluster.settled();
    return cluster;
  }

  async add(shards) {
    const bind = this.nodes.length === 0 ? this.#seed : `127.0.0.1:${await free_port()}`;
    const node = await Node.start({
      ...this.config,
      node: { name: `node-${this.nodes.length + 1}` },
      cluster: { enabled: true, insecure: true, bind, join: [this.#seed], keys: KEYS },
    }, { shards });
    this.nodes.push(node);
    return node;
  }

  get running() {
    return this.nodes.filter((node) => node.exit === null);
  }

  // Every running node sees all of them and has a link to each.
  async settled() {
    const nodes = this.running;
    await eventually(async () => {
      for (const node of nodes) {
        const samples = await node.metrics();
        const alive = samples.get('roost_cluster_members{state="alive"}');
        const links = samples.get('roost_link_up');
        if (alive !== nodes.length || links !== nodes.length - 1) {
          return false;
        }
      }
      const slots = await Promise.all(nodes.map((node) => node.metric('roost_cluster_placement_slots')));
      return slots.reduce((sum, own) => sum + own, 0) === 16384;
    }, 'the nodes agree');
  }

  async stop() {
    for (const node of this.running.reverse()) {
      await node.stop_cleanly();
    }
  }
}
