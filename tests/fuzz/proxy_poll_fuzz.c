/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of backends to polls: what is taken from them lies within the text or the scratch, and
 * their keys can be asked for again. */
#include "codec/proxy_poll.h"

#include "tests/fuzz/fuzz_pieces.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static bool lies_in(struct span span, const uint8_t *at, size_t len)
{
    return span.len == 0 || (span.at >= at && span.at + span.len <= at + len);
}

static void ask_again(const struct proxy_poll_item *item)
{
    const struct proxy_poll_key key = {item->key, item->version};
    const struct proxy_poll_request request = {item->key, &key, 1};
    struct writer out = writer_for_measuring();
    proxy_encode_poll(&out, &request);
    const size_t size = out.overflow;
    uint8_t *text = malloc(size);
    FUZZ_CHECK(text != NULL);
    out = writer_of(text, size);
    proxy_encode_poll(&out, &request);
    FUZZ_CHECK(!writer_is_overflown(&out));
    FUZZ_CHECK(json_check(writer_written(&out)) == JSON_OK);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    uint8_t *room = malloc(len + 1);
    FUZZ_CHECK(room != NULL);
    struct scratch scratch = scratch_of(room, len);
    struct proxy_poll_answer answer;
    enum json_result result = proxy_decode_poll(span_of(bytes, len), &scratch, &answer);
    FUZZ_CHECK(result != JSON_ERROR_SPACE);
    if (result == JSON_OK) {
        struct json_walk walk;
        struct proxy_poll_item item;
        FUZZ_CHECK(lies_in(answer.epoch, bytes, len) || lies_in(answer.epoch, room, len));
        proxy_poll_items_begin(&walk, answer.items);
        while ((result = proxy_poll_items_next(&walk, &scratch, &item)) == JSON_OK) {
            FUZZ_CHECK(lies_in(item.key, bytes, len) || lies_in(item.key, room, len));
            FUZZ_CHECK(lies_in(item.data, bytes, len));
            FUZZ_CHECK(span_is_empty(item.data) || json_check(item.data) == JSON_OK);
            ask_again(&item);
        }
        FUZZ_CHECK(result != JSON_ERROR_SPACE);
    }
    free(room);
    return 0;
}
