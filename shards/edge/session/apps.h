/* SPDX-License-Identifier: Apache-2.0 */
/* The names and versions of applications that clients connect with. There are few different ones,
 * so a shard keeps each once, and a session a small number.
 *
 * The numbers below CLIENT_LABELS are those of applications of which nothing is kept but their
 * label of metrics: they said nothing, or there are too many different ones, they are too long, or
 * memory is out. */
#ifndef ROOST_SHARDS_EDGE_SESSION_APPS_H
#define ROOST_SHARDS_EDGE_SESSION_APPS_H

#include "codec/span.h"
#include "runtime/check.h"
#include "runtime/random.h"
#include "shards/client_names.h"

struct apps;

enum { APP_BITS = 12, APPS_MAX = (1 << APP_BITS) - 1, APP_TEXT_LEN_MAX = 256 };

/* NULL: memory is out. */
MUST_CHECK struct apps *apps_create(struct random *random, const struct node_options *options);
/* NULL is allowed. */
void apps_destroy(struct apps *apps);

/* One count of an application; 0: it said nothing. */
uint32_t apps_take(struct apps *apps, struct span name, struct span version);
/* Gives it back; 0 is allowed. */
void apps_put(struct apps *apps, uint32_t app);

/* Empty where nothing is kept. */
void apps_get(const struct apps *apps, uint32_t app, struct span *name, struct span *version);

/* Under which it is counted (client_names.h). */
uint32_t apps_label(const struct apps *apps, uint32_t app);

#endif
