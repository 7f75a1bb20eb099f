/* SPDX-License-Identifier: Apache-2.0 */
/* The barest server: it answers every upgrade alike, and returns or spreads bytes unread. */
#ifndef ROOST_OPS_BENCH_FLOOR_H
#define ROOST_OPS_BENCH_FLOOR_H

#include <stdbool.h>
#include <stdint.h>

/* How it talks to the kernel: a call for each receive and send, or rings that take many at once. */
enum floor_poller { FLOOR_EPOLL, FLOOR_IO_URING };

/* "epoll", "io_uring"; false: there is none of that name. */
bool floor_poller_find(const char *name, enum floor_poller *out);

/* A listening socket on 127.0.0.1; *port 0 is replaced by what the kernel chose. -1 with errno. */
int floor_listen(uint16_t *port);

/* Serves until the process ends; exits with 1 where the kernel refuses. What one connection sends
 * goes to all others (`is_broadcast`), or back. `cpu` beyond the CPUs there are: not pinned. */
_Noreturn void floor_serve(int listener, bool is_broadcast, uint64_t cpu, enum floor_poller poller);

#endif
