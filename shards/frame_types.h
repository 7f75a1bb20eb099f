/* SPDX-License-Identifier: Apache-2.0 */
/* What a message on a transport is, as metrics tell them apart. */
#ifndef ROOST_SHARDS_FRAME_TYPES_H
#define ROOST_SHARDS_FRAME_TYPES_H

#include <assert.h>

#include "codec/client.h"

/* X(id, name): the names are Centrifugo's; `echo` and `unknown` are ours. Commands and their
 * answers stand in the order of enum client_method, pushes in that of enum client_push_kind. */
#define FRAME_TYPE_TABLE(X) \
    X(CLIENT_PONG, "client_pong") \
    X(CONNECT, "connect") \
    X(SUBSCRIBE, "subscribe") \
    X(UNSUBSCRIBE, "unsubscribe") \
    X(PUBLISH, "publish") \
    X(PRESENCE, "presence") \
    X(PRESENCE_STATS, "presence_stats") \
    X(HISTORY, "history") \
    X(RPC, "rpc") \
    X(SEND, "send") \
    X(REFRESH, "refresh") \
    X(SUB_REFRESH, "sub_refresh") \
    X(SERVER_PING, "server_ping") \
    X(UNKNOWN, "unknown") \
    X(PUSH_PUBLICATION, "push_publication") \
    X(PUSH_JOIN, "push_join") \
    X(PUSH_LEAVE, "push_leave") \
    X(PUSH_UNSUBSCRIBE, "push_unsubscribe") \
    X(PUSH_MESSAGE, "push_message") \
    X(PUSH_SUBSCRIBE, "push_subscribe") \
    X(PUSH_CONNECT, "push_connect") \
    X(PUSH_DISCONNECT, "push_disconnect") \
    X(PUSH_REFRESH, "push_refresh") \
    X(ECHO, "echo")

enum frame_type {
#define FRAME_TYPE_ID(id, name) FRAME_##id,
    FRAME_TYPE_TABLE(FRAME_TYPE_ID)
#undef FRAME_TYPE_ID
        FRAME_TYPES
};

/* Of a command and of what answers it. CLIENT_METHOD_COUNT: it is not known any more. */
static inline enum frame_type frame_type_of_method(enum client_method method)
{
    return (enum frame_type)method;
}

static inline enum frame_type frame_type_of_push(enum client_push_kind kind)
{
    return (enum frame_type)((unsigned)FRAME_PUSH_PUBLICATION + (unsigned)kind);
}

static_assert((int)FRAME_SUB_REFRESH == (int)CLIENT_METHOD_SUB_REFRESH &&
                  (int)FRAME_UNKNOWN == (int)CLIENT_METHOD_COUNT &&
                  FRAME_PUSH_REFRESH - FRAME_PUSH_PUBLICATION == CLIENT_PUSH_REFRESH,
              "one order");

#endif
