/* SPDX-License-Identifier: Apache-2.0 */
/* One client transport: bytes in, bytes out, its states and its deadlines. Knows HTTP and
 * WebSocket, not the client protocol. A session's connection may be an HTTP stream instead of a
 * WebSocket (fallback.h): then nothing but the peer's end is read from it.
 *
 *                upgrade, or a stream begins      close frame sent, stream ended
 *   HTTP_HEAD -------------------------> ECHO    ------------------> CLOSING ---> CLOSED
 *     ^   |  \                           SESSION                        ^
 *     |   |   \                             ^ a stream begins           |
 *     |   v    \                            |                           |
 *     |    -----> HTTP_BODY --------------------> HTTP_CALL -- response-|
 *     |                                                              |
 *      --------------------------------------------------------------  (keep-alive)
 */
#ifndef ROOST_SHARDS_EDGE_TRANSPORT_CONNECTION_H
#define ROOST_SHARDS_EDGE_TRANSPORT_CONNECTION_H

#include "codec/client_protocol.h"
#include "codec/http1.h"
#include "codec/websocket.h"
#include "runtime/outq.h"
#include "shards/edge/edge.h"
#include "shards/edge/transport/transports.h"

struct session;
struct receive;
struct fallback;

enum connection_state {
    CONNECTION_HTTP_HEAD, /* Waits for a request; nothing is known of the peer. */
    CONNECTION_HTTP_BODY, /* The head was good and asks for a body that somebody wants. */
    CONNECTION_HTTP_CALL, /* A call works on the request; nothing is read. */
    CONNECTION_ECHO,      /* WebSocket: what comes goes back. */
    CONNECTION_SESSION,   /* The client protocol; `session` is set. */
    CONNECTION_CLOSING,   /* The last bytes are on their way; what comes in is thrown away. */
    CONNECTION_CLOSED,    /* The socket is closed; the object lives to the end of the next turn. */
};

enum connection_flag {
    CONNECTION_PAUSED = 1u << 0,   /* Input waits: for an answer, or for output to drain. */
    CONNECTION_BLOCKED = 1u << 1,  /* The socket takes nothing until it is writable. */
    CONNECTION_READABLE = 1u << 2, /* There may be input in the socket or held back. */
    CONNECTION_HANGUP = 1u << 3,   /* The poller said so: read to the very end. */
    CONNECTION_DEFLATE = 1u << 4,  /* permessage-deflate was negotiated. */
    CONNECTION_CLOSE_SENT = 1u << 5,
    CONNECTION_CLOSE_RECEIVED = 1u << 6,
    CONNECTION_SHUT_DOWN = 1u << 7, /* Our side of the stream has ended. */
    CONNECTION_KEEP_ALIVE = 1u << 8,
    CONNECTION_IS_HEAD = 1u << 9, /* The request was HEAD: no body goes back. */
    CONNECTION_HELD_BACK =
        1u << 10, /* The carry holds whole input that a pause kept from being taken. */
    CONNECTION_FAILED = 1u << 11, /* The peer broke the protocol: what it says is no longer read. */
    CONNECTION_READY = 1u << 12,  /* It is in edge->ready. */
    CONNECTION_PROTOBUF = 1u << 13, /* Its session speaks Protobuf, in binary messages. */
    CONNECTION_REFRAMED = 1u << 14, /* Its transport is another than the bidirectional WebSocket. */
    CONNECTION_INTERNAL = 1u << 15, /* It came to the internal listener. */
};

struct connection {
    struct stream stream;
    struct outq outq;
    struct timer timer;      /* The next of its deadlines. */
    struct receive *receive; /* Unfinished input; NULL while there is none. */
    union {
        struct session *session; /* SESSION only. */
        struct {
            uint32_t call;      /* HTTP_CALL only. */
            uint16_t requested; /* HTTP, from the head to the answer; see http_count_answer. */
        };
    };
    union {
        struct websocket_decoder decoder;
        struct fallback *fallback; /* Of an HTTP stream, from its session's beginning on. */
    };
    uint32_t handle;
    uint16_t flags;
    uint8_t state;
    uint8_t window_bits : 4; /* With DEFLATE: what we may compress with. */
    uint8_t transport : 4;   /* With REFRAMED: enum transport. */
};

static inline enum transport connection_transport(const struct connection *conn)
{
    return (conn->flags & CONNECTION_REFRAMED) == 0 ? TRANSPORT_WEBSOCKET
                                                    : (enum transport)conn->transport;
}

/* Before its session is opened. */
static inline void connection_set_transport(struct connection *conn, enum transport transport)
{
    if (transport != TRANSPORT_WEBSOCKET) {
        conn->flags |= CONNECTION_REFRAMED;
        conn->transport = (unsigned)transport & 0xfu;
    }
}

/* What its session speaks. */
static inline enum client_protocol connection_protocol(const struct connection *conn)
{
    return (conn->flags & CONNECTION_PROTOBUF) != 0 ? CLIENT_PROTOBUF : CLIENT_JSON;
}

/* In which kind of message the client protocol goes out. */
static inline enum websocket_opcode connection_opcode(enum client_protocol protocol)
{
    return protocol == CLIENT_PROTOBUF ? WEBSOCKET_BINARY : WEBSOCKET_TEXT;
}

