/* SPDX-License-Identifier: Apache-2.0 */
/* epoll, recv and send, and nothing else: what the kernel charges anybody for the same traffic. */
#include "ops/bench/floor.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "codec/websocket.h"

enum { IN_SIZE = 1 << 20, EVENTS = 512, BACKLOG = 4096 };

struct floor {
    int epoll;
    int listener;
    bool is_broadcast;
    char answer[256]; /* to every upgrade */
    size_t answer_len;
    bool *is_upgraded; /* by descriptor */
    int *open;         /* descriptors that are upgraded */
    uint32_t *at;      /* by descriptor: where in `open` */
    uint32_t open_len;
    uint32_t descriptors_max;
    uint8_t *in;
};

int floor_listen(uint16_t *port)
{
    const int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(*port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t len = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0) {
        return -1;
    }
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, BACKLOG) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) != 0) {
        close(listener);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return listener;
}

static void floor_accept(struct floor *floor)
{
    const int on = 1;
    for (;;) {
        const int fd = accept4(floor->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if ((uint32_t)fd >= floor->descriptors_max ||
            epoll_ctl(floor->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            close(fd);
            continue;
        }
        floor->is_upgraded[fd] = false;
    }
}

static void floor_close(struct floor *floor, int fd)
{
    if (floor->is_upgraded[fd]) {
        const uint32_t at = floor->at[fd];
        const int last = floor->open[--floor->open_len];
        floor->open[at] = last;
        floor->at[last] = at;
    }
    close(fd);
}

/* What does not fit into a socket is lost, and the bench will say so: the floor keeps no queues. */
static void floor_send(int fd, const void *at, size_t len)
{
    const ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
    if (sent < 0 || (size_t)sent < len) {
        shutdown(fd, SHUT_RDWR);
    }
}

static void floor_read(struct floor *floor, int fd)
{
    const ssize_t len = recv(fd, floor->in, IN_SIZE, 0);
    if (len <= 0) {
        floor_close(floor, fd);
        return;
    }
    if (!floor->is_upgraded[fd]) {
        floor->is_upgraded[fd] = true;
        floor->at[fd] = floor->open_len;
        floor->open[floor->open_len++] = fd;
        floor_send(fd, floor->answer, floor->answer_len);
        return;
    }
    if (!floor->is_broadcast) {
        floor_send(fd, floor->in, (size_t)len);
        return;
    }
    for (uint32_t i = 0; i < floor->open_len; i++) {
        if (floor->open[i] != fd) {
            floor_send(floor->open[i], floor->in, (size_t)len);
        }
    }
}

static void floor_pin(uint64_t cpu)
{
    if (cpu < CPU_SETSIZE) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        sched_setaffinity(0, sizeof set, &set);
    }
}

static bool floor_create(struct floor *floor, int listener, bool is_broadcast)
{
    struct rlimit limit = {0};
    char key[WEBSOCKET_ACCEPT_LEN];
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    websocket_accept_key(SPAN_LITERAL("cm9vc3QtYmVuY2gga2V5IQ=="), key);
    *floor = (struct floor){
        .epoll = epoll_create1(EPOLL_CLOEXEC),
        .listener = listener,
        .is_broadcast = is_broadcast,
        .descriptors_max = (uint32_t)(limit.rlim_max < 2000000 ? limit.rlim_max : 2000000),
    };
    floor->answer_len =
        (size_t)snprintf(floor->answer, sizeof floor->answer,
                         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Accept: %.*s\r\n\r\n",
                         WEBSOCKET_ACCEPT_LEN, key);
    floor->is_upgraded = calloc(floor->descriptors_max, sizeof floor->is_upgraded[0]);
    floor->open = calloc(floor->descriptors_max, sizeof floor->open[0]);
    floor->at = calloc(floor->descriptors_max, sizeof floor->at[0]);
    floor->in = malloc(IN_SIZE);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    return floor->epoll >= 0 && floor->is_upgraded != NULL && floor->open != NULL &&
           floor->at != NULL && floor->in != NULL &&
           epoll_ctl(floor->epoll, EPOLL_CTL_ADD, listener, &event) == 0;
}

_Noreturn void floor_serve(int listener, bool is_broadcast, uint64_t cpu)
{
    static struct epoll_event events[EVENTS];
    static struct floor floor;
    floor_pin(cpu);
    if (!floor_create(&floor, listener, is_broadcast)) {
        _exit(1);
    }
    for (;;) {
        const int count = epoll_wait(floor.epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            const int fd = events[i].data.fd;
            if (fd == listener) {
                floor_accept(&floor);
            } else {
                floor_read(&floor, fd);
            }
        }
    }
}
