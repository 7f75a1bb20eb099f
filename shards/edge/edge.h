/* SPDX-License-Identifier: Apache-2.0 */
/* The edge of a shard: what clients can see. Its listener, connections, sessions, local fan-out and
 * API calls.
 *
 * The functions below are what the shard's actor calls; struct edge is open to the files of this
 * folder alone.
 */
#ifndef ROOST_SHARDS_EDGE_EDGE_H
#define ROOST_SHARDS_EDGE_EDGE_H

#include "codec/client_protocol.h"
#include "codec/deflate.h"
#include "runtime/map.h"
#include "runtime/pool.h"
#include "shards/actors.h"
#include "shards/edge/backends/key_source.h"
#include "shards/edge/session/verifier.h"
#include "shards/limits.h"
#include "shards/router/placement.h"

/* Room in which replies are encoded before they are queued; larger ones take memory of their own.
 */
enum { EDGE_SCRATCH_SIZE = 256 * 1024 };

struct apps;
struct arrival;
struct backends;
struct connection;
struct key_poller;
struct tracking;
struct rate_table;
struct revocations;

/* Has room for every open connection (reserved as they open), so that adding one cannot fail. */
struct connection_list {
    struct connection **items;
    uint32_t len;
    uint32_t room;
};

/* How far presence in maps was told again; see map_presence.h. */
struct map_presence {
    struct timer timer;
    uint64_t since_ms;   /* When this round began. */
    uint32_t cursor;     /* In the pool of hub channels: */
    uint32_t channel;    /* the one whose subscribers are told, */
    uint32_t subscriber; /* and the next of them. */
};

/* Who connects where; what is served there, route.h says. */
enum listener_kind { LISTENER_PUBLIC, LISTENER_INTERNAL, LISTENERS };

struct listener {
    int socket; /* -1: not listening (yet, any more, or at all). */
    struct timer timer;
};

struct edge {
    struct actors *actors;
    const struct node_options *options;
    struct shard *shard;

    struct listener listeners[LISTENERS];
    uint64_t admission_millitokens; /* Left of this shard's part of client.connection_rate_limit. */
    uint64_t admission_refilled_ms;

    struct pool *connections;
    struct pool *sessions;
    struct pool *subscriptions;
    struct pool *grants;
    struct pool *hub_channels;
    struct pool *calls;
    struct pool *series;
    struct backends *backends;     /* Where proxies and webhooks send their requests. */
    struct tracking *tracking;     /* Shared polls: of this shard's clients, */
    struct key_poller *key_poller; /* and of the channels that this shard polls for. */
    uint8_t poll_epoch[8];         /* Of the versions that this node gives; as text. */
    struct pool *proxy_calls;
    struct proxy_uses proxy_uses;
    struct stopwatch *stopwatch;            /* Of commands. */
    uint8_t *proxy_text;                    /* The answer that is being made use of. */
    struct map *hub;                        /* Channel name -> struct hub_channel. */
    struct map *users;                      /* User id -> struct local_user. */
    struct verifier verifiers[KEY_SOURCES]; /* Of tokens; see edge_keys_for_subscriptions. */
    struct key_source key_sources[KEY_SOURCES];
    struct filters *filters;          /* Of subscribers; see filters.h. */
    struct rate_table *command_rates; /* Of connections; NULL: no limits. See rates.h. */
    struct rate_table *error_rates;
    struct pool *map_catch_ups;      /* See map_subscriptions.h. */
    struct apps *apps;               /* Of its clients. */
    struct revocations *revocations; /* See revoked.h. */
    uint32_t revoked_cursor;         /* Of the sessions, those before it were compared with it. */
    bool revoked_walks;
    bool revoked_walks_again; /* From the beginning, when it has come to the end. */
    struct list users_told;   /* struct local_user: their directories know of them, */
    struct list users_due;    /* may be others since the placement changed, */
    struct list users_unsure; /* or have changed more than once. */
    struct timer users_timer; /* The users told since users_since_ms are told again: */
    uint64_t users_since_ms;  /* 0: there is no need. */
    uint32_t users_again;     /* So many times more. */
    /* Of which slots directories want to be told, whatever they were told before. */
    uint8_t users_wanted[SLOT_SET_LEN];
    struct map_presence map_presence;
    struct list moves;   /* Hub channels to be registered again; see hub_moves.c. */
    struct list retries; /* The same, a little later. */
    uint64_t retries_due_ms;
    struct timer moves_timer;
    struct connection_list ready;  /* With output to write or input to go on with. */
    struct connection_list closed; /* They ended this turn, and are freed in the next. */

