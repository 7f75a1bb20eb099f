/* SPDX-License-Identifier: Apache-2.0 */
/* Makes each key and each expression once, to see whether the node will be able to. */
#include "ops/config/config_tokens.h"

#include <string.h>

#include "codec/jwt.h"
#include "ops/config/config_scope.h"
#include "shards/patterns.h"

/* One of the two sets of keys, and what stands before their names. */
struct token_keys {
    struct config *config;
    struct config_report *report;
    const char *path;
};

static void refuse(const struct token_keys *keys, const char *name, const char *what)
{
    char path[CONFIG_PATH_MAX];

    snprintf(path, sizeof(path), "%s%s", keys->path, name);
    config_report_error(keys->report, config_origin_of(keys->config, path), "%s: %s", path, what);
}

static void check_key(const struct token_keys *keys, const char *name, const char *pem,
                      enum jwt_family family)
{
    static const char *const wanted[] = {
        [JWT_FAMILY_RSA] = "found no RSA key of 2048 to 8192 bits, expected one in PEM "
                           "(BEGIN PUBLIC KEY)",
        [JWT_FAMILY_EC] = "found no key on P-256, P-384 or P-521, expected one in PEM "
                          "(BEGIN PUBLIC KEY)",
        [JWT_FAMILY_ED] = "found no Ed25519 key, expected one in PEM (BEGIN PUBLIC KEY)",
    };

    if (pem[0] == '\0') {
        return;
    }
    struct jwt_key key;

    if (!jwt_key_of_pem(span_of_text(pem), &key) || key.family != family) {
        refuse(keys, name, wanted[family]);
    }
    jwt_key_clear(&key);
}

static void check_pattern(const struct token_keys *keys, const char *name, const char *text,
                          const char *exact)
{
    if (text[0] == '\0') {
        return;
    }
    struct pattern pattern;

    if (!patterns_make(span_of_text(text), &pattern)) {
        refuse(keys, name, "found no regular expression, expected one in Go's syntax, without \\p");
    }
    patterns_free(&pattern);
    if (exact[0] != '\0') {
        refuse(keys, name, "found it beside the same without _regex, expected one of the two");
    }
}

static void check_tokens(const struct token_keys *keys, const struct token_options *options)
{
    check_key(keys, "rsa_public_key", options->rsa_public_key, JWT_FAMILY_RSA);
    check_key(keys, "ecdsa_public_key", options->ecdsa_public_key, JWT_FAMILY_EC);
    check_key(keys, "eddsa_public_key", options->eddsa_public_key, JWT_FAMILY_ED);
    check_pattern(keys, "audience_regex", options->audience_regex, options->audience);
    check_pattern(keys, "issuer_regex", options->issuer_regex, options->issuer);
}

void config_check_tokens(struct config *config, struct config_report *report)
{
    const struct client_options *client = &config->options.client;

    check_tokens(&(struct token_keys){config, report, "client.token."}, &client->token);
    check_tokens(&(struct token_keys){config, report, "client.subscription_token."},
                 &client->subscription_token);
}
