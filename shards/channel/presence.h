/* SPDX-License-Identifier: Apache-2.0 */
/* Who is present in the channels that are at home on this shard.
 *
 *   struct presence (one a shard)          struct presence_channel (one in each channel)
 *     entries: (channel, client) -> entry    entries: a list, in the order in which they came
 *     users:   (channel, user)   -> count    clients, users: so that stats are O(1)
 *
 * Two tables for the whole shard and not two for each channel: an empty channel costs nothing, and
 * an entry the same wherever it is. Owner only.
 */
#ifndef ROOST_SHARDS_CHANNEL_PRESENCE_H
#define ROOST_SHARDS_CHANNEL_PRESENCE_H

#include "codec/span.h"
#include "runtime/buf.h"
#include "runtime/list.h"
#include "runtime/random.h"

struct presence;

struct presence_channel {
    struct list entries;
    struct buf *snapshot; /* Of the entries as they are; NULL until somebody asks. */
    uint32_t handle;      /* Names the channel in the tables; the channel's own. */
    uint32_t clients;
    uint32_t users; /* Different ones; the anonymous are one. */
};

/* At most `entries_max` entries in all. NULL: memory is out. */
MUST_CHECK struct presence *presence_create(struct random *random, uint32_t entries_max);

/* All channels have been cleared before. NULL is allowed. */
void presence_destroy(struct presence *presence);

/* Gives back what is kept for speed; while the shard is silent. */
void presence_trim(struct presence *presence);

void presence_channel_init(struct presence_channel *channel, uint32_t handle);

/* Enters the client of an identity, or replaces the one that it has; `origin` says from where it
 * came, `made_detour` whether it may be older than what came before it. False: too many entries or
 * no memory, nothing was changed. The count of the identity is taken over when true. */
MUST_CHECK bool presence_enter(struct presence *presence, struct presence_channel *channel,
                               struct buf *identity, uint32_t origin, bool made_detour);

/* The entry at the cursor, which begins at 0, in whatever channel: true when it is of the origin.
 * The cursor is UINT32_MAX at the end. */
bool presence_next_of_origin(const struct presence *presence, uint32_t *cursor, uint32_t origin,
                             uint32_t *channel, uint8_t client[16]);

/* False: the client is not present; or this is the end of another beginning: one that made a detour
 * is older than whatever came straight here. */
bool presence_leave(struct presence *presence, struct presence_channel *channel,
                    const uint8_t client[16], bool made_detour);

void presence_clear(struct presence *presence, struct presence_channel *channel);

/* The channel's entries as a presence_snapshot (shards/payloads.h) with a holder for the caller;
 * one list serves everybody who asks until the next change. NULL: nobody is present, or memory is
 * out (then `clients` is not 0). */
MUST_CHECK struct buf *presence_list(struct presence_channel *channel);

uint32_t presence_count(const struct presence *presence);

#endif
