/* SPDX-License-Identifier: Apache-2.0 */
/* Refuses revoked tokens and blocked users, and ends what they have. */
#include "shards/edge/session/revoked.h"

#include "shards/edge/fanout/hub.h"
#include "shards/payloads.h"

static int64_t now_s(const struct edge *edge)
{
    return edge->shard->wall_ms / 1000;
}

struct revocable revoked_token_of(const struct jwt_claims *claims)
{
    const int64_t s = claims->iat.present ? claims->iat.s : 0;
    return (struct revocable){
        .uid = claims->jti,
        .user = claims->user,
        .channel = claims->channel,
        .issued_at_s = s <= REVOCABLE_NO_DATE ? REVOCABLE_NO_DATE
                       : s > UINT32_MAX       ? UINT32_MAX
                                              : (uint32_t)s,
    };
}

bool revoked_refuses_token(struct edge *edge, const struct revocable *token)
{
    if (!revocations_have_token(edge->revocations, token, now_s(edge))) {
        return false;
    }
    actors_count(edge->actors, COUNTER_REVOKED_TOKENS_REFUSED);
    return true;
}

bool revoked_refuses_user(struct edge *edge, struct span user)
{
    if (!revocations_have_user(edge->revocations, user, now_s(edge))) {
        return false;
    }
    actors_count(edge->actors, COUNTER_REVOKED_USERS_REFUSED);
    return true;
}

/* ---- who is there ---- */

/* The client may ask for another token, so it is told to subscribe again. */
static void settle_subscriptions(struct edge *edge, struct session *session)
{
    const struct connection *conn = session->conn;
    struct subscription *next;
    for (struct subscription *at = hub_first_of(edge, session); at != NULL; at = next) {
        next = hub_next_of(edge, at);
        const struct subscription_grant *grant = hub_grant_of(edge, at);
        if (grant == NULL || grant->token_issued_at_s == 0) {
            continue;
        }
        const struct revocable token = {
            .uid = span_of_buf(grant->token_uid),
            .user = session_user(session),
            .channel = span_of_buf(at->channel->name),
            .issued_at_s = grant->token_issued_at_s,
        };
        if (!revocations_have_token(edge->revocations, &token, now_s(edge))) {
            continue;
        }
        actors_count(edge->actors, COUNTER_REVOKED_SUBSCRIPTIONS_ENDED);
        if (at->state == SUBSCRIPTION_ACTIVE) {
            hub_unsubscribe_push(edge, at, CLIENT_UNSUBSCRIBE_STATE_INVALIDATED);
        } else {
            session_disconnect(edge, session, CLIENT_DISCONNECT_INVALID_TOKEN, SPAN_EMPTY);
        }
        if (conn->state != CONNECTION_SESSION) {
            return;
        }
    }
}

static void settle_session(struct edge *edge, struct session *session)
{
    if (session->conn == NULL || session->conn->state != CONNECTION_SESSION ||
        (session->state != SESSION_CONNECTED && session->state != SESSION_JOINING)) {
        return; /* It has still to come past the checks, or is about to be gone. */
    }
    if (revocations_have_user(edge->revocations, session_user(session), now_s(edge))) {
        actors_count(edge->actors, COUNTER_REVOKED_USERS_ENDED);
        session_disconnect(edge, session, CLIENT_DISCONNECT_PERMISSION_DENIED, SPAN_EMPTY);
        return;
    }
    const struct revocable token = session_token(session);
    if (revocations_have_token(edge->revocations, &token, now_s(edge))) {
        actors_count(edge->actors, COUNTER_REVOKED_CONNECTIONS_ENDED);
        session_disconnect(edge, session, CLIENT_DISCONNECT_INVALID_TOKEN, SPAN_EMPTY);
        return;
    }
    settle_subscriptions(edge, session);
}

static void settle_user(struct edge *edge, struct span id)
{
    const struct local_user *user = map_find(edge->users, id.at, id.len);
    if (user == NULL) {
        return;
    }
    /* Ending the last session frees the user, so the list is walked by what is still next. */
    struct list *next;
    bool is_last = list_is_empty(&user->accounts);
    for (struct list *at = user->accounts.next; !is_last; at = next) {
        next = at->next;
        is_last = next == &user->accounts;
        settle_session(edge, CONTAINER_OF(at, struct session_account, user_link)->session);
    }
}

/* ---- what comes ---- */

static void begin_walk(struct edge *edge)
{
    edge->revoked_walks_again = edge->revoked_walks;
    edge->revoked_walks = true;
}

void revoked_on_entries(struct edge *edge, const struct message *message)
{
    struct span entries = span_of_buf(message_as_revocations(message).entries);
    struct link_revocation entry;
    bool has_tokens = false;
    while (link_next_revocation(&entries, &entry) == LINK_MESSAGE_OK) {
        switch (revocations_merge(edge->revocations, &entry, now_s(edge))) {
        case REVOCATIONS_CHANGED:
            if (entry.kind == REVOCATION_TOKEN) {
                has_tokens = true;
            } else {
                settle_user(edge, entry.name);
            }
            break;
        case REVOCATIONS_FULL:
            actors_count(edge->actors, COUNTER_REVOCATIONS_REFUSED);
            break;
        case REVOCATIONS_SAME:
        case REVOCATIONS_INVALID:
            break;
        }
    }
    if (has_tokens) {
        begin_walk(edge);
    }
    message_release(message);
}

void revoked_on_turn_end(struct edge *edge)
{
    for (uint32_t i = 0; edge->revoked_walks && i < REVOCATIONS_WALK_SESSIONS; i++) {
        uint32_t handle;
        struct session *session = pool_next(edge->sessions, &edge->revoked_cursor, &handle);
        if (session != NULL) {
            settle_session(edge, session);
        } else {
            edge->revoked_cursor = 0;
            edge->revoked_walks = edge->revoked_walks_again;
            edge->revoked_walks_again = false;
        }
    }
}

bool revoked_has_work(const struct edge *edge)
{
    return edge->revoked_walks;
}
