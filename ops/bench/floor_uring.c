/* SPDX-License-Identifier: Apache-2.0 */
/* The floor on io_uring, with what the kernel offers a server of one thread: descriptors in its own
 * table, accept and receive that stay armed, buffers that it picks itself, completions only when
 * they are asked for, and one call a turn that submits all sends and waits.
 *
 * Buffers. A buffer goes back to the kernel after the call that submitted its sends: they are made
 * within that call (MSG_DONTWAIT), so nobody reads it any more.
 */
#include "ops/bench/floor_uring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ops/bench/floor_clients.h"

enum {
    SUBMISSIONS = 4096,
    COMPLETIONS = 4 * SUBMISSIONS,
    BUFFERS = 256,
    BUFFER_SIZE = 16 * 1024,
    DESCRIPTORS_MAX = 1 << 20, /* What the kernel allows in a table. */
};

enum operation { ACCEPT, RECEIVE, SEND, CLOSE };

struct floor_uring {
    struct floor_clients clients;
    int listener;
    int ring;
    uint32_t *submission_tail; /* The kernel reads it. */
    struct io_uring_sqe *submissions;
    uint32_t tail; /* Of what is filled in; what lies between was not submitted. */
    uint32_t pending;
    uint32_t *completion_head;
    uint32_t *completion_tail; /* The kernel writes it. */
    uint32_t completion_mask;
    struct io_uring_cqe *completions;
    struct io_uring_buf_ring *buffers;
    uint8_t *memory;
    uint16_t buffers_tail; /* The kernel learns of it after the next submission. */
};

/* ---- the rings ---- */

static void *ring_map(int ring, size_t len, uint64_t offset)
{
    void *at =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, (off_t)offset);
    return at == MAP_FAILED ? NULL : at;
}

static bool rings_create(struct floor_uring *floor)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
        .cq_entries = COMPLETIONS,
    };
    floor->ring = (int)syscall(SYS_io_uring_setup, SUBMISSIONS, &params);
    if (floor->ring < 0) {
        return false;
    }
    /* One mapping holds both rings (IORING_FEAT_SINGLE_MMAP, older than what else is asked for). */
    const size_t completions_len =
        params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    const size_t submissions_len = params.sq_off.array + params.sq_entries * sizeof(uint32_t);
    uint8_t *rings =
        ring_map(floor->ring, completions_len > submissions_len ? completions_len : submissions_len,
                 IORING_OFF_SQ_RING);
    floor->submissions =
        ring_map(floor->ring, params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    if (rings == NULL || floor->submissions == NULL) {
        return false;
    }
    floor->submission_tail = (uint32_t *)(void *)(rings + params.sq_off.tail);
    uint32_t *order = (uint32_t *)(void *)(rings + params.sq_off.array);
    for (uint32_t i = 0; i < params.sq_entries; i++) {
        order[i] = i;
    }
    floor->completion_head = (uint32_t *)(void *)(rings + params.cq_off.head);
    floor->completion_tail = (uint32_t *)(void *)(rings + params.cq_off.tail);
    floor->completion_mask = params.cq_entries - 1;
    floor->completions = (struct io_uring_cqe *)(void *)(rings + params.cq_off.cqes);
    return true;
}

static bool ring_register(struct floor_uring *floor, unsigned what, void *argument, unsigned len)
{
    return syscall(SYS_io_uring_register, floor->ring, what, argument, len) == 0;
}

/* Into the kernel's ring of buffers, but not yet told to it. */
static void buffer_return(struct floor_uring *floor, uint16_t id)
{
    struct io_uring_buf *slot = &floor->buffers->bufs[floor->buffers_tail++ & (BUFFERS - 1)];
    slot->addr = (uintptr_t)(floor->memory + (size_t)id * BUFFER_SIZE);
    slot->len = BUFFER_SIZE;
    slot->bid = id;
}

