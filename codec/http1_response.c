/* SPDX-License-Identifier: Apache-2.0 */
/* Response heads line by line, once they are whole; bodies of known length, in chunks, or up to the
 * connection's end. */
#include "codec/http1_response.h"

#include "codec/http1_syntax.h"

#include <string.h>

enum { STATUS_LINE_LEN_MIN = 12 /* HTTP/1.1 200 */, KEEP_ALIVE_S_MAX = 3600 };

/* The head's end is looked for where no call before has looked. */
static enum http1_result find_end(struct span in, size_t *scanned, size_t *head_len)
{
    const size_t end = in.len < HTTP1_HEAD_LEN_MAX ? in.len : HTTP1_HEAD_LEN_MAX;
    for (size_t i = *scanned; i < end; i++) {
        if (in.at[i] == '\n' && i >= 3 && memcmp(in.at + i - 3, "\r\n\r", 3) == 0) {
            *head_len = i + 1;
            return HTTP1_DONE;
        }
    }
    *scanned = end;
    return end == HTTP1_HEAD_LEN_MAX ? HTTP1_HEAD_TOO_LONG : HTTP1_NEED_MORE;
}

/* Takes a line without its CRLF off the front; none of them has a CR or an LF within. */
static enum http1_result take_line(struct span *rest, struct span *line)
{
    const size_t len = span_index_of(*rest, '\r');
    if (memchr(rest->at, '\n', len) != NULL) {
        return HTTP1_BARE_LF;
    }
    if (len + 1 >= rest->len || rest->at[len + 1] != '\n') {
        return HTTP1_BARE_CR;
    }
    *line = span_of(rest->at, len);
    *rest = span_skip(*rest, len + 2);
    return HTTP1_DONE;
}

static enum http1_result read_status_line(struct span line, struct http1_response *out)
{
    if (line.len < STATUS_LINE_LEN_MIN || memcmp(line.at, "HTTP/", 5) != 0) {
        return HTTP1_BAD_VERSION;
    }
    if (memcmp(line.at + 5, "1.", 2) != 0 || (line.at[7] != '0' && line.at[7] != '1')) {
        return HTTP1_UNSUPPORTED_VERSION;
    }
    const uint8_t *at = line.at + 8;
    if (at[0] != ' ' || !http1_is_digit(at[1]) || !http1_is_digit(at[2]) ||
        !http1_is_digit(at[3]) || (line.len > STATUS_LINE_LEN_MIN && at[4] != ' ')) {
        return HTTP1_BAD_STATUS;
    }
    for (size_t i = STATUS_LINE_LEN_MIN; i < line.len; i++) {
        if (!http1_is_value_byte(line.at[i])) {
            return HTTP1_BAD_STATUS;
        }
    }
    out->status =
        (unsigned)(at[1] - '0') * 100 + (unsigned)(at[2] - '0') * 10 + (unsigned)(at[3] - '0');
    out->keep_alive = line.at[7] == '1';
    /* 101 would change the protocol, which nobody asked for. */
    return out->status >= 100 && out->status <= 599 && out->status != 101 ? HTTP1_DONE
                                                                          : HTTP1_BAD_STATUS;
}

static enum http1_result split_header(struct span line, struct span *name, struct span *value)
{
    if (http1_is_space(line.at[0])) {
        return HTTP1_FOLDED_HEADER;
    }
    const size_t name_len = (size_t)(http1_skip_name(line.at, line.at + line.len) - line.at);
    if (name_len == line.len || line.at[name_len] != ':') {
        return name_len < line.len && http1_is_space(line.at[name_len]) ? HTTP1_SPACE_BEFORE_COLON
                                                                        : HTTP1_BAD_HEADER_NAME;
    }
    *name = span_of(line.at, name_len);
    const struct span rest = span_skip(line, name_len + 1);
    if (name_len == 0) {
        return HTTP1_BAD_HEADER_NAME;
    }
    if (http1_skip_value(rest.at, rest.at + rest.len) != rest.at + rest.len) {
        return HTTP1_BAD_HEADER_VALUE;
    }
    *value = http1_trim(rest);
    return HTTP1_DONE;
}

/* False: it is no number, or none of 64 bits. */
static bool read_number(struct span text, uint64_t *out)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        const uint64_t digit = (uint64_t)(text.at[i] - '0');
        if (!http1_is_digit(text.at[i]) || number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *out = number;
    return text.len > 0;
}

static enum http1_result read_content_length(struct span value, struct http1_response *out)
{
    uint64_t len;
    if (!read_number(value, &len)) {
        return HTTP1_BAD_CONTENT_LENGTH;
    }
    if (out->has_content_length) {
        return HTTP1_DUPLICATE_HEADER;
    }
    out->has_content_length = true;
    out->content_length = len;
    return HTTP1_DONE;
}

