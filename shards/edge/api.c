/* SPDX-License-Identifier: Apache-2.0 */
/* The server API: PROTOCOL 22 over HTTP. A call asks homes, shards or the router and answers when
 * all of them have. */
#include "shards/edge/api.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/mem.h>

#include "codec/api_json.h"
#include "shards/edge/http.h"
#include "shards/edge/permissions.h"
#include "shards/payloads.h"
#include "shards/router/router.h"

enum { API_KEY_LEN_MAX = 512, EPOCH_TEXT_LEN_MAX = 20 };

/* One channel's outcome of a publish or broadcast. */
struct call_outcome {
    uint64_t offset;
    uint64_t epoch;
    enum api_error error;
};

struct call {
    uint32_t handle;
    uint32_t connection;
    enum api_method method;
    enum api_error error;
    uint32_t pending; /* Answers that are still to come. */
    uint64_t started_ns;
    bool error_by_transport;
    uint32_t outcomes_len;
    struct call_outcome *outcomes; /* publish, broadcast */
    struct buf **surveys;          /* channels: one a shard */
    struct buf *nodes;             /* info */
    struct message_presence presence;
};

static const enum counter method_counters[API_METHOD_COUNT] = {
    [API_METHOD_PUBLISH] = COUNTER_API_PUBLISH,
    [API_METHOD_BROADCAST] = COUNTER_API_BROADCAST,
    [API_METHOD_SUBSCRIBE] = COUNTER_API_SUBSCRIBE,
    [API_METHOD_UNSUBSCRIBE] = COUNTER_API_UNSUBSCRIBE,
    [API_METHOD_DISCONNECT] = COUNTER_API_DISCONNECT,
    [API_METHOD_REFRESH] = COUNTER_API_REFRESH,
    [API_METHOD_PRESENCE] = COUNTER_API_PRESENCE,
    [API_METHOD_PRESENCE_STATS] = COUNTER_API_PRESENCE_STATS,
    [API_METHOD_HISTORY] = COUNTER_API_HISTORY,
    [API_METHOD_HISTORY_REMOVE] = COUNTER_API_HISTORY_REMOVE,
    [API_METHOD_CHANNELS] = COUNTER_API_CHANNELS,
    [API_METHOD_INFO] = COUNTER_API_INFO,
    [API_METHOD_RPC] = COUNTER_API_RPC,
    [API_METHOD_BATCH] = COUNTER_API_BATCH,
};

struct pool *api_pool_create(void)
{
    return pool_create(sizeof(struct call), API_CALLS_A_SHARD_MAX);
}

/* ---- authorization ---- */

static bool is_key(const struct http_api_options *options, struct span given)
{
    const struct span key = span_of_text(options->key);
    return !span_is_empty(key) && key.len == given.len &&
           CRYPTO_memcmp(key.at, given.at, key.len) == 0;
}

bool api_is_authorized(const struct node_options *options, const struct http1_request *request)
{
    if (options->http_api.insecure) {
        return true;
    }
    struct span value;
    if (http1_find_header(request, "X-API-Key", &value)) {
        return is_key(&options->http_api, value);
    }
    const struct span scheme = SPAN_LITERAL("apikey ");
    if (http1_find_header(request, "Authorization", &value) && value.len > scheme.len &&
        span_equal_ignore_case(span_of(value.at, scheme.len), scheme)) {
        return is_key(&options->http_api, span_skip(value, scheme.len));
    }
    uint8_t room[API_KEY_LEN_MAX];
    struct writer key = writer_of(room, sizeof(room));
    return http1_find_query(request->query, SPAN_LITERAL("api_key"), &key) == HTTP1_QUERY_FOUND &&
           is_key(&options->http_api, writer_written(&key));
}

bool api_wants_transport_errors(const struct node_options *options,
                                const struct http1_request *request)
{
    struct span value;
    return options->http_api.error_mode_transport ||
           (http1_find_header(request, "X-Centrifugo-Error-Mode", &value) &&
            span_equal(value, SPAN_LITERAL("transport")));
}

/* ---- responses ---- */

static struct span epoch_text(uint64_t epoch, uint8_t room[EPOCH_TEXT_LEN_MAX])
{
    struct writer out = writer_of(room, EPOCH_TEXT_LEN_MAX);
    if (epoch != 0) {
        writer_put_u64(&out, epoch);
    }
    return writer_written(&out);
}

