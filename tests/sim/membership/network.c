/* SPDX-License-Identifier: Apache-2.0 */
/* The events of the small network, in the order of their times, and what the faults make of them.
 */
#include "tests/sim/membership/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/map.h"

enum event_kind { EVENT_TICK, EVENT_PACKET, EVENT_EXCHANGE };

struct event {
    uint64_t at_ms;
    uint64_t order;
    enum event_kind kind;
    uint32_t node;
    uint32_t peer;
    struct packet *packet;
};

static void *must(void *pointer)
{
    if (pointer == NULL) {
        (void)fputs("out of memory\n", stderr);
        exit(1);
    }
    return pointer;
}

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void push(struct network *network, struct event event)
{
    if (network->heap_len == network->heap_size) {
        network->heap_size = network->heap_size == 0 ? 1024 : 2 * network->heap_size;
        network->heap = must(realloc(network->heap, network->heap_size * sizeof(struct event)));
    }
    event.order = network->event_count++;
    uint32_t at = network->heap_len++;
    while (at > 0 && is_before(&event, &network->heap[(at - 1) / 2])) {
        network->heap[at] = network->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    network->heap[at] = event;
}

static struct event pop(struct network *network)
{
    const struct event first = network->heap[0];
    const struct event last = network->heap[--network->heap_len];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= network->heap_len) {
            break;
        }
        if (child + 1 < network->heap_len &&
            is_before(&network->heap[child + 1], &network->heap[child])) {
            child++;
        }
        if (!is_before(&network->heap[child], &last)) {
            break;
        }
        network->heap[at] = network->heap[child];
        at = child;
    }
    network->heap[at] = last;
    return first;
}

static struct gossip_address address_of(uint32_t index)
{
    return (struct gossip_address){.ip = {10, 0, (uint8_t)(index >> 8), (uint8_t)index},
                                   .port = 7946,
                                   .ip_len = 4};
}

static uint32_t index_of(const struct gossip_address *address)
{
    return (uint32_t)address->ip[2] << 8 | address->ip[3];
}

bool network_is_up(const struct network *network, uint32_t index)
{
    return network->nodes[index].membership != NULL && !network->nodes[index].has_left;
}

static bool is_cut(const struct network *network, uint32_t from, uint32_t to)
{
    return network->cut[network->side[from]][network->side[to]];
}

static bool happens(struct network *network, uint32_t per_mille)
{
    return per_mille > 0 && random_below(&network->random, 1000) < per_mille;
}

static void mix(struct network *network, uint64_t value)
{
    network->digest = (network->digest ^ value) * 0x100000001b3ull;
    network->digest ^= network->digest >> 29;
}

static void transmit(struct network *network, uint32_t from, uint32_t to, struct span payload)
{
    const struct faults *faults = &network->faults;
    if (is_cut(network, from, to) || happens(network, faults->loss)) {
        network->tally.lost++;
        return;
    }
    struct packet *packet = must(malloc(sizeof(*packet) + payload.len));
    *packet = (struct packet){.from = from, .len = (uint32_t)payload.len};
    memcpy(packet->bytes, payload.at, payload.len);
    uint64_t delay_ms = 1 + random_below(&network->random, faults->delay_ms_max + 1u);
    if (happens(network, faults->late)) {
        delay_ms += random_below(&network->random, faults->late_ms_max + 1u);
    }
    push(network, (struct event){.at_ms = network->now_ms + delay_ms,
                                 .kind = EVENT_PACKET,
                                 .node = to,
                                 .packet = packet});
}

static void on_output(void *owner, const struct gossip_address *to, struct span payload)
{
    struct node *node = owner;
    struct network *network = node->network;
    const uint32_t index = index_of(to);
    if (payload.len > GOSSIP_PAYLOAD_LEN_MAX || index >= network->nodes_len) {
        network->broken = "a datagram is too long, or goes nowhere";
        return;
    }
    network->tally.datagrams++;
    network->tally.bytes += payload.len + GOSSIP_SEAL_LEN + 28;
    mix(network, map_hash_bytes((const uint8_t[16]){0}, payload.at, payload.len));
    transmit(network, node->index, index, payload);
    if (happens(network, network->faults.duplicates)) {
        network->tally.duplicated++;
        transmit(network, node->index, index, payload);
    }
}

static void on_exchange(void *owner, const struct gossip_address *to, const struct gossip_uid *peer)
{
    (void)peer;
    struct node *node = owner;
    push(node->network, (struct event){.at_ms = node->network->now_ms + 2,
                                       .kind = EVENT_EXCHANGE,
                                       .node = node->index,
                                       .peer = index_of(to)});
}

