/* SPDX-License-Identifier: Apache-2.0 */
/* Shards on real threads, more of them than cores: order, sleep, start that fails, orderly end. */
#include "runtime/shard.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/buf.h"

enum {
    SHARDS = 8,
    PER_PAIR = 16384, /* Messages: 8 x 8 x 16384 are a million. */
    WINDOW = 50,      /* Messages under way in each direction of a pair. */
    PATIENCE_MS = 120000,
    FLOOD = 1000, /* Messages that were received before it ends. */
};

static uint32_t live_actors; /* Atomic: created and not yet stopped. */

struct actor {
    uint32_t id;
    struct shard *shard;
    uint32_t sent[SHARDS];
    uint32_t next[SHARDS];
    uint64_t received;
    uint64_t disorders;
    uint32_t *done; /* Atomic: actors that have got everything. */
    uint32_t failing_id;
    struct timer timer;
};

static bool wait_until_equal(const uint32_t *at, uint32_t expected)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (uint32_t ms = 0; ms < PATIENCE_MS; ms++) {
        if (__atomic_load_n(at, __ATOMIC_ACQUIRE) == expected) {
            return true;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

static void send_number(struct actor *actor, uint32_t to)
{
    const struct message message = {.handle = actor->sent[to]++};
    BUG_IF(!mailbox_send(actor->shard->mailbox, to, &message, MESSAGE_REPLY));
}

static void actor_begin(struct timer *timer, void *context)
{
    (void)timer;
    struct actor *actor = context;
    for (uint32_t to = 0; to < actor->shard->count; to++) {
        for (uint32_t i = 0; i < WINDOW; i++) {
            send_number(actor, to);
        }
    }
}

static bool actor_start(void *context, struct shard *shard)
{
    struct actor *actor = context;
    actor->shard = shard;
    timer_set(shard->timers, &actor->timer, shard->now_ms + 5, actor_begin);
    return true;
}

static void actor_on_message(void *context, const struct message *message)
{
    struct actor *actor = context;
    actor->disorders += message->handle != actor->next[message->from];
    actor->next[message->from]++;
    actor->received++;
    if (actor->sent[message->from] < PER_PAIR) {
        send_number(actor, message->from);
    }
    if (actor->received == (uint64_t)PER_PAIR * actor->shard->count) {
        __atomic_fetch_add(actor->done, 1, __ATOMIC_ACQ_REL);
    }
}

static void actor_on_event(void *context, uint64_t token, uint32_t events)
{
    (void)context;
    (void)token;
    (void)events;
    abort(); /* There are no sockets here. */
}

static void actor_on_turn_end(void *context)
{
    (void)context;
}

static bool actor_has_work(void *context)
{
    (void)context;
    return false;
}

static void actor_stop(void *context)
{
    struct actor *actor = context;
    BUG_IF(actor->disorders != 0);
    free(actor);
    __atomic_fetch_sub(&live_actors, 1, __ATOMIC_ACQ_REL);
}

static const struct shard_actor counting_ops = {
    .start = actor_start,
    .on_message = actor_on_message,
    .on_event = actor_on_event,
    .on_turn_end = actor_on_turn_end,
    .has_work = actor_has_work,
    .stop = actor_stop,
};

static const struct shard_actor *counting_ops_of(uint32_t id)
{
    (void)id;
    return &counting_ops;
}

static void *actor_create(uint32_t id, void *context)
{
    struct actor *actor = calloc(1, sizeof *actor);
    actor->id = id;
    actor->done = context;
    __atomic_fetch_add(&live_actors, 1, __ATOMIC_ACQ_REL);
    return actor;
}

static void a_million_messages_cross_all_pairs_in_order(void **state)
{
    (void)state;
    static const uint32_t counts[] = {SHARDS, 1, 2};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        uint32_t done = 0;
        const struct shard_set_options options = {
            .count = counts[i],
            .pin = true,
            .actor_ops = counting_ops_of,
            .actor_create = actor_create,
            .context = &done,
        };
        struct shard_set *set = shard_set_start(&options);
        assert_non_null(set);
        assert_true(wait_until_equal(&done, counts[i]));
        for (uint32_t id = 0; id < counts[i]; id++) {
            const struct shard *shard = shard_set_get(set, id);
            assert_int_equal(shard->id, id);
            assert_true(__atomic_load_n(&shard->turns, __ATOMIC_RELAXED) > 1);
            assert_true(__atomic_load_n(&shard->busy_ns, __ATOMIC_RELAXED) > 0);
        }
        shard_set_stop(set);
        assert_int_equal(live_actors, 0);
    }
}

/* ---- a start that fails ---- */

static uint32_t failing_id;

static bool picky_start(void *context, struct shard *shard)
{
    struct actor *actor = context;
    actor->shard = shard;
    return actor->id != failing_id;
}

static const struct shard_actor *picky_ops_of(uint32_t id)
{
    (void)id;
    static struct shard_actor ops;
    ops = counting_ops;
    ops.start = picky_start;
    return &ops;
}

static void *picky_create(uint32_t id, void *context)
{
    return id + 100 == failing_id ? NULL : actor_create(id, context);
}

static uint32_t count_descriptors(void)
{
    uint32_t count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static void a_start_that_fails_leaves_nothing_behind(void **state)
{
    (void)state;
    const uint32_t descriptors = count_descriptors();
    const struct shard_set_options options = {
        .count = 4,
        .actor_ops = picky_ops_of,
        .actor_create = picky_create,
    };
    for (failing_id = 0; failing_id < 4; failing_id++) {
        assert_null(shard_set_start(&options));
        assert_int_equal(live_actors, 0);
    }
    for (failing_id = 100; failing_id < 104; failing_id++) {
        assert_null(shard_set_start(&options));
        assert_int_equal(live_actors, 0);
    }
    failing_id = 99;
    struct shard_set *set = shard_set_start(&options);
    assert_non_null(set);
    shard_set_stop(set);
    assert_int_equal(live_actors, 0);
    assert_int_equal(count_descriptors(), descriptors);
}

/* ---- what a thread has for itself ---- */

enum { PRIVATE_NUMBER = 700 };

/* As in shard_thread.c: NULL where jemalloc is not the allocator. */
int mallctl(const char *name, void *old, size_t *old_len, void *new, size_t new_len)
    __attribute__((weak));

static uint32_t arenas[SHARDS];
static uint32_t looked; /* Atomic: shards that have looked around. */
static uint32_t strange_files;
static uint32_t unpinned;

/* Everybody opens a file under the same number; whoever shared a table would find it taken. */
static bool private_start(void *context, struct shard *shard)
{
    ((struct actor *)context)->shard = shard;
    if (fcntl(PRIVATE_NUMBER, F_GETFD) >= 0) {
        __atomic_fetch_add(&strange_files, 1, __ATOMIC_RELAXED);
    }
    BUG_IF(dup2(STDERR_FILENO, PRIVATE_NUMBER) != PRIVATE_NUMBER);
    cpu_set_t cores;
    BUG_IF(sched_getaffinity(0, sizeof cores, &cores) != 0);
    if (CPU_COUNT(&cores) != 1) {
        __atomic_fetch_add(&unpinned, 1, __ATOMIC_RELAXED);
    }
    if (mallctl != NULL) {
        size_t len = sizeof arenas[0];
        BUG_IF(mallctl("thread.arena", &arenas[shard->id], &len, NULL, 0) != 0);
    } else {
        arenas[shard->id] = shard->id;
    }
    __atomic_fetch_add(&looked, 1, __ATOMIC_ACQ_REL);
    return true;
}

static const struct shard_actor *private_ops_of(uint32_t id)
{
    (void)id;
    static struct shard_actor ops;
    ops = counting_ops;
    ops.start = private_start;
    return &ops;
}

static void each_shard_has_its_descriptors_core_and_arena(void **state)
{
    (void)state;
    const struct shard_set_options options = {
        .count = 5,
        .pin = true,
        .actor_ops = private_ops_of,
        .actor_create = actor_create,
    };
    struct shard_set *set = shard_set_start(&options);
    assert_non_null(set);
    assert_int_equal(looked, 5);
    assert_int_equal(strange_files, 0);
    assert_true(fcntl(PRIVATE_NUMBER, F_GETFD) < 0);
    cpu_set_t cores;
    assert_int_equal(sched_getaffinity(0, sizeof cores, &cores), 0);
    /* Only the router shard may roam, if there is anywhere to go. */
    assert_int_equal(unpinned, CPU_COUNT(&cores) > 1 ? 1 : 0);
    for (uint32_t i = 1; i < options.count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            assert_int_not_equal(arenas[i], arenas[j]);
        }
    }
    shard_set_stop(set);
}

/* ---- an orderly end ---- */

static uint32_t live_bufs; /* Atomic: sent and not yet received. */
static uint32_t is_quieting;
static uint64_t flood_received;

/* A flood of payloads: what is under way at the end must still be received to be freed. */
static void flood_on_turn_end(void *context)
{
    struct actor *actor = context;
    for (uint32_t i = 0; i < 40 && __atomic_load_n(&is_quieting, __ATOMIC_RELAXED) == 0; i++) {
        const uint32_t to = (uint32_t)random_below(&actor->shard->random, actor->shard->count);
        struct buf *buf = buf_copy("payload", 7);
        struct message message = {.handle = 1};
        memcpy(message.body, &buf, sizeof buf);
        if (mailbox_send(actor->shard->mailbox, to, &message, MESSAGE_REQUEST)) {
            __atomic_fetch_add(&live_bufs, 1, __ATOMIC_RELAXED);
        } else {
            buf_release(buf);
        }
    }
}

static void flood_on_message(void *context, const struct message *message)
{
    struct actor *actor = context;
    struct buf *buf;
    memcpy(&buf, message->body, sizeof buf);
    BUG_IF(memcmp(buf->bytes, "payload", 7) != 0);
    actor->received++;
    __atomic_fetch_add(&flood_received, 1, __ATOMIC_RELAXED);
    if (message->handle == 3) {
        buf_release(buf);
        __atomic_fetch_sub(&live_bufs, 1, __ATOMIC_RELAXED);
        return;
    }
    /* Two more hops, so that the end is not in sight when the stop comes. */
    struct message onward = *message;
    onward.handle++;
    const uint32_t to = (actor->id + 1) % actor->shard->count;
    if (!mailbox_send(actor->shard->mailbox, to, &onward, MESSAGE_REPLY)) {
        buf_release(buf);
        __atomic_fetch_sub(&live_bufs, 1, __ATOMIC_RELAXED);
    }
}

static bool flood_has_work(void *context)
{
    (void)context;
    return __atomic_load_n(&is_quieting, __ATOMIC_RELAXED) == 0;
}

static const struct shard_actor *flood_ops_of(uint32_t id)
{
    (void)id;
    static struct shard_actor ops;
    ops = counting_ops;
    ops.start = picky_start;
    ops.on_message = flood_on_message;
    ops.on_turn_end = flood_on_turn_end;
    ops.has_work = flood_has_work;
    return &ops;
}

static void what_is_under_way_at_the_end_arrives(void **state)
{
    (void)state;
    const struct shard_set_options options = {
        .count = 4,
        .actor_ops = flood_ops_of,
        .actor_create = actor_create,
    };
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int round = 0; round < 10; round++) {
        __atomic_store_n(&is_quieting, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&flood_received, 0, __ATOMIC_RELAXED);
        struct shard_set *set = shard_set_start(&options);
        assert_non_null(set);
        for (int ms = 0; ms < PATIENCE_MS; ms++) {
            if (__atomic_load_n(&flood_received, __ATOMIC_RELAXED) > FLOOD) {
                break;
            }
            nanosleep(&pause, NULL);
        }
        __atomic_store_n(&is_quieting, 1, __ATOMIC_RELAXED);
        shard_set_stop(set);
        assert_int_equal(live_actors, 0);
        assert_int_equal(live_bufs, 0);
        assert_true(flood_received > FLOOD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_messages_cross_all_pairs_in_order),
        cmocka_unit_test(a_start_that_fails_leaves_nothing_behind),
        cmocka_unit_test(each_shard_has_its_descriptors_core_and_arena),
        cmocka_unit_test(what_is_under_way_at_the_end_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
