/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about sessions to backends, and what their answers mean. */
#include "shards/edge/backends/proxy.h"

#include <stdlib.h>
#include <string.h>

#include "shards/edge/session/grants.h"
#include "shards/edge/session/rates.h"
#include "shards/edge/transport/transports.h"
#include "shards/edge/transport/uni.h"

enum {
    /* A refresh that failed is not the client's fault: how long it may stay. */
    REFRESH_EXTENSION_S = 60,
    HEADERS_LEN_MAX = HTTP1_HEAD_LEN_MAX,
};

/* One request about a session, until its answer is made use of. */
struct proxy_call {
    struct session *session;
    const struct proxy_options *options;
    struct buf *channel; /* Of a subscription's refresh. */
    uint8_t *text;       /* Of the answer. */
    size_t len;
    uint64_t started_ns;
    uint32_t next; /* Of the session. */
    uint32_t handle;
    uint32_t request; /* POOL_HANDLE_NONE: answered. */
    uint32_t command_id;
    uint32_t status;
    uint8_t kind;
    uint8_t use; /* Its number in edge->proxy_uses. */
    uint8_t outcome;
    bool is_command;
};

struct pool *proxy_pool_create(void)
{
    return pool_create(sizeof(struct proxy_call), BACKEND_ASKS_MAX);
}

/* ---- calls of a session ---- */

/* That of its command. */
static struct proxy_call *find_call(const struct edge *edge, const struct session *session)
{
    struct proxy_call *call = pool_get(edge->proxy_calls, session->proxy_calls);
    while (call != NULL && !call->is_command) {
        call = pool_get(edge->proxy_calls, call->next);
    }
    return call;
}

static void call_end(struct edge *edge, struct proxy_call *call)
{
    uint32_t *link = &call->session->proxy_calls;
    while (*link != call->handle) {
        struct proxy_call *before = pool_get(edge->proxy_calls, *link);
        link = &before->next;
    }
    *link = call->next;
    backends_cancel(edge->backends, call->request);
    actors_gauge_add(edge->actors, COUNTER_OF(PROXY_INFLIGHT, call->use, 0), -1);
    free(call->text);
    buf_release(call->channel);
    pool_put(edge->proxy_calls, call->handle);
}

void proxy_cancel(struct edge *edge, struct session *session)
{
    struct proxy_call *call;
    while ((call = pool_get(edge->proxy_calls, session->proxy_calls)) != NULL) {
        call_end(edge, call);
    }
}

bool proxy_is_refreshing(const struct edge *edge, const struct session *session)
{
    const struct proxy_call *call = pool_get(edge->proxy_calls, session->proxy_calls);
    while (call != NULL && call->kind != PROXY_REFRESH) {
        call = pool_get(edge->proxy_calls, call->next);
    }
    return call != NULL;
}

bool proxy_holds(const struct edge *edge, const struct session *session)
{
    return session->awaits_keys || session->rates == RATES_ASKED ||
           find_call(edge, session) != NULL;
}

/* ---- headers ---- */

static bool is_listed(struct span name, const char *const *list, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (span_equal_ignore_case(name, span_of_text(list[i]))) {
            return true;
        }
    }
    return false;
}

/* Takes a line without its CRLF off the front; *name is what stands before its colon. */
static bool next_header(struct span *lines, struct span *line, struct span *name)
{
    if (span_is_empty(*lines)) {
        return false;
    }
    *line = span_of(lines->at, span_index_of(*lines, '\r'));
    *name = span_of(line->at, span_index_of(*line, ':'));
    *lines = span_skip(*lines, line->len + 2);
    return true;
}

static struct span kept_headers(const struct session *session)
{
    const struct session_context *context = session_context_of(session);
    return context == NULL ? SPAN_EMPTY : span_of_buf(context->headers);
}

static bool has_header(struct span lines, struct span wanted)
{
    struct span line;
    struct span name;
    while (next_header(&lines, &line, &name)) {
        if (span_equal_ignore_case(name, wanted)) {
            return true;
        }
    }
    return false;
}

static bool is_static(const struct proxy_options *proxy, struct span name)
{
    for (size_t i = 0; i < proxy->static_headers_len; i++) {
        if (span_equal_ignore_case(name, span_of_text(proxy->static_headers[i].name))) {
            return true;
        }
    }
    return false;
}

