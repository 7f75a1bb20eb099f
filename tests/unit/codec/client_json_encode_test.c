/* SPDX-License-Identifier: Apache-2.0 */
/* Replies and pushes of the client protocol in JSON, byte for byte, and the tables of codes. */
#include "codec/client_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(literal) \
    { \
        (const uint8_t *)("" literal), sizeof(literal) - 1 \
    }
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void assert_encodes(const struct client_reply *reply, const char *wanted)
{
    uint8_t buf[1024];
    struct writer writer = writer_of(buf, sizeof(buf));
    struct writer measure = writer_for_measuring();
    client_json_encode_reply(&writer, reply);
    client_json_encode_reply(&measure, reply);
    struct span got = writer_written(&writer);
    if (!span_equal(got, span_of_text(wanted))) {
        fail_msg("got    %.*s\nwanted %s", (int)got.len, (const char *)got.at, wanted);
    }
    assert_int_equal(measure.overflow, got.len);
    assert_int_equal(json_check(got), JSON_OK);
}

static const struct client_info nobody;
static const struct client_info somebody = {
    .user = TEXT("u\"1"),
    .client = TEXT("c1"),
    .conn_info = TEXT("{\n\"n\": 1}"),
    .chan_info = TEXT("[2]"),
};

static void replies_without_fields_are_short(void **state)
{
    (void)state;
    static const struct {
        struct client_reply reply;
        const char *wanted;
    } rows[] = {
        {{.kind = CLIENT_REPLY_PING}, "{}"},
        {{.id = 1, .kind = CLIENT_REPLY_CONNECT}, "{\"id\":1,\"connect\":{}}"},
        {{.id = 2, .kind = CLIENT_REPLY_SUBSCRIBE}, "{\"id\":2,\"subscribe\":{}}"},
        {{.id = 3, .kind = CLIENT_REPLY_UNSUBSCRIBE}, "{\"id\":3,\"unsubscribe\":{}}"},
        {{.id = 4, .kind = CLIENT_REPLY_PUBLISH}, "{\"id\":4,\"publish\":{}}"},
        {{.id = 5, .kind = CLIENT_REPLY_PRESENCE}, "{\"id\":5,\"presence\":{\"presence\":{}}}"},
        {{.id = 6, .kind = CLIENT_REPLY_PRESENCE_STATS},
         "{\"id\":6,\"presence_stats\":{\"num_clients\":0,\"num_users\":0}}"},
        {{.id = 7, .kind = CLIENT_REPLY_HISTORY},
         "{\"id\":7,\"history\":{\"publications\":[],\"epoch\":\"\",\"offset\":0}}"},
        {{.id = 8, .kind = CLIENT_REPLY_RPC}, "{\"id\":8,\"rpc\":{}}"},
        {{.id = 9, .kind = CLIENT_REPLY_REFRESH}, "{\"id\":9,\"refresh\":{}}"},
        {{.id = UINT32_MAX, .kind = CLIENT_REPLY_SUB_REFRESH},
         "{\"id\":4294967295,\"sub_refresh\":{}}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_encodes(&rows[i].reply, rows[i].wanted);
    }
}

static void errors_have_the_text_of_their_code(void **state)
{
    (void)state;
    struct client_reply reply = {.id = 7,
                                 .kind = CLIENT_REPLY_ERROR,
                                 .error = client_error_reply_of(CLIENT_ERROR_INTERNAL)};
    assert_encodes(&reply, "{\"id\":7,\"error\":{\"code\":100,\"message\":\"internal server "
                           "error\",\"temporary\":true}}");
    reply.error = client_error_reply_of(CLIENT_ERROR_PERMISSION_DENIED);
    assert_encodes(&reply, "{\"id\":7,\"error\":{\"code\":103,\"message\":\"permission denied\"}}");
}

static void a_connect_result_has_all_its_fields(void **state)
{
    (void)state;
    static const struct client_publication publication = {.data = TEXT("{}"), .offset = 3};
    static const struct client_subscription subs[] = {
        {.channel = TEXT("a"), .result = {.recoverable = true, .epoch = TEXT("e")}},
        {.channel = TEXT("b\t"), .result = {.publications = &publication, .publication_count = 1}},
    };
    static const struct client_reply reply = {
        .id = 1,
        .kind = CLIENT_REPLY_CONNECT,
        .connect = {.client = TEXT("id"),
                    .version = TEXT("roost"),
                    .data = TEXT("{\"x\":\n1}"),
                    .session = TEXT("s"),
                    .node = TEXT("n"),
                    .subs = subs,
                    .sub_count = 2,
                    .time_ms = 1700000000000,
                    .ttl_s = 600,
                    .ping_s = 25,
                    .expires = true,
                    .pong = true},
    };
    assert_encodes(&reply, "{\"id\":1,\"connect\":{\"client\":\"id\",\"version\":\"roost\","
                           "\"expires\":true,\"ttl\":600,\"data\":{\"x\":1},\"subs\":{\"a\":{"
                           "\"recoverable\":true,\"epoch\":\"e\"},\"b\\t\":{\"publications\":[{"
                           "\"data\":{},\"offset\":3}]}},\"ping\":25,\"pong\":true,"
                           "\"session\":\"s\",\"node\":\"n\",\"time\":1700000000000}}");
}

static void a_subscribe_result_has_all_its_fields(void **state)
{
    (void)state;
    static const struct client_publication publications[] = {{.data = TEXT("1"), .offset = 1},
                                                             {.data = TEXT("2"), .offset = 2}};
    static const struct client_reply reply = {
        .id = 2,
        .kind = CLIENT_REPLY_SUBSCRIBE,
        .subscribe = {.expires = true,
                      .recoverable = true,
                      .positioned = true,
                      .recovered = true,
                      .was_recovering = true,
                      .delta = true,
                      .ttl_s = 5,
                      .type = 1,
                      .phase = 2,
                      .publish_debounce_ms = 9,
                      .id = -4,
                      .offset = UINT64_MAX,
                      .epoch = TEXT("e"),
                      .data = TEXT("[]"),
                      .cursor = TEXT("k"),
                      .publications = publications,
                      .publication_count = 2,
                      .state = publications,
                      .state_count = 1},
    };
    assert_encodes(&reply, "{\"id\":2,\"subscribe\":{\"expires\":true,\"ttl\":5,"
                           "\"recoverable\":true,\"epoch\":\"e\",\"publications\":[{\"data\":1,"
                           "\"offset\":1},{\"data\":2,\"offset\":2}],\"recovered\":true,"
                           "\"offset\":18446744073709551615,\"positioned\":true,\"data\":[],"
                           "\"was_recovering\":true,\"delta\":true,\"id\":-4,\"type\":1,"
                           "\"phase\":2,\"cursor\":\"k\",\"state\":[{\"data\":1,\"offset\":1}],"
                           "\"publish_debounce\":9}}");
}

static void presence_history_and_refresh_have_their_fields(void **state)
{
    (void)state;
    static const struct client_info clients[] = {{.user = TEXT("u"), .client = TEXT("a")},
                                                 {.client = TEXT("b"), .conn_info = TEXT("1")}};
    static const struct client_publication publication = {.data = TEXT("\"x\""), .offset = 9};
    static const struct {
        struct client_reply reply;
        const char *wanted;
    } rows[] = {
        {{.id = 1, .kind = CLIENT_REPLY_PRESENCE, .presence = {clients, 2}},
         "{\"id\":1,\"presence\":{\"presence\":{\"a\":{\"user\":\"u\",\"client\":\"a\"},"
         "\"b\":{\"user\":\"\",\"client\":\"b\",\"conn_info\":1}}}}"},
        {{.id = 1, .kind = CLIENT_REPLY_PRESENCE_STATS, .presence_stats = {3, 2}},
         "{\"id\":1,\"presence_stats\":{\"num_clients\":3,\"num_users\":2}}"},
        {{.id = 1, .kind = CLIENT_REPLY_HISTORY, .history = {&publication, 1, TEXT("e"), 9}},
         "{\"id\":1,\"history\":{\"publications\":[{\"data\":\"x\",\"offset\":9}],\"epoch\":\"e\","
         "\"offset\":9}}"},
        {{.id = 1, .kind = CLIENT_REPLY_RPC, .rpc = {TEXT("{\"y\":2}")}},
         "{\"id\":1,\"rpc\":{\"data\":{\"y\":2}}}"},
        {{.id = 1, .kind = CLIENT_REPLY_REFRESH, .refresh = {TEXT("c"), TEXT("v"), true, 60}},
         "{\"id\":1,\"refresh\":{\"client\":\"c\",\"version\":\"v\",\"expires\":true,\"ttl\":60}}"},
        {{.id = 1, .kind = CLIENT_REPLY_SUB_REFRESH, .sub_refresh = {.expires = true, .ttl_s = 60}},
         "{\"id\":1,\"sub_refresh\":{\"expires\":true,\"ttl\":60}}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_encodes(&rows[i].reply, rows[i].wanted);
    }
}

static const struct {
    struct client_push push;
    const char *wanted;
} push_rows[] = {
    {{.kind = CLIENT_PUSH_PUBLICATION,
      .channel = TEXT("c"),
      .publication = {.data = TEXT("{\"a\":1}"), .offset = 3}},
     "{\"channel\":\"c\",\"pub\":{\"data\":{\"a\":1},\"offset\":3}}"},
    {{.kind = CLIENT_PUSH_PUBLICATION,
      .channel = TEXT("c"),
      .publication = {.data = TEXT("\"d\""),
                      .info = &somebody,
                      .tags = TEXT("{\"k\":\"v\"}"),
                      .epoch = TEXT("e"),
                      .channel = TEXT("o"),
                      .key = TEXT("k"),
                      .offset = 1,
                      .version = 8,
                      .time_ms = -1,
                      .score = -2,
                      .delta = true,
                      .removed = true}},
     "{\"channel\":\"c\",\"pub\":{\"data\":\"d\",\"info\":{\"user\":\"u\\\"1\",\"client\":\"c1\","
     "\"conn_info\":{\"n\": 1},\"chan_info\":[2]},\"offset\":1,\"tags\":{\"k\":\"v\"},"
     "\"delta\":true,\"time\":-1,\"channel\":\"o\",\"key\":\"k\",\"removed\":true,\"score\":-2,"
     "\"epoch\":\"e\",\"version\":8}}"},
    {{.kind = CLIENT_PUSH_PUBLICATION, .channel = TEXT("c"), .publication = {.info = &nobody}},
     "{\"channel\":\"c\",\"pub\":{\"info\":{\"user\":\"\",\"client\":\"\"}}}"},
    {{.kind = CLIENT_PUSH_JOIN, .channel = TEXT("c"), .join = {.client = TEXT("i")}},
     "{\"channel\":\"c\",\"join\":{\"info\":{\"user\":\"\",\"client\":\"i\"}}}"},
    {{.kind = CLIENT_PUSH_LEAVE, .channel = TEXT("c"), .leave = {.user = TEXT("u")}},
     "{\"channel\":\"c\",\"leave\":{\"info\":{\"user\":\"u\",\"client\":\"\"}}}"},
    {{.kind = CLIENT_PUSH_UNSUBSCRIBE,
      .channel = TEXT("c"),
      .unsubscribe = {2000, TEXT("server unsubscribe")}},
     "{\"channel\":\"c\",\"unsubscribe\":{\"code\":2000,\"reason\":\"server unsubscribe\"}}"},
    {{.kind = CLIENT_PUSH_MESSAGE, .message = {TEXT("5")}}, "{\"message\":{\"data\":5}}"},
    {{.kind = CLIENT_PUSH_SUBSCRIBE,
      .channel = TEXT("c"),
      .subscribe = {true, true, 4, TEXT("e"), TEXT("0")}},
     "{\"channel\":\"c\",\"subscribe\":{\"recoverable\":true,\"epoch\":\"e\",\"offset\":4,"
     "\"positioned\":true,\"data\":0}}"},
    {{.kind = CLIENT_PUSH_CONNECT, .connect = {.client = TEXT("i"), .ping_s = 25}},
     "{\"connect\":{\"client\":\"i\",\"ping\":25}}"},
    {{.kind = CLIENT_PUSH_DISCONNECT, .disconnect = {3001, TEXT("shutdown")}},
     "{\"disconnect\":{\"code\":3001,\"reason\":\"shutdown\"}}"},
    {{.kind = CLIENT_PUSH_REFRESH, .refresh = {.expires = true, .ttl_s = 9}},
     "{\"refresh\":{\"expires\":true,\"ttl\":9}}"},
};

static void pushes_have_their_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(push_rows); i++) {
        char wanted[512];
        snprintf(wanted, sizeof(wanted), "{\"push\":%s}", push_rows[i].wanted);
        struct client_reply reply = {.kind = CLIENT_REPLY_PUSH, .push = push_rows[i].push};
        assert_encodes(&reply, wanted);

        uint8_t buf[512];
        struct writer writer = writer_of(buf, sizeof(buf));
        client_json_encode_push(&writer, &push_rows[i].push);
        assert_true(span_equal(writer_written(&writer), span_of_text(push_rows[i].wanted)));
    }
}

