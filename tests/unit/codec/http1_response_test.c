/* SPDX-License-Identifier: Apache-2.0 */
/* Responses: what each head means, which are none, and bodies however they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/http1_response.h"

static enum http1_result parse(const char *text, struct http1_response *out)
{
    size_t scanned = 0;
    return http1_parse_response(span_of_text(text), &scanned, out);
}

static void a_head_tells_what_follows(void **state)
{
    (void)state;
    struct http1_response response;
    assert_int_equal(parse("HTTP/1.1 200 OK\r\nContent-Length: 12\r\nKeep-Alive: max=9, "
                           "timeout=5\r\n\r\nbody",
                           &response),
                     HTTP1_DONE);
    assert_int_equal(response.status, 200);
    assert_true(response.keep_alive && response.has_content_length && !response.is_chunked);
    assert_int_equal(response.content_length, 12);
    assert_int_equal(response.keep_alive_s, 5);
    assert_int_equal(parse("HTTP/1.1 503\r\nconnection: Foo, CLOSE\r\n"
                           "transfer-encoding: Chunked\r\n\r\n",
                           &response),
                     HTTP1_DONE);
    assert_int_equal(response.status, 503);
    assert_true(!response.keep_alive && response.is_chunked);
    assert_int_equal(parse("HTTP/1.0 404 \r\n\r\n", &response), HTTP1_DONE);
    assert_false(response.keep_alive);
}

static void what_is_no_head_is_told_why(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum http1_result result;
    } cases[] = {
        {"SSH-2.0-OpenSSH_9\r\n\r\n", HTTP1_BAD_VERSION},
        {"\r\n\r\n", HTTP1_BAD_VERSION},
        {"HTTP/2.0 200 OK\r\n\r\n", HTTP1_UNSUPPORTED_VERSION},
        {"HTTP/1.2 200 OK\r\n\r\n", HTTP1_UNSUPPORTED_VERSION},
        {"HTTP/1.1 20 OK\r\n\r\n", HTTP1_BAD_STATUS},
        {"HTTP/1.1 2000 OK\r\n\r\n", HTTP1_BAD_STATUS},
        {"HTTP/1.1 600 OK\r\n\r\n", HTTP1_BAD_STATUS},
        {"HTTP/1.1 099 OK\r\n\r\n", HTTP1_BAD_STATUS},
        {"HTTP/1.1 101 Switching\r\n\r\n", HTTP1_BAD_STATUS},
        {"HTTP/1.1 200 O\x01K\r\n\r\n", HTTP1_BAD_STATUS},
        {"HTTP/1.1 200 OK\nA: b\r\n\r\n", HTTP1_BARE_LF},
        {"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", HTTP1_BARE_CR},
        {"HTTP/1.1 200 OK\r\n A: b\r\n\r\n", HTTP1_FOLDED_HEADER},
        {"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", HTTP1_SPACE_BEFORE_COLON},
        {"HTTP/1.1 200 OK\r\n: b\r\n\r\n", HTTP1_BAD_HEADER_NAME},
        {"HTTP/1.1 200 OK\r\nA\r\n\r\n", HTTP1_BAD_HEADER_NAME},
        {"HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n", HTTP1_BAD_HEADER_VALUE},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", HTTP1_BAD_CONTENT_LENGTH},
        {"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
         HTTP1_BAD_CONTENT_LENGTH},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
         HTTP1_DUPLICATE_HEADER},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", HTTP1_UNKNOWN_TRANSFER_ENCODING},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         HTTP1_BAD_TRANSFER_ENCODING},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
         HTTP1_LENGTH_AND_CHUNKED},
        {"HTTP/1.1 200 OK\r\n", HTTP1_NEED_MORE},
        {"", HTTP1_NEED_MORE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_response response;
        if (parse(cases[i].text, &response) != cases[i].result) {
            fail_msg("%s: %s", cases[i].text, http1_result_text(parse(cases[i].text, &response)));
        }
    }
}

static void a_head_is_limited(void **state)
{
    (void)state;
    struct http1_response response;
    char *text = malloc(HTTP1_HEAD_LEN_MAX + 1);
    assert_non_null(text);
    memset(text, 'a', HTTP1_HEAD_LEN_MAX);
    text[HTTP1_HEAD_LEN_MAX] = '\0';
    memcpy(text, "HTTP/1.1 200 OK\r\nA: ", 20);
    assert_int_equal(parse(text, &response), HTTP1_HEAD_TOO_LONG);
    size_t len = 17;
    for (int i = 0; i <= HTTP1_HEADERS_MAX; i++) {
        memcpy(text + len, "A: b\r\n", 6);
        len += 6;
    }
    memcpy(text + len, "\r\n", 3);
    assert_int_equal(parse(text, &response), HTTP1_TOO_MANY_HEADERS);
    free(text);
}

/* The same however it was cut. */
static void heads_come_byte_by_byte(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 201 Created\r\nContent-Length: 3\r\nX: y\r\n\r\nabc";
    struct http1_response response;
    size_t scanned = 0;
    for (size_t len = 0; len <= sizeof(text) - 1; len++) {
        const enum http1_result result =
            http1_parse_response(span_of(text, len), &scanned, &response);
        assert_int_equal(result, len < sizeof(text) - 1 - 3 ? HTTP1_NEED_MORE : HTTP1_DONE);
        if (result == HTTP1_DONE) {
            break;
        }
    }
    assert_int_equal(response.status, 201);
    assert_int_equal(response.head_len, sizeof(text) - 1 - 3);
}

