/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: what is one, what is none, and that writing one gives back what was read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/poller.h"

static void literal_addresses_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint16_t port;
        uint8_t family;
        const char *written;
    } cases[] = {
        {"127.0.0.1", 8000, 4, "127.0.0.1:8000"},
        {"0.0.0.0", 0, 4, "0.0.0.0:0"},
        {"255.255.255.255", 65535, 4, "255.255.255.255:65535"},
        {"::", 1, 6, "[::]:1"},
        {"::1", 8000, 6, "[::1]:8000"},
        {"2001:DB8:0:0:0:0:0:5", 443, 6, "[2001:db8::5]:443"},
        {"::ffff:10.1.2.3", 2, 6, "[::ffff:10.1.2.3]:2"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.254", 65535, 6,
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct socket_address address;
        char text[64];
        assert_true(socket_address_parse(cases[i].text, cases[i].port, &address));
        assert_int_equal(address.family, cases[i].family);
        assert_int_equal(address.port, cases[i].port);
        socket_address_format(&address, text);
        assert_string_equal(text, cases[i].written);
    }
}

static void bytes_are_in_network_order(void **state)
{
    (void)state;
    const uint8_t expected[16] = {10, 1, 2, 3};
    struct socket_address address;
    assert_true(socket_address_parse("10.1.2.3", 7, &address));
    assert_memory_equal(address.bytes, expected, sizeof(expected));
}

static void what_is_no_address_changes_nothing(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",          "localhost",         "127.0.0.1:80", "127.1",     "1.2.3.4.5",
        "256.1.1.1", "1.2.3.4 ",          " 1.2.3.4",     "[::1]",     "::1%eth0",
        ":::",       "1:2:3:4:5:6:7:8:9", "0x7f.0.0.1",   "01.2.3.4.", "12345::",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct socket_address address = {.family = 99, .port = 5};
        assert_false(socket_address_parse(cases[i], 1, &address));
        assert_int_equal(address.family, 99);
        assert_int_equal(address.port, 5);
    }
}

static void no_address_is_written_as_none(void **state)
{
    (void)state;
    const struct socket_address none = {.family = 0};
    char text[64];
    socket_address_format(&none, text);
    assert_string_equal(text, "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literal_addresses_are_read_and_written),
        cmocka_unit_test(bytes_are_in_network_order),
        cmocka_unit_test(what_is_no_address_changes_nothing),
        cmocka_unit_test(no_address_is_written_as_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
