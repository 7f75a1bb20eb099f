/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket on a connection: frames into messages and messages into frames, compression, close
 * handshake. */
#include <stdlib.h>
#include <string.h>

#include "shards/edge/transport/connection.h"
#include "shards/edge/transport/fallback.h"
#include "shards/edge/session/session.h"
#include "shards/edge/transport/uni.h"

static void *frames_allocate(void *context, size_t len)
{
    (void)context;
    return malloc(len);
}

static void frames_release(void *context, void *at)
{
    (void)context;
    free(at);
}

static const struct deflate_allocator frames_allocator = {frames_allocate, frames_release, NULL};

/* ---- out ---- */

static uint32_t output_limit(struct edge *edge, const struct connection *conn)
{
    if (conn->state != CONNECTION_SESSION) {
        return 0;
    }
    const uint32_t limit = edge->options->client.queue_max_size;
    return (conn->flags & CONNECTION_REFRAMED) == 0 ? limit
                                                    : fallback_output_limit(edge, conn, limit);
}

/* The queue is full before the turn ends. A turn may bring much to a peer that takes it all: slow
 * is only whose socket does not take it. False: nothing has gone. */
static bool frames_make_room(struct edge *edge, struct connection *conn)
{
    if ((conn->flags & CONNECTION_BLOCKED) != 0 || outq_is_empty(&conn->outq)) {
        return false;
    }
    uint64_t sent;
    const enum outq_result result =
        outq_flush(&conn->outq, &conn->stream, edge->shard->poller, &sent);
    actors_count_many(edge->actors, COUNTER_BYTES_SENT, sent);
    if (result == OUTQ_BLOCKED) {
        conn->flags |= CONNECTION_BLOCKED;
        connection_schedule(edge, conn);
    }
    return sent > 0;
}

/* Header and payload behind each other at the end of the queue. */
static bool frames_put(struct edge *edge, struct connection *conn, unsigned first,
                       struct span payload)
{
    if (payload.len > UINT32_MAX / 2) {
        return false;
    }
    const uint32_t len = (uint32_t)(websocket_server_header_len(payload.len) + payload.len);
    uint8_t *to = outq_reserve(&conn->outq, len, output_limit(edge, conn));
    if (to == NULL && frames_make_room(edge, conn)) {
        to = outq_reserve(&conn->outq, len, output_limit(edge, conn));
    }
    if (to == NULL) {
        return false;
    }
    const size_t header_len = websocket_encode_header(to, first, payload.len, NULL);
    if (payload.len > 0) {
        memcpy(to + header_len, payload.at, payload.len);
    }
    outq_commit(&conn->outq, len);
    return true;
}

static uint32_t deflate_min_size(const struct edge *edge, enum transport transport)
{
    return transport == TRANSPORT_WEBSOCKET
               ? edge->options->websocket.compression_min_size
               : edge->options->transports[transport].compression_min_size;
}

/* The message compressed, in memory that the caller frees; NULL when that does not pay. */
static uint8_t *frames_deflate(struct edge *edge, const struct connection *conn,
                               struct span payload, size_t *len)
{
    const struct websocket_options *options = &edge->options->websocket;
    if (payload.len < deflate_min_size(edge, connection_transport(conn)) || payload.len == 0) {
        return NULL;
    }
    if (edge->compressor == NULL) {
        edge->compressor = deflate_compressor_create(&frames_allocator, options->compression_level);
    }
    uint8_t *room = edge->compressor == NULL ? NULL : malloc(payload.len + 4);
    if (room == NULL) {
        return NULL;
    }
    struct writer out = writer_of(room, payload.len + 4);
    if (deflate_compress(edge->compressor, payload, conn->window_bits, &out) != DEFLATE_DONE) {
        free(room);
        return NULL;
    }
    *len = writer_written_len(&out);
    return room;
}

static bool frames_put_deflated(struct edge *edge, struct connection *conn,
                                enum websocket_opcode opcode, struct span reply)
{
    size_t len = 0;
    const struct span payload = transport_message(connection_transport(conn), reply);
    uint8_t *deflated = frames_deflate(edge, conn, payload, &len);
    if (deflated == NULL) {
        return frames_put(edge, conn, WEBSOCKET_FIN | (unsigned)opcode, payload);
    }
    const bool fits = frames_put(edge, conn, WEBSOCKET_FIN | WEBSOCKET_RSV1 | (unsigned)opcode,
                                 span_of(deflated, len));
    free(deflated);
    return fits;
}

