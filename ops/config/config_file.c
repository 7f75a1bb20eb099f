/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a configuration file: walks its tree beside the table of keys. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ops/config/config_scope.h"
#include "ops/config/config_yaml.h"

struct reading {
    struct config *config;
    struct config_report *report;
};

static void walk_section(const struct reading *reading, const struct config_scope *scope,
                         const char *section, const struct config_node *node);

static bool is_empty(const struct config_node *node)
{
    return node->kind == CONFIG_NODE_SCALAR ? node->is_null : node->members == 0;
}

/* True when all that a foreign value or section says is that it is not wanted. */
static bool is_off(const char *initial, const struct config_node *node)
{
    if (node->kind == CONFIG_NODE_SCALAR) {
        return config_foreign_is_off(initial, node->text);
    }
    for (const struct config_node *member = node->first; member != NULL; member = member->next) {
        if (node->kind == CONFIG_NODE_SEQUENCE || !is_off("", member)) {
            return false;
        }
    }
    return true;
}

static bool is_gate_off(const struct config_foreign *foreign, const struct config_node *node)
{
    for (const struct config_node *member = node->first; member != NULL; member = member->next) {
        if (member->key != NULL && strcmp(member->key, foreign->gate) == 0) {
            return is_off(foreign->initial, member);
        }
    }
    return node->kind == CONFIG_NODE_MAPPING || is_empty(node);
}

static void walk_foreign(const struct reading *reading, const struct config_scope *scope,
                         const struct config_foreign *foreign, const struct config_node *node)
{
    bool is_harmless = false;

    switch (foreign->kind) {
    case FOREIGN_VALUE:
    case FOREIGN_SECTION:
        is_harmless = is_off(foreign->initial, node);
        break;
    case FOREIGN_GATED:
        is_harmless = is_gate_off(foreign, node);
        break;
    case FOREIGN_TUNING:
        config_foreign_ignore(scope, foreign->path, &node->key_origin, reading->report);
        return;
    }
    if (!is_harmless) {
        config_foreign_refuse(scope, foreign->path, &node->key_origin, reading->report);
    }
}

static void set_list(const struct reading *reading, const struct config_scope *scope,
                     const struct config_key *key, const struct config_node *node)
{
    const char *items[CONFIG_LIST_MAX + 1];
    struct config_list list = {.items = items};
    char found[4 * CONFIG_REPORT_FOUND_MAX];

    for (const struct config_node *member = node->first; member != NULL; member = member->next) {
        if (member->kind != CONFIG_NODE_SCALAR) {
            config_report_error(reading->report, &member->origin, "%s%s: found %s, expected a text",
                                scope->path, key->path, config_node_describe(member, found));
            return;
        }
        if (list.len <= CONFIG_LIST_MAX) {
            items[list.len++] = member->text;
        }
    }
    config_scope_set_list(scope, key, &list, &node->origin, reading->report);
}

static void walk_key(const struct reading *reading, const struct config_scope *scope,
                     const struct config_key *key, const struct config_node *node)
{
    char expected[CONFIG_EXPECTED_SIZE];
    char found[4 * CONFIG_REPORT_FOUND_MAX];

    if (node->kind == CONFIG_NODE_SCALAR && node->is_null) {
        return; /* A key without a value says nothing: what it was before holds. */
    }
    if (key->type == CONFIG_TREE && node->kind != CONFIG_NODE_SCALAR) {
        config_scope_set_tree(scope, key, node);
    } else if (node->kind == CONFIG_NODE_SEQUENCE && config_is_list(key)) {
        set_list(reading, scope, key, node);
    } else if (node->kind == CONFIG_NODE_SCALAR) {
        config_scope_set(scope, key, node->text, &node->origin, reading->report);
    } else {
        config_report_error(reading->report, &node->origin, "%s%s: found %s, expected %s",
                            scope->path, key->path, config_node_describe(node, found),
                            config_value_expected(key, expected));
    }
}

