/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the addresses, names and keys of a cluster, and refuses one that anybody could join. */
#include "ops/config/config_cluster.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <openssl/base64.h>
#include <string.h>

#include "codec/hex.h"
#include "ops/config/config_scope.h"
#include "ops/system_address.h"
#include "runtime/limits.h"
#include "shards/router/membership/membership.h"

enum { HOST_BYTES_MAX = 253 };

/* ---- addresses ---- */

struct host_port {
    char host[HOST_BYTES_MAX + 1];
    uint16_t port; /* 0: not said. */
};

static bool read_port(const char *text, uint16_t *out)
{
    uint32_t port = 0;

    for (; *text >= '0' && *text <= '9' && port <= UINT16_MAX; text++) {
        port = port * 10 + (uint32_t)(*text - '0');
    }
    *out = (uint16_t)port;
    return *text == '\0' && port > 0 && port <= UINT16_MAX;
}

/* "host", "host:port", "[::1]:port". False: neither. */
static bool read_host_port(const char *text, struct host_port *out)
{
    const bool is_bracketed = text[0] == '[';
    const char *end = is_bracketed ? strchr(text, ']') : strchr(text, ':');
    const char *rest = end;

    if (is_bracketed) {
        if (end == NULL) {
            return false;
        }
        text++;
        rest++;
    } else if (end == NULL) {
        end = rest = text + strlen(text);
    }
    const size_t len = (size_t)(end - text);

    if (len == 0 || len > HOST_BYTES_MAX) {
        return false;
    }
    memcpy(out->host, text, len);
    out->host[len] = '\0';
    out->port = 0;
    return rest[0] == '\0' || (rest[0] == ':' && read_port(rest + 1, &out->port));
}

