/* SPDX-License-Identifier: Apache-2.0 */
/* What was accepted here and is told by no channel here: nobody followed the channel, or it has
 * ended. Another home may have had it at the same time, since views differ for a while, and then
 * those who follow it there have missed something and do not know.
 *
 *   this home                              router == router            home of the slot now
 *   accepted for nobody: the slot is noted
 *   ...
 *   the slot is at home elsewhere, all that it had is there
 *     SLOTS_MISSED ------------------------------------------>  notes it, and looks at its channels
 *     forgets it   <------------------------------ SLOTS_NOTED  when it has
 *
 * A channel of such a slot has a number left out, as if a message had been lost, and its followers
 * register again and see it. If what was accepted was to be kept, a channel with a stream or keys
 * begins anew instead: a position in it would say that nothing was missed. So it is with channels
 * that are here when the note comes and with those that come later, but not with one that came from
 * whoever tells: the two are one order. Nothing is noted a channel, so a few are told in vain, and
 * only where homes did differ: who has got a slot by plan has no channel in it but those that came.
 *
 * What is not answered is told again, to the home that the slot has then.
 */
#include <stdlib.h>

#include "shards/channel/homes_state.h"
#include "shards/limits.h"
#include "shards/router/placement.h"

/* Another home's word, while this shard's channels are looked at. */
struct missed_note {
    struct list link;
    uint32_t origin;
    uint32_t cursor; /* In the pool: the channels before it were looked at. */
    uint8_t said[SLOT_SET_LEN];
    uint8_t kept[SLOT_SET_LEN];
};

static void on_tick(struct timer *timer, void *actor);

bool homes_missed_init(struct homes *homes)
{
    struct missed *missed = &homes->missed;
    list_init(&missed->notes);
    missed->said = calloc(1, SLOT_SET_LEN);
    missed->kept = calloc(1, SLOT_SET_LEN);
    missed->told = calloc(1, SLOT_SET_LEN);
    return missed->said != NULL && missed->kept != NULL && missed->told != NULL;
}

static void note_free(struct missed *missed, struct missed_note *note)
{
    list_remove(&note->link);
    missed->notes_len--;
    free(note);
}

static struct missed_note *first_note(const struct missed *missed)
{
    return CONTAINER_OF(missed->notes.next, struct missed_note, link);
}

void homes_missed_destroy(struct homes *homes)
{
    struct missed *missed = &homes->missed;
    timer_stop(homes->actors->shard->timers, &missed->tick);
    while (missed->notes_len > 0) {
        note_free(missed, first_note(missed));
    }
    free(missed->said);
    free(missed->kept);
    free(missed->told);
}

static bool is_home_of(const struct homes *homes, uint16_t slot)
{
    const struct placement *placement = homes->actors->placement;
    const struct placement_home home = placement_home_of(placement, slot);
    return home.node == placement->self && home.shard == homes->actors->shard->id;
}

static void schedule(struct homes *homes, uint64_t in_ms)
{
    struct shard *shard = homes->actors->shard;
    homes->missed.wait_ms = in_ms;
    timer_set(shard->timers, &homes->missed.tick, shard->now_ms + in_ms, on_tick);
}

/* ---- what was accepted here ---- */

void homes_note_missed(struct homes *homes, struct span name, bool is_kept)
{
    struct missed *missed = &homes->missed;
    if (homes->actors->placement == NULL || !homes->actors->options->cluster.enabled) {
        return;
    }
    const uint16_t slot = placement_slot_of(name);
    /* While the slot is waited for, its channels are here only because they came. */
    if (slot_set_has(homes->handovers.waiting, slot)) {
        return;
    }
    slot_set_add(missed->said, slot);
    if (is_kept) {
        slot_set_add(missed->kept, slot);
    }
    slot_set_remove(missed->told, slot);
    if (!is_home_of(homes, slot)) {
        schedule(homes, MISSED_RETRY_MS_MIN);
    }
}

