/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and commands of the client protocol in JSON: every request, precedence, and refusals. */
#include "codec/client_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void assert_text(struct span got, const char *wanted)
{
    if (!span_equal(got, span_of_text(wanted))) {
        fail_msg("got %.*s, wanted %s", (int)got.len, (const char *)got.at, wanted);
    }
}

/* What was decoded, with the memory that it points into. */
struct decoded {
    uint8_t text[1024];
    uint8_t scratch[1024];
    struct scratch rest;
    struct client_command command;
};

/* The scratch is as large as the line, which the header promises to be enough. */
static enum json_result decode(const char *line, struct decoded *out)
{
    size_t len = strlen(line);
    assert_true(len <= sizeof(out->text));
    memcpy(out->text, line, len);
    struct scratch scratch = scratch_of(out->scratch, len);
    enum json_result result =
        client_json_decode_command(span_of(out->text, len), &scratch, &out->command);
    out->rest = scratch_of(out->scratch + len, sizeof(out->scratch) - len);
    return result;
}

static const struct client_command *must_decode(const char *line, struct decoded *out)
{
    enum json_result result = decode(line, out);
    if (result != JSON_OK) {
        fail_msg("%s: %s", line, json_result_text(result));
    }
    return &out->command;
}

static void frames_are_split_into_lines(void **state)
{
    (void)state;
    static const struct {
        const char *frame;
        size_t lines;
        enum json_result end;
    } rows[] = {
        {"{}", 1, JSON_DONE},
        {"{}\n", 1, JSON_DONE},
        {"{}\n{}", 2, JSON_DONE},
        {"{}\n{}\n", 2, JSON_DONE},
        {"", 0, JSON_ERROR_EMPTY},
        {"\n", 0, JSON_ERROR_EMPTY},
        {"\n{}", 0, JSON_ERROR_EMPTY},
        {"{}\n\n", 1, JSON_ERROR_EMPTY},
        {"{}\n\n{}", 1, JSON_ERROR_EMPTY},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct client_json_lines lines;
        struct span line;
        size_t count = 0;
        enum json_result result;
        client_json_lines_begin(&lines, span_of_text(rows[i].frame));
        while ((result = client_json_lines_next(&lines, &line)) == JSON_OK) {
            assert_text(line, "{}");
            count++;
        }
        assert_int_equal(count, rows[i].lines);
        assert_int_equal(result, rows[i].end);
        assert_int_equal(client_json_lines_next(&lines, &line), rows[i].end);
    }
}

static void connect_has_all_its_fields(void **state)
{
    (void)state;
    struct decoded decoded;
    const struct client_command *command = must_decode(
        "{\"id\":1,\"connect\":{\"token\":\"t\\u00e9\",\"data\":{\"a\": [1.50]},\"name\":\"js\","
        "\"version\":\"1.2\",\"headers\":{\"x-a\":\"b\"},\"flag\":1,\"future\":[{}],"
        "\"subs\":{\"c\\n\":{\"recover\":true,\"epoch\":\"e\",\"offset\":7},\"n\":null}}}",
        &decoded);
    assert_int_equal(command->id, 1);
    assert_int_equal(command->method, CLIENT_METHOD_CONNECT);
    assert_text(command->connect.token, "t\xc3\xa9");
    assert_text(command->connect.data, "{\"a\": [1.50]}");
    assert_text(command->connect.name, "js");
    assert_text(command->connect.version, "1.2");
    assert_text(command->connect.headers, "{\"x-a\":\"b\"}");
    assert_int_equal(command->connect.flag, 1);

    struct json_walk walk;
    struct client_subscribe_request request;
    client_json_subs_begin(&walk, command->connect.subs);
    assert_int_equal(client_json_subs_next(&walk, &decoded.rest, &request), JSON_OK);
    assert_text(request.channel, "c\n");
    assert_true(request.recover);
    assert_text(request.epoch, "e");
    assert_int_equal(request.offset, 7);
    assert_int_equal(client_json_subs_next(&walk, &decoded.rest, &request), JSON_OK);
    assert_text(request.channel, "n");
    assert_false(request.recover);
    assert_int_equal(request.offset, 0);
    assert_int_equal(client_json_subs_next(&walk, &decoded.rest, &request), JSON_DONE);
    assert_int_equal(client_json_subs_next(&walk, &decoded.rest, &request), JSON_DONE);

    client_json_subs_begin(&walk, SPAN_EMPTY);
    assert_int_equal(client_json_subs_next(&walk, &decoded.rest, &request), JSON_DONE);
}

