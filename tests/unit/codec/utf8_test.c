/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 validation: against a reference that decodes, over every short sequence and every cut. */
#include "codec/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* The length of the code point at `at`, decoded by the definition, or 0 when there is none. */
static size_t reference_code_point(const uint8_t *at, size_t len)
{
    static const uint32_t first_of_len[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t lead = at[0];
    size_t wanted = lead < 0x80             ? 1
                    : (lead & 0xe0) == 0xc0 ? 2
                    : (lead & 0xf0) == 0xe0 ? 3
                    : (lead & 0xf8) == 0xf0 ? 4
                                            : 0;
    if (wanted == 0 || wanted > len) {
        return 0;
    }
    uint32_t point = wanted == 1 ? lead : lead & (0x7fu >> wanted);
    for (size_t i = 1; i < wanted; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = point << 6 | (at[i] & 0x3fu);
    }
    bool is_surrogate = point >= 0xd800 && point <= 0xdfff;
    return point < first_of_len[wanted] || is_surrogate || point > 0x10ffff ? 0 : wanted;
}

static bool reference_is_valid(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t taken = reference_code_point(at + i, len - i);
        if (taken == 0) {
            return false;
        }
        i += taken;
    }
    return true;
}

static void every_sequence_of_three_bytes_agrees_with_the_definition(void **state)
{
    (void)state;
    for (uint32_t word = 0; word < 1u << 24; word++) {
        uint8_t bytes[3] = {(uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word};
        if (utf8_is_valid(span_of(bytes, 3)) != reference_is_valid(bytes, 3)) {
            fail_msg("%02x %02x %02x", bytes[0], bytes[1], bytes[2]);
        }
    }
}

/* Of the four-byte forms all leads and second bytes, and of the others the borders. */
static void every_kind_of_four_bytes_agrees_with_the_definition(void **state)
{
    static const uint8_t tails[] = {0x00, 0x7f, 0x80, 0x81, 0xbf, 0xc0, 0xe1, 0xff};
    (void)state;
    for (unsigned head = 0; head < 0x10000; head++) {
        for (size_t pick = 0; pick < sizeof(tails) * sizeof(tails); pick++) {
            uint8_t bytes[4] = {(uint8_t)(head >> 8), (uint8_t)head, tails[pick / sizeof(tails)],
                                tails[pick % sizeof(tails)]};
            assert_int_equal(utf8_is_valid(span_of(bytes, 4)), reference_is_valid(bytes, 4));
        }
    }
}

/* For each text the index of the first byte that no valid text could have there. */
static void fails_at_the_first_impossible_byte(void **state)
{
    static const struct {
        const char *bytes;
        size_t impossible;
    } cases[] = {
        {"\x80", 0},
        {"a\xc0\xaf", 1},
        {"\xe0\x9f\xbf", 1},
        {"\xed\xa0\x80", 1},
        {"\xf0\x8f\xbf\xbf", 1},
        {"\xf4\x90\x80\x80", 1},
        {"\xf5", 0},
        {"\xff", 0},
        {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80\x65", 12},
        {"\xe2\x82"
         "a",
         2},
        {"\xf0\x9f\x98"
         "a",
         3},
        {"0123456789abcdef0123456789abcdef\xff", 32},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum utf8_state reached = UTF8_COMPLETE;
        size_t at = 0;
        while (reached != UTF8_INVALID) {
            assert_true(cases[i].bytes[at] != 0);
            reached = utf8_feed(reached, span_of(cases[i].bytes + at, 1));
            at++;
        }
        assert_int_equal(at - 1, cases[i].impossible);
        assert_int_equal(utf8_feed(reached, SPAN_LITERAL("good")), UTF8_INVALID);
    }
}

static void a_text_may_be_cut_anywhere(void **state)
{
    struct span text = SPAN_LITERAL("plain ascii, long enough for blocks of sixteen bytes; "
                                    "\xc3\xa9 \xe2\x82\xac \xed\x9f\xbf \xee\x80\x80 "
                                    "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf; and on it goes in ascii");
    (void)state;
    assert_true(utf8_is_valid(text));
    for (size_t a = 0; a <= text.len; a++) {
        for (size_t b = a; b <= text.len; b++) {
            enum utf8_state reached = utf8_feed(UTF8_COMPLETE, span_of(text.at, a));
            reached = utf8_feed(reached, span_of(text.at + a, b - a));
            reached = utf8_feed(reached, span_skip(text, b));
            assert_int_equal(reached, UTF8_COMPLETE);
        }
    }
}

static void a_bad_byte_is_found_at_every_place_of_a_block(void **state)
{
    static const uint8_t bad_bytes[] = {0x80, 0xc1, 0xf5, 0xff};
    (void)state;
    for (size_t len = 1; len <= 70; len++) {
        for (size_t bad = 0; bad < len; bad++) {
            uint8_t *bytes = malloc(len);
            assert_non_null(bytes);
            memset(bytes, 'x', len);
            assert_true(utf8_is_valid(span_of(bytes, len)));
            bytes[bad] = bad_bytes[(len + bad) % sizeof(bad_bytes)];
            assert_false(utf8_is_valid(span_of(bytes, len)));
            free(bytes);
        }
    }
}

static void an_unfinished_code_point_is_not_complete(void **state)
{
    (void)state;
    assert_false(utf8_is_valid(SPAN_LITERAL("ab\xe2\x82")));
    assert_false(utf8_is_complete(utf8_feed(UTF8_COMPLETE, SPAN_LITERAL("\xf0\x9f\x98"))));
    assert_true(utf8_is_valid(SPAN_EMPTY));
}

static void a_prefix_ends_on_a_border(void **state)
{
    struct span text = SPAN_LITERAL("a\xc3\xa9\xf0\x9f\x98\x80z");
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 3, 7, 8, 8};
    (void)state;
    for (size_t len_max = 0; len_max < sizeof(expected) / sizeof(expected[0]); len_max++) {
        assert_int_equal(utf8_prefix_len(text, len_max), expected[len_max]);
    }
    assert_int_equal(utf8_prefix_len(SPAN_LITERAL("ok\xff"
                                                  "no"),
                                     5),
                     2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_of_three_bytes_agrees_with_the_definition),
        cmocka_unit_test(every_kind_of_four_bytes_agrees_with_the_definition),
        cmocka_unit_test(fails_at_the_first_impossible_byte),
        cmocka_unit_test(a_text_may_be_cut_anywhere),
        cmocka_unit_test(a_bad_byte_is_found_at_every_place_of_a_block),
        cmocka_unit_test(an_unfinished_code_point_is_not_complete),
        cmocka_unit_test(a_prefix_ends_on_a_border),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
