/* SPDX-License-Identifier: Apache-2.0 */
/* Names of wildcard channels: which they are, and which of them a publication is passed on to.
 *
 *   news:*  news:sport.*  news:sport.tennis.*      of depth 0, 1, 2
 *
 * A wildcard stands for all names that begin with what is before its `*` and go on: news:sport.*
 * for news:sport.tennis and news:sport.tennis.final, not for news:sport. The `*` is the last
 * segment, and is a wildcard nowhere else. One of depth d is offered what is published where the
 * namespace's wildcard_max_depth is larger than d, so its order and its history are one channel's,
 * whatever they are made of.
 *
 * A name with a user boundary in it is no wildcard, and none stands for it: who may hear it is said
 * in the name. One with the private prefix stands for such names alone.
 */
#ifndef ROOST_SHARDS_CHANNEL_WILDCARD_H
#define ROOST_SHARDS_CHANNEL_WILDCARD_H

#include "codec/span.h"
#include "shards/options.h"

/* Is it the name of a wildcard channel, in a namespace that has them? Pure, as all here; any shard.
 */
bool wildcard_is_name(const struct node_options *options, struct span channel);

/* How many segments stand before the `*` of such a name. */
uint32_t wildcard_depth_of(const struct node_options *options, struct span wildcard);

/* The wildcards that stand for a channel, the shallowest first. */
struct wildcard_walk {
    struct span channel;
    size_t at; /* Where the next segment begins; channel.len: there is none. */
    uint32_t left;
};
void wildcard_walk_begin(struct wildcard_walk *walk, const struct node_options *options,
                         struct span channel, uint32_t max_depth);

/* False: there are no more. The name is written to `room`, which has room for channel.len bytes. */
bool wildcard_next(struct wildcard_walk *walk, uint8_t *room, struct span *wildcard);

#endif
