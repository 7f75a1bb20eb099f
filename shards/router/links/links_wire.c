/* SPDX-License-Identifier: Apache-2.0 */
/* Wires: connections that are dialled, accepted and closed, and the bytes that cross them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shards/router/links/links_state.h"

/* ---- beginning ---- */

static void wire_is_late(struct timer *timer, void *context)
{
    struct wire *wire = CONTAINER_OF(timer, struct wire, timer);
    (void)context;
    wire->links->counters.late++;
    wire_close(wire, "too late");
}

/* Takes the socket over, also when it fails: then NULL. */
static struct wire *wire_begin(struct links *links, int socket, bool is_dialled)
{
    struct shard *shard = links->shard;
    uint32_t handle = POOL_HANDLE_NONE;
    struct wire *wire = pool_take(links->wires, &handle);
    struct tls *tls = NULL;
    if (links->options.tls != NULL) {
        tls = tls_create(links->options.tls, is_dialled ? TLS_DIALS : TLS_ACCEPTS, shard->wall_ms);
    }
    const bool has_tls = tls != NULL || links->options.tls == NULL;
    if (wire == NULL || !has_tls || !poller_watch(shard->poller, socket, LINKS_TOKENS | handle)) {
        if (wire != NULL) {
            pool_put(links->wires, handle);
        }
        if (tls != NULL) {
            tls_destroy(tls);
        }
        poller_close(shard->poller, socket);
        return NULL;
    }
    wire->links = links;
    wire->handle = handle;
    wire->is_dialled = is_dialled;
    stream_open_tls(&wire->stream, socket, tls);
    timer_set(shard->timers, &wire->timer, shard->now_ms + links->options.handshake_ms,
              wire_is_late);
    return wire;
}

/* ---- when a dial has failed ---- */

/* Later and later, and not at the same time as others who lost the same node. */
static uint64_t redial_after_ms(struct peer *peer)
{
    const struct links_options *options = &peer->links->options;
    const uint32_t doublings = peer->failures < 16 ? peer->failures : 16;
    const uint64_t longest = (uint64_t)options->reconnect_ms_min << doublings;
    const uint64_t ms = longest < options->reconnect_ms_max ? longest : options->reconnect_ms_max;
    const uint64_t jitter = random_below(&peer->links->shard->random, ms / 2 + 1);
    const bool is_first = links_goes_before(peer->links, &peer->uid);
    return ms - jitter + (is_first ? 0 : options->patience_ms);
}

static void peer_dial_failed(struct peer *peer)
{
    if (peer->up == NULL) {
        links_plan_dial(peer, redial_after_ms(peer));
    }
    peer->failures++;
}

struct wire *wire_dial(struct links *links, const struct socket_address *address, struct peer *peer)
{
    links->counters.dialled++;
    const int socket = poller_connect(links->shard->poller, address);
    struct wire *wire = socket < 0 ? NULL : wire_begin(links, socket, true);
    if (wire == NULL) {
        links->counters.dials_failed++;
        if (peer != NULL) {
            peer_dial_failed(peer);
        }
        return NULL;
    }
    wire->state = WIRE_CONNECTING;
    wire->address = *address;
    wire->peer = peer;
    if (peer == NULL) {
        list_append(&links->reaches, &wire->place);
        links->reaches_len++;
    }
    return wire;
}

/* ---- accepting ---- */

/* Whoever it is: a flood of connections must not always hit the same ones, neither those that have
 * waited long nor those that come now. */
static void drop_a_stranger(struct links *links)
{
    uint64_t skip = random_below(&links->shard->random, links->strangers_len);
    struct list *at = links->strangers.next;
    for (; skip > 0; skip--) {
        at = at->next;
    }
    links->counters.strangers_dropped++;
    wire_close(CONTAINER_OF(at, struct wire, place), "too many strangers");
}

static void greet_stranger(struct links *links, int socket)
{
    if (links->strangers_len >= links->options.strangers_max) {
        drop_a_stranger(links);
    }
    struct wire *wire = wire_begin(links, socket, false);
    if (wire == NULL) {
        links->counters.strangers_dropped++;
        return;
    }
    wire->state = WIRE_STRANGER;
    list_append(&links->strangers, &wire->place);
    links->strangers_len++;
}

static void accept_again(struct timer *timer, void *context)
{
    (void)context;
    CONTAINER_OF(timer, struct links, accept_again)->has_more_to_accept = true;
}

