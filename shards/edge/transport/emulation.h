/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of clients whose connection is an HTTP stream: each frame comes by a request of its own,
 * to any shard of any node, and goes to the session that it names.
 *
 * A session's name is a secret of 16 random bytes that only its client is told, laid out as a UUID;
 * its first byte is the shard, so that the way there is one hop.
 */
#ifndef ROOST_SHARDS_EDGE_TRANSPORT_EMULATION_H
#define ROOST_SHARDS_EDGE_TRANSPORT_EMULATION_H

#include "shards/edge/transport/fallback.h"

/* Gives the session a name. False: memory is out. */
MUST_CHECK bool emulation_enter(struct edge *edge, struct session *session);
void emulation_leave(struct edge *edge, struct session *session);

/* The head of a request, and its body when that is complete. */
void emulation_begin(struct edge *edge, struct connection *conn,
                     const struct http1_request *request);
void emulation_on_body(struct edge *edge, struct connection *conn, enum client_protocol protocol,
                       struct span body);

/* From another shard, or from another node through the router; and the answer to this one's. */
void emulation_on_emulate(struct edge *edge, const struct message *message);
void emulation_on_emulated(struct edge *edge, const struct message *message);

#endif
