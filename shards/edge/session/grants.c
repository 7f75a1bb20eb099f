/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and frees what is kept with some subscriptions. */
#include "shards/edge/session/grants.h"

#include "shards/edge/fanout/filters.h"

struct subscription_grant *hub_grant_of(const struct edge *edge,
                                        const struct subscription *subscription)
{
    return pool_get(edge->grants, subscription->grant);
}

void grant_free(struct edge *edge, uint32_t handle)
{
    struct subscription_grant *grant = pool_get(edge->grants, handle);
    if (grant != NULL) {
        buf_release(grant->identity);
        buf_release(grant->data);
        buf_release(grant->token_uid);
        filters_release(edge, grant->filter);
        pool_put(edge->grants, handle);
    }
}

bool grant_make(struct edge *edge, struct subscription *subscription, const struct session *session,
                const struct hub_subscribe *request)
{
    const bool overrides_emits = request->emits != hub_emits_of(request->options);
    if (span_is_empty(request->chan_info) && span_is_empty(request->data) &&
        request->expire_at_s == 0 && request->filter == NULL && !overrides_emits &&
        request->token.issued_at_s == 0) {
        return true;
    }
    struct subscription_grant *grant = pool_take(edge->grants, &subscription->grant);
    if (grant == NULL) {
        subscription->grant = POOL_HANDLE_NONE;
        filters_release(edge, request->filter);
        return false;
    }
    grant->expire_at_s = request->expire_at_s;
    grant->filter = request->filter;
    grant->overrides_emits = overrides_emits;
    grant->emits = request->emits;
    grant->token_issued_at_s = request->token.issued_at_s;
    if (!session_replace_buf(&grant->token_uid, request->token.uid)) {
        return false;
    }
    if (!span_is_empty(request->chan_info)) {
        grant->identity = identity_make(session->client_id, session_user(session),
                                        session_conn_info(session), request->chan_info);
        if (grant->identity == NULL) {
            return false;
        }
    }
    if (!span_is_empty(request->data)) {
        grant->data = buf_copy(request->data.at, request->data.len);
        if (grant->data == NULL) {
            return false;
        }
    }
    return true;
}

bool grant_set_info(struct edge *edge, const struct subscription *subscription, struct span info)
{
    struct subscription_grant *grant = hub_grant_of(edge, subscription);
    const struct session *session = subscription->conn->session;
    if (span_is_empty(info) ||
        (grant->identity != NULL && span_equal(identity_of(grant->identity).chan_info, info))) {
        return true;
    }
    struct buf *identity =
        identity_make(session->client_id, session_user(session), session_conn_info(session), info);
    if (identity == NULL) {
        return false;
    }
    buf_release(grant->identity);
    grant->identity = identity;
    if (subscription->state == SUBSCRIPTION_ACTIVE &&
        (hub_emits(edge, subscription) & SUBSCRIBE_PRESENCE) != 0) {
        hub_enter_again(edge, subscription);
    }
    return true;
}

struct buf *hub_identity_of(const struct edge *edge, struct session *session,
                            const struct subscription *subscription)
{
    const struct subscription_grant *grant = hub_grant_of(edge, subscription);
    if (grant != NULL && grant->identity != NULL) {
        buf_share(grant->identity, 1);
        return grant->identity;
    }
    return session_identity(session);
}
