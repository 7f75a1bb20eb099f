/* SPDX-License-Identifier: Apache-2.0 */
/* Positions and recovery as clients see them, in both modes, and while publications are on their
 * way.
 */
#include <stdio.h>

#include "runtime/pool.h"
#include "shards/channel/push_frame.h"
#include "shards/limits.h"
#include "shards/messages.h"
#include "tests/unit/shards/edge_streams.h"

/* ---- positions and recovery ---- */

/* From every shard, to a home on every shard. */
static void who_comes_back_gets_what_it_missed(void **state)
{
    (void)state;
    streams_open(0);
    for (unsigned i = 0; i < 12; i++) {
        char channel[NAME_SIZE];
        char epoch[EPOCH_SIZE];
        (void)snprintf(channel, sizeof(channel), "r:%u", i);
        struct peer *peer = client_at(i % SHARDS);
        (void)snprintf(epoch, sizeof(epoch), "%s", follows(peer, channel, 0));
        assert_int_equal(publish(channel, 71), 1);
        peer_hear(peer,
                  "{\"push\":{\"channel\":\"%s\",\"pub\":{\"data\":71,\"offset\":1,\"epoch\":\"%"
                  "s\"}}}",
                  channel, epoch);
        assert_int_equal(publish(channel, 72), 2);
        peer_hear(peer, "{\"push\":{\"channel\":\"%s\",\"pub\":{\"data\":72,\"offset\":2}}}",
                  channel);
        peer_reset(peer);
        /* Also while nobody is subscribed. */
        publish(channel, 73);
        publish(channel, 74);
        struct peer *again = client_at((i + 1) % SHARDS);
        recovers(again, channel, 2, epoch);
        peer_hear(again,
                  "{\"id\":3,\"subscribe\":{\"recoverable\":true,\"epoch\":\"%s\","
                  "\"publications\":[{\"data\":73,\"offset\":3},{\"data\":74,\"offset\":4}],"
                  "\"recovered\":true,\"offset\":2,\"positioned\":true,\"was_recovering\":true}}",
                  epoch);
        publish(channel, 75);
        peer_hear(again, "{\"push\":{\"channel\":\"%s\",\"pub\":{\"data\":75,\"offset\":5}}}",
                  channel);
        /* One who missed nothing is answered by the shard itself, and gets what comes next. */
        struct peer *third = client_at((i + 1) % SHARDS);
        recovers(third, channel, 5, epoch);
        peer_hear(third,
                  "{\"id\":3,\"subscribe\":{\"recoverable\":true,\"epoch\":\"%s\","
                  "\"recovered\":true,\"offset\":5,\"positioned\":true,\"was_recovering\":true}}",
                  epoch);
        publish(channel, 76);
        peer_hear(third, "{\"push\":{\"channel\":\"%s\",\"pub\":{\"data\":76,\"offset\":6}}}",
                  channel);
        peer_hear_frame(again, 0x81);
        peer_close(again);
        peer_close(third);
    }
    assert_int_equal(edge_rig_count(&streams, COUNTER_OF(RECOVERS, 1, 1)), 12);
    assert_int_equal(edge_rig_count(&streams, COUNTER_OF(RECOVERS, 1, 0)), 12);
    assert_int_equal(edge_rig_count(&streams, COUNTER_OF(RECOVERS, 0, 0)), 0);
    edge_rig_stop(&streams);
}

static void who_cannot_recover_is_told(void **state)
{
    (void)state;
    streams_open(0);
    char epoch[EPOCH_SIZE];
    struct peer *watch = client_at(0);
    (void)snprintf(epoch, sizeof(epoch), "%s", follows(watch, "r:c", 0));
    for (unsigned i = 1; i <= 15; i++) {
        publish("r:c", i);
    }
    static const struct {
        uint64_t offset;
        bool is_foreign;
    } cases[] = {{4, false}, {0, false}, {16, false}, {8, false}, {15, true}, {14, true}};
    for (unsigned shard = 0; shard < 2; shard++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct peer *peer = client_at(shard);
            recovers(peer, "r:c", cases[i].offset, cases[i].is_foreign ? "abcd" : epoch);
            peer_hear(peer,
                      "{\"id\":3,\"subscribe\":{\"recoverable\":true,\"epoch\":\"%s\","
                      "\"offset\":15,\"positioned\":true,\"was_recovering\":true}}",
                      epoch);
            peer_close(peer);
            /* With the flag, an error instead, and no subscription. */
            peer = client_at(shard);
            peer_say(peer,
                     "{\"id\":3,\"subscribe\":{\"channel\":\"r:c\",\"recover\":true,\"offset\":%u,"
                     "\"epoch\":\"%s\",\"flag\":3}}",
                     (unsigned)cases[i].offset, cases[i].is_foreign ? "abcd" : epoch);
            peer_hear(peer, "{\"id\":3,\"error\":{\"code\":112,"
                            "\"message\":\"unrecoverable position\"}}");
            follows(peer, "r:c", 15);
            peer_close(peer);
        }
    }
    /* An empty epoch is whichever it is. */
    struct peer *peer = client_at(1);
    recovers(peer, "r:c", 14, "");
    peer_hear(peer,
              "{\"id\":3,\"subscribe\":{\"recoverable\":true,\"epoch\":\"%s\","
              "\"publications\":[{\"data\":15,\"offset\":15}],\"recovered\":true,\"offset\":14,"
              "\"positioned\":true,\"was_recovering\":true}}",
              epoch);
    assert_int_equal(edge_rig_count(&streams, COUNTER_OF(RECOVERS, 0, 0)), 24);
    edge_rig_stop(&streams);
}

