/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator, by an echo server whose every byte goes through another shard: nothing is lost or
 * reordered whatever the seed does, and a seed replays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/pool.h"
#include "runtime/sim.h"

enum {
    PORT = 8000,
    CLIENTS = 12,
    ECHO_BYTES_MAX = 48,
    CONNS_MAX = 64,
    PULSE_MS = 100,
};

#define LISTENER_TOKEN (1ull << 40)

static struct socket_address listen_address(void)
{
    struct socket_address address;
    assert_true(socket_address_parse("127.0.0.1", PORT, &address));
    return address;
}

/* ---- the actor ---- */

enum echo_type {
    ECHO_ASK,    /* Bytes that the receiver sends back. */
    ECHO_ANSWER, /* They came back. */
    ECHO_PULSE,
};

struct echo_body {
    uint8_t len; /* 0: the stream's end goes the same way. */
    uint8_t bytes[ECHO_BYTES_MAX];
};

static_assert(sizeof(struct echo_body) <= sizeof(((struct message *)0)->body), "fits");

struct echo_conn {
    int socket;
    uint32_t handle;
    bool is_ending;
    struct list dirty;
    uint8_t *out;
    size_t out_len;
};

struct echo {
    struct shard *shard;
    struct pool *conns;
    struct list dirty; /* Connections with output that was not tried yet. */
    struct timer pulse;
    int listener;
    uint32_t pulses;
    uint32_t asked;
    uint32_t full; /* Sends that found the socket full. */
    uint32_t gone;
};

static void echo_send(struct echo *echo, uint32_t target, uint16_t type, uint32_t handle,
                      const struct echo_body *body)
{
    struct message message = {.type = type, .handle = handle};
    memcpy(message.body, body, sizeof(*body));
    assert_true(mailbox_send(echo->shard->mailbox, target, &message, MESSAGE_REPLY));
}

static void echo_pulse(struct timer *timer, void *context)
{
    struct echo *echo = context;
    struct random *random = &echo->shard->random;
    const struct echo_body body = {.len = 0};
    echo_send(echo, (uint32_t)random_below(random, echo->shard->count), ECHO_PULSE, 0, &body);
    timer_set(echo->shard->timers, timer, echo->shard->now_ms + PULSE_MS + random_below(random, 9),
              echo_pulse);
}

static bool echo_start(void *actor, struct shard *shard)
{
    struct echo *echo = actor;
    const struct socket_address address = listen_address();
    echo->shard = shard;
    echo->listener = poller_listen(shard->poller, &address, 4);
    timer_set(shard->timers, &echo->pulse, shard->now_ms + PULSE_MS, echo_pulse);
    return echo->listener >= 0 && poller_watch(shard->poller, echo->listener, LISTENER_TOKEN);
}

static void echo_close(struct echo *echo, struct echo_conn *conn)
{
    list_remove(&conn->dirty);
    poller_close(echo->shard->poller, conn->socket);
    free(conn->out);
    pool_put(echo->conns, conn->handle);
}

static void echo_flush(struct echo *echo, struct echo_conn *conn)
{
    size_t sent = 0;
    while (sent < conn->out_len) {
        const struct iovec slice = {conn->out + sent, conn->out_len - sent};
        const ssize_t taken = poller_send(echo->shard->poller, conn->socket, &slice, 1);
        if (taken == POLLER_GONE) {
            echo->gone++;
            echo_close(echo, conn);
            return;
        }
        if (taken > 0) {
            sent += (size_t)taken;
        }
        if (taken < (ssize_t)slice.iov_len) {
            echo->full++;
            break; /* Full, as a short write says. */
        }
    }
    conn->out_len -= sent;
    if (sent > 0) {
        memmove(conn->out, conn->out + sent, conn->out_len);
    }
    if (conn->out_len == 0 && conn->is_ending) {
        echo_close(echo, conn);
    }
}

