/* SPDX-License-Identifier: Apache-2.0 */
/* The two counts of a publication's bytes: atomic for each shard, plain for each connection. */
#include "runtime/buf.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/limits.h"
#include "runtime/recycle.h"

/* Headers of wrapping frames are taken and given back for each publication on each shard. */
static _Thread_local struct recycle frames_kept;
static _Thread_local struct recycle blocks_kept;
static _Thread_local uint32_t blocks_in_use;

struct buf *buf_create(uint32_t len)
{
    struct buf *buf = malloc(sizeof *buf + len);
    if (buf != NULL) {
        buf->refs = 1;
        buf->len = len;
    }
    return buf;
}

struct buf *buf_copy(const void *at, size_t len)
{
    if (len > UINT32_MAX) {
        return NULL;
    }
    struct buf *buf = buf_create((uint32_t)len);
    if (buf != NULL && len > 0) {
        memcpy(buf->bytes, at, len);
    }
    return buf;
}

void buf_share(struct buf *buf, uint32_t more)
{
    /* Relaxed: the new holders learn of the buf through a ring, which orders this before them. */
    const uint32_t before = __atomic_fetch_add(&buf->refs, more, __ATOMIC_RELAXED);
    BUG_IF(before == 0 || before + more < before);
}

void buf_release(struct buf *buf)
{
    if (buf == NULL) {
        return;
    }
    /* Release: our reads come before the free. Acquire: the free comes after everybody's reads. */
    const uint32_t before = __atomic_fetch_sub(&buf->refs, 1, __ATOMIC_ACQ_REL);
    BUG_IF(before == 0);
    if (before == 1) {
        free(buf);
    }
}

/* NULL stays NULL. */
static struct frame *frame_of_memory(struct frame *frame, uint32_t room)
{
    if (frame != NULL) {
        frame->refs = 1;
        frame->len = 0;
        frame->bytes = frame_bytes(frame);
        frame->shared = NULL;
        frame->room = room;
    }
    return frame;
}

struct frame *frame_create(uint32_t room)
{
    /* That room is the mark of blocks. */
    const uint32_t marked = room == FRAME_BLOCK_ROOM ? room + 1 : room;
    return frame_of_memory(malloc(sizeof(struct frame) + marked), marked);
}

struct frame *frame_create_block(void)
{
    if (blocks_in_use == FRAME_BLOCKS_MAX) {
        return NULL;
    }
    struct frame *kept = recycle_take(&blocks_kept);
    if (kept == NULL) {
        kept = malloc(sizeof(struct frame) + FRAME_BLOCK_ROOM);
    }
    struct frame *block = frame_of_memory(kept, FRAME_BLOCK_ROOM);
    blocks_in_use += block != NULL;
    return block;
}

struct frame *frame_wrap(struct buf *buf, uint32_t offset, uint32_t len)
{
    BUG_IF(offset > buf->len || len > buf->len - offset);
    struct frame *frame = recycle_take(&frames_kept);
    if (frame == NULL) {
        frame = malloc(sizeof *frame);
    }
    if (frame == NULL) {
        buf_release(buf);
        return NULL;
    }
    frame->refs = 1;
    frame->len = len;
    frame->bytes = buf->bytes + offset;
    frame->shared = buf;
    frame->room = 0;
    return frame;
}

void frame_free(struct frame *frame)
{
    if (frame_is_block(frame)) {
        blocks_in_use--;
        recycle_give(&blocks_kept, frame, FRAME_BLOCKS_MAX);
        return;
    }
    if (frame->shared == NULL) {
        free(frame);
        return;
    }
    buf_release(frame->shared);
    recycle_give(&frames_kept, frame, FRAMES_KEPT_MAX);
}

void frame_free_kept(void)
{
    recycle_clear(&frames_kept);
    recycle_clear(&blocks_kept);
}
