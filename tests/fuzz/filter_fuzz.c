/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles filters, asks them about tags, and asks their negations, which must say the opposite. */
#include "codec/filter.h"
#include "codec/json.h"
#include "codec/writer.h"
#include "tests/fuzz/fuzz_pieces.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static uint8_t *buf_of(size_t len)
{
    uint8_t *buf = malloc(len > 0 ? len : 1);
    FUZZ_CHECK(buf != NULL);
    return buf;
}

/* The filter within a "not", compiled into exactly the promised room. */
static void check_negation(struct span json, const struct filter_tags *tags, bool wanted)
{
    static const struct span open = {(const uint8_t *)"{\"op\":\"not\",\"nodes\":[", 21};
    static const struct span close = {(const uint8_t *)"]}", 2};
    const size_t len = open.len + json.len + close.len;
    uint8_t *text = buf_of(len);
    uint8_t *room = buf_of(FILTER_SCRATCH_LEN(len));
    struct writer writer = writer_of(text, len);
    writer_put(&writer, open);
    writer_put(&writer, json);
    writer_put(&writer, close);
    struct scratch scratch = scratch_of(room, FILTER_SCRATCH_LEN(len));
    struct filter filter;
    const enum filter_result result = filter_compile(writer_written(&writer), &scratch, &filter);
    if (result == FILTER_OK) {
        FUZZ_CHECK(filter_matches(&filter, tags) == wanted);
    } else {
        FUZZ_CHECK(result == FILTER_ERROR_DEPTH || result == FILTER_ERROR_NODES ||
                   json_check(writer_written(&writer)) == JSON_ERROR_DEPTH);
    }
    free(room);
    free(text);
}

static void ask(struct span json, const struct filter_tags *tags)
{
    uint8_t *room = buf_of(FILTER_SCRATCH_LEN(json.len));
    struct scratch scratch = scratch_of(room, FILTER_SCRATCH_LEN(json.len));
    struct filter filter;
    const enum filter_result result = filter_compile(json, &scratch, &filter);
    FUZZ_CHECK(result != FILTER_ERROR_SPACE);
    if (result == FILTER_OK) {
        /* In memory of exactly its size, and nowhere else. */
        uint8_t *moved = buf_of(filter.program.len);
        memcpy(moved, filter.program.at, filter.program.len);
        filter.program.at = moved;
        memset(room, 0xAA, FILTER_SCRATCH_LEN(json.len));
        check_negation(json, tags, !filter_matches(&filter, tags));
        free(moved);
    } else {
        FUZZ_CHECK(scratch.at == room);
    }
    free(room);
}

static void compare(struct span a, struct span b)
{
    int forth = 0;
    int back = 0;
    const bool are_decimals = filter_compare_decimals(a, b, &forth);
    FUZZ_CHECK(filter_compare_decimals(b, a, &back) == are_decimals);
    FUZZ_CHECK((forth > 0) == (back < 0) && (forth < 0) == (back > 0));
    FUZZ_CHECK(!are_decimals || (filter_compare_decimals(a, a, &forth) && forth == 0));
}

/* The first line is the filter, the second one the tags. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct span input = span_of(bytes, len);
    const size_t border = span_index_of(input, '\n');
    const struct span json = span_of(bytes, border);
    const struct span tags_json = span_skip(input, border + 1);
    compare(json, tags_json);
    uint8_t *room = buf_of(FILTER_TAGS_SCRATCH_LEN(tags_json.len));
    struct scratch scratch = scratch_of(room, FILTER_TAGS_SCRATCH_LEN(tags_json.len));
    struct filter_tags tags = {NULL, 0};
    const enum filter_result result = filter_read_tags(tags_json, &scratch, &tags);
    FUZZ_CHECK(result == FILTER_OK || result == FILTER_ERROR_JSON);
    ask(json, &tags);
    free(room);
    return 0;
}
