/* SPDX-License-Identifier: Apache-2.0 */
/* One thread: its own descriptor table, its own epoll set, its share of the connections. */
#include "ops/bench/engine.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define NS_A_S 1000000000ull
#define LOOK_NS 50000000ull /* how often an idle thread looks around */
#define BELL_TOKEN UINT64_MAX

uint64_t engine_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_A_S + (uint64_t)now.tv_nsec;
}

void worker_fail(struct worker *worker, const char *what, struct span detail)
{
    char text[ENGINE_FAILURE_SIZE];
    if (worker->failure[0] != 0) {
        return;
    }
    const int len = detail.len > 100 ? 100 : (int)detail.len;
    snprintf(text, sizeof text, "%s %.*s", what, len, len == 0 ? "" : (const char *)detail.at);
    for (char *at = text; *at != 0; at++) {
        *at = *at < ' ' || *at > '~' ? '?' : *at;
    }
    /* The reporting thread tells by the first byte whether the rest is there. */
    memcpy(worker->failure + 1, text + 1, sizeof text - 1);
    __atomic_store_n(&worker->failure[0], text[0], __ATOMIC_RELEASE);
}

void worker_wake(struct worker *worker)
{
    const uint64_t one = 1;
    const ssize_t written = write(worker->bell, &one, sizeof one);
    (void)written;
}

static uint64_t stage_elapsed_ns(const struct worker *worker)
{
    const uint64_t now = engine_now_ns();
    const uint64_t start = worker_stage_start_ns(worker);
    return now > start ? now - start : 0;
}

/* Of connections [0, count) of all threads, how many are this one's. */
static uint32_t worker_share(const struct worker *worker, uint64_t count)
{
    const uint64_t threads = worker->engine->workers_len;
    return count <= worker->index ? 0 : (uint32_t)((count - worker->index + threads - 1) / threads);
}

/* Opens what the plan says, as long as not too many handshakes are under way; or closes. */
static void worker_ramp(struct worker *worker)
{
    const struct engine *engine = worker->engine;
    const struct stage *stage = worker_stage(worker);
    const uint64_t elapsed = stage_elapsed_ns(worker);
    const uint32_t target = worker_share(worker, plan_connections_at(stage, elapsed));
    const uint64_t most = engine->options->handshakes_max / engine->workers_len + 1;
    while (worker->opened < target && worker->counters.handshakes < most) {
        const uint32_t index = worker->opened++;
        const uint64_t due = worker_stage_start_ns(worker) +
                             plan_connection_due_ns(stage, conn_number(worker, index));
        conn_open(worker, index, stage->duration_ns == 0 ? engine_now_ns() : due);
    }
    while (worker->opened > target) {
        conn_close(worker, --worker->opened);
    }
}

/* The next connection that may come and go reconnects; each thread takes every n-th turn. */
static void worker_reconnect(struct worker *worker, uint64_t due_ns)
{
    const uint32_t first = worker_share(worker, worker->engine->plan.subscribers);
    const uint32_t count = worker->opened > first ? worker->opened - first : 0;
    for (uint32_t tried = 0; tried < count; tried++) {
        const uint32_t index = first + worker->churn_at++ % count;
        if (worker->conns[index].state == CONN_READY) {
            conn_close(worker, index);
            conn_open(worker, index, due_ns);
            counter_add(&worker->counters.reconnects, 1);
            return;
        }
    }
}

static void worker_churn(struct worker *worker)
{
    const struct engine *engine = worker->engine;
    const uint64_t rate = worker_stage(worker)->churn;
    const uint64_t due = plan_due_count(rate, stage_elapsed_ns(worker));
    for (; worker->churn_index < due; worker->churn_index++) {
        if (worker->churn_index % engine->workers_len == worker->index) {
            worker_reconnect(worker, worker_stage_start_ns(worker) +
                                         plan_due_ns(rate, worker->churn_index));
        }
    }
}

/* Publishers are there before the first subscriber. */
static void worker_open_publishers(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->publishers_len; i++) {
        if (worker->conns[worker->conns_len + i].state == CONN_CLOSED) {
            conn_open(worker, worker->conns_len + i, engine_now_ns());
        }
    }
}

static void worker_close_all(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->conns_len + worker->publishers_len; i++) {
        conn_close(worker, i);
    }
    worker->opened = 0;
}

