/* SPDX-License-Identifier: Apache-2.0 */
/* A log that never blocks a shard: key=value lines into a ring of the shard's own, written to
 * stderr by a helper thread.
 *
 * A line that finds the ring full is dropped and counted; the next line that passes tells how many
 * were (dropped=). Each call site is limited to LOG_LINES_A_SECOND lines; the next line that passes
 * tells how many were held back (held_back=), so that a flood of bad peers cannot become a flood of
 * log.
 */
#ifndef ROOST_RUNTIME_LOG_H
#define ROOST_RUNTIME_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/check.h"

enum log_level {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARN,
    LOG_ERROR,
};

enum { LOG_LINES_A_SECOND = 20 };

struct log;

/* One a writing thread. `writer_name` ("shard-3", "main"; at most 31 bytes) goes into every line.
 * NULL: memory is out. */
MUST_CHECK struct log *log_create(const char *writer_name);

/* Writes out what it holds first. NULL is allowed. */
void log_destroy(struct log *log);

/* What the limiter remembers of one call site, for one log. */
struct log_site {
    uint64_t window_s;
    uint32_t lines;
    uint32_t held_back;
};

/* Lines below this level are not written (from the start: LOG_INFO). The whole process; before the
 * threads start. */
void log_set_level(enum log_level level);

/* The time to print, handed in by the loop each turn. Owner only. */
void log_set_time(struct log *log, int64_t wall_ms);

/* "time=2024-02-29T23:59:58.123Z level=info at=shard-3 event=<event> <formatted key=value pairs>",
 * cut to LOG_LINE_MAX with "..." at the end. A value that may hold spaces or a peer's bytes is
 * written as key="%s" with log_escape; stray control characters become "?". Makes no system call
 * but one to wake a writer that sleeps. Owner only. */
void log_line(struct log *log, enum log_level level, struct log_site *site, const char *event,
              const char *format, ...) __attribute__((format(printf, 5, 6)));

#define LOG(log, level, event, ...) \
    do { \
        static _Thread_local struct log_site log_site_; \
        log_line((log), (level), &log_site_, (event), __VA_ARGS__); \
    } while (0)

/* Bytes made safe for a line: control characters, quotes, backslashes and what is not ASCII become
 * \xNN. Cut to the buffer, always terminated; returns out. */
const char *log_escape(const void *at, size_t len, char *out, size_t out_size);

/* The helper thread that writes the lines of every log to stderr. Start it once, from one thread;
 * stop writes what is left. False: no thread could be had. */
MUST_CHECK bool log_writer_start(void);
void log_writer_stop(void);

/* Writes what the log holds now, from the calling thread: for simulated shards and tests. */
void log_write_out(struct log *log);

/* Forgets what the log holds now: for simulated shards whose lines nobody wants to see. */
void log_discard(struct log *log);

/* Any thread. */
uint64_t log_lines_dropped(const struct log *log);

#endif
