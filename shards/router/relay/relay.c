/* SPDX-License-Identifier: Apache-2.0 */
/* The relay: its peers and their sessions, where names are at home, and what goes to which part. */
#include "shards/router/relay/relay_state.h"

#include <stdlib.h>
#include <string.h>

static struct map_key peer_key(const void *object)
{
    const struct relay_peer *peer = object;
    return (struct map_key){peer->uid.bytes, sizeof(peer->uid.bytes)};
}

struct relay *relay_create(const struct relay_options *options)
{
    struct relay *relay = calloc(1, sizeof(*relay));
    if (relay == NULL) {
        return NULL;
    }
    relay->options = *options;
    relay->shard = options->shard;
    list_init(&relay->asks);
    list_init(&relay->lasting);
    list_init(&relay->gone);
    relay->peers = calloc(RELAY_PEERS_MAX, sizeof(struct relay_peer *));
    relay->sessions = calloc(RELAY_PEERS_MAX, sizeof(*relay->sessions));
    relay->peer_of_node = calloc(PLACEMENT_NODES_MAX, sizeof(struct relay_peer *));
    relay->peers_by_uid = map_create(peer_key, &relay->shard->random);
    relay->asks_pool = pool_create(sizeof(struct relay_ask), RELAY_ASKS_MAX);
    relay->gathers = pool_create(sizeof(struct relay_gather), RELAY_GATHERS_MAX);
    relay->head = malloc(RELAY_HEAD_SIZE);
    const bool is_made = relay->peers != NULL && relay->sessions != NULL &&
                         relay->peer_of_node != NULL && relay->peers_by_uid != NULL &&
                         relay->asks_pool != NULL && relay->gathers != NULL && relay->head != NULL;
    if (!is_made || !relay_channels_create(relay)) {
        relay_destroy(relay);
        return NULL;
    }
    return relay;
}

void relay_destroy(struct relay *relay)
{
    if (relay == NULL) {
        return;
    }
    timer_stop(relay->shard->timers, &relay->timer);
    relay_gathers_destroy(relay);
    relay_interest_destroy(relay);
    pool_destroy(relay->gathers);
    pool_destroy(relay->asks_pool);
    relay_channels_destroy(relay);
    for (uint32_t slot = 0; relay->peers != NULL && slot < relay->peers_end; slot++) {
        if (relay->peers[slot] != NULL) {
            relay_slots_free(relay->peers[slot]);
            free(relay->peers[slot]);
        }
    }
    map_destroy(relay->peers_by_uid);
    free(relay->peers);
    free(relay->sessions);
    free(relay->peer_of_node);
    free(relay->head);
    free(relay);
}

/* ---- peers ---- */

struct relay_peer *relay_peer_of(const struct relay *relay, uint32_t origin)
{
    struct relay_peer *peer = relay->peers[origin & (RELAY_PEERS_MAX - 1)];
    return peer != NULL && origin != 0 && peer->origin == origin ? peer : NULL;
}

/* Free, or that of a peer of which nothing is left; RELAY_PEERS_MAX: none. */
static uint32_t find_slot(struct relay *relay)
{
    for (uint32_t slot = 0; slot < RELAY_PEERS_MAX; slot++) {
        struct relay_peer *peer = relay->peers[slot];
        if (peer == NULL) {
            return slot;
        }
        if (peer->origin == 0 && !peer->is_member && peer->references == 0) {
            map_remove(relay->peers_by_uid, peer);
            relay_slots_on_peer_gone(relay, peer);
            relay_slots_free(peer);
            free(peer);
            relay->peers[slot] = NULL;
            return slot;
        }
    }
    return RELAY_PEERS_MAX;
}

/* The peer of a uid, made if need be; NULL: too many, or memory is out. */
static struct relay_peer *peer_for(struct relay *relay, const struct gossip_uid *uid)
{
    struct relay_peer *peer = map_find(relay->peers_by_uid, uid->bytes, sizeof(uid->bytes));
    if (peer != NULL) {
        return peer;
    }
    const uint32_t slot = find_slot(relay);
    peer = slot == RELAY_PEERS_MAX ? NULL : calloc(1, sizeof(*peer));
    if (peer == NULL) {
        return NULL;
    }
    peer->uid = *uid;
    peer->slot = slot;
    if (!map_insert(relay->peers_by_uid, peer)) {
        free(peer);
        return NULL;
    }
    relay->peers[slot] = peer;
    relay->peers_end = slot >= relay->peers_end ? slot + 1 : relay->peers_end;
    return peer;
}

