/* SPDX-License-Identifier: Apache-2.0 */
/* The list of protocols, and those that need no code: a message is a payload. */
#include "ops/bench/protocol.h"

#include <string.h>

/* A mask of zero would be no mask at all, so servers would unmask for nothing; this one is real. */
#define MASK \
    { \
        0x1b, 0xad, 0xb0, 0x0d \
    }

const struct protocol protocol_echo = {
    .name = "echo",
    .about = "plain WebSocket, each message comes back",
    .path = "/echo",
    .mask = MASK,
    .is_binary = true,
};

const struct protocol protocol_broadcast = {
    .name = "broadcast",
    .about = "plain WebSocket, what one sends goes to all on its path",
    .path = "/%s",
    .mask = MASK,
    .is_binary = true,
};

const struct protocol protocol_nchan = {
    .name = "nchan",
    .about = "nchan: subscribers on /sub/CHANNEL, publishers on /pub/, both on /pubsub/",
    .path = "/sub/%s",
    .path_publish = "/pub/%s",
    .path_echo = "/pubsub/%s",
    .mask = MASK,
    .has_channels = true,
};

const struct protocol protocol_floor = {
    .name = "floor",
    .about = "the floor server: bytes come back, or go to all, unread",
    .path = "/",
    .is_binary = true,
    .has_masked_in = true,
};

const struct protocol *const protocols[] = {
    &protocol_echo,
    &protocol_broadcast,
    &protocol_nchan,
    &protocol_centrifuge_json,
    &protocol_centrifuge_protobuf,
    &protocol_nats,
    &protocol_socketio,
    &protocol_floor,
    NULL,
};

const struct protocol *protocol_find(const char *name)
{
    for (const struct protocol *const *at = protocols; *at != NULL; at++) {
        if (strcmp((*at)->name, name) == 0) {
            return *at;
        }
    }
    return NULL;
}
