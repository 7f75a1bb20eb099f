/* SPDX-License-Identifier: Apache-2.0 */
/* Who of the members is a node of the map, and with what share; and the list of nodes with their
 * figures. */
#include "shards/router/members.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/random.h"
#include "shards/counters.h"
#include "shards/router/load.h"

enum { CLUSTER = 5, SELF = 100 };

static struct random source;
static struct membership *membership;
static struct placement_members members;

static struct gossip_uid uid_of(uint8_t byte)
{
    struct gossip_uid uid;
    memset(uid.bytes, byte, sizeof(uid.bytes));
    return uid;
}

/* A member as it describes itself. */
struct described {
    uint8_t uid;
    uint8_t host;
    uint64_t incarnation;
    bool is_draining;
};

static struct gossip_details details_of(const struct described *said)
{
    return (struct gossip_details){
        .name = SPAN_LITERAL("a name"),
        .client_address = SPAN_LITERAL("10.0.0.1:8000"),
        .version = SPAN_LITERAL("0.1"),
        .cluster_address = {.ip = {10, 0, 0, said->host}, .port = 8400, .ip_len = 4},
        .weight = said->uid,
        .shards = 2,
        .protocol_max = 1,
        .is_draining = said->is_draining,
    };
}

static void tell(const struct gossip_member *said)
{
    uint8_t body[GOSSIP_MEMBER_LEN_MAX];
    uint8_t payload[GOSSIP_PAYLOAD_LEN_MAX];
    struct writer member = writer_of(body, sizeof(body));
    struct writer writer = writer_of(payload, sizeof(payload));
    gossip_member_encode(said, &member);
    const struct gossip_datagram datagram = {.cluster = CLUSTER,
                                             .kind = GOSSIP_RUMOURS,
                                             .sender = uid_of(200),
                                             .members_len = 1,
                                             .members = {writer_written(&member)}};
    const struct gossip_address from = {.ip = {10, 0, 0, 200}, .port = 8400, .ip_len = 4};
    gossip_datagram_encode(&datagram, &writer);
    assert_int_equal(membership_on_datagram(membership, &from, writer_written(&writer), 1000),
                     GOSSIP_OK);
}

static void comes(const struct described *who)
{
    uint8_t room[GOSSIP_DETAILS_LEN_MAX];
    uint8_t load_room[GOSSIP_LOAD_LEN_MAX];
    struct writer details = writer_of(room, sizeof(room));
    struct writer load = writer_of(load_room, sizeof(load_room));
    const struct gossip_details said = details_of(who);
    gossip_details_encode(&said, &details);
    gossip_load_encode(&(struct gossip_load){.revision = 1,
                                             .sessions = 10u * who->uid,
                                             .users = 7,
                                             .channels = 8,
                                             .subscriptions = 9,
                                             .uptime_s = 60},
                       &load);
    tell(&(struct gossip_member){.uid = uid_of(who->uid),
                                 .incarnation = who->incarnation,
                                 .status = GOSSIP_ALIVE,
                                 .details = writer_written(&details),
                                 .load = writer_written(&load)});
}

static void becomes(uint8_t uid, enum gossip_status status)
{
    tell(&(struct gossip_member){.uid = uid_of(uid),
                                 .incarnation = 1,
                                 .status = status,
                                 .accuser = uid_of(200)});
}

static void on_payload(void *owner, const struct gossip_address *to, struct span payload)
{
    (void)owner;
    (void)to;
    (void)payload;
}

static void on_event(void *owner, const struct membership_event *event)
{
    (void)owner;
    (void)event;
}

static int set_up(void **state)
{
    (void)state;
    const struct membership_sink sink = {.datagram = on_payload, .event = on_event};
    struct membership_config config = membership_config_default();
    config.cluster = CLUSTER;
    config.first_incarnation = 1;
    random_init_seeded(&source, 3);
    membership = membership_create(&config, &sink, &source, 1000);
    assert_non_null(membership);
    const struct gossip_uid uid = uid_of(SELF);
    const struct gossip_details details =
        details_of(&(struct described){.uid = SELF, .host = SELF});
    assert_true(membership_start(membership, &uid, &details));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    membership_destroy(membership);
    free((void *)(uintptr_t)members.at);
    members.at = NULL;
    return 0;
}

