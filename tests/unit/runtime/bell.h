/* SPDX-License-Identifier: Apache-2.0 */
/* A poller that knows no sockets, only the doorbell: what tests of waking up need. */
#ifndef ROOST_TESTS_UNIT_RUNTIME_BELL_H
#define ROOST_TESTS_UNIT_RUNTIME_BELL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/poller.h"

struct bell {
    struct poller poller;
    pthread_mutex_t lock;
    pthread_cond_t rung;
    uint32_t count;  /* Rung and not yet heard. */
    uint32_t total;  /* Rung at all. */
    uint32_t misses; /* Waits that ended by their timeout. */
};

void bell_init(struct bell *bell);
void bell_destroy(struct bell *bell);

/* How often it was rung; from any thread. */
uint32_t bell_total(struct bell *bell);

#endif
