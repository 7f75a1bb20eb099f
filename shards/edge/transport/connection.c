/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's life: opened, read, written, given deadlines, closed. */
#include "shards/edge/transport/connection.h"

#include <stdlib.h>
#include <string.h>

#include "shards/edge/transport/fallback.h"
#include "shards/edge/transport/http.h"
#include "shards/edge/backends/proxy.h"
#include "shards/edge/session/session.h"

/* What one read asks for. Peers that only send a head or commands need not be given more. */
/* Fewer sends than this are not worth a batch. */
enum { SENDS_MIN = 4 };
enum { READ_HTTP = 16 * 1024, READ_SESSION = 64 * 1024 };

static bool is_open(const struct connection *conn)
{
    return conn->state == CONNECTION_ECHO || conn->state == CONNECTION_SESSION;
}

bool connection_is_authenticated(const struct connection *conn)
{
    return conn->state == CONNECTION_ECHO || conn->state == CONNECTION_HTTP_CALL ||
           (conn->state == CONNECTION_HTTP_BODY && conn->receive->body_kind == BODY_API) ||
           (conn->state == CONNECTION_SESSION && conn->session->state == SESSION_CONNECTED);
}

/* ---- deadlines ---- */

static void connection_on_timer(struct timer *timer, void *actor)
{
    struct edge *edge = ((struct actors *)actor)->edge;
    struct connection *conn = CONTAINER_OF(timer, struct connection, timer);
    const struct receive *receive = conn->receive;
    switch ((enum connection_state)conn->state) {
    case CONNECTION_HTTP_HEAD:
        /* A kept-alive connection may fall silent; a fresh one, or half a head, may not. */
        if (receive != NULL || (conn->flags & CONNECTION_KEEP_ALIVE) == 0) {
            actors_count(edge->actors, COUNTER_REFUSED_HEAD_TIMEOUT);
        }
        connection_close(edge, conn);
        break;
    case CONNECTION_HTTP_BODY:
        actors_count(edge->actors, COUNTER_REFUSED_BODY_TIMEOUT);
        http_respond_error(edge, conn, 408, "the body did not come in time");
        break;
    case CONNECTION_ECHO:
    case CONNECTION_SESSION:
        if (receive != NULL && receive->message_since_ms != 0 &&
            receive->message_since_ms + ASSEMBLY_MS_MAX <= edge->shard->now_ms) {
            actors_count(edge->actors, COUNTER_REFUSED_ASSEMBLY_TIMEOUT);
            connection_end_websocket(edge, conn, WEBSOCKET_CLOSE_PROTOCOL_ERROR,
                                     SPAN_LITERAL("message took too long"), false);
            break;
        }
        if (conn->state == CONNECTION_SESSION) {
            session_on_deadline(edge, conn->session);
        } else if ((conn->flags & CONNECTION_BLOCKED) != 0) {
            connection_close(edge, conn);
        }
        connection_schedule(edge, conn);
        break;
    case CONNECTION_CLOSING:
        connection_close(edge, conn);
        break;
    case CONNECTION_HTTP_CALL:
    case CONNECTION_CLOSED:
        break;
    }
}

void connection_schedule(struct edge *edge, struct connection *conn)
{
    if (!is_open(conn)) {
        return;
    }
    uint64_t due_ms = conn->state == CONNECTION_SESSION
                          ? session_next_deadline_ms(edge, conn->session)
                          : UINT64_MAX;
    if (conn->state == CONNECTION_ECHO && (conn->flags & CONNECTION_BLOCKED) != 0) {
        due_ms = edge->shard->now_ms + ECHO_STALL_MS_MAX;
    }
    if (conn->receive != NULL && conn->receive->message_since_ms != 0) {
        const uint64_t assembled_ms = conn->receive->message_since_ms + ASSEMBLY_MS_MAX;
        due_ms = assembled_ms < due_ms ? assembled_ms : due_ms;
    }
    if (due_ms == UINT64_MAX) {
        timer_stop(edge->shard->timers, &conn->timer);
    } else {
        timer_set(edge->shard->timers, &conn->timer, due_ms, connection_on_timer);
    }
}

