/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of the users whose slot is at home here: which shards of which nodes hold their
 * sessions, and how many.
 *
 * A user whose sessions are in one place costs 25 bytes and the name: at most 64 in all for names
 * of up to 38 bytes. Anonymous sessions have no entry. client.user_connection_limit and
 * client.rate_limit.user_command are held here.
 *
 * What a node registered is forgotten with the session of its link, and users of slots that are at
 * home elsewhere now are forgotten as well: the shards that have sessions register them again.
 */
#ifndef ROOST_SHARDS_ROUTER_DIRECTORY_H
#define ROOST_SHARDS_ROUTER_DIRECTORY_H

#include "shards/actors.h"

/* `actors` has its shard and its outbox by now. A user beyond `users_max` is refused with code
 * 3004, after which clients connect again. NULL: memory is out. */
MUST_CHECK struct directory *directory_create(struct actors *actors, uint32_t users_max);

/* NULL is allowed. */
void directory_destroy(struct directory *directory);

/* USER_ADD, USER_REMOVE, USER_SET, USER_TAKE, USER_COMMAND; takes over the counts of their bufs. */
void directory_on_user_add(struct directory *directory, const struct message *message);
void directory_on_user_remove(struct directory *directory, const struct message *message);
void directory_on_user_set(struct directory *directory, const struct message *message);
void directory_on_user_take(struct directory *directory, const struct message *message);
void directory_on_user_command(struct directory *directory, const struct message *message);

/* For who looks at it: the sessions of each user in each place (message_place()). */
typedef void directory_visitor(void *context, struct span user, uint32_t place, uint32_t sessions);
void directory_visit(const struct directory *directory, directory_visitor *visit, void *context);

/* ORIGIN_GONE. */
void directory_on_origin_gone(struct directory *directory, const struct message *message);

/* The placement is another. What follows is done a portion a turn. */
void directory_on_placement(struct directory *directory);
void directory_on_turn_end(struct directory *directory);
/* Gives back what is kept of users who have done nothing lately; while the shard is silent. */
void directory_trim(struct directory *directory);
bool directory_has_work(const struct directory *directory);

#endif
