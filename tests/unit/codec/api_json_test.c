/* SPDX-License-Identifier: Apache-2.0 */
/* The server API in JSON: every request's fields, refusals, and each result byte for byte. */
#include "codec/api_json.h"

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

static void assert_text(struct span got, const char *wanted)
{
    if (!span_equal(got, span_of_text(wanted))) {
        fail_msg("got %.*s, wanted %s", (int)got.len, (const char *)got.at, wanted);
    }
}

/* As much scratch as the header promises to be enough for a body of that length. */
static struct scratch scratch_for(const char *body)
{
    static uint8_t buf[1024];
    assert_true(strlen(body) + 8 <= sizeof(buf));
    return scratch_of(buf, strlen(body) + 8);
}

static void publish_has_all_its_fields(void **state)
{
    (void)state;
    const char *body = "{\"channel\":\"n\\u0065ws\",\"data\":{\"a\": 1},\"skip_history\":true,"
                       "\"tags\":{\"k\":\"v\"},\"idempotency_key\":\"i\",\"delta\":true,"
                       "\"version\":18446744073709551615,\"version_epoch\":\"e\",\"other\":[]}";
    struct scratch scratch = scratch_for(body);
    struct api_publish_request publish;
    assert_int_equal(api_json_decode_publish(span_of_text(body), &scratch, &publish), JSON_OK);
    assert_text(publish.channel, "news");
    assert_text(publish.data, "{\"a\": 1}");
    assert_text(publish.tags, "{\"k\":\"v\"}");
    assert_text(publish.idempotency_key, "i");
    assert_text(publish.version_epoch, "e");
    assert_true(publish.version == UINT64_MAX);
    assert_true(publish.skip_history && publish.delta && !publish.data_is_binary);

    body = "{}";
    assert_int_equal(api_json_decode_publish(span_of_text(body), &scratch, &publish), JSON_OK);
    assert_int_equal(publish.channel.len + publish.data.len + publish.tags.len, 0);
    assert_false(publish.skip_history || publish.delta || publish.data_is_binary);
}

