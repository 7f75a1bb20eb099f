/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that reach a home at the wrong time: one that has not come yet is waited for, one that
 * has gone is asked where it is now. */
#include <stdlib.h>

#include "shards/channel/homes_state.h"
#include "shards/limits.h"
#include "shards/router/placement.h"

/* Those for one channel, in the order in which they came. */
struct held_channel {
    struct buf *name;
    struct list requests;
};

struct held_request {
    struct list link;  /* In the channel's. */
    struct list order; /* In that of all. */
    struct held_channel *channel;
    uint64_t ends_ms;
    struct message message;
};

static struct map_key held_key(const void *object)
{
    const struct held_channel *channel = object;
    return (struct map_key){channel->name->bytes, channel->name->len};
}

bool homes_held_init(struct homes *homes)
{
    list_init(&homes->held.order);
    homes->held.by_name = map_create(held_key, &homes->actors->shard->random);
    return homes->held.by_name != NULL;
}

static struct held_request *held_first(const struct held *held)
{
    return CONTAINER_OF(held->order.next, struct held_request, order);
}

static uint32_t weight_of(const struct message *message)
{
    const struct buf *request =
        message->type == MESSAGE_PUBLISH   ? message_as_publish(message).request
        : message->type == MESSAGE_PASS_ON ? message_as_pass_on(message).request
                                           : NULL;
    return request == NULL ? 0 : request->len;
}

static struct held_channel *held_channel_for(struct held *held, struct span name)
{
    struct held_channel *channel = map_find(held->by_name, name.at, name.len);
    if (channel != NULL) {
        return channel;
    }
    channel = calloc(1, sizeof(*channel));
    if (channel == NULL) {
        return NULL;
    }
    list_init(&channel->requests);
    channel->name = buf_copy(name.at, name.len);
    if (channel->name == NULL || !map_insert(held->by_name, channel)) {
        buf_release(channel->name);
        free(channel);
        return NULL;
    }
    return channel;
}

static void held_settle(struct held *held, struct held_channel *channel)
{
    if (list_is_empty(&channel->requests)) {
        map_remove(held->by_name, channel);
        buf_release(channel->name);
        free(channel);
    }
}

bool homes_hold(struct homes *homes, const struct message *message, struct span name)
{
    struct held *held = &homes->held;
    const uint32_t bytes = weight_of(message);
    /* What ends something has room that requests may not use. */
    const uint32_t len_max =
        message->type == MESSAGE_UNSUBSCRIBE ? 2 * HELD_REQUESTS_MAX : HELD_REQUESTS_MAX;
    if (held->len >= len_max || held->bytes + bytes > HELD_BYTES_MAX) {
        return false;
    }
    struct held_channel *channel = held_channel_for(held, name);
    struct held_request *request = channel == NULL ? NULL : aligned_alloc(64, sizeof(*request));
    if (request == NULL) {
        if (channel != NULL) {
            held_settle(held, channel);
        }
        return false;
    }
    const uint64_t ends_ms = shard_awake_ms(homes->actors->shard) + HELD_MS_MAX;
    *request = (struct held_request){
        .channel = channel,
        .ends_ms = held->ends_ms == 0 ? ends_ms : held->ends_ms,
        .message = *message,
    };
    list_append(&channel->requests, &request->link);
    list_append(&held->order, &request->order);
    held->len++;
    held->bytes += bytes;
    stats_set(homes->actors->shard->stats, COUNTER_HELD_REQUESTS, held->len);
    homes_handovers_schedule(homes);
    return true;
}

static void held_take_out(struct homes *homes, struct held_request *request)
{
    list_remove(&request->link);
    list_remove(&request->order);
    homes->held.len--;
    homes->held.bytes -= weight_of(&request->message);
    stats_set(homes->actors->shard->stats, COUNTER_HELD_REQUESTS, homes->held.len);
}

/* ---- what is refused ---- */

