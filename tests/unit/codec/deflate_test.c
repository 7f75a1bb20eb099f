/* SPDX-License-Identifier: Apache-2.0 */
/* permessage-deflate: every kind of offer, round trips, exact limits, bombs and broken streams. */
#include "codec/deflate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- negotiation ---- */

#define PLAIN "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

static const struct offer {
    const char *header;
    enum deflate_negotiation result;
    const char *answer;
} offers[] = {
    {"permessage-deflate", DEFLATE_ACCEPTED, PLAIN},
    {"permessage-deflate; client_max_window_bits", DEFLATE_ACCEPTED, PLAIN},
    {"permessage-deflate; client_max_window_bits=8", DEFLATE_ACCEPTED, PLAIN},
    {"permessage-deflate;client_max_window_bits=\"15\"", DEFLATE_ACCEPTED, PLAIN},
    {" Permessage-Deflate ; SERVER_NO_CONTEXT_TAKEOVER ;client_no_context_takeover ",
     DEFLATE_ACCEPTED, PLAIN},
    {"permessage-deflate; server_max_window_bits=9", DEFLATE_ACCEPTED,
     PLAIN "; server_max_window_bits=9"},
    {"permessage-deflate; server_max_window_bits=\"1\\0\"", DEFLATE_ACCEPTED,
     PLAIN "; server_max_window_bits=10"},
    {"permessage-deflate; server_max_window_bits=15", DEFLATE_ACCEPTED,
     PLAIN "; server_max_window_bits=15"},
    {"foo; bar=\"x\", permessage-deflate", DEFLATE_ACCEPTED, PLAIN},
    {"permessage-deflate; mystery, permessage-deflate", DEFLATE_ACCEPTED, PLAIN},
    {"permessage-deflate; server_max_window_bits=8, permessage-deflate; "
     "server_max_window_bits=11, permessage-deflate",
     DEFLATE_ACCEPTED, PLAIN "; server_max_window_bits=11"},
    {"permessage-deflate,", DEFLATE_ACCEPTED, PLAIN},
    {", ,permessage-deflate", DEFLATE_ACCEPTED, PLAIN},
    {"", DEFLATE_NOT_OFFERED, ""},
    {" ", DEFLATE_NOT_OFFERED, ""},
    {",", DEFLATE_NOT_OFFERED, ""},
    {"constructor", DEFLATE_NOT_OFFERED, ""},
    {"x-webkit-deflate-frame", DEFLATE_NOT_OFFERED, ""},
    {"foo; permessage-deflate", DEFLATE_NOT_OFFERED, ""},
    {"permessage-deflate; constructor", DEFLATE_NOT_USABLE, ""},
    {"permessage-deflate; server_max_window_bits", DEFLATE_NOT_USABLE, ""},
    {"permessage-deflate; server_max_window_bits=8", DEFLATE_NOT_USABLE, ""},
    {"permessage-deflate; server_max_window_bits=7", DEFLATE_NOT_USABLE, ""},
    {"permessage-deflate; server_max_window_bits=16", DEFLATE_NOT_USABLE, ""},
    {"permessage-deflate; server_max_window_bits=010", DEFLATE_NOT_USABLE, ""},
    {"permessage-deflate; server_max_window_bits=09", DEFLATE_NOT_USABLE, ""},
    {"permessage-deflate; server_max_window_bits=1000000000000000", DEFLATE_NOT_USABLE, ""},
    {"permessage-deflate; server_max_window_bits=-9", DEFLATE_NOT_USABLE, ""},
    {"permessage-deflate; server_max_window_bits=a", DEFLATE_NOT_USABLE, ""},
    {"permessage-deflate; client_max_window_bits=7", DEFLATE_NOT_USABLE, ""},
    {"permessage-deflate; client_max_window_bits=99", DEFLATE_NOT_USABLE, ""},
    {"permessage-deflate; server_no_context_takeover=1", DEFLATE_NOT_USABLE, ""},
    {"permessage-deflate; client_no_context_takeover=x", DEFLATE_NOT_USABLE, ""},
    {"permessage-deflate; client_max_window_bits; client_max_window_bits=10", DEFLATE_NOT_USABLE,
     ""},
    {"permessage-deflate; server_no_context_takeover; Server_No_Context_Takeover",
     DEFLATE_NOT_USABLE, ""},
    {"permessage-deflate;", DEFLATE_MALFORMED, ""},
    {"permessage-deflate; =1", DEFLATE_MALFORMED, ""},
    {"permessage-deflate; server_max_window_bits=", DEFLATE_MALFORMED, ""},
    {"permessage-deflate; server_max_window_bits=\"", DEFLATE_MALFORMED, ""},
    {"permessage-deflate; server_max_window_bits=\"\"", DEFLATE_MALFORMED, ""},
    {"permessage-deflate; server_max_window_bits=\"10", DEFLATE_MALFORMED, ""},
    {"permessage-deflate; server_max_window_bits=\"1 0\"", DEFLATE_MALFORMED, ""},
    {"permessage-deflate; server_max_window_bits=\"10\\", DEFLATE_MALFORMED, ""},
    {"permessage-deflate; server_max_window_bits=10 11", DEFLATE_MALFORMED, ""},
    {"permessage-deflate client_max_window_bits", DEFLATE_MALFORMED, ""},
    {"permessage-deflate, ;", DEFLATE_MALFORMED, ""},
    {"\"permessage-deflate\"", DEFLATE_MALFORMED, ""},
    {"permessage-deflate; a=b=c", DEFLATE_MALFORMED, ""},
};

