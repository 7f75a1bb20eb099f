/* SPDX-License-Identifier: Apache-2.0 */
/* Proxies in a configuration: the default ones, the named ones, and who uses which. */
#ifndef ROOST_OPS_CONFIG_CONFIG_PROXY_H
#define ROOST_OPS_CONFIG_CONFIG_PROXY_H

#include "ops/config/config_report.h"
#include "ops/config/config_value.h"

struct config;
struct config_node;

/* What each proxy says, wherever it stands. */
struct config_proxy {
    bool enabled; /* Of those of clients alone. */
    const char *endpoint;
    uint64_t timeout_ms;
    struct config_list http_headers;
    struct config_list emulated_headers;
    bool binary_encoding;
    bool include_connection_meta;
    const struct config_node *static_headers;
    const struct config_node *transforms;
    bool tls_enabled;
    bool tls_insecure_skip_verify;
    const char *tls_server_name;
    const char *tls_cert_pem; /* PEM, its base64, or a file's name; as the others. */
    const char *tls_key_pem;
    const char *tls_server_ca_pem;
};

/* Those that need no name. */
struct config_default_proxies {
    struct config_proxy connect;
    struct config_proxy refresh;
    struct config_proxy rpc;
    struct config_proxy subscribe;
    struct config_proxy publish;
    struct config_proxy sub_refresh;
    struct config_proxy map_publish;
    struct config_proxy map_remove;
    struct config_proxy client_state; /* These two are told, not asked. */
    struct config_proxy state;
    struct config_proxy shared_poll_refresh;
};

/* Who uses which, and where it is: config->options gets its proxies and endpoints, channels and RPC
 * namespaces theirs. After all readers. */
void config_derive_proxies(struct config *config, struct config_report *report);

#endif