static void echo_on_message(void *actor, const struct message *message)
{
    struct echo *echo = actor;
    struct echo_body body;
    memcpy(&body, message->body, sizeof(body));
    if (message->type == ECHO_ASK) {
        echo->asked++;
        echo_send(echo, message->from, ECHO_ANSWER, message->handle, &body);
        return;
    }
    if (message->type == ECHO_PULSE) {
        echo->pulses++;
        return;
    }
    struct echo_conn *conn = pool_get(echo->conns, message->handle);
    if (conn == NULL) {
        return; /* Closed meanwhile. */
    }
    if (body.len == 0) {
        conn->is_ending = true;
    } else {
        conn->out = realloc(conn->out, conn->out_len + body.len);
        assert_non_null(conn->out);
        memcpy(conn->out + conn->out_len, body.bytes, body.len);
        conn->out_len += body.len;
    }
    if (!list_is_linked(&conn->dirty)) {
        list_append(&echo->dirty, &conn->dirty);
    }
}

static void echo_accept(struct echo *echo)
{
    struct poller *poller = echo->shard->poller;
    int socket;
    while ((socket = poller_accept(poller, echo->listener, NULL)) >= 0) {
        uint32_t handle;
        struct echo_conn *conn = pool_take(echo->conns, &handle);
        assert_non_null(conn);
        conn->socket = socket;
        conn->handle = handle;
        assert_true(poller_watch(poller, socket, handle));
    }
    assert_int_equal(socket, POLLER_AGAIN);
}

static void echo_ask(struct echo *echo, const struct echo_conn *conn, const uint8_t *at, size_t len)
{
    const uint32_t count = echo->shard->count;
    struct echo_body body = {.len = (uint8_t)len};
    memcpy(body.bytes, at, len);
    echo_send(echo, (echo->shard->id + 1 + conn->handle) % count, ECHO_ASK, conn->handle, &body);
}

static void echo_read(struct echo *echo, struct echo_conn *conn, uint32_t events)
{
    enum { AT_ONCE = 200 };
    uint8_t *buffer = echo->shard->receive_buffer;
    ssize_t len;
    do {
        len = poller_receive(echo->shard->poller, conn->socket, buffer, AT_ONCE);
        for (ssize_t at = 0; at < len; at += ECHO_BYTES_MAX) {
            const ssize_t left = len - at;
            echo_ask(echo, conn, buffer + at,
                     (size_t)(left < ECHO_BYTES_MAX ? left : ECHO_BYTES_MAX));
        }
    } while (len == AT_ONCE || (len > 0 && (events & POLLER_HANGUP) != 0));
    if (len == 0) {
        echo_ask(echo, conn, buffer, 0);
    } else if (len == POLLER_GONE) {
        echo->gone++;
        echo_close(echo, conn);
    }
}

static void echo_on_event(void *actor, uint64_t token, uint32_t events)
{
    struct echo *echo = actor;
    if (token == LISTENER_TOKEN) {
        echo_accept(echo);
        return;
    }
    struct echo_conn *conn = pool_get(echo->conns, (uint32_t)token);
    if (conn != NULL && (events & POLLER_WRITABLE) != 0 && conn->out_len > 0) {
        echo_flush(echo, conn);
        conn = pool_get(echo->conns, (uint32_t)token);
    }
    if (conn != NULL && (events & POLLER_READABLE) != 0) {
        echo_read(echo, conn, events);
    }
}

static void echo_on_turn_end(void *actor)
{
    struct echo *echo = actor;
    for (struct list *at; (at = list_take_first(&echo->dirty)) != NULL;) {
        echo_flush(echo, CONTAINER_OF(at, struct echo_conn, dirty));
    }
}

static bool echo_has_work(void *actor)
{
    (void)actor;
    return false;
}

static void echo_stop(void *actor)
{
    struct echo *echo = actor;
    uint32_t cursor = 0;
    uint32_t handle;
    for (struct echo_conn *conn; (conn = pool_next(echo->conns, &cursor, &handle)) != NULL;) {
        echo_close(echo, conn);
    }
    pool_destroy(echo->conns);
    free(echo);
}

