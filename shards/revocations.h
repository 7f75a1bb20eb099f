/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that hold no longer and users that are blocked, as every shard of every node knows them.
 *
 * An entry has a key (kind, name, channel) and values, and two entries of a key have one that both
 * become: of tokens the later of each date, of blocks what was said last. So in whichever order,
 * however often and by whichever way entries come, tables that have had the same ones are the same
 * (a state-based CRDT: Shapiro, Preguica, Baquero and Zawirski, 2011), and two that have equal sums
 * need not be compared.
 *
 * Entries end by themselves, in whole minutes, so that nodes whose clocks differ a little forget
 * them at the same time. One shard owns a table.
 */
#ifndef ROOST_SHARDS_REVOCATIONS_H
#define ROOST_SHARDS_REVOCATIONS_H

#include "codec/link_message.h"
#include "runtime/check.h"
#include "runtime/random.h"

/* struct link_revocation's kind; a number of the wire. */
enum revocation_kind {
    REVOCATION_TOKEN = 1,       /* The name is the token's id (`jti`). */
    REVOCATION_USER_TOKENS = 2, /* A user's that were issued before a time; with a channel, those
                                   for subscribing to that one alone. */
    REVOCATION_BLOCK = 3,       /* A user. */
};

enum { REVOCATION_NAME_LEN_MAX = 1024, REVOCATION_LEN_MAX = 8 * 1024 /* encoded */ };

struct revocations;

/* NULL: memory is out. */
MUST_CHECK struct revocations *revocations_create(uint32_t entries_max, struct random *random);
/* NULL is allowed. */
void revocations_destroy(struct revocations *table);

enum revocations_result {
    REVOCATIONS_SAME,    /* It was known, or is over. */
    REVOCATIONS_CHANGED, /* The table is another. */
    REVOCATIONS_FULL,    /* No room or no memory: it is not in the table. */
    REVOCATIONS_INVALID, /* It is none. */
};
MUST_CHECK enum revocations_result
revocations_merge(struct revocations *table, const struct link_revocation *entry, int64_t now_s);

/* Forgets those that are over. */
void revocations_expire(struct revocations *table, int64_t now_s);

uint32_t revocations_count(const struct revocations *table);
/* Of all entries, in any order. */
uint64_t revocations_sum(const struct revocations *table);
/* Walks them: *cursor begins at 0; false at the end. Nothing may be merged meanwhile. */
bool revocations_next(const struct revocations *table, size_t *cursor, struct link_revocation *out);

/* A token as far as it can be revoked. */
struct revocable {
    struct span uid;     /* `jti`; empty: it has none. */
    struct span user;    /* Empty: nobody's. */
    struct span channel; /* Of a subscription token. */
    uint32_t issued_at_s;
};

/* `issued_at_s` of one that does not say: it was issued before everything. 0: there is no token. */
enum { REVOCABLE_NO_DATE = 1 };

bool revocations_have_token(const struct revocations *table, const struct revocable *token,
                            int64_t now_s);
bool revocations_have_user(const struct revocations *table, struct span user, int64_t now_s);

#endif
