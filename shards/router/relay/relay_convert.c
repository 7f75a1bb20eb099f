/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of rings as messages of links, and back: bufs become heads and payloads. */
#include "shards/router/relay/relay_state.h"

#include "shards/payloads.h"

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
    return relay_list_make(relay_put_identity, body.identity, payload);
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
    return relay_list_make(relay_put_page, body.page == NULL ? NULL : stream_page_of(body.page),
                           payload);
}

static bool from_unsubscribe(const struct message *message, struct link_message *out,
                             struct buf **payload)
{
    const struct message_unsubscribe body = message_as_unsubscribe(message);
    out->kind = LINK_MESSAGE_UNSUBSCRIBE;
    out->name = relay_name(body.channel);
    out->flags = body.flags;
    return relay_list_make(relay_put_identity, body.identity, payload);
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
    out->key_ttl_ms = body.key_ttl_ms;
    out->limit = body.wildcards;
    return relay_list_make(relay_put_entry, &entry, payload);
}

static bool from_published(const struct message *message, struct link_message *out)
{
    const struct message_published body = message_as_published(message);
    out->kind = LINK_MESSAGE_PUBLISHED;
    out->epoch = body.epoch;
    out->offset = body.offset;
    out->error = body.error;
    out->what = body.suppressed;
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
    return relay_list_make(relay_put_snapshot,
                           body.snapshot == NULL ? NULL : presence_snapshot_of(body.snapshot),
                           payload);
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
    return relay_list_make(relay_put_page, body.page == NULL ? NULL : stream_page_of(body.page),
                           payload);
}

static bool from_map_ask(const struct message *message, struct link_message *out)
{
    const struct message_map_ask body = message_as_map_ask(message);
    out->kind = LINK_MESSAGE_MAP_ASK;
    out->name = relay_name(body.channel);
    out->cursor = span_of_buf(body.cursor);
    out->epoch = body.epoch;
    out->flags = body.flags;
    out->limit = body.limit;
    out->bytes_max = body.bytes_max;
    out->meta_ttl_s = body.meta_ttl_s;
    return true;
}

static bool from_map_page(const struct message *message, struct link_message *out,
                          struct buf **payload)
{
    const struct message_map_page body = message_as_map_page(message);
    out->kind = LINK_MESSAGE_MAP_PAGE;
    out->epoch = body.newest.epoch;
    out->offset = body.newest.offset;
    out->error = body.error;
    out->clients = body.keys;
    out->flags = body.is_more;
    return relay_list_make(relay_put_page, body.page == NULL ? NULL : stream_page_of(body.page),
                           payload);
}

