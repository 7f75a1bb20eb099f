/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated client that speaks the client protocol over the simulator's network and writes down
 * what it was told. */
#ifndef ROOST_TESTS_SIM_FAKE_CLIENT_H
#define ROOST_TESTS_SIM_FAKE_CLIENT_H

#include "codec/websocket.h"
#include "runtime/sim.h"

enum { CHANNELS_MAX = 8, RUNS_MAX = 4096 };

enum fake_client_state {
    FAKE_UNUSED,
    FAKE_HANDSHAKE, /* The upgrade request is on its way. */
    FAKE_CONNECTING,
    FAKE_CONNECTED,
    FAKE_ENDED, /* The node closed, or the client did. */
};

enum fake_subscription_state { FAKE_NONE, FAKE_ASKED, FAKE_SUBSCRIBED, FAKE_LEAVING };

/* The publications of one channel from a subscribe reply to the end of that subscription. */
struct fake_run {
    uint32_t *ids;
    uint32_t len;
    uint32_t room;
    uint8_t channel;
    bool is_open; /* It lasts: at rest it must reach the channel's end. */
};

struct fake_subscription {
    uint8_t state;
    uint32_t command_id;
    struct fake_run *run;
};

/* Where a client is in a channel that keeps a history. It remembers that over its connections, and
 * recovers from there. */
struct fake_place {
    bool is_known;
    uint64_t offset;
    char epoch[24];
    struct fake_run *run;
};

/* A publish command that was not answered yet. */
struct fake_publish {
    uint32_t command_id;
    uint32_t publication;
};

struct fake_client {
    struct sim *sim;
    int socket;
    uint32_t node;
    uint8_t state;
    bool is_paused;
    bool is_mute; /* Never answers a ping. */
    uint16_t close_code;
    uint32_t next_id;
    struct fake_subscription subscriptions[CHANNELS_MAX];
    struct fake_place places[CHANNELS_MAX];
    struct fake_publish publishes[64];
    uint32_t publishes_len;
    uint64_t
        asked_clients; /* Answer of the newest presence_stats: its num_clients, or UINT64_MAX. */
    uint32_t asked_id;
    uint8_t out[64 * 1024]; /* Not yet taken by the network. */
    size_t out_len;
    uint8_t in[64 * 1024];
    size_t in_len;
    struct websocket_decoder decoder;
    uint8_t message[64 * 1024];
    size_t message_len;
};

/* Told by a client to the world, which keeps the truth. */
struct fake_listener {
    struct fake_run *(*open_run)(void *context, const struct fake_client *client, uint8_t channel);
    void (*published)(void *context, uint32_t publication, bool accepted);
    void (*recovered)(void *context, bool is_recovered);
    void (*violation)(void *context, const char *what);
    void *context;
};

/* Every second channel is in the namespace "r". */
static inline bool fake_channel_is_kept(uint32_t channel)
{
    return channel % 2 == 0;
}

/* False: nobody listens there. */
bool fake_client_open(struct fake_client *client, struct sim *sim, uint32_t node,
                      const struct socket_address *address);
void fake_client_close(struct fake_client *client, bool reset);
void fake_client_pause(struct fake_client *client, bool paused);

void fake_client_subscribe(struct fake_client *client, uint8_t channel);
void fake_client_unsubscribe(struct fake_client *client, uint8_t channel);
/* False: too many are unanswered. */
bool fake_client_publish(struct fake_client *client, uint8_t channel, uint32_t publication,
                         uint32_t padding);
void fake_client_ask_presence(struct fake_client *client, uint8_t channel);
/* Bytes that are no protocol. */
void fake_client_send_garbage(struct fake_client *client, struct random *random);

/* Sends what waits and takes what has arrived. True while it made progress. */
bool fake_client_poll(struct fake_client *client, const struct fake_listener *listener);

void fake_run_add(struct fake_run *run, uint32_t id);

#endif
