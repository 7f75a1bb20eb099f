/* SPDX-License-Identifier: Apache-2.0 */
/* Each type of configuration value: what it takes, what it refuses, and that what is printed reads
 * back. */
#include "ops/config/config_value.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct values {
    bool flag;
    uint32_t number;
    int64_t time;
    uint64_t duration;
    const char *text;
    unsigned choice;
    struct config_list list;
};

static const char *const choices[] = {"", "json", "binary", NULL};

static const struct config_key key_bool = {.path = "b",
                                           .type = CONFIG_BOOL,
                                           .offset = offsetof(struct values, flag)};
static const struct config_key key_number = {.path = "n",
                                             .type = CONFIG_NUMBER,
                                             .offset = offsetof(struct values, number),
                                             .min = 1,
                                             .max = 65535};
static const struct config_key key_size = {.path = "z",
                                           .type = CONFIG_SIZE,
                                           .offset = offsetof(struct values, number),
                                           .max = 0xffffffff};
static const struct config_key key_time = {.path = "t",
                                           .type = CONFIG_UNIX_TIME,
                                           .offset = offsetof(struct values, time)};
static const struct config_key key_duration = {.path = "d",
                                               .type = CONFIG_DURATION,
                                               .offset = offsetof(struct values, duration),
                                               .max = UINT64_MAX};
static const struct config_key key_text = {.path = "s",
                                           .type = CONFIG_STRING,
                                           .offset = offsetof(struct values, text),
                                           .min = 1,
                                           .max = 4};
static const struct config_key key_secret = {.path = "secret",
                                             .type = CONFIG_STRING,
                                             .is_secret = true,
                                             .offset = offsetof(struct values, text),
                                             .max = 100};
static const struct config_key key_choice = {.path = "c",
                                             .type = CONFIG_CHOICE,
                                             .offset = offsetof(struct values, choice),
                                             .choices = choices};
static const struct config_key key_list = {.path = "l",
                                           .type = CONFIG_LIST,
                                           .offset = offsetof(struct values, list),
                                           .max = 8};

static bool reads(const struct config_key *key, const char *text, struct values *values,
                  struct config_texts *texts)
{
    return config_value_parse(key, text, strlen(text), values, texts);
}

static char *printed(const struct config_key *key, const struct values *values)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    config_value_print(key, values, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* What a type takes, and as what it is printed. NULL: it is refused, and the value stays. */
static const struct {
    const struct config_key *key;
    const char *text;
    const char *printed;
} cases[] = {
    {&key_bool, "true", "true"},
    {&key_bool, "False", "false"},
    {&key_bool, "1", "true"},
    {&key_bool, "0", "false"},
    {&key_bool, "yes", NULL},
    {&key_bool, "on", NULL},
    {&key_bool, "", NULL},
    {&key_bool, "tru", NULL},
    {&key_number, "1", "1"},
    {&key_number, "65535", "65535"},
    {&key_number, "0", NULL},
    {&key_number, "65536", NULL},
    {&key_number, "-1", NULL},
    {&key_number, "+1", NULL},
    {&key_number, "1.0", NULL},
    {&key_number, "0x10", NULL},
    {&key_number, " 1", NULL},
    {&key_number, "", NULL},
    {&key_number, "18446744073709551617", NULL},
    {&key_size, "65536", "65536"},
    {&key_size, "64KiB", "65536"},
    {&key_size, "64 KiB", "65536"},
    {&key_size, "1MB", "1000000"},
    {&key_size, "3GiB", "3221225472"},
    {&key_size, "4GiB", NULL},
    {&key_size, "99999999999GiB", NULL},
    {&key_size, "64K", NULL},
    {&key_size, "KiB", NULL},
    {&key_time, "1790000000", "1790000000"},
    {&key_time, "-1", "-1"},
    {&key_time, "9223372036854775808", NULL},
    {&key_time, "-", NULL},
    {&key_time, "2026-01-01", NULL},
    {&key_text, "a", "\"a\""},
    {&key_text, "a\"\\\x01", "\"a\\\"\\\\\\x01\""},
    {&key_text, "", NULL},
    {&key_text, "abcde", NULL},
    {&key_secret, "hush", "set"},
    {&key_secret, "", "unset"},
    {&key_choice, "", "\"\""},
    {&key_choice, "binary", "\"binary\""},
    {&key_choice, "Binary", NULL},
    {&key_choice, "bin", NULL},
    {&key_list, "", "[]"},
    {&key_list, "a", "[\"a\"]"},
    {&key_list, "  a  bc\td ", "[\"a\", \"bc\", \"d\"]"},
    {&key_list, "a toolongtext", NULL},
};

static void test_reads_and_prints(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct values values = {0};
        struct values before = values;
        struct config_texts texts = {NULL};
        bool is_taken = reads(cases[i].key, cases[i].text, &values, &texts);

        if (is_taken != (cases[i].printed != NULL)) {
            fail_msg("%s \"%s\": taken %d", cases[i].key->path, cases[i].text, is_taken);
        }
        if (is_taken) {
            char *text = printed(cases[i].key, &values);

            assert_string_equal(text, cases[i].printed);
            free(text);
        } else {
            assert_memory_equal(&values, &before, sizeof(values));
        }
        config_texts_free(&texts);
    }
}

