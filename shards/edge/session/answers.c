/* SPDX-License-Identifier: Apache-2.0 */
/* What homes answer to commands, told to the sessions that gave them. */
#include <stdlib.h>

#include "shards/edge/session/session.h"

struct session *session_of_answer(struct edge *edge, uint32_t handle)
{
    struct session *session = session_of_handle(edge, handle);
    if (session != NULL && session->in_flight-- == COMMANDS_IN_FLIGHT_MAX / 2 + 1 &&
        (session->conn->flags & CONNECTION_PAUSED) != 0) {
        connection_resume(edge, session->conn);
    }
    return session;
}

void session_on_published(struct edge *edge, const struct message *message)
{
    const struct message_published body = message_as_published(message);
    struct session *session = session_of_answer(edge, message->handle);
    if (session == NULL) {
        return;
    }
    if (body.error != 0) {
        session_reply_error(edge, session, body.cookie, body.error);
        return;
    }
    session_reply(edge, session,
                  &(struct client_reply){.id = body.cookie, .kind = CLIENT_REPLY_PUBLISH});
}

static void reply_presence(struct edge *edge, struct session *session,
                           const struct message_presence *body)
{
    const struct presence_snapshot *snapshot =
        body->snapshot == NULL ? NULL : presence_snapshot_of(body->snapshot);
    const uint32_t len = snapshot == NULL ? 0 : snapshot->len;
    struct client_info *clients = len == 0 ? NULL : calloc(len, sizeof(*clients));
    char(*ids)[CLIENT_ID_TEXT_LEN] = len == 0 ? NULL : calloc(len, sizeof(*ids));
    if (len > 0 && (clients == NULL || ids == NULL)) {
        session_reply_error(edge, session, body->cookie, CLIENT_ERROR_INTERNAL);
    } else {
        bool is_json = true;
        for (uint32_t i = 0; i < len; i++) {
            clients[i] = identity_info(snapshot->identities[i], ids[i]);
            is_json = is_json && identity_is_json(snapshot->identities[i]);
        }
        struct client_reply reply = {.id = body->cookie, .kind = CLIENT_REPLY_PRESENCE};
        reply.presence = (struct client_presence_result){.clients = clients, .client_count = len};
        if (is_json || connection_protocol(session->conn) == CLIENT_PROTOBUF) {
            session_reply(edge, session, &reply);
        } else {
            session_disconnect(edge, session, CLIENT_DISCONNECT_INAPPROPRIATE_PROTOCOL, SPAN_EMPTY);
        }
    }
    free(clients);
    free(ids);
}

void session_on_presence(struct edge *edge, const struct message *message)
{
    const struct message_presence body = message_as_presence(message);
    struct session *session = session_of_answer(edge, message->handle);
    if (session != NULL && body.error != 0) {
        session_reply_error(edge, session, body.cookie, body.error);
    } else if (session != NULL && body.stats_only != 0) {
        struct client_reply reply = {.id = body.cookie, .kind = CLIENT_REPLY_PRESENCE_STATS};
        reply.presence_stats = (struct client_presence_stats_result){.client_count = body.clients,
                                                                     .user_count = body.users};
        session_reply(edge, session, &reply);
    } else if (session != NULL) {
        reply_presence(edge, session, &body);
    }
    presence_snapshot_release(body.snapshot);
}
