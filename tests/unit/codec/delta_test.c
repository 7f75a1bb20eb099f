/* SPDX-License-Identifier: Apache-2.0 */
/* Fossil deltas: known ones, refusals, and round trips over drawn edits of several scripts. */
#include "codec/delta.h"

#include "codec/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define BYTES(literal) \
    { \
        (const uint8_t *)("" literal), sizeof(literal) - 1 \
    }
#define PAYLOAD_MAX 4096

static uint8_t room[DELTA_SCRATCH_LEN(PAYLOAD_MAX * 2)];

static struct scratch whole_scratch(void)
{
    return scratch_of(room, sizeof(room));
}

static void known_deltas_are_created(void **state)
{
    (void)state;
    static const struct {
        struct span source;
        struct span target;
        enum delta_alignment alignment;
        enum delta_result result;
        struct span delta;
    } rows[] = {
        /* One digit changed: what is before it, itself, what is behind it. */
        {BYTES("{\"value\":1234,\"name\":\"room\"}"), BYTES("{\"value\":1235,\"name\":\"room\"}"),
         DELTA_OF_BYTES, DELTA_OK, BYTES("S\nC@0,1:5F@D,1XxYdn;")},
        {BYTES("{\"value\":1234,\"name\":\"room\"}"), BYTES("{\"value\":1235,\"name\":\"room\"}"),
         DELTA_OF_UTF8, DELTA_OK, BYTES("S\nC@0,1:5F@D,1XxYdn;")},
        /* Nothing changed. */
        {BYTES("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
         BYTES("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), DELTA_OF_BYTES,
         DELTA_OK, BYTES("10\n10@0,M5XOG;")},
        /* "п" is D0 BF and "р" is D1 80, "о" is D0 BE: in bytes they share a lead. */
        {BYTES("0123456789012345678901234567890123456789\xd0\xbf"),
         BYTES("0123456789012345678901234567890123456789\xd0\xbe"), DELTA_OF_BYTES, DELTA_OK,
         BYTES("f\ne@0,1:\xbe"
               "3QpWdI;")},
        {BYTES("0123456789012345678901234567890123456789\xd0\xbf"),
         BYTES("0123456789012345678901234567890123456789\xd0\xbe"), DELTA_OF_UTF8, DELTA_OK,
         BYTES("f\nd@0,2:\xd0\xbe"
               "3QpWdI;")},
        {BYTES(""), BYTES("abc"), DELTA_OF_BYTES, DELTA_NOT_SHORTER, BYTES("")},
        {BYTES("abc"), BYTES(""), DELTA_OF_BYTES, DELTA_NOT_SHORTER, BYTES("")},
        {BYTES(""), BYTES(""), DELTA_OF_UTF8, DELTA_NOT_SHORTER, BYTES("")},
        {BYTES("abcdefgh"), BYTES("abcdefgh"), DELTA_OF_BYTES, DELTA_NOT_SHORTER, BYTES("")},
        {BYTES("abcdefghijklmnop"), BYTES("ABCDEFGHIJKLMNOP"), DELTA_OF_BYTES, DELTA_NOT_SHORTER,
         BYTES("")},
        {BYTES("\xff"), BYTES("abc"), DELTA_OF_UTF8, DELTA_NOT_UTF8, BYTES("")},
        {BYTES("abc"), BYTES("\xd0"), DELTA_OF_UTF8, DELTA_NOT_UTF8, BYTES("")},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t buf[128];
        struct writer out = writer_of(buf, sizeof(buf));
        writer_put_literal(&out, "before");
        const enum delta_result result =
            delta_create(rows[i].source, rows[i].target, rows[i].alignment, whole_scratch(), &out);
        const struct span got = span_skip(writer_written(&out), 6);
        if (result != rows[i].result || !span_equal(got, rows[i].delta)) {
            fail_msg("row %zu: %s: %.*s", i, delta_result_text(result), (int)got.len,
                     (const char *)got.at);
        }
    }
}

static void checksums_are_those_of_fossil(void **state)
{
    (void)state;
    static const struct {
        struct span bytes;
        uint32_t checksum;
    } rows[] = {
        {BYTES(""), 0},
        {BYTES("abc"), 1633837824},
        {BYTES("abcd"), 1633837924},
        {BYTES("The quick brown fox jumps over the lazy cat"), 1999512091},
        {BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 4278190078},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(delta_checksum(rows[i].bytes), rows[i].checksum);
    }
}

static void deltas_are_applied_or_refused(void **state)
{
    (void)state;
    static const struct {
        struct span delta;
        enum delta_result result;
        const char *target;
    } rows[] = {
        {BYTES("3\n3:abc1XObC0;"), DELTA_OK, "abc"},
        {BYTES("3\n1:a2@1,1XObC0;"), DELTA_OK, "abc"},
        {BYTES("3\n0:1:a0@3,2@1,1XObC0;"), DELTA_OK, "abc"},
        {BYTES("0\n0;"), DELTA_OK, ""},
        {BYTES(""), DELTA_ERROR_TRUNCATED, NULL},
        {BYTES("3"), DELTA_ERROR_TRUNCATED, NULL},
        {BYTES("3\n"), DELTA_ERROR_TRUNCATED, NULL},
        {BYTES("3\n3:abc"), DELTA_ERROR_TRUNCATED, NULL},
        {BYTES("3\n3@0"), DELTA_ERROR_TRUNCATED, NULL},
        {BYTES("\n0;"), DELTA_ERROR_SYNTAX, NULL},
        {BYTES("3 3:abc1XObC0;"), DELTA_ERROR_SYNTAX, NULL},
        {BYTES("3\n:abc1XObC0;"), DELTA_ERROR_SYNTAX, NULL},
        {BYTES("3\n3!abc1XObC0;"), DELTA_ERROR_SYNTAX, NULL},
        {BYTES("3\n3@0;1XObC0;"), DELTA_ERROR_SYNTAX, NULL},
        {BYTES("3\n3@,1XObC0;"), DELTA_ERROR_SYNTAX, NULL},
        {BYTES("4000000\n0;"), DELTA_ERROR_NUMBER, NULL},
        {BYTES("2000000\n0;"), DELTA_ERROR_NUMBER, NULL},
        {BYTES("3zzzzz\n0;"), DELTA_ERROR_TOO_LARGE, NULL},
        {BYTES("1~~~~~\n0;"), DELTA_ERROR_SPACE, NULL},
        {BYTES("10\n10@0,0;"), DELTA_ERROR_SPACE, NULL},
        {BYTES("3\n3@1,1XObC0;"), DELTA_ERROR_COPY, NULL},
        {BYTES("3\n1@4,1XObC0;"), DELTA_ERROR_COPY, NULL},
        {BYTES("3\n1@3~~~~~,0;"), DELTA_ERROR_COPY, NULL},
        {BYTES("3\n3:ab"), DELTA_ERROR_LITERAL, NULL},
        {BYTES("3\n4:abcd1XObC0;"), DELTA_ERROR_LEN, NULL},
        {BYTES("3\n3@0,1@0,1XObC0;"), DELTA_ERROR_LEN, NULL},
        {BYTES("3\n2:ab1XObC0;"), DELTA_ERROR_LEN, NULL},
        {BYTES("3\n3:abc1XObC1;"), DELTA_ERROR_CHECKSUM, NULL},
        {BYTES("3\n3:abc1XObC0;;"), DELTA_ERROR_TRAILING, NULL},
    };
    static const struct span source = BYTES("xbc");
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t buf[16];
        struct writer out = writer_of(buf, sizeof(buf));
        const enum delta_result result = delta_apply(source, rows[i].delta, &out);
        const char *target = rows[i].target == NULL ? "" : rows[i].target;
        if (result != rows[i].result || !span_equal(writer_written(&out), span_of_text(target))) {
            fail_msg("row %zu: %s", i, delta_result_text(result));
        }
    }
}

static void room_is_asked_for_before(void **state)
{
    (void)state;
    size_t len;
    assert_int_equal(delta_target_len(SPAN_LITERAL("10\n"), &len), DELTA_OK);
    assert_int_equal(len, 64);
    assert_int_equal(delta_target_len(SPAN_LITERAL("10"), &len), DELTA_ERROR_TRUNCATED);

    static const struct span source = BYTES("{\"value\":1234,\"name\":\"room\"}");
    static const struct span target = BYTES("{\"value\":1235,\"name\":\"room\"}");
    const size_t delta_len = sizeof("S\nC@0,1:5F@D,1XxYdn;") - 1;
    uint8_t buf[64];
    for (size_t space = 0; space < sizeof(buf); space++) {
        struct writer out = writer_of(buf, space);
        assert_int_equal(delta_create(source, target, DELTA_OF_BYTES, whole_scratch(), &out),
                         space < delta_len ? DELTA_ERROR_SPACE : DELTA_OK);
        assert_int_equal(writer_written_len(&out), space < delta_len ? 0 : delta_len);
        assert_int_equal(out.overflow, 0);
    }
}

/* ---- drawn edits ---- */

static uint64_t draws = 1;

static size_t draw(size_t count)
{
    draws += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = draws;
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (size_t)((z ^ z >> 31) % count);
}

enum script { ASCII, CYRILLIC, EMOJI, MIXED, ANY_BYTES, SCRIPT_COUNT };

/* Few characters, so that much is alike and leads are shared. */
static struct span draw_character(enum script script)
{
    static const char *const characters[][4] = {
        [ASCII] = {"a", "b", "\"", "1"},
        [CYRILLIC] = {"\xd0\xbf", "\xd1\x80", "\xd0\xbe", "\xd1\x81"},
        [EMOJI] = {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x81", "\xf0\x9f\x99\x80", "\xe2\x82\xac"},
        [MIXED] = {"a", "\xd0\xbf", "\xe2\x82\xac", "\xf0\x9f\x98\x80"},
        [ANY_BYTES] = {"\xff", "\x80", "\xd0", "a"},
    };
    return span_of_text(characters[script][draw(4)]);
}

struct text {
    struct span characters[PAYLOAD_MAX / 4];
    size_t count;
    uint8_t bytes[PAYLOAD_MAX];
    struct span span;
};

static void join(struct text *text)
{
    struct writer writer = writer_of(text->bytes, sizeof(text->bytes));
    for (size_t i = 0; i < text->count; i++) {
        writer_put(&writer, text->characters[i]);
    }
    assert_false(writer_is_overflown(&writer));
    text->span = writer_written(&writer);
}

/* Replaces, removes, inserts or moves a run of characters. */
static void edit(struct text *text, enum script script)
{
    const size_t at = draw(text->count + 1);
    const size_t left = text->count - at;
    const size_t len = draw(left < 20 ? left + 1 : 20);
    struct span *run = &text->characters[at];
    switch (draw(4)) {
    case 0:
        for (size_t i = 0; i < len; i++) {
            run[i] = draw_character(script);
        }
        break;
    case 1:
        memmove(run, run + len, (left - len) * sizeof(*run));
        text->count -= len;
        break;
    case 2:
        if (text->count < COUNT(text->characters)) {
            memmove(run + 1, run, left * sizeof(*run));
            *run = draw_character(script);
            text->count++;
        }
        break;
    default: {
        struct span moved[20];
        memcpy(moved, run, len * sizeof(*run));
        memmove(text->characters + len, text->characters, at * sizeof(*run));
        memcpy(text->characters, moved, len * sizeof(*run));
        break;
    }
    }
}

/* Every literal of a valid delta must be UTF-8 by itself. */
static void assert_literals_are_utf8(struct span delta)
{
    struct span rest = span_skip(delta, span_index_of(delta, '\n') + 1);
    while (rest.len > 0) {
        size_t len = 0;
        size_t value = 0;
        static const char digits[] =
            "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";
        const char *digit;
        while (rest.at[len] != 0 && (digit = strchr(digits, rest.at[len])) != NULL) {
            value = value * 64 + (size_t)(digit - digits);
            len++;
        }
        const uint8_t what = rest.at[len];
        rest = span_skip(rest, len + 1);
        if (what == ':') {
            assert_true(utf8_is_valid(span_of(rest.at, value)));
            rest = span_skip(rest, value);
        } else if (what == '@') {
            rest = span_skip(rest, span_index_of(rest, ',') + 1);
        }
    }
}

static void assert_round_trip(struct span source, struct span target,
                              enum delta_alignment alignment, size_t scratch_len)
{
    static uint8_t delta_buf[PAYLOAD_MAX];
    static uint8_t target_buf[PAYLOAD_MAX];
    struct writer delta = writer_of(delta_buf, target.len);
    const struct scratch scratch = scratch_of(room, scratch_len);
    const enum delta_result result = delta_create(source, target, alignment, scratch, &delta);
    if (result == DELTA_NOT_SHORTER) {
        assert_int_equal(writer_written_len(&delta), 0);
        return;
    }
    assert_int_equal(result, DELTA_OK);
    assert_true(writer_written_len(&delta) < target.len);
    struct writer out = writer_of(target_buf, target.len);
    assert_int_equal(delta_apply(source, writer_written(&delta), &out), DELTA_OK);
    assert_true(span_equal(writer_written(&out), target));
    if (alignment == DELTA_OF_UTF8) {
        assert_literals_are_utf8(writer_written(&delta));
    }
}

static void drawn_edits_make_the_round_trip(void **state)
{
    (void)state;
    static struct text source;
    static struct text target;
    for (unsigned round = 0; round < 3000; round++) {
        const enum script script = (enum script)draw(SCRIPT_COUNT);
        source.count = draw(COUNT(source.characters) / (1 + draw(30)));
        for (size_t i = 0; i < source.count; i++) {
            source.characters[i] = draw_character(script);
        }
        join(&source);
        memcpy(target.characters, source.characters, sizeof(source.characters));
        target.count = source.count;
        for (size_t edits = draw(5); edits > 0; edits--) {
            edit(&target, script);
        }
        join(&target);
        const size_t scratch_lens[] = {0, 3, 100, DELTA_SCRATCH_LEN(source.span.len)};
        for (size_t i = 0; i < COUNT(scratch_lens); i++) {
            assert_round_trip(source.span, target.span, DELTA_OF_BYTES, scratch_lens[i]);
            if (script != ANY_BYTES) {
                assert_round_trip(source.span, target.span, DELTA_OF_UTF8, scratch_lens[i]);
            }
        }
    }
}

static void every_single_letter_edit_is_aligned(void **state)
{
    (void)state;
    static const struct span source =
        BYTES("{\"text\":\"Съешь же ещё этих мягких французских булок, да выпей чаю\"}");
    static const char *const letters[] = {"а", "я", "ё", "Ж", "z", "😀"};
    for (size_t at = 0; at < source.len; at++) {
        const struct span rest = span_skip(source, at);
        const size_t len = rest.at[0] >= 0xC0 ? 2 : 1;
        if (!utf8_is_valid(rest)) {
            continue;
        }
        for (size_t i = 0; i < COUNT(letters); i++) {
            uint8_t buf[256];
            struct writer target = writer_of(buf, sizeof(buf));
            writer_put(&target, span_of(source.at, at));
            writer_put(&target, span_of_text(letters[i]));
            writer_put(&target, span_skip(rest, len));
            assert_round_trip(source, writer_written(&target), DELTA_OF_UTF8, sizeof(room));
        }
    }
}

/* The last thing is now the first: no common end, all of it found by its blocks. */
static void moved_blocks_are_found(void **state)
{
    (void)state;
    static uint8_t source[2048];
    static uint8_t target[2048];
    for (size_t i = 0; i < sizeof(source); i++) {
        source[i] = (uint8_t)('a' + draw(26));
    }
    memcpy(target, source + 1000, 1048);
    memcpy(target + 1048, source, 1000);
    uint8_t buf[64];
    struct writer delta = writer_of(buf, sizeof(buf));
    assert_int_equal(delta_create(span_of(source, 2048), span_of(target, 2048), DELTA_OF_BYTES,
                                  whole_scratch(), &delta),
                     DELTA_OK);
    /* With an eighth of the room every eighth block is known, which is enough here. */
    delta = writer_of(buf, sizeof(buf));
    assert_int_equal(delta_create(span_of(source, 2048), span_of(target, 2048), DELTA_OF_BYTES,
                                  scratch_of(room, DELTA_SCRATCH_LEN(2048) / 8), &delta),
                     DELTA_OK);
    /* With none they are not found: the target is sent. */
    delta = writer_of(buf, sizeof(buf));
    assert_int_equal(delta_create(span_of(source, 2048), span_of(target, 2048), DELTA_OF_BYTES,
                                  scratch_of(NULL, 0), &delta),
                     DELTA_NOT_SHORTER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_deltas_are_created),
        cmocka_unit_test(checksums_are_those_of_fossil),
        cmocka_unit_test(deltas_are_applied_or_refused),
        cmocka_unit_test(room_is_asked_for_before),
        cmocka_unit_test(drawn_edits_make_the_round_trip),
        cmocka_unit_test(every_single_letter_edit_is_aligned),
        cmocka_unit_test(moved_blocks_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
