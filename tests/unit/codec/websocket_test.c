/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket frames: a rich stream under every cut, each refusal, both roles, and the encoders. */
#include "codec/websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { STREAM_MAX = 200000, LOG_MAX = 400000, LIMIT = 65536 };

/* A peer's bytes, as they are put together frame by frame. */
struct stream {
    uint8_t bytes[STREAM_MAX];
    size_t len;
};

/*
 * What a receiver saw, as text in which the borders of pieces are gone: `text:...;`, `ping:...;`,
 * `close 1000:...;`, `error 4 1002;`. A NUL is shown as an @.
 */
struct receiver {
    struct websocket_decoder decoder;
    uint8_t carry[WEBSOCKET_CARRY_MAX];
    size_t carry_len;
    bool is_open; /* inside of a message */
    char log[LOG_MAX];
    size_t log_len;
};

static struct stream sent;
static struct receiver whole;
static struct receiver cut;

static const uint8_t some_mask[4] = {0x37, 0xfa, 0x21, 0x3d};

static void send_bytes(const void *bytes, size_t len)
{
    assert_true(len <= STREAM_MAX - sent.len);
    memcpy(sent.bytes + sent.len, bytes, len);
    sent.len += len;
}

static void send_frame(unsigned first, const void *payload, size_t len, const uint8_t *mask)
{
    uint8_t header[WEBSOCKET_HEADER_LEN_MAX];
    send_bytes(header, websocket_encode_header(header, first, len, mask));
    send_bytes(payload, len);
    if (mask != NULL) {
        for (size_t i = 0; i < len; i++) {
            sent.bytes[sent.len - len + i] ^= mask[i & 3];
        }
    }
}

static void send_text(unsigned first, const char *text)
{
    send_frame(first, text, strlen(text), some_mask);
}

static void send_close(unsigned code, const char *reason)
{
    char payload[200] = {(char)(code >> 8), (char)code};
    memcpy(payload + 2, reason, strlen(reason));
    send_frame(0x88, payload, 2 + strlen(reason), some_mask);
}

static void note(struct receiver *receiver, struct span span)
{
    assert_true(span.len < LOG_MAX - receiver->log_len);
    for (size_t i = 0; i < span.len; i++) {
        receiver->log[receiver->log_len++] = (char)(span.at[i] == 0 ? '@' : span.at[i]);
    }
    receiver->log[receiver->log_len] = '\0';
}

static void note_text(struct receiver *receiver, const char *text)
{
    note(receiver, span_of_text(text));
}

static void note_data(struct receiver *receiver, const struct websocket_event *event)
{
    assert_int_equal(event->is_first, !receiver->is_open);
    if (event->is_first) {
        note_text(receiver, event->is_compressed ? "compressed " : "");
        note_text(receiver, event->opcode == WEBSOCKET_TEXT ? "text:" : "binary:");
    }
    note(receiver, event->payload);
    note_text(receiver, event->is_last ? ";" : "");
    receiver->is_open = !event->is_last;
}

static void note_control(struct receiver *receiver, const char *name, struct span payload)
{
    note_text(receiver, receiver->is_open ? "(" : "");
    note_text(receiver, name);
    note(receiver, payload);
    note_text(receiver, receiver->is_open ? ")" : ";");
}

static bool note_event(struct receiver *receiver, enum websocket_result result,
                       const struct websocket_event *event)
{
    char text[64];
    switch (result) {
    case WEBSOCKET_DATA:
        note_data(receiver, event);
        return true;
    case WEBSOCKET_PING:
        note_control(receiver, "ping:", event->payload);
        return true;
    case WEBSOCKET_PONG:
        note_control(receiver, "pong:", event->payload);
        return true;
    case WEBSOCKET_CLOSE:
        (void)snprintf(text, sizeof(text), "close %u:", event->close_code);
        note_control(receiver, text, event->payload);
        return true;
    case WEBSOCKET_ERROR:
        (void)snprintf(text, sizeof(text), "error %u %u;", event->error, event->close_code);
        note_text(receiver, text);
        return false;
    case WEBSOCKET_NEED_MORE:
        break;
    }
    return false;
}

static void receiver_init(struct receiver *receiver, uint32_t limit, unsigned flags)
{
    websocket_decoder_init(&receiver->decoder, limit, flags);
    receiver->carry_len = 0;
    receiver->is_open = false;
    receiver->log_len = 0;
    receiver->log[0] = '\0';
}