/* A rejected one was never there for others. */
static void a_rejected_subscriber_leaves_no_trace(void **state)
{
    (void)state;
    streams_open(0);
    struct peer *watch = client_at(0);
    follows(watch, "shown:c", 0);
    peer_hear_frame(watch, 0x81); /* Its own join. */
    struct peer *peer = client_at(1);
    peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"shown:c\",\"recover\":true,"
                   "\"offset\":9,\"flag\":2}}");
    peer_hear(peer, "{\"id\":3,\"error\":{\"code\":112,\"message\":\"unrecoverable position\"}}");
    peer_hear_nothing(watch);
    call("presence_stats", "{\"channel\":\"shown:c\"}",
         "{\"result\":{\"num_clients\":1,\"num_users\":1}}", "");
    publish("shown:c", 1);
    peer_hear_frame(watch, 0x81);
    peer_hear_nothing(peer);
    edge_rig_stop(&streams);
}

/* What is asked for and not granted. */
static void options_decide_what_is_switched_on(void **state)
{
    (void)state;
    streams_open(0);
    struct peer *peer = client_at(0);
    streams.options.client.insecure = false;
    streams.namespaces[5].allow_subscribe_for_client = true;
    streams.namespaces[5].allow_subscribe_for_anonymous = true;
    static const char ask[] = "{\"id\":2,\"subscribe\":{\"channel\":\"kept:a\",\"positioned\":true,"
                              "\"recoverable\":true,\"recover\":true}}\n"
                              "{\"id\":3,\"unsubscribe\":{\"channel\":\"kept:a\"}}";
    peer_say(peer, "%s", ask);
    peer_hear(peer, "{\"id\":2,\"subscribe\":{\"was_recovering\":true}}");
    peer_hear(peer, "{\"id\":3,\"unsubscribe\":{}}");
    streams.namespaces[5].allow_positioning = true;
    peer_say(peer, "%s", ask);
    peer_hear_frame(peer, 0x81);
    assert_non_null(strstr(peer->message.at, "\"positioned\":true,\"was_recovering\":true}}"));
    assert_null(strstr(peer->message.at, "recoverable"));
    peer_hear_frame(peer, 0x81);
    streams.namespaces[5].allow_recovery = true;
    peer_say(peer, "%s", ask);
    peer_hear_frame(peer, 0x81);
    assert_non_null(strstr(peer->message.at, "\"recoverable\":true"));
    assert_non_null(strstr(peer->message.at, "\"recovered\":true"));
    peer_hear_frame(peer, 0x81);
    /* Who may read the history may recover. */
    streams.namespaces[5].allow_recovery = false;
    streams.namespaces[5].allow_positioning = false;
    streams.namespaces[5].allow_history_for_subscriber = true;
    streams.namespaces[5].allow_history_for_anonymous = true;
    peer_say(peer, "%s", ask);
    peer_hear_frame(peer, 0x81);
    assert_non_null(strstr(peer->message.at, "\"recoverable\":true"));
    edge_rig_stop(&streams);
}

static void positioned_alone_is_not_recovered(void **state)
{
    (void)state;
    streams_open(0);
    struct peer *peer = client_at(0);
    publish("p:c", 1);
    publish("p:c", 2);
    recovers(peer, "p:c", 1, "");
    peer_hear_frame(peer, 0x81);
    char wanted[256];
    (void)snprintf(wanted, sizeof(wanted),
                   "{\"id\":3,\"subscribe\":{\"epoch\":\"%s\",\"offset\":2,\"positioned\":true,"
                   "\"was_recovering\":true}}",
                   epoch_in(peer));
    assert_string_equal(peer->message.at, wanted);
    edge_rig_stop(&streams);
}

