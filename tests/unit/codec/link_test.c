/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of links and their handshake: every cut, every limit, and protobuf-c's opinion. */
#include "codec/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/link.pb-c.h"

enum { ROOM = LINK_HEAD_LEN + LINK_HELLO_LEN_MAX };

static struct link_hello hello_of(void)
{
    struct link_hello hello = {
        .cluster = 0xfedcba98,
        .protocol_min = 2,
        .protocol_max = 300,
        .incarnation = 1767225600000,
    };
    memset(hello.uid.bytes, 0xab, sizeof(hello.uid.bytes));
    memset(hello.wanted.bytes, 0x01, sizeof(hello.wanted.bytes));
    return hello;
}

/* The only frame in the bytes. */
static struct link_frame read_only(struct span bytes)
{
    struct link_frame frame;
    size_t need;
    assert_int_equal(link_frame_read(&bytes, 0, &frame, &need), LINK_OK);
    assert_int_equal(bytes.len, 0);
    return frame;
}

static void expect_same(const struct link_hello *a, const struct link_hello *b)
{
    assert_int_equal(a->cluster, b->cluster);
    assert_int_equal(a->protocol_min, b->protocol_min);
    assert_int_equal(a->protocol_max, b->protocol_max);
    assert_int_equal(a->protocol, b->protocol);
    assert_int_equal(a->incarnation, b->incarnation);
    assert_true(gossip_uid_equal(&a->uid, &b->uid));
    assert_true(gossip_uid_equal(&a->wanted, &b->wanted));
}

static void a_hello_comes_back(void **state)
{
    (void)state;
    for (int is_welcome = 0; is_welcome < 2; is_welcome++) {
        uint8_t bytes[ROOM];
        struct writer writer = writer_of(bytes, sizeof(bytes));
        struct link_hello hello = hello_of();
        struct link_hello seen;
        hello.protocol = is_welcome ? 17 : 0;
        link_hello_write(&hello, is_welcome, &writer);
        assert_false(writer_is_overflown(&writer));
        const struct link_frame frame = read_only(writer_written(&writer));
        assert_int_equal(frame.kind, is_welcome ? LINK_WELCOME : LINK_HELLO);
        assert_int_equal(link_hello_decode(frame.body, is_welcome, &seen), LINK_OK);
        expect_same(&hello, &seen);
        assert_int_equal(link_hello_decode(frame.body, !is_welcome, &seen), LINK_ERROR_PROTOCOL);
    }
}

static void protobuf_c_reads_what_we_write(void **state)
{
    (void)state;
    uint8_t bytes[ROOM];
    struct writer writer = writer_of(bytes, sizeof(bytes));
    struct link_hello hello = hello_of();
    hello.protocol = 3;
    link_hello_write(&hello, true, &writer);
    struct span body = read_only(writer_written(&writer)).body;
    Roost__Link__Hello *theirs = roost__link__hello__unpack(NULL, body.len, body.at);
    assert_non_null(theirs);
    assert_int_equal(theirs->cluster, hello.cluster);
    assert_int_equal(theirs->protocol_min, 2);
    assert_int_equal(theirs->protocol_max, 300);
    assert_int_equal(theirs->protocol, 3);
    assert_int_equal(theirs->incarnation, hello.incarnation);
    assert_int_equal(theirs->uid.len, GOSSIP_UID_LEN);
    assert_memory_equal(theirs->uid.data, hello.uid.bytes, GOSSIP_UID_LEN);
    assert_memory_equal(theirs->wanted.data, hello.wanted.bytes, GOSSIP_UID_LEN);
    uint8_t packed[ROOM];
    assert_int_equal(roost__link__hello__pack(theirs, packed), body.len);
    assert_memory_equal(packed, body.at, body.len);
    roost__link__hello__free_unpacked(theirs, NULL);

    writer = writer_of(bytes, sizeof(bytes));
    link_refusal_write(LINK_REFUSED_STALE, &writer);
    body = read_only(writer_written(&writer)).body;
    Roost__Link__Refusal *refusal = roost__link__refusal__unpack(NULL, body.len, body.at);
    assert_int_equal(refusal->reason, LINK_REFUSED_STALE);
    roost__link__refusal__free_unpacked(refusal, NULL);

    writer = writer_of(bytes, sizeof(bytes));
    link_beat_write(UINT64_MAX, true, &writer);
    body = read_only(writer_written(&writer)).body;
    Roost__Link__Beat *beat = roost__link__beat__unpack(NULL, body.len, body.at);
    assert_true(beat->sent_us == UINT64_MAX);
    roost__link__beat__free_unpacked(beat, NULL);
}

