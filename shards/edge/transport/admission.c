/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a request before it becomes a client, whichever its transport is. */
#include "shards/edge/transport/admission.h"

#include "shards/edge/session/auth.h"

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

/* COUNTERS_LEN: there is none. The operator's and the backend's requests are not clients: a full
 * node still answers them. */
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

bool admission_takes_client(struct edge *edge)
{
    const enum counter refusal = find_refusal(edge);
    if (refusal == COUNTERS_LEN) {
        return true;
    }
    actors_count(edge->actors, refusal);
    return false;
}

void admission_refuse(struct edge *edge, struct connection *conn, struct span cors)
{
    uint8_t room[CORS_LEN_MAX + 32];
    struct writer headers = writer_of(room, sizeof(room));
    writer_put_literal(&headers, "Retry-After: 1\r\n");
    writer_put(&headers, cors);
    http_end_keep_alive(conn);
    http_respond(edge, conn,
                 &(struct http_response){.status = 503,
                                         .content_type = "text/plain; charset=utf-8",
                                         .headers = writer_written(&headers),
                                         .body =
                                             SPAN_LITERAL("no more connections are taken now")});
}

/* ---- origins ---- */

static bool is_same_host(struct span origin, struct span host)
{
    const size_t scheme_len = span_starts_with(origin, SPAN_LITERAL("https://"))  ? 8
                              : span_starts_with(origin, SPAN_LITERAL("http://")) ? 7
                                                                                  : 0;
    return scheme_len > 0 && span_equal_ignore_case(span_skip(origin, scheme_len), host);
}

static bool is_allowed(const struct edge *edge, const struct http1_request *request,
                       struct span origin)
{
    return auth_origin_is_allowed(&edge->options->client, origin) ||
           (edge->options->web_files_len > 0 && is_same_host(origin, request->host));
}

bool admission_allows_origin(const struct edge *edge, const struct http1_request *request)
{
    struct span origin;
    return !http1_find_header(request, "Origin", &origin) || is_allowed(edge, request, origin);
}

struct span admission_cors(const struct edge *edge, const struct http1_request *request,
                           uint8_t room[CORS_LEN_MAX])
{
    struct span origin;
    struct span asked;
    if (!http1_find_header(request, "Origin", &origin) || !is_allowed(edge, request, origin)) {
        return SPAN_EMPTY;
    }
    struct writer out = writer_of(room, CORS_LEN_MAX);
    /* Caches must not give one origin the answer to another. */
    writer_put_literal(&out, "Vary: Origin\r\n"
                             "Access-Control-Allow-Credentials: true\r\n");
    (void)!http1_write_header(&out, SPAN_LITERAL("Access-Control-Allow-Origin"), origin);
    if (request->method == HTTP1_OPTIONS &&
        http1_find_header(request, "Access-Control-Request-Headers", &asked) &&
        !span_is_empty(asked)) {
        (void)!http1_write_header(&out, SPAN_LITERAL("Access-Control-Allow-Headers"), asked);
    }
    return writer_is_overflown(&out) ? SPAN_EMPTY : writer_written(&out);
}

struct span admission_user(const struct edge *edge, const struct http1_request *request)
{
    struct span user = SPAN_EMPTY;
    const char *name = edge->options->client.user_id_http_header;
    if (name[0] != '\0') {
        (void)!http1_find_header(request, name, &user);
    }
    return user;
}
