/* SPDX-License-Identifier: Apache-2.0 */
/* Every histogram of a shard. */
#ifndef ROOST_SHARDS_HISTS_H
#define ROOST_SHARDS_HISTS_H

enum shard_hist {
    HIST_PUB_SUB_LAG_NS, /* From a home's acceptance to a shard's fan-out. */
    HIST_PING_PONG_NS,   /* From a server ping to its pong. */
    HIST_API_NS,         /* One call of the server API. */
    HIST_PROXY_NS,       /* One request of a proxy. */
    HISTS_LEN
};

#endif
