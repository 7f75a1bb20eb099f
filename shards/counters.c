/* SPDX-License-Identifier: Apache-2.0 */
/* The table of counters as data, and the way from a code to its counter. */
#include "shards/counters.h"

const struct counter_description counter_descriptions[COUNTER_ROWS_LEN] = {
#define COUNTER_DESCRIPTION(id, name, labels, kind, help) \
    [COUNTER_##id] = {name, labels, COUNTER_KIND_##kind, help},
    COUNTER_TABLE(COUNTER_DESCRIPTION)
#undef COUNTER_DESCRIPTION
};

#define COUNTER_CASE(family, code) \
    case code: \
        return COUNTER_##family##_##code;

enum counter counter_of_disconnect(uint32_t code)
{
    switch (code) {
        COUNTER_CASE(DISCONNECT, 3000)
        COUNTER_CASE(DISCONNECT, 3001)
        COUNTER_CASE(DISCONNECT, 3004)
        COUNTER_CASE(DISCONNECT, 3005)
        COUNTER_CASE(DISCONNECT, 3006)
        COUNTER_CASE(DISCONNECT, 3008)
        COUNTER_CASE(DISCONNECT, 3009)
        COUNTER_CASE(DISCONNECT, 3010)
        COUNTER_CASE(DISCONNECT, 3011)
        COUNTER_CASE(DISCONNECT, 3012)
        COUNTER_CASE(DISCONNECT, 3013)
        COUNTER_CASE(DISCONNECT, 3014)
        COUNTER_CASE(DISCONNECT, 3500)
        COUNTER_CASE(DISCONNECT, 3501)
        COUNTER_CASE(DISCONNECT, 3502)
        COUNTER_CASE(DISCONNECT, 3503)
        COUNTER_CASE(DISCONNECT, 3504)
        COUNTER_CASE(DISCONNECT, 3505)
        COUNTER_CASE(DISCONNECT, 3506)
        COUNTER_CASE(DISCONNECT, 3507)
        COUNTER_CASE(DISCONNECT, 3508)
        COUNTER_CASE(DISCONNECT, 3509)
    default:
        return COUNTER_DISCONNECT_CUSTOM;
    }
}

enum counter counter_of_unsubscribe(uint32_t code)
{
    switch (code) {
        COUNTER_CASE(UNSUBSCRIBE, 2500)
        COUNTER_CASE(UNSUBSCRIBE, 2501)
        COUNTER_CASE(UNSUBSCRIBE, 2502)
    default:
        return COUNTER_UNSUBSCRIBE_2000;
    }
}
