/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of entries that hang on one list of their shard, by which the oldest of all is found. */
#include "shards/channel/history.h"

#include <stdlib.h>

#include "runtime/list.h"
#include "runtime/map.h"
#include "runtime/pool.h"
#include "shards/payloads.h"

struct history_entry {
    struct list order;
    struct history *history;
    struct buf *request;
    struct buf *identity;
};

struct histories {
    struct pool *pool;
    struct list order;
    struct histories_totals totals;
    uint64_t bytes_max;
};

enum {
    /* What an allocator and a ring take for an entry beside its bytes. */
    ENTRY_OVERHEAD = 64 + sizeof(struct history_entry),
    /* What a reply writes around a publication's parts, at most: names, numbers, quotes, ids. */
    ENCODED_OVERHEAD = 256,
    RING_ROOM_MIN = 2,
};

struct histories *histories_create(uint64_t bytes_max, uint32_t entries_max)
{
    struct histories *histories = calloc(1, sizeof(*histories));
    if (histories == NULL) {
        return NULL;
    }
    list_init(&histories->order);
    histories->bytes_max = bytes_max;
    histories->pool = pool_create(sizeof(struct history_entry), entries_max);
    if (histories->pool == NULL) {
        free(histories);
        return NULL;
    }
    return histories;
}

void histories_destroy(struct histories *histories)
{
    if (histories != NULL) {
        pool_destroy(histories->pool);
        free(histories);
    }
}

void histories_trim(struct histories *histories)
{
    pool_trim(histories->pool);
}

struct histories_totals histories_totals(const struct histories *histories)
{
    return histories->totals;
}

/* ---- entries ---- */

static uint64_t payload_len(const struct history_entry *entry)
{
    return (uint64_t)entry->request->len + (entry->identity == NULL ? 0 : entry->identity->len);
}

/* The entry of an offset that is there. */
static struct history_entry *entry_at(const struct history *history, uint64_t offset)
{
    const uint32_t at = history->first + history->len - 1 - (uint32_t)(history->offset - offset);
    return history->ring[at & (history->room - 1)];
}

/* The oldest entry's offset; one more than the newest when there is none. */
static uint64_t oldest_offset(const struct history *history)
{
    return history->offset + 1 - history->len;
}

static void drop_oldest(struct histories *histories, struct history *history)
{
    struct history_entry *entry = history->ring[history->first];
    history->first = (history->first + 1) & (history->room - 1);
    history->len--;
    histories->totals.entries--;
    histories->totals.bytes -= payload_len(entry) + ENTRY_OVERHEAD;
    list_remove(&entry->order);
    buf_release(entry->request);
    buf_release(entry->identity);
    pool_put(histories->pool, pool_handle_of(histories->pool, entry));
}

static void evict_oldest(struct histories *histories)
{
    const struct history_entry *entry =
        CONTAINER_OF(histories->order.next, struct history_entry, order);
    drop_oldest(histories, entry->history);
    histories->totals.evicted++;
}

static bool ring_reserve(struct history *history)
{
    if (history->len < history->room) {
        return true;
    }
    const uint32_t room = history->room == 0 ? RING_ROOM_MIN : history->room * 2;
    struct history_entry **ring = calloc(room, sizeof(struct history_entry *));
    if (ring == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < history->len; i++) {
        ring[i] = history->ring[(history->first + i) & (history->room - 1)];
    }
    free(history->ring);
    history->ring = ring;
    history->room = room;
    history->first = 0;
    return true;
}

bool history_append(struct histories *histories, struct history *history, uint32_t size_max,
                    struct buf *request, struct buf *identity)
{
    uint32_t handle;
    BUG_IF(size_max == 0);
    struct history_entry *entry = pool_take(histories->pool, &handle);
    if (entry == NULL && !list_is_empty(&histories->order)) {
        evict_oldest(histories);
        entry = pool_take(histories->pool, &handle);
    }
    if (entry == NULL) {
        return false;
    }
    /* Before the ring is asked for more room, so that a full one of the right size stays. */
    while (history->len >= size_max) {
        drop_oldest(histories, history);
    }
    if (!ring_reserve(history)) {
        pool_put(histories->pool, handle);
        return false;
    }
    entry->history = history;
    entry->request = request;
    entry->identity = identity;
    list_append(&histories->order, &entry->order);
    history->ring[(history->first + history->len++) & (history->room - 1)] = entry;
    history->offset++;
    histories->totals.entries++;
    histories->totals.bytes += payload_len(entry) + ENTRY_OVERHEAD;
    while (histories->totals.bytes > histories->bytes_max) {
        evict_oldest(histories);
    }
    return true;
}

/* ---- versions ---- */

