/* SPDX-License-Identifier: Apache-2.0 */
/* What a client is to the protocol on its connection: identity, subscriptions, liveness, and the
 * commands it sends. */
#ifndef ROOST_SHARDS_EDGE_SESSION_H
#define ROOST_SHARDS_EDGE_SESSION_H

#include "shards/edge/connection.h"
#include "shards/payloads.h"

struct hub_channel;
struct subscription;

enum session_state {
    SESSION_NEW,     /* No connect command yet. */
    SESSION_JOINING, /* Credentials are good; the directory is asked. Input waits. */
    SESSION_CONNECTED,
    SESSION_REFUSED, /* connect was answered with an error: nothing else is accepted. */
};

/* A user with sessions on this shard. */
struct local_user {
    struct list sessions;
    struct buf *id;
};

struct session {
    struct connection
        *conn; /* NULL: it went while the directory was asked, whose answer is awaited. */
    struct local_user *user; /* NULL: anonymous, or not connected. */
    struct list user_link;
    struct buf *identity;  /* Made when it is first needed. */
    struct buf *conn_info; /* NULL: none. */
    struct subscription *subscriptions;
    struct subscription *awaited; /* Input waits for this subscription's answer. */
    uint64_t ping_due_ms;         /* The next ping; or while a pong is owed, its deadline. */
    uint64_t ping_sent_ns;
    int64_t expire_at_s; /* Unix time; 0: never. */
    uint32_t subscription_count;
    uint32_t connect_id; /* Of the connect command, while JOINING. */
    uint32_t handle;
    uint8_t client_id[CLIENT_ID_LEN];
    uint8_t state;
    bool owes_pong;
    bool is_in_directory;  /* USER_REMOVE is owed when it ends. */
    bool awaits_directory; /* USER_ADDED decides whether it may connect. */
    bool has_expiring_subscriptions;
};

/* For a fresh WebSocket connection: makes its session. `user_header` is the trusted header's user,
 * or empty. */
MUST_CHECK bool session_open(struct edge *edge, struct connection *conn, struct span user_header);

/* The connection is gone: leaves every channel, tells homes and directory, frees the session. */
void session_close(struct edge *edge, struct session *session);

/* One WebSocket message: a frame of commands. May pause or end the connection. */
void session_on_frame(struct edge *edge, struct session *session, struct span frame);

/* Input goes on: the commands that waited in conn->receive->lines. */
void session_continue(struct edge *edge, struct session *session);

/* The earliest of the session's deadlines (ms, monotonic), and what to do when one has passed. */
uint64_t session_next_deadline_ms(const struct edge *edge, const struct session *session);
void session_on_deadline(struct edge *edge, struct session *session);

/* Ends the connection with a code of the protocol; empty reason: the code's own. */
void session_disconnect(struct edge *edge, struct session *session, uint32_t code,
                        struct span reason);

/* Encodes and queues; a full queue disconnects (3008). */
void session_reply(struct edge *edge, struct session *session, const struct client_reply *reply);
void session_reply_error(struct edge *edge, struct session *session, uint32_t id,
                         enum client_error error);

/* Answers of other shards. */
void session_on_user_added(struct edge *edge, const struct message *message);
void session_on_published(struct edge *edge, const struct message *message);
void session_on_presence(struct edge *edge, const struct message *message);
void session_on_command(struct edge *edge, const struct message *message);

/* Answers for the channel that `awaited` names are in: input goes on. */
void session_on_answered(struct edge *edge, struct session *session,
                         const struct subscription *subscription);

/* Decodes and carries out one line. False: it has to be tried again when the session is resumed. */
MUST_CHECK bool session_on_line(struct edge *edge, struct session *session, struct span line);

/* The connect command's credentials are good, and the directory (if it was asked) agrees. */
void session_on_connected(struct edge *edge, struct session *session, uint32_t command_id);

/* Gives the session its user; false: memory is out. */
MUST_CHECK bool session_set_user(struct edge *edge, struct session *session, struct span user);

/* The session of a connection's handle, or NULL (counted as stale). */
struct session *session_of_handle(struct edge *edge, uint32_t handle);

/* One count of the session's identity without chan_info; NULL: memory is out. */
MUST_CHECK struct buf *session_identity(struct session *session);

struct span session_user(const struct session *session);

#endif
