/* SPDX-License-Identifier: Apache-2.0 */
/* The gossip's datagrams and states as values (gossip.proto says what they are on the wire). */
#ifndef ROOST_CODEC_GOSSIP_H
#define ROOST_CODEC_GOSSIP_H

#include "codec/must_check.h"
#include "codec/scratch.h"
#include "codec/span.h"
#include "codec/writer.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Decoding takes room from a scratch and from nowhere else; the spans of a decoded value point into
 * the scratch or into the input. The counts of fields are checked before any room is taken.
 * Encoding goes through a writer. All functions are pure; any shard may call them.
 */
enum {
    GOSSIP_DATAGRAM_LEN_MAX = 1400, /* sealed, as it is on the wire */
    GOSSIP_SEAL_LEN = 45,           /* what sealing adds (gossip_seal.h) */
    GOSSIP_PAYLOAD_LEN_MAX = GOSSIP_DATAGRAM_LEN_MAX - GOSSIP_SEAL_LEN,
    GOSSIP_MEMBERS_A_DATAGRAM_MAX = 40,

    GOSSIP_STATE_LEN_MAX = 8192, /* one part of a state; a node sends as many as it needs */
    GOSSIP_MEMBERS_A_STATE_MAX = 64,

    GOSSIP_UID_LEN = 16,
    GOSSIP_NAME_LEN_MAX = 127,
    GOSSIP_CLIENT_ADDRESS_LEN_MAX = 255,
    GOSSIP_ZONE_LEN_MAX = 63,
    GOSSIP_VERSION_LEN_MAX = 63,
    GOSSIP_DETAILS_LEN_MAX = 768, /* with fields that only a later version knows */
    GOSSIP_LOAD_LEN_MAX = 128,
    GOSSIP_EXTRA_LEN_MAX = 128,
    GOSSIP_MEMBER_LEN_MAX = 1152, /* one member, encoded */

    /* Room that is enough to decode any datagram or state, and any member, details or load. */
    GOSSIP_SCRATCH_LEN = 48 * 1024,
    GOSSIP_PART_SCRATCH_LEN = 12 * 1024,

    /* What this version speaks, and the oldest that it understands. */
    GOSSIP_PROTOCOL = 1,
    GOSSIP_PROTOCOL_MIN = 1,
};

static_assert(GOSSIP_DETAILS_LEN_MAX + GOSSIP_LOAD_LEN_MAX + GOSSIP_EXTRA_LEN_MAX + 80 <=
                  GOSSIP_MEMBER_LEN_MAX,
              "a member's parts fit into a member");
static_assert(GOSSIP_MEMBER_LEN_MAX + 80 <= GOSSIP_PAYLOAD_LEN_MAX, "a member fits a datagram");

/* Beyond this an incarnation is an error: whoever must rise above it always can. */
#define GOSSIP_INCARNATION_MAX (1ull << 62)

#define GOSSIP_RESULTS(X) \
    X(GOSSIP_OK, "ok") \
    X(GOSSIP_ERROR_SIZE, "longer than allowed") \
    X(GOSSIP_ERROR_COUNT, "more fields or members than allowed") \
    X(GOSSIP_ERROR_FORMAT, "not the Protobuf message that it should be") \
    X(GOSSIP_ERROR_SPACE, "needs more memory than it may take") \
    X(GOSSIP_ERROR_VERSION, "an older protocol than this node understands") \
    X(GOSSIP_ERROR_CLUSTER, "of another cluster") \
    X(GOSSIP_ERROR_KIND, "of a kind that this node does not know") \
    X(GOSSIP_ERROR_UID, "a uid is not of 16 bytes") \
    X(GOSSIP_ERROR_INCARNATION, "an incarnation is out of range") \
    X(GOSSIP_ERROR_STATUS, "a status that this node does not know") \
    X(GOSSIP_ERROR_TEXT, "a text is not UTF-8") \
    X(GOSSIP_ERROR_ADDRESS, "an address is not of IPv4 or IPv6 with a port") \
    X(GOSSIP_ERROR_RANGE, "a number is out of range")

#define GOSSIP_ENUM(name, text) name,
enum gossip_result { GOSSIP_RESULTS(GOSSIP_ENUM) GOSSIP_RESULT_COUNT };
#undef GOSSIP_ENUM

/* Never NULL. */
const char *gossip_result_text(enum gossip_result result);

struct gossip_uid {
    uint8_t bytes[GOSSIP_UID_LEN];
};

static inline bool gossip_uid_equal(const struct gossip_uid *a, const struct gossip_uid *b)
{
    return memcmp(a->bytes, b->bytes, GOSSIP_UID_LEN) == 0;
}

