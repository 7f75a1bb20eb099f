/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions that the server makes, while their channels go on: nothing is lost, nothing comes
 * twice, and who goes leaves nothing behind. */
#include <stdio.h>

#include "tests/unit/shards/edge_streams.h"
#include "tests/unit/shards/tokens.h"

static const char secret[] = "the secret of these tests";

static void open_node(void)
{
    streams_init(0);
    streams.options.client.insecure = false;
    streams.options.client.token.hmac_secret_key = secret;
    streams.options.client.channel_limit = 5;
    streams.options.client.allow_anonymous_connect_without_token = true;
    edge_rig_start(&streams);
}

static struct peer *connects(uint32_t shard, const char *subs, const char *token)
{
    char connect[4096];
    struct peer *peer = peer_open_at(&streams, shard);
    (void)snprintf(connect, sizeof(connect), "{\"token\":\"%s\",\"subs\":%s}", token, subs);
    peer_connect_with(peer, connect);
    return peer;
}

/* ---- tests ---- */

/* A client of several homes, each of which goes on publishing meanwhile: it gets what comes behind
 * the position that it is told, all of it and in order. */
static void nothing_is_lost_while_it_connects(void **state)
{
    (void)state;
    open_node();
    struct peer *publisher = peer_open_at(&streams, 0);
    streams.options.client.insecure = true;
    peer_connect_with(publisher, "{}");
    for (unsigned round = 0; round < 30; round++) {
        struct peer *peer = peer_open_at(&streams, round % SHARDS);
        char command[2048];
        peer_upgrade(peer);
        /* In "r:b" it was there a while ago. */
        const uint64_t since = round == 0 ? 0 : 2 * round - 2;
        const int len =
            snprintf(command, sizeof(command),
                     "{\"id\":1,\"connect\":{\"token\":\"%s\",\"subs\":{\"r:b\":{\"recover\":true,"
                     "\"offset\":%u}}}}",
                     token_of(secret,
                              "{\"sub\":\"42\",\"channels\":[\"r:a\",\"r:b\",\"r:c\",\"r:d\"]}"),
                     (unsigned)since);
        for (unsigned i = 0; i < 8; i++) {
            (void)snprintf(command + len + 1, sizeof(command) - (size_t)len - 1,
                           "{\"id\":%u,\"publish\":{\"channel\":\"r:%c\",\"data\":1}}", i + 2,
                           'a' + i % 4);
            peer_put_frame(publisher, 0x81, command + len + 1, strlen(command + len + 1));
            if (i == 3) {
                peer_put_frame(peer, 0x81, command, (size_t)len);
            }
        }
        edge_rig_settle(&streams);
        uint64_t offsets[4];
        peer_hear_frame(peer, 0x81);
        for (unsigned i = 0; i < 4; i++) {
            char name[16];
            (void)snprintf(name, sizeof(name), "\"r:%c\":{", 'a' + i);
            const char *at = strstr(peer->message.at, name);
            assert_non_null(at);
            const char *end = strchr(at, '}');
            const char *offset = strstr(at, "\"offset\":");
            offsets[i] = offset == NULL || offset > end ? 0 : strtoull(offset + 9, NULL, 10);
        }
        assert_non_null(strstr(peer->message.at, "\"recovered\":true"));
        offsets[1] = since;
        for (const char *at = peer->message.at; (at = strstr(at, "{\"data\":1,")) != NULL; at++) {
            offsets[1]++;
        }
        while (peer_has_news(peer)) {
            peer_hear_frame(peer, 0x81);
            const char *at = strstr(peer->message.at, "\"channel\":\"r:");
            const char *offset = strstr(peer->message.at, "\"offset\":");
            assert_non_null(at);
            assert_non_null(offset);
            assert_int_equal(strtoull(offset + 9, NULL, 10), ++offsets[at[13] - 'a']);
        }
        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(offsets[i], 2 * (round + 1));
        }
        while (peer_has_news(publisher)) {
            peer_hear_frame(publisher, 0x81);
        }
        peer_close(peer);
    }
    edge_rig_stop(&streams);
}

static void who_comes_back_recovers(void **state)
{
    (void)state;
    open_node();
    char epoch[EPOCH_SIZE];
    char subs[256];
    struct peer *peer =
        connects(1, "{}", token_of(secret, "{\"sub\":\"42\",\"channels\":[\"r:a\",\"r:b\"]}"));
    publish("r:a", 71);
    peer_hear_frame(peer, 0x81);
    (void)snprintf(epoch, sizeof(epoch), "%s", epoch_in(peer));
    peer_reset(peer);
    publish("r:a", 72);
    publish("r:a", 73);
    (void)snprintf(subs, sizeof(subs),
                   "{\"r:a\":{\"recover\":true,\"offset\":1,\"epoch\":\"%s\"},"
                   "\"r:b\":{\"recover\":true,\"offset\":7,\"epoch\":\"9\"}}",
                   epoch);
    peer = connects(2, subs, token_of(secret, "{\"sub\":\"42\",\"channels\":[\"r:a\",\"r:b\"]}"));
    char wanted[512];
    (void)snprintf(wanted, sizeof(wanted),
                   "\"r:a\":{\"recoverable\":true,\"epoch\":\"%s\",\"publications\":["
                   "{\"data\":72,\"offset\":2},{\"data\":73,\"offset\":3}],\"recovered\":true,"
                   "\"offset\":1,\"positioned\":true,\"was_recovering\":true}",
                   epoch);
    assert_non_null(strstr(peer->message.at, wanted));
    assert_non_null(strstr(peer->message.at, "\"positioned\":true,\"was_recovering\":true}}"));
    publish("r:a", 74);
    peer_hear(peer, "{\"push\":{\"channel\":\"r:a\",\"pub\":{\"data\":74,\"offset\":4}}}");
    edge_rig_stop(&streams);
}

/* It goes while its homes are asked. */
static void who_goes_meanwhile_leaves_nothing(void **state)
{
    (void)state;
    open_node();
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        struct peer *peer = peer_open_at(&streams, shard);
        char command[2048];
        peer_upgrade(peer);
        const int len =
            snprintf(command, sizeof(command), "{\"id\":1,\"connect\":{\"token\":\"%s\"}}",
                     token_of(secret,
                              "{\"sub\":\"42\",\"channels\":[\"shown:a\",\"r:b\",\"r:c\"]}"));
        peer_put_frame(peer, 0x81, command, (size_t)len);
        peer_reset(peer);
    }
    edge_rig_settle(&streams);
    edge_rig_assert_empty(&streams);
    edge_rig_stop(&streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_while_it_connects),
        cmocka_unit_test(who_comes_back_recovers),
        cmocka_unit_test(who_goes_meanwhile_leaves_nothing),
    };
    return EDGE_RIG_RUN_IN_BOTH(tests);
}
