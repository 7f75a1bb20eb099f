/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a plan against one server and collects the result. */
#ifndef ROOST_OPS_BENCH_LOAD_H
#define ROOST_OPS_BENCH_LOAD_H

#include "ops/bench/options.h"
#include "ops/bench/result.h"

#include <stdbool.h>

/* Fills `out`, which result_init() made. False with a reason when nothing could be measured; what
 * went wrong while measuring is in the result. */
bool load_run(const struct options *options, struct span scenario, struct result *out,
              char error[256]);

/* The same load against the barest server, in a process of its own; adds its figures to the stages
 * of `out` of the same name. */
bool load_floor(const struct options *options, struct span scenario, struct result *out,
                char error[256]);

#endif
