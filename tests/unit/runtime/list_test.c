/* SPDX-License-Identifier: Apache-2.0 */
/* Lists: every removal from lists of up to four nodes, and nodes that know that they are nowhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/list.h"

enum { NODES = 4 };

static void check_list(const struct list *head, const struct list *nodes, unsigned present)
{
    const struct list *at = head;
    for (unsigned i = 0; i < NODES; i++) {
        if ((present >> i & 1) == 0) {
            continue;
        }
        assert_ptr_equal(at->next, &nodes[i]);
        assert_ptr_equal(nodes[i].prev, at);
        at = &nodes[i];
    }
    assert_ptr_equal(at->next, head);
    assert_ptr_equal(head->prev, at);
    assert_int_equal(list_is_empty(head), present == 0);
}

static void any_nodes_may_leave_in_any_order(void **state)
{
    (void)state;
    for (unsigned present = 0; present < 1u << NODES; present++) {
        for (unsigned first = 0; first < NODES; first++) {
            for (unsigned second = 0; second < NODES; second++) {
                struct list head;
                struct list nodes[NODES] = {{NULL, NULL}};
                list_init(&head);
                for (unsigned i = 0; i < NODES; i++) {
                    assert_false(list_is_linked(&nodes[i]));
                    if ((present >> i & 1) != 0) {
                        list_append(&head, &nodes[i]);
                        assert_true(list_is_linked(&nodes[i]));
                    }
                }
                check_list(&head, nodes, present);
                /* Nodes that are in no list, or left it just now, may be removed too. */
                list_remove(&nodes[first]);
                list_remove(&nodes[second]);
                assert_false(list_is_linked(&nodes[first]));
                check_list(&head, nodes, present & ~(1u << first) & ~(1u << second));
            }
        }
    }
}

static void the_first_is_taken_until_none_is_left(void **state)
{
    (void)state;
    struct list head;
    struct list nodes[NODES] = {{NULL, NULL}};
    list_init(&head);
    assert_null(list_take_first(&head));
    for (unsigned i = 0; i < NODES; i++) {
        list_append(&head, &nodes[i]);
    }
    for (unsigned i = 0; i < NODES; i++) {
        assert_ptr_equal(list_take_first(&head), &nodes[i]);
        assert_false(list_is_linked(&nodes[i]));
    }
    assert_null(list_take_first(&head));
    assert_true(list_is_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_nodes_may_leave_in_any_order),
        cmocka_unit_test(the_first_is_taken_until_none_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