static void lists(void)
{
    free((void *)(uintptr_t)members.at);
    assert_true(members_list(membership, &members));
    for (uint32_t i = 1; i < members.len; i++) {
        assert_true(memcmp(members.at[i - 1].uid.bytes, members.at[i].uid.bytes, 16) < 0);
    }
    assert_int_equal(members.at[members.self].uid.bytes[0], SELF);
}

static const struct placement_member *listed(uint8_t uid)
{
    for (uint32_t i = 0; i < members.len; i++) {
        if (members.at[i].uid.bytes[0] == uid) {
            return &members.at[i];
        }
    }
    return NULL;
}

static void a_node_alone_is_on_its_map(void **state)
{
    (void)state;
    lists();
    assert_int_equal(members.len, 1);
    assert_int_equal(members.at[0].share, PLACEMENT_TAKES);
    assert_int_equal(members.at[0].weight, SELF);
    assert_int_equal(members.at[0].shards, 2);
}

static void a_status_decides_the_share(void **state)
{
    (void)state;
    for (uint8_t uid = 1; uid <= 5; uid++) {
        comes(&(struct described){.uid = uid, .host = uid, .incarnation = 1});
    }
    becomes(2, GOSSIP_SUSPECT);
    becomes(3, GOSSIP_UNREACHABLE);
    becomes(4, GOSSIP_DEAD);
    becomes(5, GOSSIP_LEFT);
    lists();
    assert_int_equal(members.len, 4);
    assert_int_equal(listed(1)->share, PLACEMENT_TAKES);
    assert_int_equal(listed(2)->share, PLACEMENT_TAKES);
    assert_int_equal(listed(3)->share, PLACEMENT_KEEPS);
    assert_null(listed(4));
    assert_null(listed(5));
    uint32_t counts[GOSSIP_STATUS_COUNT];
    members_count(membership, counts);
    assert_int_equal(counts[GOSSIP_ALIVE], 2);
    for (uint32_t status = GOSSIP_SUSPECT; status <= GOSSIP_LEFT; status++) {
        assert_int_equal(counts[status], 1);
    }
}

static void who_drains_is_a_node_without_slots(void **state)
{
    (void)state;
    comes(&(struct described){.uid = 1, .host = 1, .incarnation = 1, .is_draining = true});
    lists();
    assert_int_equal(listed(1)->share, PLACEMENT_NOTHING);
}

/* A process that was killed and started again at its address, before anybody missed it. */
static void of_two_lives_at_one_address_the_later_is_a_node(void **state)
{
    (void)state;
    comes(&(struct described){.uid = 1, .host = 9, .incarnation = 1000});
    comes(&(struct described){.uid = 2, .host = 9, .incarnation = 3000});
    comes(&(struct described){.uid = 3, .host = 9, .incarnation = 2000});
    comes(&(struct described){.uid = 4, .host = 8, .incarnation = 1});
    lists();
    assert_int_equal(members.len, 3);
    assert_non_null(listed(2));
    assert_non_null(listed(4));
}

/* Whatever others say, there is a self on the map. */
static void a_stranger_at_ones_own_address_does_not_push_one_out(void **state)
{
    (void)state;
    comes(&(struct described){.uid = 1, .host = SELF, .incarnation = 1000});
    lists();
    assert_non_null(listed(SELF));
}

