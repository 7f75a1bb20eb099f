/* SPDX-License-Identifier: Apache-2.0 */
/* The local fan-out: which sessions of this shard are subscribed to what, and the way of a
 * publication to each of them.
 *
 * A hub channel exists while a session of the shard subscribes to it. Its home hears of the first
 * subscriber and of the last; of each one only where presence or join/leave is kept.
 */
#ifndef ROOST_SHARDS_EDGE_HUB_H
#define ROOST_SHARDS_EDGE_HUB_H

#include "shards/edge/session.h"

enum subscription_state {
    SUBSCRIPTION_WAITS_FOR_CHANNEL, /* Another subscriber's first SUBSCRIBE is under way. */
    SUBSCRIPTION_WAITS_FOR_ANSWER,  /* Its own SUBSCRIBE is under way. */
    SUBSCRIPTION_ACTIVE,            /* Answered; it gets publications. */
};

/* What a subscription token brings; most subscriptions have none. */
struct subscription_grant {
    struct buf *identity; /* With chan_info; NULL: the session's own. */
    struct buf *data;     /* Of the result, until the command is answered; NULL: none. */
    int64_t expire_at_s;  /* Unix time; 0: never. */
};

struct subscription {
    struct hub_channel *channel;
    struct session *session;
    struct subscription *next; /* Of the session. */
    struct subscription_grant *grant;
    uint32_t index; /* In channel->subscribers. */
    uint32_t handle;
    uint32_t command_id; /* Of the subscribe command, until it is answered. */
    uint8_t state;
    bool push_join_leave;
    bool is_awaited; /* The session's input waits for the answer. */
};

static_assert(sizeof(struct subscription) <= 48, "the budget of one more subscription");

struct hub_channel {
    struct buf *name;
    const struct channel_options *options;
    struct subscription **subscribers;
    uint32_t count;
    uint32_t room;
    uint32_t handle;
    uint32_t home;          /* The shard that was told. */
    uint64_t sequence;      /* Of the newest publication that came. */
    bool is_active;         /* The home has answered. */
    uint32_t first_arrival; /* Of this turn; 0: none. See broadcast.h. */
    uint32_t last_arrival;
};

struct hub_channel *hub_find(const struct edge *edge, struct span channel);
struct subscription *hub_find_subscription(const struct session *session, struct span channel);

struct hub_subscribe {
    struct span channel;
    const struct channel_options *options;
    struct span chan_info;
    struct span data; /* The result's data, when the answer is immediate. */
    int64_t expire_at_s;
    uint32_t command_id;
    bool push_join_leave;
};

/* Registers the session and answers the command, now or when the home has. An error is the one to
 * answer with (0: none). */
uint32_t hub_subscribe(struct edge *edge, struct session *session,
                       const struct hub_subscribe *request);

/* Ends a subscription and tells the home what it needs to know. The caller tells the client. */
void hub_unsubscribe(struct edge *edge, struct subscription *subscription);

/* Ends it with an unsubscribe push. */
void hub_unsubscribe_push(struct edge *edge, struct subscription *subscription, uint32_t code);

void hub_on_subscribed(struct edge *edge, const struct message *message);

/* Names with their numbers of local subscribers that match the pattern (NULL: all), packed; *error
 * 0 or a client error. */
struct buf *hub_survey(const struct edge *edge, const struct buf *pattern, uint32_t *error);

#endif
