/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets as times, in a hash table whose entries also stand in the order of their last use.
 */
#include "shards/rate_limits.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/list.h"
#include "runtime/map.h"

struct rate_table {
    const struct rate_limits *limits;
    struct map *entries;
    struct list used; /* The longest unused first. */
    uint32_t entries_max;
};

struct rate_entry {
    struct list link;
    uint8_t *key; /* Behind the buckets. */
    size_t key_len;
    uint64_t full_ns[]; /* When each of the limits' buckets is full. */
};

/* Of entries that have become idle, how many go with each token: more than come, so that the table
 * shrinks to those who are active. */
enum { FORGET_WITH_A_TOKEN = 2 };

struct rate_rule rate_limits_rule(const struct rate_limits *limits, enum client_method method,
                                  struct span name)
{
    const struct rate_command *command = &limits->commands[method];
    for (size_t i = 0; i < command->overrides_len; i++) {
        if (span_equal(span_of_text(command->overrides[i].name), name)) {
            return command->overrides[i].rule;
        }
    }
    return command->rule;
}

bool rate_limits_apply(const struct rate_limits *limits, struct rate_rule rule)
{
    return rule.len > 0 || limits->total.len > 0;
}

static struct map_key key_of_entry(const void *object)
{
    const struct rate_entry *entry = object;
    return (struct map_key){entry->key, entry->key_len};
}

struct rate_table *rate_table_create(const struct rate_limits *limits, uint32_t entries_max,
                                     struct random *random)
{
    struct rate_table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return NULL;
    }
    table->limits = limits;
    table->entries_max = entries_max;
    list_init(&table->used);
    table->entries = map_create(key_of_entry, random);
    if (table->entries == NULL) {
        free(table);
        return NULL;
    }
    return table;
}

static void forget(struct rate_table *table, struct rate_entry *entry)
{
    map_remove(table->entries, entry);
    list_remove(&entry->link);
    free(entry);
}

static struct rate_entry *longest_unused(const struct rate_table *table)
{
    return list_is_empty(&table->used) ? NULL
                                       : CONTAINER_OF(table->used.next, struct rate_entry, link);
}

void rate_table_destroy(struct rate_table *table)
{
    if (table == NULL) {
        return;
    }
    struct rate_entry *entry;
    while ((entry = longest_unused(table)) != NULL) {
        forget(table, entry);
    }
    map_destroy(table->entries);
    free(table);
}

static bool is_full(const struct rate_table *table, const struct rate_entry *entry, uint64_t now_ns)
{
    for (uint32_t i = 0; i < table->limits->buckets_len; i++) {
        if (entry->full_ns[i] > now_ns) {
            return false;
        }
    }
    return true;
}

static void forget_some(struct rate_table *table, uint32_t some, uint64_t now_ns)
{
    struct rate_entry *entry;
    while (some-- > 0 && (entry = longest_unused(table)) != NULL && is_full(table, entry, now_ns)) {
        forget(table, entry);
    }
}

static struct rate_entry *entry_for(struct rate_table *table, struct span key)
{
    struct rate_entry *entry = map_find(table->entries, key.at, key.len);
    if (entry != NULL) {
        list_remove(&entry->link);
        list_append(&table->used, &entry->link);
        return entry;
    }
    if (map_count(table->entries) >= table->entries_max) {
        forget(table, longest_unused(table));
    }
    const size_t buckets_size = table->limits->buckets_len * sizeof(uint64_t);
    entry = calloc(1, sizeof(*entry) + buckets_size + key.len);
    if (entry == NULL) {
        return NULL;
    }
    entry->key = (uint8_t *)entry + sizeof(*entry) + buckets_size;
    entry->key_len = key.len;
    memcpy(entry->key, key.at, key.len);
    if (!map_insert(table->entries, entry)) {
        free(entry);
        return NULL;
    }
    list_append(&table->used, &entry->link);
    return entry;
}

/* What taking a token makes of the bucket's time. */
static uint64_t after_one(const struct rate_bucket *bucket, uint64_t full_ns, uint64_t now_ns)
{
    return (full_ns > now_ns ? full_ns : now_ns) + bucket->step_ns;
}

static bool has_tokens(const struct rate_table *table, const struct rate_entry *entry,
                       struct rate_rule rule, uint64_t now_ns)
{
    for (uint32_t i = rule.first; i < (uint32_t)rule.first + rule.len; i++) {
        const struct rate_bucket *bucket = &table->limits->buckets[i];
        if (after_one(bucket, entry->full_ns[i], now_ns) > now_ns + bucket->interval_ns) {
            return false;
        }
    }
    return true;
}

static void take_tokens(const struct rate_table *table, struct rate_entry *entry,
                        struct rate_rule rule, uint64_t now_ns)
{
    for (uint32_t i = rule.first; i < (uint32_t)rule.first + rule.len; i++) {
        entry->full_ns[i] = after_one(&table->limits->buckets[i], entry->full_ns[i], now_ns);
    }
}

bool rate_table_take(struct rate_table *table, struct span key, struct rate_rule rule,
                     uint64_t now_ns)
{
    const struct rate_rule total = table->limits->total;
    if ((uint32_t)rule.first + rule.len > table->limits->buckets_len) {
        return false;
    }
    forget_some(table, FORGET_WITH_A_TOKEN, now_ns);
    struct rate_entry *entry = entry_for(table, key);
    if (entry == NULL || !has_tokens(table, entry, rule, now_ns) ||
        !has_tokens(table, entry, total, now_ns)) {
        return false;
    }
    take_tokens(table, entry, rule, now_ns);
    take_tokens(table, entry, total, now_ns);
    return true;
}

void rate_table_trim(struct rate_table *table, uint64_t now_ns)
{
    if (table != NULL) {
        forget_some(table, UINT32_MAX, now_ns);
    }
}

size_t rate_table_count(const struct rate_table *table)
{
    return map_count(table->entries);
}
