/* SPDX-License-Identifier: Apache-2.0 */
/* What a page of connections is asked for with, and the place of each in the order of pages. */
#ifndef ROOST_SHARDS_EDGE_API_CONNECTIONS_PLACE_H
#define ROOST_SHARDS_EDGE_API_CONNECTIONS_PLACE_H

#include <string.h>

#include "codec/writer.h"
#include "shards/payloads.h"

/* Before all others when it is zero, since no client's id is. */
struct connections_place {
    uint32_t index;
    uint8_t client[CLIENT_ID_LEN];
};

enum { CONNECTIONS_PLACE_LEN = 4 + CLIENT_ID_LEN };

static inline int connections_place_compare(const struct connections_place *a,
                                            const struct connections_place *b)
{
    return a->index != b->index ? (a->index > b->index) - (a->index < b->index)
                                : memcmp(a->client, b->client, sizeof(a->client));
}

static inline void connections_place_put(struct writer *out, const struct connections_place *place)
{
    for (int shift = 24; shift >= 0; shift -= 8) {
        writer_put_byte(out, (uint8_t)(place->index >> shift & 0xff));
    }
    writer_put(out, span_of(place->client, sizeof(place->client)));
}

/* Takes it off the front. False: there is none. */
MUST_CHECK static inline bool connections_place_take(struct span *bytes,
                                                     struct connections_place *place)
{
    if (bytes->len < CONNECTIONS_PLACE_LEN) {
        return false;
    }
    place->index = (uint32_t)bytes->at[0] << 24 | (uint32_t)bytes->at[1] << 16 |
                   (uint32_t)bytes->at[2] << 8 | bytes->at[3];
    memcpy(place->client, bytes->at + 4, sizeof(place->client));
    *bytes = span_skip(*bytes, CONNECTIONS_PLACE_LEN);
    return true;
}

struct connections_request {
    uint32_t limit; /* 1 .. CONNECTIONS_LIMIT_MAX */
    struct connections_place behind;
    struct span user;    /* Empty: any. */
    struct span channel; /* Empty: any. */
};

/* place, limit and length of the user in two bytes each, user, channel */
static inline void connections_request_put(struct writer *out,
                                           const struct connections_request *request)
{
    connections_place_put(out, &request->behind);
    writer_put_byte(out, (uint8_t)(request->limit >> 8 & 0xff));
    writer_put_byte(out, (uint8_t)(request->limit & 0xff));
    writer_put_byte(out, (uint8_t)(request->user.len >> 8 & 0xff));
    writer_put_byte(out, (uint8_t)(request->user.len & 0xff));
    writer_put(out, request->user);
    writer_put(out, request->channel);
}

/* Also of another node: false when it is none. */
MUST_CHECK bool connections_request_read(struct span bytes, struct connections_request *out);

#endif
