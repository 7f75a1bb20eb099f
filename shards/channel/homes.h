/* SPDX-License-Identifier: Apache-2.0 */
/* The channels that are at home on this shard: their order, the shards that want them, their presence.
 *
 * A channel exists while a shard is interested in it or somebody is present in it; publishing into a channel that nobody
 * wants only counts. Encodes each publication once, whoever receives it.
 */
#ifndef ROOST_SHARDS_CHANNEL_HOMES_H
#define ROOST_SHARDS_CHANNEL_HOMES_H

#include "shards/actors.h"

MUST_CHECK struct homes *homes_create(struct actors *actors);
void homes_destroy(struct homes *homes);

/* SUBSCRIBE, UNSUBSCRIBE, PUBLISH, PRESENCE_ASK; takes over the counts of their bufs. */
void homes_on_subscribe(struct homes *homes, const struct message *message);
void homes_on_unsubscribe(struct homes *homes, const struct message *message);
void homes_on_publish(struct homes *homes, const struct message *message);
void homes_on_presence_ask(struct homes *homes, const struct message *message);

/* Answers that found no room in their ring are kept and sent from here, once a turn. True while some are left. */
bool homes_on_turn_end(struct homes *homes);

#endif
