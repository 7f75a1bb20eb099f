/* SPDX-License-Identifier: Apache-2.0 */
/* From options and requests to what homes are asked, and from their pages to replies. */
#include "shards/edge/fanout/streams.h"

#include <stdlib.h>

#include "shards/edge/fanout/hub.h"
#include "shards/edge/session/permissions.h"
#include "shards/edge/fanout/tailored.h"

/* ---- what is switched on ---- */

uint32_t streams_flags_of(const struct channel_options *options,
                          const struct client_subscribe_request *request, bool may_see_history)
{
    uint32_t flags = options->is_wildcard ? (uint32_t)SUBSCRIBE_WILDCARD : 0;
    if (options->force_recovery ||
        (request->recoverable && (options->allow_recovery || may_see_history))) {
        flags |= SUBSCRIBE_RECOVERABLE | SUBSCRIBE_POSITIONED;
    }
    if (options->force_positioning ||
        (request->positioned && (options->allow_positioning || may_see_history))) {
        flags |= SUBSCRIBE_POSITIONED;
    }
    const bool is_cache = options->force_recovery_mode == RECOVERY_CACHE;
    const bool is_automatic =
        (flags & SUBSCRIBE_RECOVERABLE) != 0 && is_cache && options->auto_cache_recover;
    if (request->recover || is_automatic) {
        flags |= SUBSCRIBE_RECOVER | (is_cache ? SUBSCRIBE_CACHE : 0u);
    }
    if (request->recover && (request->flag & CLIENT_SUBSCRIBE_FLAG_REJECT_UNRECOVERED) != 0) {
        flags |= SUBSCRIBE_REJECT_UNRECOVERED;
    }
    return flags;
}

uint32_t streams_meta_ttl_s(const struct edge *edge, const struct channel_options *options)
{
    const bool is_map = options->map.mode != MAP_NONE;
    const uint64_t own_ms = is_map ? options->map.meta_ttl_ms : options->history_meta_ttl_ms;
    if (options->map.mode == MAP_EPHEMERAL) {
        /* Nobody can recover: it is kept for as long as somebody may be catching up. */
        return (uint32_t)((options->map.key_ttl_ms + MAP_REMOVED_MS) / 1000);
    }
    const uint64_t ttl_ms = own_ms != 0 ? own_ms : edge->options->channel_history_meta_ttl_ms;
    return (uint32_t)(ttl_ms / 1000);
}

static uint32_t limit_of(uint32_t option)
{
    return option == 0 ? UINT32_MAX : option;
}

/* A reply goes into the client's queue whole, and beside it there is to be room for others. */
static uint32_t reply_bytes_max(const struct edge *edge)
{
    return edge->options->client.queue_max_size / 4 * 3;
}

void streams_limit_recovery(const struct edge *edge, const struct channel_options *options,
                            struct message_subscribe *body)
{
    body->limit = limit_of(edge->options->client.recovery_max_publication_limit);
    body->bytes_max = reply_bytes_max(edge);
    body->meta_ttl_s = streams_meta_ttl_s(edge, options);
}

void streams_keep(const struct edge *edge, const struct channel_options *options, bool is_skipped,
                  struct message_publish *body)
{
    const struct map_options *map = &options->map;
    if (map->mode != MAP_NONE) {
        body->history_size = map_has_stream(map) ? map->stream_size : 0;
        body->history_ttl_s = (uint32_t)((map->stream_ttl_ms + 999) / 1000);
        body->meta_ttl_s = streams_meta_ttl_s(edge, options);
        body->key_ttl_ms = map->key_ttl_ms < UINT32_MAX ? (uint32_t)map->key_ttl_ms : UINT32_MAX;
        return;
    }
    body->wildcards = options->wildcard_max_depth;
    if (is_skipped || !streams_has_history(options)) {
        return;
    }
    body->history_size = options->history_size;
    body->history_ttl_s = (uint32_t)(options->history_ttl_ms / 1000);
    body->meta_ttl_s = streams_meta_ttl_s(edge, options);
}

/* ---- pages ---- */

/* What a publication's value points to, beside the bufs. */
struct publisher {
    struct client_info info;
    char id_text[CLIENT_ID_TEXT_LEN];
};

/* What is allocated with a page, the newest first. */
struct stream_memory {
    struct stream_memory *next;
    max_align_t bytes[];
};

