/* SPDX-License-Identifier: Apache-2.0 */
/* Reads ROOST_<PATH_WITH_UNDERSCORES> from the environment.
 *
 * Names of variables cannot be taken apart, since keys hold underscores too: each known key is
 * spelled as a variable and compared.
 */
#include <ctype.h>
#include <string.h>

#include "ops/config/config_scope.h"

enum {
    VARIABLE_MAX = 256,
};

static const char prefix[] = "ROOST_";
static const char without_namespace_prefix[] = "CHANNEL_WITHOUT_NAMESPACE_";
static const char namespaces_name[] = "CHANNEL_NAMESPACES";
static const char namespaces_prefix[] = "CHANNEL_NAMESPACES_";

struct variable {
    const char *name; /* Behind ROOST_. */
    const char *value;
    struct config_origin origin;
};

/* "client.ping_interval" -> "CLIENT_PING_INTERVAL" */
static void spell(const char *path, char out[VARIABLE_MAX])
{
    size_t i = 0;

    for (; path[i] != '\0' && i < VARIABLE_MAX - 1; i++) {
        char letter = path[i];

        out[i] = letter == '.' || letter == '-' ? '_' : (char)toupper((unsigned char)letter);
    }
    out[i] = '\0';
}

static bool read_key(const struct config_scope *scope, const struct variable *variable,
                     const char *name, struct config_report *report)
{
    char spelled[VARIABLE_MAX];

    for (size_t i = 0; i < scope->keys_len; i++) {
        spell(scope->keys[i].path, spelled);
        if (strcmp(spelled, name) == 0) {
            config_scope_set(scope, &scope->keys[i], variable->value, &variable->origin, report);
            return true;
        }
    }
    return false;
}

/* A variable of something that only Centrifugo has; a section's switch counts, what else it holds
 * does not matter then. */
static bool read_foreign(const struct config_scope *scope, const struct variable *variable,
                         const char *name, struct config_report *report)
{
    char spelled[VARIABLE_MAX];
    char gate[VARIABLE_MAX];

    for (size_t i = 0; i < scope->foreign_len; i++) {
        const struct config_foreign *foreign = &scope->foreign[i];
        size_t len = strlen(foreign->path);
        bool is_own;

        spell(foreign->path, spelled);
        is_own = strcmp(spelled, name) == 0;
        if (!is_own && (foreign->kind == FOREIGN_VALUE || strncmp(spelled, name, len) != 0 ||
                        name[len] != '_')) {
            continue;
        }
        if (foreign->kind == FOREIGN_TUNING) {
            config_foreign_ignore(scope, foreign->path, &variable->origin, report);
            return true;
        }
        if (foreign->kind == FOREIGN_GATED) {
            spell(foreign->gate, gate);
            if (!is_own && strcmp(name + len + 1, gate) != 0) {
                return true;
            }
        }
        if (!config_foreign_is_off(foreign->initial, variable->value)) {
            config_foreign_refuse(scope, foreign->path, &variable->origin, report);
        }
        return true;
    }
    return false;
}

/* ROOST_CHANNEL_NAMESPACES_A_PRESENCE: "a" may be "A" or "x.y" in the configuration, so every
 * namespace is tried. */
static bool read_namespace_key(struct config *config, const struct variable *variable,
                               struct config_report *report)
{
    const char *name = variable->name + strlen(namespaces_prefix);
    const struct config_namespace *taken_by = NULL;
    char spelled[VARIABLE_MAX];

    for (size_t i = 0; i < config->namespaces_len; i++) {
        struct config_scope scope = config_scope_namespace(config, config->namespaces[i]);
        size_t len = strlen(config->namespaces[i]->options.name);

        spell(config->namespaces[i]->options.name, spelled);
        if (strncmp(spelled, name, len) != 0 || name[len] != '_') {
            continue;
        }
        if (!read_key(&scope, variable, name + len + 1, report) &&
            !read_foreign(&scope, variable, name + len + 1, report)) {
            continue;
        }
        if (taken_by != NULL) {
            config_report_error(report, &variable->origin,
                                "found the namespaces \"%s\" and \"%s\", which are spelled alike "
                                "here, "
                                "expected one; set the option in the file",
                                taken_by->options.name, config->namespaces[i]->options.name);
        }
        taken_by = config->namespaces[i];
    }
    return taken_by != NULL;
}

