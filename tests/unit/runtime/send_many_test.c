/* SPDX-License-Identifier: Apache-2.0 */
/* Sends by the batch, each test without a ring and with one, where the kernel gives one. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/limits.h"
#include "runtime/poller.h"

static struct poller *poller;
static int ends[TURN_SENDS][2]; /* Ours, the peer's. */
static struct poller_send sends[TURN_SENDS];
static char bytes[TURN_SENDS][8];

static int open_without_ring(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_DFL); /* No send may raise it. */
    poller = poller_create_epoll();
    assert_non_null(poller);
    assert_true(poller_open_private(poller));
    for (int i = 0; i < TURN_SENDS; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends[i]), 0);
        memcpy(bytes[i], "message", 8);
        bytes[i][7] = (char)i;
        sends[i] = (struct poller_send){.socket = ends[i][0]};
        sends[i].slice.iov_base = bytes[i];
        sends[i].slice.iov_len = sizeof bytes[i];
    }
    return 0;
}

static int open_with_ring(void **state)
{
    open_without_ring(state);
    if (!poller_use_send_ring(poller)) {
        print_message("no io_uring here: %s\n", strerror(errno));
    }
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    for (int i = 0; i < TURN_SENDS; i++) {
        close(ends[i][0]);
        close(ends[i][1]);
    }
    poller_destroy(poller);
    return 0;
}

static void expect_message(int i)
{
    char got[16];
    assert_int_equal(recv(ends[i][1], got, sizeof got, 0), sizeof bytes[i]);
    assert_memory_equal(got, bytes[i], sizeof bytes[i]);
}

/* 1 + 2 + ... of the sizes is no multiple of the ring, so that batches begin anywhere in it. */
static void every_size_of_batch_arrives(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= TURN_SENDS; count += 5) {
        poller_send_many(poller, sends, count);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(sends[i].result, sizeof bytes[i]);
            expect_message((int)i);
        }
    }
    poller_send_many(poller, sends, TURN_SENDS);
    for (int i = 0; i < TURN_SENDS; i++) {
        assert_int_equal(sends[i].result, sizeof bytes[i]);
        expect_message(i);
    }
}

static void one_that_fails_does_not_touch_the_others(void **state)
{
    (void)state;
    static char much[1 << 20];
    close(ends[3][1]); /* The peer is gone. */
    ends[3][1] = dup(ends[0][1]);
    while (send(ends[5][0], much, sizeof much, MSG_DONTWAIT) > 0) {
    }
    sends[7].socket = -1;
    sends[9].slice.iov_base = much; /* More than a socket takes. */
    sends[9].slice.iov_len = sizeof much;
    for (int round = 0; round < 2; round++) {
        poller_send_many(poller, sends, 12);
        for (int i = 0; i < 12; i++) {
            if (i == 3 || i == 7) {
                assert_int_equal(sends[i].result, POLLER_GONE);
            } else if (i == 5 || (i == 9 && round == 1)) {
                assert_int_equal(sends[i].result, POLLER_AGAIN);
            } else if (i == 9) {
                assert_in_range(sends[i].result, 1, sizeof much - 1);
            } else {
                assert_int_equal(sends[i].result, sizeof bytes[i]);
                expect_message(i);
            }
        }
    }
}

/* Nothing is under way after the call: neither the bytes nor the sockets are looked at again. */
static void bytes_may_change_and_sockets_close_at_once(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        poller_send_many(poller, sends, 64);
        for (int i = 0; i < 64; i++) {
            const char was = bytes[i][0];
            bytes[i][0] = 'X';
            char got[16];
            assert_int_equal(recv(ends[i][1], got, sizeof got, 0), sizeof bytes[i]);
            assert_int_equal(got[0], was);
            bytes[i][0] = (char)('a' + round);
        }
    }
    poller_send_many(poller, sends, 2);
    close(ends[0][0]);
    char got[16];
    assert_int_equal(recv(ends[0][1], got, sizeof got, 0), sizeof bytes[0]);
    assert_int_equal(recv(ends[0][1], got, sizeof got, 0), 0); /* And then the end. */
    ends[0][0] = dup(ends[1][0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define BOTH(test) \
    cmocka_unit_test_setup_teardown(test, open_without_ring, close_all), \
        cmocka_unit_test_setup_teardown(test, open_with_ring, close_all)
        BOTH(every_size_of_batch_arrives),
        BOTH(one_that_fails_does_not_touch_the_others),
        BOTH(bytes_may_change_and_sockets_close_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
