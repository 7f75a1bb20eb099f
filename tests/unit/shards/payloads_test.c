/* SPDX-License-Identifier: Apache-2.0 */
/* What is packed comes out again, whatever bytes it is. */
#include "shards/payloads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t id_bytes[CLIENT_ID_LEN] = {0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd,
                                                0xef, 0xf0, 0x0f, 0x10, 0x20, 0x30, 0x40, 0x50};
#define ID_TEXT "00012345-6789-abcd-eff0-0f1020304050"

static void assert_span(struct span span, const char *text, size_t len)
{
    assert_int_equal(span.len, len);
    if (len > 0) {
        assert_memory_equal(span.at, text, len);
    }
}

#define assert_text(span, text) assert_span((span), (text), sizeof(text) - 1)

static void an_identity_comes_back(void **state)
{
    (void)state;
    struct buf *buf =
        identity_make(id_bytes, SPAN_LITERAL("user\0 42"), SPAN_LITERAL("{\"a\":1}"), SPAN_EMPTY);
    assert_non_null(buf);
    const struct identity identity = identity_of(buf);
    assert_memory_equal(identity.client, id_bytes, sizeof(id_bytes));
    assert_text(identity.user, "user\0 42");
    assert_text(identity.conn_info, "{\"a\":1}");
    assert_text(identity.chan_info, "");

    char text[CLIENT_ID_TEXT_LEN];
    const struct client_info info = identity_info(buf, text);
    assert_text(info.client, ID_TEXT);
    assert_text(info.user, "user\0 42");
    assert_text(info.conn_info, "{\"a\":1}");
    assert_text(info.chan_info, "");
    buf_release(buf);
}

static void an_identity_may_be_all_empty(void **state)
{
    (void)state;
    struct buf *buf = identity_make(id_bytes, SPAN_EMPTY, SPAN_EMPTY, SPAN_LITERAL("7"));
    assert_non_null(buf);
    assert_true(span_is_empty(identity_of(buf).user));
    assert_true(span_is_empty(identity_of(buf).conn_info));
    assert_text(identity_of(buf).chan_info, "7");
    buf_release(buf);
}

static void parts_beyond_a_buf_are_refused(void **state)
{
    (void)state;
    /* Never read: the sum of the lengths is what is looked at. */
    const struct span half = span_of(id_bytes, (size_t)UINT32_MAX / 2);
    assert_null(identity_make(id_bytes, half, half, half));
    const struct span huge = span_of(id_bytes, SIZE_MAX - 8);
    const struct publish_request request = {.channel = SPAN_LITERAL("c"), .data = huge};
    assert_null(publish_request_make(&request));
    assert_null(presence_snapshot_make(UINT32_MAX));
}

static void client_ids_are_uuids(void **state)
{
    (void)state;
    char text[CLIENT_ID_TEXT_LEN];
    client_id_format(id_bytes, text);
    assert_memory_equal(text, ID_TEXT, sizeof(text));

    uint8_t id[CLIENT_ID_LEN];
    assert_true(client_id_parse(SPAN_LITERAL(ID_TEXT), id));
    assert_memory_equal(id, id_bytes, sizeof(id));
    assert_true(client_id_parse(SPAN_LITERAL("00012345-6789-ABCD-EFF0-0f1020304050"), id));
    assert_memory_equal(id, id_bytes, sizeof(id));
}

static void other_texts_are_no_client_ids(void **state)
{
    (void)state;
    uint8_t id[CLIENT_ID_LEN] = {9};
    uint8_t before[CLIENT_ID_LEN];
    memcpy(before, id, sizeof(id));
    /* Each byte of a good one replaced by each wrong one in turn. */
    for (size_t i = 0; i < CLIENT_ID_TEXT_LEN; i++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[] = ID_TEXT;
            const bool is_digit = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
                                  (byte >= 'A' && byte <= 'F');
            const bool is_dash_place = text[i] == '-';
            if (is_dash_place ? byte == '-' : is_digit) {
                continue;
            }
            text[i] = (char)byte;
            assert_false(client_id_parse(span_of(text, CLIENT_ID_TEXT_LEN), id));
        }
    }
    for (size_t len = 0; len < CLIENT_ID_TEXT_LEN; len++) {
        assert_false(client_id_parse(span_of(ID_TEXT, len), id));
    }
    assert_false(client_id_parse(SPAN_LITERAL(ID_TEXT "0"), id));
    assert_false(client_id_parse(SPAN_EMPTY, id));
    assert_memory_equal(id, before, sizeof(id));
}

