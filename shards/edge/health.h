/* SPDX-License-Identifier: Apache-2.0 */
/* GET /health: can this node serve? Every shard, the router too, is asked and has to answer in
 * time; a node that stops, or that sees a minority of its cluster, says no. */
#ifndef ROOST_SHARDS_EDGE_HEALTH_H
#define ROOST_SHARDS_EDGE_HEALTH_H

#include "shards/edge/api/call.h"
#include "shards/edge/transport/connection.h"

/* Answers 200 and {}, or 503 and {"reason":..}, when it is known. */
void health_begin(struct edge *edge, struct connection *conn);

/* All have answered. */
void health_finish(struct edge *edge, struct call *call);

#endif
