/* SPDX-License-Identifier: Apache-2.0 */
/* What log.c, which fills logs, shares with log_writer.c, which empties them. For these two. */
#ifndef ROOST_RUNTIME_LOG_RING_H
#define ROOST_RUNTIME_LOG_RING_H

#include <stdint.h>

#include "runtime/list.h"
#include "runtime/log.h"

struct log {
    /* The consumer's: whoever holds the list's lock. */
    uint64_t head; /* Bytes written out; atomic. */
    struct list link;

    /* The owner's. */
    uint64_t tail __attribute__((aligned(64))); /* Bytes published; atomic. */
    char *bytes;                                /* LOG_BUFFER_SIZE of them. */
    uint64_t dropped;                           /* Lines; atomic, since anybody may ask. */
    uint64_t dropped_told;
    int64_t wall_ms;
    int64_t time_s; /* What time_text says. */
    char time_text[32];
    char name[32];
};

/* Every log of the process is in one list, under a lock that no log_line takes. */
void log_list_add(struct log *log);
void log_list_remove(struct log *log);

/* After a line was published: wakes the writer thread if it sleeps. A load when it does not. */
void log_writer_rouse(void);

/* "2024-02-29T23:59:58". */
void log_format_second(int64_t unix_s, char out[static 32]);

#endif
