/* SPDX-License-Identifier: Apache-2.0 */
/* How clients come to follow a map: pages of keys, pages of changes, and from then on all. */
#include <stdio.h>

#include "tests/unit/shards/edge_maps.h"

#define SUBSCRIBE(id, body) \
    "{\"id\":" #id ",\"subscribe\":{\"channel\":\"m:c\",\"type\":1," body "}}"

static void refused(struct peer *peer, const char *body, unsigned error)
{
    char wanted[64];
    peer_say(peer, "{\"id\":7,\"subscribe\":{%s}}", body);
    peer_hear_frame(peer, 0x81);
    (void)snprintf(wanted, sizeof(wanted), "{\"id\":7,\"error\":{\"code\":%u,", error);
    if (strncmp(peer->message.at, wanted, strlen(wanted)) != 0) {
        fail_msg("%s: heard %s, wanted error %u", body, peer->message.at, error);
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    maps_open();
    struct peer *peer = maps_client_at(0);
    refused(peer, "\"channel\":\"m:c\"", 103);
    refused(peer, "\"channel\":\"m:c\",\"type\":2,\"phase\":2", 103);
    refused(peer, "\"channel\":\"who:c\",\"type\":1,\"phase\":2", 103);
    refused(peer, "\"channel\":\"seen:c\",\"type\":1,\"phase\":2", 103);
    refused(peer, "\"channel\":\"plain\",\"type\":1,\"phase\":2", 103);
    refused(peer, "\"channel\":\"no:c\",\"type\":1,\"phase\":2", 102);
    refused(peer, "\"channel\":\"m:c\",\"type\":1,\"phase\":3", 107);
    refused(peer, "\"channel\":\"m:c\",\"type\":1,\"phase\":-1", 107);
    refused(peer, "\"channel\":\"m:c\",\"type\":1,\"phase\":2,\"cursor\":\"k\"", 103);
    refused(peer, "\"channel\":\"m:c\",\"type\":1,\"phase\":1", 103);
    refused(peer, "\"channel\":\"e:c\",\"type\":1,\"phase\":1,\"recover\":true", 107);
    refused(peer, "\"channel\":\"m:c\",\"type\":1,\"phase\":1,\"recover\":true", 112);
    refused(peer, "\"channel\":\"m:c\",\"type\":1,\"recover\":true", 112);
    refused(peer, "\"channel\":\"m:c\",\"type\":1,\"recover\":true,\"epoch\":\"other\"", 112);
    refused(peer,
            "\"channel\":\"m:c\",\"type\":1,\"phase\":2,\"tf\":{\"key\":\"a\",\"cmp\":\"no\"}",
            107);
    assert_int_equal(edge_rig_count(&maps, COUNTER_MAP_CATCH_UPS), 0);
    assert_int_equal(edge_rig_count(&maps, COUNTER_NUM_SUBSCRIPTIONS), 0);
    edge_rig_stop(&maps);
}

static void a_small_map_comes_at_once(void **state)
{
    (void)state;
    maps_open();
    for (uint32_t shard = 0; shard < MAPS_SHARDS; shard++) {
        struct peer *peer = maps_client_at(shard);
        struct peer *writer = maps_client_at((shard + 1) % MAPS_SHARDS);
        char channel[8];
        (void)snprintf(channel, sizeof(channel), "m:%u", (unsigned)shard);
        peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"%s\",\"type\":1,\"phase\":2}}",
                 channel);
        maps_hear(peer,
                  "{\"id\":2,\"subscribe\":{\"recoverable\":true,\"epoch\":\"<e>\",\"type\":1}}");
        maps_set(writer, channel, "a", "{\"v\":1}");
        maps_set(writer, channel, "a", "{\"v\":2}");
        maps_set(writer, channel, "b", "[]");
        maps_set(writer, channel, "a", NULL);
        maps_hear(peer,
                  "{\"push\":{\"channel\":\"%s\",\"pub\":{\"data\":{\"v\":1},\"info\":{\"user\":"
                  "\"\",\"client\":\"<id>\"},\"offset\":1,\"key\":\"a\",\"epoch\":\"<e>\"}}}",
                  channel);
        maps_hear(peer,
                  "{\"push\":{\"channel\":\"%s\",\"pub\":{\"data\":{\"v\":2},\"info\":{\"user\":"
                  "\"\",\"client\":\"<id>\"},\"offset\":2,\"key\":\"a\"}}}",
                  channel);
        maps_hear(peer,
                  "{\"push\":{\"channel\":\"%s\",\"pub\":{\"data\":[],\"info\":{\"user\":\"\","
                  "\"client\":\"<id>\"},\"offset\":3,\"key\":\"b\"}}}",
                  channel);
        peer_hear_frame(peer, 0x81);
        assert_non_null(strstr(peer->message.at, "\"offset\":4,\"key\":\"a\",\"removed\":true"));
        assert_null(strstr(peer->message.at, "\"data\""));
        peer_say(writer, "{\"id\":3,\"subscribe\":{\"channel\":\"%s\",\"type\":1,\"phase\":2}}",
                 channel);
        maps_hear(writer,
                  "{\"id\":3,\"subscribe\":{\"recoverable\":true,\"epoch\":\"<e>\",\"offset\":4,"
                  "\"type\":1,\"state\":[{\"data\":[],\"info\":{\"user\":\"\",\"client\":\"<id>\"},"
                  "\"offset\":3,\"key\":\"b\"}]}}");
    }
    edge_rig_stop(&maps);
}

