/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a shard's homes share: the channels, and what is done to any of them. For
 * homes*.c alone. */
#ifndef ROOST_SHARDS_CHANNEL_HOMES_STATE_H
#define ROOST_SHARDS_CHANNEL_HOMES_STATE_H

#include "runtime/map.h"
#include "runtime/pool.h"
#include "shards/channel/channel_stream.h"
#include "shards/channel/early_ends.h"
#include "shards/channel/homes.h"
#include "shards/channel/idempotency.h"
#include "shards/channel/map_state.h"
#include "shards/channel/presence.h"
#include "shards/limits.h"
#include "shards/origins.h"
#include "shards/payloads.h"

/* A shard that wants the channel's publications. */
struct interest {
    uint32_t hub; /* The handle of the channel in that shard's hub. */
    uint16_t shard;
    uint16_t protocols; /* A set: in which it wants them. */
};

enum { INTERESTS_FEW = 4 };

enum handover_state {
    HANDOVER_LEAVING, /* To be sent to another home; until then it goes on here. */
    HANDOVER_SENT,    /* A piece of it was: nothing may happen to it until that is answered. */
    HANDOVER_COMING,  /* The first pieces of it came, */
    HANDOVER_CAME,    /* all of it did: those who follow it here find what was told since. */
};

/* Of a channel whose home moves, or has moved lately. */
struct handover {
    struct list link; /* In the list of its state. */
    struct channel *channel;
    enum handover_state state;
    uint64_t sent_ms;     /* The piece that is not answered. */
    bool is_last;         /* SENT: with this piece it is whole. */
    bool is_followed;     /* It came lately: what is told is kept, also if it has to move on. */
    bool is_bare;         /* SENT: but for keys of publications there is nothing of it. */
    uint32_t origin;      /* COMING, or it is followed: from which session's node. */
    uint64_t ends_ms;     /* Of the state, whatever comes. */
    uint64_t sent_offset; /* Up to which its history was sent and taken, */
    uint64_t next_offset; /* and when what is under way is taken. */
    uint64_t sent_keys;   /* The same of a map's keys, */
    uint64_t next_keys;
    uint64_t sent_known; /* of keys of publications, */
    uint64_t next_known;
    uint32_t sent_told; /* and of what was told. */
    uint32_t next_told;
    /* The newest `told_len` messages. */
    struct told_message *told;
    uint32_t told_room;
    uint32_t told_len;
    uint64_t told_from; /* The channel's offset before the first of them. */
};

struct channel {
    struct buf *name;
    uint64_t epoch;    /* Of this tenure: from the channel's creation until it is forgotten. */
    uint64_t sequence; /* Of the newest message about it. */
    struct channel_stream *stream;    /* NULL: nobody asked for a position. */
    struct map_state *map;            /* NULL: nothing with a key was published into it. */
    struct handover *handover;        /* NULL: it is at home here, as it was. */
    struct presence_channel presence; /* Its handle is the channel's in the pool. */
    struct vacating *vacating;        /* NULL: it is not about to be told as vacated. */
    bool is_wanted;   /* By a shard, or by who is present; counted in NUM_CHANNELS. */
    bool is_occupied; /* It was told as such, and not as vacated yet. */
    uint16_t interests_len;
    uint16_t interests_room; /* Of `many`; 0: they are in `few`. */
    union {
        struct interest few[INTERESTS_FEW];
        struct interest *many;
    } interests;
};

/* Channels on their way, the longest in their state first. */
struct handovers {
    struct list leaving; /* LEAVING, and SENT between two pieces. */
    struct list refused; /* LEAVING, until the next tick. */
    struct list coming;
    struct list came;
    uint32_t under_way;       /* Pieces that are not answered. */
    uint32_t waiting_len;     /* Slots that homes of before have not given up; */
    uint8_t *waiting;         /* which (a slot set). */
    uint64_t settled_version; /* Of the placement; the router was told, */
    bool is_noted;            /* and whether homes of now have noted all. */
    uint64_t told_bytes;      /* Of all that came. */
    struct timer tick;
    bool is_blocked; /* No piece can be sent before the next tick. */
};

