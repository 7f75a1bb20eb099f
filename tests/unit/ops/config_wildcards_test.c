/* SPDX-License-Identifier: Apache-2.0 */
/* Options of wildcard channels: what they become, and what of them is at odds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ops/loading.h"

static void test_wildcards_have_options_of_their_own(void **state)
{
    struct loaded *loaded =
        load_text("channel:\n"
                  "  proxy: {subscribe: {endpoint: \"http://127.0.0.1:3000/subscribe\"}}\n"
                  "  without_namespace: {wildcard_max_depth: 1}\n"
                  "  namespaces:\n"
                  "    - name: news\n"
                  "      allow_subscribe_for_anonymous: true\n"
                  "      allow_publish_for_client: true\n"
                  "      presence: true\n"
                  "      delta_publish: true\n"
                  "      allowed_delta_types: [fossil]\n"
                  "      batch_max_delay: 1s\n"
                  "      batch_flush_latest: true\n"
                  "      subscribe_proxy_enabled: true\n"
                  "      wildcard_max_depth: 8\n"
                  "      allow_wildcard_subscribe_for_client: true\n"
                  "    - name: asked\n"
                  "      subscribe_proxy_enabled: true\n"
                  "      wildcard_max_depth: 1\n"
                  "      allow_wildcard_subscribe_by_proxy: true\n"
                  "      allow_wildcard_subscribe_for_anonymous: true\n"
                  "    - name: plain\n");
    const struct node_options *options = &loaded->config.options;
    const struct channel_options *news = options->namespaces[0].wildcard;
    const struct channel_options *asked = options->namespaces[1].wildcard;

    (void)state;
    assert_string_equal(loaded->report.text, "");
    assert_true(options->without_namespace.wildcard->is_wildcard);
    assert_null(options->namespaces[2].wildcard);
    assert_int_equal(options->namespaces[0].wildcard_max_depth, 8);
    assert_string_equal(news->name, "news");
    assert_true(news->is_wildcard && news->presence && news->allow_subscribe_for_client);
    assert_false(news->allow_subscribe_for_anonymous || news->allow_publish_for_client);
    assert_int_equal(news->wildcard_max_depth, 0);
    assert_int_equal(news->allowed_delta_types, 0);
    assert_false(news->delta_publish || news->batch_flush_latest);
    assert_int_equal(news->batch_max_delay_ms, 1000);
    assert_non_null(options->namespaces[0].subscribe_proxy);
    assert_null(news->subscribe_proxy);
    assert_non_null(asked->subscribe_proxy);
    assert_true(asked->allow_subscribe_for_anonymous);
    assert_false(asked->allow_subscribe_for_client);
    unload(loaded);
}

static void test_wildcards_at_odds_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"wildcard_max_depth: 9", "wildcard_max_depth: found \"9\", expected "},
        {"allow_wildcard_subscribe_for_client: true",
         "wildcard_max_depth: found 0, expected a depth, since it is said who may subscribe"},
        {"allow_wildcard_subscribe_for_anonymous: true", "wildcard_max_depth: found 0, "},
        {"allow_wildcard_subscribe_by_proxy: true", "wildcard_max_depth: found 0, "},
        {"wildcard_max_depth: 1, allow_wildcard_subscribe_by_proxy: true",
         "allow_wildcard_subscribe_by_proxy: found true, expected subscribe_proxy_enabled"},
        {"wildcard_max_depth: 1, subscription_type: map, map: {mode: persistent}",
         "wildcard_max_depth: found more than 0, expected 0, since wildcards are for streams"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), "channel: {namespaces: [{name: ns, %s}]}\n",
                       cases[i][0]);
        struct loaded *loaded = load_text(text);
        if (strstr(loaded->report.text, cases[i][1]) == NULL) {
            print_error("expected: %s\nfound: %s\n", cases[i][1], loaded->report.text);
            fail();
        }
        unload(loaded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wildcards_have_options_of_their_own),
        cmocka_unit_test(test_wildcards_at_odds_are_refused),
    };
    return cmocka_run_group_tests_name("config_wildcards", tests, NULL, NULL);
}
