/* SPDX-License-Identifier: Apache-2.0 */
/* The client protocol in Protobuf: frames, refusals, and the same values as JSON and protobuf-c. */
#include "codec/client_protobuf.h"

#include "codec/client_json.h"
#include "tests/unit/codec/protobuf_oracle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define BYTES(literal) \
    { \
        (const uint8_t *)("" literal), sizeof(literal) - 1 \
    }

static void assert_text(struct span got, const char *wanted)
{
    if (!span_equal(got, span_of_text(wanted))) {
        fail_msg("got %.*s, wanted %s", (int)got.len, (const char *)got.at, wanted);
    }
}

static void frames_are_split_into_messages(void **state)
{
    (void)state;
    static const struct {
        struct span frame;
        size_t messages;
        enum protobuf_result end;
    } rows[] = {
        {BYTES("\0"), 1, PROTOBUF_DONE},
        {BYTES("\0\0"), 2, PROTOBUF_DONE},
        {BYTES("\x02\x08\x01"), 1, PROTOBUF_DONE},
        {BYTES("\x02\x08\x01\x00\x02\x08\x02"), 3, PROTOBUF_DONE},
        {BYTES("\x82\x00\x08\x01"), 1, PROTOBUF_DONE},
        {BYTES(""), 0, PROTOBUF_ERROR_EMPTY},
        {BYTES("\x02\x08"), 0, PROTOBUF_ERROR_TRUNCATED},
        {BYTES("\x80"), 0, PROTOBUF_ERROR_TRUNCATED},
        {BYTES("\0\x01"), 1, PROTOBUF_ERROR_TRUNCATED},
        {BYTES("\x09"), 0, PROTOBUF_ERROR_TOO_LARGE},
        {BYTES("\xff\xff\xff\xff\x0f"), 0, PROTOBUF_ERROR_TOO_LARGE},
        {BYTES("\xff\xff\xff\xff\x1f"), 0, PROTOBUF_ERROR_VARINT},
        {BYTES("\x80\x80\x80\x80\x80\x00"), 0, PROTOBUF_ERROR_VARINT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct client_protobuf_frame frame;
        struct span message;
        size_t count = 0;
        enum protobuf_result result;
        client_protobuf_frame_begin(&frame, rows[i].frame, 8);
        while ((result = client_protobuf_frame_next(&frame, &message)) == PROTOBUF_OK) {
            count++;
        }
        assert_int_equal(count, rows[i].messages);
        assert_int_equal(result, rows[i].end);
        assert_int_equal(client_protobuf_frame_next(&frame, &message), rows[i].end);
    }
}

static enum protobuf_result decode(struct span message, struct scratch *scratch,
                                   struct client_command *out)
{
    return client_protobuf_decode_command(message, scratch, out);
}

static void commands_are_refused_precisely(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct span message;
        enum protobuf_result result;
    } rows[] = {
        {"a pong", BYTES(""), PROTOBUF_OK},
        {"an unknown varint", BYTES("\x10\x05"), PROTOBUF_OK},
        {"an unknown fixed64", BYTES("\x11\1\2\3\4\5\6\7\x08"), PROTOBUF_OK},
        {"an unknown fixed32", BYTES("\x15\1\2\3\4"), PROTOBUF_OK},
        {"an unknown field of a large number", BYTES("\xfa\xff\xff\xff\x0f\x01x"), PROTOBUF_OK},
        {"a tag of five bytes that needs one", BYTES("\x88\x80\x80\x80\x00\x01"), PROTOBUF_OK},
        {"half a tag", BYTES("\x88"), PROTOBUF_ERROR_TRUNCATED},
        {"a tag alone", BYTES("\x08"), PROTOBUF_ERROR_TRUNCATED},
        {"half a fixed64", BYTES("\x11\1\2\3\4\5\6\7"), PROTOBUF_ERROR_TRUNCATED},
        {"half a fixed32", BYTES("\x15\1\2\3"), PROTOBUF_ERROR_TRUNCATED},
        {"bytes beyond the end", BYTES("\x3a\x03\x0a\x01"), PROTOBUF_ERROR_TRUNCATED},
        {"a field number 0", BYTES("\x00\x01"), PROTOBUF_ERROR_TAG},
        {"a group", BYTES("\x13\x14"), PROTOBUF_ERROR_WIRE_TYPE},
        {"wire type 6", BYTES("\x16"), PROTOBUF_ERROR_WIRE_TYPE},
        {"wire type 7", BYTES("\x17"), PROTOBUF_ERROR_WIRE_TYPE},
        {"an id of bytes", BYTES("\x0a\x01x"), PROTOBUF_ERROR_WIRE_TYPE},
        {"a publish that is a number", BYTES("\x38\x01"), PROTOBUF_ERROR_WIRE_TYPE},
        {"a channel that is a number", BYTES("\x3a\x02\x08\x01"), PROTOBUF_ERROR_WIRE_TYPE},
        {"a type that is bytes", BYTES("\x3a\x02\x1a\x00"), PROTOBUF_ERROR_WIRE_TYPE},
        {"a tag of six bytes", BYTES("\x88\x80\x80\x80\x80\x00\x01"), PROTOBUF_ERROR_VARINT},
        {"a varint of eleven bytes", BYTES("\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"),
         PROTOBUF_ERROR_VARINT},
        {"a varint of 65 bits", BYTES("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
         PROTOBUF_ERROR_VARINT},
        {"an id of 33 bits", BYTES("\x08\x80\x80\x80\x80\x10"), PROTOBUF_ERROR_RANGE},
        {"a type of 2^32", BYTES("\x3a\x06\x18\x80\x80\x80\x80\x10"), PROTOBUF_ERROR_RANGE},
        {"a channel that is not UTF-8", BYTES("\x3a\x03\x0a\x01\xff"), PROTOBUF_ERROR_UTF8},
        {"a header that is not UTF-8", BYTES("\x22\x05\x32\x03\x0a\x01\xff"), PROTOBUF_ERROR_UTF8},
        {"an untrack that is not UTF-8", BYTES("\x7a\x03\x2a\x01\xff"), PROTOBUF_ERROR_UTF8},
        {"subs whose entry is broken", BYTES("\x22\x03\x1a\x01\x0a"), PROTOBUF_ERROR_TRUNCATED},
        {"two publishes", BYTES("\x3a\x00\x3a\x00"), PROTOBUF_ERROR_DOUBLED},
        {"two filters", BYTES("\x2a\x04\x6a\x00\x6a\x00"), PROTOBUF_ERROR_DOUBLED},
        {"two positions", BYTES("\x52\x04\x42\x00\x42\x00"), PROTOBUF_ERROR_DOUBLED},
        {"a history before a connect whose subs are broken", BYTES("\x52\x00\x22\x03\x1a\x01\x0a"),
         PROTOBUF_ERROR_TRUNCATED},
        {"an outranked filter that is broken", BYTES("\x22\x00\x2a\x03\x6a\x01\x0a"),
         PROTOBUF_ERROR_TRUNCATED},
        {"a filter that is broken and then outranked", BYTES("\x2a\x03\x6a\x01\x0a\x22\x00"),
         PROTOBUF_ERROR_TRUNCATED},
        {"an outranked request that is broken", BYTES("\x2a\x00\x3a\x02\x08\x01"),
         PROTOBUF_ERROR_WIRE_TYPE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t buf[256];
        struct scratch scratch = scratch_of(buf, sizeof(buf));
        struct client_command command;
        const enum protobuf_result result = decode(rows[i].message, &scratch, &command);
        if (result != rows[i].result) {
            fail_msg("%s: %s", rows[i].what, protobuf_result_text(result));
        }
    }
}

static void the_first_request_in_rank_counts(void **state)
{
    (void)state;
    struct scratch scratch = scratch_of(NULL, 0);
    struct client_command command;
    /* id 7; publish to "p", presence of "q", subscribe to "s", in this order. */
    static const struct span message =
        BYTES("\x08\x07\x3a\x03\x0a\x01p\x42\x03\x0a\x01q\x2a\x03\x0a\x01s");
    assert_int_equal(decode(message, &scratch, &command), PROTOBUF_OK);
    assert_int_equal(command.id, 7);
    assert_int_equal(command.method, CLIENT_METHOD_SUBSCRIBE);
    assert_text(command.subscribe.channel, "s");
}

static void doubled_fields_end_with_the_last(void **state)
{
    (void)state;
    struct scratch scratch = scratch_of(NULL, 0);
    struct client_command command;
    /* Two ids, and the channels "a" and "b" in one publish. */
    static const struct span message = BYTES("\x08\x07\x3a\x06\x0a\x01"
                                             "a\x0a\x01"
                                             "b\x08\x09");
    assert_int_equal(decode(message, &scratch, &command), PROTOBUF_OK);
    assert_int_equal(command.id, 9);
    assert_text(command.publish.channel, "b");
}

static void signs_of_32_bits_are_understood(void **state)
{
    (void)state;
    static const struct {
        struct span message;
        int32_t type;
    } rows[] = {
        {BYTES("\x3a\x0b\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), -1},
        {BYTES("\x3a\x06\x18\xff\xff\xff\xff\x0f"), -1},
        {BYTES("\x3a\x06\x18\xff\xff\xff\xff\x07"), INT32_MAX},
        {BYTES("\x3a\x06\x18\x80\x80\x80\x80\x08"), INT32_MIN},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scratch scratch = scratch_of(NULL, 0);
        struct client_command command;
        assert_int_equal(decode(rows[i].message, &scratch, &command), PROTOBUF_OK);
        assert_int_equal(command.publish.type, rows[i].type);
    }
}

/* `depth` nodes, each but the innermost within `nodes` of another, as the tf of a subscribe. */
static struct span nested_filter(uint8_t *buf, size_t len, uint32_t depth)
{
    enum { NODES_TAG = 6 << 3 | 2, TF_TAG = 13 << 3 | 2, SUBSCRIBE_TAG = 5 << 3 | 2 };
    struct span node = SPAN_EMPTY;
    uint8_t *at = buf + len;
    for (uint32_t i = 1; i <= depth + 1; i++) {
        uint8_t header[16];
        struct writer writer = writer_of(header, sizeof(header));
        writer_put_byte(&writer, i < depth ? NODES_TAG : i == depth ? TF_TAG : SUBSCRIBE_TAG);
        protobuf_put_varint(&writer, node.len);
        at -= writer_written_len(&writer);
        memcpy(at, header, writer_written_len(&writer));
        node = span_between(at, buf + len);
    }
    return node;
}

static void filters_nest_as_deep_as_the_limit(void **state)
{
    (void)state;
    uint8_t buf[512];
    uint8_t room[2048];
    struct client_command command;
    struct scratch scratch = scratch_of(room, sizeof(room));
    const struct span deep = nested_filter(buf, sizeof(buf), CLIENT_PROTOBUF_FILTER_DEPTH_MAX);
    assert_int_equal(decode(deep, &scratch, &command), PROTOBUF_OK);
    assert_int_equal(command.method, CLIENT_METHOD_SUBSCRIBE);
    assert_int_equal(json_check(command.subscribe.tf), JSON_OK);
    size_t braces = 0;
    for (size_t i = 0; i < command.subscribe.tf.len; i++) {
        braces += command.subscribe.tf.at[i] == '{' ? 1 : 0;
    }
    assert_int_equal(braces, CLIENT_PROTOBUF_FILTER_DEPTH_MAX);
    const struct span deeper =
        nested_filter(buf, sizeof(buf), CLIENT_PROTOBUF_FILTER_DEPTH_MAX + 1);
    assert_int_equal(decode(deeper, &scratch, &command), PROTOBUF_ERROR_DEPTH);
}

static void an_empty_filter_is_there_all_the_same(void **state)
{
    (void)state;
    uint8_t room[16];
    struct scratch scratch = scratch_of(room, sizeof(room));
    struct client_command command;
    static const struct span message = BYTES("\x2a\x02\x6a\x00");
    assert_int_equal(decode(message, &scratch, &command), PROTOBUF_OK);
    assert_text(command.subscribe.tf, "{}");
}

static void payloads_of_subs_are_kept_when_they_are_json(void **state)
{
    (void)state;
    static const struct {
        struct span message;
        const char *subs;
    } rows[] = {
        {BYTES("\x22\x0a\x1a\x08\x0a\x01"
               "c\x12\x03\x42\x01\x37"),
         "{\"c\":{\"data\":7}}"},
        {BYTES("\x22\x0a\x1a\x08\x0a\x01"
               "c\x12\x03\x42\x01\xff"),
         "{\"c\":{}}"},
        {BYTES("\x22\x05\x1a\x03\x0a\x01"
               "c"),
         "{\"c\":{}}"},
        {BYTES("\x22\x02\x1a\x00"), "{\"\":{}}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t room[64];
        struct scratch scratch = scratch_of(room, sizeof(room));
        struct client_command command;
        assert_int_equal(decode(rows[i].message, &scratch, &command), PROTOBUF_OK);
        assert_text(command.connect.subs, rows[i].subs);
    }
}

static void the_ping_is_one_zero_byte(void **state)
{
    (void)state;
    uint8_t buf[4];
    struct writer writer = writer_of(buf, sizeof(buf));
    const struct client_reply ping = {.kind = CLIENT_REPLY_PING};
    client_protobuf_encode_reply(&writer, &ping);
    assert_true(span_equal(writer_written(&writer), SPAN_LITERAL(CLIENT_PROTOBUF_PING)));
}

static void tags_are_taken_out_of_their_json(void **state)
{
    (void)state;
    static const struct span tags = BYTES("{ \"a\\n\": \"\\ud83d\\ude00\\ud800\\ud83d\\ude00\\u00e9"
                                          "\", \"b\":null, \"c\":1, \"\":\"\\\\\" }");
    const struct client_push push = {.kind = CLIENT_PUSH_PUBLICATION,
                                     .publication = {.tags = tags}};
    uint8_t buf[128];
    struct writer writer = writer_of(buf, sizeof(buf));
    client_protobuf_encode_push(&writer, &push);
    struct span rest = writer_written(&writer);
    struct span message;
    assert_int_equal(protobuf_read_delimited(&rest, sizeof(buf), &message), PROTOBUF_OK);
    Roost__Client__Push *got = roost__client__push__unpack(NULL, message.len, message.at);
    assert_non_null(got);
    assert_int_equal(got->pub->n_tags, 3);
    assert_string_equal(got->pub->tags[0]->key, "a\n");
    assert_string_equal(got->pub->tags[0]->value,
                        "\xf0\x9f\x98\x80\xef\xbf\xbd\xf0\x9f\x98\x80\xc3\xa9");
    assert_string_equal(got->pub->tags[1]->key, "b");
    assert_string_equal(got->pub->tags[1]->value, "");
    assert_string_equal(got->pub->tags[2]->key, "");
    assert_string_equal(got->pub->tags[2]->value, "\\");
    roost__client__push__free_unpacked(got, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_split_into_messages),
        cmocka_unit_test(commands_are_refused_precisely),
        cmocka_unit_test(the_first_request_in_rank_counts),
        cmocka_unit_test(doubled_fields_end_with_the_last),
        cmocka_unit_test(signs_of_32_bits_are_understood),
        cmocka_unit_test(filters_nest_as_deep_as_the_limit),
        cmocka_unit_test(an_empty_filter_is_there_all_the_same),
        cmocka_unit_test(payloads_of_subs_are_kept_when_they_are_json),
        cmocka_unit_test(the_ping_is_one_zero_byte),
        cmocka_unit_test(tags_are_taken_out_of_their_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