/* Those of the client that this proxy passes on, and its own, which win. What the client only says
 * of itself does not stand in for a header that the backend trusts for where it comes from. */
static void write_headers(struct writer *out, const struct proxy_options *proxy,
                          const struct session *session)
{
    const struct session_context *context = session_context_of(session);
    const struct span real = kept_headers(session);
    struct span lines = real;
    struct span line;
    struct span name;
    while (next_header(&lines, &line, &name)) {
        if (!is_static(proxy, name) &&
            is_listed(name, proxy->http_headers, proxy->http_headers_len)) {
            writer_put(out, line);
            writer_put_literal(out, "\r\n");
        }
    }
    lines = context == NULL ? SPAN_EMPTY : span_of_buf(context->emulated_headers);
    while (next_header(&lines, &line, &name)) {
        const bool is_told =
            has_header(real, name) && is_listed(name, proxy->http_headers, proxy->http_headers_len);
        if (!is_told && !is_static(proxy, name) &&
            is_listed(name, proxy->emulated_headers, proxy->emulated_headers_len)) {
            writer_put(out, line);
            writer_put_literal(out, "\r\n");
        }
    }
    for (size_t i = 0; i < proxy->static_headers_len; i++) {
        (void)!http1_write_header(out, span_of_text(proxy->static_headers[i].name),
                                  span_of_text(proxy->static_headers[i].value));
    }
}

bool proxy_keep_headers(struct edge *edge, struct session *session,
                        const struct http1_request *request)
{
    uint8_t room[HEADERS_LEN_MAX];
    struct writer out = writer_of(room, sizeof(room));
    const struct node_options *options = edge->options;
    for (size_t i = 0; i < request->header_count; i++) {
        if (is_listed(request->headers[i].name, options->proxy_headers,
                      options->proxy_headers_len)) {
            (void)!http1_write_header(&out, request->headers[i].name, request->headers[i].value);
        }
    }
    const struct span lines = writer_written(&out);
    struct session_context *context = span_is_empty(lines) ? NULL : session_make_context(session);
    return span_is_empty(lines) ||
           (context != NULL && session_replace_buf(&context->headers, lines));
}

bool proxy_keep_emulated_headers(struct edge *edge, struct session *session, struct span headers)
{
    const struct node_options *options = edge->options;
    if (span_is_empty(headers) || options->proxy_emulated_headers_len == 0) {
        return true;
    }
    uint8_t room[HEADERS_LEN_MAX];
    struct writer out = writer_of(room, sizeof(room));
    struct json_walk walk;
    struct span name;
    struct span value;
    json_map_begin(&walk, headers);
    while (true) {
        struct scratch scratch = scratch_of(edge->scratch, EDGE_SCRATCH_SIZE);
        if (json_map_next(&walk, &scratch, &name, &value) != JSON_OK) {
            break;
        }
        if (is_listed(name, options->proxy_emulated_headers, options->proxy_emulated_headers_len)) {
            (void)!http1_write_header(&out, name, value);
        }
    }
    const struct span lines = writer_written(&out);
    struct session_context *context = span_is_empty(lines) ? NULL : session_make_context(session);
    return span_is_empty(lines) ||
           (context != NULL && session_replace_buf(&context->emulated_headers, lines));
}

/* ---- asking ---- */

struct asking {
    enum proxy_kind kind;
    const struct proxy_request *request;
};

static void encode_request(struct writer *out, const void *what)
{
    const struct asking *asking = what;
    proxy_encode_request(out, asking->kind, asking->request);
}

static bool send_request(struct edge *edge, struct proxy_call *call,
                         const struct proxy_request *request)
{
    uint8_t room[2 * HEADERS_LEN_MAX + 4096];
    struct writer headers = writer_of(room, sizeof(room));
    const struct asking asking = {(enum proxy_kind)call->kind, request};
    uint8_t *larger;
    write_headers(&headers, call->options, call->session);
    const struct span body = edge_encode(edge, encode_request, &asking, &larger);
    if (body.at != NULL) {
        call->request = backends_ask(edge->backends, &(struct backend_request){
                                                         .endpoint = call->options->endpoint,
                                                         .asker = BACKEND_ASKER_PROXY,
                                                         .handle = call->handle,
                                                         .timeout_ms = call->options->timeout_ms,
                                                         .headers = writer_written(&headers),
                                                         .body = body,
                                                     });
    }
    free(larger);
    return call->request != POOL_HANDLE_NONE;
}

