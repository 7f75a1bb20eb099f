/* SPDX-License-Identifier: Apache-2.0 */
/* Applies fossil deltas, and what creating and applying share. */
#include "codec/delta.h"

const char *delta_result_text(enum delta_result result)
{
    static const char *const texts[DELTA_RESULT_COUNT] = {
        [DELTA_OK] = "no error",
        [DELTA_NOT_SHORTER] = "delta not shorter than its target",
        [DELTA_NOT_UTF8] = "payload is not UTF-8",
        [DELTA_ERROR_TOO_LARGE] = "payload too large",
        [DELTA_ERROR_SPACE] = "no room left",
        [DELTA_ERROR_TRUNCATED] = "delta ends too early",
        [DELTA_ERROR_SYNTAX] = "unexpected byte",
        [DELTA_ERROR_NUMBER] = "number too large",
        [DELTA_ERROR_COPY] = "copy from beyond the source",
        [DELTA_ERROR_LITERAL] = "literal longer than the delta",
        [DELTA_ERROR_LEN] = "target of another length",
        [DELTA_ERROR_CHECKSUM] = "wrong checksum",
        [DELTA_ERROR_TRAILING] = "bytes behind the delta",
    };
    return (size_t)result < DELTA_RESULT_COUNT ? texts[result] : "unknown result";
}

uint32_t delta_checksum(struct span bytes)
{
    uint32_t sum = 0;
    size_t i = 0;
    for (; bytes.len - i >= sizeof(uint32_t); i += sizeof(uint32_t)) {
        sum += (uint32_t)bytes.at[i] << 24 | (uint32_t)bytes.at[i + 1] << 16 |
               (uint32_t)bytes.at[i + 2] << 8 | (uint32_t)bytes.at[i + 3];
    }
    for (unsigned shift = 24; i < bytes.len; i++, shift -= 8) {
        sum += (uint32_t)bytes.at[i] << shift;
    }
    return sum;
}

static int digit_of(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'A' && byte <= 'Z') {
        return byte - 'A' + 10;
    }
    if (byte >= 'a' && byte <= 'z') {
        return byte - 'a' + 37;
    }
    return byte == '_' ? 36 : byte == '~' ? 63 : -1;
}

/* Reads a number and the byte behind it, which says what the number is for. */
static enum delta_result read_number(struct span *rest, uint32_t *number, uint8_t *what)
{
    uint64_t value = 0;
    size_t len = 0;
    int digit;
    while (len < rest->len && (digit = digit_of(rest->at[len])) >= 0) {
        value = value << 6 | (uint64_t)digit;
        if (value > UINT32_MAX) {
            return DELTA_ERROR_NUMBER;
        }
        len++;
    }
    if (len == rest->len) {
        return DELTA_ERROR_TRUNCATED;
    }
    if (len == 0) {
        return DELTA_ERROR_SYNTAX;
    }
    *number = (uint32_t)value;
    *what = rest->at[len];
    *rest = span_skip(*rest, len + 1);
    return DELTA_OK;
}

static enum delta_result read_header(struct span *rest, size_t *len)
{
    uint32_t number;
    uint8_t what;
    const enum delta_result result = read_number(rest, &number, &what);
    if (result != DELTA_OK) {
        return result;
    }
    if (what != '\n') {
        return DELTA_ERROR_SYNTAX;
    }
    if (number > DELTA_LEN_MAX) {
        return DELTA_ERROR_TOO_LARGE;
    }
    *len = number;
    return DELTA_OK;
}

enum delta_result delta_target_len(struct span delta, size_t *len)
{
    struct span rest = delta;
    return read_header(&rest, len);
}

static enum delta_result apply_copy(struct span source, uint32_t len, struct span *rest,
                                    struct writer *target)
{
    uint32_t place;
    uint8_t what;
    const enum delta_result result = read_number(rest, &place, &what);
    if (result != DELTA_OK) {
        return result;
    }
    if (what != ',') {
        return DELTA_ERROR_SYNTAX;
    }
    if (place > source.len || len > source.len - place) {
        return DELTA_ERROR_COPY;
    }
    if (len > 0) {
        writer_put(target, span_of(source.at + place, len));
    }
    return DELTA_OK;
}

static enum delta_result apply_literal(uint32_t len, struct span *rest, struct writer *target)
{
    if (len > rest->len) {
        return DELTA_ERROR_LITERAL;
    }
    writer_put(target, span_of(rest->at, len));
    *rest = span_skip(*rest, len);
    return DELTA_OK;
}

static enum delta_result check_end(uint32_t checksum, struct span rest, const struct writer *target)
{
    if (rest.len > 0) {
        return DELTA_ERROR_TRAILING;
    }
    if (writer_room(target) > 0) {
        return DELTA_ERROR_LEN;
    }
    return delta_checksum(writer_written(target)) == checksum ? DELTA_OK : DELTA_ERROR_CHECKSUM;
}

/* The writer has exactly the room that the target declares. */
static enum delta_result apply_segments(struct span source, struct span rest, struct writer *target)
{
    for (;;) {
        uint32_t number;
        uint8_t what;
        enum delta_result result = read_number(&rest, &number, &what);
        if (result != DELTA_OK) {
            return result;
        }
        if (what == ';') {
            return check_end(number, rest, target);
        }
        if (what != '@' && what != ':') {
            return DELTA_ERROR_SYNTAX;
        }
        if (number > writer_room(target)) {
            return DELTA_ERROR_LEN;
        }
        result = what == '@' ? apply_copy(source, number, &rest, target)
                             : apply_literal(number, &rest, target);
        if (result != DELTA_OK) {
            return result;
        }
    }
}

enum delta_result delta_apply(struct span source, struct span delta, struct writer *out)
{
    struct span rest = delta;
    size_t len;
    enum delta_result result = read_header(&rest, &len);
    if (result != DELTA_OK) {
        return result;
    }
    if (writer_is_overflown(out) || len > writer_room(out)) {
        return DELTA_ERROR_SPACE;
    }
    struct writer target = writer_of(out->at, len);
    result = apply_segments(source, rest, &target);
    if (result == DELTA_OK) {
        (void)writer_claim(out, len);
    }
    return result;
}
