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
 *
 * What finds its way cut or clogged waits in the receiver's `held`, and all that comes after it
 * too.
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

struct sim_datagram {
    struct list link; /* In its receiver's datagrams. */
    struct socket_address from;
    struct socket_address to;
    uint32_t from_node;
    size_t len;
    uint8_t bytes[];
};

/* An arrival that waits until its way is open. */
struct sim_held {
    struct list link;
    struct sim_event event;
};

struct sim_socket {
    struct sim_poller *owner; /* NULL: the test's own, or not accepted yet. */
    int number;               /* -1: not accepted yet. */
    bool is_listener;
    bool is_datagram;
    bool is_closed;
    bool is_watched;
    uint64_t token;
    struct list edge;              /* In its owner's edges, while there is one. */
    struct socket_address address; /* The listener's or the datagram socket's, or the peer's. */

    /* Of a listener. */
    struct list listening; /* In the network's listeners. */
    struct list waiting;
    int waiting_count;
    int backlog;

    /* Of a datagram socket. */
    struct list opened; /* In the network's datagram sockets. */
    struct list datagrams;
    size_t datagrams_len;

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
    bool is_connecting;
    bool is_refused;   /* Nobody listened there. */
    struct list held;  /* Of struct sim_held, the oldest first. */
    uint64_t retry_ns; /* From one try to send what is held to the next. */
};

/* Freed when both ends are closed and no event names either. */
struct sim_connection {
    struct list link;          /* In the network's connections. */
    struct sim_socket ends[2]; /* The client's, the node's. */
    uint32_t events;
    uint32_t nodes[2]; /* Where they are; a test's client is on SIM_NODE_NONE. */
};

/* One way from node to node. */
struct sim_path {
    uint64_t cut_until_ns;
    uint64_t clogged_until_ns;
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
    struct list datagram_sockets;
    struct sim_path **paths; /* By the sender, then by the receiver; NULL where all is well. */
    uint32_t paths_len;      /* Senders, and receivers of each. */
    uint64_t faults[SIM_FAULTS_LEN];
    struct sim_socket **sockets; /* By number; NULL where free. */
    int sockets_end;
    int lowest_free; /* No number below it is free. */
    uint16_t next_client_port;
    uint32_t datagram_ports; /* How many were given to who asked for any. */
};

void sim_network_init(struct sim_network *network, const struct sim_options *options,
                      struct random *random);
void sim_network_clear(struct sim_network *network); /* After all pollers were destroyed. */

/* One more thing that happened. */
void sim_network_note(struct sim_network *network, uint64_t what);
void sim_network_note_bytes(struct sim_network *network, const void *at, size_t len);

bool sim_network_chance(struct sim_network *network, uint32_t percent);

/* How long something travels; chosen for each. */
uint64_t sim_network_latency_ns(struct sim_network *network);

/* Tells the socket's shard, if it watches, that something is new. */
void sim_socket_edge(struct sim_socket *socket);

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

/* On which node an address is, for one who is on `node`; SIM_NODE_NONE: on none. */
uint32_t sim_network_node_at(uint32_t node, const struct socket_address *address);

/* The two ends' doings, for pollers and for the test's clients alike. An opened connection is on
 * its way from a node (SIM_NODE_NONE: from the test) to a node; the socket returned is the first
 * end. */
struct sim_socket *sim_network_open(struct sim_network *network, uint32_t from, uint32_t to,
                                    const struct socket_address *address);
/* That end is a shard's: it cannot send before it is connected, and does not wait forever. */
void sim_socket_await_connection(struct sim_network *network, struct sim_socket *socket);
ssize_t sim_socket_receive(struct sim_network *network, struct sim_socket *socket, void *into,
                           size_t len);
ssize_t sim_socket_send(struct sim_network *network, struct sim_socket *socket,
                        const struct iovec *slices, int count);
void sim_socket_end_output(struct sim_network *network, struct sim_socket *socket);
void sim_socket_close(struct sim_network *network, struct sim_socket *socket, bool reset);

/* As if its machine had vanished: what it sent and has not arrived never does, then comes a reset;
 * its owner finds it reset and still has to close it. */
void sim_socket_break(struct sim_network *network, struct sim_socket *socket);

/* ---- ways between nodes (sim_faults.c) ---- */

/* The way's state, to be changed. Both are nodes. */
struct sim_path *sim_network_path(struct sim_network *network, uint32_t from, uint32_t to);
void sim_network_heal(struct sim_network *network);

/* When the way is open: 0 now, otherwise the time at which it is known to be or UINT64_MAX. */
uint64_t sim_network_clogged_until_ns(const struct sim_network *network, uint32_t from,
                                      uint32_t to);
bool sim_network_is_cut(const struct sim_network *network, uint32_t from, uint32_t to);

/* True: the arrival at a connection's end waits in `held` now. */
bool sim_socket_hold(struct sim_network *network, const struct sim_event *event);

/* After a SIM_EVENT_RETRY: the first of what is held, if its way is open; then it is the caller's
 * to free. NULL: the rest waits for another SIM_EVENT_RETRY, or there is none. */
struct sim_held *sim_socket_take_held(struct sim_network *network, struct sim_socket *socket);

/* ---- datagrams (sim_datagram.c) ---- */

/* Port 0: one that is free. NULL: the address is in use. */
struct sim_socket *sim_datagram_open(struct sim_poller *poller,
                                     const struct socket_address *address);
void sim_datagram_close(struct sim_network *network, struct sim_socket *socket);
ssize_t sim_datagram_send(struct sim_network *network, struct sim_socket *socket,
                          const struct socket_address *to, struct iovec bytes);
ssize_t sim_datagram_receive(struct sim_network *network, struct sim_socket *socket,
                             struct socket_address *from, struct iovec into);
void sim_datagram_arrive(struct sim_network *network, struct sim_datagram *datagram);

/* What an event would tell now. */
uint32_t sim_socket_readiness(const struct sim_network *network, struct sim_socket *socket);

#endif
