/* SPDX-License-Identifier: Apache-2.0 */
/* The rig of the edge with maps: "m" keeps its keys and a stream of 8 changes, "e" has keys that
 * expire after a minute and no stream, both in pages of 2. "seen" is a stream whose subscribers are
 * entered into "who:" (by client) and "users:" (by user). All of them may do everything. */
#ifndef ROOST_TESTS_UNIT_SHARDS_EDGE_MAPS_H
#define ROOST_TESTS_UNIT_SHARDS_EDGE_MAPS_H

#include "tests/unit/shards/edge_rig.h"

enum { MAPS_SHARDS = 3, MAPS_EPOCH_SIZE = 24 };

extern struct edge_rig maps;

/* The namespaces, for options to be changed before edge_rig_start. */
struct maps_namespaces {
    struct channel_options *kept;      /* "m" */
    struct channel_options *ephemeral; /* "e" */
    struct channel_options *seen;      /* "seen" */
    struct channel_options *clients;   /* "who" */
    struct channel_options *users;     /* "users" */
};
struct maps_namespaces maps_init(void);
void maps_open(void);

struct peer *maps_client_at(uint32_t shard);

/* A client that sets keys, or removes them where `data` is NULL, and hears that it did. */
void maps_set(struct peer *peer, const char *channel, const char *key, const char *data);

/* The next message, in which <e> stands for an epoch; the epoch, in a buffer of the function's own
 * (as it was, where there is none). */
#define maps_hear(...) maps_hear_from(__FILE__, __LINE__, __VA_ARGS__)
const char *maps_hear_from(const char *file, int line, struct peer *peer, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Subscribes to a map that has no more keys than a page, and hears it. */
void maps_follow(struct peer *peer, const char *channel);

#endif
