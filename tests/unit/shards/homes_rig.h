/* SPDX-License-Identifier: Apache-2.0 */
/* What edges say to a home and hear from it, in the words of the tests of homes. */
#ifndef ROOST_TESTS_UNIT_SHARDS_HOMES_RIG_H
#define ROOST_TESTS_UNIT_SHARDS_HOMES_RIG_H

#include "tests/unit/shards/rig.h"

enum { EDGES = 40, CHANNELS_MAX = 50 };

extern struct rig rig;

int set_up(void **state);
int tear_down(void **state);
uint32_t hub_of(uint32_t edge);
void subscribes(uint32_t edge, const char *channel, uint32_t flags, struct buf *identity);
void unsubscribes(uint32_t edge, const char *channel, uint32_t flags, struct buf *identity);
void publishes_tagged(uint32_t edge, const char *channel, struct span data, const char *tags,
                      struct buf *identity);
void publishes(uint32_t edge, const char *channel, const char *data);
void asks_presence(uint32_t edge, const char *channel, uint32_t stats_only);
struct message_subscribed hears_subscribed(uint32_t edge, uint32_t error);
struct message_published hears_published(uint32_t edge, uint32_t error);
void assert_frame(const struct message_publication *body, const char *json, size_t len);
void hears(uint32_t edge, enum publication_kind kind, uint64_t sequence, const char *json);
void edge_joins(uint32_t edge, const char *channel);
struct message_presence hears_presence(uint32_t edge, uint32_t clients, uint32_t users);
void presence_is(const char *channel, uint32_t clients, uint32_t users);

#define JOIN(channel, user, digit) \
    "{\"push\":{\"channel\":\"" channel "\",\"join\":{\"info\":" INFO(user, digit) "}}}"
#define LEAVE(channel, user, digit) \
    "{\"push\":{\"channel\":\"" channel "\",\"leave\":{\"info\":" INFO(user, digit) "}}}"
#define INFO(user, digit) "{\"user\":\"" user "\",\"client\":\"" ID(digit) "\"}"
#define ID(digit) \
    DIGITS4(digit) \
    DIGITS4(digit) \
    "-" DIGITS4(digit) "-" DIGITS4(digit) "-" DIGITS4(digit) "-" DIGITS4(digit) DIGITS4(digit) \
        DIGITS4(digit)
#define DIGITS4(digit) digit digit digit digit

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