void homes_note_ended(struct homes *homes, const struct channel *channel)
{
    const bool is_kept = channel_offset(channel) > 0 || channel->map != NULL;
    if (channel->sequence > 0 || is_kept) {
        homes_note_missed(homes, name_of(channel->name), is_kept);
    }
}

/* ---- telling the homes of now ---- */

bool homes_missed_are_told(const struct homes *homes)
{
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        if (slot_set_has(homes->missed.said, slot) && !is_home_of(homes, slot)) {
            return false;
        }
    }
    return true;
}

static void tell_homes(struct homes *homes)
{
    struct missed *missed = &homes->missed;
    struct buf *slots = NULL;
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        if (!slot_set_has(missed->said, slot) || is_home_of(homes, slot)) {
            continue;
        }
        if (slots == NULL) {
            slots = buf_create(MISSED_SLOTS_LEN);
            if (slots == NULL) {
                break; /* It is tried again. */
            }
            memset(slots->bytes, 0, MISSED_SLOTS_LEN);
        }
        slot_set_add(slots->bytes, slot);
        if (slot_set_has(missed->kept, slot)) {
            slot_set_add(slots->bytes + SLOT_SET_LEN, slot);
        }
        slot_set_add(missed->told, slot);
    }
    if (slots != NULL) {
        const struct message_slots_missed body = {.slots = slots};
        OUTBOX_SEND(homes->actors->outbox, homes->actors->node->shards, slots_missed, 0, &body);
    }
}

static void on_tick(struct timer *timer, void *actor)
{
    struct homes *homes = CONTAINER_OF(timer, struct homes, missed.tick);
    struct missed *missed = &homes->missed;
    (void)actor;
    if (homes_missed_are_told(homes)) {
        return;
    }
    if (homes_handovers_are_settled(homes)) {
        tell_homes(homes);
        missed->wait_ms *= missed->wait_ms < MISSED_RETRY_MS_MAX ? 2 : 1;
    }
    schedule(homes, missed->wait_ms);
}

void homes_missed_on_settled(struct homes *homes)
{
    if (!homes_missed_are_told(homes)) {
        tell_homes(homes);
        schedule(homes, MISSED_RETRY_MS_MIN);
    }
}

void homes_on_slots_noted(struct homes *homes, const struct message *message)
{
    const struct message_slots_noted body = message_as_slots_noted(message);
    struct missed *missed = &homes->missed;
    for (uint32_t i = 0; i < SLOT_SET_LEN; i++) {
        /* But for what was accepted since it was told. */
        const uint8_t noted = body.slots->bytes[i] & missed->told[i];
        missed->said[i] &= (uint8_t)~noted;
        missed->kept[i] &= (uint8_t)~noted;
        missed->told[i] &= (uint8_t)~noted;
    }
    homes_tell_settled(homes);
    message_release(message);
}

/* ---- what was accepted elsewhere ---- */

/* They register again, and see that a message is missing. */
static void leave_number_out(struct homes *homes, struct channel *channel)
{
    const struct message_moved moved = {0};
    const struct interest *interests = channel_interests(channel);
    for (uint32_t i = 0; i < channel->interests_len; i++) {
        OUTBOX_SEND(homes->actors->outbox, interests[i].shard, moved, interests[i].hub, &moved);
    }
    channel->interests_len = 0;
    channel->sequence++;
    if (channel->handover != NULL) {
        homes_forget_told(homes, channel);
    }
    homes_settle_channel(homes, channel);
}

void homes_has_missed(struct homes *homes, struct channel *channel, bool is_kept)
{
    actors_count(homes->actors, COUNTER_HANDOVERS_MISSED);
    if (is_kept && (channel->stream != NULL || channel->map != NULL)) {
        homes_end_tenure(homes, channel);
    } else {
        leave_number_out(homes, channel);
    }
}

bool homes_missed_by(struct homes *homes, struct channel *channel)
{
    const uint16_t slot = placement_slot_of(name_of(channel->name));
    if (!slot_set_has(homes->missed.said, slot)) {
        return false;
    }
    homes_has_missed(homes, channel, slot_set_has(homes->missed.kept, slot));
    return true;
}

