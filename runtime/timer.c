/* SPDX-License-Identifier: Apache-2.0 */
/* The timer wheel: eight levels of two rounds each, and cascades that have a whole round to finish.
 *
 * Overview. A tick is 1 ms. Level 0 has a slot for each tick, level 1 for each 256 ticks, level 2
 * for each 65,536 ... level 7 for each 2^56. Call `t >> (8 * level)` the period of t at that level.
 * The clock stands at `now`; a timer due at `due` lies at the lowest level L with
 *
 *     period(due, L + 1) <= period(now, L + 1) + 1
 *
 * that is, where its due time is in this round of the level or in the next. So a level needs two
 * rounds of 256 slots, and a slot never holds two different periods.
 *
 * Cascades. When `now` enters a period p at level L (L > 0), the slot of p + 1 there is to be moved
 * down to level L - 1, and there is time until p + 1 begins: it is done in portions, with what the
 * budgets of the turns leave over. A million timers that fall due around the same minute therefore
 * stall nothing. That a slot is "pending" is not recorded anywhere: it is pending when it is the
 * next one and not empty.
 *
 * Order. Two timers with the same due time are always in the same list, in the order in which they
 * were set: the level is a function of `due` and `now` alone, cascades keep the order, and while a
 * slot is pending, whatever belongs to it is still appended to it and not to where it is going.
 *
 * Firing. The clock steps from tick to tick that has timers. A tick's timers move to `ready` and
 * fire from there. A timer set to a time that is not after the turn's waits in `late` for the next
 * turn, so that timers that set themselves anew cannot keep a turn from ending.
 */
#include "runtime/timer.h"

#include <assert.h>
#include <stdlib.h>

enum {
    LEVELS = 8,
    LEVEL_BITS = 8,
    ROUND = 1 << LEVEL_BITS,
    SLOTS = 2 * ROUND,
    BITMAP_WORDS = SLOTS / 64,
};

static_assert(LEVELS * LEVEL_BITS == 64, "every due time has a place");

struct timer_wheel {
    uint64_t now;    /* Every tick up to this one has been moved to `ready`. */
    uint64_t target; /* The latest turn's time; `now` is behind it while a budget is short. */
    void *context;
    struct list ready;
    struct list late;
    /* A slot's bit says that it is not empty; an empty slot's list head means nothing, so that
     * levels which nobody uses cost no memory. */
    uint64_t filled[LEVELS][BITMAP_WORDS];
    struct list slots[LEVELS][SLOTS];
};

static uint64_t period(uint64_t time, unsigned level)
{
    return level < LEVELS ? time >> (LEVEL_BITS * level) : 0;
}

static unsigned slot_of(uint64_t due, unsigned level)
{
    return (unsigned)(period(due, level) % SLOTS);
}

static bool is_filled(const struct timer_wheel *wheel, unsigned level, unsigned slot)
{
    return (wheel->filled[level][slot / 64] >> (slot % 64) & 1) != 0;
}

static void slot_append(struct timer_wheel *wheel, unsigned level, struct timer *timer)
{
    const unsigned slot = slot_of(timer->due_ms, level);
    struct list *head = &wheel->slots[level][slot];
    if (!is_filled(wheel, level, slot)) {
        wheel->filled[level][slot / 64] |= 1ull << (slot % 64);
        list_init(head);
    }
    list_append(head, &timer->link);
}

static void slot_emptied(struct timer_wheel *wheel, const struct list *head)
{
    const size_t at = (size_t)(head - &wheel->slots[0][0]);
    wheel->filled[at / SLOTS][at % SLOTS / 64] &= ~(1ull << (at % 64));
}

static bool is_slot(const struct timer_wheel *wheel, const struct list *head)
{
    return head >= &wheel->slots[0][0] && head < &wheel->slots[0][0] + LEVELS * SLOTS;
}

struct timer_wheel *timer_wheel_create(uint64_t now_ms, void *context)
{
    struct timer_wheel *wheel = calloc(1, sizeof(*wheel));
    if (wheel == NULL) {
        return NULL;
    }
    wheel->now = now_ms;
    wheel->target = now_ms;
    wheel->context = context;
    list_init(&wheel->ready);
    list_init(&wheel->late);
    return wheel;
}

void timer_wheel_destroy(struct timer_wheel *wheel)
{
    free(wheel);
}

/* Where a due time after `now` belongs: see "Order" above for the second loop. */
static unsigned level_of(const struct timer_wheel *wheel, uint64_t due)
{
    unsigned level = 0;
    while (period(due, level + 1) > period(wheel->now, level + 1) + 1) {
        level++;
    }
    for (unsigned higher = LEVELS - 1; higher > level; higher--) {
        if (is_filled(wheel, higher, slot_of(due, higher))) {
            return higher;
        }
    }
    return level;
}

void timer_set(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ms,
               timer_function *fire)
{
    timer_stop(wheel, timer);
    timer->due_ms = due_ms;
    timer->fire = fire;
    if (due_ms <= wheel->target) {
        list_append(&wheel->late, &timer->link);
    } else {
        slot_append(wheel, level_of(wheel, due_ms), timer);
    }
}

void timer_stop(struct timer_wheel *wheel, struct timer *timer)
{
    if (!timer_is_set(timer)) {
        return;
    }
    const struct list *neighbour = timer->link.next;
    const bool was_alone = neighbour == timer->link.prev;
    list_remove(&timer->link);
    if (was_alone && is_slot(wheel, neighbour)) {
        slot_emptied(wheel, neighbour);
    }
}

