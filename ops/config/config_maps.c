/* SPDX-License-Identifier: Apache-2.0 */
/* What of a namespace's map options goes together, and what its presence channels lead to. */
#include "ops/config/config_maps.h"

#include <string.h>

#include "ops/config/config_scope.h"

/* How the empty text is read, behind the types. */
enum { TYPE_UNSET = CLIENT_SUBSCRIPTION_SHARED_POLL + 1 };

static unsigned type_of(const struct channel_options *options)
{
    const unsigned type = (unsigned)options->subscription_type;
    return type == TYPE_UNSET ? CLIENT_SUBSCRIPTION_STREAM : type;
}

static bool is_map(const struct channel_options *options)
{
    const unsigned type = type_of(options);
    return type != CLIENT_SUBSCRIPTION_STREAM && type != CLIENT_SUBSCRIPTION_SHARED_POLL;
}

void config_derive_map(struct channel_options *options)
{
    options->subscription_type = (enum client_subscription_type)type_of(options);
    if (is_map(options)) {
        map_options_complete(&options->map);
    } else {
        options->map.mode = MAP_NONE;
    }
}

/* NULL: nothing is at odds. *key is the one to look at; the others as well. */
static const char *find_odd_mode(const struct channel_options *options, const char **key)
{
    const struct map_options *map = &options->map;
    *key = "map.mode";
    if (is_map(options) && map->mode == MAP_NONE) {
        return "found nothing, expected a mode, since subscription_type is a map's";
    }
    if (map->mode == MAP_PERSISTENT && is_map(options) &&
        type_of(options) != CLIENT_SUBSCRIPTION_MAP) {
        return "found \"persistent\", expected a mode in which keys expire, since "
               "subscription_type is one of presence";
    }
    *key = "map.key_ttl";
    if ((map->mode == MAP_EPHEMERAL || map->mode == MAP_RECOVERABLE) && map->key_ttl_ms == 0) {
        return "found 0s, expected a duration, since keys expire in this map.mode";
    }
    if (map->mode == MAP_PERSISTENT && map->key_ttl_ms != 0) {
        return "found a duration, expected 0s, since keys stay in this map.mode";
    }
    *key = "batch_flush_latest";
    if (is_map(options) && options->batch_flush_latest) {
        return "found true, expected false, since a key does not replace another";
    }
    *key = "map.remove_client_on_unsubscribe";
    if (map->remove_client_on_unsubscribe && !is_map(options)) {
        return "found true, expected a subscription_type that is a map's beside it";
    }
    return NULL;
}

static const char *find_odd_stream(const struct channel_options *options, const char **key)
{
    const struct map_options *map = &options->map;
    struct map_options complete = *map;
    *key = "map.stream_size";
    if (map->mode == MAP_EPHEMERAL && map->stream_size > 0) {
        return "found a size, expected 0, since this map.mode has no stream";
    }
    *key = "map.stream_ttl";
    if (map->mode == MAP_EPHEMERAL && map->stream_ttl_ms > 0) {
        return "found a duration, expected 0s, since this map.mode has no stream";
    }
    *key = "map.meta_ttl";
    if (map->mode == MAP_EPHEMERAL && map->meta_ttl_ms > 0) {
        return "found a duration, expected 0s, since this map.mode has no stream";
    }
    if (map->mode == MAP_PERSISTENT && map->meta_ttl_ms > 0) {
        return "found a duration, expected 0s, since keys stay in this map.mode";
    }
    map_options_complete(&complete);
    if (map->meta_ttl_ms > 0 &&
        (map->meta_ttl_ms < complete.stream_ttl_ms || map->meta_ttl_ms < map->key_ttl_ms)) {
        return "found a shorter time than map.stream_ttl or map.key_ttl, expected a longer one";
    }
    return NULL;
}

