/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers with units, and command lines that are right or wrong. */
#include "ops/bench/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void numbers_have_units(void **state)
{
    (void)state;
    uint64_t value = 0;
    assert_true(options_number("20000", &value) && value == 20000);
    assert_true(options_number("20k", &value) && value == 20000);
    assert_true(options_number("1.5M", &value) && value == 1500000);
    assert_true(options_duration("1.5s", &value) && value == 1500000000);
    assert_true(options_duration("250ms", &value) && value == 250000000);
    assert_true(options_duration("2", &value) && value == 2000000000);
    assert_true(options_duration("3m", &value) && value == 180000000000);
    static const char *const wrong[] = {"", "k", "-1", " 1", "1x", "1 k", "nan", "1e99", "1kk"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(options_number(wrong[i], &value));
        assert_false(options_duration(wrong[i], &value));
    }
}

static bool parses(const char *line, struct options *out, char error[256])
{
    static char text[256];
    char *words[32];
    int count = 0;
    char *rest = NULL;
    memcpy(text, line, strlen(line) + 1);
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        words[count++] = word;
    }
    return options_parse(count, words, out, error);
}

static void a_mode_brings_what_was_not_given(void **state)
{
    (void)state;
    struct options options;
    char error[256];
    assert_true(parses("echo --port 80", &options, error));
    assert_string_equal(options.protocol->name, "echo");
    assert_true(parses("fanout --port=80 --connections=2k --window 16 --floor", &options, error));
    assert_string_equal(options.protocol->name, "centrifuge");
    assert_int_equal(options.connections, 2000);
    assert_int_equal(options.window, 16);
    assert_int_equal(options.rate, 0);
    assert_true(options.floor);
    assert_true(parses("spike --port 80 --connections 50", &options, error));
    assert_int_equal(options.peak, 500);
    assert_int_equal(options.rate, 10);
}

static void wrong_lines_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *part;
    } cases[] = {
        {"walk --port 80", "mode"},
        {"echo", "--port"},
        {"echo --port 70000", "--port"},
        {"echo --port 80 --size 27", "--size"},
        {"echo --port 80 --window 0", "--window"},
        {"echo --port 80 --connections 0", "--connections"},
        {"echo --port 80 --floor-poller kqueue", "--floor-poller"},
        {"echo --port 80 --nonsense 1", "--nonsense"},
        {"echo --port 80 --protocol carrier-pigeon", "--protocol"},
        {"echo --port 80 --window", "--window"},
        {"echo --port 80 --floor=1", "--floor"},
        {"fanout --port 80 --connections 5 --channels 6", "--channels"},
        {"fanout --port 80 --protocol broadcast --channels 2", "--channels"},
        {"mixed --port 80", "--scenario"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options options;
        char error[256] = "";
        assert_false(parses(cases[i].line, &options, error));
        assert_non_null(strstr(error, cases[i].part));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_units),
        cmocka_unit_test(a_mode_brings_what_was_not_given),
        cmocka_unit_test(wrong_lines_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
