/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the nodes of a cluster tells that one is gone, or back: one of them. */
#include "shards/edge/backends/webhooks.h"
#include "tests/unit/shards/rig.h"

enum { NODES = 9 };

static struct rig rig;
static struct proxy_options proxy;
static struct webhooks *of[NODES]; /* What each node tells. */

static int set_up(void **state)
{
    (void)state;
    rig_open(&rig, 1, 10, 10);
    rig.options.webhooks.clients = &proxy;
    rig.options.webhooks.batch_max_delay_ms = UINT32_MAX;
    for (uint32_t i = 0; i < NODES; i++) {
        of[i] = webhooks_create(&rig.home);
        assert_non_null(of[i]);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < NODES; i++) {
        webhooks_destroy(of[i]);
    }
    rig_close(&rig);
    return 0;
}

/* The map as node `self` has it, of those nodes that are in the set. */
static struct buf *map_of(uint32_t self, uint32_t nodes, uint32_t draining)
{
    struct placement_member members[NODES];
    struct placement_members all = {.at = members};
    for (uint32_t i = 0; i < NODES; i++) {
        if ((nodes >> i & 1) == 0) {
            continue;
        }
        all.self = i == self ? (uint16_t)all.len : all.self;
        members[all.len] = (struct placement_member){.shards = 1, .weight = 1};
        members[all.len].uid.bytes[0] = (uint8_t)(i + 1);
        members[all.len].share = (draining >> i & 1) != 0 ? PLACEMENT_NOTHING : PLACEMENT_TAKES;
        all.len++;
    }
    struct buf *buf = placement_make(1, &all, NULL);
    assert_non_null(buf);
    return buf;
}

/* All that are there before and after see the change;
 * returns how many of them told. */
static uint64_t change(uint32_t before, uint32_t after, uint32_t draining, enum counter counter)
{
    const uint64_t told = rig_counter(&rig, counter);
    for (uint32_t i = 0; i < NODES; i++) {
        if ((before & after) >> i & 1) {
            struct buf *old = map_of(i, before, draining);
            struct buf *new = map_of(i, after, draining);
            webhooks_on_placement(of[i], placement_of(old), placement_of(new));
            buf_release(old);
            buf_release(new);
        }
    }
    return rig_counter(&rig, counter) - told;
}

static void one_tells_of_each_that_is_gone(void **state)
{
    (void)state;
    const uint32_t all = (1u << NODES) - 1;
    for (uint32_t i = 0; i < NODES; i++) {
        assert_int_equal(change(all, all & ~(1u << i), 0, COUNTER_WEBHOOK_NODE_GONE), 1);
        assert_int_equal(change(all & ~(1u << i), all, 0, COUNTER_WEBHOOK_NODE_BACK), 1);
    }
    /* Several at once, down to the last. */
    assert_int_equal(change(all, 0x3, 0, COUNTER_WEBHOOK_NODE_GONE), NODES - 2);
    assert_int_equal(change(0x3, 0x1, 0, COUNTER_WEBHOOK_NODE_GONE), 1);
}

static void not_one_that_leaves_or_has_just_come(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < NODES - 1; i++) {
        const uint32_t stay = 1u << i;
        const uint32_t gone = 1u << (NODES - 1);
        const uint32_t others = ((1u << (NODES - 1)) - 1) & ~stay;
        /* All but one leave; all but one are new. */
        assert_int_equal(change(stay | others | gone, stay | others, others,
                                COUNTER_WEBHOOK_NODE_GONE),
                         1);
        assert_int_equal(change(stay | gone, stay | others, 0, COUNTER_WEBHOOK_NODE_GONE), 1);
    }
}

static void a_node_that_comes_was_not_gone(void **state)
{
    (void)state;
    assert_int_equal(change(0x7, 0xf, 0, COUNTER_WEBHOOK_NODE_BACK), 0);
    assert_int_equal(change(0xf, 0xf, 0, COUNTER_WEBHOOK_NODE_GONE), 0);
    assert_int_equal(change(0xf, 0xf, 0xe, COUNTER_WEBHOOK_NODE_GONE), 0);
}

static void a_node_tells_that_it_started(void **state)
{
    (void)state;
    struct buf *map = map_of(2, 0x7, 0);
    webhooks_on_placement(of[2], NULL, placement_of(map));
    assert_int_equal(rig_counter(&rig, COUNTER_WEBHOOK_NODE_STARTED), 1);
    assert_int_equal(rig_counter(&rig, COUNTER_WEBHOOK_NODE_GONE), 0);
    buf_release(map);
}

/* More than it remembers: the oldest are forgotten, and nothing else happens. */
static void any_number_may_be_gone(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < WEBHOOK_RUNS_GONE_MAX + 10; i++) {
        struct placement_member members[2] = {{.shards = 1, .weight = 1},
                                              {.shards = 1, .weight = 1}};
        members[1].uid.bytes[0] = 1;
        memcpy(members[1].uid.bytes + 1, &i, sizeof(i));
        struct buf *before =
            placement_make(1, &(struct placement_members){.at = members, .len = 2}, NULL);
        struct buf *after =
            placement_make(1, &(struct placement_members){.at = members, .len = 1}, NULL);
        assert_non_null(before);
        assert_non_null(after);
        webhooks_on_placement(of[0], placement_of(before), placement_of(after));
        buf_release(before);
        buf_release(after);
    }
    assert_int_equal(rig_counter(&rig, COUNTER_WEBHOOK_NODE_GONE), WEBHOOK_RUNS_GONE_MAX + 10);
}

#define NODES_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODES_TEST(one_tells_of_each_that_is_gone),
        NODES_TEST(not_one_that_leaves_or_has_just_come),
        NODES_TEST(a_node_that_comes_was_not_gone),
        NODES_TEST(a_node_tells_that_it_started),
        NODES_TEST(any_number_may_be_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