struct relay_peer *relay_peer_find(const struct relay *relay, const struct gossip_uid *uid)
{
    return map_find(relay->peers_by_uid, uid->bytes, sizeof(uid->bytes));
}

uint32_t relay_session_of(const struct relay *relay, const struct gossip_uid *uid)
{
    const struct relay_peer *peer = relay_peer_find(relay, uid);
    return peer == NULL ? 0 : peer->origin;
}

/* ---- sessions ---- */

static void tell_origin_gone(struct relay *relay, const struct message_origin_gone *gone)
{
    for (uint32_t shard = 0; shard < relay->options.node->shards; shard++) {
        OUTBOX_SEND(relay->options.outbox, shard, origin_gone, 0, gone);
    }
}

/* Directories forget its users at once, since it registers them again when it comes back; who is
 * present there stays for a while, as does what it wants. */
static void end_session(struct relay *relay, struct relay_peer *peer)
{
    const uint32_t origin = peer->origin;
    if (origin == 0) {
        return;
    }
    peer->origin = 0;
    peer->asked = (struct relay_sum){0};
    peer->kept = (struct relay_sum){0};
    peer->wrong_sums = 0;
    relay_asks_on_session_end(relay, origin);
    relay_slots_on_session_end(peer);
    tell_origin_gone(relay,
                     &(struct message_origin_gone){.origin = origin, .was_home = peer->is_home});
    relay_interest_on_session_end(relay, origin);
}

void relay_begin_session(struct relay *relay, struct relay_peer *peer)
{
    end_session(relay, peer);
    uint16_t *number = &relay->sessions[peer->slot];
    *number = (uint16_t)(*number % (RELAY_SESSIONS - 1) + 1); /* Never 0. */
    peer->origin = (uint32_t)*number << RELAY_SLOT_BITS | peer->slot;
    relay_walk_begin(relay);
    relay_slots_on_session_begin(relay, peer);
    if (relay->options.on_session != NULL) {
        relay->options.on_session(relay->options.wire.owner);
    }
}

void relay_forget_presence(struct relay *relay, uint32_t origin)
{
    tell_origin_gone(relay, &(struct message_origin_gone){.origin = origin, .with_presence = true});
}

void relay_on_link_up(struct relay *relay, const struct gossip_uid *uid)
{
    struct relay_peer *peer = peer_for(relay, uid);
    if (peer == NULL) {
        relay_count(relay, COUNTER_RELAY_REFUSED_PEERS);
        return;
    }
    relay_begin_session(relay, peer);
}

void relay_on_link_down(struct relay *relay, const struct gossip_uid *uid)
{
    struct relay_peer *peer = relay_peer_find(relay, uid);
    if (peer != NULL) {
        end_session(relay, peer);
        relay_walk_begin(relay); /* What it was the home of may have another one by now. */
    }
}

/* ---- homes ---- */

void relay_on_placement(struct relay *relay, const struct placement *placement)
{
    const struct placement *before = relay->placement;
    relay->placement = placement;
    for (uint32_t slot = 0; slot < relay->peers_end; slot++) {
        if (relay->peers[slot] != NULL) {
            relay->peers[slot]->is_member = false;
        }
    }
    /* All that stay first: a new one takes the place of one that is gone. */
    for (uint16_t node = 0; node < placement->nodes; node++) {
        struct relay_peer *peer = relay_peer_find(relay, &placement->members[node].uid);
        if (peer != NULL) {
            peer->is_member = true;
        }
    }
    for (uint16_t node = 0; node < placement->nodes; node++) {
        relay->peer_of_node[node] = NULL;
        if (node != placement->self) {
            struct relay_peer *peer = peer_for(relay, &placement->members[node].uid);
            relay->peer_of_node[node] = peer;
            if (peer != NULL) {
                peer->is_member = true;
                peer->is_home = !peer->has_left;
                peer->is_reachable = placement->members[node].share != PLACEMENT_KEEPS;
            }
        }
    }
    relay->strict_due_ms = shard_awake_ms(relay->shard) + RELAY_MOVED_MS_MAX;
    relay_walk_begin(relay);
    relay_slots_on_placement(relay, before);
}

struct relay_home relay_home_of(const struct relay *relay, struct span name)
{
    if (relay->placement == NULL) {
        return (struct relay_home){0};
    }
    const struct placement_home home = placement_home_of(relay->placement, placement_slot_of(name));
    const bool is_here = home.node == relay->placement->self;
    return (struct relay_home){
        .peer = is_here ? NULL : relay->peer_of_node[home.node],
        .shard = home.shard,
        .is_known = is_here || relay->peer_of_node[home.node] != NULL,
    };
}

