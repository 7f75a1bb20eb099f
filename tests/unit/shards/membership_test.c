/* SPDX-License-Identifier: Apache-2.0 */
/* The membership engine alone, fed by hand: what it answers, believes, refutes, keeps and refuses.
 */
#include "shards/router/membership/membership.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/random.h"

enum { CLUSTER = 5, SENT_MAX = 64 };

/* One engine, and what it said last. */
struct rig {
    struct membership *membership;
    struct random random;
    uint64_t now_ms;
    uint32_t sent_len;
    struct gossip_datagram sent[SENT_MAX];
    uint8_t room[SENT_MAX][4096];
    uint32_t exchanges;
    uint32_t events[5];
    enum gossip_status status;
};

static struct rig rig;
static uint8_t parts[64 * 1024];

static struct gossip_uid uid_of(uint8_t byte)
{
    struct gossip_uid uid;
    memset(uid.bytes, byte, sizeof(uid.bytes));
    return uid;
}

static struct gossip_address address_of(uint8_t byte)
{
    return (struct gossip_address){.ip = {10, 0, 0, byte}, .port = 7946, .ip_len = 4};
}

static struct gossip_details details_of(uint8_t byte)
{
    return (struct gossip_details){.name = SPAN_LITERAL("node"),
                                   .cluster_address = address_of(byte),
                                   .weight = 1,
                                   .shards = 1,
                                   .protocol_max = 1};
}

static void on_output(void *owner, const struct gossip_address *to, struct span payload)
{
    (void)owner;
    (void)to;
    assert_true(rig.sent_len < SENT_MAX);
    struct scratch scratch = scratch_of(rig.room[rig.sent_len], sizeof(rig.room[0]));
    assert_int_equal(gossip_datagram_decode(payload, CLUSTER, &scratch, &rig.sent[rig.sent_len]),
                     GOSSIP_OK);
    rig.sent_len++;
}

static void on_event(void *owner, const struct membership_event *event)
{
    (void)owner;
    rig.events[event->kind]++;
    rig.status = event->member->status;
}

static void on_exchange(void *owner, const struct gossip_address *to, const struct gossip_uid *peer)
{
    (void)owner;
    (void)to;
    (void)peer;
    rig.exchanges++;
}

static void rig_start(uint32_t members_max)
{
    memset(&rig, 0, sizeof(rig));
    rig.now_ms = 1000;
    random_init_seeded(&rig.random, 3);
    struct membership_config config = membership_config_default();
    config.cluster = CLUSTER;
    config.members_max = members_max;
    config.first_incarnation = 10;
    const struct membership_sink sink = {NULL, on_output, on_event, on_exchange};
    rig.membership = membership_create(&config, &sink, &rig.random, rig.now_ms);
    assert_non_null(rig.membership);
    const struct gossip_uid uid = uid_of(1);
    const struct gossip_details details = details_of(1);
    assert_true(membership_start(rig.membership, &uid, &details));
}

static int rig_stop(void **state)
{
    (void)state;
    membership_destroy(rig.membership);
    rig.membership = NULL;
    return 0;
}

static void rig_run(uint64_t for_ms)
{
    const uint64_t end_ms = rig.now_ms + for_ms;
    for (;;) {
        const uint64_t due_ms = membership_next_deadline_ms(rig.membership);
        if (due_ms > end_ms) {
            break;
        }
        rig.now_ms = due_ms > rig.now_ms ? due_ms : rig.now_ms;
        rig.sent_len = 0;
        membership_tick(rig.membership, rig.now_ms);
    }
    rig.now_ms = end_ms;
}

/* A datagram of node `from` that says one thing of a member. */
static enum gossip_result say(uint8_t from, enum gossip_kind kind, const struct gossip_member *said)
{
    uint8_t body[GOSSIP_MEMBER_LEN_MAX];
    uint8_t payload[GOSSIP_PAYLOAD_LEN_MAX];
    struct writer member = writer_of(body, sizeof(body));
    struct writer writer = writer_of(payload, sizeof(payload));
    struct gossip_datagram datagram = {.cluster = CLUSTER,
                                       .kind = kind,
                                       .sequence = 7,
                                       .sender = uid_of(from)};
    if (said != NULL) {
        gossip_member_encode(said, &member);
        datagram.members[datagram.members_len++] = writer_written(&member);
    }
    gossip_datagram_encode(&datagram, &writer);
    const struct gossip_address address = address_of(from);
    rig.sent_len = 0;
    return membership_on_datagram(rig.membership, &address, writer_written(&writer), rig.now_ms);
}

