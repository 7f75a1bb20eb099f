/* SPDX-License-Identifier: Apache-2.0 */
/* The client protocol as values: commands, replies, pushes and codes in no encoding. */
#ifndef ROOST_CODEC_CLIENT_H
#define ROOST_CODEC_CLIENT_H

#include "codec/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * All spans are slices of the frame or of the scratch that the decoder was handed; an empty span is
 * an absent field. Nothing here owns memory. "JSON" beside a span: one checked JSON value as it
 * stands in the text, when it came out of the JSON decoder; a client that speaks Protobuf may have
 * put any bytes into `data`.
 */

/* ---- codes: three closed sets ---- */

/* X(name, code, text, temporary): a client that sees a temporary error tries again. */
#define CLIENT_ERRORS(X) \
    X(INTERNAL, 100, "internal server error", true) \
    X(UNAUTHORIZED, 101, "unauthorized", false) \
    X(UNKNOWN_CHANNEL, 102, "unknown channel", false) \
    X(PERMISSION_DENIED, 103, "permission denied", false) \
    X(METHOD_NOT_FOUND, 104, "method not found", false) \
    X(ALREADY_SUBSCRIBED, 105, "already subscribed", false) \
    X(LIMIT_EXCEEDED, 106, "limit exceeded", false) \
    X(BAD_REQUEST, 107, "bad request", false) \
    X(NOT_AVAILABLE, 108, "not available", false) \
    X(TOKEN_EXPIRED, 109, "token expired", false) \
    X(EXPIRED, 110, "expired", false) \
    X(TOO_MANY_REQUESTS, 111, "too many requests", true) \
    X(UNRECOVERABLE_POSITION, 112, "unrecoverable position", false) \
    X(CONCURRENT_PAGINATION, 113, "concurrent pagination", true)

/* X(name, code, text, reconnect): clients decide by the range, 3500 to 3999 stay away. */
#define CLIENT_DISCONNECTS(X) \
    X(CONNECTION_CLOSED, 3000, "connection closed", true) \
    X(SHUTDOWN, 3001, "shutdown", true) \
    X(INTERNAL, 3004, "internal server error", true) \
    X(EXPIRED, 3005, "connection expired", true) \
    X(SUBSCRIPTION_EXPIRED, 3006, "subscription expired", true) \
    X(SLOW, 3008, "slow", true) \
    X(WRITE_ERROR, 3009, "write error", true) \
    X(INSUFFICIENT_STATE, 3010, "insufficient state", true) \
    X(FORCE_RECONNECT, 3011, "force reconnect", true) \
    X(NO_PONG, 3012, "no pong", true) \
    X(TOO_MANY_REQUESTS, 3013, "too many requests", true) \
    X(STATE_INVALIDATED, 3014, "state invalidated", true) \
    X(INVALID_TOKEN, 3500, "invalid token", false) \
    X(BAD_REQUEST, 3501, "bad request", false) \
    X(STALE, 3502, "stale", false) \
    X(FORCE, 3503, "force disconnect", false) \
    X(CONNECTION_LIMIT, 3504, "connection limit", false) \
    X(CHANNEL_LIMIT, 3505, "channel limit", false) \
    X(INAPPROPRIATE_PROTOCOL, 3506, "inappropriate protocol", false) \
    X(PERMISSION_DENIED, 3507, "permission denied", false) \
    X(NOT_AVAILABLE, 3508, "not available", false) \
    X(TOO_MANY_ERRORS, 3509, "too many errors", false)

/*
 * X(name, code, text, resubscribe): a client subscribes again from 2500 on; 0 and 1 never leave the
 * node.
 */
#define CLIENT_UNSUBSCRIBES(X) \
    X(BY_CLIENT, 0, "client unsubscribed", false) \
    X(BY_DISCONNECT, 1, "client disconnected", false) \
    X(BY_SERVER, 2000, "server unsubscribe", false) \
    X(INSUFFICIENT_STATE, 2500, "insufficient state", true) \
    X(EXPIRED, 2501, "subscription expired", true) \
    X(STATE_INVALIDATED, 2502, "state invalidated", true)

