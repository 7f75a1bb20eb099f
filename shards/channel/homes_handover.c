/* SPDX-License-Identifier: Apache-2.0 */
/* Handing channels over to the home that they have now, and taking them from the one that they had.
 *
 *                 homes_leave        first piece        the last one is taken
 *   here, at home ----------> LEAVING ---------> SENT ------------------------> MOVED is told, gone
 *                                 ^  was not taken |  \
 *                                 +----------------+   may have been: the same end
 *
 *                 first piece       last piece          CATCH_UP_MS
 *                 ----------> COMING ---------> CAME ---------------> here, at home
 *
 * An epoch is one order of messages, so it must never be at two homes. Whoever has sent a piece
 * goes on with the channel only when it is certain that it was not taken; where that is not known
 * it ends here, and if it did not arrive either, it begins anew there and its subscribers are told.
 * Pieces of one channel are asked for one by one.
 */
#include <stdlib.h>

#include "shards/channel/homes_state.h"
#include "shards/limits.h"
#include "shards/router/placement.h"

static struct handover *first_of(const struct list *list)
{
    return CONTAINER_OF(list->next, struct handover, link);
}

/* By which what others do not do in time is given up. */
static uint64_t awake_ms_of(const struct homes *homes)
{
    return shard_awake_ms(homes->actors->shard);
}

bool homes_handovers_init(struct homes *homes)
{
    struct handovers *handovers = &homes->handovers;
    list_init(&handovers->leaving);
    list_init(&handovers->refused);
    list_init(&handovers->coming);
    list_init(&handovers->came);
    handovers->waiting = calloc(1, SLOT_SET_LEN);
    return handovers->waiting != NULL;
}

void homes_handovers_destroy(struct homes *homes)
{
    timer_stop(homes->actors->shard->timers, &homes->handovers.tick);
    free(homes->handovers.waiting);
}

static struct handover *handover_begin(struct homes *homes, struct channel *channel,
                                       enum handover_state state)
{
    struct handover *handover = calloc(1, sizeof(*handover));
    if (handover != NULL) {
        handover->channel = channel;
        handover->state = state;
        handover->ends_ms = awake_ms_of(homes) + HANDOVER_MS_MAX;
        channel->handover = handover;
        homes_handovers_schedule(homes);
    }
    return handover;
}

void homes_handover_end(struct homes *homes, struct channel *channel)
{
    struct handover *handover = channel->handover;
    homes_forget_told(homes, channel);
    list_remove(&handover->link);
    free(handover);
    channel->handover = NULL;
}

/* ---- leaving ---- */

void homes_leave(struct homes *homes, struct channel *channel)
{
    struct handover *handover = channel->handover;
    if (handover != NULL && handover->state == HANDOVER_COMING) {
        homes_free_channel(homes, channel); /* It is sent again to where it is to be. */
        return;
    }
    if (handover != NULL && handover->state != HANDOVER_CAME) {
        return; /* It leaves already. */
    }
    if (handover == NULL) {
        handover = handover_begin(homes, channel, HANDOVER_LEAVING);
    } else {
        handover->state = HANDOVER_LEAVING;
        handover->ends_ms = awake_ms_of(homes) + HANDOVER_MS_MAX;
        list_remove(&handover->link);
    }
    if (handover == NULL) {
        homes_end_tenure(homes, channel);
        return;
    }
    list_append(&homes->handovers.leaving, &handover->link);
}

static uint64_t bytes_of(const struct channel_move *move)
{
    uint64_t bytes = move->name->len;
    const struct stream_page *page = move->page == NULL ? NULL : stream_page_of(move->page);
    const struct told_page *told = move->told == NULL ? NULL : told_page_of(move->told);
    for (uint64_t i = 0; page != NULL && i < page->len; i++) {
        bytes += page->entries[i].request->len;
        bytes += page->entries[i].identity == NULL ? 0 : page->entries[i].identity->len;
    }
    for (uint64_t i = 0; told != NULL && i < told->len; i++) {
        bytes += told->entries[i].values->len;
    }
    return bytes + span_of_buf(move->known).len;
}

/* The next keys of a map; nothing where there are none. False: memory is out. */
static bool keys_fill(const struct homes *homes, struct handover *handover,
                      struct channel_move *move)
{
    const struct map_state *map = handover->channel->map;
    if (map == NULL || handover->sent_keys == UINT64_MAX) {
        return true;
    }
    move->flags |= CHANNEL_MOVE_KEYS;
    return map_state_give(homes->maps, map, handover->sent_keys, &move->page, &handover->next_keys);
}

