/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a regular expression from left to right and writes its automaton: what is repeated, or is
 * one of alternatives, is put behind a jump when that turns out. */
#include "codec/pattern.h"

#include "codec/pattern_compiler.h"
#include "codec/utf8.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* Groups in groups; and as Go has it, how often something may be repeated. */
enum { DEPTH_MAX = 64, REPEAT_MAX = 1000, UNBOUNDED = -1 };

static void read_alternatives(struct pattern_compiler *compiler);

/* ---- steps ---- */

static bool has_room(struct pattern_compiler *compiler, size_t count)
{
    if (compiler->steps_len + count > PATTERN_STEPS_MAX) {
        compiler->fails = true;
    }
    return !compiler->fails;
}

static void put(struct pattern_compiler *compiler, struct pattern_step step)
{
    if (has_room(compiler, 1)) {
        compiler->steps[compiler->steps_len++] = step;
    }
}

static void insert(struct pattern_compiler *compiler, size_t at, struct pattern_step step)
{
    if (has_room(compiler, 1)) {
        memmove(&compiler->steps[at + 1], &compiler->steps[at],
                (compiler->steps_len - at) * sizeof(step));
        compiler->steps[at] = step;
        compiler->steps_len++;
    }
}

static void put_copy(struct pattern_compiler *compiler, size_t from, size_t len)
{
    if (len > 0 && has_room(compiler, len)) {
        memcpy(&compiler->steps[compiler->steps_len], &compiler->steps[from],
               len * sizeof(struct pattern_step));
        compiler->steps_len += len;
    }
}

static void put_class(struct pattern_compiler *compiler)
{
    put(compiler,
        (struct pattern_step){.op = PATTERN_CLASS, .class_index = pattern_class_end(compiler)});
}

static void put_code_point(struct pattern_compiler *compiler, uint32_t code_point)
{
    pattern_class_begin(compiler);
    pattern_class_add(compiler, code_point, code_point);
    put_class(compiler);
}

/* ---- repetitions ---- */

struct repetition {
    int min;
    int max; /* UNBOUNDED: any number. */
};

static bool read_number(struct span *rest, int *out)
{
    size_t len = 0;
    *out = 0;
    while (len < rest->len && rest->at[len] >= '0' && rest->at[len] <= '9') {
        *out = *out > REPEAT_MAX ? *out : *out * 10 + (rest->at[len] - '0');
        len++;
    }
    const bool is_number = len > 0 && (len == 1 || rest->at[0] != '0');
    *rest = span_skip(*rest, len);
    return is_number;
}

/* {2} {2,} {2,5}; anything else in braces is a text. */
static bool read_count(struct span *rest, struct repetition *out)
{
    struct span left = span_skip(*rest, 1);
    if (!read_number(&left, &out->min)) {
        return false;
    }
    out->max = out->min;
    if (!span_is_empty(left) && left.at[0] == ',') {
        left = span_skip(left, 1);
        out->max = UNBOUNDED;
        if (!span_is_empty(left) && left.at[0] != '}' && !read_number(&left, &out->max)) {
            return false;
        }
    }
    if (span_is_empty(left) || left.at[0] != '}') {
        return false;
    }
    *rest = span_skip(left, 1);
    return true;
}

static bool read_repetition(struct span *rest, struct repetition *out)
{
    const uint8_t byte = span_is_empty(*rest) ? 0 : rest->at[0];
    if (byte == '{') {
        return read_count(rest, out);
    }
    if (byte != '*' && byte != '+' && byte != '?') {
        return false;
    }
    *out = (struct repetition){.min = byte == '+', .max = byte == '?' ? 1 : UNBOUNDED};
    *rest = span_skip(*rest, 1);
    return true;
}

/* Of the steps from `start` on. */
static void repeat(struct pattern_compiler *compiler, size_t start, struct repetition repetition)
{
    const size_t len = compiler->steps_len - start;
    const struct pattern_step leave_out = {.op = PATTERN_SPLIT,
                                           .to = 1,
                                           .or_to = (int16_t)(len + 1)};
    if (repetition.max == 0) {
        compiler->steps_len = start;
        return;
    }
    for (int i = 1; i < repetition.min && !compiler->fails; i++) {
        put_copy(compiler, start, len);
    }
    if (repetition.max == UNBOUNDED) {
        put(compiler,
            (struct pattern_step){.op = PATTERN_SPLIT, .to = (int16_t) - (int)len, .or_to = 1});
        if (repetition.min == 0) {
            const struct pattern_step leave_all = {.op = PATTERN_SPLIT,
                                                   .to = 1,
                                                   .or_to = (int16_t)(len + 2)};
            insert(compiler, start, leave_all);
        }
        return;
    }
    int optional = repetition.max - repetition.min;
    size_t from = start;
    if (repetition.min == 0) {
        insert(compiler, start, leave_out);
        from = start + 1;
        optional--;
    }
    for (; optional > 0 && !compiler->fails; optional--) {
        put(compiler, leave_out);
        put_copy(compiler, from, len);
    }
}