/* The first period after now's at a level that has timers, or UINT64_MAX. */
static uint64_t first_filled(const struct timer_wheel *wheel, unsigned level)
{
    const uint64_t *filled = wheel->filled[level];
    const uint64_t base = period(wheel->now, level) + 1;
    const unsigned first = (unsigned)(base % SLOTS);
    /* Once around, and the word in which it began again for the bits before the beginning. */
    for (unsigned i = 0; i <= BITMAP_WORDS; i++) {
        const unsigned word = (first / 64 + i) % BITMAP_WORDS;
        uint64_t bits = filled[word];
        if (i == 0) {
            bits &= UINT64_MAX << (first % 64);
        }
        if (bits != 0) {
            const unsigned slot = word * 64 + (unsigned)__builtin_ctzll(bits);
            return base + (slot - first) % SLOTS;
        }
    }
    return UINT64_MAX;
}

/* Moves the timers of one slot down a level until it is empty or the budget is spent. */
static void cascade(struct timer_wheel *wheel, unsigned level, uint64_t slot_period,
                    uint32_t *budget)
{
    struct list *head = &wheel->slots[level][slot_period % SLOTS];
    while (*budget > 0 && !list_is_empty(head)) {
        struct timer *timer = CONTAINER_OF(list_take_first(head), struct timer, link);
        slot_append(wheel, level - 1, timer);
        (*budget)--;
    }
    if (list_is_empty(head)) {
        slot_emptied(wheel, head);
    }
}

/* How far the clock may go in one step: to the next tick that has timers, to the turn's time, or to
 * where a slot becomes pending. Pending slots that begin before that are emptied first. Returns
 * `now` when the budget was too small for this. */
static uint64_t next_stop(struct timer_wheel *wheel, uint32_t *budget)
{
    uint64_t stop = wheel->target;
    /* From the top, since what comes down one level may have to go further. */
    for (unsigned level = LEVELS - 1; level > 0; level--) {
        const unsigned shift = LEVEL_BITS * level;
        uint64_t first = first_filled(wheel, level);
        if (first == period(wheel->now, level) + 1 && first << shift <= stop) {
            cascade(wheel, level, first, budget);
            if (*budget == 0) {
                return wheel->now;
            }
            first = first_filled(wheel, level);
        }
        if (first != UINT64_MAX && (first - 1) << shift > wheel->now) {
            const uint64_t pending_from = (first - 1) << shift;
            stop = pending_from < stop ? pending_from : stop;
        }
    }
    const uint64_t first_tick = first_filled(wheel, 0);
    return first_tick < stop ? first_tick : stop;
}

/* Work ahead of its time, as far as the budget goes. */
static void cascade_pending(struct timer_wheel *wheel, uint32_t budget)
{
    for (unsigned level = LEVELS - 1; level > 0 && budget > 0; level--) {
        const uint64_t next = period(wheel->now, level) + 1;
        if (is_filled(wheel, level, (unsigned)(next % SLOTS))) {
            cascade(wheel, level, next, &budget);
        }
    }
}

static void append_all(struct list *into, struct list *from)
{
    if (list_is_empty(from)) {
        return;
    }
    from->next->prev = into->prev;
    from->prev->next = into;
    into->prev->next = from->next;
    into->prev = from->prev;
    list_init(from);
}

static uint32_t fire_ready(struct timer_wheel *wheel, uint32_t budget)
{
    uint32_t fired = 0;
    while (fired < budget && !list_is_empty(&wheel->ready)) {
        struct timer *timer = CONTAINER_OF(list_take_first(&wheel->ready), struct timer, link);
        fired++;
        timer->fire(timer, wheel->context);
    }
    return fired;
}

uint32_t timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms, uint32_t budget)
{
    BUG_IF(budget == 0);
    if (now_ms > wheel->target) {
        wheel->target = now_ms;
    }
    append_all(&wheel->ready, &wheel->late);
    uint32_t fired = 0;
    for (;;) {
        const uint32_t fired_now = fire_ready(wheel, budget);
        fired += fired_now;
        budget -= fired_now;
        if (budget == 0 || wheel->now == wheel->target) {
            break;
        }
        const uint64_t stop = next_stop(wheel, &budget);
        if (stop == wheel->now) {
            break;
        }
        wheel->now = stop;
        if (is_filled(wheel, 0, slot_of(stop, 0))) {
            struct list *slot = &wheel->slots[0][slot_of(stop, 0)];
            append_all(&wheel->ready, slot);
            slot_emptied(wheel, slot);
        }
    }
    cascade_pending(wheel, budget);
    return fired;
}

uint64_t timer_wheel_next_ms(const struct timer_wheel *wheel)
{
    if (!list_is_empty(&wheel->ready) || !list_is_empty(&wheel->late)) {
        return wheel->target;
    }
    uint64_t next = first_filled(wheel, 0);
    for (unsigned level = 1; level < LEVELS; level++) {
        const uint64_t first = first_filled(wheel, level);
        if (first != UINT64_MAX) {
            /* When it becomes pending: now, if it is already. */
            const uint64_t begin = (first - 1) << (LEVEL_BITS * level);
            next = begin < next ? begin : next;
        }
    }
    return next;
}
