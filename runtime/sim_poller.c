/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated network as a shard sees it: the poller's functions. */
#include <stdlib.h>
#include <string.h>

#include "runtime/sim_network.h"

static struct sim_poller *sim_poller_of(struct poller *poller)
{
    return CONTAINER_OF(poller, struct sim_poller, base);
}

/* What the kernel would answer with EBADF, or worse with another connection, is a bug here. */
static struct sim_socket *own_socket(const struct sim_poller *poller, int number)
{
    struct sim_network *network = poller->network;
    BUG_IF(number < 0 || number >= network->sockets_end);
    struct sim_socket *socket = network->sockets[number];
    BUG_IF(socket == NULL || socket->owner != poller);
    return socket;
}

void sim_network_number(struct sim_network *network, struct sim_socket *socket)
{
    int number = network->lowest_free;
    while (number < network->sockets_end && network->sockets[number] != NULL) {
        number++;
    }
    if (number == network->sockets_end) {
        const size_t larger = (size_t)network->sockets_end * 2 + 16;
        network->sockets = realloc(network->sockets, larger * sizeof(*network->sockets));
        BUG_IF(network->sockets == NULL);
        memset(network->sockets + number, 0, (larger - (size_t)number) * sizeof(socket));
        network->sockets_end = (int)larger;
    }
    network->sockets[number] = socket;
    network->lowest_free = number + 1;
    socket->number = number;
}

/* ---- listening ---- */

static bool is_any_address(const struct socket_address *address)
{
    static const uint8_t zeros[sizeof(address->bytes)];
    return memcmp(address->bytes, zeros, sizeof(zeros)) == 0;
}

static bool listens_on(const struct sim_socket *listener, const struct socket_address *address)
{
    const struct socket_address *own = &listener->address;
    return own->family == address->family && own->port == address->port &&
           (is_any_address(own) || memcmp(own->bytes, address->bytes, sizeof(own->bytes)) == 0);
}

struct sim_socket *sim_network_listener(struct sim_network *network, uint32_t node,
                                        const struct socket_address *address)
{
    struct sim_socket *chosen = NULL;
    uint64_t found = 0;
    for (struct list *at = network->listeners.next; at != &network->listeners; at = at->next) {
        struct sim_socket *listener = CONTAINER_OF(at, struct sim_socket, listening);
        if (listener->owner->node != node || !listens_on(listener, address)) {
            continue;
        }
        found++;
        if (random_below(network->random, found) == 0) {
            chosen = listener;
        }
    }
    return chosen;
}

static int sim_listen(struct poller *base, const struct socket_address *address, int backlog)
{
    struct sim_poller *poller = sim_poller_of(base);
    if (address->family == 0 || address->port == 0) {
        return POLLER_REFUSED; /* Nobody could ask which port it is. */
    }
    struct sim_socket *listener = calloc(1, sizeof(*listener));
    BUG_IF(listener == NULL);
    listener->owner = poller;
    listener->is_listener = true;
    listener->address = *address;
    listener->backlog = backlog < 1 ? 1 : backlog;
    list_init(&listener->waiting);
    list_append(&poller->network->listeners, &listener->listening);
    sim_network_number(poller->network, listener);
    return listener->number;
}

static int sim_accept(struct poller *base, int number, struct socket_address *peer)
{
    struct sim_poller *poller = sim_poller_of(base);
    struct sim_socket *listener = own_socket(poller, number);
    if (!listener->is_listener) {
        return POLLER_REFUSED;
    }
    struct list *first = list_take_first(&listener->waiting);
    if (first == NULL) {
        return POLLER_AGAIN;
    }
    struct sim_socket *socket = CONTAINER_OF(first, struct sim_socket, wait);
    listener->waiting_count--;
    socket->owner = poller;
    sim_network_number(poller->network, socket);
    sim_network_note(poller->network, (uint64_t)socket->number);
    if (peer != NULL) {
        *peer = socket->address;
    }
    return socket->number;
}

/* ---- connections ---- */

static int sim_connect(struct poller *base, const struct socket_address *address)
{
    struct sim_poller *poller = sim_poller_of(base);
    struct sim_network *network = poller->network;
    if (address->family == 0 || address->port == 0) {
        return POLLER_REFUSED;
    }
    const uint32_t to = sim_network_node_at(poller->node, address);
    struct sim_socket *socket = sim_network_open(network, poller->node, to, address);
    socket->owner = poller;
    sim_socket_await_connection(network, socket);
    sim_network_number(network, socket);
    return socket->number;
}

static int sim_connected(struct poller *base, int number)
{
    const struct sim_socket *socket = own_socket(sim_poller_of(base), number);
    if (socket->is_reset) {
        return socket->is_refused ? POLLER_REFUSED : POLLER_GONE;
    }
    return socket->is_connecting ? POLLER_AGAIN : 0;
}

static bool sim_watch(struct poller *base, int number, uint64_t token)
{
    struct sim_poller *poller = sim_poller_of(base);
    struct sim_socket *socket = own_socket(poller, number);
    BUG_IF(token == POLLER_TOKEN_NONE || socket->is_watched);
    socket->token = token;
    socket->is_watched = true;
    list_append(&poller->edges, &socket->edge); /* Whatever is true already. */
    return true;
}