static void offers_are_judged_one_by_one(void **state)
{
    const struct deflate_config config = {.server_window_bits = 0};
    (void)state;
    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
        struct deflate_params params = {0};
        uint8_t answer[DEFLATE_ANSWER_LEN_MAX];
        struct writer writer = writer_of(answer, sizeof(answer));
        struct span header = span_of_text(offers[i].header);
        uint8_t *block = malloc(header.len + 1);
        assert_non_null(block);
        memcpy(block, header.at, header.len);
        enum deflate_negotiation result =
            deflate_negotiate(span_of(block, header.len), &config, &params);
        free(block);
        if (result != offers[i].result) {
            fail_msg("%s: %d", offers[i].header, (int)result);
        }
        if (result == DEFLATE_ACCEPTED) {
            deflate_write_answer(&writer, &params);
        }
        assert_true(span_equal(writer_written(&writer), span_of_text(offers[i].answer)));
        assert_false(writer_is_overflown(&writer));
    }
}

static void the_smaller_window_wins(void **state)
{
    const struct deflate_config config = {.server_window_bits = 12};
    struct deflate_params params;
    (void)state;
    (void)deflate_negotiate(SPAN_LITERAL("permessage-deflate"), &config, &params);
    assert_int_equal(params.server_window_bits, 12);
    assert_false(params.is_server_window_bound);
    (void)deflate_negotiate(SPAN_LITERAL("permessage-deflate; server_max_window_bits=15"), &config,
                            &params);
    assert_int_equal(params.server_window_bits, 12);
    assert_true(params.is_server_window_bound);
    (void)deflate_negotiate(SPAN_LITERAL("permessage-deflate; server_max_window_bits=10"), &config,
                            &params);
    assert_int_equal(params.server_window_bits, 10);
}

/* ---- messages ---- */

enum { MESSAGE_MAX = 200000 };

static size_t live_blocks;
static size_t allowed_blocks;

static void *count_allocate(void *context, size_t len)
{
    (void)context;
    if (live_blocks >= allowed_blocks) {
        return NULL;
    }
    live_blocks++;
    return malloc(len);
}

static void count_release(void *context, void *at)
{
    (void)context;
    live_blocks--;
    free(at);
}

static const struct deflate_allocator allocator = {count_allocate, count_release, NULL};
static struct deflate_compressor *compressor;
static struct deflate_inflater *inflater;
static uint8_t message[MESSAGE_MAX];
static uint8_t compressed[MESSAGE_MAX + MESSAGE_MAX / 4];
static uint8_t inflated[MESSAGE_MAX];

static int set_up(void **state)
{
    (void)state;
    allowed_blocks = SIZE_MAX;
    compressor = deflate_compressor_create(&allocator, 1);
    inflater = deflate_inflater_create(&allocator);
    return compressor == NULL || inflater == NULL;
}

