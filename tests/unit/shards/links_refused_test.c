/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets no link: nodes that do not fit, garbage, and strangers who only take room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/shards/links_rig.h"

#include <cmocka.h>

/* ---- refusals ---- */

struct refusal_case {
    const char *name;
    uint32_t cluster;
    uint32_t protocol_min;
    uint32_t protocol_max;
    uint32_t protocol; /* That both speak; 0: refused. */
    enum link_refusal refusal;
};

static void who_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const struct refusal_case cases[] = {
        {"another cluster", LINKS_RIG_CLUSTER + 1, 3, 5, 0, LINK_REFUSED_CLUSTER},
        {"older than we understand", LINKS_RIG_CLUSTER, 1, 2, 0, LINK_REFUSED_VERSION},
        {"newer than we understand", LINKS_RIG_CLUSTER, 6, 9, 0, LINK_REFUSED_VERSION},
        {"older, and understood", LINKS_RIG_CLUSTER, 1, 3, 3, LINK_REFUSED_UNSAID},
        {"newer, and understands us", LINKS_RIG_CLUSTER, 4, 9, 5, LINK_REFUSED_UNSAID},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct refusal_case *played = &cases[i];
        struct links_rig *rig = links_rig_new(2);
        rig->nodes[0].options.protocol_min = 3;
        rig->nodes[0].options.protocol_max = 5;
        rig->nodes[1].options.cluster = played->cluster;
        rig->nodes[1].options.protocol_min = played->protocol_min;
        rig->nodes[1].options.protocol_max = played->protocol_max;
        links_rig_start_all(rig);
        const struct socket_address address = links_rig_address(0);
        links_rig_reach(rig, 1, &address);
        sim_advance_ms(rig->sim, 1000);
        assert_int_equal(links_rig_are_linked(rig, 0, 1), played->protocol != 0);
        if (played->protocol != 0) {
            assert_int_equal(rig->nodes[0].peers[1].protocol, played->protocol);
            assert_int_equal(rig->nodes[1].peers[0].protocol, played->protocol);
        } else {
            assert_int_equal(links_rig_counters(rig, 0)->refused[played->refusal], 1);
            assert_int_equal(links_rig_counters(rig, 1)->refused_us[played->refusal], 1);
        }
        links_rig_free(rig);
    }
}

static void another_node_than_expected_is_refused(void **state)
{
    (void)state;
    struct links_rig *rig = links_rig_new(3);
    links_rig_start_all(rig);
    const struct gossip_uid uid = links_rig_uid(1);
    const struct socket_address wrong = links_rig_address(2);
    links_keep(rig->nodes[0].links, &uid, &wrong);
    links_rig_wake(rig, 0);
    sim_advance_ms(rig->sim, 3000);
    assert_true(links_rig_counters(rig, 2)->refused[LINK_REFUSED_UID] >= 2);
    assert_int_equal(links_rig_counters(rig, 0)->refused_us[LINK_REFUSED_UID],
                     links_rig_counters(rig, 2)->refused[LINK_REFUSED_UID]);
    /* The right address, told later. */
    links_rig_keep(rig, 0, 1);
    sim_advance_ms(rig->sim, 10000);
    assert_true(links_rig_are_linked(rig, 0, 1));
    links_rig_free(rig);
}

/* A seal that is a byte before, which both sides must have. */
static bool seal_with_byte(void *owner, struct span hello, struct writer *sealed)
{
    writer_put(sealed, span_of(owner, 1));
    writer_put(sealed, hello);
    return true;
}

static bool open_with_byte(void *owner, struct span sealed, struct writer *hello)
{
    if (sealed.len == 0 || sealed.at[0] != *(const uint8_t *)owner) {
        return false;
    }
    writer_put(hello, span_skip(sealed, 1));
    return true;
}

static void another_seal_is_refused(void **state)
{
    (void)state;
    static const char *const seals[][2] = {{"a", "a"}, {"a", "b"}, {"a", NULL}, {NULL, "a"}};
    for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
        struct links_rig *rig = links_rig_new(2);
        for (uint32_t node = 0; node < 2; node++) {
            rig->nodes[node].options.seal = (struct links_seal){(void *)(uintptr_t)seals[i][node],
                                                                seal_with_byte, open_with_byte};
        }
        links_rig_start_all(rig);
        const struct socket_address address = links_rig_address(0);
        links_rig_reach(rig, 1, &address);
        sim_advance_ms(rig->sim, 1000);
        assert_int_equal(links_rig_are_linked(rig, 0, 1), i == 0);
        const uint64_t by_key = links_rig_counters(rig, 0)->refused[LINK_REFUSED_KEY];
        assert_int_equal(by_key, i == 1 || i == 2);
        assert_int_equal(links_rig_counters(rig, 1)->refused_us[LINK_REFUSED_KEY], by_key);
        links_rig_free(rig);
    }
}