/* One read: what was carried and the new bytes, in a block of exactly that size. */
static void receive(struct receiver *receiver, const uint8_t *bytes, size_t len)
{
    size_t total = receiver->carry_len + len;
    uint8_t *block = malloc(total == 0 ? 1 : total);
    assert_non_null(block);
    memcpy(block, receiver->carry, receiver->carry_len);
    memcpy(block + receiver->carry_len, bytes, len);
    uint8_t *at = block;
    struct websocket_event event;
    enum websocket_result result;
    do {
        result = websocket_decode(&receiver->decoder, &at, block + total, &event);
    } while (note_event(receiver, result, &event));
    receiver->carry_len = 0;
    if (result == WEBSOCKET_NEED_MORE) {
        receiver->carry_len = (size_t)(block + total - at);
        assert_true(receiver->carry_len <= WEBSOCKET_CARRY_MAX);
        memcpy(receiver->carry, at, receiver->carry_len);
    }
    free(block);
}

/* An error ends the log once, however often the decoder is asked again. */
static void receive_until_error(struct receiver *receiver, const uint8_t *bytes, size_t len)
{
    if (receiver->decoder.error == WEBSOCKET_ERROR_NONE) {
        receive(receiver, bytes, len);
    }
}

/* How much of an unfinished message came before an error depends on the cut; the rest must not. */
static void drop_unfinished(struct receiver *receiver)
{
    char *error = strstr(receiver->log, "error ");
    char *start = error;
    while (start != NULL && start > receiver->log && start[-1] != ';') {
        start--;
    }
    if (start != NULL) {
        memmove(start, error, strlen(error) + 1);
    }
}

static void expect_same_log(size_t a, size_t b)
{
    drop_unfinished(&cut);
    if (strcmp(whole.log, cut.log) != 0) {
        fail_msg("cut at %zu and %zu: %s instead of %s", a, b, cut.log, whole.log);
    }
}

/* The whole stream at once, then under every cut in two, and a byte at a time. */
static void receive_under_every_cut(uint32_t limit, unsigned flags)
{
    receiver_init(&whole, limit, flags);
    receive_until_error(&whole, sent.bytes, sent.len);
    drop_unfinished(&whole);
    for (size_t a = 0; a <= sent.len; a++) {
        receiver_init(&cut, limit, flags);
        receive_until_error(&cut, sent.bytes, a);
        receive_until_error(&cut, sent.bytes + a, sent.len - a);
        expect_same_log(a, sent.len);
    }
    receiver_init(&cut, limit, flags);
    for (size_t i = 0; i < sent.len; i++) {
        receive_until_error(&cut, sent.bytes + i, 1);
    }
    expect_same_log(1, 1);
}

static int reset_stream(void **state)
{
    (void)state;
    sent.len = 0;
    return 0;
}

/* ---- what is good ---- */

static void build_rich_stream(void)
{
    char long_text[301];
    memset(long_text, 'x', 300);
    long_text[300] = '\0';
    send_text(0x81, "hello");
    send_text(0x81, "");
    send_text(0x01, "frag\xe2");
    send_text(0x89, "beat");
    send_text(0x00, "\x82");
    send_text(0x00, "");
    send_text(0x8a, "");
    send_text(0x80, "\xac"
                    "ments");
    send_frame(0x82, "\x00\xff\x01", 3, some_mask);
    send_text(0x02, "");
    send_text(0x80, "");
    send_text(0x81, long_text);
    send_text(0x89, "0123456789012345678901234567890123456789012345678901234567890123456789"
                    "0123456789012345678901234567890123456789012345678901234");
    send_text(0x81, "\xf0\x9f\x98\x80");
    send_close(1000, "bye \xc3\xa9");
    send_text(0x81, "ignored");
}

static void a_rich_stream_reads_the_same_under_every_cut(void **state)
{
    (void)state;
    build_rich_stream();
    receive_under_every_cut(LIMIT, 0);
    static const char start[] = "text:hello;text:;text:frag\xe2(ping:beat)\x82(pong:)\xac"
                                "ments;binary:@\xff\x01;binary:;text:xxx";
    assert_memory_equal(whole.log, start, sizeof(start) - 1);
    assert_non_null(strstr(whole.log, "xxx;ping:012345"));
    assert_non_null(strstr(whole.log, "1234;text:\xf0\x9f\x98\x80;close 1000:bye \xc3\xa9;"));
    assert_null(strstr(whole.log, "ignored"));
}

