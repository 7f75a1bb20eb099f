/* SPDX-License-Identifier: Apache-2.0 */
/* Peers: who is kept, when they are dialled, and what is sent to them. */
#include "shards/router/links/links.h"

#include <stdlib.h>
#include <string.h>

#include "shards/router/links/links_state.h"

#define LISTENER_TOKEN (LINKS_TOKENS | 1ull << 32)

struct links_options links_options_default(void)
{
    return (struct links_options){
        .protocol_min = LINK_PROTOCOL_MIN,
        .protocol_max = LINK_PROTOCOL,
        .links_max = 4096,
        .strangers_max = 64,
        .message_len_max = 1024 * 1024,
        .queue_requests_bytes_max = 16 * 1024 * 1024,
        .queue_bytes_max = 64 * 1024 * 1024,
        .handshake_ms = 5000,
        .heartbeat_ms = 1000,
        .dead_ms = 6000,
        .patience_ms = 2000,
        .reconnect_ms_min = 100,
        .reconnect_ms_max = 5000,
        .idle_ms = 15000,
    };
}

static bool options_are_sane(const struct links_options *options)
{
    return options->protocol_min > 0 && options->protocol_min <= options->protocol_max &&
           options->links_max > 0 && options->strangers_max > 0 &&
           options->message_len_max <= LINK_MESSAGE_LEN_MAX &&
           options->queue_bytes_max > options->queue_requests_bytes_max &&
           options->queue_requests_bytes_max > options->message_len_max &&
           options->heartbeat_ms > 0 && options->dead_ms > options->heartbeat_ms &&
           options->handshake_ms > 0 && options->reconnect_ms_min > 0 &&
           options->reconnect_ms_max >= options->reconnect_ms_min &&
           !gossip_uid_is_nobody(&options->uid);
}

/* ---- peers ---- */

static struct map_key peer_key(const void *object)
{
    const struct peer *peer = object;
    return (struct map_key){peer->uid.bytes, sizeof(peer->uid.bytes)};
}

struct peer *links_peer_find(const struct links *links, const struct gossip_uid *uid)
{
    return map_find(links->peers, uid->bytes, sizeof(uid->bytes));
}

static void peer_loosen(struct peer *peer)
{
    const bool is_of_use = peer->is_kept || peer->up != NULL || peer->dialling != NULL;
    if (!is_of_use && !list_is_linked(&peer->loose)) {
        list_append(&peer->links->loose, &peer->loose);
    }
}

struct peer *links_peer_have(struct links *links, const struct gossip_uid *uid)
{
    struct peer *peer = links_peer_find(links, uid);
    if (peer != NULL || map_count(links->peers) >= links->options.links_max) {
        return peer;
    }
    peer = calloc(1, sizeof(*peer));
    if (peer == NULL) {
        return NULL;
    }
    peer->links = links;
    peer->uid = *uid;
    if (!map_insert(links->peers, peer)) {
        free(peer);
        return NULL;
    }
    peer_loosen(peer);
    return peer;
}

static void peer_free(struct peer *peer)
{
    timer_stop(peer->links->shard->timers, &peer->timer);
    list_remove(&peer->loose);
    free(peer);
}

/* Those that are still of no use at the end of the turn. */
static void drop_loose_peers(struct links *links)
{
    for (struct list *at; (at = list_take_first(&links->loose)) != NULL;) {
        struct peer *peer = CONTAINER_OF(at, struct peer, loose);
        if (!peer->is_kept && peer->up == NULL && peer->dialling == NULL) {
            map_remove(links->peers, peer);
            peer_free(peer);
        }
    }
}

bool links_goes_before(const struct links *links, const struct gossip_uid *uid)
{
    return memcmp(links->options.uid.bytes, uid->bytes, sizeof(uid->bytes)) < 0;
}

/* ---- dialling ---- */

static void dial_peer(struct timer *timer, void *context)
{
    struct peer *peer = CONTAINER_OF(timer, struct peer, timer);
    (void)context;
    if (peer->is_kept && peer->up == NULL && peer->dialling == NULL) {
        peer->dialling = wire_dial(peer->links, &peer->address, peer);
    }
}

