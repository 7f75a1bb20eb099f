/* SPDX-License-Identifier: Apache-2.0 */
/* What goes over the wire: payloads, frames in every cut, and each protocol's words. */
#include "ops/bench/frame.h"
#include "ops/bench/payload.h"
#include "ops/bench/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void a_payload_tells_what_was_stamped(void **state)
{
    (void)state;
    const struct payload_stamp stamps[] = {
        {0, 0, 0},
        {UINT64_C(0xfedcba98765432), 0x89abcdef, 0xfedc},
        {1, UINT32_MAX, 1},
    };
    for (size_t i = 0; i < 3; i++) {
        for (uint32_t len = PAYLOAD_LEN_MIN; len < 64; len++) {
            uint8_t bytes[64];
            struct payload_stamp read = {0};
            payload_write(bytes, len, &stamps[i]);
            assert_true(payload_read(span_of(bytes, len), &read));
            assert_int_equal(read.due_ns, stamps[i].due_ns);
            assert_int_equal(read.number, stamps[i].number);
            assert_int_equal(read.channel, stamps[i].channel);
        }
    }
}

static void every_wrong_byte_of_a_stamp_is_seen(void **state)
{
    (void)state;
    const struct payload_stamp stamp = {12345, 67890, 42};
    uint8_t bytes[PAYLOAD_LEN_MIN];
    payload_write(bytes, sizeof bytes, &stamp);
    for (size_t at = 1; at < PAYLOAD_STAMP_LEN; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            const bool is_digit = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
            const uint8_t kept = bytes[at];
            struct payload_stamp read;
            bytes[at] = (uint8_t)byte;
            assert_int_equal(payload_read(span_of(bytes, sizeof bytes), &read), is_digit);
            bytes[at] = kept;
        }
    }
    assert_false(payload_read(span_of(bytes, sizeof bytes - 1), &(struct payload_stamp){0}));
    assert_false(payload_read(SPAN_EMPTY, &(struct payload_stamp){0}));
}

static void frames_are_taken_whole_or_not_at_all(void **state)
{
    (void)state;
    static const uint32_t lens[] = {0, 1, 125, 126, 65535, 65536};
    static uint8_t bytes[65536 + WEBSOCKET_HEADER_LEN_MAX];
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        const size_t header_len =
            websocket_encode_header(bytes, WEBSOCKET_FIN | WEBSOCKET_TEXT, lens[i], NULL);
        const uint8_t *end = bytes + header_len + lens[i];
        const size_t step = lens[i] > 1000 ? 997 : 1;
        for (const uint8_t *cut = bytes; cut < end; cut += step) {
            const uint8_t *at = bytes;
            struct frame frame;
            assert_int_equal(frame_take(&at, cut, 1 << 20, &frame), FRAME_MORE);
            assert_ptr_equal(at, bytes);
        }
        const uint8_t *at = bytes;
        struct frame frame;
        assert_int_equal(frame_take(&at, end, 1 << 20, &frame), FRAME_WHOLE);
        assert_ptr_equal(at, end);
        assert_int_equal(frame.opcode, WEBSOCKET_TEXT);
        assert_int_equal(frame.payload.len, lens[i]);
        at = bytes;
        assert_int_equal(frame_take(&at, end, lens[i] - 1, &frame),
                         lens[i] == 0 ? FRAME_WHOLE : FRAME_BAD);
    }
}

static void broken_frames_are_refused(void **state)
{
    (void)state;
    static const uint8_t firsts[] = {0x01, 0x02, 0xc1, 0xa1, 0x91, 0x09};
    for (size_t i = 0; i < sizeof firsts; i++) {
        const uint8_t bytes[] = {firsts[i], 0};
        const uint8_t *at = bytes;
        struct frame frame;
        assert_int_equal(frame_take(&at, bytes + 2, 100, &frame), FRAME_BAD);
    }
    const uint8_t long_ping[] = {0x89, 126, 0, 126};
    const uint8_t *at = long_ping;
    assert_int_equal(frame_take(&at, long_ping + 4, 1000, &(struct frame){0}), FRAME_BAD);
}

