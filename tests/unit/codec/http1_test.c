/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP request heads: what is read, what is refused and when, and the check of an upgrade. */
#include "codec/http1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Parses the bytes in reads of `piece`, each read in a block of exactly the bytes so far. */
static enum http1_result parse_in_pieces(struct span in, size_t piece, struct http1_request *out,
                                         size_t *consumed)
{
    struct http1_progress progress = {0};
    enum http1_result result = HTTP1_NEED_MORE;
    size_t len = 0;
    while (result == HTTP1_NEED_MORE && len < in.len) {
        len = piece < in.len - len ? len + piece : in.len;
        uint8_t *block = malloc(len);
        assert_non_null(block);
        memcpy(block, in.at, len);
        result = http1_parse_request(span_of(block, len), &progress, out);
        free(block);
    }
    *consumed = len;
    return result;
}

/* The same outcome in reads of every small size; the request points into `in`. */
static enum http1_result parse(struct span in, struct http1_request *out)
{
    static struct http1_request ignored;
    struct http1_progress progress = {0};
    enum http1_result result = http1_parse_request(in, &progress, out);
    for (size_t piece = 1; piece < 8; piece++) {
        size_t consumed;
        assert_int_equal(parse_in_pieces(in, piece, &ignored, &consumed), result);
        assert_true(result != HTTP1_DONE || ignored.head_len == out->head_len);
    }
    return result;
}

static struct http1_request request;

static enum http1_result parse_text(const char *text)
{
    return parse(span_of_text(text), &request);
}

static void expect_span(struct span span, const char *expected)
{
    if (!span_equal(span, span_of_text(expected))) {
        fail_msg("'%.*s' is not '%s'", (int)span.len, (const char *)span.at, expected);
    }
}

static void expect_header(const char *name, const char *expected)
{
    struct span value;
    assert_true(http1_find_header(&request, name, &value));
    expect_span(value, expected);
}

/* ---- what is good ---- */

static void a_request_is_sliced(void **state)
{
    (void)state;
    assert_int_equal(parse_text("GET /connection/websocket?format=protobuf&x=1?2 HTTP/1.1\r\n"
                                "Host: example.org:8000\r\n"
                                "X-Empty:\r\n"
                                "x-spaced: \t a b \t \r\n"
                                "X-Bytes: caf\xc3\xa9\r\n"
                                "\r\nbody"),
                     HTTP1_DONE);
    expect_span(request.method_name, "GET");
    assert_int_equal(request.method, HTTP1_GET);
    expect_span(request.path, "/connection/websocket");
    expect_span(request.query, "format=protobuf&x=1?2");
    expect_span(request.host, "example.org:8000");
    assert_int_equal(request.minor_version, 1);
    assert_true(request.keep_alive);
    assert_false(request.is_chunked || request.has_content_length || request.expect_continue);
    assert_int_equal(request.header_count, 4);
    expect_header("x-empty", "");
    expect_header("X-Spaced", "a b");
    expect_header("X-BYTES", "caf\xc3\xa9");
    struct span value;
    assert_false(http1_find_header(&request, "X-Spaced-Not", &value));
}

static void the_head_ends_where_the_body_begins(void **state)
{
    const char *text = "POST /api/publish HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nGET ";
    (void)state;
    assert_int_equal(parse_text(text), HTTP1_DONE);
    assert_int_equal(request.head_len, strlen(text) - 4);
    assert_int_equal(request.method, HTTP1_POST);
    assert_true(request.has_content_length);
    assert_int_equal(request.content_length, 4);
}

static void methods_are_known_or_named(void **state)
{
    (void)state;
    assert_int_equal(parse_text("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"), HTTP1_DONE);
    assert_int_equal(request.method, HTTP1_HEAD);
    assert_int_equal(parse_text("OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n"), HTTP1_DONE);
    assert_int_equal(request.method, HTTP1_OPTIONS);
    assert_int_equal(parse_text("get / HTTP/1.1\r\nHost: h\r\n\r\n"), HTTP1_DONE);
    assert_int_equal(request.method, HTTP1_OTHER);
    expect_span(request.method_name, "get");
}

static void keep_alive_follows_version_and_connection(void **state)
{
    static const struct {
        const char *text;
        bool keep_alive;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: x , CLOSE\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: closed\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: a\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(parse_text(cases[i].text), HTTP1_DONE);
        assert_int_equal(request.keep_alive, cases[i].keep_alive);
    }
}

