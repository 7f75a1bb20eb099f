/* SPDX-License-Identifier: Apache-2.0 */
/* Fossil deltas: one payload told as copies from another one and literals. */
#ifndef ROOST_CODEC_DELTA_H
#define ROOST_CODEC_DELTA_H

#include "codec/must_check.h"
#include "codec/scratch.h"
#include "codec/span.h"
#include "codec/writer.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Source: "Fossil Delta Format", fossil-scm.org. Numbers are in base 64 with the digits 0-9 A-Z _
 * a-z ~, the most significant first:
 *
 *      delta   := number-of-target's-bytes "\n" segment* checksum ";"
 *      segment := bytes "@" place-in-source ","     a copy
 *               | bytes ":" those bytes             a literal
 *
 * All functions are pure and may be called from any shard. Nothing is allocated; time is linear in
 * both lengths.
 */

/* What is longer is not told as a delta: readers in the field count with 31 bits. */
#define DELTA_LEN_MAX INT32_MAX

/* Sources are known by blocks of this size. */
#define DELTA_BLOCK_LEN 16

/* The room with which delta_create() can know every block of a source. */
#define DELTA_SCRATCH_LEN(source_len) ((source_len) / DELTA_BLOCK_LEN * 12 + 16)

enum delta_alignment {
    DELTA_OF_BYTES,
    /*
     * Copies and literals begin and end between characters, so that each literal is UTF-8 by
     * itself: for a subscriber that gets the delta inside of a JSON string.
     */
    DELTA_OF_UTF8,
};

enum delta_result {
    DELTA_OK = 0,
    DELTA_NOT_SHORTER,     /* no error: the target itself is what to send */
    DELTA_NOT_UTF8,        /* no error, the same: a payload is not UTF-8, and DELTA_OF_UTF8 */
    DELTA_ERROR_TOO_LARGE, /* a payload, or a declared target, beyond DELTA_LEN_MAX */
    DELTA_ERROR_SPACE,     /* the delta or the target does not fit the writer */
    DELTA_ERROR_TRUNCATED, /* the delta ends before its checksum's semicolon */
    DELTA_ERROR_SYNTAX,    /* a byte that cannot stand where it stands */
    DELTA_ERROR_NUMBER,    /* a number beyond 32 bits */
    DELTA_ERROR_COPY,      /* a copy from beyond the source */
    DELTA_ERROR_LITERAL,   /* a literal longer than what is left of the delta */
    DELTA_ERROR_LEN,       /* segments make more or less than the declared target */
    DELTA_ERROR_CHECKSUM,  /* the target is not the one that was meant */
    DELTA_ERROR_TRAILING,  /* bytes behind the delta */
    DELTA_RESULT_COUNT,
};

/* A sentence fragment for logs; never NULL. */
const char *delta_result_text(enum delta_result result);

/*
 * Appends to *out the delta that makes `target` out of `source`; on anything but DELTA_OK *out is
 * as it was. DELTA_OK means that the delta is shorter than the target, by at least one byte: so
 * target.len of room in *out rule out DELTA_ERROR_SPACE. The scratch is for an index over the
 * source, free again afterwards; with less than DELTA_SCRATCH_LEN(source.len) of room, even none,
 * deltas are as right, but may be longer. An edit at one place is found without it.
 */
CODEC_MUST_CHECK enum delta_result delta_create(struct span source, struct span target,
                                                enum delta_alignment alignment,
                                                struct scratch scratch, struct writer *out);

/* The size of the target that a delta declares, for whoever must make room for it. */
CODEC_MUST_CHECK enum delta_result delta_target_len(struct span delta, size_t *len);

/*
 * Appends to *out what `delta` makes of `source`. The delta may be any bytes. The declared size is
 * compared with the room in *out first; on anything but DELTA_OK *out is as it was, though bytes
 * behind `at` may have been written over. `source` and `delta` must not lie in that room.
 */
CODEC_MUST_CHECK enum delta_result delta_apply(struct span source, struct span delta,
                                               struct writer *out);

/* The sum of the big-endian 32-bit words of `bytes`, modulo 2^32; zeros fill the last word. */
uint32_t delta_checksum(struct span bytes);

#endif
