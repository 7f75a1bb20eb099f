/* SPDX-License-Identifier: Apache-2.0 */
/* Counts the instructions of another process's threads, user and kernel apart, where the CPU can.
 */
#ifndef ROOST_OPS_BENCH_INSTRUCTIONS_H
#define ROOST_OPS_BENCH_INSTRUCTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { INSTRUCTION_THREADS_MAX = 256 };

struct instructions {
    int user_fds[INSTRUCTION_THREADS_MAX];
    int kernel_fds[INSTRUCTION_THREADS_MAX];
    uint32_t threads_len;
};

/* Of the threads that `pid` has now. False with the reason in `error`; nothing is open then. */
bool instructions_open(struct instructions *instructions, uint64_t pid, char error[160]);

/* Since they were opened. */
void instructions_read(const struct instructions *instructions, uint64_t *user, uint64_t *kernel);
void instructions_close(struct instructions *instructions);

#endif
