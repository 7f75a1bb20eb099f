/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue of all messages between shards: who sends each, who gets it, whose the payload is,
 * and what a full ring does.
 *
 * Roles. Every serving shard is an EDGE (it holds connections, sessions and the local fan-out), a
 * HOME (of the channels of its slots), a DIRECTORY (of the users of its slots) and a POLLER (of the
 * shared polls of its slots, for the edges of its own node alone). The ROUTER is the last shard.
 *
 * Payloads are bufs (runtime/buf.h). A message carries one count of each buf in it; the receiver
 * gives it back. When mailbox_send returns false the count is still the sender's.
 *
 * Order. A ring is first in, first out: what an edge tells a home about one channel, and what the
 * home answers, arrives in that order. Subscribing, publishing and unsubscribing rely on it.
 *
 * Class. REQUESTs are refused early when a ring is full, and the asker answers its client with
 * error 111 (temporary). REPLYs (answers, deliveries, clean-up) find room that requests may not
 * use; a home asks for that room before it accepts a publication, so that an accepted publication
 * reaches every shard that wants it.
 */
#ifndef ROOST_SHARDS_MESSAGES_H
#define ROOST_SHARDS_MESSAGES_H

#include <string.h>

#include "codec/client_protocol.h"
#include "runtime/buf.h"
#include "runtime/mailbox.h"
#include "shards/message_place.h"

/* X(name, body, from, to, class) */
#define MESSAGE_TABLE(X) \
    X(SUBSCRIBE, subscribe, EDGE, HOME, MESSAGE_REQUEST) \
    X(SUBSCRIBED, subscribed, HOME, EDGE, MESSAGE_REPLY) \
    X(UNSUBSCRIBE, unsubscribe, EDGE, HOME, MESSAGE_REPLY) \
    X(PUBLISH, publish, EDGE, HOME, MESSAGE_REQUEST) \
    X(PUBLISHED, published, HOME, EDGE, MESSAGE_REPLY) \
    X(PUBLICATION, publication, HOME, EDGE, MESSAGE_REPLY) \
    X(MOVED, moved, HOME, EDGE, MESSAGE_REPLY) \
    X(PRESENCE_ASK, presence_ask, EDGE, HOME, MESSAGE_REQUEST) \
    X(PRESENCE, presence, HOME, EDGE, MESSAGE_REPLY) \
    X(HISTORY_ASK, history_ask, EDGE, HOME, MESSAGE_REQUEST) \
    X(HISTORY, history, HOME, EDGE, MESSAGE_REPLY) \
    X(MAP_ASK, map_ask, EDGE, HOME, MESSAGE_REQUEST) \
    X(MAP_PAGE, map_page, HOME, EDGE, MESSAGE_REPLY) \
    X(PASS_ON, pass_on, HOME, HOME, MESSAGE_REPLY) \
    X(PASSED_ON, passed_on, HOME, HOME, MESSAGE_REPLY) \
    X(CHANNEL_MOVE, channel_move, HOME, HOME, MESSAGE_REQUEST) \
    X(CHANNEL_TAKEN, channel_taken, HOME, HOME, MESSAGE_REPLY) \
    X(SLOTS_SETTLED, slots_settled, HOME, ROUTER, MESSAGE_REPLY) \
    X(SLOTS_READY, slots_ready, ROUTER, HOME, MESSAGE_REPLY) \
    X(SLOTS_MISSED, slots_missed, HOME, HOME, MESSAGE_REPLY) \
    X(SLOTS_NOTED, slots_noted, HOME, HOME, MESSAGE_REPLY) \
    X(USER_ADD, user_add, EDGE, DIRECTORY, MESSAGE_REQUEST) \
    X(USER_ADDED, user_added, DIRECTORY, EDGE, MESSAGE_REPLY) \
    X(USER_REMOVE, user_remove, EDGE, DIRECTORY, MESSAGE_REPLY) \
    X(USER_SET, user_set, EDGE, DIRECTORY, MESSAGE_REPLY) \
    X(USERS_WANTED, users_wanted, ROUTER, EDGE, MESSAGE_REPLY) \
    X(USER_TAKE, user_take, EDGE, DIRECTORY, MESSAGE_REQUEST) \
    X(USER_TAKEN, user_taken, DIRECTORY, EDGE, MESSAGE_REPLY) \
    X(USER_COMMAND, user_command, EDGE, DIRECTORY, MESSAGE_REQUEST) \
    X(SESSION_COMMAND, session_command, DIRECTORY, EDGE, MESSAGE_REPLY) \
    X(SURVEY, survey, EDGE, EDGE, MESSAGE_REQUEST) \
    X(SURVEY_RESULT, survey_result, EDGE, EDGE, MESSAGE_REPLY) \
    X(POLL_TRACK, poll_track, EDGE, POLLER, MESSAGE_REQUEST) \
    X(POLL_UNTRACK, poll_untrack, EDGE, POLLER, MESSAGE_REPLY) \
    X(POLL_UPDATE, poll_update, POLLER, EDGE, MESSAGE_REPLY) \
    X(POLL_EPOCH, poll_epoch, POLLER, EDGE, MESSAGE_REPLY) \
    X(EMULATE, emulate, EDGE, EDGE, MESSAGE_REQUEST) \
    X(EMULATED, emulated, EDGE, EDGE, MESSAGE_REPLY) \
    X(REVOKE, revoke, EDGE, ROUTER, MESSAGE_REQUEST) \
    X(REVOKED, revoked, ROUTER, EDGE, MESSAGE_REPLY) \
    X(REVOCATIONS, revocations, ROUTER, EDGE, MESSAGE_REPLY) \
    X(PLACEMENT, placement, ROUTER, EDGE, MESSAGE_REPLY) \
    X(NODES_ASK, nodes_ask, EDGE, ROUTER, MESSAGE_REQUEST) \
    X(NODES, nodes, ROUTER, EDGE, MESSAGE_REPLY) \
    X(ORIGIN_GONE, origin_gone, ROUTER, HOME, MESSAGE_REPLY)

