/* SPDX-License-Identifier: Apache-2.0 */
/* Who is connected to the floor, by descriptor, and what each upgrade is answered with. */
#ifndef ROOST_OPS_BENCH_FLOOR_CLIENTS_H
#define ROOST_OPS_BENCH_FLOOR_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct floor_clients {
    bool is_broadcast; /* What one sends goes to all others, not back. */
    char answer[256];  /* To every upgrade. */
    size_t answer_len;
    bool *is_upgraded; /* By descriptor. */
    int *open;         /* Descriptors that are upgraded. */
    uint32_t *at;      /* By descriptor: where in `open`. */
    uint32_t open_len;
    uint32_t descriptors_max; /* Below it, and below `most`. */
};

/* Raises the limit of descriptors to what may be had. False: memory is out. */
bool floor_clients_init(struct floor_clients *clients, bool is_broadcast, uint32_t most);

/* A descriptor that asked for its upgrade; and one that is gone, whether it had or not. */
void floor_clients_join(struct floor_clients *clients, int fd);
void floor_clients_leave(struct floor_clients *clients, int fd);

#endif