void wire_accept(struct links *links)
{
    links->has_more_to_accept = false;
    for (int i = 0; i < LINKS_ACCEPTS_A_TURN; i++) {
        const int socket = poller_accept(links->shard->poller, links->listener, NULL);
        if (socket == POLLER_EXHAUSTED) {
            timer_set(links->shard->timers, &links->accept_again,
                      links->shard->now_ms + LINKS_ACCEPT_AGAIN_MS, accept_again);
            return;
        }
        if (socket < 0) {
            return;
        }
        greet_stranger(links, socket);
    }
    links->has_more_to_accept = true;
}

/* ---- ending ---- */

void wire_leave_waiting(struct wire *wire)
{
    struct links *links = wire->links;
    if (list_is_linked(&wire->place)) {
        if (wire->is_dialled) {
            links->reaches_len--;
        } else {
            links->strangers_len--;
        }
    }
    list_remove(&wire->place);
    list_remove(&wire->dirty);
    list_remove(&wire->readable);
    timer_stop(links->shard->timers, &wire->timer);
}

/* Its peer does without it now, and may be dialled again. */
static void leave_peer(struct wire *wire)
{
    struct peer *peer = wire->peer;
    if (peer == NULL) {
        return;
    }
    wire->peer = NULL;
    if (peer->up == wire) {
        peer->up = NULL;
        peer->failures = 0;
        wire->owes_down = true;
        wire->links->counters.downs++;
        if (peer->dialling == NULL) {
            links_plan_dial(peer, redial_after_ms(peer));
        }
    } else if (peer->dialling == wire) {
        peer->dialling = NULL;
        peer_dial_failed(peer);
    }
}

static void log_close(const struct wire *wire, const char *why)
{
    struct log *log = wire->links->shard->log;
    if (wire->state == WIRE_UP) {
        LOG(log, LOG_INFO, "link_down", "peer=%02x%02x%02x%02x reason=\"%s\"", wire->uid.bytes[0],
            wire->uid.bytes[1], wire->uid.bytes[2], wire->uid.bytes[3], why);
        return;
    }
    char address[SOCKET_ADDRESS_TEXT_SIZE];
    socket_address_format(&wire->address, address);
    LOG(log, LOG_DEBUG, "link_not_made", "is_dialled=%d address=%s reason=\"%s\"", wire->is_dialled,
        address, why);
}

void wire_close(struct wire *wire, const char *why)
{
    struct links *links = wire->links;
    if (wire->state == WIRE_CLOSED) {
        return;
    }
    log_close(wire, why);
    wire->state = WIRE_CLOSED;
    wire_leave_waiting(wire);
    leave_peer(wire);
    stream_close(&wire->stream, links->shard->poller);
    outq_clear(&wire->out);
    list_append(&links->closed, &wire->place);
}

void wire_free(struct wire *wire)
{
    list_remove(&wire->place);
    free(wire->partial);
    pool_put(wire->links->wires, wire->handle);
}

/* The stream has ended, for whatever reason. */
static void wire_lost(struct wire *wire)
{
    struct links *links = wire->links;
    const enum tls_failure failure =
        wire->stream.tls == NULL ? TLS_OK : tls_failure(wire->stream.tls);
    if (failure != TLS_OK) {
        links->counters.tls_failures[failure]++;
        LOG(links->shard->log, LOG_WARN, "link_tls_failed", "is_dialled=%d reason=\"%s\"",
            wire->is_dialled, tls_failure_text(failure));
    }
    wire_close(wire, failure == TLS_OK ? "the stream has ended" : tls_failure_text(failure));
}

/* ---- sending ---- */

void wire_mark_dirty(struct wire *wire)
{
    if (!list_is_linked(&wire->dirty)) {
        list_append(&wire->links->dirty, &wire->dirty);
    }
}

void wire_flush(struct wire *wire)
{
    struct poller *poller = wire->links->shard->poller;
    if (wire->is_blocked || wire->state == WIRE_CONNECTING) {
        return;
    }
    uint64_t sent;
    const enum outq_result result = outq_flush(&wire->out, &wire->stream, poller, &sent);
    wire->links->counters.bytes_out += sent;
    wire->is_blocked = result == OUTQ_BLOCKED;
    const bool is_gone =
        result == OUTQ_GONE || (stream_wants_room(&wire->stream) &&
                                stream_send(&wire->stream, poller, NULL, 0) == POLLER_GONE);
    if (is_gone) {
        wire_lost(wire);
    }
}

