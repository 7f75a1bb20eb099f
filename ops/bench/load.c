/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that walks the plan: enters stages, watches for their end, reads the gauges. */
#include "ops/bench/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ops/bench/engine.h"
#include "ops/bench/gauge.h"
#include "ops/bench/instructions.h"
#include "ops/bench/progress.h"

#define NS_A_S 1000000000ull
#define TICK_NS 2000000ull
#define STALL_NS (20 * NS_A_S)
#define SETTLE_NS \
    300000000ull /* so that what the server does afterwards is counted to its cause \
                  */

enum { ERROR_SIZE = 256 };

/* What differences are taken of. */
struct sample {
    struct gauge gauge;
    struct counters counters;
    uint64_t user_instructions;
    uint64_t kernel_instructions;
    uint64_t *threads_ns; /* owned: CPU of each worker */
};

struct load {
    const struct options *options;
    struct engine engine;
    struct result *result;
    struct progress progress;
    struct instructions instructions;
    struct sample before;
    struct sample after;
    uint64_t changed_ns; /* when something last came */
    uint64_t begun_ns;   /* the stage */
    uint64_t silent_ns;  /* drain: since when nobody publishes; 0: not known */
    uint64_t changed_sum;
};

static void sleep_ns(uint64_t ns)
{
    const struct timespec wait = {(time_t)(ns / NS_A_S), (long)(ns % NS_A_S)};
    nanosleep(&wait, NULL);
}

static void load_sample(struct load *load, struct sample *out)
{
    gauge_read(load->options->server_pid, load->options->publish_pid, true, &out->gauge);
    engine_sum(&load->engine, &out->counters);
    instructions_read(&load->instructions, &out->user_instructions, &out->kernel_instructions);
    for (uint32_t i = 0; i < load->engine.workers_len; i++) {
        clockid_t clock;
        struct timespec cpu = {0};
        if (pthread_getcpuclockid(load->engine.workers[i].thread, &clock) == 0) {
            clock_gettime(clock, &cpu);
        }
        out->threads_ns[i] = (uint64_t)cpu.tv_sec * NS_A_S + (uint64_t)cpu.tv_nsec;
    }
}

static void record_gauges(struct result_stage *out, const struct gauge *before,
                          const struct gauge *after)
{
    out->duration_ns = after->time_ns - before->time_ns;
    out->bench_cpu_ns = after->bench_cpu_ns - before->bench_cpu_ns;
    out->bench_rss_begin = before->bench_rss;
    out->bench_rss_end = after->bench_rss;
    out->server_cpu_ns = after->server_cpu_ns - before->server_cpu_ns;
    out->server_user_ns = after->server_user_ns - before->server_user_ns;
    out->server_system_ns = after->server_system_ns - before->server_system_ns;
    out->machine_busy_ns = after->machine_busy_ns - before->machine_busy_ns;
    out->server_rss_begin = before->server_rss;
    out->server_rss_end = after->server_rss;
    out->server_pss_begin = before->server_pss;
    out->server_pss_end = after->server_pss;
    out->kernel_slab_begin = before->kernel_slab;
    out->kernel_slab_end = after->kernel_slab;
    out->kernel_sockets_end = after->kernel_sockets;
}

/* The stage that just ended, as the difference of the two samples. */
static void load_record(struct load *load, uint32_t index)
{
    const struct stage *stage = &load->engine.plan.stages[index];
    const struct counters *before = &load->before.counters;
    const struct counters *after = &load->after.counters;
    struct result_stage *out = result_stage_add(load->result, stage->name);
    if (out == NULL) {
        return;
    }
    record_gauges(out, &load->before.gauge, &load->after.gauge);
    out->rate = stage->rate;
    out->connections_begin = before->ready;
    out->connections_end = after->ready;
    out->joined = after->joined - before->joined;
    out->reconnects = after->reconnects - before->reconnects;
    out->pings = after->pings - before->pings;
    out->sent = after->sent - before->sent;
    out->received = after->received - before->received;
    out->bench_late_ns = after->late_ns - before->late_ns;
    out->bytes_in = after->bytes_in - before->bytes_in;
    out->bytes_out = after->bytes_out - before->bytes_out;
    out->server_user_instructions = load->after.user_instructions - load->before.user_instructions;
    out->server_kernel_instructions =
        load->after.kernel_instructions - load->before.kernel_instructions;
    for (uint32_t i = 0; i < load->engine.workers_len; i++) {
        const uint64_t cpu = load->after.threads_ns[i] - load->before.threads_ns[i];
        out->bench_busiest_ns = cpu > out->bench_busiest_ns ? cpu : out->bench_busiest_ns;
        hist_merge(out->latency, load->engine.workers[i].latency[index]);
    }
}

