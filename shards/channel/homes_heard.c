/* SPDX-License-Identifier: Apache-2.0 */
/* What no wildcard hears is not passed on: overview, use, and why nothing is lost by it.
 *
 * Overview. A source asks nobody before it passes a publication on. But where a wildcard's home has
 * none in that slot, it says so with its answer, and the source is quiet there from then on: it
 * passes nothing more on into the slot. Slots, and not names, since there are as many names of
 * wildcards as names of channels, and a set of slots is 2 KiB.
 *
 *   source                                     home
 *   PASS_ON ---------------------------------> nobody is in this slot: it is closed
 *   quiet <------------------------ PASSED_ON
 *                                              SUBSCRIBE to a wildcard in it: that waits
 *   quiet no more <--- SURVEY_WILDCARDS_HEARD  asks all shards of all nodes
 *   SURVEY_RESULT ---------------------------> open, and the SUBSCRIBE goes on
 *
 * Why it is correct. Whoever subscribes has his answer only when every source that this home may
 * have made quiet has said that it is quiet no more, so what is acknowledged after that is passed
 * on to him. An answer that crosses the question makes nobody quiet: it is of another generation. A
 * home asks all whom it has a link to, and so it makes nobody quiet who came by a detour. A slot
 * that came from elsewhere is closed until all have been asked, whoever closed it.
 *
 * A source that a home cannot ask has lost its link to that home, or takes another node for the
 * home; sooner or later it sees that, be it behind a question of long ago. Then it is quiet no
 * more, and when it kept anything to itself lately it tells the homes of all nodes
 * (SURVEY_WILDCARDS_MISSED), again and again until none is missing. What has come to life in such a
 * slot meanwhile begins anew, so that its subscribers are told.
 */
#include <stdlib.h>

#include "shards/channel/homes_state.h"
#include "shards/limits.h"
#include "shards/router/placement.h"

/* A set of slots of which all shards of all nodes are told, until all have answered. */
struct telling {
    struct homes *homes;
    enum survey_op op;
    uint32_t retry_ms;
    uint32_t waiting; /* Answers that are to come; 0: nothing is under way. */
    bool has_failed;
    bool has_next;
    struct timer retry;
    uint8_t asked[SLOT_SET_LEN];
    uint8_t next[SLOT_SET_LEN];
};

/* Slots of which something was true lately: `for_ms` ago, or up to twice that. */
struct lately {
    uint64_t for_ms;
    uint8_t now[SLOT_SET_LEN];
    uint8_t before[SLOT_SET_LEN];
    uint64_t since_ms;
};

struct heard {
    /* As a home. */
    uint8_t open[SLOT_SET_LEN]; /* No source is quiet. */
    struct lately lively;       /* A wildcard has ended here. */
    struct telling subscribed;
    uint32_t *wildcards; /* That are at home here, by slot. */

    /* As a source. */
    uint8_t quiet[SLOT_SET_LEN];
    uint8_t kept[SLOT_SET_LEN]; /* And something was not passed on. */
    struct lately answered; /* And then its home was answered: it may not have waited for that. */
    uint64_t generation;    /* Answers to what was sent in one before make nobody quiet. */
    struct telling missed;
};

bool homes_heard_init(struct homes *homes)
{
    struct heard *heard = calloc(1, sizeof(*heard));
    const uint32_t shards = homes->actors->node->shards;
    homes->heard = heard;
    if (heard == NULL) {
        return false;
    }
    heard->subscribed = (struct telling){.homes = homes,
                                         .op = SURVEY_WILDCARDS_HEARD,
                                         .retry_ms = WILDCARD_HEARD_RETRY_MS};
    heard->missed = (struct telling){.homes = homes,
                                     .op = SURVEY_WILDCARDS_MISSED,
                                     .retry_ms = WILDCARD_MISSED_RETRY_MS};
    heard->lively.for_ms = WILDCARD_LIVELY_MS;
    heard->answered.for_ms = WILDCARD_ANSWERED_MS;
    heard->wildcards = calloc(SLOTS / shards + 1, sizeof(*heard->wildcards));
    memset(heard->open, 0xFF, sizeof(heard->open)); /* Nobody has closed one yet. */
    return heard->wildcards != NULL;
}