static void codes_have_their_texts_and_ranges(void **state)
{
    (void)state;
    assert_int_equal(CLIENT_ERROR_COUNT, 14);
    assert_int_equal(CLIENT_DISCONNECT_COUNT, 22);
    assert_int_equal(CLIENT_UNSUBSCRIBE_COUNT, 6);
    assert_true(span_equal(client_error_message(109), SPAN_LITERAL("token expired")));
    assert_true(span_equal(client_disconnect_reason(3012), SPAN_LITERAL("no pong")));
    assert_true(span_equal(client_unsubscribe_reason(2500), SPAN_LITERAL("insufficient state")));
    assert_int_equal(client_error_message(99).len, 0);
    assert_int_equal(client_disconnect_reason(3002).len, 0);
    assert_int_equal(client_unsubscribe_reason(2499).len, 0);
    assert_int_equal(client_error_index(100), 0);
    assert_int_equal(client_error_index(114), CLIENT_ERROR_COUNT);
    assert_int_equal(client_disconnect_index(3509), CLIENT_DISCONNECT_COUNT - 1);
    assert_int_equal(client_disconnect_index(4000), CLIENT_DISCONNECT_COUNT);
    assert_int_equal(client_unsubscribe_index(2502), CLIENT_UNSUBSCRIBE_COUNT - 1);

    static const uint32_t temporary[] = {100, 111, 113};
    for (uint32_t code = 0; code < 200; code++) {
        bool wanted = false;
        for (size_t i = 0; i < COUNT(temporary); i++) {
            wanted = wanted || code == temporary[i];
        }
        assert_int_equal(client_error_is_temporary(code), wanted);
    }
    static const struct {
        uint32_t code;
        bool is_terminal;
    } rows[] = {{3000, false}, {3499, false}, {3500, true}, {3999, true},  {4000, false},
                {4499, false}, {4500, true},  {4999, true}, {5000, false}, {1009, false}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(client_disconnect_is_terminal(rows[i].code), rows[i].is_terminal);
    }
    assert_false(client_unsubscribe_resubscribes(2499));
    assert_true(client_unsubscribe_resubscribes(2500));

    /* A close frame has room for 123 bytes of reason, and SDKs want it not to be empty. */
    for (uint32_t code = 3000; code < 4000; code++) {
        size_t len = client_disconnect_reason(code).len;
        assert_int_equal(len > 0, client_disconnect_index(code) < CLIENT_DISCONNECT_COUNT);
        assert_true(len <= 123);
    }
    assert_string_equal(client_method_name(CLIENT_METHOD_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_without_fields_are_short),
        cmocka_unit_test(errors_have_the_text_of_their_code),
        cmocka_unit_test(a_connect_result_has_all_its_fields),
        cmocka_unit_test(a_subscribe_result_has_all_its_fields),
        cmocka_unit_test(presence_history_and_refresh_have_their_fields),
        cmocka_unit_test(pushes_have_their_fields),
        cmocka_unit_test(codes_have_their_texts_and_ranges),
    };
    return cmocka_run_group_tests_name("client_json_encode", tests, NULL, NULL);
}