enum message_type {
    MESSAGE_TYPE_NONE,
#define MESSAGE_TYPE(name, body, from, to, class) MESSAGE_##name,
    MESSAGE_TABLE(MESSAGE_TYPE)
#undef MESSAGE_TYPE
        MESSAGE_TYPES_LEN
};

/* Who asked, so that an answer finds its way back on the asking shard. `handle` of the message
 * names the connection, the call or the catch-up (NOBODY: nothing); `cookie` comes back as it was
 * given (a command's id, a broadcast's index). */
enum message_origin { ORIGIN_SESSION, ORIGIN_API, ORIGIN_CATCH_UP, ORIGIN_NOBODY };

enum subscribe_flag {
    /* The shard has no other subscriber, or registers again: it wants publications from now on.
     * Without it the shard must be registered. */
    SUBSCRIBE_FIRST = 1u << 0,
    SUBSCRIBE_PRESENCE = 1u << 1, /* Enter the identity into the channel's presence. */
    SUBSCRIBE_JOIN = 1u << 2,     /* Tell the others. */
    /* The client is to know its position, so that the channel has to keep one. The flags below are
     * for such subscriptions. */
    SUBSCRIBE_POSITIONED = 1u << 3,
    SUBSCRIBE_RECOVERABLE = 1u << 4,
    /* Bring what came after `since`, if it is RECOVERABLE; */
    SUBSCRIBE_RECOVER = 1u << 5,
    /* or the newest `limit` ones, the newest first, unless the client has that. */
    SUBSCRIBE_CACHE = 1u << 6,
    /* Where it cannot be recovered, do not register the client. */
    SUBSCRIBE_REJECT_UNRECOVERED = 1u << 7,
    /* The shard was registered with a home of before: the offset of `since` is the sequence of the
     * newest message that it has. If the home knows what came after, the answer has that position
     * and the messages follow it. */
    SUBSCRIBE_AGAIN = 1u << 18,
    SUBSCRIBE_WILDCARD = 1u << 19, /* It is a wildcard channel. */
};