/* Epochs are texts of any length that are only ever compared: their hash stands for them. */
static uint64_t hash_of_epoch(struct span epoch)
{
    static const uint8_t key[16];
    return map_hash_bytes(key, epoch.at, epoch.len);
}

bool history_has_version(const struct history *history, uint64_t version, struct span epoch)
{
    return version <= history->version &&
           (span_is_empty(epoch) || hash_of_epoch(epoch) == history->version_epoch_hash);
}

void history_set_version(struct history *history, uint64_t version, struct span epoch)
{
    history->version = version;
    history->version_epoch_hash = hash_of_epoch(epoch);
}

/* ---- reading ---- */

/* How many entries from `first` on, at most `len`, weigh no more than bytes_max. */
static uint32_t count_fitting(const struct history *history, uint64_t first, uint32_t len,
                              bool is_reverse, uint64_t bytes_max)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < len; i++) {
        const struct history_entry *entry = entry_at(history, is_reverse ? first - i : first + i);
        bytes += payload_len(entry) + ENCODED_OVERHEAD;
        if (bytes > bytes_max) {
            return i;
        }
    }
    return len;
}

static struct buf *make_page(const struct history *history, uint64_t first, uint32_t len,
                             bool is_reverse)
{
    struct buf *buf = stream_page_make(len);
    if (buf == NULL) {
        return NULL;
    }
    struct stream_page *page = stream_page_of(buf);
    for (uint32_t i = 0; i < len; i++) {
        const uint64_t offset = is_reverse ? first - i : first + i;
        const struct history_entry *entry = entry_at(history, offset);
        buf_share(entry->request, 1);
        if (entry->identity != NULL) {
            buf_share(entry->identity, 1);
        }
        page->entries[i] = (struct stream_page_entry){.request = entry->request,
                                                      .identity = entry->identity,
                                                      .offset = offset};
    }
    return buf;
}

bool history_read(const struct history *history, const struct history_query *query,
                  struct buf **page)
{
    const uint64_t oldest = oldest_offset(history);
    uint64_t first = query->is_reverse ? history->offset : oldest;
    uint64_t len = history->len;
    if (query->has_since && query->is_reverse && query->since_offset <= history->offset) {
        first = query->since_offset - 1;
        len = query->since_offset > oldest ? query->since_offset - oldest : 0;
    } else if (query->has_since && !query->is_reverse && query->since_offset >= oldest) {
        first = query->since_offset + 1;
        len = query->since_offset < history->offset ? history->offset - query->since_offset : 0;
    }
    const uint32_t wanted = (uint32_t)(len < query->limit ? len : query->limit);
    uint32_t fitting = count_fitting(history, first, wanted, query->is_reverse, query->bytes_max);
    fitting = fitting == 0 && wanted > 0 ? 1 : fitting;
    *page = fitting == 0 ? NULL : make_page(history, first, fitting, query->is_reverse);
    return *page != NULL || fitting == 0;
}

bool history_recover(const struct history *history, uint64_t since_offset, uint32_t limit,
                     uint32_t bytes_max, struct buf **page)
{
    *page = NULL;
    if (since_offset > history->offset || since_offset + 1 < oldest_offset(history) ||
        history->offset - since_offset > limit) {
        return false;
    }
    const uint32_t len = (uint32_t)(history->offset - since_offset);
    if (len == 0) {
        return true;
    }
    if (count_fitting(history, since_offset + 1, len, false, bytes_max) < len) {
        return false;
    }
    *page = make_page(history, since_offset + 1, len, false);
    return *page != NULL;
}

/* ---- moving ---- */

bool history_go_on(struct histories *histories, struct history *history, struct buf *page,
                   uint64_t offset)
{
    const struct stream_page *entries = page == NULL ? NULL : stream_page_of(page);
    for (uint64_t i = 0; entries != NULL && i < entries->len; i++) {
        const struct stream_page_entry *entry = &entries->entries[i];
        if (entry->offset != history->offset + 1) {
            history_clear(histories, history); /* What was between is not kept any more. */
            history->offset = entry->offset - 1;
        }
        buf_share(entry->request, 1);
        if (entry->identity != NULL) {
            buf_share(entry->identity, 1);
        }
        if (!history_append(histories, history, UINT32_MAX, entry->request, entry->identity)) {
            buf_release(entry->request);
            buf_release(entry->identity);
            return false;
        }
    }
    if (offset != 0 && offset != history->offset) {
        history_clear(histories, history);
        history->offset = offset;
    }
    return true;
}

/* ---- the end ---- */

void history_clear(struct histories *histories, struct history *history)
{
    while (history->len > 0) {
        drop_oldest(histories, history);
    }
    free(history->ring);
    history->ring = NULL;
    history->room = 0;
    history->first = 0;
}
