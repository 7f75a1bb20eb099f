/* SPDX-License-Identifier: Apache-2.0 */
/* The sealed envelope: the cipher's vectors, forgery, replay, time, and keys that rotate. */
#include "codec/gossip_seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { NOW_S = 1700000000 };

static const uint8_t key_a[GOSSIP_KEY_LEN] = {1};
static const uint8_t key_b[GOSSIP_KEY_LEN] = {2};
#define KEY_A span_of(key_a, sizeof(key_a))
#define KEY_B span_of(key_b, sizeof(key_b))

struct peer {
    struct gossip_keyring keyring;
    struct gossip_sealer sealer;
    struct gossip_replay_entry entries[2 * GOSSIP_REPLAY_WAYS];
    struct gossip_replay replay;
    uint8_t sealed[GOSSIP_DATAGRAM_LEN_MAX];
    uint8_t opened[GOSSIP_DATAGRAM_LEN_MAX];
};

static void peer_init(struct peer *peer, uint8_t session)
{
    memset(peer, 0, sizeof(*peer));
    memset(peer->sealer.session, session, GOSSIP_SESSION_LEN);
    peer->replay = (struct gossip_replay){peer->entries, 2 * GOSSIP_REPLAY_WAYS, 0};
}

static void peer_add(struct peer *peer, struct span key)
{
    assert_int_equal(gossip_keyring_add(&peer->keyring, key), GOSSIP_SEAL_OK);
}

static struct span seal(struct peer *peer, struct span payload, int64_t now_s)
{
    struct writer out = writer_of(peer->sealed, sizeof(peer->sealed));
    assert_int_equal(gossip_seal(&peer->sealer, &peer->keyring, payload, now_s, &out),
                     GOSSIP_SEAL_OK);
    return writer_written(&out);
}

static enum gossip_seal_result open_at(struct peer *peer, struct span datagram, int64_t now_s)
{
    struct writer out = writer_of(peer->opened, sizeof(peer->opened));
    return gossip_open(&peer->keyring, &peer->replay, datagram, now_s, &out);
}

/* The two vectors that C2SP publishes for XAES-256-GCM. */
static void the_cipher_is_xaes_256_gcm(void **state)
{
    (void)state;
    static const uint8_t first[] = {0xce, 0x54, 0x6e, 0xf6, 0x3c, 0x9c, 0xc6, 0x07, 0x65, 0x92,
                                    0x36, 0x09, 0xb3, 0x3a, 0x9a, 0x19, 0x74, 0xe9, 0x6e, 0x52,
                                    0xda, 0xf2, 0xfc, 0xf7, 0x07, 0x5e, 0x22, 0x71};
    static const uint8_t second[] = {0x98, 0x6e, 0xc1, 0x83, 0x25, 0x93, 0xdf, 0x54, 0x43, 0xa1,
                                     0x79, 0x43, 0x7f, 0xd0, 0x83, 0xbf, 0x3f, 0xdb, 0x41, 0xab,
                                     0xd7, 0x40, 0xa2, 0x1f, 0x71, 0xeb, 0x76, 0x9d};
    static const uint8_t nonce[] = "ABCDEFGHIJKLMNOPQRSTUVWX";
    uint8_t secret[GOSSIP_KEY_LEN];
    uint8_t buf[64];
    memset(secret, 1, sizeof(secret));
    struct gossip_cipher cipher = {secret, nonce, SPAN_EMPTY};
    struct writer out = writer_of(buf, sizeof(buf));
    assert_true(gossip_cipher_seal(&cipher, SPAN_LITERAL("XAES-256-GCM"), &out));
    assert_true(span_equal(writer_written(&out), span_of(first, sizeof(first))));
    memset(secret, 3, sizeof(secret));
    cipher.authenticated = SPAN_LITERAL("c2sp.org/XAES-256-GCM");
    out = writer_of(buf, sizeof(buf));
    assert_true(gossip_cipher_seal(&cipher, SPAN_LITERAL("XAES-256-GCM"), &out));
    assert_true(span_equal(writer_written(&out), span_of(second, sizeof(second))));
}

