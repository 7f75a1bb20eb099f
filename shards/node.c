/* SPDX-License-Identifier: Apache-2.0 */
/* Which actor runs on which shard, and what all of them share. */
#include "shards/node.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/limits.h"
#include "shards/actors.h"
#include "shards/counters.h"
#include "shards/payloads.h"
#include "shards/router/router.h"

static void node_draw_uid(struct node *node, struct random *random)
{
    uint8_t id[CLIENT_ID_LEN];
    client_id_draw(random, id);
    client_id_format(id, node->uid);
    node->uid[CLIENT_ID_TEXT_LEN] = '\0';
}

struct node *node_create(const struct node_options *options, struct random *random, int64_t wall_ms)
{
    BUG_IF(options->shards == 0 || options->shards >= SHARDS_MAX);
    struct node *node = calloc(1, sizeof(*node));
    if (node == NULL) {
        return NULL;
    }
    node->options = options;
    node->shards = options->shards;
    node->started_wall_ms = wall_ms;
    node->shard_is_drained = calloc(node->shards + 1, sizeof(*node->shard_is_drained));
    node->stats = calloc(node->shards + 1, sizeof(struct stats *));
    node->places = calloc(node->shards, sizeof(struct node_places *));
    if (node->shard_is_drained == NULL || node->stats == NULL || node->places == NULL) {
        node_destroy(node);
        return NULL;
    }
    node_draw_uid(node, random);
    return node;
}

static void node_replace_keys(struct node *node, struct gossip_keyring *keyring)
{
    struct gossip_keyring *untaken = __atomic_exchange_n(&node->keyring, keyring, __ATOMIC_ACQ_REL);
    if (untaken != NULL) {
        gossip_keyring_wipe(untaken);
        free(untaken);
    }
}

void node_destroy(struct node *node)
{
    if (node == NULL) {
        return;
    }
    node_offer_seeds(node, NULL);
    node_replace_keys(node, NULL);
    node_offer_tls(node, NULL);
    for (uint32_t shard = 0; node->places != NULL && shard < node->shards; shard++) {
        free(node_take_places(node, shard));
    }
    free(node->places);
    free(node->shard_is_drained);
    free(node->stats);
    free(node);
}

/* ---- one set of functions for both kinds of actors ---- */

/* A shard set asks for an actor's functions by the shard's number alone, which does not tell the
 * last shard of one node from the third of another. So both kinds begin with theirs. */
struct node_actor {
    const struct shard_actor *ops;
};

static_assert(offsetof(struct actors, ops) == 0, "actors are node actors");

static const struct shard_actor *ops_of(const void *actor)
{
    return ((const struct node_actor *)actor)->ops;
}

static bool node_actor_start(void *actor, struct shard *shard)
{
    return ops_of(actor)->start(actor, shard);
}

static void node_actor_on_message(void *actor, const struct message *message)
{
    ops_of(actor)->on_message(actor, message);
}

static void node_actor_on_event(void *actor, uint64_t token, uint32_t events)
{
    ops_of(actor)->on_event(actor, token, events);
}

static void node_actor_on_turn_end(void *actor)
{
    ops_of(actor)->on_turn_end(actor);
}

static bool node_actor_has_work(void *actor)
{
    return ops_of(actor)->has_work(actor);
}

static void node_actor_on_silence(void *actor)
{
    if (ops_of(actor)->on_silence != NULL) {
        ops_of(actor)->on_silence(actor);
    }
}

static void node_actor_stop(void *actor)
{
    ops_of(actor)->stop(actor);
}

static const struct shard_actor *node_actor_ops(uint32_t id)
{
    static const struct shard_actor ops = {
        .start = node_actor_start,
        .on_message = node_actor_on_message,
        .on_event = node_actor_on_event,
        .on_turn_end = node_actor_on_turn_end,
        .has_work = node_actor_has_work,
        .on_silence = node_actor_on_silence,
        .stop = node_actor_stop,
    };
    (void)id;
    return &ops;
}

static void *node_actor_create(uint32_t id, void *context)
{
    struct node *node = context;
    return id == node->shards ? (void *)router_create(node) : (void *)actors_create(node);
}

struct shard_set_options node_shard_set_options(struct node *node)
{
    return (struct shard_set_options){
        .count = node->shards + 1,
        .mailbox = node->options->mailbox,
        .actor_ops = node_actor_ops,
        .actor_create = node_actor_create,
        .context = node,
    };
}

/* ---- what any thread may ask ---- */

static_assert((int)GOSSIP_UID_LEN == (int)CLIENT_ID_LEN, "a node's uid is a UUID");

struct gossip_uid node_uid(const struct node *node)
{
    struct gossip_uid uid;
    BUG_IF(!client_id_parse(span_of_text(node->uid), uid.bytes));
    return uid;
}

