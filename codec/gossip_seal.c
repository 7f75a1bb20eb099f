/* SPDX-License-Identifier: Apache-2.0 */
/* Seals and opens datagrams; what is not authentic is refused before anything else is believed. */
#include "codec/gossip_seal.h"

#include <openssl/aead.h>
#include <openssl/aes.h>
#include <openssl/mem.h>
#include <openssl/sha.h>

enum {
    FORM_CLEAR = 0,
    FORM_SEALED = 1,
    KEY_ID_AT = 1,
    SESSION_AT = KEY_ID_AT + GOSSIP_KEY_ID_LEN,
    SENT_AT = SESSION_AT + GOSSIP_SESSION_LEN,
    COUNTER_AT = SENT_AT + 4,
    HEAD_LEN = COUNTER_AT + 8,
    TAG_LEN = 16,
    BLOCK_LEN = 16,
    GCM_NONCE_LEN = 12,
};

static_assert(HEAD_LEN + TAG_LEN == GOSSIP_SEAL_LEN, "the size that gossip.h promises");

const char *gossip_seal_result_text(enum gossip_seal_result result)
{
#define GOSSIP_SEAL_TEXT(name, text) [name] = (text),
    static const char *const texts[GOSSIP_SEAL_RESULT_COUNT] = {
        GOSSIP_SEAL_RESULTS(GOSSIP_SEAL_TEXT)};
#undef GOSSIP_SEAL_TEXT
    return (unsigned)result < GOSSIP_SEAL_RESULT_COUNT ? texts[result] : "unknown";
}

static void put_big_endian(uint8_t *to, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        to[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
    }
}