/* The next piece: first what is kept, then keys of a map, then what was told; and keys of
 * publications beside that. With one count of each buf; false: memory is out. */
static bool piece_fill(const struct homes *homes, struct handover *handover,
                       struct channel_move *move)
{
    const struct channel *channel = handover->channel;
    if (channel->stream != NULL &&
        !channel_stream_give(homes->streams, channel->stream, handover->sent_offset, move)) {
        return false;
    }
    const struct stream_page *page = move->page == NULL ? NULL : stream_page_of(move->page);
    handover->next_offset = page == NULL ? move->offset : page->entries[page->len - 1].offset;
    handover->next_keys = handover->sent_keys;
    handover->next_told = handover->sent_told;
    if (page == NULL && !keys_fill(homes, handover, move)) {
        return false;
    }
    if (move->page == NULL) {
        if (!homes_give_told(handover, handover->sent_told, &move->told)) {
            return false;
        }
        handover->next_told += move->told == NULL ? 0 : (uint32_t)told_page_of(move->told)->len;
    }
    if (!homes_give_known(homes, handover, bytes_of(move), move)) {
        return false;
    }
    /* Nothing more is said in it, so it takes one or two empty pieces until what was has reached
     * the wildcards. These do not wait for each other. */
    const bool is_passed_on =
        homes_is_wildcard(homes, channel) ||
        !homes_passing_of_slot(homes, placement_slot_of(name_of(channel->name)));
    handover->is_last = handover->next_offset == move->offset &&
                        (channel->map == NULL || handover->next_keys == UINT64_MAX) &&
                        handover->next_told == handover->told_len &&
                        handover->next_known == IDEMPOTENCY_GIVEN && is_passed_on;
    move->flags |= handover->is_last ? CHANNEL_MOVE_LAST : 0;
    return true;
}

static struct buf *piece_make(const struct homes *homes, struct handover *handover)
{
    const struct channel *channel = handover->channel;
    if (handover->state == HANDOVER_LEAVING) {
        handover->is_bare = homes_is_bare(homes, channel);
    }
    struct channel_move move = {
        .name = channel->name,
        .epoch = channel->epoch,
        .sequence = channel->sequence,
        .flags = handover->state == HANDOVER_LEAVING ? CHANNEL_MOVE_FIRST : 0,
    };
    if (channel->map != NULL) {
        move.flags |= CHANNEL_MOVE_MAP;
        move.stream_size = channel->map->stream_size;
        move.stream_ttl_s = channel->map->stream_ttl_s;
    }
    move.flags |= channel->is_occupied ? CHANNEL_MOVE_OCCUPIED : 0;
    move.flags |= handover->is_bare ? CHANNEL_MOVE_BARE : 0;
    struct buf *piece = piece_fill(homes, handover, &move) ? channel_move_make(&move) : NULL;
    if (piece == NULL) {
        stream_page_release(move.page);
        told_page_release(move.told);
        buf_release(move.known);
        return NULL;
    }
    buf_share(move.name, 1);
    return piece;
}

/* False: not now; nothing has changed. */
static bool piece_send(struct homes *homes, struct handover *handover)
{
    const struct message_channel_move body = {.move = piece_make(homes, handover)};
    if (body.move == NULL) {
        return false;
    }
    const uint64_t bytes = bytes_of(channel_move_of(body.move));
    if (!message_send_channel_move(homes->actors->shard->mailbox, homes->actors->node->shards,
                                   handover->channel->presence.handle, &body)) {
        channel_move_release(body.move);
        return false;
    }
    list_remove(&handover->link);
    handover->state = HANDOVER_SENT;
    handover->sent_ms = awake_ms_of(homes);
    homes->handovers.under_way++;
    actors_count_many(homes->actors, COUNTER_HANDOVER_BYTES_GIVEN, bytes);
    return true;
}

/* Its home is here again: it goes on as if nothing had been. */
static void homes_stay(struct homes *homes, struct handover *handover)
{
    struct channel *channel = handover->channel;
    if (!handover->is_followed) {
        homes_handover_end(homes, channel);
        homes_settle_channel(homes, channel); /* It may have been here for its keys alone. */
        return;
    }
    handover->state = HANDOVER_CAME;
    handover->ends_ms = awake_ms_of(homes) + CATCH_UP_MS;
    list_remove(&handover->link);
    list_append(&homes->handovers.came, &handover->link);
    homes_handovers_schedule(homes);
}

