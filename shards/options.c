/* SPDX-License-Identifier: Apache-2.0 */
/* The defaults of a node. */
#include "shards/options.h"

#include <string.h>

static const struct token_options token_defaults = {
    .hmac_secret_key = "",
    .hmac_previous_secret_key = "",
    .rsa_public_key = "",
    .ecdsa_public_key = "",
    .eddsa_public_key = "",
    .audience = "",
    .audience_regex = "",
    .issuer = "",
    .issuer_regex = "",
    .user_id_claim = "",
};

static void client_options_init(struct client_options *client)
{
    client->ping_interval_ms = 25 * 1000;
    client->pong_timeout_ms = 8 * 1000;
    client->stale_close_delay_ms = 10 * 1000;
    client->expired_close_delay_ms = 25 * 1000;
    client->expired_sub_close_delay_ms = 25 * 1000;
    client->presence_update_interval_ms = 27 * 1000;
    client->channel_limit = 128;
    client->queue_max_size = 1 << 20;
    client->history_max_publication_limit = 300;
    client->recovery_max_publication_limit = 300;
    client->user_id_http_header = "";
    client->personal_channel.channel_namespace = "";
    client->token = token_defaults;
    client->subscription_token = token_defaults;
}

static void transport_options_init(struct node_options *options)
{
    static const char *const prefixes[TRANSPORTS] = {
        [TRANSPORT_WEBSOCKET] = "",
        [TRANSPORT_HTTP_STREAM] = "/connection/http_stream",
        [TRANSPORT_SSE] = "/connection/sse",
        [TRANSPORT_UNI_WEBSOCKET] = "/connection/uni_websocket",
        [TRANSPORT_UNI_HTTP_STREAM] = "/connection/uni_http_stream",
        [TRANSPORT_UNI_SSE] = "/connection/uni_sse",
    };
    for (size_t i = 0; i < TRANSPORTS; i++) {
        options->transports[i].handler_prefix = prefixes[i];
        options->transports[i].request_size_limit = 65536;
        options->transports[i].inflated_size_limit = 65536;
    }
    options->emulation.handler_prefix = "/emulation";
    options->emulation.max_request_body_size = 65536;
    options->fallback_memory_limit = 256 << 20;
    options->init_handler_prefix = "/connection/init";
}

static void cluster_options_init(struct cluster_options *cluster)
{
    cluster->name = "roost";
    cluster->zone = "";
    cluster->weight = 1;
    cluster->client_address = "";
}

static void webhook_options_init(struct webhook_options *webhooks)
{
    webhooks->secret = "";
    webhooks->vacated_delay_ms = 5 * 1000;
    webhooks->batch_max_delay_ms = 100;
    webhooks->batch_max_events = 1000;
    webhooks->queue_max_size = 64 << 20;
    webhooks->queue_max_events = 1000000;
    webhooks->flush_timeout_ms = 5 * 1000;
}

void node_options_init(struct node_options *options)
{
    memset(options, 0, sizeof(*options));
    options->name = "";
    options->version = "";
    options->listen.family = 4;
    options->listen.port = 8000;
    options->shards = 1;
    options->shutdown_timeout_ms = 30 * 1000;
    cluster_options_init(&options->cluster);
    client_options_init(&options->client);

    options->websocket.handler_prefix = "/connection/websocket";
    options->websocket.message_size_limit = 65536;
    /* A client that compresses may say no more than one that does not. */
    options->websocket.inflated_size_limit = 65536;
    options->websocket.compression_level = 1;
    transport_options_init(options);
    options->echo.path = "/echo";
    options->rpc_without_namespace.name = "";
    options->rpc_namespace_boundary = ":";
    options->rpc_ping_method = "ping";
    webhook_options_init(&options->webhooks);
    options->http_api.handler_prefix = "/api";
    options->http_api.key = "";
    options->http_api.max_request_body_size = 10 << 20;
    options->health_handler_prefix = "/health";
    options->prometheus_handler_prefix = "/metrics";
    options->metrics_prefix = "roost";

    options->channel_max_length = 255;
    options->history_memory_limit = 1ull << 30;
    options->map_memory_limit = 1ull << 30;
    options->map_max_keys = 100000;
    options->map_max_size = 64ull << 20;
    options->channel_history_meta_ttl_ms = 720ull * 3600 * 1000;
    options->channel_private_prefix = "$";
    options->channel_namespace_boundary = ":";
    options->channel_user_boundary = "#";
    options->channel_user_separator = ",";
    options->without_namespace.name = "";
    options->without_namespace.map_clients_presence_channel_prefix = "";
    options->without_namespace.map_users_presence_channel_prefix = "";
    options->shared_poll_hmac_secret_key = "";
    options->shared_poll_hmac_previous_secret_key = "";
    options->without_namespace.shared_poll.proxy_name = "";
    shared_poll_options_complete(&options->without_namespace.shared_poll);
}

