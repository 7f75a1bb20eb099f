/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket of a shard. Peers beyond a limit get a 503 and are gone. */
#include "shards/edge/listener.h"

#include <string.h>

#include "runtime/limits.h"
#include "shards/edge/connection.h"

enum { LISTEN_BACKLOG = 4096, DESCRIPTORS_RETRY_MS = 100 };

/* Answered before the request is read: the peer is told in one segment and costs nothing more. */
static const char refusal[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                              "Retry-After: 1\r\nConnection: close\r\n\r\n";

bool listener_open(struct edge *edge)
{
    struct poller *poller = edge->shard->poller;
    edge->listener = poller_listen(poller, &edge->options->listen, LISTEN_BACKLOG);
    if (edge->listener >= 0 &&
        poller_watch(poller, edge->listener, (uint64_t)EDGE_TOKEN_LISTENER << 32)) {
        return true;
    }
    listener_close(edge);
    char address[64];
    socket_address_format(&edge->options->listen, address);
    LOG(edge->shard->log, LOG_ERROR, "listen.failed",
        "address=%s hint=\"is the port in use, or the address not this machine's?\"", address);
    return false;
}

void listener_close(struct edge *edge)
{
    if (edge->listener >= 0) {
        poller_close(edge->shard->poller, edge->listener);
        edge->listener = -1;
    }
    timer_stop(edge->shard->timers, &edge->listener_timer);
}

static void listener_on_timer(struct timer *timer, void *actor)
{
    (void)timer;
    listener_on_event(((struct actors *)actor)->edge);
}

/* The rate limit is the node's; each shard has its part, refilled by time, at most a second's
 * worth. In thousandths, so that peers that come often do not cost the parts of a token. */
static bool listener_takes_token(struct edge *edge)
{
    const uint32_t rate = edge->options->client.connection_rate_limit;
    if (rate == 0) {
        return true;
    }
    const uint64_t part = ((uint64_t)rate + edge->options->shards - 1) / edge->options->shards;
    const uint64_t passed_ms = edge->shard->now_ms - edge->accept_refilled_ms;
    const uint64_t tokens = edge->accept_millitokens + passed_ms * part;
    edge->accept_millitokens = tokens < part * 1000 ? tokens : part * 1000;
    edge->accept_refilled_ms = edge->shard->now_ms;
    if (edge->accept_millitokens < 1000) {
        return false;
    }
    edge->accept_millitokens -= 1000;
    return true;
}

/* Why a new peer is not taken, or COUNTERS_LEN. */
static enum counter listener_refusal(struct edge *edge)
{
    const uint32_t limit = edge->options->client.connection_limit;
    if (edge->stop_seen) {
        return COUNTER_REFUSED_SHUTTING_DOWN;
    }
    if (limit > 0 && node_sum(edge->actors->node, COUNTER_NUM_CONNECTIONS) >= limit) {
        return COUNTER_REFUSED_CONNECTION_LIMIT;
    }
    return listener_takes_token(edge) ? COUNTERS_LEN : COUNTER_REFUSED_CONNECTION_RATE;
}

static void listener_refuse(struct edge *edge, int socket, enum counter reason)
{
    struct poller *poller = edge->shard->poller;
    struct iovec slice;
    memset(&slice, 0, sizeof(slice));
    slice.iov_base = (void *)(uintptr_t)refusal;
    slice.iov_len = sizeof(refusal) - 1;
    actors_count(edge->actors, reason);
    (void)poller_send(poller, socket, &slice, 1);
    poller_shutdown_output(poller, socket);
    poller_close(poller, socket);
}

void listener_on_event(struct edge *edge)
{
    if (edge->listener < 0) {
        return;
    }
    for (uint32_t i = 0; i < TURN_ACCEPTS; i++) {
        struct socket_address peer;
        const int socket = poller_accept(edge->shard->poller, edge->listener, &peer);
        if (socket == POLLER_AGAIN) {
            return;
        }
        if (socket < 0) {
            /* The peers wait in the kernel's queue until a descriptor is free. */
            actors_count(edge->actors, COUNTER_REFUSED_DESCRIPTORS);
            LOG(edge->shard->log, LOG_WARN, "accept.failed", "failure=%d retry_ms=%d", socket,
                DESCRIPTORS_RETRY_MS);
            timer_set(edge->shard->timers, &edge->listener_timer,
                      edge->shard->now_ms + DESCRIPTORS_RETRY_MS, listener_on_timer);
            return;
        }
        const enum counter reason = listener_refusal(edge);
        if (reason != COUNTERS_LEN) {
            listener_refuse(edge, socket, reason);
            continue;
        }
        (void)connection_open(edge, socket);
    }
    /* More may wait: the edge was told once, so it looks again in the next turn. */
    timer_set(edge->shard->timers, &edge->listener_timer, edge->shard->now_ms, listener_on_timer);
}
