/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over everything in the options that may ask a backend. */
#include "shards/proxy_uses.h"

#include <string.h>

#include "shards/options.h"

static uint32_t place_of(const struct proxy_uses *uses, const struct proxy_options *proxy,
                         enum proxy_kind kind)
{
    uint32_t i = 0;
    while (i < uses->len &&
           (uses->items[i].kind != kind || strcmp(uses->items[i].proxy->name, proxy->name) != 0)) {
        i++;
    }
    return i;
}

static void add(struct proxy_uses *uses, const struct proxy_options *proxy, enum proxy_kind kind)
{
    if (proxy != NULL && uses->len < PROXY_USES_MAX && place_of(uses, proxy, kind) == uses->len) {
        uses->items[uses->len++] = (struct proxy_use){proxy, kind};
    }
}

static void add_channel(struct proxy_uses *uses, const struct channel_options *channel)
{
    add(uses, channel->subscribe_proxy, PROXY_SUBSCRIBE);
    add(uses, channel->publish_proxy, PROXY_PUBLISH);
    add(uses, channel->sub_refresh_proxy, PROXY_SUB_REFRESH);
    add(uses, channel->map.publish_proxy, PROXY_MAP_PUBLISH);
    add(uses, channel->map.remove_proxy, PROXY_MAP_REMOVE);
    add(uses, channel->map.publish_proxy, PROXY_MAP_PUBLISH);
    add(uses, channel->map.remove_proxy, PROXY_MAP_REMOVE);
    add(uses, channel->shared_poll.proxy, PROXY_SHARED_POLL_REFRESH);
}

void proxy_uses_find(const struct node_options *options, struct proxy_uses *out)
{
    out->len = 0;
    add(out, options->connect_proxy, PROXY_CONNECT);
    add(out, options->refresh_proxy, PROXY_REFRESH);
    add(out, options->rpc_without_namespace.proxy, PROXY_RPC);
    for (size_t i = 0; i < options->rpc_namespaces_len; i++) {
        add(out, options->rpc_namespaces[i].proxy, PROXY_RPC);
    }
    add_channel(out, &options->without_namespace);
    for (size_t i = 0; i < options->namespaces_len; i++) {
        add_channel(out, &options->namespaces[i]);
    }
}

uint32_t proxy_uses_number(const struct proxy_uses *uses, const struct proxy_options *proxy,
                           enum proxy_kind kind)
{
    const uint32_t place = place_of(uses, proxy, kind);
    return place < PROXY_USES_MAX ? place : PROXY_USES_MAX - 1;
}