/* Beside the flags of SUBSCRIBE: a set of protocols in which the shard wants publications from now
 * on, with those that it has named before. Beside those of UNSUBSCRIBE: in which it wants them no
 * longer (with LAST: in none). What a router registers is in no protocol. */
enum { FLAGS_PROTOCOLS_SHIFT = 8 };
#define FLAGS_PROTOCOL(protocol) (CLIENT_PROTOCOL_BIT(protocol) << FLAGS_PROTOCOLS_SHIFT)
#define FLAGS_PROTOCOLS ((CLIENT_PROTOCOL_BIT(CLIENT_PROTOCOLS) - 1) << FLAGS_PROTOCOLS_SHIFT)
static inline uint32_t flags_protocols(uint32_t flags)
{
    return flags >> FLAGS_PROTOCOLS_SHIFT & (CLIENT_PROTOCOL_BIT(CLIENT_PROTOCOLS) - 1);
}

/* Beside the flags of both: it was passed on by a shard to which it had been sent first, so that
 * what its sender said later may have come before it. */
enum { FLAGS_DETOUR = 1u << 20 };

/* A place in a channel's stream. */
struct stream_position {
    uint64_t offset;
    uint64_t epoch; /* 0: whichever it is. */
};

/* handle: the edge's hub channel. */
struct message_subscribe {
    struct buf *channel;          /* The name. */
    struct buf *identity;         /* NULL unless PRESENCE or JOIN. */
    struct stream_position since; /* With RECOVER or AGAIN. */
    uint32_t subscription;        /* Whose answer it is: comes back in SUBSCRIBED. */
    uint32_t flags;
    uint32_t limit;      /* Of the publications that RECOVER may bring, */
    uint32_t bytes_max;  /* and of what they weigh. */
    uint32_t meta_ttl_s; /* With POSITIONED: how long the position outlives the last subscriber. */
    uint32_t origin;     /* Of the client. */
};

enum subscribed_flag {
    SUBSCRIBED_RECOVERED = 1u << 16,
    SUBSCRIBED_REJECTED = 1u << 17, /* See SUBSCRIBE_REJECT_UNRECOVERED. */
    SUBSCRIBED_FLAGS = SUBSCRIBED_RECOVERED | SUBSCRIBED_REJECTED,
};

/* handle: the edge's hub channel. A publication that arrives later is later in the channel's
 * order. */
struct message_subscribed {
    struct buf *page;              /* stream_page_of(): what was recovered. NULL: nothing. */
    struct stream_position newest; /* As of now; the epoch is always told. */
    uint64_t sequence;             /* Of the newest message about the channel. */
    uint64_t since_offset;         /* As it was given. */
    uint32_t subscription;
    uint32_t error; /* 0, or an enum client_error: nothing was registered. */
    uint32_t flags; /* Those of SUBSCRIBE with its protocols, and enum subscribed_flag. */
};

enum unsubscribe_flag {
    UNSUBSCRIBE_LAST = 1u << 0, /* The shard wants no more publications. */
    UNSUBSCRIBE_PRESENCE = 1u << 1,
    UNSUBSCRIBE_LEAVE = 1u << 2,
    UNSUBSCRIBE_REFUSED = 1u << 3, /* SUBSCRIBE was answered by an error; it may have worked. */
    UNSUBSCRIBE_CLIENT = UNSUBSCRIBE_PRESENCE | UNSUBSCRIBE_LEAVE | UNSUBSCRIBE_REFUSED,
};

