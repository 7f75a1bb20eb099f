/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at what the shards of a world tell each other: the truth is told which node was given a
 * publication, and what is said of one channel is printed for whoever looks for what went wrong. */
#ifndef ROOST_TESTS_SIM_TRACE_H
#define ROOST_TESTS_SIM_TRACE_H

#include "tests/sim/cluster.h"
#include "tests/sim/truth.h"

/* Until the end, nodes that start are looked at. `name`: of the channel to print; NULL: none. */
void trace_begin(const struct cluster *cluster, struct truth *truth, const char *name);
void trace_end(void);

/* The messages of a node that is about to start. */
void trace_watch(struct shard_set_options *set);

#endif
