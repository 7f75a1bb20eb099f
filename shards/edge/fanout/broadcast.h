/* SPDX-License-Identifier: Apache-2.0 */
/* The last step of publications: gathered over a turn, merged, and appended to each subscriber's
 * output.
 *
 * What comes for a channel in one turn leaves as one frame buffer that all its subscribers share: a
 * subscriber costs the same whether one publication came or sixteen. Nothing waits for more to
 * come; a turn that brings one sends one. There is one such buffer for each protocol that somebody
 * here speaks, out of what the home has encoded; a publication that cannot be said in JSON ends the
 * JSON sessions that it is for (3506).
 */
#ifndef ROOST_SHARDS_EDGE_FANOUT_BROADCAST_H
#define ROOST_SHARDS_EDGE_FANOUT_BROADCAST_H

#include "shards/edge/fanout/hub.h"

/* PUBLICATION; takes over the count of its frames. */
void broadcast_on_publication(struct edge *edge, const struct message *message);

/* What has come for the channel goes out now: before somebody joins who must not see it. Other
 * sessions may end (slow consumers), and the channel with its last one. */
void broadcast_flush_channel(struct edge *edge, struct hub_channel *channel);

/* The same for all channels; at the end of the turn. */
void broadcast_flush(struct edge *edge);

/* Publications were lost on the way: nobody misses one unknowingly, all who followed the channel
 * subscribe again (2500). It may go with the last of them. */
void broadcast_tell_gap(struct edge *edge, struct hub_channel *channel);

/* Gives back what was not sent. */
void broadcast_destroy(struct edge *edge);

#endif
