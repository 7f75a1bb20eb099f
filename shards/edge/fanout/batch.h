/* SPDX-License-Identifier: Apache-2.0 */
/* Publications of a channel that wait for others: batch_max_delay at most, or until there are
 * batch_max_size of them. Then they leave together, as one frame for each subscriber; with
 * batch_flush_latest only the newest does.
 *
 * It is the shard of the subscribers that waits, so that homes and links know nothing of it, and
 * all that a channel's subscribers see stays in order: whatever else is told of the channel sends
 * first what waits. Channels that do not ask for it have nothing of this.
 */
#ifndef ROOST_SHARDS_EDGE_FANOUT_BATCH_H
#define ROOST_SHARDS_EDGE_FANOUT_BATCH_H

#include "shards/edge/fanout/broadcast_frames.h"

/* Takes the publication over, to be given out later; the channel may go (as with
 * broadcast_flush_channel). False: memory is out, and it is to be sent in this turn; the same. */
MUST_CHECK bool batch_add(struct edge *edge, struct hub_channel *channel,
                          const struct arrival *arrival);

/* What has waited, in its order. The caller frees it with batch_free(), and takes over its frames.
 */
struct batch;
struct batch *batch_take(struct edge *edge, struct hub_channel *channel); /* NULL: nothing. */
const struct arrival *batch_items(const struct batch *batch, uint32_t *len);
void batch_free(struct batch *batch);

/* The channel goes: nobody is left to be told. */
void batch_drop(struct edge *edge, struct hub_channel *channel);

#endif
