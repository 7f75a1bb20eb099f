/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated client that speaks the client protocol over the simulator's network, and tells the
 * truth's keeper what it was told. */
#ifndef ROOST_TESTS_SIM_FAKE_CLIENT_H
#define ROOST_TESTS_SIM_FAKE_CLIENT_H

#include "codec/websocket.h"
#include "runtime/sim.h"
#include "tests/sim/truth.h"

enum { PRESENT_MAX = 128, CLIENT_ID_SIZE = 37, CLIENT_BUFFER_SIZE = 64 * 1024 };

enum fake_client_state {
    FAKE_UNUSED,
    FAKE_HANDSHAKE, /* The upgrade request is on its way. */
    FAKE_CONNECTING,
    FAKE_CONNECTED,
    FAKE_ENDED, /* The node closed, or the client did. */
};

enum fake_subscription_state { FAKE_NONE, FAKE_ASKED, FAKE_SUBSCRIBED, FAKE_LEAVING };

struct fake_subscription {
    uint8_t state;
    uint32_t command_id;
    bool has_recovered; /* The command asked for it. */
    struct run *run;
};

/* Where a client is in a channel that keeps a history. It remembers that over its connections, and
 * recovers from there. */
struct fake_place {
    bool is_known;
    uint64_t offset;
    char epoch[EPOCH_TEXT_SIZE];
    struct run *run;
};

/* A publish command that was not answered yet. */
struct fake_publish {
    uint32_t command_id;
    uint32_t publication;
};

/* The newest question of each kind; `id` 0: it was answered, or never asked. */
struct fake_question {
    uint32_t id;
    uint8_t channel;
    uint64_t asked_at; /* In the truth's count. */
};

struct fake_client {
    struct sim *sim;
    struct truth *truth;
    int socket;
    uint32_t number;
    uint32_t node;
    uint8_t state;
    bool is_paused;
    bool is_mute;     /* Never answers a ping. */
    bool is_garbling; /* It has sent what is no protocol. */
    uint16_t close_code;
    uint32_t next_id;
    char user[8];            /* "": anonymous. */
    char id[CLIENT_ID_SIZE]; /* As the node calls it. */
    struct fake_subscription subscriptions[CHANNELS_MAX];
    struct fake_place places[CHANNELS_MAX];
    struct fake_publish publishes[64];
    uint32_t publishes_len;
    struct fake_question presence;
    struct fake_question history;
    uint32_t present_len; /* By the newest answer; those beyond PRESENT_MAX are only counted. */
    char present[PRESENT_MAX][CLIENT_ID_SIZE];
    struct websocket_decoder decoder;
    size_t out_len;
    size_t in_len;
    size_t message_len;
    uint8_t out[CLIENT_BUFFER_SIZE]; /* Not yet taken by the network. */
    uint8_t in[CLIENT_BUFFER_SIZE];
    uint8_t message[CLIENT_BUFFER_SIZE];
};

/* The channel's name. */
const char *fake_channel_name(uint32_t channel);

/* Of a zeroed client, once. */
void fake_client_init(struct fake_client *client, struct sim *sim, struct truth *truth,
                      uint32_t number);

/* False: nobody listens there. */
bool fake_client_open(struct fake_client *client, uint32_t node,
                      const struct socket_address *address);
void fake_client_close(struct fake_client *client, bool reset);
void fake_client_pause(struct fake_client *client, bool paused);

/* Recovers, if it knows a place. */
void fake_client_subscribe(struct fake_client *client, uint8_t channel);
void fake_client_unsubscribe(struct fake_client *client, uint8_t channel);
/* Begins anew, when it subscribes the next time. */
void fake_client_forget(struct fake_client *client, uint8_t channel);
/* False: too many are unanswered. */
bool fake_client_publish(struct fake_client *client, uint8_t channel, uint32_t padding);
void fake_client_ask_presence(struct fake_client *client, uint8_t channel);
void fake_client_ask_history(struct fake_client *client, uint8_t channel, uint32_t limit);
/* Bytes that are no protocol. */
void fake_client_send_garbage(struct fake_client *client, struct random *random);

/* Sends what waits and takes what has arrived. True while it made progress. */
bool fake_client_poll(struct fake_client *client);

/* ---- what is said, for others who hear it (fake_words.c) ---- */

/* The number behind the first such key; 0: there is none. */
uint64_t fake_number_behind(const char *text, const char *key);
/* The string behind it, as far as there is room; "": none. */
void fake_text_behind(const char *text, const char *key, char *out, size_t size);

/* The publications in the text, each with its offset, are in this stream. */
void fake_note_publications(struct truth *truth, uint8_t channel, struct told_stream *stream,
                            const char *text);

/* One line of the node's. */
void fake_client_hear(struct fake_client *client, const char *line);

/* One text message to the node. */
void fake_client_say(struct fake_client *client, const char *text);

#endif
