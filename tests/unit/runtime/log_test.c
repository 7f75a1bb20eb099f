/* SPDX-License-Identifier: Apache-2.0 */
/* The log: what a line says, what is held back or dropped, and lines of many threads at once. */
#include "runtime/log.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/limits.h"
#include "runtime/log_ring.h"
#include "runtime/random.h"

/* Stderr as a file in memory, from capture_begin to capture_end, which returns all that was said.
 */
static int capture_file;
static int capture_stderr;

static void capture_begin(void)
{
    capture_file = memfd_create("stderr", 0);
    assert_true(capture_file >= 0);
    capture_stderr = dup(STDERR_FILENO);
    dup2(capture_file, STDERR_FILENO);
}

static char *capture_end(void)
{
    dup2(capture_stderr, STDERR_FILENO);
    close(capture_stderr);
    const off_t len = lseek(capture_file, 0, SEEK_END);
    char *text = malloc((size_t)len + 1);
    assert_non_null(text);
    assert_int_equal(pread(capture_file, text, (size_t)len, 0), len);
    text[len] = '\0';
    close(capture_file);
    return text;
}

static char *written_by(struct log *log)
{
    capture_begin();
    log_write_out(log);
    return capture_end();
}

static uint32_t count_lines(const char *text)
{
    uint32_t lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

/* A site that was never limited. */
static struct log_site fresh_site(void)
{
    return (struct log_site){.lines = 0};
}

static void a_line_says_when_where_and_what(void **state)
{
    (void)state;
    struct log *log = log_create("shard-3");
    assert_non_null(log);
    log_set_time(log, 1709251198123); /* A leap day's last second but one. */
    LOG(log, LOG_WARN, "peer.refused", "reason=%s count=%d", "garbage", 7);
    log_set_time(log, 1709251200004);
    LOG(log, LOG_ERROR, "disk.full", "free=%u", 0u);
    char *text = written_by(log);
    assert_string_equal(text, "time=2024-02-29T23:59:58.123Z level=warn at=shard-3 "
                              "event=peer.refused reason=garbage count=7\n"
                              "time=2024-03-01T00:00:00.004Z level=error at=shard-3 "
                              "event=disk.full free=0\n");
    free(text);
    text = written_by(log); /* Once. */
    assert_string_equal(text, "");
    free(text);
    log_destroy(log);
    log_destroy(NULL);
}

static void seconds_agree_with_the_c_library(void **state)
{
    (void)state;
    struct random random;
    random_init_seeded(&random, 1);
    for (int i = 0; i < 20000; i++) {
        /* The years 0 .. 9999. */
        const int64_t second = (int64_t)random_below(&random, 315569520000ull) - 62167219200;
        const time_t time = second;
        struct tm parts;
        assert_non_null(gmtime_r(&time, &parts));
        char expected[64];
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d", parts.tm_year + 1900,
                 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
        char text[32];
        log_format_second(second, text);
        assert_string_equal(text, expected);
    }
}

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    struct log *log = log_create("main");
    LOG(log, LOG_DEBUG, "unseen", "a=%d", 1);
    log_set_level(LOG_ERROR);
    LOG(log, LOG_WARN, "unseen", "a=%d", 1);
    LOG(log, LOG_ERROR, "seen", "a=%d", 1);
    log_set_level(LOG_DEBUG);
    LOG(log, LOG_DEBUG, "seen", "a=%d", 1);
    log_set_level(LOG_INFO);
    char *text = written_by(log);
    assert_int_equal(count_lines(text), 2);
    assert_null(strstr(text, "unseen"));
    free(text);
    log_destroy(log);
}

static void a_site_is_limited_each_second(void **state)
{
    (void)state;
    struct log *log = log_create("main");
    for (int64_t ms = 5000; ms < 8000; ms += 10) {
        log_set_time(log, ms);
        LOG(log, LOG_INFO, "flood", "ms=%d", (int)ms);
        if (ms % 1000 == 0) {
            LOG(log, LOG_INFO, "other", "ms=%d", (int)ms); /* Another site: not held back. */
        }
    }
    char *text = written_by(log);
    assert_int_equal(count_lines(text), 3 * LOG_LINES_A_SECOND + 3);
    const char *second = strstr(text, "ms=6000");
    assert_non_null(strstr(text, "event=flood held_back=80 ms=6000\n"));
    assert_non_null(strstr(text, "event=flood held_back=80 ms=7000\n"));
    assert_non_null(second);
    assert_non_null(strstr(second, "event=flood ms=6010\n")); /* Told once. */
    free(text);
    log_destroy(log);
}

