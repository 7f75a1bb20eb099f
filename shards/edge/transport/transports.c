/* SPDX-License-Identifier: Apache-2.0 */
/* Puts encoded replies into the streams of the transports. */
#include "shards/edge/transport/transports.h"

#include <string.h>

#include "codec/websocket.h"

const char *transport_name(enum transport transport)
{
    static const char *const names[TRANSPORTS] = {
#define TRANSPORT_NAME(id, name) [TRANSPORT_##id] = name,
        TRANSPORT_TABLE(TRANSPORT_NAME)
#undef TRANSPORT_NAME
    };
    return names[transport];
}

const struct transport_shape transport_shapes[TRANSPORTS] = {
    [TRANSPORT_WEBSOCKET] = {.before = "", .after = "", .is_websocket = true},
    [TRANSPORT_HTTP_STREAM] = {.before = "", .after = "\n", .is_emulated = true},
    [TRANSPORT_SSE] = {.before = "data: ", .after = "\n\n", .is_emulated = true},
    [TRANSPORT_UNI_WEBSOCKET] = {.before = "",
                                 .after = "",
                                 .is_websocket = true,
                                 .is_unidirectional = true},
    [TRANSPORT_UNI_HTTP_STREAM] = {.before = "", .after = "\n", .is_unidirectional = true},
    [TRANSPORT_UNI_SSE] = {.before = "data: ", .after = "\n\n", .is_unidirectional = true},
};

/* `{"push":X}` is X; a ping is itself. */
static struct span take_push(struct span reply)
{
    const struct span around = SPAN_LITERAL("{\"push\":");
    return span_starts_with(reply, around)
               ? span_of(reply.at + around.len, reply.len - around.len - 1)
               : reply;
}

static uint8_t *put(uint8_t *to, const void *at, size_t len)
{
    if (len > 0) {
        memcpy(to, at, len);
    }
    return to + len;
}

struct span transport_message(enum transport transport, struct span reply)
{
    return transport_shapes[transport].is_unidirectional ? take_push(reply) : reply;
}

size_t transport_framed_len(enum transport transport, enum client_protocol protocol,
                            struct span reply)
{
    const struct transport_shape *shape = &transport_shapes[transport];
    const struct span message = transport_message(transport, reply);
    if (shape->is_websocket) {
        return websocket_server_header_len(message.len) + message.len;
    }
    return protocol == CLIENT_PROTOBUF ? message.len
                                       : strlen(shape->before) + message.len + strlen(shape->after);
}

uint8_t *transport_put(enum transport transport, enum client_protocol protocol, struct span reply,
                       uint8_t *to)
{
    const struct transport_shape *shape = &transport_shapes[transport];
    const struct span message = transport_message(transport, reply);
    if (shape->is_websocket) {
        const unsigned opcode = protocol == CLIENT_PROTOBUF ? WEBSOCKET_BINARY : WEBSOCKET_TEXT;
        to += websocket_encode_header(to, WEBSOCKET_FIN | opcode, message.len, NULL);
        return put(to, message.at, message.len);
    }
    if (protocol == CLIENT_PROTOBUF) {
        return put(to, message.at, message.len);
    }
    to = put(to, shape->before, strlen(shape->before));
    to = put(to, message.at, message.len);
    return put(to, shape->after, strlen(shape->after));
}