/* Publications of a page, by key and offset, without who set them. */
static void expect_keys(const struct peer *peer, const char *field, const char *wanted)
{
    char found[512] = "";
    char name[32];
    (void)snprintf(name, sizeof(name), "\"%s\":[", field);
    const char *at = strstr(peer->message.at, name);
    const char *end = at == NULL ? NULL : strchr(at, ']');
    while (at != NULL && (at = strstr(at, "\"key\":\"")) != NULL && at < end) {
        char offset[24] = "";
        const char *key = at + strlen("\"key\":\"");
        const char *before = at;
        while (before > peer->message.at && *before != '{' &&
               strncmp(before, "\"offset\":", 9) != 0) {
            before--;
        }
        if (*before == '"') {
            (void)snprintf(offset, sizeof(offset), "=%lu", strtoul(before + 9, NULL, 10));
        }
        (void)snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%.*s%s",
                       found[0] == '\0' ? "" : " ", (int)strcspn(key, "\""), key, offset);
        at = key;
    }
    if (strcmp(found, wanted) != 0) {
        fail_msg("found \"%s\", wanted \"%s\" in %s", found, wanted, peer->message.at);
    }
}

static bool says(const struct peer *peer, const char *text)
{
    return strstr(peer->message.at, text) != NULL;
}

/* What changes between two pages comes with the last, and once. */
static void large_maps_come_in_pages(void **state)
{
    (void)state;
    maps_open();
    struct peer *writer = maps_client_at(1);
    struct peer *peer = maps_client_at(0);
    for (const char *key = "a\0b\0c\0d\0e\0"; *key != '\0'; key += 2) {
        maps_set(writer, "m:c", key, "1");
    }
    peer_say(peer, SUBSCRIBE(2, "\"phase\":2"));
    const char *epoch = maps_hear(peer, "%s",
                                  "{\"id\":2,\"subscribe\":{\"epoch\":\"<e>\","
                                  "\"offset\":5,\"type\":1,\"phase\":2,\"cursor\":\"b\",\"state\":["
                                  "{\"data\":1,\"info\":{\"user\":\"\",\"client\":\"<id>\"},"
                                  "\"offset\":1,\"key\":\"a\",\"epoch\":\"<e>\"},"
                                  "{\"data\":1,\"info\":{\"user\":\"\",\"client\":\"<id>\"},"
                                  "\"offset\":2,\"key\":\"b\"}]}}");
    assert_int_equal(edge_rig_count(&maps, COUNTER_MAP_CATCH_UPS), 1);
    maps_set(writer, "m:c", "d", "2"); /* On the next page, with a later offset. */
    maps_set(writer, "m:c", "a", NULL);
    peer_say(peer, SUBSCRIBE(3, "\"phase\":2,\"cursor\":\"b\",\"offset\":5,\"epoch\":\"%s\""),
             epoch);
    peer_hear_frame(peer, 0x81);
    assert_true(says(peer, "\"offset\":5,\"type\":1,\"phase\":2,\"cursor\":\"d\""));
    expect_keys(peer, "state", "c=3");
    peer_say(peer, SUBSCRIBE(4, "\"phase\":2,\"cursor\":\"d\",\"offset\":5,\"epoch\":\"%s\""),
             epoch);
    peer_hear_frame(peer, 0x81);
    assert_true(says(peer, "\"offset\":7,\"type\":1,") && !says(peer, "\"phase\""));
    assert_false(says(peer, "recovered") || says(peer, "was_recovering"));
    expect_keys(peer, "state", "e=5");
    expect_keys(peer, "publications", "d=6 a=7");
    assert_int_equal(edge_rig_count(&maps, COUNTER_MAP_CATCH_UPS), 0);
    peer_hear_nothing(peer);
    maps_set(writer, "m:c", "e", "3");
    peer_hear_frame(peer, 0x81);
    assert_true(says(peer, "\"offset\":8"));
    edge_rig_stop(&maps);
}

