/* SPDX-License-Identifier: Apache-2.0 */
/* What the server API, or the node itself, does to sessions of a user: disconnect, subscribe,
 * unsubscribe, refresh. */
#include <stdlib.h>

#include "codec/api_json.h"
#include "shards/edge/session/auth.h"
#include "shards/edge/fanout/hub.h"
#include "shards/edge/session/server_subs.h"

static bool is_whitelisted(struct edge *edge, const struct session_command *command,
                           struct span client)
{
    struct json_walk walk;
    struct span id;
    json_strings_begin(&walk, command->whitelist);
    while (true) {
        struct scratch scratch = scratch_of(edge->scratch, EDGE_SCRATCH_SIZE);
        if (json_strings_next(&walk, &scratch, &id) != JSON_OK) {
            return false;
        }
        if (span_equal(id, client)) {
            return true;
        }
    }
}

/* Subscriptions to the channel, or all, end. */
static void obey_unsubscribe(struct edge *edge, struct session *session,
                             const struct session_command *command)
{
    const struct connection *conn = session->conn;
    struct subscription *next;
    for (struct subscription *at = hub_first_of(edge, session); at != NULL; at = next) {
        next = hub_next_of(edge, at);
        if (span_is_empty(command->channel) ||
            span_equal(command->channel,
                       span_of(at->channel->name->bytes, at->channel->name->len))) {
            hub_unsubscribe_push(edge, at, command->code);
            if (conn->state != CONNECTION_SESSION) {
                return;
            }
        }
    }
}

static void obey_subscribe(struct edge *edge, struct session *session, struct span detail,
                           struct scratch *scratch)
{
    struct api_subscribe_request request;
    if (api_json_decode_subscribe(detail, scratch, &request) == JSON_OK) {
        server_subs_add(edge, session, &request);
    }
}

static void obey_refresh(struct edge *edge, struct session *session, struct span detail,
                         struct scratch *scratch)
{
    struct api_refresh_request request;
    struct connection *conn = session->conn;
    if (api_json_decode_refresh(detail, scratch, &request) != JSON_OK) {
        return;
    }
    if (request.expired ||
        (request.expire_at_s != 0 && request.expire_at_s <= edge->shard->wall_ms / 1000)) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_EXPIRED, SPAN_EMPTY);
        return;
    }
    const struct span info =
        span_is_empty(request.info) ? session_conn_info(session) : request.info;
    if (!session_set_credentials(session, info, request.expire_at_s)) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_INTERNAL, SPAN_EMPTY);
        return;
    }
    struct client_reply reply = {.kind = CLIENT_REPLY_PUSH, .push = {.kind = CLIENT_PUSH_REFRESH}};
    if (request.expire_at_s != 0) {
        reply.push.refresh.expires = true;
        reply.push.refresh.ttl_s = auth_ttl_s(edge, request.expire_at_s);
    }
    session_reply(edge, session, &reply);
    if (conn->state == CONNECTION_SESSION) {
        connection_schedule(edge, conn);
    }
}

/* What the request says besides whom it is for. */
static void obey_detail(struct edge *edge, struct session *session,
                        const struct session_command *command)
{
    uint8_t *room = malloc(command->detail.len + 8);
    if (room == NULL) {
        return;
    }
    struct scratch scratch = scratch_of(room, command->detail.len + 8);
    if (command->kind == SESSION_SUBSCRIBE) {
        obey_subscribe(edge, session, command->detail, &scratch);
    } else {
        obey_refresh(edge, session, command->detail, &scratch);
    }
    free(room);
}

static void session_obey(struct edge *edge, struct session *session,
                         const struct session_command *command)
{
    char text[CLIENT_ID_TEXT_LEN];
    char name[CLIENT_ID_TEXT_LEN];
    client_id_format(session->client_id, text);
    const struct span client = span_of(text, sizeof(text));
    if (session->state != SESSION_CONNECTED || session->conn == NULL ||
        !span_equal(session_user(session), command->user) ||
        (!span_is_empty(command->client) && !span_equal(command->client, client)) ||
        (!span_is_empty(command->session) &&
         !span_equal(command->session, session_name(session, name)))) {
        return;
    }
    switch (command->kind) {
    case SESSION_DISCONNECT:
        if (!is_whitelisted(edge, command, client)) {
            session_disconnect(edge, session, command->code, command->reason);
        }
        break;
    case SESSION_UNSUBSCRIBE:
        obey_unsubscribe(edge, session, command);
        break;
    case SESSION_SUBSCRIBE:
    case SESSION_REFRESH:
        obey_detail(edge, session, command);
        break;
    }
}

void session_on_command(struct edge *edge, const struct message *message)
{
    const struct message_session_command body = message_as_session_command(message);
    const struct session_command command = session_command_of(body.command);
    if (span_is_empty(command.user)) {
        uint32_t cursor = 0;
        uint32_t handle;
        struct session *session;
        while ((session = pool_next(edge->sessions, &cursor, &handle)) != NULL) {
            session_obey(edge, session, &command);
        }
        buf_release(body.command);
        return;
    }
    const struct local_user *user = map_find(edge->users, command.user.at, command.user.len);
    if (user != NULL) {
        /* Ending the last session frees the user, so the list is walked by what is still next. */
        struct list *next;
        bool is_last = list_is_empty(&user->accounts);
        for (struct list *at = user->accounts.next; !is_last; at = next) {
            next = at->next;
            is_last = next == &user->accounts;
            session_obey(edge, CONTAINER_OF(at, struct session_account, user_link)->session,
                         &command);
        }
    }
    buf_release(body.command);
}
