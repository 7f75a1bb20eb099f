/* SPDX-License-Identifier: Apache-2.0 */
/* Chance: the published sequence, fairness, replay, and secrets that are used once. */
#include "runtime/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The first outputs of xoshiro256** from the state 1, 2, 3, 4, worked out from its definition. */
static void the_sequence_is_xoshiro256_star_star(void **state)
{
    (void)state;
    struct random random = {.state = {1, 2, 3, 4}, .is_seeded = true};
    assert_int_equal(random_next(&random), 11520);
    assert_int_equal(random_next(&random), 0);
    assert_int_equal(random_next(&random), 1509978240);
    assert_int_equal(random_next(&random), 1215971899390074240);
}

static void a_seed_replays_and_seeds_differ(void **state)
{
    (void)state;
    struct random a;
    struct random b;
    struct random c;
    random_init_seeded(&a, 0);
    random_init_seeded(&b, 0);
    random_init_seeded(&c, 1);
    int same = 0;
    for (int i = 0; i < 1000; i++) {
        const uint64_t value = random_next(&a);
        assert_int_equal(value, random_next(&b));
        same += value == random_next(&c);
    }
    assert_int_equal(same, 0);
    uint8_t x[33];
    uint8_t y[33];
    random_fill_secret(&a, x, sizeof x);
    random_fill_secret(&b, y, sizeof y);
    assert_memory_equal(x, y, sizeof x);
}

static void below_stays_below_and_is_fair(void **state)
{
    (void)state;
    struct random random;
    random_init_seeded(&random, 5);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(random_below(&random, 1), 0);
        assert_true(random_below(&random, UINT64_MAX) < UINT64_MAX);
    }
    uint32_t seen[7] = {0};
    for (int i = 0; i < 70000; i++) {
        seen[random_below(&random, 7)]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(seen[i], 9500, 10500); /* Five deviations of 93. */
    }
    /* With this bound a third of all draws would be unfair: the halves must still be equal. */
    const uint64_t bound = (1ull << 63) + (1ull << 62);
    uint32_t low = 0;
    for (int i = 0; i < 20000; i++) {
        low += random_below(&random, bound) < bound / 2;
    }
    assert_in_range(low, 9600, 10400);
}

static void the_kernel_gives_different_states(void **state)
{
    (void)state;
    struct random a;
    struct random b;
    random_init(&a);
    random_init(&b);
    assert_false(a.is_seeded);
    assert_memory_not_equal(a.state, b.state, sizeof a.state);
}

static void secrets_are_wiped_and_never_come_twice(void **state)
{
    (void)state;
    struct random random;
    random_init(&random);
    uint8_t secrets[200][16];
    for (int i = 0; i < 200; i++) { /* Several batches of the kernel's. */
        random_fill_secret(&random, secrets[i], sizeof secrets[i]);
        const size_t used = sizeof random.secret - random.secret_left;
        for (size_t j = 0; j < used; j++) {
            assert_int_equal(random.secret[j], 0);
        }
        for (int j = 0; j < i; j++) {
            assert_memory_not_equal(secrets[i], secrets[j], sizeof secrets[i]);
        }
    }
    uint8_t large[2000] = {0};
    random_fill_secret(&random, large, sizeof large);
    int zeros = 0;
    for (size_t i = 0; i < sizeof large; i++) {
        zeros += large[i] == 0;
    }
    assert_true(zeros < 40); /* About 8 are expected. */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sequence_is_xoshiro256_star_star),
        cmocka_unit_test(a_seed_replays_and_seeds_differ),
        cmocka_unit_test(below_stays_below_and_is_fair),
        cmocka_unit_test(the_kernel_gives_different_states),
        cmocka_unit_test(secrets_are_wiped_and_never_come_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