static void sets(struct peer *writer, const char *channel, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        maps_set(writer, channel, "k", "0");
    }
}

/* When much has changed meanwhile, the changes come in pages too. */
static void many_changes_come_in_pages(void **state)
{
    (void)state;
    maps_open();
    struct peer *writer = maps_client_at(1);
    struct peer *peer = maps_client_at(0);
    maps_set(writer, "m:c", "a", "1");
    maps_set(writer, "m:c", "b", "1");
    maps_set(writer, "m:c", "z", "1");
    peer_say(peer, SUBSCRIBE(2, "\"phase\":2"));
    const char *epoch = maps_hear(peer, "{\"id\":2,\"subscribe\":{\"epoch\":\"<e>\",\"offset\":3,"
                                        "\"type\":1,\"phase\":2,\"cursor\":\"b\",\"state\":["
                                        "{\"data\":1,\"info\":{\"user\":\"\",\"client\":\"<id>\"},"
                                        "\"offset\":1,\"key\":\"a\",\"epoch\":\"<e>\"},"
                                        "{\"data\":1,\"info\":{\"user\":\"\",\"client\":\"<id>\"},"
                                        "\"offset\":2,\"key\":\"b\"}]}}");
    sets(writer, "m:c", 5);
    /* The last page, but five changes are more than two. */
    peer_say(peer, SUBSCRIBE(3, "\"phase\":2,\"cursor\":\"b\",\"offset\":3,\"epoch\":\"%s\""),
             epoch);
    peer_hear_frame(peer, 0x81);
    assert_true(says(peer, "\"offset\":3,\"type\":1,\"phase\":2") && !says(peer, "cursor"));
    expect_keys(peer, "state", "z=3");
    peer_say(peer, SUBSCRIBE(4, "\"phase\":1,\"offset\":3,\"epoch\":\"%s\""), epoch);
    peer_hear_frame(peer, 0x81);
    assert_true(says(peer, "\"offset\":5,\"type\":1,\"phase\":1"));
    expect_keys(peer, "publications", "k=4 k=5");
    sets(writer, "m:c", 2); /* Beyond what the stream had when it was first asked for. */
    peer_say(peer, SUBSCRIBE(5, "\"phase\":1,\"offset\":5,\"epoch\":\"%s\""), epoch);
    peer_hear_frame(peer, 0x81);
    assert_true(says(peer, "\"offset\":7,\"type\":1,\"phase\":1"));
    expect_keys(peer, "publications", "k=6 k=7");
    peer_say(peer, SUBSCRIBE(6, "\"phase\":1,\"offset\":7,\"epoch\":\"%s\""), epoch);
    peer_hear_frame(peer, 0x81);
    assert_true(says(peer, "\"offset\":10,\"type\":1") && !says(peer, "phase"));
    assert_false(says(peer, "recovered"));
    expect_keys(peer, "publications", "k=8 k=9 k=10");
    edge_rig_stop(&maps);
}