static void say_status(uint8_t from, uint8_t of, uint64_t incarnation, enum gossip_status status)
{
    const struct gossip_member said = {.uid = uid_of(of),
                                       .incarnation = incarnation,
                                       .status = status,
                                       .accuser = uid_of(from)};
    assert_int_equal(say(from, GOSSIP_RUMOURS, &said), GOSSIP_OK);
}

static void say_alive(uint8_t of, uint64_t incarnation, struct span later)
{
    uint8_t buf[GOSSIP_DETAILS_LEN_MAX];
    struct writer writer = writer_of(buf, sizeof(buf));
    const struct gossip_details details = details_of(of);
    gossip_details_encode(&details, &writer);
    writer_put(&writer, later);
    const struct gossip_member said = {.uid = uid_of(of),
                                       .incarnation = incarnation,
                                       .status = GOSSIP_ALIVE,
                                       .details = writer_written(&writer),
                                       .extra = later};
    assert_int_equal(say(of, GOSSIP_RUMOURS, &said), GOSSIP_OK);
}

static enum gossip_status status_of(uint8_t byte)
{
    const struct gossip_uid uid = uid_of(byte);
    const struct membership_member *member = membership_find(rig.membership, &uid);
    return member == NULL ? GOSSIP_UNSAID : member->status;
}

/* What the engine says of a member in any of the datagrams it sent last. */
static bool heard(uint8_t of, struct gossip_member *out)
{
    static uint8_t room[GOSSIP_PART_SCRATCH_LEN];
    const struct gossip_uid uid = uid_of(of);
    for (uint32_t i = 0; i < rig.sent_len; i++) {
        for (uint32_t j = 0; j < rig.sent[i].members_len; j++) {
            struct scratch scratch = scratch_of(room, sizeof(room));
            assert_int_equal(gossip_member_decode(rig.sent[i].members[j], &scratch, out),
                             GOSSIP_OK);
            if (gossip_uid_equal(&out->uid, &uid)) {
                return true;
            }
        }
    }
    return false;
}

static void whoever_asks_in_is_answered_with_who_is_here(void **state)
{
    (void)state;
    rig_start(16);
    struct gossip_member said;
    assert_int_equal(say(2, GOSSIP_PING, NULL), GOSSIP_OK);
    assert_int_equal(rig.sent_len, 1);
    assert_int_equal(rig.sent[0].kind, GOSSIP_ACK);
    assert_int_equal(rig.sent[0].sequence, 7);
    assert_true(heard(1, &said));
    assert_int_equal(said.status, GOSSIP_ALIVE);
    assert_true(said.details.len > 0);
}

static void silence_leads_over_unreachable_to_death_and_is_forgotten(void **state)
{
    (void)state;
    rig_start(16);
    say_alive(2, 20, SPAN_EMPTY);
    assert_int_equal(rig.events[MEMBERSHIP_JOINED], 1);
    bool seen[GOSSIP_STATUS_COUNT] = {false};
    for (uint32_t i = 0; i < 100; i++) {
        rig_run(100);
        seen[status_of(2)] = true;
    }
    assert_true(seen[GOSSIP_ALIVE] && seen[GOSSIP_SUSPECT] && seen[GOSSIP_UNREACHABLE]);
    assert_int_equal(status_of(2), GOSSIP_DEAD);
    assert_int_equal(membership_counters(rig.membership)->dead, 1);
    rig_run(3600 * 1000);
    assert_int_equal(status_of(2), GOSSIP_UNSAID);
    assert_int_equal(rig.events[MEMBERSHIP_FORGOTTEN], 1);
    assert_int_equal(membership_count(rig.membership), 0);
}

static void a_doubt_of_this_node_is_refuted_in_the_answer(void **state)
{
    (void)state;
    static const enum gossip_status doubts[] = {GOSSIP_SUSPECT, GOSSIP_UNREACHABLE, GOSSIP_DEAD};
    rig_start(16);
    say_alive(2, 20, SPAN_EMPTY);
    uint64_t incarnation = membership_self(rig.membership)->incarnation;
    for (size_t i = 0; i < 3; i++) {
        const struct gossip_member said = {.uid = uid_of(1),
                                           .incarnation = incarnation,
                                           .status = doubts[i]};
        assert_int_equal(say(2, GOSSIP_PING, &said), GOSSIP_OK);
        struct gossip_member answer;
        assert_true(heard(1, &answer));
        assert_int_equal(answer.status, GOSSIP_ALIVE);
        assert_true(answer.incarnation > incarnation);
        /* The same again is old by now. */
        say_status(2, 1, incarnation, doubts[i]);
        assert_int_equal(membership_self(rig.membership)->incarnation, answer.incarnation);
        incarnation = answer.incarnation;
    }
    assert_int_equal(membership_counters(rig.membership)->refutations, 3);
    assert_int_equal(membership_health(rig.membership), 3);
}

