/* SPDX-License-Identifier: Apache-2.0 */
/* The rig of a node and the rig of its backend, set up as tests of proxies want them. */
#include "tests/unit/shards/proxy_rig.h"

#include <stdio.h>

#define PROTOCOL (edge_rig_protocol == CLIENT_PROTOBUF ? "protobuf" : "json")

struct edge_rig edge;
struct backend_rig backend;
struct proxy_options proxy;

void proxy_rig_init(void)
{
    edge_rig_init(&edge, 2);
    backend_rig_init(&backend, &edge);
    edge.options.client.insecure = false;
    edge.options.client.ping_interval_ms = 0;
    proxy = (struct proxy_options){.name = "default", .timeout_ms = 1000};
}

void proxy_rig_start(void)
{
    edge_rig_start(&edge);
    backend_rig_start(&backend);
}

void proxy_rig_stop(void)
{
    edge_rig_leave(&edge);
    backend_rig_stop(&backend);
    edge_rig_stop(&edge);
}

void proxy_rig_start_with_connect(void)
{
    proxy_rig_init();
    edge.options.connect_proxy = &proxy;
    proxy_rig_start();
}

const char *proxy_rig_asked(const char *fields)
{
    static char text[1024];
    (void)snprintf(text, sizeof(text),
                   "{\"client\":\"<id>\",\"transport\":\"websocket\",\"protocol\":\"%s\","
                   "\"encoding\":\"%s\"%s}",
                   PROTOCOL, proxy.binary_encoding ? "binary" : "json", fields);
    return text;
}
