/* SPDX-License-Identifier: Apache-2.0 */
/* The helper thread that looks up where endpoints are, again and again: names wait for servers, and
 * a shard never does. */
#ifndef ROOST_OPS_RESOLVER_H
#define ROOST_OPS_RESOLVER_H

#include "shards/node.h"

struct resolver;

/* Offers the node the addresses of its endpoints' hosts; one that cannot be looked up keeps those
 * that it had. The node outlives the resolver. NULL: there are no names to look up; or *failed: a
 * thread or memory cannot be had. */
MUST_CHECK struct resolver *resolver_start(struct node *node, bool *failed);

/* Nothing is offered from now on. A question under way is not waited for: its thread ends by
 * itself. NULL is allowed. */
void resolver_stop(struct resolver *resolver);

#endif
