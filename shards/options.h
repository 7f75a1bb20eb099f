/* SPDX-License-Identifier: Apache-2.0 */
/* What a node was told to be: the configuration as values, immutable once the shards run.
 *
 * Names follow the configuration keys (`client.ping_interval` is client.ping_interval_ms).
 * Durations are in the unit of the name's last word. Strings are NUL-terminated, never NULL, and
 * live as long as the node.
 */
#ifndef ROOST_SHARDS_OPTIONS_H
#define ROOST_SHARDS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/client.h"
#include "codec/gossip_seal.h"
#include "runtime/mailbox.h"
#include "runtime/poller.h"
#include "shards/transport.h"

struct pattern;

enum publication_data_format {
    PUBLICATION_DATA_NOT_EMPTY, /* "": anything but nothing. */
    PUBLICATION_DATA_JSON,
    PUBLICATION_DATA_JSON_OBJECT,
    PUBLICATION_DATA_BINARY,
};

enum recovery_mode {
    RECOVERY_STREAM, /* All that was missed. */
    RECOVERY_CACHE,  /* The newest. */
};

enum delta_type { DELTA_TYPE_FOSSIL };
struct proxy_header {
    const char *name;
    const char *value;
};

/* An HTTP status that means an error or a disconnect. */
struct proxy_transform {
    uint32_t status;
    bool is_disconnect;
    bool is_temporary;
    uint32_t code;
    const char *text; /* The error's message, or the disconnect's reason. */
};

/* What is asked of a backend, and how. */
struct proxy_options {
    const char *name;
    uint32_t endpoint; /* Of node_options.endpoints. */
    uint64_t timeout_ms;
    const char *const *http_headers; /* Of the client's request that go along. */
    size_t http_headers_len;
    const char *const *emulated_headers; /* Of what a client says in its connect command. */
    size_t emulated_headers_len;
    const struct proxy_header *static_headers;
    size_t static_headers_len;
    const struct proxy_transform *transforms;
    size_t transforms_len;
    bool binary_encoding;
    bool include_connection_meta;
};

/* Of RPC methods in one namespace, or of those without one. */
struct rpc_options {
    const char *name;
    const struct proxy_options *proxy; /* NULL: there are no such methods. */
};

/* What a map channel keeps. */
enum map_mode {
    MAP_NONE,        /* It is none. */
    MAP_EPHEMERAL,   /* Keys that expire, without a stream. */
    MAP_RECOVERABLE, /* The same with a stream of their changes. */
    MAP_PERSISTENT,  /* Keys that stay, and the stream. */
};

/* Which key a client's own publications get. */
enum map_client_key { MAP_KEY_AS_SAID, MAP_KEY_CLIENT_ID, MAP_KEY_USER_ID };

/* Of a namespace of map channels. */
struct map_options {
    enum map_mode mode;
    uint64_t key_ttl_ms; /* 0: keys do not expire. */
    uint32_t stream_size;
    uint64_t stream_ttl_ms;
    uint64_t meta_ttl_ms; /* 0: its position is kept for ever. */
    enum map_client_key client_key;
    bool remove_client_on_unsubscribe;
    bool allow_publish_for_client;
    bool allow_publish_for_subscriber;
    bool allow_publish_for_anonymous;
    bool allow_remove_for_client;
    bool allow_remove_for_subscriber;
    bool allow_remove_for_anonymous;
    uint32_t default_page_size; /* Keys or publications. */
    uint32_t min_page_size;
    uint32_t max_page_size;
    uint32_t live_transition_max_publication_limit;
    uint64_t subscribe_catch_up_timeout_ms;
    bool publish_proxy_enabled;
    bool remove_proxy_enabled;
    const char *publish_proxy_name;
    const char *remove_proxy_name;
    const struct proxy_options *publish_proxy; /* NULL: what is allowed above counts. */
    const struct proxy_options *remove_proxy;
};

