/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says about the server, the machine and ourselves, read from /proc. */
#ifndef ROOST_OPS_BENCH_GAUGE_H
#define ROOST_OPS_BENCH_GAUGE_H

#include <stdbool.h>
#include <stdint.h>

/* All are sums since some beginning, or levels; what cannot be read is 0. */
struct gauge {
    uint64_t time_ns;
    uint64_t bench_cpu_ns;
    uint64_t bench_rss;
    uint64_t server_cpu_ns;  /* exact, of all its threads */
    uint64_t server_user_ns; /* in ticks of 10 ms, as the next one is */
    uint64_t server_system_ns;
    uint64_t machine_busy_ns; /* of all CPUs, whoever used them */
    uint64_t server_rss;
    uint64_t server_pss;
    uint64_t kernel_slab;    /* bytes of all slabs: where sockets live */
    uint64_t kernel_sockets; /* bytes that TCP holds in buffers */
};

/* `deep` reads what takes the kernel long: PSS. A pid of 0 is no server; two count as one. */
void gauge_read(uint64_t server_pid, uint64_t other_pid, bool deep, struct gauge *out);

/* The number behind `key` in a text like those of /proc ("VmRSS:   123 kB"); 0 if it is not there.
 */
uint64_t gauge_find(const char *text, const char *key);

/* User and system time in ticks of /proc/PID/stat; false when the text is none. */
bool gauge_parse_stat(const char *text, uint64_t *user, uint64_t *system);

#endif
