/* SPDX-License-Identifier: Apache-2.0 */
/* Mailboxes on one thread: order, limits, budgets, doorbells, memory. */
#include "runtime/mailbox.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/random.h"
#include "runtime/sanitizer.h"
#include "tests/unit/runtime/bell.h"

enum { RING_ROOM = RING_DEPTH - 1 };

static struct message numbered(uint32_t number)
{
    struct message message = {.type = (uint16_t)(number * 7), .from = 999, .handle = number};
    for (size_t i = 0; i < sizeof message.body; i++) {
        message.body[i] = (uint8_t)(number + i);
    }
    return message;
}

/* What one drain handed over, checked as it comes: per sender the numbers must count up by one. */
struct receipt {
    uint32_t next[SHARDS_MAX];
    uint32_t count;
};

static void receipt_take(void *context, const struct message *message)
{
    struct receipt *receipt = context;
    assert_in_range(message->from, 0, SHARDS_MAX - 1);
    struct message expected = numbered(receipt->next[message->from]);
    expected.from = message->from;
    if (memcmp(message, &expected, sizeof expected) != 0) {
        fail_msg("%u of shard %u is not %u", message->handle, message->from, expected.handle);
    }
    receipt->next[message->from]++;
    receipt->count++;
}

static bool send_number(struct mailbox *from, uint32_t to, uint32_t number,
                        enum message_class class)
{
    const struct message message = numbered(number);
    return mailbox_send(from, to, &message, class);
}

static void sent_is_received_after_the_flush(void **state)
{
    (void)state;
    struct mailbox_matrix *matrix = mailbox_matrix_create(3);
    assert_non_null(matrix);
    struct mailbox *a = mailbox_of(matrix, 0);
    struct mailbox *c = mailbox_of(matrix, 2);
    struct receipt receipt = {.count = 0};
    assert_true(send_number(a, 2, 0, MESSAGE_REQUEST));
    assert_true(send_number(a, 2, 1, MESSAGE_REPLY));
    assert_true(mailbox_has_work(a));
    assert_int_equal(mailbox_drain(c, 10, receipt_take, &receipt), 0);
    mailbox_flush(a);
    assert_false(mailbox_has_work(a));
    assert_true(mailbox_has_work(c));
    assert_int_equal(mailbox_drain(c, 10, receipt_take, &receipt), 2);
    assert_int_equal(receipt.next[0], 2);
    assert_false(mailbox_has_work(c));
    assert_int_equal(mailbox_counters(a)->sent, 2);
    assert_int_equal(mailbox_counters(c)->received, 2);
    mailbox_matrix_destroy(matrix);
}

struct self_sender {
    struct mailbox *mailbox;
    uint32_t received;
};

static void self_sender_again(void *context, const struct message *message)
{
    struct self_sender *self = context;
    assert_int_equal(message->from, 1);
    self->received++;
    assert_true(mailbox_send(self->mailbox, 1, message, MESSAGE_REPLY));
}

static void what_is_passed_on_names_who_sent_it(void **state)
{
    (void)state;
    struct mailbox_matrix *matrix = mailbox_matrix_create(3);
    assert_non_null(matrix);
    struct mailbox *b = mailbox_of(matrix, 1);
    struct receipt receipt = {.count = 0};
    struct message message = numbered(0);
    message.from = 0;
    assert_true(mailbox_pass_on(b, 2, &message, MESSAGE_REQUEST));
    assert_true(send_number(b, 2, 0, MESSAGE_REQUEST));
    mailbox_flush(b);
    assert_int_equal(mailbox_drain(mailbox_of(matrix, 2), 10, receipt_take, &receipt), 2);
    assert_int_equal(receipt.next[0], 1);
    assert_int_equal(receipt.next[1], 1);
    mailbox_matrix_destroy(matrix);
}

