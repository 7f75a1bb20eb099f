/* SPDX-License-Identifier: Apache-2.0 */
/* Carries the messages between shards over links: channels and users whose home is on another node.
 *
 * To a local edge the relay answers as a home would, to a local home it speaks as one more edge; so
 * neither knows of nodes. README.md says how, and why that keeps one order. All is owned by the
 * router shard; whoever owns the links and the placement feeds it.
 */
#ifndef ROOST_SHARDS_ROUTER_RELAY_RELAY_H
#define ROOST_SHARDS_ROUTER_RELAY_RELAY_H

#include "codec/gossip.h"
#include "codec/link_message.h"
#include "shards/messages.h"
#include "shards/node.h"
#include "shards/outbox.h"
#include "shards/router/placement.h"

struct relay;

/* What carries a message to another node, in the order of the calls for each node. */
struct relay_wire {
    void *owner;
    /* The head is copied. The payload (NULL: none) stays the caller's: a count of it is taken where
     * it is kept. False: the link is down, or has no room for the class; nothing was sent. */
    bool (*send)(void *owner, const struct gossip_uid *to, enum message_class class,
                 struct span head, struct buf *payload);
};

struct relay_options {
    struct node *node;
    struct shard *shard;   /* The router's; has its stats. */
    struct outbox *outbox; /* The router's. */
    struct relay_wire wire;
    /* Gets the wire's owner. A session of a link has begun, so that the placement is to be made
     * and told again, since it tells the sessions (relay_session_of); may be NULL. */
    void (*on_session)(void *owner);
};

/* NULL: memory is out. */
MUST_CHECK struct relay *relay_create(const struct relay_options *options);

/* Gives back what it holds; nobody is told. NULL is allowed. */
void relay_destroy(struct relay *relay);

/* A message of a serving shard (any that the catalogue has for a home, a directory or a router, and
 * what shards answer). Takes over the counts of its bufs. */
void relay_on_message(struct relay *relay, const struct message *message);

/* A new placement, after the shards were told. It must live until the next one. */
void relay_on_placement(struct relay *relay, const struct placement *placement);

/* A session of a link begins: everything between the two nodes is registered anew. */
void relay_on_link_up(struct relay *relay, const struct gossip_uid *peer);
/* It is over: what was asked of the peer has failed. */
void relay_on_link_down(struct relay *relay, const struct gossip_uid *peer);
/* A message of the session: a head with its payload (codec/link_message.h), of any kind but
 * MEMBERS. */
void relay_on_link_message(struct relay *relay, const struct gossip_uid *peer,
                           const struct link_message *message, struct span payload);

/* What somebody else says to a node, or (NULL) to all that have a link; to others nothing. */
void relay_tell(struct relay *relay, const struct gossip_uid *to,
                const struct link_message *message, struct buf *payload);

/* Has every channel that is at home elsewhere been handed over, and all that asked been told? And
 * is everything answered that was asked? */
bool relay_has_handed_over(const struct relay *relay);
/* How many pieces of channels other nodes have taken since the start. */
uint64_t relay_pieces_taken(const struct relay *relay);

/* The session of the link to a node, a number that is never used twice (0: none): with the node's
 * uid it names the tenure in which users are registered there. */
uint32_t relay_session_of(const struct relay *relay, const struct gossip_uid *peer);

#endif
