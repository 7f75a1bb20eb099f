/* SPDX-License-Identifier: Apache-2.0 */
/* Judges the order of one channel's publications at one receiver, in eight bytes. */
#ifndef ROOST_OPS_BENCH_ORDER_H
#define ROOST_OPS_BENCH_ORDER_H

#include <stdint.h>

/*
 * `next` is the number that is due; bit i of `seen` tells that number next - 1 - i has come. A
 * number that comes after a larger one fills its gap when it is at most ORDER_LATE_MAX behind: then
 * it is late. A number that was there already, or is older than what is remembered, is repeated.
 */
struct order {
    uint32_t next;
    uint32_t seen;
};

enum { ORDER_LATE_MAX = 32 };

enum order_verdict {
    ORDER_GOOD,     /* the one that was due */
    ORDER_GAP,      /* *missing numbers before it have not come (yet) */
    ORDER_LATE,     /* misordered: it had been counted as missing */
    ORDER_REPEATED, /* seen before */
};

/* A receiver that hears the channel from number `first` on. */
static inline struct order order_from(uint32_t first)
{
    return (struct order){.next = first, .seen = UINT32_MAX};
}

/* Numbers wrap around: the distance between two of them is what counts. */
static inline enum order_verdict order_take(struct order *order, uint32_t number, uint32_t *missing)
{
    const uint32_t ahead = number - order->next;
    if (ahead == 0) {
        order->next++;
        order->seen = order->seen << 1 | 1;
        return ORDER_GOOD;
    }
    if (ahead < UINT32_MAX / 2) {
        *missing = ahead;
        order->seen = ahead >= ORDER_LATE_MAX - 1 ? 0 : order->seen << (ahead + 1);
        order->seen |= 1;
        order->next = number + 1;
        return ORDER_GAP;
    }
    const uint32_t behind = order->next - 1 - number;
    if (behind < ORDER_LATE_MAX && (order->seen >> behind & 1) == 0) {
        order->seen |= UINT32_C(1) << behind;
        return ORDER_LATE;
    }
    return ORDER_REPEATED;
}

#endif
