/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of DNS servers: services are found, and whatever is wrong is an error at every cut. */
#include "codec/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* "_roost._udp.example.org" asked for SRV, of which there are two, and an address beside them. The
 * second target points back into the question. */
static const uint8_t answer[] = "\x12\x34\x81\x80\0\1\0\2\0\0\0\1"
                                "\6_roost\4_udp\7example\3org\0\0\x21\0\1"
                                "\xc0\x0c\0\x21\0\1\0\0\0\x3c\0\x12\0\1\0\2\x20\xd0"
                                "\2n1\7cluster\0"
                                "\xc0\x0c\0\x21\0\1\0\0\0\x3c\0\x0b\0\1\0\2\x20\xd1"
                                "\2n2\xc0\x18"
                                "\2n2\xc0\x18\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\2";
static const size_t answer_len = sizeof(answer) - 1;

static struct dns_service services[DNS_SERVICES_MAX];
static uint32_t services_len;

static enum dns_result decodes(const uint8_t *at, size_t len)
{
    return dns_services_decode(span_of(at, len), services, &services_len);
}

static void services_are_found(void **state)
{
    (void)state;
    assert_int_equal(decodes(answer, answer_len), DNS_OK);
    assert_int_equal(services_len, 2);
    assert_string_equal(services[0].target, "n1.cluster");
    assert_int_equal(services[0].port, 8400);
    assert_string_equal(services[1].target, "n2.example.org");
    assert_int_equal(services[1].port, 8401);
}

static void every_cut_is_an_error_or_has_the_same_services(void **state)
{
    (void)state;
    for (size_t len = 0; len < answer_len; len++) {
        uint8_t exact[sizeof(answer)];
        memcpy(exact, answer, len);
        if (decodes(exact, len) == DNS_OK) {
            /* Only what is behind the answers is cut. */
            assert_int_equal(services_len, 2);
            assert_true(len >= answer_len - 20);
        }
    }
}

static void every_changed_byte_is_survived(void **state)
{
    (void)state;
    for (size_t i = 0; i < answer_len; i++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint8_t changed[sizeof(answer)];
            memcpy(changed, answer, sizeof(answer));
            changed[i] = (uint8_t)byte;
            if (decodes(changed, answer_len) == DNS_OK) {
                for (uint32_t s = 0; s < services_len; s++) {
                    assert_true(strlen(services[s].target) <= DNS_NAME_LEN_MAX);
                    assert_int_not_equal(services[s].port, 0);
                }
            }
        }
    }
}

static void failures_and_questions_are_no_answers(void **state)
{
    (void)state;
    uint8_t changed[sizeof(answer)];
    memcpy(changed, answer, sizeof(answer));
    changed[3] = 0x83; /* No such name. */
    assert_int_equal(decodes(changed, answer_len), DNS_ERROR_FAILURE);
    changed[2] = 0x01;
    assert_int_equal(decodes(changed, answer_len), DNS_ERROR_FORMAT);
}

static void names_do_not_run_in_circles(void **state)
{
    (void)state;
    /* The target is a pointer to itself, and one to a place further on. */
    uint8_t circle[] = "\0\0\x80\0\0\0\0\1\0\0\0\0"
                       "\0\0\x21\0\1\0\0\0\0\0\x08\0\0\0\0\0\1\xc0\x1d";
    assert_int_equal(decodes(circle, sizeof(circle) - 1), DNS_ERROR_FORMAT);
    circle[sizeof(circle) - 2] = 0x1e;
    assert_int_equal(decodes(circle, sizeof(circle) - 1), DNS_ERROR_FORMAT);
    /* Back to the end of the record's own name: no name at all, so the service is not there. */
    circle[sizeof(circle) - 2] = 12;
    assert_int_equal(decodes(circle, sizeof(circle) - 1), DNS_OK);
    assert_int_equal(services_len, 0);
}

static void long_names_are_refused(void **state)
{
    (void)state;
    uint8_t message[12 + 11 + 6 + 5 * 64] = "\0\0\x80\0\0\0\0\1\0\0\0\0"
                                            "\0\0\x21\0\1\0\0\0\0";
    const size_t data_at = 12 + 11;
    uint8_t *name = message + data_at + 6;
    for (uint32_t labels = 3; labels <= 4; labels++) {
        const size_t data_len = 6 + labels * 64 + 1;
        message[data_at - 2] = (uint8_t)(data_len >> 8);
        message[data_at - 1] = (uint8_t)data_len;
        message[data_at + 5] = 1;
        for (uint32_t label = 0; label < labels; label++) {
            name[label * 64] = 63;
            memset(name + label * 64 + 1, 'a', 63);
        }
        name[labels * 64] = 0;
        /* Three labels make 191 letters with their dots, four would make 255. */
        assert_int_equal(decodes(message, data_at + data_len),
                         labels == 3 ? DNS_OK : DNS_ERROR_FORMAT);
        assert_int_equal(services_len, labels == 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_are_found),
        cmocka_unit_test(every_cut_is_an_error_or_has_the_same_services),
        cmocka_unit_test(every_changed_byte_is_survived),
        cmocka_unit_test(failures_and_questions_are_no_answers),
        cmocka_unit_test(names_do_not_run_in_circles),
        cmocka_unit_test(long_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
