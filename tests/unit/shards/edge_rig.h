/* SPDX-License-Identifier: Apache-2.0 */
/* A whole node in the simulator, and peers that say bytes to it and hear what it answers.
 *
 * A test is written in JSON. A peer that speaks Protobuf has what it says translated, and what it
 * hears, by protobuf-c: so one test is a test of both.
 *
 * The network takes no time, so that the clock moves only in edge_rig_advance. What is heard is
 * compared with what is written in a test, where `<id>` stands for any client id. Server frames are
 * read here by hand: the codec under test is not its own judge.
 */
#ifndef ROOST_TESTS_UNIT_SHARDS_EDGE_RIG_H
#define ROOST_TESTS_UNIT_SHARDS_EDGE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "codec/client_protocol.h"
#include "runtime/sim.h"
#include "shards/counters.h"
#include "shards/node.h"

#include <cmocka.h>

enum { EDGE_PEERS_MAX = 256, EDGE_CLIENT_ID_SIZE = 37 };

/* Bytes that grow; a NUL behind them. */
struct edge_text {
    char *at;
    size_t len;
    size_t room;
};

struct edge_rig;

struct peer {
    struct edge_rig *rig;
    enum client_protocol protocol; /* What it asks for when it upgrades, and speaks from then on. */
    int socket;                    /* -1: not open. */
    bool is_paused;
    bool has_ended; /* The node ended its side. */
    struct edge_text out;
    struct edge_text in;
    size_t heard;                     /* Of `in`. */
    struct edge_text message;         /* The last frame's payload, or the last response's body. */
    struct edge_text head;            /* The last response's. */
    char client[EDGE_CLIENT_ID_SIZE]; /* After peer_connect. */
};

struct edge_rig {
    struct node_options options;
    struct channel_options namespaces[8];
    uint64_t seed;
    uint32_t socket_buffer_bytes; /* 0: the simulator's own. */
    struct sim *sim;
    struct node *node;
    uint32_t number;
    struct peer peers[EDGE_PEERS_MAX];
    bool keeps_listening; /* False: the test has stopped the node. */
};

/* What peers speak unless the test sets `protocol`. */
extern enum client_protocol edge_rig_protocol;

/* Runs the tests with peers of each protocol, one after the other. How many failed. */
#define EDGE_RIG_RUN_IN_BOTH(tests) \
    edge_rig_run_in_both((tests), sizeof(tests) / sizeof((tests)[0]))
int edge_rig_run_in_both(const struct CMUnitTest *tests, size_t len);

/* Options that a test may change before edge_rig_start: `insecure`, health, metrics and an API with
 * the key "key". edge_rig_namespace adds one namespace. */
void edge_rig_init(struct edge_rig *rig, uint32_t shards);
struct channel_options *edge_rig_namespace(struct edge_rig *rig, const char *name);
void edge_rig_start(struct edge_rig *rig);

/* All peers leave. */
void edge_rig_leave(struct edge_rig *rig);

/* The same; then every gauge must be zero and no socket open. */
void edge_rig_stop(struct edge_rig *rig);

/* Lets everything happen that takes no time; that much time. */
void edge_rig_settle(struct edge_rig *rig);
void edge_rig_advance(struct edge_rig *rig, uint64_t ms);

/* Unix time. */
int64_t edge_rig_now_ms(struct edge_rig *rig);
int64_t edge_rig_now_s(struct edge_rig *rig);

/* Over all shards; on one. */
uint64_t edge_rig_count(const struct edge_rig *rig, enum counter counter);
uint64_t edge_rig_count_at(const struct edge_rig *rig, uint32_t shard, enum counter counter);

/* Every gauge that clients move is zero. */
void edge_rig_assert_empty(const struct edge_rig *rig);

/* ---- peers ---- */

