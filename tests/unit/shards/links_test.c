/* SPDX-License-Identifier: Apache-2.0 */
/* Links in the simulator: one a pair whoever dials, order, loss that is told, bounds, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/shards/links_rig.h"

#include <cmocka.h>

/* ---- links and messages ---- */

static void two_nodes_have_one_link(void **state)
{
    (void)state;
    struct links_rig *rig = links_rig_new(2);
    links_rig_start_all(rig);
    links_rig_keep_all(rig);
    assert_false(links_rig_say(rig, 0, 1, "too early"));
    sim_advance_ms(rig->sim, 100);
    assert_true(links_rig_are_linked(rig, 0, 1));
    sim_advance_ms(rig->sim, 30000);
    assert_true(links_rig_are_linked(rig, 0, 1));
    assert_int_equal(rig->nodes[0].peers[1].ups, 1);
    assert_int_equal(rig->nodes[1].peers[0].ups, 1);
    assert_int_equal(links_rig_connections(rig, 0), 1);
    assert_int_equal(rig->nodes[1].peers[0].protocol, LINK_PROTOCOL);
    struct links_peer seen;
    const struct gossip_uid uid = links_rig_uid(1);
    assert_true(links_peer(rig->nodes[0].links, &uid, &seen));
    assert_true(seen.is_dialled); /* The lower uid did it. */
    assert_true(seen.rtt_us >= 400 && seen.rtt_us < 10000);
    links_rig_free(rig);
}

static void messages_come_whole_and_in_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        const struct sim_options options = {
            .seed = seed,
            .latency_us_min = 100,
            .latency_us_max = 3000,
            .split_percent = 30,
            .socket_buffer_bytes = seed % 2 == 0 ? 5000 : 0,
        };
        struct links_rig *rig = links_rig_open(&options, 2);
        links_rig_start_all(rig);
        links_rig_keep_all(rig);
        sim_advance_ms(rig->sim, 300);
        for (uint32_t i = 0; i < 400; i++) {
            const uint64_t kind = random_below(sim_random(rig->sim), 20);
            const uint64_t len_max = kind == 0 ? 250000 : kind < 5 ? 3000 : 100;
            const size_t len = (size_t)random_below(sim_random(rig->sim), len_max);
            assert_true(links_rig_count(rig, i % 2, 1 - i % 2, len));
            if (i % 5 == 0) {
                sim_advance_ms(rig->sim, 1);
            }
        }
        sim_advance_ms(rig->sim, 200000);
        assert_int_equal(rig->nodes[0].peers[1].heard, 200);
        assert_int_equal(rig->nodes[1].peers[0].heard, 200);
        assert_int_equal(links_rig_counters(rig, 0)->messages_out, 200);
        assert_int_equal(links_rig_counters(rig, 1)->messages_in, 200);
        assert_int_equal(links_queue_bytes(rig->nodes[0].links, &rig->nodes[1].options.uid), 0);
        links_rig_free(rig);
    }
}

static void what_a_turn_says_leaves_together(void **state)
{
    (void)state;
    struct links_rig *rig = links_rig_new(2);
    links_rig_start_all(rig);
    links_rig_keep_all(rig);
    sim_advance_ms(rig->sim, 100);
    const uint64_t before = links_rig_counters(rig, 0)->bytes_out;
    for (int i = 0; i < 10; i++) {
        assert_true(links_rig_count(rig, 0, 1, 10));
        assert_int_equal(links_rig_counters(rig, 0)->bytes_out, before);
    }
    sim_settle(rig->sim);
    assert_true(links_rig_counters(rig, 0)->bytes_out >= before + 10 * (5 + 18));
    links_rig_free(rig);
}

