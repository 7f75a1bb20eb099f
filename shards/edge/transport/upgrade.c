/* SPDX-License-Identifier: Apache-2.0 */
/* The opening handshake of WebSocket (RFC 6455 section 4.2), with origins, subprotocols and
 * deflate. */
#include "shards/edge/transport/upgrade.h"

#include "shards/edge/transport/admission.h"
#include "shards/edge/transport/http.h"
#include "shards/edge/backends/proxy.h"
#include "shards/edge/session/session.h"

enum { HANDSHAKE_MAX = 512 };

static void refuse(struct edge *edge, struct connection *conn, enum http1_upgrade_result result)
{
    actors_count(edge->actors, COUNTER_REFUSED_UPGRADE_INVALID);
    http_end_keep_alive(conn);
    http_respond(edge, conn,
                 &(struct http_response){.status = http1_upgrade_status(result),
                                         .content_type = "text/plain; charset=utf-8",
                                         .headers =
                                             result == HTTP1_UPGRADE_NOT_GET
                                                 ? SPAN_LITERAL("Allow: GET\r\n")
                                                 : SPAN_LITERAL("Sec-WebSocket-Version: 13\r\n"
                                                                "Upgrade: websocket\r\n"),
                                         .body = span_of_text(http1_upgrade_text(result))});
}

/* The first offer that can be used; false when the header is not even well formed. */
static bool negotiate_deflate(const struct http1_request *request, struct deflate_params *params,
                              bool *accepted)
{
    const struct deflate_config config = {.server_window_bits = DEFLATE_WINDOW_BITS_MAX};
    *accepted = false;
    size_t index = 0;
    struct span value;
    while (http1_next_header(request, "Sec-WebSocket-Extensions", &index, &value)) {
        const enum deflate_negotiation outcome = deflate_negotiate(value, &config, params);
        if (outcome == DEFLATE_MALFORMED) {
            return false;
        }
        if (outcome == DEFLATE_ACCEPTED) {
            *accepted = true;
            return true;
        }
    }
    return true;
}

static bool compresses(const struct node_options *options, enum transport transport)
{
    return transport == TRANSPORT_WEBSOCKET ? options->websocket.compression
                                            : options->transports[transport].compression;
}

static bool query_is(const struct http1_request *request, struct span name, struct span wanted)
{
    uint8_t room[16];
    struct writer value = writer_of(room, sizeof(room));
    return http1_find_query(request->query, name, &value) == HTTP1_QUERY_FOUND &&
           span_equal(writer_written(&value), wanted);
}

/* What the session will speak, and the subprotocol to answer with; empty: none was offered. */
static enum client_protocol choose_protocol(const struct http1_request *request,
                                            struct span *subprotocol)
{
    const struct span offers[CLIENT_PROTOCOLS] = {
        [CLIENT_JSON] = SPAN_LITERAL("centrifuge-json"),
        [CLIENT_PROTOBUF] = SPAN_LITERAL("centrifuge-protobuf"),
    };
    static const char name[] = "Sec-WebSocket-Protocol";
    const struct span protobuf = SPAN_LITERAL("protobuf");
    const bool is_protobuf = http1_header_has_exact_token(request, name, offers[CLIENT_PROTOBUF]) ||
                             query_is(request, SPAN_LITERAL("format"), protobuf) ||
                             query_is(request, SPAN_LITERAL("cf_protocol"), protobuf);
    const enum client_protocol protocol = is_protobuf ? CLIENT_PROTOBUF : CLIENT_JSON;
    *subprotocol = SPAN_EMPTY;
    for (uint32_t i = 0; i < CLIENT_PROTOCOLS; i++) {
        /* The one that is spoken, if both were offered. */
        if (http1_header_has_exact_token(request, name, offers[i]) &&
            (span_is_empty(*subprotocol) || i == protocol)) {
            *subprotocol = offers[i];
        }
    }
    return protocol;
}

