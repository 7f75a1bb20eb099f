// SPDX-License-Identifier: Apache-2.0
// What was published, what each subscription got and was told, and whether the two fit.
//
//   subscribed   got got got   told of a loss   got got   ...
//   `------- segment -------'                  `-- segment
//
// A segment is what a subscription got without having been told that it may have missed something. Inside of one
// there is no gap; what is missing between two of them is what was told.

export class Truth {
  #by_id = new Map();
  #by_channel = new Map();
  #at_place = new Map(); // "channel epoch offset" -> id.
  // Some nodes are cut off from all: {nodes, from, to}. Each part then has a home for a channel, and a publication is
  // for those who follow the home that acknowledged it.
  parting = null;

  begin(id, channel, via) {
    const publication = { id, channel, via, sent_at: performance.now(), acknowledged_at: null };
    this.#by_id.set(id, publication);
    this.of(channel).push(publication);
    return publication;
  }

  get(id) {
    return this.#by_id.get(id);
  }

  of(channel) {
    if (!this.#by_channel.has(channel)) {
      this.#by_channel.set(channel, []);
    }
    return this.#by_channel.get(channel);
  }

  // What stands at a place of a channel, for whoever saw it: the same for all. Returns the id.
  place(channel, epoch, offset, id) {
    const key = `${channel} ${epoch} ${offset}`;
    if (!this.#at_place.has(key)) {
      this.#at_place.set(key, id);
    }
    return this.#at_place.get(key);
  }

  get acknowledged() {
    return [...this.#by_id.values()].filter((one) => one.acknowledged_at !== null).length;
  }

  // Was on its way while the parts did not hear each other.
  is_of_parting(one) {
    return this.parting !== null && one.sent_at < this.parting.to
      && one.acknowledged_at > this.parting.from;
  }

  // It may have had another home than the one that these places (numbers of nodes) follow.
  is_of_another_part(one, places) {
    return this.is_of_parting(one)
      && [...places].some((place) => this.#part_of(place) !== this.#part_of(one.via));
  }

  // Each that is cut off is a part of its own, all others are one.
  #part_of(node) {
    return this.parting.nodes.includes(node) ? node : 0;
  }

  // Publications of before count no more; places do.
  forget() {
    this.#by_id.clear();
    this.#by_channel.clear();
    this.parting = null;
  }
}

// What one subscription of an npm client went through.
export class Story {
  segments = [];
  told = []; // How, of each time that it was told that it may have missed something.
  errors = [];
  #seen = new Set();
  #is_open = false;
  #recovers = false;

  constructor(teller, channel, truth) {
    this.teller = teller;
    this.channel = channel;
    this.truth = truth;
  }

  hear(subscription) {
    subscription.on('subscribed', (ctx) => this.#on_subscribed(ctx));
    subscription.on('subscribing', (ctx) => this.#on_subscribing(ctx));
    subscription.on('publication', (ctx) => this.#on_publication(ctx));
    subscription.on('unsubscribed', (ctx) => this.#wrong(`unsubscribed: ${ctx.code} ${ctx.reason}`));
  }

  get is_open() {
    return this.#is_open;
  }

  #wrong(what) {
    this.errors.push(`${this.teller.name} of ${this.channel}: ${what}`);
  }

  #on_subscribed(ctx) {
    this.#is_open = true;
    this.#recovers = ctx.recoverable;
    const is_first = this.segments.length === 0;
    if (!is_first && ctx.wasRecovering && ctx.recovered) {
      return; // What it missed comes now, and the segment goes on.
    }
    if (!is_first && ctx.recoverable) {
      this.told.push('not recovered');
    }
    const { epoch = null, offset = null } = ctx.streamPosition ?? {};
    this.segments.push({ begun_at: performance.now(), epoch, got: [],
      offset: ctx.wasRecovering ? null : offset });
  }

  // Whoever does not recover knows by this alone that there may be a gap.
  #on_subscribing({ code }) {
    if (this.#is_open && !this.#recovers) {
      this.told.push(`subscribing ${code}`);
    }
    this.#is_open = false;
  }

  #on_publication({ data: { id }, offset }) {
    const segment = this.segments.at(-1);
    if (this.#seen.has(id)) {
      this.#wrong(`${id} came twice`);
    }
    this.#seen.add(id);
    segment.got.push(id);
    if (segment.epoch === null) {
      return;
    }
    if (segment.offset !== null && offset !== segment.offset + 1) {
      this.#wrong(`${id} at ${offset} after ${segment.offset} of ${segment.epoch}`);
    }
    segment.offset = offset;
    const there = this.truth.place(this.channel, segment.epoch, offset, id);
    if (there !== id) {
      this.#wrong(`${id} where others have ${there}, ${offset} of ${segment.epoch}`);
    }
  }

