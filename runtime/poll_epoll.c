/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel as a shard sees it: epoll, non-blocking sockets, and an eventfd as the doorbell.
 *
 * Descriptors. The doorbell is opened by the thread that starts the node, so that its number means
 * the same in every shard's descriptor table; any thread may write to it. The epoll set and all
 * sockets are opened by the shard's thread after it has parted its table: they end with it.
 *
 * System calls. A socket is registered once for everything and edge-triggered, so that none is
 * spent on changing interest. The doorbell is edge-triggered too and never read: each write is an
 * edge of its own, and its counter would take centuries to fill. What is called for each message
 * goes past the C library's functions, which would make each a point where a thread may be
 * cancelled: a hundred instructions an echo.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/clock.h"
#include "runtime/limits.h"
#include "runtime/poller.h"
#include "runtime/send_ring.h"

enum { CLOSED = -1 };

struct epoll_poller {
    struct poller base;
    int doorbell;
    int set;
    pid_t set_thread; /* In whose descriptor table `set` is. */
    bool has_nanoseconds;
    const char *congestion_control; /* NULL: the system's. */
    struct send_ring *ring;         /* NULL: one system call a send. */
};

static struct epoll_poller *epoll_poller_of(struct poller *poller)
{
    return CONTAINER_OF(poller, struct epoll_poller, base);
}

union system_address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
};

/* Returns its length; 0 when the address has no family. */
static socklen_t address_to_system(const struct socket_address *address, union system_address *out)
{
    memset(out, 0, sizeof(*out));
    if (address->family == 4) {
        out->ipv4.sin_family = AF_INET;
        out->ipv4.sin_port = htons(address->port);
        memcpy(&out->ipv4.sin_addr, address->bytes, sizeof(out->ipv4.sin_addr));
        return sizeof(out->ipv4);
    }
    if (address->family == 6) {
        out->ipv6.sin6_family = AF_INET6;
        out->ipv6.sin6_port = htons(address->port);
        memcpy(&out->ipv6.sin6_addr, address->bytes, sizeof(out->ipv6.sin6_addr));
        return sizeof(out->ipv6);
    }
    return 0;
}

static void address_from_system(const union system_address *address, struct socket_address *out)
{
    memset(out, 0, sizeof(*out));
    if (address->any.sa_family == AF_INET) {
        out->family = 4;
        out->port = ntohs(address->ipv4.sin_port);
        memcpy(out->bytes, &address->ipv4.sin_addr, sizeof(address->ipv4.sin_addr));
    } else if (address->any.sa_family == AF_INET6) {
        out->family = 6;
        out->port = ntohs(address->ipv6.sin6_port);
        memcpy(out->bytes, &address->ipv6.sin6_addr, sizeof(address->ipv6.sin6_addr));
    }
}

