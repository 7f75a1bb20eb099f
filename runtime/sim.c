/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated world: nodes come and go, time passes, shards are stepped in a chance order. */
#include "runtime/sim.h"

#include <stdlib.h>

#include "runtime/buf.h"
#include "runtime/outq.h"
#include "runtime/sim_world.h"

enum {
    STEP_SKIP_PERCENT_MAX = 90,
    /* Rounds at one instant, before it is said that an actor never comes to rest. */
    ROUNDS_MAX = 1000000,
    /* Turns of a removed node's shards for the messages under way. */
    LAST_ROUNDS_MAX = 10000,
};

/* Neither clock begins at a number that is special. */
#define SIM_START_NS (3600 * CLOCK_NS_A_S)
#define SIM_START_WALL_MS 1767225600000

struct sim *sim_create(const struct sim_options *options)
{
    BUG_IF(options->step_skip_percent > STEP_SKIP_PERCENT_MAX);
    struct sim *sim = calloc(1, sizeof(*sim));
    if (sim == NULL) {
        return NULL;
    }
    random_init_seeded(&sim->random, options->seed);
    sim_network_init(&sim->network, options, &sim->random);
    sim->network.now_ns = SIM_START_NS;
    return sim;
}

void sim_destroy(struct sim *sim)
{
    if (sim == NULL) {
        return;
    }
    for (uint32_t node = 0; node < sim->nodes_len; node++) {
        sim_remove_node(sim, node);
    }
    sim_network_clear(&sim->network);
    free(sim->order);
    free(sim->nodes);
    free(sim);
    outq_free_kept();
    frame_free_kept();
}

static struct clock_reading sim_clock(const struct sim *sim, const struct sim_node *node)
{
    const uint64_t now_ns = sim->network.now_ns;
    return (struct clock_reading){
        .monotonic_ns = now_ns,
        .wall_ms = SIM_START_WALL_MS + (int64_t)(now_ns / CLOCK_NS_A_MS) + node->wall_ahead_ms,
    };
}

uint64_t sim_now_ms(const struct sim *sim)
{
    return sim->network.now_ns / CLOCK_NS_A_MS;
}

struct random *sim_random(struct sim *sim)
{
    return &sim->random;
}

uint64_t sim_digest(const struct sim *sim)
{
    return sim->network.digest;
}

struct shard *sim_shard(struct sim *sim, uint32_t node, uint32_t shard)
{
    BUG_IF(node >= sim->nodes_len || shard >= sim->nodes[node].count);
    return sim->nodes[node].shards == NULL ? NULL : sim->nodes[node].shards[shard].shard;
}

/* ---- nodes ---- */

static void write_log(const struct sim *sim, struct shard *shard)
{
    if (sim->network.options.writes_logs) {
        log_write_out(shard->log);
    } else {
        log_discard(shard->log);
    }
}

static void node_stop_actors(struct sim *sim, struct sim_node *node)
{
    for (uint32_t i = 0; i < node->count; i++) {
        struct sim_shard *at = &node->shards[i];
        if (at->actor != NULL) {
            at->ops->stop(at->actor);
            at->actor = NULL;
        }
        if (at->shard != NULL) {
            write_log(sim, at->shard);
        }
    }
}

static void node_free(struct sim_node *node)
{
    for (uint32_t i = 0; i < node->count; i++) {
        shard_destroy(node->shards[i].shard);
    }
    mailbox_matrix_destroy(node->matrix);
    free(node->shards);
    node->shards = NULL;
}

/* All actors are made before any starts, as shard_set_start does it. */
static bool node_create_actors(struct sim_node *node, const struct shard_set_options *options)
{
    for (uint32_t i = 0; i < node->count; i++) {
        node->shards[i].ops = options->actor_ops(i);
        node->shards[i].actor = options->actor_create(i, options->context);
        if (node->shards[i].actor == NULL) {
            return false;
        }
    }
    return true;
}

static void node_create_shards(struct sim *sim, struct sim_node *node, uint32_t number)
{
    for (uint32_t i = 0; i < node->count; i++) {
        struct poller *poller = sim_poller_create(&sim->network, number, i);
        BUG_IF(poller == NULL);
        struct mailbox *mailbox = mailbox_of(node->matrix, i);
        mailbox_set_poller(mailbox, poller);
        node->shards[i].node = number;
        node->shards[i].shard = shard_create(i, node->count, poller, mailbox);
        BUG_IF(node->shards[i].shard == NULL);
        random_init_seeded(&node->shards[i].shard->random, random_next(&sim->random));
    }
}

static bool node_start(struct sim *sim, struct sim_node *node)
{
    for (uint32_t i = 0; i < node->count; i++) {
        struct sim_shard *at = &node->shards[i];
        if (!shard_start(at->shard, at->ops, at->actor, sim_clock(sim, node))) {
            return false;
        }
    }
    return true;
}

