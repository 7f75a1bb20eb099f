/* SPDX-License-Identifier: Apache-2.0 */
/* The table of subscribers against a plain array: every size around a block, and long random lives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/random.h"
#include "shards/edge/fanout/subscribers.h"

enum { MANY = 3000, STEPS = 200000 };

/* The table never looks into them, so any distinct addresses do. */
static char places[MANY];

static struct subscription *nth(uint32_t i)
{
    return (struct subscription *)(void *)&places[i];
}

static void grows_and_shrinks_through_every_size(void **state)
{
    (void)state;
    struct subscribers subscribers = {0};
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(subscribers.count, i);
        assert_true(subscribers_add(&subscribers, nth(i)));
        assert_ptr_equal(*subscribers_at(&subscribers, 0), nth(0));
        assert_ptr_equal(*subscribers_at(&subscribers, i), nth(i));
    }
    assert_true(subscribers.room - subscribers.count < SUBSCRIBERS_BLOCK);
    for (uint32_t i = MANY; i-- > 0;) {
        assert_ptr_equal(*subscribers_at(&subscribers, i / 2), nth(i / 2));
        assert_ptr_equal(subscribers_remove(&subscribers, i), nth(i));
        assert_true(subscribers.room <= SUBSCRIBERS_BLOCK ||
                    subscribers.room < subscribers.count + 2 * SUBSCRIBERS_BLOCK);
    }
    assert_int_equal(subscribers.count, 0);
    subscribers_clear(&subscribers);
}

static void lives_as_a_plain_array_does(void **state)
{
    (void)state;
    struct subscribers subscribers = {0};
    struct subscription *plain[MANY];
    uint32_t count = 0;
    uint32_t target = MANY;
    struct random random;
    random_init_seeded(&random, 7);
    for (uint32_t step = 0; step < STEPS; step++) {
        if (step % 5000 == 0) {
            target = (uint32_t)random_below(&random, MANY);
        }
        const bool adds = count == 0 || (count < target && random_below(&random, 4) != 0);
        if (adds && count < MANY) {
            plain[count] = nth((uint32_t)random_below(&random, MANY));
            assert_true(subscribers_add(&subscribers, plain[count]));
            count++;
        } else {
            const uint32_t index = (uint32_t)random_below(&random, count);
            struct subscription *last = plain[--count];
            plain[index] = last;
            assert_ptr_equal(subscribers_remove(&subscribers, index), last);
        }
        assert_int_equal(subscribers.count, count);
        if (count > 0) {
            const uint32_t look = (uint32_t)random_below(&random, count);
            assert_ptr_equal(*subscribers_at(&subscribers, look), plain[look]);
        }
    }
    subscribers_clear(&subscribers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_shrinks_through_every_size),
        cmocka_unit_test(lives_as_a_plain_array_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