static void a_rich_stream_reads_the_same_in_pieces_of_every_size(void **state)
{
    (void)state;
    build_rich_stream();
    receiver_init(&whole, LIMIT, 0);
    receive(&whole, sent.bytes, sent.len);
    for (size_t piece = 1; piece < 200; piece++) {
        receiver_init(&cut, LIMIT, 0);
        for (size_t at = 0; at < sent.len; at += piece) {
            receive(&cut, sent.bytes + at, piece < sent.len - at ? piece : sent.len - at);
        }
        assert_int_equal(cut.log_len, whole.log_len);
        assert_memory_equal(cut.log, whole.log, whole.log_len);
    }
}

static void every_length_form_is_read_and_written(void **state)
{
    static const size_t lens[] = {0, 1, 124, 125, 126, 127, 128, 255, 256, 65535, 65536, 70000};
    static uint8_t payload[70000];
    (void)state;
    memset(payload, 'p', sizeof(payload));
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        sent.len = 0;
        send_frame(0x82, payload, lens[i], some_mask);
        receiver_init(&whole, 70000, 0);
        receive(&whole, sent.bytes, sent.len);
        assert_int_equal(whole.log_len, strlen("binary:;") + lens[i]);
        receiver_init(&whole, 70000, WEBSOCKET_FROM_SERVER);
        sent.len = 0;
        send_frame(0x82, payload, lens[i], NULL);
        receive(&whole, sent.bytes, sent.len);
        assert_int_equal(whole.log_len, strlen("binary:;") + lens[i]);
    }
}

static void compressed_messages_carry_their_mark_through_all_pieces(void **state)
{
    (void)state;
    send_frame(0x41, "\xff\xfe", 2, some_mask);
    send_text(0x89, "mid");
    send_frame(0x80, "\xfd", 1, some_mask);
    send_text(0x81, "plain");
    send_frame(0xc2, "zz", 2, some_mask);
    receive_under_every_cut(LIMIT, WEBSOCKET_DEFLATE);
    assert_string_equal(whole.log, "compressed text:\xff\xfe(ping:mid)\xfd;text:plain;"
                                   "compressed binary:zz;");
}

static void a_server_is_read_by_a_client(void **state)
{
    (void)state;
    send_frame(0x81, "from the server", 15, NULL);
    send_frame(0x01, "in ", 3, NULL);
    send_frame(0x89, "p", 1, NULL);
    send_frame(0x80, "two", 3, NULL);
    send_frame(0x88, "", 0, NULL);
    receive_under_every_cut(LIMIT, WEBSOCKET_FROM_SERVER);
    assert_string_equal(whole.log, "text:from the server;text:in (ping:p)two;close 1005:;");
}

static void many_tiny_fragments_are_one_message(void **state)
{
    (void)state;
    send_text(0x01, "a");
    for (int i = 0; i < 20000; i++) {
        send_text(0x00, "b");
    }
    send_text(0x80, "c");
    receiver_init(&whole, 20002, 0);
    receive(&whole, sent.bytes, sent.len);
    assert_int_equal(whole.log_len, strlen("text:;") + 20002);
    receiver_init(&whole, 20001, 0);
    receive(&whole, sent.bytes, sent.len);
    assert_int_equal(whole.decoder.error, WEBSOCKET_ERROR_MESSAGE_TOO_LARGE);
}

static void the_limit_is_exact(void **state)
{
    (void)state;
    send_text(0x81, "12345678");
    receive_under_every_cut(8, 0);
    assert_string_equal(whole.log, "text:12345678;");
    receive_under_every_cut(7, 0);
    assert_string_equal(whole.log, "error 13 1009;");
    sent.len = 0;
    send_text(0x01, "1234");
    send_text(0x80, "5678");
    receive_under_every_cut(8, 0);
    assert_string_equal(whole.log, "text:12345678;");
    receive_under_every_cut(7, 0);
    assert_string_equal(whole.log, "error 13 1009;");
}

/* The refusal comes with the header: not one byte of a payload of 2^40 is waited for. */
static void a_declared_length_is_refused_before_its_payload(void **state)
{
    static const uint8_t header[] = {0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0};
    (void)state;
    send_bytes(header, sizeof(header));
    receiver_init(&whole, UINT32_MAX, 0);
    receive(&whole, sent.bytes, sent.len);
    assert_int_equal(whole.decoder.error, WEBSOCKET_ERROR_MESSAGE_TOO_LARGE);
}

/* ---- what is refused ---- */

#define MASK "\x00\x00\x00\x00"

