/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions as an operator writes them: what matches, and what is refused. */
#include "codec/pattern.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static alignas(max_align_t) uint8_t scratch[PATTERN_SCRATCH_LEN];

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
    const char *expression;
    const char *text;
    bool matches;
} matching_rows[] = {
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
    {"a", "a\nb", true},
    {"^a$", "a\n", false},
    {"(?m)^b$", "a\nb", true},
    {"(?s)a.b", "a\nb", true},
    {"^[^a]$", "\n", true},
    {"^[\\w-]+$", "a-b_9", true},
    {"^[\\w-]+$", "a.b", false},
    {"^[\\d\\-\\]]+$", "1-]", true},
    {"^[^\\W_]+$", "a_b", false},
    {"^[[:alpha:]]+$", "aZ", true},
    {"^[[:^alpha:]]+$", "aZ", false},
    {"^[a-]+$", "a-", true},
    {"(?i)^chat-[a-c]$", "ChAt-B", true},
    {"(?i)^k$", "\xe2\x84\xaa", true},
    {"(?i:a)b", "AB", false},
    {"^((?i)a)b$", "Ab", true},
    {"(?<m>a)", "a", true},
    {"^.{2}$", "\xd1\x91\xd0\xba", true},
    {"^[\xd0\xb0-\xd1\x8f]+$", "\xd0\xb1\xd1\x8e", true},
    {"^[\xd0\xb0-\xd1\x8f]+$", "\xd1\x91", false},
    {"^\\x{1F600}$", "\xf0\x9f\x98\x80", true},
    {"^\\x41\\101$", "AA", true},
    {"^a{0}b{,2}$", "b{,2}", true},
    {"^(|a)*$", "aa", true},
    {"^(a*)*b$", "aaab", true},
    {"(a|b)*?c", "abc", true},
    {"\\bfoo\\b", "a foo.", true},
    {"\\bfoo\\b", "afoo", false},
    {"o\\Bo", "foo", true},
    {"\\Aa\\z", "a", true},
    {"^\\Qa.b\\E$", "axb", false},
    {"a", "a\xff", false},
};

static void expressions_match_as_go_means_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(matching_rows); i++) {
        struct pattern pattern;
        if (!pattern_compile(span_of_text(matching_rows[i].expression), scratch, &pattern) ||
            pattern_matches(&pattern, span_of_text(matching_rows[i].text)) !=
                matching_rows[i].matches) {
            fail_msg("%s, %s", matching_rows[i].expression, matching_rows[i].text);
        }
    }
}

static void what_is_wrong_or_asks_for_more_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "(",      ")",        "[",      "[a",           "\\",     "(?P<name", "(?=a)",   "(?!a)",
        "(?<=a)", "(?<n a>)", "(?z)",   "(?i-)",        "\\pL",   "\\C",      "\\1",     "\\8",
        "\\e",    "\\x4",     "\\x{}",  "\\x{110000}",  "[b-a]",  "[a-\\d]",  "[[:x:]]", "*",
        "a**",    "+a",       "(*a)",   "a|*",          "a{2,1}", "a{1001}",  "a{2}{2}", "a??*",
        "?",      "{2}",      "(?P>a)", "(?i)\xc3\xa9", "a\xff",  "a(?i)*",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pattern pattern;
        if (pattern_compile(span_of_text(rows[i]), scratch, &pattern)) {
            fail_msg("%s", rows[i]);
        }
    }
    char large[PATTERN_LEN_MAX + 1];
    memset(large, 'a', sizeof(large));
    struct pattern pattern;
    assert_false(pattern_compile(span_of(large, PATTERN_LEN_MAX + 1), scratch, &pattern));
}

static void texts_have_a_most(void **state)
{
    (void)state;
    static char large[PATTERN_TEXT_LEN_MAX + 1];
    char longest[PATTERN_LEN_MAX];
    struct pattern pattern;
    memset(large, 'a', sizeof(large));
    assert_true(pattern_compile(SPAN_LITERAL("^a*$"), scratch, &pattern));
    assert_true(pattern_matches(&pattern, span_of(large, PATTERN_TEXT_LEN_MAX)));
    assert_false(pattern_matches(&pattern, span_of(large, PATTERN_TEXT_LEN_MAX + 1)));
    assert_true(pattern_matches(&pattern, SPAN_EMPTY));
    for (size_t i = 0; i < sizeof(longest); i += 2) {
        memcpy(longest + i, "\\d", 2);
    }
    memset(large, '7', PATTERN_LEN_MAX / 2);
    assert_true(pattern_compile(span_of(longest, sizeof(longest)), scratch, &pattern));
    assert_true(pattern_matches(&pattern, span_of(large, PATTERN_LEN_MAX / 2)));
    assert_false(pattern_matches(&pattern, span_of(large, PATTERN_LEN_MAX / 2 - 1)));
}

/* What would take other matchers a time, or a memory, that doubles with each character. */
static void no_text_takes_long(void **state)
{
    (void)state;
    static const char *const rows[] = {"^(a+)+$", "^(a|a)*$", "(a*)*(a*)*(a*)*b", "(.*a){20}c",
                                       ".*a.{200}b"};
    char text[255];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '!';
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pattern pattern;
        assert_true(pattern_compile(span_of_text(rows[i]), scratch, &pattern));
        assert_false(pattern_matches(&pattern, span_of(text, sizeof(text))));
    }
}

static void repetitions_of_repetitions_have_a_most(void **state)
{
    (void)state;
    static const struct {
        const char *expression;
        bool is_good;
    } rows[] = {
        {"[a-z]{1,1000}", true},
        {"(a{100}){20}", true},
        {"(a{100}){21}", false},
        {"a{1000}a{1000}a{48}", false},
        {"a{1000}a{1000}a{47}", true},
        {"((a{1000}){1000}){1000}", false},
        {"(){1000}", true},
        {"((){1000}){1000}", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pattern pattern;
        if (pattern_compile(span_of_text(rows[i].expression), scratch, &pattern) !=
            rows[i].is_good) {
            fail_msg("%s", rows[i].expression);
        }
    }
    char deep[2 * 65 + 1];
    struct pattern pattern;
    memset(deep, '(', 65);
    memset(deep + 65, ')', 65);
    assert_false(pattern_compile(span_of(deep, 2 * 65), scratch, &pattern));
    assert_true(pattern_compile(span_of(deep + 1, 2 * 64), scratch, &pattern));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_match_as_go_means_them),
        cmocka_unit_test(what_is_wrong_or_asks_for_more_is_refused),
        cmocka_unit_test(texts_have_a_most),
        cmocka_unit_test(no_text_takes_long),
        cmocka_unit_test(repetitions_of_repetitions_have_a_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
