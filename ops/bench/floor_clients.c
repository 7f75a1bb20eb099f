/* SPDX-License-Identifier: Apache-2.0 */
/* Who is connected to the floor: an array to walk for a broadcast, and the way back into it. */
#include "ops/bench/floor_clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "codec/websocket.h"

bool floor_clients_init(struct floor_clients *clients, bool is_broadcast, uint32_t most)
{
    struct rlimit limit = {0};
    char key[WEBSOCKET_ACCEPT_LEN];
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    websocket_accept_key(SPAN_LITERAL("cm9vc3QtYmVuY2gga2V5IQ=="), key);
    *clients = (struct floor_clients){
        .is_broadcast = is_broadcast,
        .descriptors_max = limit.rlim_max < most ? (uint32_t)limit.rlim_max : most,
    };
    clients->answer_len =
        (size_t)snprintf(clients->answer, sizeof clients->answer,
                         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Accept: %.*s\r\n\r\n",
                         WEBSOCKET_ACCEPT_LEN, key);
    clients->is_upgraded = calloc(clients->descriptors_max, sizeof clients->is_upgraded[0]);
    clients->open = calloc(clients->descriptors_max, sizeof clients->open[0]);
    clients->at = calloc(clients->descriptors_max, sizeof clients->at[0]);
    return clients->is_upgraded != NULL && clients->open != NULL && clients->at != NULL;
}

void floor_clients_join(struct floor_clients *clients, int fd)
{
    clients->is_upgraded[fd] = true;
    clients->at[fd] = clients->open_len;
    clients->open[clients->open_len++] = fd;
}

void floor_clients_leave(struct floor_clients *clients, int fd)
{
    if (clients->is_upgraded[fd]) {
        const uint32_t at = clients->at[fd];
        const int last = clients->open[--clients->open_len];
        clients->is_upgraded[fd] = false;
        clients->open[at] = last;
        clients->at[last] = at;
    }
}
