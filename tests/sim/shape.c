/* SPDX-License-Identifier: Apache-2.0 */
/* Draws the shape of a world from its seed. */
#include "tests/sim/shape.h"

#include <string.h>

const char *fault_word(enum fault fault)
{
    static const char *const words[FAULTS_LEN] = {
#define FAULT_WORD(name, word) word,
        FAULT_TABLE(FAULT_WORD)
#undef FAULT_WORD
    };
    return words[fault];
}

static uint32_t below(struct random *draw, uint32_t bound)
{
    return (uint32_t)random_below(draw, bound);
}

static bool chance(struct random *draw, uint32_t percent)
{
    return below(draw, 100) < percent;
}

/* Mostly few nodes; the more there are, the shorter the world lives. */
static void draw_size(struct shape *shape, struct random *draw)
{
    const uint32_t choice = below(draw, 1000);
    if (choice < 60) {
        shape->nodes = 1;
    } else if (choice < 700) {
        shape->nodes = 3 + below(draw, 3);
    } else if (choice < 960) {
        shape->nodes = 2 + below(draw, 6);
    } else if (choice < 996) {
        shape->nodes = 8 + below(draw, 13);
    } else {
        shape->nodes = 21 + below(draw, NODES_MAX - 20);
    }
    const uint32_t late = shape->nodes < 3 ? 0 : below(draw, shape->nodes - 2);
    shape->nodes_first = shape->nodes - (chance(draw, 30) ? late : 0);
    shape->clients = 6 + below(draw, 14) + (shape->nodes > 7 ? 12 : 0);
    shape->users = chance(draw, 80) ? 1 + below(draw, shape->clients) : 0;
    shape->channels = 1 + below(draw, PLAIN_CHANNELS_MAX);
    shape->steps = shape->nodes > 20 ? 100 : shape->nodes > 7 ? 250 : 300 + below(draw, 500);
    shape->step_ms_max = 4 + below(draw, 40);
    shape->actions_max = 2 + below(draw, 8);
    shape->burst_percent = chance(draw, 30) ? 1 + below(draw, 3) : 0;
    shape->padding_max = chance(draw, 50) ? 16 : 1 + below(draw, 1024);
}

static void draw_faults(struct shape *shape, struct random *draw)
{
    for (uint32_t fault = 0; fault < FAULTS_LEN; fault++) {
        shape->weights[fault] = chance(draw, 50) ? 1 + below(draw, 20) : 0;
    }
    shape->weights[FAULT_LONG_PAUSE] /= 8;
    shape->weights[FAULT_HEAL] += 4;
    /* Who is gone comes back, or little is left to look at. */
    shape->weights[FAULT_START] += shape->weights[FAULT_CRASH] + shape->weights[FAULT_STOP];
    shape->steps_a_fault = 4 + below(draw, 60);
}

static void draw_weather(struct shape *shape, struct random *draw, uint64_t seed)
{
    shape->weather = (struct sim_options){
        .seed = seed,
        .latency_us_min = below(draw, 500),
        .latency_us_max = 500 + below(draw, chance(draw, 20) ? 30000 : 3000),
        .split_percent = chance(draw, 60) ? below(draw, 60) : 0,
        .step_skip_percent = chance(draw, 60) ? below(draw, 60) : 0,
        .socket_buffer_bytes = chance(draw, 50) ? 0 : 8 * 1024 + below(draw, 65536),
        .datagram_lost_percent = chance(draw, 50) ? below(draw, 25) : 0,
        .datagram_twice_percent = chance(draw, 50) ? below(draw, 25) : 0,
        .datagram_late_percent = chance(draw, 50) ? below(draw, 40) : 0,
        .datagram_late_us = below(draw, 2000000),
    };
}