static void bodies_are_announced(void **state)
{
    (void)state;
    assert_int_equal(parse_text("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n"
                                "Expect: 100-Continue\r\n\r\n"),
                     HTTP1_DONE);
    assert_true(request.is_chunked && request.expect_continue);
    assert_int_equal(parse_text("POST / HTTP/1.1\r\nHost: h\r\n"
                                "Content-Length: 18446744073709551615\r\n\r\n"),
                     HTTP1_DONE);
    assert_true(request.content_length == UINT64_MAX);
    assert_int_equal(parse_text("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"), HTTP1_DONE);
    assert_false(request.expect_continue);
}

/* ---- what is refused ---- */

#define LINE "GET / HTTP/1.1\r\n"
#define HOST LINE "Host: h\r\n"

/* Errors of syntax come with their last byte; those of meaning need the whole head. */
static const struct refusal {
    const char *text;
    enum http1_result result;
    unsigned status;
} refusals[] = {
    {" ", HTTP1_BAD_METHOD, 400},
    {"\r", HTTP1_BAD_METHOD, 400},
    {"\x16", HTTP1_BAD_METHOD, 400},
    {"GE\t", HTTP1_BAD_METHOD, 400},
    {"GET\r", HTTP1_BAD_METHOD, 400},
    {"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", HTTP1_METHOD_TOO_LONG, 501},
    {"GET  ", HTTP1_BAD_TARGET, 400},
    {"GET /a\x01", HTTP1_BAD_TARGET, 400},
    {"GET /a\x7f", HTTP1_BAD_TARGET, 400},
    {"GET /caf\xc3", HTTP1_BAD_TARGET, 400},
    {"GET /a#", HTTP1_BAD_TARGET, 400},
    {"GET /a\t", HTTP1_BAD_TARGET, 400},
    {"GET ?", HTTP1_BAD_TARGET, 400},
    {"OPTIONS *", HTTP1_ASTERISK_TARGET, 400},
    {"GET h", HTTP1_PROXY_TARGET, 400},
    {"CONNECT [", HTTP1_PROXY_TARGET, 400},
    {"GET /\r", HTTP1_BAD_VERSION, 400},
    {"GET / \r", HTTP1_BAD_VERSION, 400},
    {"GET /  ", HTTP1_BAD_VERSION, 400},
    {"GET / h", HTTP1_BAD_VERSION, 400},
    {"GET / HTTP/x", HTTP1_BAD_VERSION, 400},
    {"GET / HTTP/1,", HTTP1_BAD_VERSION, 400},
    {"GET / HTTP/1.1 ", HTTP1_BAD_VERSION, 400},
    {"GET / HTTP/1.12", HTTP1_BAD_VERSION, 400},
    {"GET / HTTP/1.2", HTTP1_UNSUPPORTED_VERSION, 505},
    {"GET / HTTP/2.0", HTTP1_UNSUPPORTED_VERSION, 505},
    {"GET / HTTP/0.9", HTTP1_UNSUPPORTED_VERSION, 505},
    {"GET / HTTP/1.1\rx", HTTP1_BARE_CR, 400},
    {LINE "Host: h\r\r", HTTP1_BARE_CR, 400},
    {HOST "\rx", HTTP1_BARE_CR, 400},
    {"GET /\n", HTTP1_BARE_LF, 400},
    {"GET / HTTP/1.1\n", HTTP1_BARE_LF, 400},
    {LINE "Host: h\n", HTTP1_BARE_LF, 400},
    {LINE "\n", HTTP1_BARE_LF, 400},
    {LINE " ", HTTP1_FOLDED_HEADER, 400},
    {HOST "\t", HTTP1_FOLDED_HEADER, 400},
    {HOST ":", HTTP1_BAD_HEADER_NAME, 400},
    {HOST "X(", HTTP1_BAD_HEADER_NAME, 400},
    {HOST "X\r", HTTP1_BAD_HEADER_NAME, 400},
    {HOST "X\x80", HTTP1_BAD_HEADER_NAME, 400},
    {HOST "Content-Length ", HTTP1_SPACE_BEFORE_COLON, 400},
    {HOST "X\t", HTTP1_SPACE_BEFORE_COLON, 400},
    {HOST "X: a\x0b", HTTP1_BAD_HEADER_VALUE, 400},
    {HOST "X: a\x7f", HTTP1_BAD_HEADER_VALUE, 400},
    {LINE "\r\n", HTTP1_MISSING_HOST, 400},
    {LINE "Hosts: h\r\n\r\n", HTTP1_MISSING_HOST, 400},
    {LINE "Host:\r\n\r\n", HTTP1_BAD_HOST, 400},
    {LINE "Host: a b\r\n\r\n", HTTP1_BAD_HOST, 400},
    {LINE "Host: user@h\r\n\r\n", HTTP1_BAD_HOST, 400},
    {LINE "Host: h/p\r\n\r\n", HTTP1_BAD_HOST, 400},
    {LINE "Host: a,b\r\n\r\n", HTTP1_BAD_HOST, 400},
    {HOST "host: h\r\n\r\n", HTTP1_DUPLICATE_HEADER, 400},
    {HOST "Content-Length: 3\r\nContent-length: 3\r\n\r\n", HTTP1_DUPLICATE_HEADER, 400},
    {HOST "Content-Length: 3\r\nContent-length: 4\r\n\r\n", HTTP1_DUPLICATE_HEADER, 400},
    {HOST "Origin: http://a\r\nOrigin: http://b\r\n\r\n", HTTP1_DUPLICATE_HEADER, 400},
    {HOST "Authorization: a\r\nauthorization: b\r\n\r\n", HTTP1_DUPLICATE_HEADER, 400},
    {HOST "X-API-Key: a\r\nX-API-Key: a\r\n\r\n", HTTP1_DUPLICATE_HEADER, 400},
    {HOST "Sec-WebSocket-Key: a\r\nSec-WebSocket-Key: a\r\n\r\n", HTTP1_DUPLICATE_HEADER, 400},
    {HOST "Content-Length:\r\n\r\n", HTTP1_BAD_CONTENT_LENGTH, 400},
    {HOST "Content-Length: -1\r\n\r\n", HTTP1_BAD_CONTENT_LENGTH, 400},
    {HOST "Content-Length: +1\r\n\r\n", HTTP1_BAD_CONTENT_LENGTH, 400},
    {HOST "Content-Length: 0x1\r\n\r\n", HTTP1_BAD_CONTENT_LENGTH, 400},
    {HOST "Content-Length: 1 2\r\n\r\n", HTTP1_BAD_CONTENT_LENGTH, 400},
    {HOST "Content-Length: 5, 5\r\n\r\n", HTTP1_BAD_CONTENT_LENGTH, 400},
    {HOST "Content-Length: 18446744073709551616\r\n\r\n", HTTP1_BAD_CONTENT_LENGTH, 400},
    {HOST "Content-Length: 99999999999999999999999\r\n\r\n", HTTP1_BAD_CONTENT_LENGTH, 400},
    {HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP1_LENGTH_AND_CHUNKED, 400},
    {HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", HTTP1_LENGTH_AND_CHUNKED, 400},
    {HOST "Transfer-Encoding:\r\n\r\n", HTTP1_BAD_TRANSFER_ENCODING, 400},
    {HOST "Transfer-Encoding: chunked,\r\n\r\n", HTTP1_BAD_TRANSFER_ENCODING, 400},
    {HOST "Transfer-Encoding: ,chunked\r\n\r\n", HTTP1_BAD_TRANSFER_ENCODING, 400},
    {HOST "Transfer-Encoding: chunked, chunked\r\n\r\n", HTTP1_BAD_TRANSFER_ENCODING, 400},
    {HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n",
     HTTP1_BAD_TRANSFER_ENCODING, 400},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP1_BAD_TRANSFER_ENCODING, 400},
    {HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", HTTP1_UNKNOWN_TRANSFER_ENCODING, 501},
    {HOST "Transfer-Encoding: xchunked\r\n\r\n", HTTP1_UNKNOWN_TRANSFER_ENCODING, 501},
    {HOST "Transfer-Encoding: \"chunked\"\r\n\r\n", HTTP1_UNKNOWN_TRANSFER_ENCODING, 501},
    {HOST "Transfer-Encoding: chunked;q=1\r\n\r\n", HTTP1_UNKNOWN_TRANSFER_ENCODING, 501},
    {HOST "Expect: 200-ok\r\n\r\n", HTTP1_UNKNOWN_EXPECTATION, 417},
};

/* Those that need more bytes than a line of the table: see the_limits_hold_while_incomplete().
 */
static bool is_a_limit(enum http1_result result)
{
    return result == HTTP1_TARGET_TOO_LONG || result == HTTP1_HEAD_TOO_LONG ||
           result == HTTP1_TOO_MANY_HEADERS;
}

static void each_refusal_comes_with_the_byte_that_deserves_it(void **state)
{
    /* Requests have no status. */
    bool is_met[HTTP1_RESULT_COUNT] =
        {[HTTP1_DONE] = true, [HTTP1_NEED_MORE] = true, [HTTP1_BAD_STATUS] = true};
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct span text = span_of_text(refusals[i].text);
        size_t consumed = 0;
        if (parse(text, &request) != refusals[i].result) {
            fail_msg("%s", refusals[i].text);
        }
        assert_int_equal(http1_result_status(refusals[i].result), refusals[i].status);
        (void)parse_in_pieces(text, 1, &request, &consumed);
        assert_int_equal(consumed, text.len);
        is_met[refusals[i].result] = true;
    }
    for (size_t result = 0; result < HTTP1_RESULT_COUNT; result++) {
        assert_true(is_met[result] || is_a_limit((enum http1_result)result));
        assert_true(strlen(http1_result_text((enum http1_result)result)) > 0);
    }
}

