/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: what is believed, what is refused and why, and every claim. */
#include "codec/json.h"
#include "codec/jwt.h"

#include <openssl/base64.h>
#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

enum { NOW_S = 1700000000, TOKEN_LEN_MAX = 4096 };

static const char secret[] = "secret";
static const char other_secret[] = "another secret";

static void assert_text(struct span got, const char *wanted)
{
    if (!span_equal(got, span_of_text(wanted))) {
        fail_msg("got %.*s, wanted %s", (int)got.len, (const char *)got.at, wanted);
    }
}

/* By BoringSSL's encoder, which is not the one under test. */
static size_t put_base64url(const void *bytes, size_t len, char *out)
{
    size_t written = EVP_EncodeBlock((uint8_t *)out, bytes, len);
    while (written > 0 && out[written - 1] == '=') {
        written--;
    }
    for (size_t i = 0; i < written; i++) {
        out[i] = (char)(out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i]);
    }
    out[written] = '\0';
    return written;
}

struct signing {
    const char *header;
    const char *claims;
    const char *secret;
    const EVP_MD *digest;
};

static struct span sign(const struct signing *signing, char out[TOKEN_LEN_MAX])
{
    size_t len = put_base64url(signing->header, strlen(signing->header), out);
    out[len++] = '.';
    len += put_base64url(signing->claims, strlen(signing->claims), out + len);
    uint8_t signature[EVP_MAX_MD_SIZE];
    unsigned signature_len = 0;
    assert_non_null(HMAC(signing->digest, signing->secret, strlen(signing->secret),
                         (const uint8_t *)out, len, signature, &signature_len));
    out[len++] = '.';
    len += put_base64url(signature, signature_len, out + len);
    return span_of(out, len);
}

/* The claims point into a scratch that lives until the next call. */
static enum jwt_result verify(struct span token, const struct jwt_keys *keys,
                              struct jwt_claims *claims)
{
    static uint8_t buf[JWT_SCRATCH_LEN(TOKEN_LEN_MAX)];
    struct scratch scratch = scratch_of(buf, JWT_SCRATCH_LEN(token.len));
    return jwt_verify(token, keys, NOW_S, &scratch, claims);
}

static enum jwt_result verify_claims(const char *text, const struct jwt_keys *keys,
                                     struct jwt_claims *claims)
{
    static char token[TOKEN_LEN_MAX];
    struct signing signing = {HS256, text, secret, EVP_sha256()};
    return verify(sign(&signing, token), keys, claims);
}

static struct jwt_keys keys_of_secret(void)
{
    return (struct jwt_keys){.hmac_secret = span_of_text(secret)};
}

static void the_example_of_rfc_7515_is_verified(void **state)
{
    (void)state;
    /* Appendix A.1: its key as bytes, and its claims with the white space that they are signed
     * with. */
    static const char key_text[] = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"
                                   "aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow==";
    static const char token[] = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
                                ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
                                "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
                                ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    char standard[sizeof(key_text)];
    for (size_t i = 0; i < sizeof(key_text); i++) {
        char digit = key_text[i];
        standard[i] = (char)(digit == '-' ? '+' : digit == '_' ? '/' : digit);
    }
    uint8_t key[128];
    size_t key_len = 0;
    assert_true(EVP_DecodeBase64(key, &key_len, sizeof(key), (const uint8_t *)standard,
                                 sizeof(standard) - 1));
    struct jwt_keys keys = {.hmac_secret = span_of(key, key_len)};
    struct jwt_claims claims;
    uint8_t buf[1024];
    struct scratch scratch = scratch_of(buf, sizeof(buf));
    assert_int_equal(jwt_verify(span_of_text(token), &keys, 1300819379, &scratch, &claims), JWT_OK);
    assert_text(claims.issuer, "joe");
    assert_int_equal(claims.exp.s, 1300819380);
    scratch = scratch_of(buf, sizeof(buf));
    assert_int_equal(jwt_verify(span_of_text(token), &keys, 1300819380, &scratch, &claims),
                     JWT_EXPIRED);
    assert_text(claims.issuer, "joe");
}