/* False: it cannot be asked now. */
static bool call_begin(struct edge *edge, struct session *session,
                       const struct proxy_options *proxy, enum proxy_kind kind,
                       struct proxy_request *request)
{
    char id[CLIENT_ID_TEXT_LEN];
    uint32_t handle;
    struct proxy_call *call = pool_take(edge->proxy_calls, &handle);
    if (call == NULL) {
        return false;
    }
    client_id_format(session->client_id, id);
    call->handle = handle;
    call->session = session;
    call->options = proxy;
    call->kind = (uint8_t)kind;
    call->started_ns = edge->shard->now_ns;
    call->next = session->proxy_calls;
    session->proxy_calls = handle;
    call->use = (uint8_t)proxy_uses_number(&edge->proxy_uses, proxy, kind);
    actors_gauge_add(edge->actors, COUNTER_OF(PROXY_INFLIGHT, call->use, 0), 1);
    request->client = span_of(id, sizeof(id));
    request->transport = span_of_text(transport_name(connection_transport(session->conn)));
    request->protocol = connection_protocol(session->conn) == CLIENT_PROTOBUF
                            ? SPAN_LITERAL("protobuf")
                            : SPAN_LITERAL("json");
    request->user = session_user(session);
    request->is_binary = proxy->binary_encoding;
    const struct session_context *context = session_context_of(session);
    if (proxy->include_connection_meta && context != NULL) {
        request->meta = span_of_buf(context->meta);
    }
    if (!send_request(edge, call, request)) {
        call_end(edge, call);
        return false;
    }
    return true;
}

/* ---- what an answer means ---- */

static void count_failure(struct edge *edge, const struct proxy_call *call, const char *reason)
{
    actors_count(edge->actors, COUNTER_OF(PROXY_ERROR, call->use, 0));
    LOG(edge->shard->log, LOG_WARN, "proxy", "type=%s name=%s result=failed reason=\"%s\"",
        proxy_kind_name((enum proxy_kind)call->kind), call->options->name, reason);
}

/* False: it is no transform's status. */
static bool transform_status(const struct proxy_options *proxy, uint32_t status,
                             struct proxy_answer *out)
{
    for (size_t i = 0; i < proxy->transforms_len; i++) {
        const struct proxy_transform *transform = &proxy->transforms[i];
        if (transform->status != status) {
            continue;
        }
        *out = (struct proxy_answer){0};
        if (transform->is_disconnect) {
            out->has_disconnect = true;
            out->disconnect_code = transform->code;
            out->disconnect_reason = span_of_text(transform->text);
        } else {
            out->has_error = true;
            out->error_code = transform->code;
            out->error_message = span_of_text(transform->text);
            out->error_is_temporary = transform->is_temporary;
        }
        return true;
    }
    return false;
}

static const char *outcome_text(const struct proxy_call *call)
{
    switch ((enum backend_outcome)call->outcome) {
    case BACKEND_TIMED_OUT:
        return "no answer in time";
    case BACKEND_UNREACHABLE:
        return "cannot be reached";
    case BACKEND_BROKEN:
        return "the answer ended in the middle or is no HTTP";
    case BACKEND_ANSWERED:
        break;
    }
    return call->status == 200 ? NULL : "an HTTP status other than 200";
}

static const char *find_fault(const struct proxy_answer *answer)
{
    if (!span_is_empty(answer->unsupported)) {
        return "the result has a field that is not supported: caps, labels, allow or "
               "server_tags_filter";
    }
    if (answer->has_disconnect &&
        (answer->disconnect_code < 3000 || answer->disconnect_code > 4999 ||
         answer->disconnect_reason.len > DISCONNECT_REASON_LEN_MAX)) {
        return "the disconnect code is not in 3000..4999, or its reason is too long";
    }
    return answer->has_error && answer->error_code == 0 ? "an error without a code" : NULL;
}

/* False (counted and logged): the backend did not decide. */
static bool read_answer(struct edge *edge, struct proxy_call *call, struct proxy_answer *out)
{
    *out = (struct proxy_answer){0};
    if (call->outcome == BACKEND_ANSWERED && call->status != 200 &&
        transform_status(call->options, call->status, out)) {
        return true;
    }
    const char *fault = outcome_text(call);
    if (fault == NULL) {
        struct scratch scratch = scratch_of(call->text + call->len, call->len);
        const enum json_result result =
            proxy_decode_answer(span_of(call->text, call->len), &scratch, out);
        fault = result == JSON_OK ? find_fault(out) : json_result_text(result);
    }
    if (fault != NULL) {
        count_failure(edge, call, fault);
    }
    return fault == NULL;
}

