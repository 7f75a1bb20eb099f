/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles the expressions of all namespaces, once for the node. */
#include "ops/config/config_channel_names.h"

#include <string.h>

#include "ops/config/config_scope.h"
#include "shards/patterns.h"

static void derive(struct config *config, const struct config_scope *scope,
                   struct channel_options *options, struct config_report *report)
{
    static const char key[] = "channel_regex";
    struct pattern *pattern = &config->channel_patterns[config->channel_patterns_len];

    options->channel_pattern = NULL;
    if (options->channel_regex[0] == '\0') {
        return;
    }
    if (!patterns_make(span_of_text(options->channel_regex), pattern)) {
        const struct config_key *found = config_scope_find(scope, key);

        BUG_IF(found == NULL);
        config_report_error(report, &scope->origins[found - scope->keys],
                            "%s%s: found no regular expression, expected one in Go's syntax, "
                            "without \\p",
                            scope->path, key);
        return;
    }
    config->channel_patterns_len++;
    options->channel_pattern = pattern;
}

void config_derive_channel_names(struct config *config, struct config_report *report)
{
    struct config_scope scope = config_scope_without_namespace(config);

    config->channel_patterns =
        config_texts_allocate(&config->texts,
                              (config->namespaces_len + 1) * sizeof(*config->channel_patterns));
    if (config->channel_patterns == NULL) {
        config_report_error(report, NULL, "memory is out");
        return;
    }
    derive(config, &scope, &config->options.without_namespace, report);
    for (size_t i = 0; i < config->namespaces_len; i++) {
        scope = config_scope_namespace(config, config->namespaces[i]);
        derive(config, &scope, &config->namespaces[i]->options, report);
    }
}

void config_free_channel_names(struct config *config)
{
    for (size_t i = 0; i < config->channel_patterns_len; i++) {
        patterns_free(&config->channel_patterns[i]);
    }
}
