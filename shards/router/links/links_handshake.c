/* SPDX-License-Identifier: Apache-2.0 */
/* What the frames of a link mean: who is there, which of two connections stays, and heartbeats. */
#include "shards/router/links/links_state.h"

static struct link_hello own_hello(const struct links *links)
{
    const struct links_options *options = &links->options;
    return (struct link_hello){
        .cluster = options->cluster,
        .protocol_min = options->protocol_min,
        .protocol_max = options->protocol_max,
        .incarnation = options->incarnation,
        .uid = options->uid,
    };
}

/* ---- hellos and welcomes ---- */

static void put_hello(struct wire *wire, const struct link_hello *hello, bool is_welcome)
{
    const struct links_seal *seal = &wire->links->options.seal;
    uint8_t clear[LINK_HELLO_LEN_MAX];
    uint8_t sealed[LINK_HELLO_LEN_MAX];
    uint8_t bytes[LINK_HEAD_LEN + LINK_HELLO_LEN_MAX];
    struct writer body = writer_of(clear, sizeof(clear));
    struct writer envelope = writer_of(sealed, sizeof(sealed));
    struct writer frame = writer_of(bytes, sizeof(bytes));
    link_hello_encode(hello, is_welcome, &body);
    if (seal->owner != NULL) {
        if (!seal->seal(seal->owner, writer_written(&body), &envelope)) {
            wire_close(wire, "it cannot be sealed");
            return;
        }
        body = envelope;
    }
    link_frame_write(is_welcome ? LINK_WELCOME : LINK_HELLO, writer_written(&body), &frame);
    (void)wire_put(wire, &frame);
}

/* Into `room`, of LINK_HELLO_LEN_MAX bytes. False: whoever it is from does not have the key. */
static bool open_hello(const struct links *links, struct span *body, uint8_t *room)
{
    const struct links_seal *seal = &links->options.seal;
    struct writer hello = writer_of(room, LINK_HELLO_LEN_MAX);
    if (seal->owner != NULL) {
        if (!seal->open(seal->owner, *body, &hello)) {
            return false;
        }
        *body = writer_written(&hello);
    }
    return true;
}

/* ---- heartbeats ---- */

static void put_beat(struct wire *wire, uint64_t sent_us, bool is_pong)
{
    uint8_t bytes[LINK_HEAD_LEN + LINK_HELLO_LEN_MAX];
    struct writer frame = writer_of(bytes, sizeof(bytes));
    link_beat_write(sent_us, is_pong, &frame);
    wire_put(wire, &frame);
}

static uint64_t now_us(const struct links *links)
{
    return links->shard->now_ns / 1000;
}

static void heartbeat(struct timer *timer, void *context)
{
    struct wire *wire = CONTAINER_OF(timer, struct wire, timer);
    struct links *links = wire->links;
    const struct links_options *options = &links->options;
    const uint64_t now_ms = links->shard->now_ms;
    (void)context;
    if (shard_awake_ms(links->shard) - wire->heard_ms >= options->dead_ms) {
        links->counters.dead++;
        wire_close(wire, "silent for too long");
        return;
    }
    if (!wire->peer->is_kept && now_ms - wire->used_ms >= options->idle_ms) {
        wire_close(wire, "not used");
        return;
    }
    timer_set(links->shard->timers, timer, now_ms + options->heartbeat_ms, heartbeat);
    put_beat(wire, now_us(links), false);
}

static enum link_result on_beat(struct wire *wire, const struct link_frame *frame)
{
    uint64_t sent_us;
    const enum link_result result = link_beat_decode(frame->body, &sent_us);
    if (result != LINK_OK) {
        return result;
    }
    if (frame->kind == LINK_PING) {
        put_beat(wire, sent_us, true);
    } else if (sent_us > 0 && sent_us <= now_us(wire->links)) {
        wire->rtt_us = now_us(wire->links) - sent_us;
    }
    return LINK_OK;
}

/* ---- up ---- */

