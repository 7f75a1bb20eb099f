/* SPDX-License-Identifier: Apache-2.0 */
/* Since when commands wait for their answers, and which they are: for metrics alone.
 *
 * Sessions have no room for it, and few commands wait at a time, so a shard has one table of a
 * fixed size: a set of STOPWATCH_WAYS places for each value of a hash of connection and command id.
 * Where all places of a set are taken the oldest is given up, so that a shard with many more
 * commands under way than STOPWATCH_PLACES counts some of them as `unknown`, without their time.
 */
#ifndef ROOST_SHARDS_EDGE_STOPWATCH_H
#define ROOST_SHARDS_EDGE_STOPWATCH_H

#include "codec/client.h"
#include "shards/edge/edge.h"

enum { STOPWATCH_PLACES = 4096, STOPWATCH_WAYS = 4 };

struct stopwatch;

/* NULL: memory is out. */
MUST_CHECK struct stopwatch *stopwatch_create(void);
void stopwatch_destroy(struct stopwatch *stopwatch);

/* A command begins. One that is tried again has begun before. */
void stopwatch_start(struct edge *edge, uint32_t connection, uint32_t command_id,
                     enum client_method method);

/* It is answered: its time is recorded. CLIENT_METHOD_COUNT: it is not known any more. */
enum client_method stopwatch_stop(struct edge *edge, uint32_t connection, uint32_t command_id);

#endif