static void every_digest_of_the_family_is_verified(void **state)
{
    (void)state;
    struct jwt_keys keys = keys_of_secret();
    struct jwt_claims claims;
    char token[TOKEN_LEN_MAX];
    const struct {
        struct signing signing;
        enum jwt_result wanted;
    } rows[] = {
        {{HS256, "{}", secret, EVP_sha256()}, JWT_OK},
        {{"{\"alg\":\"HS384\"}", "{}", secret, EVP_sha384()}, JWT_OK},
        {{"{\"alg\":\"HS512\"}", "{}", secret, EVP_sha512()}, JWT_OK},
        {{" {\"kid\":\"../../x\",\"\\u0061lg\" : \"HS\\u003256\"} ", "{}", secret, EVP_sha256()},
         JWT_OK},
        {{HS256, "{}", secret, EVP_sha512()}, JWT_ERROR_SIGNATURE},
        {{"{\"alg\":\"HS512\"}", "{}", secret, EVP_sha256()}, JWT_ERROR_SIGNATURE},
        {{HS256, "{}", other_secret, EVP_sha256()}, JWT_ERROR_SIGNATURE},
        {{HS256, "{}", "", EVP_sha256()}, JWT_ERROR_SIGNATURE},
        {{"{\"alg\":\"none\"}", "{}", secret, EVP_sha256()}, JWT_ERROR_ALGORITHM},
        {{"{\"alg\":\"None\"}", "{}", secret, EVP_sha256()}, JWT_ERROR_ALGORITHM},
        {{"{\"alg\":\"hs256\"}", "{}", secret, EVP_sha256()}, JWT_ERROR_ALGORITHM},
        {{"{\"alg\":\"HS256 \"}", "{}", secret, EVP_sha256()}, JWT_ERROR_ALGORITHM},
        {{"{\"alg\":\"RS256\"}", "{}", secret, EVP_sha256()}, JWT_ERROR_ALGORITHM},
        {{"{\"alg\":\"ES256\"}", "{}", secret, EVP_sha256()}, JWT_ERROR_ALGORITHM},
        {{"{\"alg\":\"HS1\"}", "{}", secret, EVP_sha1()}, JWT_ERROR_ALGORITHM},
        {{"{\"alg\":256}", "{}", secret, EVP_sha256()}, JWT_ERROR_HEADER},
        {{"{\"alg\":null}", "{}", secret, EVP_sha256()}, JWT_ERROR_HEADER},
        {{"{\"alg\":\"\"}", "{}", secret, EVP_sha256()}, JWT_ERROR_HEADER},
        {{"{}", "{}", secret, EVP_sha256()}, JWT_ERROR_HEADER},
        {{"[]", "{}", secret, EVP_sha256()}, JWT_ERROR_HEADER},
        {{"{\"alg\":\"HS256\"", "{}", secret, EVP_sha256()}, JWT_ERROR_HEADER},
        {{"{\"alg\":\"HS256\"}x", "{}", secret, EVP_sha256()}, JWT_ERROR_HEADER},
        {{"{\"alg\":\"none\",\"alg\":\"HS256\"}", "{}", secret, EVP_sha256()}, JWT_ERROR_HEADER},
        {{"{\"alg\":\"HS256\",\"al\\u0067\":\"HS256\"}", "{}", secret, EVP_sha256()},
         JWT_ERROR_HEADER},
        {{"{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", "{}", secret, EVP_sha256()},
         JWT_ERROR_CRITICAL},
        {{"{\"alg\":\"HS256\",\"crit\":null}", "{}", secret, EVP_sha256()}, JWT_ERROR_CRITICAL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum jwt_result result = verify(sign(&rows[i].signing, token), &keys, &claims);
        if (result != rows[i].wanted) {
            fail_msg("%s: %s", rows[i].signing.header, jwt_result_text(result));
        }
    }
}

static void a_token_that_was_touched_is_refused(void **state)
{
    (void)state;
    struct jwt_keys keys = keys_of_secret();
    struct jwt_claims claims;
    char token[TOKEN_LEN_MAX];
    struct signing signing = {HS256, "{\"sub\":\"42\",\"exp\":1}", secret, EVP_sha256()};
    struct span whole = sign(&signing, token);
    assert_int_equal(verify(whole, &keys, &claims), JWT_EXPIRED);
    for (size_t i = 0; i < whole.len; i++) {
        char kept = token[i];
        token[i] = (char)(kept == 'A' ? 'B' : 'A');
        enum jwt_result result = verify(whole, &keys, &claims);
        assert_int_not_equal(result, JWT_OK);
        assert_false(jwt_is_expired(result));
        assert_int_equal(claims.user.len, 0);
        token[i] = kept;
    }
    for (size_t len = 0; len < whole.len; len++) {
        enum jwt_result result = verify(span_of(token, len), &keys, &claims);
        assert_true(result == JWT_ERROR_FORMAT || result == JWT_ERROR_SIGNATURE ||
                    result == JWT_ERROR_BASE64);
    }
}

static void a_signature_of_another_length_is_refused(void **state)
{
    (void)state;
    struct jwt_keys keys = keys_of_secret();
    struct jwt_claims claims;
    static const char signed_text[] = "eyJhbGciOiJIUzI1NiJ9.e30";
    uint8_t signature[EVP_MAX_MD_SIZE] = {0};
    unsigned signature_len = 0;
    assert_non_null(HMAC(EVP_sha256(), secret, strlen(secret), (const uint8_t *)signed_text,
                         strlen(signed_text), signature, &signature_len));
    for (size_t len = 0; len <= sizeof(signature); len++) {
        char token[TOKEN_LEN_MAX];
        size_t at = (size_t)snprintf(token, sizeof(token), "%s.", signed_text);
        at += put_base64url(signature, len, token + at);
        assert_int_equal(verify(span_of(token, at), &keys, &claims),
                         len == signature_len ? JWT_OK : JWT_ERROR_SIGNATURE);
    }
}

static void only_three_parts_make_a_token(void **state)
{
    (void)state;
    struct jwt_keys keys = keys_of_secret();
    struct jwt_claims claims;
    static const struct {
        const char *token;
        enum jwt_result wanted;
    } rows[] = {
        {"", JWT_ERROR_FORMAT},
        {"a", JWT_ERROR_FORMAT},
        {"a.b", JWT_ERROR_FORMAT},
        {"..", JWT_ERROR_FORMAT},
        {".b.c", JWT_ERROR_FORMAT},
        {"a..c", JWT_ERROR_FORMAT},
        {"a.b.c.d", JWT_ERROR_FORMAT},
        {"a.b.c.", JWT_ERROR_FORMAT},
        {"a.b.c", JWT_ERROR_BASE64},
        {"eyJhbGciOiJIUzI1NiJ9==.e30.AA", JWT_ERROR_BASE64},
        {"eyJhbGciOiJIUzI1NiJ9.e30.A+/=", JWT_ERROR_BASE64},
        {"eyJhbGciOiJIUzI1NiJ9.e30. AA", JWT_ERROR_BASE64},
        {"eyJhbGciOiJIUzI1NiJ9.e30.", JWT_ERROR_SIGNATURE},
        {"eyJhbGciOiJIUzI1NiJ9.e30.AA", JWT_ERROR_SIGNATURE},
        {"eyJhbGciOiJub25lIn0.e30.", JWT_ERROR_ALGORITHM},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum jwt_result result = verify(span_of_text(rows[i].token), &keys, &claims);
        if (result != rows[i].wanted) {
            fail_msg("%s: %s", rows[i].token, jwt_result_text(result));
        }
    }
    char *large = malloc(JWT_LEN_MAX + 1);
    assert_non_null(large);
    memset(large, 'a', JWT_LEN_MAX + 1);
    uint8_t none[1];
    struct scratch scratch = scratch_of(none, 0);
    assert_int_equal(jwt_verify(span_of(large, JWT_LEN_MAX + 1), &keys, NOW_S, &scratch, &claims),
                     JWT_ERROR_SIZE);
    assert_int_equal(jwt_verify(span_of(large, JWT_LEN_MAX), &keys, NOW_S, &scratch, &claims),
                     JWT_ERROR_FORMAT);
    free(large);
}

static void the_previous_secret_holds_for_its_time(void **state)
{
    (void)state;
    struct jwt_claims claims;
    static const struct {
        const char *current;
        const char *previous;
        int64_t until_s;
        enum jwt_result wanted;
    } rows[] = {
        {other_secret, secret, 0, JWT_OK},
        {other_secret, secret, NOW_S, JWT_OK},
        {other_secret, secret, NOW_S - 1, JWT_ERROR_SIGNATURE},
        {other_secret, other_secret, 0, JWT_ERROR_SIGNATURE},
        {secret, other_secret, 1, JWT_OK},
        {other_secret, "", 0, JWT_ERROR_SIGNATURE},
        {"", secret, 0, JWT_ERROR_NO_KEY},
        {"", "", 0, JWT_ERROR_NO_KEY},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct jwt_keys keys = {.hmac_secret = span_of_text(rows[i].current),
                                .hmac_previous_secret = span_of_text(rows[i].previous),
                                .hmac_previous_valid_until_s = rows[i].until_s};
        assert_int_equal(verify_claims("{}", &keys, &claims), rows[i].wanted);
    }
}

static void claims_come_out_as_values(void **state)
{
    (void)state;
    struct jwt_keys keys = keys_of_secret();
    struct jwt_claims claims;
    assert_int_equal(
        verify_claims("{\"sub\":\"4\\u00322\",\"exp\":1700000001,\"nbf\":1700000000,"
                      "\"iat\":1699999999.75,\"expire_at\":0,\"iss\":\"me\",\"jti\":\"j\","
                      "\"aud\":[\"a\",\"b\"],\"info\":{\"n\": 1},\"data\":[1],\"channel\":\"c\","
                      "\"client\":\"id\",\"channels\":[\"x\",\"y\\n\"],\"subs\":{\"s\":{}},"
                      "\"override\":{\"presence\":{\"value\":true}},\"meta\":5,\"other\":{}}",
                      &keys, &claims),
        JWT_OK);
    assert_text(claims.user, "422");
    assert_true(claims.exp.present && claims.exp.s == 1700000001);
    assert_true(claims.nbf.present && claims.nbf.s == 1700000000);
    assert_true(claims.iat.present && claims.iat.s == 1699999999);
    assert_true(claims.expire_at.present && claims.expire_at.s == 0);
    assert_text(claims.issuer, "me");
    assert_text(claims.jti, "j");
    assert_text(claims.audience_raw, "[\"a\",\"b\"]");
    assert_text(claims.info, "{\"n\": 1}");
    assert_text(claims.data, "[1]");
    assert_true(claims.channel_present);
    assert_text(claims.channel, "c");
    assert_text(claims.client, "id");
    assert_text(claims.channels_raw, "[\"x\",\"y\\n\"]");
    assert_text(claims.subs_raw, "{\"s\":{}}");
    assert_text(claims.override_raw, "{\"presence\":{\"value\":true}}");
    assert_text(claims.meta_raw, "5");

    assert_int_equal(verify_claims("{}", &keys, &claims), JWT_OK);
    assert_text(claims.user, "");
    assert_false(claims.exp.present || claims.expire_at.present || claims.channel_present);
    assert_int_equal(verify_claims("{\"sub\":null,\"exp\":null,\"channel\":null,\"info\":null}",
                                   &keys, &claims),
                     JWT_OK);
    assert_false(claims.exp.present || claims.channel_present);
    assert_int_equal(claims.info.len, 0);
    assert_int_equal(verify_claims("{\"channel\":\"\"}", &keys, &claims), JWT_OK);
    assert_true(claims.channel_present);
    assert_int_equal(verify_claims("{\"sub\":\"a\",\"sub\":\"b\"}", &keys, &claims), JWT_OK);
    assert_text(claims.user, "b");
}

static void base64_claims_win_over_plain_ones(void **state)
{
    (void)state;
    struct jwt_keys keys = keys_of_secret();
    struct jwt_claims claims;
    assert_int_equal(verify_claims("{\"b64info\":\"e30=\",\"info\":1,\"data\":2,"
                                   "\"b64data\":\"AP\\u002b\\/\"}",
                                   &keys, &claims),
                     JWT_OK);
    assert_text(claims.info, "{}");
    assert_true(span_equal(claims.data, SPAN_LITERAL("\0\xff\xbf")));
    assert_int_equal(verify_claims("{\"b64info\":\"\",\"info\":1}", &keys, &claims), JWT_OK);
    assert_text(claims.info, "1");
    assert_int_equal(verify_claims("{\"b64info\":\"e30\"}", &keys, &claims), JWT_ERROR_CLAIM_TYPE);
}

static void wrong_claims_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *claims;
        enum jwt_result wanted;
    } rows[] = {
        {"[]", JWT_ERROR_CLAIMS},
        {"null", JWT_ERROR_CLAIMS},
        {"\"x\"", JWT_ERROR_CLAIMS},
        {"{", JWT_ERROR_CLAIMS},
        {"{}{}", JWT_ERROR_CLAIMS},
        {"{\"sub\":\"\xff\"}", JWT_ERROR_CLAIMS},
        {"{\"sub\":42}", JWT_ERROR_CLAIM_TYPE},
        {"{\"exp\":\"1800000000\"}", JWT_ERROR_CLAIM_TYPE},
        {"{\"exp\":true}", JWT_ERROR_CLAIM_TYPE},
        {"{\"exp\":1e300}", JWT_ERROR_CLAIM_RANGE},
        {"{\"exp\":9223372036854775808}", JWT_ERROR_CLAIM_RANGE},
        {"{\"aud\":1}", JWT_ERROR_CLAIM_TYPE},
        {"{\"aud\":[1]}", JWT_ERROR_CLAIM_TYPE},
        {"{\"aud\":{}}", JWT_ERROR_CLAIM_TYPE},
        {"{\"channel\":1}", JWT_ERROR_CLAIM_TYPE},
        {"{\"channels\":\"a\"}", JWT_ERROR_CLAIM_TYPE},
        {"{\"channels\":[1]}", JWT_ERROR_CLAIM_TYPE},
        {"{\"subs\":[]}", JWT_ERROR_CLAIM_TYPE},
        {"{\"override\":1}", JWT_ERROR_CLAIM_TYPE},
        {"{\"iss\":1}", JWT_ERROR_CLAIM_TYPE},
        {"{\"jti\":1}", JWT_ERROR_CLAIM_TYPE},
    };
    struct jwt_keys keys = keys_of_secret();
    struct jwt_claims claims;
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum jwt_result result = verify_claims(rows[i].claims, &keys, &claims);
        if (result != rows[i].wanted) {
            fail_msg("%s: %s", rows[i].claims, jwt_result_text(result));
        }
    }
}