static void what_a_shard_tells_itself_comes_next_turn(void **state)
{
    (void)state;
    struct mailbox_matrix *matrix = mailbox_matrix_create(2);
    struct self_sender self = {.mailbox = mailbox_of(matrix, 1)};
    assert_true(send_number(self.mailbox, 1, 0, MESSAGE_REQUEST));
    for (uint32_t turn = 0; turn < 300; turn++) {
        assert_int_equal(self.received, turn);
        mailbox_flush(self.mailbox);
        assert_true(mailbox_has_work(self.mailbox));
        assert_int_equal(mailbox_drain(self.mailbox, 100, self_sender_again, &self), 1);
    }
    /* More than a ring holds comes in one turn too. */
    for (uint32_t i = 0; i < MAILBOX_STAGED_REQUESTS_MAX - 1; i++) {
        assert_true(send_number(self.mailbox, 1, 0, MESSAGE_REQUEST));
    }
    assert_false(send_number(self.mailbox, 1, 0, MESSAGE_REQUEST));
    mailbox_flush(self.mailbox);
    assert_int_equal(mailbox_drain(self.mailbox, 100, self_sender_again, &self),
                     MAILBOX_STAGED_REQUESTS_MAX);
    mailbox_matrix_destroy(matrix);
}

static void each_class_is_refused_at_its_limit(void **state)
{
    (void)state;
    struct mailbox_matrix *matrix = mailbox_matrix_create(3);
    struct mailbox *a = mailbox_of(matrix, 0);
    uint32_t number = 0;
    while (number < RING_ROOM) { /* These leave early: half a ring is a batch. */
        assert_true(send_number(a, 1, number++, MESSAGE_REQUEST));
    }
    mailbox_flush(a);
    for (uint32_t room = MAILBOX_STAGED_REQUESTS_MAX; room > 0; room--) {
        assert_int_equal(mailbox_room(a, 1, MESSAGE_REQUEST), room);
        assert_int_equal(mailbox_room(a, 1, MESSAGE_REPLY),
                         room + MAILBOX_STAGED_MAX - MAILBOX_STAGED_REQUESTS_MAX);
        assert_true(send_number(a, 1, number++, MESSAGE_REQUEST));
    }
    assert_int_equal(mailbox_room(a, 1, MESSAGE_REQUEST), 0);
    assert_false(send_number(a, 1, number, MESSAGE_REQUEST));
    while (number < RING_ROOM + MAILBOX_STAGED_MAX) {
        assert_true(send_number(a, 1, number++, MESSAGE_REPLY));
    }
    assert_int_equal(mailbox_room(a, 1, MESSAGE_REPLY), 0);
    assert_false(send_number(a, 1, number, MESSAGE_REPLY));
    assert_false(send_number(a, 1, number, MESSAGE_REQUEST));
    assert_int_equal(mailbox_counters(a)->refused, 3);
    /* The limit is one target's: others are not hurt. */
    assert_true(send_number(a, 2, 0, MESSAGE_REQUEST));
    /* What was accepted arrives, all of it and in order. */
    struct receipt receipt = {.count = 0};
    while (receipt.next[0] < number) {
        const uint32_t left = number - receipt.next[0];
        mailbox_flush(a);
        assert_int_equal(mailbox_drain(mailbox_of(matrix, 1), 1000, receipt_take, &receipt),
                         left < RING_ROOM ? left : RING_ROOM);
    }
    mailbox_matrix_destroy(matrix);
}

