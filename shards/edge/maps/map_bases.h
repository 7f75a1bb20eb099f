/* SPDX-License-Identifier: Apache-2.0 */
/* What the subscribers of a map have of its keys, as far as this shard has seen it: the bases of
 * deltas (PROTOCOL 11.2).
 *
 * Every subscriber that is LIVE has of each key its newest publication, since the home tells all
 * changes in their order. So one table serves all that take deltas: it has what came while the
 * channel was followed, and what a subscriber was told with its last page. Of a key that is not in
 * it, the next publication is told whole. The table is dropped where something may have been
 * missed.
 */
#ifndef ROOST_SHARDS_EDGE_MAPS_MAP_BASES_H
#define ROOST_SHARDS_EDGE_MAPS_MAP_BASES_H

#include "codec/client_push.h"
#include "shards/edge/fanout/broadcast_frames.h"

struct map_bases;

/* NULL: memory is out. */
MUST_CHECK struct map_bases *map_bases_create(struct random *random);
/* NULL is allowed. */
void map_bases_destroy(struct edge *edge, struct map_bases *bases);

/* A publication of a key was told to all: the next is told against it. One that may not be kept
 * (DELTA_KEPT_BYTES_A_SHARD_MAX) leaves the key without a base. False: it has no key. */
MUST_CHECK bool map_bases_put_arrival(struct edge *edge, struct map_bases *bases,
                                      const struct arrival *arrival);

/* Pages that one was told who follows the channel now; NULL is allowed. */
void map_bases_put_page(struct edge *edge, struct map_bases *bases, struct buf *page);

/* The payload that those who speak the protocol have of the key; empty: nobody knows. *memory is to
 * be freed after its use. */
struct span map_bases_get(const struct map_bases *bases, enum client_protocol protocol,
                          struct span key, uint8_t **memory);

/* The key of a publication's frame; empty: it has none, or it is too long. `room` must live as
 * long.
 */
enum { MAP_BASES_KEY_ROOM = MAP_KEY_LEN_MAX };
struct client_push_key map_bases_key_of(const struct arrival *arrival,
                                        uint8_t room[MAP_BASES_KEY_ROOM]);

#endif
