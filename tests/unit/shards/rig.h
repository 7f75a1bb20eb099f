/* SPDX-License-Identifier: Apache-2.0 */
/* Serving shards without threads, sockets or edges: real mailboxes, homes and directories on shard
 * 0, and on every shard an inbox that keeps what its edge would get.
 */
#ifndef ROOST_TESTS_UNIT_SHARDS_RIG_H
#define ROOST_TESTS_UNIT_SHARDS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "shards/actors.h"
#include "shards/payloads.h"

#include <cmocka.h>

enum { RIG_SHARDS_MAX = 64, RIG_HOME = 0 };

/* Messages that an edge got, oldest first; `taken` of them were looked at. */
struct inbox {
    struct message *messages;
    size_t len;
    size_t room;
    size_t taken;
};

struct rig {
    uint32_t shards; /* The router's, which does nothing here, is one more. */
    struct node_options options;
    struct node *node;
    struct mailbox_matrix *matrix;
    struct shard shard[RIG_SHARDS_MAX];
    struct actors home; /* Of shard RIG_HOME. */
    struct inbox inbox[RIG_SHARDS_MAX];
    bool is_stuck[RIG_SHARDS_MAX]; /* These do not drain. */
    bool keeps_surveys;            /* Of wildcards, for the test to answer. */
};

void rig_open(struct rig *rig, uint32_t shards, uint32_t channels_max, uint32_t users_max);

/* Fails the test when a message was not looked at and was not dropped by rig_drop. */
void rig_close(struct rig *rig);

/* Lets messages travel until nothing moves; stuck shards take none. */
void rig_settle(struct rig *rig);

/* The home's time goes on, and what is due fires. */
void rig_advance(struct rig *rig, uint64_t ms);

/* The next message in a shard's inbox, which must be of this type. The counts in it are then the
 * test's. */
struct message rig_take(struct rig *rig, uint32_t shard, enum message_type type);

/* How many were not looked at yet. */
size_t rig_left(const struct rig *rig, uint32_t shard);

/* Takes and releases all that is left; returns how many those were. */
size_t rig_drop(struct rig *rig, uint32_t shard);

/* Makes the shard stuck, and fills its ring from the home and the staging before it until only
 * `room` more messages of the class REPLY fit. Returns how many those are; they show up as
 * NODES_ASK. */
uint32_t rig_fill(struct rig *rig, uint32_t shard, uint32_t room);

uint64_t rig_counter(const struct rig *rig, enum counter counter);

struct buf *rig_text(const char *text);

/* An identity whose client id is sixteen times the byte. */
struct buf *rig_identity(uint8_t client, const char *user, const char *conn_info,
                         const char *chan_info);

#endif
