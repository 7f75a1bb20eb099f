/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration's life: defaults, --dev, flags, and the node's options that come out of it. */
#include "ops/config/config.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "ops/config/config_api_keys.h"
#include "ops/config/config_channel_names.h"
#include "ops/config/config_check.h"
#include "ops/config/config_cluster.h"
#include "ops/config/config_listen.h"
#include "ops/config/config_maps.h"
#include "ops/config/config_rate_limits.h"
#include "ops/config/config_scope.h"
#include "ops/config/config_uni.h"
#include "ops/version.h"
#include "ops/web_assets.h"
#include "runtime/limits.h"

/* Defaults come from a table that is part of the program: one that is refused is a programmer's
 * error. */
bool config_scope_set_defaults(const struct config_scope *scope)
{
    for (size_t i = 0; i < scope->keys_len; i++) {
        const struct config_key *key = &scope->keys[i];

        if (!config_value_parse(key, key->initial, strlen(key->initial), scope->values,
                                scope->texts)) {
            return false;
        }
        scope->origins[i] = (struct config_origin){.source = CONFIG_FROM_DEFAULT};
    }
    return true;
}

bool config_init(struct config *config)
{
    memset(config, 0, sizeof(*config));
    node_options_init(&config->options);
    config->options.version = ROOST_VERSION;
    config->options.without_namespace.name = "";

    struct config_scope root = config_scope_root(config);
    struct config_scope without_namespace = config_scope_without_namespace(config);

    return config_scope_set_defaults(&root) && config_scope_set_defaults(&without_namespace);
}

void config_free(struct config *config)
{
    config_free_channel_names(config);
    config_texts_free(&config->texts);
    memset(config, 0, sizeof(*config));
}

struct config_namespace *config_find_namespace(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->namespaces_len; i++) {
        if (strcmp(config->namespaces[i]->options.name, name) == 0) {
            return config->namespaces[i];
        }
    }
    return NULL;
}

struct config_namespace *config_add_namespace(struct config *config, const char *name,
                                              const struct config_origin *origin)
{
    if (config->namespaces_len == CONFIG_NAMESPACES_MAX) {
        return NULL;
    }
    struct config_namespace *added = config_texts_allocate(&config->texts, sizeof(*added));

    if (added == NULL) {
        return NULL;
    }
    added->options.name = config_texts_keep(&config->texts, name, strlen(name));
    added->origin = *origin;
    if (added->options.name == NULL) {
        return NULL;
    }
    struct config_scope scope = config_scope_namespace(config, added);

    if (!config_scope_set_defaults(&scope)) {
        return NULL;
    }
    config->namespaces[config->namespaces_len++] = added;
    return added;
}

static void set_dev(const struct config_scope *scope, const char *const pairs[][2], size_t len,
                    struct config_report *report)
{
    const struct config_origin origin = {.source = CONFIG_FROM_DEV};

    for (size_t i = 0; i < len; i++) {
        const struct config_key *key = config_scope_find(scope, pairs[i][0]);

        BUG_IF(key == NULL);
        config_scope_set(scope, key, pairs[i][1], &origin, report);
    }
}