/* Histories that are now long enough for whoever comes back, and now not. */
static void draw_channels(struct shape *shape, struct random *draw)
{
    struct node_options *node = &shape->node;
    node->without_namespace.presence = chance(draw, 60);
    node->without_namespace.join_leave = chance(draw, 40);
    node->without_namespace.force_push_join_leave = node->without_namespace.join_leave;
    shape->kept = node->without_namespace;
    shape->kept.name = "r";
    shape->kept.history_size = 1 + below(draw, 40);
    shape->kept.history_ttl_ms = (1 + below(draw, chance(draw, 50) ? 10 : 60)) * 1000ull;
    shape->kept.force_recovery = true;
    node->channel_history_meta_ttl_ms = 10 * 1000;
    node->client.recovery_max_publication_limit = chance(draw, 50) ? below(draw, 60) : 0;
    if (chance(draw, 20)) {
        node->history_memory_limit = 1 + below(draw, 200 * 1024);
    }
    shape->namespaces[1] = node->without_namespace;
    shape->namespaces[1].name = "m";
    shape->namespaces[1].subscription_type = CLIENT_SUBSCRIPTION_MAP;
    shape->namespaces[1].map.mode = MAP_PERSISTENT;
    shape->namespaces[1].map.stream_size = shape->kept.history_size;
    map_options_complete(&shape->namespaces[1].map);
    node->namespaces = shape->namespaces;
    node->namespaces_len = 2;
}

static void draw_limits(struct shape *shape, struct random *draw)
{
    struct node_options *node = &shape->node;
    if (chance(draw, 30)) {
        node->mailbox.ring_depth = 4u << below(draw, 3);
    }
    if (chance(draw, 30)) {
        node->mailbox.staged_requests_max = 8 + below(draw, 64);
        node->mailbox.staged_max = 4 * node->mailbox.staged_requests_max;
    }
    if (chance(draw, 30)) {
        node->cluster.link_queue_bytes = (64 + below(draw, 1024)) * 1024;
    }
    node->client.queue_max_size = chance(draw, 30) ? 16 * 1024 + below(draw, 65536) : 1 << 20;
    node->client.ping_interval_ms = 2000 + below(draw, 20000);
    node->client.pong_timeout_ms = 1000;
    node->client.user_connection_limit = chance(draw, 30) ? 1000 : 0;
}

static void draw_wildcards(struct shape *shape, struct random *draw)
{
    struct channel_options *const channels[] = {&shape->kept, &shape->node.without_namespace};
    shape->has_wildcards = chance(draw, 40);
    for (uint32_t i = 0; shape->has_wildcards && i < 2; i++) {
        channels[i]->wildcard_max_depth = 1;
        channel_options_of_wildcard(channels[i], &shape->wildcards[i]);
        channels[i]->wildcard = &shape->wildcards[i];
    }
}

/* Homes tell of channels, and keep those that were vacated a while; what they tell is lost. */
static void add_webhooks(struct shape *shape)
{
    struct node_options *node = &shape->node;
    shape->nobody = (struct endpoint_options){.url = "http://nobody/",
                                              .host = "nobody",
                                              .authority = "nobody",
                                              .target = "/"};
    sim_node_address(UINT16_MAX, 80, &shape->nobody.address);
    shape->told = (struct proxy_options){.name = "nobody", .timeout_ms = 500};
    node->endpoints = &shape->nobody;
    node->endpoints_len = 1;
    node->webhooks.clients = &shape->told;
    node->webhooks.vacated_delay_ms = 500;
    node->webhooks.queue_max_events = 1000;
    node->webhooks.flush_timeout_ms = 100;
    node->without_namespace.state_proxy = &shape->told;
    shape->kept.state_proxy = &shape->told;
}

void shape_draw(struct shape *shape, uint64_t seed)
{
    struct random draw;
    random_init_seeded(&draw, seed);
    memset(shape, 0, sizeof(*shape));
    node_options_init(&shape->node);
    draw_size(shape, &draw);
    draw_faults(shape, &draw);
    draw_weather(shape, &draw, seed);
    draw_channels(shape, &draw);
    draw_limits(shape, &draw);
    shape->node.name = "node";
    shape->node.version = "0";
    shape->node.shutdown_timeout_ms = 1000;
    shape->node.client.insecure = true;
    shape->node.client.insecure_skip_token_signature_verify = true;
    shape->node.client.token.hmac_secret_key = "k";
    shape->node.http_api.insecure = true;
    shape->node.cluster.enabled = shape->nodes > 1 || chance(&draw, 50);
    if (seed % 2 == 1) {
        add_webhooks(shape);
    }
    draw_wildcards(shape, &draw);
    shape->has_repeats = seed % 3 == 0;
    shape->namespaces[0] = shape->kept;
}
