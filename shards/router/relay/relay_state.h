/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the relay share. Only relay*.c use it.
 *
 *   far:   an upstream node,  downstream shards     near:  an upstream shard,  downstream nodes
 *
 *   edge --SUBSCRIBE--> far channel ==link==> near channel --SUBSCRIBE--> home
 *   edge <-PUBLICATION- far channel <==link== near channel <-PUBLICATION- home
 */
#ifndef ROOST_SHARDS_ROUTER_RELAY_RELAY_STATE_H
#define ROOST_SHARDS_ROUTER_RELAY_RELAY_STATE_H

#include "codec/link_message.h"
#include "runtime/map.h"
#include "runtime/pool.h"
#include "runtime/shard.h"
#include "shards/counters.h"
#include "shards/limits.h"
#include "shards/payloads.h"
#include "shards/router/relay/relay.h"

/* A session of the link to a peer: the peer's slot in the low bits and a number above them. It is
 * what registrations of the other node are filed under here, and 0 is this node's own. */
enum {
    RELAY_SLOT_BITS = 12,
    RELAY_PEERS_MAX = 1 << RELAY_SLOT_BITS,
    RELAY_SESSIONS = 1 << (MESSAGE_ORIGIN_BITS - RELAY_SLOT_BITS),
};

static_assert((int)RELAY_PEERS_MAX >= (int)PLACEMENT_NODES_MAX, "every member may have a link");

/* A sum over registrations that grows and shrinks with each, the same in any order. */
struct relay_sum {
    uint64_t sum;
    uint32_t count;
};

struct relay_peer {
    struct gossip_uid uid;
    uint32_t slot;
    uint32_t origin;        /* Of the session under way; 0: the link is down. */
    struct relay_sum asked; /* Far channels that are registered there, */
    struct relay_sum kept;  /* and ends of near channels that are registered here. */
    uint32_t given_up;      /* Ends that this node took away by itself. */
    uint32_t given_up_seen; /* As of the last sum that differed. */
    uint32_t wrong_sums;    /* In a row. */
    uint32_t references;    /* Channels and ends that name a session of it. */
    bool is_member;         /* Of the newest placement, */
    bool is_reachable;      /* and not only for what it has. */
    bool is_home;           /* What it accepted may not have reached others yet. */
    bool has_left;          /* It is about to leave, and all of that has. */
    bool knows_left;        /* The same of this node, as it was told. */
    /* Slot sets, or NULL for none: those that are at home here, but not before the peer has given
     * them up; and those of which the peer wants to hear the same. */
    uint8_t *awaited;
    uint8_t *wanted;
    uint64_t awaited_ends_ms;
};

/* One that wants a channel: a shard of a far one, a node of a near one. */
struct relay_end {
    uint32_t id;     /* The shard, or the session's origin. */
    uint32_t handle; /* Of the channel there: in the shard's hub, or in the node's far channels. */
    uint16_t asks;   /* SUBSCRIBEs that the home has not answered. */
    uint8_t protocols; /* A shard's: in which it wants publications. */
    bool is_active;    /* One was answered: it gets publications, */
    uint64_t sequence; /* of which this was the last. */
};

enum { RELAY_ENDS_FEW = 2 };

/* A registration with a home. */
struct relay_channel {
    struct buf *name;
    uint32_t handle;
    uint32_t upstream; /* The origin of the home's session, or the home's shard. */
    uint32_t ends_len;
    uint32_t ends_room; /* Of `many`; 0: they are in `few`. */
    union {
        struct relay_end few[RELAY_ENDS_FEW];
        struct relay_end *many;
    } ends;
};

struct relay_channels {
    struct pool *pool;
    struct map *by_name;
};

/* A request under way. */
struct relay_ask {
    struct list link; /* In one of the relay's lists. */
    uint64_t deadline_ms;
    enum link_message_kind kind;
    uint32_t handle;
    uint32_t target; /* Who was asked: the origin of a session, or 0 for a shard of this node. */

    /* Who asks: a session's peer, or (0) a shard of this node. */
    uint32_t asker;
    uint32_t asker_shard;
    uint32_t asker_handle; /* Of a shard's message; of a node's far channel. */
    uint32_t cookie;
    uint32_t api; /* enum message_origin of a shard's message. */

    uint32_t channel; /* SUBSCRIBE: the relay's channel. */
    uint32_t flags;
    uint32_t gather; /* SURVEY: what the answer is for. */
    uint64_t since_offset;
};

