/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server API as values: what a backend asks of the node, and what it is told. */
#ifndef ROOST_CODEC_API_H
#define ROOST_CODEC_API_H

#include "codec/client.h"
#include "codec/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * X(name, code, text, status): status is the HTTP status where errors are told by transport;
 * otherwise it is 200.
 */
#define API_ERRORS(X) \
    X(INTERNAL, 100, "internal server error", 500) \
    X(UNKNOWN_CHANNEL, 102, "unknown channel", 404) \
    X(PERMISSION_DENIED, 103, "permission denied", 403) \
    X(NOT_FOUND, 104, "not found", 404) \
    X(LIMIT_EXCEEDED, 106, "limit exceeded", 413) \
    X(BAD_REQUEST, 107, "bad request", 400) \
    X(NOT_AVAILABLE, 108, "not available", 400) \
    X(UNRECOVERABLE_POSITION, 112, "unrecoverable position", 416) \
    X(CONFLICT, 113, "conflict", 409)

#define API_ENUM_ERROR(name, code, text, status) API_ERROR_##name = (code),
enum api_error { API_ERROR_NONE = 0, API_ERRORS(API_ENUM_ERROR) };
#undef API_ENUM_ERROR

/* The table's text, or that of INTERNAL for a code that is not in it. */
struct span api_error_message(enum api_error error);

/* 200 for API_ERROR_NONE, else the table's status; 500 for a code that is not in it. */
uint16_t api_error_status(enum api_error error);

/* X(name, text): the last part of the path, `POST /api/<text>`. */
#define API_METHODS(X) \
    X(PUBLISH, "publish") \
    X(BROADCAST, "broadcast") \
    X(SUBSCRIBE, "subscribe") \
    X(UNSUBSCRIBE, "unsubscribe") \
    X(DISCONNECT, "disconnect") \
    X(REFRESH, "refresh") \
    X(PRESENCE, "presence") \
    X(PRESENCE_STATS, "presence_stats") \
    X(HISTORY, "history") \
    X(HISTORY_REMOVE, "history_remove") \
    X(CHANNELS, "channels") \
    X(INFO, "info") \
    X(RPC, "rpc") \
    X(BATCH, "batch") \
    X(MAP_PUBLISH, "map_publish") \
    X(MAP_REMOVE, "map_remove") \
    X(MAP_READ_STATE, "map_read_state") \
    X(MAP_READ_STREAM, "map_read_stream") \
    X(MAP_STATS, "map_stats") \
    X(MAP_CLEAR, "map_clear") \
    X(CONNECTIONS, "connections") \
    X(REVOKE_TOKEN, "revoke_token") \
    X(INVALIDATE_USER_TOKENS, "invalidate_user_tokens") \
    X(BLOCK_USER, "block_user") \
    X(UNBLOCK_USER, "unblock_user") \
    X(SHARED_POLL_PUBLISH, "shared_poll_publish")

#define API_ENUM_METHOD(name, text) API_METHOD_##name,
enum api_method { API_METHODS(API_ENUM_METHOD) API_METHOD_COUNT };
#undef API_ENUM_METHOD

/* API_METHOD_COUNT when there is no such method. */
enum api_method api_method_of(struct span name);

/* NULL for API_METHOD_COUNT. */
const char *api_method_name(enum api_method method);

/*
 * Requests. Spans are slices of the body or of the scratch; empty is absent. Whether a channel is
 * there and well named is for the handler to judge (107).
 */
struct api_publish_request {
    struct span channel; /* of publish */
    struct span
        channels;     /* of broadcast: JSON array of strings; walk it with json_strings_next() */
    struct span data; /* JSON, or whatever b64data decodes to: that one wins */
    struct span tags; /* JSON object of strings, checked */
    struct span idempotency_key;
    struct span version_epoch;
    uint64_t version;
    bool data_is_binary; /* `data` is from b64data: it need not be JSON */
    bool skip_history;
    bool delta;
};

struct api_subscribe_request {
    struct span channel;
    struct span user;
    struct span client;
    struct span session;
    struct span info; /* JSON, or what b64info decodes to */
    struct span data; /* JSON, or what b64data decodes to */
    int64_t expire_at_s;
    bool recover_since_present;
    uint64_t recover_since_offset;
    struct span recover_since_epoch;
    struct span override; /* JSON object, only its syntax is checked */
};

