/* SPDX-License-Identifier: Apache-2.0 */
/* Responses of the server API: what homes, shards and the router answered, as JSON. */
#include "shards/edge/api/call.h"

#include <stdlib.h>
#include <string.h>

#include "codec/api_json.h"
#include "shards/edge/api/api_series.h"
#include "shards/edge/api/api_keys.h"
#include "shards/edge/transport/connection.h"
#include "shards/edge/api/connections.h"
#include "shards/edge/health.h"
#include "shards/edge/transport/http.h"
#include "shards/edge/session/permissions.h"
#include "shards/payloads.h"
#include "shards/router/router.h"

static void encode_history(struct writer *out, const struct call *call)
{
    uint8_t room[EPOCH_TEXT_LEN_MAX];
    const struct client_history_result result = {
        .publications = call->publications.items,
        .publication_count = call->publications.len,
        .epoch = epoch_format(call->history.newest.epoch, room),
        .offset = call->history.newest.offset,
    };
    api_json_encode_history(out, &result);
}

static void encode_broadcast(struct writer *out, const struct call *call)
{
    api_json_encode_broadcast_begin(out);
    for (uint32_t i = 0; i < call->outcomes_len; i++) {
        uint8_t room[EPOCH_TEXT_LEN_MAX];
        const struct call_outcome *at = &call->outcomes[i];
        const struct api_publish_outcome outcome = {
            .error = at->error,
            .result = {.offset = at->offset, .epoch = epoch_format(at->epoch, room)},
        };
        api_json_encode_broadcast_item(out, i == 0, &outcome);
    }
    api_json_encode_broadcast_end(out);
}

static void encode_presence(struct writer *out, const struct call *call)
{
    const struct presence_snapshot *snapshot =
        call->presence.snapshot == NULL ? NULL : presence_snapshot_of(call->presence.snapshot);
    api_json_encode_presence_begin(out);
    for (uint32_t i = 0; snapshot != NULL && i < snapshot->len; i++) {
        char id[CLIENT_ID_TEXT_LEN];
        const struct client_info info = identity_info(snapshot->identities[i], id);
        api_json_encode_presence_item(out, i == 0, &info);
    }
    api_json_encode_presence_end(out);
}

struct named_count {
    struct span name;
    uint32_t clients;
};

static int compare_names(const void *a, const void *b)
{
    const struct named_count *left = a;
    const struct named_count *right = b;
    const size_t shorter = left->name.len < right->name.len ? left->name.len : right->name.len;
    const int order = memcmp(left->name.at, right->name.at, shorter);
    return order != 0 ? order
                      : (left->name.len > right->name.len) - (left->name.len < right->name.len);
}

/* Walks all shards' surveys; with `into` it also collects. Returns how many items there are. */
static size_t walk_surveys(const struct call *call, struct named_count *into)
{
    size_t count = 0;
    for (uint32_t shard = 0; shard < call->outcomes_len; shard++) {
        uint32_t cursor = 0;
        struct named_count item;
        while (survey_channels_next(call->surveys[shard], &cursor, &item.name, &item.clients)) {
            if (into != NULL) {
                into[count] = item;
            }
            count++;
        }
    }
    return count;
}

/* A channel with subscribers on several shards is one line. Sorted, so that equal names meet. */
struct channels_result {
    struct named_count *items;
    size_t len;
};

static void encode_channels(struct writer *out, const void *what)
{
    const struct channels_result *result = what;
    api_json_encode_channels_begin(out);
    for (size_t i = 0; i < result->len;) {
        uint32_t clients = 0;
        const size_t first = i;
        while (i < result->len && span_equal(result->items[i].name, result->items[first].name)) {
            clients += result->items[i++].clients;
        }
        api_json_encode_channels_item(out, first == 0, result->items[first].name, clients);
    }
    api_json_encode_channels_end(out);
}

static struct span text_of(const char *text, size_t size)
{
    return span_of(text, strnlen(text, size));
}

