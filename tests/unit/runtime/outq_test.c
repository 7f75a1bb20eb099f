/* SPDX-License-Identifier: Apache-2.0 */
/* Output queues against a socket that takes what the test says. */
#include "runtime/outq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/limits.h"
#include "runtime/random.h"

/* A socket that takes at most `appetite` bytes a call, in all `room` bytes, and remembers them. */
struct sink {
    struct poller poller;
    size_t appetite;
    size_t room;
    bool is_gone;
    uint32_t calls;
    uint32_t slices_max;
    size_t len;
    uint8_t bytes[1 << 20];
};

static ssize_t sink_send(struct poller *poller, int socket, const struct iovec *slices, int count)
{
    struct sink *sink = CONTAINER_OF(poller, struct sink, poller);
    assert_int_equal(socket, 7);
    assert_in_range(count, 1, OUTQ_SLICES_MAX);
    sink->calls++;
    if ((uint32_t)count > sink->slices_max) {
        sink->slices_max = (uint32_t)count;
    }
    if (sink->is_gone) {
        return POLLER_GONE;
    }
    size_t left = sink->appetite < sink->room ? sink->appetite : sink->room;
    size_t taken = 0;
    for (int i = 0; i < count; i++) {
        assert_true(slices[i].iov_len > 0);
        const size_t part = slices[i].iov_len < left ? slices[i].iov_len : left;
        memcpy(sink->bytes + sink->len, slices[i].iov_base, part);
        sink->len += part;
        taken += part;
        left -= part;
    }
    sink->room -= taken;
    return taken == 0 ? POLLER_AGAIN : (ssize_t)taken;
}

static struct sink sink;
static struct stream stream;

static int open_sink(void **state)
{
    (void)state;
    static const struct poller_ops ops = {.send = sink_send};
    sink.poller.ops = &ops;
    sink.appetite = SIZE_MAX;
    sink.room = SIZE_MAX;
    sink.is_gone = false;
    sink.calls = 0;
    sink.slices_max = 0;
    sink.len = 0;
    stream_open(&stream, 7);
    return 0;
}

static enum outq_result flush(struct outq *outq, uint64_t sent_expected)
{
    uint64_t sent = 99;
    const enum outq_result result = outq_flush(outq, &stream, &sink.poller, &sent);
    assert_int_equal(sent, sent_expected);
    return result;
}

static void assert_idle(const struct outq *outq)
{
    assert_true(outq_is_empty(outq));
    assert_null(outq->first);
    assert_null(outq->last);
    assert_int_equal(outq->head_sent, 0);
    assert_int_equal(outq_memory(outq), 0);
}

static struct frame *frame_of(const char *text)
{
    struct buf *buf = buf_copy(text, strlen(text));
    return frame_wrap(buf, 0, buf->len);
}

static void one_frame_serves_many_queues(void **state)
{
    (void)state;
    struct frame *frame = frame_of("publication");
    struct outq queues[20] = {{NULL, NULL, 0, 0}};
    for (int i = 0; i < 20; i++) {
        assert_true(outq_append(&queues[i], frame, 100));
    }
    assert_int_equal(frame->refs, 21);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(flush(&queues[i], 11), OUTQ_DONE);
        assert_idle(&queues[i]);
    }
    assert_int_equal(frame->refs, 1);
    assert_int_equal(sink.calls, 20);
    assert_int_equal(sink.len, 220);
    frame_release(frame);
}

