/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes single JSON values: strings with their escapes, and numbers exactly. */
#include "codec/hex.h"
#include "codec/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define UTF8_LEN_MAX 4
#define REPLACEMENT_CHARACTER 0xFFFDU

/* An exponent beyond this is as good as this; it leaves room for the length of any text. */
#define EXPONENT_MAX INT64_C(100000000000000000)

static size_t put_utf8(uint32_t character, uint8_t out[UTF8_LEN_MAX])
{
    if (character < 0x80) {
        out[0] = (uint8_t)character;
        return 1;
    }
    if (character < 0x800) {
        out[0] = (uint8_t)(0xC0 | character >> 6);
        out[1] = (uint8_t)(0x80 | (character & 0x3F));
        return 2;
    }
    if (character < 0x10000) {
        out[0] = (uint8_t)(0xE0 | character >> 12);
        out[1] = (uint8_t)(0x80 | (character >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (character & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | character >> 18);
    out[1] = (uint8_t)(0x80 | (character >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (character >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (character & 0x3F));
    return 4;
}

/* The value of `\uXXXX` at the start of `text`; false when that is not what is there. */
static bool read_unit(struct span text, uint32_t *unit)
{
    if (text.len < 6 || text.at[0] != '\\' || text.at[1] != 'u') {
        return false;
    }
    uint32_t value = 0;
    for (size_t i = 2; i < 6; i++) {
        const int digit = hex_value(text.at[i]);
        if (digit < 0) {
            return false;
        }
        value = value << 4 | (uint32_t)digit;
    }
    *unit = value;
    return true;
}

/* A surrogate that has no partner stands for U+FFFD, and what follows it for itself. */
static bool read_unicode_escape(struct span *text, uint32_t *character)
{
    uint32_t unit;
    uint32_t low;
    if (!read_unit(*text, &unit)) {
        return false;
    }
    *text = span_skip(*text, 6);
    *character = unit;
    if (unit < 0xD800 || unit > 0xDFFF) {
        return true;
    }
    *character = REPLACEMENT_CHARACTER;
    if (unit < 0xDC00 && read_unit(*text, &low) && low >= 0xDC00 && low <= 0xDFFF) {
        *character = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        *text = span_skip(*text, 6);
    }
    return true;
}

/* `text` begins with a backslash, and on success behind the escape. */
static bool read_escape(struct span *text, uint32_t *character)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (text->len < 2) {
        return false;
    }
    if (text->at[1] == 'u') {
        return read_unicode_escape(text, character);
    }
    const char *found = text->at[1] == 0 ? NULL : strchr(letters, text->at[1]);
    if (found == NULL) {
        return false;
    }
    *character = (uint8_t)meanings[found - letters];
    *text = span_skip(*text, 2);
    return true;
}

enum json_result json_key_decode(struct span key_raw, struct scratch *scratch, struct span *out)
{
    struct span rest = key_raw;
    size_t plain = span_index_of(rest, '\\');
    if (plain == rest.len) {
        *out = key_raw;
        return JSON_OK;
    }
    size_t room = scratch_room(scratch);
    size_t len = 0;
    while (rest.len > 0) {
        if (plain > room - len) {
            return JSON_ERROR_SPACE;
        }
        if (plain > 0) {
            memcpy(scratch->at + len, rest.at, plain);
            len += plain;
            rest = span_skip(rest, plain);
        }
        if (rest.len > 0) {
            uint32_t character;
            uint8_t bytes[UTF8_LEN_MAX];
            if (!read_escape(&rest, &character)) {
                return JSON_ERROR_ESCAPE;
            }
            size_t size = put_utf8(character, bytes);
            if (size > room - len) {
                return JSON_ERROR_SPACE;
            }
            memcpy(scratch->at + len, bytes, size);
            len += size;
        }
        plain = span_index_of(rest, '\\');
    }
    *out = scratch_take(scratch, len);
    return JSON_OK;
}

enum json_result json_string_decode(struct span raw, struct scratch *scratch, struct span *out)
{
    if (raw.len < 2 || raw.at[0] != '"' || raw.at[raw.len - 1] != '"') {
        return JSON_ERROR_TYPE;
    }
    return json_key_decode(span_of(raw.at + 1, raw.len - 2), scratch, out);
}

enum json_result json_number_u64(struct span raw, uint64_t *out)
{
    uint64_t value = 0;
    if (raw.len == 0) {
        return JSON_ERROR_TYPE;
    }
    if (raw.at[0] == '-') {
        return JSON_ERROR_RANGE;
    }
    bool overflows = false;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.at[i] < '0' || raw.at[i] > '9') {
            return JSON_ERROR_TYPE;
        }
        overflows = overflows || __builtin_mul_overflow(value, 10U, &value) ||
                    __builtin_add_overflow(value, (uint64_t)(raw.at[i] - '0'), &value);
    }
    if (overflows) {
        return JSON_ERROR_RANGE;
    }
    *out = value;
    return JSON_OK;
}

/* The number of this sign and size, when there is one. */
static enum json_result to_signed(bool is_negative, uint64_t magnitude, int64_t *out)
{
    if (magnitude > (uint64_t)INT64_MAX + (is_negative ? 1U : 0U)) {
        return JSON_ERROR_RANGE;
    }
    *out = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return JSON_OK;
}

enum json_result json_number_i64(struct span raw, int64_t *out)
{
    bool is_negative = raw.len > 1 && raw.at[0] == '-' && raw.at[1] != '-';
    uint64_t magnitude;
    enum json_result result = json_number_u64(is_negative ? span_skip(raw, 1) : raw, &magnitude);
    return result == JSON_OK ? to_signed(is_negative, magnitude, out) : result;
}

enum json_result json_number_u32(struct span raw, uint32_t *out)
{
    uint64_t value;
    enum json_result result = json_number_u64(raw, &value);
    if (result != JSON_OK || value > UINT32_MAX) {
        return result == JSON_OK ? JSON_ERROR_RANGE : result;
    }
    *out = (uint32_t)value;
    return JSON_OK;
}

enum json_result json_number_i32(struct span raw, int32_t *out)
{
    int64_t value;
    enum json_result result = json_number_i64(raw, &value);
    if (result != JSON_OK || value > INT32_MAX || value < INT32_MIN) {
        return result == JSON_OK ? JSON_ERROR_RANGE : result;
    }
    *out = (int32_t)value;
    return JSON_OK;
}

/* A number taken apart: the digits of 12.5e-1 are `12` and `5`, its exponent is -1. */
struct decimal {
    bool is_negative;
    struct span whole;
    struct span fraction;
    int64_t exponent;
};

static size_t digits_len(struct span text)
{
    size_t len = 0;
    while (len < text.len && text.at[len] >= '0' && text.at[len] <= '9') {
        len++;
    }
    return len;
}

static bool take_apart(struct span raw, struct decimal *out)
{
    *out = (struct decimal){.is_negative = raw.len > 0 && raw.at[0] == '-'};
    struct span rest = out->is_negative ? span_skip(raw, 1) : raw;
    out->whole = span_of(rest.at, digits_len(rest));
    rest = span_skip(rest, out->whole.len);
    if (rest.len > 0 && rest.at[0] == '.') {
        rest = span_skip(rest, 1);
        out->fraction = span_of(rest.at, digits_len(rest));
        rest = span_skip(rest, out->fraction.len);
    }
    if (rest.len > 0 && (rest.at[0] | 0x20) == 'e') {
        rest = span_skip(rest, 1);
        bool is_negative = rest.len > 0 && rest.at[0] == '-';
        if (rest.len > 0 && (rest.at[0] == '-' || rest.at[0] == '+')) {
            rest = span_skip(rest, 1);
        }
        while (rest.len > 0 && rest.at[0] >= '0' && rest.at[0] <= '9') {
            int64_t exponent = out->exponent * 10 + (rest.at[0] - '0');
            out->exponent = exponent > EXPONENT_MAX ? EXPONENT_MAX : exponent;
            rest = span_skip(rest, 1);
        }
        out->exponent = is_negative ? -out->exponent : out->exponent;
    }
    return out->whole.len > 0 && rest.len == 0;
}

static uint8_t digit_at(const struct decimal *decimal, size_t index)
{
    if (index < decimal->whole.len) {
        return (uint8_t)(decimal->whole.at[index] - '0');
    }
    return (uint8_t)(decimal->fraction.at[index - decimal->whole.len] - '0');
}

enum json_result json_number_floor(struct span raw, int64_t *out)
{
    struct decimal decimal;
    if (!take_apart(raw, &decimal)) {
        return JSON_ERROR_TYPE;
    }
    size_t digits = decimal.whole.len + decimal.fraction.len;
    int64_t point = (int64_t)decimal.whole.len + decimal.exponent;
    size_t before_point = point < 0 ? 0 : (size_t)point;
    uint64_t magnitude = 0;
    bool overflows = false;
    bool has_rest = false;
    for (size_t i = 0; i < digits; i++) {
        uint8_t digit = digit_at(&decimal, i);
        if (i < before_point) {
            overflows = overflows || __builtin_mul_overflow(magnitude, 10U, &magnitude) ||
                        __builtin_add_overflow(magnitude, (uint64_t)digit, &magnitude);
        } else {
            has_rest = has_rest || digit != 0;
        }
    }
    /* Zeros up to the point: at most twenty before it overflows, none when there is only zero. */
    for (size_t i = digits; i < before_point && magnitude != 0 && !overflows; i++) {
        overflows = __builtin_mul_overflow(magnitude, 10U, &magnitude);
    }
    if (decimal.is_negative && has_rest && !overflows) {
        overflows = __builtin_add_overflow(magnitude, 1U, &magnitude);
    }
    return overflows ? JSON_ERROR_RANGE : to_signed(decimal.is_negative, magnitude, out);
}

enum json_result json_number_double(struct span raw, double *out)
{
    struct decimal decimal;
    if (!take_apart(raw, &decimal)) {
        return JSON_ERROR_TYPE;
    }
    if (raw.len > JSON_DOUBLE_LEN_MAX) {
        return JSON_ERROR_RANGE;
    }
    char text[JSON_DOUBLE_LEN_MAX + 1];
    memcpy(text, raw.at, raw.len);
    text[raw.len] = '\0';
    double value = strtod(text, NULL); /* no part of the program ever leaves the locale "C" */
    if (!isfinite(value)) {
        return JSON_ERROR_RANGE;
    }
    *out = value;
    return JSON_OK;
}