static inline bool map_has_stream(const struct map_options *map)
{
    return map->mode == MAP_RECOVERABLE || map->mode == MAP_PERSISTENT;
}

/* Gives what is 0 the value that a node goes by. */
void map_options_complete(struct map_options *map);

/* Who numbers what a backend says of a key: the node, where it differs, or the backend. */
enum shared_poll_mode { SHARED_POLL_VERSIONLESS, SHARED_POLL_VERSIONED };

/* Of a namespace of shared polls. */
struct shared_poll_options {
    const char *proxy_name; /* As it was configured. */
    enum shared_poll_mode mode;
    bool publish_enabled; /* The server API may tell of keys, too. */
    uint64_t refresh_interval_ms;
    uint32_t refresh_batch_size;      /* Keys of one request. */
    uint32_t max_keys_per_connection; /* Of one channel. */
    uint64_t channel_shutdown_delay_ms;
    uint64_t track_expired_extra_delay_ms;
    const struct proxy_options *proxy; /* Whom to ask; never NULL where it is one. */
};

/* Gives what is 0 the value that a node goes by. */
void shared_poll_options_complete(struct shared_poll_options *shared_poll);

/* Of one namespace, or of channels without one. */
struct channel_options {
    const char *name;          /* "" for channels without a namespace. */
    const char *channel_regex; /* As it was configured, */
    /* and what clients' names have to match behind the namespace; NULL: they are ASCII. */
    const struct pattern *channel_pattern;
    bool presence;
    bool join_leave;
    bool force_push_join_leave;
    bool allow_subscribe_for_client;
    bool allow_subscribe_for_anonymous;
    bool allow_publish_for_subscriber;
    bool allow_publish_for_client;
    bool allow_publish_for_anonymous;
    bool allow_presence_for_subscriber;
    bool allow_presence_for_client;
    bool allow_presence_for_anonymous;
    bool allow_history_for_subscriber;
    bool allow_history_for_client;
    bool allow_history_for_anonymous;
    bool allow_user_limited_channels;
    uint32_t history_size; /* Publications; 0: no history. */
    uint64_t history_ttl_ms;
    uint64_t history_meta_ttl_ms; /* 0: the node's. */
    bool force_positioning;
    bool allow_positioning;
    bool force_recovery;
    bool allow_recovery;
    bool auto_cache_recover;
    enum recovery_mode force_recovery_mode;
    unsigned allowed_delta_types; /* A set: 1 << enum delta_type. */
    bool delta_publish;           /* Every publication may be told as a delta. */
    bool allow_tags_filter;
    bool publish_without_echo;   /* Who publishes does not get it back. */
    uint32_t batch_max_size;     /* Publications; 0: no limit. */
    uint64_t batch_max_delay_ms; /* 0: publications are not delayed. */
    bool batch_flush_latest;
    /* Wildcard channels (channel/wildcard.h): how many a publication is passed on to; 0: there are
     * none. Who may subscribe to them is not said by the permissions of other channels. */
    uint32_t wildcard_max_depth;
    bool allow_wildcard_subscribe_for_client;
    bool allow_wildcard_subscribe_for_anonymous;
    bool allow_wildcard_subscribe_by_proxy;
    const struct channel_options *wildcard; /* Of the wildcard channels; NULL: there are none. */
    bool is_wildcard;                       /* These are they. */
    enum publication_data_format publication_data_format;
    enum client_subscription_type subscription_type;
    struct map_options map; /* Of the three types of maps. */
    struct shared_poll_options shared_poll;
    /* Who is subscribed is entered into the map channel of that name and the channel's; "": none.
     */
    const char *map_clients_presence_channel_prefix; /* By client, */
    const char *map_users_presence_channel_prefix;   /* and by user. */
    /* How much time a client leaves between two publications of one key; 0: none. */
    uint64_t client_publish_debounce_interval_ms;
    /* As they were configured, */
    bool subscribe_proxy_enabled;
    bool publish_proxy_enabled;
    bool sub_refresh_proxy_enabled;
    bool state_proxy_enabled;
    const char *subscribe_proxy_name;
    const char *publish_proxy_name;
    const char *sub_refresh_proxy_name;
    const char *state_proxy_name;
    /* and who decides instead of what is allowed above; NULL: nobody. */
    const struct proxy_options *subscribe_proxy;
    const struct proxy_options *publish_proxy;
    const struct proxy_options *sub_refresh_proxy;
    /* Who is told when they are occupied and vacated; NULL: nobody. */
    const struct proxy_options *state_proxy;
};

