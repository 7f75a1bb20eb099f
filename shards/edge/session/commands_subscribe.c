/* SPDX-License-Identifier: Apache-2.0 */
/* The commands subscribe and unsubscribe: PROTOCOL 9. */
#include "shards/edge/session/auth.h"
#include "shards/edge/session/commands.h"
#include "shards/edge/fanout/filters.h"
#include "shards/edge/fanout/hub.h"
#include "shards/edge/maps/map_catch_ups.h"
#include "shards/edge/maps/map_subscriptions.h"
#include "shards/edge/session/server_subs.h"
#include "shards/edge/fanout/streams.h"
#include "shards/edge/polls/tracking.h"

struct permissions_client command_client_of(const struct edge *edge, const struct session *session,
                                            struct span channel)
{
    return (struct permissions_client){
        .user = session_user(session),
        .is_subscribed = hub_find_subscription(edge, session, channel) != NULL,
    };
}

/* Who wants to subscribe: to a channel of which kind, and what he is granted. */
struct candidate {
    const struct channel_options *options;
    struct auth_subscription grant;
};

/* PROTOCOL 9.1, rule 9: who may, and with what. */
static struct verdict judge_subscriber(struct edge *edge, struct session *session,
                                       const struct client_command *command,
                                       struct scratch *scratch, struct candidate *candidate)
{
    const struct node_options *options = edge->options;
    const struct channel_options *channel_options = candidate->options;
    const struct span channel = command->subscribe.channel;
    struct auth_subscription *grant = &candidate->grant;
    if (!span_is_empty(command->subscribe.token)) {
        *grant = auth_subscribe(edge, command->subscribe.token, channel, session, scratch);
        grant->source = SUBSCRIPTION_BY_TOKEN;
    } else if (permissions_asks_subscribe_proxy(options, channel_options, channel)) {
        const enum proxy_step step =
            proxy_subscribe(edge, session, channel_options->subscribe_proxy, command, grant);
        if (step != PROXY_GRANTED) {
            return verdict_of_proxy(step);
        }
        grant->source = SUBSCRIPTION_BY_PROXY;
    } else {
        grant->source = permissions_may_subscribe(options, channel_options, channel,
                                                  command_client_of(edge, session, channel));
        if (grant->source == SUBSCRIPTION_BY_NOTHING) {
            return VERDICT_ERROR(PERMISSION_DENIED);
        }
    }
    return (struct verdict){.error = grant->error,
                            .disconnect = grant->disconnect,
                            .waits = grant->waits};
}

/* For a client that may subscribe. */
static struct verdict subscribe(struct edge *edge, struct session *session,
                                const struct client_command *command,
                                const struct channel_options *channel_options,
                                const struct auth_subscription *grant)
{
    const struct node_options *options = edge->options;
    const struct client_subscribe_request *request = &command->subscribe;
    if (!session_understands(session, grant->data)) {
        return VERDICT_DISCONNECT(INAPPROPRIATE_PROTOCOL);
    }
    const struct channel_options effective =
        server_subs_override(channel_options, &grant->override);
    struct shared_filter *filter = NULL;
    const uint32_t error = span_is_empty(request->tf) ? 0
                           : channel_options->allow_tags_filter
                               ? filters_take(edge, request->tf, &filter)
                               : (uint32_t)CLIENT_ERROR_BAD_REQUEST;
    if (error != 0) {
        return (struct verdict){.error = error};
    }
    const struct permissions_client subscriber = {.user = session_user(session),
                                                  .is_subscribed = true};
    const bool sees_presence = permissions_may_see_presence(options, channel_options, subscriber);
    const bool may_see_history = permissions_may_see_history(options, channel_options, subscriber);
    const struct hub_subscribe hub_request = {
        .channel = request->channel,
        .options = channel_options,
        .chan_info = grant->info,
        .data = grant->data,
        .expire_at_s = grant->expire_at_s,
        .token = grant->token,
        .source = grant->source,
        .command_id = command->id,
        .emits = hub_emits_of(&effective),
        .push_join_leave = effective.join_leave && (effective.force_push_join_leave ||
                                                    (request->join_leave && sees_presence)),
        .has_delta = !span_is_empty(request->delta) &&
                     (channel_options->allowed_delta_types & 1u << DELTA_TYPE_FOSSIL) != 0,
        .filter = filter,
        .is_tracking = tracking_is_of(channel_options),
        .stream_flags = tracking_is_of(channel_options)
                            ? 0
                            : streams_flags_of(&effective, request, may_see_history),
        .since = {request->offset, epoch_parse(request->epoch)},
    };
    return map_is_type(request->type)
               ? map_subscriptions_begin(edge, session, command, &hub_request)
               : (struct verdict){.error = hub_subscribe(edge, session, &hub_request)};
}

