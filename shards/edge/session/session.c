/* SPDX-License-Identifier: Apache-2.0 */
/* A session's life: opened, connected, kept alive, told, ended. What it is asked is in commands.c.
 */
#include "shards/edge/session/session.h"

#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "shards/edge/session/auth.h"
#include "shards/edge/session/client_events.h"
#include "shards/edge/transport/emulation.h"
#include "shards/edge/fanout/hub.h"
#include "shards/edge/maps/map_catch_ups.h"
#include "shards/edge/backends/proxy.h"
#include "shards/edge/session/rates.h"
#include "shards/edge/session/server_subs.h"
#include "shards/edge/stopwatch.h"
#include "shards/edge/transport/tally.h"
#include "shards/edge/transport/uni.h"
#include "shards/edge/session/users.h"

void session_set_due(struct edge *edge, struct session *session, uint64_t from_now_ms)
{
    session->ping_due_ms = (uint32_t)(edge->shard->now_ms + from_now_ms);
}

/* Pings of a shard are gathered: where each wakes the shard for itself, and its pong once more,
 * waking costs more than the work. Steps are so small beside the interval that no peer sees them.
 * Shards that share a core take turns. */
void session_set_ping_due(struct edge *edge, struct session *session, uint64_t from_now_ms)
{
    const uint64_t step_ms = edge->ping_step_ms;
    const uint64_t phase_ms = step_ms * edge->shard->id / edge->shard->count;
    const uint64_t early_ms = (edge->shard->now_ms + from_now_ms - phase_ms) & (step_ms - 1);
    session_set_due(edge, session, early_ms < from_now_ms ? from_now_ms - early_ms : from_now_ms);
}

/* Deadlines lie less than 2^31 ms from now, so their low bits tell them apart. */
static uint64_t session_due_ms(const struct edge *edge, const struct session *session)
{
    const int32_t left_ms = (int32_t)(session->ping_due_ms - (uint32_t)edge->shard->now_ms);
    return left_ms <= 0 ? edge->shard->now_ms : edge->shard->now_ms + (uint64_t)left_ms;
}

static void session_free(struct edge *edge, struct session *session);

bool session_open(struct edge *edge, struct connection *conn, struct span user_header)
{
    uint32_t handle;
    struct session *session = pool_take(edge->sessions, &handle);
    if (session == NULL) {
        return false;
    }
    session->handle = handle;
    session->conn = conn;
    actors_gauge_add(edge->actors, COUNTER_NUM_SESSIONS, 1);
    session_set_due(edge, session, edge->options->client.stale_close_delay_ms);
    client_id_draw(&edge->shard->random, session->client_id);
    if (!span_is_empty(user_header) && user_header.len <= USER_ID_LEN_MAX &&
        !users_set(edge, session, user_header)) {
        session_free(edge, session);
        return false;
    }
    conn->session = session;
    return true;
}

static void session_free(struct edge *edge, struct session *session)
{
    actors_gauge_add(edge->actors, COUNTER_NUM_SESSIONS, -1);
    users_unset(edge, session);
    session_free_account(session);
    apps_put(edge->apps, session->app);
    pool_put(edge->sessions, session->handle);
}

/* ---- directory ---- */

static void session_leave_directory(struct edge *edge, struct session *session)
{
    if (!session->is_in_directory || edge->is_ending) {
        return;
    }
    session->is_in_directory = false;
    users_remove(edge, session);
}

void session_on_user_added(struct edge *edge, const struct message *message)
{
    const struct message_user_added body = message_as_user_added(message);
    struct session *session = pool_get(edge->sessions, message->handle);
    if (session == NULL || !session->awaits_directory) {
        return;
    }
    session->awaits_directory = false;
    const bool was_asked = body.error != CLIENT_ERROR_TOO_MANY_REQUESTS;
    session->is_in_directory = body.error == 0 || !was_asked;
    if (session->is_in_directory) {
        users_on_added(edge, session, was_asked);
    }
    if (session->conn == NULL) {
        session_close(edge, session);
    } else if (session->state != SESSION_JOINING) {
        return; /* It has not waited. */
    } else if (!session->is_in_directory) {
        session_disconnect(edge, session, body.error, SPAN_EMPTY);
    } else if (!server_subs_wait(session)) {
        session_on_joined(edge, session);
    }
}

