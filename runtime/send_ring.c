/* SPDX-License-Identifier: Apache-2.0 */
/* Sends by the batch through io_uring (io_uring(7)), with the bare system calls.
 *
 * Why it is safe. A send with MSG_DONTWAIT is made, or refused, while it is submitted; waiting for
 * as many completions as were submitted only makes sure of that. So the ring is empty between two
 * calls, the bytes need to live no longer than for a send, and a socket may be closed at any time.
 */
#include "runtime/send_ring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/limits.h"

struct send_ring {
    int descriptor;
    pid_t thread; /* In whose descriptor table it is. */
    uint8_t *rings;
    size_t rings_len;
    struct io_uring_sqe *entries;
    size_t entries_len;
    uint32_t *entries_tail;     /* The kernel reads it. */
    uint32_t *completions_head; /* The kernel reads it. */
    uint32_t *completions_tail; /* The kernel writes it. */
    uint32_t completions_mask;
    struct io_uring_cqe *completions;
};

static void *ring_map(int descriptor, size_t len, uint64_t offset)
{
    return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor,
                (off_t)offset);
}

/* One mapping holds both rings since Linux 5.4, which is older than IORING_OP_SEND. */
static bool ring_map_all(struct send_ring *ring, const struct io_uring_params *params)
{
    const size_t entries_end = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
    const size_t completions_end =
        params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
    ring->rings_len = entries_end > completions_end ? entries_end : completions_end;
    ring->rings = ring_map(ring->descriptor, ring->rings_len, IORING_OFF_SQ_RING);
    if (ring->rings == MAP_FAILED) {
        return false;
    }
    ring->entries_len = params->sq_entries * sizeof(struct io_uring_sqe);
    ring->entries = ring_map(ring->descriptor, ring->entries_len, IORING_OFF_SQES);
    if (ring->entries == MAP_FAILED) {
        munmap(ring->rings, ring->rings_len);
        return false;
    }
    uint32_t *order = (uint32_t *)(void *)(ring->rings + params->sq_off.array);
    for (uint32_t i = 0; i < params->sq_entries; i++) {
        order[i] = i;
    }
    ring->entries_tail = (uint32_t *)(void *)(ring->rings + params->sq_off.tail);
    ring->completions_head = (uint32_t *)(void *)(ring->rings + params->cq_off.head);
    ring->completions_tail = (uint32_t *)(void *)(ring->rings + params->cq_off.tail);
    ring->completions_mask = params->cq_entries - 1;
    ring->completions = (struct io_uring_cqe *)(void *)(ring->rings + params->cq_off.cqes);
    return true;
}

struct send_ring *send_ring_create(void)
{
    struct io_uring_params params = {.flags = 0};
    struct send_ring *ring = calloc(1, sizeof *ring);
    if (ring == NULL) {
        return NULL;
    }
    ring->thread = gettid();
    ring->descriptor = (int)syscall(SYS_io_uring_setup, TURN_SENDS, &params);
    if (ring->descriptor >= 0 && ring_map_all(ring, &params)) {
        return ring;
    }
    const int error = errno;
    if (ring->descriptor >= 0) {
        close(ring->descriptor);
    }
    free(ring);
    errno = error;
    return NULL;
}

/* True when all that was submitted has completed. */
static bool ring_enter(const struct send_ring *ring, uint32_t count)
{
    uint32_t to_submit = count;
    for (;;) {
        const long submitted = syscall(SYS_io_uring_enter, ring->descriptor, to_submit, count,
                                       IORING_ENTER_GETEVENTS, NULL, 0);
        if (submitted == (long)to_submit) {
            return true;
        }
        if (submitted >= 0 || errno != EINTR) {
            return false;
        }
    }
}

static ssize_t result_of(int32_t completed)
{
    if (completed >= 0) {
        return completed;
    }
    if (completed == -EINTR || completed == -ECANCELED) {
        return POLLER_NOT_SENT;
    }
    return completed == -EAGAIN ? POLLER_AGAIN : POLLER_GONE;
}

bool send_ring_submit(struct send_ring *ring, struct poller_send *sends, uint32_t count)
{
    BUG_IF(count > TURN_SENDS);
    const uint32_t tail = *ring->entries_tail;
    for (uint32_t i = 0; i < count; i++) {
        struct io_uring_sqe *entry = &ring->entries[(tail + i) & (TURN_SENDS - 1)];
        memset(entry, 0, sizeof *entry);
        entry->opcode = IORING_OP_SEND;
        entry->fd = sends[i].socket;
        entry->addr = (uintptr_t)sends[i].slice.iov_base;
        entry->len = (uint32_t)sends[i].slice.iov_len;
        entry->msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
        entry->user_data = i;
        sends[i].result = POLLER_NOT_SENT;
    }
    __atomic_store_n(ring->entries_tail, tail + count, __ATOMIC_RELEASE);
    const bool is_whole = ring_enter(ring, count);
    const uint32_t end = __atomic_load_n(ring->completions_tail, __ATOMIC_ACQUIRE);
    uint32_t at = *ring->completions_head;
    for (; at != end; at++) {
        const struct io_uring_cqe *one = &ring->completions[at & ring->completions_mask];
        sends[one->user_data].result = result_of(one->res);
    }
    __atomic_store_n(ring->completions_head, at, __ATOMIC_RELEASE);
    return is_whole;
}

void send_ring_destroy(struct send_ring *ring)
{
    if (ring == NULL) {
        return;
    }
    munmap(ring->entries, ring->entries_len);
    munmap(ring->rings, ring->rings_len);
    /* In another thread's table that number may by now be anything. */
    if (ring->thread == gettid()) {
        close(ring->descriptor);
    }
    free(ring);
}