static uint32_t or_else(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

void map_options_complete(struct map_options *map)
{
    if (map_has_stream(map)) {
        map->stream_size = or_else(map->stream_size, 100);
        map->stream_ttl_ms = map->stream_ttl_ms != 0 ? map->stream_ttl_ms : 60 * 1000;
    }
    if (map->mode == MAP_RECOVERABLE && map->meta_ttl_ms == 0) {
        const uint64_t ttl_ms = 10 * map->stream_ttl_ms;
        map->meta_ttl_ms = ttl_ms > map->key_ttl_ms ? ttl_ms : map->key_ttl_ms;
    }
    map->min_page_size = or_else(map->min_page_size, 100);
    map->max_page_size = or_else(map->max_page_size, 1000);
    map->default_page_size = or_else(map->default_page_size, 100);
    map->live_transition_max_publication_limit =
        or_else(map->live_transition_max_publication_limit, map->max_page_size);
    if (map->subscribe_catch_up_timeout_ms == 0) {
        map->subscribe_catch_up_timeout_ms = 5 * 1000;
    }
}

void channel_options_of_wildcard(const struct channel_options *options, struct channel_options *out)
{
    *out = *options;
    out->is_wildcard = true;
    out->channel_pattern = NULL; /* It is about what they stand for. */
    out->wildcard_max_depth = 0;
    out->wildcard = NULL;
    out->allow_subscribe_for_client = options->allow_wildcard_subscribe_for_client;
    out->allow_subscribe_for_anonymous = options->allow_wildcard_subscribe_for_anonymous;
    out->allow_user_limited_channels = false;
    /* Nothing is published in them but what is passed on, */
    out->allow_publish_for_subscriber = false;
    out->allow_publish_for_client = false;
    out->publish_proxy = NULL;
    out->subscription_type = CLIENT_SUBSCRIPTION_STREAM;
    out->map.mode = MAP_NONE;
    out->map_clients_presence_channel_prefix = "";
    out->map_users_presence_channel_prefix = "";
    /* and one publication of many channels neither replaces nor resembles the one before. */
    out->batch_flush_latest = false;
    out->allowed_delta_types = 0;
    out->delta_publish = false;
    if (!options->allow_wildcard_subscribe_by_proxy) {
        out->subscribe_proxy = NULL;
    }
}

static uint64_t or_else_ms(uint64_t value_ms, uint64_t otherwise_ms)
{
    return value_ms != 0 ? value_ms : otherwise_ms;
}

void shared_poll_options_complete(struct shared_poll_options *shared_poll)
{
    shared_poll->refresh_interval_ms = or_else_ms(shared_poll->refresh_interval_ms, 10 * 1000);
    shared_poll->refresh_batch_size = or_else(shared_poll->refresh_batch_size, 1000);
    shared_poll->max_keys_per_connection = or_else(shared_poll->max_keys_per_connection, 5000);
    shared_poll->channel_shutdown_delay_ms =
        or_else_ms(shared_poll->channel_shutdown_delay_ms, 1000);
    shared_poll->track_expired_extra_delay_ms =
        or_else_ms(shared_poll->track_expired_extra_delay_ms, 25 * 1000);
}
