/* SPDX-License-Identifier: Apache-2.0 */
/* Every node comes to the same map; shares follow weights; a change moves no more than it must. */
#include "shards/router/placement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NODES_MAX = 101 };

/* Node i is the same in each test, whatever else there is. */
static void make_members(struct placement_member *members, uint16_t len)
{
    for (uint16_t i = 0; i < len; i++) {
        snprintf(members[i].uid, sizeof(members[i].uid), "%08x-0000-4000-8000-%012x",
                 i * 2654435761u, i);
        members[i].shards = 1 + i % 7u;
        members[i].weight = 1;
    }
}

static struct buf *place(const struct placement_member *members, uint16_t len)
{
    struct buf *buf = placement_make(1, members, len, 0);
    assert_non_null(buf);
    return buf;
}

static void count_slots(const struct placement *placement, uint32_t *counts)
{
    memset(counts, 0, placement->nodes * sizeof(*counts));
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        assert_true(placement->node_of_slot[slot] < placement->nodes);
        counts[placement->node_of_slot[slot]]++;
    }
}

static void slots_of_names_are_fixed(void **state)
{
    (void)state;
    /* They are part of the protocol between nodes: from SipHash-1-3 under a key of zeros. */
    assert_int_equal(placement_slot_of(SPAN_EMPTY), 4908);
    assert_int_equal(placement_slot_of(SPAN_LITERAL("\0")), 9331);
    assert_int_equal(placement_slot_of(SPAN_LITERAL("chat")), 3737);
    assert_int_equal(placement_slot_of(SPAN_LITERAL("news:weather")), 12904);
    uint8_t is_used[SLOTS] = {0};
    uint32_t used = 0;
    for (uint32_t i = 0; i < 10 * SLOTS; i++) {
        char name[32];
        const int len = snprintf(name, sizeof(name), "news:%u", i);
        const uint16_t slot = placement_slot_of(span_of(name, (size_t)len));
        assert_true(slot < SLOTS);
        used += !is_used[slot];
        is_used[slot] = 1;
    }
    /* Of 163,840 balls in 16,384 boxes e^-10 of the boxes stay empty: one, or nearly so. */
    assert_true(used > SLOTS - 20);
}

static void a_single_node_has_every_slot(void **state)
{
    (void)state;
    struct placement_member member = {.uid = "a", .shards = 3, .weight = 5};
    struct buf *buf = placement_make(42, &member, 1, 0);
    assert_non_null(buf);
    const struct placement *placement = placement_of(buf);
    assert_int_equal(placement->version, 42);
    assert_int_equal(placement->self, 0);
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        const struct placement_home home = placement_home_of(placement, slot);
        assert_int_equal(home.node, 0);
        assert_int_equal(home.shard, slot % 3);
    }
    buf_release(buf);
}

static void equal_nodes_have_equal_shares(void **state)
{
    (void)state;
    struct placement_member members[NODES_MAX];
    uint32_t counts[NODES_MAX];
    make_members(members, NODES_MAX);
    for (uint16_t nodes = 1; nodes <= NODES_MAX; nodes++) {
        struct buf *buf = place(members, nodes);
        count_slots(placement_of(buf), counts);
        const double mean = (double)SLOTS / nodes;
        double squares = 0;
        for (uint16_t i = 0; i < nodes; i++) {
            const double off = counts[i] - mean;
            squares += off * off;
            /* Binomial: five standard deviations are as good as never. */
            assert_true(off * off < 25 * mean);
        }
        /* And all together: chi-square of `nodes` - 1 degrees, again five deviations. */
        const double chi = squares / mean - (nodes - 1);
        assert_true(chi * chi < 25 * 2 * (nodes - 1.0) + 1);
        buf_release(buf);
    }
}

static void shares_follow_weights(void **state)
{
    (void)state;
    struct placement_member members[8];
    uint32_t counts[8];
    uint32_t sum = 0;
    make_members(members, 8);
    for (uint32_t i = 0; i < 8; i++) {
        members[i].weight = 1u << i;
        sum += members[i].weight;
    }
    struct buf *buf = place(members, 8);
    count_slots(placement_of(buf), counts);
    for (uint32_t i = 0; i < 8; i++) {
        const double expected = (double)SLOTS * members[i].weight / sum;
        const double off = counts[i] - expected;
        assert_true(off * off < 25 * expected);
    }
    buf_release(buf);
}