/* As the transport has it, which is not the bidirectional WebSocket. */
static bool frames_put_reframed(struct edge *edge, struct connection *conn, struct span payload)
{
    const enum transport transport = connection_transport(conn);
    const enum client_protocol protocol = connection_protocol(conn);
    if (payload.len > UINT32_MAX / 2) {
        return false;
    }
    const uint32_t len = (uint32_t)transport_framed_len(transport, protocol, payload);
    uint8_t *to = outq_reserve(&conn->outq, len, output_limit(edge, conn));
    if (to == NULL && frames_make_room(edge, conn)) {
        to = outq_reserve(&conn->outq, len, output_limit(edge, conn));
    }
    if (to == NULL) {
        return false;
    }
    (void)transport_put(transport, protocol, payload, to);
    outq_commit(&conn->outq, len);
    fallback_count_output(edge, conn);
    return true;
}

static inline bool frames_put_message(struct edge *edge, struct connection *conn,
                                      enum websocket_opcode opcode, struct span payload)
{
    if ((conn->flags & (CONNECTION_DEFLATE | CONNECTION_REFRAMED)) == 0) {
        return frames_put(edge, conn, WEBSOCKET_FIN | (unsigned)opcode, payload);
    }
    return (conn->flags & CONNECTION_DEFLATE) != 0
               ? frames_put_deflated(edge, conn, opcode, payload)
               : frames_put_reframed(edge, conn, payload);
}

bool connection_send_message(struct edge *edge, struct connection *conn,
                             enum websocket_opcode opcode, struct span payload)
{
    const bool fits = frames_put_message(edge, conn, opcode, payload);
    if (fits) {
        connection_make_ready(edge, conn);
    }
    return fits;
}

struct frame *frames_make_deflated(struct edge *edge, const struct connection *conn,
                                   struct span payload)
{
    const enum websocket_opcode opcode = connection_opcode(connection_protocol(conn));
    size_t len = 0;
    uint8_t *deflated = frames_deflate(edge, conn, payload, &len);
    if (deflated == NULL) {
        return NULL;
    }
    uint8_t header[WEBSOCKET_HEADER_LEN_MAX];
    const size_t header_len =
        websocket_encode_header(header, WEBSOCKET_FIN | WEBSOCKET_RSV1 | (unsigned)opcode, len,
                                NULL);
    struct frame *frame = frame_create((uint32_t)(header_len + len));
    if (frame != NULL) {
        memcpy(frame_bytes(frame), header, header_len);
        memcpy(frame_bytes(frame) + header_len, deflated, len);
        frame->len = (uint32_t)(header_len + len);
    }
    free(deflated);
    return frame;
}

bool connection_send_shared(struct edge *edge, struct connection *conn, struct frame *frame)
{
    const uint32_t limit = output_limit(edge, conn);
    if (!outq_append(&conn->outq, frame, limit) &&
        (!frames_make_room(edge, conn) || !outq_append(&conn->outq, frame, limit))) {
        return false;
    }
    if ((conn->flags & CONNECTION_REFRAMED) != 0) {
        fallback_count_output(edge, conn);
    }
    connection_make_ready(edge, conn);
    return true;
}

static void count_close(struct edge *edge, const struct connection *conn, uint16_t code)
{
    const enum transport transport = connection_transport(conn);
    actors_count(edge->actors, COUNTER_OF(TRANSPORT_CLOSE, transport, label_of_close(code)));
    if (code >= 3000) {
        actors_count(edge->actors, counter_of_disconnect(code));
    }
}

void connection_end_websocket(struct edge *edge, struct connection *conn, uint16_t code,
                              struct span reason, bool drop)
{
    if (conn->state == CONNECTION_CLOSED || conn->state == CONNECTION_CLOSING) {
        return;
    }
    count_close(edge, conn, code);
    uint8_t close[WEBSOCKET_CONTROL_FRAME_LEN_MAX];
    const size_t len = websocket_encode_close(close, code, reason, NULL);
    if ((drop && !outq_drop_unsent(&conn->outq)) ||
        !outq_append_bytes(&conn->outq, close, (uint32_t)len, 0)) {
        connection_close(edge, conn);
        return;
    }
    conn->flags |= CONNECTION_CLOSE_SENT;
    connection_begin_closing(edge, conn);
}