void links_plan_dial(struct peer *peer, uint64_t after_ms)
{
    struct shard *shard = peer->links->shard;
    if (peer->is_kept) {
        timer_set(shard->timers, &peer->timer, shard->now_ms + after_ms, dial_peer);
    }
    peer_loosen(peer);
}

/* ---- the interface ---- */

struct links *links_create(struct shard *shard, const struct links_options *options,
                           const struct links_sink *sink)
{
    BUG_IF(!options_are_sane(options));
    struct links *links = calloc(1, sizeof(*links));
    if (links == NULL) {
        return NULL;
    }
    links->shard = shard;
    links->options = *options;
    links->sink = *sink;
    links->listener = -1;
    list_init(&links->strangers);
    list_init(&links->reaches);
    list_init(&links->dirty);
    list_init(&links->readable);
    list_init(&links->closed);
    list_init(&links->loose);
    /* A peer may have a link, a dial, and what either of them replaces. */
    const uint32_t wires_max = 4 * options->links_max + options->strangers_max + LINKS_REACHES_MAX;
    links->peers = map_create(peer_key, &shard->random);
    links->wires = pool_create(sizeof(struct wire), wires_max);
    if (links->peers == NULL || links->wires == NULL) {
        links_destroy(links);
        return NULL;
    }
    return links;
}

void links_destroy(struct links *links)
{
    if (links == NULL) {
        return;
    }
    uint32_t cursor = 0;
    uint32_t handle;
    for (struct wire *wire;
         links->wires != NULL && (wire = pool_next(links->wires, &cursor, &handle)) != NULL;) {
        wire_close(wire, "stopping");
        wire_free(wire);
    }
    size_t at = 0;
    for (struct peer *peer; links->peers != NULL && (peer = map_next(links->peers, &at)) != NULL;) {
        map_remove(links->peers, peer);
        peer_free(peer);
    }
    if (links->listener >= 0) {
        poller_close(links->shard->poller, links->listener);
    }
    timer_stop(links->shard->timers, &links->accept_again);
    map_destroy(links->peers);
    pool_destroy(links->wires);
    tls_context_destroy(links->renewed);
    free(links);
}

bool links_listen(struct links *links, const struct socket_address *address)
{
    BUG_IF(links->listener >= 0);
    struct poller *poller = links->shard->poller;
    const int listener = poller_listen(poller, address, (int)links->options.strangers_max);
    if (listener < 0) {
        return false;
    }
    if (!poller_watch(poller, listener, LISTENER_TOKEN)) {
        poller_close(poller, listener);
        return false;
    }
    links->listener = listener;
    return true;
}

void links_renew_tls(struct links *links, struct tls_context *tls)
{
    BUG_IF(links->options.tls == NULL);
    links->options.tls = tls;
    tls_context_destroy(links->renewed);
    links->renewed = tls;
}

void links_keep(struct links *links, const struct gossip_uid *uid,
                const struct socket_address *address)
{
    if (gossip_uid_equal(uid, &links->options.uid)) {
        return;
    }
    struct peer *peer = links_peer_have(links, uid);
    if (peer == NULL) {
        LOG(links->shard->log, LOG_WARN, "link_not_kept", "reason=room");
        return;
    }
    peer->address = *address;
    if (!peer->is_kept) {
        peer->is_kept = true;
        if (peer->up == NULL && peer->dialling == NULL) {
            const bool is_first = links_goes_before(links, uid);
            links_plan_dial(peer, is_first ? 0 : links->options.patience_ms);
        }
    }
}

void links_forget(struct links *links, const struct gossip_uid *uid)
{
    struct peer *peer = links_peer_find(links, uid);
    if (peer == NULL) {
        return;
    }
    peer->is_kept = false;
    timer_stop(links->shard->timers, &peer->timer);
    if (peer->up != NULL) {
        wire_close(peer->up, "forgotten");
    }
    if (peer->dialling != NULL) {
        wire_close(peer->dialling, "forgotten");
    }
    peer_loosen(peer);
}

