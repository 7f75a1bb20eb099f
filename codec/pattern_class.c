/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of code points as a regular expression writes them: `[a-z]`, `\d`, `[[:alpha:]]`, and
 * single ones behind a backslash. */
#include "codec/pattern_compiler.h"

#include <string.h>

/* ---- ranges ---- */

static struct pattern_class *class_of(struct pattern_compiler *compiler)
{
    return &compiler->classes[compiler->classes_len];
}

void pattern_class_begin(struct pattern_compiler *compiler)
{
    if (compiler->classes_len == PATTERN_CLASSES_MAX) {
        compiler->fails = true;
        compiler->classes_len = 0; /* Whatever is made now is thrown away. */
    }
    *class_of(compiler) = (struct pattern_class){.first_range = (uint16_t)compiler->ranges_len};
}

void pattern_class_negate(struct pattern_compiler *compiler)
{
    class_of(compiler)->is_negated = true;
}

void pattern_class_add_exactly(struct pattern_compiler *compiler, uint32_t low, uint32_t high)
{
    if (compiler->ranges_len == PATTERN_RANGES_MAX) {
        compiler->fails = true;
        return;
    }
    compiler->ranges[compiler->ranges_len++] = (struct pattern_range){low, high};
    class_of(compiler)->ranges_len++;
}

/* The part of a range that is within another, moved. */
static void add_moved(struct pattern_compiler *compiler, struct pattern_range range,
                      struct pattern_range within, int by)
{
    const uint32_t low = range.low > within.low ? range.low : within.low;
    const uint32_t high = range.high < within.high ? range.high : within.high;
    if (low <= high) {
        pattern_class_add_exactly(compiler, (uint32_t)((int)low + by), (uint32_t)((int)high + by));
    }
}

static bool has_letter(struct pattern_range range, uint8_t lower)
{
    const uint32_t upper = lower - 0x20u;
    return (range.low <= lower && lower <= range.high) ||
           (range.low <= upper && upper <= range.high);
}

/* Two letters of ASCII have a third form: the sign of Kelvin, and the long s. */
void pattern_class_add(struct pattern_compiler *compiler, uint32_t low, uint32_t high)
{
    const struct pattern_range range = {low, high};
    pattern_class_add_exactly(compiler, low, high);
    if (!compiler->flags.folds_case) {
        return;
    }
    compiler->fails = compiler->fails || high >= 0x80;
    add_moved(compiler, range, (struct pattern_range){'a', 'z'}, -0x20);
    add_moved(compiler, range, (struct pattern_range){'A', 'Z'}, 0x20);
    if (has_letter(range, 'k')) {
        pattern_class_add_exactly(compiler, 0x212a, 0x212a);
    }
    if (has_letter(range, 's')) {
        pattern_class_add_exactly(compiler, 0x17f, 0x17f);
    }
}

uint16_t pattern_class_end(struct pattern_compiler *compiler)
{
    struct pattern_class *class = class_of(compiler);
    const uint64_t all = class->is_negated ? UINT64_MAX : 0;
    class->ascii[0] = 0;
    class->ascii[1] = 0;
    for (uint32_t i = 0; i < class->ranges_len; i++) {
        const struct pattern_range *range = &compiler->ranges[class->first_range + i];
        for (uint32_t at = range->low; at <= range->high && at < 0x80; at++) {
            class->ascii[at / 64] |= 1ull << (at % 64);
        }
    }
    class->ascii[0] ^= all;
    class->ascii[1] ^= all;
    return (uint16_t)compiler->classes_len++;
}

/* ---- groups ---- */

/* In the order of their code points. */
struct group {
    const char *name;
    struct pattern_range ranges[4];
    size_t len;
};

static const struct group escaped_groups[] = {
    {"d", {{'0', '9'}}, 1},
    {"s", {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}, 3},
    {"w", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
};

static const struct group named_groups[] = {
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}, 3},
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}, 2},
    {"ascii", {{0, 0x7f}}, 1},
    {"blank", {{'\t', '\t'}, {' ', ' '}}, 2},
    {"cntrl", {{0, 0x1f}, {0x7f, 0x7f}}, 2},
    {"digit", {{'0', '9'}}, 1},
    {"graph", {{'!', '~'}}, 1},
    {"lower", {{'a', 'z'}}, 1},
    {"print", {{' ', '~'}}, 1},
    {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}, 4},
    {"space", {{'\t', '\r'}, {' ', ' '}}, 2},
    {"upper", {{'A', 'Z'}}, 1},
    {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}, 3},
};

static void add_group(struct pattern_compiler *compiler, const struct group *group, bool is_negated)
{
    uint32_t next = 0;
    /* What is not in a group without regard to case is not what is not in it, and so on. */
    compiler->fails = compiler->fails || (is_negated && compiler->flags.folds_case);
    for (size_t i = 0; i < group->len; i++) {
        const struct pattern_range range = group->ranges[i];
        if (!is_negated) {
            pattern_class_add(compiler, range.low, range.high);
        } else if (range.low > next) {
            pattern_class_add_exactly(compiler, next, range.low - 1);
        }
        next = range.high + 1;
    }
    if (is_negated) {
        pattern_class_add_exactly(compiler, next, PATTERN_CODE_POINT_MAX);
    }
}

bool pattern_class_read_group(struct pattern_compiler *compiler)
{
    const struct span rest = compiler->rest;
    for (size_t i = 0; rest.len >= 2 && i < 3; i++) {
        const uint8_t name = (uint8_t)escaped_groups[i].name[0];
        if (rest.at[0] == '\\' && (rest.at[1] == name || rest.at[1] == name - 0x20)) {
            add_group(compiler, &escaped_groups[i], rest.at[1] != name);
            compiler->rest = span_skip(rest, 2);
            return true;
        }
    }
    return false;
}

