/* SPDX-License-Identifier: Apache-2.0 */
/* Requests under way: from this node's shards to homes of others, from others to homes here; each
 * is answered once, also when its link goes down or its time is over. */
#include "shards/router/relay/relay_state.h"

#include "shards/payloads.h"

struct relay_ask *relay_ask_add(struct relay *relay, enum link_message_kind kind)
{
    uint32_t handle;
    struct relay_ask *ask = pool_take(relay->asks_pool, &handle);
    if (ask == NULL) {
        relay_count(relay, COUNTER_RELAY_REFUSED_REQUESTS);
        return NULL;
    }
    ask->handle = handle;
    ask->kind = kind;
    relay_gauge_add(relay, COUNTER_RELAY_ASKS, 1);
    if (kind == LINK_MESSAGE_SUBSCRIBE || kind == LINK_MESSAGE_CHANNEL_MOVE) {
        /* Whoever was told that it is not subscribed must not be present after all: it is asked for
         * until it is answered, or the session is over and its presence with it. And a channel of
         * which it is not known whether it was taken ends. */
        list_append(&relay->lasting, &ask->link);
        return ask;
    }
    ask->deadline_ms = shard_awake_ms(relay->shard) + RELAY_ASK_MS_MAX;
    list_append(&relay->asks, &ask->link);
    relay_schedule(relay, RELAY_ASK_MS_MAX);
    return ask;
}

void relay_ask_remove(struct relay *relay, struct relay_ask *ask)
{
    list_remove(&ask->link);
    relay_gauge_add(relay, COUNTER_RELAY_ASKS, -1);
    pool_put(relay->asks_pool, ask->handle);
}

uint64_t relay_pieces_taken(const struct relay *relay)
{
    return relay->pieces_taken;
}

/* ---- answering whoever asked ---- */

static enum link_message_kind answer_kind(enum link_message_kind request)
{
    switch (request) {
    case LINK_MESSAGE_SUBSCRIBE:
        return LINK_MESSAGE_SUBSCRIBED;
    case LINK_MESSAGE_PUBLISH:
        return LINK_MESSAGE_PUBLISHED;
    case LINK_MESSAGE_PASS_ON:
        return LINK_MESSAGE_PASSED_ON;
    case LINK_MESSAGE_PRESENCE_ASK:
        return LINK_MESSAGE_PRESENCE;
    case LINK_MESSAGE_HISTORY_ASK:
        return LINK_MESSAGE_HISTORY;
    case LINK_MESSAGE_MAP_ASK:
        return LINK_MESSAGE_MAP_PAGE;
    case LINK_MESSAGE_CHANNEL_MOVE:
        return LINK_MESSAGE_CHANNEL_TAKEN;
    case LINK_MESSAGE_USER_ADD:
        return LINK_MESSAGE_USER_ADDED;
    case LINK_MESSAGE_USER_TAKE:
        return LINK_MESSAGE_USER_TAKEN;
    case LINK_MESSAGE_SURVEY:
        return LINK_MESSAGE_SURVEY_RESULT;
    case LINK_MESSAGE_EMULATE:
        return LINK_MESSAGE_EMULATED;
    default:
        return LINK_MESSAGE_NONE;
    }
}

/* An answer in which nothing is but the error. Where the directory cannot be asked, the session is
 * let in all the same (USER_ADDED): its shard registers it again. */
static struct link_message refusal(enum link_message_kind kind, uint32_t flags, uint32_t error)
{
    return (struct link_message){
        .kind = answer_kind(kind),
        .flags = flags,
        .error = kind == LINK_MESSAGE_USER_ADD ? (uint32_t)CLIENT_ERROR_TOO_MANY_REQUESTS : error,
    };
}

static void answer_shard(struct relay *relay, const struct relay_ask *ask,
                         const struct link_message *answer, struct span payload)
{
    struct message message;
    if (relay_to_answer(answer, payload, ask, &message)) {
        outbox_send(relay->options.outbox, ask->asker_shard, &message);
        return;
    }
    const struct link_message failed = refusal(ask->kind, ask->flags, CLIENT_ERROR_INTERNAL);
    if (relay_to_answer(&failed, SPAN_EMPTY, ask, &message)) {
        outbox_send(relay->options.outbox, ask->asker_shard, &message);
    }
}

