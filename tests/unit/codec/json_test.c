/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what is accepted and refused and why, the walk over a text, exact numbers, and writing. */
#include "codec/json.h"
#include "codec/json_scan.h"
#include "codec/json_writer.h"
#include "codec/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(literal) \
    { \
        (const uint8_t *)("" literal), sizeof(literal) - 1 \
    }
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A copy of exactly that size, so that a sanitizer sees a read of the first byte behind it. */
static struct span exact_copy(struct span text)
{
    uint8_t *copy = malloc(text.len > 0 ? text.len : 1);
    assert_non_null(copy);
    if (text.len > 0) {
        memcpy(copy, text.at, text.len);
    }
    return span_of(copy, text.len);
}

static void release(struct span copy)
{
    free((void *)(uintptr_t)copy.at);
}

static enum json_result check(struct span text)
{
    struct span copy = exact_copy(text);
    enum json_result result = json_check(copy);
    release(copy);
    return result;
}

static void assert_text(struct span got, const char *wanted)
{
    if (!span_equal(got, span_of_text(wanted))) {
        fail_msg("got %.*s, wanted %s", (int)got.len, (const char *)got.at, wanted);
    }
}

static void valid_texts_are_accepted(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "7",
        "-12",
        "1.5",
        "0.0",
        "-0.25",
        "1e1",
        "1E1",
        "1e+1",
        "1e-01",
        "0e0",
        "0.1e10",
        "123456789012345678901234567890",
        "1e99999",
        "\"\"",
        "\"a\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0000\"",
        "\"\\u00e9\\u00E9\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\x7f\"",
        "\"\xc2\x80\"",
        "\"\xdf\xbf\"",
        "\"\xe0\xa0\x80\"",
        "\"\xed\x9f\xbf\"",
        "\"\xee\x80\x80\"",
        "\"\xef\xbf\xbf\"",
        "\"\xef\xbb\xbf\"",
        "\"\xf0\x90\x80\x80\"",
        "\"\xf4\x8f\xbf\xbf\"",
        "\"\xe2\x80\xa8\"",
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "[1]",
        "[1,2]",
        "[[],{}]",
        "{\"\":0}",
        "{\"a\":{\"b\":[null]},\"c\":1}",
        "{\"a\":1,\"a\":2}",
        " \t\r\n1 \t\r\n",
        " { \"a\" : [ 1 , true ] } ",
        "\"\\u0061\\u30af\"",
        "[\"/*\"]",
        "[0,-0.0]",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        enum json_result result = check(span_of_text(texts[i]));
        if (result != JSON_OK) {
            fail_msg("%s: %s", texts[i], json_result_text(result));
        }
    }
}

