/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of Centrifugo 6 that roost does not have yet, by name, and under which values they are
 * harmless.
 *
 * A file that was written for Centrifugo is either served as it says or refused with the reason;
 * nothing that it asks for is dropped in silence.
 */
#include "ops/config/config_keys_proxy.h"
#include "ops/config/config_keys.h"

#define VALUE(path_, initial_) \
    { \
        .path = path_, .kind = FOREIGN_VALUE, .initial = initial_ \
    }
#define SECTION(path_) \
    { \
        .path = path_, .kind = FOREIGN_SECTION, .initial = "" \
    }
#define SWITCHED(path_) \
    { \
        .path = path_, .kind = FOREIGN_GATED, .initial = "false", .gate = "enabled" \
    }
#define TYPED(path_, type_) \
    { \
        .path = path_, .kind = FOREIGN_GATED, .initial = type_, .gate = "type" \
    }
#define ASKED(path_) \
    { \
        .path = path_, .kind = FOREIGN_GATED, .initial = "", .gate = "endpoint" \
    }
#define TUNING(path_) \
    { \
        .path = path_, .kind = FOREIGN_TUNING, .initial = "" \
    }

#define FOREIGN_TOKEN_KEYS(path_) VALUE(path_ "insecure_skip_jwks_endpoint_safety_check", "false")

const struct config_foreign config_foreign_keys[] = {
    SWITCHED("http_server.tls"),
    SWITCHED("http_server.tls_autocert"),
    VALUE("http_server.tls_external", "false"),
    SWITCHED("http_server.internal_tls"),
    SWITCHED("http_server.http3"),
    VALUE("http_server.h2c_external", "false"),
    VALUE("log.file", ""),
    TYPED("engine", "memory"),
    SWITCHED("broker"),
    SWITCHED("presence_manager"),
    TYPED("map_broker", "memory"),
    SWITCHED("controller"),

    PROXY_FOREIGN_KEYS("client.proxy.connect."),
    PROXY_FOREIGN_KEYS("client.proxy.refresh."),
    PROXY_FOREIGN_KEYS("client.proxy.state."),
    FOREIGN_TOKEN_KEYS("client.token."),
    FOREIGN_TOKEN_KEYS("client.subscription_token."),
    TUNING("client.concurrency"),
    TUNING("client.channel_position_check_delay"),
    VALUE("client.channel_position_max_time_lag", "0s"),

    PROXY_FOREIGN_KEYS("channel.proxy.subscribe."),
    PROXY_FOREIGN_KEYS("channel.proxy.publish."),
    PROXY_FOREIGN_KEYS("channel.proxy.sub_refresh."),
    PROXY_FOREIGN_KEYS("channel.proxy.state."),
    PROXY_FOREIGN_KEYS("channel.proxy.shared_poll_refresh."),
    PROXY_FOREIGN_KEYS("channel.proxy.map_publish."),
    PROXY_FOREIGN_KEYS("channel.proxy.map_remove."),
    ASKED("channel.proxy.subscribe_stream"),
    SECTION("channel.proxy.cache_empty"),
    PROXY_FOREIGN_KEYS("rpc.proxy."),
    SECTION("consumers"),

    TUNING("websocket.read_buffer_size"),
    TUNING("websocket.write_buffer_size"),
    TUNING("websocket.use_write_buffer_pool"),
    TUNING("websocket.write_timeout"),

    SWITCHED("grpc_api"),
    SWITCHED("webtransport"),
    TUNING("uni_websocket.compression_level"),
    TUNING("uni_websocket.read_buffer_size"),
    TUNING("uni_websocket.write_buffer_size"),
    TUNING("uni_websocket.use_write_buffer_pool"),
    TUNING("uni_websocket.write_timeout"),
    TUNING("uni_websocket.join_push_messages"),
    SWITCHED("uni_grpc"),
    SWITCHED("admin"),
    SWITCHED("swagger"),
    SWITCHED("debug"),
    SWITCHED("opentelemetry"),
    SWITCHED("graphite"),
    TUNING("usage_stats"),
    TUNING("prometheus.instrument_http_handlers"),
    TUNING("prometheus.recovered_publications_histogram"),
    VALUE("prometheus.native_histograms", "false"),
    TUNING("node.info_metrics_aggregate_interval"),
    VALUE("pid_file", ""),
    VALUE("enable_unreleased_features", "false"),
};
const size_t config_foreign_keys_len = sizeof(config_foreign_keys) / sizeof(config_foreign_keys[0]);

const struct config_foreign config_foreign_channel_keys[] = {
    VALUE("subscribe_stream_proxy_enabled", "false"),
    VALUE("subscribe_stream_proxy_name", "default"),
    VALUE("subscribe_stream_proxy_bidirectional", "false"),
};
const size_t config_foreign_channel_keys_len =
    sizeof(config_foreign_channel_keys) / sizeof(config_foreign_channel_keys[0]);

const struct config_foreign config_foreign_proxy_keys[] = {PROXY_FOREIGN_KEYS("")};
const size_t config_foreign_proxy_keys_len =
    sizeof(config_foreign_proxy_keys) / sizeof(config_foreign_proxy_keys[0]);