static void what_is_sealed_opens_once(void **state)
{
    (void)state;
    struct peer a;
    struct peer b;
    peer_init(&a, 1);
    peer_init(&b, 2);
    peer_add(&a, KEY_A);
    peer_add(&b, KEY_A);
    const struct span sealed = seal(&a, SPAN_LITERAL("hello"), NOW_S);
    assert_int_equal(sealed.len, 5 + GOSSIP_SEAL_LEN);
    assert_int_equal(open_at(&b, sealed, NOW_S), GOSSIP_SEAL_OK);
    assert_memory_equal(b.opened, "hello", 5);
    assert_int_equal(open_at(&b, sealed, NOW_S), GOSSIP_SEAL_ERROR_REPLAY);
    static uint8_t longest[GOSSIP_PAYLOAD_LEN_MAX + 1];
    assert_int_equal(seal(&a, span_of(longest, GOSSIP_PAYLOAD_LEN_MAX), NOW_S).len,
                     GOSSIP_DATAGRAM_LEN_MAX);
    struct writer out = writer_of(a.sealed, sizeof(a.sealed));
    assert_int_equal(gossip_seal(&a.sealer, &a.keyring, span_of(longest, sizeof(longest)), NOW_S,
                                 &out),
                     GOSSIP_SEAL_ERROR_SIZE);
}

static void every_changed_bit_and_every_cut_is_refused(void **state)
{
    (void)state;
    struct peer a;
    struct peer b;
    peer_init(&a, 1);
    peer_init(&b, 2);
    peer_add(&a, KEY_A);
    peer_add(&b, KEY_A);
    const struct span sealed = seal(&a, SPAN_LITERAL("hello"), NOW_S);
    for (size_t bit = 0; bit < 8 * sealed.len; bit++) {
        a.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(open_at(&b, sealed, NOW_S), GOSSIP_SEAL_OK);
        a.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t len = 0; len < sealed.len; len++) {
        assert_int_not_equal(open_at(&b, span_of(sealed.at, len), NOW_S), GOSSIP_SEAL_OK);
    }
    /* None of them left a trace. */
    assert_int_equal(open_at(&b, sealed, NOW_S), GOSSIP_SEAL_OK);
}

/* Datagrams overtake each other within the window, and each is opened once. */
static void the_window_moves(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    static uint8_t kept[COUNT][64];
    struct peer a;
    struct peer b;
    peer_init(&a, 1);
    peer_init(&b, 2);
    peer_add(&a, KEY_A);
    peer_add(&b, KEY_A);
    size_t len = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        const struct span sealed = seal(&a, SPAN_LITERAL("x"), NOW_S);
        len = sealed.len;
        memcpy(kept[i], sealed.at, len);
    }
    assert_int_equal(open_at(&b, span_of(kept[100], len), NOW_S), GOSSIP_SEAL_OK);
    assert_int_equal(open_at(&b, span_of(kept[100 - 64], len), NOW_S), GOSSIP_SEAL_ERROR_REPLAY);
    assert_int_equal(open_at(&b, span_of(kept[100 - 63], len), NOW_S), GOSSIP_SEAL_OK);
    assert_int_equal(open_at(&b, span_of(kept[100 - 63], len), NOW_S), GOSSIP_SEAL_ERROR_REPLAY);
    assert_int_equal(open_at(&b, span_of(kept[101], len), NOW_S), GOSSIP_SEAL_OK);
    assert_int_equal(open_at(&b, span_of(kept[100], len), NOW_S), GOSSIP_SEAL_ERROR_REPLAY);
    assert_int_equal(open_at(&b, span_of(kept[99], len), NOW_S), GOSSIP_SEAL_OK);
    assert_int_equal(open_at(&b, span_of(kept[199], len), NOW_S), GOSSIP_SEAL_OK);
    assert_int_equal(open_at(&b, span_of(kept[101], len), NOW_S), GOSSIP_SEAL_ERROR_REPLAY);
    assert_int_equal(open_at(&b, span_of(kept[198], len), NOW_S), GOSSIP_SEAL_OK);
}

static void a_new_session_must_be_of_now_and_a_known_one_need_not(void **state)
{
    (void)state;
    struct peer a;
    struct peer b;
    peer_init(&a, 1);
    peer_init(&b, 2);
    peer_add(&a, KEY_A);
    peer_add(&b, KEY_A);
    struct span sealed = seal(&a, SPAN_LITERAL("x"), NOW_S);
    assert_int_equal(open_at(&b, sealed, NOW_S + GOSSIP_SKEW_S_MAX + 1), GOSSIP_SEAL_ERROR_TIME);
    assert_int_equal(open_at(&b, sealed, NOW_S - GOSSIP_SKEW_S_MAX - 1), GOSSIP_SEAL_ERROR_TIME);
    assert_int_equal(open_at(&b, sealed, NOW_S + GOSSIP_SKEW_S_MAX), GOSSIP_SEAL_OK);
    sealed = seal(&a, SPAN_LITERAL("x"), 5);
    assert_int_equal(open_at(&b, sealed, NOW_S), GOSSIP_SEAL_OK);
}

