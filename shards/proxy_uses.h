/* SPDX-License-Identifier: Apache-2.0 */
/* Which proxies a node asks and for what, numbered, so that each has its metrics. */
#ifndef ROOST_SHARDS_PROXY_USES_H
#define ROOST_SHARDS_PROXY_USES_H

#include <stdint.h>

#include "codec/proxy.h"

struct node_options;
struct proxy_options;

/* Beyond them, all share the last number. */
enum { PROXY_USES_MAX = 16 };

struct proxy_use {
    const struct proxy_options *proxy;
    enum proxy_kind kind;
};

struct proxy_uses {
    uint32_t len;
    struct proxy_use items[PROXY_USES_MAX];
};

/* The same numbers for the same options, whoever asks. */
void proxy_uses_find(const struct node_options *options, struct proxy_uses *out);

uint32_t proxy_uses_number(const struct proxy_uses *uses, const struct proxy_options *proxy,
                           enum proxy_kind kind);

#endif
