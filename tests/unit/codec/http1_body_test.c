/* SPDX-License-Identifier: Apache-2.0 */
/* Chunked bodies under every cut, query parameters, and the heads of responses. */
#include "codec/http1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BODY_MAX = 8192 };

struct body {
    struct http1_chunked chunked;
    uint8_t bytes[BODY_MAX];
    size_t len;
    size_t consumed;
};

/* Feeds one read, in a block of exactly its size, and gathers what comes out. */
static enum http1_chunked_result feed(struct body *body, const uint8_t *at, size_t len)
{
    uint8_t *block = malloc(len == 0 ? 1 : len);
    assert_non_null(block);
    memcpy(block, at, len);
    struct span in = span_of(block, len);
    struct span data;
    enum http1_chunked_result result;
    while ((result = http1_chunked_decode(&body->chunked, &in, &data)) == HTTP1_CHUNKED_DATA) {
        assert_true(data.len > 0 && data.len <= BODY_MAX - body->len);
        memcpy(body->bytes + body->len, data.at, data.len);
        body->len += data.len;
    }
    body->consumed += len - in.len;
    free(block);
    return result;
}

static struct body whole;
static struct body cut;

static void start(struct body *body, uint64_t len_max)
{
    http1_chunked_init(&body->chunked, len_max);
    body->len = 0;
    body->consumed = 0;
}

static enum http1_chunked_result decode_under_every_cut(const char *text, size_t len_max)
{
    struct span in = span_of_text(text);
    start(&whole, len_max);
    enum http1_chunked_result expected = feed(&whole, in.at, in.len);
    for (size_t a = 0; a <= in.len; a++) {
        start(&cut, len_max);
        enum http1_chunked_result result = feed(&cut, in.at, a);
        if (result == HTTP1_CHUNKED_NEED_MORE) {
            result = feed(&cut, in.at + a, in.len - a);
        }
        assert_int_equal(result, expected);
        assert_int_equal(cut.consumed, whole.consumed);
        assert_int_equal(cut.len, whole.len);
        assert_memory_equal(cut.bytes, whole.bytes, whole.len);
    }
    return expected;
}

static void chunks_are_joined(void **state)
{
    (void)state;
    assert_int_equal(decode_under_every_cut("5\r\nhello\r\n1;a=\"b\"\r\n,\r\n00C\r\n wide\r\nworld"
                                            "\r\n0\r\nX-Sum: 1\r\n\r\nNEXT",
                                            100),
                     HTTP1_CHUNKED_DONE);
    assert_int_equal(whole.len, 18);
    assert_memory_equal(whole.bytes, "hello, wide\r\nworld", 18);
    assert_int_equal(decode_under_every_cut("0\r\n\r\n", 0), HTTP1_CHUNKED_DONE);
    assert_int_equal(whole.len, 0);
    /* The digits of all sizes together are more than one size may have. */
    assert_int_equal(decode_under_every_cut("0001\r\na\r\n0001\r\nb\r\n0001\r\nc\r\n"
                                            "0001\r\nd\r\n0001\r\ne\r\n0\r\n\r\n",
                                            5),
                     HTTP1_CHUNKED_DONE);
    assert_memory_equal(whole.bytes, "abcde", 5);
}

