/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams in the simulated network: lost, late, doubled and out of order, as the seed has it. */
#include <stdlib.h>
#include <string.h>

#include "runtime/sim_network.h"

enum {
    DATAGRAM_LEN_MAX = 65507,
    DATAGRAM_PORT_FIRST = 20000,
    DATAGRAM_PORTS = 40000,
    /* What a socket keeps for its owner; more are lost. */
    DATAGRAMS_KEPT_MAX = 256,
};

static bool is_any(const struct socket_address *address)
{
    static const uint8_t zeros[sizeof(address->bytes)];
    return memcmp(address->bytes, zeros, sizeof(zeros)) == 0;
}

static bool takes(const struct sim_socket *socket, const struct socket_address *to)
{
    const struct socket_address *own = &socket->address;
    return own->family == to->family && own->port == to->port &&
           (is_any(own) || memcmp(own->bytes, to->bytes, sizeof(own->bytes)) == 0);
}

static struct sim_socket *socket_at(struct sim_network *network, uint32_t node,
                                    const struct socket_address *address)
{
    struct list *head = &network->datagram_sockets;
    for (struct list *at = head->next; at != head; at = at->next) {
        struct sim_socket *socket = CONTAINER_OF(at, struct sim_socket, opened);
        if (socket->owner->node == node && takes(socket, address)) {
            return socket;
        }
    }
    return NULL;
}

struct sim_socket *sim_datagram_open(struct sim_poller *poller,
                                     const struct socket_address *address)
{
    struct sim_network *network = poller->network;
    struct socket_address own = *address;
    if (own.port == 0) {
        own.port = (uint16_t)(DATAGRAM_PORT_FIRST + network->datagram_ports++ % DATAGRAM_PORTS);
    }
    if (own.family == 0 || socket_at(network, poller->node, &own) != NULL) {
        return NULL;
    }
    struct sim_socket *socket = calloc(1, sizeof(*socket));
    BUG_IF(socket == NULL);
    socket->owner = poller;
    socket->is_datagram = true;
    socket->address = own;
    list_init(&socket->datagrams);
    list_append(&network->datagram_sockets, &socket->opened);
    sim_network_number(network, socket);
    return socket;
}

static struct sim_datagram *take_first(struct sim_socket *socket)
{
    struct list *first = list_take_first(&socket->datagrams);
    if (first == NULL) {
        return NULL;
    }
    socket->datagrams_len--;
    return CONTAINER_OF(first, struct sim_datagram, link);
}

void sim_datagram_close(struct sim_network *network, struct sim_socket *socket)
{
    (void)network;
    for (struct sim_datagram *datagram; (datagram = take_first(socket)) != NULL;) {
        free(datagram);
    }
    list_remove(&socket->opened);
    free(socket);
}

static struct socket_address source_of(const struct sim_socket *socket,
                                       const struct socket_address *to)
{
    struct socket_address from = socket->address;
    if (is_any(&from)) {
        sim_node_address(socket->owner->node, from.port, &from);
        if (sim_network_node_at(SIM_NODE_NONE, to) == SIM_NODE_NONE) {
            memcpy(from.bytes, to->bytes, sizeof(from.bytes)); /* Its own, by 127.0.0.1. */
        }
    }
    return from;
}

static void send_off(struct sim_network *network, struct sim_socket *socket,
                     const struct socket_address *to, struct iovec bytes)
{
    const struct sim_options *options = &network->options;
    struct sim_datagram *datagram = calloc(1, sizeof(*datagram) + bytes.iov_len);
    BUG_IF(datagram == NULL);
    datagram->from = source_of(socket, to);
    datagram->to = *to;
    datagram->from_node = socket->owner->node;
    datagram->len = bytes.iov_len;
    if (bytes.iov_len > 0) {
        memcpy(datagram->bytes, bytes.iov_base, bytes.iov_len);
    }
    uint64_t at_ns = network->now_ns + sim_network_latency_ns(network);
    if (sim_network_chance(network, options->datagram_late_percent)) {
        at_ns += random_below(network->random, options->datagram_late_us * 1000 + 1);
        network->faults[SIM_FAULT_LATE]++;
    }
    const struct sim_event event = {
        .at_ns = at_ns,
        .datagram = datagram,
        .len = datagram->len,
        .kind = SIM_EVENT_DATAGRAM,
    };
    sim_events_add(&network->events, event);
}

ssize_t sim_datagram_send(struct sim_network *network, struct sim_socket *socket,
                          const struct socket_address *to, struct iovec bytes)
{
    if (to->family != socket->address.family || to->port == 0 || bytes.iov_len > DATAGRAM_LEN_MAX) {
        return POLLER_REFUSED;
    }
    sim_network_note_bytes(network, bytes.iov_base, bytes.iov_len);
    if (sim_network_chance(network, network->options.datagram_lost_percent)) {
        network->faults[SIM_FAULT_LOST]++;
        return (ssize_t)bytes.iov_len;
    }
    send_off(network, socket, to, bytes);
    if (sim_network_chance(network, network->options.datagram_twice_percent)) {
        network->faults[SIM_FAULT_TWICE]++;
        send_off(network, socket, to, bytes);
    }
    return (ssize_t)bytes.iov_len;
}

ssize_t sim_datagram_receive(struct sim_network *network, struct sim_socket *socket,
                             struct socket_address *from, struct iovec into)
{
    struct sim_datagram *datagram = take_first(socket);
    if (datagram == NULL) {
        return POLLER_AGAIN;
    }
    const size_t len = datagram->len < into.iov_len ? datagram->len : into.iov_len;
    if (len > 0) {
        memcpy(into.iov_base, datagram->bytes, len);
    }
    sim_network_note_bytes(network, datagram->bytes, len);
    *from = datagram->from;
    free(datagram);
    return (ssize_t)len;
}

void sim_datagram_arrive(struct sim_network *network, struct sim_datagram *datagram)
{
    const uint32_t node = sim_network_node_at(datagram->from_node, &datagram->to);
    const uint64_t clogged_ns = sim_network_clogged_until_ns(network, datagram->from_node, node);
    const bool is_cut = sim_network_is_cut(network, datagram->from_node, node);
    if (!is_cut && clogged_ns > 0 && clogged_ns < UINT64_MAX) {
        network->faults[SIM_FAULT_LATE]++;
        const struct sim_event event = {
            .at_ns = clogged_ns + sim_network_latency_ns(network),
            .datagram = datagram,
            .len = datagram->len,
            .kind = SIM_EVENT_DATAGRAM,
        };
        sim_events_add(&network->events, event);
        return;
    }
    struct sim_socket *socket = socket_at(network, node, &datagram->to);
    const bool is_lost = is_cut || clogged_ns > 0;
    if (is_lost || socket == NULL || socket->datagrams_len == DATAGRAMS_KEPT_MAX) {
        network->faults[SIM_FAULT_LOST] += is_lost;
        free(datagram);
        return;
    }
    list_append(&socket->datagrams, &datagram->link);
    socket->datagrams_len++;
    sim_socket_edge(socket);
}
