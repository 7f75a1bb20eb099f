/* SPDX-License-Identifier: Apache-2.0 */
/* The shards of one node on threads of their own: start, loop, and an orderly end.
 *
 *   RUN ----------------> SETTLE -----------------> END
 *   turns, as they come   messages alone, until     actors stop, threads end
 *                         none is under way
 *
 * The phase is written by the thread that started the set; shards look at it once a turn.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/buf.h"
#include "runtime/limits.h"
#include "runtime/outq.h"
#include "runtime/sanitizer.h"
#include "runtime/shard.h"

enum shard_phase {
    SHARD_RUN,
    SHARD_SETTLE,
    SHARD_END,
};

struct shard_thread {
    struct shard_set *set;
    uint32_t id;
    pthread_t thread;
    bool has_thread;
    struct poller *poller; /* Until the shard owns it. */
    struct shard *shard;
    const struct shard_actor *ops;
    void *actor;
};

struct shard_set {
    struct shard_set_options options;
    struct mailbox_matrix *matrix;
    struct shard_thread *threads;
    cpu_set_t cores;   /* Those that the process may use. */
    uint32_t phase;    /* Atomic. */
    uint32_t settling; /* Atomic: shards that handle no events any more. */

    pthread_mutex_t lock; /* Of what follows. */
    pthread_cond_t reported;
    uint32_t reports;
    uint32_t failures;
};

#if UNDER_THREAD_SANITIZER
/* It takes a descriptor's number for one thing in the whole process, and so two shards that have
 * the same number for different files for a race: between whoever made or closed the one and
 * whoever uses the other. */
const char *__tsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void)
{
    return "race:interceptor_epoll_create1$\n"
           "race:interceptor_eventfd$\n"
           "race:interceptor_socket$\n"
           "race:interceptor_accept4$\n"
           "race:interceptor_dup2$\n"
           "race:interceptor_close$\n";
}
#endif

/* ---- what makes a thread a shard's ---- */

/* jemalloc's door, NULL where another allocator is linked (the sanitizers bring theirs). */
int mallctl(const char *name, void *old, size_t *old_len, void *new, size_t new_len)
    __attribute__((weak));

/* Arenas outlive their sets, since what was allocated in one may: each is made once a process. */
static uint32_t shard_arenas[SHARDS_MAX]; /* Number + 1, 0: not made yet. Each its shard's. */

static void shard_thread_take_arena(uint32_t id)
{
    if (mallctl == NULL) {
        return;
    }
    unsigned arena;
    if (shard_arenas[id] == 0) {
        size_t len = sizeof arena;
        if (WARN_IF(mallctl("arenas.create", &arena, &len, NULL, 0) != 0)) {
            return; /* A shared arena costs speed, not correctness. */
        }
        shard_arenas[id] = arena + 1;
    }
    arena = shard_arenas[id] - 1;
    (void)WARN_IF(mallctl("thread.arena", NULL, NULL, &arena, sizeof arena) != 0);
}

/* What a busy time left with the allocator goes back to the system. */
static void shard_thread_give_memory_back(const struct shard_thread *thread)
{
    if (thread->ops->on_silence != NULL) {
        thread->ops->on_silence(thread->actor);
    }
    outq_free_kept();
    frame_free_kept();
    const uint32_t id = thread->id;
    if (mallctl == NULL || shard_arenas[id] == 0) {
        return;
    }
    char name[32];
    snprintf(name, sizeof name, "arena.%u.purge", shard_arenas[id] - 1);
    (void)WARN_IF(mallctl("thread.tcache.flush", NULL, NULL, NULL, 0) != 0);
    (void)WARN_IF(mallctl(name, NULL, NULL, NULL, 0) != 0);
}

/* The nth core of those allowed, modulo their number. */
static void shard_thread_pin(const cpu_set_t *allowed, uint32_t nth)
{
    uint32_t left = nth % (uint32_t)CPU_COUNT(allowed);
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        if (CPU_ISSET(core, allowed) && left-- == 0) {
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(core, &one);
            (void)WARN_IF(sched_setaffinity(0, sizeof one, &one) != 0);
            return;
        }
    }
}

static void shard_thread_set_name(uint32_t id, uint32_t count)
{
    char name[16];
    snprintf(name, sizeof name, id + 1 == count ? "router" : "shard-%u", id);
    pthread_setname_np(pthread_self(), name);
}

/* The router shard sends little. */
static void shard_thread_take_send_ring(struct shard_thread *thread)
{
    struct shard *shard = thread->shard;
    if (thread->set->options.io_uring && shard->id + 1 < shard->count &&
        !poller_use_send_ring(shard->poller)) {
        LOG(shard->log, LOG_INFO, "io_uring", "result=unavailable reason=\"%s\"", strerror(errno));
    }
}