static const struct {
    struct span text;
    enum json_result wanted;
} invalid_rows[] = {
    {TEXT(""), JSON_ERROR_EMPTY},
    {TEXT(" \n\t\r"), JSON_ERROR_EMPTY},
    {TEXT("\xef\xbb\xbf{}"), JSON_ERROR_SYNTAX}, /* a byte order mark */
    {TEXT("\x0c{}"), JSON_ERROR_SYNTAX},         /* form feed is no white space */
    {TEXT("\xc2\xa0{}"), JSON_ERROR_SYNTAX},     /* and a hard space is none */
    {TEXT("{}\0"), JSON_ERROR_TRAILING},
    {TEXT("\0"), JSON_ERROR_SYNTAX},
    {TEXT("[1\0]"), JSON_ERROR_SYNTAX},
    {TEXT("{} {}"), JSON_ERROR_TRAILING},
    {TEXT("1 2"), JSON_ERROR_TRAILING},
    {TEXT("[]]"), JSON_ERROR_TRAILING},
    {TEXT("nullx"), JSON_ERROR_TRAILING},
    {TEXT("nul"), JSON_ERROR_TRUNCATED},
    {TEXT("nulL"), JSON_ERROR_SYNTAX},
    {TEXT("True"), JSON_ERROR_SYNTAX},
    {TEXT("tru]"), JSON_ERROR_SYNTAX},
    {TEXT("fals"), JSON_ERROR_TRUNCATED},
    {TEXT("NaN"), JSON_ERROR_SYNTAX},
    {TEXT("Infinity"), JSON_ERROR_SYNTAX},
    {TEXT("-Infinity"), JSON_ERROR_NUMBER},
    {TEXT("undefined"), JSON_ERROR_SYNTAX},
    {TEXT("'a'"), JSON_ERROR_SYNTAX},
    {TEXT("// comment\n1"), JSON_ERROR_SYNTAX},
    {TEXT("/**/1"), JSON_ERROR_SYNTAX},
    {TEXT("1/**/"), JSON_ERROR_TRAILING},
    /* numbers */
    {TEXT("-"), JSON_ERROR_NUMBER},
    {TEXT("+1"), JSON_ERROR_NUMBER},
    {TEXT("01"), JSON_ERROR_NUMBER},
    {TEXT("-01"), JSON_ERROR_NUMBER},
    {TEXT("00"), JSON_ERROR_NUMBER},
    {TEXT("1."), JSON_ERROR_NUMBER},
    {TEXT(".5"), JSON_ERROR_NUMBER},
    {TEXT("-.5"), JSON_ERROR_NUMBER},
    {TEXT("1.e1"), JSON_ERROR_NUMBER},
    {TEXT("1e"), JSON_ERROR_NUMBER},
    {TEXT("1e+"), JSON_ERROR_NUMBER},
    {TEXT("1e1.5"), JSON_ERROR_TRAILING},
    {TEXT("0x10"), JSON_ERROR_TRAILING},
    {TEXT("1_000"), JSON_ERROR_TRAILING},
    {TEXT("1a"), JSON_ERROR_TRAILING},
    {TEXT("- 1"), JSON_ERROR_NUMBER},
    {TEXT("--1"), JSON_ERROR_NUMBER},
    {TEXT("[1 2]"), JSON_ERROR_SYNTAX},
    /* strings */
    {TEXT("\""), JSON_ERROR_TRUNCATED},
    {TEXT("\"a"), JSON_ERROR_TRUNCATED},
    {TEXT("\"a\\"), JSON_ERROR_TRUNCATED},
    {TEXT("\"a\\\""), JSON_ERROR_TRUNCATED},
    {TEXT("\"\\u12"), JSON_ERROR_TRUNCATED},
    {TEXT("\"\\u12\""), JSON_ERROR_ESCAPE},
    {TEXT("\"\\u12g4\""), JSON_ERROR_ESCAPE},
    {TEXT("\"\\U0041\""), JSON_ERROR_ESCAPE},
    {TEXT("\"\\x41\""), JSON_ERROR_ESCAPE},
    {TEXT("\"\\a\""), JSON_ERROR_ESCAPE},
    {TEXT("\"\\'\""), JSON_ERROR_ESCAPE},
    {TEXT("\"\\\0\""), JSON_ERROR_ESCAPE},
    {TEXT("\"\\\n\""), JSON_ERROR_ESCAPE},
    {TEXT("\"a\nb\""), JSON_ERROR_CONTROL},
    {TEXT("\"\t\""), JSON_ERROR_CONTROL},
    {TEXT("\"\0\""), JSON_ERROR_CONTROL},
    {TEXT("\"\x1f\""), JSON_ERROR_CONTROL},
    {TEXT("\"0123456789abcdef\x1f\""), JSON_ERROR_CONTROL},
    {TEXT("\"\x80\""), JSON_ERROR_UTF8},
    {TEXT("\"\xc0\x80\""), JSON_ERROR_UTF8},
    {TEXT("\"\xc1\xbf\""), JSON_ERROR_UTF8},
    {TEXT("\"\xe0\x9f\xbf\""), JSON_ERROR_UTF8},
    {TEXT("\"\xed\xa0\x80\""), JSON_ERROR_UTF8},
    {TEXT("\"\xf0\x8f\xbf\xbf\""), JSON_ERROR_UTF8},
    {TEXT("\"\xf4\x90\x80\x80\""), JSON_ERROR_UTF8},
    {TEXT("\"\xf5\x80\x80\x80\""), JSON_ERROR_UTF8},
    {TEXT("\"\xff\""), JSON_ERROR_UTF8},
    {TEXT("\"\xc3\""), JSON_ERROR_UTF8},
    {TEXT("\"\xe2\x82\""), JSON_ERROR_UTF8},
    {TEXT("\"\xe2\x82"), JSON_ERROR_UTF8},
    {TEXT("\"\xc3\x28\""), JSON_ERROR_UTF8},
    {TEXT("{\"\xff\":1}"), JSON_ERROR_UTF8},
    /* containers */
    {TEXT("["), JSON_ERROR_TRUNCATED},
    {TEXT("[1"), JSON_ERROR_TRUNCATED},
    {TEXT("[1,"), JSON_ERROR_TRUNCATED},
    {TEXT("[1,]"), JSON_ERROR_SYNTAX},
    {TEXT("[,1]"), JSON_ERROR_SYNTAX},
    {TEXT("[,]"), JSON_ERROR_SYNTAX},
    {TEXT("[1,,2]"), JSON_ERROR_SYNTAX},
    {TEXT("[1}"), JSON_ERROR_SYNTAX},
    {TEXT("[}"), JSON_ERROR_SYNTAX},
    {TEXT("]"), JSON_ERROR_SYNTAX},
    {TEXT("[1:2]"), JSON_ERROR_SYNTAX},
    {TEXT("[\"a\":1]"), JSON_ERROR_SYNTAX},
    {TEXT("{"), JSON_ERROR_TRUNCATED},
    {TEXT("{\"a\""), JSON_ERROR_TRUNCATED},
    {TEXT("{\"a\":"), JSON_ERROR_TRUNCATED},
    {TEXT("{\"a\":1"), JSON_ERROR_TRUNCATED},
    {TEXT("{\"a\":1,"), JSON_ERROR_TRUNCATED},
    {TEXT("{\"a\":1,}"), JSON_ERROR_SYNTAX},
    {TEXT("{,}"), JSON_ERROR_SYNTAX},
    {TEXT("{\"a\"}"), JSON_ERROR_SYNTAX},
    {TEXT("{\"a\",1}"), JSON_ERROR_SYNTAX},
    {TEXT("{\"a\"::1}"), JSON_ERROR_SYNTAX},
    {TEXT("{\"a\":}"), JSON_ERROR_SYNTAX},
    {TEXT("{\"a\":1 \"b\":2}"), JSON_ERROR_SYNTAX},
    {TEXT("{a:1}"), JSON_ERROR_SYNTAX},
    {TEXT("{1:1}"), JSON_ERROR_SYNTAX},
    {TEXT("{null:1}"), JSON_ERROR_SYNTAX},
    {TEXT("{\"a\":1]"), JSON_ERROR_SYNTAX},
    {TEXT("{]"), JSON_ERROR_SYNTAX},
    {TEXT("}"), JSON_ERROR_SYNTAX},
    {TEXT("{\"a\":[}]"), JSON_ERROR_SYNTAX},
};

