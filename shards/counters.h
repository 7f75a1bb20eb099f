/* SPDX-License-Identifier: Apache-2.0 */
/* Every counter and gauge of a shard, with the name, labels and help under which /metrics shows it:
 * by what is counted in counters_*.h, those of the shard itself here, those with more labels in
 * families.h.
 *
 * The names are Centrifugo's where it has the metric, after the prefix (`roost_`). Rows of one name
 * stand together.
 */
#ifndef ROOST_SHARDS_COUNTERS_H
#define ROOST_SHARDS_COUNTERS_H

#include <stdint.h>

#include "shards/counters_api.h"
#include "shards/counters_backends.h"
#include "shards/counters_channels.h"
#include "shards/counters_clients.h"
#include "shards/counters_cluster.h"
#include "shards/counters_transport.h"
#include "shards/families.h"

/* X(id, name, labels, kind, help) */
#define COUNTERS_OF_SHARDS(X) \
    X(STALE_EVENTS, "node_stale_events", "", COUNTER, \
      "Poller events for connections that were gone.") \
    X(STALE_MESSAGES, "node_stale_messages", "", COUNTER, \
      "Messages between shards for objects that were gone.") \
    X(MAILBOX_SENT, "mailbox_messages_sent", "", COUNTER, "Messages sent to other shards.") \
    X(MAILBOX_REFUSED, "mailbox_messages_refused", "", COUNTER, \
      "Messages that found the target's staging full.") \
    X(MAILBOX_DOORBELLS, "mailbox_doorbells", "", COUNTER, "Sleeping shards woken.") \
    X(OUTBOX_WAITING, "mailbox_outbox_messages", "", GAUGE, \
      "Messages that wait for room in their target's mailbox.") \
    X(OUTBOX_LOST, "mailbox_outbox_lost", "", COUNTER, \
      "Messages given up because too many waited.") \
    X(TURNS, "shard_turns", "", COUNTER, "Turns of the loop.") \
    X(BUSY_NS, "shard_busy_nanoseconds", "", COUNTER, "Time the shard was not waiting.")

/* By what is counted. */
#define COUNTER_TABLE(X) \
    COUNTERS_OF_CLIENTS(X) \
    COUNTERS_OF_CHANNELS(X) \
    COUNTERS_OF_TRANSPORT(X) \
    COUNTERS_OF_API(X) \
    COUNTERS_OF_BACKENDS(X) \
    COUNTERS_OF_CLUSTER(X) \
    COUNTERS_OF_SHARDS(X)

enum counter {
#define COUNTER_ID(id, name, labels, kind, help) COUNTER_##id,
    COUNTER_TABLE(COUNTER_ID)
#undef COUNTER_ID
        COUNTER_ROWS_LEN,
    COUNTER_ROWS_LAST = COUNTER_ROWS_LEN - 1,
/* And behind the rows those of families.h: the first of each, with the values 0 of its labels. */
#define COUNTER_FAMILY_ID(id, name, first, second, fixed, kind, help) \
    COUNTER_##id, \
        COUNTER_##id##_LAST = COUNTER_##id + LABEL_##first##_LEN * LABEL_##second##_LEN - 1,
    FAMILY_TABLE(COUNTER_FAMILY_ID)
#undef COUNTER_FAMILY_ID
        COUNTERS_LEN
};

/* One counter of a family, by the values of its labels. */
#define COUNTER_OF(family, first, second) \
    ((enum counter)((uint32_t)COUNTER_##family + (uint32_t)(first) * (uint32_t)STRIDE_##family + \
                    (uint32_t)(second)))

enum counter_kind { COUNTER_KIND_COUNTER, COUNTER_KIND_GAUGE };

struct counter_description {
    const char *name;
    const char *labels;
    enum counter_kind kind;
    const char *help;
};

extern const struct counter_description counter_descriptions[COUNTER_ROWS_LEN];

/* The counter of a code. A code that is none of ours counts as: a custom disconnect, unsubscribe
 * 2000. */
enum counter counter_of_disconnect(uint32_t code);
enum counter counter_of_unsubscribe(uint32_t code);

#endif
