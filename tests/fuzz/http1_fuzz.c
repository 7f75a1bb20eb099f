/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP requests with their bodies: the outcome must not depend on how the bytes were cut. */
#include "codec/deflate.h"
#include "codec/http1.h"

#include "tests/fuzz/fuzz_pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { BODY_MAX = 1 << 16 };

static enum http1_result parse_in_pieces(struct span in, struct fuzz_pieces pieces,
                                         struct http1_request *out)
{
    struct http1_progress progress = {0};
    enum http1_result result = HTTP1_NEED_MORE;
    size_t len = 0;
    while (result == HTTP1_NEED_MORE && len < in.len) {
        len += fuzz_next_piece(&pieces, in.len - len);
        result = http1_parse_request(span_of(in.at, len), &progress, out);
    }
    return result;
}

static void check_inside(struct span span, struct span of)
{
    FUZZ_CHECK(span.len == 0 || (span.at >= of.at && span.at + span.len <= of.at + of.len));
}

static void check_request(const struct http1_request *request, struct span head)
{
    FUZZ_CHECK(head.len <= HTTP1_HEAD_LEN_MAX);
    FUZZ_CHECK(memcmp(head.at + head.len - 4, "\r\n\r\n", 4) == 0);
    FUZZ_CHECK(memchr(head.at, 0, head.len) == NULL);
    FUZZ_CHECK(request->method_name.len <= HTTP1_METHOD_LEN_MAX && request->method_name.len > 0);
    FUZZ_CHECK(request->path.len > 0 && request->path.at[0] == '/');
    FUZZ_CHECK(request->path.len + request->query.len <= HTTP1_TARGET_LEN_MAX);
    FUZZ_CHECK(!(request->is_chunked && request->has_content_length));
    FUZZ_CHECK(request->minor_version == 0 || request->host.len > 0);
    FUZZ_CHECK(request->header_count <= HTTP1_HEADERS_MAX);
    check_inside(request->path, head);
    check_inside(request->query, head);
    for (size_t i = 0; i < request->header_count; i++) {
        uint8_t line[HTTP1_HEAD_LEN_MAX + 8];
        struct writer writer = writer_of(line, sizeof(line));
        check_inside(request->headers[i].name, head);
        check_inside(request->headers[i].value, head);
        /* What was accepted in a request can be sent in a response, and cannot split it. */
        FUZZ_CHECK(
            http1_write_header(&writer, request->headers[i].name, request->headers[i].value));
        struct span written = writer_written(&writer);
        FUZZ_CHECK(span_index_of(written, '\r') == written.len - 2);
    }
}

static void use_request(const struct http1_request *request)
{
    struct http1_upgrade upgrade;
    struct span list;
    size_t index = 0;
    uint8_t buf[64];
    struct writer value = writer_of(buf, sizeof(buf));
    (void)http1_find_query(request->query, SPAN_LITERAL("format"), &value);
    (void)http1_check_websocket_upgrade(request, &upgrade);
    while (http1_next_header(request, "Sec-WebSocket-Extensions", &index, &list)) {
        struct deflate_config config = {.server_window_bits = 15};
        struct deflate_params params;
        if (deflate_negotiate(list, &config, &params) == DEFLATE_ACCEPTED) {
            FUZZ_CHECK(params.server_window_bits >= 9 && params.server_window_bits <= 15);
        }
    }
}

struct body {
    uint8_t bytes[BODY_MAX];
    size_t len;
    size_t consumed;
    enum http1_chunked_result result;
};

static void decode_body(struct span in, struct fuzz_pieces pieces, struct body *body)
{
    struct http1_chunked chunked;
    size_t at = 0;
    http1_chunked_init(&chunked, BODY_MAX);
    *body = (struct body){.result = HTTP1_CHUNKED_NEED_MORE};
    while (body->result == HTTP1_CHUNKED_NEED_MORE && at < in.len) {
        struct span piece = span_of(in.at + at, fuzz_next_piece(&pieces, in.len - at));
        struct span data;
        at += piece.len;
        while ((body->result = http1_chunked_decode(&chunked, &piece, &data)) ==
               HTTP1_CHUNKED_DATA) {
            FUZZ_CHECK(data.len > 0 && data.len <= BODY_MAX - body->len);
            memcpy(body->bytes + body->len, data.at, data.len);
            body->len += data.len;
        }
        body->consumed = at - piece.len;
    }
}

static void check_body(struct span in, uint32_t seed)
{
    static struct body whole;
    static struct body cut;
    decode_body(in, (struct fuzz_pieces){.mode = 0, .seed = seed}, &whole);
    for (unsigned mode = 1; mode < FUZZ_PIECE_MODES; mode++) {
        decode_body(in, (struct fuzz_pieces){.mode = mode, .seed = seed}, &cut);
        FUZZ_CHECK(cut.result == whole.result && cut.consumed == whole.consumed);
        FUZZ_CHECK(cut.len == whole.len && memcmp(cut.bytes, whole.bytes, whole.len) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct http1_request whole;
    static struct http1_request cut;
    struct span in = span_of(bytes, len);
    uint32_t seed = (uint32_t)len;
    enum http1_result result = parse_in_pieces(in, (struct fuzz_pieces){0, seed}, &whole);
    for (unsigned mode = 1; mode < FUZZ_PIECE_MODES; mode++) {
        FUZZ_CHECK(parse_in_pieces(in, (struct fuzz_pieces){mode, seed}, &cut) == result);
        FUZZ_CHECK(result != HTTP1_DONE || cut.head_len == whole.head_len);
        FUZZ_CHECK(result != HTTP1_DONE || cut.content_length == whole.content_length);
        FUZZ_CHECK(result != HTTP1_DONE || cut.is_chunked == whole.is_chunked);
    }
    if (result == HTTP1_DONE) {
        check_request(&whole, span_of(bytes, whole.head_len));
        use_request(&whole);
    }
    if (result == HTTP1_DONE && whole.is_chunked) {
        check_body(span_skip(in, whole.head_len), seed);
    }
    FUZZ_CHECK(result != HTTP1_NEED_MORE || len < HTTP1_HEAD_LEN_MAX);
    return 0;
}