static void time_is_checked_to_the_second(void **state)
{
    (void)state;
    static const struct {
        const char *claims;
        enum jwt_result wanted;
    } rows[] = {
        {"{\"exp\":1700000001}", JWT_OK},
        {"{\"exp\":1700000000}", JWT_EXPIRED},
        {"{\"exp\":1700000000.9}", JWT_EXPIRED},
        {"{\"exp\":1.700000001e9}", JWT_OK},
        {"{\"exp\":0}", JWT_EXPIRED},
        {"{\"exp\":-1}", JWT_EXPIRED},
        {"{\"exp\":-0.5}", JWT_EXPIRED},
        {"{\"exp\":9223372036854775807}", JWT_OK},
        {"{\"nbf\":1700000000}", JWT_OK},
        {"{\"nbf\":1700000001}", JWT_NOT_YET_VALID},
        {"{\"nbf\":1700000001,\"exp\":1}", JWT_EXPIRED},
        {"{\"iat\":1800000000}", JWT_OK},
    };
    struct jwt_keys keys = keys_of_secret();
    struct jwt_claims claims;
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum jwt_result result = verify_claims(rows[i].claims, &keys, &claims);
        if (result != rows[i].wanted) {
            fail_msg("%s: %s", rows[i].claims, jwt_result_text(result));
        }
        assert_int_equal(jwt_is_expired(result), rows[i].wanted != JWT_OK);
    }
}