/* The command has no result: the client is told why. One that only listens cannot be told an error
 * (PROTOCOL 3.5). */
static enum proxy_step refuse(struct edge *edge, struct session *session, uint32_t command_id,
                              const struct proxy_answer *answer)
{
    if (answer->has_disconnect) {
        session_disconnect(edge, session, answer->disconnect_code, answer->disconnect_reason);
        return PROXY_ENDED;
    }
    if (session_is_unidirectional(session)) {
        uni_refuse(edge, session, answer->error_code, answer->error_message);
        return PROXY_ENDED;
    }
    if (rates_count_error(edge, session, answer->error_code)) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_TOO_MANY_ERRORS, SPAN_EMPTY);
        return PROXY_ENDED;
    }
    const struct client_reply reply = {
        .id = command_id,
        .kind = CLIENT_REPLY_ERROR,
        .error = {.code = answer->error_code,
                  .message = answer->error_message,
                  .temporary = answer->error_is_temporary},
    };
    session_reply(edge, session, &reply);
    return PROXY_ENDED;
}

/* Keeps the answer's text for whoever makes use of it. */
static void take_text(struct edge *edge, struct proxy_call *call)
{
    free(edge->proxy_text);
    edge->proxy_text = call->text;
    call->text = NULL;
}

static enum proxy_step begin_command(struct edge *edge, struct session *session,
                                     struct proxy_question *question)
{
    const struct span data = question->request.data;
    /* Bytes that are no JSON only go where they go as base64. */
    const bool is_sendable = question->proxy->binary_encoding || span_is_empty(data) ||
                             connection_protocol(session->conn) == CLIENT_JSON ||
                             json_check(data) == JSON_OK;
    if (!is_sendable ||
        !call_begin(edge, session, question->proxy, question->kind, &question->request)) {
        session_reply_error(edge, session, question->command_id,
                            is_sendable ? CLIENT_ERROR_INTERNAL : CLIENT_ERROR_BAD_REQUEST);
        return PROXY_ENDED;
    }
    struct proxy_call *call = pool_get(edge->proxy_calls, session->proxy_calls);
    call->is_command = true;
    call->command_id = question->command_id;
    return PROXY_WAITS;
}

enum proxy_step proxy_consult(struct edge *edge, struct session *session,
                              struct proxy_question *question, struct proxy_answer *answer)
{
    struct proxy_call *call = find_call(edge, session);
    if (call != NULL &&
        (call->command_id != question->command_id || call->kind != question->kind)) {
        call_end(edge, call); /* Of a command that was given up. */
        call = NULL;
    }
    if (call == NULL) {
        return begin_command(edge, session, question);
    }
    if (call->request != POOL_HANDLE_NONE) {
        return PROXY_WAITS; /* Resumed for another reason. */
    }
    const bool is_decided = read_answer(edge, call, answer);
    take_text(edge, call);
    call_end(edge, call);
    if (!is_decided) {
        session_reply_error(edge, session, question->command_id, CLIENT_ERROR_INTERNAL);
        return PROXY_ENDED;
    }
    return answer->has_disconnect || answer->has_error
               ? refuse(edge, session, question->command_id, answer)
               : PROXY_GRANTED;
}

/* ---- refresh ---- */

void proxy_refresh(struct edge *edge, struct session *session)
{
    struct proxy_request request = {0};
    if (!call_begin(edge, session, edge->options->refresh_proxy, PROXY_REFRESH, &request)) {
        session_extend(session, edge->shard->wall_ms / 1000 + REFRESH_EXTENSION_S);
    }
}