/* It is served here again, as if nothing had been sent; and sent later if it is still to leave. */
static void handover_retract(struct homes *homes, struct handover *handover)
{
    struct buf *name = handover->channel->name;
    buf_share(name, 1);
    list_remove(&handover->link);
    handover->state = HANDOVER_LEAVING;
    /* Who answers late was not there, and could not have a newer map. */
    handover->ends_ms += awake_ms_of(homes) - handover->sent_ms;
    handover->sent_offset = 0;
    handover->sent_keys = 0;
    handover->sent_known = 0;
    handover->sent_told = 0;
    if (homes_is_home(homes, name_of(name))) {
        homes_stay(homes, handover);
    } else {
        list_append(&homes->handovers.refused, &handover->link);
        homes_handovers_schedule(homes);
    }
    homes_release_held(homes, name_of(name));
    buf_release(name);
}

static void end_with_held(struct homes *homes, struct channel *channel, bool goes_on)
{
    struct buf *name = channel->name;
    buf_share(name, 1);
    if (!goes_on) {
        homes_end_tenure(homes, channel);
    } else if (channel->handover->is_bare) {
        homes_forget_channel(homes, channel);
    } else {
        homes_hand_on(homes, channel);
    }
    if (goes_on) {
        idempotency_forget(homes->idempotency, name_of(name));
    }
    homes_release_held(homes, name_of(name));
    buf_release(name);
}

void homes_on_channel_taken(struct homes *homes, const struct message *message)
{
    const struct message_channel_taken body = message_as_channel_taken(message);
    struct channel *channel = pool_get(homes->pool, message->handle);
    struct handover *handover = channel == NULL ? NULL : channel->handover;
    homes->handovers.under_way--;
    if (handover == NULL || handover->state != HANDOVER_SENT) {
        return; /* It has ended here, whatever has become of it there. */
    }
    if (body.error == CLIENT_ERROR_TOO_MANY_REQUESTS) {
        handover_retract(homes, handover);
    } else if (body.error != 0) {
        actors_count(homes->actors, COUNTER_HANDOVERS_FAILED);
        end_with_held(homes, channel, false);
    } else if (handover->is_last) {
        actors_count_many(homes->actors, COUNTER_HANDOVERS_GIVEN, !handover->is_bare);
        homes_forget_occupancy(channel);
        end_with_held(homes, channel, true);
    } else {
        handover->sent_offset = handover->next_offset;
        handover->sent_keys = handover->next_keys;
        handover->sent_known = handover->next_known;
        handover->sent_told = handover->next_told;
        handover->ends_ms = awake_ms_of(homes) + HANDOVER_MS_MAX;
        list_append(&homes->handovers.leaving, &handover->link);
        homes_handovers_schedule(homes);
    }
}

/* ---- coming ---- */

/* The channel that a piece belongs to; NULL: *error says why there is none. */
static struct channel *channel_of_piece(struct homes *homes, const struct channel_move *move,
                                        uint32_t origin, uint32_t *error)
{
    struct channel *channel = homes_find(homes, name_of(move->name));
    const bool is_coming =
        channel != NULL && channel->handover != NULL && channel->handover->state == HANDOVER_COMING;
    *error = CLIENT_ERROR_TOO_MANY_REQUESTS;
    if (!homes_is_home(homes, name_of(move->name)) || homes->actors->placement == NULL) {
        return NULL; /* One of the two maps is older: theirs or this one. */
    }
    if ((move->flags & CHANNEL_MOVE_FIRST) == 0 && is_coming && channel->epoch == move->epoch) {
        struct handover *handover = channel->handover;
        handover->ends_ms = awake_ms_of(homes) + HANDOVER_MS_MAX;
        list_remove(&handover->link);
        list_append(&homes->handovers.coming, &handover->link);
        return channel;
    }
    if ((move->flags & CHANNEL_MOVE_FIRST) == 0) {
        return NULL;
    }
    if (is_coming) {
        homes_free_channel(homes, channel); /* Whoever sent it before gave up. */
    } else if (channel != NULL && channel->handover != NULL &&
               channel->handover->state == HANDOVER_SENT) {
        return NULL; /* Its own way has to end first. */
    } else if (channel != NULL) {
        /* It has begun at two homes that did not know of each other. Nobody has heard all of both,
         * so it ends at both: all are told. */
        *error = CLIENT_ERROR_INTERNAL;
        actors_count(homes->actors, COUNTER_HANDOVERS_REFUSED);
        homes_end_tenure(homes, channel);
        return NULL;
    }
    *error = CLIENT_ERROR_INTERNAL;
    channel = homes_open_channel(homes, move->name);
    struct handover *handover =
        channel == NULL ? NULL : handover_begin(homes, channel, HANDOVER_COMING);
    if (handover == NULL) {
        if (channel != NULL) {
            homes_free_channel(homes, channel);
        }
        return NULL;
    }
    channel->epoch = move->epoch;
    handover->origin = origin;
    list_append(&homes->handovers.coming, &handover->link);
    return channel;
}