/* ---- life ---- */

void session_on_connected(struct edge *edge, struct session *session, uint32_t command_id)
{
    const struct client_options *options = &edge->options->client;
    if (!fallback_on_connected(edge, session->conn)) {
        connection_close(edge, session->conn);
        return;
    }
    session->state = SESSION_CONNECTED;
    if (session->account != NULL) {
        session->account->connected_ms = edge->shard->wall_ms;
    }
    const enum transport transport = connection_transport(session->conn);
    const struct transport_shape *shape = &transport_shapes[transport];
    const uint32_t client = apps_label(edge->apps, session->app);
    actors_count(edge->actors, COUNTER_OF(ACCEPTED, transport, client));
    actors_count_action(edge->actors, ACTION_ADD_CLIENT);
    actors_gauge_add(edge->actors, COUNTER_OF(INFLIGHT, transport, client), 1);
    actors_gauge_add(edge->actors, COUNTER_NUM_CLIENTS, 1);
    if (span_is_empty(session_user(session))) {
        actors_gauge_add(edge->actors, COUNTER_NUM_ANONYMOUS, 1);
    }
    connection_on_authenticated(edge, session->conn);
    client_events_connected(edge, session);
    if (options->ping_interval_ms > 0) {
        /* Spread over half an interval, so that a storm of connects does not ping as one. */
        const uint64_t half_ms = options->ping_interval_ms / 2;
        session_set_ping_due(edge, session,
                             half_ms + random_below(&edge->shard->random, half_ms + 1));
    }
    char id[CLIENT_ID_TEXT_LEN];
    char name[CLIENT_ID_TEXT_LEN];
    client_id_format(session->client_id, id);
    struct client_reply reply = {.id = command_id, .kind = CLIENT_REPLY_CONNECT};
    struct session_context *context = session_context_of(session);
    struct buf *data = context == NULL ? NULL : context->data;
    /* With a refresh proxy the client need not know that it expires. */
    const bool expires = session_expire_at_s(session) != 0 && edge->options->refresh_proxy == NULL;
    reply.connect = (struct client_connect_result){
        .client = span_of(id, sizeof(id)),
        .version = span_of_text(edge->options->version),
        .data = span_of_buf(data),
        .session = shape->is_emulated || shape->is_unidirectional ? session_name(session, name)
                                                                  : SPAN_EMPTY,
        .node = shape->is_emulated ? span_of_text(edge->actors->node->uid) : SPAN_EMPTY,
        .time_ms = options->connect_include_server_time ? edge->shard->wall_ms : 0,
        .expires = expires,
        .ttl_s = expires ? auth_ttl_s(edge, session_expire_at_s(session)) : 0,
    };
    if (!session->has_frame_pings || shape->is_unidirectional) {
        reply.connect.ping_s = (uint32_t)(options->ping_interval_ms / 1000);
        reply.connect.pong = options->ping_interval_ms > 0 && options->pong_timeout_ms > 0 &&
                             !shape->is_unidirectional;
    }
    if (shape->is_unidirectional) {
        const struct client_connect_result result = reply.connect;
        reply = (struct client_reply){.kind = CLIENT_REPLY_PUSH,
                                      .push = {.kind = CLIENT_PUSH_CONNECT, .connect = result}};
    }
    struct connection *conn = session->conn;
    if (context != NULL) {
        context->data = NULL;
    }
    server_subs_reply(edge, session, &reply);
    buf_release(data);
    if (conn->state == CONNECTION_SESSION) {
        connection_schedule(edge, conn);
        users_end_others(edge, session);
    }
}

void session_on_joined(struct edge *edge, struct session *session)
{
    struct connection *conn = session->conn;
    session_on_connected(edge, session, session->account->connect_id);
    if (conn->state == CONNECTION_SESSION) {
        connection_resume(edge, conn);
    }
}

