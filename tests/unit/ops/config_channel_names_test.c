/* SPDX-License-Identifier: Apache-2.0 */
/* channel_regex: which names it makes of which namespace, and what is wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "codec/pattern.h"
#include "tests/unit/ops/loading.h"

static void test_each_namespace_has_its_own(void **state)
{
    struct loaded *loaded = load_text("channel:\n"
                                      "  without_namespace: {channel_regex: \"^a+$\"}\n"
                                      "  namespaces:\n"
                                      "    - {name: one, channel_regex: '^b\\d$'}\n"
                                      "    - {name: two, channel_regex: \"\"}\n"
                                      "    - {name: three, channel_regex: '(?i)^c[\\w-]*$',\n"
                                      "       wildcard_max_depth: 1}\n");
    const struct node_options *options = &loaded->config.options;
    const struct channel_options *namespaces = options->namespaces;

    (void)state;
    assert_string_equal(loaded->report.text, "");
    assert_true(pattern_matches(options->without_namespace.channel_pattern, SPAN_LITERAL("aa")));
    assert_false(pattern_matches(options->without_namespace.channel_pattern, SPAN_LITERAL("b1")));
    assert_true(pattern_matches(namespaces[0].channel_pattern, SPAN_LITERAL("b1")));
    assert_null(namespaces[1].channel_pattern);
    assert_true(pattern_matches(namespaces[2].channel_pattern, SPAN_LITERAL("C-c")));
    /* A wildcard is no name. */
    assert_null(namespaces[2].wildcard->channel_pattern);
    unload(loaded);
}

static void test_a_wrong_one_is_refused_where_it_stands(void **state)
{
    (void)state;
    expect_report("channel: {without_namespace: {channel_regex: \"^(a\"}}\n",
                  "roost.yaml:1:46: channel.without_namespace.channel_regex: found no regular "
                  "expression, expected one in Go's syntax, without \\p\n");
    expect_report("channel:\n"
                  "  namespaces:\n"
                  "    - {name: good, channel_regex: '^a$'}\n"
                  "    - {name: bad, channel_regex: '\\pL'}\n"
                  "    - {name: large, channel_regex: '(a{1000}){1000}'}\n",
                  "roost.yaml:4:34: channel.namespaces.bad.channel_regex: found no regular "
                  "expression, expected one in Go's syntax, without \\p\n"
                  "roost.yaml:5:36: channel.namespaces.large.channel_regex: found no regular "
                  "expression, expected one in Go's syntax, without \\p\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_namespace_has_its_own),
        cmocka_unit_test(test_a_wrong_one_is_refused_where_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
