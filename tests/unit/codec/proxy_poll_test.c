/* SPDX-License-Identifier: Apache-2.0 */
/* Polls: what a backend is asked, and how its answers are read. */
#include "codec/proxy_poll.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(struct span got, const char *wanted)
{
    assert_int_equal(got.len, strlen(wanted));
    assert_memory_equal(got.at, wanted, got.len);
}

static void keys_are_asked_with_the_versions_that_are_known(void **state)
{
    (void)state;
    const struct proxy_poll_key keys[] = {{SPAN_LITERAL("a\""), 7}, {SPAN_LITERAL("b"), 0}};
    const struct proxy_poll_request request = {SPAN_LITERAL("poll:x"), keys, 2};
    uint8_t room[256];
    struct writer out = writer_of(room, sizeof(room));
    proxy_encode_poll(&out, &request);
    assert_text(writer_written(&out),
                "{\"channel\":\"poll:x\",\"items\":[{\"key\":\"a\\\"\",\"version\":7},"
                "{\"key\":\"b\"}]}");
}

static void items_are_read_one_by_one(void **state)
{
    (void)state;
    const struct span text = SPAN_LITERAL(
        "{\"result\":{\"epoch\":\"e\\u0031\",\"items\":[{\"key\":\"a\",\"data\":{\"v\":1},"
        "\"version\":3},{\"key\":\"b\",\"data\":null,\"removed\":true,\"prev_data\":{}}]}}");
    uint8_t room[256];
    struct scratch scratch = scratch_of(room, text.len);
    struct proxy_poll_answer answer;
    struct proxy_poll_item item;
    struct json_walk walk;
    assert_int_equal(proxy_decode_poll(text, &scratch, &answer), JSON_OK);
    assert_false(answer.has_error);
    assert_text(answer.epoch, "e1");
    proxy_poll_items_begin(&walk, answer.items);
    assert_int_equal(proxy_poll_items_next(&walk, &scratch, &item), JSON_OK);
    assert_text(item.key, "a");
    assert_text(item.data, "{\"v\":1}");
    assert_true(item.version == 3 && !item.removed);
    assert_int_equal(proxy_poll_items_next(&walk, &scratch, &item), JSON_OK);
    assert_text(item.key, "b");
    assert_text(item.data, "null");
    assert_true(item.version == 0 && item.removed);
    assert_int_equal(proxy_poll_items_next(&walk, &scratch, &item), JSON_DONE);
}

static void errors_and_nothing_are_answers_too(void **state)
{
    (void)state;
    uint8_t room[64];
    struct scratch scratch = scratch_of(room, sizeof(room));
    struct proxy_poll_answer answer;
    struct proxy_poll_item item;
    struct json_walk walk;
    assert_int_equal(proxy_decode_poll(SPAN_LITERAL("{\"error\":{\"code\":500,\"message\":\"m\"}}"),
                                       &scratch, &answer),
                     JSON_OK);
    assert_true(answer.has_error && answer.error_code == 500);
    assert_text(answer.error_message, "m");
    assert_int_equal(proxy_decode_poll(SPAN_LITERAL("{}"), &scratch, &answer), JSON_OK);
    assert_false(answer.has_error);
    proxy_poll_items_begin(&walk, answer.items);
    assert_int_equal(proxy_poll_items_next(&walk, &scratch, &item), JSON_DONE);
    assert_int_equal(proxy_decode_poll(SPAN_LITERAL("{\"result\":{\"items\":{}}}"), &scratch,
                                       &answer),
                     JSON_ERROR_TYPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_asked_with_the_versions_that_are_known),
        cmocka_unit_test(items_are_read_one_by_one),
        cmocka_unit_test(errors_and_nothing_are_answers_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
