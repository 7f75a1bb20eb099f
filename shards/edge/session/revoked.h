/* SPDX-License-Identifier: Apache-2.0 */
/* What revocations (shards/revocations.h) mean for the clients of this shard: who may not come, and
 * who has to go.
 *
 * Sessions of a user are looked up at once. Those that came with one token are searched for, a
 * portion of all sessions a turn.
 */
#ifndef ROOST_SHARDS_EDGE_SESSION_REVOKED_H
#define ROOST_SHARDS_EDGE_SESSION_REVOKED_H

#include "codec/jwt.h"
#include "shards/edge/session/session.h"
#include "shards/revocations.h"

/* A genuine token; `channel` is empty for one that connects. */
struct revocable revoked_token_of(const struct jwt_claims *claims);

/* True: it may not be used (counted). */
MUST_CHECK bool revoked_refuses_token(struct edge *edge, const struct revocable *token);
MUST_CHECK bool revoked_refuses_user(struct edge *edge, struct span user);

/* REVOCATIONS. */
void revoked_on_entries(struct edge *edge, const struct message *message);
void revoked_on_turn_end(struct edge *edge);
bool revoked_has_work(const struct edge *edge);

#endif
