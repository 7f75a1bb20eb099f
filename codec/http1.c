/* SPDX-License-Identifier: Apache-2.0 */
/* The request head: a scan that judges each byte once, then slices, then what the headers mean. */
#include "codec/http1.h"

#include "codec/http1_syntax.h"

#include <stddef.h>
#include <string.h>

/*
 * The scan is an automaton over the bytes, so that it can stop and go on anywhere and finds an
 * error at the first byte that cannot be right. What it accepts needs no second look at single
 * bytes.
 */
enum http1_part {
    HTTP1_PART_METHOD = 0,
    HTTP1_PART_TARGET,
    HTTP1_PART_VERSION,
    HTTP1_PART_LINE_LF, /* behind the CR of a line */
    HTTP1_PART_LINE,    /* at the start of a header line, or of the empty one */
    HTTP1_PART_NAME,
    HTTP1_PART_VALUE,
    HTTP1_PART_HEAD_LF, /* behind the CR of the empty line */
};

static void http1_begin_part(struct http1_progress *progress, enum http1_part part)
{
    progress->part = (uint8_t)part;
    progress->part_at = (uint16_t)(progress->scanned + 1);
}

static enum http1_result http1_scan_method(struct http1_progress *progress, uint8_t byte,
                                           size_t index)
{
    if (byte == ' ' && index > 0) {
        http1_begin_part(progress, HTTP1_PART_TARGET);
        return HTTP1_NEED_MORE;
    }
    if (!http1_is_token_byte(byte)) {
        return HTTP1_BAD_METHOD;
    }
    return index < HTTP1_METHOD_LEN_MAX ? HTTP1_NEED_MORE : HTTP1_METHOD_TOO_LONG;
}

/* The bytes that a URI would have to escape, but for '#', are let through: browsers send them. */
static enum http1_result http1_scan_target(struct http1_progress *progress, uint8_t byte,
                                           size_t index)
{
    if (index == 0 && byte != '/') {
        bool is_scheme_or_host = byte == '[' || (http1_is_token_byte(byte) && byte != '*');
        return byte == '*'         ? HTTP1_ASTERISK_TARGET
               : is_scheme_or_host ? HTTP1_PROXY_TARGET
                                   : HTTP1_BAD_TARGET;
    }
    if (byte == ' ') {
        http1_begin_part(progress, HTTP1_PART_VERSION);
        return HTTP1_NEED_MORE;
    }
    if (byte == '\r') {
        return HTTP1_BAD_VERSION;
    }
    if (byte == '\n') {
        return HTTP1_BARE_LF;
    }
    if (byte <= ' ' || byte >= 0x7f || byte == '#') {
        return HTTP1_BAD_TARGET;
    }
    return index < HTTP1_TARGET_LEN_MAX ? HTTP1_NEED_MORE : HTTP1_TARGET_TOO_LONG;
}

static enum http1_result http1_scan_version(struct http1_progress *progress, struct span in,
                                            size_t index)
{
    static const char form[] = "HTTP/0.0\r";
    uint8_t byte = in.at[progress->scanned];
    if (index == 8 && byte == '\n') {
        return HTTP1_BARE_LF;
    }
    bool fits = form[index] == '0' ? http1_is_digit(byte) : byte == (uint8_t)form[index];
    if (!fits) {
        return HTTP1_BAD_VERSION;
    }
    if (index == 7 && (in.at[progress->part_at + 5] != '1' || (byte != '0' && byte != '1'))) {
        return HTTP1_UNSUPPORTED_VERSION;
    }
    if (index == 8) {
        http1_begin_part(progress, HTTP1_PART_LINE_LF);
    }
    return HTTP1_NEED_MORE;
}

static enum http1_result http1_scan_line_start(struct http1_progress *progress, uint8_t byte)
{
    if (byte == '\r') {
        http1_begin_part(progress, HTTP1_PART_HEAD_LF);
        return HTTP1_NEED_MORE;
    }
    if (byte == '\n') {
        return HTTP1_BARE_LF;
    }
    if (http1_is_space(byte)) {
        return HTTP1_FOLDED_HEADER;
    }
    if (!http1_is_token_byte(byte)) {
        return HTTP1_BAD_HEADER_NAME;
    }
    if (progress->header_count == HTTP1_HEADERS_MAX) {
        return HTTP1_TOO_MANY_HEADERS;
    }
    progress->header_count++;
    progress->part = HTTP1_PART_NAME;
    return HTTP1_NEED_MORE;
}

