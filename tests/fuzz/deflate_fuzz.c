/* SPDX-License-Identifier: Apache-2.0 */
/* Offers, garbage to inflate under a limit, and round trips whose window zlib itself checks. */
#include "codec/deflate.h"

#include "tests/fuzz/fuzz_pieces.h"

#define ZLIB_CONST
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { OUTPUT_MAX = 1 << 16 };

static void *allocate(void *context, size_t len)
{
    (void)context;
    return malloc(len);
}

static void release(void *context, void *at)
{
    (void)context;
    free(at);
}

static const struct deflate_allocator allocator = {allocate, release, NULL};
static struct deflate_compressor *compressor;
static struct deflate_inflater *inflater;

static enum deflate_result inflate_all(struct span in, struct fuzz_pieces pieces, uint8_t *out,
                                       size_t *len)
{
    enum deflate_result result = DEFLATE_OUTPUT_FULL;
    *len = 0;
    deflate_inflate_start(inflater, in);
    while (result == DEFLATE_OUTPUT_FULL && *len < OUTPUT_MAX) {
        size_t room = fuzz_next_piece(&pieces, OUTPUT_MAX - *len);
        size_t taken;
        result = deflate_inflate(inflater, out + *len, room, &taken);
        FUZZ_CHECK(taken <= room && (result != DEFLATE_OUTPUT_FULL || taken == room));
        *len += taken;
    }
    return result;
}

/* The same bytes and the same end in one piece and in many, never beyond the limit. */
static void inflate_garbage(struct span in)
{
    static uint8_t whole[OUTPUT_MAX];
    static uint8_t cut[OUTPUT_MAX];
    size_t whole_len;
    size_t cut_len;
    enum deflate_result result =
        inflate_all(in, (struct fuzz_pieces){.mode = 0, .seed = 1}, whole, &whole_len);
    for (unsigned mode = 1; mode < FUZZ_PIECE_MODES; mode++) {
        struct fuzz_pieces pieces = {.mode = mode, .seed = (uint32_t)in.len};
        FUZZ_CHECK(inflate_all(in, pieces, cut, &cut_len) == result);
        FUZZ_CHECK(cut_len == whole_len && memcmp(cut, whole, whole_len) == 0);
    }
}

/* zlib with a window of just the agreed size must be able to follow. */
static void check_window(struct span compressed, struct span plain, unsigned window_bits)
{
    static uint8_t out[OUTPUT_MAX];
    z_stream stream = {.next_in = compressed.at, .avail_in = (unsigned)compressed.len};
    FUZZ_CHECK(inflateInit2(&stream, -(int)window_bits) == Z_OK);
    for (size_t at = 0; at < plain.len;) {
        size_t room = plain.len - at < 97 ? plain.len - at : 97;
        stream.next_out = out + at;
        stream.avail_out = (unsigned)room;
        FUZZ_CHECK(inflate(&stream, Z_SYNC_FLUSH) == Z_OK && stream.avail_out == 0);
        at += room;
    }
    FUZZ_CHECK(plain.len == 0 || memcmp(out, plain.at, plain.len) == 0);
    (void)inflateEnd(&stream);
}

static void round_trip(struct span plain, unsigned window_bits)
{
    static uint8_t compressed[OUTPUT_MAX + OUTPUT_MAX / 4];
    static uint8_t out[OUTPUT_MAX];
    size_t len;
    struct writer writer = writer_of(compressed, deflate_compressed_len_max(plain.len));
    FUZZ_CHECK(deflate_compress(compressor, plain, window_bits, &writer) == DEFLATE_DONE);
    deflate_inflate_start(inflater, writer_written(&writer));
    FUZZ_CHECK(deflate_inflate(inflater, out, plain.len, &len) == DEFLATE_DONE);
    FUZZ_CHECK(len == plain.len && (len == 0 || memcmp(out, plain.at, len) == 0));
    check_window(writer_written(&writer), plain, window_bits);
}

static void negotiate(struct span header)
{
    struct deflate_config config = {.server_window_bits = 13};
    struct deflate_params params;
    uint8_t answer[DEFLATE_ANSWER_LEN_MAX];
    struct writer writer = writer_of(answer, sizeof(answer));
    if (deflate_negotiate(header, &config, &params) != DEFLATE_ACCEPTED) {
        return;
    }
    FUZZ_CHECK(params.server_window_bits >= 9 && params.server_window_bits <= 13);
    deflate_write_answer(&writer, &params);
    FUZZ_CHECK(!writer_is_overflown(&writer));
    /* Our own answer would be a usable offer. */
    FUZZ_CHECK(deflate_negotiate(writer_written(&writer), &config, &params) == DEFLATE_ACCEPTED);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (inflater == NULL) {
        compressor = deflate_compressor_create(&allocator, 6);
        inflater = deflate_inflater_create(&allocator);
        FUZZ_CHECK(compressor != NULL && inflater != NULL);
    }
    if (len == 0 || len > OUTPUT_MAX) {
        return 0;
    }
    struct span rest = span_skip(span_of(bytes, len), 1);
    switch (bytes[0] % 3) {
    case 0:
        inflate_garbage(rest);
        break;
    case 1:
        round_trip(rest, 9 + bytes[0] / 3u % 7);
        break;
    default:
        negotiate(rest);
        break;
    }
    return 0;
}
