/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal digits: written in lower case, read in either. */
#ifndef ROOST_CODEC_HEX_H
#define ROOST_CODEC_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All of these are pure and may be called from any shard. */

/* The digit of the lowest four bits. */
static inline char hex_digit(unsigned value)
{
    return "0123456789abcdef"[value & 15];
}

/* The value of a digit, or -1. */
static inline int hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    const uint8_t lower = digit | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Writes two digits for each of `len` bytes to `text`, without a terminator. */
void hex_write(const uint8_t *bytes, size_t len, void *text);

/*
 * Reads `len` bytes from the 2 * `len` digits at `text`. False when one of them is no digit; then
 * `bytes` holds what stands before it.
 */
bool hex_read(const void *text, uint8_t *bytes, size_t len);

#endif