struct span session_name(const struct session *session, char text[CLIENT_ID_TEXT_LEN])
{
    const enum transport transport = connection_transport(session->conn);
    const struct transport_shape *shape = &transport_shapes[transport];
    client_id_format(shape->is_emulated ? session->conn->fallback->key : session->client_id, text);
    return span_of(text, CLIENT_ID_TEXT_LEN);
}

/* Nobody is connected by it any more. */
static void session_count_end(struct edge *edge, struct session *session, enum transport transport)
{
    const uint32_t client = apps_label(edge->apps, session->app);
    session->state = SESSION_REFUSED;
    actors_gauge_add(edge->actors, COUNTER_NUM_CLIENTS, -1);
    actors_count_action(edge->actors, ACTION_REMOVE_CLIENT);
    actors_gauge_add(edge->actors, COUNTER_OF(INFLIGHT, transport, client), -1);
    if (span_is_empty(session_user(session))) {
        actors_gauge_add(edge->actors, COUNTER_NUM_ANONYMOUS, -1);
    }
}

void session_close(struct edge *edge, struct session *session)
{
    proxy_cancel(edge, session);
    client_events_disconnected(edge, session);
    const enum transport transport =
        session->conn == NULL ? TRANSPORT_WEBSOCKET : connection_transport(session->conn);
    if (transport_shapes[transport].is_emulated) {
        emulation_leave(edge, session);
    }
    if (session->state == SESSION_CONNECTED) {
        session_count_end(edge, session, transport);
    }
    session->conn = NULL;
    map_catch_ups_end(edge, session);
    struct subscription *subscription;
    while ((subscription = hub_first_of(edge, session)) != NULL) {
        hub_unsubscribe(edge, session, subscription);
    }
    if (session->awaits_directory && !edge->is_ending) {
        return; /* The directory may be about to register it: its answer ends the session. */
    }
    session_leave_directory(edge, session);
    session_free(edge, session);
}

void session_disconnect(struct edge *edge, struct session *session, uint32_t code,
                        struct span reason)
{
    const bool drops_output = code == CLIENT_DISCONNECT_SLOW;
    const struct span text = span_is_empty(reason) ? client_disconnect_reason(code) : reason;
    struct connection *conn = session->conn;
    client_events_set_end(session, code, text);
    if (transport_is_stream(connection_transport(conn))) {
        fallback_end(edge, conn, code, text, drops_output);
    } else if (session_is_unidirectional(session)) {
        uni_end_websocket(edge, session, code, text, drops_output);
    } else {
        connection_end_websocket(edge, conn, (uint16_t)code, text, drops_output);
    }
}

struct session *session_of_handle(struct edge *edge, uint32_t handle)
{
    const struct connection *conn = pool_get(edge->connections, handle);
    if (conn == NULL || conn->state != CONNECTION_SESSION) {
        actors_count(edge->actors, COUNTER_STALE_MESSAGES);
        return NULL;
    }
    return conn->session;
}

/* ---- replies ---- */

static void encode_json(struct writer *out, const void *what)
{
    client_protocol_encode_reply(CLIENT_JSON, out, what);
}

static void encode_protobuf(struct writer *out, const void *what)
{
    client_protocol_encode_reply(CLIENT_PROTOBUF, out, what);
}

static enum client_method method_of_reply(enum client_reply_kind kind)
{
    static const enum client_method methods[CLIENT_REPLY_COUNT] = {
        [CLIENT_REPLY_CONNECT] = CLIENT_METHOD_CONNECT,
        [CLIENT_REPLY_SUBSCRIBE] = CLIENT_METHOD_SUBSCRIBE,
        [CLIENT_REPLY_UNSUBSCRIBE] = CLIENT_METHOD_UNSUBSCRIBE,
        [CLIENT_REPLY_PUBLISH] = CLIENT_METHOD_PUBLISH,
        [CLIENT_REPLY_PRESENCE] = CLIENT_METHOD_PRESENCE,
        [CLIENT_REPLY_PRESENCE_STATS] = CLIENT_METHOD_PRESENCE_STATS,
        [CLIENT_REPLY_HISTORY] = CLIENT_METHOD_HISTORY,
        [CLIENT_REPLY_RPC] = CLIENT_METHOD_RPC,
        [CLIENT_REPLY_REFRESH] = CLIENT_METHOD_REFRESH,
        [CLIENT_REPLY_SUB_REFRESH] = CLIENT_METHOD_SUB_REFRESH,
    };
    return methods[kind];
}