/* Nodes say their index in the address that they advertise. */
static void check_incarnation(struct network *network, const struct node *node,
                              const struct membership_event *event)
{
    const uint32_t of = index_of(&event->member->cluster_address);
    uint64_t *seen = &network->incarnations[(uint64_t)node->index * network->nodes_len + of];
    if (memcmp(network->nodes[of].uid.bytes, event->member->uid.bytes, GOSSIP_UID_LEN) != 0) {
        return;
    }
    if (event->member->incarnation < *seen) {
        network->broken = "an incarnation went back";
    }
    *seen = event->kind == MEMBERSHIP_FORGOTTEN ? 0 : event->member->incarnation;
}

static void count_alarm(struct network *network, const struct node *node,
                        const struct membership_event *event)
{
    const struct node *of = &network->nodes[index_of(&event->member->cluster_address)];
    const enum gossip_status status = event->member->status;
    if (of->membership == NULL || memcmp(&of->uid, &event->member->uid, sizeof(of->uid)) != 0) {
        return;
    }
    struct tally *tally = &network->tally;
    if (of->is_starved) {
        tally->dead_starved += status == GOSSIP_DEAD;
        return;
    }
    tally->suspect_healthy += status == GOSSIP_SUSPECT;
    tally->unreachable_healthy += status == GOSSIP_UNREACHABLE;
    tally->dead_healthy += status == GOSSIP_DEAD && !node->is_starved;
    tally->dead_healthy_starved += status == GOSSIP_DEAD && node->is_starved;
}

static void on_event(void *owner, const struct membership_event *event)
{
    struct node *node = owner;
    struct network *network = node->network;
    check_incarnation(network, node, event);
    if (event->kind == MEMBERSHIP_STATUS) {
        count_alarm(network, node, event);
    }
    mix(network, (uint64_t)event->kind << 32 | event->member->status);
}

static void schedule_tick(struct network *network, struct node *node)
{
    const uint64_t due_ms = membership_next_deadline_ms(node->membership);
    const uint64_t at_ms = due_ms > network->now_ms ? due_ms : network->now_ms;
    if (at_ms < node->tick_at_ms) {
        node->tick_at_ms = at_ms;
        push(network, (struct event){.at_ms = at_ms, .kind = EVENT_TICK, .node = node->index});
    }
}

static void take_packet(struct network *network, struct node *node, struct packet *packet)
{
    const struct gossip_address from = address_of(packet->from);
    if (membership_on_datagram(node->membership, &from, span_of(packet->bytes, packet->len),
                               network->now_ms) != GOSSIP_OK) {
        network->broken = "a datagram of ours was refused";
    }
    free(packet);
}

static void drain_inbox(struct network *network, struct node *node)
{
    while (node->inbox != NULL) {
        struct packet *packet = node->inbox;
        node->inbox = packet->next;
        if (node->membership != NULL && network->now_ms >= node->blocked_until_ms) {
            take_packet(network, node, packet);
        } else {
            free(packet);
        }
    }
    node->inbox_end = &node->inbox;
    node->inbox_len = 0;
}

static void finish_leaving(struct network *network, struct node *node)
{
    if (membership_has_left(node->membership)) {
        network_crash(network, node->index);
        return;
    }
    schedule_tick(network, node);
}

/* One turn of a loop: what arrived, then what is due; after a block at times the other way round.
 */
static void run_node(struct network *network, struct node *node)
{
    if (node->inbox != NULL && happens(network, 500)) {
        membership_tick(node->membership, network->now_ms);
        (void)membership_next_deadline_ms(node->membership);
    }
    drain_inbox(network, node);
    membership_tick(node->membership, network->now_ms);
    if (node->has_left) {
        finish_leaving(network, node);
    } else {
        schedule_tick(network, node);
    }
}

static void on_tick(struct network *network, const struct event *event)
{
    struct node *node = &network->nodes[event->node];
    if (node->membership == NULL || event->at_ms != node->tick_at_ms) {
        return;
    }
    if (network->now_ms < node->blocked_until_ms) {
        node->tick_at_ms = node->blocked_until_ms;
        push(network,
             (struct event){.at_ms = node->tick_at_ms, .kind = EVENT_TICK, .node = node->index});
        return;
    }
    node->tick_at_ms = UINT64_MAX;
    run_node(network, node);
}

