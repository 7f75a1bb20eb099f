/* SPDX-License-Identifier: Apache-2.0 */
/* Bufs and frames: counts, views, and release from several threads. */
#include "runtime/buf.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void a_buf_is_a_copy(void **state)
{
    (void)state;
    char text[] = "hello";
    struct buf *buf = buf_copy(text, 5);
    assert_non_null(buf);
    text[0] = 'j';
    assert_int_equal(buf->len, 5);
    assert_int_equal(buf->refs, 1);
    assert_memory_equal(buf->bytes, "hello", 5);
    buf_release(buf);
    buf_release(NULL);
    struct buf *empty = buf_copy(NULL, 0);
    assert_non_null(empty);
    assert_int_equal(empty->len, 0);
    buf_release(empty);
    assert_null(buf_copy(text, (size_t)UINT32_MAX + 1));
}

static void a_buf_lives_until_its_last_count(void **state)
{
    (void)state;
    struct buf *buf = buf_copy("abc", 3);
    buf_share(buf, 2);
    assert_int_equal(buf->refs, 3);
    buf_release(buf);
    buf_release(buf);
    assert_memory_equal(buf->bytes, "abc", 3);
    assert_int_equal(buf->refs, 1);
    buf_release(buf);
}

static void a_frame_views_a_part_of_a_buf(void **state)
{
    (void)state;
    struct buf *buf = buf_copy("0123456789", 10);
    buf_share(buf, 2);
    struct frame *middle = frame_wrap(buf, 3, 4);
    struct frame *end = frame_wrap(buf, 10, 0);
    assert_non_null(middle);
    assert_non_null(end);
    assert_memory_equal(middle->bytes, "3456", 4);
    assert_int_equal(middle->len, 4);
    assert_int_equal(middle->room, 0);
    assert_int_equal(buf->refs, 3); /* One more than the frames: ours. */
    assert_ptr_equal(frame_hold(middle), middle);
    frame_release(middle);
    assert_int_equal(buf->refs, 3);
    frame_release(middle);
    assert_int_equal(buf->refs, 2);
    frame_release(end);
    assert_int_equal(buf->refs, 1);
    buf_release(buf);
}

static void a_frame_may_hold_its_own_bytes(void **state)
{
    (void)state;
    struct frame *frame = frame_create(8);
    assert_non_null(frame);
    assert_int_equal(frame->len, 0);
    assert_int_equal(frame->room, 8);
    assert_null(frame->shared);
    memcpy(frame_bytes(frame), "01234567", 8);
    frame->len = 8;
    assert_memory_equal(frame->bytes, "01234567", 8);
    frame_release(frame);
}

/* Headers are kept for their next use: after many of them nothing is lost (LeakSanitizer looks). */
static void many_frames_come_and_go(void **state)
{
    (void)state;
    enum { FRAMES = 10000 };
    static struct frame *frames[FRAMES];
    for (int round = 0; round < 3; round++) {
        struct buf *buf = buf_copy("x", 1);
        buf_share(buf, FRAMES);
        for (int i = 0; i < FRAMES; i++) {
            frames[i] = frame_wrap(buf, 0, 1);
            assert_non_null(frames[i]);
        }
        for (int i = 0; i < FRAMES; i++) {
            assert_ptr_equal(frames[i]->shared, buf);
            frame_release(frames[i]);
        }
        assert_int_equal(buf->refs, 1);
        buf_release(buf);
    }
    frame_free_kept();
}

static void *read_and_release(void *argument)
{
    struct buf *buf = argument;
    uintptr_t sum = 0;
    for (uint32_t i = 0; i < buf->len; i++) {
        sum += buf->bytes[i];
    }
    struct frame *frame = frame_wrap(buf, 0, buf->len);
    frame_release(frame);
    frame_free_kept();
    return (void *)sum;
}

/* Whoever comes last frees: the sanitizers see a reader that is overtaken by the free. */
static void shards_release_in_any_order(void **state)
{
    (void)state;
    enum { HOLDERS = 4 };
    for (int round = 0; round < 200; round++) {
        struct buf *buf = buf_create(64);
        memset(buf->bytes, 1, 64);
        buf_share(buf, HOLDERS);
        pthread_t threads[HOLDERS];
        for (int i = 0; i < HOLDERS; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, read_and_release, buf), 0);
        }
        buf_release(buf);
        for (int i = 0; i < HOLDERS; i++) {
            void *sum;
            pthread_join(threads[i], &sum);
            assert_int_equal((uintptr_t)sum, 64);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buf_is_a_copy),
        cmocka_unit_test(a_buf_lives_until_its_last_count),
        cmocka_unit_test(a_frame_views_a_part_of_a_buf),
        cmocka_unit_test(a_frame_may_hold_its_own_bytes),
        cmocka_unit_test(many_frames_come_and_go),
        cmocka_unit_test(shards_release_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
