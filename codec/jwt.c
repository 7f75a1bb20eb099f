/* SPDX-License-Identifier: Apache-2.0 */
/* Verifies a token's signature before anything else that it says is believed. */
#include "codec/jwt.h"

#include "codec/base64.h"
#include "codec/json_fields.h"

#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>

/* The three parts, as they stand in the token. */
struct token_parts {
    struct span header;
    struct span payload;
    struct span signature;
    struct span signed_text; /* header, dot, payload */
};

/* What a header says that matters here. */
struct token_header {
    struct span algorithm;
    uint32_t algorithm_count;
    bool has_critical;
};

/* Claims that need a decision after all of them are known. */
struct token_claims {
    struct jwt_claims claims;
    struct span b64info;
    struct span b64data;
};

const char *jwt_result_text(enum jwt_result result)
{
#define JWT_TEXT(name, text) [name] = (text),
    static const char *const texts[JWT_RESULT_COUNT] = {JWT_RESULTS(JWT_TEXT)};
#undef JWT_TEXT
    return (unsigned)result < JWT_RESULT_COUNT ? texts[result] : "unknown";
}

static enum jwt_result split(struct span token, struct token_parts *out)
{
    if (token.len > JWT_LEN_MAX) {
        return JWT_ERROR_SIZE;
    }
    size_t first = span_index_of(token, '.');
    struct span rest = span_skip(token, first + 1);
    size_t second = span_index_of(rest, '.');
    if (first == token.len || second == rest.len) {
        return JWT_ERROR_FORMAT;
    }
    out->header = span_of(token.at, first);
    out->payload = span_of(rest.at, second);
    out->signature = span_skip(rest, second + 1);
    out->signed_text = span_of(token.at, first + 1 + second);
    bool has_fourth = span_index_of(out->signature, '.') != out->signature.len;
    return has_fourth || first == 0 || second == 0 ? JWT_ERROR_FORMAT : JWT_OK;
}

static enum jwt_result decode_part(struct span part, struct scratch *scratch, struct span *out)
{
    switch (base64_decode(part, BASE64_URL, scratch, out)) {
    case BASE64_OK:
        return JWT_OK;
    case BASE64_ERROR_SPACE:
        return JWT_ERROR_SPACE;
    case BASE64_ERROR_TEXT:
        break;
    }
    return JWT_ERROR_BASE64;
}

static enum json_result read_header_member(struct json_reader *reader, struct scratch *scratch,
                                           struct span key, struct token_header *out)
{
    static const struct span names[] = {JSON_FIELD_NAME("alg"), JSON_FIELD_NAME("crit")};
    switch (json_key_find(key, names, 2)) {
    case 0:
        out->algorithm_count++;
        return json_read_string(reader, scratch, &out->algorithm);
    case 1:
        out->has_critical = true;
        return json_skip_value(reader);
    default:
        return json_skip_value(reader);
    }
}

/* RFC 7515 section 4 wants names to be unique: which of two algorithms was meant nobody can say. */
static enum jwt_result read_header(struct span text, struct scratch *scratch,
                                   struct token_header *out)
{
    *out = (struct token_header){0};
    struct json_reader reader;
    struct span key;
    json_reader_begin(&reader, text);
    enum json_result result = json_enter_object(&reader);
    while (result == JSON_OK && (result = json_next_member(&reader, &key)) == JSON_OK) {
        result = read_header_member(&reader, scratch, key, out);
    }
    if (result == JSON_ERROR_SPACE) {
        return JWT_ERROR_SPACE;
    }
    if (result != JSON_DONE || json_reader_end(&reader) != JSON_OK || out->algorithm_count != 1 ||
        out->algorithm.len == 0) {
        return JWT_ERROR_HEADER;
    }
    return out->has_critical ? JWT_ERROR_CRITICAL : JWT_OK;
}

/* NULL for all but the three of the HMAC family (RFC 7518 section 3.2), and so for `none`. */
static const EVP_MD *hmac_digest_of(struct span algorithm)
{
    if (span_equal(algorithm, SPAN_LITERAL("HS256"))) {
        return EVP_sha256();
    }
    if (span_equal(algorithm, SPAN_LITERAL("HS384"))) {
        return EVP_sha384();
    }
    return span_equal(algorithm, SPAN_LITERAL("HS512")) ? EVP_sha512() : NULL;
}

static bool is_signed_with(struct span secret, const EVP_MD *digest, struct span text,
                           struct span signature)
{
    uint8_t expected[EVP_MAX_MD_SIZE];
    unsigned expected_len = 0;
    if (HMAC(digest, secret.at, secret.len, text.at, text.len, expected, &expected_len) == NULL) {
        return false;
    }
    return signature.len == expected_len &&
           CRYPTO_memcmp(expected, signature.at, expected_len) == 0;
}

