/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator: many nodes' shards stepped on one thread under a fake clock, joined by a fake network, all from one seed.
 *
 * The shards are the real ones (shard_step, mailboxes, timers); only the poller, the clock and chance are the simulator's. The
 * order in which shards are stepped, how bytes are split over reads, how long they travel and how much a socket takes all come
 * from the seed, so a failing run replays exactly.
 */
#ifndef ROOST_RUNTIME_SIM_H
#define ROOST_RUNTIME_SIM_H

#include "runtime/shard.h"

struct sim;

struct sim_options {
    uint64_t seed;
    uint64_t latency_us_min; /* Of one way through the network. */
    uint64_t latency_us_max;
    uint32_t split_percent;       /* How often a read or a write is cut short at a random byte. */
    uint32_t socket_buffer_bytes; /* What a socket takes before it is full; 0: 64 KiB. */
    uint32_t step_skip_percent;   /* How often a runnable shard is passed over in a round. */
};

struct sim *sim_create(const struct sim_options *options);
void sim_destroy(struct sim *sim);

/* Adds a node with `shards` shards whose actors are made by the given functions (as in shard_set_options; `pin` is ignored). Returns the
 * node's number. Listening addresses are looked up across all nodes: the connection goes to one of the node's shards that listen
 * on the address, chosen by the seed. */
uint32_t sim_add_node(struct sim *sim, const struct shard_set_options *options);
struct shard *sim_shard(struct sim *sim, uint32_t node, uint32_t shard);
/* The node is gone at once: sockets break, its memory is freed (actors get `stop`). */
void sim_remove_node(struct sim *sim, uint32_t node);

uint64_t sim_now_ms(const struct sim *sim);
struct random *sim_random(struct sim *sim); /* For the test's own choices. */

/* Steps runnable shards until nothing is left to do at this instant. Returns false when nothing was done. */
bool sim_settle(struct sim *sim);
/* Lets time pass, stepping whatever falls due. */
void sim_advance_ms(struct sim *sim, uint64_t ms);

/* The test's own end of a connection to a listening address of a node. -1: nobody listens there. */
int sim_client_connect(struct sim *sim, uint32_t node, const struct socket_address *address);
/* Bytes taken now (the rest did not fit). */
size_t sim_client_send(struct sim *sim, int client, const void *at, size_t len);
/* Bytes that have arrived; 0: none now; -1: the node closed. */
ssize_t sim_client_receive(struct sim *sim, int client, void *into, size_t len);
/* Stops taking bytes: the node's socket fills up (a slow reader). */
void sim_client_pause(struct sim *sim, int client, bool paused);
/* Orderly end, or a reset. */
void sim_client_close(struct sim *sim, int client, bool reset);

/* A digest of everything that happened (events, bytes, order): equal for equal seeds. */
uint64_t sim_digest(const struct sim *sim);

#endif
