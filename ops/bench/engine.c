/* SPDX-License-Identifier: Apache-2.0 */
/* The threads together: their memory, their start and end, and the sum of what they count. */
#include "ops/bench/engine.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "codec/websocket.h"

enum {
    ERROR_SIZE = 256,
    DESCRIPTORS_SPARE = 100, /* a thread's epoll set, all bells, and what the process had */
};

/* As many threads as were asked for, or as the limit of descriptors makes necessary. */
static uint32_t engine_threads(const struct options *options, uint64_t connections)
{
    struct rlimit limit = {0};
    uint64_t threads = options->threads;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    while (threads < 4096 &&
           connections / threads + 1 + options->channels + threads + DESCRIPTORS_SPARE >
               limit.rlim_cur) {
        threads++;
    }
    return (uint32_t)threads;
}

static bool engine_create_channels(struct engine *engine)
{
    const struct options *options = engine->options;
    uint32_t ring_len = 4;
    while (ring_len < 2 * options->window) {
        ring_len *= 2;
    }
    engine->ring_mask = ring_len - 1;
    engine->has_windows = options->mode == MODE_FANOUT && options->rate == 0;
    engine->channels_len = (uint32_t)options->channels;
    engine->channels = calloc(engine->channels_len, sizeof engine->channels[0]);
    engine->opened_channels =
        calloc(engine->channels_len * options->window, sizeof engine->opened_channels[0]);
    if (engine->channels == NULL || engine->opened_channels == NULL) {
        return false;
    }
    const uint64_t subscribers = engine->plan.subscribers;
    for (uint32_t i = 0; i < engine->channels_len; i++) {
        struct channel *channel = &engine->channels[i];
        channel->receivers = (uint32_t)(subscribers / engine->channels_len +
                                        (i < subscribers % engine->channels_len));
        channel->done = calloc(ring_len, sizeof channel->done[0]);
        if (channel->done == NULL) {
            return false;
        }
    }
    return true;
}

static bool worker_create_hists(struct worker *worker)
{
    worker->connect_latency = hist_create(ENGINE_HIST_PRECISION);
    for (uint32_t i = 0; i < worker->engine->plan.stages_len; i++) {
        if (!worker->engine->plan.stages[i].is_measured) {
            continue;
        }
        worker->latency[i] = hist_create(ENGINE_HIST_PRECISION);
        if (worker->latency[i] == NULL) {
            return false;
        }
    }
    return worker->connect_latency != NULL;
}

static bool engine_create_worker(struct engine *engine, uint32_t index)
{
    struct worker *worker = &engine->workers[index];
    const uint64_t all = engine->plan.connections_max;
    const uint32_t threads = engine->workers_len;
    worker->engine = engine;
    worker->index = index;
    worker->epoll = -1;
    worker->conns_len = all <= index ? 0 : (uint32_t)((all - index + threads - 1) / threads);
    if (index == 0 && !engine->plan.is_echo && !engine->options->no_publish &&
        engine->options->mode != MODE_IDLE && engine->options->mode != MODE_CONNECT) {
        const char *path = engine->protocol->path_publish;
        const bool one_a_channel = path != NULL && strstr(path, "%s") != NULL;
        worker->publishers_len = one_a_channel ? engine->channels_len : 1;
    }
    worker->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    /* Zeros are closed connections, and take no memory before they are opened. */
    worker->conns =
        calloc((size_t)worker->conns_len + worker->publishers_len + 1, sizeof worker->conns[0]);
    worker->in = malloc(ENGINE_IN_SIZE);
    worker->out = malloc(ENGINE_OUT_SIZE);
    if (worker->bell < 0 || worker->conns == NULL || worker->in == NULL || worker->out == NULL) {
        return false;
    }
    return worker_create_hists(worker) && traffic_prepare(worker);
}

bool engine_create(struct engine *engine, const struct options *options, struct span scenario,
                   char error[256])
{
    memset(engine, 0, sizeof *engine);
    engine->options = options;
    engine->protocol = options->protocol;
    pthread_mutex_init(&engine->opened_lock, NULL);
    if (!plan_make(options, scenario, &engine->plan, error)) {
        return false;
    }
    engine->target.sin_family = AF_INET;
    engine->target.sin_port = htons((uint16_t)options->port);
    if (inet_pton(AF_INET, options->host, &engine->target.sin_addr) != 1) {
        snprintf(error, ERROR_SIZE, "--host %s is no IPv4 address", options->host);
        return false;
    }
    engine->publish_target = engine->target;
    if (options->publish_port != 0) {
        engine->publish_target.sin_port = htons((uint16_t)options->publish_port);
    }
    websocket_accept_key(SPAN_LITERAL("cm9vc3QtYmVuY2gga2V5IQ=="), engine->accept_key);
    engine->workers_len = engine_threads(options, engine->plan.connections_max);
    engine->workers = aligned_alloc(64, engine->workers_len * sizeof engine->workers[0]);
    if (engine->workers != NULL) {
        memset(engine->workers, 0, engine->workers_len * sizeof engine->workers[0]);
    }
    bool is_whole = engine->workers != NULL && engine_create_channels(engine);
    for (uint32_t i = 0; is_whole && i < engine->workers_len; i++) {
        is_whole = engine_create_worker(engine, i);
    }
    if (!is_whole) {
        snprintf(error, ERROR_SIZE, "memory or descriptors are out");
    }
    return is_whole;
}

bool engine_start(struct engine *engine, char error[256])
{
    engine->stage_starts_ns[0] = engine_now_ns();
    for (uint32_t i = 0; i < engine->workers_len; i++) {
        if (!worker_start(&engine->workers[i])) {
            snprintf(error, ERROR_SIZE, "thread %u cannot be started", i);
            return false;
        }
    }
    return true;
}

void engine_enter(struct engine *engine, uint32_t stage)
{
    engine->stage_starts_ns[stage] = engine_now_ns();
    __atomic_store_n(&engine->stage, stage, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < engine->workers_len; i++) {
        worker_wake(&engine->workers[i]);
    }
}

void engine_sum(const struct engine *engine, struct counters *out)
{
    uint64_t *sums = (uint64_t *)out;
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < engine->workers_len; i++) {
        const uint64_t *from = (const uint64_t *)&engine->workers[i].counters;
        for (uint32_t k = 0; k < COUNTERS_LEN; k++) {
            sums[k] += __atomic_load_n(&from[k], __ATOMIC_RELAXED);
        }
    }
}

const char *engine_failure(const struct engine *engine)
{
    for (uint32_t i = 0; i < engine->workers_len; i++) {
        if (__atomic_load_n(&engine->workers[i].failure[0], __ATOMIC_ACQUIRE) != 0) {
            return engine->workers[i].failure;
        }
    }
    return NULL;
}

void engine_destroy(struct engine *engine)
{
    for (uint32_t i = 0; engine->workers != NULL && i < engine->workers_len; i++) {
        struct worker *worker = &engine->workers[i];
        if (worker->bell > 0) {
            close(worker->bell);
        }
        for (uint32_t k = 0; k < PLAN_STAGES_MAX; k++) {
            hist_destroy(worker->latency[k]);
        }
        hist_destroy(worker->connect_latency);
        free(worker->conns);
        free(worker->in);
        free(worker->out);
        free(worker->payload);
        free(worker->echo_frame);
        free(worker->dirty);
    }
    for (uint32_t i = 0; engine->channels != NULL && i < engine->channels_len; i++) {
        free(engine->channels[i].done);
    }
    free(engine->channels);
    free(engine->opened_channels);
    free(engine->workers);
    pthread_mutex_destroy(&engine->opened_lock);
}
