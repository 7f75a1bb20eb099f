/* SPDX-License-Identifier: Apache-2.0 */
/* From HTTP to WebSocket: the opening handshake, its refusals, subprotocol and compression. */
#ifndef ROOST_SHARDS_EDGE_TRANSPORT_UPGRADE_H
#define ROOST_SHARDS_EDGE_TRANSPORT_UPGRADE_H

#include "shards/edge/transport/connection.h"

/* Answers the request: 101 and the connection is in `state` (ECHO or SESSION), or a refusal. The
 * transport of a session is WEBSOCKET or UNI_WEBSOCKET. */
void upgrade_to_websocket(struct edge *edge, struct connection *conn,
                          const struct http1_request *request, enum connection_state state,
                          enum transport transport);

#endif
