/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of rings as messages of links, and back: bufs become heads and payloads. */
#include "shards/router/relay_state.h"

#include "shards/payloads.h"

/* ---- payloads: lists, measured first ---- */

typedef void list_function(struct writer *out, const void *what);

/* True with *payload NULL when the list is empty; false: memory is out, or it is too long. */
static bool make_list(list_function *put, const void *what, struct buf **payload)
{
    struct writer measure = writer_for_measuring();
    put(&measure, what);
    *payload = NULL;
    if (measure.overflow == 0) {
        return true;
    }
    if (measure.overflow > UINT32_MAX) {
        return false;
    }
    *payload = buf_create((uint32_t)measure.overflow);
    if (*payload == NULL) {
        return false;
    }
    struct writer out = writer_of((*payload)->bytes, (*payload)->len);
    put(&out, what);
    return true;
}

static struct link_identity identity_out(const struct buf *buf)
{
    const struct identity identity = identity_of(buf);
    return (struct link_identity){
        .client = span_of(identity.client, CLIENT_ID_LEN),
        .user = identity.user,
        .conn_info = identity.conn_info,
        .chan_info = identity.chan_info,
    };
}

static struct buf *identity_in(const struct link_identity *identity)
{
    return identity_make(identity->client.at, identity->user, identity->conn_info,
                         identity->chan_info);
}

static void put_one_identity(struct writer *out, const void *what)
{
    const struct buf *buf = what;
    if (buf != NULL) {
        const struct link_identity identity = identity_out(buf);
        link_put_identity(out, &identity);
    }
}

static void put_snapshot(struct writer *out, const void *what)
{
    const struct presence_snapshot *snapshot = what;
    for (uint32_t i = 0; snapshot != NULL && i < snapshot->len; i++) {
        put_one_identity(out, snapshot->identities[i]);
    }
}

static void put_entry(struct writer *out, const void *what)
{
    const struct stream_page_entry *stored = what;
    const struct publish_request request = publish_request_of(stored->request);
    struct link_entry entry = {
        .channel = request.channel,
        .data = request.data,
        .tags = request.tags,
        .idempotency_key = request.idempotency_key,
        .version_epoch = request.version_epoch,
        .version = request.version,
        .offset = stored->offset,
        .is_binary = request.is_binary,
        .wants_delta = request.wants_delta,
        .has_identity = stored->identity != NULL,
    };
    if (entry.has_identity) {
        entry.identity = identity_out(stored->identity);
    }
    link_put_entry(out, &entry);
}

static void put_page(struct writer *out, const void *what)
{
    const struct stream_page *page = what;
    for (uint64_t i = 0; page != NULL && i < page->len; i++) {
        put_entry(out, &page->entries[i]);
    }
}

/* ---- from messages ---- */

static bool from_subscribe(const struct message *message, struct link_message *out,
                           struct buf **payload)
{
    const struct message_subscribe body = message_as_subscribe(message);
    out->kind = LINK_MESSAGE_SUBSCRIBE;
    out->name = relay_name(body.channel);
    out->flags = body.flags;
    out->offset = body.since.offset;
    out->epoch = body.since.epoch;
    out->limit = body.limit;
    out->bytes_max = body.bytes_max;
    out->meta_ttl_s = body.meta_ttl_s;
    return make_list(put_one_identity, body.identity, payload);
}

static bool from_subscribed(const struct message *message, struct link_message *out,
                            struct buf **payload)
{
    const struct message_subscribed body = message_as_subscribed(message);
    out->kind = LINK_MESSAGE_SUBSCRIBED;
    out->error = body.error;
    out->flags = body.flags;
    out->epoch = body.newest.epoch;
    out->offset = body.newest.offset;
    out->sequence = body.sequence;
    return make_list(put_page, body.page == NULL ? NULL : stream_page_of(body.page), payload);
}

static bool from_unsubscribe(const struct message *message, struct link_message *out,
                             struct buf **payload)
{
    const struct message_unsubscribe body = message_as_unsubscribe(message);
    out->kind = LINK_MESSAGE_UNSUBSCRIBE;
    out->name = relay_name(body.channel);
    out->flags = body.flags;
    return make_list(put_one_identity, body.identity, payload);
}

static bool from_publish(const struct message *message, struct link_message *out,
                         struct buf **payload)
{
    const struct message_publish body = message_as_publish(message);
    const struct stream_page_entry entry = {.request = body.request, .identity = body.identity};
    out->kind = LINK_MESSAGE_PUBLISH;
    out->history_size = body.history_size;
    out->history_ttl_s = body.history_ttl_s;
    out->meta_ttl_s = body.meta_ttl_s;
    return make_list(put_entry, &entry, payload);
}

