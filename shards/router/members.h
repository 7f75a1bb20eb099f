/* SPDX-License-Identifier: Apache-2.0 */
/* Which members of the cluster are nodes of the map, and what each may have of the slots.
 *
 * Alive and suspect members take their share. An unreachable one keeps what it has: nothing fails
 * over yet, nothing new goes there. One that drains is a node without slots, so that its homes move
 * while it is still there to hand them over. The dead, and those that left, are no nodes. Of
 * several lives at one address only the latest is one: the others cannot be any more.
 */
#ifndef ROOST_SHARDS_ROUTER_MEMBERS_H
#define ROOST_SHARDS_ROUTER_MEMBERS_H

#include "shards/router/membership/membership.h"
#include "shards/router/placement.h"

/* The members as placement_make() wants them; out->at is from malloc. False: memory is out. */
MUST_CHECK bool members_list(const struct membership *membership, struct placement_members *out);

/* How many have each status, oneself included. */
void members_count(const struct membership *membership, uint32_t counts[GOSSIP_STATUS_COUNT]);

#endif
