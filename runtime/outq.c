/* SPDX-License-Identifier: Apache-2.0 */
/* A queue of frame pointers, and the writev that empties it.
 *
 * Most connections get one frame a turn: that one is in the queue's own pointer, and no other
 * memory is touched for it. The first answer of a turn is written into a block that the thread
 * keeps for that, and those that follow behind it; what the socket did not take of a block moves to
 * memory of its own length, so that a connection that waits pins no more than it must. Further
 * frames go into chunks of two cache lines. These come from a list that the
 * thread keeps; the last one freed is the first one taken, so it is still in the cache.
 */
#include "runtime/outq.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/limits.h"
#include "runtime/recycle.h"

enum {
    OUTQ_CHUNK_FRAMES = 14,
    /* Behind other frames own bytes are collected in frames of at least this size, so that small
       replies merge. */
    OUTQ_OWN_FRAME_SIZE = 256,
    OUTQ_OWN_FRAME_SIZE_MAX = 16 * 1024,
};

/* Frames begin .. end-1 wait; a chunk in a queue is never empty. */
struct outq_chunk {
    struct outq_chunk *next;
    uint16_t begin;
    uint16_t end;
    struct frame *frames[OUTQ_CHUNK_FRAMES];
};

static_assert(sizeof(struct outq_chunk) == 128, "two cache lines");

static _Thread_local struct recycle chunks_kept;

void outq_free_kept(void)
{
    recycle_clear(&chunks_kept);
}

/* A chunk that holds one frame. */
static struct outq_chunk *outq_create_chunk(struct frame *frame)
{
    struct outq_chunk *chunk = recycle_take(&chunks_kept);
    if (chunk == NULL) {
        chunk = aligned_alloc(64, sizeof *chunk);
        if (chunk == NULL) {
            return NULL;
        }
    }
    chunk->next = NULL;
    chunk->begin = 0;
    chunk->end = 1;
    chunk->frames[0] = frame;
    return chunk;
}

/* Takes over the caller's count of the frame, unless memory is out. */
static bool outq_push(struct outq *outq, struct frame *frame)
{
    if (outq->first == NULL) {
        outq->first = frame;
        return true;
    }
    if (outq->last == NULL) {
        struct outq_chunk *chunk = outq_create_chunk(outq->first);
        if (chunk == NULL) {
            return false;
        }
        outq->first = chunk;
        outq->last = chunk;
    }
    struct outq_chunk *last = outq->last;
    if (last->end < OUTQ_CHUNK_FRAMES) {
        last->frames[last->end++] = frame;
        return true;
    }
    last->next = outq_create_chunk(frame);
    if (last->next == NULL) {
        return false;
    }
    outq->last = last->next;
    return true;
}

static void outq_drop_first_chunk(struct outq *outq)
{
    struct outq_chunk *chunk = outq->first;
    outq->first = chunk->next;
    if (outq->first == NULL) {
        outq->last = NULL;
    }
    recycle_give(&chunks_kept, chunk, OUTQ_CHUNKS_KEPT_MAX);
}

static bool outq_has_room(const struct outq *outq, uint32_t len, uint32_t bytes_max)
{
    const uint64_t bytes = (uint64_t)outq->bytes + len;
    return bytes <= (bytes_max == 0 ? UINT32_MAX : bytes_max);
}

bool outq_append(struct outq *outq, struct frame *frame, uint32_t bytes_max)
{
    if (frame->len == 0) {
        return true;
    }
    if (!outq_has_room(outq, frame->len, bytes_max) || !outq_push(outq, frame)) {
        return false;
    }
    frame_hold(frame);
    outq->bytes += frame->len;
    return true;
}

/* NULL while the queue is empty. */
static struct frame *outq_first_frame(const struct outq *outq)
{
    const struct outq_chunk *chunk = outq->first;
    return outq->last == NULL ? outq->first : chunk->frames[chunk->begin];
}

static struct frame *outq_last_frame(const struct outq *outq)
{
    const struct outq_chunk *last = outq->last;
    return last == NULL ? outq->first : last->frames[last->end - 1];
}

/* The last frame, when nobody else holds it and `len` more bytes fit behind its own. */
static struct frame *outq_open_frame(const struct outq *outq, uint32_t len)
{
    struct frame *frame = outq_last_frame(outq);
    if (frame == NULL) {
        return NULL;
    }
    const bool is_own = frame->shared == NULL && frame->refs == 1;
    return is_own && frame->room - frame->len >= len ? frame : NULL;
}

