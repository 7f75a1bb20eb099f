/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 in both alphabets: the vectors of RFC 4648, and every text that is not canonical. */
#include "codec/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void both_alphabets_decode_to_the_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum base64_alphabet alphabet;
        enum base64_result result;
        const char *wanted;
    } rows[] = {
        {"", BASE64_STANDARD, BASE64_OK, ""},
        {"Zg==", BASE64_STANDARD, BASE64_OK, "f"},
        {"Zm8=", BASE64_STANDARD, BASE64_OK, "fo"},
        {"Zm9v", BASE64_STANDARD, BASE64_OK, "foo"},
        {"Zm9vYg==", BASE64_STANDARD, BASE64_OK, "foob"},
        {"Zm9vYmE=", BASE64_STANDARD, BASE64_OK, "fooba"},
        {"Zm9vYmFy", BASE64_STANDARD, BASE64_OK, "foobar"},
        {"+/+/", BASE64_STANDARD, BASE64_OK, "\xfb\xff\xbf"},
        {"-_-_", BASE64_STANDARD, BASE64_ERROR_TEXT, NULL},
        {"Zg", BASE64_STANDARD, BASE64_ERROR_TEXT, NULL},
        {"Zg=", BASE64_STANDARD, BASE64_ERROR_TEXT, NULL},
        {"Z===", BASE64_STANDARD, BASE64_ERROR_TEXT, NULL},
        {"====", BASE64_STANDARD, BASE64_ERROR_TEXT, NULL},
        {"Zg==Zg==", BASE64_STANDARD, BASE64_ERROR_TEXT, NULL},
        {"Zh==", BASE64_STANDARD, BASE64_ERROR_TEXT, NULL}, /* bits left over */
        {"Zm9=", BASE64_STANDARD, BASE64_ERROR_TEXT, NULL},
        {"Zm9v\n", BASE64_STANDARD, BASE64_ERROR_TEXT, NULL},
        {"Zm 9", BASE64_STANDARD, BASE64_ERROR_TEXT, NULL},
        {"", BASE64_URL, BASE64_OK, ""},
        {"Zg", BASE64_URL, BASE64_OK, "f"},
        {"Zm8", BASE64_URL, BASE64_OK, "fo"},
        {"Zm9v", BASE64_URL, BASE64_OK, "foo"},
        {"-_-_", BASE64_URL, BASE64_OK, "\xfb\xff\xbf"},
        {"+/+/", BASE64_URL, BASE64_ERROR_TEXT, NULL},
        {"Z", BASE64_URL, BASE64_ERROR_TEXT, NULL},
        {"Zm9vY", BASE64_URL, BASE64_ERROR_TEXT, NULL},
        {"A", BASE64_URL, BASE64_ERROR_TEXT, NULL},
        {"AAAAA", BASE64_URL, BASE64_ERROR_TEXT, NULL},
        {"Zg==", BASE64_URL, BASE64_ERROR_TEXT, NULL},
        {"Zm8=", BASE64_URL, BASE64_ERROR_TEXT, NULL},
        {"Zh", BASE64_URL, BASE64_ERROR_TEXT, NULL},
        {"Zm9", BASE64_URL, BASE64_ERROR_TEXT, NULL},
        {"Zm.v", BASE64_URL, BASE64_ERROR_TEXT, NULL},
        {"Zm\xc3v", BASE64_URL, BASE64_ERROR_TEXT, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t buf[16];
        struct scratch scratch = scratch_of(buf, sizeof(buf));
        struct span out = SPAN_EMPTY;
        enum base64_result result =
            base64_decode(span_of_text(rows[i].text), rows[i].alphabet, &scratch, &out);
        if (result != rows[i].result) {
            fail_msg("%s: %d", rows[i].text, (int)result);
        }
        if (result == BASE64_OK) {
            assert_true(span_equal(out, span_of_text(rows[i].wanted)));
            assert_true(out.len <= base64_decoded_len_max(strlen(rows[i].text)));
        }
    }
}

static void room_is_taken_exactly(void **state)
{
    (void)state;
    for (size_t room = 0; room < 6; room++) {
        uint8_t *exact = malloc(room > 0 ? room : 1);
        assert_non_null(exact);
        struct scratch scratch = scratch_of(exact, room);
        struct span out;
        assert_int_equal(base64_decode(SPAN_LITERAL("Zm9vYmE"), BASE64_URL, &scratch, &out),
                         room < 5 ? BASE64_ERROR_SPACE : BASE64_OK);
        assert_int_equal(scratch_room(&scratch), room < 5 ? room : 0);
        free(exact);
    }
}

static void a_text_may_be_decoded_in_its_own_place(void **state)
{
    (void)state;
    uint8_t buf[] = {'Z', 'm', '9', 'v', 'Y', 'm', 'F', 'y'};
    struct scratch scratch = scratch_of(buf, sizeof(buf));
    struct span out;
    assert_int_equal(base64_decode(span_of(buf, sizeof(buf)), BASE64_URL, &scratch, &out),
                     BASE64_OK);
    assert_true(span_equal(out, SPAN_LITERAL("foobar")));
}

static void the_encoder_writes_the_vectors_of_the_standard(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[16];
        struct writer out = writer_of(text, sizeof(text));
        base64_encode(&out, span_of_text(cases[i][0]));
        assert_true(span_equal(writer_written(&out), span_of_text(cases[i][1])));
    }
}

static void what_was_encoded_is_decoded(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 256; len++) {
        uint8_t bytes[256];
        uint8_t room[400];
        uint8_t decoded_room[400];
        struct scratch scratch = scratch_of(decoded_room, sizeof(decoded_room));
        struct writer out = writer_of(room, sizeof(room));
        struct span decoded;
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (uint8_t)(i + len * 3);
        }
        base64_encode(&out, span_of(bytes, len));
        assert_int_equal(base64_decode(writer_written(&out), BASE64_STANDARD, &scratch, &decoded),
                         BASE64_OK);
        assert_true(span_equal(decoded, span_of(bytes, len)));
    }
}

static void the_encoder_counts_what_has_no_room(void **state)
{
    uint8_t room[7];
    struct writer out = writer_of(room, sizeof(room));
    (void)state;
    base64_encode(&out, SPAN_LITERAL("foob"));
    assert_int_equal(out.overflow, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_alphabets_decode_to_the_byte),
        cmocka_unit_test(room_is_taken_exactly),
        cmocka_unit_test(a_text_may_be_decoded_in_its_own_place),
        cmocka_unit_test(the_encoder_writes_the_vectors_of_the_standard),
        cmocka_unit_test(what_was_encoded_is_decoded),
        cmocka_unit_test(the_encoder_counts_what_has_no_room),
    };
    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
