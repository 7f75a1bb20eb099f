/* SPDX-License-Identifier: Apache-2.0 */
/* The edge to the network, as a shard sees it: sockets, readiness, waiting, and the doorbell.
 *
 * Two implementations: poll_epoll.c (the kernel) and sim.c (a simulated network under a fake
 * clock). Everything above calls only these functions, so the same shards run in both.
 *
 * Readiness is edge-triggered: after an event, read (or write) until POLLER_AGAIN or until less
 * went than was asked for, and accept until POLLER_AGAIN. After a POLLER_HANGUP read until 0 or a
 * failure: the end of a stream is no byte that a short read would leave. An event tells everything
 * that is true of the socket at that moment, so one that comes for new bytes is also WRITABLE when
 * there is room, although nothing changed about that. Datagrams are received until POLLER_AGAIN.
 *
 * A poller belongs to its shard's thread, except poller_wake.
 */
#ifndef ROOST_RUNTIME_POLLER_H
#define ROOST_RUNTIME_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "runtime/check.h"

struct poller;

/* An IPv4 or IPv6 address with its port, independent of the system's headers. */
struct socket_address {
    uint8_t family;    /* 4, 6, or 0 for none. */
    uint8_t bytes[16]; /* In network order; IPv4 uses the first four. */
    uint16_t port;     /* In the machine's order. */
};

enum poller_events {
    POLLER_READABLE = 1u << 0, /* Also: accept has something, or the end of the stream came. */
    POLLER_WRITABLE = 1u << 1,
    POLLER_HANGUP = 1u << 2, /* The peer closed its side, or an error waits in the socket. */
};

struct poller_event {
    uint64_t token;
    uint32_t events;
};

/* A token that no socket may have. */
#define POLLER_TOKEN_NONE UINT64_MAX

/* What the calls below return when it is below zero. */
enum poller_failure {
    POLLER_AGAIN = -1,     /* Nothing now; an event will tell. */
    POLLER_GONE = -2,      /* The peer is gone (reset, broken pipe, timeout). */
    POLLER_EXHAUSTED = -3, /* Descriptors or memory are out; no event tells when they are back. */
    POLLER_REFUSED = -4,   /* Any other failure, e.g. the address is in use (listen), nobody listens
                              there (connect), or a rule or a limit forbids it (send_to). */
    POLLER_NOT_SENT = -5,  /* Nobody has tried (poller_send_many, while it works). */
};

/* One of the sends of poller_send_many. */
struct poller_send {
    struct iovec slice;
    ssize_t result; /* As poller_send returns it. */
    int socket;
};

struct poller_ops {
    int (*listen)(struct poller *, const struct socket_address *, int backlog);
    int (*accept)(struct poller *, int listener, struct socket_address *peer);
    int (*connect)(struct poller *, const struct socket_address *);
    int (*connected)(struct poller *, int socket);
    int (*open_datagram)(struct poller *, const struct socket_address *);
    ssize_t (*receive_from)(struct poller *, int socket, struct socket_address *from, void *into,
                            size_t len);
    ssize_t (*send_to)(struct poller *, int socket, const struct socket_address *to, const void *at,
                       size_t len);
    bool (*watch)(struct poller *, int socket, uint64_t token);
    ssize_t (*receive)(struct poller *, int socket, void *into, size_t len);
    ssize_t (*send)(struct poller *, int socket, const struct iovec *slices, int count);
    void (*send_many)(struct poller *, struct poller_send *sends, uint32_t count);
    void (*close)(struct poller *, int socket);
    void (*shutdown_output)(struct poller *, int socket);
    int (*wait)(struct poller *, struct poller_event *events, int max, int64_t timeout_ns);
    void (*wake)(struct poller *);
    void (*destroy)(struct poller *);
};

struct poller {
    const struct poller_ops *ops;
};

/* The kernel's: epoll, and an eventfd as the doorbell. NULL with errno set when it cannot be had.
 * Must be created before the shards' threads part their descriptor tables, so that each shard can
 * ring each other's doorbell. */
MUST_CHECK struct poller *poller_create_epoll(void);

/* Makes what is the shard's own (the epoll set). On the shard's thread, after
 * unshare(CLONE_FILES); before any other call but poller_wake. False with errno set. */
MUST_CHECK bool poller_open_private(struct poller *poller);

/* May this process give its sockets the congestion control of that name (tcp(7))? */
bool poller_has_congestion_control(const char *name);

/* Connections that are accepted at listeners opened from now on get it; a name that
 * poller_has_congestion_control knows and that outlives the poller, or NULL: the system's default.
 * Only of the kernel's pollers. */
void poller_use_congestion_control(struct poller *poller, const char *name);

/* Gives poller_send_many its ring (runtime/send_ring.h); only of the kernel's pollers, after
 * poller_open_private. False with errno set when it cannot be had: all works without it. */
bool poller_use_send_ring(struct poller *poller);

/* The address a listener or a datagram socket is bound to; only of the kernel's pollers. False when
 * it has none. */
bool poller_epoll_local_address(const struct poller *poller, int listener,
                                struct socket_address *out);

