/* SPDX-License-Identifier: Apache-2.0 */
/* Stamps as hexadecimal digits, written and read without a branch a digit. */
#include "ops/bench/payload.h"

#include <string.h>

enum { NUMBER_DIGITS = 8, CHANNEL_DIGITS = 4, TIME_DIGITS = 14 };

static uint8_t *digits_put(uint8_t *at, uint64_t value, unsigned digits)
{
    static const char table[] = "0123456789abcdef";
    for (unsigned i = digits; i > 0; i--) {
        at[i - 1] = (uint8_t)table[value & 15];
        value >>= 4;
    }
    return at + digits;
}

/* Letters have bit 6; what is no digit makes `wrong` non-zero. */
static uint64_t digits_take(const uint8_t **at, unsigned digits, unsigned *wrong)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < digits; i++) {
        const unsigned byte = (*at)[i];
        const unsigned is_letter = byte >> 6 & 1;
        const unsigned digit = (byte & 15) + 9 * is_letter;
        *wrong |= (byte ^ (is_letter ? 0x60u : 0x30u)) & 0xf0u;
        *wrong |= is_letter ? digit > 15 || digit < 10 : digit > 9;
        value = value << 4 | (digit & 15);
    }
    *at += digits;
    return value;
}

void payload_stamp_write(uint8_t *at, const struct payload_stamp *stamp)
{
    *at++ = '"';
    at = digits_put(at, stamp->number, NUMBER_DIGITS);
    at = digits_put(at, stamp->channel, CHANNEL_DIGITS);
    digits_put(at, stamp->due_ns, TIME_DIGITS);
}

void payload_write(uint8_t *at, uint32_t len, const struct payload_stamp *stamp)
{
    payload_stamp_write(at, stamp);
    memset(at + PAYLOAD_STAMP_LEN, 'x', len - PAYLOAD_STAMP_LEN - 1);
    at[len - 1] = '"';
}

bool payload_read(struct span payload, struct payload_stamp *out)
{
    if (payload.len < PAYLOAD_LEN_MIN || payload.at[0] != '"' ||
        payload.at[payload.len - 1] != '"') {
        return false;
    }
    const uint8_t *at = payload.at + 1;
    unsigned wrong = 0;
    out->number = (uint32_t)digits_take(&at, NUMBER_DIGITS, &wrong);
    out->channel = (uint16_t)digits_take(&at, CHANNEL_DIGITS, &wrong);
    out->due_ns = digits_take(&at, TIME_DIGITS, &wrong);
    return wrong == 0;
}