/* Without any key no token is valid. */
struct token_options {
    const char *hmac_secret_key; /* "": none; the same for those that follow. */
    const char *hmac_previous_secret_key;
    int64_t hmac_previous_secret_key_valid_until_s; /* Unix time. */
    const char *rsa_public_key;                     /* PEM */
    const char *ecdsa_public_key;
    const char *eddsa_public_key;
    bool has_jwks_endpoint;
    uint32_t jwks_endpoint; /* Of node_options.endpoints. */
    const char *audience;
    const char *audience_regex;
    const char *issuer;
    const char *issuer_regex;
    const char *user_id_claim;
};

/* Every connection of a user is subscribed to a channel of the user's own. */
struct personal_channel_options {
    bool enabled;
    bool single_connection;        /* A new connection of a user ends the others. */
    const char *channel_namespace; /* "": without one. */
};

/* An error of connect that ends unidirectional clients in a way of its own. */
struct uni_disconnect {
    uint32_t error;
    uint32_t code;
    const char *reason;
};

struct client_options {
    const struct uni_disconnect *uni_disconnects;
    size_t uni_disconnects_len;
    const char *const *allowed_origins; /* Glob patterns; "*" is any. */
    size_t allowed_origins_len;
    uint64_t ping_interval_ms;
    uint64_t pong_timeout_ms;
    uint64_t stale_close_delay_ms;
    uint64_t expired_close_delay_ms;
    uint64_t expired_sub_close_delay_ms;
    uint64_t presence_update_interval_ms; /* After which presence in maps is told again. */
    uint32_t channel_limit;
    uint32_t queue_max_size;                 /* Bytes. */
    uint32_t connection_limit;               /* Of the node; 0: none. */
    uint32_t user_connection_limit;          /* Of one user on the node; 0: none. */
    uint32_t connection_rate_limit;          /* New connections a second and node; 0: none. */
    uint32_t history_max_publication_limit;  /* Publications of one reply; 0: no limit. */
    uint32_t recovery_max_publication_limit; /* The same, of one recovery. */
    bool connect_include_server_time;
    bool allow_anonymous_connect_without_token;
    bool disallow_anonymous_connection_tokens;
    bool insecure;
    bool insecure_skip_token_signature_verify;
    const char *user_id_http_header; /* "": not used. */
    struct personal_channel_options personal_channel;
    struct token_options token;
    /* rate_limit (rate_limits.h): what a connection, and what a user may do; how many errors a
     * connection may get. NULL: no limits. */
    const struct rate_limits *command_rates;
    const struct rate_limits *user_rates;
    const struct rate_limits *error_rates;
    bool subscription_token_enabled; /* Subscription tokens have keys of their own. */
    struct token_options subscription_token;
};

struct websocket_options {
    bool disabled;
    const char *handler_prefix;   /* "/connection/websocket" */
    uint32_t message_size_limit;  /* Bytes of one message as it was sent. */
    uint32_t inflated_size_limit; /* Bytes of one message after permessage-deflate. */
    bool compression;
    uint32_t compression_min_size; /* Shorter messages are sent plain. */
    int compression_level;         /* 1..9 */
};