static void a_nul_is_refused_everywhere(void **state)
{
    static const char good[] = "GET /path?query HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n";
    (void)state;
    for (size_t i = 0; i < sizeof(good) - 1; i++) {
        char bad[sizeof(good)];
        memcpy(bad, good, sizeof(good));
        bad[i] = '\0';
        enum http1_result result = parse(span_of(bad, sizeof(good) - 1), &request);
        assert_true(result != HTTP1_DONE && result != HTTP1_NEED_MORE);
    }
}

static void every_prefix_of_a_good_head_needs_more(void **state)
{
    struct span good = SPAN_LITERAL("GET /path?query HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n");
    (void)state;
    for (size_t len = 0; len < good.len; len++) {
        assert_int_equal(parse(span_of(good.at, len), &request), HTTP1_NEED_MORE);
    }
    assert_int_equal(parse(good, &request), HTTP1_DONE);
}

/* An endless peer is refused at the byte that is one too many. */
static enum http1_result feed_for_ever(const char *start, const char *repeated, size_t *consumed)
{
    static uint8_t bytes[3 * HTTP1_HEAD_LEN_MAX];
    size_t len = strlen(start);
    memcpy(bytes, start, len);
    while (len + strlen(repeated) <= sizeof(bytes)) {
        memcpy(bytes + len, repeated, strlen(repeated));
        len += strlen(repeated);
    }
    enum http1_result result = parse_in_pieces(span_of(bytes, len), 1, &request, consumed);
    struct http1_progress progress = {0};
    assert_int_equal(http1_parse_request(span_of(bytes, len), &progress, &request), result);
    return result;
}