struct peer *peer_open(struct edge_rig *rig);
struct peer *peer_open_to(struct edge_rig *rig, const struct socket_address *to);
struct peer *peer_open_at(struct edge_rig *rig, uint32_t shard);
void peer_close(struct peer *peer); /* An orderly end. */
void peer_reset(struct peer *peer);
void peer_pause(struct peer *peer, bool is_paused); /* It reads nothing. */

/* Sends, without and with waiting for what comes of it. */
void peer_put(struct peer *peer, const void *at, size_t len);
void peer_put_text(struct peer *peer, const char *text);
void peer_send(struct peer *peer, const char *text);

/* A masked frame; `first` is its first byte. A whole text message (0x81) is translated for a peer
 * that speaks Protobuf, if it can be. */
void peer_put_frame(struct peer *peer, unsigned first, const void *at, size_t len);

/* One text message of commands, settled. */
void peer_say(struct peer *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The handshake with the usual headers and `extra` lines; then 101. */
void peer_upgrade_with(struct peer *peer, const char *extra);
void peer_upgrade(struct peer *peer);

/* Upgrade and an anonymous (or insecure) connect; the client's id is kept. */
void peer_connect(struct peer *peer);
/* `connect` is the command's body: {"token":...}. */
void peer_connect_with(struct peer *peer, const char *connect);
/* Subscribes and hears the plain answer. */
void peer_subscribe(struct peer *peer, const char *channel);

/* A file and line of the test go with each failure. */
#define peer_hear(...) peer_hear_from(__FILE__, __LINE__, __VA_ARGS__)
#define peer_hear_frame(peer, first) peer_hear_frame_from(__FILE__, __LINE__, (peer), (first))
#define peer_hear_nothing(peer) peer_hear_nothing_from(__FILE__, __LINE__, (peer))
#define peer_hear_close(...) peer_hear_close_from(__FILE__, __LINE__, __VA_ARGS__)
#define peer_hear_close_frame(...) peer_hear_close_frame_from(__FILE__, __LINE__, __VA_ARGS__)
#define peer_hear_end(peer) peer_hear_end_from(__FILE__, __LINE__, (peer))
#define peer_hear_response(...) peer_hear_response_from(__FILE__, __LINE__, __VA_ARGS__)
#define peer_hear_head(...) peer_hear_head_from(__FILE__, __LINE__, __VA_ARGS__)

/* The next message is this text. */
void peer_hear_from(const char *file, int line, struct peer *peer, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The next frame has this first byte; its payload is in peer->message. For a peer that speaks
 * Protobuf 0x81 is a binary message, translated. */
void peer_hear_frame_from(const char *file, int line, struct peer *peer, unsigned first);
void peer_hear_nothing_from(const char *file, int line, struct peer *peer);
/* A close frame; it is answered, and the node ends the stream. Without the answer: _frame. */
void peer_hear_close_from(const char *file, int line, struct peer *peer, unsigned code,
                          const char *reason);
void peer_hear_close_frame_from(const char *file, int line, struct peer *peer, unsigned code,
                                const char *reason);
/* Nothing more comes: the node has ended the stream. */
void peer_hear_end_from(const char *file, int line, struct peer *peer);
/* A response; NULL: any body. And one without a body, whatever its Content-Length says. */
void peer_hear_response_from(const char *file, int line, struct peer *peer, unsigned status,
                             const char *body);
void peer_hear_head_from(const char *file, int line, struct peer *peer, unsigned status);

/* A header of the last response, or NULL; in a buffer of the function's own. */
const char *peer_header(const struct peer *peer, const char *name);

/* True when a whole frame (or any byte of a response) waits to be heard. */
bool peer_has_news(const struct peer *peer);

/* Lines of commands as delimited messages; false: they are not commands. Delimited replies as
 * lines. */
bool edge_text_to_protobuf(struct edge_text *to, struct span lines);
void edge_text_from_protobuf(struct edge_text *to, struct span messages);
void edge_text_add(struct edge_text *text, const void *at, size_t len);

/* `<id>` in the pattern matches 36 characters of a client id. */
bool edge_text_matches(const char *text, const char *pattern);

#endif
