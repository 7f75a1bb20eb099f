/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit of the runtime in one place, and how they relate. */
#ifndef ROOST_RUNTIME_LIMITS_H
#define ROOST_RUNTIME_LIMITS_H

#include <assert.h>

enum {
    /* Shards of one node, the router shard among them. */
    SHARDS_MAX = 256,

    /* Slots of one ring (64 B each, one stays free): shallow, as N shards have N x N rings. */
    RING_DEPTH = 128,
    /* Messages staged for one target when its ring is full. Requests are refused beyond the first
     * figure, so that answers and clean-up always find room up to the second. */
    MAILBOX_STAGED_REQUESTS_MAX = 8192,
    MAILBOX_STAGED_MAX = 32768,
    /* Empty staging chunks (1 KiB each) that a shard keeps for their next use. */
    MAILBOX_CHUNKS_KEPT_MAX = 64,

    /* Budgets of one turn of the loop. */
    TURN_MESSAGES_A_RING = 256,
    TURN_REPLY_ROUNDS = 4,
    TURN_EVENTS = 512,
    TURN_TIMERS = 4096,
    TURN_ACCEPTS = 64,
    /* Sends that leave in one system call. */
    TURN_SENDS = 256,

    /* The one receive buffer of a shard, and what one connection may read in one turn. */
    RECEIVE_BUFFER_SIZE = 256 * 1024,

    /* Slices that one writev hands to the kernel. */
    OUTQ_SLICES_MAX = 64,
    /* Free blocks that a thread keeps of each kind: queue chunks (128 B), frame headers. */
    OUTQ_CHUNKS_KEPT_MAX = 512,
    FRAMES_KEPT_MAX = 256,
    /* Blocks (32 KiB) of a thread in which the answers to one read are collected. */
    FRAME_BLOCKS_MAX = 2,

    /* After this long without events or messages a shard gives free memory back to the system. */
    SHARD_SILENCE_MS = 2000,

    /* A shard's turn that is later than this found the shard stalled. */
    SHARD_STALL_MS = 250,

    /* How long a stopping node waits for the messages between its shards. */
    SHARD_STOP_MS_MAX = 2000,

    LOG_LINE_MAX = 1024,
    LOG_BUFFER_SIZE = 64 * 1024,
};

static_assert((TURN_SENDS & (TURN_SENDS - 1)) == 0, "io_uring wants a power of two");
static_assert((RING_DEPTH & (RING_DEPTH - 1)) == 0, "ck_ring wants a power of two");
static_assert(MAILBOX_STAGED_MAX >= 2 * MAILBOX_STAGED_REQUESTS_MAX,
              "answers to every accepted request must find room");

#endif
