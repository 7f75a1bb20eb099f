/* SPDX-License-Identifier: Apache-2.0 */
/* A table by channel and key, and a list in the order in which they came, which is that in which
 * they go. Those that another home knew end sooner than their neighbours, and so may keep their
 * place for a little longer than they are known. */
#include "shards/channel/idempotency.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/list.h"
#include "shards/limits.h"

enum { CHANNEL_LEN_MAX = 4096, NAME_LEN_MAX = 4 + CHANNEL_LEN_MAX + IDEMPOTENCY_KEY_LEN_MAX };

struct idempotency_entry {
    struct list link;
    struct list ring; /* Of its channel's entries; it has no head. */
    uint64_t number;  /* Of those that came later it is larger. */
    uint64_t expires_ms;
    struct stream_position answer;
    uint32_t name_len;
    uint8_t name[];
};

struct idempotency {
    struct map *entries;
    struct map *channels;
    struct list order;
    uint64_t number; /* Of the newest entry. */
    uint32_t keys_max;
};

static struct map_key entry_key(const void *object)
{
    const struct idempotency_entry *entry = object;
    return (struct map_key){entry->name, entry->name_len};
}

static struct span channel_of(const struct idempotency_entry *entry)
{
    uint32_t len;
    memcpy(&len, entry->name, sizeof(len));
    return span_of(entry->name + sizeof(len), len);
}

static struct span key_of(const struct idempotency_entry *entry)
{
    const uint32_t before = (uint32_t)(sizeof(uint32_t) + channel_of(entry).len);
    return span_of(entry->name + before, entry->name_len - before);
}

static struct map_key channel_key(const void *object)
{
    const struct span channel = channel_of(object);
    return (struct map_key){channel.at, channel.len};
}

/* The channel's oldest; NULL: it has none. */
static struct idempotency_entry *first_of(const struct idempotency *idempotency,
                                          struct span channel)
{
    return map_find(idempotency->channels, channel.at, channel.len);
}

static struct idempotency_entry *behind(const struct idempotency_entry *entry)
{
    return CONTAINER_OF(entry->ring.next, struct idempotency_entry, ring);
}

struct idempotency *idempotency_create(struct random *random, uint32_t keys_max)
{
    struct idempotency *idempotency = calloc(1, sizeof(*idempotency));
    if (idempotency == NULL) {
        return NULL;
    }
    list_init(&idempotency->order);
    idempotency->keys_max = keys_max;
    idempotency->entries = map_create(entry_key, random);
    idempotency->channels = map_create(channel_key, random);
    if (idempotency->entries == NULL || idempotency->channels == NULL) {
        map_destroy(idempotency->entries);
        map_destroy(idempotency->channels);
        free(idempotency);
        return NULL;
    }
    return idempotency;
}

static struct idempotency_entry *oldest_of(const struct idempotency *idempotency)
{
    return CONTAINER_OF(idempotency->order.next, struct idempotency_entry, link);
}

/* As the newest of its channel. False: memory is out. */
static bool ring_enter(struct idempotency *idempotency, struct idempotency_entry *entry)
{
    struct idempotency_entry *first = first_of(idempotency, channel_of(entry));
    if (first != NULL) {
        list_append(&first->ring, &entry->ring);
        return true;
    }
    list_init(&entry->ring);
    return map_insert(idempotency->channels, entry);
}

static void ring_leave(struct idempotency *idempotency, struct idempotency_entry *entry)
{
    struct idempotency_entry *next = behind(entry);
    const bool is_first = first_of(idempotency, channel_of(entry)) == entry;
    list_remove(&entry->ring);
    if (is_first) {
        map_remove(idempotency->channels, entry);
        if (next != entry && !map_insert(idempotency->channels, next)) {
            return; /* Memory is out: the others are known here, and do not move. */
        }
    }
}

static void drop(struct idempotency *idempotency, struct idempotency_entry *entry)
{
    ring_leave(idempotency, entry);
    map_remove(idempotency->entries, entry);
    list_remove(&entry->link);
    free(entry);
}

void idempotency_destroy(struct idempotency *idempotency)
{
    if (idempotency == NULL) {
        return;
    }
    while (!list_is_empty(&idempotency->order)) {
        drop(idempotency, oldest_of(idempotency));
    }
    map_destroy(idempotency->entries);
    map_destroy(idempotency->channels);
    free(idempotency);
}

/* The channel's length goes first, since either part may hold any byte. */
static uint32_t make_name(struct span channel, struct span key, uint8_t name[NAME_LEN_MAX])
{
    BUG_IF(channel.len > CHANNEL_LEN_MAX || key.len > IDEMPOTENCY_KEY_LEN_MAX);
    const uint32_t channel_len = (uint32_t)channel.len;
    memcpy(name, &channel_len, sizeof(channel_len));
    memcpy(name + sizeof(channel_len), channel.at, channel.len);
    memcpy(name + sizeof(channel_len) + channel.len, key.at, key.len);
    return (uint32_t)(sizeof(channel_len) + channel.len + key.len);
}

bool idempotency_find(const struct idempotency *idempotency, struct span channel, struct span key,
                      uint64_t now_ms, struct stream_position *answer)
{
    uint8_t name[NAME_LEN_MAX];
    const struct idempotency_entry *entry =
        map_find(idempotency->entries, name, make_name(channel, key, name));
    if (entry == NULL || now_ms >= entry->expires_ms) {
        return false;
    }
    *answer = entry->answer;
    return true;
}

/* What has expired goes, also the entry of a key that comes again; and one more where all are
 * wanted. */
