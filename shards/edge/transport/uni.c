/* SPDX-License-Identifier: Apache-2.0 */
/* Unidirectional clients connect, and are told when they are not wanted. */
#include "shards/edge/transport/uni.h"

#include <stdlib.h>

#include "codec/client_json.h"
#include "shards/edge/transport/fallback.h"
#include "shards/edge/transport/http.h"
#include "shards/edge/transport/tally.h"
#include "shards/edge/transport/upgrade.h"

bool uni_check_request(struct span *request)
{
    if (span_is_empty(*request) || span_equal(*request, SPAN_LITERAL("null"))) {
        *request = SPAN_LITERAL("{}");
        return true;
    }
    uint8_t *room = malloc(request->len);
    if (room == NULL) {
        return false;
    }
    struct scratch scratch = scratch_of(room, request->len);
    struct client_connect_request connect;
    const bool is_good = client_json_decode_connect(*request, &scratch, &connect) == JSON_OK;
    free(room);
    return is_good;
}

void uni_connect(struct edge *edge, struct session *session, struct span request)
{
    struct scratch scratch;
    struct client_command command = {.id = UNI_CONNECT_ID, .method = CLIENT_METHOD_CONNECT};
    if (!session_scratch(edge, CLIENT_JSON, request.len, &scratch)) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_INTERNAL, SPAN_EMPTY);
    } else if (client_json_decode_connect(request, &scratch, &command.connect) != JSON_OK) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_BAD_REQUEST, SPAN_EMPTY);
    } else {
        struct connection *conn = session->conn;
        if (!session_on_command_decoded(edge, session, &command, request.len, &scratch)) {
            session_hold(edge, conn, request);
        }
    }
}

bool uni_read_query(struct edge *edge, struct connection *conn, struct span query,
                    struct uni_query *out)
{
    out->room = malloc(query.len + 1);
    if (out->room == NULL) {
        actors_count(edge->actors, COUNTER_REFUSED_MEMORY);
        connection_close(edge, conn);
        return false;
    }
    struct writer value = writer_of(out->room, query.len + 1);
    out->is_broken =
        http1_find_query(query, SPAN_LITERAL("cf_connect"), &value) == HTTP1_QUERY_BAD_ESCAPE;
    out->connect = writer_written(&value);
    return true;
}

void uni_upgrade(struct edge *edge, struct connection *conn, const struct http1_request *request)
{
    struct uni_query query;
    if (!uni_read_query(edge, conn, request->query, &query)) {
        return;
    }
    const bool is_asked = !span_is_empty(query.connect);
    if (query.is_broken || !uni_check_request(&query.connect)) {
        actors_count(edge->actors, COUNTER_REFUSED_BODY_INVALID);
        http_respond_error(edge, conn, 400, "cf_connect is no ConnectRequest");
    } else {
        upgrade_to_websocket(edge, conn, request, CONNECTION_SESSION, TRANSPORT_UNI_WEBSOCKET);
        if (conn->state == CONNECTION_SESSION && is_asked) {
            uni_connect(edge, conn->session, query.connect);
        }
    }
    free(query.room);
}

void uni_on_message(struct edge *edge, struct session *session, struct span message)
{
    if (session->state != SESSION_NEW) {
        return; /* Nothing more is asked of it. */
    }
    if (!uni_check_request(&message)) {
        session_disconnect(edge, session, CLIENT_DISCONNECT_BAD_REQUEST, SPAN_EMPTY);
        return;
    }
    uni_connect(edge, session, message);
}

static uint32_t disconnect_of(uint32_t error)
{
    switch ((enum client_error)error) {
    case CLIENT_ERROR_TOKEN_EXPIRED:
    case CLIENT_ERROR_EXPIRED:
        return CLIENT_DISCONNECT_EXPIRED;
    case CLIENT_ERROR_TOO_MANY_REQUESTS:
        return CLIENT_DISCONNECT_TOO_MANY_REQUESTS;
    case CLIENT_ERROR_PERMISSION_DENIED:
        return CLIENT_DISCONNECT_PERMISSION_DENIED;
    default:
        return CLIENT_DISCONNECT_INTERNAL;
    }
}

void uni_refuse(struct edge *edge, struct session *session, uint32_t error, struct span message)
{
    const struct client_options *options = &edge->options->client;
    if (fallback_refuse(edge, session->conn, error, message)) {
        return;
    }
    for (size_t i = 0; i < options->uni_disconnects_len; i++) {
        const struct uni_disconnect *other = &options->uni_disconnects[i];
        if (other->error == error) {
            session_disconnect(edge, session, other->code, span_of_text(other->reason));
            return;
        }
    }
    session_disconnect(edge, session, disconnect_of(error), SPAN_EMPTY);
}

struct span uni_disconnect_push(enum client_protocol protocol, uint32_t code, struct span reason,
                                uint8_t room[DISCONNECT_PUSH_LEN_MAX])
{
    struct writer out = writer_of(room, DISCONNECT_PUSH_LEN_MAX);
    const struct client_reply reply = {.kind = CLIENT_REPLY_PUSH,
                                       .push = {.kind = CLIENT_PUSH_DISCONNECT,
                                                .disconnect = {.code = code, .reason = reason}}};
    client_protocol_encode_reply(protocol, &out, &reply);
    if (writer_is_overflown(&out)) {
        /* A reason of nothing but escapes: the code says enough. */
        return uni_disconnect_push(protocol, code, SPAN_EMPTY, room);
    }
    return writer_written(&out);
}

void uni_end_websocket(struct edge *edge, struct session *session, uint32_t code,
                       struct span reason, bool drop)
{
    const struct node_options *options = edge->options;
    struct connection *conn = session->conn;
    uint8_t room[DISCONNECT_PUSH_LEN_MAX];
    if (!drop && !options->uni_websocket_disable_disconnect_push) {
        const struct span push = uni_disconnect_push(CLIENT_JSON, code, reason, room);
        tally_sent(edge, TRANSPORT_UNI_WEBSOCKET, FRAME_PUSH_DISCONNECT, 1, push.len);
        (void)!connection_send_message(edge, conn, WEBSOCKET_TEXT, push);
    }
    if (options->uni_websocket_disable_closing_handshake) {
        actors_count(edge->actors, counter_of_disconnect(code));
        connection_begin_closing(edge, conn);
    } else {
        connection_end_websocket(edge, conn, (uint16_t)code, reason, drop);
    }
}