static struct span write_handshake(uint8_t room[HANDSHAKE_MAX], const struct http1_upgrade *upgrade,
                                   struct span subprotocol, const struct deflate_params *deflate)
{
    struct writer out = writer_of(room, HANDSHAKE_MAX);
    char accept[WEBSOCKET_ACCEPT_LEN];
    websocket_accept_key(upgrade->key, accept);
    writer_put_literal(&out, "HTTP/1.1 101 Switching Protocols\r\n"
                             "Upgrade: websocket\r\n"
                             "Connection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: ");
    writer_put(&out, span_of(accept, sizeof(accept)));
    writer_put_literal(&out, "\r\n");
    if (!span_is_empty(subprotocol)) {
        (void)!http1_write_header(&out, SPAN_LITERAL("Sec-WebSocket-Protocol"), subprotocol);
    }
    if (deflate != NULL) {
        writer_put_literal(&out, "Sec-WebSocket-Extensions: ");
        deflate_write_answer(&out, deflate);
        writer_put_literal(&out, "\r\n");
    }
    http1_write_head_end(&out);
    BUG_IF(writer_is_overflown(&out));
    return writer_written(&out);
}

static bool begin_session(struct edge *edge, struct connection *conn,
                          const struct http1_request *request, enum client_protocol protocol)
{
    if (protocol == CLIENT_PROTOBUF) {
        conn->flags |= CONNECTION_PROTOBUF;
    }
    if (!session_open(edge, conn, admission_user(edge, request))) {
        return false;
    }
    if (edge->options->proxy_headers_len > 0 && !proxy_keep_headers(edge, conn->session, request)) {
        return false;
    }
    conn->session->has_frame_pings =
        session_is_unidirectional(conn->session) ||
        query_is(request, SPAN_LITERAL("cf_ws_frame_ping_pong"), SPAN_LITERAL("true"));
    return true;
}

/* The bidirectional one may speak Protobuf, the other speaks JSON. */
static void init_decoder(const struct edge *edge, struct connection *conn, enum transport transport)
{
    const uint32_t limit = transport == TRANSPORT_WEBSOCKET
                               ? edge->options->websocket.message_size_limit
                               : edge->options->transports[transport].request_size_limit;
    websocket_decoder_init(&conn->decoder, limit,
                           (conn->flags & CONNECTION_DEFLATE) != 0 ? WEBSOCKET_DEFLATE : 0);
}

void upgrade_to_websocket(struct edge *edge, struct connection *conn,
                          const struct http1_request *request, enum connection_state state,
                          enum transport transport)
{
    struct http1_upgrade upgrade;
    const enum http1_upgrade_result result = http1_check_websocket_upgrade(request, &upgrade);
    if (result != HTTP1_UPGRADE_OK) {
        refuse(edge, conn, result);
        return;
    }
    if (state == CONNECTION_SESSION && !admission_allows_origin(edge, request)) {
        actors_count(edge->actors, COUNTER_REFUSED_ORIGIN);
        http_respond_error(edge, conn, 403, "origin is not in client.allowed_origins");
        return;
    }
    if (state == CONNECTION_SESSION && !admission_takes_client(edge)) {
        admission_refuse(edge, conn, SPAN_EMPTY);
        return;
    }
    struct deflate_params deflate;
    bool is_deflated;
    if (!negotiate_deflate(request, &deflate, &is_deflated)) {
        actors_count(edge->actors, COUNTER_REFUSED_UPGRADE_INVALID);
        http_respond_error(edge, conn, 400, "Sec-WebSocket-Extensions is malformed");
        return;
    }
    uint8_t room[HANDSHAKE_MAX];
    struct span subprotocol = SPAN_EMPTY;
    enum client_protocol protocol = CLIENT_JSON;
    if (transport == TRANSPORT_WEBSOCKET) {
        protocol = choose_protocol(request, &subprotocol);
    }
    is_deflated = is_deflated && compresses(edge->options, transport);
    const struct span answer =
        write_handshake(room, &upgrade, subprotocol, is_deflated ? &deflate : NULL);
    if (!outq_append_bytes(&conn->outq, answer.at, (uint32_t)answer.len, 0)) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        connection_close(edge, conn);
        return;
    }
    http_count_answer(edge, &conn->requested, 101);
    connection_make_ready(edge, conn);
    connection_set_transport(conn, transport);
    if (is_deflated) {
        conn->flags |= CONNECTION_DEFLATE;
        conn->window_bits = deflate.server_window_bits & 0xfu;
    }
    init_decoder(edge, conn, transport);
    if (state == CONNECTION_SESSION && !begin_session(edge, conn, request, protocol)) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        connection_close(edge, conn);
        return;
    }
    connection_enter(edge, conn, state, 0);
}
