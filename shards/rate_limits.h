/* SPDX-License-Identifier: Apache-2.0 */
/* How often somebody may do something: rules made of token buckets, and a table of those who have
 * lately taken from theirs.
 *
 * A bucket of `rate` tokens fills evenly in `interval`. It is kept as the time at which it is full
 * again, which one token puts off by a step (interval / rate): the virtual scheduling form of the
 * generic cell rate algorithm (ITU-T I.371, annex A). So a full bucket is one that need not be
 * kept, and who does nothing costs nothing.
 *
 * A table belongs to one shard; rules are read by any.
 */
#ifndef ROOST_SHARDS_RATE_LIMITS_H
#define ROOST_SHARDS_RATE_LIMITS_H

#include "codec/client.h"
#include "runtime/check.h"
#include "runtime/random.h"

struct rate_bucket {
    uint64_t interval_ns;
    uint64_t step_ns; /* 1 .. interval_ns */
};

/* Some of the buckets of its limits, each of which must have a token. */
struct rate_rule {
    uint16_t first;
    uint16_t len; /* 0: there is no such limit. */
};

/* Of one namespace, or of one RPC method: instead of the command's own rule. */
struct rate_override {
    const char *name; /* "": channels without a namespace. */
    struct rate_rule rule;
};

struct rate_command {
    struct rate_rule rule;
    const struct rate_override *overrides;
    size_t overrides_len;
};

struct rate_limits {
    const struct rate_bucket *buckets;
    uint32_t buckets_len;
    struct rate_rule total; /* Beside each command's. */
    struct rate_command commands[CLIENT_METHOD_COUNT];
};

/* That of a command in a namespace or of an RPC method, whichever `name` is. */
struct rate_rule rate_limits_rule(const struct rate_limits *limits, enum client_method method,
                                  struct span name);

/* Does the rule, or the total, limit anything? */
bool rate_limits_apply(const struct rate_limits *limits, struct rate_rule rule);

struct rate_table;

/* The limits outlive it. NULL: memory is out. */
MUST_CHECK struct rate_table *rate_table_create(const struct rate_limits *limits,
                                                uint32_t entries_max, struct random *random);
/* NULL is allowed. */
void rate_table_destroy(struct rate_table *table);

/* Takes a token from each bucket of the rule and of the total, or from none and returns false: one
 * of them is empty, the rule is not one of these limits, or memory is out. `now_ns` never goes
 * back. When there are too many, whoever took longest ago is forgotten, as if his were full. */
MUST_CHECK bool rate_table_take(struct rate_table *table, struct span key, struct rate_rule rule,
                                uint64_t now_ns);

/* Forgets those whose buckets are full. NULL is allowed. */
void rate_table_trim(struct rate_table *table, uint64_t now_ns);

/* Who has an entry. */
size_t rate_table_count(const struct rate_table *table);

#endif
