/* SPDX-License-Identifier: Apache-2.0 */
/* What backends are told of clients: that one has connected, and that it has gone. */
#ifndef ROOST_SHARDS_EDGE_SESSION_CLIENT_EVENTS_H
#define ROOST_SHARDS_EDGE_SESSION_CLIENT_EVENTS_H

#include "shards/edge/session/session.h"

/* What the connect command says of the application is kept until the client goes. False: memory is
 * out. */
MUST_CHECK bool client_events_note(struct edge *edge, struct session *session,
                                   const struct client_connect_request *connect);

/* It is connected; and, before its connection is let go of, it is no more. */
void client_events_connected(struct edge *edge, struct session *session);
void client_events_disconnected(struct edge *edge, struct session *session);

/* Why it is about to go; the first reason holds. */
void client_events_set_end(struct session *session, uint32_t code, struct span reason);

/* With the session's context. NULL is allowed. */
void client_story_free(struct client_story *story);

#endif
