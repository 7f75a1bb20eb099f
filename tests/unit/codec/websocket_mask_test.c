/* SPDX-License-Identifier: Apache-2.0 */
/* Unmasking: every implementation against the definition, and whole frames against cut ones. */
#include "codec/websocket_mask.h"

#include "codec/utf8.h"
#include "codec/websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LEN_MAX = 300, ALIGNMENT_MAX = 32, GUARD = 64, FRAME_PAYLOAD_MAX = 70000 };

static const uint8_t some_mask[4] = {0x37, 0xfa, 0x21, 0x3d};

static const struct implementation {
    const char *name;
    bool (*unmask)(uint8_t *at, size_t len, uint32_t mask);
} implementations[] = {
    {"chosen", websocket_unmask},
    {"scalar", websocket_unmask_scalar},
#if defined(__x86_64__)
    {"sse2", websocket_unmask_sse2},
    {"avx2", websocket_unmask_avx2},
#endif
};

static bool can_run(const struct implementation *implementation)
{
#if defined(__x86_64__)
    return implementation->unmask != websocket_unmask_avx2 || __builtin_cpu_supports("avx2");
#else
    (void)implementation;
    return true;
#endif
}

static uint32_t word_of(const uint8_t mask[4])
{
    uint32_t word;
    memcpy(&word, mask, sizeof(word));
    return word;
}

/* The whole room is compared, so that a byte changed before or behind the payload is seen. */
static void check_unmasking(const struct implementation *implementation, size_t alignment,
                            size_t len)
{
    _Alignas(64) uint8_t room[GUARD + ALIGNMENT_MAX + LEN_MAX + GUARD];
    uint8_t wanted[sizeof(room)];
    bool wanted_ascii = true;
    for (size_t i = 0; i < sizeof(room); i++) {
        room[i] = (uint8_t)(i * 167 + len);
    }
    memcpy(wanted, room, sizeof(room));
    const size_t start = GUARD + alignment;
    for (size_t i = 0; i < len; i++) {
        wanted[start + i] ^= some_mask[i & 3];
        wanted_ascii = wanted_ascii && wanted[start + i] < 0x80;
    }
    if (implementation->unmask(room + start, len, word_of(some_mask)) != wanted_ascii ||
        memcmp(room, wanted, sizeof(room)) != 0) {
        fail_msg("%s: %zu bytes at %zu", implementation->name, len, alignment);
    }
}

static void every_implementation_unmasks_at_every_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(implementations) / sizeof(implementations[0]); i++) {
        for (size_t len = 0; can_run(&implementations[i]) && len <= LEN_MAX; len++) {
            for (size_t alignment = 0; alignment < ALIGNMENT_MAX; alignment++) {
                check_unmasking(&implementations[i], alignment, len);
            }
        }
    }
}

/* One byte that is not ASCII, at each place of each length, and none. */
static void every_implementation_finds_a_byte_above_ascii(void **state)
{
    uint8_t bytes[LEN_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(implementations) / sizeof(implementations[0]); i++) {
        for (size_t len = 0; can_run(&implementations[i]) && len <= LEN_MAX; len++) {
            for (size_t place = 0; place <= len; place++) {
                for (size_t at = 0; at < len; at++) {
                    bytes[at] = (uint8_t)((at == place ? 0x80 : 0x7f) ^ some_mask[at & 3]);
                }
                bool is_ascii = implementations[i].unmask(bytes, len, word_of(some_mask));
                assert_int_equal(is_ascii, place == len);
            }
        }
    }
}

static void masking_in_three_pieces_equals_masking_at_once(void **state)
{
    (void)state;
    for (size_t len = 0; len <= LEN_MAX; len += 7) {
        for (size_t first = 0; first <= len; first++) {
            uint8_t bytes[LEN_MAX] = {0};
            size_t second = (len - first) / 2;
            uint32_t mask = websocket_mask(bytes, first, word_of(some_mask));
            mask = websocket_mask(bytes + first, second, mask);
            (void)websocket_mask(bytes + first + second, len - first - second, mask);
            for (size_t i = 0; i < LEN_MAX; i++) {
                assert_int_equal(bytes[i], i < len ? some_mask[i & 3] : 0);
            }
        }
    }
}

/* ---- whole frames ---- */

static uint8_t plain[FRAME_PAYLOAD_MAX];
static uint8_t frame[FRAME_PAYLOAD_MAX + WEBSOCKET_HEADER_LEN_MAX];

static size_t build_frame(unsigned opcode, size_t len)
{
    size_t header_len = websocket_encode_header(frame, WEBSOCKET_FIN | opcode, len, some_mask);
    for (size_t i = 0; i < len; i++) {
        frame[header_len + i] = plain[i] ^ some_mask[i & 3];
    }
    return header_len + len;
}

/* What the frame comes to when it is read in two pieces; *payload is what there was of it. */
static enum websocket_result decode_cut(size_t frame_len, size_t cut, uint8_t *payload)
{
    struct websocket_decoder decoder;
    struct websocket_event event;
    enum websocket_result result = WEBSOCKET_NEED_MORE;
    uint8_t *at = frame;
    size_t len = 0;
    websocket_decoder_init(&decoder, FRAME_PAYLOAD_MAX, 0);
    for (size_t there = cut;; there = frame_len) {
        while (at < frame + there) {
            result = websocket_decode(&decoder, &at, frame + there, &event);
            if (result != WEBSOCKET_DATA) {
                break;
            }
            memcpy(payload + len, event.payload.at, event.payload.len);
            len += event.payload.len;
        }
        if (there == frame_len || result == WEBSOCKET_ERROR) {
            assert_true(result == WEBSOCKET_ERROR || event.is_last);
            return result;
        }
    }
}