static void count_error(struct edge *edge, enum client_method method, uint32_t code)
{
    actors_count(edge->actors, COUNTER_OF(REPLY_ERROR, method, label_of_error(code)));
}

/* What has been told, in so many bytes. */
static void count_reply(struct edge *edge, const struct connection *conn,
                        const struct client_reply *reply, size_t len)
{
    enum frame_type frame;
    if (reply->kind == CLIENT_REPLY_PUSH) {
        frame = frame_type_of_push(reply->push.kind);
        if (frame == FRAME_PUSH_CONNECT) {
            (void)stopwatch_stop(edge, conn->handle, UNI_CONNECT_ID);
        }
    } else {
        const enum client_method known = stopwatch_stop(edge, conn->handle, reply->id);
        const bool is_error = reply->kind == CLIENT_REPLY_ERROR;
        frame = frame_type_of_method(is_error ? known : method_of_reply(reply->kind));
        if (is_error) {
            count_error(edge, known, reply->error.code);
        }
    }
    tally_sent(edge, connection_transport(conn), frame, 1, len);
}

bool session_try_reply(struct edge *edge, struct session *session, const struct client_reply *reply)
{
    uint8_t *larger;
    const enum client_protocol protocol = connection_protocol(session->conn);
    const struct span bytes =
        edge_encode(edge, protocol == CLIENT_PROTOBUF ? encode_protobuf : encode_json, reply,
                    &larger);
    const bool fits =
        bytes.at != NULL &&
        connection_send_message(edge, session->conn, connection_opcode(protocol), bytes);
    free(larger);
    if (fits) {
        count_reply(edge, session->conn, reply, bytes.len);
    }
    return fits;
}

void session_reply(struct edge *edge, struct session *session, const struct client_reply *reply)
{
    if (!session_try_reply(edge, session, reply)) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_SLOW, SPAN_EMPTY);
    }
}

void session_reply_error(struct edge *edge, struct session *session, uint32_t id,
                         enum client_error error)
{
    const bool are_too_many = rates_count_error(edge, session, error);
    if (are_too_many || session_is_unidirectional(session)) {
        count_error(edge, stopwatch_stop(edge, session->conn->handle, id), error);
        if (are_too_many) {
            session_disconnect(edge, session, CLIENT_DISCONNECT_TOO_MANY_ERRORS, SPAN_EMPTY);
        } else {
            uni_refuse(edge, session, error, client_error_message(error));
        }
        return;
    }
    session_reply(edge, session,
                  &(struct client_reply){.id = id,
                                         .kind = CLIENT_REPLY_ERROR,
                                         .error = client_error_reply_of(error)});
}

/* ---- deadlines ---- */

/* A Unix time as this shard's monotonic time. */
static uint64_t due_at_unix_ms(const struct edge *edge, int64_t unix_ms)
{
    const int64_t left_ms = unix_ms - edge->shard->wall_ms;
    return left_ms <= 0 ? edge->shard->now_ms : edge->shard->now_ms + (uint64_t)left_ms;
}

/* How long after its expiry a subscription ends, or its backend is asked. */
static int64_t expiry_grace_ms(const struct edge *edge, const struct subscription *subscription)
{
    return subscription->channel->options->sub_refresh_proxy != NULL
               ? 0
               : (int64_t)edge->options->client.expired_sub_close_delay_ms;
}