void connection_enter(struct edge *edge, struct connection *conn, enum connection_state state,
                      uint64_t deadline_ms)
{
    const bool was_known = connection_is_authenticated(conn);
    conn->state = (uint8_t)state;
    if (was_known != connection_is_authenticated(conn)) {
        actors_gauge_add(edge->actors, COUNTER_NUM_UNAUTHENTICATED, was_known ? 1 : -1);
    }
    if (connection_is_authenticated(conn)) {
        receive_authenticated(edge, conn);
    }
    if (is_open(conn)) {
        connection_schedule(edge, conn);
    } else if (deadline_ms == 0) {
        timer_stop(edge->shard->timers, &conn->timer);
    } else {
        timer_set(edge->shard->timers, &conn->timer, edge->shard->now_ms + deadline_ms,
                  connection_on_timer);
    }
}

void connection_on_authenticated(struct edge *edge, struct connection *conn)
{
    actors_gauge_add(edge->actors, COUNTER_NUM_UNAUTHENTICATED, -1);
    receive_authenticated(edge, conn);
}

/* ---- life ---- */

void connection_make_ready(struct edge *edge, struct connection *conn)
{
    if (conn->state != CONNECTION_CLOSED && (conn->flags & CONNECTION_READY) == 0) {
        conn->flags |= CONNECTION_READY;
        edge->ready.items[edge->ready.len++] = conn;
    }
}

static bool connection_list_reserve(struct connection_list *list, uint32_t room)
{
    if (room <= list->room) {
        return true;
    }
    const uint32_t grown_room = room < 64 ? 64 : room * 2;
    /* Most of the room is never written to: copying what is used alone leaves it without pages. */
    struct connection **grown = malloc(grown_room * sizeof(struct connection *));
    if (grown == NULL) {
        return false;
    }
    if (list->len > 0) {
        memcpy(grown, list->items, list->len * sizeof(struct connection *));
    }
    free(list->items);
    list->items = grown;
    list->room = grown_room;
    return true;
}

struct connection *connection_open(struct edge *edge, int socket)
{
    struct poller *poller = edge->shard->poller;
    const uint32_t room = pool_count(edge->connections) + 1;
    uint32_t handle;
    struct connection *conn = NULL;
    /* While the ready ones are worked off each of them may become ready once more. */
    if (connection_list_reserve(&edge->ready, 2 * room) &&
        connection_list_reserve(&edge->closed, room)) {
        conn = pool_take(edge->connections, &handle);
    }
    if (conn == NULL) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        poller_close(poller, socket);
        return NULL;
    }
    conn->handle = handle;
    stream_open(&conn->stream, socket);
    if (!poller_watch(poller, socket, (uint64_t)EDGE_TOKEN_CONNECTION << 32 | handle)) {
        actors_count(edge->actors, COUNTER_REFUSED_DESCRIPTORS);
        poller_close(poller, socket);
        pool_put(edge->connections, handle);
        return NULL;
    }
    actors_gauge_add(edge->actors, COUNTER_NUM_CONNECTIONS, 1);
    actors_gauge_add(edge->actors, COUNTER_NUM_UNAUTHENTICATED, 1);
    connection_enter(edge, conn, CONNECTION_HTTP_HEAD, HEAD_MS_MAX);
    return conn;
}

void connection_close(struct edge *edge, struct connection *conn)
{
    if (conn->state == CONNECTION_CLOSED) {
        return;
    }
    if (!connection_is_authenticated(conn)) {
        actors_gauge_add(edge->actors, COUNTER_NUM_UNAUTHENTICATED, -1);
    }
    actors_gauge_add(edge->actors, COUNTER_NUM_CONNECTIONS, -1);
    struct session *session = conn->state == CONNECTION_SESSION ? conn->session : NULL;
    conn->session = NULL;
    conn->state = CONNECTION_CLOSED;
    timer_stop(edge->shard->timers, &conn->timer);
    stream_close(&conn->stream, edge->shard->poller);
    outq_clear(&conn->outq);
    edge->closed.items[edge->closed.len++] = conn;
    if (session != NULL) {
        session_close(edge, session);
    }
    if (transport_is_stream(connection_transport(conn))) {
        fallback_free(edge, conn);
    }
}

void connection_free(struct edge *edge, struct connection *conn)
{
    receive_free(edge, conn);
    pool_put(edge->connections, conn->handle);
}

