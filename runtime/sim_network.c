/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated network: connections, and what travels along them. */
#include "runtime/sim_network.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/clock.h"
#include "runtime/map.h"

enum {
    SOCKET_BUFFER_DEFAULT = 64 * 1024,
    CLIENT_PORT_FIRST = 32768,
};

/* A connection that finds the listener's queue full tries again, as a kernel's SYN would; and a
 * shard's own connection gives up after as long as a kernel's. */
#define CONNECT_AGAIN_NS CLOCK_NS_A_S
#define CONNECT_NS_MAX (127 * CLOCK_NS_A_S)

void sim_network_init(struct sim_network *network, const struct sim_options *options,
                      struct random *random)
{
    *network = (struct sim_network){.options = *options, .random = random};
    if (network->options.socket_buffer_bytes == 0) {
        network->options.socket_buffer_bytes = SOCKET_BUFFER_DEFAULT;
    }
    network->next_client_port = CLIENT_PORT_FIRST;
    list_init(&network->connections);
    list_init(&network->listeners);
    list_init(&network->datagram_sockets);
}

static void connection_free(struct sim_connection *connection)
{
    list_remove(&connection->link);
    for (int i = 0; i < 2; i++) {
        struct sim_socket *end = &connection->ends[i];
        while (!list_is_empty(&end->held)) {
            free(CONTAINER_OF(list_take_first(&end->held), struct sim_held, link));
        }
        free(end->bytes.at);
    }
    free(connection);
}

void sim_network_clear(struct sim_network *network)
{
    while (!list_is_empty(&network->connections)) {
        connection_free(CONTAINER_OF(network->connections.next, struct sim_connection, link));
    }
    for (size_t i = 0; i < network->events.count; i++) {
        free(network->events.heap[i].datagram);
    }
    sim_events_clear(&network->events);
    sim_network_heal(network);
    free(network->sockets);
    network->sockets = NULL;
    network->sockets_end = 0;
}

void sim_network_note(struct sim_network *network, uint64_t what)
{
    const uint64_t mixed = (network->digest ^ what) * 0x9fb21c651e98df25ull;
    network->digest = mixed ^ mixed >> 29;
}

void sim_network_note_bytes(struct sim_network *network, const void *at, size_t len)
{
    static const uint8_t key[16];
    sim_network_note(network, len);
    sim_network_note(network, map_hash_bytes(key, at, len));
}

bool sim_network_chance(struct sim_network *network, uint32_t percent)
{
    return percent > 0 && random_below(network->random, 100) < percent;
}

uint64_t sim_network_latency_ns(struct sim_network *network)
{
    const struct sim_options *options = &network->options;
    const uint64_t min_ns = options->latency_us_min * 1000;
    if (options->latency_us_max <= options->latency_us_min) {
        return min_ns;
    }
    return min_ns + random_below(network->random, options->latency_us_max * 1000 - min_ns + 1);
}

static struct sim_socket *peer_of(const struct sim_socket *socket)
{
    struct sim_connection *connection = socket->connection;
    return &connection->ends[socket == &connection->ends[0]];
}

static void schedule(struct sim_network *network, struct sim_socket *socket, uint64_t at_ns,
                     enum sim_event_kind kind, size_t len)
{
    const struct sim_event event = {.at_ns = at_ns, .socket = socket, .len = len, .kind = kind};
    socket->connection->events++;
    sim_events_add(&network->events, event);
}

/* What travels to one socket arrives in the order in which it was sent. */
static void send_off(struct sim_network *network, struct sim_socket *to, enum sim_event_kind kind,
                     size_t len)
{
    const uint64_t at_ns = network->now_ns + sim_network_latency_ns(network);
    to->arrival_ns = at_ns > to->arrival_ns ? at_ns : to->arrival_ns;
    schedule(network, to, to->arrival_ns, kind, len);
}

/* ---- edges ---- */

void sim_socket_edge(struct sim_socket *socket)
{
    if (socket->is_watched && !list_is_linked(&socket->edge)) {
        list_append(&socket->owner->edges, &socket->edge);
    }
}

static size_t room_of(const struct sim_network *network, const struct sim_socket *socket)
{
    const size_t size = network->options.socket_buffer_bytes;
    return socket->unacknowledged < size ? size - socket->unacknowledged : 0;
}

/* As Linux has it: a socket that was full is writable again when a third is free. */
static bool is_writable(const struct sim_network *network, const struct sim_socket *socket)
{
    return socket->is_reset || socket->output_ended ||
           (!socket->is_squeezed &&
            room_of(network, socket) * 3 >= network->options.socket_buffer_bytes);
}

