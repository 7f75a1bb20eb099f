/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that peers pin with what they have begun and not ended: bounded for each shard, and
 * more tightly for peers that have not authenticated and for HTTP streams, each for themselves. */
#include <stdlib.h>
#include <string.h>

#include "shards/edge/transport/connection.h"

static void receive_account(struct edge *edge, const struct receive *receive, int64_t change)
{
    edge->pinned_bytes += (uint64_t)change;
    actors_gauge_add(edge->actors, COUNTER_RECEIVE_PINNED_BYTES, change);
    if (receive->account == RECEIVE_UNAUTHENTICATED) {
        edge->pinned_unauthenticated_bytes += (uint64_t)change;
        actors_gauge_add(edge->actors, COUNTER_RECEIVE_PINNED_UNAUTHENTICATED_BYTES, change);
    } else if (receive->account == RECEIVE_FALLBACK) {
        edge->pinned_fallback_bytes += (uint64_t)change;
        actors_gauge_add(edge->actors, COUNTER_RECEIVE_PINNED_FALLBACK_BYTES, change);
    }
}

static bool receive_may_grow(const struct edge *edge, const struct receive *receive, size_t by)
{
    if (edge->pinned_bytes + by > PINNED_MAX) {
        return false;
    }
    switch ((enum receive_account)receive->account) {
    case RECEIVE_UNAUTHENTICATED:
        return edge->pinned_unauthenticated_bytes + by <= PINNED_UNAUTHENTICATED_MAX;
    case RECEIVE_FALLBACK:
        return edge->pinned_fallback_bytes + by <= PINNED_FALLBACK_MAX;
    case RECEIVE_AUTHENTICATED:
        break;
    }
    return true;
}

static enum receive_account receive_account_of(const struct connection *conn)
{
    if (transport_is_stream(connection_transport(conn))) {
        return RECEIVE_FALLBACK;
    }
    return connection_is_authenticated(conn) ? RECEIVE_AUTHENTICATED : RECEIVE_UNAUTHENTICATED;
}

static bool receive_refuse(struct edge *edge, struct connection *conn, enum counter reason)
{
    actors_count(edge->actors, reason);
    connection_close(edge, conn);
    return false;
}

struct receive *receive_of(struct edge *edge, struct connection *conn)
{
    if (conn->receive != NULL) {
        return conn->receive;
    }
    struct receive *receive = calloc(1, sizeof(*receive));
    if (receive == NULL) {
        (void)receive_refuse(edge, conn, COUNTER_REFUSED_MEMORY);
        return NULL;
    }
    receive->account = (uint8_t)receive_account_of(conn);
    if (!receive_may_grow(edge, receive, sizeof(*receive))) {
        free(receive);
        (void)receive_refuse(edge, conn, COUNTER_REFUSED_PINNED);
        return NULL;
    }
    receive_account(edge, receive, (int64_t)sizeof(*receive));
    conn->receive = receive;
    return receive;
}

bool receive_append(struct edge *edge, struct connection *conn, struct bytes *bytes, const void *at,
                    size_t len)
{
    if (len == 0) {
        return true;
    }
    const size_t needed = bytes->len + len;
    if (needed > bytes->room) {
        /* Doubling keeps the copying linear; small carries stay small. */
        size_t room = bytes->room == 0 ? 64 : (size_t)bytes->room * 2;
        while (room < needed) {
            room *= 2;
        }
        if (room > UINT32_MAX / 2 || !receive_may_grow(edge, conn->receive, room - bytes->room)) {
            return receive_refuse(edge, conn, COUNTER_REFUSED_PINNED);
        }
        uint8_t *grown = realloc(bytes->at, room);
        if (grown == NULL) {
            return receive_refuse(edge, conn, COUNTER_REFUSED_MEMORY);
        }
        receive_account(edge, conn->receive, (int64_t)(room - bytes->room));
        bytes->at = grown;
        bytes->room = (uint32_t)room;
    }
    memcpy(bytes->at + bytes->len, at, len);
    bytes->len = (uint32_t)needed;
    return true;
}

void receive_clear(struct edge *edge, struct connection *conn, struct bytes *bytes)
{
    receive_account(edge, conn->receive, -(int64_t)bytes->room);
    free(bytes->at);
    *bytes = (struct bytes){0};
}

struct bytes receive_take(struct edge *edge, struct connection *conn, struct bytes *bytes)
{
    const struct bytes taken = *bytes;
    receive_account(edge, conn->receive, -(int64_t)taken.room);
    *bytes = (struct bytes){0};
    return taken;
}

void receive_free(struct edge *edge, struct connection *conn)
{
    struct receive *receive = conn->receive;
    if (receive == NULL) {
        return;
    }
    receive_clear(edge, conn, &receive->carry);
    receive_clear(edge, conn, &receive->message);
    receive_clear(edge, conn, &receive->commands);
    receive_clear(edge, conn, &receive->head);
    receive_account(edge, receive, -(int64_t)sizeof(*receive));
    free(receive);
    conn->receive = NULL;
}

void receive_settle(struct edge *edge, struct connection *conn)
{
    const struct receive *receive = conn->receive;
    if (receive != NULL && receive->carry.len == 0 && receive->commands.len == 0 &&
        receive->head.len == 0 && receive->message_since_ms == 0 &&
        conn->state != CONNECTION_HTTP_BODY) {
        receive_free(edge, conn);
    }
}

void receive_move(struct edge *edge, struct connection *conn, enum receive_account account)
{
    struct receive *receive = conn->receive;
    if (receive == NULL) {
        return;
    }
    const int64_t pinned = (int64_t)sizeof(*receive) + receive->carry.room + receive->message.room +
                           receive->commands.room + receive->head.room;
    receive_account(edge, receive, -pinned);
    receive->account = (uint8_t)account;
    receive_account(edge, receive, pinned);
}

void receive_authenticated(struct edge *edge, struct connection *conn)
{
    if (conn->receive != NULL && conn->receive->account == RECEIVE_UNAUTHENTICATED) {
        receive_move(edge, conn, RECEIVE_AUTHENTICATED);
    }
}
