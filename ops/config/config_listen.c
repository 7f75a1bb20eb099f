/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and ports to listen on, public and internal, and how they go together. */
#include "ops/config/config_listen.h"

#include <string.h>

#include "ops/config/config_scope.h"

static const char address_key[] = "http_server.address";
static const char internal_address_key[] = "http_server.internal_address";
static const char internal_port_key[] = "http_server.internal_port";

/* Where the internal endpoints are, unless it is said. */
static const char *internal_address(const struct config *config)
{
    return config->internal_address[0] != '\0' ? config->internal_address : config->address;
}

const char *config_api_address(const struct config *config)
{
    return config->options.http_api.external ? config->address : internal_address(config);
}

static bool derive_address(struct config *config, const char *key, const char *said,
                           struct socket_address *out, struct config_report *report)
{
    char found[4 * CONFIG_REPORT_FOUND_MAX];
    const uint16_t port = out->port;
    const char *text = said;
    char bare[64];
    size_t len = strlen(text);

    if (len == 0) {
        text = "0.0.0.0";
    } else if (strcmp(text, "localhost") == 0) {
        text = "127.0.0.1";
    } else if (text[0] == '[' && text[len - 1] == ']') {
        snprintf(bare, sizeof(bare), "%.*s", (int)(len - 2), text + 1);
        text = bare;
    }
    if (!socket_address_parse(text, port, out)) {
        config_report_error(report, config_origin_of(config, key),
                            "%s: found %s, expected an IPv4 or IPv6 address", key,
                            config_report_quote(said, len, found));
        return false;
    }
    return true;
}

/* Centrifugo has this port as text, of which nothing is the port of all. */
static bool derive_internal_port(struct config *config, uint16_t *out, struct config_report *report)
{
    static const struct config_key number = {.type = CONFIG_NUMBER, .min = 1, .max = UINT16_MAX};
    const char *said = config->internal_port;
    char found[4 * CONFIG_REPORT_FOUND_MAX];
    uint32_t port = config->port;

    if (said[0] != '\0' &&
        !config_value_parse(&number, said, strlen(said), &port, &config->texts)) {
        config_report_error(report, config_origin_of(config, internal_port_key),
                            "%s: found %s, expected a port from 1 to 65535, or nothing",
                            internal_port_key, config_report_quote(said, strlen(said), found));
        return false;
    }
    *out = (uint16_t)port;
    return true;
}

static bool is_wildcard(const struct socket_address *address)
{
    static const uint8_t nothing[sizeof(address->bytes)];

    return memcmp(address->bytes, nothing, address->family == 4 ? 4 : sizeof(nothing)) == 0;
}

static bool is_same(const struct socket_address *a, const struct socket_address *b)
{
    return a->family == b->family && a->port == b->port &&
           memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : sizeof(a->bytes)) == 0;
}

void config_derive_listeners(struct config *config, struct config_report *report)
{
    struct socket_address *listen = &config->options.listen;
    struct socket_address internal = {0};

    listen->port = (uint16_t)config->port;
    if (!derive_address(config, address_key, config->address, listen, report) ||
        !derive_internal_port(config, &internal.port, report) ||
        !derive_address(config, internal_address_key, internal_address(config), &internal,
                        report) ||
        is_same(&internal, listen)) {
        return;
    }
    /* The kernel would give each connection to the narrower one: of the other's endpoints, some
     * could not be reached where its address says that they are. */
    if (internal.family == listen->family && internal.port == listen->port &&
        (is_wildcard(&internal) || is_wildcard(listen))) {
        config_report_error(report, config_origin_of(config, internal_address_key),
                            "%s: found \"%s\", of which and of %s one is in the other, expected "
                            "another port (%s)",
                            internal_address_key, config->internal_address, address_key,
                            internal_port_key);
        return;
    }
    config->options.listen_internal = internal;
}