static void base64_data_wins_over_json(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum json_result result;
        const char *data;
        bool is_binary;
    } rows[] = {
        {"{\"b64data\":\"aGk=\",\"data\":1}", JSON_OK, "hi", true},
        {"{\"data\":1,\"b64data\":\"aG\\u006b=\"}", JSON_OK, "hi", true},
        {"{\"data\":1,\"b64data\":\"\"}", JSON_OK, "1", false},
        {"{\"data\":1,\"b64data\":null}", JSON_OK, "1", false},
        {"{\"data\":1,\"b64data\":\"aGk\"}", JSON_ERROR_BASE64, NULL, false},
        {"{\"data\":1,\"b64data\":\"a_k=\"}", JSON_ERROR_BASE64, NULL, false},
        {"{\"data\":1,\"b64data\":5}", JSON_ERROR_TYPE, NULL, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scratch scratch = scratch_for(rows[i].body);
        struct api_publish_request publish;
        assert_int_equal(api_json_decode_publish(span_of_text(rows[i].body), &scratch, &publish),
                         rows[i].result);
        if (rows[i].data != NULL) {
            assert_text(publish.data, rows[i].data);
            assert_int_equal(publish.data_is_binary, rows[i].is_binary);
        }
    }
    /* With one escape the whole text is copied: its bytes take the copy's place. */
    char long_body[400];
    char text[301];
    memset(text, 'A', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    snprintf(long_body, sizeof(long_body), "{\"b64data\":\"\\u0041%sAAA\"}", text);
    struct scratch long_scratch = scratch_for(long_body);
    struct api_publish_request zeros;
    assert_int_equal(api_json_decode_publish(span_of_text(long_body), &long_scratch, &zeros),
                     JSON_OK);
    assert_int_equal(zeros.data.len, 228);
    for (size_t i = 0; i < zeros.data.len; i++) {
        assert_int_equal(zeros.data.at[i], 0);
    }
    /* A scratch without that room is told. */
    uint8_t one;
    struct scratch scratch = scratch_of(&one, 1);
    struct api_publish_request publish;
    assert_int_equal(api_json_decode_publish(SPAN_LITERAL("{\"b64data\":\"aGk=\"}"), &scratch,
                                             &publish),
                     JSON_ERROR_SPACE);
}

static void broadcast_has_its_channels(void **state)
{
    (void)state;
    const char *body = "{\"channels\":[\"a\",\"b\\n\"],\"data\":[],\"channel\":5}";
    struct scratch scratch = scratch_for(body);
    struct api_publish_request broadcast;
    assert_int_equal(api_json_decode_broadcast(span_of_text(body), &scratch, &broadcast), JSON_OK);
    assert_text(broadcast.data, "[]");
    struct json_walk walk;
    struct span channel;
    json_strings_begin(&walk, broadcast.channels);
    assert_int_equal(json_strings_next(&walk, &scratch, &channel), JSON_OK);
    assert_text(channel, "a");
    assert_int_equal(json_strings_next(&walk, &scratch, &channel), JSON_OK);
    assert_text(channel, "b\n");
    assert_int_equal(json_strings_next(&walk, &scratch, &channel), JSON_DONE);
    assert_int_equal(api_json_decode_broadcast(SPAN_LITERAL("{\"channels\":[1]}"), &scratch,
                                               &broadcast),
                     JSON_ERROR_TYPE);
    assert_int_equal(api_json_decode_broadcast(SPAN_LITERAL("{\"channels\":\"a\"}"), &scratch,
                                               &broadcast),
                     JSON_ERROR_TYPE);
}

static void subscribe_has_all_its_fields(void **state)
{
    (void)state;
    const char *body = "{\"channel\":\"c\",\"user\":\"u\",\"expire_at\":-5,\"info\":{},"
                       "\"client\":\"i\",\"data\":1,\"b64data\":\"aGk=\",\"recover_since\":{"
                       "\"offset\":3,\"epoch\":\"e\"},\"override\":{\"presence\":{\"value\":true}},"
                       "\"session\":\"s\"}";
    struct scratch scratch = scratch_for(body);
    struct api_subscribe_request subscribe;
    assert_int_equal(api_json_decode_subscribe(span_of_text(body), &scratch, &subscribe), JSON_OK);
    assert_text(subscribe.channel, "c");
    assert_text(subscribe.user, "u");
    assert_text(subscribe.client, "i");
    assert_text(subscribe.session, "s");
    assert_text(subscribe.info, "{}");
    assert_text(subscribe.data, "hi");
    assert_int_equal(subscribe.expire_at_s, -5);
    assert_true(subscribe.recover_since_present);
    assert_int_equal(subscribe.recover_since_offset, 3);
    assert_text(subscribe.recover_since_epoch, "e");
    assert_text(subscribe.override, "{\"presence\":{\"value\":true}}");
    body = "{\"b64info\":\"aGk=\",\"info\":1}";
    assert_int_equal(api_json_decode_subscribe(span_of_text(body), &scratch, &subscribe), JSON_OK);
    assert_text(subscribe.info, "hi");
    assert_false(subscribe.recover_since_present);
}

static void the_small_requests_have_their_fields(void **state)
{
    (void)state;
    const char *body = "{\"channel\":\"c\",\"user\":\"u\",\"client\":\"i\",\"session\":\"s\","
                       "\"expired\":true,\"expire_at\":7,\"info\":[1],\"limit\":-1,"
                       "\"since\":{\"offset\":2,\"epoch\":\"e\"},\"reverse\":true,"
                       "\"pattern\":\"a*\"}";
    struct span text = span_of_text(body);
    struct scratch scratch = scratch_for(body);
    struct api_unsubscribe_request unsubscribe;
    assert_int_equal(api_json_decode_unsubscribe(text, &scratch, &unsubscribe), JSON_OK);
    assert_text(unsubscribe.channel, "c");
    assert_text(unsubscribe.user, "u");
    assert_text(unsubscribe.client, "i");
    assert_text(unsubscribe.session, "s");
    struct api_refresh_request refresh;
    assert_int_equal(api_json_decode_refresh(text, &scratch, &refresh), JSON_OK);
    assert_text(refresh.user, "u");
    assert_text(refresh.client, "i");
    assert_text(refresh.session, "s");
    assert_text(refresh.info, "[1]");
    assert_true(refresh.expired && refresh.expire_at_s == 7);
    struct api_channel_request channel;
    assert_int_equal(api_json_decode_channel(text, &scratch, &channel), JSON_OK);
    assert_text(channel.channel, "c");
    struct api_history_request history;
    assert_int_equal(api_json_decode_history(text, &scratch, &history), JSON_OK);
    assert_text(history.channel, "c");
    assert_text(history.since_epoch, "e");
    assert_true(history.limit == -1 && history.reverse && history.since_present);
    assert_int_equal(history.since_offset, 2);
    struct api_channels_request channels;
    assert_int_equal(api_json_decode_channels(text, &scratch, &channels), JSON_OK);
    assert_text(channels.pattern, "a*");
    assert_int_equal(api_json_decode_info(text), JSON_OK);
}

static void requests_about_maps_have_their_fields(void **state)
{
    (void)state;
    struct api_map_publish_request publish;
    const char *body =
        "{\"channel\":\"c\",\"key\":\"k\\n\",\"data\":null,\"tags\":{\"a\":\"b\"},\"score\":-5,"
        "\"version\":7,\"version_epoch\":\"e\",\"key_mode\":\"if_new\",\"idempotency_key\":\"i\","
        "\"delta\":true,\"stream_data\":1}";
    struct scratch scratch = scratch_for(body);
    assert_int_equal(api_json_decode_map_publish(span_of_text(body), &scratch, &publish), JSON_OK);
    assert_text(publish.channel, "c");
    assert_text(publish.key, "k\n");
    assert_text(publish.data, "null");
    assert_text(publish.tags, "{\"a\":\"b\"}");
    assert_text(publish.version_epoch, "e");
    assert_text(publish.key_mode, "if_new");
    assert_text(publish.idempotency_key, "i");
    assert_true(publish.score == -5 && publish.version == 7 && publish.delta);
    assert_false(publish.data_is_binary);
    scratch = scratch_for(body);
    assert_int_equal(api_json_decode_map_remove(span_of_text(body), &scratch, &publish), JSON_OK);
    assert_text(publish.key, "k\n");
    assert_text(publish.idempotency_key, "i");
    assert_true(span_is_empty(publish.data) && publish.score == 0);
    body = "{\"channel\":\"c\",\"key\":\"k\",\"data\":1,\"b64data\":\"AAE=\"}";
    scratch = scratch_for(body);
    assert_int_equal(api_json_decode_map_publish(span_of_text(body), &scratch, &publish), JSON_OK);
    assert_true(publish.data_is_binary && publish.data.len == 2);

    struct api_map_read_state_request read;
    body = "{\"channel\":\"c\",\"cursor\":\"k\",\"limit\":-1,\"key\":\"x\",\"asc\":true,"
           "\"revision_offset\":3,\"revision_epoch\":\"4\"}";
    scratch = scratch_for(body);
    assert_int_equal(api_json_decode_map_read_state(span_of_text(body), &scratch, &read), JSON_OK);
    assert_text(read.cursor, "k");
    assert_text(read.key, "x");
    assert_text(read.revision_epoch, "4");
    assert_true(read.limit == -1 && read.asc && read.revision_offset == 3);

    struct api_map_read_stream_request stream;
    body = "{\"channel\":\"c\",\"since_offset\":3,\"since_epoch\":\"4\",\"limit\":2,"
           "\"reverse\":true}";
    scratch = scratch_for(body);
    assert_int_equal(api_json_decode_map_read_stream(span_of_text(body), &scratch, &stream),
                     JSON_OK);
    assert_text(stream.since_epoch, "4");
    assert_true(stream.since_offset == 3 && stream.limit == 2 && stream.reverse);
}

static void disconnect_always_has_a_code_and_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        uint32_t code;
        const char *reason;
    } rows[] = {
        {"{\"user\":\"u\"}", 3503, "force disconnect"},
        {"{\"user\":\"u\",\"disconnect\":null}", 3503, "force disconnect"},
        {"{\"user\":\"u\",\"disconnect\":{}}", 3503, "force disconnect"},
        {"{\"user\":\"u\",\"disconnect\":{\"code\":4001,\"reason\":\"bye\"}}", 4001, "bye"},
        {"{\"user\":\"u\",\"disconnect\":{\"code\":3012}}", 3012, "no pong"},
        {"{\"user\":\"u\",\"disconnect\":{\"code\":4001}}", 4001, "force disconnect"},
        {"{\"user\":\"u\",\"disconnect\":{\"reason\":\"bye\"}}", 3503, "bye"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scratch scratch = scratch_for(rows[i].body);
        struct api_disconnect_request disconnect;
        assert_int_equal(api_json_decode_disconnect(span_of_text(rows[i].body), &scratch,
                                                    &disconnect),
                         JSON_OK);
        assert_text(disconnect.user, "u");
        assert_int_equal(disconnect.code, rows[i].code);
        assert_text(disconnect.reason, rows[i].reason);
    }
    const char *body = "{\"client\":\"i\",\"session\":\"s\",\"whitelist\":[\"a\",\"b\"]}";
    struct scratch scratch = scratch_for(body);
    struct api_disconnect_request disconnect;
    assert_int_equal(api_json_decode_disconnect(span_of_text(body), &scratch, &disconnect),
                     JSON_OK);
    assert_text(disconnect.client, "i");
    assert_text(disconnect.session, "s");
    assert_text(disconnect.whitelist, "[\"a\",\"b\"]");
}

