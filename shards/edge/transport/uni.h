/* SPDX-License-Identifier: Apache-2.0 */
/* Unidirectional transports: the client says once who it is, and gets pushes from then on. */
#ifndef ROOST_SHARDS_EDGE_TRANSPORT_UNI_H
#define ROOST_SHARDS_EDGE_TRANSPORT_UNI_H

#include "shards/edge/session/session.h"

/* What a client asked to connect with: a ConnectRequest in JSON, or nothing at all. In `*request`
 * it is what uni_connect takes. False: it is none. */
MUST_CHECK bool uni_check_request(struct span *request);

/* What a query says to connect with: cf_connect. */
struct uni_query {
    struct span connect; /* Decoded; empty: nothing. */
    bool is_broken;      /* By a % without two digits. */
    uint8_t *room;       /* Has `connect`; the caller frees it. */
};

/* False: memory is out, and the connection is closed. */
MUST_CHECK bool uni_read_query(struct edge *edge, struct connection *conn, struct span query,
                               struct uni_query *out);

/* Carries the request out. May end the connection. */
void uni_connect(struct edge *edge, struct session *session, struct span request);

/* Upgrades to a unidirectional WebSocket, connected if the query says with what; or refuses. */
void uni_upgrade(struct edge *edge, struct connection *conn, const struct http1_request *request);

/* A message of the client of such a WebSocket: the first connects, if the query did not. */
void uni_on_message(struct edge *edge, struct session *session, struct span message);

/* Ends a client that would be answered with an error, were it not unidirectional (PROTOCOL 3.5). */
void uni_refuse(struct edge *edge, struct session *session, uint32_t error, struct span message);

/* Ends it with a push, and a close frame, as far as they are not switched off. */
void uni_end_websocket(struct edge *edge, struct session *session, uint32_t code,
                       struct span reason, bool drop);

/* Of the connect command, which its client does not number. */
enum { UNI_CONNECT_ID = 1 };

/* A disconnect push, encoded as a reply of that protocol. */
enum { DISCONNECT_PUSH_LEN_MAX = 1024 };
struct span uni_disconnect_push(enum client_protocol protocol, uint32_t code, struct span reason,
                                uint8_t room[DISCONNECT_PUSH_LEN_MAX]);

#endif