static void the_limits_hold_while_incomplete(void **state)
{
    size_t consumed;
    (void)state;
    assert_int_equal(feed_for_ever("A", "A", &consumed), HTTP1_METHOD_TOO_LONG);
    assert_int_equal(consumed, HTTP1_METHOD_LEN_MAX + 1);
    assert_int_equal(feed_for_ever("GET /", "a", &consumed), HTTP1_TARGET_TOO_LONG);
    assert_int_equal(consumed, strlen("GET ") + HTTP1_TARGET_LEN_MAX + 1);
    assert_int_equal(http1_result_status(HTTP1_TARGET_TOO_LONG), 414);
    assert_int_equal(feed_for_ever(HOST "X: ", "a", &consumed), HTTP1_HEAD_TOO_LONG);
    assert_int_equal(consumed, HTTP1_HEAD_LEN_MAX);
    assert_int_equal(http1_result_status(HTTP1_HEAD_TOO_LONG), 431);
    assert_int_equal(feed_for_ever(HOST, "X: y\r\n", &consumed), HTTP1_TOO_MANY_HEADERS);
    assert_int_equal(consumed, strlen(HOST) + strlen("X: y\r\n") * (HTTP1_HEADERS_MAX - 1) + 1);
    assert_int_equal(http1_result_status(HTTP1_TOO_MANY_HEADERS), 431);
}

