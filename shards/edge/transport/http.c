/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP on a connection: heads are routed, bodies are put together, responses are queued. */
#include "shards/edge/transport/http.h"

#include <stdlib.h>
#include <string.h>

#include "shards/edge/transport/admission.h"
#include "shards/edge/api/api.h"
#include "shards/edge/api/api_keys.h"
#include "shards/edge/transport/emulation.h"
#include "shards/edge/health.h"
#include "shards/edge/metrics.h"
#include "shards/edge/transport/route.h"
#include "shards/edge/transport/uni.h"
#include "shards/edge/transport/upgrade.h"

/* Room for a response's head; headers of ours are short. */
enum { RESPONSE_HEAD_MAX = 2048 };

/* ---- responses ---- */

static_assert(HTTP_PATHS * HTTP_METHODS < UINT16_MAX, "a request is a number, 0 is none");

void http_count_answer(struct edge *edge, uint16_t *requested, unsigned status)
{
    if (*requested != 0) {
        const uint32_t path = (*requested - 1u) / HTTP_METHODS;
        const enum http1_method method = (enum http1_method)((*requested - 1u) % HTTP_METHODS);
        *requested = 0;
        actors_count(edge->actors, COUNTER_OF(HTTP_REQUEST, path, http_answer_of(method, status)));
    }
}

bool http_put_response(struct connection *conn, const struct http_response *response, bool keeps)
{
    uint8_t room[RESPONSE_HEAD_MAX];
    struct writer head = writer_of(room, sizeof(room));
    http1_write_status(&head, response->status);
    if (response->content_type != NULL) {
        (void)!http1_write_header(&head, SPAN_LITERAL("Content-Type"),
                                  span_of_text(response->content_type));
    }
    writer_put(&head, response->headers);
    if (response->status != 204) {
        http1_write_content_length(&head, response->body.len);
    }
    if (!keeps) {
        http1_write_header_literal(&head, "Connection", "close");
    }
    http1_write_head_end(&head);
    BUG_IF(writer_is_overflown(&head));
    const struct span text = writer_written(&head);
    const bool has_body = (conn->flags & CONNECTION_IS_HEAD) == 0;
    return response->body.len <= UINT32_MAX / 2 &&
           outq_append_bytes(&conn->outq, text.at, (uint32_t)text.len, 0) &&
           (!has_body ||
            outq_append_bytes(&conn->outq, response->body.at, (uint32_t)response->body.len, 0));
}

void http_respond(struct edge *edge, struct connection *conn, const struct http_response *response)
{
    const bool keeps = (conn->flags & CONNECTION_KEEP_ALIVE) != 0 && !edge->stop_seen;
    http_count_answer(edge, &conn->requested, response->status);
    if (!http_put_response(conn, response, keeps)) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        connection_close(edge, conn);
        return;
    }
    conn->call = POOL_HANDLE_NONE;
    if (!keeps) {
        connection_begin_closing(edge, conn);
        return;
    }
    if (conn->state == CONNECTION_HTTP_CALL) {
        conn->flags |= CONNECTION_READABLE;
    }
    connection_enter(edge, conn, CONNECTION_HTTP_HEAD, HTTP_IDLE_MS_MAX);
    /* The next request is taken when this response has gone: whoever does not read, pins one. */
    conn->flags |= CONNECTION_PAUSED;
    connection_make_ready(edge, conn);
}

void http_end_keep_alive(struct connection *conn)
{
    conn->flags &= (uint16_t)~CONNECTION_KEEP_ALIVE;
}

void http_respond_error(struct edge *edge, struct connection *conn, unsigned status,
                        const char *text)
{
    http_end_keep_alive(conn);
    http_respond(edge, conn,
                 &(struct http_response){.status = status,
                                         .content_type = "text/plain; charset=utf-8",
                                         .body = span_of_text(text)});
}

void http_respond_written(struct edge *edge, struct connection *conn, const char *content_type,
                          edge_encode_function *encode, const void *what)
{
    uint8_t *larger;
    const struct span body = edge_encode(edge, encode, what, &larger);
    if (body.at == NULL) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        http_respond_error(edge, conn, 503, "out of memory");
        return;
    }
    http_respond(edge, conn,
                 &(struct http_response){.status = 200,
                                         .content_type = content_type,
                                         .headers = SPAN_LITERAL("Cache-Control: no-store\r\n"),
                                         .body = body});
    free(larger);
}

/* ---- handlers that answer at once ---- */

static void write_metrics(struct writer *out, const void *what)
{
    const struct edge *edge = what;
    metrics_write_prometheus(out, edge->actors->node, edge->shard->wall_ms);
}