static void invalid_texts_are_refused_with_their_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(invalid_rows); i++) {
        enum json_result result = check(invalid_rows[i].text);
        if (result != invalid_rows[i].wanted) {
            fail_msg("%.*s: %s, wanted %s", (int)invalid_rows[i].text.len,
                     (const char *)invalid_rows[i].text.at, json_result_text(result),
                     json_result_text(invalid_rows[i].wanted));
        }
    }
}

static void no_prefix_of_an_object_is_valid(void **state)
{
    (void)state;
    struct span text = SPAN_LITERAL("{\"a\":[1,-2.5e3,\"x\\u00e9\\n\xc3\xa9\",true,{\"b\":null}]}");
    assert_int_equal(check(text), JSON_OK);
    for (size_t len = 0; len < text.len; len++) {
        assert_int_not_equal(check(span_of(text.at, len)), JSON_OK);
    }
}

static enum json_result check_nested(size_t depth, const char *open, const char *close)
{
    size_t unit = strlen(open);
    size_t len = depth * (unit + strlen(close)) + 1;
    char *text = malloc(len);
    assert_non_null(text);
    char *at = text;
    for (size_t i = 0; i < depth; i++, at += unit) {
        memcpy(at, open, unit);
    }
    *at++ = '1';
    for (size_t i = 0; i < depth; i++, at += strlen(close)) {
        memcpy(at, close, strlen(close));
    }
    enum json_result result = check(span_of(text, len));
    free(text);
    return result;
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    static const char *const brackets[][2] = {{"[", "]"},
                                              {"{\"a\":", "}"},
                                              {"[[", "]]"},
                                              {"[{\"a\":", "}]"},
                                              {"[1,", ",2]"}};
    for (size_t i = 0; i < COUNT(brackets); i++) {
        size_t levels = i == 2 || i == 3 ? 2 : 1;
        size_t deepest = JSON_DEPTH_MAX / levels;
        assert_int_equal(check_nested(deepest, brackets[i][0], brackets[i][1]), JSON_OK);
        assert_int_equal(check_nested(deepest + 1, brackets[i][0], brackets[i][1]),
                         JSON_ERROR_DEPTH);
        assert_int_equal(check_nested(20000, brackets[i][0], brackets[i][1]), JSON_ERROR_DEPTH);
    }
}