void *stream_publications_allocate(struct stream_publications *publications, size_t len)
{
    struct stream_memory *memory = calloc(1, sizeof(*memory) + len);
    if (memory == NULL) {
        return NULL;
    }
    memory->next = publications->memory;
    publications->memory = memory;
    return memory->bytes;
}

bool stream_publications_make(struct buf *page, struct span epoch, struct stream_publications *out)
{
    *out = (struct stream_publications){.is_json = true};
    if (page == NULL) {
        return true;
    }
    const struct stream_page *entries = stream_page_of(page);
    const size_t len = entries->len;
    struct client_publication *items =
        stream_publications_allocate(out, len * (sizeof(struct client_publication) +
                                                 sizeof(struct publisher)));
    if (items == NULL) {
        return false;
    }
    struct publisher *publishers = (struct publisher *)(void *)(items + len);
    out->items = items;
    out->len = len;
    for (size_t i = 0; i < len; i++) {
        const struct stream_page_entry *entry = &entries->entries[i];
        const struct publish_request request = publish_request_of(entry->request);
        items[i].data = request.data;
        items[i].tags = request.tags;
        items[i].version = request.version;
        items[i].key = request.key;
        items[i].score = request.score;
        items[i].removed = request.is_removed;
        items[i].offset = entry->offset;
        items[i].channel = request.is_passed_on ? request.channel : SPAN_EMPTY;
        items[i].epoch = entry->offset == 1 ? epoch : SPAN_EMPTY;
        out->is_json = out->is_json && !request.is_binary;
        if (entry->identity != NULL) {
            publishers[i].info = identity_info(entry->identity, publishers[i].id_text);
            items[i].info = &publishers[i].info;
            out->is_json = out->is_json && identity_is_json(entry->identity);
        }
    }
    return true;
}

void stream_publications_free(struct stream_publications *publications)
{
    while (publications->memory != NULL) {
        struct stream_memory *memory = publications->memory;
        publications->memory = memory->next;
        free(memory);
    }
}

/* ---- subscribing ---- */

void streams_put_position(const struct message_subscribed *answer, struct span epoch,
                          const struct stream_publications *publications,
                          struct client_subscribe_result *result)
{
    const bool is_recovered = (answer->flags & SUBSCRIBED_RECOVERED) != 0;
    result->was_recovering = (answer->flags & SUBSCRIBE_RECOVER) != 0;
    if ((answer->flags & SUBSCRIBE_POSITIONED) == 0) {
        return;
    }
    result->positioned = true;
    result->recoverable = (answer->flags & SUBSCRIBE_RECOVERABLE) != 0;
    result->recovered = is_recovered;
    result->epoch = epoch;
    /* Clients get from their own offset to the newest by the publications. */
    result->offset = is_recovered ? answer->since_offset : answer->newest.offset;
    result->publications = publications->items;
    result->publication_count = publications->len;
}

bool streams_may_tell(struct edge *edge, struct session *session,
                      const struct stream_publications *publications)
{
    if (publications->is_json || connection_protocol(session->conn) != CLIENT_JSON) {
        return true;
    }
    session_disconnect(edge, session, CLIENT_DISCONNECT_INAPPROPRIATE_PROTOCOL, SPAN_EMPTY);
    return false;
}

void streams_count_recovery(struct edge *edge, uint32_t flags, size_t publications)
{
    if ((flags & SUBSCRIBE_RECOVER) != 0) {
        actors_count(edge->actors,
                     COUNTER_OF(RECOVERS, (flags & SUBSCRIBED_RECOVERED) != 0, publications > 0));
        if ((flags & SUBSCRIBED_RECOVERED) != 0) {
            hist_record(edge->shard->stats->hists[HIST_RECOVERED], publications);
        }
    }
}