void homes_heard_destroy(struct homes *homes)
{
    struct timer_wheel *timers = homes->actors->shard->timers;
    if (homes->heard != NULL) {
        timer_stop(timers, &homes->heard->subscribed.retry);
        timer_stop(timers, &homes->heard->missed.retry);
        free(homes->heard->wildcards);
        free(homes->heard);
    }
}

static void lately_turn(struct lately *lately, uint64_t now_ms)
{
    if (now_ms - lately->since_ms >= lately->for_ms) {
        const bool is_long_ago = now_ms - lately->since_ms >= 2 * lately->for_ms;
        memcpy(lately->before, lately->now, SLOT_SET_LEN);
        memset(lately->now, 0, SLOT_SET_LEN);
        if (is_long_ago) {
            memset(lately->before, 0, SLOT_SET_LEN);
        }
        lately->since_ms = now_ms;
    }
}

static bool was_lately(const struct lately *lately, uint16_t slot)
{
    return slot_set_has(lately->now, slot) || slot_set_has(lately->before, slot);
}

/* What looks like one may be an ordinary channel: that costs messages and loses none. */
static bool looks_like_wildcard(struct span name)
{
    return name.len > 0 && name.at[name.len - 1] == '*';
}

static uint32_t *wildcards_of(const struct homes *homes, uint16_t slot)
{
    return &homes->heard->wildcards[slot / homes->actors->node->shards];
}

/* ---- telling all ---- */

static void telling_begin(struct telling *telling);

static void on_retry(struct timer *timer, void *actor)
{
    struct telling *telling = CONTAINER_OF(timer, struct telling, retry);
    (void)actor;
    if (telling->op == SURVEY_WILDCARDS_HEARD && telling->homes->held.len == 0) {
        memset(telling->next, 0, sizeof(telling->next)); /* Nobody waits any more. */
        telling->has_next = false;
    }
    telling_begin(telling);
}

static void telling_failed(struct telling *telling)
{
    struct shard *shard = telling->homes->actors->shard;
    for (uint32_t i = 0; i < SLOT_SET_LEN; i++) {
        telling->next[i] |= telling->asked[i];
    }
    telling->has_next = true;
    timer_set(shard->timers, &telling->retry, shard->now_ms + telling->retry_ms, on_retry);
}

static void slots_open(struct homes *homes, const uint8_t *slots)
{
    for (uint32_t i = 0; i < SLOT_SET_LEN; i++) {
        homes->heard->open[i] |= slots[i];
    }
    homes_release_all_held(homes);
}

static void telling_answered(struct telling *telling, uint32_t error)
{
    telling->has_failed = telling->has_failed || error != 0;
    if (--telling->waiting > 0) {
        return;
    }
    if (telling->has_failed) {
        telling_failed(telling);
    } else if (telling->op == SURVEY_WILDCARDS_HEARD) {
        slots_open(telling->homes, telling->asked);
    }
    telling_begin(telling);
}

/* The router asks the other nodes, and answers as one more shard. */
static void telling_begin(struct telling *telling)
{
    const struct actors *actors = telling->homes->actors;
    const uint32_t shards = actors->node->shards + (actors->options->cluster.enabled ? 1 : 0);
    if (telling->waiting > 0 || !telling->has_next || timer_is_set(&telling->retry)) {
        return;
    }
    memcpy(telling->asked, telling->next, SLOT_SET_LEN);
    memset(telling->next, 0, SLOT_SET_LEN);
    telling->has_next = false;
    telling->has_failed = false;
    telling->waiting = 1; /* For this call itself, so that no answer ends it too early. */
    for (uint32_t shard = 0; shard < shards; shard++) {
        const struct message_survey survey = {.request = buf_copy(telling->asked, SLOT_SET_LEN),
                                              .op = telling->op};
        if (survey.request != NULL &&
            message_send_survey(actors->shard->mailbox, shard, 0, &survey)) {
            telling->waiting++;
        } else {
            buf_release(survey.request);
            telling->has_failed = true;
        }
    }
    telling_answered(telling, 0);
}

