/* SPDX-License-Identifier: Apache-2.0 */
/* The backend of node_fuzz.c: a node of the simulator that answers each request as the input has
 * told it last, also with bytes of the input. */
#ifndef ROOST_TESTS_FUZZ_NODE_FUZZ_BACKEND_H
#define ROOST_TESTS_FUZZ_NODE_FUZZ_BACKEND_H

#include <stdio.h>
#include <string.h>

#include "runtime/sim.h"
#include "tests/fuzz/fuzz_pieces.h"

enum {
    FUZZ_BACKEND_PORT = 80,
    FUZZ_BACKEND_CONNS = 64,
    FUZZ_BACKEND_ROOM = 8192,
    FUZZ_BACKEND_WORDS = 256,
    FUZZ_BACKEND_LISTENER = 1000, /* Its token; those of connections are below. */
};

struct fuzz_backend_conn {
    int socket; /* -1: none. */
    char in[FUZZ_BACKEND_ROOM];
    size_t in_len;
};

struct fuzz_backend {
    struct shard *shard;
    int listener;
    struct fuzz_backend_conn conns[FUZZ_BACKEND_CONNS];
    uint8_t behaviour;
    uint32_t version; /* Of what it says of keys. */
    uint8_t words[FUZZ_BACKEND_WORDS];
    size_t words_len;
};

static inline void fuzz_backend_close(struct fuzz_backend *backend, struct fuzz_backend_conn *conn)
{
    if (conn->socket >= 0) {
        poller_close(backend->shard->poller, conn->socket);
        conn->socket = -1;
    }
}

/* What a socket does not take at once is not sent: the answer has ended early then. */
static inline void fuzz_backend_say(struct fuzz_backend *backend, struct fuzz_backend_conn *conn,
                                    const void *at, size_t len)
{
    struct iovec slice = {(void *)(uintptr_t)at, len};
    if (conn->socket >= 0 && len > 0 &&
        poller_send(backend->shard->poller, conn->socket, &slice, 1) != (ssize_t)len) {
        fuzz_backend_close(backend, conn);
    }
}

static inline void fuzz_backend_say_body(struct fuzz_backend *backend,
                                         struct fuzz_backend_conn *conn, const void *body,
                                         size_t len)
{
    char head[64];
    const int head_len =
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
    fuzz_backend_say(backend, conn, head, (size_t)head_len);
    fuzz_backend_say(backend, conn, body, len);
}

static inline void fuzz_backend_say_items(struct fuzz_backend *backend,
                                          struct fuzz_backend_conn *conn)
{
    char body[256];
    backend->version++;
    const int len =
        snprintf(body, sizeof(body),
                 "{\"result\":{\"items\":[{\"key\":\"a\",\"data\":\"%020u\",\"version\":%u},"
                 "{\"key\":\"b\",\"data\":[%u],\"version\":%u},{\"key\":\"c\",\"data\":0,"
                 "\"removed\":%s}]}}",
                 backend->version, backend->version, backend->version % 4, backend->version / 2,
                 backend->version % 3 == 0 ? "true" : "false");
    fuzz_backend_say_body(backend, conn, body, (size_t)len);
}

static inline void fuzz_backend_answer(struct fuzz_backend *backend, struct fuzz_backend_conn *conn)
{
    static const char *const bodies[] = {
        "{\"result\":{}}",
        "{\"error\":{\"code\":1000,\"message\":\"no way\"}}",
        "{\"disconnect\":{\"code\":4500,\"reason\":\"no way\"}}",
        "{\"result\":{\"data\":{\"a\":1},\"info\":{},\"expire_at\":9999999999}}",
    };
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n{\"result\":{}}\r\n0\r\n\r\n",
        "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
    };
    const uint8_t behaviour = backend->behaviour % 16;
    if (behaviour < 4) {
        fuzz_backend_say_body(backend, conn, bodies[behaviour], strlen(bodies[behaviour]));
    } else if (behaviour < 6) {
        fuzz_backend_say(backend, conn, answers[behaviour - 4], strlen(answers[behaviour - 4]));
    } else if (behaviour < 10) {
        fuzz_backend_say_items(backend, conn);
    } else if (behaviour < 12) {
        fuzz_backend_say_body(backend, conn, backend->words, backend->words_len);
    } else if (behaviour == 12) {
        fuzz_backend_say(backend, conn, backend->words, backend->words_len);
    } else if (behaviour == 13) {
        fuzz_backend_close(backend, conn);
    } else if (behaviour == 14) { /* The connection is not kept. */
        fuzz_backend_say_items(backend, conn);
        fuzz_backend_close(backend, conn);
    } /* Else it says nothing. */
}

