/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the servers that can be driven: paths, joining, publishing, reading. */
#ifndef ROOST_OPS_BENCH_PROTOCOL_H
#define ROOST_OPS_BENCH_PROTOCOL_H

#include "codec/span.h"
#include "codec/writer.h"

#include <stdbool.h>
#include <stdint.h>

/* What one WebSocket message from the server holds; a message may hold several. */
enum protocol_event {
    PROTOCOL_END,         /* nothing more in this message */
    PROTOCOL_JOINED,      /* the server has taken the connection (and its subscription) */
    PROTOCOL_PUBLICATION, /* `out` is its payload */
    PROTOCOL_PING,        /* answer with `pong` */
    PROTOCOL_OTHER,       /* of no interest */
    PROTOCOL_ERROR,       /* the server refused something; `out` is what it said */
};

struct protocol {
    const char *name;
    const char *about;
    /* One %s or none: the channel's name. In path_publish it means one publisher a channel. */
    const char *path;
    const char *path_publish; /* NULL: the same */
    const char *path_echo;    /* where a connection hears what it says; NULL: the same */
    const char *subprotocol;  /* Sec-WebSocket-Protocol, or NULL */
    struct span pong;         /* the message that answers a PROTOCOL_PING */
    uint8_t mask[4];
    bool is_binary;     /* the messages we send */
    bool has_channels;  /* otherwise there is one channel, and everybody is in it */
    bool has_masked_in; /* the floor returns our own frames */
    /* Writes the message that follows the upgrade; channel is NULL for a connection without a
     * subscription, which then must not hear publications. NULL: the upgrade is all. */
    void (*join)(struct writer *out, const char *channel);
    /* Writes the message that publishes a payload. NULL: the payload is the message. */
    void (*publish)(struct writer *out, const char *channel, struct span payload);
    /* Writes the message that comes back to its sender as a publication. NULL: an echo is a
     * publication into a channel that the connection alone is on. */
    void (*echo)(struct writer *out, const char *channel, struct span payload);
    /* Takes the next event off the front of *rest. NULL: each message is one publication. */
    enum protocol_event (*next)(struct span *rest, struct span *out);
};

/* By name, or NULL. */
const struct protocol *protocol_find(const char *name);

/* All of them, ended by NULL. */
extern const struct protocol *const protocols[];

extern const struct protocol protocol_echo;
extern const struct protocol protocol_broadcast;
extern const struct protocol protocol_nchan;
extern const struct protocol protocol_floor;
extern const struct protocol protocol_centrifuge_json;
extern const struct protocol protocol_centrifuge_protobuf;
extern const struct protocol protocol_nats;
extern const struct protocol protocol_socketio;

#endif
