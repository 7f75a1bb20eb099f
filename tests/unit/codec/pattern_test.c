/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions as an operator writes them: what matches, and what is refused. */
#include "codec/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void expressions_match_as_go_means_them(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        const char *text;
        bool matches;
    } rows[] = {
        {"", "", true},
        {"", "anything", true},
        {"b", "abc", true},
        {"^b", "abc", false},
        {"^abc$", "abc", true},
        {"^(a|b)+$", "abba", true},
        {"^(?:a|b){2,3}$", "aba", true},
        {"^(?:a|b){2,3}$", "abab", false},
        {"^(?P<tenant>[a-z]+)\\.example\\.org$", "blue.example.org", true},
        {"^(?P<tenant>[a-z]+)\\.example\\.org$", "blue-example.org", false},
        {"^\\d+$", "0123456789", true},
        {"^\\d+$", "12d", false},
        {"^\\w+\\s\\W$", "a_1 -", true},
        {"^a.*?b$", "a--b", true},
        {"^a+?$", "aaa", true},
        {"^a{1,2}?$", "aa", true},
        {"^[^]]+$", "abc", true},
        {"^[]a]+$", "]a]", true},
        {"^[0-9*+]+$", "1+2*3", true},
        {"^\\(\\[\\{\\?\\*\\+\\|\\^\\$\\\\$", "([{?*+|^$\\", true},
        {".", "\n", false},
        {"a", "a\nb", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pattern pattern;
        if (!pattern_compile(span_of_text(rows[i].expression), &pattern) ||
            pattern_matches(&pattern, span_of_text(rows[i].text)) != rows[i].matches) {
            fail_msg("%s, %s", rows[i].expression, rows[i].text);
        }
        pattern_clear(&pattern);
    }
}

static void what_has_no_counterpart_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "(",    "[",    "[a",     "\\",      "(?i)a", "(?P<name", "(?=a)",  "(?!a)", "(?<n>a)",
        "\\pL", "\\1",  "[\\d]",  "\\`a",    "\\<a",  "*",        "a**",    "+a",    "(*a)",
        "a{1",  "a{,}", "(?P>a)", "[[:x:]]", "a??*",  "\\x41",    "a{2,1}", "?",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pattern pattern;
        if (pattern_compile(span_of_text(rows[i]), &pattern)) {
            fail_msg("%s", rows[i]);
        }
    }
    char large[PATTERN_LEN_MAX + 1];
    memset(large, 'a', sizeof(large));
    struct pattern pattern;
    assert_false(pattern_compile(span_of(large, PATTERN_LEN_MAX + 1), &pattern));
    assert_false(pattern_compile(SPAN_LITERAL("a\0b"), &pattern));
    pattern_clear(&pattern);
}

static void texts_have_a_most(void **state)
{
    (void)state;
    static char large[PATTERN_TEXT_LEN_MAX + 1];
    char longest[PATTERN_LEN_MAX];
    struct pattern pattern;
    memset(large, 'a', sizeof(large));
    assert_true(pattern_compile(SPAN_LITERAL("^a*$"), &pattern));
    assert_true(pattern_matches(&pattern, span_of(large, PATTERN_TEXT_LEN_MAX)));
    assert_false(pattern_matches(&pattern, span_of(large, PATTERN_TEXT_LEN_MAX + 1)));
    assert_false(pattern_matches(&pattern, SPAN_LITERAL("a\0a")));
    assert_true(pattern_matches(&pattern, SPAN_EMPTY));
    pattern_clear(&pattern);
    for (size_t i = 0; i < sizeof(longest); i += 2) {
        memcpy(longest + i, "\\d", 2);
    }
    memset(large, '7', PATTERN_LEN_MAX / 2);
    assert_true(pattern_compile(span_of(longest, sizeof(longest)), &pattern));
    assert_true(pattern_matches(&pattern, span_of(large, PATTERN_LEN_MAX / 2)));
    assert_false(pattern_matches(&pattern, span_of(large, PATTERN_LEN_MAX / 2 - 1)));
    pattern_clear(&pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_match_as_go_means_them),
        cmocka_unit_test(what_has_no_counterpart_is_refused),
        cmocka_unit_test(texts_have_a_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