    struct arrival *arrivals; /* Publications of this turn; see broadcast.h. */
    uint32_t arrivals_len;
    uint32_t arrivals_room;
    uint32_t untimed_publications; /* Since the last small broadcast whose time was taken. */

    uint32_t ping_step_ms;                 /* Pings leave at multiples of it; a power of two. */
    struct frame *pings[CLIENT_PROTOCOLS]; /* The server's ping, the same for all. */
    struct frame *frame_ping;              /* WebSocket's own. */
    uint8_t *scratch; /* EDGE_SCRATCH_SIZE bytes in which replies are encoded. */
    uint8_t *decoded; /* Strings of the command under way that had escapes, and its token. */
    size_t decoded_size;
    uint64_t pinned_bytes;
    uint64_t pinned_unauthenticated_bytes;
    uint64_t pinned_fallback_bytes;
    struct map *emulated;  /* Secret name -> struct fallback; see emulation.h. */
    int64_t fallback_left; /* Of fallback.memory_limit, as of that time. */
    uint64_t fallback_left_ns;

    struct deflate_compressor *compressor; /* NULL while nobody negotiated compression. */
    struct deflate_inflater *inflater;
    bool is_ending; /* The shard goes away: homes and directories are told no more. */
    bool stop_seen;
    uint64_t stop_deadline_ms;
    struct timer stop_timer; /* Wakes the shard at the deadline. */
};

/* What a poller token names, in its upper half; the lower half is a handle, or which listener. */
enum edge_token { EDGE_TOKEN_LISTENER = 1, EDGE_TOKEN_CONNECTION = 2, EDGE_TOKEN_BACKEND = 3 };

MUST_CHECK struct edge *edge_create(struct actors *actors);
void edge_destroy(struct edge *edge);

/* After the first placement has come: the node may serve, and the listener opens. False: the
 * address cannot be had (logged). */
bool edge_start(struct edge *edge);

/* SUBSCRIBED, PUBLISHED, PUBLICATION, PRESENCE, HISTORY, USER_ADDED, SESSION_COMMAND, SURVEY,
 * SURVEY_RESULT, NODES, EMULATE, EMULATED, REVOKED, REVOCATIONS. Takes over the counts of their
 * bufs. */
void edge_on_message(struct edge *edge, const struct message *message);
/* POLL_TRACK, POLL_UNTRACK, POLL_UPDATE, POLL_EPOCH. As the others. */
void edge_on_poll_message(struct edge *edge, const struct message *message);
void edge_on_event(struct edge *edge, uint64_t token, uint32_t events);

/* Goes on with input that was left, writes outputs, frees what closed a turn ago. */
void edge_on_turn_end(struct edge *edge);

/* Gives back what is kept for speed; while the shard is silent. */
void edge_trim(struct edge *edge);
/* The placement is another. */
void edge_on_placement(struct edge *edge);

/* True while there is work that no event will announce. */
bool edge_has_work(const struct edge *edge);

/* Encodes into the edge's scratch or, when that is too small, into memory that the caller frees
 * (*larger). A span without `at` when memory is out. */
typedef void edge_encode_function(struct writer *out, const void *what);
struct span edge_encode(struct edge *edge, edge_encode_function *encode, const void *what,
                        uint8_t **larger);

/* Whose keys subscription tokens have: their own, or those of connection tokens. */
static inline enum key_source_use edge_keys_for_subscriptions(const struct edge *edge)
{
    return edge->options->client.subscription_token_enabled ? KEYS_OF_SUBSCRIPTIONS
                                                            : KEYS_OF_CONNECTIONS;
}

/* True while unsubscribes wait for this home: a request that would overtake them is refused. */
static inline bool edge_is_congested(const struct edge *edge, uint32_t home)
{
    return outbox_waiting(edge->actors->outbox, home) != 0;
}

#endif