/* A question to many. */
struct relay_gather {
    uint32_t handle;
    uint32_t waiting; /* Answers that are to come. */
    uint32_t error;   /* Of the first that failed. */
    uint32_t asker;
    uint32_t asker_shard;
    uint32_t asker_handle;
    uint32_t cookie;
    uint32_t op; /* enum survey_op of a shard's question. */
    struct survey_channels channels;
};

/* A session that is over, whose registrations stay until a time. */
struct relay_gone {
    struct list link;
    uint32_t origin;
    uint64_t due_ms;
};

struct relay {
    struct relay_options options;
    struct shard *shard;
    const struct placement *placement; /* NULL before the first. */
    struct relay_peer **peers;         /* [RELAY_PEERS_MAX], by slot; NULL where free. */
    uint16_t *sessions;                /* [RELAY_PEERS_MAX]: the last one's number. */
    uint32_t peers_end;                /* Slots beyond it were never used. */
    struct relay_peer **peer_of_node;  /* [PLACEMENT_NODES_MAX]: of the placement's nodes. */
    struct map *peers_by_uid;

    struct relay_channels far;
    struct relay_channels near;
    uint32_t walk_cursor; /* In the far channels: those before it were looked at. */
    bool is_walking;
    bool walks_again;    /* From the beginning, when it has come to the end. */
    bool walk_is_strict; /* Also those end here that a home of before has not ended. */
    uint64_t strict_due_ms;

    struct pool *asks_pool;
    struct list asks;      /* The oldest first. */
    struct list lasting;   /* Those without a deadline. */
    uint64_t pieces_taken; /* Of channels, by other nodes. */
    struct pool *gathers;

    struct timer timer;
    uint64_t sums_due_ms;
    struct list gone;      /* struct relay_gone, the oldest first. */
    uint32_t sweep_cursor; /* In the near channels, for the oldest. */
    uint8_t *head;         /* RELAY_HEAD_SIZE bytes in which heads are encoded. */

    uint16_t awaited[SLOTS];      /* How many peers are to give each slot up. */
    uint8_t ready[SLOT_SET_LEN];  /* Of which the shards are to be told */
    bool has_ready;               /* now. */
    uint64_t settled[SHARDS_MAX]; /* The placement in which each shard has handed over, */
    bool is_noted[SHARDS_MAX]; /* and what it accepted beside that is noted at the homes of now. */
};

enum { RELAY_HEAD_SIZE = 64 * 1024 };

static inline void relay_count(struct relay *relay, enum counter counter)
{
    stats_add(relay->shard->stats, counter, 1);
}

static inline void relay_gauge_add(struct relay *relay, enum counter gauge, int64_t change)
{
    stats_add(relay->shard->stats, gauge, (uint64_t)change);
}

static inline struct span relay_name(const struct buf *buf)
{
    return span_of(buf->bytes, buf->len);
}

/* ---- peers, homes and sending (relay.c) ---- */

/* The peer of a session, or NULL when that is over. */
struct relay_peer *relay_peer_of(const struct relay *relay, uint32_t origin);

/* NULL: it was never one. */
struct relay_peer *relay_peer_find(const struct relay *relay, const struct gossip_uid *uid);

/* Where a name is at home: a shard of this node (`peer` is NULL), or a peer, whose link may be
 * down. */
struct relay_home {
    struct relay_peer *peer;
    uint32_t shard;
    bool is_known; /* False: there is no placement, or the home has no peer. */
};
struct relay_home relay_home_of(const struct relay *relay, struct span name);

/* False: not sent (see struct relay_wire), or the head is too large. */
bool relay_send(struct relay *relay, const struct relay_peer *peer,
                const struct link_message *message, struct buf *payload);
/* The class: what a full link may refuse (the asker is told, or the gap is seen), and what ends a
 * link that has no room for it. */
enum message_class relay_class_of(enum link_message_kind kind);

/* To a shard of this node with the class of its type. False: no room; the counts of the bufs are
 * still the caller's. Requests never overtake what waits in the outbox. */
MUST_CHECK bool relay_send_local(struct relay *relay, uint32_t shard,
                                 const struct message *message);

void relay_schedule(struct relay *relay, uint64_t in_ms);

/* What was registered or asked in the session no longer counts, and a new one begins. */
void relay_begin_session(struct relay *relay, struct relay_peer *peer);

/* Homes forget who was present in a session that is over. */
void relay_forget_presence(struct relay *relay, uint32_t origin);

/* ---- channels and their ends (relay_channels.c) ---- */

MUST_CHECK bool relay_channels_create(struct relay *relay);
void relay_channels_destroy(struct relay *relay);

/* Keeps the name with a count of its own. NULL: too many, or memory is out. */
MUST_CHECK struct relay_channel *relay_channel_open(struct relay *relay,
                                                    struct relay_channels *channels,
                                                    struct buf *name, uint32_t upstream);