#define CLIENT_ENUM_ERROR(name, code, text, flag) CLIENT_ERROR_##name = (code),
#define CLIENT_ENUM_DISCONNECT(name, code, text, flag) CLIENT_DISCONNECT_##name = (code),
#define CLIENT_ENUM_UNSUBSCRIBE(name, code, text, flag) CLIENT_UNSUBSCRIBE_##name = (code),
enum client_error { CLIENT_ERRORS(CLIENT_ENUM_ERROR) };
enum client_disconnect { CLIENT_DISCONNECTS(CLIENT_ENUM_DISCONNECT) };
enum client_unsubscribe { CLIENT_UNSUBSCRIBES(CLIENT_ENUM_UNSUBSCRIBE) };
#undef CLIENT_ENUM_ERROR
#undef CLIENT_ENUM_DISCONNECT
#undef CLIENT_ENUM_UNSUBSCRIBE

/*
 * How many codes each set has, for counters; *_index gives 0 .. COUNT-1, or COUNT for a code that
 * is not of the set.
 */
#define CLIENT_COUNT_ONE(name, code, text, flag) +1
enum {
    CLIENT_ERROR_COUNT = 0 CLIENT_ERRORS(CLIENT_COUNT_ONE),
    CLIENT_DISCONNECT_COUNT = 0 CLIENT_DISCONNECTS(CLIENT_COUNT_ONE),
    CLIENT_UNSUBSCRIBE_COUNT = 0 CLIENT_UNSUBSCRIBES(CLIENT_COUNT_ONE),
};
#undef CLIENT_COUNT_ONE
size_t client_error_index(uint32_t code);
size_t client_disconnect_index(uint32_t code);
size_t client_unsubscribe_index(uint32_t code);

/*
 * The text of a code, or an empty span for one that is not of the set (custom codes bring their
 * own).
 */
struct span client_error_message(uint32_t code);
struct span client_disconnect_reason(uint32_t code);
struct span client_unsubscribe_reason(uint32_t code);

bool client_error_is_temporary(uint32_t code);

/* What SDKs do by range, for custom codes too. */
bool client_disconnect_is_terminal(uint32_t code);
bool client_unsubscribe_resubscribes(uint32_t code);

/* ---- commands ---- */

/* In the order of precedence: of several requests in one command the first one here counts. */
enum client_method {
    CLIENT_METHOD_PONG = 0, /* a command without any request; a pong only if its id is 0 as well */
    CLIENT_METHOD_CONNECT,
    CLIENT_METHOD_SUBSCRIBE,
    CLIENT_METHOD_UNSUBSCRIBE,
    CLIENT_METHOD_PUBLISH,
    CLIENT_METHOD_PRESENCE,
    CLIENT_METHOD_PRESENCE_STATS,
    CLIENT_METHOD_HISTORY,
    CLIENT_METHOD_RPC,
    CLIENT_METHOD_SEND,
    CLIENT_METHOD_REFRESH,
    CLIENT_METHOD_SUB_REFRESH,
    CLIENT_METHOD_PING, /* defined by the protocol, but servers refuse it (3501) */
    CLIENT_METHOD_COUNT,
};

/* The name of the request field, "pong" for CLIENT_METHOD_PONG. */
const char *client_method_name(enum client_method method);

/* The bits of client_subscribe_request.flag. */
#define CLIENT_SUBSCRIBE_FLAG_COMPACTION 1
#define CLIENT_SUBSCRIBE_FLAG_REJECT_UNRECOVERED 2

