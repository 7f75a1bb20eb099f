/* SPDX-License-Identifier: Apache-2.0 */
/* Tells backends of events: channels that are occupied and vacated, clients that come and go, nodes
 * that are gone.
 *
 *     webhooks_tell --> queue of the target --> batch --> backends --> taken: forgotten
 *                       (bounded: the oldest     ^                 \-> else: the same again, later
 *                       are lost, and counted)   +--------------------------/
 *
 * One batch of a queue is under way at a time, and it is sent until it is taken: so a backend is
 * told at least once while the shard lives, and events of one channel's home, or of one client, in
 * their order. What is lost (the queue is full, or it is not known what became of a channel) is
 * counted in the next batch; what a node that ends without notice has not told is seen from the
 * run that the others name (ops/WEBHOOKS.md). All of it belongs to the edge of one shard.
 */
#ifndef ROOST_SHARDS_EDGE_BACKENDS_WEBHOOKS_H
#define ROOST_SHARDS_EDGE_BACKENDS_WEBHOOKS_H

#include "codec/webhook.h"
#include "shards/edge/backends/backends.h"
#include "shards/edge/edge.h"

struct webhooks;

/* Where webhooks send to; there are as many as different proxies are configured for it. */
enum { WEBHOOK_TARGET_NONE = UINT32_MAX };

/* Is anybody to be told of anything? */
bool webhooks_are_configured(const struct node_options *options);

/* `actors` has its shard and its edge by now. NULL: memory is out. */
MUST_CHECK struct webhooks *webhooks_create(struct actors *actors);
/* What was not told is lost. NULL is allowed. */
void webhooks_destroy(struct webhooks *webhooks);

/* Who is told of this channel, or of clients. */
uint32_t webhooks_target_of_channel(const struct webhooks *webhooks, struct span channel);
uint32_t webhooks_target_of_clients(const struct webhooks *webhooks);
bool webhooks_includes_meta(const struct webhooks *webhooks, uint32_t target);

/* The event will be told; the target is one. Sends nothing before the call returns. */
void webhooks_tell(struct webhooks *webhooks, uint32_t target, const struct webhook_event *event);
/* Something has happened that cannot be told. */
void webhooks_lose(struct webhooks *webhooks, uint32_t target);

/* For backends. */
void webhooks_on_answer(struct webhooks *webhooks, uint32_t target,
                        const struct backend_answer *answer);

/* Which nodes there are (webhooks_nodes.c). `before`: NULL the first time. */
void webhooks_on_placement(struct webhooks *webhooks, const struct placement *before,
                           const struct placement *now);

/* The node stops, and this shard has no clients any more; every turn until it is true: all was
 * told, or it took too long. */
bool webhooks_have_ended(struct webhooks *webhooks);

#endif
