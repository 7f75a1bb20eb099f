/* SPDX-License-Identifier: Apache-2.0 */
/* Keys as BoringSSL has them, and the signatures of tokens as it wants them. */
#include "codec/jwt_key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/curve25519.h>
#include <openssl/digest.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <assert.h>

struct curve {
    struct span name; /* RFC 7518 section 6.2.1.1 */
    int nid;
    enum jwt_algorithm algorithm;
    size_t number_len;
};

#define CURVE(name_, nid_, algorithm_, number_len_) \
    { \
        {(const uint8_t *)(name_), sizeof(name_) - 1}, (nid_), (algorithm_), (number_len_) \
    }
static const struct curve curves[] = {
    CURVE("P-256", NID_X9_62_prime256v1, JWT_ES256, 32),
    CURVE("P-384", NID_secp384r1, JWT_ES384, 48),
    CURVE("P-521", NID_secp521r1, JWT_ES512, 66),
};
enum { CURVES = sizeof(curves) / sizeof(curves[0]) };

enum jwt_algorithm jwt_algorithm_of(struct span name)
{
    static const struct {
        const char *name;
        enum jwt_algorithm algorithm;
    } names[] = {
        {"HS256", JWT_HS256}, {"HS384", JWT_HS384}, {"HS512", JWT_HS512}, {"RS256", JWT_RS256},
        {"RS384", JWT_RS384}, {"RS512", JWT_RS512}, {"ES256", JWT_ES256}, {"ES384", JWT_ES384},
        {"ES512", JWT_ES512}, {"EdDSA", JWT_EDDSA},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (span_equal(name, span_of_text(names[i].name))) {
            return names[i].algorithm;
        }
    }
    return JWT_ALGORITHM_NONE;
}

enum jwt_family jwt_family_of(enum jwt_algorithm algorithm)
{
    switch (algorithm) {
    case JWT_HS256:
    case JWT_HS384:
    case JWT_HS512:
        return JWT_FAMILY_HMAC;
    case JWT_RS256:
    case JWT_RS384:
    case JWT_RS512:
        return JWT_FAMILY_RSA;
    case JWT_ES256:
    case JWT_ES384:
    case JWT_ES512:
        return JWT_FAMILY_EC;
    case JWT_EDDSA:
        return JWT_FAMILY_ED;
    case JWT_ALGORITHM_NONE:
        break;
    }
    return JWT_FAMILY_NONE;
}

static int digest_nid_of(enum jwt_algorithm algorithm)
{
    switch (algorithm) {
    case JWT_RS256:
    case JWT_ES256:
        return NID_sha256;
    case JWT_RS384:
    case JWT_ES384:
        return NID_sha384;
    default:
        return NID_sha512;
    }
}

static_assert(sizeof(((struct jwt_key *)NULL)->ed25519) == ED25519_PUBLIC_KEY_LEN, "it fits");

/* ---- making ---- */

/* Takes over the object, which may be NULL. */
static bool key_of_rsa(RSA *rsa, struct jwt_key *out)
{
    *out = (struct jwt_key){0};
    if (rsa == NULL || RSA_bits(rsa) < JWT_RSA_BITS_MIN || RSA_bits(rsa) > JWT_RSA_BITS_MAX) {
        RSA_free(rsa);
        return false;
    }
    out->family = JWT_FAMILY_RSA;
    out->rsa = rsa;
    return true;
}

static bool key_of_ec(EC_KEY *ec, struct jwt_key *out)
{
    const EC_GROUP *group = ec == NULL ? NULL : EC_KEY_get0_group(ec);
    *out = (struct jwt_key){0};
    for (size_t i = 0; group != NULL && i < CURVES; i++) {
        if (EC_GROUP_get_curve_name(group) == curves[i].nid && EC_KEY_check_key(ec) == 1) {
            out->family = JWT_FAMILY_EC;
            out->ec = ec;
            out->ec_algorithm = curves[i].algorithm;
            out->ec_number_len = curves[i].number_len;
            return true;
        }
    }
    EC_KEY_free(ec);
    return false;
}

bool jwt_key_of_ed25519(struct span x, struct jwt_key *out)
{
    *out = (struct jwt_key){0};
    if (x.len != ED25519_PUBLIC_KEY_LEN) {
        return false;
    }
    out->family = JWT_FAMILY_ED;
    memcpy(out->ed25519, x.at, x.len);
    return true;
}

static bool key_of_evp(const EVP_PKEY *evp, struct jwt_key *out)
{
    uint8_t raw[ED25519_PUBLIC_KEY_LEN];
    size_t raw_len = sizeof(raw);
    switch (EVP_PKEY_id(evp)) {
    case EVP_PKEY_RSA:
        return key_of_rsa(EVP_PKEY_get1_RSA(evp), out);
    case EVP_PKEY_EC:
        return key_of_ec(EVP_PKEY_get1_EC_KEY(evp), out);
    case EVP_PKEY_ED25519:
        return EVP_PKEY_get_raw_public_key(evp, raw, &raw_len) == 1 &&
               jwt_key_of_ed25519(span_of(raw, raw_len), out);
    default:
        return false;
    }
}

static EVP_PKEY *read_public_key(BIO *text)
{
    return PEM_read_bio_PUBKEY(text, NULL, NULL, NULL);
}

static EVP_PKEY *read_rsa_public_key(BIO *text)
{
    RSA *rsa = PEM_read_bio_RSAPublicKey(text, NULL, NULL, NULL);
    EVP_PKEY *evp = rsa == NULL ? NULL : EVP_PKEY_new();
    if (evp != NULL && EVP_PKEY_set1_RSA(evp, rsa) != 1) {
        EVP_PKEY_free(evp);
        evp = NULL;
    }
    RSA_free(rsa);
    return evp;
}