/* Values of client_subscribe_request.type. */
enum client_subscription_type {
    CLIENT_SUBSCRIPTION_STREAM = 0,
    CLIENT_SUBSCRIPTION_MAP = 1,
    CLIENT_SUBSCRIPTION_MAP_CLIENTS = 2,
    CLIENT_SUBSCRIPTION_MAP_USERS = 3,
    CLIENT_SUBSCRIPTION_SHARED_POLL = 4,
};

struct client_connect_request {
    struct span token;
    struct span data; /* JSON */
    struct span name;
    struct span version;
    struct span subs;    /* JSON object channel -> SubscribeRequest, checked; walk it with
                            client_json_subs_next() */
    struct span headers; /* JSON object of strings, checked; walk it with json_map_next() */
    int64_t flag;
};

struct client_subscribe_request {
    struct span channel;
    struct span token;
    struct span epoch;
    struct span data;  /* JSON */
    struct span delta; /* empty or "fossil"; anything else is for the session to refuse */
    struct span tf;    /* JSON object, only its syntax is checked */
    struct span cursor;
    uint64_t offset;
    int64_t flag;
    int32_t type;
    int32_t phase;
    int32_t limit;
    bool recover;
    bool positioned;
    bool recoverable;
    bool join_leave;
    bool asc;
};

/* unsubscribe, presence, presence_stats */
struct client_channel_request {
    struct span channel;
};

struct client_publish_request {
    struct span channel;
    struct span data; /* JSON */
    struct span key;
    int32_t type;
    bool removed;
};

struct client_history_request {
    struct span channel;
    int32_t limit;
    bool reverse;
    bool since_present;
    uint64_t since_offset;
    struct span since_epoch;
};

struct client_rpc_request {
    struct span method;
    struct span data; /* JSON */
};

struct client_send_request {
    struct span data; /* JSON */
};

struct client_refresh_request {
    struct span token;
};

struct client_sub_refresh_request {
    struct span channel;
    struct span token;
    int32_t type;
    struct span track;   /* JSON array, only its syntax is checked */
    struct span untrack; /* JSON array of strings, checked */
};

struct client_command {
    uint32_t id;
    enum client_method method;
    union {
        struct client_connect_request connect;
        struct client_subscribe_request subscribe;
        struct client_channel_request unsubscribe;
        struct client_publish_request publish;
        struct client_channel_request presence;
        struct client_channel_request presence_stats;
        struct client_history_request history;
        struct client_rpc_request rpc;
        struct client_send_request send;
        struct client_refresh_request refresh;
        struct client_sub_refresh_request sub_refresh;
    };
};

/*
 * What a client whose connection only streams to it says by a request of its own: commands for the
 * session that the connect reply named.
 */
struct client_emulation_request {
    struct span node;
    struct span session;
    struct span data; /* a frame of commands */
};

/* ---- what replies and pushes are made of ---- */

struct client_info {
    struct span user;
    struct span client;
    struct span conn_info; /* JSON */
    struct span chan_info; /* JSON */
};

struct client_publication {
    struct span data;               /* JSON; for a delta to a JSON client this is a JSON string */
    const struct client_info *info; /* NULL when no client published it */
    struct span tags;               /* JSON object of strings, empty for none */
    struct span epoch;
    struct span channel;
    struct span key;
    uint64_t offset;
    uint64_t version;
    int64_t time_ms;
    int64_t score;
    bool delta;
    bool removed;
};

struct client_subscribe_result {
    bool expires;
    bool recoverable;
    bool positioned;
    bool recovered;
    bool was_recovering;
    bool delta;
    uint32_t ttl_s;
    int32_t type;
    int32_t phase;
    uint32_t publish_debounce_ms;
    int64_t id;
    uint64_t offset;
    struct span epoch;
    struct span data; /* JSON */
    struct span cursor;
    const struct client_publication *publications;
    size_t publication_count;
    const struct client_publication *state;
    size_t state_count;
};

/* One server-side subscription of a connect result. */
struct client_subscription {
    struct span channel;
    struct client_subscribe_result result;
};