/* Whoever is not known any more, or has expired, goes. */
static void on_refreshed(struct edge *edge, struct proxy_call *call)
{
    struct session *session = call->session;
    struct connection *conn = session->conn;
    struct proxy_answer answer;
    const bool is_decided = read_answer(edge, call, &answer);
    take_text(edge, call);
    call_end(edge, call);
    if (!is_decided || answer.has_error) {
        session_extend(session, edge->shard->wall_ms / 1000 + REFRESH_EXTENSION_S);
    } else if (answer.has_disconnect) {
        session_disconnect(edge, session, answer.disconnect_code, answer.disconnect_reason);
    } else if (!answer.has_result || answer.expired ||
               (answer.expire_at_s != 0 && answer.expire_at_s <= edge->shard->wall_ms / 1000)) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_EXPIRED, SPAN_EMPTY);
    } else {
        const struct span info =
            span_is_empty(answer.info) ? session_conn_info(session) : answer.info;
        if (!session_set_credentials(session, info, answer.expire_at_s) ||
            !session_set_meta(session, answer.meta)) {
            session_disconnect(edge, session, CLIENT_DISCONNECT_INTERNAL, SPAN_EMPTY);
        }
    }
    if (conn->state == CONNECTION_SESSION) {
        connection_schedule(edge, conn);
    }
}

void proxy_sub_refresh(struct edge *edge, struct subscription *subscription)
{
    struct session *session = subscription->conn->session;
    struct hub_channel *channel = subscription->channel;
    struct subscription_grant *grant = hub_grant_of(edge, subscription);
    struct proxy_request request = {.channel = span_of_buf(channel->name)};
    if (grant->is_refreshing) {
        return;
    }
    if (!call_begin(edge, session, channel->options->sub_refresh_proxy, PROXY_SUB_REFRESH,
                    &request)) {
        grant->expire_at_s = edge->shard->wall_ms / 1000 + REFRESH_EXTENSION_S;
        return;
    }
    struct proxy_call *call = pool_get(edge->proxy_calls, session->proxy_calls);
    buf_share(channel->name, 1);
    call->channel = channel->name;
    grant->is_refreshing = true;
}

static void on_sub_refreshed(struct edge *edge, struct proxy_call *call)
{
    struct session *session = call->session;
    struct connection *conn = session->conn;
    struct proxy_answer answer;
    const int64_t now_s = edge->shard->wall_ms / 1000;
    const bool is_decided = read_answer(edge, call, &answer);
    struct subscription *subscription =
        hub_find_subscription(edge, session, span_of_buf(call->channel));
    struct subscription_grant *grant =
        subscription == NULL ? NULL : hub_grant_of(edge, subscription);
    take_text(edge, call);
    call_end(edge, call);
    if (grant == NULL || !grant->is_refreshing) {
        return; /* It has ended meanwhile. */
    }
    grant->is_refreshing = false;
    if (!is_decided || answer.has_error) {
        grant->expire_at_s = now_s + REFRESH_EXTENSION_S;
    } else if (answer.has_disconnect) {
        session_disconnect(edge, session, answer.disconnect_code, answer.disconnect_reason);
    } else if (!answer.has_result || answer.expired ||
               (answer.expire_at_s != 0 && answer.expire_at_s <= now_s)) {
        hub_unsubscribe_push(edge, subscription, CLIENT_UNSUBSCRIBE_EXPIRED);
    } else if (!grant_set_info(edge, subscription, answer.info)) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_INTERNAL, SPAN_EMPTY);
    } else {
        grant->expire_at_s = answer.expire_at_s;
    }
    if (conn->state == CONNECTION_SESSION) {
        connection_schedule(edge, conn);
    }
}

/* ---- answers ---- */

void proxy_on_answer(struct edge *edge, uint32_t handle, const struct backend_answer *answer)
{
    struct proxy_call *call = pool_get(edge->proxy_calls, handle);
    if (call == NULL) {
        return;
    }
    call->request = POOL_HANDLE_NONE;
    call->status = answer->status;
    call->outcome = (uint8_t)answer->outcome;
    call->len = answer->body.len;
    /* Behind it, room for the strings in it that have escapes. */
    call->text = malloc(2 * call->len + 1);
    if (call->text == NULL) {
        call->len = 0;
        call->outcome = BACKEND_BROKEN;
    } else if (call->len > 0) {
        memcpy(call->text, answer->body.at, call->len);
    }
    hist_record(edge->shard->stats->hists[HIST_PROXY + call->use],
                edge->shard->now_ns - call->started_ns);
    if (call->is_command) {
        connection_resume(edge, call->session->conn);
    } else if (call->kind == PROXY_REFRESH) {
        on_refreshed(edge, call);
    } else {
        on_sub_refreshed(edge, call);
    }
}