/* handle: the edge's hub channel, as it was given in SUBSCRIBE. */
struct message_unsubscribe {
    struct buf *channel;
    struct buf *identity; /* NULL unless PRESENCE or LEAVE. */
    uint32_t flags;
};

/* handle: the receiver's hub channel. It is registered no longer, since the channel has another
 * home now or its home another tenure: register again. */
struct message_moved {
    uint32_t reserved;
};

/* handle: the asker's. */
struct message_publish {
    struct buf *request;  /* publish_request_of() */
    struct buf *identity; /* Of the publishing client, or NULL (server API). */
    uint32_t cookie;
    uint32_t origin;
    /* What the channel's namespace keeps of its publications; 0 publications: nothing, and the
     * publication has no offset. */
    uint32_t history_size;
    uint32_t history_ttl_s;
    uint32_t meta_ttl_s;
    uint32_t key_ttl_ms; /* Of the key, where the publication has one; 0: it lives for ever. */
    uint32_t wildcards;  /* How many of them it is passed on to, at most (wildcard_max_depth). */
};

/* Why a publication with a key changed nothing. */
enum suppress_reason {
    SUPPRESS_NONE,
    SUPPRESS_IDEMPOTENCY,
    SUPPRESS_VERSION,
    SUPPRESS_KEY_EXISTS,
    SUPPRESS_KEY_NOT_FOUND,
};

/* handle: the asker's. */
struct message_published {
    uint64_t epoch;
    uint64_t offset; /* 0: it was not kept in any history. */
    uint32_t cookie;
    uint32_t origin;
    uint32_t error;      /* 0, or an enum client_error. */
    uint32_t suppressed; /* enum suppress_reason */
};

enum publication_kind { PUBLICATION_DATA, PUBLICATION_JOIN, PUBLICATION_LEAVE };

enum publication_flag {
    PUBLICATION_DELTA =
        1u << 0, /* Its publisher wants it told as a delta, where clients take it. */
    /* Of a map without a stream: its offset and its epoch are between homes and edges alone. No
     * client is told of them. */
    PUBLICATION_UNPLACED = 1u << 1,
};

/* handle: the receiver's hub channel. */
struct message_publication {
    /* A whole WebSocket frame for each protocol that a shard has named (channel/push_frame.h). None
     * for JSON: nobody has named it, or the publication's bytes are no JSON. To the router: the
     * values instead, of which each node makes the frames that its shards have named. */
    struct buf *frames;
    /* The message's number in the channel's epoch: one more than that of the message before, the
     * same for all who get it. A gap: something was given up, since a shard or a link took nothing
     * for too long. */
    uint64_t sequence;
    uint64_t offset;  /* In the channel's stream; 0: it has no place there. */
    uint64_t sent_ns; /* When the home accepted it. */
    uint64_t epoch;   /* Of the stream, where this is the first in it. */
    uint32_t protobuf_at;
    uint16_t kind;
    uint16_t flags; /* enum publication_flag */
};

/* handle: the asker's. */
struct message_presence_ask {
    struct buf *channel;
    uint32_t cookie;
    uint32_t origin;
    uint32_t stats_only;
};

/* handle: the asker's. */
struct message_presence {
    struct buf *snapshot; /* presence_snapshot_of(); NULL: stats_only or an empty channel. */
    uint32_t clients;
    uint32_t users;
    uint32_t cookie;
    uint32_t origin;
    uint32_t stats_only;
    uint32_t error; /* 0, or an enum client_error. */
};

enum history_flag {
    HISTORY_SINCE = 1u << 0,   /* Only what lies beyond `since` (in the direction of reading). */
    HISTORY_REVERSE = 1u << 1, /* The newest first. */
    HISTORY_REMOVE = 1u << 2,  /* Forget all publications; the position stays. No page. */
};