/* What was accepted here and no channel tells of (homes_missed.c). Slot sets. */
struct missed {
    uint8_t *said; /* In which something was, */
    uint8_t *kept; /* some of it to be kept; */
    uint8_t *told; /* that the home of now was told of, and nothing was accepted since. */
    struct list notes;
    uint32_t notes_len;
    struct timer tick;
    uint64_t wait_ms; /* Until it is told again. */
};

/* Requests that wait for a channel to come. */
struct held {
    struct map *by_name;
    struct list order; /* The one that ends first, first. */
    uint32_t len;
    uint64_t bytes;
    uint64_t ends_ms; /* Of the one that is handled again; 0: none is. */
};

/* Publications on their way to wildcards. */
struct passing {
    struct pool *targets;
    struct map *by_name;
    struct pool *records; /* What is sent to them or waits. */
    struct list retries;  /* Targets whose first is to be sent again. */
    struct timer tick;
    uint64_t lane;             /* Of this shard, and */
    uint64_t number;           /* of the newest that left on it, to whichever wildcard. */
    uint32_t *records_of_slot; /* How many were made in each. */
    uint32_t waiting_len;
    uint64_t waiting_bytes;
};

/* What one publication will be passed on as, if it is accepted. */
struct pass_target;
struct pass_plan {
    struct pass_target *targets[WILDCARD_DEPTH_MAX];
    uint32_t len;
    struct buf *request; /* NULL when there are none. */
};

/* The wildcard channels at home here. */
struct wildcards {
    struct map *by_name;
    struct list all;
    struct list doubted; /* They are to begin anew. */
};

struct homes {
    struct actors *actors;
    struct early_ends ended_presence; /* Of clients by their ids, */
    struct early_ends ended_interest; /* and of shards by what they registered. */
    uint32_t walk_cursor;             /* In the pool: the channels before it were looked at, */
    uint64_t walk_place;              /* and so were those with keys of publications. */
    bool is_walking;                  /* Since the placement changed. */
    struct handovers handovers;
    struct missed missed;
    struct list vacating; /* Channels that nobody wants, for occupancy.c. */
    struct timer vacating_timer;
    struct held held;
    struct origins origins;
    struct pool *pool;
    struct map *channels;
    struct presence *presence;
    struct channel_streams *streams;
    struct map_states *maps;
    struct idempotency *idempotency;
    struct passing passing;
    struct wildcards wildcards;
    struct heard *heard;
};

static inline struct interest *channel_interests(struct channel *channel)
{
    return channel->interests_room == 0 ? channel->interests.few : channel->interests.many;
}

/* Of the newest publication that was kept. */
static inline uint64_t channel_offset(const struct channel *channel)
{
    return channel->stream == NULL ? 0 : channel->stream->history.offset;
}

static inline struct span name_of(const struct buf *buf)
{
    return span_of(buf->bytes, buf->len);
}

static inline struct channel *homes_find(const struct homes *homes, struct span name)
{
    return map_find(homes->channels, name.at, name.len);
}

/* On its way here or from here: nothing may happen to it. */
static inline bool channel_is_on_its_way(const struct channel *channel)
{
    return channel->handover != NULL && (channel->handover->state == HANDOVER_SENT ||
                                         channel->handover->state == HANDOVER_COMING);
}

/* ---- what is asked (homes.c, homes_publish.c) ---- */

void homes_on_publish(struct homes *homes, const struct message *message);
/* Ends what the UNSUBSCRIBE is of, if the channel is here; others are told, or not. */
void homes_unsubscribe(struct homes *homes, const struct message *message, bool is_told);

/* 0, or an enum client_error: then nobody gets it and nothing was kept. What is passed on to a
 * wildcard was accepted already, so it is told also where there is little room. */
uint32_t homes_publish(struct homes *homes, struct channel *channel,
                       const struct message_publish *publish,
                       const struct publish_request *request);

/* ---- maps (homes_maps.c) ---- */

void homes_on_map_ask(struct homes *homes, const struct message *message);

/* A publication that changes nothing. */
void homes_count_suppressed(struct homes *homes, const struct publish_request *request,
                            enum suppress_reason reason);

/* A publication with a key, unless it is suppressed. */
void homes_publish_key(struct homes *homes, const struct message_publish *publish,
                       const struct publish_request *request, struct message_published *answer);
