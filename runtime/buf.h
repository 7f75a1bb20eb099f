/* SPDX-License-Identifier: Apache-2.0 */
/* Immutable bytes that cross shards, and the frames through which one shard shares them further.
 *
 *   publication --> buf (atomic count: one for each shard that holds it)
 *                    |            |
 *                 frame        frame        (plain count: one for each connection's output)
 *                 /   \         /  \
 *               conn  conn   conn  conn
 *
 * So an atomic is paid once a shard and not once a connection. A frame that never crosses holds its
 * bytes itself.
 */
#ifndef ROOST_RUNTIME_BUF_H
#define ROOST_RUNTIME_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/check.h"

/* Written by its creator before the first message that carries it; nobody writes it afterwards. */
struct buf {
    uint32_t refs; /* Atomic. */
    uint32_t len;
    uint8_t bytes[];
};

/* One count, held by the caller. NULL when memory is out. */
MUST_CHECK struct buf *buf_create(uint32_t len);
MUST_CHECK struct buf *buf_copy(const void *at, size_t len);

/* `more` further counts, before the buf is handed to that many shards. */
void buf_share(struct buf *buf, uint32_t more);

/* Gives one count back; the last one frees. NULL is allowed. Any shard. */
void buf_release(struct buf *buf);

enum { FRAME_BLOCK_ROOM = 32 * 1024 };

/* Owned by one shard, all its holders are that shard's. */
struct frame {
    uint32_t refs;
    uint32_t len;
    const uint8_t *bytes;
    struct buf *shared; /* Whose bytes they are; NULL when they follow this struct. */
    uint32_t room;      /* Bytes that may follow this struct; 0 when shared. */
};

/* A frame with room for `room` bytes of its own, len 0; the caller fills frame_bytes() and sets
 * len. One count, held by the caller. NULL when memory is out. */
MUST_CHECK struct frame *frame_create(uint32_t room);
static inline uint8_t *frame_bytes(struct frame *frame)
{
    return (uint8_t *)(frame + 1);
}

/* A large frame, one that was just freed and is still in the cache: to be filled and sent within
 * the turn. FRAME_BLOCK_ROOM bytes of room. NULL also when the thread has FRAME_BLOCKS_MAX of them
 * in use. As frame_create otherwise. */
MUST_CHECK struct frame *frame_create_block(void);
static inline bool frame_is_block(const struct frame *frame)
{
    return frame->room == FRAME_BLOCK_ROOM;
}

/* A frame over `len` bytes at `offset` of a shared buf; takes over the caller's count of the buf,
 * also when it returns NULL because memory is out. */
MUST_CHECK struct frame *frame_wrap(struct buf *buf, uint32_t offset, uint32_t len);

static inline struct frame *frame_hold(struct frame *frame)
{
    frame->refs++;
    return frame;
}

/* For frame_release alone. */
void frame_free(struct frame *frame);

static inline void frame_release(struct frame *frame)
{
    if (--frame->refs == 0) {
        frame_free(frame);
    }
}

/* Frees the blocks and frame headers that the calling thread kept for their next use: when it has
 * fallen silent, and as it ends. */
void frame_free_kept(void);

#endif
