/* SPDX-License-Identifier: Apache-2.0 */
/* Chance as it is handed to a shard: fast numbers for jitter, and unguessable bytes for secrets.
 *
 * Both come from one source with two implementations: the kernel's entropy for a real shard, a seed
 * for a simulated one, so that a run replays exactly.
 */
#ifndef ROOST_RUNTIME_RANDOM_H
#define ROOST_RUNTIME_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];    /* xoshiro256** (Blackman and Vigna, 2018). */
    bool is_seeded;       /* Secrets come from the state too: a simulation. */
    uint16_t secret_left; /* Unused bytes at the end of `secret`. */
    uint8_t secret[512];  /* Fetched from the kernel in one call, used once, wiped as it is used. */
};

/* From the kernel. May be called before the shard's thread starts. */
void random_init(struct random *random);

/* From a seed: the same numbers again. For the simulator and tests only. */
void random_init_seeded(struct random *random, uint64_t seed);

uint64_t random_next(struct random *random);

/* Uniform in [0, bound), bound > 0. */
uint64_t random_below(struct random *random, uint64_t bound);

/* Bytes that a peer cannot guess (unless seeded). */
void random_fill_secret(struct random *random, void *out, size_t len);

#endif