static enum http1_result http1_scan_name(struct http1_progress *progress, uint8_t byte)
{
    if (byte == ':') {
        progress->part = HTTP1_PART_VALUE;
        return HTTP1_NEED_MORE;
    }
    if (http1_is_space(byte)) {
        return HTTP1_SPACE_BEFORE_COLON;
    }
    return http1_is_token_byte(byte) ? HTTP1_NEED_MORE : HTTP1_BAD_HEADER_NAME;
}

static enum http1_result http1_scan_value(struct http1_progress *progress, uint8_t byte)
{
    if (byte == '\r') {
        progress->part = HTTP1_PART_LINE_LF;
        return HTTP1_NEED_MORE;
    }
    if (byte == '\n') {
        return HTTP1_BARE_LF;
    }
    return http1_is_value_byte(byte) ? HTTP1_NEED_MORE : HTTP1_BAD_HEADER_VALUE;
}

/* Judges the byte at progress->scanned. DONE at the last byte of the head. */
static enum http1_result http1_scan_byte(struct http1_progress *progress, struct span in)
{
    uint8_t byte = in.at[progress->scanned];
    size_t index = (size_t)progress->scanned - progress->part_at;
    switch ((enum http1_part)progress->part) {
    case HTTP1_PART_METHOD:
        return http1_scan_method(progress, byte, index);
    case HTTP1_PART_TARGET:
        return http1_scan_target(progress, byte, index);
    case HTTP1_PART_VERSION:
        return http1_scan_version(progress, in, index);
    case HTTP1_PART_LINE_LF:
        http1_begin_part(progress, HTTP1_PART_LINE);
        return byte == '\n' ? HTTP1_NEED_MORE : HTTP1_BARE_CR;
    case HTTP1_PART_LINE:
        return http1_scan_line_start(progress, byte);
    case HTTP1_PART_NAME:
        return http1_scan_name(progress, byte);
    case HTTP1_PART_VALUE:
        return http1_scan_value(progress, byte);
    case HTTP1_PART_HEAD_LF:
        return byte == '\n' ? HTTP1_DONE : HTTP1_BARE_CR;
    }
    return HTTP1_BAD_METHOD;
}

/*
 * Moves over bytes that leave the automaton in its state, which are most of a head. Never beyond
 * `end`, nor to where a limit is judged.
 */
static size_t http1_skip_run(const struct http1_progress *progress, const uint8_t *head, size_t end)
{
    const uint8_t *at = head + progress->scanned;
    const size_t target_end = (size_t)progress->part_at + HTTP1_TARGET_LEN_MAX;
    switch ((enum http1_part)progress->part) {
    case HTTP1_PART_TARGET:
        end = end < target_end ? end : target_end;
        /* What a target begins with is not for here. */
        return progress->scanned == progress->part_at || progress->scanned >= end
                   ? progress->scanned
                   : (size_t)(http1_skip_target(at, head + end) - head);
    case HTTP1_PART_VERSION:
        /* The digits of any other are judged one by one. */
        return progress->scanned == progress->part_at && end - progress->scanned > 8 &&
                       memcmp(at, "HTTP/1.1", 8) == 0
                   ? (size_t)progress->scanned + 8
                   : progress->scanned;
    case HTTP1_PART_NAME:
        return (size_t)(http1_skip_name(at, head + end) - head);
    case HTTP1_PART_VALUE:
        return (size_t)(http1_skip_value(at, head + end) - head);
    default:
        return progress->scanned;
    }
}

static enum http1_result http1_scan(struct span in, struct http1_progress *progress)
{
    size_t end = in.len < HTTP1_HEAD_LEN_MAX ? in.len : HTTP1_HEAD_LEN_MAX;
    while (progress->scanned < end) {
        progress->scanned = (uint16_t)http1_skip_run(progress, in.at, end);
        if (progress->scanned == end) {
            break;
        }
        enum http1_result result = http1_scan_byte(progress, in);
        if (result != HTTP1_NEED_MORE && result != HTTP1_DONE) {
            return result;
        }
        progress->scanned++;
        if (result == HTTP1_DONE) {
            return HTTP1_DONE;
        }
    }
    return progress->scanned == HTTP1_HEAD_LEN_MAX ? HTTP1_HEAD_TOO_LONG : HTTP1_NEED_MORE;
}