/* ---- in ---- */

static void frames_fail(struct edge *edge, struct connection *conn, uint16_t code,
                        const char *reason)
{
    conn->flags |= CONNECTION_FAILED;
    connection_end_websocket(edge, conn, code, span_of_text(reason), false);
}

static void frames_deliver(struct edge *edge, struct connection *conn, uint8_t opcode,
                           struct span message)
{
    if (conn->state == CONNECTION_SESSION) {
        if (session_is_unidirectional(conn->session)) {
            uni_on_message(edge, conn->session, message);
        } else {
            session_on_frame(edge, conn->session, message);
        }
        return;
    }
    actors_count(edge->actors, COUNTER_OF(TRANSPORT_RECEIVED, TRANSPORT_WEBSOCKET, FRAME_ECHO));
    actors_count(edge->actors, COUNTER_OF(TRANSPORT_SENT, TRANSPORT_WEBSOCKET, FRAME_ECHO));
    if (!frames_put_message(edge, conn, opcode, message)) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        connection_close(edge, conn);
        return;
    }
    if (conn->outq.bytes >= ECHO_OUTPUT_BYTES_HIGH) {
        conn->flags |= CONNECTION_PAUSED;
    }
}

/* Inflates a whole message under the limit and delivers it. */
static void frames_deliver_inflated(struct edge *edge, struct connection *conn, uint8_t opcode,
                                    struct span message)
{
    const enum transport transport = connection_transport(conn);
    const uint32_t limit = transport == TRANSPORT_WEBSOCKET
                               ? edge->options->websocket.inflated_size_limit
                               : edge->options->transports[transport].inflated_size_limit;
    if (edge->inflater == NULL) {
        edge->inflater = deflate_inflater_create(&frames_allocator);
    }
    uint8_t *out = NULL;
    size_t len = 0;
    size_t room = message.len * 4 < 1024 ? 1024 : message.len * 4;
    enum deflate_result result = edge->inflater == NULL ? DEFLATE_NO_MEMORY : DEFLATE_OUTPUT_FULL;
    if (edge->inflater != NULL) {
        deflate_inflate_start(edge->inflater, message);
    }
    while (result == DEFLATE_OUTPUT_FULL && len < limit) {
        room = room > limit ? limit : room;
        uint8_t *grown = realloc(out, room);
        if (grown == NULL) {
            result = DEFLATE_NO_MEMORY;
            break;
        }
        out = grown;
        size_t got;
        result = deflate_inflate(edge->inflater, out + len, room - len, &got);
        len += got;
        room *= 2;
    }
    if (result == DEFLATE_OUTPUT_FULL) {
        frames_fail(edge, conn, WEBSOCKET_CLOSE_TOO_LARGE, "inflated message too large");
    } else if (result == DEFLATE_INVALID) {
        frames_fail(edge, conn, WEBSOCKET_CLOSE_BAD_DATA, "compressed data is invalid");
    } else if (result == DEFLATE_NO_MEMORY) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        connection_close(edge, conn);
    } else if (opcode == WEBSOCKET_TEXT && !utf8_is_valid(span_of(out, len))) {
        frames_fail(edge, conn, WEBSOCKET_CLOSE_BAD_DATA, "text is not UTF-8");
    } else {
        frames_deliver(edge, conn, opcode, span_of(out, len));
    }
    free(out);
}

