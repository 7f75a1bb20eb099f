/* SPDX-License-Identifier: Apache-2.0 */
/* Reads small files of /proc and picks numbers out of them. */
#include "ops/bench/gauge.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FILE_SIZE = 16384, PATH_SIZE = 320 };

#define NS_A_S 1000000000ull
#define KIB 1024ull

/* The file's text, ended by a zero; an empty one when it cannot be read. */
static const char *read_file(const char *path, char text[FILE_SIZE])
{
    size_t len = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && len < FILE_SIZE - 1) {
        const ssize_t got = read(fd, text + len, FILE_SIZE - 1 - len);
        if (got <= 0) {
            break;
        }
        len += (size_t)got;
    }
    if (fd >= 0) {
        close(fd);
    }
    text[len] = 0;
    return text;
}

uint64_t gauge_find(const char *text, const char *key)
{
    const size_t key_len = strlen(key);
    for (const char *at = strstr(text, key); at != NULL; at = strstr(at + 1, key)) {
        if (at == text || at[-1] == '\n' || at[-1] == ' ') {
            return strtoull(at + key_len, NULL, 10);
        }
    }
    return 0;
}

bool gauge_parse_stat(const char *text, uint64_t *user, uint64_t *system)
{
    /* The name of the program is in parentheses, and may hold anything. */
    const char *at = strrchr(text, ')');
    if (at == NULL) {
        return false;
    }
    /* Behind it: the state, and ten numbers that are of no interest. */
    at += 1;
    for (int field = 0; field < 11; field++) {
        at = strchr(at + 1, ' ');
        if (at == NULL) {
            return false;
        }
    }
    char *end = NULL;
    *user = strtoull(at, &end, 10);
    if (end == at) {
        return false;
    }
    *system = strtoull(end, NULL, 10);
    return true;
}

static uint64_t ticks_to_ns(uint64_t ticks)
{
    return ticks * (NS_A_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* The first number of schedstat is the time on a CPU in nanoseconds. */
static uint64_t threads_cpu_ns(uint64_t pid)
{
    char path[PATH_SIZE];
    char text[FILE_SIZE];
    uint64_t sum = 0;
    snprintf(path, sizeof path, "/proc/%llu/task", (unsigned long long)pid);
    DIR *folder = opendir(path);
    for (const struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL;
         entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "/proc/%llu/task/%s/schedstat", (unsigned long long)pid,
                     entry->d_name);
            sum += strtoull(read_file(path, text), NULL, 10);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return sum;
}

/* Adds to what is there. */
static void gauge_read_server(uint64_t pid, bool deep, struct gauge *out)
{
    if (pid == 0) {
        return;
    }
    char path[PATH_SIZE];
    char text[FILE_SIZE];
    uint64_t user = 0;
    uint64_t system = 0;
    out->server_cpu_ns += threads_cpu_ns(pid);
    snprintf(path, sizeof path, "/proc/%llu/stat", (unsigned long long)pid);
    if (gauge_parse_stat(read_file(path, text), &user, &system)) {
        out->server_user_ns += ticks_to_ns(user);
        out->server_system_ns += ticks_to_ns(system);
    }
    snprintf(path, sizeof path, "/proc/%llu/%s", (unsigned long long)pid,
             deep ? "smaps_rollup" : "status");
    read_file(path, text);
    out->server_rss += KIB * gauge_find(text, deep ? "Rss:" : "VmRSS:");
    out->server_pss += deep ? KIB * gauge_find(text, "Pss:") : 0;
}

/* The first line: "cpu" and user, nice, system, idle, iowait, irq, softirq, steal ticks. */
static uint64_t machine_busy_ns(void)
{
    char text[FILE_SIZE];
    uint64_t busy = 0;
    const char *at = read_file("/proc/stat", text);
    at += strncmp(at, "cpu ", 4) == 0 ? 4 : strlen(at);
    for (int field = 0; field < 7; field++) {
        char *end = NULL;
        const uint64_t ticks = strtoull(at, &end, 10);
        busy += field == 3 || field == 4 ? 0 : ticks;
        at = end;
    }
    return ticks_to_ns(busy);
}

void gauge_read(uint64_t server_pid, uint64_t other_pid, bool deep, struct gauge *out)
{
    char text[FILE_SIZE];
    struct timespec now;
    memset(out, 0, sizeof *out);
    gauge_read_server(server_pid, deep, out);
    gauge_read_server(other_pid, deep, out);
    out->machine_busy_ns = machine_busy_ns();
    out->kernel_slab = KIB * gauge_find(read_file("/proc/meminfo", text), "Slab:");
    out->bench_rss = KIB * gauge_find(read_file("/proc/self/status", text), "VmRSS:");
    /* "TCP: inuse 5 orphan 0 tw 1 alloc 6 mem 2": the last one in pages. */
    const char *tcp = strstr(read_file("/proc/net/sockstat", text), "TCP: ");
    out->kernel_sockets =
        tcp == NULL ? 0 : gauge_find(tcp, "mem ") * (uint64_t)sysconf(_SC_PAGESIZE);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    out->bench_cpu_ns = (uint64_t)now.tv_sec * NS_A_S + (uint64_t)now.tv_nsec;
    clock_gettime(CLOCK_MONOTONIC, &now);
    out->time_ns = (uint64_t)now.tv_sec * NS_A_S + (uint64_t)now.tv_nsec;
}
