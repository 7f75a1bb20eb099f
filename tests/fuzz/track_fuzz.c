/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of tracked keys, from anybody: what is taken from them lies within the text or the
 * scratch, and no signature that was made up holds. */
#include "codec/track.h"

#include "tests/fuzz/fuzz_pieces.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static bool lies_in(struct span span, const uint8_t *at, size_t len)
{
    return span.len == 0 || (span.at >= at && span.at + span.len <= at + len);
}

static void judge(struct span text, struct track_digest *digest)
{
    struct track_signature signature;
    const struct track_claim claim = {SPAN_LITERAL("user"), SPAN_LITERAL("channel")};
    if (track_signature_parse(text, &signature)) {
        FUZZ_CHECK(signature.mac.len == 64);
        FUZZ_CHECK(signature.issued.len + signature.expires.len + 66 == text.len);
        FUZZ_CHECK(!track_signature_verify(&signature, SPAN_LITERAL("secret"), &claim, digest));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    uint8_t *room = malloc(len + 1);
    FUZZ_CHECK(room != NULL);
    const struct span text = span_of(bytes, len);
    struct scratch scratch = scratch_of(room, len);
    struct track_digest digest;
    struct track_batch batch;
    struct json_walk batches;
    track_digest_begin(&digest);
    judge(text, &digest);
    track_begin(&batches, text);
    while (json_check(text) == JSON_OK && track_next_batch(&batches, &scratch, &batch) == JSON_OK) {
        struct json_walk items;
        struct track_item item;
        enum json_result result;
        track_digest_begin(&digest);
        track_begin(&items, batch.items);
        while ((result = track_next_item(&items, &scratch, &item)) == JSON_OK) {
            FUZZ_CHECK(lies_in(item.key, bytes, len) || lies_in(item.key, room, len));
            track_digest_add(&digest, item.key);
        }
        FUZZ_CHECK(result != JSON_ERROR_SPACE);
        judge(batch.signature, &digest);
    }
    free(room);
    return 0;
}
