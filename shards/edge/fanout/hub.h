/* SPDX-License-Identifier: Apache-2.0 */
/* The local fan-out: which sessions of this shard are subscribed to what, and the way of a
 * publication to each of them.
 *
 * A hub channel exists while a session of the shard subscribes to it. Its home hears of the first
 * subscriber and of the last; of each one only where presence or join/leave is kept.
 */
#ifndef ROOST_SHARDS_EDGE_FANOUT_HUB_H
#define ROOST_SHARDS_EDGE_FANOUT_HUB_H

#include "shards/edge/session/permissions.h"
#include "shards/edge/session/session.h"
#include "shards/edge/fanout/subscribers.h"

enum subscription_state {
    SUBSCRIPTION_WAITS_FOR_CHANNEL, /* Another subscriber's first SUBSCRIBE is under way. */
    SUBSCRIPTION_WAITS_FOR_ANSWER,  /* Its own SUBSCRIBE is under way. */
    SUBSCRIPTION_ACTIVE,            /* Answered; it gets publications. */
    SUBSCRIPTION_HELD,              /* The same, but they wait for the connect command's answer. */
};

/* What a subscription token brings, and a tags filter; most subscriptions have none. */
struct subscription_grant {
    struct buf *identity;         /* With chan_info; NULL: the session's own. */
    struct buf *data;             /* Of the result, until the command is answered; NULL: none. */
    int64_t expire_at_s;          /* Unix time; 0: never. */
    struct shared_filter *filter; /* NULL: none. */
    bool overrides_emits;
    bool is_refreshing;         /* Its backend is asked whether it goes on. */
    uint32_t emits;             /* Then: what others are told of it, hub_emits_of(). */
    struct buf *token_uid;      /* Its token's id; NULL: none. */
    uint32_t token_issued_at_s; /* As in struct revocable. */
};

/* 32 bytes, since clients subscribe to many channels: what it leads to seldom is a handle. */
struct subscription {
    struct hub_channel *channel;
    struct connection *conn; /* Whose session it is of. */
    uint32_t next;           /* Of the session; POOL_HANDLE_NONE: the last. */
    uint32_t grant;          /* POOL_HANDLE_NONE: none. */
    uint32_t command_id;     /* Of the subscribe command, until it is answered. */
    uint32_t index : 20;     /* In channel->subscribers. */
    uint32_t source : 4;     /* enum subscription_source */
    uint32_t state : 2;      /* enum subscription_state */
    uint32_t push_join_leave : 1;
    uint32_t is_awaited : 1;     /* The session's input waits for the answer. */
    uint32_t has_delta : 1;      /* It takes deltas, */
    uint32_t has_base : 1;       /* and has the publication that the next one is told against. */
    uint32_t is_filtered : 1;    /* Its grant has a filter. */
    uint32_t is_server_side : 1; /* The server made it (server_subs.h). */
};
static_assert(CONNECTIONS_A_SHARD_MAX <= 1 << 20, "a channel has a client once");

static_assert(sizeof(struct subscription) == 32, "the table's pointer to it is the rest of 48");

/* The first and the next subscription of a session; NULL: no more. */
struct subscription *hub_first_of(const struct edge *edge, const struct session *session);
struct subscription *hub_next_of(const struct edge *edge, const struct subscription *subscription);

/* NULL: none. */
struct subscription_grant *hub_grant_of(const struct edge *edge,
                                        const struct subscription *subscription);

struct hub_channel {
    struct buf *name;
    const struct channel_options *options;
    struct subscribers subscribers;
    uint32_t handle;
    uint32_t home;                 /* The shard that is told: that was asked, then that answered. */
    uint64_t sequence;             /* Of the newest message that came from the home. */
    struct stream_position newest; /* As its subscribers here know it. */
    bool has_stream;               /* The home keeps a position. */
    bool has_presence;             /* Some subscriber is entered into presence. */
    /* Sets of protocols: in which publications were asked for, and in which they come, since the
     * home has answered. */
    uint8_t asked;
    uint8_t active;
    uint32_t asking;                   /* SUBSCRIBEs that the home has not answered yet. */
    uint32_t counts[CLIENT_PROTOCOLS]; /* Of subscribers, by what they speak. */
    uint32_t first_arrival;            /* Of this turn; 0: none. See broadcast.h. */
    uint32_t last_arrival;
    struct tailored *tailored; /* NULL: all subscribers are sent the same (tailored.h). */
    struct batch *batch;       /* What waits for more to come; NULL: nothing (batch.h). */
    /* After its home has moved (hub_moves.c). */
    bool is_moving;        /* It is to be registered again, or was and is not answered. */
    uint32_t entered;      /* Subscribers up to here are to be entered into presence again. */
    struct list move_link; /* In the edge's moves or retries, while there is something to send. */
};