static void encode_info(struct writer *out, const struct call *call)
{
    const size_t len = call->nodes->len / sizeof(struct node_info);
    api_json_encode_info_begin(out);
    for (size_t i = 0; i < len; i++) {
        struct node_info info;
        memcpy(&info, call->nodes->bytes + i * sizeof(info), sizeof(info));
        const struct api_node_result node = {
            .uid = text_of(info.uid, sizeof(info.uid)),
            .name = text_of(info.name, sizeof(info.name)),
            .version = text_of(info.version, sizeof(info.version)),
            .client_address = text_of(info.client_address, sizeof(info.client_address)),
            .client_count = info.clients,
            .user_count = info.users,
            .channel_count = info.channels,
            .sub_count = info.subscriptions,
            .uptime_s = info.uptime_s,
        };
        api_json_encode_info_item(out, i == 0, &node);
    }
    api_json_encode_info_end(out);
}

static void encode_call(struct writer *out, const void *what)
{
    const struct call *call = what;
    uint8_t room[EPOCH_TEXT_LEN_MAX];
    switch (call->method) {
    case API_METHOD_PUBLISH: {
        const struct api_publish_result result = {.offset = call->outcomes[0].offset,
                                                  .epoch =
                                                      epoch_format(call->outcomes[0].epoch, room)};
        api_json_encode_publish(out, &result);
        break;
    }
    case API_METHOD_BROADCAST:
        encode_broadcast(out, call);
        break;
    case API_METHOD_PRESENCE:
        encode_presence(out, call);
        break;
    case API_METHOD_PRESENCE_STATS: {
        const struct client_presence_stats_result result = {.client_count = call->presence.clients,
                                                            .user_count = call->presence.users};
        api_json_encode_presence_stats(out, &result);
        break;
    }
    case API_METHOD_HISTORY:
        encode_history(out, call);
        break;
    case API_METHOD_INFO:
        encode_info(out, call);
        break;
    default:
        call_encode_map(out, call);
        break;
    }
}

static void encode_error(struct writer *out, const void *what)
{
    const struct call *call = what;
    if (call->error_by_transport) {
        api_json_encode_transport_error(out, call->error);
    } else {
        api_json_encode_error(out, call->error);
    }
}

void call_free(struct edge *edge, struct call *call)
{
    timer_stop(edge->shard->timers, &call->timer);
    for (uint32_t i = 0; call->surveys != NULL && i < call->outcomes_len; i++) {
        buf_release(call->surveys[i]);
    }
    free(call->surveys);
    free(call->outcomes);
    buf_release(call->nodes);
    presence_snapshot_release(call->presence.snapshot);
    stream_publications_free(&call->publications);
    stream_page_release(call->history.page);
    pool_put(edge->calls, call->handle);
}

enum api_error call_judge_channel(const struct node_options *options, uint16_t key,
                                  struct span channel,
                                  const struct channel_options **channel_options)
{
    if (span_is_empty(channel)) {
        return API_ERROR_BAD_REQUEST;
    }
    *channel_options = permissions_find_channel(options, channel);
    if (*channel_options == NULL) {
        return API_ERROR_UNKNOWN_CHANNEL;
    }
    if (!permissions_is_channel_name(options, *channel_options, channel)) {
        return API_ERROR_BAD_REQUEST;
    }
    return api_keys_allow_channel(&options->http_api, key, *channel_options)
               ? API_ERROR_NONE
               : API_ERROR_PERMISSION_DENIED;
}

enum api_error call_error_of(uint32_t error)
{
    switch (error) {
    case 0:
        return API_ERROR_NONE;
    case CLIENT_ERROR_LIMIT_EXCEEDED:
        return API_ERROR_LIMIT_EXCEEDED;
    case CLIENT_ERROR_UNRECOVERABLE_POSITION:
        return API_ERROR_UNRECOVERABLE_POSITION;
    default:
        return API_ERROR_INTERNAL;
    }
}

