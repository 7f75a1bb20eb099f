/* SPDX-License-Identifier: Apache-2.0 */
/* Every node comes to the same map; shares follow weights; a change moves no more than it must. */
#include "shards/router/placement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/random.h"

enum { NODES_MAX = 101 };

/* Node i is the same in each test, whatever else there is. */
static void make_members(struct placement_member *members, uint16_t len)
{
    for (uint16_t i = 0; i < len; i++) {
        const uint32_t scattered = i * 2654435761u;
        members[i] = (struct placement_member){.shards = 1 + i % 7u, .weight = 1};
        members[i].uid.bytes[0] = (uint8_t)(i >> 8);
        members[i].uid.bytes[1] = (uint8_t)i;
        memcpy(members[i].uid.bytes + 4, &scattered, sizeof(scattered));
    }
}

static struct buf *place_after(const struct placement_member *members, uint16_t len,
                               const struct buf *previous)
{
    const struct placement_members all = {.at = members, .len = len};
    struct buf *buf = placement_make(1, &all, previous == NULL ? NULL : placement_of(previous));
    assert_non_null(buf);
    return buf;
}

static struct buf *place(const struct placement_member *members, uint16_t len)
{
    return place_after(members, len, NULL);
}

static void count_slots(const struct placement *placement, uint32_t *counts)
{
    memset(counts, 0, placement->nodes * sizeof(*counts));
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        assert_true(placement->node_of_slot[slot] < placement->nodes);
        counts[placement->node_of_slot[slot]]++;
    }
}

static void gained_slots_are_those_that_were_elsewhere(void **state)
{
    (void)state;
    struct placement_member members[3];
    uint8_t gained[SLOT_SET_LEN];
    make_members(members, 3);
    struct buf *before = place(members, 3);
    struct buf *after = place_after(members, 2, before);
    uint32_t own = 0;
    uint32_t more = 0;
    placement_gained(NULL, placement_of(before), gained);
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        const bool is_own = placement_of(before)->node_of_slot[slot] == 0;
        assert_int_equal(slot_set_has(gained, slot), is_own);
        own += is_own;
    }
    placement_gained(placement_of(before), placement_of(after), gained);
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        more += slot_set_has(gained, slot);
        assert_false(slot_set_has(gained, slot) && placement_of(before)->node_of_slot[slot] != 2);
        slot_set_remove(gained, slot);
        assert_false(slot_set_has(gained, slot));
    }
    uint32_t counts[2];
    count_slots(placement_of(after), counts);
    assert_true(more > 0 && own + more == counts[0]);
    buf_release(before);
    buf_release(after);
}

/* Who comes first meets the others one by one. */
static void an_early_map_knows_who_had_slots_only_if_it_meets_nobody(void **state)
{
    (void)state;
    struct placement_member members[3];
    make_members(members, 3);
    struct buf *two = place(members, 2);
    struct buf *three = place(members, 3);
    const struct placement_members early = {.at = members, .len = 3, .is_early = true};
    struct buf *met = placement_make(2, &early, placement_of(two));
    assert_non_null(met);
    assert_null(placement_known_before(placement_of(two), placement_of(met)));
    assert_ptr_equal(placement_known_before(placement_of(three), placement_of(met)),
                     placement_of(three));
    assert_ptr_equal(placement_known_before(placement_of(two), placement_of(three)),
                     placement_of(two));
    assert_null(placement_known_before(NULL, placement_of(two)));
    buf_release(two);
    buf_release(three);
    buf_release(met);
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
    const struct placement_member member = {.uid = {"a"}, .shards = 3, .weight = 5};
    const struct placement_members members = {.at = &member, .len = 1};
    struct buf *buf = placement_make(42, &members, NULL);
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

/* ---- one map after another ---- */

static void assert_same_map(const struct buf *a, const struct buf *b)
{
    const struct placement *left = placement_of(a);
    const struct placement *right = placement_of(b);
    assert_int_equal(left->nodes, right->nodes);
    assert_memory_equal(left->node_of_slot, right->node_of_slot, sizeof(left->node_of_slot));
    assert_int_equal(placement_slots_moved(left, right), 0);
}

/* Members come, go, grow, drain and come back: the map that was changed step by step is the one
 * that is made of the members alone. */
static void a_changed_map_is_the_map_of_its_members(void **state)
{
    (void)state;
    enum { ALL = 24, STEPS = 200 };
    struct placement_member all[ALL];
    struct random random;
    bool is_there[ALL] = {true};
    make_members(all, ALL);
    random_init_seeded(&random, 7);
    struct buf *before = place(all, 1);
    for (uint32_t step = 0; step < STEPS; step++) {
        for (uint64_t changes = random_below(&random, 3); changes > 0; changes--) {
            const uint64_t i = random_below(&random, ALL);
            is_there[i] = i == 0 || random_below(&random, 3) > 0;
            all[i].weight = 1 + (uint32_t)random_below(&random, 3);
            all[i].share = random_below(&random, 4) == 0 ? PLACEMENT_NOTHING : PLACEMENT_TAKES;
        }
        struct placement_member members[ALL];
        uint16_t len = 0;
        for (uint32_t i = 0; i < ALL; i++) {
            if (is_there[i]) {
                members[len++] = all[i];
            }
        }
        struct buf *after = place_after(members, len, before);
        struct buf *afresh = place(members, len);
        assert_same_map(after, afresh);
        buf_release(before);
        buf_release(afresh);
        before = after;
    }
    buf_release(before);
}

static uint32_t slots_of(const struct buf *buf, uint16_t node)
{
    uint32_t counts[NODES_MAX];
    count_slots(placement_of(buf), counts);
    return counts[node];
}

/* Nothing fails over from who is not reachable, and nothing new goes there; when it is back, the
 * map is as if nothing had been. */
static void the_unreachable_keeps_what_it_has(void **state)
{
    (void)state;
    struct placement_member members[5];
    make_members(members, 5);
    struct buf *all = place(members, 5);
    members[2].share = PLACEMENT_KEEPS;
    struct buf *cut = place_after(members, 5, all);
    assert_int_equal(placement_slots_moved(placement_of(all), placement_of(cut)), 0);

    /* A fresh node takes it for what it was. */
    struct buf *afresh = place(members, 5);
    assert_same_map(cut, afresh);

    /* Another one goes: nobody heeds the unreachable one. */
    struct buf *fewer = place_after(members, 4, cut);
    assert_int_equal(slots_of(fewer, 2), slots_of(cut, 2));
    assert_int_equal(placement_slots_moved(placement_of(cut), placement_of(fewer)),
                     slots_of(cut, 4));

    members[2].share = PLACEMENT_TAKES;
    struct buf *back = place_after(members, 4, fewer);
    struct buf *never_cut = place(members, 4);
    assert_same_map(back, never_cut);
    assert_true(slots_of(back, 2) > slots_of(fewer, 2));
    struct buf *const made[] = {all, cut, afresh, fewer, back, never_cut};
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        buf_release(made[i]);
    }
}