/* Of the channel's map, which there is: may the publication be kept? 0, or an enum client_error. */
uint32_t homes_prepare_key(struct homes *homes, struct channel *channel,
                           const struct message_publish *publish,
                           const struct publish_request *request);
/* It has been accepted. */
void homes_apply_key(struct homes *homes, struct channel *channel,
                     const struct message_publish *publish, const struct publish_request *request);

/* Are there changes of the channel that no stream tells? */
static inline bool channel_is_streamless(const struct channel *channel)
{
    return channel->map != NULL && channel->map->stream_size == 0;
}
/* Fills in newest, page and flags of the answer for a channel that is. */
void homes_answer_changes(const struct channel *channel, const struct message_subscribe *ask,
                          struct message_subscribed *answer);

/* The channel's map, which is made when there is none; NULL: memory is out. */
MUST_CHECK struct map_state *homes_map_of(struct homes *homes, struct channel *channel);

/* ---- to wildcards (homes_passing.c) ---- */

MUST_CHECK bool homes_passing_init(struct homes *homes);
void homes_passing_destroy(struct homes *homes);
/* What it takes to pass the publication on, before it is accepted. False: there is no room, or
 * memory is out. A plan is sent or dropped before anything else is done with the homes. */
MUST_CHECK bool homes_passing_plan(struct homes *homes, const struct message_publish *body,
                                   const struct publish_request *request, struct pass_plan *plan);
void homes_passing_drop(struct homes *homes, struct pass_plan *plan);
void homes_passing_send(struct homes *homes, const struct message_publish *body,
                        const struct publish_request *request, struct pass_plan *plan);
void homes_on_passed_on(struct homes *homes, const struct message *message);
/* Is anything on its way that was made in the slot? Its next home must not pass on before. */
bool homes_passing_of_slot(const struct homes *homes, uint16_t slot);
/* Something that was taken over for the wildcard is lost: its home is told, wherever it is. */
void homes_passing_lose(struct homes *homes, struct span wildcard);
/* Has all arrived that was made in slots which are another node's now? */
bool homes_passing_is_settled(const struct homes *homes);

/* ---- wildcards at home here (homes_wildcards.c) ---- */

MUST_CHECK bool homes_wildcards_init(struct homes *homes);
void homes_wildcards_destroy(struct homes *homes);
/* The channel is a wildcard. False: memory is out. */
MUST_CHECK bool homes_add_wildcard(struct homes *homes, const struct channel *channel);
/* Is anything passed on to it here? Into such a channel nobody else publishes. */
bool homes_is_wildcard(const struct homes *homes, const struct channel *channel);
/* The channel ends, whatever it is. */
void homes_forget_wildcard(struct homes *homes, const struct channel *channel);
void homes_on_pass_on(struct homes *homes, const struct message *message);
/* A node that may have accepted what it did not pass on is gone. */
void homes_doubt_wildcards(struct homes *homes);
void homes_wildcards_on_turn_end(struct homes *homes);
static inline bool homes_wildcards_have_work(const struct homes *homes)
{
    return !list_is_empty(&homes->wildcards.doubted);
}

/* Those in these slots. False: one of them is on its way, so it has to be said again. */
MUST_CHECK bool homes_doubt_wildcards_in(struct homes *homes, const uint8_t *slots);

/* ---- which of them anybody hears (homes_heard.c) ---- */

MUST_CHECK bool homes_heard_init(struct homes *homes);
void homes_heard_destroy(struct homes *homes);
/* A channel begins, or ends. */
void homes_heard_opened(struct homes *homes, struct span name);
void homes_heard_closed(struct homes *homes, struct span name);
/* May whoever passes on to this wildcard, which nobody hears, be quiet? It is, then. */
MUST_CHECK bool homes_heard_close(struct homes *homes, struct span wildcard);
/* False: some may be quiet, and are asked; the message was taken over and waits for them. */
MUST_CHECK bool homes_heard_admit(struct homes *homes, const struct message *message,
                                  struct span name);
