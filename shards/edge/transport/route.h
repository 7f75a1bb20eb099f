/* SPDX-License-Identifier: Apache-2.0 */
/* Which handler serves a path of an HTTP request, as the configuration says. */
#ifndef ROOST_SHARDS_EDGE_TRANSPORT_ROUTE_H
#define ROOST_SHARDS_EDGE_TRANSPORT_ROUTE_H

#include "codec/http1.h"
#include "shards/http_requests.h"
#include "shards/options.h"

enum route {
    ROUTE_NONE,
    ROUTE_WEBSOCKET,
    ROUTE_TRANSPORT,
    ROUTE_EMULATION,
    ROUTE_INIT,
    ROUTE_ECHO,
    ROUTE_API,
    ROUTE_HEALTH,
    ROUTE_METRICS,
    ROUTE_SHARDS,
    ROUTE_NODES,
    ROUTE_WEB,
};

/* ROUTE_NONE also when the other listener serves it: the server API (unless it is external), the
 * health check and the metrics stay off the public one where there is an internal one, and all else
 * off that. Of ROUTE_API, *api_method is what stands behind its prefix; empty: nothing. */
enum route route_of(const struct node_options *options, struct span path, bool is_internal,
                    struct span *api_method);

/* Of ROUTE_TRANSPORT; TRANSPORTS: it is that of none which is served. */
enum transport route_transport(const struct node_options *options, struct span path);

/* Of ROUTE_WEB; NULL: there is no such file. */
const struct web_file *route_web_file(const struct node_options *options, struct span path);

/* Where the request is counted. */
enum http_path route_path(const struct node_options *options, const struct http1_request *request,
                          enum route route, struct span api_method);

#endif
