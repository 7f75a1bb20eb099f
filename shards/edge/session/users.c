/* SPDX-License-Identifier: Apache-2.0 */
/* Users by id, each with its sessions here and with the directory that was told of them. */
#include "shards/edge/session/users.h"

#include <stdlib.h>
#include <string.h>

#include "shards/router/placement.h"

/* The tenure of the directory that a user has now. */
static uint64_t directory_of(const struct edge *edge, const struct local_user *user)
{
    const struct placement *placement = edge->actors->placement;
    if (placement == NULL) {
        return 0;
    }
    const uint16_t slot = placement_slot_of(span_of(user->id->bytes, user->id->len));
    return placement_tenure_of(placement, placement_home_of(placement, slot).node);
}

static struct local_user *user_make(struct edge *edge, struct span id)
{
    struct local_user *user = calloc(1, sizeof(*user));
    if (user == NULL) {
        return NULL;
    }
    list_init(&user->accounts);
    user->id = buf_copy(id.at, id.len);
    if (user->id == NULL || !map_insert(edge->users, user)) {
        buf_release(user->id);
        free(user);
        return NULL;
    }
    user->directory = directory_of(edge, user);
    list_append(&edge->users_told, &user->link);
    return user;
}

static void user_free(struct edge *edge, struct local_user *user)
{
    map_remove(edge->users, user);
    list_remove(&user->link);
    buf_release(user->id);
    free(user);
}

/* While homes move, what was told last may have gone to a directory of a moment, and the one that
 * stays believe what it heard before: a user without sessions is told of until that is over. */
static bool user_is_told_again(const struct edge *edge, const struct local_user *user)
{
    return edge->users_again > 0 && user->told_ms != 0 && !edge->is_ending;
}

void users_unset(struct edge *edge, struct session *session)
{
    struct session_account *account = session->account;
    struct local_user *user = account == NULL ? NULL : account->user;
    if (user == NULL) {
        return;
    }
    list_remove(&account->user_link);
    account->user = NULL;
    if (list_is_empty(&user->accounts) && !user_is_told_again(edge, user)) {
        user_free(edge, user);
    }
}

bool users_set(struct edge *edge, struct session *session, struct span id)
{
    users_unset(edge, session);
    if (span_is_empty(id)) {
        return true;
    }
    struct session_account *account = session_account_of(session);
    struct local_user *user = map_find(edge->users, id.at, id.len);
    if (account != NULL && user == NULL) {
        user = user_make(edge, id);
    }
    if (account == NULL || user == NULL) {
        return false;
    }
    account->user = user;
    list_append(&user->accounts, &account->user_link);
    return true;
}

static void user_tell(struct edge *edge, struct local_user *user)
{
    const struct message_user_set body = {.user = user->id, .sessions = user->sessions};
    user->told_ms = edge->shard->now_ms;
    buf_share(body.user, 1);
    OUTBOX_SEND(edge->actors->outbox,
                actors_home_of(edge->actors, span_of(user->id->bytes, user->id->len)), user_set, 0,
                &body);
}

void users_on_added(struct edge *edge, struct session *session, bool was_asked)
{
    struct local_user *user = session->account->user;
    user->sessions++;
    user->told_ms = edge->shard->now_ms;
    user->moved = user->moved || !was_asked;
    if (user->moved) {
        user_tell(edge, user); /* The one that answered may not be its directory any more. */
    }
}

void users_remove(struct edge *edge, struct session *session)
{
    struct local_user *user = session->account->user;
    const struct message_user_remove body = {.user = user->id};
    user->sessions--;
    user->told_ms = edge->shard->now_ms;
    buf_share(body.user, 1);
    OUTBOX_SEND(edge->actors->outbox, actors_home_of(edge->actors, session_user(session)),
                user_remove, 0, &body);
}

void users_end_others(struct edge *edge, const struct session *session)
{
    const struct personal_channel_options *personal = &edge->options->client.personal_channel;
    char whitelist[CLIENT_ID_TEXT_LEN + 4] = "[\"";
    if (!personal->enabled || !personal->single_connection ||
        span_is_empty(session_user(session))) {
        return;
    }
    client_id_format(session->client_id, whitelist + 2);
    memcpy(whitelist + 2 + CLIENT_ID_TEXT_LEN, "\"]", 2);
    const struct message_user_command body = {
        .command = session_command_make(&(struct session_command){
            .kind = SESSION_DISCONNECT,
            .code = CLIENT_DISCONNECT_CONNECTION_LIMIT,
            .user = session_user(session),
            .whitelist = span_of(whitelist, sizeof(whitelist)),
        })};
    if (body.command != NULL) {
        OUTBOX_SEND(edge->actors->outbox, actors_home_of(edge->actors, session_user(session)),
                    user_command, 0, &body);
    }
}