static void a_turn_costs_one_call(void **state)
{
    (void)state;
    struct outq outq = {NULL, NULL, 0, 0};
    struct frame *frame = frame_of("abc");
    for (int i = 0; i < OUTQ_SLICES_MAX; i++) {
        assert_true(outq_append(&outq, frame, 0));
    }
    assert_int_equal(flush(&outq, 3 * OUTQ_SLICES_MAX), OUTQ_DONE);
    assert_int_equal(sink.calls, 1);
    assert_int_equal(sink.slices_max, OUTQ_SLICES_MAX);
    assert_int_equal(flush(&outq, 0), OUTQ_DONE); /* Nothing to send: no call. */
    assert_int_equal(sink.calls, 1);
    for (int i = 0; i < OUTQ_SLICES_MAX + 1; i++) {
        assert_true(outq_append(&outq, frame, 0));
    }
    assert_int_equal(flush(&outq, 3 * (OUTQ_SLICES_MAX + 1)), OUTQ_DONE);
    assert_int_equal(sink.calls, 3);
    assert_idle(&outq);
    frame_release(frame);
}

static void small_bytes_merge_into_one_slice(void **state)
{
    (void)state;
    struct outq outq = {NULL, NULL, 0, 0};
    struct frame *shared = frame_of("[shared]");
    for (int i = 0; i < 10; i++) {
        assert_true(outq_append_bytes(&outq, "0123456789", 10, 0));
    }
    assert_true(outq_append(&outq, shared, 0));
    assert_true(outq_append_bytes(&outq, "tail", 4, 0)); /* Never into another's bytes. */
    assert_true(outq_append_bytes(&outq, "tail", 4, 0));
    assert_true(outq_append_bytes(&outq, "", 0, 0));
    assert_int_equal(outq.bytes, 116);
    assert_int_equal(flush(&outq, 116), OUTQ_DONE);
    assert_int_equal(sink.slices_max, 3);
    assert_memory_equal(sink.bytes + 90, "0123456789[shared]tailtail", 26);
    assert_memory_equal(shared->bytes, "[shared]", 8);
    frame_release(shared);
    assert_idle(&outq);
}

static void a_frame_that_others_hold_does_not_grow(void **state)
{
    (void)state;
    struct outq a = {NULL, NULL, 0, 0};
    struct outq b = {NULL, NULL, 0, 0};
    struct frame *frame = frame_create(100);
    memcpy(frame_bytes(frame), "both", 4);
    frame->len = 4;
    assert_true(outq_append(&a, frame, 0));
    assert_true(outq_append(&b, frame, 0));
    frame_release(frame);
    assert_true(outq_append_bytes(&a, "A", 1, 0));
    assert_int_equal(flush(&a, 5), OUTQ_DONE);
    assert_true(outq_append_bytes(&b, "B", 1, 0)); /* Alone now: it may grow. */
    assert_int_equal(flush(&b, 5), OUTQ_DONE);
    assert_memory_equal(sink.bytes, "bothAbothB", 10);
}

static void the_limit_is_exact_and_refusal_changes_nothing(void **state)
{
    (void)state;
    struct outq outq = {NULL, NULL, 0, 0};
    struct frame *frame = frame_of("0123456789");
    assert_false(outq_append(&outq, frame, 9));
    assert_false(outq_append_bytes(&outq, "0123456789", 10, 9));
    assert_null(outq_reserve(&outq, 10, 9));
    assert_idle(&outq);
    assert_true(outq_append(&outq, frame, 10));
    assert_int_equal(frame->refs, 2);
    assert_false(outq_append(&outq, frame, 19));
    assert_false(outq_append_bytes(&outq, "x", 1, 10));
    assert_int_equal(frame->refs, 2);
    assert_int_equal(outq.bytes, 10);
    assert_true(outq_append(&outq, frame, 20));
    assert_true(outq_append_bytes(&outq, "x", 1, 21));
    sink.room = 15;
    assert_int_equal(flush(&outq, 15), OUTQ_BLOCKED);
    assert_true(outq_append(&outq, frame, 16)); /* Six wait, sixteen may. */
    assert_false(outq_append(&outq, frame, 16));
    outq_clear(&outq);
    assert_idle(&outq);
    assert_int_equal(frame->refs, 1);
    frame_release(frame);
}