static void channel_has_come(struct homes *homes, struct channel *channel,
                             const struct channel_move *move)
{
    struct handover *handover = channel->handover;
    channel->sequence = move->sequence;
    handover->state = HANDOVER_CAME;
    handover->is_followed = true;
    handover->ends_ms = awake_ms_of(homes) + CATCH_UP_MS;
    list_remove(&handover->link);
    list_append(&homes->handovers.came, &handover->link);
    actors_count(homes->actors, COUNTER_HANDOVERS_TAKEN);
    homes_take_occupancy(homes, channel, (move->flags & CHANNEL_MOVE_OCCUPIED) != 0);
    if (!homes_missed_by(homes, channel)) {
        homes_settle_channel(homes, channel);
    }
    homes_release_held(homes, name_of(move->name));
}

/* False: memory is out. */
static bool map_take(struct homes *homes, struct channel *channel, const struct channel_move *move)
{
    struct map_state *map = homes_map_of(homes, channel);
    if (map == NULL) {
        return false;
    }
    map->stream_size = move->stream_size;
    map->stream_ttl_s = move->stream_ttl_s;
    map->known_since = move->offset; /* What was removed before was not sent. */
    return (move->flags & CHANNEL_MOVE_KEYS) == 0 || map_state_take(homes->maps, map, move->page);
}

/* 0, or an enum client_error. */
static uint32_t piece_take(struct homes *homes, const struct channel_move *move, uint32_t origin)
{
    uint32_t error;
    if ((move->flags & CHANNEL_MOVE_BARE) != 0) {
        return homes_take_bare(homes, move);
    }
    (void)homes_take_known(homes, move); /* Whatever becomes of the channel. */
    struct channel *channel = channel_of_piece(homes, move, origin, &error);
    if (channel == NULL) {
        return error;
    }
    if ((move->flags & CHANNEL_MOVE_STREAM) != 0) {
        const struct channel_stream *stream = homes_stream_of(homes, channel, move->meta_ttl_s);
        if (stream == NULL || !channel_stream_take(homes->streams, channel->stream, move)) {
            homes_free_channel(homes, channel);
            return CLIENT_ERROR_INTERNAL;
        }
    }
    if ((move->flags & CHANNEL_MOVE_MAP) != 0 && !map_take(homes, channel, move)) {
        homes_free_channel(homes, channel);
        return CLIENT_ERROR_INTERNAL;
    }
    homes_take_told(homes, channel, move);
    actors_count_many(homes->actors, COUNTER_HANDOVER_BYTES_TAKEN, bytes_of(move));
    if ((move->flags & CHANNEL_MOVE_LAST) != 0) {
        channel_has_come(homes, channel, move);
    }
    return 0;
}

void homes_on_channel_move(struct homes *homes, const struct message *message)
{
    const struct message_channel_move body = message_as_channel_move(message);
    const struct message_channel_taken answer = {
        .error = piece_take(homes, channel_move_of(body.move), body.origin),
    };
    OUTBOX_SEND(homes->actors->outbox, message->from, channel_taken, message->handle, &answer);
    message_release(message);
}

/* ---- time ---- */

static void homes_on_tick(struct timer *timer, void *actor);

void homes_handovers_schedule(struct homes *homes)
{
    struct timer *tick = &homes->handovers.tick;
    if (!timer_is_set(tick)) {
        timer_set(homes->actors->shard->timers, tick,
                  homes->actors->shard->now_ms + HANDOVER_TICK_MS, homes_on_tick);
    }
}

static bool is_over(const struct homes *homes, const struct list *list)
{
    return !list_is_empty(list) && first_of(list)->ends_ms <= awake_ms_of(homes);
}

static void say_late(const struct homes *homes, const char *direction, uint32_t channels)
{
    if (channels > 0) {
        actors_count_many(homes->actors, COUNTER_HANDOVERS_LATE, channels);
        LOG(homes->actors->shard->log, LOG_WARN, "handover",
            "result=late direction=%s channels=%u reason=\"nothing of them moved for %u ms\"",
            direction, channels, HANDOVER_MS_MAX);
    }
}

