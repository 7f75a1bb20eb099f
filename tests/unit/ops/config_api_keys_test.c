/* SPDX-License-Identifier: Apache-2.0 */
/* Several keys of the server API: what each may do, and what leaves none wider than it was meant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/api.h"
#include "tests/unit/ops/loading.h"

static void keys_are_read(void **state)
{
    (void)state;
    struct loaded *loaded = load_text("channel: {namespaces: [{name: chat}, {name: news}]}\n"
                                      "http_api:\n"
                                      "  key: the-main-key\n"
                                      "  keys:\n"
                                      "    - {key: first-key, methods: [publish, broadcast]}\n"
                                      "    - {key: second-key, namespaces: [chat, \"\"]}\n"
                                      "    - {key: third-key}\n");
    const struct http_api_options *options = &loaded->config.options.http_api;
    assert_int_equal(loaded->report.errors, 0);
    assert_int_equal(options->keys_len, 3);
    assert_string_equal(options->keys[0].key, "first-key");
    assert_int_equal(options->keys[0].methods,
                     1u << API_METHOD_PUBLISH | 1u << API_METHOD_BROADCAST);
    assert_int_equal(options->keys[0].namespaces_len, 0);
    assert_int_equal(options->keys[1].methods, 0);
    assert_int_equal(options->keys[1].namespaces_len, 2);
    assert_string_equal(options->keys[1].namespaces[0], "chat");
    assert_string_equal(options->keys[1].namespaces[1], "");
    char *printed = print_check(loaded);
    assert_null(strstr(printed, "first-key"));
    free(printed);
    unload(loaded);
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "keys: {a: b}",
        "keys: [first-key]",
        "keys: [{}]",
        "keys: [{key: short}]",
        "keys: [{key: [1]}]",
        "keys: [{key: first-key}, {key: first-key}]",
        "keys: [{key: first-key, methods: []}]",
        "keys: [{key: first-key, methods: publish}]",
        "keys: [{key: first-key, methods: [Publish]}]",
        "keys: [{key: first-key, methods: [batch]}]",
        "keys: [{key: first-key, method: [publish]}]",
        "keys: [{key: first-key, namespaces: []}]",
        "keys: [{key: first-key, namespaces: [nowhere]}]",
        "keys: [{key: first-key, namespaces: [[chat]]}]",
        "keys: [{key: first-key, namespaces: [chat], methods: [info]}]",
        "key: first-key\n  keys: [{key: first-key}]",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text), "channel: {namespaces: [{name: chat}]}\nhttp_api:\n  %s\n",
                 rows[i]);
        struct loaded *loaded = load_text(text);
        if (loaded->report.errors == 0 || strstr(loaded->report.text, "http_api.keys") == NULL ||
            strstr(loaded->report.text, "first-key") != NULL) {
            fail_msg("%s: %s", rows[i], loaded->report.text);
        }
        unload(loaded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_read),
        cmocka_unit_test(what_is_wrong_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
