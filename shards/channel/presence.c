/* SPDX-License-Identifier: Apache-2.0 */
/* Presence entries and the counts of users, in two tables for all channels of a shard. */
#include "shards/channel/presence.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/map.h"
#include "runtime/pool.h"
#include "shards/limits.h"
#include "shards/payloads.h"

/* A user in one channel. The key is the channel's handle and the user's id. */
struct presence_user {
    uint32_t clients;
    uint32_t key_len;
    uint8_t key[];
};

struct presence_key {
    uint32_t channel;
    uint8_t client[CLIENT_ID_LEN];
};

struct presence_entry {
    struct list link; /* In its channel's entries. */
    struct buf *identity;
    struct presence_user *user;
    struct presence_key key;
    uint32_t handle;
    uint32_t origin;
    bool made_detour;
};

static_assert(sizeof(struct presence_key) == 4 + CLIENT_ID_LEN, "no padding is hashed");

struct presence {
    struct pool *pool;
    struct map *entries;
    struct map *users;
};

static struct map_key entry_key(const void *object)
{
    const struct presence_entry *entry = object;
    return (struct map_key){&entry->key, sizeof(entry->key)};
}

static struct map_key user_key(const void *object)
{
    const struct presence_user *user = object;
    return (struct map_key){user->key, user->key_len};
}

struct presence *presence_create(struct random *random, uint32_t entries_max)
{
    struct presence *presence = calloc(1, sizeof(*presence));
    if (presence == NULL) {
        return NULL;
    }
    presence->pool = pool_create(sizeof(struct presence_entry), entries_max);
    presence->entries = map_create(entry_key, random);
    presence->users = map_create(user_key, random);
    if (presence->pool == NULL || presence->entries == NULL || presence->users == NULL) {
        presence_destroy(presence);
        return NULL;
    }
    return presence;
}

void presence_trim(struct presence *presence)
{
    pool_trim(presence->pool);
}

void presence_destroy(struct presence *presence)
{
    if (presence == NULL) {
        return;
    }
    if (presence->users != NULL) {
        map_destroy(presence->users);
    }
    if (presence->entries != NULL) {
        map_destroy(presence->entries);
    }
    pool_destroy(presence->pool);
    free(presence);
}

void presence_channel_init(struct presence_channel *channel, uint32_t handle)
{
    memset(channel, 0, sizeof(*channel));
    list_init(&channel->entries);
    channel->handle = handle;
}

/* ---- users ---- */

/* The user's object with one client more; NULL when memory is out. */
static struct presence_user *presence_hold_user(struct presence *presence,
                                                struct presence_channel *channel, struct span name)
{
    const size_t key_len = sizeof(channel->handle) + name.len;
    struct presence_user *user = malloc(sizeof(*user) + key_len);
    if (user == NULL) {
        return NULL;
    }
    user->clients = 1;
    user->key_len = (uint32_t)key_len;
    memcpy(user->key, &channel->handle, sizeof(channel->handle));
    if (name.len > 0) {
        memcpy(user->key + sizeof(channel->handle), name.at, name.len);
    }
    struct presence_user *found = map_find(presence->users, user->key, key_len);
    if (found != NULL) {
        free(user);
        found->clients++;
        return found;
    }
    if (!map_insert(presence->users, user)) {
        free(user);
        return NULL;
    }
    channel->users++;
    return user;
}

static void presence_release_user(struct presence *presence, struct presence_channel *channel,
                                  struct presence_user *user)
{
    if (--user->clients == 0) {
        map_remove(presence->users, user);
        free(user);
        channel->users--;
    }
}

/* ---- entries ---- */

static struct presence_entry *presence_find(const struct presence *presence,
                                            const struct presence_channel *channel,
                                            const uint8_t client[CLIENT_ID_LEN])
{
    struct presence_key key = {.channel = channel->handle};
    memcpy(key.client, client, sizeof(key.client));
    return map_find(presence->entries, &key, sizeof(key));
}

static void presence_forget_snapshot(struct presence_channel *channel)
{
    presence_snapshot_release(channel->snapshot);
    channel->snapshot = NULL;
}