/* Sends, flushes and drains at random against the model "numbers count up by one for each pair". */
/* A ring of 4 keeps 3; behind it each class has the room that it was given. */
static void smaller_limits_hold(void **state)
{
    (void)state;
    struct mailbox_matrix *matrix = mailbox_matrix_create(2);
    struct mailbox *a = mailbox_of(matrix, 0);
    struct mailbox *b = mailbox_of(matrix, 1);
    struct receipt receipt = {.count = 0};
    mailbox_matrix_limit(matrix, &(struct mailbox_limits){4, 5, 10});
    assert_int_equal(mailbox_limits_of(b)->ring_depth, 4);
    assert_int_equal(mailbox_limits_of(b)->staged_requests_max, 5);
    assert_int_equal(mailbox_limits_of(b)->staged_max, 10);
    uint32_t number = 0;
    while (send_number(a, 1, number, MESSAGE_REQUEST)) {
        number++;
    }
    assert_int_equal(number, 5);
    mailbox_flush(a);
    assert_int_equal(mailbox_room(a, 1, MESSAGE_REQUEST), 3);
    assert_int_equal(mailbox_room(a, 1, MESSAGE_REPLY), 8);
    while (send_number(a, 1, number, MESSAGE_REPLY)) {
        number++;
    }
    assert_int_equal(number, 3 + 10);
    assert_int_equal(mailbox_counters(a)->refused, 2);
    assert_int_equal(mailbox_counters(a)->staged_peak, 5);
    for (uint32_t turn = 0; turn < 5; turn++) {
        assert_int_equal(receipt.count, 3 * turn);
        mailbox_drain(b, 100, receipt_take, &receipt);
        mailbox_flush(a);
    }
    assert_int_equal(receipt.count, number);
    /* So has what it tells itself, and no ring comes into that. */
    for (number = 0; send_number(b, 1, number, MESSAGE_REPLY); number++) {
    }
    assert_int_equal(number, 10);
    mailbox_flush(b);
    assert_int_equal(mailbox_drain(b, 1, receipt_take, &receipt), 10);
    mailbox_matrix_destroy(matrix);
}

static void no_limits_are_those_of_the_node(void **state)
{
    (void)state;
    struct mailbox_matrix *matrix = mailbox_matrix_create(2);
    mailbox_matrix_limit(matrix, &(struct mailbox_limits){.ring_depth = 8});
    mailbox_matrix_limit(matrix, &(struct mailbox_limits){0});
    const struct mailbox_limits *limits = mailbox_limits_of(mailbox_of(matrix, 1));
    assert_int_equal(limits->ring_depth, RING_DEPTH);
    assert_int_equal(limits->staged_requests_max, MAILBOX_STAGED_REQUESTS_MAX);
    assert_int_equal(limits->staged_max, MAILBOX_STAGED_MAX);
    mailbox_matrix_destroy(matrix);
}

static void keep_order_through_overflow(const struct mailbox_limits *limits)
{
    enum { SHARDS = 3 };
    struct random random;
    random_init_seeded(&random, 4711);
    struct mailbox_matrix *matrix = mailbox_matrix_create(SHARDS);
    mailbox_matrix_limit(matrix, limits);
    static struct receipt receipts[SHARDS];
    memset(receipts, 0, sizeof receipts);
    uint32_t sent[SHARDS][SHARDS] = {{0}};
    uint64_t overflows = 0;
    for (uint32_t step = 0; step < 6000; step++) {
        const uint32_t from = (uint32_t)random_below(&random, SHARDS);
        const uint32_t to = (uint32_t)random_below(&random, SHARDS);
        struct mailbox *mailbox = mailbox_of(matrix, from);
        for (uint64_t n = random_below(&random, 200); n > 0; n--) {
            const enum message_class class =
                random_below(&random, 2) ? MESSAGE_REQUEST : MESSAGE_REPLY;
            sent[from][to] += send_number(mailbox, to, sent[from][to], class);
        }
        mailbox_flush(mailbox_of(matrix, (uint32_t)random_below(&random, SHARDS)));
        const uint32_t at = (uint32_t)random_below(&random, SHARDS);
        mailbox_drain(mailbox_of(matrix, at), (uint32_t)random_below(&random, 150) + 1,
                      receipt_take, &receipts[at]);
    }
    for (uint32_t turn = 0; turn < 1000; turn++) {
        for (uint32_t i = 0; i < SHARDS; i++) {
            mailbox_flush(mailbox_of(matrix, i));
            mailbox_drain(mailbox_of(matrix, i), 1000, receipt_take, &receipts[i]);
        }
    }
    for (uint32_t from = 0; from < SHARDS; from++) {
        overflows += mailbox_counters(mailbox_of(matrix, from))->ring_full;
        for (uint32_t to = 0; to < SHARDS; to++) {
            assert_true(sent[from][to] > RING_DEPTH);
            assert_int_equal(receipts[to].next[from], sent[from][to]);
        }
    }
    assert_true(overflows > 0);
    mailbox_matrix_destroy(matrix);
}

