/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket of a shard. */
#include "shards/edge/transport/listener.h"

#include <string.h>

#include "runtime/limits.h"
#include "shards/edge/transport/connection.h"

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

/* The node is going: whoever still comes is sent elsewhere. */
static void listener_refuse(struct edge *edge, int socket)
{
    struct poller *poller = edge->shard->poller;
    struct iovec slice;
    memset(&slice, 0, sizeof(slice));
    slice.iov_base = (void *)(uintptr_t)refusal;
    slice.iov_len = sizeof(refusal) - 1;
    actors_count(edge->actors, COUNTER_REFUSED_SHUTTING_DOWN);
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
        if (edge->stop_seen) {
            listener_refuse(edge, socket);
            continue;
        }
        (void)connection_open(edge, socket);
    }
    /* More may wait: the edge was told once, so it looks again in the next turn. */
    timer_set(edge->shard->timers, &edge->listener_timer, edge->shard->now_ms, listener_on_timer);
}
