/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong between simulated nodes: ways cut and clogged, datagrams, lives and pauses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/sim.h"

enum {
    PORT = 9000,
    NODES = 3,
    HEARD_MAX = 65536,
};

#define LISTENER_TOKEN 1
#define DATAGRAM_TOKEN 2
#define CONN_TOKEN 3

/* A node that listens, takes one connection or makes one, and keeps all that it hears. */
struct talker {
    struct shard *shard;
    int listener;
    int datagrams;
    int conn;
    int connected; /* What poller_connected said last. */
    bool is_over;
    size_t heard_len;
    uint8_t heard[HEARD_MAX];
    uint32_t datagrams_heard[256]; /* By their first byte. */
    uint8_t last;
    bool is_reordered;
};

static struct talker *talkers[NODES];

static bool talker_start(void *actor, struct shard *shard)
{
    struct talker *talker = actor;
    struct socket_address any;
    assert_true(socket_address_parse("0.0.0.0", PORT, &any));
    talker->shard = shard;
    talker->conn = -1;
    talker->connected = POLLER_AGAIN;
    talker->listener = poller_listen(shard->poller, &any, 4);
    talker->datagrams = poller_open_datagram(shard->poller, &any);
    return poller_watch(shard->poller, talker->listener, LISTENER_TOKEN) &&
           poller_watch(shard->poller, talker->datagrams, DATAGRAM_TOKEN);
}

static void talker_hear(struct talker *talker)
{
    ssize_t received;
    while ((received = poller_receive(talker->shard->poller, talker->conn,
                                      talker->heard + talker->heard_len,
                                      HEARD_MAX - talker->heard_len)) > 0) {
        talker->heard_len += (size_t)received;
    }
    talker->is_over |= received != POLLER_AGAIN;
}

static void talker_on_event(void *actor, uint64_t token, uint32_t events)
{
    struct talker *talker = actor;
    struct poller *poller = talker->shard->poller;
    struct socket_address from;
    uint8_t bytes[16];
    if (token == LISTENER_TOKEN) {
        talker->conn = poller_accept(poller, talker->listener, NULL);
        assert_true(poller_watch(poller, talker->conn, CONN_TOKEN));
    } else if (token == CONN_TOKEN) {
        talker->connected = poller_connected(poller, talker->conn);
        if ((events & POLLER_READABLE) != 0) {
            talker_hear(talker);
        }
    } else {
        while (poller_receive_from(poller, talker->datagrams, &from, bytes, sizeof(bytes)) > 0) {
            talker->datagrams_heard[bytes[0]]++;
            talker->is_reordered |= bytes[0] < talker->last;
            talker->last = bytes[0];
        }
    }
}

static void talker_on_message(void *actor, const struct message *message)
{
    (void)actor;
    (void)message;
}

static void talker_on_turn_end(void *actor)
{
    (void)actor;
}

static bool talker_has_work(void *actor)
{
    (void)actor;
    return false;
}

static void talker_stop(void *actor)
{
    free(actor);
}

static const struct shard_actor *talker_ops(uint32_t id)
{
    static const struct shard_actor ops = {
        .start = talker_start,
        .on_message = talker_on_message,
        .on_event = talker_on_event,
        .on_turn_end = talker_on_turn_end,
        .has_work = talker_has_work,
        .stop = talker_stop,
    };
    (void)id;
    return &ops;
}

static void *talker_create(uint32_t id, void *context)
{
    struct talker **place = context;
    (void)id;
    *place = calloc(1, sizeof(**place));
    return *place;
}

/* ---- verbs ---- */

static struct shard_set_options life(uint32_t node)
{
    return (struct shard_set_options){
        .count = 1,
        .actor_ops = talker_ops,
        .actor_create = talker_create,
        .context = &talkers[node],
    };
}

static struct sim *open_world(struct sim_options options)
{
    options.seed = 7;
    options.latency_us_min = 500;
    options.latency_us_max = 2000;
    struct sim *sim = sim_create(&options);
    assert_non_null(sim);
    for (uint32_t node = 0; node < NODES; node++) {
        const struct shard_set_options set = life(node);
        assert_int_equal(sim_add_node(sim, &set), node);
    }
    return sim;
}