static void on_packet(struct network *network, const struct event *event)
{
    struct node *node = &network->nodes[event->node];
    if (node->membership == NULL) {
        free(event->packet);
        return;
    }
    if (network->now_ms < node->blocked_until_ms || node->inbox != NULL) {
        if (node->inbox_len == INBOX_MAX) {
            network->tally.overflown++;
            free(event->packet);
            return;
        }
        *node->inbox_end = event->packet;
        node->inbox_end = &event->packet->next;
        node->inbox_len++;
        return;
    }
    take_packet(network, node, event->packet);
    schedule_tick(network, node);
}

static void send_state(struct network *network, struct node *from, struct node *to)
{
    static uint8_t parts[1 << 20];
    struct writer writer = writer_of(parts, sizeof(parts));
    uint32_t cursor = 0;
    for (;;) {
        struct writer part = writer_of(writer.at, GOSSIP_STATE_LEN_MAX);
        if (writer_room(&writer) < GOSSIP_STATE_LEN_MAX ||
            !membership_state_write(from->membership, &cursor, &part)) {
            break;
        }
        const struct span written = writer_written(&part);
        network->tally.state_bytes += written.len;
        if (membership_on_state(to->membership, written, network->now_ms) != GOSSIP_OK) {
            network->broken = "a state of ours was refused";
        }
    }
}

static bool can_exchange(const struct network *network, const struct node *node)
{
    return node->membership != NULL && !node->has_left && network->now_ms >= node->blocked_until_ms;
}

static void on_exchange_event(struct network *network, const struct event *event)
{
    if (event->peer >= network->nodes_len || event->peer == event->node) {
        return;
    }
    struct node *a = &network->nodes[event->node];
    struct node *b = &network->nodes[event->peer];
    if (!can_exchange(network, a) || !can_exchange(network, b) ||
        is_cut(network, a->index, b->index) || is_cut(network, b->index, a->index) ||
        happens(network, network->faults.loss)) {
        return;
    }
    send_state(network, a, b);
    send_state(network, b, a);
    schedule_tick(network, a);
    schedule_tick(network, b);
}

void network_run_until(struct network *network, uint64_t until_ms)
{
    while (network->heap_len > 0 && network->heap[0].at_ms <= until_ms) {
        const struct event event = pop(network);
        network->now_ms = event.at_ms;
        switch (event.kind) {
        case EVENT_TICK:
            on_tick(network, &event);
            break;
        case EVENT_PACKET:
            on_packet(network, &event);
            break;
        case EVENT_EXCHANGE:
            on_exchange_event(network, &event);
            break;
        }
    }
    network->now_ms = until_ms;
}

void network_create(struct network *network, uint32_t nodes, uint64_t seed,
                    const struct membership_config *config)
{
    *network = (struct network){.now_ms = 1000,
                                .seed = seed,
                                .nodes_len = nodes,
                                .config = *config,
                                .faults = {.delay_ms_max = 2},
                                .digest = seed};
    random_init_seeded(&network->random, seed);
    network->nodes = must(calloc(nodes, sizeof(struct node)));
    network->side = must(calloc(nodes, 1));
    network->incarnations = must(calloc((size_t)nodes * nodes, sizeof(uint64_t)));
    for (uint32_t i = 0; i < nodes; i++) {
        network->nodes[i] = (struct node){.network = network, .index = i};
        network->nodes[i].inbox_end = &network->nodes[i].inbox;
    }
}

void network_destroy(struct network *network)
{
    for (uint32_t i = 0; i < network->nodes_len; i++) {
        network_crash(network, i);
    }
    for (uint32_t i = 0; i < network->heap_len; i++) {
        free(network->heap[i].packet);
    }
    free(network->heap);
    free(network->incarnations);
    free(network->side);
    free(network->nodes);
}

static void start_engine(struct network *network, struct node *node)
{
    struct membership_config config = network->config;
    config.cluster = 42;
    config.first_incarnation = 1700000000000ull + network->now_ms;
    const struct membership_sink sink = {node, on_output, on_event, on_exchange};
    node->membership = must(membership_create(&config, &sink, &node->random, network->now_ms));
    char name[32];
    char client[32];
    (void)snprintf(name, sizeof(name), "node-%u.example.net", node->index);
    (void)snprintf(client, sizeof(client), "10.1.%u.%u:8000", node->index >> 8, node->index & 255);
    const struct gossip_details details = {.name = span_of_text(name),
                                           .client_address = span_of_text(client),
                                           .cluster_address = address_of(node->index),
                                           .zone = SPAN_LITERAL("zone-a"),
                                           .version = SPAN_LITERAL("1.0.0"),
                                           .weight = 100,
                                           .shards = 16,
                                           .protocol_min = 1,
                                           .protocol_max = 1};
    if (!membership_start(node->membership, &node->uid, &details)) {
        network->broken = "a node does not start";
    }
}

