/* SPDX-License-Identifier: Apache-2.0 */
/* How often clients may do what: client.rate_limit (shards/rate_limits.h).
 *
 * What one connection may do is known here. What one user may do with all its connections, on
 * whichever nodes, is known to the user's directory, which is asked for each command:
 *
 *     command --> rates_judge: WAITS        USER_TAKE leaves; the command, and what came behind it,
 *                                           is held as it stands, and nothing more is read
 *     ... USER_TAKEN comes: the session is resumed ...
 *     command --> rates_judge: ALLOWED, or REFUSED
 *
 * Connect asks with USER_ADD. Where no directory can be asked, the command is allowed. When a
 * directory moves, the users' buckets are full again.
 */
#ifndef ROOST_SHARDS_EDGE_SESSION_RATES_H
#define ROOST_SHARDS_EDGE_SESSION_RATES_H

#include "shards/edge/session/session.h"
#include "shards/rate_limits.h"

/* What has become of the command under way; session->rates. */
enum rates_state {
    RATES_NEW,
    RATES_ASKED,  /* The directory is, */
    RATES_DENIED, /* and has answered. */
    RATES_PAID,   /* It has its tokens, and waits for something else. */
};

enum rates_step {
    RATES_ALLOWED,
    RATES_REFUSED, /* Counted; to be answered with 111. */
    RATES_WAITS,   /* It has to be tried again. */
};

/* False: memory is out. */
MUST_CHECK bool rates_init(struct edge *edge);
void rates_destroy(struct edge *edge);
void rates_trim(struct edge *edge);

/* A command that may come now, each time that it is tried. */
MUST_CHECK enum rates_step rates_judge(struct edge *edge, struct session *session,
                                       const struct client_command *command);
/* One that was allowed waits for something else, so that it will be tried again. */
void rates_on_wait(struct session *session);

/* Has a connect command to wait for its user's directory? */
bool rates_limit_connect(const struct edge *edge);

void rates_on_taken(struct edge *edge, const struct message *message);

/* An error is about to be told to the client. True: it has been one too many, and the connection is
 * to end (3509). */
MUST_CHECK bool rates_count_error(struct edge *edge, const struct session *session, uint32_t error);

#endif
