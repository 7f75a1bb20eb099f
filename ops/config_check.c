/* SPDX-License-Identifier: Apache-2.0 */
/* Rules between the keys of a configuration. */
#include "ops/config_check.h"

#include <string.h>

#include "ops/config_scope.h"

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

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
           strcmp(address, "[::1]") == 0 || strcmp(address, "localhost") == 0;
}

static void note_open_doors(struct config *config, struct config_report *report)
{
    const struct node_options *options = &config->options;

    if (is_loopback(config->address)) {
        return;
    }
    if (options->client.insecure) {
        config_report_note(report, config_origin_of(config, "client.insecure"),
                           "client.insecure: everybody who reaches this node may do everything");
    }
    if (options->client.insecure_skip_token_signature_verify) {
        config_report_note(report,
                           config_origin_of(config, "client.insecure_skip_token_signature_verify"),
                           "client.insecure_skip_token_signature_verify: everybody may be any "
                           "user");
    }
    if (options->http_api.insecure && !options->http_api.disabled) {
        config_report_note(report, config_origin_of(config, "http_api.insecure"),
                           "http_api.insecure: everybody who reaches this node may call the server "
                           "API");
    }
}

void config_check(struct config *config, struct config_report *report)
{
    check_pings(config, report);
    check_sizes(config, report);
    check_paths(config, report);
    check_boundaries(config, report);
    note_open_doors(config, report);
}
