/* SPDX-License-Identifier: Apache-2.0 */
/* Finds keys in their scope, sets them, and says what is wrong with those that cannot be set. */
#include "ops/config/config_scope.h"

#include <string.h>

enum {
    DISTANCE_WORD_MAX = 96,
};

struct config_scope config_scope_root(struct config *config)
{
    return (struct config_scope){.path = "",
                                 .keys = config_keys,
                                 .keys_len = config_keys_len,
                                 .foreign = config_foreign_keys,
                                 .foreign_len = config_foreign_keys_len,
                                 .values = config,
                                 .origins = config->origins,
                                 .texts = &config->texts};
}

static struct config_scope channel_scope(struct config *config, struct channel_options *options,
                                         struct config_origin *origins)
{
    return (struct config_scope){.keys = config_channel_keys,
                                 .keys_len = config_channel_keys_len,
                                 .foreign = config_foreign_channel_keys,
                                 .foreign_len = config_foreign_channel_keys_len,
                                 .values = options,
                                 .origins = origins,
                                 .texts = &config->texts};
}

struct config_scope config_scope_without_namespace(struct config *config)
{
    struct config_scope scope = channel_scope(config, &config->options.without_namespace,
                                              config->without_namespace_origins);

    snprintf(scope.path, sizeof(scope.path), "channel.without_namespace.");
    return scope;
}

struct config_scope config_scope_namespace(struct config *config,
                                           struct config_namespace *channel_namespace)
{
    struct config_scope scope =
        channel_scope(config, &channel_namespace->options, channel_namespace->origins);

    snprintf(scope.path, sizeof(scope.path), "channel.namespaces.%s.",
             channel_namespace->options.name);
    return scope;
}

const struct config_key *config_scope_find(const struct config_scope *scope, const char *path)
{
    for (size_t i = 0; i < scope->keys_len; i++) {
        if (strcmp(scope->keys[i].path, path) == 0) {
            return &scope->keys[i];
        }
    }
    return NULL;
}

struct config_origin *config_origin_of(struct config *config, const char *path)
{
    struct config_scope root = config_scope_root(config);
    const struct config_key *key = config_scope_find(&root, path);

    BUG_IF(key == NULL);
    return &config->origins[key - config_keys];
}

const struct config_foreign *config_scope_find_foreign(const struct config_scope *scope,
                                                       const char *path)
{
    for (size_t i = 0; i < scope->foreign_len; i++) {
        if (strcmp(scope->foreign[i].path, path) == 0) {
            return &scope->foreign[i];
        }
    }
    return NULL;
}

static bool is_below(const char *path, const char *section)
{
    size_t len = strlen(section);

    return strncmp(path, section, len) == 0 && path[len] == '.';
}

const struct config_foreign *config_scope_find_foreign_above(const struct config_scope *scope,
                                                             const char *path)
{
    for (size_t i = 0; i < scope->foreign_len; i++) {
        if (strcmp(scope->foreign[i].path, path) == 0 || is_below(path, scope->foreign[i].path)) {
            return &scope->foreign[i];
        }
    }
    return NULL;
}

bool config_scope_has_section(const struct config_scope *scope, const char *path)
{
    for (size_t i = 0; i < scope->keys_len; i++) {
        if (is_below(scope->keys[i].path, path)) {
            return true;
        }
    }
    for (size_t i = 0; i < scope->foreign_len; i++) {
        if (is_below(scope->foreign[i].path, path)) {
            return true;
        }
    }
    return false;
}

static void report_wrong(const struct config_scope *scope, const struct config_key *key,
                         const char *text, const struct config_origin *origin,
                         struct config_report *report)
{
    char expected[CONFIG_EXPECTED_SIZE];
    char found[4 * CONFIG_REPORT_FOUND_MAX];

    config_report_error(report, origin, "%s%s: found %s, expected %s", scope->path, key->path,
                        key->is_secret ? "a secret that is not shown"
                                       : config_report_quote(text, strlen(text), found),
                        config_value_expected(key, expected));
}

bool config_scope_set(const struct config_scope *scope, const struct config_key *key,
                      const char *text, const struct config_origin *origin,
                      struct config_report *report)
{
    if (!config_value_parse(key, text, strlen(text), scope->values, scope->texts)) {
        report_wrong(scope, key, text, origin, report);
        return false;
    }
    scope->origins[key - scope->keys] = *origin;
    return true;
}

