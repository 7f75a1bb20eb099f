/* SPDX-License-Identifier: Apache-2.0 */
/* The server API: PROTOCOL 22 over HTTP. A call asks homes, shards or the router and answers when
 * all of them have. */
#include "shards/edge/api.h"
#include "shards/edge/api_keys.h"

#include <stdlib.h>
#include <string.h>

#include "codec/api_json.h"
#include "shards/edge/api_series.h"
#include "shards/edge/call.h"
#include "shards/edge/http.h"
#include "shards/edge/permissions.h"
#include "shards/edge/streams.h"
#include "shards/payloads.h"

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

bool api_wants_transport_errors(const struct node_options *options,
                                const struct http1_request *request)
{
    struct span value;
    return options->http_api.error_mode_transport ||
           (http1_find_header(request, "X-Centrifugo-Error-Mode", &value) &&
            span_equal(value, SPAN_LITERAL("transport")));
}

/* ---- publish, broadcast ---- */

/* Sends one publication; an error when it was not sent. */
static enum api_error publish_one(struct edge *edge, struct call *call, struct span channel,
                                  const struct api_publish_request *request, uint32_t cookie)
{
    const struct channel_options *channel_options;
    const enum api_error error =
        call_judge_channel(edge->options, call->key, channel, &channel_options);
    if (error != API_ERROR_NONE) {
        return error;
    }
    if (!permissions_is_data(channel_options, request->data) || span_is_empty(request->data)) {
        return API_ERROR_BAD_REQUEST;
    }
    if (request->idempotency_key.len > IDEMPOTENCY_KEY_LEN_MAX) {
        return API_ERROR_BAD_REQUEST;
    }
    const uint32_t home = actors_home_of(edge->actors, channel);
    const struct publish_request packed = {
        .channel = channel,
        .data = request->data,
        .tags = request->tags,
        .idempotency_key = request->idempotency_key,
        .version_epoch = request->version_epoch,
        .version = request->version,
        .is_binary = request->data_is_binary && json_check(request->data) != JSON_OK,
        .wants_delta = request->delta || channel_options->delta_publish,
    };
    struct message_publish body = {
        .request = publish_request_make(&packed),
        .cookie = cookie,
        .origin = ORIGIN_API,
    };
    streams_keep(edge, channel_options, request->skip_history, &body);
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
    call->error = call_judge_channel(edge->options, call->key, request.channel, &channel_options);
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
    /* The router asks the other nodes and answers as one more shard. */
    const uint32_t shards = edge->actors->node->shards + (edge->options->cluster.enabled ? 1 : 0);
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
    if (call->surveys != NULL) {
        call->surveys[message->from] = body.result;
    } else {
        buf_release(body.result);
    }
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

/* The anonymous user has no directory: every node looks. Gives back a count of the command. */
static void send_command_abroad(struct edge *edge, struct buf *packed)
{
    const struct message_user_command body = {.command = packed};
    if (edge->options->cluster.enabled) {
        OUTBOX_SEND(edge->actors->outbox, edge->actors->node->shards, user_command, 0, &body);
    } else {
        buf_release(packed);
    }
}

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
        buf_share(packed, shards);
        for (uint32_t shard = 0; shard < shards; shard++) {
            OUTBOX_SEND(edge->actors->outbox, shard, session_command, 0, &body);
        }
        send_command_abroad(edge, packed);
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
    if (!span_is_empty(request.channel) &&
        permissions_find_channel(edge->options, request.channel) == NULL) {
        call->error = API_ERROR_UNKNOWN_CHANNEL;
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

/* ---- subscribe, refresh ---- */

static enum json_result call_subscribe(struct edge *edge, struct call *call, struct span body,
                                       struct scratch *scratch)
{
    struct api_subscribe_request request;
    const struct channel_options *channel_options;
    const enum json_result result = api_json_decode_subscribe(body, scratch, &request);
    if (result != JSON_OK) {
        return result;
    }
    call->error =
        has_address(request.user, request.client, request.session)
            ? call_judge_channel(edge->options, call->key, request.channel, &channel_options)
            : API_ERROR_BAD_REQUEST;
    if (call->error == API_ERROR_NONE) {
        send_command(edge, call,
                     &(struct session_command){.kind = SESSION_SUBSCRIBE,
                                               .user = request.user,
                                               .client = request.client,
                                               .session = request.session,
                                               .channel = request.channel,
                                               .detail = body});
    }
    return JSON_OK;
}

static enum json_result call_refresh(struct edge *edge, struct call *call, struct span body,
                                     struct scratch *scratch)
{
    struct api_refresh_request request;
    const enum json_result result = api_json_decode_refresh(body, scratch, &request);
    if (result != JSON_OK) {
        return result;
    }
    if (!has_address(request.user, request.client, request.session)) {
        call->error = API_ERROR_BAD_REQUEST;
        return JSON_OK;
    }
    send_command(edge, call,
                 &(struct session_command){.kind = SESSION_REFRESH,
                                           .user = request.user,
                                           .client = request.client,
                                           .session = request.session,
                                           .detail = body});
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
    case API_METHOD_HISTORY:
    case API_METHOD_HISTORY_REMOVE:
        return call_history(edge, call, body, scratch);
    case API_METHOD_CHANNELS:
        return call_channels(edge, call, body, scratch);
    case API_METHOD_INFO:
        return call_info(edge, call, body);
    case API_METHOD_DISCONNECT:
        return call_disconnect(edge, call, body, scratch);
    case API_METHOD_UNSUBSCRIBE:
        return call_unsubscribe(edge, call, body, scratch);
    case API_METHOD_SUBSCRIBE:
        return call_subscribe(edge, call, body, scratch);
    case API_METHOD_REFRESH:
        return call_refresh(edge, call, body, scratch);
    case API_METHOD_RPC:
        call->error = API_ERROR_NOT_FOUND;
        return JSON_OK;
    default:
        call->error = API_ERROR_NOT_AVAILABLE;
        return JSON_OK;
    }
}

/* A call of that method, started: what waits for it may be set. NULL: there is no room. */
static struct call *call_open(struct edge *edge, enum api_method method, struct span body,
                              uint16_t key, enum json_result *result)
{
    actors_count(edge->actors, method_counters[method]);
    uint32_t handle;
    struct call *call = pool_take(edge->calls, &handle);
    const size_t room = body.len + 64;
    uint8_t *decoded = malloc(room);
    if (call == NULL || decoded == NULL) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        if (call != NULL) {
            pool_put(edge->calls, handle);
        }
        free(decoded);
        return NULL;
    }
    call->handle = handle;
    call->method = method;
    call->key = key;
    call->started_ns = edge->shard->now_ns;
    struct scratch scratch = scratch_of(decoded, room);
    *result = JSON_OK;
    if (api_keys_allow_method(&edge->options->http_api, key, method)) {
        *result = call_start(edge, call, body, &scratch);
    } else {
        call->error = API_ERROR_PERMISSION_DENIED;
    }
    free(decoded);
    return call;
}

