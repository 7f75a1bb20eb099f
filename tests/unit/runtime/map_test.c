/* SPDX-License-Identifier: Apache-2.0 */
/* Maps: the hash against published outputs, the table against a plain model, and walks that remove.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/map.h"
#include "runtime/random.h"

struct named {
    uint32_t len;
    uint32_t seen; /* By a walk. */
    bool in_map;
    char name[28];
};

static struct map_key named_key(const void *object)
{
    const struct named *named = object;
    return (struct map_key){named->name, named->len};
}

static void name_it(struct named *named, uint32_t number)
{
    memset(named, 0, sizeof(*named));
    named->len = (uint32_t)snprintf(named->name, sizeof(named->name), "channel:%u", number);
}

static struct named *named_array(uint32_t count)
{
    struct named *array = calloc(count, sizeof(*array));
    assert_non_null(array);
    for (uint32_t i = 0; i < count; i++) {
        name_it(&array[i], i);
    }
    return array;
}

static struct map *map_seeded(uint64_t seed)
{
    struct random random;
    random_init_seeded(&random, seed);
    struct map *map = map_create(named_key, &random);
    assert_non_null(map);
    return map;
}

/* The outputs are those of CPython 3.11, whose hash() of bytes is SipHash-1-3: the first column
 * with an all-zero key (PYTHONHASHSEED=0), the second with the key that it derives from seed 12345.
 */
static void siphash_agrees_with_an_independent_implementation(void **state)
{
    (void)state;
    static const uint8_t zero_key[16];
    static const uint8_t other_key[16] = {0xa0, 0xdc, 0xc3, 0x6d, 0xc4, 0x6d, 0x55, 0x25,
                                          0x90, 0x6c, 0x6f, 0xd0, 0xdb, 0xe4, 0x3e, 0xfc};
    static const struct {
        size_t len;
        uint64_t under_zero_key;
        uint64_t under_other_key;
    } vectors[] = {
        {1, 0x68a914128e01e473, 0xddb5fc492fbdf63a},  {7, 0x2f098ab0c751325a, 0x831edfe12fee6ffd},
        {8, 0xead411e67ebe2eea, 0x354edb093928c942},  {9, 0x75927f9d95124362, 0x09a5e47bf18abecc},
        {15, 0xf30eb725bb91c9ea, 0xbe8dc664d017b99e}, {16, 0x8972188433a5c5b7, 0x2e932605ea370595},
        {63, 0x385d3e39e5f37359, 0x171afa1ac779cd10}, {64, 0x75e05fd5bbc870c6, 0x02bf7cdeb211db1c},
    };
    uint8_t bytes[65];
    for (uint8_t i = 0; i < 64; i++) {
        bytes[i + 1] = i;
    }
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        /* At an odd address, since keys lie anywhere. */
        assert_true(map_hash_bytes(zero_key, bytes + 1, vectors[i].len) ==
                    vectors[i].under_zero_key);
        assert_true(map_hash_bytes(other_key, bytes + 1, vectors[i].len) ==
                    vectors[i].under_other_key);
    }
    assert_true(map_hash_bytes(zero_key, NULL, 0) != map_hash_bytes(other_key, NULL, 0));
}

static void an_empty_map_finds_nothing_and_costs_little(void **state)
{
    (void)state;
    struct map *map = map_seeded(1);
    size_t cursor = 0;
    assert_null(map_find(map, "a", 1));
    assert_null(map_find(map, NULL, 0));
    assert_null(map_next(map, &cursor));
    assert_null(map_next(map, &cursor));
    assert_true(map_bytes(map) <= 72);
    map_destroy(map);
}

