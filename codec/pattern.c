/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a pattern's automaton: the set of steps at which it may be, from one code point to the next.
 */
#include "codec/pattern.h"

#include "codec/pattern_program.h"
#include "codec/utf8.h"

#include <assert.h>
#include <string.h>

/* What stands before the first code point and behind the last. */
#define NOTHING UINT32_MAX

static_assert(PATTERN_TEXT_LEN_MAX + 1 < UINT16_MAX, "each place in a text has a mark of its own");

struct run {
    const struct pattern_program *program;
    uint32_t before;
    uint32_t behind;
    bool has_matched;
    uint16_t mark; /* Of this place in the text. */
    uint32_t len;
    uint16_t *steps;                  /* Where it may be, all of them PATTERN_CLASS. */
    uint16_t seen[PATTERN_STEPS_MAX]; /* The mark of the place where a step was met last. */
    uint16_t lists[2][PATTERN_STEPS_MAX];
    uint16_t stack[2 * PATTERN_STEPS_MAX + 1];
};

static bool has_code_point(const struct pattern_program *program, uint32_t class_index,
                           uint32_t code_point)
{
    const struct pattern_class *class = &pattern_classes_of(program)[class_index];
    if (code_point < 0x80) {
        return (class->ascii[code_point / 64] >> (code_point % 64) & 1) != 0;
    }
    for (uint32_t i = 0; i < class->ranges_len; i++) {
        const struct pattern_range *range = &pattern_ranges_of(program)[class->first_range + i];
        if (code_point >= range->low && code_point <= range->high) {
            return !class->is_negated;
        }
    }
    return class->is_negated;
}

static bool is_word_edge(const struct run *run)
{
    return pattern_is_word(run->before) != pattern_is_word(run->behind);
}

/* Does a step that takes nothing let by, here? */
static bool lets_by(const struct run *run, enum pattern_op op)
{
    switch (op) {
    case PATTERN_TEXT_BEGIN:
        return run->before == NOTHING;
    case PATTERN_TEXT_END:
        return run->behind == NOTHING;
    case PATTERN_LINE_BEGIN:
        return run->before == NOTHING || run->before == '\n';
    case PATTERN_LINE_END:
        return run->behind == NOTHING || run->behind == '\n';
    case PATTERN_WORD_EDGE:
        return is_word_edge(run);
    case PATTERN_NO_WORD_EDGE:
        return !is_word_edge(run);
    case PATTERN_CLASS:
    case PATTERN_JUMP:
    case PATTERN_SPLIT:
    case PATTERN_MATCH:
        break;
    }
    return false;
}

/* Adds all steps that can be reached from one without taking anything. Each is met once a place,
 * and puts two on the stack at most. */
static void follow(struct run *run, uint32_t first)
{
    uint32_t waiting = 0;
    run->stack[waiting++] = (uint16_t)first;
    while (waiting > 0) {
        const uint16_t at = run->stack[--waiting];
        const struct pattern_step *step = &run->program->steps[at];
        if (run->seen[at] == run->mark) {
            continue;
        }
        run->seen[at] = run->mark;
        if (step->op == PATTERN_CLASS) {
            run->steps[run->len++] = at;
        } else if (step->op == PATTERN_MATCH) {
            run->has_matched = true;
        } else if (step->op == PATTERN_JUMP || step->op == PATTERN_SPLIT) {
            run->stack[waiting++] = (uint16_t)(at + step->to);
            if (step->op == PATTERN_SPLIT) {
                run->stack[waiting++] = (uint16_t)(at + step->or_to);
            }
        } else if (lets_by(run, (enum pattern_op)step->op)) {
            run->stack[waiting++] = (uint16_t)(at + 1);
        }
    }
}

static uint32_t peek(struct span text)
{
    return span_is_empty(text) ? NOTHING : pattern_take_code_point(&text);
}

bool pattern_matches(const struct pattern *pattern, struct span text)
{
    struct run run;
    if (text.len > PATTERN_TEXT_LEN_MAX || !utf8_is_valid(text)) {
        return false;
    }
    run.program = pattern->program;
    run.has_matched = false;
    run.before = NOTHING;
    run.behind = peek(text);
    run.mark = 1;
    run.len = 0;
    run.steps = run.lists[0];
    memset(run.seen, 0, run.program->steps_len * sizeof(run.seen[0]));
    follow(&run, 0);
    while (!run.has_matched && !span_is_empty(text)) {
        const uint16_t *steps = run.steps;
        const uint32_t len = run.len;
        run.before = pattern_take_code_point(&text);
        run.behind = peek(text);
        run.mark++;
        run.len = 0;
        run.steps = run.steps == run.lists[0] ? run.lists[1] : run.lists[0];
        for (uint32_t i = 0; i < len; i++) {
            if (has_code_point(run.program, run.program->steps[steps[i]].class_index, run.before)) {
                follow(&run, steps[i] + 1u);
            }
        }
        follow(&run, 0); /* A match may begin anywhere. */
    }
    return run.has_matched;
}