/* Letters, digits, hyphens, underscores and dots: what a name in the DNS may be made of. */
static bool is_host_name(const char *text)
{
    return text[strspn(text,
                       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] ==
               '\0' &&
           text[0] != '.' && text[0] != '-' && strstr(text, "..") == NULL;
}

static void refuse(struct config *config, const char *key, const char *text, const char *expected,
                   struct config_report *report)
{
    char found[4 * CONFIG_REPORT_FOUND_MAX];

    config_report_error(report, config_origin_of(config, key), "%s: found %s, expected %s", key,
                        config_report_quote(text, strlen(text), found), expected);
}

static bool read_address(struct config *config, const char *key, const char *text,
                         struct socket_address *out, struct config_report *report)
{
    struct host_port parts;

    if (read_host_port(text, &parts) && parts.port != 0 &&
        socket_address_parse(parts.host, parts.port, out)) {
        return true;
    }
    refuse(config, key, text, "an address and a port, like 10.0.0.1:8400 or [fd00::1]:8400",
           report);
    return false;
}

static bool is_wildcard(const struct socket_address *address)
{
    static const uint8_t zeros[sizeof(address->bytes)];

    return memcmp(address->bytes, zeros, sizeof(zeros)) == 0;
}

static bool is_loopback(const struct socket_address *address)
{
    static const uint8_t loopback6[16] = {[15] = 1};

    return address->family == 4 ? address->bytes[0] == 127
                                : memcmp(address->bytes, loopback6, sizeof(loopback6)) == 0;
}

static bool is_usable(const struct ifaddrs *at, uint8_t family, struct socket_address *out)
{
    if (at->ifa_addr == NULL || !system_address_read(at->ifa_addr, 0, out) ||
        out->family != family || is_loopback(out)) {
        return false;
    }
    /* An address of the link alone (fe80::/10) means nothing without its interface. */
    return family == 4 || out->bytes[0] != 0xfe || (out->bytes[1] & 0xc0) != 0x80;
}

/* The machine's first address that others may reach. */
static bool find_own_address(uint8_t family, struct socket_address *out)
{
    struct ifaddrs *all = NULL;
    bool is_found = false;

    if (getifaddrs(&all) != 0) {
        return false;
    }
    for (const struct ifaddrs *at = all; at != NULL && !is_found; at = at->ifa_next) {
        is_found = is_usable(at, family, out);
    }
    freeifaddrs(all);
    return is_found;
}

static void derive_advertise(struct config *config, struct config_report *report)
{
    const char *key = "cluster.advertise";
    struct cluster_options *cluster = &config->options.cluster;

    if (config->cluster_advertise[0] != '\0') {
        if (read_address(config, key, config->cluster_advertise, &cluster->advertise, report) &&
            is_wildcard(&cluster->advertise)) {
            refuse(config, key, config->cluster_advertise, "an address that others can reach",
                   report);
        } else if (cluster->advertise.family != cluster->bind.family) {
            refuse(config, key, config->cluster_advertise,
                   "an address of the family of cluster.bind", report);
        }
        return;
    }
    cluster->advertise = cluster->bind;
    if (is_wildcard(&cluster->bind)) {
        if (!find_own_address(cluster->bind.family, &cluster->advertise)) {
            config_report_error(report, config_origin_of(config, "cluster.bind"),
                                "cluster.advertise: found nothing, and the machine has no address "
                                "but its own loopback, expected an address that others can reach");
        }
        cluster->advertise.port = cluster->bind.port;
    }
    char text[SOCKET_ADDRESS_TEXT_SIZE];

    socket_address_format(&cluster->advertise, text);
    config->cluster_advertise = config_texts_keep(&config->texts, text, strlen(text));
    config_origin_of(config, key)->source = CONFIG_FROM_MACHINE;
}

/* ---- where others may be ---- */

static bool read_seed(const struct config *config, const char *text, struct config_name *name,
                      struct socket_address *address)
{
    struct host_port parts;

    if (!read_host_port(text, &parts)) {
        return false;
    }
    const bool is_service = parts.host[0] == '_';
    const uint16_t port = parts.port == 0 ? config->options.cluster.bind.port : parts.port;

    address->family = 0;
    name->name = NULL;
    name->port = is_service ? 0 : port;
    return socket_address_parse(parts.host, port, address) ||
           (is_host_name(parts.host) && !(is_service && parts.port != 0));
}

static void derive_seeds(struct config *config, struct config_report *report)
{
    const struct config_list *join = &config->cluster_join;
    struct socket_address *seeds =
        config_texts_allocate(&config->texts, (join->len + 1) * sizeof(*seeds));
    struct config_name *names =
        config_texts_allocate(&config->texts, (join->len + 1) * sizeof(*names));
    struct host_port parts;

    if (seeds == NULL || names == NULL) {
        config_report_error(report, NULL, "memory is out");
        return;
    }
    config->options.cluster.seeds = seeds;
    config->cluster_names = names;
    if (join->len > MEMBERSHIP_SEEDS_MAX) {
        config_report_error(report, config_origin_of(config, "cluster.join"),
                            "cluster.join: found %zu, expected at most %d", join->len,
                            MEMBERSHIP_SEEDS_MAX);
        return;
    }
    for (size_t i = 0; i < join->len; i++) {
        struct socket_address address;
        struct config_name name;

        if (!read_seed(config, join->items[i], &name, &address)) {
            refuse(config, "cluster.join", join->items[i],
                   "an address or a host's name, with a port or without, or the name of SRV "
                   "records",
                   report);
        } else if (address.family != 0) {
            seeds[config->options.cluster.seeds_len++] = address;
        } else if (read_host_port(join->items[i], &parts)) {
            name.name = config_texts_keep(&config->texts, parts.host, strlen(parts.host));
            names[config->cluster_names_len++] = name;
            config->options.cluster.has_names = true;
        }
    }
}

/* ---- keys ---- */

static bool read_key(const char *text, uint8_t out[GOSSIP_KEY_LEN])
{
    const size_t len = strlen(text);
    uint8_t decoded[GOSSIP_KEY_LEN + 1];
    size_t decoded_len = 0;

    if (len == 2 * GOSSIP_KEY_LEN) {
        return hex_read(text, out, GOSSIP_KEY_LEN);
    }
    if (len != 44 ||
        EVP_DecodeBase64(decoded, &decoded_len, sizeof(decoded), (const uint8_t *)text, len) == 0) {
        return false;
    }
    memcpy(out, decoded, GOSSIP_KEY_LEN);
    return decoded_len == GOSSIP_KEY_LEN;
}

static void derive_keys(struct config *config, struct config_report *report)
{
    struct gossip_keyring *keyring = &config->options.cluster.keyring;
    const struct config_origin *origin = config_origin_of(config, "cluster.keys");
    uint8_t key[GOSSIP_KEY_LEN] = {0};

    for (size_t i = 0; i < config->cluster_keys.len; i++) {
        if (!read_key(config->cluster_keys.items[i], key)) {
            config_report_error(report, origin,
                                "cluster.keys: found a secret that is not shown as number %zu, "
                                "expected %d bytes as 64 hexadecimal digits or in base64",
                                i + 1, GOSSIP_KEY_LEN);
            continue;
        }
        const enum gossip_seal_result result =
            gossip_keyring_add(keyring, span_of(key, sizeof(key)));

        if (result != GOSSIP_SEAL_OK) {
            config_report_error(report, origin, "cluster.keys: number %zu is one too many: %s",
                                i + 1, gossip_seal_result_text(result));
        }
    }
    explicit_bzero(key, sizeof(key));
}

/* ---- what must be together ---- */

static void check_locks(struct config *config, struct config_report *report)
{
    const struct cluster_options *cluster = &config->options.cluster;
    const struct {
        const char *key;
        const char *value;
    } files[] = {
        {"cluster.tls.cert_pem_file", config->cluster_tls_cert_pem_file},
        {"cluster.tls.key_pem_file", config->cluster_tls_key_pem_file},
        {"cluster.tls.ca_pem_file", config->cluster_tls_ca_pem_file},
    };
    size_t said = 0;

    for (size_t i = 0; i < 3; i++) {
        said += files[i].value[0] != '\0';
    }
    for (size_t i = 0; i < 3; i++) {
        if (files[i].value[0] == '\0' && (said > 0 || !config->cluster_insecure)) {
            config_report_error(report, config_origin_of(config, files[i].key),
                                "%s: found nothing, expected a file%s", files[i].key,
                                said > 0 ? ", since others of cluster.tls are said"
                                         : " (or cluster.insecure: links in clear)");
        }
    }
    if (config->cluster_keys.len == 0 && !config->cluster_insecure) {
        config_report_error(report, config_origin_of(config, "cluster.keys"),
                            "cluster.keys: found none, expected a key of %d bytes (or "
                            "cluster.insecure: gossip in clear)",
                            GOSSIP_KEY_LEN);
    }
    if (!is_loopback(&cluster->bind) && (config->cluster_keys.len == 0 || said == 0)) {
        config_report_note(report, config_origin_of(config, "cluster.insecure"),
                           "cluster.insecure: everybody who reaches %s may be a node of this "
                           "cluster",
                           config->cluster_bind);
    }
}

static void derive_client_address(struct config *config, struct config_report *report)
{
    struct socket_address address = config->options.listen;
    char text[SOCKET_ADDRESS_TEXT_SIZE];

    if (is_wildcard(&address)) {
        address = config->options.cluster.advertise;
        address.port = config->options.listen.port;
    }
    socket_address_format(&address, text);
    config->options.cluster.client_address = config_texts_keep(&config->texts, text, strlen(text));
    if (config->options.cluster.client_address == NULL) {
        config_report_error(report, NULL, "memory is out");
    }
}

void config_derive_cluster(struct config *config, struct config_report *report)
{
    struct cluster_options *cluster = &config->options.cluster;

    if (cluster->weight == 0) {
        cluster->weight = config->options.shards;
    }
    if (!cluster->enabled) {
        return;
    }
    if (cluster->name[0] == '\0') {
        refuse(config, "cluster.name", "", "a name", report);
    }
    derive_keys(config, report);
    if (read_address(config, "cluster.bind", config->cluster_bind, &cluster->bind, report)) {
        derive_seeds(config, report);
        derive_advertise(config, report);
        check_locks(config, report);
        derive_client_address(config, report);
    }
}
