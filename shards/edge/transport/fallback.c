/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that become HTTP streams, and what those take of the node's memory. */
#include "shards/edge/transport/fallback.h"

#include <stdlib.h>
#include <string.h>

#include "shards/edge/transport/admission.h"
#include "shards/edge/transport/emulation.h"
#include "shards/edge/backends/proxy.h"
#include "shards/edge/transport/tally.h"
#include "shards/edge/transport/uni.h"

/* ---- memory ---- */

/* Looked up once a turn: what other shards take meanwhile is seen in the next. */
static int64_t bytes_left(struct edge *edge)
{
    if (edge->fallback_left_ns != edge->shard->now_ns) {
        edge->fallback_left_ns = edge->shard->now_ns;
        edge->fallback_left = (int64_t)edge->options->fallback_memory_limit -
                              (int64_t)node_sum(edge->actors->node, COUNTER_FALLBACK_BYTES);
    }
    return edge->fallback_left;
}

static void take_bytes(struct edge *edge, int64_t change)
{
    edge->fallback_left -= change;
    actors_gauge_add(edge->actors, COUNTER_FALLBACK_BYTES, change);
}

void fallback_count_output(struct edge *edge, struct connection *conn)
{
    if (!transport_is_stream(connection_transport(conn)) || conn->fallback == NULL) {
        return;
    }
    const uint32_t queued = conn->outq.bytes;
    const uint32_t beyond = queued > FALLBACK_STREAM_BYTES ? queued - FALLBACK_STREAM_BYTES : 0;
    take_bytes(edge, (int64_t)beyond - (int64_t)conn->fallback->output_bytes);
    conn->fallback->output_bytes = beyond;
}

uint32_t fallback_output_limit(struct edge *edge, const struct connection *conn, uint32_t limit)
{
    if (!transport_is_stream(connection_transport(conn))) {
        return limit;
    }
    const int64_t left = bytes_left(edge);
    const int64_t own =
        (int64_t)FALLBACK_STREAM_BYTES + conn->fallback->output_bytes + (left > 0 ? left : 0);
    return limit == 0 || own < limit ? (uint32_t)(own < UINT32_MAX / 2 ? own : UINT32_MAX / 2)
                                     : limit;
}

void fallback_free(struct edge *edge, struct connection *conn)
{
    if (conn->fallback != NULL) {
        take_bytes(edge, -(int64_t)FALLBACK_STREAM_BYTES - conn->fallback->output_bytes);
        free(conn->fallback);
        conn->fallback = NULL;
    }
}

/* ---- refusals ---- */

static void respond(struct edge *edge, struct connection *conn, const struct http1_request *request,
                    unsigned status, const char *text)
{
    uint8_t room[CORS_LEN_MAX];
    actors_count(edge->actors, COUNTER_REFUSED_BODY_INVALID);
    http_end_keep_alive(conn);
    http_respond(edge, conn,
                 &(struct http_response){.status = status,
                                         .content_type = "text/plain; charset=utf-8",
                                         .headers = admission_cors(edge, request, room),
                                         .body = span_of_text(text)});
}

/* False: it has been refused. */
static bool admit(struct edge *edge, struct connection *conn, const struct http1_request *request)
{
    bool is_taken = admission_takes_client(edge);
    if (is_taken && bytes_left(edge) < FALLBACK_STREAM_BYTES) {
        actors_count(edge->actors, COUNTER_REFUSED_FALLBACK_MEMORY);
        is_taken = false;
    }
    if (!is_taken) {
        uint8_t room[CORS_LEN_MAX];
        admission_refuse(edge, conn, admission_cors(edge, request, room));
    }
    return is_taken;
}

/* ---- the stream ---- */

static const char *content_type_of(enum transport transport, enum client_protocol protocol)
{
    if (transport == TRANSPORT_SSE || transport == TRANSPORT_UNI_SSE) {
        return "text/event-stream; charset=utf-8";
    }
    return protocol == CLIENT_PROTOBUF ? "application/octet-stream" : "application/json";
}

/* Neither caches nor proxies may keep anything back; and there is no length, so that the body ends
 * with the connection. */