static ssize_t sim_receive(struct poller *base, int number, void *into, size_t len)
{
    struct sim_poller *poller = sim_poller_of(base);
    BUG_IF(len == 0);
    return sim_socket_receive(poller->network, own_socket(poller, number), into, len);
}

static ssize_t sim_send(struct poller *base, int number, const struct iovec *slices, int count)
{
    struct sim_poller *poller = sim_poller_of(base);
    return sim_socket_send(poller->network, own_socket(poller, number), slices, count);
}

static void sim_send_many(struct poller *base, struct poller_send *sends, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        sends[i].result = sim_send(base, sends[i].socket, &sends[i].slice, 1);
    }
}

static void sim_close(struct poller *base, int number)
{
    struct sim_poller *poller = sim_poller_of(base);
    sim_socket_close(poller->network, own_socket(poller, number), false);
}

static void sim_shutdown_output(struct poller *base, int number)
{
    struct sim_poller *poller = sim_poller_of(base);
    sim_socket_end_output(poller->network, own_socket(poller, number));
}

/* ---- datagrams ---- */

static int sim_open_datagram(struct poller *base, const struct socket_address *address)
{
    struct sim_socket *socket = sim_datagram_open(sim_poller_of(base), address);
    return socket == NULL ? POLLER_REFUSED : socket->number;
}

static ssize_t sim_receive_from(struct poller *base, int number, struct socket_address *from,
                                void *into, size_t len)
{
    struct sim_poller *poller = sim_poller_of(base);
    BUG_IF(len == 0);
    const struct iovec room = {.iov_base = into, .iov_len = len};
    return sim_datagram_receive(poller->network, own_socket(poller, number), from, room);
}

static ssize_t sim_send_to(struct poller *base, int number, const struct socket_address *to,
                           const void *at, size_t len)
{
    struct sim_poller *poller = sim_poller_of(base);
    /* Only read, but the type cannot say so. */
    const struct iovec bytes = {.iov_base = (void *)(uintptr_t)at, .iov_len = len};
    return sim_datagram_send(poller->network, own_socket(poller, number), to, bytes);
}

/* ---- waiting ---- */

bool sim_poller_has_events(struct poller *base)
{
    const struct sim_poller *poller = sim_poller_of(base);
    return poller->is_woken || !list_is_empty(&poller->edges);
}

/* The order of one wait's events means nothing, so the seed chooses it. */
static void shuffle(struct sim_network *network, struct poller_event *events, int count)
{
    for (int i = count - 1; i > 0; i--) {
        const int other = (int)random_below(network->random, (uint64_t)i + 1);
        const struct poller_event event = events[i];
        events[i] = events[other];
        events[other] = event;
    }
}

static int sim_wait(struct poller *base, struct poller_event *events, int max, int64_t timeout_ns)
{
    struct sim_poller *poller = sim_poller_of(base);
    struct sim_network *network = poller->network;
    BUG_IF(timeout_ns != 0); /* Time is the simulator's. */
    poller->is_woken = false;
    int count = 0;
    while (count < max && !list_is_empty(&poller->edges)) {
        struct list *first = list_take_first(&poller->edges);
        struct sim_socket *socket = CONTAINER_OF(first, struct sim_socket, edge);
        const uint32_t ready = sim_socket_readiness(network, socket);
        if (ready != 0) {
            events[count++] = (struct poller_event){.token = socket->token, .events = ready};
            sim_network_note(network, (uint64_t)ready << 32 | (uint32_t)socket->number);
        }
    }
    shuffle(network, events, count);
    return count;
}

static void sim_wake(struct poller *base)
{
    sim_poller_of(base)->is_woken = true;
}

/* ---- the end ---- */

void sim_poller_break(struct poller *base)
{
    struct sim_poller *poller = sim_poller_of(base);
    struct sim_network *network = poller->network;
    for (int i = 0; i < network->sockets_end; i++) {
        struct sim_socket *socket = network->sockets[i];
        if (socket != NULL && socket->owner == poller) {
            sim_socket_break(network, socket);
        }
    }
}

static void sim_poller_destroy(struct poller *base)
{
    struct sim_poller *poller = sim_poller_of(base);
    struct sim_network *network = poller->network;
    for (int i = 0; i < network->sockets_end; i++) {
        struct sim_socket *socket = network->sockets[i];
        if (socket != NULL && socket->owner == poller) {
            sim_socket_close(network, socket, true);
        }
    }
    free(poller);
}

static const struct poller_ops sim_poller_ops = {
    .listen = sim_listen,
    .accept = sim_accept,
    .connect = sim_connect,
    .connected = sim_connected,
    .open_datagram = sim_open_datagram,
    .receive_from = sim_receive_from,
    .send_to = sim_send_to,
    .watch = sim_watch,
    .receive = sim_receive,
    .send = sim_send,
    .send_many = sim_send_many,
    .close = sim_close,
    .shutdown_output = sim_shutdown_output,
    .wait = sim_wait,
    .wake = sim_wake,
    .destroy = sim_poller_destroy,
};

struct poller *sim_poller_create(struct sim_network *network, uint32_t node, uint32_t shard)
{
    struct sim_poller *poller = calloc(1, sizeof(*poller));
    if (poller == NULL) {
        return NULL;
    }
    poller->base.ops = &sim_poller_ops;
    poller->network = network;
    poller->node = node;
    poller->shard = shard;
    list_init(&poller->edges);
    return &poller->base;
}
