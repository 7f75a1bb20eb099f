/* SPDX-License-Identifier: Apache-2.0 */
/* What cluster.* may say, what follows from it, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ops/loading.h"

#define KEY_HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_BASE64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER_KEY "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define TLS "  tls: {cert_pem_file: c.pem, key_pem_file: k.pem, ca_pem_file: a.pem}\n"

static struct loaded *loads(const char *text)
{
    struct loaded *loaded = load_text(text);

    assert_string_equal(loaded->report.text, "");
    return loaded;
}

static void assert_address(const struct socket_address *address, const char *expected)
{
    char text[SOCKET_ADDRESS_TEXT_SIZE];

    socket_address_format(address, text);
    assert_string_equal(text, expected);
}

static void test_a_node_is_alone_unless_told(void **state)
{
    (void)state;
    struct loaded *loaded = loads("runtime: {shards: 3}\ncluster: {join: [10.0.0.1]}\n");

    assert_false(loaded->config.options.cluster.enabled);
    assert_int_equal(loaded->config.options.cluster.weight, 3);
    unload(loaded);
}

static void test_a_whole_cluster(void **state)
{
    (void)state;
    struct loaded *loaded = loads("http_server: {port: 9000}\n"
                                  "cluster:\n"
                                  "  enabled: true\n"
                                  "  name: blue\n"
                                  "  bind: 127.0.0.1:7000\n"
                                  "  join: [10.0.0.1, '10.0.0.2:7002', node.example.org, "
                                  "'node:7003', _roost._udp.example.org]\n"
                                  "  keys: [" KEY_BASE64 ", " OTHER_KEY "]\n" TLS "  zone: north\n"
                                  "  weight: 5\n");
    const struct cluster_options *cluster = &loaded->config.options.cluster;

    assert_true(cluster->enabled);
    assert_string_equal(cluster->name, "blue");
    assert_string_equal(cluster->zone, "north");
    assert_int_equal(cluster->weight, 5);
    assert_address(&cluster->bind, "127.0.0.1:7000");
    assert_address(&cluster->advertise, "127.0.0.1:7000");
    assert_string_equal(cluster->client_address, "127.0.0.1:9000");
    /* A seed without a port has the one of this node. */
    assert_int_equal(cluster->seeds_len, 2);
    assert_address(&cluster->seeds[0], "10.0.0.1:7000");
    assert_address(&cluster->seeds[1], "10.0.0.2:7002");
    assert_true(cluster->has_names);
    assert_int_equal(loaded->config.cluster_names_len, 3);
    assert_string_equal(loaded->config.cluster_names[0].name, "node.example.org");
    assert_int_equal(loaded->config.cluster_names[0].port, 7000);
    assert_int_equal(loaded->config.cluster_names[1].port, 7003);
    assert_string_equal(loaded->config.cluster_names[2].name, "_roost._udp.example.org");
    assert_int_equal(loaded->config.cluster_names[2].port, 0);
    /* The first key seals. */
    assert_int_equal(cluster->keyring.count, 2);
    assert_int_equal(cluster->keyring.primary, 0);
    for (uint8_t i = 0; i < GOSSIP_KEY_LEN; i++) {
        assert_int_equal(cluster->keyring.keys[0].secret[i], i);
        assert_int_equal(cluster->keyring.keys[1].secret[i], 0xff);
    }
    unload(loaded);
}

static void test_what_others_reach(void **state)
{
    (void)state;
    struct loaded *loaded = loads("cluster: {enabled: true, insecure: true, keys: [" KEY_HEX "], "
                                  "bind: '[::1]:7000'}\n");

    assert_address(&loaded->config.options.cluster.advertise, "[::1]:7000");
    unload(loaded);
    loaded = load_text("cluster: {enabled: true, bind: 0.0.0.0:7000, advertise: '192.0.2.7:7100', "
                       "keys: [" KEY_HEX "],\n" TLS "}\n");
    assert_string_equal(loaded->report.text, "");
    assert_address(&loaded->config.options.cluster.bind, "0.0.0.0:7000");
    assert_address(&loaded->config.options.cluster.advertise, "192.0.2.7:7100");
    unload(loaded);
}

