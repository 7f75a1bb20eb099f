/* SPDX-License-Identifier: Apache-2.0 */
/* What an array keeps as it grows, when it grows, and what stays when it cannot. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/array.h"

static void test_doubles_when_it_is_full(void **state)
{
    (void)state;
    uint64_t *items = NULL;
    uint32_t room = 0;
    for (uint32_t len = 0; len < 1000; len++) {
        const uint32_t before = room;
        uint64_t *grown = array_reserve(items, len, &room, 3, sizeof(*items));
        assert_non_null(grown);
        if (len < before) {
            assert_ptr_equal(grown, items);
            assert_int_equal(room, before);
        } else {
            assert_int_equal(room, before == 0 ? 3 : 2 * before);
        }
        items = grown;
        items[len] = len;
    }
    assert_int_equal(room, 1536);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(items[i], i);
    }
    free(items);
}

static void test_stays_as_it_was_where_it_cannot_grow(void **state)
{
    (void)state;
    /* Twice this room is beyond its type: refused before memory is asked for. */
    uint32_t room = UINT32_C(1) << 31;
    uint8_t item = 7;
    assert_null(array_reserve(&item, room, &room, 4, 1));
    assert_int_equal(room, UINT32_C(1) << 31);
    assert_int_equal(item, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_when_it_is_full),
        cmocka_unit_test(test_stays_as_it_was_where_it_cannot_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
