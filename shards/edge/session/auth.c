/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials: PROTOCOL 6.1, 8 and 9.1 (tokens), and the check of origins. */
#include "shards/edge/session/auth.h"

#include "shards/edge/session/permissions.h"
#include "shards/edge/session/revoked.h"

enum { TTL_S_MAX = 365 * 24 * 3600, ORIGIN_LEN_MAX = 512 };

/* Ends beyond any clock are that far away: in milliseconds they still are numbers. */
#define EXPIRE_AT_S_MAX (INT64_MAX / 4000)

/* When a connection or subscription ends: `expire_at` wins over `exp`, and its 0 means never. */
static int64_t expiry_of(const struct jwt_claims *claims)
{
    const struct jwt_date *date = claims->expire_at.present ? &claims->expire_at : &claims->exp;
    if (!date->present) {
        return 0;
    }
    return date->s < EXPIRE_AT_S_MAX ? date->s : EXPIRE_AT_S_MAX;
}

static int64_t now_s(const struct edge *edge)
{
    return edge->shard->wall_ms / 1000;
}

static struct auth_result connect_with_token(struct edge *edge, struct session *session,
                                             struct span token, struct scratch *scratch)
{
    const struct client_options *client = &edge->options->client;
    struct jwt_claims claims;
    const enum jwt_result verdict = jwt_verify(token, &edge->verifiers[KEYS_OF_CONNECTIONS].keys,
                                               now_s(edge), scratch, &claims);
    if (verdict == JWT_ERROR_UNKNOWN_KEY) {
        const enum key_step step =
            key_source_await(&edge->key_sources[KEYS_OF_CONNECTIONS], session);
        return (struct auth_result){.waits = step == KEY_WAITS,
                                    .error = step == KEY_UNAVAILABLE
                                                 ? (uint32_t)CLIENT_ERROR_INTERNAL
                                                 : 0,
                                    .disconnect = step == KEY_UNKNOWN
                                                      ? (uint32_t)CLIENT_DISCONNECT_INVALID_TOKEN
                                                      : 0};
    }
    if (jwt_is_expired(verdict)) {
        return (struct auth_result){.error = CLIENT_ERROR_TOKEN_EXPIRED};
    }
    if (verdict != JWT_OK || claims.channel_present || claims.user.len > USER_ID_LEN_MAX) {
        return (struct auth_result){.disconnect = CLIENT_DISCONNECT_INVALID_TOKEN};
    }
    const struct revocable revocable = revoked_token_of(&claims);
    if (revoked_refuses_token(edge, &revocable)) {
        return (struct auth_result){.disconnect = CLIENT_DISCONNECT_INVALID_TOKEN};
    }
    if (span_is_empty(claims.user) && client->disallow_anonymous_connection_tokens) {
        return (struct auth_result){.disconnect = CLIENT_DISCONNECT_PERMISSION_DENIED};
    }
    const int64_t expire_at_s = client->insecure ? 0 : expiry_of(&claims);
    if (expire_at_s != 0 && expire_at_s <= now_s(edge)) {
        return (struct auth_result){.error = CLIENT_ERROR_EXPIRED};
    }
    return (struct auth_result){.user = claims.user,
                                .info = claims.info,
                                .expire_at_s = expire_at_s,
                                .channels_raw = claims.channels_raw,
                                .subs_raw = claims.subs_raw,
                                .meta = claims.meta_raw,
                                .token = revocable};
}

struct auth_result auth_connect(struct edge *edge, struct session *session,
                                const struct client_connect_request *request,
                                struct span user_header, struct scratch *scratch)
{
    const struct client_options *client = &edge->options->client;
    if (!span_is_empty(request->token)) {
        return connect_with_token(edge, session, request->token, scratch);
    }
    if (client->insecure || client->allow_anonymous_connect_without_token) {
        return (struct auth_result){0};
    }
    if (!span_is_empty(user_header)) {
        return (struct auth_result){.user = user_header};
    }
    return (struct auth_result){.disconnect = CLIENT_DISCONNECT_BAD_REQUEST};
}

struct auth_result auth_connect_by_proxy(const struct edge *edge, struct session *session,
                                         const struct proxy_answer *answer)
{
    const bool expires = answer->expire_at_s != 0 && !edge->options->client.insecure;
    if (expires && answer->expire_at_s <= now_s(edge)) {
        return (struct auth_result){.error = CLIENT_ERROR_EXPIRED};
    }
    if (answer->user.len > USER_ID_LEN_MAX || answer->expire_at_s > EXPIRE_AT_S_MAX) {
        return (struct auth_result){.error = CLIENT_ERROR_INTERNAL};
    }
    if (!session_understands(session, answer->data)) {
        return (struct auth_result){.disconnect = CLIENT_DISCONNECT_INAPPROPRIATE_PROTOCOL};
    }
    if (!span_is_empty(answer->data)) {
        struct session_context *context = session_make_context(session);
        if (context == NULL || !session_replace_buf(&context->data, answer->data)) {
            return (struct auth_result){.disconnect = CLIENT_DISCONNECT_INTERNAL};
        }
    }
    if (!session_set_meta(session, answer->meta)) {
        return (struct auth_result){.disconnect = CLIENT_DISCONNECT_INTERNAL};
    }
    return (struct auth_result){.user = answer->user,
                                .info = answer->info,
                                .expire_at_s = expires ? answer->expire_at_s : 0,
                                .channels_raw = answer->channels,
                                .subs_raw = answer->subs};
}

