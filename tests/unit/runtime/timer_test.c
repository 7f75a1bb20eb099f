/* SPDX-License-Identifier: Apache-2.0 */
/* The timer wheel against a model that keeps all timers in one list and searches it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/random.h"
#include "runtime/timer.h"

enum {
    TIMERS = 200,
    LOG_MAX = 4096,
    UNLIMITED = 1000000000,
};

/* One timer as the wheel has it, and as the model has it. */
struct probe {
    struct timer timer;
    bool model_is_set;
    bool model_is_late;
    uint64_t model_due;
    uint64_t model_order;
};

struct world {
    struct timer_wheel *wheel;
    struct random random;
    uint64_t now; /* Of the present turn, or the last. */
    uint64_t order;
    uint64_t last_due;  /* Of the last timer that fired in this turn. */
    uint64_t fired_now; /* In this turn. */
    uint32_t callback_percent;
    bool check_order;
    struct probe probes[TIMERS];
};

/* Times around which the levels of the wheel change, and all sorts of others. */
static uint64_t random_delay(struct random *random)
{
    static const uint64_t edges[] = {1, 255, 256, 257, 511, 512, 65535, 65536, 131072, 1ull << 24};
    switch (random_below(random, 8)) {
    case 0:
        return 0;
    case 1:
        return edges[random_below(random, sizeof(edges) / sizeof(edges[0]))];
    case 2:
        return 1ull << random_below(random, 40);
    case 3:
        return random_below(random, 200000);
    case 4:
        return 25000;
    default:
        return random_below(random, 700);
    }
}

static void on_fire(struct timer *timer, void *context);

static void world_set(struct world *world, struct probe *probe, uint64_t due)
{
    timer_set(world->wheel, &probe->timer, due, on_fire);
    probe->model_is_set = true;
    probe->model_is_late = due <= world->now;
    probe->model_due = due;
    probe->model_order = world->order++;
}

static void world_stop(struct world *world, struct probe *probe)
{
    timer_stop(world->wheel, &probe->timer);
    probe->model_is_set = false;
}

static void world_disturb(struct world *world)
{
    struct probe *probe = &world->probes[random_below(&world->random, TIMERS)];
    if (random_below(&world->random, 4) == 0) {
        world_stop(world, probe);
    } else {
        const uint64_t delay = random_delay(&world->random);
        const bool is_past = random_below(&world->random, 16) == 0;
        world_set(world, probe,
                  is_past ? world->now - random_below(&world->random, 100) : world->now + delay);
    }
}

/* Would `probe` have to fire before `other`? What was late when the turn began comes first. */
static bool is_before(const struct probe *probe, const struct probe *other)
{
    if (probe->model_is_late != other->model_is_late) {
        return probe->model_is_late;
    }
    if (!probe->model_is_late && probe->model_due != other->model_due) {
        return probe->model_due < other->model_due;
    }
    return probe->model_order < other->model_order;
}

static const struct probe *model_first(const struct world *world, uint64_t order_end)
{
    const struct probe *first = NULL;
    for (size_t i = 0; i < TIMERS; i++) {
        const struct probe *at = &world->probes[i];
        const bool is_due = at->model_is_set && at->model_due <= world->now &&
                            (at->model_order < order_end || !at->model_is_late);
        if (is_due && (first == NULL || is_before(at, first))) {
            first = at;
        }
    }
    return first;
}

/* Timers set in this turn have an order from here on. */
static uint64_t turn_order;

static void on_fire(struct timer *timer, void *context)
{
    struct world *world = context;
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);
    assert_false(timer_is_set(timer));
    assert_true(probe->model_is_set);
    assert_true(probe->model_due <= world->now);
    if (world->check_order) {
        assert_ptr_equal(probe, model_first(world, turn_order));
    }
    probe->model_is_set = false;
    world->fired_now++;
    while (random_below(&world->random, 100) < world->callback_percent) {
        world_disturb(world);
    }
}

static struct world *world_create(uint64_t seed, uint64_t now)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    random_init_seeded(&world->random, seed);
    world->now = now;
    world->wheel = timer_wheel_create(now, world);
    assert_non_null(world->wheel);
    return world;
}

static void world_destroy(struct world *world)
{
    timer_wheel_destroy(world->wheel);
    free(world);
}

static void world_advance(struct world *world, uint64_t now, uint32_t budget)
{
    world->now = now;
    world->fired_now = 0;
    turn_order = world->order;
    const uint32_t fired = timer_wheel_advance(world->wheel, now, budget);
    assert_int_equal(fired, world->fired_now);
}

