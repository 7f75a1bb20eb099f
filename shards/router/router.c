/* SPDX-License-Identifier: Apache-2.0 */
/* The router's assembly: what the gossip says of the members becomes the map of homes, and every
 * shard is told. */
#include "shards/router/router.h"

#include <stdlib.h>

#include "shards/counters.h"
#include "shards/limits.h"
#include "shards/messages.h"
#include "shards/outbox.h"
#include "shards/payloads.h"
#include "shards/router/membership/gossiper.h"
#include "shards/router/load.h"
#include "shards/router/members.h"
#include "shards/router/links/peers.h"
#include "shards/router/placement.h"
#include "shards/router/relay/relay.h"
#include "shards/router/revoker.h"

enum {
    /* Members that come together are one change of the map. */
    PLACE_DELAY_MS = 50,
    /* A node that has seeds serves when it has found others, and what they know of more has come;
     * or when nobody answers. */
    JOIN_SETTLE_MS = 300,
    JOIN_MS_MAX = 5000,
    /* Whom it finds only now may have been there before it. */
    EARLY_MS = 5000,
    STOP_LOOK_MS = 20,
    /* Others need a moment to hear that it drains. What it is the home of may take as long to leave
     * as it moves at all. */
    DRAIN_MS_MIN = 1000,
    DRAIN_STILL_MS_MAX = 2 * HANDOVER_MS_MAX,
    /* A node whose cluster does not hear it goes all the same. */
    LEAVE_MS_MAX = 3000,
};

enum router_token { TOKEN_GOSSIP = 1 };

struct router {
    const struct shard_actor *ops; /* Which actor of the node this is: the first member (node.c). */
    struct node *node;
    struct shard *shard;
    struct outbox *outbox;
    struct gossiper *gossiper; /* NULL: a cluster of one. */
    struct peers *peers;       /* And so this, */
    struct relay *relay;       /* and this. */
    struct revoker *revoker;
    struct load load;
    struct buf *placement; /* The newest one; NULL: others are looked for first. */
    uint64_t placed_ms;    /* When the first one was made. */
    struct timer place;
    struct timer second;
    struct timer stop;
    uint64_t drain_began_ms; /* By shard_awake_ms, as is */
    uint64_t drain_moved_ms; /* when other nodes last took something: */
    uint64_t drain_taken;    /* so many pieces by then. */
    uint64_t leave_ends_ms;  /* 0: it does not leave yet. */
    bool is_stopping;
    bool is_drain_late; /* And it was said. */
};

struct router *router_create(struct node *node)
{
    struct router *router = calloc(1, sizeof(*router));
    if (router != NULL) {
        router->ops = router_actor_ops();
        router->node = node;
    }
    return router;
}

const struct relay *router_relay(const struct router *router)
{
    return router->relay;
}

static struct router *router_of(void *context)
{
    return context;
}

/* ---- the map ---- */

static void router_count_placement(struct router *router, const struct placement *before)
{
    const struct placement *after = placement_of(router->placement);
    struct stats *stats = router->shard->stats;
    uint32_t own = 0;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        own += after->node_of_slot[slot] == after->self;
    }
    const uint32_t moved = before == NULL ? 0 : placement_slots_moved(before, after);
    stats_set(stats, COUNTER_PLACEMENT_VERSION, after->version);
    stats_set(stats, COUNTER_PLACEMENT_SLOTS, own);
    stats_add(stats, COUNTER_PLACEMENT_SLOTS_MOVED, moved);
    if (router->gossiper != NULL) {
        LOG(router->shard->log, LOG_INFO, "placement",
            "version=%llu nodes=%u slots=%u slots_moved=%u", (unsigned long long)after->version,
            after->nodes, own, moved);
    }
}

/* The map that follows from the members, to every serving shard. False: memory is out. */
static bool router_place(struct router *router, const struct placement_members *members)
{
    struct buf *old = router->placement;
    const struct placement *before = old == NULL ? NULL : placement_of(old);
    const uint64_t version = before == NULL ? 1 : before->version + 1;
    const struct message_placement body = {.placement = placement_make(version, members, before)};
    if (body.placement == NULL) {
        return false;
    }
    router->placement = body.placement;
    buf_share(body.placement, router->node->shards);
    for (uint32_t shard = 0; shard < router->node->shards; shard++) {
        OUTBOX_SEND(router->outbox, shard, placement, 0, &body);
    }
    router_count_placement(router, before);
    if (router->peers != NULL) {
        peers_on_placement(router->peers, before, placement_of(body.placement));
        relay_on_placement(router->relay, placement_of(body.placement));
    }
    buf_release(old);
    return true;
}

static bool router_place_alone(struct router *router)
{
    const struct placement_member self = {
        .uid = node_uid(router->node),
        .shards = router->node->shards,
        .weight = 1,
    };
    return router_place(router, &(struct placement_members){.at = &self, .len = 1});
}

