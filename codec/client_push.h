/* SPDX-License-Identifier: Apache-2.0 */
/* A publication's push as it was encoded, taken apart and put together again around other data. */
#ifndef ROOST_CODEC_CLIENT_PUSH_H
#define ROOST_CODEC_CLIENT_PUSH_H

#include "codec/client_protocol.h"
#include "codec/filter.h"

/*
 * Where subscribers want one publication in several forms, it is encoded once in full; from that
 * the other forms are made, without its channel, its publisher and its tags being encoded again.
 * All functions are pure; any shard.
 */

/* Slices of the message. */
struct client_push_parts {
    struct span before; /* JSON: up to the data; Protobuf: of the push, what is before `pub`. */
    struct span data;   /* The payload as it stands; empty: there is none. */
    struct span after;  /* JSON: behind the data; Protobuf: the other fields of `pub`. */
};

/* `message` is a reply as client_protocol_encode_reply() has made it. False: it is no push of a
 * publication. */
CODEC_MUST_CHECK bool client_push_take_apart(enum client_protocol protocol, struct span message,
                                             struct client_push_parts *out);

/*
 * The same push, one with data, as a subscriber gets it that takes deltas: `data` is the whole
 * payload, or with `is_delta` the delta that makes it. A JSON client gets either as a string.
 */
void client_push_put(enum client_protocol protocol, struct writer *out,
                     const struct client_push_parts *parts, struct span data, bool is_delta);

/* How much scratch always suffices to read the tags of a push whose `after` is that long. */
#define CLIENT_PUSH_TAGS_SCRATCH_LEN(after_len) FILTER_TAGS_SCRATCH_LEN(after_len)

/* Its tags, for filters. They point into the message and the scratch. */
CODEC_MUST_CHECK enum filter_result client_push_read_tags(enum client_protocol protocol,
                                                          const struct client_push_parts *parts,
                                                          struct scratch *scratch,
                                                          struct filter_tags *out);

/* The key of a map that a publication is for, and whether it removes it. */
struct client_push_key {
    struct span key; /* Empty: it is for no map. */
    bool removed;
};

/* The key points into the message, or into the scratch where it has escapes. False: the scratch is
 * too small for it. */
CODEC_MUST_CHECK bool client_push_read_key(enum client_protocol protocol,
                                           const struct client_push_parts *parts,
                                           struct scratch *scratch, struct client_push_key *out);

/* The client that published it, as text; empty: no client did. A slice of the message. */
struct span client_push_publisher(enum client_protocol protocol,
                                  const struct client_push_parts *parts);

#endif