static void order_is_kept_through_overflow(void **state)
{
    (void)state;
    keep_order_through_overflow(&(struct mailbox_limits){0});
    keep_order_through_overflow(&(struct mailbox_limits){4, 8, 32});
    keep_order_through_overflow(&(struct mailbox_limits){16, 100, 200});
}

static void a_budget_leaves_the_rest_as_work(void **state)
{
    (void)state;
    struct mailbox_matrix *matrix = mailbox_matrix_create(2);
    struct mailbox *a = mailbox_of(matrix, 0);
    struct mailbox *b = mailbox_of(matrix, 1);
    struct receipt receipt = {.count = 0};
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(send_number(a, 1, i, MESSAGE_REQUEST));
    }
    assert_true(send_number(b, 1, 0, MESSAGE_REQUEST));
    mailbox_flush(a);
    mailbox_flush(b);
    assert_int_equal(mailbox_drain(b, 4, receipt_take, &receipt), 5);
    assert_true(mailbox_has_work(b));
    assert_int_equal(mailbox_drain(b, 4, receipt_take, &receipt), 4);
    assert_true(mailbox_has_work(b));
    assert_int_equal(mailbox_drain(b, 4, receipt_take, &receipt), 2);
    assert_false(mailbox_has_work(b));
    assert_int_equal(mailbox_drain(b, 4, receipt_take, &receipt), 0);
    mailbox_matrix_destroy(matrix);
}

static void a_ring_costs_nothing_before_its_first_message(void **state)
{
    (void)state;
    struct mailbox_matrix *matrix = mailbox_matrix_create(5);
    struct mailbox *a = mailbox_of(matrix, 0);
    const size_t before = mailbox_memory(mailbox_of(matrix, 3));
    assert_true(send_number(a, 3, 0, MESSAGE_REQUEST));
    mailbox_flush(a);
    const size_t ring = mailbox_memory(mailbox_of(matrix, 3)) - before;
    assert_true(ring >= RING_DEPTH * sizeof(struct message));
    assert_true(ring <= RING_DEPTH * sizeof(struct message) + 256);
    assert_int_equal(mailbox_memory(mailbox_of(matrix, 2)), before);
    assert_true(send_number(a, 3, 1, MESSAGE_REQUEST));
    mailbox_flush(a);
    assert_int_equal(mailbox_memory(mailbox_of(matrix, 3)), before + ring);
    mailbox_matrix_destroy(matrix);
}

/* Bytes of the process that are in memory. */
static size_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    unsigned long pages[2];
    assert_int_equal(fscanf(file, "%lu %lu", &pages[0], &pages[1]), 2);
    fclose(file);
    return pages[1] * (size_t)sysconf(_SC_PAGESIZE);
}

static void a_hundred_shards_cost_tens_of_megabytes(void **state)
{
    (void)state;
    enum { SHARDS = 100, MESSAGES = RING_DEPTH + 2 }; /* Every slot of every ring is used. */
    const size_t resident_before = resident_bytes();
    struct mailbox_matrix *matrix = mailbox_matrix_create(SHARDS);
    static struct receipt receipts[SHARDS];
    memset(receipts, 0, sizeof receipts);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        for (uint32_t pair = 0; pair < SHARDS * SHARDS; pair++) {
            assert_true(
                send_number(mailbox_of(matrix, pair / SHARDS), pair % SHARDS, i, MESSAGE_REPLY));
        }
        if (i % 10 == 9 || i + 1 == MESSAGES) {
            for (uint32_t shard = 0; shard < SHARDS; shard++) {
                mailbox_flush(mailbox_of(matrix, shard));
            }
            for (uint32_t shard = 0; shard < SHARDS; shard++) {
                mailbox_drain(mailbox_of(matrix, shard), RING_DEPTH, receipt_take,
                              &receipts[shard]);
            }
        }
    }
    size_t bytes = 0;
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        bytes += mailbox_memory(mailbox_of(matrix, shard));
        assert_int_equal(receipts[shard].count, SHARDS * MESSAGES);
    }
    /* Sanitizers keep books of their own, so that what is resident tells nothing. */
    const bool is_sanitized = UNDER_ADDRESS_SANITIZER || UNDER_THREAD_SANITIZER;
    const size_t resident = resident_bytes() - resident_before;
    print_message("100 shards, all pairs in use: %zu MB accounted, %zu MB more resident\n",
                  bytes / 1000000, resident / 1000000);
    assert_true(bytes < 100u * 1000 * 1000);
    assert_true(is_sanitized || resident < 150u * 1000 * 1000);
    mailbox_matrix_destroy(matrix);
}