/* What is sent and not answered will be, or its link goes down: as long as that is so, whoever is
 * at the other end may only be slow, and what waits for its turn is at home here. */
static void leaving_expire(struct homes *homes)
{
    struct handovers *handovers = &homes->handovers;
    uint32_t late = 0;
    while (handovers->under_way == 0 && is_over(homes, &handovers->leaving)) {
        end_with_held(homes, first_of(&handovers->leaving)->channel, false);
        late++;
    }
    say_late(homes, "given", late);
}

static void handovers_expire(struct homes *homes)
{
    struct handovers *handovers = &homes->handovers;
    uint32_t late = 0;
    leaving_expire(homes);
    while (is_over(homes, &handovers->coming)) {
        struct channel *channel = first_of(&handovers->coming)->channel;
        struct buf *name = channel->name;
        buf_share(name, 1);
        homes_free_channel(homes, channel);
        homes_release_held(homes, name_of(name));
        buf_release(name);
        late++;
    }
    say_late(homes, "taken", late);
    while (is_over(homes, &handovers->came)) {
        struct channel *channel = first_of(&handovers->came)->channel;
        homes_handover_end(homes, channel);
        homes_settle_channel(homes, channel);
    }
}

static void homes_on_tick(struct timer *timer, void *actor)
{
    struct homes *homes = CONTAINER_OF(timer, struct homes, handovers.tick);
    struct handovers *handovers = &homes->handovers;
    struct list *link;
    (void)actor;
    handovers->is_blocked = false;
    while ((link = list_take_first(&handovers->refused)) != NULL) {
        list_append(&handovers->leaving, link);
    }
    handovers_expire(homes);
    homes_expire_held(homes);
    if (!list_is_empty(&handovers->leaving) || !list_is_empty(&handovers->coming) ||
        !list_is_empty(&handovers->came) || !list_is_empty(&handovers->refused) ||
        homes->held.len > 0) {
        homes_handovers_schedule(homes);
    }
}

/* ---- turns ---- */

static void handovers_send(struct homes *homes)
{
    struct handovers *handovers = &homes->handovers;
    while (!list_is_empty(&handovers->leaving) && !handovers->is_blocked &&
           handovers->under_way < HANDOVER_PIECES_MAX) {
        struct handover *handover = first_of(&handovers->leaving);
        const bool is_home = homes_is_home(homes, name_of(handover->channel->name));
        if (handover->state == HANDOVER_LEAVING && is_home) {
            homes_stay(homes, handover);
        } else if (!piece_send(homes, handover)) {
            handovers->is_blocked = true;
        }
    }
}

bool homes_handovers_are_settled(const struct homes *homes)
{
    const struct handovers *handovers = &homes->handovers;
    return !homes->is_walking && handovers->under_way == 0 && list_is_empty(&handovers->leaving) &&
           list_is_empty(&handovers->refused) && homes_passing_is_settled(homes);
}

void homes_tell_settled(struct homes *homes)
{
    struct handovers *handovers = &homes->handovers;
    const struct placement *placement = homes->actors->placement;
    if (placement == NULL || placement->nodes < 2 || !homes_handovers_are_settled(homes)) {
        return;
    }
    if (handovers->settled_version != placement->version) {
        homes_missed_on_settled(homes); /* Before a new home no longer waits for the slots. */
    }
    const struct message_slots_settled body = {
        .version = placement->version,
        .is_noted = homes_missed_are_told(homes),
    };
    if (handovers->settled_version != body.version || handovers->is_noted != body.is_noted) {
        handovers->settled_version = body.version;
        handovers->is_noted = body.is_noted;
        OUTBOX_SEND(homes->actors->outbox, homes->actors->node->shards, slots_settled, 0, &body);
    }
}

void homes_handovers_on_turn_end(struct homes *homes)
{
    const struct placement *placement = homes->actors->placement;
    handovers_send(homes);
    if (placement != NULL && homes->handovers.settled_version != placement->version) {
        homes_tell_settled(homes);
    }
}

bool homes_handovers_have_work(const struct homes *homes)
{
    const struct handovers *handovers = &homes->handovers;
    return !list_is_empty(&handovers->leaving) && !handovers->is_blocked &&
           handovers->under_way < HANDOVER_PIECES_MAX;
}