static void become_up(struct wire *wire, struct peer *peer)
{
    struct links *links = wire->links;
    struct shard *shard = links->shard;
    BUG_IF(peer->up != NULL);
    links_tell_downs(links);
    if (wire->state == WIRE_CLOSED) {
        return; /* Who was told has forgotten the peer. */
    }
    struct wire *dialling = peer->dialling;
    wire_leave_waiting(wire);
    peer->dialling = NULL;
    wire->peer = peer;
    peer->up = wire;
    peer->incarnation = wire->incarnation;
    peer->failures = 0;
    if (dialling != NULL && dialling != wire) {
        dialling->peer = NULL;
        wire_close(dialling, "another connection came first");
    }
    timer_stop(shard->timers, &peer->timer);
    wire->state = WIRE_UP;
    wire->up_since_ms = shard->now_ms;
    wire->used_ms = shard->now_ms;
    const uint32_t beat_ms = links->options.heartbeat_ms;
    timer_set(shard->timers, &wire->timer,
              shard->now_ms + 1 + random_below(&shard->random, beat_ms), heartbeat);
    links->counters.ups++;
    links->counters.reconnects += peer->had_link;
    peer->had_link = true;
    LOG(shard->log, LOG_INFO, "link_up", "peer=%02x%02x%02x%02x is_dialled=%d protocol=%u",
        peer->uid.bytes[0], peer->uid.bytes[1], peer->uid.bytes[2], peer->uid.bytes[3],
        wire->is_dialled, wire->protocol);
    links->sink.up(links->sink.owner, &wire->uid, wire->protocol);
}

/* The peer's present link, if there is one, goes; the peer is not dialled because of it. */
static void replace_link(struct peer *peer, const char *why)
{
    if (peer->up != NULL) {
        wire_close(peer->up, why);
        timer_stop(peer->links->shard->timers, &peer->timer);
    }
}

/* ---- on the side that accepted ---- */

static void refuse(struct wire *wire, enum link_refusal refusal)
{
    struct links *links = wire->links;
    uint8_t bytes[LINK_HEAD_LEN + LINK_HELLO_LEN_MAX];
    struct writer frame = writer_of(bytes, sizeof(bytes));
    links->counters.refused[refusal]++;
    LOG(links->shard->log, LOG_INFO, "link_refused", "reason=\"%s\"", link_refusal_text(refusal));
    link_refusal_write(refusal, &frame);
    if (wire_put(wire, &frame)) {
        wire_flush(wire); /* There is no other time. What the socket does not take is not told. */
        wire_close(wire, link_refusal_text(refusal));
    }
}

/* Our own connection to the same node goes before: its link, or the dial whose hello is there. */
static bool is_crossed(const struct links *links, const struct peer *peer,
                       const struct link_hello *hello)
{
    if (!links_goes_before(links, &hello->uid)) {
        return false;
    }
    const struct wire *up = peer->up;
    const struct wire *dialling = peer->dialling;
    return (up != NULL && up->is_dialled && up->incarnation == hello->incarnation) ||
           (dialling != NULL && dialling->state == WIRE_GREETING);
}

static bool hello_is_refused(const struct links *links, const struct link_hello *hello,
                             uint32_t protocol, enum link_refusal *refusal)
{
    const struct peer *peer = links_peer_find(links, &hello->uid);
    if (hello->cluster != links->options.cluster) {
        *refusal = LINK_REFUSED_CLUSTER;
    } else if (gossip_uid_equal(&hello->uid, &links->options.uid)) {
        *refusal = LINK_REFUSED_SELF;
    } else if (!gossip_uid_is_nobody(&hello->wanted) &&
               !gossip_uid_equal(&hello->wanted, &links->options.uid)) {
        *refusal = LINK_REFUSED_UID;
    } else if (protocol == 0) {
        *refusal = LINK_REFUSED_VERSION;
    } else if (peer == NULL && map_count(links->peers) >= links->options.links_max) {
        *refusal = LINK_REFUSED_BUSY;
    } else if (peer != NULL && hello->incarnation < peer->incarnation) {
        *refusal = LINK_REFUSED_STALE;
    } else if (peer != NULL && is_crossed(links, peer, hello)) {
        *refusal = LINK_REFUSED_CROSSED;
    } else {
        return false;
    }
    return true;
}