/* ---- sending ---- */

enum message_class relay_class_of(enum link_message_kind kind)
{
    switch (kind) {
    case LINK_MESSAGE_SUBSCRIBE:
    case LINK_MESSAGE_PUBLISH:
    case LINK_MESSAGE_PUBLICATION:
    case LINK_MESSAGE_PASS_ON:
    case LINK_MESSAGE_PRESENCE_ASK:
    case LINK_MESSAGE_HISTORY_ASK:
    case LINK_MESSAGE_MAP_ASK:
    case LINK_MESSAGE_USER_ADD:
    case LINK_MESSAGE_USER_TAKE:
    case LINK_MESSAGE_USER_COMMAND:
    case LINK_MESSAGE_SURVEY:
    case LINK_MESSAGE_CHANNEL_MOVE:
    case LINK_MESSAGE_INTEREST_SUM:
    case LINK_MESSAGE_REVOCATIONS_SUM:
    case LINK_MESSAGE_EMULATE:
        return MESSAGE_REQUEST;
    default:
        return MESSAGE_REPLY;
    }
}

bool relay_send(struct relay *relay, const struct relay_peer *peer,
                const struct link_message *message, struct buf *payload)
{
    struct writer head = writer_of(relay->head, RELAY_HEAD_SIZE);
    link_message_encode(&head, message);
    const struct relay_wire *wire = &relay->options.wire;
    return peer->origin != 0 && !writer_is_overflown(&head) &&
           wire->send(wire->owner, &peer->uid, relay_class_of(message->kind), writer_written(&head),
                      payload);
}

void relay_tell(struct relay *relay, const struct gossip_uid *to,
                const struct link_message *message, struct buf *payload)
{
    for (uint32_t slot = 0; slot < relay->peers_end; slot++) {
        const struct relay_peer *peer = relay->peers[slot];
        if (peer != NULL && (to == NULL || gossip_uid_equal(to, &peer->uid))) {
            (void)relay_send(relay, peer, message, payload);
        }
    }
}

bool relay_send_local(struct relay *relay, uint32_t shard, const struct message *message)
{
    const enum message_class class = message_class_of((enum message_type)message->type);
    return outbox_waiting(relay->options.outbox, shard) == 0 &&
           mailbox_send(relay->shard->mailbox, shard, message, class);
}

/* ---- time ---- */

static void relay_on_timer(struct timer *timer, void *actor)
{
    (void)actor;
    struct relay *relay = CONTAINER_OF(timer, struct relay, timer);
    relay_asks_tick(relay);
    relay_slots_tick(relay);
    relay_interest_tick(relay);
}

void relay_schedule(struct relay *relay, uint64_t in_ms)
{
    const uint64_t due_ms = relay->shard->now_ms + in_ms;
    if (!timer_is_set(&relay->timer) || due_ms < relay->timer.due_ms) {
        timer_set(relay->shard->timers, &relay->timer, due_ms, relay_on_timer);
    }
}

/* ---- what comes ---- */

void relay_on_message(struct relay *relay, const struct message *message)
{
    switch ((enum message_type)message->type) {
    case MESSAGE_SUBSCRIBE:
        relay_far_on_subscribe(relay, message);
        break;
    case MESSAGE_UNSUBSCRIBE:
        relay_far_on_unsubscribe(relay, message);
        break;
    case MESSAGE_PUBLICATION:
        relay_near_on_publication(relay, message);
        break;
    case MESSAGE_MOVED:
        relay_near_on_moved(relay, message);
        break;
    case MESSAGE_PUBLISH:
    case MESSAGE_PASS_ON:
    case MESSAGE_PRESENCE_ASK:
    case MESSAGE_HISTORY_ASK:
    case MESSAGE_MAP_ASK:
    case MESSAGE_CHANNEL_MOVE:
    case MESSAGE_USER_ADD:
    case MESSAGE_USER_TAKE:
        relay_on_request(relay, message);
        break;
    case MESSAGE_SUBSCRIBED:
    case MESSAGE_PUBLISHED:
    case MESSAGE_PASSED_ON:
    case MESSAGE_PRESENCE:
    case MESSAGE_HISTORY:
    case MESSAGE_MAP_PAGE:
    case MESSAGE_CHANNEL_TAKEN:
    case MESSAGE_USER_ADDED:
    case MESSAGE_USER_TAKEN:
    case MESSAGE_EMULATED:
        relay_on_answer(relay, message);
        break;
    case MESSAGE_EMULATE:
        relay_on_emulate(relay, message);
        break;
    case MESSAGE_SLOTS_SETTLED:
        relay_on_slots_settled(relay, message);
        break;
    case MESSAGE_SLOTS_MISSED:
        relay_on_slots_missed(relay, message);
        break;
    case MESSAGE_SLOTS_NOTED:
        relay_on_slots_noted(relay, message);
        break;
    case MESSAGE_USER_REMOVE:
    case MESSAGE_USER_SET:
    case MESSAGE_USER_COMMAND:
    case MESSAGE_SESSION_COMMAND:
        relay_on_user_message(relay, message);
        break;
    case MESSAGE_SURVEY:
        relay_on_survey(relay, message);
        break;
    case MESSAGE_SURVEY_RESULT:
        relay_on_survey_result(relay, message);
        break;
    default:
        (void)WARN_IF(true); /* Not for a router. */
        message_release(message);
        break;
    }
}

