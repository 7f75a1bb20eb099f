/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of public keys as an identity provider publishes them (RFC 7517). */
#ifndef ROOST_CODEC_JWKS_H
#define ROOST_CODEC_JWKS_H

#include "codec/jwt_key.h"
#include "codec/must_check.h"
#include "codec/scratch.h"
#include "codec/span.h"

#include <stdint.h>

/* A longer document is refused. */
#define JWKS_LEN_MAX (256 * 1024)
/* Keys that are taken of one document; the others are counted as skipped. */
#define JWKS_KEYS_MAX 64
/* A key with a longer id is skipped. */
#define JWKS_KID_LEN_MAX 256

/* A scratch of this many bytes is enough for a document of `len` bytes. */
#define JWKS_SCRATCH_LEN(len) ((len)*2 + 64)

enum jwks_result {
    JWKS_OK,
    JWKS_ERROR_SIZE,   /* longer than JWKS_LEN_MAX */
    JWKS_ERROR_FORMAT, /* not JSON, or no object with an array `keys` of objects */
    JWKS_ERROR_SPACE,  /* the scratch is too small */
};

struct jwks_entry {
    struct jwt_key key;
    enum jwt_algorithm algorithm; /* The only one that it is meant for; NONE: all that it takes. */
    uint16_t kid_len;
    uint8_t kid[JWKS_KID_LEN_MAX];
};

/* The keys of one document that can sign tokens: 22 KiB. */
struct jwks {
    uint32_t count;
    uint32_t skipped;
    struct jwks_entry entries[JWKS_KEYS_MAX];
};

/*
 * Keys without an id, of kinds or curves that are not known, too weak, not for signatures (`use`),
 * symmetric ones, and further ones of an id that came before are skipped (section 5 wants that of
 * unknown ones). *out is to be cleared; with an error it has no keys.
 */
CODEC_MUST_CHECK enum jwks_result jwks_parse(struct span document, struct scratch *scratch,
                                             struct jwks *out);

/* Gives back its keys; one that is zeroed is allowed. */
void jwks_clear(struct jwks *jwks);

/*
 * The key with this id; NULL: there is none. *algorithm is the only one that it is meant for,
 * JWT_ALGORITHM_NONE: every one that it takes.
 */
const struct jwt_key *jwks_find(const struct jwks *jwks, struct span kid,
                                enum jwt_algorithm *algorithm);

#endif
