/* SPDX-License-Identifier: Apache-2.0 */
/* What histories keep, in which order they give it back, and what goes first when there is too
 * much. */
#include "shards/channel/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shards/payloads.h"

enum { ENTRIES_MAX = 64 };

static const uint8_t client[CLIENT_ID_LEN] = {7};

static void append(struct histories *histories, struct history *history, uint32_t size_max)
{
    char data[32];
    const int len = snprintf(data, sizeof(data), "%llu", (unsigned long long)history->offset + 1);
    struct buf *request =
        publish_request_make(&(struct publish_request){.data = span_of(data, (size_t)len)});
    struct buf *identity = history->offset % 2 == 0
                               ? NULL
                               : identity_make(client, SPAN_LITERAL("u"), SPAN_EMPTY, SPAN_EMPTY);
    assert_true(history_append(histories, history, size_max, request, identity));
}

/* The page holds the offsets first, first + step, .. last, each with its own data. Takes the page
 * over. */
static void assert_page(struct buf *page, uint64_t first, uint64_t last)
{
    assert_non_null(page);
    const struct stream_page *entries = stream_page_of(page);
    const uint64_t len = first <= last ? last - first + 1 : first - last + 1;
    assert_int_equal(entries->len, len);
    for (uint64_t i = 0; i < len; i++) {
        const uint64_t offset = first <= last ? first + i : first - i;
        const struct publish_request request = publish_request_of(entries->entries[i].request);
        char data[32];
        const int data_len = snprintf(data, sizeof(data), "%llu", (unsigned long long)offset);
        assert_int_equal(entries->entries[i].offset, offset);
        assert_true(span_equal(request.data, span_of(data, (size_t)data_len)));
        assert_int_equal(entries->entries[i].identity != NULL, offset % 2 == 0);
    }
    stream_page_release(page);
}

/* ---- reading against a model ---- */

/* What a query is to give, by counting. Returns how many; *first and *last are offsets. */
static uint64_t expect_read(uint64_t oldest, uint64_t newest, const struct history_query *query,
                            uint64_t *first, uint64_t *last)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i <= newest - oldest && count < query->limit; i++) {
        const uint64_t offset = query->is_reverse ? newest - i : oldest + i;
        if (query->has_since &&
            (query->is_reverse ? offset >= query->since_offset : offset <= query->since_offset)) {
            continue;
        }
        *first = count == 0 ? offset : *first;
        *last = offset;
        count++;
    }
    return count;
}

/* Every size, every number of publications, every since, limit and direction. */
static void reading_is_counting(void **state)
{
    (void)state;
    for (uint32_t size = 1; size <= 6; size++) {
        struct histories *histories = histories_create(1 << 20, ENTRIES_MAX);
        struct history history = {0};
        assert_non_null(histories);
        for (uint64_t newest = 1; newest <= 14; newest++) {
            append(histories, &history, size);
            assert_int_equal(history.offset, newest);
            assert_int_equal(history.len, newest < size ? newest : size);
            const uint64_t oldest = newest + 1 - history.len;
            for (uint32_t c = 0; c < 2 * 2 * 9 * 17; c++) {
                const struct history_query query = {
                    .is_reverse = c % 2 == 1,
                    .has_since = c / 2 % 2 == 1,
                    .limit = c / 4 % 9,
                    .since_offset = c / 36 == 16 ? UINT64_MAX : c / 36,
                    .bytes_max = UINT32_MAX,
                };
                uint64_t first = 0;
                uint64_t last = 0;
                struct buf *page;
                assert_true(history_read(&history, &query, &page));
                if (expect_read(oldest, newest, &query, &first, &last) == 0) {
                    assert_null(page);
                } else {
                    assert_page(page, first, last);
                }
            }
        }
        history_clear(histories, &history);
        assert_int_equal(histories_totals(histories).bytes, 0);
        histories_destroy(histories);
    }
}