static void the_depth_of_the_reader_counts_too(void **state)
{
    (void)state;
    char text[JSON_DEPTH_MAX + 2];
    memset(text, '[', sizeof(text));
    struct json_reader reader;
    json_reader_begin(&reader, span_of(text, sizeof(text)));
    for (size_t i = 0; i < JSON_DEPTH_MAX; i++) {
        assert_int_equal(json_enter_array(&reader), JSON_OK);
        assert_int_equal(json_next_element(&reader), JSON_OK);
    }
    struct json_reader other = reader;
    assert_int_equal(json_enter_array(&reader), JSON_ERROR_DEPTH);
    assert_int_equal(json_skip_value(&other), JSON_ERROR_DEPTH);
}

static void both_scans_for_plain_bytes_agree(void **state)
{
    (void)state;
    uint8_t text[64];
    for (size_t len = 0; len <= 40; len++) {
        for (size_t start = 0; start < 3; start++) {
            memset(text, 'x', sizeof(text));
            const uint8_t *at = text + start;
            assert_ptr_equal(json_skip_plain(at, at + len), at + len);
            for (size_t position = 0; position < len; position++) {
                for (unsigned byte = 0; byte < 256; byte++) {
                    text[start + position] = (uint8_t)byte;
                    const uint8_t *wanted = json_skip_plain_bytewise(at, at + len);
                    bool is_plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
                    assert_ptr_equal(wanted, is_plain ? at + len : at + position);
                    assert_ptr_equal(json_skip_plain(at, at + len), wanted);
                }
                text[start + position] = 'x';
            }
        }
    }
}

