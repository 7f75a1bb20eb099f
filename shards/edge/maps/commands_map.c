/* SPDX-License-Identifier: Apache-2.0 */
/* What a client says to a map: a key with data, or that a key is removed (PROTOCOL 16.4). */
#include "codec/json.h"
#include "shards/edge/session/commands.h"
#include "shards/edge/fanout/hub.h"

/* A key as its backend, its namespace or the client says. */
struct keyed {
    struct proxy_answer answer;
    struct span key;
    char client[CLIENT_ID_TEXT_LEN];
};

/* Who may, without a backend; the key is the client's own where the namespace wants that. */
static struct verdict judge(struct edge *edge, const struct session *session,
                            const struct client_publish_request *request,
                            const struct channel_options *options, struct keyed *out)
{
    if (!permissions_may_change_key(edge->options, options, request->removed,
                                    command_client_of(edge, session, request->channel))) {
        return VERDICT_ERROR(PERMISSION_DENIED);
    }
    switch (options->map.client_key) {
    case MAP_KEY_CLIENT_ID:
        client_id_format(session->client_id, out->client);
        out->key = span_of(out->client, sizeof(out->client));
        break;
    case MAP_KEY_USER_ID:
        out->key = session_user(session);
        if (span_is_empty(out->key)) {
            return VERDICT_ERROR(PERMISSION_DENIED);
        }
        break;
    case MAP_KEY_AS_SAID:
        break;
    }
    return VERDICT_DONE;
}

/* False: the backend has said a mode that is none. */
static bool read_mode(struct span text, enum key_mode *out)
{
    *out = span_is_empty(text)                           ? KEY_REPLACE
           : span_equal(text, SPAN_LITERAL("if_new"))    ? KEY_IF_NEW
           : span_equal(text, SPAN_LITERAL("if_exists")) ? KEY_IF_EXISTS
                                                         : KEY_MODES;
    return *out != KEY_MODES;
}

static struct verdict publish_key(struct edge *edge, struct session *session,
                                  const struct client_command *command,
                                  const struct channel_options *options, const struct keyed *keyed)
{
    const struct proxy_answer *answer = &keyed->answer;
    const bool removed = command->publish.removed;
    enum key_mode mode;
    if (!read_mode(answer->key_mode, &mode)) {
        return VERDICT_ERROR(INTERNAL);
    }
    /* Data may be empty, unless a format wants it to be something. */
    if (span_is_empty(keyed->key) || keyed->key.len > MAP_KEY_LEN_MAX ||
        answer->idempotency_key.len > IDEMPOTENCY_KEY_LEN_MAX ||
        (!removed && options->publication_data_format != PUBLICATION_DATA_NOT_EMPTY &&
         !permissions_is_data(options, answer->data))) {
        return VERDICT_ERROR(BAD_REQUEST);
    }
    const struct publish_request request = {
        .channel = command->publish.channel,
        .data = removed ? SPAN_EMPTY : answer->data,
        .tags = answer->tags,
        .idempotency_key = answer->idempotency_key,
        .version_epoch = answer->version_epoch,
        .version = answer->version,
        .key = keyed->key,
        .score = answer->score,
        .key_mode = mode,
        .is_removed = removed,
        .is_binary =
            !removed && !span_is_empty(answer->data) &&
            (answer->data_is_binary || connection_protocol(session->conn) == CLIENT_PROTOBUF) &&
            json_check(answer->data) != JSON_OK,
        .wants_delta = options->delta_publish || answer->delta,
    };
    return command_send_publication(edge, session, command->id, &request, false);
}

struct verdict command_publish_key(struct edge *edge, struct session *session,
                                   const struct client_command *command,
                                   const struct channel_options *options)
{
    const struct client_publish_request *request = &command->publish;
    const struct proxy_options *proxy =
        request->removed ? options->map.remove_proxy : options->map.publish_proxy;
    struct keyed keyed = {.answer = {.data = request->data}, .key = request->key};
    if (options->map.mode == MAP_NONE) {
        return VERDICT_ERROR(BAD_REQUEST);
    }
    if (proxy != NULL) {
        const enum proxy_step step = proxy_key(edge, session, proxy, command, &keyed.answer);
        if (step != PROXY_GRANTED) {
            return verdict_of_proxy(step);
        }
        if (!span_is_empty(keyed.answer.key)) {
            keyed.key = keyed.answer.key;
        }
    } else {
        const struct verdict verdict = judge(edge, session, request, options, &keyed);
        if (verdict.error != 0) {
            return verdict;
        }
    }
    return publish_key(edge, session, command, options, &keyed);
}