struct refusal {
    const char *bytes;
    size_t len;
    unsigned flags;
    enum websocket_error error;
};

#define REFUSAL(text, flags, error) \
    { \
        text, sizeof(text) - 1, flags, error \
    }

static const struct refusal refusals[] = {
    REFUSAL("\x91", 0, WEBSOCKET_ERROR_RESERVED_BITS),
    REFUSAL("\xa1", WEBSOCKET_DEFLATE, WEBSOCKET_ERROR_RESERVED_BITS),
    REFUSAL("\xc1", 0, WEBSOCKET_ERROR_RESERVED_BITS),
    REFUSAL("\xc9", 0, WEBSOCKET_ERROR_RESERVED_BITS),
    REFUSAL("\xc9", WEBSOCKET_DEFLATE, WEBSOCKET_ERROR_COMPRESSED_CONTROL),
    REFUSAL("\xc8", WEBSOCKET_DEFLATE, WEBSOCKET_ERROR_COMPRESSED_CONTROL),
    REFUSAL("\x41\x80" MASK "\xc0", WEBSOCKET_DEFLATE, WEBSOCKET_ERROR_COMPRESSED_CONTINUATION),
    REFUSAL("\x01\x80" MASK "\x40", WEBSOCKET_DEFLATE, WEBSOCKET_ERROR_COMPRESSED_CONTINUATION),
    REFUSAL("\x83", 0, WEBSOCKET_ERROR_RESERVED_OPCODE),
    REFUSAL("\x87", 0, WEBSOCKET_ERROR_RESERVED_OPCODE),
    REFUSAL("\x8b", 0, WEBSOCKET_ERROR_RESERVED_OPCODE),
    REFUSAL("\x8f", 0, WEBSOCKET_ERROR_RESERVED_OPCODE),
    REFUSAL("\x09", 0, WEBSOCKET_ERROR_FRAGMENTED_CONTROL),
    REFUSAL("\x08", 0, WEBSOCKET_ERROR_FRAGMENTED_CONTROL),
    REFUSAL("\x80", 0, WEBSOCKET_ERROR_UNEXPECTED_CONTINUATION),
    REFUSAL("\x81\x80" MASK "\x00", 0, WEBSOCKET_ERROR_UNEXPECTED_CONTINUATION),
    REFUSAL("\x01\x80" MASK "\x81", 0, WEBSOCKET_ERROR_EXPECTED_CONTINUATION),
    REFUSAL("\x02\x80" MASK "\x89\x80" MASK "\x02", 0, WEBSOCKET_ERROR_EXPECTED_CONTINUATION),
    REFUSAL("\x81\x05", 0, WEBSOCKET_ERROR_UNMASKED),
    REFUSAL("\x89\x00", 0, WEBSOCKET_ERROR_UNMASKED),
    REFUSAL("\x81\x85", WEBSOCKET_FROM_SERVER, WEBSOCKET_ERROR_MASKED),
    REFUSAL("\x89\xfe", 0, WEBSOCKET_ERROR_CONTROL_TOO_LONG),
    REFUSAL("\x88\xff", 0, WEBSOCKET_ERROR_CONTROL_TOO_LONG),
    REFUSAL("\x81\xfe\x00\x7d", 0, WEBSOCKET_ERROR_LENGTH_NOT_MINIMAL),
    REFUSAL("\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff", 0, WEBSOCKET_ERROR_LENGTH_NOT_MINIMAL),
    REFUSAL("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00", 0, WEBSOCKET_ERROR_LENGTH_SIGN),
    REFUSAL("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff", 0, WEBSOCKET_ERROR_LENGTH_SIGN),
    REFUSAL("\x81\xff\x00\x00\x00\x00\x00\x01\x00\x01", 0, WEBSOCKET_ERROR_MESSAGE_TOO_LARGE),
    REFUSAL("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 0, WEBSOCKET_ERROR_MESSAGE_TOO_LARGE),
    REFUSAL("\x81\x83" MASK "ab\xff", 0, WEBSOCKET_ERROR_BAD_UTF8),
    REFUSAL("\x81\x82" MASK "\xed\xa0", 0, WEBSOCKET_ERROR_BAD_UTF8),
    REFUSAL("\x81\x82" MASK "a\xc3", 0, WEBSOCKET_ERROR_BAD_UTF8),
    REFUSAL("\x01\x82" MASK "a\xe2\x80\x81" MASK "x", 0, WEBSOCKET_ERROR_BAD_UTF8),
    REFUSAL("\x01\x82" MASK "a\xe2\x80\x80" MASK, 0, WEBSOCKET_ERROR_BAD_UTF8),
    REFUSAL("\x88\x81" MASK "\x03", 0, WEBSOCKET_ERROR_CLOSE_TRUNCATED),
    REFUSAL("\x88\x82" MASK "\x03\xed", 0, WEBSOCKET_ERROR_CLOSE_CODE),
    REFUSAL("\x88\x83" MASK "\x03\xe8\xff", 0, WEBSOCKET_ERROR_CLOSE_BAD_UTF8),
    REFUSAL("\x88\x83" MASK "\x03\xe8\xc3", 0, WEBSOCKET_ERROR_CLOSE_BAD_UTF8),
};

static void each_refusal_has_its_reason_under_every_cut(void **state)
{
    bool is_met[WEBSOCKET_ERROR_COUNT] = {[WEBSOCKET_ERROR_NONE] = true};
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        char expected[32];
        sent.len = 0;
        send_bytes(refusals[i].bytes, refusals[i].len);
        receive_under_every_cut(LIMIT, refusals[i].flags);
        unsigned code = websocket_error_close_code(refusals[i].error);
        (void)snprintf(expected, sizeof(expected), "error %u %u;", refusals[i].error, code);
        const char *found = strstr(whole.log, "error");
        assert_string_equal(found == NULL ? whole.log : found, expected);
        /* All but the last byte is no error yet: the verdict comes with the byte that deserves it.
         */
        receiver_init(&cut, LIMIT, refusals[i].flags);
        receive(&cut, sent.bytes, sent.len - 1);
        assert_int_equal(cut.decoder.error, WEBSOCKET_ERROR_NONE);
        is_met[refusals[i].error] = true;
    }
    for (size_t error = 0; error < WEBSOCKET_ERROR_COUNT; error++) {
        assert_true(is_met[error]);
        assert_true(strlen(websocket_error_text((enum websocket_error)error)) > 0);
    }
}