void connection_begin_closing(struct edge *edge, struct connection *conn)
{
    if (conn->state == CONNECTION_CLOSED || conn->state == CONNECTION_CLOSING) {
        return;
    }
    struct session *session = conn->state == CONNECTION_SESSION ? conn->session : NULL;
    connection_enter(edge, conn, CONNECTION_CLOSING, CLOSE_MS_MAX);
    conn->session = NULL;
    conn->flags &= (uint16_t) ~(CONNECTION_PAUSED | CONNECTION_HELD_BACK);
    conn->flags |= CONNECTION_READABLE;
    receive_free(edge, conn);
    connection_make_ready(edge, conn);
    if (session != NULL) {
        session_close(edge, session);
    }
}

/* ---- input ---- */

/* Nothing is read until an answer has come, or output has gone. */
static bool connection_is_held(const struct connection *conn)
{
    return (conn->flags & CONNECTION_PAUSED) != 0 || conn->state == CONNECTION_HTTP_CALL;
}

static uint8_t *connection_take(struct edge *edge, struct connection *conn, uint8_t *at,
                                uint8_t *end)
{
    while (at < end && (conn->flags & CONNECTION_PAUSED) == 0) {
        uint8_t *before = at;
        const uint8_t state = conn->state;
        switch ((enum connection_state)state) {
        case CONNECTION_HTTP_HEAD:
            at = http_take_head(edge, conn, at, end);
            break;
        case CONNECTION_HTTP_BODY:
            at = http_take_body(edge, conn, at, end);
            break;
        case CONNECTION_ECHO:
        case CONNECTION_SESSION:
            if (transport_is_stream(connection_transport(conn))) {
                return end; /* There is nothing to be said here but the end. */
            }
            at = frames_take(edge, conn, at, end);
            break;
        case CONNECTION_CLOSING:
            if ((conn->flags & CONNECTION_CLOSE_SENT) != 0 &&
                (conn->flags & CONNECTION_FAILED) == 0) {
                at = frames_take(edge, conn, at, end);
                break;
            }
            return end;
        case CONNECTION_HTTP_CALL:
            return at;
        case CONNECTION_CLOSED:
            return end;
        }
        if (at == before && conn->state == state) {
            break;
        }
    }
    return at;
}

/* Takes what lies in the shard's receive buffer and keeps what cannot be taken yet. False: stop
 * reading. */
static bool connection_consume(struct edge *edge, struct connection *conn, size_t len)
{
    uint8_t *buffer = edge->shard->receive_buffer;
    const uint8_t *rest = connection_take(edge, conn, buffer, buffer + len);
    if (conn->state == CONNECTION_CLOSED) {
        return false;
    }
    const size_t left = (size_t)(buffer + len - rest);
    const bool stops = connection_is_held(conn);
    if (left > 0) {
        struct receive *receive = receive_of(edge, conn);
        if (receive == NULL || !receive_append(edge, conn, &receive->carry, rest, left)) {
            return false;
        }
        if (stops) {
            conn->flags |= CONNECTION_HELD_BACK;
        }
    }
    if (conn->receive != NULL) {
        receive_settle(edge, conn);
    }
    return !stops;
}

/* Moves what was carried over to the front of the shard's receive buffer. */
static size_t connection_bring_carry(struct edge *edge, struct connection *conn)
{
    struct receive *receive = conn->receive;
    const size_t len = receive->carry.len;
    if (len == 0) {
        return 0;
    }
    BUG_IF(len >= RECEIVE_BUFFER_SIZE);
    memcpy(edge->shard->receive_buffer, receive->carry.at, len);
    receive_clear(edge, conn, &receive->carry);
    conn->flags &= (uint16_t)~CONNECTION_HELD_BACK;
    return len;
}

static size_t connection_read_size(const struct connection *conn)
{
    switch ((enum connection_state)conn->state) {
    case CONNECTION_HTTP_HEAD:
        return READ_HTTP;
    case CONNECTION_SESSION:
        return READ_SESSION;
    default:
        return RECEIVE_BUFFER_SIZE / 2;
    }
}

static void connection_flush(struct edge *edge, struct connection *conn);

