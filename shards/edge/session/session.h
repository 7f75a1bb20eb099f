/* SPDX-License-Identifier: Apache-2.0 */
/* What a client is to the protocol on its connection: identity, subscriptions, liveness, and the
 * commands it sends. */
#ifndef ROOST_SHARDS_EDGE_SESSION_SESSION_H
#define ROOST_SHARDS_EDGE_SESSION_SESSION_H

#include "shards/edge/session/apps.h"
#include "shards/edge/transport/connection.h"
#include "shards/payloads.h"
#include "shards/revocations.h"

struct client_story;
struct hub_channel;
struct server_subs;
struct subscription;

enum session_state {
    SESSION_NEW,     /* No connect command yet. */
    SESSION_JOINING, /* Credentials are good; the directory is asked. Input waits. */
    SESSION_CONNECTED,
    SESSION_REFUSED, /* connect was answered with an error: nothing else is accepted. */
};

/* A user with sessions on this shard. */
struct local_user {
    struct list accounts;
    struct buf *id;
    struct list link;   /* In one of the edge's lists of users. */
    uint64_t directory; /* The tenure of the directory that was told of it, */
    uint64_t told_ms;   /* and when it last was. */
    uint32_t sessions;  /* That the directory has registered. */
    bool moved;         /* It has had more than one directory. */
};

/* What backends say of a session, or are told, and of a token what most do not have. */
struct session_context {
    struct buf *headers;          /* Whole lines of the handshake; NULL: none. As the others. */
    struct buf *emulated_headers; /* The same of the connect command. */
    struct buf *meta;             /* JSON */
    struct buf *data;             /* Of the connect reply, until that is sent. */
    struct buf *token_uid;        /* Its token's id. */
    struct client_story *story;   /* For client_events.c; NULL: nobody is told of it. */
};

/* What only some sessions have; an anonymous one that never shows itself to others has none. */
struct session_account {
    struct session *session;
    struct local_user *user; /* NULL: anonymous. */
    struct list user_link;
    struct buf *conn_info;           /* NULL: none. */
    struct buf *identity;            /* Made when it is first needed. */
    struct session_context *context; /* NULL: none. */
    struct server_subs *server_subs; /* Until the connect command is answered; NULL: none. */
    int64_t expire_at_s;             /* Unix time; 0: never. */
    int64_t connected_ms;            /* The same. */
    uint32_t connect_id;             /* Of the connect command, while JOINING. */
    uint32_t token_issued_at_s;      /* As in struct revocable; 0: it came without a token. */
};

struct session {
    struct connection *conn; /* NULL: it went while the directory was asked, and waits for that. */
    struct session_account *account; /* NULL: none. */
    uint32_t subscriptions;          /* The newest; the others hang on it. */
    uint32_t subscription_count;
    uint32_t handle;
    uint32_t ping_due_ms;  /* Low bits: the next ping; or the deadline of a pong, or of connect. */
    uint32_t ping_sent_us; /* Low bits; after its pong: how long that took, 0: no pong has come. */
    uint8_t client_id[CLIENT_ID_LEN];
    uint32_t proxy_calls;    /* The newest of its requests to backends; they hang on each other. */
    uint32_t map_catch_ups;  /* The same of maps that it is on its way to follow. */
    uint32_t in_flight : 10; /* Commands that homes have not answered yet. */
    uint32_t state : 2;      /* enum session_state */
    uint32_t app : APP_BITS; /* What its client is (apps.h). */
    bool owes_pong : 1;
    bool is_in_directory : 1;  /* USER_REMOVE is owed when it ends. */
    bool awaits_directory : 1; /* USER_ADDED is to come. */
    bool has_expiring_subscriptions : 1;
    bool awaits_keys : 1;     /* Its command's token waits for a key set (key_source.h). */
    bool has_frame_pings : 1; /* Pings and pongs are WebSocket's own, not the protocol's. */
    uint8_t rates : 2;        /* enum rates_state (rates.h) */
};

static_assert(sizeof(struct session) <= 64, "a million of them are idle");
static_assert(COMMANDS_IN_FLIGHT_MAX < 1 << 10, "they are counted");

/* For a fresh connection, whose protocol and transport are set: makes its session. `user_header` is
 * the trusted header's user, or empty. */
MUST_CHECK bool session_open(struct edge *edge, struct connection *conn, struct span user_header);

/* The connection is gone: leaves every channel, tells homes and directory, frees the session. */
void session_close(struct edge *edge, struct session *session);

/* One WebSocket message, or what stands for it: a frame of commands. May pause or end the
 * connection. */
void session_on_frame(struct edge *edge, struct session *session, struct span frame);

/* The rest waits for the session to be resumed, and nothing more is read until then. */
void session_hold(struct edge *edge, struct connection *conn, struct span rest);

/* Input goes on: the commands that waited in conn->receive->commands. */
void session_continue(struct edge *edge, struct session *session);

