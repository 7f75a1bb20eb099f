/* SPDX-License-Identifier: Apache-2.0 */
/* The barest server on io_uring. */
#ifndef ROOST_OPS_BENCH_FLOOR_URING_H
#define ROOST_OPS_BENCH_FLOOR_URING_H

#include <stdbool.h>

/* As floor_serve; returns only when the kernel gives no ring or no memory, with errno. */
void floor_uring_serve(int listener, bool is_broadcast);

#endif
