/* SPDX-License-Identifier: Apache-2.0 */
/* A shard's turn on a fake poller: its order, its budgets, its time, and when it wants the next. */
#include "runtime/shard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/limits.h"

/* A poller that reports the events which the test put into it. */
struct fake_poller {
    struct poller poller;
    struct poller_event waiting[2 * TURN_EVENTS];
    int count;
    int waits;
    int64_t last_timeout_ns;
    bool is_destroyed;
};

static int fake_wait(struct poller *poller, struct poller_event *events, int max,
                     int64_t timeout_ns)
{
    struct fake_poller *fake = CONTAINER_OF(poller, struct fake_poller, poller);
    fake->waits++;
    fake->last_timeout_ns = timeout_ns;
    const int count = fake->count < max ? fake->count : max;
    memcpy(events, fake->waiting, (size_t)count * sizeof *events);
    memmove(fake->waiting, fake->waiting + count,
            (size_t)(fake->count - count) * sizeof *fake->waiting);
    fake->count -= count;
    return count;
}

static void fake_destroy(struct poller *poller)
{
    CONTAINER_OF(poller, struct fake_poller, poller)->is_destroyed = true;
}

static void fake_report(struct fake_poller *fake, uint64_t token)
{
    fake->waiting[fake->count++] = (struct poller_event){token, POLLER_READABLE};
}

/* An actor that writes down what happens to it: "s" start, "m<handle>" message and so on. */
struct scribe {
    struct shard *shard;
    char notes[8000];
    uint32_t messages;
    uint32_t events;
    bool fails;
    bool has_work;
    bool answers;   /* Sends a message to shard 0 for each that it gets. */
    uint32_t chain; /* Sends itself so many more, one for each that it gets. */
    struct timer timer;
    const struct mailbox *told; /* Whether it has a message as a turn ends; NULL: nobody asks. */
    bool was_told;
};

static void note(struct scribe *scribe, const char *what, uint64_t number)
{
    const size_t len = strlen(scribe->notes);
    snprintf(scribe->notes + len, sizeof scribe->notes - len, "%s%llu ", what,
             (unsigned long long)number);
}

static bool scribe_start(void *actor, struct shard *shard)
{
    struct scribe *scribe = actor;
    scribe->shard = shard;
    note(scribe, "start", shard->now_ms);
    shard->stats = stats_create(1, 1);
    return !scribe->fails;
}

static void scribe_on_message(void *actor, const struct message *message)
{
    struct scribe *scribe = actor;
    scribe->messages++;
    note(scribe, "message", message->handle);
    if (scribe->answers) {
        assert_true(mailbox_send(scribe->shard->mailbox, 0, message, MESSAGE_REPLY));
    }
    if (scribe->chain > 0) {
        scribe->chain--;
        assert_true(mailbox_send(scribe->shard->mailbox, 1, message, MESSAGE_REPLY));
    }
}

static void scribe_on_event(void *actor, uint64_t token, uint32_t events)
{
    struct scribe *scribe = actor;
    assert_int_equal(events, POLLER_READABLE);
    scribe->events++;
    note(scribe, "event", token);
}

static void scribe_on_timer(struct timer *timer, void *actor)
{
    struct scribe *scribe = actor;
    assert_ptr_equal(timer, &scribe->timer);
    note(scribe, "timer", scribe->shard->now_ms);
}

static void scribe_on_turn_end(void *actor)
{
    struct scribe *scribe = actor;
    note(scribe, "end", 0);
    scribe->was_told = scribe->told != NULL && mailbox_has_work(scribe->told);
}

static bool scribe_has_work(void *actor)
{
    return ((struct scribe *)actor)->has_work;
}

static void scribe_stop(void *actor)
{
    note(actor, "stop", 0);
}

static const struct shard_actor scribe_ops = {
    .start = scribe_start,
    .on_message = scribe_on_message,
    .on_event = scribe_on_event,
    .on_turn_end = scribe_on_turn_end,
    .has_work = scribe_has_work,
    .stop = scribe_stop,
};

