/* SPDX-License-Identifier: Apache-2.0 */
/* Catch-ups of clients with maps: a small state for each, moved by commands and by homes' answers.
 */
#include "shards/edge/maps/map_subscriptions.h"

#include "shards/edge/session/auth.h"
#include "shards/edge/fanout/deltas.h"
#include "shards/edge/fanout/filters.h"
#include "shards/edge/maps/map_catch_ups.h"
#include "shards/edge/fanout/streams.h"
#include "shards/edge/fanout/tailored.h"

static bool has_stream(const struct map_catch_up *catch_up)
{
    return map_has_stream(&catch_up->options->map);
}

/* ---- questions to the home ---- */

/* Half of what a reply may weigh: with the last page of keys go the changes since. */
static uint32_t page_bytes_max(const struct edge *edge)
{
    return edge->options->client.queue_max_size / 8 * 3;
}

static uint32_t page_limit(const struct map_options *map, int32_t asked)
{
    const uint32_t limit = asked <= 0 ? map->default_page_size : (uint32_t)asked;
    const uint32_t least = limit < map->min_page_size ? map->min_page_size : limit;
    return least > map->max_page_size ? map->max_page_size : least;
}

/* 0, or the error to answer with. */
static uint32_t ask_keys(struct edge *edge, struct map_catch_up *catch_up,
                         const struct client_subscribe_request *request)
{
    const uint64_t epoch = epoch_parse(request->epoch);
    if (catch_up->has_position && epoch != 0 && epoch != catch_up->position.epoch) {
        return CLIENT_ERROR_UNRECOVERABLE_POSITION;
    }
    const struct message_map_ask body = {
        .channel = catch_up->channel,
        .cursor = span_is_empty(request->cursor)
                      ? NULL
                      : buf_copy(request->cursor.at, request->cursor.len),
        .epoch = catch_up->has_position ? catch_up->position.epoch : epoch,
        .origin = ORIGIN_CATCH_UP,
        .limit = catch_up->limit,
        .bytes_max = page_bytes_max(edge),
        .meta_ttl_s = streams_meta_ttl_s(edge, catch_up->options),
    };
    if (body.cursor == NULL && !span_is_empty(request->cursor)) {
        return CLIENT_ERROR_INTERNAL;
    }
    const uint32_t home = actors_home_of(edge->actors, span_of_buf(catch_up->channel));
    buf_share(body.channel, 1);
    if (edge_is_congested(edge, home) ||
        !message_send_map_ask(edge->shard->mailbox, home, catch_up->handle, &body)) {
        buf_release(body.channel);
        buf_release(body.cursor);
        return CLIENT_ERROR_TOO_MANY_REQUESTS;
    }
    catch_up->step = MAP_STEP_STATE;
    return 0;
}

static uint32_t ask_stream(struct edge *edge, struct map_catch_up *catch_up, enum map_step step)
{
    const struct message_history_ask body = {
        .channel = catch_up->channel,
        .since = catch_up->position,
        .origin = ORIGIN_CATCH_UP,
        .flags = HISTORY_SINCE,
        .limit = step == MAP_STEP_TOP ? 0 : catch_up->limit,
        .bytes_max = page_bytes_max(edge),
        .meta_ttl_s = streams_meta_ttl_s(edge, catch_up->options),
    };
    const uint32_t home = actors_home_of(edge->actors, span_of_buf(catch_up->channel));
    buf_share(body.channel, 1);
    if (edge_is_congested(edge, home) ||
        !message_send_history_ask(edge->shard->mailbox, home, catch_up->handle, &body)) {
        buf_release(body.channel);
        return CLIENT_ERROR_TOO_MANY_REQUESTS;
    }
    catch_up->step = (uint8_t)step;
    return 0;
}

/* The home may be known to have nothing newer: then the command has been answered, and the catch-up
 * is gone. */
