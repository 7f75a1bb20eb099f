/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in an array in their order, and in lists by what ends and what changed first. */
#include "shards/channel/map_state.h"

#include <stdlib.h>

#include "runtime/array.h"
#include "shards/channel/homes.h"
#include "shards/limits.h"

struct map_states {
    struct actors *actors;
    struct map_entry *spare; /* What map_state_prepare has made sure of; NULL: none. */
    uint64_t bytes_max;
    uint64_t bytes; /* With what was removed. */
    uint64_t keys;
};

enum {
    /* What an allocator and an array take for an entry beside its bytes. */
    ENTRY_OVERHEAD = 64 + sizeof(struct map_entry),
    /* What a reply writes around a publication's parts, at most: names, numbers, quotes, ids. */
    ENCODED_OVERHEAD = 256,
    ROOM_MIN = 4,
};

struct map_states *map_states_create(struct actors *actors)
{
    struct map_states *states = calloc(1, sizeof(*states));
    if (states != NULL) {
        states->actors = actors;
        states->bytes_max = actors->options->map_memory_limit / actors->node->shards;
    }
    return states;
}

void map_states_destroy(struct map_states *states)
{
    if (states != NULL) {
        free(states->spare);
        free(states);
    }
}

static void update_metrics(const struct map_states *states)
{
    struct stats *stats = states->actors->shard->stats;
    stats_set(stats, COUNTER_MAP_KEYS, states->keys);
    stats_set(stats, COUNTER_MAP_BYTES, states->bytes);
}

static uint64_t now_ms_of(const struct map_states *states)
{
    return states->actors->shard->now_ms;
}

/* ---- entries ---- */

static uint64_t payload_len(const struct buf *request, const struct buf *identity)
{
    return (uint64_t)request->len + (identity == NULL ? 0 : identity->len);
}

static uint64_t weight_of(const struct map_entry *entry)
{
    return payload_len(entry->request, entry->identity) + ENTRY_OVERHEAD;
}

static void entry_free(struct map_states *states, struct map_entry *entry)
{
    states->bytes -= weight_of(entry);
    list_remove(&entry->changed);
    list_remove(&entry->timed);
    buf_release(entry->request);
    buf_release(entry->identity);
    free(entry);
}

/* Behind those that end no later; most keys of a map live equally long, so that is at the end. */
static void entry_set_end(struct map_states *states, struct map_state *map, struct map_entry *entry,
                          uint64_t ttl_ms)
{
    list_remove(&entry->timed);
    if (ttl_ms == 0) {
        return;
    }
    entry->ends_ms = now_ms_of(states) + ttl_ms;
    struct list *after = map->expiries.prev;
    while (after != &map->expiries &&
           CONTAINER_OF(after, struct map_entry, timed)->ends_ms > entry->ends_ms) {
        after = after->prev;
    }
    list_prepend(after, &entry->timed);
}

static struct map_entry *change_of(struct list *link)
{
    return CONTAINER_OF(link, struct map_entry, changed);
}

static void entry_set_changed(struct map_state *map, struct map_entry *entry, uint64_t offset)
{
    entry->offset = offset;
    list_remove(&entry->changed);
    list_append(&map->changes, &entry->changed);
}

/* ---- keys in their order ---- */