static void audience_issuer_and_user_follow_the_configuration(void **state)
{
    (void)state;
    static const struct {
        const char *claims;
        enum jwt_result wanted;
        const char *user;
    } rows[] = {
        {"{\"aud\":\"a\",\"iss\":\"i\",\"uid\":\"u\",\"sub\":\"s\"}", JWT_OK, "u"},
        {"{\"aud\":[\"b\",\"\\u0061\"],\"iss\":\"i\",\"uid\":\"\\u0075\"}", JWT_OK, "u"},
        {"{\"aud\":\"\\u0061\",\"iss\":\"i\",\"sub\":\"s\"}", JWT_OK, ""},
        {"{\"aud\":\"a\",\"iss\":\"i\",\"uid\":5}", JWT_ERROR_CLAIM_TYPE, ""},
        {"{\"iss\":\"i\"}", JWT_ERROR_AUDIENCE, ""},
        {"{\"aud\":\"A\",\"iss\":\"i\"}", JWT_ERROR_AUDIENCE, ""},
        {"{\"aud\":[],\"iss\":\"i\"}", JWT_ERROR_AUDIENCE, ""},
        {"{\"aud\":[null,\"aa\"],\"iss\":\"i\"}", JWT_ERROR_AUDIENCE, ""},
        {"{\"aud\":\"a\"}", JWT_ERROR_ISSUER, ""},
        {"{\"aud\":\"a\",\"iss\":\"j\",\"exp\":1,\"uid\":\"u\"}", JWT_ERROR_ISSUER, ""},
        {"{\"aud\":\"a\",\"iss\":\"i\",\"exp\":1}", JWT_EXPIRED, ""},
    };
    struct jwt_keys keys = keys_of_secret();
    keys.audience = SPAN_LITERAL("a");
    keys.issuer = SPAN_LITERAL("i");
    keys.user_id_claim = SPAN_LITERAL("uid");
    struct jwt_claims claims;
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum jwt_result result = verify_claims(rows[i].claims, &keys, &claims);
        if (result != rows[i].wanted) {
            fail_msg("%s: %s", rows[i].claims, jwt_result_text(result));
        }
        assert_text(claims.user, rows[i].user);
    }
}