static void homes_refuse(struct homes *homes, const struct message *message)
{
    const uint32_t error = CLIENT_ERROR_TOO_MANY_REQUESTS;
    struct outbox *outbox = homes->actors->outbox;
    const uint32_t to = message->from;
    actors_count(homes->actors, COUNTER_HELD_REFUSED);
    if (message->type == MESSAGE_UNSUBSCRIBE) {
        /* An end cannot be: it is done now, also where a handover is not answered yet. */
        homes_unsubscribe(homes, message, false);
        return;
    }
    if (message->type == MESSAGE_SUBSCRIBE) {
        const struct message_subscribe body = message_as_subscribe(message);
        const struct message_subscribed answer = {.since_offset = body.since.offset,
                                                  .subscription = body.subscription,
                                                  .error = error,
                                                  .flags = body.flags};
        OUTBOX_SEND(outbox, to, subscribed, message->handle, &answer);
    } else if (message->type == MESSAGE_PUBLISH) {
        const struct message_publish body = message_as_publish(message);
        const struct message_published answer = {.cookie = body.cookie,
                                                 .origin = body.origin,
                                                 .error = error};
        OUTBOX_SEND(outbox, to, published, message->handle, &answer);
    } else if (message->type == MESSAGE_PASS_ON &&
               (message_as_pass_on(message).flags & PASS_ANSWERED) != 0) {
        homes_passing_lose(homes, pass_of(message_as_pass_on(message).pass).wildcard);
    } else if (message->type == MESSAGE_PASS_ON) {
        const struct message_passed_on answer = {.error = error};
        OUTBOX_SEND(outbox, to, passed_on, message->handle, &answer);
    } else if (message->type == MESSAGE_PRESENCE_ASK) {
        const struct message_presence_ask body = message_as_presence_ask(message);
        const struct message_presence answer = {.cookie = body.cookie,
                                                .origin = body.origin,
                                                .stats_only = body.stats_only,
                                                .error = error};
        OUTBOX_SEND(outbox, to, presence, message->handle, &answer);
    } else if (message->type == MESSAGE_HISTORY_ASK) {
        const struct message_history_ask body = message_as_history_ask(message);
        const struct message_history answer = {.cookie = body.cookie,
                                               .origin = body.origin,
                                               .error = error};
        OUTBOX_SEND(outbox, to, history, message->handle, &answer);
    } else if (message->type == MESSAGE_MAP_ASK) {
        const struct message_map_ask body = message_as_map_ask(message);
        const struct message_map_page answer = {.cookie = body.cookie,
                                                .origin = body.origin,
                                                .error = error};
        OUTBOX_SEND(outbox, to, map_page, message->handle, &answer);
    }
    message_release(message);
}

void homes_wait(struct homes *homes, const struct message *message, struct span name)
{
    if (!homes_hold(homes, message, name)) {
        homes_refuse(homes, message);
    }
}

bool homes_holds(const struct homes *homes, struct span name)
{
    return map_find(homes->held.by_name, name.at, name.len) != NULL;
}

/* ---- what is for now ---- */

/* The channel is not here and not on its way here: the router knows where to ask. What came from
 * there waits, since the two may have learned of a move one after the other; also the end of what
 * waits. Who passes on asks again by itself, and may have to be answered first. */
static void homes_send_away(struct homes *homes, const struct message *message, struct span name)
{
    const uint32_t router = homes->actors->node->shards;
    if (message->type == MESSAGE_PASS_ON &&
        (message->from == router || (message_as_pass_on(message).flags & PASS_ANSWERED) != 0)) {
        homes_refuse(homes, message);
        return;
    }
    if (message->from == router) {
        if (message->type == MESSAGE_UNSUBSCRIBE && !homes_holds(homes, name)) {
            message_release(message);
        } else {
            homes_wait(homes, message, name);
        }
        return;
    }
    /* What is held here came before it. */
    if (!outbox_pass_on(homes->actors->outbox, router, message)) {
        homes_refuse(homes, message);
    }
}

