/* SPDX-License-Identifier: Apache-2.0 */
/* Subscribers that are not sent what all others are: they take deltas, have a tags filter, are
 * HELD until their connect command is answered, or have published it themselves where that is not
 * to come back (publish_without_echo).
 *
 * Their home knows nothing of them. It sends each publication once, in full, to every shard that
 * wants it; the deltas are made here, once for each protocol that somebody here takes them in, and
 * all who take them share them. For that the shard keeps the newest publication of a channel for as
 * long as somebody takes deltas of it (DELTA_KEPT_BYTES_A_SHARD_MAX for all of them; beyond it
 * publications go out whole). A channel without such subscribers has nothing of all this.
 */
#ifndef ROOST_SHARDS_EDGE_FANOUT_TAILORED_H
#define ROOST_SHARDS_EDGE_FANOUT_TAILORED_H

#include "shards/edge/fanout/broadcast_frames.h"
#include "shards/edge/fanout/streams.h"

/* A subscription joins its channel, with has_delta and its filter set, or leaves it. False: memory
 * is out. */
MUST_CHECK bool tailored_add(struct edge *edge, const struct subscription *subscription);
void tailored_remove(struct edge *edge, const struct subscription *subscription);

/* A subscription becomes HELD, or is so no longer. False: memory is out. */
MUST_CHECK bool tailored_hold(struct edge *edge, const struct subscription *subscription);
void tailored_release(struct edge *edge, const struct subscription *subscription);

/* Is a broadcast of this kind for tailored_send()? */
bool tailored_takes(const struct hub_channel *channel, uint32_t kind);

/* How many publications may leave together: a filter lets pass or holds back each by itself. */
uint32_t tailored_parts_max(const struct hub_channel *channel, uint32_t parts_max);

/* To all subscribers of the channel, the others among them. The channel may go with its last one.
 */
void tailored_send(struct edge *edge, struct hub_channel *channel, struct broadcast *broadcast);

/* It was sent: the next one is told as the difference to it. */
void tailored_keep(struct edge *edge, struct hub_channel *channel, const struct arrival *arrival);

/* What is kept is not what its subscribers have. */
void tailored_forget(struct edge *edge, struct hub_channel *channel);

/* The page of a recovery as its subscriber is to be told it. False: memory is out. */
MUST_CHECK bool tailored_make_page(struct edge *edge, const struct subscription *subscription,
                                   uint32_t subscribed_flags,
                                   struct stream_publications *publications);

/* Leaves of a page what the filter lets pass. False: memory is out. */
MUST_CHECK bool tailored_filter_page(struct edge *edge, const struct shared_filter *filter,
                                     struct stream_publications *publications);

/* The subscriber follows a map and is told these pages of it; NULL is allowed. */
void tailored_on_following(struct edge *edge, struct subscription *subscription, struct buf *state,
                           struct buf *changes);

/* The subscriber was told that page. */
void tailored_on_told(struct subscription *subscription,
                      const struct stream_publications *publications);

#endif
