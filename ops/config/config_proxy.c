/* SPDX-License-Identifier: Apache-2.0 */
/* From what proxies say to what a node does: endpoints, headers, transforms, and who uses them. */
#include "ops/config/config_proxy.h"

#include <string.h>
#include <strings.h>

#include "codec/http1.h"
#include "ops/config/config_check.h"
#include "ops/config/config_endpoint.h"
#include "ops/config/config_scope.h"
#include "ops/config/config_transform.h"

enum {
    KEY_SETS_MAX = 2, /* Endpoints beside those of proxies. */
    PROXIES_MAX = 256,
    HEADERS_MAX = 256,
    TRANSFORMS_MAX = 256,
    SECTION_SIZE = 96,
};

/* A proxy that may be used: the default ones and those of `proxies`. */
struct candidate {
    const char *name;
    char section[SECTION_SIZE]; /* "rpc.proxy." */
    const struct config_proxy *said;
    const struct config_origin *origin;
    const struct proxy_options *made; /* NULL: nobody has used it yet. */
};

struct header_names {
    const char **items;
    size_t len;
};

struct deriving {
    struct config *config;
    struct config_report *report;
    struct candidate candidates[PROXIES_MAX];
    size_t len;
    size_t named;                /* From here on they have names of their own. */
    struct header_names headers; /* That any proxy is told, */
    struct header_names emulated;
};

static void *allocate(struct deriving *at, size_t size)
{
    void *made = config_texts_allocate(&at->config->texts, size);

    if (made == NULL) {
        config_report_error(at->report, NULL, "memory is out");
    }
    return made;
}

/* ---- what one proxy says ---- */

