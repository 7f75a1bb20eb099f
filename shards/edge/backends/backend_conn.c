/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to an endpoint: made, sent a request, read an answer, kept for the next. */
#include <stdlib.h>
#include <string.h>

#include "shards/edge/backends/backends_state.h"

enum { BODY_ROOM_MIN = 1024 };

/* ---- life ---- */

static struct poller *poller_of(const struct backend_conn *conn)
{
    return conn->backend->backends->shard->poller;
}

static void forget_answer(struct backend_conn *conn)
{
    free(conn->head);
    free(conn->body_at);
    conn->head = NULL;
    conn->body_at = NULL;
    conn->head_len = 0;
    conn->interims = 0;
    conn->body_len = 0;
    conn->body_room = 0;
    conn->scanned = 0;
    conn->has_head = false;
}

void backend_conn_close(struct backend_conn *conn)
{
    struct backend *backend = conn->backend;
    struct backends *backends = backend->backends;
    if (conn->ask != NULL) {
        conn->ask->conn = NULL;
    }
    if (list_is_linked(&conn->link)) {
        list_remove(&conn->link);
    }
    timer_stop(backends->shard->timers, &conn->timer);
    stream_close(&conn->stream, backends->shard->poller);
    forget_answer(conn);
    backend->conns--;
    actors_gauge_add(backends->edge->actors, COUNTER_BACKEND_CONNECTIONS, -1);
    pool_put(backends->conns, conn->handle);
    backends_make_due(backend);
}

static struct tls *make_tls(const struct backend *backend)
{
    const struct endpoint_options *options = backend->options;
    struct tls *tls = tls_create(options->tls, TLS_DIALS, backend->backends->shard->wall_ms);
    if (tls != NULL && !tls_expect_name(tls, options->tls_name)) {
        tls_destroy(tls);
        return NULL;
    }
    return tls;
}

/* The connection to a socket that is being connected; NULL: there is no room. */
static struct backend_conn *take_conn(struct backend *backend, int socket)
{
    struct backends *backends = backend->backends;
    uint32_t handle;
    struct tls *tls = backend->options->tls == NULL ? NULL : make_tls(backend);
    struct backend_conn *conn =
        backend->options->tls != NULL && tls == NULL ? NULL : pool_take(backends->conns, &handle);
    if (conn == NULL || !poller_watch(backends->shard->poller, socket,
                                      (uint64_t)EDGE_TOKEN_BACKEND << 32 | handle)) {
        if (conn != NULL) {
            pool_put(backends->conns, handle);
        }
        if (tls != NULL) {
            tls_destroy(tls);
        }
        poller_close(backends->shard->poller, socket);
        return NULL;
    }
    stream_open_tls(&conn->stream, socket, tls);
    conn->handle = handle;
    conn->backend = backend;
    backend->conns++;
    actors_gauge_add(backends->edge->actors, COUNTER_BACKEND_CONNECTIONS, 1);
    return conn;
}

static void give(struct backend_conn *conn, struct backend_ask *ask)
{
    list_remove(&ask->link);
    conn->backend->waiting_len--;
    conn->ask = ask;
    conn->sent = 0;
    ask->conn = conn;
}

enum backend_open backend_conn_open(struct backend *backend, struct backend_ask *ask)
{
    struct socket_address address;
    if (!backends_next_address(backend, &address)) {
        return BACKEND_OPEN_NOT_NOW;
    }
    const int socket = poller_connect(backend->backends->shard->poller, &address);
    if (socket == POLLER_EXHAUSTED) {
        return BACKEND_OPEN_NOT_NOW;
    }
    if (socket < 0) {
        list_remove(&ask->link);
        backend->waiting_len--;
        backends_again(ask, BACKEND_UNREACHABLE);
        return BACKEND_OPEN_FAILED;
    }
    struct backend_conn *conn = take_conn(backend, socket);
    if (conn == NULL) {
        return BACKEND_OPEN_NOT_NOW;
    }
    conn->state = BACKEND_CONN_CONNECTING;
    give(conn, ask);
    return BACKEND_OPEN_BEGUN;
}

/* ---- what went wrong ---- */

