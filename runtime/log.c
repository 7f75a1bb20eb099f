/* SPDX-License-Identifier: Apache-2.0 */
/* A shard's lines on their way to stderr: formatted by the shard, copied out by another thread.
 *
 * Each log is a ring of bytes with one producer, its owner, and one consumer at a time, whoever
 * holds the lock of the list of logs (log_writer.c). `tail` and `head` count bytes since the
 * beginning and never wrap in practice; the producer publishes whole lines, so the consumer may
 * write out whatever it finds.
 */
#include "runtime/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/check.h"
#include "runtime/limits.h"
#include "runtime/log_ring.h"

static const char *const log_level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARN] = "warn",
    [LOG_ERROR] = "error",
};

static uint32_t log_level_min = LOG_INFO;

void log_set_level(enum log_level level)
{
    __atomic_store_n(&log_level_min, (uint32_t)level, __ATOMIC_RELAXED);
}

struct log *log_create(const char *writer_name)
{
    struct log *log = aligned_alloc(_Alignof(struct log), sizeof *log);
    if (log == NULL) {
        return NULL;
    }
    memset(log, 0, sizeof *log);
    log->bytes = malloc(LOG_BUFFER_SIZE);
    if (log->bytes == NULL) {
        free(log);
        return NULL;
    }
    log_escape(writer_name, strlen(writer_name), log->name, sizeof log->name);
    log->time_s = INT64_MIN;
    log_list_add(log);
    return log;
}

void log_destroy(struct log *log)
{
    if (log == NULL) {
        return;
    }
    log_write_out(log);
    log_list_remove(log);
    free(log->bytes);
    free(log);
}

void log_set_time(struct log *log, int64_t wall_ms)
{
    log->wall_ms = wall_ms;
}

uint64_t log_lines_dropped(const struct log *log)
{
    return __atomic_load_n(&log->dropped, __ATOMIC_RELAXED);
}

/* ---- the text of a line ---- */

/* A line being written into a buffer that always keeps room for the newline. */
struct log_text {
    char *at;
    size_t len;
    size_t room;
};

/* What does not fit is cut. */
__attribute__((format(printf, 2, 0))) static void
log_text_add_list(struct log_text *text, const char *format, va_list list)
{
    const size_t left = text->room - text->len;
    const int wanted = vsnprintf(text->at + text->len, left, format, list);
    if (wanted > 0) {
        text->len += (size_t)wanted < left ? (size_t)wanted : left - 1;
    }
}

__attribute__((format(printf, 2, 3))) static void log_text_add(struct log_text *text,
                                                               const char *format, ...)
{
    va_list list;
    va_start(list, format);
    log_text_add_list(text, format, list);
    va_end(list);
}

/* "2024-02-29T23:59:58" of a Unix time, by the civil calendar's 400-year cycle (the C library's way
 * takes a lock and may read a file). Years begin in March here, so that leap days come last. */
void log_format_second(int64_t unix_s, char out[static 32])
{
    int64_t days = unix_s / 86400;
    int64_t second = unix_s % 86400;
    if (second < 0) {
        second += 86400;
        days--;
    }
    days += 719468; /* From 1 March of the year 0. */
    const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    const int64_t day_of_era = days - era * 146097;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t month_from_march = (5 * day_of_year + 2) / 153;
    const int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    const int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    const int64_t year = year_of_era + era * 400 + (month <= 2);
    snprintf(out, 32, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, (int)month, (int)day,
             (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60));
}

static void log_text_add_head(struct log_text *text, struct log *log, enum log_level level,
                              const char *event)
{
    const int64_t second = log->wall_ms / 1000 - (log->wall_ms % 1000 < 0);
    if (second != log->time_s) {
        log->time_s = second;
        log_format_second(second, log->time_text);
    }
    log_text_add(text, "time=%s.%03dZ level=%s at=%s event=%s", log->time_text,
                 (int)(log->wall_ms - second * 1000), log_level_names[level], log->name, event);
}

/* Whatever the values held, one call makes one line. */
static void log_text_end(struct log_text *text)
{
    for (size_t i = 0; i < text->len; i++) {
        const unsigned char byte = (unsigned char)text->at[i];
        if (byte < 0x20 || byte == 0x7f) {
            text->at[i] = '?';
        }
    }
    if (text->len == text->room - 1) {
        memcpy(text->at + text->len - 3, "...", 3);
    }
    text->at[text->len++] = '\n';
}

/* ---- the limiter ---- */

/* True when the line may pass; *held_back is how many did not before it. */
static bool log_site_admits(struct log_site *site, int64_t wall_ms, uint32_t *held_back)
{
    const uint64_t second = (uint64_t)(wall_ms / 1000);
    if (site->window_s != second) {
        site->window_s = second;
        site->lines = 0;
    }
    if (site->lines >= LOG_LINES_A_SECOND) {
        site->held_back++;
        return false;
    }
    site->lines++;
    *held_back = site->held_back;
    site->held_back = 0;
    return true;
}

/* ---- the ring ---- */

static bool log_put(struct log *log, const char *line, size_t len)
{
    const uint64_t tail = log->tail;
    const uint64_t head = __atomic_load_n(&log->head, __ATOMIC_ACQUIRE);
    if (len > LOG_BUFFER_SIZE - (size_t)(tail - head)) {
        return false;
    }
    const size_t at = (size_t)(tail % LOG_BUFFER_SIZE);
    const size_t first = len < LOG_BUFFER_SIZE - at ? len : LOG_BUFFER_SIZE - at;
    memcpy(log->bytes + at, line, first);
    memcpy(log->bytes, line + first, len - first);
    __atomic_store_n(&log->tail, tail + len, __ATOMIC_SEQ_CST);
    log_writer_rouse();
    return true;
}

void log_line(struct log *log, enum log_level level, struct log_site *site, const char *event,
              const char *format, ...)
{
    uint32_t held_back;
    if ((uint32_t)level < __atomic_load_n(&log_level_min, __ATOMIC_RELAXED) ||
        !log_site_admits(site, log->wall_ms, &held_back)) {
        return;
    }
    char line[LOG_LINE_MAX];
    struct log_text text = {.at = line, .room = sizeof line - 1};
    log_text_add_head(&text, log, level, event);
    if (held_back > 0) {
        log_text_add(&text, " held_back=%u", held_back);
    }
    if (log->dropped > log->dropped_told) {
        log_text_add(&text, " dropped=%llu",
                     (unsigned long long)(log->dropped - log->dropped_told));
    }
    if (format[0] != '\0') {
        va_list list;
        va_start(list, format);
        log_text_add(&text, " ");
        log_text_add_list(&text, format, list);
        va_end(list);
    }
    log_text_end(&text);
    if (log_put(log, text.at, text.len)) {
        log->dropped_told = log->dropped;
    } else {
        __atomic_store_n(&log->dropped, log->dropped + 1, __ATOMIC_RELAXED);
    }
}

const char *log_escape(const void *at, size_t len, char *out, size_t out_size)
{
    static const char digits[] = "0123456789abcdef";
    BUG_IF(out_size == 0);
    const uint8_t *bytes = at;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        const uint8_t byte = bytes[i];
        const bool is_plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
        const size_t size = is_plain ? 1 : 4;
        if (n + size >= out_size) {
            break;
        }
        if (is_plain) {
            out[n] = (char)byte;
        } else {
            out[n] = '\\';
            out[n + 1] = 'x';
            out[n + 2] = digits[byte >> 4];
            out[n + 3] = digits[byte & 15];
        }
        n += size;
    }
    out[n] = '\0';
    return out;
}
