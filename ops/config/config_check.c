/* SPDX-License-Identifier: Apache-2.0 */
/* Rules between the keys of a configuration. */
#include "ops/config/config_check.h"

#include <string.h>

#include "ops/config/config_listen.h"
#include "ops/config/config_maps.h"
#include "ops/config/config_scope.h"
#include "ops/config/config_tokens.h"
#include "shards/client_names.h"

static void check_pings(struct config *config, struct config_report *report)
{
    const struct client_options *client = &config->options.client;

    if (client->ping_interval_ms > 0 && client->ping_interval_ms < 1000) {
        /* Clients are told the interval in whole seconds. */
        config_report_error(report, config_origin_of(config, "client.ping_interval"),
                            "client.ping_interval: found less than a second, expected 0s or 1s and "
                            "more");
    }
    if (client->ping_interval_ms > 0 && client->pong_timeout_ms >= client->ping_interval_ms) {
        const struct config_origin *origin = config_origin_of(config, "client.pong_timeout");

        if (origin->source == CONFIG_FROM_DEFAULT) {
            origin = config_origin_of(config, "client.ping_interval");
        }
        config_report_error(report, origin,
                            "client.pong_timeout: found %llums, expected less than "
                            "client.ping_interval, "
                            "which is %llums",
                            (unsigned long long)client->pong_timeout_ms,
                            (unsigned long long)client->ping_interval_ms);
    }
}

static void check_sizes(struct config *config, struct config_report *report)
{
    const struct websocket_options *websocket = &config->options.websocket;

    if (websocket->inflated_size_limit != 0 &&
        websocket->inflated_size_limit < websocket->message_size_limit) {
        config_report_error(report,
                            config_origin_of(config, "websocket.decompressed_message_size_limit"),
                            "websocket.decompressed_message_size_limit: found %u, expected at "
                            "least "
                            "websocket.message_size_limit, which is %u",
                            websocket->inflated_size_limit, websocket->message_size_limit);
    }
}

/* A path that is served, and the key that says so. */
struct served_path {
    const char *key;
    const char *path;
    bool is_enabled;
    bool is_prefix; /* Everything below it is served too. */
};

static bool is_path(const char *path)
{
    size_t len = strlen(path);

    if (len < 2 || path[0] != '/' || path[len - 1] == '/') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (path[i] <= ' ' || path[i] >= 0x7f || strchr("?#%\"<>\\^`{|}", path[i]) != NULL) {
            return false;
        }
    }
    return true;
}

static bool paths_collide(const struct served_path *a, const struct served_path *b)
{
    size_t a_len = strlen(a->path);

    return strcmp(a->path, b->path) == 0 ||
           (a->is_prefix && strncmp(a->path, b->path, a_len) == 0 && b->path[a_len] == '/');
}

#define STREAM_PATH(name, transport) \
    { \
        name ".handler_prefix", options->transports[transport].handler_prefix, \
            options->transports[transport].enabled, false \
    }

