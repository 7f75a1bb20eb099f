/* SPDX-License-Identifier: Apache-2.0 */
/* Subscribers with a tags filter: live, in recovery, and beside others. */
#include <stdio.h>

#include "tests/unit/shards/edge_streams.h"

#define IS_RED "{\"key\":\"colour\",\"cmp\":\"eq\",\"val\":\"red\"}"

static void publish_tagged(const char *channel, unsigned number, const char *colour)
{
    char body[256];
    char answer[32];
    (void)snprintf(body, sizeof(body),
                   "{\"channel\":\"%s\",\"data\":%u,\"tags\":{\"size\":\"%u\",\"colour\":\"%s\"}}",
                   channel, number, number, colour);
    (void)snprintf(answer, sizeof(answer), "{\"result\":{\"offset\":");
    struct peer *peer = peer_open(&streams);
    char head[256];
    (void)snprintf(head, sizeof(head),
                   "POST /api/publish HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   strlen(body));
    peer_put_text(peer, head);
    peer_send(peer, body);
    peer_hear_response(peer, 200, NULL);
    assert_int_equal(strncmp(peer->message.at, answer, strlen(answer)), 0);
    peer_close(peer);
}

static void hears_tagged(struct peer *peer, const char *channel, unsigned number,
                         const char *colour, unsigned offset)
{
    peer_hear(peer,
              "{\"push\":{\"channel\":\"%s\",\"pub\":{\"data\":%u,\"offset\":%u,"
              "\"tags\":{\"size\":\"%u\",\"colour\":\"%s\"}}}}",
              channel, number, offset, number, colour);
}

/* ---- tests ---- */

static void a_filter_must_be_allowed_and_well_formed(void **state)
{
    (void)state;
    streams_open(0);
    struct peer *peer = client_at(0);
    static const struct {
        const char *channel;
        const char *filter;
    } refused[] = {
        {"kept:c", IS_RED},
        {"r:c", "{\"cmp\":\"eq\",\"val\":\"red\"}"},
        {"r:c", "{\"key\":\"colour\",\"cmp\":\"like\",\"val\":\"red\"}"},
        {"r:c", "{\"op\":\"not\",\"nodes\":[]}"},
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"%s\",\"tf\":%s}}",
                 refused[i].channel, refused[i].filter);
        peer_hear(peer, "{\"id\":2,\"error\":{\"code\":107,\"message\":\"bad request\"}}");
    }
    /* Well formed, but more than one client may have. */
    char long_value[20000];
    memset(long_value, 'x', sizeof(long_value));
    peer_say(peer,
             "{\"id\":2,\"subscribe\":{\"channel\":\"r:c\",\"tf\":{\"key\":\"colour\","
             "\"cmp\":\"eq\",\"val\":\"%.*s\"}}}",
             (int)sizeof(long_value), long_value);
    peer_hear(peer, "{\"id\":2,\"error\":{\"code\":107,\"message\":\"bad request\"}}");
    assert_int_equal(edge_rig_count(&streams, COUNTER_TAGS_FILTER_BYTES), 0);
    peer_close(peer);
    edge_rig_stop(&streams);
}

static void it_holds_back_and_the_offset_goes_on(void **state)
{
    (void)state;
    streams_open(0);
    for (unsigned shard = 0; shard < 2; shard++) {
        const char *channel = shard == 0 ? "r:a" : "r:b";
        char epoch[EPOCH_SIZE];
        struct peer *all = client_at(shard);
        struct peer *red = client_at(shard);
        struct peer *large = client_at(shard);
        (void)follows(all, channel, 0);
        peer_say(red, "{\"id\":2,\"subscribe\":{\"channel\":\"%s\",\"tf\":%s}}", channel, IS_RED);
        peer_hear_frame(red, 0x81);
        (void)snprintf(epoch, sizeof(epoch), "%s", epoch_in(red));
        peer_say(large,
                 "{\"id\":2,\"subscribe\":{\"channel\":\"%s\",\"tf\":{\"key\":\"size\","
                 "\"cmp\":\"gte\",\"val\":\"3\"}}}",
                 channel);
        peer_hear_frame(large, 0x81);
        publish(channel, 1);
        peer_hear_frame(all, 0x81);
        for (unsigned i = 2; i <= 5; i++) {
            const char *colour = i % 2 == 0 ? "red" : "blue";
            publish_tagged(channel, i, colour);
            hears_tagged(all, channel, i, colour, i);
            if (i % 2 == 0) {
                hears_tagged(red, channel, i, colour, i);
            }
            if (i >= 3) {
                hears_tagged(large, channel, i, colour, i);
            }
        }
        peer_hear_nothing(red);
        peer_hear_nothing(large);
        /* 1, 3, 5 for one, 1 and 2 for the other. */
        assert_int_equal(edge_rig_count(&streams, COUNTER_TAGS_FILTER_DROPPED), 5 * (shard + 1));
        /* And what was missed meanwhile. */
        peer_reset(red);
        publish_tagged(channel, 6, "blue");
        publish_tagged(channel, 7, "red");
        struct peer *back = client_at(2);
        peer_say(back,
                 "{\"id\":3,\"subscribe\":{\"channel\":\"%s\",\"recover\":true,\"offset\":4,"
                 "\"epoch\":\"%s\",\"tf\":%s}}",
                 channel, epoch, IS_RED);
        peer_hear(back,
                  "{\"id\":3,\"subscribe\":{\"recoverable\":true,\"epoch\":\"%s\","
                  "\"publications\":[{\"data\":7,\"offset\":7,\"tags\":{\"size\":\"7\","
                  "\"colour\":\"red\"}}],\"recovered\":true,\"offset\":4,\"positioned\":true,"
                  "\"was_recovering\":true}}",
                  epoch);
        publish_tagged(channel, 8, "red");
        hears_tagged(back, channel, 8, "red", 8);
        peer_close(back);
        peer_close(all);
        peer_close(large);
    }
    edge_rig_stop(&streams);
}