static void keys_are_bytes_of_any_length(void **state)
{
    (void)state;
    struct map *map = map_seeded(2);
    struct named empty = {.len = 0};
    struct named nul = {.len = 1, .name = {0}};
    struct named nuls = {.len = 2, .name = {0, 0}};
    assert_true(map_insert(map, &empty));
    assert_true(map_insert(map, &nul));
    assert_true(map_insert(map, &nuls));
    assert_ptr_equal(map_find(map, NULL, 0), &empty);
    assert_ptr_equal(map_find(map, "\0", 1), &nul);
    assert_ptr_equal(map_find(map, "\0\0", 2), &nuls);
    assert_null(map_find(map, "\0\0\0", 3));
    map_remove(map, &nul);
    assert_null(map_find(map, "\0", 1));
    assert_ptr_equal(map_find(map, "\0\0", 2), &nuls);
    map_destroy(map);
}

/* Every object is seen exactly once if it is in the map, and never otherwise. */
static void check_walk(const struct map *map, struct named *array, uint32_t count)
{
    size_t cursor = 0;
    for (struct named *at; (at = map_next(map, &cursor)) != NULL;) {
        at->seen++;
    }
    size_t in_map = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(array[i].seen, array[i].in_map);
        array[i].seen = 0;
        in_map += array[i].in_map;
    }
    assert_int_equal(map_count(map), in_map);
}

static void check_finds(const struct map *map, const struct named *array, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const void *expected = array[i].in_map ? &array[i] : NULL;
        assert_ptr_equal(map_find(map, array[i].name, array[i].len), expected);
    }
}

static void random_histories_agree_with_a_model(void **state)
{
    (void)state;
    enum { OBJECTS = 4000, STEPS = 24000 };
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct random random;
        random_init_seeded(&random, seed);
        struct map *map = map_seeded(seed);
        struct named *array = named_array(OBJECTS);
        for (int step = 0; step < STEPS; step++) {
            struct named *at = &array[random_below(&random, OBJECTS)];
            /* The tendency turns around, so that buckets split and merge. */
            const bool insert = random_below(&random, 10) < (step / 6000 % 2 == 0 ? 9u : 1u);
            if (insert && !at->in_map) {
                assert_true(map_insert(map, at));
                at->in_map = true;
            } else if (!insert && at->in_map) {
                map_remove(map, at);
                at->in_map = false;
            }
            if (step % 1500 == 0) {
                check_walk(map, array, OBJECTS);
                check_finds(map, array, OBJECTS);
            }
        }
        for (uint32_t i = 0; i < OBJECTS; i++) {
            if (array[i].in_map) {
                map_remove(map, &array[i]);
                array[i].in_map = false;
            }
        }
        check_walk(map, array, OBJECTS);
        assert_true(map_bytes(map) <= 72);
        map_destroy(map);
        free(array);
    }
}

/* Whatever share of the objects is removed as it is returned, the rest is still seen once. */
static void objects_may_be_removed_while_walking(void **state)
{
    (void)state;
    enum { OBJECTS = 3000 };
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct random random;
        random_init_seeded(&random, seed);
        struct map *map = map_seeded(seed);
        struct named *array = named_array(OBJECTS);
        for (uint32_t i = 0; i < OBJECTS; i++) {
            assert_true(map_insert(map, &array[i]));
            array[i].in_map = true;
        }
        const uint64_t percent = seed % 4 == 0 ? 100 : 1 + random_below(&random, 100);
        size_t cursor = 0;
        size_t seen = 0;
        for (struct named *at; (at = map_next(map, &cursor)) != NULL; seen++) {
            assert_int_equal(at->seen++, 0);
            if (random_below(&random, 100) < percent) {
                map_remove(map, at);
                at->in_map = false;
            }
        }
        assert_int_equal(seen, OBJECTS);
        for (uint32_t i = 0; i < OBJECTS; i++) {
            array[i].seen = 0;
        }
        check_walk(map, array, OBJECTS);
        check_finds(map, array, OBJECTS);
        map_destroy(map);
        free(array);
    }
}

