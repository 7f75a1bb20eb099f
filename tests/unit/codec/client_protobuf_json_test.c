/* SPDX-License-Identifier: Apache-2.0 */
/* One value in two encodings: drawn commands and replies, through JSON and through Protobuf. */
#include "codec/client_json.h"
#include "codec/client_protobuf.h"
#include "tests/unit/codec/protobuf_oracle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ROUNDS 20000
#define BUF_LEN 65536

/* ---- drawing ---- */

static uint64_t draws;

/* SplitMix64: any seed is good, and a failed round is found again by its number. */
static uint64_t draw64(void)
{
    draws += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = draws;
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static size_t draw(size_t count)
{
    return (size_t)(draw64() % count);
}

static const char *draw_text(void)
{
    static const char *const texts[] = {
        "",       "a",        "news:1",       "канал", "\xf0\x9f\x98\x80",
        "q\"\\/", "\n\t\x01", "\x7f\xc2\x80", "eq",    "a longer text of some forty characters, ok",
    };
    return texts[draw(COUNT(texts))];
}

static struct span draw_span(void)
{
    return span_of_text(draw_text());
}

static const char *draw_payload(void)
{
    static const char *const payloads[] = {
        "", "1", "{}", "[1,2.5,null]", "\"\\u00e9\"", "{\"input\":\"привет\"}", "false",
    };
    return payloads[draw(COUNT(payloads))];
}

static uint64_t draw_u64(void)
{
    const uint64_t values[] = {0, 1, 127, 128, UINT32_MAX, INT64_MAX, UINT64_MAX, draw64()};
    return values[draw(COUNT(values))];
}

static int64_t draw_i64(void)
{
    const int64_t values[] = {0, 1, -1, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 64, -65};
    return values[draw(COUNT(values))];
}

static int32_t draw_i32(void)
{
    const int32_t values[] = {0, 1, -1, 63, 64, INT32_MAX, INT32_MIN};
    return values[draw(COUNT(values))];
}

static bool draw_bool(void)
{
    return draw(2) == 1;
}

/* ---- commands: any message of protobuf-c, by its descriptor ---- */

static _Alignas(16) uint8_t arena[1 << 20];
static size_t arena_used;

static void *take(size_t len)
{
    void *taken = arena + arena_used;
    arena_used += (len + 15) / 16 * 16;
    assert_true(arena_used <= sizeof(arena));
    memset(taken, 0, len);
    return taken;
}

static ProtobufCMessage *draw_message(const ProtobufCMessageDescriptor *descriptor, unsigned depth);

static void draw_value(const ProtobufCFieldDescriptor *field, void *at, unsigned depth)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        *(const char **)at = draw_text();
        break;
    case PROTOBUF_C_TYPE_BYTES: {
        const char *payload = draw_payload();
        ProtobufCBinaryData *bytes = at;
        bytes->len = strlen(payload);
        bytes->data = take(bytes->len + 1);
        memcpy(bytes->data, payload, bytes->len);
        break;
    }
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)at = draw_bool();
        break;
    case PROTOBUF_C_TYPE_UINT32:
        *(uint32_t *)at = (uint32_t)draw_u64();
        break;
    case PROTOBUF_C_TYPE_INT32:
        *(int32_t *)at = draw_i32();
        break;
    case PROTOBUF_C_TYPE_UINT64:
        *(uint64_t *)at = draw_u64();
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)at = draw_message(field->descriptor, depth + 1);
        break;
    default:
        *(int64_t *)at = draw_i64();
        break;
    }
}

static ProtobufCMessage *draw_message(const ProtobufCMessageDescriptor *descriptor, unsigned depth)
{
    ProtobufCMessage *message = take(descriptor->sizeof_message);
    descriptor->message_init(message);
    uint8_t *base = (uint8_t *)message;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        /* A command has one request, which its caller draws. */
        const bool is_message = field->type == PROTOBUF_C_TYPE_MESSAGE;
        if (draw(3) == 0 || (is_message && (depth == 0 || depth > 5))) {
            continue;
        }
        if (field->label != PROTOBUF_C_LABEL_REPEATED) {
            draw_value(field, base + field->offset, depth);
            continue;
        }
        const size_t count = draw(4);
        void **list = take((count + 1) * sizeof(void *));
        for (size_t j = 0; j < count; j++) {
            draw_value(field, &list[j], depth);
        }
        *(size_t *)(void *)(base + field->quantifier_offset) = count;
        *(void ***)(void *)(base + field->offset) = list;
    }
    return message;
}

