/* SPDX-License-Identifier: Apache-2.0 */
/* A shard's page of its sessions, each as a row of JSON under its place. */
#include "shards/edge/api/connections.h"

#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "codec/json_writer.h"
#include "shards/edge/session/apps.h"
#include "shards/edge/api/connections_place.h"
#include "shards/edge/fanout/hub.h"

/* ---- which sessions ---- */

/* The first of those that were offered, in their order. */
struct page {
    struct session **at;
    uint32_t len;
    uint32_t room;
    struct connections_place behind;
};

static struct connections_place place_of(const struct session *session)
{
    struct connections_place place = {.index = session->handle & POOL_OBJECTS_MAX};
    memcpy(place.client, session->client_id, sizeof(place.client));
    return place;
}

static bool is_listed(const struct page *page, const struct session *session)
{
    const struct connections_place place = place_of(session);
    return session->state == SESSION_CONNECTED && session->conn != NULL &&
           session->conn->state == CONNECTION_SESSION &&
           connections_place_compare(&place, &page->behind) > 0;
}

static void page_offer(struct page *page, struct session *session)
{
    const struct connections_place place = place_of(session);
    uint32_t at = page->len;
    if (!is_listed(page, session)) {
        return;
    }
    while (at > 0) {
        const struct connections_place before = place_of(page->at[at - 1]);
        if (connections_place_compare(&before, &place) < 0) {
            break;
        }
        at--;
    }
    if (at == page->room) {
        return;
    }
    page->len += page->len < page->room;
    memmove(page->at + at + 1, page->at + at, (page->len - at - 1) * sizeof(*page->at));
    page->at[at] = session;
}

static void offer_user(struct edge *edge, struct page *page,
                       const struct connections_request *request)
{
    const struct local_user *user = map_find(edge->users, request->user.at, request->user.len);
    if (user == NULL) {
        return;
    }
    for (struct list *at = user->accounts.next; at != &user->accounts; at = at->next) {
        struct session *session = CONTAINER_OF(at, struct session_account, user_link)->session;
        if (span_is_empty(request->channel) ||
            hub_find_subscription(edge, session, request->channel) != NULL) {
            page_offer(page, session);
        }
    }
}

static void offer_channel(struct edge *edge, struct page *page, struct span name)
{
    struct hub_channel *channel = hub_find(edge, name);
    for (uint32_t i = 0; channel != NULL && i < channel->subscribers.count; i++) {
        page_offer(page, (*subscribers_at(&channel->subscribers, i))->conn->session);
    }
}

/* They come in the order of their places. */
static void offer_all(struct edge *edge, struct page *page)
{
    uint32_t cursor = page->behind.index;
    uint32_t handle;
    struct session *session;
    while (page->len < page->room &&
           (session = pool_next(edge->sessions, &cursor, &handle)) != NULL) {
        page_offer(page, session);
    }
}

/* ---- rows ---- */

static struct span protocol_of(const struct session *session)
{
    return connection_protocol(session->conn) == CLIENT_PROTOBUF ? SPAN_LITERAL("protobuf")
                                                                 : SPAN_LITERAL("json");
}

static void write_token(struct json_writer *json, struct span uid, uint32_t issued_at_s)
{
    json_write_object_begin(json);
    json_write_field_string(json, SPAN_LITERAL("uid"), uid);
    json_write_field_u64(json, SPAN_LITERAL("issued_at"),
                         issued_at_s == REVOCABLE_NO_DATE ? 0 : issued_at_s);
    json_write_object_end(json);
}

static void write_info(struct json_writer *json, const struct subscription_grant *grant)
{
    if (grant != NULL && grant->identity != NULL && identity_is_json(grant->identity)) {
        json_write_field_raw(json, SPAN_LITERAL("info"), identity_of(grant->identity).chan_info);
    }
}

static void write_channels(struct edge *edge, struct json_writer *json,
                           const struct session *session)
{
    JSON_WRITE_KEY(json, "channels");
    json_write_object_begin(json);
    const struct subscription *at = hub_first_of(edge, session);
    for (; at != NULL; at = hub_next_of(edge, at)) {
        if (at->state == SUBSCRIPTION_ACTIVE) {
            json_write_key_text(json, span_of_buf(at->channel->name));
            json_write_object_begin(json);
            json_write_field_u64(json, SPAN_LITERAL("source"), at->source);
            write_info(json, hub_grant_of(edge, at));
            json_write_object_end(json);
        }
    }
    json_write_object_end(json);
}

static void write_subscription_tokens(struct edge *edge, struct json_writer *json,
                                      const struct session *session)
{
    bool has_any = false;
    const struct subscription *at = hub_first_of(edge, session);
    for (; at != NULL; at = hub_next_of(edge, at)) {
        const struct subscription_grant *grant = hub_grant_of(edge, at);
        if (grant == NULL || grant->token_issued_at_s == 0 || at->state != SUBSCRIPTION_ACTIVE) {
            continue;
        }
        if (!has_any) {
            JSON_WRITE_KEY(json, "subscription_tokens");
            json_write_object_begin(json);
            has_any = true;
        }
        json_write_key_text(json, span_of_buf(at->channel->name));
        write_token(json, span_of_buf(grant->token_uid), grant->token_issued_at_s);
    }
    if (has_any) {
        json_write_object_end(json);
    }
}