/* Does nobody hear the wildcard, so that the publication need not be passed on to it? */
MUST_CHECK bool homes_is_quiet(struct homes *homes, struct span wildcard);
/* Its home says that nobody does, of what was sent in that generation. */
uint64_t homes_heard_generation(const struct homes *homes);
void homes_become_quiet(struct homes *homes, struct span wildcard, uint64_t generation);
void homes_heard_on_placement(struct homes *homes, const struct placement *before);
void homes_heard_on_origin_gone(struct homes *homes);
void homes_on_survey(struct homes *homes, const struct message *message);
void homes_on_survey_result(struct homes *homes, const struct message *message);

/* ---- homes that move (homes_moves.c, homes_handover.c) ---- */

void homes_on_channel_move(struct homes *homes, const struct message *message);
void homes_on_channel_taken(struct homes *homes, const struct message *message);
void homes_on_slots_ready(struct homes *homes, const struct message *message);

/* Is this shard the name's home, as far as it knows? */
bool homes_is_home(const struct homes *homes, struct span name);

/* The channel ends here; whoever was interested registers with the home that it has now, and learns
 * from its position whether anything was missed. */
void homes_end_tenure(struct homes *homes, struct channel *channel);
/* The same for one that goes on at another home, with all that was said in it. */
void homes_hand_on(struct homes *homes, struct channel *channel);

MUST_CHECK bool homes_handovers_init(struct homes *homes);
void homes_handovers_destroy(struct homes *homes);
/* A channel that is at home elsewhere. */
void homes_leave(struct homes *homes, struct channel *channel);
/* The placement is another; before the channels are looked at. */
void homes_handovers_on_placement(struct homes *homes, const struct placement *before);
void homes_handovers_on_turn_end(struct homes *homes);
bool homes_handovers_have_work(const struct homes *homes);
/* The channel's handover (not NULL) is over. */
void homes_handover_end(struct homes *homes, struct channel *channel);
void homes_handovers_schedule(struct homes *homes);
/* Has all that is at home elsewhere been handed over, or ended? */
bool homes_handovers_are_settled(const struct homes *homes);
/* Tells the router that it has, if it has and the router does not know; and whether homes of now
 * have noted what was accepted here. */
void homes_tell_settled(struct homes *homes);

/* ---- keys of publications that move (homes_known.c) ---- */

/* May an idle channel be forgotten that has no stream? */
bool homes_may_end(const struct homes *homes, const struct channel *channel);
/* Has nobody anything of the channel, now or later, but for keys of its publications? */
bool homes_is_bare(const struct homes *homes, const struct channel *channel);
/* Channels with keys are looked at, some at a time. False: all were. */
MUST_CHECK bool homes_walk_known(struct homes *homes);
/* The next keys, where a piece of so many bytes has room for them. False: memory is out. */
MUST_CHECK bool homes_give_known(const struct homes *homes, struct handover *handover,
                                 uint64_t bytes, struct channel_move *move);
/* Those that come, if the channel is at home here. Were some of them not known? */
bool homes_take_known(struct homes *homes, const struct channel_move *move);
/* There is no channel that comes with them. 0, or an enum client_error. */
uint32_t homes_take_bare(struct homes *homes, const struct channel_move *move);

/* ---- what nobody was told (homes_missed.c) ---- */

MUST_CHECK bool homes_missed_init(struct homes *homes);
void homes_missed_destroy(struct homes *homes);
/* Something was accepted for a channel that is not here. If it was at home elsewhere at the same
 * time, those who follow it have missed that. `is_kept`: it was to be kept. */
void homes_note_missed(struct homes *homes, struct span name, bool is_kept);
/* The same of a channel that ends: of all that was said in it. */
void homes_note_ended(struct homes *homes, const struct channel *channel);
/* Has a channel that comes missed anything? Then its followers will see that, and it may be gone.
 */
MUST_CHECK bool homes_missed_by(struct homes *homes, struct channel *channel);
/* Those who follow the channel here have missed something that was said elsewhere. */
void homes_has_missed(struct homes *homes, struct channel *channel, bool is_kept);
void homes_on_slots_missed(struct homes *homes, const struct message *message);
void homes_on_slots_noted(struct homes *homes, const struct message *message);
/* The placement is another. */
void homes_missed_on_placement(struct homes *homes);
/* Nothing is left to be handed over. */
void homes_missed_on_settled(struct homes *homes);
/* Have the homes of now noted all that was accepted here in their slots? */
bool homes_missed_are_told(const struct homes *homes);
void homes_missed_on_turn_end(struct homes *homes);
static inline bool homes_missed_have_work(const struct homes *homes)
{
    return homes->missed.notes_len > 0;
}