/* Both dial at the same time, again and again: one connection stays, the lower uid's. */
static void crossing_dials_leave_one_link(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        const struct sim_options options = {
            .seed = seed,
            .latency_us_min = 100,
            .latency_us_max = 5000,
        };
        struct links_rig *rig = links_rig_open(&options, 4);
        for (uint32_t i = 0; i < 4; i++) {
            rig->nodes[i].options.patience_ms = 0;
        }
        links_rig_start_all(rig);
        links_rig_keep_all(rig);
        for (uint32_t i = 0; i < 4; i++) {
            for (uint32_t j = 0; j < 4; j++) {
                const struct socket_address address = links_rig_address(j);
                links_rig_reach(rig, i, &address); /* Itself as well. */
            }
        }
        sim_advance_ms(rig->sim, 5000);
        for (uint32_t i = 0; i < 4; i++) {
            for (uint32_t j = 0; j < i; j++) {
                assert_true(links_rig_are_linked(rig, i, j));
                assert_true(links_rig_count(rig, i, j, 5) && links_rig_count(rig, j, i, 5));
            }
            assert_int_equal(links_rig_connections(rig, i), 3);
            assert_int_equal(links_rig_counters(rig, i)->refused[LINK_REFUSED_SELF], 1);
        }
        sim_advance_ms(rig->sim, 60000);
        for (uint32_t i = 0; i < 4; i++) {
            for (uint32_t j = 0; j < 4; j++) {
                assert_int_equal(rig->nodes[i].peers[j].heard, i != j);
            }
        }
        links_rig_free(rig);
    }
}

static void a_reached_node_stays_while_it_is_used_or_kept(void **state)
{
    (void)state;
    struct links_rig *rig = links_rig_new(2);
    links_rig_start_all(rig);
    const struct socket_address address = links_rig_address(0);
    links_rig_reach(rig, 1, &address);
    links_rig_reach(rig, 1, &address); /* It is being made. */
    sim_advance_ms(rig->sim, 100);
    assert_true(links_rig_are_linked(rig, 0, 1));
    assert_int_equal(rig->nodes[0].peers[1].ups, 1);
    sim_advance_ms(rig->sim, rig->nodes[0].options.idle_ms - 2000);
    assert_true(links_rig_count(rig, 0, 1, 8));
    sim_advance_ms(rig->sim, rig->nodes[0].options.idle_ms - 2000);
    assert_true(links_rig_are_linked(rig, 0, 1));
    sim_advance_ms(rig->sim, 4000);
    assert_false(rig->nodes[0].peers[1].is_up || rig->nodes[1].peers[0].is_up);
    assert_int_equal(links_rig_connections(rig, 0), 0);

    links_rig_reach(rig, 1, &address);
    sim_advance_ms(rig->sim, 100);
    links_rig_keep_all(rig);
    sim_advance_ms(rig->sim, 60000);
    assert_true(links_rig_are_linked(rig, 0, 1));
    assert_int_equal(rig->nodes[0].peers[1].ups, 2);
    links_rig_free(rig);
}

static void nobody_at_an_address_costs_nothing(void **state)
{
    (void)state;
    struct links_rig *rig = links_rig_new(2);
    links_rig_start_all(rig);
    struct socket_address address = links_rig_address(1);
    address.port++;
    links_rig_reach(rig, 0, &address);
    address = links_rig_address(9);
    links_rig_reach(rig, 0, &address);
    sim_advance_ms(rig->sim, 10000);
    assert_int_equal(links_rig_counters(rig, 0)->dials_failed, 2);
    assert_int_equal(links_rig_connections(rig, 0), 0);
    links_rig_free(rig);
}

/* ---- loss ---- */