static void who_comes_back_recovers(void **state)
{
    (void)state;
    maps_open();
    struct peer *writer = maps_client_at(1);
    struct peer *peer = maps_client_at(0);
    maps_set(writer, "m:c", "a", "1");
    peer_say(peer, SUBSCRIBE(2, "\"phase\":2"));
    peer_hear_frame(peer, 0x81);
    char epoch[MAPS_EPOCH_SIZE];
    const char *said = strstr(peer->message.at, "\"epoch\":\"") + strlen("\"epoch\":\"");
    (void)snprintf(epoch, sizeof(epoch), "%.*s", (int)strcspn(said, "\""), said);
    refused(peer, "\"channel\":\"m:c\",\"type\":1,\"phase\":2", 105);
    peer_say(peer, "{\"id\":3,\"unsubscribe\":{\"channel\":\"m:c\"}}");
    peer_hear(peer, "{\"id\":3,\"unsubscribe\":{}}");
    sets(writer, "m:c", 3);
    peer_say(peer,
             SUBSCRIBE(4, "\"phase\":1,\"recover\":true,\"offset\":1,\"limit\":4,"
                          "\"epoch\":\"%s\""),
             epoch);
    peer_hear_frame(peer, 0x81);
    assert_true(says(peer, "\"recoverable\":true") && says(peer, "\"recovered\":true"));
    assert_true(says(peer, "\"was_recovering\":true") && says(peer, "\"offset\":4,\"was"));
    expect_keys(peer, "publications", "k=2 k=3 k=4");
    assert_int_equal(edge_rig_count(&maps, COUNTER_OF(RECOVERS, 1, 1)), 1);
    peer_say(peer, "{\"id\":5,\"unsubscribe\":{\"channel\":\"m:c\"}}");
    peer_hear(peer, "{\"id\":5,\"unsubscribe\":{}}");
    /* Directly, too; nothing was missed. */
    peer_say(peer, SUBSCRIBE(6, "\"recover\":true,\"offset\":4,\"epoch\":\"%s\""), epoch);
    maps_hear(peer, "{\"id\":6,\"subscribe\":{\"recoverable\":true,\"epoch\":\"<e>\","
                    "\"recovered\":true,\"offset\":4,\"was_recovering\":true,\"type\":1}}");
    peer_say(peer, "{\"id\":7,\"unsubscribe\":{\"channel\":\"m:c\"}}");
    peer_hear(peer, "{\"id\":7,\"unsubscribe\":{}}");
    sets(writer, "m:c", 9);
    /* The stream has eight. */
    char body[160];
    (void)snprintf(body, sizeof(body),
                   "\"channel\":\"m:c\",\"type\":1,\"phase\":1,\"recover\":true,\"offset\":4,"
                   "\"epoch\":\"%s\"",
                   epoch);
    refused(peer, body, 112);
    (void)snprintf(body, sizeof(body),
                   "\"channel\":\"m:c\",\"type\":1,\"recover\":true,\"offset\":4,\"epoch\":\"%s\"",
                   epoch);
    refused(peer, body, 112);
    assert_int_equal(edge_rig_count(&maps, COUNTER_MAP_CATCH_UPS), 0);
    assert_int_equal(edge_rig_count(&maps, COUNTER_NUM_SUBSCRIPTIONS), 0);
    edge_rig_stop(&maps);
}

