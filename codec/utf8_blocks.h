/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 a block at a time, for processors that look up 16 or 32 bytes at once; private to utf8. */
#ifndef ROOST_CODEC_UTF8_BLOCKS_H
#define ROOST_CODEC_UTF8_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

enum {
    UTF8_BLOCK_LEN_MAX = 32,
    UTF8_BLOCK_CONTEXT = 3, /* bytes that a block looks back at */
};

#if defined(__x86_64__)
/*
 * Returns a border of code points in [at, end) up to which the text is valid. It is less than a
 * code point from the end, or not more than a block before the first impossible byte; in doubt it
 * is `at`. The text must have at least UTF8_BLOCK_LEN_MAX bytes from `at` on, and before it at
 * least UTF8_BLOCK_CONTEXT that are valid and end on a border. The first asks for a processor with
 * SSSE3, the second for AVX2.
 *
 * After Keiser and Lemire, "Validating UTF-8 in less than one instruction per byte", 2021.
 */
const uint8_t *utf8_skip_blocks_ssse3(const uint8_t *at, const uint8_t *end);
const uint8_t *utf8_skip_blocks_avx2(const uint8_t *at, const uint8_t *end);
#endif

#endif
