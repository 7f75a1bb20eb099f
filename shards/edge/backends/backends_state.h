/* SPDX-License-Identifier: Apache-2.0 */
/* What requests to endpoints are made of; for the files of backends alone. */
#ifndef ROOST_SHARDS_EDGE_BACKENDS_BACKENDS_STATE_H
#define ROOST_SHARDS_EDGE_BACKENDS_BACKENDS_STATE_H

#include "codec/http1_response.h"
#include "runtime/list.h"
#include "runtime/stream.h"
#include "shards/edge/backends/backends.h"

/* One endpoint, as this shard knows it. */
struct backend {
    struct backends *backends;
    const struct endpoint_options *options;
    struct list waiting; /* struct backend_ask, the oldest first. */
    struct list idle;    /* struct backend_conn, the last used first. */
    struct list due;     /* In backends->due: it may have something to begin. */
    struct timer timer;  /* While its address is not known yet. */
    uint32_t waiting_len;
    uint32_t conns;
    uint32_t next_address;
};

struct backends {
    struct edge *edge;
    struct shard *shard;
    struct pool *asks;
    struct pool *conns;
    struct backend *of; /* One an endpoint. */
    uint32_t len;
    struct node_places *places; /* Of hosts; NULL: none was looked up yet. */
    struct list due;
};

/* A request, until it is answered. */
struct backend_ask {
    struct list link; /* In waiting; unlinked: it is on a connection. */
    struct timer timer;
    struct backend *backend;
    struct backend_conn *conn; /* NULL: it waits. */
    uint8_t *text;             /* The whole request. */
    size_t text_len;
    uint32_t handle;
    uint32_t asker_handle;
    uint32_t addresses_tried;
    uint8_t asker;
};

enum backend_conn_state {
    BACKEND_CONN_CONNECTING,
    BACKEND_CONN_BUSY, /* Its request is sent, or the answer is read. */
    BACKEND_CONN_IDLE, /* Kept alive; in backend->idle. */
};

struct backend_conn {
    struct stream stream;
    struct timer timer; /* Of an idle one: it is closed before the endpoint does so. */
    struct list link;
    struct backend *backend;
    struct backend_ask *ask; /* NULL: idle. */
    size_t sent;             /* Of the request's text. */
    size_t scanned;          /* Of the head. */
    uint8_t *head;           /* HTTP1_HEAD_LEN_MAX bytes while there is a part of one. */
    uint8_t *body_at;
    size_t head_len;
    size_t body_len;
    size_t body_room;
    struct http1_response response;
    struct http1_body body;
    uint32_t handle;
    uint8_t state;
    uint8_t interims; /* Heads that were passed over. */
    bool has_head;
    bool was_used; /* For a request before this one. */
};

enum backend_open {
    BACKEND_OPEN_BEGUN,
    BACKEND_OPEN_NOT_NOW, /* No address, descriptor or memory: the request waits on. */
    BACKEND_OPEN_FAILED,  /* The request is given another try, or is over. */
};

/* Begins a connection for a request that waits. */
MUST_CHECK enum backend_open backend_conn_open(struct backend *backend, struct backend_ask *ask);
/* Gives an idle connection to the request. */
void backend_conn_use(struct backend_conn *conn, struct backend_ask *ask);
void backend_conn_close(struct backend_conn *conn);
void backend_conn_on_event(struct backend_conn *conn);

/* The request is over, and whoever asked is told. Its connection is no longer its. */
void backends_finish(struct backend_ask *ask, const struct backend_answer *answer);
/* The request's connection failed before anything was sent on it: another is tried, unless there is
 * none. */
void backends_again(struct backend_ask *ask, enum backend_outcome outcome);
/* A connection is free, or gone: something may begin. */
void backends_make_due(struct backend *backend);

/* The next of its addresses; false: none is known. */
bool backends_next_address(struct backend *backend, struct socket_address *out);

#endif
