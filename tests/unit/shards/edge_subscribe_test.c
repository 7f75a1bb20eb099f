/* SPDX-License-Identifier: Apache-2.0 */
/* Subscribing, unsubscribing and leaving while answers are under way; presence, join and leave. */
#include <stdio.h>

#include "runtime/pool.h"
#include "shards/channel/push_frame.h"
#include "shards/limits.h"
#include "shards/messages.h"
#include "tests/unit/shards/edge_rig.h"

enum { SHARDS = 4, NAME_SIZE = 24 };

static void open_rig(struct edge_rig *rig, bool has_presence)
{
    edge_rig_init(rig, SHARDS);
    rig->options.without_namespace.presence = has_presence;
    rig->options.without_namespace.join_leave = has_presence;
    edge_rig_start(rig);
}

/* A name whose home is far from, or on, the shard: all are tried. */
static void name_of(char name[NAME_SIZE], int i)
{
    (void)snprintf(name, NAME_SIZE, "channel%d", i);
}

/* ---- one after the other, in one frame ---- */

static void one_frame_may_subscribe_and_unsubscribe_again_and_again(void **state)
{
    (void)state;
    for (int has_presence = 0; has_presence < 2; has_presence++) {
        static struct edge_rig rig;
        open_rig(&rig, has_presence != 0);
        for (int i = 0; i < 12; i++) {
            char name[NAME_SIZE];
            name_of(name, i);
            struct peer *peer = peer_open(&rig);
            struct peer *other = peer_open(&rig);
            peer_connect(peer);
            peer_connect(other);
            if (i % 2 == 0) {
                peer_subscribe(other, name);
            }
            peer_say(peer,
                     "{\"id\":2,\"subscribe\":{\"channel\":\"%s\"}}\n"
                     "{\"id\":3,\"unsubscribe\":{\"channel\":\"%s\"}}\n"
                     "{\"id\":4,\"subscribe\":{\"channel\":\"%s\"}}\n"
                     "{\"id\":5,\"unsubscribe\":{\"channel\":\"%s\"}}\n"
                     "{\"id\":6,\"unsubscribe\":{\"channel\":\"%s\"}}\n"
                     "{\"id\":7,\"subscribe\":{\"channel\":\"%s\"}}",
                     name, name, name, name, name, name);
            peer_hear(peer, "{\"id\":2,\"subscribe\":{}}");
            peer_hear(peer, "{\"id\":3,\"unsubscribe\":{}}");
            peer_hear(peer, "{\"id\":4,\"subscribe\":{}}");
            peer_hear(peer, "{\"id\":5,\"unsubscribe\":{}}");
            peer_hear(peer, "{\"id\":6,\"unsubscribe\":{}}");
            peer_hear(peer, "{\"id\":7,\"subscribe\":{}}");
            peer_hear_nothing(peer);
            peer_say(other, "{\"id\":8,\"publish\":{\"channel\":\"%s\",\"data\":%d}}", name, i);
            peer_hear(peer,
                      "{\"push\":{\"channel\":\"%s\",\"pub\":{\"data\":%d,\"info\":{\"user\":\"\","
                      "\"client\":\"<id>\"}}}}",
                      name, i);
            peer_say(peer, "{\"id\":9,\"unsubscribe\":{\"channel\":\"%s\"}}", name);
            peer_hear(peer, "{\"id\":9,\"unsubscribe\":{}}");
            peer_say(other, "{\"id\":8,\"publish\":{\"channel\":\"%s\",\"data\":%d}}", name, i);
            peer_hear_nothing(peer);
            peer_close(peer);
            peer_close(other);
            edge_rig_assert_empty(&rig);
        }
        edge_rig_stop(&rig);
    }
}

/* The second subscribe is under way like the first, and still the second. */
static void a_subscribe_under_way_is_a_subscription(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, false);
    for (int i = 0; i < 8; i++) {
        char name[NAME_SIZE];
        name_of(name, i);
        struct peer *peer = peer_open(&rig);
        peer_connect(peer);
        peer_say(peer,
                 "{\"id\":2,\"subscribe\":{\"channel\":\"%s\"}}\n"
                 "{\"id\":3,\"subscribe\":{\"channel\":\"%s\"}}",
                 name, name);
        peer_hear(peer, "{\"id\":3,\"error\":{\"code\":105,\"message\":\"already subscribed\"}}");
        peer_hear(peer, "{\"id\":2,\"subscribe\":{}}");
        peer_close(peer);
    }
    edge_rig_stop(&rig);
}

