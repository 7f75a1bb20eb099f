/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated sockets are like the kernel's: each case is played on both, with one expectation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/runtime/poller_ground.h"

enum {
    R = POLLER_READABLE,
    W = POLLER_WRITABLE,
    H = POLLER_HANGUP,
    QUIET_PASSES = 3,
    PASSES_MAX = 5000,
};

/* ---- verbs ---- */

static struct ground open_ground(const struct ground_ops *ops)
{
    struct ground ground = {.ops = ops};
    ops->open(&ground);
    assert_true(ground.listener >= 0);
    assert_true(poller_watch(ground.poller, ground.listener, GROUND_LISTENER_TOKEN));
    return ground;
}

static uint32_t events_now(struct ground *ground, uint64_t token)
{
    struct poller_event events[8];
    uint32_t seen = 0;
    const int count = poller_wait(ground->poller, events, 8, 0);
    for (int i = 0; i < count; i++) {
        assert_true(events[i].token == token);
        seen |= events[i].events;
    }
    return seen;
}

/* Until these have come with the token, and then nothing else may come. */
static void expect_events(struct ground *ground, uint64_t token, uint32_t expected)
{
    uint32_t seen = 0;
    for (int i = 0; i < PASSES_MAX && (seen & expected) != expected; i++) {
        ground->ops->pass(ground);
        seen |= events_now(ground, token);
    }
    for (int i = 0; i < QUIET_PASSES; i++) {
        ground->ops->pass(ground);
        seen |= events_now(ground, token);
    }
    assert_int_equal(seen, expected);
}

static void expect_quiet(struct ground *ground)
{
    expect_events(ground, GROUND_CONN_TOKEN, 0);
}

static int accept_one(struct ground *ground)
{
    int conn = POLLER_AGAIN;
    for (int i = 0; i < PASSES_MAX && conn == POLLER_AGAIN; i++) {
        ground->ops->pass(ground);
        conn = poller_accept(ground->poller, ground->listener, NULL);
    }
    assert_true(conn >= 0);
    return conn;
}

/* A connection that is watched and has told that it is writable. */
static int connect_pair(struct ground *ground, int *client)
{
    *client = ground->ops->client_connect(ground);
    expect_events(ground, GROUND_LISTENER_TOKEN, R);
    const int conn = accept_one(ground);
    assert_true(poller_watch(ground->poller, conn, GROUND_CONN_TOKEN));
    expect_events(ground, GROUND_CONN_TOKEN, W);
    return conn;
}

static void client_says(struct ground *ground, int client, const char *text)
{
    assert_int_equal(ground->ops->client_send(ground, client, text, strlen(text)), strlen(text));
}

static ssize_t receive(struct ground *ground, int conn, size_t len)
{
    char buffer[64];
    assert_true(len <= sizeof(buffer));
    return poller_receive(ground->poller, conn, buffer, len);
}

static ssize_t send_bytes(struct ground *ground, int conn, size_t len)
{
    static uint8_t zeros[65536];
    const struct iovec slices[2] = {{zeros, len / 2}, {zeros, len - len / 2}};
    assert_true(len <= sizeof(zeros));
    return poller_send(ground->poller, conn, slices, 2);
}

/* What comes first to the client. */
static ssize_t client_hears(struct ground *ground, int client)
{
    char buffer[4096];
    ssize_t received = GROUND_NOTHING;
    for (int i = 0; i < PASSES_MAX && received == GROUND_NOTHING; i++) {
        ground->ops->pass(ground);
        received = ground->ops->client_receive(ground, client, buffer, sizeof(buffer));
    }
    return received;
}

static void close_ground(struct ground *ground, int conn, int client)
{
    if (conn >= 0) {
        poller_close(ground->poller, conn);
    }
    if (client >= 0) {
        ground->ops->client_close(ground, client, false);
    }
    ground->ops->close(ground);
}

/* ---- cases ---- */

