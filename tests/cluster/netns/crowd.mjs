// SPDX-License-Identifier: Apache-2.0
// Many npm clients on all nodes, each subscribed to all channels, and publishers that never rest.
import http from 'node:http';
import { WebSocket, make_token, new_client } from '../../conformance/support/client.mjs';
import { eventually, sleep } from '../../conformance/support/report.mjs';
import { Story, find_disorder } from './model.mjs';

// Of each node.
export const SESSIONS = 3;

const PUBLISH_PAUSE_MS = 40;
const PUBLISH_MS_MAX = 3000;
const DIAL_MS_MAX = 5000;
// This machine may stand still for as long, and no client goes elsewhere for it.
const PING_DELAY_MS_MAX = 6000;
const ARRIVE_MS_MAX = 60_000;

// One npm client, which belongs on one node and goes to the next ones when that is not there.
export class Member {
  stories = new Map(); // By channel.
  visited = new Set(); // Numbers of the nodes that it was on since it was last asked to forget.
  reconnects = 0;
  #next;

  // `options`: user, protocol, is_patient (it stays with a node that says nothing).
  constructor(cluster, truth, home, options) {
    this.name = `${options.user}@${home}`;
    this.home = home;
    this.options = options;
    this.truth = truth;
    this.#make_client(cluster);
  }

  #make_client(cluster) {
    const member = this;
    this.#next = this.home;
    // npm centrifuge dials one endpoint again and again; this one dials the next node each time.
    const Roaming = class extends WebSocket {
      constructor(_url, protocols) {
        super(cluster.url_of(member.#dial(cluster)), protocols, { handshakeTimeout: DIAL_MS_MAX });
        this.on('error', () => {}); // Once it is given up nobody else hears of it.
      }
    };
    const { user, protocol, is_patient } = this.options;
    this.client = new_client({ defer() {} }, null, {
      url: cluster.url_of(this.home), websocket: Roaming, protocol, token: make_token({ sub: user }),
      maxReconnectDelay: 500, timeout: PUBLISH_MS_MAX,
      maxServerPingDelay: is_patient ? 120_000 : PING_DELAY_MS_MAX,
    });
    this.client.on('connecting', ({ code }) => { this.reconnects += code === 0 ? 0 : 1; });
  }

  #dial(cluster) {
    this.at = this.#next;
    this.#next = cluster.after(this.at);
    this.visited.add(this.at);
    return this.at;
  }

  async connect() {
    this.client.connect();
    await this.client.ready(ARRIVE_MS_MAX);
  }

  async subscribe(channels) {
    for (const channel of channels) {
      const story = new Story(this, channel, this.truth);
      const subscription = this.client.newSubscription(channel);
      story.hear(subscription);
      this.stories.set(channel, story);
      subscription.subscribe();
    }
    await this.is_served();
  }

  is_served() {
    return eventually(() => [...this.stories.values()].every((story) => story.is_open),
      `${this.name} to be subscribed`, ARRIVE_MS_MAX);
  }

  // Back to the node that it belongs on.
  async go_home() {
    if (this.at !== this.home) {
      this.client.disconnect();
      this.#next = this.home;
      await this.connect();
      await this.is_served();
    }
  }

  get told() {
    return [...this.stories.values()].flatMap((story) => story.told);
  }

  forget() {
    this.reconnects = 0;
    this.visited = new Set([this.at]);
    this.stories.forEach((story) => story.forget());
  }
}

export class Crowd {
  members = [];
  #publishers = []; // Functions that publish until they are to rest.
  #publishing = []; // What they have promised.
  #rests = true;
  #marks = 0;
  #agent = new http.Agent({ keepAlive: true });

  constructor(cluster, truth, channels) {
    this.cluster = cluster;
    this.truth = truth;
    this.channels = channels;
  }

  // JSON and Protobuf clients, and sessions of one user everywhere. Patient ones wait for a node
  // that has stopped.
  async come_to(node) {
    const own = [
      { user: `ann${node}`, protocol: 'json' },
      { user: `bob${node}`, protocol: 'protobuf', is_patient: true },
      { user: 'everywhere', protocol: node % 2 === 0 ? 'json' : 'protobuf' },
    ].map((options) => new Member(this.cluster, this.truth, node, options));
    this.members.push(...own);
    await Promise.all(own.map((member) => member.connect().then(() => member.subscribe(this.channels))));
    this.#add_publisher(`api${node}`, node);
    this.#add_publisher(own[0].name, node, own[0]);
    this.#add_publisher(own[1].name, node, own[1]);
  }

