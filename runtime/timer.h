/* SPDX-License-Identifier: Apache-2.0 */
/* Timers of one shard: a hierarchical wheel of 1 ms ticks (Varghese and Lauck, 1987), O(1) to set and to stop.
 *
 * Timers that fall due in one tick fire in the order in which they were set, so that a simulated run is the same each time.
 */
#ifndef ROOST_RUNTIME_TIMER_H
#define ROOST_RUNTIME_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/list.h"

struct timer;
struct timer_wheel;

typedef void timer_function(struct timer *timer, void *context);

/* Sits in the object that it wakes. Zero-initialised it is stopped. */
struct timer {
    struct list link;
    timer_function *fire;
    uint64_t due_ms;
};

/* `context` is handed to every timer that fires (the shard's actor). */
struct timer_wheel *timer_wheel_create(uint64_t now_ms, void *context);
void timer_wheel_destroy(struct timer_wheel *wheel);

/* Sets, or moves, a timer to fire at the first turn at or after due_ms (on the shard's monotonic clock). A due time that has
 * passed fires in the next turn, never inside this call. */
void timer_set(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ms, timer_function *fire);
void timer_stop(struct timer_wheel *wheel, struct timer *timer);

static inline bool timer_is_set(const struct timer *timer)
{
    return list_is_linked(&timer->link);
}

/* Fires what is due, at most `budget` timers; returns how many fired. Timers may set and stop themselves and others. */
uint32_t timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms, uint32_t budget);

/* The ms at which it should be advanced next: no later than the first due time, though it may be earlier; UINT64_MAX when
 * nothing is set. At or before "now" when due timers were left by the budget. */
uint64_t timer_wheel_next_ms(const struct timer_wheel *wheel);

#endif
