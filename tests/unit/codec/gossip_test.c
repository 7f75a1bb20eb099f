/* SPDX-License-Identifier: Apache-2.0 */
/* Gossip messages: what goes out comes back, later versions are forwarded, limits come first. */
#include "codec/gossip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t room[GOSSIP_SCRATCH_LEN];
static uint8_t out_buf[GOSSIP_STATE_LEN_MAX];

static struct scratch fresh(void)
{
    return scratch_of(room, sizeof(room));
}

static struct gossip_uid uid_of(uint8_t byte)
{
    struct gossip_uid uid;
    memset(uid.bytes, byte, sizeof(uid.bytes));
    return uid;
}

static struct gossip_details details_of(void)
{
    return (
        struct gossip_details){.name = SPAN_LITERAL("n\xc3\xb6"
                                                    "de"),
                               .client_address = SPAN_LITERAL("example.net:8000"),
                               .cluster_address = {.ip = {10, 0, 0, 7}, .port = 7946, .ip_len = 4},
                               .zone = SPAN_LITERAL("a"),
                               .version = SPAN_LITERAL("1.2.3"),
                               .weight = 100,
                               .shards = 16,
                               .protocol_min = 1,
                               .protocol_max = 3,
                               .is_draining = true};
}

static struct span encode_datagram(const struct gossip_datagram *datagram)
{
    struct writer writer = writer_of(out_buf, sizeof(out_buf));
    gossip_datagram_encode(datagram, &writer);
    assert_false(writer_is_overflown(&writer));
    return writer_written(&writer);
}

static void a_datagram_comes_back(void **state)
{
    (void)state;
    const struct gossip_datagram sent = {.cluster = 9,
                                         .kind = GOSSIP_PING_REQUEST,
                                         .sequence = 77,
                                         .sender = uid_of(1),
                                         .target = uid_of(2),
                                         .wants_nack = true,
                                         .members_len = 2,
                                         .members = {SPAN_LITERAL("one"), SPAN_LITERAL("")}};
    const struct span encoded = encode_datagram(&sent);
    struct scratch scratch = fresh();
    struct gossip_datagram got;
    assert_int_equal(gossip_datagram_decode(encoded, 9, &scratch, &got), GOSSIP_OK);
    assert_int_equal(got.kind, GOSSIP_PING_REQUEST);
    assert_int_equal(got.sequence, 77);
    assert_true(got.wants_nack);
    assert_true(gossip_uid_equal(&got.sender, &sent.sender));
    assert_true(gossip_uid_equal(&got.target, &sent.target));
    assert_int_equal(got.members_len, 2);
    assert_true(span_equal(got.members[0], sent.members[0]));
    assert_true(span_is_empty(got.members[1]));
    scratch = fresh();
    assert_int_equal(gossip_datagram_decode(encoded, 8, &scratch, &got), GOSSIP_ERROR_CLUSTER);
}

