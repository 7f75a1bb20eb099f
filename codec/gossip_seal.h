/* SPDX-License-Identifier: Apache-2.0 */
/* The sealed envelope of a datagram: AES-256-GCM under a keyring that rotates, safe from replay. */
#ifndef ROOST_CODEC_GOSSIP_SEAL_H
#define ROOST_CODEC_GOSSIP_SEAL_H

#include "codec/gossip.h"

/*
 *   0        1             5                                              29            len-16
 *   +--------+-------------+-----------+-----------+----------------------+--------------+-----+
 *   | form=1 | key id      | session   | sent_s    | counter              | sealed       | tag |
 *   +--------+-------------+-----------+-----------+----------------------+--------------+-----+
 *     1        4             12          4           8                      payload        16
 *
 * The session, the time and the counter are the 24 bytes of nonce of XAES-256-GCM (C2SP): the key's
 * holder derives a key of AES-256-GCM for each session, so that no two senders and no two lives of
 * one sender ever share a key and a nonce, however many datagrams a cluster sends under one secret.
 * All before the payload is authenticated with it. A key's id is the begin of its SHA-256.
 *
 * A form of 0 is a payload in clear, for a cluster that was told to be insecure.
 *
 * The parts of a state that travel over a link are sealed in the same way, since a link in clear
 * does not tell who is at its other end.
 *
 * Against replay, a receiver remembers each session's highest counter and which of the 64 below it
 * came. A session that it does not know yet must have been sent within GOSSIP_SKEW_S_MAX of its own
 * clock; that of a known one may say any time, so that no jump of a clock cuts a cluster apart.
 */
enum {
    GOSSIP_SEALED_LEN_MAX = GOSSIP_STATE_LEN_MAX + GOSSIP_SEAL_LEN,
    GOSSIP_KEY_LEN = 32,
    GOSSIP_KEY_ID_LEN = 4,
    GOSSIP_KEYS_MAX = 4,
    GOSSIP_SESSION_LEN = 12,
    GOSSIP_SKEW_S_MAX = 600,
    GOSSIP_REPLAY_WINDOW = 64,
    GOSSIP_REPLAY_WAYS = 8, /* Sessions that share a place; the longest unheard one makes room. */
};

#define GOSSIP_SEAL_RESULTS(X) \
    X(GOSSIP_SEAL_OK, "ok") \
    X(GOSSIP_SEAL_ERROR_SIZE, "too short or too long") \
    X(GOSSIP_SEAL_ERROR_FORM, "of a form that this node does not know") \
    X(GOSSIP_SEAL_ERROR_CLEAR, "in clear, but this cluster has a key") \
    X(GOSSIP_SEAL_ERROR_NO_KEY, "sealed, but this cluster has no key") \
    X(GOSSIP_SEAL_ERROR_KEY, "sealed with a key that is not in the keyring") \
    X(GOSSIP_SEAL_ERROR_TAG, "not authentic") \
    X(GOSSIP_SEAL_ERROR_TIME, "of a new session, and too old or too new") \
    X(GOSSIP_SEAL_ERROR_REPLAY, "seen before, or too far behind its session") \
    X(GOSSIP_SEAL_ERROR_KEY_LEN, "a key is not of 32 bytes") \
    X(GOSSIP_SEAL_ERROR_KEY_COUNT, "the keyring is full") \
    X(GOSSIP_SEAL_ERROR_KEY_KNOWN, "the key is in the keyring") \
    X(GOSSIP_SEAL_ERROR_KEY_UNKNOWN, "no such key in the keyring") \
    X(GOSSIP_SEAL_ERROR_KEY_PRIMARY, "the key in use cannot be removed") \
    X(GOSSIP_SEAL_ERROR_CRYPTO, "the cipher failed")

#define GOSSIP_SEAL_ENUM(name, text) name,
enum gossip_seal_result { GOSSIP_SEAL_RESULTS(GOSSIP_SEAL_ENUM) GOSSIP_SEAL_RESULT_COUNT };
#undef GOSSIP_SEAL_ENUM

/* Never NULL. */
const char *gossip_seal_result_text(enum gossip_seal_result result);

struct gossip_key {
    uint8_t id[GOSSIP_KEY_ID_LEN];
    uint8_t secret[GOSSIP_KEY_LEN];
};

/*
 * All keys open, the primary one seals. To rotate without downtime: add the new key on every node,
 * then use it on every node, then remove the old one. Without a key, datagrams go in clear both
 * ways: whoever makes such a keyring was told to.
 */
struct gossip_keyring {
    uint32_t count;
    uint32_t primary;
    struct gossip_key keys[GOSSIP_KEYS_MAX];
};

/* The first key becomes the primary one. */
CODEC_MUST_CHECK enum gossip_seal_result gossip_keyring_add(struct gossip_keyring *keyring,
                                                            struct span secret);
CODEC_MUST_CHECK enum gossip_seal_result gossip_keyring_use(struct gossip_keyring *keyring,
                                                            struct span secret);
CODEC_MUST_CHECK enum gossip_seal_result gossip_keyring_remove(struct gossip_keyring *keyring,
                                                               struct span secret);
void gossip_keyring_wipe(struct gossip_keyring *keyring);

/* One life of a sender. The session is 12 unguessable bytes, drawn anew at each start. */
struct gossip_sealer {
    uint8_t session[GOSSIP_SESSION_LEN];
    uint64_t counter;
};

/*
 * The payload is of GOSSIP_STATE_LEN_MAX at most; `out` has room for it and GOSSIP_SEAL_LEN.
 * `now_s`: Unix seconds.
 */
CODEC_MUST_CHECK enum gossip_seal_result gossip_seal(struct gossip_sealer *sealer,
                                                     const struct gossip_keyring *keyring,
                                                     struct span payload, int64_t now_s,
                                                     struct writer *out);

struct gossip_replay_entry {
    uint8_t session[GOSSIP_SESSION_LEN];
    uint32_t used_at; /* Counts the datagrams that were opened; 0: a free place. */
    uint64_t highest;
    uint64_t seen; /* Bit n: highest - n came. */
};

/* Room for `count` sessions, the caller's, zeroed; a multiple of GOSSIP_REPLAY_WAYS. */
struct gossip_replay {
    struct gossip_replay_entry *entries;
    uint32_t count;
    uint32_t clock;
};

/*
 * Opens into `out`, which has room for as much as was sealed; a datagram may be shorter than what
 * is sealed at most, which is the caller's to check. Costs
 * nothing but a few comparisons when the key is unknown or the datagram is a replay of a known
 * session. What is not authentic changes nothing.
 */
CODEC_MUST_CHECK enum gossip_seal_result gossip_open(const struct gossip_keyring *keyring,
                                                     struct gossip_replay *replay,
                                                     struct span datagram, int64_t now_s,
                                                     struct writer *out);

/* XAES-256-GCM with 24 bytes of nonce, which the two above are made of; here for its vectors. */
struct gossip_cipher {
    const uint8_t *secret; /* GOSSIP_KEY_LEN */
    const uint8_t *nonce;  /* 24 */
    struct span authenticated;
};
CODEC_MUST_CHECK bool gossip_cipher_seal(const struct gossip_cipher *cipher, struct span clear,
                                         struct writer *out);
CODEC_MUST_CHECK bool gossip_cipher_open(const struct gossip_cipher *cipher, struct span sealed,
                                         struct writer *out);

#endif
