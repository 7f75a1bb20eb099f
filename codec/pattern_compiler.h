/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the compiler of patterns, and its classes of code points. */
#ifndef ROOST_CODEC_PATTERN_COMPILER_H
#define ROOST_CODEC_PATTERN_COMPILER_H

#include "codec/pattern.h"
#include "codec/pattern_program.h"

/* A class takes at least one byte of the expression, and no byte brings more than 7 ranges. */
enum {
    PATTERN_CLASSES_MAX = PATTERN_LEN_MAX,
    PATTERN_RANGES_MAX = 8 * PATTERN_LEN_MAX,
};

struct pattern_flags {
    bool folds_case;
    bool dot_takes_all;
    bool is_multi_line;
};

struct pattern_compiler {
    struct span rest; /* Of the expression. */
    bool fails;       /* It is wrong, or more than there is room for. */
    struct pattern_flags flags;
    uint32_t depth;
    size_t steps_len;
    size_t classes_len;
    size_t ranges_len;
    struct pattern_step steps[PATTERN_STEPS_MAX];
    struct pattern_class classes[PATTERN_CLASSES_MAX];
    struct pattern_range ranges[PATTERN_RANGES_MAX];
};

/* One class at a time is made, between these two; the second says which it is. */
void pattern_class_begin(struct pattern_compiler *compiler);
uint16_t pattern_class_end(struct pattern_compiler *compiler);

/* All that is not in it. */
void pattern_class_negate(struct pattern_compiler *compiler);
/* With the other case, where the flags say so. */
void pattern_class_add(struct pattern_compiler *compiler, uint32_t low, uint32_t high);
void pattern_class_add_exactly(struct pattern_compiler *compiler, uint32_t low, uint32_t high);

/* `\d` and its like; false: something else stands there. */
bool pattern_class_read_group(struct pattern_compiler *compiler);
/* `[...]`, begun by it. */
void pattern_class_read(struct pattern_compiler *compiler);
/* A backslash and the code point that it makes. */
uint32_t pattern_read_escaped(struct pattern_compiler *compiler);

#endif
