/* SPDX-License-Identifier: Apache-2.0 */
/* What a client may ask of its session: PROTOCOL 5 (dispatch), 6 (connect), 8 (refresh), 9
 * (subscribe), 13 (the rest). */
#include <stdlib.h>

#include "codec/json.h"
#include "shards/edge/auth.h"
#include "shards/edge/filters.h"
#include "shards/edge/hub.h"
#include "shards/edge/permissions.h"
#include "shards/edge/proxy.h"
#include "shards/edge/server_subs.h"
#include "shards/edge/streams.h"
#include "shards/edge/users.h"

static const enum counter command_counters[CLIENT_METHOD_COUNT] = {
    [CLIENT_METHOD_PONG] = COUNTER_TRANSPORT_RECEIVED_CLIENT_PONG,
    [CLIENT_METHOD_CONNECT] = COUNTER_COMMAND_CONNECT,
    [CLIENT_METHOD_SUBSCRIBE] = COUNTER_COMMAND_SUBSCRIBE,
    [CLIENT_METHOD_UNSUBSCRIBE] = COUNTER_COMMAND_UNSUBSCRIBE,
    [CLIENT_METHOD_PUBLISH] = COUNTER_COMMAND_PUBLISH,
    [CLIENT_METHOD_PRESENCE] = COUNTER_COMMAND_PRESENCE,
    [CLIENT_METHOD_PRESENCE_STATS] = COUNTER_COMMAND_PRESENCE_STATS,
    [CLIENT_METHOD_HISTORY] = COUNTER_COMMAND_HISTORY,
    [CLIENT_METHOD_RPC] = COUNTER_COMMAND_RPC,
    [CLIENT_METHOD_SEND] = COUNTER_COMMAND_SEND,
    [CLIENT_METHOD_REFRESH] = COUNTER_COMMAND_REFRESH,
    [CLIENT_METHOD_SUB_REFRESH] = COUNTER_COMMAND_SUB_REFRESH,
    [CLIENT_METHOD_PING] = COUNTER_TRANSPORT_RECEIVED_CLIENT_PONG,
};

/* What a handler decided: at most one of them is set; neither, and it has answered or will. */
struct verdict {
    uint32_t error;
    uint32_t disconnect;
    bool waits;   /* Or: it has to be tried again when the session is resumed. */
    bool is_told; /* Or: the client has been told, and may be gone. */
};

#define VERDICT_ERROR(name) ((struct verdict){.error = CLIENT_ERROR_##name})
#define VERDICT_DISCONNECT(name) ((struct verdict){.disconnect = CLIENT_DISCONNECT_##name})
static const struct verdict verdict_done;

/* ---- connect ---- */

/* Registers the user's session with the directory. False: its ring is full, or what it is told of
 * the user's other sessions waits for it. */
static bool enter_directory(struct edge *edge, struct session *session)
{
    const struct message_user_add body = {.user = session->account->user->id};
    const uint32_t home = actors_home_of(edge->actors, session_user(session));
    buf_share(body.user, 1);
    if (edge_is_congested(edge, home) ||
        !message_send_user_add(edge->shard->mailbox, home, session->handle, &body)) {
        buf_release(body.user);
        return false;
    }
    session->awaits_directory = true;
    return true;
}

/* What a backend's answer means where none but that counts: its error or its silence was told. */
static struct verdict verdict_of(enum proxy_step step)
{
    return (struct verdict){.waits = step == PROXY_WAITS, .is_told = step == PROXY_ENDED};
}