/* The first subscriber of a shard goes while those behind it wait for its answer. */
static void those_who_wait_are_answered_though_the_first_has_gone(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, false);
    for (int i = 0; i < 16; i++) {
        char name[NAME_SIZE];
        char text[64];
        name_of(name, i);
        struct peer *peers[3];
        for (int p = 0; p < 3; p++) {
            peers[p] = peer_open_at(&rig, 1);
            peer_connect(peers[p]);
        }
        /* All three arrive at the same instant; the first one's end right behind. */
        const int len =
            snprintf(text, sizeof(text), "{\"id\":2,\"subscribe\":{\"channel\":\"%s\"}}", name);
        for (int p = 0; p < 3; p++) {
            peer_put_frame(peers[p], 0x81, text, (size_t)len);
        }
        peer_put_frame(peers[i % 3], 0x88, "\x03\xe8", 2);
        edge_rig_settle(&rig);
        for (int p = 0; p < 3; p++) {
            if (p != i % 3) {
                peer_hear(peers[p], "{\"id\":2,\"subscribe\":{}}");
                peer_hear_nothing(peers[p]);
            }
            peer_close(peers[p]);
        }
        edge_rig_assert_empty(&rig);
    }
    edge_rig_stop(&rig);
}

/* A client goes at each byte of its conversation, in order or by a reset. */
static void a_client_may_go_at_any_byte(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, true);
    struct peer *maker = peer_open(&rig);
    peer_upgrade(maker);
    static const char text[] = "{\"id\":1,\"connect\":{}}\n"
                               "{\"id\":2,\"subscribe\":{\"channel\":\"a\",\"join_leave\":true}}\n"
                               "{\"id\":3,\"unsubscribe\":{\"channel\":\"a\"}}\n"
                               "{\"id\":4,\"publish\":{\"channel\":\"b\",\"data\":1}}\n"
                               "{\"id\":5,\"presence\":{\"channel\":\"a\"}}\n"
                               "{\"id\":6,\"subscribe\":{\"channel\":\"a\"}}";
    peer_put_frame(maker, 0x01, text, 40);
    peer_put_frame(maker, 0x89, "p", 1);
    peer_put_frame(maker, 0x80, text + 40, sizeof(text) - 1 - 40);
    const struct edge_text frames = maker->out;
    maker->out = (struct edge_text){0};
    peer_close(maker);
    for (size_t len = 0; len <= frames.len; len++) {
        for (int way = 0; way < 4; way++) {
            struct peer *peer = peer_open(&rig);
            peer_upgrade(peer);
            peer_put(peer, frames.at, len);
            if (way < 2) {
                edge_rig_settle(&rig);
            } else {
                (void)sim_client_send(rig.sim, peer->socket, peer->out.at, peer->out.len);
                peer->out.len = 0;
            }
            if (way % 2 == 0) {
                peer_close(peer);
            } else {
                peer_reset(peer);
            }
            edge_rig_assert_empty(&rig);
        }
    }
    free(frames.at);
    edge_rig_stop(&rig);
}

/* ---- fan-out over shards ---- */

static void a_publication_reaches_every_shard_once_and_in_order(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, false);
    struct peer *peers[3 * SHARDS];
    for (uint32_t i = 0; i < 3 * SHARDS; i++) {
        peers[i] = peer_open_at(&rig, i % SHARDS);
        peer_connect(peers[i]);
        peer_subscribe(peers[i], "news");
    }
    struct peer *publisher = peer_open(&rig);
    peer_connect(publisher);
    for (int n = 0; n < 50; n++) {
        peer_say(publisher, "{\"id\":%d,\"publish\":{\"channel\":\"news\",\"data\":%d}}", n + 9, n);
    }
    for (uint32_t i = 0; i < 3 * SHARDS; i++) {
        for (int n = 0; n < 50; n++) {
            peer_hear(peers[i],
                      "{\"push\":{\"channel\":\"news\",\"pub\":{\"data\":%d,\"info\":{\"user\":"
                      "\"\","
                      "\"client\":\"%s\"}}}}",
                      n, publisher->client);
        }
        peer_hear_nothing(peers[i]);
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_SENT_PUBLICATION), 50 * SHARDS);
    assert_int_equal(edge_rig_count(&rig, COUNTER_OF(TRANSPORT_SENT, TRANSPORT_WEBSOCKET,
                                                     FRAME_PUSH_PUBLICATION)),
                     50 * 3 * SHARDS);
    edge_rig_stop(&rig);
}

