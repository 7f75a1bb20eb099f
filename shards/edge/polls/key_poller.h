/* SPDX-License-Identifier: Apache-2.0 */
/* Polls backends for the keys that clients of this node track, and tells the shards of those
 * clients what is new (PROTOCOL 17).
 *
 * A channel has one poller a node, on the shard of its slot: so a backend is asked once for all
 * clients of a node, and nothing of it crosses links. Nodes that poll for themselves need no home
 * that moves, and no node is asked for what another one could not get; a backend is asked by as
 * many nodes as have clients of the channel. What the server API says of a key goes to the pollers
 * of all nodes (SURVEY_POLL_PUBLISH).
 *
 *               every key once in refresh_interval
 *     IDLE ------------------------------------------> DUE ----> ASKED
 *      ^           or at once, when it is new         (bounded)    |
 *       \---------------------------------------------------------/ answered, or not
 *
 * Keys are asked for in turn: a batch leaves every refresh_interval / batches, so that a backend
 * has an even load. How many requests are under way is bounded (shared_poll.concurrency_limit);
 * keys that find no room stay DUE, and leave together.
 *
 * What a backend said last of a key is kept (POLL_KEPT_BYTES_A_SHARD_MAX of all; beyond it the
 * version and a hash of it alone, and who comes later has to be asked for again).
 */
#ifndef ROOST_SHARDS_EDGE_POLLS_KEY_POLLER_H
#define ROOST_SHARDS_EDGE_POLLS_KEY_POLLER_H

#include "shards/edge/backends/backends.h"
#include "shards/router/placement.h"

struct key_poller;

/* NULL: memory is out. */
MUST_CHECK struct key_poller *key_poller_create(struct edge *edge);
/* NULL is allowed. */
void key_poller_destroy(struct key_poller *poller);

/* Which shard of this node polls for the channel. */
static inline uint32_t key_poller_shard_of(const struct edge *edge, struct span channel)
{
    return placement_slot_of(channel) % edge->actors->node->shards;
}

/* The epoch of the versions that this node gives, as text: until it ends, for all channels. */
enum { KEY_POLLER_EPOCH_LEN = 8 };
void key_poller_make_epoch(const struct edge *edge, uint8_t out[KEY_POLLER_EPOCH_LEN]);

/* POLL_TRACK, POLL_UNTRACK. Takes over the counts of their bufs. */
void key_poller_on_message(struct edge *edge, const struct message *message);

/* What the server API says of a key: the channel, and the request's body. 0, or the client error
 * that stands for what is wrong with it. */
MUST_CHECK uint32_t key_poller_publish(struct edge *edge, struct span channel, struct span request);

/* For backends. */
void key_poller_on_answer(struct edge *edge, uint32_t poll, const struct backend_answer *answer);

#endif
