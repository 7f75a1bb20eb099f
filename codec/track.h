/* SPDX-License-Identifier: Apache-2.0 */
/* What a client tracks: keys with the versions that it has, in batches that a backend has signed.
 */
#ifndef ROOST_CODEC_TRACK_H
#define ROOST_CODEC_TRACK_H

#include "codec/json.h"

#include <openssl/sha.h>

/* Values of client_sub_refresh_request.type. */
enum track_type {
    TRACK_TYPE_REFRESH = 0,
    TRACK_TYPE_TRACK = 1,
    TRACK_TYPE_UNTRACK = 2,
};

struct track_batch {
    struct span signature;
    struct span items; /* JSON array, only its syntax is checked */
};

struct track_item {
    struct span key;
    uint64_t version; /* what the client has; 0: nothing */
};

/*
 * Walks over client_sub_refresh_request.track, and over the items of a batch: JSON_OK with the next
 * one, JSON_DONE at the end, or an error. Spans are slices of the text or of the scratch, of which
 * no more is taken than the text is long. Zero bytes count as an empty array. Pure; any shard.
 */
void track_begin(struct json_walk *walk, struct span array);
CODEC_MUST_CHECK enum json_result track_next_batch(struct json_walk *walk, struct scratch *scratch,
                                                   struct track_batch *out);
CODEC_MUST_CHECK enum json_result track_next_item(struct json_walk *walk, struct scratch *scratch,
                                                  struct track_item *out);

/*
 * A signature is `issued:expires:mac`: Unix seconds, and in hexadecimal the HMAC-SHA256 over
 * issued, expires, user, channel and the SHA-256 (in hexadecimal) of the keys, a NUL between each
 * two; the keys in the order of the batch, a NUL between each two of them.
 */
struct track_signature {
    int64_t issued_s;
    int64_t expires_s;
    struct span issued; /* As they were signed. */
    struct span expires;
    struct span mac;
};

/* False: it is none. */
CODEC_MUST_CHECK bool track_signature_parse(struct span text, struct track_signature *out);

/* The keys of a batch, one after the other. */
struct track_digest {
    SHA256_CTX sha;
    bool is_begun;
};

void track_digest_begin(struct track_digest *digest);
void track_digest_add(struct track_digest *digest, struct span key);

/* Who may track, and where. */
struct track_claim {
    struct span user;
    struct span channel;
};

/* Was it made with the secret? Takes the same time for every wrong mac. The digest is as it was. */
CODEC_MUST_CHECK bool track_signature_verify(const struct track_signature *signature,
                                             struct span secret, const struct track_claim *claim,
                                             const struct track_digest *digest);

#endif
