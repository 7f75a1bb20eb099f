/* SPDX-License-Identifier: Apache-2.0 */
/* The users with sessions on this shard, and what their directories know of these. */
#ifndef ROOST_SHARDS_EDGE_SESSION_USERS_H
#define ROOST_SHARDS_EDGE_SESSION_USERS_H

#include "shards/edge/session/session.h"

/* Gives the session its user; false: memory is out. An empty one is nobody. */
MUST_CHECK bool users_set(struct edge *edge, struct session *session, struct span user);

/* The session is its user's no longer. */
void users_unset(struct edge *edge, struct session *session);

/* The session is to be in the directory, which has registered it, or was not asked and is told
 * now. */
void users_on_added(struct edge *edge, struct session *session, bool was_asked);
/* The directory is to forget it. */
void users_remove(struct edge *edge, struct session *session);

/* With client.subscribe_to_user_personal_channel.single_connection: the user's other connections,
 * wherever they are, end with 3504. */
void users_end_others(struct edge *edge, const struct session *session);

/* Directories may be elsewhere now, or know nobody: users are registered again, paced. A directory
 * that does not know yet that it is one hears nothing; so those who were told around a change are
 * told again when all nodes have had time to see it. */
void users_on_placement(struct edge *edge);
/* USERS_WANTED: those of these slots, also if nothing seems to have changed. */
void users_on_wanted(struct edge *edge, const struct message *message);
void users_on_turn_end(struct edge *edge);
bool users_has_work(const struct edge *edge);

/* Without any session: forgets the users that were still to be told of. */
void users_end(struct edge *edge);

#endif
