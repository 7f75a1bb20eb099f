/* SPDX-License-Identifier: Apache-2.0 */
/* What is true of maps, as far as backends were told, and whether any was told otherwise.
 *
 * Each write (a publication of a key or its removal) that is acknowledged has a place: an epoch and
 * an offset, greater than that of whatever was acknowledged before it was sent. Who reads a map in
 * that epoch finds of each key what was acknowledged last, or something newer.
 */
#ifndef ROOST_TESTS_SIM_MAP_TRUTH_H
#define ROOST_TESTS_SIM_MAP_TRUTH_H

#include <stdbool.h>
#include <stdint.h>

enum { MAPS = 3, MAP_KEYS = 6, MAP_EPOCH_SIZE = 24, MAP_WRITE_NONE = 0 };

enum map_write_fate {
    MAP_WRITE_UNKNOWN, /* It may have been made, or may be yet. */
    MAP_WRITE_DONE,
    MAP_WRITE_NOTHING, /* It changed nothing. */
};

struct map_write {
    uint8_t map;
    uint8_t key;
    uint8_t fate;
    bool is_removal;
    char epoch[MAP_EPOCH_SIZE]; /* As the next three, of one that is done. */
    uint64_t offset;
    uint64_t sent_at; /* In the truth's count. */
    uint64_t answered_at;
};

struct map_truth {
    struct map_write *writes;
    uint32_t len; /* The first is 1. */
    uint32_t room;
    uint32_t done;
    uint32_t reads;
};

/* What somebody read of a whole map. */
struct map_reading {
    uint8_t map;
    char epoch[MAP_EPOCH_SIZE];
    uint64_t offset;
    uint64_t asked_at;
    uint32_t writes[MAP_KEYS]; /* Of each key; MAP_WRITE_NONE: it is not there. */
    uint64_t offsets[MAP_KEYS];
};

struct truth;

void map_truth_clear(struct map_truth *maps);

/* The number of a write that is about to be sent; its fate is unknown until it is answered. */
uint32_t map_truth_send(struct truth *truth, uint8_t map, uint8_t key, bool is_removal);
void map_truth_nothing(struct truth *truth, uint32_t id);
void map_truth_done(struct truth *truth, uint32_t id, const char *epoch, uint64_t offset);
void map_truth_read(struct truth *truth, const struct map_reading *reading);

#endif
