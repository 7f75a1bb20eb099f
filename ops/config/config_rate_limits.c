/* SPDX-License-Identifier: Apache-2.0 */
/* Reads client.rate_limit: for connections, users and errors, buckets for each command. */
#include "ops/config/config_rate_limits.h"

#include <string.h>

#include "ops/config/config_scope.h"
#include "ops/config/config_yaml.h"
#include "shards/rate_limits.h"

enum {
    BUCKETS_MAX = 256, /* Of one set of limits: whoever takes from one has room for all of them. */
    RATE_MAX = 1000000000,
    NS_IN_A_MS = 1000000,
    INTERVAL_MS_MAX = 24 * 3600 * 1000,
};

struct deriving {
    struct config *config;
    struct config_report *report;
    struct rate_bucket *buckets; /* Of the limits that are read. */
    uint32_t buckets_len;
};

/* A section with `enabled` and `buckets`, as it was read. */
struct section {
    bool enabled;
    struct rate_rule rule;
    const char *name; /* Of an override. */
    const struct config_node *overrides;
};

static void refuse(const struct deriving *at, const struct config_node *node, const char *what)
{
    config_report_error(at->report, &node->origin, "client.rate_limit: %s", what);
}

static bool is_named(const struct config_node *node, const char *name)
{
    return strcmp(node->key, name) == 0;
}

static bool read_bool(const struct deriving *at, const struct config_node *node)
{
    static const struct config_key key = {.path = "enabled", .type = CONFIG_BOOL};
    bool value = false;

    if (node->kind != CONFIG_NODE_SCALAR ||
        !config_value_parse(&key, node->text, strlen(node->text), &value, &at->config->texts)) {
        refuse(at, node, "found something else, expected true or false");
    }
    return value;
}

static void read_bucket(struct deriving *at, const struct config_node *node)
{
    static const struct config_key key = {.path = "rate",
                                          .type = CONFIG_NUMBER,
                                          .min = 1,
                                          .max = RATE_MAX};
    uint64_t interval_ms = 0;
    uint32_t rate = 0;

    for (const struct config_node *each = node->first; each != NULL; each = each->next) {
        const bool is_scalar =
            node->kind == CONFIG_NODE_MAPPING && each->kind == CONFIG_NODE_SCALAR;
        const size_t len = is_scalar ? strlen(each->text) : 0;
        const bool is_read =
            is_scalar &&
            (is_named(each, "interval")
                 ? config_duration_parse(each->text, len, &interval_ms)
                 : is_named(each, "rate") &&
                       config_value_parse(&key, each->text, len, &rate, &at->config->texts));
        if (!is_read) {
            refuse(at, each, "found something else, expected `interval` (1s) and `rate` (10)");
            return;
        }
    }
    if (interval_ms == 0 || interval_ms > INTERVAL_MS_MAX || rate == 0 ||
        interval_ms * NS_IN_A_MS < rate || at->buckets_len == BUCKETS_MAX) {
        refuse(at, node,
               "found a bucket without its interval (1ms to 24h) or its rate (1 to 1000000000), or "
               "more than 256 of them");
        return;
    }
    at->buckets[at->buckets_len++] = (struct rate_bucket){
        .interval_ns = interval_ms * NS_IN_A_MS,
        .step_ns = interval_ms * NS_IN_A_MS / rate,
    };
}

static struct rate_rule read_buckets(struct deriving *at, const struct config_node *node)
{
    const uint32_t first = at->buckets_len;

    if (node->kind != CONFIG_NODE_SEQUENCE) {
        refuse(at, node, "found no list, expected one of `interval` and `rate`");
        return (struct rate_rule){0};
    }
    for (const struct config_node *each = node->first; each != NULL; each = each->next) {
        read_bucket(at, each);
    }
    return (struct rate_rule){(uint16_t)first, (uint16_t)(at->buckets_len - first)};
}

/* `overrides` and `name_key` are the names of those of its keys; NULL: it has none. */
static struct section read_section(struct deriving *at, const struct config_node *node,
                                   const char *overrides, const char *name_key)
{
    struct section section = {.name = ""};

    if (node->kind != CONFIG_NODE_MAPPING) {
        refuse(at, node, "found no section, expected `enabled` and `buckets`");
        return section;
    }
    for (const struct config_node *each = node->first; each != NULL; each = each->next) {
        if (is_named(each, "enabled")) {
            section.enabled = read_bool(at, each);
        } else if (is_named(each, "buckets")) {
            section.rule = read_buckets(at, each);
        } else if (overrides != NULL && is_named(each, overrides) &&
                   each->kind == CONFIG_NODE_SEQUENCE) {
            section.overrides = each;
        } else if (name_key != NULL && is_named(each, name_key) &&
                   each->kind == CONFIG_NODE_SCALAR) {
            section.name = each->text;
        } else {
            refuse(at, each,
                   "found something else, expected `enabled`, `buckets`, and lists of "
                   "`namespace_overrides`, or `method_overrides` of rpc");
        }
    }
    return section;
}

static void read_overrides(struct deriving *at, const struct config_node *node, bool of_rpc,
                           struct rate_command *out)
{
    struct rate_override *overrides =
        config_texts_allocate(&at->config->texts, (node->members + 1) * sizeof(*overrides));

    if (overrides == NULL) {
        refuse(at, node, "memory is out");
        return;
    }
    out->overrides = overrides;
    for (const struct config_node *each = node->first; each != NULL; each = each->next) {
        const struct section section =
            read_section(at, each, NULL, of_rpc ? "method" : "namespace_name");

        if (!of_rpc && section.name[0] != '\0' &&
            config_find_namespace(at->config, section.name) == NULL) {
            refuse(at, each, "found an unknown namespace, expected one of channel.namespaces");
        }
        if (of_rpc && section.name[0] == '\0') {
            refuse(at, each, "found no `method`, expected that of an RPC");
        }
        if (section.enabled && section.rule.len > 0) {
            overrides[out->overrides_len++] = (struct rate_override){section.name, section.rule};
        }
    }
}

