/* SPDX-License-Identifier: Apache-2.0 */
/* Wildcard channels at home here: ordinary ones, into which the homes of others publish.
 *
 * Each shard of the cluster that passes publications on has a lane to the wildcard, on which each
 * pass names the one before it unless that is known to have arrived (homes_passing.c). What is not
 * next on its lane is refused, and comes again behind what is missing. So what is told in a
 * wildcard is, lane by lane and hence channel by channel, in order and whole. Where that cannot be
 * had the channel ends and begins anew, and its subscribers are told: a source says that something
 * is lost, or is gone with what it had not passed on.
 */
#include <stdlib.h>

#include "runtime/array.h"
#include "shards/channel/homes_state.h"
#include "shards/limits.h"
#include "shards/router/placement.h"

struct lane {
    uint64_t id;
    uint64_t number; /* Of the newest that came. */
};

struct wildcard {
    struct buf *name;
    struct list link; /* Of all, or of those that are to begin anew. */
    struct lane *lanes;
    uint32_t len;
    uint32_t room;
};

static struct map_key wildcard_key(const void *object)
{
    const struct wildcard *wildcard = object;
    return (struct map_key){wildcard->name->bytes, wildcard->name->len};
}

bool homes_wildcards_init(struct homes *homes)
{
    list_init(&homes->wildcards.all);
    list_init(&homes->wildcards.doubted);
    homes->wildcards.by_name = map_create(wildcard_key, &homes->actors->shard->random);
    return homes->wildcards.by_name != NULL;
}

/* All channels have been freed before. */
void homes_wildcards_destroy(struct homes *homes)
{
    map_destroy(homes->wildcards.by_name);
}

static struct wildcard *wildcard_for(struct homes *homes, struct buf *name)
{
    struct wildcard *wildcard = map_find(homes->wildcards.by_name, name->bytes, name->len);
    if (wildcard != NULL) {
        return wildcard;
    }
    wildcard = calloc(1, sizeof(*wildcard));
    if (wildcard == NULL) {
        return NULL;
    }
    wildcard->name = name;
    if (!map_insert(homes->wildcards.by_name, wildcard)) {
        free(wildcard);
        return NULL;
    }
    buf_share(name, 1);
    list_append(&homes->wildcards.all, &wildcard->link);
    return wildcard;
}

bool homes_add_wildcard(struct homes *homes, const struct channel *channel)
{
    return wildcard_for(homes, channel->name) != NULL;
}

static struct wildcard *find_wildcard(const struct homes *homes, const struct channel *channel)
{
    const struct map *by_name = homes->wildcards.by_name;
    return map_count(by_name) == 0 ? NULL
                                   : map_find(by_name, channel->name->bytes, channel->name->len);
}

bool homes_is_wildcard(const struct homes *homes, const struct channel *channel)
{
    return find_wildcard(homes, channel) != NULL;
}

void homes_forget_wildcard(struct homes *homes, const struct channel *channel)
{
    struct wildcard *wildcard = find_wildcard(homes, channel);
    if (wildcard != NULL) {
        map_remove(homes->wildcards.by_name, wildcard);
        list_remove(&wildcard->link);
        buf_release(wildcard->name);
        free(wildcard->lanes);
        free(wildcard);
    }
}

static struct lane *find_lane(struct wildcard *wildcard, uint64_t id)
{
    for (uint32_t i = 0; i < wildcard->len; i++) {
        if (wildcard->lanes[i].id == id) {
            return &wildcard->lanes[i];
        }
    }
    return NULL;
}

/* Beyond the limit one that has been heard is forgotten, and is then as one that is new. */
static struct lane *add_lane(struct wildcard *wildcard, const struct pass *pass)
{
    if (wildcard->len == WILDCARD_LANES_MAX) {
        wildcard->lanes[pass->number % WILDCARD_LANES_MAX] = wildcard->lanes[--wildcard->len];
    }
    struct lane *lanes =
        array_reserve(wildcard->lanes, wildcard->len, &wildcard->room, 4, sizeof(*lanes));
    if (lanes == NULL) {
        return NULL;
    }
    wildcard->lanes = lanes;
    struct lane *lane = &wildcard->lanes[wildcard->len++];
    lane->id = pass->lane;
    return lane;
}

enum pass_turn {
    PASS_NEXT,
    PASS_EARLY, /* One before it is missing, or may be. */
    PASS_OLD,   /* It is here already. */
    PASS_LOST,  /* It may have been here, in a time that is not known any more. */
};

static enum pass_turn turn_of(const struct lane *lane, const struct pass *pass, uint32_t flags)
{
    if (lane == NULL) {
        return (flags & PASS_UNSURE) != 0 ? PASS_LOST : pass->before != 0 ? PASS_EARLY : PASS_NEXT;
    }
    if (pass->number <= lane->number) {
        return PASS_OLD;
    }
    return pass->before == 0 || pass->before == lane->number ? PASS_NEXT : PASS_EARLY;
}

