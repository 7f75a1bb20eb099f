/* SPDX-License-Identifier: Apache-2.0 */
/* Publications as subscribers get them that take deltas (PROTOCOL 11): the difference to the one
 * before where that is shorter, else the whole payload; to JSON clients either as a string. */
#ifndef ROOST_SHARDS_EDGE_DELTAS_H
#define ROOST_SHARDS_EDGE_DELTAS_H

#include "codec/client_protocol.h"
#include "shards/edge/edge.h"

struct stream_publications;

/* `frame` (a whole WebSocket frame with a publication's push) for such a subscriber, whose last
 * publication is in `base`, a frame of the same protocol; no bytes: the whole payload. One count;
 * NULL when memory is out. */
MUST_CHECK struct frame *deltas_make_frame(struct edge *edge, enum client_protocol protocol,
                                           struct span frame, struct span base);

/* A page for such a subscriber: the first publication whole, each other against the one before it.
 * What it takes is freed with the page. False: memory is out. */
MUST_CHECK bool deltas_make_page(struct edge *edge, enum client_protocol protocol,
                                 struct stream_publications *publications);

#endif
