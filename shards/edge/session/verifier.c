/* SPDX-License-Identifier: Apache-2.0 */
/* Makes keys and expressions of the texts in the options. */
#include "shards/edge/session/verifier.h"

#include <string.h>

#include "shards/patterns.h"

/* True where there is nothing to make. */
static bool make_key(const char *pem, struct jwt_key *key, const struct jwt_key **used)
{
    if (pem[0] == '\0') {
        return true;
    }
    *used = key;
    return jwt_key_of_pem(span_of_text(pem), key);
}

static bool make_pattern(const char *text, struct pattern *pattern, const struct pattern **used)
{
    if (text[0] == '\0') {
        return true;
    }
    *used = pattern;
    return patterns_make(span_of_text(text), pattern);
}

bool verifier_init(struct verifier *verifier, const struct token_options *options,
                   bool skips_signature)
{
    memset(verifier, 0, sizeof(*verifier));
    struct jwt_keys *keys = &verifier->keys;
    *keys = (struct jwt_keys){
        .hmac_secret = span_of_text(options->hmac_secret_key),
        .hmac_previous_secret = span_of_text(options->hmac_previous_secret_key),
        .hmac_previous_valid_until_s = options->hmac_previous_secret_key_valid_until_s,
        .audience = span_of_text(options->audience),
        .issuer = span_of_text(options->issuer),
        .user_id_claim = span_of_text(options->user_id_claim),
        .insecure_skip_signature = skips_signature,
    };
    return make_key(options->rsa_public_key, &verifier->rsa, &keys->rsa) &&
           make_key(options->ecdsa_public_key, &verifier->ec, &keys->ec) &&
           make_key(options->eddsa_public_key, &verifier->ed, &keys->ed) &&
           make_pattern(options->audience_regex, &verifier->audience, &keys->audience_pattern) &&
           make_pattern(options->issuer_regex, &verifier->issuer, &keys->issuer_pattern);
}

void verifier_destroy(struct verifier *verifier)
{
    jwt_key_clear(&verifier->rsa);
    jwt_key_clear(&verifier->ec);
    jwt_key_clear(&verifier->ed);
    patterns_free(&verifier->audience);
    patterns_free(&verifier->issuer);
    memset(verifier, 0, sizeof(*verifier));
}