/* The earliest of the session's deadlines (ms, monotonic), and what to do when one has passed. */
uint64_t session_next_deadline_ms(const struct edge *edge, const struct session *session);
void session_on_deadline(struct edge *edge, struct session *session);

/* Ends the connection with a code of the protocol; empty reason: the code's own. */
void session_disconnect(struct edge *edge, struct session *session, uint32_t code,
                        struct span reason);

/* Encodes, queues and counts; a full queue disconnects (3008). */
void session_reply(struct edge *edge, struct session *session, const struct client_reply *reply);
/* The same but for the full queue: false, and nothing has happened. */
MUST_CHECK bool session_try_reply(struct edge *edge, struct session *session,
                                  const struct client_reply *reply);
void session_reply_error(struct edge *edge, struct session *session, uint32_t id,
                         enum client_error error);

/* Answers of other shards. */
void session_on_user_added(struct edge *edge, const struct message *message);
void session_on_published(struct edge *edge, const struct message *message);
void session_on_presence(struct edge *edge, const struct message *message);
void session_on_command(struct edge *edge, const struct message *message);

/* The subscription that a command waited for is answered: input goes on. */
void session_on_answered(struct edge *edge, struct subscription *subscription);

/* The next deadline of the session's liveness, in ms from now. */
void session_set_due(struct edge *edge, struct session *session, uint64_t from_now_ms);

/* The same for its next ping, which may leave a little earlier, with others. */
void session_set_ping_due(struct edge *edge, struct session *session, uint64_t from_now_ms);

/* Decodes and carries out one command. False: it has to be tried again when the session is resumed.
 */
MUST_CHECK bool session_on_message(struct edge *edge, struct session *session, struct span message);

/* The same for one that was decoded from `len` bytes, with what is left of the scratch. */
MUST_CHECK bool session_on_command_decoded(struct edge *edge, struct session *session,
                                           const struct client_command *command, size_t len,
                                           struct scratch *scratch);

/* Room in edge->decoded for what a command of that length needs, its token too. False: memory is
 * out. */
MUST_CHECK bool session_scratch(struct edge *edge, enum client_protocol protocol, size_t len,
                                struct scratch *scratch);

/* A pong of WebSocket's own. */
void session_on_pong_frame(struct edge *edge, struct session *session);

/* The connect command's credentials are good, and the directory (if it was asked) agrees. */
void session_on_connected(struct edge *edge, struct session *session, uint32_t command_id);

/* The same for one that was JOINING: nothing is waited for any more. Its input goes on. */
void session_on_joined(struct edge *edge, struct session *session);

/* The session of an answer to one of its commands, which is in flight no more; NULL: it is gone. */
struct session *session_of_answer(struct edge *edge, uint32_t handle);

/* The session of a connection's handle, or NULL (counted as stale). */
struct session *session_of_handle(struct edge *edge, uint32_t handle);

/* One count of the session's identity without chan_info; NULL: memory is out. */
MUST_CHECK struct buf *session_identity(struct session *session);

struct span session_user(const struct session *session);

/* What requests about it call it by: an emulated one has a secret name, others their client's id.
 * Its connection must be there. */
struct span session_name(const struct session *session, char text[CLIENT_ID_TEXT_LEN]);

static inline bool session_is_unidirectional(const struct session *session)
{
    return transport_shapes[connection_transport(session->conn)].is_unidirectional;
}

/* Empty: none. */
struct span session_conn_info(const struct session *session);

/* Unix time; 0: never. */
static inline int64_t session_expire_at_s(const struct session *session)
{
    return session->account == NULL ? 0 : session->account->expire_at_s;
}

/* The account, made when there is none yet; NULL: memory is out. */
MUST_CHECK struct session_account *session_account_of(struct session *session);
void session_free_account(struct session *session);

/* The context, or NULL; made when there is none yet (NULL: memory is out). */
static inline struct session_context *session_context_of(const struct session *session)
{
    return session->account == NULL ? NULL : session->account->context;
}
MUST_CHECK struct session_context *session_make_context(struct session *session);

/* A copy takes the buf's place; an empty one none. False: memory is out, nothing has changed. */
MUST_CHECK bool session_replace_buf(struct buf **buf, struct span bytes);
/* An empty one leaves it as it was. */
MUST_CHECK bool session_set_meta(struct session *session, struct span meta);

/* Its credentials hold until then (Unix time). */
void session_extend(struct session *session, int64_t expire_at_s);

/* Bytes that are no JSON cannot be told to a client that speaks it. */
bool session_understands(const struct session *session, struct span data);

/* What a token says of the client besides its user; false: memory is out, nothing has changed. */
MUST_CHECK bool session_set_credentials(struct session *session, struct span info,
                                        int64_t expire_at_s);

/* What it connected or refreshed with last; false: memory is out, nothing has changed. */
MUST_CHECK bool session_set_token(struct session *session, const struct revocable *token);
struct revocable session_token(const struct session *session);

#endif