static uint32_t go_live(struct edge *edge, struct map_catch_up *catch_up)
{
    struct buf *channel = catch_up->channel;
    struct buf *chan_info = catch_up->chan_info;
    struct buf *data = catch_up->data;
    const struct hub_subscribe request = {
        .channel = span_of_buf(channel),
        .options = catch_up->options,
        .chan_info = span_of_buf(chan_info),
        .data = span_of_buf(data),
        .expire_at_s = catch_up->expire_at_s,
        .command_id = catch_up->command_id,
        .push_join_leave = catch_up->push_join_leave,
        .has_delta = catch_up->has_delta,
        .emits = catch_up->emits,
        .source = (enum subscription_source)catch_up->source,
        .filter = catch_up->filter,
        .stream_flags =
            SUBSCRIBE_POSITIONED | SUBSCRIBE_RECOVERABLE |
            (catch_up->has_position ? SUBSCRIBE_RECOVER | SUBSCRIBE_REJECT_UNRECOVERED : 0u),
        .since = catch_up->position,
    };
    catch_up->step = MAP_STEP_LIVE;
    catch_up->filter = NULL;
    buf_share(channel, 1);
    catch_up->chan_info = NULL;
    catch_up->data = NULL;
    const uint32_t error = hub_subscribe(edge, catch_up->conn->session, &request);
    buf_release(channel);
    buf_release(chan_info);
    buf_release(data);
    return error;
}

/* With a position that the client brings. */
static uint32_t go_on_from(struct edge *edge, struct map_catch_up *catch_up,
                           const struct client_subscribe_request *request)
{
    const uint64_t epoch = epoch_parse(request->epoch);
    if (!has_stream(catch_up)) {
        return request->phase == MAP_PHASE_LIVE ? go_live(edge, catch_up)
                                                : (uint32_t)CLIENT_ERROR_BAD_REQUEST;
    }
    if (epoch == 0 ? !catch_up->has_position
                   : catch_up->has_position && epoch != catch_up->position.epoch) {
        return CLIENT_ERROR_UNRECOVERABLE_POSITION;
    }
    catch_up->position.offset = request->offset;
    catch_up->position.epoch = epoch == 0 ? catch_up->position.epoch : epoch;
    catch_up->has_position = true;
    if (request->phase == MAP_PHASE_LIVE) {
        return go_live(edge, catch_up);
    }
    if (!catch_up->has_top) {
        return ask_stream(edge, catch_up, MAP_STEP_TOP);
    }
    return request->offset + catch_up->limit >= catch_up->top
               ? go_live(edge, catch_up)
               : ask_stream(edge, catch_up, MAP_STEP_STREAM);
}

/* ---- commands ---- */

static uint32_t obey(struct edge *edge, struct map_catch_up *catch_up,
                     const struct client_command *command)
{
    const struct client_subscribe_request *request = &command->subscribe;
    const struct channel_options *options = catch_up->options;
    catch_up->command_id = command->id;
    catch_up->limit = page_limit(&options->map, request->limit);
    catch_up->has_delta = span_equal(request->delta, SPAN_LITERAL("fossil")) &&
                          (options->allowed_delta_types & 1u << DELTA_TYPE_FOSSIL) != 0;
    catch_up->is_recovering = request->recover;
    switch (request->phase) {
    case MAP_PHASE_STATE:
        catch_up->is_recovering = false;
        return ask_keys(edge, catch_up, request);
    case MAP_PHASE_STREAM:
    case MAP_PHASE_LIVE:
        return go_on_from(edge, catch_up, request);
    default:
        return CLIENT_ERROR_BAD_REQUEST;
    }
}

static struct verdict obey_or_forget(struct edge *edge, struct session *session, uint32_t handle,
                                     const struct client_command *command)
{
    struct map_catch_up *catch_up = pool_get(edge->map_catch_ups, handle);
    const uint32_t error = obey(edge, catch_up, command);
    catch_up = error == 0 ? NULL : pool_get(edge->map_catch_ups, handle);
    if (catch_up != NULL) {
        map_catch_up_forget(edge, session, catch_up);
    }
    return (struct verdict){.error = error};
}

struct verdict map_subscriptions_begin(struct edge *edge, struct session *session,
                                       const struct client_command *command,
                                       const struct hub_subscribe *granted)
{
    const struct client_subscribe_request *request = &command->subscribe;
    if (request->phase == MAP_PHASE_STREAM && map_has_stream(&granted->options->map) &&
        !request->recover) {
        filters_release(edge, granted->filter);
        return VERDICT_ERROR(PERMISSION_DENIED);
    }
    const struct map_catch_up *catch_up = map_catch_up_create(edge, session, granted);
    return catch_up == NULL ? VERDICT_ERROR(INTERNAL)
                            : obey_or_forget(edge, session, catch_up->handle, command);
}

