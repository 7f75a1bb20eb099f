/* SPDX-License-Identifier: Apache-2.0 */
/* The server API's methods publish and broadcast. */
#include <stdlib.h>

#include "codec/api_json.h"
#include "shards/edge/api/api.h"
#include "shards/edge/api/call.h"
#include "shards/edge/session/permissions.h"
#include "shards/edge/fanout/streams.h"

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
    if (channel_options->is_wildcard ||
        channel_options->subscription_type != CLIENT_SUBSCRIPTION_STREAM ||
        !permissions_is_data(channel_options, request->data) || span_is_empty(request->data)) {
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

enum json_result call_publish(struct edge *edge, struct call *call, struct span body,
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
    if (call->outcomes == NULL) {
        call->published = body;
        call->error = call_error_of(body.error);
        call_answered(edge, call);
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