static struct verdict on_connect(struct edge *edge, struct session *session,
                                 const struct client_command *command, struct scratch *scratch)
{
    struct auth_result who;
    const enum proxy_step step = proxy_connect(edge, session, command, scratch, &who);
    if (step != PROXY_GRANTED) {
        return verdict_of(step);
    }
    if (who.disconnect != 0 || who.waits) {
        return (struct verdict){.disconnect = who.disconnect, .waits = who.waits};
    }
    if (who.error != 0) {
        session->state = SESSION_REFUSED;
        return (struct verdict){.error = who.error};
    }
    if ((!span_equal(who.user, session_user(session)) && !users_set(edge, session, who.user)) ||
        !session_set_credentials(session, who.info, who.expire_at_s) ||
        !session_set_meta(session, who.meta)) {
        return VERDICT_DISCONNECT(INTERNAL);
    }
    const struct verdict verdict = {
        .disconnect = server_subs_begin(edge, session, &who, &command->connect, scratch)};
    if (verdict.disconnect != 0) {
        return verdict;
    }
    if (!span_is_empty(session_user(session)) && !enter_directory(edge, session)) {
        return VERDICT_DISCONNECT(TOO_MANY_REQUESTS);
    }
    const bool asks_first = edge->options->client.user_connection_limit > 0;
    if ((session->awaits_directory && asks_first) || server_subs_wait(session)) {
        session->state = SESSION_JOINING;
        session->account->connect_id = command->id;
        return verdict_done;
    }
    session_on_connected(edge, session, command->id);
    return verdict_done;
}

/* ---- subscribe ---- */

static struct permissions_client client_of(const struct edge *edge, const struct session *session,
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
    } else if (permissions_asks_subscribe_proxy(options, channel_options, channel)) {
        const enum proxy_step step =
            proxy_subscribe(edge, session, channel_options->subscribe_proxy, command, grant);
        if (step != PROXY_GRANTED) {
            return verdict_of(step);
        }
    } else if (!permissions_may_subscribe(options, channel_options, channel,
                                          client_of(edge, session, channel))) {
        return VERDICT_ERROR(PERMISSION_DENIED);
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
        .command_id = command->id,
        .emits = hub_emits_of(&effective),
        .push_join_leave = effective.join_leave && (effective.force_push_join_leave ||
                                                    (request->join_leave && sees_presence)),
        .has_delta = !span_is_empty(request->delta) &&
                     (channel_options->allowed_delta_types & 1u << DELTA_TYPE_FOSSIL) != 0,
        .filter = filter,
        .stream_flags = streams_flags_of(&effective, request, may_see_history),
        .since = {request->offset, epoch_parse(request->epoch)},
    };
    return (struct verdict){.error = hub_subscribe(edge, session, &hub_request)};
}

/* PROTOCOL 9.1, in its order. */
static struct verdict on_subscribe(struct edge *edge, struct session *session,
                                   const struct client_command *command, struct scratch *scratch)
{
    const struct node_options *options = edge->options;
    const struct client_subscribe_request *request = &command->subscribe;
    const struct span channel = request->channel;
    if (span_is_empty(channel)) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    if (request->type == CLIENT_SUBSCRIPTION_SHARED_POLL) {
        return VERDICT_ERROR(NOT_AVAILABLE);
    }
    if (!span_is_empty(request->delta) && !span_equal(request->delta, SPAN_LITERAL("fossil"))) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    if (channel.len > options->channel_max_length) {
        return VERDICT_ERROR(BAD_REQUEST);
    }
    if (hub_find_subscription(edge, session, channel) != NULL) {
        return VERDICT_ERROR(ALREADY_SUBSCRIBED);
    }
    if (session->subscription_count >= options->client.channel_limit) {
        return VERDICT_ERROR(LIMIT_EXCEEDED);
    }
    const struct channel_options *channel_options = permissions_find_channel(options, channel);
    if (channel_options == NULL) {
        return VERDICT_ERROR(UNKNOWN_CHANNEL);
    }
    if (!permissions_is_channel_name(options, channel)) {
        return VERDICT_ERROR(BAD_REQUEST);
    }
    if (request->type != CLIENT_SUBSCRIPTION_STREAM) {
        return VERDICT_ERROR(PERMISSION_DENIED);
    }
    struct candidate candidate = {.options = channel_options};
    const struct verdict verdict = judge_subscriber(edge, session, command, scratch, &candidate);
    const struct auth_subscription grant = candidate.grant;
    if (verdict.error != 0 || verdict.disconnect != 0 || verdict.waits || verdict.is_told) {
        return verdict;
    }
    return subscribe(edge, session, command, channel_options, &grant);
}