/* Shards see from them that what they registered is not known any more. */
static void router_name_sessions(const struct router *router, struct placement_members *members)
{
    struct placement_member *at = (struct placement_member *)(uintptr_t)members->at;
    for (uint32_t i = 0; i < members->len; i++) {
        at[i].session = relay_session_of(router->relay, &at[i].uid);
    }
}

static void router_on_place(struct timer *timer, void *context)
{
    struct router *router = router_of(context);
    struct placement_members members;
    bool is_placed = false;
    if (members_list(gossiper_membership(router->gossiper), &members)) {
        const uint64_t now_ms = router->shard->now_ms;
        router->placed_ms = router->placement == NULL ? now_ms : router->placed_ms;
        members.is_early = now_ms < router->placed_ms + EARLY_MS;
        router_name_sessions(router, &members);
        is_placed = router_place(router, &members);
        free((void *)(uintptr_t)members.at);
    }
    if (!is_placed) {
        LOG(router->shard->log, LOG_WARN, "placement", "%s",
            "result=failed reason=\"memory is out\"");
        timer_set(router->shard->timers, timer, router->shard->now_ms + PLACE_DELAY_MS,
                  router_on_place);
    }
}

/* ---- what the gossip says ---- */

static bool router_changes_map(const struct membership_event *event)
{
    /* What is suspect is as good as alive, until it is not. */
    return event->kind != MEMBERSHIP_FORGOTTEN &&
           !(event->kind == MEMBERSHIP_STATUS && event->before <= GOSSIP_SUSPECT &&
             event->member->status <= GOSSIP_SUSPECT);
}

static void router_place_soon(struct router *router)
{
    /* The first map waits for what the others know; later ones only for who comes together. */
    const uint64_t delay_ms = router->placement == NULL ? JOIN_SETTLE_MS : PLACE_DELAY_MS;
    const uint64_t due_ms = router->shard->now_ms + delay_ms;
    if (!timer_is_set(&router->place) || router->place.due_ms > due_ms) {
        timer_set(router->shard->timers, &router->place, due_ms, router_on_place);
    }
}

static void router_on_member(void *owner, const struct membership_event *event)
{
    static const char *const statuses[GOSSIP_STATUS_COUNT] = {"unsaid",      "alive", "suspect",
                                                              "unreachable", "dead",  "left"};
    static const char *const kinds[] = {"joined", "status", "details", "load", "forgotten"};
    struct router *router = owner;
    const struct membership_member *member = event->member;
    char uid[CLIENT_ID_TEXT_LEN];
    char address[SOCKET_ADDRESS_TEXT_SIZE];
    const struct socket_address at = gossiper_socket_address(&member->cluster_address);
    client_id_format(member->uid.bytes, uid);
    socket_address_format(&at, address);
    LOG(router->shard->log, LOG_INFO, "cluster_member",
        "change=%s uid=%.*s address=%s status=%s before=%s", kinds[event->kind], CLIENT_ID_TEXT_LEN,
        uid, address, statuses[member->status], statuses[event->before]);
    if (router_changes_map(event)) {
        router_place_soon(router);
    }
}

/* ---- what links bring ---- */

static void router_on_link_up(void *owner, const struct gossip_uid *peer)
{
    const struct router *router = owner;
    relay_on_link_up(router->relay, peer);
    revoker_on_link_up(router->revoker, peer);
}

static void router_on_link_down(void *owner, const struct gossip_uid *peer)
{
    const struct router *router = owner;
    relay_on_link_down(router->relay, peer);
}

static bool router_send(void *owner, const struct gossip_uid *to, enum message_class class,
                        struct span head, struct buf *payload)
{
    const struct router *router = owner;
    return peers_send(router->peers, to, class, head, payload);
}

static void router_tell(void *owner, const struct gossip_uid *to,
                        const struct link_message *message, struct buf *payload)
{
    const struct router *router = owner;
    if (router->relay != NULL) {
        relay_tell(router->relay, to, message, payload);
    }
}

static void router_on_session(void *owner)
{
    struct router *router = owner;
    if (router->placement != NULL) {
        router_place_soon(router);
    }
}

static void router_on_link_message(void *owner, const struct gossip_uid *peer,
                                   const struct link_message *message, struct span payload)
{
    const struct router *router = owner;
    if (message->kind == LINK_MESSAGE_REVOCATIONS ||
        message->kind == LINK_MESSAGE_REVOCATIONS_SUM) {
        revoker_on_link_message(router->revoker, peer, message, payload);
    } else {
        relay_on_link_message(router->relay, peer, message, payload);
    }
}