static void no_limit_still_counts_in_32_bits(void **state)
{
    (void)state;
    struct outq outq = {NULL, NULL, 0, 0};
    struct frame *frame = frame_of("0123456789");
    assert_true(outq_append(&outq, frame, 0));
    outq.bytes = UINT32_MAX - 5; /* As if much more waited. */
    assert_false(outq_append(&outq, frame, 0));
    assert_false(outq_append_bytes(&outq, "0123456789", 10, 0));
    outq_clear(&outq);
    frame_release(frame);
}

static void reserved_bytes_are_written_in_place(void **state)
{
    (void)state;
    struct outq outq = {NULL, NULL, 0, 0};
    uint8_t *at = outq_reserve(&outq, 50, 0);
    assert_non_null(at);
    memcpy(at, "one ", 4);
    outq_commit(&outq, 4);
    at = outq_reserve(&outq, 50, 0);
    memcpy(at, "two", 3);
    outq_commit(&outq, 3);
    assert_int_equal(flush(&outq, 7), OUTQ_DONE);
    assert_int_equal(sink.slices_max, 1);
    assert_memory_equal(sink.bytes, "one two", 7);
    assert_idle(&outq);
}

static void an_unused_reservation_leaves_nothing(void **state)
{
    (void)state;
    struct outq outq = {NULL, NULL, 0, 0};
    assert_non_null(outq_reserve(&outq, 10, 0));
    outq_commit(&outq, 0);
    assert_idle(&outq);
    struct frame *frame = frame_of("x");
    for (uint32_t before = 1; before < 40; before++) { /* Also at the border of two chunks. */
        for (uint32_t i = 0; i < before; i++) {
            assert_true(outq_append(&outq, frame, 0));
        }
        assert_non_null(outq_reserve(&outq, 5000, 0));
        outq_commit(&outq, 0);
        assert_true(outq_append(&outq, frame, 0));
        assert_int_equal(outq.bytes, before + 1);
        assert_int_equal(flush(&outq, before + 1), OUTQ_DONE);
        assert_idle(&outq);
    }
    frame_release(frame);
}

/* The same 40 bytes in frames of several kinds, cut at every pair of places. */
static void any_partial_write_goes_on_where_it_stopped(void **state)
{
    (void)state;
    static const char text[] = "HEADER:aaaabbbbcccc-own bytes-dddd.final";
    const size_t len = sizeof text - 1;
    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= len; second++) {
            struct outq outq = {NULL, NULL, 0, 0};
            struct frame *shared = frame_of("aaaabbbbccccdddd");
            struct frame *a = frame_wrap((buf_share(shared->shared, 1), shared->shared), 0, 8);
            struct frame *c = frame_wrap((buf_share(shared->shared, 1), shared->shared), 8, 4);
            assert_true(outq_append_bytes(&outq, "HEADER:", 7, 0));
            assert_true(outq_append(&outq, a, 0));
            assert_true(outq_append(&outq, c, 0));
            assert_true(outq_append_bytes(&outq, "-own bytes-", 11, 0));
            frame_release(a);
            frame_release(c);
            sink.len = 0;
            sink.room = first;
            const size_t so_far = 30;
            flush(&outq, first < so_far ? first : so_far);
            a = frame_wrap((buf_share(shared->shared, 1), shared->shared), 12, 4);
            assert_true(outq_append(&outq, a, 0));
            assert_true(outq_append_bytes(&outq, ".final", 6, 0));
            frame_release(a);
            frame_release(shared);
            const size_t done = sink.len;
            sink.room = second > done ? second - done : 0;
            flush(&outq, second > done ? second - done : 0);
            assert_int_equal(outq.bytes, len - sink.len);
            const size_t rest = len - sink.len;
            sink.room = SIZE_MAX;
            assert_int_equal(flush(&outq, rest), OUTQ_DONE);
            assert_int_equal(sink.len, len);
            assert_memory_equal(sink.bytes, text, len);
            assert_idle(&outq);
        }
    }
}