static bool put_head(struct edge *edge, struct connection *conn, uint16_t *requested,
                     struct span cors)
{
    uint8_t room[CORS_LEN_MAX + 1024];
    const enum transport transport = connection_transport(conn);
    struct writer head = writer_of(room, sizeof(room));
    http_count_answer(edge, requested, 200);
    http1_write_status(&head, 200);
    (void)!http1_write_header(&head, SPAN_LITERAL("Content-Type"),
                              span_of_text(content_type_of(transport, connection_protocol(conn))));
    writer_put_literal(&head, "Cache-Control: private, no-cache, no-store, must-revalidate, "
                              "max-age=0\r\n"
                              "Pragma: no-cache\r\n"
                              "Expire: 0\r\n"
                              "X-Accel-Buffering: no\r\n"
                              "X-Content-Type-Options: nosniff\r\n"
                              "Connection: close\r\n");
    writer_put(&head, cors);
    http1_write_head_end(&head);
    BUG_IF(writer_is_overflown(&head));
    const struct span text = writer_written(&head);
    return outq_append_bytes(&conn->outq, text.at, (uint32_t)text.len, 0);
}

/* And answers, unless the answer is to tell how connect ended. */
static bool make_fallback(struct edge *edge, struct connection *conn,
                          const struct http1_request *request, enum transport transport)
{
    uint8_t room[CORS_LEN_MAX];
    const struct span cors = admission_cors(edge, request, room);
    const bool waits = edge->options->transports[transport].has_connect_responses;
    connection_set_transport(conn, transport);
    conn->fallback = calloc(1, sizeof(*conn->fallback) + (waits ? cors.len : 0));
    if (conn->fallback == NULL) {
        return false;
    }
    take_bytes(edge, FALLBACK_STREAM_BYTES);
    if (!waits) {
        return put_head(edge, conn, &conn->requested, cors);
    }
    conn->fallback->awaits_connect = true;
    conn->fallback->requested = conn->requested;
    conn->fallback->cors_len = (uint32_t)cors.len;
    if (cors.len > 0) {
        memcpy(conn->fallback->cors, cors.at, cors.len);
    }
    return true;
}

/* Of a session that is fresh: it may be the last one to be named. */
static bool make_session(struct edge *edge, struct connection *conn,
                         const struct http1_request *request)
{
    if (!session_open(edge, conn, admission_user(edge, request))) {
        return false;
    }
    /* From here on the session ends with its connection. */
    struct session *session = conn->session;
    conn->fallback->session = session;
    connection_enter(edge, conn, CONNECTION_SESSION, 0);
    if (edge->options->proxy_headers_len > 0 && !proxy_keep_headers(edge, session, request)) {
        return false;
    }
    return !transport_shapes[connection_transport(conn)].is_emulated ||
           emulation_enter(edge, session);
}

static void open_stream(struct edge *edge, struct connection *conn,
                        const struct http1_request *request, enum transport transport,
                        struct span asked)
{
    struct span type;
    if (transport == TRANSPORT_HTTP_STREAM && http1_find_header(request, "Content-Type", &type) &&
        span_equal_ignore_case(type, SPAN_LITERAL("application/octet-stream"))) {
        conn->flags |= CONNECTION_PROTOBUF;
    }
    if (!make_fallback(edge, conn, request, transport) || !make_session(edge, conn, request)) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        connection_close(edge, conn);
        return;
    }
    connection_make_ready(edge, conn);
    if (transport_shapes[transport].is_unidirectional) {
        uni_connect(edge, conn->session, asked);
    } else {
        session_on_frame(edge, conn->session, asked);
    }
}

/* ---- what waits for the outcome of connect ---- */

static struct span cors_of(const struct connection *conn)
{
    return span_of(conn->fallback->cors, conn->fallback->cors_len);
}

static bool awaits_connect(const struct connection *conn)
{
    return transport_is_stream(connection_transport(conn)) && conn->fallback->awaits_connect;
}

bool fallback_on_connected(struct edge *edge, struct connection *conn)
{
    if (!awaits_connect(conn)) {
        return true;
    }
    conn->fallback->awaits_connect = false;
    return put_head(edge, conn, &conn->fallback->requested, cors_of(conn));
}

/* `text`: the reason or the message that belongs to the code. */
static void respond_instead(struct edge *edge, struct connection *conn, uint32_t code,
                            struct span text)
{
    const struct transport_options *options =
        &edge->options->transports[connection_transport(conn)];
    struct http_response response = {.status = 500,
                                     .content_type = "text/plain; charset=utf-8",
                                     .headers = cors_of(conn),
                                     .body = SPAN_LITERAL("Internal Server Error")};
    for (size_t i = 0; i < options->connect_responses_len; i++) {
        const struct connect_response *other = &options->connect_responses[i];
        if (other->code == code) {
            response.status = other->status;
            response.body = other->body[0] == '\0' ? text : span_of_text(other->body);
            break;
        }
    }
    conn->fallback->awaits_connect = false;
    http_count_answer(edge, &conn->fallback->requested, response.status);
    if (http_put_response(conn, &response, false)) {
        connection_begin_closing(edge, conn);
    } else {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        connection_close(edge, conn);
    }
}

