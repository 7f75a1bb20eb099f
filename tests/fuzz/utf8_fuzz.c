/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 against a decoder that follows the definition, in one piece and in several. */
#include "codec/utf8.h"

#include "codec/utf8_blocks.h"

#include "tests/fuzz/fuzz_pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The code point at `at` by the definition of RFC 3629: its length, or 0. */
static size_t reference_code_point(const uint8_t *at, size_t len)
{
    static const uint32_t first_of_len[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t lead = at[0];
    size_t wanted = 0;
    if (lead < 0x80) {
        return 1;
    }
    while ((lead & 0x80u >> wanted) != 0 && wanted < 8) {
        wanted++;
    }
    if (wanted < 2 || wanted > 4 || wanted > len) {
        return 0;
    }
    uint32_t point = lead & (0x7fu >> wanted);
    for (size_t i = 1; i < wanted; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = point << 6 | (at[i] & 0x3fu);
    }
    bool is_surrogate = point >= 0xd800 && point <= 0xdfff;
    return point < first_of_len[wanted] || is_surrogate || point > 0x10ffff ? 0 : wanted;
}

/* The length of the valid prefix, in whole code points. */
static size_t reference_prefix_len(const uint8_t *bytes, size_t len)
{
    size_t at = 0;
    while (at < len) {
        size_t taken = reference_code_point(bytes + at, len - at);
        if (taken == 0) {
            break;
        }
        at += taken;
    }
    return at;
}

/* A way in blocks ends on a border, and takes all of a text that is valid to its end. */
static void check_border(const uint8_t *bytes, size_t len, const uint8_t *border)
{
    size_t taken = (size_t)(border - bytes);
    size_t prefix_len = reference_prefix_len(bytes, len);
    FUZZ_CHECK(taken <= prefix_len && reference_prefix_len(bytes, taken) == taken);
    FUZZ_CHECK(taken == len || prefix_len < len);
}

static void check_blocks(const uint8_t *bytes, size_t len)
{
#if defined(__x86_64__)
    size_t start = len < UTF8_BLOCK_LEN_MAX ? 0 : reference_prefix_len(bytes, 6);
    if (start < UTF8_BLOCK_CONTEXT || len - start < UTF8_BLOCK_LEN_MAX) {
        return;
    }
    if (__builtin_cpu_supports("ssse3")) {
        check_border(bytes, len, utf8_skip_blocks_ssse3(bytes + start, bytes + len));
    }
    if (__builtin_cpu_supports("avx2")) {
        check_border(bytes, len, utf8_skip_blocks_avx2(bytes + start, bytes + len));
    }
#else
    (void)check_border;
    (void)bytes;
    (void)len;
#endif
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    size_t prefix_len = reference_prefix_len(bytes, len);
    FUZZ_CHECK(utf8_is_valid(span_of(bytes, len)) == (prefix_len == len));
    FUZZ_CHECK(utf8_prefix_len(span_of(bytes, len), SIZE_MAX) == prefix_len);
    check_blocks(bytes, len);
    for (unsigned mode = 0; mode < FUZZ_PIECE_MODES; mode++) {
        struct fuzz_pieces pieces = {.mode = mode, .seed = (uint32_t)len};
        enum utf8_state state = UTF8_COMPLETE;
        for (size_t at = 0; at < len;) {
            size_t piece = fuzz_next_piece(&pieces, len - at);
            state = utf8_feed(state, span_of(bytes + at, piece));
            at += piece;
        }
        FUZZ_CHECK(utf8_is_complete(state) == (prefix_len == len));
        /* An end inside of a code point is unfinished, anything worse is invalid. */
        FUZZ_CHECK(state != UTF8_INVALID || prefix_len < len);
        FUZZ_CHECK(state == UTF8_INVALID || len - prefix_len < 4);
    }
    return 0;
}