/* An error or a disconnect of connect that is answered by HTTP, instead of a stream. */
struct connect_response {
    uint32_t code;
    uint32_t status;
    const char *body; /* "": the reason or the message of what happened. */
};

/* Of a transport beside the bidirectional WebSocket. */
struct transport_options {
    bool enabled;
    const char *handler_prefix;
    uint32_t request_size_limit; /* Bytes of the body, or of the message, that connects. */
    /* Of uni_websocket. Its level is that of the bidirectional one. */
    bool compression;
    uint32_t compression_min_size; /* Shorter messages are sent plain. */
    uint32_t inflated_size_limit;  /* Bytes of the message that connects, after it. */
    /* Of uni_http_stream and uni_sse: the answer waits for the outcome of connect, and tells it. */
    bool has_connect_responses;
    const struct connect_response *connect_responses; /* All others are a 500. */
    size_t connect_responses_len;
};

/* Commands of clients to whom the node only streams. Served while http_stream or sse is. */
struct emulation_options {
    const char *handler_prefix;     /* "/emulation" */
    uint32_t max_request_body_size; /* Bytes. */
};

struct echo_options {
    bool enabled;
    const char *path;
};

/* A key of the server API that may not do everything. */
struct api_key_options {
    const char *key;
    uint32_t methods;              /* A bit each enum api_method; 0: all. */
    const char *const *namespaces; /* Whose channels it may name; "": those without one. */
    size_t namespaces_len;         /* 0: all, and methods that are not about channels too. */
};

struct http_api_options {
    bool disabled;
    const char *handler_prefix; /* "/api" */
    const char *key;            /* May do everything; "": nobody has it. */
    const struct api_key_options *keys;
    size_t keys_len;
    bool insecure;
    bool external; /* Served where clients connect, though there is an internal listener. */
    bool error_mode_transport;
    uint32_t max_request_body_size; /* Bytes. */
};

/* How backends are told of events. */
struct webhook_options {
    const char *secret;          /* Batches are signed with it; "": they are not. */
    uint64_t vacated_delay_ms;   /* A channel that is occupied again within it never was vacated. */
    uint64_t batch_max_delay_ms; /* How long an event may wait for others. */
    uint32_t batch_max_events;
    uint64_t queue_max_size;             /* Bytes of events that are not taken, of the node, */
    uint32_t queue_max_events;           /* and how many. */
    uint64_t flush_timeout_ms;           /* How long a node that stops stays to tell the rest. */
    const struct proxy_options *clients; /* Who is told of those that come and go; NULL: nobody. */
};

/* A file of the demo page, compiled in. */
struct web_file {
    const char *path;
    const char *content_type;
    const uint8_t *bytes;
    size_t len;
};

struct rate_limits;
struct tls_context;

/* Where a backend takes requests: an http or https URL, taken apart. */
struct endpoint_options {
    const char *url;
    const char *host;              /* To be looked up, unless `address` is set. */
    struct socket_address address; /* family 0: looked up (node_offer_places), with this port. */
    const char *authority;         /* What Host says. */
    const char *target;            /* Path and query. */
    struct tls_context *tls;       /* NULL: plain. Outlives the node. */
    const char *tls_name;          /* What the certificate has to be for. */
};

/* What a node is to others. */
struct cluster_options {
    bool enabled;
    const char *name;                   /* Nodes of clusters of other names are not heard. */
    struct socket_address bind;         /* Gossip by UDP, links by TCP. */
    struct socket_address advertise;    /* Where others reach it. */
    const struct socket_address *seeds; /* Of cluster.join, those that need no looking up. */
    uint32_t seeds_len;
    bool has_names; /* More seeds will be offered, as names are looked up (node_offer_seeds). */
    struct gossip_keyring keyring; /* Empty: gossip in clear. */
    struct tls_context *tls;       /* Of links; NULL: in clear. Outlives the node. */
    const char *zone;
    uint32_t weight;            /* Its share of the slots, beside that of others. */
    uint32_t link_queue_bytes;  /* What may wait for another node; 0: links.c's own. */
    const char *client_address; /* Where it is reached by clients, for people to see. */
};