static void one_page_at_a_time(void **state)
{
    (void)state;
    maps_open();
    struct peer *writer = maps_client_at(1);
    struct peer *peer = maps_client_at(0);
    for (const char *key = "a\0b\0c\0"; *key != '\0'; key += 2) {
        maps_set(writer, "m:c", key, "1");
    }
    peer_say(peer, "%s\n%s\n%s", SUBSCRIBE(2, "\"phase\":2"),
             SUBSCRIBE(3, "\"phase\":2,\"cursor\":\"b\""), SUBSCRIBE(4, "\"phase\":2"));
    peer_hear(peer, "{\"id\":3,\"error\":{\"code\":113,\"message\":\"concurrent pagination\","
                    "\"temporary\":true}}");
    peer_hear(peer, "{\"id\":4,\"error\":{\"code\":105,\"message\":\"already subscribed\"}}");
    peer_hear_frame(peer, 0x81);
    assert_true(says(peer, "{\"id\":2,\"subscribe\"") && says(peer, "\"cursor\":\"b\""));
    refused(peer, "\"channel\":\"m:c\",\"type\":1,\"phase\":2", 105);
    /* Who leaves while a page is under way has left. */
    peer_say(peer, "%s\n{\"id\":6,\"unsubscribe\":{\"channel\":\"m:c\"}}\n%s",
             SUBSCRIBE(5, "\"phase\":2,\"cursor\":\"b\""), SUBSCRIBE(7, "\"phase\":2"));
    peer_hear_frame(peer, 0x81);
    assert_true(says(peer, "{\"id\":5,\"subscribe\""));
    peer_hear(peer, "{\"id\":6,\"unsubscribe\":{}}");
    peer_hear_frame(peer, 0x81);
    assert_true(says(peer, "{\"id\":7,\"subscribe\"") && says(peer, "\"cursor\":\"b\""));
    peer_say(peer, "{\"id\":8,\"unsubscribe\":{\"channel\":\"m:c\"}}");
    peer_hear(peer, "{\"id\":8,\"unsubscribe\":{}}");
    assert_int_equal(edge_rig_count(&maps, COUNTER_MAP_CATCH_UPS), 0);
    refused(peer, "\"channel\":\"m:c\",\"type\":1,\"phase\":2,\"cursor\":\"b\"", 103);
    edge_rig_stop(&maps);
}

static void catching_up_ends_in_time(void **state)
{
    (void)state;
    (void)maps_init();
    maps.options.client.channel_limit = 2;
    edge_rig_start(&maps);
    struct peer *writer = maps_client_at(1);
    struct peer *peer = maps_client_at(0);
    for (const char *key = "a\0b\0c\0"; *key != '\0'; key += 2) {
        maps_set(writer, "m:c", key, "1");
        maps_set(writer, "m:d", key, "1");
    }
    peer_say(peer, SUBSCRIBE(2, "\"phase\":2"));
    peer_hear_frame(peer, 0x81);
    peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"m:d\",\"type\":1,\"phase\":2}}");
    peer_hear_frame(peer, 0x81);
    /* They count. */
    refused(peer, "\"channel\":\"plain\"", 106);
    refused(peer, "\"channel\":\"m:x\",\"type\":1,\"phase\":2", 106);
    edge_rig_advance(&maps, 5001);
    assert_int_equal(edge_rig_count(&maps, COUNTER_MAP_CATCH_UPS), 2);
    peer_subscribe(peer, "plain");
    assert_int_equal(edge_rig_count(&maps, COUNTER_MAP_CATCH_UPS), 0);
    peer_say(peer, SUBSCRIBE(5, "\"phase\":2"));
    peer_hear_frame(peer, 0x81);
    edge_rig_advance(&maps, 5001);
    peer_say(peer, SUBSCRIBE(6, "\"phase\":2,\"cursor\":\"b\""));
    peer_hear_close(peer, 3008, "slow");
    assert_int_equal(edge_rig_count(&maps, COUNTER_MAP_CATCH_UPS_LATE), 3);
    assert_int_equal(edge_rig_count(&maps, COUNTER_MAP_CATCH_UPS), 0);
    edge_rig_stop(&maps);
}