/* A listening socket on an address (port 0: the system chooses; poller_epoll_local_address tells),
 * shared among shards by SO_REUSEPORT; its token is given by watch like any other's. "::" does not
 * take IPv4 connections. A socket number >= 0, or a failure. */
static inline int poller_listen(struct poller *p, const struct socket_address *address, int backlog)
{
    return p->ops->listen(p, address, backlog);
}

/* A connection (non-blocking, close-on-exec, TCP_NODELAY), or a failure. `peer` may be NULL. After
 * POLLER_EXHAUSTED connections wait in the queue, and the caller tries again later by a timer. */
static inline int poller_accept(struct poller *p, int listener, struct socket_address *peer)
{
    return p->ops->accept(p, listener, peer);
}

/* Begins a connection (non-blocking, close-on-exec, TCP_NODELAY) and returns its socket, to be
 * watched: WRITABLE or HANGUP tell that it was made or failed, and poller_connected which. A
 * failure that is known at once is returned instead. Giving up after a time is the caller's: the
 * system takes minutes. */
static inline int poller_connect(struct poller *p, const struct socket_address *address)
{
    return p->ops->connect(p, address);
}

/* How what poller_connect began has gone: 0 connected, POLLER_AGAIN under way, POLLER_REFUSED
 * nobody listens there, POLLER_GONE the address is not reached. Asked once it has failed or
 * succeeded, and before anything else is done with the socket. */
static inline int poller_connected(struct poller *p, int socket)
{
    return p->ops->connected(p, socket);
}

/* A socket for datagrams on an address (port 0 and "::" as poller_listen), or a failure. */
static inline int poller_open_datagram(struct poller *p, const struct socket_address *address)
{
    return p->ops->open_datagram(p, address);
}

/* The length of the next datagram (0 is one too), or a failure. One that is longer than `len` > 0
 * is cut to it: offer one byte more than may come, and refuse what fills it. */
static inline ssize_t poller_receive_from(struct poller *p, int socket, struct socket_address *from,
                                          void *into, size_t len)
{
    return p->ops->receive_from(p, socket, from, into, len);
}

/* `len`, or a failure: then nothing was sent. Whether it arrives is not told, and what failed is
 * not worth keeping: whoever sends datagrams must bear their loss. */
static inline ssize_t poller_send_to(struct poller *p, int socket, const struct socket_address *to,
                                     const void *at, size_t len)
{
    return p->ops->send_to(p, socket, to, at, len);
}

/* Reports all events of the socket with this token (not POLLER_TOKEN_NONE), edge-triggered, until
 * it is closed; what is true already is reported by the next wait. Once a socket. False when memory
 * is out. */
static inline bool poller_watch(struct poller *p, int socket, uint64_t token)
{
    return p->ops->watch(p, socket, token);
}

/* Bytes read (1..len, len > 0), 0 at the end of the peer's stream, or a failure. */
static inline ssize_t poller_receive(struct poller *p, int socket, void *into, size_t len)
{
    return p->ops->receive(p, socket, into, len);
}

/* Bytes taken by the socket (may be fewer than offered), or a failure. Never raises SIGPIPE. One
 * system call. */
static inline ssize_t poller_send(struct poller *p, int socket, const struct iovec *slices,
                                  int count)
{
    return p->ops->send(p, socket, slices, count);
}

/* Makes each of at most TURN_SENDS sends and sets its result; to different sockets. One system call
 * where the kernel has and allows io_uring, else one for each. */
static inline void poller_send_many(struct poller *p, struct poller_send *sends, uint32_t count)
{
    p->ops->send_many(p, sends, count);
}

/* Unread bytes turn this into a reset, as TCP has it. Events of the socket that the last wait
 * returned may still be in the caller's hands: tokens carry generations. */
static inline void poller_close(struct poller *p, int socket)
{
    p->ops->close(p, socket);
}

/* Sends what the socket holds and then the end of our stream; reading goes on. */
static inline void poller_shutdown_output(struct poller *p, int socket)
{
    p->ops->shutdown_output(p, socket);
}

/* Waits until an event, the doorbell, a signal, or the timeout (0: only look; negative: forever).
 * Returns the number of events; the doorbell itself is not among them. */
static inline int poller_wait(struct poller *p, struct poller_event *events, int max,
                              int64_t timeout_ns)
{
    return p->ops->wait(p, events, max, timeout_ns);
}

/* Rings the doorbell: the present or next wait returns. Any thread, also a signal handler. */
static inline void poller_wake(struct poller *p)
{
    p->ops->wake(p);
}

/* Frees it, after its shard's thread has ended (whose descriptors ended with it) or on that thread
 * itself. Sockets that are still open stay so. */
static inline void poller_destroy(struct poller *p)
{
    p->ops->destroy(p);
}

/* "127.0.0.1", "::1" -> address; false when it is no literal address. And back ("127.0.0.1:80",
 * "[::1]:80", "none"). */
enum { SOCKET_ADDRESS_TEXT_SIZE = 64 };
bool socket_address_parse(const char *text, uint16_t port, struct socket_address *out);
void socket_address_format(const struct socket_address *address, char out[64]);

#endif