static const char *find_odd_key(const struct channel_options *options, const char **key)
{
    const struct map_options *map = &options->map;
    *key = "map.client_key";
    if (map->client_key != MAP_KEY_AS_SAID && map->publish_proxy_enabled) {
        return "found a key, expected none beside map.publish_proxy_enabled, whose backend says "
               "the key";
    }
    if (map->client_key != MAP_KEY_AS_SAID && map->remove_proxy_enabled) {
        return "found a key, expected none beside map.remove_proxy_enabled, whose backend says "
               "the key";
    }
    return NULL;
}

static const char *find_odd_page(const struct channel_options *options, const char **key)
{
    const struct map_options *map = &options->map;
    *key = "map.min_page_size";
    if (map->max_page_size > 0 && map->min_page_size > map->max_page_size) {
        return "found more than map.max_page_size, expected no more";
    }
    *key = "map.default_page_size";
    if (map->max_page_size > 0 && map->default_page_size > map->max_page_size) {
        return "found more than map.max_page_size, expected no more";
    }
    if (map->default_page_size > 0 && map->default_page_size < map->min_page_size) {
        return "found less than map.min_page_size, expected no less";
    }
    return NULL;
}

static const struct config_origin *origin_of(const struct config_scope *scope, const char *key)
{
    const struct config_key *found = config_scope_find(scope, key);
    BUG_IF(found == NULL);
    return &scope->origins[found - scope->keys];
}

/* Who is entered into channels that begin with the prefix must find maps of that kind there. */
static void check_prefix(struct config *config, const struct config_scope *scope, const char *key,
                         const char *prefix, struct config_report *report)
{
    static const char *const expected[] = {"map_clients", "map_users"};
    const bool is_of_users = strcmp(key, "map_users_presence_channel_prefix") == 0;
    const unsigned type =
        is_of_users ? CLIENT_SUBSCRIPTION_MAP_USERS : CLIENT_SUBSCRIPTION_MAP_CLIENTS;
    const char *boundary = config->options.channel_namespace_boundary;
    const char *end = boundary[0] == '\0' ? NULL : strstr(prefix, boundary);
    char name[CONFIG_NAMESPACE_NAME_MAX + 1];
    char found[4 * CONFIG_REPORT_FOUND_MAX];
    const struct channel_options *target = &config->options.without_namespace;

    if (prefix[0] == '\0') {
        return;
    }
    if (end != NULL) {
        snprintf(name, sizeof(name), "%.*s", (int)(end - prefix), prefix);
        const struct config_namespace *named = config_find_namespace(config, name);
        target = named == NULL ? NULL : &named->options;
    }
    if (target == NULL || type_of(target) != type) {
        config_report_error(report, origin_of(scope, key),
                            "%s%s: found %s, expected the beginning of channels whose namespace "
                            "has the subscription_type \"%s\"",
                            scope->path, key, config_report_quote(prefix, strlen(prefix), found),
                            expected[is_of_users]);
    }
}

static void check_map(struct config *config, const struct config_scope *scope,
                      struct config_report *report)
{
    const struct channel_options *options = scope->values;
    const char *(*const finders[])(const struct channel_options *,
                                   const char **) = {find_odd_mode, find_odd_stream, find_odd_key,
                                                     find_odd_page};

    for (size_t i = 0; i < sizeof(finders) / sizeof(finders[0]); i++) {
        const char *key;
        const char *what = finders[i](options, &key);
        if (what != NULL) {
            config_report_error(report, origin_of(scope, key), "%s%s: %s", scope->path, key, what);
        }
    }
    check_prefix(config, scope, "map_clients_presence_channel_prefix",
                 options->map_clients_presence_channel_prefix, report);
    check_prefix(config, scope, "map_users_presence_channel_prefix",
                 options->map_users_presence_channel_prefix, report);
}

void config_check_maps(struct config *config, struct config_report *report)
{
    struct config_scope scope = config_scope_without_namespace(config);

    check_map(config, &scope, report);
    for (size_t i = 0; i < config->namespaces_len; i++) {
        scope = config_scope_namespace(config, config->namespaces[i]);
        check_map(config, &scope, report);
    }
}