static void a_publish_request_comes_back(void **state)
{
    (void)state;
    const struct publish_request request = {
        .channel = SPAN_LITERAL("news:1"),
        .data = SPAN_LITERAL("{\"n\":\"\xff\"}"),
        .tags = SPAN_LITERAL("{\"t\":\"u\"}"),
        .idempotency_key = SPAN_LITERAL("once"),
        .version_epoch = SPAN_LITERAL("ve"),
        .key = SPAN_LITERAL("k"),
        .version = 1ull << 63 | 5,
        .score = INT64_MIN,
        .time_ms = 1ll << 41,
        .key_mode = KEY_IF_EXISTS,
        .is_removed = true,
    };
    struct buf *buf = publish_request_make(&request);
    assert_non_null(buf);
    const struct publish_request out = publish_request_of(buf);
    assert_true(span_equal(out.channel, request.channel));
    assert_true(span_equal(out.data, request.data));
    assert_true(span_equal(out.tags, request.tags));
    assert_true(span_equal(out.idempotency_key, request.idempotency_key));
    assert_true(span_equal(out.version_epoch, request.version_epoch));
    assert_true(out.version == request.version);
    assert_true(span_equal(out.key, request.key));
    assert_true(out.score == INT64_MIN && out.time_ms == request.time_ms && out.is_removed);
    assert_int_equal(out.key_mode, KEY_IF_EXISTS);
    buf_release(buf);
}

/* Whoever has the page has a count of each of its bufs, and gives them back with it. */
static void a_stream_page_holds_what_is_in_it(void **state)
{
    (void)state;
    struct buf *request =
        publish_request_make(&(struct publish_request){.data = SPAN_LITERAL("1")});
    struct buf *page = stream_page_make(2);
    assert_non_null(request);
    assert_non_null(page);
    assert_int_equal(stream_page_of(page)->len, 2);
    for (uint32_t i = 0; i < 2; i++) {
        buf_share(request, 1);
        stream_page_of(page)->entries[i] =
            (struct stream_page_entry){.request = request, .offset = i + 1};
    }
    assert_int_equal(request->refs, 3);
    stream_page_release(page);
    assert_int_equal(request->refs, 1);
    buf_release(request);
    stream_page_release(NULL);
    assert_null(stream_page_make(UINT32_MAX));
}

static void epochs_come_back_from_their_texts_alone(void **state)
{
    (void)state;
    static const uint64_t epochs[] = {1, 7, 1234567890123456789ull, UINT64_MAX};
    uint8_t room[EPOCH_TEXT_LEN_MAX];
    for (size_t i = 0; i < sizeof(epochs) / sizeof(epochs[0]); i++) {
        assert_true(epoch_parse(epoch_format(epochs[i], room)) == epochs[i]);
    }
    assert_int_equal(epoch_format(0, room).len, 0);
    assert_int_equal(epoch_parse(SPAN_EMPTY), 0);
    static const char *const foreign[] = {
        "0",
        "01",
        "-1",
        "7 ",
        "abcd",
        "\xff\xff",
        "18446744073709551617",
        "184467440737095516150",
        "1e3",
    };
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        const uint64_t epoch = epoch_parse(span_of_text(foreign[i]));
        assert_true(epoch != 0 && epoch % 2 == 0);
    }
}

static void a_session_command_comes_back(void **state)
{
    (void)state;
    const struct session_command command = {
        .kind = SESSION_UNSUBSCRIBE,
        .code = 2000,
        .user = SPAN_LITERAL("u"),
        .client = SPAN_LITERAL(ID_TEXT),
        .session = SPAN_EMPTY,
        .channel = SPAN_LITERAL("chat"),
        .reason = SPAN_LITERAL("server unsubscribe"),
        .whitelist = SPAN_LITERAL("[\"a\"]"),
    };
    struct buf *buf = session_command_make(&command);
    assert_non_null(buf);
    const struct session_command out = session_command_of(buf);
    assert_int_equal(out.kind, SESSION_UNSUBSCRIBE);
    assert_int_equal(out.code, 2000);
    assert_text(out.user, "u");
    assert_text(out.client, ID_TEXT);
    assert_text(out.session, "");
    assert_text(out.channel, "chat");
    assert_text(out.reason, "server unsubscribe");
    assert_text(out.whitelist, "[\"a\"]");
    buf_release(buf);
}

