/* SPDX-License-Identifier: Apache-2.0 */
/* The server API's methods on the sessions of a user: disconnect, unsubscribe, subscribe, refresh.
 */
#include "codec/api_json.h"
#include "shards/edge/api/call.h"
#include "shards/edge/session/permissions.h"
#include "shards/payloads.h"

/* The anonymous user has no directory: every node looks. Gives back a count of the command. */
static void send_command_abroad(struct edge *edge, struct buf *packed)
{
    const struct message_user_command body = {.command = packed};
    if (edge->options->cluster.enabled) {
        OUTBOX_SEND(edge->actors->outbox, edge->actors->node->shards, user_command, 0, &body);
    } else {
        buf_release(packed);
    }
}

/* To whoever holds sessions of the user; success does not mean that there were any. */
static void send_command(struct edge *edge, struct call *call,
                         const struct session_command *command)
{
    struct buf *packed = session_command_make(command);
    if (packed == NULL) {
        call->error = API_ERROR_INTERNAL;
        return;
    }
    if (span_is_empty(command->user)) {
        const struct message_session_command body = {.command = packed};
        const uint32_t shards = edge->actors->node->shards;
        buf_share(packed, shards);
        for (uint32_t shard = 0; shard < shards; shard++) {
            OUTBOX_SEND(edge->actors->outbox, shard, session_command, 0, &body);
        }
        send_command_abroad(edge, packed);
        return;
    }
    const struct message_user_command body = {.command = packed};
    if (!message_send_user_command(edge->shard->mailbox,
                                   actors_home_of(edge->actors, command->user), 0, &body)) {
        buf_release(packed);
        call->error = API_ERROR_INTERNAL;
    }
}

/* A command without any address would reach every anonymous client: that is nobody's wish. */
static bool has_address(struct span user, struct span client, struct span session)
{
    return !span_is_empty(user) || !span_is_empty(client) || !span_is_empty(session);
}

enum json_result call_disconnect(struct edge *edge, struct call *call, struct span body,
                                 struct scratch *scratch)
{
    struct api_disconnect_request request;
    const enum json_result result = api_json_decode_disconnect(body, scratch, &request);
    if (result != JSON_OK) {
        return result;
    }
    if (!has_address(request.user, request.client, request.session) || request.code < 3000 ||
        request.code > 4999 || request.reason.len > DISCONNECT_REASON_LEN_MAX) {
        call->error = API_ERROR_BAD_REQUEST;
        return JSON_OK;
    }
    send_command(edge, call,
                 &(struct session_command){.kind = SESSION_DISCONNECT,
                                           .code = request.code,
                                           .user = request.user,
                                           .client = request.client,
                                           .session = request.session,
                                           .reason = request.reason,
                                           .whitelist = request.whitelist});
    return JSON_OK;
}

enum json_result call_unsubscribe(struct edge *edge, struct call *call, struct span body,
                                  struct scratch *scratch)
{
    struct api_unsubscribe_request request;
    const enum json_result result = api_json_decode_unsubscribe(body, scratch, &request);
    if (result != JSON_OK) {
        return result;
    }
    if (!has_address(request.user, request.client, request.session)) {
        call->error = API_ERROR_BAD_REQUEST;
        return JSON_OK;
    }
    if (!span_is_empty(request.channel) &&
        permissions_find_channel(edge->options, request.channel) == NULL) {
        call->error = API_ERROR_UNKNOWN_CHANNEL;
        return JSON_OK;
    }
    send_command(edge, call,
                 &(struct session_command){.kind = SESSION_UNSUBSCRIBE,
                                           .code = CLIENT_UNSUBSCRIBE_BY_SERVER,
                                           .user = request.user,
                                           .client = request.client,
                                           .session = request.session,
                                           .channel = request.channel});
    return JSON_OK;
}

enum json_result call_subscribe(struct edge *edge, struct call *call, struct span body,
                                struct scratch *scratch)
{
    struct api_subscribe_request request;
    const struct channel_options *channel_options;
    const enum json_result result = api_json_decode_subscribe(body, scratch, &request);
    if (result != JSON_OK) {
        return result;
    }
    call->error =
        has_address(request.user, request.client, request.session)
            ? call_judge_channel(edge->options, call->key, request.channel, &channel_options)
            : API_ERROR_BAD_REQUEST;
    if (call->error == API_ERROR_NONE) {
        send_command(edge, call,
                     &(struct session_command){.kind = SESSION_SUBSCRIBE,
                                               .user = request.user,
                                               .client = request.client,
                                               .session = request.session,
                                               .channel = request.channel,
                                               .detail = body});
    }
    return JSON_OK;
}

enum json_result call_refresh(struct edge *edge, struct call *call, struct span body,
                              struct scratch *scratch)
{
    struct api_refresh_request request;
    const enum json_result result = api_json_decode_refresh(body, scratch, &request);
    if (result != JSON_OK) {
        return result;
    }
    if (!has_address(request.user, request.client, request.session)) {
        call->error = API_ERROR_BAD_REQUEST;
        return JSON_OK;
    }
    send_command(edge, call,
                 &(struct session_command){.kind = SESSION_REFRESH,
                                           .user = request.user,
                                           .client = request.client,
                                           .session = request.session,
                                           .detail = body});
    return JSON_OK;
}
