/* SPDX-License-Identifier: Apache-2.0 */
/* The server API's method shared_poll_publish: every node's poller of the channel is told, and the
 * call is answered when all have taken it. */
#include "codec/api_json.h"
#include "shards/edge/api/call.h"
#include "shards/edge/polls/key_poller.h"
#include "shards/edge/polls/tracking.h"

static enum api_error judge(const struct edge *edge, const struct call *call,
                            const struct api_shared_poll_publish_request *request)
{
    const struct channel_options *options;
    if (span_is_empty(request->channel) || span_is_empty(request->key) || request->version == 0) {
        return API_ERROR_BAD_REQUEST;
    }
    const enum api_error error =
        call_judge_channel(edge->options, call->key, request->channel, &options);
    if (error != API_ERROR_NONE) {
        return error;
    }
    if (!tracking_is_of(options) || request->key.len > TRACKED_KEY_LEN_MAX ||
        request->epoch.len > POLL_EPOCH_LEN_MAX || span_is_empty(request->data)) {
        return API_ERROR_BAD_REQUEST;
    }
    return options->shared_poll.publish_enabled ? API_ERROR_NONE : API_ERROR_NOT_AVAILABLE;
}

/* False: it has no room for it, or memory is out. */
static bool send_to(struct edge *edge, struct call *call, uint32_t shard, struct span channel,
                    struct span body)
{
    const struct message_survey survey = {.pattern = buf_copy(channel.at, channel.len),
                                          .request = buf_copy(body.at, body.len),
                                          .op = SURVEY_POLL_PUBLISH};
    if (survey.pattern == NULL || survey.request == NULL ||
        !message_send_survey(edge->shard->mailbox, shard, call->handle, &survey)) {
        buf_release(survey.pattern);
        buf_release(survey.request);
        return false;
    }
    call->pending++;
    return true;
}

enum json_result call_shared_poll_publish(struct edge *edge, struct call *call, struct span body,
                                          struct scratch *scratch)
{
    struct api_shared_poll_publish_request request;
    const enum json_result result = api_json_decode_shared_poll_publish(body, scratch, &request);
    if (result != JSON_OK) {
        return result;
    }
    call->error = judge(edge, call, &request);
    if (call->error != API_ERROR_NONE) {
        return JSON_OK;
    }
    /* The router asks the other nodes and answers as one more shard. */
    const bool is_sent =
        send_to(edge, call, key_poller_shard_of(edge, request.channel), request.channel, body) &&
        (!edge->options->cluster.enabled ||
         send_to(edge, call, edge->actors->node->shards, request.channel, body));
    if (!is_sent) {
        call->error = API_ERROR_INTERNAL;
    }
    return JSON_OK;
}
