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
    struct span kid;
    uint32_t algorithm_count;
    uint32_t kid_count;
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
    static const struct span names[] = {JSON_FIELD_NAME("alg"), JSON_FIELD_NAME("crit"),
                                        JSON_FIELD_NAME("kid")};
    switch (json_key_find(key, names, 3)) {
    case 0:
        out->algorithm_count++;
        return json_read_string(reader, scratch, &out->algorithm);
    case 1:
        out->has_critical = true;
        return json_skip_value(reader);
    case 2:
        out->kid_count++;
        return json_read_string(reader, scratch, &out->kid);
    default:
        return json_skip_value(reader);
    }
}

/* RFC 7515 section 4 wants names to be unique: which of two was meant nobody can say. */
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
        out->algorithm.len == 0 || out->kid_count > 1) {
        return JWT_ERROR_HEADER;
    }
    return out->has_critical ? JWT_ERROR_CRITICAL : JWT_OK;
}

static const EVP_MD *hmac_digest_of(enum jwt_algorithm algorithm)
{
    return algorithm == JWT_HS256   ? EVP_sha256()
           : algorithm == JWT_HS384 ? EVP_sha384()
                                    : EVP_sha512();
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

static bool is_hmac_signed(const struct jwt_keys *keys, int64_t now_s, const EVP_MD *digest,
                           struct span text, struct span signature)
{
    if (is_signed_with(keys->hmac_secret, digest, text, signature)) {
        return true;
    }
    const bool previous_holds =
        keys->hmac_previous_secret.len > 0 &&
        (keys->hmac_previous_valid_until_s == 0 || now_s <= keys->hmac_previous_valid_until_s);
    return previous_holds && is_signed_with(keys->hmac_previous_secret, digest, text, signature);
}

/* The public key that must have signed; NULL: that is HMAC's affair, or an error is the result. */
static enum jwt_result find_key(const struct token_header *header, enum jwt_algorithm algorithm,
                                const struct jwt_keys *keys, const struct jwt_key **key)
{
    const bool is_in_set = keys->jwks != NULL && header->kid.len > 0;
    enum jwt_algorithm wanted = JWT_ALGORITHM_NONE;
    *key = NULL;
    if (!is_in_set && keys->hmac_secret.len == 0 && keys->rsa == NULL && keys->ec == NULL &&
        keys->ed == NULL) {
        return JWT_ERROR_NO_KEY;
    }
    switch (jwt_family_of(algorithm)) {
    case JWT_FAMILY_HMAC:
        /* A key set that everybody may read holds no secret. */
        return is_in_set || keys->hmac_secret.len == 0 ? JWT_ERROR_ALGORITHM : JWT_OK;
    case JWT_FAMILY_RSA:
        *key = keys->rsa;
        break;
    case JWT_FAMILY_EC:
        *key = keys->ec;
        break;
    case JWT_FAMILY_ED:
        *key = keys->ed;
        break;
    case JWT_FAMILY_NONE:
        return JWT_ERROR_ALGORITHM;
    }
    if (is_in_set) {
        *key = jwks_find(keys->jwks, header->kid, &wanted);
        if (*key == NULL) {
            return JWT_ERROR_UNKNOWN_KEY;
        }
    }
    return *key == NULL || !jwt_key_takes(*key, algorithm) ||
                   (wanted != JWT_ALGORITHM_NONE && wanted != algorithm)
               ? JWT_ERROR_ALGORITHM
               : JWT_OK;
}

static enum jwt_result check_signature(const struct token_parts *parts,
                                       const struct token_header *header,
                                       const struct jwt_keys *keys, int64_t now_s,
                                       struct scratch *scratch)
{
    const enum jwt_algorithm algorithm = jwt_algorithm_of(header->algorithm);
    const struct jwt_key *key;
    struct span signature;
    enum jwt_result result = find_key(header, algorithm, keys, &key);
    if (result == JWT_OK) {
        result = decode_part(parts->signature, scratch, &signature);
    }
    if (result != JWT_OK) {
        return result;
    }
    const bool is_signed =
        key == NULL
            ? is_hmac_signed(keys, now_s, hmac_digest_of(algorithm), parts->signed_text, signature)
            : jwt_key_verify(key, algorithm, parts->signed_text, signature);
    return is_signed ? JWT_OK : JWT_ERROR_SIGNATURE;
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

static bool is_audience(struct span audience, const struct jwt_keys *keys)
{
    return (keys->audience.len == 0 || span_equal(audience, keys->audience)) &&
           (keys->audience_pattern == NULL || pattern_matches(keys->audience_pattern, audience));
}

/* One of them has to be what is wanted in all respects. */
static enum jwt_result check_audience(struct span raw, const struct jwt_keys *keys,
                                      struct scratch scratch)
{
    struct span audience;
    if (keys->audience.len == 0 && keys->audience_pattern == NULL) {
        return JWT_OK;
    }
    if (raw.len == 0) {
        return JWT_ERROR_AUDIENCE;
    }
    if (raw.at[0] == '"') {
        if (json_string_decode(raw, &scratch, &audience) != JSON_OK) {
            return JWT_ERROR_SPACE;
        }
        return is_audience(audience, keys) ? JWT_OK : JWT_ERROR_AUDIENCE;
    }
    struct json_walk walk;
    json_strings_begin(&walk, raw);
    for (;;) {
        struct scratch room = scratch;
        enum json_result result = json_strings_next(&walk, &room, &audience);
        if (result != JSON_OK) {
            return result == JSON_DONE ? JWT_ERROR_AUDIENCE : JWT_ERROR_SPACE;
        }
        if (is_audience(audience, keys)) {
            return JWT_OK;
        }
    }
}

static enum jwt_result check_issuer(struct span issuer, const struct jwt_keys *keys)
{
    const bool is_wanted =
        (keys->issuer.len == 0 || span_equal(issuer, keys->issuer)) &&
        (keys->issuer_pattern == NULL || pattern_matches(keys->issuer_pattern, issuer));
    return is_wanted ? JWT_OK : JWT_ERROR_ISSUER;
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
    return check_signature(parts, &header, keys, now_s, &scratch);
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
        result = check_audience(out->audience_raw, keys, *scratch);
    }
    if (result == JWT_OK) {
        result = check_issuer(out->issuer, keys);
    }
    if (result != JWT_OK) {
        /* Nobody gets to see what a token claims that was refused. */
        *out = (struct jwt_claims){0};
        return result;
    }
    return check_time(out, now_s);
}
