/* SPDX-License-Identifier: Apache-2.0 */
/* What tokens and backends say of subscriptions beyond the channel: the objects `subs` and
 * `override`. */
#ifndef ROOST_CODEC_JWT_SUBS_H
#define ROOST_CODEC_JWT_SUBS_H

#include "codec/json.h"

/* One option of a channel, for one subscription. */
struct jwt_switch {
    bool is_set;
    bool value;
};

struct jwt_override {
    struct jwt_switch presence;
    struct jwt_switch join_leave;
    struct jwt_switch force_recovery;
    struct jwt_switch force_positioning;
    struct jwt_switch force_push_join_leave;
};

/* A subscription that the server makes. `info` and `data` as in struct jwt_claims. */
struct jwt_sub {
    struct span channel;
    struct span info;
    struct span data;
    int64_t expire_at_s; /* Unix time; 0: never. */
    struct jwt_override override;
};

/* An `override` object; empty: nothing is set. JSON_OK, or JSON_ERROR_TYPE and the like. */
CODEC_MUST_CHECK enum json_result jwt_override_decode(struct span raw, struct jwt_override *out);

/* The same as a field of a table (json_fields.h); `at` is a struct jwt_override. */
CODEC_MUST_CHECK enum json_result jwt_override_read(struct json_reader *reader,
                                                    struct scratch *scratch, void *at);

/*
 * Walks a `subs` object that was checked to be JSON: JSON_OK with the next, JSON_DONE at the end,
 * or an error: one of them is not what it should be.
 */
void jwt_subs_begin(struct json_walk *walk, struct span raw);
CODEC_MUST_CHECK enum json_result jwt_subs_next(struct json_walk *walk, struct scratch *scratch,
                                                struct jwt_sub *out);

#endif