static void utf8_sequences_agree_with_the_other_validator(void **state)
{
    (void)state;
    static const uint8_t tails[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    for (unsigned lead = 0x80; lead < 256; lead++) {
        for (unsigned second = 0; second < 256; second++) {
            for (size_t i = 0; i < COUNT(tails) * COUNT(tails); i++) {
                uint8_t bytes[4] = {(uint8_t)lead, (uint8_t)second, tails[i / COUNT(tails)],
                                    tails[i % COUNT(tails)]};
                size_t len = json_utf8_len(bytes, bytes + 4);
                size_t wanted = 0;
                for (size_t size = 2; size <= 4 && wanted == 0; size++) {
                    wanted = utf8_is_valid(span_of(bytes, size)) ? size : 0;
                }
                assert_int_equal(len, wanted);
                assert_int_equal(len > 1 ? json_utf8_len(bytes, bytes + len - 1) : 0, 0);
            }
        }
    }
}

static void strings_are_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        const char *wanted;
    } rows[] = {
        {"\"\"", ""},
        {"\"plain\"", "plain"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e9\\u20AC\\uFFFF\"", "A\xc3\xa9\xe2\x82\xac\xef\xbf\xbf"},
        {"\"a\\ud83d\\ude00b\"", "a\xf0\x9f\x98\x80"
                                 "b"},
        {"\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf"},
        {"\"\\ud800\"", "\xef\xbf\xbd"},
        {"\"\\udc00\"", "\xef\xbf\xbd"},
        {"\"\\ud800x\"", "\xef\xbf\xbdx"},
        {"\"\\ud800\\n\"", "\xef\xbf\xbd\n"},
        {"\"\\ud800\\u0041\"", "\xef\xbf\xbd"
                               "A"},
        {"\"\\ud800\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
        {"\"\\udc00\\ud800\"", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"\xc3\xa9\\u0020\xc3\xa9\"", "\xc3\xa9 \xc3\xa9"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct span raw = span_of_text(rows[i].raw);
        uint8_t buf[64];
        struct scratch scratch = scratch_of(buf, raw.len - 2);
        struct span text;
        assert_int_equal(json_string_decode(raw, &scratch, &text), JSON_OK);
        assert_text(text, rows[i].wanted);
        bool is_slice = text.len == 0 || (text.at > raw.at && text.at < raw.at + raw.len);
        assert_int_equal(is_slice, memchr(raw.at, '\\', raw.len) == NULL);

        /* With every smaller scratch it says so, and takes nothing. */
        for (size_t room = 0; !is_slice && room < text.len; room++) {
            struct scratch small = scratch_of(buf, room);
            struct span unused;
            assert_int_equal(json_string_decode(raw, &small, &unused), JSON_ERROR_SPACE);
            assert_int_equal(scratch_room(&small), room);
        }
    }
}

static void strings_that_were_never_checked_do_no_harm(void **state)
{
    (void)state;
    static const struct {
        struct span raw;
        enum json_result wanted;
    } rows[] = {
        {TEXT(""), JSON_ERROR_TYPE},
        {TEXT("\""), JSON_ERROR_TYPE},
        {TEXT("12"), JSON_ERROR_TYPE},
        {TEXT("\"\\\""), JSON_ERROR_ESCAPE},
        {TEXT("\"\\u12\""), JSON_ERROR_ESCAPE},
        {TEXT("\"\\q\""), JSON_ERROR_ESCAPE},
        {TEXT("\"\\u123x\""), JSON_ERROR_ESCAPE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t buf[16];
        struct scratch scratch = scratch_of(buf, sizeof(buf));
        struct span copy = exact_copy(rows[i].raw);
        struct span text;
        assert_int_equal(json_string_decode(copy, &scratch, &text), rows[i].wanted);
        release(copy);
    }
}

static void integers_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        enum json_result u64_result, i64_result, u32_result, i32_result;
        uint64_t value;
    } rows[] = {
        {"0", JSON_OK, JSON_OK, JSON_OK, JSON_OK, 0},
        {"-0", JSON_ERROR_RANGE, JSON_OK, JSON_ERROR_RANGE, JSON_OK, 0},
        {"2147483647", JSON_OK, JSON_OK, JSON_OK, JSON_OK, INT32_MAX},
        {"2147483648", JSON_OK, JSON_OK, JSON_OK, JSON_ERROR_RANGE, 2147483648U},
        {"-2147483648", JSON_ERROR_RANGE, JSON_OK, JSON_ERROR_RANGE, JSON_OK, (uint64_t)INT32_MIN},
        {"-2147483649", JSON_ERROR_RANGE, JSON_OK, JSON_ERROR_RANGE, JSON_ERROR_RANGE,
         (uint64_t)INT32_MIN - 1},
        {"4294967295", JSON_OK, JSON_OK, JSON_OK, JSON_ERROR_RANGE, UINT32_MAX},
        {"4294967296", JSON_OK, JSON_OK, JSON_ERROR_RANGE, JSON_ERROR_RANGE, UINT32_MAX + 1ULL},
        {"9007199254740993", JSON_OK, JSON_OK, JSON_ERROR_RANGE, JSON_ERROR_RANGE,
         9007199254740993ULL},
        {"9223372036854775807", JSON_OK, JSON_OK, JSON_ERROR_RANGE, JSON_ERROR_RANGE, INT64_MAX},
        {"9223372036854775808", JSON_OK, JSON_ERROR_RANGE, JSON_ERROR_RANGE, JSON_ERROR_RANGE,
         9223372036854775808ULL},
        {"-9223372036854775808", JSON_ERROR_RANGE, JSON_OK, JSON_ERROR_RANGE, JSON_ERROR_RANGE,
         (uint64_t)INT64_MIN},
        {"-9223372036854775809", JSON_ERROR_RANGE, JSON_ERROR_RANGE, JSON_ERROR_RANGE,
         JSON_ERROR_RANGE, 0},
        {"18446744073709551615", JSON_OK, JSON_ERROR_RANGE, JSON_ERROR_RANGE, JSON_ERROR_RANGE,
         UINT64_MAX},
        {"18446744073709551616", JSON_ERROR_RANGE, JSON_ERROR_RANGE, JSON_ERROR_RANGE,
         JSON_ERROR_RANGE, 0},
        {"99999999999999999999999", JSON_ERROR_RANGE, JSON_ERROR_RANGE, JSON_ERROR_RANGE,
         JSON_ERROR_RANGE, 0},
        {"1.0", JSON_ERROR_TYPE, JSON_ERROR_TYPE, JSON_ERROR_TYPE, JSON_ERROR_TYPE, 0},
        {"1e3", JSON_ERROR_TYPE, JSON_ERROR_TYPE, JSON_ERROR_TYPE, JSON_ERROR_TYPE, 0},
        {"-1.5", JSON_ERROR_RANGE, JSON_ERROR_TYPE, JSON_ERROR_RANGE, JSON_ERROR_TYPE, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct span raw = span_of_text(rows[i].raw);
        uint64_t u64 = rows[i].value;
        int64_t i64 = (int64_t)rows[i].value;
        uint32_t u32 = (uint32_t)rows[i].value;
        int32_t i32 = (int32_t)rows[i].value;
        assert_int_equal(json_number_u64(raw, &u64), rows[i].u64_result);
        assert_int_equal(json_number_i64(raw, &i64), rows[i].i64_result);
        assert_int_equal(json_number_u32(raw, &u32), rows[i].u32_result);
        assert_int_equal(json_number_i32(raw, &i32), rows[i].i32_result);
        assert_true(u64 == rows[i].value && i64 == (int64_t)rows[i].value);
        assert_true(u32 == (uint32_t)rows[i].value && i32 == (int32_t)rows[i].value);
    }
}

static void floors_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        enum json_result result;
        int64_t value;
    } rows[] = {
        {"0", JSON_OK, 0},
        {"1.5", JSON_OK, 1},
        {"-1.5", JSON_OK, -2},
        {"-1.0", JSON_OK, -1},
        {"-0.0001", JSON_OK, -1},
        {"0.99999999999999999999999", JSON_OK, 0},
        {"1.5e3", JSON_OK, 1500},
        {"1.2345e2", JSON_OK, 123},
        {"12345e-2", JSON_OK, 123},
        {"-12345e-2", JSON_OK, -124},
        {"1e-9999999999999999999999", JSON_OK, 0},
        {"0e9999999999999999999999", JSON_OK, 0},
        {"0.0000000001e10", JSON_OK, 1},
        {"1700000000.123", JSON_OK, 1700000000},
        {"9223372036854775807.9", JSON_OK, INT64_MAX},
        {"9223372036854775808", JSON_ERROR_RANGE, 0},
        {"-9223372036854775808", JSON_OK, INT64_MIN},
        {"-9223372036854775808.1", JSON_ERROR_RANGE, 0},
        {"1e18", JSON_OK, 1000000000000000000},
        {"1e19", JSON_ERROR_RANGE, 0},
        {"1e300", JSON_ERROR_RANGE, 0},
        {"1e99999999999999999999999", JSON_ERROR_RANGE, 0},
        {"", JSON_ERROR_TYPE, 0},
        {"1x", JSON_ERROR_TYPE, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t value = 0;
        enum json_result result = json_number_floor(span_of_text(rows[i].raw), &value);
        if (result != rows[i].result || value != rows[i].value) {
            fail_msg("%s: %s %lld", rows[i].raw, json_result_text(result), (long long)value);
        }
    }
}