static void check_paths(struct config *config, struct config_report *report)
{
    const struct node_options *options = &config->options;
    const struct served_path paths[] = {
        {"websocket.handler_prefix", options->websocket.handler_prefix,
         !options->websocket.disabled, false},
        {"http_api.handler_prefix", options->http_api.handler_prefix, !options->http_api.disabled,
         true},
        {"health.handler_prefix", options->health_handler_prefix, options->health_enabled, false},
        {"prometheus.handler_prefix", options->prometheus_handler_prefix,
         options->prometheus_enabled, false},
        {"echo.path", options->echo.path, options->echo.enabled, false},
        STREAM_PATH("http_stream", TRANSPORT_HTTP_STREAM),
        STREAM_PATH("sse", TRANSPORT_SSE),
        STREAM_PATH("uni_http_stream", TRANSPORT_UNI_HTTP_STREAM),
        STREAM_PATH("uni_sse", TRANSPORT_UNI_SSE),
        STREAM_PATH("uni_websocket", TRANSPORT_UNI_WEBSOCKET),
        {"emulation.handler_prefix", options->emulation.handler_prefix,
         options->transports[TRANSPORT_HTTP_STREAM].enabled ||
             options->transports[TRANSPORT_SSE].enabled,
         false},
        {"init.handler_prefix", options->init_handler_prefix, options->init_enabled, false},
    };
    const size_t len = sizeof(paths) / sizeof(paths[0]);
    char found[4 * CONFIG_REPORT_FOUND_MAX];

    for (size_t i = 0; i < len; i++) {
        const struct config_origin *origin = config_origin_of(config, paths[i].key);

        if (!is_path(paths[i].path)) {
            config_report_error(report, origin,
                                "%s: found %s, expected a path like /name, without a slash at its "
                                "end",
                                paths[i].key,
                                config_report_quote(paths[i].path, strlen(paths[i].path), found));
        }
        for (size_t j = 0; j < len; j++) {
            if (i != j && paths[i].is_enabled && paths[j].is_enabled &&
                paths_collide(&paths[j], &paths[i]) &&
                (j < i || !paths_collide(&paths[i], &paths[j]))) {
                config_report_error(report, origin,
                                    "%s: found %s, expected another path than that of %s",
                                    paths[i].key,
                                    config_report_quote(paths[i].path, strlen(paths[i].path),
                                                        found),
                                    paths[j].key);
            }
        }
    }
}

static void check_boundaries(struct config *config, struct config_report *report)
{
    const struct node_options *options = &config->options;
    const char *const parts[][2] = {
        {"channel.private_prefix", options->channel_private_prefix},
        {"channel.namespace_boundary", options->channel_namespace_boundary},
        {"channel.user_boundary", options->channel_user_boundary},
        {"channel.user_separator", options->channel_user_separator},
    };

    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < i; j++) {
            if (parts[i][1][0] != '\0' && strcmp(parts[i][1], parts[j][1]) == 0) {
                config_report_error(report, config_origin_of(config, parts[i][0]),
                                    "%s: found \"%s\", expected another text than that of %s",
                                    parts[i][0], parts[i][1], parts[j][0]);
            }
        }
    }
    for (size_t i = 0; i < config->namespaces_len; i++) {
        const struct config_namespace *each = config->namespaces[i];

        if (parts[1][1][0] != '\0' && strstr(each->options.name, parts[1][1]) != NULL) {
            config_report_error(report, &each->origin,
                                "channel.namespaces: found the name \"%s\", expected one without "
                                "channel.namespace_boundary",
                                each->options.name);
        }
    }
}

/* What of a namespace's history, or of its batches, is at odds. NULL: nothing. *key is the one to
 * look at. */
static const char *find_odd_history(const struct node_options *node,
                                    const struct channel_options *options, const char **key)
{
    const uint64_t meta_ttl_ms = options->history_meta_ttl_ms != 0
                                     ? options->history_meta_ttl_ms
                                     : node->channel_history_meta_ttl_ms;
    *key = "history_ttl";
    if (options->history_size > 0 && options->history_ttl_ms == 0) {
        return "found 0s, expected a duration, since history_size is set";
    }
    if (options->history_ttl_ms % 1000 != 0) {
        return "found a part of a second, expected whole seconds";
    }
    if (options->history_ttl_ms > meta_ttl_ms) {
        return "found a longer time than that of history_meta_ttl, expected a shorter one";
    }
    *key = "history_meta_ttl";
    if (options->history_meta_ttl_ms % 1000 != 0) {
        return "found a part of a second, expected whole seconds";
    }
    *key = "history_size";
    if (options->history_size == 0 && options->history_ttl_ms != 0) {
        return "found 0, expected a number of publications, since history_ttl is set";
    }
    *key = "force_recovery";
    if (options->history_size == 0 && options->force_recovery) {
        return "found true, expected a history_size and a history_ttl beside it";
    }
    *key = "auto_cache_recover";
    if (options->auto_cache_recover &&
        !(options->force_recovery && options->force_recovery_mode == RECOVERY_CACHE)) {
        return "found true, expected force_recovery and force_recovery_mode \"cache\" beside it";
    }
    *key = "batch_max_delay";
    if (options->batch_max_delay_ms == 0 &&
        (options->batch_max_size > 0 || options->batch_flush_latest)) {
        return "found 0s, expected a duration, since another batch option is set";
    }
    return NULL;
}

