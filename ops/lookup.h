/* SPDX-License-Identifier: Apache-2.0 */
/* The helper thread that looks up where other nodes may be, again and again: names wait for
 * servers, and a shard never does. */
#ifndef ROOST_OPS_LOOKUP_H
#define ROOST_OPS_LOOKUP_H

#include "ops/config/config.h"
#include "ops/helper_thread.h"
#include "shards/node.h"

/* What the names of cluster.join mean is offered to the node when it has changed; a name that
 * cannot be looked up keeps its old meaning. The node outlives the helper_thread_stop.
 * NULL: there are no names to look up; or *failed: a thread or memory cannot be had. */
MUST_CHECK struct helper_thread *lookup_start(struct node *node, const struct config *config,
                                              bool *failed);

#endif
