/* SPDX-License-Identifier: Apache-2.0 */
/* A world: nodes, clients and faults from one seed, with the truth beside them and the checks of
 * it. */
#ifndef ROOST_TESTS_SIM_WORLD_H
#define ROOST_TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

struct world_options {
    uint64_t seed;
    uint32_t steps;
    bool is_verbose;
};

enum world_result {
    WORLD_OK = 0,
    WORLD_WRONG = 3, /* A promise was broken: order, gap, loss, repeat, leak. */
    WORLD_STUCK = 4, /* Something that had to happen did not. */
};

struct world_report {
    uint64_t digest;
    uint64_t simulated_ms;
    uint32_t nodes;
    uint32_t shards;
    uint32_t clients;
    uint32_t publications;
    uint64_t deliveries;
    uint32_t faults;
    uint32_t recovered;   /* Subscriptions that went on where they were, */
    uint32_t unrecovered; /* and that were told that they could not. */
    uint32_t disconnects; /* That a node made, with a code of the protocol. */
    char what[160];       /* The first violation. */
};

enum world_result world_run(const struct world_options *options, struct world_report *report);

#endif