/* Shard 1 of 2 with a scribe; the test plays shard 0. */
static struct world {
    struct fake_poller poller;
    struct scribe scribe;
    struct mailbox_matrix *matrix;
    struct mailbox *other;
    struct shard *shard;
} world;

static struct clock_reading at_ms(uint64_t ms)
{
    return (struct clock_reading){.monotonic_ns = ms * CLOCK_NS_A_MS, .wall_ms = 7000};
}

static int open_world(void **state)
{
    (void)state;
    static const struct poller_ops ops = {.wait = fake_wait, .destroy = fake_destroy};
    memset(&world, 0, sizeof world);
    world.poller.poller.ops = &ops;
    world.matrix = mailbox_matrix_create(2);
    world.other = mailbox_of(world.matrix, 0);
    struct mailbox *mailbox = mailbox_of(world.matrix, 1);
    mailbox_set_poller(mailbox, &world.poller.poller);
    world.shard = shard_create(1, 2, &world.poller.poller, mailbox);
    return world.shard == NULL || !shard_start(world.shard, &scribe_ops, &world.scribe, at_ms(10));
}

static int close_world(void **state)
{
    (void)state;
    shard_destroy(world.shard);
    mailbox_matrix_destroy(world.matrix);
    return !world.poller.is_destroyed;
}

static void send_messages(uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct message message = {.handle = first + i};
        assert_true(mailbox_send(world.other, 1, &message, MESSAGE_REPLY));
    }
    mailbox_flush(world.other);
}

static void a_turn_has_its_order(void **state)
{
    (void)state;
    timer_set(world.shard->timers, &world.scribe.timer, 20, scribe_on_timer);
    fake_report(&world.poller, 5);
    fake_report(&world.poller, 6);
    send_messages(1, 2);
    world.scribe.notes[0] = '\0';
    assert_int_equal(shard_step(world.shard, at_ms(20)), UINT64_MAX);
    assert_string_equal(world.scribe.notes, "message1 message2 event5 event6 timer20 end0 ");
    assert_int_equal(world.poller.waits, 1);
    assert_int_equal(world.poller.last_timeout_ns, 0);
    assert_int_equal(world.shard->turns, 1);
    assert_int_equal(world.shard->now_ms, 20);
    assert_int_equal(world.shard->wall_ms, 7000);
}

static void what_is_sent_in_a_turn_leaves_in_the_turn(void **state)
{
    (void)state;
    world.scribe.answers = true;
    send_messages(1, 1);
    assert_int_equal(shard_step(world.shard, at_ms(20)), UINT64_MAX);
    assert_true(mailbox_has_work(world.other));
}

static void budgets_bound_a_turn(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < TURN_EVENTS + 3; i++) {
        fake_report(&world.poller, i);
    }
    assert_int_equal(shard_step(world.shard, at_ms(20)), 0); /* There may be more. */
    assert_int_equal(world.scribe.events, TURN_EVENTS);
    assert_int_equal(shard_step(world.shard, at_ms(20)), UINT64_MAX);
    assert_int_equal(world.scribe.events, TURN_EVENTS + 3);
    /* A ring holds less than a turn's budget, so nothing of it is left. */
    send_messages(0, RING_DEPTH + 10);
    assert_int_equal(shard_step(world.shard, at_ms(20)), UINT64_MAX);
    assert_int_equal(world.scribe.messages, RING_DEPTH - 1);
    mailbox_flush(world.other);
    assert_int_equal(shard_step(world.shard, at_ms(20)), UINT64_MAX);
    assert_int_equal(world.scribe.messages, RING_DEPTH + 10);
}

