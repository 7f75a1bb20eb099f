/* SPDX-License-Identifier: Apache-2.0 */
/* Messages through zlib: raw deflate, one fresh stream for each message, memory as handed in. */
#include "codec/deflate.h"

#include <limits.h>

#define ZLIB_CONST
#include <zlib.h>

enum {
    /* Most messages are small: clearing a table of 8 KiB for them is cheaper than one of 64 KiB. */
    DEFLATE_SMALL_LEN = 4096,
    DEFLATE_SMALL_WINDOW_BITS = 12,
    DEFLATE_SMALL_MEM_LEVEL = 5,
    DEFLATE_LARGE_MEM_LEVEL = 8,
    DEFLATE_TAIL_LEN = 4,
    DEFLATE_STREAMS = 1 + DEFLATE_WINDOW_BITS_MAX - DEFLATE_WINDOW_BITS_MIN + 1,
};

/* The end of an empty stored block: every message ends with it, so it is never sent. */
static const uint8_t deflate_tail[DEFLATE_TAIL_LEN] = {0x00, 0x00, 0xff, 0xff};

static void *deflate_zlib_allocate(void *opaque, unsigned items, unsigned size)
{
    const struct deflate_allocator *allocator = opaque;
    if (size != 0 && items > SIZE_MAX / size) {
        return NULL;
    }
    return allocator->allocate(allocator->context, (size_t)items * size);
}

static void deflate_zlib_release(void *opaque, void *at)
{
    const struct deflate_allocator *allocator = opaque;
    allocator->release(allocator->context, at);
}

static z_stream deflate_zlib_stream(struct deflate_allocator *allocator)
{
    return (z_stream){.zalloc = deflate_zlib_allocate,
                      .zfree = deflate_zlib_release,
                      .opaque = allocator};
}

/* ---- compressing ---- */

/* streams[0] is for small messages, the others have windows of 9 to 15 bits; made when needed. */
struct deflate_compressor {
    struct deflate_allocator allocator;
    int level;
    bool is_ready[DEFLATE_STREAMS];
    z_stream streams[DEFLATE_STREAMS];
};

struct deflate_compressor *deflate_compressor_create(const struct deflate_allocator *allocator,
                                                     int level)
{
    struct deflate_compressor *compressor =
        allocator->allocate(allocator->context, sizeof(*compressor));
    if (compressor != NULL) {
        *compressor = (struct deflate_compressor){.allocator = *allocator, .level = level};
    }
    return compressor;
}

void deflate_compressor_destroy(struct deflate_compressor *compressor)
{
    if (compressor == NULL) {
        return;
    }
    for (size_t i = 0; i < DEFLATE_STREAMS; i++) {
        if (compressor->is_ready[i]) {
            (void)deflateEnd(&compressor->streams[i]);
        }
    }
    struct deflate_allocator allocator = compressor->allocator;
    allocator.release(allocator.context, compressor);
}

/*
 * No distance is longer than the message before it, so a message that fits the agreed window may go
 * through a stream with a wider one.
 */
static z_stream *deflate_stream_for(struct deflate_compressor *compressor, size_t len,
                                    unsigned window_bits)
{
    bool fits_window = len <= (size_t)1 << window_bits;
    bool is_small =
        len <= DEFLATE_SMALL_LEN && (fits_window || window_bits >= DEFLATE_SMALL_WINDOW_BITS);
    unsigned bits = is_small      ? DEFLATE_SMALL_WINDOW_BITS
                    : fits_window ? DEFLATE_WINDOW_BITS_MAX
                                  : window_bits;
    size_t index = is_small ? 0 : 1 + bits - DEFLATE_WINDOW_BITS_MIN;
    z_stream *stream = &compressor->streams[index];
    if (compressor->is_ready[index]) {
        return deflateReset(stream) == Z_OK ? stream : NULL;
    }
    *stream = deflate_zlib_stream(&compressor->allocator);
    int mem_level = is_small ? DEFLATE_SMALL_MEM_LEVEL : DEFLATE_LARGE_MEM_LEVEL;
    int made = deflateInit2(stream, compressor->level, Z_DEFLATED, -(int)bits, mem_level,
                            Z_DEFAULT_STRATEGY);
    compressor->is_ready[index] = made == Z_OK;
    return made == Z_OK ? stream : NULL;
}

/* zlib's own bound for any window and memory level, and what a sync flush adds. */
size_t deflate_compressed_len_max(size_t len)
{
    return len + (len + 7) / 8 + (len + 63) / 64 + 5 + 16;
}

enum deflate_result deflate_compress(struct deflate_compressor *compressor, struct span message,
                                     unsigned window_bits, struct writer *out)
{
    size_t room = out->overflow != 0 ? 0 : writer_room(out);
    if (window_bits < DEFLATE_WINDOW_BITS_MIN || window_bits > DEFLATE_WINDOW_BITS_MAX ||
        message.len > UINT_MAX) {
        return DEFLATE_INVALID;
    }
    if (room == 0) {
        return DEFLATE_OUTPUT_FULL;
    }
    z_stream *stream = deflate_stream_for(compressor, message.len, window_bits);
    if (stream == NULL) {
        return DEFLATE_NO_MEMORY;
    }
    stream->next_in = message.at;
    stream->avail_in = (unsigned)message.len;
    stream->next_out = out->at;
    stream->avail_out = room < UINT_MAX ? (unsigned)room : UINT_MAX;
    int result = deflate(stream, Z_SYNC_FLUSH);
    /* A flush is complete if it left room; without any it may have more to say. */
    if (result != Z_OK || stream->avail_out == 0) {
        return DEFLATE_OUTPUT_FULL;
    }
    out->at = stream->next_out - DEFLATE_TAIL_LEN;
    return DEFLATE_DONE;
}

