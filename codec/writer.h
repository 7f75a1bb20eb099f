/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded writer: what encoders append through, and what never writes past its buffer. */
#ifndef ROOST_CODEC_WRITER_H
#define ROOST_CODEC_WRITER_H

#include "codec/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 *    start              at                    end
 *      v                 v                     v
 *      +-----------------+---------------------+
 *      |     written     |        room         |
 *      +-----------------+---------------------+
 *
 * The buffer is the caller's. A piece goes in whole or not at all; from the first piece that did
 * not fit on, nothing more goes in, so that what is written is always a prefix of the whole made of
 * whole pieces. Then
 *
 *      writer_written_len() + overflow == the size of the whole
 *
 * so an encoder can run twice: over writer_for_measuring() first, then over a buffer of exactly
 * that size.
 */
struct writer {
    uint8_t *at;
    uint8_t *end;
    uint8_t *start;
    size_t overflow;
};

/* The longest decimal forms of the integers, without a terminator. */
#define WRITER_U64_LEN_MAX 20
#define WRITER_I64_LEN_MAX 20

static inline struct writer writer_of(void *buf, size_t len)
{
    uint8_t *start = (uint8_t *)buf;
    return (struct writer){start, len == 0 ? start : start + len, start, 0};
}

/* A writer without room: it only counts, and `overflow` is then the size of the whole. */
static inline struct writer writer_for_measuring(void)
{
    return (struct writer){NULL, NULL, NULL, 0};
}

static inline bool writer_is_overflown(const struct writer *writer)
{
    return writer->overflow != 0;
}

static inline size_t writer_room(const struct writer *writer)
{
    return writer->end == writer->at ? 0 : (size_t)(writer->end - writer->at);
}

static inline size_t writer_written_len(const struct writer *writer)
{
    return writer->at == writer->start ? 0 : (size_t)(writer->at - writer->start);
}

static inline struct span writer_written(const struct writer *writer)
{
    return (struct span){writer->start, writer_written_len(writer)};
}

/*
 * Opens `len` bytes for the caller to fill, or counts them as overflow and returns NULL. The base
 * of all the others; a length of zero also returns NULL when there is no buffer at all, and then
 * there is nothing to fill.
 */
static inline uint8_t *writer_claim(struct writer *writer, size_t len)
{
    if (writer->overflow != 0 || len > writer_room(writer)) {
        writer->overflow += len;
        return NULL;
    }
    uint8_t *claimed = writer->at;
    if (len > 0) {
        writer->at += len;
    }
    return claimed;
}

static inline void writer_put(struct writer *writer, struct span span)
{
    uint8_t *to = writer_claim(writer, span.len);
    if (to != NULL && span.len > 0) {
        memcpy(to, span.at, span.len);
    }
}

#define writer_put_literal(writer, text) writer_put((writer), SPAN_LITERAL(text))

static inline void writer_put_byte(struct writer *writer, uint8_t byte)
{
    uint8_t *to = writer_claim(writer, 1);
    if (to != NULL) {
        *to = byte;
    }
}

/* Decimal, without leading zeros. */
static inline void writer_put_u64(struct writer *writer, uint64_t value)
{
    uint8_t digits[WRITER_U64_LEN_MAX];
    size_t first = sizeof(digits);
    do {
        digits[--first] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    writer_put(writer, span_of(digits + first, sizeof(digits) - first));
}

static inline void writer_put_i64(struct writer *writer, int64_t value)
{
    if (value < 0) {
        writer_put_byte(writer, '-');
        writer_put_u64(writer, 0 - (uint64_t)value);
    } else {
        writer_put_u64(writer, (uint64_t)value);
    }
}

#endif