static void write_shards(struct writer *out, const void *what)
{
    const struct edge *edge = what;
    metrics_write_shards(out, edge->actors->node);
}

static void http_respond_file(struct edge *edge, struct connection *conn,
                              const struct web_file *file)
{
    http_respond(edge, conn,
                 &(struct http_response){
                     .status = 200,
                     .content_type = file->content_type,
                     .headers =
                         SPAN_LITERAL("Cache-Control: no-cache\r\n"
                                      "Content-Security-Policy: default-src 'self'; connect-src "
                                      "'self' ws: wss:; img-src 'self' data:; base-uri 'none'; "
                                      "frame-ancestors 'none'; form-action 'self'\r\n"
                                      "X-Content-Type-Options: nosniff\r\n"
                                      "Referrer-Policy: no-referrer\r\n"),
                     .body = span_of(file->bytes, file->len)});
}

void http_respond_method_not_allowed(struct edge *edge, struct connection *conn, const char *allow)
{
    uint8_t room[64];
    struct writer header = writer_of(room, sizeof(room));
    (void)!http1_write_header(&header, SPAN_LITERAL("Allow"), span_of_text(allow));
    http_end_keep_alive(conn);
    http_respond(edge, conn,
                 &(struct http_response){.status = 405,
                                         .content_type = "text/plain; charset=utf-8",
                                         .headers = writer_written(&header),
                                         .body = SPAN_LITERAL("method not allowed")});
}

void http_respond_preflight(struct edge *edge, struct connection *conn,
                            const struct http1_request *request)
{
    uint8_t room[CORS_LEN_MAX];
    uint8_t headers_room[CORS_LEN_MAX + 128];
    struct writer headers = writer_of(headers_room, sizeof(headers_room));
    writer_put_literal(&headers, "Access-Control-Max-Age: 300\r\n"
                                 "Access-Control-Allow-Methods: POST, OPTIONS\r\n");
    writer_put(&headers, admission_cors(edge, request, room));
    if (request->is_chunked || request->content_length > 0) {
        http_end_keep_alive(conn);
    }
    http_respond(edge, conn,
                 &(struct http_response){.status = 204, .headers = writer_written(&headers)});
}

void http_begin_body(struct edge *edge, struct connection *conn,
                     const struct http1_request *request, const struct http_body *body)
{
    struct receive *receive = receive_of(edge, conn);
    if (receive == NULL) {
        return;
    }
    if (body->kind != BODY_API) {
        /* The method is where the head begins. */
        receive_move(edge, conn, RECEIVE_FALLBACK);
        if (!receive_append(edge, conn, &receive->head, request->method_name.at,
                            request->head_len)) {
            return;
        }
    }
    receive->body_kind = (uint8_t)body->kind;
    receive->route_detail = body->detail;
    receive->is_chunked = request->is_chunked;
    receive->body_left = request->content_length;
    http1_chunked_init(&receive->chunked, body->len_max);
    connection_enter(edge, conn, CONNECTION_HTTP_BODY, BODY_MS_MAX);
    if (request->expect_continue) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        if (!outq_append_bytes(&conn->outq, go_on, sizeof(go_on) - 1, 0)) {
            connection_close(edge, conn);
            return;
        }
        connection_make_ready(edge, conn);
    }
    if (!receive->is_chunked && receive->body_left == 0) {
        (void)http_take_body(edge, conn, NULL, NULL);
    }
}

void http_take_kept_head(struct edge *edge, struct connection *conn, struct bytes *head,
                         struct http1_request *request)
{
    struct http1_progress progress = {0};
    *head = receive_take(edge, conn, &conn->receive->head);
    BUG_IF(http1_parse_request(span_of(head->at, head->len), &progress, request) != HTTP1_DONE);
}

/* ---- routing ---- */