static Roost__Client__Command *draw_command(void)
{
    arena_used = 0;
    const ProtobufCMessageDescriptor *descriptor = &roost__client__command__descriptor;
    ProtobufCMessage *message = draw_message(descriptor, 0);
    const size_t draw_of_16 = draw(16);
    const size_t requests = draw_of_16 == 0 ? 0 : draw_of_16 == 1 ? 2 : 1;
    for (size_t i = 0; i < requests; i++) {
        const ProtobufCFieldDescriptor *field =
            &descriptor->fields[1 + draw(descriptor->n_fields - 1)];
        draw_value(field, (uint8_t *)message + field->offset, 0);
    }
    return (Roost__Client__Command *)message;
}

static void both_encodings_give_the_same_command(void **state)
{
    (void)state;
    static uint8_t wire[BUF_LEN];
    static uint8_t text[BUF_LEN];
    static uint8_t protobuf_room[BUF_LEN];
    static uint8_t json_room[BUF_LEN];
    unsigned methods = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        Roost__Client__Command *drawn = draw_command();
        assert_true(roost__client__command__get_packed_size(drawn) <= sizeof(wire));
        const struct span message = span_of(wire, roost__client__command__pack(drawn, wire));
        struct writer line = writer_of(text, sizeof(text));
        assert_true(protobuf_oracle_to_json(&line, &drawn->base));

        struct client_command from_protobuf;
        struct client_command from_json;
        struct scratch protobuf_scratch =
            scratch_of(protobuf_room, CLIENT_PROTOBUF_SCRATCH_FACTOR * message.len);
        struct scratch json_scratch = scratch_of(json_room, sizeof(json_room));
        const enum protobuf_result protobuf_result =
            client_protobuf_decode_command(message, &protobuf_scratch, &from_protobuf);
        const enum json_result json_result =
            client_json_decode_command(writer_written(&line), &json_scratch, &from_json);
        if (protobuf_result != PROTOBUF_OK || json_result != JSON_OK ||
            !protobuf_oracle_same_command(&from_protobuf, &from_json)) {
            fail_msg("round %u: %s, %s: %.*s", round, protobuf_result_text(protobuf_result),
                     json_result_text(json_result), (int)writer_written_len(&line), text);
        }
        methods |= 1u << from_json.method;
    }
    /* Every method was drawn. */
    assert_int_equal(methods, (1u << CLIENT_METHOD_COUNT) - 1);
}

/* ---- replies: our structs, whose JSON protobuf-c must arrive at from our Protobuf ---- */

#define LIST_MAX 3
static struct client_info infos[64];
static size_t info_count;
static struct client_publication publications[64];
static size_t publication_count;
static struct client_subscription subscriptions[LIST_MAX];

static struct client_info draw_info(void)
{
    return (struct client_info){draw_span(), draw_span(), span_of_text(draw_payload()),
                                span_of_text(draw_payload())};
}

static struct client_publication draw_publication(void)
{
    static const char *const tags[] = {"", "{\"a\":\"b\"}", "{\"\":\"\",\"ключ\":\"знач\"}"};
    const struct client_info *info = NULL;
    if (draw_bool()) {
        infos[info_count] = draw_info();
        info = &infos[info_count++];
    }
    return (struct client_publication){.data = span_of_text(draw_payload()),
                                       .info = info,
                                       .tags = span_of_text(tags[draw(COUNT(tags))]),
                                       .epoch = draw_span(),
                                       .channel = draw_span(),
                                       .key = draw_span(),
                                       .offset = draw_u64(),
                                       .version = draw_u64(),
                                       .time_ms = draw_i64(),
                                       .score = draw_i64(),
                                       .delta = draw_bool(),
                                       .removed = draw_bool()};
}

