/* SPDX-License-Identifier: Apache-2.0 */
/* Pools: handles that go stale, memory that comes back, and every walk held against a plain model.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/pool.h"

/* Small numbers from a seed, so that a failure replays. */
static uint32_t next_number(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*seed >> 33);
}

static void a_taken_object_is_zeroed_and_found_by_its_handle(void **state)
{
    (void)state;
    struct pool *pool = pool_create(24, 10);
    uint32_t handle;
    uint8_t *object = pool_take(pool, &handle);
    assert_non_null(object);
    assert_int_not_equal(handle, POOL_HANDLE_NONE);
    assert_ptr_equal(pool_get(pool, handle), object);
    assert_int_equal((uintptr_t)object % 8, 0);
    memset(object, 0xff, 24);
    pool_put(pool, handle);

    uint32_t again;
    assert_ptr_equal(pool_take(pool, &again), object);
    assert_int_not_equal(again, handle);
    for (int i = 0; i < 24; i++) {
        assert_int_equal(object[i], 0);
    }
    assert_null(pool_get(pool, handle));
    assert_null(pool_get(pool, POOL_HANDLE_NONE));
    assert_null(pool_get(pool, UINT32_MAX));
    pool_destroy(pool);
}

static void a_trimmed_pool_holds_nothing_and_knows_stale_handles(void **state)
{
    (void)state;
    enum { OBJECTS = 5000 };
    struct pool *pool = pool_create(100, OBJECTS);
    static uint32_t stale[3 * OBJECTS];
    for (uint32_t round = 0; round < 3; round++) {
        const uint32_t live = round == 1 ? OBJECTS / 3 : OBJECTS;
        for (uint32_t i = 0; i < live; i++) {
            assert_non_null(pool_take(pool, &stale[round * OBJECTS + i]));
        }
        /* With one alive, no handle may be forgotten. */
        for (uint32_t i = 1; i < live; i++) {
            pool_put(pool, stale[round * OBJECTS + i]);
        }
        pool_trim(pool);
        assert_non_null(pool_get(pool, stale[round * OBJECTS]));
        for (uint32_t i = 0; i < round * OBJECTS; i++) {
            assert_null(pool_get(pool, stale[i]));
        }
        pool_put(pool, stale[round * OBJECTS]);
        pool_trim(pool);
        assert_true(pool_bytes(pool) < 1024);
        for (uint32_t i = 0; i < (round + 1) * OBJECTS; i++) {
            assert_null(pool_get(pool, stale[i]));
        }
    }
    pool_destroy(pool);
}

static void a_full_pool_refuses_and_recovers(void **state)
{
    (void)state;
    const uint32_t sizes[] = {1, 63, 64, 65, 1000, 4097};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        struct pool *pool = pool_create(16, sizes[s]);
        uint32_t *handles = calloc(sizes[s], sizeof(*handles));
        assert_non_null(handles);
        uint32_t none = 1;
        for (int round = 0; round < 2; round++) {
            for (uint32_t i = 0; i < sizes[s]; i++) {
                assert_non_null(pool_take(pool, &handles[i]));
            }
            assert_null(pool_take(pool, &none));
            assert_int_equal(none, POOL_HANDLE_NONE);
            assert_int_equal(pool_count(pool), sizes[s]);
            for (uint32_t i = 0; i < sizes[s]; i++) {
                pool_put(pool, handles[i]);
            }
            assert_int_equal(pool_count(pool), 0);
        }
        free(handles);
        pool_destroy(pool);
    }
}

static void a_place_has_1023_generations_and_no_handle_is_none(void **state)
{
    (void)state;
    struct pool *pool = pool_create(8, 1);
    uint32_t first;
    assert_non_null(pool_take(pool, &first));
    pool_put(pool, first);
    uint32_t handle = 0;
    for (uint32_t i = 1; i < 1023; i++) {
        assert_non_null(pool_take(pool, &handle));
        assert_int_not_equal(handle, POOL_HANDLE_NONE);
        assert_int_not_equal(handle, first);
        assert_null(pool_get(pool, first));
        pool_put(pool, handle);
    }
    assert_non_null(pool_take(pool, &handle));
    assert_int_equal(handle, first);
    pool_destroy(pool);
}

static void the_lowest_free_place_is_taken_first(void **state)
{
    (void)state;
    struct pool *pool = pool_create(8, 5000);
    uint32_t handles[5000];
    void *objects[5000];
    for (uint32_t i = 0; i < 5000; i++) {
        objects[i] = pool_take(pool, &handles[i]);
    }
    const uint32_t freed[] = {4999, 70, 4096, 3, 63, 64, 4095};
    const uint32_t order[] = {3, 63, 64, 70, 4095, 4096, 4999};
    for (size_t i = 0; i < 7; i++) {
        pool_put(pool, handles[freed[i]]);
    }
    for (size_t i = 0; i < 7; i++) {
        uint32_t handle;
        assert_ptr_equal(pool_take(pool, &handle), objects[order[i]]);
    }
    pool_destroy(pool);
}

enum { MODEL_PLACES = 3000 };

struct model {
    uint32_t handles[MODEL_PLACES];
    uint32_t *objects[MODEL_PLACES]; /* Each holds its own handle. */
    uint32_t count;
};

