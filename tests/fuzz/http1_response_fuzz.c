/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP responses with their bodies: the outcome must not depend on how the bytes were cut. */
#include "codec/http1_response.h"

#include "tests/fuzz/fuzz_pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { BODY_MAX = 1 << 12 };

struct outcome {
    enum http1_result head;
    enum http1_chunked_result end;
    struct http1_response response;
    uint8_t body[BODY_MAX];
    size_t body_len;
    size_t consumed;
};

static void read_body(struct span in, struct fuzz_pieces *pieces, struct outcome *out)
{
    struct http1_body body;
    out->end = HTTP1_CHUNKED_TOO_LARGE;
    if (!http1_body_init(&body, &out->response, BODY_MAX)) {
        return;
    }
    size_t at = 0;
    bool is_last = false;
    do {
        is_last = at == in.len;
        struct span piece = span_of(in.at + at, is_last ? 0 : fuzz_next_piece(pieces, in.len - at));
        struct span data;
        at += piece.len;
        while ((out->end = http1_body_take(&body, &piece, &data)) == HTTP1_CHUNKED_DATA) {
            FUZZ_CHECK(data.len > 0);
            /* What would go beyond the limit was refused, or is cut off by its length. */
            FUZZ_CHECK(data.len <= BODY_MAX - out->body_len);
            memcpy(out->body + out->body_len, data.at, data.len);
            out->body_len += data.len;
        }
        out->consumed = at - piece.len;
    } while (out->end == HTTP1_CHUNKED_NEED_MORE && !is_last);
}

static void read(struct span in, struct fuzz_pieces pieces, struct outcome *out)
{
    size_t scanned = 0;
    size_t len = 0;
    memset(out, 0, sizeof(*out));
    out->head = HTTP1_NEED_MORE;
    while (out->head == HTTP1_NEED_MORE && len < in.len) {
        len += fuzz_next_piece(&pieces, in.len - len);
        out->head = http1_parse_response(span_of(in.at, len), &scanned, &out->response);
    }
    if (out->head == HTTP1_DONE && out->response.status >= 200) {
        read_body(span_skip(in, out->response.head_len), &pieces, out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct outcome whole;
    static struct outcome cut;
    const struct span in = span_of(bytes, len);
    const uint32_t seed = (uint32_t)len;
    read(in, (struct fuzz_pieces){0, seed}, &whole);
    for (unsigned mode = 1; mode < FUZZ_PIECE_MODES; mode++) {
        read(in, (struct fuzz_pieces){mode, seed}, &cut);
        FUZZ_CHECK(cut.head == whole.head);
        if (whole.head != HTTP1_DONE) {
            continue;
        }
        FUZZ_CHECK(cut.response.head_len == whole.response.head_len);
        FUZZ_CHECK(cut.response.status == whole.response.status);
        /* A body up to the end that is too long is refused at a piece, not at a byte. */
        if (whole.end != HTTP1_CHUNKED_TOO_LARGE) {
            FUZZ_CHECK(cut.end == whole.end && cut.body_len == whole.body_len);
            FUZZ_CHECK(memcmp(cut.body, whole.body, whole.body_len) == 0);
        }
    }
    if (whole.head == HTTP1_DONE) {
        FUZZ_CHECK(whole.response.head_len <= HTTP1_HEAD_LEN_MAX);
        FUZZ_CHECK(whole.response.status >= 100 && whole.response.status <= 599);
        FUZZ_CHECK(!(whole.response.is_chunked && whole.response.has_content_length));
    }
    FUZZ_CHECK(whole.head != HTTP1_NEED_MORE || len < HTTP1_HEAD_LEN_MAX);
    return 0;
}
