/* SPDX-License-Identifier: Apache-2.0 */
/* A queue of messages for each target, empty and without memory while every mailbox has room. */
#include "shards/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "shards/counters.h"
#include "shards/limits.h"
#include "shards/messages.h"

enum { OUTBOX_CHUNK_MESSAGES = 63 };

struct outbox_chunk {
    struct outbox_chunk *next;
    uint32_t begin;
    uint32_t end;
    struct message messages[OUTBOX_CHUNK_MESSAGES];
};

static_assert(sizeof(struct outbox_chunk) == 4096, "a page");

struct outbox_queue {
    struct outbox_chunk *first;
    struct outbox_chunk *last;
    uint32_t count;
};

struct outbox {
    struct shard *shard;
    uint32_t waiting; /* Of all queues. */
    struct outbox_queue queues[];
};

struct outbox *outbox_create(struct shard *shard)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox) + shard->count * sizeof(struct outbox_queue));
    if (outbox != NULL) {
        outbox->shard = shard;
    }
    return outbox;
}

/* The oldest message; the queue is not empty. It stays where it is until outbox_drop_first. */
static const struct message *outbox_first(const struct outbox_queue *queue)
{
    return &queue->first->messages[queue->first->begin];
}

static void outbox_drop_first(struct outbox *outbox, struct outbox_queue *queue)
{
    struct outbox_chunk *chunk = queue->first;
    chunk->begin++;
    if (chunk->begin == chunk->end) {
        queue->first = chunk->next;
        if (queue->first == NULL) {
            queue->last = NULL;
        }
        free(chunk);
    }
    queue->count--;
    outbox->waiting--;
}

void outbox_destroy(struct outbox *outbox)
{
    if (outbox == NULL) {
        return;
    }
    for (uint32_t target = 0; target < outbox->shard->count; target++) {
        struct outbox_queue *queue = &outbox->queues[target];
        while (queue->count > 0) {
            message_release(outbox_first(queue));
            outbox_drop_first(outbox, queue);
        }
    }
    free(outbox);
}

static bool outbox_append(struct outbox *outbox, struct outbox_queue *queue,
                          const struct message *message)
{
    if (outbox->waiting >= OUTBOX_MESSAGES_MAX) {
        return false;
    }
    struct outbox_chunk *chunk = queue->last;
    if (chunk == NULL || chunk->end == OUTBOX_CHUNK_MESSAGES) {
        chunk = aligned_alloc(64, sizeof(*chunk));
        if (chunk == NULL) {
            return false;
        }
        chunk->next = NULL;
        chunk->begin = 0;
        chunk->end = 0;
        if (queue->last == NULL) {
            queue->first = chunk;
        } else {
            queue->last->next = chunk;
        }
        queue->last = chunk;
    }
    chunk->messages[chunk->end++] = *message;
    queue->count++;
    outbox->waiting++;
    return true;
}

static void outbox_keep(struct outbox *outbox, uint32_t target, const struct message *message)
{
    if (!outbox_append(outbox, &outbox->queues[target], message)) {
        message_release(message);
        stats_add(outbox->shard->stats, COUNTER_OUTBOX_LOST, 1);
    }
    stats_set(outbox->shard->stats, COUNTER_OUTBOX_WAITING, outbox->waiting);
}

void outbox_send(struct outbox *outbox, uint32_t target, const struct message *message)
{
    BUG_IF(target >= outbox->shard->count);
    if (outbox_room(outbox, target) > 0 &&
        mailbox_send(outbox->shard->mailbox, target, message, MESSAGE_REPLY)) {
        return;
    }
    struct message own = *message;
    own.from = (uint16_t)outbox->shard->id;
    outbox_keep(outbox, target, &own);
}

bool outbox_pass_on(struct outbox *outbox, uint32_t target, const struct message *message)
{
    const enum message_class class = message_class_of((enum message_type)message->type);
    struct message own = *message;
    BUG_IF(target >= outbox->shard->count);
    message_mark_detour(&own);
    const bool is_passed = outbox_waiting(outbox, target) == 0 &&
                           mailbox_room(outbox->shard->mailbox, target, class) > 0 &&
                           mailbox_pass_on(outbox->shard->mailbox, target, &own, class);
    if (!is_passed && class == MESSAGE_REPLY) {
        outbox_keep(outbox, target, &own);
    }
    return is_passed || class == MESSAGE_REPLY;
}

uint32_t outbox_waiting(const struct outbox *outbox, uint32_t target)
{
    return outbox->queues[target].count;
}

uint32_t outbox_room(const struct outbox *outbox, uint32_t target)
{
    return outbox->queues[target].count > 0
               ? 0
               : mailbox_room(outbox->shard->mailbox, target, MESSAGE_REPLY);
}

bool outbox_takes_delivery(const struct outbox *outbox, uint32_t target)
{
    const struct mailbox_limits *limits = mailbox_limits_of(outbox->shard->mailbox);
    return outbox_waiting(outbox, target) <
           limits->staged_max / (MAILBOX_STAGED_MAX / OUTBOX_DELIVERIES_MAX);
}

bool outbox_takes_publication(const struct outbox *outbox, uint32_t target)
{
    const struct mailbox_limits *limits = mailbox_limits_of(outbox->shard->mailbox);
    return outbox_room(outbox, target) >
           limits->staged_max / (MAILBOX_STAGED_MAX / HOME_ROOM_RESERVED);
}

void outbox_on_turn_end(struct outbox *outbox)
{
    if (outbox->waiting == 0) {
        return;
    }
    struct mailbox *mailbox = outbox->shard->mailbox;
    for (uint32_t target = 0; target < outbox->shard->count; target++) {
        struct outbox_queue *queue = &outbox->queues[target];
        while (queue->count > 0 && mailbox_room(mailbox, target, MESSAGE_REPLY) > 0 &&
               mailbox_pass_on(mailbox, target, outbox_first(queue), MESSAGE_REPLY)) {
            outbox_drop_first(outbox, queue);
        }
    }
    stats_set(outbox->shard->stats, COUNTER_OUTBOX_WAITING, outbox->waiting);
}

bool outbox_has_work(const struct outbox *outbox)
{
    for (uint32_t target = 0; outbox->waiting > 0 && target < outbox->shard->count; target++) {
        if (outbox->queues[target].count > 0 &&
            mailbox_room(outbox->shard->mailbox, target, MESSAGE_REPLY) > 0) {
            return true;
        }
    }
    return false;
}