static void tell_of_slot(struct telling *telling, uint16_t slot)
{
    slot_set_add(telling->next, slot);
    telling->has_next = true;
}

void homes_on_survey_result(struct homes *homes, const struct message *message)
{
    const struct message_survey_result body = message_as_survey_result(message);
    telling_answered(body.op == SURVEY_WILDCARDS_HEARD ? &homes->heard->subscribed
                                                       : &homes->heard->missed,
                     body.error);
    message_release(message);
}

/* ---- a home ---- */

void homes_heard_opened(struct homes *homes, struct span name)
{
    if (looks_like_wildcard(name)) {
        ++*wildcards_of(homes, placement_slot_of(name));
    }
}

void homes_heard_closed(struct homes *homes, struct span name)
{
    if (looks_like_wildcard(name)) {
        const uint16_t slot = placement_slot_of(name);
        --*wildcards_of(homes, slot);
        slot_set_add(homes->heard->lively.now, slot);
    }
}

/* Who comes and goes all the time is not to have all asked each time. */
static bool is_lively(struct homes *homes, uint16_t slot)
{
    lately_turn(&homes->heard->lively, homes->actors->shard->now_ms);
    return was_lately(&homes->heard->lively, slot);
}

static bool is_asked_for(const struct telling *telling, uint16_t slot)
{
    return slot_set_has(telling->next, slot) ||
           (telling->waiting > 0 && slot_set_has(telling->asked, slot));
}

bool homes_heard_close(struct homes *homes, struct span wildcard)
{
    const uint16_t slot = placement_slot_of(wildcard);
    if (!homes_is_home(homes, wildcard) || *wildcards_of(homes, slot) > 0 ||
        is_asked_for(&homes->heard->subscribed, slot) || is_lively(homes, slot)) {
        return false;
    }
    slot_set_remove(homes->heard->open, slot);
    return true;
}

bool homes_heard_admit(struct homes *homes, const struct message *message, struct span name)
{
    struct telling *subscribed = &homes->heard->subscribed;
    const uint16_t slot = looks_like_wildcard(name) ? placement_slot_of(name) : 0;
    if (!looks_like_wildcard(name) || slot_set_has(homes->heard->open, slot)) {
        return true;
    }
    if (message->type == MESSAGE_UNSUBSCRIBE) {
        if (!homes_holds(homes, name)) {
            return true;
        }
        homes_wait(homes, message, name);
        return false;
    }
    homes_wait(homes, message, name);
    if (!is_asked_for(subscribed, slot)) {
        tell_of_slot(subscribed, slot);
        telling_begin(subscribed);
    }
    return false;
}

/* ---- a source ---- */

bool homes_is_quiet(struct homes *homes, struct span wildcard)
{
    struct heard *heard = homes->heard;
    const uint16_t slot = placement_slot_of(wildcard);
    if (!slot_set_has(heard->quiet, slot)) {
        return false;
    }
    slot_set_add(heard->kept, slot);
    actors_count(homes->actors, COUNTER_WILDCARD_UNHEARD);
    return true;
}

uint64_t homes_heard_generation(const struct homes *homes)
{
    return homes->heard->generation;
}

void homes_become_quiet(struct homes *homes, struct span wildcard, uint64_t generation)
{
    if (generation == homes->heard->generation) {
        slot_set_add(homes->heard->quiet, placement_slot_of(wildcard));
    }
}

