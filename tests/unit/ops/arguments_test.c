/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: every way to write a flag, and every way to get it wrong. */
#include "ops/arguments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { WORDS_MAX = 80 };

static char words[WORDS_MAX][64];
static struct arguments arguments;
static struct config_report report;

/* Words between spaces, as the shell would hand them over. */
static void parse(const char *line)
{
    static char program[] = "roostd";
    char *argv[WORDS_MAX + 2] = {program};
    int argc = 1;

    while (*line != '\0') {
        int len = (int)strcspn(line, " ");

        snprintf(words[argc], sizeof(words[0]), "%.*s", len, line);
        argv[argc] = words[argc];
        argc++;
        line += len + (line[len] == ' ');
    }
    config_report_init(&report);
    arguments_parse(argc, argv, &arguments, &report);
}

static void test_flags_are_read(void **state)
{
    (void)state;
    parse("--config a.yaml --dev --check");
    assert_string_equal(report.text, "");
    assert_string_equal(arguments.config_path, "a.yaml");
    assert_true(arguments.dev && arguments.check);
    assert_false(arguments.version || arguments.help || arguments.help_config);
    parse("-c b.yaml -v -h --help-config");
    assert_string_equal(arguments.config_path, "b.yaml");
    assert_true(arguments.version && arguments.help && arguments.help_config && !arguments.dev);
    parse("");
    assert_null(arguments.config_path);
    assert_int_equal(arguments.keys_len, 0);
}

static void test_flags_of_keys(void **state)
{
    static const struct {
        const char *line;
        const char *flag;
        const char *key;
        const char *value;
    } cases[] = {
        {"--shards 4", "--shards", "runtime.shards", "4"},
        {"--shards=4", "--shards", "runtime.shards", "4"},
        {"--port 9000", "--port", "http_server.port", "9000"},
        {"-p 9000", "-p", "http_server.port", "9000"},
        {"--address=::1", "--address", "http_server.address", "::1"},
        {"-a 0.0.0.0", "-a", "http_server.address", "0.0.0.0"},
        {"--log.level debug", "--log.level", "log.level", "debug"},
        {"--log.level=debug", "--log.level", "log.level", "debug"},
        {"--http_api.key=a=b", "--http_api.key", "http_api.key", "a=b"},
        {"--client.insecure", "--client.insecure", "client.insecure", "true"},
        {"--client.insecure=false", "--client.insecure", "client.insecure", "false"},
        {"--address=", "--address", "http_server.address", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        parse(cases[i].line);
        assert_string_equal(report.text, "");
        assert_int_equal(arguments.keys_len, 1);
        assert_string_equal(arguments.keys[0].flag, cases[i].flag);
        assert_string_equal(arguments.keys[0].key, cases[i].key);
        assert_string_equal(arguments.keys[0].value, cases[i].value);
    }
}

static void test_a_switch_takes_no_word_behind_it(void **state)
{
    (void)state;
    parse("--client.insecure --port 1");
    assert_string_equal(report.text, "");
    assert_int_equal(arguments.keys_len, 2);
    assert_string_equal(arguments.keys[1].value, "1");
}

static void test_errors(void **state)
{
    static const struct {
        const char *line;
        const char *report;
    } cases[] = {
        {"--prot 1", "unknown flag \"--prot\", expected --port\nunknown flag \"1\", expected one "
                     "of `roostd --help`\n"},
        {"--chekc", "unknown flag \"--chekc\", expected --check\n"},
        {"serve", "unknown flag \"serve\", expected one of `roostd --help`\n"},
        {"--port", "--port: found nothing behind it, expected a value\n"},
        {"--log.level", "--log.level: found nothing behind it, expected a value\n"},
        {"--dev=yes", "--dev: found a value, expected none\n"},
        {"-c a -c b", "--config: found it twice, expected one file\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        parse(cases[i].line);
        assert_string_equal(report.text, cases[i].report);
    }
}

static void test_flags_are_bounded(void **state)
{
    static const char flag[] = "--port=1 ";
    char line[WORDS_MAX * sizeof(flag)] = "";

    (void)state;
    for (size_t i = 0; i < ARGUMENTS_KEYS_MAX + 1; i++) {
        memcpy(line + i * (sizeof(flag) - 1), flag, sizeof(flag));
    }
    parse(line);
    assert_int_equal(arguments.keys_len, ARGUMENTS_KEYS_MAX);
    assert_int_equal(report.errors, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags_are_read),
        cmocka_unit_test(test_flags_of_keys),
        cmocka_unit_test(test_a_switch_takes_no_word_behind_it),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_flags_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