/* Answers the whole requests that have come. */
static inline void fuzz_backend_hear(struct fuzz_backend *backend, struct fuzz_backend_conn *conn)
{
    while (conn->socket >= 0) {
        const char *end = memmem(conn->in, conn->in_len, "\r\n\r\n", 4);
        const char *length = memmem(conn->in, conn->in_len, "Content-Length: ", 16);
        if (end == NULL || length == NULL || length > end) {
            return;
        }
        const size_t len = (size_t)(end + 4 - conn->in) + strtoul(length + 16, NULL, 10);
        if (conn->in_len < len) {
            return;
        }
        memmove(conn->in, conn->in + len, conn->in_len - len);
        conn->in_len -= len;
        fuzz_backend_answer(backend, conn);
    }
}

static inline void fuzz_backend_accept(struct fuzz_backend *backend)
{
    int socket;
    while ((socket = poller_accept(backend->shard->poller, backend->listener, NULL)) >= 0) {
        uint32_t at = 0;
        while (at < FUZZ_BACKEND_CONNS && backend->conns[at].socket >= 0) {
            at++;
        }
        if (at == FUZZ_BACKEND_CONNS) {
            poller_close(backend->shard->poller, socket);
            continue;
        }
        backend->conns[at].socket = socket;
        backend->conns[at].in_len = 0;
        FUZZ_CHECK(poller_watch(backend->shard->poller, socket, at));
    }
}

static inline void fuzz_backend_on_event(void *actor, uint64_t token, uint32_t events)
{
    struct fuzz_backend *backend = actor;
    (void)events;
    if (token == FUZZ_BACKEND_LISTENER) {
        fuzz_backend_accept(backend);
        return;
    }
    struct fuzz_backend_conn *conn = &backend->conns[token];
    while (conn->socket >= 0) {
        const ssize_t got =
            poller_receive(backend->shard->poller, conn->socket, conn->in + conn->in_len,
                           sizeof(conn->in) - 1 - conn->in_len);
        if (got == POLLER_AGAIN) {
            return;
        }
        if (got <= 0) { /* Also of a request that is too long. */
            fuzz_backend_close(backend, conn);
            return;
        }
        conn->in_len += (size_t)got;
        conn->in[conn->in_len] = '\0';
        fuzz_backend_hear(backend, conn);
    }
}

static inline bool fuzz_backend_start(void *actor, struct shard *shard)
{
    struct fuzz_backend *backend = actor;
    struct socket_address any;
    backend->shard = shard;
    FUZZ_CHECK(socket_address_parse("0.0.0.0", FUZZ_BACKEND_PORT, &any));
    backend->listener = poller_listen(shard->poller, &any, FUZZ_BACKEND_CONNS);
    return backend->listener >= 0 &&
           poller_watch(shard->poller, backend->listener, FUZZ_BACKEND_LISTENER);
}

static inline void fuzz_backend_on_message(void *actor, const struct message *message)
{
    (void)actor;
    (void)message;
}

static inline void fuzz_backend_do_nothing(void *actor)
{
    (void)actor;
}

static inline bool fuzz_backend_has_work(void *actor)
{
    (void)actor;
    return false;
}

static inline const struct shard_actor *fuzz_backend_ops(uint32_t id)
{
    static const struct shard_actor ops = {
        .start = fuzz_backend_start,
        .on_message = fuzz_backend_on_message,
        .on_event = fuzz_backend_on_event,
        .on_turn_end = fuzz_backend_do_nothing,
        .has_work = fuzz_backend_has_work,
        .stop = fuzz_backend_do_nothing,
    };
    (void)id;
    return &ops;
}

static inline void *fuzz_backend_actor(uint32_t id, void *context)
{
    (void)id;
    return context;
}

/* ---- what an input may do ---- */

/* Adds it to the simulator, as a node whose number is returned. */
static inline uint32_t fuzz_backend_open(struct fuzz_backend *backend, struct sim *sim)
{
    const struct shard_set_options set = {.count = 1,
                                          .actor_ops = fuzz_backend_ops,
                                          .actor_create = fuzz_backend_actor,
                                          .context = backend};
    backend->behaviour = 0;
    backend->version = 0;
    backend->words_len = 0;
    for (uint32_t i = 0; i < FUZZ_BACKEND_CONNS; i++) {
        backend->conns[i].socket = -1;
    }
    const uint32_t number = sim_add_node(sim, &set);
    FUZZ_CHECK(number != SIM_NODE_NONE);
    return number;
}

static inline void fuzz_backend_behave(struct fuzz_backend *backend, uint8_t behaviour)
{
    backend->behaviour = behaviour;
}

static inline void fuzz_backend_learn(struct fuzz_backend *backend, const uint8_t *at, size_t len)
{
    backend->words_len = len < sizeof(backend->words) ? len : sizeof(backend->words);
    memcpy(backend->words, at, backend->words_len);
}

static inline void fuzz_backend_hang_up(struct fuzz_backend *backend)
{
    for (uint32_t i = 0; i < FUZZ_BACKEND_CONNS; i++) {
        fuzz_backend_close(backend, &backend->conns[i]);
    }
}

#endif
