/* SPDX-License-Identifier: Apache-2.0 */
/* Users by name, each with the number of its sessions on each shard. */
#include "shards/router/directory.h"

#include <stdlib.h>

#include "runtime/map.h"
#include "runtime/pool.h"
#include "shards/payloads.h"

struct user_shard {
    uint32_t shard;
    uint32_t sessions; /* > 0 */
};

enum { USER_SHARDS_FEW = 4 };

struct user {
    struct buf *name;
    uint32_t handle;
    uint32_t sessions; /* On all shards. */
    uint16_t shards_len;
    uint16_t shards_room; /* Of `many`; 0: they are in `few`. */
    union {
        struct user_shard few[USER_SHARDS_FEW];
        struct user_shard *many;
    } shards;
};

static_assert(sizeof(struct user) <= 64, "the budget of an entry");

struct directory {
    struct actors *actors;
    struct pool *pool;
    struct map *users;
};

static struct map_key user_key(const void *object)
{
    const struct user *user = object;
    return (struct map_key){user->name->bytes, user->name->len};
}

struct directory *directory_create(struct actors *actors, uint32_t users_max)
{
    struct directory *directory = calloc(1, sizeof(*directory));
    if (directory == NULL) {
        return NULL;
    }
    directory->actors = actors;
    directory->pool = pool_create(sizeof(struct user), users_max);
    directory->users = map_create(user_key, &actors->shard->random);
    if (directory->pool == NULL || directory->users == NULL) {
        directory_destroy(directory);
        return NULL;
    }
    return directory;
}

static void directory_free_user(struct directory *directory, struct user *user)
{
    map_remove(directory->users, user);
    if (user->shards_room != 0) {
        free(user->shards.many);
    }
    buf_release(user->name);
    pool_put(directory->pool, user->handle);
}

void directory_destroy(struct directory *directory)
{
    if (directory == NULL) {
        return;
    }
    if (directory->users != NULL) {
        size_t cursor = 0;
        struct user *user;
        while ((user = map_next(directory->users, &cursor)) != NULL) {
            directory_free_user(directory, user);
        }
        map_destroy(directory->users);
    }
    pool_destroy(directory->pool);
    free(directory);
}

void directory_trim(struct directory *directory)
{
    pool_trim(directory->pool);
}

static struct user *directory_find(const struct directory *directory, const void *name, size_t len)
{
    return map_find(directory->users, name, len);
}

/* Keeps the name, with a count of its own. NULL: too many users, or memory is out. */
static struct user *directory_add_user(struct directory *directory, struct buf *name)
{
    uint32_t handle;
    struct user *user = pool_take(directory->pool, &handle);
    if (user == NULL) {
        return NULL;
    }
    user->name = name;
    user->handle = handle;
    if (!map_insert(directory->users, user)) {
        pool_put(directory->pool, handle);
        return NULL;
    }
    buf_share(name, 1);
    actors_gauge_add(directory->actors, COUNTER_NUM_USERS, 1);
    return user;
}

static void directory_remove_user_if_idle(struct directory *directory, struct user *user)
{
    if (user->sessions == 0) {
        directory_free_user(directory, user);
        actors_gauge_add(directory->actors, COUNTER_NUM_USERS, -1);
    }
}

/* ---- a user's shards ---- */

static struct user_shard *user_shards(struct user *user)
{
    return user->shards_room == 0 ? user->shards.few : user->shards.many;
}

static struct user_shard *user_find_shard(struct user *user, uint32_t shard)
{
    struct user_shard *shards = user_shards(user);
    for (uint32_t i = 0; i < user->shards_len; i++) {
        if (shards[i].shard == shard) {
            return &shards[i];
        }
    }
    return NULL;
}

static bool user_grow_shards(struct user *user)
{
    const uint32_t room = user->shards_room == 0 ? 2 * USER_SHARDS_FEW : 2u * user->shards_room;
    struct user_shard *many = calloc(room, sizeof(*many));
    if (many == NULL) {
        return false;
    }
    memcpy(many, user_shards(user), user->shards_len * sizeof(*many));
    if (user->shards_room != 0) {
        free(user->shards.many);
    }
    user->shards.many = many;
    user->shards_room = (uint16_t)room;
    return true;
}

/* False: memory is out. */
static bool user_add_session(struct user *user, uint32_t shard)
{
    struct user_shard *at = user_find_shard(user, shard);
    if (at == NULL) {
        const uint32_t room = user->shards_room == 0 ? USER_SHARDS_FEW : user->shards_room;
        if (user->shards_len == room && !user_grow_shards(user)) {
            return false;
        }
        at = &user_shards(user)[user->shards_len++];
        *at = (struct user_shard){.shard = shard};
    }
    at->sessions++;
    user->sessions++;
    return true;
}

/* ---- messages ---- */

/* 0, or the disconnect code that the session is to be refused with. */
static uint32_t directory_add_session(struct directory *directory, struct buf *name, uint32_t shard)
{
    const uint32_t limit = directory->actors->options->client.user_connection_limit;
    struct user *user = directory_find(directory, name->bytes, name->len);
    if (user == NULL) {
        user = directory_add_user(directory, name);
    }
    if (user == NULL) {
        return CLIENT_DISCONNECT_INTERNAL;
    }
    if (limit != 0 && user->sessions >= limit) {
        return CLIENT_DISCONNECT_CONNECTION_LIMIT;
    }
    if (!user_add_session(user, shard)) {
        directory_remove_user_if_idle(directory, user);
        return CLIENT_DISCONNECT_INTERNAL;
    }
    return 0;
}

void directory_on_user_add(struct directory *directory, const struct message *message)
{
    const struct message_user_add body = message_as_user_add(message);
    const struct message_user_added answer = {
        .error = directory_add_session(directory, body.user, message->from),
    };
    OUTBOX_SEND(directory->actors->outbox, message->from, user_added, message->handle, &answer);
    message_release(message);
}

void directory_on_user_remove(struct directory *directory, const struct message *message)
{
    const struct message_user_remove body = message_as_user_remove(message);
    struct user *user = directory_find(directory, body.user->bytes, body.user->len);
    struct user_shard *at = user == NULL ? NULL : user_find_shard(user, message->from);
    if (!WARN_IF(at == NULL)) {
        user->sessions--;
        if (--at->sessions == 0) {
            *at = user_shards(user)[--user->shards_len];
        }
        directory_remove_user_if_idle(directory, user);
    }
    message_release(message);
}

void directory_on_user_command(struct directory *directory, const struct message *message)
{
    const struct message_user_command body = message_as_user_command(message);
    const struct span name = session_command_of(body.command).user;
    struct user *user = directory_find(directory, name.at, name.len);
    if (user != NULL) {
        const struct user_shard *shards = user_shards(user);
        const struct message_session_command passed_on = {.command = body.command};
        buf_share(body.command, user->shards_len);
        for (uint32_t i = 0; i < user->shards_len; i++) {
            OUTBOX_SEND(directory->actors->outbox, shards[i].shard, session_command, 0, &passed_on);
        }
        actors_count_many(directory->actors, COUNTER_SENT_CONTROL, user->shards_len);
    }
    message_release(message);
}
