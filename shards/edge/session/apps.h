/* SPDX-License-Identifier: Apache-2.0 */
/* The names and versions of applications that clients connect with. There are few different ones,
 * so a shard keeps each once, and a session a small number. */
#ifndef ROOST_SHARDS_EDGE_SESSION_APPS_H
#define ROOST_SHARDS_EDGE_SESSION_APPS_H

#include "codec/span.h"
#include "runtime/check.h"
#include "runtime/random.h"

struct apps;

enum { APP_BITS = 12, APPS_MAX = (1 << APP_BITS) - 1, APP_TEXT_LEN_MAX = 256 };

/* NULL: memory is out. */
MUST_CHECK struct apps *apps_create(struct random *random);
/* NULL is allowed. */
void apps_destroy(struct apps *apps);

/* One count of an application. 0: it has no name, or none that is kept, since there are too many
 * different ones, it is too long, or memory is out. */
uint32_t apps_take(struct apps *apps, struct span name, struct span version);
/* Gives it back; 0 is allowed. */
void apps_put(struct apps *apps, uint32_t app);

/* Empty for 0. */
void apps_get(const struct apps *apps, uint32_t app, struct span *name, struct span *version);

#endif