static void encode_broadcast(struct writer *out, const struct call *call)
{
    api_json_encode_broadcast_begin(out);
    for (uint32_t i = 0; i < call->outcomes_len; i++) {
        uint8_t room[EPOCH_TEXT_LEN_MAX];
        const struct call_outcome *at = &call->outcomes[i];
        const struct api_publish_outcome outcome = {
            .error = at->error,
            .result = {.offset = at->offset, .epoch = epoch_text(at->epoch, room)},
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
                                                      epoch_text(call->outcomes[0].epoch, room)};
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
    case API_METHOD_INFO:
        encode_info(out, call);
        break;
    default:
        api_json_encode_empty(out);
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

static void call_free(struct edge *edge, struct call *call)
{
    for (uint32_t i = 0; call->surveys != NULL && i < call->outcomes_len; i++) {
        buf_release(call->surveys[i]);
    }
    free(call->surveys);
    free(call->outcomes);
    buf_release(call->nodes);
    presence_snapshot_release(call->presence.snapshot);
    pool_put(edge->calls, call->handle);
}

static void call_respond_error(struct edge *edge, struct connection *conn, struct call *call)
{
    actors_count(edge->actors, counter_of_api_error(call->error));
    uint8_t *larger;
    const struct span body = edge_encode(edge, encode_error, call, &larger);
    http_respond(edge, conn,
                 &(struct http_response){.status = call->error_by_transport
                                                       ? api_error_status(call->error)
                                                       : 200,
                                         .content_type = "application/json",
                                         .body = body});
    free(larger);
}

static void call_respond_channels(struct edge *edge, struct connection *conn,
                                  const struct call *call)
{
    struct channels_result result = {.len = walk_surveys(call, NULL)};
    result.items = calloc(result.len + 1, sizeof(*result.items));
    if (result.items == NULL) {
        http_respond_error(edge, conn, 503, "out of memory");
        return;
    }
    (void)walk_surveys(call, result.items);
    qsort(result.items, result.len, sizeof(*result.items), compare_names);
    http_respond_written(edge, conn, "application/json", encode_channels, &result);
    free(result.items);
}

/* All answers are in: the response goes out, if the caller is still there. */
static void call_finish(struct edge *edge, struct call *call)
{
    struct connection *conn = pool_get(edge->connections, call->connection);
    hist_record(edge->shard->stats->hists[HIST_API_NS], edge->shard->now_ns - call->started_ns);
    if (conn != NULL && conn->state == CONNECTION_HTTP_CALL && conn->call == call->handle) {
        if (call->method == API_METHOD_PUBLISH && call->outcomes != NULL) {
            call->error = call->outcomes[0].error;
        }
        if (call->error != API_ERROR_NONE) {
            call_respond_error(edge, conn, call);
        } else if (call->method == API_METHOD_CHANNELS) {
            call_respond_channels(edge, conn, call);
        } else {
            http_respond_written(edge, conn, "application/json", encode_call, call);
        }
    }
    call_free(edge, call);
}

static void call_answered(struct edge *edge, struct call *call)
{
    if (--call->pending == 0) {
        call_finish(edge, call);
    }
}

static struct call *call_of_handle(struct edge *edge, uint32_t handle)
{
    struct call *call = pool_get(edge->calls, handle);
    if (call == NULL) {
        actors_count(edge->actors, COUNTER_STALE_MESSAGES);
    }
    return call;
}

/* ---- publish, broadcast ---- */

static enum api_error judge_channel(const struct node_options *options, struct span channel,
                                    const struct channel_options **channel_options)
{
    if (!permissions_is_channel_name(options, channel)) {
        return API_ERROR_BAD_REQUEST;
    }
    *channel_options = permissions_find_channel(options, channel);
    return *channel_options == NULL ? API_ERROR_UNKNOWN_CHANNEL : API_ERROR_NONE;
}

/* Sends one publication; an error when it was not sent. */
static enum api_error publish_one(struct edge *edge, struct call *call, struct span channel,
                                  const struct api_publish_request *request, uint32_t cookie)
{
    const struct channel_options *channel_options;
    const enum api_error error = judge_channel(edge->options, channel, &channel_options);
    if (error != API_ERROR_NONE) {
        return error;
    }
    /* Every subscriber speaks JSON, so that data which is none could reach nobody. */
    if (!permissions_is_data(channel_options, request->data) || span_is_empty(request->data) ||
        (request->data_is_binary && json_check(request->data) != JSON_OK)) {
        return API_ERROR_BAD_REQUEST;
    }
    if (!span_is_empty(request->idempotency_key) || request->version != 0) {
        return API_ERROR_NOT_AVAILABLE;
    }
    const uint32_t home = actors_home_of(edge->actors, channel);
    const struct message_publish body = {
        .request = publish_request_make(&(struct publish_request){.channel = channel,
                                                                  .data = request->data,
                                                                  .tags = request->tags}),
        .cookie = cookie,
        .origin = ORIGIN_API,
    };
    if (body.request == NULL || edge_is_congested(edge, home) ||
        !message_send_publish(edge->shard->mailbox, home, call->handle, &body)) {
        buf_release(body.request);
        return API_ERROR_INTERNAL;
    }
    call->pending++;
    return API_ERROR_NONE;
}

static enum json_result count_strings(struct span raw, struct scratch scratch, uint32_t *count)
{
    struct json_walk walk;
    struct span item;
    enum json_result result;
    *count = 0;
    json_strings_begin(&walk, raw);
    while ((result = json_strings_next(&walk, &scratch, &item)) == JSON_OK) {
        (*count)++;
    }
    return result;
}

static enum json_result call_publish(struct edge *edge, struct call *call, struct span body,
                                     struct scratch *scratch)
{
    struct api_publish_request request;
    const bool is_broadcast = call->method == API_METHOD_BROADCAST;
    enum json_result result = is_broadcast ? api_json_decode_broadcast(body, scratch, &request)
                                           : api_json_decode_publish(body, scratch, &request);
    uint32_t count = 1;
    if (result == JSON_OK && is_broadcast) {
        result = count_strings(request.channels, *scratch, &count);
        result = result == JSON_DONE ? JSON_OK : result;
    }
    if (result != JSON_OK) {
        return result;
    }
    call->outcomes = calloc(count + 1, sizeof(*call->outcomes));
    if (call->outcomes == NULL) {
        call->error = API_ERROR_INTERNAL;
        return JSON_OK;
    }
    call->outcomes_len = count;
    if (!is_broadcast) {
        call->outcomes[0].error = publish_one(edge, call, request.channel, &request, 0);
        return JSON_OK;
    }
    if (count == 0) {
        call->error = API_ERROR_BAD_REQUEST;
    }
    struct json_walk walk;
    struct span channel;
    json_strings_begin(&walk, request.channels);
    for (uint32_t i = 0; i < count; i++) {
        struct scratch item_scratch = *scratch;
        if (json_strings_next(&walk, &item_scratch, &channel) != JSON_OK) {
            break;
        }
        call->outcomes[i].error = publish_one(edge, call, channel, &request, i);
    }
    return JSON_OK;
}

void api_on_published(struct edge *edge, const struct message *message)
{
    const struct message_published body = message_as_published(message);
    struct call *call = call_of_handle(edge, message->handle);
    if (call == NULL) {
        return;
    }
    BUG_IF(body.cookie >= call->outcomes_len);
    struct call_outcome *outcome = &call->outcomes[body.cookie];
    outcome->offset = body.offset;
    outcome->epoch = body.offset == 0 ? 0 : body.epoch;
    if (body.error != 0) {
        outcome->error = API_ERROR_INTERNAL;
    }
    call_answered(edge, call);
}

/* ---- presence ---- */

static enum json_result call_presence(struct edge *edge, struct call *call, struct span body,
                                      struct scratch *scratch)
{
    struct api_channel_request request;
    const enum json_result result = api_json_decode_channel(body, scratch, &request);
    if (result != JSON_OK) {
        return result;
    }
    const struct channel_options *channel_options;
    call->error = judge_channel(edge->options, request.channel, &channel_options);
    if (call->error != API_ERROR_NONE) {
        return JSON_OK;
    }
    if (!channel_options->presence) {
        call->error = API_ERROR_NOT_AVAILABLE;
        return JSON_OK;
    }
    const uint32_t home = actors_home_of(edge->actors, request.channel);
    const struct message_presence_ask ask = {
        .channel = buf_copy(request.channel.at, request.channel.len),
        .origin = ORIGIN_API,
        .stats_only = call->method == API_METHOD_PRESENCE_STATS,
    };
    if (ask.channel == NULL || edge_is_congested(edge, home) ||
        !message_send_presence_ask(edge->shard->mailbox, home, call->handle, &ask)) {
        buf_release(ask.channel);
        call->error = API_ERROR_INTERNAL;
        return JSON_OK;
    }
    call->pending++;
    return JSON_OK;
}

void api_on_presence(struct edge *edge, const struct message *message)
{
    const struct message_presence body = message_as_presence(message);
    struct call *call = call_of_handle(edge, message->handle);
    if (call == NULL) {
        presence_snapshot_release(body.snapshot);
        return;
    }
    call->presence = body;
    call->error = body.error == 0 ? API_ERROR_NONE : API_ERROR_INTERNAL;
    call_answered(edge, call);
}

/* ---- channels, info ---- */

static enum json_result call_channels(struct edge *edge, struct call *call, struct span body,
                                      struct scratch *scratch)
{
    struct api_channels_request request;
    const enum json_result result = api_json_decode_channels(body, scratch, &request);
    if (result != JSON_OK) {
        return result;
    }
    const uint32_t shards = edge->actors->node->shards;
    call->surveys = calloc(shards, sizeof(struct buf *));
    if (call->surveys == NULL) {
        call->error = API_ERROR_INTERNAL;
        return JSON_OK;
    }
    call->outcomes_len = shards;
    for (uint32_t shard = 0; shard < shards; shard++) {
        struct message_survey survey = {.op = SURVEY_CHANNELS};
        if (!span_is_empty(request.pattern)) {
            survey.pattern = buf_copy(request.pattern.at, request.pattern.len);
        }
        if ((!span_is_empty(request.pattern) && survey.pattern == NULL) ||
            !message_send_survey(edge->shard->mailbox, shard, call->handle, &survey)) {
            buf_release(survey.pattern);
            call->error = API_ERROR_INTERNAL;
            return JSON_OK;
        }
        call->pending++;
    }
    return JSON_OK;
}

void api_on_survey_result(struct edge *edge, const struct message *message)
{
    const struct message_survey_result body = message_as_survey_result(message);
    struct call *call = call_of_handle(edge, message->handle);
    if (call == NULL) {
        buf_release(body.result);
        return;
    }
    call->surveys[message->from] = body.result;
    if (body.error != 0) {
        call->error = API_ERROR_INTERNAL;
    }
    call_answered(edge, call);
}

static enum json_result call_info(struct edge *edge, struct call *call, struct span body)
{
    const enum json_result result = api_json_decode_info(body);
    const struct message_nodes_ask ask = {0};
    if (result != JSON_OK) {
        return result;
    }
    if (message_send_nodes_ask(edge->shard->mailbox, edge->actors->node->shards, call->handle,
                               &ask)) {
        call->pending++;
    } else {
        call->error = API_ERROR_INTERNAL;
    }
    return JSON_OK;
}

void api_on_nodes(struct edge *edge, const struct message *message)
{
    const struct message_nodes body = message_as_nodes(message);
    struct call *call = call_of_handle(edge, message->handle);
    if (call == NULL) {
        buf_release(body.nodes);
        return;
    }
    call->nodes = body.nodes;
    call->error = body.error != 0 || body.nodes == NULL ? API_ERROR_INTERNAL : API_ERROR_NONE;
    call_answered(edge, call);
}

/* ---- disconnect, unsubscribe ---- */

/* To whoever holds sessions of the user; success does not mean that there were any. */
static void send_command(struct edge *edge, struct call *call,
                         const struct session_command *command)
{
    struct buf *packed = session_command_make(command);
    if (packed == NULL) {
        call->error = API_ERROR_INTERNAL;
        return;
    }
    if (span_is_empty(command->user)) {
        const struct message_session_command body = {.command = packed};
        const uint32_t shards = edge->actors->node->shards;
        buf_share(packed, shards - 1);
        for (uint32_t shard = 0; shard < shards; shard++) {
            OUTBOX_SEND(edge->actors->outbox, shard, session_command, 0, &body);
        }
        return;
    }
    const struct message_user_command body = {.command = packed};
    if (!message_send_user_command(edge->shard->mailbox,
                                   actors_home_of(edge->actors, command->user), 0, &body)) {
        buf_release(packed);
        call->error = API_ERROR_INTERNAL;
    }
}

/* A command without any address would reach every anonymous client: that is nobody's wish. */
static bool has_address(struct span user, struct span client, struct span session)
{
    return !span_is_empty(user) || !span_is_empty(client) || !span_is_empty(session);
}

static enum json_result call_disconnect(struct edge *edge, struct call *call, struct span body,
                                        struct scratch *scratch)
{
    struct api_disconnect_request request;
    const enum json_result result = api_json_decode_disconnect(body, scratch, &request);
    if (result != JSON_OK) {
        return result;
    }
    if (!has_address(request.user, request.client, request.session) || request.code < 3000 ||
        request.code > 4999 || request.reason.len > DISCONNECT_REASON_LEN_MAX) {
        call->error = API_ERROR_BAD_REQUEST;
        return JSON_OK;
    }
    send_command(edge, call,
                 &(struct session_command){.kind = SESSION_DISCONNECT,
                                           .code = request.code,
                                           .user = request.user,
                                           .client = request.client,
                                           .session = request.session,
                                           .reason = request.reason,
                                           .whitelist = request.whitelist});
    return JSON_OK;
}

static enum json_result call_unsubscribe(struct edge *edge, struct call *call, struct span body,
                                         struct scratch *scratch)
{
    struct api_unsubscribe_request request;
    const enum json_result result = api_json_decode_unsubscribe(body, scratch, &request);
    if (result != JSON_OK) {
        return result;
    }
    if (!has_address(request.user, request.client, request.session)) {
        call->error = API_ERROR_BAD_REQUEST;
        return JSON_OK;
    }
    send_command(edge, call,
                 &(struct session_command){.kind = SESSION_UNSUBSCRIBE,
                                           .code = CLIENT_UNSUBSCRIBE_BY_SERVER,
                                           .user = request.user,
                                           .client = request.client,
                                           .session = request.session,
                                           .channel = request.channel});
    return JSON_OK;
}

/* ---- dispatch ---- */

static enum json_result call_start(struct edge *edge, struct call *call, struct span body,
                                   struct scratch *scratch)
{
    switch (call->method) {
    case API_METHOD_PUBLISH:
    case API_METHOD_BROADCAST:
        return call_publish(edge, call, body, scratch);
    case API_METHOD_PRESENCE:
    case API_METHOD_PRESENCE_STATS:
        return call_presence(edge, call, body, scratch);
    case API_METHOD_CHANNELS:
        return call_channels(edge, call, body, scratch);
    case API_METHOD_INFO:
        return call_info(edge, call, body);
    case API_METHOD_DISCONNECT:
        return call_disconnect(edge, call, body, scratch);
    case API_METHOD_UNSUBSCRIBE:
        return call_unsubscribe(edge, call, body, scratch);
    case API_METHOD_RPC:
        call->error = API_ERROR_NOT_FOUND;
        return JSON_OK;
    default:
        call->error = API_ERROR_NOT_AVAILABLE;
        return JSON_OK;
    }
}

void api_call(struct edge *edge, struct connection *conn, const struct api_request *request)
{
    actors_count(edge->actors, method_counters[request->method]);
    uint32_t handle;
    struct call *call = pool_take(edge->calls, &handle);
    const size_t room = request->body.len + 64;
    uint8_t *decoded = malloc(room);
    if (call == NULL || decoded == NULL) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        if (call != NULL) {
            pool_put(edge->calls, handle);
        }
        free(decoded);
        http_respond_error(edge, conn, 503, "too many calls are under way");
        return;
    }
    call->handle = handle;
    call->connection = conn->handle;
    call->method = request->method;
    call->error_by_transport = request->error_by_transport;
    call->started_ns = edge->shard->now_ns;
    conn->call = handle;
    struct scratch scratch = scratch_of(decoded, room);
    const enum json_result result = call_start(edge, call, request->body, &scratch);
    free(decoded);
    if (result != JSON_OK) {
        actors_count(edge->actors, COUNTER_REFUSED_BODY_INVALID);
        http_respond_error(edge, conn, 400, json_result_text(result));
        call_free(edge, call);
    } else if (call->pending == 0) {
        call_finish(edge, call);
    }
}

void api_destroy(struct edge *edge)
{
    if (edge->calls == NULL) {
        return;
    }
    uint32_t cursor = 0;
    uint32_t handle;
    struct call *call;
    while ((call = pool_next(edge->calls, &cursor, &handle)) != NULL) {
        call_free(edge, call);
    }
}