static void a_bare_connect_request_is_decoded(void **state)
{
    (void)state;
    uint8_t buf[64];
    struct scratch scratch = scratch_of(buf, sizeof(buf));
    struct client_connect_request connect;
    assert_int_equal(client_json_decode_connect(SPAN_LITERAL("{\"token\":\"t\",\"subs\":{}}"),
                                                &scratch, &connect),
                     JSON_OK);
    assert_text(connect.token, "t");
    assert_text(connect.subs, "{}");
    assert_int_equal(client_json_decode_connect(SPAN_LITERAL("{} x"), &scratch, &connect),
                     JSON_ERROR_TRAILING);
    assert_int_equal(client_json_decode_connect(SPAN_LITERAL("[]"), &scratch, &connect),
                     JSON_ERROR_TYPE);
}

static void subscribe_has_all_its_fields(void **state)
{
    (void)state;
    struct decoded decoded;
    const struct client_command *command = must_decode(
        "{\"subscribe\":{\"channel\":\"news\",\"token\":\"t\",\"recover\":true,\"epoch\":\"e\","
        "\"offset\":18446744073709551615,\"data\":\"d\",\"positioned\":true,\"recoverable\":true,"
        "\"join_leave\":true,\"delta\":\"fossil\",\"tf\":{\"op\":\"and\"},\"flag\":-3,\"type\":4,"
        "\"phase\":2,\"cursor\":\"c\",\"limit\":-1,\"asc\":true},\"id\":4294967295}",
        &decoded);
    const struct client_subscribe_request *subscribe = &command->subscribe;
    assert_int_equal(command->id, UINT32_MAX);
    assert_int_equal(command->method, CLIENT_METHOD_SUBSCRIBE);
    assert_text(subscribe->channel, "news");
    assert_text(subscribe->token, "t");
    assert_text(subscribe->epoch, "e");
    assert_true(subscribe->offset == UINT64_MAX);
    assert_text(subscribe->data, "\"d\"");
    assert_text(subscribe->delta, "fossil");
    assert_text(subscribe->tf, "{\"op\":\"and\"}");
    assert_text(subscribe->cursor, "c");
    assert_int_equal(subscribe->flag, -3);
    assert_int_equal(subscribe->type, CLIENT_SUBSCRIPTION_SHARED_POLL);
    assert_int_equal(subscribe->phase, 2);
    assert_int_equal(subscribe->limit, -1);
    assert_true(subscribe->recover && subscribe->positioned && subscribe->recoverable);
    assert_true(subscribe->join_leave && subscribe->asc);
}