static void check_frame(unsigned opcode, size_t len)
{
    static uint8_t payload[FRAME_PAYLOAD_MAX];
    struct websocket_decoder decoder;
    struct websocket_event event;
    bool is_good = opcode == WEBSOCKET_BINARY || utf8_is_valid(span_of(plain, len));
    size_t frame_len = build_frame(opcode, len);
    uint8_t *at = frame;
    websocket_decoder_init(&decoder, FRAME_PAYLOAD_MAX, 0);
    enum websocket_result result = websocket_decode(&decoder, &at, frame + frame_len, &event);
    if (is_good) {
        assert_int_equal(result, WEBSOCKET_DATA);
        assert_true(event.is_first && event.is_last && !event.is_compressed);
        assert_int_equal(event.opcode, opcode);
        assert_ptr_equal(at, frame + frame_len);
        assert_int_equal(event.payload.len, len);
        assert_memory_equal(event.payload.at, plain, len);
    } else {
        assert_int_equal(result, WEBSOCKET_ERROR);
        assert_int_equal(event.error, WEBSOCKET_ERROR_BAD_UTF8);
        assert_int_equal(event.close_code, WEBSOCKET_CLOSE_BAD_DATA);
        assert_int_equal(websocket_decode(&decoder, &at, frame + frame_len, &event),
                         WEBSOCKET_ERROR);
    }
    (void)build_frame(opcode, len);
    assert_int_equal(decode_cut(frame_len, frame_len - (len > 0), payload),
                     is_good ? WEBSOCKET_DATA : WEBSOCKET_ERROR);
    assert_true(!is_good || memcmp(payload, plain, len) == 0);
}

static void a_whole_frame_reads_as_one_in_pieces(void **state)
{
    static const size_t lens[] = {1023, 1024, 4096, 65535, 65536, FRAME_PAYLOAD_MAX};
    (void)state;
    for (size_t i = 0; i < FRAME_PAYLOAD_MAX; i++) {
        plain[i] = (uint8_t)(i % 95 + ' ');
    }
    for (size_t len = 0; len <= LEN_MAX; len++) {
        check_frame(WEBSOCKET_TEXT, len);
    }
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        check_frame(WEBSOCKET_TEXT, lens[i]);
        check_frame(WEBSOCKET_BINARY, lens[i]);
    }
}

/* A code point, whole or broken, at each place of frames around the borders of every block. */
static void text_is_judged_the_same_in_a_whole_frame(void **state)
{
    static const char *const marks[] = {"\xc3\xa9",     "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                        "\xc0\xaf",     "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                        "\x80",         "\xe2\x82",     "\xf0\x8f\xbf\xbf",
                                        "\xe0\x9f\xbf", "\xbf\xbf"};
    static const size_t lens[] = {1, 2, 4, 8, 15, 16, 17, 31, 33, 63, 64, 65, 125, 126, 128, 300};
    (void)state;
    for (size_t mark = 0; mark < sizeof(marks) / sizeof(marks[0]); mark++) {
        for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
            for (size_t place = 0; place < lens[i]; place++) {
                size_t left = lens[i] - place;
                size_t mark_len = strlen(marks[mark]);
                memset(plain, 'x', lens[i]);
                memcpy(plain + place, marks[mark], mark_len < left ? mark_len : left);
                check_frame(WEBSOCKET_TEXT, lens[i]);
                check_frame(WEBSOCKET_BINARY, lens[i]);
            }
        }
    }
}

/* Lengths in a longer form than they need, and above the limit, are for the long way to refuse. */
static void a_whole_frame_is_held_to_its_form_and_limit(void **state)
{
    static const struct {
        uint8_t bytes[10];
        enum websocket_error error;
    } cases[] = {
        {{0x82, 0xfe, 0, 125}, WEBSOCKET_ERROR_LENGTH_NOT_MINIMAL},
        {{0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, WEBSOCKET_ERROR_LENGTH_NOT_MINIMAL},
        {{0x82, 0xff, 0x80}, WEBSOCKET_ERROR_LENGTH_SIGN},
        {{0x82, 0xfe, 0, 201}, WEBSOCKET_ERROR_MESSAGE_TOO_LARGE},
        {{0x82, 0x7e, 0, 200}, WEBSOCKET_ERROR_UNMASKED},
        {{0xc2, 0xfe, 0, 200}, WEBSOCKET_ERROR_RESERVED_BITS},
        {{0x82, 0xfe, 0, 200}, WEBSOCKET_ERROR_NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct websocket_decoder decoder;
        struct websocket_event event;
        uint8_t *at = frame;
        memset(frame, 0, sizeof(frame));
        memcpy(frame, cases[i].bytes, sizeof(cases[i].bytes));
        websocket_decoder_init(&decoder, 200, 0);
        enum websocket_result result = websocket_decode(&decoder, &at, frame + 400, &event);
        assert_int_equal(result, cases[i].error == 0 ? WEBSOCKET_DATA : WEBSOCKET_ERROR);
        assert_int_equal(event.error, cases[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_implementation_unmasks_at_every_place),
        cmocka_unit_test(every_implementation_finds_a_byte_above_ascii),
        cmocka_unit_test(masking_in_three_pieces_equals_masking_at_once),
        cmocka_unit_test(a_whole_frame_reads_as_one_in_pieces),
        cmocka_unit_test(text_is_judged_the_same_in_a_whole_frame),
        cmocka_unit_test(a_whole_frame_is_held_to_its_form_and_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
