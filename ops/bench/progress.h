/* SPDX-License-Identifier: Apache-2.0 */
/* While a run goes on: the bar with live rates, and the series of moments for plots. */
#ifndef ROOST_OPS_BENCH_PROGRESS_H
#define ROOST_OPS_BENCH_PROGRESS_H

#include "ops/bench/engine.h"
#include "ops/bench/gauge.h"
#include "ops/bench/result.h"

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const struct engine *engine;
    struct result *result;
    struct hist *total; /* of the present stage, of all threads */
    uint64_t *seen;     /* its buckets at the last moment */
    uint64_t seen_max_ns;
    uint32_t stage;
    uint64_t begin_ns;
    uint64_t stage_begin_ns;
    uint64_t last_ns;
    uint64_t interval_ns;
    uint64_t last_received;
    struct gauge last_gauge;
    bool is_shown;
};

bool progress_begin(struct progress *progress, const struct engine *engine, struct result *result);

/* Looks at the clock, and at the rest only when a moment has passed. */
void progress_tick(struct progress *progress, uint32_t stage, const struct counters *now);
void progress_end(struct progress *progress);

#endif