/* ---- after a change of the placement ---- */

static void splice(struct list *from, struct list *to)
{
    struct list *link;
    if (list_is_empty(to) && !list_is_empty(from)) {
        /* The usual case, however many they are. */
        to->next = from->next;
        to->prev = from->prev;
        to->next->prev = to;
        to->prev->next = to;
        list_init(from);
        return;
    }
    while ((link = list_take_first(from)) != NULL) {
        list_append(to, link);
    }
}

static void users_on_timer(struct timer *timer, void *actor)
{
    struct edge *edge = CONTAINER_OF(timer, struct edge, users_timer);
    (void)actor;
    splice(&edge->users_told, &edge->users_due);
    edge->users_again--;
    if (edge->users_again > 0) {
        timer_set(edge->shard->timers, timer, edge->shard->now_ms + USERS_AGAIN_MS_MAX,
                  users_on_timer);
    }
}

/* Those that were not looked at since the change before may have had another directory in between,
 * so that they are told in any case. */
void users_on_placement(struct edge *edge)
{
    splice(&edge->users_due, &edge->users_unsure);
    splice(&edge->users_told, &edge->users_due);
    if (edge->users_since_ms == 0) {
        const uint64_t now_ms = edge->shard->now_ms;
        edge->users_since_ms = now_ms > USERS_AGAIN_MS_MAX ? now_ms - USERS_AGAIN_MS_MAX : 1;
    }
    edge->users_again = USERS_AGAIN;
    timer_set(edge->shard->timers, &edge->users_timer, edge->shard->now_ms + USERS_AGAIN_MS_MIN,
              users_on_timer);
}

void users_on_wanted(struct edge *edge, const struct message *message)
{
    const struct message_users_wanted body = message_as_users_wanted(message);
    for (uint32_t i = 0; i < SLOT_SET_LEN; i++) {
        edge->users_wanted[i] |= body.slots->bytes[i];
    }
    splice(&edge->users_told, &edge->users_due);
    message_release(message);
}

static bool user_is_wanted(const struct edge *edge, const struct local_user *user)
{
    const struct span id = span_of(user->id->bytes, user->id->len);
    return slot_set_has(edge->users_wanted, placement_slot_of(id));
}

void users_on_turn_end(struct edge *edge)
{
    const bool had_work = users_has_work(edge);
    for (uint32_t i = 0; i < HUB_MOVES_A_TICK && users_has_work(edge); i++) {
        const bool is_unsure = !list_is_empty(&edge->users_unsure);
        struct list *link = list_take_first(is_unsure ? &edge->users_unsure : &edge->users_due);
        struct local_user *user = CONTAINER_OF(link, struct local_user, link);
        const uint64_t directory = directory_of(edge, user);
        list_append(&edge->users_told, link);
        if (is_unsure || directory != user->directory || user_is_wanted(edge, user) ||
            (edge->users_since_ms != 0 && user->told_ms >= edge->users_since_ms)) {
            user->directory = directory;
            user->moved = true;
            user_tell(edge, user);
        }
        if (list_is_empty(&user->accounts) && edge->users_again == 0) {
            user_free(edge, user);
        }
    }
    if (had_work && !users_has_work(edge)) {
        memset(edge->users_wanted, 0, SLOT_SET_LEN);
    }
    if (edge->users_again == 0 && !users_has_work(edge)) {
        edge->users_since_ms = 0;
    }
}

bool users_has_work(const struct edge *edge)
{
    return !list_is_empty(&edge->users_due) || !list_is_empty(&edge->users_unsure);
}

void users_end(struct edge *edge)
{
    struct list *const lists[] = {&edge->users_told, &edge->users_due, &edge->users_unsure};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        while (!list_is_empty(lists[i])) {
            user_free(edge, CONTAINER_OF(lists[i]->next, struct local_user, link));
        }
    }
}