/* Every block that was asked for was handed in, and every one was given back. */
static int tear_down(void **state)
{
    (void)state;
    deflate_compressor_destroy(compressor);
    deflate_inflater_destroy(inflater);
    return live_blocks == 0 ? 0 : -1;
}

/* Kind 0 repeats itself far and wide, 1 is noise, 2 is one byte, 3 has letters of unequal odds. */
static void fill(size_t len, int kind)
{
    uint64_t chance = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < len; i++) {
        chance = chance * 6364136223846793005u + 1442695040888963407u;
        uint8_t noise = (uint8_t)(chance >> 56);
        uint8_t letter = (uint8_t)('a' + (noise & 7) * (noise >> 5) / 4);
        message[i] = kind == 3   ? letter
                     : kind == 2 ? 'z'
                     : kind == 1 ? noise
                     : i < 600   ? noise
                                 : message[i - 500];
    }
}

static struct span compress(size_t len, unsigned window_bits)
{
    struct writer writer = writer_of(compressed, deflate_compressed_len_max(len));
    assert_int_equal(deflate_compress(compressor, span_of(message, len), window_bits, &writer),
                     DEFLATE_DONE);
    return writer_written(&writer);
}

static enum deflate_result inflate_in_pieces(struct span in, size_t piece, size_t *len)
{
    enum deflate_result result = DEFLATE_OUTPUT_FULL;
    *len = 0;
    deflate_inflate_start(inflater, in);
    while (result == DEFLATE_OUTPUT_FULL) {
        size_t taken;
        size_t room = piece < sizeof(inflated) - *len ? piece : sizeof(inflated) - *len;
        result = deflate_inflate(inflater, inflated + *len, room, &taken);
        assert_true(taken <= room && (result != DEFLATE_OUTPUT_FULL || taken == room));
        *len += taken;
    }
    return result;
}

static void what_is_compressed_is_inflated(void **state)
{
    static const size_t lens[] = {0, 1, 2, 100, 511, 512, 513, 4096, 4097, 32768, 70000, 200000};
    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        for (unsigned bits = DEFLATE_WINDOW_BITS_MIN; bits <= DEFLATE_WINDOW_BITS_MAX; bits++) {
            for (int kind = 0; kind < 4; kind++) {
                size_t len;
                fill(lens[i], kind);
                struct span in = compress(lens[i], bits);
                assert_int_equal(inflate_in_pieces(in, sizeof(inflated), &len), DEFLATE_DONE);
                assert_int_equal(len, lens[i]);
                assert_memory_equal(inflated, message, len);
            }
        }
    }
}

static void output_may_be_taken_in_pieces_of_every_size(void **state)
{
    size_t len;
    (void)state;
    fill(3000, 0);
    struct span in = compress(3000, 15);
    for (size_t piece = 1; piece < 3002; piece += piece < 70 ? 1 : 97) {
        memset(inflated, 0, 3000);
        assert_int_equal(inflate_in_pieces(in, piece, &len), DEFLATE_DONE);
        assert_int_equal(len, 3000);
        assert_memory_equal(inflated, message, 3000);
    }
}

/* A window that a narrow inflater could not follow would show as a distance too far back. */
static void a_demanded_window_is_respected(void **state)
{
    (void)state;
    fill(MESSAGE_MAX, 0);
    size_t wide = compress(MESSAGE_MAX, 15).len;
    size_t narrow = compress(MESSAGE_MAX, 9).len;
    /* The message repeats at a distance of 500, which a window of 512 less zlib's slack misses. */
    assert_true(wide < MESSAGE_MAX / 10);
    assert_true(narrow > MESSAGE_MAX / 2);
}

