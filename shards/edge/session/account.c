/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a session's client: its user, what others and backends see of it, and until when
 * that holds. */
#include <stdlib.h>

#include "codec/json.h"
#include "shards/edge/session/client_events.h"
#include "shards/edge/session/server_subs.h"
#include "shards/edge/session/session.h"

struct session_account *session_account_of(struct session *session)
{
    if (session->account == NULL) {
        session->account = calloc(1, sizeof(*session->account));
        if (session->account != NULL) {
            session->account->session = session;
        }
    }
    return session->account;
}

bool session_set_credentials(struct session *session, struct span info, int64_t expire_at_s)
{
    if (session->account == NULL && span_is_empty(info) && expire_at_s == 0) {
        return true;
    }
    struct session_account *account = session_account_of(session);
    struct buf *conn_info = span_is_empty(info) ? NULL : buf_copy(info.at, info.len);
    if (account == NULL || (conn_info == NULL && !span_is_empty(info))) {
        buf_release(conn_info);
        return false;
    }
    buf_release(account->conn_info);
    buf_release(account->identity);
    account->conn_info = conn_info;
    account->identity = NULL;
    account->expire_at_s = expire_at_s;
    return true;
}

struct session_context *session_make_context(struct session *session)
{
    struct session_account *account = session_account_of(session);
    if (account != NULL && account->context == NULL) {
        account->context = calloc(1, sizeof(*account->context));
    }
    return account == NULL ? NULL : account->context;
}

bool session_replace_buf(struct buf **buf, struct span bytes)
{
    struct buf *copy = span_is_empty(bytes) ? NULL : buf_copy(bytes.at, bytes.len);
    if (copy == NULL && !span_is_empty(bytes)) {
        return false;
    }
    buf_release(*buf);
    *buf = copy;
    return true;
}

bool session_set_meta(struct session *session, struct span meta)
{
    if (span_is_empty(meta)) {
        return true;
    }
    struct session_context *context = session_make_context(session);
    return context != NULL && session_replace_buf(&context->meta, meta);
}

/* A token of nobody's that has no id cannot be revoked. */
bool session_set_token(struct session *session, const struct revocable *token)
{
    if (session->account == NULL && span_is_empty(token->uid)) {
        return true;
    }
    struct session_context *context = session_context_of(session);
    if (!span_is_empty(token->uid)) {
        context = session_make_context(session);
    }
    if ((context == NULL && !span_is_empty(token->uid)) ||
        (context != NULL && !session_replace_buf(&context->token_uid, token->uid))) {
        return false;
    }
    session->account->token_issued_at_s = token->issued_at_s;
    return true;
}

struct revocable session_token(const struct session *session)
{
    const struct session_context *context = session_context_of(session);
    return (struct revocable){
        .uid = context == NULL ? SPAN_EMPTY : span_of_buf(context->token_uid),
        .user = session_user(session),
        .issued_at_s = session->account == NULL ? 0 : session->account->token_issued_at_s,
    };
}

void session_extend(struct session *session, int64_t expire_at_s)
{
    session->account->expire_at_s = expire_at_s;
}

bool session_understands(const struct session *session, struct span data)
{
    return span_is_empty(data) || connection_protocol(session->conn) == CLIENT_PROTOBUF ||
           json_check(data) == JSON_OK;
}

struct span session_user(const struct session *session)
{
    if (session->account == NULL || session->account->user == NULL) {
        return SPAN_EMPTY;
    }
    const struct buf *id = session->account->user->id;
    return span_of(id->bytes, id->len);
}

struct span session_conn_info(const struct session *session)
{
    if (session->account == NULL || session->account->conn_info == NULL) {
        return SPAN_EMPTY;
    }
    return span_of(session->account->conn_info->bytes, session->account->conn_info->len);
}

struct buf *session_identity(struct session *session)
{
    struct session_account *account = session_account_of(session);
    if (account == NULL) {
        return NULL;
    }
    if (account->identity == NULL) {
        account->identity = identity_make(session->client_id, session_user(session),
                                          session_conn_info(session), SPAN_EMPTY);
    }
    if (account->identity != NULL) {
        buf_share(account->identity, 1);
    }
    return account->identity;
}

static void context_free(struct session_context *context)
{
    if (context != NULL) {
        buf_release(context->headers);
        buf_release(context->emulated_headers);
        buf_release(context->meta);
        buf_release(context->data);
        buf_release(context->token_uid);
        client_story_free(context->story);
        free(context);
    }
}

void session_free_account(struct session *session)
{
    struct session_account *account = session->account;
    if (account != NULL) {
        buf_release(account->identity);
        buf_release(account->conn_info);
        context_free(account->context);
        server_subs_free(account->server_subs);
        free(account);
    }
}