/* How a variable would be spelled that comes nearest to one that nobody knows. */
static void report_unknown(struct config *config, const struct variable *variable,
                           struct config_report *report)
{
    struct config_scope scopes[2] = {config_scope_root(config),
                                     config_scope_without_namespace(config)};
    const char *scope_prefixes[2] = {"", without_namespace_prefix};
    size_t best_distance = 2 + strlen(variable->name) / 5;
    char spelled[VARIABLE_MAX], full[2 * VARIABLE_MAX], best[2 * VARIABLE_MAX] = "";

    for (size_t s = 0; s < 2; s++) {
        for (size_t i = 0; i < scopes[s].keys_len; i++) {
            spell(scopes[s].keys[i].path, spelled);
            snprintf(full, sizeof(full), "%s%s", scope_prefixes[s], spelled);
            size_t distance = config_distance(variable->name, full, best_distance);

            if (distance < best_distance) {
                best_distance = distance;
                memcpy(best, full, sizeof(best));
            }
        }
    }
    if (best[0] != '\0') {
        config_report_error(report, &variable->origin, "found an unknown variable, expected %s%s?",
                            prefix, best);
    } else if (strncmp(variable->name, namespaces_prefix, strlen(namespaces_prefix)) == 0) {
        config_report_error(report, &variable->origin,
                            "found an unknown variable, expected an option of a namespace that the "
                            "file "
                            "or %s%s names",
                            prefix, namespaces_name);
    } else {
        config_report_error(report, &variable->origin,
                            "found an unknown variable, expected one of `roostd --help-config`");
    }
}

static void read_variable(struct config *config, const struct variable *variable,
                          struct config_report *report)
{
    struct config_scope root = config_scope_root(config);
    struct config_scope without_namespace = config_scope_without_namespace(config);
    size_t without_len = strlen(without_namespace_prefix);
    bool is_known;

    if (strncmp(variable->name, without_namespace_prefix, without_len) == 0) {
        is_known = read_key(&without_namespace, variable, variable->name + without_len, report) ||
                   read_foreign(&without_namespace, variable, variable->name + without_len, report);
    } else if (strncmp(variable->name, namespaces_prefix, strlen(namespaces_prefix)) == 0) {
        is_known = read_namespace_key(config, variable, report);
    } else {
        is_known = read_key(&root, variable, variable->name, report) ||
                   read_foreign(&root, variable, variable->name, report);
    }
    if (!is_known) {
        report_unknown(config, variable, report);
    }
}

/* Names between spaces; those that the file has already stay as they are. */
static void read_namespace_names(struct config *config, const struct variable *variable,
                                 struct config_report *report)
{
    const char *at = variable->value;
    char name[CONFIG_NAMESPACE_NAME_MAX + 2];

    while (*at != '\0') {
        size_t len = strcspn(at, " \t");

        if (len > 0) {
            snprintf(name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : sizeof(name)),
                     at);
            if (config_find_namespace(config, name) == NULL) {
                config_declare_namespace(config, name, &variable->origin, report);
            }
        }
        at += len + (at[len] != '\0');
    }
}

/* False: the entry is none of ours. */
static bool take_apart(const char *entry, struct config *config, struct variable *out)
{
    const char *equals = strchr(entry, '=');

    if (equals == NULL || strncmp(entry, prefix, strlen(prefix)) != 0) {
        return false;
    }
    const char *name = config_texts_keep(&config->texts, entry, (size_t)(equals - entry));

    if (name == NULL) {
        return false;
    }
    out->name = name + strlen(prefix);
    out->value = equals + 1;
    out->origin = (struct config_origin){.source = CONFIG_FROM_ENVIRONMENT, .name = name};
    return true;
}

void config_read_environment(struct config *config, const char *const *environment,
                             struct config_report *report)
{
    struct variable variable;

    /* Namespaces first, so that the variables of their options find them wherever they stand. */
    for (size_t i = 0; environment[i] != NULL; i++) {
        if (take_apart(environment[i], config, &variable) &&
            strcmp(variable.name, namespaces_name) == 0) {
            read_namespace_names(config, &variable, report);
        }
    }
    for (size_t i = 0; environment[i] != NULL; i++) {
        if (take_apart(environment[i], config, &variable) &&
            strcmp(variable.name, namespaces_name) != 0) {
            read_variable(config, &variable, report);
        }
    }
}