/* Bytes that grow on demand. */
struct bytes {
    uint8_t *at;
    uint32_t len;
    uint32_t room;
};

/* Who waits for a body. */
enum body_kind { BODY_API, BODY_STREAM, BODY_EMULATION };

/* Whose memory it is that a peer pins, and so which limits it has. */
enum receive_account { RECEIVE_UNAUTHENTICATED, RECEIVE_AUTHENTICATED, RECEIVE_FALLBACK };

/* What a peer has begun and not ended. All of it is counted in edge->pinned_bytes. */
struct receive {
    struct bytes
        carry; /* Read, not yet consumed: a head, a frame header, or input held back by a pause. */
    struct bytes message;      /* A message or a body in pieces. */
    struct bytes commands;     /* Of a frame; they wait for the one before them. */
    struct bytes head;         /* With its body: the request's. BODY_API wants none. */
    uint64_t message_since_ms; /* When its first piece came; 0: none is open. */
    uint64_t body_left;        /* Of a Content-Length. */
    struct http1_progress progress;
    struct http1_chunked chunked;
    uint32_t route_detail; /* API: its method; STREAM: the transport; EMULATION: the protocol. */
    uint8_t body_kind;
    uint8_t opcode;
    bool is_compressed;
    bool is_chunked;
    uint16_t api_key; /* api_keys.h */
    bool is_error_by_transport;
    uint8_t account; /* enum receive_account */
};

/* ---- life ---- */

/* Takes over an accepted socket; NULL (and the socket closed, counted) when there is no room. */
struct connection *connection_open(struct edge *edge, int socket);

/* The peer is gone, or is to be: closes the socket now. The session, if any, ends. */
void connection_close(struct edge *edge, struct connection *conn);

/* Puts the connection where the end of the turn finds it. */
void connection_make_ready(struct edge *edge, struct connection *conn);

void connection_on_event(struct edge *edge, struct connection *conn, uint32_t events);

/* The part of the turn's end that is these connections', at most TURN_SENDS of them. */
void connection_on_turn_end(struct edge *edge, struct connection *const *conns, uint32_t count);
void connection_free(struct edge *edge, struct connection *conn);

/* Sets the timer to the earliest deadline of its state. */
void connection_schedule(struct edge *edge, struct connection *conn);

/* Input goes on at the end of this turn. */
void connection_resume(struct edge *edge, struct connection *conn);

/* Puts CLOSING and its deadline in force; the connection ends when its output has gone. */
void connection_begin_closing(struct edge *edge, struct connection *conn);

/* Changes to a state that reads, with its deadline (ms from now; 0: none). */
void connection_enter(struct edge *edge, struct connection *conn, enum connection_state state,
                      uint64_t deadline_ms);

/* Has the peer proved who it is, as far as its kind asks for that? */
bool connection_is_authenticated(const struct connection *conn);
/* The session has just become CONNECTED. */
void connection_on_authenticated(struct edge *edge, struct connection *conn);

/* ---- WebSocket ---- */

/* Takes frames from the input; returns where it stopped: at `end`, before a piece that is
 * incomplete, or where a pause or the end of the connection stopped it. */
uint8_t *frames_take(struct edge *edge, struct connection *conn, uint8_t *at, uint8_t *end);

/* A message of its transport compressed, as a frame to share with those that have the same window;
 * NULL when that does not pay. One count. */
struct frame *frames_make_deflated(struct edge *edge, const struct connection *conn,
                                   struct span payload);

/* Queues a frame, in the form of its transport, that many connections share. False as
 * connection_send_message. */
MUST_CHECK bool connection_send_shared(struct edge *edge, struct connection *conn,
                                       struct frame *frame);

/* Queues one message; a transport that is no WebSocket needs no opcode. False: over queue_max_size
 * or out of memory (nothing was queued). */
MUST_CHECK bool connection_send_message(struct edge *edge, struct connection *conn,
                                        enum websocket_opcode opcode, struct span payload);

/* Sends a close frame (reason cut to 123 bytes) and lets the connection end; what waits goes out
 * before, unless `drop`. Counts. */
void connection_end_websocket(struct edge *edge, struct connection *conn, uint16_t code,
                              struct span reason, bool drop);

/* ---- memory that peers pin ---- */

/* Appends under the limits; false: the connection was closed with its reason counted. */
MUST_CHECK bool receive_append(struct edge *edge, struct connection *conn, struct bytes *bytes,
                               const void *at, size_t len);
MUST_CHECK struct receive *receive_of(struct edge *edge, struct connection *conn);
void receive_clear(struct edge *edge, struct connection *conn, struct bytes *bytes);
/* Frees it all when nothing is open. */
void receive_settle(struct edge *edge, struct connection *conn);
void receive_free(struct edge *edge, struct connection *conn);
/* Hands the bytes over: they are pinned no longer, and the caller frees them before its turn ends.
 */
MUST_CHECK struct bytes receive_take(struct edge *edge, struct connection *conn,
                                     struct bytes *bytes);
/* The peer has authenticated: what it pins counts as everybody's from now on. */
void receive_authenticated(struct edge *edge, struct connection *conn);
/* What it pins counts in another account from now on. */
void receive_move(struct edge *edge, struct connection *conn, enum receive_account account);

#endif