/* Where much waits, or comes, more is likely: larger frames make fewer slices of many answers. */
static uint32_t outq_own_frame_size(const struct outq *outq, uint32_t len)
{
    const uint64_t size = 8 * ((uint64_t)outq->bytes + len);
    if (size <= OUTQ_OWN_FRAME_SIZE) {
        return OUTQ_OWN_FRAME_SIZE;
    }
    return size >= OUTQ_OWN_FRAME_SIZE_MAX ? OUTQ_OWN_FRAME_SIZE_MAX : (uint32_t)size;
}

static struct frame *outq_create_own(const struct outq *outq, uint32_t len)
{
    const uint32_t room_min = outq_own_frame_size(outq, len) - (uint32_t)sizeof(struct frame);
    return frame_create(len > room_min ? len : room_min);
}

uint8_t *outq_reserve(struct outq *outq, uint32_t len, uint32_t bytes_max)
{
    if (!outq_has_room(outq, len, bytes_max)) {
        return NULL;
    }
    if (outq->bytes == 0 && len <= FRAME_BLOCK_ROOM) {
        outq->first = frame_create_block();
        if (outq->first != NULL) {
            return frame_bytes(outq->first);
        }
    }
    struct frame *frame = outq_open_frame(outq, len);
    if (frame == NULL) {
        frame = outq_create_own(outq, len);
        if (frame == NULL) {
            return NULL;
        }
        if (!outq_push(outq, frame)) {
            frame_release(frame);
            return NULL;
        }
    }
    return frame_bytes(frame) + frame->len;
}

/* An empty frame may stand in the queue only between a reserve and its commit. */
static void outq_drop_empty_last(struct outq *outq)
{
    struct outq_chunk *last = outq->last;
    if (last == NULL) {
        frame_release(outq->first);
        outq->first = NULL;
        return;
    }
    frame_release(last->frames[--last->end]);
    if (last->end > last->begin) {
        return;
    }
    if (outq->first == last) {
        outq_drop_first_chunk(outq);
        return;
    }
    struct outq_chunk *before = outq->first;
    while (before->next != last) {
        before = before->next;
    }
    before->next = NULL;
    outq->last = before;
    recycle_give(&chunks_kept, last, OUTQ_CHUNKS_KEPT_MAX);
}

void outq_commit(struct outq *outq, uint32_t len)
{
    struct frame *frame = outq_open_frame(outq, len);
    BUG_IF(frame == NULL); /* More than was reserved, or nothing was. */
    frame->len += len;
    outq->bytes += len;
    if (frame->len == 0) {
        outq_drop_empty_last(outq);
    }
}

bool outq_append_bytes(struct outq *outq, const void *at, uint32_t len, uint32_t bytes_max)
{
    if (len == 0) {
        return true;
    }
    uint8_t *room = outq_reserve(outq, len, bytes_max);
    if (room == NULL) {
        return false;
    }
    memcpy(room, at, len);
    outq_commit(outq, len);
    return true;
}

/* What of the frame is still to be sent, as a slice. */
static size_t outq_slice(const struct frame *frame, uint32_t skip, struct iovec *slice)
{
    /* An iovec has no const form; the kernel only reads. */
    slice->iov_base = (void *)(uintptr_t)(frame->bytes + skip);
    slice->iov_len = frame->len - skip;
    return slice->iov_len;
}

/* The first frames, at most OUTQ_SLICES_MAX of them; returns how many bytes they are. */
static size_t outq_gather(const struct outq *outq, struct iovec *slices, int *count)
{
    if (outq->last == NULL) {
        *count = 1;
        return outq_slice(outq->first, outq->head_sent, slices);
    }
    size_t bytes = 0;
    int n = 0;
    const struct outq_chunk *chunk = outq->first;
    for (; chunk != NULL && n < OUTQ_SLICES_MAX; chunk = chunk->next) {
        for (uint32_t i = chunk->begin; i < chunk->end && n < OUTQ_SLICES_MAX; i++) {
            bytes += outq_slice(chunk->frames[i], n == 0 ? outq->head_sent : 0, &slices[n]);
            n++;
        }
    }
    *count = n;
    return bytes;
}

/* Forgets `sent` bytes at the front, fewer than there are. */
static void outq_consume(struct outq *outq, size_t sent)
{
    outq->bytes -= (uint32_t)sent;
    size_t left = sent + outq->head_sent;
    while (outq->last != NULL) {
        struct outq_chunk *chunk = outq->first;
        while (chunk->begin < chunk->end && left >= chunk->frames[chunk->begin]->len) {
            struct frame *frame = chunk->frames[chunk->begin++];
            left -= frame->len;
            frame_release(frame);
        }
        if (chunk->begin < chunk->end) {
            break;
        }
        outq_drop_first_chunk(outq);
    }
    outq->head_sent = (uint32_t)left;
}

