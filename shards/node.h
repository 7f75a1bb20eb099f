/* SPDX-License-Identifier: Apache-2.0 */
/* A node: the actors of all its shards, ready to be run by real threads or by the simulator.
 *
 * Shards 0 .. shards-1 serve clients and are homes; the last one is the router shard. What is in
 * `struct node` is written before the first shard starts and only read afterwards, except what says
 * that it is atomic.
 */
#ifndef ROOST_SHARDS_NODE_H
#define ROOST_SHARDS_NODE_H

#include "codec/gossip.h"
#include "runtime/shard.h"
#include "runtime/tls.h"
#include "shards/options.h"

/* What a process takes. */
struct node_process {
    uint64_t cpu_ns;
    uint64_t resident_bytes;
    uint64_t virtual_bytes;
    uint64_t max_fds; /* Of all shards, which have tables of their own. */
};

struct node {
    const struct node_options *options;
    uint32_t shards; /* That serve clients; the router shard is number `shards`. */
    char uid[37];    /* A UUID of this run of the node. */
    int64_t started_wall_ms;
    uint32_t is_stopping;            /* Atomic; set once. */
    uint32_t has_failed;             /* Atomic; set once. */
    uint32_t shards_listening;       /* Atomic; serving shards that take clients. */
    uint32_t shards_without_clients; /* Atomic; of a node that stops, where webhooks are told. */
    /* Atomic, one a shard: no connection is left; the router's: other nodes do not count on it. */
    uint32_t *shard_is_drained;
    /* Atomic, one a shard, the router's too: set as each actor starts, NULL again when it stops;
     * the stats themselves live until the shards' threads have ended. Read by node_stats. */
    struct stats **stats;
    struct node_process process; /* Its fields are atomic; all 0 until anybody told. */
    /* Atomic. What the router has not taken yet. */
    struct node_seeds *seeds;
    struct gossip_keyring *keyring;
    struct tls_context *tls;
    struct node_places **places; /* Atomic, one a serving shard. */
};

enum { NODE_PLACE_ADDRESSES_MAX = 8 };

/* Where one endpoint's host is. */
struct node_place {
    uint32_t len;
    struct socket_address at[NODE_PLACE_ADDRESSES_MAX];
};

/* Of each of options->endpoints, in their order. */
struct node_places {
    uint32_t len;
    struct node_place of[];
};

/* Where other nodes may be, besides options->cluster.seeds. */
struct node_seeds {
    uint32_t len;
    struct socket_address at[];
};

/* The options stay the caller's and must outlive the node; options->shards is 1..SHARDS_MAX-1.
 * `random` draws the uid. NULL: memory is out. */
MUST_CHECK struct node *node_create(const struct node_options *options, struct random *random,
                                    int64_t wall_ms);

/* After its shards have stopped. NULL is allowed. */
void node_destroy(struct node *node);

/* How to run it: with shard_set_start, or with sim_add_node. `pin` is the caller's choice. The
 * actor of a serving shard is a struct actors: timers and events get it. */
struct shard_set_options node_shard_set_options(struct node *node);

/* Every client gets disconnect 3001, nobody new is taken. Any thread; wake the shards' pollers
 * afterwards. */
void node_stop_begin(struct node *node);

/* True once no client is left on any shard (or all were cut after shutdown.timeout) and the node
 * has left its cluster. Any thread. */
bool node_is_drained(const struct node *node);

static inline bool node_is_stopping(const struct node *node)
{
    return __atomic_load_n(&node->is_stopping, __ATOMIC_ACQUIRE) != 0;
}

/* True once a node that stops has no client on any shard. Only where webhooks are told. */
static inline bool node_has_no_clients(const struct node *node)
{
    return __atomic_load_n(&node->shards_without_clients, __ATOMIC_ACQUIRE) == node->shards;
}

/* A shard's stats, or NULL while its actor is not running. Any thread. */
static inline const struct stats *node_stats(const struct node *node, uint32_t shard)
{
    return __atomic_load_n(&node->stats[shard], __ATOMIC_ACQUIRE);
}

/* True when a shard cannot serve although it started (its address cannot be had; it has logged
 * why): the program should end. Any thread. */
static inline bool node_has_failed(const struct node *node)
{
    return __atomic_load_n(&node->has_failed, __ATOMIC_ACQUIRE) != 0;
}

/* True once every serving shard takes clients. Any thread. */
static inline bool node_is_listening(const struct node *node)
{
    return __atomic_load_n(&node->shards_listening, __ATOMIC_ACQUIRE) == node->shards;
}

/* What names of cluster.join were found to mean: these seeds instead of those offered before. They
 * go over to the node; from malloc. Any thread. */
void node_offer_seeds(struct node *node, struct node_seeds *seeds);

/* Seal with the first of these keys from now on, and open with all of them. False: memory is out.
 * Any thread. */
MUST_CHECK bool node_offer_keys(struct node *node, const struct gossip_keyring *keyring);

/* Take links with these certificates from now on; those that are there stay. The context goes over
 * to the node. Only where options->cluster.tls is set. Any thread. */
void node_offer_tls(struct node *node, struct tls_context *tls);

/* Where the hosts of endpoints were found to be; copied for each shard. False: memory is out, and
 * some shards may have got them. Any thread. */
MUST_CHECK bool node_offer_places(struct node *node, const struct node_places *places);

/* What the program has learned of its process. Any thread. */
void node_tell_process(struct node *node, const struct node_process *process);

/* False: nobody told. Any thread. */
bool node_process(const struct node *node, struct node_process *out);

/* The uid as nodes tell each other. Any thread. */
struct gossip_uid node_uid(const struct node *node);

/* The sum of a counter over all shards. Any thread. */
uint64_t node_sum(const struct node *node, uint32_t counter);

/* The same of all counters from the first to the last. */
uint64_t node_sum_range(const struct node *node, uint32_t first, uint32_t last);

/* ---- for the actors ---- */

/* Makes the stats of a shard that starts known to readers, and unknown when it stops. */
void node_set_stats(struct node *node, struct shard *shard);
void node_unset_stats(struct node *node, uint32_t shard);

/* What was offered since; NULL: nothing. The caller frees it (keys by gossip_keyring_wipe first).
 */
struct node_seeds *node_take_seeds(struct node *node);
struct gossip_keyring *node_take_keys(struct node *node);
struct tls_context *node_take_tls(struct node *node);
struct node_places *node_take_places(struct node *node, uint32_t shard);

/* Once a turn: what the runtime counts of the shard goes into its stats. */
void node_export_counters(struct shard *shard);

#endif