struct auth_result auth_refresh(struct edge *edge, struct session *session, struct span token,
                                struct span user, struct scratch *scratch)
{
    if (span_is_empty(token)) {
        return (struct auth_result){.disconnect = CLIENT_DISCONNECT_BAD_REQUEST};
    }
    const struct auth_result result = connect_with_token(edge, session, token, scratch);
    if (result.waits || result.error == CLIENT_ERROR_INTERNAL) {
        return result;
    }
    if (result.error != 0) {
        return (struct auth_result){.disconnect = CLIENT_DISCONNECT_EXPIRED};
    }
    if (result.disconnect == 0 && !span_equal(result.user, user)) {
        return (struct auth_result){.disconnect = CLIENT_DISCONNECT_INVALID_TOKEN};
    }
    return result;
}

struct auth_subscription auth_subscribe(struct edge *edge, struct span token, struct span channel,
                                        struct session *session, struct scratch *scratch)
{
    const enum key_source_use use = edge_keys_for_subscriptions(edge);
    struct jwt_claims claims;
    const enum jwt_result verdict =
        jwt_verify(token, &edge->verifiers[use].keys, now_s(edge), scratch, &claims);
    if (verdict == JWT_ERROR_UNKNOWN_KEY) {
        const enum key_step step = key_source_await(&edge->key_sources[use], session);
        return (struct auth_subscription){.waits = step == KEY_WAITS,
                                          .error = step == KEY_UNAVAILABLE
                                                       ? (uint32_t)CLIENT_ERROR_INTERNAL
                                                   : step == KEY_UNKNOWN
                                                       ? (uint32_t)CLIENT_ERROR_PERMISSION_DENIED
                                                       : 0};
    }
    if (jwt_is_expired(verdict)) {
        return (struct auth_subscription){.error = CLIENT_ERROR_TOKEN_EXPIRED};
    }
    struct jwt_override override;
    if (verdict != JWT_OK || jwt_override_decode(claims.override_raw, &override) != JSON_OK) {
        return (struct auth_subscription){.error = CLIENT_ERROR_PERMISSION_DENIED};
    }
    char id[CLIENT_ID_TEXT_LEN];
    client_id_format(session->client_id, id);
    if (!span_equal(claims.channel, channel) || !span_equal(claims.user, session_user(session)) ||
        (!span_is_empty(claims.client) && !span_equal(claims.client, span_of(id, sizeof(id))))) {
        return (struct auth_subscription){.disconnect = CLIENT_DISCONNECT_INVALID_TOKEN};
    }
    const struct revocable revocable = revoked_token_of(&claims);
    if (revoked_refuses_token(edge, &revocable)) {
        return (struct auth_subscription){.error = CLIENT_ERROR_PERMISSION_DENIED};
    }
    const int64_t expire_at_s = expiry_of(&claims);
    if (expire_at_s != 0 && expire_at_s <= now_s(edge)) {
        return (struct auth_subscription){.error = CLIENT_ERROR_EXPIRED};
    }
    return (struct auth_subscription){.info = claims.info,
                                      .data = claims.data,
                                      .expire_at_s = expire_at_s,
                                      .token = revocable,
                                      .override = override};
}

uint32_t auth_ttl_s(const struct edge *edge, int64_t expire_at_s)
{
    const int64_t left_s = expire_at_s - now_s(edge);
    if (left_s <= 0) {
        return 0;
    }
    return left_s > TTL_S_MAX ? TTL_S_MAX : (uint32_t)left_s;
}

bool auth_origin_is_allowed(const struct client_options *options, struct span origin)
{
    uint8_t lower[ORIGIN_LEN_MAX];
    if (origin.len > sizeof(lower)) {
        return false;
    }
    for (size_t i = 0; i < origin.len; i++) {
        lower[i] = span_lower_byte(origin.at[i]);
    }
    for (size_t i = 0; i < options->allowed_origins_len; i++) {
        if (permissions_glob_matches(span_of_text(options->allowed_origins[i]),
                                     span_of(lower, origin.len))) {
            return true;
        }
    }
    return false;
}
