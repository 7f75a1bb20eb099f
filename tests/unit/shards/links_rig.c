/* SPDX-License-Identifier: Apache-2.0 */
/* The actor around links, and its bookkeeping: up and down in turn, numbers without gap or repeat.
 */
#include "tests/unit/shards/links_rig.h"

#include <stdlib.h>
#include <string.h>

enum { MESSAGE_LEN_MAX = 300 * 1024 };

struct gossip_uid links_rig_uid(uint32_t node)
{
    struct gossip_uid uid = {.bytes = {0x10, 0x20}};
    uid.bytes[15] = (uint8_t)(node + 1);
    return uid;
}

struct socket_address links_rig_address(uint32_t node)
{
    struct socket_address address;
    sim_node_address(node, LINKS_RIG_PORT, &address);
    return address;
}

static struct links_rig_peer *peer_of(struct links_rig_node *node, const struct gossip_uid *uid)
{
    const uint32_t number = uid->bytes[15] - 1u;
    BUG_IF(number >= node->rig->nodes_len);
    return &node->peers[number];
}

/* ---- the sink ---- */

static void on_up(void *owner, const struct gossip_uid *uid, uint32_t protocol)
{
    struct links_rig_node *node = owner;
    struct links_rig_peer *peer = peer_of(node, uid);
    BUG_IF(peer->is_up || !links_is_up(node->links, uid));
    peer->is_up = true;
    peer->ups++;
    peer->protocol = protocol;
    peer->sent = 0;
    peer->heard = 0;
}

static void on_down(void *owner, const struct gossip_uid *uid)
{
    struct links_rig_node *node = owner;
    struct links_rig_peer *peer = peer_of(node, uid);
    BUG_IF(!peer->is_up);
    peer->is_up = false;
    peer->downs++;
}

static void on_message(void *owner, const struct gossip_uid *uid, struct span message)
{
    struct links_rig_node *node = owner;
    struct links_rig_peer *peer = peer_of(node, uid);
    BUG_IF(!peer->is_up);
    node->last_len = message.len;
    if (message.len > 0) {
        memcpy(node->last, message.at,
               message.len < sizeof(node->last) ? message.len : sizeof(node->last));
    }
    if (node->counts) {
        uint64_t number;
        BUG_IF(message.len < sizeof(number));
        memcpy(&number, message.at, sizeof(number));
        BUG_IF(number != peer->heard);
        for (size_t i = sizeof(number); i < message.len; i++) {
            BUG_IF(message.at[i] != (uint8_t)(number + i));
        }
        peer->heard++;
        peer->heard_ever++;
    }
}

/* ---- the actor ---- */

static bool node_start(void *actor, struct shard *shard)
{
    struct links_rig_node *node = actor;
    const struct links_sink sink = {
        .owner = node,
        .up = on_up,
        .down = on_down,
        .message = on_message,
    };
    struct socket_address any;
    node->shard = shard;
    node->links = links_create(shard, &node->options, &sink);
    BUG_IF(node->links == NULL || !socket_address_parse("0.0.0.0", LINKS_RIG_PORT, &any));
    return links_listen(node->links, &any);
}

static void node_on_message(void *actor, const struct message *message)
{
    (void)actor;
    (void)message;
}

static void node_on_event(void *actor, uint64_t token, uint32_t events)
{
    struct links_rig_node *node = actor;
    BUG_IF(!links_has_token(token));
    links_on_event(node->links, token, events);
}

static void node_on_turn_end(void *actor)
{
    struct links_rig_node *node = actor;
    links_on_turn_end(node->links);
}

static bool node_has_work(void *actor)
{
    const struct links_rig_node *node = actor;
    return links_has_work(node->links);
}

static void node_stop(void *actor)
{
    struct links_rig_node *node = actor;
    links_destroy(node->links);
    node->links = NULL;
    node->shard = NULL;
}

static const struct shard_actor *node_ops(uint32_t id)
{
    static const struct shard_actor ops = {
        .start = node_start,
        .on_message = node_on_message,
        .on_event = node_on_event,
        .on_turn_end = node_on_turn_end,
        .has_work = node_has_work,
        .stop = node_stop,
    };
    (void)id;
    return &ops;
}

static void *node_create_actor(uint32_t id, void *context)
{
    (void)id;
    return context;
}

/* ---- lives ---- */