/* The socket is full. Only the first frame can be a block, since one is taken for an empty queue.
 * Without memory the block stays, which costs memory alone. */
static enum outq_result outq_block(struct outq *outq)
{
    struct frame *block = outq_first_frame(outq);
    if (!frame_is_block(block)) {
        return OUTQ_BLOCKED;
    }
    /* The last byte that went comes along, so that head_sent still tells that there was one. */
    const uint32_t sent = outq->head_sent > 0 ? 1 : 0;
    const uint32_t from = outq->head_sent - sent;
    struct frame *own = frame_create(block->len - from);
    if (own == NULL) {
        return OUTQ_BLOCKED;
    }
    memcpy(frame_bytes(own), block->bytes + from, block->len - from);
    own->len = block->len - from;
    outq->head_sent = sent;
    if (outq->last == NULL) {
        outq->first = own;
    } else {
        struct outq_chunk *chunk = outq->first;
        chunk->frames[chunk->begin] = own;
    }
    frame_release(block);
    return OUTQ_BLOCKED;
}

bool outq_only_slice(const struct outq *outq, struct iovec *slice)
{
    if (outq->bytes == 0 || outq->last != NULL) {
        return false;
    }
    (void)outq_slice(outq->first, outq->head_sent, slice);
    return true;
}

/* There is no chunk: at most one frame. */
static inline void outq_clear_only(struct outq *outq)
{
    if (outq->first != NULL) {
        frame_release(outq->first);
    }
    *outq = (struct outq){0};
}

/* In line for outq_flush, which every answer goes through. */
static inline enum outq_result outq_take(struct outq *outq, size_t offered, ssize_t taken)
{
    if (taken < 0) {
        return taken == POLLER_AGAIN ? outq_block(outq) : OUTQ_GONE;
    }
    BUG_IF((size_t)taken > offered);
    if ((size_t)taken == outq->bytes) {
        if (outq->last == NULL) {
            outq_clear_only(outq);
        } else {
            outq_clear(outq);
        }
        return OUTQ_DONE;
    }
    outq_consume(outq, (size_t)taken);
    /* When less than was offered went, the socket is full, and will tell when it is not: asking
     * again would be one more system call for nothing. */
    return (size_t)taken < offered ? outq_block(outq) : OUTQ_DONE;
}

enum outq_result outq_taken(struct outq *outq, size_t offered, ssize_t taken)
{
    return outq_take(outq, offered, taken);
}

enum outq_result outq_flush(struct outq *outq, struct stream *stream, struct poller *poller,
                            uint64_t *sent)
{
    *sent = 0;
    while (outq->bytes > 0) {
        struct iovec slices[OUTQ_SLICES_MAX];
        int count;
        const size_t offered = outq_gather(outq, slices, &count);
        const ssize_t taken = stream_send(stream, poller, slices, count);
        *sent += taken > 0 ? (uint64_t)taken : 0;
        const enum outq_result result = outq_take(outq, offered, taken);
        if (result != OUTQ_DONE) {
            return result;
        }
    }
    return OUTQ_DONE;
}

void outq_clear(struct outq *outq)
{
    if (outq->last == NULL) {
        outq_clear_only(outq);
        return;
    }
    while (outq->first != NULL) {
        struct outq_chunk *chunk = outq->first;
        for (uint32_t i = chunk->begin; i < chunk->end; i++) {
            frame_release(chunk->frames[i]);
        }
        outq_drop_first_chunk(outq);
    }
    outq->bytes = 0;
    outq->head_sent = 0;
}

bool outq_drop_unsent(struct outq *outq)
{
    const uint32_t sent = outq->head_sent;
    if (sent == 0) {
        outq_clear(outq);
        return true;
    }
    struct frame *partial = outq_first_frame(outq);
    frame_hold(partial);
    outq_clear(outq);
    const bool is_kept = outq_append(outq, partial, 0);
    if (is_kept) {
        outq->head_sent = sent;
        outq->bytes -= sent;
    }
    frame_release(partial);
    return is_kept;
}

/* Bytes of a frame that no other queue shares. */
static size_t outq_own_memory(const struct frame *frame)
{
    return frame->shared == NULL && frame->refs == 1 ? sizeof *frame + frame->room : 0;
}

size_t outq_memory(const struct outq *outq)
{
    if (outq->last == NULL) {
        return outq->first == NULL ? 0 : outq_own_memory(outq->first);
    }
    size_t bytes = 0;
    for (const struct outq_chunk *chunk = outq->first; chunk != NULL; chunk = chunk->next) {
        bytes += sizeof *chunk;
        for (uint32_t i = chunk->begin; i < chunk->end; i++) {
            bytes += outq_own_memory(chunk->frames[i]);
        }
    }
    return bytes;
}
