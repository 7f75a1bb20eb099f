/* SPDX-License-Identifier: Apache-2.0 */
/* The key set of an identity provider (RFC 7517), fetched by this shard when a token needs it.
 *
 * A token whose key is not in the set makes the set be fetched, and the command that brought it is
 * held until it is there: at most KEY_SET_TIMEOUT_MS. Then the key is known, or the token is
 * invalid. A set that is younger than KEY_SET_REFETCH_MS is believed to be all there is, so that
 * tokens with made-up keys cost the provider one request in that time and not one each. While the
 * provider cannot be reached, the set that was fetched last stays in force.
 */
#ifndef ROOST_SHARDS_EDGE_BACKENDS_KEY_SOURCE_H
#define ROOST_SHARDS_EDGE_BACKENDS_KEY_SOURCE_H

#include "codec/jwks.h"
#include "runtime/timer.h"
#include "shards/options.h"

struct edge;
struct session;
struct backend_answer;

/* The BACKEND_ASKER_KEYS handles, and the sources' places in the edge. */
enum key_source_use { KEYS_OF_CONNECTIONS, KEYS_OF_SUBSCRIPTIONS, KEY_SOURCES };

struct key_source {
    struct jwks *jwks; /* NULL: there is no endpoint. Empty until the first answer. */
    struct edge *edge;
    enum key_source_use use;
    uint32_t endpoint;
    uint32_t request;  /* POOL_HANDLE_NONE: none is under way. */
    bool is_fetched;   /* There was a good answer, */
    bool has_failed;   /* and the last request had none. */
    uint64_t ended_ms; /* When the last request did. */
    uint32_t *waiting; /* Handles of connections. */
    uint32_t waiting_len;
    uint32_t waiting_room;
    struct timer timer; /* Fetches it again, used or not. */
};

enum key_step {
    KEY_WAITS,       /* The session is resumed when the answer is there. */
    KEY_UNKNOWN,     /* There is no such key. */
    KEY_UNAVAILABLE, /* Nobody knows: the set cannot be had now, or too many wait for it. */
};

/* Of tokens without an endpoint nothing is made. False: memory is out. */
bool key_source_init(struct key_source *source, struct edge *edge, enum key_source_use use,
                     const struct token_options *options);
void key_source_destroy(struct key_source *source);

/* The set has not the key that the session's token names. */
enum key_step key_source_await(struct key_source *source, struct session *session);

/* For backends. */
void key_source_on_answer(struct key_source *source, const struct backend_answer *answer);

#endif
