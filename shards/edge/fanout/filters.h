/* SPDX-License-Identifier: Apache-2.0 */
/* Tags filters of this shard's subscribers: compiled once for all that asked for the same, and
 * asked once a publication. */
#ifndef ROOST_SHARDS_EDGE_FANOUT_FILTERS_H
#define ROOST_SHARDS_EDGE_FANOUT_FILTERS_H

#include "codec/filter.h"
#include "shards/edge/edge.h"

struct filters;
struct shared_filter;

/* NULL: memory is out. */
MUST_CHECK struct filters *filters_create(struct random *random);

/* All filters have been given back before. NULL is allowed. */
void filters_destroy(struct filters *filters);

/* One count of the filter that a client's `tf` (FilterNode in JSON) says. 0, or an enum
 * client_error: 107 for one that is malformed or too long, 106 where those of all clients together
 * take too much, 100 when memory is out. */
MUST_CHECK uint32_t filters_take(struct edge *edge, struct span tf, struct shared_filter **out);

/* NULL is allowed. */
void filters_release(struct edge *edge, struct shared_filter *filter);

/* Does it let these tags pass? */
bool filters_let_pass(const struct shared_filter *filter, const struct filter_tags *tags);

/* The same for one publication to many subscribers: asked once. filters_next_publication() before
 * its first subscriber. */
void filters_next_publication(struct edge *edge);
bool filters_let_publication_pass(const struct edge *edge, struct shared_filter *filter,
                                  const struct filter_tags *tags);

#endif