/* `keep-alive` of HTTP/1.0 is not looked for: such servers close. */
static void read_connection(struct span list, struct http1_response *out)
{
    struct span token;
    while (http1_next_item(&list, &token)) {
        out->keep_alive = out->keep_alive && !span_equal_ignore_case(token, SPAN_LITERAL("close"));
    }
}

static void read_keep_alive(struct span list, struct http1_response *out)
{
    const struct span wanted = SPAN_LITERAL("timeout=");
    struct span item;
    uint64_t seconds;
    while (http1_next_item(&list, &item)) {
        if (item.len > wanted.len && span_equal_ignore_case(span_of(item.at, wanted.len), wanted) &&
            read_number(span_skip(item, wanted.len), &seconds)) {
            out->keep_alive_s =
                seconds < KEEP_ALIVE_S_MAX ? (uint32_t)seconds : (uint32_t)KEEP_ALIVE_S_MAX;
        }
    }
}

static enum http1_result read_header(struct span name, struct span value,
                                     struct http1_response *out)
{
    if (span_equal_ignore_case(name, SPAN_LITERAL("Content-Length"))) {
        return read_content_length(value, out);
    }
    if (span_equal_ignore_case(name, SPAN_LITERAL("Transfer-Encoding"))) {
        if (out->is_chunked) {
            return HTTP1_BAD_TRANSFER_ENCODING;
        }
        out->is_chunked = span_equal_ignore_case(value, SPAN_LITERAL("chunked"));
        return out->is_chunked ? HTTP1_DONE : HTTP1_UNKNOWN_TRANSFER_ENCODING;
    }
    if (span_equal_ignore_case(name, SPAN_LITERAL("Connection"))) {
        read_connection(value, out);
    } else if (span_equal_ignore_case(name, SPAN_LITERAL("Keep-Alive"))) {
        read_keep_alive(value, out);
    }
    return HTTP1_DONE;
}

enum http1_result http1_parse_response(struct span in, size_t *scanned, struct http1_response *out)
{
    size_t head_len = 0;
    enum http1_result result = find_end(in, scanned, &head_len);
    if (result != HTTP1_DONE) {
        return result;
    }
    struct span rest = span_of(in.at, head_len);
    struct span line;
    *out = (struct http1_response){.head_len = head_len};
    result = take_line(&rest, &line);
    if (result == HTTP1_DONE) {
        result = read_status_line(line, out);
    }
    size_t headers = 0;
    while (result == HTTP1_DONE && (result = take_line(&rest, &line)) == HTTP1_DONE &&
           line.len > 0) {
        struct span name;
        struct span value;
        if (++headers > HTTP1_HEADERS_MAX) {
            return HTTP1_TOO_MANY_HEADERS;
        }
        result = split_header(line, &name, &value);
        if (result == HTTP1_DONE) {
            result = read_header(name, value, out);
        }
    }
    if (result == HTTP1_DONE && out->is_chunked && out->has_content_length) {
        return HTTP1_LENGTH_AND_CHUNKED;
    }
    return result;
}

/* ---- the body ---- */

bool http1_body_init(struct http1_body *body, const struct http1_response *response,
                     uint64_t len_max)
{
    const bool has_none = response->status == 204 || response->status == 304;
    *body = (struct http1_body){.kind = HTTP1_BODY_UNTIL_END, .left = len_max};
    if (has_none || (!response->is_chunked && response->has_content_length)) {
        body->kind = HTTP1_BODY_OF_LENGTH;
        body->left = has_none ? 0 : response->content_length;
    } else if (response->is_chunked) {
        body->kind = HTTP1_BODY_CHUNKED;
        http1_chunked_init(&body->chunked, len_max);
    }
    return body->left <= len_max;
}

enum http1_chunked_result http1_body_take(struct http1_body *body, struct span *in,
                                          struct span *data)
{
    if (body->kind == HTTP1_BODY_CHUNKED) {
        return http1_chunked_decode(&body->chunked, in, data);
    }
    if (body->kind == HTTP1_BODY_OF_LENGTH && body->left == 0) {
        return HTTP1_CHUNKED_DONE;
    }
    if (in->len == 0) {
        return HTTP1_CHUNKED_NEED_MORE;
    }
    if (body->kind == HTTP1_BODY_UNTIL_END && in->len > body->left) {
        return HTTP1_CHUNKED_TOO_LARGE;
    }
    const size_t len = in->len < body->left ? in->len : (size_t)body->left;
    *data = span_of(in->at, len);
    *in = span_skip(*in, len);
    body->left -= len;
    return HTTP1_CHUNKED_DATA;
}
