/* SPDX-License-Identifier: Apache-2.0 */
/* What goes over transports is counted by transport and by what it is. */
#ifndef ROOST_SHARDS_EDGE_TRANSPORT_TALLY_H
#define ROOST_SHARDS_EDGE_TRANSPORT_TALLY_H

#include "shards/actors.h"
#include "shards/edge/edge.h"

/* `bytes`: of all of them together, as messages of the protocol. */
static inline void tally_sent(struct edge *edge, enum transport transport, enum frame_type frame,
                              uint64_t count, uint64_t bytes)
{
    actors_count_many(edge->actors, COUNTER_OF(TRANSPORT_SENT, transport, frame), count);
    actors_count_many(edge->actors, COUNTER_OF(TRANSPORT_SENT_SIZE, transport, frame), bytes);
}

static inline void tally_received(struct edge *edge, enum transport transport,
                                  enum frame_type frame, uint64_t bytes)
{
    actors_count(edge->actors, COUNTER_OF(TRANSPORT_RECEIVED, transport, frame));
    actors_count_many(edge->actors, COUNTER_OF(TRANSPORT_RECEIVED_SIZE, transport, frame), bytes);
}

#endif