static void what_was_begun_is_finished_when_the_rest_is_dropped(void **state)
{
    (void)state;
    struct frame *frame = frame_of("0123456789");
    for (uint32_t frames = 1; frames < 40; frames++) {
        for (uint32_t sent = 0; sent < 10 * frames; sent += 3) {
            struct outq outq = {NULL, NULL, 0, 0};
            for (uint32_t i = 0; i < frames; i++) {
                assert_true(outq_append(&outq, frame, 0));
            }
            sink.len = 0;
            sink.room = sent;
            assert_int_equal(flush(&outq, sent), OUTQ_BLOCKED);
            assert_true(outq_drop_unsent(&outq));
            const uint32_t rest = (10 - sent % 10) % 10;
            assert_int_equal(outq.bytes, rest);
            assert_true(outq_append_bytes(&outq, "end", 3, 0));
            sink.room = SIZE_MAX;
            assert_int_equal(flush(&outq, rest + 3), OUTQ_DONE);
            assert_int_equal(sink.len, sent + rest + 3);
            assert_memory_equal(sink.bytes + sent, &"0123456789"[10 - rest], rest);
            assert_memory_equal(sink.bytes + sent + rest, "end", 3);
            assert_idle(&outq);
        }
    }
    assert_int_equal(frame->refs, 1);
    frame_release(frame);
}

static void a_full_socket_is_asked_once(void **state)
{
    (void)state;
    struct outq outq = {NULL, NULL, 0, 0};
    assert_true(outq_append_bytes(&outq, "0123456789", 10, 0));
    sink.room = 4;
    assert_int_equal(flush(&outq, 4), OUTQ_BLOCKED);
    assert_int_equal(sink.calls, 1);
    assert_int_equal(flush(&outq, 0), OUTQ_BLOCKED);
    assert_int_equal(sink.calls, 2);
    assert_int_equal(outq.bytes, 6);
    sink.is_gone = true;
    assert_int_equal(flush(&outq, 0), OUTQ_GONE);
    outq_clear(&outq);
    assert_idle(&outq);
}

static void what_waits_is_no_block(void **state)
{
    (void)state;
    static uint8_t answers[5000];
    for (size_t i = 0; i < sizeof(answers); i++) {
        answers[i] = (uint8_t)(i * 7);
    }
    struct frame *frame = frame_of("publication");
    for (int drops = 0; drops < 2; drops++) {
        for (int behind = 0; behind < 2; behind++) {
            (void)open_sink(NULL);
            struct outq outq = {NULL, NULL, 0, 0};
            for (size_t at = 0; at < sizeof(answers); at += 100) {
                assert_true(outq_append_bytes(&outq, answers + at, 100, 0));
            }
            assert_true(outq_memory(&outq) > FRAME_BLOCK_ROOM);
            assert_true(behind == 0 || outq_append(&outq, frame, 0));
            sink.room = 4990;
            assert_int_equal(flush(&outq, 4990), OUTQ_BLOCKED);
            assert_int_equal(sink.slices_max, 1 + behind);
            assert_true(outq_memory(&outq) < 256);
            assert_true(drops == 0 || outq_drop_unsent(&outq));
            const bool has_frame = behind == 1 && drops == 0;
            sink.room = SIZE_MAX;
            assert_int_equal(flush(&outq, 10 + (has_frame ? frame->len : 0)), OUTQ_DONE);
            assert_memory_equal(sink.bytes, answers, sizeof(answers));
            assert_memory_equal(sink.bytes + sizeof(answers), "publication", has_frame ? 11 : 0);
            assert_idle(&outq);
        }
    }
    assert_int_equal(frame->refs, 1);
    frame_release(frame);
    frame_free_kept();
}