static void details_and_load_come_back(void **state)
{
    (void)state;
    const struct gossip_details sent = details_of();
    struct writer writer = writer_of(out_buf, sizeof(out_buf));
    gossip_details_encode(&sent, &writer);
    struct scratch scratch = fresh();
    struct gossip_details got;
    assert_int_equal(gossip_details_decode(writer_written(&writer), &scratch, &got), GOSSIP_OK);
    assert_true(span_equal(got.name, sent.name));
    assert_true(span_equal(got.client_address, sent.client_address));
    assert_true(span_equal(got.zone, sent.zone));
    assert_true(span_equal(got.version, sent.version));
    assert_true(gossip_address_equal(&got.cluster_address, &sent.cluster_address));
    assert_int_equal(got.weight, 100);
    assert_int_equal(got.shards, 16);
    assert_int_equal(got.protocol_max, 3);
    assert_true(got.is_draining);

    const struct gossip_load load = {1, 1ull << 40, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    struct gossip_load load_got;
    writer = writer_of(out_buf, sizeof(out_buf));
    gossip_load_encode(&load, &writer);
    scratch = fresh();
    assert_int_equal(gossip_load_decode(writer_written(&writer), &scratch, &load_got), GOSSIP_OK);
    assert_memory_equal(&load, &load_got, sizeof(load));
}

/* Field 90 of type bytes and field 1000 of type varint, which nobody knows today. */
static const uint8_t future[] = {0xd2, 0x05, 0x03, 'n', 'e', 'w', 0xc0, 0x3e, 0x96, 0x01};

static void fields_of_a_later_version_are_forwarded(void **state)
{
    (void)state;
    struct gossip_member sent = {.uid = uid_of(3), .incarnation = 5, .status = GOSSIP_ALIVE};
    uint8_t details[GOSSIP_DETAILS_LEN_MAX];
    struct writer writer = writer_of(details, sizeof(details));
    const struct gossip_details known = details_of();
    gossip_details_encode(&known, &writer);
    writer_put(&writer, span_of(future, sizeof(future)));
    sent.details = writer_written(&writer);
    sent.extra = span_of(future, sizeof(future));

    writer = writer_of(out_buf, sizeof(out_buf));
    gossip_member_encode(&sent, &writer);
    struct scratch scratch = fresh();
    struct gossip_member got;
    assert_int_equal(gossip_member_decode(writer_written(&writer), &scratch, &got), GOSSIP_OK);
    assert_true(span_equal(got.extra, sent.extra));
    assert_true(span_equal(got.details, sent.details));
    struct gossip_details got_details;
    assert_int_equal(gossip_details_decode(got.details, &scratch, &got_details), GOSSIP_OK);
    assert_int_equal(got_details.weight, 100);
}

/* As raw bytes, since an encoder of ours would not write them. */
static void what_is_wrong_is_named(void **state)
{
    (void)state;
#define UID "0123456789abcdef"
    static const struct {
        const char *bytes;
        size_t len;
        enum gossip_result result;
    } members[] = {
#define ROW(text, result) {text, sizeof(text) - 1, result}
        ROW("\x0a\x10" UID "\x10\x05\x18\x02", GOSSIP_OK),
        ROW("", GOSSIP_ERROR_UID),
        ROW("\x0a\x03"
            "abc",
            GOSSIP_ERROR_UID),
        ROW("\x0a\x10"
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            GOSSIP_ERROR_UID),
        ROW("\x0a\x10" UID "\x22\x01"
            "x",
            GOSSIP_ERROR_UID),
        ROW("\x0a\x10" UID "\x18\x06", GOSSIP_ERROR_STATUS),
        ROW("\x0a\x10" UID "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", GOSSIP_ERROR_STATUS),
        ROW("\x0a\x10" UID "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            GOSSIP_ERROR_INCARNATION),
        ROW("\x0a\x11" UID, GOSSIP_ERROR_FORMAT),
        ROW("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" UID, GOSSIP_ERROR_FORMAT),
        ROW("\x0b", GOSSIP_ERROR_FORMAT),
        ROW("\x02\x00", GOSSIP_ERROR_FORMAT),
        ROW("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", GOSSIP_ERROR_FORMAT),
#undef ROW
    };
#undef UID
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        struct scratch scratch = fresh();
        struct gossip_member got;
        assert_int_equal(gossip_member_decode(span_of(members[i].bytes, members[i].len), &scratch,
                                              &got),
                         members[i].result);
    }
}

static enum gossip_result decode_changed(const struct gossip_details *details)
{
    uint8_t buf[2048];
    struct writer writer = writer_of(buf, sizeof(buf));
    gossip_details_encode(details, &writer);
    struct scratch scratch = fresh();
    struct gossip_details got;
    return gossip_details_decode(writer_written(&writer), &scratch, &got);
}

static void details_are_checked(void **state)
{
    (void)state;
    static const char letters[GOSSIP_NAME_LEN_MAX + 1] = {0};
    struct gossip_details details = details_of();
    assert_int_equal(decode_changed(&details), GOSSIP_OK);
    details.name = span_of("\xff", 1);
    assert_int_equal(decode_changed(&details), GOSSIP_ERROR_TEXT);
    details.name = span_of("a\0b", 3);
    assert_int_equal(decode_changed(&details), GOSSIP_ERROR_TEXT);
    details.name = span_of(letters, sizeof(letters));
    assert_int_equal(decode_changed(&details), GOSSIP_ERROR_SIZE);
    details = details_of();
    details.weight = 0;
    assert_int_equal(decode_changed(&details), GOSSIP_ERROR_RANGE);
    details = details_of();
    details.protocol_min = 4;
    assert_int_equal(decode_changed(&details), GOSSIP_ERROR_RANGE);
    details = details_of();
    details.cluster_address.port = 0;
    assert_int_equal(decode_changed(&details), GOSSIP_ERROR_ADDRESS);
    details.cluster_address = (struct gossip_address){.ip_len = 3, .port = 1};
    assert_int_equal(decode_changed(&details), GOSSIP_ERROR_ADDRESS);
}

/* The worst that a datagram of the allowed size can hold, and one step beyond each limit. */
static void limits_come_before_memory(void **state)
{
    (void)state;
    struct gossip_datagram sent = {.sender = uid_of(1),
                                   .members_len = GOSSIP_MEMBERS_A_DATAGRAM_MAX};
    struct gossip_datagram got;
    struct span encoded = encode_datagram(&sent);
    struct scratch scratch = fresh();
    assert_int_equal(gossip_datagram_decode(encoded, 0, &scratch, &got), GOSSIP_OK);
    uint8_t longer[GOSSIP_PAYLOAD_LEN_MAX + 1] = {0};
    memcpy(longer, encoded.at, encoded.len);
    memcpy(longer + encoded.len, "\x7a\x00", 2);
    scratch = fresh();
    assert_int_equal(gossip_datagram_decode(span_of(longer, encoded.len + 2), 0, &scratch, &got),
                     GOSSIP_ERROR_COUNT);
    assert_int_equal(gossip_datagram_decode(span_of(longer, sizeof(longer)), 0, &scratch, &got),
                     GOSSIP_ERROR_SIZE);
    for (size_t at = 0; at + 1 < GOSSIP_PAYLOAD_LEN_MAX; at += 2) {
        memcpy(longer + at, "\x7a\x00", 2);
    }
    scratch = fresh();
    assert_int_equal(gossip_datagram_decode(span_of(longer, GOSSIP_PAYLOAD_LEN_MAX - 1), 0,
                                            &scratch, &got),
                     GOSSIP_ERROR_COUNT);
    assert_int_equal(scratch_room(&scratch), sizeof(room));
}

static void too_little_room_is_an_error_and_never_more(void **state)
{
    (void)state;
    const struct gossip_datagram sent = {.sender = uid_of(1),
                                         .members_len = 3,
                                         .members = {SPAN_LITERAL("a"), SPAN_LITERAL("b"),
                                                     SPAN_LITERAL("c")}};
    const struct span encoded = encode_datagram(&sent);
    size_t enough = 0;
    for (size_t len = 0; len < 4096 && enough == 0; len++) {
        uint8_t *exact = malloc(len + 1);
        assert_non_null(exact);
        struct scratch scratch = scratch_of(exact, len);
        struct gossip_datagram got;
        const enum gossip_result result = gossip_datagram_decode(encoded, 0, &scratch, &got);
        assert_true(result == GOSSIP_OK || result == GOSSIP_ERROR_SPACE);
        enough = result == GOSSIP_OK ? len : 0;
        free(exact);
    }
    assert_true(enough > 0);
}

static void every_cut_is_an_error_or_a_shorter_message(void **state)
{
    (void)state;
    const struct gossip_datagram sent = {.sender = uid_of(1),
                                         .members_len = 1,
                                         .members = {SPAN_LITERAL("member")}};
    const struct span encoded = encode_datagram(&sent);
    for (size_t len = 0; len < encoded.len; len++) {
        struct scratch scratch = fresh();
        struct gossip_datagram got;
        const enum gossip_result result =
            gossip_datagram_decode(span_of(encoded.at, len), 0, &scratch, &got);
        assert_true(result != GOSSIP_OK || got.members_len == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datagram_comes_back),
        cmocka_unit_test(details_and_load_come_back),
        cmocka_unit_test(fields_of_a_later_version_are_forwarded),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(details_are_checked),
        cmocka_unit_test(limits_come_before_memory),
        cmocka_unit_test(too_little_room_is_an_error_and_never_more),
        cmocka_unit_test(every_cut_is_an_error_or_a_shorter_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