static void connect_to(uint32_t from, uint32_t to)
{
    struct talker *talker = talkers[from];
    struct socket_address address;
    sim_node_address(to, PORT, &address);
    talker->conn = poller_connect(talker->shard->poller, &address);
    assert_true(talker->conn >= 0);
    assert_true(poller_watch(talker->shard->poller, talker->conn, CONN_TOKEN));
}

static ssize_t say(uint32_t node, size_t len)
{
    static uint8_t bytes[HEARD_MAX];
    const struct iovec slice = {.iov_base = bytes, .iov_len = len};
    return poller_send(talkers[node]->shard->poller, talkers[node]->conn, &slice, 1);
}

static void throw_datagram(uint32_t from, uint32_t to, uint8_t number)
{
    struct talker *talker = talkers[from];
    struct socket_address address;
    sim_node_address(to, PORT, &address);
    assert_int_equal(poller_send_to(talker->shard->poller, talker->datagrams, &address, &number, 1),
                     1);
}

/* Numbers 0 .. 199; how many came, and how many came twice. */
static uint32_t throw_many(struct sim *sim, uint32_t from, uint32_t to, uint32_t *twice)
{
    for (uint32_t i = 0; i < 200; i++) {
        throw_datagram(from, to, (uint8_t)i);
        sim_advance_ms(sim, 1);
    }
    sim_advance_ms(sim, 1000);
    uint32_t once = 0;
    for (uint32_t i = 0; i < 200; i++) {
        once += talkers[to]->datagrams_heard[i] > 0;
        *twice += talkers[to]->datagrams_heard[i] > 1;
    }
    return once;
}

/* ---- tests ---- */

static void nodes_talk(void **state)
{
    (void)state;
    struct sim *sim = open_world((struct sim_options){.split_percent = 30});
    connect_to(0, 1);
    assert_int_equal(say(0, 10), POLLER_AGAIN);
    sim_advance_ms(sim, 10);
    assert_int_equal(talkers[0]->connected, 0);
    assert_true(talkers[1]->conn >= 0);
    const ssize_t said = say(0, 1000);
    assert_true(said > 0);
    sim_advance_ms(sim, 10);
    assert_int_equal(talkers[1]->heard_len, said);
    assert_int_equal(sim_node_connections(sim, 0), 1);
    assert_int_equal(sim_node_connections(sim, 1), 1);
    assert_int_equal(sim_node_connections(sim, 2), 0);
    for (uint32_t fault = 0; fault < SIM_FAULTS_LEN; fault++) {
        assert_int_equal(sim_faults(sim, (enum sim_fault)fault), 0);
    }
    sim_destroy(sim);
}

static void a_cut_way_holds_back_one_direction(void **state)
{
    (void)state;
    struct sim *sim = open_world((struct sim_options){.seed = 0});
    connect_to(0, 1);
    sim_advance_ms(sim, 10);
    sim_cut(sim, 0, 1, 5000);
    assert_int_equal(say(0, 100), 100);
    assert_int_equal(say(1, 50), 50);
    throw_datagram(0, 1, 1);
    throw_datagram(1, 0, 2);
    sim_advance_ms(sim, 4000);
    assert_int_equal(talkers[1]->heard_len, 0);
    assert_int_equal(talkers[0]->heard_len, 50);
    assert_int_equal(talkers[0]->datagrams_heard[2], 1);
    /* Sent again until it arrives, in its order; datagrams are not. */
    assert_int_equal(say(0, 11), 11);
    poller_shutdown_output(talkers[0]->shard->poller, talkers[0]->conn);
    sim_advance_ms(sim, 10000);
    assert_int_equal(talkers[1]->heard_len, 111);
    assert_true(talkers[1]->is_over);
    assert_int_equal(talkers[1]->datagrams_heard[1], 0);
    assert_true(sim_faults(sim, SIM_FAULT_HELD) >= 2);
    assert_int_equal(sim_faults(sim, SIM_FAULT_LOST), 1);
    sim_destroy(sim);
}