void streams_reply_subscribed(struct edge *edge, struct subscription *subscription,
                              struct client_reply *reply, const struct message_subscribed *answer)
{
    struct session *session = subscription->conn->session;
    uint8_t room[EPOCH_TEXT_LEN_MAX];
    struct message_subscribed told = *answer;
    struct stream_publications publications;
    const struct span epoch = epoch_format(answer->newest.epoch, room);
    bool fits = stream_publications_make(answer->page, epoch, &publications);
    if (fits && !streams_may_tell(edge, session, &publications)) {
        stream_publications_free(&publications);
        return;
    }
    fits = fits && tailored_make_page(edge, subscription, answer->flags, &publications);
    if (fits) {
        streams_put_position(&told, epoch, &publications, &reply->subscribe);
        fits = session_try_reply(edge, session, reply);
    }
    size_t told_len = publications.len;
    if (fits) {
        tailored_on_told(subscription, &publications);
    }
    stream_publications_free(&publications);
    if (!fits && answer->page != NULL) {
        publications = (struct stream_publications){0};
        told_len = 0;
        told.flags &= ~(uint32_t)SUBSCRIBED_RECOVERED;
        streams_put_position(&told, epoch, &publications, &reply->subscribe);
        fits = session_try_reply(edge, session, reply);
    }
    streams_count_recovery(edge, told.flags, told_len);
    if (!fits) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_SLOW, SPAN_EMPTY);
    }
}

/* ---- the history command ---- */

uint32_t streams_ask(struct edge *edge, struct session *session,
                     const struct client_command *command)
{
    const struct client_history_request *request = &command->history;
    const struct node_options *options = edge->options;
    const struct channel_options *channel_options =
        permissions_find_channel(options, request->channel);
    if (channel_options == NULL) {
        return CLIENT_ERROR_UNKNOWN_CHANNEL;
    }
    if (!permissions_is_clients_channel_name(options, channel_options, request->channel) ||
        (request->reverse && request->since_present && request->since_offset == 0)) {
        return CLIENT_ERROR_BAD_REQUEST;
    }
    if (!streams_has_history(channel_options)) {
        return CLIENT_ERROR_NOT_AVAILABLE;
    }
    const struct permissions_client client = {
        .user = session_user(session),
        .is_subscribed = hub_find_subscription(edge, session, request->channel) != NULL,
    };
    if (!permissions_may_see_history(options, channel_options, client)) {
        return CLIENT_ERROR_PERMISSION_DENIED;
    }
    const uint32_t limit_max = limit_of(options->client.history_max_publication_limit);
    const struct message_history_ask body = {
        .channel = buf_copy(request->channel.at, request->channel.len),
        .since = {request->since_offset, epoch_parse(request->since_epoch)},
        .cookie = command->id,
        .origin = ORIGIN_SESSION,
        .flags = (request->since_present ? HISTORY_SINCE : 0u) |
                 (request->reverse ? HISTORY_REVERSE : 0u),
        .limit = request->limit < 0 || (uint32_t)request->limit > limit_max
                     ? limit_max
                     : (uint32_t)request->limit,
        .bytes_max = reply_bytes_max(edge),
        .meta_ttl_s = streams_meta_ttl_s(edge, channel_options),
    };
    if (body.channel == NULL) {
        return CLIENT_ERROR_INTERNAL;
    }
    const uint32_t home = actors_home_of(edge->actors, request->channel);
    if (edge_is_congested(edge, home) ||
        !message_send_history_ask(edge->shard->mailbox, home, session->conn->handle, &body)) {
        buf_release(body.channel);
        return CLIENT_ERROR_TOO_MANY_REQUESTS;
    }
    session->in_flight++;
    return 0;
}

void streams_on_history(struct edge *edge, const struct message *message)
{
    const struct message_history body = message_as_history(message);
    struct session *session = session_of_answer(edge, message->handle);
    struct stream_publications publications;
    uint8_t room[EPOCH_TEXT_LEN_MAX];
    const struct span epoch = epoch_format(body.newest.epoch, room);
    if (session != NULL && body.error != 0) {
        session_reply_error(edge, session, body.cookie, body.error);
    } else if (session != NULL && !stream_publications_make(body.page, epoch, &publications)) {
        session_reply_error(edge, session, body.cookie, CLIENT_ERROR_INTERNAL);
    } else if (session != NULL && !streams_may_tell(edge, session, &publications)) {
        stream_publications_free(&publications);
    } else if (session != NULL) {
        struct client_reply reply = {.id = body.cookie, .kind = CLIENT_REPLY_HISTORY};
        reply.history = (struct client_history_result){
            .publications = publications.items,
            .publication_count = publications.len,
            .epoch = epoch,
            .offset = body.newest.offset,
        };
        session_reply(edge, session, &reply);
        stream_publications_free(&publications);
    }
    stream_page_release(body.page);
}