/* Its turn, which it has had when it is NEXT. */
static enum pass_turn take_turn(struct homes *homes, const struct channel *channel,
                                const struct pass *pass, uint32_t flags)
{
    struct wildcard *wildcard = wildcard_for(homes, channel->name);
    struct lane *lane = wildcard == NULL ? NULL : find_lane(wildcard, pass->lane);
    const enum pass_turn turn = turn_of(lane, pass, flags);
    if (turn != PASS_NEXT) {
        return turn;
    }
    if (lane == NULL && wildcard != NULL) {
        lane = add_lane(wildcard, pass);
    }
    if (lane == NULL) {
        return PASS_LOST;
    }
    lane->number = pass->number;
    return PASS_NEXT;
}

static void begin_anew(struct homes *homes, struct channel *channel)
{
    actors_count(homes->actors, COUNTER_WILDCARD_TOLD);
    homes_end_tenure(homes, channel);
}

/* False: memory is out, and it has no place. */
static bool tell(struct homes *homes, struct channel *channel, const struct message_pass_on *body)
{
    const struct message_publish publish = {
        .request = body->request,
        .identity = body->identity,
        .history_size = body->history_size,
        .history_ttl_s = body->history_ttl_s,
        .meta_ttl_s = body->meta_ttl_s,
    };
    const struct publish_request request = publish_request_of(body->request);
    if (homes_publish(homes, channel, &publish, &request) != 0) {
        return false;
    }
    homes_settle_channel(homes, channel);
    return true;
}

/* The wildcard waits for homes of before, and those give up nothing while this is not answered: so
 * it is answered, and waits here. */
static void take_early(struct homes *homes, const struct message *message, const struct pass *pass)
{
    struct message_pass_on body = message_as_pass_on(message);
    struct message_passed_on answer = {0};
    body.flags |= PASS_ANSWERED;
    struct message kept = message_make_pass_on(message->handle, &body);
    kept.from = message->from;
    if (!homes_held_leads_to(homes, pass) || !homes_hold(homes, &kept, pass->wildcard)) {
        answer.error = CLIENT_ERROR_TOO_MANY_REQUESTS;
    }
    OUTBOX_SEND(homes->actors->outbox, message->from, passed_on, message->handle, &answer);
    if (answer.error != 0) {
        message_release(message);
    }
}

void homes_on_pass_on(struct homes *homes, const struct message *message)
{
    const struct message_pass_on body = message_as_pass_on(message);
    const bool is_answered = (body.flags & PASS_ANSWERED) != 0;
    struct pass pass = pass_of(body.pass);
    struct message_passed_on answer = {0};
    if (!is_answered && homes_is_awaited(homes, pass.wildcard)) {
        take_early(homes, message, &pass);
        return;
    }
    pass.before = is_answered ? 0 : pass.before; /* That came before it. */
    if (!homes_admit(homes, message, pass.wildcard)) {
        return;
    }
    struct channel *channel = homes_find(homes, pass.wildcard);
    if (channel == NULL) {
        homes_note_missed(homes, pass.wildcard, body.history_size > 0);
        answer.is_unheard = !is_answered && (body.flags & PASS_DETOUR) == 0 &&
                            homes_heard_close(homes, pass.wildcard);
    } else {
        const enum pass_turn turn =
            body.request == NULL ? PASS_LOST : take_turn(homes, channel, &pass, body.flags);
        if (turn == PASS_EARLY) {
            answer.error = CLIENT_ERROR_TOO_MANY_REQUESTS;
        } else if (turn == PASS_LOST || (turn == PASS_NEXT && !tell(homes, channel, &body))) {
            begin_anew(homes, channel);
        }
    }
    if (!is_answered) {
        OUTBOX_SEND(homes->actors->outbox, message->from, passed_on, message->handle, &answer);
    }
    message_release(message);
}

/* ---- sources that are gone ---- */

void homes_doubt_wildcards(struct homes *homes)
{
    struct list *link;
    while ((link = list_take_first(&homes->wildcards.all)) != NULL) {
        list_append(&homes->wildcards.doubted, link);
    }
}

bool homes_doubt_wildcards_in(struct homes *homes, const uint8_t *slots)
{
    struct list *next;
    for (struct list *at = homes->wildcards.all.next; at != &homes->wildcards.all; at = next) {
        struct wildcard *wildcard = CONTAINER_OF(at, struct wildcard, link);
        const struct span name = name_of(wildcard->name);
        next = at->next;
        if (!slot_set_has(slots, placement_slot_of(name))) {
            continue;
        }
        if (channel_is_on_its_way(homes_find(homes, name))) {
            return false;
        }
        list_remove(at);
        list_append(&homes->wildcards.doubted, at);
    }
    return true;
}

void homes_wildcards_on_turn_end(struct homes *homes)
{
    for (uint32_t i = 0; i < HOME_WALK_CHANNELS && homes_wildcards_have_work(homes); i++) {
        struct wildcard *wildcard =
            CONTAINER_OF(homes->wildcards.doubted.next, struct wildcard, link);
        struct channel *channel = homes_find(homes, name_of(wildcard->name));
        if (channel->handover != NULL && channel->handover->state == HANDOVER_SENT) {
            /* It is not to be touched; where it comes it is doubted too. */
            list_remove(&wildcard->link);
            list_append(&homes->wildcards.all, &wildcard->link);
        } else {
            begin_anew(homes, channel);
        }
    }
}