/* As a home would send it to shard 0, whose first hub channel it is for. */
static void deliver_to_first_channel(struct edge_rig *rig, uint64_t sequence)
{
    struct pool *pool = pool_create(8, CHANNELS_A_SHARD_MAX);
    uint32_t handle;
    assert_non_null(pool_take(pool, &handle)); /* All pools begin with the same handle. */
    pool_destroy(pool);
    const struct client_push push = {.kind = CLIENT_PUSH_PUBLICATION,
                                     .channel = SPAN_LITERAL("a"),
                                     .publication = {.data = SPAN_LITERAL("7")}};
    struct message_publication body = {.sequence = sequence, .kind = PUBLICATION_DATA};
    body.frames =
        push_frames_make(&push, CLIENT_PROTOCOL_BIT(edge_rig_protocol), &body.protobuf_at);
    assert_non_null(body.frames);
    struct shard *home = sim_shard(rig->sim, rig->number, 1);
    assert_true(message_send_publication(home->mailbox, 0, handle, &body));
    poller_wake(home->poller);
    edge_rig_settle(rig);
}

/* Publications were lost on the way: nobody misses one unknowingly. What came before is delivered,
 * and whoever subscribes again goes on. */
static void a_gap_ends_subscriptions_with_2500(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, false);
    struct peer *peers[3];
    for (int i = 0; i < 3; i++) {
        peers[i] = peer_open_at(&rig, 0);
        peer_connect(peers[i]);
        peer_subscribe(peers[i], "a");
    }
    struct peer *elsewhere = peer_open_at(&rig, 2);
    peer_connect(elsewhere);
    peer_subscribe(elsewhere, "a");
    deliver_to_first_channel(&rig, 1);
    deliver_to_first_channel(&rig, 3);
    for (int i = 0; i < 3; i++) {
        peer_hear(peers[i], "{\"push\":{\"channel\":\"a\",\"pub\":{\"data\":7}}}");
        peer_hear(peers[i], "{\"push\":{\"channel\":\"a\",\"unsubscribe\":{\"code\":2500,"
                            "\"reason\":\"insufficient state\"}}}");
        peer_hear_nothing(peers[i]);
    }
    peer_hear_nothing(elsewhere);
    assert_int_equal(edge_rig_count(&rig, COUNTER_UNSUBSCRIBE_2500), 3);
    deliver_to_first_channel(&rig, 4); /* Its channel is gone. */
    assert_int_equal(edge_rig_count(&rig, COUNTER_STALE_MESSAGES), 1);
    peer_subscribe(peers[0], "a");
    peer_say(peers[1], "{\"id\":5,\"publish\":{\"channel\":\"a\",\"data\":8}}");
    peer_hear_frame(peers[0], 0x81);
    peer_hear_frame(elsewhere, 0x81);
    peer_hear_nothing(peers[0]);
    edge_rig_stop(&rig);
}

/* ---- presence, join and leave ---- */

static void hear_join(struct peer *peer, const char *kind, const char *client)
{
    peer_hear(peer,
              "{\"push\":{\"channel\":\"room\",\"%s\":{\"info\":{\"user\":\"\","
              "\"client\":\"%s\"}}}}",
              kind, client);
}