/* handle: the asker's. */
struct message_history_ask {
    struct buf *channel;
    struct stream_position since; /* Its epoch is compared also without SINCE. */
    uint32_t cookie;
    uint32_t origin;
    uint32_t flags;
    uint32_t limit;     /* Publications; 0: only the position. */
    uint32_t bytes_max; /* Of what they weigh: the page may be shorter, but not empty. */
    uint32_t meta_ttl_s;
};

/* handle: the asker's. */
struct message_history {
    struct buf *page; /* stream_page_of(); NULL: no publications. */
    struct stream_position newest;
    uint32_t cookie;
    uint32_t origin;
    uint32_t error; /* 0, or an enum client_error. */
};

/* Maps. A channel into which publications with a key go (publish_request) is a map: beside its
 * stream its home has for each key the newest publication. Every change of a map gets an offset,
 * also where no stream is kept of them (history_size 0 in PUBLISH): then the offsets and the epoch
 * are for homes and edges alone, and clients are told none.
 *
 * How a subscriber gets the whole of it: channel/map_state.h.
 */
enum map_ask_flag {
    MAP_ASK_KEY = 1u << 0,   /* Only the key that is in `cursor`. */
    MAP_ASK_CLEAR = 1u << 1, /* Forget the channel; it begins anew. No page. */
};

/* handle: the asker's. */
struct message_map_ask {
    struct buf *channel;
    struct buf *cursor; /* Keys beyond this one. NULL: from the first. */
    uint64_t epoch;     /* Where the channel has another: error 112. 0: whichever it has. */
    uint32_t cookie;
    uint32_t origin;
    uint32_t flags;
    uint32_t limit;     /* Keys; 0: only the position. */
    uint32_t bytes_max; /* Of what they weigh: the page may be shorter, but not empty. */
    uint32_t meta_ttl_s;
};

/* handle: the asker's. */
struct message_map_page {
    /* stream_page_of(): the newest publication of each key, in the order of the keys' bytes, each
     * with its own offset. NULL: none. */
    struct buf *page;
    struct stream_position newest;
    uint32_t cookie;
    uint32_t origin;
    uint32_t error;   /* 0, or an enum client_error. */
    uint32_t keys;    /* That the map has now. */
    uint32_t is_more; /* There are keys beyond the last of the page. */
};

enum pass_flag {
    PASS_UNSURE = 1u << 0,   /* It may have come before. */
    PASS_ANSWERED = 1u << 1, /* At a home alone: it waits there for its wildcard. */
    PASS_DETOUR = 1u << 2,   /* It came by a node that was asked as the home, and is not. */
};

/* handle: the asker's. A publication that was made in one channel, for the home of a wildcard that
 * stands for it. */
struct message_pass_on {
    struct buf *pass;      /* pass_of() */
    struct buf *request;   /* As in PUBLISH. NULL: what was to be passed on is lost. */
    struct buf *identity;  /* As in PUBLISH. */
    uint32_t flags;        /* enum pass_flag */
    uint32_t history_size; /* These three as in PUBLISH. */
    uint32_t history_ttl_s;
    uint32_t meta_ttl_s;
};

/* handle: the asker's. */
struct message_passed_on {
    /* 0: it has its place, or will have it, or nobody wants it. 111: it was not taken, since it is
     * not its turn, or the home cannot be asked; else (an enum client_error) it may have been. Then
     * it is to be sent again. */
    uint32_t error;
    uint32_t is_unheard; /* Nothing need be passed on to wildcards of the slot until all are told
                          * that they are heard. */
};

/* handle: the asking home's channel. A piece of what a channel is, for the home that it has now. A
 * router passes it to that home's node. */
struct message_channel_move {
    struct buf *move; /* channel_move_of() */
    uint32_t origin;  /* Of the session's node that sends it. */
};

/* handle: the asker's channel. */
struct message_channel_taken {
    /* 0; 111: nothing was taken, so that the channel is still the asker's; or another enum
     * client_error: it may have been taken, so that the asker must not go on with it. */
    uint32_t error;
};

