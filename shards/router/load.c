/* SPDX-License-Identifier: Apache-2.0 */
/* Sums up the shards of this node, and writes out what other nodes said of themselves. */
#include "shards/router/load.h"

#include <stdio.h>
#include <string.h>

#include "shards/counters.h"
#include "shards/payloads.h"

static uint32_t saturated(uint64_t n)
{
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

void load_init(struct load *load, const struct node *node, const struct shard *shard)
{
    load->node = node;
    load->shard = shard;
    load->started_ms = shard->now_ms;
    load->looked_ms = shard->now_ms;
}

static uint64_t messages_of(const struct node *node)
{
    return node_sum_range(node, COUNTER_TRANSPORT_SENT, COUNTER_TRANSPORT_SENT_LAST) +
           node_sum_range(node, COUNTER_TRANSPORT_RECEIVED, COUNTER_TRANSPORT_RECEIVED_LAST);
}

/* An event waits for about one turn of its shard: the mean of those since the last look. */
static uint32_t loop_lag_of(struct load *load, uint32_t shard)
{
    const struct stats *stats = node_stats(load->node, shard);
    if (stats == NULL) {
        return 0;
    }
    const uint64_t turns = stats_get(stats, COUNTER_TURNS);
    const uint64_t busy_ns = stats_get(stats, COUNTER_BUSY_NS);
    const uint64_t turns_since = turns - load->turns[shard];
    const uint64_t busy_since = busy_ns - load->busy_ns[shard];
    load->turns[shard] = turns;
    load->busy_ns[shard] = busy_ns;
    return turns_since == 0 ? 0 : saturated(busy_since / turns_since / 1000);
}

void load_look(struct load *load)
{
    const uint64_t messages = messages_of(load->node);
    const uint64_t passed_ms = load->shard->now_ms - load->looked_ms;
    if (passed_ms == 0) {
        return;
    }
    load->messages_a_second = saturated((messages - load->messages) * 1000 / passed_ms);
    load->messages = messages;
    load->looked_ms = load->shard->now_ms;
    load->loop_lag_us = 0;
    for (uint32_t shard = 0; shard < load->node->shards; shard++) {
        const uint32_t lag_us = loop_lag_of(load, shard);
        load->loop_lag_us = lag_us > load->loop_lag_us ? lag_us : load->loop_lag_us;
    }
}

struct gossip_load load_now(const struct load *load)
{
    const struct node *node = load->node;
    const bool has_anonymous = node_sum(node, COUNTER_NUM_ANONYMOUS) > 0;
    struct node_process process;
    (void)node_process(node, &process);
    return (struct gossip_load){
        .memory_bytes = process.resident_bytes,
        .connections = saturated(node_sum(node, COUNTER_NUM_CONNECTIONS)),
        .sessions = saturated(node_sum(node, COUNTER_NUM_CLIENTS)),
        .messages_a_second = load->messages_a_second,
        .loop_lag_us = load->loop_lag_us,
        .handshake_backlog = saturated(node_sum(node, COUNTER_NUM_UNAUTHENTICATED)),
        .users = saturated(node_sum(node, COUNTER_NUM_USERS) + has_anonymous),
        .channels = saturated(node_sum(node, COUNTER_NUM_CHANNELS)),
        .subscriptions = saturated(node_sum(node, COUNTER_NUM_SUBSCRIPTIONS)),
        .uptime_s = saturated((load->shard->now_ms - load->started_ms) / 1000),
    };
}

/* ---- the list of nodes ---- */

static void take_load(struct node_info *info, const struct gossip_load *load)
{
    info->clients = load->sessions;
    info->users = load->users;
    info->channels = load->channels;
    info->subscriptions = load->subscriptions;
    info->uptime_s = load->uptime_s;
}

static void describe_self(const struct load *load, struct node_info *info)
{
    const struct node *node = load->node;
    const struct gossip_load now = load_now(load);
    memcpy(info->uid, node->uid, sizeof(info->uid));
    snprintf(info->name, sizeof(info->name), "%s", node->options->name);
    snprintf(info->version, sizeof(info->version), "%s", node->options->version);
    snprintf(info->client_address, sizeof(info->client_address), "%s",
             node->options->cluster.client_address);
    take_load(info, &now);
}

static void take_text(char *out, size_t size, struct span text)
{
    const size_t len = text.len < size ? text.len : size - 1;
    memcpy(out, text.at, len);
    out[len] = '\0';
}

/* What it said was decoded when it came, so it can be decoded. */
static void describe_other(const struct membership_member *member, struct node_info *info)
{
    uint8_t room[GOSSIP_PART_SCRATCH_LEN];
    struct scratch scratch = scratch_of(room, sizeof(room));
    struct gossip_details details;
    client_id_format(member->uid.bytes, info->uid);
    if (gossip_details_decode(member->details, &scratch, &details) == GOSSIP_OK) {
        take_text(info->name, sizeof(info->name), details.name);
        take_text(info->version, sizeof(info->version), details.version);
        take_text(info->client_address, sizeof(info->client_address), details.client_address);
    }
    take_load(info, &member->load);
}

struct buf *load_nodes(const struct load *load, const struct membership *membership)
{
    const uint32_t others = membership == NULL ? 0 : membership_count(membership);
    struct buf *buf = buf_create((uint32_t)((others + 1) * sizeof(struct node_info)));
    if (buf == NULL) {
        return NULL;
    }
    memset(buf->bytes, 0, buf->len);
    struct node_info *info = (struct node_info *)(void *)buf->bytes;
    describe_self(load, info++);
    for (uint32_t i = 0; i < others; i++) {
        const struct membership_member *member = membership_at(membership, i);
        if (member->status < GOSSIP_DEAD) {
            describe_other(member, info++);
        }
    }
    buf->len = (uint32_t)((uint8_t *)info - buf->bytes);
    return buf;
}