struct links_rig *links_rig_open(const struct sim_options *options, uint32_t nodes)
{
    struct links_rig *rig = calloc(1, sizeof(*rig));
    BUG_IF(rig == NULL || nodes > LINKS_RIG_NODES_MAX);
    rig->sim = sim_create(options);
    rig->nodes_len = nodes;
    BUG_IF(rig->sim == NULL);
    for (uint32_t i = 0; i < nodes; i++) {
        struct links_rig_node *node = &rig->nodes[i];
        node->rig = rig;
        node->number = i;
        node->options = links_options_default();
        node->options.cluster = LINKS_RIG_CLUSTER;
        node->options.uid = links_rig_uid(i);
        node->counts = true;
    }
    return rig;
}

struct links_rig *links_rig_new(uint32_t nodes)
{
    const struct sim_options options = {
        .seed = 1,
        .latency_us_min = 200,
        .latency_us_max = 900,
    };
    return links_rig_open(&options, nodes);
}

void links_rig_free(struct links_rig *rig)
{
    sim_destroy(rig->sim);
    free(rig);
}

void links_rig_start(struct links_rig *rig, uint32_t number)
{
    struct links_rig_node *node = &rig->nodes[number];
    const struct shard_set_options life = {
        .count = 1,
        .actor_ops = node_ops,
        .actor_create = node_create_actor,
        .context = node,
    };
    const bool is_first = node->options.incarnation == 0;
    memset(node->peers, 0, sizeof(node->peers));
    node->options.incarnation = ++rig->lives;
    if (is_first) {
        BUG_IF(sim_add_node(rig->sim, &life) != number);
    } else {
        BUG_IF(!sim_restart_node(rig->sim, number, &life));
    }
}

void links_rig_start_all(struct links_rig *rig)
{
    for (uint32_t i = 0; i < rig->nodes_len; i++) {
        links_rig_start(rig, i);
    }
}

void links_rig_kill(struct links_rig *rig, uint32_t node)
{
    sim_remove_node(rig->sim, node);
}

/* ---- doings ---- */

void links_rig_wake(struct links_rig *rig, uint32_t node)
{
    poller_wake(rig->nodes[node].shard->poller);
}

const struct links_counters *links_rig_counters(const struct links_rig *rig, uint32_t node)
{
    return links_counters(rig->nodes[node].links);
}

void links_rig_keep(struct links_rig *rig, uint32_t node, uint32_t other)
{
    const struct gossip_uid uid = links_rig_uid(other);
    const struct socket_address address = links_rig_address(other);
    links_keep(rig->nodes[node].links, &uid, &address);
    links_rig_wake(rig, node);
}

void links_rig_keep_all(struct links_rig *rig)
{
    for (uint32_t i = 0; i < rig->nodes_len; i++) {
        for (uint32_t j = 0; j < rig->nodes_len; j++) {
            if (i != j && rig->nodes[i].links != NULL) {
                links_rig_keep(rig, i, j);
            }
        }
    }
}

void links_rig_reach(struct links_rig *rig, uint32_t node, const struct socket_address *address)
{
    BUG_IF(!links_reach(rig->nodes[node].links, address));
    links_rig_wake(rig, node);
}

bool links_rig_count(struct links_rig *rig, uint32_t number, uint32_t other, size_t len)
{
    static uint8_t bytes[MESSAGE_LEN_MAX];
    struct links_rig_node *node = &rig->nodes[number];
    const struct gossip_uid uid = links_rig_uid(other);
    const uint64_t count = node->peers[other].sent;
    const size_t whole = sizeof(count) + len;
    BUG_IF(whole > sizeof(bytes));
    memcpy(bytes, &count, sizeof(count));
    for (size_t i = sizeof(count); i < whole; i++) {
        bytes[i] = (uint8_t)(count + i);
    }
    const size_t head_len = sizeof(count) + len % 7 * (len > 7);
    struct buf *payload = len % 3 == 0 ? NULL : buf_copy(bytes + head_len, whole - head_len);
    const struct span head = span_of(bytes, payload == NULL ? whole : head_len);
    const enum message_class class = len % 2 == 0 ? MESSAGE_REQUEST : MESSAGE_REPLY;
    const bool is_sent = links_send(node->links, &uid, class, head, payload);
    buf_release(payload);
    node->peers[other].sent += is_sent;
    links_rig_wake(rig, number);
    return is_sent;
}

bool links_rig_say(struct links_rig *rig, uint32_t node, uint32_t other, const char *text)
{
    const struct gossip_uid uid = links_rig_uid(other);
    links_rig_wake(rig, node);
    return links_send(rig->nodes[node].links, &uid, MESSAGE_REPLY, span_of_text(text), NULL);
}

bool links_rig_are_linked(const struct links_rig *rig, uint32_t one, uint32_t other)
{
    return rig->nodes[one].peers[other].is_up && rig->nodes[other].peers[one].is_up;
}

uint32_t links_rig_connections(const struct links_rig *rig, uint32_t node)
{
    return sim_node_connections(rig->sim, node);
}
