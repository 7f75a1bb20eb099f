/* SPDX-License-Identifier: Apache-2.0 */
/* Takes tokens for commands, here and at directories. */
#include "shards/edge/session/rates.h"

#include "shards/edge/session/permissions.h"

static const struct rate_rule no_rule;

static bool make_table(struct edge *edge, const struct rate_limits *limits,
                       struct rate_table **table)
{
    if (limits == NULL) {
        return true;
    }
    *table = rate_table_create(limits, CONNECTIONS_A_SHARD_MAX, &edge->shard->random);
    return *table != NULL;
}

bool rates_init(struct edge *edge)
{
    const struct client_options *client = &edge->options->client;
    return make_table(edge, client->command_rates, &edge->command_rates) &&
           make_table(edge, client->error_rates, &edge->error_rates);
}

void rates_destroy(struct edge *edge)
{
    rate_table_destroy(edge->command_rates);
    rate_table_destroy(edge->error_rates);
}

void rates_trim(struct edge *edge)
{
    rate_table_trim(edge->command_rates, edge->shard->now_ns);
    rate_table_trim(edge->error_rates, edge->shard->now_ns);
}

/* A stale handle is another connection's in the end, which then has what that one left: buckets are
 * full long before. */
static struct span key_of(const struct session *session)
{
    return span_of(&session->handle, sizeof(session->handle));
}

/* What overrides are named by: the namespace of its channel, or the RPC method. */
static struct span scope_of(const struct edge *edge, const struct client_command *command)
{
    struct span channel = SPAN_EMPTY;
    switch (command->method) {
    case CLIENT_METHOD_RPC:
        return command->rpc.method;
    case CLIENT_METHOD_SUBSCRIBE:
        channel = command->subscribe.channel;
        break;
    case CLIENT_METHOD_UNSUBSCRIBE:
        channel = command->unsubscribe.channel;
        break;
    case CLIENT_METHOD_PUBLISH:
        channel = command->publish.channel;
        break;
    case CLIENT_METHOD_PRESENCE:
    case CLIENT_METHOD_PRESENCE_STATS:
        channel = command->presence.channel;
        break;
    case CLIENT_METHOD_HISTORY:
        channel = command->history.channel;
        break;
    case CLIENT_METHOD_SUB_REFRESH:
        channel = command->sub_refresh.channel;
        break;
    default:
        return SPAN_EMPTY;
    }
    const struct channel_options *options = permissions_find_channel(edge->options, channel);
    return options == NULL ? SPAN_EMPTY : span_of_text(options->name);
}

static enum rates_step refuse(struct edge *edge, enum counter counter)
{
    actors_count(edge->actors, counter);
    return RATES_REFUSED;
}

static enum rates_step ask_directory(struct edge *edge, struct session *session,
                                     struct rate_rule rule)
{
    const struct message_user_take body = {
        .user = session->account->user->id,
        .first = rule.first,
        .len = rule.len,
    };
    const uint32_t home = actors_home_of(edge->actors, session_user(session));
    buf_share(body.user, 1);
    if (edge_is_congested(edge, home) ||
        !message_send_user_take(edge->shard->mailbox, home, session->handle, &body)) {
        buf_release(body.user);
        return refuse(edge, COUNTER_RATE_LIMITED_CONGESTED);
    }
    session->rates = RATES_ASKED;
    return RATES_WAITS;
}

static enum rates_step judge_new(struct edge *edge, struct session *session,
                                 const struct client_command *command)
{
    const struct rate_limits *of_users = edge->options->client.user_rates;
    const struct span scope = scope_of(edge, command);
    if (edge->command_rates != NULL) {
        const struct rate_rule rule =
            rate_limits_rule(edge->options->client.command_rates, command->method, scope);
        if (!rate_table_take(edge->command_rates, key_of(session), rule, edge->shard->now_ns)) {
            return refuse(edge, COUNTER_RATE_LIMITED_CONNECTION);
        }
    }
    if (of_users != NULL && !span_is_empty(session_user(session))) {
        const struct rate_rule rule = rate_limits_rule(of_users, command->method, scope);
        if (rate_limits_apply(of_users, rule)) {
            return ask_directory(edge, session, rule);
        }
    }
    return RATES_ALLOWED;
}

enum rates_step rates_judge(struct edge *edge, struct session *session,
                            const struct client_command *command)
{
    const bool is_limited = edge->command_rates != NULL || edge->options->client.user_rates != NULL;
    if (!is_limited || command->method == CLIENT_METHOD_PONG ||
        command->method == CLIENT_METHOD_CONNECT) {
        return RATES_ALLOWED;
    }
    const enum rates_state state = (enum rates_state)session->rates;
    if (state == RATES_ASKED) {
        return RATES_WAITS; /* Resumed for another reason. */
    }
    session->rates = RATES_NEW;
    switch (state) {
    case RATES_DENIED:
        return refuse(edge, COUNTER_RATE_LIMITED_USER);
    case RATES_PAID:
        return RATES_ALLOWED;
    default:
        return judge_new(edge, session, command);
    }
}

void rates_on_wait(struct session *session)
{
    if (session->rates == RATES_NEW) {
        session->rates = RATES_PAID;
    }
}

bool rates_limit_connect(const struct edge *edge)
{
    const struct rate_limits *limits = edge->options->client.user_rates;
    return limits != NULL &&
           rate_limits_apply(limits, rate_limits_rule(limits, CLIENT_METHOD_CONNECT, SPAN_EMPTY));
}

void rates_on_taken(struct edge *edge, const struct message *message)
{
    const struct message_user_taken body = message_as_user_taken(message);
    struct session *session = pool_get(edge->sessions, message->handle);
    if (body.error != 0) {
        actors_count(edge->actors, COUNTER_RATE_UNASKED);
    }
    if (session == NULL || session->conn == NULL || session->rates != RATES_ASKED) {
        return;
    }
    session->rates = body.error == 0 && body.is_denied != 0 ? RATES_DENIED : RATES_PAID;
    if (session->conn->state == CONNECTION_SESSION) {
        connection_resume(edge, session->conn);
    }
}

bool rates_count_error(struct edge *edge, const struct session *session, uint32_t error)
{
    if (edge->error_rates == NULL || error == CLIENT_ERROR_INTERNAL ||
        rate_table_take(edge->error_rates, key_of(session), no_rule, edge->shard->now_ns)) {
        return false;
    }
    actors_count(edge->actors, COUNTER_RATE_LIMITED_ERRORS);
    return true;
}
