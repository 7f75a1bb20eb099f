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

/* What edges ask (SUBSCRIBE, UNSUBSCRIBE, PUBLISH, PRESENCE_ASK, HISTORY_ASK, MAP_ASK), what
 * other homes pass on to wildcards (PASS_ON, PASSED_ON), and what they and the router say when
 * homes move (CHANNEL_MOVE, CHANNEL_TAKEN, SLOTS_READY, ...); surveys of wildcards. Takes over the
 * counts of their bufs. */
void homes_on_message(struct homes *homes, const struct message *message);

/* The node stops: what waits to be told as vacated is, unless other homes will. */
void homes_vacate_now(struct homes *homes);

/* ORIGIN_GONE. */
void homes_on_origin_gone(struct homes *homes, const struct message *message);

/* The placement is another than `before` (NULL: there was none): channels that are at home
 * elsewhere now are handed over, a portion a turn; of slots that came from elsewhere, channels are
 * waited for. */
struct placement;
void homes_on_placement(struct homes *homes, const struct placement *before);
void homes_on_turn_end(struct homes *homes);
bool homes_has_work(const struct homes *homes);

/* A stream's timer has fired. */
struct channel_stream;
void homes_on_stream_timer(struct homes *homes, struct channel_stream *stream);

/* A map's timer has fired. */
struct map_state;
void homes_on_map_timer(struct homes *homes, struct map_state *map);

#endif