/* A piece of a message: whole ones are delivered where they lie, others are put together first. */
static void frames_on_data(struct edge *edge, struct connection *conn,
                           const struct websocket_event *event)
{
    if (event->is_first && event->is_last) {
        if (event->is_compressed) {
            frames_deliver_inflated(edge, conn, event->opcode, event->payload);
        } else {
            frames_deliver(edge, conn, event->opcode, event->payload);
        }
        return;
    }
    struct receive *receive = receive_of(edge, conn);
    if (receive == NULL ||
        !receive_append(edge, conn, &receive->message, event->payload.at, event->payload.len)) {
        return;
    }
    if (event->is_first) {
        receive->message_since_ms = edge->shard->now_ms;
        connection_schedule(edge, conn);
    }
    if (!event->is_last) {
        return;
    }
    /* Delivering may pause, end or close the connection, so the message leaves it first. */
    const struct bytes message = receive_take(edge, conn, &receive->message);
    receive->message_since_ms = 0;
    connection_schedule(edge, conn);
    const struct span whole = span_of(message.at, message.len);
    if (event->is_compressed) {
        frames_deliver_inflated(edge, conn, event->opcode, whole);
    } else {
        frames_deliver(edge, conn, event->opcode, whole);
    }
    free(message.at);
}

static void frames_on_close(struct edge *edge, struct connection *conn,
                            const struct websocket_event *event)
{
    conn->flags |= CONNECTION_CLOSE_RECEIVED;
    if (conn->state == CONNECTION_CLOSING) {
        connection_make_ready(edge, conn);
        return;
    }
    uint8_t close[WEBSOCKET_CONTROL_FRAME_LEN_MAX];
    const size_t len = websocket_encode_close(close, event->close_code, SPAN_EMPTY, NULL);
    if (!outq_append_bytes(&conn->outq, close, (uint32_t)len, 0)) {
        connection_close(edge, conn);
        return;
    }
    conn->flags |= CONNECTION_CLOSE_SENT;
    connection_begin_closing(edge, conn);
}

static void frames_on_ping(struct edge *edge, struct connection *conn, struct span payload)
{
    uint8_t pong[WEBSOCKET_CONTROL_FRAME_LEN_MAX];
    const size_t len = websocket_encode_control(pong, WEBSOCKET_OPCODE_PONG, payload, NULL);
    /* A peer that pings and never reads is slow like any other. */
    const uint32_t limit = edge->options->client.queue_max_size + (uint32_t)len +
                           (conn->state == CONNECTION_ECHO ? UINT32_MAX / 2 : 0);
    if (!outq_append_bytes(&conn->outq, pong, (uint32_t)len, limit) &&
        (!frames_make_room(edge, conn) ||
         !outq_append_bytes(&conn->outq, pong, (uint32_t)len, limit))) {
        connection_end_websocket(edge, conn, CLIENT_DISCONNECT_SLOW,
                                 client_disconnect_reason(CLIENT_DISCONNECT_SLOW), true);
        return;
    }
    connection_make_ready(edge, conn);
    if (conn->state == CONNECTION_ECHO && conn->outq.bytes >= ECHO_OUTPUT_BYTES_HIGH) {
        conn->flags |= CONNECTION_PAUSED;
    }
}

uint8_t *frames_take(struct edge *edge, struct connection *conn, uint8_t *at, uint8_t *end)
{
    while (at < end && (conn->flags & CONNECTION_PAUSED) == 0) {
        struct websocket_event event;
        const enum websocket_result result = websocket_decode(&conn->decoder, &at, end, &event);
        const bool is_closing = conn->state == CONNECTION_CLOSING;
        switch (result) {
        case WEBSOCKET_NEED_MORE:
            return at;
        case WEBSOCKET_DATA:
            if (!is_closing) {
                frames_on_data(edge, conn, &event);
            }
            break;
        case WEBSOCKET_PING:
            if (!is_closing) {
                frames_on_ping(edge, conn, event.payload);
            }
            break;
        case WEBSOCKET_PONG:
            if (conn->state == CONNECTION_SESSION) {
                session_on_pong_frame(edge, conn->session);
            }
            break;
        case WEBSOCKET_CLOSE:
            frames_on_close(edge, conn, &event);
            return end;
        case WEBSOCKET_ERROR:
            conn->flags |= CONNECTION_FAILED;
            frames_fail(edge, conn, event.close_code, websocket_error_text(event.error));
            connection_make_ready(edge, conn);
            return end;
        }
        if (conn->state == CONNECTION_CLOSED) {
            return end;
        }
        if (!is_closing && conn->state == CONNECTION_CLOSING) {
            return at;
        }
    }
    return at;
}