/* Pinned first, so that memory is taken near the core; descriptors part before one is opened. */
static bool shard_thread_enter(struct shard_thread *thread)
{
    struct shard_set *set = thread->set;
    const uint32_t count = set->options.count;
    shard_thread_set_name(thread->id, count);
    if (set->options.pin && thread->id + 1 < count) {
        shard_thread_pin(&set->cores, thread->id);
    }
    shard_thread_take_arena(thread->id);
    const bool has_own_files = unshare(CLONE_FILES) == 0 && poller_open_private(thread->poller);
    if (WARN_IF(!has_own_files)) {
        return false;
    }
    poller_use_congestion_control(thread->poller, set->options.congestion_control);
    struct mailbox *mailbox = mailbox_of(set->matrix, thread->id);
    mailbox_claim(mailbox);
    thread->shard = shard_create(thread->id, count, thread->poller, mailbox);
    if (thread->shard == NULL) {
        return false;
    }
    thread->poller = NULL;
    thread->shard->has_clock = true;
    if (!shard_start(thread->shard, thread->ops, thread->actor, clock_read())) {
        return false;
    }
    shard_thread_take_send_ring(thread);
    return true;
}

static void shard_thread_report(struct shard_set *set, bool is_started)
{
    pthread_mutex_lock(&set->lock);
    set->reports++;
    set->failures += !is_started;
    pthread_cond_signal(&set->reported);
    pthread_mutex_unlock(&set->lock);
}

static enum shard_phase shard_set_phase(const struct shard_set *set)
{
    return (enum shard_phase)__atomic_load_n(&set->phase, __ATOMIC_ACQUIRE);
}

/* Makes turns until the set stops. The allocator looks at what it could give back only when it is
 * called, so a shard that has fallen silent does that for it, once. */
static void shard_thread_run(struct shard_thread *thread, struct clock_reading *now)
{
    struct shard *shard = thread->shard;
    uint64_t silent_from_ms = now->monotonic_ns / CLOCK_NS_A_MS;
    bool owes_memory = false;
    while (shard_set_phase(thread->set) == SHARD_RUN) {
        uint64_t next_ms = shard_step(shard, *now);
        const uint64_t silent_until_ms = silent_from_ms + SHARD_SILENCE_MS;
        if (owes_memory && next_ms > silent_until_ms) {
            next_ms = silent_until_ms;
        }
        *now = shard_wait(shard, next_ms);
        const uint64_t now_ms = now->monotonic_ns / CLOCK_NS_A_MS;
        if (shard->events_len > 0 || mailbox_has_work(shard->mailbox)) {
            silent_from_ms = now_ms;
            owes_memory = true;
        } else if (owes_memory && now_ms >= silent_until_ms) {
            shard_thread_give_memory_back(thread);
            owes_memory = false;
        }
    }
}

static void shard_thread_loop(struct shard_thread *thread)
{
    struct shard *shard = thread->shard;
    struct shard_set *set = thread->set;
    struct clock_reading now = clock_read();
    shard_thread_run(thread, &now);
    __atomic_fetch_add(&set->settling, 1, __ATOMIC_ACQ_REL);
    while (shard_set_phase(set) == SHARD_SETTLE) {
        shard_settle(shard, now);
        now = shard_wait(shard, UINT64_MAX);
    }
}

static void *shard_thread_main(void *argument)
{
    struct shard_thread *thread = argument;
    const bool is_started = shard_thread_enter(thread);
    shard_thread_report(thread->set, is_started);
    if (is_started) {
        shard_thread_loop(thread);
    }
    thread->ops->stop(thread->actor);
    thread->actor = NULL;
    mailbox_disclaim(mailbox_of(thread->set->matrix, thread->id));
    outq_free_kept();
    frame_free_kept();
    return NULL;
}

/* ---- the set ---- */

/* What was made so far, in the reverse order; the threads have ended. */
static void shard_set_free(struct shard_set *set)
{
    for (uint32_t i = 0; i < set->options.count && set->threads != NULL; i++) {
        struct shard_thread *thread = &set->threads[i];
        if (thread->actor != NULL) {
            thread->ops->stop(thread->actor);
        }
        shard_destroy(thread->shard);
        if (thread->poller != NULL) {
            poller_destroy(thread->poller);
        }
    }
    mailbox_matrix_destroy(set->matrix);
    free(set->threads);
    pthread_cond_destroy(&set->reported);
    pthread_mutex_destroy(&set->lock);
    free(set);
}

