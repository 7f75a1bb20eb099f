/* SPDX-License-Identifier: Apache-2.0 */
/* Which publications came before, and for how long that is known. */
#include "shards/channel/idempotency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shards/limits.h"

enum { KEYS_MAX = 10 };

static struct idempotency *make(void)
{
    struct random random;
    random_init_seeded(&random, 3);
    struct idempotency *idempotency = idempotency_create(&random, KEYS_MAX);
    assert_non_null(idempotency);
    return idempotency;
}

static void add(struct idempotency *idempotency, const char *channel, const char *key,
                uint64_t now_ms, uint64_t offset)
{
    idempotency_add(idempotency, span_of_text(channel), span_of_text(key), now_ms,
                    (struct stream_position){offset, 9});
}

/* 0: unknown. */
static uint64_t find(const struct idempotency *idempotency, const char *channel, const char *key,
                     uint64_t now_ms)
{
    struct stream_position answer = {0};
    const bool is_known =
        idempotency_find(idempotency, span_of_text(channel), span_of_text(key), now_ms, &answer);
    assert_int_equal(answer.epoch, is_known ? 9 : 0);
    return answer.offset;
}

static void a_key_is_of_one_channel(void **state)
{
    (void)state;
    struct idempotency *idempotency = make();
    add(idempotency, "ab", "c", 0, 1);
    assert_int_equal(find(idempotency, "ab", "c", 0), 1);
    assert_int_equal(find(idempotency, "a", "bc", 0), 0);
    assert_int_equal(find(idempotency, "abc", "", 0), 0);
    assert_int_equal(find(idempotency, "ab", "d", 0), 0);
    add(idempotency, "a", "bc", 0, 2);
    assert_int_equal(find(idempotency, "a", "bc", 0), 2);
    assert_int_equal(find(idempotency, "ab", "c", 0), 1);
    idempotency_destroy(idempotency);
}

static void keys_are_known_for_their_time(void **state)
{
    (void)state;
    struct idempotency *idempotency = make();
    add(idempotency, "c", "k", 1000, 1);
    assert_int_equal(find(idempotency, "c", "k", 1000 + IDEMPOTENCY_MS - 1), 1);
    assert_int_equal(find(idempotency, "c", "k", 1000 + IDEMPOTENCY_MS), 0);
    add(idempotency, "c", "k", 1000 + IDEMPOTENCY_MS, 2);
    assert_int_equal(find(idempotency, "c", "k", 1000 + IDEMPOTENCY_MS), 2);
    assert_int_equal(idempotency_count(idempotency), 1);
    idempotency_destroy(idempotency);
}

static void the_oldest_key_makes_room(void **state)
{
    (void)state;
    struct idempotency *idempotency = make();
    char key[16];
    for (unsigned i = 0; i < 3 * KEYS_MAX; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        add(idempotency, "c", key, i, i + 1);
        for (unsigned j = 0; j <= i; j++) {
            (void)snprintf(key, sizeof(key), "%u", j);
            assert_int_equal(find(idempotency, "c", key, i), i - j < KEYS_MAX ? j + 1 : 0);
        }
    }
    assert_int_equal(idempotency_count(idempotency), KEYS_MAX);
    idempotency_destroy(idempotency);
}

static void the_longest_key_fits(void **state)
{
    (void)state;
    struct idempotency *idempotency = make();
    static char channel[4097];
    static char key[IDEMPOTENCY_KEY_LEN_MAX + 1];
    memset(channel, 'c', sizeof(channel) - 1);
    memset(key, 'k', sizeof(key) - 1);
    add(idempotency, channel, key, 0, 1);
    assert_int_equal(find(idempotency, channel, key, 0), 1);
    assert_int_equal(find(idempotency, channel + 1, key, 0), 0);
    idempotency_destroy(idempotency);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_of_one_channel),
        cmocka_unit_test(keys_are_known_for_their_time),
        cmocka_unit_test(the_oldest_key_makes_room),
        cmocka_unit_test(the_longest_key_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