static void the_next_turn_is_wanted_when_there_is_cause(void **state)
{
    (void)state;
    assert_int_equal(shard_step(world.shard, at_ms(20)), UINT64_MAX);
    timer_set(world.shard->timers, &world.scribe.timer, 500, scribe_on_timer);
    const uint64_t next_ms = shard_step(world.shard, at_ms(21));
    assert_in_range(next_ms, 22, 500);
    world.scribe.has_work = true;
    assert_int_equal(shard_step(world.shard, at_ms(22)), 0);
    world.scribe.has_work = false;
    timer_stop(world.shard->timers, &world.scribe.timer);
    /* What follows from what is handled in the same turn, but not for ever. */
    const struct message message = {.handle = 1};
    world.scribe.chain = TURN_REPLY_ROUNDS + 2;
    assert_true(mailbox_send(world.shard->mailbox, 1, &message, MESSAGE_REPLY));
    assert_int_equal(shard_step(world.shard, at_ms(23)), 0);
    assert_int_equal(world.scribe.messages, TURN_REPLY_ROUNDS);
    assert_int_equal(shard_step(world.shard, at_ms(24)), UINT64_MAX);
    assert_int_equal(world.scribe.messages, TURN_REPLY_ROUNDS + 3);
}

static void what_was_told_leaves_before_outputs_are_written(void **state)
{
    (void)state;
    world.scribe.answers = true;
    world.scribe.told = world.other;
    send_messages(1, 1);
    assert_int_equal(shard_step(world.shard, at_ms(20)), UINT64_MAX);
    assert_true(world.scribe.was_told);
}

static void timers_fire_in_the_turn_in_which_they_are_due(void **state)
{
    (void)state;
    timer_set(world.shard->timers, &world.scribe.timer, 5000, scribe_on_timer);
    uint64_t now_ms = 10;
    uint32_t turns = 0;
    while (timer_is_set(&world.scribe.timer)) {
        now_ms = shard_step(world.shard, at_ms(now_ms));
        assert_true(++turns < 20);
    }
    assert_non_null(strstr(world.scribe.notes, "timer5000 "));
}

static void a_stall_hardly_counts(void **state)
{
    (void)state;
    timer_set(world.shard->timers, &world.scribe.timer, 500, scribe_on_timer);
    uint64_t now_ms = 20;
    while (timer_is_set(&world.scribe.timer)) {
        now_ms = shard_step(world.shard, at_ms(now_ms));
    }
    assert_int_equal(shard_awake_ms(world.shard), 500);
    /* Nothing was to be done for long: that is no stall. */
    assert_int_equal(now_ms, UINT64_MAX);
    timer_set(world.shard->timers, &world.scribe.timer, 9000, scribe_on_timer);
    now_ms = shard_step(world.shard, at_ms(7000));
    assert_int_equal(shard_awake_ms(world.shard), 7000);
    while (now_ms < 9000) {
        now_ms = shard_step(world.shard, at_ms(now_ms));
    }
    /* A little late is not, either. */
    assert_int_equal(now_ms, 9000);
    timer_set(world.shard->timers, &world.scribe.timer, 9500, scribe_on_timer);
    world.scribe.has_work = true;
    shard_step(world.shard, at_ms(9000 + SHARD_STALL_MS));
    assert_int_equal(shard_awake_ms(world.shard), 9000 + SHARD_STALL_MS);
    /* And timers let what came meanwhile come first. */
    shard_step(world.shard, at_ms(60000));
    assert_int_equal(shard_awake_ms(world.shard), 9000 + 2 * SHARD_STALL_MS);
    assert_true(timer_is_set(&world.scribe.timer));
    shard_step(world.shard, at_ms(60100));
    assert_false(timer_is_set(&world.scribe.timer));
    assert_int_equal(shard_awake_ms(world.shard), 9100 + 2 * SHARD_STALL_MS);
    /* Not for ever, where every turn is late. */
    timer_set(world.shard->timers, &world.scribe.timer, 60200, scribe_on_timer);
    shard_step(world.shard, at_ms(70000));
    assert_true(timer_is_set(&world.scribe.timer));
    shard_step(world.shard, at_ms(80000));
    assert_false(timer_is_set(&world.scribe.timer));
}

