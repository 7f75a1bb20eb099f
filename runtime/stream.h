/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's byte stream: plain, or with TLS in between (tls.h), which costs the plain one a
 * branch.
 *
 * Belongs to one shard. 16 bytes, since a million connections have one each.
 */
#ifndef ROOST_RUNTIME_STREAM_H
#define ROOST_RUNTIME_STREAM_H

#include "runtime/poller.h"
#include "runtime/tls.h"

struct stream {
    struct tls *tls; /* NULL: plain. */
    int socket;      /* -1: closed. */
};

static inline void stream_open(struct stream *stream, int socket)
{
    stream->tls = NULL;
    stream->socket = socket;
}

/* With TLS, which the stream owns from now on. */
static inline void stream_open_tls(struct stream *stream, int socket, struct tls *tls)
{
    stream->tls = tls;
    stream->socket = socket;
}

static inline bool stream_is_open(const struct stream *stream)
{
    return stream->socket >= 0;
}

/* As poller_receive and poller_send. With TLS `len` is TLS_RECEIVE_LEN_MIN at least, and fewer
 * bytes than asked for do not mean that the socket is empty: ask stream_is_drained. */
static inline ssize_t stream_receive(struct stream *s, struct poller *p, void *into, size_t len)
{
    if (__builtin_expect(s->tls != NULL, 0)) {
        return tls_receive(s->tls, p, s->socket, into, len);
    }
    return poller_receive(p, s->socket, into, len);
}

static inline ssize_t stream_send(struct stream *s, struct poller *p, const struct iovec *slices,
                                  int count)
{
    if (__builtin_expect(s->tls != NULL, 0)) {
        return tls_send(s->tls, p, s->socket, slices, count);
    }
    return poller_send(p, s->socket, slices, count);
}

/* After `received` of `len` bytes: an event will tell of the next ones. */
static inline bool stream_is_drained(const struct stream *s, ssize_t received, size_t len)
{
    if (__builtin_expect(s->tls != NULL, 0)) {
        return received <= 0 || tls_is_drained(s->tls);
    }
    return received < (ssize_t)len;
}

/* TLS has something to send, though the caller may have not: stream_send, of no slices if so. */
static inline bool stream_wants_room(const struct stream *s)
{
    return __builtin_expect(s->tls != NULL, 0) && tls_wants_room(s->tls);
}

static inline void stream_shutdown_output(struct stream *s, struct poller *p)
{
    if (__builtin_expect(s->tls != NULL, 0)) {
        tls_shutdown_output(s->tls, p, s->socket);
    }
    poller_shutdown_output(p, s->socket);
}

static inline void stream_close(struct stream *s, struct poller *p)
{
    if (s->socket >= 0) {
        poller_close(p, s->socket);
        s->socket = -1;
    }
    if (__builtin_expect(s->tls != NULL, 0)) {
        tls_destroy(s->tls);
        s->tls = NULL;
    }
}

#endif
