/* SPDX-License-Identifier: Apache-2.0 */
/* A serving shard: whatever arrives is for its edge, its homes or its directory. */
#include "shards/actors.h"

#include <stdlib.h>

#include "shards/channel/homes.h"
#include "shards/edge/edge.h"
#include "shards/edge/backends/webhooks.h"
#include "shards/router/directory.h"
#include "shards/router/placement.h"

struct actors *actors_create(struct node *node)
{
    struct actors *actors = calloc(1, sizeof(*actors));
    if (actors != NULL) {
        actors->ops = actors_ops();
        actors->node = node;
        actors->options = node->options;
    }
    return actors;
}

uint32_t actors_home_of(const struct actors *actors, struct span name)
{
    const struct placement *placement = actors->placement;
    const struct placement_home home = placement_home_of(placement, placement_slot_of(name));
    return home.node == placement->self ? home.shard : actors->node->shards;
}

static bool actors_start(void *actor, struct shard *shard)
{
    struct actors *actors = actor;
    actors->shard = shard;
    shard->stats = stats_create(COUNTERS_LEN, HISTS_LEN);
    actors->outbox = outbox_create(shard);
    actors->homes = homes_create(actors, CHANNELS_A_SHARD_MAX);
    actors->directory = directory_create(actors, USERS_A_SHARD_MAX);
    if (shard->stats != NULL) {
        actors->edge = edge_create(actors);
    }
    const bool has_webhooks = webhooks_are_configured(actors->options);
    if (has_webhooks && actors->edge != NULL) {
        actors->webhooks = webhooks_create(actors);
    }
    if (actors->outbox == NULL || actors->homes == NULL || actors->directory == NULL ||
        actors->edge == NULL || (has_webhooks && actors->webhooks == NULL)) {
        LOG(shard->log, LOG_ERROR, "shard_start_failed", "reason=memory");
        return false;
    }
    node_set_stats(actors->node, shard);
    return true;
}

/* The edge opens to clients with the first placement: before, it would not know any home. */
static void actors_on_placement(struct actors *actors, const struct message *message)
{
    const struct placement *before = actors->placement;
    struct buf *buf_before = actors->placement_buf;
    actors->placement_buf = message_as_placement(message).placement;
    actors->placement = placement_of(actors->placement_buf);
    homes_on_placement(actors->homes, before);
    if (actors->webhooks != NULL) {
        webhooks_on_placement(actors->webhooks, before, actors->placement);
    }
    buf_release(buf_before);
    if (before != NULL) {
        directory_on_placement(actors->directory);
        edge_on_placement(actors->edge);
        return;
    }
    if (edge_start(actors->edge)) {
        __atomic_fetch_add(&actors->node->shards_listening, 1, __ATOMIC_RELEASE);
    } else {
        __atomic_store_n(&actors->node->has_failed, 1, __ATOMIC_RELEASE);
    }
}

/* What homes, directories and other shards say to an edge. */
static void actors_on_edge_message(struct actors *actors, const struct message *message)
{
    switch ((enum message_type)message->type) {
    case MESSAGE_SUBSCRIBED:
    case MESSAGE_PUBLISHED:
    case MESSAGE_PUBLICATION:
    case MESSAGE_MOVED:
    case MESSAGE_PRESENCE:
    case MESSAGE_HISTORY:
    case MESSAGE_MAP_PAGE:
    case MESSAGE_USER_ADDED:
    case MESSAGE_USER_TAKEN:
    case MESSAGE_SESSION_COMMAND:
    case MESSAGE_EMULATE:
    case MESSAGE_EMULATED:
    case MESSAGE_NODES:
    case MESSAGE_USERS_WANTED:
    case MESSAGE_REVOKED:
    case MESSAGE_REVOCATIONS:
        edge_on_message(actors->edge, message);
        break;
    case MESSAGE_POLL_TRACK:
    case MESSAGE_POLL_UNTRACK:
    case MESSAGE_POLL_UPDATE:
    case MESSAGE_POLL_EPOCH:
        edge_on_poll_message(actors->edge, message);
        break;
    default:
        (void)WARN_IF(true); /* Not for a serving shard. */
        message_release(message);
        break;
    }
}

