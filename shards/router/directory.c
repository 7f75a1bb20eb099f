/* SPDX-License-Identifier: Apache-2.0 */
/* Users by name, each with the number of its sessions in each place. */
#include "shards/router/directory.h"

#include <stdlib.h>

#include "runtime/map.h"
#include "runtime/pool.h"
#include "shards/limits.h"
#include "shards/origins.h"
#include "shards/payloads.h"
#include "shards/router/placement.h"

struct user_place {
    uint32_t place;    /* message_place() */
    uint32_t sessions; /* > 0 */
};

enum { USER_PLACES_FEW = 4 };

struct user {
    struct buf *name;
    uint32_t handle;
    uint32_t sessions; /* In all places. */
    uint16_t places_len;
    uint16_t places_room; /* Of `many`; 0: they are in `few`. */
    union {
        struct user_place few[USER_PLACES_FEW];
        struct user_place *many;
    } places;
};

static_assert(sizeof(struct user) <= 64, "the budget of an entry");

struct directory {
    struct actors *actors;
    struct pool *pool;
    struct map *users;
    struct origins origins;
    uint32_t walk_cursor; /* In the pool: the users before it were looked at. */
    bool is_walking;      /* Since the placement changed. */
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
    if (user->places_room != 0) {
        free(user->places.many);
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
    origins_clear(&directory->origins);
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

/* ---- a user's places ---- */

static struct user_place *user_places(struct user *user)
{
    return user->places_room == 0 ? user->places.few : user->places.many;
}

static struct user_place *user_find_place(struct user *user, uint32_t place)
{
    struct user_place *places = user_places(user);
    for (uint32_t i = 0; i < user->places_len; i++) {
        if (places[i].place == place) {
            return &places[i];
        }
    }
    return NULL;
}

static bool user_grow_places(struct user *user)
{
    const uint32_t room = user->places_room == 0 ? 2 * USER_PLACES_FEW : 2u * user->places_room;
    struct user_place *many = calloc(room, sizeof(*many));
    if (many == NULL) {
        return false;
    }
    memcpy(many, user_places(user), user->places_len * sizeof(*many));
    if (user->places_room != 0) {
        free(user->places.many);
    }
    user->places.many = many;
    user->places_room = (uint16_t)room;
    return true;
}

/* The place, new or as it is; NULL: memory is out. */
static struct user_place *user_place_for(struct user *user, uint32_t place)
{
    struct user_place *at = user_find_place(user, place);
    if (at != NULL) {
        return at;
    }
    const uint32_t room = user->places_room == 0 ? USER_PLACES_FEW : user->places_room;
    if (user->places_len == room && !user_grow_places(user)) {
        return NULL;
    }
    at = &user_places(user)[user->places_len++];
    *at = (struct user_place){.place = place};
    return at;
}

/* So many sessions are there from now on; without any the place goes. */
static void user_set_place(struct user *user, struct user_place *at, uint32_t sessions)
{
    user->sessions += sessions - at->sessions;
    at->sessions = sessions;
    if (sessions == 0) {
        *at = user_places(user)[--user->places_len];
    }
}

/* ---- messages ---- */

/* Shards speak for themselves, the router for others. */
static uint32_t directory_place(const struct directory *directory, const struct message *message,
                                uint32_t place)
{
    return message->from == directory->actors->node->shards ? place
                                                            : message_place(0, message->from);
}

static bool directory_is_home(const struct directory *directory, struct span name)
{
    const struct placement *placement = directory->actors->placement;
    if (placement == NULL) {
        return true;
    }
    const struct placement_home home = placement_home_of(placement, placement_slot_of(name));
    return home.node == placement->self && home.shard == directory->actors->shard->id;
}

static struct user *directory_user_for(struct directory *directory, struct buf *name)
{
    struct user *user = directory_find(directory, name->bytes, name->len);
    return user == NULL ? directory_add_user(directory, name) : user;
}

/* 0, or the disconnect code that the session is to be refused with. */
static uint32_t directory_add_session(struct directory *directory, struct buf *name, uint32_t place)
{
    const uint32_t limit = directory->actors->options->client.user_connection_limit;
    struct user *user = directory_user_for(directory, name);
    if (user == NULL) {
        return CLIENT_DISCONNECT_INTERNAL;
    }
    if (limit != 0 && user->sessions >= limit) {
        return CLIENT_DISCONNECT_CONNECTION_LIMIT;
    }
    struct user_place *at = user_place_for(user, place);
    if (at == NULL) {
        directory_remove_user_if_idle(directory, user);
        return CLIENT_DISCONNECT_INTERNAL;
    }
    user_set_place(user, at, at->sessions + 1);
    return 0;
}

void directory_on_user_add(struct directory *directory, const struct message *message)
{
    const struct message_user_add body = message_as_user_add(message);
    struct message_user_added answer = {0};
    /* Where this is not the home (any more), the session is let in: its shard registers it again
     * where that is. */
    if (directory_is_home(directory, span_of(body.user->bytes, body.user->len))) {
        answer.error = directory_add_session(directory, body.user,
                                             directory_place(directory, message, body.place));
    }
    OUTBOX_SEND(directory->actors->outbox, message->from, user_added, message->handle, &answer);
    message_release(message);
}

void directory_on_user_remove(struct directory *directory, const struct message *message)
{
    const struct message_user_remove body = message_as_user_remove(message);
    const uint32_t place = directory_place(directory, message, body.place);
    struct user *user = directory_find(directory, body.user->bytes, body.user->len);
    struct user_place *at = user == NULL ? NULL : user_find_place(user, place);
    if (at != NULL) {
        user_set_place(user, at, at->sessions - 1);
        directory_remove_user_if_idle(directory, user);
    } else {
        actors_count(directory->actors, COUNTER_STALE_MESSAGES);
    }
    message_release(message);
}

void directory_on_user_set(struct directory *directory, const struct message *message)
{
    const struct message_user_set body = message_as_user_set(message);
    const uint32_t place = directory_place(directory, message, body.place);
    const bool is_home = directory_is_home(directory, span_of(body.user->bytes, body.user->len));
    struct user *user = is_home ? directory_user_for(directory, body.user) : NULL;
    struct user_place *at = user == NULL ? NULL : user_place_for(user, place);
    if (at != NULL) {
        user_set_place(user, at, body.sessions);
    } else if (is_home) {
        actors_count(directory->actors, COUNTER_REFUSED_MEMORY);
    }
    if (user != NULL) {
        directory_remove_user_if_idle(directory, user);
    }
    message_release(message);
}

void directory_on_user_command(struct directory *directory, const struct message *message)
{
    const struct message_user_command body = message_as_user_command(message);
    const struct span name = session_command_of(body.command).user;
    const uint32_t router = directory->actors->node->shards;
    struct user *user = directory_find(directory, name.at, name.len);
    if (user != NULL) {
        const struct user_place *places = user_places(user);
        buf_share(body.command, user->places_len);
        for (uint32_t i = 0; i < user->places_len; i++) {
            const struct message_session_command passed_on = {.command = body.command,
                                                              .place = places[i].place};
            const bool is_here = message_place_origin(places[i].place) == 0;
            OUTBOX_SEND(directory->actors->outbox,
                        is_here ? message_place_shard(places[i].place) : router, session_command, 0,
                        &passed_on);
        }
        actors_count_many(directory->actors, COUNTER_SENT_CONTROL, user->places_len);
    }
    message_release(message);
}

/* ---- what is forgotten ---- */

void directory_on_origin_gone(struct directory *directory, const struct message *message)
{
    const struct message_origin_gone body = message_as_origin_gone(message);
    if (body.with_presence == 0 && !origins_add(&directory->origins, body.origin)) {
        actors_count(directory->actors, COUNTER_REFUSED_MEMORY);
    }
}

void directory_on_placement(struct directory *directory)
{
    directory->is_walking = true;
    directory->walk_cursor = 0;
}

static void directory_walk(struct directory *directory)
{
    uint32_t handle;
    for (uint32_t i = 0; i < HOME_WALK_CHANNELS; i++) {
        struct user *user = pool_next(directory->pool, &directory->walk_cursor, &handle);
        if (user == NULL) {
            directory->is_walking = false;
            return;
        }
        if (!directory_is_home(directory, span_of(user->name->bytes, user->name->len))) {
            user->sessions = 0;
            directory_remove_user_if_idle(directory, user);
        }
    }
}

static void user_forget_origin(struct user *user, uint32_t origin)
{
    for (uint32_t i = user->places_len; i-- > 0;) {
        struct user_place *at = &user_places(user)[i];
        if (message_place_origin(at->place) == origin) {
            user_set_place(user, at, 0);
        }
    }
}

static void directory_sweep(struct directory *directory)
{
    struct origins *origins = &directory->origins;
    uint32_t handle;
    for (uint32_t i = 0; i < HOME_WALK_CHANNELS; i++) {
        struct user *user = pool_next(directory->pool, &origins->cursor, &handle);
        if (user == NULL) {
            origins_next(origins);
            return;
        }
        user_forget_origin(user, origins->gone[0]);
        directory_remove_user_if_idle(directory, user);
    }
}

void directory_on_turn_end(struct directory *directory)
{
    if (directory->is_walking) {
        directory_walk(directory);
    }
    if (directory->origins.len > 0) {
        directory_sweep(directory);
    }
}

bool directory_has_work(const struct directory *directory)
{
    return directory->is_walking || directory->origins.len > 0;
}