static const struct client_publication *draw_publications(size_t *count)
{
    const struct client_publication *first = &publications[publication_count];
    *count = draw(LIST_MAX);
    for (size_t i = 0; i < *count; i++) {
        publications[publication_count++] = draw_publication();
    }
    return first;
}

static struct client_subscribe_result draw_subscribe_result(void)
{
    struct client_subscribe_result result = {.expires = draw_bool(),
                                             .recoverable = draw_bool(),
                                             .positioned = draw_bool(),
                                             .recovered = draw_bool(),
                                             .was_recovering = draw_bool(),
                                             .delta = draw_bool(),
                                             .ttl_s = (uint32_t)draw_u64(),
                                             .type = draw_i32(),
                                             .phase = draw_i32(),
                                             .publish_debounce_ms = (uint32_t)draw_u64(),
                                             .id = draw_i64(),
                                             .offset = draw_u64(),
                                             .epoch = draw_span(),
                                             .data = span_of_text(draw_payload()),
                                             .cursor = draw_span()};
    result.publications = draw_publications(&result.publication_count);
    result.state = draw_publications(&result.state_count);
    return result;
}

static struct client_connect_result draw_connect_result(void)
{
    struct client_connect_result result = {.client = draw_span(),
                                           .version = draw_span(),
                                           .data = span_of_text(draw_payload()),
                                           .session = draw_span(),
                                           .node = draw_span(),
                                           .subs = subscriptions,
                                           .sub_count = draw(LIST_MAX),
                                           .time_ms = draw_i64(),
                                           .ttl_s = (uint32_t)draw_u64(),
                                           .ping_s = (uint32_t)draw_u64(),
                                           .expires = draw_bool(),
                                           .pong = draw_bool()};
    for (size_t i = 0; i < result.sub_count; i++) {
        subscriptions[i] = (struct client_subscription){draw_span(), draw_subscribe_result()};
    }
    return result;
}

static struct client_code_and_reason draw_code(void)
{
    return (struct client_code_and_reason){(uint32_t)draw_u64(), draw_span()};
}

/* `is_whole`: with the two fields that only the refresh of a connection has. */
static struct client_refresh_result draw_refresh(bool is_whole)
{
    return (struct client_refresh_result){.client = is_whole ? draw_span() : SPAN_EMPTY,
                                          .version = is_whole ? draw_span() : SPAN_EMPTY,
                                          .expires = draw_bool(),
                                          .ttl_s = (uint32_t)draw_u64()};
}

static struct client_push draw_push(void)
{
    struct client_push push = {.kind = (enum client_push_kind)draw(CLIENT_PUSH_COUNT),
                               .channel = draw_span()};
    switch (push.kind) {
    case CLIENT_PUSH_PUBLICATION:
        push.publication = draw_publication();
        break;
    case CLIENT_PUSH_JOIN:
    case CLIENT_PUSH_LEAVE:
        push.join = draw_info();
        break;
    case CLIENT_PUSH_UNSUBSCRIBE:
    case CLIENT_PUSH_DISCONNECT:
        push.unsubscribe = draw_code();
        break;
    case CLIENT_PUSH_MESSAGE:
        push.message.data = span_of_text(draw_payload());
        break;
    case CLIENT_PUSH_SUBSCRIBE:
        push.subscribe = (struct client_subscribe_push){draw_bool(), draw_bool(), draw_u64(),
                                                        draw_span(), span_of_text(draw_payload())};
        break;
    case CLIENT_PUSH_CONNECT:
        push.connect = draw_connect_result();
        break;
    case CLIENT_PUSH_REFRESH:
        push.refresh = draw_refresh(false);
        break;
    case CLIENT_PUSH_COUNT:
        break;
    }
    return push;
}

