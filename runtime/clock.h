/* SPDX-License-Identifier: Apache-2.0 */
/* Time as it is handed to a shard: read once a turn by whoever steps it, never by the actors. */
#ifndef ROOST_RUNTIME_CLOCK_H
#define ROOST_RUNTIME_CLOCK_H

#include <stdint.h>

struct clock_reading {
    uint64_t monotonic_ns; /* Never goes back; its origin means nothing. */
    int64_t wall_ms;       /* Unix time; may jump. */
};

/* Reads the machine's clocks. Only the loop that steps real shards calls it. */
struct clock_reading clock_read(void);

/* The first of the two alone. */
uint64_t clock_monotonic_ns(void);

#define CLOCK_NS_A_MS 1000000ull
#define CLOCK_NS_A_S 1000000000ull

#endif