static bool from_published(const struct message *message, struct link_message *out)
{
    const struct message_published body = message_as_published(message);
    out->kind = LINK_MESSAGE_PUBLISHED;
    out->epoch = body.epoch;
    out->offset = body.offset;
    out->error = body.error;
    return true;
}

static bool from_presence_ask(const struct message *message, struct link_message *out)
{
    const struct message_presence_ask body = message_as_presence_ask(message);
    out->kind = LINK_MESSAGE_PRESENCE_ASK;
    out->name = relay_name(body.channel);
    out->flags = body.stats_only;
    return true;
}

static bool from_presence(const struct message *message, struct link_message *out,
                          struct buf **payload)
{
    const struct message_presence body = message_as_presence(message);
    out->kind = LINK_MESSAGE_PRESENCE;
    out->clients = body.clients;
    out->users = body.users;
    out->flags = body.stats_only;
    out->error = body.error;
    return make_list(put_snapshot,
                     body.snapshot == NULL ? NULL : presence_snapshot_of(body.snapshot), payload);
}

static bool from_history_ask(const struct message *message, struct link_message *out)
{
    const struct message_history_ask body = message_as_history_ask(message);
    out->kind = LINK_MESSAGE_HISTORY_ASK;
    out->name = relay_name(body.channel);
    out->offset = body.since.offset;
    out->epoch = body.since.epoch;
    out->flags = body.flags;
    out->limit = body.limit;
    out->bytes_max = body.bytes_max;
    out->meta_ttl_s = body.meta_ttl_s;
    return true;
}

static bool from_history(const struct message *message, struct link_message *out,
                         struct buf **payload)
{
    const struct message_history body = message_as_history(message);
    out->kind = LINK_MESSAGE_HISTORY;
    out->epoch = body.newest.epoch;
    out->offset = body.newest.offset;
    out->error = body.error;
    return make_list(put_page, body.page == NULL ? NULL : stream_page_of(body.page), payload);
}

bool relay_from_message(const struct message *message, struct link_message *out,
                        struct buf **payload)
{
    *out = (struct link_message){0};
    *payload = NULL;
    switch ((enum message_type)message->type) {
    case MESSAGE_SUBSCRIBE:
        return from_subscribe(message, out, payload);
    case MESSAGE_SUBSCRIBED:
        return from_subscribed(message, out, payload);
    case MESSAGE_UNSUBSCRIBE:
        return from_unsubscribe(message, out, payload);
    case MESSAGE_PUBLISH:
        return from_publish(message, out, payload);
    case MESSAGE_PUBLISHED:
        return from_published(message, out);
    case MESSAGE_PRESENCE_ASK:
        return from_presence_ask(message, out);
    case MESSAGE_PRESENCE:
        return from_presence(message, out, payload);
    case MESSAGE_HISTORY_ASK:
        return from_history_ask(message, out);
    case MESSAGE_HISTORY:
        return from_history(message, out, payload);
    case MESSAGE_USER_ADD:
        out->kind = LINK_MESSAGE_USER_ADD;
        out->name = relay_name(message_as_user_add(message).user);
        return true;
    case MESSAGE_USER_ADDED:
        out->kind = LINK_MESSAGE_USER_ADDED;
        out->error = message_as_user_added(message).error;
        return true;
    case MESSAGE_EMULATED:
        out->kind = LINK_MESSAGE_EMULATED;
        out->error = message_as_emulated(message).error;
        return true;
    default:
        return false;
    }
}

/* ---- from payloads ---- */

/* The one identity of a list; false: it has none, or is bad, or memory is out. */
static bool take_identity(struct span payload, struct buf **out)
{
    struct link_identity identity;
    *out = NULL;
    if (link_next_identity(&payload, &identity) == LINK_MESSAGE_OK) {
        *out = identity_in(&identity);
    }
    return *out != NULL;
}

static bool take_entry(const struct link_entry *entry, struct stream_page_entry *out)
{
    const struct publish_request request = {
        .channel = entry->channel,
        .data = entry->data,
        .tags = entry->tags,
        .idempotency_key = entry->idempotency_key,
        .version_epoch = entry->version_epoch,
        .version = entry->version,
        .is_binary = entry->is_binary,
        .wants_delta = entry->wants_delta,
    };
    *out = (struct stream_page_entry){.offset = entry->offset,
                                      .request = publish_request_make(&request)};
    if (out->request != NULL && entry->has_identity) {
        out->identity = identity_in(&entry->identity);
    }
    if (out->request == NULL || (entry->has_identity && out->identity == NULL)) {
        buf_release(out->request);
        return false;
    }
    return true;
}