static void a_refused_peer_stays_refused(void **state)
{
    struct websocket_event event;
    uint8_t bytes[] = {0x81, 0x05, 0x81, 0x80, 0, 0, 0, 0};
    uint8_t *at = bytes;
    (void)state;
    websocket_decoder_init(&whole.decoder, LIMIT, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(websocket_decode(&whole.decoder, &at, bytes + sizeof(bytes), &event),
                         WEBSOCKET_ERROR);
        assert_int_equal(event.error, WEBSOCKET_ERROR_UNMASKED);
        assert_int_equal(event.close_code, 1002);
    }
}

static void every_first_byte_is_judged(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        uint8_t bytes[] = {(uint8_t)first, 0x80, 0, 0, 0, 0};
        bool is_good = first == 0x81 || first == 0x82 || first == 0x01 || first == 0x02 ||
                       first == 0x88 || first == 0x89 || first == 0x8a;
        receiver_init(&whole, LIMIT, 0);
        receive(&whole, bytes, sizeof(bytes));
        assert_int_equal(whole.decoder.error == WEBSOCKET_ERROR_NONE, is_good);
    }
}

static void close_codes_are_those_of_the_registry(void **state)
{
    static const uint16_t good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010,
                                    1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999};
    static const uint16_t bad[] = {0,    1,    999,  1004, 1005, 1006, 1015,
                                   1016, 1100, 2000, 2999, 5000, 65535};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(websocket_is_close_code(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(websocket_is_close_code(bad[i]));
    }
}

/* ---- masks and encoders ---- */

static void masking_in_pieces_equals_masking_at_once(void **state)
{
    uint8_t plain[80];
    uint32_t mask;
    (void)state;
    memcpy(&mask, some_mask, sizeof(mask));
    for (size_t i = 0; i < sizeof(plain); i++) {
        plain[i] = (uint8_t)(i * 7);
    }
    for (size_t len = 0; len <= sizeof(plain); len++) {
        for (size_t border = 0; border <= len; border++) {
            uint8_t *masked = malloc(len == 0 ? 1 : len);
            assert_non_null(masked);
            memcpy(masked, plain, len);
            (void)websocket_mask(masked + border, len - border,
                                 websocket_mask(masked, border, mask));
            for (size_t i = 0; i < len; i++) {
                assert_int_equal(masked[i], plain[i] ^ some_mask[i & 3]);
            }
            free(masked);
        }
    }
}

