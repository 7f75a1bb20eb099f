/* SPDX-License-Identifier: Apache-2.0 */
/* The doorbell as a mutex and a condition, so that ThreadSanitizer understands it. */
#include "tests/unit/runtime/bell.h"

#include <time.h>

#include "runtime/check.h"

static struct bell *bell_of(struct poller *poller)
{
    return CONTAINER_OF(poller, struct bell, poller);
}

static void bell_wake(struct poller *poller)
{
    struct bell *bell = bell_of(poller);
    pthread_mutex_lock(&bell->lock);
    bell->count++;
    bell->total++;
    pthread_cond_signal(&bell->rung);
    pthread_mutex_unlock(&bell->lock);
}

static int bell_wait(struct poller *poller, struct poller_event *events, int max,
                     int64_t timeout_ns)
{
    (void)events;
    (void)max;
    struct bell *bell = bell_of(poller);
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += timeout_ns < 0 ? 1000000 : timeout_ns / 1000000000;
    int failure = 0;
    pthread_mutex_lock(&bell->lock);
    while (bell->count == 0 && failure == 0 && timeout_ns != 0) {
        failure = pthread_cond_timedwait(&bell->rung, &bell->lock, &end);
    }
    if (failure != 0) {
        bell->misses++;
    }
    bell->count = 0;
    pthread_mutex_unlock(&bell->lock);
    return 0;
}

void bell_init(struct bell *bell)
{
    static const struct poller_ops ops = {
        .wait = bell_wait,
        .wake = bell_wake,
    };
    *bell = (struct bell){.poller = {&ops}};
    pthread_mutex_init(&bell->lock, NULL);
    pthread_cond_init(&bell->rung, NULL);
}

void bell_destroy(struct bell *bell)
{
    pthread_cond_destroy(&bell->rung);
    pthread_mutex_destroy(&bell->lock);
}

uint32_t bell_total(struct bell *bell)
{
    pthread_mutex_lock(&bell->lock);
    const uint32_t total = bell->total;
    pthread_mutex_unlock(&bell->lock);
    return total;
}
