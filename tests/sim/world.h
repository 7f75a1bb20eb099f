/* SPDX-License-Identifier: Apache-2.0 */
/* A world: the whole nodes of a cluster, their clients and what goes wrong, from one seed, with the
 * truth beside them.
 *
 * It begins with nodes that find each other, goes on with clients that do as clients do while nodes
 * and network fail, and comes to rest: faults stop, whoever is down comes back, everybody
 * subscribes to everything. Then all that the cluster keeps of its clients is compared with the
 * clients (rest.c, inspect.c); then everybody leaves, and nothing of them may stay.
 */
#ifndef ROOST_TESTS_SIM_WORLD_H
#define ROOST_TESTS_SIM_WORLD_H

#include "tests/sim/cluster.h"
#include "tests/sim/fake_call.h"
#include "tests/sim/fake_client.h"
#include "tests/sim/shape.h"
#include "tests/sim/truth.h"

struct world {
    struct cluster cluster;
    struct shape shape;
    struct truth truth;
    struct random *random;
    uint64_t faults[FAULTS_LEN];
    uint32_t lives[CLUSTER_NODES_MAX]; /* Of each node, when it was looked at; 0: it was down. */
    bool has_stuck;                    /* What is wrong is that something never happened. */
    struct fake_client clients[CLIENTS_MAX];
    struct fake_call calls[CALLS_MAX];
};

enum world_result {
    WORLD_OK = 0,
    WORLD_WRONG = 1, /* A promise was broken: order, gap, loss, repeat, leak. */
    WORLD_STUCK = 4, /* Something that had to happen did not. */
};

struct world_report {
    uint64_t digest;
    uint64_t simulated_ms;
    uint64_t publications;
    uint64_t acknowledged;
    uint64_t sure; /* Of these, while all nodes had one view of the home. */
    uint64_t deliveries;
    uint64_t recovered;   /* Subscriptions that went on where they were, */
    uint64_t unrecovered; /* that were told that they could not, */
    uint64_t told;        /* and that were told so while they lasted. */
    uint64_t faults[FAULTS_LEN];
    uint64_t network_faults[SIM_FAULTS_LEN];
    uint32_t nodes;
    uint32_t shards;
    uint32_t clients;
    char wrong[200]; /* "": nothing. */
};

struct world_options {
    uint64_t seed;
    bool writes_logs;   /* The nodes' lines go to stderr. */
    bool prints_trace;  /* What is wrong is printed with what came before it. */
    const char *traced; /* The channel of which all messages are printed; NULL: none. */
};

enum world_result world_run(const struct world_options *options, struct world_report *report);

/* ---- its parts ---- */

/* Time passes; clients send, hear and answer. */
void world_advance(struct world *world, uint64_t ms);
/* True when it was true in time. */
bool world_wait(struct world *world, bool (*is_true)(struct world *world), uint64_t ms_max);

/* Something that a client does, by chance (people.c). */
void people_act(struct world *world);
void people_burst(struct world *world);
/* Whoever is not connected and subscribed to everything becomes it. */
void people_settle(struct world *world);
bool people_are_settled(const struct world *world);
void people_leave(struct world *world);
/* A node that runs and takes clients. */
bool people_find_node(struct world *world, struct fake_target *target);

/* Something goes wrong, or right again (faults.c). */
void faults_act(struct world *world);
void faults_stop(struct world *world);

/* Comes to rest and compares (rest.c). */
void rest_check(struct world *world);
/* What the cluster keeps is what is there (inspect.c). */
void inspect_registrations(struct world *world);
void inspect_directories(struct world *world);
/* Everybody has left: nothing is kept. */
void inspect_empty(struct world *world);

static inline uint32_t world_below(struct world *world, uint64_t bound)
{
    return (uint32_t)random_below(world->random, bound);
}

#endif