static bool shard_set_prepare(struct shard_set *set)
{
    const struct shard_set_options *options = &set->options;
    set->matrix = mailbox_matrix_create(options->count);
    set->threads = calloc(options->count, sizeof *set->threads);
    if (set->matrix == NULL || set->threads == NULL ||
        sched_getaffinity(0, sizeof set->cores, &set->cores) != 0) {
        return false;
    }
    mailbox_matrix_limit(set->matrix, &options->mailbox);
    for (uint32_t i = 0; i < options->count; i++) {
        struct shard_thread *thread = &set->threads[i];
        thread->set = set;
        thread->id = i;
        thread->ops = options->actor_ops(i);
        thread->poller = poller_create_epoll();
        if (thread->poller == NULL) {
            return false;
        }
        mailbox_set_poller(mailbox_of(set->matrix, i), thread->poller);
        thread->actor = options->actor_create(i, options->context);
        if (thread->actor == NULL) {
            return false;
        }
    }
    return true;
}

/* True when all threads run and all actors have started. */
static bool shard_set_start_threads(struct shard_set *set)
{
    /* Signals are the business of the thread that waits for them. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    uint32_t started = 0;
    while (started < set->options.count) {
        struct shard_thread *thread = &set->threads[started];
        if (pthread_create(&thread->thread, NULL, shard_thread_main, thread) != 0) {
            break;
        }
        thread->has_thread = true;
        started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_mutex_lock(&set->lock);
    while (set->reports < started) {
        pthread_cond_wait(&set->reported, &set->lock);
    }
    const bool is_whole = started == set->options.count && set->failures == 0;
    pthread_mutex_unlock(&set->lock);
    return is_whole;
}

static void shard_set_enter_phase(struct shard_set *set, enum shard_phase phase)
{
    __atomic_store_n(&set->phase, (uint32_t)phase, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < set->options.count; i++) {
        if (set->threads[i].shard != NULL) {
            poller_wake(set->threads[i].shard->poller);
        }
    }
}

static void shard_set_end(struct shard_set *set)
{
    shard_set_enter_phase(set, SHARD_END);
    for (uint32_t i = 0; i < set->options.count; i++) {
        if (set->threads[i].has_thread) {
            pthread_join(set->threads[i].thread, NULL);
        }
    }
    shard_set_free(set);
}

struct shard_set *shard_set_start(const struct shard_set_options *options)
{
    BUG_IF(options->count == 0 || options->count > SHARDS_MAX);
    struct shard_set *set = calloc(1, sizeof *set);
    if (set == NULL) {
        return NULL;
    }
    set->options = *options;
    pthread_mutex_init(&set->lock, NULL);
    pthread_cond_init(&set->reported, NULL);
    if (!shard_set_prepare(set)) {
        shard_set_free(set);
        return NULL;
    }
    if (!shard_set_start_threads(set)) {
        shard_set_end(set);
        return NULL;
    }
    return set;
}

/* True if no message was under way at some moment during this call (Mattern, 1987): what had been
 * received is counted before what has been sent, and equal figures leave nothing between them. */
static bool shard_set_is_quiet(const struct shard_set *set)
{
    if (__atomic_load_n(&set->settling, __ATOMIC_ACQUIRE) < set->options.count) {
        return false;
    }
    uint64_t received = 0;
    uint64_t sent = 0;
    for (uint32_t i = 0; i < set->options.count; i++) {
        const struct mailbox *mailbox = mailbox_of(set->matrix, i);
        received += __atomic_load_n(&mailbox_counters(mailbox)->received, __ATOMIC_ACQUIRE);
    }
    for (uint32_t i = 0; i < set->options.count; i++) {
        const struct mailbox *mailbox = mailbox_of(set->matrix, i);
        sent += __atomic_load_n(&mailbox_counters(mailbox)->sent, __ATOMIC_ACQUIRE);
    }
    return received == sent;
}

void shard_set_stop(struct shard_set *set)
{
    const struct timespec pause = {.tv_nsec = CLOCK_NS_A_MS};
    shard_set_enter_phase(set, SHARD_SETTLE);
    const uint64_t end_ns = clock_read().monotonic_ns + (uint64_t)SHARD_STOP_MS_MAX * CLOCK_NS_A_MS;
    while (!shard_set_is_quiet(set) && clock_read().monotonic_ns < end_ns) {
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    shard_set_end(set);
}

struct shard *shard_set_get(struct shard_set *set, uint32_t id)
{
    BUG_IF(id >= set->options.count);
    return set->threads[id].shard;
}
