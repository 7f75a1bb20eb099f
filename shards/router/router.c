/* SPDX-License-Identifier: Apache-2.0 */
/* The router's assembly: who is a member, what follows for the homes, and who is told. */
#include "shards/router/router.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shards/counters.h"
#include "shards/messages.h"
#include "shards/outbox.h"
#include "shards/router/placement.h"

struct router {
    const struct shard_actor *ops; /* Which actor of the node this is: the first member (node.c). */
    struct node *node;
    struct shard *shard;
    struct outbox *outbox;
    struct gossip_uid uid;
    struct buf *placement; /* The newest one. */
    uint64_t started_ms;
};

struct router *router_create(struct node *node)
{
    struct router *router = calloc(1, sizeof(*router));
    if (router != NULL) {
        router->ops = router_actor_ops();
        router->node = node;
        router->uid = node_uid(node);
    }
    return router;
}

/* The map that follows from the members, to every serving shard. False: memory is out. */
static bool router_place(struct router *router, const struct placement_members *members)
{
    const struct placement *before =
        router->placement == NULL ? NULL : placement_of(router->placement);
    const uint64_t version = before == NULL ? 1 : before->version + 1;
    const struct message_placement body = {.placement = placement_make(version, members, before)};
    if (body.placement == NULL) {
        return false;
    }
    buf_release(router->placement);
    router->placement = body.placement;
    buf_share(body.placement, router->node->shards);
    for (uint32_t shard = 0; shard < router->node->shards; shard++) {
        OUTBOX_SEND(router->outbox, shard, placement, 0, &body);
    }
    return true;
}

static bool router_place_alone(struct router *router)
{
    const struct placement_member self = {
        .uid = router->uid,
        .shards = router->node->shards,
        .weight = 1,
    };
    return router_place(router, &(struct placement_members){&self, 1, 0});
}

static bool router_start(void *actor, struct shard *shard)
{
    struct router *router = actor;
    router->shard = shard;
    router->started_ms = shard->now_ms;
    shard->stats = stats_create(COUNTERS_LEN, HISTS_LEN);
    router->outbox = outbox_create(shard);
    if (shard->stats == NULL || router->outbox == NULL || !router_place_alone(router)) {
        LOG(shard->log, LOG_ERROR, "router_start_failed", "reason=memory");
        return false;
    }
    node_set_stats(router->node, shard);
    return true;
}

static uint32_t saturated(uint64_t n)
{
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static void router_describe_node(const struct router *router, struct node_info *info)
{
    const struct node *node = router->node;
    const bool has_anonymous = node_sum(node, COUNTER_NUM_ANONYMOUS) > 0;
    memset(info, 0, sizeof(*info));
    memcpy(info->uid, node->uid, sizeof(info->uid));
    snprintf(info->name, sizeof(info->name), "%s", node->options->name);
    snprintf(info->version, sizeof(info->version), "%s", node->options->version);
    info->clients = saturated(node_sum(node, COUNTER_NUM_CLIENTS));
    info->users = saturated(node_sum(node, COUNTER_NUM_USERS) + has_anonymous);
    info->channels = saturated(node_sum(node, COUNTER_NUM_CHANNELS));
    info->subscriptions = saturated(node_sum(node, COUNTER_NUM_SUBSCRIPTIONS));
    info->uptime_s = saturated((router->shard->now_ms - router->started_ms) / 1000);
}

static void router_on_nodes_ask(struct router *router, const struct message *message)
{
    struct message_nodes answer = {.nodes = buf_create((uint32_t)sizeof(struct node_info))};
    if (answer.nodes == NULL) {
        answer.error = CLIENT_ERROR_INTERNAL;
    } else {
        router_describe_node(router, (struct node_info *)(void *)answer.nodes->bytes);
    }
    OUTBOX_SEND(router->outbox, message->from, nodes, message->handle, &answer);
}

static void router_on_message(void *actor, const struct message *message)
{
    struct router *router = actor;
    if (WARN_IF(message->type != MESSAGE_NODES_ASK)) {
        message_release(message);
        return;
    }
    router_on_nodes_ask(router, message);
}

static void router_on_event(void *actor, uint64_t token, uint32_t events)
{
    struct router *router = actor;
    (void)token;
    (void)events;
    stats_add(router->shard->stats, COUNTER_STALE_EVENTS, 1);
}

static void router_on_turn_end(void *actor)
{
    struct router *router = actor;
    outbox_on_turn_end(router->outbox);
    node_export_counters(router->shard);
}

static bool router_has_work(void *actor)
{
    const struct router *router = actor;
    return outbox_has_work(router->outbox);
}

static void router_stop(void *actor)
{
    struct router *router = actor;
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
