/* SPDX-License-Identifier: Apache-2.0 */
/* An array that grows one item at a time, by doubling its room. */
#ifndef ROOST_RUNTIME_ARRAY_H
#define ROOST_RUNTIME_ARRAY_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "runtime/check.h"

/*
 * Makes room for one more behind `len` items of `item_size` bytes: returns where the array is then,
 * and *room is how many fit. What is full moves to twice the room, an array without any (NULL) to
 * `room_min`, which is not 0; free() ends it. NULL: memory is out, and all is as it was.
 */
MUST_CHECK static inline void *array_reserve(void *items, uint32_t len, uint32_t *room,
                                             uint32_t room_min, size_t item_size)
{
    if (len < *room) {
        return items;
    }
    const uint64_t larger = *room == 0 ? room_min : (uint64_t)*room * 2;
    void *grown = larger > UINT32_MAX ? NULL : realloc(items, (size_t)larger * item_size);
    if (grown != NULL) {
        *room = (uint32_t)larger;
    }
    return grown;
}

#endif