/* ---- slicing a head that the scan has accepted ---- */

/* Takes the bytes before `border`, which must be there, off the front of *rest, and the border too.
 */
static inline struct span http1_take_until(struct span *rest, uint8_t border)
{
    size_t len = 0;
#if defined(__SSE2__)
    unsigned found = 0;
    for (; found == 0 && rest->len - len >= 16; len += 16) {
        const __m128i is_border =
            _mm_cmpeq_epi8(http1_load(rest->at + len), _mm_set1_epi8((char)border));
        found = (unsigned)_mm_movemask_epi8(is_border);
    }
    len = found != 0 ? len - 16 + (size_t)__builtin_ctz(found) : len;
#endif
    while (len < rest->len && rest->at[len] != border) {
        len++;
    }
    const struct span taken = span_of(rest->at, len);
    *rest = span_skip(*rest, len + 1);
    return taken;
}

static enum http1_method http1_method_of(struct span name)
{
    static const struct {
        struct span name;
        enum http1_method method;
    } methods[] = {
        {{(const uint8_t *)"GET", 3}, HTTP1_GET},
        {{(const uint8_t *)"HEAD", 4}, HTTP1_HEAD},
        {{(const uint8_t *)"POST", 4}, HTTP1_POST},
        {{(const uint8_t *)"OPTIONS", 7}, HTTP1_OPTIONS},
    };
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (span_equal(name, methods[i].name)) {
            return methods[i].method;
        }
    }
    return HTTP1_OTHER;
}

static void http1_slice(struct span head, size_t header_count, struct http1_request *out)
{
    /* The headers are 2 KiB, and each that counts is written below. */
    memset(out, 0, offsetof(struct http1_request, headers));
    out->head_len = head.len;
    out->header_count = header_count;
    out->method_name = http1_take_until(&head, ' ');
    out->method = http1_method_of(out->method_name);
    struct span target = http1_take_until(&head, ' ');
    out->path = http1_take_until(&target, '?');
    out->query = target;
    struct span version = http1_take_until(&head, '\n');
    out->minor_version = (uint8_t)(version.at[7] - '0');
    for (size_t i = 0; i < header_count; i++) {
        struct http1_header *header = &out->headers[i];
        header->name = http1_take_until(&head, ':');
        header->value = http1_trim(http1_take_until(&head, '\r'));
        head = span_skip(head, 1);
    }
}

/* ---- what the headers mean ---- */

enum http1_known {
    HTTP1_KNOWN_HOST,
    HTTP1_KNOWN_CONTENT_LENGTH,
    HTTP1_KNOWN_EXPECT,
    HTTP1_KNOWN_SINGLE, /* from here on they only must not come twice */
    HTTP1_KNOWN_COUNT = HTTP1_KNOWN_SINGLE + 6,
};

/* Two of these would let two readers of one request believe different things. */
#define HTTP1_NAME(text) \
    { \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }
static const struct span http1_single_names[HTTP1_KNOWN_COUNT] = {
    HTTP1_NAME("Host"),
    HTTP1_NAME("Content-Length"),
    HTTP1_NAME("Expect"),
    HTTP1_NAME("Origin"),
    HTTP1_NAME("Authorization"),
    HTTP1_NAME("X-API-Key"),
    HTTP1_NAME("Content-Type"),
    HTTP1_NAME("Sec-WebSocket-Key"),
    HTTP1_NAME("Sec-WebSocket-Version"),
};
#undef HTTP1_NAME

static unsigned http1_known_of(struct span name)
{
    unsigned known = 0;
    while (known < HTTP1_KNOWN_COUNT && !span_equal_ignore_case(name, http1_single_names[known])) {
        known++;
    }
    return known;
}

