/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of emulation on their way: decoded, passed on, delivered, answered. */
#include "shards/edge/transport/emulation.h"

#include <stdlib.h>
#include <string.h>

#include "shards/edge/transport/admission.h"
#include "shards/edge/session/session.h"

/* ---- names ---- */

bool emulation_enter(struct edge *edge, struct session *session)
{
    struct fallback *fallback = session->conn->fallback;
    static_assert(SHARDS_MAX <= 256, "a shard is one byte of a name");
    static_assert((int)EMULATION_NAME_LEN == (int)CLIENT_ID_LEN, "it is laid out as a client's id");
    client_id_draw(&edge->shard->random, fallback->key);
    fallback->key[0] = (uint8_t)edge->shard->id;
    fallback->is_named = map_insert(edge->emulated, fallback);
    return fallback->is_named;
}

void emulation_leave(struct edge *edge, struct session *session)
{
    struct fallback *fallback = session->conn->fallback;
    if (fallback != NULL && fallback->is_named) {
        map_remove(edge->emulated, fallback);
        fallback->is_named = false;
    }
}

/* ---- delivering ---- */

/* Requests come on connections of their own, so nothing slows them down by itself. */
static bool comes_too_often(const struct edge *edge, struct fallback *fallback)
{
    if (edge->shard->now_ms - fallback->requests_since_ms >= 1000) {
        fallback->requests_since_ms = edge->shard->now_ms;
        fallback->requests = 0;
    }
    return ++fallback->requests > EMULATION_REQUESTS_A_SECOND;
}

/* Behind commands that wait already. Frames of JSON are put together with a newline. */
static bool hold(struct edge *edge, struct connection *conn, struct span frame)
{
    struct receive *receive = receive_of(edge, conn);
    if (receive == NULL) {
        return true; /* And the connection is closed. */
    }
    struct bytes *commands = &receive->commands;
    if (commands->len + frame.len >= EMULATION_QUEUE_BYTES_MAX) {
        return false;
    }
    if (connection_protocol(conn) == CLIENT_JSON && commands->len > 0 &&
        commands->at[commands->len - 1] != '\n' && !receive_append(edge, conn, commands, "\n", 1)) {
        return true;
    }
    (void)!receive_append(edge, conn, commands, frame.at, frame.len);
    return true;
}

/* To the session of that name, if there is one here; a client that is gone needs no answer. */
static void deliver(struct edge *edge, const uint8_t name[EMULATION_NAME_LEN], struct span frame)
{
    struct fallback *fallback = map_find(edge->emulated, name, EMULATION_NAME_LEN);
    if (fallback == NULL) {
        actors_count(edge->actors, COUNTER_EMULATION_NO_SESSION);
        return;
    }
    struct session *session = fallback->session;
    struct connection *conn = session->conn;
    const bool waits = (conn->flags & CONNECTION_PAUSED) != 0 ||
                       (conn->receive != NULL && conn->receive->commands.len > 0);
    if (comes_too_often(edge, fallback) ||
        (waits && !span_is_empty(frame) && !hold(edge, conn, frame))) {
        actors_count(edge->actors, COUNTER_EMULATION_REFUSED);
        session_disconnect(edge, session, CLIENT_DISCONNECT_TOO_MANY_REQUESTS, SPAN_EMPTY);
        return;
    }
    actors_count(edge->actors, COUNTER_EMULATION_DELIVERED);
    if (!waits || span_is_empty(frame)) {
        session_on_frame(edge, session, frame);
        receive_settle(edge, conn);
    }
}

void emulation_on_emulate(struct edge *edge, const struct message *message)
{
    const struct message_emulate body = message_as_emulate(message);
    const struct message_emulated answer = {0};
    const struct span frame =
        body.frame == NULL ? SPAN_EMPTY : span_of(body.frame->bytes, body.frame->len);
    deliver(edge, body.session, frame);
    buf_release(body.frame);
    OUTBOX_SEND(edge->actors->outbox, message->from, emulated, message->handle, &answer);
}

/* ---- answers ---- */

static void respond(struct edge *edge, struct connection *conn, unsigned status, const char *text)
{
    struct http1_request request;
    struct bytes head;
    uint8_t room[CORS_LEN_MAX];
    http_take_kept_head(edge, conn, &head, &request);
    http_respond(edge, conn,
                 &(struct http_response){.status = status,
                                         .content_type =
                                             status == 204 ? NULL : "text/plain; charset=utf-8",
                                         .headers = admission_cors(edge, &request, room),
                                         .body = span_of_text(text)});
    free(head.at);
}

