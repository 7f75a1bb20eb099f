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

/* The keys of a channel as another home would get them, in pages of so many bytes; how many. */
static uint32_t give_all(const struct idempotency *from, struct idempotency *to, uint64_t bytes_max,
                         uint64_t now_ms)
{
    const struct known_query query = {SPAN_LITERAL("c"), now_ms, bytes_max};
    uint64_t place = 0;
    uint32_t len = 0;
    while (place != IDEMPOTENCY_GIVEN) {
        struct buf *page;
        assert_true(idempotency_give(from, &query, &place, &page));
        if (page == NULL) {
            assert_true(place == IDEMPOTENCY_GIVEN); /* There is room for one. */
            break;
        }
        assert_true(page->len <= bytes_max);
        len += (uint32_t)known_page_of(page)->len;
        idempotency_take(to, SPAN_LITERAL("c"), now_ms, known_page_of(page));
        buf_release(page);
    }
    return len;
}

static void keys_of_one_channel_are_given(void **state)
{
    (void)state;
    const uint64_t few = known_page_size(2, 2);
    for (uint64_t bytes_max = known_page_size(1, 1); bytes_max < known_page_size(5, 5);
         bytes_max += few) {
        struct idempotency *from = make();
        struct idempotency *to = make();
        add(from, "c", "0", 0, 1);
        add(from, "d", "1", 0, 2);
        add(from, "c", "2", 100, 3);
        add(from, "c", "3", 100, 4);
        add(to, "c", "3", 200, 9);
        assert_int_equal(give_all(from, to, bytes_max, IDEMPOTENCY_MS), 2);
        assert_int_equal(idempotency_count(to), 2);
        assert_int_equal(find(to, "c", "0", IDEMPOTENCY_MS), 0);
        assert_int_equal(find(to, "d", "1", IDEMPOTENCY_MS), 0);
        assert_int_equal(find(to, "c", "2", IDEMPOTENCY_MS + 99), 3);
        assert_int_equal(find(to, "c", "2", IDEMPOTENCY_MS + 100), 0);
        assert_int_equal(find(to, "c", "3", IDEMPOTENCY_MS + 199), 9); /* It is known better. */
        idempotency_forget(from, SPAN_LITERAL("c"));
        assert_false(idempotency_has_channel(from, SPAN_LITERAL("c")));
        assert_int_equal(idempotency_count(from), 1);
        assert_int_equal(find(from, "d", "1", 0), 2);
        idempotency_destroy(from);
        idempotency_destroy(to);
    }
}

static void no_page_where_there_is_no_room(void **state)
{
    (void)state;
    struct idempotency *idempotency = make();
    add(idempotency, "c", "k", 0, 1);
    const struct known_query query = {SPAN_LITERAL("c"), 0, known_page_size(1, 1) - 1};
    uint64_t place = 0;
    struct buf *page;
    assert_true(idempotency_give(idempotency, &query, &place, &page));
    assert_null(page);
    assert_true(place != IDEMPOTENCY_GIVEN);
    idempotency_destroy(idempotency);
}

/* Keys come, come again and go in any order; channels are those that have some. */
static void channels_are_those_that_have_keys(void **state)
{
    (void)state;
    struct random random;
    random_init_seeded(&random, 4);
    struct idempotency *idempotency = make();
    struct idempotency *other = make();
    uint64_t now_ms = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        const char *const names[] = {"c", "d", "e"};
        const char key[2] = {(char)('0' + random_below(&random, 9)), '\0'};
        now_ms += random_below(&random, IDEMPOTENCY_MS / 4);
        add(idempotency, names[random_below(&random, 3)], key, now_ms, i + 1);
        if (random_below(&random, 20) == 0) {
            idempotency_forget(idempotency, SPAN_LITERAL("d"));
        }
        uint32_t known = 0;
        for (char digit = '0'; digit <= '8'; digit++) {
            known += find(idempotency, "c", (char[2]){digit, '\0'}, now_ms) != 0;
        }
        assert_int_equal(give_all(idempotency, other, 4096, now_ms), known);
        idempotency_forget(other, SPAN_LITERAL("c"));
        assert_int_equal(idempotency_count(other), 0);
        struct span channels[MAP_FEW_MAX];
        uint64_t place = 0;
        uint32_t len = 0;
        uint32_t got;
        while ((got = idempotency_next_channels(idempotency, &place, channels)) > 0) {
            len += got;
        }
        uint32_t has = 0;
        for (uint32_t at = 0; at < 3; at++) {
            has += idempotency_has_channel(idempotency, span_of_text(names[at]));
        }
        assert_int_equal(len, has);
    }
    idempotency_destroy(idempotency);
    idempotency_destroy(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_of_one_channel),
        cmocka_unit_test(keys_are_known_for_their_time),
        cmocka_unit_test(the_oldest_key_makes_room),
        cmocka_unit_test(the_longest_key_fits),
        cmocka_unit_test(keys_of_one_channel_are_given),
        cmocka_unit_test(no_page_where_there_is_no_room),
        cmocka_unit_test(channels_are_those_that_have_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
