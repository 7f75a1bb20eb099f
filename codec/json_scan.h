/* SPDX-License-Identifier: Apache-2.0 */
/* The lexical half of the JSON scanner: cursors that move over one token or one whole value. */
#ifndef ROOST_CODEC_JSON_SCAN_H
#define ROOST_CODEC_JSON_SCAN_H

#include "codec/json.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Private to the JSON codec and its tests. Every function reads [*src, end) and nothing else; *src
 * moves only on JSON_OK.
 */

static inline const uint8_t *json_skip_space(const uint8_t *at, const uint8_t *end)
{
    while (at != end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    return at;
}

/*
 * The first byte that is not plain in a string: a quote, a backslash, a control character or a byte
 * of 0x80 and above; `end` when all are plain. The first form takes 16 bytes at a time where the
 * processor can, the second is what it must agree with.
 */
const uint8_t *json_skip_plain(const uint8_t *at, const uint8_t *end);
const uint8_t *json_skip_plain_bytewise(const uint8_t *at, const uint8_t *end);

/* The size of the valid UTF-8 sequence of 2 to 4 bytes at `at`, or 0 (RFC 3629 section 4). */
size_t json_utf8_len(const uint8_t *at, const uint8_t *end);

/* *src stands behind the opening quote, and then behind the closing one. */
enum json_result json_scan_string(const uint8_t **src, const uint8_t *end);

/* *src stands on a digit or a minus, and then on the first byte that is not of the number. */
enum json_result json_scan_number(const uint8_t **src, const uint8_t *end);

/* *src stands on a key's quote, and then behind the colon; *key is what is between the quotes. */
enum json_result json_scan_key(const uint8_t **src, const uint8_t *end, struct span *key);

/*
 * *src stands on the first byte of a value that is inside of `depth` containers, and then behind
 * the value. Neither recursion nor allocation, whatever the text.
 */
enum json_result json_scan_value(const uint8_t **src, const uint8_t *end, uint32_t depth,
                                 enum json_type *type);

/* The type that a value has which begins with `byte`; false when none does. */
bool json_type_of(uint8_t byte, enum json_type *type);

#endif
