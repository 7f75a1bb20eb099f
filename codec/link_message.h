/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes say to each other about channels and users, as values (link_message.proto says what
 * they are on the wire, and which fields each kind has). */
#ifndef ROOST_CODEC_LINK_MESSAGE_H
#define ROOST_CODEC_LINK_MESSAGE_H

#include "codec/protobuf.h"

/*
 * Decoding allocates nothing: spans point into the input. Encoding goes through a writer. All
 * functions are pure; any shard may call them. A peer is authenticated but may be of another
 * version: unknown fields are passed over, an unknown kind is an error of its own.
 */

/* X(name): the order is that of the numbers on the wire, from 1. */
#define LINK_MESSAGE_KINDS(X) \
    X(SUBSCRIBE) \
    X(SUBSCRIBED) \
    X(UNSUBSCRIBE) \
    X(MOVED) \
    X(PUBLISH) \
    X(PUBLISHED) \
    X(PUBLICATION) \
    X(PRESENCE_ASK) \
    X(PRESENCE) \
    X(HISTORY_ASK) \
    X(HISTORY) \
    X(USER_ADD) \
    X(USER_ADDED) \
    X(USER_REMOVE) \
    X(USER_SET) \
    X(USER_COMMAND) \
    X(SESSION_COMMAND) \
    X(SURVEY) \
    X(SURVEY_RESULT) \
    X(INTEREST_SUM) \
    X(INTEREST_WRONG) \
    X(CHANNEL_MOVE) \
    X(SLOTS_MOVED) \
    X(MEMBERS) \
    X(EMULATE) \
    X(EMULATED) \
    X(CHANNEL_TAKEN) \
    X(SLOTS_ASK) \
    X(MAP_ASK) \
    X(MAP_PAGE) \
    X(USER_TAKE) \
    X(USER_TAKEN) \
    X(PASS_ON) \
    X(PASSED_ON) \
    X(REVOCATIONS) \
    X(REVOCATIONS_SUM) \
    X(SLOTS_MISSED) \
    X(SLOTS_NOTED)

enum link_message_kind {
    LINK_MESSAGE_NONE,
#define LINK_MESSAGE_KIND(name) LINK_MESSAGE_##name,
    LINK_MESSAGE_KINDS(LINK_MESSAGE_KIND)
#undef LINK_MESSAGE_KIND
        LINK_MESSAGE_KINDS_LEN
};

enum {
    LINK_MESSAGE_CLIENT_LEN = 16,
    LINK_MESSAGE_NAME_LEN_MAX = 4096, /* Of channels, users and patterns. */
    LINK_MESSAGE_HEAD_LEN_MAX = 64 * 1024,
    LINK_MESSAGE_KEY_LEN_MAX = 1024, /* Of idempotency keys. */
};

struct link_command {
    uint32_t kind;
    uint32_t code;
    struct span user;
    struct span client;
    struct span session;
    struct span channel;
    struct span reason;
    struct span whitelist;
    struct span detail;
};

/* The head of a message. */
struct link_message {
    enum link_message_kind kind;
    uint32_t cookie;
    uint32_t handle;
    uint32_t flags;
    uint32_t error;
    struct span name;
    uint64_t epoch;
    uint64_t offset;
    uint64_t sequence;
    uint32_t limit;
    uint32_t bytes_max;
    uint32_t meta_ttl_s;
    uint32_t history_size;
    uint32_t history_ttl_s;
    uint32_t clients;
    uint32_t users;
    uint32_t shard;
    uint32_t hops;
    uint32_t what;
    uint64_t age_us;
    uint64_t version;
    uint64_t version_epoch;
    uint32_t key_ttl_ms;
    uint32_t stream_ttl_s;
    struct span cursor;
    bool has_command;
    struct link_command command;
};

/* What a payload may have several of. */
struct link_identity {
    struct span client; /* LINK_MESSAGE_CLIENT_LEN bytes */
    struct span user;
    struct span conn_info;
    struct span chan_info;
};

