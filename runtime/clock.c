/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's clocks. Both readings are answered by the vDSO and cost no system call. */
#include "runtime/clock.h"

#include <time.h>

#include "runtime/check.h"

uint64_t clock_monotonic_ns(void)
{
    struct timespec monotonic;
    BUG_IF(clock_gettime(CLOCK_MONOTONIC, &monotonic) != 0);
    return (uint64_t)monotonic.tv_sec * CLOCK_NS_A_S + (uint64_t)monotonic.tv_nsec;
}

struct clock_reading clock_read(void)
{
    struct timespec wall;
    BUG_IF(clock_gettime(CLOCK_REALTIME, &wall) != 0);
    return (struct clock_reading){
        .monotonic_ns = clock_monotonic_ns(),
        .wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000,
    };
}
