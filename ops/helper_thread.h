/* SPDX-License-Identifier: Apache-2.0 */
/* A thread beside the shards for what blocks, such as asking a name server: it takes a turn,
 * pauses, and takes the next, until it is stopped. */
#ifndef ROOST_OPS_HELPER_THREAD_H
#define ROOST_OPS_HELPER_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/log.h"

struct helper_thread;

/* What the thread does. Both are called on it, `free` when it ends, which may be after
 * helper_thread_stop. `log` is the thread's own. */
struct helper_work {
    const char *name;
    uint64_t (*turn)(struct helper_thread *thread, struct log *log, void *state); /* Pause in ms. */
    void (*free)(void *state);
};

/* Takes over `state`, also when it fails. NULL: a thread or memory cannot be had. */
struct helper_thread *helper_thread_start(const struct helper_work *work, void *state);

/* A turn under way is not waited for: its thread ends by itself, and what helper_thread_enter
 * guards does not happen any more. NULL is allowed. */
void helper_thread_stop(struct helper_thread *thread);

/* In a turn, around what must not happen once the thread is stopped. False: it is; nothing is to be
 * left. */
bool helper_thread_enter(struct helper_thread *thread);
void helper_thread_leave(struct helper_thread *thread);

#endif