static void the_other_requests_have_their_fields(void **state)
{
    (void)state;
    struct decoded decoded;
    const struct client_command *command =
        must_decode("{\"id\":2,\"publish\":{\"channel\":\"c\",\"data\":null,\"data\":false,"
                    "\"type\":1,\"key\":\"k\",\"removed\":true}}",
                    &decoded);
    assert_int_equal(command->method, CLIENT_METHOD_PUBLISH);
    assert_text(command->publish.data, "false");
    assert_text(command->publish.channel, "c");
    assert_text(command->publish.key, "k");
    assert_true(command->publish.removed && command->publish.type == 1);

    command = must_decode("{\"id\":2,\"history\":{\"channel\":\"c\",\"limit\":10,"
                          "\"since\":{\"offset\":5,\"epoch\":\"e\"},\"reverse\":true}}",
                          &decoded);
    assert_int_equal(command->method, CLIENT_METHOD_HISTORY);
    assert_int_equal(command->history.limit, 10);
    assert_true(command->history.since_present && command->history.reverse);
    assert_int_equal(command->history.since_offset, 5);
    assert_text(command->history.since_epoch, "e");
    command = must_decode("{\"id\":2,\"history\":{\"channel\":\"c\",\"since\":null}}", &decoded);
    assert_false(command->history.since_present);
    command = must_decode("{\"id\":2,\"history\":{\"channel\":\"c\",\"since\":{}}}", &decoded);
    assert_true(command->history.since_present);

    command = must_decode("{\"id\":2,\"rpc\":{\"method\":\"m\",\"data\":{}}}", &decoded);
    assert_int_equal(command->method, CLIENT_METHOD_RPC);
    assert_text(command->rpc.method, "m");
    assert_text(command->rpc.data, "{}");

    command = must_decode("{\"send\":{\"data\":1}}", &decoded);
    assert_int_equal(command->method, CLIENT_METHOD_SEND);
    assert_int_equal(command->id, 0);
    assert_text(command->send.data, "1");

    command = must_decode("{\"id\":3,\"sub_refresh\":{\"channel\":\"c\",\"token\":\"t\","
                          "\"type\":1,\"track\":[{}],\"untrack\":[\"a\"]}}",
                          &decoded);
    assert_int_equal(command->method, CLIENT_METHOD_SUB_REFRESH);
    assert_text(command->sub_refresh.channel, "c");
    assert_text(command->sub_refresh.token, "t");
    assert_int_equal(command->sub_refresh.type, 1);
    assert_text(command->sub_refresh.track, "[{}]");
    assert_text(command->sub_refresh.untrack, "[\"a\"]");

    command = must_decode("{\"id\":3,\"refresh\":{\"token\":\"t\"}}", &decoded);
    assert_int_equal(command->method, CLIENT_METHOD_REFRESH);
    assert_text(command->refresh.token, "t");
}

static void channel_requests_have_their_channel(void **state)
{
    (void)state;
    struct decoded decoded;
    const struct client_command *command =
        must_decode("{\"id\":2,\"unsubscribe\":{\"channel\":\"c\"}}", &decoded);
    assert_int_equal(command->method, CLIENT_METHOD_UNSUBSCRIBE);
    assert_text(command->unsubscribe.channel, "c");
    command = must_decode("{\"id\":2,\"presence\":{\"channel\":\"d\"}}", &decoded);
    assert_int_equal(command->method, CLIENT_METHOD_PRESENCE);
    assert_text(command->presence.channel, "d");
    command = must_decode("{\"id\":2,\"presence_stats\":{\"channel\":\"e\"}}", &decoded);
    assert_int_equal(command->method, CLIENT_METHOD_PRESENCE_STATS);
    assert_text(command->presence_stats.channel, "e");
}

static void of_several_requests_the_first_in_rank_counts(void **state)
{
    (void)state;
    /* Each method's name, in the order of rank: any of them outranks all behind it. */
    static const enum client_method ranked[] = {
        CLIENT_METHOD_CONNECT, CLIENT_METHOD_SUBSCRIBE,   CLIENT_METHOD_UNSUBSCRIBE,
        CLIENT_METHOD_PUBLISH, CLIENT_METHOD_PRESENCE,    CLIENT_METHOD_PRESENCE_STATS,
        CLIENT_METHOD_HISTORY, CLIENT_METHOD_RPC,         CLIENT_METHOD_SEND,
        CLIENT_METHOD_REFRESH, CLIENT_METHOD_SUB_REFRESH, CLIENT_METHOD_PING,
    };
    struct decoded decoded;
    for (size_t i = 0; i < COUNT(ranked); i++) {
        for (size_t j = 0; j < COUNT(ranked); j++) {
            char line[128];
            snprintf(line, sizeof(line), "{\"%s\":{},\"id\":9,\"%s\":{}}",
                     client_method_name(ranked[i]), client_method_name(ranked[j]));
            const struct client_command *command = must_decode(line, &decoded);
            assert_int_equal(command->method, ranked[i < j ? i : j]);
            assert_int_equal(command->id, 9);
        }
    }
    /* What is outranked leaves nothing behind, before or after. */
    const struct client_command *command =
        must_decode("{\"rpc\":{\"method\":\"m\",\"data\":5},\"subscribe\":{\"channel\":\"c\"},"
                    "\"publish\":{\"channel\":\"p\",\"key\":\"k\"}}",
                    &decoded);
    assert_int_equal(command->method, CLIENT_METHOD_SUBSCRIBE);
    assert_text(command->subscribe.channel, "c");
    assert_text(command->subscribe.token, "");
    assert_text(command->subscribe.data, "");
    /* A doubled request adds to itself, as it does upstream; null does nothing. */
    command = must_decode("{\"subscribe\":{\"channel\":\"a\",\"token\":\"t\"},\"subscribe\":null,"
                          "\"subscribe\":{\"channel\":\"b\"}}",
                          &decoded);
    assert_text(command->subscribe.channel, "b");
    assert_text(command->subscribe.token, "t");
}