static uint64_t get_big_endian(const uint8_t *at, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static uint32_t keyring_find(const struct gossip_keyring *keyring, struct span secret)
{
    for (uint32_t i = 0; secret.len == GOSSIP_KEY_LEN && i < keyring->count; i++) {
        if (CRYPTO_memcmp(keyring->keys[i].secret, secret.at, GOSSIP_KEY_LEN) == 0) {
            return i;
        }
    }
    return keyring->count;
}

enum gossip_seal_result gossip_keyring_add(struct gossip_keyring *keyring, struct span secret)
{
    if (secret.len != GOSSIP_KEY_LEN) {
        return GOSSIP_SEAL_ERROR_KEY_LEN;
    }
    if (keyring_find(keyring, secret) < keyring->count) {
        return GOSSIP_SEAL_ERROR_KEY_KNOWN;
    }
    if (keyring->count == GOSSIP_KEYS_MAX) {
        return GOSSIP_SEAL_ERROR_KEY_COUNT;
    }
    struct gossip_key *key = &keyring->keys[keyring->count++];
    uint8_t digest[SHA256_DIGEST_LENGTH];
    (void)SHA256(secret.at, secret.len, digest);
    memcpy(key->id, digest, GOSSIP_KEY_ID_LEN);
    memcpy(key->secret, secret.at, GOSSIP_KEY_LEN);
    return GOSSIP_SEAL_OK;
}

enum gossip_seal_result gossip_keyring_use(struct gossip_keyring *keyring, struct span secret)
{
    const uint32_t index = keyring_find(keyring, secret);
    if (index == keyring->count) {
        return GOSSIP_SEAL_ERROR_KEY_UNKNOWN;
    }
    keyring->primary = index;
    return GOSSIP_SEAL_OK;
}

enum gossip_seal_result gossip_keyring_remove(struct gossip_keyring *keyring, struct span secret)
{
    const uint32_t index = keyring_find(keyring, secret);
    if (index == keyring->count) {
        return GOSSIP_SEAL_ERROR_KEY_UNKNOWN;
    }
    if (index == keyring->primary) {
        return GOSSIP_SEAL_ERROR_KEY_PRIMARY;
    }
    const uint32_t last = --keyring->count;
    keyring->keys[index] = keyring->keys[last];
    keyring->primary = keyring->primary == last ? index : keyring->primary;
    OPENSSL_cleanse(&keyring->keys[last], sizeof(keyring->keys[last]));
    return GOSSIP_SEAL_OK;
}

void gossip_keyring_wipe(struct gossip_keyring *keyring)
{
    OPENSSL_cleanse(keyring, sizeof(*keyring));
}

/* The derivation of XAES-256-GCM: two blocks of CMAC in its counter mode (NIST SP 800-108). */
static bool derive_key(const struct gossip_cipher *cipher, uint8_t derived[GOSSIP_KEY_LEN])
{
    AES_KEY aes;
    if (AES_set_encrypt_key(cipher->secret, 8 * GOSSIP_KEY_LEN, &aes) != 0) {
        return false;
    }
    uint8_t subkey[BLOCK_LEN] = {0};
    AES_encrypt(subkey, subkey, &aes);
    const uint8_t carry = (uint8_t)(subkey[0] >> 7 != 0 ? 0x87 : 0);
    for (size_t i = 0; i < BLOCK_LEN; i++) {
        const uint8_t next = i + 1 < BLOCK_LEN ? subkey[i + 1] : 0;
        subkey[i] = (uint8_t)(subkey[i] << 1 | next >> 7);
    }
    subkey[BLOCK_LEN - 1] ^= carry;
    for (uint8_t half = 0; half < 2; half++) {
        uint8_t block[BLOCK_LEN] = {0, (uint8_t)(half + 1), 'X', 0};
        memcpy(block + 4, cipher->nonce, GOSSIP_SESSION_LEN);
        for (size_t i = 0; i < BLOCK_LEN; i++) {
            block[i] ^= subkey[i];
        }
        AES_encrypt(block, derived + half * BLOCK_LEN, &aes);
    }
    OPENSSL_cleanse(&aes, sizeof(aes));
    OPENSSL_cleanse(subkey, sizeof(subkey));
    return true;
}

static bool cipher_init(const struct gossip_cipher *cipher, EVP_AEAD_CTX *ctx)
{
    uint8_t derived[GOSSIP_KEY_LEN];
    EVP_AEAD_CTX_zero(ctx);
    const bool is_ready =
        derive_key(cipher, derived) && EVP_AEAD_CTX_init(ctx, EVP_aead_aes_256_gcm(), derived,
                                                         sizeof(derived), TAG_LEN, NULL) == 1;
    OPENSSL_cleanse(derived, sizeof(derived));
    return is_ready;
}

bool gossip_cipher_seal(const struct gossip_cipher *cipher, struct span clear, struct writer *out)
{
    EVP_AEAD_CTX ctx;
    const bool is_ready = cipher_init(cipher, &ctx);
    uint8_t *to = is_ready ? writer_claim(out, clear.len + TAG_LEN) : NULL;
    size_t len = 0;
    const bool is_sealed =
        to != NULL &&
        EVP_AEAD_CTX_seal(&ctx, to, &len, clear.len + TAG_LEN, cipher->nonce + GOSSIP_SESSION_LEN,
                          GCM_NONCE_LEN, clear.at, clear.len, cipher->authenticated.at,
                          cipher->authenticated.len) == 1;
    EVP_AEAD_CTX_cleanup(&ctx);
    return is_sealed && len == clear.len + TAG_LEN;
}

bool gossip_cipher_open(const struct gossip_cipher *cipher, struct span sealed, struct writer *out)
{
    if (sealed.len < TAG_LEN || writer_room(out) < sealed.len) {
        return false;
    }
    EVP_AEAD_CTX ctx;
    size_t len = 0;
    const bool is_open =
        cipher_init(cipher, &ctx) &&
        EVP_AEAD_CTX_open(&ctx, out->at, &len, writer_room(out), cipher->nonce + GOSSIP_SESSION_LEN,
                          GCM_NONCE_LEN, sealed.at, sealed.len, cipher->authenticated.at,
                          cipher->authenticated.len) == 1;
    EVP_AEAD_CTX_cleanup(&ctx);
    if (is_open) {
        (void)writer_claim(out, len);
    }
    return is_open;
}

enum gossip_seal_result gossip_seal(struct gossip_sealer *sealer,
                                    const struct gossip_keyring *keyring, struct span payload,
                                    int64_t now_s, struct writer *out)
{
    if (payload.len > GOSSIP_STATE_LEN_MAX || writer_room(out) < payload.len + GOSSIP_SEAL_LEN) {
        return GOSSIP_SEAL_ERROR_SIZE;
    }
    if (keyring->count == 0) {
        writer_put_byte(out, FORM_CLEAR);
        writer_put(out, payload);
        return GOSSIP_SEAL_OK;
    }
    const struct gossip_key *key = &keyring->keys[keyring->primary];
    uint8_t *head = writer_claim(out, HEAD_LEN);
    head[0] = FORM_SEALED;
    memcpy(head + KEY_ID_AT, key->id, GOSSIP_KEY_ID_LEN);
    memcpy(head + SESSION_AT, sealer->session, GOSSIP_SESSION_LEN);
    put_big_endian(head + SENT_AT, (uint64_t)now_s, 4);
    put_big_endian(head + COUNTER_AT, ++sealer->counter, 8);
    const struct gossip_cipher cipher = {key->secret, head + SESSION_AT, span_of(head, HEAD_LEN)};
    return gossip_cipher_seal(&cipher, payload, out) ? GOSSIP_SEAL_OK : GOSSIP_SEAL_ERROR_CRYPTO;
}

/* The places where a session may be; sessions are drawn at random, so their bytes are a hash. */
static struct gossip_replay_entry *replay_places(const struct gossip_replay *replay,
                                                 const uint8_t *session)
{
    const uint64_t sets = replay->count / GOSSIP_REPLAY_WAYS;
    return replay->entries + get_big_endian(session, 8) % sets * GOSSIP_REPLAY_WAYS;
}

static struct gossip_replay_entry *replay_find(const struct gossip_replay *replay,
                                               const uint8_t *session)
{
    struct gossip_replay_entry *entry = replay_places(replay, session);
    for (uint32_t i = 0; i < GOSSIP_REPLAY_WAYS; i++, entry++) {
        if (entry->used_at != 0 && memcmp(entry->session, session, GOSSIP_SESSION_LEN) == 0) {
            return entry;
        }
    }
    return NULL;
}

static enum gossip_seal_result replay_check(const struct gossip_replay *replay, const uint8_t *head,
                                            int64_t now_s)
{
    const struct gossip_replay_entry *entry = replay_find(replay, head + SESSION_AT);
    if (entry == NULL) {
        /* The time wraps in 2106; the difference of two near times does not mind. */
        const uint32_t sent_s = (uint32_t)get_big_endian(head + SENT_AT, 4);
        const int32_t late_s = (int32_t)((uint32_t)now_s - sent_s);
        const bool is_near = late_s <= GOSSIP_SKEW_S_MAX && late_s >= -GOSSIP_SKEW_S_MAX;
        return is_near ? GOSSIP_SEAL_OK : GOSSIP_SEAL_ERROR_TIME;
    }
    const uint64_t counter = get_big_endian(head + COUNTER_AT, 8);
    if (counter > entry->highest) {
        return GOSSIP_SEAL_OK;
    }
    const uint64_t behind = entry->highest - counter;
    const bool is_new = behind < GOSSIP_REPLAY_WINDOW && (entry->seen >> behind & 1) == 0;
    return is_new ? GOSSIP_SEAL_OK : GOSSIP_SEAL_ERROR_REPLAY;
}

static struct gossip_replay_entry *replay_add(struct gossip_replay *replay, const uint8_t *session)
{
    struct gossip_replay_entry *place = replay_places(replay, session);
    struct gossip_replay_entry *chosen = place;
    for (uint32_t i = 0; i < GOSSIP_REPLAY_WAYS; i++, place++) {
        /* Ages, not times: the clock may wrap. A free place is the oldest of all. */
        const uint32_t age = place->used_at == 0 ? UINT32_MAX : replay->clock - place->used_at;
        const uint32_t chosen_age =
            chosen->used_at == 0 ? UINT32_MAX : replay->clock - chosen->used_at;
        chosen = age > chosen_age ? place : chosen;
    }
    *chosen = (struct gossip_replay_entry){0};
    memcpy(chosen->session, session, GOSSIP_SESSION_LEN);
    return chosen;
}

static void replay_note(struct gossip_replay *replay, const uint8_t *head)
{
    struct gossip_replay_entry *entry = replay_find(replay, head + SESSION_AT);
    if (entry == NULL) {
        entry = replay_add(replay, head + SESSION_AT);
    }
    replay->clock += replay->clock == UINT32_MAX ? 2 : 1;
    entry->used_at = replay->clock;
    const uint64_t counter = get_big_endian(head + COUNTER_AT, 8);
    if (counter > entry->highest) {
        const uint64_t ahead = counter - entry->highest;
        entry->seen = ahead < GOSSIP_REPLAY_WINDOW ? entry->seen << ahead : 0;
        entry->highest = counter;
    }
    entry->seen |= 1ull << (entry->highest - counter);
}

static enum gossip_seal_result open_sealed(const struct gossip_keyring *keyring,
                                           struct gossip_replay *replay, struct span datagram,
                                           int64_t now_s, struct writer *out)
{
    const uint8_t *head = datagram.at;
    const struct gossip_key *key = NULL;
    for (uint32_t i = 0; i < keyring->count; i++) {
        if (memcmp(keyring->keys[i].id, head + KEY_ID_AT, GOSSIP_KEY_ID_LEN) == 0) {
            key = &keyring->keys[i];
        }
    }
    if (key == NULL) {
        return GOSSIP_SEAL_ERROR_KEY;
    }
    const enum gossip_seal_result known = replay_check(replay, head, now_s);
    if (known != GOSSIP_SEAL_OK) {
        return known;
    }
    const struct gossip_cipher cipher = {key->secret, head + SESSION_AT, span_of(head, HEAD_LEN)};
    if (!gossip_cipher_open(&cipher, span_skip(datagram, HEAD_LEN), out)) {
        return GOSSIP_SEAL_ERROR_TAG;
    }
    replay_note(replay, head);
    return GOSSIP_SEAL_OK;
}

enum gossip_seal_result gossip_open(const struct gossip_keyring *keyring,
                                    struct gossip_replay *replay, struct span datagram,
                                    int64_t now_s, struct writer *out)
{
    if (datagram.len < 1 || datagram.len > GOSSIP_SEALED_LEN_MAX) {
        return GOSSIP_SEAL_ERROR_SIZE;
    }
    switch (datagram.at[0]) {
    case FORM_CLEAR:
        if (keyring->count > 0) {
            return GOSSIP_SEAL_ERROR_CLEAR;
        }
        writer_put(out, span_skip(datagram, 1));
        return writer_is_overflown(out) ? GOSSIP_SEAL_ERROR_SIZE : GOSSIP_SEAL_OK;
    case FORM_SEALED:
        if (keyring->count == 0) {
            return GOSSIP_SEAL_ERROR_NO_KEY;
        }
        return datagram.len < GOSSIP_SEAL_LEN ? GOSSIP_SEAL_ERROR_SIZE
                                              : open_sealed(keyring, replay, datagram, now_s, out);
    default:
        return GOSSIP_SEAL_ERROR_FORM;
    }
}
