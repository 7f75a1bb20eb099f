/* SPDX-License-Identifier: Apache-2.0 */
/* The commands refresh and sub_refresh: PROTOCOL 8. */
#include "codec/track.h"
#include "shards/edge/session/auth.h"
#include "shards/edge/session/commands.h"
#include "shards/edge/session/grants.h"
#include "shards/edge/session/server_subs.h"
#include "shards/edge/polls/tracking.h"

struct verdict command_refresh(struct edge *edge, struct session *session,
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
        !session_set_meta(session, who.meta) || !session_set_token(session, &who.token)) {
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
    return VERDICT_DONE;
}

/* It waits while the channel's subscribe is still under way. */
static struct verdict track(struct edge *edge, struct subscription *subscription,
                            const struct client_command *command, struct scratch *scratch)
{
    if (subscription->state != SUBSCRIPTION_ACTIVE) {
        subscription->is_awaited = true;
        return (struct verdict){.waits = true};
    }
    switch (command->sub_refresh.type) {
    case TRACK_TYPE_TRACK:
        return tracking_track(edge, subscription, command, scratch);
    case TRACK_TYPE_UNTRACK:
        return tracking_untrack(edge, subscription, command, scratch);
    default:
        return VERDICT_ERROR(BAD_REQUEST);
    }
}

struct verdict command_sub_refresh(struct edge *edge, struct session *session,
                                   const struct client_command *command, struct scratch *scratch)
{
    const struct span channel = command->sub_refresh.channel;
    if (span_is_empty(channel)) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    struct subscription *subscription = hub_find_subscription(edge, session, channel);
    if (subscription != NULL && tracking_is_of(subscription->channel->options) &&
        command->sub_refresh.type != TRACK_TYPE_REFRESH) {
        return track(edge, subscription, command, scratch);
    }
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
    if (!session_replace_buf(&kept->token_uid, grant.token.uid)) {
        return VERDICT_ERROR(INTERNAL);
    }
    kept->token_issued_at_s = grant.token.issued_at_s;
    if (!grant_set_info(edge, subscription, grant.info)) {
        return VERDICT_DISCONNECT(INTERNAL);
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
    return VERDICT_DONE;
}
