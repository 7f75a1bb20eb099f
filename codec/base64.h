/* SPDX-License-Identifier: Apache-2.0 */
/* Strict base64 (RFC 4648): the URL alphabet of tokens and the standard one of API payloads. */
#ifndef ROOST_CODEC_BASE64_H
#define ROOST_CODEC_BASE64_H

#include "codec/must_check.h"
#include "codec/scratch.h"
#include "codec/span.h"
#include "codec/writer.h"

#include <stdbool.h>

enum base64_alphabet {
    BASE64_STANDARD, /* RFC 4648 section 4, `+` and `/`, padding required */
    BASE64_URL,      /* RFC 4648 section 5, `-` and `_`, padding forbidden (RFC 7515 section 2) */
};

enum base64_result {
    BASE64_OK = 0,
    BASE64_ERROR_TEXT,  /* no byte string has this text in this alphabet */
    BASE64_ERROR_SPACE, /* the scratch is too small */
};

/*
 * Writes the standard alphabet with its padding. The time depends on the bytes as a table in the
 * cache does: not for secrets.
 */
void base64_encode(struct writer *out, struct span bytes);

/* The size of `text_len` characters decoded, at most. */
static inline size_t base64_decoded_len_max(size_t text_len)
{
    return text_len / 4 * 3 + 2;
}

/*
 * Decodes `text` into the scratch; *out is the decoded bytes there. One byte string has one text
 * only: bits left over in the last character must be zero, and neither white space nor line breaks
 * are skipped. `text` may lie at the scratch's own start: it is read before it is written over.
 */
CODEC_MUST_CHECK enum base64_result base64_decode(struct span text, enum base64_alphabet alphabet,
                                                  struct scratch *scratch, struct span *out);

#endif