static bool is_exhaustion(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static int refusal_of(int error)
{
    return is_exhaustion(error) ? POLLER_EXHAUSTED : POLLER_REFUSED;
}

/* A socket for that address, which is in *system then; or why there is none. */
static int socket_open(const struct socket_address *address, int type, union system_address *system,
                       socklen_t *len)
{
    *len = address_to_system(address, system);
    if (*len == 0) {
        errno = EAFNOSUPPORT;
        return POLLER_REFUSED;
    }
    const int opened = socket(system->any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return opened < 0 ? refusal_of(errno) : opened;
}

/* The error that it failed with, which is still errno's behind close(). */
static int close_failed(int socket)
{
    const int error = errno;
    close(socket);
    errno = error;
    return error;
}

static bool option_on(int socket, int level, int option)
{
    const int on = 1;
    return setsockopt(socket, level, option, &on, sizeof(on)) == 0;
}

static bool set_congestion_control(int socket, const char *name)
{
    return setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0;
}

bool poller_has_congestion_control(const char *name)
{
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool has = probe >= 0 && set_congestion_control(probe, name);
    if (probe >= 0) {
        close(probe);
    }
    return has;
}

/* Accepted connections inherit the options of TCP on Linux: set here, they cost no call for each.
 */
static bool listener_prepare(int socket, const union system_address *address, socklen_t len)
{
    const bool is_ipv6 = address->any.sa_family == AF_INET6;
    return option_on(socket, SOL_SOCKET, SO_REUSEADDR) &&
           option_on(socket, SOL_SOCKET, SO_REUSEPORT) &&
           option_on(socket, IPPROTO_TCP, TCP_NODELAY) &&
           (!is_ipv6 || option_on(socket, IPPROTO_IPV6, IPV6_V6ONLY)) &&
           bind(socket, &address->any, len) == 0;
}

static int epoll_listen(struct poller *poller, const struct socket_address *address, int backlog)
{
    const char *congestion_control = epoll_poller_of(poller)->congestion_control;
    union system_address system;
    socklen_t len;
    const int listener = socket_open(address, SOCK_STREAM, &system, &len);
    if (listener < 0) {
        return listener;
    }
    if ((congestion_control != NULL && !set_congestion_control(listener, congestion_control)) ||
        !listener_prepare(listener, &system, len) || listen(listener, backlog) != 0) {
        return refusal_of(close_failed(listener));
    }
    return listener;
}

/* What ends one connection that waited in the queue, but not the next: Linux hands over errors of
 * the network here too. No further edge would tell of the others, so accept goes on to them. */
static bool is_of_one_connection(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPERM: /* A firewall's rule. */
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

static int epoll_accept(struct poller *poller, int listener, struct socket_address *peer)
{
    (void)poller;
    union system_address system;
    socklen_t len;
    int socket;
    uint32_t tries = TURN_ACCEPTS; /* A listener that only fails must not hold the shard. */
    do {
        len = sizeof(system);
        socket = accept4(listener, peer != NULL ? &system.any : NULL, peer != NULL ? &len : NULL,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (socket < 0 && is_of_one_connection(errno) && --tries > 0);
    if (socket < 0) {
        if (errno == EAGAIN) {
            return POLLER_AGAIN;
        }
        const bool is_worth_retrying = is_exhaustion(errno) || is_of_one_connection(errno);
        return is_worth_retrying ? POLLER_EXHAUSTED : POLLER_REFUSED;
    }
    if (peer != NULL) {
        address_from_system(&system, peer);
    }
    return socket;
}

/* ---- connections that begin here ---- */

static int failure_of_connect(int error)
{
    if (is_exhaustion(error) || error == EADDRNOTAVAIL) {
        return POLLER_EXHAUSTED; /* EADDRNOTAVAIL: all ports towards that address are in use. */
    }
    switch (error) {
    case ETIMEDOUT:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
        return POLLER_GONE;
    default:
        return POLLER_REFUSED;
    }
}

static int epoll_connect(struct poller *poller, const struct socket_address *address)
{
    (void)poller;
    union system_address system;
    socklen_t len;
    const int conn = socket_open(address, SOCK_STREAM, &system, &len);
    if (conn < 0) {
        return conn;
    }
    if (!option_on(conn, IPPROTO_TCP, TCP_NODELAY) ||
        (connect(conn, &system.any, len) != 0 && errno != EINPROGRESS && errno != EINTR)) {
        return failure_of_connect(close_failed(conn));
    }
    return conn;
}

static int epoll_connected(struct poller *poller, int socket)
{
    (void)poller;
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        return POLLER_GONE;
    }
    if (error != 0) {
        return failure_of_connect(error) == POLLER_REFUSED ? POLLER_REFUSED : POLLER_GONE;
    }
    union system_address peer;
    len = sizeof(peer);
    return getpeername(socket, &peer.any, &len) == 0 ? 0 : POLLER_AGAIN;
}

/* ---- datagrams ---- */

static int epoll_open_datagram(struct poller *poller, const struct socket_address *address)
{
    (void)poller;
    union system_address system;
    socklen_t len;
    const int opened = socket_open(address, SOCK_DGRAM, &system, &len);
    if (opened < 0) {
        return opened;
    }
    const bool is_ipv6 = address->family == 6;
    if ((is_ipv6 && !option_on(opened, IPPROTO_IPV6, IPV6_V6ONLY)) ||
        bind(opened, &system.any, len) != 0) {
        return refusal_of(close_failed(opened));
    }
    return opened;
}

static ssize_t epoll_receive_from(struct poller *poller, int socket, struct socket_address *from,
                                  void *into, size_t len)
{
    (void)poller;
    BUG_IF(len == 0);
    union system_address system;
    ssize_t received;
    uint32_t tries =
        TURN_ACCEPTS; /* As with accept: errors of the network are not this socket's. */
    do {
        socklen_t system_len = sizeof(system);
        received = recvfrom(socket, into, len, 0, &system.any, &system_len);
    } while (received < 0 && errno != EAGAIN && --tries > 0);
    if (received < 0) {
        return errno == EAGAIN ? POLLER_AGAIN : POLLER_GONE;
    }
    address_from_system(&system, from);
    return received;
}

static ssize_t epoll_send_to(struct poller *poller, int socket, const struct socket_address *to,
                             const void *at, size_t len)
{
    (void)poller;
    union system_address system;
    const socklen_t system_len = address_to_system(to, &system);
    if (system_len == 0) {
        return POLLER_REFUSED;
    }
    ssize_t sent;
    do {
        sent = sendto(socket, at, len, MSG_NOSIGNAL, &system.any, system_len);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        return sent;
    }
    if (errno == EAGAIN) {
        return POLLER_AGAIN;
    }
    return refusal_of(errno);
}

static bool epoll_watch(struct poller *poller, int socket, uint64_t token)
{
    BUG_IF(token == POLLER_TOKEN_NONE);
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.u64 = token,
    };
    return epoll_ctl(epoll_poller_of(poller)->set, EPOLL_CTL_ADD, socket, &event) == 0;
}

static ssize_t epoll_receive(struct poller *poller, int socket, void *into, size_t len)
{
    (void)poller;
    BUG_IF(len == 0);
    ssize_t received;
    do {
        received = syscall(SYS_recvfrom, socket, into, len, 0, NULL, NULL);
    } while (received < 0 && errno == EINTR);
    if (received < 0) {
        return errno == EAGAIN ? POLLER_AGAIN : POLLER_GONE;
    }
    return received;
}

static ssize_t send_slices(int socket, const struct iovec *slices, int count)
{
    /* The kernel only reads the slices; it is the type that cannot say so. */
    struct iovec *unchanged = (struct iovec *)(uintptr_t)slices;
    const struct msghdr message = {.msg_iov = unchanged, .msg_iovlen = (size_t)count};
    return syscall(SYS_sendmsg, socket, &message, MSG_NOSIGNAL);
}

static ssize_t epoll_send(struct poller *poller, int socket, const struct iovec *slices, int count)
{
    (void)poller;
    ssize_t sent;
    do {
        sent = count == 1 ? syscall(SYS_sendto, socket, slices->iov_base, slices->iov_len,
                                    MSG_NOSIGNAL, NULL, 0)
                          : send_slices(socket, slices, count);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        return errno == EAGAIN ? POLLER_AGAIN : POLLER_GONE;
    }
    return sent;
}

static void epoll_send_many(struct poller *poller, struct poller_send *sends, uint32_t count)
{
    struct epoll_poller *epoll = epoll_poller_of(poller);
    if (epoll->ring != NULL) {
        if (send_ring_submit(epoll->ring, sends, count)) {
            return;
        }
        send_ring_destroy(epoll->ring);
        epoll->ring = NULL;
    } else {
        for (uint32_t i = 0; i < count; i++) {
            sends[i].result = POLLER_NOT_SENT;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (sends[i].result == POLLER_NOT_SENT) {
            sends[i].result = epoll_send(poller, sends[i].socket, &sends[i].slice, 1);
        }
    }
}

static void epoll_close(struct poller *poller, int socket)
{
    (void)poller;
    /* Leaves the epoll set by itself: no other table and no other number names the socket. */
    close(socket);
}

static void epoll_shutdown_output(struct poller *poller, int socket)
{
    (void)poller;
    shutdown(socket, SHUT_WR);
}

static int wait_milliseconds(int64_t timeout_ns)
{
    if (timeout_ns < 0) {
        return -1;
    }
    /* Rounded up: to wake before the time would only mean another wait. */
    const uint64_t ms = ((uint64_t)timeout_ns + CLOCK_NS_A_MS - 1) / CLOCK_NS_A_MS;
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static int wait_for_events(struct epoll_poller *epoll, struct epoll_event *events, int max,
                           int64_t timeout_ns)
{
    if (timeout_ns > 0 && epoll->has_nanoseconds) {
        const struct timespec timeout = {
            .tv_sec = timeout_ns / (int64_t)CLOCK_NS_A_S,
            .tv_nsec = timeout_ns % (int64_t)CLOCK_NS_A_S,
        };
        const int count = epoll_pwait2(epoll->set, events, max, &timeout, NULL);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM)) {
            return count;
        }
        epoll->has_nanoseconds = false; /* An old kernel, or a sandbox that does not know it. */
    }
    return epoll_wait(epoll->set, events, max, wait_milliseconds(timeout_ns));
}

static uint32_t events_from_system(uint32_t events)
{
    uint32_t result = 0;
    if ((events & EPOLLIN) != 0) {
        result |= POLLER_READABLE;
    }
    if ((events & EPOLLOUT) != 0) {
        result |= POLLER_WRITABLE;
    }
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        result |= POLLER_HANGUP;
    }
    return result;
}

static int epoll_wait_events(struct poller *poller, struct poller_event *events, int max,
                             int64_t timeout_ns)
{
    struct epoll_event system[TURN_EVENTS];
    const int room = max < TURN_EVENTS ? max : TURN_EVENTS;
    const int found = wait_for_events(epoll_poller_of(poller), system, room, timeout_ns);
    BUG_IF(found < 0 && errno != EINTR);
    int count = 0;
    for (int i = 0; i < found; i++) {
        if (system[i].data.u64 == POLLER_TOKEN_NONE) {
            continue; /* The doorbell. */
        }
        events[count].token = system[i].data.u64;
        events[count].events = events_from_system(system[i].events);
        count++;
    }
    return count;
}

static void epoll_wake(struct poller *poller)
{
    const int error = errno; /* A signal handler's caller may be between a call and its errno. */
    const uint64_t one = 1;
    const ssize_t written = write(epoll_poller_of(poller)->doorbell, &one, sizeof(one));
    (void)written; /* It can only fail when the counter is full, and then the bell has rung. */
    errno = error;
}

static void epoll_destroy(struct poller *poller)
{
    struct epoll_poller *epoll = epoll_poller_of(poller);
    /* In another thread's table that number may by now be anything. */
    if (epoll->set != CLOSED && epoll->set_thread == gettid()) {
        close(epoll->set);
    }
    send_ring_destroy(epoll->ring);
    close(epoll->doorbell);
    free(epoll);
}

static const struct poller_ops epoll_ops = {
    .listen = epoll_listen,
    .accept = epoll_accept,
    .connect = epoll_connect,
    .connected = epoll_connected,
    .open_datagram = epoll_open_datagram,
    .receive_from = epoll_receive_from,
    .send_to = epoll_send_to,
    .watch = epoll_watch,
    .receive = epoll_receive,
    .send = epoll_send,
    .send_many = epoll_send_many,
    .close = epoll_close,
    .shutdown_output = epoll_shutdown_output,
    .wait = epoll_wait_events,
    .wake = epoll_wake,
    .destroy = epoll_destroy,
};

struct poller *poller_create_epoll(void)
{
    struct epoll_poller *epoll = calloc(1, sizeof(*epoll));
    if (epoll == NULL) {
        return NULL;
    }
    epoll->base.ops = &epoll_ops;
    epoll->set = CLOSED;
    epoll->has_nanoseconds = true;
    epoll->doorbell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (epoll->doorbell < 0) {
        const int error = errno;
        free(epoll);
        errno = error;
        return NULL;
    }
    return &epoll->base;
}

bool poller_open_private(struct poller *poller)
{
    struct epoll_poller *epoll = epoll_poller_of(poller);
    BUG_IF(poller->ops != &epoll_ops || epoll->set != CLOSED);
    const int set = epoll_create1(EPOLL_CLOEXEC);
    if (set < 0) {
        return false;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = POLLER_TOKEN_NONE};
    if (epoll_ctl(set, EPOLL_CTL_ADD, epoll->doorbell, &event) != 0) {
        const int error = errno;
        close(set);
        errno = error;
        return false;
    }
    epoll->set = set;
    epoll->set_thread = gettid();
    return true;
}

void poller_use_congestion_control(struct poller *poller, const char *name)
{
    BUG_IF(poller->ops != &epoll_ops);
    epoll_poller_of(poller)->congestion_control = name;
}

bool poller_use_send_ring(struct poller *poller)
{
    struct epoll_poller *epoll = epoll_poller_of(poller);
    BUG_IF(poller->ops != &epoll_ops || epoll->set_thread != gettid() || epoll->ring != NULL);
    epoll->ring = send_ring_create();
    return epoll->ring != NULL;
}

bool poller_epoll_local_address(const struct poller *poller, int listener,
                                struct socket_address *out)
{
    (void)poller;
    union system_address system;
    socklen_t len = sizeof(system);
    if (getsockname(listener, &system.any, &len) != 0) {
        return false;
    }
    address_from_system(&system, out);
    return out->family != 0;
}