static void refusals_and_beats_come_back(void **state)
{
    (void)state;
    for (int reason = 0; reason < LINK_REFUSAL_COUNT; reason++) {
        uint8_t bytes[ROOM];
        struct writer writer = writer_of(bytes, sizeof(bytes));
        enum link_refusal seen;
        link_refusal_write((enum link_refusal)reason, &writer);
        const struct link_frame frame = read_only(writer_written(&writer));
        assert_int_equal(frame.kind, LINK_REFUSAL);
        assert_int_equal(link_refusal_decode(frame.body, &seen), LINK_OK);
        assert_int_equal(seen, reason);
        assert_true(strlen(link_refusal_text(seen)) > 5);
    }
    static const uint64_t times[] = {0, 1, 127, 128, 1ull << 40, UINT64_MAX};
    for (size_t i = 0; i < 12; i++) {
        uint8_t bytes[ROOM];
        struct writer writer = writer_of(bytes, sizeof(bytes));
        uint64_t seen = 7;
        link_beat_write(times[i / 2], i % 2 == 1, &writer);
        const struct link_frame frame = read_only(writer_written(&writer));
        assert_int_equal(frame.kind, i % 2 == 1 ? LINK_PONG : LINK_PING);
        assert_int_equal(link_beat_decode(frame.body, &seen), LINK_OK);
        assert_true(seen == times[i / 2]);
    }
}

/* A reason of a later version is a reason that we do not know. */
static void a_later_refusal_is_one_too(void **state)
{
    (void)state;
    enum link_refusal seen = LINK_REFUSED_SELF;
    assert_int_equal(link_refusal_decode(SPAN_LITERAL("\x08\x63"), &seen), LINK_OK);
    assert_int_equal(seen, LINK_REFUSED_UNSAID);
}

static void every_cut_of_a_frame_asks_for_the_rest(void **state)
{
    (void)state;
    uint8_t bytes[LINK_HEAD_LEN + 40];
    link_message_head(40, bytes);
    memset(bytes + LINK_HEAD_LEN, 0x5a, 40);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        struct span rest = span_of(bytes, len);
        struct link_frame frame;
        size_t need = 0;
        const enum link_result result = link_frame_read(&rest, 40, &frame, &need);
        if (len == sizeof(bytes)) {
            assert_int_equal(result, LINK_OK);
            assert_int_equal(frame.kind, LINK_MESSAGE);
            assert_int_equal(frame.body.len, 40);
        } else {
            assert_int_equal(result, LINK_MORE);
            assert_int_equal(rest.len, len);
            assert_int_equal(need, len < LINK_HEAD_LEN ? LINK_HEAD_LEN : sizeof(bytes));
        }
    }
}

struct frame_case {
    const char *bytes;
    size_t len;
    uint32_t message_len_max;
    enum link_result result;
};

static void limits_come_first(void **state)
{
    (void)state;
    static const struct frame_case cases[] = {
        {"\x00\x00\x00\x00", 4, 100, LINK_ERROR_EMPTY},
        {"\x00\x00\x00\x65\x06", 5, 100, LINK_MORE},
        {"\x00\x00\x00\x66\x06", 5, 100, LINK_ERROR_SIZE},
        {"\x00\x00\x01\x01\x01", 5, 100, LINK_MORE},
        {"\x00\x00\x01\x02", 4, 100, LINK_ERROR_SIZE},
        {"\x00\x00\x01\x02", 4, 1000, LINK_MORE},
        {"\x00\x00\x01\x02\x01", 5, 1000, LINK_ERROR_SIZE},
        {"\x00\x00\x01\x02\x06", 5, 1000, LINK_MORE},
        {"\x80\x00\x00\x00", 4, LINK_MESSAGE_LEN_MAX, LINK_ERROR_SIZE},
        {"\xff\xff\xff\xff", 4, LINK_MESSAGE_LEN_MAX, LINK_ERROR_SIZE},
        {"\x16\x03\x01\x00", 4, 1000, LINK_ERROR_TLS},
        {"\x00\x00\x00\x02\x00", 5, 1000, LINK_ERROR_KIND},
        {"\x00\x00\x00\x02\x07", 5, 1000, LINK_ERROR_KIND},
        {"\x00\x00\x00\x02\x06", 5, 0, LINK_ERROR_ORDER},
        {"\x00\x00\x00\x01\x06", 5, 1000, LINK_OK},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span rest = span_of(cases[i].bytes, cases[i].len);
        struct link_frame frame;
        size_t need;
        assert_int_equal(link_frame_read(&rest, cases[i].message_len_max, &frame, &need),
                         cases[i].result);
        assert_true(strlen(link_result_text(cases[i].result)) > 1);
    }
}

