/* SPDX-License-Identifier: Apache-2.0 */
/* What edges say to the home of the map "c" and hear from it, in the words of the tests of maps. */
#ifndef ROOST_TESTS_UNIT_SHARDS_HOMES_MAPS_H
#define ROOST_TESTS_UNIT_SHARDS_HOMES_MAPS_H

#include "tests/unit/shards/homes_moves_rig.h"

enum { SIZE = 20, KEY_TTL_MS = 30 * 1000, LISTENER = FOLLOWER };

struct word {
    const char *key;
    const char *data; /* NULL: the key is removed. */
    uint64_t version;
    const char *version_epoch;
    const char *once;
    const char *tags;
    int64_t score;
    enum key_mode mode;
};

/* A map of that mode: with a stream of so many changes, keys that live so long. */
struct kind {
    uint32_t stream_size;
    uint32_t key_ttl_ms;
};
extern const struct kind ephemeral;
extern const struct kind recoverable;
extern const struct kind persistent;

struct message_published says(struct kind kind, struct word word);
/* The same, which must change the map. */
struct message_published sets(struct kind kind, const char *key, const char *data);
struct message_published removes(struct kind kind, const char *key);

struct message_map_page asks(const char *cursor, uint32_t flags, uint32_t limit, uint64_t epoch);

/* The page's entries: "offset:key=data", or "offset:key-" of one that was removed. Takes it over.
 */
const char *page_text(struct buf *buf);
/* All of it is that. */
void map_is(const char *expected);

struct message_subscribed goes_live(uint32_t edge, struct stream_position since, uint32_t limit);
/* LISTENER goes live, and cannot or is brought that. */
void is_rejected(struct stream_position since, uint32_t limit);
void is_brought(struct stream_position since, uint32_t limit, const char *expected);

void passes(uint64_t ms);

/* A publication that LISTENER gets next. */
void listener_hears(uint64_t offset, const char *json);

#define PUSH(members) "{\"push\":{\"channel\":\"c\",\"pub\":{" members "}}}"

#endif