void config_read_dev(struct config *config, struct config_report *report)
{
    static const char *const of_node[][2] = {
        {"http_server.address", "127.0.0.1"},
        {"client.allowed_origins", "*"},
        {"client.allow_anonymous_connect_without_token", "true"},
        {"client.token.hmac_secret_key", "dev-secret"},
        {"http_api.key", "dev-api-key"},
        {"websocket.compression", "true"},
        {"http_stream.enabled", "true"},
        {"sse.enabled", "true"},
        {"websocket.compression_min_size", "256"},
        {"health.enabled", "true"},
        {"prometheus.enabled", "true"},
        {"echo.enabled", "true"},
        {"demo.enabled", "true"},
        /* Ctrl-C of a developer who still has a page open should not take half a minute. */
        {"shutdown.timeout", "3s"},
    };
    static const char *const of_channels[][2] = {
        {"presence", "true"},
        {"join_leave", "true"},
        {"force_push_join_leave", "true"},
        {"allow_subscribe_for_client", "true"},
        {"allow_subscribe_for_anonymous", "true"},
        {"allow_publish_for_subscriber", "true"},
        {"allow_publish_for_client", "true"},
        {"allow_publish_for_anonymous", "true"},
        {"allow_presence_for_subscriber", "true"},
        {"allow_presence_for_client", "true"},
        {"allow_presence_for_anonymous", "true"},
        {"allow_user_limited_channels", "true"},
    };
    const size_t of_channels_len = sizeof(of_channels) / sizeof(of_channels[0]);
    const struct config_origin origin = {.source = CONFIG_FROM_DEV};
    struct config_scope root = config_scope_root(config);
    struct config_scope without_namespace = config_scope_without_namespace(config);
    struct config_namespace *chat = config_declare_namespace(config, "chat", &origin, report);

    set_dev(&root, of_node, sizeof(of_node) / sizeof(of_node[0]), report);
    set_dev(&without_namespace, of_channels, of_channels_len, report);
    if (chat != NULL) {
        struct config_scope scope = config_scope_namespace(config, chat);

        set_dev(&scope, of_channels, of_channels_len, report);
    }
}

void config_read_flag(struct config *config, const char *flag, const char *key, const char *value,
                      struct config_report *report)
{
    const struct config_origin origin = {.source = CONFIG_FROM_FLAG, .name = flag};
    struct config_scope root = config_scope_root(config);
    const struct config_key *found = config_scope_find(&root, key);

    if (found != NULL) {
        config_scope_set(&root, found, value, &origin, report);
        return;
    }
    const struct config_foreign *foreign = config_scope_find_foreign_above(&root, key);

    if (foreign == NULL) {
        config_scope_report_unknown(&root, key, &origin, report);
    } else if (!config_foreign_is_off(foreign->initial, value)) {
        config_foreign_refuse(&root, foreign->path, &origin, report);
    }
}

static uint32_t allowed_cores(void)
{
    cpu_set_t cores;

    if (sched_getaffinity(0, sizeof(cores), &cores) != 0) {
        long count = sysconf(_SC_NPROCESSORS_ONLN);

        return count < 1 ? 1 : (uint32_t)count;
    }
    return (uint32_t)CPU_COUNT(&cores);
}

/* What is not said is what the machine is. */
static bool derive_from_machine(struct config *config)
{
    const struct config_origin machine = {.source = CONFIG_FROM_MACHINE};
    char host[128] = "";
    char name[160];

    config->cores = allowed_cores();
    if (config->options.shards == 0) {
        config->options.shards = config->cores < SHARDS_MAX ? config->cores : SHARDS_MAX - 1;
        *config_origin_of(config, "runtime.shards") = machine;
    }
    if (config->options.name[0] == '\0') {
        gethostname(host, sizeof(host) - 1);
        snprintf(name, sizeof(name), "%s_%u", host[0] == '\0' ? "roost" : host, config->port);
        config->options.name = config_texts_keep(&config->texts, name, strlen(name));
        *config_origin_of(config, "node.name") = machine;
    }
    return config->options.name != NULL;
}

static void derive_congestion_control(struct config *config, struct config_report *report)
{
    static const char key[] = "runtime.tcp_congestion_control";
    char found[4 * CONFIG_REPORT_FOUND_MAX];
    const char *name = config->tcp_congestion_control;

    if (name[0] != '\0' && !poller_has_congestion_control(name)) {
        config_report_error(report, config_origin_of(config, key),
                            "%s: found %s, which is not in "
                            "net.ipv4.tcp_available_congestion_control, or not allowed to this "
                            "user",
                            key, config_report_quote(name, strlen(name), found));
    }
}

