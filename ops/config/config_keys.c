/* SPDX-License-Identifier: Apache-2.0 */
/* The declarative table of every configuration key: type, range, default, destination, and one line
 * of help. */
#include "ops/config/config_keys.h"

#include <assert.h>

#include "codec/jwt.h"
#include "ops/config/config.h"
#include "ops/config/config_keys_proxy.h"
#include "ops/config/config_keys_shared_poll.h"
#include "ops/config/config_keys_streams.h"
#include "ops/config/config_keys_tokens.h"
#include "shards/limits.h"

enum {
    SECOND = 1000,
    HOUR = 3600 * SECOND,
    PATH_BYTES_MAX = 200,
    SECRET_BYTES_MAX = 4096,
    NAME_BYTES_MAX = 256,
    ADDRESS_BYTES_MAX = 64,
    FILE_BYTES_MAX = 1024,
    HISTORY_SIZE_MAX = 1 << 20,
};
#define DAYS_MAX (365ull * 24 * HOUR)
#define COUNT_MAX 0xffffffffull
#define SIZE_BYTES_MAX (1ull << 30)
#define MEMORY_BYTES_MAX (1ull << 50)

/* In the order of enum log_level, and then those that Centrifugo has beside them. */
static const char *const log_levels[] = {"debug", "info",  "warn", "error",
                                         "trace", "fatal", "none", NULL};
static const char *const error_modes[] = {"", "transport", NULL};
/* In the order of enum publication_data_format. */
static const char *const data_formats[] = {"", "json", "json_object", "binary", NULL};

/* In the order of enum recovery_mode; nothing is the first of them. */
static const char *const recovery_modes[] = {"stream", "cache", "", NULL};

/* In the order of enum client_subscription_type; nothing is the first of them. */
static const char *const subscription_types[] = {"stream",      "map", "map_clients", "map_users",
                                                 "shared_poll", "",    NULL};
/* In the order of enum map_mode, and of enum map_client_key. */
static const char *const map_modes[] = {"", "ephemeral", "recoverable", "persistent", NULL};
static const char *const map_client_keys[] = {"", "client_id", "user_id", NULL};

/* In the order of enum delta_type. */
static const char *const delta_types[] = {"fossil", NULL};

#define AT(field) .offset = offsetof(struct config, field)
#define NODE(field) .offset = offsetof(struct config, options.field)
#define BOOL(path_, where, initial_, help_) \
    { \
        .path = path_, .type = CONFIG_BOOL, where, .initial = initial_, .help = help_ \
    }
#define NUMBER(path_, where, min_, max_, initial_, help_) \
    { \
        .path = path_, .type = CONFIG_NUMBER, where, .min = min_, .max = max_, \
        .initial = initial_, .help = help_ \
    }
#define SIZE(path_, where, min_, max_, initial_, help_) \
    { \
        .path = path_, .type = CONFIG_SIZE, where, .min = min_, .max = max_, .initial = initial_, \
        .help = help_ \
    }
#define MEMORY(path_, where, min_, max_, initial_, help_) \
    { \
        .path = path_, .type = CONFIG_MEMORY, where, .min = min_, .max = max_, \
        .initial = initial_, .help = help_ \
    }
#define DURATION(path_, where, min_, max_, initial_, help_) \
    { \
        .path = path_, .type = CONFIG_DURATION, where, .min = min_, .max = max_, \
        .initial = initial_, .help = help_ \
    }
#define STRING(path_, where, max_, initial_, help_) \
    { \
        .path = path_, .type = CONFIG_STRING, where, .max = max_, .initial = initial_, \
        .help = help_ \
    }
#define SECRET(path_, where, help_) \
    { \
        .path = path_, .type = CONFIG_STRING, where, .is_secret = true, .max = SECRET_BYTES_MAX, \
        .initial = "", .help = help_ \
    }
#define LIST(path_, where, max_, help_) \
    { \
        .path = path_, .type = CONFIG_LIST, where, .max = max_, .initial = "", .help = help_ \
    }
#define CHOICE(path_, where, choices_, initial_, help_) \
    { \
        .path = path_, .type = CONFIG_CHOICE, where, .choices = choices_, .initial = initial_, \
        .help = help_ \
    }

