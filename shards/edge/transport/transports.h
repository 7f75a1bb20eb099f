/* SPDX-License-Identifier: Apache-2.0 */
/* How a message stands in the stream of each transport. All that transports differ in, once they
 * are open, is in this table.
 *
 *   websocket        | frame header | reply |           uni_websocket    | frame header | push |
 *   http_stream      | reply | \n                       uni_http_stream  | push | \n
 *   http_stream      | length, reply |  (Protobuf)      uni_sse          | data: | push | \n\n
 *   sse              | data: | reply | \n\n
 *
 * An HTTP stream is the body of a response that ends with the connection (RFC 9112 section 6.3), so
 * that its bytes are the same for all clients and can be shared like WebSocket's frames.
 */
#ifndef ROOST_SHARDS_EDGE_TRANSPORT_TRANSPORTS_H
#define ROOST_SHARDS_EDGE_TRANSPORT_TRANSPORTS_H

#include "codec/client_protocol.h"
#include "shards/transport.h"

struct transport_shape {
    const char *before; /* Each message in JSON; one in Protobuf has its length before it. */
    const char *after;
    bool is_websocket;
    bool is_emulated;       /* The client's commands come by requests of their own. */
    bool is_unidirectional; /* None come. It gets pushes as they are, with no reply around them. */
};

/* As backends are told it. */
const char *transport_name(enum transport transport);

extern const struct transport_shape transport_shapes[TRANSPORTS];

static inline bool transport_is_stream(enum transport transport)
{
    return !transport_shapes[transport].is_websocket;
}

/* The message that the transport has for it: unidirectional ones have pushes as they are. */
struct span transport_message(enum transport transport, struct span reply);

/* The bytes of one encoded reply in the stream; transport_put writes that many and returns their
 * end. Of unidirectional transports only pushes and pings are asked. */
size_t transport_framed_len(enum transport transport, enum client_protocol protocol,
                            struct span reply);
uint8_t *transport_put(enum transport transport, enum client_protocol protocol, struct span reply,
                       uint8_t *to);

#endif