static uint64_t model_first_due(const struct world *world)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < TIMERS; i++) {
        const struct probe *at = &world->probes[i];
        assert_int_equal(at->model_is_set, timer_is_set(&at->timer));
        if (at->model_is_set && at->model_due < first) {
            first = at->model_due;
        }
    }
    return first;
}

static uint64_t random_step(struct random *random)
{
    switch (random_below(random, 10)) {
    case 0:
        return 0;
    case 1:
        return 1ull << random_below(random, 36);
    case 2:
    case 3:
        return random_below(random, 100000);
    case 4:
        return 256 - random_below(random, 3);
    default:
        return random_below(random, 300);
    }
}

/* With a budget that is never short: each timer that fires must be the model's next one. */
static void the_order_is_the_models(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct world *world = world_create(seed, seed * 1000003 % (1ull << (seed % 41)) + 100);
        world->check_order = true;
        world->callback_percent = seed % 3 == 0 ? 0 : 40;
        for (int turn = 0; turn < 150; turn++) {
            for (uint64_t i = random_below(&world->random, 12); i > 0; i--) {
                world_disturb(world);
            }
            world_advance(world, world->now + random_step(&world->random), UNLIMITED);
            assert_null(model_first(world, turn_order));
            const uint64_t next = timer_wheel_next_ms(world->wheel);
            const uint64_t first = model_first_due(world);
            assert_true(next <= first || first <= world->now);
            assert_true(first != UINT64_MAX || next == UINT64_MAX);
        }
        world_destroy(world);
    }
}

/* With tiny budgets: all fires in the end, never early, and what is left is told by next_ms. */
static void budgets_only_delay(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct world *world = world_create(seed, 100 + (1ull << (seed % 40)));
        const uint32_t budget = 1 + (uint32_t)random_below(&world->random, 20);
        world->callback_percent = 20;
        for (int turn = 0; turn < 300; turn++) {
            for (uint64_t i = random_below(&world->random, 10); i > 0; i--) {
                world_disturb(world);
            }
            world_advance(world, world->now + random_step(&world->random), budget);
            assert_true(world->fired_now <= budget);
            if (model_first(world, UINT64_MAX) != NULL) {
                assert_true(timer_wheel_next_ms(world->wheel) <= world->now);
            }
        }
        world->callback_percent = 0;
        for (int turn = 0; timer_wheel_next_ms(world->wheel) <= world->now; turn++) {
            assert_true(turn < TIMERS * 10);
            world_advance(world, world->now, budget);
        }
        assert_null(model_first(world, UINT64_MAX));
        world_destroy(world);
    }
}

struct numbered {
    struct timer timer;
    uint32_t number;
};

struct numbers {
    uint32_t fired[LOG_MAX];
    uint32_t count;
};

static void note_number(struct timer *timer, void *context)
{
    struct numbers *numbers = context;
    assert_true(numbers->count < LOG_MAX);
    numbers->fired[numbers->count++] = CONTAINER_OF(timer, struct numbered, timer)->number;
}

/* Timers with one due time, set from ever nearer, so that each begins at another level and each
 * comes upon the others at every stage of a cascade, with budgets that stop cascades half-way. */
static void one_tick_fires_in_the_order_of_setting(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    const uint64_t dues[] = {1ull << 32, (1ull << 24) + 255, 70000, 131071, 65536 * 3 + 256};
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct random random;
        random_init_seeded(&random, seed);
        struct numbers *numbers = calloc(1, sizeof(*numbers));
        struct numbered *timers = calloc(COUNT, sizeof(*timers));
        assert_non_null(numbers);
        assert_non_null(timers);
        struct timer_wheel *wheel = timer_wheel_create(0, numbers);
        assert_non_null(wheel);
        const uint64_t due = dues[seed % 5];
        uint64_t now = 0;
        for (uint32_t i = 0; i < COUNT; i++) {
            timers[i].number = i;
            timer_set(wheel, &timers[i].timer, due, note_number);
            if (now < due - 1 && random_below(&random, 3) == 0) {
                now += 1 + random_below(&random, 1 + (due - now) / (1 + random_below(&random, 20)));
                now = now < due ? now : due - 1;
                timer_wheel_advance(wheel, now, 1 + (uint32_t)random_below(&random, 40));
            }
        }
        assert_int_equal(numbers->count, 0);
        for (int turn = 0; turn < 20 * COUNT && numbers->count < COUNT; turn++) {
            timer_wheel_advance(wheel, due, 30);
        }
        assert_int_equal(numbers->count, COUNT);
        for (uint32_t i = 0; i < COUNT; i++) {
            assert_int_equal(numbers->fired[i], i);
        }
        timer_wheel_destroy(wheel);
        free(timers);
        free(numbers);
    }
}