static void silence_ends_a_link_and_it_comes_back(void **state)
{
    (void)state;
    struct links_rig *rig = links_rig_new(2);
    links_rig_start_all(rig);
    links_rig_keep_all(rig);
    sim_advance_ms(rig->sim, 100);
    sim_cut(rig->sim, 0, 1, SIM_FOR_EVER);
    assert_true(links_rig_count(rig, 0, 1, 10));
    sim_advance_ms(rig->sim, rig->nodes[0].options.dead_ms - 1500);
    assert_true(links_rig_are_linked(rig, 0, 1));
    sim_advance_ms(rig->sim, 4000);
    assert_false(rig->nodes[0].peers[1].is_up);
    assert_false(rig->nodes[1].peers[0].is_up);
    /* Who hears nothing gave up; the other one learned it from the end of the stream. */
    assert_int_equal(links_rig_counters(rig, 1)->dead, 1);
    sim_advance_ms(rig->sim, 60000);
    assert_false(rig->nodes[0].peers[1].is_up);
    sim_heal(rig->sim);
    sim_advance_ms(rig->sim, 20000);
    assert_true(links_rig_are_linked(rig, 0, 1));
    assert_int_equal(rig->nodes[0].peers[1].ups, 2);
    assert_int_equal(links_rig_counters(rig, 0)->reconnects, 1);
    assert_true(links_rig_count(rig, 0, 1, 10));
    sim_advance_ms(rig->sim, 200);
    assert_int_equal(rig->nodes[1].peers[0].heard_ever, 1);
    links_rig_free(rig);
}

static void a_new_life_replaces_the_old_one(void **state)
{
    (void)state;
    struct links_rig *rig = links_rig_new(2);
    links_rig_start_all(rig);
    links_rig_keep_all(rig);
    sim_advance_ms(rig->sim, 100);
    /* Nothing tells node 0 that node 1 died. */
    sim_cut(rig->sim, 1, 0, SIM_FOR_EVER);
    links_rig_kill(rig, 1);
    sim_advance_ms(rig->sim, 1000);
    links_rig_start(rig, 1);
    sim_heal(rig->sim);
    links_rig_keep_all(rig);
    sim_advance_ms(rig->sim, 10000);
    assert_true(links_rig_are_linked(rig, 0, 1));
    assert_int_equal(rig->nodes[0].peers[1].ups, 2);
    assert_int_equal(rig->nodes[0].peers[1].downs, 1);
    assert_int_equal(links_rig_connections(rig, 0), 1);
    links_rig_free(rig);
}

static void an_old_life_is_refused(void **state)
{
    (void)state;
    struct links_rig *rig = links_rig_new(3);
    rig->nodes[2].options.uid = links_rig_uid(1); /* The same node twice; this one began later. */
    links_rig_start_all(rig);
    links_rig_keep(rig, 0, 2);
    links_rig_keep(rig, 0, 1);
    const struct gossip_uid uid = links_rig_uid(1);
    const struct socket_address later = links_rig_address(2);
    links_keep(rig->nodes[0].links, &uid, &later);
    sim_advance_ms(rig->sim, 1000);
    const struct socket_address address = links_rig_address(0);
    links_rig_reach(rig, 1, &address);
    sim_advance_ms(rig->sim, 1000);
    assert_int_equal(links_rig_counters(rig, 0)->refused[LINK_REFUSED_STALE], 1);
    assert_int_equal(links_rig_counters(rig, 1)->refused_us[LINK_REFUSED_STALE], 1);
    assert_true(links_is_up(rig->nodes[0].links, &uid));
    assert_int_equal(rig->nodes[0].peers[1].ups, 1);
    links_rig_free(rig);
}

static void who_is_forgotten_is_let_go(void **state)
{
    (void)state;
    struct links_rig *rig = links_rig_new(2);
    links_rig_start_all(rig);
    links_rig_keep(rig, 0, 1);
    sim_advance_ms(rig->sim, 100);
    assert_true(links_rig_are_linked(rig, 0, 1));
    const struct gossip_uid uid = links_rig_uid(1);
    links_forget(rig->nodes[0].links, &uid);
    links_rig_wake(rig, 0);
    assert_false(links_is_up(rig->nodes[0].links, &uid));
    assert_false(links_rig_say(rig, 0, 1, "gone"));
    assert_int_equal(rig->nodes[0].peers[1].downs, 0); /* Not during the call. */
    sim_advance_ms(rig->sim, 60000);
    assert_int_equal(rig->nodes[0].peers[1].downs, 1);
    assert_int_equal(rig->nodes[1].peers[0].downs, 1);
    assert_int_equal(rig->nodes[0].peers[1].ups, 1);
    struct links_gauges gauges;
    links_gauges(rig->nodes[0].links, &gauges);
    assert_int_equal(gauges.kept + gauges.up, 0);
    links_rig_free(rig);
}