static EVP_PKEY *read_certificate(BIO *text)
{
    X509 *certificate = PEM_read_bio_X509(text, NULL, NULL, NULL);
    EVP_PKEY *evp = certificate == NULL ? NULL : X509_get_pubkey(certificate);
    X509_free(certificate);
    return evp;
}

bool jwt_key_of_pem(struct span pem, struct jwt_key *out)
{
    EVP_PKEY *(*const forms[])(BIO *) = {read_public_key, read_rsa_public_key, read_certificate};
    bool is_made = false;
    *out = (struct jwt_key){0};
    for (size_t i = 0; !is_made && pem.len <= JWT_PEM_LEN_MAX && i < 3; i++) {
        BIO *text = BIO_new_mem_buf(pem.at, (int)pem.len);
        EVP_PKEY *evp = text == NULL ? NULL : forms[i](text);
        is_made = evp != NULL && key_of_evp(evp, out);
        EVP_PKEY_free(evp);
        BIO_free(text);
    }
    ERR_clear_error();
    return is_made;
}

static BIGNUM *number_of(struct span bytes)
{
    return bytes.len == 0 || bytes.len > JWT_RSA_BITS_MAX / 8
               ? NULL
               : BN_bin2bn(bytes.at, bytes.len, NULL);
}

bool jwt_key_of_rsa(struct span modulus, struct span exponent, struct jwt_key *out)
{
    /* As BoringSSL: larger exponents only make verifying slow. */
    enum { EXPONENT_BITS_MAX = 33 };
    RSA *rsa = RSA_new();
    BIGNUM *n = number_of(modulus);
    BIGNUM *e = number_of(exponent);
    const bool is_sane = n != NULL && e != NULL && BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e) &&
                         BN_num_bits(e) <= EXPONENT_BITS_MAX;
    if (rsa == NULL || !is_sane || RSA_set0_key(rsa, n, e, NULL) != 1) {
        BN_free(n);
        BN_free(e);
        RSA_free(rsa);
        ERR_clear_error();
        *out = (struct jwt_key){0};
        return false;
    }
    return key_of_rsa(rsa, out);
}

bool jwt_key_of_ec(struct span curve, struct span x, struct span y, struct jwt_key *out)
{
    *out = (struct jwt_key){0};
    EC_KEY *ec = NULL;
    for (size_t i = 0; i < CURVES; i++) {
        if (span_equal(curve, curves[i].name) && x.len == curves[i].number_len &&
            y.len == curves[i].number_len) {
            ec = EC_KEY_new_by_curve_name(curves[i].nid);
        }
    }
    if (ec == NULL) {
        return false;
    }
    BIGNUM *x_number = number_of(x);
    BIGNUM *y_number = number_of(y);
    /* Refuses a point that is not on the curve. */
    const bool is_set = x_number != NULL && y_number != NULL &&
                        EC_KEY_set_public_key_affine_coordinates(ec, x_number, y_number) == 1;
    BN_free(x_number);
    BN_free(y_number);
    ERR_clear_error();
    if (!is_set) {
        EC_KEY_free(ec);
        return false;
    }
    return key_of_ec(ec, out);
}

void jwt_key_clear(struct jwt_key *key)
{
    RSA_free(key->rsa);
    EC_KEY_free(key->ec);
    *key = (struct jwt_key){0};
}

/* ---- verifying ---- */

bool jwt_key_takes(const struct jwt_key *key, enum jwt_algorithm algorithm)
{
    return jwt_family_of(algorithm) == key->family &&
           (key->family != JWT_FAMILY_EC || algorithm == key->ec_algorithm);
}

static bool is_ec_signed(const struct jwt_key *key, struct span digest, struct span signature)
{
    if (signature.len != 2 * key->ec_number_len) {
        return false;
    }
    BIGNUM *r = BN_bin2bn(signature.at, key->ec_number_len, NULL);
    BIGNUM *s = BN_bin2bn(signature.at + key->ec_number_len, key->ec_number_len, NULL);
    ECDSA_SIG *pair = ECDSA_SIG_new();
    if (r == NULL || s == NULL || pair == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(pair);
        return false;
    }
    const bool is_signed = ECDSA_do_verify(digest.at, digest.len, pair, key->ec) == 1;
    ECDSA_SIG_free(pair);
    return is_signed;
}

bool jwt_key_verify(const struct jwt_key *key, enum jwt_algorithm algorithm, struct span text,
                    struct span signature)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    bool is_signed = false;
    if (!jwt_key_takes(key, algorithm)) {
        return false;
    }
    if (key->family == JWT_FAMILY_ED) {
        return signature.len == ED25519_SIGNATURE_LEN &&
               ED25519_verify(text.at, text.len, signature.at, key->ed25519) == 1;
    }
    const int nid = digest_nid_of(algorithm);
    if (EVP_Digest(text.at, text.len, digest, &digest_len, EVP_get_digestbynid(nid), NULL) != 1) {
        return false;
    }
    if (key->family == JWT_FAMILY_EC) {
        is_signed = is_ec_signed(key, span_of(digest, digest_len), signature);
    } else {
        is_signed = RSA_verify(nid, digest, digest_len, signature.at, signature.len, key->rsa) == 1;
    }
    /* Nobody reads BoringSSL's queue of this thread: what a forged token put there goes. */
    ERR_clear_error();
    return is_signed;
}
