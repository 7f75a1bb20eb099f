/* SPDX-License-Identifier: Apache-2.0 */
/* The two grounds on which the same cases are played. */
#include "tests/unit/runtime/poller_ground.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/clock.h"
#include "runtime/sim_network.h"

enum { SMALL_BUFFER = 4096 };

static void must(bool condition)
{
    BUG_IF(!condition);
}

/* ---- the kernel's ---- */

static void kernel_open(struct ground *ground)
{
    ground->poller = poller_create_epoll();
    must(ground->poller != NULL && poller_open_private(ground->poller));
    must(socket_address_parse("127.0.0.1", 0, &ground->address));
    ground->listener = poller_listen(ground->poller, &ground->address, 16);
    must(poller_epoll_local_address(ground->poller, ground->listener, &ground->address));
}

static void kernel_close(struct ground *ground)
{
    poller_close(ground->poller, ground->listener);
    poller_destroy(ground->poller);
}

static int kernel_client_connect(struct ground *ground)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons(ground->address.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    union {
        const struct sockaddr_in *ipv4;
        const struct sockaddr *any;
    } at = {.ipv4 = &to};
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int size = SMALL_BUFFER;
    must(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0);
    must(connect(client, at.any, sizeof(to)) == 0);
    return client;
}

static size_t kernel_client_send(struct ground *ground, int client, const void *at, size_t len)
{
    (void)ground;
    const ssize_t sent = send(client, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? (size_t)sent : 0;
}

static ssize_t kernel_client_receive(struct ground *ground, int client, void *into, size_t len)
{
    (void)ground;
    const ssize_t received = recv(client, into, len, MSG_DONTWAIT);
    if (received > 0) {
        return received;
    }
    if (received == 0) {
        return GROUND_END;
    }
    return errno == EAGAIN ? GROUND_NOTHING : GROUND_RESET;
}

static void kernel_client_end(struct ground *ground, int client)
{
    (void)ground;
    shutdown(client, SHUT_WR);
}

static void kernel_client_close(struct ground *ground, int client, bool reset)
{
    (void)ground;
    const struct linger linger = {.l_onoff = reset, .l_linger = 0};
    must(setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
    close(client);
}

static void kernel_pass(struct ground *ground)
{
    (void)ground;
    poll(NULL, 0, 2);
}

const struct ground_ops ground_of_the_kernel = {
    .open = kernel_open,
    .close = kernel_close,
    .client_connect = kernel_client_connect,
    .client_send = kernel_client_send,
    .client_receive = kernel_client_receive,
    .client_end = kernel_client_end,
    .client_close = kernel_client_close,
    .pass = kernel_pass,
};

/* ---- the simulator's ---- */

struct simulated_world {
    struct random random;
    struct sim_network network;
};

static struct sim_network *network_of(struct ground *ground)
{
    struct simulated_world *world = ground->world;
    return &world->network;
}

static struct sim_socket *client_of(struct ground *ground, int client)
{
    return network_of(ground)->sockets[client];
}

static void simulator_open(struct ground *ground)
{
    const struct sim_options options = {
        .latency_us_min = 100,
        .latency_us_max = 900,
        .socket_buffer_bytes = SMALL_BUFFER,
    };
    struct simulated_world *world = calloc(1, sizeof(*world));
    must(world != NULL);
    random_init_seeded(&world->random, 1);
    sim_network_init(&world->network, &options, &world->random);
    ground->world = world;
    ground->poller = sim_poller_create(&world->network, 0, 0);
    must(ground->poller != NULL);
    must(socket_address_parse("127.0.0.1", 8000, &ground->address));
    ground->listener = poller_listen(ground->poller, &ground->address, 16);
}

static void simulator_close(struct ground *ground)
{
    poller_destroy(ground->poller);
    sim_network_clear(network_of(ground));
    free(ground->world);
}

static int simulator_client_connect(struct ground *ground)
{
    struct sim_socket *socket =
        sim_network_open(network_of(ground), SIM_NODE_NONE, 0, &ground->address);
    sim_network_number(network_of(ground), socket);
    return socket->number;
}

static size_t simulator_client_send(struct ground *ground, int client, const void *at, size_t len)
{
    const struct iovec slice = {.iov_base = (void *)(uintptr_t)at, .iov_len = len};
    const ssize_t sent = sim_socket_send(network_of(ground), client_of(ground, client), &slice, 1);
    return sent > 0 ? (size_t)sent : 0;
}

static ssize_t simulator_client_receive(struct ground *ground, int client, void *into, size_t len)
{
    const ssize_t received =
        sim_socket_receive(network_of(ground), client_of(ground, client), into, len);
    if (received > 0) {
        return received;
    }
    if (received == 0) {
        return GROUND_END;
    }
    return received == POLLER_AGAIN ? GROUND_NOTHING : GROUND_RESET;
}

static void simulator_client_end(struct ground *ground, int client)
{
    sim_socket_end_output(network_of(ground), client_of(ground, client));
}

static void simulator_client_close(struct ground *ground, int client, bool reset)
{
    sim_socket_close(network_of(ground), client_of(ground, client), reset);
}

static void simulator_pass(struct ground *ground)
{
    network_of(ground)->now_ns += CLOCK_NS_A_MS;
    sim_network_deliver(network_of(ground));
}

const struct ground_ops ground_of_the_simulator = {
    .open = simulator_open,
    .close = simulator_close,
    .client_connect = simulator_client_connect,
    .client_send = simulator_client_send,
    .client_receive = simulator_client_receive,
    .client_end = simulator_client_end,
    .client_close = simulator_client_close,
    .pass = simulator_pass,
};
