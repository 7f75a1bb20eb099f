/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between shards: one lock-free ring for each ordered pair, staged and flushed in batches, one doorbell a batch.
 *
 * Overview. Shard s sends to shard t: the message is staged in s; once a turn the staged batch moves into the ring (s, t); if t
 * sleeps, its doorbell is rung, once. t drains each ring up to a budget. When the ring is full the rest stays staged, bounded by
 * the message's class (limits.h). A shard may send to itself: that goes through the same staging and arrives next turn.
 *
 * Order. Messages of one ordered pair arrive in the order in which they were sent, whatever their class.
 */
#ifndef ROOST_RUNTIME_MAILBOX_H
#define ROOST_RUNTIME_MAILBOX_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/check.h"
#include "runtime/limits.h"

/* One cache line. What the body means is the business of the catalogue above (shards/messages.h). */
struct message {
    uint16_t type;
    uint16_t from; /* The sending shard; filled in by mailbox_send. */
    uint32_t handle; /* An object of the receiver's or the sender's, as the type says. */
    uint8_t body[56];
} __attribute__((aligned(64)));

static_assert(sizeof(struct message) == 64, "a message is one cache line");

/* What happens to a message that finds its target's staging full. */
enum message_class {
    MESSAGE_REQUEST, /* Refused early: its sender can tell a client to come back later. */
    MESSAGE_REPLY,   /* Answers, clean-up and deliveries: accepted up to the hard limit. */
};

struct mailbox;        /* One shard's: inbound rings, staging, counters. */
struct mailbox_matrix; /* All mailboxes of one node. */
struct poller;

MUST_CHECK struct mailbox_matrix *mailbox_matrix_create(uint32_t shards);
void mailbox_matrix_destroy(struct mailbox_matrix *matrix);
struct mailbox *mailbox_of(struct mailbox_matrix *matrix, uint32_t shard);

/* Whose doorbell wakes the shard. Before any thread starts. */
void mailbox_set_poller(struct mailbox *mailbox, struct poller *poller);

/* Stages a copy. False when the target's staging is full for this class (counted): nothing was sent. Owner only. */
MUST_CHECK bool mailbox_send(struct mailbox *mailbox, uint32_t target, const struct message *message,
                             enum message_class class);

/* How many more messages of this class the target's staging takes now. */
uint32_t mailbox_room(const struct mailbox *mailbox, uint32_t target, enum message_class class);

/* Moves staged messages into the rings and rings the doorbells of sleeping targets. Once a turn. Owner only. */
void mailbox_flush(struct mailbox *mailbox);

typedef void mailbox_function(void *context, const struct message *message);

/* Hands over at most `budget` messages of each ring (and of the shard's own), oldest first; returns how many. Owner only. */
uint32_t mailbox_drain(struct mailbox *mailbox, uint32_t budget, mailbox_function *handle,
                       void *context);

/* Anything to drain, or staged and not yet flushed? Owner only. */
bool mailbox_has_work(const struct mailbox *mailbox);

/* The sleep protocol. True: the shard is marked asleep and every ring was seen empty after that, it may wait. False: there is
 * work. After waiting call mailbox_wake_up. Owner only. */
bool mailbox_fall_asleep(struct mailbox *mailbox);
void mailbox_wake_up(struct mailbox *mailbox);

/* Counters, one writer each (the owner). */
struct mailbox_counters {
    uint64_t sent;
    uint64_t received;
    uint64_t refused;    /* mailbox_send returned false. */
    uint64_t ring_full;  /* A flush left messages staged. */
    uint64_t doorbells;
    uint64_t staged_peak;
};
const struct mailbox_counters *mailbox_counters(const struct mailbox *mailbox);
size_t mailbox_memory(const struct mailbox *mailbox); /* Bytes of its inbound rings and staging. */

#endif
