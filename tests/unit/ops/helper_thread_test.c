/* SPDX-License-Identifier: Apache-2.0 */
/* Helper threads: turns follow each other, a pause ends when the thread is stopped, and a turn that
 * blocks holds up nobody. */
#include "ops/helper_thread.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ops/system_address.h"

#include <netinet/in.h>

struct work {
    atomic_uint turns;
    atomic_uint freed;
    atomic_uint refused; /* How often it came too late. */
    atomic_bool blocks;
    uint64_t pause_ms;
};

static uint64_t turn(struct helper_thread *thread, struct log *log, void *state)
{
    struct work *work = state;
    assert_non_null(log);
    work->turns++;
    while (work->blocks) {
        sched_yield();
    }
    if (helper_thread_enter(thread)) {
        helper_thread_leave(thread);
    } else {
        work->refused++;
    }
    return work->pause_ms;
}

static void end(void *state)
{
    ((struct work *)state)->freed++;
}

static const struct helper_work counted = {"test", turn, end};

static void until(const atomic_uint *counter, unsigned value)
{
    while (atomic_load(counter) < value) {
        sched_yield();
    }
}

static void turns_follow_each_other(void **state)
{
    (void)state;
    struct work work = {.pause_ms = 1};
    struct helper_thread *thread = helper_thread_start(&counted, &work);
    assert_non_null(thread);
    until(&work.turns, 3);
    helper_thread_stop(thread);
    until(&work.freed, 1);
    assert_int_equal(work.freed, 1);
}

static void a_pause_ends_with_the_thread(void **state)
{
    (void)state;
    struct work work = {.pause_ms = 3600 * 1000};
    struct helper_thread *thread = helper_thread_start(&counted, &work);
    until(&work.turns, 1);
    helper_thread_stop(thread);
    until(&work.freed, 1);
    assert_int_equal(work.turns, 1);
}

static void a_turn_that_blocks_is_not_waited_for(void **state)
{
    (void)state;
    struct work work = {.blocks = true};
    struct helper_thread *thread = helper_thread_start(&counted, &work);
    until(&work.turns, 1);
    helper_thread_stop(thread);
    assert_int_equal(work.freed, 0);
    work.blocks = false;
    until(&work.freed, 1);
    assert_int_equal(work.refused, 1);
    helper_thread_stop(NULL);
}

static void addresses_are_read(void **state)
{
    (void)state;
    struct socket_address read;
    const struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
    assert_true(system_address_read((const struct sockaddr *)&four, 80, &read));
    assert_true(read.family == 4 && read.port == 80);
    assert_memory_equal(read.bytes, "\x0a\0\0\x01", 4);
    const struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    assert_true(system_address_read((const struct sockaddr *)&six, 1, &read));
    assert_true(read.family == 6 && read.bytes[15] == 1);
    const struct sockaddr other = {.sa_family = AF_UNIX};
    assert_false(system_address_read(&other, 1, &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_follow_each_other),
        cmocka_unit_test(a_pause_ends_with_the_thread),
        cmocka_unit_test(a_turn_that_blocks_is_not_waited_for),
        cmocka_unit_test(addresses_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
