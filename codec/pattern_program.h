/* SPDX-License-Identifier: Apache-2.0 */
/* What a regular expression becomes: steps of an automaton and the classes of code points that they
 * take. Between the compiler and the matcher of patterns alone. */
#ifndef ROOST_CODEC_PATTERN_PROGRAM_H
#define ROOST_CODEC_PATTERN_PROGRAM_H

#include "codec/span.h"

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#define PATTERN_CODE_POINT_MAX 0x10ffffu

enum pattern_op {
    PATTERN_CLASS, /* Takes a code point of its class, then the next step. */
    PATTERN_JUMP,  /* To `to` on. */
    PATTERN_SPLIT, /* To both on. */
    PATTERN_TEXT_BEGIN,
    PATTERN_TEXT_END,
    PATTERN_LINE_BEGIN,
    PATTERN_LINE_END,
    PATTERN_WORD_EDGE,
    PATTERN_NO_WORD_EDGE,
    PATTERN_MATCH,
};

/* Jumps are relative to the step: a piece of a program means the same wherever it is copied to. */
struct pattern_step {
    uint8_t op;
    uint16_t class_index;
    int16_t to;
    int16_t or_to;
};

struct pattern_range {
    uint32_t low;
    uint32_t high; /* Of it too. */
};

struct pattern_class {
    uint64_t ascii[2]; /* A bit each code point; `is_negated` is in it already. */
    uint16_t first_range;
    uint16_t ranges_len;
    bool is_negated;
};

/* In one block of memory, without a pointer: behind the steps the classes, and then the ranges. */
struct pattern_program {
    uint32_t steps_len;
    uint32_t classes_len;
    struct pattern_step steps[];
};

static_assert(sizeof(struct pattern_step) % alignof(struct pattern_class) == 0 &&
                  sizeof(struct pattern_program) % alignof(struct pattern_class) == 0,
              "classes may stand behind any number of steps");

static inline const struct pattern_class *pattern_classes_of(const struct pattern_program *program)
{
    return (const void *)(program->steps + program->steps_len);
}

static inline const struct pattern_range *pattern_ranges_of(const struct pattern_program *program)
{
    return (const void *)(pattern_classes_of(program) + program->classes_len);
}

/* The text is valid, and not empty. */
static inline uint32_t pattern_take_code_point(struct span *text)
{
    const uint8_t *at = text->at;
    const size_t len = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t code_point = len == 1 ? at[0] : at[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        code_point = code_point << 6 | (at[i] & 0x3fu);
    }
    *text = span_skip(*text, len);
    return code_point;
}

static inline bool pattern_is_word(uint32_t code_point)
{
    return (code_point >= '0' && code_point <= '9') || (code_point >= 'A' && code_point <= 'Z') ||
           (code_point >= 'a' && code_point <= 'z') || code_point == '_';
}

#endif