bool wire_put(struct wire *wire, const struct writer *frame)
{
    const struct span bytes = writer_written(frame);
    BUG_IF(writer_is_overflown(frame));
    if (!outq_append_bytes(&wire->out, bytes.at, (uint32_t)bytes.len, 0)) {
        wire_close(wire, "memory is out");
        return false;
    }
    wire->links->counters.frames_out++;
    wire_mark_dirty(wire);
    return true;
}

/* ---- receiving ---- */

static uint32_t message_len_max(const struct wire *wire)
{
    const bool is_known = wire->state == WIRE_UP || wire->state == WIRE_WELCOMED;
    return is_known ? wire->links->options.message_len_max : 0;
}

void wire_refuse_frame(struct wire *wire, enum link_result result)
{
    struct links *links = wire->links;
    links->counters.bad_frames[result]++;
    LOG(links->shard->log, LOG_WARN, "link_bad_frame", "is_dialled=%d reason=\"%s\"",
        wire->is_dialled, link_result_text(result));
    wire_close(wire, link_result_text(result));
}

/* Room for a frame whose length was checked. */
static bool partial_reserve(struct wire *wire, size_t need)
{
    uint8_t *larger = realloc(wire->partial, need);
    if (larger == NULL) {
        wire_close(wire, "memory is out");
        return false;
    }
    wire->partial = larger;
    wire->partial_need = need;
    return true;
}

static void partial_append(struct wire *wire, struct span *bytes)
{
    const size_t missing = wire->partial_need - wire->partial_len;
    const size_t taken = bytes->len < missing ? bytes->len : missing;
    memcpy(wire->partial + wire->partial_len, bytes->at, taken);
    wire->partial_len += taken;
    *bytes = span_skip(*bytes, taken);
}

/* One frame, if it is there. False: nothing more can be done with what came. */
static bool take_frame(struct wire *wire, struct span *bytes)
{
    struct link_frame frame;
    size_t need;
    const enum link_result result = link_frame_read(bytes, message_len_max(wire), &frame, &need);
    if (result == LINK_OK) {
        wire->links->counters.frames_in++;
        wire_on_frame(wire, &frame);
        return wire->state != WIRE_CLOSED;
    }
    if (result != LINK_MORE) {
        wire_refuse_frame(wire, result);
        return false;
    }
    if (bytes->len > 0 && wire->partial_len == 0 && partial_reserve(wire, need)) {
        partial_append(wire, bytes);
    }
    return false;
}

/* The rest of a frame that came in pieces. */
static bool finish_partial(struct wire *wire, struct span *bytes)
{
    while (wire->partial_len > 0 && bytes->len > 0) {
        partial_append(wire, bytes);
        if (wire->partial_len < wire->partial_need) {
            return false;
        }
        struct span whole = span_of(wire->partial, wire->partial_len);
        struct link_frame frame;
        size_t need;
        const enum link_result result =
            link_frame_read(&whole, message_len_max(wire), &frame, &need);
        if (result == LINK_MORE) {
            if (!partial_reserve(wire, need)) {
                return false;
            }
            continue;
        }
        if (result != LINK_OK) {
            wire_refuse_frame(wire, result);
            return false;
        }
        uint8_t *own = wire->partial;
        wire->partial = NULL;
        wire->partial_len = 0;
        wire->links->counters.frames_in++;
        wire_on_frame(wire, &frame);
        free(own);
    }
    return wire->state != WIRE_CLOSED;
}

static void wire_take(struct wire *wire, struct span bytes)
{
    wire->links->counters.bytes_in += bytes.len;
    wire->heard_ms = shard_awake_ms(wire->links->shard);
    if (finish_partial(wire, &bytes)) {
        while (bytes.len > 0 && take_frame(wire, &bytes)) {
        }
    }
}

void wire_read(struct wire *wire, bool is_over)
{
    struct links *links = wire->links;
    struct shard *shard = links->shard;
    size_t budget = LINKS_READ_A_TURN;
    list_remove(&wire->readable);
    for (;;) {
        const ssize_t received = stream_receive(&wire->stream, shard->poller, shard->receive_buffer,
                                                RECEIVE_BUFFER_SIZE);
        if (received == POLLER_AGAIN) {
            return;
        }
        if (received <= 0) {
            wire_lost(wire);
            return;
        }
        wire_take(wire, span_of(shard->receive_buffer, (size_t)received));
        if (wire->state == WIRE_CLOSED ||
            (!is_over && stream_is_drained(&wire->stream, received, RECEIVE_BUFFER_SIZE))) {
            return;
        }
        if ((size_t)received >= budget) {
            list_append(&links->readable, &wire->readable);
            return;
        }
        budget -= (size_t)received;
    }
}
