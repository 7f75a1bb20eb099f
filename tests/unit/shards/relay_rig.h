/* SPDX-License-Identifier: Apache-2.0 */
/* A relay between shards that are inboxes and nodes that are a tape of what was sent to them. The
 * node itself is number 0 of the placement.
 */
#ifndef ROOST_TESTS_UNIT_SHARDS_RELAY_RIG_H
#define ROOST_TESTS_UNIT_SHARDS_RELAY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "shards/actors.h"
#include "shards/payloads.h"
#include "shards/router/placement.h"
#include "shards/router/relay/relay.h"

#include <cmocka.h>

enum { SHARDS = 3, ROUTER = SHARDS, NODES = 3, INBOX = 4096, TAPE = 64, TICK_MS = 5 };

/* What was sent to a node, as it would arrive. */
struct sent {
    uint8_t to; /* The first byte of the uid. */
    enum message_class class;
    struct link_message message;
    uint8_t bytes[512];                /* That the message points into. */
    uint8_t payload[MISSED_SLOTS_LEN]; /* None is longer. */
    uint32_t payload_len;
};

extern struct shard shards[SHARDS + 1];
extern struct sent tape[TAPE];
extern uint32_t tape_len; /* Also of what did not fit on it. */
extern uint32_t tape_heard;
extern bool wire_is_full;
extern uint32_t inbox_len[SHARDS];
extern uint8_t leaving;    /* The node that is about to leave by the next placement; NODES: none. */
extern bool gone_was_home; /* The newest session that ended, as all shards were told. */

/* Lets messages travel until nothing moves. */
void settle(void);
void time_passes(uint64_t ms);
/* Of so many nodes, with the sessions of now. Slots that the node gains are asked for. */
void make_placement(uint64_t version, uint32_t nodes);
/* The same while the node has only just come. */
void make_early_placement(uint64_t version, uint32_t nodes);
/* Those that are at home at the node. */
void slots_of(uint16_t home, uint8_t set[SLOT_SET_LEN]);
bool all_is_handed_over(void);
/* The slots that the node has gained with the newest placement: it asks a node for them, */
void node_hears_slots_asked(uint8_t index);
/* is told that they are not there (any more), */
void node_says_slots_moved(uint8_t index);
/* and each of its shards, that it need not wait for them. */
void shards_hear_slots_ready(void);
void shards_hear_ready(const uint8_t set[SLOT_SET_LEN]);
void link_up(uint8_t index);
void link_down(uint8_t index);
/* The node is one of NODES, has sessions with the others, and waits for no slot. */
int relay_set_up(void **state);
int relay_tear_down(void **state);
/* By the router. */
uint64_t counted(enum counter counter);
struct placement_home home_of(const char *name);
/* The number-th name whose home is that node; one of the last eight. */
const char *name_at(uint16_t home, uint32_t number);
struct buf *text(const char *from);
/* The next message of a shard, whose counts are then the test's. */
struct message shard_hears(uint32_t shard, enum message_type type);
/* The next of what was sent, to whomever. */
const struct sent *node_hears(uint8_t index, enum link_message_kind kind);
void nobody_hears_more(void);
void node_says(uint8_t index, const struct link_message *message, struct span payload);
void shard_publishes(uint32_t shard, const char *channel, uint32_t cookie);
void shard_hears_published(uint32_t shard, uint32_t cookie, uint32_t error);
void shard_subscribes(uint32_t shard, const char *channel, uint32_t handle, uint32_t flags);
/* Returns the flags. */
uint32_t shard_hears_subscribed(uint32_t shard, uint32_t handle, uint32_t error);
/* A shard registers a far channel and hears that it is; returns the relay's handle of it. */
uint32_t shard_joins(uint32_t shard, const char *channel, uint32_t handle, uint32_t protocol);
/* The payload says nothing but data. */
void node_publishes(uint8_t index, uint32_t registration, uint64_t sequence);
void shard_hears_publication(uint32_t shard, uint32_t handle, uint64_t sequence,
                             uint32_t protocols);

#define TEST(name) cmocka_unit_test_setup_teardown(name, relay_set_up, relay_tear_down)

#endif