/* ---- what stands alone ---- */

static void put_assertion(struct pattern_compiler *compiler, enum pattern_op op)
{
    put(compiler, (struct pattern_step){.op = (uint8_t)op});
}

/* \Q...\E: as it is. */
static void read_quoted(struct pattern_compiler *compiler)
{
    while (!span_is_empty(compiler->rest) && !compiler->fails) {
        if (span_starts_with(compiler->rest, SPAN_LITERAL("\\E"))) {
            compiler->rest = span_skip(compiler->rest, 2);
            return;
        }
        put_code_point(compiler, pattern_take_code_point(&compiler->rest));
    }
}

/* False: nothing that could be repeated. */
static bool read_escape(struct pattern_compiler *compiler)
{
    static const char assertions[] = "AzbB";
    static const enum pattern_op ops[] = {PATTERN_TEXT_BEGIN, PATTERN_TEXT_END, PATTERN_WORD_EDGE,
                                          PATTERN_NO_WORD_EDGE};
    const uint8_t byte = compiler->rest.len < 2 ? 0 : compiler->rest.at[1];
    const char *assertion = byte == 0 ? NULL : strchr(assertions, byte);
    if (byte == 'Q') {
        compiler->rest = span_skip(compiler->rest, 2);
        read_quoted(compiler);
        return false;
    }
    if (assertion != NULL) {
        compiler->rest = span_skip(compiler->rest, 2);
        put_assertion(compiler, ops[assertion - assertions]);
        return true;
    }
    pattern_class_begin(compiler);
    if (!pattern_class_read_group(compiler)) {
        const uint32_t code_point = pattern_read_escaped(compiler);
        pattern_class_add(compiler, code_point, code_point);
    }
    put_class(compiler);
    return true;
}

static void read_any(struct pattern_compiler *compiler)
{
    pattern_class_begin(compiler);
    if (!compiler->flags.dot_takes_all) {
        pattern_class_negate(compiler);
        pattern_class_add(compiler, '\n', '\n');
    } else {
        pattern_class_add_exactly(compiler, 0, PATTERN_CODE_POINT_MAX);
    }
    put_class(compiler);
}

/* ---- groups ---- */

static bool set_flag(struct pattern_flags *flags, uint8_t byte, bool is_on)
{
    switch (byte) {
    case 'i':
        flags->folds_case = is_on;
        return true;
    case 'm':
        flags->is_multi_line = is_on;
        return true;
    case 's':
        flags->dot_takes_all = is_on;
        return true;
    case 'U':
        return true; /* How much is taken at first changes nothing about whether there is a match.
                      */
    default:
        return false;
    }
}

/* Behind "(?": flags up to a ':' (a group follows) or a ')'. */
static bool read_flags(struct pattern_compiler *compiler)
{
    bool is_on = true;
    bool is_owed = false; /* A '-' wants a flag. */
    while (!span_is_empty(compiler->rest)) {
        const uint8_t byte = compiler->rest.at[0];
        compiler->rest = span_skip(compiler->rest, 1);
        if (byte == ':' || byte == ')') {
            compiler->fails = compiler->fails || is_owed;
            return byte == ':';
        }
        if (byte == '-' && is_on) {
            is_on = false;
            is_owed = true;
        } else if (set_flag(&compiler->flags, byte, is_on)) {
            is_owed = false;
        } else {
            break;
        }
    }
    compiler->fails = true;
    return false;
}

/* Behind "(?<" or "(?P<". */
static void read_name(struct pattern_compiler *compiler)
{
    size_t len = 0;
    const struct span rest = compiler->rest;
    while (len < rest.len && pattern_is_word(rest.at[len])) {
        len++;
    }
    if (len == 0 || len == rest.len || rest.at[len] != '>') {
        compiler->fails = true;
        return;
    }
    compiler->rest = span_skip(rest, len + 1);
}

/* Behind its bracket. */
static void read_group(struct pattern_compiler *compiler, struct pattern_flags outside)
{
    if (++compiler->depth > DEPTH_MAX) {
        compiler->fails = true;
        return;
    }
    read_alternatives(compiler);
    compiler->depth--;
    compiler->flags = outside;
    compiler->fails = compiler->fails || span_is_empty(compiler->rest);
    compiler->rest = span_skip(compiler->rest, compiler->fails ? 0 : 1);
}

static bool read_bracket(struct pattern_compiler *compiler)
{
    static const struct span openings[] = {SPAN_LITERAL("?P<"), SPAN_LITERAL("?<")};
    const struct pattern_flags outside = compiler->flags;
    compiler->rest = span_skip(compiler->rest, 1);
    for (size_t i = 0; i < 2; i++) {
        if (span_starts_with(compiler->rest, openings[i])) {
            compiler->rest = span_skip(compiler->rest, openings[i].len);
            read_name(compiler);
            read_group(compiler, outside);
            return true;
        }
    }
    if (!span_is_empty(compiler->rest) && compiler->rest.at[0] == '?') {
        compiler->rest = span_skip(compiler->rest, 1);
        if (!read_flags(compiler)) {
            return false;
        }
    }
    read_group(compiler, outside);
    return true;
}

