/* SPDX-License-Identifier: Apache-2.0 */
/* What webhooks are made of; for the files of webhooks alone. */
#ifndef ROOST_SHARDS_EDGE_BACKENDS_WEBHOOKS_STATE_H
#define ROOST_SHARDS_EDGE_BACKENDS_WEBHOOKS_STATE_H

#include "runtime/list.h"
#include "shards/edge/backends/webhooks.h"

struct webhook_queued {
    struct list link; /* In events. */
    uint32_t len;
    bool is_about_node;
    uint8_t text[]; /* JSON */
};

/* Whom this shard tells, and what. */
struct webhook_target {
    struct webhooks *webhooks;
    const struct proxy_options *proxy;
    struct list events; /* The oldest first; */
    uint32_t len;
    uint32_t batch_len; /* so many of them are the batch, */
    bool has_batch;     /* if there is one: it is under way, or waits to be sent again. */
    uint64_t bytes;
    uint64_t seq;        /* Of the batch, or of the next one. */
    uint64_t lost;       /* Behind the batch. */
    uint64_t batch_lost; /* Before it. */
    uint32_t attempts;   /* Of the batch. */
    uint32_t request;    /* POOL_HANDLE_NONE: none is under way. */
    struct timer timer;  /* Then: of the next one. */
};

struct webhooks {
    struct actors *actors;
    struct webhook_target *targets;
    uint32_t len;
    uint32_t clients;    /* The target, or NONE. */
    uint32_t events_max; /* Of one queue, as the next. */
    uint64_t bytes_max;
    /* Runs of nodes that were there and are gone, the newest last. */
    struct gossip_uid gone[WEBHOOK_RUNS_GONE_MAX];
    uint32_t gone_len;
    /* Of a node that stops. */
    bool is_ending;
    bool has_no_clients; /* All shards have none. */
    uint64_t quiet_since_ms;
    uint64_t ends_ms; /* Once all have none. */
    struct timer end_timer;
};

#endif