static void respond_error(struct edge *edge, struct connection *conn, uint32_t error)
{
    if (error == 0) {
        respond(edge, conn, 204, "");
    } else if (error == CLIENT_ERROR_NOT_AVAILABLE) {
        actors_count(edge->actors, COUNTER_EMULATION_NO_NODE);
        respond(edge, conn, 404, "there is no such node");
    } else {
        actors_count(edge->actors, COUNTER_EMULATION_REFUSED);
        respond(edge, conn, 503, "the session cannot be reached now");
    }
}

void emulation_on_emulated(struct edge *edge, const struct message *message)
{
    struct connection *conn = pool_get(edge->connections, message->handle);
    if (conn == NULL || conn->state != CONNECTION_HTTP_CALL || conn->call != POOL_HANDLE_NONE) {
        actors_count(edge->actors, COUNTER_STALE_MESSAGES);
        return;
    }
    respond_error(edge, conn, message_as_emulated(message).error);
}

/* ---- requests ---- */

void emulation_begin(struct edge *edge, struct connection *conn,
                     const struct http1_request *request)
{
    const uint32_t limit = edge->options->emulation.max_request_body_size;
    struct span type;
    if (request->method == HTTP1_OPTIONS) {
        http_respond_preflight(edge, conn, request);
        return;
    }
    if (request->method != HTTP1_POST) {
        http_respond_method_not_allowed(edge, conn, "POST, OPTIONS");
        return;
    }
    if (request->content_length > limit) {
        actors_count(edge->actors, COUNTER_REFUSED_BODY_INVALID);
        http_respond_error(edge, conn, 413,
                           "the body is larger than emulation.max_request_body_size");
        return;
    }
    const bool is_protobuf = http1_find_header(request, "Content-Type", &type) &&
                             span_equal_ignore_case(type, SPAN_LITERAL("application/octet-stream"));
    http_begin_body(edge, conn, request,
                    &(struct http_body){.kind = BODY_EMULATION,
                                        .detail = is_protobuf ? CLIENT_PROTOBUF : CLIENT_JSON,
                                        .len_max = limit});
}

/* To the shard that the session's name tells, of whichever node it is. 0: it is answered, or will
 * be. */
static uint32_t pass_on(struct edge *edge, struct connection *conn,
                        const struct message_emulate *request, struct span frame)
{
    const struct gossip_uid self = node_uid(edge->actors->node);
    const bool is_here = memcmp(request->node, self.bytes, sizeof(self.bytes)) == 0;
    if (!is_here && !edge->options->cluster.enabled) {
        return CLIENT_ERROR_NOT_AVAILABLE;
    }
    const uint32_t shards = edge->actors->node->shards;
    const uint32_t target = is_here ? request->session[0] : shards;
    if (target > shards || (is_here && target == shards)) {
        actors_count(edge->actors, COUNTER_EMULATION_NO_SESSION);
        respond(edge, conn, 204, "");
        return 0;
    }
    struct message_emulate body = *request;
    if (!span_is_empty(frame)) {
        body.frame = buf_copy(frame.at, frame.len);
    }
    if ((body.frame == NULL && !span_is_empty(frame)) ||
        !message_send_emulate(edge->shard->mailbox, target, conn->handle, &body)) {
        buf_release(body.frame);
        return CLIENT_ERROR_TOO_MANY_REQUESTS;
    }
    return 0;
}

void emulation_on_body(struct edge *edge, struct connection *conn, enum client_protocol protocol,
                       struct span body)
{
    conn->call = POOL_HANDLE_NONE;
    connection_enter(edge, conn, CONNECTION_HTTP_CALL, 0);
    const size_t room_len = body.len + 1;
    uint8_t *room = malloc(room_len);
    struct scratch scratch = scratch_of(room, room == NULL ? 0 : room_len);
    struct client_emulation_request request;
    struct message_emulate emulate = {0};
    if (room == NULL) {
        respond_error(edge, conn, CLIENT_ERROR_INTERNAL);
        return;
    }
    if (!client_protocol_decode_emulation(protocol, body, &scratch, &request)) {
        actors_count(edge->actors, COUNTER_REFUSED_BODY_INVALID);
        respond(edge, conn, 400, "the body is no EmulationRequest");
    } else if (!client_id_parse(request.node, emulate.node)) {
        respond_error(edge, conn, CLIENT_ERROR_NOT_AVAILABLE);
    } else if (!client_id_parse(request.session, emulate.session)) {
        actors_count(edge->actors, COUNTER_EMULATION_NO_SESSION);
        respond_error(edge, conn, 0);
    } else {
        const uint32_t error = pass_on(edge, conn, &emulate, request.data);
        if (error != 0) {
            respond_error(edge, conn, error);
        }
    }
    free(room);
}
