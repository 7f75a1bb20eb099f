/* SPDX-License-Identifier: Apache-2.0 */
/* The opening handshake of WebSocket (RFC 6455 section 4.2), with origins, subprotocols and
 * deflate. */
#include "shards/edge/upgrade.h"

#include "shards/edge/auth.h"
#include "shards/edge/http.h"
#include "shards/edge/session.h"

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

static bool is_same_host(struct span origin, struct span host)
{
    const size_t scheme_len = span_starts_with(origin, SPAN_LITERAL("https://"))  ? 8
                              : span_starts_with(origin, SPAN_LITERAL("http://")) ? 7
                                                                                  : 0;
    return scheme_len > 0 && span_equal_ignore_case(span_skip(origin, scheme_len), host);
}

/* The rate limit is the node's; each shard has its part, refilled by time, at most a second's
 * worth. In thousandths, so that peers that come often do not cost the parts of a token. */
static bool takes_token(struct edge *edge)
{
    const uint32_t rate = edge->options->client.connection_rate_limit;
    if (rate == 0) {
        return true;
    }
    const uint64_t part = ((uint64_t)rate + edge->options->shards - 1) / edge->options->shards;
    const uint64_t passed_ms = edge->shard->now_ms - edge->admission_refilled_ms;
    const uint64_t tokens = edge->admission_millitokens + passed_ms * part;
    edge->admission_millitokens = tokens < part * 1000 ? tokens : part * 1000;
    edge->admission_refilled_ms = edge->shard->now_ms;
    if (edge->admission_millitokens < 1000) {
        return false;
    }
    edge->admission_millitokens -= 1000;
    return true;
}

/* Why a new client is not taken, or COUNTERS_LEN. The operator's and the backend's requests are not
 * clients: a full node still answers them. */
static enum counter find_refusal(struct edge *edge)
{
    const uint32_t limit = edge->options->client.connection_limit;
    if (edge->stop_seen) {
        return COUNTER_REFUSED_SHUTTING_DOWN;
    }
    if (limit > 0 && node_sum(edge->actors->node, COUNTER_NUM_SESSIONS) >= limit) {
        return COUNTER_REFUSED_CONNECTION_LIMIT;
    }
    return takes_token(edge) ? COUNTERS_LEN : COUNTER_REFUSED_CONNECTION_RATE;
}

static void respond_unavailable(struct edge *edge, struct connection *conn)
{
    http_end_keep_alive(conn);
    http_respond(edge, conn,
                 &(struct http_response){.status = 503,
                                         .content_type = "text/plain; charset=utf-8",
                                         .headers = SPAN_LITERAL("Retry-After: 1\r\n"),
                                         .body =
                                             SPAN_LITERAL("no more connections are taken now")});
}

/* Requests without an Origin do not come from a browser. The page that this node itself serves may
 * always connect. */
static bool origin_is_allowed(const struct edge *edge, const struct http1_request *request,
                              const struct http1_upgrade *upgrade)
{
    if (!upgrade->has_origin || auth_origin_is_allowed(&edge->options->client, upgrade->origin)) {
        return true;
    }
    return edge->options->web_files_len > 0 && is_same_host(upgrade->origin, request->host);
}

/* The first offer that can be used; false when the header is not even well formed. */
static bool negotiate_deflate(const struct edge *edge, const struct http1_request *request,
                              struct deflate_params *params, bool *accepted)
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
            *accepted = edge->options->websocket.compression;
            return true;
        }
    }
    return true;
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

static struct span user_header_of(const struct edge *edge, const struct http1_request *request)
{
    struct span user = SPAN_EMPTY;
    const char *name = edge->options->client.user_id_http_header;
    if (name[0] != '\0') {
        (void)!http1_find_header(request, name, &user);
    }
    return user;
}

static bool begin_session(struct edge *edge, struct connection *conn,
                          const struct http1_request *request, enum client_protocol protocol)
{
    if (protocol == CLIENT_PROTOBUF) {
        conn->flags |= CONNECTION_PROTOBUF;
    }
    if (!session_open(edge, conn, user_header_of(edge, request))) {
        return false;
    }
    conn->session->has_frame_pings =
        query_is(request, SPAN_LITERAL("cf_ws_frame_ping_pong"), SPAN_LITERAL("true"));
    return true;
}

void upgrade_to_websocket(struct edge *edge, struct connection *conn,
                          const struct http1_request *request, enum connection_state state)
{
    struct http1_upgrade upgrade;
    const enum http1_upgrade_result result = http1_check_websocket_upgrade(request, &upgrade);
    if (result != HTTP1_UPGRADE_OK) {
        refuse(edge, conn, result);
        return;
    }
    if (state == CONNECTION_SESSION && !origin_is_allowed(edge, request, &upgrade)) {
        actors_count(edge->actors, COUNTER_REFUSED_ORIGIN);
        http_respond_error(edge, conn, 403, "origin is not in client.allowed_origins");
        return;
    }
    const enum counter refusal = state == CONNECTION_SESSION ? find_refusal(edge) : COUNTERS_LEN;
    if (refusal != COUNTERS_LEN) {
        actors_count(edge->actors, refusal);
        respond_unavailable(edge, conn);
        return;
    }
    struct deflate_params deflate;
    bool is_deflated;
    if (!negotiate_deflate(edge, request, &deflate, &is_deflated)) {
        actors_count(edge->actors, COUNTER_REFUSED_UPGRADE_INVALID);
        http_respond_error(edge, conn, 400, "Sec-WebSocket-Extensions is malformed");
        return;
    }
    uint8_t room[HANDSHAKE_MAX];
    struct span subprotocol;
    const enum client_protocol protocol = choose_protocol(request, &subprotocol);
    const struct span answer =
        write_handshake(room, &upgrade, subprotocol, is_deflated ? &deflate : NULL);
    if (!outq_append_bytes(&conn->outq, answer.at, (uint32_t)answer.len, 0)) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        connection_close(edge, conn);
        return;
    }
    connection_make_ready(edge, conn);
    websocket_decoder_init(&conn->decoder, edge->options->websocket.message_size_limit,
                           is_deflated ? WEBSOCKET_DEFLATE : 0);
    if (is_deflated) {
        conn->flags |= CONNECTION_DEFLATE;
        conn->window_bits = deflate.server_window_bits;
    }
    if (state == CONNECTION_SESSION && !begin_session(edge, conn, request, protocol)) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        connection_close(edge, conn);
        return;
    }
    connection_enter(edge, conn, state, 0);
}