/* ---- who is told of them (occupancy.c) ---- */

void homes_occupancy_init(struct homes *homes);
void homes_occupancy_destroy(struct homes *homes);
/* Where webhooks are told: after the channel may have become wanted, or not. */
void homes_settle_occupancy(struct homes *homes, struct channel *channel, bool was_wanted);
/* Another home tells from now on; or it is not known whether one does. */
void homes_forget_occupancy(struct channel *channel);
void homes_lose_occupancy(const struct homes *homes, struct channel *channel);
/* As the home before has told. */
void homes_take_occupancy(const struct homes *homes, struct channel *channel, bool is_occupied);

/* ---- requests for channels that move (homes_held.c) ---- */

/* False: the message is not for this shard, or not now; it was taken over. */
MUST_CHECK bool homes_admit(struct homes *homes, const struct message *message, struct span name);
/* Keeps the message for later, or refuses it. */
void homes_wait(struct homes *homes, const struct message *message, struct span name);
/* Does anything wait for the channel? */
bool homes_holds(const struct homes *homes, struct span name);
/* Keeps the message until the channel has come. False: there are too many, or memory is out. */
MUST_CHECK bool homes_hold(struct homes *homes, const struct message *message, struct span name);
/* May the channel still come to its home, which is here? */
bool homes_is_awaited(const struct homes *homes, struct span name);
/* Is nothing missing between what waits for the wildcard and the pass? */
bool homes_held_leads_to(const struct homes *homes, const struct pass *pass);
/* Handles again what waits: for a channel, or all of it. */
void homes_release_held(struct homes *homes, struct span name);
void homes_release_all_held(struct homes *homes);
void homes_expire_held(struct homes *homes);
MUST_CHECK bool homes_held_init(struct homes *homes);
void homes_held_destroy(struct homes *homes);

/* ---- coming after a channel (homes_told.c) ---- */

static inline bool channel_came_lately(const struct channel *channel)
{
    return channel->handover != NULL && channel->handover->is_followed;
}
/* Keeps what is told to those who are interested, with a count of the values of its own. */
void homes_note_told(struct homes *homes, struct channel *channel,
                     const struct message_publication *publication, struct buf *values);
/* What the channel that comes was told elsewhere. */
void homes_take_told(struct homes *homes, struct channel *channel, const struct channel_move *move);
/* A page of it from `first` on (NULL: it is empty). False: memory is out. */
MUST_CHECK bool homes_give_told(const struct handover *handover, uint32_t first, struct buf **page);
void homes_forget_told(struct homes *homes, struct channel *channel);
/* Is all known that came after the sequence? Then *offset is the channel's as of that. */
bool homes_knows_since(const struct channel *channel, struct stream_position since,
                       uint64_t *offset);
/* Tells it to the shard that asked. */
void homes_tell_since(struct homes *homes, struct channel *channel, uint64_t sequence,
                      const struct message *asker);

/* Frees the channel, which ends here, */
void homes_free_channel(struct homes *homes, struct channel *channel);
/* and with it what was said in it. */
void homes_forget_channel(struct homes *homes, struct channel *channel);

/* Shares the name. NULL: there are too many, or memory is out. */
MUST_CHECK struct channel *homes_open_channel(struct homes *homes, struct buf *name);

/* The same for a name of which there is no buf. */
MUST_CHECK struct channel *homes_find_or_open(struct homes *homes, struct span name);

/* After whatever may have made the channel wanted or not: one that nobody wants lives on for its
 * stream alone, or ends. */
void homes_settle_channel(struct homes *homes, struct channel *channel);

/* The channel's stream, which is made when there is none; NULL: memory is out. */
MUST_CHECK struct channel_stream *homes_stream_of(struct homes *homes, struct channel *channel,
                                                  uint32_t meta_ttl_s);

void homes_update_presence_gauge(struct homes *homes);

/* Tells the interested shards that a client came or went. */
void homes_tell(struct homes *homes, struct channel *channel, const struct buf *identity,
                enum publication_kind kind);

#endif