static void memory_is_what_the_queue_pins(void **state)
{
    (void)state;
    struct outq outq = {NULL, NULL, 0, 0};
    struct frame *frame = frame_of("shared bytes are not the queue's");
    assert_true(outq_append(&outq, frame, 0));
    assert_int_equal(outq_memory(&outq), 0); /* One frame needs nothing but the queue. */
    assert_true(outq_append(&outq, frame, 0));
    const size_t chunk = outq_memory(&outq);
    assert_in_range(chunk, 1, 128);
    assert_true(outq_append_bytes(&outq, "x", 1, 0));
    /* A block for what may follow, in proportion to what waits. */
    assert_in_range(outq_memory(&outq), chunk + 1, chunk + 1024);
    assert_true(outq_append_bytes(&outq, sink.bytes, 5000, 0));
    assert_in_range(outq_memory(&outq), chunk + 5001, chunk + 1024 + 34 * 1024);
    outq_clear(&outq);
    assert_idle(&outq);
    frame_release(frame);
}

/* Random appends and flushes against a plain array of bytes. */
static void a_long_random_life_loses_no_byte(void **state)
{
    (void)state;
    struct random random;
    random_init_seeded(&random, 2026);
    struct outq outq = {NULL, NULL, 0, 0};
    uint8_t *model = malloc(sizeof sink.bytes);
    size_t model_len = 0;
    while (model_len < sizeof sink.bytes - 2000) {
        const uint32_t len = (uint32_t)random_below(&random, 8) == 0
                                 ? (uint32_t)random_below(&random, 1500)
                                 : (uint32_t)random_below(&random, 40);
        uint8_t *bytes = model + model_len;
        for (uint32_t i = 0; i < len; i++) {
            bytes[i] = (uint8_t)random_next(&random);
        }
        model_len += len;
        if (random_below(&random, 2) == 0) {
            assert_true(outq_append_bytes(&outq, bytes, len, 0));
        } else {
            struct frame *frame = frame_wrap(buf_copy(bytes, len), 0, len);
            assert_true(outq_append(&outq, frame, 0));
            frame_release(frame);
        }
        if (random_below(&random, 30) == 0) {
            sink.room = random_below(&random, 3000);
            sink.appetite = random_below(&random, 800) + 1;
            uint64_t sent;
            assert_int_not_equal(outq_flush(&outq, &stream, &sink.poller, &sent), OUTQ_GONE);
            assert_int_equal(outq.bytes, model_len - sink.len);
        }
    }
    sink.room = SIZE_MAX;
    sink.appetite = SIZE_MAX;
    assert_int_equal(flush(&outq, model_len - sink.len), OUTQ_DONE);
    assert_int_equal(sink.len, model_len);
    assert_memory_equal(sink.bytes, model, model_len);
    assert_idle(&outq);
    free(model);
    outq_free_kept();
    frame_free_kept();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_frame_serves_many_queues, open_sink),
        cmocka_unit_test_setup(a_turn_costs_one_call, open_sink),
        cmocka_unit_test_setup(small_bytes_merge_into_one_slice, open_sink),
        cmocka_unit_test_setup(a_frame_that_others_hold_does_not_grow, open_sink),
        cmocka_unit_test_setup(the_limit_is_exact_and_refusal_changes_nothing, open_sink),
        cmocka_unit_test_setup(no_limit_still_counts_in_32_bits, open_sink),
        cmocka_unit_test_setup(reserved_bytes_are_written_in_place, open_sink),
        cmocka_unit_test_setup(an_unused_reservation_leaves_nothing, open_sink),
        cmocka_unit_test_setup(any_partial_write_goes_on_where_it_stopped, open_sink),
        cmocka_unit_test_setup(what_was_begun_is_finished_when_the_rest_is_dropped, open_sink),
        cmocka_unit_test_setup(a_full_socket_is_asked_once, open_sink),
        cmocka_unit_test_setup(what_waits_is_no_block, open_sink),
        cmocka_unit_test_setup(memory_is_what_the_queue_pins, open_sink),
        cmocka_unit_test_setup(a_long_random_life_loses_no_byte, open_sink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
