/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of backends: what is taken from them lies within the text or the scratch; and any of it
 * can be asked again as JSON. */
#include "codec/proxy.h"
#include "codec/webhook.h"

#include "tests/fuzz/fuzz_pieces.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static bool lies_in(struct span span, const uint8_t *at, size_t len)
{
    return span.len == 0 || (span.at >= at && span.at + span.len <= at + len);
}

/* A request of what an answer held is JSON, whatever that was. */
static void ask_again(const struct proxy_answer *answer)
{
    for (int kind = 0; kind < PROXY_KIND_COUNT; kind++) {
        const struct proxy_request request = {
            .client = answer->user,
            .transport = SPAN_LITERAL("websocket"),
            .protocol = SPAN_LITERAL("json"),
            .user = answer->user,
            .channel = answer->error_message,
            .method = answer->disconnect_reason,
            .name = answer->idempotency_key,
            .data = answer->data,
            .subs = answer->subs,
            .meta = answer->meta,
            .key = answer->key,
            .is_binary = answer->data_is_binary,
        };
        struct writer out = writer_for_measuring();
        proxy_encode_request(&out, (enum proxy_kind)kind, &request);
        const size_t size = out.overflow;
        uint8_t *text = malloc(size);
        FUZZ_CHECK(text != NULL);
        out = writer_of(text, size);
        proxy_encode_request(&out, (enum proxy_kind)kind, &request);
        FUZZ_CHECK(!writer_is_overflown(&out));
        FUZZ_CHECK(json_check(writer_written(&out)) == JSON_OK);
        free(text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    /* Exactly as much as an answer gets. */
    uint8_t *room = malloc(len + 1);
    struct proxy_answer answer;
    FUZZ_CHECK(room != NULL);
    struct scratch scratch = scratch_of(room, len);
    const enum json_result result = proxy_decode_answer(span_of(bytes, len), &scratch, &answer);
    FUZZ_CHECK(result != JSON_ERROR_SPACE);
    /* What is told takes the same answers: an error in one that is JSON is seen. */
    if (result == JSON_OK && answer.has_error) {
        FUZZ_CHECK(!webhook_is_taken(200, span_of(bytes, len)));
    }
    FUZZ_CHECK(!webhook_is_taken(500, span_of(bytes, len)));
    if (result == JSON_OK) {
        const struct span spans[] = {answer.error_message,
                                     answer.disconnect_reason,
                                     answer.user,
                                     answer.info,
                                     answer.data,
                                     answer.meta,
                                     answer.channels,
                                     answer.subs,
                                     answer.idempotency_key,
                                     answer.version_epoch,
                                     answer.tags};
        for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
            FUZZ_CHECK(lies_in(spans[i], bytes, len) || lies_in(spans[i], room, len));
        }
        ask_again(&answer);
    }
    free(room);
    return 0;
}
