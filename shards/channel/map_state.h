/* SPDX-License-Identifier: Apache-2.0 */
/* What the maps of a shard hold: for each key of a channel its newest publication.
 *
 *   keys       k1   k2   k3   k4        an array in the order of the keys' bytes: pages are read
 *                                       from it, beyond a key
 *   changes    k3 - (k5) - k1 - ...     keys, and (where no stream tells it) keys that were
 *                                       removed, in the order of their offsets
 *   expiries   k3 - k1 - k4             keys that do not live for ever, the soonest first
 *   removals   (k5)                     what was removed lately, the longest ago first
 *
 * A subscriber gets the whole of it in this order, each step with the position of the one before:
 *
 *   STATE   MAP_ASK from the beginning: the first page, and `newest`, the position that is kept.
 *           Then, while there is more, MAP_ASK beyond the last key of the page before, with the
 *           epoch that is kept. What is in these pages with a greater offset than that which is
 *           kept comes again in the next step, and may be left out.
 *   STREAM  (Not where no stream is kept.) HISTORY_ASK since the position that is kept, which
 *           becomes that of the last publication that was brought; as often as it is wanted.
 *   LIVE    SUBSCRIBE with POSITIONED, RECOVERABLE, RECOVER and REJECT_UNRECOVERED since the
 *           position that is kept. SUBSCRIBED brings the changes after it, in the order of their
 *           offsets, and the PUBLICATIONs after it follow without a gap: `newest` of SUBSCRIBED is
 *           where they begin. REJECTED: it is not known, or not within the limits, what came after
 *           it, and nobody was registered. The client begins with STATE again (error 112).
 *
 * Of a map without a stream SUBSCRIBED brings of each key only its newest change since: the
 * publication, or that it was removed. How long removals are known: MAP_REMOVED_MS.
 *
 * Keys are bounded in number and size a channel, and in size a shard; nothing is evicted, a key
 * that finds no room is refused. The bufs are those in which publications came. Owner only.
 */
#ifndef ROOST_SHARDS_CHANNEL_MAP_STATE_H
#define ROOST_SHARDS_CHANNEL_MAP_STATE_H

#include "runtime/list.h"
#include "shards/actors.h"
#include "shards/payloads.h"

struct map_states; /* One a shard. */

struct map_entry {
    struct list changed; /* In changes. */
    struct list timed;   /* In expiries or removals; in none: it lives for ever. */
    struct span key;     /* In the request. */
    struct buf *request;
    struct buf *identity; /* NULL: the server's. */
    uint64_t offset;
    uint64_t ends_ms; /* Where it is timed. */
    bool is_removed;
};

struct map_state {
    struct map_entry **keys;
    uint32_t len;
    uint32_t room;
    uint32_t removals_len;
    uint64_t bytes;
    struct list changes;
    struct list expiries;
    struct list removals;
    uint64_t known_since; /* What was removed up to this offset is known no longer. */
    struct timer timer;   /* For what ends next, at a multiple of MAP_SWEEP_MS. */
    uint32_t channel;     /* The home's handle. */
    /* Of the newest publication: what the stream keeps. */
    uint32_t stream_size;
    uint32_t stream_ttl_s;
};

enum map_result {
    MAP_OK,
    MAP_ERROR_KEYS,   /* The channel has map_max_keys, */
    MAP_ERROR_SIZE,   /* or they would take more than map_max_size, */
    MAP_ERROR_SHARD,  /* or those of the shard more than is its share of map_memory_limit. */
    MAP_ERROR_MEMORY, /* Memory is out. */
};

/* `actors` has its shard by now. NULL: memory is out. */
MUST_CHECK struct map_states *map_states_create(struct actors *actors);

/* All have been closed before. NULL is allowed. */
void map_states_destroy(struct map_states *states);

/* NULL: memory is out. */
MUST_CHECK struct map_state *map_state_open(struct map_states *states, uint32_t channel);
void map_state_close(struct map_states *states, struct map_state *map);

/* NULL: there is no such key. */
struct map_entry *map_state_find(const struct map_state *map, struct span key);

/* Room for a publication's key. On MAP_OK the next map_state_put of it will find it. */
MUST_CHECK enum map_result map_state_prepare(struct map_states *states, struct map_state *map,
                                             const struct buf *request, const struct buf *identity);

/* The key's newest publication; shares the bufs. `ttl_ms` 0: it lives for ever. */
struct map_put {
    struct buf *request;
    struct buf *identity; /* NULL is allowed. */
    uint64_t offset;
    uint64_t ttl_ms;
};
void map_state_put(struct map_states *states, struct map_state *map, const struct map_put *put);

/* The entry lives on from now. */
void map_state_keep(struct map_states *states, struct map_state *map, struct map_entry *entry,
                    uint64_t ttl_ms);

/* The entry's key is no more. Where no stream is kept, `removal` (shared) is what is told of it to
 * those who ask what changed. */
void map_state_remove(struct map_states *states, struct map_state *map, struct map_entry *entry,
                      struct buf *removal, uint64_t offset);

/* The first key that has ended by now; NULL: none has. Forgets removals of long ago. */
struct map_entry *map_state_expired(struct map_states *states, struct map_state *map);

/* After map_state_expired: sets the timer for what ends next; for what has ended, when there was no
 * time or no room for it. */
void map_state_schedule(struct map_states *states, struct map_state *map);
void map_state_retry(struct map_states *states, struct map_state *map, uint32_t delay_ms);

struct map_query {
    struct span key;    /* Beyond it (empty: from the first), */
    bool is_one;        /* or it alone. */
    uint32_t limit;     /* Keys. */
    uint32_t bytes_max; /* What the page may weigh; one key always fits. */
};

/* The page (NULL when it is empty). False: memory is out. */
MUST_CHECK bool map_state_read(const struct map_state *map, const struct map_query *query,
                               struct buf **page, bool *is_more);

/* All that changed after an offset, in the order of offsets, of each key the newest. False: it is
 * not known, it exceeds a limit, or memory is out. */
MUST_CHECK bool map_state_changes(const struct map_state *map, uint64_t since_offset,
                                  uint32_t limit, uint32_t bytes_max, struct buf **page);

/* For a home that the map moves to: keys in the order of their changes after an offset, each with
 * its time (NULL: none is left). *newest_offset is that of the last; UINT64_MAX: no key has a
 * greater one. False: memory is out. */
MUST_CHECK bool map_state_give(const struct map_states *states, const struct map_state *map,
                               uint64_t since_offset, struct buf **page, uint64_t *newest_offset);
/* In the order in which they were given (NULL: none); shares what is in the page. Limits are not
 * asked: what was taken once stays. False: memory is out; the map is to be closed. */
MUST_CHECK bool map_state_take(struct map_states *states, struct map_state *map, struct buf *page);

#endif