bool config_is_name(const char *name)
{
    static const char letters[] =
        "-_.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t len = strlen(name);

    return len >= 2 && len <= CONFIG_NAMESPACE_NAME_MAX && strspn(name, letters) == len;
}

struct config_namespace *config_declare_namespace(struct config *config, const char *name,
                                                  const struct config_origin *origin,
                                                  struct config_report *report)
{
    char found[4 * CONFIG_REPORT_FOUND_MAX];

    config_report_quote(name, strlen(name), found);
    if (!config_is_name(name)) {
        config_report_error(report, origin,
                            "channel.namespaces: found the name %s, expected 2 to %d letters, "
                            "digits, '-', '_' or '.'",
                            found, CONFIG_NAMESPACE_NAME_MAX);
        return NULL;
    }
    if (config_find_namespace(config, name) != NULL) {
        config_report_error(report, origin,
                            "channel.namespaces: found %s again, expected each name once", found);
        return NULL;
    }
    struct config_namespace *added = config_add_namespace(config, name, origin);

    if (added == NULL) {
        config_report_error(report, origin,
                            "channel.namespaces: found more than %d, or memory is out",
                            CONFIG_NAMESPACES_MAX);
    }
    return added;
}

static void walk_namespace(const struct reading *reading, const struct config_node *node)
{
    char found[4 * CONFIG_REPORT_FOUND_MAX];
    const struct config_node *name = NULL;

    if (node->kind != CONFIG_NODE_MAPPING) {
        config_report_error(reading->report, &node->origin,
                            "channel.namespaces: found %s, expected a section with name and "
                            "options",
                            config_node_describe(node, found));
        return;
    }
    for (const struct config_node *member = node->first; member != NULL; member = member->next) {
        if (strcmp(member->key, "name") == 0 && member->kind == CONFIG_NODE_SCALAR) {
            name = member;
        }
    }
    if (name == NULL) {
        config_report_error(reading->report, &node->origin,
                            "channel.namespaces: found one without a name, expected name: <text>");
        return;
    }
    struct config_namespace *added =
        config_declare_namespace(reading->config, name->text, &name->origin, reading->report);
    struct config_namespace spare;

    if (added == NULL) {
        /* Its other lines are read into nothing, for the errors that they may hold. */
        memset(&spare, 0, sizeof(spare));
        spare.options.name = "?";
        added = &spare;
    }
    struct config_scope scope = config_scope_namespace(reading->config, added);

    walk_section(reading, &scope, "", node);
}

static void walk_namespaces(const struct reading *reading, const struct config_node *node)
{
    char found[4 * CONFIG_REPORT_FOUND_MAX];

    if (node->kind == CONFIG_NODE_SCALAR && node->is_null) {
        return;
    }
    if (node->kind != CONFIG_NODE_SEQUENCE) {
        config_report_error(reading->report, &node->origin,
                            "channel.namespaces: found %s, expected a list of sections",
                            config_node_describe(node, found));
        return;
    }
    /* The file's list stands for the whole: those of --dev are gone. */
    reading->config->namespaces_len = 0;
    for (const struct config_node *member = node->first; member != NULL; member = member->next) {
        walk_namespace(reading, member);
    }
}

/* What only one place of the tree has; true when the path is one of these. */
static bool walk_special(const struct reading *reading, const struct config_scope *scope,
                         const char *path, const struct config_node *node)
{
    bool is_root = scope->values == reading->config;

    if (is_root && strcmp(path, "channel.namespaces") == 0) {
        walk_namespaces(reading, node);
        return true;
    }
    if (is_root && strcmp(path, "channel.without_namespace") == 0) {
        struct config_scope without = config_scope_without_namespace(reading->config);

        walk_section(reading, &without, "", node);
        return true;
    }
    return !is_root && strcmp(path, "name") == 0 &&
           (strncmp(scope->path, "channel.namespaces.", 19) == 0 ||
            strncmp(scope->path, "proxies.", 8) == 0) &&
           node->kind == CONFIG_NODE_SCALAR;
}

