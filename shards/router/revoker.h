/* SPDX-License-Identifier: Apache-2.0 */
/* Brings revocations (shards/revocations.h) to all shards of all nodes.
 *
 *   API call --REVOKE--> revoker --REVOCATIONS--> every shard of this node
 *                           |   ==REVOCATIONS==> the revokers of all linked nodes --> their shards
 *
 * What is lost on the way is found by the state: both ends of a link tell each other all entries
 * when it comes up, so that a node which joins knows them, and the sum of them every now and then;
 * where sums differ they tell each other all entries again. So two nodes without a link learn from
 * a third one. When all nodes have gone at once, nobody knows the entries any more.
 *
 * Owned by the router shard.
 */
#ifndef ROOST_SHARDS_ROUTER_REVOKER_H
#define ROOST_SHARDS_ROUTER_REVOKER_H

#include "codec/gossip.h"
#include "shards/messages.h"
#include "shards/node.h"
#include "shards/outbox.h"
#include "shards/revocations.h"

struct revoker;

struct revoker_options {
    struct node *node;
    struct shard *shard;
    struct outbox *outbox;
    /* To a node, or (NULL) to all that have a link; nothing where it has none. The payload stays
     * the caller's. */
    void (*tell)(void *owner, const struct gossip_uid *to, const struct link_message *message,
                 struct buf *payload);
    void *owner;
};

/* NULL: memory is out. */
MUST_CHECK struct revoker *revoker_create(const struct revoker_options *options);
/* NULL is allowed. */
void revoker_destroy(struct revoker *revoker);

/* REVOKE; takes over the counts of its bufs. */
void revoker_on_revoke(struct revoker *revoker, const struct message *message);

void revoker_on_link_up(struct revoker *revoker, const struct gossip_uid *peer);
/* REVOCATIONS and REVOCATIONS_SUM of another node. */
void revoker_on_link_message(struct revoker *revoker, const struct gossip_uid *peer,
                             const struct link_message *message, struct span payload);

#endif
