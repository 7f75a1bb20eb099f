/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys of tokens and the algorithms that they sign with (RFC 7518 section 3, RFC 8037). */
#ifndef ROOST_CODEC_JWT_KEY_H
#define ROOST_CODEC_JWT_KEY_H

#include "codec/must_check.h"
#include "codec/span.h"

#include <stdbool.h>
#include <stdint.h>

/* The longest PEM text that is looked at. */
#define JWT_PEM_LEN_MAX 16384

/* RFC 7518 section 3.3 wants RSA keys of at least so many bits; more than that many cost too much.
 */
#define JWT_RSA_BITS_MIN 2048
#define JWT_RSA_BITS_MAX 8192

enum jwt_algorithm {
    JWT_ALGORITHM_NONE, /* None that is known: `none` is not known either. */
    JWT_HS256,
    JWT_HS384,
    JWT_HS512,
    JWT_RS256,
    JWT_RS384,
    JWT_RS512,
    JWT_ES256,
    JWT_ES384,
    JWT_ES512,
    JWT_EDDSA,
};

/* What signs: a key is of one family, and takes the algorithms of that family alone. */
enum jwt_family { JWT_FAMILY_NONE, JWT_FAMILY_HMAC, JWT_FAMILY_RSA, JWT_FAMILY_EC, JWT_FAMILY_ED };

/* The `alg` of a header, compared as it stands (names are case-sensitive). */
enum jwt_algorithm jwt_algorithm_of(struct span name);
enum jwt_family jwt_family_of(enum jwt_algorithm algorithm);

/*
 * A public key: RSA, an EC key on P-256, P-384 or P-521, or Ed25519. BoringSSL keeps most of it,
 * so that making one and verifying with it take memory from the heap.
 */
struct jwt_key {
    enum jwt_family family;
    enum jwt_algorithm ec_algorithm; /* The one that the curve belongs to. */
    struct rsa_st *rsa;
    struct ec_key_st *ec;
    size_t ec_number_len; /* Bytes of r, and of s. */
    uint8_t ed25519[32];
};

/*
 * From PEM: `PUBLIC KEY` (RFC 5280), `RSA PUBLIC KEY` (RFC 8017) or a `CERTIFICATE`. False, and
 * *out is zeroed: it is none of these, of another kind, too weak, or memory is out.
 */
CODEC_MUST_CHECK bool jwt_key_of_pem(struct span pem, struct jwt_key *out);

/* From the numbers of a JWK (RFC 7518 section 6), big-endian. False as above, or off the curve. */
CODEC_MUST_CHECK bool jwt_key_of_rsa(struct span modulus, struct span exponent,
                                     struct jwt_key *out);
CODEC_MUST_CHECK bool jwt_key_of_ec(struct span curve, struct span x, struct span y,
                                    struct jwt_key *out);
CODEC_MUST_CHECK bool jwt_key_of_ed25519(struct span x, struct jwt_key *out);

/* Gives back what BoringSSL keeps, and zeroes the key; one that is zeroed is allowed. */
void jwt_key_clear(struct jwt_key *key);

/* Does the key take this algorithm? ES256 belongs to P-256 alone, ES384 to P-384, ES512 to P-521.
 */
bool jwt_key_takes(const struct jwt_key *key, enum jwt_algorithm algorithm);

/*
 * Is `signature` the key's, for `text`? An EC signature is r and s of the curve's length behind
 * each other (RFC 7518 section 3.4). False where the key does not take the algorithm. About 20 us
 * (RSA) to 1 ms (P-521); any thread, one at a time a key.
 */
CODEC_MUST_CHECK bool jwt_key_verify(const struct jwt_key *key, enum jwt_algorithm algorithm,
                                     struct span text, struct span signature);

#endif
