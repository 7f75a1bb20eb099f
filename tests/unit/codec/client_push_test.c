/* SPDX-License-Identifier: Apache-2.0 */
/* A push that was taken apart and put together again is the one that would have been encoded. */
#include "codec/client_push.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TEXT(text) SPAN_LITERAL(text)
#define CONSTANT(text) \
    { \
        (const uint8_t *)("" text), sizeof(text) - 1 \
    }

enum { ROOM = 4096 };

static const struct client_info info = {
    .user = CONSTANT("a \"user\""),
    .client = CONSTANT("the client"),
    .conn_info = CONSTANT("{\"data\":1}"),
};

static const struct client_publication publications[] = {
    {.data = CONSTANT("{\"data\":{\"tags\":{}}}")},
    {.data = CONSTANT("[1,2]"), .offset = 7, .info = &info},
    {.data = CONSTANT("\"}}}\""),
     .offset = UINT64_MAX,
     .tags = CONSTANT("{\"a\":\"1\",\"b\\\"\":\"\\u20ac\",\"c\":\"\"}"),
     .epoch = CONSTANT("abcd"),
     .version = 9,
     .info = &info},
    {.data = CONSTANT("{}"), .key = CONSTANT("a \"key\""), .offset = 2, .score = -1},
    {.key = CONSTANT("gone"), .removed = true},
    {.info = &info, .key = CONSTANT("only"), .tags = CONSTANT("{\"a\":\"1\"}")},
};
enum { PUBLICATIONS_LEN = sizeof(publications) / sizeof(publications[0]) };

static struct span encode(enum client_protocol protocol, uint8_t *room,
                          const struct client_publication *publication)
{
    struct writer out = writer_of(room, ROOM);
    struct client_reply reply = {.kind = CLIENT_REPLY_PUSH};
    reply.push = (struct client_push){.kind = CLIENT_PUSH_PUBLICATION,
                                      .channel = TEXT("ns:\"pub\""),
                                      .publication = *publication};
    client_protocol_encode_reply(protocol, &out, &reply);
    assert_false(writer_is_overflown(&out));
    return writer_written(&out);
}

/* Our JSON has `delta` behind the data, the encoder has it behind the tags. */
static struct span put(enum client_protocol protocol, uint8_t *room,
                       const struct client_push_parts *parts, struct span data, bool is_delta)
{
    struct writer measure = writer_for_measuring();
    struct writer out = writer_of(room, ROOM);
    client_push_put(protocol, &measure, parts, data, is_delta);
    client_push_put(protocol, &out, parts, data, is_delta);
    assert_int_equal(measure.overflow, writer_written_len(&out));
    return writer_written(&out);
}

static void assert_span(struct span a, struct span b)
{
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.at, b.at, a.len);
}

static void the_payload_is_found(void **state)
{
    (void)state;
    for (unsigned protocol = 0; protocol < CLIENT_PROTOCOLS; protocol++) {
        for (size_t i = 0; i < PUBLICATIONS_LEN; i++) {
            uint8_t room[ROOM];
            struct client_push_parts parts;
            const struct span message = encode(protocol, room, &publications[i]);
            assert_true(client_push_take_apart(protocol, message, &parts));
            assert_span(parts.data, publications[i].data);
        }
    }
}

static void protobuf_is_what_is_encoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < PUBLICATIONS_LEN; i++) {
        for (unsigned is_delta = 0; is_delta < 2 && publications[i].data.len > 0; is_delta++) {
            uint8_t room[ROOM];
            uint8_t wanted[ROOM];
            uint8_t made[ROOM];
            struct client_push_parts parts;
            struct client_publication other = publications[i];
            other.data = TEXT("1a\n5@0,;\0\xff");
            other.delta = is_delta;
            assert_true(client_push_take_apart(CLIENT_PROTOBUF,
                                               encode(CLIENT_PROTOBUF, room, &publications[i]),
                                               &parts));
            assert_span(put(CLIENT_PROTOBUF, made, &parts, other.data, is_delta),
                        encode(CLIENT_PROTOBUF, wanted, &other));
        }
    }
}

static void json_has_a_string(void **state)
{
    (void)state;
    uint8_t room[ROOM];
    uint8_t made[ROOM];
    struct client_push_parts parts;
    const struct client_publication publication = {.data = TEXT("{\"a\":1}"), .offset = 3};
    assert_true(
        client_push_take_apart(CLIENT_JSON, encode(CLIENT_JSON, room, &publication), &parts));
    assert_span(put(CLIENT_JSON, made, &parts, parts.data, false),
                TEXT(
                    "{\"push\":{\"channel\":\"ns:\\\"pub\\\"\",\"pub\":{\"data\":\"{\\\"a\\\":1}\","
                    "\"offset\":3}}}"));
    assert_span(put(CLIENT_JSON, made, &parts, TEXT("8\n;"), true),
                TEXT("{\"push\":{\"channel\":\"ns:\\\"pub\\\"\",\"pub\":{\"data\":\"8\\n;\","
                     "\"delta\":true,\"offset\":3}}}"));
}

