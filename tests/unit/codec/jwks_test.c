/* SPDX-License-Identifier: Apache-2.0 */
/* Key sets: what is taken of one, what is left, and tokens that name their key. */
#include "codec/base64.h"
#include "codec/jwks.h"
#include "codec/jwt.h"
#include "tests/unit/codec/jwt_signer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { DOCUMENT_SIZE = 32768 };

static enum jwks_result parse_text(struct span text, struct jwks *out)
{
    const size_t room = JWKS_SCRATCH_LEN(text.len);
    uint8_t *bytes = malloc(room);
    struct scratch scratch = scratch_of(bytes, room);
    assert_non_null(bytes);
    const enum jwks_result result = jwks_parse(text, &scratch, out);
    free(bytes);
    return result;
}

__attribute__((format(printf, 1, 2))) static struct jwks *parse(const char *format, ...)
{
    static struct jwks jwks;
    static char document[DOCUMENT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(document, sizeof(document), format, args);
    va_end(args);
    assert_int_equal(parse_text(span_of_text(document), &jwks), JWKS_OK);
    return &jwks;
}

/* RFC 7515, appendices A.3, and RFC 8037, A.4. */
static void the_examples_of_the_rfcs_are_verified(void **state)
{
    (void)state;
    static const struct {
        const char *kid;
        enum jwt_algorithm algorithm;
        const char *text;
        const char *signature;
    } rows[] = {
        {"es", JWT_ES256,
         "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
         "LmNvbS9pc19yb290Ijp0cnVlfQ",
         "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
        {"ed", JWT_EDDSA, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
         "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
    };
    struct jwks *jwks = parse("{\"keys\":[{\"kid\":\"es\",\"kty\":\"EC\",\"crv\":\"P-256\","
                              "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                              "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
                              "{\"kid\":\"ed\",\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                              "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}");
    assert_int_equal(jwks->count, 2);
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum jwt_algorithm algorithm;
        uint8_t room[128];
        struct scratch scratch = scratch_of(room, sizeof(room));
        struct span signature;
        const struct jwt_key *key = jwks_find(jwks, span_of_text(rows[i].kid), &algorithm);
        assert_non_null(key);
        assert_int_equal(base64_decode(span_of_text(rows[i].signature), BASE64_URL, &scratch,
                                       &signature),
                         BASE64_OK);
        assert_true(jwt_key_verify(key, rows[i].algorithm, span_of_text(rows[i].text), signature));
        assert_false(
            jwt_key_verify(key, rows[i].algorithm, span_of_text(rows[1 - i].text), signature));
    }
    jwks_clear(jwks);
}

static enum jwt_result verify(const char *token, const struct jwt_keys *keys)
{
    uint8_t room[JWT_SCRATCH_LEN(8192)];
    struct scratch scratch = scratch_of(room, sizeof(room));
    struct jwt_claims claims;
    return jwt_verify(span_of_text(token), keys, 1000, &scratch, &claims);
}

static void a_token_is_checked_with_the_key_that_it_names(void **state)
{
    (void)state;
    static const struct {
        enum signer_kind signer;
        enum jwt_algorithm algorithm;
        const char *header;
        enum jwt_result wanted;
    } rows[] = {
        {SIGNER_RSA, JWT_RS256, "{\"alg\":\"RS256\",\"kid\":\"r\"}", JWT_OK},
        {SIGNER_RSA, JWT_RS512, "{\"alg\":\"RS512\",\"kid\":\"r\"}", JWT_OK},
        {SIGNER_P256, JWT_ES256, "{\"alg\":\"ES256\",\"kid\":\"p256\"}", JWT_OK},
        {SIGNER_P384, JWT_ES384, "{\"alg\":\"ES384\",\"kid\":\"p384\"}", JWT_OK},
        {SIGNER_P521, JWT_ES512, "{\"alg\":\"ES512\",\"kid\":\"p521\"}", JWT_OK},
        {SIGNER_ED25519, JWT_EDDSA, "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", JWT_OK},
        {SIGNER_RSA, JWT_RS256, "{\"alg\":\"RS256\",\"kid\":\"none of them\"}",
         JWT_ERROR_UNKNOWN_KEY},
        {SIGNER_RSA, JWT_RS256, "{\"alg\":\"RS256\",\"kid\":\"p256\"}", JWT_ERROR_ALGORITHM},
        {SIGNER_P256, JWT_ES256, "{\"alg\":\"ES256\",\"kid\":\"p384\"}", JWT_ERROR_ALGORITHM},
        {SIGNER_RSA, JWT_RS256, "{\"alg\":\"RS256\",\"kid\":\"rs384\"}", JWT_ERROR_ALGORITHM},
        {SIGNER_RSA, JWT_RS384, "{\"alg\":\"RS384\",\"kid\":\"rs384\"}", JWT_OK},
        {SIGNER_RSA, JWT_RS256, "{\"alg\":\"HS256\",\"kid\":\"r\"}", JWT_ERROR_ALGORITHM},
        {SIGNER_RSA, JWT_RS256, "{\"alg\":\"none\",\"kid\":\"r\"}", JWT_ERROR_ALGORITHM},
        {SIGNER_RSA, JWT_RS256, "{\"alg\":\"RS256\",\"kid\":\"r\",\"kid\":\"r\"}",
         JWT_ERROR_HEADER},
        {SIGNER_RSA, JWT_RS256, "{\"alg\":\"RS256\",\"kid\":5}", JWT_ERROR_HEADER},
        {SIGNER_RSA, JWT_RS256, "{\"alg\":\"RS256\"}", JWT_ERROR_NO_KEY},
        {SIGNER_RSA, JWT_RS256, "{\"alg\":\"RS256\",\"kid\":\"\"}", JWT_ERROR_NO_KEY},
    };
    struct jwks *jwks =
        parse("{\"keys\":[{\"kid\":\"r\",\"use\":\"sig\",%s},{\"kid\":\"p256\",%s},{\"kid\":"
              "\"p384\",%s},"
              "{\"kid\":\"p521\",\"alg\":\"ES512\",%s},{\"kid\":\"ed\",%s},"
              "{\"kid\":\"rs384\",\"alg\":\"RS384\",%s}]}",
              signer_jwk(SIGNER_RSA), signer_jwk(SIGNER_P256), signer_jwk(SIGNER_P384),
              signer_jwk(SIGNER_P521), signer_jwk(SIGNER_ED25519), signer_jwk(SIGNER_RSA));
    assert_int_equal(jwks->count, 6);
    const struct jwt_keys keys = {.jwks = jwks};
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *token =
            signer_token(rows[i].signer, rows[i].algorithm, rows[i].header, "{\"sub\":\"1\"}");
        if (verify(token, &keys) != rows[i].wanted) {
            fail_msg("%s: %s", rows[i].header, jwt_result_text(verify(token, &keys)));
        }
    }
    jwks_clear(jwks);
}

static void keys_of_no_use_are_skipped(void **state)
{
    (void)state;
    char secret[] = "\"kty\":\"oct\",\"k\":\"c2VjcmV0\"";
    const char *const skipped[] = {
        "", /* No id. */
        "\"kid\":\"\",",
        "\"kid\":\"k\",\"use\":\"enc\",",
        "\"kid\":\"k\",\"alg\":\"RSA-OAEP\",",
        "\"kid\":\"k\",\"alg\":\"ES256\",",
        "\"kid\":\"k\",\"alg\":\"none\",",
        "\"kid\":7,",
    };
    for (size_t i = 0; i < COUNT(skipped); i++) {
        struct jwks *jwks = parse("{\"keys\":[{%s%s}]}", skipped[i], signer_jwk(SIGNER_RSA));
        assert_int_equal(jwks->count, 0);
        assert_int_equal(jwks->skipped, 1);
        jwks_clear(jwks);
    }
    const char *const keys[] = {secret, "\"kty\":\"EC\",\"crv\":\"P-256\"", "\"kty\":\"RSA\"",
                                "\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AAAA\"", "\"a\":1"};
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct jwks *jwks = parse("{\"keys\":[{\"kid\":\"k\",%s}]}", keys[i]);
        assert_int_equal(jwks->count, 0);
        assert_int_equal(jwks->skipped, 1);
        jwks_clear(jwks);
    }
}

