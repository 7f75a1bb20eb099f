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
 * listener. The whole world belongs to the thread that made it.
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
 * get `stop`. Its number is not used again. */
void sim_remove_node(struct sim *sim, uint32_t node);

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

/* Connections that this node's shards hold or have queued: for tests that nothing leaks. */
uint32_t sim_node_connections(const struct sim *sim, uint32_t node);

/* A digest of everything that happened (events, bytes, order): equal for equal seeds. */
uint64_t sim_digest(const struct sim *sim);

#endif