void api_call(struct edge *edge, struct connection *conn, const struct api_request *request)
{
    enum json_result result;
    if (request->method == API_METHOD_BATCH || request->method == API_METHOD_COUNT) {
        api_series_begin(edge, conn, request);
        return;
    }
    struct call *call = call_open(edge, request->method, request->body, request->key, &result);
    if (call == NULL) {
        http_respond_error(edge, conn, 503, "too many calls are under way");
        return;
    }
    call->connection = conn->handle;
    call->error_by_transport = request->error_by_transport;
    conn->call = call->handle;
    if (result != JSON_OK) {
        actors_count(edge->actors, COUNTER_REFUSED_BODY_INVALID);
        http_respond_error(edge, conn, 400, json_result_text(result));
        call_free(edge, call);
    } else if (call->pending == 0) {
        call_finish(edge, call);
    }
}

bool api_call_in_series(struct edge *edge, const struct api_command *command, uint16_t key,
                        uint32_t series, uint32_t index)
{
    enum json_result result;
    struct call *call = call_open(edge, command->method, command->params, key, &result);
    if (call == NULL) {
        return false;
    }
    call->series = series;
    call->series_index = index;
    if (result != JSON_OK) {
        call->error = API_ERROR_BAD_REQUEST;
    }
    if (call->pending == 0) {
        call_finish(edge, call);
    }
    return true;
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