static void a_full_socket_stays_full_behind_a_cut(void **state)
{
    (void)state;
    struct sim *sim = open_world((struct sim_options){.socket_buffer_bytes = 4096});
    connect_to(0, 1);
    sim_advance_ms(sim, 10);
    sim_cut(sim, 1, 0, SIM_FOR_EVER);
    assert_int_equal(say(0, 8000), 4096);
    sim_advance_ms(sim, 60000);
    /* The bytes came, but that they were read is not known here. */
    assert_int_equal(talkers[1]->heard_len, 4096);
    assert_int_equal(say(0, 10), POLLER_AGAIN);
    sim_heal(sim);
    sim_advance_ms(sim, 130000);
    assert_int_equal(say(0, 10), 10);
    sim_destroy(sim);
}

static void nobody_is_reached_behind_a_cut(void **state)
{
    (void)state;
    struct sim *sim = open_world((struct sim_options){.seed = 0});
    sim_cut(sim, 0, 1, SIM_FOR_EVER);
    connect_to(0, 1);
    connect_to(2, 1);
    sim_advance_ms(sim, 60000);
    assert_int_equal(talkers[0]->connected, POLLER_AGAIN);
    assert_int_equal(talkers[2]->connected, 0);
    sim_advance_ms(sim, 120000);
    assert_int_equal(talkers[0]->connected, POLLER_GONE);
    sim_destroy(sim);
}

static void a_clog_delays_and_loses_nothing(void **state)
{
    (void)state;
    struct sim *sim = open_world((struct sim_options){.seed = 0});
    connect_to(0, 1);
    sim_advance_ms(sim, 10);
    sim_clog(sim, 0, 1, 3000);
    assert_int_equal(say(0, 64), 64);
    throw_datagram(0, 1, 9);
    sim_advance_ms(sim, 2900);
    assert_int_equal(talkers[1]->heard_len, 0);
    assert_int_equal(talkers[1]->datagrams_heard[9], 0);
    sim_advance_ms(sim, 110);
    assert_int_equal(talkers[1]->datagrams_heard[9], 1);
    sim_advance_ms(sim, 10000);
    assert_int_equal(talkers[1]->heard_len, 64);
    sim_destroy(sim);
}

static void datagrams_get_lost(void **state)
{
    (void)state;
    uint32_t twice = 0;
    struct sim *sim = open_world((struct sim_options){.datagram_lost_percent = 25});
    const uint32_t once = throw_many(sim, 0, 1, &twice);
    assert_true(once > 100 && once < 190);
    assert_int_equal(twice, 0);
    assert_int_equal(sim_faults(sim, SIM_FAULT_LOST), 200 - once);
    sim_destroy(sim);
}

static void datagrams_come_twice_late_and_out_of_order(void **state)
{
    (void)state;
    uint32_t twice = 0;
    struct sim *sim = open_world((struct sim_options){
        .datagram_twice_percent = 25,
        .datagram_late_percent = 25,
        .datagram_late_us = 50000,
    });
    assert_int_equal(throw_many(sim, 0, 1, &twice), 200);
    assert_true(twice > 20 && twice < 100);
    assert_true(talkers[1]->is_reordered);
    sim_destroy(sim);
}

static void a_node_lives_again_at_its_address(void **state)
{
    (void)state;
    struct sim *sim = open_world((struct sim_options){.seed = 0});
    connect_to(0, 1);
    sim_advance_ms(sim, 10);
    sim_remove_node(sim, 1);
    sim_advance_ms(sim, 10);
    assert_true(talkers[0]->is_over);
    poller_close(talkers[0]->shard->poller, talkers[0]->conn);
    connect_to(0, 1);
    sim_advance_ms(sim, 10);
    assert_int_equal(talkers[0]->connected, POLLER_REFUSED);
    poller_close(talkers[0]->shard->poller, talkers[0]->conn);
    const struct shard_set_options set = life(1);
    assert_true(sim_restart_node(sim, 1, &set));
    connect_to(0, 1);
    throw_datagram(0, 1, 4);
    sim_advance_ms(sim, 10);
    assert_int_equal(talkers[0]->connected, 0);
    assert_int_equal(talkers[1]->datagrams_heard[4], 1);
    sim_destroy(sim);
}

