/* SPDX-License-Identifier: Apache-2.0 */
/* Rewrites RE2's syntax into POSIX's extended one where they differ, and refuses what has no
 * counterpart there: nothing is matched otherwise than it was meant. */
#include "codec/pattern.h"

#include "codec/writer.h"

#include <ctype.h>

/* `\d` is the longest: three bytes more than it was. */
enum { TRANSLATED_SIZE = PATTERN_LEN_MAX * 3 + 1 };

struct translation {
    struct span rest;
    struct writer out;
    bool is_good;
    bool may_repeat; /* The last element is one that can be repeated. */
    bool is_repeated;
};

/* Behind a backslash: a class, or a punctuation mark that means itself. */
static void translate_escape(struct translation *translation)
{
    const struct span escape = span_of(translation->rest.at, translation->rest.len < 2 ? 0 : 2);
    if (escape.len == 0) {
        translation->is_good = false;
        return;
    }
    if (escape.at[1] == 'd') {
        writer_put(&translation->out, SPAN_LITERAL("[0-9]"));
    } else if (memchr("wWsSbB", escape.at[1], 6) != NULL || ispunct(escape.at[1])) {
        /* POSIX would give these another meaning. */
        translation->is_good = memchr("<>`'", escape.at[1], 4) == NULL;
        writer_put(&translation->out, escape);
    } else {
        translation->is_good = false;
    }
    translation->rest = span_skip(translation->rest, 2);
}

/* `[...]` stays as it is, unless it needs an escape. */
static void translate_class(struct translation *translation)
{
    const struct span rest = translation->rest;
    size_t at = 1;
    at += at < rest.len && rest.at[at] == '^';
    at += at < rest.len && rest.at[at] == ']';
    while (at < rest.len && rest.at[at] != ']') {
        if (rest.at[at] == '\\' || rest.at[at] == '[') {
            translation->is_good = false;
            return;
        }
        at++;
    }
    translation->is_good = at < rest.len;
    if (translation->is_good) {
        writer_put(&translation->out, span_of(rest.at, at + 1));
        translation->rest = span_skip(rest, at + 1);
    }
}

/* `(?:` and `(?P<name>` are groups; the other extensions are flags. */
static void translate_group(struct translation *translation)
{
    const struct span rest = translation->rest;
    size_t len = 1;
    if (span_starts_with(rest, SPAN_LITERAL("(?:"))) {
        len = 3;
    } else if (span_starts_with(rest, SPAN_LITERAL("(?P<"))) {
        const size_t end = span_index_of(rest, '>');
        translation->is_good = end < rest.len;
        len = end < rest.len ? end + 1 : rest.len;
    } else if (span_starts_with(rest, SPAN_LITERAL("(?"))) {
        translation->is_good = false;
    }
    writer_put(&translation->out, SPAN_LITERAL("("));
    translation->rest = span_skip(rest, len);
}

static void translate_one(struct translation *translation)
{
    const uint8_t byte = translation->rest.at[0];
    const bool is_repetition = byte == '*' || byte == '+' || byte == '?' || byte == '{';
    if (byte == '?' && translation->is_repeated) {
        /* How much is taken at first changes nothing about whether there is a match. */
        translation->is_repeated = false;
        translation->rest = span_skip(translation->rest, 1);
        return;
    }
    if (is_repetition && !translation->may_repeat) {
        translation->is_good = false;
        return;
    }
    translation->is_repeated = is_repetition;
    translation->may_repeat = !is_repetition && byte != '(' && byte != '|' && byte != '^';
    if (byte == '\\') {
        translate_escape(translation);
    } else if (byte == '[') {
        translate_class(translation);
    } else if (byte == '(') {
        translate_group(translation);
    } else {
        const bool is_count = byte == '{';
        const size_t end = is_count ? span_index_of(translation->rest, '}') + 1 : 1;
        translation->is_good = byte != 0 && end <= translation->rest.len &&
                               (!is_count || isdigit(translation->rest.at[1]));
        if (translation->is_good) {
            writer_put(&translation->out, span_of(translation->rest.at, end));
            translation->rest = span_skip(translation->rest, end);
        }
    }
}

bool pattern_compile(struct span text, struct pattern *out)
{
    char translated[TRANSLATED_SIZE];
    struct translation translation = {.rest = text,
                                      .out = writer_of(translated, sizeof(translated) - 1),
                                      .is_good = true};
    out->is_set = false;
    if (text.len > PATTERN_LEN_MAX) {
        return false;
    }
    while (translation.is_good && translation.rest.len > 0) {
        translate_one(&translation);
    }
    if (!translation.is_good || writer_is_overflown(&translation.out)) {
        return false;
    }
    translated[writer_written_len(&translation.out)] = '\0';
    out->is_set = regcomp(&out->regex, translated, REG_EXTENDED | REG_NOSUB) == 0;
    return out->is_set;
}

void pattern_clear(struct pattern *pattern)
{
    if (pattern->is_set) {
        regfree(&pattern->regex);
        pattern->is_set = false;
    }
}

bool pattern_matches(const struct pattern *pattern, struct span text)
{
    char copy[PATTERN_TEXT_LEN_MAX + 1];
    if (text.len > PATTERN_TEXT_LEN_MAX || span_index_of(text, 0) < text.len ||
        span_index_of(text, '\n') < text.len) {
        return false;
    }
    if (text.len > 0) {
        memcpy(copy, text.at, text.len);
    }
    copy[text.len] = '\0';
    return regexec(&pattern->regex, copy, 0, NULL, 0) == 0;
}