/* NULL: too many, or no memory. */
static struct presence_entry *presence_add(struct presence *presence,
                                           struct presence_channel *channel,
                                           const uint8_t client[CLIENT_ID_LEN])
{
    uint32_t handle;
    struct presence_entry *entry = pool_take(presence->pool, &handle);
    if (entry == NULL) {
        return NULL;
    }
    entry->handle = handle;
    entry->key.channel = channel->handle;
    memcpy(entry->key.client, client, sizeof(entry->key.client));
    if (!map_insert(presence->entries, entry)) {
        pool_put(presence->pool, handle);
        return NULL;
    }
    list_append(&channel->entries, &entry->link);
    channel->clients++;
    return entry;
}

bool presence_enter(struct presence *presence, struct presence_channel *channel,
                    struct buf *identity, uint32_t origin, bool made_detour)
{
    const struct identity who = identity_of(identity);
    struct presence_user *user = presence_hold_user(presence, channel, who.user);
    if (user == NULL) {
        return false;
    }
    struct presence_entry *entry = presence_find(presence, channel, who.client);
    if (entry != NULL) {
        presence_release_user(presence, channel, entry->user);
        buf_release(entry->identity);
        entry->made_detour = entry->made_detour && made_detour;
    } else {
        entry = presence_add(presence, channel, who.client);
        if (entry == NULL) {
            presence_release_user(presence, channel, user);
            return false;
        }
        entry->made_detour = made_detour;
    }
    entry->identity = identity;
    entry->user = user;
    entry->origin = origin;
    presence_forget_snapshot(channel);
    return true;
}

static void presence_remove(struct presence *presence, struct presence_channel *channel,
                            struct presence_entry *entry)
{
    map_remove(presence->entries, entry);
    list_remove(&entry->link);
    presence_release_user(presence, channel, entry->user);
    buf_release(entry->identity);
    channel->clients--;
    pool_put(presence->pool, entry->handle);
}

bool presence_leave(struct presence *presence, struct presence_channel *channel,
                    const uint8_t client[CLIENT_ID_LEN], bool made_detour)
{
    struct presence_entry *entry = presence_find(presence, channel, client);
    if (entry == NULL || (made_detour && !entry->made_detour)) {
        return false;
    }
    presence_remove(presence, channel, entry);
    presence_forget_snapshot(channel);
    return true;
}

void presence_clear(struct presence *presence, struct presence_channel *channel)
{
    while (!list_is_empty(&channel->entries)) {
        struct presence_entry *entry =
            CONTAINER_OF(channel->entries.next, struct presence_entry, link);
        presence_remove(presence, channel, entry);
    }
    presence_forget_snapshot(channel);
}

bool presence_next_of_origin(const struct presence *presence, uint32_t *cursor, uint32_t origin,
                             uint32_t *channel, uint8_t client[CLIENT_ID_LEN])
{
    uint32_t handle;
    const struct presence_entry *entry = pool_next(presence->pool, cursor, &handle);
    if (entry == NULL) {
        *cursor = UINT32_MAX;
        return false;
    }
    *channel = entry->key.channel;
    memcpy(client, entry->key.client, CLIENT_ID_LEN);
    return entry->origin == origin;
}

struct buf *presence_list(struct presence_channel *channel)
{
    if (channel->snapshot == NULL && channel->clients > 0) {
        channel->snapshot = presence_snapshot_make(channel->clients);
        if (channel->snapshot == NULL) {
            return NULL;
        }
        struct buf **into = presence_snapshot_of(channel->snapshot)->identities;
        for (struct list *at = channel->entries.next; at != &channel->entries; at = at->next) {
            struct presence_entry *entry = CONTAINER_OF(at, struct presence_entry, link);
            buf_share(entry->identity, 1);
            *into++ = entry->identity;
        }
    }
    if (channel->snapshot != NULL) {
        presence_snapshot_share(channel->snapshot, 1);
    }
    return channel->snapshot;
}

uint32_t presence_count(const struct presence *presence)
{
    return pool_count(presence->pool);
}
