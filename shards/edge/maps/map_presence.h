/* SPDX-License-Identifier: Apache-2.0 */
/* Who is subscribed to the channels of a namespace, as keys of other channels, which are maps
 * (PROTOCOL 16.5): by client in the one of map_clients_presence_channel_prefix, by user in the one
 * of map_users_presence_channel_prefix.
 *
 * A key is set when a subscription becomes active and again each client.presence_update_interval;
 * where it is there already, it lives on and nobody is told. A client's key goes at once with its
 * subscription; a user's expires, so that one who comes back soon was never gone.
 */
#ifndef ROOST_SHARDS_EDGE_MAPS_MAP_PRESENCE_H
#define ROOST_SHARDS_EDGE_MAPS_MAP_PRESENCE_H

#include "shards/edge/fanout/hub.h"

/* Begins to tell presence again, where any namespace has it. */
void map_presence_start(struct edge *edge);
void map_presence_stop(struct edge *edge);

/* A subscription has become active, or one that was ends. The latter also removes the client's own
 * key from a map that says so (map.remove_client_on_unsubscribe). */
void map_presence_enter(struct edge *edge, const struct subscription *subscription);
void map_presence_leave(struct edge *edge, const struct session *session,
                        const struct subscription *subscription);

#endif