/* All channels that have another home in this placement have been handed over or have ended. */
struct message_slots_settled {
    uint64_t version;
    bool is_noted; /* And those homes have noted what no channel tells of (SLOTS_MISSED). */
};

/* Homes of before have given up these slots, or are waited for no longer. */
struct message_slots_ready {
    struct buf *slots; /* A slot set (router/placement.h). */
};

/* In these slots, which are at home elsewhere now, something was accepted that no channel which was
 * handed over tells of: who has another channel there has missed it. A router passes it to the
 * nodes of these homes, and there to all shards; each home looks at what is its own. */
struct message_slots_missed {
    struct buf *slots; /* Two slot sets: which, and in which of them something was to be kept. */
    uint32_t origin;   /* Of the session's node that says so. */
};

/* Its followers have been told, or will be: the answer, on the same way back. */
struct message_slots_noted {
    struct buf *slots; /* A slot set. */
    uint32_t origin;   /* Whom it is for. */
};

/* A node has become the directory of these slots: it is to be told of their users. */
struct message_users_wanted {
    struct buf *slots; /* As in SLOTS_READY. */
};

/* handle: the connection that waits for USER_ADDED. One for each session of a user that is not
 * anonymous. */
struct message_user_add {
    struct buf *user;
    uint32_t place; /* 0: of the sending shard. */
};

/* handle: the connection. */
struct message_user_added {
    /* 0; 111 (the directory was not asked, or is another: it is to be told again); or a disconnect
     * code (3504 connection limit, 3013 the user connects too often, 3004 no room). */
    uint32_t error;
};

struct message_user_remove {
    struct buf *user;
    uint32_t place; /* As in USER_ADD. */
};

/* To a directory that may not know, or not rightly: so many sessions of the user are there. */
struct message_user_set {
    struct buf *user;
    uint32_t place; /* As in USER_ADD. */
    uint32_t sessions;
};

/* handle: the session. A token from each bucket of the rule (rate_limits.h), for a command that
 * waits for it. */
struct message_user_take {
    struct buf *user;
    uint32_t first;
    uint32_t len;
};

/* handle: the session. */
struct message_user_taken {
    uint32_t error; /* Not 0: the directory was not asked, or is another. */
    uint32_t is_denied;
};

/* What the directory passes on to every shard that has a session of the user; the anonymous user
 * has no entry, so that a command for it goes to every shard at once. */
struct message_user_command {
    struct buf *command; /* session_command_of() */
};

struct message_session_command {
    struct buf *command;
    uint32_t place; /* To the router: which node's shard it is for. */
};

enum survey_op {
    SURVEY_CHANNELS, /* Names with local subscribers that match a glob pattern. */
    SURVEY_ALIVE,    /* Nothing: the answer is that there is one. Not passed on to other nodes. */
    SURVEY_POLL_PUBLISH, /* To every node's poller: what the server API says of a key. */
    SURVEY_CONNECTIONS,  /* A page of sessions (edge/connections.h). */
    /* What homes ask (channel/homes_heard.c): `request` is a slot set. */
    SURVEY_WILDCARDS_HEARD,
    SURVEY_WILDCARDS_MISSED,
    SURVEY_OPS
};

/* handle: the asker's call. */
struct message_survey {
    /* NULL: all. Of CONNECTIONS: connections_request_put(). Of POLL_PUBLISH: the channel, */
    struct buf *pattern;
    struct buf *request; /* and what of it, as the API had it. NULL: none. */
    uint32_t op;
};

/* handle: the asker's call. */
struct message_survey_result {
    struct buf *result; /* survey_channels_next(); NULL: nothing. */
    uint32_t op;
    uint32_t error; /* 0, or an enum client_error. */
};

/* The shard's clients track these keys: it wants to be told of them. Those that it tracks already
 * are asked for again where nothing is known. */
struct message_poll_track {
    struct buf *channel;
    struct buf *keys; /* survey_channels_next(): names with unused numbers. */
};

