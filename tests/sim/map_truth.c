/* SPDX-License-Identifier: Apache-2.0 */
/* Compares each write and each reading with all that was written before. */
#include "tests/sim/map_truth.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/check.h"
#include "tests/sim/truth.h"

enum { ROOM_MIN = 64 };

void map_truth_clear(struct map_truth *maps)
{
    free(maps->writes);
    *maps = (struct map_truth){0};
}

uint32_t map_truth_send(struct truth *truth, uint8_t map, uint8_t key, bool is_removal)
{
    struct map_truth *maps = &truth->maps;
    if (maps->len + 1 >= maps->room) {
        maps->room = maps->room == 0 ? ROOM_MIN : 2 * maps->room;
        maps->writes = realloc(maps->writes, maps->room * sizeof(*maps->writes));
        BUG_IF(maps->writes == NULL);
    }
    maps->writes[++maps->len] = (struct map_write){.map = map,
                                                   .key = key,
                                                   .is_removal = is_removal,
                                                   .sent_at = ++truth->now};
    return maps->len;
}

void map_truth_nothing(struct truth *truth, uint32_t id)
{
    truth->maps.writes[id].fate = MAP_WRITE_NOTHING;
}

static bool is_in(const struct map_write *write, uint8_t map, const char *epoch)
{
    return write->fate == MAP_WRITE_DONE && write->map == map && strcmp(write->epoch, epoch) == 0;
}

void map_truth_done(struct truth *truth, uint32_t id, const char *epoch, uint64_t offset)
{
    struct map_truth *maps = &truth->maps;
    struct map_write *write = &maps->writes[id];
    for (uint32_t i = 1; i <= maps->len; i++) {
        const struct map_write *other = &maps->writes[i];
        if (!is_in(other, write->map, epoch)) {
            continue;
        }
        if (other->offset == offset ||
            (other->answered_at < write->sent_at && other->offset > offset)) {
            truth_fail(truth, CHANNEL_NONE,
                       "map %u: write %u is at %" PRIu64 " of %s, write %u before it at %" PRIu64,
                       write->map, id, offset, epoch, i, other->offset);
        }
    }
    memcpy(write->epoch, epoch, strlen(epoch) + 1);
    write->offset = offset;
    write->answered_at = ++truth->now;
    write->fate = MAP_WRITE_DONE;
    maps->done++;
}

/* ---- readings ---- */

/* The newest write of a key that was acknowledged before the map was asked for; NULL: none was. */
static const struct map_write *newest_of(const struct map_truth *maps,
                                         const struct map_reading *reading, uint8_t key)
{
    const struct map_write *newest = NULL;
    for (uint32_t i = 1; i <= maps->len; i++) {
        const struct map_write *write = &maps->writes[i];
        if (write->key == key && is_in(write, reading->map, reading->epoch) &&
            write->answered_at < reading->asked_at &&
            (newest == NULL || write->offset > newest->offset)) {
            newest = write;
        }
    }
    return newest;
}

/* May a removal have come behind it? */
static bool may_be_removed(const struct map_truth *maps, const struct map_write *write)
{
    for (uint32_t i = 1; i <= maps->len; i++) {
        const struct map_write *other = &maps->writes[i];
        const bool is_later =
            other->fate == MAP_WRITE_UNKNOWN ||
            (is_in(other, write->map, write->epoch) && other->offset > write->offset);
        if (other->is_removal && other->map == write->map && other->key == write->key && is_later) {
            return true;
        }
    }
    return false;
}

static void check_there(struct truth *truth, const struct map_reading *reading, uint8_t key,
                        const struct map_write *newest)
{
    const uint32_t id = reading->writes[key];
    const uint64_t offset = reading->offsets[key];
    const struct map_write *write = id <= truth->maps.len ? &truth->maps.writes[id] : NULL;
    if (write == NULL || write->map != reading->map || write->key != key || write->is_removal ||
        write->fate == MAP_WRITE_NOTHING) {
        truth_fail(truth, CHANNEL_NONE, "map %u: key %u has write %u, which is none of its",
                   reading->map, key, id);
    } else if (write->fate == MAP_WRITE_DONE &&
               (strcmp(write->epoch, reading->epoch) != 0 || write->offset != offset)) {
        truth_fail(truth, CHANNEL_NONE,
                   "map %u: write %u is read at %" PRIu64 " of %s, it was made at %" PRIu64
                   " of %s",
                   reading->map, id, offset, reading->epoch, write->offset, write->epoch);
    } else if (newest != NULL && newest->offset > offset) {
        truth_fail(truth, CHANNEL_NONE,
                   "map %u: key %u is read at %" PRIu64 " of %s, it was changed at %" PRIu64,
                   reading->map, key, offset, reading->epoch, newest->offset);
    }
}

void map_truth_read(struct truth *truth, const struct map_reading *reading)
{
    truth->maps.reads++;
    for (uint8_t key = 0; key < MAP_KEYS; key++) {
        const struct map_write *newest = newest_of(&truth->maps, reading, key);
        if (newest != NULL && newest->offset > reading->offset) {
            truth_fail(truth, CHANNEL_NONE,
                       "map %u ends at %" PRIu64 " of %s, but %" PRIu64 " was acknowledged",
                       reading->map, reading->offset, reading->epoch, newest->offset);
        }
        if (reading->writes[key] != MAP_WRITE_NONE) {
            check_there(truth, reading, key, newest);
        } else if (newest != NULL && !newest->is_removal && !may_be_removed(&truth->maps, newest)) {
            truth_fail(truth, CHANNEL_NONE,
                       "map %u: key %u, written at %" PRIu64 " of %s, is not there", reading->map,
                       key, newest->offset, reading->epoch);
        }
    }
}