static void a_limit_is_exact(void **state)
{
    size_t taken;
    (void)state;
    for (size_t len = 0; len < 300; len++) {
        fill(len, 2);
        struct span in = compress(len, 15);
        deflate_inflate_start(inflater, in);
        assert_int_equal(deflate_inflate(inflater, inflated, len, &taken), DEFLATE_DONE);
        assert_int_equal(taken, len);
        if (len > 0) {
            deflate_inflate_start(inflater, in);
            assert_int_equal(deflate_inflate(inflater, inflated, len - 1, &taken),
                             DEFLATE_OUTPUT_FULL);
            assert_int_equal(taken, len - 1);
            assert_int_equal(deflate_inflate(inflater, inflated, 0, &taken), DEFLATE_OUTPUT_FULL);
            assert_int_equal(deflate_inflate(inflater, inflated, 1, &taken), DEFLATE_DONE);
            assert_int_equal(taken, 1);
        }
    }
}

/* 200 bytes that would become 200 kB cost no more than the room that the caller gave. */
static void a_bomb_stops_at_the_limit(void **state)
{
    size_t taken;
    (void)state;
    fill(MESSAGE_MAX, 2);
    struct span in = compress(MESSAGE_MAX, 15);
    assert_true(in.len < 1200);
    memset(inflated, 0xee, sizeof(inflated));
    deflate_inflate_start(inflater, in);
    assert_int_equal(deflate_inflate(inflater, inflated, 65536, &taken), DEFLATE_OUTPUT_FULL);
    assert_int_equal(taken, 65536);
    assert_int_equal(inflated[65536], 0xee);
    /* The next message of another connection is not touched by what was left. */
    fill(50, 0);
    in = compress(50, 15);
    assert_int_equal(inflate_in_pieces(in, 60, &taken), DEFLATE_DONE);
    assert_int_equal(taken, 50);
}