/* None of them does any more. */
struct message_poll_untrack {
    struct buf *channel;
    struct buf *keys;
};

struct message_poll_update {
    struct buf *channel;
    struct buf *item; /* poll_item_of() */
    bool is_kept;     /* By the poller: to keep it takes no memory. */
};

/* Whatever comes after it is of this epoch, and what came before of another. */
struct message_poll_epoch {
    struct buf *channel;
    struct buf *epoch; /* NULL: "". */
};

enum { EMULATION_NAME_LEN = 16 };

/* handle: the asker's. A frame of commands for the session of that name; edge/emulation.h. */
struct message_emulate {
    struct buf *frame; /* NULL: an empty one. */
    uint8_t node[EMULATION_NAME_LEN];
    uint8_t session[EMULATION_NAME_LEN];
};

/* handle: the asker's. */
struct message_emulated {
    /* 0 (also when no session has the name any more), or an enum client_error: NOT_AVAILABLE when
     * there is no such node. */
    uint32_t error;
};

/* Homes ask it, not edges. */
bool survey_is_of_wildcards(const struct message *message);

/* handle: the asker's call. For all shards of all nodes. */
struct message_revoke {
    struct buf *entries; /* link_next_revocation() */
};

/* handle: the asker's call. This node's shards are told, and on its way to others. */
struct message_revoked {
    uint32_t error; /* 0, or an enum client_error: LIMIT_EXCEEDED when there is no room. */
};

/* Some of them are new. */
struct message_revocations {
    struct buf *entries; /* As in REVOKE. */
};

struct message_placement {
    struct buf *placement; /* router/placement.h */
};

/* A session of a link is over: what was registered from there is forgotten. */
struct message_origin_gone {
    uint32_t origin;
    uint32_t with_presence; /* Directories forget at once, presence after a while. */
    uint32_t was_home;      /* What it accepted may not have reached others. */
};

/* handle: the asker's call. */
struct message_nodes_ask {
    uint32_t reserved;
};

/* handle: the asker's call. */
struct message_nodes {
    struct buf *nodes; /* An array of struct node_info (router/router.h). */
    uint32_t error;
};

const char *message_type_name(enum message_type type);
enum message_class message_class_of(enum message_type type);

/* Sets FLAGS_DETOUR in a SUBSCRIBE or UNSUBSCRIBE; others are as they were. */
void message_mark_detour(struct message *message);

/* Gives back the counts in a message that will not be sent, or that nobody wants. */
void message_release(const struct message *message);

/* Typed making, sending and reading: message_make_subscribe(handle, &body),
 * message_send_subscribe(mailbox, target, handle, &body), message_as_subscribe(message). */
#define MESSAGE_FUNCTIONS(name, body_name, from_role, to_role, class) \
    static_assert(sizeof(struct message_##body_name) <= sizeof(((struct message *)0)->body), \
                  "the body fits into the message"); \
    static inline struct message message_make_##body_name(uint32_t handle, \
                                                          const struct message_##body_name *body) \
    { \
        struct message message = {.type = MESSAGE_##name, .handle = handle}; \
        memcpy(message.body, body, sizeof(*body)); \
        return message; \
    } \
    MUST_CHECK static inline bool message_send_##body_name(struct mailbox *mailbox, \
                                                           uint32_t target, uint32_t handle, \
                                                           const struct message_##body_name *body) \
    { \
        const struct message message = message_make_##body_name(handle, body); \
        return mailbox_send(mailbox, target, &message, class); \
    } \
    static inline struct message_##body_name message_as_##body_name(const struct message *message) \
    { \
        struct message_##body_name body; \
        memcpy(&body, message->body, sizeof(body)); \
        return body; \
    }
MESSAGE_TABLE(MESSAGE_FUNCTIONS)
#undef MESSAGE_FUNCTIONS

#endif