/* Whether it is one of shared polls is asked before anything else. 0, or the error to answer with.
 */
static uint32_t find_wrong_poll(const struct edge *edge,
                                const struct client_subscribe_request *request)
{
    const struct channel_options *options =
        permissions_find_channel(edge->options, request->channel);
    const bool is_tracking = options != NULL && tracking_is_of(options);
    if ((request->type == CLIENT_SUBSCRIPTION_SHARED_POLL) == is_tracking) {
        return 0;
    }
    return is_tracking ? CLIENT_ERROR_BAD_REQUEST : CLIENT_ERROR_NOT_AVAILABLE;
}

/* PROTOCOL 9.1, rules 4 to 8: 0, or the error to answer with. */
static uint32_t find_fault(struct edge *edge, struct session *session,
                           const struct client_subscribe_request *request,
                           const struct channel_options **channel_options)
{
    const struct node_options *options = edge->options;
    const struct span channel = request->channel;
    if (channel.len > options->channel_max_length) {
        return CLIENT_ERROR_BAD_REQUEST;
    }
    if (hub_find_subscription(edge, session, channel) != NULL ||
        map_catch_up_find(edge, session, channel) != NULL) {
        return CLIENT_ERROR_ALREADY_SUBSCRIBED;
    }
    if (session->subscription_count + map_catch_ups_count(edge, session, channel) >=
        options->client.channel_limit) {
        return CLIENT_ERROR_LIMIT_EXCEEDED;
    }
    *channel_options = permissions_find_channel(options, channel);
    if (*channel_options == NULL) {
        return CLIENT_ERROR_UNKNOWN_CHANNEL;
    }
    if (!permissions_is_clients_channel_name(options, *channel_options, channel)) {
        return CLIENT_ERROR_BAD_REQUEST;
    }
    return request->type == (int32_t)(*channel_options)->subscription_type
               ? 0
               : (uint32_t)CLIENT_ERROR_PERMISSION_DENIED;
}

/* PROTOCOL 9.1, in its order. */
struct verdict command_subscribe(struct edge *edge, struct session *session,
                                 const struct client_command *command, struct scratch *scratch)
{
    const struct client_subscribe_request *request = &command->subscribe;
    if (span_is_empty(request->channel)) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    uint32_t error = find_wrong_poll(edge, request);
    if (error != 0) {
        return (struct verdict){.error = error};
    }
    if (!map_is_type(request->type) && !span_is_empty(request->delta) &&
        !span_equal(request->delta, SPAN_LITERAL("fossil"))) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    if (map_is_type(request->type) &&
        (request->phase != MAP_PHASE_STATE || !span_is_empty(request->cursor))) {
        struct map_catch_up *catch_up = map_catch_up_find(edge, session, request->channel);
        if (catch_up != NULL) {
            return map_subscriptions_go_on(edge, catch_up, command);
        }
        if (!span_is_empty(request->cursor)) {
            return VERDICT_ERROR(PERMISSION_DENIED);
        }
    }
    const struct channel_options *channel_options;
    error = find_fault(edge, session, request, &channel_options);
    if (error != 0) {
        return (struct verdict){.error = error};
    }
    struct candidate candidate = {.options = channel_options};
    const struct verdict verdict = judge_subscriber(edge, session, command, scratch, &candidate);
    const struct auth_subscription grant = candidate.grant;
    if (verdict.error != 0 || verdict.disconnect != 0 || verdict.waits || verdict.is_told) {
        return verdict;
    }
    return subscribe(edge, session, command, channel_options, &grant);
}

struct verdict command_unsubscribe(struct edge *edge, struct session *session,
                                   const struct client_command *command)
{
    if (span_is_empty(command->unsubscribe.channel)) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    struct subscription *subscription =
        hub_find_subscription(edge, session, command->unsubscribe.channel);
    if (subscription != NULL && subscription->state != SUBSCRIPTION_ACTIVE) {
        subscription->is_awaited = true;
        return (struct verdict){.waits = true};
    }
    struct map_catch_up *catch_up = map_catch_up_find(edge, session, command->unsubscribe.channel);
    if (catch_up != NULL && !map_subscriptions_leave(edge, catch_up)) {
        return (struct verdict){.waits = true};
    }
    if (subscription != NULL) {
        hub_unsubscribe(edge, session, subscription);
    }
    session_reply(edge, session,
                  &(struct client_reply){.id = command->id, .kind = CLIENT_REPLY_UNSUBSCRIBE});
    return VERDICT_DONE;
}
