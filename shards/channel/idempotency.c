/* SPDX-License-Identifier: Apache-2.0 */
/* A table by channel and key, and a list in the order in which they came, which is that in which
 * they go. */
#include "shards/channel/idempotency.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/list.h"
#include "runtime/map.h"
#include "shards/limits.h"

enum { CHANNEL_LEN_MAX = 4096, NAME_LEN_MAX = 4 + CHANNEL_LEN_MAX + IDEMPOTENCY_KEY_LEN_MAX };

struct idempotency_entry {
    struct list link;
    uint64_t expires_ms;
    struct stream_position answer;
    uint32_t name_len;
    uint8_t name[];
};

struct idempotency {
    struct map *entries;
    struct list order;
    uint32_t keys_max;
};

static struct map_key entry_key(const void *object)
{
    const struct idempotency_entry *entry = object;
    return (struct map_key){entry->name, entry->name_len};
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
    if (idempotency->entries == NULL) {
        free(idempotency);
        return NULL;
    }
    return idempotency;
}

static struct idempotency_entry *oldest_of(const struct idempotency *idempotency)
{
    return CONTAINER_OF(idempotency->order.next, struct idempotency_entry, link);
}

static void drop(struct idempotency *idempotency, struct idempotency_entry *entry)
{
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

void idempotency_add(struct idempotency *idempotency, struct span channel, struct span key,
                     uint64_t now_ms, struct stream_position answer)
{
    uint8_t name[NAME_LEN_MAX];
    const uint32_t name_len = make_name(channel, key, name);
    struct idempotency_entry *before = map_find(idempotency->entries, name, name_len);
    if (before != NULL) {
        drop(idempotency, before);
    }
    make_room(idempotency, now_ms);
    struct idempotency_entry *entry = malloc(sizeof(*entry) + name_len);
    if (entry == NULL) {
        return;
    }
    *entry = (struct idempotency_entry){.expires_ms = now_ms + IDEMPOTENCY_MS,
                                        .answer = answer,
                                        .name_len = name_len};
    memcpy(entry->name, name, name_len);
    if (!map_insert(idempotency->entries, entry)) {
        free(entry);
        return;
    }
    list_append(&idempotency->order, &entry->link);
}

uint32_t idempotency_count(const struct idempotency *idempotency)
{
    return (uint32_t)map_count(idempotency->entries);
}
