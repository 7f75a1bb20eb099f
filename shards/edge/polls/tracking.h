/* SPDX-License-Identifier: Apache-2.0 */
/* Shared polls as the clients of this shard have them: who tracks which keys, with which versions.
 *
 *   subscription --- follower --- tracked (version, expiry) --- key --- channel
 *                            \--- tracked ------------------/
 *
 * A subscription of such a channel is an ordinary one: its home knows it, for presence and for the
 * count of subscribers. What differs is what comes: the channel's poller (key_poller.h, one a node)
 * tells this shard of the keys that its clients track, and each client is told what is newer than
 * what it has. While somebody tracks a key, the newest of it is kept here (shared with the poller),
 * so that whoever comes later has it at once, and deltas can be made.
 *
 * Ordinary subscriptions have nothing of all this.
 */
#ifndef ROOST_SHARDS_EDGE_POLLS_TRACKING_H
#define ROOST_SHARDS_EDGE_POLLS_TRACKING_H

#include "shards/edge/session/commands.h"
#include "shards/edge/fanout/hub.h"

struct tracking;

/* NULL: memory is out. */
MUST_CHECK struct tracking *tracking_create(struct edge *edge);
/* After all subscriptions are gone. NULL is allowed. */
void tracking_destroy(struct tracking *tracking);

/* Is it a channel whose keys are tracked? */
static inline bool tracking_is_of(const struct channel_options *options)
{
    return options->subscription_type == CLIENT_SUBSCRIPTION_SHARED_POLL;
}

/* A client subscribes to such a channel, or goes. False: memory is out. */
MUST_CHECK bool tracking_add(struct edge *edge, const struct subscription *subscription,
                             bool has_delta);
/* A subscription that is not followed is allowed. */
void tracking_remove(struct edge *edge, const struct subscription *subscription);

/* What its subscribe command is told beside what others are. */
void tracking_put_result(const struct edge *edge, const struct subscription *subscription,
                         struct client_subscribe_result *result);

/* The sub_refresh command of the types TRACK and UNTRACK (PROTOCOL 17), for an active
 * subscription. */
struct verdict tracking_track(struct edge *edge, struct subscription *subscription,
                              const struct client_command *command, struct scratch *scratch);
struct verdict tracking_untrack(struct edge *edge, struct subscription *subscription,
                                const struct client_command *command, struct scratch *scratch);

/* What the poller tells: POLL_UPDATE, POLL_EPOCH. Takes over the counts of their bufs. */
void tracking_on_message(struct edge *edge, const struct message *message);

#endif