static void bytes_are_an_edge_each_time_they_come(struct ground *ground)
{
    int client;
    const int conn = connect_pair(ground, &client);
    assert_int_equal(receive(ground, conn, 16), POLLER_AGAIN);
    client_says(ground, client, "12");
    expect_events(ground, GROUND_CONN_TOKEN, R | W);
    expect_quiet(ground);
    assert_int_equal(receive(ground, conn, 1), 1);
    expect_quiet(ground);
    client_says(ground, client, "3");
    expect_events(ground, GROUND_CONN_TOKEN, R | W);
    assert_int_equal(receive(ground, conn, 16), 2);
    assert_int_equal(receive(ground, conn, 16), POLLER_AGAIN);
    expect_quiet(ground);
    close_ground(ground, conn, client);
}

static void what_came_before_the_watch_is_told_at_once(struct ground *ground)
{
    const int client = ground->ops->client_connect(ground);
    client_says(ground, client, "early");
    expect_events(ground, GROUND_LISTENER_TOKEN, R);
    const int conn = accept_one(ground);
    expect_quiet(ground);
    assert_true(poller_watch(ground->poller, conn, GROUND_CONN_TOKEN));
    expect_events(ground, GROUND_CONN_TOKEN, R | W);
    assert_int_equal(receive(ground, conn, 16), 5);
    close_ground(ground, conn, client);
}

static void connections_queue_at_the_listener(struct ground *ground)
{
    int clients[3];
    int conns[3];
    assert_int_equal(poller_accept(ground->poller, ground->listener, NULL), POLLER_AGAIN);
    for (int i = 0; i < 2; i++) {
        clients[i] = ground->ops->client_connect(ground);
    }
    expect_events(ground, GROUND_LISTENER_TOKEN, R);
    conns[0] = accept_one(ground);
    expect_events(ground, GROUND_LISTENER_TOKEN, 0);
    clients[2] = ground->ops->client_connect(ground);
    expect_events(ground, GROUND_LISTENER_TOKEN, R);
    conns[1] = accept_one(ground);
    conns[2] = accept_one(ground);
    assert_int_equal(poller_accept(ground->poller, ground->listener, NULL), POLLER_AGAIN);
    for (int i = 0; i < 3; i++) {
        poller_close(ground->poller, conns[i]);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(client_hears(ground, clients[i]), GROUND_END);
        ground->ops->client_close(ground, clients[i], false);
    }
    close_ground(ground, -1, -1);
}

static void a_full_socket_takes_nothing_until_its_peer_reads(struct ground *ground)
{
    int client;
    const int conn = connect_pair(ground, &client);
    size_t sent = 0;
    ssize_t taken;
    do {
        taken = send_bytes(ground, conn, 60000);
        sent += taken > 0 ? (size_t)taken : 0;
        ground->ops->pass(ground);
    } while (taken > 0);
    assert_int_equal(taken, POLLER_AGAIN);
    /* The last bytes on their way may make room once more; then it is over. */
    while ((events_now(ground, GROUND_CONN_TOKEN) & W) != 0) {
        while ((taken = send_bytes(ground, conn, 60000)) > 0) {
            sent += (size_t)taken;
        }
        ground->ops->pass(ground);
    }
    expect_quiet(ground);
    while (sent > 0) {
        const ssize_t heard = client_hears(ground, client);
        assert_true(heard > 0);
        sent -= (size_t)heard;
    }
    expect_events(ground, GROUND_CONN_TOKEN, W);
    assert_true(send_bytes(ground, conn, 10) == 10);
    expect_quiet(ground);
    close_ground(ground, conn, client);
}

