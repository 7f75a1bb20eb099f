/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes base64 of either alphabet, and takes no text but the canonical one. */
#include "codec/base64.h"

#include <stdint.h>

#define NO_DIGIT 0xFFU

static uint8_t digit_of(uint8_t byte, enum base64_alphabet alphabet)
{
    if (byte >= 'A' && byte <= 'Z') {
        return (uint8_t)(byte - 'A');
    }
    if (byte >= 'a' && byte <= 'z') {
        return (uint8_t)(byte - 'a' + 26);
    }
    if (byte >= '0' && byte <= '9') {
        return (uint8_t)(byte - '0' + 52);
    }
    if (byte == (alphabet == BASE64_URL ? '-' : '+')) {
        return 62;
    }
    return byte == (alphabet == BASE64_URL ? '_' : '/') ? 63 : NO_DIGIT;
}

/* Takes the padding off that the standard alphabet must have; false when it has not. */
static bool take_padding(struct span *text)
{
    if (text->len % 4 != 0) {
        return false;
    }
    for (unsigned i = 0; i < 2 && text->len > 0 && text->at[text->len - 1] == '='; i++) {
        text->len--;
    }
    return true;
}

enum base64_result base64_decode(struct span text, enum base64_alphabet alphabet,
                                 struct scratch *scratch, struct span *out)
{
    if (alphabet == BASE64_STANDARD && !take_padding(&text)) {
        return BASE64_ERROR_TEXT;
    }
    if (text.len % 4 == 1) {
        return BASE64_ERROR_TEXT;
    }
    size_t decoded_len = text.len / 4 * 3 + text.len % 4 * 3 / 4;
    if (decoded_len > scratch_room(scratch)) {
        return BASE64_ERROR_SPACE;
    }
    size_t len = 0;
    uint32_t bits = 0;
    unsigned bit_count = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t digit = digit_of(text.at[i], alphabet);
        if (digit == NO_DIGIT) {
            return BASE64_ERROR_TEXT;
        }
        bits = (bits & 0xFFFFU) << 6 | digit;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            scratch->at[len++] = (uint8_t)(bits >> bit_count);
        }
    }
    if ((bits & ((1U << bit_count) - 1U)) != 0) {
        return BASE64_ERROR_TEXT;
    }
    *out = scratch_take(scratch, len);
    return BASE64_OK;
}