void relay_channel_free(struct relay_channels *channels, struct relay_channel *channel);

struct relay_end *relay_ends(struct relay_channel *channel);
/* NULL: it has none. */
struct relay_end *relay_end_find(struct relay_channel *channel, uint32_t id);
/* NULL: memory is out. */
MUST_CHECK struct relay_end *relay_end_add(struct relay_channel *channel, uint32_t id,
                                           uint32_t handle);
void relay_end_remove(struct relay_channel *channel, struct relay_end *end);
/* A message for an end that is active and has not had it; false: it is not to get it. */
static inline bool relay_end_takes(struct relay_end *end, uint64_t sequence)
{
    /* Another end of the channel may have come after it to a new home, and be told again. */
    if (!end->is_active || sequence <= end->sequence) {
        return false;
    }
    end->sequence = sequence;
    return true;
}
/* In which all ends together want publications. */
uint32_t relay_ends_protocols(struct relay_channel *channel);

/* An end (NULL: none) without a registration and without hope of one goes, and the channel with its
 * last. */
void relay_far_settle(struct relay *relay, struct relay_channel *channel, struct relay_end *end);
void relay_near_settle(struct relay *relay, struct relay_channel *channel, struct relay_end *end);

/* ---- far and near (relay_far.c, relay_near.c) ---- */

void relay_far_on_subscribe(struct relay *relay, const struct message *message);
void relay_far_on_unsubscribe(struct relay *relay, const struct message *message);
void relay_far_on_publication(struct relay *relay, const struct relay_peer *peer,
                              const struct link_message *publication, struct span payload);
void relay_far_on_moved(struct relay *relay, const struct relay_peer *peer, uint32_t handle);

void relay_near_on_subscribe(struct relay *relay, struct relay_peer *peer,
                             const struct link_message *subscribe, struct span payload);
void relay_near_on_unsubscribe(struct relay *relay, struct relay_peer *peer,
                               const struct link_message *unsubscribe, struct span payload);
void relay_near_on_publication(struct relay *relay, const struct message *message);
void relay_near_on_moved(struct relay *relay, const struct message *message);

/* A SUBSCRIBE was answered, or has failed: before the asker is told. False: the registration that
 * it was for has ended meanwhile. */
MUST_CHECK bool relay_channels_on_answer(struct relay *relay, const struct relay_ask *ask,
                                         const struct link_message *answer);

/* ---- keeping registrations true (relay_interest.c) ---- */

void relay_sum_change(struct relay_sum *sum, struct span name, uint32_t handle, int change);
/* Looks at all far channels again, a portion at a time. */
void relay_walk_begin(struct relay *relay);
/* What is due of walks, sums and sweeps. */
void relay_interest_tick(struct relay *relay);
void relay_interest_on_session_end(struct relay *relay, uint32_t origin);
void relay_interest_destroy(struct relay *relay);
void relay_on_interest_sum(struct relay *relay, struct relay_peer *peer,
                           const struct link_message *sum);
/* The far channel ends: its shards are told to register again, but for one (SHARDS_MAX: none). */
void relay_far_end(struct relay *relay, struct relay_channel *channel, uint32_t but_shard);
/* As it ends by its own will: the home hears of it. */
void relay_far_close(struct relay *relay, struct relay_channel *channel);
void relay_near_close(struct relay *relay, struct relay_channel *channel);
void relay_near_free(struct relay *relay, struct relay_channel *channel);
void relay_near_remove_end(struct relay *relay, struct relay_channel *channel,
                           struct relay_end *end);

/* ---- slots that move (relay_slots.c) ---- */

/* `before` is NULL for the first. */
void relay_slots_on_placement(struct relay *relay, const struct placement *before);
/* One came from the peer: it is at work on what it is waited for. */
void relay_slots_on_channel_move(struct relay *relay, struct relay_peer *peer);
void relay_slots_on_session_begin(struct relay *relay, struct relay_peer *peer);
void relay_slots_on_session_end(struct relay_peer *peer);
void relay_slots_tick(struct relay *relay);
void relay_on_slots_settled(struct relay *relay, const struct message *message);
void relay_on_link_slots(struct relay *relay, struct relay_peer *peer,
                         const struct link_message *message, struct span payload);
/* What no channel tells of that moved (relay_missed.c). */
void relay_on_slots_missed(struct relay *relay, const struct message *message);
void relay_on_slots_noted(struct relay *relay, const struct message *message);
void relay_on_link_slots_missed(struct relay *relay, const struct relay_peer *peer,
                                struct span sets);