static void walk_member(const struct reading *reading, const struct config_scope *scope,
                        const char *path, const struct config_node *node)
{
    const struct config_key *key = config_scope_find(scope, path);
    const struct config_foreign *foreign = config_scope_find_foreign(scope, path);

    if (walk_special(reading, scope, path, node)) {
        return;
    }
    if (key != NULL) {
        walk_key(reading, scope, key, node);
    } else if (foreign != NULL) {
        walk_foreign(reading, scope, foreign, node);
    } else if (config_scope_has_section(scope, path)) {
        walk_section(reading, scope, path, node);
    } else {
        config_scope_report_unknown(scope, path, &node->key_origin, reading->report);
    }
}

/* The tree is as deep as the parser let it be, and only known sections are entered: this recursion
 * is shallow. */
static void walk_section(const struct reading *reading, const struct config_scope *scope,
                         const char *section, const struct config_node *node)
{
    char found[4 * CONFIG_REPORT_FOUND_MAX];
    char path[CONFIG_PATH_MAX];

    if (node->kind == CONFIG_NODE_SCALAR && node->is_null) {
        return;
    }
    if (node->kind != CONFIG_NODE_MAPPING) {
        config_report_error(reading->report, &node->origin, "%s%s: found %s, expected a section",
                            scope->path,
                            section[0] == '\0' && scope->path[0] == '\0' ? "configuration"
                                                                         : section,
                            config_node_describe(node, found));
        return;
    }
    for (const struct config_node *member = node->first; member != NULL; member = member->next) {
        snprintf(path, sizeof(path), "%s%s%s", section, section[0] == '\0' ? "" : ".", member->key);
        walk_member(reading, scope, path, member);
    }
}

void config_read_section(struct config *config, const struct config_scope *scope,
                         const struct config_node *node, struct config_report *report)
{
    const struct reading reading = {.config = config, .report = report};

    walk_section(&reading, scope, "", node);
}

void config_read_bytes(struct config *config, const char *name, const char *bytes, size_t len,
                       struct config_report *report)
{
    struct reading reading = {.config = config, .report = report};
    struct config_scope root = config_scope_root(config);
    struct config_origin origin = {.source = CONFIG_FROM_FILE, .name = name};

    if (len > CONFIG_FILE_BYTES_MAX) {
        config_report_error(report, &origin, "found %zu bytes, expected at most %d", len,
                            CONFIG_FILE_BYTES_MAX);
        return;
    }
    struct config_node *tree = config_yaml_parse(name, bytes, len, &config->texts, report);

    if (tree != NULL) {
        walk_section(&reading, &root, "", tree);
    }
}

/* A buffer of what the file holds, of one byte more than is allowed at most; NULL with errno. */
static char *read_whole(const char *path, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *bytes = fd < 0 ? NULL : malloc(CONFIG_FILE_BYTES_MAX + 1);
    ssize_t got = 1;

    *len = 0;
    while (bytes != NULL && got > 0 && *len <= CONFIG_FILE_BYTES_MAX) {
        got = read(fd, bytes + *len, CONFIG_FILE_BYTES_MAX + 1 - *len);
        if (got < 0 && errno == EINTR) {
            got = 1;
            continue;
        }
        if (got < 0) {
            int failure = errno;

            free(bytes);
            bytes = NULL;
            errno = failure;
        } else {
            *len += (size_t)got;
        }
    }
    if (fd >= 0) {
        int failure = errno;

        close(fd);
        errno = failure;
    }
    return bytes;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

void config_read_file(struct config *config, const char *path, struct config_report *report)
{
    struct config_origin origin = {.source = CONFIG_FROM_FILE, .name = path};
    size_t len;

    if (ends_with(path, ".toml")) {
        config_report_error(report, &origin, "found TOML, expected YAML or JSON");
        return;
    }
    char *bytes = read_whole(path, &len);

    if (bytes == NULL) {
        config_report_error(report, &origin, "cannot be read: %s", strerror(errno));
        return;
    }
    config_read_bytes(config, path, bytes, len, report);
    free(bytes);
}
