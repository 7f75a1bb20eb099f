/* SPDX-License-Identifier: Apache-2.0 */
/* What disbelief prints: not through the log, since it may be the log that is broken. */
#include "runtime/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One write of a whole line, so that lines of several threads do not mix. */
static void check_print(const char *what, const char *file, int line, const char *condition)
{
    char text[512];
    int len = snprintf(text, sizeof text, "%s %s:%d: %s\n", what, file, line, condition);
    if (len >= (int)sizeof text) {
        len = (int)sizeof text - 1;
        text[len - 1] = '\n';
    }
    if (len > 0) {
        const ssize_t written = write(STDERR_FILENO, text, (size_t)len);
        (void)written; /* Where would we complain? */
    }
}

_Noreturn void check_bug(const char *file, int line, const char *condition)
{
    check_print("BUG", file, line, condition);
    abort();
}

void check_warn(const char *file, int line, const char *condition, uint32_t *seen)
{
    if (__atomic_exchange_n(seen, 1, __ATOMIC_RELAXED) == 0) {
        check_print("WARNING", file, line, condition);
    }
}
