/* SPDX-License-Identifier: Apache-2.0 */
/* Revocations between nodes: whatever is lost on the way, all know all of them in the end. */
#include <stdio.h>

#include "shards/limits.h"
#include "shards/router/revoker.h"
#include "tests/unit/shards/rig.h"

enum { NODES = 3, SHARDS = 2, CALLER = 1 };

static struct rig rig;
static struct revoker *revokers[NODES];
static bool is_linked[NODES][NODES];
static uint32_t told; /* Messages between nodes. */

static struct gossip_uid uid_of(uint32_t node)
{
    return (struct gossip_uid){.bytes = {(uint8_t)(node + 1)}};
}

static void tell(void *owner, const struct gossip_uid *to, const struct link_message *message,
                 struct buf *payload)
{
    const uint32_t from = (uint32_t)((struct revoker **)owner - revokers);
    const struct gossip_uid uid = uid_of(from);
    for (uint32_t node = 0; node < NODES; node++) {
        const struct gossip_uid other = uid_of(node);
        if (is_linked[from][node] && (to == NULL || gossip_uid_equal(to, &other))) {
            told++;
            revoker_on_link_message(revokers[node], &uid, message, span_of_buf(payload));
        }
    }
}

static void link_nodes(uint32_t a, uint32_t b, bool is_up)
{
    const struct gossip_uid of_a = uid_of(a);
    const struct gossip_uid of_b = uid_of(b);
    is_linked[a][b] = is_up;
    is_linked[b][a] = is_up;
    if (is_up) {
        revoker_on_link_up(revokers[a], &of_b);
        revoker_on_link_up(revokers[b], &of_a);
        rig_settle(&rig);
    }
}

static int set_up(void **state)
{
    (void)state;
    rig_open(&rig, SHARDS, 10, 10);
    rig.shard[RIG_HOME].wall_ms = 1800000000000;
    for (uint32_t node = 0; node < NODES; node++) {
        revokers[node] = revoker_create(&(struct revoker_options){.node = rig.node,
                                                                  .shard = &rig.shard[RIG_HOME],
                                                                  .outbox = rig.home.outbox,
                                                                  .tell = tell,
                                                                  .owner = &revokers[node]});
        assert_non_null(revokers[node]);
    }
    memset(is_linked, 0, sizeof(is_linked));
    told = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (uint32_t node = 0; node < NODES; node++) {
        revoker_destroy(revokers[node]);
    }
    rig_settle(&rig);
    rig_drop(&rig, 0);
    rig_drop(&rig, 1);
    rig_close(&rig);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void link_all(void)
{
    link_nodes(0, 1, true);
    link_nodes(0, 2, true);
    link_nodes(1, 2, true);
}

static void time_passes(uint64_t ms)
{
    rig.shard[RIG_HOME].wall_ms += (int64_t)ms;
    rig_advance(&rig, ms);
    rig_settle(&rig);
}

static void revoke(uint32_t node, const struct link_revocation *entry)
{
    uint8_t room[REVOCATION_LEN_MAX];
    struct writer out = writer_of(room, sizeof(room));
    link_put_revocation(&out, entry);
    const struct message_revoke body = {.entries = buf_copy(room, writer_written_len(&out))};
    struct message message = message_make_revoke(77, &body);
    message.from = CALLER;
    revoker_on_revoke(revokers[node], &message);
    rig_settle(&rig);
}

static void revoke_token(uint32_t node, uint32_t number)
{
    char uid[32];
    snprintf(uid, sizeof(uid), "token-%u", number);
    revoke(node, &(struct link_revocation){.kind = REVOCATION_TOKEN, .name = span_of_text(uid)});
}

/* How many entries a shard has been told since. */
static uint32_t shard_hears(uint32_t shard)
{
    uint32_t len = 0;
    while (rig_left(&rig, shard) > 0) {
        const struct message message =
            rig.inbox[shard].messages[rig.inbox[shard].taken]; /* Of either type. */
        if (message.type == MESSAGE_REVOKED) {
            const struct message taken = rig_take(&rig, shard, MESSAGE_REVOKED);
            assert_int_equal(taken.handle, 77);
            assert_int_equal(message_as_revoked(&taken).error, 0);
            continue;
        }
        const struct message taken = rig_take(&rig, shard, MESSAGE_REVOCATIONS);
        struct span entries = span_of_buf(message_as_revocations(&taken).entries);
        struct link_revocation entry;
        while (link_next_revocation(&entries, &entry) == LINK_MESSAGE_OK) {
            len++;
        }
        message_release(&taken);
    }
    return len;
}

/* All nodes are in this one process, so a shard hears what three would. */
static void every_shard_of_every_node_hears_once(void **state)
{
    (void)state;
    link_all();
    revoke_token(1, 5);
    assert_int_equal(told, 2);
    assert_int_equal(shard_hears(0), NODES);
    assert_int_equal(shard_hears(1), NODES);
    revoke_token(1, 5);
    revoke_token(2, 5);
    assert_int_equal(told, 2); /* Nobody needs to hear what all know. */
    assert_int_equal(shard_hears(0), 0);
    assert_int_equal(shard_hears(1), 0);
    told = 0;
    time_passes(REVOCATIONS_SUM_MS);
    assert_int_equal(told, NODES * (NODES - 1)); /* Each its sum to each, and they agree. */
    assert_int_equal(shard_hears(0), 0);
    rig_drop(&rig, 1);
    assert_int_equal(rig_counter(&rig, COUNTER_REVOCATIONS_REPAIRED), 0);
}

static void a_node_that_joins_is_told_all(void **state)
{
    (void)state;
    enum { ENTRIES = 5000 }; /* More than one message holds. */
    link_nodes(0, 1, true);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        revoke_token(i % 2, i);
    }
    assert_int_equal(shard_hears(0), 2 * ENTRIES);
    told = 0;
    link_nodes(2, 0, true);
    assert_in_range(told, 2, 20);
    assert_int_equal(shard_hears(0), ENTRIES);
    link_nodes(2, 1, true);
    assert_int_equal(shard_hears(0), 0);
    rig_drop(&rig, 1);
    time_passes(REVOCATIONS_SUM_MS);
    assert_int_equal(rig_counter(&rig, COUNTER_REVOCATIONS_REPAIRED), 0);
}