/* All zeros is nobody. */
static inline bool gossip_uid_is_nobody(const struct gossip_uid *uid)
{
    static const struct gossip_uid nobody;
    return gossip_uid_equal(uid, &nobody);
}

struct gossip_address {
    uint8_t ip[16]; /* The first 4 bytes of an IPv4 address. */
    uint16_t port;  /* In this machine's order. */
    uint8_t ip_len; /* 4, 16, or 0: none. */
};

static inline bool gossip_address_equal(const struct gossip_address *a,
                                        const struct gossip_address *b)
{
    return a->ip_len == b->ip_len && a->port == b->port && memcmp(a->ip, b->ip, a->ip_len) == 0;
}

/* As on the wire. Of two statuses of one incarnation the greater one wins. */
enum gossip_status {
    GOSSIP_UNSAID,
    GOSSIP_ALIVE,
    GOSSIP_SUSPECT,
    GOSSIP_UNREACHABLE,
    GOSSIP_DEAD,
    GOSSIP_LEFT,
    GOSSIP_STATUS_COUNT,
};

/* As on the wire. */
enum gossip_kind {
    GOSSIP_RUMOURS,
    GOSSIP_PING,
    GOSSIP_PING_REQUEST,
    GOSSIP_ACK,
    GOSSIP_NACK,
    GOSSIP_KIND_COUNT,
};

/* The parts of a member stay encoded, so that they can be forwarded as they came. */
struct gossip_member {
    struct gossip_uid uid;
    uint64_t incarnation;
    enum gossip_status status;
    struct gossip_uid accuser; /* nobody when there is none */
    struct span details;       /* for gossip_details_decode(); empty: not said */
    struct span load;          /* for gossip_load_decode(); empty: not said */
    struct span extra;         /* fields of a later version, forwarded as they are */
};

struct gossip_details {
    struct span name; /* all texts are UTF-8 */
    struct span client_address;
    struct gossip_address cluster_address;
    struct span zone;
    struct span version;
    uint32_t weight; /* > 0 */
    uint32_t shards; /* > 0 */
    uint32_t protocol_min;
    uint32_t protocol_max; /* >= protocol_min */
    bool is_draining;
};

struct gossip_load {
    uint64_t revision;
    uint64_t memory_bytes;
    uint32_t connections;
    uint32_t sessions;
    uint32_t messages_a_second;
    uint32_t loop_lag_us;
    uint32_t handshake_backlog;
    uint32_t users;
    uint32_t channels; /* That have their home there. */
    uint32_t subscriptions;
    uint32_t uptime_s;
};

struct gossip_datagram {
    uint32_t cluster;
    enum gossip_kind kind;
    uint32_t sequence;
    struct gossip_uid sender;
    struct gossip_uid target; /* nobody: whoever is at that address */
    bool wants_nack;
    uint32_t members_len;
    struct span members[GOSSIP_MEMBERS_A_DATAGRAM_MAX]; /* for gossip_member_decode() */
};

struct gossip_state {
    uint32_t cluster;
    struct gossip_uid sender;
    uint32_t members_len;
    struct span members[GOSSIP_MEMBERS_A_STATE_MAX];
};

/* The opened payload of a datagram. Members are not looked into: one that is bad spoils no other.
 */
CODEC_MUST_CHECK enum gossip_result gossip_datagram_decode(struct span payload, uint32_t cluster,
                                                           struct scratch *scratch,
                                                           struct gossip_datagram *out);
CODEC_MUST_CHECK enum gossip_result gossip_state_decode(struct span payload, uint32_t cluster,
                                                        struct scratch *scratch,
                                                        struct gossip_state *out);
CODEC_MUST_CHECK enum gossip_result
gossip_member_decode(struct span encoded, struct scratch *scratch, struct gossip_member *out);
CODEC_MUST_CHECK enum gossip_result
gossip_details_decode(struct span encoded, struct scratch *scratch, struct gossip_details *out);
CODEC_MUST_CHECK enum gossip_result gossip_load_decode(struct span encoded, struct scratch *scratch,
                                                       struct gossip_load *out);

/*
 * The caller keeps to the limits above; what does not fit is seen at the writer (writer.h). The
 * size of a whole is GOSSIP_HEAD_LEN_MAX at most, and GOSSIP_MEMBER_FRAME_LEN more than its length
 * for each member.
 */
enum { GOSSIP_HEAD_LEN_MAX = 64, GOSSIP_MEMBER_FRAME_LEN = 3 };
void gossip_datagram_encode(const struct gossip_datagram *datagram, struct writer *writer);
void gossip_state_encode(const struct gossip_state *state, struct writer *writer);
void gossip_member_encode(const struct gossip_member *member, struct writer *writer);
void gossip_details_encode(const struct gossip_details *details, struct writer *writer);
void gossip_load_encode(const struct gossip_load *load, struct writer *writer);

#endif
