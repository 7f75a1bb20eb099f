/* SPDX-License-Identifier: Apache-2.0 */
/* Publications as subscribers get them that take deltas (PROTOCOL 11): the difference to the one
 * before where that is shorter, else the whole payload; to JSON clients either as a string. */
#ifndef ROOST_SHARDS_EDGE_FANOUT_DELTAS_H
#define ROOST_SHARDS_EDGE_FANOUT_DELTAS_H

#include "codec/client_protocol.h"
#include "shards/edge/edge.h"

struct stream_publications;

/* `frame` (a whole WebSocket frame with a publication's push) for such a subscriber, who has the
 * payload `base` as the same protocol has it; no bytes: the whole payload. One count; NULL when
 * memory is out. */
MUST_CHECK struct frame *deltas_make_frame(struct edge *edge, enum client_protocol protocol,
                                           struct span frame, struct span base);
/* The payload in such a frame; empty: there is none. */
struct span deltas_payload_of(enum client_protocol protocol, struct span frame);

/* A page for such a subscriber: the first publication whole, each other against the one before it.
 * What it takes is freed with the page. False: memory is out. */
MUST_CHECK bool deltas_make_page(struct edge *edge, enum client_protocol protocol,
                                 struct stream_publications *publications);
/* The same with each publication whole. */
MUST_CHECK bool deltas_make_whole_page(enum client_protocol protocol,
                                       struct stream_publications *publications);

#endif