static bool derive_wildcard(struct config *config, struct channel_options *options)
{
    if (options->wildcard_max_depth == 0) {
        return true;
    }
    struct channel_options *wildcard = config_texts_allocate(&config->texts, sizeof(*wildcard));

    if (wildcard != NULL) {
        channel_options_of_wildcard(options, wildcard);
        options->wildcard = wildcard;
    }
    return wildcard != NULL;
}

static void derive_channels(struct config *config, struct config_report *report)
{
    struct channel_options *namespaces =
        config_texts_allocate(&config->texts, (config->namespaces_len + 1) * sizeof(*namespaces));
    enum publication_data_format format =
        (enum publication_data_format)config->publication_data_format;
    bool has_memory = true;

    if (namespaces == NULL) {
        config_report_error(report, NULL, "memory is out");
        return;
    }
    for (size_t i = 0; i < config->namespaces_len; i++) {
        namespaces[i] = config->namespaces[i]->options;
        config_derive_map(&namespaces[i]);
        shared_poll_options_complete(&namespaces[i].shared_poll);
        if (namespaces[i].publication_data_format == PUBLICATION_DATA_NOT_EMPTY) {
            namespaces[i].publication_data_format = format;
        }
        has_memory = derive_wildcard(config, &namespaces[i]) && has_memory;
    }
    config->options.namespaces = namespaces;
    config->options.namespaces_len = config->namespaces_len;
    config_derive_map(&config->options.without_namespace);
    shared_poll_options_complete(&config->options.without_namespace.shared_poll);
    if (config->options.without_namespace.publication_data_format == PUBLICATION_DATA_NOT_EMPTY) {
        config->options.without_namespace.publication_data_format = format;
    }
    if (!derive_wildcard(config, &config->options.without_namespace) || !has_memory) {
        config_report_error(report, NULL, "memory is out");
    }
}

static void derive_web_files(struct config *config, struct config_report *report)
{
    config->options.web_files = NULL;
    config->options.web_files_len = 0;
    if (!config->demo_enabled) {
        return;
    }
    struct web_file *files =
        config_texts_allocate(&config->texts, (web_assets_len + 1) * sizeof(*files));

    if (files == NULL) {
        config_report_error(report, NULL, "memory is out");
        return;
    }
    for (size_t i = 0; i < web_assets_len; i++) {
        files[i] = (struct web_file){.path = web_assets[i].path,
                                     .content_type = web_assets[i].content_type,
                                     .bytes = web_assets[i].bytes,
                                     .len = web_assets[i].len};
    }
    config->options.web_files = files;
    config->options.web_files_len = web_assets_len;
}

void config_finish(struct config *config, struct config_report *report)
{
    struct node_options *options = &config->options;
    uint64_t inflated = 10ull * options->websocket.message_size_limit;

    config_check(config, report);
    if (!derive_from_machine(config)) {
        config_report_error(report, NULL, "memory is out");
    }
    config_derive_listeners(config, report);
    config_derive_cluster(config, report);
    derive_congestion_control(config, report);
    config_derive_proxies(config, report);
    config_derive_api_keys(config, report);
    config_derive_uni(config, report);
    config_derive_rate_limits(config, report);
    config_derive_channel_names(config, report);
    derive_channels(config, report);
    derive_web_files(config, report);
    options->client.allowed_origins = config->allowed_origins.items;
    options->client.allowed_origins_len = config->allowed_origins.len;
    options->additional_client_names = config->additional_client_names.items;
    options->additional_client_names_len = config->additional_client_names.len;
    options->http_api.error_mode_transport = config->http_api_error_mode == 1;
    if (options->websocket.inflated_size_limit == 0) {
        options->websocket.inflated_size_limit =
            inflated > UINT32_MAX ? UINT32_MAX : (uint32_t)inflated;
        *config_origin_of(config, "websocket.decompressed_message_size_limit") =
            *config_origin_of(config, "websocket.message_size_limit");
    }
}
