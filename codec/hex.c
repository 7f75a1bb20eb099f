/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as pairs of hexadecimal digits, and back. */
#include "codec/hex.h"

void hex_write(const uint8_t *bytes, size_t len, void *text)
{
    char *to = text;
    for (size_t i = 0; i < len; i++) {
        *to++ = hex_digit(bytes[i] >> 4);
        *to++ = hex_digit(bytes[i]);
    }
}

bool hex_read(const void *text, uint8_t *bytes, size_t len)
{
    const uint8_t *from = text;
    for (size_t i = 0; i < len; i++) {
        const int high = hex_value(from[2 * i]);
        const int low = hex_value(from[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
