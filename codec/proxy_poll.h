/* SPDX-License-Identifier: Apache-2.0 */
/* What a node asks a backend about the keys of a channel that clients track, and what it says of
 * them, as JSON. */
#ifndef ROOST_CODEC_PROXY_POLL_H
#define ROOST_CODEC_PROXY_POLL_H

#include "codec/json.h"
#include "codec/writer.h"

/* A key, and the version that is known of it; 0: none. */
struct proxy_poll_key {
    struct span key;
    uint64_t version;
};

struct proxy_poll_request {
    struct span channel;
    const struct proxy_poll_key *keys;
    size_t keys_len;
};

void proxy_encode_poll(struct writer *out, const struct proxy_poll_request *request);

/* Spans are slices of the text or of the scratch. */
struct proxy_poll_answer {
    bool has_error;
    uint32_t error_code;
    struct span error_message;
    struct span epoch;
    struct span items; /* JSON array, only its syntax is checked */
};

struct proxy_poll_item {
    struct span key;
    struct span data; /* JSON; empty: none was said */
    uint64_t version;
    bool removed;
};

/* The scratch needs as much room as the text has. */
CODEC_MUST_CHECK enum json_result proxy_decode_poll(struct span text, struct scratch *scratch,
                                                    struct proxy_poll_answer *out);

/* Walks over the answer's items: JSON_OK with the next one, JSON_DONE at the end, or an error. */
void proxy_poll_items_begin(struct json_walk *walk, struct span items);
CODEC_MUST_CHECK enum json_result
proxy_poll_items_next(struct json_walk *walk, struct scratch *scratch, struct proxy_poll_item *out);

#endif
