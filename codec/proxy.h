/* SPDX-License-Identifier: Apache-2.0 */
/* What a node asks a backend about a client, and what the backend decides, as JSON. */
#ifndef ROOST_CODEC_PROXY_H
#define ROOST_CODEC_PROXY_H

#include "codec/jwt_subs.h"
#include "codec/span.h"
#include "codec/writer.h"

/* X(name, text): the kinds of Centrifugo's proxies that go over HTTP and have a meaning here. */
#define PROXY_KINDS(X) \
    X(CONNECT, "connect") \
    X(REFRESH, "refresh") \
    X(SUBSCRIBE, "subscribe") \
    X(PUBLISH, "publish") \
    X(RPC, "rpc") \
    X(SUB_REFRESH, "sub_refresh") \
    X(MAP_PUBLISH, "map_publish") \
    X(MAP_REMOVE, "map_remove") \
    X(SHARED_POLL_REFRESH, "shared_poll_refresh") /* See proxy_poll.h. */

#define PROXY_ENUM_KIND(name, text) PROXY_##name,
enum proxy_kind { PROXY_KINDS(PROXY_ENUM_KIND) PROXY_KIND_COUNT };
#undef PROXY_ENUM_KIND

const char *proxy_kind_name(enum proxy_kind kind);

/* Empty spans are left out, but for `user`, which only connect does without. */
struct proxy_request {
    struct span client;
    struct span transport;
    struct span protocol; /* "json" or "protobuf" */
    struct span user;
    struct span channel;
    struct span method;
    struct span key;
    struct span token;
    struct span name;
    struct span version;
    struct span data; /* JSON, or any bytes where they are sent as base64. */
    struct span meta; /* JSON */
    struct span subs; /* JSON object, whose keys are the channels of a connect. */
    bool is_binary;   /* Data goes as base64. */
};

void proxy_encode_request(struct writer *out, enum proxy_kind kind,
                          const struct proxy_request *request);

/* What any kind may be answered; each takes what is of use to it. Spans are slices of the text or
 * of the scratch. */
struct proxy_answer {
    bool has_error;
    uint32_t error_code;
    struct span error_message;
    bool error_is_temporary;

    bool has_disconnect;
    uint32_t disconnect_code;
    struct span disconnect_reason;

    bool has_result;
    bool expired;
    int64_t expire_at_s;
    struct span user;
    struct span info; /* JSON, or what b64info decodes to; so is data. */
    struct span data;
    bool has_data;
    bool data_is_binary;  /* It came as base64. */
    struct span meta;     /* JSON */
    struct span channels; /* JSON array of strings, checked. */
    struct span subs;     /* JSON object, only its syntax is checked. */
    struct jwt_override override;
    bool skip_history;
    struct span tags; /* JSON object of strings, checked. */
    struct span idempotency_key;
    struct span version_epoch;
    uint64_t version;
    bool delta;
    struct span key;
    struct span key_mode;
    int64_t score;
    struct span stream_data; /* As data. */
    bool stream_data_is_binary;
    /* A field of the result that Centrifugo PRO has and roost has not: the answer would not do what
     * its author wants. Empty: none. */
    struct span unsupported;
};

/* The scratch needs as much room as the text has. */
CODEC_MUST_CHECK enum json_result proxy_decode_answer(struct span text, struct scratch *scratch,
                                                      struct proxy_answer *out);

#endif