/* A life at a place where none is. */
static bool node_live(struct sim *sim, uint32_t number, const struct shard_set_options *options)
{
    BUG_IF(options->count == 0 || options->count > SHARDS_MAX);
    const size_t order_room = sim->order_room + options->count;
    sim->order = realloc(sim->order, order_room * sizeof(struct sim_shard *));
    BUG_IF(sim->order == NULL);
    sim->order_room = order_room;

    struct sim_node *node = &sim->nodes[number];
    *node = (struct sim_node){.count = options->count};
    node->matrix = mailbox_matrix_create(options->count);
    node->shards = calloc(options->count, sizeof(*node->shards));
    BUG_IF(node->matrix == NULL || node->shards == NULL);
    mailbox_matrix_limit(node->matrix, &options->mailbox);

    if (!node_create_actors(node, options)) {
        node_stop_actors(sim, node);
        node_free(node);
        return false;
    }
    node_create_shards(sim, node, number);
    if (!node_start(sim, node)) {
        node_stop_actors(sim, node);
        node_free(node);
        return false;
    }
    return true;
}

uint32_t sim_add_node(struct sim *sim, const struct shard_set_options *options)
{
    const uint32_t number = sim->nodes_len++;
    sim->nodes = realloc(sim->nodes, sim->nodes_len * sizeof(*sim->nodes));
    BUG_IF(sim->nodes == NULL);
    return node_live(sim, number, options) ? number : SIM_NODE_NONE;
}

bool sim_restart_node(struct sim *sim, uint32_t number, const struct shard_set_options *options)
{
    BUG_IF(number >= sim->nodes_len || sim->nodes[number].shards != NULL);
    return node_live(sim, number, options);
}

void sim_node_address(uint32_t node, uint16_t port, struct socket_address *out)
{
    *out = (struct socket_address){
        .family = 4,
        .bytes = {10, 1, (uint8_t)(node >> 8), (uint8_t)node},
        .port = port,
    };
}

/* Messages may own memory: they are handled before their actors go. */
static void node_settle(struct sim *sim, struct sim_node *node)
{
    bool any = true;
    for (uint32_t round = 0; any && round < LAST_ROUNDS_MAX; round++) {
        any = false;
        for (uint32_t i = 0; i < node->count; i++) {
            struct shard *shard = node->shards[i].shard;
            if (mailbox_has_work(shard->mailbox)) {
                shard_settle(shard, sim_clock(sim, node));
                any = true;
            }
        }
    }
}

void sim_remove_node(struct sim *sim, uint32_t number)
{
    BUG_IF(number >= sim->nodes_len);
    struct sim_node *node = &sim->nodes[number];
    if (node->shards == NULL) {
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        sim_poller_break(node->shards[i].shard->poller);
    }
    node_settle(sim, node);
    node_stop_actors(sim, node);
    node_free(node);
}

/* ---- time ---- */

static bool is_paused(const struct sim *sim, const struct sim_node *node)
{
    return node->paused_until_ms > sim_now_ms(sim);
}

static bool is_runnable(const struct sim *sim, const struct sim_shard *at)
{
    if (at->busy_until_ms > sim_now_ms(sim)) {
        return false;
    }
    return at->next_ms <= sim_now_ms(sim) || mailbox_has_work(at->shard->mailbox) ||
           sim_poller_has_events(at->shard->poller);
}

static size_t collect_runnable(struct sim *sim)
{
    size_t count = 0;
    for (uint32_t n = 0; n < sim->nodes_len; n++) {
        struct sim_node *node = &sim->nodes[n];
        if (node->shards == NULL || is_paused(sim, node)) {
            continue;
        }
        for (uint32_t i = 0; i < node->count; i++) {
            if (is_runnable(sim, &node->shards[i])) {
                /* Each at a place by chance among those before it. */
                const size_t place = (size_t)random_below(&sim->random, count + 1);
                sim->order[count++] = sim->order[place];
                sim->order[place] = &node->shards[i];
            }
        }
    }
    return count;
}

static void step(struct sim *sim, struct sim_shard *at)
{
    const struct sim_node *node = &sim->nodes[at->node];
    at->next_ms = shard_step(at->shard, sim_clock(sim, node));
    if (node->slow_until_ms > sim_now_ms(sim)) {
        at->busy_until_ms = sim_now_ms(sim) + node->turn_ms;
        sim->network.faults[SIM_FAULT_SLOW]++;
    }
    sim_network_note(&sim->network, at->next_ms ^ (uint64_t)at->shard->id << 56);
    write_log(sim, at->shard);
}