static enum http1_result http1_read_content_length(struct span value, struct http1_request *out)
{
    uint64_t len = 0;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t byte = value.at[i];
        if (!http1_is_digit(byte) || len > (UINT64_MAX - (uint64_t)(byte - '0')) / 10) {
            return HTTP1_BAD_CONTENT_LENGTH;
        }
        len = len * 10 + (uint64_t)(byte - '0');
    }
    out->content_length = len;
    out->has_content_length = true;
    return value.len > 0 ? HTTP1_DONE : HTTP1_BAD_CONTENT_LENGTH;
}

static enum http1_result http1_read_host(struct span value, struct http1_request *out)
{
    for (size_t i = 0; i < value.len; i++) {
        if (!http1_is_host_byte(value.at[i])) {
            return HTTP1_BAD_HOST;
        }
    }
    out->host = value;
    return value.len > 0 ? HTTP1_DONE : HTTP1_BAD_HOST;
}

static enum http1_result http1_read_single(unsigned known, struct span value,
                                           struct http1_request *out)
{
    switch (known) {
    case HTTP1_KNOWN_HOST:
        return http1_read_host(value, out);
    case HTTP1_KNOWN_CONTENT_LENGTH:
        return http1_read_content_length(value, out);
    case HTTP1_KNOWN_EXPECT:
        /* HTTP/1.0 knows no interim responses, so there it is ignored (RFC 9110 10.1.1). */
        out->expect_continue = out->minor_version == 1;
        return span_equal_ignore_case(value, SPAN_LITERAL("100-continue"))
                   ? HTTP1_DONE
                   : HTTP1_UNKNOWN_EXPECTATION;
    default:
        return HTTP1_DONE;
    }
}

static enum http1_result http1_read_transfer_encoding(struct span list, struct http1_request *out)
{
    struct span coding;
    if (out->minor_version == 0 || list.len == 0) {
        return HTTP1_BAD_TRANSFER_ENCODING;
    }
    while (http1_next_item(&list, &coding)) {
        if (out->is_chunked || coding.len == 0) {
            return HTTP1_BAD_TRANSFER_ENCODING;
        }
        if (!span_equal_ignore_case(coding, SPAN_LITERAL("chunked"))) {
            return HTTP1_UNKNOWN_TRANSFER_ENCODING;
        }
        out->is_chunked = true;
    }
    return HTTP1_DONE;
}

static enum http1_result http1_read_headers(struct http1_request *out)
{
    unsigned seen = 0;
    for (size_t i = 0; i < out->header_count; i++) {
        const struct http1_header *header = &out->headers[i];
        enum http1_result result = HTTP1_DONE;
        unsigned known = http1_known_of(header->name);
        if (known < HTTP1_KNOWN_COUNT) {
            if ((seen >> known & 1) != 0) {
                return HTTP1_DUPLICATE_HEADER;
            }
            seen |= 1u << known;
            result = http1_read_single(known, header->value, out);
        } else if (span_equal_ignore_case(header->name, SPAN_LITERAL("Transfer-Encoding"))) {
            result = http1_read_transfer_encoding(header->value, out);
        }
        if (result != HTTP1_DONE) {
            return result;
        }
    }
    if (out->is_chunked && out->has_content_length) {
        return HTTP1_LENGTH_AND_CHUNKED;
    }
    if (out->minor_version == 1 && (seen & 1u << HTTP1_KNOWN_HOST) == 0) {
        return HTTP1_MISSING_HOST;
    }
    out->keep_alive = !http1_header_has_token(out, "Connection", SPAN_LITERAL("close")) &&
                      (out->minor_version == 1 ||
                       http1_header_has_token(out, "Connection", SPAN_LITERAL("keep-alive")));
    return HTTP1_DONE;
}

enum http1_result http1_parse_request(struct span in, struct http1_progress *progress,
                                      struct http1_request *out)
{
    enum http1_result result = http1_scan(in, progress);
    if (result != HTTP1_DONE) {
        return result;
    }
    http1_slice(span_of(in.at, progress->scanned), progress->header_count, out);
    return http1_read_headers(out);
}

/* ---- looking at headers ---- */