static void test_durations_are_those_of_go(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused. */
        const char *printed;
    } durations[] = {
        {"25s", 25000, "25s"},
        {"300ms", 300, "300ms"},
        {"1h30m", 5400000, "1h30m"},
        {"1h", 3600000, "1h"},
        {"1h0m1s", 3601000, "1h1s"},
        {"1.5h", 5400000, "1h30m"},
        {"0.25s", 250, "250ms"},
        {".5s", 500, "500ms"},
        {"1.s", 1000, "1s"},
        {"1s500ms", 1500, "1500ms"},
        {"1m1m", 120000, "2m"},
        {"1000000ns", 1, "1ms"},
        {"1000us", 1, "1ms"},
        {"2000\xc2\xb5s", 2, "2ms"},
        {"720h", 2592000000, "720h"},
        {"0", 0, "0s"},
        {"+0", 0, "0s"},
        {"0s", 0, "0s"},
        {"+3s", 3000, "3s"},
        {"", -1, NULL},
        {"+", -1, NULL},
        {"3", -1, NULL},
        {"-3s", -1, NULL},
        {"s", -1, NULL},
        {".s", -1, NULL},
        {"1d", -1, NULL},
        {"1 s", -1, NULL},
        {"1s ", -1, NULL},
        {"1.5ms", -1, NULL},
        {"1ns", -1, NULL},
        {"1e3s", -1, NULL},
        {"99999999999999h", -1, NULL},
        {"18446744073709551615ns1ns", -1, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        struct values values = {.duration = 77};
        struct config_texts texts = {NULL};

        if (reads(&key_duration, durations[i].text, &values, &texts) != (durations[i].ms >= 0)) {
            fail_msg("\"%s\"", durations[i].text);
        }
        if (durations[i].ms < 0) {
            assert_int_equal(values.duration, 77);
            continue;
        }
        char *text = printed(&key_duration, &values);

        assert_int_equal(values.duration, durations[i].ms);
        assert_string_equal(text, durations[i].printed);
        free(text);
    }
}

/* Every whole number of milliseconds of a day and a bit that the printer may meet. */
static void test_printed_durations_read_back(void **state)
{
    (void)state;
    for (uint64_t ms = 0; ms < 100ull * 3600 * 1000; ms += ms < 5000 ? 1 : 977) {
        struct values values = {.duration = ms};
        char *text = printed(&key_duration, &values);
        uint64_t again = 1;

        assert_true(config_duration_parse(text, strlen(text), &again));
        assert_int_equal(again, ms);
        free(text);
    }
}

static void test_lists_are_bounded(void **state)
{
    const char *items[CONFIG_LIST_MAX + 1];
    char words[2 * (CONFIG_LIST_MAX + 1) + 1];
    struct config_texts texts = {NULL};
    struct values values = {0};

    (void)state;
    for (size_t i = 0; i <= CONFIG_LIST_MAX; i++) {
        items[i] = "a";
        memcpy(words + 2 * i, "a ", 3);
    }
    assert_true(config_value_set_list(&key_list, items, CONFIG_LIST_MAX, &values, &texts));
    assert_int_equal(values.list.len, CONFIG_LIST_MAX);
    assert_false(config_value_set_list(&key_list, items, CONFIG_LIST_MAX + 1, &values, &texts));
    assert_false(reads(&key_list, words, &values, &texts));
    items[0] = "";
    assert_false(config_value_set_list(&key_list, items, 1, &values, &texts));
    config_texts_free(&texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_and_prints),
        cmocka_unit_test(test_durations_are_those_of_go),
        cmocka_unit_test(test_printed_durations_read_back),
        cmocka_unit_test(test_lists_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
