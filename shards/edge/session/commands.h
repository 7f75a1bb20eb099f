/* SPDX-License-Identifier: Apache-2.0 */
/* What a client may ask of its session: a function for each command, called by commands.c alone. */
#ifndef ROOST_SHARDS_EDGE_SESSION_COMMANDS_H
#define ROOST_SHARDS_EDGE_SESSION_COMMANDS_H

#include "shards/edge/session/permissions.h"
#include "shards/edge/backends/proxy.h"
#include "shards/edge/session/session.h"

/* What a handler decided: at most one of them is set; none, and it has answered or will. */
struct verdict {
    uint32_t error;      /* enum client_error */
    uint32_t disconnect; /* enum client_disconnect */
    bool waits;          /* It has to be tried again when the session is resumed. */
    bool is_told;        /* The client has been told, and may be gone. */
};

#define VERDICT_ERROR(name) ((struct verdict){.error = CLIENT_ERROR_##name})
#define VERDICT_DISCONNECT(name) ((struct verdict){.disconnect = CLIENT_DISCONNECT_##name})
#define VERDICT_DONE ((struct verdict){.error = 0})

/* What a backend's answer means where none but that counts: its error or its silence was told. */
static inline struct verdict verdict_of_proxy(enum proxy_step step)
{
    return (struct verdict){.waits = step == PROXY_WAITS, .is_told = step == PROXY_ENDED};
}

/* The client as the channel's permissions see it. */
struct permissions_client command_client_of(const struct edge *edge, const struct session *session,
                                            struct span channel);

/* PROTOCOL 9.1, in its order. */
struct verdict command_subscribe(struct edge *edge, struct session *session,
                                 const struct client_command *command, struct scratch *scratch);

/* PROTOCOL 9.5. It waits while the channel's subscribe is still under way. */
struct verdict command_unsubscribe(struct edge *edge, struct session *session,
                                   const struct client_command *command);

/* PROTOCOL 13. */
struct verdict command_publish(struct edge *edge, struct session *session,
                               const struct client_command *command);
/* The same for a key of a map: PROTOCOL 16.4. */
struct verdict command_publish_key(struct edge *edge, struct session *session,
                                   const struct client_command *command,
                                   const struct channel_options *options);
/* As the client's, whom the home's answer is told to. */
struct verdict command_send_publication(struct edge *edge, struct session *session,
                                        uint32_t command_id, const struct publish_request *request,
                                        bool skip_history);
struct verdict command_presence(struct edge *edge, struct session *session,
                                const struct client_command *command);
struct verdict command_history(struct edge *edge, struct session *session,
                               const struct client_command *command);

/* PROTOCOL 8. */
struct verdict command_refresh(struct edge *edge, struct session *session,
                               const struct client_command *command, struct scratch *scratch);
struct verdict command_sub_refresh(struct edge *edge, struct session *session,
                                   const struct client_command *command, struct scratch *scratch);

#endif
