/* SPDX-License-Identifier: Apache-2.0 */
/* The node and its router shard: the placement at the start, what it tells of the node, the flags.
 */
#include "shards/router/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shards/actors.h"
#include "shards/payloads.h"
#include "shards/router/placement.h"

enum { SERVING = 5, ROUTER = SERVING };

/* A node whose router runs and whose serving shards are mailboxes and stats. */
static struct node_options options;
static struct node *node;
static struct mailbox_matrix *matrix;
static struct shard shards[SERVING + 1];
static const struct shard_actor *ops;
static void *router;

static int set_up(void **state)
{
    (void)state;
    struct random random;
    node_options_init(&options);
    options.shards = SERVING;
    options.name = "node-1";
    options.version = "0.1.0";
    random_init_seeded(&random, 3);
    node = node_create(&options, &random, 1700000000000);
    matrix = mailbox_matrix_create(SERVING + 1);
    assert_non_null(node);
    assert_non_null(matrix);
    for (uint32_t i = 0; i <= SERVING; i++) {
        shards[i] = (struct shard){
            .id = i,
            .count = SERVING + 1,
            .mailbox = mailbox_of(matrix, i),
            .now_ms = 5000,
        };
    }
    const struct shard_set_options set = node_shard_set_options(node);
    assert_int_equal(set.count, SERVING + 1);
    ops = set.actor_ops(ROUTER);
    router = set.actor_create(ROUTER, set.context);
    assert_non_null(router);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ops->stop(router);
    for (uint32_t i = 0; i <= SERVING; i++) {
        stats_destroy(shards[i].stats);
    }
    mailbox_matrix_destroy(matrix);
    node_destroy(node);
    return 0;
}

static void starts(void)
{
    assert_true(ops->start(router, &shards[ROUTER]));
    ops->on_turn_end(router);
    mailbox_flush(shards[ROUTER].mailbox);
}

static void keep(void *context, const struct message *message)
{
    struct message *into = context;
    assert_int_equal(into->type, MESSAGE_TYPE_NONE);
    *into = *message;
}

/* The one message that has come to a serving shard. */
static struct message hears(uint32_t shard, enum message_type type)
{
    struct message message = {.type = MESSAGE_TYPE_NONE};
    assert_int_equal(mailbox_drain(shards[shard].mailbox, 10, keep, &message), 1);
    assert_int_equal(message.type, type);
    assert_int_equal(message.from, ROUTER);
    return message;
}

static void hand_over(void *context, const struct message *message)
{
    (void)context;
    ops->on_message(router, message);
}

static void every_shard_is_told_the_placement(void **state)
{
    (void)state;
    starts();
    struct buf *first = NULL;
    for (uint32_t i = 0; i < SERVING; i++) {
        const struct message message = hears(i, MESSAGE_PLACEMENT);
        struct buf *buf = message_as_placement(&message).placement;
        const struct placement *placement = placement_of(buf);
        first = first == NULL ? buf : first;
        assert_ptr_equal(buf, first);
        assert_int_equal(placement->nodes, 1);
        assert_int_equal(placement->members[0].shards, SERVING);
        const struct gossip_uid uid = node_uid(node);
        assert_int_equal(placement_find(placement, &uid), placement->self);
    }
    assert_int_equal(first->refs, SERVING + 1); /* The router keeps one. */

    /* With it a shard knows the home of every name. */
    const struct actors actors = {.node = node, .placement = placement_of(first)};
    assert_int_equal(actors_home_of(&actors, SPAN_LITERAL("chat")),
                     placement_slot_of(SPAN_LITERAL("chat")) % SERVING);
    for (uint32_t i = 0; i < SERVING; i++) {
        buf_release(first);
    }
}

static void a_home_elsewhere_is_the_routers_business(void **state)
{
    (void)state;
    const struct placement_member members[2] = {
        {.uid = {"a"}, .shards = 1, .weight = 1},
        {.uid = {"b"}, .shards = 1, .weight = 1},
    };
    struct buf *buf =
        placement_make(1, &(struct placement_members){.at = members, .len = 2, .self = 1}, NULL);
    assert_non_null(buf);
    const struct actors actors = {.node = node, .placement = placement_of(buf)};
    uint32_t here = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        const struct span name = span_of(&i, sizeof(i));
        const uint16_t owner = placement_of(buf)->node_of_slot[placement_slot_of(name)];
        assert_int_equal(actors_home_of(&actors, name), owner == 1 ? 0 : ROUTER);
        here += owner == 1;
    }
    assert_true(here > 0 && here < 1000);
    buf_release(buf);
}

static void release(void *context, const struct message *message)
{
    (void)context;
    message_release(message);
}

static struct node_info asks_nodes(uint32_t shard)
{
    const struct message_nodes_ask ask = {0};
    assert_true(message_send_nodes_ask(shards[shard].mailbox, ROUTER, 31, &ask));
    mailbox_flush(shards[shard].mailbox);
    assert_int_equal(mailbox_drain(shards[ROUTER].mailbox, 10, hand_over, NULL), 1);
    ops->on_turn_end(router);
    mailbox_flush(shards[ROUTER].mailbox);
    const struct message message = hears(shard, MESSAGE_NODES);
    const struct message_nodes body = message_as_nodes(&message);
    assert_int_equal(message.handle, 31);
    assert_int_equal(body.error, 0);
    assert_int_equal(body.nodes->len, sizeof(struct node_info));
    struct node_info info;
    memcpy(&info, body.nodes->bytes, sizeof(info));
    buf_release(body.nodes);
    return info;
}