static bool is_noted_already(const struct missed *missed, uint32_t origin)
{
    for (struct list *at = missed->notes.next; at != &missed->notes; at = at->next) {
        if (CONTAINER_OF(at, struct missed_note, link)->origin == origin) {
            return true;
        }
    }
    return false;
}

/* What is not, or no longer, at home here is not answered: it is told to another home. */
static bool note_keep_own(const struct homes *homes, struct missed_note *note)
{
    bool has_any = false;
    for (uint16_t slot = 0; slot < SLOTS; slot++) {
        if (slot_set_has(note->said, slot) && !is_home_of(homes, slot)) {
            slot_set_remove(note->said, slot);
            slot_set_remove(note->kept, slot);
        }
        has_any = has_any || slot_set_has(note->said, slot);
    }
    return has_any;
}

void homes_on_slots_missed(struct homes *homes, const struct message *message)
{
    const struct message_slots_missed body = message_as_slots_missed(message);
    struct missed *missed = &homes->missed;
    const bool is_welcome = homes->actors->placement != NULL &&
                            missed->notes_len < MISSED_NOTES_MAX &&
                            !is_noted_already(missed, body.origin);
    struct missed_note *note = is_welcome ? calloc(1, sizeof(*note)) : NULL;
    if (note != NULL) {
        note->origin = body.origin;
        memcpy(note->said, body.slots->bytes, SLOT_SET_LEN);
        memcpy(note->kept, body.slots->bytes + SLOT_SET_LEN, SLOT_SET_LEN);
        list_append(&missed->notes, &note->link);
        missed->notes_len++;
        if (!note_keep_own(homes, note)) {
            note_free(missed, note);
            note = NULL;
        }
    }
    for (uint32_t i = 0; note != NULL && i < SLOT_SET_LEN; i++) {
        missed->said[i] |= note->said[i];
        missed->kept[i] |= note->kept[i];
    }
    message_release(message);
}

void homes_missed_on_placement(struct homes *homes)
{
    struct missed *missed = &homes->missed;
    struct list *next;
    for (struct list *at = missed->notes.next; at != &missed->notes; at = next) {
        struct missed_note *note = CONTAINER_OF(at, struct missed_note, link);
        next = at->next;
        if (!note_keep_own(homes, note)) {
            note_free(missed, note);
        }
    }
}

static void note_look_at(struct homes *homes, struct missed_note *note, struct channel *channel)
{
    const uint16_t slot = placement_slot_of(name_of(channel->name));
    const struct handover *handover = channel->handover;
    if (!slot_set_has(note->said, slot)) {
        return;
    }
    if (handover != NULL && handover->state == HANDOVER_SENT) {
        slot_set_remove(note->said, slot); /* It is not to be touched: not now. */
    } else if (handover == NULL || (handover->state != HANDOVER_COMING &&
                                    (!handover->is_followed || handover->origin != note->origin))) {
        homes_has_missed(homes, channel, slot_set_has(note->kept, slot));
    }
}

static void note_answer(struct homes *homes, struct missed_note *note)
{
    const struct message_slots_noted body = {
        .slots = buf_copy(note->said, SLOT_SET_LEN),
        .origin = note->origin,
    };
    if (body.slots != NULL) {
        OUTBOX_SEND(homes->actors->outbox, homes->actors->node->shards, slots_noted, 0, &body);
    }
    note_free(&homes->missed, note);
}

void homes_missed_on_turn_end(struct homes *homes)
{
    struct missed_note *note = first_note(&homes->missed);
    uint32_t handle;
    for (uint32_t i = 0; i < HOME_WALK_CHANNELS; i++) {
        struct channel *channel = pool_next(homes->pool, &note->cursor, &handle);
        if (channel == NULL) {
            note_answer(homes, note);
            return;
        }
        note_look_at(homes, note, channel);
    }
}
