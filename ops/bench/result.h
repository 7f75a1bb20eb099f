/* SPDX-License-Identifier: Apache-2.0 */
/* What a run found out: stored as JSON, merged with others', printed and drawn. */
#ifndef ROOST_OPS_BENCH_RESULT_H
#define ROOST_OPS_BENCH_RESULT_H

#include "codec/span.h"
#include "codec/writer.h"
#include "ops/bench/plan.h"
#include "runtime/hist.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum result_limit {
    RESULT_TEXT_SIZE = 128,
    RESULT_WARNINGS_MAX = 8,
    RESULT_WARNING_SIZE = 192,
    RESULT_SERIES_MAX = 4096,
};

/* One stage. Differences over the stage, but for what is named _begin or _end. */
struct result_stage {
    char name[STAGE_NAME_SIZE];
    uint64_t duration_ns;
    uint64_t rate;
    uint64_t connections_begin;
    uint64_t connections_end;
    uint64_t joined;
    uint64_t reconnects;
    uint64_t pings;
    uint64_t sent;
    uint64_t received;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t bench_cpu_ns;
    uint64_t bench_busiest_ns; /* the thread that worked most */
    uint64_t bench_late_ns;    /* of all messages due by the clock: from then until they left */
    uint64_t bench_rss_begin;
    uint64_t bench_rss_end;
    uint64_t server_cpu_ns;
    uint64_t server_user_ns;
    uint64_t server_system_ns;
    uint64_t machine_busy_ns;
    uint64_t server_user_instructions; /* 0: not counted */
    uint64_t server_kernel_instructions;
    uint64_t server_rss_begin;
    uint64_t server_rss_end;
    uint64_t server_pss_begin;
    uint64_t server_pss_end;
    uint64_t kernel_slab_begin;
    uint64_t kernel_slab_end;
    uint64_t kernel_sockets_end;
    uint64_t floor_cpu_ns; /* of the barest server under the same load; 0: not asked for */
    uint64_t floor_received;
    uint64_t floor_joined;
    struct hist *latency; /* owned */
};

/* A moment, for plots: levels, and what happened since the moment before. */
struct result_point {
    uint64_t time_ms;
    uint64_t connections;
    uint64_t received;
    uint64_t p50_ns;
    uint64_t p99_ns;
    uint64_t max_ns;
    uint64_t server_cpu_ns;
    uint64_t server_rss;
};

enum { RESULT_POINT_FIELDS = sizeof(struct result_point) / sizeof(uint64_t) };

struct result {
    char label[RESULT_TEXT_SIZE];
    char mode[RESULT_TEXT_SIZE];
    char protocol[RESULT_TEXT_SIZE];
    char target[RESULT_TEXT_SIZE];
    char failure[RESULT_TEXT_SIZE]; /* the first thing that went wrong, or empty */
    uint64_t connections;
    uint64_t channels;
    uint64_t window;
    uint64_t size;
    uint64_t threads;
    uint64_t processes;
    uint64_t refused;
    uint64_t lost;
    uint64_t missing;
    uint64_t repeated;
    uint64_t misordered;
    uint64_t damaged;
    struct hist *connect_latency; /* owned */
    struct result_stage stages[PLAN_STAGES_MAX];
    uint32_t stages_len;
    struct result_point *series; /* owned */
    uint32_t series_len;
    char warnings[RESULT_WARNINGS_MAX][RESULT_WARNING_SIZE];
    uint32_t warnings_len;
};

/* Zeros and empty histograms; false when memory is out. */
bool result_init(struct result *result);
void result_free(struct result *result);
struct result_stage *result_stage_add(struct result *result, const char *name);
struct result_stage *result_stage_find(struct result *result, const char *name);
void result_warn(struct result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Nothing was lost, repeated, misordered, damaged or refused. */
bool result_is_good(const struct result *result);

/* Adds what another process measured at the same time: counts and histograms are summed, what both
 * read of the same server is not. False with a reason when they are not of one kind. */
bool result_merge(struct result *into, const struct result *from, char error[256]);

/* As one JSON object. Reading needs result_init() first; false with a reason. */
void result_write_json(const struct result *result, struct writer *out);
bool result_read_json(struct span text, struct result *out, char error[256]);

/* Files; false with a reason. */
bool result_save(const struct result *result, const char *path, char error[256]);
bool result_load(const char *path, struct result *out, char error[256]);
char *result_read_file(const char *path, size_t *len); /* owned by the caller; NULL */

/* report.c: the table, for people. */
void report_print(const struct result *result);
/* "812,345", "1.24 us", "3.4 MiB"; each needs 32 bytes and returns them. */
const char *report_count(uint64_t value, char out[32]);
const char *report_duration(uint64_t ns, char out[32]);
const char *report_bytes(uint64_t bytes, char out[32]);

#endif