static void an_empty_command_is_a_pong(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uint32_t id;
    } rows[] = {
        {"{}", 0},
        {" { } ", 0},
        {"{\"id\":0}", 0},
        {"{\"id\":5}", 5},
        {"{\"id\":null,\"connect\":null}", 0},
        {"{\"future\":{\"connect\":{}}}", 0},
        {"{\"Connect\":{}}", 0},
    };
    struct decoded decoded;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct client_command *command = must_decode(rows[i].line, &decoded);
        assert_int_equal(command->method, CLIENT_METHOD_PONG);
        assert_int_equal(command->id, rows[i].id);
    }
    const struct client_command *command =
        must_decode("{\"\\u0069d\":7,\"c\\u006fnnect\":{\"n\\u0061me\":\"n\"}}", &decoded);
    assert_int_equal(command->id, 7);
    assert_int_equal(command->method, CLIENT_METHOD_CONNECT);
    assert_text(command->connect.name, "n");
}

static void wrong_commands_are_refused_with_their_reason(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum json_result wanted;
    } rows[] = {
        {"", JSON_ERROR_EMPTY},
        {" ", JSON_ERROR_EMPTY},
        {"null", JSON_ERROR_TYPE},
        {"[]", JSON_ERROR_TYPE},
        {"\"connect\"", JSON_ERROR_TYPE},
        {"connect", JSON_ERROR_SYNTAX},
        {"{\"id\":1,}", JSON_ERROR_SYNTAX},
        {"{\"id\":1", JSON_ERROR_TRUNCATED},
        {"{\"id\":1}{}", JSON_ERROR_TRAILING},
        {"{\"id\":\"1\"}", JSON_ERROR_TYPE},
        {"{\"id\":1.0}", JSON_ERROR_TYPE},
        {"{\"id\":-1}", JSON_ERROR_RANGE},
        {"{\"id\":4294967296}", JSON_ERROR_RANGE},
        {"{\"connect\":[]}", JSON_ERROR_TYPE},
        {"{\"connect\":true}", JSON_ERROR_TYPE},
        {"{\"connect\":{\"token\":1}}", JSON_ERROR_TYPE},
        {"{\"connect\":{\"headers\":{\"a\":1}}}", JSON_ERROR_TYPE},
        {"{\"connect\":{\"headers\":[]}}", JSON_ERROR_TYPE},
        {"{\"connect\":{\"subs\":[]}}", JSON_ERROR_TYPE},
        {"{\"connect\":{\"subs\":{\"c\":1}}}", JSON_ERROR_TYPE},
        {"{\"connect\":{\"subs\":{\"c\":{\"offset\":-1}}}}", JSON_ERROR_RANGE},
        {"{\"connect\":{\"subs\":{\"c\":{\"recover\":1}}}}", JSON_ERROR_TYPE},
        {"{\"subscribe\":{\"channel\":{}}}", JSON_ERROR_TYPE},
        {"{\"subscribe\":{\"recover\":\"true\"}}", JSON_ERROR_TYPE},
        {"{\"subscribe\":{\"offset\":18446744073709551616}}", JSON_ERROR_RANGE},
        {"{\"subscribe\":{\"type\":2147483648}}", JSON_ERROR_RANGE},
        {"{\"subscribe\":{\"tf\":[]}}", JSON_ERROR_TYPE},
        {"{\"history\":{\"since\":5}}", JSON_ERROR_TYPE},
        {"{\"history\":{\"since\":{\"offset\":\"5\"}}}", JSON_ERROR_TYPE},
        {"{\"sub_refresh\":{\"untrack\":[1]}}", JSON_ERROR_TYPE},
        {"{\"sub_refresh\":{\"track\":{}}}", JSON_ERROR_TYPE},
        {"{\"ping\":1}", JSON_ERROR_TYPE},
        /* also where another request outranks it, or nobody knows the field */
        {"{\"connect\":{},\"rpc\":{\"method\":1}}", JSON_ERROR_TYPE},
        {"{\"future\":01}", JSON_ERROR_NUMBER},
        {"{\"publish\":{\"data\":\"\xff\"}}", JSON_ERROR_UTF8},
        {"{\"publish\":{\"data\":{\"a\":\"\\q\"}}}", JSON_ERROR_ESCAPE},
        {"{\"publish\":{\"data\":\"\t\"}}", JSON_ERROR_CONTROL},
    };
    struct decoded decoded;
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum json_result result = decode(rows[i].line, &decoded);
        if (result != rows[i].wanted) {
            fail_msg("%s: %s", rows[i].line, json_result_text(result));
        }
    }
}