static void a_sleeper_is_rung_once_a_batch(void **state)
{
    (void)state;
    struct mailbox_matrix *matrix = mailbox_matrix_create(3);
    struct mailbox *sleeper = mailbox_of(matrix, 0);
    struct receipt receipt = {.count = 0};
    struct bell bell;
    bell_init(&bell);
    assert_false(mailbox_fall_asleep(sleeper)); /* Nobody could wake it. */
    mailbox_set_poller(sleeper, &bell.poller);
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(send_number(mailbox_of(matrix, 1), 0, i, MESSAGE_REQUEST));
    }
    mailbox_flush(mailbox_of(matrix, 1));
    assert_int_equal(bell_total(&bell), 0); /* It was awake. */
    assert_false(mailbox_fall_asleep(sleeper));
    mailbox_drain(sleeper, 100, receipt_take, &receipt);
    assert_true(mailbox_fall_asleep(sleeper));
    for (uint32_t i = 5; i < 10; i++) {
        assert_true(send_number(mailbox_of(matrix, 1), 0, i, MESSAGE_REQUEST));
        assert_true(send_number(mailbox_of(matrix, 2), 0, i - 5, MESSAGE_REQUEST));
    }
    mailbox_flush(mailbox_of(matrix, 1));
    assert_int_equal(bell_total(&bell), 1);
    mailbox_flush(mailbox_of(matrix, 2));
    assert_int_equal(bell_total(&bell), 1); /* It is being woken already. */
    mailbox_wake_up(sleeper);
    assert_int_equal(mailbox_drain(sleeper, 100, receipt_take, &receipt), 10);
    assert_int_equal(mailbox_counters(mailbox_of(matrix, 1))->doorbells, 1);
    assert_int_equal(mailbox_counters(mailbox_of(matrix, 2))->doorbells, 0);
    bell_destroy(&bell);
    mailbox_matrix_destroy(matrix);
}

static void who_has_staged_what_could_go_does_not_sleep(void **state)
{
    (void)state;
    struct mailbox_matrix *matrix = mailbox_matrix_create(2);
    struct mailbox *a = mailbox_of(matrix, 0);
    struct bell bell;
    bell_init(&bell);
    mailbox_set_poller(a, &bell.poller);
    assert_true(send_number(a, 1, 0, MESSAGE_REQUEST));
    assert_false(mailbox_fall_asleep(a));
    mailbox_flush(a);
    assert_true(mailbox_fall_asleep(a));
    mailbox_wake_up(a);
    bell_destroy(&bell);
    mailbox_matrix_destroy(matrix);
}

/* A turn may send one target more than a ring holds: the target begins while it does. */
static void half_a_ring_leaves_before_the_turn_ends(void **state)
{
    (void)state;
    struct mailbox_matrix *matrix = mailbox_matrix_create(2);
    struct mailbox *a = mailbox_of(matrix, 0);
    struct mailbox *b = mailbox_of(matrix, 1);
    struct receipt receipt = {.count = 0};
    struct bell bell;
    bell_init(&bell);
    mailbox_set_poller(b, &bell.poller);
    assert_true(mailbox_fall_asleep(b));
    for (uint32_t i = 0; i < 10 * RING_DEPTH; i++) {
        assert_true(send_number(a, 1, i, MESSAGE_REQUEST));
        if (mailbox_has_work(b)) {
            assert_int_equal(mailbox_drain(b, 1000, receipt_take, &receipt), RING_DEPTH / 2);
        }
    }
    assert_int_equal(receipt.count, 10 * RING_DEPTH);
    assert_false(mailbox_has_work(a));
    assert_int_equal(bell_total(&bell), 1);
    mailbox_wake_up(b);
    bell_destroy(&bell);
    mailbox_matrix_destroy(matrix);
}