static void one_side_may_end_before_the_other(struct ground *ground)
{
    int client;
    const int conn = connect_pair(ground, &client);
    client_says(ground, client, "bye");
    ground->ops->client_end(ground, client);
    expect_events(ground, GROUND_CONN_TOKEN, R | W | H);
    assert_int_equal(receive(ground, conn, 16), 3);
    assert_int_equal(receive(ground, conn, 16), 0);
    assert_int_equal(receive(ground, conn, 16), 0);
    expect_quiet(ground);
    assert_int_equal(send_bytes(ground, conn, 4), 4);
    assert_int_equal(client_hears(ground, client), 4);
    poller_shutdown_output(ground->poller, conn);
    assert_int_equal(client_hears(ground, client), GROUND_END);
    assert_int_equal(send_bytes(ground, conn, 4), POLLER_GONE);
    /* The end was seen: told as one more edge. */
    expect_events(ground, GROUND_CONN_TOKEN, R | W | H);
    assert_int_equal(receive(ground, conn, 16), 0);
    close_ground(ground, conn, client);
}

static void our_end_leaves_reading_open(struct ground *ground)
{
    int client;
    const int conn = connect_pair(ground, &client);
    assert_int_equal(send_bytes(ground, conn, 6), 6);
    poller_shutdown_output(ground->poller, conn);
    assert_int_equal(client_hears(ground, client), 6);
    assert_int_equal(client_hears(ground, client), GROUND_END);
    client_says(ground, client, "still here");
    expect_events(ground, GROUND_CONN_TOKEN, R | W);
    assert_int_equal(receive(ground, conn, 16), 10);
    ground->ops->client_end(ground, client);
    expect_events(ground, GROUND_CONN_TOKEN, R | W | H);
    assert_int_equal(receive(ground, conn, 16), 0);
    close_ground(ground, conn, client);
}

static void a_reset_is_told_and_ends_both_ways(struct ground *ground)
{
    int client;
    const int conn = connect_pair(ground, &client);
    ground->ops->client_close(ground, client, true);
    expect_events(ground, GROUND_CONN_TOKEN, R | W | H);
    assert_int_equal(receive(ground, conn, 16), POLLER_GONE);
    assert_int_equal(send_bytes(ground, conn, 4), POLLER_GONE);
    expect_quiet(ground);
    close_ground(ground, conn, -1);
}

static void bytes_before_a_reset_can_still_be_read(struct ground *ground)
{
    int client;
    const int conn = connect_pair(ground, &client);
    client_says(ground, client, "last");
    expect_events(ground, GROUND_CONN_TOKEN, R | W);
    ground->ops->client_close(ground, client, true);
    expect_events(ground, GROUND_CONN_TOKEN, R | W | H);
    assert_int_equal(receive(ground, conn, 16), 4);
    assert_int_equal(receive(ground, conn, 16), POLLER_GONE);
    close_ground(ground, conn, -1);
}

static void closing_over_unread_bytes_is_a_reset(struct ground *ground)
{
    int client;
    const int conn = connect_pair(ground, &client);
    client_says(ground, client, "never read");
    expect_events(ground, GROUND_CONN_TOKEN, R | W);
    poller_close(ground->poller, conn);
    assert_int_equal(client_hears(ground, client), GROUND_RESET);
    expect_quiet(ground);
    close_ground(ground, -1, client);
}

static void closing_sends_what_was_taken_first(struct ground *ground)
{
    int client;
    const int conn = connect_pair(ground, &client);
    assert_int_equal(send_bytes(ground, conn, 100), 100);
    poller_close(ground->poller, conn);
    assert_int_equal(client_hears(ground, client), 100);
    assert_int_equal(client_hears(ground, client), GROUND_END);
    close_ground(ground, -1, client);
}

static void writing_to_a_closed_peer_fails_the_second_time(struct ground *ground)
{
    int client;
    const int conn = connect_pair(ground, &client);
    ground->ops->client_close(ground, client, false);
    expect_events(ground, GROUND_CONN_TOKEN, R | W | H);
    assert_int_equal(receive(ground, conn, 16), 0);
    assert_int_equal(send_bytes(ground, conn, 4), 4);
    expect_events(ground, GROUND_CONN_TOKEN, R | W | H);
    assert_int_equal(send_bytes(ground, conn, 4), POLLER_GONE);
    close_ground(ground, conn, -1);
}

