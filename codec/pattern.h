/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions of a configuration, as Go writes them, by the C library's matcher. */
#ifndef ROOST_CODEC_PATTERN_H
#define ROOST_CODEC_PATTERN_H

#include "codec/must_check.h"
#include "codec/span.h"

#include <regex.h>
#include <stdbool.h>

/* A longer expression is refused, a longer text matches nothing. */
#define PATTERN_LEN_MAX 512
#define PATTERN_TEXT_LEN_MAX 2048

/* A compiled expression. The C library takes memory from the heap for it, and a lock that only its
 * owner ever takes: each thread has its own. */
struct pattern {
    bool is_set;
    regex_t regex;
};

/*
 * What RE2 and POSIX share, in RE2's syntax: `.` `*` `+` `?` `{2,5}` `|` `^` `$` `[a-z]` `( )`
 * `(?: )` `(?P<name> )` `\d` `\w` `\s` `\b` and escaped punctuation. False: it is wrong, too
 * long, or asks for more (flags, `\pL`, a backslash in brackets).
 */
CODEC_MUST_CHECK bool pattern_compile(struct span text, struct pattern *out);

/* Of one that is not set nothing happens. */
void pattern_clear(struct pattern *pattern);

/*
 * Does the expression match anywhere in the text? One with a line break or a zero byte is matched
 * by nothing. */
bool pattern_matches(const struct pattern *pattern, struct span text);

#endif