static void join_and_leave_are_pushed_exactly_once(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, true);
    struct peer *watcher = peer_open_at(&rig, 0);
    peer_connect(watcher);
    peer_say(watcher, "{\"id\":2,\"subscribe\":{\"channel\":\"room\",\"join_leave\":true}}");
    peer_hear(watcher, "{\"id\":2,\"subscribe\":{}}");
    hear_join(watcher, "join", watcher->client); /* Its own as well. */
    for (uint32_t i = 0; i < 3 * SHARDS; i++) {
        char client[EDGE_CLIENT_ID_SIZE];
        struct peer *peer = peer_open_at(&rig, i % SHARDS);
        peer_connect(peer);
        memcpy(client, peer->client, sizeof(client));
        peer_subscribe(peer, "room"); /* It did not ask for them. */
        peer_hear_nothing(peer);
        hear_join(watcher, "join", client);
        peer_say(watcher, "{\"id\":3,\"presence_stats\":{\"channel\":\"room\"}}");
        peer_hear(watcher, "{\"id\":3,\"presence_stats\":{\"num_clients\":2,\"num_users\":1}}");
        if (i % 3 == 0) {
            peer_say(peer, "{\"id\":4,\"unsubscribe\":{\"channel\":\"room\"}}");
            peer_hear(peer, "{\"id\":4,\"unsubscribe\":{}}");
        } else if (i % 3 == 1) {
            peer_close(peer);
        } else {
            peer_reset(peer);
        }
        hear_join(watcher, "leave", client);
        peer_hear_nothing(watcher);
        peer_say(watcher, "{\"id\":3,\"presence_stats\":{\"channel\":\"room\"}}");
        peer_hear(watcher, "{\"id\":3,\"presence_stats\":{\"num_clients\":1,\"num_users\":1}}");
    }
    edge_rig_stop(&rig);
}

/* What a peer has heard of the channel, a letter each: publications a..j, J and L for joins and
 * leaves. */
static void hear_letters(struct peer *peer, char *letters)
{
    while (peer_has_news(peer)) {
        peer_hear_frame(peer, 0x81);
        static const char key[] = "\"pub\":{\"data\":\"";
        const char *data = strstr(peer->message.at, key);
        if (data != NULL) {
            *letters++ = data[sizeof(key) - 1];
        } else if (strstr(peer->message.at, "\"join\"") != NULL) {
            *letters++ = 'J';
        } else if (strstr(peer->message.at, "\"leave\"") != NULL) {
            *letters++ = 'L';
        }
    }
    *letters = '\0';
}

/* Now, and without waiting for what comes of it. */
static void send_at_once(struct peer *peer)
{
    (void)sim_client_send(peer->rig->sim, peer->socket, peer->out.at, peer->out.len);
    peer->out.len = 0;
}

static void put_command(struct peer *peer, const char *name, int room)
{
    char text[128];
    const int len =
        snprintf(text, sizeof(text), "{\"id\":4,\"%s\":{\"channel\":\"r%d\"}}", name, room);
    peer_put_frame(peer, 0x81, text, (size_t)len);
}

/* Ten publications, one client that joins and one that leaves, all in one instant. */
static void play_room(struct edge_rig *rig, int room, struct peer *late)
{
    struct peer *publisher = peer_open_at(rig, (uint32_t)room % 3);
    struct peer *leaver = peer_open_at(rig, (uint32_t)room / 3 % 3);
    peer_connect(publisher);
    peer_connect(leaver);
    put_command(leaver, "subscribe", room);
    edge_rig_settle(rig);
    for (size_t i = 0; i < EDGE_PEERS_MAX; i++) {
        rig->peers[i].heard = rig->peers[i].in.len;
    }
    for (char letter = 'a'; letter <= 'j'; letter++) {
        char text[128];
        const int len =
            snprintf(text, sizeof(text),
                     "{\"id\":3,\"publish\":{\"channel\":\"r%d\",\"data\":\"%c\"}}", room, letter);
        peer_put_frame(publisher, 0x81, text, (size_t)len);
        if (letter == 'a' + room % 10) {
            /* Those before are in the shard, those behind are on their way. */
            send_at_once(publisher);
            put_command(late, "subscribe", room);
            send_at_once(late);
            put_command(leaver, "unsubscribe", room);
            send_at_once(leaver);
        }
    }
    edge_rig_settle(rig);
    peer_close(publisher);
    peer_close(leaver);
}