static void a_paused_node_hears_later(void **state)
{
    (void)state;
    struct sim *sim = open_world((struct sim_options){.seed = 0});
    sim_pause_node(sim, 1, 30000);
    throw_datagram(0, 1, 4);
    sim_advance_ms(sim, 29000);
    assert_int_equal(talkers[1]->datagrams_heard[4], 0);
    sim_advance_ms(sim, 1001);
    assert_int_equal(talkers[1]->datagrams_heard[4], 1);
    sim_destroy(sim);
}

/* Numbers each 10 ms for a second; how many of them the node has heard in the end. */
static uint32_t throw_for_a_second(struct sim *sim, uint32_t from, uint32_t to)
{
    uint32_t heard = 0;
    for (uint32_t i = 0; i < 100; i++) {
        throw_datagram(from, to, (uint8_t)i);
        sim_advance_ms(sim, 10);
    }
    for (uint32_t i = 0; i < 100; i++) {
        heard += talkers[to]->datagrams_heard[i];
    }
    return heard;
}

/* A turn every 100 ms: that hears what came before it, and nothing is lost. */
static void a_slow_node_takes_its_time(void **state)
{
    (void)state;
    struct sim *sim = open_world((struct sim_options){.seed = 0});
    sim_advance_ms(sim, 10);
    sim_slow_node(sim, 1, 100, 1000);
    throw_datagram(0, 1, 200);
    sim_advance_ms(sim, 5);
    assert_int_equal(talkers[1]->datagrams_heard[200], 1);
    throw_datagram(0, 1, 201);
    throw_datagram(0, 2, 201);
    sim_advance_ms(sim, 90);
    assert_int_equal(talkers[1]->datagrams_heard[201], 0);
    assert_int_equal(talkers[2]->datagrams_heard[201], 1);
    sim_advance_ms(sim, 15);
    assert_int_equal(talkers[1]->datagrams_heard[201], 1);
    const uint64_t before = sim_faults(sim, SIM_FAULT_SLOW);
    const uint32_t heard = throw_for_a_second(sim, 0, 1);
    assert_in_range(sim_faults(sim, SIM_FAULT_SLOW) - before, 5, 10);
    /* The time is over, so that the last turn that was slow is as well. */
    sim_advance_ms(sim, 100);
    assert_in_range(heard, 90, 100);
    assert_int_equal(talkers[1]->datagrams_heard[99], 1);
    throw_datagram(0, 1, 202);
    sim_advance_ms(sim, 5);
    throw_datagram(0, 1, 203);
    sim_advance_ms(sim, 5);
    assert_int_equal(talkers[1]->datagrams_heard[203], 1);
    sim_destroy(sim);
}

static void a_slow_node_is_relieved(void **state)
{
    (void)state;
    struct sim *sim = open_world((struct sim_options){.seed = 0});
    sim_slow_node(sim, 1, 500, 60000);
    throw_datagram(0, 1, 1);
    sim_advance_ms(sim, 5);
    throw_datagram(0, 1, 2);
    sim_slow_node(sim, 1, 500, 0); /* The turn that it is in goes on. */
    sim_advance_ms(sim, 400);
    assert_int_equal(talkers[1]->datagrams_heard[2], 0);
    sim_advance_ms(sim, 120);
    assert_int_equal(talkers[1]->datagrams_heard[2], 1);
    const uint64_t slow = sim_faults(sim, SIM_FAULT_SLOW);
    assert_int_equal(throw_for_a_second(sim, 0, 1), 100 + 2);
    assert_int_equal(sim_faults(sim, SIM_FAULT_SLOW), slow);
    sim_destroy(sim);
}

static void the_network_changes(void **state)
{
    (void)state;
    uint32_t twice = 0;
    struct sim *sim = open_world((struct sim_options){.socket_buffer_bytes = 4096});
    connect_to(0, 1);
    sim_advance_ms(sim, 10);
    sim_change(sim, &(struct sim_options){.seed = 99,
                                          .datagram_lost_percent = 100,
                                          .latency_us_min = 50000,
                                          .latency_us_max = 50000,
                                          .socket_buffer_bytes = 100});
    assert_int_equal(throw_many(sim, 0, 1, &twice), 0);
    assert_int_equal(say(0, 8000), 4096); /* Buffers stay what they were. */
    sim_advance_ms(sim, 49);
    assert_int_equal(talkers[1]->heard_len, 0);
    sim_advance_ms(sim, 1);
    assert_int_equal(talkers[1]->heard_len, 4096);
    sim_change(sim, &(struct sim_options){.datagram_twice_percent = 100});
    assert_int_equal(throw_many(sim, 0, 1, &twice), 200);
    assert_int_equal(twice, 200);
    sim_destroy(sim);
}