/* What its home is to do with a subscriber for others to see: SUBSCRIBE_PRESENCE, SUBSCRIBE_JOIN.
 * By the options, as the subscription may override them; and of one that exists. */
uint32_t hub_emits_of(const struct channel_options *options);
uint32_t hub_emits(const struct edge *edge, const struct subscription *subscription);

/* Has the client to see to it that it goes on? Where a backend is asked, it need not know. */
static inline bool hub_expires(const struct subscription *subscription,
                               const struct subscription_grant *grant)
{
    return grant->expire_at_s != 0 && subscription->channel->options->sub_refresh_proxy == NULL;
}

struct hub_channel *hub_find(const struct edge *edge, struct span channel);
struct subscription *hub_find_subscription(const struct edge *edge, const struct session *session,
                                           struct span channel);

struct hub_subscribe {
    struct span channel;
    const struct channel_options *options;
    struct span chan_info;
    struct span data; /* The result's data, when the answer is immediate. */
    int64_t expire_at_s;
    struct revocable token;
    uint32_t command_id;
    bool push_join_leave;
    bool has_delta;
    bool is_server_side;
    enum subscription_source source;
    bool is_tracking;             /* Of a shared poll: see tracking.h. */
    uint32_t emits;               /* hub_emits_of() */
    struct shared_filter *filter; /* Taken over, whatever comes of it; NULL: none. */
    uint32_t stream_flags;        /* streams_flags_of() */
    struct stream_position since;
};

/* Registers the session and answers the command, now or when the home has. An error is the one to
 * answer with (0: none). */
uint32_t hub_subscribe(struct edge *edge, struct session *session,
                       const struct hub_subscribe *request);

/* Ends a subscription and tells the home what it needs to know. The caller tells the client. */
void hub_unsubscribe(struct edge *edge, struct session *session, struct subscription *subscription);

/* What the home has been told of a subscriber; of its shard, it has been. */
enum hub_told {
    HUB_UNTOLD,
    HUB_TOLD,
    HUB_TOLD_AND_REFUSED, /* And has refused it, as far as is known here. */
};
/* The same as hub_unsubscribe(). */
void hub_leave(struct edge *edge, struct session *session, struct subscription *subscription,
               enum hub_told told);

/* Ends it with an unsubscribe push. */
void hub_unsubscribe_push(struct edge *edge, struct subscription *subscription, uint32_t code);

/* Answers the subscribe command: from now on publications are delivered. What came before is in
 * the answer or known to the client, since the home's messages arrive in order. */
void hub_activate(struct edge *edge, struct subscription *subscription,
                  const struct message_subscribed *answer);

/* The answer to a subscription that asked for nothing. */
extern const struct message_subscribed hub_plain_answer;

void hub_on_subscribed(struct edge *edge, const struct message *message);

/* The channel's registration has ended: it is made again. Its answer names no subscription. */
void hub_on_moved(struct edge *edge, const struct message *message);
void hub_on_move_failed(struct edge *edge, struct hub_channel *channel);
void hub_on_move_done(struct edge *edge, struct hub_channel *channel);
/* What others see of a subscriber that is present has changed: its home is told. */
void hub_enter_again(struct edge *edge, const struct subscription *subscription);
/* Somebody who is present could not be told to the home that the channel has now: all are again. */
void hub_on_enter_failed(struct edge *edge, struct hub_channel *channel);

/* One count of what others see of a subscriber; NULL: memory is out. */
MUST_CHECK struct buf *hub_identity_of(const struct edge *edge, struct session *session,
                                       const struct subscription *subscription);

/* Names with their numbers of local subscribers that match the pattern (NULL: all), packed; *error
 * 0 or a client error. */
struct buf *hub_survey(const struct edge *edge, const struct buf *pattern, uint32_t *error);

#endif