/* The head of an API call is judged before a byte of its body is taken. */
static void http_begin_api(struct edge *edge, struct connection *conn,
                           const struct http1_request *request, struct span method_name)
{
    const struct node_options *options = edge->options;
    if (request->method != HTTP1_POST) {
        http_respond_method_not_allowed(edge, conn, "POST");
        return;
    }
    uint16_t key;
    if (!api_keys_find(&options->http_api, request, &key)) {
        actors_count(edge->actors, COUNTER_REFUSED_API_KEY);
        http_respond_error(edge, conn, 401, "unauthorized");
        return;
    }
    /* Without one the methods are in the body, a command a line. */
    const enum api_method method = api_method_of(method_name);
    if (method == API_METHOD_COUNT && !span_is_empty(method_name)) {
        actors_count(edge->actors, COUNTER_API_UNKNOWN);
        http_respond_error(edge, conn, 404, "there is no such API method");
        return;
    }
    const uint32_t limit = options->http_api.max_request_body_size;
    if (request->content_length > limit) {
        actors_count(edge->actors, COUNTER_REFUSED_BODY_INVALID);
        http_respond_error(edge, conn, 413,
                           "the body is larger than http_api.max_request_body_size");
        return;
    }
    struct receive *receive = receive_of(edge, conn);
    if (receive == NULL) {
        return;
    }
    receive->api_key = key;
    receive->is_error_by_transport = api_wants_transport_errors(options, request);
    http_begin_body(edge, conn, request,
                    &(struct http_body){.kind = BODY_API, .detail = method, .len_max = limit});
}

/* The demo page may know of the nodes what the API tells its callers. */
static void http_begin_nodes(struct edge *edge, struct connection *conn)
{
    struct receive *receive = receive_of(edge, conn);
    if (receive == NULL) {
        return;
    }
    receive->body_kind = BODY_API;
    receive->route_detail = API_METHOD_INFO;
    receive->api_key = API_KEY_ALL;
    receive->is_error_by_transport = true;
    receive->is_chunked = false;
    receive->body_left = 0;
    connection_enter(edge, conn, CONNECTION_HTTP_BODY, BODY_MS_MAX);
    (void)http_take_body(edge, conn, NULL, NULL);
}

static void http_begin_transport(struct edge *edge, struct connection *conn,
                                 const struct http1_request *request)
{
    const enum transport transport = route_transport(edge->options, request->path);
    if (transport == TRANSPORT_UNI_WEBSOCKET) {
        uni_upgrade(edge, conn, request);
    } else {
        fallback_begin(edge, conn, request, transport);
    }
}

/* For load balancers, and for clients that want cookies before they connect. */
static void http_respond_init(struct edge *edge, struct connection *conn,
                              const struct http1_request *request)
{
    uint8_t room[CORS_LEN_MAX];
    http_respond(edge, conn,
                 &(struct http_response){.status = 200,
                                         .content_type = "application/json; charset=utf-8",
                                         .headers = admission_cors(edge, request, room),
                                         .body = SPAN_LITERAL("{}")});
}

static void http_route(struct edge *edge, struct connection *conn,
                       const struct http1_request *request)
{
    struct span api_method = SPAN_EMPTY;
    const bool is_internal = (conn->flags & CONNECTION_INTERNAL) != 0;
    const enum route route = route_of(edge->options, request->path, is_internal, &api_method);
    const enum http_path path = route_path(edge->options, request, route, api_method);
    conn->requested = (uint16_t)(1 + (uint32_t)path * HTTP_METHODS + (uint32_t)request->method);
    if (route == ROUTE_TRANSPORT) {
        http_begin_transport(edge, conn, request);
        return;
    }
    if (route == ROUTE_WEBSOCKET || route == ROUTE_ECHO) {
        upgrade_to_websocket(edge, conn, request,
                             route == ROUTE_ECHO ? CONNECTION_ECHO : CONNECTION_SESSION,
                             TRANSPORT_WEBSOCKET);
        return;
    }
    if (route == ROUTE_EMULATION) {
        emulation_begin(edge, conn, request);
        return;
    }
    if (route == ROUTE_API) {
        http_begin_api(edge, conn, request, api_method);
        return;
    }
    /* The rest takes no body: a request that brings one is the connection's last. */
    if (request->is_chunked || request->content_length > 0) {
        http_end_keep_alive(conn);
    }
    if (route == ROUTE_NONE) {
        actors_count(edge->actors, COUNTER_REFUSED_NOT_FOUND);
        http_respond(edge, conn,
                     &(struct http_response){.status = 404,
                                             .content_type = "text/plain; charset=utf-8",
                                             .body = SPAN_LITERAL("not found")});
        return;
    }
    if (request->method != HTTP1_GET && request->method != HTTP1_HEAD) {
        http_respond_method_not_allowed(edge, conn, "GET, HEAD");
        return;
    }
    if (route == ROUTE_INIT) {
        http_respond_init(edge, conn, request);
    } else if (route == ROUTE_HEALTH) {
        health_begin(edge, conn);
    } else if (route == ROUTE_METRICS) {
        http_respond_written(edge, conn, "text/plain; version=0.0.4; charset=utf-8", write_metrics,
                             edge);
    } else if (route == ROUTE_NODES) {
        http_begin_nodes(edge, conn);
    } else if (route == ROUTE_SHARDS) {
        http_respond_written(edge, conn, "application/json", write_shards, edge);
    } else {
        http_respond_file(edge, conn, route_web_file(edge->options, request->path));
    }
}

