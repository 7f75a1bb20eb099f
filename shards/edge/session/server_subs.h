/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions that the server makes when a client connects (PROTOCOL 15): those that its token
 * names, its personal channel, and those that it had and may have itself.
 *
 * They are made before the connect command is answered, and the answer tells them all: it waits
 * until the homes of all have answered. What comes for the client until then is held, frame by
 * frame, and follows the answer.
 */
#ifndef ROOST_SHARDS_EDGE_SESSION_SERVER_SUBS_H
#define ROOST_SHARDS_EDGE_SESSION_SERVER_SUBS_H

#include "codec/api.h"
#include "codec/jwt_subs.h"
#include "shards/edge/session/auth.h"
#include "shards/edge/fanout/hub.h"

/* What a connect waits for; it hangs on the session's account. */
struct server_subs;

/* Subscribes to all of them. 0, or the code to end the connection with. */
uint32_t server_subs_begin(struct edge *edge, struct session *session,
                           const struct auth_result *who,
                           const struct client_connect_request *request, struct scratch *scratch);

/* Homes have not answered all of them yet. */
bool server_subs_wait(const struct session *session);

/* A home has answered one of them, or refused it; the connect goes on after the last. */
void server_subs_on_answer(struct edge *edge, struct subscription *subscription,
                           const struct message_subscribed *answer);
void server_subs_on_failure(struct edge *edge, struct session *session, uint32_t error);

/* Sends the connect reply with what is subscribed, and what has come for it since. */
void server_subs_reply(struct edge *edge, struct session *session, struct client_reply *reply);

/* Keeps a frame for a subscription that is HELD. False: the client's queue would be full, or memory
 * is out. */
MUST_CHECK bool server_subs_hold(struct edge *edge, struct session *session, struct frame *frame);

void server_subs_free(struct server_subs *subs);

/* Subscribes a client that is connected, which learns of it by a push; one that has the channel
 * already, or may have no more, keeps what it has. */
void server_subs_add(struct edge *edge, struct session *session,
                     const struct api_subscribe_request *request);

/* Does the session have all channels that a token of its user names? */
bool server_subs_are_same(struct edge *edge, const struct session *session,
                          const struct auth_result *who, struct scratch *scratch);

/* The options of a channel as one subscription has them. */
struct channel_options server_subs_override(const struct channel_options *options,
                                            const struct jwt_override *override);

#endif
