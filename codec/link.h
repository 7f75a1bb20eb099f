/* SPDX-License-Identifier: Apache-2.0 */
/* The frames of a link between two nodes, and the handshake in them (link.proto says what they are
 * on the wire). */
#ifndef ROOST_CODEC_LINK_H
#define ROOST_CODEC_LINK_H

#include "codec/gossip.h"
#include "codec/must_check.h"
#include "codec/span.h"
#include "codec/writer.h"

#include <stdbool.h>
#include <stdint.h>

/* All functions are pure; any shard may call them. Decoded values own nothing. */
enum {
    LINK_LENGTH_LEN = 4,
    LINK_HEAD_LEN = LINK_LENGTH_LEN + 1, /* The length and the kind. */
    /* What a frame that is no message may have behind its length: all that a node reads from
     * somebody whom it does not know yet. */
    LINK_HELLO_LEN_MAX = 256,
    LINK_MESSAGE_LEN_MAX = 64 * 1024 * 1024,
};

/* Of the messages that cross links. */
enum {
    LINK_PROTOCOL = 1,
    LINK_PROTOCOL_MIN = 1,
};

#define LINK_RESULTS(X) \
    X(LINK_OK, "ok") \
    X(LINK_MORE, "not all of it is here") \
    X(LINK_ERROR_EMPTY, "a frame of no bytes") \
    X(LINK_ERROR_SIZE, "longer than allowed") \
    X(LINK_ERROR_TLS, "TLS, where none is spoken") \
    X(LINK_ERROR_KIND, "of a kind that this node does not know") \
    X(LINK_ERROR_ORDER, "of a kind that may not come now") \
    X(LINK_ERROR_FORMAT, "not the Protobuf message that it should be") \
    X(LINK_ERROR_UID, "a uid is not of 16 bytes, or is nobody's") \
    X(LINK_ERROR_INCARNATION, "an incarnation is out of range") \
    X(LINK_ERROR_PROTOCOL, "a range of protocols that is none, or a choice beyond it")

#define LINK_ENUM(name, text) name,
enum link_result { LINK_RESULTS(LINK_ENUM) LINK_RESULT_COUNT };

/* As on the wire. */
#define LINK_REFUSALS(X) \
    X(LINK_REFUSED_UNSAID, "for a reason that this node does not know") \
    X(LINK_REFUSED_CLUSTER, "of another cluster") \
    X(LINK_REFUSED_VERSION, "no common protocol") \
    X(LINK_REFUSED_SELF, "it is the node itself") \
    X(LINK_REFUSED_UID, "another node was expected here") \
    X(LINK_REFUSED_STALE, "an earlier life than the one that is known") \
    X(LINK_REFUSED_CROSSED, "another connection to the same node goes before") \
    X(LINK_REFUSED_BUSY, "no room for another link") \
    X(LINK_REFUSED_KEY, "not sealed with a key of this cluster")

enum link_refusal { LINK_REFUSALS(LINK_ENUM) LINK_REFUSAL_COUNT };
#undef LINK_ENUM

/* Never NULL. */
const char *link_result_text(enum link_result result);
const char *link_refusal_text(enum link_refusal refusal);

/* As on the wire. */
enum link_kind {
    LINK_HELLO = 1,
    LINK_WELCOME = 2,
    LINK_REFUSAL = 3,
    LINK_PING = 4,
    LINK_PONG = 5,
    LINK_MESSAGE = 6,
};

struct link_frame {
    enum link_kind kind;
    struct span body; /* A slice of what was read. */
};

struct link_hello {
    uint32_t cluster;
    uint32_t protocol_min;
    uint32_t protocol_max; /* >= protocol_min */
    uint32_t protocol;     /* 0: not chosen; within the range otherwise. */
    uint64_t incarnation;
    struct gossip_uid uid;    /* Somebody's. */
    struct gossip_uid wanted; /* nobody: whoever is there */
};

/*
 * The next frame. LINK_OK: *rest begins behind it. LINK_MORE: *rest is unchanged, and *need are the
 * bytes that it must have, as far as that can be told. A message longer than `message_len_max`, or
 * any other frame longer than LINK_HELLO_LEN_MAX, is an error as soon as its length is here.
 * `message_len_max` 0: no message may come, whatever its length.
 */
CODEC_MUST_CHECK enum link_result link_frame_read(struct span *rest, uint32_t message_len_max,
                                                  struct link_frame *out, size_t *need);

/* What the body of a frame says. A doubled field counts as its last, an unknown one as none. */
CODEC_MUST_CHECK enum link_result link_hello_decode(struct span body, bool is_welcome,
                                                    struct link_hello *out);
CODEC_MUST_CHECK enum link_result link_refusal_decode(struct span body, enum link_refusal *out);
CODEC_MUST_CHECK enum link_result link_beat_decode(struct span body, uint64_t *sent_us);

/* The body of a hello or welcome, and a frame of a body that was sealed: at most LINK_HELLO_LEN_MAX
 * bytes each, with GOSSIP_SEAL_LEN of them. */
void link_hello_encode(const struct link_hello *hello, bool is_welcome, struct writer *body);
void link_frame_write(enum link_kind kind, struct span body, struct writer *writer);

/* Whole frames. LINK_HEAD_LEN + LINK_HELLO_LEN_MAX of room is enough for any. */
void link_hello_write(const struct link_hello *hello, bool is_welcome, struct writer *writer);
void link_refusal_write(enum link_refusal refusal, struct writer *writer);
void link_beat_write(uint64_t sent_us, bool is_pong, struct writer *writer);

/* The head of a message whose `len` bytes follow. */
void link_message_head(uint32_t len, uint8_t out[LINK_HEAD_LEN]);

/* What two nodes will speak: the highest that both know, 0 when there is none. */
uint32_t link_protocol_choose(const struct link_hello *one, const struct link_hello *other);

#endif