/* Whoever comes and goes between its steps, and however buckets split and merge. */
static void a_walk_of_few_sees_all_who_stay(void **state)
{
    (void)state;
    enum { OBJECTS = 6000, STAYERS = 500 };
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct random random;
        random_init_seeded(&random, seed);
        struct map *map = map_seeded(seed);
        struct named *array = named_array(OBJECTS);
        const uint32_t before = STAYERS + (uint32_t)random_below(&random, OBJECTS - STAYERS);
        for (uint32_t i = 0; i < before; i++) {
            assert_true(map_insert(map, &array[i]));
            array[i].in_map = true;
        }
        const uint64_t percent_in = random_below(&random, 100);
        void *few[MAP_FEW_MAX];
        uint64_t place = 0;
        for (uint32_t len; (len = map_next_few(map, &place, few)) > 0;) {
            for (uint32_t i = 0; i < len; i++) {
                struct named *at = few[i];
                assert_true(at->in_map);
                at->seen++;
            }
            for (int i = 0; i < 100; i++) {
                struct named *at = &array[STAYERS + random_below(&random, OBJECTS - STAYERS)];
                const bool wanted = random_below(&random, 100) < percent_in;
                if (wanted && !at->in_map) {
                    assert_true(map_insert(map, at));
                } else if (!wanted && at->in_map) {
                    map_remove(map, at);
                }
                at->in_map = wanted;
            }
        }
        assert_int_equal(map_next_few(map, &place, few), 0);
        for (uint32_t i = 0; i < STAYERS; i++) {
            assert_true(array[i].seen >= 1);
        }
        map_destroy(map);
        free(array);
    }
}

static void a_walk_is_the_same_for_the_same_seed(void **state)
{
    (void)state;
    enum { OBJECTS = 1000 };
    struct named *array = named_array(OBJECTS);
    struct map *maps[3] = {map_seeded(7), map_seeded(7), map_seeded(8)};
    for (uint32_t i = 0; i < OBJECTS; i++) {
        for (int m = 0; m < 3; m++) {
            assert_true(map_insert(maps[m], &array[i]));
        }
    }
    size_t cursors[3] = {0};
    uint32_t differences = 0;
    for (uint32_t i = 0; i <= OBJECTS; i++) {
        const void *first = map_next(maps[0], &cursors[0]);
        assert_ptr_equal(first, map_next(maps[1], &cursors[1]));
        differences += first != map_next(maps[2], &cursors[2]);
    }
    assert_true(differences > OBJECTS / 2);
    for (int m = 0; m < 3; m++) {
        map_destroy(maps[m]);
    }
    free(array);
}

static void memory_follows_the_number_of_objects(void **state)
{
    (void)state;
    enum { OBJECTS = 100000 };
    struct map *map = map_seeded(3);
    struct named *array = named_array(OBJECTS);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        assert_true(map_insert(map, &array[i]));
    }
    /* Buckets are between half and wholly full, whatever moment one looks at. */
    assert_true(map_bytes(map) < OBJECTS * 23);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        if (i % 10 != 0) {
            map_remove(map, &array[i]);
        }
    }
    assert_true(map_bytes(map) < OBJECTS / 10 * 60);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        void *expected = i % 10 == 0 ? &array[i] : NULL;
        assert_ptr_equal(map_find(map, array[i].name, array[i].len), expected);
    }
    map_destroy(map);
    free(array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_agrees_with_an_independent_implementation),
        cmocka_unit_test(an_empty_map_finds_nothing_and_costs_little),
        cmocka_unit_test(keys_are_bytes_of_any_length),
        cmocka_unit_test(random_histories_agree_with_a_model),
        cmocka_unit_test(objects_may_be_removed_while_walking),
        cmocka_unit_test(a_walk_of_few_sees_all_who_stay),
        cmocka_unit_test(a_walk_is_the_same_for_the_same_seed),
        cmocka_unit_test(memory_follows_the_number_of_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
