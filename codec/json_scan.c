/* SPDX-License-Identifier: Apache-2.0 */
/* Moves over JSON tokens and values in one pass, checking each byte once (RFC 8259). */
#include "codec/json_scan.h"

#include "codec/hex.h"

#include <assert.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

const uint8_t *json_skip_plain_bytewise(const uint8_t *at, const uint8_t *end)
{
    while (at != end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

#ifdef __SSE2__

const uint8_t *json_skip_plain(const uint8_t *at, const uint8_t *end)
{
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(0x20);
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* As signed numbers the bytes from 0x80 on are below the space, like control characters. */
        __m128i special = _mm_or_si128(_mm_cmplt_epi8(bytes, space),
                                       _mm_or_si128(_mm_cmpeq_epi8(bytes, quote),
                                                    _mm_cmpeq_epi8(bytes, backslash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(special);
        if (mask != 0) {
            return at + __builtin_ctz(mask);
        }
        at += 16;
    }
    return json_skip_plain_bytewise(at, end);
}

#else

const uint8_t *json_skip_plain(const uint8_t *at, const uint8_t *end)
{
    return json_skip_plain_bytewise(at, end);
}

#endif

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

size_t json_utf8_len(const uint8_t *at, const uint8_t *end)
{
    size_t room = (size_t)(end - at);
    if (room < 2 || at[0] < 0xC2 || at[0] > 0xF4 || !is_continuation(at[1])) {
        return 0;
    }
    if (at[0] < 0xE0) {
        return 2;
    }
    if (room < 3 || !is_continuation(at[2])) {
        return 0;
    }
    if (at[0] < 0xF0) {
        bool is_overlong = at[0] == 0xE0 && at[1] < 0xA0;
        bool is_surrogate = at[0] == 0xED && at[1] >= 0xA0;
        return is_overlong || is_surrogate ? 0 : 3;
    }
    bool is_overlong = at[0] == 0xF0 && at[1] < 0x90;
    bool is_above_unicode = at[0] == 0xF4 && at[1] >= 0x90;
    return room < 4 || !is_continuation(at[3]) || is_overlong || is_above_unicode ? 0 : 4;
}

/* `at` stands on a backslash. */
static enum json_result scan_escape(const uint8_t **src, const uint8_t *end)
{
    const uint8_t *at = *src + 1;
    if (at == end) {
        return JSON_ERROR_TRUNCATED;
    }
    if (*at != 'u') {
        if (*at == 0 || strchr("\"\\/bfnrt", *at) == NULL) {
            return JSON_ERROR_ESCAPE;
        }
        *src = at + 1;
        return JSON_OK;
    }
    at++;
    for (unsigned i = 0; i < 4; i++, at++) {
        if (at == end) {
            return JSON_ERROR_TRUNCATED;
        }
        if (hex_value(*at) < 0) {
            return JSON_ERROR_ESCAPE;
        }
    }
    *src = at;
    return JSON_OK;
}

enum json_result json_scan_string(const uint8_t **src, const uint8_t *end)
{
    const uint8_t *at = *src;
    for (;;) {
        at = json_skip_plain(at, end);
        /* Text in other scripts is one long run of such bytes: no use to look for plain ones. */
        while (at != end && *at >= 0x80) {
            size_t len = json_utf8_len(at, end);
            if (len == 0) {
                return JSON_ERROR_UTF8;
            }
            at += len;
        }
        if (at == end) {
            return JSON_ERROR_TRUNCATED;
        }
        if (*at == '"') {
            *src = at + 1;
            return JSON_OK;
        }
        if (*at == '\\') {
            enum json_result result = scan_escape(&at, end);
            if (result != JSON_OK) {
                return result;
            }
        } else if (*at < 0x20) {
            return JSON_ERROR_CONTROL;
        }
    }
}

static const uint8_t *skip_digits(const uint8_t *at, const uint8_t *end)
{
    while (at != end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at;
}

enum json_result json_scan_number(const uint8_t **src, const uint8_t *end)
{
    const uint8_t *at = *src;
    if (at != end && *at == '-') {
        at++;
    }
    const uint8_t *digits = at;
    at = skip_digits(at, end);
    if (at == digits || (*digits == '0' && at - digits > 1)) {
        return JSON_ERROR_NUMBER;
    }
    if (at != end && *at == '.') {
        digits = ++at;
        at = skip_digits(at, end);
        if (at == digits) {
            return JSON_ERROR_NUMBER;
        }
    }
    if (at != end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at != end && (*at == '+' || *at == '-')) {
            at++;
        }
        digits = at;
        at = skip_digits(at, end);
        if (at == digits) {
            return JSON_ERROR_NUMBER;
        }
    }
    *src = at;
    return JSON_OK;
}

enum json_result json_scan_key(const uint8_t **src, const uint8_t *end, struct span *key)
{
    const uint8_t *at = *src;
    if (at == end) {
        return JSON_ERROR_TRUNCATED;
    }
    if (*at != '"') {
        return JSON_ERROR_SYNTAX;
    }
    const uint8_t *start = ++at;
    enum json_result result = json_scan_string(&at, end);
    if (result != JSON_OK) {
        return result;
    }
    *key = span_between(start, at - 1);
    at = json_skip_space(at, end);
    if (at == end) {
        return JSON_ERROR_TRUNCATED;
    }
    if (*at != ':') {
        return JSON_ERROR_SYNTAX;
    }
    *src = at + 1;
    return JSON_OK;
}

bool json_type_of(uint8_t byte, enum json_type *type)
{
    switch (byte) {
    case '{':
        *type = JSON_OBJECT;
        return true;
    case '[':
        *type = JSON_ARRAY;
        return true;
    case '"':
        *type = JSON_STRING;
        return true;
    case 't':
    case 'f':
        *type = JSON_BOOL;
        return true;
    case 'n':
        *type = JSON_NULL;
        return true;
    default:
        *type = JSON_NUMBER;
        return byte == '-' || (byte >= '0' && byte <= '9');
    }
}

static enum json_result scan_literal(const uint8_t **src, const uint8_t *end)
{
    struct span literal = **src == 't'   ? SPAN_LITERAL("true")
                          : **src == 'f' ? SPAN_LITERAL("false")
                                         : SPAN_LITERAL("null");
    size_t room = (size_t)(end - *src);
    if (memcmp(*src, literal.at, room < literal.len ? room : literal.len) != 0) {
        return JSON_ERROR_SYNTAX;
    }
    if (room < literal.len) {
        return JSON_ERROR_TRUNCATED;
    }
    *src += literal.len;
    return JSON_OK;
}

/* Strings, numbers and literals; for the opening byte of a container it only tells the type. */
static enum json_result scan_first_token(const uint8_t **src, const uint8_t *end,
                                         enum json_type *type)
{
    if (*src == end) {
        return JSON_ERROR_TRUNCATED;
    }
    if (!json_type_of(**src, type)) {
        return **src == '+' || **src == '.' ? JSON_ERROR_NUMBER : JSON_ERROR_SYNTAX;
    }
    switch (*type) {
    case JSON_STRING:
        (*src)++;
        return json_scan_string(src, end);
    case JSON_NUMBER:
        return json_scan_number(src, end);
    case JSON_BOOL:
    case JSON_NULL:
        return scan_literal(src, end);
    case JSON_ARRAY:
    case JSON_OBJECT:
        (*src)++;
        return JSON_OK;
    }
    return JSON_ERROR_SYNTAX;
}

/*
 * The containers around the cursor, one bit each: a set bit is an object. A text of brackets alone
 * therefore costs no more than any other of its length.
 */
struct nesting {
    uint64_t is_object[JSON_DEPTH_MAX / 64];
    uint32_t level;
};

static_assert(JSON_DEPTH_MAX % 64 == 0, "whole words of nesting");

static void nesting_push(struct nesting *nesting, bool is_object)
{
    uint64_t bit = UINT64_C(1) << (nesting->level % 64);
    uint64_t *word = &nesting->is_object[nesting->level / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    nesting->level++;
}

static bool nesting_top_is_object(const struct nesting *nesting)
{
    uint32_t top = nesting->level - 1;
    return (nesting->is_object[top / 64] >> (top % 64) & 1) != 0;
}

/*
 * Behind an opening bracket: an empty container is closed at once (then a value has ended), else
 * the cursor is moved to where the first value begins.
 */
static enum json_result enter(const uint8_t **src, const uint8_t *end, struct nesting *nesting,
                              bool *value_ended)
{
    bool is_object = nesting_top_is_object(nesting);
    *src = json_skip_space(*src, end);
    *value_ended = *src != end && **src == (is_object ? '}' : ']');
    if (*value_ended) {
        (*src)++;
        nesting->level--;
        return JSON_OK;
    }
    struct span key;
    return is_object ? json_scan_key(src, end, &key) : JSON_OK;
}

/* Behind a value: closes what closes, until a comma leads to the next value or all is closed. */
static enum json_result leave(const uint8_t **src, const uint8_t *end, struct nesting *nesting)
{
    while (nesting->level > 0) {
        bool is_object = nesting_top_is_object(nesting);
        *src = json_skip_space(*src, end);
        if (*src == end) {
            return JSON_ERROR_TRUNCATED;
        }
        uint8_t byte = *(*src)++;
        if (byte == ',') {
            struct span key;
            *src = json_skip_space(*src, end);
            return is_object ? json_scan_key(src, end, &key) : JSON_OK;
        }
        if (byte != (is_object ? '}' : ']')) {
            return JSON_ERROR_SYNTAX;
        }
        nesting->level--;
    }
    return JSON_OK;
}

enum json_result json_scan_value(const uint8_t **src, const uint8_t *end, uint32_t depth,
                                 enum json_type *type)
{
    struct nesting nesting;
    nesting.level = 0;
    const uint8_t *at = *src;
    enum json_type token = JSON_NULL;
    enum json_result result = scan_first_token(&at, end, &token);
    *type = token;
    while (result == JSON_OK) {
        bool value_ended = true;
        if (token == JSON_OBJECT || token == JSON_ARRAY) {
            if (depth + nesting.level >= JSON_DEPTH_MAX) {
                return JSON_ERROR_DEPTH;
            }
            nesting_push(&nesting, token == JSON_OBJECT);
            result = enter(&at, end, &nesting, &value_ended);
        }
        if (result == JSON_OK && value_ended) {
            result = leave(&at, end, &nesting);
        }
        if (result == JSON_OK && nesting.level == 0) {
            *src = at;
            return JSON_OK;
        }
        if (result == JSON_OK) {
            at = json_skip_space(at, end);
            result = scan_first_token(&at, end, &token);
        }
    }
    return result;
}