struct verdict map_subscriptions_go_on(struct edge *edge, struct map_catch_up *catch_up,
                                       const struct client_command *command)
{
    const struct client_subscribe_request *request = &command->subscribe;
    struct session *session = catch_up->conn->session;
    if (catch_up->step != MAP_STEP_NONE) {
        return VERDICT_ERROR(CONCURRENT_PAGINATION);
    }
    if (edge->shard->now_ms > catch_up->due_ms) {
        actors_count(edge->actors, COUNTER_MAP_CATCH_UPS_LATE);
        return VERDICT_DISCONNECT(SLOW);
    }
    if (!span_is_empty(request->tf) && request->phase != MAP_PHASE_STATE) {
        struct shared_filter *filter = NULL;
        const uint32_t error = catch_up->options->allow_tags_filter
                                   ? filters_take(edge, request->tf, &filter)
                                   : (uint32_t)CLIENT_ERROR_BAD_REQUEST;
        if (error != 0) {
            map_catch_up_forget(edge, session, catch_up);
            return (struct verdict){.error = error};
        }
        filters_release(edge, catch_up->filter);
        catch_up->filter = filter;
    }
    return obey_or_forget(edge, session, catch_up->handle, command);
}

bool map_subscriptions_leave(struct edge *edge, struct map_catch_up *catch_up)
{
    if (catch_up->step != MAP_STEP_NONE) {
        catch_up->is_awaited = true;
        return false;
    }
    map_catch_up_forget(edge, catch_up->conn->session, catch_up);
    return true;
}

/* ---- what is told ---- */

/* What only homes and edges know of a map without a stream, and what comes again with the stream,
 * is left out. */
static void leave_out(struct stream_publications *publications, bool has_stream, uint64_t offset)
{
    size_t kept = 0;
    for (size_t i = 0; i < publications->len; i++) {
        struct client_publication item = publications->items[i];
        if (item.offset > offset) {
            continue;
        }
        if (!has_stream) {
            item.offset = 0;
            item.epoch = SPAN_EMPTY;
        }
        publications->items[kept++] = item;
    }
    publications->len = kept;
}

/* What a home brought, on its way to a client. */
struct brought_page {
    struct buf *page;
    bool is_state; /* Of keys. */
    struct span epoch;
    const struct shared_filter *filter;
    struct stream_publications publications;
};

/* As the client is told it. False: memory is out, or the client had to go. */
static bool make_page(struct edge *edge, const struct map_catch_up *catch_up,
                      struct brought_page *told)
{
    struct session *session = catch_up->conn->session;
    struct stream_publications *out = &told->publications;
    const struct shared_filter *filter = told->filter;
    if (!stream_publications_make(told->page, told->epoch, out)) {
        return false;
    }
    leave_out(out, has_stream(catch_up), told->is_state ? catch_up->position.offset : UINT64_MAX);
    return streams_may_tell(edge, session, out) &&
           (filter == NULL || tailored_filter_page(edge, filter, out)) &&
           (!catch_up->has_delta ||
            deltas_make_whole_page(connection_protocol(catch_up->conn), out));
}

/* The catch-up goes on with another command. */
static void settle(struct edge *edge, struct map_catch_up *catch_up)
{
    catch_up->step = MAP_STEP_NONE;
    if (catch_up->is_awaited) {
        catch_up->is_awaited = false;
        connection_resume(edge, catch_up->conn);
    }
}

static void fail(struct edge *edge, struct map_catch_up *catch_up, uint32_t error)
{
    struct session *session = catch_up->conn->session;
    const uint32_t command_id = catch_up->command_id;
    const bool is_told = error == CLIENT_ERROR_UNRECOVERABLE_POSITION ||
                         error == CLIENT_ERROR_TOO_MANY_REQUESTS ||
                         error == CLIENT_ERROR_NOT_AVAILABLE;
    map_catch_up_forget(edge, session, catch_up);
    session_reply_error(edge, session, command_id,
                        is_told ? (enum client_error)error : CLIENT_ERROR_INTERNAL);
}

