/* SPDX-License-Identifier: Apache-2.0 */
/* A detached thread and its starter share the state; whoever is last gives it back. */
#include "ops/helper_thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/clock.h"

struct helper_thread {
    pthread_mutex_t lock;
    pthread_cond_t stopping;
    bool is_stopping;
    uint32_t holders; /* The starter and the thread; under the lock. */
    const struct helper_work *work;
    void *state;
    struct log *log;
};

static void helper_thread_release(struct helper_thread *thread)
{
    pthread_mutex_lock(&thread->lock);
    const bool is_last = --thread->holders == 0;
    pthread_mutex_unlock(&thread->lock);
    if (is_last) {
        pthread_cond_destroy(&thread->stopping);
        pthread_mutex_destroy(&thread->lock);
        log_destroy(thread->log);
        thread->work->free(thread->state);
        free(thread);
    }
}

bool helper_thread_enter(struct helper_thread *thread)
{
    pthread_mutex_lock(&thread->lock);
    if (thread->is_stopping) {
        pthread_mutex_unlock(&thread->lock);
        return false;
    }
    return true;
}

void helper_thread_leave(struct helper_thread *thread)
{
    pthread_mutex_unlock(&thread->lock);
}

/* False: it is to stop. */
static bool helper_thread_pause(struct helper_thread *thread, uint64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&thread->lock);
    while (!thread->is_stopping &&
           pthread_cond_timedwait(&thread->stopping, &thread->lock, &until) == 0) {
    }
    const bool goes_on = !thread->is_stopping;
    pthread_mutex_unlock(&thread->lock);
    return goes_on;
}

static void *helper_thread_run(void *context)
{
    struct helper_thread *thread = context;
    uint64_t pause_ms;
    do {
        log_set_time(thread->log, clock_read().wall_ms);
        pause_ms = thread->work->turn(thread, thread->log, thread->state);
    } while (helper_thread_pause(thread, pause_ms));
    helper_thread_release(thread);
    return NULL;
}

static struct helper_thread *helper_thread_create(const struct helper_work *work, void *state)
{
    struct helper_thread *thread = calloc(1, sizeof(*thread));
    struct log *log = log_create(work->name);
    if (thread == NULL || log == NULL) {
        log_destroy(log);
        free(thread);
        work->free(state);
        return NULL;
    }
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&thread->lock, NULL);
    pthread_cond_init(&thread->stopping, &clock);
    pthread_condattr_destroy(&clock);
    thread->holders = 1;
    thread->work = work;
    thread->state = state;
    thread->log = log;
    return thread;
}

struct helper_thread *helper_thread_start(const struct helper_work *work, void *state)
{
    struct helper_thread *thread = helper_thread_create(work, state);
    pthread_t id;
    if (thread == NULL) {
        return NULL;
    }
    thread->holders++;
    if (pthread_create(&id, NULL, helper_thread_run, thread) != 0) {
        thread->holders--;
        helper_thread_release(thread);
        return NULL;
    }
    pthread_detach(id);
    return thread;
}

void helper_thread_stop(struct helper_thread *thread)
{
    if (thread == NULL) {
        return;
    }
    pthread_mutex_lock(&thread->lock);
    thread->is_stopping = true;
    pthread_cond_signal(&thread->stopping);
    pthread_mutex_unlock(&thread->lock);
    helper_thread_release(thread);
}
