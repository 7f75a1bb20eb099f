/* SPDX-License-Identifier: Apache-2.0 */
/* Which ends are remembered, of whom, and for how long. */
#include "shards/channel/early_ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void note(struct early_ends *ends, const char *channel, uint32_t who, uint64_t now_ms)
{
    uint8_t id[EARLY_END_WHO_LEN] = {0};
    memcpy(id, &who, sizeof(who));
    struct buf *name = buf_copy(channel, (uint32_t)strlen(channel));
    assert_non_null(name);
    early_ends_note(ends, name, id, now_ms);
    buf_release(name);
}

static bool has(const struct early_ends *ends, const char *channel, uint32_t who, uint64_t now_ms)
{
    uint8_t id[EARLY_END_WHO_LEN] = {0};
    memcpy(id, &who, sizeof(who));
    return early_ends_have(ends, span_of_text(channel), id, now_ms);
}

static void an_end_is_of_one_in_one_channel(void **state)
{
    (void)state;
    struct early_ends ends = {0};
    assert_false(has(&ends, "", 0, 0));
    note(&ends, "a", 1, 0);
    assert_true(has(&ends, "a", 1, 0));
    assert_false(has(&ends, "a", 2, 0));
    assert_false(has(&ends, "b", 1, 0));
    assert_false(has(&ends, "ab", 1, 0));
    assert_false(has(&ends, "", 1, 0));
    early_ends_release(&ends);
}

static void an_end_is_known_for_a_while(void **state)
{
    (void)state;
    struct early_ends ends = {0};
    note(&ends, "a", 1, 1000);
    assert_true(has(&ends, "a", 1, 1000 + EARLY_ENDS_MS - 1));
    assert_false(has(&ends, "a", 1, 1000 + EARLY_ENDS_MS));
    note(&ends, "a", 1, 1000 + EARLY_ENDS_MS);
    assert_true(has(&ends, "a", 1, 1000 + EARLY_ENDS_MS));
    early_ends_release(&ends);
}

static void the_newest_few_are_known(void **state)
{
    (void)state;
    struct early_ends ends = {0};
    for (uint32_t i = 0; i < 3 * EARLY_ENDS_A_SHARD_MAX; i++) {
        note(&ends, "a", i, i);
        for (uint32_t j = 0; j <= i; j++) {
            assert_int_equal(has(&ends, "a", j, i), i - j < EARLY_ENDS_A_SHARD_MAX);
        }
    }
    early_ends_release(&ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_is_of_one_in_one_channel),
        cmocka_unit_test(an_end_is_known_for_a_while),
        cmocka_unit_test(the_newest_few_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
