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
#include <sys/socket.h>
#include <unistd.h>

#include "ops/bench/floor_clients.h"
#include "ops/bench/floor_uring.h"

enum { IN_SIZE = 1 << 20, EVENTS = 512, BACKLOG = 4096, DESCRIPTORS_MAX = 2000000 };

struct floor {
    struct floor_clients clients;
    int epoll;
    int listener;
    uint8_t *in;
};

bool floor_poller_find(const char *name, enum floor_poller *out)
{
    *out = strcmp(name, "io_uring") == 0 ? FLOOR_IO_URING : FLOOR_EPOLL;
    return *out == FLOOR_IO_URING || strcmp(name, "epoll") == 0;
}

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
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* Connections inherit it. */
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
    for (;;) {
        const int fd = accept4(floor->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if ((uint32_t)fd >= floor->clients.descriptors_max ||
            epoll_ctl(floor->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            close(fd);
        }
    }
}

static void floor_close(struct floor *floor, int fd)
{
    floor_clients_leave(&floor->clients, fd);
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
    struct floor_clients *clients = &floor->clients;
    if (!clients->is_upgraded[fd]) {
        floor_clients_join(clients, fd);
        floor_send(fd, clients->answer, clients->answer_len);
        return;
    }
    if (!clients->is_broadcast) {
        floor_send(fd, floor->in, (size_t)len);
        return;
    }
    for (uint32_t i = 0; i < clients->open_len; i++) {
        if (clients->open[i] != fd) {
            floor_send(clients->open[i], floor->in, (size_t)len);
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

static void floor_epoll_serve(int listener, bool is_broadcast)
{
    static struct epoll_event events[EVENTS];
    static struct floor floor;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    floor.epoll = epoll_create1(EPOLL_CLOEXEC);
    floor.listener = listener;
    floor.in = malloc(IN_SIZE);
    if (floor.epoll < 0 || floor.in == NULL ||
        !floor_clients_init(&floor.clients, is_broadcast, DESCRIPTORS_MAX) ||
        epoll_ctl(floor.epoll, EPOLL_CTL_ADD, listener, &event) != 0) {
        return;
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

_Noreturn void floor_serve(int listener, bool is_broadcast, uint64_t cpu, enum floor_poller poller)
{
    floor_pin(cpu);
    if (poller == FLOOR_IO_URING) {
        floor_uring_serve(listener, is_broadcast);
    } else {
        floor_epoll_serve(listener, is_broadcast);
    }
    perror("roost-bench: the floor cannot serve");
    _exit(1);
}