static enum jwt_result check_signature(const struct token_parts *parts, struct span algorithm,
                                       const struct jwt_keys *keys, int64_t now_s,
                                       struct scratch *scratch)
{
    if (keys->hmac_secret.len == 0) {
        return JWT_ERROR_NO_KEY;
    }
    const EVP_MD *digest = hmac_digest_of(algorithm);
    if (digest == NULL) {
        return JWT_ERROR_ALGORITHM;
    }
    struct span signature;
    enum jwt_result result = decode_part(parts->signature, scratch, &signature);
    if (result != JWT_OK) {
        return result;
    }
    if (is_signed_with(keys->hmac_secret, digest, parts->signed_text, signature)) {
        return JWT_OK;
    }
    bool previous_holds =
        keys->hmac_previous_secret.len > 0 &&
        (keys->hmac_previous_valid_until_s == 0 || now_s <= keys->hmac_previous_valid_until_s);
    return previous_holds &&
                   is_signed_with(keys->hmac_previous_secret, digest, parts->signed_text, signature)
               ? JWT_OK
               : JWT_ERROR_SIGNATURE;
}

/* Dates are numbers, and some libraries write them with fractions. */
static enum json_result read_date(struct json_reader *reader, struct scratch *scratch, void *at)
{
    (void)scratch;
    struct jwt_date *date = at;
    struct json_value value;
    enum json_result result = json_read_value(reader, &value);
    if (result != JSON_OK || value.type == JSON_NULL) {
        return result;
    }
    if (value.type != JSON_NUMBER) {
        return JSON_ERROR_TYPE;
    }
    date->present = true;
    return json_number_floor(value.raw, &date->s);
}

/* That the claim is there matters even when it is empty. */
static enum json_result read_channel(struct json_reader *reader, struct scratch *scratch, void *at)
{
    struct jwt_claims *claims = at;
    if (json_read_null(reader)) {
        return JSON_OK;
    }
    claims->channel_present = true;
    return json_read_string(reader, scratch, &claims->channel);
}

/* One audience or a list of them (RFC 7519 section 4.1.3). */
static enum json_result read_audience(struct json_reader *reader, struct scratch *scratch, void *at)
{
    (void)scratch;
    struct json_reader ahead = *reader;
    enum json_result result = json_enter_array(&ahead);
    if (result == JSON_OK) {
        return json_read_raw_strings(reader, at);
    }
    struct json_value value;
    result = json_read_value(reader, &value);
    if (result != JSON_OK || value.type == JSON_NULL) {
        return result;
    }
    *(struct span *)at = value.raw;
    return value.type == JSON_STRING ? JSON_OK : JSON_ERROR_TYPE;
}

static const struct json_field claim_list[] = {
    JSON_FIELD(token_claims, "sub", STRING, claims.user),
    JSON_FIELD_READ_BY(token_claims, "exp", claims.exp, read_date),
    JSON_FIELD_READ_BY(token_claims, "nbf", claims.nbf, read_date),
    JSON_FIELD_READ_BY(token_claims, "iat", claims.iat, read_date),
    JSON_FIELD_READ_BY(token_claims, "expire_at", claims.expire_at, read_date),
    JSON_FIELD(token_claims, "iss", STRING, claims.issuer),
    JSON_FIELD(token_claims, "jti", STRING, claims.jti),
    JSON_FIELD_READ_BY(token_claims, "aud", claims.audience_raw, read_audience),
    JSON_FIELD(token_claims, "info", RAW, claims.info),
    JSON_FIELD(token_claims, "b64info", BASE64, b64info),
    JSON_FIELD(token_claims, "data", RAW, claims.data),
    JSON_FIELD(token_claims, "b64data", BASE64, b64data),
    JSON_FIELD_READ_BY(token_claims, "channel", claims, read_channel),
    JSON_FIELD(token_claims, "client", STRING, claims.client),
    JSON_FIELD(token_claims, "channels", STRINGS, claims.channels_raw),
    JSON_FIELD(token_claims, "subs", RAW_OBJECT, claims.subs_raw),
    JSON_FIELD(token_claims, "override", RAW_OBJECT, claims.override_raw),
    JSON_FIELD(token_claims, "meta", RAW, claims.meta_raw),
};
static const struct json_fields claim_fields = JSON_FIELDS(claim_list);