static const struct chunked_refusal {
    const char *text;
    enum http1_chunked_result result;
    unsigned status;
} refusals[] = {
    {"\r", HTTP1_CHUNKED_BAD_SIZE, 400},
    {"g", HTTP1_CHUNKED_BAD_SIZE, 400},
    {"-1", HTTP1_CHUNKED_BAD_SIZE, 400},
    {"0x1", HTTP1_CHUNKED_BAD_SIZE, 400},
    {" 1", HTTP1_CHUNKED_BAD_SIZE, 400},
    {"1 \r\n", HTTP1_CHUNKED_BAD_SIZE, 400},
    {";a\r\n", HTTP1_CHUNKED_BAD_SIZE, 400},
    {"00000000000000001", HTTP1_CHUNKED_BAD_SIZE, 400},
    {"1\n", HTTP1_CHUNKED_BAD_LINE, 400},
    {"1\rx", HTTP1_CHUNKED_BAD_LINE, 400},
    {"1;a\n", HTTP1_CHUNKED_BAD_LINE, 400},
    {"1\r\nab", HTTP1_CHUNKED_BAD_LINE, 400},
    {"1\r\na\n", HTTP1_CHUNKED_BAD_LINE, 400},
    {"1\r\na\rx", HTTP1_CHUNKED_BAD_LINE, 400},
    {"0\r\n\rx", HTTP1_CHUNKED_BAD_LINE, 400},
    {"0\r\nA: \x01", HTTP1_CHUNKED_BAD_LINE, 400},
    {"0\r\nA: b\n", HTTP1_CHUNKED_BAD_LINE, 400},
    {"65", HTTP1_CHUNKED_TOO_LARGE, 413},
    {"64\r\n", HTTP1_CHUNKED_NEED_MORE, 0},
    {"ffffffffffffffff", HTTP1_CHUNKED_TOO_LARGE, 413},
    {"2\r\nab\r\n63", HTTP1_CHUNKED_TOO_LARGE, 413},
    {"0\r\n ", HTTP1_CHUNKED_BAD_TRAILER, 400},
    {"0\r\n\n", HTTP1_CHUNKED_BAD_TRAILER, 400},
    {"0\r\n:", HTTP1_CHUNKED_BAD_TRAILER, 400},
    {"0\r\nA :", HTTP1_CHUNKED_BAD_TRAILER, 400},
    {"0\r\nA\r\n", HTTP1_CHUNKED_BAD_TRAILER, 400},
};

static void each_refusal_has_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (decode_under_every_cut(refusals[i].text, 100) != refusals[i].result) {
            fail_msg("%s", refusals[i].text);
        }
        assert_int_equal(http1_chunked_status(refusals[i].result), refusals[i].status);
        assert_true(strlen(http1_chunked_text(refusals[i].result)) > 0);
    }
}

/* One-byte chunks whose extensions outweigh them a thousandfold, and trailers without end. */
static void what_carries_nothing_is_bounded(void **state)
{
    static const uint8_t extension[] = "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n";
    static const uint8_t trailer[] = "A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n";
    (void)state;
    start(&whole, BODY_MAX);
    size_t fed = 0;
    while (feed(&whole, extension, sizeof(extension) - 1) == HTTP1_CHUNKED_NEED_MORE) {
        fed += sizeof(extension) - 1;
        assert_true(fed < (size_t)2 * HTTP1_CHUNKED_EXTRA_MAX);
    }
    assert_true(whole.len < 128);
    start(&whole, BODY_MAX);
    fed = 0;
    assert_int_equal(feed(&whole, (const uint8_t *)"0\r\n", 3), HTTP1_CHUNKED_NEED_MORE);
    enum http1_chunked_result result;
    while ((result = feed(&whole, trailer, sizeof(trailer) - 1)) == HTTP1_CHUNKED_NEED_MORE) {
        fed += sizeof(trailer) - 1;
        assert_true(fed < (size_t)2 * HTTP1_CHUNKED_EXTRA_MAX);
    }
    assert_int_equal(result, HTTP1_CHUNKED_TOO_MUCH_EXTRA);
    assert_int_equal(http1_chunked_status(result), 400);
}

/* ---- the query ---- */

