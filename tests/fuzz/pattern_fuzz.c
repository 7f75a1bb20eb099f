/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles expressions and asks them about texts; the same in brackets, and behind anything, must
 * say the same. */
#include "codec/pattern.h"
#include "codec/writer.h"
#include "tests/fuzz/fuzz_pieces.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void expect_same(const char *open, struct span expression, struct span text, bool wanted)
{
    uint8_t room[PATTERN_LEN_MAX];
    struct writer writer = writer_of(room, sizeof(room));
    static alignas(max_align_t) uint8_t scratch[PATTERN_SCRATCH_LEN];
    struct pattern pattern;
    writer_put(&writer, span_of_text(open));
    writer_put(&writer, expression);
    writer_put(&writer, SPAN_LITERAL(")"));
    /* It may be a step too long. */
    if (!writer_is_overflown(&writer) &&
        pattern_compile(writer_written(&writer), scratch, &pattern)) {
        FUZZ_CHECK(pattern_matches(&pattern, text) == wanted);
    }
}

/* An expression, a zero byte, a text. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct span all = span_of(bytes, len);
    const size_t end = span_index_of(all, 0);
    const struct span expression = span_of(bytes, end);
    const struct span text = end == len ? SPAN_EMPTY : span_skip(all, end + 1);
    static alignas(max_align_t) uint8_t scratch[PATTERN_SCRATCH_LEN];
    struct pattern pattern;
    if (pattern_compile(expression, scratch, &pattern)) {
        /* In memory of exactly its size, and nowhere else. */
        void *moved = malloc(pattern.size);
        FUZZ_CHECK(moved != NULL);
        memcpy(moved, pattern.program, pattern.size);
        memset(scratch, 0xaa, sizeof(scratch));
        pattern.program = moved;
        const bool matches = pattern_matches(&pattern, text);
        free(moved);
        expect_same("(?:", expression, text, matches);
        expect_same("(?s:.*)(?:", expression, text, matches);
    } else {
        FUZZ_CHECK(pattern.program == NULL);
    }
    return 0;
}