static void who_drains_has_nothing_unless_all_do(void **state)
{
    (void)state;
    struct placement_member members[3];
    make_members(members, 3);
    struct buf *before = place(members, 3);
    members[0].share = PLACEMENT_NOTHING;
    struct buf *draining = place_after(members, 3, before);
    assert_int_equal(slots_of(draining, 0), 0);
    assert_int_equal(placement_slots_moved(placement_of(before), placement_of(draining)),
                     slots_of(before, 0));
    members[1].share = PLACEMENT_NOTHING;
    members[2].share = PLACEMENT_NOTHING;
    struct buf *all_drain = place_after(members, 3, draining);
    assert_same_map(all_drain, before);
    buf_release(before);
    buf_release(draining);
    buf_release(all_drain);
}

/* In a cluster of any size a member's coming or going moves its share: at most a tenth more than
 * the ideal, and five standard deviations. */
static void changes_move_the_ideal_share(void **state)
{
    (void)state;
    struct placement_member members[NODES_MAX];
    make_members(members, NODES_MAX);
    for (uint16_t nodes = 1; nodes < NODES_MAX; nodes++) {
        struct buf *before = place(members, nodes);
        struct buf *after = place_after(members, nodes + 1, before);
        struct buf *again = place_after(members, nodes, after);
        const double ideal = (double)SLOTS / (nodes + 1);
        const uint32_t moved = placement_slots_moved(placement_of(before), placement_of(after));
        const double off = moved - ideal;
        assert_true(off * off < 25 * ideal);
        assert_true(nodes > 10 || (off < ideal / 10 && -off < ideal / 10));
        assert_int_equal(placement_slots_moved(placement_of(after), placement_of(again)), moved);
        assert_same_map(before, again);
        buf_release(before);
        buf_release(after);
        buf_release(again);
    }
}

static void members_are_found_by_their_uids(void **state)
{
    (void)state;
    struct placement_member members[NODES_MAX];
    make_members(members, NODES_MAX);
    struct buf *buf = place(members, NODES_MAX - 1);
    for (uint16_t i = 0; i < NODES_MAX - 1; i++) {
        assert_int_equal(placement_find(placement_of(buf), &members[i].uid), i);
    }
    assert_int_equal(placement_find(placement_of(buf), &members[NODES_MAX - 1].uid),
                     PLACEMENT_NOBODY);
    buf_release(buf);
}

static void too_many_members_are_refused(void **state)
{
    (void)state;
    const uint16_t len = PLACEMENT_NODES_MAX + 1;
    struct placement_member *members = calloc(len, sizeof(*members));
    assert_non_null(members);
    make_members(members, len);
    const struct placement_members too_many = {members, len, 0, false};
    assert_null(placement_make(1, &too_many, NULL));
    free(members);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_early_map_knows_who_had_slots_only_if_it_meets_nobody),
        cmocka_unit_test(slots_of_names_are_fixed),
        cmocka_unit_test(gained_slots_are_those_that_were_elsewhere),
        cmocka_unit_test(a_single_node_has_every_slot),
        cmocka_unit_test(equal_nodes_have_equal_shares),
        cmocka_unit_test(shares_follow_weights),
        cmocka_unit_test(only_the_ratio_of_weights_counts),
        cmocka_unit_test(a_node_that_comes_or_goes_moves_its_share_only),
        cmocka_unit_test(a_heavier_node_takes_and_never_gives),
        cmocka_unit_test(a_changed_map_is_the_map_of_its_members),
        cmocka_unit_test(the_unreachable_keeps_what_it_has),
        cmocka_unit_test(who_drains_has_nothing_unless_all_do),
        cmocka_unit_test(changes_move_the_ideal_share),
        cmocka_unit_test(members_are_found_by_their_uids),
        cmocka_unit_test(too_many_members_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