void relay_on_link_slots_noted(struct relay *relay, struct span slots);
/* Nothing of the peer is left: nobody waits for it. */
void relay_slots_on_peer_gone(struct relay *relay, struct relay_peer *peer);
/* Before it is freed. */
void relay_slots_free(struct relay_peer *peer);

/* ---- requests (relay_asks.c) ---- */

/* A place in the table, with a deadline; the caller fills in the rest. NULL: too many. */
MUST_CHECK struct relay_ask *relay_ask_add(struct relay *relay, enum link_message_kind kind);
void relay_ask_remove(struct relay *relay, struct relay_ask *ask);
/* Tells the asker that it came to nothing. Removes the ask. */
void relay_ask_fail(struct relay *relay, struct relay_ask *ask, uint32_t error);
void relay_asks_on_session_end(struct relay *relay, uint32_t origin);
void relay_asks_tick(struct relay *relay);

void relay_on_request(struct relay *relay, const struct message *message);
void relay_on_link_request(struct relay *relay, struct relay_peer *peer,
                           const struct link_message *request, struct span payload);
void relay_on_answer(struct relay *relay, const struct message *message);
void relay_on_link_answer(struct relay *relay, const struct relay_peer *peer,
                          const struct link_message *answer, struct span payload);

/* ---- users, surveys (relay_users.c, relay_gather.c) ---- */

void relay_on_user_message(struct relay *relay, const struct message *message);
void relay_on_link_user_message(struct relay *relay, struct relay_peer *peer,
                                const struct link_message *message);

void relay_on_survey(struct relay *relay, const struct message *message);
void relay_on_survey_result(struct relay *relay, const struct message *message);
void relay_on_link_survey(struct relay *relay, struct relay_peer *peer,
                          const struct link_message *survey, struct span payload);
/* One of the peers that a gather waits for. */
void relay_gather_on_answer(struct relay *relay, const struct relay_ask *ask,
                            const struct link_message *answer, struct span payload);
void relay_gathers_destroy(struct relay *relay);

/* ---- commands of streams' clients (relay_emulation.c) ---- */

void relay_on_emulate(struct relay *relay, const struct message *message);
void relay_on_link_emulate(struct relay *relay, struct relay_peer *peer,
                           const struct link_message *request, struct span payload);

/* ---- from rings to links and back (relay_convert.c) ---- */

/* The request or answer in a shard's message as a head and a payload, of which the caller has a
 * count (NULL: none). Spans point into the message's bufs. False: memory is out. */
MUST_CHECK bool relay_from_message(const struct message *message, struct link_message *out,
                                   struct buf **payload);

/* A request of a node as a message to one of this node's shards; `handle` and `cookie` come back in
 * its answer. False: memory is out, or the payload is not what it should be. */
MUST_CHECK bool relay_to_request(const struct link_message *request, struct span payload,
                                 uint32_t handle, struct message *out);

/* The answer of a node as a message to the shard that asked. */
MUST_CHECK bool relay_to_answer(const struct link_message *answer, struct span payload,
                                const struct relay_ask *ask, struct message *out);

/* The same for what is passed on to wildcards (relay_passing.c). */
MUST_CHECK bool relay_from_pass_on(const struct message *message, struct link_message *out,
                                   struct buf **payload);
MUST_CHECK bool relay_to_pass_on(const struct link_message *request, struct span payload,
                                 uint32_t handle, struct message *out);

/* ---- what there are several of (relay_lists.c) ---- */

/* Each puts the items that the bufs of a message hold; a snapshot and a page may be NULL. */
typedef void relay_list_function(struct writer *out, const void *what);
void relay_put_identity(struct writer *out, const void *identity_buf);
void relay_put_snapshot(struct writer *out, const void *snapshot);
void relay_put_entry(struct writer *out, const void *page_entry);
void relay_put_page(struct writer *out, const void *page);
void relay_put_move(struct writer *out, const void *move);
/* True with *payload NULL when the list is empty; false: memory is out, or it is too long. */
MUST_CHECK bool relay_list_make(relay_list_function *put, const void *what, struct buf **payload);

/* False: the payload is not what it should be, or memory is out. An empty list is NULL, but an
 * identity and an entry must be there. */
MUST_CHECK bool relay_take_identity(struct span payload, struct buf **out);
MUST_CHECK bool relay_take_entry(const struct link_entry *entry, struct stream_page_entry *out);
MUST_CHECK bool relay_take_page(struct span payload, struct buf **out);
MUST_CHECK bool relay_take_snapshot(struct span payload, struct buf **out);
MUST_CHECK bool relay_take_told(struct span payload, struct buf **out);
MUST_CHECK bool relay_take_known(struct span payload, struct buf **out);

#endif