uint32_t sim_socket_readiness(const struct sim_network *network, struct sim_socket *socket)
{
    if (socket->is_listener) {
        return list_is_empty(&socket->waiting) ? 0 : POLLER_READABLE;
    }
    if (socket->is_datagram) {
        return list_is_empty(&socket->datagrams) ? POLLER_WRITABLE
                                                 : POLLER_WRITABLE | POLLER_READABLE;
    }
    if (socket->is_connecting) {
        return 0;
    }
    uint32_t events = 0;
    const bool is_over = socket->input_ended || socket->is_reset;
    if (is_over || socket->bytes.arrived > 0) {
        events |= POLLER_READABLE;
    }
    if (is_writable(network, socket)) {
        events |= POLLER_WRITABLE;
    } else {
        socket->wants_room = true;
    }
    if (is_over) {
        events |= POLLER_HANGUP;
    }
    return events;
}

static void tell_room(const struct sim_network *network, struct sim_socket *socket)
{
    if (socket->wants_room && is_writable(network, socket)) {
        socket->wants_room = false;
        sim_socket_edge(socket);
    }
}

/* ---- the two ends ---- */

static void bytes_append(struct sim_bytes *bytes, const void *at, size_t len)
{
    if (bytes->start + bytes->len + len > bytes->room) {
        const size_t needed = bytes->len + len;
        uint8_t *larger = malloc(2 * needed);
        BUG_IF(larger == NULL);
        if (bytes->len > 0) {
            memcpy(larger, bytes->at + bytes->start, bytes->len);
        }
        free(bytes->at);
        bytes->at = larger;
        bytes->room = 2 * needed;
        bytes->start = 0;
    }
    memcpy(bytes->at + bytes->start + bytes->len, at, len);
    bytes->len += len;
}

static void bytes_take(struct sim_bytes *bytes, void *into, size_t len)
{
    memcpy(into, bytes->at + bytes->start, len);
    bytes->start += len;
    bytes->len -= len;
    bytes->arrived -= len;
    if (bytes->len == 0) {
        free(bytes->at);
        *bytes = (struct sim_bytes){.at = NULL};
    }
}

ssize_t sim_socket_receive(struct sim_network *network, struct sim_socket *socket, void *into,
                           size_t len)
{
    const size_t taken = socket->bytes.arrived < len ? socket->bytes.arrived : len;
    if (taken > 0) {
        bytes_take(&socket->bytes, into, taken);
        schedule(network, peer_of(socket), network->now_ns + sim_network_latency_ns(network),
                 SIM_EVENT_TAKEN, taken);
        sim_network_note_bytes(network, into, taken);
        return (ssize_t)taken;
    }
    if (socket->is_reset) {
        return POLLER_GONE;
    }
    return socket->input_ended ? 0 : POLLER_AGAIN;
}

/* Appends the first `len` bytes of the slices to what travels to the socket. */
static void append_slices(struct sim_network *network, struct sim_socket *to,
                          const struct iovec *slices, size_t len)
{
    while (len > 0) {
        const size_t part = slices->iov_len < len ? slices->iov_len : len;
        if (part > 0) {
            bytes_append(&to->bytes, slices->iov_base, part);
            sim_network_note_bytes(network, slices->iov_base, part);
        }
        len -= part;
        slices++;
    }
}

/* A short write means a full socket to its caller, who waits for an edge. So a write that was cut
 * by chance makes the socket full for a while. */
static size_t cut_write(struct sim_network *network, struct sim_socket *socket, size_t len)
{
    if (len < 2 || !sim_network_chance(network, network->options.split_percent)) {
        return len;
    }
    socket->is_squeezed = true;
    schedule(network, socket, network->now_ns + sim_network_latency_ns(network), SIM_EVENT_ROOM, 0);
    return 1 + (size_t)random_below(network->random, len - 1);
}

ssize_t sim_socket_send(struct sim_network *network, struct sim_socket *socket,
                        const struct iovec *slices, int count)
{
    if (socket->is_reset || socket->output_ended) {
        return POLLER_GONE;
    }
    if (socket->is_connecting) {
        return POLLER_AGAIN;
    }
    size_t offered = 0;
    for (int i = 0; i < count; i++) {
        offered += slices[i].iov_len;
    }
    const size_t room = socket->is_squeezed ? 0 : room_of(network, socket);
    const size_t fits = cut_write(network, socket, offered < room ? offered : room);
    if (fits < offered) {
        socket->wants_room = true;
        network->faults[SIM_FAULT_FULL]++;
    }
    if (fits == 0) {
        return offered > 0 ? POLLER_AGAIN : 0;
    }
    struct sim_socket *peer = peer_of(socket);
    append_slices(network, peer, slices, fits);
    socket->unacknowledged += fits;
    for (size_t left = fits; left > 0;) {
        const bool cut = sim_network_chance(network, network->options.split_percent);
        const size_t part = cut ? 1 + (size_t)random_below(network->random, left) : left;
        send_off(network, peer, SIM_EVENT_BYTES, part);
        left -= part;
        network->faults[SIM_FAULT_SPLIT] += left > 0;
    }
    return (ssize_t)fits;
}

