/* SPDX-License-Identifier: Apache-2.0 */
/* The table of revocations: what it refuses and for how long, and that the order in which entries
 * come does not matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "shards/revocations.h"

#include <cmocka.h>

enum { NOW = 30000000 * 60 }; /* A minute begins. */

static struct random chance;

static struct revocations *table_of(uint32_t entries_max)
{
    random_init_seeded(&chance, 11);
    struct revocations *table = revocations_create(entries_max, &chance);
    assert_non_null(table);
    return table;
}

static void merge(struct revocations *table, struct link_revocation entry,
                  enum revocations_result expected)
{
    assert_int_equal(revocations_merge(table, &entry, NOW), expected);
}

static bool has_token(const struct revocations *table, const char *uid, const char *user,
                      const char *channel, uint32_t issued_at_s)
{
    const struct revocable token = {
        .uid = span_of_text(uid),
        .user = span_of_text(user),
        .channel = span_of_text(channel),
        .issued_at_s = issued_at_s,
    };
    return revocations_have_token(table, &token, NOW);
}

static void tokens_are_refused_by_id_and_by_date(void **state)
{
    (void)state;
    struct revocations *table = table_of(100);
    assert_false(has_token(table, "t", "ann", "", 5));
    merge(table, (struct link_revocation){.kind = REVOCATION_TOKEN, .name = SPAN_LITERAL("t")},
          REVOCATIONS_CHANGED);
    merge(table,
          (struct link_revocation){.kind = REVOCATION_USER_TOKENS,
                                   .name = SPAN_LITERAL("ann"),
                                   .issued_before_s = 1000},
          REVOCATIONS_CHANGED);
    merge(table,
          (struct link_revocation){.kind = REVOCATION_USER_TOKENS,
                                   .name = SPAN_LITERAL("ben"),
                                   .channel = SPAN_LITERAL("news"),
                                   .issued_before_s = 1000},
          REVOCATIONS_CHANGED);
    static const struct {
        const char *uid;
        const char *user;
        const char *channel;
        uint32_t issued_at_s;
        bool is_revoked;
    } rows[] = {
        {"t", "", "", 5000, true},
        {"t", "cid", "x", REVOCABLE_NO_DATE, true},
        {"T", "cid", "", 5, false},
        {"", "", "", 5, false},
        {"u", "ann", "", 999, true},
        {"u", "ann", "", 1000, false},
        {"", "ann", "", REVOCABLE_NO_DATE, true},
        {"", "ann", "news", 999, true},
        {"", "ann", "", 0, false}, /* No token at all. */
        {"", "ben", "", 5, false},
        {"", "ben", "news", 999, true},
        {"", "ben", "new", 999, false},
        {"", "ben", "news", 1000, false},
        {"ann", "", "", 5, false},
        {"", "t", "", 5, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (has_token(table, rows[i].uid, rows[i].user, rows[i].channel, rows[i].issued_at_s) !=
            rows[i].is_revoked) {
            fail_msg("row %zu", i);
        }
    }
    assert_false(revocations_have_user(table, SPAN_LITERAL("ann"), NOW));
    revocations_destroy(table);
}

static void a_block_can_be_lifted_and_made_again(void **state)
{
    (void)state;
    struct revocations *table = table_of(100);
    struct link_revocation block = {.kind = REVOCATION_BLOCK,
                                    .name = SPAN_LITERAL("ann"),
                                    .changed_ms = 10,
                                    .expire_at_s = NOW + 1000};
    struct link_revocation lifted = block;
    lifted.changed_ms = 20;
    lifted.is_lifted = true;
    merge(table, block, REVOCATIONS_CHANGED);
    assert_true(revocations_have_user(table, block.name, NOW));
    merge(table, lifted, REVOCATIONS_CHANGED);
    assert_false(revocations_have_user(table, block.name, NOW));
    merge(table, block, REVOCATIONS_SAME); /* It comes late. */
    assert_false(revocations_have_user(table, block.name, NOW));
    block.changed_ms = 21;
    merge(table, block, REVOCATIONS_CHANGED);
    assert_true(revocations_have_user(table, block.name, NOW));
    assert_false(revocations_have_user(table, SPAN_LITERAL("an"), NOW));
    assert_int_equal(revocations_count(table), 1);
    revocations_destroy(table);
}

static void entries_end_by_the_minute(void **state)
{
    (void)state;
    struct revocations *table = table_of(100);
    const uint64_t empty = revocations_sum(table);
    const struct link_revocation entry = {.kind = REVOCATION_BLOCK,
                                          .name = SPAN_LITERAL("ann"),
                                          .changed_ms = 1,
                                          .expire_at_s = NOW + 70};
    merge(table, entry, REVOCATIONS_CHANGED);
    merge(table,
          (struct link_revocation){.kind = REVOCATION_TOKEN,
                                   .name = SPAN_LITERAL("t"),
                                   .expire_at_s = NOW - 1},
          REVOCATIONS_SAME);
    assert_true(revocations_have_user(table, entry.name, NOW + 69));
    assert_false(revocations_have_user(table, entry.name, NOW + 70));
    revocations_expire(table, NOW + 119);
    assert_int_equal(revocations_count(table), 1);
    revocations_expire(table, NOW + 120);
    assert_int_equal(revocations_count(table), 0);
    assert_true(revocations_sum(table) == empty);
    assert_int_equal(revocations_merge(table, &entry, NOW + 120), REVOCATIONS_SAME);
    revocations_destroy(table);
}

static void what_is_no_entry_is_refused(void **state)
{
    (void)state;
    static uint8_t long_name[REVOCATION_NAME_LEN_MAX * 4 + 1] = {'a'};
    const struct span name = SPAN_LITERAL("a");
    const struct link_revocation rows[] = {
        {.kind = 0, .name = name},
        {.kind = 4, .name = name},
        {.kind = REVOCATION_TOKEN},
        {.kind = REVOCATION_TOKEN, .name = span_of(long_name, REVOCATION_NAME_LEN_MAX + 1)},
        {.kind = REVOCATION_TOKEN, .name = name, .channel = name},
        {.kind = REVOCATION_BLOCK, .name = name, .channel = name},
        {.kind = REVOCATION_USER_TOKENS,
         .name = name,
         .channel = span_of(long_name, sizeof(long_name))},
    };
    struct revocations *table = table_of(2);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        merge(table, rows[i], REVOCATIONS_INVALID);
    }
    /* The longest of all is encoded in the room that there is for one. */
    const struct link_revocation longest = {
        .kind = REVOCATION_USER_TOKENS,
        .name = span_of(long_name, REVOCATION_NAME_LEN_MAX),
        .channel = span_of(long_name, sizeof(long_name) - 1),
        .issued_before_s = UINT64_MAX,
        .changed_ms = UINT64_MAX,
    };
    merge(table, longest, REVOCATIONS_CHANGED);
    struct writer out = writer_for_measuring();
    link_put_revocation(&out, &longest);
    assert_in_range(out.overflow, 1, REVOCATION_LEN_MAX);
    merge(table, (struct link_revocation){.kind = REVOCATION_TOKEN, .name = name},
          REVOCATIONS_CHANGED);
    merge(table, (struct link_revocation){.kind = REVOCATION_BLOCK, .name = name},
          REVOCATIONS_FULL);
    merge(table, longest, REVOCATIONS_SAME);
    revocations_destroy(table);
}

