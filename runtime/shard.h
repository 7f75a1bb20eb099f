/* SPDX-License-Identifier: Apache-2.0 */
/* A shard: one thread's loop over messages, sockets and timers, and everything that thread owns.
 *
 * The loop holds no policy. What a message or an event means is the actor's business: `struct shard_actor` is all the shard knows
 * of it. shard_step is the only door: real threads (shard_set_start) and the simulator call the same code.
 */
#ifndef ROOST_RUNTIME_SHARD_H
#define ROOST_RUNTIME_SHARD_H

#include "runtime/clock.h"
#include "runtime/log.h"
#include "runtime/mailbox.h"
#include "runtime/poller.h"
#include "runtime/random.h"
#include "runtime/stats.h"
#include "runtime/timer.h"

struct shard;

/* What runs on a shard. All functions are called on the shard's thread. */
struct shard_actor {
    /* After the thread has its own descriptors and memory; false stops the node's start (the actor has logged why). */
    bool (*start)(void *actor, struct shard *shard);
    void (*on_message)(void *actor, const struct message *message);
    void (*on_event)(void *actor, uint64_t token, uint32_t events);
    /* Once a turn after everything else: write outputs, free what was closed in the turn before. */
    void (*on_turn_end)(void *actor);
    /* True while work waits that needs no event (the shard then does not sleep). */
    bool (*has_work)(void *actor);
    /* After the last turn. */
    void (*stop)(void *actor);
};

struct shard {
    uint32_t id;
    uint32_t count; /* Shards of this node, the router shard included (it is the last). */
    struct poller *poller;
    struct mailbox *mailbox;
    struct timer_wheel *timers;
    struct random random;
    struct log *log;
    struct stats *stats;
    uint8_t *receive_buffer; /* RECEIVE_BUFFER_SIZE bytes that one event's handling may use. */

    /* This turn's time. */
    uint64_t now_ns;
    uint64_t now_ms;
    int64_t wall_ms;

    const struct shard_actor *actor_ops;
    void *actor;

    uint64_t turns;
    uint64_t busy_ns; /* Time not spent waiting; real shards only. */
};

/* Makes a shard around what is handed to it; the shard owns poller, log and stats from now on. NULL: memory is out. */
MUST_CHECK struct shard *shard_create(uint32_t id, uint32_t count, struct poller *poller,
                                      struct mailbox *mailbox);
void shard_destroy(struct shard *shard);

/* Time passes and one turn is made: drain messages, poll (without waiting, or at most `wait_ns`), fire timers, end the turn,
 * flush the mailbox. Returns the monotonic ms at which it wants to be stepped next at the latest (0: at once, UINT64_MAX:
 * only when something arrives). */
uint64_t shard_step(struct shard *shard, struct clock_reading now, int64_t wait_ns);

/* The shards of one node on threads of their own. */
struct shard_set;

struct shard_set_options {
    uint32_t count;    /* The router shard included. */
    bool pin;          /* Shard i to the i-th allowed core, modulo; the router shard is left free. */
    const struct shard_actor *(*actor_ops)(uint32_t id);
    void *(*actor_create)(uint32_t id, void *context); /* Called before any thread starts. */
    void *context;
};

MUST_CHECK struct shard_set *shard_set_start(const struct shard_set_options *options);

/* Asks every shard to make its last turns and end; waits for the threads. */
void shard_set_stop(struct shard_set *set);
struct shard *shard_set_get(struct shard_set *set, uint32_t id);

#endif