bool fallback_refuse(struct edge *edge, struct connection *conn, uint32_t error,
                     struct span message)
{
    if (!awaits_connect(conn)) {
        return false;
    }
    respond_instead(edge, conn, error, message);
    return true;
}

void fallback_end(struct edge *edge, struct connection *conn, uint32_t code, struct span reason,
                  bool drop)
{
    if (conn->state == CONNECTION_CLOSED || conn->state == CONNECTION_CLOSING) {
        return;
    }
    actors_count(edge->actors, counter_of_disconnect(code));
    if (awaits_connect(conn)) {
        respond_instead(edge, conn, code, reason);
        return;
    }
    const enum transport transport = connection_transport(conn);
    const enum client_protocol protocol = connection_protocol(conn);
    uint8_t room[DISCONNECT_PUSH_LEN_MAX];
    uint8_t framed[DISCONNECT_PUSH_LEN_MAX + 16];
    const struct span push = uni_disconnect_push(protocol, code, reason, room);
    const uint8_t *end = transport_put(transport, protocol, push, framed);
    tally_sent(edge, transport, FRAME_PUSH_DISCONNECT, 1, push.len);
    if ((drop && !outq_drop_unsent(&conn->outq)) ||
        !outq_append_bytes(&conn->outq, framed, (uint32_t)(end - framed), 0)) {
        connection_close(edge, conn);
        return;
    }
    fallback_count_output(edge, conn);
    connection_begin_closing(edge, conn);
}

/* ---- requests ---- */

static void begin_by_query(struct edge *edge, struct connection *conn,
                           const struct http1_request *request, enum transport transport)
{
    const bool is_unidirectional = transport_shapes[transport].is_unidirectional;
    struct uni_query query;
    if (!uni_read_query(edge, conn, request->query, &query)) {
        return;
    }
    if (query.is_broken || (!is_unidirectional && span_is_empty(query.connect)) ||
        (is_unidirectional && !uni_check_request(&query.connect))) {
        respond(edge, conn, request, 400, "cf_connect does not say how to connect");
    } else if (admit(edge, conn, request)) {
        open_stream(edge, conn, request, transport, query.connect);
    }
    free(query.room);
}

void fallback_begin(struct edge *edge, struct connection *conn, const struct http1_request *request,
                    enum transport transport)
{
    const struct transport_options *options = &edge->options->transports[transport];
    const bool is_sse = transport == TRANSPORT_SSE || transport == TRANSPORT_UNI_SSE;
    if (!is_sse && request->method == HTTP1_OPTIONS) {
        http_respond_preflight(edge, conn, request);
    } else if (is_sse && request->method == HTTP1_GET) {
        begin_by_query(edge, conn, request, transport);
    } else if (request->method != HTTP1_POST) {
        http_respond_method_not_allowed(edge, conn, is_sse ? "GET, POST" : "POST, OPTIONS");
    } else if (request->content_length > options->request_size_limit) {
        respond(edge, conn, request, 413, "the body is larger than max_request_body_size");
    } else if (admit(edge, conn, request)) {
        http_begin_body(edge, conn, request,
                        &(struct http_body){.kind = BODY_STREAM,
                                            .detail = transport,
                                            .len_max = options->request_size_limit});
    }
}

void fallback_on_body(struct edge *edge, struct connection *conn, enum transport transport,
                      struct span body)
{
    struct http1_request request;
    struct bytes head;
    http_take_kept_head(edge, conn, &head, &request);
    struct span asked = body;
    if (edge->stop_seen) {
        actors_count(edge->actors, COUNTER_REFUSED_SHUTTING_DOWN);
        admission_refuse(edge, conn, SPAN_EMPTY);
    } else if (transport_shapes[transport].is_unidirectional &&
               (span_is_empty(body) || !uni_check_request(&asked))) {
        respond(edge, conn, &request, 400, "the body is no ConnectRequest");
    } else {
        open_stream(edge, conn, &request, transport, asked);
    }
    free(head.at);
}
