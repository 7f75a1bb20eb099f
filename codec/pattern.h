/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions of a configuration, in the syntax of Go's regexp (RE2), for texts of
 * strangers.
 *
 * All threads of a non-deterministic automaton advance together, a code point at a time, as K.
 * Thompson did ("Regular Expression Search Algorithm", CACM 11:6, 1968): no expression and no text
 * makes a match take more than steps * code points, and matching takes no memory but the stack.
 */
#ifndef ROOST_CODEC_PATTERN_H
#define ROOST_CODEC_PATTERN_H

#include "codec/must_check.h"
#include "codec/span.h"

#include <stdbool.h>

/* A longer expression is refused, a longer text matches nothing. */
#define PATTERN_LEN_MAX 512
#define PATTERN_TEXT_LEN_MAX 2048
/* Of the automaton: a code point of the expression is about one, and what is repeated {n} times is
 * there n times. An expression of more is refused. */
#define PATTERN_STEPS_MAX 2048

/* Bytes, aligned as malloc does it, in which an expression is compiled. */
#define PATTERN_SCRATCH_LEN (128 * 1024)

struct pattern_program;

/* A compiled expression. It does not change any more: all shards may match with the same. */
struct pattern {
    const struct pattern_program *program; /* NULL: none is set. */
    size_t size; /* Of the program, which may be moved to wherever malloc would put it. */
};

/*
 * The program is in the scratch, and its caller's. False, and none is set: the expression is wrong
 * or too long; or it asks for classes of Unicode (`\pL`), for letters beyond ASCII or negated
 * groups without regard to case, or repeats what stands before flags. All else that Go has is here:
 * its groups (no one asks what they matched), flags, repetitions, classes and escapes.
 */
CODEC_MUST_CHECK bool pattern_compile(struct span text, void *scratch, struct pattern *out);

/* Does the expression match anywhere in the text? One that is no UTF-8 is matched by nothing. */
bool pattern_matches(const struct pattern *pattern, struct span text);

#endif
