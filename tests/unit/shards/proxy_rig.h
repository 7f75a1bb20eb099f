/* SPDX-License-Identifier: Apache-2.0 */
/* A node of two shards with one proxy, whose backend a test plays. */
#ifndef ROOST_TESTS_UNIT_SHARDS_PROXY_RIG_H
#define ROOST_TESTS_UNIT_SHARDS_PROXY_RIG_H

#include "tests/unit/shards/backend_rig.h"

#define INTERNAL "{\"code\":100,\"message\":\"internal server error\",\"temporary\":true}"

extern struct edge_rig edge;
extern struct backend_rig backend;
extern struct proxy_options proxy;

/* Between the two a test sets options, which may name `proxy`. */
void proxy_rig_init(void);
void proxy_rig_start(void);

/* All that in one, with `proxy` for connects. */
void proxy_rig_start_with_connect(void);

/* Clients, the backend and the node go. */
void proxy_rig_stop(void);

/* The body of a request of that kind: `fields` are its own. */
const char *proxy_rig_asked(const char *fields);

#endif
