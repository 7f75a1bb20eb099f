/* SPDX-License-Identifier: Apache-2.0 */
/* Catch-ups in their pool, hanging on their sessions. */
#include "shards/edge/maps/map_catch_ups.h"

#include "shards/edge/fanout/filters.h"

struct pool *map_catch_ups_pool_create(void)
{
    return pool_create(sizeof(struct map_catch_up), MAP_CATCH_UPS_A_SHARD_MAX);
}

static struct map_catch_up *first_of(const struct edge *edge, const struct session *session)
{
    return pool_get(edge->map_catch_ups, session->map_catch_ups);
}

struct map_catch_up *map_catch_up_find(const struct edge *edge, const struct session *session,
                                       struct span channel)
{
    struct map_catch_up *at = first_of(edge, session);
    while (at != NULL && !span_equal(span_of_buf(at->channel), channel)) {
        at = pool_get(edge->map_catch_ups, at->next);
    }
    return at;
}

static void release(struct edge *edge, struct map_catch_up *catch_up)
{
    buf_release(catch_up->channel);
    buf_release(catch_up->chan_info);
    buf_release(catch_up->data);
    filters_release(edge, catch_up->filter);
    stream_page_release(catch_up->state);
    actors_gauge_add(edge->actors, COUNTER_MAP_CATCH_UPS, -1);
    pool_put(edge->map_catch_ups, catch_up->handle);
}

void map_catch_up_forget(struct edge *edge, struct session *session, struct map_catch_up *catch_up)
{
    uint32_t *at = &session->map_catch_ups;
    while (*at != catch_up->handle) {
        struct map_catch_up *before = pool_get(edge->map_catch_ups, *at);
        at = &before->next;
    }
    *at = catch_up->next;
    if (catch_up->is_awaited) {
        connection_resume(edge, catch_up->conn);
    }
    release(edge, catch_up);
}

void map_catch_up_forget_of(struct edge *edge, struct session *session, struct span channel)
{
    struct map_catch_up *catch_up = map_catch_up_find(edge, session, channel);
    if (catch_up != NULL) {
        map_catch_up_forget(edge, session, catch_up);
    }
}

void map_catch_ups_end(struct edge *edge, struct session *session)
{
    struct map_catch_up *catch_up;
    while ((catch_up = first_of(edge, session)) != NULL) {
        session->map_catch_ups = catch_up->next;
        release(edge, catch_up);
    }
}

uint32_t map_catch_ups_count(struct edge *edge, struct session *session, struct span channel)
{
    uint32_t count = 0;
    struct map_catch_up *next;
    for (struct map_catch_up *at = first_of(edge, session); at != NULL; at = next) {
        next = pool_get(edge->map_catch_ups, at->next);
        if (at->step == MAP_STEP_NONE && edge->shard->now_ms > at->due_ms &&
            !span_equal(span_of_buf(at->channel), channel)) {
            actors_count(edge->actors, COUNTER_MAP_CATCH_UPS_LATE);
            map_catch_up_forget(edge, session, at);
        } else if (at->step != MAP_STEP_LIVE) {
            count++;
        }
    }
    return count;
}

static struct buf *copy_of(struct span bytes, bool *is_made)
{
    struct buf *buf = span_is_empty(bytes) ? NULL : buf_copy(bytes.at, bytes.len);
    *is_made = *is_made && (span_is_empty(bytes) || buf != NULL);
    return buf;
}

struct map_catch_up *map_catch_up_create(struct edge *edge, struct session *session,
                                         const struct hub_subscribe *granted)
{
    uint32_t handle;
    bool is_made = true;
    struct map_catch_up *catch_up = pool_take(edge->map_catch_ups, &handle);
    if (catch_up == NULL) {
        filters_release(edge, granted->filter);
        return NULL;
    }
    *catch_up = (struct map_catch_up){
        .conn = session->conn,
        .channel = copy_of(granted->channel, &is_made),
        .options = granted->options,
        .chan_info = copy_of(granted->chan_info, &is_made),
        .data = copy_of(granted->data, &is_made),
        .filter = granted->filter,
        .due_ms = edge->shard->now_ms + granted->options->map.subscribe_catch_up_timeout_ms,
        .expire_at_s = granted->expire_at_s,
        .next = session->map_catch_ups,
        .handle = handle,
        .emits = granted->emits,
        .source = (uint8_t)granted->source,
        .push_join_leave = granted->push_join_leave,
    };
    actors_gauge_add(edge->actors, COUNTER_MAP_CATCH_UPS, 1);
    if (!is_made) {
        release(edge, catch_up);
        return NULL;
    }
    session->map_catch_ups = handle;
    return catch_up;
}