const struct config_key config_keys[] = {
    STRING("http_server.address", AT(address), 64, "",
           "Address to listen on; empty: all IPv4 addresses of the machine, `::`: all IPv6 ones."),
    NUMBER("http_server.port", AT(port), 1, 65535, "8000", "Port to listen on."),
    STRING("http_server.internal_port", AT(internal_port), 64, "",
           "Port of the server API, the metrics and the health check alone; empty: that of all."),
    STRING("http_server.internal_address", AT(internal_address), 64, "",
           "Their address; empty: that of all."),
    STRING("node.name", NODE(name), NAME_BYTES_MAX, "",
           "Name of the node; empty: the host's name and the port."),
    NUMBER("runtime.shards", NODE(shards), 0, SHARDS_MAX - 1, "0",
           "Shards that serve clients; 0: one for each core that the process may use."),
    BOOL("runtime.pin", AT(runtime_pin), "true",
         "Pin each shard to a core, as long as there is a core for each."),
    STRING("runtime.tcp_congestion_control", AT(tcp_congestion_control), 15, "",
           "Congestion control of the connections that are accepted; empty: the system's."),
    BOOL("runtime.io_uring", AT(runtime_io_uring), "true",
         "Send by the batch through io_uring, where the kernel has and allows it."),
    DURATION("shutdown.timeout", NODE(shutdown_timeout_ms), 0, 24ull * HOUR, "30s",
             "How long a stopping node waits for its clients to leave."),
    CHOICE("log.level", AT(log_level), log_levels, "info",
           "Least level of the lines of the log; trace is debug, fatal and none are error."),

    LIST("client.allowed_origins", AT(allowed_origins), 512,
         "Patterns (`*`) of the origins of web pages that may connect; none: no browser."),
    DURATION("client.ping_interval", NODE(client.ping_interval_ms), 0, 24ull * HOUR, "25s",
             "Time between two pings of the server; 0s: none."),
    DURATION("client.pong_timeout", NODE(client.pong_timeout_ms), 0, 24ull * HOUR, "8s",
             "Time that a client has to answer a ping; 0s: it need not."),
    DURATION("client.stale_close_delay", NODE(client.stale_close_delay_ms), 0, 24ull * HOUR, "10s",
             "Time that a connection has to authenticate."),
    DURATION("client.expired_close_delay", NODE(client.expired_close_delay_ms), 0, DAYS_MAX, "25s",
             "Time that a client has to refresh an expired token."),
    DURATION("client.expired_sub_close_delay", NODE(client.expired_sub_close_delay_ms), 0, DAYS_MAX,
             "25s", "The same for an expired subscription."),
    DURATION("client.presence_update_interval", NODE(client.presence_update_interval_ms), SECOND,
             HOUR, "27s", "After which time presence in map channels is told again."),
    NUMBER("client.channel_limit", NODE(client.channel_limit), 1, 1 << 20, "128",
           "Subscriptions of one client."),
    SIZE("client.queue_max_size", NODE(client.queue_max_size), 1024, SIZE_BYTES_MAX, "1048576",
         "Bytes that may wait for one client before it is disconnected as slow."),
    NUMBER("client.connection_limit", NODE(client.connection_limit), 0, COUNT_MAX, "0",
           "Connections of the node; 0: no limit."),
    NUMBER("client.user_connection_limit", NODE(client.user_connection_limit), 0, COUNT_MAX, "0",
           "Connections of one user on the node; 0: no limit."),
    NUMBER("client.connection_rate_limit", NODE(client.connection_rate_limit), 0, COUNT_MAX, "0",
           "New connections of the node in a second; 0: no limit."),
    {.path = "client.rate_limit",
     .type = CONFIG_TREE,
     AT(rate_limits),
     .initial = "",
     .help = "How often a connection (`client_command`), and a user on the whole cluster "
             "(`user_command`) may do what, and how many errors end a connection "
             "(`client_error`): see README.md."},
    NUMBER("client.history_max_publication_limit", NODE(client.history_max_publication_limit), 0,
           COUNT_MAX, "300", "Publications that a client may ask for at once; 0: no limit."),
    NUMBER("client.recovery_max_publication_limit", NODE(client.recovery_max_publication_limit), 0,
           COUNT_MAX, "300",
           "Publications that a client may have missed and still recover; 0: no limit."),
    BOOL("client.connect_include_server_time", NODE(client.connect_include_server_time), "false",
         "Tell the server's time in the connect reply."),
    BOOL("client.allow_anonymous_connect_without_token",
         NODE(client.allow_anonymous_connect_without_token), "false",
         "Let clients connect without a token, as the anonymous user."),
    BOOL("client.disallow_anonymous_connection_tokens",
         NODE(client.disallow_anonymous_connection_tokens), "false",
         "Refuse tokens without a user id."),
    BOOL("client.insecure", NODE(client.insecure), "false",
         "Allow everything to everybody; for development."),
    BOOL("client.insecure_skip_token_signature_verify",
         NODE(client.insecure_skip_token_signature_verify), "false",
         "Believe every token without looking at its signature; for development."),
    STRING("client.user_id_http_header", NODE(client.user_id_http_header), 128, "",
           "Header in which a trusted proxy hands in the user id."),
    BOOL("client.subscribe_to_user_personal_channel.enabled", NODE(client.personal_channel.enabled),
         "false", "Subscribe every connection of a user to a channel of its own: `#<user>`."),
    STRING("client.subscribe_to_user_personal_channel.personal_channel_namespace",
           NODE(client.personal_channel.channel_namespace), CONFIG_NAMESPACE_NAME_MAX, "",
           "Namespace of that channel."),
    BOOL("client.subscribe_to_user_personal_channel.single_connection",
         NODE(client.personal_channel.single_connection), "false",
         "A new connection of a user ends its others (3504)."),
    BOOL("client.connect_code_to_unidirectional_disconnect.enabled", AT(uni_disconnects_enabled),
         "false", "Heed the list below."),
    {.path = "client.connect_code_to_unidirectional_disconnect.transforms",
     .type = CONFIG_TREE,
     AT(uni_disconnects),
     .initial = "",
     .help = "Errors of connect (`code`) that unidirectional clients are disconnected for with "
             "`to.code` and `to.reason`."},
    TOKEN_KEYS("client.token.", client.token, token_keys, "connection tokens"),
    BOOL("client.subscription_token.enabled", NODE(client.subscription_token_enabled), "false",
         "Verify subscription tokens with the keys below, not with those of connection tokens."),
    TOKEN_KEYS("client.subscription_token.", client.subscription_token, subscription_token_keys,
               "subscription tokens"),

    BOOL("client.proxy.connect.enabled", AT(proxy.connect.enabled), "false",
         "Ask a backend who connects without a token."),
    PROXY_KEYS("client.proxy.connect.", struct config, proxy.connect),
    BOOL("client.proxy.refresh.enabled", AT(proxy.refresh.enabled), "false",
         "Ask a backend whether connections that expire may go on."),
    PROXY_KEYS("client.proxy.refresh.", struct config, proxy.refresh),

    BOOL("client.proxy.state.enabled", AT(proxy.client_state.enabled), "false",
         "Tell a backend of clients that come and go."),
    PROXY_TARGET_KEYS("client.proxy.state.", struct config, proxy.client_state),
    PROXY_META_KEY("client.proxy.state.", struct config, proxy.client_state),
    SECRET("webhooks.secret", NODE(webhooks.secret),
           "What backends are told is signed with it, in the header X-Roost-Signature."),
    DURATION("webhooks.vacated_event_delay", NODE(webhooks.vacated_delay_ms), 0, HOUR, "5s",
             "A channel that is occupied again within it is not told as vacated."),
    DURATION("webhooks.batch_max_delay", NODE(webhooks.batch_max_delay_ms), 0, HOUR, "100ms",
             "How long an event may wait for others to be told with."),
    NUMBER("webhooks.batch_max_events", NODE(webhooks.batch_max_events), 1, 100000, "1000",
           "How many are told at once."),
    MEMORY("webhooks.queue_max_size", NODE(webhooks.queue_max_size), 1 << 20, MEMORY_BYTES_MAX,
           "64MiB",
           "Bytes of events that no backend has taken yet, of the node; then the oldest are lost."),
    NUMBER("webhooks.queue_max_events", NODE(webhooks.queue_max_events), 1000, COUNT_MAX, "1000000",
           "The same, of how many there are."),
    DURATION("webhooks.flush_timeout", NODE(webhooks.flush_timeout_ms), 0, HOUR, "5s",
             "How long a node that stops tries to tell the rest when its clients have gone."),

    PROXY_KEYS("rpc.proxy.", struct config, proxy.rpc),
    BOOL("rpc.without_namespace.proxy_enabled", AT(rpc_without_namespace.proxy_enabled), "false",
         "Let a backend answer RPC methods without a namespace."),
    STRING("rpc.without_namespace.proxy_name", AT(rpc_without_namespace.proxy_name), NAME_BYTES_MAX,
           "default", "Which: `default` is rpc.proxy, others stand in `proxies`."),
    {.path = "rpc.namespaces",
     .type = CONFIG_TREE,
     AT(rpc_namespaces),
     .initial = "",
     .help = "A list of `name`, `proxy_enabled` and `proxy_name`, for the methods `name:...`."},
    STRING("rpc.namespace_boundary", NODE(rpc_namespace_boundary), 16, ":",
           "Ends the namespace in an RPC method's name."),
    BOOL("rpc.ping.enabled", NODE(rpc_ping_enabled), "false",
         "Answer one RPC method without asking anybody."),
    STRING("rpc.ping.method", NODE(rpc_ping_method), NAME_BYTES_MAX, "ping", "Its name."),

    PROXY_KEYS("channel.proxy.subscribe.", struct config, proxy.subscribe),
    PROXY_KEYS("channel.proxy.publish.", struct config, proxy.publish),
    PROXY_KEYS("channel.proxy.sub_refresh.", struct config, proxy.sub_refresh),
    PROXY_TARGET_KEYS("channel.proxy.state.", struct config, proxy.state),
    PROXY_KEYS("channel.proxy.map_publish.", struct config, proxy.map_publish),
    PROXY_KEYS("channel.proxy.map_remove.", struct config, proxy.map_remove),
    PROXY_KEYS("channel.proxy.shared_poll_refresh.", struct config, proxy.shared_poll_refresh),
    {.path = "proxies",
     .type = CONFIG_TREE,
     AT(named_proxies),
     .initial = "",
     .help = "More proxies, each with a `name`: see below."},

    NUMBER("channel.max_length", NODE(channel_max_length), 1, 4096, "255",
           "Bytes of a channel's name."),
    STRING("channel.private_prefix", NODE(channel_private_prefix), 16, "$",
           "A channel that begins with it always needs a token; empty: there are none."),
    STRING("channel.namespace_boundary", NODE(channel_namespace_boundary), 16, ":",
           "Ends the namespace in a channel's name."),
    STRING("channel.user_boundary", NODE(channel_user_boundary), 16, "#",
           "Begins the user ids in the name of a user-limited channel."),
    STRING("channel.user_separator", NODE(channel_user_separator), 16, ",",
           "Stands between the user ids in the name of a user-limited channel."),
    DURATION("channel.history_meta_ttl", NODE(channel_history_meta_ttl_ms), SECOND, DAYS_MAX,
             "720h", "How long the position of a channel that nobody uses is kept."),
    MEMORY("channel.history_memory_limit", NODE(history_memory_limit), 0, MEMORY_BYTES_MAX,
           "1073741824", "Bytes that the histories of all channels may take; the oldest go."),
    MEMORY("channel.map_memory_limit", NODE(map_memory_limit), 0, MEMORY_BYTES_MAX, "1073741824",
           "Bytes that the keys of all maps may take; a publication for which there is no room is "
           "refused."),
    NUMBER("channel.map_max_keys", NODE(map_max_keys), 1, UINT32_MAX, "100000", "Keys of one map."),
    MEMORY("channel.map_max_size", NODE(map_max_size), 0, MEMORY_BYTES_MAX, "67108864",
           "Bytes that the keys of one map may take."),
    CHOICE("channel.publication_data_format", AT(publication_data_format), data_formats, "",
           "What a publication must be, for namespaces that do not say."),

    SHARED_POLL_KEYS,

    BOOL("websocket.disabled", NODE(websocket.disabled), "false", "Serve no WebSocket clients."),
    STRING("websocket.handler_prefix", NODE(websocket.handler_prefix), PATH_BYTES_MAX,
           "/connection/websocket", "Path of the WebSocket endpoint."),
    SIZE("websocket.message_size_limit", NODE(websocket.message_size_limit), 128, SIZE_BYTES_MAX,
         "65536", "Bytes of one message of a client, as it was sent."),
    SIZE("websocket.decompressed_message_size_limit", NODE(websocket.inflated_size_limit), 0,
         SIZE_BYTES_MAX, "0",
         "Bytes of one message after decompression; 0: ten times message_size_limit."),
    BOOL("websocket.compression", NODE(websocket.compression), "false",
         "Agree to permessage-deflate where a client offers it."),
    SIZE("websocket.compression_min_size", NODE(websocket.compression_min_size), 0, SIZE_BYTES_MAX,
         "0", "Messages that are shorter are sent as they are."),
    NUMBER("websocket.compression_level", NODE(websocket.compression_level), 1, 9, "1",
           "1 is fastest, 9 is smallest."),

    STREAM_KEYS("http_stream", TRANSPORT_HTTP_STREAM, "/connection/http_stream",
                "clients that WebSocket does not reach by HTTP streaming"),
    STREAM_KEYS("sse", TRANSPORT_SSE, "/connection/sse",
                "clients that WebSocket does not reach by server-sent events"),
    STREAM_KEYS("uni_http_stream", TRANSPORT_UNI_HTTP_STREAM, "/connection/uni_http_stream",
                "clients that only listen by HTTP streaming"),
    STREAM_KEYS("uni_sse", TRANSPORT_UNI_SSE, "/connection/uni_sse",
                "clients that only listen by server-sent events"),
    CONNECT_RESPONSE_KEYS("uni_http_stream", TRANSPORT_UNI_HTTP_STREAM, uni_http_stream_responses),
    CONNECT_RESPONSE_KEYS("uni_sse", TRANSPORT_UNI_SSE, uni_sse_responses),
    MEMORY("fallback.memory_limit", NODE(fallback_memory_limit), 1 << 20, MEMORY_BYTES_MAX,
           "268435456",
           "Bytes that the four above may take together, 4 KiB a client and what waits for it "
           "beyond; more clients of theirs are answered with 503."),
    STRING("emulation.handler_prefix", NODE(emulation.handler_prefix), PATH_BYTES_MAX, "/emulation",
           "Path to which clients of http_stream and sse send their commands."),
    SIZE("emulation.max_request_body_size", NODE(emulation.max_request_body_size), 128,
         SIZE_BYTES_MAX, "65536", "Bytes of the body of such a request."),
    BOOL("uni_websocket.enabled", NODE(transports[TRANSPORT_UNI_WEBSOCKET].enabled), "false",
         "Serve clients that only listen by WebSocket."),
    STRING("uni_websocket.handler_prefix", NODE(transports[TRANSPORT_UNI_WEBSOCKET].handler_prefix),
           PATH_BYTES_MAX, "/connection/uni_websocket", "Path of its endpoint."),
    SIZE("uni_websocket.message_size_limit",
         NODE(transports[TRANSPORT_UNI_WEBSOCKET].request_size_limit), 128, SIZE_BYTES_MAX, "65536",
         "Bytes of the message that connects."),
    UNI_COMPRESSION_KEYS(TRANSPORT_UNI_WEBSOCKET),
    BOOL("uni_websocket.disable_closing_handshake", NODE(uni_websocket_disable_closing_handshake),
         "false", "End it without a close frame."),
    BOOL("uni_websocket.disable_disconnect_push", NODE(uni_websocket_disable_disconnect_push),
         "false", "Send no push before the close frame."),
    BOOL("init.enabled", NODE(init_enabled), "false",
         "Answer requests that come before a connection, for cookies and health checks."),
    STRING("init.handler_prefix", NODE(init_handler_prefix), PATH_BYTES_MAX, "/connection/init",
           "Path of that answer."),

    BOOL("http_api.disabled", NODE(http_api.disabled), "false", "Serve no server API."),
    STRING("http_api.handler_prefix", NODE(http_api.handler_prefix), PATH_BYTES_MAX, "/api",
           "Path before the methods of the server API."),
    SECRET("http_api.key", NODE(http_api.key), "Key of the server API; unset: nobody may call it."),
    {.path = "http_api.keys",
     .type = CONFIG_TREE,
     .is_secret = true,
     AT(http_api_keys),
     .initial = "",
     .help = "More keys, each a `key` with the `methods` and `namespaces` that it may touch."},
    BOOL("http_api.external", NODE(http_api.external), "false",
         "Serve it where clients connect, though there is an internal port."),
    BOOL("http_api.insecure", NODE(http_api.insecure), "false",
         "Let everybody call the server API; for development."),
    CHOICE("http_api.error_mode", AT(http_api_error_mode), error_modes, "",
           "`transport`: errors are HTTP statuses, not 200 with an error inside."),
    SIZE("http_api.max_request_body_size", NODE(http_api.max_request_body_size), 1024,
         SIZE_BYTES_MAX, "10485760", "Bytes of one request's body."),

    BOOL("cluster.enabled", NODE(cluster.enabled), "false", "Be one of several nodes."),
    STRING("cluster.name", NODE(cluster.name), NAME_BYTES_MAX, "roost",
           "Name of the cluster; nodes of others are not heard."),
    STRING("cluster.bind", AT(cluster_bind), ADDRESS_BYTES_MAX, "0.0.0.0:8400",
           "Address and port for the other nodes: gossip by UDP, links by TCP."),
    STRING("cluster.advertise", AT(cluster_advertise), ADDRESS_BYTES_MAX, "",
           "Address and port at which other nodes reach this one; empty: cluster.bind, or the "
           "machine's address if that is none."),
    LIST("cluster.join", AT(cluster_join), NAME_BYTES_MAX,
         "Where other nodes may be: `10.0.0.1:8400`, a host's name with a port, or `_roost._udp."
         "example.org` for SRV records; names are looked up again and again."),
    DURATION("cluster.join_interval", AT(cluster_join_interval_ms), SECOND, 24ull * HOUR, "30s",
             "Time between two look-ups of the names of cluster.join."),
    {.path = "cluster.keys",
     .type = CONFIG_LIST,
     .is_secret = true,
     AT(cluster_keys),
     .max = SECRET_BYTES_MAX,
     .initial = "",
     .help = "Keys of 32 bytes, in hexadecimal or base64; the first seals the gossip, all open it. "
             "Read again at SIGHUP."},
    BOOL("cluster.insecure", AT(cluster_insecure), "false",
         "Go without keys (gossip in clear) or without cluster.tls (links in clear)."),
    STRING("cluster.tls.cert_pem_file", AT(cluster_tls_cert_pem_file), FILE_BYTES_MAX, "",
           "Certificate of this node for links, with its chain. All three are read again at "
           "SIGHUP, "
           "for links that begin then."),
    STRING("cluster.tls.key_pem_file", AT(cluster_tls_key_pem_file), FILE_BYTES_MAX, "",
           "Its private key."),
    STRING("cluster.tls.ca_pem_file", AT(cluster_tls_ca_pem_file), FILE_BYTES_MAX, "",
           "Authority that the certificates of all nodes of the cluster are signed by."),
    STRING("cluster.zone", NODE(cluster.zone), GOSSIP_ZONE_LEN_MAX, "",
           "Zone that the node is in, as others are told."),
    NUMBER("cluster.weight", NODE(cluster.weight), 0, 1 << 20, "0",
           "Share of the channels and users that have their home here, beside that of other nodes; "
           "0: as many as it has shards."),

    BOOL("health.enabled", NODE(health_enabled), "false", "Serve the health check."),
    STRING("health.handler_prefix", NODE(health_handler_prefix), PATH_BYTES_MAX, "/health",
           "Path of the health check."),
    BOOL("prometheus.enabled", NODE(prometheus_enabled), "false", "Serve metrics for Prometheus."),
    STRING("prometheus.handler_prefix", NODE(prometheus_handler_prefix), PATH_BYTES_MAX, "/metrics",
           "Path of the metrics."),
    LIST("prometheus.additional_client_names", AT(additional_client_names), 64,
         "Names of clients that metrics tell apart, beside those of the client libraries."),
    STRING("metrics.prefix", NODE(metrics_prefix), 64, "roost",
           "What each metric's name begins with; `centrifugo` for dashboards made for that."),
    BOOL("echo.enabled", NODE(echo.enabled), "false",
         "Serve a plain WebSocket echo, for measurements."),
    STRING("echo.path", NODE(echo.path), PATH_BYTES_MAX, "/echo", "Path of the echo."),
    BOOL("demo.enabled", AT(demo_enabled), "false",
         "Serve the demo page at `/` and its live view of the shards."),
};
const size_t config_keys_len = sizeof(config_keys) / sizeof(config_keys[0]);
static_assert(sizeof(config_keys) / sizeof(config_keys[0]) <= CONFIG_KEYS_MAX,
              "every key has room for its origin");