  has(id) {
    return this.#seen.has(id);
  }

  // What is wrong with it, after everything has arrived.
  judge() {
    for (const segment of this.segments) {
      this.#judge_order(segment);
    }
    const missing = this.truth.of(this.channel).filter((one) => one.acknowledged_at !== null
      && !this.#seen.has(one.id) && this.#should_have(one));
    if (missing.length > 0) {
      this.#wrong(`not told of the loss of ${missing.slice(0, 5).map(({ id }) => id)} and of `
        + `${missing.length} in all`);
    }
    return this.errors;
  }

  // Who waits for each answer before the next publication is heard in that order.
  #judge_order(segment) {
    const last = new Map();
    for (const id of segment.got) {
      const [publisher, number] = id.split('/');
      if (this.truth.get(id)?.acknowledged_at) {
        if (Number(number) < last.get(publisher)) {
          this.#wrong(`${id} after ${last.get(publisher)}`);
        }
        last.set(publisher, Number(number));
      }
    }
  }

  // It was subscribed before, and later got something that was published after it, or would have.
  #should_have(one) {
    if (this.truth.is_of_another_part(one, this.teller.visited)) {
      return false; // Its place would be missing in the segments of its epoch.
    }
    if (this.truth.is_of_parting(one)) {
      // Channels had two homes at a time. Whoever follows one of them is told, but not at which publication.
      return this.segments.length === 1 && this.segments[0].begun_at < one.sent_at;
    }
    return this.segments.some((segment, i) => segment.begun_at < one.sent_at
      && (i === this.segments.length - 1
        || segment.got.some((id) => this.truth.get(id)?.sent_at > one.acknowledged_at)));
  }

  // From here on anew, in the middle of the present segment.
  forget() {
    const last = this.segments.at(-1);
    this.segments = last === undefined ? [] : [{ ...last, begun_at: performance.now(), got: [] }];
    this.told = [];
    this.errors = [];
  }
}

// Whether some heard one before another, and some the other way. Returns what is wrong, or null.
export function find_disorder(stories) {
  const followers = new Map(); // id -> ids that somebody heard next.
  const before = new Map(); // id -> how many such there are before it.
  for (const { got } of stories.flatMap((story) => story.segments)) {
    got.forEach((id, i) => {
      const next = got[i + 1];
      const known = followers.get(id) ?? followers.set(id, new Set()).get(id);
      before.set(id, before.get(id) ?? 0);
      if (next !== undefined && !known.has(next)) {
        known.add(next);
        before.set(next, (before.get(next) ?? 0) + 1);
      }
    });
  }
  const ready = [...before.keys()].filter((id) => before.get(id) === 0);
  while (ready.length > 0) {
    const id = ready.pop();
    before.delete(id);
    for (const next of followers.get(id)) {
      before.set(next, before.get(next) - 1);
      if (before.get(next) === 0) {
        ready.push(next);
      }
    }
  }
  return before.size === 0 ? null
    : `${stories[0].channel}: no one order of ${[...before.keys()].slice(0, 5)}`;
}