/* Every shard sees the same order, and who joins sees what the others see behind its join. */
static void joins_stand_between_publications_for_everybody(void **state)
{
    (void)state;
    static struct edge_rig rig;
    unsigned cuts = 0; /* How often somebody joined between two publications. */
    edge_rig_init(&rig, 3);
    rig.options.without_namespace.presence = true;
    rig.options.without_namespace.join_leave = true;
    rig.options.without_namespace.force_push_join_leave = true;
    edge_rig_start(&rig);
    for (int room = 0; room < 60; room++) {
        char seen[2][64];
        char joined[64];
        struct peer *watchers[2] = {peer_open_at(&rig, 0), peer_open_at(&rig, 1)};
        struct peer *late = peer_open_at(&rig, 0);
        peer_connect(late);
        for (int i = 0; i < 2; i++) {
            peer_connect(watchers[i]);
            put_command(watchers[i], "subscribe", room);
        }
        edge_rig_settle(&rig);
        play_room(&rig, room, late);
        hear_letters(watchers[0], seen[0]);
        hear_letters(watchers[1], seen[1]);
        assert_string_equal(seen[0], seen[1]);
        assert_int_equal(strlen(seen[0]), 12);
        peer_hear(late, "{\"id\":4,\"subscribe\":{}}");
        hear_letters(late, joined);
        const char *join = strchr(seen[0], 'J');
        assert_non_null(join);
        assert_string_equal(joined, join);
        cuts += join != seen[0] && join[1] != '\0';
        peer_close(watchers[0]);
        peer_close(watchers[1]);
        peer_close(late);
    }
    assert_true(cuts > 10);
    edge_rig_stop(&rig);
}

static void presence_lists_whoever_is_there(void **state)
{
    (void)state;
    static struct edge_rig rig;
    open_rig(&rig, true);
    struct peer *peers[5 * SHARDS];
    for (uint32_t i = 0; i < 5 * SHARDS; i++) {
        peers[i] = peer_open_at(&rig, i % SHARDS);
        peer_connect(peers[i]);
        peer_subscribe(peers[i], "room");
        peer_say(peers[i], "{\"id\":3,\"presence\":{\"channel\":\"room\"}}");
        peer_hear_frame(peers[i], 0x81);
        for (uint32_t j = 0; j < 5 * SHARDS; j++) {
            char entry[128];
            if (j > i) {
                continue;
            }
            (void)snprintf(entry, sizeof(entry), "\"%s\":{\"user\":\"\",\"client\":\"%s\"}",
                           peers[j]->client, peers[j]->client);
            assert_non_null(strstr(peers[i]->message.at, entry));
        }
    }
    assert_int_equal(edge_rig_count(&rig, COUNTER_NUM_PRESENCE_ENTRIES), 5 * SHARDS);
    edge_rig_stop(&rig);
}

/* Forced pushes go to everybody; a client that may not see presence gets none that it asks for. */
static void who_gets_join_and_leave(void **state)
{
    (void)state;
    static struct edge_rig rig;
    edge_rig_init(&rig, 1);
    rig.options.client.insecure = false;
    rig.options.client.allow_anonymous_connect_without_token = true;
    static const char *const names[] = {"forced", "asked", "denied"};
    for (int i = 0; i < 3; i++) {
        struct channel_options *options = edge_rig_namespace(&rig, names[i]);
        options->join_leave = true;
        options->allow_subscribe_for_client = options->allow_subscribe_for_anonymous = true;
        options->force_push_join_leave = i == 0;
        options->allow_presence_for_client = options->allow_presence_for_anonymous = i == 1;
    }
    edge_rig_start(&rig);
    for (int i = 0; i < 3; i++) {
        for (int asks = 0; asks < 2; asks++) {
            struct peer *peer = peer_open(&rig);
            peer_connect(peer);
            peer_say(peer, "{\"id\":2,\"subscribe\":{\"channel\":\"%s:x\",\"join_leave\":%s}}",
                     names[i], asks ? "true" : "false");
            peer_hear(peer, "{\"id\":2,\"subscribe\":{}}");
            if (i == 0 || (i == 1 && asks)) {
                peer_hear_frame(peer, 0x81);
                assert_non_null(strstr(peer->message.at, "\"join\""));
            }
            peer_hear_nothing(peer);
            peer_close(peer);
        }
    }
    edge_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_frame_may_subscribe_and_unsubscribe_again_and_again),
        cmocka_unit_test(a_subscribe_under_way_is_a_subscription),
        cmocka_unit_test(those_who_wait_are_answered_though_the_first_has_gone),
        cmocka_unit_test(a_client_may_go_at_any_byte),
        cmocka_unit_test(a_publication_reaches_every_shard_once_and_in_order),
        cmocka_unit_test(a_gap_ends_subscriptions_with_2500),
        cmocka_unit_test(join_and_leave_are_pushed_exactly_once),
        cmocka_unit_test(joins_stand_between_publications_for_everybody),
        cmocka_unit_test(presence_lists_whoever_is_there),
        cmocka_unit_test(who_gets_join_and_leave),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