#define OPTION(name, help_) \
    { \
        .path = #name, .type = CONFIG_BOOL, .offset = offsetof(struct channel_options, name), \
        .initial = "false", .help = help_ \
    }

#define CHANNEL_NUMBER(name, help_) \
    { \
        .path = #name, .type = CONFIG_NUMBER, .offset = offsetof(struct channel_options, name), \
        .max = HISTORY_SIZE_MAX, .initial = "0", .help = help_ \
    }
#define CHANNEL_DURATION(path_, name, help_) \
    { \
        .path = path_, .type = CONFIG_DURATION, .offset = offsetof(struct channel_options, name), \
        .max = DAYS_MAX, .initial = "0s", .help = help_ \
    }

#define CHANNEL_CHOICE(path_, name, choices_, initial_, help_) \
    { \
        .path = path_, .type = CONFIG_CHOICE, .offset = offsetof(struct channel_options, name), \
        .choices = choices_, .initial = initial_, .help = help_ \
    }
#define CHANNEL_TEXT(name, help_) \
    { \
        .path = #name, .type = CONFIG_STRING, .offset = offsetof(struct channel_options, name), \
        .max = NAME_BYTES_MAX, .initial = "", .help = help_ \
    }

#define PROXY_NAME(name, which) \
    { \
        .path = #name, .type = CONFIG_STRING, .offset = offsetof(struct channel_options, name), \
        .max = NAME_BYTES_MAX, .initial = "default", \
        .help = "Which: `default` is " which ", others stand in `proxies`." \
    }