static void the_last_holder_of_a_snapshot_gives_the_identities_back(void **state)
{
    (void)state;
    struct buf *identity = identity_make(id_bytes, SPAN_EMPTY, SPAN_EMPTY, SPAN_EMPTY);
    struct buf *buf = presence_snapshot_make(2);
    assert_non_null(identity);
    assert_non_null(buf);
    assert_int_equal(presence_snapshot_of(buf)->len, 2);
    buf_share(identity, 2);
    presence_snapshot_of(buf)->identities[0] = identity;
    presence_snapshot_of(buf)->identities[1] = identity;
    presence_snapshot_share(buf, 2);
    assert_int_equal(identity->refs, 3);
    presence_snapshot_release(buf);
    presence_snapshot_release(buf);
    assert_int_equal(identity->refs, 3);
    presence_snapshot_release(buf);
    assert_int_equal(identity->refs, 1);
    buf_release(identity);
    presence_snapshot_release(NULL);
}

static void a_survey_is_walked_in_order(void **state)
{
    (void)state;
    enum { CHANNELS = 1000 };
    struct survey_channels list = {0};
    for (uint32_t i = 0; i < CHANNELS; i++) {
        char name[300];
        const int len = snprintf(name, sizeof(name), "%0*u", (int)(i % 256) + 1, i);
        assert_true(survey_channels_add(&list, span_of(name, (size_t)len), i));
        assert_true(list.buf->len <= list.room);
    }
    uint32_t cursor = 0;
    uint32_t clients;
    struct span name;
    for (uint32_t i = 0; i < CHANNELS; i++) {
        char expected[300];
        const int len = snprintf(expected, sizeof(expected), "%0*u", (int)(i % 256) + 1, i);
        assert_true(survey_channels_next(list.buf, &cursor, &name, &clients));
        assert_span(name, expected, (size_t)len);
        assert_int_equal(clients, i);
    }
    assert_false(survey_channels_next(list.buf, &cursor, &name, &clients));
    assert_false(survey_channels_next(list.buf, &cursor, &name, &clients));
    buf_release(list.buf);
}

static void a_survey_takes_names_larger_than_its_steps(void **state)
{
    (void)state;
    char name[10000];
    memset(name, 'x', sizeof(name));
    struct survey_channels list = {0};
    assert_true(survey_channels_add(&list, SPAN_EMPTY, 3));
    assert_true(survey_channels_add(&list, span_of(name, sizeof(name)), 4));
    uint32_t cursor = 0;
    uint32_t clients;
    struct span out;
    assert_true(survey_channels_next(list.buf, &cursor, &out, &clients));
    assert_int_equal(out.len, 0);
    assert_int_equal(clients, 3);
    assert_true(survey_channels_next(list.buf, &cursor, &out, &clients));
    assert_span(out, name, sizeof(name));
    assert_false(survey_channels_next(list.buf, &cursor, &out, &clients));
    buf_release(list.buf);
}

static void an_empty_survey_is_no_buf(void **state)
{
    (void)state;
    uint32_t cursor = 0;
    uint32_t clients;
    struct span name;
    assert_false(survey_channels_next(NULL, &cursor, &name, &clients));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_identity_comes_back),
        cmocka_unit_test(an_identity_may_be_all_empty),
        cmocka_unit_test(parts_beyond_a_buf_are_refused),
        cmocka_unit_test(client_ids_are_uuids),
        cmocka_unit_test(other_texts_are_no_client_ids),
        cmocka_unit_test(a_publish_request_comes_back),
        cmocka_unit_test(a_stream_page_holds_what_is_in_it),
        cmocka_unit_test(epochs_come_back_from_their_texts_alone),
        cmocka_unit_test(a_session_command_comes_back),
        cmocka_unit_test(the_last_holder_of_a_snapshot_gives_the_identities_back),
        cmocka_unit_test(a_survey_is_walked_in_order),
        cmocka_unit_test(a_survey_takes_names_larger_than_its_steps),
        cmocka_unit_test(an_empty_survey_is_no_buf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
