/* SPDX-License-Identifier: Apache-2.0 */
/* The listening sockets of a shard: where clients connect, and the internal one if there is one. */
#include "shards/edge/transport/listener.h"

#include <string.h>

#include "runtime/limits.h"
#include "shards/edge/transport/connection.h"

enum { LISTEN_BACKLOG = 4096, DESCRIPTORS_RETRY_MS = 100 };

/* Answered before the request is read: the peer is told in one segment and costs nothing more. */
static const char refusal[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                              "Retry-After: 1\r\nConnection: close\r\n\r\n";

static bool listener_open(struct edge *edge, enum listener_kind kind,
                          const struct socket_address *address)
{
    struct poller *poller = edge->shard->poller;
    struct listener *listener = &edge->listeners[kind];
    if (address->family == 0 || listener->socket >= 0) {
        return true;
    }
    listener->socket = poller_listen(poller, address, LISTEN_BACKLOG);
    if (listener->socket >= 0 &&
        poller_watch(poller, listener->socket,
                     (uint64_t)EDGE_TOKEN_LISTENER << 32 | (uint32_t)kind)) {
        return true;
    }
    char text[64];
    socket_address_format(address, text);
    LOG(edge->shard->log, LOG_ERROR, "listen.failed",
        "address=%s hint=\"is the port in use, or the address not this machine's?\"", text);
    return false;
}

bool listeners_open(struct edge *edge)
{
    const bool is_open = listener_open(edge, LISTENER_PUBLIC, &edge->options->listen) &&
                         listener_open(edge, LISTENER_INTERNAL, &edge->options->listen_internal);
    if (!is_open) {
        listeners_close(edge);
    }
    return is_open;
}

void listeners_close(struct edge *edge)
{
    for (uint32_t i = 0; i < LISTENERS; i++) {
        struct listener *listener = &edge->listeners[i];
        if (listener->socket >= 0) {
            poller_close(edge->shard->poller, listener->socket);
            listener->socket = -1;
        }
        timer_stop(edge->shard->timers, &listener->timer);
    }
}

static void listener_on_timer(struct timer *timer, void *actor)
{
    struct edge *edge = ((struct actors *)actor)->edge;
    const struct listener *listener = CONTAINER_OF(timer, struct listener, timer);
    listener_on_event(edge, (enum listener_kind)(listener - edge->listeners));
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

void listener_on_event(struct edge *edge, enum listener_kind kind)
{
    struct listener *listener = &edge->listeners[kind];
    if (listener->socket < 0) {
        return;
    }
    for (uint32_t i = 0; i < TURN_ACCEPTS; i++) {
        struct socket_address peer;
        const int socket = poller_accept(edge->shard->poller, listener->socket, &peer);
        if (socket == POLLER_AGAIN) {
            return;
        }
        if (socket < 0) {
            /* The peers wait in the kernel's queue until a descriptor is free. */
            actors_count(edge->actors, COUNTER_REFUSED_DESCRIPTORS);
            LOG(edge->shard->log, LOG_WARN, "accept.failed", "failure=%d retry_ms=%d", socket,
                DESCRIPTORS_RETRY_MS);
            timer_set(edge->shard->timers, &listener->timer,
                      edge->shard->now_ms + DESCRIPTORS_RETRY_MS, listener_on_timer);
            return;
        }
        if (edge->stop_seen) {
            listener_refuse(edge, socket);
            continue;
        }
        struct connection *conn = connection_open(edge, socket);
        if (conn != NULL && kind == LISTENER_INTERNAL) {
            conn->flags |= CONNECTION_INTERNAL;
        }
    }
    /* More may wait: the edge was told once, so it looks again in the next turn. */
    timer_set(edge->shard->timers, &listener->timer, edge->shard->now_ms, listener_on_timer);
}