static void answer_node(struct relay *relay, const struct relay_ask *ask,
                        const struct link_message *answer, struct buf *payload)
{
    const struct relay_peer *peer = relay_peer_of(relay, ask->asker);
    if (peer == NULL) {
        return; /* It has been told by its link's end. */
    }
    struct link_message out = *answer;
    out.cookie = ask->cookie;
    out.handle = 0;
    if ((payload == NULL || payload->len <= RELAY_ANSWER_BYTES_MAX) &&
        relay_send(relay, peer, &out, payload)) {
        return;
    }
    /* More than a link carries in one message: who asked must hear something all the same. */
    if (answer->kind == LINK_MESSAGE_SUBSCRIBED) {
        out.flags &= ~(uint32_t)SUBSCRIBED_RECOVERED;
    } else {
        out = (struct link_message){.kind = answer->kind,
                                    .cookie = ask->cookie,
                                    .error = CLIENT_ERROR_LIMIT_EXCEEDED};
    }
    (void)relay_send(relay, peer, &out, NULL);
}

/* What a SUBSCRIBE brought is worth nothing when its registration has ended meanwhile. */
static struct link_message settle(struct relay *relay, const struct relay_ask *ask,
                                  const struct link_message *answer)
{
    if (ask->kind == LINK_MESSAGE_SUBSCRIBE && !relay_channels_on_answer(relay, ask, answer) &&
        answer->error == 0) {
        return refusal(ask->kind, ask->flags, CLIENT_ERROR_TOO_MANY_REQUESTS);
    }
    return *answer;
}

void relay_ask_fail(struct relay *relay, struct relay_ask *ask, uint32_t error)
{
    const struct link_message failed = refusal(ask->kind, ask->flags, error);
    if (ask->gather != POOL_HANDLE_NONE) {
        relay_gather_on_answer(relay, ask, &failed, SPAN_EMPTY);
    } else {
        const struct link_message settled = settle(relay, ask, &failed);
        if (ask->asker != 0) {
            answer_node(relay, ask, &settled, NULL);
        } else {
            answer_shard(relay, ask, &settled, SPAN_EMPTY);
        }
    }
    relay_ask_remove(relay, ask);
}

static void cut_asks(struct relay *relay, struct list *asks, uint32_t origin)
{
    struct list *next;
    for (struct list *at = asks->next; at != asks; at = next) {
        struct relay_ask *ask = CONTAINER_OF(at, struct relay_ask, link);
        next = at->next;
        if (ask->target == origin) {
            relay_count(relay, COUNTER_RELAY_ASKS_CUT);
            relay_ask_fail(relay, ask, CLIENT_ERROR_INTERNAL);
        }
    }
}

/* What was sent may have been done. */
void relay_asks_on_session_end(struct relay *relay, uint32_t origin)
{
    cut_asks(relay, &relay->asks, origin);
    cut_asks(relay, &relay->lasting, origin);
}

void relay_asks_tick(struct relay *relay)
{
    while (!list_is_empty(&relay->asks)) {
        struct relay_ask *ask = CONTAINER_OF(relay->asks.next, struct relay_ask, link);
        if (ask->deadline_ms > shard_awake_ms(relay->shard)) {
            relay_schedule(relay, ask->deadline_ms - shard_awake_ms(relay->shard));
            return;
        }
        relay_count(relay, COUNTER_RELAY_ASKS_LATE);
        relay_ask_fail(relay, ask, CLIENT_ERROR_INTERNAL);
    }
}

/* ---- requests ---- */

static uint32_t cookie_of(const struct message *message, uint32_t *api)
{
    switch ((enum message_type)message->type) {
    case MESSAGE_PUBLISH:
        *api = message_as_publish(message).origin;
        return message_as_publish(message).cookie;
    case MESSAGE_PRESENCE_ASK:
        *api = message_as_presence_ask(message).origin;
        return message_as_presence_ask(message).cookie;
    case MESSAGE_HISTORY_ASK:
        *api = message_as_history_ask(message).origin;
        return message_as_history_ask(message).cookie;
    case MESSAGE_MAP_ASK:
        *api = message_as_map_ask(message).origin;
        return message_as_map_ask(message).cookie;
    default:
        *api = 0;
        return 0;
    }
}

