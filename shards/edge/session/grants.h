/* SPDX-License-Identifier: Apache-2.0 */
/* What only some subscriptions keep: what their token or their backend brought, and a tags filter.
 */
#ifndef ROOST_SHARDS_EDGE_SESSION_GRANTS_H
#define ROOST_SHARDS_EDGE_SESSION_GRANTS_H

#include "shards/edge/fanout/hub.h"

/* What of the request is to be kept; takes over its filter. False: memory is out, and grant_free()
 * frees what there is. */
MUST_CHECK bool grant_make(struct edge *edge, struct subscription *subscription,
                           const struct session *session, const struct hub_subscribe *request);

/* What others see of the subscription's client is this from now on (empty: what it was), in the
 * channel's presence too. Of one that has a grant. False: memory is out. */
MUST_CHECK bool grant_set_info(struct edge *edge, const struct subscription *subscription,
                               struct span info);

/* POOL_HANDLE_NONE is allowed. */
void grant_free(struct edge *edge, uint32_t handle);

#endif