/* Without a stream clients know no offsets, and miss nothing all the same. */
static void maps_without_a_stream_have_no_positions(void **state)
{
    (void)state;
    (void)maps_init();
    maps.options.client.ping_interval_ms = 0;
    edge_rig_start(&maps);
    struct peer *writer = maps_client_at(1);
    struct peer *peer = maps_client_at(0);
    for (const char *key = "a\0b\0c\0d\0"; *key != '\0'; key += 2) {
        maps_set(writer, "e:c", key, "1");
    }
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"e:c\",\"type\":1,\"phase\":2}}");
    maps_hear(peer, "{\"id\":2,\"subscribe\":{\"epoch\":\"<e>\",\"type\":1,\"phase\":2,\"cursor\":"
                    "\"b\",\"state\":["
                    "{\"data\":1,\"info\":{\"user\":\"\",\"client\":\"<id>\"},\"key\":\"a\"},"
                    "{\"data\":1,\"info\":{\"user\":\"\",\"client\":\"<id>\"},\"key\":\"b\"}]}}");
    maps_set(writer, "e:c", "a", "2");
    maps_set(writer, "e:c", "b", NULL);
    maps_set(writer, "e:c", "d", "2");
    peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"e:c\",\"type\":1,\"phase\":2,"
                   "\"cursor\":\"b\"}}");
    peer_hear_frame(peer, 0x81);
    assert_false(says(peer, "phase") || says(peer, "offset"));
    assert_false(says(peer, "recoverable"));
    expect_keys(peer, "state", "c");
    assert_true(says(peer, "\"data\":2,\"info\":{\"user\":\"\",\"client\":"));
    assert_true(says(peer, "\"key\":\"b\",\"removed\":true"));
    expect_keys(peer, "publications", "a b d");
    maps_set(writer, "e:c", "z", "3");
    peer_hear(peer, "{\"push\":{\"channel\":\"e:c\",\"pub\":{\"data\":3,\"info\":{\"user\":\"\","
                    "\"client\":\"<id>\"},\"key\":\"z\"}}}");
    /* Its keys expire. */
    edge_rig_advance(&maps, 62 * 1000);
    unsigned gone = 0;
    while (peer_has_news(peer)) {
        peer_hear_frame(peer, 0x81);
        gone += says(peer, "\"removed\":true") ? 1 : 0;
    }
    assert_int_equal(gone, 4);
    edge_rig_stop(&maps);
}

static void filters_hold_for_all_of_it(void **state)
{
    (void)state;
    maps_open();
    struct peer *peer = maps_client_at(0);
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"m:c\",\"type\":1,\"phase\":2,"
                   "\"tf\":{\"key\":\"team\",\"cmp\":\"eq\",\"val\":\"x\"}}}");
    peer_hear_frame(peer, 0x81);
    assert_int_equal(edge_rig_count(&maps, COUNTER_TAGS_FILTER_BYTES) > 0, 1);
    struct peer *writer = maps_client_at(1);
    maps_set(writer, "m:c", "a", "1"); /* It has no tags. */
    peer_hear_nothing(peer);
    peer_close(peer);
    edge_rig_settle(&maps);
    assert_int_equal(edge_rig_count(&maps, COUNTER_TAGS_FILTER_BYTES), 0);
    peer = maps_client_at(2);
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"m:c\",\"type\":1,\"phase\":2,"
                   "\"tf\":{\"op\":\"not\",\"nodes\":[{\"key\":\"team\",\"cmp\":\"ex\"}]}}}");
    peer_hear_frame(peer, 0x81);
    expect_keys(peer, "state", "a=1");
    maps_set(writer, "m:c", "a", "2");
    peer_hear_frame(peer, 0x81);
    edge_rig_stop(&maps);
}

static void clients_are_told_to_leave_time(void **state)
{
    (void)state;
    maps_init().kept->client_publish_debounce_interval_ms = 50;
    edge_rig_start(&maps);
    struct peer *peer = maps_client_at(0);
    peer_say(peer, SUBSCRIBE(2, "\"phase\":2"));
    maps_hear(peer, "{\"id\":2,\"subscribe\":{\"recoverable\":true,\"epoch\":\"<e>\",\"type\":1,"
                    "\"publish_debounce\":50}}");
    edge_rig_stop(&maps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(a_small_map_comes_at_once),
        cmocka_unit_test(large_maps_come_in_pages),
        cmocka_unit_test(many_changes_come_in_pages),
        cmocka_unit_test(who_comes_back_recovers),
        cmocka_unit_test(one_page_at_a_time),
        cmocka_unit_test(catching_up_ends_in_time),
        cmocka_unit_test(maps_without_a_stream_have_no_positions),
        cmocka_unit_test(filters_hold_for_all_of_it),
        cmocka_unit_test(clients_are_told_to_leave_time),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
