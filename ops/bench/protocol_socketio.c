/* SPDX-License-Identifier: Apache-2.0 */
/* Socket.IO 5 in Engine.IO 4, over WebSocket alone; what the server does is in peers/socketio.mjs.
 */
#include "ops/bench/protocol.h"

#include <string.h>

/*
 * A message is one packet: a digit of Engine.IO (0 open, 1 close, 2 ping, 3 pong, 4 message), and
 * behind a 4 one of Socket.IO (0 connect, 1 disconnect, 2 event, 4 connect error). Connecting
 * carries what the client wants to tell: here the room to join, so that the answer says that it
 * has.
 */
static void socketio_join(struct writer *out, const char *channel)
{
    writer_put_literal(out, "40");
    if (channel != NULL) {
        writer_put_literal(out, "{\"room\":\"");
        writer_put(out, span_of_text(channel));
        writer_put_literal(out, "\"}");
    }
}

static void socketio_publish(struct writer *out, const char *channel, struct span payload)
{
    writer_put_literal(out, "42[\"publish\",\"");
    writer_put(out, span_of_text(channel));
    writer_put_literal(out, "\",");
    writer_put(out, payload);
    writer_put_byte(out, ']');
}

static void socketio_echo(struct writer *out, const char *channel, struct span payload)
{
    (void)channel;
    writer_put_literal(out, "42[\"echo\",");
    writer_put(out, payload);
    writer_put_byte(out, ']');
}

/* ["message","..."]: the payload is the JSON string behind the event's name. */
static enum protocol_event take_event(struct span event, struct span *out)
{
    static const struct span head = {(const uint8_t *)"[\"message\",", 11};
    if (!span_starts_with(event, head) || event.at[event.len - 1] != ']') {
        return PROTOCOL_OTHER;
    }
    *out = span_of(event.at + head.len, event.len - head.len - 1);
    return PROTOCOL_PUBLICATION;
}

static enum protocol_event socketio_next(struct span *rest, struct span *out)
{
    const struct span packet = *rest;
    *rest = SPAN_EMPTY;
    *out = packet;
    if (packet.len == 0) {
        return PROTOCOL_END;
    }
    switch (packet.at[0]) {
    case '0':
    case '3':
    case '6':
        return PROTOCOL_OTHER;
    case '2':
        return PROTOCOL_PING;
    case '4':
        break;
    default:
        return PROTOCOL_ERROR;
    }
    switch (packet.len > 1 ? packet.at[1] : 0) {
    case '0':
        return PROTOCOL_JOINED;
    case '2':
        return take_event(span_skip(packet, 2), out);
    case '3':
        return PROTOCOL_OTHER;
    default:
        return PROTOCOL_ERROR;
    }
}

const struct protocol protocol_socketio = {
    .name = "socketio",
    .about = "Socket.IO over WebSocket, with the server of peers/socketio.mjs",
    .path = "/socket.io/?EIO=4&transport=websocket",
    .pong = {(const uint8_t *)"3", 1},
    .mask = {0x1b, 0xad, 0xb0, 0x0d},
    .has_channels = true,
    .join = socketio_join,
    .publish = socketio_publish,
    .echo = socketio_echo,
    .next = socketio_next,
};
