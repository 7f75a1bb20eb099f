/* SPDX-License-Identifier: Apache-2.0 */
/* Users by name, each with the number of its sessions in each place. */
#include "shards/router/directory.h"

#include <stdlib.h>

#include "runtime/map.h"
#include "shards/limits.h"
#include "shards/origins.h"
#include "shards/payloads.h"
#include "shards/rate_limits.h"
#include "shards/router/placement.h"

struct user_place {
    uint32_t place;    /* message_place() */
    uint32_t sessions; /* > 0 */
};

/* Of a user that is in several places. */
struct user_places {
    uint32_t sessions; /* In all of them. */
    uint32_t len;
    uint32_t room;
    struct user_place at[];
};

enum { USER_NAME_LEN_MAX = (1 << 15) - 1, USER_PLACES_ROOM_MIN = 4 };

/* One of millions: what nearly all of them have, a name and one place, is in one piece.
 *
 *   0        8     10
 *   | place  | len | name ...           ten bytes and the name; with the map's 15 it is 64 bytes
 *   | places |                          for names of up to 38 bytes
 */
struct user {
    union {
        struct user_place one; /* Of no sessions: there is none, which lasts no message. */
        struct user_places *many;
    } places;
    uint16_t name_len : 15;
    uint16_t has_many : 1;
    uint8_t name[];
};

enum { USER_HEAD_LEN = offsetof(struct user, name) };
static_assert((int)USER_HEAD_LEN == 10, "what an entry costs beside its name");
static_assert((int)USER_ID_LEN_MAX <= (int)USER_NAME_LEN_MAX, "every user has a name that fits");

struct directory {
    struct actors *actors;
    struct map *users;
    uint32_t users_max;
    struct rate_table *rates; /* What users have lately done; NULL: no limits. */
    struct origins origins;   /* Sessions of links that are over: to be forgotten by this walk. */
    uint64_t walk_place;      /* The users before it were looked at. */
    bool is_walking;          /* Since the placement changed, or a session was over, */
    bool walks_again;         /* and once more from the beginning: since then another was. */
};

static struct map_key user_key(const void *object)
{
    const struct user *user = object;
    return (struct map_key){user->name, user->name_len};
}

struct directory *directory_create(struct actors *actors, uint32_t users_max)
{
    struct directory *directory = calloc(1, sizeof(*directory));
    if (directory == NULL) {
        return NULL;
    }
    directory->actors = actors;
    directory->users_max = users_max;
    directory->users = map_create(user_key, &actors->shard->random);
    const struct rate_limits *limits = actors->options->client.user_rates;
    if (limits != NULL) {
        directory->rates = rate_table_create(limits, users_max, &actors->shard->random);
    }
    if (directory->users == NULL || (limits != NULL && directory->rates == NULL)) {
        directory_destroy(directory);
        return NULL;
    }
    return directory;
}

static void user_free(struct user *user)
{
    if (user->has_many) {
        free(user->places.many);
    }
    free(user);
}

void directory_destroy(struct directory *directory)
{
    if (directory == NULL) {
        return;
    }
    void *few[MAP_FEW_MAX];
    uint64_t place = 0;
    uint32_t len;
    while (directory->users != NULL && (len = map_next_few(directory->users, &place, few)) > 0) {
        for (uint32_t i = 0; i < len; i++) {
            user_free(few[i]);
        }
    }
    map_destroy(directory->users);
    rate_table_destroy(directory->rates);
    origins_clear(&directory->origins);
    free(directory);
}

static struct user *directory_find(const struct directory *directory, const struct buf *name)
{
    return map_find(directory->users, name->bytes, name->len);
}

/* NULL: too many users, or memory is out. */
static struct user *directory_add_user(struct directory *directory, const struct buf *name)
{
    if (map_count(directory->users) >= directory->users_max || name->len > USER_NAME_LEN_MAX) {
        return NULL;
    }
    const size_t size = USER_HEAD_LEN + name->len;
    struct user *user = malloc(size > sizeof(*user) ? size : sizeof(*user));
    if (user == NULL) {
        return NULL;
    }
    *user = (struct user){.name_len = (uint16_t)(name->len & USER_NAME_LEN_MAX)};
    memcpy(user->name, name->bytes, name->len);
    if (!map_insert(directory->users, user)) {
        user_free(user);
        return NULL;
    }
    actors_gauge_add(directory->actors, COUNTER_NUM_USERS, 1);
    return user;
}

/* ---- a user's places ---- */

struct places {
    struct user_place *at;
    uint32_t len;
};