/* The same of its wildcard channels. */
static const char *find_odd_wildcard(const struct channel_options *options, const char **key)
{
    *key = "wildcard_max_depth";
    if (options->wildcard_max_depth > 0 &&
        options->subscription_type > CLIENT_SUBSCRIPTION_STREAM &&
        options->subscription_type <= CLIENT_SUBSCRIPTION_SHARED_POLL) {
        return "found more than 0, expected 0, since wildcards are for streams alone";
    }
    if (options->wildcard_max_depth == 0 && (options->allow_wildcard_subscribe_for_client ||
                                             options->allow_wildcard_subscribe_for_anonymous ||
                                             options->allow_wildcard_subscribe_by_proxy)) {
        return "found 0, expected a depth, since it is said who may subscribe to wildcards";
    }
    *key = "allow_wildcard_subscribe_by_proxy";
    if (options->allow_wildcard_subscribe_by_proxy && !options->subscribe_proxy_enabled) {
        return "found true, expected subscribe_proxy_enabled beside it";
    }
    return NULL;
}

static void check_history(const struct node_options *node, const struct config_scope *scope,
                          struct config_report *report)
{
    const char *key;
    const char *what = find_odd_history(node, scope->values, &key);

    if (what == NULL) {
        what = find_odd_wildcard(scope->values, &key);
    }
    if (what != NULL) {
        const struct config_key *found = config_scope_find(scope, key);

        BUG_IF(found == NULL);
        config_report_error(report, &scope->origins[found - scope->keys], "%s%s: %s", scope->path,
                            key, what);
    }
}

static void check_histories(struct config *config, struct config_report *report)
{
    const struct node_options *node = &config->options;
    struct config_scope scope = config_scope_without_namespace(config);

    if (node->channel_history_meta_ttl_ms % 1000 != 0) {
        config_report_error(report, config_origin_of(config, "channel.history_meta_ttl"),
                            "channel.history_meta_ttl: found a part of a second, expected whole "
                            "seconds");
    }
    check_history(node, &scope, report);
    for (size_t i = 0; i < config->namespaces_len; i++) {
        scope = config_scope_namespace(config, config->namespaces[i]);
        check_history(node, &scope, report);
    }
}

static bool has_poll_backend(const struct config *config, const struct channel_options *options)
{
    const char *name = options->shared_poll.proxy_name;

    return (name[0] != '\0' && strcmp(name, "default") != 0) ||
           config->proxy.shared_poll_refresh.endpoint[0] != '\0';
}

bool config_asks_shared_poll(const struct config *config, const struct channel_options *options)
{
    return options->subscription_type == CLIENT_SUBSCRIPTION_SHARED_POLL &&
           has_poll_backend(config, options);
}

/* What of a namespace's shared polls is at odds. NULL: nothing. *key is the one to look at. */
static const char *find_odd_shared_poll(const struct config *config,
                                        const struct channel_options *options, const char **key)
{
    if (options->subscription_type != CLIENT_SUBSCRIPTION_SHARED_POLL) {
        return NULL;
    }
    *key = "subscription_type";
    if (config->options.shared_poll_hmac_secret_key[0] == '\0') {
        return "found \"shared_poll\", expected shared_poll.hmac_secret_key to be set";
    }
    *key = "shared_poll.proxy_name";
    if (!has_poll_backend(config, options)) {
        return "found the default, expected channel.proxy.shared_poll_refresh.endpoint to be set, "
               "or another name";
    }
    *key = "shared_poll.publish_enabled";
    if (options->shared_poll.publish_enabled &&
        options->shared_poll.mode != SHARED_POLL_VERSIONED) {
        return "found true, expected shared_poll.mode \"versioned\" beside it";
    }
    return NULL;
}

static void check_shared_poll(const struct config *config, const struct config_scope *scope,
                              struct config_report *report)
{
    const char *key;
    const char *what = find_odd_shared_poll(config, scope->values, &key);