/* The peer's connection is the one that stays, if the peer does not think otherwise. */
static void give_up_own_dial(struct peer *peer)
{
    struct wire *dialling = peer->dialling;
    if (dialling != NULL) {
        dialling->peer = NULL;
        peer->dialling = NULL;
        wire_close(dialling, "the peer's own goes before");
        links_plan_dial(peer, peer->links->options.handshake_ms);
    }
}

static enum link_result on_hello(struct wire *wire, struct span body)
{
    struct links *links = wire->links;
    struct link_hello own = own_hello(links);
    struct link_hello hello;
    enum link_refusal refusal;
    uint8_t room[LINK_HELLO_LEN_MAX];
    if (!open_hello(links, &body, room)) {
        refuse(wire, LINK_REFUSED_KEY);
        return LINK_OK;
    }
    const enum link_result result = link_hello_decode(body, false, &hello);
    if (result != LINK_OK) {
        return result;
    }
    own.protocol = link_protocol_choose(&own, &hello);
    if (hello_is_refused(links, &hello, own.protocol, &refusal)) {
        refuse(wire, refusal);
        return LINK_OK;
    }
    struct peer *peer = links_peer_find(links, &hello.uid);
    if (peer != NULL) {
        give_up_own_dial(peer);
    }
    wire->state = WIRE_WELCOMED;
    wire->uid = hello.uid;
    wire->incarnation = hello.incarnation;
    wire->protocol = own.protocol;
    put_hello(wire, &own, true);
    return LINK_OK;
}

/* The peer has agreed. Meanwhile another link may have come up; false: the wire is closed. */
static bool on_agreement(struct wire *wire)
{
    struct links *links = wire->links;
    struct peer *peer = links_peer_have(links, &wire->uid);
    if (peer == NULL) {
        links->counters.refused[LINK_REFUSED_BUSY]++;
        wire_close(wire, link_refusal_text(LINK_REFUSED_BUSY));
        return false;
    }
    if (wire->incarnation < peer->incarnation) {
        links->counters.refused[LINK_REFUSED_STALE]++;
        wire_close(wire, link_refusal_text(LINK_REFUSED_STALE));
        return false;
    }
    const struct wire *up = peer->up;
    if (up != NULL && up->incarnation == wire->incarnation && up->is_dialled &&
        links_goes_before(links, &wire->uid)) {
        links->counters.refused[LINK_REFUSED_CROSSED]++;
        wire_close(wire, link_refusal_text(LINK_REFUSED_CROSSED));
        return false;
    }
    replace_link(peer, "the peer made a new one");
    become_up(wire, peer);
    return wire->state == WIRE_UP;
}

/* ---- on the side that dialled ---- */

void wire_on_connected(struct wire *wire)
{
    struct links *links = wire->links;
    const int connected = poller_connected(links->shard->poller, wire->stream.socket);
    if (connected == POLLER_AGAIN) {
        return;
    }
    if (connected < 0) {
        links->counters.dials_failed++;
        wire_close(wire, connected == POLLER_REFUSED ? "nobody listens there" : "not reached");
        return;
    }
    struct link_hello hello = own_hello(links);
    if (wire->peer != NULL) {
        hello.wanted = wire->peer->uid;
    }
    wire->state = WIRE_GREETING;
    put_hello(wire, &hello, false);
}

/* Who answered is nobody whom we want: it should have refused us itself. */
static bool welcome_is_refused(const struct wire *wire, const struct link_hello *welcome,
                               enum link_refusal *refusal)
{
    const struct links *links = wire->links;
    const struct peer *peer = links_peer_find(links, &welcome->uid);
    if (welcome->cluster != links->options.cluster) {
        *refusal = LINK_REFUSED_CLUSTER;
    } else if (gossip_uid_equal(&welcome->uid, &links->options.uid)) {
        *refusal = LINK_REFUSED_SELF;
    } else if (wire->peer != NULL && !gossip_uid_equal(&welcome->uid, &wire->peer->uid)) {
        *refusal = LINK_REFUSED_UID;
    } else if (welcome->protocol < links->options.protocol_min ||
               welcome->protocol > links->options.protocol_max) {
        *refusal = LINK_REFUSED_VERSION;
    } else if (peer != NULL && welcome->incarnation < peer->incarnation) {
        *refusal = LINK_REFUSED_STALE;
    } else if (peer != NULL && peer->up != NULL && peer->up->incarnation == welcome->incarnation) {
        *refusal = LINK_REFUSED_CROSSED; /* It came up meanwhile. */
    } else {
        return false;
    }
    return true;
}