bool config_scope_set_list(const struct config_scope *scope, const struct config_key *key,
                           const struct config_list *items, const struct config_origin *origin,
                           struct config_report *report)
{
    char expected[CONFIG_EXPECTED_SIZE];

    if (!config_value_set_list(key, items->items, items->len, scope->values, scope->texts)) {
        config_report_error(report, origin, "%s%s: found a list of %zu, expected %s", scope->path,
                            key->path, items->len, config_value_expected(key, expected));
        return false;
    }
    scope->origins[key - scope->keys] = *origin;
    return true;
}

void config_scope_set_tree(const struct config_scope *scope, const struct config_key *key,
                           const struct config_node *node)
{
    memcpy((uint8_t *)scope->values + key->offset, &node, sizeof(node));
    scope->origins[key - scope->keys] = node->origin;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: insertions, deletions, changes and swaps of neighbours. */
size_t config_distance(const char *a, const char *b, size_t most)
{
    size_t rows[3][DISTANCE_WORD_MAX + 1];
    size_t a_len = strlen(a), b_len = strlen(b);

    if (a_len > DISTANCE_WORD_MAX || b_len > DISTANCE_WORD_MAX) {
        return most + 1;
    }
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3], *before = rows[(i - 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] =
                least(before[j - 1] + (a[i - 1] != b[j - 1]), least(before[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
            }
        }
    }
    return least(rows[a_len % 3][b_len], most + 1);
}

static const char *last_word(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot == NULL ? path : dot + 1;
}

/* The key that was probably meant: few letters off, or the right word in the wrong section. */
static const char *nearest_key(const struct config_scope *scope, const char *path)
{
    size_t best_distance = 1 + (strlen(path) + 2) / 5;
    const char *best = NULL, *same_word = NULL;
    size_t same_words = 0;

    for (size_t i = 0; i < scope->keys_len; i++) {
        size_t distance = config_distance(path, scope->keys[i].path, best_distance);

        if (distance < best_distance) {
            best_distance = distance;
            best = scope->keys[i].path;
        }
    }
    for (size_t i = 0; best == NULL && i < scope->keys_len; i++) {
        if (strcmp(last_word(path), last_word(scope->keys[i].path)) == 0) {
            same_word = scope->keys[i].path;
            same_words++;
        }
    }
    /* A word that many sections have, like "enabled", tells nothing. */
    return same_words == 1 ? same_word : best;
}

void config_scope_report_unknown(const struct config_scope *scope, const char *path,
                                 const struct config_origin *origin, struct config_report *report)
{
    char shown[4 * CONFIG_REPORT_FOUND_MAX];
    const char *nearest = nearest_key(scope, path);

    config_report_quote(path, strlen(path), shown);
    if (nearest != NULL) {
        config_report_error(report, origin, "%s%s: found an unknown key, expected %s%s?",
                            scope->path, shown, scope->path, nearest);
    } else {
        config_report_error(report, origin,
                            "%s%s: found an unknown key, expected one of `roostd --help-config`",
                            scope->path, shown);
    }
}

bool config_foreign_is_off(const char *initial, const char *text)
{
    static const char *const off[] = {"",      "~",     "null",  "Null", "NULL",
                                      "false", "False", "FALSE", "0"};
    uint64_t text_ms, initial_ms;

    for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
        if (strcmp(text, off[i]) == 0) {
            return true;
        }
    }
    if (config_duration_parse(text, strlen(text), &text_ms) &&
        (text_ms == 0 ||
         (config_duration_parse(initial, strlen(initial), &initial_ms) && text_ms == initial_ms))) {
        return true;
    }
    return strcmp(text, initial) == 0;
}

void config_foreign_refuse(const struct config_scope *scope, const char *path,
                           const struct config_origin *origin, struct config_report *report)
{
    config_report_error(report, origin, "%s%s: known to Centrifugo, not supported by roost yet",
                        scope->path, path);
}

void config_foreign_ignore(const struct config_scope *scope, const char *path,
                           const struct config_origin *origin, struct config_report *report)
{
    config_report_note(report, origin, "%s%s: steers how Centrifugo works, has no effect on roost",
                       scope->path, path);
}