static void the_insecure_switch_skips_the_signature_alone(void **state)
{
    (void)state;
    struct jwt_keys keys = {.insecure_skip_signature = true};
    struct jwt_claims claims;
    char token[TOKEN_LEN_MAX];
    struct signing none = {"{\"alg\":\"none\"}", "{\"sub\":\"u\"}", "", EVP_sha256()};
    struct span whole = sign(&none, token);
    assert_int_equal(verify(whole, &keys, &claims), JWT_OK);
    assert_text(claims.user, "u");
    size_t dot = whole.len;
    while (token[dot - 1] != '.') {
        dot--;
    }
    assert_int_equal(verify(span_of(token, dot), &keys, &claims), JWT_OK);
    assert_int_equal(verify(span_of(token, dot - 1), &keys, &claims), JWT_ERROR_FORMAT);
    none.claims = "{\"exp\":1}";
    assert_int_equal(verify(sign(&none, token), &keys, &claims), JWT_EXPIRED);
    none.header = "{\"crit\":[],\"alg\":\"none\"}";
    assert_int_equal(verify(sign(&none, token), &keys, &claims), JWT_ERROR_CRITICAL);
}

static void a_scratch_that_is_too_small_is_told(void **state)
{
    (void)state;
    struct jwt_keys keys = keys_of_secret();
    struct jwt_claims claims;
    char token[TOKEN_LEN_MAX];
    struct signing signing = {HS256, "{\"sub\":\"a\\nb\"}", secret, EVP_sha256()};
    struct span whole = sign(&signing, token);
    bool succeeded = false;
    for (size_t room = 0; room <= JWT_SCRATCH_LEN(whole.len); room++) {
        uint8_t *buf = malloc(room > 0 ? room : 1);
        assert_non_null(buf);
        struct scratch scratch = scratch_of(buf, room);
        enum jwt_result result = jwt_verify(whole, &keys, NOW_S, &scratch, &claims);
        assert_int_equal(result, result == JWT_OK ? JWT_OK : JWT_ERROR_SPACE);
        assert_true(!succeeded || result == JWT_OK);
        succeeded = result == JWT_OK;
        free(buf);
    }
    assert_true(succeeded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_rfc_7515_is_verified),
        cmocka_unit_test(every_digest_of_the_family_is_verified),
        cmocka_unit_test(a_token_that_was_touched_is_refused),
        cmocka_unit_test(a_signature_of_another_length_is_refused),
        cmocka_unit_test(only_three_parts_make_a_token),
        cmocka_unit_test(the_previous_secret_holds_for_its_time),
        cmocka_unit_test(claims_come_out_as_values),
        cmocka_unit_test(base64_claims_win_over_plain_ones),
        cmocka_unit_test(wrong_claims_are_refused),
        cmocka_unit_test(time_is_checked_to_the_second),
        cmocka_unit_test(audience_issuer_and_user_follow_the_configuration),
        cmocka_unit_test(the_insecure_switch_skips_the_signature_alone),
        cmocka_unit_test(a_scratch_that_is_too_small_is_told),
    };
    return cmocka_run_group_tests_name("jwt", tests, NULL, NULL);
}
