/* SPDX-License-Identifier: Apache-2.0 */
/* Applies garbage as a delta, and takes any two payloads through a delta and back. */
#include "codec/delta.h"
#include "codec/utf8.h"
#include "tests/fuzz/fuzz_pieces.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define TARGET_MAX 65536

static uint8_t *copy_of(struct span span)
{
    uint8_t *buf = malloc(span.len > 0 ? span.len : 1);
    FUZZ_CHECK(buf != NULL);
    if (span.len > 0) {
        memcpy(buf, span.at, span.len);
    }
    return buf;
}

static void apply_garbage(struct span source, struct span delta)
{
    size_t len = 0;
    const enum delta_result header = delta_target_len(delta, &len);
    const size_t room = header == DELTA_OK && len <= TARGET_MAX ? len : 16;
    uint8_t *buf = malloc(room + 1);
    FUZZ_CHECK(buf != NULL);
    struct writer out = writer_of(buf, room);
    const enum delta_result result = delta_apply(source, delta, &out);
    if (result == DELTA_OK) {
        FUZZ_CHECK(header == DELTA_OK && writer_written_len(&out) == len);
    } else {
        FUZZ_CHECK(writer_written_len(&out) == 0);
        FUZZ_CHECK(header == DELTA_OK || header == result);
    }
    free(buf);
}

static void round_trip(struct span source, struct span target, enum delta_alignment alignment,
                       size_t room)
{
    uint8_t *delta_buf = malloc(target.len + 1);
    uint8_t *target_buf = malloc(target.len + 1);
    uint8_t *scratch = malloc(room + 1);
    FUZZ_CHECK(delta_buf != NULL && target_buf != NULL && scratch != NULL);
    struct writer delta = writer_of(delta_buf, target.len);
    const enum delta_result result =
        delta_create(source, target, alignment, scratch_of(scratch, room), &delta);
    if (result == DELTA_OK) {
        FUZZ_CHECK(writer_written_len(&delta) < target.len);
        struct writer out = writer_of(target_buf, target.len);
        FUZZ_CHECK(delta_apply(source, writer_written(&delta), &out) == DELTA_OK);
        FUZZ_CHECK(span_equal(writer_written(&out), target));
        /* With the literals whole, so is what surrounds them. */
        FUZZ_CHECK(alignment == DELTA_OF_BYTES || utf8_is_valid(writer_written(&delta)));
    } else if (result == DELTA_NOT_UTF8) {
        FUZZ_CHECK(!utf8_is_valid(source) || !utf8_is_valid(target));
    } else {
        FUZZ_CHECK(result == DELTA_NOT_SHORTER);
    }
    free(scratch);
    free(target_buf);
    free(delta_buf);
}

/* The first byte: how much room the index has. The next one: where the two payloads meet. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2) {
        return 0;
    }
    const struct span rest = span_of(bytes + 2, len - 2);
    const size_t border = rest.len * bytes[1] / 255;
    uint8_t *source_buf = copy_of(span_of(rest.at, border));
    uint8_t *target_buf = copy_of(span_skip(rest, border));
    const struct span source = span_of(source_buf, border);
    const struct span target = span_of(target_buf, rest.len - border);
    const size_t room = DELTA_SCRATCH_LEN(source.len) * bytes[0] / 255;
    apply_garbage(source, target);
    round_trip(source, target, DELTA_OF_BYTES, room);
    round_trip(source, target, DELTA_OF_UTF8, room);
    free(target_buf);
    free(source_buf);
    return 0;
}