static enum client_method method_of(const char *name)
{
    for (unsigned i = CLIENT_METHOD_CONNECT; i < CLIENT_METHOD_COUNT; i++) {
        const enum client_method method = (enum client_method)i;

        if (method != CLIENT_METHOD_SEND && method != CLIENT_METHOD_PING &&
            strcmp(client_method_name(method), name) == 0) {
            return method;
        }
    }
    return CLIENT_METHOD_COUNT;
}

static bool has_channel(enum client_method method)
{
    return method != CLIENT_METHOD_CONNECT && method != CLIENT_METHOD_REFRESH &&
           method != CLIENT_METHOD_RPC;
}

/* Whose limits, by the names of Centrifugo PRO. */
enum whom { OF_CONNECTIONS, OF_USERS, OF_ERRORS };

static void read_command(struct deriving *at, const struct config_node *node, enum whom whom,
                         struct rate_limits *limits)
{
    const enum client_method method = method_of(node->key);
    const bool of_rpc = method == CLIENT_METHOD_RPC;

    if (whom == OF_ERRORS || method == CLIENT_METHOD_COUNT ||
        (whom == OF_CONNECTIONS && method == CLIENT_METHOD_CONNECT)) {
        refuse(at, node,
               whom == OF_ERRORS
                   ? "found something else, expected `enabled` and `total`"
                   : "found something else, expected `enabled`, `total`, `default` or a "
                     "command such as `publish` (`connect` only for user_command)");
        return;
    }
    struct rate_command *command = &limits->commands[method];
    const char *overrides = of_rpc                ? "method_overrides"
                            : has_channel(method) ? "namespace_overrides"
                                                  : NULL;
    const struct section section = read_section(at, node, overrides, NULL);

    if (section.enabled && section.rule.len > 0) {
        command->rule = section.rule;
    }
    if (section.enabled && section.overrides != NULL) {
        read_overrides(at, section.overrides, of_rpc, command);
    }
}

/* A bucket that `default` has counts all commands that it is for together. */
static void fill_in(struct rate_limits *limits, struct rate_rule otherwise, enum whom whom)
{
    for (unsigned i = CLIENT_METHOD_CONNECT; i < CLIENT_METHOD_COUNT; i++) {
        if (limits->commands[i].rule.len == 0 && (whom == OF_USERS || i != CLIENT_METHOD_CONNECT)) {
            limits->commands[i].rule = otherwise;
        }
    }
}

/* NULL: there are none. */
static const struct rate_limits *read_limits(struct deriving *at, const struct config_node *node,
                                             enum whom whom)
{
    bool enabled = false;
    struct section otherwise = {0};
    struct section total = {0};
    struct rate_limits *limits = config_texts_allocate(&at->config->texts, sizeof(*limits));

    at->buckets = config_texts_allocate(&at->config->texts, BUCKETS_MAX * sizeof(*at->buckets));
    at->buckets_len = 0;
    if (limits == NULL || at->buckets == NULL || node->kind != CONFIG_NODE_MAPPING) {
        refuse(at, node, "found no section, expected `enabled` with limits");
        return NULL;
    }
    memset(limits, 0, sizeof(*limits));
    for (const struct config_node *each = node->first; each != NULL; each = each->next) {
        if (is_named(each, "enabled")) {
            enabled = read_bool(at, each);
        } else if (is_named(each, "total")) {
            total = read_section(at, each, NULL, NULL);
        } else if (is_named(each, "default") && whom != OF_ERRORS) {
            otherwise = read_section(at, each, NULL, NULL);
        } else {
            read_command(at, each, whom, limits);
        }
    }
    limits->buckets = at->buckets;
    limits->buckets_len = at->buckets_len;
    if (total.enabled) {
        limits->total = total.rule;
    }
    if (otherwise.enabled) {
        fill_in(limits, otherwise.rule, whom);
    }
    return enabled && limits->buckets_len > 0 ? limits : NULL;
}

static bool is_off(const struct deriving *at, const struct config_node *node)
{
    for (const struct config_node *each = node->first; each != NULL; each = each->next) {
        if (node->kind == CONFIG_NODE_MAPPING && is_named(each, "enabled")) {
            return !read_bool(at, each);
        }
    }
    return true;
}

void config_derive_rate_limits(struct config *config, struct config_report *report)
{
    struct deriving at = {.config = config, .report = report};
    struct client_options *client = &config->options.client;
    const struct config_node *node = config->rate_limits;

    if (node == NULL) {
        return;
    }
    if (node->kind != CONFIG_NODE_MAPPING) {
        refuse(&at, node, "found no section, expected `client_command` or `user_command`");
        return;
    }
    for (const struct config_node *each = node->first; each != NULL; each = each->next) {
        if (is_named(each, "client_command")) {
            client->command_rates = read_limits(&at, each, OF_CONNECTIONS);
        } else if (is_named(each, "user_command")) {
            client->user_rates = read_limits(&at, each, OF_USERS);
        } else if (is_named(each, "client_error")) {
            client->error_rates = read_limits(&at, each, OF_ERRORS);
        } else if (is_named(each, "redis_user_command")) {
            if (!is_off(&at, each)) {
                refuse(&at, each,
                       "redis_user_command is not supported; user_command counts for the whole "
                       "cluster");
            }
        } else {
            refuse(&at, each,
                   "found something else, expected `client_command`, `user_command` or "
                   "`client_error`");
        }
    }
}
