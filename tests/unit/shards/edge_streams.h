/* SPDX-License-Identifier: Apache-2.0 */
/* The rig of the edge with namespaces that keep histories: "r" recovers, "cache" and "auto" the
 * newest publication, "p" is positioned, "shown" recovers and tells who is there, "kept" is read,
 * "d" recovers and allows deltas, "every" has deltas of every publication. "r", "cache" and "d"
 * allow tags filters. */
#ifndef ROOST_TESTS_UNIT_SHARDS_EDGE_STREAMS_H
#define ROOST_TESTS_UNIT_SHARDS_EDGE_STREAMS_H

#include "tests/unit/shards/edge_rig.h"

enum { SHARDS = 4, EPOCH_SIZE = 24, NAME_SIZE = 24 };

extern struct edge_rig streams;

/* Histories of 10, recovery of 6, pages of 4. 0: the usual client.queue_max_size. */
void streams_open(uint32_t queue_max_size);
/* The same, for options to be changed before edge_rig_start. */
void streams_init(uint32_t queue_max_size);

/* One call of the server API on a connection of its own; the answer, with the epoch for <e>. */
struct streams_call {
    const char *method;
    const char *body;
    const char *answer;
    const char *epoch;
};
#define call(...) call_from(__FILE__, __LINE__, &(const struct streams_call){__VA_ARGS__})
void call_from(const char *file, int line, const struct streams_call *what);

/* Publishes a number; the offset that is answered, 0 for none. */
uint64_t publish(const char *channel, unsigned number);

/* The epoch in the last message that was heard; in a buffer of the function's own. */
const char *epoch_in(const struct peer *peer);

struct peer *client_at(uint32_t shard);

/* Subscribes for the first time and hears that it is recoverable, with this offset; the epoch. */
const char *follows(struct peer *peer, const char *channel, uint64_t offset);

/* Subscribes from a position; what comes of it is still to be heard. */
void recovers(struct peer *peer, const char *channel, uint64_t offset, const char *epoch);

#endif