void sim_socket_end_output(struct sim_network *network, struct sim_socket *socket)
{
    if (!socket->output_ended && !socket->is_reset) {
        socket->output_ended = true;
        send_off(network, peer_of(socket), SIM_EVENT_END, socket->input_ended);
    }
}

static void listener_drop_waiting(struct sim_network *network, struct sim_socket *listener)
{
    while (!list_is_empty(&listener->waiting)) {
        struct sim_socket *end = CONTAINER_OF(listener->waiting.next, struct sim_socket, wait);
        list_remove(&end->wait);
        sim_socket_close(network, end, true);
    }
    listener->waiting_count = 0;
}

void sim_socket_break(struct sim_network *network, struct sim_socket *socket)
{
    if (socket->is_listener) {
        listener_drop_waiting(network, socket);
        socket->address.family = 0; /* No address is like this one. */
        return;
    }
    if (socket->is_datagram) {
        socket->address.family = 0;
        return;
    }
    struct sim_socket *peer = peer_of(socket);
    if (!peer->is_closed && !socket->is_reset) {
        peer->bytes.len = peer->bytes.arrived;
        send_off(network, peer, SIM_EVENT_RESET, 0);
    }
    socket->is_reset = true;
}

void sim_socket_close(struct sim_network *network, struct sim_socket *socket, bool reset)
{
    list_remove(&socket->edge);
    if (socket->number >= 0) {
        network->sockets[socket->number] = NULL;
        network->lowest_free =
            socket->number < network->lowest_free ? socket->number : network->lowest_free;
    }
    if (socket->is_listener) {
        listener_drop_waiting(network, socket);
        list_remove(&socket->listening);
        free(socket);
        return;
    }
    if (socket->is_datagram) {
        sim_datagram_close(network, socket);
        return;
    }
    struct sim_socket *peer = peer_of(socket);
    socket->is_closed = true;
    socket->is_watched = false;
    if (!peer->is_closed && !socket->is_reset) {
        if (reset || socket->is_connecting || socket->bytes.arrived > 0) {
            send_off(network, peer, SIM_EVENT_RESET, 0);
        } else if (!socket->output_ended) {
            send_off(network, peer, SIM_EVENT_END, 0);
        }
    }
    if (peer->is_closed && socket->connection->events == 0) {
        connection_free(socket->connection);
    }
}

uint32_t sim_network_node_at(uint32_t node, const struct socket_address *address)
{
    struct socket_address own;
    struct socket_address first;
    socket_address_parse("::1", address->port, &own);
    sim_node_address(0, address->port, &first);
    if (address->family == 6) {
        return memcmp(address->bytes, own.bytes, sizeof(own.bytes)) == 0 ? node : SIM_NODE_NONE;
    }
    if (address->bytes[0] == 127) {
        return node;
    }
    const bool is_node = address->family == 4 && memcmp(address->bytes, first.bytes, 2) == 0;
    return is_node ? (uint32_t)address->bytes[2] << 8 | address->bytes[3] : SIM_NODE_NONE;
}

/* Where a connection seems to come from. */
static struct socket_address address_of_caller(struct sim_network *network, uint32_t from,
                                               const struct socket_address *to)
{
    struct socket_address address = {.family = 4, .bytes = {10, 0, 0, 1}};
    if (from != SIM_NODE_NONE) {
        sim_node_address(from, 0, &address);
        if (sim_network_node_at(SIM_NODE_NONE, to) == SIM_NODE_NONE) {
            address = *to; /* Its own, by 127.0.0.1. */
        }
    }
    address.port = network->next_client_port++;
    if (network->next_client_port == 0) {
        network->next_client_port = CLIENT_PORT_FIRST;
    }
    return address;
}

struct sim_socket *sim_network_open(struct sim_network *network, uint32_t from, uint32_t to,
                                    const struct socket_address *address)
{
    struct sim_connection *connection = calloc(1, sizeof(*connection));
    BUG_IF(connection == NULL);
    list_append(&network->connections, &connection->link);
    connection->nodes[0] = from;
    connection->nodes[1] = to;
    for (int i = 0; i < 2; i++) {
        connection->ends[i].connection = connection;
        connection->ends[i].number = -1;
        list_init(&connection->ends[i].held);
    }
    connection->ends[0].address = *address;
    connection->ends[1].address = address_of_caller(network, from, address);
    send_off(network, &connection->ends[1], SIM_EVENT_CONNECT, 0);
    return &connection->ends[0];
}