bool http1_next_header(const struct http1_request *request, const char *name, size_t *index,
                       struct span *value)
{
    struct span wanted = span_of_text(name);
    for (size_t i = *index; i < request->header_count; i++) {
        if (span_equal_ignore_case(request->headers[i].name, wanted)) {
            *value = request->headers[i].value;
            *index = i + 1;
            return true;
        }
    }
    *index = request->header_count;
    return false;
}

bool http1_find_header(const struct http1_request *request, const char *name, struct span *value)
{
    size_t index = 0;
    return http1_next_header(request, name, &index, value);
}

static bool http1_lists_have(const struct http1_request *request, const char *name,
                             struct span token, bool (*is_equal)(struct span, struct span))
{
    size_t index = 0;
    struct span list;
    while (http1_next_header(request, name, &index, &list)) {
        struct span item;
        while (http1_next_item(&list, &item)) {
            if (is_equal(item, token)) {
                return true;
            }
        }
    }
    return false;
}

bool http1_header_has_token(const struct http1_request *request, const char *name,
                            struct span token)
{
    return http1_lists_have(request, name, token, span_equal_ignore_case);
}

bool http1_header_has_exact_token(const struct http1_request *request, const char *name,
                                  struct span token)
{
    return http1_lists_have(request, name, token, span_equal);
}

/* ---- results as status and text ---- */

unsigned http1_result_status(enum http1_result result)
{
    switch (result) {
    case HTTP1_DONE:
    case HTTP1_NEED_MORE:
    case HTTP1_RESULT_COUNT:
        return 0;
    case HTTP1_TARGET_TOO_LONG:
        return 414;
    case HTTP1_UNKNOWN_EXPECTATION:
        return 417;
    case HTTP1_HEAD_TOO_LONG:
    case HTTP1_TOO_MANY_HEADERS:
        return 431;
    case HTTP1_METHOD_TOO_LONG:
    case HTTP1_UNKNOWN_TRANSFER_ENCODING:
        return 501;
    case HTTP1_UNSUPPORTED_VERSION:
        return 505;
    default:
        return 400;
    }
}

const char *http1_result_text(enum http1_result result)
{
    static const char *const texts[HTTP1_RESULT_COUNT] = {
        [HTTP1_DONE] = "done",
        [HTTP1_NEED_MORE] = "need more",
        [HTTP1_BAD_METHOD] = "bad method",
        [HTTP1_METHOD_TOO_LONG] = "method too long",
        [HTTP1_BAD_TARGET] = "bad request target",
        [HTTP1_ASTERISK_TARGET] = "request target * is not served",
        [HTTP1_PROXY_TARGET] = "request target is not a path",
        [HTTP1_TARGET_TOO_LONG] = "request target too long",
        [HTTP1_BAD_VERSION] = "bad HTTP version",
        [HTTP1_UNSUPPORTED_VERSION] = "unsupported HTTP version",
        [HTTP1_BARE_CR] = "CR without LF",
        [HTTP1_BARE_LF] = "LF without CR",
        [HTTP1_FOLDED_HEADER] = "folded header",
        [HTTP1_BAD_HEADER_NAME] = "bad header name",
        [HTTP1_SPACE_BEFORE_COLON] = "space before the colon of a header",
        [HTTP1_BAD_HEADER_VALUE] = "control character in a header",
        [HTTP1_HEAD_TOO_LONG] = "request head too long",
        [HTTP1_TOO_MANY_HEADERS] = "too many headers",
        [HTTP1_MISSING_HOST] = "missing Host",
        [HTTP1_BAD_HOST] = "bad Host",
        [HTTP1_DUPLICATE_HEADER] = "duplicate header",
        [HTTP1_BAD_CONTENT_LENGTH] = "bad Content-Length",
        [HTTP1_LENGTH_AND_CHUNKED] = "both Content-Length and Transfer-Encoding",
        [HTTP1_BAD_TRANSFER_ENCODING] = "bad Transfer-Encoding",
        [HTTP1_UNKNOWN_TRANSFER_ENCODING] = "unknown transfer coding",
        [HTTP1_UNKNOWN_EXPECTATION] = "unknown expectation",
        [HTTP1_BAD_STATUS] = "bad status",
    };
    return (unsigned)result < HTTP1_RESULT_COUNT ? texts[result] : "unknown";
}