/* Goes on with what was held back; false: stop reading. */
static bool connection_continue(struct edge *edge, struct connection *conn)
{
    if (conn->state == CONNECTION_SESSION && conn->receive->commands.len > 0) {
        session_continue(edge, conn->session);
    }
    return (conn->flags & CONNECTION_HELD_BACK) == 0 || connection_is_held(conn) ||
           connection_consume(edge, conn, connection_bring_carry(edge, conn));
}

/* Reads the socket until it is empty, the connection pauses, or its share of the turn is used. */
static void connection_pump(struct edge *edge, struct connection *conn)
{
    conn->flags &= (uint16_t)~CONNECTION_READABLE;
    if (conn->receive != NULL && !connection_continue(edge, conn)) {
        conn->flags |= CONNECTION_READABLE;
        return;
    }
    for (uint32_t i = 0; i < TURN_RECEIVES_A_CONNECTION; i++) {
        if (conn->state == CONNECTION_CLOSED) {
            return;
        }
        if (connection_is_held(conn)) {
            conn->flags |= CONNECTION_READABLE;
            return;
        }
        const size_t carried = conn->receive == NULL ? 0 : connection_bring_carry(edge, conn);
        const size_t room = RECEIVE_BUFFER_SIZE - carried;
        const size_t wanted = connection_read_size(conn);
        const size_t asked = wanted < room ? wanted : room;
        const ssize_t got = stream_receive(&conn->stream, edge->shard->poller,
                                           edge->shard->receive_buffer + carried, asked);
        if (got == 0 || got == POLLER_GONE) {
            connection_close(edge, conn);
            return;
        }
        if (got > 0) {
            actors_count_many(edge->actors, COUNTER_BYTES_RECEIVED, (uint64_t)got);
        }
        const size_t len = carried + (got > 0 ? (size_t)got : 0);
        if (len > 0 && !connection_consume(edge, conn, len)) {
            conn->flags |= CONNECTION_READABLE;
            return;
        }
        if (got < 0 || ((size_t)got < asked && (conn->flags & CONNECTION_HANGUP) == 0)) {
            return;
        }
    }
    conn->flags |= CONNECTION_READABLE;
}

void connection_resume(struct edge *edge, struct connection *conn)
{
    conn->flags &= (uint16_t)~CONNECTION_PAUSED;
    conn->flags |= CONNECTION_READABLE;
    connection_make_ready(edge, conn);
}

void connection_on_event(struct edge *edge, struct connection *conn, uint32_t events)
{
    if (conn->state == CONNECTION_CLOSED) {
        return;
    }
    if ((events & POLLER_WRITABLE) != 0 && (conn->flags & CONNECTION_BLOCKED) != 0) {
        conn->flags &= (uint16_t)~CONNECTION_BLOCKED;
        connection_make_ready(edge, conn);
        connection_schedule(edge, conn);
    }
    if ((events & POLLER_HANGUP) != 0) {
        conn->flags |= CONNECTION_HANGUP;
        if (conn->state == CONNECTION_SESSION && proxy_holds(edge, conn->session)) {
            connection_close(edge, conn); /* Nobody is there to hear what the backend says. */
            return;
        }
    }
    if ((events & (POLLER_READABLE | POLLER_HANGUP)) != 0) {
        conn->flags |= CONNECTION_READABLE;
        if ((conn->flags & CONNECTION_PAUSED) == 0) {
            connection_pump(edge, conn);
        }
        if (conn->state == CONNECTION_ECHO && (conn->flags & CONNECTION_BLOCKED) == 0) {
            /* Nobody else adds to its output in this turn, which is still in the cache now. */
            connection_flush(edge, conn);
        }
        if ((conn->flags & CONNECTION_READABLE) != 0 || conn->state == CONNECTION_CLOSING) {
            connection_make_ready(edge, conn);
        }
    }
}

/* ---- output ---- */

