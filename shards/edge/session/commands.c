/* SPDX-License-Identifier: Apache-2.0 */
/* A client's commands: which may come when (PROTOCOL 5), connect (6), and what has no file of its
 * own. */
#include <stdlib.h>

#include "shards/edge/session/auth.h"
#include "shards/edge/session/client_events.h"
#include "shards/edge/session/commands.h"
#include "shards/edge/session/rates.h"
#include "shards/edge/session/revoked.h"
#include "shards/edge/session/server_subs.h"
#include "shards/edge/stopwatch.h"
#include "shards/edge/transport/tally.h"
#include "shards/edge/session/users.h"

/* ---- connect ---- */

/* Registers the user's session with the directory. False: its ring is full, or what it is told of
 * the user's other sessions waits for it. */
static bool enter_directory(struct edge *edge, struct session *session)
{
    const struct message_user_add body = {.user = session->account->user->id};
    const uint32_t home = actors_home_of(edge->actors, session_user(session));
    buf_share(body.user, 1);
    if (edge_is_congested(edge, home) ||
        !message_send_user_add(edge->shard->mailbox, home, session->handle, &body)) {
        buf_release(body.user);
        return false;
    }
    session->awaits_directory = true;
    return true;
}

static struct verdict on_connect(struct edge *edge, struct session *session,
                                 const struct client_command *command, struct scratch *scratch)
{
    struct auth_result who;
    const enum proxy_step step = proxy_connect(edge, session, command, scratch, &who);
    if (step != PROXY_GRANTED) {
        return verdict_of_proxy(step);
    }
    if (who.disconnect != 0 || who.waits) {
        return (struct verdict){.disconnect = who.disconnect, .waits = who.waits};
    }
    if (who.error != 0) {
        session->state = SESSION_REFUSED;
        return (struct verdict){.error = who.error};
    }
    if (revoked_refuses_user(edge, who.user)) {
        return VERDICT_DISCONNECT(PERMISSION_DENIED);
    }
    if ((!span_equal(who.user, session_user(session)) && !users_set(edge, session, who.user)) ||
        !session_set_credentials(session, who.info, who.expire_at_s) ||
        !session_set_meta(session, who.meta) || !session_set_token(session, &who.token) ||
        !client_events_note(edge, session, &command->connect)) {
        return VERDICT_DISCONNECT(INTERNAL);
    }
    apps_put(edge->apps, session->app);
    session->app =
        apps_take(edge->apps, command->connect.name, command->connect.version) & APPS_MAX;
    const struct verdict verdict = {
        .disconnect = server_subs_begin(edge, session, &who, &command->connect, scratch)};
    if (verdict.disconnect != 0) {
        return verdict;
    }
    if (!span_is_empty(session_user(session)) && !enter_directory(edge, session)) {
        return VERDICT_DISCONNECT(TOO_MANY_REQUESTS);
    }
    const bool asks_first =
        edge->options->client.user_connection_limit > 0 || rates_limit_connect(edge);
    if ((session->awaits_directory && asks_first) || server_subs_wait(session)) {
        session->state = SESSION_JOINING;
        session->account->connect_id = command->id;
        return VERDICT_DONE;
    }
    session_on_connected(edge, session, command->id);
    return VERDICT_DONE;
}

/* ---- rpc ---- */

static struct verdict on_rpc(struct edge *edge, struct session *session,
                             const struct client_command *command)
{
    uint32_t error;
    const enum proxy_step step = proxy_rpc(edge, session, command, &error);
    return step == PROXY_GRANTED ? (struct verdict){.error = error} : verdict_of_proxy(step);
}

/* ---- dispatch ---- */

static void take_pong(struct edge *edge, struct session *session)
{
    session->owes_pong = false;
    const uint32_t taken_us = (uint32_t)(edge->shard->now_ns / 1000) - session->ping_sent_us;
    const uint64_t interval_ms = edge->options->client.ping_interval_ms;
    const uint64_t taken_ms = taken_us / 1000;
    session_set_ping_due(edge, session, taken_ms < interval_ms ? interval_ms - taken_ms : 0);
    const enum transport transport = connection_transport(session->conn);
    hist_record(edge->shard->stats->hists[HIST_PING_PONG + transport], (uint64_t)taken_us * 1000);
    session->ping_sent_us = taken_us == 0 ? 1 : taken_us;
}

static struct verdict on_pong(struct edge *edge, struct session *session)
{
    if (!session->owes_pong || session->has_frame_pings) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    take_pong(edge, session);
    return VERDICT_DONE;
}