  // Those on a node now, and those not.
  on(node) {
    return this.members.filter((member) => member.at === node);
  }

  off(node) {
    return this.members.filter((member) => member.at !== node);
  }

  async #publish(id, channel, node, member) {
    const via = member?.at ?? node;
    const one = this.truth.begin(id, channel, via);
    if (member !== undefined) {
      await member.client.publish(channel, { id });
      one.acknowledged_at = member.at === via ? performance.now() : null;
      return;
    }
    const { error, result } = await this.cluster.node(node).api('publish',
      { channel, data: { id } }, this.#agent, PUBLISH_MS_MAX);
    if (error === undefined) {
      one.acknowledged_at = performance.now();
      if (result.epoch) {
        this.truth.place(channel, result.epoch, result.offset, id);
      }
    }
  }

  // One after the other. What failed may have been published or not, and is not tried again.
  #add_publisher(name, node, member) {
    let n = 0;
    const run = async () => {
      for (; !this.#rests; n += 1) {
        const channel = this.channels[(n * 7 + node) % this.channels.length];
        await this.#publish(`${name}/${n}`, channel, node, member).catch(() => sleep(100));
        await sleep(PUBLISH_PAUSE_MS);
      }
    };
    this.#publishers.push(run);
    if (!this.#rests) {
      this.#publishing.push(run());
    }
  }

  async rest() {
    this.#rests = true;
    await Promise.all(this.#publishing);
  }

  go_on() {
    this.#rests = false;
    this.#publishing = this.#publishers.map((run) => run());
  }

  // All of these members get what this node publishes, in all channels. Whoever is told of a loss meanwhile gets
  // the next one.
  async reaches(node, members) {
    this.#marks += 1;
    await Promise.all(this.channels.map(async (channel, i) => {
      const stories = members.map((member) => member.stories.get(channel));
      let n = 0;
      let lacking = stories;
      await eventually(async () => {
        const id = `mark${this.#marks}.${i}.${n}/0`;
        n += 1;
        await this.#publish(id, channel, node).catch(() => sleep(200));
        lacking = stories.filter((story) => !story.has(id));
        for (let tries = 0; lacking.length > 0 && tries < 20 && this.truth.get(id).acknowledged_at; tries += 1) {
          await sleep(20);
          lacking = stories.filter((story) => !story.has(id));
        }
        return lacking.length === 0;
      }, 'it', ARRIVE_MS_MAX).catch(() => {
        throw new Error(`what node ${node} publishes in ${channel} does not reach `
          + `${lacking.map(({ teller, segments, told }) => `${teller.name} (on ${teller.at}, told: ${told}, `
            + `${JSON.stringify(segments.at(-1)).slice(0, 80)})`)}`);
      });
    }));
  }

  // Ends a chapter: nothing more is published, all that was has arrived and fits. Returns figures.
  async judge(node) {
    await this.rest();
    await Promise.all(this.members.map((member) => member.is_served()));
    await this.reaches(node, this.members);
    const stories = this.members.flatMap((member) => [...member.stories.values()]);
    const errors = stories.flatMap((story) => story.judge());
    for (const channel of this.channels) {
      const disorder = find_disorder(stories.filter((story) => story.channel === channel));
      errors.push(...(disorder === null ? [] : [disorder]));
    }
    const figures = {
      acknowledged: this.truth.acknowledged,
      heard: stories.reduce((sum, story) => sum
        + story.segments.reduce((all, segment) => all + segment.got.length, 0), 0),
      told: this.members.reduce((sum, member) => sum + member.told.length, 0),
    };
    return { errors, figures };
  }

  async begin_chapter() {
    await this.rest();
    await Promise.all(this.members.map((member) => member.go_home()));
    this.truth.forget();
    this.members.forEach((member) => member.forget());
    this.go_on();
  }

  leave() {
    this.members.forEach((member) => member.client.disconnect());
    this.#agent.destroy();
  }
}