static void parameters_are_found_and_decoded(void **state)
{
    static const struct {
        const char *query;
        const char *name;
        enum http1_query_result result;
        const char *value;
    } cases[] = {
        {"format=protobuf", "format", HTTP1_QUERY_FOUND, "protobuf"},
        {"a=1&cf_connect=%7B%22id%22%3A1%7d&b=2", "cf_connect", HTTP1_QUERY_FOUND, "{\"id\":1}"},
        {"a=1&a=2", "a", HTTP1_QUERY_FOUND, "1"},
        {"%61pi%5Fkey=x+y%2B", "api_key", HTTP1_QUERY_FOUND, "x y+"},
        {"a", "a", HTTP1_QUERY_FOUND, ""},
        {"a=", "a", HTTP1_QUERY_FOUND, ""},
        {"a=b=c", "a", HTTP1_QUERY_FOUND, "b=c"},
        {"&&x=1&", "x", HTTP1_QUERY_FOUND, "1"},
        {"a=0123456789abcdef", "a", HTTP1_QUERY_FOUND, "0123456789abcdef"},
        {"", "a", HTTP1_QUERY_ABSENT, ""},
        {"ab=1", "a", HTTP1_QUERY_ABSENT, ""},
        {"a=1", "ab", HTTP1_QUERY_ABSENT, ""},
        {"x=a", "a", HTTP1_QUERY_ABSENT, ""},
        {"%6=1&%=2", "a", HTTP1_QUERY_ABSENT, ""},
        {"a=%", "a", HTTP1_QUERY_BAD_ESCAPE, ""},
        {"a=x%2", "a", HTTP1_QUERY_BAD_ESCAPE, ""},
        {"a=x%2&b=4", "a", HTTP1_QUERY_BAD_ESCAPE, ""},
        {"a=%zz", "a", HTTP1_QUERY_BAD_ESCAPE, ""},
        {"a=0123456789abcdefg", "a", HTTP1_QUERY_TOO_LONG, "0123456789abcdef"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t buf[16];
        struct writer value = writer_of(buf, sizeof(buf));
        enum http1_query_result result =
            http1_find_query(span_of_text(cases[i].query), span_of_text(cases[i].name), &value);
        assert_int_equal(result, cases[i].result);
        assert_true(span_equal(writer_written(&value), span_of_text(cases[i].value)));
        assert_int_equal(value.overflow, result == HTTP1_QUERY_TOO_LONG ? 1 : 0);
    }
}

/* ---- responses ---- */

static void a_response_head_is_written(void **state)
{
    uint8_t buf[256];
    (void)state;
    struct writer writer = writer_of(buf, sizeof(buf));
    http1_write_status(&writer, 200);
    http1_write_header_literal(&writer, "Content-Type", "application/json");
    assert_true(http1_write_header(&writer, SPAN_LITERAL("X-Name"), SPAN_LITERAL("caf\xc3\xa9")));
    http1_write_content_length(&writer, 12);
    http1_write_head_end(&writer);
    assert_true(span_equal(writer_written(&writer),
                           SPAN_LITERAL("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                        "X-Name: caf\xc3\xa9\r\nContent-Length: 12\r\n\r\n")));
}

static void a_value_cannot_split_a_response(void **state)
{
    uint8_t buf[64];
    (void)state;
    struct writer writer = writer_of(buf, sizeof(buf));
    struct span name = SPAN_LITERAL("X");
    assert_false(http1_write_header(&writer, name, SPAN_LITERAL("a\r\nSet-Cookie: b")));
    assert_false(http1_write_header(&writer, name, SPAN_LITERAL("a\nb")));
    assert_false(http1_write_header(&writer, name, SPAN_LITERAL("a\rb")));
    assert_false(http1_write_header(&writer, name, SPAN_LITERAL("a\0b")));
    assert_false(http1_write_header(&writer, SPAN_LITERAL("X: y\r\nZ"), SPAN_LITERAL("b")));
    assert_false(http1_write_header(&writer, SPAN_EMPTY, SPAN_LITERAL("b")));
    assert_int_equal(writer_written_len(&writer), 0);
    assert_true(http1_write_header(&writer, name, SPAN_LITERAL("a\tb")));
}

static void every_status_that_a_codec_hands_out_has_a_phrase(void **state)
{
    (void)state;
    for (unsigned i = HTTP1_NEED_MORE + 1; i < HTTP1_RESULT_COUNT; i++) {
        unsigned status = http1_result_status((enum http1_result)i);
        assert_true(status >= 400);
        assert_string_not_equal(http1_status_text(status), "Unknown");
    }
    assert_string_equal(http1_status_text(101), "Switching Protocols");
    assert_string_equal(http1_status_text(799), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_joined),
        cmocka_unit_test(each_refusal_has_its_reason),
        cmocka_unit_test(what_carries_nothing_is_bounded),
        cmocka_unit_test(parameters_are_found_and_decoded),
        cmocka_unit_test(a_response_head_is_written),
        cmocka_unit_test(a_value_cannot_split_a_response),
        cmocka_unit_test(every_status_that_a_codec_hands_out_has_a_phrase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