static void many_sessions_take_the_places_of_those_long_unheard(void **state)
{
    (void)state;
    struct peer a;
    struct peer b;
    peer_init(&b, 200);
    peer_add(&b, KEY_A);
    for (uint8_t session = 1; session < 100; session++) {
        peer_init(&a, session);
        peer_add(&a, KEY_A);
        const struct span sealed = seal(&a, SPAN_LITERAL("x"), NOW_S);
        assert_int_equal(open_at(&b, sealed, NOW_S), GOSSIP_SEAL_OK);
        assert_int_equal(open_at(&b, sealed, NOW_S), GOSSIP_SEAL_ERROR_REPLAY);
    }
}

static void keys_rotate_without_a_gap(void **state)
{
    (void)state;
    struct peer a;
    struct peer b;
    peer_init(&a, 1);
    peer_init(&b, 2);
    peer_add(&a, KEY_A);
    peer_add(&b, KEY_A);
    peer_add(&a, KEY_B);
    assert_int_equal(gossip_keyring_use(&a.keyring, KEY_B), GOSSIP_SEAL_OK);
    /* Too early for b. */
    assert_int_equal(open_at(&b, seal(&a, SPAN_LITERAL("x"), NOW_S), NOW_S), GOSSIP_SEAL_ERROR_KEY);
    peer_add(&b, KEY_B);
    assert_int_equal(open_at(&b, seal(&a, SPAN_LITERAL("x"), NOW_S), NOW_S), GOSSIP_SEAL_OK);
    assert_int_equal(open_at(&a, seal(&b, SPAN_LITERAL("x"), NOW_S), NOW_S), GOSSIP_SEAL_OK);
    assert_int_equal(gossip_keyring_use(&b.keyring, KEY_B), GOSSIP_SEAL_OK);
    assert_int_equal(gossip_keyring_remove(&a.keyring, KEY_A), GOSSIP_SEAL_OK);
    assert_int_equal(open_at(&a, seal(&b, SPAN_LITERAL("x"), NOW_S), NOW_S), GOSSIP_SEAL_OK);
    assert_int_equal(gossip_keyring_remove(&a.keyring, KEY_A), GOSSIP_SEAL_ERROR_KEY_UNKNOWN);
    assert_int_equal(gossip_keyring_remove(&a.keyring, KEY_B), GOSSIP_SEAL_ERROR_KEY_PRIMARY);
    assert_int_equal(gossip_keyring_use(&a.keyring, KEY_A), GOSSIP_SEAL_ERROR_KEY_UNKNOWN);
    assert_int_equal(gossip_keyring_add(&a.keyring, KEY_B), GOSSIP_SEAL_ERROR_KEY_KNOWN);
    assert_int_equal(gossip_keyring_add(&a.keyring, span_of(key_a, 31)), GOSSIP_SEAL_ERROR_KEY_LEN);
}

static void a_cluster_with_a_key_hears_nothing_in_clear(void **state)
{
    (void)state;
    struct peer clear;
    struct peer keyed;
    peer_init(&clear, 1);
    peer_init(&keyed, 2);
    peer_add(&keyed, KEY_A);
    const struct span open = seal(&clear, SPAN_LITERAL("x"), NOW_S);
    assert_int_equal(open_at(&keyed, open, NOW_S), GOSSIP_SEAL_ERROR_CLEAR);
    assert_int_equal(open_at(&clear, open, NOW_S), GOSSIP_SEAL_OK);
    const struct span sealed = seal(&keyed, SPAN_LITERAL("x"), NOW_S);
    assert_int_equal(open_at(&clear, sealed, NOW_S), GOSSIP_SEAL_ERROR_NO_KEY);
    assert_int_equal(open_at(&clear, SPAN_LITERAL("\x07"), NOW_S), GOSSIP_SEAL_ERROR_FORM);
    assert_int_equal(open_at(&clear, SPAN_EMPTY, NOW_S), GOSSIP_SEAL_ERROR_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cipher_is_xaes_256_gcm),
        cmocka_unit_test(what_is_sealed_opens_once),
        cmocka_unit_test(every_changed_bit_and_every_cut_is_refused),
        cmocka_unit_test(the_window_moves),
        cmocka_unit_test(a_new_session_must_be_of_now_and_a_known_one_need_not),
        cmocka_unit_test(many_sessions_take_the_places_of_those_long_unheard),
        cmocka_unit_test(keys_rotate_without_a_gap),
        cmocka_unit_test(a_cluster_with_a_key_hears_nothing_in_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
