/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of a node: defaults, then --dev, the file, the environment and the flags, each
 * over what came before.
 *
 * Call in this order: config_init, then the readers in the order of precedence, then config_finish.
 * A reader that meets errors reports them all and leaves the values that it could read;
 * config_finish checks how the values go together and derives what depends on the machine. With
 * report->errors == 0 afterwards, config->options is what a node can be started with. The main
 * thread only. Names that are handed in (file, variables, flags) must outlive the configuration.
 */
#ifndef ROOST_OPS_CONFIG_CONFIG_H
#define ROOST_OPS_CONFIG_CONFIG_H

#include <stdio.h>

#include "ops/config/config_keys.h"
#include "ops/config/config_proxy.h"
#include "ops/config/config_report.h"
#include "ops/config/config_value.h"
#include "shards/options.h"

enum {
    CONFIG_NAMESPACES_MAX = 1024,
    CONFIG_NAMESPACE_NAME_MAX = 64,
    CONFIG_FILE_BYTES_MAX = 1 << 20,
};

struct config_namespace {
    struct channel_options options;
    struct config_origin origin; /* Of the namespace itself. */
    struct config_origin origins[CONFIG_CHANNEL_KEYS_MAX];
};

/* Of RPC methods in one namespace, or of those without one. */
struct config_rpc {
    const char *name;
    bool proxy_enabled;
    const char *proxy_name;
};

/* A name in the DNS: "_service._udp.example.org" (SRV, which tells the ports), or a host's. */
struct config_name {
    const char *name;
    uint16_t port; /* 0: SRV. */
};

struct config {
    /* Complete after config_finish; owned by the configuration. */
    struct node_options options;

    /* What keys say and node_options holds in another form, or not at all. */
    const char *address;
    uint32_t port;
    const char *internal_address;
    const char *internal_port;
    unsigned log_level; /* enum log_level, or what counts as one of them */
    unsigned http_api_error_mode;
    unsigned publication_data_format; /* Of namespaces that do not say. */
    struct config_list allowed_origins;
    struct config_list additional_client_names;
    bool demo_enabled;
    bool runtime_pin;
    bool runtime_io_uring;
    const char *tcp_congestion_control;
    const char *cluster_bind;
    const char *cluster_advertise;
    struct config_list cluster_join;
    uint64_t cluster_join_interval_ms;
    struct config_list cluster_keys;
    bool cluster_insecure;
    const char *cluster_tls_cert_pem_file; /* All three or none. */
    const char *cluster_tls_key_pem_file;
    const char *cluster_tls_ca_pem_file;
    /* Of cluster.join, those that must be looked up; complete after config_finish. */
    const struct config_name *cluster_names;
    size_t cluster_names_len;
    const struct config_node *http_api_keys;
    const struct config_node *rate_limits;
    bool uni_disconnects_enabled;
    const struct config_node *uni_disconnects;
    const struct config_node *uni_http_stream_responses;
    const struct config_node *uni_sse_responses;
    struct config_default_proxies proxy;
    struct config_proxy token_keys; /* Where the key sets of tokens are. */
    struct config_proxy subscription_token_keys;
    const struct config_node *named_proxies;
    struct config_rpc rpc_without_namespace;
    const struct config_node *rpc_namespaces;
    /* One for each of options.endpoints, and these again; complete after config_finish. */
    const struct config_proxy **endpoint_proxies;
    struct endpoint_options *endpoints;
    uint32_t cores; /* That the process may use; known after config_finish. */

    struct config_origin origins[CONFIG_KEYS_MAX];
    struct config_origin without_namespace_origins[CONFIG_CHANNEL_KEYS_MAX];
    struct config_namespace *namespaces[CONFIG_NAMESPACES_MAX];
    size_t namespaces_len;
    struct pattern *channel_patterns; /* That options point to. */
    size_t channel_patterns_len;
    struct config_texts texts;
};

/* Every key at its default. False: memory is out. */
MUST_CHECK bool config_init(struct config *config);
void config_free(struct config *config);

/* What a developer wants: everything allowed, nothing but this machine can reach it. */
void config_read_dev(struct config *config, struct config_report *report);

/* YAML, and so JSON too. */
void config_read_file(struct config *config, const char *path, struct config_report *report);
void config_read_bytes(struct config *config, const char *name, const char *bytes, size_t len,
                       struct config_report *report);

/* Every ROOST_... of a NULL-terminated environment; others are not looked at. */
void config_read_environment(struct config *config, const char *const *environment,
                             struct config_report *report);

/* One key from a flag of the command line, such as "--port". */
void config_read_flag(struct config *config, const char *flag, const char *key, const char *value,
                      struct config_report *report);

void config_finish(struct config *config, struct config_report *report);

/* Every key with its value and where that came from, as YAML with flat keys. Secrets show as set or
 * unset. */
void config_print(struct config *config, FILE *out);
/* The table of all keys as Markdown. */
void config_print_reference(FILE *out);

#endif
