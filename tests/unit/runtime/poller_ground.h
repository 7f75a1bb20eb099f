/* SPDX-License-Identifier: Apache-2.0 */
/* A poller with somebody at the other end: the kernel's on loopback sockets, or the simulator's. */
#ifndef ROOST_TESTS_UNIT_RUNTIME_POLLER_GROUND_H
#define ROOST_TESTS_UNIT_RUNTIME_POLLER_GROUND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/poller.h"

enum {
    GROUND_LISTENER_TOKEN = 1,
    GROUND_CONN_TOKEN = 2,
};

/* What ground_client_receive returns when no bytes came. */
enum {
    GROUND_NOTHING = 0,
    GROUND_END = -1,
    GROUND_RESET = -2,
};

struct ground;

struct ground_ops {
    void (*open)(struct ground *);
    void (*close)(struct ground *);
    int (*client_connect)(struct ground *);
    size_t (*client_send)(struct ground *, int client, const void *at, size_t len);
    ssize_t (*client_receive)(struct ground *, int client, void *into, size_t len);
    void (*client_end)(struct ground *, int client); /* Of its output alone. */
    void (*client_close)(struct ground *, int client, bool reset);
    void (*pass)(struct ground *); /* Lets what is under way arrive. */
};

struct ground {
    const struct ground_ops *ops;
    struct poller *poller;
    int listener;
    struct socket_address address;
    void *world;
};

extern const struct ground_ops ground_of_the_kernel;
extern const struct ground_ops ground_of_the_simulator;

#endif