/* ---- bounds ---- */

static void requests_are_refused_before_replies(void **state)
{
    (void)state;
    struct links_rig *rig = links_rig_new(2);
    for (uint32_t i = 0; i < 2; i++) {
        rig->nodes[i].options.message_len_max = 4000;
        rig->nodes[i].options.queue_requests_bytes_max = 50000;
        rig->nodes[i].options.queue_bytes_max = 90000;
    }
    links_rig_start_all(rig);
    links_rig_keep_all(rig);
    sim_advance_ms(rig->sim, 100);
    sim_pause_node(rig->sim, 1, 4000);
    const struct links_counters *counters = links_rig_counters(rig, 0);
    uint32_t requests = 0;
    while (links_rig_count(rig, 0, 1, 1000)) {
        requests++;
        sim_settle(rig->sim);
    }
    assert_true(requests > 50 && requests < 200); /* What the sockets hold, too. */
    assert_int_equal(counters->requests_refused, 1);
    assert_true(links_rig_count(rig, 0, 1, 1001)); /* A reply. */
    const struct gossip_uid uid = links_rig_uid(1);
    assert_true(links_queue_bytes(rig->nodes[0].links, &uid) <= 52000);
    /* It was only slow: all of it comes. */
    sim_advance_ms(rig->sim, 5000);
    assert_int_equal(rig->nodes[1].peers[0].heard, requests + 1);
    assert_int_equal(rig->nodes[0].peers[1].ups, 1);
    links_rig_free(rig);
}

static void a_reply_without_room_ends_the_link(void **state)
{
    (void)state;
    struct links_rig *rig = links_rig_new(2);
    rig->nodes[0].options.message_len_max = 4000;
    rig->nodes[0].options.queue_requests_bytes_max = 50000;
    rig->nodes[0].options.queue_bytes_max = 90000;
    links_rig_start_all(rig);
    links_rig_keep_all(rig);
    sim_advance_ms(rig->sim, 100);
    sim_pause_node(rig->sim, 1, 4000);
    uint32_t replies = 0;
    while (links_rig_count(rig, 0, 1, 1001)) {
        replies++;
        sim_settle(rig->sim);
    }
    assert_int_equal(links_rig_counters(rig, 0)->overflows, 1);
    const struct gossip_uid uid = links_rig_uid(1);
    assert_false(links_is_up(rig->nodes[0].links, &uid));
    sim_settle(rig->sim);
    assert_int_equal(rig->nodes[0].peers[1].downs, 1);
    sim_advance_ms(rig->sim, 30000);
    assert_true(links_rig_are_linked(rig, 0, 1));
    assert_true(rig->nodes[1].peers[0].downs == 1 && rig->nodes[1].peers[0].heard_ever <= replies);
    links_rig_free(rig);
}

static void a_message_has_a_limit(void **state)
{
    (void)state;
    struct links_rig *rig = links_rig_new(2);
    rig->nodes[0].options.message_len_max = 1000;
    rig->nodes[1].options.message_len_max = 999;
    links_rig_start_all(rig);
    links_rig_keep_all(rig);
    sim_advance_ms(rig->sim, 100);
    assert_false(links_rig_count(rig, 0, 1, 1001 - 8));
    assert_true(links_rig_count(rig, 1, 0, 999 - 8));
    sim_advance_ms(rig->sim, 10);
    assert_int_equal(rig->nodes[0].peers[1].heard, 1);
    /* What one sends is too long for the other: the head is enough for it to say so. */
    assert_true(links_rig_count(rig, 0, 1, 1000 - 8));
    sim_advance_ms(rig->sim, 10);
    assert_int_equal(links_rig_counters(rig, 1)->bad_frames[LINK_ERROR_SIZE], 1);
    assert_int_equal(rig->nodes[0].peers[1].downs, 1);
    links_rig_free(rig);
}