/* ---- strangers ---- */

static int connect_stranger(struct links_rig *rig, uint32_t node)
{
    const struct socket_address address = links_rig_address(node);
    const int client = sim_client_connect(rig->sim, node, &address);
    assert_true(client >= 0);
    return client;
}

struct garbage_case {
    const char *bytes;
    size_t len;
    enum link_result result;
};

static void garbage_is_refused_and_counted(void **state)
{
    (void)state;
    static const struct garbage_case cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18, LINK_ERROR_SIZE},
        {"\x16\x03\x01\x02\x00\x01\x00\x01", 8, LINK_ERROR_TLS},
        {"\xff\xff\xff\xff", 4, LINK_ERROR_SIZE},
        {"\x00\x00\x01\x02", 4, LINK_ERROR_SIZE},
        {"\x00\x00\x00\x00", 4, LINK_ERROR_EMPTY},
        {"\x00\x00\x00\x01\x07", 5, LINK_ERROR_KIND},
        {"\x00\x00\x00\x01\x00", 5, LINK_ERROR_KIND},
        {"\x00\x00\x00\x01\x04", 5, LINK_ERROR_ORDER},
        {"\x00\x00\x00\x08\x06", 5, LINK_ERROR_ORDER},
        {"\x00\x00\x00\x01\x02", 5, LINK_ERROR_ORDER},
        {"\x00\x00\x00\x01\x01", 5, LINK_ERROR_PROTOCOL},
        {"\x00\x00\x00\x03\x01\xff\xff", 7, LINK_ERROR_FORMAT},
        {"\x00\x00\x00\x05\x01\x08\x01\x10\x01", 9, LINK_ERROR_UID},
    };
    struct links_rig *rig = links_rig_new(1);
    links_rig_start_all(rig);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint64_t before = links_rig_counters(rig, 0)->bad_frames[cases[i].result];
        const int client = connect_stranger(rig, 0);
        assert_int_equal(sim_client_send(rig->sim, client, cases[i].bytes, cases[i].len),
                         cases[i].len);
        sim_advance_ms(rig->sim, 100);
        assert_int_equal(links_rig_counters(rig, 0)->bad_frames[cases[i].result], before + 1);
        char byte;
        assert_int_equal(sim_client_receive(rig->sim, client, &byte, 1), -1);
        sim_client_close(rig->sim, client, false);
    }
    assert_int_equal(links_rig_connections(rig, 0), 0);
    links_rig_free(rig);
}

static void strangers_are_few_and_short_lived(void **state)
{
    (void)state;
    struct links_rig *rig = links_rig_new(2);
    rig->nodes[0].options.strangers_max = 8;
    links_rig_start_all(rig);
    int clients[40];
    struct links_gauges gauges;
    for (int i = 0; i < 40; i++) {
        clients[i] = connect_stranger(rig, 0);
        sim_advance_ms(rig->sim, 5);
        links_gauges(rig->nodes[0].links, &gauges);
        assert_true(gauges.strangers <= 8);
    }
    assert_int_equal(links_rig_counters(rig, 0)->strangers_dropped, 32);
    /* A node still comes through. */
    links_rig_keep(rig, 1, 0);
    sim_advance_ms(rig->sim, 3000);
    assert_true(links_rig_are_linked(rig, 0, 1));
    sim_advance_ms(rig->sim, rig->nodes[0].options.handshake_ms);
    links_gauges(rig->nodes[0].links, &gauges);
    assert_int_equal(gauges.strangers, 0);
    assert_true(links_rig_counters(rig, 0)->late >= 7);
    assert_int_equal(links_rig_connections(rig, 0), 1);
    for (int i = 0; i < 40; i++) {
        sim_client_close(rig->sim, clients[i], true);
    }
    links_rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_does_not_fit_is_refused),
        cmocka_unit_test(another_seal_is_refused),
        cmocka_unit_test(another_node_than_expected_is_refused),
        cmocka_unit_test(garbage_is_refused_and_counted),
        cmocka_unit_test(strangers_are_few_and_short_lived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