static void worker_enter_stage(struct worker *worker)
{
    const uint32_t stage = __atomic_load_n(&worker->engine->stage, __ATOMIC_ACQUIRE);
    if (stage == worker->stage) {
        return;
    }
    worker->stage = stage;
    const enum stage_kind kind = worker_stage(worker)->kind;
    if (kind == STAGE_CONNECT) {
        worker_open_publishers(worker);
    } else if (kind == STAGE_CLOSE || kind == STAGE_STOP) {
        worker_close_all(worker);
    }
    traffic_begin(worker);
}

static void worker_work(struct worker *worker)
{
    const struct stage *stage = worker_stage(worker);
    if (stage->kind == STAGE_CONNECT || stage->kind == STAGE_RUN) {
        worker_ramp(worker);
        worker_churn(worker);
        traffic_turn(worker);
    } else if (stage->kind == STAGE_DRAIN) {
        traffic_count_behind(worker);
    }
}

/* When something is due at the latest. */
static uint64_t worker_next_ns(const struct worker *worker)
{
    const struct engine *engine = worker->engine;
    const struct stage *stage = worker_stage(worker);
    const uint64_t start = worker_stage_start_ns(worker);
    uint64_t next = engine_now_ns() + LOOK_NS;
    uint64_t due = traffic_next_ns(worker);
    next = due < next ? due : next;
    if (stage->churn > 0) {
        due = start + plan_due_ns(stage->churn, worker->churn_index);
        next = due < next ? due : next;
    }
    if (stage->connections_to > stage->connections_from &&
        conn_number(worker, worker->opened) < stage->connections_to) {
        due = start + plan_connection_due_ns(stage, conn_number(worker, worker->opened));
        const uint64_t most = engine->options->handshakes_max / engine->workers_len + 1;
        next = due < next && worker->counters.handshakes < most ? due : next;
    }
    return next;
}

static int worker_wait(struct worker *worker, struct epoll_event *events)
{
    const uint64_t now = engine_now_ns();
    const uint64_t next = worker->engine->options->spin ? now : worker_next_ns(worker);
    const uint64_t wait = next > now ? next - now : 0;
    const struct timespec timeout = {(time_t)(wait / NS_A_S), (long)(wait % NS_A_S)};
    return epoll_pwait2(worker->epoll, events, ENGINE_TURN_EVENTS, &timeout, NULL);
}

static void worker_events(struct worker *worker, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        const uint64_t token = events[i].data.u64;
        if (token == BELL_TOKEN) {
            uint64_t rung;
            const ssize_t taken = read(worker->bell, &rung, sizeof rung);
            (void)taken;
            continue;
        }
        const uint32_t index = (uint32_t)token;
        const struct conn *conn = &worker->conns[index];
        if (conn->state != CONN_CLOSED && conn->generation == (uint16_t)(token >> 32)) {
            conn_event(worker, index, events[i].events);
        }
    }
}

static void worker_pin(const struct worker *worker)
{
    const uint64_t cpu = worker->engine->options->cpu;
    if (cpu < CPU_SETSIZE) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        sched_setaffinity(0, sizeof set, &set);
    }
}

static void *worker_run(void *argument)
{
    struct worker *worker = argument;
    struct epoll_event events[ENGINE_TURN_EVENTS];
    struct epoll_event bell = {.events = EPOLLIN, .data.u64 = BELL_TOKEN};
    worker_pin(worker);
    /* A table of its own: the limit of open files counts for each thread. */
    if (unshare(CLONE_FILES) != 0 || (worker->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
        epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->bell, &bell) != 0) {
        worker_fail(worker, "a thread cannot have an epoll set", span_of_text(strerror(errno)));
        counter_add(&worker->counters.refused, worker->conns_len);
        return NULL;
    }
    for (;;) {
        worker_enter_stage(worker);
        if (worker_stage(worker)->kind == STAGE_STOP) {
            break;
        }
        worker_work(worker);
        worker_events(worker, events, worker_wait(worker, events));
    }
    close(worker->epoll);
    return NULL;
}

bool worker_start(struct worker *worker)
{
    worker->stage = UINT32_MAX;
    return pthread_create(&worker->thread, NULL, worker_run, worker) == 0;
}