static void actors_on_message(void *actor, const struct message *message)
{
    struct actors *actors = actor;
    switch ((enum message_type)message->type) {
    case MESSAGE_SUBSCRIBE:
    case MESSAGE_UNSUBSCRIBE:
    case MESSAGE_PUBLISH:
    case MESSAGE_PRESENCE_ASK:
    case MESSAGE_HISTORY_ASK:
    case MESSAGE_MAP_ASK:
    case MESSAGE_PASS_ON:
    case MESSAGE_PASSED_ON:
    case MESSAGE_CHANNEL_MOVE:
    case MESSAGE_CHANNEL_TAKEN:
    case MESSAGE_SLOTS_READY:
    case MESSAGE_SLOTS_MISSED:
    case MESSAGE_SLOTS_NOTED:
        homes_on_message(actors->homes, message);
        break;
    case MESSAGE_USER_ADD:
        directory_on_user_add(actors->directory, message);
        break;
    case MESSAGE_USER_REMOVE:
        directory_on_user_remove(actors->directory, message);
        break;
    case MESSAGE_USER_SET:
        directory_on_user_set(actors->directory, message);
        break;
    case MESSAGE_ORIGIN_GONE:
        homes_on_origin_gone(actors->homes, message);
        directory_on_origin_gone(actors->directory, message);
        break;
    case MESSAGE_USER_TAKE:
        directory_on_user_take(actors->directory, message);
        break;
    case MESSAGE_USER_COMMAND:
        directory_on_user_command(actors->directory, message);
        break;
    case MESSAGE_PLACEMENT:
        actors_on_placement(actors, message);
        break;
    case MESSAGE_SURVEY:
    case MESSAGE_SURVEY_RESULT:
        if (survey_is_of_wildcards(message)) {
            homes_on_message(actors->homes, message);
        } else {
            edge_on_message(actors->edge, message);
        }
        break;
    default:
        actors_on_edge_message(actors, message);
        break;
    }
}

static void actors_on_event(void *actor, uint64_t token, uint32_t events)
{
    struct actors *actors = actor;
    edge_on_event(actors->edge, token, events);
}

static void actors_on_turn_end(void *actor)
{
    struct actors *actors = actor;
    edge_on_turn_end(actors->edge);
    homes_on_turn_end(actors->homes);
    directory_on_turn_end(actors->directory);
    outbox_on_turn_end(actors->outbox);
    node_export_counters(actors->shard);
}

static bool actors_has_work(void *actor)
{
    const struct actors *actors = actor;
    return edge_has_work(actors->edge) || outbox_has_work(actors->outbox) ||
           homes_has_work(actors->homes) || directory_has_work(actors->directory);
}

static void actors_on_silence(void *actor)
{
    struct actors *actors = actor;
    edge_trim(actors->edge);
    homes_trim(actors->homes);
    directory_trim(actors->directory);
}

static void actors_stop(void *actor)
{
    struct actors *actors = actor;
    if (actors->shard != NULL) {
        node_unset_stats(actors->node, actors->shard->id);
    }
    if (actors->edge != NULL) {
        edge_destroy(actors->edge);
    }
    webhooks_destroy(actors->webhooks);
    homes_destroy(actors->homes);
    directory_destroy(actors->directory);
    outbox_destroy(actors->outbox);
    buf_release(actors->placement_buf);
    free(actors);
}

const struct shard_actor *actors_ops(void)
{
    static const struct shard_actor ops = {
        .start = actors_start,
        .on_message = actors_on_message,
        .on_event = actors_on_event,
        .on_turn_end = actors_on_turn_end,
        .has_work = actors_has_work,
        .on_silence = actors_on_silence,
        .stop = actors_stop,
    };
    return &ops;
}
