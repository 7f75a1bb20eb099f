/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded writer and spans: measuring, overflowing, and the numbers. */
#include "codec/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void encode_sample(struct writer *writer)
{
    writer_put_literal(writer, "id=");
    writer_put_u64(writer, 1234567);
    writer_put_byte(writer, ',');
    writer_put_i64(writer, -42);
    writer_put(writer, SPAN_EMPTY);
}

static void what_was_measured_is_what_is_written(void **state)
{
    (void)state;
    struct writer measure = writer_for_measuring();
    encode_sample(&measure);
    size_t whole = measure.overflow;
    assert_int_equal(whole, strlen("id=1234567,-42"));
    for (size_t room = 0; room <= whole + 2; room++) {
        uint8_t *buf = malloc(room == 0 ? 1 : room);
        assert_non_null(buf);
        struct writer writer = writer_of(buf, room);
        encode_sample(&writer);
        assert_int_equal(writer_written_len(&writer) + writer.overflow, whole);
        assert_int_equal(writer_is_overflown(&writer), room < whole);
        assert_memory_equal(buf, "id=1234567,-42", writer_written_len(&writer));
        free(buf);
    }
}

static void nothing_goes_in_behind_a_piece_that_did_not_fit(void **state)
{
    uint8_t buf[4];
    (void)state;
    struct writer writer = writer_of(buf, sizeof(buf));
    writer_put_literal(&writer, "ab");
    writer_put_literal(&writer, "too long");
    writer_put_literal(&writer, "c");
    assert_true(span_equal(writer_written(&writer), SPAN_LITERAL("ab")));
    assert_int_equal(writer.overflow, 9);
}

static void integers_match_printf(void **state)
{
    static const uint64_t values[] = {0, 1, 9, 10, 99, 100, 4294967295, 4294967296, UINT64_MAX};
    static const int64_t signed_values[] = {INT64_MIN, -1, 0, 7, INT64_MAX};
    char expected[32];
    uint8_t buf[WRITER_U64_LEN_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct writer writer = writer_of(buf, sizeof(buf));
        writer_put_u64(&writer, values[i]);
        (void)snprintf(expected, sizeof(expected), "%llu", (unsigned long long)values[i]);
        assert_true(span_equal(writer_written(&writer), span_of_text(expected)));
    }
    for (size_t i = 0; i < sizeof(signed_values) / sizeof(signed_values[0]); i++) {
        struct writer writer = writer_of(buf, sizeof(buf));
        writer_put_i64(&writer, signed_values[i]);
        (void)snprintf(expected, sizeof(expected), "%lld", (long long)signed_values[i]);
        assert_true(span_equal(writer_written(&writer), span_of_text(expected)));
    }
}

static void spans_compare_and_cut(void **state)
{
    struct span text = SPAN_LITERAL("Sec-WebSocket-Key");
    (void)state;
    assert_true(span_equal_ignore_case(text, SPAN_LITERAL("SEC-websocket-kEY")));
    assert_false(span_equal(text, SPAN_LITERAL("SEC-websocket-kEY")));
    assert_false(span_equal_ignore_case(SPAN_LITERAL("@["), SPAN_LITERAL("`{")));
    assert_true(span_equal(SPAN_EMPTY, SPAN_LITERAL("")));
    assert_true(span_starts_with(text, SPAN_LITERAL("Sec-")));
    assert_false(span_starts_with(SPAN_LITERAL("Se"), SPAN_LITERAL("Sec-")));
    assert_int_equal(span_index_of(text, 'W'), 4);
    assert_int_equal(span_index_of(text, '!'), text.len);
    assert_int_equal(span_index_of(SPAN_EMPTY, 'x'), 0);
    assert_true(span_equal(span_skip(text, 14), SPAN_LITERAL("Key")));
    assert_true(span_is_empty(span_skip(text, 99)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_measured_is_what_is_written),
        cmocka_unit_test(nothing_goes_in_behind_a_piece_that_did_not_fit),
        cmocka_unit_test(integers_match_printf),
        cmocka_unit_test(spans_compare_and_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
