/* SPDX-License-Identifier: Apache-2.0 */
/* Verifies JSON Web Tokens (RFC 7519, RFC 7515 compact form) and gives their claims as values. */
#ifndef ROOST_CODEC_JWT_H
#define ROOST_CODEC_JWT_H

#include "codec/jwks.h"
#include "codec/jwt_key.h"
#include "codec/must_check.h"
#include "codec/pattern.h"
#include "codec/scratch.h"
#include "codec/span.h"

#include <stdbool.h>
#include <stdint.h>

/* A token longer than this is refused before anything is looked at. */
#define JWT_LEN_MAX 65536

/* A scratch of this many bytes is enough for a token of `len` bytes. */
#define JWT_SCRATCH_LEN(len) ((len)*3 + 128)

#define JWT_RESULTS(X) \
    X(JWT_OK, "ok") \
    X(JWT_EXPIRED, "token expired") \
    X(JWT_NOT_YET_VALID, "token not valid yet") \
    X(JWT_ERROR_SIZE, "token too long") \
    X(JWT_ERROR_FORMAT, "token is not three parts with dots between") \
    X(JWT_ERROR_BASE64, "a part of the token is not base64url without padding") \
    X(JWT_ERROR_HEADER, "token header is not a JSON object with one alg") \
    X(JWT_ERROR_CRITICAL, "token header has critical extensions") \
    X(JWT_ERROR_ALGORITHM, "token algorithm is not the configured one") \
    X(JWT_ERROR_NO_KEY, "no token key configured") \
    X(JWT_ERROR_UNKNOWN_KEY, "the key set has no key of this id") \
    X(JWT_ERROR_SIGNATURE, "wrong signature") \
    X(JWT_ERROR_CLAIMS, "token claims are not a JSON object") \
    X(JWT_ERROR_CLAIM_TYPE, "a token claim has a wrong type") \
    X(JWT_ERROR_CLAIM_RANGE, "a token date is out of range") \
    X(JWT_ERROR_AUDIENCE, "wrong token audience") \
    X(JWT_ERROR_ISSUER, "wrong token issuer") \
    X(JWT_ERROR_SPACE, "token needs more memory than it may take")

#define JWT_ENUM(name, text) name,
enum jwt_result { JWT_RESULTS(JWT_ENUM) JWT_RESULT_COUNT };
#undef JWT_ENUM

/* Never NULL. */
const char *jwt_result_text(enum jwt_result result);

/*
 * JWT_EXPIRED and JWT_NOT_YET_VALID: the token is genuine but its time is not now, and a new one
 * may help.
 */
static inline bool jwt_is_expired(enum jwt_result result)
{
    return result == JWT_EXPIRED || result == JWT_NOT_YET_VALID;
}

/*
 * What tokens are checked against. Each key takes the algorithms of its own family and nothing
 * else: an RSA key is never the secret of an HMAC, whatever the token says. A token that names its
 * key (`kid`) is checked with the key set alone where there is one. All that is pointed to is the
 * caller's and outlives the call.
 */
struct jwt_keys {
    struct span hmac_secret;             /* empty: none */
    struct span hmac_previous_secret;    /* empty: none; tried where hmac_secret does not fit */
    int64_t hmac_previous_valid_until_s; /* Unix seconds, 0: no end */
    const struct jwt_key *rsa;           /* NULL: none; the same for those that follow */
    const struct jwt_key *ec;
    const struct jwt_key *ed;
    const struct jwks *jwks;
    struct span audience;                   /* empty: any; else `aud` must be it or hold it */
    struct span issuer;                     /* empty: any; else `iss` must be it */
    const struct pattern *audience_pattern; /* NULL: any; else `aud` or one of them must match */
    const struct pattern *issuer_pattern;
    struct span user_id_claim;    /* empty: `sub` */
    bool insecure_skip_signature; /* for development: believe whatever a token says */
};

/* A date that may be absent: Unix seconds; fractions are cut off. */
struct jwt_date {
    bool present;
    int64_t s;
};

/*
 * The claims, as slices of the scratch. Strings are decoded; what is called raw is checked JSON,
 * empty when absent. `info` and `data` are raw JSON, or whatever bytes b64info and b64data decode
 * to: those win where both are present.
 */
struct jwt_claims {
    struct span user; /* `sub` or user_id_claim; empty is the anonymous user */
    struct jwt_date exp;
    struct jwt_date nbf;
    struct jwt_date iat;
    struct jwt_date expire_at;
    struct span issuer;
    struct span jti;
    struct span audience_raw; /* a string or an array of strings */
    struct span info;
    struct span data;
    bool channel_present;
    struct span channel;
    struct span client;
    struct span channels_raw; /* an array of strings: walk it with json_strings_next() */
    struct span subs_raw;     /* an object */
    struct span override_raw; /* an object */
    struct span meta_raw;
};

/*
 * Checks form, algorithm, signature, claims, audience, issuer and time, in this order, so that a
 * forged token learns nothing but that it is forged. `now_s` is Unix seconds. JWT_EXPIRED holds
 * from `exp` on, JWT_NOT_YET_VALID before `nbf`; with these two *out is filled as well, with any
 * other error it is empty. Of a claim that occurs twice the last one counts; an `alg` or a `kid`
 * that occurs twice is refused. JWT_ERROR_UNKNOWN_KEY: the token may be good, with a newer key set.
 * Any shard may call it; it costs one HMAC (two where the previous secret is tried) or one
 * signature.
 */
CODEC_MUST_CHECK enum jwt_result jwt_verify(struct span token, const struct jwt_keys *keys,
                                            int64_t now_s, struct scratch *scratch,
                                            struct jwt_claims *out);

#endif