static enum jwt_result claims_result_of(enum json_result result)
{
    switch (result) {
    case JSON_OK:
        return JWT_OK;
    case JSON_ERROR_TYPE:
    case JSON_ERROR_BASE64:
        return JWT_ERROR_CLAIM_TYPE;
    case JSON_ERROR_RANGE:
        return JWT_ERROR_CLAIM_RANGE;
    case JSON_ERROR_SPACE:
        return JWT_ERROR_SPACE;
    default:
        return JWT_ERROR_CLAIMS;
    }
}

/* The user from a claim of the operator's choice: the last one of that name, or nobody. */
static enum json_result read_user(struct span text, struct span name, struct scratch *scratch,
                                  struct span *out)
{
    const struct json_field field = {.name = name, .kind = JSON_FIELD_STRING, .offset = 0};
    const struct json_fields fields = {&field, 1};
    *out = SPAN_EMPTY;
    return json_decode_fields(text, scratch, &fields, out);
}

static enum jwt_result read_claims(struct span text, struct span user_id_claim,
                                   struct scratch *scratch, struct jwt_claims *out)
{
    struct json_reader reader;
    json_reader_begin(&reader, text);
    if (json_enter_object(&reader) != JSON_OK) {
        return JWT_ERROR_CLAIMS;
    }
    struct token_claims token = {0};
    enum json_result result = json_decode_fields(text, scratch, &claim_fields, &token);
    if (result == JSON_OK && user_id_claim.len > 0) {
        result = read_user(text, user_id_claim, scratch, &token.claims.user);
    }
    if (token.b64info.len > 0) {
        token.claims.info = token.b64info;
    }
    if (token.b64data.len > 0) {
        token.claims.data = token.b64data;
    }
    *out = token.claims;
    return claims_result_of(result);
}

static enum jwt_result check_audience(struct span raw, struct span wanted, struct scratch scratch)
{
    struct span audience;
    if (wanted.len == 0) {
        return JWT_OK;
    }
    if (raw.len == 0) {
        return JWT_ERROR_AUDIENCE;
    }
    if (raw.at[0] == '"') {
        if (json_string_decode(raw, &scratch, &audience) != JSON_OK) {
            return JWT_ERROR_SPACE;
        }
        return span_equal(audience, wanted) ? JWT_OK : JWT_ERROR_AUDIENCE;
    }
    struct json_walk walk;
    json_strings_begin(&walk, raw);
    for (;;) {
        struct scratch room = scratch;
        enum json_result result = json_strings_next(&walk, &room, &audience);
        if (result != JSON_OK) {
            return result == JSON_DONE ? JWT_ERROR_AUDIENCE : JWT_ERROR_SPACE;
        }
        if (span_equal(audience, wanted)) {
            return JWT_OK;
        }
    }
}

static enum jwt_result check_time(const struct jwt_claims *claims, int64_t now_s)
{
    if (claims->exp.present && now_s >= claims->exp.s) {
        return JWT_EXPIRED;
    }
    return claims->nbf.present && now_s < claims->nbf.s ? JWT_NOT_YET_VALID : JWT_OK;
}

/* Form, algorithm and signature; all that this takes from the scratch is given back. */
static enum jwt_result check_authenticity(const struct token_parts *parts,
                                          const struct jwt_keys *keys, int64_t now_s,
                                          struct scratch scratch)
{
    struct span text;
    struct token_header header;
    enum jwt_result result = decode_part(parts->header, &scratch, &text);
    if (result == JWT_OK) {
        result = read_header(text, &scratch, &header);
    }
    if (result != JWT_OK || keys->insecure_skip_signature) {
        return result;
    }
    return check_signature(parts, header.algorithm, keys, now_s, &scratch);
}

enum jwt_result jwt_verify(struct span token, const struct jwt_keys *keys, int64_t now_s,
                           struct scratch *scratch, struct jwt_claims *out)
{
    *out = (struct jwt_claims){0};
    struct token_parts parts;
    enum jwt_result result = split(token, &parts);
    if (result == JWT_OK) {
        result = check_authenticity(&parts, keys, now_s, *scratch);
    }
    struct span text;
    if (result == JWT_OK) {
        result = decode_part(parts.payload, scratch, &text);
    }
    if (result == JWT_OK) {
        result = read_claims(text, keys->user_id_claim, scratch, out);
    }
    if (result == JWT_OK) {
        result = check_audience(out->audience_raw, keys->audience, *scratch);
    }
    if (result == JWT_OK && keys->issuer.len > 0 && !span_equal(out->issuer, keys->issuer)) {
        result = JWT_ERROR_ISSUER;
    }
    if (result != JWT_OK) {
        /* Nobody gets to see what a token claims that was refused. */
        *out = (struct jwt_claims){0};
        return result;
    }
    return check_time(out, now_s);
}