/* What a connection carries stays in its order, also when the way has become shorter behind it. */
static void a_shorter_way_overtakes_nothing(void **state)
{
    (void)state;
    struct sim *sim = open_world((struct sim_options){.seed = 0});
    connect_to(0, 1);
    sim_advance_ms(sim, 10);
    for (uint8_t i = 0; i < 40; i++) {
        const uint64_t us = 40000 - 1000ull * i;
        const struct iovec slice = {.iov_base = &i, .iov_len = 1};
        sim_change(sim, &(struct sim_options){.latency_us_min = us, .latency_us_max = us});
        assert_int_equal(poller_send(talkers[0]->shard->poller, talkers[0]->conn, &slice, 1), 1);
    }
    sim_change(sim, &(struct sim_options){.seed = 0});
    poller_shutdown_output(talkers[0]->shard->poller, talkers[0]->conn);
    sim_advance_ms(sim, 100);
    assert_int_equal(talkers[1]->heard_len, 40);
    assert_true(talkers[1]->is_over);
    for (uint8_t i = 0; i < 40; i++) {
        assert_int_equal(talkers[1]->heard[i], i);
    }
    sim_destroy(sim);
}

static void wall_clocks_jump(void **state)
{
    (void)state;
    struct sim *sim = open_world((struct sim_options){.seed = 0});
    const int64_t before_ms = talkers[1]->shard->wall_ms;
    sim_jump_wall_clock(sim, 1, -3600000);
    throw_datagram(0, 1, 4);
    throw_datagram(0, 2, 4);
    sim_advance_ms(sim, 10);
    assert_true(talkers[1]->shard->wall_ms < before_ms);
    assert_true(talkers[2]->shard->wall_ms >= before_ms);
    sim_destroy(sim);
}

static uint64_t digest_of_a_stormy_day(uint64_t variant)
{
    uint32_t twice = 0;
    struct sim *sim = open_world((struct sim_options){
        .datagram_lost_percent = 10,
        .datagram_twice_percent = 10,
        .datagram_late_percent = 10,
        .datagram_late_us = 9000,
        .split_percent = 20,
    });
    connect_to(0, 1);
    sim_clog(sim, 0, 1, 20 + variant);
    sim_cut(sim, 1, 0, 300);
    sim_advance_ms(sim, 200);
    say(0, 5000);
    throw_many(sim, 0, 1, &twice);
    const uint64_t digest = sim_digest(sim);
    sim_destroy(sim);
    return digest;
}

static void a_seed_replays(void **state)
{
    (void)state;
    assert_true(digest_of_a_stormy_day(0) == digest_of_a_stormy_day(0));
    assert_true(digest_of_a_stormy_day(0) != digest_of_a_stormy_day(500));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_talk),
        cmocka_unit_test(a_cut_way_holds_back_one_direction),
        cmocka_unit_test(a_full_socket_stays_full_behind_a_cut),
        cmocka_unit_test(nobody_is_reached_behind_a_cut),
        cmocka_unit_test(a_clog_delays_and_loses_nothing),
        cmocka_unit_test(datagrams_get_lost),
        cmocka_unit_test(datagrams_come_twice_late_and_out_of_order),
        cmocka_unit_test(a_node_lives_again_at_its_address),
        cmocka_unit_test(a_paused_node_hears_later),
        cmocka_unit_test(a_slow_node_takes_its_time),
        cmocka_unit_test(a_slow_node_is_relieved),
        cmocka_unit_test(the_network_changes),
        cmocka_unit_test(a_shorter_way_overtakes_nothing),
        cmocka_unit_test(wall_clocks_jump),
        cmocka_unit_test(a_seed_replays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
