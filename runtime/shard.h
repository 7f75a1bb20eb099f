/* SPDX-License-Identifier: Apache-2.0 */
/* A shard: one thread's loop over messages, sockets and timers, and everything that thread owns.
 *
 * The loop holds no policy. What a message or an event means is the actor's business: `struct
 * shard_actor` is all that the shard knows of it. shard_step is the only door through which time
 * comes in: the threads of shard_set_start and the simulator call the same code.
 *
 * A turn: drain messages, poll, fire timers, flush the mailbox and drain what comes of it, let the
 * actor end the turn (write outputs, free what was closed one turn ago), flush the mailbox. Only
 * then may a real shard sleep (shard_wait), so that the time of each turn is read after the wait
 * and not before it.
 */
#ifndef ROOST_RUNTIME_SHARD_H
#define ROOST_RUNTIME_SHARD_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/check.h"
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
    /* After the thread has its own descriptors and memory. False stops the node's start (the actor
     * has logged why). May set shard->stats. */
    bool (*start)(void *actor, struct shard *shard);
    void (*on_message)(void *actor, const struct message *message);
    void (*on_event)(void *actor, uint64_t token, uint32_t events);
    /* Once a turn after everything else: write outputs, free what was closed in the turn before. */
    void (*on_turn_end)(void *actor);
    /* True while work waits that needs no event (the shard then does not sleep). */
    bool (*has_work)(void *actor);
    /* Nothing has come for a while: memory that is kept for speed may go back to the system. NULL
     * is allowed. */
    void (*on_silence)(void *actor);
    /* After the last turn, while the shard still stands; frees the actor. Called exactly once for
     * each actor that was created, even if its start failed or never came; in that last case by
     * the thread that wanted to start the set. */
    void (*stop)(void *actor);
};

struct shard {
    uint32_t id;
    uint32_t count; /* Shards of this node, the router shard included (it is the last). */
    struct poller *poller;
    struct mailbox *mailbox;
    struct timer_wheel *timers; /* From shard_start on. */
    struct random random;
    struct log *log;
    struct stats *stats;     /* NULL until the actor sets it; the shard frees it. */
    uint8_t *receive_buffer; /* RECEIVE_BUFFER_SIZE bytes that one event's handling may use. */

    /* This turn's time. */
    uint64_t now_ns;
    uint64_t now_ms;
    int64_t wall_ms;
    uint64_t due_ms;     /* When this turn was to be at the latest, */
    uint64_t stalled_ms; /* and by how much all turns were later than that: see shard_awake_ms. */
    bool holds_timers;   /* For one turn: it came after a stall. */
    bool has_clock;      /* It runs on a thread, not in a simulator. */

    const struct shard_actor *actor_ops;
    void *actor;

    /* Written by the shard alone with relaxed stores; any thread may load them so. */
    uint64_t turns;
    uint64_t busy_ns; /* Time not spent asleep; real shards only. */

    /* The loop's own: what shard_wait found, for the next turn. */
    struct poller_event *events; /* TURN_EVENTS of them. */
    int events_len;
    bool is_polled; /* The next turn need not poll. */
    uint64_t polled_ns;
};

/* Makes a shard around what is handed to it. The shard owns the poller from now on (not when NULL
 * is returned: memory is out), the mailbox stays its matrix's. Chance comes from the kernel; a
 * simulator seeds shard->random afterwards. */
MUST_CHECK struct shard *shard_create(uint32_t id, uint32_t count, struct poller *poller,
                                      struct mailbox *mailbox);

/* Frees everything but the actor, which has been stopped before. NULL is allowed. */
void shard_destroy(struct shard *shard);

/* Gives the shard its first time and its actor, and starts the actor. False: memory is out or the
 * actor's start failed; the actor's stop is still to be called. Before the first step, on the
 * shard's thread. */
MUST_CHECK bool shard_start(struct shard *shard, const struct shard_actor *ops, void *actor,
                            struct clock_reading now);

/* Time passes and one turn is made. Never waits. Returns the monotonic ms at which the shard wants
 * its next turn at the latest (0: at once, UINT64_MAX: only when something arrives). */
uint64_t shard_step(struct shard *shard, struct clock_reading now);

/* A turn of a shard that is about to stop: messages alone, no events and no timers, so that what is
 * under way between shards comes to an end. */
void shard_settle(struct shard *shard, struct clock_reading now);

/* Waits for a message, an event or the time `next_ms` (what shard_step returned), if there is no
 * work, and keeps the events for the next turn. Returns the time of that turn. Real shards only:
 * this reads the clock. */
MUST_CHECK struct clock_reading shard_wait(struct shard *shard, uint64_t next_ms);

/* A clock of which a stall counts for SHARD_STALL_MS at most: of the machine, the process or this
 * thread. Whoever did not run has not heard what others said meanwhile, nor could they who stood
 * still with it say anything; so limits of time by which others are given up are kept by this
 * clock. Since a turn may be made before a timer is due by it, a timer looks again. */
static inline uint64_t shard_awake_ms(const struct shard *shard)
{
    return shard->now_ms - shard->stalled_ms;
}

/* What time it is within a turn, to measure what parts of a turn take and for nothing else: in a
 * simulator it is the turn's. */
static inline uint64_t shard_clock_ns(const struct shard *shard)
{
    return shard->has_clock ? clock_monotonic_ns() : shard->now_ns;
}

/* The shards of one node on threads of their own. */
struct shard_set;

struct shard_set_options {
    uint32_t count;                 /* The router shard included. */
    struct mailbox_limits mailbox;  /* Zero: as in limits.h. */
    const char *congestion_control; /* See poller_use_congestion_control. */
    bool io_uring;                  /* Sends leave by the batch where the kernel allows it. */
    bool pin; /* Shard i to the i-th allowed core, modulo; the router shard is left free. */
    const struct shard_actor *(*actor_ops)(uint32_t id);
    /* Called for each shard before any thread starts. NULL makes the start fail. */
    void *(*actor_create)(uint32_t id, void *context);
    void *context;
};

/* Returns when every actor has started. NULL when one of them did not, or threads, descriptors or
 * memory are out: then everything was stopped and freed again. */
MUST_CHECK struct shard_set *shard_set_start(const struct shard_set_options *options);

/* Lets every shard go on until no message is under way between them (or SHARD_STOP_MS_MAX have
 * passed), then stops the actors, each on its thread, waits for the threads and frees the set. */
void shard_set_stop(struct shard_set *set);

/* For what any thread may read of a shard: counters, stats, poller_wake. */
struct shard *shard_set_get(struct shard_set *set, uint32_t id);

#endif