/* Those that are the request's own, or speak of the client's connection. */
static bool is_own_header(const char *name)
{
    static const char *const own[] = {"Host",       "Content-Length", "Content-Type",
                                      "Connection", "Keep-Alive",     "Transfer-Encoding",
                                      "Upgrade",    "Expect",         "TE",
                                      "Trailer"};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcasecmp(name, own[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_header(const char *name, const char *value)
{
    struct writer out = writer_for_measuring();

    return !is_own_header(name) &&
           http1_write_header(&out, span_of_text(name), span_of_text(value));
}

static void report_header(struct deriving *at, const struct candidate *candidate, const char *key,
                          const struct config_origin *origin, const char *name)
{
    char found[4 * CONFIG_REPORT_FOUND_MAX];

    config_report_error(at->report, origin,
                        "%s%s: found %s, expected a header's name, and none that the request has "
                        "of its own",
                        candidate->section, key, config_report_quote(name, strlen(name), found));
}

/* Checks the names of a list and gathers them for the node. */
static void gather_headers(struct deriving *at, const struct candidate *candidate, const char *key,
                           const struct config_list *list, struct header_names *known)
{
    for (size_t i = 0; i < list->len; i++) {
        bool is_known = false;

        if (!is_header(list->items[i], "")) {
            report_header(at, candidate, key, candidate->origin, list->items[i]);
        }
        for (size_t j = 0; j < known->len; j++) {
            is_known = is_known || strcasecmp(known->items[j], list->items[i]) == 0;
        }
        if (!is_known && known->len < HEADERS_MAX) {
            known->items[known->len++] = list->items[i];
        }
    }
}

static void derive_headers(struct deriving *at, const struct candidate *candidate,
                           struct proxy_options *out)
{
    const struct config_proxy *said = candidate->said;

    out->http_headers = said->http_headers.items;
    out->http_headers_len = said->http_headers.len;
    gather_headers(at, candidate, "http_headers", &said->http_headers, &at->headers);
    out->emulated_headers = said->emulated_headers.items;
    out->emulated_headers_len = said->emulated_headers.len;
    gather_headers(at, candidate, "emulated_headers", &said->emulated_headers, &at->emulated);
}

static void derive_static_headers(struct deriving *at, const struct candidate *candidate,
                                  struct proxy_options *out)
{
    const struct config_node *node = candidate->said->static_headers;

    if (node == NULL || node->members == 0) {
        return;
    }
    struct proxy_header *headers = allocate(at, node->members * sizeof(*headers));
    size_t len = 0;

    if (headers == NULL || node->kind != CONFIG_NODE_MAPPING) {
        config_report_error(at->report, &node->origin,
                            "%shttp.static_headers: found a list, expected a section of names and "
                            "values",
                            candidate->section);
        return;
    }
    for (const struct config_node *member = node->first; member != NULL; member = member->next) {
        if (member->kind != CONFIG_NODE_SCALAR || !is_header(member->key, member->text)) {
            report_header(at, candidate, "http.static_headers", &member->key_origin, member->key);
        } else {
            headers[len++] = (struct proxy_header){member->key, member->text};
        }
    }
    out->static_headers = headers;
    out->static_headers_len = len;
}

static void derive_transforms(struct deriving *at, const struct candidate *candidate,
                              struct proxy_options *out)
{
    const struct config_node *node = candidate->said->transforms;

    if (node == NULL || node->members == 0) {
        return;
    }
    struct proxy_transform *transforms = allocate(at, node->members * sizeof(*transforms));
    size_t len = 0;

    if (transforms == NULL || node->kind != CONFIG_NODE_SEQUENCE) {
        config_report_error(at->report, &node->origin,
                            "%shttp.status_to_code_transforms: found a section, expected a list",
                            candidate->section);
        return;
    }
    for (const struct config_node *member = node->first; member != NULL; member = member->next) {
        const char *wrong = config_transform_read(member, &transforms[len]);

        if (wrong != NULL) {
            config_report_error(at->report, &member->origin, "%shttp.status_to_code_transforms: %s",
                                candidate->section, wrong);
        } else {
            len++;
        }
    }
    out->transforms = transforms;
    out->transforms_len = len;
}

static bool derive_endpoint(struct deriving *at, const struct candidate *candidate)
{
    struct config *config = at->config;
    struct endpoint_options *endpoint = &config->endpoints[config->options.endpoints_len];
    bool is_tls;
    const char *wrong =
        config_endpoint_parse(candidate->said->endpoint, &config->texts, endpoint, &is_tls);

    if (wrong != NULL) {
        config_report_error(at->report, candidate->origin, "%sendpoint: %s", candidate->section,
                            wrong);
        return false;
    }
    if (candidate->said->tls_enabled && candidate->said->tls_server_name[0] != '\0') {
        endpoint->tls_name = candidate->said->tls_server_name;
    }
    /* One without TLS needs no certificates. */
    config->endpoint_proxies[config->options.endpoints_len] = is_tls ? candidate->said : NULL;
    return true;
}

/* Where tokens' keys are fetched from is an endpoint beside those of proxies. */
static void derive_key_set(struct deriving *at, const char *section, struct config_proxy *said,
                           struct token_options *token)
{
    char key[SECTION_SIZE + 16];

    if (said->endpoint[0] == '\0') {
        return;
    }
    snprintf(key, sizeof(key), "%sendpoint", section);
    struct candidate candidate = {.origin = config_origin_of(at->config, key), .said = said};

    snprintf(candidate.section, sizeof(candidate.section), "%s", section);
    said->tls_enabled = said->tls_server_ca_pem[0] != '\0';
    said->tls_server_name = said->tls_cert_pem = said->tls_key_pem = "";
    if (strstr(said->endpoint, "{{") != NULL) {
        config_report_error(at->report, candidate.origin,
                            "%s: found a variable ({{...}}), expected a URL without one", key);
    } else if (derive_endpoint(at, &candidate)) {
        token->has_jwks_endpoint = true;
        token->jwks_endpoint = (uint32_t)at->config->options.endpoints_len++;
    }
}

/* What the candidate says as what a node does; NULL: it was reported why not. */
static const struct proxy_options *use(struct deriving *at, struct candidate *candidate)
{
    if (candidate->made != NULL || !derive_endpoint(at, candidate)) {
        return candidate->made;
    }
    struct proxy_options *made = allocate(at, sizeof(*made));

    if (made == NULL) {
        return NULL;
    }
    made->name = candidate->name;
    made->endpoint = (uint32_t)at->config->options.endpoints_len++;
    made->timeout_ms = candidate->said->timeout_ms;
    made->binary_encoding = candidate->said->binary_encoding;
    made->include_connection_meta = candidate->said->include_connection_meta;
    derive_headers(at, candidate, made);
    derive_static_headers(at, candidate, made);
    derive_transforms(at, candidate, made);
    candidate->made = made;
    return made;
}

/* ---- candidates ---- */

static struct candidate *add(struct deriving *at, const char *name, const char *section,
                             const struct config_proxy *said, const struct config_origin *origin)
{
    struct candidate *candidate = &at->candidates[at->len++];

    *candidate = (struct candidate){.name = name, .said = said, .origin = origin};
    snprintf(candidate->section, sizeof(candidate->section), "%s", section);
    return candidate;
}

static struct candidate *add_default(struct deriving *at, const char *section,
                                     const struct config_proxy *said)
{
    char endpoint[SECTION_SIZE + 16];

    snprintf(endpoint, sizeof(endpoint), "%sendpoint", section);
    return add(at, "default", section, said, config_origin_of(at->config, endpoint));
}

static bool is_known_name(const struct deriving *at, const char *name)
{
    for (size_t i = at->named; i < at->len; i++) {
        if (strcmp(at->candidates[i].name, name) == 0) {
            return true;
        }
    }
    return strcmp(name, "default") == 0;
}

/* Reads one of `proxies`. */
static void add_named(struct deriving *at, const struct config_node *node)
{
    struct config *config = at->config;
    const char *name = config_node_text(node, "name");
    char section[SECTION_SIZE];
    struct config_proxy *said = allocate(at, sizeof(*said));
    struct config_origin *origins = allocate(at, config_proxy_keys_len * sizeof(*origins));

    if (said == NULL || origins == NULL) {
        return;
    }
    if (!config_is_name(name) || is_known_name(at, name) || at->len == PROXIES_MAX) {
        config_report_error(at->report, &node->origin,
                            "proxies: found no name, an odd one, or one that is taken (as "
                            "\"default\" is), expected each of at most %d with its name",
                            (int)(PROXIES_MAX - at->named));
        return;
    }
    snprintf(section, sizeof(section), "proxies.%s.", name);
    struct config_scope scope = {.keys = config_proxy_keys,
                                 .keys_len = config_proxy_keys_len,
                                 .foreign = config_foreign_proxy_keys,
                                 .foreign_len = config_foreign_proxy_keys_len,
                                 .values = said,
                                 .origins = origins,
                                 .texts = &config->texts};

    snprintf(scope.path, sizeof(scope.path), "%s", section);
    if (config_scope_set_defaults(&scope)) {
        config_read_section(config, &scope, node, at->report);
        add(at, name, section, said, &node->origin);
    }
}

static void add_all_named(struct deriving *at)
{
    const struct config_node *node = at->config->named_proxies;

    at->named = at->len;
    if (node == NULL) {
        return;
    }
    if (node->kind != CONFIG_NODE_SEQUENCE && node->members > 0) {
        config_report_error(at->report, &node->origin,
                            "proxies: found a section, expected a list of sections");
        return;
    }
    for (const struct config_node *member = node->first; member != NULL; member = member->next) {
        add_named(at, member);
    }
}

/* ---- who uses which ---- */

struct user {
    const char *path; /* "channel.namespaces.x.subscribe_proxy_" */
    const struct config_origin *origin;
    bool enabled;
    const char *name;
};

static const struct proxy_options *find(struct deriving *at, const struct user *user,
                                        struct candidate *standard)
{
    char found[4 * CONFIG_REPORT_FOUND_MAX];

    if (!user->enabled) {
        return NULL;
    }
    if (strcmp(user->name, "default") == 0) {
        if (standard->said->endpoint[0] == '\0') {
            config_report_error(at->report, user->origin,
                                "%senabled: found true, expected %sendpoint to be set, or another "
                                "name",
                                user->path, standard->section);
            return NULL;
        }
        return use(at, standard);
    }
    for (size_t i = at->named; i < at->len; i++) {
        if (strcmp(at->candidates[i].name, user->name) == 0) {
            return use(at, &at->candidates[i]);
        }
    }
    config_report_error(at->report, user->origin, "%sname: found %s, expected a name of `proxies`",
                        user->path, config_report_quote(user->name, strlen(user->name), found));
    return NULL;
}

struct standards {
    struct candidate *rpc;
    struct candidate *subscribe;
    struct candidate *publish;
    struct candidate *sub_refresh;
    struct candidate *state;
    struct candidate *map_publish;
    struct candidate *map_remove;
    struct candidate *shared_poll_refresh;
};

static void derive_channel(struct deriving *at, const struct config_scope *scope,
                           const struct standards *standards)
{
    struct channel_options *options = scope->values;
    const struct {
        const char *key;
        bool enabled;
        const char *name;
        struct candidate *standard;
        const struct proxy_options **to;
    } uses[] = {
        {"subscribe_proxy_", options->subscribe_proxy_enabled, options->subscribe_proxy_name,
         standards->subscribe, &options->subscribe_proxy},
        {"publish_proxy_", options->publish_proxy_enabled, options->publish_proxy_name,
         standards->publish, &options->publish_proxy},
        {"sub_refresh_proxy_", options->sub_refresh_proxy_enabled, options->sub_refresh_proxy_name,
         standards->sub_refresh, &options->sub_refresh_proxy},
        {"state_proxy_", options->state_proxy_enabled, options->state_proxy_name, standards->state,
         &options->state_proxy},
        {"map.publish_proxy_", options->map.publish_proxy_enabled, options->map.publish_proxy_name,
         standards->map_publish, &options->map.publish_proxy},
        {"map.remove_proxy_", options->map.remove_proxy_enabled, options->map.remove_proxy_name,
         standards->map_remove, &options->map.remove_proxy},
        {"shared_poll.proxy_", config_asks_shared_poll(at->config, options),
         options->shared_poll.proxy_name[0] == '\0' ? "default" : options->shared_poll.proxy_name,
         standards->shared_poll_refresh, &options->shared_poll.proxy},
    };

    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        char path[2 * CONFIG_PATH_MAX];
        char key[64];

        snprintf(path, sizeof(path), "%s%s", scope->path, uses[i].key);
        snprintf(key, sizeof(key), "%senabled", uses[i].key);
        const struct config_key *found = config_scope_find(scope, key);

        if (found == NULL) {
            snprintf(key, sizeof(key), "%sname", uses[i].key);
            found = config_scope_find(scope, key);
        }
        BUG_IF(found == NULL);
        const struct user user = {path, &scope->origins[found - scope->keys], uses[i].enabled,
                                  uses[i].name};

        *uses[i].to = find(at, &user, uses[i].standard);
    }
}

static void derive_rpc_namespaces(struct deriving *at, struct candidate *standard)
{
    struct config *config = at->config;
    const struct config_node *node = config->rpc_namespaces;

    if (node == NULL || node->members == 0) {
        return;
    }
    struct rpc_options *namespaces = allocate(at, node->members * sizeof(*namespaces));
    size_t len = 0;

    if (namespaces == NULL || node->kind != CONFIG_NODE_SEQUENCE) {
        config_report_error(at->report, &node->origin,
                            "rpc.namespaces: found a section, expected a list of sections");
        return;
    }
    for (const struct config_node *member = node->first; member != NULL; member = member->next) {
        struct config_rpc said;
        struct config_origin origins[8];
        char path[2 * CONFIG_PATH_MAX];
        struct config_scope scope = {.path = "rpc.namespaces.",
                                     .keys = config_rpc_keys,
                                     .keys_len = config_rpc_keys_len,
                                     .values = &said,
                                     .origins = origins,
                                     .texts = &config->texts};

        if (!config_scope_set_defaults(&scope)) {
            return;
        }
        config_read_section(config, &scope, member, at->report);
        bool is_taken = false;
        for (size_t i = 0; i < len; i++) {
            is_taken = is_taken || strcmp(namespaces[i].name, said.name) == 0;
        }
        if (!config_is_name(said.name) || is_taken) {
            config_report_error(at->report, &member->origin,
                                "rpc.namespaces: found no name, an odd one, or one again, expected "
                                "each with its name");
            continue;
        }
        snprintf(path, sizeof(path), "rpc.namespaces.%s.proxy_", said.name);
        const struct user user = {path, &member->origin, said.proxy_enabled, said.proxy_name};

        namespaces[len++] = (struct rpc_options){said.name, find(at, &user, standard)};
    }
    config->options.rpc_namespaces = namespaces;
    config->options.rpc_namespaces_len = len;
}

static void derive_all(struct deriving *at)
{
    struct config *config = at->config;
    struct node_options *options = &config->options;
    const struct config_default_proxies *said = &config->proxy;
    struct candidate *connect = add_default(at, "client.proxy.connect.", &said->connect);
    struct candidate *refresh = add_default(at, "client.proxy.refresh.", &said->refresh);
    struct candidate *clients = add_default(at, "client.proxy.state.", &said->client_state);
    const struct standards standards = {
        .rpc = add_default(at, "rpc.proxy.", &said->rpc),
        .subscribe = add_default(at, "channel.proxy.subscribe.", &said->subscribe),
        .publish = add_default(at, "channel.proxy.publish.", &said->publish),
        .sub_refresh = add_default(at, "channel.proxy.sub_refresh.", &said->sub_refresh),
        .state = add_default(at, "channel.proxy.state.", &said->state),
        .map_publish = add_default(at, "channel.proxy.map_publish.", &said->map_publish),
        .map_remove = add_default(at, "channel.proxy.map_remove.", &said->map_remove),
        .shared_poll_refresh =
            add_default(at, "channel.proxy.shared_poll_refresh.", &said->shared_poll_refresh),
    };
    struct config_scope scope = config_scope_without_namespace(config);

    add_all_named(at);
    const size_t endpoints_max = at->len + KEY_SETS_MAX;

    config->endpoints = allocate(at, endpoints_max * sizeof(*config->endpoints));
    config->endpoint_proxies = allocate(at, endpoints_max * sizeof(*config->endpoint_proxies));
    at->headers.items = allocate(at, HEADERS_MAX * sizeof(*at->headers.items));
    at->emulated.items = allocate(at, HEADERS_MAX * sizeof(*at->emulated.items));
    options->endpoints_len = 0;
    if (config->endpoints == NULL || config->endpoint_proxies == NULL ||
        at->headers.items == NULL || at->emulated.items == NULL) {
        return;
    }
    options->connect_proxy =
        find(at,
             &(struct user){"client.proxy.connect.",
                            config_origin_of(config, "client.proxy.connect.enabled"),
                            said->connect.enabled, "default"},
             connect);
    options->refresh_proxy =
        find(at,
             &(struct user){"client.proxy.refresh.",
                            config_origin_of(config, "client.proxy.refresh.enabled"),
                            said->refresh.enabled, "default"},
             refresh);
    options->webhooks.clients =
        find(at,
             &(struct user){"client.proxy.state.",
                            config_origin_of(config, "client.proxy.state.enabled"),
                            said->client_state.enabled, "default"},
             clients);
    options->rpc_without_namespace.name = "";
    options->rpc_without_namespace.proxy =
        find(at,
             &(struct user){"rpc.without_namespace.proxy_",
                            config_origin_of(config, "rpc.without_namespace.proxy_enabled"),
                            config->rpc_without_namespace.proxy_enabled,
                            config->rpc_without_namespace.proxy_name},
             standards.rpc);
    derive_rpc_namespaces(at, standards.rpc);
    derive_channel(at, &scope, &standards);
    for (size_t i = 0; i < config->namespaces_len; i++) {
        scope = config_scope_namespace(config, config->namespaces[i]);
        derive_channel(at, &scope, &standards);
    }
    derive_key_set(at, "client.token.jwks_public_", &config->token_keys, &options->client.token);
    derive_key_set(at, "client.subscription_token.jwks_public_", &config->subscription_token_keys,
                   &options->client.subscription_token);
    options->endpoints = config->endpoints;
}

void config_derive_proxies(struct config *config, struct config_report *report)
{
    static struct deriving at;

    at = (struct deriving){.config = config, .report = report};
    derive_all(&at);
    config->options.proxy_headers = at.headers.items;
    config->options.proxy_headers_len = at.headers.len;
    config->options.proxy_emulated_headers = at.emulated.items;
    config->options.proxy_emulated_headers_len = at.emulated.len;
}