void network_start(struct network *network, uint32_t index, bool is_same_uid)
{
    struct node *node = &network->nodes[index];
    const uint32_t life = network->lives++;
    random_init_seeded(&node->random, network->seed * 1000003 + life);
    if (!is_same_uid || gossip_uid_is_nobody(&node->uid)) {
        random_fill_secret(&node->random, node->uid.bytes, GOSSIP_UID_LEN);
    }
    for (uint32_t i = 0; i < network->nodes_len; i++) {
        network->incarnations[(uint64_t)index * network->nodes_len + i] = 0;
        if (!is_same_uid) {
            network->incarnations[(uint64_t)i * network->nodes_len + index] = 0;
        }
    }
    node->tick_at_ms = UINT64_MAX;
    node->blocked_until_ms = 0;
    node->has_left = false;
    start_engine(network, node);
    const struct gossip_load load = {.connections = index, .sessions = index, .memory_bytes = 1000};
    membership_set_load(node->membership, &load);
    for (uint32_t seed = 0; seed < 2 && seed < network->nodes_len; seed++) {
        const struct gossip_address address = address_of(seed);
        if (!membership_join(node->membership, &address, network->now_ms)) {
            network->broken = "no room for a seed";
        }
    }
    schedule_tick(network, node);
}

void network_crash(struct network *network, uint32_t index)
{
    struct node *node = &network->nodes[index];
    membership_destroy(node->membership);
    node->membership = NULL;
    node->crashed_ms = network->now_ms;
    drain_inbox(network, node);
}

void network_block(struct network *network, uint32_t index, uint64_t for_ms)
{
    /* Its next tick waits for the end of a longer block already. */
    struct node *node = &network->nodes[index];
    const uint64_t until_ms = network->now_ms + for_ms;
    node->blocked_until_ms = until_ms > node->blocked_until_ms ? until_ms : node->blocked_until_ms;
}

void network_unblock(struct network *network, uint32_t index)
{
    struct node *node = &network->nodes[index];
    if (node->blocked_until_ms > network->now_ms) {
        node->blocked_until_ms = network->now_ms;
        node->tick_at_ms = network->now_ms;
        push(network, (struct event){.at_ms = network->now_ms, .kind = EVENT_TICK, .node = index});
    }
}

void network_leave(struct network *network, uint32_t index)
{
    struct node *node = &network->nodes[index];
    if (node->membership != NULL) {
        membership_leave(node->membership, network->now_ms);
        node->has_left = true;
        schedule_tick(network, node);
    }
}

static bool is_seen(const struct membership_member *seen, enum gossip_status status)
{
    if (status == GOSSIP_DEAD) {
        return seen == NULL || seen->status >= GOSSIP_DEAD;
    }
    return seen != NULL && seen->status == status;
}

uint32_t network_count(const struct network *network, const struct gossip_uid *uid,
                       enum gossip_status status)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < network->nodes_len; i++) {
        count += network_is_up(network, i) &&
                 is_seen(membership_find(network->nodes[i].membership, uid), status);
    }
    return count;
}

uint32_t network_up(const struct network *network)
{
    uint32_t up = 0;
    for (uint32_t i = 0; i < network->nodes_len; i++) {
        up += network_is_up(network, i);
    }
    return up;
}

static uint32_t live_at(const struct node *node)
{
    uint32_t live = 1;
    for (uint32_t i = 0; i < membership_count(node->membership); i++) {
        live += membership_at(node->membership, i)->status == GOSSIP_ALIVE;
    }
    return live;
}

static bool is_none_doubted(const struct node *node)
{
    for (uint32_t i = 0; i < membership_count(node->membership); i++) {
        const enum gossip_status status = membership_at(node->membership, i)->status;
        if (status == GOSSIP_SUSPECT || status == GOSSIP_UNREACHABLE) {
            return false;
        }
    }
    return true;
}

bool network_is_alone(const struct network *network, uint32_t index)
{
    const struct node *node = &network->nodes[index];
    return live_at(node) == 1 && is_none_doubted(node);
}

bool network_is_converged(const struct network *network)
{
    const uint32_t up = network_up(network);
    for (uint32_t i = 0; i < network->nodes_len; i++) {
        if (!network_is_up(network, i)) {
            continue;
        }
        if (live_at(&network->nodes[i]) != up || !is_none_doubted(&network->nodes[i])) {
            return false;
        }
        if (network_count(network, &network->nodes[i].uid, GOSSIP_ALIVE) != up) {
            return false;
        }
    }
    return true;
}