static bool is_same_address(const struct socket_address *a, const struct socket_address *b)
{
    return a->family == b->family && a->port == b->port &&
           memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : sizeof(a->bytes)) == 0;
}

bool links_reach(struct links *links, const struct socket_address *address)
{
    for (struct list *at = links->reaches.next; at != &links->reaches; at = at->next) {
        const struct wire *wire = CONTAINER_OF(at, struct wire, place);
        if (is_same_address(&wire->address, address)) {
            return true;
        }
    }
    return links->reaches_len < LINKS_REACHES_MAX && wire_dial(links, address, NULL) != NULL;
}

bool links_is_up(const struct links *links, const struct gossip_uid *uid)
{
    const struct peer *peer = links_peer_find(links, uid);
    return peer != NULL && peer->up != NULL;
}

/* ---- sending ---- */

/* The class has room for so many more bytes; a reply without room ends the link. */
static bool has_room(struct wire *wire, enum message_class class, size_t len)
{
    struct links *links = wire->links;
    const struct links_options *options = &links->options;
    const size_t queued = wire->out.bytes + len;
    if (class == MESSAGE_REQUEST) {
        const bool fits = queued <= options->queue_requests_bytes_max;
        links->counters.requests_refused += !fits;
        return fits;
    }
    if (queued > options->queue_bytes_max) {
        links->counters.overflows++;
        wire_close(wire, "its queue is full");
        return false;
    }
    return true;
}

/* Head and, if it is copied, payload, in one piece. */
static bool append_head(struct wire *wire, struct span head, const struct buf *payload, bool copies)
{
    const uint32_t payload_len = payload == NULL ? 0 : payload->len;
    const uint32_t copied = copies ? payload_len : 0;
    const uint32_t len = LINK_HEAD_LEN + (uint32_t)head.len + copied;
    uint8_t *at = outq_reserve(&wire->out, len, 0);
    if (at == NULL) {
        return false;
    }
    link_message_head((uint32_t)head.len + payload_len, at);
    if (head.len > 0) {
        memcpy(at + LINK_HEAD_LEN, head.at, head.len);
    }
    if (copied > 0) {
        memcpy(at + LINK_HEAD_LEN + head.len, payload->bytes, copied);
    }
    outq_commit(&wire->out, len);
    return true;
}

static bool append_shared(struct wire *wire, struct buf *payload)
{
    buf_share(payload, 1);
    struct frame *frame = frame_wrap(payload, 0, payload->len);
    const bool is_appended = frame != NULL && outq_append(&wire->out, frame, 0);
    if (frame != NULL) {
        frame_release(frame);
    }
    return is_appended;
}

bool links_send(struct links *links, const struct gossip_uid *uid, enum message_class class,
                struct span head, struct buf *payload)
{
    const struct peer *peer = links_peer_find(links, uid);
    struct wire *wire = peer == NULL ? NULL : peer->up;
    const size_t len = head.len + (payload == NULL ? 0 : payload->len);
    if (wire == NULL || len > links->options.message_len_max ||
        !has_room(wire, class, LINK_HEAD_LEN + len)) {
        return false;
    }
    const bool copies = payload == NULL || payload->len <= LINKS_COPIED_LEN_MAX;
    if (!append_head(wire, head, payload, copies) || (!copies && !append_shared(wire, payload))) {
        wire_close(wire, "memory is out"); /* What went in may be half a message. */
        return false;
    }
    links->counters.messages_out++;
    links->counters.frames_out++;
    wire->used_ms = links->shard->now_ms;
    wire_mark_dirty(wire);
    return true;
}

uint32_t links_queue_bytes(const struct links *links, const struct gossip_uid *uid)
{
    const struct peer *peer = links_peer_find(links, uid);
    return peer == NULL || peer->up == NULL ? 0 : peer->up->out.bytes;
}