static enum link_result on_welcome(struct wire *wire, struct span body)
{
    struct links *links = wire->links;
    struct link_hello welcome;
    enum link_refusal refusal;
    uint8_t room[LINK_HELLO_LEN_MAX];
    if (!open_hello(links, &body, room)) {
        links->counters.refused[LINK_REFUSED_KEY]++;
        wire_close(wire, link_refusal_text(LINK_REFUSED_KEY));
        return LINK_OK;
    }
    const enum link_result result = link_hello_decode(body, true, &welcome);
    if (result != LINK_OK) {
        return result;
    }
    if (welcome_is_refused(wire, &welcome, &refusal)) {
        links->counters.refused[refusal]++;
        wire_close(wire, link_refusal_text(refusal));
        return LINK_OK;
    }
    struct peer *peer = links_peer_have(links, &welcome.uid);
    if (peer == NULL) {
        links->counters.refused[LINK_REFUSED_BUSY]++;
        wire_close(wire, link_refusal_text(LINK_REFUSED_BUSY));
        return LINK_OK;
    }
    wire->uid = welcome.uid;
    wire->incarnation = welcome.incarnation;
    wire->protocol = welcome.protocol;
    put_beat(wire, now_us(links), false); /* The agreement, and before all else. */
    if (wire->state != WIRE_CLOSED) {
        replace_link(peer, "of an earlier life");
        become_up(wire, peer);
    }
    return LINK_OK;
}

static enum link_result on_refusal(struct wire *wire, struct span body)
{
    enum link_refusal refusal;
    const enum link_result result = link_refusal_decode(body, &refusal);
    if (result == LINK_OK) {
        wire->links->counters.refused_us[refusal]++;
        LOG(wire->links->shard->log, LOG_INFO, "link_refused_us", "reason=\"%s\"",
            link_refusal_text(refusal));
        wire_close(wire, link_refusal_text(refusal));
    }
    return result;
}

/* ---- frames ---- */

static enum link_result handle_frame(struct wire *wire, const struct link_frame *frame)
{
    struct links *links = wire->links;
    if (frame->kind == LINK_MESSAGE) {
        links->counters.messages_in++;
        wire->used_ms = links->shard->now_ms;
        links->sink.message(links->sink.owner, &wire->uid, frame->body);
        return LINK_OK;
    }
    const bool is_beat = frame->kind == LINK_PING || frame->kind == LINK_PONG;
    return is_beat ? on_beat(wire, frame) : LINK_ERROR_ORDER;
}

static enum link_result frame_in_state(struct wire *wire, const struct link_frame *frame)
{
    switch (wire->state) {
    case WIRE_STRANGER:
        return frame->kind == LINK_HELLO ? on_hello(wire, frame->body) : LINK_ERROR_ORDER;
    case WIRE_GREETING:
        if (frame->kind == LINK_REFUSAL) {
            return on_refusal(wire, frame->body);
        }
        return frame->kind == LINK_WELCOME ? on_welcome(wire, frame->body) : LINK_ERROR_ORDER;
    case WIRE_WELCOMED:
        if (frame->kind < LINK_PING) {
            return LINK_ERROR_ORDER;
        }
        return on_agreement(wire) ? handle_frame(wire, frame) : LINK_OK;
    case WIRE_UP:
        return handle_frame(wire, frame);
    case WIRE_CONNECTING:
    case WIRE_CLOSED:
        break;
    }
    return LINK_ERROR_ORDER;
}

void wire_on_frame(struct wire *wire, const struct link_frame *frame)
{
    const enum link_result result = frame_in_state(wire, frame);
    if (result != LINK_OK) {
        wire_refuse_frame(wire, result);
    }
}
