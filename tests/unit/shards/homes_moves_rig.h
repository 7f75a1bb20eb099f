/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that move, in the words of the tests of homes. */
#ifndef ROOST_TESTS_UNIT_SHARDS_HOMES_MOVES_RIG_H
#define ROOST_TESTS_UNIT_SHARDS_HOMES_MOVES_RIG_H

#include "tests/unit/shards/homes_rig.h"

enum {
    ASKER = 3,
    FOLLOWER = 4,
    HERE = 0, /* Where the map says that all homes are. */
    THERE = 1,
    TTL_S = 60, /* Of what is kept. */
    META_TTL_S = 600,
    WHOLE = CHANNEL_MOVE_FIRST | CHANNEL_MOVE_LAST,
};

extern const struct stream_position nowhere;

struct mailbox *router(void);
void turn(void);
void map_says(uint16_t node);
void map_says_of(const char *name, uint16_t node);
struct message routes(enum message_type type);
void routes_nothing(void);
struct channel_move *routes_piece(struct message *message);
void router_says(const struct message *message);
void is_taken(const struct message *piece, uint32_t error);
void routes_settled(void);
bool routes_missed(const char *name);
void is_noted(const char *name);
void was_missed(uint32_t origin, const char *name, bool is_kept);
bool routes_noted(uint32_t origin, const char *name);
void slots_are_ready(void);
/* The router is asked for the other nodes, and answers. */
void nodes_answer(uint32_t op, uint32_t error);
void nodes_are_not_quiet(void);
void keeps(const char *channel, const char *data);
struct message_published kept(uint32_t error);
void subscribes_with(uint32_t edge, const char *channel, uint32_t flags,
                     struct stream_position since);
struct message_subscribed subscribed(uint32_t edge, uint32_t error);
void hears_offset(uint32_t edge, uint64_t sequence, uint64_t offset);
void hears_moved(uint32_t edge);
struct buf *page_of(uint64_t first, uint32_t len);
uint32_t comes(uint32_t flags, uint64_t sequence, struct buf *page, uint64_t offset);
uint32_t comes_from(uint32_t origin, uint32_t flags, uint64_t sequence, struct buf *page,
                    uint64_t offset);
int open_rig(void **state);
int close_rig(void **state);

#define MOVES_TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

#endif