uint8_t *http_take_head(struct edge *edge, struct connection *conn, uint8_t *at, uint8_t *end)
{
    struct http1_progress fresh = {0};
    struct http1_progress *progress = conn->receive == NULL ? &fresh : &conn->receive->progress;
    const bool is_first_piece = progress->scanned == 0;
    struct http1_request request;
    const struct span in = span_between(at, end);
    const enum http1_result result = http1_parse_request(in, progress, &request);
    if (result == HTTP1_NEED_MORE) {
        struct receive *receive = receive_of(edge, conn);
        if (receive == NULL) {
            return end;
        }
        if (progress == &fresh) {
            receive->progress = fresh;
        }
        if (is_first_piece) {
            /* From now on the head's time runs. */
            connection_enter(edge, conn, CONNECTION_HTTP_HEAD, HEAD_MS_MAX);
        }
        return at;
    }
    *progress = (struct http1_progress){0};
    if (result != HTTP1_DONE) {
        actors_count(edge->actors, COUNTER_REFUSED_HEAD_INVALID);
        conn->requested = 0;
        conn->flags |= CONNECTION_FAILED;
        conn->flags &= (uint16_t)~CONNECTION_IS_HEAD; /* That was the request before. */
        http_respond_error(edge, conn, http1_result_status(result), http1_result_text(result));
        return end;
    }
    conn->flags &= (uint16_t) ~(CONNECTION_KEEP_ALIVE | CONNECTION_IS_HEAD);
    conn->flags |= request.keep_alive ? CONNECTION_KEEP_ALIVE : 0;
    conn->flags |= request.method == HTTP1_HEAD ? CONNECTION_IS_HEAD : 0;
    http_route(edge, conn, &request);
    return at + request.head_len;
}

/* ---- bodies ---- */

static void http_body_is_complete(struct edge *edge, struct connection *conn)
{
    struct receive *receive = conn->receive;
    const struct bytes body = receive_take(edge, conn, &receive->message);
    const struct span text = span_of(body.at, body.len);
    const uint32_t detail = receive->route_detail;
    switch ((enum body_kind)receive->body_kind) {
    case BODY_API:
        connection_enter(edge, conn, CONNECTION_HTTP_CALL, 0);
        api_call(edge, conn,
                 &(struct api_request){.method = (enum api_method)detail,
                                       .error_by_transport = receive->is_error_by_transport,
                                       .key = receive->api_key,
                                       .body = text});
        break;
    case BODY_STREAM:
        fallback_on_body(edge, conn, (enum transport)detail, text);
        break;
    case BODY_EMULATION:
        emulation_on_body(edge, conn, (enum client_protocol)detail, text);
        break;
    }
    free(body.at);
}

static uint8_t *http_take_chunked(struct edge *edge, struct connection *conn, uint8_t *at,
                                  uint8_t *end)
{
    struct receive *receive = conn->receive;
    struct span in = span_between(at, end);
    while (true) {
        struct span data;
        const enum http1_chunked_result result =
            http1_chunked_decode(&receive->chunked, &in, &data);
        if (result == HTTP1_CHUNKED_NEED_MORE) {
            return end;
        }
        if (result == HTTP1_CHUNKED_DATA) {
            if (!receive_append(edge, conn, &receive->message, data.at, data.len)) {
                return end;
            }
            continue;
        }
        if (result == HTTP1_CHUNKED_DONE) {
            http_body_is_complete(edge, conn);
            return end - in.len;
        }
        actors_count(edge->actors, COUNTER_REFUSED_BODY_INVALID);
        http_respond_error(edge, conn, http1_chunked_status(result), http1_chunked_text(result));
        return end;
    }
}

uint8_t *http_take_body(struct edge *edge, struct connection *conn, uint8_t *at, uint8_t *end)
{
    struct receive *receive = conn->receive;
    if (receive->is_chunked) {
        return http_take_chunked(edge, conn, at, end);
    }
    const size_t there = at == end ? 0 : (size_t)(end - at);
    const size_t taken = there < receive->body_left ? there : (size_t)receive->body_left;
    if (!receive_append(edge, conn, &receive->message, at, taken)) {
        return end;
    }
    receive->body_left -= taken;
    if (receive->body_left == 0) {
        http_body_is_complete(edge, conn);
    }
    return taken == 0 ? at : at + taken;
}