/* A page that is not the last thing that the client asks for. */
static void reply_page(struct edge *edge, struct map_catch_up *catch_up,
                       struct client_subscribe_result *result, struct buf *page)
{
    struct session *session = catch_up->conn->session;
    const struct connection *conn = catch_up->conn;
    const bool is_state = result->phase == MAP_PHASE_STATE;
    uint8_t room[EPOCH_TEXT_LEN_MAX];
    struct brought_page told = {.page = page,
                                .is_state = is_state,
                                .epoch = epoch_format(catch_up->position.epoch, room),
                                .filter = catch_up->filter};
    const struct stream_publications *publications = &told.publications;
    struct client_reply reply = {.id = catch_up->command_id, .kind = CLIENT_REPLY_SUBSCRIBE};
    if (make_page(edge, catch_up, &told)) {
        result->type = CLIENT_SUBSCRIPTION_MAP;
        result->epoch = told.epoch;
        result->offset = has_stream(catch_up) ? catch_up->position.offset : 0;
        result->state = is_state ? publications->items : NULL;
        result->state_count = is_state ? publications->len : 0;
        result->publications = is_state ? NULL : publications->items;
        result->publication_count = is_state ? 0 : publications->len;
        reply.subscribe = *result;
        settle(edge, catch_up);
        session_reply(edge, session, &reply);
    } else if (conn->state == CONNECTION_SESSION) {
        fail(edge, catch_up, CLIENT_ERROR_INTERNAL);
    }
    stream_publications_free(&told.publications);
}

void map_subscriptions_reply(struct edge *edge, struct subscription *subscription,
                             struct client_reply *reply, const struct message_subscribed *answer)
{
    struct connection *conn = subscription->conn;
    struct session *session = conn->session;
    const struct channel_options *options = subscription->channel->options;
    struct map_catch_up *catch_up =
        map_catch_up_find(edge, session, span_of_buf(subscription->channel->name));
    BUG_IF(catch_up == NULL);
    const struct subscription_grant *grant = hub_grant_of(edge, subscription);
    const struct shared_filter *filter = grant == NULL ? NULL : grant->filter;
    const bool is_positioned = (answer->flags & SUBSCRIBE_POSITIONED) != 0;
    uint8_t room[EPOCH_TEXT_LEN_MAX];
    const struct span epoch = epoch_format(answer->newest.epoch, room);
    struct brought_page state = {.page = catch_up->state,
                                 .is_state = true,
                                 .epoch = epoch,
                                 .filter = filter};
    struct brought_page changes = {.page = answer->page, .epoch = epoch, .filter = filter};
    const bool is_made = make_page(edge, catch_up, &state) && make_page(edge, catch_up, &changes);
    if (is_made) {
        struct client_subscribe_result *result = &reply->subscribe;
        result->type = CLIENT_SUBSCRIPTION_MAP;
        result->recoverable = has_stream(catch_up);
        result->epoch = is_positioned ? epoch : SPAN_EMPTY;
        result->offset = has_stream(catch_up) ? answer->newest.offset : 0;
        result->was_recovering = catch_up->is_recovering;
        result->recovered = catch_up->is_recovering;
        result->state = state.publications.items;
        result->state_count = state.publications.len;
        result->publications = changes.publications.items;
        result->publication_count = changes.publications.len;
        result->publish_debounce_ms = (uint32_t)options->client_publish_debounce_interval_ms;
        if (catch_up->is_recovering) {
            streams_count_recovery(edge, answer->flags, changes.publications.len);
        }
        tailored_on_following(edge, subscription, catch_up->state, answer->page);
        session_reply(edge, session, reply);
    } else if (conn->state == CONNECTION_SESSION) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_INTERNAL, SPAN_EMPTY);
    }
    if (conn->state == CONNECTION_SESSION) {
        map_catch_up_forget_of(edge, session, span_of_buf(subscription->channel->name));
    }
    stream_publications_free(&state.publications);
    stream_publications_free(&changes.publications);
}

