/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the configuration in effect, and the reference of all keys. */
#include <stdlib.h>
#include <string.h>

#include "ops/config/config_scope.h"

enum {
    ORIGIN_COLUMN = 64,
};

static void print_scope(const struct config_scope *scope, FILE *out)
{
    char place[512];

    for (size_t i = 0; i < scope->keys_len; i++) {
        const struct config_key *key = &scope->keys[i];
        char *text = NULL;
        size_t text_len = 0;
        FILE *line = open_memstream(&text, &text_len);

        if (line == NULL) {
            return;
        }
        fprintf(line, "%s%s: ", scope->path, key->path);
        config_value_print(key, scope->values, line);
        if (fclose(line) == 0) {
            fprintf(out, "%-*s  # %s\n", ORIGIN_COLUMN, text,
                    config_origin_format(&scope->origins[i], place, sizeof(place)));
        }
        free(text);
    }
}

void config_print(struct config *config, FILE *out)
{
    struct config_scope root = config_scope_root(config);
    struct config_scope without_namespace = config_scope_without_namespace(config);

    print_scope(&root, out);
    print_scope(&without_namespace, out);
    for (size_t i = 0; i < config->namespaces_len; i++) {
        struct config_scope scope = config_scope_namespace(config, config->namespaces[i]);

        print_scope(&scope, out);
    }
}

static const char *type_name(const struct config_key *key)
{
    switch (key->type) {
    case CONFIG_BOOL:
        return "bool";
    case CONFIG_NUMBER:
        return "number";
    case CONFIG_UNIX_TIME:
        return "Unix time";
    case CONFIG_DURATION:
        return "duration";
    case CONFIG_SIZE:
    case CONFIG_MEMORY:
        return "bytes";
    case CONFIG_STRING:
        return key->is_secret ? "secret" : "text";
    case CONFIG_CHOICE:
        return "choice";
    case CONFIG_CHOICES:
    case CONFIG_LIST:
        return "list";
    case CONFIG_TREE:
        return "section or list";
    }
    return "";
}

static void print_rows(const struct config_key *keys, size_t len, const char *path, FILE *out)
{
    for (size_t i = 0; i < len; i++) {
        const struct config_key *key = &keys[i];
        const char *initial = config_is_list(key) ? "[]" : key->initial;

        fprintf(out, "| `%s%s` | %s | ", path, key->path, type_name(key));
        if (initial[0] != '\0') {
            fprintf(out, "`%s`", initial);
        }
        fprintf(out, " | %s", key->help);
        for (size_t choice = 0; key->choices != NULL && key->choices[choice] != NULL; choice++) {
            fprintf(out, "%s`\"%s\"`", choice == 0 ? " One of " : ", ", key->choices[choice]);
        }
        fputs(" |\n", out);
    }
}

void config_print_reference(FILE *out)
{
    fputs("| key | type | default | meaning |\n| --- | --- | --- | --- |\n", out);
    print_rows(config_keys, config_keys_len, "", out);
    fputs("\nOptions of channels: each stands under `channel.without_namespace`, for channels "
          "without a "
          "namespace, and in each\nmember of the list `channel.namespaces`, beside its `name`.\n\n"
          "| option | type | default | meaning |\n| --- | --- | --- | --- |\n",
          out);
    print_rows(config_channel_keys, config_channel_keys_len, "", out);
    fputs("\nEach member of the list `proxies`, beside its `name`:\n\n"
          "| key | type | default | meaning |\n| --- | --- | --- | --- |\n",
          out);
    print_rows(config_proxy_keys, config_proxy_keys_len, "", out);
}
