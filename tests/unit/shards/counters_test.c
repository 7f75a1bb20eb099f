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
    for (size_t i = 0; i < COUNTER_ROWS_LEN; i++) {
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
    for (size_t i = 1; i < COUNTER_ROWS_LEN; i++) {
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
#define ASSERT_DISCONNECT(name, code, text, reconnect) \
    assert_counts(counter_of_disconnect(code), "client_num_server_disconnects", code);
    CLIENT_DISCONNECTS(ASSERT_DISCONNECT)
#define ASSERT_UNSUBSCRIBE(name, code, text, resubscribe) \
    if (code >= 2000) { \
        assert_counts(counter_of_unsubscribe(code), "client_num_server_unsubscribes", code); \
    }
    CLIENT_UNSUBSCRIBES(ASSERT_UNSUBSCRIBE)
}

/* Every error, close code and disconnect has a label of its own, and all others share one. */
static void every_code_has_its_label(void **state)
{
    (void)state;
    bool errors[LABEL_ERROR_LEN] = {false};
#define TAKE_ERROR(name, code, text, temporary) \
    assert_false(errors[label_of_error(code)]); \
    errors[label_of_error(code)] = true;
    CLIENT_ERRORS(TAKE_ERROR)
#define ASSERT_API_ERROR(name, code, text, status) \
    assert_int_not_equal(label_of_error(code), label_of_error(99));
    API_ERRORS(ASSERT_API_ERROR)
    assert_false(errors[label_of_error(99)]);
    assert_int_equal(label_of_error(99), label_of_error(114));
    bool closes[LABEL_CLOSE_LEN] = {false};
    static const uint32_t codes[] = {1000, 1001, 1002, 1003, 1007, 1009, 1011, 1013};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        assert_false(closes[label_of_close(codes[i])]);
        closes[label_of_close(codes[i])] = true;
    }
#define TAKE_DISCONNECT(name, code, text, reconnect) \
    assert_false(closes[label_of_close(code)]); \
    closes[label_of_close(code)] = true;
    CLIENT_DISCONNECTS(TAKE_DISCONNECT)
    assert_false(closes[label_of_close(4000)]);
    assert_int_equal(label_of_close(4000), label_of_close(1006));
}

/* The counters of families do not overlap, nor do their histograms. */
static void families_stand_behind_each_other(void **state)
{
    (void)state;
    uint32_t next = COUNTER_ROWS_LEN;
    for (size_t i = 0; i < counter_families_len; i++) {
        const struct counter_family *family = &counter_families[i];
        assert_int_equal(family->first, next);
        assert_true(is_name(family->name));
        next += family->labels[0].len * family->labels[1].len;
    }
    assert_int_equal(next, COUNTERS_LEN);
    assert_int_equal(COUNTER_OF(TRANSPORT_SENT, TRANSPORTS - 1, FRAME_TYPES - 1),
                     COUNTER_TRANSPORT_SENT_LAST);
    next = 0;
    for (size_t i = 0; i < hist_families_len; i++) {
        const struct hist_family *family = &hist_families[i];
        assert_int_equal(family->first, next);
        for (size_t k = 1; k < family->buckets_len; k++) {
            assert_true(family->buckets[k].ns > family->buckets[k - 1].ns);
        }
        next += family->label.len;
    }
    assert_int_equal(next, HISTS_LEN);
}

static void other_codes_count_with_their_family(void **state)
{
    (void)state;
    static const uint32_t codes[] = {0, 1, 99, 400, 1006, 1999, 2001, 3002, 4000, 4999, UINT32_MAX};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        assert_int_equal(counter_of_disconnect(codes[i]), COUNTER_DISCONNECT_CUSTOM);
        assert_int_equal(counter_of_unsubscribe(codes[i]), COUNTER_UNSUBSCRIBE_2000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(rows_of_one_name_stand_together_and_agree),
        cmocka_unit_test(every_code_has_its_counter),
        cmocka_unit_test(every_code_has_its_label),
        cmocka_unit_test(families_stand_behind_each_other),
        cmocka_unit_test(other_codes_count_with_their_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