static bool from_channel_move(const struct message *message, struct link_message *out,
                              struct buf **payload)
{
    const struct channel_move *move = channel_move_of(message_as_channel_move(message).move);
    out->kind = LINK_MESSAGE_CHANNEL_MOVE;
    out->name = relay_name(move->name);
    out->flags = move->flags;
    out->epoch = move->epoch;
    out->sequence = move->sequence;
    out->offset = move->offset;
    out->history_ttl_s = move->expires_in_s;
    out->meta_ttl_s = move->meta_ttl_s;
    out->version = move->version;
    out->version_epoch = move->version_epoch_hash;
    out->history_size = move->stream_size;
    out->stream_ttl_s = move->stream_ttl_s;
    return relay_list_make(relay_put_move, move, payload);
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
    case MESSAGE_PASS_ON:
        return relay_from_pass_on(message, out, payload);
    case MESSAGE_PASSED_ON:
        out->kind = LINK_MESSAGE_PASSED_ON;
        out->error = message_as_passed_on(message).error;
        out->flags = message_as_passed_on(message).is_unheard;
        return true;
    case MESSAGE_PRESENCE_ASK:
        return from_presence_ask(message, out);
    case MESSAGE_PRESENCE:
        return from_presence(message, out, payload);
    case MESSAGE_HISTORY_ASK:
        return from_history_ask(message, out);
    case MESSAGE_HISTORY:
        return from_history(message, out, payload);
    case MESSAGE_MAP_ASK:
        return from_map_ask(message, out);
    case MESSAGE_MAP_PAGE:
        return from_map_page(message, out, payload);
    case MESSAGE_CHANNEL_MOVE:
        return from_channel_move(message, out, payload);
    case MESSAGE_CHANNEL_TAKEN:
        out->kind = LINK_MESSAGE_CHANNEL_TAKEN;
        out->error = message_as_channel_taken(message).error;
        return true;
    case MESSAGE_USER_ADD:
        out->kind = LINK_MESSAGE_USER_ADD;
        out->name = relay_name(message_as_user_add(message).user);
        return true;
    case MESSAGE_USER_ADDED:
        out->kind = LINK_MESSAGE_USER_ADDED;
        out->error = message_as_user_added(message).error;
        return true;
    case MESSAGE_USER_TAKE:
        out->kind = LINK_MESSAGE_USER_TAKE;
        out->name = relay_name(message_as_user_take(message).user);
        out->offset = message_as_user_take(message).first;
        out->limit = message_as_user_take(message).len;
        return true;
    case MESSAGE_USER_TAKEN:
        out->kind = LINK_MESSAGE_USER_TAKEN;
        out->error = message_as_user_taken(message).error;
        out->flags = message_as_user_taken(message).is_denied;
        return true;
    case MESSAGE_EMULATED:
        out->kind = LINK_MESSAGE_EMULATED;
        out->error = message_as_emulated(message).error;
        return true;
    default:
        return false;
    }
}

/* ---- requests for this node's shards ---- */