static const struct shard_actor *echo_ops(uint32_t id)
{
    static const struct shard_actor ops = {
        .start = echo_start,
        .on_message = echo_on_message,
        .on_event = echo_on_event,
        .on_turn_end = echo_on_turn_end,
        .has_work = echo_has_work,
        .stop = echo_stop,
    };
    (void)id;
    return &ops;
}

static void *echo_create(uint32_t id, void *context)
{
    (void)id;
    (void)context;
    struct echo *echo = calloc(1, sizeof(*echo));
    assert_non_null(echo);
    echo->conns = pool_create(sizeof(struct echo_conn), CONNS_MAX);
    assert_non_null(echo->conns);
    list_init(&echo->dirty);
    return echo;
}

static struct echo *echo_of(struct sim *sim, uint32_t node, uint32_t shard)
{
    return sim_shard(sim, node, shard)->actor;
}

static struct shard_set_options echo_node(uint32_t shards)
{
    return (struct shard_set_options){.count = shards,
                                      .actor_ops = echo_ops,
                                      .actor_create = echo_create};
}

/* ---- the clients ---- */

struct client {
    int number;
    bool is_open;
    size_t sent;
    size_t received;
};

struct run {
    struct sim *sim;
    struct client clients[CLIENTS];
    uint32_t node;
};

static uint8_t pattern(size_t client, size_t at)
{
    return (uint8_t)(at * 31 + (at >> 8) * 17 + client * 101);
}

static void client_send(struct run *run, size_t index)
{
    struct client *client = &run->clients[index];
    uint8_t bytes[3000];
    const size_t len = 1 + (size_t)random_below(sim_random(run->sim), sizeof(bytes));
    for (size_t i = 0; i < len; i++) {
        bytes[i] = pattern(index, client->sent + i);
    }
    client->sent += sim_client_send(run->sim, client->number, bytes, len);
}

static void client_receive(struct run *run, size_t index)
{
    struct client *client = &run->clients[index];
    uint8_t bytes[1500];
    ssize_t len;
    while ((len = sim_client_receive(run->sim, client->number, bytes, sizeof(bytes))) > 0) {
        for (ssize_t i = 0; i < len; i++) {
            assert_int_equal(bytes[i], pattern(index, client->received++));
        }
        assert_true(client->received <= client->sent);
    }
    assert_int_equal(len, 0);
}

static void client_open(struct run *run, size_t index)
{
    const struct socket_address address = listen_address();
    struct client *client = &run->clients[index];
    *client = (struct client){.is_open = true};
    client->number = sim_client_connect(run->sim, run->node, &address);
    assert_true(client->number >= 0);
}

static void client_act(struct run *run, size_t index)
{
    struct random *random = sim_random(run->sim);
    struct client *client = &run->clients[index];
    switch (random_below(random, 16)) {
    case 0:
        sim_client_pause(run->sim, client->number, true);
        break;
    case 1:
    case 2:
        sim_client_pause(run->sim, client->number, false);
        break;
    case 3:
        if (random_below(random, 10) == 0) {
            sim_client_close(run->sim, client->number, random_below(random, 2) == 0);
            client_open(run, index);
        }
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        client_receive(run, index);
        break;
    default:
        client_send(run, index);
        break;
    }
}

