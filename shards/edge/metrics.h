/* SPDX-License-Identifier: Apache-2.0 */
/* What a node shows of itself: Prometheus metrics, and the demo page's view of its shards. */
#ifndef ROOST_SHARDS_EDGE_METRICS_H
#define ROOST_SHARDS_EDGE_METRICS_H

#include "codec/writer.h"
#include "shards/node.h"

/* The Prometheus text format 0.0.4, all shards summed; run twice when it does not fit. */
void metrics_write_prometheus(struct writer *out, const struct node *node, int64_t wall_ms);

/* {"node":..,"version":..,"shards":[{"id":..,...}]} */
void metrics_write_shards(struct writer *out, const struct node *node);

#endif
