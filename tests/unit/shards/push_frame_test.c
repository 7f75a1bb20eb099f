/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes as frames, and as the values that cross to another node and become the same frames there.
 */
#include "shards/channel/push_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CLIENT "00112233-4455-6677-8899-aabbccddeeff"
#define BOTH (CLIENT_PROTOCOL_BIT(CLIENT_JSON) | CLIENT_PROTOCOL_BIT(CLIENT_PROTOBUF))

static char large[100000];

static const struct client_info ann = {
    .user = SPAN_LITERAL("ann"),
    .client = SPAN_LITERAL(CLIENT),
    .conn_info = SPAN_LITERAL("{\"name\": \"Ann\"}"),
    .chan_info = SPAN_LITERAL("[1]"),
};
static const struct client_info nobody = {.client = SPAN_LITERAL(CLIENT)};

static void same_frames(const struct client_push *one, const struct client_push *other)
{
    for (uint32_t protocols = 0; protocols <= BOTH; protocols++) {
        uint32_t at[2] = {7, 8};
        struct buf *left = push_frames_make(one, protocols, &at[0]);
        struct buf *right = push_frames_make(other, protocols, &at[1]);
        assert_non_null(left);
        assert_non_null(right);
        assert_int_equal(at[0], at[1]);
        assert_int_equal(left->len, right->len);
        assert_memory_equal(left->bytes, right->bytes, left->len);
        buf_release(left);
        buf_release(right);
    }
}

/* As the far node does: channel, offset and epoch come beside the values. */
static void crosses(const struct client_push *push, bool is_json)
{
    struct buf *values = push_values_make(push, is_json);
    struct push_values read = {.push.kind = push->kind};
    assert_non_null(values);
    assert_true(push_values_read(span_of(values->bytes, values->len), &read));
    assert_int_equal(read.is_json, is_json);
    read.push.channel = push->channel;
    if (push->kind == CLIENT_PUSH_PUBLICATION) {
        read.push.publication.offset = push->publication.offset;
        read.push.publication.epoch = push->publication.epoch;
    }
    same_frames(push, &read.push);
    buf_release(values);
}

static void what_crosses_becomes_the_same_frames(void **state)
{
    (void)state;
    memset(large, 'x', sizeof(large));
    large[0] = large[sizeof(large) - 1] = '"';
    const struct client_publication publications[] = {
        {.data = SPAN_LITERAL("1")},
        {.data = SPAN_LITERAL("{\n \"a\" :\r\n [1, 2]\n}")},
        {.data = SPAN_LITERAL("\"x\""), .offset = 1, .epoch = SPAN_LITERAL("abcd")},
        {.data = SPAN_LITERAL("null"), .offset = UINT64_MAX, .version = 5},
        {.data = SPAN_LITERAL("{}"), .tags = SPAN_LITERAL("{\"a\":\"b\"}"), .info = &ann},
        {.data = SPAN_LITERAL("[]"), .info = &nobody},
        {.data = span_of(large, sizeof(large)), .offset = 77},
    };
    for (size_t i = 0; i < sizeof(publications) / sizeof(publications[0]); i++) {
        const struct client_push push = {
            .kind = CLIENT_PUSH_PUBLICATION,
            .channel = SPAN_LITERAL("news"),
            .publication = publications[i],
        };
        crosses(&push, true);
        crosses(&push, false);
    }
    struct client_push push = {.channel = SPAN_LITERAL("who")};
    push.kind = CLIENT_PUSH_JOIN;
    push.join = ann;
    crosses(&push, true);
    push.kind = CLIENT_PUSH_LEAVE;
    push.leave = nobody;
    crosses(&push, false);
}

static void values_that_are_none_are_refused(void **state)
{
    (void)state;
    struct push_values read = {.push.kind = CLIENT_PUSH_PUBLICATION};
    assert_false(push_values_read(SPAN_LITERAL("\x12"), &read));
    assert_true(push_values_read(SPAN_LITERAL("\x12\x01x"), &read));
    assert_true(span_equal(read.push.publication.data, SPAN_LITERAL("x")));
    assert_null(read.push.publication.info);
    /* Nobody joins. */
    read.push.kind = CLIENT_PUSH_JOIN;
    assert_false(push_values_read(SPAN_LITERAL("\x12\x01x"), &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_crosses_becomes_the_same_frames),
        cmocka_unit_test(values_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