bool homes_is_awaited(const struct homes *homes, struct span name)
{
    const struct channel *channel = homes_find(homes, name);
    if (channel != NULL) {
        return channel->handover != NULL && channel->handover->state == HANDOVER_COMING &&
               homes_is_home(homes, name);
    }
    return homes->handovers.waiting_len > 0 && homes->actors->placement != NULL &&
           slot_set_has(homes->handovers.waiting, placement_slot_of(name)) &&
           homes_is_home(homes, name);
}

bool homes_held_leads_to(const struct homes *homes, const struct pass *pass)
{
    const struct held_channel *channel =
        map_find(homes->held.by_name, pass->wildcard.at, pass->wildcard.len);
    if (pass->before == 0 || channel == NULL) {
        return pass->before == 0;
    }
    for (struct list *at = channel->requests.prev; at != &channel->requests; at = at->prev) {
        const struct message *message = &CONTAINER_OF(at, struct held_request, link)->message;
        const struct pass other = message->type == MESSAGE_PASS_ON
                                      ? pass_of(message_as_pass_on(message).pass)
                                      : (struct pass){0};
        if (other.lane == pass->lane) {
            return other.number == pass->before || other.number >= pass->number;
        }
    }
    return false;
}

bool homes_admit(struct homes *homes, const struct message *message, struct span name)
{
    const bool is_home = homes_is_home(homes, name);
    const bool is_quiet = homes->handovers.waiting_len == 0 && homes->handovers.under_way == 0 &&
                          list_is_empty(&homes->handovers.leaving) &&
                          list_is_empty(&homes->handovers.coming);
    if (is_home && is_quiet) {
        return true;
    }
    const struct channel *channel = homes_find(homes, name);
    if (channel != NULL && !channel_is_on_its_way(channel)) {
        return true; /* Also one that is to leave: it is at home where it is. */
    }
    if (channel == NULL && is_home && !homes_is_awaited(homes, name)) {
        return true;
    }
    if (channel == NULL && !is_home) {
        homes_send_away(homes, message, name);
    } else {
        homes_wait(homes, message, name);
    }
    return false;
}

static void homes_handle_again(struct homes *homes, struct held_request *request)
{
    struct held_channel *channel = request->channel;
    const struct message *message = &request->message;
    held_take_out(homes, request);
    held_settle(&homes->held, channel);
    homes->held.ends_ms = request->ends_ms;
    homes_on_message(homes, message);
    homes->held.ends_ms = 0;
    free(request);
}

/* Those that have to wait again come behind those that are counted here, so that none comes twice.
 */
void homes_release_held(struct homes *homes, struct span name)
{
    struct held_channel *channel =
        homes->held.len == 0 ? NULL : map_find(homes->held.by_name, name.at, name.len);
    if (channel == NULL) {
        return;
    }
    uint32_t len = 0;
    for (const struct list *at = channel->requests.next; at != &channel->requests; at = at->next) {
        len++;
    }
    /* With the last of them the channel may end. */
    for (uint32_t i = 0; i < len; i++) {
        homes_handle_again(homes, CONTAINER_OF(channel->requests.next, struct held_request, link));
    }
}

void homes_release_all_held(struct homes *homes)
{
    const uint32_t len = homes->held.len;
    for (uint32_t i = 0; i < len; i++) {
        homes_handle_again(homes, held_first(&homes->held));
    }
}

/* ---- the end ---- */

void homes_expire_held(struct homes *homes)
{
    struct held *held = &homes->held;
    while (held->len > 0 && held_first(held)->ends_ms <= shard_awake_ms(homes->actors->shard)) {
        struct held_request *request = held_first(held);
        struct held_channel *channel = request->channel;
        held_take_out(homes, request);
        held_settle(held, channel);
        homes_refuse(homes, &request->message);
        free(request);
    }
}

void homes_held_destroy(struct homes *homes)
{
    while (homes->held.len > 0) {
        struct held_request *request = held_first(&homes->held);
        struct held_channel *channel = request->channel;
        held_take_out(homes, request);
        held_settle(&homes->held, channel);
        message_release(&request->message);
        free(request);
    }
    map_destroy(homes->held.by_name);
}