static bool tables_create(struct floor_uring *floor)
{
    struct io_uring_rsrc_register files = {
        .nr = floor->clients.descriptors_max,
        .flags = IORING_RSRC_REGISTER_SPARSE,
    };
    void *memory = mmap(NULL, (size_t)BUFFERS * BUFFER_SIZE + BUFFERS * sizeof(struct io_uring_buf),
                        PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    floor->memory = memory;
    floor->buffers = (void *)(floor->memory + (size_t)BUFFERS * BUFFER_SIZE);
    struct io_uring_buf_reg buffers = {
        .ring_addr = (uintptr_t)floor->buffers,
        .ring_entries = BUFFERS,
    };
    if (!ring_register(floor, IORING_REGISTER_FILES2, &files, sizeof files) ||
        !ring_register(floor, IORING_REGISTER_PBUF_RING, &buffers, 1)) {
        return false;
    }
    for (uint16_t i = 0; i < BUFFERS; i++) {
        buffer_return(floor, i);
    }
    __atomic_store_n(&floor->buffers->tail, floor->buffers_tail, __ATOMIC_RELEASE);
    return true;
}

static void submit(struct floor_uring *floor, unsigned wait_for)
{
    __atomic_store_n(floor->submission_tail, floor->tail, __ATOMIC_RELEASE);
    do {
        const long taken = syscall(SYS_io_uring_enter, floor->ring, floor->pending, wait_for,
                                   IORING_ENTER_GETEVENTS, NULL, 0);
        if (taken < 0 && errno != EINTR && errno != EAGAIN && errno != EBUSY) {
            _exit(1);
        }
        floor->pending -= taken > 0 ? (uint32_t)taken : 0;
    } while (floor->pending > 0);
    __atomic_store_n(&floor->buffers->tail, floor->buffers_tail, __ATOMIC_RELEASE);
}

static struct io_uring_sqe *prepare(struct floor_uring *floor, enum operation what, int fd)
{
    static const uint8_t opcodes[] = {
        [ACCEPT] = IORING_OP_ACCEPT,
        [RECEIVE] = IORING_OP_RECV,
        [SEND] = IORING_OP_SEND,
        [CLOSE] = IORING_OP_CLOSE,
    };
    if (floor->pending == SUBMISSIONS) {
        submit(floor, 0);
    }
    struct io_uring_sqe *entry = &floor->submissions[floor->tail++ & (SUBMISSIONS - 1)];
    floor->pending++;
    memset(entry, 0, sizeof *entry);
    entry->opcode = opcodes[what];
    entry->fd = fd;
    entry->user_data = (uint64_t)what << 32 | (uint32_t)fd;
    return entry;
}

/* ---- the server ---- */

static void floor_accept(struct floor_uring *floor)
{
    struct io_uring_sqe *entry = prepare(floor, ACCEPT, floor->listener);
    entry->ioprio = IORING_ACCEPT_MULTISHOT;
    entry->file_index = IORING_FILE_INDEX_ALLOC;
}

static void floor_receive(struct floor_uring *floor, int fd)
{
    struct io_uring_sqe *entry = prepare(floor, RECEIVE, fd);
    entry->ioprio = IORING_RECV_MULTISHOT;
    entry->flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
}

static void floor_send(struct floor_uring *floor, int fd, const void *at, size_t len)
{
    struct io_uring_sqe *entry = prepare(floor, SEND, fd);
    entry->flags = IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
    entry->msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    entry->addr = (uintptr_t)at;
    entry->len = (uint32_t)len;
}

static void floor_close(struct floor_uring *floor, int fd)
{
    floor_clients_leave(&floor->clients, fd);
    struct io_uring_sqe *entry = prepare(floor, CLOSE, 0);
    entry->flags = IOSQE_CQE_SKIP_SUCCESS;
    entry->file_index = (uint32_t)fd + 1;
}

static void floor_take(struct floor_uring *floor, int fd, const uint8_t *bytes, size_t len)
{
    struct floor_clients *clients = &floor->clients;
    if (!clients->is_upgraded[fd]) {
        floor_clients_join(clients, fd);
        floor_send(floor, fd, clients->answer, clients->answer_len);
    } else if (!clients->is_broadcast) {
        floor_send(floor, fd, bytes, len);
    } else {
        for (uint32_t i = 0; i < clients->open_len; i++) {
            if (clients->open[i] != fd) {
                floor_send(floor, clients->open[i], bytes, len);
            }
        }
    }
}

static void floor_received(struct floor_uring *floor, int fd, int result, uint32_t flags)
{
    if ((flags & IORING_CQE_F_BUFFER) != 0) {
        const uint16_t id = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
        if (result > 0) {
            floor_take(floor, fd, floor->memory + (size_t)id * BUFFER_SIZE, (size_t)result);
        }
        buffer_return(floor, id);
    }
    if ((flags & IORING_CQE_F_MORE) != 0) {
        return;
    }
    if (result > 0 || result == -ENOBUFS) {
        floor_receive(floor, fd);
    } else {
        floor_close(floor, fd);
    }
}

static void floor_complete(struct floor_uring *floor, const struct io_uring_cqe *completion)
{
    const int fd = (int)(uint32_t)completion->user_data;
    switch ((enum operation)(completion->user_data >> 32)) {
    case ACCEPT:
        if (completion->res >= 0) {
            floor_receive(floor, completion->res);
        }
        if ((completion->flags & IORING_CQE_F_MORE) == 0) {
            floor_accept(floor);
        }
        break;
    case RECEIVE:
        floor_received(floor, fd, completion->res, completion->flags);
        break;
    case SEND:  /* It failed: whoever is gone tells so by a receive as well. */
    case CLOSE: /* The same. */
        break;
    }
}

void floor_uring_serve(int listener, bool is_broadcast)
{
    static struct floor_uring floor;
    floor.listener = listener;
    if (!floor_clients_init(&floor.clients, is_broadcast, DESCRIPTORS_MAX) ||
        !rings_create(&floor) || !tables_create(&floor)) {
        return;
    }
    floor_accept(&floor);
    for (;;) {
        submit(&floor, 1);
        const uint32_t tail = __atomic_load_n(floor.completion_tail, __ATOMIC_ACQUIRE);
        uint32_t head = *floor.completion_head;
        for (; head != tail; head++) {
            const struct io_uring_cqe one = floor.completions[head & floor.completion_mask];
            floor_complete(&floor, &one);
        }
        __atomic_store_n(floor.completion_head, head, __ATOMIC_RELEASE);
    }
}
