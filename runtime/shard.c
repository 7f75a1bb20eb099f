/* SPDX-License-Identifier: Apache-2.0 */
/* One turn of a shard, and the wait between two turns. */
#include "runtime/shard.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/limits.h"

/* A shard that never sleeps asks the kernel for events at most this often: what it then finds is no
 * later than one busy turn would make it, and the system calls stay below a few percent. */
#define SHARD_POLL_GAP_NS 10000ull

static void shard_store(uint64_t *at, uint64_t value)
{
    __atomic_store_n(at, value, __ATOMIC_RELAXED);
}

struct shard *shard_create(uint32_t id, uint32_t count, struct poller *poller,
                           struct mailbox *mailbox)
{
    BUG_IF(id >= count || count > SHARDS_MAX);
    struct shard *shard = calloc(1, sizeof *shard);
    if (shard == NULL) {
        return NULL;
    }
    char name[32];
    snprintf(name, sizeof name, id + 1 == count ? "router" : "shard-%u", id);
    shard->id = id;
    shard->count = count;
    shard->mailbox = mailbox;
    shard->log = log_create(name);
    shard->receive_buffer = malloc(RECEIVE_BUFFER_SIZE);
    shard->events = calloc(TURN_EVENTS, sizeof *shard->events);
    random_init(&shard->random);
    if (shard->log == NULL || shard->receive_buffer == NULL || shard->events == NULL) {
        shard_destroy(shard);
        return NULL;
    }
    shard->poller = poller;
    return shard;
}

void shard_destroy(struct shard *shard)
{
    if (shard == NULL) {
        return;
    }
    if (shard->timers != NULL) {
        timer_wheel_destroy(shard->timers);
    }
    if (shard->poller != NULL) {
        poller_destroy(shard->poller);
    }
    if (shard->log != NULL) {
        log_destroy(shard->log);
    }
    stats_destroy(shard->stats);
    free(shard->events);
    free(shard->receive_buffer);
    free(shard);
}

static void shard_set_time(struct shard *shard, struct clock_reading now)
{
    BUG_IF(now.monotonic_ns < shard->now_ns);
    shard->now_ns = now.monotonic_ns;
    shard->now_ms = now.monotonic_ns / CLOCK_NS_A_MS;
    shard->wall_ms = now.wall_ms;
    log_set_time(shard->log, now.wall_ms);
}

/* The time of a turn that was to be at due_ms. A shard that is slow in every turn has a clock that
 * goes on, if slowly. Returns whether timers may fire: what came during a stall comes first, and
 * the events of its first turn may be those of before it. */
static bool shard_begin_turn(struct shard *shard, struct clock_reading now)
{
    shard_set_time(shard, now);
    const bool is_stalled =
        shard->now_ms > shard->due_ms && shard->now_ms - shard->due_ms > SHARD_STALL_MS;
    if (is_stalled) {
        shard->stalled_ms += shard->now_ms - shard->due_ms - SHARD_STALL_MS;
    }
    shard->holds_timers = is_stalled && !shard->holds_timers;
    return !shard->holds_timers;
}

bool shard_start(struct shard *shard, const struct shard_actor *ops, void *actor,
                 struct clock_reading now)
{
    shard_set_time(shard, now);
    shard->actor_ops = ops;
    shard->actor = actor;
    shard->timers = timer_wheel_create(shard->now_ms, actor);
    shard->due_ms = shard->now_ms;
    return shard->timers != NULL && ops->start(actor, shard);
}

static void shard_handle_events(struct shard *shard)
{
    if (!shard->is_polled) {
        shard->events_len = poller_wait(shard->poller, shard->events, TURN_EVENTS, 0);
    }
    shard->is_polled = false;
    for (int i = 0; i < shard->events_len; i++) {
        const struct poller_event *event = &shard->events[i];
        shard->actor_ops->on_event(shard->actor, event->token, event->events);
    }
}

/* What was told goes to the others now, before outputs are written, which may take milliseconds;
 * and what they, or the shard itself, tell in reply is handled in the same turn: a chain of
 * messages would else wait for the outputs of as many turns as it has links. */
static void shard_handle_replies(struct shard *shard)
{
    mailbox_flush(shard->mailbox);
    for (uint32_t round = 0; round < TURN_REPLY_ROUNDS && mailbox_has_work(shard->mailbox);
         round++) {
        mailbox_drain(shard->mailbox, TURN_MESSAGES_A_RING, shard->actor_ops->on_message,
                      shard->actor);
        mailbox_flush(shard->mailbox);
    }
}

uint64_t shard_step(struct shard *shard, struct clock_reading now)
{
    const struct shard_actor *ops = shard->actor_ops;
    const bool fires_timers = shard_begin_turn(shard, now);
    mailbox_drain(shard->mailbox, TURN_MESSAGES_A_RING, ops->on_message, shard->actor);
    shard_handle_events(shard);
    if (fires_timers) {
        timer_wheel_advance(shard->timers, shard->now_ms, TURN_TIMERS);
    }
    shard_handle_replies(shard);
    ops->on_turn_end(shard->actor);
    mailbox_flush(shard->mailbox);
    shard_store(&shard->turns, shard->turns + 1);
    if (ops->has_work(shard->actor) || mailbox_has_work(shard->mailbox) ||
        shard->events_len == TURN_EVENTS) {
        shard->due_ms = shard->now_ms;
        return 0;
    }
    const uint64_t next_ms = timer_wheel_next_ms(shard->timers);
    shard->due_ms = next_ms > shard->now_ms ? next_ms : shard->now_ms;
    return next_ms;
}

void shard_settle(struct shard *shard, struct clock_reading now)
{
    const struct shard_actor *ops = shard->actor_ops;
    shard_set_time(shard, now);
    mailbox_drain(shard->mailbox, TURN_MESSAGES_A_RING, ops->on_message, shard->actor);
    ops->on_turn_end(shard->actor);
    mailbox_flush(shard->mailbox);
    shard->is_polled = false;
    shard->events_len = 0;
}

/* Nanoseconds from now to next_ms, 0 when it has passed, -1 for ever. */
static int64_t shard_timeout_ns(uint64_t now_ns, uint64_t next_ms)
{
    if (next_ms >= INT64_MAX / CLOCK_NS_A_MS) {
        return -1;
    }
    const uint64_t next_ns = next_ms * CLOCK_NS_A_MS;
    return next_ns > now_ns ? (int64_t)(next_ns - now_ns) : 0;
}

struct clock_reading shard_wait(struct shard *shard, uint64_t next_ms)
{
    struct clock_reading now = clock_read();
    shard_store(&shard->busy_ns, shard->busy_ns + now.monotonic_ns - shard->now_ns);
    const int64_t timeout_ns = shard_timeout_ns(now.monotonic_ns, next_ms);
    shard->is_polled = true;
    if (timeout_ns != 0 && mailbox_fall_asleep(shard->mailbox)) {
        shard->events_len = poller_wait(shard->poller, shard->events, TURN_EVENTS, timeout_ns);
        mailbox_wake_up(shard->mailbox);
        now = clock_read();
        shard->polled_ns = now.monotonic_ns;
        return now;
    }
    if (shard->events_len == TURN_EVENTS ||
        now.monotonic_ns - shard->polled_ns >= SHARD_POLL_GAP_NS) {
        shard->events_len = poller_wait(shard->poller, shard->events, TURN_EVENTS, 0);
        shard->polled_ns = now.monotonic_ns;
    } else {
        shard->events_len = 0;
    }
    return now;
}
