/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds the gossip's decoders and its envelope; what decodes must encode to what decodes the same.
 */
#include "codec/gossip_seal.h"
#include "tests/fuzz/fuzz_pieces.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static uint8_t room[GOSSIP_SCRATCH_LEN];

/* Room of exactly the promised size must be enough for whatever the limits let through. */
static void check_parts(struct span details, struct span load)
{
    static uint8_t part[GOSSIP_PART_SCRATCH_LEN];
    uint8_t buf[1024];
    struct scratch scratch = scratch_of(part, sizeof(part));
    struct gossip_details decoded;
    enum gossip_result result = gossip_details_decode(details, &scratch, &decoded);
    FUZZ_CHECK(result != GOSSIP_ERROR_SPACE);
    if (result == GOSSIP_OK) {
        struct gossip_details again;
        struct writer writer = writer_of(buf, sizeof(buf));
        gossip_details_encode(&decoded, &writer);
        FUZZ_CHECK(gossip_details_decode(writer_written(&writer), &scratch, &again) == GOSSIP_OK);
        FUZZ_CHECK(span_equal(again.name, decoded.name) && again.weight == decoded.weight);
        FUZZ_CHECK(gossip_address_equal(&again.cluster_address, &decoded.cluster_address));
    }
    struct gossip_load load_decoded;
    scratch = scratch_of(part, sizeof(part));
    result = gossip_load_decode(load, &scratch, &load_decoded);
    FUZZ_CHECK(result != GOSSIP_ERROR_SPACE);
}

static void check_member(struct span encoded)
{
    static uint8_t part[GOSSIP_PART_SCRATCH_LEN];
    static uint8_t part_again[GOSSIP_PART_SCRATCH_LEN];
    uint8_t buf[2 * GOSSIP_MEMBER_LEN_MAX];
    struct scratch scratch = scratch_of(part, sizeof(part));
    struct gossip_member member;
    const enum gossip_result result = gossip_member_decode(encoded, &scratch, &member);
    FUZZ_CHECK(result < GOSSIP_RESULT_COUNT && result != GOSSIP_ERROR_SPACE);
    if (result != GOSSIP_OK) {
        return;
    }
    struct writer writer = writer_of(buf, sizeof(buf));
    gossip_member_encode(&member, &writer);
    FUZZ_CHECK(!writer_is_overflown(&writer) &&
               writer_written_len(&writer) <= GOSSIP_MEMBER_LEN_MAX);
    struct gossip_member again;
    scratch = scratch_of(part_again, sizeof(part_again));
    FUZZ_CHECK(gossip_member_decode(writer_written(&writer), &scratch, &again) == GOSSIP_OK);
    FUZZ_CHECK(gossip_uid_equal(&again.uid, &member.uid) && again.status == member.status);
    FUZZ_CHECK(again.incarnation == member.incarnation);
    FUZZ_CHECK(span_equal(again.details, member.details) && span_equal(again.load, member.load));
    FUZZ_CHECK(span_equal(again.extra, member.extra));
    check_parts(member.details, member.load);
}

static void check_datagram(struct span payload)
{
    struct scratch scratch = scratch_of(room, sizeof(room));
    struct gossip_datagram datagram;
    const enum gossip_result result = gossip_datagram_decode(payload, 0, &scratch, &datagram);
    FUZZ_CHECK(result < GOSSIP_RESULT_COUNT && result != GOSSIP_ERROR_SPACE);
    for (uint32_t i = 0; i < datagram.members_len; i++) {
        check_member(datagram.members[i]);
    }
}

static void check_state(struct span payload)
{
    struct scratch scratch = scratch_of(room, sizeof(room));
    struct gossip_state state;
    const enum gossip_result result = gossip_state_decode(payload, 0, &scratch, &state);
    FUZZ_CHECK(result < GOSSIP_RESULT_COUNT && result != GOSSIP_ERROR_SPACE);
    for (uint32_t i = 0; i < state.members_len; i++) {
        check_member(state.members[i]);
    }
}

/* Nobody without the key gets anything in; with it, all of it comes back. */
static void check_envelope(struct span bytes)
{
    static const uint8_t secret[GOSSIP_KEY_LEN] = {7};
    static uint8_t sealed[GOSSIP_DATAGRAM_LEN_MAX];
    static uint8_t opened[GOSSIP_DATAGRAM_LEN_MAX];
    struct gossip_replay_entry entries[GOSSIP_REPLAY_WAYS] = {{{0}, 0, 0, 0}};
    struct gossip_replay replay = {entries, GOSSIP_REPLAY_WAYS, 0};
    struct gossip_keyring keyring = {0};
    struct gossip_sealer sealer = {{1}, 0};
    FUZZ_CHECK(gossip_keyring_add(&keyring, span_of(secret, sizeof(secret))) == GOSSIP_SEAL_OK);
    struct writer out = writer_of(opened, sizeof(opened));
    FUZZ_CHECK(gossip_open(&keyring, &replay, bytes, 0, &out) != GOSSIP_SEAL_OK);
    out = writer_of(sealed, sizeof(sealed));
    if (gossip_seal(&sealer, &keyring, bytes, 0, &out) != GOSSIP_SEAL_OK) {
        FUZZ_CHECK(bytes.len > GOSSIP_PAYLOAD_LEN_MAX);
        return;
    }
    const struct span datagram = writer_written(&out);
    out = writer_of(opened, sizeof(opened));
    FUZZ_CHECK(gossip_open(&keyring, &replay, datagram, 0, &out) == GOSSIP_SEAL_OK);
    FUZZ_CHECK(span_equal(writer_written(&out), bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1) {
        return 0;
    }
    const struct span rest = span_skip(span_of(bytes, len), 1);
    switch (bytes[0] % 5) {
    case 0:
        check_datagram(rest);
        break;
    case 1:
        check_state(rest);
        break;
    case 2:
        check_member(rest);
        break;
    case 3:
        check_parts(rest, rest);
        break;
    default:
        check_envelope(rest);
        break;
    }
    return 0;
}
