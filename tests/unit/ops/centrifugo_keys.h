/* SPDX-License-Identifier: Apache-2.0 */
/* Every key of Centrifugo 6.9 and its default. */
#ifndef ROOST_TESTS_UNIT_OPS_CENTRIFUGO_KEYS_H
#define ROOST_TESTS_UNIT_OPS_CENTRIFUGO_KEYS_H

#include <stddef.h>

struct centrifugo_key {
    const char *path;
    const char *value; /* As JSON. */
};

/* Keys of one section stand together. */
extern const struct centrifugo_key centrifugo_keys[];
extern const size_t centrifugo_keys_len;

#endif
