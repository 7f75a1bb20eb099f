/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator's heap of coming events. */
#include "runtime/sim_events.h"

#include <stdbool.h>
#include <stdlib.h>

static bool is_before(const struct sim_event *event, const struct sim_event *other)
{
    if (event->at_ns != other->at_ns) {
        return event->at_ns < other->at_ns;
    }
    return event->order < other->order;
}

void sim_events_add(struct sim_events *events, struct sim_event event)
{
    if (events->count == events->room) {
        events->room = events->room == 0 ? 64 : 2 * events->room;
        events->heap = realloc(events->heap, events->room * sizeof(*events->heap));
        BUG_IF(events->heap == NULL);
    }
    event.order = events->order++;
    size_t at = events->count++;
    while (at > 0 && is_before(&event, &events->heap[(at - 1) / 2])) {
        events->heap[at] = events->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    events->heap[at] = event;
}

uint64_t sim_events_next_ns(const struct sim_events *events)
{
    return events->count == 0 ? UINT64_MAX : events->heap[0].at_ns;
}

struct sim_event sim_events_take(struct sim_events *events)
{
    BUG_IF(events->count == 0);
    const struct sim_event first = events->heap[0];
    const struct sim_event last = events->heap[--events->count];
    size_t at = 0;
    for (size_t child = 1; child < events->count; child = 2 * at + 1) {
        if (child + 1 < events->count &&
            is_before(&events->heap[child + 1], &events->heap[child])) {
            child++;
        }
        if (!is_before(&events->heap[child], &last)) {
            break;
        }
        events->heap[at] = events->heap[child];
        at = child;
    }
    events->heap[at] = last;
    return first;
}

void sim_events_clear(struct sim_events *events)
{
    free(events->heap);
    *events = (struct sim_events){.heap = NULL};
}