/* ---- the turn ---- */

void links_on_event(struct links *links, uint64_t token, uint32_t events)
{
    if (token == LISTENER_TOKEN) {
        wire_accept(links);
        return;
    }
    struct wire *wire = pool_get(links->wires, (uint32_t)token);
    if (wire == NULL || wire->state == WIRE_CLOSED) {
        links->counters.stale_events++;
        return;
    }
    wire->is_blocked = false;
    if (wire->state == WIRE_CONNECTING) {
        wire_on_connected(wire);
    }
    if (wire->state != WIRE_CONNECTING && wire->state != WIRE_CLOSED &&
        (events & (POLLER_READABLE | POLLER_HANGUP)) != 0) {
        wire_read(wire, (events & POLLER_HANGUP) != 0);
    }
    if (wire->state != WIRE_CLOSED &&
        (!outq_is_empty(&wire->out) || stream_wants_room(&wire->stream))) {
        wire_mark_dirty(wire);
    }
}

void links_tell_downs(struct links *links)
{
    struct list *at = links->closed.next;
    while (at != &links->closed) {
        struct wire *wire = CONTAINER_OF(at, struct wire, place);
        at = at->next;
        if (wire->owes_down) {
            wire->owes_down = false;
            links->sink.down(links->sink.owner, &wire->uid);
        }
    }
}

static void read_what_was_left(struct links *links)
{
    struct list left;
    list_init(&left);
    for (struct list *at; (at = list_take_first(&links->readable)) != NULL;) {
        list_append(&left, at);
    }
    for (struct list *at; (at = list_take_first(&left)) != NULL;) {
        wire_read(CONTAINER_OF(at, struct wire, readable), true);
    }
}

void links_on_turn_end(struct links *links)
{
    if (links->has_more_to_accept) {
        wire_accept(links);
    }
    read_what_was_left(links);
    for (struct list *at; (at = list_take_first(&links->dirty)) != NULL;) {
        wire_flush(CONTAINER_OF(at, struct wire, dirty));
    }
    links_tell_downs(links);
    for (struct list *at; (at = list_take_first(&links->closed)) != NULL;) {
        struct wire *wire = CONTAINER_OF(at, struct wire, place);
        if (wire->owes_down) {
            list_append(&links->closed, at); /* Closed by who was told of another: next turn. */
            break;
        }
        wire_free(wire);
    }
    drop_loose_peers(links);
}

bool links_has_work(const struct links *links)
{
    return links->has_more_to_accept || !list_is_empty(&links->readable) ||
           !list_is_empty(&links->dirty) || !list_is_empty(&links->closed);
}

/* ---- what is told ---- */

const struct links_counters *links_counters(const struct links *links)
{
    return &links->counters;
}

void links_gauges(const struct links *links, struct links_gauges *out)
{
    *out = (struct links_gauges){.strangers = links->strangers_len};
    size_t at = 0;
    for (const struct peer *peer; (peer = map_next(links->peers, &at)) != NULL;) {
        out->kept += peer->is_kept;
        if (peer->up != NULL) {
            const uint64_t bytes = peer->up->out.bytes;
            const uint64_t rtt_us = peer->up->rtt_us;
            out->up++;
            out->queue_bytes += bytes;
            out->queue_bytes_max = bytes > out->queue_bytes_max ? bytes : out->queue_bytes_max;
            out->rtt_us_max = rtt_us > out->rtt_us_max ? rtt_us : out->rtt_us_max;
        }
    }
}

bool links_peer(const struct links *links, const struct gossip_uid *uid, struct links_peer *out)
{
    const struct peer *peer = links_peer_find(links, uid);
    if (peer == NULL || peer->up == NULL) {
        return false;
    }
    *out = (struct links_peer){
        .protocol = peer->up->protocol,
        .queue_bytes = peer->up->out.bytes,
        .rtt_us = peer->up->rtt_us,
        .up_since_ms = peer->up->up_since_ms,
        .is_dialled = peer->up->is_dialled,
    };
    return true;
}