/* The connection is over, and with it its request, if it has one. */
static void fail(struct backend_conn *conn, enum backend_outcome outcome)
{
    struct backend_ask *ask = conn->ask;
    const bool was_connecting = conn->state == BACKEND_CONN_CONNECTING;
    /* A connection that was kept may have been closed by the other side just now; what has not
     * begun to leave may go another way, what has may have been done already. */
    const bool is_unsent = conn->state == BACKEND_CONN_BUSY && conn->sent == 0;
    const bool is_tls = conn->stream.tls != NULL && !tls_is_established(conn->stream.tls);
    const bool was_used = conn->was_used;
    if (is_tls && tls_failure(conn->stream.tls) != TLS_OK) {
        LOG(conn->backend->backends->shard->log, LOG_WARN, "endpoint_tls", "url=%s reason=\"%s\"",
            conn->backend->options->url, tls_failure_text(tls_failure(conn->stream.tls)));
    }
    backend_conn_close(conn);
    if (ask == NULL) {
        return;
    }
    if (was_connecting || (is_unsent && is_tls)) {
        backends_again(ask, BACKEND_UNREACHABLE);
    } else if (is_unsent && was_used) {
        ask->addresses_tried = 0;
        backends_again(ask, BACKEND_BROKEN);
    } else {
        backends_finish(ask, &(struct backend_answer){.outcome = outcome});
    }
}

/* ---- the answer ---- */

static void idle_on_timer(struct timer *timer, void *context)
{
    (void)context;
    backend_conn_close(CONTAINER_OF(timer, struct backend_conn, timer));
}

/* An endpoint that tells how long it keeps a connection closes it then: we are earlier. */
static uint64_t idle_ms(const struct http1_response *response)
{
    const uint64_t told_ms = (uint64_t)response->keep_alive_s * 1000;
    if (told_ms == 0 || told_ms > BACKEND_IDLE_MS) {
        return BACKEND_IDLE_MS;
    }
    return told_ms - told_ms / 5 - 1;
}

/* The answer is whole: the connection waits for the next request, or ends. */
static void complete(struct backend_conn *conn, bool may_be_kept)
{
    struct backend *backend = conn->backend;
    struct shard *shard = backend->backends->shard;
    struct backend_ask *ask = conn->ask;
    const struct backend_answer answer = {
        .outcome = BACKEND_ANSWERED,
        .status = conn->response.status,
        .body = span_of(conn->body_at, conn->body_len),
    };
    uint8_t *body = conn->body_at;
    const bool is_kept = may_be_kept && conn->response.keep_alive && conn->sent == ask->text_len &&
                         !http1_body_ends_with_connection(&conn->body);
    conn->body_at = NULL;
    forget_answer(conn);
    ask->conn = NULL;
    conn->ask = NULL;
    if (is_kept) {
        conn->state = BACKEND_CONN_IDLE;
        conn->was_used = true;
        list_prepend(&backend->idle, &conn->link);
        timer_set(shard->timers, &conn->timer, shard->now_ms + idle_ms(&conn->response),
                  idle_on_timer);
        backends_make_due(backend);
    } else {
        backend_conn_close(conn);
    }
    backends_finish(ask, &answer);
    free(body);
}

static bool body_append(struct backend_conn *conn, struct span data)
{
    const size_t needed = conn->body_len + data.len;
    if (needed > conn->body_room) {
        size_t room = conn->body_room == 0 ? (size_t)BODY_ROOM_MIN : conn->body_room * 2;
        while (room < needed) {
            room *= 2;
        }
        uint8_t *grown = realloc(conn->body_at, room);
        if (grown == NULL) {
            return false;
        }
        conn->body_at = grown;
        conn->body_room = room;
    }
    if (data.len > 0) {
        memcpy(conn->body_at + conn->body_len, data.at, data.len);
    }
    conn->body_len = needed;
    return true;
}

/* Takes the body's bytes, which lie in two places. False: the answer is over, and the connection is
 * idle or gone. */
static bool take_body(struct backend_conn *conn, struct span first, struct span second)
{
    struct span in = first;
    while (true) {
        struct span data;
        const enum http1_chunked_result result = http1_body_take(&conn->body, &in, &data);
        if (result == HTTP1_CHUNKED_NEED_MORE && !span_is_empty(second)) {
            in = second;
            second = SPAN_EMPTY;
        } else if (result == HTTP1_CHUNKED_NEED_MORE) {
            return true;
        } else if (result == HTTP1_CHUNKED_DONE) {
            /* More than an answer: nobody asked for it. */
            complete(conn, span_is_empty(in) && span_is_empty(second));
            return false;
        } else if (result != HTTP1_CHUNKED_DATA || !body_append(conn, data)) {
            fail(conn, BACKEND_BROKEN);
            return false;
        }
    }
}

/* The part of `in` that may belong to a head goes to the part that came before. */
static bool head_append(struct backend_conn *conn, struct span *in)
{
    const size_t room = HTTP1_HEAD_LEN_MAX - conn->head_len;
    const size_t len = in->len < room ? in->len : room;
    if (conn->head == NULL) {
        conn->head = malloc(HTTP1_HEAD_LEN_MAX);
    }
    if (conn->head == NULL) {
        return false;
    }
    if (len > 0) {
        memcpy(conn->head + conn->head_len, in->at, len);
    }
    conn->head_len += len;
    *in = span_skip(*in, len);
    return true;
}

