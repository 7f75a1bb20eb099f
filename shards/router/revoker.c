/* SPDX-License-Identifier: Apache-2.0 */
/* The node's own table of revocations, and what is told of it to whom. */
#include "shards/router/revoker.h"

#include <stdlib.h>

#include "shards/counters.h"
#include "shards/limits.h"
#include "shards/payloads.h"

struct revoker {
    struct revoker_options options;
    struct revocations *table;
    struct timer timer;
};

/* Of REVOCATIONS between nodes. */
enum { FLAG_ASKS_BACK = 1 };

struct revoker *revoker_create(const struct revoker_options *options)
{
    struct revoker *revoker = calloc(1, sizeof(*revoker));
    if (revoker == NULL) {
        return NULL;
    }
    revoker->options = *options;
    revoker->table = revocations_create(REVOCATIONS_MAX, &options->shard->random);
    if (revoker->table == NULL) {
        free(revoker);
        return NULL;
    }
    return revoker;
}

void revoker_destroy(struct revoker *revoker)
{
    if (revoker != NULL) {
        timer_stop(revoker->options.shard->timers, &revoker->timer);
        revocations_destroy(revoker->table);
        free(revoker);
    }
}

static int64_t now_s(const struct revoker *revoker)
{
    return revoker->options.shard->wall_ms / 1000;
}

/* ---- what others are told ---- */

static void tell_shards(struct revoker *revoker, struct buf *entries)
{
    const uint32_t shards = revoker->options.node->shards;
    const struct message_revocations body = {.entries = entries};
    buf_share(entries, shards);
    for (uint32_t shard = 0; shard < shards; shard++) {
        OUTBOX_SEND(revoker->options.outbox, shard, revocations, 0, &body);
    }
}

static void tell_nodes(struct revoker *revoker, const struct gossip_uid *to, struct buf *entries,
                       uint32_t flags)
{
    const struct link_message message = {.kind = LINK_MESSAGE_REVOCATIONS, .flags = flags};
    revoker->options.tell(revoker->options.owner, to, &message, entries);
}

static void tell_piece(struct revoker *revoker, const struct gossip_uid *to, struct writer *out,
                       uint32_t flags)
{
    const struct span piece = writer_written(out);
    struct buf *entries = span_is_empty(piece) ? NULL : buf_copy(piece.at, piece.len);
    if (entries != NULL || span_is_empty(piece)) {
        tell_nodes(revoker, to, entries, flags);
    }
    buf_release(entries);
}

/* All that is known, in pieces; the last has the flags. */
static void tell_all(struct revoker *revoker, const struct gossip_uid *to, uint32_t flags)
{
    uint8_t *room = malloc(REVOCATIONS_PIECE_BYTES);
    if (room == NULL) {
        return; /* The sums will differ again. */
    }
    struct writer out = writer_of(room, REVOCATIONS_PIECE_BYTES);
    struct link_revocation entry;
    size_t cursor = 0;
    while (revocations_next(revoker->table, &cursor, &entry)) {
        if (writer_room(&out) < REVOCATION_LEN_MAX) {
            tell_piece(revoker, to, &out, 0);
            out = writer_of(room, REVOCATIONS_PIECE_BYTES);
        }
        link_put_revocation(&out, &entry);
    }
    if (writer_written_len(&out) > 0 || flags != 0) {
        tell_piece(revoker, to, &out, flags);
    }
    free(room);
}

/* ---- what it is told ---- */

static void on_timer(struct timer *timer, void *actor);

/* While there is something to compare and to forget. */
static void schedule(struct revoker *revoker)
{
    struct shard *shard = revoker->options.shard;
    stats_set(shard->stats, COUNTER_REVOCATIONS, revocations_count(revoker->table));
    if (revocations_count(revoker->table) > 0 && !timer_is_set(&revoker->timer)) {
        timer_set(shard->timers, &revoker->timer, shard->now_ms + REVOCATIONS_SUM_MS, on_timer);
    }
}