/* All that was sent must come back in the end, and every connection must be let go. */
static void finish(struct run *run, uint32_t shards)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        sim_client_pause(run->sim, run->clients[i].number, false);
        for (int turn = 0; run->clients[i].received < run->clients[i].sent; turn++) {
            assert_true(turn < 10000);
            client_receive(run, i);
            sim_advance_ms(run->sim, 5);
        }
    }
    sim_advance_ms(run->sim, 5000);
    assert_int_equal(sim_node_connections(run->sim, run->node), CLIENTS);
    for (size_t i = 0; i < CLIENTS; i++) {
        sim_client_close(run->sim, run->clients[i].number, false);
    }
    sim_advance_ms(run->sim, 5000);
    assert_int_equal(sim_node_connections(run->sim, run->node), 0);
    for (uint32_t i = 0; i < shards; i++) {
        assert_int_equal(pool_count(echo_of(run->sim, run->node, i)->conns), 0);
        assert_true(echo_of(run->sim, run->node, i)->pulse.due_ms > sim_now_ms(run->sim));
    }
}

static struct sim_options random_options(uint64_t seed)
{
    struct sim_options options = {
        .seed = seed,
        .latency_us_min = seed % 5 * 100,
        .latency_us_max = seed % 7 * 1000,
        .split_percent = (uint32_t)(seed % 3 * 30),
        .socket_buffer_bytes = seed % 4 == 0 ? 0 : (uint32_t)(seed % 11 * 300 + 1),
        .step_skip_percent = (uint32_t)(seed % 4 * 20),
    };
    return options;
}

/* What a run came upon, so that the test of the tests can say that it met something. */
struct met {
    uint64_t asked;
    uint64_t pulses;
    uint64_t full;
    uint64_t gone;
};

static uint64_t run_echo(uint64_t seed, uint32_t shards, struct met *met)
{
    const struct sim_options options = random_options(seed);
    struct run run = {.sim = sim_create(&options)};
    const struct shard_set_options node = echo_node(shards);
    assert_non_null(run.sim);
    run.node = sim_add_node(run.sim, &node);
    assert_int_equal(run.node, 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        client_open(&run, i);
    }
    for (int turn = 0; turn < 600; turn++) {
        client_act(&run, (size_t)random_below(sim_random(run.sim), CLIENTS));
        if (random_below(sim_random(run.sim), 3) == 0) {
            sim_advance_ms(run.sim, random_below(sim_random(run.sim), 6));
        } else if (random_below(sim_random(run.sim), 2) == 0) {
            sim_settle(run.sim);
        }
    }
    finish(&run, shards);
    for (uint32_t i = 0; i < shards; i++) {
        const struct echo *echo = echo_of(run.sim, run.node, i);
        met->asked += echo->asked;
        met->pulses += echo->pulses;
        met->full += echo->full;
        met->gone += echo->gone;
    }
    const uint64_t digest = sim_digest(run.sim);
    sim_destroy(run.sim);
    return digest;
}

static void a_seed_replays_and_every_echo_comes_back(void **state)
{
    (void)state;
    enum { SEEDS = 48 };
    uint64_t digests[SEEDS];
    struct met met = {.asked = 0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        const uint32_t shards = 1 + (uint32_t)(seed % 8);
        digests[seed] = run_echo(seed, shards, &met);
        if (seed % 3 == 0) {
            assert_true(run_echo(seed, shards, &met) == digests[seed]);
        }
        for (uint64_t other = 0; other < seed; other++) {
            assert_true(digests[seed] != digests[other]);
        }
    }
    assert_true(met.asked > 100000);
    assert_true(met.pulses > 1000);
    assert_true(met.full > 1000);
    assert_true(met.gone > 50);
}

/* ---- nodes ---- */

