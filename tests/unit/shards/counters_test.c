/* SPDX-License-Identifier: Apache-2.0 */
/* The table of counters is what Prometheus can read, and every code has the counter of its name. */
#include "shards/counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/api.h"
#include "codec/client.h"

static bool is_name(const char *text)
{
    const size_t len = strlen(text);
    return len > 0 && strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789") == len &&
           (text[0] < '0' || text[0] > '9');
}

static void every_row_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTERS_LEN; i++) {
        const struct counter_description *row = &counter_descriptions[i];
        assert_true(is_name(row->name));
        assert_non_null(row->labels);
        assert_true(strlen(row->help) > 1 && row->help[strlen(row->help) - 1] == '.');
    }
}

/* One family of Prometheus has its HELP and TYPE lines once, so its rows must be neighbours. */
static void rows_of_one_name_stand_together_and_agree(void **state)
{
    (void)state;
    for (size_t i = 1; i < COUNTERS_LEN; i++) {
        const struct counter_description *row = &counter_descriptions[i];
        for (size_t j = 0; j < i; j++) {
            const struct counter_description *before = &counter_descriptions[j];
            if (strcmp(row->name, before->name) != 0) {
                continue;
            }
            assert_string_equal(counter_descriptions[i - 1].name, row->name);
            assert_string_not_equal(before->labels, row->labels);
            assert_string_equal(before->help, row->help);
            assert_int_equal(before->kind, row->kind);
        }
    }
}

static void assert_counts(enum counter counter, const char *name, uint32_t code)
{
    char label[32];
    snprintf(label, sizeof(label), "=\"%u\"", code);
    assert_string_equal(counter_descriptions[counter].name, name);
    assert_non_null(strstr(counter_descriptions[counter].labels, label));
}

static void every_code_has_its_counter(void **state)
{
    (void)state;
#define ASSERT_ERROR(name, code, text, temporary) \
    assert_counts(counter_of_reply_error(code), "client_num_reply_errors", code);
    CLIENT_ERRORS(ASSERT_ERROR)
#define ASSERT_DISCONNECT(name, code, text, reconnect) \
    assert_counts(counter_of_disconnect(code), "client_num_server_disconnects", code);
    CLIENT_DISCONNECTS(ASSERT_DISCONNECT)
#define ASSERT_UNSUBSCRIBE(name, code, text, resubscribe) \
    if (code >= 2000) { \
        assert_counts(counter_of_unsubscribe(code), "client_num_server_unsubscribes", code); \
    }
    CLIENT_UNSUBSCRIBES(ASSERT_UNSUBSCRIBE)
#define ASSERT_API_ERROR(name, code, text, status) \
    assert_counts(counter_of_api_error(code), "api_command_errors_total", code);
    API_ERRORS(ASSERT_API_ERROR)
    static const uint32_t closes[] = {1000, 1001, 1002, 1003, 1007, 1009, 1011, 1013};
    for (size_t i = 0; i < sizeof(closes) / sizeof(closes[0]); i++) {
        assert_counts(counter_of_close(closes[i]), "transport_outgoing_close_count", closes[i]);
    }
    assert_counts(counter_of_api_error(111), "api_command_errors_total", 111);
}

static void other_codes_count_with_their_family(void **state)
{
    (void)state;
    static const uint32_t codes[] = {0, 1, 99, 400, 1006, 1999, 2001, 3002, 4000, 4999, UINT32_MAX};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        assert_int_equal(counter_of_disconnect(codes[i]), COUNTER_DISCONNECT_CUSTOM);
        assert_int_equal(counter_of_reply_error(codes[i]), COUNTER_REPLY_ERROR_100);
        assert_int_equal(counter_of_unsubscribe(codes[i]), COUNTER_UNSUBSCRIBE_2000);
        assert_int_equal(counter_of_close(codes[i]), COUNTER_CLOSE_1011);
        assert_int_equal(counter_of_api_error(codes[i]), COUNTER_API_ERROR_100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(rows_of_one_name_stand_together_and_agree),
        cmocka_unit_test(every_code_has_its_counter),
        cmocka_unit_test(other_codes_count_with_their_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