static void all_nodes_are_listed_with_their_figures(void **state)
{
    (void)state;
    struct node_options options;
    struct random random;
    node_options_init(&options);
    options.name = "self";
    random_init_seeded(&random, 1);
    struct node *node = node_create(&options, &random, 0);
    assert_non_null(node);
    const struct shard shard = {.now_ms = 5000};
    struct load load = {0};
    load_init(&load, node, &shard);
    comes(&(struct described){.uid = 1, .host = 1, .incarnation = 1});
    comes(&(struct described){.uid = 2, .host = 2, .incarnation = 1});
    becomes(2, GOSSIP_DEAD);
    struct buf *buf = load_nodes(&load, membership);
    assert_non_null(buf);
    const struct node_info *infos = (const struct node_info *)(const void *)buf->bytes;
    assert_int_equal(buf->len, 2 * sizeof(*infos));
    assert_string_equal(infos[0].uid, node->uid);
    assert_string_equal(infos[0].name, "self");
    assert_string_equal(infos[1].uid, "01010101-0101-0101-0101-010101010101");
    assert_string_equal(infos[1].name, "a name");
    assert_string_equal(infos[1].version, "0.1");
    assert_string_equal(infos[1].client_address, "10.0.0.1:8000");
    assert_int_equal(infos[1].clients, 10);
    assert_int_equal(infos[1].users, 7);
    assert_int_equal(infos[1].channels, 8);
    assert_int_equal(infos[1].subscriptions, 9);
    assert_int_equal(infos[1].uptime_s, 60);
    buf_release(buf);
    node_destroy(node);
}

/* Rates are of the time since the last look; the slowest shard's turns are the node's. */
static void rates_are_of_the_last_second(void **state)
{
    (void)state;
    struct node_options options;
    struct random random;
    node_options_init(&options);
    options.shards = 2;
    random_init_seeded(&random, 1);
    struct node *node = node_create(&options, &random, 0);
    assert_non_null(node);
    struct shard shards[2] = {{.id = 0}, {.id = 1}};
    struct shard router = {.now_ms = 1000};
    struct load load = {0};
    load_init(&load, node, &router);
    for (uint32_t i = 0; i < 2; i++) {
        shards[i].stats = stats_create(COUNTERS_LEN, HISTS_LEN);
        assert_non_null(shards[i].stats);
        node_set_stats(node, &shards[i]);
        stats_set(shards[i].stats,
                  COUNTER_OF(TRANSPORT_RECEIVED, TRANSPORT_WEBSOCKET, FRAME_PUBLISH), 100);
        stats_set(shards[i].stats,
                  COUNTER_OF(TRANSPORT_SENT, TRANSPORT_WEBSOCKET, FRAME_PUSH_PUBLICATION), 400);
        stats_set(shards[i].stats, COUNTER_TURNS, 10);
        stats_set(shards[i].stats, COUNTER_BUSY_NS, (1 + i) * 1000000);
        stats_set(shards[i].stats, COUNTER_NUM_CONNECTIONS, 3);
        stats_set(shards[i].stats, COUNTER_NUM_UNAUTHENTICATED, 1);
    }
    node_tell_process(node, &(struct node_process){.resident_bytes = 1 << 20});
    router.now_ms += 2000;
    load_look(&load);
    struct gossip_load now = load_now(&load);
    assert_int_equal(now.messages_a_second, 500);
    assert_int_equal(now.loop_lag_us, 200);
    assert_int_equal(now.connections, 6);
    assert_int_equal(now.handshake_backlog, 2);
    assert_int_equal(now.memory_bytes, 1 << 20);
    router.now_ms += 1000;
    load_look(&load);
    now = load_now(&load);
    assert_int_equal(now.messages_a_second, 0);
    assert_int_equal(now.loop_lag_us, 0);
    node_destroy(node);
    stats_destroy(shards[0].stats);
    stats_destroy(shards[1].stats);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_node_alone_is_on_its_map),
        TEST(a_status_decides_the_share),
        TEST(who_drains_is_a_node_without_slots),
        TEST(of_two_lives_at_one_address_the_later_is_a_node),
        TEST(a_stranger_at_ones_own_address_does_not_push_one_out),
        TEST(all_nodes_are_listed_with_their_figures),
        TEST(rates_are_of_the_last_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
