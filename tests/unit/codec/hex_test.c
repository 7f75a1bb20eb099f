/* SPDX-License-Identifier: Apache-2.0 */
/* Each byte as digits and back, in either case, and each byte that is no digit in each place. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codec/hex.h"

enum { BYTES = 256, MARK = 0x5a };

static void test_writes_each_byte(void **state)
{
    (void)state;
    uint8_t bytes[BYTES];
    char text[2 * BYTES + 1];
    char wanted[2 * BYTES + 1];
    for (unsigned i = 0; i < BYTES; i++) {
        bytes[i] = (uint8_t)i;
        (void)snprintf(wanted + (size_t)2 * i, 3, "%02x", i);
    }
    text[2 * BYTES] = MARK;
    hex_write(bytes, BYTES, text);
    assert_memory_equal(text, wanted, 2 * BYTES);
    assert_int_equal(text[2 * BYTES], MARK);
}

static void test_writes_and_reads_nothing(void **state)
{
    (void)state;
    char text = MARK;
    uint8_t byte = MARK;
    hex_write(&byte, 0, &text);
    assert_int_equal(text, MARK);
    assert_true(hex_read(&text, &byte, 0));
    assert_int_equal(byte, MARK);
}

static void test_reads_each_byte_in_either_case(void **state)
{
    (void)state;
    for (unsigned is_upper = 0; is_upper < 2; is_upper++) {
        char text[2 * BYTES + 1];
        uint8_t bytes[BYTES + 1];
        for (unsigned i = 0; i < BYTES; i++) {
            char *at = text + (size_t)2 * i;
            (void)snprintf(at, 3, "%02x", i);
            if (is_upper == 1) {
                at[0] = (char)toupper((unsigned char)at[0]);
                at[1] = (char)toupper((unsigned char)at[1]);
            }
        }
        bytes[BYTES] = MARK;
        assert_true(hex_read(text, bytes, BYTES));
        for (unsigned i = 0; i < BYTES; i++) {
            assert_int_equal(bytes[i], i);
        }
        assert_int_equal(bytes[BYTES], MARK);
    }
}

static void test_refuses_what_is_no_digit_in_each_place(void **state)
{
    (void)state;
    static const char digits[] = "0123456789abcdefABCDEF";
    unsigned refused = 0;
    for (unsigned byte = 0; byte < BYTES; byte++) {
        const bool is_digit = memchr(digits, (int)byte, sizeof(digits) - 1) != NULL;
        for (unsigned place = 0; place < 6; place++) {
            char text[] = "12ab9f";
            uint8_t bytes[4] = {MARK, MARK, MARK, MARK};
            text[place] = (char)byte;
            assert_int_equal(hex_read(text, bytes, 3), is_digit);
            assert_int_equal(bytes[3], MARK);
            /* What stands before the pair is read, and nothing behind it is touched. */
            if (!is_digit) {
                assert_int_equal(bytes[place / 2], MARK);
                assert_int_equal(bytes[0], place < 2 ? MARK : 0x12);
                refused++;
            }
        }
        assert_int_equal(hex_value((uint8_t)byte) >= 0, is_digit);
    }
    assert_int_equal(refused, 6 * (BYTES - 22));
}

static void test_values_are_those_of_the_digits(void **state)
{
    (void)state;
    for (unsigned value = 0; value < BYTES; value++) {
        const char digit = hex_digit(value);
        assert_int_equal(hex_value((uint8_t)digit), value & 15);
        assert_int_equal(hex_value((uint8_t)toupper(digit)), value & 15);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_each_byte),
        cmocka_unit_test(test_writes_and_reads_nothing),
        cmocka_unit_test(test_reads_each_byte_in_either_case),
        cmocka_unit_test(test_refuses_what_is_no_digit_in_each_place),
        cmocka_unit_test(test_values_are_those_of_the_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
