/* SPDX-License-Identifier: Apache-2.0 */
/* The byte classes of HTTP's grammar (RFC 9110 section 5.6), for the files of http1 alone. */
#ifndef ROOST_CODEC_HTTP1_SYNTAX_H
#define ROOST_CODEC_HTTP1_SYNTAX_H

#include "codec/span.h"

#include <stdbool.h>
#include <stdint.h>

/* tchar: letters, digits and !#$%&'*+-.^_`|~ as a bitmap of the 128 ASCII bytes. */
static inline bool http1_is_token_byte(uint8_t byte)
{
    static const uint32_t set[4] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};
    return byte < 0x80 && (set[byte >> 5] >> (byte & 31) & 1) != 0;
}

/* field-vchar, space and tab: all but the control characters. */
static inline bool http1_is_value_byte(uint8_t byte)
{
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

static inline bool http1_is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static inline bool http1_is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* The value of a hexadecimal digit, or -1. */
static inline int http1_hex_value(uint8_t byte)
{
    if (http1_is_digit(byte)) {
        return byte - '0';
    }
    uint8_t lower = span_lower_byte(byte);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static inline struct span http1_trim(struct span span)
{
    while (span.len > 0 && http1_is_space(span.at[span.len - 1])) {
        span.len--;
    }
    while (span.len > 0 && http1_is_space(span.at[0])) {
        span.at++;
        span.len--;
    }
    return span;
}

/* Takes the next item of a comma-separated list off *rest; items may be empty. False at the end. */
static inline bool http1_next_item(struct span *rest, struct span *item)
{
    if (rest->at == NULL) {
        return false;
    }
    size_t len = span_index_of(*rest, ',');
    *item = http1_trim(span_of(rest->at, len));
    *rest = len < rest->len ? span_of(rest->at + len + 1, rest->len - len - 1) : SPAN_EMPTY;
    return true;
}

#endif