static void a_closed_listener_resets_those_in_its_queue(struct ground *ground)
{
    const int client = ground->ops->client_connect(ground);
    expect_events(ground, GROUND_LISTENER_TOKEN, R);
    poller_close(ground->poller, ground->listener);
    assert_int_equal(client_hears(ground, client), GROUND_RESET);
    /* A second one, for the ground to close. */
    ground->listener = poller_listen(ground->poller, &ground->address, 16);
    assert_true(ground->listener >= 0);
    close_ground(ground, -1, client);
}

/* ---- connections that begin here ---- */

static void a_connection_is_told_and_carries_both_ways(struct ground *ground)
{
    const int conn = poller_connect(ground->poller, &ground->address);
    assert_true(conn >= 0);
    expect_events(ground, GROUND_LISTENER_TOKEN, R);
    const int accepted = accept_one(ground);
    assert_true(poller_watch(ground->poller, conn, GROUND_CONN_TOKEN));
    expect_events(ground, GROUND_CONN_TOKEN, W);
    assert_int_equal(poller_connected(ground->poller, conn), 0);
    assert_int_equal(send_bytes(ground, accepted, 5), 5);
    expect_events(ground, GROUND_CONN_TOKEN, R | W);
    assert_int_equal(receive(ground, conn, 16), 5);
    assert_int_equal(send_bytes(ground, conn, 7), 7);
    ground->ops->pass(ground);
    ground->ops->pass(ground);
    assert_int_equal(receive(ground, accepted, 16), 7);
    poller_close(ground->poller, accepted);
    expect_events(ground, GROUND_CONN_TOKEN, R | W | H);
    assert_int_equal(receive(ground, conn, 16), 0);
    close_ground(ground, conn, -1);
}

static void a_caller_is_seen_at_its_address(struct ground *ground)
{
    struct socket_address peer;
    const int conn = poller_connect(ground->poller, &ground->address);
    expect_events(ground, GROUND_LISTENER_TOKEN, R);
    const int accepted = poller_accept(ground->poller, ground->listener, &peer);
    assert_true(accepted >= 0);
    assert_int_equal(peer.family, 4);
    assert_memory_equal(peer.bytes, ground->address.bytes, 4);
    assert_true(peer.port != 0 && peer.port != ground->address.port);
    poller_close(ground->poller, accepted);
    close_ground(ground, conn, -1);
}

static void nobody_listening_is_a_refusal(struct ground *ground)
{
    struct socket_address address = ground->address;
    poller_close(ground->poller, ground->listener);
    const int conn = poller_connect(ground->poller, &address);
    if (conn >= 0) { /* The kernel may know at once. */
        assert_true(poller_watch(ground->poller, conn, GROUND_CONN_TOKEN));
        expect_events(ground, GROUND_CONN_TOKEN, R | W | H);
        assert_int_equal(poller_connected(ground->poller, conn), POLLER_REFUSED);
        assert_int_equal(send_bytes(ground, conn, 4), POLLER_GONE);
    } else {
        assert_int_equal(conn, POLLER_REFUSED);
    }
    ground->listener = poller_listen(ground->poller, &address, 16);
    assert_true(ground->listener >= 0);
    close_ground(ground, conn, -1);
}

static void no_address_connects_nowhere(struct ground *ground)
{
    const struct socket_address none = {.family = 0};
    assert_int_equal(poller_connect(ground->poller, &none), POLLER_REFUSED);
    assert_int_equal(poller_open_datagram(ground->poller, &none), POLLER_REFUSED);
    close_ground(ground, -1, -1);
}

/* ---- datagrams ---- */

