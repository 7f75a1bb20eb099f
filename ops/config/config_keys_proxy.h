/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that every proxy has, for the tables of config_keys.c. */
#ifndef ROOST_OPS_CONFIG_CONFIG_KEYS_PROXY_H
#define ROOST_OPS_CONFIG_CONFIG_KEYS_PROXY_H

#include "ops/config/config_proxy.h"

enum { ENDPOINT_BYTES_MAX = 2048, HEADER_BYTES_MAX = 256, PEM_BYTES_MAX = 64 * 1024 };

/* Of those that are asked and of those that are told. `in` and `at`: the struct that the scope's
 * values are in, and the config_proxy in it. */
#define PROXY_TARGET_KEYS(path_, in, at) \
    STRING(path_ "endpoint", .offset = offsetof(in, at.endpoint), ENDPOINT_BYTES_MAX, "", \
           "Where the backend is: `http://` or `https://`."), \
        DURATION(path_ "timeout", .offset = offsetof(in, at.timeout_ms), 1, HOUR, "1s", \
                 "Time that it has to answer."), \
        {.path = path_ "http.static_headers", \
         .type = CONFIG_TREE, \
         .is_secret = true, \
         .offset = offsetof(in, at.static_headers), \
         .initial = "", \
         .help = "Headers that are always sent: a section of names and values."}, \
        BOOL(path_ "http.tls.enabled", .offset = offsetof(in, at.tls_enabled), "false", \
             "Heed the keys below; an `https://` endpoint is asked with TLS anyway."), \
        STRING(path_ "http.tls.server_ca_pem", .offset = offsetof(in, at.tls_server_ca_pem), \
               PEM_BYTES_MAX, "", \
               "Authority of its certificate (PEM, base64 or a file); empty: the system's."), \
        STRING(path_ "http.tls.server_name", .offset = offsetof(in, at.tls_server_name), \
               HEADER_BYTES_MAX, "", "Name in its certificate; empty: that of the endpoint."), \
        STRING(path_ "http.tls.cert_pem", .offset = offsetof(in, at.tls_cert_pem), PEM_BYTES_MAX, \
               "", "Certificate that is shown to it."), \
        {.path = path_ "http.tls.key_pem", \
         .type = CONFIG_STRING, \
         .is_secret = true, \
         .offset = offsetof(in, at.tls_key_pem), \
         .max = PEM_BYTES_MAX, \
         .initial = "", \
         .help = "Its private key."}, \
        BOOL(path_ "http.tls.insecure_skip_verify", \
             .offset = offsetof(in, at.tls_insecure_skip_verify), "false", \
             "Believe any certificate; for development.")

#define PROXY_META_KEY(path_, in, at) \
    BOOL(path_ "include_connection_meta", .offset = offsetof(in, at.include_connection_meta), \
         "false", "Send what was said of the connection when it was made.")

#define PROXY_KEYS(path_, in, at) \
    PROXY_TARGET_KEYS(path_, in, at), \
        LIST(path_ "http_headers", .offset = offsetof(in, at.http_headers), HEADER_BYTES_MAX, \
             "Headers of the client's request that it is told."), \
        LIST(path_ "emulated_headers", .offset = offsetof(in, at.emulated_headers), \
             HEADER_BYTES_MAX, \
             "Headers that it is told of those in the connect command, which the client itself " \
             "chooses; where the request has one and `http_headers` names it, that one."), \
        BOOL(path_ "binary_encoding", .offset = offsetof(in, at.binary_encoding), "false", \
             "Send data as base64, for data that is no JSON."), \
        PROXY_META_KEY(path_, in, at), \
    { \
        .path = path_ "http.status_to_code_transforms", .type = CONFIG_TREE, \
        .offset = offsetof(in, at.transforms), .initial = "", \
        .help = "What statuses other than 200 mean: a list of `status_code` with `to_error` or " \
                "`to_disconnect`." \
    }

#define PROXY_FOREIGN_KEYS(path_) \
    SECTION(path_ "grpc"), SECTION(path_ "grpc_metadata"), VALUE(path_ "http.tls.client_ca_pem", "")

#endif