static void nothing_fires_early_however_far_away(void **state)
{
    (void)state;
    const uint64_t second = 1000;
    const uint64_t dues[] = {25 * second, 600 * second, 86400 * second,
                             40ull * 365 * 86400 * second, 1ull << 62};
    for (size_t i = 0; i < sizeof(dues) / sizeof(dues[0]); i++) {
        struct numbers *numbers = calloc(1, sizeof(*numbers));
        assert_non_null(numbers);
        struct timer_wheel *wheel = timer_wheel_create(12345, numbers);
        assert_non_null(wheel);
        struct numbered one = {.number = 7};
        timer_set(wheel, &one.timer, dues[i], note_number);
        uint64_t wakes = 0;
        uint64_t next;
        while ((next = timer_wheel_next_ms(wheel)) < dues[i]) {
            timer_wheel_advance(wheel, next, 1);
            assert_int_equal(numbers->count, 0);
            wakes++;
        }
        assert_true(wakes <= 16);
        assert_true(next == dues[i]);
        timer_wheel_advance(wheel, dues[i] - 1, 1);
        assert_int_equal(numbers->count, 0);
        timer_wheel_advance(wheel, dues[i], 10);
        assert_int_equal(numbers->count, 1);
        assert_true(timer_wheel_next_ms(wheel) == UINT64_MAX);
        timer_wheel_destroy(wheel);
        free(numbers);
    }
}

static void the_last_millisecond_is_never(void **state)
{
    (void)state;
    struct numbers numbers = {.count = 0};
    struct timer_wheel *wheel = timer_wheel_create(0, &numbers);
    assert_non_null(wheel);
    struct numbered never = {.number = 1};
    timer_set(wheel, &never.timer, UINT64_MAX, note_number);
    timer_wheel_advance(wheel, UINT64_MAX - 1, 100);
    assert_int_equal(numbers.count, 0);
    assert_true(timer_is_set(&never.timer));
    timer_stop(wheel, &never.timer);
    timer_stop(wheel, &never.timer);
    assert_false(timer_is_set(&never.timer));
    timer_wheel_destroy(wheel);
}

struct restless {
    struct timer timer;
    struct timer_wheel *wheel;
    uint32_t fired;
};

static void set_again_at_once(struct timer *timer, void *context)
{
    (void)context;
    struct restless *restless = CONTAINER_OF(timer, struct restless, timer);
    restless->fired++;
    timer_set(restless->wheel, timer, 0, set_again_at_once);
}

static void a_timer_that_sets_itself_anew_does_not_hold_the_turn(void **state)
{
    (void)state;
    struct restless restless = {.wheel = timer_wheel_create(10, NULL)};
    assert_non_null(restless.wheel);
    timer_set(restless.wheel, &restless.timer, 0, set_again_at_once);
    assert_int_equal(restless.fired, 0);
    for (uint32_t turn = 1; turn <= 5; turn++) {
        assert_true(timer_wheel_next_ms(restless.wheel) <= 10);
        assert_int_equal(timer_wheel_advance(restless.wheel, 10, 100), 1);
        assert_int_equal(restless.fired, turn);
    }
    timer_wheel_destroy(restless.wheel);
}

static void stopped_timers_wake_nobody(void **state)
{
    (void)state;
    struct timer_wheel *wheel = timer_wheel_create(0, NULL);
    assert_non_null(wheel);
    struct timer timers[64];
    memset(timers, 0, sizeof(timers));
    for (uint32_t i = 0; i < 64; i++) {
        timer_set(wheel, &timers[i], 1ull << (i % 63), note_number);
    }
    for (uint32_t i = 0; i < 64; i++) {
        timer_stop(wheel, &timers[i]);
    }
    assert_true(timer_wheel_next_ms(wheel) == UINT64_MAX);
    timer_wheel_destroy(wheel);
}

static void a_timer_is_32_bytes(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct timer), 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_the_models),
        cmocka_unit_test(budgets_only_delay),
        cmocka_unit_test(one_tick_fires_in_the_order_of_setting),
        cmocka_unit_test(nothing_fires_early_however_far_away),
        cmocka_unit_test(the_last_millisecond_is_never),
        cmocka_unit_test(a_timer_that_sets_itself_anew_does_not_hold_the_turn),
        cmocka_unit_test(stopped_timers_wake_nobody),
        cmocka_unit_test(a_timer_is_32_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