static enum json_result decode_one(size_t which, struct span body, struct scratch *scratch)
{
    union {
        struct api_publish_request publish;
        struct api_subscribe_request subscribe;
        struct api_unsubscribe_request unsubscribe;
        struct api_disconnect_request disconnect;
        struct api_refresh_request refresh;
        struct api_channel_request channel;
        struct api_history_request history;
        struct api_channels_request channels;
        struct api_map_publish_request map_publish;
        struct api_map_read_state_request map_read_state;
        struct api_map_read_stream_request map_read_stream;
    } out;
    switch (which) {
    case 0:
        return api_json_decode_publish(body, scratch, &out.publish);
    case 1:
        return api_json_decode_broadcast(body, scratch, &out.publish);
    case 2:
        return api_json_decode_subscribe(body, scratch, &out.subscribe);
    case 3:
        return api_json_decode_unsubscribe(body, scratch, &out.unsubscribe);
    case 4:
        return api_json_decode_disconnect(body, scratch, &out.disconnect);
    case 5:
        return api_json_decode_refresh(body, scratch, &out.refresh);
    case 6:
        return api_json_decode_channel(body, scratch, &out.channel);
    case 7:
        return api_json_decode_history(body, scratch, &out.history);
    case 8:
        return api_json_decode_map_publish(body, scratch, &out.map_publish);
    case 9:
        return api_json_decode_map_remove(body, scratch, &out.map_publish);
    case 10:
        return api_json_decode_map_read_state(body, scratch, &out.map_read_state);
    case 11:
        return api_json_decode_map_read_stream(body, scratch, &out.map_read_stream);
    case 12:
        return api_json_decode_channels(body, scratch, &out.channels);
    default:
        return api_json_decode_info(body);
    }
}

