/* SPDX-License-Identifier: Apache-2.0 */
/* The barest server: it answers every upgrade alike, and returns or spreads bytes unread. */
#ifndef ROOST_OPS_BENCH_FLOOR_H
#define ROOST_OPS_BENCH_FLOOR_H

#include <stdbool.h>
#include <stdint.h>

/* A listening socket on 127.0.0.1; *port 0 is replaced by what the kernel chose. -1 with errno. */
int floor_listen(uint16_t *port);

/* Serves until the process ends. What one connection sends goes to all others (`is_broadcast`), or
 * back. `cpu` beyond the CPUs there are: not pinned. */
_Noreturn void floor_serve(int listener, bool is_broadcast, uint64_t cpu);

#endif
