/* SPDX-License-Identifier: Apache-2.0 */
/* Answers and deliveries that must not be lost: what a mailbox has no room for now waits here.
 *
 * One a shard, used by all its actors. For each target messages leave in the order in which they
 * were sent through it; those that others put into the mailbox directly may overtake. Owner only.
 */
#ifndef ROOST_SHARDS_OUTBOX_H
#define ROOST_SHARDS_OUTBOX_H

#include "runtime/shard.h"

struct outbox;

/* The shard's mailbox and stats are used from the first send on. NULL: memory is out. */
MUST_CHECK struct outbox *outbox_create(struct shard *shard);

/* Gives back what the waiting messages carry. NULL is allowed. */
void outbox_destroy(struct outbox *outbox);

/* Sends with the class REPLY, now or later; takes over the counts in the message. Only when
 * OUTBOX_MESSAGES_MAX wait, or memory is out, is the message released and counted as lost. */
void outbox_send(struct outbox *outbox, uint32_t target, const struct message *message);

/* The same for a message that another shard sent here: `from` stays, its class is that of its type,
 * and it is marked with FLAGS_DETOUR where that has a meaning. False: there is no room for a
 * request, or something waits for the target already, which it must not overtake; the counts are
 * still the caller's. */
MUST_CHECK bool outbox_pass_on(struct outbox *outbox, uint32_t target,
                               const struct message *message);

/* How many messages wait for a target. */
uint32_t outbox_waiting(const struct outbox *outbox, uint32_t target);

/* How many REPLYs the target's mailbox takes now, without any having to wait; 0 while some wait. */
uint32_t outbox_room(const struct outbox *outbox, uint32_t target);

/* May a delivery that its receiver can miss, and then notices, still wait for the target? */
bool outbox_takes_delivery(const struct outbox *outbox, uint32_t target);

/* Has the target, beside what answers and clean-up need, room for a publication now? */
bool outbox_takes_publication(const struct outbox *outbox, uint32_t target);

/* Sends what waits, as far as there is room. Once a turn. */
void outbox_on_turn_end(struct outbox *outbox);

/* True when a waiting message could be sent in the next turn. (Where the mailbox has no room it has
 * messages staged, and its ring wakes the shard.) */
bool outbox_has_work(const struct outbox *outbox);

/* Typed: OUTBOX_SEND(outbox, target, subscribed, handle, &body). Wants shards/messages.h. */
#define OUTBOX_SEND(outbox, target, body_name, handle, body) \
    do { \
        const struct message outbox_message_ = message_make_##body_name((handle), (body)); \
        outbox_send((outbox), (target), &outbox_message_); \
    } while (0)

#endif