static void router_on_exchange(void *owner, const struct gossip_address *to,
                               const struct gossip_uid *peer)
{
    const struct router *router = owner;
    peers_exchange(router->peers, to, peer);
}

static void router_count_members(struct router *router)
{
    uint32_t counts[GOSSIP_STATUS_COUNT];
    struct stats *stats = router->shard->stats;
    members_count(gossiper_membership(router->gossiper), counts);
    stats_set(stats, COUNTER_CLUSTER_ALIVE, counts[GOSSIP_ALIVE]);
    stats_set(stats, COUNTER_CLUSTER_SUSPECT, counts[GOSSIP_SUSPECT]);
    stats_set(stats, COUNTER_CLUSTER_UNREACHABLE, counts[GOSSIP_UNREACHABLE]);
    stats_set(stats, COUNTER_CLUSTER_DEAD, counts[GOSSIP_DEAD]);
    stats_set(stats, COUNTER_CLUSTER_LEFT, counts[GOSSIP_LEFT]);
}

static void router_on_second(struct timer *timer, void *context)
{
    struct router *router = router_of(context);
    load_look(&router->load);
    const struct gossip_load now = load_now(&router->load);
    gossiper_set_load(router->gossiper, &now);
    router_count_members(router);
    peers_look(router->peers);
    peers_count(router->peers);
    timer_set(router->shard->timers, timer, router->shard->now_ms + 1000, router_on_second);
}

static bool router_has_others_to_find(const struct router *router)
{
    const struct cluster_options *cluster = &router->node->options->cluster;
    for (uint32_t i = 0; i < cluster->seeds_len; i++) {
        const struct gossip_address seed = gossiper_gossip_address(&cluster->seeds[i]);
        const struct gossip_address self = gossiper_gossip_address(&cluster->advertise);
        if (!gossip_address_equal(&seed, &self)) {
            return true;
        }
    }
    return cluster->has_names;
}

static bool router_start_cluster(struct router *router)
{
    struct shard *shard = router->shard;
    const struct gossiper_sink sink = {router, router_on_member, router_on_exchange};
    const struct peers_sink peers_sink = {router, router_on_link_up, router_on_link_down,
                                          router_on_link_message};
    router->gossiper = gossiper_create(router->node, shard, TOKEN_GOSSIP, &sink);
    if (router->gossiper == NULL) {
        return false;
    }
    router->peers = peers_create(router->node, shard, router->gossiper, &peers_sink);
    if (router->peers == NULL) {
        return false;
    }
    router->relay = relay_create(&(struct relay_options){
        .node = router->node,
        .shard = shard,
        .outbox = router->outbox,
        .wire = {router, router_send},
        .on_session = router_on_session,
    });
    if (router->relay == NULL) {
        return false;
    }
    const uint64_t wait_ms = router_has_others_to_find(router) ? JOIN_MS_MAX : 0;
    timer_set(shard->timers, &router->place, shard->now_ms + wait_ms, router_on_place);
    timer_set(shard->timers, &router->second, shard->now_ms, router_on_second);
    return true;
}

/* ---- the end ---- */

static void router_is_done(struct router *router)
{
    __atomic_store_n(&router->node->shard_is_drained[router->shard->id], 1, __ATOMIC_RELEASE);
}

static bool router_serves_nobody(const struct router *router)
{
    for (uint32_t shard = 0; shard < router->node->shards; shard++) {
        if (__atomic_load_n(&router->node->shard_is_drained[shard], __ATOMIC_ACQUIRE) == 0) {
            return false;
        }
    }
    return true;
}

static bool router_has_drained(struct router *router)
{
    const bool has_others = router->placement != NULL && placement_of(router->placement)->nodes > 1;
    const uint64_t now_ms = shard_awake_ms(router->shard);
    const uint64_t taken = relay_pieces_taken(router->relay);
    if (router->drain_taken != taken) {
        router->drain_taken = taken;
        router->drain_moved_ms = now_ms;
    }
    const bool is_handed_over = relay_has_handed_over(router->relay);
    const bool is_stuck = now_ms >= router->drain_moved_ms + DRAIN_STILL_MS_MAX;
    if (has_others && !is_handed_over && is_stuck && !router->is_drain_late) {
        router->is_drain_late = true;
        LOG(router->shard->log, LOG_WARN, "drain",
            "result=late reason=\"no node took anything for %u ms, and not all was handed over\"",
            DRAIN_STILL_MS_MAX);
    }
    return !has_others || is_stuck ||
           (now_ms >= router->drain_began_ms + DRAIN_MS_MIN && is_handed_over);
}

/* First the homes move, while this node is there to hand them over; when they and the clients are
 * gone it says goodbye. */