/* Two sockets at the listener's address, which is another matter, and one port further. */
static void open_datagrams(struct ground *ground, int sockets[2], struct socket_address at[2])
{
    for (int i = 0; i < 2; i++) {
        at[i] = ground->address;
        at[i].port = (uint16_t)(ground->address.port ^ i);
        sockets[i] = poller_open_datagram(ground->poller, &at[i]);
        assert_true(sockets[i] >= 0);
    }
}

static void expect_datagram(struct ground *ground, int socket, const struct socket_address *from,
                            const char *text)
{
    char buffer[64];
    struct socket_address seen;
    ssize_t received = POLLER_AGAIN;
    for (int i = 0; i < PASSES_MAX && received == POLLER_AGAIN; i++) {
        ground->ops->pass(ground);
        received = poller_receive_from(ground->poller, socket, &seen, buffer, sizeof(buffer));
    }
    assert_int_equal(received, strlen(text));
    assert_memory_equal(buffer, text, strlen(text));
    assert_int_equal(seen.port, from->port);
    assert_memory_equal(seen.bytes, from->bytes, sizeof(seen.bytes));
}

static void send_text(struct ground *ground, int socket, const struct socket_address *to,
                      const char *text)
{
    const ssize_t sent = poller_send_to(ground->poller, socket, to, text, strlen(text));
    assert_int_equal(sent, strlen(text));
}

static void datagrams_come_whole_with_their_sender(struct ground *ground)
{
    int sockets[2];
    struct socket_address at[2];
    open_datagrams(ground, sockets, at);
    assert_true(poller_watch(ground->poller, sockets[1], GROUND_CONN_TOKEN));
    expect_events(ground, GROUND_CONN_TOKEN, W);
    send_text(ground, sockets[0], &at[1], "one");
    expect_events(ground, GROUND_CONN_TOKEN, R | W);
    expect_datagram(ground, sockets[1], &at[0], "one");
    send_text(ground, sockets[0], &at[1], "");
    expect_events(ground, GROUND_CONN_TOKEN, R | W);
    expect_datagram(ground, sockets[1], &at[0], "");
    send_text(ground, sockets[1], &at[0], "an answer");
    expect_datagram(ground, sockets[0], &at[1], "an answer");
    poller_close(ground->poller, sockets[0]);
    close_ground(ground, sockets[1], -1);
}

static void a_long_datagram_is_cut(struct ground *ground)
{
    int sockets[2];
    char buffer[3];
    struct socket_address at[2];
    struct socket_address from;
    open_datagrams(ground, sockets, at);
    send_text(ground, sockets[0], &at[1], "four");
    send_text(ground, sockets[0], &at[1], "next");
    ssize_t received = POLLER_AGAIN;
    for (int i = 0; i < PASSES_MAX && received == POLLER_AGAIN; i++) {
        ground->ops->pass(ground);
        received = poller_receive_from(ground->poller, sockets[1], &from, buffer, sizeof(buffer));
    }
    assert_int_equal(received, sizeof(buffer));
    /* Either may come first. */
    assert_true(memcmp(buffer, "fou", 3) == 0 || memcmp(buffer, "nex", 3) == 0);
    expect_datagram(ground, sockets[1], &at[0], buffer[0] == 'f' ? "next" : "four");
    poller_close(ground->poller, sockets[0]);
    close_ground(ground, sockets[1], -1);
}

static void a_datagram_to_nobody_is_lost(struct ground *ground)
{
    int sockets[2];
    struct socket_address at[2];
    open_datagrams(ground, sockets, at);
    poller_close(ground->poller, sockets[1]);
    for (int i = 0; i < 3; i++) {
        send_text(ground, sockets[0], &at[1], "lost");
        ground->ops->pass(ground);
    }
    char buffer[8];
    struct socket_address from;
    assert_int_equal(poller_receive_from(ground->poller, sockets[0], &from, buffer, 8),
                     POLLER_AGAIN);
    close_ground(ground, sockets[0], -1);
}