/* Says so when it was us, or somebody else, who was busy. */
static void load_judge(struct load *load, const struct result_stage *stage)
{
    const double wall = (double)stage->duration_ns;
    const double busiest = (double)stage->bench_busiest_ns / wall;
    const double pinned = load->options->cpu == UINT64_MAX ? 0 : (double)stage->bench_cpu_ns / wall;
    const double bench = busiest > pinned ? busiest : pinned;
    const double server = (double)stage->server_cpu_ns / wall;
    const uint64_t known = stage->bench_cpu_ns + stage->server_cpu_ns;
    const double others = stage->machine_busy_ns > known && load->options->server_pid != 0
                              ? (double)(stage->machine_busy_ns - known) / wall
                              : 0;
    if (!load->options->spin && bench > 0.9 && (server < 0.9 || load->options->server_pid == 0)) {
        result_warn(load->result,
                    "%s: the bench itself was the limit (its CPU was %.0f %% busy, the server's "
                    "%.0f %%); rates and latencies are the bench's, costs are still the server's",
                    stage->name, 100 * bench, 100 * server);
    }
    if (others > 0.2) {
        result_warn(load->result, "%s: other programs took %.0f %% of a CPU meanwhile", stage->name,
                    100 * others);
    }
}

static bool connect_has_ended(struct load *load, const struct stage *stage,
                              const struct counters *now)
{
    const uint64_t wanted = stage->connections_to + load->engine.workers[0].publishers_len;
    return now->opened >= wanted && now->handshakes == 0;
}

/* Who counts before all have stopped to publish counts too little: only what was counted wholly
 * after that is believed. */
static bool drain_has_ended(struct load *load)
{
    uint64_t behind = 0;
    uint64_t oldest_ns = UINT64_MAX;
    for (uint32_t i = 0; i < load->engine.workers_len; i++) {
        const struct counters *counters = &load->engine.workers[i].counters;
        const uint64_t counted_ns = __atomic_load_n(&counters->counted_ns, __ATOMIC_ACQUIRE);
        behind += __atomic_load_n(&counters->behind, __ATOMIC_RELAXED);
        oldest_ns = counted_ns < oldest_ns ? counted_ns : oldest_ns;
    }
    if (load->silent_ns == 0 && oldest_ns > load->begun_ns) {
        load->silent_ns = engine_now_ns();
    }
    return load->silent_ns != 0 && oldest_ns > load->silent_ns && behind == 0;
}

static bool stage_has_ended(struct load *load, const struct stage *stage, uint64_t elapsed_ns,
                            const struct counters *now)
{
    const uint64_t came = now->received - load->before.counters.received;
    switch (stage->kind) {
    case STAGE_CONNECT:
        return connect_has_ended(load, stage, now);
    case STAGE_RUN:
        return stage->messages != 0 ? came >= stage->messages : elapsed_ns >= stage->duration_ns;
    case STAGE_DRAIN:
        return drain_has_ended(load);
    case STAGE_CLOSE:
        return now->ready + now->handshakes == 0 && elapsed_ns >= stage->duration_ns;
    case STAGE_STOP:
        return true;
    }
    return true;
}

/* Something must come now and then, or the run would hang for ever. */
static bool load_has_stalled(struct load *load, const struct stage *stage,
                             const struct counters *now)
{
    const uint64_t sum = now->joined + now->refused + now->received + now->lost;
    const uint64_t time = engine_now_ns();
    const bool must_move = stage->kind != STAGE_RUN || stage->messages != 0;
    if (sum != load->changed_sum || !must_move) {
        load->changed_sum = sum;
        load->changed_ns = time;
    }
    const uint64_t patience = STALL_NS + (stage->kind == STAGE_CLOSE ? stage->duration_ns : 0);
    return time - load->changed_ns > patience;
}

/* Who never came cannot be waited for, so nothing else is measured then. */
static void load_refuse(struct load *load)
{
    struct counters now;
    engine_sum(&load->engine, &now);
    const char *why = engine_failure(&load->engine);
    if (now.refused > 0 && load->result->failure[0] == 0) {
        snprintf(load->result->failure, sizeof load->result->failure, "%s",
                 why == NULL ? "connections were refused" : why);
    }
}

