/* SPDX-License-Identifier: Apache-2.0 */
/* What a shard checks tokens against: the keys of its options, ready to use. */
#ifndef ROOST_SHARDS_EDGE_SESSION_VERIFIER_H
#define ROOST_SHARDS_EDGE_SESSION_VERIFIER_H

#include "codec/jwt.h"
#include "runtime/check.h"
#include "shards/options.h"

/* Of connection tokens or of subscription tokens. Each shard has its own, so that no two of them
 * count in the same key. */
struct verifier {
    struct jwt_keys keys; /* Points to what follows and to the options. */
    struct jwt_key rsa;
    struct jwt_key ec;
    struct jwt_key ed;
    struct pattern audience;
    struct pattern issuer;
};

/* The options outlive it, and it stays where it is. False: memory is out, or a key or an expression
 * is wrong, which the configuration has been checked for. */
MUST_CHECK bool verifier_init(struct verifier *verifier, const struct token_options *options,
                              bool skips_signature);

/* One that was zeroed and never made is allowed. */
void verifier_destroy(struct verifier *verifier);

#endif
