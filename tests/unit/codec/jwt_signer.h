/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys for tests: they sign tokens by BoringSSL, and not by the code under test. */
#ifndef ROOST_TESTS_UNIT_CODEC_JWT_SIGNER_H
#define ROOST_TESTS_UNIT_CODEC_JWT_SIGNER_H

#include "codec/jwt_key.h"

#include <openssl/evp.h>
#include <stdbool.h>

enum { SIGNER_TEXT_SIZE = 8192 };

enum signer_kind { SIGNER_RSA, SIGNER_P256, SIGNER_P384, SIGNER_P521, SIGNER_ED25519, SIGNERS };

/* Made once a program and kind. */
EVP_PKEY *signer_key(enum signer_kind kind);

/* `PUBLIC KEY` in PEM. The texts live until the program ends. */
const char *signer_pem(enum signer_kind kind);

/* The members of its JWK but for `kid`: "kty":"RSA","n":"...","e":"AQAB". */
const char *signer_jwk(enum signer_kind kind);

/* The signature as a token has it; its length. */
size_t signer_sign(enum signer_kind kind, enum jwt_algorithm algorithm, struct span text,
                   uint8_t out[1024]);

/* base64url without padding behind what is there. */
void signer_add_base64url(char *text, const void *at, size_t len);

/* A whole token, in a buffer of the function's own, one of eight. `header` and `claims` are JSON.
 */
const char *signer_token(enum signer_kind kind, enum jwt_algorithm algorithm, const char *header,
                         const char *claims);

#endif