struct call *call_of_handle(struct edge *edge, uint32_t handle)
{
    struct call *call = pool_get(edge->calls, handle);
    if (call == NULL) {
        actors_count(edge->actors, COUNTER_STALE_MESSAGES);
    }
    return call;
}

void call_note_sent(struct call *call, bool is_sent, struct buf *first, struct buf *second)
{
    if (is_sent) {
        call->pending++;
    } else {
        buf_release(first);
        buf_release(second);
        call->error = API_ERROR_INTERNAL;
    }
}

void call_answered(struct edge *edge, struct call *call)
{
    if (--call->pending == 0 && call->is_health) {
        health_finish(edge, call);
    } else if (call->pending == 0) {
        call_finish(edge, call);
    }
}

/* A response's body; free() what it may need (*larger). Without `at`: memory is out. */
static struct span write_channels(struct edge *edge, const struct call *call, uint8_t **larger)
{
    struct channels_result result = {.len = walk_surveys(call, NULL)};
    result.items = calloc(result.len + 1, sizeof(*result.items));
    *larger = NULL;
    if (result.items == NULL) {
        return SPAN_EMPTY;
    }
    (void)walk_surveys(call, result.items);
    qsort(result.items, result.len, sizeof(*result.items), compare_names);
    const struct span body = edge_encode(edge, encode_channels, &result, larger);
    free(result.items);
    return body;
}

static struct span write_body(struct edge *edge, const struct call *call, uint8_t **larger)
{
    if (call->error != API_ERROR_NONE) {
        actors_count(edge->actors,
                     COUNTER_OF(API_ERROR, call->method, label_of_error(call->error)));
        return edge_encode(edge, encode_error, call, larger);
    }
    if (call->method == API_METHOD_CONNECTIONS) {
        return connections_write(edge, call, larger);
    }
    return call->method == API_METHOD_CHANNELS ? write_channels(edge, call, larger)
                                               : edge_encode(edge, encode_call, call, larger);
}

static void respond(struct edge *edge, struct connection *conn, const struct call *call,
                    struct span body)
{
    if (body.at == NULL) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        http_respond_error(edge, conn, 503, "out of memory");
        return;
    }
    http_respond(edge, conn,
                 &(struct http_response){.status = call->error_by_transport
                                                       ? api_error_status(call->error)
                                                       : 200,
                                         .content_type = "application/json",
                                         .headers = SPAN_LITERAL("Cache-Control: no-store\r\n"),
                                         .body = body});
}

/* All answers are in: the response goes out, if the caller is still there. */
void call_finish(struct edge *edge, struct call *call)
{
    const uint64_t taken_ns = edge->shard->now_ns - call->started_ns;
    hist_record(edge->shard->stats->hists[HIST_API + call->method], taken_ns);
    if (call->method == API_METHOD_CHANNELS) {
        hist_record(edge->shard->stats->hists[HIST_SURVEY], taken_ns);
    }
    struct connection *conn =
        call->series == POOL_HANDLE_NONE ? pool_get(edge->connections, call->connection) : NULL;
    const bool is_awaited =
        call->series != POOL_HANDLE_NONE ||
        (conn != NULL && conn->state == CONNECTION_HTTP_CALL && conn->call == call->handle);
    if (is_awaited) {
        if (call->method == API_METHOD_PUBLISH && call->outcomes != NULL) {
            call->error = call->outcomes[0].error;
        }
        if (!stream_publications_make(call->history.page, SPAN_EMPTY, &call->publications) ||
            !call->publications.is_json) {
            call->error = API_ERROR_INTERNAL;
        }
        uint8_t *larger;
        const struct span body = write_body(edge, call, &larger);
        if (conn != NULL) {
            respond(edge, conn, call, body);
        } else {
            api_series_on_answer(edge, call->series, call->series_index, body);
        }
        free(larger);
    }
    call_free(edge, call);
}