static void headers_take_the_shortest_form(void **state)
{
    uint8_t out[WEBSOCKET_HEADER_LEN_MAX];
    (void)state;
    assert_int_equal(websocket_encode_header(out, 0x81, 5, NULL), 2);
    assert_memory_equal(out, "\x81\x05", 2);
    assert_int_equal(websocket_encode_header(out, 0x82, 126, NULL), 4);
    assert_memory_equal(out, "\x82\x7e\x00\x7e", 4);
    assert_int_equal(websocket_encode_header(out, 0xc2, 65536, some_mask), 14);
    assert_memory_equal(out, "\xc2\xff\x00\x00\x00\x00\x00\x01\x00\x00\x37\xfa\x21\x3d", 14);
}

static void close_frames_cut_the_reason_on_a_border(void **state)
{
    uint8_t out[WEBSOCKET_CONTROL_FRAME_LEN_MAX];
    char reason[200];
    (void)state;
    assert_int_equal(websocket_encode_close(out, 3001, SPAN_LITERAL("shutdown"), NULL), 12);
    assert_memory_equal(out, "\x88\x0a\x0b\xb9shutdown", 12);
    assert_int_equal(websocket_encode_close(out, WEBSOCKET_CLOSE_NONE, SPAN_EMPTY, NULL), 2);
    assert_memory_equal(out, "\x88\x00", 2);
    memset(reason, 'r', sizeof(reason));
    memcpy(reason + 122, "\xc3\xa9", 2);
    assert_int_equal(websocket_encode_close(out, 1000, span_of(reason, 200), NULL), 2 + 2 + 122);
    memcpy(reason + 121, "\xc3\xa9r", 3);
    assert_int_equal(websocket_encode_close(out, 1000, span_of(reason, 200), some_mask), 131);
    receiver_init(&whole, LIMIT, 0);
    receive(&whole, out, 131);
    assert_int_equal(whole.decoder.error, WEBSOCKET_ERROR_NONE);
    assert_memory_equal(whole.log, "close 1000:rrr", 14);
}

static void pings_are_answered_with_the_same_payload(void **state)
{
    uint8_t out[WEBSOCKET_CONTROL_FRAME_LEN_MAX];
    uint8_t long_payload[126] = {0};
    (void)state;
    size_t len = websocket_encode_control(out, WEBSOCKET_OPCODE_PONG, SPAN_LITERAL("beat"), NULL);
    assert_int_equal(len, 6);
    assert_memory_equal(out,
                        "\x8a\x04"
                        "beat",
                        6);
    struct span too_long = span_of(long_payload, sizeof(long_payload));
    assert_int_equal(websocket_encode_control(out, WEBSOCKET_OPCODE_PING, too_long, NULL), 127);
    assert_int_equal(out[1], 125);
}

/* The example of RFC 6455 section 1.3. */
static void the_accept_key_is_that_of_the_standard(void **state)
{
    char accept[WEBSOCKET_ACCEPT_LEN];
    (void)state;
    websocket_accept_key(SPAN_LITERAL("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    assert_memory_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", WEBSOCKET_ACCEPT_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_rich_stream_reads_the_same_under_every_cut, reset_stream),
        cmocka_unit_test_setup(a_rich_stream_reads_the_same_in_pieces_of_every_size, reset_stream),
        cmocka_unit_test_setup(every_length_form_is_read_and_written, reset_stream),
        cmocka_unit_test_setup(compressed_messages_carry_their_mark_through_all_pieces,
                               reset_stream),
        cmocka_unit_test_setup(a_server_is_read_by_a_client, reset_stream),
        cmocka_unit_test_setup(many_tiny_fragments_are_one_message, reset_stream),
        cmocka_unit_test_setup(the_limit_is_exact, reset_stream),
        cmocka_unit_test_setup(a_declared_length_is_refused_before_its_payload, reset_stream),
        cmocka_unit_test_setup(each_refusal_has_its_reason_under_every_cut, reset_stream),
        cmocka_unit_test(a_refused_peer_stays_refused),
        cmocka_unit_test(every_first_byte_is_judged),
        cmocka_unit_test(close_codes_are_those_of_the_registry),
        cmocka_unit_test(masking_in_pieces_equals_masking_at_once),
        cmocka_unit_test(headers_take_the_shortest_form),
        cmocka_unit_test(close_frames_cut_the_reason_on_a_border),
        cmocka_unit_test(pings_are_answered_with_the_same_payload),
        cmocka_unit_test(the_accept_key_is_that_of_the_standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
