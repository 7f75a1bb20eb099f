/* SPDX-License-Identifier: Apache-2.0 */
/* The server API: PROTOCOL 22 over HTTP. A call asks homes, shards or the router and answers when
 * all of them have. */
#include "shards/edge/api/api.h"
#include "shards/edge/api/api_keys.h"

#include <stdlib.h>
#include <string.h>

#include "codec/api_json.h"
#include "shards/edge/api/api_series.h"
#include "shards/edge/api/call.h"
#include "shards/edge/transport/http.h"
#include "shards/edge/session/permissions.h"
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
    [API_METHOD_CONNECTIONS] = COUNTER_API_CONNECTIONS,
    [API_METHOD_REVOKE_TOKEN] = COUNTER_API_REVOKE_TOKEN,
    [API_METHOD_INVALIDATE_USER_TOKENS] = COUNTER_API_INVALIDATE_USER_TOKENS,
    [API_METHOD_BLOCK_USER] = COUNTER_API_BLOCK_USER,
    [API_METHOD_UNBLOCK_USER] = COUNTER_API_UNBLOCK_USER,
    [API_METHOD_BATCH] = COUNTER_API_BATCH,
    [API_METHOD_MAP_PUBLISH] = COUNTER_API_MAP_PUBLISH,
    [API_METHOD_MAP_REMOVE] = COUNTER_API_MAP_REMOVE,
    [API_METHOD_MAP_READ_STATE] = COUNTER_API_MAP_READ_STATE,
    [API_METHOD_MAP_READ_STREAM] = COUNTER_API_MAP_READ_STREAM,
    [API_METHOD_MAP_STATS] = COUNTER_API_MAP_STATS,
    [API_METHOD_MAP_CLEAR] = COUNTER_API_MAP_CLEAR,
    [API_METHOD_SHARED_POLL_PUBLISH] = COUNTER_API_SHARED_POLL_PUBLISH,
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
    call_note_sent(call,
                   ask.channel != NULL && !edge_is_congested(edge, home) &&
                       message_send_presence_ask(edge->shard->mailbox, home, call->handle, &ask),
                   ask.channel, NULL);
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

/* The router asks the other nodes and answers as one more shard. */
void call_survey(struct edge *edge, struct call *call, enum survey_op op, struct span question)
{
    const uint32_t shards = edge->actors->node->shards + (edge->options->cluster.enabled ? 1 : 0);
    call->surveys = calloc(shards, sizeof(struct buf *));
    if (call->surveys == NULL) {
        call->error = API_ERROR_INTERNAL;
        return;
    }
    call->outcomes_len = shards;
    actors_count_action(edge->actors, ACTION_SURVEY);
    for (uint32_t shard = 0; shard < shards; shard++) {
        struct message_survey survey = {.op = op};
        if (!span_is_empty(question)) {
            survey.pattern = buf_copy(question.at, question.len);
        }
        if ((!span_is_empty(question) && survey.pattern == NULL) ||
            !message_send_survey(edge->shard->mailbox, shard, call->handle, &survey)) {
            buf_release(survey.pattern);
            call->error = API_ERROR_INTERNAL;
            return;
        }
        call->pending++;
    }
}

static enum json_result call_channels(struct edge *edge, struct call *call, struct span body,
                                      struct scratch *scratch)
{
    struct api_channels_request request;
    const enum json_result result = api_json_decode_channels(body, scratch, &request);
    if (result == JSON_OK) {
        call_survey(edge, call, SURVEY_CHANNELS, request.pattern);
    }
    return result;
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
    case API_METHOD_MAP_PUBLISH:
    case API_METHOD_MAP_REMOVE:
        return call_map_publish(edge, call, body, scratch);
    case API_METHOD_MAP_READ_STATE:
    case API_METHOD_MAP_STATS:
    case API_METHOD_MAP_CLEAR:
        return call_map_state(edge, call, body, scratch);
    case API_METHOD_MAP_READ_STREAM:
        return call_map_stream(edge, call, body, scratch);
    case API_METHOD_CONNECTIONS:
        return call_connections(edge, call, body, scratch);
    case API_METHOD_REVOKE_TOKEN:
    case API_METHOD_INVALIDATE_USER_TOKENS:
    case API_METHOD_BLOCK_USER:
    case API_METHOD_UNBLOCK_USER:
        return call_revoke(edge, call, body, scratch);
    case API_METHOD_SHARED_POLL_PUBLISH:
        return call_shared_poll_publish(edge, call, body, scratch);
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
