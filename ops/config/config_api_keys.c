/* SPDX-License-Identifier: Apache-2.0 */
/* Reads http_api.keys: a list of `key`, `methods` and `namespaces`. */
#include "ops/config/config_api_keys.h"

#include <string.h>

#include "codec/api.h"
#include "ops/config/config_scope.h"
#include "ops/config/config_yaml.h"
#include "shards/edge/api/api_keys.h"

enum { KEYS_MAX = 1024, KEY_BYTES_MIN = 8, KEY_BYTES_MAX = 512 };

struct deriving {
    struct config *config;
    struct config_report *report;
};

static void refuse(const struct deriving *at, const struct config_node *node, const char *what)
{
    config_report_error(at->report, &node->origin, "http_api.keys: %s", what);
}

/* A text that is no text is refused; "" then. */
static const char *text_of(const struct deriving *at, const struct config_node *node)
{
    if (node->kind != CONFIG_NODE_SCALAR || node->is_null) {
        refuse(at, node, "found no text, expected one");
        return "";
    }
    return node->text;
}

static void read_methods(const struct deriving *at, const struct config_node *node,
                         struct api_key_options *out)
{
    for (const struct config_node *each = node->first; each != NULL; each = each->next) {
        const enum api_method method = api_method_of(span_of_text(text_of(at, each)));

        if (method == API_METHOD_COUNT || method == API_METHOD_BATCH) {
            refuse(at, each, "found no method of the server API, expected one such as publish");
        } else {
            out->methods |= 1u << method;
        }
    }
}

static void read_namespaces(const struct deriving *at, const struct config_node *node,
                            struct api_key_options *out)
{
    const char **names =
        config_texts_allocate(&at->config->texts, (node->members + 1) * sizeof(*names));

    if (names == NULL) {
        refuse(at, node, "memory is out");
        return;
    }
    out->namespaces = names;
    for (const struct config_node *each = node->first; each != NULL; each = each->next) {
        const char *name = text_of(at, each);

        /* The empty one is that of channels without a namespace. */
        if (name[0] != '\0' && config_find_namespace(at->config, name) == NULL) {
            refuse(at, each, "found an unknown namespace, expected one of channel.namespaces");
        }
        names[out->namespaces_len++] = name;
    }
}

/* Fields that narrow a key down: one that could not be read must not leave it wide open, so every
 * wrong one is an error of the whole. */
static void read_field(const struct deriving *at, const struct config_node *node,
                       struct api_key_options *out)
{
    const bool is_list = node->kind == CONFIG_NODE_SEQUENCE && node->members > 0;

    if (strcmp(node->key, "key") == 0) {
        out->key = text_of(at, node);
    } else if (strcmp(node->key, "methods") == 0 && is_list) {
        read_methods(at, node, out);
    } else if (strcmp(node->key, "namespaces") == 0 && is_list) {
        read_namespaces(at, node, out);
    } else {
        refuse(at, node,
               "found something else, expected `key`, and lists `methods` and `namespaces` that "
               "are "
               "not empty");
    }
}

static bool is_taken(const struct http_api_options *options, const struct api_key_options *keys,
                     size_t len, const char *key)
{
    bool is_taken = strcmp(options->key, key) == 0;

    for (size_t i = 0; i < len; i++) {
        is_taken = is_taken || strcmp(keys[i].key, key) == 0;
    }
    return is_taken;
}

static void check_methods(const struct deriving *at, const struct config_node *node,
                          const struct api_key_options *key)
{
    for (unsigned method = 0; key->namespaces_len > 0 && method < API_METHOD_COUNT; method++) {
        if ((key->methods >> method & 1u) != 0 &&
            !api_keys_is_of_channels((enum api_method)method)) {
            refuse(at, node,
                   "found namespaces beside a method that is not about channels it names, expected "
                   "a key of its own for that");
        }
    }
}

void config_derive_api_keys(struct config *config, struct config_report *report)
{
    const struct deriving at = {config, report};
    const struct config_node *node = config->http_api_keys;
    struct http_api_options *options = &config->options.http_api;

    if (node == NULL || node->members == 0) {
        return;
    }
    struct api_key_options *keys =
        config_texts_allocate(&config->texts, node->members * sizeof(*keys));

    if (node->kind != CONFIG_NODE_SEQUENCE || node->members > KEYS_MAX || keys == NULL) {
        refuse(&at, node, "found no list, or more than 1024, expected a list of keys");
        return;
    }
    for (const struct config_node *each = node->first; each != NULL; each = each->next) {
        struct api_key_options *key = &keys[options->keys_len];

        *key = (struct api_key_options){.key = ""};
        if (each->kind != CONFIG_NODE_MAPPING) {
            refuse(&at, each, "found no section, expected `key` with `methods`, `namespaces`");
            continue;
        }
        for (const struct config_node *field = each->first; field != NULL; field = field->next) {
            read_field(&at, field, key);
        }
        if (strlen(key->key) < KEY_BYTES_MIN || strlen(key->key) > KEY_BYTES_MAX ||
            is_taken(options, keys, options->keys_len, key->key)) {
            refuse(&at, each,
                   "found no key, a doubled one, or one that is short or long, expected "
                   "one of 8 to 512 bytes");
        }
        check_methods(&at, each, key);
        options->keys_len++;
    }
    options->keys = keys;
}
