/* SPDX-License-Identifier: Apache-2.0 */
/* The helper thread that carries lines from the logs to stderr.
 *
 * While lines come it looks every LOG_WRITER_PAUSE_MS, so a busy shard pays no system call for a
 * line. When a look finds nothing it sleeps on `log_wanted`, and the first line after that costs
 * its shard one futex call.
 *
 * Why no line waits for ever: the writer sets log_wanted to 0 (asleep) and then looks at every
 * tail; a shard stores its tail and then reads log_wanted. All four are sequentially consistent, so
 * if the writer missed the line then the shard sees the 0 and wakes it; the futex call does not
 * sleep if log_wanted has changed meanwhile.
 */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/check.h"
#include "runtime/limits.h"
#include "runtime/log_ring.h"

enum { LOG_WRITER_PAUSE_MS = 20 };

static pthread_mutex_t log_list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list log_list = {&log_list, &log_list};

static pthread_t log_writer_thread;
static bool log_writer_runs;          /* Of the thread that starts and stops. */
static uint32_t log_writer_is_ending; /* Atomic. */
static uint32_t log_wanted = 1;       /* Atomic, futex. 0: the writer sleeps. */

void log_list_add(struct log *log)
{
    pthread_mutex_lock(&log_list_lock);
    list_append(&log_list, &log->link);
    pthread_mutex_unlock(&log_list_lock);
}

void log_list_remove(struct log *log)
{
    pthread_mutex_lock(&log_list_lock);
    list_remove(&log->link);
    pthread_mutex_unlock(&log_list_lock);
}

/* Stderr may be a full pipe: this thread is the one that may wait. What nobody can take is lost. */
static void log_write_bytes(const char *at, size_t len)
{
    while (len > 0) {
        const ssize_t written = write(STDERR_FILENO, at, len);
        if (written > 0) {
            at += written;
            len -= (size_t)written;
        } else if (written < 0 && errno == EAGAIN) {
            struct pollfd writable = {.fd = STDERR_FILENO, .events = POLLOUT};
            poll(&writable, 1, LOG_WRITER_PAUSE_MS);
        } else if (written == 0 || errno != EINTR) {
            return;
        }
    }
}

/* Under the lock. True when there was something. */
static bool log_consume(struct log *log)
{
    const uint64_t tail = __atomic_load_n(&log->tail, __ATOMIC_SEQ_CST);
    const uint64_t head = log->head;
    if (head == tail) {
        return false;
    }
    const size_t len = (size_t)(tail - head);
    const size_t at = (size_t)(head % LOG_BUFFER_SIZE);
    const size_t first = len < LOG_BUFFER_SIZE - at ? len : LOG_BUFFER_SIZE - at;
    log_write_bytes(log->bytes + at, first);
    log_write_bytes(log->bytes, len - first);
    __atomic_store_n(&log->head, tail, __ATOMIC_RELEASE);
    return true;
}

void log_write_out(struct log *log)
{
    pthread_mutex_lock(&log_list_lock);
    log_consume(log);
    pthread_mutex_unlock(&log_list_lock);
}

void log_discard(struct log *log)
{
    pthread_mutex_lock(&log_list_lock);
    const uint64_t tail = __atomic_load_n(&log->tail, __ATOMIC_SEQ_CST);
    __atomic_store_n(&log->head, tail, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&log_list_lock);
}

static bool log_consume_all(void)
{
    bool any = false;
    pthread_mutex_lock(&log_list_lock);
    for (struct list *at = log_list.next; at != &log_list; at = at->next) {
        any |= log_consume(CONTAINER_OF(at, struct log, link));
    }
    pthread_mutex_unlock(&log_list_lock);
    return any;
}

void log_writer_rouse(void)
{
    if (__atomic_load_n(&log_wanted, __ATOMIC_SEQ_CST) == 0 &&
        __atomic_exchange_n(&log_wanted, 1, __ATOMIC_SEQ_CST) == 0) {
        syscall(SYS_futex, &log_wanted, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

static void log_writer_sleep(void)
{
    __atomic_store_n(&log_wanted, 0, __ATOMIC_SEQ_CST);
    const bool is_ending = __atomic_load_n(&log_writer_is_ending, __ATOMIC_SEQ_CST) != 0;
    if (!log_consume_all() && !is_ending) {
        syscall(SYS_futex, &log_wanted, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    }
    __atomic_store_n(&log_wanted, 1, __ATOMIC_SEQ_CST);
}

static void *log_writer_main(void *unused)
{
    (void)unused;
    const struct timespec pause = {.tv_nsec = LOG_WRITER_PAUSE_MS * 1000000L};
    while (__atomic_load_n(&log_writer_is_ending, __ATOMIC_SEQ_CST) == 0) {
        if (log_consume_all()) {
            clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        } else {
            log_writer_sleep();
        }
    }
    log_consume_all();
    return NULL;
}

bool log_writer_start(void)
{
    BUG_IF(log_writer_runs);
    __atomic_store_n(&log_writer_is_ending, 0, __ATOMIC_SEQ_CST);
    /* Signals are the business of the thread that waits for them. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    log_writer_runs = pthread_create(&log_writer_thread, NULL, log_writer_main, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (log_writer_runs) {
        pthread_setname_np(log_writer_thread, "log");
    }
    return log_writer_runs;
}

void log_writer_stop(void)
{
    if (!log_writer_runs) {
        return;
    }
    __atomic_store_n(&log_writer_is_ending, 1, __ATOMIC_SEQ_CST);
    log_writer_rouse();
    pthread_join(log_writer_thread, NULL);
    log_writer_runs = false;
}