static void bodies_that_are_no_object_are_refused(void **state)
{
    (void)state;
    enum { DECODERS = 14, FIRST_WITHOUT_FIELDS = 12 };
    static const struct {
        const char *body;
        enum json_result wanted;
    } rows[] = {
        {"", JSON_ERROR_EMPTY},
        {" \n", JSON_ERROR_EMPTY},
        {"null", JSON_ERROR_TYPE},
        {"[]", JSON_ERROR_TYPE},
        {"x", JSON_ERROR_SYNTAX},
        {"{", JSON_ERROR_TRUNCATED},
        {"{}{}", JSON_ERROR_TRAILING},
        {"{\"a\":1,}", JSON_ERROR_SYNTAX},
        {"{}", JSON_OK},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t which = 0; which < DECODERS; which++) {
            struct scratch scratch = scratch_for(rows[i].body);
            bool may_be_empty = which >= FIRST_WITHOUT_FIELDS && rows[i].wanted == JSON_ERROR_EMPTY;
            assert_int_equal(decode_one(which, span_of_text(rows[i].body), &scratch),
                             may_be_empty ? JSON_OK : rows[i].wanted);
        }
    }
}

static void assert_written(const struct writer *writer, const char *wanted)
{
    assert_false(writer_is_overflown(writer));
    assert_text(writer_written(writer), wanted);
    assert_int_equal(json_check(writer_written(writer)), JSON_OK);
}