/* ---- inflating ---- */

/*
 * `next` is the byte that was inflated to learn that there is one: it opens the next piece.
 * `ending` is the result that was met together with it.
 */
struct deflate_inflater {
    struct deflate_allocator allocator;
    z_stream stream;
    uLong len_before_tail;
    enum deflate_result ending;
    bool is_ended;
    bool is_in_tail;
    bool has_next;
    uint8_t next;
};

struct deflate_inflater *deflate_inflater_create(const struct deflate_allocator *allocator)
{
    struct deflate_inflater *inflater = allocator->allocate(allocator->context, sizeof(*inflater));
    if (inflater == NULL) {
        return NULL;
    }
    *inflater = (struct deflate_inflater){.allocator = *allocator, .is_ended = true};
    inflater->stream = deflate_zlib_stream(&inflater->allocator);
    if (inflateInit2(&inflater->stream, -DEFLATE_WINDOW_BITS_MAX) != Z_OK) {
        allocator->release(allocator->context, inflater);
        return NULL;
    }
    return inflater;
}

void deflate_inflater_destroy(struct deflate_inflater *inflater)
{
    if (inflater == NULL) {
        return;
    }
    (void)inflateEnd(&inflater->stream);
    struct deflate_allocator allocator = inflater->allocator;
    allocator.release(allocator.context, inflater);
}

void deflate_inflate_start(struct deflate_inflater *inflater, struct span message)
{
    bool is_usable = message.len <= UINT_MAX && inflateReset(&inflater->stream) == Z_OK;
    inflater->stream.next_in = message.at;
    inflater->stream.avail_in = (unsigned)message.len;
    inflater->ending = DEFLATE_INVALID;
    inflater->is_ended = !is_usable;
    inflater->is_in_tail = false;
    inflater->has_next = false;
}

/*
 * The tail must have been an empty block and nothing else: it made no output, and the stream rests
 * between two blocks without a bit left. Otherwise the message was cut short.
 */
static bool deflate_ended_well(const struct deflate_inflater *inflater)
{
    int at = inflater->stream.data_type;
    return inflater->stream.total_out == inflater->len_before_tail && (at & 128) != 0 &&
           (at & 63) == 0;
}

/* Only when all of the message has come out, so that what comes after is known to be the tail's. */
static void deflate_feed_tail(struct deflate_inflater *inflater)
{
    inflater->stream.next_in = deflate_tail;
    inflater->stream.avail_in = DEFLATE_TAIL_LEN;
    inflater->len_before_tail = inflater->stream.total_out;
    inflater->is_in_tail = true;
}

/*
 * A sender may end its stream with a final block and begin a new one behind it (RFC 7692 section
 * 7.2.3.4); a message that ends right there has no need of the tail.
 */
static enum deflate_result deflate_stream_ended(struct deflate_inflater *inflater)
{
    if (inflater->is_in_tail) {
        return DEFLATE_INVALID;
    }
    if (inflater->stream.avail_in == 0) {
        return DEFLATE_DONE;
    }
    return inflateReset(&inflater->stream) == Z_OK ? DEFLATE_OUTPUT_FULL : DEFLATE_INVALID;
}

/*
 * Inflates until `out` is full or the message has ended. Here DEFLATE_OUTPUT_FULL means only that
 * the end was not seen: whether there is more is not known.
 */
static enum deflate_result deflate_fill(struct deflate_inflater *inflater, uint8_t *out,
                                        size_t out_len, size_t *len)
{
    z_stream *stream = &inflater->stream;
    enum deflate_result result = DEFLATE_OUTPUT_FULL;
    stream->next_out = out;
    stream->avail_out = out_len < UINT_MAX ? (unsigned)out_len : UINT_MAX;
    while (stream->avail_out > 0 && result == DEFLATE_OUTPUT_FULL) {
        switch (inflate(stream, Z_SYNC_FLUSH)) {
        case Z_STREAM_END:
            result = deflate_stream_ended(inflater);
            break;
        case Z_OK:
        case Z_BUF_ERROR:
            /* Room that is left means that the input ran out. */
            if (stream->avail_out > 0 && inflater->is_in_tail) {
                result = deflate_ended_well(inflater) ? DEFLATE_DONE : DEFLATE_INVALID;
            } else if (stream->avail_out > 0) {
                deflate_feed_tail(inflater);
            }
            break;
        case Z_MEM_ERROR:
            result = DEFLATE_NO_MEMORY;
            break;
        default:
            result = DEFLATE_INVALID;
            break;
        }
    }
    *len = (size_t)(stream->next_out - out);
    inflater->is_ended = result != DEFLATE_OUTPUT_FULL;
    inflater->ending = result;
    return result;
}

enum deflate_result deflate_inflate(struct deflate_inflater *inflater, uint8_t *out, size_t out_len,
                                    size_t *len)
{
    size_t taken = 0;
    *len = 0;
    if (inflater->has_next) {
        if (out_len == 0) {
            return DEFLATE_OUTPUT_FULL;
        }
        out[0] = inflater->next;
        inflater->has_next = false;
        *len = 1;
    }
    if (!inflater->is_ended) {
        (void)deflate_fill(inflater, out + *len, out_len - *len, &taken);
        *len += taken;
    }
    if (!inflater->is_ended) {
        (void)deflate_fill(inflater, &inflater->next, 1, &taken);
        inflater->has_next = taken == 1;
    }
    return inflater->has_next ? DEFLATE_OUTPUT_FULL : inflater->ending;
}