static void a_cache_gives_the_newest(void **state)
{
    (void)state;
    streams_open(0);
    char epoch[EPOCH_SIZE];
    struct peer *first = client_at(0);
    (void)snprintf(epoch, sizeof(epoch), "%s", follows(first, "cache:c", 0));
    publish("cache:c", 1);
    publish("cache:c", 2);
    struct peer *peer = client_at(0);
    peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"cache:c\",\"recover\":true}}");
    peer_hear(peer,
              "{\"id\":3,\"subscribe\":{\"recoverable\":true,\"epoch\":\"%s\","
              "\"publications\":[{\"data\":2,\"offset\":2}],\"recovered\":true,"
              "\"positioned\":true,\"was_recovering\":true}}",
              epoch);
    peer_close(peer);
    /* It has it already. */
    for (uint32_t shard = 0; shard < 2; shard++) {
        peer = client_at(shard);
        recovers(peer, "cache:c", 2, epoch);
        peer_hear(peer,
                  "{\"id\":3,\"subscribe\":{\"recoverable\":true,\"epoch\":\"%s\","
                  "\"recovered\":true,\"offset\":2,\"positioned\":true,\"was_recovering\":true}}",
                  epoch);
        peer_close(peer);
    }
    /* Nobody has to ask where it is automatic. */
    publish("auto:c", 5);
    peer = client_at(1);
    peer_say(peer, "{\"id\":3,\"subscribe\":{\"channel\":\"auto:c\"}}");
    peer_hear_frame(peer, 0x81);
    assert_non_null(
        strstr(peer->message.at, "\"publications\":[{\"data\":5,\"offset\":1,\"epoch\":\""));
    assert_non_null(strstr(peer->message.at, "\"}],\"recovered\":true,\"positioned\":true,"
                                             "\"was_recovering\":true}}"));
    edge_rig_stop(&streams);
}

/* ---- races ---- */

/* Numbers behind each `"offset":` of what a peer hears, which must be first, first + 1, ..; returns
 * the next. Offsets of the result itself stand behind `recovered` and are no publication's. */
static uint64_t count_offsets(struct peer *peer, uint64_t first)
{
    while (peer_has_news(peer)) {
        peer_hear_frame(peer, 0x81);
        const char *at = peer->message.at;
        assert_null(strstr(at, "error"));
        assert_null(strstr(at, "unsubscribe"));
        const char *end = strstr(at, "\"recovered\":true");
        if (strstr(at, "\"subscribe\"") != NULL) {
            assert_non_null(end);
        }
        while ((at = strstr(at, "\"offset\":")) != NULL && (end == NULL || at < end)) {
            at += strlen("\"offset\":");
            assert_int_equal(strtoull(at, NULL, 10), first);
            first++;
        }
    }
    return first;
}

static void put_json(struct peer *peer, const char *text)
{
    peer_put_frame(peer, 0x81, text, strlen(text));
}

/* Publishers on every shard say what they have to at the same time as two clients come back, one of
 * them where the channel is followed already. */
static void publications_on_the_way_are_neither_lost_nor_doubled(void **state)
{
    (void)state;
    streams_open(0);
    struct peer *publishers[SHARDS];
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        publishers[shard] = client_at(shard);
    }
    for (unsigned i = 0; i < 96; i++) {
        char name[NAME_SIZE];
        char text[256];
        char epoch[EPOCH_SIZE];
        (void)snprintf(name, sizeof(name), "r:%u", i % 8);
        struct peer *follower = client_at(0);
        recovers(follower, name, 0, "");
        peer_hear_frame(follower, 0x81);
        (void)snprintf(epoch, sizeof(epoch), "%s", epoch_in(follower));
        const uint64_t before = publish(name, 7);
        peer_hear_frame(follower, 0x81);
        struct peer *peers[] = {client_at(0), client_at(1 + i % 3)};
        for (unsigned step = 0; step < 5; step++) {
            if (step == i % 5) {
                (void)snprintf(text, sizeof(text),
                               "{\"id\":3,\"subscribe\":{\"channel\":\"%s\",\"recover\":true,"
                               "\"offset\":%llu,\"epoch\":\"%s\"}}",
                               name, (unsigned long long)before, epoch);
                put_json(peers[0], text);
                put_json(peers[1], text);
            }
            (void)snprintf(text, sizeof(text),
                           "{\"id\":4,\"publish\":{\"channel\":\"%s\",\"data\":1}}", name);
            put_json(publishers[(i + step) % SHARDS], text);
            if (i % 4 == step) {
                edge_rig_settle(&streams);
            }
        }
        edge_rig_settle(&streams);
        assert_int_equal(count_offsets(follower, before + 1), before + 6);
        for (size_t p = 0; p < 2; p++) {
            assert_int_equal(count_offsets(peers[p], before + 1), before + 6);
            peer_close(peers[p]);
        }
        peer_close(follower);
        for (uint32_t shard = 0; shard < SHARDS; shard++) {
            while (peer_has_news(publishers[shard])) {
                peer_hear_frame(publishers[shard], 0x81);
            }
        }
    }
    edge_rig_stop(&streams);
}

