/* SPDX-License-Identifier: Apache-2.0 */
/* The test's ends of simulated connections. */
#include "runtime/sim_world.h"

/* A client's number is a socket's that no shard owns. */
static struct sim_socket *client_socket(struct sim *sim, int client)
{
    struct sim_network *network = &sim->network;
    BUG_IF(client < 0 || client >= network->sockets_end);
    struct sim_socket *socket = network->sockets[client];
    BUG_IF(socket == NULL || socket->owner != NULL);
    return socket;
}

int sim_client_connect(struct sim *sim, uint32_t node, const struct socket_address *address)
{
    if (sim_network_listener(&sim->network, node, address) == NULL) {
        return -1;
    }
    struct sim_socket *socket = sim_network_open(&sim->network, SIM_NODE_NONE, node, address);
    sim_network_number(&sim->network, socket);
    return socket->number;
}

size_t sim_client_send(struct sim *sim, int client, const void *at, size_t len)
{
    /* Only read, but the type cannot say so. */
    const struct iovec slice = {.iov_base = (void *)(uintptr_t)at, .iov_len = len};
    struct sim_socket *socket = client_socket(sim, client);
    const ssize_t sent = sim_socket_send(&sim->network, socket, &slice, 1);
    return sent > 0 ? (size_t)sent : 0;
}

ssize_t sim_client_receive(struct sim *sim, int client, void *into, size_t len)
{
    struct sim_socket *socket = client_socket(sim, client);
    BUG_IF(len == 0);
    if (socket->is_paused) {
        return 0;
    }
    const ssize_t received = sim_socket_receive(&sim->network, socket, into, len);
    if (received > 0) {
        return received;
    }
    return received == POLLER_AGAIN ? 0 : -1;
}

void sim_client_pause(struct sim *sim, int client, bool paused)
{
    client_socket(sim, client)->is_paused = paused;
}

void sim_client_close(struct sim *sim, int client, bool reset)
{
    sim_socket_close(&sim->network, client_socket(sim, client), reset);
}

uint32_t sim_node_connections(const struct sim *sim, uint32_t node)
{
    uint32_t count = 0;
    const struct list *head = &sim->network.connections;
    for (struct list *at = head->next; at != head; at = at->next) {
        const struct sim_connection *connection = CONTAINER_OF(at, struct sim_connection, link);
        for (int i = 0; i < 2; i++) {
            const struct sim_socket *socket = &connection->ends[i];
            const bool is_there = socket->owner != NULL || list_is_linked(&socket->wait);
            count += connection->nodes[i] == node && is_there && !socket->is_closed;
        }
    }
    return count;
}