static void a_producer_behind_a_full_ring_sleeps_until_there_is_room(void **state)
{
    (void)state;
    struct mailbox_matrix *matrix = mailbox_matrix_create(2);
    struct mailbox *a = mailbox_of(matrix, 0);
    struct mailbox *b = mailbox_of(matrix, 1);
    struct receipt receipt = {.count = 0};
    struct bell bell;
    bell_init(&bell);
    mailbox_set_poller(a, &bell.poller);
    for (uint32_t i = 0; i < RING_ROOM + 3; i++) {
        assert_true(send_number(a, 1, i, MESSAGE_REQUEST));
    }
    mailbox_flush(a);
    assert_true(mailbox_counters(a)->ring_full > 0);
    assert_in_range(mailbox_counters(a)->staged_peak, RING_DEPTH / 2, RING_ROOM + 3);
    assert_false(mailbox_has_work(a));
    assert_true(mailbox_fall_asleep(a));
    assert_int_equal(mailbox_drain(b, 1, receipt_take, &receipt), 1);
    assert_int_equal(bell_total(&bell), 1);
    mailbox_wake_up(a);
    assert_true(mailbox_has_work(a));
    assert_false(mailbox_fall_asleep(a));
    mailbox_flush(a);
    mailbox_drain(b, 1000, receipt_take, &receipt);
    mailbox_flush(a);
    mailbox_drain(b, 1000, receipt_take, &receipt);
    assert_int_equal(receipt.next[0], RING_ROOM + 3);
    assert_int_equal(bell_total(&bell), 1); /* Nobody waited for room any more. */
    bell_destroy(&bell);
    mailbox_matrix_destroy(matrix);
}

static void *call_as_a_stranger(void *mailbox)
{
    mailbox_flush(mailbox);
    return NULL;
}

static void a_stranger_who_uses_a_claimed_mailbox_aborts(void **state)
{
    (void)state;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        struct mailbox_matrix *matrix = mailbox_matrix_create(2);
        mailbox_claim(mailbox_of(matrix, 0));
        mailbox_flush(mailbox_of(matrix, 0)); /* The owner may. */
        pthread_t stranger;
        pthread_create(&stranger, NULL, call_as_a_stranger, mailbox_of(matrix, 0));
        pthread_join(stranger, NULL);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void limits_that_cannot_hold_abort(void **state)
{
    (void)state;
    static const struct mailbox_limits wrong[] = {
        {.ring_depth = 2},
        {.ring_depth = 12},
        {.ring_depth = 2 * RING_DEPTH},
        {.staged_requests_max = MAILBOX_STAGED_REQUESTS_MAX + 1},
        {.staged_max = MAILBOX_STAGED_MAX + 1},
        {.staged_requests_max = 10, .staged_max = 19}, /* Not all answers find room. */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            signal(SIGABRT, SIG_DFL);
            close(STDERR_FILENO);
            mailbox_matrix_limit(mailbox_matrix_create(1), &wrong[i]);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sent_is_received_after_the_flush),
        cmocka_unit_test(what_is_passed_on_names_who_sent_it),
        cmocka_unit_test(what_a_shard_tells_itself_comes_next_turn),
        cmocka_unit_test(each_class_is_refused_at_its_limit),
        cmocka_unit_test(smaller_limits_hold),
        cmocka_unit_test(no_limits_are_those_of_the_node),
        cmocka_unit_test(order_is_kept_through_overflow),
        cmocka_unit_test(a_budget_leaves_the_rest_as_work),
        cmocka_unit_test(a_ring_costs_nothing_before_its_first_message),
        cmocka_unit_test(a_hundred_shards_cost_tens_of_megabytes),
        cmocka_unit_test(a_sleeper_is_rung_once_a_batch),
        cmocka_unit_test(who_has_staged_what_could_go_does_not_sleep),
        cmocka_unit_test(half_a_ring_leaves_before_the_turn_ends),
        cmocka_unit_test(a_producer_behind_a_full_ring_sleeps_until_there_is_room),
        cmocka_unit_test(a_stranger_who_uses_a_claimed_mailbox_aborts),
        cmocka_unit_test(limits_that_cannot_hold_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