static void a_scratch_that_is_too_small_is_told(void **state)
{
    (void)state;
    struct span line = SPAN_LITERAL("{\"id\":1,\"subscribe\":{\"channel\":\"abc\\n\"}}");
    struct client_command command;
    uint8_t buf[4];
    struct scratch scratch = scratch_of(buf, 3);
    assert_int_equal(client_json_decode_command(line, &scratch, &command), JSON_ERROR_SPACE);
    scratch = scratch_of(buf, 4);
    assert_int_equal(client_json_decode_command(line, &scratch, &command), JSON_OK);
    assert_text(command.subscribe.channel, "abc\n");
    /* Without escapes none is needed. */
    scratch = scratch_of(NULL, 0);
    assert_int_equal(client_json_decode_command(SPAN_LITERAL("{\"id\":1,\"subscribe\":{\"channel\":"
                                                             "\"abc\"}}"),
                                                &scratch, &command),
                     JSON_OK);
}

static void no_cut_of_a_command_decodes(void **state)
{
    (void)state;
    struct span line = SPAN_LITERAL("{\"id\":1,\"connect\":{\"token\":\"t\\n\",\"subs\":{\"c\":{"
                                    "\"offset\":12}},\"data\":[true,{}]}}");
    uint8_t buf[128];
    for (size_t len = 0; len < line.len; len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1);
        assert_non_null(exact);
        memcpy(exact, line.at, len);
        struct scratch scratch = scratch_of(buf, sizeof(buf));
        struct client_command command;
        enum json_result result =
            client_json_decode_command(span_of(exact, len), &scratch, &command);
        assert_int_equal(result, len == 0 ? JSON_ERROR_EMPTY : JSON_ERROR_TRUNCATED);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_split_into_lines),
        cmocka_unit_test(connect_has_all_its_fields),
        cmocka_unit_test(a_bare_connect_request_is_decoded),
        cmocka_unit_test(subscribe_has_all_its_fields),
        cmocka_unit_test(the_other_requests_have_their_fields),
        cmocka_unit_test(channel_requests_have_their_channel),
        cmocka_unit_test(of_several_requests_the_first_in_rank_counts),
        cmocka_unit_test(an_empty_command_is_a_pong),
        cmocka_unit_test(wrong_commands_are_refused_with_their_reason),
        cmocka_unit_test(a_scratch_that_is_too_small_is_told),
        cmocka_unit_test(no_cut_of_a_command_decodes),
    };
    return cmocka_run_group_tests_name("client_json", tests, NULL, NULL);
}