static void write_state(struct edge *edge, struct json_writer *json, const struct session *session)
{
    const struct revocable token = session_token(session);
    const struct session_context *context = session_context_of(session);
    JSON_WRITE_KEY(json, "state");
    json_write_object_begin(json);
    write_channels(edge, json, session);
    if (token.issued_at_s != 0) {
        JSON_WRITE_KEY(json, "connection_token");
        write_token(json, token.uid, token.issued_at_s);
    }
    write_subscription_tokens(edge, json, session);
    if (context != NULL && context->meta != NULL) {
        json_write_field_raw(json, SPAN_LITERAL("meta"), span_of_buf(context->meta));
    }
    json_write_object_end(json);
}

/* Of its last ping; -1: none was answered, or one is not yet. */
static int64_t latency_ms_of(const struct session *session)
{
    return session->owes_pong || session->ping_sent_us == 0
               ? -1
               : (int64_t)(session->ping_sent_us / 1000);
}

/* A member of the result: "<client>":{...}, behind its place. */
static void write_row(struct edge *edge, struct writer *out, const struct session *session)
{
    const struct connections_place place = place_of(session);
    char id[CLIENT_ID_TEXT_LEN];
    struct span app_name;
    struct span app_version;
    client_id_format(session->client_id, id);
    apps_get(edge->apps, session->app, &app_name, &app_version);
    connections_place_put(out, &place);
    struct json_writer json = json_writer_of(out);
    json_write_string(&json, span_of(id, sizeof(id)));
    writer_put_literal(out, ":");
    json = json_writer_of(out);
    json_write_object_begin(&json);
    json_write_field_string(&json, SPAN_LITERAL("app_name"), app_name);
    json_write_field_string(&json, SPAN_LITERAL("app_version"), app_version);
    json_write_field_string(&json, SPAN_LITERAL("transport"),
                            span_of_text(transport_name(connection_transport(session->conn))));
    json_write_field_string(&json, SPAN_LITERAL("protocol"), protocol_of(session));
    json_write_field_string(&json, SPAN_LITERAL("user"), session_user(session));
    write_state(edge, &json, session);
    if (session->account != NULL) {
        json_write_field_i64(&json, SPAN_LITERAL("connected_at_ms"),
                             session->account->connected_ms);
    }
    JSON_WRITE_KEY(&json, "ping_pong_latency_ms");
    json_write_i64(&json, latency_ms_of(session));
    json_write_object_end(&json);
}

struct row {
    struct edge *edge;
    const struct session *session;
};

static void encode_row(struct writer *out, const void *what)
{
    const struct row *row = what;
    write_row(row->edge, out, row->session);
}

/* The first always goes, whatever its length; the last one says whether others follow it. */
static bool list_rows(struct edge *edge, const struct page *page, uint32_t limit,
                      struct survey_channels *list)
{
    const uint32_t count = page->len < limit ? page->len : limit;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *larger;
        const struct row row = {edge, page->at[i]};
        const struct span text = edge_encode(edge, encode_row, &row, &larger);
        const uint32_t used = (list->buf == NULL ? 0 : list->buf->len) + (uint32_t)text.len;
        const bool is_cut = i + 1 < page->len && (i + 1 == count || used >= CONNECTIONS_PAGE_BYTES);
        const bool is_added = text.at != NULL && survey_channels_add(list, text, is_cut);
        free(larger);
        if (!is_added || is_cut) {
            return is_added;
        }
    }
    return true;
}

struct buf *connections_survey(struct edge *edge, const struct buf *packed, uint32_t *error)
{
    struct connections_request request;
    struct survey_channels list = {0};
    if (!connections_request_read(span_of_buf(packed), &request)) {
        *error = CLIENT_ERROR_BAD_REQUEST;
        return NULL;
    }
    /* One more than are wanted, which tells that there are more. */
    struct page page = {.room = request.limit + 1, .behind = request.behind};
    page.at = calloc(page.room + 1, sizeof(struct session *));
    if (page.at == NULL) {
        *error = CLIENT_ERROR_INTERNAL;
        return NULL;
    }
    if (!span_is_empty(request.user)) {
        offer_user(edge, &page, &request);
    } else if (!span_is_empty(request.channel)) {
        offer_channel(edge, &page, request.channel);
    } else {
        offer_all(edge, &page);
    }
    if (!list_rows(edge, &page, request.limit, &list)) {
        buf_release(list.buf);
        list.buf = NULL;
        *error = CLIENT_ERROR_INTERNAL;
    }
    free(page.at);
    return list.buf;
}
