/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between shards: a lock-free ring for each ordered pair, batches, one doorbell a batch.
 *
 * Overview. Shard s sends to shard t: the message is staged in s; once a turn the staged batch
 * moves into the ring (s, t), and if t sleeps its doorbell is rung, once. t drains each ring up to
 * a budget. When the ring is full the rest stays staged, bounded by the message's class (limits.h).
 * A shard may send to itself: that is staged as well and arrives in the next turn.
 *
 * Order. Messages of one ordered pair arrive in the order in which they were sent, whatever their
 * class.
 *
 * Memory. The ring of a pair is made at its first message, so N shards that all talk to each other
 * pay N x N x RING_DEPTH x 64 B, and pairs that never talk pay nothing.
 */
#ifndef ROOST_RUNTIME_MAILBOX_H
#define ROOST_RUNTIME_MAILBOX_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/check.h"
#include "runtime/limits.h"

/* One cache line. What the body means is the business of the catalogue above (shards/messages.h).
 */
struct message {
    uint16_t type;
    uint16_t from;   /* The sending shard; filled in by mailbox_send. */
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

/* Zero in any of them: as in limits.h. Small ones are for simulations of what is full. */
struct mailbox_limits {
    uint32_t ring_depth;          /* Of a pair; a power of two, 4 to RING_DEPTH. */
    uint32_t staged_requests_max; /* As MAILBOX_STAGED_REQUESTS_MAX, and at most that. */
    uint32_t staged_max; /* As MAILBOX_STAGED_MAX, and at most that; twice the requests at least. */
};

/* For shards 0 .. shards-1, at most SHARDS_MAX. NULL: memory is out. */
MUST_CHECK struct mailbox_matrix *mailbox_matrix_create(uint32_t shards);

/* Before the first message. */
void mailbox_matrix_limit(struct mailbox_matrix *matrix, const struct mailbox_limits *limits);

/* Those in effect. */
const struct mailbox_limits *mailbox_limits_of(const struct mailbox *mailbox);

/* After the threads have ended. What was still under way is dropped unread: payloads that messages
 * point to are not freed. */
void mailbox_matrix_destroy(struct mailbox_matrix *matrix);

/* Lives as long as the matrix. */
struct mailbox *mailbox_of(struct mailbox_matrix *matrix, uint32_t shard);

/* Whose doorbell wakes the shard; without one the shard cannot sleep. Before any thread starts. */
void mailbox_set_poller(struct mailbox *mailbox, struct poller *poller);

/* From here on "owner only" means the calling thread, and a call from any other aborts; until
 * mailbox_disclaim. A simulator, where one thread owns everything, claims nothing. */
void mailbox_claim(struct mailbox *mailbox);
void mailbox_disclaim(struct mailbox *mailbox);

/* Stages a copy. False when the target's staging is full for this class, or memory is out
 * (counted): nothing was sent. Owner only. */
MUST_CHECK bool mailbox_send(struct mailbox *mailbox, uint32_t target,
                             const struct message *message, enum message_class class);

/* The same for a message that another shard sent here: `from` stays, so that whoever answers it
 * answers that shard. Owner only. */
MUST_CHECK bool mailbox_pass_on(struct mailbox *mailbox, uint32_t target,
                                const struct message *message, enum message_class class);

/* How many more messages of this class the target's staging takes now. Owner only. */
uint32_t mailbox_room(const struct mailbox *mailbox, uint32_t target, enum message_class class);

/* Moves staged messages into the rings and rings the doorbells of sleeping targets. Once a turn;
 * mailbox_send does it earlier for a target when half a ring is staged. Owner only. */
void mailbox_flush(struct mailbox *mailbox);

typedef void mailbox_function(void *context, const struct message *message);

/* Hands over what the shard told itself before its last flush, and then at most `budget` messages
 * of each ring, oldest first, ring by ring in the order of the senders' numbers; returns how many.
 * The message is a copy that lives until `handle` returns. Owner only.
 *
 * The shard's own have no budget: they are what one bounded turn has sent, and less than all of
 * them a turn would only pile up. */
uint32_t mailbox_drain(struct mailbox *mailbox, uint32_t budget, mailbox_function *handle,
                       void *context);

/* True while there is something to drain, or something staged that a flush could move now. Messages
 * staged behind a full ring are no work: nothing can be done until their target drains. Owner only,
 * or whoever steps all shards on one thread. */
bool mailbox_has_work(const struct mailbox *mailbox);

/* The sleep protocol. True: the shard is marked asleep and was seen without work after that, so it
 * may wait for its doorbell. False: there is work. After waiting call mailbox_wake_up. Also a shard
 * that has messages staged behind a full ring may sleep: the target wakes it when it has drained.
 * Owner only. */
MUST_CHECK bool mailbox_fall_asleep(struct mailbox *mailbox);
void mailbox_wake_up(struct mailbox *mailbox);

/* Written by the owner alone; any thread may load a counter atomically, e.g. to export it. */
struct mailbox_counters {
    uint64_t sent;        /* Accepted by mailbox_send. */
    uint64_t received;    /* Handed over; counted after they were handled. */
    uint64_t refused;     /* mailbox_send returned false. */
    uint64_t ring_full;   /* A flush left messages staged for a target. */
    uint64_t doorbells;   /* Rung by this shard. */
    uint64_t staged_peak; /* The most that were ever staged for one target. */
};
const struct mailbox_counters *mailbox_counters(const struct mailbox *mailbox);

/* Bytes of its inbound rings and of its staging. Owner only. */
size_t mailbox_memory(const struct mailbox *mailbox);

#endif
