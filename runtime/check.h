/* SPDX-License-Identifier: Apache-2.0 */
/* Three strengths of disbelief: a programmer's error aborts, a surprise warns once, the rest count.
 *
 * What a peer, a client, a config file or a disk can cause is never BUG_IF: an abort drops every
 * connection of the node. Assertions stay on in every build.
 */
#ifndef ROOST_RUNTIME_CHECK_H
#define ROOST_RUNTIME_CHECK_H

#include <stdbool.h>
#include <stdint.h>

/* Prints file, line and the condition, then aborts. Any thread. */
_Noreturn void check_bug(const char *file, int line, const char *condition);

/* Prints file, line and the condition the first time only. Any thread. */
void check_warn(const char *file, int line, const char *condition, uint32_t *seen);

#define BUG_IF(condition) \
    do { \
        if (__builtin_expect(!!(condition), 0)) { \
            check_bug(__FILE__, __LINE__, #condition); \
        } \
    } while (0)

/* True when the condition holds, so that it can stand in an `if`. */
#define WARN_IF(condition) \
    ({ \
        static uint32_t check_seen_; \
        const bool check_failed_ = !!(condition); \
        if (__builtin_expect(check_failed_, 0)) { \
            check_warn(__FILE__, __LINE__, #condition, &check_seen_); \
        } \
        check_failed_; \
    })

/* True when the condition holds; one more in the given counter of the caller's shard. */
#define COUNT_IF(condition, counter) \
    ({ \
        const bool check_failed_ = !!(condition); \
        if (__builtin_expect(check_failed_, 0)) { \
            (*(counter))++; \
        } \
        check_failed_; \
    })

#define MUST_CHECK __attribute__((warn_unused_result))

#define CONTAINER_OF(pointer, type, member) \
    ((type *)(void *)((char *)(pointer) - __builtin_offsetof(type, member)))

#endif
