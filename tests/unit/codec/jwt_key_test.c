/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that are signed with private keys: each algorithm with its key, and with no other. */
#include "codec/jwt.h"
#include "tests/unit/codec/jwt_signer.h"

#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { NOW_S = 1700000000, TOKEN_LEN_MAX = 8192 };

static const struct {
    const char *name;
    enum jwt_algorithm algorithm;
    enum signer_kind signer;
} kinds[] = {
    {"RS256", JWT_RS256, SIGNER_RSA},     {"RS384", JWT_RS384, SIGNER_RSA},
    {"RS512", JWT_RS512, SIGNER_RSA},     {"ES256", JWT_ES256, SIGNER_P256},
    {"ES384", JWT_ES384, SIGNER_P384},    {"ES512", JWT_ES512, SIGNER_P521},
    {"EdDSA", JWT_EDDSA, SIGNER_ED25519},
};

static struct jwt_key key_of(enum signer_kind kind)
{
    struct jwt_key key;
    assert_true(jwt_key_of_pem(span_of_text(signer_pem(kind)), &key));
    return key;
}

static struct jwt_keys keys_with(const struct jwt_key *key)
{
    struct jwt_keys keys = {0};
    switch (key->family) {
    case JWT_FAMILY_RSA:
        keys.rsa = key;
        break;
    case JWT_FAMILY_EC:
        keys.ec = key;
        break;
    default:
        keys.ed = key;
        break;
    }
    return keys;
}

static const char *header_of(const char *algorithm, const char *more)
{
    static char header[512];
    snprintf(header, sizeof(header), "{\"alg\":\"%s\"%s}", algorithm, more);
    return header;
}

static enum jwt_result verify(const char *token, const struct jwt_keys *keys)
{
    static uint8_t buf[JWT_SCRATCH_LEN(TOKEN_LEN_MAX)];
    struct scratch scratch = scratch_of(buf, JWT_SCRATCH_LEN(strlen(token)));
    struct jwt_claims claims;
    return jwt_verify(span_of_text(token), keys, NOW_S, &scratch, &claims);
}

static void each_algorithm_is_verified_with_its_key_alone(void **state)
{
    (void)state;
    struct jwt_key keys[SIGNERS];
    for (unsigned i = 0; i < SIGNERS; i++) {
        keys[i] = key_of(i);
    }
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const char *header = header_of(kinds[i].name, "");
        const char *token = signer_token(kinds[i].signer, kinds[i].algorithm, header, "{}");
        for (unsigned j = 0; j < SIGNERS; j++) {
            const struct jwt_keys with = keys_with(&keys[j]);
            const enum jwt_result wanted = j == kinds[i].signer ? JWT_OK : JWT_ERROR_ALGORITHM;
            if (verify(token, &with) != wanted) {
                fail_msg("%s with key %u", kinds[i].name, j);
            }
        }
        const struct jwt_keys all = {.hmac_secret = SPAN_LITERAL("secret"),
                                     .rsa = &keys[SIGNER_RSA],
                                     .ec = &keys[kinds[i].signer == SIGNER_P256   ? SIGNER_P256
                                                 : kinds[i].signer == SIGNER_P384 ? SIGNER_P384
                                                                                  : SIGNER_P521],
                                     .ed = &keys[SIGNER_ED25519]};
        assert_int_equal(verify(token, &all), JWT_OK);
    }
    for (unsigned i = 0; i < SIGNERS; i++) {
        jwt_key_clear(&keys[i]);
    }
}

/* The signature is right, but the header names another algorithm. */
static void an_algorithm_that_was_changed_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"RS256", "RS384", "RS512", "ES256", "ES384",
                                        "ES512", "EdDSA", "HS256", "HS512", "none",
                                        "None",  "PS256", "eddsa", "ES256K"};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct jwt_key key = key_of(kinds[i].signer);
        const struct jwt_keys keys = keys_with(&key);
        for (size_t j = 0; j < COUNT(names); j++) {
            const char *token =
                signer_token(kinds[i].signer, kinds[i].algorithm, header_of(names[j], ""), "{}");
            const enum jwt_result result = verify(token, &keys);
            if (strcmp(names[j], kinds[i].name) == 0) {
                assert_int_equal(result, JWT_OK);
            } else {
                assert_true(result == JWT_ERROR_ALGORITHM || result == JWT_ERROR_SIGNATURE);
            }
        }
        jwt_key_clear(&key);
    }
}

