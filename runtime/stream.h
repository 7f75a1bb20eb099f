/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's byte stream: plain now, and the place behind which TLS fits.
 *
 * Belongs to one shard. 16 bytes, since a million connections have one each.
 */
#ifndef ROOST_RUNTIME_STREAM_H
#define ROOST_RUNTIME_STREAM_H

#include "runtime/poller.h"

struct tls;

struct stream {
    struct tls *tls; /* NULL: plain. */
    int socket;      /* -1: closed. */
};

static inline void stream_open(struct stream *stream, int socket)
{
    stream->tls = NULL;
    stream->socket = socket;
}

static inline bool stream_is_open(const struct stream *stream)
{
    return stream->socket >= 0;
}

/* As poller_receive and poller_send. */
static inline ssize_t stream_receive(struct stream *s, struct poller *p, void *into, size_t len)
{
    return poller_receive(p, s->socket, into, len);
}

static inline ssize_t stream_send(struct stream *s, struct poller *p, const struct iovec *slices,
                                  int count)
{
    return poller_send(p, s->socket, slices, count);
}

static inline void stream_shutdown_output(struct stream *s, struct poller *p)
{
    poller_shutdown_output(p, s->socket);
}

static inline void stream_close(struct stream *s, struct poller *p)
{
    if (s->socket >= 0) {
        poller_close(p, s->socket);
        s->socket = -1;
    }
}

#endif