bool sim_settle(struct sim *sim)
{
    struct sim_network *network = &sim->network;
    bool any = false;
    for (uint32_t round = 0;; round++) {
        BUG_IF(round == ROUNDS_MAX);
        any |= sim_network_deliver(network);
        const size_t count = collect_runnable(sim);
        if (count == 0) {
            return any;
        }
        for (size_t i = 0; i < count; i++) {
            if (!sim_network_chance(network, network->options.step_skip_percent)) {
                step(sim, sim->order[i]);
            }
        }
        any = true;
    }
}

/* When the shard may have something to do. */
static uint64_t shard_next_ms(const struct sim *sim, const struct sim_node *node,
                              const struct sim_shard *at)
{
    if (is_paused(sim, node)) {
        return node->paused_until_ms;
    }
    return at->busy_until_ms > sim_now_ms(sim) ? at->busy_until_ms : at->next_ms;
}

/* When something happens next: on the network, or to a shard that waits for its time. */
static uint64_t next_ns(const struct sim *sim)
{
    uint64_t next = sim_events_next_ns(&sim->network.events);
    for (uint32_t n = 0; n < sim->nodes_len; n++) {
        const struct sim_node *node = &sim->nodes[n];
        for (uint32_t i = 0; node->shards != NULL && i < node->count; i++) {
            const uint64_t ms = shard_next_ms(sim, node, &node->shards[i]);
            if (ms < UINT64_MAX / CLOCK_NS_A_MS && ms * CLOCK_NS_A_MS < next) {
                next = ms * CLOCK_NS_A_MS;
            }
        }
    }
    return next;
}

void sim_advance_ms(struct sim *sim, uint64_t ms)
{
    const uint64_t end_ns = sim->network.now_ns + ms * CLOCK_NS_A_MS;
    sim_settle(sim);
    for (uint64_t next = next_ns(sim); next <= end_ns; next = next_ns(sim)) {
        sim->network.now_ns = next;
        sim_settle(sim);
    }
    sim->network.now_ns = end_ns;
    sim_settle(sim);
}

uint64_t sim_quiet_ms(const struct sim *sim, uint64_t ms_max)
{
    const uint64_t now_ns = sim->network.now_ns;
    const uint64_t next = next_ns(sim);
    const uint64_t ms = next > now_ns ? (next - now_ns + CLOCK_NS_A_MS - 1) / CLOCK_NS_A_MS : 1;
    return ms < ms_max ? ms : ms_max;
}

/* ---- what goes wrong ---- */

static uint64_t until_ns(const struct sim *sim, uint64_t for_ms)
{
    return for_ms == SIM_FOR_EVER ? UINT64_MAX : sim->network.now_ns + for_ms * CLOCK_NS_A_MS;
}

void sim_cut(struct sim *sim, uint32_t from, uint32_t to, uint64_t for_ms)
{
    BUG_IF(from >= sim->nodes_len || to >= sim->nodes_len);
    sim_network_path(&sim->network, from, to)->cut_until_ns = until_ns(sim, for_ms);
}

void sim_clog(struct sim *sim, uint32_t from, uint32_t to, uint64_t for_ms)
{
    BUG_IF(from >= sim->nodes_len || to >= sim->nodes_len);
    sim_network_path(&sim->network, from, to)->clogged_until_ns = until_ns(sim, for_ms);
}

void sim_heal(struct sim *sim)
{
    sim_network_heal(&sim->network);
}

void sim_pause_node(struct sim *sim, uint32_t node, uint64_t for_ms)
{
    BUG_IF(node >= sim->nodes_len || for_ms == SIM_FOR_EVER);
    sim->nodes[node].paused_until_ms = sim_now_ms(sim) + for_ms;
}

void sim_slow_node(struct sim *sim, uint32_t node, uint64_t turn_ms, uint64_t for_ms)
{
    BUG_IF(node >= sim->nodes_len || for_ms == SIM_FOR_EVER);
    sim->nodes[node].turn_ms = turn_ms;
    sim->nodes[node].slow_until_ms = sim_now_ms(sim) + for_ms;
}

void sim_change(struct sim *sim, const struct sim_options *options)
{
    BUG_IF(options->step_skip_percent > STEP_SKIP_PERCENT_MAX);
    const uint32_t buffer_bytes = sim->network.options.socket_buffer_bytes;
    sim->network.options = *options;
    sim->network.options.socket_buffer_bytes = buffer_bytes;
}

void sim_jump_wall_clock(struct sim *sim, uint32_t node, int64_t by_ms)
{
    BUG_IF(node >= sim->nodes_len);
    sim->nodes[node].wall_ahead_ms += by_ms;
}

uint64_t sim_faults(const struct sim *sim, enum sim_fault fault)
{
    return sim->network.faults[fault];
}
