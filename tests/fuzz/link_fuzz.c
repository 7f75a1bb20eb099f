/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds the frames of a link, in one piece and cut: the same comes out, and what decodes encodes to
 * what decodes the same. The first bytes are the limit, the cuts, then the stream. */
#include "codec/link.h"
#include "tests/fuzz/fuzz_pieces.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { ROOM = LINK_HEAD_LEN + LINK_HELLO_LEN_MAX };

static void check_hello(struct span body, bool is_welcome)
{
    uint8_t bytes[ROOM];
    struct writer writer = writer_of(bytes, sizeof(bytes));
    struct link_hello hello;
    struct link_hello again;
    struct link_frame frame;
    size_t need;
    const enum link_result result = link_hello_decode(body, is_welcome, &hello);
    FUZZ_CHECK(result != LINK_MORE && result < LINK_RESULT_COUNT);
    if (result != LINK_OK) {
        return;
    }
    FUZZ_CHECK(hello.protocol_min <= hello.protocol_max && !gossip_uid_is_nobody(&hello.uid));
    link_hello_write(&hello, is_welcome, &writer);
    FUZZ_CHECK(!writer_is_overflown(&writer));
    struct span written = writer_written(&writer);
    FUZZ_CHECK(link_frame_read(&written, 0, &frame, &need) == LINK_OK && written.len == 0);
    FUZZ_CHECK(link_hello_decode(frame.body, is_welcome, &again) == LINK_OK);
    FUZZ_CHECK(again.cluster == hello.cluster && again.incarnation == hello.incarnation);
    FUZZ_CHECK(again.protocol == hello.protocol && gossip_uid_equal(&again.uid, &hello.uid));
    FUZZ_CHECK(gossip_uid_equal(&again.wanted, &hello.wanted));
}

static void check_frame(const struct link_frame *frame)
{
    enum link_refusal refusal;
    uint64_t sent_us;
    check_hello(frame->body, false);
    check_hello(frame->body, true);
    FUZZ_CHECK(link_refusal_decode(frame->body, &refusal) != LINK_OK ||
               refusal < LINK_REFUSAL_COUNT);
    FUZZ_CHECK(link_beat_decode(frame->body, &sent_us) < LINK_RESULT_COUNT);
}

/* What comes of the stream when `len` bytes of it are here. */
static enum link_result read_all(struct span stream, uint32_t limit, uint32_t *frames)
{
    enum link_result result = LINK_OK;
    *frames = 0;
    while (result == LINK_OK) {
        struct link_frame frame;
        size_t need = 0;
        const struct span before = stream;
        result = link_frame_read(&stream, limit, &frame, &need);
        FUZZ_CHECK(result < LINK_RESULT_COUNT);
        if (result == LINK_OK) {
            FUZZ_CHECK(stream.len < before.len && frame.body.len < before.len);
            FUZZ_CHECK(frame.kind != LINK_MESSAGE || frame.body.len <= limit);
            check_frame(&frame);
            ++*frames;
        } else {
            FUZZ_CHECK(stream.at == before.at && stream.len == before.len);
            FUZZ_CHECK(result != LINK_MORE || need > stream.len);
        }
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2) {
        return 0;
    }
    const uint32_t limit = bytes[0] * 16u;
    const struct span stream = span_of(bytes + 2, len - 2);
    const size_t cut = stream.len * bytes[1] / 255;
    uint32_t frames;
    uint32_t frames_cut;
    const enum link_result whole = read_all(stream, limit, &frames);
    const enum link_result part = read_all(span_of(stream.at, cut), limit, &frames_cut);
    /* Fewer bytes never tell something else: only less. */
    FUZZ_CHECK(frames_cut <= frames);
    FUZZ_CHECK(part == LINK_MORE || (part == whole && frames_cut == frames));
    check_hello(stream, false);
    check_hello(stream, true);
    return 0;
}
