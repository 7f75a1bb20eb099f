/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's poller against real sockets on the loopback interface. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/clock.h"
#include "runtime/poller.h"

enum {
    LISTENER_TOKEN = 1,
    CONN_TOKEN = 2,
    FOREVER = -1,
};

struct fixture {
    struct poller *poller;
    int listener;
    struct socket_address address;
};

static struct poller *open_poller(void)
{
    struct poller *poller = poller_create_epoll();
    assert_non_null(poller);
    assert_true(poller_open_private(poller));
    return poller;
}

static struct fixture *open_fixture_at(const char *host)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->poller = open_poller();
    assert_true(socket_address_parse(host, 0, &fixture->address));
    fixture->listener = poller_listen(fixture->poller, &fixture->address, 64);
    assert_true(fixture->listener >= 0);
    assert_true(poller_epoll_local_address(fixture->poller, fixture->listener, &fixture->address));
    assert_int_not_equal(fixture->address.port, 0);
    assert_true(poller_watch(fixture->poller, fixture->listener, LISTENER_TOKEN));
    return fixture;
}

static struct fixture *open_fixture(void)
{
    return open_fixture_at("127.0.0.1");
}

static void close_fixture(struct fixture *fixture)
{
    poller_close(fixture->poller, fixture->listener);
    poller_destroy(fixture->poller);
    free(fixture);
}

/* A blocking client's socket, with small buffers so that they fill up soon. */
static int connect_client(const struct fixture *fixture)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons(fixture->address.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client >= 0);
    const int size = 4096;
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
    return client;
}

/* Waits until `events` were all seen with the token; returns all that were seen with it. */
static uint32_t await_events(struct poller *poller, uint64_t token, uint32_t events)
{
    uint32_t seen = 0;
    while ((seen & events) != events) {
        struct poller_event found[4];
        const int count = poller_wait(poller, found, 4, FOREVER);
        for (int i = 0; i < count; i++) {
            if (found[i].token == token) {
                seen |= found[i].events;
            }
        }
    }
    return seen;
}

static int accept_conn(struct fixture *fixture, struct socket_address *peer)
{
    int conn = poller_accept(fixture->poller, fixture->listener, peer);
    while (conn == POLLER_AGAIN) {
        await_events(fixture->poller, LISTENER_TOKEN, POLLER_READABLE);
        conn = poller_accept(fixture->poller, fixture->listener, peer);
    }
    assert_true(conn >= 0);
    assert_true(poller_watch(fixture->poller, conn, CONN_TOKEN));
    return conn;
}

static void expect_no_events(struct poller *poller)
{
    struct poller_event event;
    assert_int_equal(poller_wait(poller, &event, 1, 0), 0);
}

static ssize_t send_text(struct poller *poller, int conn, const char *first, const char *second)
{
    const struct iovec slices[2] = {
        {.iov_base = (void *)(uintptr_t)first, .iov_len = strlen(first)},
        {.iov_base = (void *)(uintptr_t)second, .iov_len = strlen(second)},
    };
    return poller_send(poller, conn, slices, *second == '\0' ? 1 : 2);
}

static void bytes_go_both_ways(void **state)
{
    (void)state;
    struct fixture *fixture = open_fixture();
    assert_int_equal(poller_accept(fixture->poller, fixture->listener, NULL), POLLER_AGAIN);
    const int client = connect_client(fixture);
    struct socket_address peer;
    const int conn = accept_conn(fixture, &peer);

    struct sockaddr_in local;
    socklen_t len = sizeof(local);
    assert_int_equal(getsockname(client, (struct sockaddr *)&local, &len), 0);
    assert_int_equal(peer.family, 4);
    assert_int_equal(peer.port, ntohs(local.sin_port));

    char buffer[64];
    const uint32_t first = await_events(fixture->poller, CONN_TOKEN, POLLER_WRITABLE);
    assert_int_equal(first, POLLER_WRITABLE);
    assert_int_equal(poller_receive(fixture->poller, conn, buffer, 64), POLLER_AGAIN);
    assert_int_equal(write(client, "hello", 5), 5);
    await_events(fixture->poller, CONN_TOKEN, POLLER_READABLE);
    assert_int_equal(poller_receive(fixture->poller, conn, buffer, 64), 5);
    assert_memory_equal(buffer, "hello", 5);

    assert_int_equal(send_text(fixture->poller, conn, "a", ""), 1);
    assert_int_equal(send_text(fixture->poller, conn, "bc", "def"), 5);
    assert_int_equal(recv(client, buffer, 6, MSG_WAITALL), 6);
    assert_memory_equal(buffer, "abcdef", 6);
    close(client);
    poller_close(fixture->poller, conn);
    close_fixture(fixture);
}

