/* SPDX-License-Identifier: Apache-2.0 */
/* What a run does and when: stages, each with its connections, traffic and length. Pure. */
#ifndef ROOST_OPS_BENCH_PLAN_H
#define ROOST_OPS_BENCH_PLAN_H

#include "codec/span.h"
#include "ops/bench/options.h"

#include <stdbool.h>
#include <stdint.h>

enum { PLAN_STAGES_MAX = 16, STAGE_NAME_SIZE = 24 };

enum stage_kind {
    STAGE_CONNECT, /* until all of connections_to are there */
    STAGE_RUN,     /* for duration_ns, or until `messages` came */
    STAGE_DRAIN,   /* no more is sent; until what was sent has come */
    STAGE_CLOSE,   /* everybody leaves, then duration_ns */
    STAGE_STOP,    /* threads end */
};

struct stage {
    char name[STAGE_NAME_SIZE];
    enum stage_kind kind;
    uint64_t duration_ns; /* CONNECT: of the ramp, 0 for as fast as handshakes end */
    uint64_t connections_from;
    uint64_t connections_to;
    uint64_t rate;  /* messages due a second; 0: the window decides */
    uint64_t churn; /* reconnects a second */
    uint64_t messages;
    bool has_traffic;
    bool is_measured;
};

/*
 * Connections are numbered. Those below `subscribers` are subscribed from the start and owe us
 * every publication; the others come (and go) later.
 */
struct plan {
    struct stage stages[PLAN_STAGES_MAX];
    uint32_t stages_len;
    uint64_t subscribers;
    uint64_t connections_max;
    bool fillers_listen; /* the others subscribe to the channels of the fan-out too */
    bool is_echo;
};

/* For every mode but MIXED, which needs the scenario's text. False with a sentence in `error`. */
bool plan_make(const struct options *options, struct span scenario, struct plan *out,
               char error[256]);

/* How many connections should be open (or opening) `elapsed_ns` after the stage began. */
uint64_t plan_connections_at(const struct stage *stage, uint64_t elapsed_ns);

/* When connection number `index` (>= connections_from) is due: the first moment at which
 * plan_connections_at() is above `index`. 0 where there is no ramp. */
uint64_t plan_connection_due_ns(const struct stage *stage, uint64_t index);

/* Things that happen `rate` times a second, from 0 on: how many are due by then (the first one at
 * once), and when number `index` is. */
uint64_t plan_due_count(uint64_t rate, uint64_t elapsed_ns);
uint64_t plan_due_ns(uint64_t rate, uint64_t index);

#endif
