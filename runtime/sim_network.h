/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated network: sockets, their pollers, and what travels between them. Only sim*.c use it.
 *
 * A connection is two sockets that know each other. What one sends lies in the other's `bytes` from
 * the beginning, but can be read only as it arrives:
 *
 *       start        start + arrived      start + len
 *   ------|################|...................|------     # may be received   . on its way
 *
 * The sender counts both, and what was read but not yet reported back to it, as `unacknowledged`.
 */
#ifndef ROOST_RUNTIME_SIM_NETWORK_H
#define ROOST_RUNTIME_SIM_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/list.h"
#include "runtime/poller.h"
#include "runtime/random.h"
#include "runtime/sim.h"
#include "runtime/sim_events.h"

struct sim_bytes {
    uint8_t *at;
    size_t start;
    size_t len;
    size_t arrived;
    size_t room;
};

struct sim_socket {
    struct sim_poller *owner; /* NULL: the test's own, or not accepted yet. */
    int number;               /* -1: not accepted yet. */
    bool is_listener;
    bool is_closed;
    bool is_watched;
    uint64_t token;
    struct list edge;              /* In its owner's edges, while there is one. */
    struct socket_address address; /* The listener's, or the peer's. */

    /* Of a listener. */
    struct list listening; /* In the network's listeners. */
    struct list waiting;
    int waiting_count;
    int backlog;

    /* Of a connection. */
    struct sim_connection *connection;
    struct list wait; /* In a listener's waiting. */
    struct sim_bytes bytes;
    size_t unacknowledged;
    uint64_t arrival_ns; /* Of the latest of what travels to it: nothing overtakes. */
    bool output_ended;
    bool input_ended;
    bool is_reset;
    bool wants_room;  /* It was found full: room is an edge. */
    bool is_squeezed; /* It pretends to be full. */
    bool is_paused;
};

/* Freed when both ends are closed and no event names either. */
struct sim_connection {
    struct list link;          /* In the network's connections. */
    struct sim_socket ends[2]; /* The client's, the node's. */
    uint32_t events;
    uint32_t node;
};

struct sim_poller {
    struct poller base;
    struct sim_network *network;
    uint32_t node;
    uint32_t shard;
    bool is_woken;
    struct list edges; /* Sockets with news, the oldest first. */
};

struct sim_network {
    struct sim_options options;
    struct random *random;
    uint64_t now_ns;
    uint64_t digest;
    struct sim_events events;
    struct list connections;
    struct list listeners;
    struct sim_socket **sockets; /* By number; NULL where free. */
    int sockets_end;
    int lowest_free; /* No number below it is free. */
    uint16_t next_client_port;
};

void sim_network_init(struct sim_network *network, const struct sim_options *options,
                      struct random *random);
void sim_network_clear(struct sim_network *network); /* After all pollers were destroyed. */

/* One more thing that happened. */
void sim_network_note(struct sim_network *network, uint64_t what);
void sim_network_note_bytes(struct sim_network *network, const void *at, size_t len);

bool sim_network_chance(struct sim_network *network, uint32_t percent);

/* Lets everything happen that is due at now_ns. False: nothing was. */
bool sim_network_deliver(struct sim_network *network);

/* A poller of the network (sim_poller.c). NULL when memory is out. */
struct poller *sim_poller_create(struct sim_network *network, uint32_t node, uint32_t shard);

/* True when a wait would return at once. */
bool sim_poller_has_events(struct poller *poller);

/* Its node is gone: resets what its shard has open and stops what that sent. */
void sim_poller_break(struct poller *poller);

/* One of the node's listeners on the address, by chance; NULL when there is none. */
struct sim_socket *sim_network_listener(struct sim_network *network, uint32_t node,
                                        const struct socket_address *address);

/* Gives the socket the lowest free number, as descriptors have it, so that whoever uses the number
 * of a closed socket is found out. */
void sim_network_number(struct sim_network *network, struct sim_socket *socket);

/* The two ends' doings, for pollers and for the test's clients alike. An opened connection is on
 * its way to the node; the socket returned is the client's. */
struct sim_socket *sim_network_open(struct sim_network *network, uint32_t node,
                                    const struct socket_address *address);
ssize_t sim_socket_receive(struct sim_network *network, struct sim_socket *socket, void *into,
                           size_t len);
ssize_t sim_socket_send(struct sim_network *network, struct sim_socket *socket,
                        const struct iovec *slices, int count);
void sim_socket_end_output(struct sim_network *network, struct sim_socket *socket);
void sim_socket_close(struct sim_network *network, struct sim_socket *socket, bool reset);

/* As if its machine had vanished: what it sent and has not arrived never does, then comes a reset;
 * its owner finds it reset and still has to close it. */
void sim_socket_break(struct sim_network *network, struct sim_socket *socket);

/* What an event would tell now. */
uint32_t sim_socket_readiness(const struct sim_network *network, struct sim_socket *socket);

#endif