static void nodes_are_apart_and_may_go_at_any_moment(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        const struct sim_options options = random_options(seed);
        struct sim *sim = sim_create(&options);
        assert_non_null(sim);
        const struct shard_set_options small = echo_node(2);
        const struct shard_set_options large = echo_node(5);
        assert_int_equal(sim_add_node(sim, &small), 0);
        assert_int_equal(sim_add_node(sim, &large), 1);
        struct run first = {.sim = sim, .node = 0};
        struct run second = {.sim = sim, .node = 1};
        for (size_t i = 0; i < CLIENTS; i++) {
            client_open(&first, i);
            client_open(&second, i);
        }
        for (int turn = 0; turn < 200; turn++) {
            client_act(&first, (size_t)random_below(sim_random(sim), CLIENTS));
            client_act(&second, (size_t)random_below(sim_random(sim), CLIENTS));
            sim_advance_ms(sim, random_below(sim_random(sim), 3));
        }
        sim_remove_node(sim, 0);
        assert_null(sim_shard(sim, 0, 0));
        assert_int_equal(sim_node_connections(sim, 0), 0);
        const struct socket_address address = listen_address();
        assert_int_equal(sim_client_connect(sim, 0, &address), -1);
        sim_advance_ms(sim,
                       2000); /* Those that the queue had no place for come again in a second. */
        for (size_t i = 0; i < CLIENTS; i++) {
            uint8_t bytes[4096];
            ssize_t len;
            sim_client_pause(sim, first.clients[i].number, false);
            do {
                len = sim_client_receive(sim, first.clients[i].number, bytes, sizeof(bytes));
            } while (len > 0);
            assert_int_equal(len, -1);
            assert_int_equal(sim_client_send(sim, first.clients[i].number, bytes, 1), 0);
            sim_client_close(sim, first.clients[i].number, false);
        }
        finish(&second, 5);
        sim_destroy(sim);
    }
}

static void *echo_create_but_the_third(uint32_t id, void *context)
{
    return id == 2 ? NULL : echo_create(id, context);
}

static bool echo_start_but_the_second(void *actor, struct shard *shard)
{
    return echo_start(actor, shard) && shard->id != 1;
}

static const struct shard_actor *echo_ops_but_the_second(uint32_t id)
{
    static struct shard_actor ops;
    ops = *echo_ops(id);
    ops.start = echo_start_but_the_second;
    return &ops;
}

static void a_node_that_cannot_start_leaves_nothing_behind(void **state)
{
    (void)state;
    const struct sim_options options = {.seed = 1};
    struct sim *sim = sim_create(&options);
    assert_non_null(sim);
    struct shard_set_options node = echo_node(4);
    node.actor_create = echo_create_but_the_third;
    assert_true(sim_add_node(sim, &node) == SIM_NODE_NONE);
    node = echo_node(4);
    node.actor_ops = echo_ops_but_the_second;
    assert_true(sim_add_node(sim, &node) == SIM_NODE_NONE);
    const struct socket_address address = listen_address();
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(sim_client_connect(sim, i, &address), -1);
    }
    node = echo_node(4);
    assert_int_equal(sim_add_node(sim, &node), 2);
    assert_true(sim_settle(sim));
    assert_false(sim_settle(sim));
    sim_destroy(sim);
}

static void time_jumps_to_what_falls_due(void **state)
{
    (void)state;
    const struct sim_options options = {.seed = 5};
    struct sim *sim = sim_create(&options);
    assert_non_null(sim);
    const struct shard_set_options node = echo_node(3);
    assert_int_equal(sim_add_node(sim, &node), 0);
    const uint64_t begin_ms = sim_now_ms(sim);
    sim_advance_ms(sim, 600000);
    assert_true(sim_now_ms(sim) == begin_ms + 600000);
    uint64_t pulses = 0;
    for (uint32_t i = 0; i < 3; i++) {
        pulses += echo_of(sim, 0, i)->pulses;
        assert_true(sim_shard(sim, 0, i)->now_ms <= sim_now_ms(sim));
        assert_true(sim_shard(sim, 0, i)->turns < 40000); /* Not one for each ms. */
    }
    assert_true(pulses >= 3 * 600000 / (PULSE_MS + 9) - 3);
    assert_true(pulses <= 3 * 600000 / PULSE_MS);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_replays_and_every_echo_comes_back),
        cmocka_unit_test(nodes_are_apart_and_may_go_at_any_moment),
        cmocka_unit_test(a_node_that_cannot_start_leaves_nothing_behind),
        cmocka_unit_test(time_jumps_to_what_falls_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