/* A publication whose offset is not the next one: some were lost on the way. */
static void a_gap_in_the_offsets_is_insufficient_state(void **state)
{
    (void)state;
    streams_open(0);
    struct peer *peer = client_at(0);
    follows(peer, "r:c", 0);
    const struct client_push push = {.kind = CLIENT_PUSH_PUBLICATION,
                                     .channel = SPAN_LITERAL("r:c"),
                                     .publication = {.data = SPAN_LITERAL("7"), .offset = 2}};
    struct message_publication body = {.sequence = 1, .offset = 2, .kind = PUBLICATION_DATA};
    body.frames = push_frames_make(&push, CLIENT_PROTOCOL_BIT(CLIENT_JSON), &body.protobuf_at);
    assert_non_null(body.frames);
    struct pool *pool = pool_create(8, CHANNELS_A_SHARD_MAX);
    uint32_t handle;
    assert_non_null(pool_take(pool, &handle)); /* All pools begin with the same handle. */
    pool_destroy(pool);
    struct shard *home = sim_shard(streams.sim, streams.number, 1);
    assert_true(message_send_publication(home->mailbox, 0, handle, &body));
    poller_wake(home->poller);
    edge_rig_settle(&streams);
    peer_hear(peer, "{\"push\":{\"channel\":\"r:c\",\"unsubscribe\":{\"code\":2500,"
                    "\"reason\":\"insufficient state\"}}}");
    /* It comes back, and gets all there is. */
    publish("r:c", 1);
    recovers(peer, "r:c", 0, "");
    peer_hear_frame(peer, 0x81);
    assert_non_null(
        strstr(peer->message.at, "\"publications\":[{\"data\":1,\"offset\":1,\"epoch\":\""));
    edge_rig_stop(&streams);
}

/* What is too much for a client's queue is not sent, and the client is told; it must not be thrown
 * out as slow, or it would come back for the same. */
static void too_much_to_recover_is_told_not_sent(void **state)
{
    (void)state;
    streams_open(2048);
    struct peer *follower = client_at(0);
    follows(follower, "r:c", 0);
    char body[1024];
    (void)snprintf(body, sizeof(body), "{\"channel\":\"r:c\",\"data\":\"%0700d\"}", 0);
    for (int i = 0; i < 3; i++) {
        struct peer *peer = peer_open(&streams);
        char head[256];
        (void)snprintf(head, sizeof(head),
                       "POST /api/publish HTTP/1.1\r\nHost: rig\r\nX-API-Key: key\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       strlen(body));
        peer_put_text(peer, head);
        peer_send(peer, body);
        peer_hear_response(peer, 200, NULL);
        peer_close(peer);
    }
    struct peer *peer = client_at(1);
    for (unsigned since = 0; since <= 2; since++) {
        peer_say(peer,
                 "{\"id\":3,\"subscribe\":{\"channel\":\"r:c\",\"recover\":true,\"offset\":%u}}\n"
                 "{\"id\":4,\"unsubscribe\":{\"channel\":\"r:c\"}}",
                 since);
        peer_hear_frame(peer, 0x81);
        assert_int_equal(strstr(peer->message.at, "\"recovered\":true") != NULL, since == 2);
        peer_hear(peer, "{\"id\":4,\"unsubscribe\":{}}");
    }
    peer_hear_nothing(peer);
    edge_rig_stop(&streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_back_gets_what_it_missed),
        cmocka_unit_test(who_cannot_recover_is_told),
        cmocka_unit_test(a_rejected_subscriber_leaves_no_trace),
        cmocka_unit_test(options_decide_what_is_switched_on),
        cmocka_unit_test(positioned_alone_is_not_recovered),
        cmocka_unit_test(a_cache_gives_the_newest),
        cmocka_unit_test(publications_on_the_way_are_neither_lost_nor_doubled),
        cmocka_unit_test(a_gap_in_the_offsets_is_insufficient_state),
        cmocka_unit_test(too_much_to_recover_is_told_not_sent),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