/* Reads the head from what has come of it; interim ones are passed over. */
static enum http1_result read_head(struct backend_conn *conn, struct span *in)
{
    while (true) {
        const enum http1_result result = http1_parse_response(span_of(conn->head, conn->head_len),
                                                              &conn->scanned, &conn->response);
        if (result != HTTP1_DONE || conn->response.status >= 200) {
            return result;
        }
        if (++conn->interims > BACKEND_INTERIMS_MAX) {
            return HTTP1_HEAD_TOO_LONG;
        }
        const size_t rest = conn->head_len - conn->response.head_len;
        memmove(conn->head, conn->head + conn->response.head_len, rest);
        conn->head_len = rest;
        conn->scanned = 0;
        if (!head_append(conn, in)) {
            return HTTP1_HEAD_TOO_LONG;
        }
    }
}

/* As take_body. */
static bool take(struct backend_conn *conn, struct span in)
{
    if (conn->has_head) {
        return take_body(conn, in, SPAN_EMPTY);
    }
    const enum http1_result result =
        head_append(conn, &in) ? read_head(conn, &in) : HTTP1_HEAD_TOO_LONG;
    if (result == HTTP1_NEED_MORE) {
        return true;
    }
    if (result != HTTP1_DONE ||
        !http1_body_init(&conn->body, &conn->response, BACKEND_RESPONSE_LEN_MAX)) {
        fail(conn, BACKEND_BROKEN);
        return false;
    }
    conn->has_head = true;
    const size_t head_len = conn->response.head_len;
    return take_body(conn, span_of(conn->head + head_len, conn->head_len - head_len), in);
}

/* The other side has ended its stream, or is gone. */
static void on_end(struct backend_conn *conn, bool is_orderly)
{
    if (is_orderly && conn->has_head && http1_body_ends_with_connection(&conn->body)) {
        complete(conn, false);
    } else {
        fail(conn, BACKEND_BROKEN);
    }
}

/* Until the socket is empty. False: the connection is gone. */
static bool receive(struct backend_conn *conn)
{
    struct backends *backends = conn->backend->backends;
    uint8_t *buffer = backends->shard->receive_buffer;
    const uint32_t handle = conn->handle;
    while (true) {
        const ssize_t got =
            stream_receive(&conn->stream, backends->shard->poller, buffer, RECEIVE_BUFFER_SIZE);
        if (got == POLLER_AGAIN) {
            return true;
        }
        if (got <= 0 || conn->state == BACKEND_CONN_IDLE) {
            on_end(conn, got == 0);
            return false;
        }
        if (!take(conn, span_of(buffer, (size_t)got)) &&
            pool_get(backends->conns, handle) == NULL) {
            return false;
        }
        /* One that has become idle is read to the end: that it ended is told once. */
    }
}

/* ---- the request ---- */

static void send_request(struct backend_conn *conn)
{
    struct poller *poller = poller_of(conn);
    const struct backend_ask *ask = conn->ask;
    while (ask != NULL && conn->sent < ask->text_len) {
        const struct iovec slice = {ask->text + conn->sent, ask->text_len - conn->sent};
        const ssize_t sent = stream_send(&conn->stream, poller, &slice, 1);
        if (sent == POLLER_AGAIN) {
            return;
        }
        if (sent < 0) {
            fail(conn, BACKEND_BROKEN);
            return;
        }
        conn->sent += (size_t)sent;
    }
    if (stream_wants_room(&conn->stream) && stream_send(&conn->stream, poller, NULL, 0) < 0) {
        fail(conn, BACKEND_BROKEN);
    }
}

void backend_conn_use(struct backend_conn *conn, struct backend_ask *ask)
{
    list_remove(&conn->link);
    timer_stop(conn->backend->backends->shard->timers, &conn->timer);
    conn->state = BACKEND_CONN_BUSY;
    give(conn, ask);
    send_request(conn);
}

void backend_conn_on_event(struct backend_conn *conn)
{
    if (conn->state == BACKEND_CONN_CONNECTING) {
        const int outcome = poller_connected(poller_of(conn), conn->stream.socket);
        if (outcome == POLLER_AGAIN) {
            return;
        }
        if (outcome != 0) {
            fail(conn, BACKEND_UNREACHABLE);
            return;
        }
        conn->state = BACKEND_CONN_BUSY;
    }
    if (receive(conn)) {
        send_request(conn);
    }
}