static void on_link_message(struct relay *relay, struct relay_peer *peer,
                            const struct link_message *message, struct span payload)
{
    switch (message->kind) {
    case LINK_MESSAGE_SUBSCRIBE:
        relay_near_on_subscribe(relay, peer, message, payload);
        break;
    case LINK_MESSAGE_UNSUBSCRIBE:
        relay_near_on_unsubscribe(relay, peer, message, payload);
        break;
    case LINK_MESSAGE_PUBLICATION:
        relay_far_on_publication(relay, peer, message, payload);
        break;
    case LINK_MESSAGE_MOVED:
        relay_far_on_moved(relay, peer, message->handle);
        break;
    case LINK_MESSAGE_PUBLISH:
    case LINK_MESSAGE_PASS_ON:
    case LINK_MESSAGE_PRESENCE_ASK:
    case LINK_MESSAGE_HISTORY_ASK:
    case LINK_MESSAGE_MAP_ASK:
    case LINK_MESSAGE_CHANNEL_MOVE:
    case LINK_MESSAGE_USER_ADD:
    case LINK_MESSAGE_USER_TAKE:
        relay_on_link_request(relay, peer, message, payload);
        break;
    case LINK_MESSAGE_SUBSCRIBED:
    case LINK_MESSAGE_PUBLISHED:
    case LINK_MESSAGE_PASSED_ON:
    case LINK_MESSAGE_PRESENCE:
    case LINK_MESSAGE_HISTORY:
    case LINK_MESSAGE_MAP_PAGE:
    case LINK_MESSAGE_CHANNEL_TAKEN:
    case LINK_MESSAGE_USER_ADDED:
    case LINK_MESSAGE_USER_TAKEN:
    case LINK_MESSAGE_SURVEY_RESULT:
    case LINK_MESSAGE_EMULATED:
        relay_on_link_answer(relay, peer, message, payload);
        break;
    case LINK_MESSAGE_EMULATE:
        relay_on_link_emulate(relay, peer, message, payload);
        break;
    case LINK_MESSAGE_USER_REMOVE:
    case LINK_MESSAGE_USER_SET:
    case LINK_MESSAGE_USER_COMMAND:
    case LINK_MESSAGE_SESSION_COMMAND:
        relay_on_link_user_message(relay, peer, message);
        break;
    case LINK_MESSAGE_SURVEY:
        relay_on_link_survey(relay, peer, message, payload);
        break;
    case LINK_MESSAGE_SLOTS_ASK:
    case LINK_MESSAGE_SLOTS_MOVED:
    case LINK_MESSAGE_SLOTS_MISSED:
    case LINK_MESSAGE_SLOTS_NOTED:
        relay_on_link_slots(relay, peer, message, payload);
        break;
    case LINK_MESSAGE_INTEREST_SUM:
        relay_on_interest_sum(relay, peer, message);
        break;
    case LINK_MESSAGE_INTEREST_WRONG:
        relay_begin_session(relay, peer);
        break;
    default:
        relay_count(relay, COUNTER_RELAY_STALE);
        break;
    }
}

void relay_on_link_message(struct relay *relay, const struct gossip_uid *uid,
                           const struct link_message *message, struct span payload)
{
    struct relay_peer *peer = relay_peer_find(relay, uid);
    if (peer == NULL || peer->origin == 0) {
        relay_count(relay, COUNTER_RELAY_STALE);
        return;
    }
    on_link_message(relay, peer, message, payload);
}
