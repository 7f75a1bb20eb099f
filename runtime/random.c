/* SPDX-License-Identifier: Apache-2.0 */
/* xoshiro256** for the numbers, the kernel in batches for the secrets. */
#include "runtime/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "runtime/check.h"

/* A node without entropy must not run: its secrets would be guesses. */
static void random_from_kernel(void *out, size_t len)
{
    uint8_t *at = out;
    while (len > 0) {
        const ssize_t got = getrandom(at, len, 0);
        if (got < 0) {
            BUG_IF(errno != EINTR);
            continue;
        }
        at += got;
        len -= (size_t)got;
    }
}

void random_init(struct random *random)
{
    memset(random, 0, sizeof *random);
    random_from_kernel(random->state, sizeof random->state);
    /* The one state that xoshiro never leaves. Its chance is 2^-256, its price is one line. */
    random->state[0] |= (random->state[1] | random->state[2] | random->state[3]) == 0;
}

/* SplitMix64 (Steele, Lea and Flood, 2014) spreads a small seed over the whole state. */
static uint64_t random_spread(uint64_t *seed)
{
    *seed += 0x9e3779b97f4a7c15ull;
    uint64_t x = *seed;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

void random_init_seeded(struct random *random, uint64_t seed)
{
    memset(random, 0, sizeof *random);
    random->is_seeded = true;
    for (int i = 0; i < 4; i++) {
        random->state[i] = random_spread(&seed);
    }
}

static uint64_t random_rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    const uint64_t result = random_rotate_left(s[1] * 5, 7) * 9;
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = random_rotate_left(s[3], 45);
    return result;
}

/* The upper half of a product is the number; the few products that would favour some numbers are
 * drawn again (Lemire, 2019). */
uint64_t random_below(struct random *random, uint64_t bound)
{
    BUG_IF(bound == 0);
    unsigned __int128 product = (unsigned __int128)random_next(random) * bound;
    if ((uint64_t)product < bound) {
        const uint64_t unfair = (0 - bound) % bound;
        while ((uint64_t)product < unfair) {
            product = (unsigned __int128)random_next(random) * bound;
        }
    }
    return (uint64_t)(product >> 64);
}

static void random_fill_seeded(struct random *random, uint8_t *out, size_t len)
{
    while (len > 0) {
        const uint64_t bits = random_next(random);
        const size_t part = len < sizeof bits ? len : sizeof bits;
        memcpy(out, &bits, part);
        out += part;
        len -= part;
    }
}

void random_fill_secret(struct random *random, void *out, size_t len)
{
    if (random->is_seeded) {
        random_fill_seeded(random, out, len);
        return;
    }
    uint8_t *at = out;
    while (len > 0) {
        if (random->secret_left == 0) {
            random_from_kernel(random->secret, sizeof random->secret);
            random->secret_left = sizeof random->secret;
        }
        const size_t part = len < random->secret_left ? len : random->secret_left;
        uint8_t *unused = random->secret + sizeof random->secret - random->secret_left;
        memcpy(at, unused, part);
        explicit_bzero(unused, part);
        random->secret_left = (uint16_t)(random->secret_left - part);
        at += part;
        len -= part;
    }
}
