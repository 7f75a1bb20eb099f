/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator: many nodes' shards on one thread, under a fake clock, joined by a fake network.
 *
 * The shards are the real ones (shard_step, mailboxes, timers); only the poller, the clock and
 * chance are the simulator's. The order in which shards are stepped, how bytes are cut, how long
 * they travel and how much a socket takes all come from one seed, so that a failing run replays
 * exactly. Two things must not enter into what a shard does: addresses of memory, and anything that
 * the shard was not handed.
 *
 *   test's client ==(latency, cuts, bounded)==> socket of a shard     sim_network.c
 *                                                  |  edges
 *   sim_settle, sim_advance_ms --> shard_step(shard, now)             sim.c
 *
 * Sockets behave as the kernel's do towards poll_epoll.c: an edge for each arrival, bounded buffers
 * that tell of room once they were full, resets for unread bytes, connections queueing at the
 * listener. Nodes reach each other at sim_node_address(), by connections and by datagrams, and the
 * ways between them can be cut and clogged, each direction by itself. The whole world belongs to
 * the thread that made it.
 */
#ifndef ROOST_RUNTIME_SIM_H
#define ROOST_RUNTIME_SIM_H

#include "runtime/shard.h"

struct sim;

struct sim_options {
    uint64_t seed;
    uint64_t latency_us_min; /* Of one way through the network. */
    uint64_t latency_us_max;
    uint32_t split_percent;       /* How often what is sent is cut at a random byte. */
    uint32_t socket_buffer_bytes; /* What a socket takes before it is full; 0: 64 KiB. */
    uint32_t step_skip_percent;   /* How often a runnable shard is passed over; at most 90. */
    bool writes_logs;             /* The shards' lines go to stderr; otherwise nowhere. */

    /* Of datagrams: how often one is lost, comes twice, or is late by up to datagram_late_us. */
    uint32_t datagram_lost_percent;
    uint32_t datagram_twice_percent;
    uint32_t datagram_late_percent;
    uint64_t datagram_late_us;
};

/* NULL when memory is out. Beyond this call the simulator aborts when it finds no memory. */
MUST_CHECK struct sim *sim_create(const struct sim_options *options);

/* Removes all nodes first. NULL is allowed. */
void sim_destroy(struct sim *sim);

/* What sim_add_node returns when an actor could not be made or its start returned false; all of the
 * node's actors have been stopped again. */
#define SIM_NODE_NONE UINT32_MAX

/* Adds a node whose actors are made and started as by shard_set_start (`pin` means nothing here).
 * Returns the node's number, counted from 0. */
MUST_CHECK uint32_t sim_add_node(struct sim *sim, const struct shard_set_options *options);

/* The node is gone at once: its connections are reset, nothing that it sent arrives from now on.
 * Messages under way between its shards are still handled (they may own memory), then the actors
 * get `stop`. Only sim_restart_node uses its number again. */
void sim_remove_node(struct sim *sim, uint32_t node);

/* A new life of a removed node, under its number and so at its address. False as SIM_NODE_NONE. */
MUST_CHECK bool sim_restart_node(struct sim *sim, uint32_t node,
                                 const struct shard_set_options *options);

/* Where other nodes find it, if it listens there or on "0.0.0.0". 127.0.0.1 is each node's own. */
void sim_node_address(uint32_t node, uint16_t port, struct socket_address *out);

/* NULL when the node was removed. */
struct shard *sim_shard(struct sim *sim, uint32_t node, uint32_t shard);

uint64_t sim_now_ms(const struct sim *sim);

/* For the test's own choices. */
struct random *sim_random(struct sim *sim);

/* Steps runnable shards until nothing is left to do at this instant. Returns false when nothing was
 * done. An actor that never comes to rest is a BUG. */
bool sim_settle(struct sim *sim);

/* Lets time pass, stepping whatever falls due at its time; settled at the end. */
void sim_advance_ms(struct sim *sim, uint64_t ms);

/* How many ms pass before something happens by itself: 1 or more, at most `ms_max`. For who looks
 * after each ms in which anything may have happened, and would not look at the others. */
uint64_t sim_quiet_ms(const struct sim *sim, uint64_t ms_max);

/* The test's own end of a connection to a listening address of a node: to one of the shards that
 * listen there, as the seed chooses, when the connection has travelled to it. -1: nobody listens
 * there now. */
int sim_client_connect(struct sim *sim, uint32_t node, const struct socket_address *address);

/* Bytes taken now (the rest did not fit); 0 also when the node is gone. */
size_t sim_client_send(struct sim *sim, int client, const void *at, size_t len);

/* Bytes that have arrived; 0: none now; -1: the node closed its side, or a reset came. */
ssize_t sim_client_receive(struct sim *sim, int client, void *into, size_t len);

/* A paused client receives nothing, so that the node's socket fills up: a slow reader. */
void sim_client_pause(struct sim *sim, int client, bool paused);

/* An orderly end, or a reset. The client's number may be used again by a later connection. */
void sim_client_close(struct sim *sim, int client, bool reset);

/* Connections that this node's shards hold or have queued, both those that came and those that it
 * made: for tests that nothing leaks. */
uint32_t sim_node_connections(const struct sim *sim, uint32_t node);

/* ---- what goes wrong between nodes ----
 *
 * Of one way, from one node to another: cut both for a partition. A new call for the same way
 * replaces the one before; 0 ms ends it. What connections carry is sent again until it arrives, as
 * TCP does it: a while after the way is open again.
 */

#define SIM_FOR_EVER UINT64_MAX

/* Nothing passes: datagrams are lost. */
void sim_cut(struct sim *sim, uint32_t from, uint32_t to, uint64_t for_ms);

/* What is on its way waits there, and comes at the end of it. */
void sim_clog(struct sim *sim, uint32_t from, uint32_t to, uint64_t for_ms);

/* All ways are open, now. */
void sim_heal(struct sim *sim);

/* The node is not run for a while, as by SIGSTOP or a machine that is starved. Its sockets fill. */
void sim_pause_node(struct sim *sim, uint32_t node, uint64_t for_ms);

/* For a while each turn of its shards takes so long, as on a machine that is short of processors;
 * 0 ms: it is as fast as ever. */
void sim_slow_node(struct sim *sim, uint32_t node, uint64_t turn_ms, uint64_t for_ms);

/* The network is like this from now on, but for the seed and the size of sockets' buffers. */
void sim_change(struct sim *sim, const struct sim_options *options);

/* Its wall clock is set that much forward or back. */
void sim_jump_wall_clock(struct sim *sim, uint32_t node, int64_t by_ms);

/* How often something of this has hurt. */
enum sim_fault {
    SIM_FAULT_LOST,  /* Datagrams: by chance, or on a way that was cut, */
    SIM_FAULT_TWICE, /* doubled, */
    SIM_FAULT_LATE,  /* late by chance, or on a way that was clogged. */
    SIM_FAULT_HELD,  /* Arrivals at connections that had to wait. */
    SIM_FAULT_FULL,  /* Sends that found a socket full, or were cut short. */
    SIM_FAULT_SLOW,  /* Turns that took their time. */
    SIM_FAULT_SPLIT, /* Sends that arrive in pieces. */
    SIM_FAULTS_LEN
};
uint64_t sim_faults(const struct sim *sim, enum sim_fault fault);

/* A digest of everything that happened (events, bytes, order): equal for equal seeds. */
uint64_t sim_digest(const struct sim *sim);

#endif