struct api_unsubscribe_request {
    struct span channel; /* empty: all */
    struct span user;
    struct span client;
    struct span session;
};

struct api_disconnect_request {
    struct span user;
    struct span client;
    struct span session;
    struct span whitelist; /* JSON array of client ids; walk it with json_strings_next() */
    uint32_t code;         /* 3503 and its reason when the request has no `disconnect` */
    struct span reason;
};

struct api_refresh_request {
    struct span user;
    struct span client;
    struct span session;
    struct span info; /* JSON */
    int64_t expire_at_s;
    bool expired;
};

/* map_publish and map_remove, which knows but channel, key and idempotency_key */
struct api_map_publish_request {
    struct span channel;
    struct span key;
    struct span data; /* JSON, or what b64data decodes to */
    struct span tags; /* JSON object of strings, checked */
    struct span idempotency_key;
    struct span version_epoch;
    struct span key_mode; /* Empty, "if_new" or "if_exists"; which is for the handler to judge. */
    uint64_t version;
    int64_t score;
    bool data_is_binary;
    bool delta;
};

struct api_map_read_state_request {
    struct span channel;
    struct span cursor;
    struct span key;
    struct span revision_epoch;
    uint64_t revision_offset;
    int32_t limit; /* Negative: all. */
    bool asc;
};

struct api_map_read_stream_request {
    struct span channel;
    struct span since_epoch;
    uint64_t since_offset;
    int32_t limit;
    bool reverse;
};

/* presence, presence_stats, history_remove, map_stats, map_clear */
struct api_channel_request {
    struct span channel;
};

struct api_history_request {
    struct span channel;
    int32_t limit;
    bool reverse;
    bool since_present;
    uint64_t since_offset;
    struct span since_epoch;
};

struct api_channels_request {
    struct span pattern; /* empty: all */
};

struct api_connections_request {
    struct span user;
    struct span channel;
    struct span cursor;       /* empty: the first page */
    uint32_t limit;           /* 0: the server's own */
    struct span expression;   /* of Centrifugo PRO, so that it can be refused; the same */
    struct span label_filter; /* of this, any JSON */
};

/* revoke_token, invalidate_user_tokens, block_user, unblock_user; each has some of them. */
struct api_revoke_request {
    struct span uid;
    struct span user;
    struct span channel; /* empty: all */
    int64_t issued_before_s;
    int64_t expire_at_s;
};

struct api_shared_poll_publish_request {
    struct span channel;
    struct span key;
    struct span data; /* JSON, or whatever b64data decodes to: that one wins */
    struct span epoch;
    uint64_t version;
    bool data_is_binary; /* `data` is from b64data: it need not be JSON */
};

struct api_batch_request {
    struct span commands; /* JSON array; walk it with api_json_next_command() */
    bool parallel;
};

/* One command of a batch, or a line of the API of before v3. */
struct api_command {
    enum api_method method; /* API_METHOD_COUNT: none that there is */
    struct span params;     /* JSON; empty: none */
};

/* Results. */
struct api_publish_result {
    uint64_t offset;
    struct span epoch;
};

/* map_publish, map_remove */
struct api_map_publish_result {
    uint64_t offset;
    struct span epoch;
    struct span suppress_reason; /* Empty: it was not suppressed. */
};

/* map_read_state, map_read_stream */
struct api_map_page_result {
    const struct client_publication *entries;
    size_t entry_count;
    uint64_t offset;
    struct span epoch;
    struct span cursor; /* Empty: there is no more. */
};

/* One channel's part of a broadcast: `result` counts when error is API_ERROR_NONE. */
struct api_publish_outcome {
    enum api_error error;
    struct api_publish_result result;
};

struct api_node_result {
    struct span uid;
    struct span name;
    struct span version;
    struct span client_address; /* Empty: not told. Centrifugo has no such field. */
    uint32_t client_count;
    uint32_t user_count;
    uint32_t channel_count;
    uint32_t sub_count;
    uint32_t uptime_s;
};

#endif