static void doubles_are_the_nearest(void **state)
{
    (void)state;
    double value = 0;
    assert_int_equal(json_number_double(SPAN_LITERAL("-2.5e-3"), &value), JSON_OK);
    assert_true(value == -2.5e-3);
    assert_int_equal(json_number_double(SPAN_LITERAL("9007199254740993"), &value), JSON_OK);
    assert_true(value == 9007199254740992.0);
    assert_int_equal(json_number_double(SPAN_LITERAL("1e309"), &value), JSON_ERROR_RANGE);
    assert_int_equal(json_number_double(SPAN_LITERAL("-1e309"), &value), JSON_ERROR_RANGE);
    assert_int_equal(json_number_double(SPAN_LITERAL("1e-400"), &value), JSON_OK);
    assert_true(value == 0);
    char digits[JSON_DOUBLE_LEN_MAX + 1];
    memset(digits, '1', sizeof(digits));
    assert_int_equal(json_number_double(span_of(digits, sizeof(digits)), &value), JSON_ERROR_RANGE);
    assert_int_equal(json_number_double(span_of(digits, sizeof(digits) - 1), &value), JSON_OK);
    assert_int_equal(json_number_double(SPAN_LITERAL("nan"), &value), JSON_ERROR_TYPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_texts_are_accepted),
        cmocka_unit_test(invalid_texts_are_refused_with_their_reason),
        cmocka_unit_test(no_prefix_of_an_object_is_valid),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(the_depth_of_the_reader_counts_too),
        cmocka_unit_test(both_scans_for_plain_bytes_agree),
        cmocka_unit_test(utf8_sequences_agree_with_the_other_validator),
        cmocka_unit_test(strings_are_decoded),
        cmocka_unit_test(strings_that_were_never_checked_do_no_harm),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(floors_are_exact),
        cmocka_unit_test(doubles_are_the_nearest),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