static void a_full_log_drops_and_tells(void **state)
{
    (void)state;
    struct log *log = log_create("main");
    uint32_t sent = 0;
    while (log_lines_dropped(log) < 5) {
        struct log_site site = fresh_site();
        log_line(log, LOG_INFO, &site, "fill", "number=%u", sent++);
        assert_true(sent < LOG_BUFFER_SIZE);
    }
    char *text = written_by(log);
    assert_int_equal(count_lines(text), sent - 5);
    assert_in_range(strlen(text), LOG_BUFFER_SIZE - 200, LOG_BUFFER_SIZE);
    free(text);
    struct log_site site = fresh_site();
    log_line(log, LOG_INFO, &site, "after", "number=%u", 1u);
    log_line(log, LOG_INFO, &site, "after", "number=%u", 2u);
    text = written_by(log);
    assert_non_null(strstr(text, "event=after dropped=5 number=1\n"));
    assert_non_null(strstr(text, "event=after number=2\n"));
    free(text);
    assert_int_equal(log_lines_dropped(log), 5);
    log_destroy(log);
}

/* Lines of changing length, so that the ring's end falls at every place of a line. */
static void lines_survive_the_end_of_the_ring(void **state)
{
    (void)state;
    struct log *log = log_create("main");
    static const char filler[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    for (uint32_t round = 0; round < 400; round++) {
        for (uint32_t i = 0; i < 20; i++) {
            struct log_site site = fresh_site();
            log_line(log, LOG_INFO, &site, "wrap", "%.*s=%u.%u", (int)(round * 7 + i) % 60 + 1,
                     filler, round, i);
        }
        char *text = written_by(log);
        const char *at = text;
        for (uint32_t i = 0; i < 20; i++) {
            char expected[160];
            const int len = snprintf(expected, sizeof expected,
                                     "time=1970-01-01T00:00:00.000Z level=info at=main "
                                     "event=wrap %.*s=%u.%u\n",
                                     (int)(round * 7 + i) % 60 + 1, filler, round, i);
            assert_memory_equal(at, expected, (size_t)len);
            at += len;
        }
        assert_int_equal(*at, '\0');
        free(text);
    }
    assert_int_equal(log_lines_dropped(log), 0);
    log_destroy(log);
}

static void no_value_makes_a_second_line(void **state)
{
    (void)state;
    struct log *log = log_create("ma in\"");
    LOG(log, LOG_INFO, "evil", "name=%s", "a\nlevel=error\r\x1b[31m");
    char *text = written_by(log);
    assert_int_equal(count_lines(text), 1);
    assert_non_null(strstr(text, "name=a?level=error??[31m\n"));
    assert_non_null(strstr(text, "at=ma in\\x22 "));
    free(text);
    char *huge = malloc(5000);
    memset(huge, 'y', 4999);
    huge[4999] = '\0';
    LOG(log, LOG_INFO, "huge", "name=%s", huge);
    text = written_by(log);
    assert_int_equal(strlen(text), LOG_LINE_MAX - 1);
    assert_string_equal(text + LOG_LINE_MAX - 7, "yy...\n");
    free(text);
    free(huge);
    log_destroy(log);
}

static void bytes_are_escaped_and_cut_whole(void **state)
{
    (void)state;
    char out[16];
    assert_string_equal(log_escape("plain text", 10, out, sizeof out), "plain text");
    assert_string_equal(log_escape("a\"b\\c", 5, out, sizeof out), "a\\x22b\\x5cc");
    assert_string_equal(log_escape("\0\n\xff", 3, out, sizeof out), "\\x00\\x0a\\xff");
    assert_string_equal(log_escape("\x7f\x80~", 3, out, sizeof out), "\\x7f\\x80~");
    assert_string_equal(log_escape("0123456789abcdefgh", 18, out, sizeof out), "0123456789abcde");
    assert_string_equal(log_escape("0123456789ab\n", 13, out, sizeof out), "0123456789ab");
    assert_string_equal(log_escape("", 0, out, sizeof out), "");
    assert_string_equal(log_escape("abc", 3, out, 1), "");
}

enum { WRITERS = 4, LINES = 3000 };

static void *write_lines(void *argument)
{
    struct log *log = argument;
    const struct timespec pause = {.tv_nsec = 1000000};
    for (uint32_t i = 0; i < LINES; i++) {
        struct log_site site = fresh_site();
        const uint64_t dropped = log_lines_dropped(log);
        log_line(log, LOG_INFO, &site, "thread", "number=%u", i);
        if (log_lines_dropped(log) != dropped) {
            i--; /* The writer is behind: say it again. */
            nanosleep(&pause, NULL);
        }
        if (i % 1000 == 999) {
            nanosleep(&(struct timespec){.tv_nsec = 60000000}, NULL); /* Lets it fall asleep. */
        }
    }
    return NULL;
}

static void the_writer_keeps_every_line_whole_and_in_order(void **state)
{
    (void)state;
    struct log *logs[WRITERS];
    pthread_t threads[WRITERS];
    capture_begin();
    assert_true(log_writer_start());
    for (uint32_t i = 0; i < WRITERS; i++) {
        char name[8];
        snprintf(name, sizeof name, "w%u", i);
        logs[i] = log_create(name);
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, logs[i]), 0);
    }
    for (uint32_t i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    log_writer_stop();
    char *text = capture_end();
    uint32_t next[WRITERS] = {0};
    uint32_t lines = 0;
    char *saved;
    for (char *line = strtok_r(text, "\n", &saved); line != NULL;
         line = strtok_r(NULL, "\n", &saved)) {
        uint32_t writer;
        const char *at = strstr(line, " at=w");
        const char *number = strstr(line, "number=");
        assert_non_null(at);
        assert_non_null(number);
        writer = (uint32_t)(at[5] - '0');
        assert_true(writer < WRITERS);
        assert_int_equal(strtoul(number + 7, NULL, 10), next[writer]);
        next[writer]++;
        lines++;
    }
    assert_int_equal(lines, WRITERS * LINES);
    free(text);
    for (uint32_t i = 0; i < WRITERS; i++) {
        log_destroy(logs[i]);
    }
}