static void an_empty_history_gives_nothing(void **state)
{
    (void)state;
    const struct history history = {0};
    struct buf *page;
    for (uint32_t c = 0; c < 8; c++) {
        const struct history_query query = {.is_reverse = c % 2 == 1,
                                            .has_since = c / 2 % 2 == 1,
                                            .since_offset = c / 4,
                                            .limit = 5,
                                            .bytes_max = UINT32_MAX};
        assert_true(history_read(&history, &query, &page));
        assert_null(page);
    }
    assert_true(history_recover(&history, 0, 5, UINT32_MAX, &page));
    assert_null(page);
    assert_false(history_recover(&history, 1, 5, UINT32_MAX, &page));
}

/* ---- recovery ---- */

/* Recovered is whoever gets each offset from the next one on; nobody gets a part. */
static void recovery_is_all_or_nothing(void **state)
{
    (void)state;
    struct histories *histories = histories_create(1 << 20, ENTRIES_MAX);
    struct history history = {0};
    for (uint64_t newest = 1; newest <= 20; newest++) {
        append(histories, &history, 8);
        const uint64_t oldest = newest + 1 - history.len;
        for (uint64_t since = 0; since <= newest + 2; since++) {
            for (uint32_t limit = 0; limit <= 9; limit++) {
                struct buf *page = NULL;
                const bool is_possible =
                    since <= newest && since + 1 >= oldest && newest - since <= limit;
                assert_int_equal(history_recover(&history, since, limit, UINT32_MAX, &page),
                                 is_possible);
                if (is_possible && since < newest) {
                    assert_page(page, since + 1, newest);
                } else {
                    assert_null(page);
                }
            }
        }
    }
    struct buf *page;
    assert_false(history_recover(&history, UINT64_MAX, 100, UINT32_MAX, &page));
    /* What was forgotten can be had no more, but who misses nothing still knows it. */
    history_clear(histories, &history);
    assert_int_equal(history.offset, 20);
    assert_false(history_recover(&history, 19, 100, UINT32_MAX, &page));
    assert_true(history_recover(&history, 20, 100, UINT32_MAX, &page));
    append(histories, &history, 8);
    assert_true(history_recover(&history, 20, 100, UINT32_MAX, &page));
    assert_page(page, 21, 21);
    history_clear(histories, &history);
    histories_destroy(histories);
}

static void pages_have_a_weight(void **state)
{
    (void)state;
    struct histories *histories = histories_create(1 << 20, ENTRIES_MAX);
    struct history history = {0};
    for (int i = 0; i < 9; i++) {
        append(histories, &history, 9);
    }
    struct history_query query = {.limit = 100};
    struct buf *page;
    uint64_t len_before = 1;
    for (query.bytes_max = 0; query.bytes_max < 5000; query.bytes_max += 50) {
        assert_true(history_read(&history, &query, &page));
        const uint64_t len = stream_page_of(page)->len;
        assert_true(len >= len_before && len <= 9);
        struct buf *recovered = NULL;
        assert_int_equal(history_recover(&history, 0, 100, query.bytes_max, &recovered), len == 9);
        stream_page_release(recovered);
        len_before = len;
        assert_page(page, 1, len);
    }
    assert_int_equal(len_before, 9);
    history_clear(histories, &history);
    histories_destroy(histories);
}

/* ---- what goes first ---- */

/* Of all channels the oldest publication goes, whichever channel is the busy one. */
static void the_oldest_of_all_makes_room(void **state)
{
    (void)state;
    struct histories *histories = histories_create(1 << 20, 4);
    struct history quiet = {0};
    struct history busy = {0};
    append(histories, &quiet, 100);
    append(histories, &quiet, 100);
    append(histories, &busy, 100);
    append(histories, &busy, 100);
    assert_int_equal(histories_totals(histories).evicted, 0);
    append(histories, &busy, 100);
    assert_int_equal(quiet.len, 1);
    assert_int_equal(busy.len, 3);
    append(histories, &busy, 100);
    assert_int_equal(quiet.len, 0);
    assert_int_equal(quiet.offset, 2);
    append(histories, &busy, 100);
    assert_int_equal(busy.len, 4);
    assert_int_equal(histories_totals(histories).evicted, 3);
    assert_int_equal(histories_totals(histories).entries, 4);
    history_clear(histories, &quiet);
    history_clear(histories, &busy);
    histories_destroy(histories);
}