    if (what != NULL) {
        const struct config_key *found = config_scope_find(scope, key);

        BUG_IF(found == NULL);
        config_report_error(report, &scope->origins[found - scope->keys], "%s%s: %s", scope->path,
                            key, what);
    }
}

static void check_shared_polls(struct config *config, struct config_report *report)
{
    struct config_scope scope = config_scope_without_namespace(config);

    check_shared_poll(config, &scope, report);
    for (size_t i = 0; i < config->namespaces_len; i++) {
        scope = config_scope_namespace(config, config->namespaces[i]);
        check_shared_poll(config, &scope, report);
    }
}

static void check_personal_channel(struct config *config, struct config_report *report)
{
    static const char key[] =
        "client.subscribe_to_user_personal_channel.personal_channel_namespace";
    const char *name = config->options.client.personal_channel.channel_namespace;
    char found[4 * CONFIG_REPORT_FOUND_MAX];

    if (name[0] != '\0' && config_find_namespace(config, name) == NULL) {
        config_report_error(report, config_origin_of(config, key),
                            "%s: found %s, expected the name of one of channel.namespaces", key,
                            config_report_quote(name, strlen(name), found));
    }
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
           strcmp(address, "[::1]") == 0 || strcmp(address, "localhost") == 0;
}

static void note_open_doors(struct config *config, struct config_report *report)
{
    const struct node_options *options = &config->options;

    const bool is_private = is_loopback(config->address);

    if (options->client.insecure && !is_private) {
        config_report_note(report, config_origin_of(config, "client.insecure"),
                           "client.insecure: everybody who reaches this node may do everything");
    }
    if (options->client.insecure_skip_token_signature_verify && !is_private) {
        config_report_note(report,
                           config_origin_of(config, "client.insecure_skip_token_signature_verify"),
                           "client.insecure_skip_token_signature_verify: everybody may be any "
                           "user");
    }
    if (options->http_api.insecure && !options->http_api.disabled &&
        !is_loopback(config_api_address(config))) {
        config_report_note(report, config_origin_of(config, "http_api.insecure"),
                           "http_api.insecure: everybody who reaches this node may call the server "
                           "API");
    }
}

static void check_metrics(struct config *config, struct config_report *report)
{
    const char *prefix = config->options.metrics_prefix;
    const size_t len = strspn(prefix, "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789");

    if (prefix[0] == '\0' || prefix[len] != '\0' || (prefix[0] >= '0' && prefix[0] <= '9')) {
        config_report_error(report, config_origin_of(config, "metrics.prefix"),
                            "metrics.prefix: found \"%s\", expected letters, digits and '_', the "
                            "first of them no digit",
                            prefix);
    }
}

/* They become labels as they are. */
static void check_client_names(struct config *config, struct config_report *report)
{
    static const char key[] = "prometheus.additional_client_names";
    const struct config_origin *origin = config_origin_of(config, key);
    const struct config_list *names = &config->additional_client_names;

    if (names->len > CLIENT_NAMES_ADDITIONAL_MAX) {
        config_report_error(report, origin, "%s: found %zu names, expected at most %d", key,
                            names->len, CLIENT_NAMES_ADDITIONAL_MAX);
    }
    for (size_t i = 0; i < names->len; i++) {
        const char *name = names->items[i];
        size_t len = 0;
        while (name[len] >= ' ' && name[len] < 0x7f && name[len] != '"' && name[len] != '\\') {
            len++;
        }
        if (len == 0 || name[len] != '\0') {
            config_report_error(report, origin,
                                "%s: found \"%s\", expected printable ASCII without quotes and "
                                "backslashes",
                                key, name);
        }
    }
}

void config_check(struct config *config, struct config_report *report)
{
    check_pings(config, report);
    check_sizes(config, report);
    check_paths(config, report);
    check_boundaries(config, report);
    check_metrics(config, report);
    check_client_names(config, report);
    check_histories(config, report);
    check_personal_channel(config, report);
    config_check_maps(config, report);
    check_shared_polls(config, report);
    config_check_tokens(config, report);
    note_open_doors(config, report);
}