void sim_socket_await_connection(struct sim_network *network, struct sim_socket *socket)
{
    socket->is_connecting = true;
    schedule(network, socket, network->now_ns + CONNECT_NS_MAX, SIM_EVENT_GIVE_UP, 0);
}

/* ---- arrivals ---- */

static void arrive_connect(struct sim_network *network, struct sim_socket *socket)
{
    struct sim_socket *caller = peer_of(socket);
    const uint32_t node = socket->connection->nodes[1];
    struct sim_socket *listener = sim_network_listener(network, node, &caller->address);
    if (listener == NULL) {
        if (!caller->is_closed) {
            send_off(network, caller, SIM_EVENT_RESET, 1);
        }
        socket->is_closed = true;
    } else if (listener->waiting_count >= listener->backlog) {
        schedule(network, socket, network->now_ns + CONNECT_AGAIN_NS, SIM_EVENT_CONNECT, 0);
    } else {
        list_append(&listener->waiting, &socket->wait);
        listener->waiting_count++;
        sim_socket_edge(listener);
        if (caller->is_connecting) {
            send_off(network, caller, SIM_EVENT_CONNECTED, 0);
        }
    }
}

static void arrive_bytes(struct sim_network *network, struct sim_socket *socket, size_t len)
{
    struct sim_socket *peer = peer_of(socket);
    if (socket->is_closed) {
        /* Nobody is there to read them, and the sender is told so. */
        if (!peer->is_closed) {
            send_off(network, peer, SIM_EVENT_RESET, 0);
        }
        return;
    }
    struct sim_bytes *bytes = &socket->bytes;
    const size_t under_way = bytes->len - bytes->arrived;
    bytes->arrived += len < under_way ? len : under_way;
    sim_socket_edge(socket);
}

static void arrive(struct sim_network *network, const struct sim_event *event)
{
    struct sim_socket *socket = event->socket;
    if (event->kind == SIM_EVENT_BYTES) {
        arrive_bytes(network, socket, event->len);
        return;
    }
    if (socket->is_closed) {
        return;
    }
    switch (event->kind) {
    case SIM_EVENT_CONNECT:
        arrive_connect(network, socket);
        break;
    case SIM_EVENT_TAKEN:
        socket->unacknowledged -= event->len;
        tell_room(network, socket);
        break;
    case SIM_EVENT_ROOM:
        socket->is_squeezed = false;
        tell_room(network, socket);
        break;
    case SIM_EVENT_END:
        socket->input_ended = true;
        sim_socket_edge(socket);
        if (event->len > 0) {
            schedule(network, peer_of(socket), network->now_ns + sim_network_latency_ns(network),
                     SIM_EVENT_END_SEEN, 0);
        }
        break;
    case SIM_EVENT_END_SEEN:
        sim_socket_edge(socket);
        break;
    case SIM_EVENT_RESET:
        socket->is_reset = true;
        socket->is_refused = event->len > 0;
        socket->is_connecting = false;
        sim_socket_edge(socket);
        break;
    case SIM_EVENT_CONNECTED:
        socket->is_connecting = false;
        sim_socket_edge(socket);
        break;
    case SIM_EVENT_GIVE_UP:
        if (socket->is_connecting) {
            send_off(network, peer_of(socket), SIM_EVENT_RESET, 0);
            socket->is_reset = true;
            socket->is_connecting = false;
            sim_socket_edge(socket);
        }
        break;
    case SIM_EVENT_RETRY:
    case SIM_EVENT_DATAGRAM:
    case SIM_EVENT_BYTES:
        break;
    }
}

static void arrive_held(struct sim_network *network, struct sim_socket *socket)
{
    for (struct sim_held *held; (held = sim_socket_take_held(network, socket)) != NULL;) {
        arrive(network, &held->event);
        socket->connection->events--;
        free(held);
    }
}

/* What happens at one end of a connection. */
static void happen(struct sim_network *network, const struct sim_event *event)
{
    struct sim_connection *connection = event->socket->connection;
    if (sim_socket_hold(network, event)) {
        return;
    }
    if (event->kind == SIM_EVENT_RETRY) {
        arrive_held(network, event->socket);
    } else {
        arrive(network, event);
    }
    connection->events--;
    if (connection->events == 0 && connection->ends[0].is_closed && connection->ends[1].is_closed) {
        connection_free(connection);
    }
}

bool sim_network_deliver(struct sim_network *network)
{
    bool any = false;
    while (sim_events_next_ns(&network->events) <= network->now_ns) {
        const struct sim_event event = sim_events_take(&network->events);
        sim_network_note(network, event.at_ns ^ (uint64_t)event.kind << 60 ^ event.len << 44);
        if (event.kind == SIM_EVENT_DATAGRAM) {
            sim_datagram_arrive(network, event.datagram);
        } else {
            happen(network, &event);
        }
        any = true;
    }
    return any;
}