static struct client_reply draw_reply(void)
{
    info_count = 0;
    publication_count = 0;
    struct client_reply reply = {.id = (uint32_t)draw_u64(),
                                 .kind = (enum client_reply_kind)draw(CLIENT_REPLY_COUNT)};
    switch (reply.kind) {
    case CLIENT_REPLY_ERROR:
        reply.error = (struct client_error_reply){(uint32_t)draw_u64(), draw_span(), draw_bool()};
        break;
    case CLIENT_REPLY_PUSH:
        reply.push = draw_push();
        break;
    case CLIENT_REPLY_CONNECT:
        reply.connect = draw_connect_result();
        break;
    case CLIENT_REPLY_SUBSCRIBE:
        reply.subscribe = draw_subscribe_result();
        break;
    case CLIENT_REPLY_PRESENCE:
        reply.presence.clients = infos;
        for (reply.presence.client_count = 0; draw(4) != 0; reply.presence.client_count++) {
            infos[reply.presence.client_count % COUNT(infos)] = draw_info();
            if (reply.presence.client_count + 1 == COUNT(infos)) {
                break;
            }
        }
        break;
    case CLIENT_REPLY_PRESENCE_STATS:
        reply.presence_stats =
            (struct client_presence_stats_result){(uint32_t)draw_u64(), (uint32_t)draw_u64()};
        break;
    case CLIENT_REPLY_HISTORY:
        reply.history.publications = draw_publications(&reply.history.publication_count);
        reply.history.epoch = draw_span();
        reply.history.offset = draw_u64();
        break;
    case CLIENT_REPLY_RPC:
        reply.rpc.data = span_of_text(draw_payload());
        break;
    case CLIENT_REPLY_REFRESH:
        reply.refresh = draw_refresh(true);
        break;
    case CLIENT_REPLY_SUB_REFRESH:
        reply.sub_refresh = draw_refresh(false);
        break;
    case CLIENT_REPLY_PING:
    case CLIENT_REPLY_UNSUBSCRIBE:
    case CLIENT_REPLY_PUBLISH:
    case CLIENT_REPLY_COUNT:
        break;
    }
    return reply;
}

/* What protobuf-c reads is the reply's JSON, and what it writes are our bytes. */
static void assert_reads_as(struct span message, struct span wanted)
{
    static uint8_t text[BUF_LEN];
    static uint8_t packed[BUF_LEN];
    Roost__Client__Reply *got = roost__client__reply__unpack(NULL, message.len, message.at);
    assert_non_null(got);
    struct writer line = writer_of(text, sizeof(text));
    (void)protobuf_oracle_to_json(&line, &got->base);
    if (!span_equal(writer_written(&line), wanted)) {
        fail_msg("protobuf-c %.*s\nwanted     %.*s", (int)writer_written_len(&line), text,
                 (int)wanted.len, (const char *)wanted.at);
    }
    assert_int_equal(roost__client__reply__get_packed_size(got), message.len);
    assert_true(span_equal(span_of(packed, roost__client__reply__pack(got, packed)), message));
    roost__client__reply__free_unpacked(got, NULL);
}

static void protobuf_c_reads_what_we_wrote(void **state)
{
    (void)state;
    static uint8_t wire[BUF_LEN];
    static uint8_t text[BUF_LEN];
    for (unsigned round = 0; round < ROUNDS; round++) {
        const struct client_reply reply = draw_reply();
        struct writer measure = writer_for_measuring();
        client_protobuf_encode_reply(&measure, &reply);
        assert_true(measure.overflow <= sizeof(wire));
        struct writer frame = writer_of(wire, measure.overflow);
        client_protobuf_encode_reply(&frame, &reply);
        assert_int_equal(frame.overflow, 0);
        assert_int_equal(writer_room(&frame), 0);
        struct span rest = writer_written(&frame);
        struct span message;
        assert_int_equal(protobuf_read_delimited(&rest, sizeof(wire), &message), PROTOBUF_OK);
        assert_int_equal(rest.len, 0);

        struct writer line = writer_of(text, sizeof(text));
        client_json_encode_reply(&line, &reply);
        assert_reads_as(message, writer_written(&line));

        /* With any less room nothing is written beyond it, and the measure stays the same. */
        struct writer small = writer_of(wire, draw(measure.overflow + 1));
        client_protobuf_encode_reply(&small, &reply);
        assert_int_equal(writer_written_len(&small) + small.overflow, measure.overflow);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_encodings_give_the_same_command),
        cmocka_unit_test(protobuf_c_reads_what_we_wrote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
