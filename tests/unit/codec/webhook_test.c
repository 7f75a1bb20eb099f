/* SPDX-License-Identifier: Apache-2.0 */
/* What webhooks look like, how they are signed, and when they count as taken. */
#include "codec/webhook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct span written(const struct webhook_event *event)
{
    static uint8_t room[1024];
    struct writer out = writer_of(room, sizeof(room));
    webhook_encode_event(&out, event);
    assert_false(writer_is_overflown(&out));
    return writer_written(&out);
}

static void assert_text(struct span got, const char *expected)
{
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.at, expected, got.len);
}

static void events_say_what_happened(void **state)
{
    (void)state;
    assert_text(written(&(struct webhook_event){.type = WEBHOOK_OCCUPIED,
                                                .time_ms = 1,
                                                .channel = SPAN_LITERAL("a\"b")}),
                "{\"time_ms\":1,\"type\":\"occupied\",\"channel\":\"a\\\"b\"}");
    assert_text(written(&(struct webhook_event){.type = WEBHOOK_VACATED,
                                                .time_ms = 2,
                                                .channel = SPAN_LITERAL("a")}),
                "{\"time_ms\":2,\"type\":\"vacated\",\"channel\":\"a\"}");
    assert_text(written(&(struct webhook_event){.type = WEBHOOK_NODE_GONE,
                                                .time_ms = 3,
                                                .run = SPAN_LITERAL("r")}),
                "{\"time_ms\":3,\"type\":\"gone\",\"run\":\"r\"}");
    struct webhook_event event = {
        .type = WEBHOOK_CONNECTED,
        .time_ms = 4,
        .client = SPAN_LITERAL("c"),
        .transport = SPAN_LITERAL("sse"),
        .protocol = SPAN_LITERAL("json"),
        .code = 3000,
        .connected_ms = 3,
    };
    assert_text(written(&event), "{\"time_ms\":4,\"type\":\"connected\",\"client\":\"c\","
                                 "\"user\":\"\",\"transport\":\"sse\",\"protocol\":\"json\"}");
    event.type = WEBHOOK_DISCONNECTED;
    event.user = SPAN_LITERAL("u");
    event.name = SPAN_LITERAL("js");
    event.version = SPAN_LITERAL("1");
    event.meta = SPAN_LITERAL("{\"m\":1}");
    event.reason = SPAN_LITERAL("gone");
    assert_text(written(&event),
                "{\"time_ms\":4,\"type\":\"disconnected\",\"client\":\"c\",\"user\":\"u\","
                "\"transport\":\"sse\",\"protocol\":\"json\",\"name\":\"js\",\"version\":\"1\","
                "\"meta\":{\"m\":1},\"connected_ms\":3,\"code\":3000,\"reason\":\"gone\"}");
}

static void a_batch_says_where_it_comes_from(void **state)
{
    (void)state;
    uint8_t room[256];
    struct writer out = writer_of(room, sizeof(room));
    struct webhook_batch batch = webhook_batch_begin(&out);
    webhook_batch_add(&batch, SPAN_LITERAL("{\"a\":1}"));
    webhook_batch_add(&batch, SPAN_LITERAL("{}"));
    webhook_batch_begin_nodes(&batch);
    webhook_batch_add(&batch, SPAN_LITERAL("{\"n\":1}"));
    webhook_batch_end(&batch, &(struct webhook_source){.node = SPAN_LITERAL("n"),
                                                       .run = SPAN_LITERAL("r"),
                                                       .number = 2,
                                                       .seq = 3,
                                                       .lost = 4});
    assert_text(writer_written(&out),
                "{\"events\":[{\"a\":1},{}],\"nodes\":[{\"n\":1}],\"node\":\"n\",\"run\":\"r\","
                "\"source\":2,\"seq\":3,\"lost\":4}");
}

/* Made with: printf '1697206286.{"events":[]}' | openssl dgst -sha256 -hmac key */
static void a_signature_is_of_the_time_and_the_body(void **state)
{
    (void)state;
    uint8_t room[WEBHOOK_SIGNATURE_LINE_MAX];
    struct writer out = writer_of(room, sizeof(room));
    webhook_write_signature(&out, SPAN_LITERAL("key"), 1697206286, SPAN_LITERAL("{\"events\":[]}"));
    assert_text(writer_written(&out),
                "X-Roost-Signature: t=1697206286,"
                "v1=0aface45d8d48d1f10b2f8e1a86668f94a66833feb73502459f1ecb7e4da7c98\r\n");
}

static void what_is_taken(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *body;
        bool is_taken;
    } cases[] = {
        {200, "", true},
        {204, "", true},
        {299, "{}", true},
        {200, "{\"result\":{}}", true},
        {200, "{\"error\":null,\"result\":{}}", true},
        {200, "thank you", true},
        {200, "[\"error\"]", true},
        {200, "{\"result\":{\"error\":{}}}", true},
        {200, "{\"error\":{\"code\":100}}", false},
        {200, "{\"result\":{},\"error\":{\"code\":100}}", false},
        {200, "{\"err\\u006fr\":1}", false},
        {199, "{}", false},
        {300, "{}", false},
        {302, "", false},
        {404, "{}", false},
        {500, "", false},
        {0, "", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(webhook_is_taken(cases[i].status, span_of_text(cases[i].body)),
                         cases[i].is_taken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_say_what_happened),
        cmocka_unit_test(a_batch_says_where_it_comes_from),
        cmocka_unit_test(a_signature_is_of_the_time_and_the_body),
        cmocka_unit_test(what_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
