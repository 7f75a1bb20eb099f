/* SPDX-License-Identifier: Apache-2.0 */
/* The server API's methods on tokens and users that are to be kept out: revoke_token,
 * invalidate_user_tokens, block_user, unblock_user. */
#include "codec/api_json.h"
#include "shards/edge/api/api.h"
#include "shards/edge/api/call.h"
#include "shards/payloads.h"
#include "shards/revocations.h"

/* A node that has not heard for so long that a block was lifted blocks again. */
enum { LIFTED_S = 7 * 24 * 3600 };

/* The entry that the request is; its kind is 0 when something is missing. */
static struct link_revocation entry_of(const struct edge *edge, enum api_method method,
                                       const struct api_revoke_request *request)
{
    const int64_t now_ms = edge->shard->wall_ms;
    struct link_revocation entry = {
        .kind = REVOCATION_BLOCK,
        .name = request->user,
        .expire_at_s = (uint64_t)request->expire_at_s,
        .changed_ms = (uint64_t)now_ms,
    };
    switch (method) {
    case API_METHOD_REVOKE_TOKEN:
        entry.kind = REVOCATION_TOKEN;
        entry.name = request->uid;
        entry.changed_ms = 0;
        break;
    case API_METHOD_INVALIDATE_USER_TOKENS:
        entry.kind = REVOCATION_USER_TOKENS;
        entry.channel = request->channel;
        entry.issued_before_s = request->issued_before_s != 0 ? (uint64_t)request->issued_before_s
                                                              : (uint64_t)(now_ms / 1000);
        entry.changed_ms = 0;
        break;
    case API_METHOD_UNBLOCK_USER:
        entry.is_lifted = true;
        entry.expire_at_s = (uint64_t)(now_ms / 1000) + LIFTED_S;
        break;
    default:
        break;
    }
    return entry;
}

static bool is_valid(const struct edge *edge, const struct api_revoke_request *request,
                     const struct link_revocation *entry)
{
    return !span_is_empty(entry->name) && entry->name.len <= REVOCATION_NAME_LEN_MAX &&
           entry->channel.len <= edge->options->channel_max_length &&
           request->issued_before_s >= 0 &&
           (request->expire_at_s == 0 || request->expire_at_s > edge->shard->wall_ms / 1000);
}

enum json_result call_revoke(struct edge *edge, struct call *call, struct span body,
                             struct scratch *scratch)
{
    struct api_revoke_request request;
    const enum json_result result = api_json_decode_revoke(body, scratch, &request);
    if (result != JSON_OK) {
        return result;
    }
    const struct link_revocation entry = entry_of(edge, call->method, &request);
    if (!is_valid(edge, &request, &entry)) {
        call->error = API_ERROR_BAD_REQUEST;
        return JSON_OK;
    }
    uint8_t room[REVOCATION_LEN_MAX];
    struct writer out = writer_of(room, sizeof(room));
    link_put_revocation(&out, &entry);
    const struct message_revoke revoke = {.entries = buf_copy(room, writer_written_len(&out))};
    call_note_sent(call,
                   revoke.entries != NULL &&
                       message_send_revoke(edge->shard->mailbox, edge->actors->node->shards,
                                           call->handle, &revoke),
                   revoke.entries, NULL);
    return JSON_OK;
}

void api_on_revoked(struct edge *edge, const struct message *message)
{
    const struct message_revoked body = message_as_revoked(message);
    struct call *call = call_of_handle(edge, message->handle);
    if (call != NULL) {
        call->error = body.error == 0 ? API_ERROR_NONE : (enum api_error)body.error;
        call_answered(edge, call);
    }
}