static void a_settling_shard_hears_messages_alone(void **state)
{
    (void)state;
    timer_set(world.shard->timers, &world.scribe.timer, 20, scribe_on_timer);
    fake_report(&world.poller, 5);
    send_messages(1, 1);
    world.scribe.answers = true;
    world.scribe.notes[0] = '\0';
    shard_settle(world.shard, at_ms(30));
    assert_string_equal(world.scribe.notes, "message1 end0 ");
    assert_true(mailbox_has_work(world.other));
}

static void a_wait_keeps_its_events_for_the_turn(void **state)
{
    (void)state;
    shard_step(world.shard, clock_read());
    const int waits = world.poller.waits;
    fake_report(&world.poller, 5);
    world.scribe.notes[0] = '\0';
    struct clock_reading now = shard_wait(world.shard, UINT64_MAX);
    assert_int_equal(world.poller.last_timeout_ns, -1);
    assert_string_equal(world.scribe.notes, "");
    shard_step(world.shard, now);
    assert_string_equal(world.scribe.notes, "event5 end0 ");
    assert_int_equal(world.poller.waits, waits + 1); /* The turn did not ask again. */
    /* A due time bounds the wait; one that has passed does not let it sleep. */
    now = shard_wait(world.shard, world.shard->now_ms + 3600000);
    assert_in_range(world.poller.last_timeout_ns, 3599 * CLOCK_NS_A_S, 3601 * CLOCK_NS_A_S);
    shard_step(world.shard, now);
    world.poller.last_timeout_ns = 0;
    for (int i = 0; i < 100; i++) {
        now = shard_wait(world.shard, i % 2 == 0 ? 0 : world.shard->now_ms);
        shard_step(world.shard, now);
    }
    assert_int_equal(world.poller.last_timeout_ns, 0);
    /* Neither does a message. */
    send_messages(1, 1);
    now = shard_wait(world.shard, UINT64_MAX);
    assert_int_equal(world.poller.last_timeout_ns, 0);
    shard_step(world.shard, now);
    assert_int_equal(world.scribe.messages, 1);
}

static void a_start_that_fails_is_told(void **state)
{
    (void)state;
    static struct scribe scribe;
    scribe.fails = true;
    assert_false(shard_start(world.shard, &scribe_ops, &scribe, at_ms(30)));
}

static int open_nothing(void **state)
{
    (void)state;
    static const struct poller_ops ops = {.wait = fake_wait, .destroy = fake_destroy};
    memset(&world, 0, sizeof world);
    world.poller.poller.ops = &ops;
    world.matrix = mailbox_matrix_create(2);
    world.shard = shard_create(1, 2, &world.poller.poller, mailbox_of(world.matrix, 1));
    return world.shard == NULL;
}

static void a_shard_that_never_started_is_freed(void **state)
{
    (void)state;
    assert_null(world.shard->timers);
    assert_null(world.shard->stats);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_turn_has_its_order),
        IN_WORLD(what_is_sent_in_a_turn_leaves_in_the_turn),
        IN_WORLD(budgets_bound_a_turn),
        IN_WORLD(what_was_told_leaves_before_outputs_are_written),
        IN_WORLD(the_next_turn_is_wanted_when_there_is_cause),
        IN_WORLD(timers_fire_in_the_turn_in_which_they_are_due),
        IN_WORLD(a_stall_hardly_counts),
        IN_WORLD(a_settling_shard_hears_messages_alone),
        IN_WORLD(a_wait_keeps_its_events_for_the_turn),
        cmocka_unit_test_setup_teardown(a_start_that_fails_is_told, open_nothing, close_world),
        cmocka_unit_test_setup_teardown(a_shard_that_never_started_is_freed, open_nothing,
                                        close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
