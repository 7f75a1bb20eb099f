/* SPDX-License-Identifier: Apache-2.0 */
/* What loads a server: connections, the threads that own them, and what the threads share. */
#ifndef ROOST_OPS_BENCH_ENGINE_H
#define ROOST_OPS_BENCH_ENGINE_H

#include "codec/span.h"
#include "ops/bench/options.h"
#include "ops/bench/order.h"
#include "ops/bench/plan.h"
#include "runtime/hist.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum engine_limit {
    ENGINE_IN_SIZE = 2 << 20,  /* the longest message, and what one read takes */
    ENGINE_OUT_SIZE = 4 << 20, /* what one turn of a window sends on one connection */
    ENGINE_TURN_EVENTS = 512,
    ENGINE_FAILURE_SIZE = 160,
    ENGINE_HIST_PRECISION = 10, /* three digits */
};

enum conn_state {
    CONN_CLOSED,     /* no descriptor */
    CONN_CONNECTING, /* SYN is out */
    CONN_UPGRADING,  /* the request is out */
    CONN_JOINING,    /* the protocol's first message is out */
    CONN_READY,
};

enum conn_flag {
    CONN_SUBSCRIBER = 1, /* owes us every publication of its channel from the first on */
    CONN_LISTENER = 2,   /* came late: what follows the first one that it hears */
    CONN_PUBLISHER = 4,
    CONN_SYNCED = 8, /* `order` holds */
};

/* One of millions, so each byte counts; buffers exist only while a message is incomplete. */
struct conn {
    uint8_t *carry; /* the front of a message that has not come as a whole */
    uint8_t *rest;  /* what the socket would not take */
    uint32_t carry_len;
    uint32_t rest_len;
    struct order order;
    uint32_t sent; /* echo: the next number */
    int fd;
    uint16_t generation; /* events of a descriptor that was closed meanwhile are stale */
    uint8_t state;
    uint8_t flags;
    uint64_t due_ns; /* when it should have connected */
};

_Static_assert(sizeof(struct conn) <= 64, "a cache line a connection");

/* Written by their thread alone, read by the one that reports. */
struct counters {
    uint64_t opened;
    uint64_t handshakes; /* at present */
    uint64_t ready;      /* at present */
    uint64_t joined;     /* since the start; a reconnect counts again */
    uint64_t refused;    /* never became ready */
    uint64_t lost;       /* were ready, and the server left */
    uint64_t sent;       /* echoes asked for, or publications */
    uint64_t late_ns;    /* of those that were due by the clock, until we sent them */
    uint64_t received;   /* echoes, or deliveries */
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t missing;
    uint64_t repeated;
    uint64_t misordered;
    uint64_t damaged; /* payloads that we never sent */
    uint64_t pings;
    uint64_t reconnects;
    uint64_t behind;     /* drain: what is still owed */
    uint64_t counted_ns; /* drain: when the last count of `behind` began */
};

enum { COUNTERS_LEN = sizeof(struct counters) / sizeof(uint64_t) };

/* Publications in one order. Only `done` and `completed` are touched by several threads. */
struct channel {
    uint32_t published;
    uint32_t completed; /* publications that all receivers have */
    uint32_t receivers;
    bool is_dirty;  /* worker 0: is in its list */
    uint32_t *done; /* receivers that have publication n, at n & ring_mask */
};

struct worker {
    struct engine *engine;
    uint32_t index;
    int epoll;
    int bell; /* rung when the stage changes or a window opens */
    pthread_t thread;
    struct conn *conns;
    uint32_t conns_len;      /* without publishers */
    uint32_t publishers_len; /* behind them; of worker 0 only */
    uint32_t opened;         /* conns[0, opened) have been opened */
    uint32_t churn_at;
    uint32_t stage;
    uint64_t now_ns;
    uint64_t due_index; /* messages due in this stage that went out */
    uint64_t churn_index;
    uint32_t echo_credit; /* echoes that came with the read that is being worked on */
    uint32_t echo_at;
    struct hist *latency[PLAN_STAGES_MAX];
    struct hist *connect_latency;
    uint8_t *in;
    uint8_t *out;
    uint32_t out_len;
    uint32_t out_conn;   /* whose bytes `out` holds */
    uint8_t *payload;    /* of all that is sent, but for the stamp */
    uint8_t *echo_frame; /* where an echo is a bare payload: all but for the stamp, masked */
    uint32_t echo_frame_len;
    uint32_t *dirty; /* worker 0: channels whose window may be open */
    uint32_t dirty_len;
    char failure[ENGINE_FAILURE_SIZE];
    struct counters counters __attribute__((aligned(64)));
};

