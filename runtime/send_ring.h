/* SPDX-License-Identifier: Apache-2.0 */
/* Many sends in one system call: a ring of io_uring that is used for nothing else.
 *
 * Belongs to one thread. The sends do not wait, so all have been made when the call returns, and
 * nothing of them is under way between two turns.
 */
#ifndef ROOST_RUNTIME_SEND_RING_H
#define ROOST_RUNTIME_SEND_RING_H

#include "runtime/poller.h"

struct send_ring;

/* On the thread that will use it. NULL with errno where the kernel is older than 6.0, or a sandbox
 * or its administrator forbids it (kernel.io_uring_disabled). */
MUST_CHECK struct send_ring *send_ring_create(void);

/* As poller_send_many, at most TURN_SENDS. False: the ring is of no use any more, and the results
 * that are POLLER_NOT_SENT are still to be made by other means. */
MUST_CHECK bool send_ring_submit(struct send_ring *ring, struct poller_send *sends, uint32_t count);

void send_ring_destroy(struct send_ring *ring);

#endif