static uint32_t count_entries(struct span payload, bool *is_good)
{
    struct link_entry entry;
    uint32_t count = 0;
    enum link_message_result result;
    while ((result = link_next_entry(&payload, &entry)) == LINK_MESSAGE_OK) {
        count++;
    }
    *is_good = result == LINK_MESSAGE_DONE;
    return count;
}

/* NULL with true: an empty one. */
static bool take_page(struct span payload, struct buf **out)
{
    bool is_good;
    const uint32_t len = count_entries(payload, &is_good);
    *out = NULL;
    if (!is_good || len == 0) {
        return is_good;
    }
    *out = stream_page_make(len);
    if (*out == NULL) {
        return false;
    }
    struct stream_page *page = stream_page_of(*out);
    for (page->len = 0; page->len < len; page->len++) {
        struct link_entry entry;
        if (link_next_entry(&payload, &entry) != LINK_MESSAGE_OK ||
            !take_entry(&entry, &page->entries[page->len])) {
            stream_page_release(*out);
            *out = NULL;
            return false;
        }
    }
    return true;
}

static bool take_snapshot(struct span payload, struct buf **out)
{
    struct link_identity identity;
    uint32_t len = 0;
    struct span rest = payload;
    enum link_message_result result;
    while ((result = link_next_identity(&rest, &identity)) == LINK_MESSAGE_OK) {
        len++;
    }
    *out = NULL;
    if (result != LINK_MESSAGE_DONE || len == 0) {
        return result == LINK_MESSAGE_DONE;
    }
    *out = presence_snapshot_make(len);
    if (*out == NULL) {
        return false;
    }
    struct presence_snapshot *snapshot = presence_snapshot_of(*out);
    for (snapshot->len = 0; snapshot->len < len; snapshot->len++) {
        struct buf *made = NULL;
        if (link_next_identity(&payload, &identity) == LINK_MESSAGE_OK) {
            made = identity_in(&identity);
        }
        if (made == NULL) {
            presence_snapshot_release(*out);
            *out = NULL;
            return false;
        }
        snapshot->identities[snapshot->len] = made;
    }
    return true;
}

/* ---- requests for this node's shards ---- */

static bool to_subscribe(const struct link_message *request, struct span payload, uint32_t handle,
                         struct message *out)
{
    struct message_subscribe body = {
        .since = {.offset = request->offset, .epoch = request->epoch},
        .connection = handle,
        .flags = request->flags,
        .limit = request->limit,
        .bytes_max = request->bytes_max,
        .meta_ttl_s = request->meta_ttl_s,
        .origin = request->shard,
    };
    if ((request->flags & (SUBSCRIBE_PRESENCE | SUBSCRIBE_JOIN)) != 0 &&
        !take_identity(payload, &body.identity)) {
        return false;
    }
    body.channel = buf_copy(request->name.at, request->name.len);
    if (body.channel == NULL) {
        buf_release(body.identity);
        return false;
    }
    *out = message_make_subscribe(request->handle, &body);
    return true;
}

static bool to_unsubscribe(const struct link_message *request, struct span payload,
                           struct message *out)
{
    struct message_unsubscribe body = {.flags = request->flags};
    if ((request->flags & (UNSUBSCRIBE_PRESENCE | UNSUBSCRIBE_LEAVE)) != 0 &&
        !take_identity(payload, &body.identity)) {
        return false;
    }
    body.channel = buf_copy(request->name.at, request->name.len);
    if (body.channel == NULL) {
        buf_release(body.identity);
        return false;
    }
    *out = message_make_unsubscribe(request->handle, &body);
    return true;
}

static bool to_publish(const struct link_message *request, struct span payload, uint32_t handle,
                       struct message *out)
{
    struct link_entry entry;
    struct stream_page_entry taken;
    if (link_next_entry(&payload, &entry) != LINK_MESSAGE_OK || !take_entry(&entry, &taken)) {
        return false;
    }
    const struct message_publish body = {
        .request = taken.request,
        .identity = taken.identity,
        .history_size = request->history_size,
        .history_ttl_s = request->history_ttl_s,
        .meta_ttl_s = request->meta_ttl_s,
    };
    *out = message_make_publish(handle, &body);
    return true;
}

static bool to_history_ask(const struct link_message *request, struct buf *name, uint32_t handle,
                           struct message *out)
{
    const struct message_history_ask body = {
        .channel = name,
        .since = {.offset = request->offset, .epoch = request->epoch},
        .flags = request->flags,
        .limit = request->limit,
        .bytes_max = request->bytes_max,
        .meta_ttl_s = request->meta_ttl_s,
    };
    *out = message_make_history_ask(handle, &body);
    return true;
}