/* `[:alpha:]`, `[:^alpha:]`; without its end it is a text. */
static bool read_named_group(struct pattern_compiler *compiler)
{
    const struct span rest = compiler->rest;
    if (!span_starts_with(rest, SPAN_LITERAL("[:"))) {
        return false;
    }
    struct span name = span_skip(rest, 2);
    size_t len = 0;
    while (len + 1 < name.len && !(name.at[len] == ':' && name.at[len + 1] == ']')) {
        len++;
    }
    if (len + 1 >= name.len) {
        return false;
    }
    compiler->rest = span_skip(name, len + 2);
    const bool is_negated = len > 0 && name.at[0] == '^';
    name = span_of(name.at + is_negated, len - is_negated);
    for (size_t i = 0; i < sizeof(named_groups) / sizeof(named_groups[0]); i++) {
        if (span_equal(name, span_of_text(named_groups[i].name))) {
            add_group(compiler, &named_groups[i], is_negated);
            return true;
        }
    }
    compiler->fails = true;
    return true;
}

/* ---- single ones ---- */

static uint8_t take(struct pattern_compiler *compiler)
{
    if (span_is_empty(compiler->rest)) {
        compiler->fails = true;
        return 0;
    }
    const uint8_t byte = compiler->rest.at[0];
    compiler->rest = span_skip(compiler->rest, 1);
    return byte;
}

static uint32_t digit_of(uint8_t byte)
{
    const uint8_t lower = byte | 0x20;
    return byte >= '0' && byte <= '9'     ? byte - (uint32_t)'0'
           : lower >= 'a' && lower <= 'f' ? lower - (uint32_t)'a' + 10
                                          : 16;
}

/* Behind "\x": two digits, or any number of them in braces. */
static uint32_t read_hexadecimal(struct pattern_compiler *compiler)
{
    uint32_t code_point = 0;
    uint8_t byte = take(compiler);
    const bool is_braced = byte == '{';
    uint32_t len = 0;
    byte = is_braced ? take(compiler) : byte;
    while (!compiler->fails && digit_of(byte) < 16) {
        code_point = code_point * 16 + digit_of(byte);
        compiler->fails = code_point > PATTERN_CODE_POINT_MAX;
        len++;
        if (!is_braced && len == 2) {
            return code_point;
        }
        byte = take(compiler);
    }
    compiler->fails = compiler->fails || !is_braced || byte != '}' || len == 0;
    return code_point;
}

/* `\0`, `\012`; a single digit that is none would be what a group matched. */
static uint32_t read_octal(struct pattern_compiler *compiler, uint8_t first)
{
    uint32_t code_point = first - (uint32_t)'0';
    uint32_t len = 1;
    while (len < 3 && !span_is_empty(compiler->rest) && compiler->rest.at[0] >= '0' &&
           compiler->rest.at[0] <= '7') {
        code_point = code_point * 8 + (take(compiler) - (uint32_t)'0');
        len++;
    }
    compiler->fails = compiler->fails || (first != '0' && len == 1);
    return code_point;
}

uint32_t pattern_read_escaped(struct pattern_compiler *compiler)
{
    static const char letters[] = "aftnrv";
    static const uint8_t meanings[] = {'\a', '\f', '\t', '\n', '\r', '\v'};
    (void)take(compiler);
    const uint8_t byte = take(compiler);
    const char *letter = byte == 0 ? NULL : strchr(letters, byte);
    if (letter != NULL) {
        return meanings[letter - letters];
    }
    if (byte == 'x') {
        return read_hexadecimal(compiler);
    }
    if (byte >= '0' && byte <= '7') {
        return read_octal(compiler, byte);
    }
    compiler->fails = compiler->fails || byte >= 0x80 || (pattern_is_word(byte) && byte != '_');
    return byte;
}

static uint32_t read_single(struct pattern_compiler *compiler)
{
    if (span_is_empty(compiler->rest)) {
        compiler->fails = true;
        return 0;
    }
    return compiler->rest.at[0] == '\\' ? pattern_read_escaped(compiler)
                                        : pattern_take_code_point(&compiler->rest);
}

static void read_range(struct pattern_compiler *compiler)
{
    const uint32_t low = read_single(compiler);
    const struct span rest = compiler->rest;
    uint32_t high = low;
    if (rest.len >= 2 && rest.at[0] == '-' && rest.at[1] != ']') {
        compiler->rest = span_skip(rest, 1);
        high = read_single(compiler);
    }
    compiler->fails = compiler->fails || high < low;
    if (!compiler->fails) {
        pattern_class_add(compiler, low, high);
    }
}

void pattern_class_read(struct pattern_compiler *compiler)
{
    pattern_class_begin(compiler);
    compiler->rest = span_skip(compiler->rest, 1);
    if (!span_is_empty(compiler->rest) && compiler->rest.at[0] == '^') {
        pattern_class_negate(compiler);
        compiler->rest = span_skip(compiler->rest, 1);
    }
    bool is_first = true; /* A ']' there is one of the class. */
    while (!compiler->fails && !span_is_empty(compiler->rest) &&
           (compiler->rest.at[0] != ']' || is_first)) {
        if (!read_named_group(compiler) && !pattern_class_read_group(compiler)) {
            read_range(compiler);
        }
        is_first = false;
    }
    (void)take(compiler);
}
