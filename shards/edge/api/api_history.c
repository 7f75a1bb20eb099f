/* SPDX-License-Identifier: Apache-2.0 */
/* The server API's methods on a channel's stream: history and history_remove. */
#include "codec/api_json.h"
#include "shards/edge/api/api.h"
#include "shards/edge/api/call.h"

static enum json_result decode_history(const struct call *call, struct span body,
                                       struct scratch *scratch, struct api_history_request *request)
{
    if (call->method == API_METHOD_HISTORY) {
        return api_json_decode_history(body, scratch, request);
    }
    struct api_channel_request channel;
    const enum json_result result = api_json_decode_channel(body, scratch, &channel);
    *request = (struct api_history_request){.channel = channel.channel};
    return result;
}

enum json_result call_history(struct edge *edge, struct call *call, struct span body,
                              struct scratch *scratch)
{
    struct api_history_request request;
    const enum json_result result = decode_history(call, body, scratch, &request);
    if (result != JSON_OK) {
        return result;
    }
    const struct channel_options *channel_options;
    call->error = call_judge_channel(edge->options, call->key, request.channel, &channel_options);
    if (call->error == API_ERROR_NONE && !streams_has_history(channel_options)) {
        call->error = API_ERROR_NOT_AVAILABLE;
    }
    if (call->error == API_ERROR_NONE && request.reverse && request.since_present &&
        request.since_offset == 0) {
        call->error = API_ERROR_BAD_REQUEST;
    }
    if (call->error != API_ERROR_NONE) {
        return JSON_OK;
    }
    const struct message_history_ask ask = {
        .channel = buf_copy(request.channel.at, request.channel.len),
        .since = {request.since_offset, epoch_parse(request.since_epoch)},
        .origin = ORIGIN_API,
        .flags = (request.since_present ? HISTORY_SINCE : 0u) |
                 (request.reverse ? HISTORY_REVERSE : 0u) |
                 (call->method == API_METHOD_HISTORY_REMOVE ? HISTORY_REMOVE : 0u),
        .limit = request.limit < 0 ? UINT32_MAX : (uint32_t)request.limit,
        .bytes_max = UINT32_MAX,
        .meta_ttl_s = streams_meta_ttl_s(edge, channel_options),
    };
    const uint32_t home = actors_home_of(edge->actors, request.channel);
    call_note_sent(call,
                   ask.channel != NULL && !edge_is_congested(edge, home) &&
                       message_send_history_ask(edge->shard->mailbox, home, call->handle, &ask),
                   ask.channel, NULL);
    return JSON_OK;
}

void api_on_history(struct edge *edge, const struct message *message)
{
    const struct message_history body = message_as_history(message);
    struct call *call = call_of_handle(edge, message->handle);
    if (call == NULL) {
        stream_page_release(body.page);
        return;
    }
    call->history = body;
    call->error = call_error_of(body.error);
    call_answered(edge, call);
}