/* Every order of any four of all small entries of a key gives the same table. */
static void the_order_does_not_matter(void **state)
{
    (void)state;
    struct link_revocation all[40];
    for (uint32_t kind = REVOCATION_USER_TOKENS; kind <= REVOCATION_BLOCK; kind++) {
        uint32_t len = 0;
        for (uint32_t bits = 0; bits < 24; bits++) {
            all[len++] = (struct link_revocation){
                .kind = kind,
                .name = SPAN_LITERAL("ann"),
                .issued_before_s = kind == REVOCATION_USER_TOKENS ? bits % 2 : 0,
                .changed_ms = kind == REVOCATION_BLOCK ? 1 + bits % 2 : 0,
                .is_lifted = kind == REVOCATION_BLOCK && bits / 2 % 2 == 1,
                .expire_at_s = bits / 8 == 0 ? 0 : (uint64_t)NOW + bits / 8 * 1000,
            };
        }
        random_init_seeded(&chance, kind);
        for (int round = 0; round < 2000; round++) {
            uint32_t chosen[4];
            uint64_t sum = 0;
            for (int i = 0; i < 4; i++) {
                chosen[i] = (uint32_t)random_below(&chance, len);
            }
            for (int turn = 0; turn < 4; turn++) {
                struct random of_table;
                random_init_seeded(&of_table, 1);
                struct revocations *table = revocations_create(10, &of_table);
                for (int i = 0; i < 6; i++) { /* Some come twice. */
                    const int at = turn % 2 == 0 ? i + turn : 9 - i - turn;
                    (void)!revocations_merge(table, &all[chosen[at % 4]], NOW);
                }
                assert_true(turn == 0 || sum == revocations_sum(table));
                sum = revocations_sum(table);
                revocations_destroy(table);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_refused_by_id_and_by_date),
        cmocka_unit_test(a_block_can_be_lifted_and_made_again),
        cmocka_unit_test(entries_end_by_the_minute),
        cmocka_unit_test(what_is_no_entry_is_refused),
        cmocka_unit_test(the_order_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