/* What has a name and no payload. */
static bool to_named(const struct link_message *request, uint32_t handle, struct message *out)
{
    struct buf *name = buf_copy(request->name.at, request->name.len);
    if (name == NULL) {
        return false;
    }
    switch (request->kind) {
    case LINK_MESSAGE_PRESENCE_ASK:
        *out = message_make_presence_ask(handle,
                                         &(struct message_presence_ask){.channel = name,
                                                                        .stats_only =
                                                                            request->flags & 1});
        return true;
    case LINK_MESSAGE_HISTORY_ASK:
        return to_history_ask(request, name, handle, out);
    case LINK_MESSAGE_USER_ADD:
        *out = message_make_user_add(handle, &(struct message_user_add){.user = name,
                                                                        .place = request->shard});
        return true;
    case LINK_MESSAGE_USER_REMOVE:
        *out = message_make_user_remove(handle,
                                        &(struct message_user_remove){.user = name,
                                                                      .place = request->shard});
        return true;
    case LINK_MESSAGE_USER_SET:
        *out =
            message_make_user_set(handle, &(struct message_user_set){.user = name,
                                                                     .place = request->shard,
                                                                     .sessions = request->clients});
        return true;
    default:
        buf_release(name);
        return false;
    }
}

bool relay_to_request(const struct link_message *request, struct span payload, uint32_t handle,
                      struct message *out)
{
    switch (request->kind) {
    case LINK_MESSAGE_SUBSCRIBE:
        return to_subscribe(request, payload, handle, out);
    case LINK_MESSAGE_UNSUBSCRIBE:
        return to_unsubscribe(request, payload, out);
    case LINK_MESSAGE_PUBLISH:
        return to_publish(request, payload, handle, out);
    default:
        return to_named(request, handle, out);
    }
}

/* ---- answers for this node's shards ---- */

static bool to_subscribed(const struct link_message *answer, struct span payload,
                          const struct relay_ask *ask, struct message *out)
{
    struct message_subscribed body = {
        .newest = {.offset = answer->offset, .epoch = answer->epoch},
        .sequence = answer->sequence,
        .since_offset = ask->since_offset,
        .connection = ask->cookie,
        .error = answer->error,
        .flags = ask->flags | (answer->flags & SUBSCRIBED_FLAGS),
    };
    if (!take_page(payload, &body.page)) {
        return false;
    }
    *out = message_make_subscribed(ask->asker_handle, &body);
    return true;
}

static bool to_presence(const struct link_message *answer, struct span payload,
                        const struct relay_ask *ask, struct message *out)
{
    struct message_presence body = {
        .clients = answer->clients,
        .users = answer->users,
        .cookie = ask->cookie,
        .origin = ask->api,
        .stats_only = ask->flags & 1,
        .error = answer->error,
    };
    if (!take_snapshot(payload, &body.snapshot)) {
        return false;
    }
    *out = message_make_presence(ask->asker_handle, &body);
    return true;
}

static bool to_history(const struct link_message *answer, struct span payload,
                       const struct relay_ask *ask, struct message *out)
{
    struct message_history body = {
        .newest = {.offset = answer->offset, .epoch = answer->epoch},
        .cookie = ask->cookie,
        .origin = ask->api,
        .error = answer->error,
    };
    if (!take_page(payload, &body.page)) {
        return false;
    }
    *out = message_make_history(ask->asker_handle, &body);
    return true;
}

bool relay_to_answer(const struct link_message *answer, struct span payload,
                     const struct relay_ask *ask, struct message *out)
{
    switch (ask->kind) {
    case LINK_MESSAGE_SUBSCRIBE:
        return to_subscribed(answer, payload, ask, out);
    case LINK_MESSAGE_PUBLISH: {
        const struct message_published body = {
            .epoch = answer->epoch,
            .offset = answer->offset,
            .cookie = ask->cookie,
            .origin = ask->api,
            .error = answer->error,
        };
        *out = message_make_published(ask->asker_handle, &body);
        return true;
    }
    case LINK_MESSAGE_PRESENCE_ASK:
        return to_presence(answer, payload, ask, out);
    case LINK_MESSAGE_HISTORY_ASK:
        return to_history(answer, payload, ask, out);
    case LINK_MESSAGE_USER_ADD: {
        const struct message_user_added body = {.error = answer->error};
        *out = message_make_user_added(ask->asker_handle, &body);
        return true;
    }
    case LINK_MESSAGE_EMULATE:
        *out = message_make_emulated(ask->asker_handle, &(struct message_emulated){answer->error});
        return true;
    default:
        return false;
    }
}