/* All events of one message, as a text of their first letters, and the last payload. */
static const char *events_of(const struct protocol *protocol, struct span message,
                             struct span *payload)
{
    static const char letters[] = ".JPpoE";
    static char text[16];
    size_t len = 0;
    struct span out;
    enum protocol_event event;
    while (len < sizeof text - 1 && (event = protocol->next(&message, &out)) != PROTOCOL_END) {
        text[len++] = letters[event];
        if (event == PROTOCOL_PUBLICATION) {
            *payload = out;
        }
    }
    text[len] = 0;
    return text;
}

static void centrifuge_json_is_understood(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        const char *events;
    } cases[] = {
        {"{}", "p"},
        {"{\"id\":1,\"connect\":{\"client\":\"x\",\"ping\":25}}", "J"},
        {"{\"id\":2,\"connect\":{}}\n{\"id\":1,\"subscribe\":{}}", "oJ"},
        {"{\"id\":1,\"error\":{\"code\":103}}", "E"},
        {"{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":\"abc\"}}}\n{}", "Pp"},
        {"{\"push\":{\"channel\":\"c\",\"pub\":{\"data\":\"abc\",\"offset\":7}}}", "P"},
        {"{\"push\":{\"channel\":\"c\",\"join\":{\"info\":{}}}}", "o"},
        {"{\"id\":3,\"publish\":{}}\n", "o"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct span payload = SPAN_EMPTY;
        assert_string_equal(events_of(&protocol_centrifuge_json, span_of_text(cases[i].message),
                                      &payload),
                            cases[i].events);
        if (payload.len > 0) {
            assert_true(span_equal(payload, SPAN_LITERAL("\"abc\"")));
        }
    }
}

static void centrifuge_protobuf_is_understood(void **state)
{
    (void)state;
    static const uint8_t joined[] = {4, 0x08, 2, 0x2a, 0, 4, 0x08, 1, 0x32, 0};
    static const uint8_t refused[] = {6, 0x08, 1, 0x12, 2, 0x08, 103};
    static const uint8_t push[] = {12, 0x22, 10, 0x12, 1, 'c', 0x22, 5, 0x22, 3, 'a', 'b', 'c', 0};
    static const uint8_t torn[] = {9, 0x08, 1};
    struct span payload = SPAN_EMPTY;
    const struct protocol *protocol = &protocol_centrifuge_protobuf;
    assert_string_equal(events_of(protocol, span_of(joined, sizeof joined), &payload), "oJ");
    assert_string_equal(events_of(protocol, span_of(refused, sizeof refused), &payload), "E");
    assert_string_equal(events_of(protocol, span_of(push, sizeof push), &payload), "Pp");
    assert_true(span_equal(payload, SPAN_LITERAL("abc")));
    assert_string_equal(events_of(protocol, span_of(torn, sizeof torn), &payload), "E");
}

static void nats_is_understood(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        const char *events;
    } cases[] = {
        {"INFO {\"server_id\":\"x\"} \r\nPONG\r\n", "oJ"},
        {"PING\r\n", "p"},
        {"+OK\r\n", "o"},
        {"MSG c 1 3\r\nabc\r\n", "P"},
        {"MSG c 1 reply.to 3\r\nabc\r\nPING\r\nMSG c 1 3\r\nabc\r\n", "PpP"},
        {"-ERR 'Unknown Protocol Operation'\r\n", "E"},
        {"HMSG c 1 12 15\r\n", "E"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct span payload = SPAN_EMPTY;
        assert_string_equal(events_of(&protocol_nats, span_of_text(cases[i].message), &payload),
                            cases[i].events);
        if (payload.len > 0) {
            assert_true(span_equal(payload, SPAN_LITERAL("abc")));
        }
    }
}

/* A message that is not whole is said to be wrong: never half a payload, never a byte too far. */
static void torn_messages_of_nats_are_errors(void **state)
{
    (void)state;
    static const char whole[] = "MSG c 1 3\r\nabc\r\n";
    for (size_t len = 1; len < sizeof whole - 1; len++) {
        struct span rest = span_of(whole, len);
        struct span out;
        assert_int_equal(protocol_nats.next(&rest, &out), PROTOCOL_ERROR);
    }
    static const char *const wrong[] = {
        "MSG c 1 4\r\nabc\r\n", "MSG c 1 2\r\nabc\r\n",    "MSG \r\nabc\r\n",
        "MSG c 1 x\r\nabc\r\n", "MSG 99999999\r\nabc\r\n", "MSG 3\r\nabc",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct span rest = span_of_text(wrong[i]);
        struct span out;
        assert_int_equal(protocol_nats.next(&rest, &out), PROTOCOL_ERROR);
    }
}