struct engine {
    const struct options *options;
    const struct protocol *protocol;
    struct plan plan;
    struct sockaddr_in target;
    struct sockaddr_in publish_target;
    struct worker *workers;
    uint32_t workers_len;
    uint32_t channels_len;
    uint32_t ring_mask;
    bool has_windows; /* publications follow upon complete ones, not upon the clock */
    struct channel *channels;
    char accept_key[32];
    /* What worker 0 is told by the others: channels whose window opened. */
    pthread_mutex_t opened_lock;
    uint32_t *opened_channels;
    uint32_t opened_len;
    /* Written by the thread that walks the plan. */
    uint32_t stage __attribute__((aligned(64)));
    uint64_t stage_starts_ns[PLAN_STAGES_MAX];
};

uint64_t engine_now_ns(void);

static inline void counter_add(uint64_t *counter, uint64_t amount)
{
    __atomic_store_n(counter, *counter + amount, __ATOMIC_RELAXED);
}

static inline void counter_subtract(uint64_t *counter, uint64_t amount)
{
    __atomic_store_n(counter, *counter - amount, __ATOMIC_RELAXED);
}

static inline const struct stage *worker_stage(const struct worker *worker)
{
    return &worker->engine->plan.stages[worker->stage];
}

/* When this thread's stage began; its thread may enter it a little later. */
static inline uint64_t worker_stage_start_ns(const struct worker *worker)
{
    return worker->engine->stage_starts_ns[worker->stage];
}

/* The number of a connection among all; which channel it is on follows from it. */
static inline uint64_t conn_number(const struct worker *worker, uint32_t index)
{
    return (uint64_t)index * worker->engine->workers_len + worker->index;
}

static inline bool conn_is_publisher(const struct worker *worker, uint32_t index)
{
    return index >= worker->conns_len;
}

static inline uint32_t conn_channel(const struct worker *worker, uint32_t index)
{
    if (conn_is_publisher(worker, index)) {
        return index - worker->conns_len;
    }
    return (uint32_t)(conn_number(worker, index) % worker->engine->channels_len);
}

enum { CHANNEL_NAME_SIZE = 24 };
void channel_name(uint32_t channel, char out[CHANNEL_NAME_SIZE]);

/* The channel that a connection subscribes (or publishes) to. */
void conn_channel_name(const struct worker *worker, uint32_t index, char out[CHANNEL_NAME_SIZE]);

/* Remembers the first failure of this thread, as a sentence. */
void worker_fail(struct worker *worker, const char *what, struct span detail);

/* conn.c: the descriptor's life, bytes in and out. */
void conn_open(struct worker *worker, uint32_t index, uint64_t due_ns);
void conn_close(struct worker *worker, uint32_t index);
void conn_event(struct worker *worker, uint32_t index, uint32_t events);
void conn_send(struct worker *worker, uint32_t index, const uint8_t *at, size_t len);
void conn_send_message(struct worker *worker, uint32_t index, struct span message);
void conn_ready(struct worker *worker, uint32_t index);

/* receive.c: what the bytes mean. Returns false when the connection is to be given up. */
bool receive_bytes(struct worker *worker, uint32_t index, const uint8_t **at, const uint8_t *end);

/* traffic.c: what is sent when. */
bool traffic_prepare(struct worker *worker);
void traffic_begin(struct worker *worker); /* a stage began */
void traffic_ready(struct worker *worker, uint32_t index);
void traffic_turn(struct worker *worker);
uint64_t traffic_next_ns(const struct worker *worker);
void traffic_echo_send(struct worker *worker, uint32_t index, uint32_t count, uint64_t due_ns);
void traffic_completed(struct worker *worker, uint32_t channel);
void traffic_count_behind(struct worker *worker);

/* worker.c: the thread. */
bool worker_start(struct worker *worker);
void worker_wake(struct worker *worker);

/* engine.c: all of them. False with a sentence in `error`. */
bool engine_create(struct engine *engine, const struct options *options, struct span scenario,
                   char error[256]);
bool engine_start(struct engine *engine, char error[256]);
void engine_enter(struct engine *engine, uint32_t stage);
void engine_sum(const struct engine *engine, struct counters *out);
const char *engine_failure(const struct engine *engine);
void engine_destroy(struct engine *engine);

#endif