static void test_nobody_gossips_in_clear_by_mistake(void **state)
{
    (void)state;
    expect_report("cluster: {enabled: true, bind: 127.0.0.1:7000}\n",
                  "cluster.tls.cert_pem_file: found nothing, expected a file (or "
                  "cluster.insecure: links in clear)\n"
                  "cluster.tls.key_pem_file: found nothing, expected a file (or "
                  "cluster.insecure: links in clear)\n"
                  "cluster.tls.ca_pem_file: found nothing, expected a file (or cluster.insecure: "
                  "links in clear)\n"
                  "cluster.keys: found none, expected a key of 32 bytes (or cluster.insecure: "
                  "gossip in clear)\n");
    /* On the loopback nobody else hears it; elsewhere it is said aloud. */
    expect_report("cluster: {enabled: true, bind: 127.0.0.1:7000, insecure: true}\n", "");
    expect_report("cluster: {enabled: true, bind: 192.0.2.1:7000, insecure: true}\n",
                  "roost.yaml:1:58: note: cluster.insecure: everybody who reaches 192.0.2.1:7000 "
                  "may be a node of this cluster\n");
    expect_report("cluster: {enabled: true, bind: 127.0.0.1:7000, insecure: true, tls: "
                  "{ca_pem_file: a}}\n",
                  "cluster.tls.cert_pem_file: found nothing, expected a file, since others of "
                  "cluster.tls are said\n"
                  "cluster.tls.key_pem_file: found nothing, expected a file, since others of "
                  "cluster.tls are said\n");
}

#define INSECURE "cluster: {enabled: true, insecure: true, bind: 127.0.0.1:7000, "

static void test_wrong_addresses_are_named(void **state)
{
    (void)state;
    expect_report("cluster: {enabled: true, insecure: true, bind: '127.0.0.1'}\n",
                  "roost.yaml:1:48: cluster.bind: found \"127.0.0.1\", expected an address and a "
                  "port, like 10.0.0.1:8400 or [fd00::1]:8400\n");
    expect_report("cluster: {enabled: true, insecure: true, bind: 'localhost:70'}\n",
                  "roost.yaml:1:48: cluster.bind: found \"localhost:70\", expected an address and "
                  "a port, like 10.0.0.1:8400 or [fd00::1]:8400\n");
    expect_report(INSECURE "advertise: '0.0.0.0:1'}\n",
                  "roost.yaml:1:75: cluster.advertise: found \"0.0.0.0:1\", expected an address "
                  "that others can reach\n");
    expect_report(INSECURE "advertise: '[::1]:1'}\n",
                  "roost.yaml:1:75: cluster.advertise: found \"[::1]:1\", expected an address of "
                  "the family of cluster.bind\n");
    static const char *const wrong[] = {"a b",  "host:0",        "host:65536", "host:1x", "::1",
                                        "[::1", "_srv._udp.x:1", "-x",         "a..b",    ":7000"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[256];

        snprintf(text, sizeof(text), INSECURE "join: ['%s']}\n", wrong[i]);
        struct loaded *loaded = load_text(text);

        assert_int_equal(loaded->report.errors, 1);
        assert_non_null(strstr(loaded->report.text, "cluster.join: found"));
        assert_non_null(strstr(loaded->report.text, wrong[i]));
        unload(loaded);
    }
}

static void test_wrong_keys_are_not_shown(void **state)
{
    (void)state;
    expect_report(INSECURE "keys: [abc]}\n",
                  "roost.yaml:1:70: cluster.keys: found a secret that is not shown as number 1, "
                  "expected 32 bytes as 64 hexadecimal digits or in base64\n");
    expect_report(INSECURE "keys: [" KEY_HEX ", " KEY_BASE64 "]}\n",
                  "roost.yaml:1:70: cluster.keys: number 2 is one too many: the key is in the "
                  "keyring\n");
    struct loaded *loaded = loads(INSECURE "keys: [" KEY_HEX "]}\n");
    char *shown = print_check(loaded);

    assert_non_null(strstr(shown, "cluster.keys: set"));
    assert_null(strstr(shown, "0001020304"));
    free(shown);
    unload(loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_node_is_alone_unless_told),
        cmocka_unit_test(test_a_whole_cluster),
        cmocka_unit_test(test_what_others_reach),
        cmocka_unit_test(test_nobody_gossips_in_clear_by_mistake),
        cmocka_unit_test(test_wrong_addresses_are_named),
        cmocka_unit_test(test_wrong_keys_are_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
