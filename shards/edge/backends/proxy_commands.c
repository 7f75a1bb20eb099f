/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that a backend decides: what each asks, and what its answer grants. */
#include "shards/edge/backends/proxy.h"

#include <string.h>

#include "codec/json.h"

/* ---- connect ---- */

enum proxy_step proxy_connect(struct edge *edge, struct session *session,
                              const struct client_command *command, struct scratch *scratch,
                              struct auth_result *who)
{
    const struct client_connect_request *connect = &command->connect;
    struct connection *conn = session->conn;
    if (session->proxy_calls == POOL_HANDLE_NONE &&
        !proxy_keep_emulated_headers(edge, session, connect->headers)) {
        *who = (struct auth_result){.disconnect = CLIENT_DISCONNECT_INTERNAL};
        return PROXY_GRANTED;
    }
    struct proxy_answer answer = {0};
    if (span_is_empty(connect->token) && edge->options->connect_proxy != NULL) {
        struct proxy_question question = {
            .proxy = edge->options->connect_proxy,
            .kind = PROXY_CONNECT,
            .command_id = command->id,
            .request = {.data = connect->data,
                        .name = connect->name,
                        .version = connect->version,
                        .subs = connect->subs},
        };
        const enum proxy_step step = proxy_consult(edge, session, &question, &answer);
        if (step == PROXY_ENDED && conn->state == CONNECTION_SESSION) {
            session->state = SESSION_REFUSED;
        }
        if (step != PROXY_GRANTED) {
            return step;
        }
    }
    *who = answer.has_result ? auth_connect_by_proxy(edge, session, &answer)
                             : auth_connect(edge, session, connect, session_user(session), scratch);
    who->subs_source =
        answer.has_result ? SUBSCRIPTION_BY_CONNECT_PROXY : SUBSCRIPTION_BY_CONNECTION_TOKEN;
    return PROXY_GRANTED;
}

/* ---- subscribe, publish ---- */

enum proxy_step proxy_subscribe(struct edge *edge, struct session *session,
                                const struct proxy_options *proxy,
                                const struct client_command *command,
                                struct auth_subscription *grant)
{
    struct proxy_question question = {
        .proxy = proxy,
        .kind = PROXY_SUBSCRIBE,
        .command_id = command->id,
        .request = {.channel = command->subscribe.channel, .data = command->subscribe.data},
    };
    struct proxy_answer answer;
    const enum proxy_step step = proxy_consult(edge, session, &question, &answer);
    if (step == PROXY_GRANTED) {
        *grant = (struct auth_subscription){.info = answer.info,
                                            .data = answer.data,
                                            .expire_at_s = answer.expire_at_s,
                                            .override = answer.override};
        if (answer.expire_at_s != 0 && answer.expire_at_s <= edge->shard->wall_ms / 1000) {
            grant->error = CLIENT_ERROR_EXPIRED;
        }
    }
    return step;
}

enum proxy_step proxy_publish(struct edge *edge, struct session *session,
                              const struct proxy_options *proxy,
                              const struct client_command *command, struct proxy_answer *answer)
{
    struct proxy_question question = {
        .proxy = proxy,
        .kind = PROXY_PUBLISH,
        .command_id = command->id,
        .request = {.channel = command->publish.channel, .data = command->publish.data},
    };
    const enum proxy_step step = proxy_consult(edge, session, &question, answer);
    if (step == PROXY_GRANTED && !answer->has_data) {
        answer->data = command->publish.data;
    }
    return step;
}

enum proxy_step proxy_key(struct edge *edge, struct session *session,
                          const struct proxy_options *proxy, const struct client_command *command,
                          struct proxy_answer *answer)
{
    const struct client_publish_request *publish = &command->publish;
    struct proxy_question question = {
        .proxy = proxy,
        .kind = publish->removed ? PROXY_MAP_REMOVE : PROXY_MAP_PUBLISH,
        .command_id = command->id,
        .request = {.channel = publish->channel,
                    .key = publish->key,
                    .data = publish->removed ? SPAN_EMPTY : publish->data},
    };
    const enum proxy_step step = proxy_consult(edge, session, &question, answer);
    if (step == PROXY_GRANTED && !answer->has_data) {
        answer->data = publish->data;
    }
    return step;
}

/* ---- rpc ---- */

/* 0, or the error to answer with. */
static uint32_t find_rpc(const struct node_options *options, struct span method,
                         const struct rpc_options **out)
{
    const struct span boundary = span_of_text(options->rpc_namespace_boundary);
    bool is_any = options->rpc_without_namespace.proxy != NULL;
    const struct rpc_options *found = &options->rpc_without_namespace;
    for (size_t at = 0; !span_is_empty(boundary) && at + boundary.len <= method.len; at++) {
        if (memcmp(method.at + at, boundary.at, boundary.len) == 0) {
            found = NULL;
            method = span_of(method.at, at);
            break;
        }
    }
    for (size_t i = 0; i < options->rpc_namespaces_len; i++) {
        const struct rpc_options *each = &options->rpc_namespaces[i];
        is_any = is_any || each->proxy != NULL;
        if (found == NULL && span_equal(method, span_of_text(each->name))) {
            found = each;
        }
    }
    *out = found;
    if (!is_any) {
        return CLIENT_ERROR_NOT_AVAILABLE;
    }
    return found == NULL || found->proxy == NULL ? (uint32_t)CLIENT_ERROR_METHOD_NOT_FOUND : 0;
}

enum proxy_step proxy_rpc(struct edge *edge, struct session *session,
                          const struct client_command *command, uint32_t *error)
{
    const struct node_options *options = edge->options;
    const struct rpc_options *rpc;
    struct proxy_answer answer = {0};
    *error = 0;
    const bool is_ping = options->rpc_ping_enabled &&
                         span_equal(command->rpc.method, span_of_text(options->rpc_ping_method));
    if (!is_ping) {
        *error = find_rpc(options, command->rpc.method, &rpc);
        if (*error != 0) {
            return PROXY_GRANTED;
        }
        struct proxy_question question = {
            .proxy = rpc->proxy,
            .kind = PROXY_RPC,
            .command_id = command->id,
            .request = {.method = command->rpc.method, .data = command->rpc.data},
        };
        const enum proxy_step step = proxy_consult(edge, session, &question, &answer);
        if (step != PROXY_GRANTED) {
            return step;
        }
    }
    if (!session_understands(session, answer.data)) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_INAPPROPRIATE_PROTOCOL, SPAN_EMPTY);
        return PROXY_ENDED;
    }
    session_reply(edge, session,
                  &(struct client_reply){.id = command->id,
                                         .kind = CLIENT_REPLY_RPC,
                                         .rpc = {.data = answer.data}});
    return PROXY_ENDED;
}
