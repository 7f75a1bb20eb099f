/* SPDX-License-Identifier: Apache-2.0 */
/* How a client comes to follow a map (PROTOCOL 16.2): page by page through its keys and, where it
 * has a stream, through what changed since, until it is subscribed like others.
 *
 *     subscribe, phase STATE --> MAP_ASK ------> a page, or with the last of them LIVE
 *     subscribe, phase STREAM -> HISTORY_ASK --> a page, or LIVE when little is missing
 *     subscribe, phase LIVE ---> SUBSCRIBE ----> what is missing; from then on a subscription
 *
 * Until then a client has a `catch-up` for the channel, which keeps what the first command was
 * granted and the position from which changes are brought. Nothing is buffered meanwhile: the home
 * brings what came since the position, in order (messages.h). One page is under way at a time, and
 * the whole has to end within map.subscribe_catch_up_timeout. A subscription that is LIVE has
 * nothing of all this.
 */
#ifndef ROOST_SHARDS_EDGE_MAPS_MAP_SUBSCRIPTIONS_H
#define ROOST_SHARDS_EDGE_MAPS_MAP_SUBSCRIPTIONS_H

#include "shards/edge/session/commands.h"
#include "shards/edge/fanout/hub.h"

struct map_catch_up;

/* What clients call the phases. */
enum map_phase { MAP_PHASE_LIVE, MAP_PHASE_STREAM, MAP_PHASE_STATE };

static inline bool map_is_type(int32_t type)
{
    return type >= CLIENT_SUBSCRIPTION_MAP && type <= CLIENT_SUBSCRIPTION_MAP_USERS;
}

/* The first command for a channel, of a client that may subscribe. Takes over the filter. */
struct verdict map_subscriptions_begin(struct edge *edge, struct session *session,
                                       const struct client_command *command,
                                       const struct hub_subscribe *granted);

/* One of those that follow. */
struct verdict map_subscriptions_go_on(struct edge *edge, struct map_catch_up *catch_up,
                                       const struct client_command *command);

/* The client unsubscribes. False: a page is under way, after which it is to be tried again. */
MUST_CHECK bool map_subscriptions_leave(struct edge *edge, struct map_catch_up *catch_up);

/* MAP_PAGE, and HISTORY, for a catch-up. */
void map_subscriptions_on_keys(struct edge *edge, const struct message *message);
void map_subscriptions_on_stream(struct edge *edge, const struct message *message);

/* Answers the command of a subscription that has become LIVE. May end the connection. */
void map_subscriptions_reply(struct edge *edge, struct subscription *subscription,
                             struct client_reply *reply, const struct message_subscribed *answer);

#endif