/* Two that have no link to each other learn from the third. */
static void what_is_lost_is_found_by_the_sums(void **state)
{
    (void)state;
    link_all();
    link_nodes(0, 1, false);
    revoke_token(0, 1);
    revoke_token(1, 2);
    assert_int_equal(shard_hears(0), 4);
    rig_drop(&rig, 1);
    time_passes(REVOCATIONS_SUM_MS + 1);
    assert_int_not_equal(rig_counter(&rig, COUNTER_REVOCATIONS_REPAIRED), 0);
    time_passes(REVOCATIONS_SUM_MS + 1);
    told = 0;
    rig_drop(&rig, 0);
    rig_drop(&rig, 1);
    link_nodes(0, 1, true);
    assert_int_equal(shard_hears(0), 0); /* They had it all. */
    const uint64_t repaired = rig_counter(&rig, COUNTER_REVOCATIONS_REPAIRED);
    time_passes(REVOCATIONS_SUM_MS + 1);
    assert_int_equal(rig_counter(&rig, COUNTER_REVOCATIONS_REPAIRED), repaired);
}

/* One that knows nothing does not speak up by itself, and hears of it all the same. */
static void a_node_that_knows_nothing_is_found(void **state)
{
    (void)state;
    revoke_token(0, 1);
    is_linked[0][1] = true; /* The link came up without a word. */
    is_linked[1][0] = true;
    assert_int_equal(shard_hears(0), 1);
    time_passes(REVOCATIONS_SUM_MS + 1);
    assert_int_equal(shard_hears(0), 1);
    rig_drop(&rig, 1);
}

/* What is over is forgotten by all, and nothing is compared any more. */
static void all_forget_what_is_over(void **state)
{
    (void)state;
    link_all();
    const uint64_t end_s = (uint64_t)rig.shard[RIG_HOME].wall_ms / 1000 + 100;
    revoke(0, &(struct link_revocation){.kind = REVOCATION_BLOCK,
                                        .name = SPAN_LITERAL("ann"),
                                        .changed_ms = 5,
                                        .expire_at_s = end_s});
    assert_int_equal(rig_counter(&rig, COUNTER_REVOCATIONS), 1);
    for (uint32_t i = 0; i < 18; i++) {
        time_passes(REVOCATIONS_SUM_MS);
    }
    assert_int_equal(rig_counter(&rig, COUNTER_REVOCATIONS), 0);
    told = 0;
    time_passes(10 * REVOCATIONS_SUM_MS);
    assert_int_equal(told, 0);
    assert_int_equal(rig_counter(&rig, COUNTER_REVOCATIONS_REPAIRED), 0);
}

static void other_nodes_may_send_anything(void **state)
{
    (void)state;
    link_all();
    const struct gossip_uid uid = uid_of(1);
    struct link_message message = {.kind = LINK_MESSAGE_REVOCATIONS};
    revoker_on_link_message(revokers[0], &uid, &message, SPAN_LITERAL("\x2a\xff nonsense"));
    uint8_t room[256];
    struct writer out = writer_of(room, sizeof(room));
    link_put_revocation(&out, &(struct link_revocation){.kind = 9, .name = SPAN_LITERAL("a")});
    link_put_revocation(&out, &(struct link_revocation){.kind = REVOCATION_TOKEN,
                                                        .name = SPAN_LITERAL("b")});
    revoker_on_link_message(revokers[0], &uid, &message, writer_written(&out));
    assert_int_equal(rig_counter(&rig, COUNTER_RELAY_STALE), 2);
    assert_int_equal(rig_counter(&rig, COUNTER_REVOCATIONS), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_shard_of_every_node_hears_once),
        TEST(a_node_that_joins_is_told_all),
        TEST(what_is_lost_is_found_by_the_sums),
        TEST(a_node_that_knows_nothing_is_found),
        TEST(all_forget_what_is_over),
        TEST(other_nodes_may_send_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