/* ---- answers of homes ---- */

/* The one that waits for it; NULL: its client is gone, or has left. */
static struct map_catch_up *find_waiting(struct edge *edge, uint32_t handle)
{
    struct map_catch_up *catch_up = pool_get(edge->map_catch_ups, handle);
    if (catch_up == NULL || catch_up->conn->state != CONNECTION_SESSION) {
        actors_count(edge->actors, COUNTER_STALE_MESSAGES);
        return NULL;
    }
    return catch_up;
}

/* On the last page of keys: does the client follow from here, or does it read the stream first? */
static bool may_go_live(const struct map_catch_up *catch_up, const struct message_map_page *page)
{
    return !page->is_more && (!has_stream(catch_up) ||
                              catch_up->position.offset + catch_up->limit >= page->newest.offset);
}

static struct span last_key(struct buf *page)
{
    const struct stream_page *entries = stream_page_of(page);
    return publish_request_of(entries->entries[entries->len - 1].request).key;
}

static void on_keys(struct edge *edge, struct map_catch_up *catch_up, struct message_map_page *page)
{
    struct client_subscribe_result result = {.phase = MAP_PHASE_STATE};
    const uint32_t handle = catch_up->handle;
    if (page->error != 0) {
        fail(edge, catch_up, page->error);
        return;
    }
    if (!catch_up->has_position) {
        catch_up->position = page->newest;
        catch_up->has_position = true;
    }
    if (may_go_live(catch_up, page)) {
        catch_up->state = page->page;
        page->page = NULL;
        const uint32_t error = go_live(edge, catch_up);
        catch_up = error == 0 ? NULL : pool_get(edge->map_catch_ups, handle);
        if (catch_up != NULL) {
            fail(edge, catch_up, error);
        }
        return;
    }
    if (page->is_more && page->page != NULL) {
        result.cursor = last_key(page->page);
    }
    reply_page(edge, catch_up, &result, page->page);
}

void map_subscriptions_on_keys(struct edge *edge, const struct message *message)
{
    struct message_map_page body = message_as_map_page(message);
    struct map_catch_up *catch_up = find_waiting(edge, message->handle);
    if (catch_up != NULL) {
        on_keys(edge, catch_up, &body);
    }
    stream_page_release(body.page);
}

static void on_top(struct edge *edge, struct map_catch_up *catch_up, uint64_t top)
{
    const uint32_t handle = catch_up->handle;
    catch_up->top = top;
    catch_up->has_top = true;
    const uint32_t error = catch_up->position.offset + catch_up->limit >= top
                               ? go_live(edge, catch_up)
                               : ask_stream(edge, catch_up, MAP_STEP_STREAM);
    catch_up = error == 0 ? NULL : pool_get(edge->map_catch_ups, handle);
    if (catch_up != NULL) {
        fail(edge, catch_up, error);
    }
}

/* Nothing is missing between the position and the page. */
static bool follows(const struct map_catch_up *catch_up, struct buf *page)
{
    const struct stream_page *entries = page == NULL ? NULL : stream_page_of(page);
    return entries != NULL && entries->len > 0 &&
           entries->entries[0].offset == catch_up->position.offset + 1;
}

void map_subscriptions_on_stream(struct edge *edge, const struct message *message)
{
    const struct message_history body = message_as_history(message);
    struct map_catch_up *catch_up = find_waiting(edge, message->handle);
    if (catch_up != NULL && body.error != 0) {
        fail(edge, catch_up, body.error);
    } else if (catch_up != NULL && catch_up->step == MAP_STEP_TOP) {
        on_top(edge, catch_up, body.newest.offset);
    } else if (catch_up != NULL && !follows(catch_up, body.page)) {
        fail(edge, catch_up, CLIENT_ERROR_UNRECOVERABLE_POSITION);
    } else if (catch_up != NULL) {
        struct client_subscribe_result result = {.phase = MAP_PHASE_STREAM};
        const struct stream_page *entries = stream_page_of(body.page);
        catch_up->position.offset = entries->entries[entries->len - 1].offset;
        reply_page(edge, catch_up, &result, body.page);
    }
    stream_page_release(body.page);
}