/* Reads a body in pieces of `step` bytes; returns the outcome, and what was read in `out`. */
static enum http1_chunked_result read_body(const struct http1_response *response, const char *text,
                                           size_t step, uint64_t len_max, char out[64])
{
    struct http1_body body;
    size_t len = 0;
    enum http1_chunked_result result = HTTP1_CHUNKED_NEED_MORE;
    if (!http1_body_init(&body, response, len_max)) {
        return HTTP1_CHUNKED_TOO_LARGE;
    }
    const size_t text_len = strlen(text);
    for (size_t at = 0; at <= text_len && result == HTTP1_CHUNKED_NEED_MORE; at += step) {
        struct span in = span_of(text + at, text_len - at < step ? text_len - at : step);
        struct span data;
        while ((result = http1_body_take(&body, &in, &data)) == HTTP1_CHUNKED_DATA) {
            memcpy(out + len, data.at, data.len);
            len += data.len;
        }
    }
    out[len] = '\0';
    return result;
}

static void bodies_have_three_kinds_of_ends(void **state)
{
    (void)state;
    const struct http1_response of_length = {.status = 200,
                                             .has_content_length = true,
                                             .content_length = 5};
    const struct http1_response chunked = {.status = 200, .is_chunked = true};
    const struct http1_response until_end = {.status = 200};
    const struct http1_response none = {.status = 204,
                                        .has_content_length = true,
                                        .content_length = 5};
    char out[64];
    for (size_t step = 1; step < 8; step++) {
        assert_int_equal(read_body(&of_length, "hello", step, 5, out), HTTP1_CHUNKED_DONE);
        assert_string_equal(out, "hello");
        assert_int_equal(read_body(&of_length, "hell", step, 5, out), HTTP1_CHUNKED_NEED_MORE);
        assert_int_equal(read_body(&of_length, "hello", step, 4, out), HTTP1_CHUNKED_TOO_LARGE);
        assert_int_equal(read_body(&chunked, "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", step, 5, out),
                         HTTP1_CHUNKED_DONE);
        assert_string_equal(out, "hello");
        assert_int_equal(read_body(&chunked, "3\r\nhel\r\n3\r\nlo!\r\n", step, 5, out),
                         HTTP1_CHUNKED_TOO_LARGE);
        assert_int_equal(read_body(&until_end, "hello", step, 5, out), HTTP1_CHUNKED_NEED_MORE);
        assert_string_equal(out, "hello");
        assert_int_equal(read_body(&until_end, "hello!", step, 5, out), HTTP1_CHUNKED_TOO_LARGE);
        assert_int_equal(read_body(&none, "", step, 5, out), HTTP1_CHUNKED_DONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_tells_what_follows),
        cmocka_unit_test(what_is_no_head_is_told_why),
        cmocka_unit_test(a_head_is_limited),
        cmocka_unit_test(heads_come_byte_by_byte),
        cmocka_unit_test(bodies_have_three_kinds_of_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