#define UID \
    "\x22\x10" \
    "0123456789abcdef"

struct hello_case {
    const char *body;
    size_t len;
    enum link_result result;
};

static void what_is_no_hello_is_refused(void **state)
{
    (void)state;
#define CASE(text, result) \
    { \
        text, sizeof(text) - 1, result \
    }
    static const struct hello_case cases[] = {
        CASE("\x08\x01\x10\x01" UID, LINK_OK),
        CASE("\x08\x01\x10\x01" UID "\x78\x05\x82\x01\x01z", LINK_OK), /* Of a later version. */
        CASE("", LINK_ERROR_PROTOCOL),
        CASE("\x10\x01" UID, LINK_ERROR_PROTOCOL),
        CASE("\x08\x02\x10\x01" UID, LINK_ERROR_PROTOCOL),
        CASE("\x08\x01\x10\x01\x38\x01" UID, LINK_ERROR_PROTOCOL),
        CASE("\x08\x01\x10\x01", LINK_ERROR_UID),
        CASE("\x08\x01\x10\x01\x22\x01x", LINK_ERROR_UID),
        CASE("\x08\x01\x10\x01\x22\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", LINK_ERROR_UID),
        CASE("\x08\x01\x10\x01" UID "\x32\x02xy", LINK_ERROR_UID),
        CASE("\x08\x01\x10\x01" UID "\x28\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
             LINK_ERROR_INCARNATION),
        CASE("\x08\x01\x10\x01" UID "\x18\x05", LINK_ERROR_FORMAT), /* The cluster as a varint. */
        CASE("\x08\x01\x10\x01" UID "\x1d\x01\x02", LINK_ERROR_FORMAT),
        CASE("\x0a\x01\x01", LINK_ERROR_FORMAT),
        CASE("\xff\xff", LINK_ERROR_FORMAT),
    };
#undef CASE
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct link_hello hello;
        const struct span body = span_of(cases[i].body, cases[i].len);
        assert_int_equal(link_hello_decode(body, false, &hello), cases[i].result);
    }
    enum link_refusal refusal;
    uint64_t sent_us;
    assert_int_equal(link_refusal_decode(SPAN_LITERAL("\x08"), &refusal), LINK_ERROR_FORMAT);
    assert_int_equal(link_beat_decode(SPAN_LITERAL("\x0a\x00"), &sent_us), LINK_ERROR_FORMAT);
}

static void both_speak_the_highest_that_both_know(void **state)
{
    (void)state;
    static const uint32_t cases[][5] = {
        {1, 1, 1, 1, 1}, {1, 3, 2, 5, 3}, {2, 5, 1, 3, 3}, {1, 2, 3, 4, 0},
        {3, 4, 1, 2, 0}, {1, 9, 4, 4, 4}, {1, 2, 2, 3, 2},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct link_hello one = {.protocol_min = cases[i][0], .protocol_max = cases[i][1]};
        const struct link_hello other = {.protocol_min = cases[i][2], .protocol_max = cases[i][3]};
        assert_int_equal(link_protocol_choose(&one, &other), cases[i][4]);
        assert_int_equal(link_protocol_choose(&other, &one), cases[i][4]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_comes_back),
        cmocka_unit_test(protobuf_c_reads_what_we_write),
        cmocka_unit_test(refusals_and_beats_come_back),
        cmocka_unit_test(a_later_refusal_is_one_too),
        cmocka_unit_test(every_cut_of_a_frame_asks_for_the_rest),
        cmocka_unit_test(limits_come_first),
        cmocka_unit_test(what_is_no_hello_is_refused),
        cmocka_unit_test(both_speak_the_highest_that_both_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
