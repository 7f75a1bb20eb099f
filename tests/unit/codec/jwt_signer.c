/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, their public forms and signatures, all by BoringSSL. */
#include "tests/unit/codec/jwt_signer.h"

#include <openssl/base64.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/curve25519.h>
#include <openssl/digest.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static EVP_PKEY *make_rsa(void)
{
    EVP_PKEY *key = EVP_PKEY_new();
    RSA *rsa = RSA_new();
    BIGNUM *exponent = BN_new();
    assert_true(key != NULL && rsa != NULL && BN_set_word(exponent, RSA_F4));
    assert_int_equal(RSA_generate_key_ex(rsa, 2048, exponent, NULL), 1);
    assert_int_equal(EVP_PKEY_assign_RSA(key, rsa), 1);
    BN_free(exponent);
    return key;
}

static EVP_PKEY *make_ec(int nid)
{
    EVP_PKEY *key = EVP_PKEY_new();
    EC_KEY *ec = EC_KEY_new_by_curve_name(nid);
    assert_true(key != NULL && ec != NULL);
    assert_int_equal(EC_KEY_generate_key(ec), 1);
    assert_int_equal(EVP_PKEY_assign_EC_KEY(key, ec), 1);
    return key;
}

static EVP_PKEY *make_ed25519(void)
{
    uint8_t public_key[ED25519_PUBLIC_KEY_LEN];
    uint8_t private_key[ED25519_PRIVATE_KEY_LEN];
    ED25519_keypair(public_key, private_key);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key, 32);
    assert_non_null(key);
    return key;
}

EVP_PKEY *signer_key(enum signer_kind kind)
{
    static EVP_PKEY *keys[SIGNERS];
    static const int curves[SIGNERS] = {[SIGNER_P256] = NID_X9_62_prime256v1,
                                        [SIGNER_P384] = NID_secp384r1,
                                        [SIGNER_P521] = NID_secp521r1};
    if (keys[kind] == NULL) {
        keys[kind] = kind == SIGNER_RSA       ? make_rsa()
                     : kind == SIGNER_ED25519 ? make_ed25519()
                                              : make_ec(curves[kind]);
    }
    return keys[kind];
}

const char *signer_pem(enum signer_kind kind)
{
    static char texts[SIGNERS][SIGNER_TEXT_SIZE];
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PUBKEY(bio, signer_key(kind)), 1);
    const int len = BIO_read(bio, texts[kind], SIGNER_TEXT_SIZE - 1);
    assert_true(len > 0);
    texts[kind][len] = '\0';
    BIO_free(bio);
    return texts[kind];
}

void signer_add_base64url(char *text, const void *at, size_t len)
{
    char *start = text + strlen(text);
    assert_true(strlen(text) + 4 * (len / 3 + 1) + 1 <= SIGNER_TEXT_SIZE);
    (void)EVP_EncodeBlock((uint8_t *)start, at, len);
    for (char *digit = start; *digit != '\0'; digit++) {
        *digit = (char)(*digit == '+' ? '-' : *digit == '/' ? '_' : *digit == '=' ? '\0' : *digit);
    }
}

static void add(char *text, const char *more)
{
    assert_true(strlen(text) + strlen(more) < SIGNER_TEXT_SIZE);
    memcpy(text + strlen(text), more, strlen(more) + 1);
}

/* `len` 0: as short as it can be. */
static void add_number(char *text, const BIGNUM *number, size_t len)
{
    uint8_t bytes[1024];
    const size_t size = len == 0 ? BN_num_bytes(number) : len;
    assert_int_equal(BN_bn2bin_padded(bytes, size, number), 1);
    signer_add_base64url(text, bytes, size);
}

static size_t number_len_of(enum signer_kind kind)
{
    return kind == SIGNER_P256 ? 32 : kind == SIGNER_P384 ? 48 : 66;
}