static void on_timer(struct timer *timer, void *actor)
{
    struct revoker *revoker = CONTAINER_OF(timer, struct revoker, timer);
    (void)actor;
    revocations_expire(revoker->table, now_s(revoker));
    const struct link_message sum = {.kind = LINK_MESSAGE_REVOCATIONS_SUM,
                                     .sequence = revocations_sum(revoker->table),
                                     .offset = revocations_count(revoker->table)};
    revoker->options.tell(revoker->options.owner, NULL, &sum, NULL);
    schedule(revoker);
}

/* The worst that came of any of them; CHANGED when none was refused and one was new. */
static enum revocations_result merge_all(struct revoker *revoker, struct span entries)
{
    enum revocations_result all = REVOCATIONS_SAME;
    struct link_revocation entry;
    enum link_message_result read;
    while ((read = link_next_revocation(&entries, &entry)) == LINK_MESSAGE_OK) {
        const enum revocations_result one =
            revocations_merge(revoker->table, &entry, now_s(revoker));
        all = one > all ? one : all;
        if (one == REVOCATIONS_FULL) {
            stats_add(revoker->options.shard->stats, COUNTER_REVOCATIONS_REFUSED, 1);
        }
    }
    schedule(revoker);
    return read == LINK_MESSAGE_DONE ? all : REVOCATIONS_INVALID;
}

void revoker_on_revoke(struct revoker *revoker, const struct message *message)
{
    const struct message_revoke body = message_as_revoke(message);
    const enum revocations_result result = merge_all(revoker, span_of_buf(body.entries));
    const struct message_revoked answer = {
        .error = result == REVOCATIONS_FULL      ? CLIENT_ERROR_LIMIT_EXCEEDED
                 : result == REVOCATIONS_INVALID ? CLIENT_ERROR_BAD_REQUEST
                                                 : 0};
    if (result == REVOCATIONS_CHANGED) {
        tell_shards(revoker, body.entries);
        tell_nodes(revoker, NULL, body.entries, 0);
    }
    /* Behind what the shard that answers the call is told. */
    OUTBOX_SEND(revoker->options.outbox, message->from, revoked, message->handle, &answer);
    message_release(message);
}

void revoker_on_link_up(struct revoker *revoker, const struct gossip_uid *peer)
{
    tell_all(revoker, peer, 0);
}

/* Some of the entries may be new where others are refused. */
static void on_entries(struct revoker *revoker, struct span payload)
{
    const uint64_t before = revocations_sum(revoker->table);
    if (merge_all(revoker, payload) == REVOCATIONS_INVALID) {
        stats_add(revoker->options.shard->stats, COUNTER_RELAY_STALE, 1);
    }
    struct buf *entries =
        revocations_sum(revoker->table) == before ? NULL : buf_copy(payload.at, payload.len);
    if (entries != NULL) {
        tell_shards(revoker, entries);
    }
    buf_release(entries);
}

void revoker_on_link_message(struct revoker *revoker, const struct gossip_uid *peer,
                             const struct link_message *message, struct span payload)
{
    if (message->kind == LINK_MESSAGE_REVOCATIONS) {
        on_entries(revoker, payload);
        if ((message->flags & FLAG_ASKS_BACK) != 0) {
            tell_all(revoker, peer, 0);
        }
        return;
    }
    revocations_expire(revoker->table, now_s(revoker));
    /* A full table stays another one, whatever it is told. */
    if ((message->sequence != revocations_sum(revoker->table) ||
         message->offset != revocations_count(revoker->table)) &&
        revocations_count(revoker->table) < REVOCATIONS_MAX && message->offset < REVOCATIONS_MAX) {
        stats_add(revoker->options.shard->stats, COUNTER_REVOCATIONS_REPAIRED, 1);
        tell_all(revoker, peer, FLAG_ASKS_BACK);
    }
}
