/* SPDX-License-Identifier: Apache-2.0 */
/* Files that mean harm or are damaged: refused with their place, within bounds, and never worse. */
#include "ops/config/config_yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ops/loading.h"

static void test_what_is_no_plain_tree_is_refused(void **state)
{
    static const char decorated[] = "found an anchor, an alias or a tag, expected a plain value\n";
    static const struct {
        const char *text;
        const char *place;
        const char *message;
    } cases[] = {
        {"client: &a {insecure: true}\nchannel: *a\n", "1:9", decorated},
        {"client: *unknown\n", "1:9", decorated},
        {"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", "1:4", decorated},
        {"client: !!map {insecure: true}\n", "1:9", decorated},
        {"http_server: {port: !include x}\n", "1:21", decorated},
        {"? [a, b]\n: 1\n", "1:3", "found a list, expected a key\n"},
        {"\"\": 1\n", "1:1", "found \"\", expected a key\n"},
        {"log: {level: info}\nclient: {}\nlog: {}\n", "3:1",
         "found the key \"log\" again, it stands in line 1 already\n"},
        {"client: {insecure: false, insecure: 1}\n", "1:27",
         "found the key \"insecure\" again, it stands in line 1 already\n"},
        {"log: {level: info}\n---\nlog: {level: warn}\n", "2:1",
         "found a second document, expected one in a file\n"},
        {"log: {level: \"a\\0b\"}\n", "1:14", "found a NUL byte in a text\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[256];

        snprintf(expected, sizeof(expected), "roost.yaml:%s: %s", cases[i].place, cases[i].message);
        expect_report(cases[i].text, expected);
    }
}

static void expect_one_error(const char *text, size_t len, const char *part)
{
    struct loaded *loaded = load_text("");

    config_read_bytes(&loaded->config, "roost.yaml", text, len, &loaded->report);
    assert_int_equal(loaded->report.errors, 1);
    if (strstr(loaded->report.text, part) == NULL) {
        fail_msg("%s has no \"%s\"", loaded->report.text, part);
    }
    unload(loaded);
}

static void test_damage_is_placed(void **state)
{
    (void)state;
    expect_one_error("client: {", 9, "this is no YAML or JSON");
    expect_one_error("a: b: c\n", 8, "roost.yaml:1:5: this is no YAML or JSON");
    expect_one_error("client:\n\tinsecure: true\n", 24, "roost.yaml:2:1: this is no YAML or JSON");
    expect_one_error("{\"a\": 1,,}", 10, "roost.yaml:1:9: this is no YAML or JSON");
    expect_one_error("log: \xff\xff\n", 8, "byte 5 is no text");
    expect_one_error("log: \x01\n", 7, "byte 5 is no text");
    expect_one_error("log: a\0b\n", 9, "is no text");
}

static void test_depth_is_bounded(void **state)
{
    char text[4 * CONFIG_YAML_DEPTH_MAX] = "";

    (void)state;
    memset(text, '[', CONFIG_YAML_DEPTH_MAX + 1);
    memset(text + CONFIG_YAML_DEPTH_MAX + 1, ']', CONFIG_YAML_DEPTH_MAX + 1);
    expect_one_error(text, strlen(text), "found more than 16 levels of nesting");
    /* One level less is a matter of what stands there. */
    memset(text, 0, sizeof(text));
    memset(text, '[', CONFIG_YAML_DEPTH_MAX);
    memset(text + CONFIG_YAML_DEPTH_MAX, ']', CONFIG_YAML_DEPTH_MAX);
    expect_one_error(text, strlen(text), "found a list, expected a section");
}

/* The head, then so often what comes before and after a number, then the tail. */
static char *repeat(const char *head, const char *const around[2], size_t times, const char *tail)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    fputs(head, out);
    for (size_t i = 0; i < times; i++) {
        fprintf(out, "%s%zu%s", around[0], i, around[1]);
    }
    fputs(tail, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void test_counts_are_bounded(void **state)
{
    char *members =
        repeat("{", (const char *const[]){"k", ": 1, "}, CONFIG_YAML_MEMBERS_MAX + 1, "}");
    char *nodes =
        repeat("proxies: [", (const char *const[]){"a", ", "}, CONFIG_YAML_NODES_MAX, "]");
    struct loaded *loaded = load_text(members);

    (void)state;
    assert_non_null(strstr(loaded->report.text, "found more than 1024 keys in one section"));
    unload(loaded);
    expect_one_error(nodes, strlen(nodes), "found more than 32768 values in one file");
    free(members);
    free(nodes);
}

static void test_size_is_bounded(void **state)
{
    size_t len = CONFIG_FILE_BYTES_MAX;
    char *text = malloc(len + 1);

    (void)state;
    assert_non_null(text);
    memset(text, '\n', len + 1);
    struct loaded *loaded = load_text("");

    config_read_bytes(&loaded->config, "roost.yaml", text, len, &loaded->report);
    assert_int_equal(loaded->report.errors, 0);
    unload(loaded);
    expect_one_error(text, len + 1, "found 1048577 bytes, expected at most 1048576");
    free(text);
}

static void test_too_many_namespaces(void **state)
{
    char *text = repeat("channel: {namespaces: [", (const char *const[]){"{name: n", "}, "},
                        CONFIG_NAMESPACES_MAX + 1, "]}");

    (void)state;
    expect_one_error(text, strlen(text), "channel.namespaces: found more than 1024");
    free(text);
}

/* A good file with bytes changed, lost and doubled at random: whatever comes of it, it is an
 * answer. */
static void test_mutations_are_survived(void **state)
{
    static const char good[] =
        "http_server: {address: \"::1\", port: 8000}\n"
        "client:\n  allowed_origins: [\"*\"]\n  ping_interval: 1m\n  token: {hmac_secret_key: "
        "\"x\"}\n"
        "channel:\n  without_namespace: {presence: true}\n  namespaces:\n    - name: chat\n"
        "      history_size: 0\n      map: {mode: \"\"}\n"
        "sse: {enabled: false}\nengine: {type: memory, redis: {address: [a]}}\n"
        "usage_stats: {disabled: true}\nproxies: []\n";
    static const char alphabet[] = "{}[]:,-\"'#&*!|>%@` \n\t\\0a1~?\xc3\xa9\xff";
    uint64_t random = 88172645463325252u;
    size_t refused = 0;

    (void)state;
    expect_report(good, "roost.yaml:14:1: note: usage_stats: steers how Centrifugo works, has no "
                        "effect on roost\n");
    for (int round = 0; round < 4000; round++) {
        char text[sizeof(good) + 8];
        size_t len = sizeof(good) - 1;

        memcpy(text, good, len);
        for (int change = 0; change <= round % 4; change++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            size_t where = (size_t)(random >> 8) % len;
            char letter = alphabet[(random >> 40) % (sizeof(alphabet) - 1)];

            if (random % 3 == 0) {
                text[where] = letter;
            } else if (random % 3 == 1) {
                memmove(text + where, text + where + 1, len - where - 1);
                len--;
            } else {
                memmove(text + where + 1, text + where, len - where);
                text[where] = letter;
                len++;
            }
        }
        struct loaded *loaded = load_text("");

        config_read_bytes(&loaded->config, "roost.yaml", text, len, &loaded->report);
        config_finish(&loaded->config, &loaded->report);
        refused += loaded->report.errors > 0;
        /* An error is never without words. */
        assert_int_equal(loaded->report.errors + loaded->report.notes > 0, loaded->report.len > 0);
        unload(loaded);
    }
    assert_true(refused > 1000 && refused < 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_plain_tree_is_refused),
        cmocka_unit_test(test_damage_is_placed),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_counts_are_bounded),
        cmocka_unit_test(test_size_is_bounded),
        cmocka_unit_test(test_too_many_namespaces),
        cmocka_unit_test(test_mutations_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