struct client_connect_result {
    struct span client;
    struct span version;
    struct span data; /* JSON */
    struct span session;
    struct span node;
    const struct client_subscription *subs;
    size_t sub_count;
    int64_t time_ms;
    uint32_t ttl_s;
    uint32_t ping_s;
    bool expires;
    bool pong;
};

struct client_presence_result {
    const struct client_info *clients; /* the key of each in the map is its `client` */
    size_t client_count;
};

struct client_presence_stats_result {
    uint32_t client_count;
    uint32_t user_count;
};

struct client_history_result {
    const struct client_publication *publications;
    size_t publication_count;
    struct span epoch;
    uint64_t offset;
};

struct client_rpc_result {
    struct span data; /* JSON */
};

/* With a connection's refresh all four, with sub_refresh the last two. */
struct client_refresh_result {
    struct span client;
    struct span version;
    bool expires;
    uint32_t ttl_s;
};

struct client_error_reply {
    uint32_t code;
    struct span message;
    bool temporary;
};

/* code, text and temporary as the table has them. */
struct client_error_reply client_error_reply_of(enum client_error code);

/* ---- pushes ---- */

enum client_push_kind {
    CLIENT_PUSH_PUBLICATION,
    CLIENT_PUSH_JOIN,
    CLIENT_PUSH_LEAVE,
    CLIENT_PUSH_UNSUBSCRIBE,
    CLIENT_PUSH_MESSAGE,
    CLIENT_PUSH_SUBSCRIBE,
    CLIENT_PUSH_CONNECT,
    CLIENT_PUSH_DISCONNECT,
    CLIENT_PUSH_REFRESH,
    CLIENT_PUSH_COUNT,
};

struct client_code_and_reason {
    uint32_t code;
    struct span reason;
};

/* A subscription that the server made while the connection lives. */
struct client_subscribe_push {
    bool recoverable;
    bool positioned;
    uint64_t offset;
    struct span epoch;
    struct span data; /* JSON */
};

struct client_message_push {
    struct span data; /* JSON */
};

struct client_push {
    enum client_push_kind kind;
    struct span channel; /* empty for message, connect, disconnect and refresh */
    union {
        struct client_publication publication;
        struct client_info join;
        struct client_info leave;
        struct client_code_and_reason unsubscribe;
        struct client_message_push message;
        struct client_subscribe_push subscribe;
        struct client_connect_result connect;
        struct client_code_and_reason disconnect;
        struct client_refresh_result refresh;
    };
};

/* ---- replies ---- */

enum client_reply_kind {
    CLIENT_REPLY_PING = 0, /* the empty reply; id is 0 */
    CLIENT_REPLY_ERROR,
    CLIENT_REPLY_PUSH, /* id is 0 */
    CLIENT_REPLY_CONNECT,
    CLIENT_REPLY_SUBSCRIBE,
    CLIENT_REPLY_UNSUBSCRIBE, /* no fields */
    CLIENT_REPLY_PUBLISH,     /* no fields */
    CLIENT_REPLY_PRESENCE,
    CLIENT_REPLY_PRESENCE_STATS,
    CLIENT_REPLY_HISTORY,
    CLIENT_REPLY_RPC,
    CLIENT_REPLY_REFRESH,
    CLIENT_REPLY_SUB_REFRESH,
    CLIENT_REPLY_COUNT,
};

struct client_reply {
    uint32_t id;
    enum client_reply_kind kind;
    union {
        struct client_error_reply error;
        struct client_push push;
        struct client_connect_result connect;
        struct client_subscribe_result subscribe;
        struct client_presence_result presence;
        struct client_presence_stats_result presence_stats;
        struct client_history_result history;
        struct client_rpc_result rpc;
        struct client_refresh_result refresh;
        struct client_refresh_result sub_refresh;
    };
};

#endif
