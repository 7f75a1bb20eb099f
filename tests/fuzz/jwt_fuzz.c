/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds the token verifier with raw tokens, and with headers and claims that are signed properly;
 * with keys of every family. */
#include "codec/base64.h"
#include "codec/json.h"
#include "codec/jwt.h"

#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define MUST(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

enum { NOW_S = 1000 };

static const char secret[] = "secret";
static const char ed_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                             "MCowBQYDK2VwAyEANpahITi8bE8NgbsVxQnvJJpnEbCQKQkh9g//UPuHyf4=\n"
                             "-----END PUBLIC KEY-----\n";
static const char ec_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                             "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhkl+MyBwC/+NVPEzsw0i6TyV5mak\n"
                             "i9jxeLO3qXAIa7HqV9IH9TlNjWGQKOH2p/WfLgTPNZmU8RmNF6TNmSGbPg==\n"
                             "-----END PUBLIC KEY-----\n";
static const char rsa_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAo9rjbJUpYNQoWzsyMcln\n"
                              "9ORYow3nAhwe6y9a2zG7hDjjgxindliPd1ORzQyRNaLbR3fW03AvoxxboZOQiqBE\n"
                              "qCrquk6x05q8+jY/M/fdVs1QkIn6xO06uGaCHw/OFv6UXs0nTxnbk3jFfHqUpkPD\n"
                              "d3jpuK5GRNIu1sHcVH8mua5B2Zy89aBD4v2DCkagbMHPCdLSx5UtAi1suCPx6jim\n"
                              "CuXujHeV1UXklLfJu1MRsQ4/F/jJvRNMOjAlSVRTzVff3m7IsLWeH507h1YLw5LV\n"
                              "VWfm7+tqK79gbh7XWFgBoI9d/QZIph79PAaaOdkJDMWTnSHpnHv48RRkI4p4tK/W\n"
                              "bwIDAQAB\n"
                              "-----END PUBLIC KEY-----\n";
static const char key_set[] = "{\"keys\":[{\"kid\":\"k\",\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                              "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static uint8_t *buf_of(size_t len)
{
    uint8_t *buf = malloc(len > 0 ? len : 1);
    MUST(buf != NULL);
    return buf;
}

static size_t put_base64url(struct span bytes, uint8_t *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t len = 0;
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        bits = (bits & 0xFFU) << 8 | bytes.at[i];
        count += 8;
        while (count >= 6) {
            count -= 6;
            out[len++] = (uint8_t)digits[bits >> count & 0x3F];
        }
    }
    if (count > 0) {
        out[len++] = (uint8_t)digits[bits << (6 - count) & 0x3F];
    }
    return len;
}

/* Exactly the scratch that the header promises to be enough. */
static enum jwt_result verify(struct span token, const struct jwt_keys *keys)
{
    size_t room = JWT_SCRATCH_LEN(token.len);
    uint8_t *buf = buf_of(room);
    struct scratch scratch = scratch_of(buf, room);
    struct jwt_claims claims;
    enum jwt_result result = jwt_verify(token, keys, NOW_S, &scratch, &claims);
    MUST(result < JWT_RESULT_COUNT && result != JWT_ERROR_SPACE);
    if (result == JWT_OK) {
        struct json_walk walk;
        struct span channel;
        enum json_result walked;
        MUST(!claims.exp.present || claims.exp.s > NOW_S);
        MUST(!claims.nbf.present || claims.nbf.s <= NOW_S);
        json_strings_begin(&walk, claims.channels_raw);
        do {
            struct scratch unused = scratch;
            walked = json_strings_next(&walk, &unused, &channel);
        } while (walked == JSON_OK);
        MUST(walked == JSON_DONE || walked == JSON_ERROR_SPACE);
        MUST(claims.subs_raw.len == 0 || json_check(claims.subs_raw) == JSON_OK);
        MUST(claims.meta_raw.len == 0 || json_check(claims.meta_raw) == JSON_OK);
    }
    struct scratch none = scratch_of(buf, 16);
    enum jwt_result again = jwt_verify(token, keys, NOW_S, &none, &claims);
    MUST(again == result || again == JWT_ERROR_SPACE);
    free(buf);
    return result;
}

static void verify_signed(struct span header, struct span claims, const struct jwt_keys *keys)
{
    uint8_t *token = buf_of((header.len + claims.len) * 2 + 128);
    size_t len = put_base64url(header, token);
    token[len++] = '.';
    len += put_base64url(claims, token + len);
    uint8_t signature[EVP_MAX_MD_SIZE];
    unsigned signature_len = 0;
    MUST(HMAC(EVP_sha256(), secret, strlen(secret), token, len, signature, &signature_len) != NULL);
    token[len++] = '.';
    size_t signature_at = len;
    len += put_base64url(span_of(signature, signature_len), token + len);

    enum jwt_result result = verify(span_of(token, len), keys);
    MUST(result != JWT_ERROR_BASE64);
    token[signature_at] = token[signature_at] == 'A' ? 'B' : 'A';
    enum jwt_result forged = verify(span_of(token, len), keys);
    MUST(forged != JWT_OK && !jwt_is_expired(forged));
    free(token);
}

/* Nobody has their private halves, so that no token of a fuzzer is signed with one. */
static void add_public_keys(struct jwt_keys *keys)
{
    static bool is_made;
    static struct jwt_key rsa;
    static struct jwt_key ec;
    static struct jwt_key ed;
    static struct jwks jwks;
    if (!is_made) {
        uint8_t room[JWKS_SCRATCH_LEN(sizeof(key_set))];
        struct scratch scratch = scratch_of(room, sizeof(room));
        MUST(jwks_parse(span_of_text(key_set), &scratch, &jwks) == JWKS_OK && jwks.count == 1);
        MUST(jwt_key_of_pem(span_of_text(rsa_pem), &rsa));
        MUST(jwt_key_of_pem(span_of_text(ec_pem), &ec));
        MUST(jwt_key_of_pem(span_of_text(ed_pem), &ed));
        is_made = true;
    }
    keys->rsa = &rsa;
    keys->ec = &ec;
    keys->ed = &ed;
    keys->jwks = &jwks;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1) {
        return 0;
    }
    uint8_t mode = bytes[0];
    struct span rest = span_skip(span_of(bytes, len), 1);
    struct jwt_keys keys = {.hmac_secret = span_of_text(secret)};
    if ((mode & 4) != 0) {
        keys.audience = SPAN_LITERAL("a");
        keys.user_id_claim = SPAN_LITERAL("user");
    }
    if ((mode & 8) != 0) {
        add_public_keys(&keys);
    }
    switch (mode & 3) {
    case 0:
        keys.hmac_secret = (mode & 8) != 0 ? SPAN_EMPTY : keys.hmac_secret;
        MUST(verify(rest, &keys) != JWT_OK || (mode & 8) == 0);
        break;
    case 1:
        keys.insecure_skip_signature = true;
        verify(rest, &keys);
        break;
    case 2:
        if (rest.len > 0) {
            verify_signed(rest, SPAN_LITERAL("{}"), &keys);
        }
        break;
    default:
        if (rest.len > 0) {
            verify_signed(SPAN_LITERAL("{\"alg\":\"HS256\"}"), rest, &keys);
        }
        break;
    }
    return 0;
}