/* To a shard of this node, on behalf of the ask. False: nothing was sent. */
static bool pass_to_shard(struct relay *relay, const struct relay_ask *ask,
                          struct link_message *request, uint32_t shard, struct buf *payload)
{
    struct message message;
    const struct span bytes = payload == NULL ? SPAN_EMPTY : span_of(payload->bytes, payload->len);
    request->shard = ask->asker == 0 ? message_place(0, ask->asker_shard)
                                     : message_place(ask->asker, request->shard);
    if (!relay_to_request(request, bytes, ask->handle, &message)) {
        return false;
    }
    if (!relay_send_local(relay, shard, &message)) {
        message_release(&message);
        return false;
    }
    return true;
}

/* To the home of its name. */
static bool pass_to_home(struct relay *relay, struct relay_ask *ask, struct link_message *request,
                         struct span name, struct buf *payload)
{
    const struct relay_home home = relay_home_of(relay, name);
    request->cookie = ask->handle;
    if (!home.is_known) {
        return false;
    }
    if (home.peer != NULL) {
        ask->target = home.peer->origin;
        return home.peer->origin != 0 && relay_send(relay, home.peer, request, payload);
    }
    /* A channel is not moved to where it is. */
    return (ask->kind != LINK_MESSAGE_CHANNEL_MOVE || ask->asker != 0) &&
           pass_to_shard(relay, ask, request, home.shard, payload);
}

/* The channel or user that a request is about. */
static bool name_of_request(const struct link_message *request, struct span payload,
                            struct span *name)
{
    struct link_entry entry;
    *name = request->name;
    if (request->kind == LINK_MESSAGE_PUBLISH) {
        if (link_next_entry(&payload, &entry) != LINK_MESSAGE_OK) {
            return false;
        }
        *name = entry.channel;
    }
    return true;
}

void relay_on_request(struct relay *relay, const struct message *message)
{
    struct link_message request = {0};
    struct buf *payload = NULL;
    struct span name = SPAN_EMPTY;
    /* Where even that fails, a place on the stack is enough to refuse. */
    struct relay_ask refused = {0};
    const bool is_read = relay_from_message(message, &request, &payload);
    const struct span bytes = payload == NULL ? SPAN_EMPTY : span_of(payload->bytes, payload->len);
    struct relay_ask *ask = is_read ? relay_ask_add(relay, request.kind) : NULL;
    struct relay_ask *filled = ask == NULL ? &refused : ask;
    filled->kind = request.kind;
    filled->asker_shard = message->from;
    filled->asker_handle = message->handle;
    filled->cookie = cookie_of(message, &filled->api);
    filled->flags = request.flags;
    request.shard = message->from;
    if (ask == NULL || !name_of_request(&request, bytes, &name) ||
        !pass_to_home(relay, ask, &request, name, payload)) {
        const struct link_message failed =
            refusal(filled->kind, filled->flags, CLIENT_ERROR_TOO_MANY_REQUESTS);
        relay_count(relay, COUNTER_RELAY_REFUSED_REQUESTS);
        answer_shard(relay, filled, &failed, SPAN_EMPTY);
        if (ask != NULL) {
            relay_ask_remove(relay, ask);
        }
    }
    buf_release(payload);
    message_release(message);
}

/* One that reached a node which is not, or no longer, its home is passed on once: views of the
 * members differ for a while, but it must not travel for ever. Then the shard that would be its
 * home waits with it for a newer view. */
