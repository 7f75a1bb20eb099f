/* SPDX-License-Identifier: Apache-2.0 */
/* The three strengths of disbelief: what aborts, what is said once, what is counted. */
#include "runtime/check.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/clock.h"

/* Runs `act` in a child whose stderr goes into `text`; returns how the child ended. */
static int run_in_child(void (*act)(void), char *text, size_t size)
{
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(pipe_ends[1], STDERR_FILENO);
        act();
        _exit(3);
    }
    close(pipe_ends[1]);
    size_t len = 0;
    ssize_t got;
    while ((got = read(pipe_ends[0], text + len, size - 1 - len)) > 0) {
        len += (size_t)got;
    }
    text[len] = '\0';
    close(pipe_ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void do_a_bug(void)
{
    const int apples = 3;
    BUG_IF(apples == 4);
    BUG_IF(apples == 3);
}

static void a_bug_aborts_and_says_where(void **state)
{
    (void)state;
    char text[1000];
    const int status = run_in_child(do_a_bug, text, sizeof text);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, "check_test.c"));
    assert_non_null(strstr(text, "apples == 3\n"));
    assert_null(strstr(text, "apples == 4"));
}

static void do_warnings(void)
{
    int held = 0;
    for (int i = 0; i < 100; i++) {
        if (WARN_IF(i % 2 == 1)) {
            held++;
        }
    }
    _exit(held);
}

static void a_warning_is_said_once(void **state)
{
    (void)state;
    char text[1000];
    const int status = run_in_child(do_warnings, text, sizeof text);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 50);
    const char *first = strstr(text, "i % 2 == 1");
    assert_non_null(first);
    assert_null(strstr(first + 1, "i % 2 == 1"));
}

static void a_count_is_counted(void **state)
{
    (void)state;
    uint64_t counter = 0;
    int held = 0;
    for (int i = 0; i < 10; i++) {
        if (COUNT_IF(i >= 7, &counter)) {
            held++;
        }
    }
    assert_int_equal(counter, 3);
    assert_int_equal(held, 3);
}

static void the_clock_goes_forward(void **state)
{
    (void)state;
    uint64_t before = 0;
    for (int i = 0; i < 1000; i++) {
        const struct clock_reading now = clock_read();
        assert_true(now.monotonic_ns >= before);
        assert_true(now.wall_ms > 1600000000000ll); /* This was written later. */
        before = now.monotonic_ns;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bug_aborts_and_says_where),
        cmocka_unit_test(a_warning_is_said_once),
        cmocka_unit_test(a_count_is_counted),
        cmocka_unit_test(the_clock_goes_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
