/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to a request besides its head: the chunked body and the parameters of the query. */
#include "codec/http1.h"

#include "codec/hex.h"
#include "codec/http1_syntax.h"

/* ---- chunked bodies ---- */

enum http1_chunked_stage {
    HTTP1_STAGE_SIZE = 0,
    HTTP1_STAGE_EXTENSION,
    HTTP1_STAGE_SIZE_LF,
    HTTP1_STAGE_BYTES,
    HTTP1_STAGE_BYTES_CR,
    HTTP1_STAGE_BYTES_LF,
    HTTP1_STAGE_TRAILER,
    HTTP1_STAGE_TRAILER_NAME,
    HTTP1_STAGE_TRAILER_VALUE,
    HTTP1_STAGE_TRAILER_LF,
    HTTP1_STAGE_LAST_LF,
};

void http1_chunked_init(struct http1_chunked *chunked, uint64_t body_len_max)
{
    *chunked =
        (struct http1_chunked){.body_left = body_len_max, .extra_left = HTTP1_CHUNKED_EXTRA_MAX};
}

static enum http1_chunked_result http1_chunked_go(struct http1_chunked *chunked,
                                                  enum http1_chunked_stage stage)
{
    chunked->stage = (uint8_t)stage;
    return HTTP1_CHUNKED_NEED_MORE;
}

/* Bytes that carry nothing are counted, or a client could send them for ever. */
static enum http1_chunked_result http1_chunked_go_extra(struct http1_chunked *chunked,
                                                        enum http1_chunked_stage stage)
{
    if (chunked->extra_left == 0) {
        return HTTP1_CHUNKED_TOO_MUCH_EXTRA;
    }
    chunked->extra_left--;
    return http1_chunked_go(chunked, stage);
}

/* A size is refused at the digit that makes it too large, long before it could overflow. */
static enum http1_chunked_result http1_chunked_size(struct http1_chunked *chunked, uint8_t byte)
{
    int digit = hex_value(byte);
    if (digit >= 0) {
        if (chunked->digits == HTTP1_CHUNK_SIZE_DIGITS_MAX) {
            return HTTP1_CHUNKED_BAD_SIZE;
        }
        chunked->digits++;
        chunked->chunk_left = chunked->chunk_left * 16 + (uint64_t)digit;
        return chunked->chunk_left > chunked->body_left ? HTTP1_CHUNKED_TOO_LARGE
                                                        : HTTP1_CHUNKED_NEED_MORE;
    }
    if (chunked->digits == 0) {
        return HTTP1_CHUNKED_BAD_SIZE;
    }
    if (byte == ';') {
        return http1_chunked_go_extra(chunked, HTTP1_STAGE_EXTENSION);
    }
    return byte == '\r'   ? http1_chunked_go(chunked, HTTP1_STAGE_SIZE_LF)
           : byte == '\n' ? HTTP1_CHUNKED_BAD_LINE
                          : HTTP1_CHUNKED_BAD_SIZE;
}

static enum http1_chunked_result http1_chunked_size_end(struct http1_chunked *chunked)
{
    chunked->digits = 0;
    chunked->body_left -= chunked->chunk_left;
    return http1_chunked_go(chunked,
                            chunked->chunk_left == 0 ? HTTP1_STAGE_TRAILER : HTTP1_STAGE_BYTES);
}

static enum http1_chunked_result http1_chunked_trailer(struct http1_chunked *chunked, uint8_t byte)
{
    if (chunked->stage == HTTP1_STAGE_TRAILER && byte == '\r') {
        return http1_chunked_go(chunked, HTTP1_STAGE_LAST_LF);
    }
    if (chunked->stage == HTTP1_STAGE_TRAILER_NAME && byte == ':') {
        return http1_chunked_go_extra(chunked, HTTP1_STAGE_TRAILER_VALUE);
    }
    return http1_is_token_byte(byte) ? http1_chunked_go_extra(chunked, HTTP1_STAGE_TRAILER_NAME)
                                     : HTTP1_CHUNKED_BAD_TRAILER;
}

/* The rest of a line whose content nobody reads, up to its CR. */
static enum http1_chunked_result http1_chunked_skip_line(struct http1_chunked *chunked,
                                                         uint8_t byte,
                                                         enum http1_chunked_stage behind)
{
    if (byte == '\r') {
        return http1_chunked_go(chunked, behind);
    }
    return http1_is_value_byte(byte)
               ? http1_chunked_go_extra(chunked, (enum http1_chunked_stage)chunked->stage)
               : HTTP1_CHUNKED_BAD_LINE;
}

