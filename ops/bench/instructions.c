/* SPDX-License-Identifier: Apache-2.0 */
/* One counter for user and one for kernel code, of each thread (perf_event_open). */
#include "ops/bench/instructions.h"

#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int counter_open(int thread, bool is_kernel)
{
    struct perf_event_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.size = sizeof attributes;
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.config = PERF_COUNT_HW_INSTRUCTIONS;
    attributes.exclude_user = is_kernel;
    attributes.exclude_kernel = !is_kernel;
    attributes.exclude_hv = 1;
    return (int)syscall(SYS_perf_event_open, &attributes, thread, -1, -1, 0);
}

static bool thread_open(struct instructions *instructions, int thread, char error[160])
{
    const uint32_t at = instructions->threads_len;
    if (at == INSTRUCTION_THREADS_MAX) {
        snprintf(error, 160, "it has more than %d threads", INSTRUCTION_THREADS_MAX);
        return false;
    }
    const int user = counter_open(thread, false);
    const int kernel = user < 0 ? -1 : counter_open(thread, true);
    if (kernel < 0) {
        const char *why = errno == ENOENT || errno == EOPNOTSUPP
                              ? "this machine has no hardware counters (often so in a VM)"
                              : strerror(errno);
        snprintf(error, 160, "%s", why);
        if (user >= 0) {
            close(user);
        }
        return false;
    }
    instructions->user_fds[at] = user;
    instructions->kernel_fds[at] = kernel;
    instructions->threads_len++;
    return true;
}

bool instructions_open(struct instructions *instructions, uint64_t pid, char error[160])
{
    char path[64];
    instructions->threads_len = 0;
    snprintf(path, sizeof path, "/proc/%llu/task", (unsigned long long)pid);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        snprintf(error, 160, "%s: %s", path, strerror(errno));
        return false;
    }
    bool is_open = true;
    for (const struct dirent *entry = readdir(folder); entry != NULL && is_open;
         entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            is_open = thread_open(instructions, (int)strtol(entry->d_name, NULL, 10), error);
        }
    }
    closedir(folder);
    if (!is_open) {
        instructions_close(instructions);
    }
    return is_open;
}

static uint64_t counter_read(int fd)
{
    uint64_t value = 0;
    return read(fd, &value, sizeof value) == sizeof value ? value : 0;
}

void instructions_read(const struct instructions *instructions, uint64_t *user, uint64_t *kernel)
{
    *user = 0;
    *kernel = 0;
    for (uint32_t i = 0; i < instructions->threads_len; i++) {
        *user += counter_read(instructions->user_fds[i]);
        *kernel += counter_read(instructions->kernel_fds[i]);
    }
}

void instructions_close(struct instructions *instructions)
{
    for (uint32_t i = 0; i < instructions->threads_len; i++) {
        close(instructions->user_fds[i]);
        close(instructions->kernel_fds[i]);
    }
    instructions->threads_len = 0;
}