static void router_on_stop(struct timer *timer, void *context)
{
    struct router *router = router_of(context);
    const uint64_t now_ms = router->shard->now_ms;
    if (router->leave_ends_ms == 0 && router_has_drained(router) && router_serves_nobody(router)) {
        gossiper_leave(router->gossiper);
        router->leave_ends_ms = now_ms + LEAVE_MS_MAX;
    }
    if (router->leave_ends_ms != 0 &&
        (gossiper_has_left(router->gossiper) || now_ms >= router->leave_ends_ms)) {
        router_is_done(router);
        return;
    }
    timer_set(router->shard->timers, timer, now_ms + STOP_LOOK_MS, router_on_stop);
}

static void router_begin_stop(struct router *router)
{
    router->is_stopping = true;
    if (router->gossiper == NULL) {
        router_is_done(router);
        return;
    }
    router->drain_began_ms = shard_awake_ms(router->shard);
    router->drain_moved_ms = router->drain_began_ms;
    router->drain_taken = relay_pieces_taken(router->relay);
    gossiper_drain(router->gossiper);
    timer_set(router->shard->timers, &router->place, router->shard->now_ms, router_on_place);
    timer_set(router->shard->timers, &router->stop, router->shard->now_ms, router_on_stop);
}

/* ---- what shards ask ---- */

static void router_on_nodes_ask(struct router *router, const struct message *message)
{
    const struct membership *membership =
        router->gossiper == NULL ? NULL : gossiper_membership(router->gossiper);
    struct message_nodes answer = {.nodes = load_nodes(&router->load, membership)};
    answer.error = answer.nodes == NULL ? CLIENT_ERROR_INTERNAL : 0;
    OUTBOX_SEND(router->outbox, message->from, nodes, message->handle, &answer);
}

/* ---- the actor ---- */

static bool router_start(void *actor, struct shard *shard)
{
    struct router *router = actor;
    router->shard = shard;
    load_init(&router->load, router->node, shard);
    shard->stats = stats_create(COUNTERS_LEN, HISTS_LEN);
    router->outbox = outbox_create(shard);
    if (shard->stats == NULL || router->outbox == NULL) {
        LOG(shard->log, LOG_ERROR, "router_start_failed", "reason=memory");
        return false;
    }
    router->revoker = revoker_create(&(struct revoker_options){
        .node = router->node,
        .shard = shard,
        .outbox = router->outbox,
        .tell = router_tell,
        .owner = router,
    });
    if (router->revoker == NULL) {
        LOG(shard->log, LOG_ERROR, "router_start_failed", "reason=memory");
        return false;
    }
    node_set_stats(router->node, shard);
    return router->node->options->cluster.enabled ? router_start_cluster(router)
                                                  : router_place_alone(router);
}

static void router_on_message(void *actor, const struct message *message)
{
    struct router *router = actor;
    if (message->type == MESSAGE_NODES_ASK) {
        router_on_nodes_ask(router, message);
    } else if (message->type == MESSAGE_REVOKE) {
        revoker_on_revoke(router->revoker, message);
    } else if (!WARN_IF(router->relay == NULL)) {
        relay_on_message(router->relay, message);
    } else {
        message_release(message);
    }
}

static void router_on_event(void *actor, uint64_t token, uint32_t events)
{
    struct router *router = actor;
    if (token == TOKEN_GOSSIP) {
        gossiper_on_event(router->gossiper);
    } else if (links_has_token(token)) {
        peers_on_event(router->peers, token, events);
    } else {
        stats_add(router->shard->stats, COUNTER_STALE_EVENTS, 1);
    }
}

static void router_on_turn_end(void *actor)
{
    struct router *router = actor;
    if (node_is_stopping(router->node) && !router->is_stopping) {
        router_begin_stop(router);
    }
    if (router->gossiper != NULL) {
        gossiper_on_turn_end(router->gossiper);
        peers_on_turn_end(router->peers);
    }
    outbox_on_turn_end(router->outbox);
    node_export_counters(router->shard);
}

static bool router_has_work(void *actor)
{
    const struct router *router = actor;
    return outbox_has_work(router->outbox) ||
           (router->gossiper != NULL &&
            (gossiper_has_work(router->gossiper) || peers_has_work(router->peers)));
}

static void router_stop(void *actor)
{
    struct router *router = actor;
    revoker_destroy(router->revoker);
    relay_destroy(router->relay);
    peers_destroy(router->peers);
    gossiper_destroy(router->gossiper);
    if (router->shard != NULL) {
        node_unset_stats(router->node, router->shard->id);
    }
    outbox_destroy(router->outbox);
    buf_release(router->placement);
    free(router);
}

const struct shard_actor *router_actor_ops(void)
{
    static const struct shard_actor ops = {
        .start = router_start,
        .on_message = router_on_message,
        .on_event = router_on_event,
        .on_turn_end = router_on_turn_end,
        .has_work = router_has_work,
        .stop = router_stop,
    };
    return &ops;
}