static uint64_t expiry_due_ms(const struct edge *edge, const struct session *session)
{
    const struct client_options *options = &edge->options->client;
    uint64_t due_ms = UINT64_MAX;
    const int64_t expire_at_ms = session_expire_at_s(session) * 1000;
    if (expire_at_ms != 0 && edge->options->refresh_proxy == NULL) {
        due_ms = due_at_unix_ms(edge, expire_at_ms + (int64_t)options->expired_close_delay_ms);
    } else if (expire_at_ms != 0 && !proxy_is_refreshing(edge, session)) {
        due_ms = due_at_unix_ms(edge, expire_at_ms);
    }
    if (!session->has_expiring_subscriptions) {
        return due_ms;
    }
    const struct subscription *at = hub_first_of(edge, session);
    for (; at != NULL; at = hub_next_of(edge, at)) {
        const struct subscription_grant *grant = hub_grant_of(edge, at);
        if (grant != NULL && grant->expire_at_s != 0 && !grant->is_refreshing) {
            const uint64_t ends_ms =
                due_at_unix_ms(edge, grant->expire_at_s * 1000 + expiry_grace_ms(edge, at));
            due_ms = ends_ms < due_ms ? ends_ms : due_ms;
        }
    }
    return due_ms;
}

uint64_t session_next_deadline_ms(const struct edge *edge, const struct session *session)
{
    if (session->state != SESSION_CONNECTED) {
        return session_due_ms(edge, session);
    }
    const uint64_t expiry_ms = expiry_due_ms(edge, session);
    const uint64_t ping_ms =
        edge->options->client.ping_interval_ms == 0 ? UINT64_MAX : session_due_ms(edge, session);
    return expiry_ms < ping_ms ? expiry_ms : ping_ms;
}

static bool session_send_ping(struct edge *edge, const struct session *session)
{
    struct connection *conn = session->conn;
    const enum client_protocol protocol = connection_protocol(conn);
    if (connection_transport(conn) != TRANSPORT_WEBSOCKET) {
        /* The one tells the application, the other asks its end of a unidirectional WebSocket. */
        return connection_send_message(edge, conn, connection_opcode(protocol),
                                       client_protocol_ping(protocol)) &&
               (!session->has_frame_pings || connection_send_shared(edge, conn, edge->frame_ping));
    }
    return connection_send_shared(edge, conn,
                                  session->has_frame_pings ? edge->frame_ping
                                                           : edge->pings[protocol]);
}

static void session_ping(struct edge *edge, struct session *session)
{
    const struct client_options *options = &edge->options->client;
    tally_sent(edge, connection_transport(session->conn), FRAME_SERVER_PING, 1,
               session->has_frame_pings
                   ? 0
                   : client_protocol_ping(connection_protocol(session->conn)).len);
    if (!session_send_ping(edge, session)) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_SLOW, SPAN_EMPTY);
        return;
    }
    session->ping_sent_us = (uint32_t)(edge->shard->now_ns / 1000);
    session->owes_pong = options->pong_timeout_ms > 0 &&
                         (session->has_frame_pings || !session_is_unidirectional(session));
    if (session->owes_pong) {
        session_set_due(edge, session, options->pong_timeout_ms);
    } else {
        session->ping_sent_us = 0;
        session_set_ping_due(edge, session, options->ping_interval_ms);
    }
}

/* Ends the subscriptions whose grace is over. */
static void session_expire_subscriptions(struct edge *edge, struct session *session)
{
    struct connection *conn = session->conn;
    struct subscription *next;
    for (struct subscription *at = hub_first_of(edge, session); at != NULL; at = next) {
        next = hub_next_of(edge, at);
        const struct subscription_grant *grant = hub_grant_of(edge, at);
        if (at->state != SUBSCRIPTION_ACTIVE || grant == NULL || grant->expire_at_s == 0 ||
            grant->expire_at_s * 1000 + expiry_grace_ms(edge, at) > edge->shard->wall_ms) {
            continue;
        }
        if (at->channel->options->sub_refresh_proxy != NULL) {
            proxy_sub_refresh(edge, at);
        } else {
            hub_unsubscribe_push(edge, at, CLIENT_UNSUBSCRIBE_EXPIRED);
            if (conn->state != CONNECTION_SESSION) {
                return;
            }
        }
    }
}