static void the_largest_allowed_head_is_read(void **state)
{
    static char text[HTTP1_HEAD_LEN_MAX + 1];
    (void)state;
    (void)snprintf(text, sizeof(text), HOST "X: %*s", 10, "y");
    memset(text + strlen(text), 'y', sizeof(text) - 1 - strlen(text));
    memcpy(text + HTTP1_HEAD_LEN_MAX - 4, "\r\n\r\n", 5);
    assert_int_equal(parse_text(text), HTTP1_DONE);
    assert_int_equal(request.head_len, HTTP1_HEAD_LEN_MAX);
}

/* ---- the upgrade ---- */

#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: keep-alive, Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static const struct upgrade_case {
    const char *text;
    enum http1_upgrade_result result;
    unsigned status;
} upgrade_cases[] = {
    {HOST UPGRADE CONNECTION VERSION KEY "\r\n", HTTP1_UPGRADE_OK, 101},
    {HOST "Upgrade: h2c, WebSocket\r\n" CONNECTION VERSION KEY "\r\n", HTTP1_UPGRADE_OK, 101},
    {HOST UPGRADE CONNECTION VERSION KEY "Content-Length: 0\r\n\r\n", HTTP1_UPGRADE_OK, 101},
    {"POST / HTTP/1.1\r\nHost: h\r\n" UPGRADE CONNECTION VERSION KEY "\r\n", HTTP1_UPGRADE_NOT_GET,
     405},
    {"GET / HTTP/1.0\r\nHost: h\r\n" UPGRADE CONNECTION VERSION KEY "\r\n", HTTP1_UPGRADE_OLD_HTTP,
     400},
    {HOST UPGRADE CONNECTION VERSION KEY "Content-Length: 1\r\n\r\n", HTTP1_UPGRADE_HAS_BODY, 400},
    {HOST UPGRADE CONNECTION VERSION KEY "Transfer-Encoding: chunked\r\n\r\n",
     HTTP1_UPGRADE_HAS_BODY, 400},
    {HOST CONNECTION VERSION KEY "\r\n", HTTP1_UPGRADE_NO_UPGRADE, 400},
    {HOST "Upgrade: websockets\r\n" CONNECTION VERSION KEY "\r\n", HTTP1_UPGRADE_NO_UPGRADE, 400},
    {HOST UPGRADE VERSION KEY "\r\n", HTTP1_UPGRADE_NO_CONNECTION, 400},
    {HOST UPGRADE "Connection: keep-alive\r\n" VERSION KEY "\r\n", HTTP1_UPGRADE_NO_CONNECTION,
     400},
    {HOST UPGRADE CONNECTION KEY "\r\n", HTTP1_UPGRADE_BAD_VERSION, 400},
    {HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 8\r\n\r\n", HTTP1_UPGRADE_BAD_VERSION,
     400},
    {HOST UPGRADE CONNECTION VERSION "\r\n", HTTP1_UPGRADE_NO_KEY, 400},
    {HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key:\r\n\r\n", HTTP1_UPGRADE_BAD_KEY, 400},
    {HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n\r\n",
     HTTP1_UPGRADE_BAD_KEY, 400},
    {HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQA=\r\n\r\n",
     HTTP1_UPGRADE_BAD_KEY, 400},
    {HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=A\r\n\r\n",
     HTTP1_UPGRADE_BAD_KEY, 400},
    {HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhl!HNhbXBsZSBub25jZQ==\r\n\r\n",
     HTTP1_UPGRADE_BAD_KEY, 400},
};

static void upgrades_are_checked(void **state)
{
    bool is_met[HTTP1_UPGRADE_RESULT_COUNT] = {false};
    (void)state;
    for (size_t i = 0; i < sizeof(upgrade_cases) / sizeof(upgrade_cases[0]); i++) {
        struct http1_upgrade upgrade;
        assert_int_equal(parse_text(upgrade_cases[i].text), HTTP1_DONE);
        enum http1_upgrade_result result = http1_check_websocket_upgrade(&request, &upgrade);
        if (result != upgrade_cases[i].result) {
            fail_msg("%s: %s", upgrade_cases[i].text, http1_upgrade_text(result));
        }
        assert_int_equal(http1_upgrade_status(result), upgrade_cases[i].status);
        is_met[result] = true;
    }
    for (size_t result = 0; result < HTTP1_UPGRADE_RESULT_COUNT; result++) {
        assert_true(is_met[result]);
        assert_true(strlen(http1_upgrade_text((enum http1_upgrade_result)result)) > 0);
    }
}

static void an_upgrade_names_what_else_was_offered(void **state)
{
    struct http1_upgrade upgrade;
    size_t index = 0;
    struct span value;
    (void)state;
    assert_int_equal(parse_text(HOST UPGRADE CONNECTION VERSION KEY
                                "Origin: https://example.org\r\n"
                                "Sec-WebSocket-Protocol: centrifuge-json, centrifuge-protobuf\r\n"
                                "Sec-WebSocket-Extensions: a\r\n"
                                "Sec-WebSocket-Extensions: b\r\n\r\n"),
                     HTTP1_DONE);
    assert_int_equal(http1_check_websocket_upgrade(&request, &upgrade), HTTP1_UPGRADE_OK);
    expect_span(upgrade.key, "dGhlIHNhbXBsZSBub25jZQ==");
    expect_span(upgrade.origin, "https://example.org");
    assert_true(upgrade.has_origin && upgrade.has_extensions && upgrade.has_protocols);
    assert_true(http1_header_has_exact_token(&request, "Sec-WebSocket-Protocol",
                                             SPAN_LITERAL("centrifuge-protobuf")));
    assert_false(http1_header_has_exact_token(&request, "Sec-WebSocket-Protocol",
                                              SPAN_LITERAL("Centrifuge-Protobuf")));
    assert_true(http1_next_header(&request, "Sec-WebSocket-Extensions", &index, &value));
    expect_span(value, "a");
    assert_true(http1_next_header(&request, "Sec-WebSocket-Extensions", &index, &value));
    expect_span(value, "b");
    assert_false(http1_next_header(&request, "Sec-WebSocket-Extensions", &index, &value));
}

/* Given a byte more at each call, a parser can take no block: this is what blocks must agree with.
 */
static enum http1_result parse_bytewise(struct span in, struct http1_request *out)
{
    struct http1_progress progress = {0};
    enum http1_result result = HTTP1_NEED_MORE;
    for (size_t len = 1; len <= in.len && result == HTTP1_NEED_MORE; len++) {
        result = http1_parse_request(span_of(in.at, len), &progress, out);
    }
    return result;
}

static void every_byte_at_every_place_is_judged_the_same(void **state)
{
    static const char head[] = "GET /a-path/of?some=parameters&more=of HTTP/1.1\r\n"
                               "Host: example.org:8080\r\n"
                               "Sec-WebSocket-Extensions: \tpermessage-deflate; x=\x80\xff\t \r\n"
                               "X-1_2.3: the value of this header is longer than two blocks\r\n"
                               "Empty:\r\n\r\n";
    static struct http1_request bytewise;
    uint8_t bytes[sizeof(head) - 1];
    (void)state;
    for (size_t place = 0; place < sizeof(bytes); place++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            memcpy(bytes, head, sizeof(bytes));
            bytes[place] = (uint8_t)byte;
            struct http1_progress progress = {0};
            struct span in = span_of(bytes, sizeof(bytes));
            enum http1_result result = http1_parse_request(in, &progress, &request);
            if (result != parse_bytewise(in, &bytewise)) {
                fail_msg("%02x at %zu: %d", byte, place, result);
            }
            for (size_t i = 0; result == HTTP1_DONE && i < request.header_count; i++) {
                assert_int_equal(bytewise.header_count, request.header_count);
                assert_ptr_equal(bytewise.headers[i].value.at, request.headers[i].value.at);
                assert_true(span_equal(bytewise.headers[i].name, request.headers[i].name));
                assert_true(span_equal(bytewise.headers[i].value, request.headers[i].value));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_sliced),
        cmocka_unit_test(the_head_ends_where_the_body_begins),
        cmocka_unit_test(methods_are_known_or_named),
        cmocka_unit_test(keep_alive_follows_version_and_connection),
        cmocka_unit_test(bodies_are_announced),
        cmocka_unit_test(each_refusal_comes_with_the_byte_that_deserves_it),
        cmocka_unit_test(a_nul_is_refused_everywhere),
        cmocka_unit_test(every_prefix_of_a_good_head_needs_more),
        cmocka_unit_test(the_limits_hold_while_incomplete),
        cmocka_unit_test(the_largest_allowed_head_is_read),
        cmocka_unit_test(upgrades_are_checked),
        cmocka_unit_test(an_upgrade_names_what_else_was_offered),
        cmocka_unit_test(every_byte_at_every_place_is_judged_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