static void add_point(char *text, enum signer_kind kind)
{
    const EC_KEY *ec = EVP_PKEY_get0_EC_KEY(signer_key(kind));
    BIGNUM *x = BN_new();
    BIGNUM *y = BN_new();
    assert_int_equal(EC_POINT_get_affine_coordinates_GFp(EC_KEY_get0_group(ec),
                                                         EC_KEY_get0_public_key(ec), x, y, NULL),
                     1);
    add(text, kind == SIGNER_P256   ? "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\""
              : kind == SIGNER_P384 ? "\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\""
                                    : "\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"");
    add_number(text, x, number_len_of(kind));
    add(text, "\",\"y\":\"");
    add_number(text, y, number_len_of(kind));
    BN_free(x);
    BN_free(y);
}

const char *signer_jwk(enum signer_kind kind)
{
    static char texts[SIGNERS][SIGNER_TEXT_SIZE];
    char *text = texts[kind];
    text[0] = '\0';
    if (kind == SIGNER_RSA) {
        const BIGNUM *n = NULL;
        const BIGNUM *e = NULL;
        RSA_get0_key(EVP_PKEY_get0_RSA(signer_key(kind)), &n, &e, NULL);
        add(text, "\"kty\":\"RSA\",\"n\":\"");
        add_number(text, n, 0);
        add(text, "\",\"e\":\"");
        add_number(text, e, 0);
    } else if (kind == SIGNER_ED25519) {
        uint8_t raw[32];
        size_t raw_len = sizeof(raw);
        assert_int_equal(EVP_PKEY_get_raw_public_key(signer_key(kind), raw, &raw_len), 1);
        add(text, "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"");
        signer_add_base64url(text, raw, raw_len);
    } else {
        add_point(text, kind);
    }
    add(text, "\"");
    return text;
}

static const EVP_MD *digest_of(enum jwt_algorithm algorithm)
{
    switch (algorithm) {
    case JWT_RS256:
    case JWT_ES256:
        return EVP_sha256();
    case JWT_RS384:
    case JWT_ES384:
        return EVP_sha384();
    default:
        return EVP_sha512();
    }
}

/* DER to r and s behind each other. */
static size_t to_raw(enum signer_kind kind, const uint8_t *der, size_t der_len, uint8_t *out)
{
    const BIGNUM *r = NULL;
    const BIGNUM *s = NULL;
    const size_t len = number_len_of(kind);
    ECDSA_SIG *pair = ECDSA_SIG_from_bytes(der, der_len);
    assert_non_null(pair);
    ECDSA_SIG_get0(pair, &r, &s);
    assert_int_equal(BN_bn2bin_padded(out, len, r), 1);
    assert_int_equal(BN_bn2bin_padded(out + len, len, s), 1);
    ECDSA_SIG_free(pair);
    return 2 * len;
}

size_t signer_sign(enum signer_kind kind, enum jwt_algorithm algorithm, struct span text,
                   uint8_t out[1024])
{
    uint8_t signature[1024];
    size_t len = sizeof(signature);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL,
                                        kind == SIGNER_ED25519 ? NULL : digest_of(algorithm), NULL,
                                        signer_key(kind)),
                     1);
    assert_int_equal(EVP_DigestSign(context, signature, &len, text.at, text.len), 1);
    EVP_MD_CTX_free(context);
    if (kind == SIGNER_RSA || kind == SIGNER_ED25519) {
        memcpy(out, signature, len);
        return len;
    }
    return to_raw(kind, signature, len, out);
}

const char *signer_token(enum signer_kind kind, enum jwt_algorithm algorithm, const char *header,
                         const char *claims)
{
    static char tokens[8][SIGNER_TEXT_SIZE];
    static unsigned next;
    char *token = tokens[next++ % 8];
    uint8_t signature[1024];
    token[0] = '\0';
    signer_add_base64url(token, header, strlen(header));
    add(token, ".");
    signer_add_base64url(token, claims, strlen(claims));
    const size_t len = signer_sign(kind, algorithm, span_of(token, strlen(token)), signature);
    add(token, ".");
    signer_add_base64url(token, signature, len);
    return token;
}