static bool pass_node_request(struct relay *relay, struct relay_ask *ask,
                              const struct link_message *request, struct span payload)
{
    struct span name;
    if (!name_of_request(request, payload, &name)) {
        return false;
    }
    struct link_message passed_on = *request;
    const struct relay_home home = relay_home_of(relay, name);
    const bool is_here = home.is_known && home.peer == NULL;
    const bool is_waited_for = !is_here && (request->hops > 0 || !home.is_known);
    if (!is_here &&
        (request->kind == LINK_MESSAGE_USER_ADD || request->kind == LINK_MESSAGE_USER_TAKE ||
         request->kind == LINK_MESSAGE_CHANNEL_MOVE)) {
        return false;
    }
    passed_on.hops++;
    struct buf *copy = payload.len == 0 ? NULL : buf_copy(payload.at, payload.len);
    bool is_passed = payload.len == 0 || copy != NULL;
    if (is_passed && is_waited_for) {
        is_passed = pass_to_shard(relay, ask, &passed_on,
                                  placement_slot_of(name) % relay->options.node->shards, copy);
    } else if (is_passed) {
        is_passed = pass_to_home(relay, ask, &passed_on, name, copy);
    }
    buf_release(copy);
    if (is_passed && !is_here && !is_waited_for) {
        relay_count(relay, COUNTER_RELAY_PASSED_ON);
    }
    return is_passed;
}

void relay_on_link_request(struct relay *relay, struct relay_peer *peer,
                           const struct link_message *request, struct span payload)
{
    struct relay_ask *ask = relay_ask_add(relay, request->kind);
    if (request->kind == LINK_MESSAGE_CHANNEL_MOVE) {
        relay_slots_on_channel_move(relay, peer);
    }
    if (ask != NULL) {
        ask->asker = peer->origin;
        ask->cookie = request->cookie;
        ask->flags = request->flags;
        if (pass_node_request(relay, ask, request, payload)) {
            return;
        }
        relay_ask_remove(relay, ask);
    }
    struct link_message refused =
        refusal(request->kind, request->flags, CLIENT_ERROR_TOO_MANY_REQUESTS);
    refused.cookie = request->cookie;
    relay_count(relay, COUNTER_RELAY_REFUSED_REQUESTS);
    (void)relay_send(relay, peer, &refused, NULL);
}

/* ---- answers ---- */

/* SUBSCRIBED brings it as the subscription, others as the handle. */
static uint32_t ask_of_answer(const struct message *message)
{
    return message->type == MESSAGE_SUBSCRIBED ? message_as_subscribed(message).subscription
                                               : message->handle;
}

void relay_on_answer(struct relay *relay, const struct message *message)
{
    struct relay_ask *ask = pool_get(relay->asks_pool, ask_of_answer(message));
    struct link_message answer;
    struct buf *payload;
    if (ask == NULL || ask->target != 0) {
        relay_count(relay, COUNTER_RELAY_STALE);
    } else if (!relay_from_message(message, &answer, &payload)) {
        relay_ask_fail(relay, ask, CLIENT_ERROR_INTERNAL);
    } else {
        const struct link_message settled = settle(relay, ask, &answer);
        const bool is_whole = settled.error == 0 && payload != NULL;
        if (ask->asker != 0) {
            answer_node(relay, ask, &settled, is_whole ? payload : NULL);
        } else {
            answer_shard(relay, ask, &settled,
                         is_whole ? span_of(payload->bytes, payload->len) : SPAN_EMPTY);
        }
        buf_release(payload);
        relay_ask_remove(relay, ask);
    }
    message_release(message);
}

void relay_on_link_answer(struct relay *relay, const struct relay_peer *peer,
                          const struct link_message *answer, struct span payload)
{
    struct relay_ask *ask = pool_get(relay->asks_pool, answer->cookie);
    if (ask == NULL || ask->target != peer->origin || answer->kind != answer_kind(ask->kind)) {
        relay_count(relay, COUNTER_RELAY_STALE);
        return;
    }
    if (ask->kind == LINK_MESSAGE_CHANNEL_MOVE && answer->error == 0) {
        relay->pieces_taken++;
    }
    if (ask->gather != POOL_HANDLE_NONE) {
        relay_gather_on_answer(relay, ask, answer, payload);
        relay_ask_remove(relay, ask);
        return;
    }
    const struct link_message settled = settle(relay, ask, answer);
    if (settled.error != 0) {
        payload = SPAN_EMPTY;
    }
    if (ask->asker == 0) {
        answer_shard(relay, ask, &settled, payload);
    } else {
        struct buf *copy = payload.len == 0 ? NULL : buf_copy(payload.at, payload.len);
        answer_node(relay, ask, &settled, copy);
        buf_release(copy);
    }
    relay_ask_remove(relay, ask);
}
