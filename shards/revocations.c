/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of entries, a sum over them, and what two entries of one key become. */
#include "shards/revocations.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/map.h"

struct revocations {
    struct map *entries;
    uint32_t entries_max;
    int64_t expired_min; /* The minute of the last look for those that are over. */
    uint64_t sum;
};

struct entry {
    struct link_revocation value; /* Its spans lie in the key. */
    size_t key_len;
    uint8_t key[];
};

/* kind, length of the name, name, channel */
enum { KEY_HEAD_LEN = 3, KEY_LEN_MAX = KEY_HEAD_LEN + REVOCATION_NAME_LEN_MAX * 5 };
enum { CHANNEL_LEN_MAX = REVOCATION_NAME_LEN_MAX * 4 };

static struct map_key key_of_entry(const void *object)
{
    const struct entry *entry = object;
    return (struct map_key){entry->key, entry->key_len};
}

struct revocations *revocations_create(uint32_t entries_max, struct random *random)
{
    struct revocations *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return NULL;
    }
    table->entries_max = entries_max;
    table->entries = map_create(key_of_entry, random);
    if (table->entries == NULL) {
        free(table);
        return NULL;
    }
    return table;
}

void revocations_destroy(struct revocations *table)
{
    if (table == NULL) {
        return;
    }
    size_t cursor = 0;
    struct entry *entry;
    while ((entry = map_next(table->entries, &cursor)) != NULL) {
        map_remove(table->entries, entry);
        free(entry);
    }
    map_destroy(table->entries);
    free(table);
}

/* ---- keys and sums ---- */

/* 0: such a key cannot be in a table. */
static size_t key_write(uint8_t key[KEY_LEN_MAX], uint32_t kind, struct span name,
                        struct span channel)
{
    if (kind < REVOCATION_TOKEN || kind > REVOCATION_BLOCK || span_is_empty(name) ||
        name.len > REVOCATION_NAME_LEN_MAX || channel.len > CHANNEL_LEN_MAX ||
        (kind != REVOCATION_USER_TOKENS && !span_is_empty(channel))) {
        return 0;
    }
    key[0] = (uint8_t)kind;
    key[1] = (uint8_t)(name.len >> 8);
    key[2] = (uint8_t)(name.len & 0xff);
    memcpy(key + KEY_HEAD_LEN, name.at, name.len);
    if (!span_is_empty(channel)) {
        memcpy(key + KEY_HEAD_LEN + name.len, channel.at, channel.len);
    }
    return KEY_HEAD_LEN + name.len + channel.len;
}

static const struct entry *find(const struct revocations *table, uint32_t kind, struct span name,
                                struct span channel)
{
    uint8_t key[KEY_LEN_MAX];
    const size_t len = key_write(key, kind, name, channel);
    return len == 0 ? NULL : map_find(table->entries, key, len);
}

/* The same on every node, so under no secret key. */
static uint64_t hash_of(const struct entry *entry)
{
    static const uint8_t key[16];
    const struct link_revocation *value = &entry->value;
    const uint64_t words[] = {
        map_hash_bytes(key, entry->key, entry->key_len),
        value->issued_before_s,
        value->expire_at_s,
        value->changed_ms,
        value->is_lifted,
    };
    return map_hash_bytes(key, words, sizeof(words));
}

/* ---- time ---- */

static bool is_over(uint64_t expire_at_s, int64_t now_s)
{
    return expire_at_s != 0 && (int64_t)(expire_at_s / 60) < now_s / 60;
}

static bool holds(const struct entry *entry, int64_t now_s)
{
    return entry != NULL && !entry->value.is_lifted &&
           (entry->value.expire_at_s == 0 || (int64_t)entry->value.expire_at_s > now_s);
}

void revocations_expire(struct revocations *table, int64_t now_s)
{
    if (table->expired_min == now_s / 60) {
        return;
    }
    table->expired_min = now_s / 60;
    size_t cursor = 0;
    struct entry *entry;
    while ((entry = map_next(table->entries, &cursor)) != NULL) {
        if (is_over(entry->value.expire_at_s, now_s)) {
            table->sum -= hash_of(entry);
            map_remove(table->entries, entry);
            free(entry);
        }
    }
}

/* ---- merging ---- */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* 0 is the latest of all. */
static uint64_t later_end(uint64_t a, uint64_t b)
{
    return a == 0 || b == 0 ? 0 : later(a, b);
}

/* Was `a` said after `b`? Of two that were said at once a block is the last, and that which lasts
 * longer. */
