/* SPDX-License-Identifier: Apache-2.0 */
/* What was told in a channel since it came here, for those who follow it from the home that it had:
 * they miss nothing that was said before they came. */
#include <stdlib.h>

#include "runtime/array.h"
#include "shards/channel/homes_state.h"
#include "shards/channel/push_frame.h"
#include "shards/limits.h"

enum { TOLD_ROOM_MIN = 8 };

void homes_forget_told(struct homes *homes, struct channel *channel)
{
    struct handover *handover = channel->handover;
    for (uint32_t i = 0; i < handover->told_len; i++) {
        homes->handovers.told_bytes -= handover->told[i].values->len;
        buf_release(handover->told[i].values);
    }
    free(handover->told);
    handover->told = NULL;
    handover->told_len = 0;
    handover->told_room = 0;
    handover->told_from = channel_offset(channel);
}

static bool told_reserve(struct handover *handover)
{
    struct told_message *told = array_reserve(handover->told, handover->told_len,
                                              &handover->told_room, TOLD_ROOM_MIN, sizeof(*told));
    if (told == NULL) {
        return false;
    }
    handover->told = told;
    return true;
}

/* Takes a count of the values. */
static void told_append(struct homes *homes, struct channel *channel,
                        const struct told_message *told)
{
    struct handover *handover = channel->handover;
    const uint64_t bytes = homes->handovers.told_bytes + told->values->len;
    if (bytes > CATCH_UP_BYTES_MAX || !told_reserve(handover)) {
        /* Who comes now has missed something, and is told. */
        homes_forget_told(homes, channel);
        actors_count(homes->actors, COUNTER_HANDOVER_TOLD_LOST);
        return;
    }
    homes->handovers.told_bytes = bytes;
    buf_share(told->values, 1);
    handover->told[handover->told_len++] = *told;
}

void homes_note_told(struct homes *homes, struct channel *channel,
                     const struct message_publication *publication, struct buf *values)
{
    const struct told_message told = {
        .values = values,
        .offset = publication->offset,
        .sent_ns = publication->sent_ns,
        .epoch = publication->epoch,
        .kind = publication->kind,
        .flags = publication->flags,
    };
    told_append(homes, channel, &told);
}

/* ---- moving on ---- */

bool homes_give_told(const struct handover *handover, uint32_t first, struct buf **page)
{
    uint64_t bytes = 0;
    uint32_t len = 0;
    *page = NULL;
    while (first + len < handover->told_len && (len == 0 || bytes < HANDOVER_PIECE_BYTES)) {
        bytes += handover->told[first + len++].values->len;
    }
    if (bytes > HANDOVER_PIECE_BYTES && len > 1) {
        len--;
    }
    *page = len == 0 ? NULL : told_page_make(len);
    for (uint32_t i = 0; *page != NULL && i < len; i++) {
        told_page_of(*page)->entries[i] = handover->told[first + i];
        buf_share(handover->told[first + i].values, 1);
    }
    return *page != NULL || len == 0;
}

void homes_take_told(struct homes *homes, struct channel *channel, const struct channel_move *move)
{
    const struct told_page *page = move->told == NULL ? NULL : told_page_of(move->told);
    struct handover *handover = channel->handover;
    for (uint64_t i = 0; page != NULL && i < page->len; i++) {
        struct told_message told = page->entries[i];
        told.sent_ns = homes->actors->shard->now_ns;
        told_append(homes, channel, &told);
    }
    if ((move->flags & CHANNEL_MOVE_LAST) == 0) {
        return;
    }
    /* The offset before the first that has one. */
    handover->told_from = channel_offset(channel);
    for (uint32_t i = handover->told_len; i-- > 0;) {
        const uint64_t offset = handover->told[i].offset;
        handover->told_from = offset != 0 ? offset - 1 : handover->told_from;
    }
}

bool homes_knows_since(const struct channel *channel, struct stream_position since,
                       uint64_t *offset)
{
    /* The offset is the sequence here: see SUBSCRIBE_AGAIN. */
    const uint64_t missed = channel->sequence - since.offset;
    if (!channel_came_lately(channel) || since.epoch != channel->epoch ||
        missed > channel->handover->told_len) {
        return false;
    }
    const struct handover *handover = channel->handover;
    *offset = handover->told_from;
    for (uint32_t i = 0; i < handover->told_len - missed; i++) {
        *offset = handover->told[i].offset != 0 ? handover->told[i].offset : *offset;
    }
    return true;
}

/* To the router as it is, to others in what they asked for. */
static bool told_send(const struct homes *homes, const struct channel *channel,
                      struct message_publication *body, const struct told_message *told,
                      const struct message *asker)
{
    struct outbox *outbox = homes->actors->outbox;
    const uint32_t protocols = flags_protocols(message_as_subscribe(asker).flags);
    if (!outbox_takes_delivery(outbox, asker->from)) {
        return false;
    }
    if (asker->from == homes->actors->node->shards) {
        body->frames = told->values;
        buf_share(told->values, 1);
    } else {
        const struct span values = span_of(told->values->bytes, told->values->len);
        body->frames = push_frames_of_values(name_of(channel->name), body, values, protocols,
                                             &body->protobuf_at);
    }
    if (body->frames == NULL) {
        return false;
    }
    OUTBOX_SEND(outbox, asker->from, publication, asker->handle, body);
    return true;
}

void homes_tell_since(struct homes *homes, struct channel *channel, uint64_t sequence,
                      const struct message *asker)
{
    const struct handover *handover = channel->handover;
    const uint64_t missed = channel->sequence - sequence;
    for (uint64_t i = handover->told_len - missed; i < handover->told_len; i++) {
        const struct told_message *told = &handover->told[i];
        struct message_publication body = {
            .sequence = ++sequence,
            .offset = told->offset,
            .sent_ns = told->sent_ns,
            .epoch = told->epoch,
            .kind = told->kind,
            .flags = told->flags,
        };
        if (!told_send(homes, channel, &body, told, asker)) {
            actors_count(homes->actors, COUNTER_OUTBOX_LOST); /* The shard sees the gap. */
        }
    }
    actors_count_many(homes->actors, COUNTER_SENT_PUBLICATION, missed);
}