/* One byte of anything but the body itself. NEED_MORE: go on with the next. */
static enum http1_chunked_result http1_chunked_step(struct http1_chunked *chunked, uint8_t byte)
{
    switch ((enum http1_chunked_stage)chunked->stage) {
    case HTTP1_STAGE_SIZE:
        return http1_chunked_size(chunked, byte);
    case HTTP1_STAGE_EXTENSION:
        return http1_chunked_skip_line(chunked, byte, HTTP1_STAGE_SIZE_LF);
    case HTTP1_STAGE_SIZE_LF:
        return byte == '\n' ? http1_chunked_size_end(chunked) : HTTP1_CHUNKED_BAD_LINE;
    case HTTP1_STAGE_BYTES:
        break;
    case HTTP1_STAGE_BYTES_CR:
        return byte == '\r' ? http1_chunked_go(chunked, HTTP1_STAGE_BYTES_LF)
                            : HTTP1_CHUNKED_BAD_LINE;
    case HTTP1_STAGE_BYTES_LF:
        return byte == '\n' ? http1_chunked_go(chunked, HTTP1_STAGE_SIZE) : HTTP1_CHUNKED_BAD_LINE;
    case HTTP1_STAGE_TRAILER:
    case HTTP1_STAGE_TRAILER_NAME:
        return http1_chunked_trailer(chunked, byte);
    case HTTP1_STAGE_TRAILER_VALUE:
        return http1_chunked_skip_line(chunked, byte, HTTP1_STAGE_TRAILER_LF);
    case HTTP1_STAGE_TRAILER_LF:
        return byte == '\n' ? http1_chunked_go(chunked, HTTP1_STAGE_TRAILER)
                            : HTTP1_CHUNKED_BAD_LINE;
    case HTTP1_STAGE_LAST_LF:
        return byte == '\n' ? HTTP1_CHUNKED_DONE : HTTP1_CHUNKED_BAD_LINE;
    }
    return HTTP1_CHUNKED_BAD_LINE;
}

enum http1_chunked_result http1_chunked_decode(struct http1_chunked *chunked, struct span *in,
                                               struct span *data)
{
    while (in->len > 0) {
        if (chunked->stage == HTTP1_STAGE_BYTES) {
            size_t len = in->len < chunked->chunk_left ? in->len : (size_t)chunked->chunk_left;
            *data = span_of(in->at, len);
            *in = span_skip(*in, len);
            chunked->chunk_left -= len;
            if (chunked->chunk_left == 0) {
                chunked->stage = HTTP1_STAGE_BYTES_CR;
            }
            return HTTP1_CHUNKED_DATA;
        }
        enum http1_chunked_result result = http1_chunked_step(chunked, in->at[0]);
        *in = span_skip(*in, 1);
        if (result != HTTP1_CHUNKED_NEED_MORE) {
            return result;
        }
    }
    return HTTP1_CHUNKED_NEED_MORE;
}

unsigned http1_chunked_status(enum http1_chunked_result result)
{
    switch (result) {
    case HTTP1_CHUNKED_NEED_MORE:
    case HTTP1_CHUNKED_DATA:
    case HTTP1_CHUNKED_DONE:
    case HTTP1_CHUNKED_RESULT_COUNT:
        return 0;
    case HTTP1_CHUNKED_TOO_LARGE:
        return 413;
    default:
        return 400;
    }
}

const char *http1_chunked_text(enum http1_chunked_result result)
{
    static const char *const texts[HTTP1_CHUNKED_RESULT_COUNT] = {
        [HTTP1_CHUNKED_NEED_MORE] = "need more",
        [HTTP1_CHUNKED_DATA] = "data",
        [HTTP1_CHUNKED_DONE] = "done",
        [HTTP1_CHUNKED_BAD_SIZE] = "bad chunk size",
        [HTTP1_CHUNKED_BAD_LINE] = "chunk or line without CRLF",
        [HTTP1_CHUNKED_TOO_LARGE] = "body too large",
        [HTTP1_CHUNKED_TOO_MUCH_EXTRA] = "too many chunk extensions or trailers",
        [HTTP1_CHUNKED_BAD_TRAILER] = "bad trailer",
    };
    return (unsigned)result < HTTP1_CHUNKED_RESULT_COUNT ? texts[result] : "unknown";
}

/* ---- the query ---- */

/* Takes one decoded byte off *rest, which is not empty. False at a % without two digits. */
static bool http1_take_decoded(struct span *rest, uint8_t *byte)
{
    *byte = rest->at[0];
    size_t taken = 1;
    if (*byte == '+') {
        *byte = ' ';
    } else if (*byte == '%') {
        if (rest->len < 3 || !hex_read(rest->at + 1, byte, 1)) {
            return false;
        }
        taken = 3;
    }
    *rest = span_skip(*rest, taken);
    return true;
}

static bool http1_decodes_to(struct span raw, struct span plain)
{
    for (size_t i = 0; i < plain.len; i++) {
        uint8_t byte;
        if (raw.len == 0 || !http1_take_decoded(&raw, &byte) || byte != plain.at[i]) {
            return false;
        }
    }
    return raw.len == 0;
}

static enum http1_query_result http1_decode_value(struct span raw, struct writer *value)
{
    struct writer before = *value;
    while (raw.len > 0) {
        uint8_t byte;
        if (!http1_take_decoded(&raw, &byte)) {
            *value = before;
            return HTTP1_QUERY_BAD_ESCAPE;
        }
        writer_put_byte(value, byte);
    }
    return writer_is_overflown(value) ? HTTP1_QUERY_TOO_LONG : HTTP1_QUERY_FOUND;
}

enum http1_query_result http1_find_query(struct span query, struct span name, struct writer *value)
{
    while (query.len > 0) {
        size_t pair_len = span_index_of(query, '&');
        struct span pair = span_of(query.at, pair_len);
        size_t name_len = span_index_of(pair, '=');
        if (pair_len > 0 && http1_decodes_to(span_of(pair.at, name_len), name)) {
            return http1_decode_value(span_skip(pair, name_len + 1), value);
        }
        query = span_skip(query, pair_len + 1);
    }
    return HTTP1_QUERY_ABSENT;
}