static int compare(struct span a, struct span b)
{
    const int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The place of the first key that is not before this one. */
static uint32_t place_of(const struct map_state *map, struct span key)
{
    uint32_t low = 0;
    uint32_t high = map->len;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (compare(map->keys[middle]->key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool has_key_at(const struct map_state *map, uint32_t place, struct span key)
{
    return place < map->len && span_equal(map->keys[place]->key, key);
}

struct map_entry *map_state_find(const struct map_state *map, struct span key)
{
    const uint32_t place = place_of(map, key);
    return has_key_at(map, place, key) ? map->keys[place] : NULL;
}

static bool keys_reserve(struct map_state *map)
{
    struct map_entry **keys =
        array_reserve(map->keys, map->len, &map->room, ROOM_MIN, sizeof(struct map_entry *));
    if (keys == NULL) {
        return false;
    }
    map->keys = keys;
    return true;
}

static void keys_insert(struct map_state *map, uint32_t place, struct map_entry *entry)
{
    struct map_entry **at = map->keys + place;
    memmove(at + 1, at, (map->len - place) * sizeof(struct map_entry *));
    *at = entry;
    map->len++;
}

static void keys_remove(struct map_state *map, uint32_t place)
{
    struct map_entry **at = map->keys + place;
    map->len--;
    memmove(at, at + 1, (map->len - place) * sizeof(struct map_entry *));
    if (map->len == 0) {
        free(map->keys);
        map->keys = NULL;
        map->room = 0;
    }
}

/* ---- life ---- */

struct map_state *map_state_open(struct map_states *states, uint32_t channel)
{
    struct map_state *map = calloc(1, sizeof(*map));
    if (map != NULL) {
        map->channel = channel;
        list_init(&map->changes);
        list_init(&map->expiries);
        list_init(&map->removals);
        actors_gauge_add(states->actors, COUNTER_MAP_CHANNELS, 1);
    }
    return map;
}

void map_state_close(struct map_states *states, struct map_state *map)
{
    timer_stop(states->actors->shard->timers, &map->timer);
    while (!list_is_empty(&map->changes)) {
        entry_free(states, change_of(map->changes.next));
    }
    states->keys -= map->len;
    free(map->keys);
    free(map);
    update_metrics(states);
    actors_gauge_add(states->actors, COUNTER_MAP_CHANNELS, -1);
}

/* ---- publications ---- */

/* For one more key. */
static bool reserve(struct map_states *states, struct map_state *map)
{
    if (states->spare == NULL) {
        states->spare = calloc(1, sizeof(*states->spare));
    }
    return states->spare != NULL && keys_reserve(map);
}

enum map_result map_state_prepare(struct map_states *states, struct map_state *map,
                                  const struct buf *request, const struct buf *identity)
{
    const struct node_options *options = states->actors->options;
    const struct map_entry *known = map_state_find(map, publish_request_of(request).key);
    const uint64_t before = known == NULL ? 0 : weight_of(known);
    const uint64_t weight = payload_len(request, identity) + ENTRY_OVERHEAD;
    if (known == NULL && map->len >= options->map_max_keys) {
        return MAP_ERROR_KEYS;
    }
    if (map->bytes - before + weight > options->map_max_size) {
        return MAP_ERROR_SIZE;
    }
    if (states->bytes - before + weight > states->bytes_max) {
        return MAP_ERROR_SHARD;
    }
    return known != NULL || reserve(states, map) ? MAP_OK : MAP_ERROR_MEMORY;
}

void map_state_put(struct map_states *states, struct map_state *map, const struct map_put *put)
{
    const struct span key = publish_request_of(put->request).key;
    const uint32_t place = place_of(map, key);
    struct map_entry *entry;
    if (has_key_at(map, place, key)) {
        entry = map->keys[place];
        states->bytes -= weight_of(entry);
        map->bytes -= weight_of(entry);
        buf_release(entry->request);
        buf_release(entry->identity);
    } else {
        entry = states->spare;
        states->spare = NULL;
        states->keys++;
        keys_insert(map, place, entry);
    }
    entry->key = key;
    entry->request = put->request;
    entry->identity = put->identity;
    buf_share(put->request, 1);
    if (put->identity != NULL) {
        buf_share(put->identity, 1);
    }
    states->bytes += weight_of(entry);
    map->bytes += weight_of(entry);
    entry_set_changed(map, entry, put->offset);
    entry_set_end(states, map, entry, put->ttl_ms);
    map_state_schedule(states, map);
    update_metrics(states);
}

void map_state_keep(struct map_states *states, struct map_state *map, struct map_entry *entry,
                    uint64_t ttl_ms)
{
    entry_set_end(states, map, entry, ttl_ms);
    map_state_schedule(states, map);
}

/* The longest ago: what was removed up to then is known no longer. */
static void forget_removal(struct map_states *states, struct map_state *map)
{
    struct map_entry *entry = CONTAINER_OF(map->removals.next, struct map_entry, timed);
    map->known_since = entry->offset;
    map->removals_len--;
    entry_free(states, entry);
}

void map_state_remove(struct map_states *states, struct map_state *map, struct map_entry *entry,
                      struct buf *removal, uint64_t offset)
{
    keys_remove(map, place_of(map, entry->key));
    states->keys--;
    map->bytes -= weight_of(entry);
    if (map->stream_size > 0) {
        entry_free(states, entry);
        update_metrics(states);
        return;
    }
    states->bytes -= weight_of(entry);
    buf_release(entry->request);
    buf_release(entry->identity);
    buf_share(removal, 1);
    entry->request = removal;
    entry->identity = NULL;
    entry->is_removed = true;
    entry->key = publish_request_of(removal).key;
    states->bytes += weight_of(entry);
    entry_set_changed(map, entry, offset);
    list_remove(&entry->timed);
    entry->ends_ms = now_ms_of(states) + MAP_REMOVED_MS;
    list_append(&map->removals, &entry->timed);
    map->removals_len++;
    while (map->removals_len > MAP_REMOVED_MAX) {
        forget_removal(states, map);
    }
    map_state_schedule(states, map);
    update_metrics(states);
}

/* ---- time ---- */

static const struct map_entry *first_of(const struct list *timed)
{
    return list_is_empty(timed) ? NULL : CONTAINER_OF(timed->next, struct map_entry, timed);
}

struct map_entry *map_state_expired(struct map_states *states, struct map_state *map)
{
    const uint64_t now_ms = now_ms_of(states);
    while (!list_is_empty(&map->removals) && first_of(&map->removals)->ends_ms <= now_ms) {
        forget_removal(states, map);
    }
    update_metrics(states);
    if (list_is_empty(&map->expiries) || first_of(&map->expiries)->ends_ms > now_ms) {
        return NULL;
    }
    return CONTAINER_OF(map->expiries.next, struct map_entry, timed);
}

static void on_timer(struct timer *timer, void *context)
{
    const struct actors *actors = context;
    homes_on_map_timer(actors->homes, CONTAINER_OF(timer, struct map_state, timer));
}

/* The timer may fire too early but never too late, so that publishing seldom has to move it. */
void map_state_schedule(struct map_states *states, struct map_state *map)
{
    const struct map_entry *expiry = first_of(&map->expiries);
    const struct map_entry *removal = first_of(&map->removals);
    uint64_t ends_ms = expiry == NULL ? UINT64_MAX : expiry->ends_ms;
    ends_ms = removal != NULL && removal->ends_ms < ends_ms ? removal->ends_ms : ends_ms;
    if (ends_ms == UINT64_MAX) {
        return;
    }
    const uint64_t due_ms = (ends_ms + MAP_SWEEP_MS - 1) / MAP_SWEEP_MS * MAP_SWEEP_MS;
    if (!timer_is_set(&map->timer) || map->timer.due_ms > due_ms) {
        timer_set(states->actors->shard->timers, &map->timer, due_ms, on_timer);
    }
}

void map_state_retry(struct map_states *states, struct map_state *map, uint32_t delay_ms)
{
    timer_set(states->actors->shard->timers, &map->timer, now_ms_of(states) + delay_ms, on_timer);
}

/* ---- pages ---- */

static void page_add(struct stream_page *page, const struct map_entry *entry, uint64_t ttl_ms)
{
    buf_share(entry->request, 1);
    if (entry->identity != NULL) {
        buf_share(entry->identity, 1);
    }
    page->entries[page->len++] = (struct stream_page_entry){
        .request = entry->request,
        .identity = entry->identity,
        .offset = entry->offset,
        .ttl_ms = ttl_ms,
    };
}

static struct buf *page_make(uint32_t len)
{
    struct buf *buf = stream_page_make(len);
    if (buf != NULL) {
        stream_page_of(buf)->len = 0;
    }
    return buf;
}

static uint64_t encoded_len(const struct map_entry *entry)
{
    return payload_len(entry->request, entry->identity) + ENCODED_OVERHEAD;
}

/* How many keys from that place on, at most `len`, weigh no more; one does if there is one. */
static uint32_t count_fitting(const struct map_state *map, uint32_t first, uint32_t len,
                              uint64_t bytes_max)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < len; i++) {
        bytes += encoded_len(map->keys[first + i]);
        if (bytes > bytes_max && i > 0) {
            return i;
        }
    }
    return len;
}

bool map_state_read(const struct map_state *map, const struct map_query *query, struct buf **page,
                    bool *is_more)
{
    uint32_t first = span_is_empty(query->key) ? 0 : place_of(map, query->key);
    const bool is_there = !span_is_empty(query->key) && has_key_at(map, first, query->key);
    uint32_t len = query->is_one ? is_there : 0;
    *is_more = false;
    *page = NULL;
    if (!query->is_one) {
        first += is_there;
        len = map->len - first < query->limit ? map->len - first : query->limit;
        len = count_fitting(map, first, len, query->bytes_max);
        *is_more = first + len < map->len;
    }
    if (len == 0) {
        return true;
    }
    *page = page_make(len);
    for (uint32_t i = 0; *page != NULL && i < len; i++) {
        page_add(stream_page_of(*page), map->keys[first + i], 0);
    }
    return *page != NULL;
}

bool map_state_changes(const struct map_state *map, uint64_t since_offset, uint32_t limit,
                       uint32_t bytes_max, struct buf **page)
{
    struct list *at = map->changes.prev;
    uint32_t len = 0;
    uint64_t bytes = 0;
    *page = NULL;
    if (since_offset < map->known_since) {
        return false;
    }
    for (; at != &map->changes && change_of(at)->offset > since_offset; at = at->prev) {
        bytes += encoded_len(change_of(at));
        if (len == limit || bytes > bytes_max) {
            return false;
        }
        len++;
    }
    if (len == 0) {
        return true;
    }
    *page = page_make(len);
    for (at = at->next; *page != NULL && at != &map->changes; at = at->next) {
        page_add(stream_page_of(*page), change_of(at), 0);
    }
    return *page != NULL;
}

/* ---- moving ---- */

bool map_state_give(const struct map_states *states, const struct map_state *map,
                    uint64_t since_offset, struct buf **page, uint64_t *newest_offset)
{
    const uint64_t now_ms = now_ms_of(states);
    struct list *first = map->changes.next;
    uint32_t len = 0;
    uint64_t bytes = 0;
    while (first != &map->changes && change_of(first)->offset <= since_offset) {
        first = first->next;
    }
    struct list *end = first;
    for (; end != &map->changes && (len == 0 || bytes < HANDOVER_PIECE_BYTES); end = end->next) {
        bytes += change_of(end)->is_removed ? 0 : encoded_len(change_of(end));
        len += !change_of(end)->is_removed;
    }
    *newest_offset = end == &map->changes ? UINT64_MAX : change_of(end->prev)->offset;
    *page = len == 0 ? NULL : page_make(len);
    for (; *page != NULL && first != end; first = first->next) {
        const struct map_entry *entry = change_of(first);
        const uint64_t ttl_ms = entry->ends_ms > now_ms ? entry->ends_ms - now_ms : 1;
        if (!entry->is_removed) {
            page_add(stream_page_of(*page), entry, list_is_linked(&entry->timed) ? ttl_ms : 0);
        }
    }
    return *page != NULL || len == 0;
}

bool map_state_take(struct map_states *states, struct map_state *map, struct buf *page)
{
    const struct stream_page *entries = page == NULL ? NULL : stream_page_of(page);
    for (uint64_t i = 0; entries != NULL && i < entries->len; i++) {
        const struct stream_page_entry *entry = &entries->entries[i];
        const struct map_put put = {.request = entry->request,
                                    .identity = entry->identity,
                                    .offset = entry->offset,
                                    .ttl_ms = entry->ttl_ms};
        if (!reserve(states, map)) {
            return false;
        }
        map_state_put(states, map, &put);
    }
    return true;
}
