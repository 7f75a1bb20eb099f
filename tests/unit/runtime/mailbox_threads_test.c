/* SPDX-License-Identifier: Apache-2.0 */
/* Mailboxes between threads that sleep whenever they may: no message and no wake-up is lost. */
#include "runtime/mailbox.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/runtime/bell.h"

enum {
    SHARDS = 4,
    /* A wait that ends by its timeout has lost its wake-up: nothing here takes this long. */
    WAIT_S = 60,
};

struct worker {
    struct mailbox *mailbox;
    struct bell bell;
    uint32_t id;
    uint32_t to_send; /* To each other worker. */
    uint32_t burst;   /* Messages for each target between two flushes. */
    uint32_t sent[SHARDS];
    uint32_t next[SHARDS];
    uint32_t received;
    uint32_t disorders;
    bool is_echo; /* Sends one message back for each that it gets. */
};

static void worker_send(struct worker *worker, uint32_t to)
{
    const struct message message = {.handle = worker->sent[to]};
    worker->sent[to] += mailbox_send(worker->mailbox, to, &message, MESSAGE_REPLY);
}

static void worker_receive(void *context, const struct message *message)
{
    struct worker *worker = context;
    worker->disorders += message->handle != worker->next[message->from];
    worker->next[message->from]++;
    worker->received++;
    if (worker->is_echo && worker->sent[message->from] < worker->to_send) {
        worker_send(worker, message->from);
    }
}

/* Sends a burst to everybody who is still owed messages, unless the ring to them is full. */
static void worker_send_bursts(struct worker *worker)
{
    for (uint32_t to = 0; to < SHARDS; to++) {
        for (uint32_t i = 0; i < worker->burst && to != worker->id; i++) {
            if (worker->sent[to] < worker->to_send &&
                mailbox_room(worker->mailbox, to, MESSAGE_REPLY) > MAILBOX_STAGED_MAX - 500) {
                worker_send(worker, to);
            }
        }
    }
}

static bool worker_has_staged(const struct worker *worker)
{
    for (uint32_t to = 0; to < SHARDS; to++) {
        if (mailbox_room(worker->mailbox, to, MESSAGE_REPLY) < MAILBOX_STAGED_MAX) {
            return true;
        }
    }
    return false;
}

static bool worker_owes(const struct worker *worker)
{
    for (uint32_t to = 0; to < SHARDS; to++) {
        if (to != worker->id && worker->sent[to] < worker->to_send) {
            return true;
        }
    }
    return false;
}

static bool worker_is_done(const struct worker *worker)
{
    return worker->received == worker->to_send * (SHARDS - 1) && !worker_owes(worker) &&
           !worker_has_staged(worker);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    mailbox_claim(worker->mailbox);
    for (uint32_t to = 0; to < SHARDS && worker->is_echo; to++) {
        if (to != worker->id) {
            worker_send(worker, to);
        }
    }
    while (!worker_is_done(worker) && worker->bell.misses == 0) {
        mailbox_drain(worker->mailbox, 100, worker_receive, worker);
        worker_send_bursts(worker);
        mailbox_flush(worker->mailbox);
        /* A producer that could send more sleeps only behind a full ring. */
        const bool may_sleep = worker->is_echo || worker_has_staged(worker) || !worker_owes(worker);
        if (may_sleep && !worker_is_done(worker) && mailbox_fall_asleep(worker->mailbox)) {
            poller_wait(&worker->bell.poller, NULL, 0, WAIT_S * 1000000000ll);
            mailbox_wake_up(worker->mailbox);
        }
    }
    mailbox_disclaim(worker->mailbox);
    return NULL;
}

/* Every worker sends `to_send` messages to each other one; returns how often doorbells rang. */
static uint64_t run_workers(uint32_t to_send, uint32_t burst, bool is_echo)
{
    static struct worker workers[SHARDS];
    memset(workers, 0, sizeof workers);
    struct mailbox_matrix *matrix = mailbox_matrix_create(SHARDS);
    pthread_t threads[SHARDS];
    for (uint32_t i = 0; i < SHARDS; i++) {
        workers[i].mailbox = mailbox_of(matrix, i);
        workers[i].id = i;
        workers[i].to_send = to_send;
        workers[i].burst = burst;
        workers[i].is_echo = is_echo;
        bell_init(&workers[i].bell);
        mailbox_set_poller(workers[i].mailbox, &workers[i].bell.poller);
    }
    for (uint32_t i = 0; i < SHARDS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, worker_main, &workers[i]), 0);
    }
    uint64_t doorbells = 0;
    for (uint32_t i = 0; i < SHARDS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (uint32_t i = 0; i < SHARDS; i++) {
        assert_int_equal(workers[i].bell.misses, 0);
        assert_int_equal(workers[i].disorders, 0);
        assert_int_equal(workers[i].received, to_send * (SHARDS - 1));
        doorbells += mailbox_counters(workers[i].mailbox)->doorbells;
        bell_destroy(&workers[i].bell);
    }
    mailbox_matrix_destroy(matrix);
    return doorbells;
}

/* With one message under way in each direction everybody sleeps all the time: the race between
 * falling asleep and being rung is run as often as it can be. */
static void no_wake_up_is_lost_in_a_ping_pong(void **state)
{
    (void)state;
    assert_true(run_workers(30000, 0, true) > 1000);
}

static void floods_end_in_order_though_their_producers_sleep(void **state)
{
    (void)state;
    run_workers(100000, 400, false);
    run_workers(50000, 7, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_wake_up_is_lost_in_a_ping_pong),
        cmocka_unit_test(floods_end_in_order_though_their_producers_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