/* ---- everything at once ---- */

static void a_bad_moment(struct links_rig *rig, struct random *random)
{
    const uint32_t nodes = rig->nodes_len;
    const uint32_t one = (uint32_t)random_below(random, nodes);
    const uint32_t other = (one + 1 + (uint32_t)random_below(random, nodes - 1)) % nodes;
    switch (random_below(random, 6)) {
    case 0:
        sim_cut(rig->sim, one, other, random_below(random, 20000));
        break;
    case 1:
        sim_cut(rig->sim, one, other, random_below(random, 20000));
        sim_cut(rig->sim, other, one, random_below(random, 20000));
        break;
    case 2:
        sim_clog(rig->sim, one, other, random_below(random, 9000));
        break;
    case 3:
        sim_pause_node(rig->sim, one, random_below(random, 15000));
        break;
    case 4:
        links_rig_kill(rig, one);
        sim_advance_ms(rig->sim, random_below(random, 5000));
        links_rig_start(rig, one);
        links_rig_keep_all(rig);
        break;
    default:
        sim_advance_ms(rig->sim, random_below(random, 10000));
        break;
    }
}

static void links_come_back_whatever_happens(void **state)
{
    (void)state;
    uint64_t heard = 0;
    for (uint64_t seed = 1; seed <= 25; seed++) {
        const struct sim_options options = {
            .seed = seed,
            .latency_us_min = 100,
            .latency_us_max = 20000,
            .split_percent = 10,
            .socket_buffer_bytes = seed % 3 == 0 ? 20000 : 0,
            .step_skip_percent = 20,
        };
        struct links_rig *rig = links_rig_open(&options, 4);
        links_rig_start_all(rig);
        links_rig_keep_all(rig);
        struct random *random = sim_random(rig->sim);
        for (int moment = 0; moment < 30; moment++) {
            a_bad_moment(rig, random);
            for (uint32_t i = 0; i < 16; i++) {
                const uint32_t from = i / 4;
                const uint32_t to = i % 4;
                if (from != to) {
                    (void)links_rig_count(rig, from, to, (size_t)random_below(random, 3000));
                }
            }
            sim_advance_ms(rig->sim, random_below(random, 3000));
        }
        sim_heal(rig->sim);
        sim_advance_ms(rig->sim, 150000);
        for (uint32_t i = 0; i < 4; i++) {
            for (uint32_t j = 0; j < 4; j++) {
                const struct links_rig_peer *peer = &rig->nodes[i].peers[j];
                assert_true(i == j || links_rig_are_linked(rig, i, j));
                assert_int_equal(peer->heard, rig->nodes[j].peers[i].sent);
                heard += peer->heard_ever;
            }
            assert_int_equal(links_rig_connections(rig, i), 3);
        }
        links_rig_free(rig);
    }
    assert_true(heard > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_nodes_have_one_link),
        cmocka_unit_test(messages_come_whole_and_in_order),
        cmocka_unit_test(what_a_turn_says_leaves_together),
        cmocka_unit_test(crossing_dials_leave_one_link),
        cmocka_unit_test(a_reached_node_stays_while_it_is_used_or_kept),
        cmocka_unit_test(nobody_at_an_address_costs_nothing),
        cmocka_unit_test(silence_ends_a_link_and_it_comes_back),
        cmocka_unit_test(a_new_life_replaces_the_old_one),
        cmocka_unit_test(an_old_life_is_refused),
        cmocka_unit_test(who_is_forgotten_is_let_go),
        cmocka_unit_test(requests_are_refused_before_replies),
        cmocka_unit_test(a_reply_without_room_ends_the_link),
        cmocka_unit_test(a_message_has_a_limit),
        cmocka_unit_test(links_come_back_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