static void of_two_statuses_the_later_incarnation_or_the_worse_one_wins(void **state)
{
    (void)state;
    static const struct {
        uint64_t incarnation;
        enum gossip_status said;
        enum gossip_status then;
    } steps[] = {
        {19, GOSSIP_DEAD, GOSSIP_ALIVE},
        {20, GOSSIP_SUSPECT, GOSSIP_SUSPECT},
        {20, GOSSIP_UNREACHABLE, GOSSIP_UNREACHABLE},
        {20, GOSSIP_SUSPECT, GOSSIP_UNREACHABLE},
        {21, GOSSIP_ALIVE, GOSSIP_ALIVE},
        {20, GOSSIP_DEAD, GOSSIP_ALIVE},
        {21, GOSSIP_DEAD, GOSSIP_DEAD},
        {21, GOSSIP_ALIVE, GOSSIP_DEAD},
        {22, GOSSIP_ALIVE, GOSSIP_ALIVE},
        {22, GOSSIP_LEFT, GOSSIP_LEFT},
        {22, GOSSIP_DEAD, GOSSIP_LEFT},
        {23, GOSSIP_ALIVE, GOSSIP_ALIVE},
    };
    rig_start(16);
    say_alive(2, 20, SPAN_EMPTY);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (steps[i].said == GOSSIP_ALIVE) {
            say_alive(2, steps[i].incarnation, SPAN_EMPTY);
        } else {
            say_status(3, 2, steps[i].incarnation, steps[i].said);
        }
        assert_int_equal(status_of(2), steps[i].then);
    }
    assert_int_equal(membership_counters(rig.membership)->comebacks, 1);
}

static void fields_of_a_later_version_travel_on(void **state)
{
    (void)state;
    static const uint8_t later[] = {0xd2, 0x05, 0x03, 'n', 'e', 'w'};
    rig_start(16);
    say_alive(2, 20, span_of(later, sizeof(later)));
    say_alive(3, 20, SPAN_EMPTY);
    struct gossip_member said;
    assert_int_equal(say(3, GOSSIP_PING, NULL), GOSSIP_OK);
    assert_true(heard(2, &said));
    assert_true(span_equal(said.extra, span_of(later, sizeof(later))));
    assert_memory_equal(said.details.at + said.details.len - sizeof(later), later, sizeof(later));
}

static void there_is_room_for_so_many_and_the_dead_make_room(void **state)
{
    (void)state;
    rig_start(3);
    for (uint8_t i = 2; i < 6; i++) {
        say_alive(i, 20, SPAN_EMPTY);
    }
    assert_int_equal(membership_count(rig.membership), 3);
    assert_int_equal(membership_counters(rig.membership)->members_refused, 1);
    say_status(3, 2, 20, GOSSIP_DEAD);
    say_alive(5, 20, SPAN_EMPTY);
    assert_int_equal(membership_count(rig.membership), 3);
    assert_int_equal(status_of(5), GOSSIP_ALIVE);
    assert_int_equal(status_of(2), GOSSIP_UNSAID);
}

static void what_is_bad_is_counted_and_changes_nothing(void **state)
{
    (void)state;
    rig_start(16);
    const struct gossip_address from = address_of(2);
    const struct membership_counters *counters = membership_counters(rig.membership);
    assert_int_equal(membership_on_datagram(rig.membership, &from, SPAN_LITERAL("\xff"),
                                            rig.now_ms),
                     GOSSIP_ERROR_FORMAT);
    assert_int_equal(membership_on_datagram(rig.membership, &from, SPAN_EMPTY, rig.now_ms),
                     GOSSIP_ERROR_VERSION);
    assert_int_equal(membership_on_state(rig.membership, SPAN_LITERAL("\xff"), rig.now_ms),
                     GOSSIP_ERROR_FORMAT);
    assert_int_equal(counters->bad_datagrams[GOSSIP_ERROR_FORMAT], 2);
    assert_int_equal(counters->bad_datagrams[GOSSIP_ERROR_VERSION], 1);
    const struct gossip_member said = {.uid = uid_of(2),
                                       .incarnation = 1,
                                       .status = GOSSIP_ALIVE,
                                       .details = SPAN_LITERAL("\xff")};
    assert_int_equal(say(2, GOSSIP_RUMOURS, &said), GOSSIP_OK);
    assert_int_equal(counters->bad_members[GOSSIP_ERROR_FORMAT], 1);
    assert_int_equal(membership_count(rig.membership), 0);
}