static void errors_have_their_bodies_and_status(void **state)
{
    (void)state;
    static const struct {
        enum api_error error;
        uint16_t status;
        const char *body;
    } rows[] = {
        {API_ERROR_INTERNAL, 500, "{\"code\":100,\"message\":\"internal server error\"}"},
        {API_ERROR_UNKNOWN_CHANNEL, 404, "{\"code\":102,\"message\":\"unknown channel\"}"},
        {API_ERROR_NOT_FOUND, 404, "{\"code\":104,\"message\":\"not found\"}"},
        {API_ERROR_LIMIT_EXCEEDED, 413, "{\"code\":106,\"message\":\"limit exceeded\"}"},
        {API_ERROR_BAD_REQUEST, 400, "{\"code\":107,\"message\":\"bad request\"}"},
        {API_ERROR_NOT_AVAILABLE, 400, "{\"code\":108,\"message\":\"not available\"}"},
        {API_ERROR_UNRECOVERABLE_POSITION, 416,
         "{\"code\":112,\"message\":\"unrecoverable position\"}"},
        {API_ERROR_CONFLICT, 409, "{\"code\":113,\"message\":\"conflict\"}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t buf[128];
        char enveloped[128];
        struct writer writer = writer_of(buf, sizeof(buf));
        api_json_encode_transport_error(&writer, rows[i].error);
        assert_written(&writer, rows[i].body);
        writer = writer_of(buf, sizeof(buf));
        api_json_encode_error(&writer, rows[i].error);
        snprintf(enveloped, sizeof(enveloped), "{\"error\":%s}", rows[i].body);
        assert_written(&writer, enveloped);
        assert_int_equal(api_error_status(rows[i].error), rows[i].status);
    }
    assert_int_equal(api_error_status(API_ERROR_NONE), 200);
    assert_int_equal(api_error_status((enum api_error)999), 500);
}

static void whole_results_are_written(void **state)
{
    (void)state;
    uint8_t buf[256];
    struct writer writer = writer_of(buf, sizeof(buf));
    api_json_encode_empty(&writer);
    assert_written(&writer, "{\"result\":{}}");
    writer = writer_of(buf, sizeof(buf));
    const struct api_publish_result none = {0};
    api_json_encode_publish(&writer, &none);
    assert_written(&writer, "{\"result\":{}}");
    writer = writer_of(buf, sizeof(buf));
    const struct api_publish_result publish = {7, TEXT("e")};
    api_json_encode_publish(&writer, &publish);
    assert_written(&writer, "{\"result\":{\"offset\":7,\"epoch\":\"e\"}}");
    writer = writer_of(buf, sizeof(buf));
    const struct client_presence_stats_result stats = {2, 0};
    api_json_encode_presence_stats(&writer, &stats);
    assert_written(&writer, "{\"result\":{\"num_clients\":2,\"num_users\":0}}");
    writer = writer_of(buf, sizeof(buf));
    const struct client_info info = {.user = TEXT("u"), .client = TEXT("c")};
    const struct client_publication publication = {.data = TEXT("1"),
                                                   .info = &info,
                                                   .offset = 4,
                                                   .tags = TEXT("{\"a\":\"b\"}")};
    const struct client_history_result history = {&publication, 1, TEXT("e"), 4};
    api_json_encode_history(&writer, &history);
    assert_written(&writer, "{\"result\":{\"publications\":[{\"data\":1,\"info\":{\"user\":\"u\","
                            "\"client\":\"c\"},\"offset\":4,\"tags\":{\"a\":\"b\"}}],"
                            "\"epoch\":\"e\",\"offset\":4}}");
}

static void results_about_maps_are_written(void **state)
{
    (void)state;
    uint8_t buf[256];
    struct writer writer = writer_of(buf, sizeof(buf));
    const struct api_map_page_result none = {.epoch = TEXT("e")};
    api_json_encode_map_page(&writer, &none);
    assert_written(&writer, "{\"result\":{\"epoch\":\"e\"}}");
    const struct client_publication entries[] = {
        {.key = TEXT("a"), .data = TEXT("1"), .score = -2, .offset = 3, .time_ms = 4},
        {.key = TEXT("b"), .tags = TEXT("{}"), .offset = 5, .removed = true, .time_ms = 6},
    };
    const struct api_map_page_result page = {entries, 2, 7, TEXT("e"), TEXT("b")};
    writer = writer_of(buf, sizeof(buf));
    api_json_encode_map_page(&writer, &page);
    assert_written(&writer, "{\"result\":{\"entries\":[{\"key\":\"a\",\"data\":1,\"offset\":3,"
                            "\"score\":-2,\"time\":4},{\"key\":\"b\",\"tags\":{},\"offset\":5,"
                            "\"removed\":true,\"time\":6}],\"offset\":7,\"epoch\":\"e\","
                            "\"cursor\":\"b\"}}");
    const struct api_map_publish_result suppressed = {1, TEXT("e"), TEXT("version")};
    writer = writer_of(buf, sizeof(buf));
    api_json_encode_map_publish(&writer, &suppressed);
    assert_written(&writer, "{\"result\":{\"offset\":1,\"epoch\":\"e\",\"suppressed\":true,"
                            "\"suppress_reason\":\"version\"}}");
    writer = writer_of(buf, sizeof(buf));
    api_json_encode_map_stats(&writer, 0);
    assert_written(&writer, "{\"result\":{}}");
}

static void results_in_parts_are_written(void **state)
{
    (void)state;
    uint8_t buf[512];
    struct writer writer = writer_of(buf, sizeof(buf));
    const struct api_publish_outcome good = {API_ERROR_NONE, {1, TEXT("e")}};
    const struct api_publish_outcome bad = {API_ERROR_UNKNOWN_CHANNEL, {0, {NULL, 0}}};
    api_json_encode_broadcast_begin(&writer);
    api_json_encode_broadcast_item(&writer, true, &good);
    api_json_encode_broadcast_item(&writer, false, &bad);
    api_json_encode_broadcast_end(&writer);
    assert_written(&writer,
                   "{\"result\":{\"responses\":[{\"result\":{\"offset\":1,\"epoch\":"
                   "\"e\"}},{\"error\":{\"code\":102,\"message\":\"unknown channel\"}}]}}");

    writer = writer_of(buf, sizeof(buf));
    const struct client_info first = {.user = TEXT("u"), .client = TEXT("a\"")};
    const struct client_info second = {.client = TEXT("b"), .chan_info = TEXT("{}")};
    api_json_encode_presence_begin(&writer);
    api_json_encode_presence_item(&writer, true, &first);
    api_json_encode_presence_item(&writer, false, &second);
    api_json_encode_presence_end(&writer);
    assert_written(&writer,
                   "{\"result\":{\"presence\":{\"a\\\"\":{\"user\":\"u\",\"client\":"
                   "\"a\\\"\"},\"b\":{\"user\":\"\",\"client\":\"b\",\"chan_info\":{}}}}}");

    writer = writer_of(buf, sizeof(buf));
    api_json_encode_channels_begin(&writer);
    api_json_encode_channels_item(&writer, true, SPAN_LITERAL("x"), 3);
    api_json_encode_channels_item(&writer, false, SPAN_LITERAL("y\n"), 0);
    api_json_encode_channels_end(&writer);
    assert_written(&writer, "{\"result\":{\"channels\":{\"x\":{\"num_clients\":3},\"y\\n\":{}}}}");

    writer = writer_of(buf, sizeof(buf));
    const struct api_node_result node = {.uid = TEXT("i"),
                                         .name = TEXT("n"),
                                         .version = TEXT("v"),
                                         .client_count = 1,
                                         .user_count = 2,
                                         .channel_count = 3,
                                         .sub_count = 4,
                                         .uptime_s = 5};
    const struct api_node_result empty = {0};
    api_json_encode_info_begin(&writer);
    api_json_encode_info_item(&writer, true, &node);
    api_json_encode_info_item(&writer, false, &empty);
    api_json_encode_info_end(&writer);
    assert_written(&writer, "{\"result\":{\"nodes\":[{\"uid\":\"i\",\"name\":\"n\",\"version\":"
                            "\"v\",\"num_clients\":1,\"num_users\":2,\"num_channels\":3,"
                            "\"uptime\":5,\"num_subs\":4},{\"uid\":\"\",\"name\":\"\","
                            "\"version\":\"\",\"num_clients\":0,\"num_users\":0,"
                            "\"num_channels\":0,\"num_subs\":0}]}}");
}

static void containers_without_items_are_empty(void **state)
{
    (void)state;
    uint8_t buf[64];
    struct writer writer = writer_of(buf, sizeof(buf));
    api_json_encode_presence_begin(&writer);
    api_json_encode_presence_end(&writer);
    assert_written(&writer, "{\"result\":{\"presence\":{}}}");
    writer = writer_of(buf, sizeof(buf));
    api_json_encode_channels_begin(&writer);
    api_json_encode_channels_end(&writer);
    assert_written(&writer, "{\"result\":{\"channels\":{}}}");
    writer = writer_of(buf, sizeof(buf));
    api_json_encode_info_begin(&writer);
    api_json_encode_info_end(&writer);
    assert_written(&writer, "{\"result\":{\"nodes\":[]}}");
    writer = writer_of(buf, sizeof(buf));
    api_json_encode_broadcast_begin(&writer);
    api_json_encode_broadcast_end(&writer);
    assert_written(&writer, "{\"result\":{\"responses\":[]}}");
}

static void methods_are_found_by_name(void **state)
{
    (void)state;
    for (unsigned method = 0; method < API_METHOD_COUNT; method++) {
        const char *name = api_method_name((enum api_method)method);
        assert_int_equal(api_method_of(span_of_text(name)), method);
    }
    assert_int_equal(api_method_of(SPAN_LITERAL("presence_stats")), API_METHOD_PRESENCE_STATS);
    assert_int_equal(api_method_of(SPAN_LITERAL("Publish")), API_METHOD_COUNT);
    assert_int_equal(api_method_of(SPAN_LITERAL("")), API_METHOD_COUNT);
    assert_null(api_method_name(API_METHOD_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(publish_has_all_its_fields),
        cmocka_unit_test(base64_data_wins_over_json),
        cmocka_unit_test(broadcast_has_its_channels),
        cmocka_unit_test(subscribe_has_all_its_fields),
        cmocka_unit_test(the_small_requests_have_their_fields),
        cmocka_unit_test(requests_about_maps_have_their_fields),
        cmocka_unit_test(disconnect_always_has_a_code_and_a_reason),
        cmocka_unit_test(bodies_that_are_no_object_are_refused),
        cmocka_unit_test(errors_have_their_bodies_and_status),
        cmocka_unit_test(whole_results_are_written),
        cmocka_unit_test(results_about_maps_are_written),
        cmocka_unit_test(results_in_parts_are_written),
        cmocka_unit_test(containers_without_items_are_empty),
        cmocka_unit_test(methods_are_found_by_name),
    };
    return cmocka_run_group_tests_name("api_json", tests, NULL, NULL);
}
