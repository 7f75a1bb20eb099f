/* SPDX-License-Identifier: Apache-2.0 */
/* permessage-deflate (RFC 7692) without context takeover: negotiation, compressor, inflater. */
#ifndef ROOST_CODEC_DEFLATE_H
#define ROOST_CODEC_DEFLATE_H

#include "codec/span.h"
#include "codec/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum deflate_limit {
    DEFLATE_WINDOW_BITS_MIN = 9, /* zlib cannot write a raw stream with a window of 8 bits */
    DEFLATE_WINDOW_BITS_MAX = 15,
    DEFLATE_ANSWER_LEN_MAX = 112, /* of deflate_write_answer() */
};

/* ---- negotiation ---- */

struct deflate_config {
    uint8_t server_window_bits; /* 9..15: the largest window that we compress with; 0 means 15 */
};

/* What was agreed on. One byte each, to be kept in the connection. */
struct deflate_params {
    uint8_t server_window_bits;  /* 9..15: for deflate_compress() */
    bool is_server_window_bound; /* the client demanded a bound, so the answer must name it */
};

enum deflate_negotiation {
    DEFLATE_ACCEPTED,    /* `out` is filled; answer with deflate_write_answer() */
    DEFLATE_NOT_OFFERED, /* other extensions, or none: answer without the header */
    DEFLATE_NOT_USABLE,  /* each offer has an unknown, doubled or wrong parameter, or 8 bits */
    DEFLATE_MALFORMED,   /* not the grammar of RFC 6455 section 9.1: refuse with 400 */
};

/*
 * Reads the value of one Sec-WebSocket-Extensions header and takes the first usable offer of
 * permessage-deflate. A request may carry the header several times: then call it for each in order
 * until one is accepted. Never fails on what a client wrote but by its result.
 */
enum deflate_negotiation deflate_negotiate(struct span header, const struct deflate_config *config,
                                           struct deflate_params *out);

/* The value of the answer's Sec-WebSocket-Extensions, at most DEFLATE_ANSWER_LEN_MAX bytes. */
void deflate_write_answer(struct writer *writer, const struct deflate_params *params);

/* ---- messages ---- */

/* Where the memory comes from; zlib's own malloc is never used. `allocate` may return NULL. */
struct deflate_allocator {
    void *(*allocate)(void *context, size_t len);
    void (*release)(void *context, void *at);
    void *context;
};

enum deflate_result {
    DEFLATE_DONE,
    DEFLATE_OUTPUT_FULL, /* the buffer is full, and there is at least one byte more */
    DEFLATE_INVALID,     /* not a deflate stream, or one that ends too early: 1007 */
    DEFLATE_NO_MEMORY,   /* the allocator refused */
};

/*
 * Owned by one shard and used for all its connections, as no message needs what an earlier one left
 * behind. `level` is zlib's, 1 to 9. create() returns NULL when there is no memory; zlib's tables
 * are allocated at first use (about 24 KiB for messages of up to 4 KiB, 256 KiB for larger ones and
 * once more for each narrower window that a client demands) and kept until destroy().
 */
struct deflate_compressor;
struct deflate_compressor *deflate_compressor_create(const struct deflate_allocator *allocator,
                                                     int level);
void deflate_compressor_destroy(struct deflate_compressor *compressor);

/* Room that always suffices for the compressed form of `len` bytes, whatever they are. */
size_t deflate_compressed_len_max(size_t len);

/*
 * Appends the payload of one compressed message (RFC 7692 section 7.2.1, without the 00 00 FF FF)
 * to `out`. If it does not fit: DEFLATE_OUTPUT_FULL, and `out` is as it was. A buffer as long as
 * the message plus 4 is enough to find out whether compression pays: when it does not fit, send the
 * message plain.
 */
enum deflate_result deflate_compress(struct deflate_compressor *compressor, struct span message,
                                     unsigned window_bits, struct writer *out);

/* Owned by one shard, as above; 40 KiB or so. */
struct deflate_inflater;
struct deflate_inflater *deflate_inflater_create(const struct deflate_allocator *allocator);
void deflate_inflater_destroy(struct deflate_inflater *inflater);

/*
 * Begins with the whole compressed payload of one message (all its fragments put together);
 * whatever was begun before is forgotten. The span must stay until the last deflate_inflate().
 */
void deflate_inflate_start(struct deflate_inflater *inflater, struct span message);

/*
 * Inflates the next bytes into `out`, exactly until it is full or the message ends; *len says how
 * many came. The limit on the inflated size is the caller's: as OUTPUT_FULL promises one more byte,
 * a message of exactly the limit ends with DONE, and a larger one is known to be so before a byte
 * beyond the limit is kept. The tail 00 00 FF FF is added inside. After DONE or INVALID call
 * deflate_inflate_start() again.
 */
enum deflate_result deflate_inflate(struct deflate_inflater *inflater, uint8_t *out, size_t out_len,
                                    size_t *len);

#endif