/* Weights are a ratio, however large the numbers. */
static void only_the_ratio_of_weights_counts(void **state)
{
    (void)state;
    struct placement_member small[4];
    struct placement_member large[4];
    make_members(small, 4);
    make_members(large, 4);
    for (uint32_t i = 0; i < 4; i++) {
        small[i].weight = 1 + i;
        large[i].weight = (1 + i) * (UINT32_MAX / 4);
    }
    struct buf *a = place(small, 4);
    struct buf *b = place(large, 4);
    assert_memory_equal(placement_of(a)->node_of_slot, placement_of(b)->node_of_slot,
                        sizeof(placement_of(a)->node_of_slot));
    buf_release(a);
    buf_release(b);
}

/* When a node comes, slots move to it alone; when it goes, its slots alone move. */
static void a_node_that_comes_or_goes_moves_its_share_only(void **state)
{
    (void)state;
    struct placement_member members[NODES_MAX];
    make_members(members, NODES_MAX);
    for (uint16_t nodes = 1; nodes < NODES_MAX; nodes += 5) {
        struct buf *before = place(members, nodes);
        struct buf *after = place(members, nodes + 1);
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            const uint16_t now = placement_of(after)->node_of_slot[slot];
            if (now != nodes) {
                assert_int_equal(now, placement_of(before)->node_of_slot[slot]);
            }
        }
        buf_release(before);
        buf_release(after);
    }
}

/* The same with a weight that grows: slots move to that node alone. */
static void a_heavier_node_takes_and_never_gives(void **state)
{
    (void)state;
    struct placement_member members[10];
    make_members(members, 10);
    struct buf *before = place(members, 10);
    members[4].weight = 2;
    struct buf *after = place(members, 10);
    uint32_t moved = 0;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        const uint16_t was = placement_of(before)->node_of_slot[slot];
        const uint16_t now = placement_of(after)->node_of_slot[slot];
        moved += was != now;
        assert_true(was == now || now == 4);
    }
    assert_true(moved > 0);
    buf_release(before);
    buf_release(after);
}

static void the_order_of_members_does_not_matter(void **state)
{
    (void)state;
    enum { LEN = 20 };
    struct placement_member members[LEN];
    struct placement_member reversed[LEN];
    make_members(members, LEN);
    for (uint32_t i = 0; i < LEN; i++) {
        members[i].weight = 1 + i % 3;
        reversed[LEN - 1 - i] = members[i];
    }
    struct buf *a = place(members, LEN);
    struct buf *b = placement_make(1, reversed, LEN, LEN - 1);
    assert_non_null(b);
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        const struct placement_home here = placement_home_of(placement_of(a), slot);
        const struct placement_home there = placement_home_of(placement_of(b), slot);
        assert_int_equal(here.node, LEN - 1 - there.node);
        assert_int_equal(here.shard, there.shard);
    }
    buf_release(a);
    buf_release(b);
}

static void too_many_members_are_refused(void **state)
{
    (void)state;
    struct placement_member *members = calloc(PLACEMENT_NODES_MAX + 1, sizeof(*members));
    assert_non_null(members);
    make_members(members, PLACEMENT_NODES_MAX + 1);
    assert_null(placement_make(1, members, PLACEMENT_NODES_MAX + 1, 0));
    free(members);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_of_names_are_fixed),
        cmocka_unit_test(a_single_node_has_every_slot),
        cmocka_unit_test(equal_nodes_have_equal_shares),
        cmocka_unit_test(shares_follow_weights),
        cmocka_unit_test(only_the_ratio_of_weights_counts),
        cmocka_unit_test(a_node_that_comes_or_goes_moves_its_share_only),
        cmocka_unit_test(a_heavier_node_takes_and_never_gives),
        cmocka_unit_test(the_order_of_members_does_not_matter),
        cmocka_unit_test(too_many_members_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
