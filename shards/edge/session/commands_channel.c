/* SPDX-License-Identifier: Apache-2.0 */
/* What a client asks of a channel without subscribing: publish, presence, history (PROTOCOL 13). */
#include "codec/json.h"
#include "shards/edge/session/commands.h"
#include "shards/edge/fanout/hub.h"
#include "shards/edge/fanout/streams.h"
#include "shards/edge/polls/tracking.h"

struct verdict command_send_publication(struct edge *edge, struct session *session,
                                        uint32_t command_id, const struct publish_request *request,
                                        bool skip_history)
{
    const struct span channel = request->channel;
    const uint32_t home = actors_home_of(edge->actors, channel);
    struct message_publish body = {.cookie = command_id, .origin = ORIGIN_SESSION};
    const struct subscription *subscription = hub_find_subscription(edge, session, channel);
    const struct subscription_grant *grant =
        subscription == NULL ? NULL : hub_grant_of(edge, subscription);
    if (grant != NULL && grant->identity != NULL) {
        body.identity = grant->identity;
        buf_share(body.identity, 1);
    } else {
        body.identity = session_identity(session);
    }
    body.request = publish_request_make(request);
    streams_keep(edge, permissions_find_channel(edge->options, channel), skip_history, &body);
    const bool is_made = body.identity != NULL && body.request != NULL;
    if (!is_made || edge_is_congested(edge, home) ||
        !message_send_publish(edge->shard->mailbox, home, session->conn->handle, &body)) {
        buf_release(body.identity);
        buf_release(body.request);
        return is_made ? VERDICT_ERROR(TOO_MANY_REQUESTS) : VERDICT_ERROR(INTERNAL);
    }
    session->in_flight++;
    return VERDICT_DONE;
}

struct verdict command_publish(struct edge *edge, struct session *session,
                               const struct client_command *command)
{
    const struct node_options *options = edge->options;
    const struct span channel = command->publish.channel;
    if (span_is_empty(channel)) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    const struct channel_options *channel_options = permissions_find_channel(options, channel);
    if (channel_options == NULL) {
        return VERDICT_ERROR(UNKNOWN_CHANNEL);
    }
    if (!permissions_is_clients_channel_name(options, channel_options, channel) ||
        channel_options->is_wildcard) {
        return VERDICT_ERROR(BAD_REQUEST);
    }
    if (command->publish.type == CLIENT_SUBSCRIPTION_MAP) {
        return command_publish_key(edge, session, command, channel_options);
    }
    if (command->publish.type != CLIENT_SUBSCRIPTION_STREAM ||
        channel_options->map.mode != MAP_NONE || tracking_is_of(channel_options)) {
        return VERDICT_ERROR(BAD_REQUEST);
    }
    struct proxy_answer answer = {.data = command->publish.data};
    if (channel_options->publish_proxy != NULL) {
        const enum proxy_step step =
            proxy_publish(edge, session, channel_options->publish_proxy, command, &answer);
        if (step != PROXY_GRANTED) {
            return verdict_of_proxy(step);
        }
    } else if (!permissions_may_publish(options, channel_options,
                                        command_client_of(edge, session, channel))) {
        return VERDICT_ERROR(PERMISSION_DENIED);
    }
    if (!permissions_is_data(channel_options, answer.data) || span_is_empty(answer.data) ||
        answer.idempotency_key.len > IDEMPOTENCY_KEY_LEN_MAX) {
        return VERDICT_ERROR(BAD_REQUEST);
    }
    const struct publish_request request = {
        .channel = channel,
        .data = answer.data,
        .tags = answer.tags,
        .idempotency_key = answer.idempotency_key,
        .version_epoch = answer.version_epoch,
        .version = answer.version,
        .is_binary =
            (answer.data_is_binary || connection_protocol(session->conn) == CLIENT_PROTOBUF) &&
            json_check(answer.data) != JSON_OK,
        .wants_delta = channel_options->delta_publish || answer.delta,
    };
    return command_send_publication(edge, session, command->id, &request, answer.skip_history);
}

struct verdict command_presence(struct edge *edge, struct session *session,
                                const struct client_command *command)
{
    const struct node_options *options = edge->options;
    const struct span channel = command->presence.channel;
    if (span_is_empty(channel)) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    const struct channel_options *channel_options = permissions_find_channel(options, channel);
    if (channel_options == NULL) {
        return VERDICT_ERROR(UNKNOWN_CHANNEL);
    }
    if (!permissions_is_clients_channel_name(options, channel_options, channel)) {
        return VERDICT_ERROR(BAD_REQUEST);
    }
    if (!channel_options->presence) {
        return VERDICT_ERROR(NOT_AVAILABLE);
    }
    if (!permissions_may_see_presence(options, channel_options,
                                      command_client_of(edge, session, channel))) {
        return VERDICT_ERROR(PERMISSION_DENIED);
    }
    const struct message_presence_ask body = {
        .channel = buf_copy(channel.at, channel.len),
        .cookie = command->id,
        .origin = ORIGIN_SESSION,
        .stats_only = command->method == CLIENT_METHOD_PRESENCE_STATS,
    };
    if (body.channel == NULL) {
        return VERDICT_ERROR(INTERNAL);
    }
    const uint32_t home = actors_home_of(edge->actors, channel);
    if (edge_is_congested(edge, home) ||
        !message_send_presence_ask(edge->shard->mailbox, home, session->conn->handle, &body)) {
        buf_release(body.channel);
        return VERDICT_ERROR(TOO_MANY_REQUESTS);
    }
    session->in_flight++;
    return VERDICT_DONE;
}

struct verdict command_history(struct edge *edge, struct session *session,
                               const struct client_command *command)
{
    if (span_is_empty(command->history.channel)) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    return (struct verdict){.error = streams_ask(edge, session, command)};
}