static void sockets_are_as_promised(void **state)
{
    (void)state;
    struct fixture *fixture = open_fixture();
    const int client = connect_client(fixture);
    const int conn = accept_conn(fixture, NULL);
    int no_delay = 0;
    socklen_t len = sizeof(no_delay);
    assert_int_equal(getsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &no_delay, &len), 0);
    assert_int_not_equal(no_delay, 0);
    for (int i = 0; i < 2; i++) {
        const int socket = i == 0 ? conn : fixture->listener;
        assert_true((fcntl(socket, F_GETFL) & O_NONBLOCK) != 0);
        assert_true((fcntl(socket, F_GETFD) & FD_CLOEXEC) != 0);
    }
    close(client);
    poller_close(fixture->poller, conn);
    close_fixture(fixture);
}

static void congestion_control_is_inherited_from_the_listener(void **state)
{
    (void)state;
    assert_false(poller_has_congestion_control("fastest"));
    assert_true(poller_has_congestion_control("reno"));
    struct fixture *fixture = open_fixture();
    poller_use_congestion_control(fixture->poller, "reno");
    poller_close(fixture->poller, fixture->listener);
    fixture->listener = poller_listen(fixture->poller, &fixture->address, 64);
    assert_true(fixture->listener >= 0);
    assert_true(poller_watch(fixture->poller, fixture->listener, LISTENER_TOKEN));
    const int client = connect_client(fixture);
    const int conn = accept_conn(fixture, NULL);
    char name[16] = "";
    socklen_t len = sizeof(name);
    assert_int_equal(getsockopt(conn, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
    assert_string_equal(name, "reno");
    close(client);
    poller_close(fixture->poller, conn);
    close_fixture(fixture);
}

static void an_edge_is_told_once(void **state)
{
    (void)state;
    struct fixture *fixture = open_fixture();
    const int client = connect_client(fixture);
    const int conn = accept_conn(fixture, NULL);
    assert_int_equal(write(client, "12", 2), 2);
    await_events(fixture->poller, CONN_TOKEN, POLLER_READABLE);
    expect_no_events(fixture->poller);

    /* Half is read: still no edge, until more comes. */
    char byte;
    assert_int_equal(poller_receive(fixture->poller, conn, &byte, 1), 1);
    expect_no_events(fixture->poller);
    assert_int_equal(write(client, "3", 1), 1);
    /* What else is true is told with it. */
    const uint32_t seen = await_events(fixture->poller, CONN_TOKEN, POLLER_READABLE);
    assert_int_equal(seen, POLLER_READABLE | POLLER_WRITABLE);
    close(client);
    poller_close(fixture->poller, conn);
    close_fixture(fixture);
}

static void a_full_socket_tells_when_it_has_room(void **state)
{
    (void)state;
    struct fixture *fixture = open_fixture();
    const int client = connect_client(fixture);
    const int conn = accept_conn(fixture, NULL);
    await_events(fixture->poller, CONN_TOKEN, POLLER_WRITABLE);
    static uint8_t zeros[65536];
    const struct iovec slices[2] = {{zeros, 40000}, {zeros, 25536}};
    size_t sent = 0;
    ssize_t taken;
    while ((taken = poller_send(fixture->poller, conn, slices, 2)) > 0) {
        sent += (size_t)taken;
    }
    assert_int_equal(taken, POLLER_AGAIN);
    expect_no_events(fixture->poller);
    for (size_t left = sent; left > 0; left -= (size_t)taken) {
        taken = read(client, zeros, sizeof(zeros));
        assert_true(taken > 0);
    }
    await_events(fixture->poller, CONN_TOKEN, POLLER_WRITABLE);
    assert_true(poller_send(fixture->poller, conn, slices, 2) > 0);
    close(client);
    poller_close(fixture->poller, conn);
    close_fixture(fixture);
}

static void the_peers_end_is_told_and_writing_goes_on(void **state)
{
    (void)state;
    struct fixture *fixture = open_fixture();
    const int client = connect_client(fixture);
    const int conn = accept_conn(fixture, NULL);
    assert_int_equal(write(client, "bye", 3), 3);
    shutdown(client, SHUT_WR);
    await_events(fixture->poller, CONN_TOKEN, POLLER_READABLE | POLLER_HANGUP);
    char buffer[16];
    assert_int_equal(poller_receive(fixture->poller, conn, buffer, 16), 3);
    assert_int_equal(poller_receive(fixture->poller, conn, buffer, 16), 0);
    assert_int_equal(send_text(fixture->poller, conn, "bye", ""), 3);
    poller_shutdown_output(fixture->poller, conn);
    assert_int_equal(recv(client, buffer, 16, MSG_WAITALL), 3);
    poller_close(fixture->poller, conn);
    close(client);
    close_fixture(fixture);
}

static void a_reset_is_told_and_ends_both_ways(void **state)
{
    (void)state;
    struct fixture *fixture = open_fixture();
    const int client = connect_client(fixture);
    const int conn = accept_conn(fixture, NULL);
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(client);
    await_events(fixture->poller, CONN_TOKEN, POLLER_HANGUP);
    char buffer[16];
    assert_int_equal(poller_receive(fixture->poller, conn, buffer, 16), POLLER_GONE);
    /* Without a SIGPIPE, which would end this test. */
    assert_int_equal(send_text(fixture->poller, conn, "a", ""), POLLER_GONE);
    assert_int_equal(send_text(fixture->poller, conn, "a", "b"), POLLER_GONE);
    poller_close(fixture->poller, conn);
    close_fixture(fixture);
}

static void a_connection_reset_in_the_queue_is_no_failure(void **state)
{
    (void)state;
    struct fixture *fixture = open_fixture();
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    const int first = connect_client(fixture);
    assert_int_equal(setsockopt(first, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(first);
    const int second = connect_client(fixture);
    int accepted[3];
    uint32_t count = 0;
    int conn;
    while ((conn = poller_accept(fixture->poller, fixture->listener, NULL)) >= 0) {
        assert_true(count < 3);
        accepted[count++] = conn;
    }
    assert_int_equal(conn, POLLER_AGAIN);
    assert_true(count >= 1);
    for (uint32_t i = 0; i < count; i++) {
        poller_close(fixture->poller, accepted[i]);
    }
    close(second);
    close_fixture(fixture);
}

static void no_descriptors_left_is_told_apart(void **state)
{
    (void)state;
    struct fixture *fixture = open_fixture();
    const int client = connect_client(fixture);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const int lowest = dup(client);
    close(lowest);
    const struct rlimit none = {.rlim_cur = (rlim_t)lowest, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const int refused = poller_accept(fixture->poller, fixture->listener, NULL);
    const int unheard = poller_listen(fixture->poller, &fixture->address, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(refused, POLLER_EXHAUSTED);
    assert_int_equal(unheard, POLLER_EXHAUSTED);
    /* The connection waited. */
    const int conn = accept_conn(fixture, NULL);
    poller_close(fixture->poller, conn);
    close(client);
    close_fixture(fixture);
}

static void shards_share_an_address_and_others_do_not(void **state)
{
    (void)state;
    struct fixture *fixture = open_fixture();
    struct poller *other = open_poller();
    const int second = poller_listen(other, &fixture->address, 64);
    assert_true(second >= 0);
    poller_close(other, second);

    /* A listener of somebody who does not share. */
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    const int stranger = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(stranger, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(stranger, 1), 0);
    assert_int_equal(getsockname(stranger, (struct sockaddr *)&at, &len), 0);
    struct socket_address taken = fixture->address;
    taken.port = ntohs(at.sin_port);
    assert_int_equal(poller_listen(other, &taken, 1), POLLER_REFUSED);
    assert_int_equal(errno, EADDRINUSE);
    close(stranger);

    const struct socket_address none = {.family = 0};
    assert_int_equal(poller_listen(other, &none, 1), POLLER_REFUSED);
    poller_destroy(other);
    close_fixture(fixture);
}

static void ipv6_is_served_where_the_machine_has_it(void **state)
{
    (void)state;
    const int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const bool has_ipv6 = probe >= 0 && bind(probe, (struct sockaddr *)&at, sizeof(at)) == 0;
    close(probe);
    if (!has_ipv6) {
        struct poller *poller = open_poller();
        struct socket_address address;
        assert_true(socket_address_parse("::1", 0, &address));
        assert_int_equal(poller_listen(poller, &address, 1), POLLER_REFUSED);
        poller_destroy(poller);
        return;
    }
    struct fixture *fixture = open_fixture_at("::1");
    const int client = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    at.sin6_port = htons(fixture->address.port);
    assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
    struct socket_address peer;
    const int conn = accept_conn(fixture, &peer);
    assert_int_equal(peer.family, 6);
    assert_int_equal(peer.bytes[15], 1);
    int only_ipv6 = 0;
    socklen_t len = sizeof(only_ipv6);
    assert_int_equal(getsockopt(fixture->listener, IPPROTO_IPV6, IPV6_V6ONLY, &only_ipv6, &len), 0);
    assert_int_equal(only_ipv6, 1);
    close(client);
    poller_close(fixture->poller, conn);
    close_fixture(fixture);
}

static void the_doorbell_ends_a_wait_once(void **state)
{
    (void)state;
    struct poller *poller = open_poller();
    struct poller_event event;
    for (int i = 0; i < 3; i++) {
        poller_wake(poller);
        poller_wake(poller);
        /* Without the bell this would never return. */
        assert_int_equal(poller_wait(poller, &event, 1, FOREVER), 0);
        const uint64_t before_ns = clock_read().monotonic_ns;
        assert_int_equal(poller_wait(poller, &event, 1, 1500000), 0);
        assert_true(clock_read().monotonic_ns - before_ns >= 1500000);
    }
    poller_destroy(poller);
}

struct ringer {
    struct poller *mine;
    struct poller *others;
    bool is_open;
    int private_descriptor;
};

/* A shard's thread: its own table, another's doorbell, its own wait. */
static void *ringer_main(void *argument)
{
    struct ringer *ringer = argument;
    ringer->is_open = unshare(CLONE_FILES) == 0 && poller_open_private(ringer->mine);
    if (ringer->is_open) {
        struct poller_event event;
        ringer->private_descriptor = dup(STDERR_FILENO);
        for (int i = 0; i < 100; i++) {
            poller_wake(ringer->others);
            poller_wait(ringer->mine, &event, 1, FOREVER);
        }
    }
    return NULL;
}

static void doorbells_work_between_parted_descriptor_tables(void **state)
{
    (void)state;
    struct ringer ringers[2] = {{.mine = poller_create_epoll()}, {.mine = poller_create_epoll()}};
    pthread_t threads[2];
    ringers[0].others = ringers[1].mine;
    ringers[1].others = ringers[0].mine;
    const int before = dup(STDERR_FILENO);
    for (int i = 0; i < 2; i++) {
        assert_non_null(ringers[i].mine);
        assert_int_equal(pthread_create(&threads[i], NULL, ringer_main, &ringers[i]), 0);
    }
    /* Bells merge, so either thread may still wait for one that was already heard. */
    for (int i = 0; i < 2; i++) {
        while (pthread_tryjoin_np(threads[i], NULL) == EBUSY) {
            poller_wake(ringers[0].mine);
            poller_wake(ringers[1].mine);
            sched_yield();
        }
        assert_true(ringers[i].is_open);
    }
    /* What the threads opened is not ours, and what we have is still open after the destruction. */
    const int here = dup(STDERR_FILENO);
    assert_int_equal(here, before + 1);
    for (int i = 0; i < 2; i++) {
        poller_destroy(ringers[i].mine);
    }
    assert_true(fcntl(before, F_GETFD) >= 0);
    assert_true(fcntl(here, F_GETFD) >= 0);
    close(before);
    close(here);
}

static struct poller *signalled;

static void on_signal(int number)
{
    (void)number;
    errno = E2BIG;
    poller_wake(signalled);
    assert_int_equal(errno, E2BIG);
}

static void a_signal_ends_a_wait_and_its_handler_may_ring(void **state)
{
    (void)state;
    signalled = open_poller();
    const struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    struct poller_event event;
    raise(SIGUSR1);
    assert_int_equal(poller_wait(signalled, &event, 1, FOREVER), 0);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
    poller_destroy(signalled);
}

static void closed_sockets_are_heard_of_no_more(void **state)
{
    (void)state;
    struct fixture *fixture = open_fixture();
    const int client = connect_client(fixture);
    const int conn = accept_conn(fixture, NULL);
    assert_int_equal(write(client, "x", 1), 1);
    poller_close(fixture->poller, conn);
    struct poller_event event;
    while (poller_wait(fixture->poller, &event, 1, 0) > 0) {
        assert_int_not_equal(event.token, CONN_TOKEN);
    }
    close(client);
    close_fixture(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_both_ways),
        cmocka_unit_test(sockets_are_as_promised),
        cmocka_unit_test(congestion_control_is_inherited_from_the_listener),
        cmocka_unit_test(an_edge_is_told_once),
        cmocka_unit_test(a_full_socket_tells_when_it_has_room),
        cmocka_unit_test(the_peers_end_is_told_and_writing_goes_on),
        cmocka_unit_test(a_reset_is_told_and_ends_both_ways),
        cmocka_unit_test(a_connection_reset_in_the_queue_is_no_failure),
        cmocka_unit_test(no_descriptors_left_is_told_apart),
        cmocka_unit_test(shards_share_an_address_and_others_do_not),
        cmocka_unit_test(ipv6_is_served_where_the_machine_has_it),
        cmocka_unit_test(the_doorbell_ends_a_wait_once),
        cmocka_unit_test(doorbells_work_between_parted_descriptor_tables),
        cmocka_unit_test(a_signal_ends_a_wait_and_its_handler_may_ring),
        cmocka_unit_test(closed_sockets_are_heard_of_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