static bool to_subscribe(const struct link_message *request, struct span payload, uint32_t handle,
                         struct message *out)
{
    struct message_subscribe body = {
        .since = {.offset = request->offset, .epoch = request->epoch},
        .subscription = handle,
        .flags = request->flags,
        .limit = request->limit,
        .bytes_max = request->bytes_max,
        .meta_ttl_s = request->meta_ttl_s,
        .origin = request->shard,
    };
    if ((request->flags & (SUBSCRIBE_PRESENCE | SUBSCRIBE_JOIN)) != 0 &&
        !relay_take_identity(payload, &body.identity)) {
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
        !relay_take_identity(payload, &body.identity)) {
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
    if (link_next_entry(&payload, &entry) != LINK_MESSAGE_OK || !relay_take_entry(&entry, &taken)) {
        return false;
    }
    const struct message_publish body = {
        .request = taken.request,
        .identity = taken.identity,
        .history_size = request->history_size,
        .history_ttl_s = request->history_ttl_s,
        .meta_ttl_s = request->meta_ttl_s,
        .key_ttl_ms = request->key_ttl_ms,
        .wildcards = request->limit,
    };
    *out = message_make_publish(handle, &body);
    return true;
}

static bool to_channel_move(const struct link_message *request, struct span payload,
                            uint32_t handle, struct message *out)
{
    struct channel_move move = {
        .name = buf_copy(request->name.at, request->name.len),
        .epoch = request->epoch,
        .sequence = request->sequence,
        .offset = request->offset,
        .version = request->version,
        .version_epoch_hash = request->version_epoch,
        .expires_in_s = request->history_ttl_s,
        .meta_ttl_s = request->meta_ttl_s,
        .stream_size = request->history_size,
        .stream_ttl_s = request->stream_ttl_s,
        .flags = request->flags,
    };
    if (move.name != NULL && relay_take_page(payload, &move.page) &&
        relay_take_told(payload, &move.told) && relay_take_known(payload, &move.known)) {
        const struct message_channel_move body = {
            .move = channel_move_make(&move),
            .origin = message_place_origin(request->shard),
        };
        if (body.move != NULL) {
            *out = message_make_channel_move(handle, &body);
            return true;
        }
    }
    buf_release(move.name);
    stream_page_release(move.page);
    told_page_release(move.told);
    buf_release(move.known);
    return false;
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

static bool to_map_ask(const struct link_message *request, struct buf *name, uint32_t handle,
                       struct message *out)
{
    const struct message_map_ask body = {
        .channel = name,
        .cursor = span_is_empty(request->cursor)
                      ? NULL
                      : buf_copy(request->cursor.at, request->cursor.len),
        .epoch = request->epoch,
        .flags = request->flags,
        .limit = request->limit,
        .bytes_max = request->bytes_max,
        .meta_ttl_s = request->meta_ttl_s,
    };
    if (body.cursor == NULL && !span_is_empty(request->cursor)) {
        buf_release(name);
        return false;
    }
    *out = message_make_map_ask(handle, &body);
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
    case LINK_MESSAGE_MAP_ASK:
        return to_map_ask(request, name, handle, out);
    case LINK_MESSAGE_USER_ADD:
        *out = message_make_user_add(handle, &(struct message_user_add){.user = name,
                                                                        .place = request->shard});
        return true;
    case LINK_MESSAGE_USER_TAKE:
        *out =
            message_make_user_take(handle,
                                   &(struct message_user_take){.user = name,
                                                               .first = (uint32_t)request->offset,
                                                               .len = request->limit});
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
    case LINK_MESSAGE_PASS_ON:
        return relay_to_pass_on(request, payload, handle, out);
    case LINK_MESSAGE_CHANNEL_MOVE:
        return to_channel_move(request, payload, handle, out);
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
        .subscription = ask->cookie,
        .error = answer->error,
        .flags = ask->flags | (answer->flags & SUBSCRIBED_FLAGS),
    };
    if (!relay_take_page(payload, &body.page)) {
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
    if (!relay_take_snapshot(payload, &body.snapshot)) {
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
    if (!relay_take_page(payload, &body.page)) {
        return false;
    }
    *out = message_make_history(ask->asker_handle, &body);
    return true;
}

static bool to_map_page(const struct link_message *answer, struct span payload,
                        const struct relay_ask *ask, struct message *out)
{
    struct message_map_page body = {
        .newest = {.offset = answer->offset, .epoch = answer->epoch},
        .cookie = ask->cookie,
        .origin = ask->api,
        .error = answer->error,
        .keys = answer->clients,
        .is_more = answer->flags & 1,
    };
    if (!relay_take_page(payload, &body.page)) {
        return false;
    }
    *out = message_make_map_page(ask->asker_handle, &body);
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
            .suppressed = answer->what,
        };
        *out = message_make_published(ask->asker_handle, &body);
        return true;
    }
    case LINK_MESSAGE_PASS_ON: {
        const struct message_passed_on body = {.error = answer->error,
                                               .is_unheard = answer->flags & 1};
        *out = message_make_passed_on(ask->asker_handle, &body);
        return true;
    }
    case LINK_MESSAGE_PRESENCE_ASK:
        return to_presence(answer, payload, ask, out);
    case LINK_MESSAGE_HISTORY_ASK:
        return to_history(answer, payload, ask, out);
    case LINK_MESSAGE_MAP_ASK:
        return to_map_page(answer, payload, ask, out);
    case LINK_MESSAGE_CHANNEL_MOVE: {
        const struct message_channel_taken body = {.error = answer->error};
        *out = message_make_channel_taken(ask->asker_handle, &body);
        return true;
    }
    case LINK_MESSAGE_USER_ADD: {
        const struct message_user_added body = {.error = answer->error};
        *out = message_make_user_added(ask->asker_handle, &body);
        return true;
    }
    case LINK_MESSAGE_USER_TAKE: {
        const struct message_user_taken body = {.error = answer->error,
                                                .is_denied = answer->flags & 1};
        *out = message_make_user_taken(ask->asker_handle, &body);
        return true;
    }
    case LINK_MESSAGE_EMULATE:
        *out = message_make_emulated(ask->asker_handle, &(struct message_emulated){answer->error});
        return true;
    default:
        return false;
    }
}