struct node_options {
    const char *name;    /* node.name */
    const char *version; /* As the connect reply tells it. */
    struct socket_address listen;
    /* Of the server API, the metrics and the health check; family 0: they are served with the rest.
     */
    struct socket_address listen_internal;
    uint32_t shards; /* Without the router shard. */
    uint64_t shutdown_timeout_ms;
    struct mailbox_limits mailbox; /* Zero: those of runtime/limits.h. */

    struct cluster_options cluster;
    struct client_options client;
    struct websocket_options websocket;
    struct transport_options transports[TRANSPORTS]; /* WEBSOCKET is above. */
    bool uni_websocket_disable_closing_handshake;
    bool uni_websocket_disable_disconnect_push;
    struct emulation_options emulation;
    uint64_t fallback_memory_limit; /* Bytes that all HTTP streams of the node may take. */
    bool init_enabled;
    const char *init_handler_prefix; /* "/connection/init" */
    struct echo_options echo;
    const struct endpoint_options *endpoints;
    size_t endpoints_len;
    const struct proxy_options *connect_proxy; /* NULL: backends are not asked. */
    const struct proxy_options *refresh_proxy;
    const char *const *proxy_headers; /* Of clients' requests, those that any proxy passes on. */
    size_t proxy_headers_len;
    const char *const *proxy_emulated_headers; /* And of what they say in their connect commands. */
    size_t proxy_emulated_headers_len;
    struct rpc_options rpc_without_namespace;
    const struct rpc_options *rpc_namespaces;
    size_t rpc_namespaces_len;
    const char *rpc_namespace_boundary;
    struct webhook_options webhooks;
    bool rpc_ping_enabled; /* A method that is answered without a backend. */
    const char *rpc_ping_method;
    struct http_api_options http_api;
    bool health_enabled;
    const char *health_handler_prefix; /* "/health" */
    bool prometheus_enabled;
    const char *prometheus_handler_prefix;      /* "/metrics" */
    const char *metrics_prefix;                 /* "roost": before each metric's name. */
    const char *const *additional_client_names; /* That metrics tell apart (client_names.h). */
    size_t additional_client_names_len;

    const char *shared_poll_hmac_secret_key; /* Of the signatures of keys; "": none. */
    const char *shared_poll_hmac_previous_secret_key;
    int64_t shared_poll_hmac_previous_secret_key_valid_until_s; /* Unix time; 0: for ever. */
    uint32_t shared_poll_concurrency_limit; /* Polls under way on the node; 0: 64. */

    uint32_t channel_max_length;   /* Bytes of a channel's name. */
    uint64_t history_memory_limit; /* Bytes that histories may take, */
    uint64_t map_memory_limit;     /* and maps. */
    uint32_t map_max_keys;         /* Of one channel, */
    uint64_t map_max_size;         /* and bytes that they may take. */
    uint64_t channel_history_meta_ttl_ms;
    const char *channel_private_prefix;
    const char *channel_namespace_boundary;
    const char *channel_user_boundary;
    const char *channel_user_separator;
    struct channel_options without_namespace;
    const struct channel_options *namespaces;
    size_t namespaces_len;

    /* The demo page and its live view of the shards ("/demo/shards"); none: nothing is served
     * there. */
    const struct web_file *web_files;
    size_t web_files_len;
};

/* What the wildcard channels of a namespace are whose options these are. `out` is to live as long
 * as they do. */
void channel_options_of_wildcard(const struct channel_options *options,
                                 struct channel_options *out);

/* What a node is that was told nothing: Centrifugo's defaults, port 8000 of every IPv4 address, one
 * shard, no key and no channel option set. node.name stays "": it wants the host's name. */
void node_options_init(struct node_options *options);

#endif