/* The examples of RFC 7692 section 7.2.3. */
static void the_examples_of_the_standard_are_inflated(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *text;
    } examples[] = {
        {"\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello"},
        {"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11, "Hello"},
        {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8, "Hello"},
        {"\xf3\x48\xcd\xc9\xc9\x07\x00", 7, "Hello"},
        {"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13, "Hello"},
        {"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00", 14, "HelloHello"},
        {"\x00", 1, ""},
        {"", 0, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        size_t len;
        enum deflate_result result =
            inflate_in_pieces(span_of(examples[i].bytes, examples[i].len), 100, &len);
        assert_int_equal(result, examples[i].text == NULL ? DEFLATE_INVALID : DEFLATE_DONE);
        if (examples[i].text != NULL) {
            assert_true(span_equal(span_of(inflated, len), span_of_text(examples[i].text)));
        }
    }
}

static void an_empty_message_is_one_byte(void **state)
{
    (void)state;
    struct span in = compress(0, 15);
    assert_int_equal(in.len, 1);
    assert_int_equal(in.at[0], 0);
}

static void broken_streams_are_refused(void **state)
{
    size_t len;
    (void)state;
    assert_int_equal(inflate_in_pieces(SPAN_LITERAL("\xff\xff\xff"), 10, &len), DEFLATE_INVALID);
    assert_int_equal(inflate_in_pieces(SPAN_LITERAL("\x06"), 10, &len), DEFLATE_INVALID);
    /* A final block whose end would be made of the tail. */
    assert_int_equal(inflate_in_pieces(SPAN_LITERAL("\xf3\x48\xcd\xc9\xc9\x07"), 10, &len),
                     DEFLATE_INVALID);
    /* A stored block of 5 bytes with its lengths in disagreement. */
    assert_int_equal(inflate_in_pieces(SPAN_LITERAL("\x00\x05\x00\xfb\xffHello"), 10, &len),
                     DEFLATE_INVALID);
    /* A distance that points before the message: nothing of another one is ever seen. */
    fill(2000, 0);
    (void)inflate_in_pieces(compress(2000, 15), 5000, &len);
    assert_int_equal(inflate_in_pieces(SPAN_LITERAL("\x02\x41\x00\x00"), 10, &len),
                     DEFLATE_INVALID);
}

/* Stored, fixed and dynamic blocks under every cut; one byte 00 is the empty message, and good. */
static void a_truncated_message_is_refused(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        fill(900, kind);
        struct span in = compress(900, 15);
        for (size_t cut = 0; cut < in.len; cut++) {
            size_t len;
            bool is_empty_message = cut == 1 && in.at[0] == 0;
            enum deflate_result result = inflate_in_pieces(span_of(in.at, cut), 1000, &len);
            assert_int_equal(result, is_empty_message ? DEFLATE_DONE : DEFLATE_INVALID);
            assert_int_equal(inflate_in_pieces(span_of(in.at, cut), 1, &len), result);
        }
    }
}

static void too_little_room_leaves_the_writer_as_it_was(void **state)
{
    (void)state;
    fill(1000, 1);
    for (size_t room = 0; room < 1000; room += 37) {
        uint8_t *block = malloc(room + 1);
        assert_non_null(block);
        struct writer writer = writer_of(block, room);
        assert_int_equal(deflate_compress(compressor, span_of(message, 1000), 15, &writer),
                         DEFLATE_OUTPUT_FULL);
        assert_int_equal(writer_written_len(&writer), 0);
        assert_false(writer_is_overflown(&writer));
        free(block);
    }
}

static void a_compressed_message_is_appended(void **state)
{
    size_t len;
    (void)state;
    struct writer writer = writer_of(compressed, 200);
    writer_put_literal(&writer, "head");
    assert_int_equal(deflate_compress(compressor, SPAN_LITERAL("aaaaaaaaaaaa"), 15, &writer),
                     DEFLATE_DONE);
    struct span in = span_skip(writer_written(&writer), 4);
    assert_int_equal(inflate_in_pieces(in, 100, &len), DEFLATE_DONE);
    assert_true(span_equal(span_of(inflated, len), SPAN_LITERAL("aaaaaaaaaaaa")));
}

static void wrong_window_bits_are_refused(void **state)
{
    (void)state;
    struct writer writer = writer_of(compressed, 200);
    assert_int_equal(deflate_compress(compressor, SPAN_LITERAL("a"), 8, &writer), DEFLATE_INVALID);
    assert_int_equal(deflate_compress(compressor, SPAN_LITERAL("a"), 16, &writer), DEFLATE_INVALID);
}

/* Memory is refused at each allocation in turn: nothing crashes, nothing leaks. */
static void a_refused_allocation_is_survived(void **state)
{
    (void)state;
    size_t base = live_blocks;
    bool has_worked = false;
    for (size_t allowed = 0; !has_worked; allowed++) {
        size_t len = 0;
        allowed_blocks = base + allowed;
        struct deflate_compressor *own = deflate_compressor_create(&allocator, 6);
        struct deflate_inflater *own_inflater = deflate_inflater_create(&allocator);
        struct writer writer = writer_of(compressed, 5000);
        enum deflate_result result = DEFLATE_NO_MEMORY;
        fill(5000, 2);
        if (own != NULL) {
            result = deflate_compress(own, span_of(message, 5000), 15, &writer);
        }
        if (own_inflater != NULL && result == DEFLATE_DONE) {
            deflate_inflate_start(own_inflater, writer_written(&writer));
            result = deflate_inflate(own_inflater, inflated, 5000, &len);
        }
        has_worked = own_inflater != NULL && result == DEFLATE_DONE;
        assert_true(has_worked || result == DEFLATE_NO_MEMORY || own_inflater == NULL);
        assert_true(!has_worked || len == 5000);
        deflate_compressor_destroy(own);
        deflate_inflater_destroy(own_inflater);
        assert_int_equal(live_blocks, base);
        assert_true(allowed < 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offers_are_judged_one_by_one),
        cmocka_unit_test(the_smaller_window_wins),
        cmocka_unit_test(what_is_compressed_is_inflated),
        cmocka_unit_test(output_may_be_taken_in_pieces_of_every_size),
        cmocka_unit_test(a_demanded_window_is_respected),
        cmocka_unit_test(a_limit_is_exact),
        cmocka_unit_test(a_bomb_stops_at_the_limit),
        cmocka_unit_test(the_examples_of_the_standard_are_inflated),
        cmocka_unit_test(an_empty_message_is_one_byte),
        cmocka_unit_test(broken_streams_are_refused),
        cmocka_unit_test(a_truncated_message_is_refused),
        cmocka_unit_test(too_little_room_leaves_the_writer_as_it_was),
        cmocka_unit_test(a_compressed_message_is_appended),
        cmocka_unit_test(wrong_window_bits_are_refused),
        cmocka_unit_test(a_refused_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