static void load_stage(struct load *load, uint32_t index)
{
    const struct stage *stage = &load->engine.plan.stages[index];
    struct counters now;
    const uint64_t start = engine_now_ns();
    load_sample(load, &load->before);
    load->changed_ns = start;
    load->begun_ns = start;
    load->silent_ns = 0;
    if (index > 0 || stage->kind != STAGE_CONNECT) {
        engine_enter(&load->engine, index);
    }
    engine_sum(&load->engine, &now);
    while (!stage_has_ended(load, stage, engine_now_ns() - start, &now)) {
        if (load_has_stalled(load, stage, &now)) {
            snprintf(load->result->failure, sizeof load->result->failure,
                     "%s: nothing moved for %llu s", stage->name, STALL_NS / NS_A_S);
            break;
        }
        sleep_ns(TICK_NS);
        engine_sum(&load->engine, &now);
        progress_tick(&load->progress, index, &now);
    }
    if (stage->kind == STAGE_CONNECT) {
        sleep_ns(SETTLE_NS);
        load_refuse(load);
    }
    load_sample(load, &load->after);
    if (stage->is_measured) {
        load_record(load, index);
        load_judge(load, &load->result->stages[load->result->stages_len - 1]);
    }
}

static void load_describe(const struct load *load, struct result *out)
{
    const struct options *options = load->options;
    snprintf(out->label, sizeof out->label, "%s", options->label);
    snprintf(out->mode, sizeof out->mode, "%s", mode_names[options->mode]);
    snprintf(out->protocol, sizeof out->protocol, "%s", options->protocol->name);
    snprintf(out->target, sizeof out->target, "%s:%llu", options->host,
             (unsigned long long)options->port);
    out->connections = load->engine.plan.connections_max;
    out->channels = options->channels;
    out->window = options->rate == 0 ? options->window : 0;
    out->size = options->size;
    out->threads = load->engine.workers_len;
}

static void load_finish(struct load *load)
{
    struct result *out = load->result;
    struct counters sum;
    engine_sum(&load->engine, &sum);
    out->refused = sum.refused;
    out->lost = sum.lost;
    out->missing = sum.missing + sum.behind;
    out->repeated = sum.repeated;
    out->misordered = sum.misordered;
    out->damaged = sum.damaged;
    for (uint32_t i = 0; i < load->engine.workers_len; i++) {
        hist_merge(out->connect_latency, load->engine.workers[i].connect_latency);
    }
    const char *failure = engine_failure(&load->engine);
    if (failure != NULL && out->failure[0] == 0) {
        snprintf(out->failure, sizeof out->failure, "%s", failure);
    }
}

static void load_open_instructions(struct load *load)
{
    char why[160];
    if (!load->options->perf) {
        return;
    }
    if (load->options->server_pid == 0) {
        result_warn(load->result, "--perf needs --server-pid");
    } else if (!instructions_open(&load->instructions, load->options->server_pid, why)) {
        result_warn(load->result,
                    "no instructions counted: %s; ops/bench/instructions counts those of user "
                    "space under valgrind",
                    why);
    }
}

static bool load_walk(struct load *load, char error[256])
{
    const uint32_t threads = load->engine.workers_len;
    const bool is_started = engine_start(&load->engine, error);
    if (!is_started) {
        return false;
    }
    for (uint32_t i = 0; i < load->engine.plan.stages_len; i++) {
        const enum stage_kind kind = load->engine.plan.stages[i].kind;
        /* After a failure there is nothing to measure, but threads to end. */
        if (load->result->failure[0] == 0 || kind == STAGE_STOP) {
            load_stage(load, i);
        }
    }
    for (uint32_t i = 0; i < threads; i++) {
        pthread_join(load->engine.workers[i].thread, NULL);
    }
    load_finish(load);
    return true;
}

bool load_run(const struct options *options, struct span scenario, struct result *out,
              char error[256])
{
    struct load *load = calloc(1, sizeof *load);
    if (load == NULL) {
        snprintf(error, ERROR_SIZE, "memory is out");
        return false;
    }
    load->options = options;
    load->result = out;
    bool is_done = engine_create(&load->engine, options, scenario, error);
    if (is_done) {
        load->before.threads_ns = calloc(load->engine.workers_len, sizeof(uint64_t));
        load->after.threads_ns = calloc(load->engine.workers_len, sizeof(uint64_t));
        load_describe(load, out);
        load_open_instructions(load);
        is_done = load->before.threads_ns != NULL && load->after.threads_ns != NULL &&
                  progress_begin(&load->progress, &load->engine, out) && load_walk(load, error);
        progress_end(&load->progress);
        instructions_close(&load->instructions);
    }
    free(load->before.threads_ns);
    free(load->after.threads_ns);
    engine_destroy(&load->engine);
    free(load);
    return is_done;
}