/* Whose home the slot was may have asked in vain, or not have waited for the answer. */
static void be_quiet_no_more(struct heard *heard, uint16_t slot)
{
    if (slot_set_has(heard->kept, slot) || was_lately(&heard->answered, slot)) {
        tell_of_slot(&heard->missed, slot);
    }
    slot_set_remove(heard->quiet, slot);
    slot_set_remove(heard->kept, slot);
    slot_set_remove(heard->answered.now, slot);
    slot_set_remove(heard->answered.before, slot);
}

static bool was_quiet(const struct heard *heard, uint16_t slot)
{
    return slot_set_has(heard->quiet, slot) || was_lately(&heard->answered, slot);
}

static bool has_same_home(const struct placement *before, const struct placement *now,
                          uint16_t slot)
{
    return before != NULL && gossip_uid_equal(&before->members[before->node_of_slot[slot]].uid,
                                              &now->members[now->node_of_slot[slot]].uid);
}

void homes_heard_on_placement(struct homes *homes, const struct placement *before)
{
    struct heard *heard = homes->heard;
    const struct placement *now = homes->actors->placement;
    uint8_t gained[SLOT_SET_LEN];
    placement_gained(placement_known_before(before, now), now, gained);
    for (uint32_t i = 0; now->nodes > 1 && i < SLOT_SET_LEN; i++) {
        heard->open[i] &= (uint8_t)~gained[i];
        heard->subscribed.asked[i] &= (uint8_t)~gained[i];
    }
    heard->generation++;
    lately_turn(&heard->answered, homes->actors->shard->now_ms);
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        if (was_quiet(heard, slot) && !has_same_home(before, now, slot)) {
            be_quiet_no_more(heard, slot);
        }
    }
    telling_begin(&heard->missed);
}

void homes_heard_on_origin_gone(struct homes *homes)
{
    struct heard *heard = homes->heard;
    const struct placement *placement = homes->actors->placement;
    heard->generation++;
    lately_turn(&heard->answered, homes->actors->shard->now_ms);
    for (uint16_t slot = 0; placement != NULL && slot < SLOTS; slot++) {
        if (was_quiet(heard, slot) && placement->node_of_slot[slot] != placement->self) {
            be_quiet_no_more(heard, slot);
        }
    }
    telling_begin(&heard->missed);
}

/* ---- what all are told ---- */

static void on_heard(struct heard *heard, const uint8_t *slots, uint64_t now_ms)
{
    heard->generation++;
    lately_turn(&heard->answered, now_ms);
    for (uint32_t i = 0; i < SLOT_SET_LEN; i++) {
        heard->answered.now[i] |= heard->kept[i] & slots[i];
        heard->quiet[i] &= (uint8_t)~slots[i];
        heard->kept[i] &= (uint8_t)~slots[i];
    }
}

/* Has one of them any wildcard? */
static bool are_used(const struct homes *homes, const uint8_t *slots)
{
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        if (slot_set_has(slots, slot) && *wildcards_of(homes, slot) > 0) {
            return true;
        }
    }
    return false;
}

void homes_on_survey(struct homes *homes, const struct message *message)
{
    const struct message_survey body = message_as_survey(message);
    struct message_survey_result result = {.op = body.op};
    if (body.request == NULL || body.request->len != SLOT_SET_LEN) {
        result.error = CLIENT_ERROR_BAD_REQUEST;
    } else if (body.op == SURVEY_WILDCARDS_HEARD) {
        on_heard(homes->heard, body.request->bytes, homes->actors->shard->now_ms);
    } else if (are_used(homes, body.request->bytes) &&
               !homes_doubt_wildcards_in(homes, body.request->bytes)) {
        result.error = CLIENT_ERROR_TOO_MANY_REQUESTS;
    }
    OUTBOX_SEND(homes->actors->outbox, message->from, survey_result, message->handle, &result);
    message_release(message);
}
