/* SPDX-License-Identifier: Apache-2.0 */
/* Timers of one shard: a hierarchical wheel of 1 ms ticks (Varghese and Lauck, 1987).
 *
 * Setting and stopping are O(1). Timers that fall due in one tick fire in the order in which they
 * were set, so that a simulated run is the same each time. Due times may be any number of years
 * away: a timer moves down one level of the wheel at a time, in small portions that never delay a
 * turn. A timer due within 65 s moves at most once, one due within 4 hours at most twice.
 *
 * One shard owns a wheel and the timers in it.
 */
#ifndef ROOST_RUNTIME_TIMER_H
#define ROOST_RUNTIME_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/check.h"
#include "runtime/list.h"

struct timer;
struct timer_wheel;

typedef void timer_function(struct timer *timer, void *context);

/* Sits in the object that it wakes; 32 bytes. Zero-initialised it is stopped. It is stopped when
 * its function is called, which may set it again, stop or set others, and free the object. */
struct timer {
    struct list link;
    timer_function *fire;
    uint64_t due_ms;
};

/* `context` is handed to every timer that fires (the shard's actor). NULL when memory is out. */
MUST_CHECK struct timer_wheel *timer_wheel_create(uint64_t now_ms, void *context);

/* Timers that are still set are forgotten: their owners must not touch them again. NULL is
 * allowed. */
void timer_wheel_destroy(struct timer_wheel *wheel);

/* Sets, or moves, a timer to fire at the first turn at or after due_ms (on the shard's monotonic
 * clock). A due time that has passed fires in the next turn: never inside this call, nor in the
 * turn that is going on. */
void timer_set(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ms,
               timer_function *fire);

/* A stopped timer may be stopped again. */
void timer_stop(struct timer_wheel *wheel, struct timer *timer);

static inline bool timer_is_set(const struct timer *timer)
{
    return list_is_linked(&timer->link);
}

/* Fires what is due at now_ms, oldest tick first; returns how many fired. `budget` (1 or more)
 * bounds the timers touched: fired, or moved down a level. */
uint32_t timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms, uint32_t budget);

/* The ms at which it should be advanced next: no later than the first due time, though it may be
 * earlier; UINT64_MAX when nothing is set. At or before the last advance's now_ms when the budget
 * left something undone. */
uint64_t timer_wheel_next_ms(const struct timer_wheel *wheel);

#endif
