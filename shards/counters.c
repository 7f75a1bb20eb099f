/* SPDX-License-Identifier: Apache-2.0 */
/* The table of counters as data, and the way from a code to its counter. */
#include "shards/counters.h"

#include "codec/client.h"

const struct counter_description counter_descriptions[COUNTER_ROWS_LEN] = {
#define COUNTER_DESCRIPTION(id, name, labels, kind, help) \
    [COUNTER_##id] = {name, labels, COUNTER_KIND_##kind, help},
    COUNTER_TABLE(COUNTER_DESCRIPTION)
#undef COUNTER_DESCRIPTION
};

enum counter counter_of_disconnect(uint32_t code)
{
    switch (code) {
#define COUNTER_CASE(name, code, text, reconnect) \
    case code: \
        return COUNTER_DISCONNECT_##code;
        CLIENT_DISCONNECTS(COUNTER_CASE)
#undef COUNTER_CASE
    default:
        return COUNTER_DISCONNECT_CUSTOM;
    }
}

enum counter counter_of_unsubscribe(uint32_t code)
{
    switch (code) {
    case 2500:
        return COUNTER_UNSUBSCRIBE_2500;
    case 2501:
        return COUNTER_UNSUBSCRIBE_2501;
    case 2502:
        return COUNTER_UNSUBSCRIBE_2502;
    default:
        return COUNTER_UNSUBSCRIBE_2000;
    }
}
