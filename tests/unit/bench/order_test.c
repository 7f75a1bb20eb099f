/* SPDX-License-Identifier: Apache-2.0 */
/* The order checker against a slow one that remembers everything, over all short sequences. */
#include "ops/bench/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { NUMBERS = 5, LEN = 5 };

/* What has come, kept as a table. */
struct slow_order {
    bool has_come[NUMBERS];
    int largest;
};

static enum order_verdict slow_take(struct slow_order *slow, int number, uint32_t *missing)
{
    if (slow->has_come[number]) {
        return ORDER_REPEATED;
    }
    slow->has_come[number] = true;
    if (number < slow->largest) {
        return ORDER_LATE;
    }
    *missing = (uint32_t)(number - slow->largest - 1);
    slow->largest = number;
    return *missing == 0 ? ORDER_GOOD : ORDER_GAP;
}

static void every_short_sequence_is_judged_alike(void **state)
{
    (void)state;
    unsigned sequences = 1;
    for (int i = 0; i < LEN; i++) {
        sequences *= NUMBERS;
    }
    for (unsigned sequence = 0; sequence < sequences; sequence++) {
        /* Also over the wrap of the numbers. */
        for (uint32_t first = 0; first < 2; first++) {
            const uint32_t base = first == 0 ? 0 : UINT32_MAX - 2;
            struct order order = order_from(base);
            struct slow_order slow = {.largest = -1};
            unsigned rest = sequence;
            for (int i = 0; i < LEN; i++, rest /= NUMBERS) {
                const int number = (int)(rest % NUMBERS);
                uint32_t missing = 0;
                uint32_t expected_missing = 0;
                const enum order_verdict expected = slow_take(&slow, number, &expected_missing);
                assert_int_equal(order_take(&order, base + (uint32_t)number, &missing), expected);
                assert_int_equal(missing, expected_missing);
            }
        }
    }
}

static void a_late_one_is_known_as_far_back_as_promised(void **state)
{
    (void)state;
    for (uint32_t gap = 1; gap < 2 * ORDER_LATE_MAX; gap++) {
        struct order order = order_from(0);
        uint32_t missing = 0;
        assert_int_equal(order_take(&order, gap, &missing), ORDER_GAP);
        assert_int_equal(missing, gap);
        for (uint32_t number = gap; number-- > 0;) {
            const bool is_known = gap - number < ORDER_LATE_MAX;
            assert_int_equal(order_take(&order, number, &missing),
                             is_known ? ORDER_LATE : ORDER_REPEATED);
        }
    }
}

static void what_came_before_the_first_counts_as_repeated(void **state)
{
    (void)state;
    struct order order = order_from(100);
    uint32_t missing = 0;
    assert_int_equal(order_take(&order, 99, &missing), ORDER_REPEATED);
    assert_int_equal(order_take(&order, 100, &missing), ORDER_GOOD);
    assert_int_equal(order_take(&order, 100, &missing), ORDER_REPEATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_short_sequence_is_judged_alike),
        cmocka_unit_test(a_late_one_is_known_as_far_back_as_promised),
        cmocka_unit_test(what_came_before_the_first_counts_as_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