static void starts_and_forgets_placements(void)
{
    starts();
    for (uint32_t i = 0; i < SERVING; i++) {
        assert_int_equal(mailbox_drain(shards[i].mailbox, 10, release, NULL), 1);
    }
}

static void serving_shards_count(void)
{
    for (uint32_t i = 0; i < SERVING; i++) {
        shards[i].stats = stats_create(COUNTERS_LEN, HISTS_LEN);
        assert_non_null(shards[i].stats);
        stats_set(shards[i].stats, COUNTER_NUM_CLIENTS, 100 + i);
        stats_set(shards[i].stats, COUNTER_NUM_USERS, 10);
        stats_set(shards[i].stats, COUNTER_NUM_CHANNELS, i);
        stats_set(shards[i].stats, COUNTER_NUM_SUBSCRIPTIONS, 1000);
        node_set_stats(node, &shards[i]);
    }
}

static void the_node_is_described_by_the_sums_of_its_shards(void **state)
{
    (void)state;
    starts_and_forgets_placements();
    serving_shards_count();
    shards[ROUTER].now_ms += 61999;
    struct node_info info = asks_nodes(2);
    assert_string_equal(info.uid, node->uid);
    assert_string_equal(info.name, "node-1");
    assert_string_equal(info.version, "0.1.0");
    assert_int_equal(info.clients, 510);
    assert_int_equal(info.users, 50);
    assert_int_equal(info.channels, 10);
    assert_int_equal(info.subscriptions, 5000);
    assert_int_equal(info.uptime_s, 61);
    /* However many anonymous clients there are, they are one user. */
    stats_set(shards[1].stats, COUNTER_NUM_ANONYMOUS, 7);
    stats_set(shards[2].stats, COUNTER_NUM_ANONYMOUS, 7);
    assert_int_equal(asks_nodes(4).users, 51);
    /* A shard that has stopped counts no more. */
    node_unset_stats(node, 0);
    assert_int_equal(asks_nodes(4).clients, 410);
}

static void long_names_are_cut(void **state)
{
    (void)state;
    char name[500];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    options.name = name;
    options.version = name;
    starts_and_forgets_placements();
    const struct node_info info = asks_nodes(0);
    assert_int_equal(strlen(info.name), sizeof(info.name) - 1);
    assert_int_equal(strlen(info.version), sizeof(info.version) - 1);
}

static void an_actor_that_never_started_is_freed(void **state)
{
    (void)state;
    const struct shard_set_options set = node_shard_set_options(node);
    for (uint32_t i = 0; i <= SERVING; i++) {
        void *actor = set.actor_create(i, set.context);
        assert_non_null(actor);
        set.actor_ops(i)->stop(actor);
    }
}

static void a_node_has_a_uuid_of_its_own(void **state)
{
    (void)state;
    uint8_t id[CLIENT_ID_LEN];
    assert_true(client_id_parse(span_of_text(node->uid), id));
    assert_int_equal(node->uid[14], '4');
    assert_non_null(strchr("89ab", node->uid[19]));
    struct random random;
    random_init_seeded(&random, 4);
    struct node *other = node_create(&options, &random, 0);
    assert_non_null(other);
    assert_string_not_equal(node->uid, other->uid);
    node_destroy(other);
}

static void a_node_is_drained_when_all_its_shards_are(void **state)
{
    (void)state;
    assert_false(node_is_stopping(node));
    assert_false(node_has_failed(node));
    node_stop_begin(node);
    assert_true(node_is_stopping(node));
    for (uint32_t i = 0; i < SERVING; i++) {
        assert_false(node_is_drained(node));
        node->shard_is_drained[i] = 1;
    }
    /* The router's, which has nobody to leave. */
    assert_false(node_is_drained(node));
    starts_and_forgets_placements();
    assert_true(node_is_drained(node));
}

static void every_message_type_has_a_name_and_a_class(void **state)
{
    (void)state;
    assert_string_equal(message_type_name(MESSAGE_USER_REMOVE), "user_remove");
    assert_string_equal(message_type_name(MESSAGE_TYPE_NONE), "none");
    assert_string_equal(message_type_name(MESSAGE_TYPES_LEN), "unknown");
    assert_int_equal(message_class_of(MESSAGE_SUBSCRIBE), MESSAGE_REQUEST);
    assert_int_equal(message_class_of(MESSAGE_UNSUBSCRIBE), MESSAGE_REPLY);
    for (uint32_t type = 1; type < MESSAGE_TYPES_LEN; type++) {
        assert_non_null(message_type_name((enum message_type)type));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_shard_is_told_the_placement),
        TEST(a_home_elsewhere_is_the_routers_business),
        TEST(the_node_is_described_by_the_sums_of_its_shards),
        TEST(long_names_are_cut),
        TEST(an_actor_that_never_started_is_freed),
        TEST(a_node_has_a_uuid_of_its_own),
        TEST(a_node_is_drained_when_all_its_shards_are),
        cmocka_unit_test(every_message_type_has_a_name_and_a_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
