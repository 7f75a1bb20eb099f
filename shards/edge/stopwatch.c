/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands under way. */
#include "shards/edge/stopwatch.h"

#include <stdlib.h>

#include "shards/actors.h"

struct place {
    uint32_t connection; /* Handle; with command_id 0: free. */
    uint32_t command_id;
    uint32_t began_us; /* Low bits. */
    uint32_t method;
};

struct stopwatch {
    struct place places[STOPWATCH_PLACES];
};

static_assert(STOPWATCH_PLACES % STOPWATCH_WAYS == 0, "whole sets");

struct stopwatch *stopwatch_create(void)
{
    return calloc(1, sizeof(struct stopwatch));
}

void stopwatch_destroy(struct stopwatch *stopwatch)
{
    free(stopwatch);
}

static uint32_t now_us(const struct edge *edge)
{
    return (uint32_t)(edge->shard->now_ns / 1000);
}

/* The multiplier is that of Knuth's multiplicative hash: ids and handles grow by one. */
static struct place *set_of(struct stopwatch *stopwatch, uint32_t connection, uint32_t command_id)
{
    const uint32_t hash = (connection * 31 + command_id) * 2654435761u;
    return &stopwatch->places[(hash >> 16) % (STOPWATCH_PLACES / STOPWATCH_WAYS) * STOPWATCH_WAYS];
}

static struct place *find(struct stopwatch *stopwatch, uint32_t connection, uint32_t command_id)
{
    struct place *set = set_of(stopwatch, connection, command_id);
    for (uint32_t i = 0; i < STOPWATCH_WAYS; i++) {
        if (set[i].connection == connection && set[i].command_id == command_id) {
            return &set[i];
        }
    }
    return NULL;
}

void stopwatch_start(struct edge *edge, uint32_t connection, uint32_t command_id,
                     enum client_method method)
{
    struct place *set = set_of(edge->stopwatch, connection, command_id);
    struct place *oldest = &set[0];
    const uint32_t now = now_us(edge);
    for (uint32_t i = 0; i < STOPWATCH_WAYS; i++) {
        if (set[i].connection == connection && set[i].command_id == command_id) {
            return;
        }
        if (oldest->command_id != 0 &&
            (set[i].command_id == 0 || now - set[i].began_us > now - oldest->began_us)) {
            oldest = &set[i];
        }
    }
    *oldest = (struct place){connection, command_id, now, (uint32_t)method};
}

enum client_method stopwatch_stop(struct edge *edge, uint32_t connection, uint32_t command_id)
{
    struct place *place = find(edge->stopwatch, connection, command_id);
    const enum client_method method =
        place == NULL ? CLIENT_METHOD_COUNT : (enum client_method)place->method;
    const uint32_t taken_us = place == NULL ? 0 : now_us(edge) - place->began_us;
    hist_record(edge->shard->stats->hists[HIST_COMMAND + method], (uint64_t)taken_us * 1000);
    if (place != NULL) {
        place->command_id = 0;
    }
    return method;
}