/* False: the channel's subscribe is still under way, so this command waits for its answer. */
static bool on_unsubscribe(struct edge *edge, struct session *session,
                           const struct client_command *command)
{
    struct subscription *subscription =
        hub_find_subscription(edge, session, command->unsubscribe.channel);
    if (subscription != NULL && subscription->state != SUBSCRIPTION_ACTIVE) {
        subscription->is_awaited = true;
        return false;
    }
    if (subscription != NULL) {
        hub_unsubscribe(edge, session, subscription);
    }
    session_reply(edge, session,
                  &(struct client_reply){.id = command->id, .kind = CLIENT_REPLY_UNSUBSCRIBE});
    return true;
}

/* ---- publish, presence ---- */

static struct verdict on_publish(struct edge *edge, struct session *session,
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
    if (!permissions_is_channel_name(options, channel) ||
        command->publish.type != CLIENT_SUBSCRIPTION_STREAM) {
        return VERDICT_ERROR(BAD_REQUEST);
    }
    struct proxy_answer answer = {.data = command->publish.data};
    if (channel_options->publish_proxy != NULL) {
        const enum proxy_step step =
            proxy_publish(edge, session, channel_options->publish_proxy, command, &answer);
        if (step != PROXY_GRANTED) {
            return verdict_of(step);
        }
    } else if (!permissions_may_publish(options, channel_options,
                                        client_of(edge, session, channel))) {
        return VERDICT_ERROR(PERMISSION_DENIED);
    }
    if (!permissions_is_data(channel_options, answer.data) || span_is_empty(answer.data) ||
        answer.idempotency_key.len > IDEMPOTENCY_KEY_LEN_MAX) {
        return VERDICT_ERROR(BAD_REQUEST);
    }
    const uint32_t home = actors_home_of(edge->actors, channel);
    struct message_publish body = {.cookie = command->id, .origin = ORIGIN_SESSION};
    const struct subscription *subscription = hub_find_subscription(edge, session, channel);
    const struct subscription_grant *grant =
        subscription == NULL ? NULL : hub_grant_of(edge, subscription);
    if (grant != NULL && grant->identity != NULL) {
        body.identity = grant->identity;
        buf_share(body.identity, 1);
    } else {
        body.identity = session_identity(session);
    }
    body.request = publish_request_make(&(struct publish_request){
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
    });
    streams_keep(edge, channel_options, answer.skip_history, &body);
    const bool is_made = body.identity != NULL && body.request != NULL;
    if (!is_made || edge_is_congested(edge, home) ||
        !message_send_publish(edge->shard->mailbox, home, session->conn->handle, &body)) {
        buf_release(body.identity);
        buf_release(body.request);
        return is_made ? VERDICT_ERROR(TOO_MANY_REQUESTS) : VERDICT_ERROR(INTERNAL);
    }
    session->in_flight++;
    return verdict_done;
}