static struct places user_places(struct user *user)
{
    if (user->has_many) {
        return (struct places){user->places.many->at, user->places.many->len};
    }
    return (struct places){&user->places.one, user->places.one.sessions > 0};
}

static uint32_t user_sessions(const struct user *user)
{
    return user->has_many ? user->places.many->sessions : user->places.one.sessions;
}

static void directory_forget_user(struct directory *directory, struct user *user)
{
    map_remove(directory->users, user);
    user_free(user);
    actors_gauge_add(directory->actors, COUNTER_NUM_USERS, -1);
}

static void directory_remove_user_if_idle(struct directory *directory, struct user *user)
{
    if (user_sessions(user) == 0) {
        directory_forget_user(directory, user);
    }
}

static struct user_place *user_find_place(struct user *user, uint32_t place)
{
    const struct places places = user_places(user);
    for (uint32_t i = 0; i < places.len; i++) {
        if (places.at[i].place == place) {
            return &places.at[i];
        }
    }
    return NULL;
}

/* Room for one more than the user has, which is one at least. False: memory is out. */
static bool user_grow_places(struct user *user)
{
    struct user_places *old = user->has_many ? user->places.many : NULL;
    if (old != NULL && old->len < old->room) {
        return true;
    }
    const uint32_t room = old == NULL ? USER_PLACES_ROOM_MIN : 2 * old->room;
    struct user_places *many = realloc(old, sizeof(*many) + room * sizeof(many->at[0]));
    if (many == NULL) {
        return false;
    }
    many->room = room;
    if (old == NULL) {
        many->sessions = user->places.one.sessions;
        many->len = 1;
        many->at[0] = user->places.one;
    }
    user->places.many = many;
    user->has_many = true;
    return true;
}

/* The place, new or as it is; a new one has no sessions, and is to be given some. NULL: memory is
 * out. */
static struct user_place *user_place_for(struct user *user, uint32_t place)
{
    struct user_place *at = user_find_place(user, place);
    if (at != NULL) {
        return at;
    }
    if (user_sessions(user) == 0) {
        at = &user->places.one;
    } else if (user_grow_places(user)) {
        at = &user->places.many->at[user->places.many->len++];
    } else {
        return NULL;
    }
    *at = (struct user_place){.place = place};
    return at;
}

