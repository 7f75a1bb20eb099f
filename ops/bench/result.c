/* SPDX-License-Identifier: Apache-2.0 */
/* Results in memory: making, judging and merging them; and their files. */
#include "ops/bench/result.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HIST_PRECISION = 10, ERROR_SIZE = 256, FILE_SIZE_MAX = 256 << 20 };

bool result_init(struct result *result)
{
    memset(result, 0, sizeof *result);
    result->processes = 1;
    result->connect_latency = hist_create(HIST_PRECISION);
    result->series = calloc(RESULT_SERIES_MAX, sizeof result->series[0]);
    return result->connect_latency != NULL && result->series != NULL;
}

void result_free(struct result *result)
{
    hist_destroy(result->connect_latency);
    for (uint32_t i = 0; i < result->stages_len; i++) {
        hist_destroy(result->stages[i].latency);
    }
    free(result->series);
    memset(result, 0, sizeof *result);
}

struct result_stage *result_stage_add(struct result *result, const char *name)
{
    if (result->stages_len == PLAN_STAGES_MAX) {
        return NULL;
    }
    struct result_stage *stage = &result->stages[result->stages_len];
    memset(stage, 0, sizeof *stage);
    snprintf(stage->name, sizeof stage->name, "%s", name);
    stage->latency = hist_create(HIST_PRECISION);
    if (stage->latency == NULL) {
        return NULL;
    }
    result->stages_len++;
    return stage;
}

struct result_stage *result_stage_find(struct result *result, const char *name)
{
    for (uint32_t i = 0; i < result->stages_len; i++) {
        if (strcmp(result->stages[i].name, name) == 0) {
            return &result->stages[i];
        }
    }
    return NULL;
}

void result_warn(struct result *result, const char *format, ...)
{
    if (result->warnings_len == RESULT_WARNINGS_MAX) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result->warnings[result->warnings_len++], RESULT_WARNING_SIZE, format, arguments);
    va_end(arguments);
}

bool result_is_good(const struct result *result)
{
    return (result->refused | result->lost | result->missing | result->repeated |
            result->misordered | result->damaged) == 0 &&
           result->failure[0] == 0;
}

static void take_larger(uint64_t *into, uint64_t from)
{
    if (from > *into) {
        *into = from;
    }
}

static void stage_merge(struct result_stage *into, const struct result_stage *from)
{
    into->rate += from->rate;
    into->connections_begin += from->connections_begin;
    into->connections_end += from->connections_end;
    into->joined += from->joined;
    into->reconnects += from->reconnects;
    into->pings += from->pings;
    into->sent += from->sent;
    into->received += from->received;
    into->bytes_in += from->bytes_in;
    into->bytes_out += from->bytes_out;
    into->bench_cpu_ns += from->bench_cpu_ns;
    into->bench_late_ns += from->bench_late_ns;
    into->bench_rss_begin += from->bench_rss_begin;
    into->bench_rss_end += from->bench_rss_end;
    into->floor_received += from->floor_received;
    into->floor_joined += from->floor_joined;
    into->floor_cpu_ns += from->floor_cpu_ns;
    /* Both looked at the same server and machine, for about as long. */
    take_larger(&into->duration_ns, from->duration_ns);
    take_larger(&into->bench_busiest_ns, from->bench_busiest_ns);
    take_larger(&into->server_cpu_ns, from->server_cpu_ns);
    take_larger(&into->server_user_ns, from->server_user_ns);
    take_larger(&into->server_system_ns, from->server_system_ns);
    take_larger(&into->machine_busy_ns, from->machine_busy_ns);
    take_larger(&into->server_user_instructions, from->server_user_instructions);
    take_larger(&into->server_kernel_instructions, from->server_kernel_instructions);
    take_larger(&into->server_rss_end, from->server_rss_end);
    take_larger(&into->server_pss_end, from->server_pss_end);
    take_larger(&into->kernel_slab_end, from->kernel_slab_end);
    take_larger(&into->kernel_sockets_end, from->kernel_sockets_end);
    /* Whoever came first saw the emptier server. */
    if (from->server_rss_begin < into->server_rss_begin) {
        into->server_rss_begin = from->server_rss_begin;
        into->server_pss_begin = from->server_pss_begin;
        into->kernel_slab_begin = from->kernel_slab_begin;
    }
    hist_merge(into->latency, from->latency);
}

bool result_merge(struct result *into, const struct result *from, char error[256])
{
    if (strcmp(into->mode, from->mode) != 0 || strcmp(into->target, from->target) != 0 ||
        into->stages_len != from->stages_len) {
        snprintf(error, ERROR_SIZE, "they are not of one run: %.20s of %.80s, and %.20s of %.80s",
                 into->mode, into->target, from->mode, from->target);
        return false;
    }
    for (uint32_t i = 0; i < into->stages_len; i++) {
        if (strcmp(into->stages[i].name, from->stages[i].name) != 0) {
            snprintf(error, ERROR_SIZE, "their stages differ: %.40s and %.40s",
                     into->stages[i].name, from->stages[i].name);
            return false;
        }
    }
    for (uint32_t i = 0; i < into->stages_len; i++) {
        stage_merge(&into->stages[i], &from->stages[i]);
    }
    into->connections += from->connections;
    into->threads += from->threads;
    into->processes += from->processes;
    into->refused += from->refused;
    into->lost += from->lost;
    into->missing += from->missing;
    into->repeated += from->repeated;
    into->misordered += from->misordered;
    into->damaged += from->damaged;
    hist_merge(into->connect_latency, from->connect_latency);
    for (uint32_t i = 0; i < from->warnings_len; i++) {
        result_warn(into, "%s", from->warnings[i]);
    }
    if (into->failure[0] == 0) {
        memcpy(into->failure, from->failure, sizeof into->failure);
    }
    return true;
}

char *result_read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
        const long size = ftell(file);
        rewind(file);
        if (size >= 0 && size <= FILE_SIZE_MAX) {
            text = malloc((size_t)size + 1);
        }
        if (text != NULL) {
            *len = fread(text, 1, (size_t)size, file);
            text[*len] = 0;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return text;
}

bool result_save(const struct result *result, const char *path, char error[256])
{
    struct writer measured = writer_for_measuring();
    result_write_json(result, &measured);
    uint8_t *text = malloc(measured.overflow);
    FILE *file = text == NULL ? NULL : fopen(path, "we");
    bool is_saved = false;
    if (file != NULL) {
        struct writer out = writer_of(text, measured.overflow);
        result_write_json(result, &out);
        const struct span all = writer_written(&out);
        is_saved = fwrite(all.at, 1, all.len, file) == all.len;
        is_saved = fclose(file) == 0 && is_saved;
    }
    if (!is_saved) {
        snprintf(error, ERROR_SIZE, "%s cannot be written: %s", path, strerror(errno));
    }
    free(text);
    return is_saved;
}

bool result_load(const char *path, struct result *out, char error[256])
{
    size_t len = 0;
    char reason[256];
    char *text = result_read_file(path, &len);
    if (text == NULL) {
        snprintf(error, ERROR_SIZE, "%s cannot be read: %s", path, strerror(errno));
        return false;
    }
    const bool is_read = result_read_json(span_of(text, len), out, reason);
    if (!is_read) {
        snprintf(error, ERROR_SIZE, "%s: %.200s", path, reason);
    }
    free(text);
    return is_read;
}