/* One whose time may be over asks its backend, where there is one. False: it was. */
static bool session_go_on(struct edge *edge, struct session *session)
{
    const int64_t left_ms = session_expire_at_s(session) * 1000 - edge->shard->wall_ms;
    if (edge->options->refresh_proxy == NULL) {
        if (left_ms + (int64_t)edge->options->client.expired_close_delay_ms <= 0) {
            session_disconnect(edge, session, CLIENT_DISCONNECT_EXPIRED, SPAN_EMPTY);
            return false;
        }
    } else if (left_ms <= 0 && !proxy_is_refreshing(edge, session)) {
        proxy_refresh(edge, session);
    }
    return true;
}

void session_on_deadline(struct edge *edge, struct session *session)
{
    const struct client_options *options = &edge->options->client;
    const uint64_t now_ms = edge->shard->now_ms;
    struct connection *conn = session->conn;
    if (session->state != SESSION_CONNECTED) {
        if (now_ms >= session_due_ms(edge, session)) {
            session_disconnect(edge, session, CLIENT_DISCONNECT_STALE, SPAN_EMPTY);
        }
        return;
    }
    if (session_expire_at_s(session) != 0 && !session_go_on(edge, session)) {
        return;
    }
    if (session->has_expiring_subscriptions) {
        session_expire_subscriptions(edge, session);
        if (conn->state != CONNECTION_SESSION) {
            return;
        }
    }
    if (options->ping_interval_ms == 0 || now_ms < session_due_ms(edge, session)) {
        return;
    }
    if (session->owes_pong && proxy_holds(edge, session)) {
        /* The pong may have come: while a backend is asked, nothing is read. */
        session_set_due(edge, session, options->pong_timeout_ms);
    } else if (session->owes_pong) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_NO_PONG, SPAN_EMPTY);
    } else {
        session_ping(edge, session);
    }
}

/* ---- frames ---- */

/* What is left of a frame waits for the session to be resumed. */
void session_hold(struct edge *edge, struct connection *conn, struct span rest)
{
    conn->flags |= CONNECTION_PAUSED;
    struct receive *receive = span_is_empty(rest) ? NULL : receive_of(edge, conn);
    if (receive != NULL) {
        (void)!receive_append(edge, conn, &receive->commands, rest.at, rest.len);
    }
}

void session_on_frame(struct edge *edge, struct session *session, struct span frame)
{
    struct connection *conn = session->conn;
    struct span rest = frame;
    do {
        const struct span before = rest;
        struct span message;
        if (!client_protocol_next_message(connection_protocol(conn), &rest, &message)) {
            session_disconnect(edge, session, CLIENT_DISCONNECT_BAD_REQUEST, SPAN_EMPTY);
            return;
        }
        const bool is_done = session_on_message(edge, session, message);
        if (conn->state != CONNECTION_SESSION) {
            return;
        }
        if (!is_done) {
            session_hold(edge, conn, before);
            return;
        }
        if (session->state == SESSION_JOINING || session->in_flight >= COMMANDS_IN_FLIGHT_MAX) {
            session_hold(edge, conn, rest);
            return;
        }
    } while (!span_is_empty(rest));
}

void session_continue(struct edge *edge, struct session *session)
{
    struct connection *conn = session->conn;
    const struct bytes commands = receive_take(edge, conn, &conn->receive->commands);
    const struct span rest = span_of(commands.at, commands.len);
    if (session_is_unidirectional(session)) {
        uni_connect(edge, session, rest);
    } else {
        session_on_frame(edge, session, rest);
    }
    free(commands.at);
    receive_settle(edge, conn);
}

void session_on_answered(struct edge *edge, struct subscription *subscription)
{
    if (subscription->is_awaited) {
        subscription->is_awaited = false;
        connection_resume(edge, subscription->conn);
    }
}