static void make_room(struct idempotency *idempotency, uint64_t now_ms)
{
    while (!list_is_empty(&idempotency->order) &&
           (now_ms >= oldest_of(idempotency)->expires_ms ||
            map_count(idempotency->entries) >= idempotency->keys_max)) {
        drop(idempotency, oldest_of(idempotency));
    }
}

/* Takes the place of an entry with the same key. */
static void add(struct idempotency *idempotency, struct span channel, const struct known_key *known,
                uint64_t now_ms)
{
    uint8_t name[NAME_LEN_MAX];
    const uint32_t name_len = make_name(channel, known->key, name);
    struct idempotency_entry *before = map_find(idempotency->entries, name, name_len);
    if (before != NULL) {
        drop(idempotency, before);
    }
    make_room(idempotency, now_ms);
    struct idempotency_entry *entry = malloc(sizeof(*entry) + name_len);
    if (entry == NULL) {
        return;
    }
    *entry = (struct idempotency_entry){.number = ++idempotency->number,
                                        .expires_ms = now_ms + known->ttl_ms,
                                        .answer = {.offset = known->offset, .epoch = known->epoch},
                                        .name_len = name_len};
    memcpy(entry->name, name, name_len);
    if (!map_insert(idempotency->entries, entry)) {
        free(entry);
        return;
    }
    if (!ring_enter(idempotency, entry)) {
        map_remove(idempotency->entries, entry);
        free(entry);
        return;
    }
    list_append(&idempotency->order, &entry->link);
}

void idempotency_add(struct idempotency *idempotency, struct span channel, struct span key,
                     uint64_t now_ms, struct stream_position answer)
{
    const struct known_key known = {
        .key = key,
        .epoch = answer.epoch,
        .offset = answer.offset,
        .ttl_ms = IDEMPOTENCY_MS,
    };
    add(idempotency, channel, &known, now_ms);
}

/* ---- moving ---- */

bool idempotency_has_channel(const struct idempotency *idempotency, struct span channel)
{
    return first_of(idempotency, channel) != NULL;
}

/* What is given: entries of the ring from `first` on that are alive, as many as may be. */
struct known_piece {
    const struct idempotency_entry *first; /* NULL: nothing is left. */
    uint32_t len;
    uint64_t keys_bytes;
    uint64_t next; /* The place of the one behind it. */
};

static struct known_piece piece_of(const struct idempotency *idempotency,
                                   const struct known_query *query, uint64_t place)
{
    const struct idempotency_entry *oldest = first_of(idempotency, query->channel);
    struct known_piece piece = {.next = IDEMPOTENCY_GIVEN};
    const struct idempotency_entry *entry = oldest;
    for (bool is_end = oldest == NULL; !is_end; is_end = entry == oldest) {
        const uint64_t bytes = piece.keys_bytes + key_of(entry).len;
        if (entry->number >= place && query->now_ms < entry->expires_ms) {
            if (known_page_size(piece.len + 1ul, bytes) > query->bytes_max) {
                piece.next = entry->number;
                break;
            }
            piece.first = piece.first == NULL ? entry : piece.first;
            piece.keys_bytes = bytes;
            piece.len++;
        }
        entry = behind(entry);
    }
    return piece;
}

bool idempotency_give(const struct idempotency *idempotency, const struct known_query *query,
                      uint64_t *place, struct buf **page)
{
    const struct known_piece piece = piece_of(idempotency, query, *place);
    *page = piece.len == 0 ? NULL : known_page_make(piece.len, piece.keys_bytes);
    if (piece.len > 0 && *page == NULL) {
        return false;
    }
    *place = piece.next;
    if (*page == NULL) {
        return true;
    }
    struct known_page *known = known_page_of(*page);
    uint8_t *at = (uint8_t *)&known->entries[piece.len];
    const struct idempotency_entry *entry = piece.first;
    for (uint32_t i = 0; i < piece.len; entry = behind(entry)) {
        if (query->now_ms >= entry->expires_ms) {
            continue;
        }
        const struct span key = key_of(entry);
        memcpy(at, key.at, key.len);
        known->entries[i++] = (struct known_key){
            .key = span_of(at, key.len),
            .epoch = entry->answer.epoch,
            .offset = entry->answer.offset,
            .ttl_ms = entry->expires_ms - query->now_ms,
        };
        at += key.len;
    }
    return true;
}

uint32_t idempotency_take(struct idempotency *idempotency, struct span channel, uint64_t now_ms,
                          const struct known_page *page)
{
    struct stream_position answer;
    uint32_t len = 0;
    for (uint64_t i = 0; i < page->len; i++) {
        struct known_key known = page->entries[i];
        known.ttl_ms = known.ttl_ms < IDEMPOTENCY_MS ? known.ttl_ms : IDEMPOTENCY_MS;
        if (!idempotency_find(idempotency, channel, known.key, now_ms, &answer)) {
            add(idempotency, channel, &known, now_ms);
            len++;
        }
    }
    return len;
}

void idempotency_forget(struct idempotency *idempotency, struct span channel)
{
    struct idempotency_entry *entry;
    while ((entry = first_of(idempotency, channel)) != NULL) {
        drop(idempotency, entry);
    }
}

uint32_t idempotency_next_channels(const struct idempotency *idempotency, uint64_t *place,
                                   struct span names[MAP_FEW_MAX])
{
    void *few[MAP_FEW_MAX];
    const uint32_t len = map_next_few(idempotency->channels, place, few);
    for (uint32_t i = 0; i < len; i++) {
        names[i] = channel_of(few[i]);
    }
    return len;
}

uint32_t idempotency_count(const struct idempotency *idempotency)
{
    return (uint32_t)map_count(idempotency->entries);
}
