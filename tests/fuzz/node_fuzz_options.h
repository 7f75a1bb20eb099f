/* SPDX-License-Identifier: Apache-2.0 */
/* What the node of node_fuzz.c is told to be: small limits, short times, one namespace of each
 * kind.
 */
#ifndef ROOST_TESTS_FUZZ_NODE_FUZZ_OPTIONS_H
#define ROOST_TESTS_FUZZ_NODE_FUZZ_OPTIONS_H

#include "runtime/sim.h"
#include "shards/options.h"
#include "tests/fuzz/node_fuzz_backend.h"

#define POLL_SECRET "the secret of the polls"

/* Namespaces: those after "r" are of what the commands in node_fuzz_words.h are about. */
enum {
    R,
    MAPS,
    EPHEMERAL,
    CLIENTS,
    USERS,
    SEEN,
    WILD,
    POLLS,
    FREE_POLLS,
    PROXIED,
    PROXIED_MAPS,
    NAMESPACES
};

static struct channel_options namespaces[NAMESPACES];
static struct channel_options wildcards;
static struct proxy_options proxy;
static struct endpoint_options endpoint;

static inline void fuzz_options_of_histories(struct node_options *options, uint8_t flags)
{
    struct channel_options *kept = &namespaces[R];
    kept->state_proxy = &proxy;
    kept->history_size = 1 + (flags & 3);
    kept->history_ttl_ms = 2000;
    kept->force_recovery = true;
    kept->force_recovery_mode = (flags & 8) != 0 ? RECOVERY_CACHE : RECOVERY_STREAM;
    kept->auto_cache_recover = (flags & 16) != 0;
    options->channel_history_meta_ttl_ms = 3000;
    options->history_memory_limit = 8192;
}

static inline struct channel_options *
fuzz_options_of_map(uint32_t at, enum client_subscription_type type, enum map_mode mode)
{
    struct map_options *map = &namespaces[at].map;
    namespaces[at].subscription_type = type;
    map->mode = mode;
    map->key_ttl_ms = mode == MAP_PERSISTENT ? 0 : 2000;
    map->stream_size = mode == MAP_EPHEMERAL ? 0 : 4;
    map->stream_ttl_ms = 3000;
    map->min_page_size = 1;
    map->default_page_size = 2;
    map->max_page_size = 3;
    map->live_transition_max_publication_limit = 2;
    map->allow_publish_for_client = map->allow_publish_for_anonymous = true;
    map->allow_remove_for_client = map->allow_remove_for_anonymous = true;
    map_options_complete(map);
    return &namespaces[at];
}

static inline void fuzz_options_of_maps(struct node_options *options, uint8_t seed)
{
    fuzz_options_of_map(MAPS, CLIENT_SUBSCRIPTION_MAP,
                        (seed & 1) != 0 ? MAP_RECOVERABLE : MAP_PERSISTENT)
        ->client_publish_debounce_interval_ms = (seed & 2) != 0 ? 20 : 0;
    struct channel_options *ephemeral =
        fuzz_options_of_map(EPHEMERAL, CLIENT_SUBSCRIPTION_MAP, MAP_EPHEMERAL);
    ephemeral->map.client_key = MAP_KEY_CLIENT_ID;
    ephemeral->map.remove_client_on_unsubscribe = true;
    fuzz_options_of_map(CLIENTS, CLIENT_SUBSCRIPTION_MAP_CLIENTS, MAP_EPHEMERAL);
    fuzz_options_of_map(USERS, CLIENT_SUBSCRIPTION_MAP_USERS, MAP_EPHEMERAL);
    namespaces[SEEN].map_clients_presence_channel_prefix = "who:";
    namespaces[SEEN].map_users_presence_channel_prefix = "users:";
    namespaces[SEEN].batch_max_size = 3;
    namespaces[SEEN].batch_max_delay_ms = 20;
    namespaces[SEEN].batch_flush_latest = (seed & 16) != 0;
    struct channel_options *proxied =
        fuzz_options_of_map(PROXIED_MAPS, CLIENT_SUBSCRIPTION_MAP, MAP_PERSISTENT);
    proxied->map.publish_proxy = proxied->map.remove_proxy = &proxy;
    options->map_max_keys = 3;
    options->map_memory_limit = 8192;
}

static inline void fuzz_options_of_polls(struct node_options *options, uint8_t seed)
{
    for (uint32_t at = POLLS; at <= FREE_POLLS; at++) {
        struct shared_poll_options *poll = &namespaces[at].shared_poll;
        namespaces[at].subscription_type = CLIENT_SUBSCRIPTION_SHARED_POLL;
        poll->proxy = &proxy;
        poll->mode = at == POLLS ? SHARED_POLL_VERSIONED : SHARED_POLL_VERSIONLESS;
        poll->publish_enabled = true;
        poll->refresh_interval_ms = 200;
        poll->refresh_batch_size = 2;
        poll->max_keys_per_connection = 4;
        poll->channel_shutdown_delay_ms = (seed & 4) != 0 ? 500 : 0;
        poll->track_expired_extra_delay_ms = 500;
        shared_poll_options_complete(poll);
    }
    options->shared_poll_hmac_secret_key = POLL_SECRET;
    options->shared_poll_concurrency_limit = 2;
}

/* Whom the node asks and tells: the simulator's second node. */
static inline void fuzz_options_of_backend(struct node_options *options)
{
    proxy = (struct proxy_options){.name = "default", .timeout_ms = 1000};
    endpoint = (struct endpoint_options){.url = "http://backend/",
                                         .host = "backend",
                                         .authority = "backend",
                                         .target = "/"};
    sim_node_address(1, FUZZ_BACKEND_PORT, &endpoint.address);
    options->endpoints = &endpoint;
    options->endpoints_len = 1;
    options->rpc_without_namespace.proxy = &proxy;
    options->webhooks.clients = &proxy;
    options->webhooks.vacated_delay_ms = 50;
    options->webhooks.batch_max_delay_ms = 10;
    options->webhooks.queue_max_events = 64;
    options->webhooks.secret = "s";
    namespaces[PROXIED].subscribe_proxy = namespaces[PROXIED].publish_proxy = &proxy;
    namespaces[PROXIED].sub_refresh_proxy = &proxy;
}

/* Those of the node; the backend is the second node of the simulator. */
static inline void fuzz_options_open(struct node_options *options, uint8_t flags, uint8_t seed)
{
    static const char *const names[NAMESPACES] = {"r", "m",    "e",    "who", "users", "seen",
                                                  "w", "poll", "free", "p",   "mp"};
    for (uint32_t i = 0; i < NAMESPACES; i++) {
        namespaces[i] = options->without_namespace;
        namespaces[i].name = names[i];
        namespaces[i].allow_tags_filter = true;
        namespaces[i].allowed_delta_types = 1u << DELTA_TYPE_FOSSIL;
    }
    fuzz_options_of_histories(options, flags);
    fuzz_options_of_maps(options, seed);
    fuzz_options_of_polls(options, seed);
    fuzz_options_of_backend(options);
    struct channel_options *wild = &namespaces[WILD];
    wild->wildcard_max_depth = 2;
    wild->allow_wildcard_subscribe_for_client = true;
    wild->allow_wildcard_subscribe_for_anonymous = true;
    wild->history_size = (seed & 8) != 0 ? 3 : 0;
    wild->history_ttl_ms = 2000;
    wild->force_recovery = wild->history_size != 0;
    channel_options_of_wildcard(wild, &wildcards);
    wild->wildcard = &wildcards;
    options->namespaces = namespaces;
    options->namespaces_len = NAMESPACES;
}

#endif
