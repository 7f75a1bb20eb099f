/* SPDX-License-Identifier: Apache-2.0 */
/* A log that never blocks a shard: key=value lines into a ring of the shard's own, written out by a helper thread.
 *
 * A line that finds the ring full is dropped and counted; the count is logged when there is room. Each call site is limited to
 * LOG_LINES_A_SECOND lines (the next line that passes tells how many were held back), so that a flood of bad peers cannot
 * become a flood of log.
 */
#ifndef ROOST_RUNTIME_LOG_H
#define ROOST_RUNTIME_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARN,
    LOG_ERROR,
};

enum { LOG_LINES_A_SECOND = 20 };

struct log;

/* One a writer thread. `writer_name` ("shard 3", "main") goes into every line. */
struct log *log_create(const char *writer_name);
void log_destroy(struct log *log);

/* What the limiter remembers of one call site, for one log. */
struct log_site {
    uint64_t window_s;
    uint32_t lines;
    uint32_t held_back;
};

void log_set_level(enum log_level level);      /* Process-wide; before the threads start. */
bool log_level_parse(const char *text, enum log_level *out);

/* The time to print, handed in by the loop each turn. */
void log_set_time(struct log *log, int64_t wall_ms);

/* "time=... level=... at=shard 3 event=<event> <formatted key=value pairs>". Text values that may hold spaces or quotes are
 * written with %s inside quotes by LOG_TEXT. Owner only. */
void log_line(struct log *log, enum log_level level, struct log_site *site, const char *event,
              const char *format, ...) __attribute__((format(printf, 5, 6)));

#define LOG(log, level, event, ...)                                                                \
    do {                                                                                           \
        static _Thread_local struct log_site log_site_;                                            \
        log_line((log), (level), &log_site_, (event), __VA_ARGS__);                                \
    } while (0)

/* Bytes made safe for a line: control characters, quotes and non-ASCII escaped, cut to the buffer; returns out. */
const char *log_escape(const void *at, size_t len, char *out, size_t out_size);

/* The helper thread that writes every log's lines to stderr. Start once; stop writes what is left. */
bool log_writer_start(void);
void log_writer_stop(void);
/* For simulated shards and tests: writes what the log holds now, from the calling thread. */
void log_write_out(struct log *log);

uint64_t log_lines_dropped(const struct log *log);

#endif
