/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of tokens, for the table of config_keys.c, whose macros they use. */
#ifndef ROOST_OPS_CONFIG_CONFIG_KEYS_TOKENS_H
#define ROOST_OPS_CONFIG_CONFIG_KEYS_TOKENS_H

#define TOKEN_KEYS(path_, field, keys, what) \
    SECRET(path_ "hmac_secret_key", NODE(field.hmac_secret_key), \
           "Secret of " what " signed with HS256, HS384 or HS512."), \
        SECRET(path_ "hmac_previous_secret_key", NODE(field.hmac_previous_secret_key), \
               "Secret that is still accepted while the other is rolled out."), \
        {.path = path_ "hmac_previous_secret_key_valid_until", \
         .type = CONFIG_UNIX_TIME, \
         NODE(field.hmac_previous_secret_key_valid_until_s), \
         .initial = "0", \
         .help = "Unix time at which the previous secret ends; 0: never."}, \
        STRING(path_ "rsa_public_key", NODE(field.rsa_public_key), JWT_PEM_LEN_MAX, "", \
               "Public key, in PEM, of those signed with RS256, RS384 or RS512."), \
        STRING(path_ "ecdsa_public_key", NODE(field.ecdsa_public_key), JWT_PEM_LEN_MAX, "", \
               "Public key, in PEM, of those signed with ES256, ES384 or ES512."), \
        STRING(path_ "eddsa_public_key", NODE(field.eddsa_public_key), JWT_PEM_LEN_MAX, "", \
               "Public key, in PEM, of those signed with EdDSA (Ed25519)."), \
        STRING(path_ "jwks_public_endpoint", AT(keys.endpoint), FILE_BYTES_MAX, "", \
               "URL of a JSON Web Key Set with the public keys of those that name one (`kid`)."), \
        STRING(path_ "jwks_server_ca_pem", AT(keys.tls_server_ca_pem), FILE_BYTES_MAX * 64, "", \
               "Authority of that server: PEM, its base64, or a file; empty: the system's."), \
        STRING(path_ "audience", NODE(field.audience), NAME_BYTES_MAX, "", \
               "What `aud` must contain."), \
        STRING(path_ "audience_regex", NODE(field.audience_regex), PATTERN_LEN_MAX, "", \
               "Regular expression that one of `aud` must match."), \
        STRING(path_ "issuer", NODE(field.issuer), NAME_BYTES_MAX, "", "What `iss` must be."), \
        STRING(path_ "issuer_regex", NODE(field.issuer_regex), PATTERN_LEN_MAX, "", \
               "Regular expression that `iss` must match."), \
        STRING(path_ "user_id_claim", NODE(field.user_id_claim), NAME_BYTES_MAX, "", \
               "Claim that holds the user id, instead of `sub`.")

#endif