static void a_pause_of_this_node_is_held_against_nobody(void **state)
{
    (void)state;
    rig_start(16);
    for (uint8_t i = 2; i < 8; i++) {
        say_alive(i, 20, SPAN_EMPTY);
    }
    say_status(3, 2, 20, GOSSIP_SUSPECT);
    (void)membership_next_deadline_ms(rig.membership);
    rig.now_ms += 60 * 1000;
    rig.sent_len = 0;
    membership_tick(rig.membership, rig.now_ms);
    assert_int_equal(status_of(2), GOSSIP_SUSPECT);
    assert_int_equal(membership_counters(rig.membership)->pauses, 1);
    assert_int_equal(membership_health(rig.membership), 8);
}

static void a_goodbye_is_told_and_then_over(void **state)
{
    (void)state;
    rig_start(16);
    say_alive(2, 20, SPAN_EMPTY);
    membership_leave(rig.membership, rig.now_ms);
    assert_false(membership_has_left(rig.membership));
    struct gossip_member said;
    assert_int_equal(say(2, GOSSIP_PING, NULL), GOSSIP_OK);
    assert_true(heard(1, &said));
    assert_int_equal(said.status, GOSSIP_LEFT);
    rig_run(5000);
    assert_true(membership_has_left(rig.membership));
}

static void a_state_tells_all_and_its_doubts_are_only_hints(void **state)
{
    (void)state;
    rig_start(200);
    for (uint8_t i = 2; i < 150; i++) {
        say_alive(i, 20, SPAN_EMPTY);
    }
    say_status(3, 2, 20, GOSSIP_DEAD);
    uint32_t cursor = 0;
    uint32_t count = 0;
    struct span written[16];
    uint8_t *at = parts;
    struct writer writer = writer_of(at, GOSSIP_STATE_LEN_MAX);
    while (count < 7 && membership_state_write(rig.membership, &cursor, &writer)) {
        assert_false(writer_is_overflown(&writer));
        written[count++] = writer_written(&writer);
        at += GOSSIP_STATE_LEN_MAX;
        writer = writer_of(at, GOSSIP_STATE_LEN_MAX);
    }
    assert_in_range(count, 2, 6);
    membership_destroy(rig.membership);
    rig_start(200);
    say_alive(2, 20, SPAN_EMPTY);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(membership_on_state(rig.membership, written[i], rig.now_ms), GOSSIP_OK);
    }
    assert_int_equal(membership_count(rig.membership), 148);
    assert_int_equal(status_of(2), GOSSIP_ALIVE);
    assert_int_equal(status_of(149), GOSSIP_ALIVE);
    /* It looked for itself. */
    assert_int_equal(membership_counters(rig.membership)->probes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(whoever_asks_in_is_answered_with_who_is_here, rig_stop),
        cmocka_unit_test_teardown(silence_leads_over_unreachable_to_death_and_is_forgotten,
                                  rig_stop),
        cmocka_unit_test_teardown(a_doubt_of_this_node_is_refuted_in_the_answer, rig_stop),
        cmocka_unit_test_teardown(of_two_statuses_the_later_incarnation_or_the_worse_one_wins,
                                  rig_stop),
        cmocka_unit_test_teardown(fields_of_a_later_version_travel_on, rig_stop),
        cmocka_unit_test_teardown(there_is_room_for_so_many_and_the_dead_make_room, rig_stop),
        cmocka_unit_test_teardown(what_is_bad_is_counted_and_changes_nothing, rig_stop),
        cmocka_unit_test_teardown(a_pause_of_this_node_is_held_against_nobody, rig_stop),
        cmocka_unit_test_teardown(a_goodbye_is_told_and_then_over, rig_stop),
        cmocka_unit_test_teardown(a_state_tells_all_and_its_doubts_are_only_hints, rig_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
