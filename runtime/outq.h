/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's output: frames waiting for one writev at the end of the turn, bounded in bytes.
 *
 *      head_sent
 *      |
 *   [##..frame]                                   one frame: the queue points to it
 *   [##..frame][frame][frame] ... -> [frame]      more: chunks of frame pointers
 *
 * Belongs to one shard. Zero-initialised it is empty; empty it holds no memory beyond itself.
 */
#ifndef ROOST_RUNTIME_OUTQ_H
#define ROOST_RUNTIME_OUTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/buf.h"
#include "runtime/check.h"
#include "runtime/poller.h"
#include "runtime/stream.h"

struct outq_chunk;

struct outq {
    void *first;             /* The only frame, or the first chunk; NULL while empty. */
    struct outq_chunk *last; /* NULL: there is no chunk. */
    uint32_t bytes;          /* Not yet taken by the socket. */
    uint32_t head_sent;      /* Bytes of the first frame that the socket took. */
};

enum outq_result {
    OUTQ_DONE,    /* Everything was taken. */
    OUTQ_BLOCKED, /* The socket is full: flush again when it is writable. */
    OUTQ_GONE,    /* The peer is gone. */
};

/* Appends a frame; takes a count of its own. False when bytes would pass `bytes_max` or memory is
 * out: nothing was appended and the caller disconnects (slow consumer). bytes_max 0: no limit. */
MUST_CHECK bool outq_append(struct outq *outq, struct frame *frame, uint32_t bytes_max);

/* Appends a copy of bytes, merged into the last frame when that is the connection's own and has
 * room. False as outq_append. */
MUST_CHECK bool outq_append_bytes(struct outq *outq, const void *at, uint32_t len,
                                  uint32_t bytes_max);

/* Room for `len` bytes at the end of the queue, to be written in place at once; then outq_commit of
 * what was used (0 is allowed). NULL as outq_append's false: then nothing is to be committed.
 * Between the two calls nothing else may touch the queue. */
MUST_CHECK uint8_t *outq_reserve(struct outq *outq, uint32_t len, uint32_t bytes_max);
void outq_commit(struct outq *outq, uint32_t len);

/* One writev of up to OUTQ_SLICES_MAX slices; when more wait it goes on until the socket is full.
 * `sent` is set to the bytes taken, whatever the result. */
enum outq_result outq_flush(struct outq *outq, struct stream *stream, struct poller *poller,
                            uint64_t *sent);

/* The only frame that waits, as a slice, to be sent by other means; then outq_taken. False: nothing
 * waits, or more than one. */
bool outq_only_slice(const struct outq *outq, struct iovec *slice);

/* What a send of the first `offered` bytes returned (bytes, or a failure of the poller). */
enum outq_result outq_taken(struct outq *outq, size_t offered, ssize_t taken);

/* Drops what waits. The queue is as if zero-initialised. */
void outq_clear(struct outq *outq);

/* Drops what waits but for the rest of a frame that the socket took in part: what is appended next
 * still begins where a frame may begin. False when memory is out: the stream is broken then. */
MUST_CHECK bool outq_drop_unsent(struct outq *outq);

static inline bool outq_is_empty(const struct outq *outq)
{
    return outq->bytes == 0;
}

/* Bytes of memory the queue itself pins (chunks and own frames, not shared bytes). */
size_t outq_memory(const struct outq *outq);

/* Frees the chunks that the calling thread kept for their next use: when it has fallen
 * silent, and as it ends. */
void outq_free_kept(void);

#endif
