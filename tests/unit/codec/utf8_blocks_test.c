/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 in blocks: every implementation against the bytewise validator, at every border. */
#include "codec/utf8_blocks.h"

#include "codec/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LEN_MAX = 300, UNITS_LEN = 7 };

/* Fed a byte at a time, a validator cannot take a block. */
static enum utf8_state feed_bytewise(const uint8_t *at, size_t len)
{
    enum utf8_state state = UTF8_COMPLETE;
    for (size_t i = 0; i < len; i++) {
        state = utf8_feed(state, span_of(at + i, 1));
    }
    return state;
}

static void fill(uint8_t *at, size_t len, const char *unit)
{
    for (size_t i = 0; i < len; i++) {
        at[i] = (uint8_t)unit[i % strlen(unit)];
    }
}

static const char *const units[UNITS_LEN] = {
    "ascii only, ",
    "\xc3\xa9",
    "\xe2\x82\xac",
    "\xf0\x9f\x98\x80",
    "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
    "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xf0\x90\x80\x80",
    "\xe0\xa0\x80\xc2\x80\xdf\xbf\xef\xbf\xbf",
};

/* Each byte value at each place of a good text, and the text cut there: the same final state. */
static void every_byte_at_every_place_gives_the_same_state(void **state)
{
    (void)state;
    for (size_t unit = 0; unit < UNITS_LEN; unit++) {
        uint8_t text[100];
        fill(text, sizeof(text), units[unit]);
        for (size_t place = 0; place < sizeof(text); place++) {
            const uint8_t good = text[place];
            for (unsigned byte = 0; byte < 256; byte++) {
                text[place] = (uint8_t)byte;
                const enum utf8_state reached =
                    utf8_feed(UTF8_COMPLETE, span_of(text, sizeof(text)));
                if (reached != feed_bytewise(text, sizeof(text))) {
                    fail_msg("unit %zu, %02x at %zu", unit, byte, place);
                }
            }
            text[place] = good;
        }
    }
}

static void every_length_gives_the_same_state(void **state)
{
    (void)state;
    for (size_t unit = 0; unit < UNITS_LEN; unit++) {
        for (size_t offset = 0; offset < 32; offset++) {
            for (size_t len = 0; len <= LEN_MAX; len++) {
                uint8_t *text = malloc(offset + len + 1);
                assert_non_null(text);
                /* The block ends with its text, so that a sanitizer sees a read too far. */
                uint8_t *at = text + offset + 1;
                fill(at, len, units[unit]);
                assert_int_equal(utf8_feed(UTF8_COMPLETE, span_of(at, len)),
                                 feed_bytewise(at, len));
                free(text);
            }
        }
    }
}

/* ---- the implementations themselves ---- */

#if defined(__x86_64__)

static const struct implementation {
    const char *name;
    const uint8_t *(*skip_blocks)(const uint8_t *at, const uint8_t *end);
    size_t block_len;
} implementations[] = {
    {"ssse3", utf8_skip_blocks_ssse3, 16},
    {"avx2", utf8_skip_blocks_avx2, 32},
};

static bool can_run(const struct implementation *implementation)
{
    return implementation->block_len == 16 ? __builtin_cpu_supports("ssse3")
                                           : __builtin_cpu_supports("avx2");
}

/*
 * The border it names must be one, in a valid prefix; all of a good text must be taken but for an
 * unfinished end, and at least the whole blocks before the first impossible byte.
 */
static void check_skipping(const struct implementation *implementation, const uint8_t *text,
                           size_t len)
{
    const uint8_t *start = text + UTF8_BLOCK_CONTEXT;
    const uint8_t *border = implementation->skip_blocks(start, text + len);
    const size_t valid_len = utf8_prefix_len(span_of(text, len), len);
    const size_t taken = (size_t)(border - text);
    const bool is_good = feed_bytewise(text, len) != UTF8_INVALID;
    const size_t wanted = is_good || valid_len <= implementation->block_len + 3
                              ? valid_len
                              : valid_len - implementation->block_len - 3;
    if (border < start || taken > valid_len || feed_bytewise(text, taken) != UTF8_COMPLETE ||
        (is_good && taken != wanted) || (taken < wanted && valid_len > 3 + 3 * 32)) {
        fail_msg("%s: %zu of %zu, %zu are valid", implementation->name, taken, len, valid_len);
    }
}

static void every_implementation_stops_on_a_border(void **state)
{
    static const char *const broken[] = {
        "",         "\x80",          "\xc0\xaf",         "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xed\xbf", "\xf0\x8f\xbf",  "\xf4\x90\x80\x80", "\xf5\x80", "\xff",         "\xe2\x82.",
        "\xc3.",    "\xf0\x9f\x98.",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(implementations) / sizeof(implementations[0]); i++) {
        for (size_t unit = 0; can_run(&implementations[i]) && unit < UNITS_LEN; unit++) {
            for (size_t mark = 0; mark < sizeof(broken) / sizeof(broken[0]); mark++) {
                for (size_t place = 3; place < 200; place++) {
                    uint8_t text[3 + 200] = "abc";
                    const size_t mark_len = strlen(broken[mark]);
                    const size_t left = sizeof(text) - place;
                    fill(text + 3, sizeof(text) - 3, units[unit]);
                    memcpy(text + place, broken[mark], mark_len < left ? mark_len : left);
                    check_skipping(&implementations[i], text, sizeof(text));
                }
            }
        }
    }
}

/* Two random bytes among good text meet every pair of halves that the look-ups know. */
static void every_pair_of_bytes_is_judged_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(implementations) / sizeof(implementations[0]); i++) {
        for (unsigned pair = 0; can_run(&implementations[i]) && pair < 0x10000; pair++) {
            for (size_t place = 17; place < 20; place++) {
                uint8_t text[3 + 64];
                fill(text, sizeof(text), "x");
                text[place] = (uint8_t)(pair >> 8);
                text[place + 1] = (uint8_t)pair;
                text[place + 2] = pair % 3 == 0 ? 'x' : 0x80;
                text[place + 3] = pair % 5 == 0 ? 'x' : 0x80;
                check_skipping(&implementations[i], text, sizeof(text));
            }
        }
    }
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] =
    { cmocka_unit_test(every_byte_at_every_place_gives_the_same_state),
      cmocka_unit_test(every_length_gives_the_same_state),
#if defined(__x86_64__)
      cmocka_unit_test(every_implementation_stops_on_a_border),
      cmocka_unit_test(every_pair_of_bytes_is_judged_the_same),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