static void socketio_is_understood(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        const char *events;
    } cases[] = {
        {"0{\"sid\":\"x\",\"pingInterval\":25000}", "o"},
        {"2", "p"},
        {"40{\"sid\":\"y\"}", "J"},
        {"42[\"message\",\"abc\"]", "P"},
        {"42[\"other\",\"abc\"]", "o"},
        {"42[\"message\",", "o"},
        {"42", "o"},
        {"430[]", "o"},
        {"44{\"message\":\"no\"}", "E"},
        {"41", "E"},
        {"4", "E"},
        {"1", "E"},
        {"x", "E"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct span payload = SPAN_EMPTY;
        assert_string_equal(events_of(&protocol_socketio, span_of_text(cases[i].message), &payload),
                            cases[i].events);
        if (payload.len > 0) {
            assert_true(span_equal(payload, SPAN_LITERAL("\"abc\"")));
        }
    }
}

static void peers_are_told_what_they_want(void **state)
{
    (void)state;
    uint8_t bytes[256];
    struct writer out = writer_of(bytes, sizeof bytes);
    protocol_nats.join(&out, "c");
    protocol_nats.publish(&out, "c", SPAN_LITERAL("\"x\""));
    protocol_nats.join(&out, NULL);
    assert_true(span_equal(writer_written(&out),
                           SPAN_LITERAL("CONNECT {\"verbose\":false,\"pedantic\":false}\r\n"
                                        "SUB c 1\r\nPING\r\n"
                                        "PUB c 3\r\n\"x\"\r\n"
                                        "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n"
                                        "PING\r\n")));
    out = writer_of(bytes, sizeof bytes);
    protocol_socketio.join(&out, "c");
    protocol_socketio.publish(&out, "c", SPAN_LITERAL("\"x\""));
    protocol_socketio.echo(&out, "c", SPAN_LITERAL("\"x\""));
    protocol_socketio.join(&out, NULL);
    assert_true(span_equal(writer_written(&out),
                           SPAN_LITERAL("40{\"room\":\"c\"}42[\"publish\",\"c\",\"x\"]"
                                        "42[\"echo\",\"x\"]40")));
}

static void commands_are_what_the_protocol_wants(void **state)
{
    (void)state;
    uint8_t bytes[256];
    struct writer out = writer_of(bytes, sizeof bytes);
    protocol_centrifuge_json.join(&out, "c");
    protocol_centrifuge_json.publish(&out, "c", SPAN_LITERAL("\"x\""));
    assert_true(
        span_equal(writer_written(&out),
                   SPAN_LITERAL("{\"id\":2,\"connect\":{}}\n"
                                "{\"id\":1,\"subscribe\":{\"channel\":\"c\"}}"
                                "{\"id\":3,\"publish\":{\"channel\":\"c\",\"data\":\"x\"}}")));
    static const uint8_t expected[] = {4,  0x08, 2, 0x22, 0, 7,    0x08, 1,   0x2a, 3, 0x0a, 1, 'c',
                                       10, 0x08, 3, 0x3a, 6, 0x0a, 1,    'c', 0x12, 1, 'x'};
    out = writer_of(bytes, sizeof bytes);
    protocol_centrifuge_protobuf.join(&out, "c");
    protocol_centrifuge_protobuf.publish(&out, "c", SPAN_LITERAL("x"));
    assert_true(span_equal(writer_written(&out), span_of(expected, sizeof expected)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payload_tells_what_was_stamped),
        cmocka_unit_test(every_wrong_byte_of_a_stamp_is_seen),
        cmocka_unit_test(frames_are_taken_whole_or_not_at_all),
        cmocka_unit_test(broken_frames_are_refused),
        cmocka_unit_test(centrifuge_json_is_understood),
        cmocka_unit_test(centrifuge_protobuf_is_understood),
        cmocka_unit_test(nats_is_understood),
        cmocka_unit_test(torn_messages_of_nats_are_errors),
        cmocka_unit_test(socketio_is_understood),
        cmocka_unit_test(peers_are_told_what_they_want),
        cmocka_unit_test(commands_are_what_the_protocol_wants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