static void bytes_are_bounded(void **state)
{
    (void)state;
    enum { BYTES_MAX = 2000, CHANNELS = 5 };
    struct histories *histories = histories_create(BYTES_MAX, ENTRIES_MAX);
    struct history history[CHANNELS] = {{0}};
    for (uint32_t i = 0; i < 500; i++) {
        append(histories, &history[i % CHANNELS], 1 + i % 7);
        assert_true(histories_totals(histories).bytes <= BYTES_MAX);
        assert_true(histories_totals(histories).bytes > 0);
    }
    /* One that is larger than everything leaves its offset alone. */
    static uint8_t zeros[BYTES_MAX];
    struct buf *large =
        publish_request_make(&(struct publish_request){.data = span_of(zeros, sizeof(zeros))});
    const uint64_t offset = history[0].offset;
    assert_true(history_append(histories, &history[0], 5, large, NULL));
    assert_int_equal(history[0].offset, offset + 1);
    assert_int_equal(histories_totals(histories).entries, 0);
    struct buf *page;
    assert_false(history_recover(&history[0], offset, 10, UINT32_MAX, &page));
    for (uint32_t i = 0; i < CHANNELS; i++) {
        history_clear(histories, &history[i]);
    }
    histories_destroy(histories);
}

/* A namespace's history_size may change while its channels live. */
static void a_history_may_shrink_and_grow(void **state)
{
    (void)state;
    struct histories *histories = histories_create(1 << 20, ENTRIES_MAX);
    struct history history = {0};
    static const uint32_t sizes[] = {9, 3, 1, 16, 2, 5};
    struct buf *page;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (uint32_t n = 0; n < 2 * sizes[i]; n++) {
            append(histories, &history, sizes[i]);
            assert_true(history.len <= sizes[i]);
        }
        assert_int_equal(history.len, sizes[i]);
        assert_true(history_recover(&history, history.offset - sizes[i], 100, UINT32_MAX, &page));
        assert_page(page, history.offset - sizes[i] + 1, history.offset);
    }
    history_clear(histories, &history);
    histories_destroy(histories);
}

/* A page outlives what it was read from. */
static void pages_hold_their_publications(void **state)
{
    (void)state;
    struct histories *histories = histories_create(1 << 20, ENTRIES_MAX);
    struct history history = {0};
    struct buf *page;
    for (int i = 0; i < 3; i++) {
        append(histories, &history, 3);
    }
    assert_true(history_recover(&history, 0, 100, UINT32_MAX, &page));
    history_clear(histories, &history);
    histories_destroy(histories);
    assert_page(page, 1, 3);
}

/* ---- versions ---- */

static void versions_go_up_within_an_epoch(void **state)
{
    (void)state;
    struct history history = {0};
    const struct span a = SPAN_LITERAL("a");
    const struct span b = SPAN_LITERAL("b");
    assert_false(history_has_version(&history, 1, a));
    assert_false(history_has_version(&history, 1, SPAN_EMPTY));
    history_set_version(&history, 5, a);
    assert_true(history_has_version(&history, 5, a));
    assert_true(history_has_version(&history, 4, a));
    assert_false(history_has_version(&history, 6, a));
    assert_false(history_has_version(&history, 4, b));
    assert_true(history_has_version(&history, 4, SPAN_EMPTY));
    assert_false(history_has_version(&history, 6, SPAN_EMPTY));
    history_set_version(&history, 2, b);
    assert_true(history_has_version(&history, 2, b));
    assert_false(history_has_version(&history, 3, b));
    history_set_version(&history, 3, SPAN_EMPTY);
    assert_false(history_has_version(&history, 3, b));
    assert_true(history_has_version(&history, 3, SPAN_EMPTY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_is_counting),
        cmocka_unit_test(an_empty_history_gives_nothing),
        cmocka_unit_test(recovery_is_all_or_nothing),
        cmocka_unit_test(pages_have_a_weight),
        cmocka_unit_test(the_oldest_of_all_makes_room),
        cmocka_unit_test(bytes_are_bounded),
        cmocka_unit_test(a_history_may_shrink_and_grow),
        cmocka_unit_test(pages_hold_their_publications),
        cmocka_unit_test(versions_go_up_within_an_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
