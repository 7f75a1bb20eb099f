/* SPDX-License-Identifier: Apache-2.0 */
/* Reads tracked keys out of their JSON, and verifies their signatures. */
#include "codec/track.h"

#include "codec/hex.h"
#include "codec/json_fields.h"

#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>

static const struct json_field batch_list[] = {
    JSON_FIELD(track_batch, "signature", STRING, signature),
    JSON_FIELD(track_batch, "items", RAW_ARRAY, items),
};
static const struct json_fields batch_fields = JSON_FIELDS(batch_list);

static const struct json_field item_list[] = {
    JSON_FIELD(track_item, "key", STRING, key),
    JSON_FIELD(track_item, "version", U64, version),
};
static const struct json_fields item_fields = JSON_FIELDS(item_list);

void track_begin(struct json_walk *walk, struct span array)
{
    json_strings_begin(walk, array);
}

enum json_result track_next_batch(struct json_walk *walk, struct scratch *scratch,
                                  struct track_batch *out)
{
    *out = (struct track_batch){0};
    return json_next_fields(walk, scratch, &batch_fields, out);
}

enum json_result track_next_item(struct json_walk *walk, struct scratch *scratch,
                                 struct track_item *out)
{
    *out = (struct track_item){0};
    return json_next_fields(walk, scratch, &item_fields, out);
}

/* ---- signatures ---- */

/* What stands before the next colon; false: there is none. */
static bool take_part(struct span *rest, struct span *part)
{
    const size_t len = span_index_of(*rest, ':');
    if (len == rest->len) {
        return false;
    }
    *part = span_of(rest->at, len);
    *rest = span_skip(*rest, len + 1);
    return true;
}

bool track_signature_parse(struct span text, struct track_signature *out)
{
    struct span rest = text;
    *out = (struct track_signature){0};
    if (!take_part(&rest, &out->issued) || !take_part(&rest, &out->expires)) {
        return false;
    }
    out->mac = rest;
    return rest.len == 2 * SHA256_DIGEST_LENGTH &&
           json_number_i64(out->issued, &out->issued_s) == JSON_OK &&
           json_number_i64(out->expires, &out->expires_s) == JSON_OK;
}

void track_digest_begin(struct track_digest *digest)
{
    SHA256_Init(&digest->sha);
    digest->is_begun = false;
}

void track_digest_add(struct track_digest *digest, struct span key)
{
    if (digest->is_begun) {
        SHA256_Update(&digest->sha, "", 1);
    }
    digest->is_begun = true;
    SHA256_Update(&digest->sha, key.at, key.len);
}

/* A field of what is signed, with the NUL behind it. */
static bool sign_field(HMAC_CTX *mac, struct span field)
{
    return HMAC_Update(mac, field.at, field.len) == 1 &&
           HMAC_Update(mac, (const uint8_t *)"", 1) == 1;
}

bool track_signature_verify(const struct track_signature *signature, struct span secret,
                            const struct track_claim *claim, const struct track_digest *digest)
{
    uint8_t bytes[SHA256_DIGEST_LENGTH];
    uint8_t text[2 * SHA256_DIGEST_LENGTH];
    SHA256_CTX sha = digest->sha;
    HMAC_CTX mac;
    SHA256_Final(bytes, &sha);
    hex_write(bytes, sizeof(bytes), text);
    HMAC_CTX_init(&mac);
    const bool is_signed =
        HMAC_Init_ex(&mac, secret.at, secret.len, EVP_sha256(), NULL) == 1 &&
        sign_field(&mac, signature->issued) && sign_field(&mac, signature->expires) &&
        sign_field(&mac, claim->user) && sign_field(&mac, claim->channel) &&
        HMAC_Update(&mac, text, sizeof(text)) == 1 && HMAC_Final(&mac, bytes, NULL) == 1;
    HMAC_CTX_cleanup(&mac);
    hex_write(bytes, sizeof(bytes), text);
    return is_signed && CRYPTO_memcmp(text, signature->mac.at, sizeof(text)) == 0;
}
