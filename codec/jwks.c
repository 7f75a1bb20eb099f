/* SPDX-License-Identifier: Apache-2.0 */
/* Takes of a key set what can verify a token, and leaves the rest. */
#include "codec/jwks.h"

#include "codec/base64.h"
#include "codec/json_fields.h"

/* The members of a JWK that matter here (RFC 7517 section 4, RFC 7518 section 6, RFC 8037). */
struct jwk {
    struct span kty;
    struct span kid;
    struct span use;
    struct span alg;
    struct span crv;
    struct span n;
    struct span e;
    struct span x;
    struct span y;
};

static const struct json_field jwk_list[] = {
    JSON_FIELD(jwk, "kty", STRING, kty), JSON_FIELD(jwk, "kid", STRING, kid),
    JSON_FIELD(jwk, "use", STRING, use), JSON_FIELD(jwk, "alg", STRING, alg),
    JSON_FIELD(jwk, "crv", STRING, crv), JSON_FIELD(jwk, "n", STRING, n),
    JSON_FIELD(jwk, "e", STRING, e),     JSON_FIELD(jwk, "x", STRING, x),
    JSON_FIELD(jwk, "y", STRING, y),
};
static const struct json_fields jwk_fields = JSON_FIELDS(jwk_list);

static bool decode(struct span *number, struct scratch *scratch)
{
    return base64_decode(*number, BASE64_URL, scratch, number) == BASE64_OK;
}

static bool make_key(struct jwk *jwk, struct scratch *scratch, struct jwt_key *out)
{
    if (span_equal(jwk->kty, SPAN_LITERAL("RSA"))) {
        return decode(&jwk->n, scratch) && decode(&jwk->e, scratch) &&
               jwt_key_of_rsa(jwk->n, jwk->e, out);
    }
    if (span_equal(jwk->kty, SPAN_LITERAL("EC"))) {
        return decode(&jwk->x, scratch) && decode(&jwk->y, scratch) &&
               jwt_key_of_ec(jwk->crv, jwk->x, jwk->y, out);
    }
    return span_equal(jwk->kty, SPAN_LITERAL("OKP")) &&
           span_equal(jwk->crv, SPAN_LITERAL("Ed25519")) && decode(&jwk->x, scratch) &&
           jwt_key_of_ed25519(jwk->x, out);
}

/* False: the key is skipped. */
static bool add(struct jwks *jwks, struct jwk *jwk, struct scratch *scratch)
{
    enum jwt_algorithm unused;
    const enum jwt_algorithm algorithm = jwt_algorithm_of(jwk->alg);
    if (jwk->kid.len == 0 || jwk->kid.len > JWKS_KID_LEN_MAX || jwks->count == JWKS_KEYS_MAX ||
        (jwk->use.len > 0 && !span_equal(jwk->use, SPAN_LITERAL("sig"))) ||
        (jwk->alg.len > 0 && algorithm == JWT_ALGORITHM_NONE) ||
        jwks_find(jwks, jwk->kid, &unused) != NULL) {
        return false;
    }
    struct jwks_entry *entry = &jwks->entries[jwks->count];
    if (!make_key(jwk, scratch, &entry->key)) {
        return false;
    }
    if (algorithm != JWT_ALGORITHM_NONE && !jwt_key_takes(&entry->key, algorithm)) {
        jwt_key_clear(&entry->key);
        return false;
    }
    jwks->count++;
    entry->algorithm = algorithm;
    entry->kid_len = (uint16_t)jwk->kid.len;
    memcpy(entry->kid, jwk->kid.at, jwk->kid.len);
    return true;
}

/* One member of the array. A key whose members are of wrong types is skipped as one that nobody
 * knows; what is no JSON spoils the whole. */
static enum json_result read_key(struct json_reader *reader, struct scratch room, struct jwks *jwks)
{
    struct json_value value;
    struct jwk jwk = {0};
    enum json_result result = json_read_value(reader, &value);
    if (result != JSON_OK) {
        return result;
    }
    if (value.type != JSON_OBJECT) {
        return JSON_ERROR_TYPE;
    }
    if (json_decode_fields(value.raw, &room, &jwk_fields, &jwk) != JSON_OK ||
        !add(jwks, &jwk, &room)) {
        jwks->skipped++;
    }
    return JSON_OK;
}

static enum json_result read_keys(struct json_reader *reader, struct scratch room,
                                  struct jwks *jwks)
{
    enum json_result result = json_enter_array(reader);
    while (result == JSON_OK && (result = json_next_element(reader)) == JSON_OK) {
        result = read_key(reader, room, jwks);
    }
    return result == JSON_DONE ? JSON_OK : result;
}

static bool read_document(struct span document, struct scratch room, struct jwks *jwks)
{
    static const struct span names[] = {JSON_FIELD_NAME("keys")};
    struct json_reader reader;
    struct span key;
    uint32_t arrays = 0;
    json_reader_begin(&reader, document);
    enum json_result result = json_enter_object(&reader);
    while (result == JSON_OK && (result = json_next_member(&reader, &key)) == JSON_OK) {
        if (json_key_find(key, names, 1) == 0) {
            arrays++;
            result = read_keys(&reader, room, jwks);
        } else {
            result = json_skip_value(&reader);
        }
    }
    return result == JSON_DONE && json_reader_end(&reader) == JSON_OK && arrays == 1;
}

enum jwks_result jwks_parse(struct span document, struct scratch *scratch, struct jwks *out)
{
    memset(out, 0, sizeof(*out));
    if (document.len > JWKS_LEN_MAX) {
        return JWKS_ERROR_SIZE;
    }
    if (scratch_room(scratch) < JWKS_SCRATCH_LEN(document.len)) {
        return JWKS_ERROR_SPACE;
    }
    if (!read_document(document, *scratch, out)) {
        jwks_clear(out);
        return JWKS_ERROR_FORMAT;
    }
    return JWKS_OK;
}

void jwks_clear(struct jwks *jwks)
{
    for (uint32_t i = 0; i < jwks->count; i++) {
        jwt_key_clear(&jwks->entries[i].key);
    }
    jwks->count = 0;
}

const struct jwt_key *jwks_find(const struct jwks *jwks, struct span kid,
                                enum jwt_algorithm *algorithm)
{
    *algorithm = JWT_ALGORITHM_NONE;
    for (uint32_t i = 0; i < jwks->count; i++) {
        const struct jwks_entry *entry = &jwks->entries[i];
        if (span_equal(kid, span_of(entry->kid, entry->kid_len))) {
            *algorithm = entry->algorithm;
            return &entry->key;
        }
    }
    return NULL;
}
