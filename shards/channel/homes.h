/* SPDX-License-Identifier: Apache-2.0 */
/* The channels that are at home on this shard: their order, the shards that want them, their
 * presence.
 *
 * A channel exists while a shard is interested in it, somebody is present in it, or it has a stream
 * (channel_stream.h) that is to outlive them, and has one epoch for that time; publishing into a
 * channel that does not exist only answers, unless it is to be kept. Each publication is encoded
 * once for each protocol that a shard has subscribers of, whoever receives it. It is accepted only
 * when the mailbox of every interested shard has room for it beside what answers need
 * (HOME_ROOM_RESERVED), else it is refused with error 111 and goes to nobody. Joins and leaves are
 * never refused; they wait in the outbox.
 */
#ifndef ROOST_SHARDS_CHANNEL_HOMES_H
#define ROOST_SHARDS_CHANNEL_HOMES_H

#include "shards/actors.h"

/* `actors` has its shard and its outbox by now. A channel beyond `channels_max` is refused with
 * error 100, which clients try again. NULL: memory is out. */
MUST_CHECK struct homes *homes_create(struct actors *actors, uint32_t channels_max);

/* NULL is allowed. */
void homes_destroy(struct homes *homes);

/* Gives back what is kept for speed; while the shard is silent. */
void homes_trim(struct homes *homes);

/* SUBSCRIBE, UNSUBSCRIBE, PUBLISH, PRESENCE_ASK, HISTORY_ASK; takes over the counts of their bufs.
 */
void homes_on_subscribe(struct homes *homes, const struct message *message);
void homes_on_unsubscribe(struct homes *homes, const struct message *message);
void homes_on_publish(struct homes *homes, const struct message *message);
void homes_on_presence_ask(struct homes *homes, const struct message *message);
void homes_on_history_ask(struct homes *homes, const struct message *message);

/* A channel's stream for another home to go on with, and going on with one from there: the epoch
 * and the offsets are the same. False: there is none; the channel has a history here already (then
 * that one stays), or memory is out. */
struct channel_stream_state;
MUST_CHECK bool homes_give_stream(struct homes *homes, struct span channel,
                                  struct channel_stream_state *state);
MUST_CHECK bool homes_take_stream(struct homes *homes, struct span channel,
                                  const struct channel_stream_state *state);

/* ORIGIN_GONE. */
void homes_on_origin_gone(struct homes *homes, const struct message *message);

/* The placement is another: channels that are at home elsewhere now end here, a portion a turn. */
void homes_on_placement(struct homes *homes);
void homes_on_turn_end(struct homes *homes);
bool homes_has_work(const struct homes *homes);

/* A stream's timer has fired. */
struct channel_stream;
void homes_on_stream_timer(struct homes *homes, struct channel_stream *stream);

#endif
