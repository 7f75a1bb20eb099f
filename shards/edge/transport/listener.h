/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket of a shard: accepts, a budget a turn. */
#ifndef ROOST_SHARDS_EDGE_TRANSPORT_LISTENER_H
#define ROOST_SHARDS_EDGE_TRANSPORT_LISTENER_H

#include "shards/edge/edge.h"

/* False: the address cannot be had (logged). */
MUST_CHECK bool listener_open(struct edge *edge);
void listener_on_event(struct edge *edge);
void listener_close(struct edge *edge);

#endif
