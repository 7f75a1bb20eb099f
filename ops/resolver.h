/* SPDX-License-Identifier: Apache-2.0 */
/* The helper thread that looks up where endpoints are, again and again: names wait for servers, and
 * a shard never does. */
#ifndef ROOST_OPS_RESOLVER_H
#define ROOST_OPS_RESOLVER_H

#include "ops/helper_thread.h"
#include "shards/node.h"

/* Offers the node the addresses of its endpoints' hosts; one that cannot be looked up keeps those
 * that it had. The node outlives the helper_thread_stop. NULL: there are no names to look up; or
 * *failed: a thread or memory cannot be had. */
MUST_CHECK struct helper_thread *resolver_start(struct node *node, bool *failed);

#endif