/* Whoever knows the public key signs with it as if it were an HMAC secret. */
static void a_public_key_is_no_secret(void **state)
{
    (void)state;
    char token[TOKEN_LEN_MAX] = "";
    uint8_t signature[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    const char *pem = signer_pem(SIGNER_RSA);
    struct jwt_key key = key_of(SIGNER_RSA);
    const struct jwt_keys keys = keys_with(&key);
    signer_add_base64url(token, "{\"alg\":\"HS256\"}", 15);
    memcpy(token + strlen(token), ".e30", 5);
    assert_non_null(HMAC(EVP_sha256(), pem, strlen(pem), (const uint8_t *)token, strlen(token),
                         signature, &len));
    memcpy(token + strlen(token), ".", 2);
    signer_add_base64url(token, signature, len);
    assert_int_equal(verify(token, &keys), JWT_ERROR_ALGORITHM);
    jwt_key_clear(&key);
}

static void a_signature_that_was_touched_is_refused(void **state)
{
    (void)state;
    static const char text[] = "signed text";
    for (size_t i = 0; i < COUNT(kinds); i++) {
        uint8_t signature[1024] = {0};
        const struct span signed_text = span_of(text, sizeof(text) - 1);
        struct jwt_key key = key_of(kinds[i].signer);
        const size_t len = signer_sign(kinds[i].signer, kinds[i].algorithm, signed_text, signature);
        assert_true(jwt_key_verify(&key, kinds[i].algorithm, signed_text, span_of(signature, len)));
        for (size_t cut = 0; cut < len + 8; cut++) {
            assert_true((cut == len) == jwt_key_verify(&key, kinds[i].algorithm, signed_text,
                                                       span_of(signature, cut)));
        }
        for (size_t at = 0; at < len; at += 3) {
            signature[at] ^= 0x10;
            assert_false(
                jwt_key_verify(&key, kinds[i].algorithm, signed_text, span_of(signature, len)));
            signature[at] ^= 0x10;
        }
        memset(signature, 0, len);
        assert_false(
            jwt_key_verify(&key, kinds[i].algorithm, signed_text, span_of(signature, len)));
        memset(signature, 0xff, len);
        assert_false(
            jwt_key_verify(&key, kinds[i].algorithm, signed_text, span_of(signature, len)));
        jwt_key_clear(&key);
    }
}

static void what_is_no_key_is_refused(void **state)
{
    (void)state;
    struct jwt_key key;
    static const char *const pems[] = {
        "",
        "text",
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\n"
        "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCo9mJvbWz4KQ6T5eEC5sWJ1mNZ\n"
        "S1Hc3bXyYt0m1eGJ9S0b0t5C3M0X0jVqJ1d0j6h8gq3U3k9m1Hq0cM9P1nJ4u9eG\n"
        "a1o3t3c8Z2u7w1n2Z9Y6s8e6QpG8i4Zx9s0m7yQh1v3f5f2l0kq2hJ8d6n7b1tRz\n"
        "wQIDAQAB\n-----END PUBLIC KEY-----\n",
    };
    for (size_t i = 0; i < COUNT(pems); i++) {
        assert_false(jwt_key_of_pem(span_of_text(pems[i]), &key));
    }
    uint8_t bytes[1024];
    memset(bytes, 0xff, sizeof(bytes));
    const struct span e = SPAN_LITERAL("\x01\x00\x01");
    assert_false(jwt_key_of_rsa(span_of(bytes, 128), e, &key));  /* Too short. */
    assert_false(jwt_key_of_rsa(span_of(bytes, 1025), e, &key)); /* Too long. */
    assert_false(jwt_key_of_rsa(span_of(bytes, 256), SPAN_LITERAL("\x01"), &key));
    assert_false(jwt_key_of_rsa(span_of(bytes, 256), SPAN_LITERAL("\x04"), &key));
    assert_false(jwt_key_of_rsa(span_of(bytes, 256), span_of(bytes, 8), &key));
    assert_false(jwt_key_of_rsa(SPAN_EMPTY, SPAN_EMPTY, &key));
    assert_false(jwt_key_of_ed25519(span_of(bytes, 31), &key));
    assert_false(jwt_key_of_ed25519(span_of(bytes, 33), &key));
    assert_false(
        jwt_key_of_ec(SPAN_LITERAL("P-256"), span_of(bytes, 32), span_of(bytes, 32), &key));
    memset(bytes, 1, sizeof(bytes)); /* Not on the curve. */
    assert_false(
        jwt_key_of_ec(SPAN_LITERAL("P-256"), span_of(bytes, 32), span_of(bytes, 32), &key));
    assert_false(
        jwt_key_of_ec(SPAN_LITERAL("P-224"), span_of(bytes, 28), span_of(bytes, 28), &key));
    memset(bytes, 0, sizeof(bytes)); /* At infinity. */
    assert_false(
        jwt_key_of_ec(SPAN_LITERAL("P-256"), span_of(bytes, 32), span_of(bytes, 32), &key));
    jwt_key_clear(&key);
}

static void audience_and_issuer_may_be_patterns(void **state)
{
    (void)state;
    static alignas(max_align_t) uint8_t scratches[2][PATTERN_SCRATCH_LEN];
    static const struct {
        const char *audience;
        const char *issuer;
        const char *claims;
        enum jwt_result wanted;
    } rows[] = {
        {"^app-[a-c]$", NULL, "{\"aud\":\"app-b\"}", JWT_OK},
        {"^app-[a-c]$", NULL, "{\"aud\":[\"x\",\"app-c\"]}", JWT_OK},
        {"^app-[a-c]$", NULL, "{\"aud\":[\"x\",\"app-d\"]}", JWT_ERROR_AUDIENCE},
        {"^app-[a-c]$", NULL, "{\"aud\":[]}", JWT_ERROR_AUDIENCE},
        {"^app-[a-c]$", NULL, "{}", JWT_ERROR_AUDIENCE},
        {NULL, "^https://(?P<tenant>\\w+)\\.example\\.org$",
         "{\"iss\":\"https://blue.example.org\"}", JWT_OK},
        {NULL, "^https://(?P<tenant>\\w+)\\.example\\.org$",
         "{\"iss\":\"https://blue-example.org\"}", JWT_ERROR_ISSUER},
        {NULL, "a", "{}", JWT_ERROR_ISSUER},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct jwt_key key = key_of(SIGNER_ED25519);
        struct jwt_keys keys = keys_with(&key);
        struct pattern audience = {0};
        struct pattern issuer = {0};
        if (rows[i].audience != NULL) {
            assert_true(pattern_compile(span_of_text(rows[i].audience), scratches[0], &audience));
            keys.audience_pattern = &audience;
        }
        if (rows[i].issuer != NULL) {
            assert_true(pattern_compile(span_of_text(rows[i].issuer), scratches[1], &issuer));
            keys.issuer_pattern = &issuer;
        }
        const char *token =
            signer_token(SIGNER_ED25519, JWT_EDDSA, header_of("EdDSA", ""), rows[i].claims);
        if (verify(token, &keys) != rows[i].wanted) {
            fail_msg("row %zu", i);
        }
        jwt_key_clear(&key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_algorithm_is_verified_with_its_key_alone),
        cmocka_unit_test(an_algorithm_that_was_changed_is_refused),
        cmocka_unit_test(a_public_key_is_no_secret),
        cmocka_unit_test(a_signature_that_was_touched_is_refused),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(audience_and_issuer_may_be_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
