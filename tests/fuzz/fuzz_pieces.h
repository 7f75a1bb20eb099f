/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts an input into reads: how many bytes come next is drawn from a seed that the input carries.
 */
#ifndef ROOST_TESTS_FUZZ_FUZZ_PIECES_H
#define ROOST_TESTS_FUZZ_FUZZ_PIECES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* A difference that must not be aborts, which is what a fuzzer looks for. */
#define FUZZ_CHECK(condition) \
    do { \
        if (!(condition)) { \
            abort(); \
        } \
    } while (0)

/* `mode` 0: all at once, 1: a byte at a time, else: pieces of 1 to 16 bytes drawn from `seed`. */
struct fuzz_pieces {
    unsigned mode;
    uint32_t seed;
};

enum { FUZZ_PIECE_MODES = 3 };

static inline size_t fuzz_next_piece(struct fuzz_pieces *pieces, size_t left)
{
    pieces->seed = pieces->seed * 1664525u + 1013904223u;
    size_t piece = pieces->mode == 0 ? left : pieces->mode == 1 ? 1 : 1 + (pieces->seed >> 28);
    return piece < left ? piece : left;
}

#endif
