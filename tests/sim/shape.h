/* SPDX-License-Identifier: Apache-2.0 */
/* What one seed makes of a world: how large it is, what its nodes are told to be, and which faults
 * it has, each with a strength of its own, while others never happen. */
#ifndef ROOST_TESTS_SIM_SHAPE_H
#define ROOST_TESTS_SIM_SHAPE_H

#include "runtime/sim.h"
#include "shards/options.h"
#include "tests/sim/truth.h"

enum { NODES_MAX = 100, CLIENTS_MAX = 64, CALLS_MAX = 8, USERS_MAX = 64 };

/* X(name, word): what is done to nodes, and by clients that are no good ones. */
#define FAULT_TABLE(X) \
    X(CRASH, "crash") \
    X(START, "start") \
    X(STOP, "stop") \
    X(CUT, "cut") \
    X(PARTITION, "partition") \
    X(CLOG, "clog") \
    X(PAUSE, "pause") \
    X(LONG_PAUSE, "long_pause") \
    X(SLOW, "slow") \
    X(CLOCK, "clock") \
    X(HEAL, "heal") \
    X(AWAY, "client_gone") \
    X(LAZY, "client_slow") \
    X(MUTE, "client_mute") \
    X(GARBAGE, "client_garbage")

enum fault {
#define FAULT_ID(name, word) FAULT_##name,
    FAULT_TABLE(FAULT_ID)
#undef FAULT_ID
        FAULTS_LEN
};

struct shape {
    uint32_t nodes;
    uint32_t nodes_first; /* So many are there at the beginning. */
    uint32_t clients;
    uint32_t users;    /* Named; 0: all clients are anonymous. */
    uint32_t channels; /* In which is published. */
    bool has_wildcards;
    bool has_repeats; /* Backends repeat publications with their keys. */
    uint32_t steps;
    uint32_t step_ms_max;
    uint32_t actions_max;   /* Of clients in one step. */
    uint32_t burst_percent; /* How often a step has many publications. */
    uint32_t padding_max;
    uint32_t steps_a_fault;               /* One in so many steps has one. */
    uint32_t weights[FAULTS_LEN];         /* 0: this seed has none of it. */
    struct sim_options weather;           /* Of the network, while there are faults. */
    struct channel_options kept;          /* Of the namespace "r", */
    struct channel_options namespaces[2]; /* this one again, and that of maps, "m". */
    struct channel_options wildcards[2];
    struct endpoint_options nobody; /* Where webhooks are sent, of some seeds: nobody takes them. */
    struct proxy_options told;
    struct node_options node; /* What the nodes have in common. */
};

/* `shape` must not move: the options point into it. */
void shape_draw(struct shape *shape, uint64_t seed);

/* Is it one of those that there are, wildcards among them? */
static inline bool shape_has_channel(const struct shape *shape, uint32_t channel)
{
    return channel_is_wildcard(channel) ? shape->has_wildcards : channel < shape->channels;
}

const char *fault_word(enum fault fault);

#endif