/* So many sessions are there from now on; without any the place goes. */
static void user_set_place(struct user *user, struct user_place *at, uint32_t sessions)
{
    const uint32_t change = sessions - at->sessions;
    at->sessions = sessions;
    if (!user->has_many) {
        return;
    }
    struct user_places *many = user->places.many;
    many->sessions += change;
    if (sessions == 0) {
        *at = many->at[--many->len];
    }
    if (many->len == 1) {
        user->places.one = many->at[0];
        user->has_many = false;
        free(many);
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

static struct user *directory_user_for(struct directory *directory, const struct buf *name)
{
    struct user *user = directory_find(directory, name);
    return user == NULL ? directory_add_user(directory, name) : user;
}

static bool directory_take(struct directory *directory, const struct buf *name,
                           struct rate_rule rule)
{
    return directory->rates == NULL ||
           rate_table_take(directory->rates, span_of(name->bytes, name->len), rule,
                           directory->actors->shard->now_ns);
}

/* 0, or the disconnect code that the session is to be refused with. */
static uint32_t directory_add_session(struct directory *directory, const struct buf *name,
                                      uint32_t place)
{
    const uint32_t limit = directory->actors->options->client.user_connection_limit;
    const struct rate_limits *limits = directory->actors->options->client.user_rates;
    if (limits != NULL &&
        !directory_take(directory, name,
                        rate_limits_rule(limits, CLIENT_METHOD_CONNECT, SPAN_EMPTY))) {
        actors_count(directory->actors, COUNTER_RATE_LIMITED_CONNECT);
        return CLIENT_DISCONNECT_TOO_MANY_REQUESTS;
    }
    struct user *user = directory_user_for(directory, name);
    if (user == NULL) {
        return CLIENT_DISCONNECT_INTERNAL;
    }
    if (limit != 0 && user_sessions(user) >= limit) {
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
    /* Where this is not the home (any more, or yet), the session is let in: its shard registers it
     * again where that is. */
    struct message_user_added answer = {.error = CLIENT_ERROR_TOO_MANY_REQUESTS};
    if (directory_is_home(directory, span_of(body.user->bytes, body.user->len))) {
        answer.error = directory_add_session(directory, body.user,
                                             directory_place(directory, message, body.place));
    }
    OUTBOX_SEND(directory->actors->outbox, message->from, user_added, message->handle, &answer);
    message_release(message);
}

/* Nodes may have been told other limits for a while. */
void directory_on_user_take(struct directory *directory, const struct message *message)
{
    const struct message_user_take body = message_as_user_take(message);
    const struct rate_limits *limits = directory->actors->options->client.user_rates;
    struct message_user_taken answer = {.error = CLIENT_ERROR_TOO_MANY_REQUESTS};
    if (limits != NULL && body.first <= limits->buckets_len &&
        body.len <= limits->buckets_len - body.first &&
        directory_is_home(directory, span_of(body.user->bytes, body.user->len))) {
        const struct rate_rule rule = {(uint16_t)body.first, (uint16_t)body.len};
        answer.error = 0;
        answer.is_denied = !directory_take(directory, body.user, rule);
    }
    OUTBOX_SEND(directory->actors->outbox, message->from, user_taken, message->handle, &answer);
    message_release(message);
}

void directory_on_user_remove(struct directory *directory, const struct message *message)
{
    const struct message_user_remove body = message_as_user_remove(message);
    const uint32_t place = directory_place(directory, message, body.place);
    struct user *user = directory_find(directory, body.user);
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
    struct user *user = map_find(directory->users, name.at, name.len);
    if (user != NULL) {
        const struct places places = user_places(user);
        buf_share(body.command, places.len);
        for (uint32_t i = 0; i < places.len; i++) {
            const uint32_t place = places.at[i].place;
            const struct message_session_command passed_on = {.command = body.command,
                                                              .place = place};
            OUTBOX_SEND(directory->actors->outbox,
                        message_place_origin(place) == 0 ? message_place_shard(place) : router,
                        session_command, 0, &passed_on);
        }
        actors_count_many(directory->actors, COUNTER_SENT_CONTROL, places.len);
    }
    message_release(message);
}

void directory_visit(const struct directory *directory, directory_visitor *visit, void *context)
{
    size_t cursor = 0;
    struct user *user;
    while ((user = map_next(directory->users, &cursor)) != NULL) {
        const struct places places = user_places(user);
        for (uint32_t i = 0; i < places.len; i++) {
            visit(context, span_of(user->name, user->name_len), places.at[i].place,
                  places.at[i].sessions);
        }
    }
}

/* ---- what is forgotten ---- */

static void directory_walk_begin(struct directory *directory)
{
    directory->walks_again = directory->is_walking;
    directory->is_walking = true;
}

void directory_on_origin_gone(struct directory *directory, const struct message *message)
{
    const struct message_origin_gone body = message_as_origin_gone(message);
    if (body.with_presence != 0) {
        return;
    }
    if (!origins_add(&directory->origins, body.origin)) {
        actors_count(directory->actors, COUNTER_REFUSED_MEMORY);
        return;
    }
    directory_walk_begin(directory);
}

void directory_on_placement(struct directory *directory)
{
    directory_walk_begin(directory);
}

static void user_forget_origins(struct user *user, const struct origins *origins)
{
    for (uint32_t gone = 0; gone < origins->len; gone++) {
        for (uint32_t i = user_places(user).len; i-- > 0;) {
            struct user_place *at = &user_places(user).at[i];
            if (message_place_origin(at->place) == origins->gone[gone]) {
                user_set_place(user, at, 0);
            }
        }
    }
}

static void directory_walk_user(struct directory *directory, struct user *user)
{
    if (directory_is_home(directory, span_of(user->name, user->name_len))) {
        user_forget_origins(user, &directory->origins);
        directory_remove_user_if_idle(directory, user);
    } else {
        directory_forget_user(directory, user);
    }
}

static void directory_walk(struct directory *directory)
{
    void *few[MAP_FEW_MAX];
    for (uint32_t seen = 0; seen < HOME_WALK_CHANNELS;) {
        const uint32_t len = map_next_few(directory->users, &directory->walk_place, few);
        if (len == 0) {
            directory->walk_place = 0;
            directory->is_walking = directory->walks_again;
            directory->walks_again = false;
            directory->origins.len = directory->is_walking ? directory->origins.len : 0;
            return;
        }
        for (uint32_t i = 0; i < len; i++) {
            directory_walk_user(directory, few[i]);
        }
        seen += len;
    }
}

void directory_on_turn_end(struct directory *directory)
{
    if (directory->is_walking) {
        directory_walk(directory);
    }
}

void directory_trim(struct directory *directory)
{
    rate_table_trim(directory->rates, directory->actors->shard->now_ns);
}

bool directory_has_work(const struct directory *directory)
{
    return directory->is_walking;
}