/* ---- the whole ---- */

/* False: nothing that could be repeated. */
static bool read_one(struct pattern_compiler *compiler)
{
    const bool is_multi_line = compiler->flags.is_multi_line;
    struct repetition nothing;
    struct span rest = compiler->rest;
    switch (rest.at[0]) {
    case '(':
        return read_bracket(compiler);
    case '[':
        pattern_class_read(compiler);
        put_class(compiler);
        return true;
    case '\\':
        return read_escape(compiler);
    case '^':
    case '$':
        put_assertion(compiler, rest.at[0] == '^'
                                    ? (is_multi_line ? PATTERN_LINE_BEGIN : PATTERN_TEXT_BEGIN)
                                    : (is_multi_line ? PATTERN_LINE_END : PATTERN_TEXT_END));
        break;
    case '.':
        read_any(compiler);
        break;
    default:
        if (read_repetition(&rest, &nothing)) {
            compiler->fails = true;
            return false;
        }
        put_code_point(compiler, pattern_take_code_point(&compiler->rest));
        return true;
    }
    compiler->rest = span_skip(compiler->rest, 1);
    return true;
}

static void read_repeated(struct pattern_compiler *compiler)
{
    const size_t start = compiler->steps_len;
    const bool may_repeat = read_one(compiler);
    struct repetition repetition;
    struct repetition another;
    if (compiler->fails || !may_repeat || !read_repetition(&compiler->rest, &repetition)) {
        return;
    }
    if (!span_is_empty(compiler->rest) && compiler->rest.at[0] == '?') {
        compiler->rest = span_skip(compiler->rest, 1); /* As the flag U. */
    }
    struct span rest = compiler->rest;
    if (repetition.min > REPEAT_MAX || repetition.max > REPEAT_MAX ||
        (repetition.max != UNBOUNDED && repetition.max < repetition.min) ||
        read_repetition(&rest, &another)) {
        compiler->fails = true;
        return;
    }
    repeat(compiler, start, repetition);
}

static void read_sequence(struct pattern_compiler *compiler)
{
    while (!compiler->fails && !span_is_empty(compiler->rest) && compiler->rest.at[0] != '|' &&
           compiler->rest.at[0] != ')') {
        read_repeated(compiler);
    }
}

/* One or the other: split, one, jump behind the other, the other. */
static void read_alternatives(struct pattern_compiler *compiler)
{
    const size_t start = compiler->steps_len;
    read_sequence(compiler);
    while (!compiler->fails && !span_is_empty(compiler->rest) && compiler->rest.at[0] == '|') {
        const size_t len = compiler->steps_len - start;
        compiler->rest = span_skip(compiler->rest, 1);
        insert(compiler, start,
               (struct pattern_step){.op = PATTERN_SPLIT, .to = 1, .or_to = (int16_t)(len + 2)});
        const size_t jump = compiler->steps_len;
        put(compiler, (struct pattern_step){.op = PATTERN_JUMP});
        read_sequence(compiler);
        if (!compiler->fails) {
            compiler->steps[jump].to = (int16_t)(compiler->steps_len - jump);
        }
    }
}

static size_t write_program(const struct pattern_compiler *compiler,
                            struct pattern_program *program)
{
    const size_t steps_size = compiler->steps_len * sizeof(struct pattern_step);
    const size_t classes_size = compiler->classes_len * sizeof(struct pattern_class);
    const size_t ranges_size = compiler->ranges_len * sizeof(struct pattern_range);
    uint8_t *at = (uint8_t *)program->steps;
    program->steps_len = (uint32_t)compiler->steps_len;
    program->classes_len = (uint32_t)compiler->classes_len;
    memcpy(at, compiler->steps, steps_size);
    memcpy(at + steps_size, compiler->classes, classes_size);
    memcpy(at + steps_size + classes_size, compiler->ranges, ranges_size);
    return sizeof(*program) + steps_size + classes_size + ranges_size;
}

/* Behind the compiler is room for a program of all that it may have. */
static_assert(2 * sizeof(struct pattern_compiler) + sizeof(struct pattern_program) <=
                  PATTERN_SCRATCH_LEN,
              "there is room for all of it");

bool pattern_compile(struct span text, void *scratch, struct pattern *out)
{
    struct pattern_compiler *compiler = scratch;
    struct pattern_program *program = (void *)(compiler + 1);
    *out = (struct pattern){0};
    if (text.len > PATTERN_LEN_MAX || !utf8_is_valid(text)) {
        return false;
    }
    memset(compiler, 0, offsetof(struct pattern_compiler, steps));
    compiler->rest = text;
    read_alternatives(compiler);
    put(compiler, (struct pattern_step){.op = PATTERN_MATCH});
    /* A ')' that closes nothing ends it early. */
    if (compiler->fails || !span_is_empty(compiler->rest)) {
        return false;
    }
    out->size = write_program(compiler, program);
    out->program = program;
    return true;
}
