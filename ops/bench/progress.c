/* SPDX-License-Identifier: Apache-2.0 */
/* Each half second: what came since, as a line on the terminal and a point of the series. */
#include "ops/bench/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BAR_LEN = 20, TEXT_SIZE = 32 };

#define NS_A_S 1000000000ull
#define INTERVAL_NS (NS_A_S / 2)

bool progress_begin(struct progress *progress, const struct engine *engine, struct result *result)
{
    memset(progress, 0, sizeof *progress);
    progress->engine = engine;
    progress->result = result;
    progress->is_shown = !engine->options->quiet && isatty(STDERR_FILENO);
    progress->interval_ns = INTERVAL_NS;
    progress->begin_ns = engine_now_ns();
    progress->last_ns = progress->begin_ns;
    progress->stage = UINT32_MAX;
    progress->total = hist_create(ENGINE_HIST_PRECISION);
    if (progress->total == NULL) {
        return false;
    }
    progress->seen = calloc(hist_bucket_count(progress->total), sizeof progress->seen[0]);
    gauge_read(engine->options->server_pid, engine->options->publish_pid, false,
               &progress->last_gauge);
    return progress->seen != NULL;
}

/* The latencies since the moment before, from the difference of the buckets. */
static void progress_latency(struct progress *progress, struct result_point *point)
{
    const struct engine *engine = progress->engine;
    hist_reset(progress->total);
    for (uint32_t i = 0; i < engine->workers_len; i++) {
        if (engine->workers[i].latency[progress->stage] != NULL) {
            hist_merge(progress->total, engine->workers[i].latency[progress->stage]);
        }
    }
    uint64_t count = 0;
    const uint32_t len = hist_bucket_count(progress->total);
    uint64_t value;
    for (uint32_t i = 0; i < len; i++) {
        count += hist_bucket(progress->total, i, &value) - progress->seen[i];
    }
    uint64_t passed = 0;
    for (uint32_t i = 0; i < len && count > 0; i++) {
        const uint64_t now = hist_bucket(progress->total, i, &value);
        const uint64_t came = now - progress->seen[i];
        progress->seen[i] = now;
        passed += came;
        point->p50_ns = point->p50_ns == 0 && passed * 2 >= count ? value : point->p50_ns;
        point->p99_ns = point->p99_ns == 0 && passed * 100 >= count * 99 ? value : point->p99_ns;
        point->max_ns = came > 0 ? value : point->max_ns;
    }
}

/* A long run keeps every second moment, then every fourth: the series is never full. */
static void progress_keep(struct progress *progress, const struct result_point *point)
{
    struct result *result = progress->result;
    if (result->series_len == RESULT_SERIES_MAX) {
        for (uint32_t i = 0; i < RESULT_SERIES_MAX / 2; i++) {
            result->series[i] = result->series[2 * i];
        }
        result->series_len /= 2;
        progress->interval_ns *= 2;
    }
    result->series[result->series_len++] = *point;
}

static void progress_show(const struct progress *progress, const struct result_point *point,
                          uint64_t now_ns, uint64_t wall_ns)
{
    const struct stage *stage = &progress->engine->plan.stages[progress->stage];
    const uint64_t elapsed = now_ns - progress->stage_begin_ns;
    uint64_t share = stage->duration_ns == 0 ? 0 : elapsed * BAR_LEN / stage->duration_ns;
    if (stage->kind == STAGE_CONNECT && stage->connections_to > 0) {
        share = point->connections * BAR_LEN / stage->connections_to;
    }
    char bar[BAR_LEN + 1];
    for (uint64_t i = 0; i < BAR_LEN; i++) {
        bar[i] = i < share ? '#' : '.';
    }
    bar[BAR_LEN] = 0;
    char texts[4][TEXT_SIZE];
    const double seconds = (double)wall_ns / 1e9;
    fprintf(stderr, "\r\033[K%-8s [%s] %5.1f s  %s conns  %s/s", stage->name, bar,
            (double)elapsed / 1e9, report_count(point->connections, texts[0]),
            report_count((uint64_t)((double)point->received / seconds), texts[1]));
    if (point->p50_ns > 0) {
        fprintf(stderr, "  p50 %s p99 %s", report_duration(point->p50_ns, texts[2]),
                report_duration(point->p99_ns, texts[3]));
    }
    if (point->server_rss > 0) {
        fprintf(stderr, "  server %.0f %% %s", 100 * (double)point->server_cpu_ns / (double)wall_ns,
                report_bytes(point->server_rss, texts[2]));
    }
    fflush(stderr);
}

void progress_tick(struct progress *progress, uint32_t stage, const struct counters *now)
{
    const uint64_t now_ns = engine_now_ns();
    if (stage != progress->stage) {
        progress->stage = stage;
        progress->stage_begin_ns = now_ns;
        memset(progress->seen, 0, hist_bucket_count(progress->total) * sizeof progress->seen[0]);
    }
    if (now_ns - progress->last_ns < progress->interval_ns) {
        return;
    }
    struct gauge gauge;
    gauge_read(progress->engine->options->server_pid, progress->engine->options->publish_pid, false,
               &gauge);
    struct result_point point = {
        .time_ms = (now_ns - progress->begin_ns) / 1000000,
        .connections = now->ready,
        .received = now->received - progress->last_received,
        .server_cpu_ns = gauge.server_cpu_ns - progress->last_gauge.server_cpu_ns,
        .server_rss = gauge.server_rss,
    };
    progress_latency(progress, &point);
    progress_keep(progress, &point);
    if (progress->is_shown) {
        progress_show(progress, &point, now_ns, now_ns - progress->last_ns);
    }
    progress->last_ns = now_ns;
    progress->last_received = now->received;
    progress->last_gauge = gauge;
}

void progress_end(struct progress *progress)
{
    if (progress->is_shown) {
        fputs("\r\033[K", stderr);
    }
    hist_destroy(progress->total);
    free(progress->seen);
}