static void tags_are_read(void **state)
{
    (void)state;
    for (unsigned protocol = 0; protocol < CLIENT_PROTOCOLS; protocol++) {
        for (size_t i = 0; i < 5; i++) {
            uint8_t room[ROOM];
            uint8_t texts[ROOM];
            struct client_push_parts parts;
            struct filter_tags tags;
            assert_true(
                client_push_take_apart(protocol, encode(protocol, room, &publications[i]), &parts));
            /* Wherever the scratch begins. */
            for (size_t at = 0; at < 9; at++) {
                struct scratch scratch =
                    scratch_of(texts + at, CLIENT_PUSH_TAGS_SCRATCH_LEN(parts.after.len));
                assert_int_equal(client_push_read_tags(protocol, &parts, &scratch, &tags),
                                 FILTER_OK);
                assert_int_equal(tags.count, i == 2 ? 3 : 0);
                if (i == 2) {
                    assert_span(tags.list[0].key, TEXT("a"));
                    assert_span(tags.list[0].value, TEXT("1"));
                    assert_span(tags.list[1].key, TEXT("b\""));
                    assert_span(tags.list[1].value, TEXT("\xe2\x82\xac"));
                    assert_span(tags.list[2].key, TEXT("c"));
                    assert_int_equal(tags.list[2].value.len, 0);
                }
                scratch = scratch_of(texts, 8);
                assert_int_equal(client_push_read_tags(protocol, &parts, &scratch, &tags),
                                 i == 2 ? FILTER_ERROR_SPACE : FILTER_OK);
            }
        }
    }
}

static void keys_are_read(void **state)
{
    (void)state;
    for (unsigned protocol = 0; protocol < CLIENT_PROTOCOLS; protocol++) {
        for (size_t i = 0; i < PUBLICATIONS_LEN; i++) {
            uint8_t room[ROOM];
            uint8_t text[16];
            struct client_push_parts parts;
            struct client_push_key key;
            struct filter_tags tags;
            struct scratch scratch = scratch_of(text, sizeof(text));
            assert_true(
                client_push_take_apart(protocol, encode(protocol, room, &publications[i]), &parts));
            assert_true(client_push_read_key(protocol, &parts, &scratch, &key));
            assert_span(key.key, publications[i].key);
            assert_int_equal(key.removed, publications[i].removed);
            assert_int_equal(client_push_publisher(protocol, &parts).len,
                             publications[i].info == NULL ? 0 : info.client.len);
            if (i == PUBLICATIONS_LEN - 1) {
                uint8_t tag[256];
                scratch = scratch_of(tag, sizeof(tag));
                assert_int_equal(client_push_read_tags(protocol, &parts, &scratch, &tags),
                                 FILTER_OK);
                assert_int_equal(tags.count, 1);
            }
            scratch = scratch_of(text, 2);
            assert_int_equal(client_push_read_key(protocol, &parts, &scratch, &key),
                             protocol == CLIENT_PROTOBUF || i != 3);
        }
    }
}

static void others_are_no_publications(void **state)
{
    (void)state;
    static const enum client_push_kind kinds[] = {CLIENT_PUSH_JOIN, CLIENT_PUSH_UNSUBSCRIBE};
    for (unsigned protocol = 0; protocol < CLIENT_PROTOCOLS; protocol++) {
        struct client_push_parts parts;
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
            uint8_t room[ROOM];
            struct writer out = writer_of(room, sizeof(room));
            struct client_reply reply = {.kind = CLIENT_REPLY_PUSH};
            reply.push = (struct client_push){.kind = kinds[i], .channel = TEXT("c")};
            client_protocol_encode_reply(protocol, &out, &reply);
            assert_false(client_push_take_apart(protocol, writer_written(&out), &parts));
        }
        assert_false(client_push_take_apart(protocol, SPAN_EMPTY, &parts));
        assert_false(
            client_push_take_apart(protocol, TEXT("{\"push\":{\"pub\":{\"data\""), &parts));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_payload_is_found),       cmocka_unit_test(protobuf_is_what_is_encoded),
        cmocka_unit_test(json_has_a_string),          cmocka_unit_test(tags_are_read),
        cmocka_unit_test(others_are_no_publications), cmocka_unit_test(keys_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
