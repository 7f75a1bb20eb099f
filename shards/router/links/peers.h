/* SPDX-License-Identifier: Apache-2.0 */
/* The other nodes of the map and the links to them; states of the gossip are exchanged over these.
 *
 *   placement --> keep, forget --> links --> up, down, messages --> owner
 *   gossiper  --> exchange     -->   |
 *       ^                            | states
 *       +----------------------------+
 *
 * Owned by the router shard.
 */
#ifndef ROOST_SHARDS_ROUTER_LINKS_PEERS_H
#define ROOST_SHARDS_ROUTER_LINKS_PEERS_H

#include "codec/link_message.h"
#include "shards/router/membership/gossiper.h"
#include "shards/router/links/links.h"
#include "shards/router/placement.h"

struct peers;

struct peers_sink {
    void *owner;
    void (*on_up)(void *owner, const struct gossip_uid *peer);
    void (*on_down)(void *owner, const struct gossip_uid *peer);
    /* Any message but those of the gossip. Valid during the call. */
    void (*on_message)(void *owner, const struct gossip_uid *peer,
                       const struct link_message *message, struct span payload);
};

/* Listens where the gossip does. NULL: the reason is logged. */
MUST_CHECK struct peers *peers_create(struct node *node, struct shard *shard,
                                      struct gossiper *gossiper, const struct peers_sink *sink);
/* NULL is allowed. */
void peers_destroy(struct peers *peers);

/* Links to the nodes of the map, and to none that are no more. `before` is NULL for the first. */
void peers_on_placement(struct peers *peers, const struct placement *before,
                        const struct placement *after);

/* See gossiper_sink's on_exchange. */
void peers_exchange(struct peers *peers, const struct gossip_address *to,
                    const struct gossip_uid *peer);

/* See links_send(). */
MUST_CHECK bool peers_send(struct peers *peers, const struct gossip_uid *to,
                           enum message_class class, struct span head, struct buf *payload);

/* Takes what an operator offered since (see node.h). */
void peers_look(struct peers *peers);

void peers_on_event(struct peers *peers, uint64_t token, uint32_t events);
/* The actor's last act of a turn. */
void peers_on_turn_end(struct peers *peers);
/* Exports what was counted; it looks at every link, so now and then. */
void peers_count(struct peers *peers);
bool peers_has_work(const struct peers *peers);

#endif