const struct config_key config_channel_keys[] = {
    {.path = "channel_regex",
     .type = CONFIG_STRING,
     .offset = offsetof(struct channel_options, channel_regex),
     .max = PATTERN_LEN_MAX,
     .initial = "",
     .help = "Regular expression, in Go's syntax, that a channel's name must match behind the "
             "namespace where a client says it; empty: any name in ASCII."},
    OPTION(presence, "Know who is subscribed."),
    OPTION(join_leave, "Tell when somebody subscribes or leaves, to subscribers that ask."),
    OPTION(force_push_join_leave, "Tell it to every subscriber."),
    OPTION(allow_subscribe_for_client, "Users may subscribe without a subscription token."),
    OPTION(allow_subscribe_for_anonymous, "And so may the anonymous user."),
    OPTION(allow_publish_for_subscriber, "Who is subscribed may publish."),
    OPTION(allow_publish_for_client, "Every client may publish."),
    OPTION(allow_publish_for_anonymous, "What is allowed above holds for the anonymous user too."),
    OPTION(allow_presence_for_subscriber, "Who is subscribed may ask who else is."),
    OPTION(allow_presence_for_client, "Every client may ask who is subscribed."),
    OPTION(allow_presence_for_anonymous, "What is allowed above holds for the anonymous user too."),
    OPTION(allow_user_limited_channels,
           "Channels that name their users after the user boundary are open to those alone."),
    CHANNEL_NUMBER(history_size, "Publications that a channel keeps, the newest; 0: none."),
    CHANNEL_DURATION("history_ttl", history_ttl_ms, "How long it keeps them after the newest."),
    CHANNEL_DURATION("history_meta_ttl", history_meta_ttl_ms,
                     "How long it keeps its position; 0s: as channel.history_meta_ttl says."),
    OPTION(force_positioning, "Subscribers are told when they missed something."),
    OPTION(allow_positioning, "Subscribers that ask for it are."),
    OPTION(force_recovery, "Subscribers that come back are sent what they missed."),
    OPTION(allow_recovery, "Subscribers that ask for it are."),
    CHANNEL_CHOICE("force_recovery_mode", force_recovery_mode, recovery_modes, "stream",
                   "What they are sent: `stream`: all of it, `cache`: the newest publication."),
    OPTION(auto_cache_recover, "And so is every new subscriber."),
    {.path = "allowed_delta_types",
     .type = CONFIG_CHOICES,
     .offset = offsetof(struct channel_options, allowed_delta_types),
     .choices = delta_types,
     .initial = "",
     .help = "Which differences subscribers may ask for instead of whole publications: `fossil`."},
    OPTION(delta_publish,
           "They get them of every publication, not of those alone that the server API says."),
    OPTION(allow_tags_filter, "Subscribers may ask for the publications with certain tags alone."),
    OPTION(publish_without_echo, "A client does not get what it publishes itself."),
    CHANNEL_DURATION("batch_max_delay", batch_max_delay_ms,
                     "How long a publication may wait for others to leave with; 0s: not at all."),
    CHANNEL_NUMBER(batch_max_size, "How many of them leave at once; 0: any number."),
    OPTION(batch_flush_latest, "Only the latest of them does: for values that replace each other."),
    {.path = "wildcard_max_depth",
     .type = CONFIG_NUMBER,
     .offset = offsetof(struct channel_options, wildcard_max_depth),
     .max = WILDCARD_DEPTH_MAX,
     .initial = "0",
     .help =
         "Wildcard channels (`ns:*`, `ns:a.*`, ...) that each publication is passed on to, from "
         "the shallowest on; 0: there are none."},
    OPTION(allow_wildcard_subscribe_for_client,
           "Users may subscribe to wildcards without a subscription token."),
    OPTION(allow_wildcard_subscribe_for_anonymous, "And so may the anonymous user."),
    OPTION(allow_wildcard_subscribe_by_proxy,
           "The subscribe proxy is asked for wildcards too, as for other channels."),
    OPTION(allow_history_for_subscriber, "Who is subscribed may read the history."),
    OPTION(allow_history_for_client, "Every client may read the history."),
    OPTION(allow_history_for_anonymous, "What is allowed above holds for the anonymous user too."),
    OPTION(subscribe_proxy_enabled, "A backend decides who may subscribe."),
    PROXY_NAME(subscribe_proxy_name, "channel.proxy.subscribe"),
    OPTION(publish_proxy_enabled, "A backend decides what clients may publish."),
    PROXY_NAME(publish_proxy_name, "channel.proxy.publish"),
    OPTION(sub_refresh_proxy_enabled, "A backend prolongs subscriptions that expire."),
    PROXY_NAME(sub_refresh_proxy_name, "channel.proxy.sub_refresh"),
    OPTION(state_proxy_enabled, "A backend is told when a channel is occupied, and when vacated."),
    PROXY_NAME(state_proxy_name, "channel.proxy.state"),
    CHANNEL_CHOICE("publication_data_format", publication_data_format, data_formats, "",
                   "What a publication must be; empty: as channel.publication_data_format says."),

    CHANNEL_CHOICE("subscription_type", subscription_type, subscription_types, "stream",
                   "What is subscribed to: a stream of publications, keys with values, or who is "
                   "subscribed elsewhere."),
    CHANNEL_CHOICE("map.mode", map.mode, map_modes, "",
                   "Keys that expire, the same with a stream of what changes, or keys that stay."),
    CHANNEL_DURATION("map.key_ttl", map.key_ttl_ms, "After which time a key expires."),
    CHANNEL_NUMBER(map.stream_size, "Changes that the stream keeps; 0: 100."),
    CHANNEL_DURATION("map.stream_ttl", map.stream_ttl_ms, "How long it keeps them; 0s: 1m."),
    CHANNEL_DURATION("map.meta_ttl", map.meta_ttl_ms,
                     "How long its position is kept; 0s: ten times stream_ttl, or for ever where "
                     "keys stay."),
    CHANNEL_CHOICE("map.client_key", map.client_key, map_client_keys, "",
                   "What a client's key is, whatever it says."),
    OPTION(map.remove_client_on_unsubscribe,
           "The key that is a client's id goes when it unsubscribes."),
    OPTION(map.allow_publish_for_client, "Every client may set keys."),
    OPTION(map.allow_publish_for_subscriber, "Who is subscribed may set keys."),
    OPTION(map.allow_publish_for_anonymous,
           "What is allowed above holds for the anonymous user too."),
    OPTION(map.allow_remove_for_client, "Every client may remove keys."),
    OPTION(map.allow_remove_for_subscriber, "Who is subscribed may remove keys."),
    OPTION(map.allow_remove_for_anonymous,
           "What is allowed above holds for the anonymous user too."),
    CHANNEL_NUMBER(map.default_page_size, "Keys that a client is sent at once; 0: 100."),
    CHANNEL_NUMBER(map.min_page_size, "The fewest that it may ask for; 0: 100."),
    CHANNEL_NUMBER(map.max_page_size, "And the most; 0: 1000."),
    CHANNEL_NUMBER(map.live_transition_max_publication_limit,
                   "Changes that a client may have missed and still follow; 0: max_page_size."),
    CHANNEL_DURATION("map.subscribe_catch_up_timeout", map.subscribe_catch_up_timeout_ms,
                     "Time that a client has from its first page until it follows; 0s: 5s."),
    OPTION(map.publish_proxy_enabled, "A backend decides which keys clients may set."),
    PROXY_NAME(map.publish_proxy_name, "channel.proxy.map_publish"),
    OPTION(map.remove_proxy_enabled, "A backend decides which keys clients may remove."),
    PROXY_NAME(map.remove_proxy_name, "channel.proxy.map_remove"),
    CHANNEL_TEXT(map_clients_presence_channel_prefix,
                 "Enter each subscriber, by client, into the channel of this name and the "
                 "channel's; its namespace is one of `map_clients`."),
    CHANNEL_TEXT(map_users_presence_channel_prefix,
                 "The same by user, in a namespace of `map_users`."),
    CHANNEL_DURATION("client_publish_debounce_interval", client_publish_debounce_interval_ms,
                     "Clients of a map leave so much time between two publications of one key, "
                     "and send the latest."),

    SHARED_POLL_CHANNEL_KEYS,
};
const size_t config_channel_keys_len = sizeof(config_channel_keys) / sizeof(config_channel_keys[0]);
static_assert(sizeof(config_channel_keys) / sizeof(config_channel_keys[0]) <=
                  CONFIG_CHANNEL_KEYS_MAX,
              "every key has room for its origin");