void node_stop_begin(struct node *node)
{
    __atomic_store_n(&node->is_stopping, 1, __ATOMIC_RELEASE);
}

bool node_is_drained(const struct node *node)
{
    for (uint32_t shard = 0; shard <= node->shards; shard++) {
        if (__atomic_load_n(&node->shard_is_drained[shard], __ATOMIC_ACQUIRE) == 0) {
            return false;
        }
    }
    return true;
}

void node_offer_seeds(struct node *node, struct node_seeds *seeds)
{
    free(__atomic_exchange_n(&node->seeds, seeds, __ATOMIC_ACQ_REL));
}

bool node_offer_keys(struct node *node, const struct gossip_keyring *keyring)
{
    struct gossip_keyring *copy = malloc(sizeof(*copy));
    if (copy == NULL) {
        return false;
    }
    *copy = *keyring;
    node_replace_keys(node, copy);
    return true;
}

void node_offer_tls(struct node *node, struct tls_context *tls)
{
    tls_context_destroy(__atomic_exchange_n(&node->tls, tls, __ATOMIC_ACQ_REL));
}

struct node_seeds *node_take_seeds(struct node *node)
{
    return __atomic_exchange_n(&node->seeds, NULL, __ATOMIC_ACQ_REL);
}

struct gossip_keyring *node_take_keys(struct node *node)
{
    return __atomic_exchange_n(&node->keyring, NULL, __ATOMIC_ACQ_REL);
}

struct tls_context *node_take_tls(struct node *node)
{
    return __atomic_exchange_n(&node->tls, NULL, __ATOMIC_ACQ_REL);
}

bool node_offer_places(struct node *node, const struct node_places *places)
{
    const size_t size = sizeof(*places) + places->len * sizeof(places->of[0]);
    for (uint32_t shard = 0; shard < node->shards; shard++) {
        struct node_places *copy = malloc(size);
        if (copy == NULL) {
            return false;
        }
        memcpy(copy, places, size);
        free(__atomic_exchange_n(&node->places[shard], copy, __ATOMIC_ACQ_REL));
    }
    return true;
}

struct node_places *node_take_places(struct node *node, uint32_t shard)
{
    return __atomic_exchange_n(&node->places[shard], NULL, __ATOMIC_ACQ_REL);
}

uint64_t node_sum(const struct node *node, uint32_t counter)
{
    uint64_t sum = 0;
    for (uint32_t shard = 0; shard <= node->shards; shard++) {
        const struct stats *stats = node_stats(node, shard);
        sum += stats == NULL ? 0 : stats_get(stats, counter);
    }
    return sum;
}

uint64_t node_sum_range(const struct node *node, uint32_t first, uint32_t last)
{
    uint64_t sum = 0;
    for (uint32_t counter = first; counter <= last; counter++) {
        sum += node_sum(node, counter);
    }
    return sum;
}

void node_set_stats(struct node *node, struct shard *shard)
{
    __atomic_store_n(&node->stats[shard->id], shard->stats, __ATOMIC_RELEASE);
}

void node_unset_stats(struct node *node, uint32_t shard)
{
    __atomic_store_n(&node->stats[shard], NULL, __ATOMIC_RELEASE);
}

void node_export_counters(struct shard *shard)
{
    const struct mailbox_counters *counters = mailbox_counters(shard->mailbox);
    stats_set(shard->stats, COUNTER_MAILBOX_SENT, counters->sent);
    stats_set(shard->stats, COUNTER_MAILBOX_REFUSED, counters->refused);
    stats_set(shard->stats, COUNTER_MAILBOX_DOORBELLS, counters->doorbells);
    stats_set(shard->stats, COUNTER_TURNS, shard->turns);
    stats_set(shard->stats, COUNTER_BUSY_NS, shard->busy_ns);
}

void node_tell_process(struct node *node, const struct node_process *process)
{
    __atomic_store_n(&node->process.cpu_ns, process->cpu_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&node->process.resident_bytes, process->resident_bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&node->process.virtual_bytes, process->virtual_bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&node->process.max_fds, process->max_fds, __ATOMIC_RELAXED);
}

bool node_process(const struct node *node, struct node_process *out)
{
    out->cpu_ns = __atomic_load_n(&node->process.cpu_ns, __ATOMIC_RELAXED);
    out->resident_bytes = __atomic_load_n(&node->process.resident_bytes, __ATOMIC_RELAXED);
    out->virtual_bytes = __atomic_load_n(&node->process.virtual_bytes, __ATOMIC_RELAXED);
    out->max_fds = __atomic_load_n(&node->process.max_fds, __ATOMIC_RELAXED);
    return out->resident_bytes != 0;
}
