/* SPDX-License-Identifier: Apache-2.0 */
/* Tracked keys are read out of their JSON, and their signatures hold for one user, channel and list
 * of keys in one order. */
#include "codec/track.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(struct span got, const char *wanted)
{
    assert_int_equal(got.len, strlen(wanted));
    assert_memory_equal(got.at, wanted, got.len);
}

static void batches_and_their_items_are_walked(void **state)
{
    (void)state;
    const struct span array = SPAN_LITERAL("[{\"signature\":\"a\\u003ab\",\"items\":[{\"key\":"
                                           "\"k\\n\",\"version\":18446744073709551615"
                                           "},{\"key\":\"l\"},null]},{\"items\":null,\"other\":1},{"
                                           "\"signature\":\"x\",\"items\":[]}]");
    uint8_t room[256];
    struct scratch scratch = scratch_of(room, array.len);
    struct json_walk batches;
    struct json_walk items;
    struct track_batch batch;
    struct track_item item;
    track_begin(&batches, array);
    assert_int_equal(track_next_batch(&batches, &scratch, &batch), JSON_OK);
    assert_text(batch.signature, "a:b");
    track_begin(&items, batch.items);
    assert_int_equal(track_next_item(&items, &scratch, &item), JSON_OK);
    assert_text(item.key, "k\n");
    assert_true(item.version == UINT64_MAX);
    assert_int_equal(track_next_item(&items, &scratch, &item), JSON_OK);
    assert_text(item.key, "l");
    assert_true(item.version == 0);
    assert_int_equal(track_next_item(&items, &scratch, &item), JSON_OK);
    assert_text(item.key, "");
    assert_int_equal(track_next_item(&items, &scratch, &item), JSON_DONE);
    assert_int_equal(track_next_item(&items, &scratch, &item), JSON_DONE);
    assert_int_equal(track_next_batch(&batches, &scratch, &batch), JSON_OK);
    assert_text(batch.signature, "");
    track_begin(&items, batch.items);
    assert_int_equal(track_next_item(&items, &scratch, &item), JSON_DONE);
    assert_int_equal(track_next_batch(&batches, &scratch, &batch), JSON_OK);
    assert_text(batch.signature, "x");
    assert_int_equal(track_next_batch(&batches, &scratch, &batch), JSON_DONE);
}

static void other_types_are_errors(void **state)
{
    (void)state;
    static const char *const arrays[] = {"[1]", "[[]]", "[{\"key\":1}]", "[{\"version\":-1}]",
                                         "[{\"version\":\"1\"}]"};
    uint8_t room[64];
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        struct scratch scratch = scratch_of(room, sizeof(room));
        struct json_walk walk;
        struct track_item item;
        track_begin(&walk, span_of_text(arrays[i]));
        const enum json_result result = track_next_item(&walk, &scratch, &item);
        assert_true(result != JSON_OK && result != JSON_DONE);
    }
}

/* Made with Python's hmac and hashlib: secret "test-poll-secret", user "u:1", channel "poll:a",
 * keys "k1", "k2", issued 1700000000, expires 1700003600. */
#define SIGNATURE \
    "1700000000:1700003600:" \
    "7f5ce6bd3737f6d30ccb0f6723be22fdf4dcd476a0a7b5da2a90583c048cd68e"

static struct track_digest digest_of(const char *const *keys, size_t len)
{
    struct track_digest digest;
    track_digest_begin(&digest);
    for (size_t i = 0; i < len; i++) {
        track_digest_add(&digest, span_of_text(keys[i]));
    }
    return digest;
}

static bool verifies(const char *text, const char *secret, const char *user, const char *channel,
                     const struct track_digest *digest)
{
    struct track_signature signature;
    const struct track_claim claim = {span_of_text(user), span_of_text(channel)};
    return track_signature_parse(span_of_text(text), &signature) &&
           track_signature_verify(&signature, span_of_text(secret), &claim, digest);
}

static void a_signature_holds_for_what_was_signed(void **state)
{
    (void)state;
    static const char *const keys[] = {"k1", "k2", "k1"};
    static const char secret[] = "test-poll-secret";
    const struct track_digest both = digest_of(keys, 2);
    const struct track_digest turned = digest_of(keys + 1, 2);
    const struct track_digest one = digest_of(keys, 1);
    struct track_signature signature;
    assert_true(track_signature_parse(span_of_text(SIGNATURE), &signature));
    assert_true(signature.issued_s == 1700000000);
    assert_true(signature.expires_s == 1700003600);
    assert_true(verifies(SIGNATURE, secret, "u:1", "poll:a", &both));
    /* The digest may be used again. */
    assert_true(verifies(SIGNATURE, secret, "u:1", "poll:a", &both));
    assert_false(verifies(SIGNATURE, "other", "u:1", "poll:a", &both));
    assert_false(verifies(SIGNATURE, secret, "u", "poll:a", &both));
    assert_false(verifies(SIGNATURE, secret, "u", "1:poll:a", &both));
    assert_false(verifies(SIGNATURE, secret, "u:1", "poll:b", &both));
    assert_false(verifies(SIGNATURE, secret, "u:1", "poll:a", &turned));
    assert_false(verifies(SIGNATURE, secret, "u:1", "poll:a", &one));
}

static void a_changed_signature_does_not_hold(void **state)
{
    (void)state;
    static const char *const keys[] = {"k1", "k2"};
    const struct track_digest digest = digest_of(keys, 2);
    char text[sizeof(SIGNATURE)];
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        memcpy(text, SIGNATURE, sizeof(text));
        text[i] = text[i] == '3' ? '4' : '3';
        assert_false(verifies(text, "test-poll-secret", "u:1", "poll:a", &digest));
    }
}

static void malformed_signatures_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "invalid-signature",
        "1:2",
        "1:2:",
        "1:2:abc",
        ":2:7f5ce6bd3737f6d30ccb0f6723be22fdf4dcd476a0a7b5da2a90583c048cd68e",
        "1::7f5ce6bd3737f6d30ccb0f6723be22fdf4dcd476a0a7b5da2a90583c048cd68e",
        "x:2:7f5ce6bd3737f6d30ccb0f6723be22fdf4dcd476a0a7b5da2a90583c048cd68e",
        "1:99999999999999999999:7f5ce6bd3737f6d30ccb0f6723be22fdf4dcd476a0a7b5da2a90583c048cd68e",
        "1:2:3:7f5ce6bd3737f6d30ccb0f6723be22fdf4dcd476a0a7b5da2a90583c048cd68e",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct track_signature signature;
        assert_false(track_signature_parse(span_of_text(texts[i]), &signature));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_and_their_items_are_walked),
        cmocka_unit_test(other_types_are_errors),
        cmocka_unit_test(a_signature_holds_for_what_was_signed),
        cmocka_unit_test(a_changed_signature_does_not_hold),
        cmocka_unit_test(malformed_signatures_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
