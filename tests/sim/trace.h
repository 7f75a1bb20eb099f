/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what shards tell each other of one channel: for whoever looks for what went wrong. */
#ifndef ROOST_TESTS_SIM_TRACE_H
#define ROOST_TESTS_SIM_TRACE_H

#include "tests/sim/cluster.h"

/* The channel that worlds are looked at for, by its name; NULL: none. */
void trace_begin(const struct cluster *cluster, const char *name);

/* The messages of a node that is about to start. */
void trace_watch(struct shard_set_options *set);

#endif