/* All output has gone: what the state makes of it. */
static void connection_on_drained(struct edge *edge, struct connection *conn)
{
    if (conn->state != CONNECTION_CLOSING) {
        return;
    }
    if ((conn->flags & CONNECTION_CLOSE_RECEIVED) != 0) {
        connection_close(edge, conn);
        return;
    }
    /* An orderly peer answers our close frame; a failed one, or an HTTP client, sees our end and
     * goes. Closing at once would let a reset overtake what we sent. */
    const bool awaits_close =
        (conn->flags & CONNECTION_CLOSE_SENT) != 0 && (conn->flags & CONNECTION_FAILED) == 0;
    if (!awaits_close && (conn->flags & CONNECTION_SHUT_DOWN) == 0) {
        conn->flags |= CONNECTION_SHUT_DOWN;
        stream_shutdown_output(&conn->stream, edge->shard->poller);
    }
}

/* Echoes and HTTP responses are made no faster than the peer takes them. */
static bool connection_waits_for_output(const struct connection *conn)
{
    return (conn->flags & CONNECTION_PAUSED) != 0 &&
           (conn->state == CONNECTION_ECHO || conn->state == CONNECTION_HTTP_HEAD);
}

static uint32_t connection_low_water(const struct connection *conn)
{
    return conn->state == CONNECTION_ECHO ? ECHO_OUTPUT_BYTES_HIGH / 2 : 1;
}

/* False: the connection is closed. */
static bool connection_sent(struct edge *edge, struct connection *conn, uint64_t sent,
                            enum outq_result result)
{
    actors_count_many(edge->actors, COUNTER_BYTES_SENT, sent);
    if (result == OUTQ_GONE) {
        connection_close(edge, conn);
        return false;
    }
    if ((conn->flags & CONNECTION_REFRAMED) != 0) {
        fallback_count_output(edge, conn);
    }
    if (result == OUTQ_BLOCKED) {
        conn->flags |= CONNECTION_BLOCKED;
        connection_schedule(edge, conn);
    }
    return true;
}

static void connection_flush(struct edge *edge, struct connection *conn)
{
    if (!outq_is_empty(&conn->outq)) {
        uint64_t sent;
        const enum outq_result result =
            outq_flush(&conn->outq, &conn->stream, edge->shard->poller, &sent);
        if (!connection_sent(edge, conn, sent, result)) {
            return;
        }
    }
    if (connection_waits_for_output(conn) && conn->outq.bytes < connection_low_water(conn)) {
        connection_resume(edge, conn);
    }
    if (outq_is_empty(&conn->outq)) {
        connection_on_drained(edge, conn);
    }
}

/* What most have after a fan-out, one frame each, leaves in one system call. Nothing else happens
 * between the look at a queue and its send; what happens after it may close any of them. */
static void connection_send_many(struct edge *edge, struct connection *const *conns, uint32_t count)
{
    struct poller_send sends[TURN_SENDS];
    struct connection *senders[TURN_SENDS];
    uint32_t len = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct connection *conn = conns[i];
        if (conn->state != CONNECTION_CLOSED && (conn->flags & CONNECTION_BLOCKED) == 0 &&
            conn->stream.tls == NULL && outq_only_slice(&conn->outq, &sends[len].slice)) {
            sends[len].socket = conn->stream.socket;
            senders[len++] = conn;
        }
    }
    if (len < SENDS_MIN) {
        return;
    }
    poller_send_many(edge->shard->poller, sends, len);
    for (uint32_t i = 0; i < len; i++) {
        struct connection *conn = senders[i];
        if (conn->state != CONNECTION_CLOSED) {
            const ssize_t taken = sends[i].result;
            const enum outq_result result = outq_taken(&conn->outq, sends[i].slice.iov_len, taken);
            (void)connection_sent(edge, conn, taken > 0 ? (uint64_t)taken : 0, result);
        }
    }
}

void connection_on_turn_end(struct edge *edge, struct connection *const *conns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if ((conns[i]->flags & CONNECTION_READABLE) != 0 && !connection_is_held(conns[i])) {
            connection_pump(edge, conns[i]);
        }
    }
    if (count >= SENDS_MIN) {
        connection_send_many(edge, conns, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct connection *conn = conns[i];
        if (conn->state != CONNECTION_CLOSED && (conn->flags & CONNECTION_BLOCKED) == 0) {
            connection_flush(edge, conn);
        }
        if (conn->state != CONNECTION_CLOSED && (conn->flags & CONNECTION_READABLE) != 0 &&
            !connection_is_held(conn)) {
            connection_make_ready(edge, conn);
        }
    }
}