/* One that nobody asked for is allowed (RFC 6455 section 5.5.3). */
void session_on_pong_frame(struct edge *edge, struct session *session)
{
    if (session->has_frame_pings && session->owes_pong) {
        tally_received(edge, connection_transport(session->conn), FRAME_CLIENT_PONG, 0);
        take_pong(edge, session);
    }
}

/* Is the command one that may come now at all (PROTOCOL 5, rules 1 to 7)? */
static bool may_come_now(const struct session *session, const struct client_command *command)
{
    if (command->method == CLIENT_METHOD_PING ||
        (command->method == CLIENT_METHOD_PONG && command->id != 0)) {
        return false;
    }
    if (command->id == 0 && command->method != CLIENT_METHOD_SEND &&
        command->method != CLIENT_METHOD_PONG) {
        return false;
    }
    return session->state == SESSION_NEW
               ? command->method == CLIENT_METHOD_CONNECT
               : session->state == SESSION_CONNECTED && command->method != CLIENT_METHOD_CONNECT;
}

static struct verdict on_command(struct edge *edge, struct session *session,
                                 const struct client_command *command, struct scratch *scratch)
{
    if (!may_come_now(session, command)) {
        return VERDICT_DISCONNECT(BAD_REQUEST);
    }
    const enum rates_step step = rates_judge(edge, session, command);
    if (step != RATES_ALLOWED) {
        return step == RATES_WAITS ? (struct verdict){.waits = true}
                                   : VERDICT_ERROR(TOO_MANY_REQUESTS);
    }
    switch (command->method) {
    case CLIENT_METHOD_PONG:
        return on_pong(edge, session);
    case CLIENT_METHOD_CONNECT:
        return on_connect(edge, session, command, scratch);
    case CLIENT_METHOD_SUBSCRIBE:
        return command_subscribe(edge, session, command, scratch);
    case CLIENT_METHOD_UNSUBSCRIBE:
        return command_unsubscribe(edge, session, command);
    case CLIENT_METHOD_PUBLISH:
        return command_publish(edge, session, command);
    case CLIENT_METHOD_PRESENCE:
    case CLIENT_METHOD_PRESENCE_STATS:
        return command_presence(edge, session, command);
    case CLIENT_METHOD_HISTORY:
        return command_history(edge, session, command);
    case CLIENT_METHOD_RPC:
        return on_rpc(edge, session, command);
    case CLIENT_METHOD_SEND:
        return VERDICT_DISCONNECT(NOT_AVAILABLE);
    case CLIENT_METHOD_REFRESH:
        return command_refresh(edge, session, command, scratch);
    case CLIENT_METHOD_SUB_REFRESH:
        return command_sub_refresh(edge, session, command, scratch);
    case CLIENT_METHOD_PING:
    case CLIENT_METHOD_COUNT:
        break;
    }
    return VERDICT_DISCONNECT(BAD_REQUEST);
}

bool session_scratch(struct edge *edge, enum client_protocol protocol, size_t len,
                     struct scratch *scratch)
{
    const size_t needed = JWT_SCRATCH_LEN(len) + client_protocol_scratch_len(protocol, len);
    if (needed > edge->decoded_size) {
        uint8_t *grown = realloc(edge->decoded, needed);
        if (grown == NULL) {
            return false;
        }
        edge->decoded = grown;
        edge->decoded_size = needed;
    }
    *scratch = scratch_of(edge->decoded, edge->decoded_size);
    return true;
}

bool session_on_command_decoded(struct edge *edge, struct session *session,
                                const struct client_command *command, size_t len,
                                struct scratch *scratch)
{
    const enum transport transport = connection_transport(session->conn);
    if (command->id != 0) {
        stopwatch_start(edge, session->conn->handle, command->id, command->method);
    }
    const struct verdict verdict = on_command(edge, session, command, scratch);
    if (verdict.waits) {
        rates_on_wait(session);
        return false;
    }
    tally_received(edge, transport, frame_type_of_method(command->method), len);
    if (verdict.disconnect != 0) {
        session_disconnect(edge, session, verdict.disconnect, SPAN_EMPTY);
    } else if (verdict.error != 0) {
        session_reply_error(edge, session, command->id, verdict.error);
    }
    return true;
}

bool session_on_message(struct edge *edge, struct session *session, struct span message)
{
    const enum client_protocol protocol = connection_protocol(session->conn);
    struct scratch scratch;
    if (!session_scratch(edge, protocol, message.len, &scratch)) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_INTERNAL, SPAN_EMPTY);
        return true;
    }
    struct client_command command;
    if (!client_protocol_decode_command(protocol, message, &scratch, &command)) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_BAD_REQUEST, SPAN_EMPTY);
        return true;
    }
    return session_on_command_decoded(edge, session, &command, message.len, &scratch);
}