static void a_set_has_a_most(void **state)
{
    (void)state;
    static char document[DOCUMENT_SIZE];
    enum jwt_algorithm algorithm;
    size_t len = (size_t)snprintf(document, sizeof(document), "{\"other\":[],\"keys\":[");
    for (int i = 0; i < JWKS_KEYS_MAX + 3; i++) {
        len += (size_t)snprintf(document + len, sizeof(document) - len, "%s{\"kid\":\"%d\",%s}",
                                i == 0 ? "" : ",", i, signer_jwk(SIGNER_ED25519));
    }
    struct jwks *jwks = parse("%s]}", document);
    assert_int_equal(jwks->count, JWKS_KEYS_MAX);
    assert_int_equal(jwks->skipped, 3);
    assert_non_null(jwks_find(jwks, SPAN_LITERAL("63"), &algorithm));
    assert_null(jwks_find(jwks, SPAN_LITERAL("64"), &algorithm));
    jwks_clear(jwks);
    jwks = parse("{\"keys\":[{\"kid\":\"k\",%s},{\"kid\":\"k\",%s}]}", signer_jwk(SIGNER_ED25519),
                 signer_jwk(SIGNER_P256));
    assert_int_equal(jwks->count, 1);
    assert_int_equal(jwks_find(jwks, SPAN_LITERAL("k"), &algorithm)->family, JWT_FAMILY_ED);
    jwks_clear(jwks);
    char *large = malloc(JWKS_LEN_MAX + 1);
    assert_non_null(large);
    memset(large, ' ', JWKS_LEN_MAX + 1);
    assert_int_equal(parse_text(span_of(large, JWKS_LEN_MAX + 1), jwks), JWKS_ERROR_SIZE);
    assert_int_equal(parse_text(span_of(large, JWKS_LEN_MAX), jwks), JWKS_ERROR_FORMAT);
    struct scratch scratch = scratch_of(large, JWKS_SCRATCH_LEN(2) - 1);
    assert_int_equal(jwks_parse(SPAN_LITERAL("{}"), &scratch, jwks), JWKS_ERROR_SPACE);
    free(large);
}

static void what_is_no_set_is_refused(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":[1]}",
        "{\"keys\":[{}]",
        "{ ",
        "{\"keys\":[{]}",
        "<p>",
        "{\"keys\":[],\"keys\":[]}",
        "{\"keys\":[]}x",
    };
    for (size_t i = 0; i < COUNT(documents); i++) {
        struct jwks refused;
        assert_int_equal(parse_text(span_of_text(documents[i]), &refused), JWKS_ERROR_FORMAT);
        assert_int_equal(refused.count, 0);
    }
    struct jwks *jwks = parse("{\"keys\":[]}");
    assert_int_equal(jwks->count, 0);
    jwks_clear(jwks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfcs_are_verified),
        cmocka_unit_test(a_token_is_checked_with_the_key_that_it_names),
        cmocka_unit_test(keys_of_no_use_are_skipped),
        cmocka_unit_test(a_set_has_a_most),
        cmocka_unit_test(what_is_no_set_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