static void an_address_is_taken_once(struct ground *ground)
{
    int sockets[2];
    struct socket_address at[2];
    open_datagrams(ground, sockets, at);
    assert_int_equal(poller_open_datagram(ground->poller, &at[0]), POLLER_REFUSED);
    poller_close(ground->poller, sockets[0]);
    sockets[0] = poller_open_datagram(ground->poller, &at[0]);
    assert_true(sockets[0] >= 0);
    poller_close(ground->poller, sockets[0]);
    close_ground(ground, sockets[1], -1);
}

static void a_datagram_has_a_limit(struct ground *ground)
{
    static const char bytes[65508];
    int sockets[2];
    struct socket_address at[2];
    open_datagrams(ground, sockets, at);
    assert_int_equal(poller_send_to(ground->poller, sockets[0], &at[1], bytes, sizeof(bytes)),
                     POLLER_REFUSED);
    poller_close(ground->poller, sockets[0]);
    close_ground(ground, sockets[1], -1);
}

struct likeness_case {
    const char *name;
    void (*play)(struct ground *);
};

static const struct likeness_case cases[] = {
    {"bytes_are_an_edge_each_time_they_come", bytes_are_an_edge_each_time_they_come},
    {"what_came_before_the_watch_is_told_at_once", what_came_before_the_watch_is_told_at_once},
    {"connections_queue_at_the_listener", connections_queue_at_the_listener},
    {"a_full_socket_takes_nothing_until_its_peer_reads",
     a_full_socket_takes_nothing_until_its_peer_reads},
    {"one_side_may_end_before_the_other", one_side_may_end_before_the_other},
    {"our_end_leaves_reading_open", our_end_leaves_reading_open},
    {"a_reset_is_told_and_ends_both_ways", a_reset_is_told_and_ends_both_ways},
    {"bytes_before_a_reset_can_still_be_read", bytes_before_a_reset_can_still_be_read},
    {"closing_over_unread_bytes_is_a_reset", closing_over_unread_bytes_is_a_reset},
    {"closing_sends_what_was_taken_first", closing_sends_what_was_taken_first},
    {"writing_to_a_closed_peer_fails_the_second_time",
     writing_to_a_closed_peer_fails_the_second_time},
    {"a_closed_listener_resets_those_in_its_queue", a_closed_listener_resets_those_in_its_queue},
    {"a_connection_is_told_and_carries_both_ways", a_connection_is_told_and_carries_both_ways},
    {"a_caller_is_seen_at_its_address", a_caller_is_seen_at_its_address},
    {"nobody_listening_is_a_refusal", nobody_listening_is_a_refusal},
    {"no_address_connects_nowhere", no_address_connects_nowhere},
    {"datagrams_come_whole_with_their_sender", datagrams_come_whole_with_their_sender},
    {"a_long_datagram_is_cut", a_long_datagram_is_cut},
    {"a_datagram_to_nobody_is_lost", a_datagram_to_nobody_is_lost},
    {"an_address_is_taken_once", an_address_is_taken_once},
    {"a_datagram_has_a_limit", a_datagram_has_a_limit},
};

enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static void play_on_the_kernel(void **state)
{
    const struct likeness_case *played = *state;
    struct ground ground = open_ground(&ground_of_the_kernel);
    played->play(&ground);
}

static void play_on_the_simulator(void **state)
{
    const struct likeness_case *played = *state;
    struct ground ground = open_ground(&ground_of_the_simulator);
    played->play(&ground);
}

int main(void)
{
    struct CMUnitTest tests[2 * CASES];
    for (size_t i = 0; i < CASES; i++) {
        void *played = (void *)(uintptr_t)&cases[i];
        tests[2 * i] = (struct CMUnitTest){cases[i].name, play_on_the_kernel, NULL, NULL, played};
        tests[2 * i + 1] =
            (struct CMUnitTest){cases[i].name, play_on_the_simulator, NULL, NULL, played};
    }
    return _cmocka_run_group_tests("likeness", tests, 2 * CASES, NULL, NULL);
}
