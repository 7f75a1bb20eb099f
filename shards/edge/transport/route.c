/* SPDX-License-Identifier: Apache-2.0 */
/* Paths to handlers. */
#include "shards/edge/transport/route.h"

static bool path_is(struct span path, const char *wanted)
{
    return span_equal(path, span_of_text(wanted));
}

/* `<prefix>/<method>`; *method is what follows. */
static bool path_is_api(const struct node_options *options, struct span path, struct span *method)
{
    const struct span prefix = span_of_text(options->http_api.handler_prefix);
    if (options->http_api.disabled || !span_starts_with(path, prefix)) {
        return false;
    }
    const struct span rest = span_skip(path, prefix.len);
    if (!span_is_empty(rest) && rest.at[0] != '/') {
        return false;
    }
    *method = span_skip(rest, 1);
    return true;
}

const struct web_file *route_web_file(const struct node_options *options, struct span path)
{
    for (size_t i = 0; i < options->web_files_len; i++) {
        if (path_is(path, options->web_files[i].path)) {
            return &options->web_files[i];
        }
    }
    return NULL;
}

enum transport route_transport(const struct node_options *options, struct span path)
{
    for (uint32_t i = TRANSPORT_WEBSOCKET + 1; i < TRANSPORTS; i++) {
        if (options->transports[i].enabled &&
            path_is(path, options->transports[i].handler_prefix)) {
            return (enum transport)i;
        }
    }
    return TRANSPORTS;
}

static bool path_is_emulation(const struct node_options *options, struct span path)
{
    return (options->transports[TRANSPORT_HTTP_STREAM].enabled ||
            options->transports[TRANSPORT_SSE].enabled) &&
           path_is(path, options->emulation.handler_prefix);
}

static enum route find_route(const struct node_options *options, struct span path,
                             struct span *api_method)
{
    if (!options->websocket.disabled && path_is(path, options->websocket.handler_prefix)) {
        return ROUTE_WEBSOCKET;
    }
    if (path_is_emulation(options, path)) {
        return ROUTE_EMULATION;
    }
    if (route_transport(options, path) != TRANSPORTS) {
        return ROUTE_TRANSPORT;
    }
    if (options->init_enabled && path_is(path, options->init_handler_prefix)) {
        return ROUTE_INIT;
    }
    if (options->echo.enabled && path_is(path, options->echo.path)) {
        return ROUTE_ECHO;
    }
    if (path_is_api(options, path, api_method)) {
        return ROUTE_API;
    }
    if (options->health_enabled && path_is(path, options->health_handler_prefix)) {
        return ROUTE_HEALTH;
    }
    if (options->prometheus_enabled && path_is(path, options->prometheus_handler_prefix)) {
        return ROUTE_METRICS;
    }
    if (options->web_files_len > 0 && path_is(path, "/demo/shards")) {
        return ROUTE_SHARDS;
    }
    if (options->web_files_len > 0 && path_is(path, "/demo/nodes")) {
        return ROUTE_NODES;
    }
    return route_web_file(options, path) == NULL ? ROUTE_NONE : ROUTE_WEB;
}

static bool is_for_operators(const struct node_options *options, enum route route)
{
    return route == ROUTE_HEALTH || route == ROUTE_METRICS ||
           (route == ROUTE_API && !options->http_api.external);
}

enum route route_of(const struct node_options *options, struct span path, bool is_internal,
                    struct span *api_method)
{
    const enum route route = find_route(options, path, api_method);
    const bool is_elsewhere =
        options->listen_internal.family != 0 && is_for_operators(options, route) != is_internal;
    return is_elsewhere ? ROUTE_NONE : route;
}

enum http_path route_path(const struct node_options *options, const struct http1_request *request,
                          enum route route, struct span api_method)
{
    static const enum http_path paths[] = {
        [ROUTE_NONE] = HTTP_PATH_OTHER,          [ROUTE_EMULATION] = HTTP_PATH_EMULATION,
        [ROUTE_INIT] = HTTP_PATH_INIT,           [ROUTE_ECHO] = HTTP_PATH_ECHO,
        [ROUTE_HEALTH] = HTTP_PATH_HEALTH,       [ROUTE_METRICS] = HTTP_PATH_METRICS,
        [ROUTE_WEBSOCKET] = HTTP_PATH_TRANSPORT, [ROUTE_SHARDS] = HTTP_PATH_WEB,
        [ROUTE_NODES] = HTTP_PATH_WEB,           [ROUTE_WEB] = HTTP_PATH_WEB,
    };
    static_assert(TRANSPORT_WEBSOCKET == 0, "the first path of transports is its");
    if (route == ROUTE_TRANSPORT) {
        const uint32_t transport = (uint32_t)route_transport(options, request->path);
        return (enum http_path)(HTTP_PATH_TRANSPORT + transport);
    }
    if (route == ROUTE_API) {
        const enum api_method method = api_method_of(api_method);
        const bool is_unknown = method == API_METHOD_COUNT && !span_is_empty(api_method);
        return is_unknown ? HTTP_PATH_OTHER : (enum http_path)(HTTP_PATH_API + (uint32_t)method);
    }
    return paths[route];
}