const struct config_key config_proxy_keys[] = {
    PROXY_KEYS(
        "", struct { struct config_proxy only; }, only),
};
const size_t config_proxy_keys_len = sizeof(config_proxy_keys) / sizeof(config_proxy_keys[0]);
static_assert(sizeof(config_proxy_keys) / sizeof(config_proxy_keys[0]) <= CONFIG_CHANNEL_KEYS_MAX,
              "every key has room for its origin");

const struct config_key config_rpc_keys[] = {
    STRING("name", .offset = offsetof(struct config_rpc, name), NAME_BYTES_MAX, "",
           "Name of the namespace."),
    BOOL("proxy_enabled", .offset = offsetof(struct config_rpc, proxy_enabled), "false",
         "Let a backend answer its methods."),
    STRING("proxy_name", .offset = offsetof(struct config_rpc, proxy_name), NAME_BYTES_MAX,
           "default", "Which."),
};
const size_t config_rpc_keys_len = sizeof(config_rpc_keys) / sizeof(config_rpc_keys[0]);

static_assert(sizeof(enum publication_data_format) == sizeof(unsigned), "a choice is unsigned");
static_assert(sizeof(enum recovery_mode) == sizeof(unsigned), "a choice is unsigned");
static_assert(sizeof(enum client_subscription_type) == sizeof(unsigned), "a choice is unsigned");
static_assert(sizeof(enum map_mode) == sizeof(unsigned), "a choice is unsigned");
static_assert(sizeof(enum map_client_key) == sizeof(unsigned), "a choice is unsigned");
static_assert(sizeof(enum shared_poll_mode) == sizeof(unsigned), "a choice is unsigned");