static bool is_newer(const struct link_revocation *a, const struct link_revocation *b)
{
    if (a->changed_ms != b->changed_ms) {
        return a->changed_ms > b->changed_ms;
    }
    if (a->is_lifted != b->is_lifted) {
        return b->is_lifted;
    }
    return a->expire_at_s != b->expire_at_s &&
           later_end(a->expire_at_s, b->expire_at_s) == a->expire_at_s;
}

/* The spans stay those of `old`. */
static struct link_revocation join(const struct link_revocation *old,
                                   const struct link_revocation *entry)
{
    struct link_revocation joined = *old;
    if (old->kind == REVOCATION_BLOCK) {
        const struct link_revocation *newer = is_newer(entry, old) ? entry : old;
        joined.changed_ms = newer->changed_ms;
        joined.is_lifted = newer->is_lifted;
        joined.expire_at_s = newer->expire_at_s;
    } else {
        joined.issued_before_s = later(old->issued_before_s, entry->issued_before_s);
        joined.expire_at_s = later_end(old->expire_at_s, entry->expire_at_s);
    }
    return joined;
}

static enum revocations_result add(struct revocations *table, const struct link_revocation *value,
                                   const uint8_t *key, size_t key_len)
{
    struct entry *entry = NULL;
    if (map_count(table->entries) < table->entries_max) {
        entry = malloc(sizeof(*entry) + key_len);
    }
    if (entry == NULL) {
        return REVOCATIONS_FULL;
    }
    memcpy(entry->key, key, key_len);
    entry->key_len = key_len;
    entry->value = *value;
    entry->value.name = span_of(entry->key + KEY_HEAD_LEN, value->name.len);
    entry->value.channel = span_of(entry->key + KEY_HEAD_LEN + value->name.len, value->channel.len);
    if (!map_insert(table->entries, entry)) {
        free(entry);
        return REVOCATIONS_FULL;
    }
    table->sum += hash_of(entry);
    return REVOCATIONS_CHANGED;
}

enum revocations_result revocations_merge(struct revocations *table,
                                          const struct link_revocation *value, int64_t now_s)
{
    uint8_t key[KEY_LEN_MAX];
    const size_t key_len = key_write(key, value->kind, value->name, value->channel);
    if (key_len == 0) {
        return REVOCATIONS_INVALID;
    }
    revocations_expire(table, now_s);
    if (is_over(value->expire_at_s, now_s)) {
        return REVOCATIONS_SAME;
    }
    struct entry *entry = map_find(table->entries, key, key_len);
    if (entry == NULL) {
        return add(table, value, key, key_len);
    }
    const uint64_t before = hash_of(entry);
    entry->value = join(&entry->value, value);
    const uint64_t after = hash_of(entry);
    table->sum += after - before;
    return after == before ? REVOCATIONS_SAME : REVOCATIONS_CHANGED;
}

/* ---- what is in it ---- */

uint32_t revocations_count(const struct revocations *table)
{
    return (uint32_t)map_count(table->entries);
}

uint64_t revocations_sum(const struct revocations *table)
{
    return table->sum;
}

bool revocations_next(const struct revocations *table, size_t *cursor, struct link_revocation *out)
{
    const struct entry *entry = map_next(table->entries, cursor);
    if (entry == NULL) {
        return false;
    }
    *out = entry->value;
    return true;
}

static bool has_users_before(const struct revocations *table, struct span user, struct span channel,
                             uint32_t issued_at_s, int64_t now_s)
{
    const struct entry *entry = find(table, REVOCATION_USER_TOKENS, user, channel);
    return holds(entry, now_s) && issued_at_s < entry->value.issued_before_s;
}

bool revocations_have_token(const struct revocations *table, const struct revocable *token,
                            int64_t now_s)
{
    if (revocations_count(table) == 0 || token->issued_at_s == 0) {
        return false;
    }
    return holds(find(table, REVOCATION_TOKEN, token->uid, SPAN_EMPTY), now_s) ||
           has_users_before(table, token->user, SPAN_EMPTY, token->issued_at_s, now_s) ||
           (!span_is_empty(token->channel) &&
            has_users_before(table, token->user, token->channel, token->issued_at_s, now_s));
}

bool revocations_have_user(const struct revocations *table, struct span user, int64_t now_s)
{
    return revocations_count(table) > 0 &&
           holds(find(table, REVOCATION_BLOCK, user, SPAN_EMPTY), now_s);
}
