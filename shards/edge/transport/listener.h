/* SPDX-License-Identifier: Apache-2.0 */
/* The listening sockets of a shard: accept, each a budget a turn. */
#ifndef ROOST_SHARDS_EDGE_TRANSPORT_LISTENER_H
#define ROOST_SHARDS_EDGE_TRANSPORT_LISTENER_H

#include "shards/edge/edge.h"

/* Those that are not open yet. False: an address cannot be had (logged). */
MUST_CHECK bool listeners_open(struct edge *edge);
void listeners_close(struct edge *edge);
void listener_on_event(struct edge *edge, enum listener_kind kind);

#endif
