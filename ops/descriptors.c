/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and raises the limits on descriptors, and says which commands would raise them further. */
#include "ops/descriptors.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>

static uint64_t read_number(const char *path)
{
    FILE *file = fopen(path, "re");
    uint64_t value = 0;

    if (file == NULL) {
        return 0;
    }
    if (fscanf(file, "%" SCNu64, &value) != 1) {
        value = 0;
    }
    fclose(file);
    return value;
}

void descriptors_prepare(struct descriptor_facts *facts)
{
    struct rlimit limit;

    facts->nr_open = read_number("/proc/sys/fs/nr_open");
    facts->file_max = read_number("/proc/sys/fs/file-max");
    facts->somaxconn = read_number("/proc/sys/net/core/somaxconn");
    facts->limit = 0;
    facts->hard_limit = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};

        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
            limit = raised;
        }
    }
    facts->limit = limit.rlim_cur;
    facts->hard_limit = limit.rlim_max;
}

uint64_t descriptors_capacity(const struct descriptor_facts *facts)
{
    if (facts->limit <= DESCRIPTORS_RESERVED) {
        return 0;
    }
    uint64_t each = facts->limit - DESCRIPTORS_RESERVED;

    return each > UINT64_MAX / facts->shards ? UINT64_MAX : each * facts->shards;
}

struct advice {
    char *out;
    size_t len;
};

static void __attribute__((format(printf, 2, 3)))
advise(struct advice *advice, const char *format, ...)
{
    size_t room = DESCRIPTOR_ADVICE_SIZE - advice->len;
    va_list arguments;

    va_start(arguments, format);
    int written = vsnprintf(advice->out + advice->len, room, format, arguments);
    va_end(arguments);
    if (written > 0) {
        advice->len += (size_t)written < room ? (size_t)written : room - 1;
    }
}

void descriptors_advise(const struct descriptor_facts *facts, char out[DESCRIPTOR_ADVICE_SIZE])
{
    struct advice advice = {.out = out};
    uint64_t wanted = DESCRIPTORS_WANTED;

    out[0] = '\0';
    if (facts->connection_limit != 0) {
        /* The kernel spreads connections over the shards by chance: room for a quarter more than
         * the even share. */
        uint64_t share = (facts->connection_limit + facts->shards - 1) / facts->shards;

        wanted = share + share / 4 + DESCRIPTORS_RESERVED;
    }
    if (facts->limit != 0 && facts->limit < wanted) {
        advise(&advice,
               "descriptors: %" PRIu64 " for each of %u shards hold %" PRIu64
               " connections, wanted are %" PRIu64 " a shard;",
               facts->limit, facts->shards, descriptors_capacity(facts), wanted);
        if (facts->nr_open != 0 && facts->nr_open < wanted) {
            advise(&advice, " first `sysctl -w fs.nr_open=%" PRIu64 "`, then", wanted);
        }
        advise(&advice,
               " `ulimit -n %" PRIu64
               "` as root in the shell that starts roostd, or LimitNOFILE=%" PRIu64
               " in the [Service] of its systemd unit\n",
               wanted, wanted);
    }
    if (facts->file_max != 0 && facts->file_max < wanted * facts->shards) {
        advise(&advice,
               "descriptors: fs.file-max lets the whole machine open %" PRIu64
               " files; `sysctl -w fs.file-max=%" PRIu64 "`\n",
               facts->file_max, 2 * wanted * facts->shards);
    }
    if (facts->somaxconn != 0 && facts->somaxconn < WAITING_CONNECTIONS_WANTED) {
        advise(&advice,
               "net.core.somaxconn lets %" PRIu64
               " new connections wait for a shard, more are dropped in a rush; "
               "`sysctl -w net.core.somaxconn=%d`\n",
               facts->somaxconn, WAITING_CONNECTIONS_WANTED);
    }
}
