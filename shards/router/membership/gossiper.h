/* SPDX-License-Identifier: Apache-2.0 */
/* A node's part in the gossip: a membership engine with its socket, its seal, its clock, its seeds.
 *
 *     socket --> open (keyring, replay) --> membership engine --> seal --> socket
 *                                             |    ^     |
 *                              events, exchanges   |     timer
 *                                                states
 *
 * Whatever cannot be opened or understood is counted by its reason and changes nothing. Owned by
 * the router shard.
 */
#ifndef ROOST_SHARDS_ROUTER_MEMBERSHIP_GOSSIPER_H
#define ROOST_SHARDS_ROUTER_MEMBERSHIP_GOSSIPER_H

#include "shards/node.h"
#include "shards/router/membership/membership.h"

struct gossiper;

/* Where output goes. None of these may call the gossiper, except what only asks. */
struct gossiper_sink {
    void *owner;
    /* A member came, went or changed; not MEMBERSHIP_LOAD. */
    void (*on_event)(void *owner, const struct membership_event *event);
    /* Wants to exchange states with who is there: gossiper_state_write() is to be sent to it, and
     * what it answers handed to gossiper_on_state(). `peer` may be nobody. */
    void (*on_exchange)(void *owner, const struct gossip_address *to,
                        const struct gossip_uid *peer);
};

/* Opens the socket, watched with `token`; the seeds are called from the next turn on. The actor
 * (the context of its timers) may be anything; its stats exist. NULL: the reason is logged. */
MUST_CHECK struct gossiper *gossiper_create(struct node *node, struct shard *shard, uint64_t token,
                                            const struct gossiper_sink *sink);
/* NULL is allowed. */
void gossiper_destroy(struct gossiper *gossiper);

/* The socket has something. */
void gossiper_on_event(struct gossiper *gossiper);
/* A sealed part of a state that a link brought. What is wrong with it is counted. */
void gossiper_on_state(struct gossiper *gossiper, struct span sealed);
/* The next sealed part of this node's state, for which `sealed` has GOSSIP_SEALED_LEN_MAX of room;
 * *cursor starts at 0, and nothing else is called between two parts. False: there was none left. */
MUST_CHECK bool gossiper_state_write(struct gossiper *gossiper, uint32_t *cursor,
                                     struct writer *sealed);
/* What else crosses links for those alone that have the cluster's key, and is believed of them
 * alone. What is refused is counted as a datagram is. False: there is no room for it; or refused.
 */
MUST_CHECK bool gossiper_seal(struct gossiper *gossiper, struct span clear, struct writer *sealed);
MUST_CHECK bool gossiper_open(struct gossiper *gossiper, struct span sealed, struct writer *clear);
/* Reads what was left, sets the clock, exports what was counted. */
void gossiper_on_turn_end(struct gossiper *gossiper);
bool gossiper_has_work(const struct gossiper *gossiper);

/* This node's figures, now and then; they travel at the engine's own pace. */
void gossiper_set_load(struct gossiper *gossiper, const struct gossip_load *load);
/* Tells the others that nothing new is wanted here. */
void gossiper_drain(struct gossiper *gossiper);
/* Says goodbye; a second or two later it has left. */
void gossiper_leave(struct gossiper *gossiper);
bool gossiper_has_left(const struct gossiper *gossiper);

/* What links and the gossip tell others alike: the cluster's name as a number, and the incarnation
 * that this life of the node began with. */
uint32_t gossiper_cluster(const struct gossiper *gossiper);
uint64_t gossiper_life(const struct gossiper *gossiper);

/* For asking: members and their details. */
const struct membership *gossiper_membership(const struct gossiper *gossiper);

struct socket_address gossiper_socket_address(const struct gossip_address *address);
struct gossip_address gossiper_gossip_address(const struct socket_address *address);

#endif
