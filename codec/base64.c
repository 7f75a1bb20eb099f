/* SPDX-License-Identifier: Apache-2.0 */
/* Base64: decodes either alphabet, and no text but the canonical one; encodes the standard one. */
#include "codec/base64.h"

#include <stdint.h>

#define NO_DIGIT 0xFFU

/* `count` of 1 to 3 bytes in the top of 24 bits. */
static void encode_group(uint8_t to[4], uint32_t bits, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    to[0] = (uint8_t)digits[bits >> 18];
    to[1] = (uint8_t)digits[bits >> 12 & 63];
    to[2] = count > 1 ? (uint8_t)digits[bits >> 6 & 63] : '=';
    to[3] = count > 2 ? (uint8_t)digits[bits & 63] : '=';
}

void base64_encode(struct writer *out, struct span bytes)
{
    uint8_t *to = writer_claim(out, (bytes.len + 2) / 3 * 4);
    if (to == NULL) {
        return;
    }
    const uint8_t *at = bytes.at;
    size_t left = bytes.len;
    for (; left >= 3; left -= 3, at += 3, to += 4) {
        encode_group(to, (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2], 3);
    }
    if (left > 0) {
        encode_group(to, (uint32_t)at[0] << 16 | (left > 1 ? (uint32_t)at[1] << 8 : 0), left);
    }
}

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