/* A line that comes while the writer sleeps for good must wake it. */
static void a_sleeping_writer_is_woken_by_a_line(void **state)
{
    (void)state;
    struct log *log = log_create("main");
    capture_begin();
    assert_true(log_writer_start());
    const struct timespec pause = {.tv_nsec = 50000000};
    bool all_came = true;
    for (uint32_t i = 0; i < 5; i++) {
        nanosleep(&pause, NULL);
        struct log_site site = fresh_site();
        log_line(log, LOG_INFO, &site, "wake", "number=%u", i);
        bool came = false;
        for (uint32_t tries = 0; tries < 6000 && !came; tries++) {
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
            came = __atomic_load_n(&log->head, __ATOMIC_ACQUIRE) == log->tail;
        }
        all_came &= came;
    }
    log_writer_stop();
    char *text = capture_end();
    assert_true(all_came);
    assert_int_equal(count_lines(text), 5);
    free(text);
    log_destroy(log);
}

static void what_a_dying_log_holds_is_written(void **state)
{
    (void)state;
    struct log *log = log_create("main");
    LOG(log, LOG_INFO, "last", "words=%s", "here");
    capture_begin();
    log_destroy(log);
    char *text = capture_end();
    assert_non_null(strstr(text, "event=last words=here\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_when_where_and_what),
        cmocka_unit_test(seconds_agree_with_the_c_library),
        cmocka_unit_test(lines_below_the_level_are_not_written),
        cmocka_unit_test(a_site_is_limited_each_second),
        cmocka_unit_test(a_full_log_drops_and_tells),
        cmocka_unit_test(lines_survive_the_end_of_the_ring),
        cmocka_unit_test(no_value_makes_a_second_line),
        cmocka_unit_test(bytes_are_escaped_and_cut_whole),
        cmocka_unit_test(the_writer_keeps_every_line_whole_and_in_order),
        cmocka_unit_test(a_sleeping_writer_is_woken_by_a_line),
        cmocka_unit_test(what_a_dying_log_holds_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