static void equal_filters_are_one(void **state)
{
    (void)state;
    streams_open(0);
    struct peer *peers[4];
    uint64_t one = 0;
    for (unsigned i = 0; i < 4; i++) {
        peers[i] = client_at(1);
        peer_say(peers[i], "{\"id\":2,\"subscribe\":{\"channel\":\"r:%u\",\"tf\":%s}}", i % 2,
                 IS_RED);
        peer_hear_frame(peers[i], 0x81);
        one = i == 0 ? edge_rig_count(&streams, COUNTER_TAGS_FILTER_BYTES) : one;
    }
    assert_true(one > 0);
    assert_int_equal(edge_rig_count(&streams, COUNTER_TAGS_FILTER_BYTES), one);
    peer_say(peers[0], "{\"id\":3,\"unsubscribe\":{\"channel\":\"r:0\"}}");
    peer_hear(peers[0], "{\"id\":3,\"unsubscribe\":{}}");
    for (unsigned i = 0; i < 4; i++) {
        peer_close(peers[i]);
    }
    assert_int_equal(edge_rig_count(&streams, COUNTER_TAGS_FILTER_BYTES), 0);
    edge_rig_stop(&streams);
}

/* In cache mode the newest that passes. */
static void the_newest_that_passes(void **state)
{
    (void)state;
    streams_open(0);
    char epoch[EPOCH_SIZE];
    struct peer *peer = client_at(3);
    publish_tagged("cache:c", 1, "red");
    publish_tagged("cache:c", 2, "red");
    publish_tagged("cache:c", 3, "blue");
    (void)snprintf(epoch, sizeof(epoch), "%s", follows(client_at(0), "cache:c", 3));
    peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"cache:c\",\"recover\":true,\"tf\":%s}}",
             IS_RED);
    peer_hear(peer,
              "{\"id\":3,\"subscribe\":{\"recoverable\":true,\"epoch\":\"%s\","
              "\"publications\":[{\"data\":2,\"offset\":2,\"tags\":{\"size\":\"2\","
              "\"colour\":\"red\"}}],\"recovered\":true,\"positioned\":true,"
              "\"was_recovering\":true}}",
              epoch);
    struct peer *green = client_at(3);
    peer_say(green, "{\"id\":3,\"subscribe\":{\"channel\":\"cache:c\",\"recover\":true,"
                    "\"tf\":{\"key\":\"colour\",\"cmp\":\"eq\",\"val\":\"green\"}}}");
    peer_hear(green,
              "{\"id\":3,\"subscribe\":{\"recoverable\":true,\"epoch\":\"%s\",\"recovered\":true,"
              "\"positioned\":true,\"was_recovering\":true}}",
              epoch);
    edge_rig_stop(&streams);
}

/* Who was not told a publication cannot be told the difference to it. */
static void what_was_held_back_is_no_base(void **state)
{
    (void)state;
    streams_open(0);
    struct peer *peer = client_at(1);
    peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"d:c\",\"delta\":\"fossil\",\"tf\":%s}}",
             IS_RED);
    peer_hear_frame(peer, 0x81);
    static const char *const colours[] = {"red", "red", "blue", "red", "red"};
    static const bool is_delta[] = {false, true, false, false, true};
    for (unsigned i = 0; i < 5; i++) {
        char body[256];
        char head[256];
        (void)snprintf(body, sizeof(body),
                       "{\"channel\":\"d:c\",\"data\":\"most of this payload stays as it is %u\","
                       "\"delta\":true,\"tags\":{\"colour\":\"%s\"}}",
                       i, colours[i]);
        (void)snprintf(head, sizeof(head),
                       "POST /api/publish HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       strlen(body));
        struct peer *publisher = peer_open(&streams);
        peer_put_text(publisher, head);
        peer_send(publisher, body);
        peer_hear_response(publisher, 200, NULL);
        peer_close(publisher);
        if (i != 2) {
            peer_hear_frame(peer, 0x81);
            assert_int_equal(strstr(peer->message.at, "\"delta\":true") != NULL, is_delta[i]);
        }
    }
    peer_hear_nothing(peer);
    edge_rig_stop(&streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filter_must_be_allowed_and_well_formed),
        cmocka_unit_test(it_holds_back_and_the_offset_goes_on),
        cmocka_unit_test(equal_filters_are_one),
        cmocka_unit_test(the_newest_that_passes),
        cmocka_unit_test(what_was_held_back_is_no_base),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