static struct verdict on_presence(struct edge *edge, struct session *session,
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
    if (!permissions_is_channel_name(options, channel)) {
        return VERDICT_ERROR(BAD_REQUEST);
    }
    if (!channel_options->presence) {
        return VERDICT_ERROR(NOT_AVAILABLE);
    }
    if (!permissions_may_see_presence(options, channel_options,
                                      client_of(edge, session, channel))) {
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
    return verdict_done;
}

static struct verdict on_history(struct edge *edge, struct session *session,
                                 const struct client_command *command)
{
    if (span_is_empty(command->history.channel)) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    return (struct verdict){.error = streams_ask(edge, session, command)};
}

/* ---- refresh ---- */

static struct verdict on_refresh(struct edge *edge, struct session *session,
                                 const struct client_command *command, struct scratch *scratch)
{
    if (edge->options->refresh_proxy != NULL) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    const struct auth_result who =
        auth_refresh(edge, session, command->refresh.token, session_user(session), scratch);
    if (who.disconnect != 0 || who.error != 0 || who.waits) {
        return (
            struct verdict){.error = who.error, .disconnect = who.disconnect, .waits = who.waits};
    }
    if (!server_subs_are_same(edge, session, &who, scratch)) {
        return VERDICT_DISCONNECT(INSUFFICIENT_STATE);
    }
    if (!session_set_credentials(session, who.info, who.expire_at_s) ||
        !session_set_meta(session, who.meta)) {
        return VERDICT_ERROR(INTERNAL);
    }
    char id[CLIENT_ID_TEXT_LEN];
    client_id_format(session->client_id, id);
    struct connection *conn = session->conn;
    const struct client_refresh_result result = {
        .client = span_of(id, sizeof(id)),
        .version = span_of_text(edge->options->version),
        .expires = who.expire_at_s != 0,
        .ttl_s = who.expire_at_s == 0 ? 0 : auth_ttl_s(edge, who.expire_at_s),
    };
    session_reply(edge, session,
                  &(struct client_reply){.id = command->id,
                                         .kind = CLIENT_REPLY_REFRESH,
                                         .refresh = result});
    connection_schedule(edge, conn);
    return verdict_done;
}

static struct verdict on_sub_refresh(struct edge *edge, struct session *session,
                                     const struct client_command *command, struct scratch *scratch)
{
    const struct span channel = command->sub_refresh.channel;
    if (span_is_empty(channel)) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    struct subscription *subscription = hub_find_subscription(edge, session, channel);
    struct subscription_grant *kept =
        subscription == NULL ? NULL : hub_grant_of(edge, subscription);
    if (kept == NULL) {
        return VERDICT_ERROR(PERMISSION_DENIED);
    }
    if (subscription->channel->options->sub_refresh_proxy != NULL) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    if (span_is_empty(command->sub_refresh.token)) {
        return VERDICT_ERROR(BAD_REQUEST);
    }
    const struct auth_subscription grant =
        auth_subscribe(edge, command->sub_refresh.token, channel, session, scratch);
    if (grant.waits || grant.error == CLIENT_ERROR_INTERNAL) {
        return (struct verdict){.error = grant.error, .waits = grant.waits};
    }
    if (grant.error == CLIENT_ERROR_TOKEN_EXPIRED || grant.error == CLIENT_ERROR_EXPIRED) {
        return VERDICT_DISCONNECT(SUBSCRIPTION_EXPIRED);
    }
    if (grant.error != 0 || grant.disconnect != 0) {
        return VERDICT_DISCONNECT(INVALID_TOKEN);
    }
    kept->expire_at_s = grant.expire_at_s;
    session->has_expiring_subscriptions |= grant.expire_at_s != 0;
    struct connection *conn = session->conn;
    const struct client_refresh_result result = {
        .expires = grant.expire_at_s != 0,
        .ttl_s = grant.expire_at_s == 0 ? 0 : auth_ttl_s(edge, grant.expire_at_s),
    };
    session_reply(edge, session,
                  &(struct client_reply){.id = command->id,
                                         .kind = CLIENT_REPLY_SUB_REFRESH,
                                         .sub_refresh = result});
    connection_schedule(edge, conn);
    return verdict_done;
}

static struct verdict on_rpc(struct edge *edge, struct session *session,
                             const struct client_command *command)
{
    uint32_t error;
    const enum proxy_step step = proxy_rpc(edge, session, command, &error);
    return step == PROXY_GRANTED ? (struct verdict){.error = error} : verdict_of(step);
}

/* ---- dispatch ---- */

static void take_pong(struct edge *edge, struct session *session)
{
    session->owes_pong = false;
    const uint32_t taken_us = (uint32_t)(edge->shard->now_ns / 1000) - session->ping_sent_us;
    const uint64_t interval_ms = edge->options->client.ping_interval_ms;
    const uint64_t taken_ms = taken_us / 1000;
    session_set_ping_due(edge, session, taken_ms < interval_ms ? interval_ms - taken_ms : 0);
    hist_record(edge->shard->stats->hists[HIST_PING_PONG_NS], (uint64_t)taken_us * 1000);
}

static struct verdict on_pong(struct edge *edge, struct session *session)
{
    if (!session->owes_pong || session->has_frame_pings) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    take_pong(edge, session);
    return verdict_done;
}

/* One that nobody asked for is allowed (RFC 6455 section 5.5.3). */
void session_on_pong_frame(struct edge *edge, struct session *session)
{
    if (session->has_frame_pings && session->owes_pong) {
        actors_count(edge->actors, COUNTER_TRANSPORT_RECEIVED_CLIENT_PONG);
        take_pong(edge, session);
    }
}

/* Is the command one that may come now at all (PROTOCOL 5, rules 1 to 7)? */
static bool may_come_now(const struct session *session, const struct client_command *command)
{
    if (command->method == CLIENT_METHOD_PING ||
        (command->method == CLIENT_METHOD_PONG && command->id != 0)) {
        return false;
    }
    if (command->id == 0 && command->method != CLIENT_METHOD_SEND &&
        command->method != CLIENT_METHOD_PONG) {
        return false;
    }
    return session->state == SESSION_NEW
               ? command->method == CLIENT_METHOD_CONNECT
               : session->state == SESSION_CONNECTED && command->method != CLIENT_METHOD_CONNECT;
}

static struct verdict on_command(struct edge *edge, struct session *session,
                                 const struct client_command *command, struct scratch *scratch,
                                 bool *is_done)
{
    if (!may_come_now(session, command)) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    switch (command->method) {
    case CLIENT_METHOD_PONG:
        return on_pong(edge, session);
    case CLIENT_METHOD_CONNECT:
        return on_connect(edge, session, command, scratch);
    case CLIENT_METHOD_SUBSCRIBE:
        return on_subscribe(edge, session, command, scratch);
    case CLIENT_METHOD_UNSUBSCRIBE:
        if (span_is_empty(command->unsubscribe.channel)) {
            return VERDICT_DISCONNECT(BAD_REQUEST);
        }
        *is_done = on_unsubscribe(edge, session, command);
        return verdict_done;
    case CLIENT_METHOD_PUBLISH:
        return on_publish(edge, session, command);
    case CLIENT_METHOD_PRESENCE:
    case CLIENT_METHOD_PRESENCE_STATS:
        return on_presence(edge, session, command);
    case CLIENT_METHOD_HISTORY:
        return on_history(edge, session, command);
    case CLIENT_METHOD_RPC:
        return on_rpc(edge, session, command);
    case CLIENT_METHOD_SEND:
        return VERDICT_DISCONNECT(NOT_AVAILABLE);
    case CLIENT_METHOD_REFRESH:
        return on_refresh(edge, session, command, scratch);
    case CLIENT_METHOD_SUB_REFRESH:
        return on_sub_refresh(edge, session, command, scratch);
    case CLIENT_METHOD_PING:
    case CLIENT_METHOD_COUNT:
        break;
    }
    return VERDICT_DISCONNECT(BAD_REQUEST);
}

bool session_scratch(struct edge *edge, enum client_protocol protocol, size_t len,
                     struct scratch *scratch)
{
    const size_t needed = JWT_SCRATCH_LEN(len) + client_protocol_scratch_len(protocol, len);
    if (needed > edge->decoded_size) {
        uint8_t *grown = realloc(edge->decoded, needed);
        if (grown == NULL) {
            return false;
        }
        edge->decoded = grown;
        edge->decoded_size = needed;
    }
    *scratch = scratch_of(edge->decoded, edge->decoded_size);
    return true;
}

bool session_on_command_decoded(struct edge *edge, struct session *session,
                                const struct client_command *command, struct scratch *scratch)
{
    bool is_done = true;
    const struct verdict verdict = on_command(edge, session, command, scratch, &is_done);
    if (!is_done || verdict.waits) {
        return false;
    }
    actors_count(edge->actors, command_counters[command->method]);
    actors_count(edge->actors, COUNTER_TRANSPORT_RECEIVED_COMMAND);
    if (verdict.disconnect != 0) {
        session_disconnect(edge, session, verdict.disconnect, SPAN_EMPTY);
    } else if (verdict.error != 0) {
        session_reply_error(edge, session, command->id, verdict.error);
    }
    return true;
}

bool session_on_message(struct edge *edge, struct session *session, struct span message)
{
    const enum client_protocol protocol = connection_protocol(session->conn);
    struct scratch scratch;
    if (!session_scratch(edge, protocol, message.len, &scratch)) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_INTERNAL, SPAN_EMPTY);
        return true;
    }
    struct client_command command;
    if (!client_protocol_decode_command(protocol, message, &scratch, &command)) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_BAD_REQUEST, SPAN_EMPTY);
        return true;
    }
    return session_on_command_decoded(edge, session, &command, &scratch);
}