static void model_check_walk(struct pool *pool, const struct model *model)
{
    uint32_t cursor = 0;
    uint32_t handle;
    uint32_t seen = 0;
    const uint32_t *last = NULL;
    for (uint32_t *at; (at = pool_next(pool, &cursor, &handle)) != NULL; seen++) {
        assert_int_equal(*at, handle);
        assert_true(last == NULL || at > last);
        last = at;
    }
    assert_int_equal(seen, model->count);
    assert_int_equal(pool_count(pool), model->count);
}

static void random_lives_agree_with_a_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t random = seed;
        struct model *model = calloc(1, sizeof(*model));
        assert_non_null(model);
        struct pool *pool = pool_create(4 + next_number(&random) % 300, MODEL_PLACES);
        for (int step = 0; step < 20000; step++) {
            /* The tendency turns around, so that the pool fills up and runs empty. */
            const bool grow = next_number(&random) % 8 < (step / 4000 % 2 == 0 ? 6u : 2u);
            if (grow && model->count < MODEL_PLACES) {
                const uint32_t i = model->count++;
                model->objects[i] = pool_take(pool, &model->handles[i]);
                assert_non_null(model->objects[i]);
                assert_int_equal(*model->objects[i], 0);
                *model->objects[i] = model->handles[i];
            } else if (!grow && model->count > 0) {
                const uint32_t i = next_number(&random) % model->count--;
                assert_ptr_equal(pool_get(pool, model->handles[i]), model->objects[i]);
                pool_put(pool, model->handles[i]);
                assert_null(pool_get(pool, model->handles[i]));
                model->handles[i] = model->handles[model->count];
                model->objects[i] = model->objects[model->count];
            }
            if (step % 1000 == 0) {
                model_check_walk(pool, model);
            }
        }
        model_check_walk(pool, model);
        pool_destroy(pool);
        free(model);
    }
}

static void objects_may_be_put_while_walking(void **state)
{
    (void)state;
    struct pool *pool = pool_create(8, 1000);
    uint32_t handle;
    for (int i = 0; i < 1000; i++) {
        assert_non_null(pool_take(pool, &handle));
    }
    uint32_t cursor = 0;
    uint32_t seen = 0;
    while (pool_next(pool, &cursor, &handle) != NULL) {
        pool_put(pool, handle);
        seen++;
    }
    assert_int_equal(seen, 1000);
    assert_int_equal(pool_count(pool), 0);
    pool_destroy(pool);
}

static void memory_comes_back_after_a_peak(void **state)
{
    (void)state;
    enum { OBJECTS = 50000, SIZE = 256 };
    struct pool *pool = pool_create(SIZE, POOL_OBJECTS_MAX);
    assert_true(pool_bytes(pool) < 4096);
    uint32_t *handles = calloc(OBJECTS, sizeof(*handles));
    assert_non_null(handles);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        assert_non_null(pool_take(pool, &handles[i]));
    }
    const size_t peak = pool_bytes(pool);
    assert_true(peak >= OBJECTS * SIZE);
    /* Overhead of a place: at most four bytes beside the object, and one slab at the end. */
    assert_true(peak <= OBJECTS * (SIZE + 4) + 128 * 1024);

    for (uint32_t i = 0; i < OBJECTS; i++) {
        pool_put(pool, handles[i]);
    }
    assert_true(pool_bytes(pool) < peak / 20);

    /* What was given back works again. */
    for (uint32_t i = 0; i < OBJECTS; i++) {
        uint8_t *object = pool_take(pool, &handles[i]);
        assert_non_null(object);
        assert_int_equal(object[0], 0);
        object[0] = 1;
    }
    assert_true(pool_bytes(pool) <= peak + 4096);
    free(handles);
    pool_destroy(pool);
}

static void churn_at_a_slab_border_keeps_its_pages(void **state)
{
    (void)state;
    struct pool *pool = pool_create(256, 10000);
    uint32_t handles[10000];
    uint32_t taken = 0;
    const size_t empty = pool_bytes(pool);
    assert_non_null(pool_take(pool, &handles[taken++]));
    const size_t slab = pool_bytes(pool) - empty;
    while (pool_bytes(pool) < 2 * slab) {
        assert_non_null(pool_take(pool, &handles[taken++]));
    }
    const size_t border = pool_bytes(pool);
    for (int i = 0; i < 1000; i++) {
        pool_put(pool, handles[taken - 1]);
        assert_int_equal(pool_bytes(pool), border);
        assert_non_null(pool_take(pool, &handles[taken - 1]));
        assert_int_equal(pool_bytes(pool), border);
    }
    pool_destroy(pool);
}

static void use_stale_put(void)
{
    struct pool *pool = pool_create(8, 2);
    uint32_t handle;
    if (pool_take(pool, &handle) != NULL) {
        pool_put(pool, handle);
        pool_put(pool, handle);
    }
}

/* The put must abort; its complaint goes nowhere. */
static void a_stale_put_is_a_bug(void **state)
{
    (void)state;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        use_stale_put();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_taken_object_is_zeroed_and_found_by_its_handle),
        cmocka_unit_test(a_trimmed_pool_holds_nothing_and_knows_stale_handles),
        cmocka_unit_test(a_full_pool_refuses_and_recovers),
        cmocka_unit_test(a_place_has_1023_generations_and_no_handle_is_none),
        cmocka_unit_test(the_lowest_free_place_is_taken_first),
        cmocka_unit_test(random_lives_agree_with_a_model),
        cmocka_unit_test(objects_may_be_put_while_walking),
        cmocka_unit_test(memory_comes_back_after_a_peak),
        cmocka_unit_test(churn_at_a_slab_border_keeps_its_pages),
        cmocka_unit_test(a_stale_put_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