struct link_entry {
    struct span channel;
    struct span data;
    struct span tags;
    struct span idempotency_key;
    struct span version_epoch;
    struct span key; /* Of a map; empty: none. */
    uint64_t version;
    uint64_t offset;
    int64_t score;
    uint64_t time_ms;
    uint64_t ttl_ms;
    uint32_t key_mode;
    bool is_binary; /* `data` is not JSON. */
    bool wants_delta;
    bool is_removed;   /* The key is. */
    bool is_passed_on; /* To a wildcard; `channel` is where it was made. */
    bool has_identity;
    struct link_identity identity;
};

/* What a survey found. */
struct link_channel {
    struct span name; /* Or another row of an answer, of any length. */
    uint32_t clients;
};

struct link_told {
    struct span publication; /* As the payload of a PUBLICATION, and as in its head: */
    uint64_t offset;
    uint64_t epoch;
    uint32_t what;
    uint32_t flags;
};

struct link_known {
    struct span idempotency_key;
    uint64_t offset;
    uint64_t epoch;
    uint64_t ttl_ms;
};

struct link_revocation {
    uint32_t kind;
    struct span name;
    struct span channel;
    uint64_t issued_before_s;
    uint64_t expire_at_s;
    uint64_t changed_ms;
    bool is_lifted;
};

#define LINK_MESSAGE_RESULTS(X) \
    X(LINK_MESSAGE_OK, "ok") \
    X(LINK_MESSAGE_DONE, "nothing is left") \
    X(LINK_MESSAGE_ERROR_FORMAT, "not the Protobuf message that it should be") \
    X(LINK_MESSAGE_ERROR_SIZE, "a head that is too long") \
    X(LINK_MESSAGE_ERROR_KIND, "of a kind that this node does not know") \
    X(LINK_MESSAGE_ERROR_NAME, "a name is missing or too long") \
    X(LINK_MESSAGE_ERROR_KEY, "a key is missing or too long") \
    X(LINK_MESSAGE_ERROR_CLIENT, "a client id is not of 16 bytes") \
    X(LINK_MESSAGE_ERROR_PART, "a part is missing") \
    X(LINK_MESSAGE_ERROR_PAYLOAD, "the payload is missing")

#define LINK_MESSAGE_ENUM(name, text) name,
enum link_message_result { LINK_MESSAGE_RESULTS(LINK_MESSAGE_ENUM) LINK_MESSAGE_RESULT_COUNT };
#undef LINK_MESSAGE_ENUM

/* Never NULL. */
const char *link_message_result_text(enum link_message_result result);

/* One message of a link: its head, and what stands behind it. What its kind needs is there. */
CODEC_MUST_CHECK enum link_message_result
link_message_decode(struct span message, struct link_message *out, struct span *payload);

/* The head, with its length before it; the payload is to follow. */
void link_message_encode(struct writer *out, const struct link_message *message);

/* One more item of a payload. */
void link_put_identity(struct writer *out, const struct link_identity *identity);
void link_put_entry(struct writer *out, const struct link_entry *entry);
void link_put_channel(struct writer *out, const struct link_channel *channel);
void link_put_told(struct writer *out, const struct link_told *told);
void link_put_known(struct writer *out, const struct link_known *known);
void link_put_revocation(struct writer *out, const struct link_revocation *revocation);

/* The whole payload of a PUBLICATION: the fields of one entry. Its channel and its offset are the
 * head's; of who joins or leaves there is but the identity. */
void link_put_publication(struct writer *out, const struct link_entry *publication);
CODEC_MUST_CHECK enum link_message_result link_read_publication(struct span payload,
                                                                struct link_entry *out);

/* The next item of its sort in a payload, of which *rest is what was not read; ..._DONE at the end.
 */
CODEC_MUST_CHECK enum link_message_result link_next_identity(struct span *rest,
                                                             struct link_identity *out);
CODEC_MUST_CHECK enum link_message_result link_next_entry(struct span *rest,
                                                          struct link_entry *out);
CODEC_MUST_CHECK enum link_message_result link_next_channel(struct span *rest,
                                                            struct link_channel *out);
CODEC_MUST_CHECK enum link_message_result link_next_told(struct span *rest, struct link_told *out);
CODEC_MUST_CHECK enum link_message_result link_next_known(struct span *rest,
                                                          struct link_known *out);
CODEC_MUST_CHECK enum link_message_result link_next_revocation(struct span *rest,
                                                               struct link_revocation *out);

#endif
