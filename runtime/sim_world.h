/* SPDX-License-Identifier: Apache-2.0 */
/* What a simulated world consists of. Only sim*.c use it. */
#ifndef ROOST_RUNTIME_SIM_WORLD_H
#define ROOST_RUNTIME_SIM_WORLD_H

#include "runtime/sim_network.h"

struct sim_shard {
    struct shard *shard;
    uint32_t node;
    const struct shard_actor *ops;
    void *actor;            /* NULL once stopped. */
    uint64_t next_ms;       /* When it wants its next turn at the latest, */
    uint64_t busy_until_ms; /* and until when it is in one. */
};

struct sim_node {
    struct mailbox_matrix *matrix;
    struct sim_shard *shards; /* NULL once removed. */
    uint32_t count;
    uint64_t paused_until_ms;
    uint64_t slow_until_ms; /* Until then a turn takes turn_ms. */
    uint64_t turn_ms;
    int64_t wall_ahead_ms;
};

struct sim {
    struct random random;
    struct sim_network network;
    struct sim_node *nodes;
    uint32_t nodes_len;
    struct sim_shard **order; /* Room for every shard: one round's order. */
    size_t order_room;
};

#endif
