/* SPDX-License-Identifier: Apache-2.0 */
/* The ways between simulated nodes: which are cut or clogged, and what waits because of it. */
#include <stdlib.h>
#include <string.h>

#include "runtime/clock.h"
#include "runtime/sim_network.h"

/* As Linux has it: after 200 ms what was not acknowledged is sent again, each time after twice as
 * long, and after two minutes at most. */
#define RETRY_NS_MIN (200 * CLOCK_NS_A_MS)
#define RETRY_NS_MAX (120 * CLOCK_NS_A_S)

static void paths_grow(struct sim_network *network, uint32_t len)
{
    struct sim_path **rows = calloc(len, sizeof(*rows));
    BUG_IF(rows == NULL);
    for (uint32_t i = 0; i < network->paths_len; i++) {
        if (network->paths[i] != NULL) {
            rows[i] = calloc(len, sizeof(**rows));
            BUG_IF(rows[i] == NULL);
            memcpy(rows[i], network->paths[i], network->paths_len * sizeof(**rows));
            free(network->paths[i]);
        }
    }
    free(network->paths);
    network->paths = rows;
    network->paths_len = len;
}

struct sim_path *sim_network_path(struct sim_network *network, uint32_t from, uint32_t to)
{
    const uint32_t needed = (from > to ? from : to) + 1;
    if (needed > network->paths_len) {
        paths_grow(network, 2 * needed);
    }
    struct sim_path **row = &network->paths[from];
    if (*row == NULL) {
        *row = calloc(network->paths_len, sizeof(**row));
        BUG_IF(*row == NULL);
    }
    return &(*row)[to];
}

void sim_network_heal(struct sim_network *network)
{
    for (uint32_t i = 0; i < network->paths_len; i++) {
        free(network->paths[i]);
    }
    free(network->paths);
    network->paths = NULL;
    network->paths_len = 0;
}

static const struct sim_path *known_path(const struct sim_network *network, uint32_t from,
                                         uint32_t to)
{
    static const struct sim_path open;
    const bool is_known = from < network->paths_len && to < network->paths_len && from != to &&
                          network->paths[from] != NULL;
    return is_known ? &network->paths[from][to] : &open;
}

uint64_t sim_network_clogged_until_ns(const struct sim_network *network, uint32_t from, uint32_t to)
{
    const uint64_t until_ns = known_path(network, from, to)->clogged_until_ns;
    return until_ns > network->now_ns ? until_ns : 0;
}

bool sim_network_is_cut(const struct sim_network *network, uint32_t from, uint32_t to)
{
    return known_path(network, from, to)->cut_until_ns > network->now_ns;
}

/* From where what arrives at this end comes, and where it is. */
static bool is_way_open(const struct sim_network *network, const struct sim_socket *socket)
{
    const struct sim_connection *connection = socket->connection;
    const bool is_first = socket == &connection->ends[0];
    const uint32_t from = connection->nodes[is_first];
    const uint32_t to = connection->nodes[!is_first];
    return !sim_network_is_cut(network, from, to) &&
           sim_network_clogged_until_ns(network, from, to) == 0;
}

static void schedule_retry(struct sim_network *network, struct sim_socket *socket)
{
    socket->retry_ns = socket->retry_ns == 0 ? RETRY_NS_MIN : 2 * socket->retry_ns;
    socket->retry_ns = socket->retry_ns < RETRY_NS_MAX ? socket->retry_ns : RETRY_NS_MAX;
    socket->connection->events++;
    const struct sim_event event = {
        .at_ns = network->now_ns + socket->retry_ns,
        .socket = socket,
        .kind = SIM_EVENT_RETRY,
    };
    sim_events_add(&network->events, event);
}

bool sim_socket_hold(struct sim_network *network, const struct sim_event *event)
{
    struct sim_socket *socket = event->socket;
    const bool is_local = event->kind == SIM_EVENT_ROOM || event->kind == SIM_EVENT_GIVE_UP ||
                          event->kind == SIM_EVENT_RETRY;
    const bool others_wait = !list_is_empty(&socket->held);
    if (is_local || (!others_wait && is_way_open(network, socket))) {
        return false;
    }
    struct sim_held *held = calloc(1, sizeof(*held));
    BUG_IF(held == NULL);
    held->event = *event;
    list_append(&socket->held, &held->link);
    network->faults[SIM_FAULT_HELD]++;
    if (!others_wait) {
        schedule_retry(network, socket);
    }
    return true;
}

struct sim_held *sim_socket_take_held(struct sim_network *network, struct sim_socket *socket)
{
    if (list_is_empty(&socket->held)) {
        socket->retry_ns = 0;
        return NULL;
    }
    if (!is_way_open(network, socket)) {
        schedule_retry(network, socket);
        return NULL;
    }
    return CONTAINER_OF(list_take_first(&socket->held), struct sim_held, link);
}
