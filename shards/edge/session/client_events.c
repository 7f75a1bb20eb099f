/* SPDX-License-Identifier: Apache-2.0 */
/* Events of clients, and what of a client has to be known when it has gone. */
#include "shards/edge/session/client_events.h"

#include <stdlib.h>

#include "shards/edge/transport/transports.h"
#include "shards/edge/backends/webhooks.h"

struct client_story {
    struct buf *name;    /* Of the application, or NULL, */
    struct buf *version; /* and so this. */
    struct buf *reason;
    int64_t connected_ms; /* 0: nobody was told of it. */
    uint32_t code;        /* 0: its connection just ended. */
};

void client_story_free(struct client_story *story)
{
    if (story != NULL) {
        buf_release(story->name);
        buf_release(story->version);
        buf_release(story->reason);
        free(story);
    }
}

bool client_events_note(struct edge *edge, struct session *session,
                        const struct client_connect_request *connect)
{
    const struct webhooks *webhooks = edge->actors->webhooks;
    if (webhooks == NULL || webhooks_target_of_clients(webhooks) == WEBHOOK_TARGET_NONE) {
        return true;
    }
    struct session_context *context = session_make_context(session);
    if (context != NULL && context->story == NULL) {
        context->story = calloc(1, sizeof(*context->story));
    }
    return context != NULL && context->story != NULL &&
           session_replace_buf(&context->story->name, connect->name) &&
           session_replace_buf(&context->story->version, connect->version);
}

static struct client_story *story_of(const struct session *session)
{
    const struct session_context *context = session_context_of(session);
    return context == NULL ? NULL : context->story;
}

static void tell(struct edge *edge, const struct session *session, struct webhook_event *event)
{
    struct webhooks *webhooks = edge->actors->webhooks;
    const uint32_t target = webhooks_target_of_clients(webhooks);
    const struct client_story *story = story_of(session);
    const struct session_context *context = session_context_of(session);
    char id[CLIENT_ID_TEXT_LEN];
    client_id_format(session->client_id, id);
    event->time_ms = edge->shard->wall_ms;
    event->client = span_of(id, sizeof(id));
    event->user = session_user(session);
    event->transport = span_of_text(transport_name(connection_transport(session->conn)));
    event->protocol = connection_protocol(session->conn) == CLIENT_PROTOBUF
                          ? SPAN_LITERAL("protobuf")
                          : SPAN_LITERAL("json");
    event->name = span_of_buf(story->name);
    event->version = span_of_buf(story->version);
    if (context != NULL && webhooks_includes_meta(webhooks, target)) {
        event->meta = span_of_buf(context->meta);
    }
    webhooks_tell(webhooks, target, event);
}

void client_events_connected(struct edge *edge, struct session *session)
{
    struct client_story *story = story_of(session);
    if (story != NULL) {
        story->connected_ms = edge->shard->wall_ms;
        tell(edge, session, &(struct webhook_event){.type = WEBHOOK_CONNECTED});
    }
}

void client_events_set_end(struct session *session, uint32_t code, struct span reason)
{
    struct client_story *story = story_of(session);
    if (story != NULL && story->code == 0) {
        story->code = code;
        (void)!session_replace_buf(&story->reason, reason); /* The code says most of it. */
    }
}

void client_events_disconnected(struct edge *edge, struct session *session)
{
    struct client_story *story = story_of(session);
    if (story == NULL || story->connected_ms == 0 || session->conn == NULL || edge->is_ending) {
        return;
    }
    client_events_set_end(session, CLIENT_DISCONNECT_CONNECTION_CLOSED,
                          client_disconnect_reason(CLIENT_DISCONNECT_CONNECTION_CLOSED));
    tell(edge, session,
         &(struct webhook_event){.type = WEBHOOK_DISCONNECTED,
                                 .connected_ms = story->connected_ms,
                                 .code = story->code,
                                 .reason = span_of_buf(story->reason)});
}
