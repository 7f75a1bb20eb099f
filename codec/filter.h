/* SPDX-License-Identifier: Apache-2.0 */
/* Tags filters: a client's FilterNode compiled once, then asked for each publication's tags. */
#ifndef ROOST_CODEC_FILTER_H
#define ROOST_CODEC_FILTER_H

#include "codec/must_check.h"
#include "codec/scratch.h"
#include "codec/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A node is a leaf, which compares the tag `key` by `cmp` with `val` or `vals`, or it is "and",
 * "or" or "not" of `nodes`:
 *
 *      eq neq      the tag is, or is not, val; a missing tag is not
 *      in nin      the tag is, or is not, one of vals; a missing tag is ""
 *      ex nex      there is such a tag, or there is none
 *      sw ew ct    the tag starts with, ends with, contains val; a missing tag does not
 *      gt gte lt lte  the tag as a decimal number against val; false when either is missing or none
 *
 * A decimal is [+-]digits[.digits] of any length, and 1.50 equals 01.5. All functions are pure and
 * may be called from any shard.
 */
#define FILTER_DEPTH_MAX 32
#define FILTER_NODES_MAX 256
#define FILTER_VALS_MAX 1024

enum filter_result {
    FILTER_OK = 0,
    FILTER_ERROR_JSON,   /* no JSON object, or a field of another type */
    FILTER_ERROR_DEPTH,  /* nodes nest deeper than FILTER_DEPTH_MAX */
    FILTER_ERROR_NODES,  /* more nodes than FILTER_NODES_MAX */
    FILTER_ERROR_VALS,   /* more values than FILTER_VALS_MAX in all leaves together */
    FILTER_ERROR_SPACE,  /* the program or the tags do not fit the scratch */
    FILTER_ERROR_OP,     /* an unknown `op` */
    FILTER_ERROR_CMP,    /* an unknown `cmp` */
    FILTER_ERROR_NO_CMP, /* a leaf without `cmp` */
    FILTER_ERROR_NO_KEY, /* a leaf without `key` that is not ex or nex */
    FILTER_ERROR_NO_VAL, /* a comparison without the `val`, or in, nin without the `vals`, it needs
                          */
    FILTER_ERROR_VAL,    /* a comparison with a `val` or with `vals` that it has no use for */
    FILTER_ERROR_CHILDREN, /* and, or without a child; not with another number than one */
    FILTER_RESULT_COUNT,
};

/* A sentence fragment for logs; never NULL. */
const char *filter_result_text(enum filter_result result);

/*
 * A compiled filter: bytes that point nowhere, so that they may be moved, kept, compared and
 * hashed; the same filter has the same bytes. Only filter_compile() makes valid ones.
 */
struct filter {
    struct span program;
};

/* The room with which filter_compile() never says FILTER_ERROR_SPACE for want of it. */
#define FILTER_SCRATCH_LEN(text_len) ((text_len)*2 + 16)

/*
 * Compiles a FilterNode in JSON, as client_subscribe_request.tf has it: unknown fields are passed
 * over, null counts as absent. The program is in the scratch, and nothing else stays there. On an
 * error, which a client is told as 107, the scratch is as it was.
 */
CODEC_MUST_CHECK enum filter_result filter_compile(struct span json, struct scratch *scratch,
                                                   struct filter *out);

struct filter_tag {
    struct span key;
    struct span value;
};

/* A publication's tags, made ready once for all the filters that are asked about them. */
struct filter_tags {
    const struct filter_tag *list;
    size_t count;
};

/* The room with which filter_read_tags() never says FILTER_ERROR_SPACE. */
#define FILTER_TAGS_SCRATCH_LEN(text_len) ((text_len)*8 + 16)

/*
 * Reads a JSON object of strings, or no bytes for no tags. The spans point into `json` and into the
 * scratch. Of a doubled key the last value counts, null counts as "".
 */
CODEC_MUST_CHECK enum filter_result filter_read_tags(struct span json, struct scratch *scratch,
                                                     struct filter_tags *out);

/* Does the filter let a publication with these tags pass? Neither fails nor takes memory. */
bool filter_matches(const struct filter *filter, const struct filter_tags *tags);

/*
 * Compares two decimals: *order is below, equal to, or above 0 as `a` is to `b`. False when either
 * is no decimal.
 */
CODEC_MUST_CHECK bool filter_compare_decimals(struct span a, struct span b, int *order);

#endif
